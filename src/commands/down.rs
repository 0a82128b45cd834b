//! `deployer down`: a stage, back to nothing.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde::Serialize;

use super::Context;
use crate::bucket;
use crate::cli::DownArgs;
use crate::error::{Error, Result};
use crate::project::Tier;
use crate::report::{Event, Outcome, Paint};
use crate::stack::read::Stack;
use crate::stack::remove;
use crate::stack::status::Meaning;

/// Runs the command.
pub async fn run(args: &DownArgs, context: &Context<'_>) -> Result<()> {
    let mut found = context.settled_stacks().await?;
    let kept = if context.project.stage.protected && !args.delete_data {
        found.remove(&Tier::Data)
    } else {
        None
    };
    if !found.is_empty() {
        context.reporter.confirm(
            &format!(
                "remove the stage {} of {}",
                context.project.stage.name, context.project.name
            ),
            &losses(context, &found),
        )?;
        remove_all(context, &found).await?;
    }
    context.reporter.outcome(&Removed {
        stage: context.project.stage.name.clone(),
        stacks: found.values().map(|stack| stack.name.clone()).collect(),
        kept: kept.map(|stack| stack.name),
    })
}

/// What the user loses, in the user's words.
fn losses(context: &Context<'_>, found: &BTreeMap<Tier, Stack>) -> Vec<String> {
    let named = |tier: Tier, output: &str| {
        let stack = found.get(&tier)?;
        Some(stack.outputs.get(output).cloned().unwrap_or_else(|| stack.name.clone()))
    };
    [
        named(Tier::Data, "TableName").map(|table| format!("the table {table} with all its items")),
        named(Tier::Presentation, "DistributionDomain").map(|domain| {
            format!(
                "the site at {} with its files",
                context.cloud.endpoint.site_origin(&domain)
            )
        }),
        named(Tier::Logic, "FunctionName").map(|function| format!("the API and the function {function} with its logs")),
        named(Tier::Artifacts, "BucketName").map(|bucket| format!("the function packages in {bucket}")),
    ]
    .into_iter()
    .flatten()
    .collect()
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
    let bucket_output = match tier {
        Tier::Artifacts => "BucketName",
        Tier::Presentation => "SiteBucket",
        Tier::Data | Tier::Logic => "",
    };
    if let Some(name) = stack.outputs.get(bucket_output) {
        reporter.working(tier.as_str(), format!("emptying {name}"));
        bucket::empty(cloud, name).await?;
    }
    remove::stack(cloud, tier, stack, reporter).await?;
    reporter.finished(tier.as_str(), format!("deleted {}", stack.name), true);
    Ok(())
}

#[derive(Serialize)]
struct Removed {
    stage: String,
    #[serde(rename = "removed")]
    stacks: Vec<String>,
    kept: Option<String>,
}

impl Outcome for Removed {
    fn text(&self, paint: &Paint) -> String {
        let mut text = if self.stacks.is_empty() {
            format!("Nothing to remove: the stage {} isn't deployed.\n", self.stage)
        } else {
            format!("{}\n", paint.bold(&format!("The stage {} is removed.", self.stage)))
        };
        if let Some(kept) = &self.kept {
            text.push_str(&format!(
                "Its table is kept, in the stack {kept}, since the stage is protected. `deployer down --stage {} \
                 --delete-data` deletes it, too.\n",
                self.stage
            ));
        }
        text
    }
}
