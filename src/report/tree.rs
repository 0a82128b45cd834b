//! What a run consists of and what waits for what, as a tree that shrinks while the parts get done. It decides what stands
//! where; whoever draws it knows the terminal.

use std::collections::BTreeMap;

use super::event::Part;

/// How far below what it waits for a part stands.
const STEP: usize = 2;

/// The parts that aren't done.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Each after those that it waits for.
    parts: Vec<Part>,
}

/// A part as it is shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row<'a> {
    /// What it is called.
    pub(super) name: &'a str,
    /// What stands before its name: nothing if it waits for nothing.
    pub(super) branch: String,
    /// The parts that it still waits for.
    pub(super) waits_for: &'a [String],
}

impl Tree {
    /// A tree of these parts. What one waits for that isn't among them is done.
    pub(super) fn new(parts: &[Part]) -> Self {
        let mut tree = Self { parts: Vec::new() };
        for part in parts {
            let mut part = part.clone();
            part.waits_for.retain(|other| tree.has(other));
            tree.parts.push(part);
        }
        tree
    }

    /// Whether a part isn't done.
    pub(super) fn has(&self, name: &str) -> bool {
        self.parts.iter().any(|part| part.name == name)
    }

    /// Takes out a part that is done, or won't be. Returns whether the others stand in another order then.
    pub(super) fn end(&mut self, name: &str) -> bool {
        let mut before = self.names();
        before.retain(|other| other != name);
        self.parts.retain(|part| part.name != name);
        for part in &mut self.parts {
            part.waits_for.retain(|other| other != name);
        }
        before != self.names()
    }

    /// The parts' names, from the top down.
    pub(super) fn names(&self) -> Vec<String> {
        let rows = self.rows().into_iter();
        rows.map(|row| row.name.to_owned()).collect()
    }

    /// The rows from the top down: each part below the last of those that it waits for.
    pub(super) fn rows(&self) -> Vec<Row<'_>> {
        let mut rows = Vec::with_capacity(self.parts.len());
        self.add(None, 0, &self.depths(), &mut rows);
        rows
    }

    /// How wide the widest branch and name are together, in characters.
    pub(super) fn width(&self) -> usize {
        let widths = self.rows().into_iter();
        let widths = widths.map(|row| row.branch.chars().count() + row.name.chars().count());
        widths.max().unwrap_or_default()
    }

    /// How many parts have to be done one after the other before each can begin.
    fn depths(&self) -> BTreeMap<&str, usize> {
        let mut depths: BTreeMap<&str, usize> = BTreeMap::new();
        for part in &self.parts {
            let before = part.waits_for.iter().filter_map(|other| depths.get(other.as_str()));
            let depth = before.max().map_or(0, |deepest| deepest + 1);
            depths.insert(&part.name, depth);
        }
        depths
    }

    fn add<'a>(&'a self, above: Option<&str>, depth: usize, depths: &BTreeMap<&str, usize>, rows: &mut Vec<Row<'a>>) {
        for part in &self.parts {
            if self.stands_below(part, depths) != above {
                continue;
            }
            let branch = match depth {
                0 => String::new(),
                deep => format!("{}└ ", " ".repeat((deep - 1) * STEP)),
            };
            rows.push(Row {
                name: &part.name,
                branch,
                waits_for: &part.waits_for,
            });
            self.add(Some(&part.name), depth + 1, depths, rows);
        }
    }

    /// The part below which one stands: of those that it waits for the one that itself waits longest.
    fn stands_below<'a>(&self, part: &'a Part, depths: &BTreeMap<&str, usize>) -> Option<&'a str> {
        let depth = |other: &&String| depths.get(other.as_str()).copied();
        part.waits_for.iter().max_by_key(depth).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, waits_for: &[&str]) -> Part {
        Part {
            name: name.to_owned(),
            waits_for: waits_for.iter().map(|&other| other.to_owned()).collect(),
        }
    }

    fn tree() -> Tree {
        Tree::new(&[
            part("artifacts", &[]),
            part("function", &["artifacts", "built elsewhere"]),
            part("data", &[]),
            part("logic", &["data", "function"]),
            part("web", &[]),
            part("site", &["web", "logic"]),
            part("seed", &["data"]),
        ])
    }

    fn shown(tree: &Tree) -> Vec<String> {
        let rows = tree.rows().into_iter();
        rows.map(|row| format!("{}{}: {}", row.branch, row.name, row.waits_for.join(", ")))
            .collect()
    }

    #[test]
    fn a_part_stands_below_what_it_waits_for_longest() {
        assert_eq!(
            shown(&tree()),
            [
                "artifacts: ",
                "└ function: artifacts",
                "  └ logic: data, function",
                "    └ site: web, logic",
                "data: ",
                "└ seed: data",
                "web: ",
            ]
        );
        assert_eq!(tree().width(), "    └ site".chars().count());
    }

    #[test]
    fn what_is_done_leaves_it_and_what_waited_for_it_moves_up() {
        let mut tree = tree();
        assert!(!tree.end("artifacts"), "the others stand as they stood");
        assert!(
            tree.end("function"),
            "what waited for it stands below what it waits for now"
        );
        assert!(!tree.end("web"));
        assert_eq!(
            shown(&tree),
            ["data: ", "└ logic: data", "  └ site: logic", "└ seed: data"]
        );
        tree.end("data");
        tree.end("seed");
        assert_eq!(shown(&tree), ["logic: ", "└ site: logic"]);
        tree.end("logic");
        tree.end("site");
        assert!(tree.rows().is_empty() && !tree.has("site"));
    }
}
