//! What a line of a function's log says: its level, its message, the invocation that it is of, and what Lambda's own lines
//! report. Both formats that Lambda has, and those of the loggers that are usual in its runtimes.
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::clock::of_rfc3339;
use crate::report::{Level, Report};

/// What a line says.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// Its level, if it has one.
    pub level: Option<Level>,
    /// In words.
    pub message: String,
    /// What a JSON line says beside.
    pub fields: Vec<(String, String)>,
    /// The invocation that it is of.
    pub request_id: Option<String>,
    /// A JSON line as it is.
    pub record: Option<Value>,
    /// What it reports of an invocation.
    pub report: Option<Report>,
    /// Whether it is one of Lambda's own that says nothing which another doesn't say as well.
    pub is_noise: bool,
    role: Role,
}

/// What a line means for those around it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Role {
    #[default]
    Own,
    /// An invocation begins.
    Start,
    /// It is over, and so is what is said of it.
    End,
    /// Anything else that Lambda says.
    Platform,
    /// A panic begins; what it says follows in lines of its own.
    Panic,
}

/// As many lines as the longest backtrace may have.
const LONGEST_PANIC: usize = 300;

/// What was read of streams so far. An environment has a stream, and works on one invocation at a time: what stands between
/// its beginning and its end is of it.
#[derive(Debug, Default)]
pub(crate) struct Streams(HashMap<String, Stream>);

#[derive(Debug, Default)]
struct Stream {
    request_id: Option<String>,
    /// Lines that may still be of a panic.
    panic: usize,
}

impl Streams {
    /// What the next line of a stream says.
    pub(crate) fn entry(&mut self, stream: &str, text: &str) -> Entry {
        let mut entry = parse(text);
        if !self.0.contains_key(stream) {
            self.0.insert(stream.to_owned(), Stream::default());
        }
        let Some(state) = self.0.get_mut(stream) else {
            return entry;
        };
        match entry.role {
            Role::Panic => state.panic = LONGEST_PANIC,
            Role::Own if entry.level.is_none() && entry.record.is_none() && state.panic > 0 => {
                entry.level = Some(Level::Error);
                state.panic -= 1;
            }
            _ => state.panic = 0,
        }
        match &entry.request_id {
            Some(id) if entry.role != Role::Platform => state.request_id = Some(id.clone()),
            Some(_) => {}
            None if entry.role != Role::Platform => entry.request_id.clone_from(&state.request_id),
            None => {}
        }
        if entry.role == Role::End {
            self.0.remove(stream);
        }
        entry
    }
}

fn parse(text: &str) -> Entry {
    let text = text.trim_end_matches(['\n', '\r']);
    if text.trim_start().starts_with('{')
        && let Ok(Value::Object(map)) = serde_json::from_str::<Value>(text)
    {
        return of_json(map);
    }
    of_text(text)
}

// ---- JSON ----

fn of_json(map: Map<String, Value>) -> Entry {
    let kind = map.get("type").and_then(Value::as_str);
    if let (Some(kind), Some(record)) = (
        kind.and_then(|kind| kind.strip_prefix("platform.")),
        map.get("record").and_then(Value::as_object),
    ) {
        return Entry {
            record: Some(Value::Object(map.clone())),
            ..of_platform(kind, record)
        };
    }
    let inner = map.get("fields").and_then(Value::as_object);
    let text_of = |names: &[&str]| {
        let own = names.iter().find_map(|name| map.get(*name));
        own.or_else(|| names.iter().find_map(|name| inner?.get(*name)))
    };
    let level = ["level", "severity", "lvl", "log.level"]
        .iter()
        .find_map(|name| level_of(map.get(*name)?));
    let said = text_of(MESSAGES);
    let mut fields = Vec::new();
    let message = match said {
        Some(Value::String(text)) => text.clone(),
        // As Lambda's Node.js runtime writes errors.
        Some(Value::Object(error)) if error.contains_key("errorMessage") || error.contains_key("errorType") => {
            add_fields(&mut fields, error, &["errorType", "errorMessage"], "");
            error_text(error)
        }
        Some(other) => other.to_string(),
        None if map.contains_key("errorMessage") => error_text(&map),
        None => String::new(),
    };
    let spans = map.get("spans").and_then(Value::as_array);
    let repeats_span = spans.and_then(|spans| spans.last()) == map.get("span");
    for (name, value) in &map {
        match (name.as_str(), value) {
            ("timestamp" | "time" | "ts" | "@timestamp" | "level" | "severity" | "lvl" | "log.level", _) => {}
            (name, _) if MESSAGES.contains(&name) => {}
            ("errorType" | "errorMessage", _) if said.is_none() => {}
            ("fields", Value::Object(inner)) => add_fields(&mut fields, inner, MESSAGES, ""),
            ("span", Value::Object(span)) => add_fields(&mut fields, span, &[], "span."),
            ("spans", _) if repeats_span => {}
            (name, value) => fields.push((name.to_owned(), shown(value))),
        }
    }
    Entry {
        level,
        message,
        fields,
        request_id: request_of(&map),
        record: Some(Value::Object(map)),
        ..Entry::default()
    }
}

