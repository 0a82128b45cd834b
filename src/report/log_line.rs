//! A line of a function's log: as programs get it, and as people read it.

use anstyle::AnsiColor;
use serde::Serialize;
use serde_json::Value;

use super::Paint;

/// How much a line matters, as whoever wrote it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    /// In five characters, so that what follows stands below one another.
    fn name(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO ",
            Self::Warn => "WARN ",
            Self::Error => "ERROR",
        }
    }

    fn painted(self, paint: &Paint) -> String {
        match self {
            Self::Trace | Self::Debug => paint.dim(self.name()),
            Self::Info => paint.color(AnsiColor::Green, self.name()),
            Self::Warn => paint.color(AnsiColor::Yellow, self.name()),
            Self::Error => paint.color(AnsiColor::Red, self.name()),
        }
    }
}

/// What Lambda says of an invocation, or of an environment's start, once it is over.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// How long the function ran, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// What is billed of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billed_duration_ms: Option<f64>,
    /// The memory that it has.
    #[serde(rename = "memorySizeMB", skip_serializing_if = "Option::is_none")]
    pub memory_size_mb: Option<f64>,
    /// The most that it used.
    #[serde(rename = "maxMemoryUsedMB", skip_serializing_if = "Option::is_none")]
    pub max_memory_used_mb: Option<f64>,
    /// How long its environment took to start, where it was started for this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_duration_ms: Option<f64>,
    /// Whether its environment was started for this.
    pub cold_start: bool,
    /// How it ended, where Lambda says: `success`, `error`, `timeout`, `failure`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The kind of error, as Lambda calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
}

impl Report {
    /// Whether it says that the function didn't end by itself.
    pub(crate) fn has_failed(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status != "success")
    }

    fn parts(&self) -> Vec<String> {
        let mut parts = Vec::new();
        if self.has_failed() {
            let kind = self.error_type.as_deref().map(|kind| format!(" ({kind})"));
            let status = self.status.as_deref().unwrap_or_default();
            parts.push(format!("ended with {status}{}", kind.unwrap_or_default()));
        }
        parts.extend(self.duration_ms.map(|ms| format!("{ms} ms")));
        match (self.max_memory_used_mb, self.memory_size_mb) {
            (Some(used), Some(size)) => parts.push(format!("{used} of {size} MB")),
            (Some(mb), None) | (None, Some(mb)) => parts.push(format!("{mb} MB")),
            (None, None) => {}
        }
        parts
    }
}

/// A line of a function's log.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogLine {
    /// When it was written, RFC 3339 in UTC; unknown of what comes with an invocation's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// The function's name; unknown where several write into one group and the stream doesn't tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The group that it is in.
    pub log_group: String,
    /// The stream that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// What CloudWatch Logs tells it from others by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The invocation that it is of, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Its level, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// What it says; of a JSON line the message in it, of any other all of it.
    pub message: String,
    /// A JSON line as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Value>,
    /// What it reports, where it is Lambda's own line about an invocation's end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// What a JSON line says beside, for people.
    #[serde(skip)]
    pub fields: Vec<(String, String)>,
    /// Whether it is one of Lambda's own that says nothing which another doesn't say as well.
    #[serde(skip)]
    pub is_noise: bool,
}

impl LogLine {
    /// As people read it, with its end; `width` is the room for a function's name.
    pub(super) fn text(&self, paint: &Paint, width: usize) -> String {
        let mut line = String::new();
        if let Some(timestamp) = &self.timestamp {
            line.push_str(&paint.dim(timestamp));
            line.push(' ');
        }
        let name = self.function.as_deref().unwrap_or(&self.log_group);
        line.push_str(&format!("{name:width$} "));
        line.push_str(
            &self
                .level
                .map_or_else(|| "     ".to_owned(), |level| level.painted(paint)),
        );
        line.push(' ');
        line.push_str(&self.said(paint));
        line.push('\n');
        line
    }

