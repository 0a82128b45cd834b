//! `deployer down`: a stage, back to nothing.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::StackResourceSummary;
use futures::future::{join_all, try_join_all};
use serde::{Serialize, Serializer};

use crate::cli::DownArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::project::Tier;
use crate::report::{Event, Outcome, Paint};
use crate::stack::ownership::Adoption;
use crate::stack::read::{self, Stack};
use crate::stack::remove::{self, Data};
use crate::stack::status::Meaning;
use crate::table;

/// Runs the command.
pub async fn run(args: &DownArgs, context: &Context<'_>) -> Result<()> {
    let _lock = context.lock().await?;
    let adoption = Adoption {
        stacks: &args.adopt,
        strangers: false,
    };
    let mut found = context.settled_stacks(adoption).await?;
    let resources = resources(context, &found).await?;
    let mut kept = Vec::new();
    if !args.delete_data {
        for (tier, protection) in protections(context, &found, &resources).await? {
            kept.extend(found.remove(&tier).map(|stack| Kept {
                stack: stack.name,
                protection,
            }));
        }
    }
    if !found.is_empty() {
        let (stage, project) = (&context.project.stage.name, &context.project.name);
        let losses = losses(context, &found, &resources).await?;
        let what = format!("remove the stage {stage} of {project}");
        context.reporter.confirm(&what, &losses).await?;
        check_unchanged(context, &found, adoption).await?;
        remove_all(context, &found, args.delete_data).await?;
    }
    context.reporter.outcome(&Removed {
        stage: context.project.stage.name.clone(),
        stacks: found.values().map(|stack| stack.name.clone()).collect(),
        kept,
    })
}

type Resources = BTreeMap<Tier, Vec<StackResourceSummary>>;

async fn resources(context: &Context<'_>, found: &BTreeMap<Tier, Stack>) -> Result<Resources> {
    let listed = found.iter().map(async |(tier, stack)| {
        let resources = read::resources(&context.cloud, stack).await?;
        Ok::<_, Error>((*tier, resources))
    });
    Ok(try_join_all(listed).await?.into_iter().collect())
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
}

/// The stacks whose data is protected: the data stack of a protected stage, and any that has a protected table.
async fn protections(
    context: &Context<'_>,
    found: &BTreeMap<Tier, Stack>,
    resources: &Resources,
) -> Result<Vec<(Tier, Protection)>> {
    let mut protections = Vec::new();
    for (tier, stack) in found {
        let protection = if *tier == Tier::Data && context.project.stage.protected {
            Some(Protection::Written)
        } else if *tier == Tier::Data && stack.is_protected() {
            Some(Protection::Deployed)
        } else {
            let mut protected = false;
            for (_, table) in tables(of_tier(resources, *tier)) {
                protected = protected || table::is_protected(&context.cloud, &table).await?;
            }
            protected.then_some(Protection::OfTable)
        };
        protections.extend(protection.map(|protection| (*tier, protection)));
    }
    Ok(protections)
}

fn of_tier(resources: &Resources, tier: Tier) -> &[StackResourceSummary] {
    resources.get(&tier).map(Vec::as_slice).unwrap_or_default()
}

fn tables(resources: &[StackResourceSummary]) -> impl Iterator<Item = (String, String)> {
    read::names_of(resources, "AWS::DynamoDB::Table")
}

/// A stack that stays.
struct Kept {
    stack: String,
    protection: Protection,
}

/// What the user loses, in the user's words.
async fn losses(context: &Context<'_>, found: &BTreeMap<Tier, Stack>, resources: &Resources) -> Result<Vec<String>> {
    let mut losses = Vec::new();
    for (tier, stack) in found {
        let output = |key: &str| stack.outputs.get(key).map(String::as_str);
        let origin = output("DistributionDomain").map(|domain| context.cloud.endpoint.site_origin(domain));
        let resources = of_tier(resources, *tier);
        let mut tables = tables(resources).peekable();
        match tier {
            Tier::Data if tables.peek().is_none() => losses.push("the data stack".to_owned()),
            Tier::Data => {}
            Tier::Presentation => losses.push(format!(
                "the site{}",
                origin.map_or(String::new(), |origin| format!(" at {origin}"))
            )),
            Tier::Logic => losses.push(format!(
                "the API and the function {} with its logs",
                output("FunctionName").unwrap_or("behind it")
            )),
            Tier::Artifacts => losses.push("the function's packages".to_owned()),
        }
        losses.extend(tables.map(|(_, table)| format!("the table {table} with all its items")));
        for bucket in read::doomed_buckets(&context.cloud, stack, resources).await? {
            losses.push(format!("the bucket {bucket} with everything in it"));
        }
    }
    Ok(losses)
}

