//! `deployer down`: a stage, back to nothing.
//!
//! The graph is walked back: a stack goes when all that get something from it are gone. Stacks of this stage whose
//! templates are gone from the project are found by their names, and go first: nothing that is left refers to them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures::future::{join_all, try_join_all};
use serde::{Serialize, Serializer};

use crate::address;
use crate::backup::{self, Source};
use crate::cli::DownArgs;
use crate::cloud::Cloud;
use crate::context::{Context, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::lease::StageLease;
use crate::logs;
use crate::project::functions::FUNCTION;
use crate::project::seed;
use crate::project::stacks::{self, CODE_BUCKET, StackId};
use crate::project::tables::TABLES;
use crate::project::template::Template;
use crate::promise::{Dependency, promise};
use crate::report::{CommandResult, Paint};
use crate::stack::desired::TemplateBucket;
use crate::stack::ownership::{self, Adoption, Owner};
use crate::stack::protection;
use crate::stack::read::{self, Deployed, Stack};
use crate::stack::remove::{self, Data};
use crate::stack::status::StackState;
use crate::table;

/// Runs the command.
pub(crate) async fn run(args: &DownArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    args.backup.as_deref().map_or(Ok(()), backup::check)?;
    let context = &Context::connect(super::open(global, reporter)?, session).await?;
    let _lock = context.lock().await?;
    let adoption = Adoption {
        stacks: &args.adopt,
        strangers: false,
    };
    let (own, orphans) = tokio::join!(context.settled_stacks(adoption), orphans(context));
    let mut found = looked_into(context, own?, orphans?).await?;
    let mut kept = Vec::new();
    if !args.delete_data {
        for (id, protection) in protections(context, &found).await? {
            kept.extend(found.remove(&id).map(|stack| Kept {
                is_large: stack.is_large(),
                stack: stack.deployed.stack.name,
                protection,
            }));
        }
        if kept.iter().any(|kept| kept.is_large)
            && let Some(id) = found
                .iter()
                .find(|(_, one)| one.template_bucket().is_some())
                .map(|(id, _)| id.clone())
        {
            kept.extend(found.remove(&id).map(|stack| Kept {
                stack: stack.deployed.stack.name,
                is_large: false,
                protection: Protection::HasBucket,
            }));
        }
    }
    let mut groups = Vec::new();
    if !found.is_empty() {
        // What was logged is data, too.
        if kept.is_empty() {
            groups = unowned_log_groups(&found).await?;
        }
        let (stage, project) = (&context.project.stage.name, &context.project.name);
        let losses = losses(context, &found, &groups);
        let what = format!("remove the stage {stage} of {project}");
        if context.reporter.confirm(&what, &losses, "Nothing was changed.").await? {
            // Who was asked may have thought about it for long.
            check_unchanged(&found).await?;
        }
        if let Some(file) = &args.backup {
            back_up(&found, file, context).await?;
        }
        let removing = remove_all(context, &found, args.delete_data);
        match lease(context, &found).await? {
            Some(lease) => lease.hold(removing).await?,
            None => removing.await?,
        }
        for (cloud, group) in &groups {
            logs::delete_group(cloud, group).await?;
        }
    }
    context.reporter.result(&Removed {
        stage: context.project.stage.name.clone(),
        stacks: found.values().map(|stack| stack.deployed.stack.name.clone()).collect(),
        log_groups: groups.into_iter().map(|(_, group)| group).collect(),
        kept,
    })
}

/// Writes the items of all tables that go.
async fn back_up(found: &BTreeMap<StackId, Found>, file: &Path, context: &Context<'_>) -> Result<()> {
    let tables: Vec<_> = found
        .iter()
        .flat_map(|(stack, found)| {
            let tables = found.deployed.resources_of(TABLES);
            tables.map(move |table| (stack, &found.cloud, table))
        })
        .collect();
    let ids: Vec<_> = tables
        .iter()
        .map(|(stack, _, table)| (stack.as_str(), table.logical_id.as_str()))
        .collect();
    let named = tables.iter().zip(seed::names_of(&ids));
    let sources: Vec<Source<'_>> = named
        .map(|((stack, cloud, table), id)| Source {
            cloud,
            stack: stack.to_string(),
            id,
            name: table.physical_id.clone(),
        })
        .collect();
    if sources.is_empty() {
        context
            .reporter
            .warn("no table goes, so that there is nothing to back up");
        return Ok(());
    }
    let written = backup::write(&sources, file, context.reporter).await?;
    context
        .reporter
        .finished("backup", backup::describe(&written, file), false);
    Ok(())
}

/// A stack that may go: what is in it, and the template that it was made from.
struct Found {
    cloud: Cloud,
    deployed: Deployed,
    template: Option<Template>,
    /// The project has no template of it any more.
    is_orphan: bool,
}

impl Found {
    /// Whether its template is too large for a request.
    fn is_large(&self) -> bool {
        self.template.as_ref().is_some_and(stacks::is_large)
    }

    /// The bucket that large templates go through, if it has it.
    fn template_bucket(&self) -> Option<TemplateBucket> {
        self.deployed.stack.outputs.get(CODE_BUCKET).map(|name| TemplateBucket {
            name: name.clone(),
            region: self.cloud.region.clone(),
        })
    }
}

/// The region that stacks of certificates for CloudFront are in.
const CLOUDFRONTS_REGION: &str = "us-east-1";

/// The stage's stacks whose templates are gone. An identity that may not list stacks goes without.
async fn orphans(context: &Context<'_>) -> Result<BTreeMap<StackId, (Cloud, Stack)>> {
    let mut clouds = vec![context.cloud.clone()];
    if context.cloud.partition == "aws" && context.cloud.region != CLOUDFRONTS_REGION {
        clouds.push(context.cloud.in_region(CLOUDFRONTS_REGION)?);
    }
    let known: BTreeSet<String> = context
        .project
        .stacks()
        .map(|stack| context.stack_name(&stack.id))
        .collect();
    let prefix = context.project.stack_prefix();
    let mut orphans = BTreeMap::new();
    for cloud in clouds {
        let names = match read::names_with_prefix(&cloud, &prefix).await {
            Ok(names) => names,
            Err(error) if error.is_access_denied() => {
                context.reporter.warn(format!(
                    "stacks whose templates are gone weren't looked for in {}: this identity may not list stacks \
                     (cloudformation:ListStacks)",
                    cloud.region
                ));
                continue;
            }
            Err(error) => return Err(error),
        };
        // In another region a name ends in the stage's own, for which other stages of this name are elsewhere.
        let suffix = if cloud.region == context.cloud.region {
            String::new()
        } else {
            format!("-{}", context.cloud.region)
        };
        for name in names.into_iter().filter(|name| !known.contains(name)) {
            let Some(id) = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(&suffix)) else {
                continue;
            };
            // Whose it is only the stack itself tells: other projects' names may begin alike.
            if let Some(stack) = read::describe(&cloud, &name).await?
                && ownership::owner(&stack, &context.project) == Owner::ThisStage
            {
                orphans.insert(StackId::new(id), (cloud.clone(), stack));
            }
        }
    }
    Ok(orphans)
}

