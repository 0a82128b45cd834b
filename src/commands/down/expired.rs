//! `deployer down --expired`: all stages of the project that have lain unused for as long as they were deployed for.
//!
//! What expires, what is protected and what goes is read from what is deployed. A stage about which something isn't known stays.

use std::collections::BTreeSet;
use std::time::SystemTime;

use futures::stream::{self, StreamExt as _};
use serde::Serialize;

use super::removal::{self, Removal, Seen};
use crate::clock::age;
use crate::cloud::Cloud;
use crate::context::{self, Session};
use crate::deployed::{self, DeployedStage, Wanted};
use crate::error::{Error, ErrorKind, Result};
use crate::project::stacks::StackId;
use crate::project::stages::{Stages, environment};
use crate::report::{CommandResult, Paint};

/// How many stages go at once: each has several stacks, and the account's limits are for all.
const AT_ONCE: usize = 4;

const AGAIN: &str = "Correct the cause and run `deployer down --expired` again; it goes on from here.";

/// Whether a stage goes.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// It has no time after which it goes, or that isn't over.
    Lives,
    /// It has expired at this time.
    Expired(SystemTime),
    /// It has expired, or may have, and stays for a reason.
    Kept(&'static str),
}

/// A stage that has expired, and all that goes with it.
struct Expired<'a> {
    stage: DeployedStage,
    since: SystemTime,
    removal: Removal<'a>,
    groups: Vec<(Cloud, String)>,
}

