//! Which event a function is called with: one that is given, or one that the templates and the app's contract imply.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use super::super::functions::Function;
use crate::address;
use crate::cli::InvokeArgs;
use crate::clock::rfc3339_with_millis;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::logs::now_ms;
use crate::project::contract::{Body, Contract, Event, Open, fill, fill_value};
use crate::project::did_you_mean;
use crate::project::samples::{self, Known, Place, Sample, Target, View};
use crate::project::stacks::StackId;
use crate::stack::read::Deployed;
use crate::text::quoted_for_shell;
use crate::verify;

/// An event that was chosen.
#[derive(Debug)]
pub(super) struct Chosen {
    /// JSON, as it is sent.
    pub(super) event: String,
    /// Whether the app's contract says that it changes nothing.
    pub(super) only_reads: bool,
}

/// The event that the command line gives, if it gives one.
///
/// # Errors
/// It can't be read, or is no JSON.
pub(super) fn given(args: &InvokeArgs) -> Result<Option<String>> {
    let (text, place) = match (&args.event, &args.event_file) {
        (Some(text), _) => (text.clone(), "--event".to_owned()),
        (None, Some(file)) => (read(file)?, format!("--event-file {}", file.display())),
        (None, None) => return Ok(None),
    };
    let text = text.trim().trim_start_matches('\u{feff}').to_owned();
    match serde_json::from_str::<&serde_json::value::RawValue>(&text) {
        Ok(_) => Ok(Some(text)),
        Err(error) => Err(Error::new(ErrorKind::InvalidUsage, format!("{place} is no JSON"))
            .cause(error)
            .hint("An event is JSON: `--event '{\"id\": 1}'`; a text stands between quotation marks.")),
    }
}

fn read(file: &Path) -> Result<String> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(Error::new(
            ErrorKind::InvalidUsage,
            format!("could not read --event-file {}", file.display()),
        )
        .cause(error)
        .hint("It is looked for from the folder that you are in; `-` is standard input.")),
    }
}

/// A candidate, by the name that chooses it.
#[derive(Debug)]
struct Candidate<'a> {
    name: String,
    source: &'static str,
    event: Made<'a>,
    only_reads: bool,
}

#[derive(Debug)]
enum Made<'a> {
    Sample(Value),
    Contract(&'a Event),
}

/// The event that the templates imply for `function`: the one that is `wanted`, or the only one.
///
/// # Errors
/// There is none, or there are several and none of them is wanted.
pub(super) fn implied(
    context: &Context<'_>,
    stage: &BTreeMap<StackId, Deployed>,
    contract: &Contract,
    function: &Function,
    wanted: Option<&str>,
) -> Result<Chosen> {
    let outputs = outputs(stage);
    let mut candidates: Vec<Candidate<'_>> = templates(context, stage, contract, function, &outputs)
        .into_iter()
        .map(|sample| Candidate {
            name: sample.name,
            source: sample.source,
            event: Made::Sample(sample.event),
            only_reads: false,
        })
        .collect();
    let own = contract.invocations.iter();
    let own = own.filter(|one| one.stack == function.stack && one.function == function.id);
    candidates.extend(own.map(|one| Candidate {
        name: one.name.clone(),
        source: "stacks/verify.yaml",
        event: Made::Contract(&one.event),
        only_reads: !one.changes,
    }));
    let candidate = choose(&candidates, &function.name, wanted.filter(|name| !name.is_empty()))?;
    let event = match &candidate.event {
        Made::Sample(event) | Made::Contract(Event::File(event)) => event.clone(),
        Made::Contract(Event::Inline(event)) => {
            let filled = fill_value(event, &|text| filled(context, &outputs, text));
            filled.map_err(|open| {
                Error::new(
                    ErrorKind::InvalidProject,
                    format!(
                        "the event of `{}` in stacks/verify.yaml can't be made: {open}",
                        candidate.name
                    ),
                )
                .hint("`deployer up` deploys what the templates have now; variables are the environment's.")
            })?
        }
    };
    Ok(Chosen {
        event: event.to_string(),
        only_reads: candidate.only_reads,
    })
}

fn choose<'c, 'a>(candidates: &'c [Candidate<'a>], function: &str, wanted: Option<&str>) -> Result<&'c Candidate<'a>> {
    if let Some(wanted) = wanted {
        return find(candidates, wanted).ok_or_else(|| {
            let known: Vec<&str> = candidates.iter().map(|one| one.name.as_str()).collect();
            let what = format!("there is no sample `{wanted}` for {function}");
            let error = listing(Error::new(ErrorKind::InvalidUsage, what), candidates);
            match did_you_mean(wanted, &known) {
                Some(near) => error.hint(format!("Did you mean `{near}`?")),
                None => error.hint(how(function, candidates)),
            }
        });
    }
    let of_templates: Vec<&Candidate<'_>> = candidates
        .iter()
        .filter(|one| matches!(one.event, Made::Sample(_)))
        .collect();
    match (of_templates.as_slice(), candidates) {
        ([only], _) => Ok(only),
        ([], [only]) => Ok(only),
        (_, []) => Err(Error::new(
            ErrorKind::InvalidUsage,
            format!("no route and no trigger of the templates leads to {function}"),
        )
        .hint("Say the event: `--event '{}'`, or `--event-file FILE`.")),
        _ => {
            let what = format!("several events are implied for {function}");
            Err(listing(Error::new(ErrorKind::InvalidUsage, what), candidates).hint(how(function, candidates)))
        }
    }
}

