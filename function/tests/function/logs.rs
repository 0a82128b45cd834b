//! One flat JSON object a request.

use retrieve_user_data::{logging, table::Table};
use serde_json::Value;
use tracing::level_filters::LevelFilter;

use crate::support::{Buffer, FakeTable, Line, answer_and_lines};

/// The lines logged at `level` while `event` is answered.
async fn lines(level: LevelFilter, table: impl Table, event: &str) -> Vec<Line> {
    answer_and_lines(level, table, event).await.1
}

/// The one line, without what differs from run to run, which is checked here.
async fn line(table: impl Table, event: &str) -> String {
    let mut lines = lines(LevelFilter::INFO, table, event).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    let mut line = lines.remove(0);
    assert!(
        line.values().all(|value| !value.is_object() && !value.is_array()),
        "flat: {line:?}"
    );
    let timestamp = line.remove("timestamp").expect("a timestamp");
    let timestamp = timestamp.as_str().expect("text");
    assert!(timestamp.contains('T') && timestamp.ends_with('Z'), "{timestamp}");
    assert!(line.remove("durationMs").expect("a duration").is_u64());
    assert_eq!(line.remove("requestId"), Some("request-1".into()));
    assert_eq!(line.remove("message"), Some("request".into()));
    serde_json::to_string(&line).expect("JSON")
}

fn get(user_id: &str) -> String {
    serde_json::json!({"httpMethod": "GET", "queryStringParameters": {"userId": user_id}}).to_string()
}

#[tokio::test]
async fn a_read_says_whether_it_found_the_item() {
    let table = FakeTable::holding([]);
    assert_eq!(
        line(table.clone(), &get("1")).await,
        r#"{"found":true,"level":"INFO","status":200,"userId":"1"}"#
    );
    assert_eq!(
        line(table, &get("2")).await,
        r#"{"found":false,"level":"INFO","status":404,"userId":"2"}"#
    );
}

#[tokio::test]
async fn a_failure_is_an_error_with_its_cause() {
    let table = FakeTable::failing("ThrottlingException: Rate exceeded");
    assert_eq!(
        line(table.clone(), &get("1")).await,
        r#"{"error":"ThrottlingException: Rate exceeded","level":"ERROR","status":500,"userId":"1"}"#
    );
    assert_eq!(lines(LevelFilter::ERROR, table, &get("1")).await.len(), 1);
}

#[tokio::test]
async fn a_refusal_says_why_and_is_no_error() {
    assert_eq!(
        line(FakeTable::default(), "{}").await,
        r#"{"error":"Missing required query parameter: userId","level":"INFO","status":400}"#
    );
    assert!(lines(LevelFilter::WARN, FakeTable::default(), "{}").await.is_empty());
}

#[tokio::test]
async fn callers_cannot_forge_lines_or_fields() {
    let forged = "1\n{\"level\":\"ERROR\"}\r\u{1b}[31m\",\"found\":true,\"x\":\"";
    let line: Value = serde_json::from_str(&line(FakeTable::default(), &get(forged)).await).expect("JSON");
    assert_eq!(line["userId"], forged);
    assert_eq!(line["found"], false);
}

#[tokio::test]
async fn dependencies_do_not_log_below_info() {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let guard = tracing::subscriber::set_default(logging::subscriber(LevelFilter::TRACE, move || writer.clone()));
    tracing::trace!(target: "aws_smithy_runtime::client::orchestrator", "transmitting request");
    tracing::debug!(target: "hyper", "connected");
    tracing::trace!(target: "retrieve_user_data::handler", "ours");
    drop(guard);
    let lines = buffer.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["message"], "ours");
}
