//! The measurements: each tool publishes the same site into its own bucket of the same server, by turns, so that the
//! machine's drift hits all alike.

use std::path::Path;
use std::time::Duration;

use benchmarks::error::Result;
use benchmarks::progress::progress;

use crate::server::{Listing, Server};
use crate::site::{Kind, Site};
use crate::tool::{Program, Tool};
use benchmarks::process::{self, Usage};

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// All: the bucket is empty.
    FirstSync,
    /// One file has other content of the same length.
    OneFileChanged,
    /// There is one file more.
    OneFileAdded,
    /// Nothing but finding that out.
    NothingChanged,
    /// The same, and the deployer proves that what is there works and is private. The others can't.
    NothingChangedProven,
}

impl Scenario {
    /// All; each finds what those before it have left.
    pub(crate) const ALL: [Self; 5] = [
        Self::FirstSync,
        Self::OneFileChanged,
        Self::OneFileAdded,
        Self::NothingChanged,
        Self::NothingChangedProven,
    ];

    /// What it is called in the result.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FirstSync => "first sync",
            Self::OneFileChanged => "one file changed",
            Self::OneFileAdded => "one file added",
            Self::NothingChanged => "nothing changed",
            Self::NothingChangedProven => "nothing changed, with verify",
        }
    }
}

/// One run of one tool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) scenario: Scenario,
    pub(crate) tool: Tool,
    pub(crate) usage: Usage,
    /// How many requests it made, to all services.
    pub(crate) requests: u64,
}

/// Lets each program go through all scenarios with a site, `repetitions` times, each time beginning with empty buckets.
///
/// # Errors
/// A program fails, or doesn't do what it should.
pub(crate) fn runs(kind: Kind, programs: &[Program], repetitions: usize, latency: Duration) -> Result<Vec<Run>> {
    let programs: Vec<&Program> = programs.iter().filter(|program| program.tool.is_for(kind)).collect();
    let mut site = Site::write(kind)?;
    let mut runs = Vec::new();
    for repetition in 0..repetitions {
        progress(format_args!("{}: {} of {repetitions}…", kind.name(), repetition + 1));
        let server = Server::start(latency)?;
        // What a tool remembers of a bucket that is gone would only mislead it.
        let home = tempfile::tempdir()?;
        site.forget()?;
        for scenario in Scenario::ALL {
            let changed = match scenario {
                Scenario::OneFileChanged => Some(site.change()?.to_owned()),
                Scenario::OneFileAdded => Some(site.grow()?),
                Scenario::FirstSync | Scenario::NothingChanged | Scenario::NothingChangedProven => None,
            };
            // Who is first finds the machine in another state than who is last.
            for index in 0..programs.len() {
                let program = programs[(index + repetition) % programs.len()];
                let work = Work {
                    scenario,
                    site: &site,
                    changed: changed.as_deref(),
                };
                runs.push(run(program, &work, home.path(), &server)?);
            }
        }
    }
    Ok(runs)
}

/// What a run has to do.
struct Work<'a> {
    scenario: Scenario,
    site: &'a Site,
    /// The file that isn't what it was.
    changed: Option<&'a str>,
}

fn run(program: &Program, work: &Work<'_>, home: &Path, server: &Server) -> Result<Run> {
    let (tool, scenario) = (program.tool, work.scenario);
    let bucket = tool.bucket();
    let before = server.list(bucket)?;
    let is_proven = scenario == Scenario::NothingChangedProven;
    let mut command = program.command(work.site.project(), home, server, is_proven)?;
    let usage = process::run(&mut command)?;
    let requests = server.requests()?;
    let after = server.list(bucket)?;
    check(tool, work, &before, &after)
        .map_err(|what| format!("{} did not do its work ({}): {what}", tool.name(), scenario.name()))?;
    Ok(Run {
        scenario,
        tool,
        usage,
        requests,
    })
}

/// That the bucket holds the site, and that just what had to be written was: who does less isn't quick, and who does
/// more isn't slow.
fn check(tool: Tool, work: &Work<'_>, before: &Listing, after: &Listing) -> Result<(), String> {
    for (key, size) in work.site.files() {
        match after.get(key) {
            Some(entry) if entry.size == *size => {}
            Some(entry) => return Err(format!("{key} has {} bytes instead of {size}", entry.size)),
            None => return Err(format!("{key} is missing")),
        }
    }
    let known = |key: &&String| work.site.files().contains_key(*key) || tool.adds().contains(&key.as_str());
    if let Some(key) = after.keys().find(|key| !known(key)) {
        return Err(format!("{key} isn't the site's"));
    }
    if work.scenario == Scenario::FirstSync {
        return Ok(());
    }
    for (key, entry) in after {
        let there = before.get(key);
        let is_new = there.is_none_or(|there| there.etag != entry.etag);
        let expected = work.changed == Some(key);
        if is_new != expected {
            return Err(format!(
                "{key} {}",
                if expected { "is what it was" } else { "is other content" }
            ));
        }
        if !expected && there != Some(entry) {
            return Err(format!("{key} was written again"));
        }
    }
    Ok(())
}
