//! The part of API Gateway's proxy event (REST API, payload version 1) that decides the answer.
//!
//! An event that cannot be read would be a failed invocation: a 502 without CORS headers for the caller and an alarm
//! for the owner. So reading never fails; whatever is missing, null or of an unexpected type counts as not there.
//!
//! It reads raw JSON and not `serde_json::Value` for the same reason. With exact numbers (`arbitrary_precision`),
//! `Value` gives a special meaning to objects with a key `$serde_json::private::Number` and refuses them, and a query
//! string is such an object with keys that any caller chooses. `Value` also refuses nesting beyond 128 levels.

use std::collections::HashMap;

use serde_json::value::RawValue;

/// The longest key that DynamoDB takes, in bytes of UTF-8: a longer `userId` cannot exist, so it is not looked up.
pub const MAX_USER_ID_BYTES: usize = 2048;

/// The request's method, as far as answers differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Also an event without a method: test events from the console or the CLI often carry only the query, and
    /// reading is all that this function does.
    Get,
    /// Answered as GET, without the body.
    Head,
    /// The CORS preflight. API Gateway answers it itself; this is for whoever calls the function another way.
    Options,
    /// Everything else, refused.
    Other,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The method.
    pub method: Method,
    /// The query parameter `userId`, decoded by API Gateway; may be empty. Its name is case-sensitive, as API Gateway's is.
    pub user_id: Option<String>,
}

/// What to do about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Read the item with this key, which DynamoDB will accept.
    LookUp(String),
    /// Answer the CORS preflight.
    Preflight,
    /// Refuse: `userId` is absent or empty.
    MissingUserId,
    /// Refuse: `userId` is longer than [`MAX_USER_ID_BYTES`].
    UserIdTooLong,
    /// Refuse: only reading is possible here.
    MethodNotAllowed,
}

impl Event {
    /// Reads an event from JSON text. Never fails: what cannot be read is not there.
    #[must_use]
    pub fn parse(json: &str) -> Self {
        let event = fields(json);
        let method = event.get("httpMethod").and_then(|value| text(value));
        let single = event
            .get("queryStringParameters")
            .and_then(|query| text(fields(query.get()).get("userId")?));
        // API Gateway fills both; of several values it puts the last into `queryStringParameters`.
        let last_of_multi = || {
            let query = event.get("multiValueQueryStringParameters")?;
            let values: Vec<&RawValue> = serde_json::from_str(fields(query.get()).get("userId")?.get()).ok()?;
            values.into_iter().rev().find_map(text)
        };
        Self {
            method: Method::named(method.as_deref()),
            user_id: single.or_else(last_of_multi),
        }
    }

    /// Decides what to do. The method comes first: a preflight has no `userId`, and a POST is wrong with or without one.
    #[must_use]
    pub fn decide(self) -> Decision {
        match (self.method, self.user_id) {
            (Method::Options, _) => Decision::Preflight,
            (Method::Other, _) => Decision::MethodNotAllowed,
            (Method::Get | Method::Head, Some(id)) if id.len() > MAX_USER_ID_BYTES => Decision::UserIdTooLong,
            (Method::Get | Method::Head, Some(id)) if !id.is_empty() => Decision::LookUp(id),
            (Method::Get | Method::Head, _) => Decision::MissingUserId,
        }
    }
}

impl Method {
    /// Case is ignored for the sake of test events typed by hand.
    fn named(name: Option<&str>) -> Self {
        match name.map(str::to_ascii_uppercase).as_deref() {
            None | Some("GET") => Self::Get,
            Some("HEAD") => Self::Head,
            Some("OPTIONS") => Self::Options,
            Some(_) => Self::Other,
        }
    }
}

/// The fields of an object, unparsed; none if the text is anything else. Of repeated keys the last counts.
fn fields(json: &str) -> HashMap<String, &RawValue> {
    serde_json::from_str(json).unwrap_or_default()
}

