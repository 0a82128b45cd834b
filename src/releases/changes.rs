//! What one release has another of than the one before, in short.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Content;
use crate::report::counted;

/// What changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Changes {
    /// Stacks with another template, or other values of its parameters, or none any more.
    pub stacks: Vec<String>,
    /// Stacks with other code of functions.
    pub code: Vec<String>,
    /// Files of the site; none if it is the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteChanges>,
}

/// How many files of a site are others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SiteChanges {
    pub new: usize,
    pub changed: usize,
    pub removed: usize,
}

impl Changes {
    /// From one release to the next; the files of their sites as [`SiteChanges::between`] has them.
    pub(super) fn between(before: &Content, after: &Content, site: Option<SiteChanges>) -> Self {
        let mut changes = Self {
            site,
            ..Self::default()
        };
        let ids = before.stacks.keys().chain(after.stacks.keys());
        let ids: BTreeSet<&String> = ids.collect();
        for id in ids {
            let (before, after) = (before.stacks.get(id), after.stacks.get(id));
            let packages = |stack: Option<&super::ReleasedStack>| stack.map(|stack| stack.packages.clone());
            let has_other_code = packages(before).unwrap_or_default() != packages(after).unwrap_or_default();
            if has_other_code {
                changes.code.push(id.clone());
            }
            let digest = |stack: Option<&super::ReleasedStack>| stack.map(|stack| stack.digest.clone());
            // Its code is among its parameters.
            let without_code = |stack: Option<&super::ReleasedStack>| {
                let stack = stack?;
                let mut parameters = stack.parameters.clone();
                parameters.retain(|name, _| !stack.packages.contains_key(name));
                Some((stack.template.clone(), parameters))
            };
            let is_other = digest(before) != digest(after);
            if is_other && (!has_other_code || before.is_none() || without_code(before) != without_code(after)) {
                changes.stacks.push(id.clone());
            }
        }
        changes
    }

    /// "data, logic; code of logic; site: 1 new, 2 changed".
    pub(crate) fn describe(&self) -> String {
        let mut parts = Vec::new();
        if !self.stacks.is_empty() {
            parts.push(self.stacks.join(", "));
        }
        if !self.code.is_empty() {
            parts.push(format!("code of {}", self.code.join(", ")));
        }
        if let Some(SiteChanges { new, changed, removed }) = self.site {
            let counts = counted(&[(new, "new"), (changed, "changed"), (removed, "removed")]);
            parts.push(format!("site: {counts}"));
        }
        parts.join("; ")
    }
}

impl SiteChanges {
    /// From one list of files, by their paths with their sums, to another, in which each path is once; none if they are the
    /// same.
    pub(super) fn between<'a>(
        before: impl Iterator<Item = (&'a str, &'a str)>,
        after: usize,
        sum_after: impl Fn(&str) -> Option<String>,
    ) -> Option<Self> {
        let (mut changes, mut known) = (Self::default(), 0);
        for (path, sum) in before {
            match sum_after(path) {
                None => changes.removed += 1,
                Some(other) => {
                    known += 1;
                    changes.changed += usize::from(other != sum);
                }
            }
        }
        changes.new = after - known;
        (changes != Self::default()).then_some(changes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::ReleasedStack;
    use super::*;

    fn stack(digest: &str, template: &str, code: &[&str]) -> ReleasedStack {
        let packages: BTreeMap<String, String> = code
            .iter()
            .map(|key| ("CodeKey".to_owned(), (*key).to_owned()))
            .collect();
        ReleasedStack {
            digest: digest.into(),
            template: Some(template.into()),
            parameters: packages.clone(),
            packages,
        }
    }

    fn content(stacks: &[(&str, ReleasedStack)]) -> Content {
        Content {
            stacks: stacks
                .iter()
                .map(|(id, stack)| ((*id).to_owned(), stack.clone()))
                .collect(),
            ..Content::default()
        }
    }

    #[test]
    fn what_changed_is_told_by_part() {
        let before = content(&[
            ("data", stack("1", "a", &[])),
            ("gone", stack("1", "a", &[])),
            ("logic", stack("1", "a", &["x"])),
        ]);
        let mut grown = stack("2", "a", &["x"]);
        grown.parameters.insert("Size".into(), "2".into());
        let after = content(&[
            ("data", stack("1", "a", &[])),
            ("logic", stack("2", "a", &["y"])),
            ("new", stack("1", "a", &["z"])),
        ]);
        let site = |before: &[(&'static str, &'static str)], after: &[(&str, &str)]| {
            let sum_after = |path: &str| {
                let found = after.iter().find(|(one, _)| *one == path);
                found.map(|(_, sum)| (*sum).to_owned())
            };
            SiteChanges::between(before.iter().copied(), after.len(), sum_after)
        };
        assert_eq!(site(&[("a", "1")], &[("a", "1")]), None);
        let site = site(&[("a", "1"), ("b", "1")], &[("b", "2"), ("c", "1")]);
        let changes = Changes::between(&before, &after, site);
        assert_eq!(
            changes.describe(),
            "gone, new; code of logic, new; site: 1 new, 1 changed, 1 removed"
        );
        let same_code = Changes::between(&before, &content(&[("logic", grown)]), None);
        assert_eq!(same_code.stacks, ["data", "gone", "logic"]);
        assert!(same_code.code.is_empty());
    }
}
