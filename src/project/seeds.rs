//! The seed items of a stage, each with its table.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::seed::{Item, SeedTable, Seeds};
use super::stacks::StackId;
use super::{Project, seed, tables};
use crate::error::Result;

/// The seed items of a stage, each with its table.
#[derive(Debug, Default)]
pub(crate) struct StageSeeds {
    tables: Vec<SeedTable>,
    seeds: Seeds,
}

impl StageSeeds {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.seeds.tables.iter().map(|(_, items)| items.len()).sum()
    }

    /// How many there are for a table.
    pub(crate) fn count_of(&self, stack: &str, logical_id: &str) -> usize {
        let of_it = |index: &usize| {
            let table = self.tables.get(*index);
            table.is_some_and(|table| table.stack == stack && table.logical_id == logical_id)
        };
        let tables = self.seeds.tables.iter().filter(|(index, _)| of_it(index));
        tables.map(|(_, items)| items.len()).sum()
    }

    /// The tables that have any, with their items.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (&SeedTable, &[Item])> {
        let with_items = self.seeds.tables.iter().filter(|(_, items)| !items.is_empty());
        with_items.filter_map(|(index, items)| Some((self.tables.get(*index)?, items.as_slice())))
    }

    /// The same, by stack.
    pub(crate) fn by_stack(&self) -> BTreeMap<StackId, Vec<(&SeedTable, &[Item])>> {
        let mut by_stack: BTreeMap<StackId, Vec<_>> = BTreeMap::new();
        for (table, items) in self.tables() {
            by_stack
                .entry(StackId::new(&table.stack))
                .or_default()
                .push((table, items));
        }
        by_stack
    }

    /// The stacks whose tables have any.
    pub(crate) fn stacks(&self) -> BTreeSet<StackId> {
        self.tables().map(|(table, _)| StackId::new(&table.stack)).collect()
    }
}

impl Project {
    /// Reads the seed items, from `file` or `stacks/seed.yaml`; a missing default file means none. `table` says which table
    /// they are for, where the file doesn't.
    ///
    /// # Errors
    /// Names file and line of what no table of the templates takes.
    pub(crate) fn seeds(&self, file: Option<&Path>, table: Option<&str>) -> Result<StageSeeds> {
        let tables = self.seed_tables();
        let seeds = self.seed_items(file, &tables, table)?;
        Ok(StageSeeds { tables, seeds })
    }

    /// The templates' tables, each with what seed files call it; with `only` the one that is called so.
    ///
    /// # Errors
    /// There is none of that name.
    pub(crate) fn named_tables(&self, only: Option<&str>) -> Result<Vec<(String, SeedTable)>> {
        let tables = self.seed_tables();
        let only = only.map(|name| seed::chosen(name, &tables)).transpose()?;
        let named = seed::names(&tables).into_iter().zip(tables).enumerate();
        let wanted = named.filter(|(index, _)| only.is_none_or(|only| only == *index));
        Ok(wanted.map(|(_, named)| named).collect())
    }

    fn seed_tables(&self) -> Vec<SeedTable> {
        let stacks = self.stacks().flat_map(|stack| {
            let scope = stack.template.known_parameters(&self.known_values(&stack.id));
            tables::of_stack(stack, &scope)
        });
        stacks.collect()
    }
}