/// What messages are called in JSON lines.
const MESSAGES: &[&str] = &["message", "msg"];

/// What the invocation's id is called in them.
const REQUESTS: &[&str] = &[
    "requestId",
    "request_id",
    "AWSRequestId",
    "awsRequestId",
    "aws_request_id",
    "function_request_id",
];

fn request_of(map: &Map<String, Value>) -> Option<String> {
    let places = [
        Some(map),
        map.get("fields").and_then(Value::as_object),
        map.get("span").and_then(Value::as_object),
    ];
    let found = places
        .into_iter()
        .flatten()
        .find_map(|map| REQUESTS.iter().find_map(|name| map.get(*name)?.as_str()));
    found.map(str::to_owned)
}

fn add_fields(fields: &mut Vec<(String, String)>, map: &Map<String, Value>, but: &[&str], prefix: &str) {
    let others = map.iter().filter(|(name, _)| !but.contains(&name.as_str()));
    fields.extend(others.map(|(name, value)| (format!("{prefix}{name}"), shown(value))));
}

fn error_text(error: &Map<String, Value>) -> String {
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    match (text("errorType"), text("errorMessage")) {
        ("", message) => message.to_owned(),
        (kind, "") => kind.to_owned(),
        (kind, message) => format!("{kind}: {message}"),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A level by its name, or by the number that pino and bunyan have for it.
fn level_of(value: &Value) -> Option<Level> {
    match value {
        Value::String(name) => level_named(name),
        Value::Number(number) => match number.as_u64()? {
            0..=10 => Some(Level::Trace),
            11..=20 => Some(Level::Debug),
            21..=30 => Some(Level::Info),
            31..=40 => Some(Level::Warn),
            _ => Some(Level::Error),
        },
        _ => None,
    }
}

fn level_named(name: &str) -> Option<Level> {
    match name.to_ascii_uppercase().as_str() {
        "TRACE" => Some(Level::Trace),
        "DEBUG" => Some(Level::Debug),
        "INFO" | "INFORMATION" | "NOTICE" => Some(Level::Info),
        "WARN" | "WARNING" => Some(Level::Warn),
        "ERROR" | "FATAL" | "CRITICAL" | "SEVERE" => Some(Level::Error),
        _ => None,
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>
fn of_platform(kind: &str, record: &Map<String, Value>) -> Entry {
    let text = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
    let metrics = record.get("metrics").and_then(Value::as_object);
    let metric = |name: &str| metrics.and_then(|metrics| metrics.get(name)?.as_f64());
    let message = Value::Object(record.clone()).to_string();
    let entry = Entry {
        message: format!("{kind} {message}"),
        request_id: text("requestId"),
        is_noise: true,
        role: Role::Platform,
        ..Entry::default()
    };
    let (status, error_type) = (text("status"), text("errorType"));
    match kind {
        "start" => Entry {
            role: Role::Start,
            ..entry
        },
        "report" => reported(
            entry,
            Report {
                duration_ms: metric("durationMs"),
                billed_duration_ms: metric("billedDurationMs"),
                memory_size_mb: metric("memorySizeMB"),
                max_memory_used_mb: metric("maxMemoryUsedMB"),
                init_duration_ms: metric("initDurationMs"),
                cold_start: metric("initDurationMs").is_some(),
                status,
                error_type,
            },
            Role::End,
        ),
        "initReport" => reported(
            entry,
            Report {
                init_duration_ms: metric("durationMs"),
                cold_start: true,
                status,
                error_type,
                ..Report::default()
            },
            Role::Platform,
        ),
        // Nobody else says these.
        "logsDropped" | "fault" => Entry {
            level: Some(Level::Warn),
            is_noise: false,
            ..entry
        },
        _ => entry,
    }
}

fn reported(entry: Entry, report: Report, role: Role) -> Entry {
    Entry {
        level: report.has_failed().then_some(Level::Error),
        report: Some(report),
        is_noise: false,
        role,
        ..entry
    }
}

// ---- text ----

fn of_text(text: &str) -> Entry {
    let entry = Entry {
        message: text.to_owned(),
        ..Entry::default()
    };
    let id_of = |rest: &str| rest.split_whitespace().next().map(str::to_owned);
    let platform = |request_id, role| Entry {
        message: text.to_owned(),
        request_id,
        is_noise: true,
        role,
        ..Entry::default()
    };
    if let Some(rest) = text.strip_prefix("START RequestId: ") {
        return platform(id_of(rest), Role::Start);
    }
    if let Some(rest) = text.strip_prefix("END RequestId: ") {
        return platform(id_of(rest), Role::Own);
    }
    if let Some(rest) = text.strip_prefix("REPORT RequestId: ") {
        let entry = platform(id_of(rest), Role::End);
        return reported(entry, report_of_text(rest), Role::End);
    }
    if let Some(rest) = text.strip_prefix("INIT_REPORT ") {
        let report = Report {
            cold_start: true,
            ..report_of_text(rest)
        };
        return reported(platform(None, Role::Platform), report, Role::Platform);
    }
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
    if begins(&["INIT_START ", "EXTENSION\t", "LOGS\tName: ", "TELEMETRY\tName: "]) {
        return platform(None, Role::Platform);
    }
    if is_panic(text) {
        return Entry {
            level: Some(Level::Error),
            role: Role::Panic,
            ..entry
        };
    }
    // As Lambda tells that an environment has ended: `RequestId: … Error: Runtime exited with error: exit status 101`.
    if let Some(rest) = text.strip_prefix("RequestId: ")
        && rest.contains(" Error: ")
    {
        return Entry {
            level: Some(Level::Error),
            request_id: id_of(rest),
            ..entry
        };
    }
    of_logger(text).unwrap_or(entry)
}

/// `thread 'main' panicked at src/main.rs:5:9:`, since Rust 1.92 with the thread's number before `panicked`.
fn is_panic(text: &str) -> bool {
    text.starts_with("thread '") && text.contains(" panicked at ")
}

/// `Duration: 1.23 ms`, parted by tabs; `XRAY TraceId` and `Status` may stand in a line of their own.
fn report_of_text(text: &str) -> Report {
    let mut report = Report::default();
    for part in text.split(['\t', '\n']) {
        let Some((name, value)) = part.split_once(": ") else {
            continue;
        };
        let number = || value.split_whitespace().next()?.parse::<f64>().ok();
        match name.trim() {
            "Duration" => report.duration_ms = number(),
            "Billed Duration" => report.billed_duration_ms = number(),
            "Memory Size" => report.memory_size_mb = number(),
            "Max Memory Used" => report.max_memory_used_mb = number(),
            "Init Duration" => {
                report.init_duration_ms = number();
                report.cold_start = true;
            }
            "Status" => report.status = Some(value.trim().to_owned()),
            "Error Type" => report.error_type = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    report
}

/// Lines of loggers that begin with a time and a level in some order.
fn of_logger(text: &str) -> Option<Entry> {
    let level_in_brackets = |text: &str| level_named(text.strip_prefix('[')?.strip_suffix(']')?);
    let entry = |level, request_id: Option<&str>, message: &str| Entry {
        level: Some(level),
        message: message.to_owned(),
        request_id: request_id.map(str::to_owned),
        ..Entry::default()
    };
    let is_time = |text: &str| text.len() >= 20 && of_rfc3339(text).is_some();
    let is_id = |text: &str| text.len() == 36 && text.split('-').count() == 5;
    // Node.js: `time \t id \t level \t message`; Python: `[level] \t time \t id \t message`.
    let parts: Vec<&str> = text.splitn(4, '\t').collect();
    if let [first, second, third, message] = *parts {
        if is_time(first)
            && let Some(level) = level_named(third.trim())
        {
            return Some(entry(level, Some(second).filter(|id| is_id(id)), message));
        }
        if is_time(second)
            && let Some(level) = level_in_brackets(first)
        {
            return Some(entry(level, Some(third).filter(|id| is_id(id)), message));
        }
    }
    let (first, rest) = text.split_once(char::is_whitespace)?;
    if let Some(level) = level_in_brackets(first) {
        return Some(entry(level, None, rest.trim_start()));
    }
    if !is_time(first) {
        return None;
    }
    let (second, message) = rest.trim_start().split_once(char::is_whitespace)?;
    // Rust's tracing: `time level target: message`; Lambda itself: `time id Task timed out after 3.00 seconds`.
    match level_named(second) {
        Some(level) => Some(entry(level, None, message.trim_start())),
        None if is_id(second) && message.starts_with("Task timed out") => {
            Some(entry(Level::Error, Some(second), message))
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8f507cfc-1234-4697-b07a-ac58fc914c95";

    fn field(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn tracing_is_read_flat_and_nested() {
        let nested = format!(
            r#"{{"timestamp":"2026-01-01T00:00:00Z","level":"INFO","fields":{{"message":"found it","userId":"1"}},"target":"app","span":{{"requestId":"{ID}","name":"run"}},"spans":[{{"requestId":"{ID}","name":"run"}}]}}"#
        );
        let entry = parse(&nested);
        assert_eq!((entry.level, entry.message.as_str()), (Some(Level::Info), "found it"));
        assert_eq!(entry.request_id.as_deref(), Some(ID));
        assert_eq!(
            entry.fields,
            [
                field("userId", "1"),
                field("target", "app"),
                field("span.requestId", ID),
                field("span.name", "run")
            ]
        );
        let entry = parse(r#"{"level":"warn","msg":"slow","durationMs":1.50,"deep":{"a":[1]}}"#);
        assert_eq!((entry.level, entry.message.as_str()), (Some(Level::Warn), "slow"));
        assert_eq!(
            entry.fields,
            [field("durationMs", "1.50"), field("deep", r#"{"a":[1]}"#)]
        );
    }

    #[test]
    fn errors_of_runtimes_are_sentences() {
        let entry = parse(
            r#"{"timestamp":"t","level":"ERROR","requestId":"r","message":{"errorType":"TypeError","errorMessage":"no","stackTrace":["a"]}}"#,
        );
        assert_eq!(entry.message, "TypeError: no");
        assert!(
            entry.fields.contains(&field("stackTrace", "[\"a\"]")),
            "{:?}",
            entry.fields
        );
        assert_eq!(entry.request_id.as_deref(), Some("r"));
        let entry = parse(&format!(
            "RequestId: {ID} Error: Runtime exited with error: exit status 101"
        ));
        assert_eq!(
            (entry.level, entry.request_id.as_deref()),
            (Some(Level::Error), Some(ID))
        );
    }

    #[test]
    fn an_invocations_end_is_read_in_both_formats() {
        let text = format!(
            "REPORT RequestId: {ID}\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\t\
             Init Duration: 99.5 ms\t\nXRAY TraceId: 1-x\tStatus: timeout\n"
        );
        let json = format!(
            r#"{{"time":"t","type":"platform.report","record":{{"requestId":"{ID}","status":"timeout","metrics":{{"durationMs":12.34,"billedDurationMs":13,"memorySizeMB":128,"maxMemoryUsedMB":40,"initDurationMs":99.5}}}}}}"#
        );
        let expected = Report {
            duration_ms: Some(12.34),
            billed_duration_ms: Some(13.0),
            memory_size_mb: Some(128.0),
            max_memory_used_mb: Some(40.0),
            init_duration_ms: Some(99.5),
            cold_start: true,
            status: Some("timeout".to_owned()),
            error_type: None,
        };
        for line in [text, json] {
            let entry = parse(&line);
            assert_eq!(entry.report.as_ref(), Some(&expected), "{line}");
            assert_eq!(
                (entry.level, entry.request_id.as_deref()),
                (Some(Level::Error), Some(ID))
            );
            assert!(!entry.is_noise);
        }
        let failed =
            parse("INIT_REPORT Init Duration: 4.1 ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError");
        let report = failed.report.expect("one");
        assert!(report.has_failed() && report.cold_start, "{report:?}");
        assert_eq!(report.error_type.as_deref(), Some("Runtime.ExitError"));
        for noise in [
            "INIT_START Runtime Version: provided:al2023.v1\tRuntime Version ARN: arn:x",
            r#"{"time":"t","type":"platform.runtimeDone","record":{"requestId":"x","status":"success"}}"#,
        ] {
            let entry = parse(noise);
            assert!(entry.is_noise && entry.report.is_none(), "{noise}");
        }
    }

    #[test]
    fn loggers_lines_have_their_levels() {
        for (line, level, message, id) in [
            (
                format!("2026-01-01T00:00:00.123Z\t{ID}\tWARN\tslow\tly"),
                Level::Warn,
                "slow\tly",
                Some(ID),
            ),
            (
                format!("[ERROR]\t2026-01-01T00:00:00.123Z\t{ID}\tbad"),
                Level::Error,
                "bad",
                Some(ID),
            ),
            ("[INFO] fine".to_owned(), Level::Info, "fine", None),
            (
                "2026-01-01T00:00:00.123456Z  INFO app: hello".to_owned(),
                Level::Info,
                "app: hello",
                None,
            ),
            (
                format!("2026-01-01T00:00:00.123Z {ID} Task timed out after 3.00 seconds"),
                Level::Error,
                "Task timed out after 3.00 seconds",
                Some(ID),
            ),
        ] {
            let entry = parse(&line);
            assert_eq!(entry.level, Some(level), "{line}");
            assert_eq!((entry.message.as_str(), entry.request_id.as_deref()), (message, id));
        }
        for plain in ["hello", "ERROR in my poem", "", "{not json", "2026 was fine"] {
            let entry = parse(plain);
            assert_eq!((entry.level, entry.message.as_str()), (None, plain));
        }
    }

    #[test]
    fn a_panic_is_an_error_with_all_its_lines_and_of_its_invocation() {
        let mut streams = Streams::default();
        let start = format!("START RequestId: {ID} Version: $LATEST");
        let report = format!("REPORT RequestId: {ID}\tDuration: 1 ms");
        let lines = [
            (start.as_str(), None),
            ("before", None),
            ("thread 'main' (7) panicked at src/main.rs:5:9:", Some(Level::Error)),
            ("oh no", Some(Level::Error)),
            (
                "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
                Some(Level::Error),
            ),
            (r#"{"level":"INFO","message":"goes on"}"#, Some(Level::Info)),
            ("after", None),
            (report.as_str(), None),
        ];
        for (line, level) in lines {
            let entry = streams.entry("s", line);
            assert_eq!(entry.level, level, "{line}");
            assert_eq!(entry.request_id.as_deref(), Some(ID), "{line}");
            // Another environment's lines between them are another's.
            assert_eq!(streams.entry("other", "x").request_id, None);
        }
        assert_eq!(streams.entry("s", "next").request_id, None);
        let one = streams.0.len();
        assert!(one <= 2, "what is over is forgotten");
    }
}
