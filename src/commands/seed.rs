//! `deployer seed`: the seed items, into the stage's table.

use serde::Serialize;

use crate::cli::{Global, SeedArgs};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::project::{Project, Tier};
use crate::report::{Outcome, Paint, Reporter};
use crate::seeding::{self, Seeded};
use crate::stack::follow;
use crate::stack::ownership::Adoption;

/// Runs the command. The items are read and checked before anything is asked of the cloud.
pub async fn run(args: &SeedArgs, global: &Global, reporter: &Reporter) -> Result<()> {
    let project = Project::open(&global.project_dir, &global.stage)?;
    let items = project.seed_items(args.file.as_deref())?;
    let context = Context::connect(project, global, reporter).await?;
    let stack = match context.own_stacks(Adoption::default()).await?.remove(&Tier::Data) {
        Some(stack) => follow::settled(&context.cloud, Tier::Data, stack, reporter).await?,
        None => None,
    };
    let stack = stack.ok_or_else(|| {
        Error::failed(format!(
            "the stage {} has no table yet: there is no stack {}",
            context.project.stage.name,
            context.project.stack_name(Tier::Data)
        ))
        .hint(format!(
            "Deploy it first: `deployer up --stage {}`.",
            context.project.stage.name
        ))
    })?;
    let table = stack.output("TableName")?;
    reporter.working("seed", format!("{} items into {table}", items.len()));
    let seeded = seeding::seed(&context.cloud, &table, &items, args.overwrite, reporter).await?;
    reporter.finished("seed", seeded.describe(), seeded.added + seeded.overwritten > 0);
    reporter.outcome(&SeedOutcome { table, seeded })
}

#[derive(Serialize)]
struct SeedOutcome {
    #[serde(rename = "tableName")]
    table: String,
    #[serde(rename = "items")]
    seeded: Seeded,
}

impl Outcome for SeedOutcome {
    fn text(&self, _: &Paint) -> String {
        // The last event has said it.
        String::new()
    }
}
