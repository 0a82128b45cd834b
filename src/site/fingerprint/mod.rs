//! Names with a hash of the content, which browsers and edges may keep for ever, and references that follow them.
//!
//! What pages and style sheets refer to, as far as it is a style sheet, a script, an image or a font, is published under a
//! second name, `style.css` as `style.1a2b3c4d5e6f7a8b.css`, and the references follow. A page that a browser still has
//! finds what belongs to it, a new one never gets what belonged to the old, and nothing is asked for twice. Everything
//! keeps its own name as well: scripts, manifests and other sites fetch files by names that no tool can see.
//!
//! That is for files of which all references are seen and understood. A file that anything else names, or whose name a
//! script may put together, has its own name alone, wherever it is referred to. See [`names`].
//!
//! [`html`] and [`css`] find references, [`mod@reference`] knows where they lead, [`mentions`] finds names elsewhere, and
//! [`order`] says which style sheet gets its name first.

mod absent;
mod css;
mod edit;
mod html;
mod integrity;
mod mentions;
mod names;
mod notes;
mod order;
mod reference;
mod said;
mod srcset;

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::asset_class::AssetClass;
use super::content_hash::ContentHash;
pub(super) use absent::absent;
use edit::Edit;
use integrity::Digests;
pub(super) use mentions::{Kind, Mentions, Scanner};
pub(super) use names::{give, loads};
pub(super) use notes::{Note, Notes};
use reference::{Base, hashed_name, target};
pub(super) use said::{kind_of_data, links, said_by_page, said_by_script, said_by_style};

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
}

impl Names {
    fn add(&mut self, key: &Arc<str>, mark: ContentHash, sort: AssetClass) {
        let is_script = sort == AssetClass::Script;
        self.marks.insert(Arc::clone(key), Name { mark, is_script });
    }

    fn mark(&self, key: &str) -> Option<ContentHash> {
        self.marks.get(key).map(|name| name.mark)
    }

    /// A page's or style sheet's text with references that follow.
    ///
    /// # Errors
    /// A page can't be parsed.
    pub(super) fn rewritten(&self, text: &str, key: &str, sort: AssetClass) -> Result<String, String> {
        Ok(edit::apply(text, &self.edits(text, key, sort)?.0))
    }

    /// The changes, and whether the text vouches for another content than a file has.
    fn edits(&self, text: &str, key: &str, sort: AssetClass) -> Result<(Vec<Edit>, bool), String> {
        match sort {
            AssetClass::Page => {
                let following = Following {
                    names: self,
                    is_wrong: Cell::new(false),
                };
                let edits = html::edits(text, key, &following)?;
                Ok((edits, following.is_wrong.get()))
            }
            AssetClass::Style => Ok((self.style(text, key), false)),
            AssetClass::Script | AssetClass::Media | AssetClass::Other => Ok((Vec::new(), false)),
        }
    }

    /// The changes that make a style sheet's references follow.
    fn style(&self, text: &str, key: &str) -> Vec<Edit> {
        let base = Base::of(key);
        css::edits(text, css::Place::Sheet, &mut |reference, _| {
            let key = target(reference, &base)?;
            let name = self.marks.get(&*key)?;
            // No style loads a script.
            let mark = (!name.is_script).then_some(name.mark)?;
            hashed_name(reference, &key, mark)
        })
    }
}

/// All is known: references follow.
struct Following<'a> {
    names: &'a Names,
    is_wrong: Cell<bool>,
}

impl html::Targets for Following<'_> {
    fn mark(&self, key: &str) -> Option<ContentHash> {
        self.names.mark(key)
    }

    fn integrity(&self, key: &str, value: &str) -> Option<String> {
        let new = self.names.digests.get(key)?.follow(value);
        self.is_wrong
            .set(self.is_wrong.get() || (new.is_none() && !value.trim_ascii().is_empty()));
        new
    }

    fn script(&self, _: Range<usize>) {}

    fn understood(&self, _: Range<usize>) {}

    fn link(&self, _: &str) {}
}
