//! `deployer seed`: the seed items, into the stage's tables.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use serde::Serialize;

use crate::cli::SeedArgs;
use crate::context::{Context, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::project::stacks::StackId;
use crate::report::{CommandResult, Paint};
use crate::seeding::{self, Progress, SeededTable};
use crate::stack::follow;
use crate::stack::ownership::Adoption;
use crate::stack::read::{self, Deployed, Stack};

/// Runs the command. The items are read and checked before anything is asked of the cloud.
pub(crate) async fn run(args: &SeedArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let project = super::open(global, reporter)?;
    let seeds = project.seeds(args.file.as_deref(), args.table.as_deref())?;
    let context = Context::connect(project, session).await?;
    let stacks = context.own_stacks(Adoption::default()).await?;
    reporter.working("seed", format!("{} items", seeds.count()));
    let progress = &Progress::new(reporter, seeds.count());
    let seeded = try_join_all(seeds.by_stack().into_iter().map(async |(id, tables)| {
        let deployed = settled(&context, &id, &stacks).await?;
        let cloud = context.cloud_of(&id);
        let seeded = seeding::seed_stack(cloud, &deployed, &tables, args.overwrite, progress).await?;
        // Another file's items aren't those that `up` seeds.
        if args.file.is_none() {
            let names = seeded.iter().map(|table| table.name.as_str());
            seeding::mark_all(cloud, names, reporter).await;
        }
        Ok::<_, Error>(seeded)
    }))
    .await?;
    let tables: Vec<SeededTable> = seeded.into_iter().flatten().collect();
    let changed = tables
        .iter()
        .any(|table| table.seeded.added + table.seeded.overwritten > 0);
    reporter.finished("seed", seeding::describe(&tables), changed);
    reporter.result(&SeedOutcome { tables })
}

/// The stack of a table with what is in it, once no operation is under way on it.
pub(super) async fn settled(
    context: &Context<'_>,
    id: &StackId,
    stacks: &BTreeMap<StackId, Stack>,
) -> Result<Deployed> {
    let found = match stacks.get(id) {
        Some(stack) => follow::settled(context.cloud_of(id), id, stack.clone(), context.reporter).await?,
        None => None,
    };
    let stack = found.ok_or_else(|| {
        Error::new(
            ErrorKind::NotDeployed,
            format!(
                "the stage {} has no such table yet: there is no stack {}",
                context.project.stage.name,
                context.stack_name(id)
            ),
        )
        .hint(format!(
            "Deploy it first: `deployer up --stage {}`.",
            context.project.stage.name
        ))
    })?;
    let resources = read::resources(context.cloud_of(id), &stack.arn).await?;
    Ok(Deployed { stack, resources })
}

#[derive(Serialize)]
struct SeedOutcome {
    tables: Vec<SeededTable>,
}

impl CommandResult for SeedOutcome {
    fn text(&self, _: &Paint) -> String {
        // The last event has said it.
        String::new()
    }
}
