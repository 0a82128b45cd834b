//! A request as API Gateway hands it over (REST API, payload version 1), and the answer that it wants.

use std::{collections::HashMap, time::Instant};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The parts of a request that decide the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Request {
    path_parameters: Option<HashMap<String, String>>,
    body: Option<String>,
}

impl Request {
    /// Reads a request. Never fails, which would be a 502 without CORS headers: what cannot be read is not there.
    #[must_use]
    pub fn parse(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// What stands for `{id}` in the path, decoded.
    #[must_use]
    pub fn id(&self) -> &str {
        let id = self.path_parameters.as_ref().and_then(|all| all.get("id"));
        id.map_or("", String::as_str)
    }

    /// The body's text.
    #[must_use]
    pub fn body(&self) -> &str {
        self.body.as_deref().unwrap_or_default()
    }
}

/// An answer: a status and a JSON body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body's text.
    pub body: String,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
}

impl Answer {
    /// The answer `status` with `body`.
    ///
    /// # Errors
    /// If the body can't be written as JSON.
    pub fn json(status: u16, body: &impl Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_string(body).map_err(|error| Failure::caused("writing the answer", &error))?;
        Ok(Self { status, body })
    }

    /// The answer `status`, with `{"error": message}`.
    #[must_use]
    pub fn error(status: u16, message: &str) -> Self {
        // A string can always be written.
        let body = serde_json::to_string(&ErrorBody { error: message }).unwrap_or_default();
        Self { status, body }
    }
}

/// What a Lambda proxy integration has to return. Anything of another shape becomes a 502.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    status_code: u16,
    headers: HashMap<&'static str, String>,
    body: String,
    is_base64_encoded: bool,
}

/// The response for an outcome, and the request's one log line.
///
/// A failure is a 500 whose cause is in the log alone. Each response has the CORS header: without it a browser hides
/// even the error from the page.
#[must_use]
pub fn respond(request_id: &str, started: Instant, allowed_origin: &str, outcome: Result<Answer, Failure>) -> Response {
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let answer = match outcome {
        Ok(answer) => {
            let status = answer.status;
            tracing::info!(requestId = request_id, durationMs = duration_ms, status, "request");
            answer
        }
        Err(failure) => {
            let (status, error) = (500, failure.to_string());
            tracing::error!(
                requestId = request_id,
                durationMs = duration_ms,
                status,
                error,
                "request"
            );
            Answer::error(status, "Internal server error")
        }
    };
    Response {
        status_code: answer.status,
        headers: HashMap::from([
            ("Access-Control-Allow-Origin", allowed_origin.to_owned()),
            ("Content-Type", "application/json".to_owned()),
            // Who ordered what is for no cache, and nothing but what it is said to be.
            ("Cache-Control", "no-store".to_owned()),
            ("X-Content-Type-Options", "nosniff".to_owned()),
        ]),
        body: answer.body,
        is_base64_encoded: false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn response(outcome: Result<Answer, Failure>) -> Value {
        let response = respond("r-1", Instant::now(), "https://shop.example", outcome);
        serde_json::to_value(response).expect("JSON")
    }

    #[test]
    fn what_cannot_be_read_is_not_there() {
        let request = Request::parse(r#"{"httpMethod":"GET","pathParameters":{"id":"o-1"},"body":null}"#);
        assert_eq!((request.id(), request.body()), ("o-1", ""));
        for json in [
            "",
            "null",
            "[1]",
            r#"{"pathParameters":null}"#,
            r#"{"pathParameters":{"id":1}}"#,
        ] {
            assert_eq!(Request::parse(json).id(), "", "{json}");
        }
    }

    #[test]
    fn a_response_has_the_shape_that_api_gateway_asks_for() {
        assert_eq!(
            response(Answer::json(200, &["x"])),
            json!({
                "statusCode": 200,
                "headers": {
                    "Access-Control-Allow-Origin": "https://shop.example",
                    "Content-Type": "application/json",
                    "Cache-Control": "no-store",
                    "X-Content-Type-Options": "nosniff",
                },
                "body": r#"["x"]"#,
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn a_failure_keeps_its_cause_to_itself() {
        let response = response(Err(Failure::new("arn:aws:iam::1:role/x may not")));
        assert_eq!(response["statusCode"], 500);
        assert_eq!(response["body"], r#"{"error":"Internal server error"}"#);
        assert_eq!(
            response["headers"]["Access-Control-Allow-Origin"],
            "https://shop.example"
        );
    }

    #[test]
    fn messages_are_escaped() {
        assert_eq!(Answer::error(400, "a\"\n").body, r#"{"error":"a\"\n"}"#);
    }
}
