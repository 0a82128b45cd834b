//! `POST /orders`: checks an order and puts it into the queue.

use std::future::Future;

use serde::Serialize;

use crate::{
    failure::Failure,
    http::{Answer, Request},
    message::Message,
    order::{NewOrder, Order},
};

/// Who may order.
pub trait Customers {
    /// Whether there is a customer of this id.
    fn has(&self, customer_id: &str) -> impl Future<Output = Result<bool, Failure>> + Send;
}

/// Where orders go.
pub trait Intake {
    /// Keeps a message until it is processed.
    fn send(&self, message: &Message) -> impl Future<Output = Result<(), Failure>> + Send;
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    order_id: String,
    placed_at: String,
}

/// Takes the order in the request, as `order_id`. It is accepted when the queue has it, and can be read a moment later.
///
/// # Errors
/// If the customers can't be read or the queue takes nothing.
pub async fn create(
    customers: &impl Customers,
    intake: &impl Intake,
    order_id: String,
    placed_at: String,
    request: &Request,
) -> Result<Answer, Failure> {
    let new: NewOrder = match serde_json::from_str(request.body()) {
        Ok(new) => new,
        // Not a cause of ours: it says what is wrong with the body, and where.
        Err(error) => return Ok(Answer::error(400, &format!("The body is not an order: {error}"))),
    };
    if let Err(wrong) = new.check() {
        return Ok(Answer::error(400, &wrong));
    }
    if !customers.has(&new.customer_id).await? {
        return Ok(Answer::error(400, &format!("No such customer: {}", new.customer_id)));
    }
    let accepted = Accepted {
        order_id: order_id.clone(),
        placed_at: placed_at.clone(),
    };
    let NewOrder { customer_id, lines } = new;
    intake
        .send(&Message::Place(Order {
            order_id,
            customer_id,
            placed_at,
            lines,
        }))
        .await?;
    Answer::json(202, &accepted)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;

    /// Knows `c-1`, and keeps what is sent.
    #[derive(Default)]
    struct Shop {
        sent: Mutex<Vec<String>>,
        is_down: bool,
    }

    impl Customers for Shop {
        async fn has(&self, customer_id: &str) -> Result<bool, Failure> {
            Ok(customer_id == "c-1")
        }
    }

    impl Intake for Shop {
        async fn send(&self, message: &Message) -> Result<(), Failure> {
            if self.is_down {
                return Err(Failure::new("no queue"));
            }
            self.sent.lock().expect("no panic").push(message.to_json());
            Ok(())
        }
    }

    async fn post(shop: &Shop, body: &str) -> Result<Answer, Failure> {
        let request = Request::parse(&json!({ "body": body }).to_string());
        create(shop, shop, "o-1".into(), "2026-11-26T09:30:00Z".into(), &request).await
    }

    const GOOD: &str = r#"{"customerId":"c-1","lines":[{"sku":"tea","quantity":2}]}"#;

    #[tokio::test]
    async fn a_good_order_is_queued_and_accepted() {
        let shop = Shop::default();
        let answer = post(&shop, GOOD).await.expect("an answer");
        assert_eq!(answer.status, 202);
        assert_eq!(answer.body, r#"{"orderId":"o-1","placedAt":"2026-11-26T09:30:00Z"}"#);
        assert_eq!(
            *shop.sent.lock().expect("no panic"),
            [
                r#"{"place":{"orderId":"o-1","customerId":"c-1","placedAt":"2026-11-26T09:30:00Z","lines":[{"sku":"tea","quantity":2}]}}"#
            ]
        );
    }

    #[tokio::test]
    async fn a_bad_order_is_refused_and_not_queued() {
        let shop = Shop::default();
        for (body, said) in [
            (
                "",
                "The body is not an order: EOF while parsing a value at line 1 column 0",
            ),
            (
                r#"{"customerId":"c-1"}"#,
                "The body is not an order: missing field `lines` at line 1 column 20",
            ),
            (r#"{"customerId":"c-1","lines":[]}"#, "An order has 1 to 20 lines"),
            (&GOOD.replace("c-1", "c-9"), "No such customer: c-9"),
        ] {
            let answer = post(&shop, body).await.expect("an answer");
            assert_eq!(answer, Answer::error(400, said));
        }
        assert!(shop.sent.lock().expect("no panic").is_empty());
    }

    #[tokio::test]
    async fn what_was_not_queued_is_not_accepted() {
        let shop = Shop {
            is_down: true,
            ..Shop::default()
        };
        assert_eq!(post(&shop, GOOD).await, Err(Failure::new("no queue")));
    }
}
