//! The answers that the function gives, and the proxy response that API Gateway makes an HTTP response from.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::event::MAX_USER_ID_BYTES;

/// An outcome as the caller is to see it. Why something failed is not part of it: that goes to the log only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The CORS preflight's answer: the headers say it all.
    Preflight,
    /// The item, without DynamoDB's type tags.
    Found(Value),
    /// There is no item with this key.
    NotFound {
        /// The key, as asked for.
        user_id: String,
    },
    /// `userId` is absent or empty.
    MissingUserId,
    /// `userId` is longer than a DynamoDB key can be.
    UserIdTooLong,
    /// Neither GET nor HEAD nor OPTIONS.
    MethodNotAllowed,
    /// DynamoDB failed, for whatever reason.
    Failed,
}

impl Answer {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Preflight | Self::Found(_) => 200,
            Self::MissingUserId | Self::UserIdTooLong => 400,
            Self::NotFound { .. } => 404,
            Self::MethodNotAllowed => 405,
            Self::Failed => 500,
        }
    }

    /// The message under `error` in the body, if this is not a success.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        match self {
            Self::Preflight | Self::Found(_) => None,
            Self::NotFound { user_id } => Some(format!("No user found with userId: {user_id}")),
            Self::MissingUserId => Some("Missing required query parameter: userId".into()),
            Self::UserIdTooLong => Some(format!(
                "Query parameter userId is longer than {MAX_USER_ID_BYTES} bytes"
            )),
            Self::MethodNotAllowed => Some("Method not allowed".into()),
            Self::Failed => Some("Internal server error".into()),
        }
    }

    /// The body: JSON, except that a preflight has none.
    fn body(&self) -> String {
        match self {
            Self::Preflight => String::new(),
            Self::Found(item) => item.to_string(),
            other => json!({ "error": other.error() }).to_string(),
        }
    }
}

/// What a Lambda proxy integration has to return. Anything of another shape becomes a 502 without CORS headers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyResponse {
    /// The HTTP status.
    pub status_code: u16,
    /// The HTTP headers, names in their usual spelling.
    pub headers: BTreeMap<&'static str, String>,
    /// The body as text, possibly empty.
    pub body: String,
    /// Always false: the body is text.
    pub is_base64_encoded: bool,
}

impl ProxyResponse {
    /// The response that gives `answer` to scripts from `allowed_origin`, and to no others.
    ///
    /// Every response has the CORS headers, for without them a browser hides even the error from the page.
    #[must_use]
    pub fn new(answer: &Answer, allowed_origin: &str) -> Self {
        let mut headers = BTreeMap::from([
            ("Access-Control-Allow-Origin", allowed_origin.to_owned()),
            ("Access-Control-Allow-Methods", "GET,OPTIONS".to_owned()),
            ("Access-Control-Allow-Headers", "Content-Type,Authorization".to_owned()),
            // Names and addresses of people: in no cache, and nothing but what they are said to be.
            ("Cache-Control", "no-store".to_owned()),
            ("X-Content-Type-Options", "nosniff".to_owned()),
        ]);
        if matches!(answer, Answer::MethodNotAllowed) {
            headers.insert("Allow", "GET,OPTIONS".to_owned());
        }
        let body = answer.body();
        if !body.is_empty() {
            headers.insert("Content-Type", "application/json".to_owned());
        }
        Self {
            status_code: answer.status(),
            headers,
            body,
            is_base64_encoded: false,
        }
    }

    /// The same for HEAD: status and headers as for GET, no body.
    #[must_use]
    pub fn without_body(mut self) -> Self {
        self.body.clear();
        self.headers.remove("Content-Type");
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://d111.cloudfront.net";

    fn as_json(answer: &Answer) -> Value {
        serde_json::to_value(ProxyResponse::new(answer, ORIGIN)).expect("a response is JSON")
    }

    #[test]
    fn a_response_has_the_shape_that_api_gateway_asks_for() {
        assert_eq!(
            as_json(&Answer::Found(json!({"userId": "1"}))),
            json!({
                "statusCode": 200,
                "headers": {
                    "Access-Control-Allow-Origin": ORIGIN,
                    "Access-Control-Allow-Methods": "GET,OPTIONS",
                    "Access-Control-Allow-Headers": "Content-Type,Authorization",
                    "Cache-Control": "no-store",
                    "X-Content-Type-Options": "nosniff",
                    "Content-Type": "application/json",
                },
                "body": r#"{"userId":"1"}"#,
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn a_preflight_has_no_body_and_so_no_content_type() {
        assert_eq!(
            as_json(&Answer::Preflight),
            json!({
                "statusCode": 200,
                "headers": {
                    "Access-Control-Allow-Origin": ORIGIN,
                    "Access-Control-Allow-Methods": "GET,OPTIONS",
                    "Access-Control-Allow-Headers": "Content-Type,Authorization",
                    "Cache-Control": "no-store",
                    "X-Content-Type-Options": "nosniff",
                },
                "body": "",
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn each_error_has_its_status_and_exact_body() {
        let rows = [
            (
                Answer::MissingUserId,
                400,
                r#"{"error":"Missing required query parameter: userId"}"#,
            ),
            (
                Answer::UserIdTooLong,
                400,
                r#"{"error":"Query parameter userId is longer than 2048 bytes"}"#,
            ),
            (
                Answer::NotFound { user_id: "9".into() },
                404,
                r#"{"error":"No user found with userId: 9"}"#,
            ),
            (Answer::MethodNotAllowed, 405, r#"{"error":"Method not allowed"}"#),
            (Answer::Failed, 500, r#"{"error":"Internal server error"}"#),
        ];
        for (answer, status, body) in rows {
            let response = ProxyResponse::new(&answer, ORIGIN);
            assert_eq!((response.status_code, response.body.as_str()), (status, body));
            assert_eq!(response.headers["Content-Type"], "application/json");
            assert_eq!(response.headers["Access-Control-Allow-Origin"], ORIGIN);
            let allow = response.headers.get("Allow").map(String::as_str);
            assert_eq!(allow, (status == 405).then_some("GET,OPTIONS"));
        }
    }

    #[test]
    fn the_key_is_escaped_in_the_not_found_message() {
        let response = ProxyResponse::new(
            &Answer::NotFound {
                user_id: "a\"\\\n</script>\u{1}é".into(),
            },
            ORIGIN,
        );
        assert_eq!(
            response.body,
            r#"{"error":"No user found with userId: a\"\\\n</script>\u0001é"}"#
        );
    }

    #[test]
    fn a_head_response_keeps_status_and_cors() {
        let get = ProxyResponse::new(&Answer::Failed, ORIGIN);
        let head = get.clone().without_body();
        assert_eq!((head.status_code, head.body.as_str()), (500, ""));
        assert!(!head.headers.contains_key("Content-Type"));
        assert_eq!(head.headers.len(), get.headers.len() - 1);
    }
}
