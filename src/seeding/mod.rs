//! Putting the seed items of a table into it, whatever its key.

mod attribute;
mod mark;
mod present;
mod write;

use std::cell::Cell;
use std::ops::AddAssign;

use futures::future::try_join_all;
use serde::Serialize;

use crate::cloud::Cloud;
use crate::error::{Error, ErrorKind, Result};
use crate::project::seed::{Item, KeyAttribute, SeedTable};
use crate::project::tables::TABLES;
use crate::readiness;
use crate::report::{Reporter, counted};
use crate::stack::read::Deployed;
#[cfg(test)]
pub(crate) use attribute::map_to_dynamodb;
pub(crate) use mark::{is_marked, mark_all};
pub(crate) use present::{Compared, compared, present};
use write::Writer;

/// What seeding did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Seeded {
    /// Items that were missing and are there now.
    pub added: usize,
    /// Items that were there and were replaced.
    pub overwritten: usize,
    /// Items that were there and were left alone.
    pub kept: usize,
    /// How many of those aren't what the files have under their keys.
    pub different: usize,
}

impl AddAssign for Seeded {
    fn add_assign(&mut self, more: Self) {
        self.added += more.added;
        self.overwritten += more.overwritten;
        self.kept += more.kept;
        self.different += more.different;
    }
}

/// What seeding did to a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SeededTable {
    /// The stack that it is in.
    pub stack: String,
    /// Its key in the template.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How many items.
    #[serde(rename = "items")]
    pub seeded: Seeded,
}

/// "items: 2 added, 1 already there", of all tables together; with what replaces those that are there and differ.
pub(crate) fn describe(tables: &[SeededTable]) -> String {
    let sum = |of: fn(&Seeded) -> usize| tables.iter().map(|table| of(&table.seeded)).sum::<usize>();
    let counts = counted(&[
        (sum(|seeded| seeded.added), "added"),
        (sum(|seeded| seeded.overwritten), "overwritten"),
        (sum(|seeded| seeded.kept), "already there"),
    ]);
    let differs = match sum(|seeded| seeded.different) {
        0 => String::new(),
        1 => ", of which 1 differs; `deployer seed --overwrite` replaces it".to_owned(),
        several => format!(", of which {several} differ; `deployer seed --overwrite` replaces them"),
    };
    if counts.is_empty() {
        "no items to add".to_owned()
    } else {
        format!("items: {counts}{differs}")
    }
}

/// How far a run's seeding is, of all tables together.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    reporter: &'a Reporter,
    total: usize,
    done: Cell<usize>,
}

impl<'a> Progress<'a> {
    /// Nothing is done yet of so many items.
    pub(crate) fn new(reporter: &'a Reporter, total: usize) -> Self {
        Self {
            reporter,
            total,
            done: Cell::new(0),
        }
    }

    fn advance(&self, items: usize) {
        self.done.set(self.done.get() + items);
        let message = format!("{} of {} items", self.done.get(), self.total);
        self.reporter.working("seed", message);
    }
}

/// The table of a stack that has these items.
///
/// # Errors
/// The stack has no such table.
pub(crate) fn name_of<'s>(stack: &'s Deployed, table: &SeedTable) -> Result<&'s str> {
    let found = stack
        .resources_of(TABLES)
        .find(|resource| resource.logical_id == table.logical_id);
    found.map(|found| found.physical_id.as_str()).ok_or_else(|| {
        Error::new(
            ErrorKind::NotDeployed,
            format!("the stack {} has no table {} yet", stack.stack.name, table.logical_id),
        )
        .hint(format!("Deploy it first: `deployer up --only {}`.", table.stack))
    })
}

/// Seeds tables of a stack, side by side.
///
/// # Errors
/// The stack has no such table, or a call fails.
pub(crate) async fn seed_stack(
    cloud: &Cloud,
    stack: &Deployed,
    tables: &[(&SeedTable, &[Item])],
    overwrite: bool,
    progress: &Progress<'_>,
) -> Result<Vec<SeededTable>> {
    try_join_all(tables.iter().map(async |(table, items)| {
        let name = name_of(stack, table)?;
        Ok(SeededTable {
            stack: table.stack.clone(),
            id: table.logical_id.clone(),
            name: name.to_owned(),
            seeded: seed(cloud, name, &table.keys, items, overwrite, progress).await?,
        })
    }))
    .await
}

/// Adds the items that `table` lacks; with `overwrite` also replaces those it has.
///
/// Reads first, so that nothing is written when nothing is missing; and each write says again that the item must be
/// missing, so that an item written meanwhile by somebody else is never lost.
async fn seed(
    cloud: &Cloud,
    table: &str,
    keys: &[KeyAttribute],
    items: &[Item],
    overwrite: bool,
    progress: &Progress<'_>,
) -> Result<Seeded> {
    let Compared { missing, different } = match compared(cloud, table, keys, items).await {
        Err(error) if error.kind() != ErrorKind::Throttled => {
            // One that an earlier run made may not have taken requests yet. What else it was will be so again.
            readiness::table(cloud, table).await?;
            compared(cloud, table, keys, items).await?
        }
        read => read?,
    };
    let to_write: Vec<&Item> = items
        .iter()
        .filter(|item| overwrite || missing.contains(&item.key))
        .collect();
    let mut seeded = Seeded {
        kept: items.len() - to_write.len(),
        different: if overwrite { 0 } else { different.len() },
        ..Seeded::default()
    };
    if to_write.is_empty() {
        return Ok(seeded);
    }
    progress.advance(seeded.kept);
    let writer = Writer::new(cloud, table, keys, overwrite);
    writer
        .write(&to_write, |done| {
            for (item, is_written) in &done {
                match (is_written, missing.contains(&item.key)) {
                    (false, _) => seeded.kept += 1,
                    (true, false) => seeded.overwritten += 1,
                    (true, true) => seeded.added += 1,
                }
            }
            progress.advance(done.len());
        })
        .await?;
    Ok(seeded)
}

/// What stands for the key attribute in expressions: its name may be a reserved word.
fn place_of(index: usize) -> String {
    format!("#key{index}")
}
