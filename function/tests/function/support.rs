//! A table without a network, and what every response must have.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_sdk_dynamodb::types::AttributeValue;
use retrieve_user_data::{
    handler::Handler,
    item::Item,
    logging,
    response::ProxyResponse,
    table::{Table, TableError},
};
use serde_json::Value;
use tracing::level_filters::LevelFilter;

pub(crate) const ORIGIN: &str = "https://d111111abcdef8.cloudfront.net";

/// A table that holds some items, or always fails, and counts how often it is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeTable {
    items: HashMap<String, Item>,
    failure: Option<String>,
    pub(crate) reads: Arc<AtomicUsize>,
}

impl FakeTable {
    /// Holds the item with the key `1` that every stage is seeded with, and `more`.
    pub(crate) fn holding(more: impl IntoIterator<Item = Item>) -> Self {
        let seeded = item([("userId", "1"), ("name", "Test User"), ("email", "test@example.com")]);
        let items = more.into_iter().chain([seeded]).map(|item| {
            let key = item["userId"].as_s().expect("a string key").clone();
            (key, item)
        });
        Self {
            items: items.collect(),
            ..Self::default()
        }
    }

    pub(crate) fn failing(cause: &str) -> Self {
        Self {
            failure: Some(cause.to_owned()),
            ..Self::default()
        }
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

impl Table for FakeTable {
    async fn get(&self, user_id: &str) -> Result<Option<Item>, TableError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        match &self.failure {
            Some(cause) => Err(TableError::new(cause.clone())),
            None => Ok(self.items.get(user_id).cloned()),
        }
    }
}

/// An item of string attributes.
pub(crate) fn item<const N: usize>(attributes: [(&str, &str); N]) -> Item {
    attributes
        .map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())))
        .into()
}

/// Answers `event` from `table`, and checks what must hold for every response.
pub(crate) async fn answer(table: impl Table, event: &str) -> ProxyResponse {
    let response = Handler::new(table, ORIGIN).handle("request-1", event).await;
    assert_well_formed(&response);
    response
}

/// A log line: its fields by name.
pub(crate) type Line = BTreeMap<String, Value>;

/// What was logged, kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    pub(crate) fn lines(&self) -> Vec<Line> {
        let bytes = self.0.lock().expect("no writer panicked").clone();
        let text = String::from_utf8(bytes).expect("UTF-8");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a JSON object"))
            .collect()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panicked").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same, with the lines that are logged at `level` meanwhile.
pub(crate) async fn answer_and_lines(level: LevelFilter, table: impl Table, event: &str) -> (ProxyResponse, Vec<Line>) {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let guard = tracing::subscriber::set_default(logging::subscriber(level, move || writer.clone()));
    let response = answer(table, event).await;
    drop(guard);
    (response, buffer.lines())
}

/// API Gateway accepts the response, and a browser lets the page see it.
#[track_caller]
pub(crate) fn assert_well_formed(response: &ProxyResponse) {
    let json = serde_json::to_value(response).expect("a response is JSON");
    let object = json.as_object().expect("an object");
    assert_eq!(object.len(), 4);
    assert_eq!(object["isBase64Encoded"], Value::Bool(false));
    let status = object["statusCode"].as_u64().expect("a status");
    assert!([200, 400, 404, 405, 500].contains(&status), "{status}");

    let headers = object["headers"].as_object().expect("headers");
    assert_eq!(headers["Access-Control-Allow-Origin"], ORIGIN);
    assert_eq!(headers["Access-Control-Allow-Methods"], "GET,OPTIONS");
    assert_eq!(headers["Access-Control-Allow-Headers"], "Content-Type,Authorization");
    assert!(headers.values().all(Value::is_string));

    let body = object["body"].as_str().expect("a body that is text");
    assert_eq!(headers.contains_key("Content-Type"), !body.is_empty());
    if !body.is_empty() {
        assert_eq!(headers["Content-Type"], "application/json");
        let body: serde_json::Map<String, Value> = serde_json::from_str(body).expect("a JSON object");
        if status != 200 {
            assert_eq!(body.keys().collect::<Vec<_>>(), ["error"]);
            assert!(body["error"].is_string());
        }
    }
}
