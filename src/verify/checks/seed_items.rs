//! The seed items are in their tables.

use crate::project::stacks::StackId;
use crate::project::tables::TABLES;
use crate::verify::layer::Layer;
use crate::verify::stage::Stage;
use crate::verify::{Check, Finding, Look, Problem};

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
                    let finding: Finding = match missing().next() {
                        None => Ok(format!("all {} are in {}", items.len(), found.name)),
                        Some(first) => Err(Problem::failed(
                            format!(
                                "{} of {} items aren't in {}, {} among them",
                                missing().count(),
                                items.len(),
                                found.name,
                                first.key
                            ),
                            "`deployer seed` puts them there.",
                        )),
                    };
                    finding
                }
            })
        });
        tables.collect()
    }
}
