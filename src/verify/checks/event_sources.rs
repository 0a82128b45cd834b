//! Each event source mapping is there, as enabled as its template says, and leads from the right source to the right function.

use crate::cloud::sdk_error::found;
use crate::verify::expected::Expected;
use crate::verify::functions::Target;
use crate::verify::layer::Layer;
use crate::verify::stage::{Resource, Stage};
use crate::verify::{Check, Look, Problem, Proof};

pub(super) struct EventSources;

impl Check for EventSources {
    fn id(&self) -> &'static str {
        "event-sources"
    }

    fn layer(&self) -> Layer {
        Layer::Function
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let mappings = stage.resources_of(&["AWS::Lambda::EventSourceMapping"]);
        let looks = mappings.map(|mapping| Look::of(mapping, move |_| source(mapping)));
        looks.collect()
    }
}

async fn source(mapping: Resource<'_>) -> Result<Proof, Problem> {
    let uuid = mapping.name;
    let answer = mapping
        .cloud()
        .lambda
        .get_event_source_mapping()
        .uuid(uuid)
        .send()
        .await;
    let what = || format!("could not look at the event source mapping {uuid}");
    let is = found(answer, |error| error.is_resource_not_found_exception(), what)?;
    let failed = |evidence: String| Err(Problem::failed(evidence, mapping.restore()));
    let Some(is) = is else {
        return failed(format!("there is no event source mapping {uuid} any more"));
    };
    let function = is.function_arn().unwrap_or_default();
    let source = is.event_source_arn().unwrap_or_default();
    let wanted = mapping.property(&["EventSourceArn"]);
    if wanted != Expected::Absent && !wanted.matches_text(source) {
        return failed(format!("it takes from {source}, and the template says {wanted}"));
    }
    let wanted = mapping.property(&["FunctionName"]);
    if Target::of(&wanted, mapping.cloud()).is_some_and(|wanted| Target::parse(function, mapping.cloud()) != wanted) {
        return failed(format!("it gives to {function}, and the template says {wanted}"));
    }
    let enabled = mapping.property(&["Enabled"]);
    let is_wanted = enabled == Expected::Absent || enabled.matches_text("true");
    let from = if source.is_empty() { "its source" } else { source };
    match (is.state().unwrap_or_default(), is_wanted) {
        (state @ ("Creating" | "Updating" | "Enabling" | "Disabling"), _) => Err(Problem::pending(format!(
            "the event source mapping {uuid} is {}",
            state.to_lowercase()
        ))),
        ("Enabled", true) => Ok(Proof {
            evidence: format!("enabled, from {from} to {function}"),
            warnings: trouble(is.last_processing_result()).into_iter().collect(),
        }),
        ("Disabled", _) if enabled != Expected::Absent && enabled.matches_text("false") => {
            Ok(format!("disabled as the template says, from {from} to {function}").into())
        }
        (state, _) => failed(format!(
            "it is {}, and the template says {}",
            state.to_lowercase(),
            match is_wanted {
                true => "enabled",
                false => "disabled",
            }
        )),
    }
}

/// What Lambda says of its last attempt to take something from there.
fn trouble(last: Option<&str>) -> Option<String> {
    let last = last.filter(|last| last.starts_with("PROBLEM"))?;
    Some(format!("the last events weren't processed: {last}"))
}
