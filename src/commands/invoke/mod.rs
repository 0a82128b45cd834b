//! `deployer invoke`: calls a function with an event, and shows what it answers and writes.

mod call;
mod events;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::functions::{self, Function};
use crate::cli::InvokeArgs;
use crate::context::{Context, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::report::{CommandResult, LogLine, Paint, Reporter, logs_command};
use crate::verify::may_write;
use call::{Answer, Configuration};
use events::Chosen;

/// The most that Lambda takes in a call that is waited for, and that it answers.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const LARGEST_EVENT_BYTES: usize = 6 << 20;

/// What came of a call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    /// The function's name.
    function: String,
    /// Lambda's status of the call: 200 also where the function ended with an error.
    status: i32,
    /// `Unhandled` or `Handled`, if the function ended with an error.
    function_error: Option<String>,
    /// What it returned: JSON, or a text that isn't.
    payload: Value,
    /// The version that ran.
    executed_version: Option<String>,
    /// The call's id in the log.
    request_id: Option<String>,
    /// How long it ran, as Lambda says.
    duration_ms: Option<f64>,
    /// Whether its environment was started for this; unknown where no report came with the answer.
    cold_start: Option<bool>,
    /// The end of what it wrote.
    log: Vec<LogLine>,
}

/// Runs the command.
pub(crate) async fn run(args: &InvokeArgs, session: Session<'_>) -> Result<()> {
    let Session {
        global,
        reporter,
        journal,
    } = session;
    let project = super::open(global, reporter)?;
    // What is wrong with it is told before anything is asked of AWS.
    let given = events::given(args)?;
    let contract = super::read_contract(&project)?;
    let context = &Context::connect(project, session).await?;
    let stage = context.survey().await?;
    let all = functions::of_stage(context, &stage)?;
    let function = functions::named(context, &all, &args.function)?;
    let chosen = match given {
        Some(event) => Chosen {
            event,
            only_reads: false,
        },
        None => events::implied(context, &stage, &contract, function, args.sample.as_deref())?,
    };
    if args.print_event {
        return reporter.answer(&Printed::of(&chosen.event)?);
    }
    if chosen.event.len() > LARGEST_EVENT_BYTES {
        let what = format!(
            "the event has {} bytes, and Lambda takes {LARGEST_EVENT_BYTES}",
            chosen.event.len()
        );
        return Err(Error::new(ErrorKind::InvalidUsage, what)
            .hint("Put what is large into a bucket, and its key into the event."));
    }
    let cloud = context.cloud_of(&function.stack);
    let configuration = Configuration::of(cloud, &function.name).await?;
    let writes = match (&configuration.role, chosen.only_reads) {
        // The app's contract says so.
        (_, true) => None,
        (Some(role), false) => may_write(cloud, role).await,
        (None, false) => Some("what its role grants can't be looked at".to_owned()),
    };
    if let Some(why) = writes.as_ref().filter(|_| context.is_protected(&stage)) {
        let what = format!(
            "call the function {}, which may change what the protected stage {} holds",
            function.name, context.project.stage.name
        );
        reporter
            .confirm(&what, std::slice::from_ref(why), "Nothing was called.")
            .await?;
    }
    journal.note_call(Some(&function.name));
    let answer = call::call(cloud, &function.name, &configuration, chosen.event, writes.is_some()).await;
    journal.note_call(None);
    let answer = answer?;
    tell(
        session.reporter,
        cloud.endpoint.is_aws(),
        function,
        &configuration,
        answer,
    )
}

fn tell(
    reporter: &Reporter,
    is_aws: bool,
    function: &Function,
    configuration: &Configuration,
    answer: Answer,
) -> Result<()> {
    let log = crate::logs::lines_of_tail(&answer.tail, &function.name, &configuration.log_group);
    for line in &log {
        reporter.log(line);
    }
    let report = log.iter().rev().find_map(|line| line.report.as_ref());
    let logged = log.iter().find_map(|line| line.request_id.clone());
    let invocation = Invocation {
        function: function.name.clone(),
        status: answer.status,
        function_error: answer.function_error,
        payload: payload(&answer.payload),
        executed_version: answer.executed_version,
        // An emulator's own, which its log doesn't have, would find nothing there.
        request_id: match is_aws {
            true => answer.request_id.or(logged),
            false => logged.or(answer.request_id),
        },
        duration_ms: report.and_then(|report| report.duration_ms),
        cold_start: report.map(|report| report.cold_start),
        log,
    };
    let Some(kind) = &invocation.function_error else {
        return reporter.answer(&invocation);
    };
    let failed = failure(function, kind, &invocation.payload);
    if reporter.is_json() {
        reporter.answer(&invocation)?;
    }
    Err(failed)
}

fn payload(bytes: &[u8]) -> Value {
    match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(_) if bytes.is_empty() => Value::Null,
        Err(_) => Value::String(String::from_utf8_lossy(bytes).into_owned()),
    }
}

/// What the function's own error says.
fn failure(function: &Function, kind: &str, payload: &Value) -> Error {
    let text = |name: &str| payload[name].as_str().map(str::to_owned);
    let why = match (text("errorType"), text("errorMessage")) {
        (Some(kind), Some(message)) => format!("{kind}: {message}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => format!("{kind}: {payload}"),
    };
    let error = Error::new(
        ErrorKind::FunctionFailed,
        format!("the function {} ended with an error", function.name),
    );
    error
        .cause(why)
        .hint(format!("{} shows what it wrote before.", logs_command(&function.name)))
}

impl CommandResult for Invocation {
    fn text(&self, _: &Paint) -> String {
        match &self.payload {
            Value::String(text) if !text.is_empty() => format!("{text}\n"),
            other => pretty(other),
        }
    }
}

/// The event as it would be sent.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Printed(Box<RawValue>);

impl Printed {
    fn of(event: &str) -> Result<Self> {
        let raw = RawValue::from_string(event.to_owned());
        raw.map(Self)
            .map_err(|error| Error::failed("the event is no JSON").cause(error))
    }
}

impl CommandResult for Printed {
    const SCHEMA: Option<u32> = None;

    fn text(&self, _: &Paint) -> String {
        serde_json::from_str::<Value>(self.0.get()).map_or_else(|_| self.0.get().to_owned(), |event| pretty(&event))
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string()) + "\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::project::stacks::StackId;

    #[test]
    fn an_answer_need_not_be_json() {
        assert_eq!(payload(b"{\"a\": 1.50}").to_string(), "{\"a\":1.50}");
        assert_eq!(payload(b"hello"), json!("hello"));
        assert_eq!(payload(b""), Value::Null);
    }

    #[test]
    fn a_functions_error_is_told_as_it_says_it() {
        let function = Function {
            stack: StackId::new("logic"),
            id: "F".to_owned(),
            name: "app-f".to_owned(),
        };
        let why = |payload: Value| failure(&function, "Unhandled", &payload).causes().next().expect("one");
        assert_eq!(
            why(json!({"errorType": "panic", "errorMessage": "oh no"})),
            "panic: oh no"
        );
        assert_eq!(why(json!({"errorMessage": "Task timed out"})), "Task timed out");
        assert_eq!(why(json!("x")), "Unhandled: \"x\"");
        let error = failure(&function, "Unhandled", &Value::Null);
        assert_eq!(
            error.next_step(),
            Some("`deployer logs --function app-f` shows what it wrote before.")
        );
    }
}
