//! `deployer logs`: what the stage's functions have written, and what they write.

use std::collections::BTreeMap;
use std::time::SystemTime;

use futures::future::try_join_all;

use super::functions::{self, Function};
use crate::cli::LogsArgs;
use crate::context::{Context, Session};
use crate::error::{Error, Result};
use crate::logs::entry::Streams;
use crate::logs::read::{Event, Group, Reader};
use crate::logs::{self, since};
use crate::report::LogLine;

/// How events name this part.
const PART: &str = "logs";

/// Runs the command. It reads, and changes nothing.
pub(crate) async fn run(args: &LogsArgs, session: Session<'_>) -> Result<()> {
    let Session {
        global,
        reporter,
        journal,
    } = session;
    let project = super::open(global, reporter)?;
    let from = since(&args.since, SystemTime::now())?;
    let context = &Context::connect(project, session).await?;
    let all = functions::of_stage(context, &context.survey().await?)?;
    let chosen = chosen(context, &all, &args.function)?;
    if chosen.is_empty() {
        reporter.finished(PART, "no stack of this stage has a function", false);
        return Ok(());
    }
    let groups = groups(context, &chosen).await?;
    let names = groups.iter().flat_map(|group| &group.functions);
    let width = names.map(|name| name.chars().count()).max().unwrap_or_default();
    let groups_shown = described(&groups);
    let mut reader = Reader::new(groups, from, args.filter.as_deref(), args.follow, reporter);
    let places: Vec<Group<'_>> = reader.groups().to_vec();
    let (mut streams, mut count) = (Streams::default(), 0_usize);
    let mut tell = |events: &[Event]| {
        let lines: Vec<LogLine> = events
            .iter()
            .filter_map(|event| logs::line(places.get(event.group)?, event, &mut streams))
            .filter(|line| args.request.is_none() || line.request_id == args.request)
            .collect();
        count += lines.len();
        reporter.log_lines(&lines, width)
    };
    if args.follow {
        journal.note_endless();
        return reader.follow(&mut tell).await;
    }
    reader.look(&mut tell).await?;
    if count == 0 {
        let what = match (&args.request, &args.filter) {
            (Some(id), _) => format!("nothing of the request {id}"),
            (None, Some(pattern)) => format!("nothing that fits {pattern}"),
            (None, None) => "nothing".to_owned(),
        };
        let told = format!(
            "{what} since {} in {groups_shown}; `--since 1d` looks back further",
            logs::shown(from)
        );
        reporter.finished(PART, told, false);
    }
    Ok(())
}

fn chosen(context: &Context<'_>, all: &[Function], names: &[String]) -> Result<Vec<Function>> {
    if names.is_empty() {
        return Ok(all.to_vec());
    }
    let mut chosen: Vec<Function> = Vec::new();
    for name in names {
        let function = functions::named(context, all, name)?;
        if !chosen.contains(function) {
            chosen.push(function.clone());
        }
    }
    Ok(chosen)
}

/// The groups that functions write into, each once.
async fn groups<'c>(context: &'c Context<'_>, functions: &[Function]) -> Result<Vec<Group<'c>>> {
    let found = try_join_all(functions.iter().map(|function| async {
        let cloud = context.cloud_of(&function.stack);
        let configuration = logs::configuration(cloud, &function.name).await?;
        let group = logs::group_of(&function.name, configuration.as_ref());
        Ok::<_, Error>((cloud, group, function.name.clone()))
    }))
    .await?;
    let mut groups: BTreeMap<(String, String), Group<'c>> = BTreeMap::new();
    for (cloud, name, function) in found {
        let group = groups
            .entry((cloud.region.clone(), name.clone()))
            .or_insert_with(|| Group {
                cloud,
                name,
                functions: Vec::new(),
            });
        group.functions.push(function);
    }
    Ok(groups.into_values().collect())
}

fn described(groups: &[Group<'_>]) -> String {
    match groups {
        [only] => only.name.clone(),
        several => format!("{} log groups", several.len()),
    }
}