/// By its name; by a route's path, or by what sends it, if that is one's alone.
fn find<'c, 'a>(candidates: &'c [Candidate<'a>], wanted: &str) -> Option<&'c Candidate<'a>> {
    let is_same = |one: &str| one.eq_ignore_ascii_case(wanted);
    if let Some(exact) = candidates.iter().find(|one| is_same(&one.name)) {
        return Some(exact);
    }
    let mut fitting = candidates
        .iter()
        .filter(|one| one.name.split_once(' ').is_some_and(|(_, path)| is_same(path)) || is_same(one.source));
    fitting.next().filter(|_| fitting.next().is_none())
}

fn listing(error: Error, candidates: &[Candidate<'_>]) -> Error {
    let width = candidates
        .iter()
        .map(|one| one.name.chars().count())
        .max()
        .unwrap_or_default();
    candidates.iter().fold(error, |error, one| {
        error.cause(format!("there is {:width$}  {}", one.name, one.source))
    })
}

fn how(function: &str, candidates: &[Candidate<'_>]) -> String {
    let first = candidates.first().map_or("NAME", |one| one.name.as_str());
    format!(
        "Say which: `deployer invoke {} --sample {}`; --print-event shows it.",
        quoted_for_shell(function),
        quoted_for_shell(first)
    )
}

/// Those of the templates.
fn templates(
    context: &Context<'_>,
    stage: &BTreeMap<StackId, Deployed>,
    contract: &Contract,
    function: &Function,
    outputs: &BTreeMap<String, String>,
) -> Vec<Sample> {
    let mut views = Vec::new();
    let mut known = Vec::new();
    for stack in context.project.stacks() {
        let Some(deployed) = stage.get(&stack.id) else { continue };
        let cloud = context.cloud_of(&stack.id);
        let parameters = stack.template.known_parameters(&deployed.stack.parameters);
        views.push(View {
            id: &stack.id,
            template: &stack.template,
            scope: verify::scope(cloud, &stack.template, parameters, deployed),
        });
        for api in address::apis(cloud, stack, deployed) {
            known.extend(asked_of(context, contract, outputs, &api.id, &api.url));
        }
    }
    let cloud = context.cloud_of(&function.stack);
    let now = now_ms();
    let place = Place {
        account: cloud.account.clone(),
        region: cloud.region.clone(),
        partition: cloud.partition.clone(),
        time: rfc3339_with_millis(now),
        time_ms: now,
    };
    let target = Target {
        stack: &function.stack,
        id: &function.id,
        name: &function.name,
    };
    samples::of_function(&views, target, &place, &known)
}

/// The contract's requests of one API; those that are to succeed first.
fn asked_of(
    context: &Context<'_>,
    contract: &Contract,
    outputs: &BTreeMap<String, String>,
    api: &str,
    url: &str,
) -> Vec<Known> {
    let fill = |text: &str| filled(context, outputs, text).ok();
    let mut found: Vec<(bool, Known)> = contract
        .requests
        .iter()
        .filter_map(|request| {
            let address = fill(&request.url)?;
            let rest = address.strip_prefix(url)?;
            if !(rest.is_empty() || rest.starts_with(['/', '?'])) {
                return None;
            }
            let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
            let body = match &request.body {
                Body::Nothing => None,
                Body::Text(text) => Some(fill(text)?),
                Body::Json(value) => Some(
                    fill_value(value, &|text| filled(context, outputs, text))
                        .ok()?
                        .to_string(),
                ),
                Body::Bytes(bytes) => Some(String::from_utf8(bytes.clone()).ok()?),
            };
            let headers = request.headers.iter();
            let headers = headers.filter_map(|(name, value)| Some((name.clone(), fill(value)?)));
            let is_good = request.expect.status.is_none_or(|status| (200..300).contains(&status));
            let known = Known {
                api: api.to_owned(),
                method: request.method.clone(),
                path: path.to_owned(),
                query: query.to_owned(),
                headers: headers.collect(),
                body,
            };
            Some((!is_good, known))
        })
        .collect();
    found.sort_by_key(|(is_bad, _)| *is_bad);
    found.into_iter().map(|(_, known)| known).collect()
}

fn filled(context: &Context<'_>, outputs: &BTreeMap<String, String>, text: &str) -> Result<String, Open> {
    let output = |name: &str| match name {
        "stage" => Some(context.project.stage.name.clone()),
        "project" => Some(context.project.name.clone()),
        name => outputs.get(name).cloned(),
    };
    fill(text, &output, &|name| std::env::var(name).ok())
}

/// The outputs of all stacks, each as `Name`, if one stack has it alone, and as `stack.Name`.
fn outputs(stage: &BTreeMap<StackId, Deployed>) -> BTreeMap<String, String> {
    let each = stage.iter().map(|(id, deployed)| (id, &deployed.stack.outputs));
    verify::outputs(each)
}