async fn looked_into(
    context: &Context<'_>,
    own: BTreeMap<StackId, Stack>,
    orphans: BTreeMap<StackId, (Cloud, Stack)>,
) -> Result<BTreeMap<StackId, Found>> {
    let own = own
        .into_iter()
        .map(|(id, stack)| (context.cloud_of(&id).clone(), id, stack, false));
    let orphans = orphans.into_iter().map(|(id, (cloud, stack))| (cloud, id, stack, true));
    let looked = try_join_all(own.chain(orphans).map(async |(cloud, id, stack, is_orphan)| {
        let has_template = stack.state() != StackState::InReview;
        let template = async {
            if has_template {
                read::deployed_template(&cloud, &stack.arn).await.map(Some)
            } else {
                Ok(None)
            }
        };
        let (resources, template) = tokio::try_join!(read::resources(&cloud, &stack.arn), template)?;
        let deployed = Deployed { stack, resources };
        Ok::<_, Error>((
            id,
            Found {
                cloud,
                deployed,
                template,
                is_orphan,
            },
        ))
    }));
    Ok(looked.await?.into_iter().collect())
}

/// What keeps a stack's data. Any one does: what is deployed decides, whatever this checkout says, and the other way round.
#[derive(Debug, Clone, Copy)]
enum Protection {
    /// `protected: true` in stacks/stages.yaml.
    Written,
    /// The stack was deployed so.
    Deployed,
    /// A table of it has deletion protection, however it got that.
    OfTable,
    /// It has the bucket through which the template of another goes that stays, and whose protection is lifted some day.
    HasBucket,
}