/// The value, if it is a string.
fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_id(json: &str) -> Option<String> {
        Event::parse(json).user_id
    }

    fn decide(json: &str) -> Decision {
        Event::parse(json).decide()
    }

    #[test]
    fn a_get_with_a_user_id_is_looked_up() {
        let json = r#"{"httpMethod":"GET","path":"/users","queryStringParameters":{"userId":"42","x":null}}"#;
        assert_eq!(decide(json), Decision::LookUp("42".into()));
        assert_eq!(decide(&json.replace("GET", "HEAD")), Decision::LookUp("42".into()));
        assert_eq!(decide(&json.replace("GET", "get")), Decision::LookUp("42".into()));
    }

    #[test]
    fn an_absent_or_empty_user_id_is_refused() {
        for query in [
            "null",
            "{}",
            r#"{"userId":null}"#,
            r#"{"userId":""}"#,
            r#"{"userid":"1"}"#,
            "[1]",
            r#""userId""#,
        ] {
            let json = format!(r#"{{"httpMethod":"GET","queryStringParameters":{query}}}"#);
            assert_eq!(decide(&json), Decision::MissingUserId, "{json}");
        }
        assert_eq!(decide(r#"{"httpMethod":"GET"}"#), Decision::MissingUserId);
    }

    #[test]
    fn the_limit_counts_bytes_and_includes_its_end() {
        let json = |id: &str| format!(r#"{{"queryStringParameters":{{"userId":"{id}"}}}}"#);
        let longest = "é".repeat(MAX_USER_ID_BYTES / 2);
        assert_eq!(decide(&json(&longest)), Decision::LookUp(longest.clone()));
        assert_eq!(decide(&json(&format!("{longest}x"))), Decision::UserIdTooLong);
    }

    #[test]
    fn the_method_comes_before_the_user_id() {
        assert_eq!(decide(r#"{"httpMethod":"OPTIONS"}"#), Decision::Preflight);
        assert_eq!(
            decide(r#"{"httpMethod":"OPTIONS","path":"/any","queryStringParameters":{"userId":"1"}}"#),
            Decision::Preflight
        );
        for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "", "GETS"] {
            let json = format!(r#"{{"httpMethod":"{method}","queryStringParameters":{{"userId":"1"}}}}"#);
            assert_eq!(decide(&json), Decision::MethodNotAllowed, "{method}");
        }
    }

    #[test]
    fn an_event_without_a_method_is_a_get() {
        assert_eq!(
            decide(r#"{"queryStringParameters":{"userId":"1"}}"#),
            Decision::LookUp("1".into())
        );
        assert_eq!(
            decide(r#"{"httpMethod":null,"queryStringParameters":{"userId":"1"}}"#),
            Decision::LookUp("1".into())
        );
        assert_eq!(decide("{}"), Decision::MissingUserId);
    }

    #[test]
    fn the_multi_value_form_is_the_fallback() {
        let multi = r#"{"multiValueQueryStringParameters":{"userId":["1","2",null]}}"#;
        assert_eq!(user_id(multi).as_deref(), Some("2"));
        let null = r#"{"queryStringParameters":null,"multiValueQueryStringParameters":{"userId":["3"]}}"#;
        assert_eq!(user_id(null).as_deref(), Some("3"));
        let both = r#"{"queryStringParameters":{"userId":""},"multiValueQueryStringParameters":{"userId":["1",""]}}"#;
        assert_eq!(user_id(both).as_deref(), Some(""), "empty is not absent");
        for values in ["[]", "null", "{}", r#""4""#, "[1]", "[[\"5\"]]"] {
            let json = format!(r#"{{"multiValueQueryStringParameters":{{"userId":{values}}}}}"#);
            assert_eq!(user_id(&json), None, "{json}");
        }
    }

    #[test]
    fn keys_that_mean_something_to_the_parser_mean_nothing_here() {
        for key in ["$serde_json::private::Number", "$serde_json::private::RawValue"] {
            let json = format!(
                r#"{{"httpMethod":"GET","queryStringParameters":{{"{key}":"x","userId":"1"}},"headers":{{"{key}":"x"}},"{key}":"x"}}"#
            );
            assert_eq!(decide(&json), Decision::LookUp("1".into()), "{key}");
        }
    }

    #[test]
    fn any_other_text_is_an_event_that_says_nothing() {
        let deep = "[".repeat(100_000);
        for json in [
            "",
            "null",
            "true",
            "0",
            "[]",
            "\"GET\"",
            "{",
            "{\"httpMethod\":",
            deep.as_str(),
        ] {
            assert_eq!(
                Event::parse(json),
                Event {
                    method: Method::Get,
                    user_id: None
                }
            );
        }
    }

    #[test]
    fn deep_nesting_elsewhere_in_the_event_does_no_harm() {
        let (open, close) = ("[".repeat(5_000), "]".repeat(5_000));
        let json = format!(r#"{{"requestContext":{open}{close},"queryStringParameters":{{"userId":"1"}}}}"#);
        assert_eq!(decide(&json), Decision::LookUp("1".into()));
    }
}
