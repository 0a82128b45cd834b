//! `deployer stages`: what is deployed in this account and region, whatever this checkout lists.

use std::collections::BTreeSet;
use std::time::SystemTime;

use anstyle::AnsiColor;
use futures::stream::{self, StreamExt as _};
use serde::Serialize;

use crate::cli::StagesArgs;
use crate::clock::{age, ahead, of_rfc3339, rfc3339};
use crate::context::{self, Session};
use crate::deployed::{self, DeployedStage, Wanted};
use crate::error::{Error, Result};
use crate::project::stages::{Stages, environment};
use crate::releases;
use crate::report::{CommandResult, Paint};
use crate::stack::status::Severity;
use crate::text::all_visible;
use crate::usage::Usage;

/// How many stages' records are read at once.
const AT_ONCE: usize = 8;

/// Runs the command. It reads, and changes nothing.
pub(crate) async fn run(args: &StagesArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let settings = Stages::read(&super::folder(global)?)?;
    let place = settings.place_of_stage(&global.stage, &environment)?;
    let cloud = &context::connect(&place, &global.stage, session).await?;
    if let Some(doubt) = cloud.doubt_of_region() {
        reporter.warn(doubt);
    }
    let (prefix, nothing) = (format!("{}-", settings.project), BTreeSet::new());
    let wanted = if args.all {
        Wanted::All
    } else {
        Wanted::Named {
            prefix: &prefix,
            but_for: &nothing,
        }
    };
    let found = deployed::find(cloud, wanted, &nothing).await.map_err(|error| {
        if args.all && error.is_access_denied() {
            error.hint(
                "Without --all it is enough to list stacks and to look at those of this project. For --all the identity needs \
                 cloudformation:ListStacks and cloudformation:DescribeStacks on all stacks.",
            )
        } else {
            error
        }
    })?;
    if !found.unlisted.is_empty() {
        reporter.warn(format!(
            "stacks in {} weren't looked for: this identity may not list stacks there (cloudformation:ListStacks)",
            found.unlisted.join(", ")
        ));
    }
    // A project may be called as another one with a hyphen.
    let is_wanted = |stage: &DeployedStage| args.all || stage.project == settings.project;
    let stages = found.stages.into_iter().filter(is_wanted);
    let told: Vec<(StageLine, Option<Error>)> = stream::iter(stages)
        .map(async |stage| line(&stage, &settings).await)
        .buffered(AT_ONCE)
        .collect()
        .await;
    let (stages, unknown): (Vec<_>, Vec<_>) = told.into_iter().unzip();
    if let Some(error) = unknown.into_iter().flatten().next() {
        reporter.warn(format!(
            "of some stages it isn't known who deployed them, or when they were last used: {error}"
        ));
    }
    reporter.result(&Listing {
        account: cloud.account.clone(),
        region: cloud.region.clone(),
        stages,
        hidden: found.hidden,
        is_of_all: args.all,
        project: settings.project,
    })
}

/// What is told of a stage, and why not all of it is known.
async fn line(stage: &DeployedStage, settings: &Stages) -> (StageLine, Option<Error>) {
    let (mut unknown, mut usage, mut release) = (None, None, None);
    if let Some((cloud, bucket)) = stage.artifacts() {
        let read = tokio::join!(stage.usage(), releases::newest(cloud, bucket));
        match read.0 {
            Ok(found) => usage = found,
            Err(error) => unknown = Some(error),
        }
        match read.1 {
            Ok(found) => release = found,
            Err(error) => unknown = Some(error),
        }
    }
    // The later one tells whose it is.
    let used = usage.as_ref().map(|usage| (usage.at(), usage.by.clone()));
    let released = release.map(|release| (of_rfc3339(&release.at), release.by));
    let last = used.into_iter().chain(released).max_by_key(|(at, _)| *at);
    let deployed = stage.changed().max(last.as_ref().and_then(|(at, _)| *at));
    let is_used_known = unknown.is_none();
    let is_own = stage.project == settings.project;
    let protected = stage.is_protected();
    let expires = stage.expires().filter(|_| !protected);
    let expires_at = expires.and_then(|expires| expires_of(expires, stage, usage.as_ref()));
    let now = SystemTime::now();
    let worst = stage.worst();
    let regions: BTreeSet<&str> = stage
        .members
        .iter()
        .map(|member| member.cloud.region.as_str())
        .collect();
    let line = StageLine {
        project: stage.project.clone(),
        stage: stage.name.clone(),
        region: stage.region.clone(),
        regions: regions.into_iter().map(str::to_owned).collect(),
        // What can't be told is no reason to say that it isn't one.
        listed: is_own.then(|| settings.lists(&stage.name).unwrap_or(true)),
        protected,
        deployed_by: last.map(|(_, by)| by),
        last_deployed: deployed.map(rfc3339),
        expires: expires.map(|expires| expires.to_string()),
        expires_at: expires_at.filter(|_| is_used_known).map(rfc3339),
        expired: is_used_known && expires_at.is_some_and(|at| at <= now),
        stacks: stage.members.len(),
        status: worst.map(|stack| stack.status.clone()).unwrap_or_default(),
        severity: worst.map_or(Severity::Gone, |stack| stack.severity()),
        deployed,
        ends: expires_at.filter(|_| is_used_known),
    };
    (line, unknown)
}

