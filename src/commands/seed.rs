//! `deployer seed`: the seed items, into the stage's tables.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use futures::future::try_join_all;
use serde::Serialize;

use crate::cli::SeedArgs;
use crate::context::{Context, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::project::Project;
use crate::project::seeds::StageSeeds;
use crate::project::stacks::StackId;
use crate::report::{CommandResult, Paint};
use crate::seeding::{self, Progress, SeededTable};
use crate::stack::follow;
use crate::stack::ownership::Adoption;
use crate::stack::read::{self, Deployed, Stack};

/// Runs the command. The items are read and checked before anything is asked of the cloud. Of a large file that is all that
/// is done with them then: they are read again as they are put, some after the others.
pub(crate) async fn run(args: &SeedArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let project = super::open(global, reporter)?;
    let tables = seeded(args, project, async |project| Context::connect(project, session).await).await?;
    reporter.result(&SeedOutcome { tables })
}

/// The same for a project that was opened, where `connect` says. Returns what was done with each table.
pub(crate) async fn seeded<'a>(
    args: &SeedArgs,
    project: Project,
    connect: impl AsyncFnOnce(Project) -> Result<Context<'a>>,
) -> Result<Vec<SeededTable>> {
    let lines = args.file.as_deref();
    let lines = lines.and_then(|file| project.seed_lines(file, args.table.as_deref()));
    let counted = match &lines {
        Some(lines) => lines.count()?.map(|count| (lines, count)),
        None => None,
    };
    let whole = match counted {
        Some(_) => None,
        None => Some(project.seeds(args.file.as_deref(), args.table.as_deref())?),
    };
    let context = connect(project).await?;
    let reporter = context.reporter;
    let stacks = context.own_stacks(Adoption::default()).await?;
    let count = counted.map_or_else(|| whole.as_ref().map_or(0, StageSeeds::count), |(_, count)| count);
    reporter.working("seed", format!("{count} items"));
    let seeder = Seeder {
        context: &context,
        stacks: &stacks,
        args,
        progress: Progress::new(reporter, count),
    };
    let mut tables = Tables::default();
    match (counted, whole) {
        (Some((lines, _)), _) => {
            for seeds in lines.parts()? {
                seeder.put(&seeds?, &mut tables).await?;
            }
        }
        (None, seeds) => seeder.put(&seeds.unwrap_or_default(), &mut tables).await?,
    }
    let tables: Vec<SeededTable> = tables.seeded.into_values().collect();
    let changed = tables
        .iter()
        .any(|table| table.seeded.added + table.seeded.overwritten > 0);
    reporter.finished("seed", reporter.next_step(&seeding::describe(&tables)), changed);
    Ok(tables)
}

struct Seeder<'a> {
    context: &'a Context<'a>,
    stacks: &'a BTreeMap<StackId, Stack>,
    args: &'a SeedArgs,
    progress: Progress<'a>,
}

/// What is known of the tables so far.
#[derive(Default)]
struct Tables {
    /// The stacks that they are in.
    stacks: BTreeMap<StackId, Deployed>,
    /// What was done, by stack and logical id.
    seeded: BTreeMap<(String, String), SeededTable>,
}

impl Seeder<'_> {
    /// Puts items into their tables.
    async fn put(&self, seeds: &StageSeeds, tables: &mut Tables) -> Result<()> {
        let by_stack = seeds.by_stack();
        let new = by_stack.keys().filter(|id| !tables.stacks.contains_key(*id));
        let looked = try_join_all(new.map(async |id| {
            let deployed = settled(self.context, id, self.stacks).await?;
            Ok::<_, Error>((id.clone(), deployed))
        }));
        tables.stacks.extend(looked.await?);
        let known = &tables.stacks;
        let seeded = try_join_all(by_stack.iter().filter_map(|(id, items)| {
            let deployed = known.get(id)?;
            Some(async move {
                let cloud = self.context.cloud_of(id);
                let overwrite = self.args.overwrite;
                let seeded = seeding::seed_stack(cloud, deployed, items, overwrite, &self.progress).await?;
                // Another file's items aren't those that `up` seeds.
                if self.args.file.is_none() {
                    let names = seeded.iter().map(|table| table.name.as_str());
                    seeding::mark_all(cloud, names, self.context.reporter).await;
                }
                Ok::<_, Error>(seeded)
            })
        }))
        .await?;
        for table in seeded.into_iter().flatten() {
            match tables.seeded.entry((table.stack.clone(), table.id.clone())) {
                Entry::Vacant(entry) => {
                    entry.insert(table);
                }
                Entry::Occupied(mut entry) => entry.get_mut().seeded += table.seeded,
            }
        }
        Ok(())
    }
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
