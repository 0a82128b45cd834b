//! References to what isn't published. Browsers ask for it in vain, visitors see a page without its picture, and nothing
//! else fails.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fs;
use std::ops::Range;
use std::path::Path;

use super::css::{self, Place};
use super::html;
use super::mentions::hash;
use super::reference::{Base, target};
use crate::site::asset_class::AssetClass;
use crate::site::content_hash::ContentHash;
use crate::site::names::folder_and_name;
use crate::site::source::Source;

/// How many files are named.
const SHOWN: usize = 3;

/// What to know of pages and style sheets in `folder` that load something that isn't among the files, nor among the `other`
/// keys that the site has; none if all is there. What a visitor may follow, but nothing loads, isn't looked at.
pub(in crate::site) fn absent<'k>(
    folder: &Path,
    sources: &'k [Source],
    other: impl Iterator<Item = &'k str>,
) -> Option<String> {
    let keys = sources.iter().map(|source| &*source.key).chain(other);
    let known: HashSet<u64> = keys.map(|key| hash(key.as_bytes())).collect();
    let lacks = |source: &&Source| {
        let refers = source.facts.says.refers.iter().flatten();
        refers.into_iter().any(|key| !known.contains(key))
    };
    let lacking: Vec<&Source> = sources.iter().filter(lacks).collect();
    let told = lacking.iter().filter_map(|source| {
        // It was read a moment ago; if it is gone, so is what it said.
        let text = fs::read_to_string(folder.join(&*source.key)).ok()?;
        let found = references(&text, &source.key, source.sort);
        let (key, at) = found
            .into_iter()
            .find(|(key, _)| !known.contains(&hash(key.as_bytes())))?;
        let line = text[..at].matches('\n').count() + 1;
        let why = if folder.join(&key).exists() {
            "hidden, or left out by its .deployerignore"
        } else {
            "not there"
        };
        Some(format!("site/{}:{line} loads site/{key} ({why})", source.key))
    });
    let told: Vec<String> = told.take(SHOWN).collect();
    if told.is_empty() {
        return None;
    }
    let more = match lacking.len() - told.len() {
        0 => String::new(),
        1 => ", and 1 more file does so".to_owned(),
        more => format!(", and {more} more files do so"),
    };
    Some(format!(
        "what isn't published is loaded all the same: {}{more}",
        told.join(", ")
    ))
}

/// The keys that a page or style sheet loads, in its order, each with where it is written.
fn references(text: &str, key: &str, sort: AssetClass) -> Vec<(String, usize)> {
    // In what an attribute or a style says the name alone tells where.
    let place_of = |key: &str, from: usize| {
        let name = folder_and_name(key).1;
        text[from..].find(name).map_or(from, |at| from + at)
    };
    if sort == AssetClass::Style {
        let base = Base::of(key);
        let mut found = Vec::new();
        css::edits(text, Place::Sheet, &mut |reference, place| {
            found.extend(target(reference, &base).map(|key| (key, place.start)));
            None
        });
        return found;
    }
    let page = Page::default();
    // What can't be parsed loads nothing that is known.
    let _ = html::edits(text, key, &page);
    let mut found = page.found.into_inner();
    for (key, at) in &mut found {
        *at = place_of(key, *at);
    }
    found
}

#[derive(Default)]
struct Page {
    /// Where what is looked at begins.
    at: Cell<usize>,
    found: RefCell<Vec<(String, usize)>>,
}

impl html::Targets for Page {
    fn mark(&self, key: &str) -> Option<ContentHash> {
        self.found.borrow_mut().push((key.to_owned(), self.at.get()));
        None
    }

    fn integrity(&self, _: &str, _: &str) -> Option<String> {
        None
    }

    fn script(&self, _: Range<usize>) {}

    fn understood(&self, place: Range<usize>) {
        self.at.set(place.start);
    }

    fn link(&self, _: &str) {}
}
