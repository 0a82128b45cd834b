//! What lies in the queue.

use serde::{Deserialize, Serialize};

use crate::order::Order;

/// A message, as JSON: `{"place":{…}}` or `{"sweep":{}}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Message {
    /// Write this order. From `create-order`.
    Place(Order),
    /// Let orders lapse that have been open for too long. From the nightly schedule, whose template has this text.
    Sweep {},
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// What is wrong with it: it is no message, or has an order that could not have been placed.
    pub fn parse(json: &str) -> Result<Self, String> {
        let message: Self = serde_json::from_str(json).map_err(|error| error.to_string())?;
        match &message {
            Self::Place(order) => order.check()?,
            Self::Sweep {} => {}
        }
        Ok(message)
    }

    /// As it is sent.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings and numbers under fixed keys: there is nothing that could fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_can_be_read() {
        let json = r#"{"place":{"orderId":"o-1","customerId":"c-1","placedAt":"2026-11-26T09:30:00Z","lines":[{"sku":"tea","quantity":2}]}}"#;
        for json in [json, r#"{"sweep":{}}"#] {
            let message = Message::parse(json).expect("a message");
            assert_eq!(message.to_json(), json);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for json in [
            "",
            "null",
            "{}",
            r#"{"sweep":null}"#,
            r#"{"drop":{}}"#,
            r#"{"sweep":{},"place":{}}"#,
            r#"{"place":{"orderId":"o 1","customerId":"c-1","placedAt":"x","lines":[{"sku":"a","quantity":1}]}}"#,
            r#"{"place":{"orderId":"o-1","customerId":"c-1","placedAt":"x","lines":[]}}"#,
        ] {
            assert!(Message::parse(json).is_err(), "{json}");
        }
    }
}
