//! One flat JSON object a request.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::{Arc, Mutex},
};

use retrieve_user_data::{handler::Handler, logging, table::Table};
use serde_json::Value;
use tracing::level_filters::LevelFilter;

use crate::support::{FakeTable, ORIGIN};

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panicked").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines logged at `level` while `event` is answered.
async fn lines(level: LevelFilter, table: impl Table, event: &str) -> Vec<BTreeMap<String, Value>> {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let guard = tracing::subscriber::set_default(logging::subscriber(level, move || writer.clone()));
    Handler::new(table, ORIGIN).handle("request-1", event).await;
    drop(guard);
    let bytes = buffer.0.lock().expect("no writer panicked").clone();
    let text = String::from_utf8(bytes).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object"))
        .collect()
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
    let _guard = tracing::subscriber::set_default(logging::subscriber(LevelFilter::TRACE, move || writer.clone()));
    tracing::trace!(target: "aws_smithy_runtime::client::orchestrator", "transmitting request");
    tracing::debug!(target: "hyper", "connected");
    tracing::trace!(target: "retrieve_user_data::handler", "ours");
    let bytes = buffer.0.lock().expect("no writer panicked").clone();
    let text = String::from_utf8(bytes).expect("UTF-8");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("ours"));
}
