//! `deployer down`: a stage, back to nothing.
//!
//! A stack goes when all that get something from it are gone. Stacks of this stage whose templates are gone from the project are
//! found by their names, and so is a whole stage that `stages.yaml` doesn't list any more.

mod expired;
mod removal;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use super::up::artifacts_of;
use crate::backup;
use crate::cli::DownArgs;
use crate::cloud::{CLOUDFRONTS_REGION, Cloud};
use crate::context::{self, Context, Session};
use crate::deployed::{self, DeployedStage, Wanted};
use crate::error::Result;
use crate::project::stacks::StackId;
use crate::project::stages::{Stages, environment};
use crate::report::{CommandResult, Paint, Reporter};
use crate::stack::follow;
use crate::stack::ownership::Adoption;
use crate::stack::read::Stack;
use crate::usage;
use removal::{Kept, Protection, Removal, Seen};

/// Runs the command.
pub(crate) async fn run(args: &DownArgs, session: Session<'_>) -> Result<()> {
    let Session { global, .. } = session;
    args.backup.as_deref().map_or(Ok(()), backup::check)?;
    if args.expired {
        return expired::run(session).await;
    }
    match Stages::read(&super::folder(global)?) {
        Ok(stages) if !stages.lists(&global.stage)? => unlisted(args, &stages, session).await,
        // What is wrong with it is told as for any other command.
        _ => listed(args, session).await,
    }
}

/// Removes a stage that the folder has.
async fn listed(args: &DownArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let context = &Context::connect(super::open(global, reporter)?, session).await?;
    let _lock = context.lock().await?;
    let adoption = Adoption {
        stacks: &args.adopt,
        strangers: false,
    };
    let project = &context.project;
    let known: BTreeSet<String> = project.stacks().map(|stack| context.stack_name(&stack.id)).collect();
    let others: BTreeSet<String> = context.other_regions().cloned().collect();
    let (own, orphans) = tokio::join!(
        context.settled_stacks(adoption),
        orphans(
            &context.cloud,
            &project.name,
            &project.stage.name,
            &others,
            &known,
            reporter
        )
    );
    let (own, mut orphans) = (own?, orphans?);
    let asked =
        |region: &String| others.contains(region) || *region == context.cloud.region || region == CLOUDFRONTS_REGION;
    let mut recorded = recorded_regions(context, &own).await;
    recorded.retain(|region| !asked(region));
    if !recorded.is_empty() {
        recorded.extend(others.iter().cloned());
        let (cloud, project) = (&context.cloud, &context.project);
        orphans = self::orphans(cloud, &project.name, &project.stage.name, &recorded, &known, reporter).await?;
    }
    let own = own.into_iter().map(|(id, stack)| {
        let cloud = context.cloud_of(&id).clone();
        let seen = Seen {
            cloud,
            stack,
            is_orphan: false,
        };
        (id, seen)
    });
    let seen = own.chain(orphans).collect();
    let removal = Removal {
        reporter,
        folder: Some(project),
        written_protected: project.stage.protected,
        found: removal::looked_into(seen).await?,
        again: AGAIN,
    };
    remove(args, removal, &project.name, &project.stage.name).await
}

/// The regions that the stage is known to have stacks in; none where that can't be read.
async fn recorded_regions(context: &Context<'_>, stacks: &BTreeMap<StackId, Stack>) -> BTreeSet<String> {
    let Some((cloud, bucket)) = artifacts_of(context, |id| stacks.get(id)) else {
        return BTreeSet::new();
    };
    let usage = usage::last(cloud, &bucket).await.ok().flatten();
    usage.map(|usage| usage.regions).unwrap_or_default()
}

/// Removes a stage that the folder doesn't list, or not any more.
async fn unlisted(args: &DownArgs, stages: &Stages, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let (project, stage) = (&stages.project, &global.stage);
    let place = stages.place_of_stage(stage, &environment)?;
    let not_listed = stages.stage_with(stage, &environment).map(drop);
    let cloud = &context::connect(&place, stage, session).await?;
    let nothing = BTreeSet::new();
    let found = orphans(cloud, project, stage, &nothing, &nothing, reporter).await?;
    if found.is_empty() {
        // Then the name is mistyped, or all is done.
        return not_listed;
    }
    context::tell_target(cloud, project, stage, reporter);
    let _lock = context::lock(cloud, project, stage, reporter).await?;
    let removal = Removal {
        reporter,
        folder: None,
        written_protected: false,
        found: removal::looked_into(found).await?,
        again: AGAIN,
    };
    remove(args, removal, project, stage).await
}

/// What to do once the cause is corrected.
const AGAIN: &str = "Correct the cause and run `deployer down` again; it goes on from here.";