/// Runs it.
pub(super) async fn run(session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let settings = Stages::read(&crate::commands::folder(global)?)?;
    let place = settings.place_of_expiring(&global.stage, &environment)?;
    let cloud = &context::connect(&place, &global.stage, session).await?;
    let (prefix, nothing) = (format!("{}-", settings.project), BTreeSet::new());
    let wanted = Wanted::Named {
        prefix: &prefix,
        but_for: &nothing,
    };
    let found = deployed::find(cloud, wanted, &nothing).await?;
    if !found.unlisted.is_empty() {
        return Err(Error::new(
            ErrorKind::AccessDenied,
            format!("stacks in {} can't be looked for", found.unlisted.join(", ")),
        )
        .cause("what a stage has there would stay, and nobody would find it any more")
        .hint("Nothing was removed. Give the identity cloudformation:ListStacks there."));
    }
    let mut kept = Vec::new();
    let mut expired = Vec::new();
    let of_this = |stage: &DeployedStage| stage.project == settings.project && stage.region == cloud.region;
    for stage in found.stages.into_iter().filter(of_this) {
        let is_written_protected = settings.says_protected(&stage.name).unwrap_or(true);
        let mut keep = |why: String| {
            kept.push(KeptStage {
                stage: stage.name.clone(),
                why,
            });
        };
        let prefix = format!("{}-{}-", stage.project, stage.name);
        let hidden = found.hidden.iter().find(|name| name.starts_with(&prefix));
        let since = match fate(&stage, is_written_protected).await {
            Ok(Fate::Lives) => continue,
            Ok(Fate::Expired(since)) => since,
            Ok(Fate::Kept(why)) => {
                keep(why.to_owned());
                continue;
            }
            Err(error) => {
                keep(format!("when it was last used isn't known: {error}"));
                continue;
            }
        };
        if let Some(hidden) = hidden {
            keep(format!("this identity may not look at its stack {hidden}"));
            continue;
        }
        let removal = Removal {
            reporter,
            folder: None,
            written_protected: false,
            found: removal::looked_into(seen(&stage)).await?,
            again: AGAIN,
        };
        if !removal.protections().await?.is_empty() {
            keep("it has a table with deletion protection".to_owned());
            continue;
        }
        let groups = removal.unowned_log_groups().await?;
        expired.push(Expired {
            stage,
            since,
            removal,
            groups,
        });
    }
    let count = expired.len();
    let mut outcome = Outcome {
        project: settings.project.clone(),
        account: cloud.account.clone(),
        region: cloud.region.clone(),
        removed: Vec::new(),
        kept,
        failed: Vec::new(),
    };
    if expired.is_empty() {
        return reporter.result(&outcome);
    }
    let now = SystemTime::now();
    let losses = expired
        .iter()
        .flat_map(|expired| expired.losses(now))
        .collect::<Vec<_>>();
    let plural = if count == 1 { "" } else { "s" };
    let what = format!(
        "remove {count} expired stage{plural} of {} in {}",
        settings.project,
        format_args!("{}, {}", cloud.region, cloud.whereabouts()),
    );
    reporter.confirm(&what, &losses, "Nothing was changed.").await?;
    let ended: Vec<(Expired<'_>, Result<()>)> = stream::iter(expired)
        .map(async |expired| {
            let removed = expired.remove(cloud).await;
            (expired, removed)
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut failures = Vec::new();
    for (expired, removed) in ended {
        let stage = expired.stage.name;
        match removed {
            Ok(()) => {
                let stacks = expired.removal.found.values();
                outcome.removed.push(RemovedStage {
                    stage,
                    stacks: stacks.map(|found| found.deployed.stack.name.clone()).collect(),
                    log_groups: expired.groups.into_iter().map(|(_, group)| group).collect(),
                });
            }
            Err(error) => {
                outcome.failed.push(FailedStage {
                    stage: stage.clone(),
                    message: error.to_string(),
                });
                failures.push(error.at(&stage));
            }
        }
    }
    reporter.result(&outcome)?;
    if failures.is_empty() {
        return Ok(());
    }
    let what = format!("{} of {count} expired stages could not be removed", failures.len());
    Err(Error::together(what, failures))
}

/// What becomes of a stage.
async fn fate(stage: &DeployedStage, is_written_protected: bool) -> Result<Fate> {
    let Some(expires) = stage.expires() else {
        return Ok(Fate::Lives);
    };
    let usage = stage.usage().await?;
    let now = SystemTime::now();
    let Some(since) = deployed::expires_at(expires, stage.changed(), usage.as_ref()).filter(|at| *at <= now) else {
        return Ok(Fate::Lives);
    };
    Ok(if stage.is_protected() {
        Fate::Kept("it was deployed as protected, or a stack of it is kept from deletion")
    } else if is_written_protected {
        Fate::Kept("stacks/stages.yaml says that it is protected")
    } else if stage.is_busy() {
        Fate::Kept("an operation runs on one of its stacks")
    } else {
        Fate::Expired(since)
    })
}

/// Its stacks, called so that several stages can be told apart.
fn seen(stage: &DeployedStage) -> Vec<(StackId, Seen)> {
    let members = stage.members.iter().map(|member| {
        let seen = Seen {
            cloud: member.cloud.clone(),
            stack: member.stack.clone(),
            is_orphan: true,
        };
        (StackId::new(&format!("{} {}", stage.name, member.id)), seen)
    });
    members.collect()
}

impl Expired<'_> {
    /// What is lost with it, a line each, its name first.
    fn losses(&self, now: SystemTime) -> Vec<String> {
        let name = &self.stage.name;
        let losses = self.removal.losses(&self.groups).into_iter();
        let head = format!("the stage {name}, expired {}", age(self.since, now));
        std::iter::once(head)
            .chain(losses.map(|loss| format!("of {name}: {loss}")))
            .collect()
    }

    /// Removes it, unless it was used since it was looked at.
    async fn remove(&self, cloud: &Cloud) -> Result<()> {
        let (project, name) = (&self.stage.project, &self.stage.name);
        let _lock = context::lock(cloud, project, name, self.removal.reporter).await?;
        self.removal.check_unchanged().await?;
        // An `up` that changes no stack is a use, too.
        if !matches!(fate(&self.stage, false).await?, Fate::Expired(_)) {
            return Err(Error::new(
                ErrorKind::ChangedMeanwhile,
                format!("the stage {name} was used since it was looked at"),
            )
            .hint("It stays. `deployer stages` shows when it expires."));
        }
        self.removal.carry_out(false, &self.groups).await
    }
}

/// What was done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    project: String,
    account: String,
    region: String,
    removed: Vec<RemovedStage>,
    /// Stages that have expired, or may have, and stay.
    kept: Vec<KeptStage>,
    failed: Vec<FailedStage>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RemovedStage {
    stage: String,
    #[serde(rename = "removed")]
    stacks: Vec<String>,
    log_groups: Vec<String>,
}

#[derive(Debug, Serialize)]
struct KeptStage {
    stage: String,
    why: String,
}

#[derive(Debug, Serialize)]
struct FailedStage {
    stage: String,
    message: String,
}

impl CommandResult for Outcome {
    fn text(&self, paint: &Paint) -> String {
        let mut text = String::new();
        for removed in &self.removed {
            text.push_str(&paint.bold(&format!("The stage {} is removed.", removed.stage)));
            text.push('\n');
        }
        for kept in &self.kept {
            text.push_str(&format!("The stage {} is kept: {}.\n", kept.stage, kept.why));
        }
        for failed in &self.failed {
            text.push_str(&format!(
                "The stage {} isn't removed: {}\n",
                failed.stage, failed.message
            ));
        }
        if text.is_empty() {
            text = format!("Nothing to remove: no stage of {} has expired.\n", self.project);
        }
        text
    }
}
