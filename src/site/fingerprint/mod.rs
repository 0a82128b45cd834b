//! Names with a hash of the content, which browsers and edges may keep for ever, and references that follow them.
//!
//! What pages and style sheets refer to, as far as it is a style sheet, a script, an image or a font, is published under a
//! second name, `style.css` as `style.1a2b3c4d5e6f7a8b.css`, and the references follow. A page that a browser still has
//! finds what belongs to it, a new one never gets what belonged to the old, and nothing is asked for twice. Everything
//! keeps its own name as well: scripts, manifests and other sites fetch files by names that no tool can see.
//!
//! [`html`] and [`css`] find references, [`mod@reference`] knows where they lead, [`mentions`] finds the scripts that have to
//! keep their name, [`order`] says which style sheet gets its name first, and [`mod@read`] brings it together.

mod css;
mod edit;
mod found;
mod html;
mod integrity;
mod mentions;
mod notes;
mod order;
mod read;
mod reference;
mod srcset;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::asset_class::AssetClass;
use super::content_hash::ContentHash;
use super::source::Source;
use edit::Edit;
use integrity::Digests;
pub(super) use read::read;
use reference::{Base, hashed_name, target};

/// Pages and style sheets that are bigger are published as they are, so that none needs much memory.
pub(super) const LARGEST_BYTES: u64 = 8 * 1024 * 1024;

/// The files that have a second name, and what else their references follow. The same names make the same bytes of the
/// same file, so that what is published needn't be kept until it is sent.
#[derive(Debug, Default)]
pub(super) struct Names {
    marks: HashMap<Arc<str>, Name>,
    /// The style sheets with other references than their file, as far as their `integrity` was asked for.
    digests: HashMap<Arc<str>, Digests>,
}

#[derive(Debug)]
struct Name {
    mark: ContentHash,
    is_script: bool,
    /// Only what is referred to is published under its second name.
    is_used: AtomicBool,
}

impl Names {
    /// Those that read files have.
    pub(super) fn of(sources: &[Source]) -> Self {
        let mut names = Self::default();
        for source in sources {
            if let Some(mark) = source.mark {
                names.add(&source.key, mark, source.sort);
            }
        }
        names
    }

    /// Whether the files' marks are all that there is to know.
    pub(super) fn are_told_by_marks(&self) -> bool {
        self.digests.is_empty()
    }

    fn add(&mut self, key: &Arc<str>, mark: ContentHash, sort: AssetClass) {
        let name = Name {
            mark,
            is_script: sort == AssetClass::Script,
            is_used: AtomicBool::new(false),
        };
        self.marks.insert(Arc::clone(key), name);
    }

    /// The mark of a file that is referred to.
    fn used(&self, key: &str) -> Option<ContentHash> {
        let name = self.marks.get(key)?;
        name.is_used.store(true, Ordering::Relaxed);
        Some(name.mark)
    }

    /// A page's or style sheet's text with references that follow.
    ///
    /// # Errors
    /// A page can't be parsed.
    pub(super) fn rewritten(&self, text: &str, key: &str, sort: AssetClass) -> Result<String, String> {
        let edits = match sort {
            AssetClass::Page => html::edits(text, key, &Following(self))?,
            AssetClass::Style => self.style(text, key),
            AssetClass::Script | AssetClass::Media | AssetClass::Other => Vec::new(),
        };
        Ok(edit::apply(text, &edits))
    }

    /// The changes that make a style sheet's references follow.
    fn style(&self, text: &str, key: &str) -> Vec<Edit> {
        let base = Base::of(key);
        css::edits(text, css::Place::Sheet, &mut |reference| {
            let key = target(reference, &base)?;
            // No style loads a script; and which scripts keep their names is known only after the pages were read.
            if self.marks.get(&*key)?.is_script {
                return None;
            }
            hashed_name(reference, &key, self.used(&key)?)
        })
    }
}

/// All is known: references follow, and nothing is noted.
struct Following<'a>(&'a Names);

impl html::Targets for Following<'_> {
    fn mark(&self, key: &str) -> Option<ContentHash> {
        self.0.used(key)
    }

    fn integrity(&self, key: &str, value: &str) -> Option<String> {
        self.0.digests.get(key)?.follow(value)
    }

    fn script(&self, _: &str) {}
}