/// The question may have stood there for long: what it was about must still be what is there.
async fn check_unchanged(context: &Context<'_>, asked: &BTreeMap<Tier, Stack>, adoption: Adoption<'_>) -> Result<()> {
    let now = context.own_stacks(adoption).await?;
    let is_same = |(tier, stack): (&Tier, &Stack)| {
        now.get(tier)
            .is_some_and(|now| now.arn == stack.arn && now.status == stack.status && now.changed == stack.changed)
    };
    if asked.iter().all(is_same) {
        return Ok(());
    }
    Err(Error::failed("the stage was changed while you were asked about it")
        .hint("Nothing was removed. Run `deployer down` again: it asks about what is there now."))
}

/// Deletes in reverse order: the logic tier stands on the others, and they stand on nothing.
async fn remove_all(context: &Context<'_>, found: &BTreeMap<Tier, Stack>, data_too: bool) -> Result<()> {
    for wave in [vec![Tier::Logic], vec![Tier::Presentation, Tier::Artifacts, Tier::Data]] {
        let removals = wave.into_iter().filter_map(|tier| Some((tier, found.get(&tier)?)));
        // All of a wave are seen through: what could be deleted is deleted, whatever failed beside it.
        let failures: Vec<Error> = join_all(removals.map(|(tier, stack)| async move {
            let removed = remove_one(context, tier, stack, data_too).await;
            if let Err(error) = &removed {
                context.reporter.event(&Event::Stopped {
                    part: tier.as_str(),
                    message: error.message().to_owned(),
                });
            }
            removed.err()
        }))
        .await
        .into_iter()
        .flatten()
        .collect();
        if let Some(first) = failures.into_iter().next() {
            return Err(first.hint("Correct the cause and run `deployer down` again; it goes on from here."));
        }
    }
    Ok(())
}

async fn remove_one(context: &Context<'_>, tier: Tier, stack: &Stack, data_too: bool) -> Result<()> {
    let (cloud, reporter) = (&context.cloud, context.reporter);
    if (tier == Tier::Data || data_too) && stack.meaning().meaning == Meaning::Ready {
        remove::release(cloud, tier, stack, reporter).await?;
    }
    remove::stack(cloud, tier, stack, Data::Too, reporter).await?;
    reporter.finished(tier.as_str(), format!("deleted {}", stack.name), true);
    Ok(())
}

#[derive(Serialize)]
struct Removed {
    stage: String,
    #[serde(rename = "removed")]
    stacks: Vec<String>,
    #[serde(serialize_with = "names_of_kept")]
    kept: Vec<Kept>,
}

fn names_of_kept<S: Serializer>(kept: &[Kept], serializer: S) -> Result<S::Ok, S::Error> {
    let names: Vec<&str> = kept.iter().map(|kept| kept.stack.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", ")).serialize(serializer)
}

impl Outcome for Removed {
    fn text(&self, paint: &Paint) -> String {
        let mut text = if self.stacks.is_empty() && !self.kept.is_empty() {
            format!("Nothing more to remove of the stage {}.\n", self.stage)
        } else if self.stacks.is_empty() {
            format!("Nothing to remove: the stage {} isn't deployed.\n", self.stage)
        } else {
            format!("{}\n", paint.bold(&format!("The stage {} is removed.", self.stage)))
        };
        for Kept { stack, protection } in &self.kept {
            let why = match protection {
                Protection::Written => "since the stage is protected",
                Protection::Deployed => "since it was deployed as protected, whatever stacks/stages.yaml says here",
                Protection::OfTable => "since it has deletion protection, whatever stacks/stages.yaml says here",
            };
            text.push_str(&format!(
                "Its table is kept, in the stack {stack}, {why}. `deployer down --stage {} --delete-data` deletes it, \
                 too.\n",
                self.stage
            ));
        }
        text
    }
}
