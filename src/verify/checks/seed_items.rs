//! The seed items are in their tables.

use crate::project::stacks::StackId;
use crate::project::stages::Seeding;
use crate::project::tables::TABLES;
use crate::seeding;
use crate::verify::layer::Layer;
use crate::verify::stage::Stage;
use crate::verify::{Check, Look, Problem};

pub(super) struct SeedItems;

impl Check for SeedItems {
    fn id(&self) -> &'static str {
        "seed-items"
    }

    fn layer(&self) -> Layer {
        Layer::Data
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let tables = stage.seeds.tables().map(|(table, items)| {
            let id = StackId::new(&table.stack);
            let resource = format!("{}.{}", table.stack, table.logical_id);
            Look::new(resource, vec![id.clone()], move |round| {
                let found = stage.stack(&id).and_then(|stack| {
                    let mut tables = stack.resources_of(TABLES);
                    tables.find(|found| found.logical_id == table.logical_id)
                });
                async move {
                    let Some(found) = found else {
                        return Err(Problem::failed(
                            format!("the stack has no table {}", table.logical_id),
                            format!("`deployer up --only {}` makes it.", table.stack),
                        ));
                    };
                    let there = stage.seeded(found, &table.keys, items, round).await?;
                    let missing = || items.iter().filter(|item| !there.contains(&item.key));
                    let Some(first) = missing().next() else {
                        return Ok(format!("all {} are in {}", items.len(), found.name));
                    };
                    let evidence = format!(
                        "{} of {} items aren't in {}, {} among them",
                        missing().count(),
                        items.len(),
                        found.name,
                        first.key
                    );
                    let next_step = "`deployer seed` puts them there.";
                    // What was deleted since, or is put there by others, is nobody's fault.
                    let policy = stage.project.stage.seed;
                    let may_be_missing = match policy {
                        Seeding::Always => false,
                        Seeding::Once => seeding::is_marked(found.cloud(), found.name).await?,
                        Seeding::Never => true,
                    };
                    if may_be_missing {
                        let evidence = format!("{evidence}; `up` doesn't put them there (`seed: {}`)", policy.as_str());
                        Err(Problem::not_proven(evidence, next_step))
                    } else {
                        Err(Problem::failed(evidence, next_step))
                    }
                }
            })
        });
        tables.collect()
    }
}
