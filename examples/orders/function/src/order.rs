//! What an order is, and which orders are taken.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use serde::{Deserialize, Serialize};

/// The most lines that an order may have.
pub const MAX_LINES: usize = 20;
/// The most pieces that a line may have.
pub const MAX_QUANTITY: u32 = 1000;
/// The longest id of an order, a customer or an article, in characters.
pub const MAX_ID_LENGTH: usize = 64;

/// What is ordered: one article, some pieces.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The article.
    pub sku: String,
    /// How many of it.
    pub quantity: u32,
}

/// An order as a customer sends it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewOrder {
    /// Whose it is.
    pub customer_id: String,
    /// What is ordered.
    pub lines: Vec<Line>,
}

/// An order that was placed, as it lies in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// Its name in the API.
    pub order_id: String,
    /// Whose it is.
    pub customer_id: String,
    /// When, as [`timestamp`] writes it.
    pub placed_at: String,
    /// What is ordered.
    pub lines: Vec<Line>,
}

/// Where an order stands. What other states there are is for those to say who send the parcels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Placed, and nothing has happened since.
    Open,
    /// It was open for too long.
    Lapsed,
}

impl State {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Lapsed => "lapsed",
        }
    }
}

impl NewOrder {
    /// Says what is wrong with it, in words for who sent it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), String> {
        check(&self.customer_id, &self.lines)
    }
}

impl Order {
    /// The same for an order from the queue, where anybody may have put it who is allowed to.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), String> {
        if !is_id(&self.order_id) {
            return Err(not_an_id("orderId"));
        }
        check(&self.customer_id, &self.lines)
    }
}

fn check(customer_id: &str, lines: &[Line]) -> Result<(), String> {
    if !is_id(customer_id) {
        return Err(not_an_id("customerId"));
    }
    if lines.is_empty() || lines.len() > MAX_LINES {
        return Err(format!("An order has 1 to {MAX_LINES} lines"));
    }
    for line in lines {
        if !is_id(&line.sku) {
            return Err(not_an_id("sku"));
        }
        if !(1..=MAX_QUANTITY).contains(&line.quantity) {
            return Err(format!("quantity must be 1 to {MAX_QUANTITY}"));
        }
    }
    Ok(())
}

/// Whether this can be the id of anything here. No id is looked up that can't be there.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=MAX_ID_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What to say of one that isn't.
#[must_use]
pub fn not_an_id(name: &str) -> String {
    format!("{name} must be 1 to {MAX_ID_LENGTH} letters, digits and hyphens")
}

/// The time in UTC, such as `2026-11-26T09:30:00Z`: always as long, so that it sorts as text.
#[must_use]
pub fn timestamp(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let time = DateTime::from_secs(i64::try_from(seconds).unwrap_or_default());
    // Only years beyond 9999 can't be written so.
    time.fmt(DateTimeFormat::DateTime).unwrap_or_default()
}

/// The time `days` before `now`, written the same way.
#[must_use]
pub fn days_before(now: SystemTime, days: u32) -> String {
    let day = Duration::from_secs(24 * 60 * 60);
    timestamp(now.checked_sub(day * days).unwrap_or(UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(json: &str) -> Result<(), String> {
        let order: NewOrder = serde_json::from_str(json).map_err(|error| error.to_string())?;
        order.check()
    }

    fn with_lines(count: usize) -> String {
        let lines = vec![r#"{"sku":"tea-1","quantity":2}"#; count].join(",");
        format!(r#"{{"customerId":"c-1","lines":[{lines}]}}"#)
    }

    #[test]
    fn good_orders_are_taken() {
        assert_eq!(checked(&with_lines(1)), Ok(()));
        assert_eq!(checked(&with_lines(MAX_LINES)), Ok(()));
    }

    #[test]
    fn an_order_has_lines_but_not_too_many() {
        let refused = Err("An order has 1 to 20 lines".to_owned());
        assert_eq!(checked(&with_lines(0)), refused);
        assert_eq!(checked(&with_lines(MAX_LINES + 1)), refused);
    }

    #[test]
    fn quantities_have_limits() {
        let with = |quantity: &str| checked(&with_lines(1).replace('2', quantity));
        assert_eq!(with("1000"), Ok(()));
        for quantity in ["0", "1001"] {
            assert_eq!(with(quantity), Err("quantity must be 1 to 1000".to_owned()));
        }
        for quantity in ["-1", "1.5", "4294967296", r#""2""#, "null"] {
            assert!(with(quantity).is_err(), "{quantity}");
        }
    }

    #[test]
    fn ids_are_short_and_plain() {
        let longest = "x".repeat(MAX_ID_LENGTH);
        for id in ["c-1", "7", longest.as_str()] {
            assert!(is_id(id), "{id}");
        }
        for id in ["", " ", "c_1", "é", "a/b", "a\n", &format!("{longest}x")] {
            assert!(!is_id(id), "{id}");
        }
        let said = checked(&with_lines(1).replace("tea-1", "tea 1"));
        assert_eq!(said, Err("sku must be 1 to 64 letters, digits and hyphens".to_owned()));
    }

    #[test]
    fn a_field_too_many_is_refused_rather_than_ignored() {
        assert!(checked(r#"{"customerId":"c-1","lines":[],"discount":99}"#).is_err());
        assert!(checked(r#"{"customerId":"c-1","lines":[{"sku":"a","quantity":1,"price":0}]}"#).is_err());
    }

    #[test]
    fn times_are_as_long_as_each_other() {
        let time = UNIX_EPOCH + Duration::from_millis(1_795_685_400_500);
        assert_eq!(timestamp(time), "2026-11-26T09:30:00Z");
        assert_eq!(days_before(time, 30), "2026-10-27T09:30:00Z");
        assert_eq!(days_before(UNIX_EPOCH, 1), "1970-01-01T00:00:00Z");
    }
}