fn expires_of(
    expires: crate::project::expiry::Expiry,
    stage: &DeployedStage,
    usage: Option<&Usage>,
) -> Option<SystemTime> {
    deployed::expires_at(expires, stage.changed(), usage)
}

/// What is deployed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    account: String,
    region: String,
    stages: Vec<StageLine>,
    /// Stacks of the project's names that the identity may not look at.
    hidden: Vec<String>,
    #[serde(skip)]
    is_of_all: bool,
    #[serde(skip)]
    project: String,
}

/// A stage.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StageLine {
    project: String,
    stage: String,
    /// Its own.
    region: String,
    /// All that it has stacks in.
    regions: Vec<String>,
    /// Whether `stages.yaml` has it, by name or pattern; null for another project's.
    listed: Option<bool>,
    protected: bool,
    /// The ARN of who deployed it last, where that is recorded.
    deployed_by: Option<String>,
    /// When it was last deployed, also if nothing had to be changed, as far as that is recorded.
    last_deployed: Option<String>,
    /// After which time without a use it may go, such as `7d`.
    expires: Option<String>,
    /// When that is.
    expires_at: Option<String>,
    expired: bool,
    /// How many stacks it has.
    stacks: usize,
    /// The status of the one whose state is the worst.
    status: String,
    #[serde(skip)]
    severity: Severity,
    #[serde(skip)]
    deployed: Option<SystemTime>,
    #[serde(skip)]
    ends: Option<SystemTime>,
}

impl StageLine {
    /// How long it is still there.
    fn life(&self, now: SystemTime) -> String {
        match (self.protected, &self.expires, self.ends) {
            (true, ..) => "protected".to_owned(),
            (false, None, _) => "stays".to_owned(),
            (false, Some(expires), None) => format!("expires {expires} after its last use, which isn't known"),
            (false, Some(_), Some(ends)) if self.expired => format!("expired {}", age(ends, now)),
            (false, Some(_), Some(ends)) => format!("expires {}", ahead(ends, now)),
        }
    }
}

impl CommandResult for Listing {
    fn text(&self, paint: &Paint) -> String {
        let mut text = String::new();
        if self.stages.is_empty() {
            let whose = if self.is_of_all {
                "No stage is".to_owned()
            } else {
                format!("No stage of {} is", self.project)
            };
            text.push_str(&format!("{whose} deployed in {}.\n", self.region));
        }
        let now = SystemTime::now();
        let rows: Vec<([String; 5], &StageLine)> = self
            .stages
            .iter()
            .map(|stage| {
                let name = if self.is_of_all {
                    format!("{} {}", stage.project, stage.stage)
                } else {
                    stage.stage.clone()
                };
                let when = stage.deployed.map_or("never".to_owned(), |then| age(then, now));
                let by = stage.deployed_by.as_deref().map_or("not recorded", releases::who);
                let plural = if stage.stacks == 1 { "" } else { "s" };
                let stacks = format!("{} stack{plural} {}", stage.stacks, stage.status);
                // Others may write to the bucket.
                let row = [name, stacks, when, all_visible(by), stage.life(now)];
                (row, stage)
            })
            .collect();
        let width = |column: usize| {
            let widths = rows.iter().map(|(row, _)| row[column].chars().count());
            widths.max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..4).map(width).collect();
        for (row, stage) in &rows {
            let [name, stacks, when, by, life] = row;
            let (sign, color) = match stage.severity {
                Severity::Good => ("✓", AnsiColor::Green),
                Severity::Busy => ("…", AnsiColor::Yellow),
                Severity::Failed => ("✗", AnsiColor::Red),
                Severity::Gone => ("-", AnsiColor::Yellow),
            };
            let name = paint.bold(&format!("{name:width$}", width = widths[0]));
            let stacks = format!("{stacks:width$}", width = widths[1]);
            let when = paint.dim(&format!(
                "{when:first$}  {by:second$}",
                first = widths[2],
                second = widths[3]
            ));
            let life = if stage.expired {
                paint.color(AnsiColor::Yellow, life)
            } else {
                life.clone()
            };
            let mut notes = String::new();
            if stage.listed == Some(false) {
                notes.push_str(", not in stages.yaml");
            }
            if stage.region != self.region {
                notes.push_str(&format!(", at home in {}", stage.region));
            }
            text.push_str(&format!(
                "  {} {name}  {stacks}  {when}  {life}{notes}\n",
                paint.color(color, sign)
            ));
        }
        if !self.hidden.is_empty() {
            text.push_str(&format!(
                "Not shown, since this identity may not look at them: {}\n",
                self.hidden.join(", ")
            ));
        }
        if !self.is_of_all && self.stages.iter().any(|stage| stage.expired) {
            text.push_str("`deployer down --expired` removes what has expired.\n");
        }
        text
    }
}
