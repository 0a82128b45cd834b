//! `GET /orders/{id}`: one order with its lines.

use std::future::Future;

use serde::Serialize;

use crate::{
    failure::Failure,
    http::{Answer, Request},
    order::{self, Line},
};

/// An order as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// Its id.
    pub order_id: String,
    /// Whose it is.
    pub customer_id: String,
    /// When it was placed.
    pub placed_at: String,
    /// Where it stands.
    pub state: String,
    /// What is ordered.
    pub lines: Vec<Line>,
}

/// Where orders are read.
pub trait Orders {
    /// The order of this id, or none if there is none. A failure is never an absence.
    fn get(&self, order_id: &str) -> impl Future<Output = Result<Option<Shown>, Failure>> + Send;
}

/// Answers with the order that the path names.
///
/// # Errors
/// If orders can't be read.
pub async fn get(orders: &impl Orders, request: &Request) -> Result<Answer, Failure> {
    let order_id = request.id();
    if !order::is_id(order_id) {
        return Ok(Answer::error(400, &order::not_an_id("The order's id")));
    }
    match orders.get(order_id).await? {
        Some(shown) => Answer::json(200, &shown),
        None => Ok(Answer::error(404, &format!("No such order: {order_id}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct One;

    impl Orders for One {
        async fn get(&self, order_id: &str) -> Result<Option<Shown>, Failure> {
            Ok((order_id == "o-1").then(|| Shown {
                order_id: "o-1".into(),
                customer_id: "c-1".into(),
                placed_at: "2026-11-26T09:30:00Z".into(),
                state: "open".into(),
                lines: vec![Line {
                    sku: "tea".into(),
                    quantity: 2,
                }],
            }))
        }
    }

    async fn ask(id: &str) -> Answer {
        let request = Request::parse(&json!({ "pathParameters": { "id": id } }).to_string());
        get(&One, &request).await.expect("an answer")
    }

    #[tokio::test]
    async fn an_order_is_shown_with_its_lines() {
        let answer = ask("o-1").await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.body,
            r#"{"orderId":"o-1","customerId":"c-1","placedAt":"2026-11-26T09:30:00Z","state":"open","lines":[{"sku":"tea","quantity":2}]}"#
        );
    }

    #[tokio::test]
    async fn what_is_not_there_and_what_cannot_be_differ() {
        assert_eq!(ask("o-2").await, Answer::error(404, "No such order: o-2"));
        let said = "The order's id must be 1 to 64 letters, digits and hyphens";
        assert_eq!(ask("o 2").await, Answer::error(400, said));
        assert_eq!(ask("").await, Answer::error(400, said));
    }
}