    fn said(&self, paint: &Paint) -> String {
        if let Some(report) = &self.report {
            let mut parts = report.parts();
            if let Some(id) = &self.request_id {
                parts.push(format!("request {id}"));
            }
            let told = parts.join(", ");
            let told = if report.has_failed() {
                paint.color(AnsiColor::Red, &told)
            } else {
                paint.dim(&told)
            };
            let started = report.init_duration_ms.map(|ms| format!("cold start {ms} ms"));
            let started = started.or_else(|| report.cold_start.then(|| "cold start".to_owned()));
            return match started {
                Some(started) if told.is_empty() => paint.color(AnsiColor::Yellow, &started),
                Some(started) => format!("{told} {}", paint.color(AnsiColor::Yellow, &started)),
                None => told,
            };
        }
        // What follows the first line can't be taken for lines of others.
        let message = self.message.trim_end().replace("\r\n", "\n").replace('\n', "\n    ");
        if self.is_noise {
            return paint.dim(&message);
        }
        let fields = self.fields.iter().map(|(name, value)| {
            format!(
                " {}{}",
                paint.dim(&format!("{}=", plain_or_quoted(name))),
                plain_or_quoted(value)
            )
        });
        let fields = fields.collect::<String>();
        if message.is_empty() {
            return fields.trim_start().to_owned();
        }
        message + &fields
    }
}

/// A word as it is; what isn't one, between quotation marks.
fn plain_or_quoted(text: &str) -> String {
    let is_word = |c: char| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=';
    // What is JSON already has its own marks.
    let is_json = text.starts_with(['{', '[']) && !text.contains(char::is_control);
    if is_json || !text.is_empty() && text.chars().all(is_word) {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> LogLine {
        LogLine {
            timestamp: Some("2026-01-02T03:04:05.678Z".to_owned()),
            function: Some("f".to_owned()),
            log_group: "/aws/lambda/f".to_owned(),
            stream: None,
            event_id: None,
            request_id: None,
            level: None,
            message: String::new(),
            record: None,
            report: None,
            fields: Vec::new(),
            is_noise: false,
        }
    }

    fn plain(line: &LogLine) -> String {
        line.text(&Paint { enabled: false }, 3)
    }

    #[test]
    fn fields_follow_the_message_and_quote_what_is_no_word() {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let line = LogLine {
            level: Some(Level::Warn),
            message: "slow\nvery".to_owned(),
            fields: vec![
                field("a", "1"),
                field("b", "two words"),
                field("c", "{\"d\":\"e f\"}"),
                field("e", ""),
                field("x=y", "\u{1b}[0m"),
            ],
            ..line()
        };
        assert_eq!(
            plain(&line),
            "2026-01-02T03:04:05.678Z f   WARN  slow\n    very a=1 b=\"two words\" c={\"d\":\"e f\"} e=\"\" \
             \"x=y\"=\"\\u001b[0m\"\n"
        );
    }

    #[test]
    fn an_invocations_end_is_one_line() {
        let report = Report {
            duration_ms: Some(12.5),
            memory_size_mb: Some(256.0),
            max_memory_used_mb: Some(31.0),
            init_duration_ms: Some(80.0),
            cold_start: true,
            ..Report::default()
        };
        let told = LogLine {
            request_id: Some("r-1".to_owned()),
            report: Some(report),
            ..line()
        };
        assert_eq!(
            plain(&told),
            "2026-01-02T03:04:05.678Z f         12.5 ms, 31 of 256 MB, request r-1 cold start 80 ms\n"
        );
        let failed = Report {
            status: Some("timeout".to_owned()),
            ..Report::default()
        };
        let told = LogLine {
            timestamp: None,
            level: Some(Level::Error),
            report: Some(failed),
            ..line()
        };
        assert_eq!(plain(&told), "f   ERROR ended with timeout\n");
    }
}
