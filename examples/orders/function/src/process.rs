//! The worker behind the queue: writes orders, and lets old ones lapse.

use std::future::Future;

use serde::{Deserialize, Serialize};

use crate::{failure::Failure, message::Message, order::Order};

/// Where orders are kept. Everything may be done twice: a queue delivers a message at least once.
pub trait Orders {
    /// Writes an order that is open. One that is there already stays as it is.
    fn place(&self, order: &Order) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Some of the orders that are open since before `time`.
    fn open_since_before(&self, time: &str) -> impl Future<Output = Result<Vec<String>, Failure>> + Send;
    /// Lets an order lapse, if it is still open.
    fn lapse(&self, order_id: &str) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// A batch of messages, as SQS's event source mapping hands it over.
#[derive(Debug, Deserialize)]
struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    body: String,
}

/// Which messages are to come again, and after some times go to the dead-letter queue. All others are done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    batch_item_failures: Vec<Failed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    item_identifier: String,
}

/// Does what the messages in `event` say, one after the other; one that fails stops no other. Orders that were placed
/// before `lapse_before` have been open for too long.
///
/// # Errors
/// If the event is no batch: then no message of it is done.
pub async fn process(orders: &impl Orders, lapse_before: &str, event: &str) -> Result<Report, Failure> {
    let batch: Batch = serde_json::from_str(event).map_err(|error| Failure::caused("reading the event", &error))?;
    let mut report = Report::default();
    for Record { message_id, body } in batch.records {
        match follow(orders, lapse_before, &body).await {
            Ok(()) => tracing::info!(messageId = message_id, "message"),
            Err(failure) => {
                tracing::error!(messageId = message_id, error = %failure, "message");
                report.batch_item_failures.push(Failed {
                    item_identifier: message_id,
                });
            }
        }
    }
    Ok(report)
}

async fn follow(orders: &impl Orders, lapse_before: &str, body: &str) -> Result<(), Failure> {
    match Message::parse(body).map_err(Failure::new)? {
        Message::Place(order) => orders.place(&order).await,
        Message::Sweep {} => {
            // What is left when there are very many lapses tomorrow.
            for order_id in orders.open_since_before(lapse_before).await? {
                orders.lapse(&order_id).await?;
                tracing::info!(orderId = order_id, "lapsed");
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::{Value, json};

    use super::*;

    /// Writes down what it is told; knows two old orders; fails at `o-9`.
    #[derive(Default)]
    struct Book(Mutex<Vec<String>>);

    impl Book {
        fn write(&self, line: String) {
            self.0.lock().expect("no panic").push(line);
        }
    }

    impl Orders for Book {
        async fn place(&self, order: &Order) -> Result<(), Failure> {
            if order.order_id == "o-9" {
                return Err(Failure::new("throttled"));
            }
            self.write(format!("place {}", order.order_id));
            Ok(())
        }

        async fn open_since_before(&self, time: &str) -> Result<Vec<String>, Failure> {
            self.write(format!("open {time}"));
            Ok(vec!["o-1".into(), "o-2".into()])
        }

        async fn lapse(&self, order_id: &str) -> Result<(), Failure> {
            self.write(format!("lapse {order_id}"));
            Ok(())
        }
    }

    fn place(id: &str) -> String {
        let lines = json!([{ "sku": "tea", "quantity": 1 }]);
        json!({ "place": { "orderId": id, "customerId": "c-1", "placedAt": "2026-11-26T09:30:00Z", "lines": lines } })
            .to_string()
    }

    fn batch(bodies: &[&str]) -> String {
        let records: Vec<Value> = bodies
            .iter()
            .enumerate()
            .map(|(number, body)| json!({ "messageId": format!("m-{number}"), "body": body, "attributes": {} }))
            .collect();
        json!({ "Records": records }).to_string()
    }

    async fn run(book: &Book, bodies: &[&str]) -> Value {
        let report = process(book, "2026-10-27T09:30:00Z", &batch(bodies)).await;
        serde_json::to_value(report.expect("a batch")).expect("JSON")
    }

    #[tokio::test]
    async fn orders_are_placed_and_old_ones_lapse() {
        let book = Book::default();
        let report = run(&book, &[&place("o-3"), r#"{"sweep":{}}"#]).await;
        assert_eq!(report, json!({ "batchItemFailures": [] }));
        assert_eq!(
            *book.0.lock().expect("no panic"),
            ["place o-3", "open 2026-10-27T09:30:00Z", "lapse o-1", "lapse o-2"]
        );
    }

    #[tokio::test]
    async fn only_what_failed_comes_again() {
        let book = Book::default();
        let report = run(&book, &[&place("o-3"), &place("o-9"), "nonsense", &place("o-4")]).await;
        assert_eq!(
            report,
            json!({ "batchItemFailures": [{ "itemIdentifier": "m-1" }, { "itemIdentifier": "m-2" }] })
        );
        assert_eq!(*book.0.lock().expect("no panic"), ["place o-3", "place o-4"]);
    }

    #[tokio::test]
    async fn an_event_that_is_no_batch_fails_as_a_whole() {
        for event in ["", "{}", r#"{"Records":[{}]}"#] {
            assert!(process(&Book::default(), "", event).await.is_err(), "{event}");
        }
    }
}
