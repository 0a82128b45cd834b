//! Each function is active, and runs as its template says.

use aws_sdk_lambda::types::{LastUpdateStatus, State};
use serde_json::{Value, json};

use crate::project::functions::FUNCTION;
use crate::verify::layer::Layer;
use crate::verify::shared::Round;
use crate::verify::stage::{Resource, Stage};
use crate::verify::{Check, Finding, Look, Problem, live};

pub(super) struct FunctionState;

impl Check for FunctionState {
    fn id(&self) -> &'static str {
        "function-state"
    }

    fn layer(&self) -> Layer {
        Layer::Function
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let functions = stage.resources_of(&[FUNCTION]);
        let looks = functions.map(|function| Look::of(function, move |round| state(stage, function, round)));
        looks.collect()
    }
}

async fn state(stage: &Stage<'_>, function: Resource<'_>, round: Round) -> Finding {
    let name = function.name;
    let is = live::function(stage, function, round).await?;
    match (is.state(), is.last_update_status()) {
        (Some(State::Pending), _) => return Err(Problem::pending(format!("{name} is being made ready"))),
        (_, Some(LastUpdateStatus::InProgress)) => return Err(Problem::pending(format!("{name} is being updated"))),
        // Unused for weeks, it is made ready again by the next request.
        (Some(State::Active | State::Inactive) | None, Some(LastUpdateStatus::Successful) | None) => {}
        (state, update) => {
            let reason = is
                .state_reason()
                .or(is.last_update_status_reason())
                .unwrap_or("no reason given");
            return Err(Problem::failed(
                format!(
                    "{name} is {} and its last update {}: {reason}",
                    state.map_or("in no state", State::as_str),
                    update.map_or("unknown", LastUpdateStatus::as_str)
                ),
                "Correct what the reason says, then run `deployer up`.",
            ));
        }
    }
    let architectures = match is.architectures() {
        // What functions run on that were made before there was a choice.
        [] => json!(["x86_64"]),
        some => some.iter().map(|one| one.as_str()).collect(),
    };
    let number = |number: Option<i32>| number.map_or(Value::Null, Value::from);
    let text = |text: Option<&str>| text.map_or(Value::Null, Value::from);
    let settings = [
        ("Runtime", text(is.runtime().map(|runtime| runtime.as_str()))),
        ("Architectures", architectures),
        ("Handler", text(is.handler())),
        ("MemorySize", number(is.memory_size())),
        ("Timeout", number(is.timeout())),
    ];
    let mut seen = Vec::new();
    for (property, live) in settings {
        let wanted = function.property(&[property]);
        if wanted.items().is_empty() {
            continue;
        }
        let told = match &live {
            Value::String(text) => text.clone(),
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            Value::Null => "nothing".to_owned(),
            other => other.to_string(),
        };
        if !wanted.matches(&live) {
            return Err(Problem::failed(
                format!("{name}'s {property} is {told}, and the template says {wanted}"),
                function.restore(),
            ));
        }
        seen.push(format!("{property} {told}"));
    }
    let seen = if seen.is_empty() {
        "as the template says".to_owned()
    } else {
        seen.join(", ")
    };
    Ok(format!("{name} is active: {seen}"))
}
