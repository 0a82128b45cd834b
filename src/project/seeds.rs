//! The seed items of a stage, each with its table.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::hash::BuildHasher as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use super::seed::{Item, SeedTable, Seeds};
use super::stacks::StackId;
use super::{Project, seed, tables};
use crate::error::{OrFail as _, Result};

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

/// A file of JSON lines that is read bit by bit: it may have more items than there is memory for.
#[derive(Debug)]
pub(crate) struct SeedLines<'a> {
    file: &'a Path,
    table: Option<&'a str>,
    tables: Vec<SeedTable>,
}

/// A file up to this size is read at once.
const SMALL_BYTES: u64 = 1 << 20;

/// So many lines are read at once, or so many bytes if they are long: some calls' worth of items.
const MOST_LINES: usize = 1600;
/// See [`MOST_LINES`].
const MOST_BYTES: usize = 4 << 20;

impl SeedLines<'_> {
    /// Looks at all of it, and returns how many items there are; none if a key is there twice, which reading it at once tells.
    ///
    /// # Errors
    /// It can't be read, or has something that no table takes.
    pub(crate) fn count(&self) -> Result<Option<usize>> {
        let (mut count, mut keys) = (0, HashSet::new());
        let hashers = [RandomState::new(), RandomState::new()];
        for seeds in self.parts()? {
            for (index, items) in &seeds?.seeds.tables {
                count += items.len();
                for item in items {
                    // What two hashes tell apart is enough to remember of a million keys.
                    let [one, other] = hashers.each_ref().map(|hasher| hasher.hash_one((index, &item.key)));
                    if !keys.insert((one, other)) {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(count))
    }

    /// Its items, some after the others.
    ///
    /// # Errors
    /// It can't be read; or, of each part, what a table doesn't take.
    pub(crate) fn parts(&self) -> Result<impl Iterator<Item = Result<StageSeeds>>> {
        let unreadable = || format!("could not read {}", self.file.display());
        let mut reader = BufReader::new(File::open(self.file).or_fail(unreadable)?);
        let mut line = 1;
        Ok(std::iter::from_fn(move || {
            let (mut text, first) = (String::new(), line);
            while line - first < MOST_LINES && text.len() < MOST_BYTES {
                match reader.read_line(&mut text).or_fail(unreadable) {
                    Ok(0) => break,
                    Ok(_) => line += 1,
                    Err(error) => return Some(Err(error)),
                }
            }
            if text.is_empty() {
                return None;
            }
            let seeds = seed::parse_lines(&text, first, self.file, &self.tables, self.table).or_else(|error| {
                // The excerpt counts the lines before.
                let numbered = "\n".repeat(first - 1) + &text;
                seed::parse(&numbered, self.file, &self.tables, self.table).and(Err(error))
            });
            Some(seeds.map(|seeds| StageSeeds {
                tables: self.tables.clone(),
                seeds,
            }))
        }))
    }
}

impl Project {
    /// The file of items to read bit by bit, if it is one of many lines of JSON.
    pub(crate) fn seed_lines<'a>(&self, file: &'a Path, table: Option<&'a str>) -> Option<SeedLines<'a>> {
        let is_lines = matches!(seed::Format::of(file), Ok(seed::Format::JsonLines));
        let metadata = file.metadata().ok().filter(|_| is_lines)?;
        // What isn't a file can't be read twice.
        (metadata.is_file() && metadata.len() > SMALL_BYTES).then(|| SeedLines {
            file,
            table,
            tables: self.seed_tables(),
        })
    }

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
