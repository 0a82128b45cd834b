//! Each function's environment is that of its template, no more and no less.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::project::functions::FUNCTION;
use crate::project::template::references;
use crate::verify::expected::Expected;
use crate::verify::layer::Layer;
use crate::verify::shared::Round;
use crate::verify::stage::{Resource, Stage};
use crate::verify::{Check, Finding, Look, Problem, live};

pub(super) struct FunctionEnvironment;

impl Check for FunctionEnvironment {
    fn id(&self) -> &'static str {
        "function-environment"
    }

    fn layer(&self) -> Layer {
        Layer::Function
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let functions = stage.resources_of(&[FUNCTION]);
        let looks = functions.map(|function| Look::of(function, move |round| environment(stage, function, round)));
        looks.collect()
    }
}

const VARIABLES: &[&str] = &["Environment", "Variables"];

async fn environment(stage: &Stage<'_>, function: Resource<'_>, round: Round) -> Finding {
    let name = function.name;
    let is = live::function(stage, function, round).await?;
    if let Some(error) = is.environment().and_then(|environment| environment.error()) {
        return Err(Problem::not_proven(
            format!(
                "Lambda can't read the environment of {name}: {}",
                error.message().unwrap_or("no reason given")
            ),
            "Mostly it may not use the key that the variables are encrypted with: see the key's policy.",
        ));
    }
    let none = Default::default();
    let live = is
        .environment()
        .and_then(|environment| environment.variables())
        .unwrap_or(&none);
    let live: BTreeMap<&str, &str> = live
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let wanted = match function.property(VARIABLES) {
        Expected::Map(wanted) => wanted,
        Expected::Absent => BTreeMap::new(),
        _ => {
            return Err(Problem::not_proven(
                format!("which variables {name} is to have only CloudFormation knows"),
                "Write the variables into the template, one by one.",
            ));
        }
    };
    let raw = |name: &str| function.raw(VARIABLES)?.get(name);
    let is_hidden = |name: &str| {
        wanted
            .get(name)
            .is_none_or(|value| is_secret(stage, function, raw(name), value))
    };
    match difference(&wanted, &live, is_hidden) {
        Some(difference) => Err(Problem::failed(
            format!("in the environment of {name} {difference}"),
            function.restore(),
        )),
        None => Ok(seen(&wanted, is_hidden)),
    }
}

/// Whether a variable's value comes from where secrets come from.
fn is_secret(stage: &Stage<'_>, function: Resource<'_>, raw: Option<&Value>, value: &Expected) -> bool {
    let template = function.stack.template();
    let is_secret_parameter = |name: &String| {
        let is_parameter = template.parameter(name).is_some();
        is_parameter && stage.project.stage.is_from_environment(name) || template.is_secret(name)
    };
    // What isn't known may be anything; a dynamic reference, whatever it is made of, leaves a gap.
    !value.is_known() || raw.is_none_or(|raw| references(raw).iter().any(is_secret_parameter))
}

/// What is otherwise than wanted, the first of it; values that are hidden aren't told.
fn difference(
    wanted: &BTreeMap<String, Expected>,
    live: &BTreeMap<&str, &str>,
    is_hidden: impl Fn(&str) -> bool,
) -> Option<String> {
    for (name, value) in wanted {
        match live.get(name.as_str()) {
            None => return Some(format!("{name} isn't set")),
            Some(live) if value.matches_text(live) => {}
            Some(_) if is_hidden(name) => return Some(format!("{name} isn't what the template says")),
            Some(live) => return Some(format!("{name} is `{live}` and should be `{value}`")),
        }
    }
    let more: Vec<&str> = live
        .keys()
        .copied()
        .filter(|name| !wanted.contains_key(*name))
        .collect();
    (!more.is_empty()).then(|| format!("there is {}, which the template doesn't have", more.join(", ")))
}

fn seen(wanted: &BTreeMap<String, Expected>, is_hidden: impl Fn(&str) -> bool) -> String {
    if wanted.is_empty() {
        return "no variables, as the template says".to_owned();
    }
    let told = wanted.iter().map(|(name, value)| {
        if is_hidden(name) {
            name.clone()
        } else {
            format!("{name}={value}")
        }
    });
    let mut told = told.collect::<Vec<_>>().join(" ");
    let open: BTreeSet<&str> = wanted
        .iter()
        .filter(|(_, value)| !value.is_known())
        .map(|(name, _)| name.as_str())
        .collect();
    if !open.is_empty() {
        let open = open.into_iter().collect::<Vec<_>>().join(", ");
        told.push_str(&format!("; of {open} only what the template itself says is compared"));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::documents::text;

    fn told(live: &[(&str, &str)]) -> Option<String> {
        let wanted = BTreeMap::from([
            ("PLAIN".to_owned(), text("a")),
            ("SECRET".to_owned(), text("s")),
            ("OPEN".to_owned(), Expected::Unknown),
        ]);
        difference(&wanted, &live.iter().copied().collect(), |name| name != "PLAIN")
    }

    #[test]
    fn every_variable_counts_and_no_secret_is_told() {
        let right = [("PLAIN", "a"), ("SECRET", "s"), ("OPEN", "x")];
        assert_eq!(told(&right), None);
        let with = |name: &'static str, value: &'static str| {
            let mut live = BTreeMap::from(right);
            live.insert(name, value);
            told(&live.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(with("PLAIN", "b").as_deref(), Some("PLAIN is `b` and should be `a`"));
        assert_eq!(
            with("SECRET", "t").as_deref(),
            Some("SECRET isn't what the template says")
        );
        assert_eq!(
            with("MORE", "m").as_deref(),
            Some("there is MORE, which the template doesn't have")
        );
        assert_eq!(told(&right[..2]).as_deref(), Some("OPEN isn't set"));
    }
}
