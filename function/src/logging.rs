//! Logs as CloudWatch reads them best: one flat JSON object a line, with `timestamp` (UTC) and `level`.

use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer as _, filter::Targets, fmt::MakeWriter, layer::SubscriberExt as _};

/// The variables that say how much is logged, the first one set wins: Lambda's own, set by `LoggingConfig`, then ours.
pub const LEVEL_VARIABLES: [&str; 2] = ["AWS_LAMBDA_LOG_LEVEL", "LOG_LEVEL"];

/// The level asked for through `lookup`, which gives a variable's value if it is set; `info` unless one is asked for.
///
/// # Errors
/// The name of a variable whose value is no level. Logging is then best left at `info`.
pub fn level(lookup: impl Fn(&str) -> Option<String>) -> Result<LevelFilter, &'static str> {
    for name in LEVEL_VARIABLES {
        let value = lookup(name).unwrap_or_default();
        return match value.trim().to_ascii_lowercase().as_str() {
            "" => continue,
            "trace" => Ok(LevelFilter::TRACE),
            "debug" => Ok(LevelFilter::DEBUG),
            "info" => Ok(LevelFilter::INFO),
            "warn" => Ok(LevelFilter::WARN),
            // Lambda's highest; nothing here is worse than an error.
            "error" | "fatal" => Ok(LevelFilter::ERROR),
            _ => Err(name),
        };
    }
    Ok(LevelFilter::INFO)
}

/// A subscriber that writes to `writer`.
///
/// Dependencies say no more than `info` whatever the level: at `trace` the AWS SDK prints its requests with their session token.
pub fn subscriber<W>(level: LevelFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_writer(writer);
    let levels = Targets::new()
        .with_default(level.min(LevelFilter::INFO))
        .with_targets([("retrieve_user_data", level), ("bootstrap", level)]);
    tracing_subscriber::registry().with(lines.with_filter(levels))
}

/// Has each panic be one line of the log like all others, whatever its level, and end the process: printed as text it would
/// have no level, by which Lambda drops what isn't as grave as it is told to keep; caught, its message would be the answer.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(
            error = panic.payload_as_str().unwrap_or("something that is no text"),
            place,
            "the function panicked"
        );
        std::process::abort();
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Set in the process that is to panic.
    const PANIC: &str = "PANIC_ON_PURPOSE";

    #[test]
    fn a_panic_is_one_line_at_any_level() {
        if std::env::var_os(PANIC).is_some() {
            let lines = subscriber(LevelFilter::ERROR, std::io::stderr);
            tracing::subscriber::set_global_default(lines).expect("the first one");
            report_panics();
            let _ = std::panic::catch_unwind(|| panic!("two\nlines"));
            panic!("the process goes on");
        }
        let this = std::env::current_exe().expect("this program");
        let child = std::process::Command::new(this)
            .args([
                "--exact",
                "logging::tests::a_panic_is_one_line_at_any_level",
                "--nocapture",
            ])
            .env(PANIC, "1")
            .output()
            .expect("it starts");
        assert!(!child.status.success());
        let said = String::from_utf8(child.stderr).expect("UTF-8");
        let lines: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
        let [line] = lines.as_slice() else { panic!("{said}") };
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(
            (&line["level"], &line["error"]),
            (&"ERROR".into(), &"two\nlines".into())
        );
        assert!(
            line["place"]
                .as_str()
                .is_some_and(|place| place.contains("logging.rs:")),
            "{line}"
        );
    }

    fn of(lambda: Option<&str>, ours: Option<&str>) -> Result<LevelFilter, &'static str> {
        level(|name| if name == "LOG_LEVEL" { ours } else { lambda }.map(str::to_owned))
    }

    #[test]
    fn the_default_is_info() {
        assert_eq!(of(None, None), Ok(LevelFilter::INFO));
        assert_eq!(of(Some(""), Some(" ")), Ok(LevelFilter::INFO));
    }

    #[test]
    fn lambdas_variable_wins() {
        assert_eq!(of(Some("DEBUG"), Some("error")), Ok(LevelFilter::DEBUG));
        assert_eq!(of(Some("FATAL"), None), Ok(LevelFilter::ERROR));
        assert_eq!(of(None, Some("Warn")), Ok(LevelFilter::WARN));
    }

    #[test]
    fn a_value_that_is_no_level_is_named() {
        assert_eq!(of(None, Some("loud")), Err("LOG_LEVEL"));
        assert_eq!(of(Some("3"), Some("warn")), Err("AWS_LAMBDA_LOG_LEVEL"));
    }
}