/// The stacks whose data is protected: those of a protected stage that hold some, and any that has a protected table.
async fn protections(context: &Context<'_>, found: &BTreeMap<StackId, Found>) -> Result<Vec<(StackId, Protection)>> {
    let looked = try_join_all(found.iter().map(async |(id, stack)| {
        let keeps_data = stack.template.as_ref().is_some_and(protection::keeps_data);
        let protection = if keeps_data && context.project.stage.protected {
            Some(Protection::Written)
        } else if keeps_data && stack.deployed.stack.is_protected() {
            Some(Protection::Deployed)
        } else {
            let tables = stack.deployed.resources_of(&[TABLE]);
            let protected =
                try_join_all(tables.map(|found| table::is_protected(&stack.cloud, &found.physical_id))).await?;
            protected.contains(&true).then_some(Protection::OfTable)
        };
        Ok::<_, Error>(protection.map(|protection| (id.clone(), protection)))
    }));
    Ok(looked.await?.into_iter().flatten().collect())
}

const TABLE: &str = "AWS::DynamoDB::Table";
const BUCKET: &str = "AWS::S3::Bucket";

/// A stack that stays.
struct Kept {
    stack: String,
    /// Whether lifting its protection takes the bucket of large templates.
    is_large: bool,
    protection: Protection,
}

/// The log groups that Lambda made for functions that go, and that no stack owns: nobody else would remove them.
async fn unowned_log_groups(found: &BTreeMap<StackId, Found>) -> Result<Vec<(Cloud, String)>> {
    let owned: BTreeSet<&str> = found
        .values()
        .flat_map(|stack| stack.deployed.resources_of(&["AWS::Logs::LogGroup"]))
        .map(|group| group.physical_id.as_str())
        .collect();
    let mut groups = Vec::new();
    for stack in found.values() {
        for function in stack.deployed.resources_of(&[FUNCTION]) {
            let group = format!("/aws/lambda/{}", function.physical_id);
            if !owned.contains(group.as_str()) && logs::group_exists(&stack.cloud, &group).await? {
                groups.push((stack.cloud.clone(), group));
            }
        }
    }
    Ok(groups)
}

/// What the user loses, in the user's words.
fn losses(context: &Context<'_>, found: &BTreeMap<StackId, Found>, groups: &[(Cloud, String)]) -> Vec<String> {
    let mut losses = Vec::new();
    for (id, stack) in found {
        let before = losses.len();
        let deployed = &stack.deployed;
        if let Some(template) = context.project.stack(id).filter(|_| !stack.is_orphan) {
            if context.project.site_stack().is_some_and(|site| site.id == *id) {
                let origin = address::site_origin(&stack.cloud, template, deployed);
                losses.push(format!(
                    "the site{}",
                    origin.map_or(String::new(), |origin| format!(" at {origin}"))
                ));
            }
            let apis = address::apis(&stack.cloud, template, deployed);
            losses.extend(apis.into_iter().map(|api| format!("the API at {}", api.url)));
        }
        let functions = deployed.resources_of(&[FUNCTION]);
        losses.extend(functions.map(|function| format!("the function {} with its logs", function.physical_id)));
        let goes = |id: &str| {
            stack
                .template
                .as_ref()
                .is_none_or(|template| template.goes_with_stack(id))
        };
        for held in deployed
            .resources
            .iter()
            .filter(|resource| protection::holds_data(&resource.resource_type))
        {
            let name = &held.physical_id;
            match held.resource_type.as_str() {
                TABLE => losses.push(format!("the table {name} with all its items")),
                BUCKET if goes(&held.logical_id) => losses.push(format!("the bucket {name} with everything in it")),
                _ if !goes(&held.logical_id) => {}
                kind => losses.push(format!("the {kind} {name} with what is in it")),
            }
        }
        if stack.is_orphan {
            losses.push(format!(
                "the stack {}, whose template is gone from the project",
                deployed.stack.name
            ));
        } else if losses.len() == before {
            losses.push(format!("the stack {}", deployed.stack.name));
        }
    }
    losses.extend(
        groups
            .iter()
            .map(|(_, group)| format!("the log group {group}, which Lambda made")),
    );
    losses
}

/// The question may have stood there for long: what it was about must still be what is there.
async fn check_unchanged(asked: &BTreeMap<StackId, Found>) -> Result<()> {
    let same = try_join_all(asked.values().map(async |found| {
        let stack = &found.deployed.stack;
        let now = read::describe(&found.cloud, &stack.name).await?;
        let is_same = |now: Stack| stack.is_unchanged(&now) && now.status == stack.status;
        Ok::<_, Error>(now.is_some_and(is_same))
    }));
    if same.await?.into_iter().all(|same| same) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::ChangedMeanwhile,
        "the stage was changed since it was looked at",
    )
    .hint("Nothing was removed. Run `deployer down` again: it asks about what is there now."))
}

