//! The functions return what `stacks/verify.yaml` says, without anything in front of them.

use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::primitives::Blob;
use serde_json::Value;

use crate::project::contract::{Event, Invocation};
use crate::report::logs_command;
use crate::verify::contract::{Filler, content_differences, told};
use crate::verify::layer::Layer;
use crate::verify::stage::Stage;
use crate::verify::{Check, Finding, Look, Problem, Round, asked};

pub(super) struct Invocations;

impl Check for Invocations {
    fn id(&self) -> &'static str {
        "invocations"
    }

    fn layer(&self) -> Layer {
        Layer::App
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let looks = stage.contract.invocations.iter().map(|one| {
            let look = Look::new(one.name.clone(), vec![one.stack.clone()], move |round| returned(stage, one, round));
            match (one.changes, stage.with_changes) {
                (false, _) => look,
                (true, true) => look.once(),
                (true, false) => look.skipped(
                    "it may change something",
                    "`deployer verify --with-changes` makes this invocation, too; if it changes nothing, say `changes: false`.",
                ),
            }
        });
        looks.collect()
    }
}

async fn returned(stage: &Stage<'_>, wanted: &Invocation, round: Round) -> Finding {
    let id = format!("{}.{}", wanted.stack, wanted.function);
    let function = stage
        .stack(&wanted.stack)
        .and_then(|stack| stack.resource(&wanted.function))
        .ok_or_else(|| {
            Problem::failed(
                format!("the stack has no function {}", wanted.function),
                format!("`deployer up --only {}` makes it.", wanted.stack),
            )
        })?;
    let filler = Filler::new(stage);
    let event = match &wanted.event {
        Event::Inline(value) => filler.value(value)?,
        Event::File(value) => value.clone(),
    };
    let expected = filler.expectation(&wanted.expect)?;
    let invoke = function.cloud().lambda.invoke();
    let mut invoke = invoke
        .function_name(function.name)
        .payload(Blob::new(event.to_string()))
        .customize();
    if wanted.changes {
        // What was lost may have been done.
        let once = aws_sdk_lambda::Config::builder().retry_config(RetryConfig::disabled());
        invoke = invoke.config_override(once);
    }
    let answer = asked(
        invoke.send().await,
        &format!("could not invoke the function {}", function.name),
    )?;
    let payload = answer
        .payload()
        .map(|payload| String::from_utf8_lossy(payload.as_ref()).into_owned());
    let payload = payload.unwrap_or_default();
    let log = format!("{} shows what it wrote before.", logs_command(function.name));
    let mut differences = Vec::new();
    match (answer.function_error(), &expected.error) {
        (None, None) => {}
        (Some(_), Some(error)) if is_error(&payload, error) => {}
        (Some(_), Some(error)) => differences.push(format!("it ends with another error than `{error}`")),
        (None, Some(error)) => differences.push(format!("it doesn't end with the error `{error}`")),
        (Some(kind), None) => {
            return Err(Problem::failed(
                format!("{id} fails ({kind}): {}", beginning(&payload)),
                log,
            ));
        }
    }
    differences.extend(content_differences(&expected, &payload));
    if differences.is_empty() {
        return Ok(format!("{id} returns what the contract says"));
    }
    let evidence = format!("{id}: {} (it returns: {})", told(&differences), beginning(&payload));
    let next = format!(
        "If this is right, say so in stacks/verify.yaml; else correct the function and run `deployer up`. {log}"
    );
    Err(stage.broken(evidence, next, round).await)
}

/// Whether a function's error is of this type, or says so.
fn is_error(payload: &str, expected: &str) -> bool {
    let error: Value = serde_json::from_str(payload).unwrap_or_default();
    error["errorType"] == expected
        || error["errorMessage"]
            .as_str()
            .is_some_and(|message| message.contains(expected))
}

fn beginning(payload: &str) -> String {
    payload.chars().take(200).collect()
}
