//! `GET /customers/{id}/orders`: a customer's newest orders.

use std::future::Future;

use serde::Serialize;

use crate::{
    failure::Failure,
    http::{Answer, Request},
    order,
};

/// How many orders are listed.
pub const LIMIT: i32 = 50;

/// An order in a list: what the index has of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its id.
    pub order_id: String,
    /// When it was placed.
    pub placed_at: String,
    /// Where it stands.
    pub state: String,
}

/// The list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Newest {
    /// The newest first.
    pub orders: Vec<Entry>,
    /// Whether there are older ones.
    pub more: bool,
}

/// Where orders are listed.
pub trait Orders {
    /// The customer's newest orders, [`LIMIT`] at most. Who never ordered has none, known or not.
    fn newest(&self, customer_id: &str) -> impl Future<Output = Result<Newest, Failure>> + Send;
}

/// Answers with the orders of the customer that the path names.
///
/// # Errors
/// If orders can't be read.
pub async fn list(orders: &impl Orders, request: &Request) -> Result<Answer, Failure> {
    let customer_id = request.id();
    if !order::is_id(customer_id) {
        return Ok(Answer::error(400, &order::not_an_id("The customer's id")));
    }
    Answer::json(200, &orders.newest(customer_id).await?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct One;

    impl Orders for One {
        async fn newest(&self, customer_id: &str) -> Result<Newest, Failure> {
            let entry = Entry {
                order_id: "o-1".into(),
                placed_at: "2026-11-26T09:30:00Z".into(),
                state: "open".into(),
            };
            let orders = if customer_id == "c-1" { vec![entry] } else { vec![] };
            Ok(Newest { orders, more: false })
        }
    }

    async fn ask(id: &str) -> Answer {
        let request = Request::parse(&json!({ "pathParameters": { "id": id } }).to_string());
        list(&One, &request).await.expect("an answer")
    }

    #[tokio::test]
    async fn orders_are_listed() {
        let answer = ask("c-1").await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (
                200,
                r#"{"orders":[{"orderId":"o-1","placedAt":"2026-11-26T09:30:00Z","state":"open"}],"more":false}"#
            )
        );
        let answer = ask("c-2").await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, r#"{"orders":[],"more":false}"#)
        );
    }

    #[tokio::test]
    async fn what_can_be_no_customer_is_refused() {
        let said = "The customer's id must be 1 to 64 letters, digits and hyphens";
        assert_eq!(ask("a/b").await, Answer::error(400, said));
    }
}
