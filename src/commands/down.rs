//! `deployer down`: a stage, back to nothing.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde::{Serialize, Serializer};

use crate::cli::DownArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::project::Tier;
use crate::report::{Event, Outcome, Paint};
use crate::stack::read::{self, Stack};
use crate::stack::remove::{self, Data};
use crate::stack::status::Meaning;
use crate::table;

/// Runs the command.
pub async fn run(args: &DownArgs, context: &Context<'_>) -> Result<()> {
    let _lock = context.lock().await?;
    let mut found = context.settled_stacks(&[]).await?;
    let kept = match protection(context, &found).await? {
        Some(protection) if !args.delete_data => found.remove(&Tier::Data).map(|stack| Kept {
            stack: stack.name,
            protection,
        }),
        _ => None,
    };
    if !found.is_empty() {
        context
            .reporter
            .confirm(
                &format!(
                    "remove the stage {} of {}",
                    context.project.stage.name, context.project.name
                ),
                &losses(context, &found).await?,
            )
            .await?;
        remove_all(context, &found).await?;
    }
    context.reporter.outcome(&Removed {
        stage: context.project.stage.name.clone(),
        stacks: found.values().map(|stack| stack.name.clone()).collect(),
        kept,
    })
}

/// What keeps a stage's data. Any one does: what is deployed decides, whatever this checkout says, and the other way round.
#[derive(Debug, Clone, Copy)]
enum Protection {
    /// `protected: true` in stacks/stages.yaml.
    Written,
    /// The data stack was deployed so.
    Deployed,
    /// A table of it has deletion protection, however it got that.
    OfTable,
}

async fn protection(context: &Context<'_>, found: &BTreeMap<Tier, Stack>) -> Result<Option<Protection>> {
    let Some(data) = found.get(&Tier::Data) else {
        return Ok(None);
    };
    if context.project.stage.protected {
        return Ok(Some(Protection::Written));
    }
    if data.is_protected() {
        return Ok(Some(Protection::Deployed));
    }
    let resources = read::resources(&context.cloud, data).await?;
    for (_, table) in read::names_of(&resources, "AWS::DynamoDB::Table") {
        if table::is_protected(&context.cloud, &table).await? {
            return Ok(Some(Protection::OfTable));
        }
    }
    Ok(None)
}

/// The stack that stays.
struct Kept {
    stack: String,
    protection: Protection,
}

/// What the user loses, in the user's words.
async fn losses(context: &Context<'_>, found: &BTreeMap<Tier, Stack>) -> Result<Vec<String>> {
    let mut losses = Vec::new();
    for (tier, stack) in found {
        let resources = read::resources(&context.cloud, stack).await?;
        let output = |key: &str| stack.outputs.get(key).map(String::as_str);
        let origin = output("DistributionDomain").map(|domain| context.cloud.endpoint.site_origin(domain));
        losses.push(match tier {
            Tier::Data => format!(
                "the table {} with all its items",
                output("TableName").unwrap_or("of the stage")
            ),
            Tier::Presentation => format!(
                "the site{}",
                origin.map_or(String::new(), |origin| format!(" at {origin}"))
            ),
            Tier::Logic => format!(
                "the API and the function {} with its logs",
                output("FunctionName").unwrap_or("behind it")
            ),
            Tier::Artifacts => "the function's packages".to_owned(),
        });
        for bucket in read::doomed_buckets(&context.cloud, stack, &resources).await? {
            losses.push(format!("the bucket {bucket} with everything in it"));
        }
    }
    Ok(losses)
}

/// Deletes in reverse order: the logic tier stands on the others, and they stand on nothing.
async fn remove_all(context: &Context<'_>, found: &BTreeMap<Tier, Stack>) -> Result<()> {
    for wave in [vec![Tier::Logic], vec![Tier::Presentation, Tier::Artifacts, Tier::Data]] {
        let removals = wave.into_iter().filter_map(|tier| Some((tier, found.get(&tier)?)));
        // All of a wave are seen through: what could be deleted is deleted, whatever failed beside it.
        let failures: Vec<Error> = join_all(removals.map(|(tier, stack)| async move {
            let removed = remove_one(context, tier, stack).await;
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

async fn remove_one(context: &Context<'_>, tier: Tier, stack: &Stack) -> Result<()> {
    let (cloud, reporter) = (&context.cloud, context.reporter);
    if tier == Tier::Data && stack.meaning().meaning == Meaning::Ready {
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
    #[serde(serialize_with = "name_of_kept")]
    kept: Option<Kept>,
}

fn name_of_kept<S: Serializer>(kept: &Option<Kept>, serializer: S) -> Result<S::Ok, S::Error> {
    kept.as_ref().map(|kept| &kept.stack).serialize(serializer)
}

impl Outcome for Removed {
    fn text(&self, paint: &Paint) -> String {
        let mut text = if self.stacks.is_empty() && self.kept.is_some() {
            format!("Nothing more to remove of the stage {}.\n", self.stage)
        } else if self.stacks.is_empty() {
            format!("Nothing to remove: the stage {} isn't deployed.\n", self.stage)
        } else {
            format!("{}\n", paint.bold(&format!("The stage {} is removed.", self.stage)))
        };
        if let Some(Kept { stack, protection }) = &self.kept {
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