/// The right to change the stage, if it has a bucket to tell others by.
async fn lease<'a>(context: &'a Context<'_>, found: &'a BTreeMap<StackId, Found>) -> Result<Option<StageLease<'a>>> {
    let mut stacks = found.values();
    let place = stacks.find_map(|found| Some((&found.cloud, found.deployed.stack.outputs.get(CODE_BUCKET)?)));
    let Some((cloud, bucket)) = place else {
        return Ok(None);
    };
    let lease = StageLease::take(cloud, bucket, "down", context.reporter).await?;
    if lease.as_ref().is_some_and(|lease| lease.has_waited) {
        check_unchanged(found).await?;
    }
    Ok(lease)
}

/// Deletes each stack once those that get something from it are gone. All that can be deleted is, whatever fails beside it.
async fn remove_all(context: &Context<'_>, found: &BTreeMap<StackId, Found>, data_too: bool) -> Result<()> {
    let mut promises = BTreeMap::new();
    let mut gone: BTreeMap<&StackId, Dependency<()>> = BTreeMap::new();
    for id in found.keys() {
        let (promise, dependency) = promise();
        promises.insert(id, promise);
        gone.insert(id, dependency);
    }
    let gone = &gone;
    let bucket = found.values().find_map(Found::template_bucket);
    // The bucket stays until no large template has to go through it any more.
    let mut lifts = BTreeMap::new();
    let mut lifted = Vec::new();
    for (id, _) in found.iter().filter(|(_, stack)| stack.is_large()) {
        let (promise, dependency) = promise();
        lifts.insert(id, promise);
        lifted.push(dependency);
    }
    let (bucket, lifted) = (bucket.as_ref(), &lifted);
    let removals = promises
        .into_iter()
        .map(|(id, promise)| (id, promise, lifts.remove(id)));
    // All at once: `lifts` is empty then, and nobody waits for what nobody will do.
    let removals: Vec<_> = removals.collect();
    let removals = removals.into_iter().map(async |(id, promise, lift)| {
        let stack = &found[id];
        let edges = context
            .project
            .wiring()
            .edges()
            .filter(|edge| !edge.late && edge.producer == *id);
        let consumers = edges.map(|edge| &edge.consumer);
        let orphans = found
            .iter()
            .filter(|(_, other)| other.is_orphan && !stack.is_orphan)
            .map(|(other, _)| other);
        let others = consumers.chain(orphans).filter_map(|other| gone.get(other));
        let others = try_join_all(others.map(async |other| other.clone().wait().await));
        // What protects the data is lifted while others go: nothing of it goes before them.
        let released = async {
            let released = released(context, id, stack, data_too, bucket).await;
            // Where it failed, the next run needs the bucket for it: dropped unset, the promise keeps that.
            if let Some(lift) = lift
                && released.is_ok()
            {
                lift.set(());
            }
            released
        };
        let lifted = lifted.iter().filter(|_| stack.template_bucket().is_some());
        let lifted = try_join_all(lifted.map(async |lifted| lifted.clone().wait().await));
        let (template, others, lifted) = tokio::join!(released, others, lifted);
        let removed = match (template, others, lifted) {
            (Ok(template), Ok(_), Ok(_)) => remove_one(context, id, stack, template.as_ref()).await,
            (Err(error), ..) => Err(error),
            // What failed has said why.
            (Ok(_), ..) => return None,
        };
        match &removed {
            Ok(()) => promise.set(()),
            Err(error) => context.reporter.stopped(id.as_str(), error.message()),
        }
        removed.err()
    });
    match join_all(removals).await.into_iter().flatten().next() {
        None => Ok(()),
        Some(first) => Err(first.hint("Correct the cause and run `deployer down` again; it goes on from here.")),
    }
}

/// Lifts what protects a stack's data. Returns the template that it has then, if it has any.
async fn released(
    context: &Context<'_>,
    id: &StackId,
    found: &Found,
    data_too: bool,
    bucket: Option<&TemplateBucket>,
) -> Result<Option<Template>> {
    let stack = &found.deployed.stack;
    match &found.template {
        Some(deployed) if (data_too || protection::keeps_data(deployed)) && stack.state() == StackState::Ready => {
            let released = remove::release(&found.cloud, id, stack, deployed, bucket, context.reporter).await?;
            Ok(Some(released))
        }
        template => Ok(template.clone()),
    }
}

async fn remove_one(context: &Context<'_>, id: &StackId, found: &Found, template: Option<&Template>) -> Result<()> {
    let (cloud, reporter, stack) = (&found.cloud, context.reporter, &found.deployed.stack);
    let to_remove = remove::StackToRemove {
        stack,
        resources: &found.deployed.resources,
        template,
    };
    remove::stack(cloud, id, to_remove, Data::Too, reporter).await?;
    reporter.finished(id.as_str(), format!("deleted {}", stack.name), true);
    Ok(())
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