/// Asks, removes and tells.
async fn remove(args: &DownArgs, mut removal: Removal<'_>, project: &str, stage: &str) -> Result<()> {
    let reporter = removal.reporter;
    let kept = if args.delete_data {
        Vec::new()
    } else {
        removal.keep_protected().await?
    };
    let mut groups = Vec::new();
    if !removal.found.is_empty() {
        // What was logged is data, too.
        if kept.is_empty() {
            groups = removal.unowned_log_groups().await?;
        }
        let losses = removal.losses(&groups);
        let what = format!("remove the stage {stage} of {project}");
        if reporter.confirm(&what, &losses, "Nothing was changed.").await? {
            // Who was asked may have thought about it for long.
            removal.check_unchanged().await?;
        }
        if let Some(file) = &args.backup {
            removal.back_up(file).await?;
        }
        removal.carry_out(args.delete_data, &groups).await?;
    }
    let stacks = removal.found.values().map(|stack| stack.deployed.stack.name.clone());
    reporter.result(&Removed {
        stage: stage.to_owned(),
        stacks: stacks.collect(),
        log_groups: groups.into_iter().map(|(_, group)| group).collect(),
        kept,
    })
}

/// The stage's stacks whose names aren't `known`, once no operation runs on them. An identity that may not list stacks goes without.
async fn orphans(
    cloud: &Cloud,
    project: &str,
    stage: &str,
    others: &BTreeSet<String>,
    known: &BTreeSet<String>,
    reporter: &Reporter,
) -> Result<Vec<(StackId, Seen)>> {
    let prefix = format!("{project}-{stage}-");
    let warn = |region: &str| {
        reporter.warn(format!(
            "stacks whose templates are gone weren't looked for in {region}: this identity may not list stacks \
             (cloudformation:ListStacks)"
        ));
    };
    let found = match deployed::find(
        cloud,
        Wanted::Named {
            prefix: &prefix,
            but_for: known,
        },
        others,
    )
    .await
    {
        Ok(found) => found,
        Err(error) if error.is_access_denied() => {
            warn(&cloud.region);
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    found.unlisted.iter().for_each(|region| warn(region));
    if !found.hidden.is_empty() {
        reporter.warn(format!(
            "whose these stacks are isn't known, since this identity may not look at them: {}",
            found.hidden.join(", ")
        ));
    }
    let is_this = |one: &DeployedStage| one.project == project && one.name == stage && one.region == cloud.region;
    let Some(this) = found.stages.into_iter().find(is_this) else {
        return Ok(Vec::new());
    };
    let mut orphans = Vec::new();
    for member in this.members {
        if known.contains(&member.stack.name) {
            continue;
        }
        let settled = follow::settled(&member.cloud, &member.id, member.stack, reporter).await?;
        orphans.extend(settled.map(|stack| {
            let seen = Seen {
                cloud: member.cloud,
                stack,
                is_orphan: true,
            };
            (member.id, seen)
        }));
    }
    Ok(orphans)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Removed {
    stage: String,
    #[serde(rename = "removed")]
    stacks: Vec<String>,
    log_groups: Vec<String>,
    #[serde(serialize_with = "names_of_kept")]
    kept: Vec<Kept>,
}

fn names_of_kept<S: Serializer>(kept: &[Kept], serializer: S) -> Result<S::Ok, S::Error> {
    let names: Vec<&str> = kept.iter().map(|kept| kept.stack.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", ")).serialize(serializer)
}

impl CommandResult for Removed {
    fn text(&self, paint: &Paint) -> String {
        let mut text = if self.stacks.is_empty() && !self.kept.is_empty() {
            format!("Nothing more to remove of the stage {}.\n", self.stage)
        } else if self.stacks.is_empty() {
            format!("Nothing to remove: the stage {} isn't deployed.\n", self.stage)
        } else {
            format!("{}\n", paint.bold(&format!("The stage {} is removed.", self.stage)))
        };
        for Kept { stack, protection, .. } in &self.kept {
            let why = match protection {
                Protection::Written => "since the stage is protected",
                Protection::Deployed => "since it was deployed as protected, whatever stacks/stages.yaml says here",
                Protection::HasBucket => {
                    text.push_str(&format!(
                        "The stack {stack} is kept, too: its bucket is needed to lift the protection of a large template.\n"
                    ));
                    continue;
                }
                Protection::OfTable => "since it has deletion protection, whatever stacks/stages.yaml says here",
            };
            text.push_str(&format!(
                "Its data is kept, in the stack {stack}, {why}. `deployer down --stage {} --delete-data` deletes it, \
                 too.\n",
                self.stage
            ));
        }
        text
    }
}
