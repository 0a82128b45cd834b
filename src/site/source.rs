//! Files as they were read.

use std::sync::Arc;

use super::asset_class::AssetClass;
use super::content_hash::ContentHash;
use super::facts::Facts;
use super::sum::Sum;

/// A file of the site, and what is published of it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) key: Arc<str>,
    pub(super) sort: AssetClass,
    pub(super) facts: Facts,
    /// Whether its name has a hash of its content already, or is said never to have another content.
    pub(super) is_immutable: bool,
    /// Whether it is published with other references than the file has.
    pub(super) is_rewritten: bool,
    /// The same is published under the name with this mark, too.
    pub(super) mark: Option<ContentHash>,
}

impl Source {
    /// What is published, in short.
    pub(super) fn sum(&self) -> Sum {
        match self.facts.rewritten.filter(|_| self.is_rewritten) {
            Some(rewritten) => Sum::Md5(rewritten.md5),
            None => self.facts.sum,
        }
    }

    /// How many bytes are published.
    pub(super) fn size(&self) -> u64 {
        match self.facts.rewritten.filter(|_| self.is_rewritten) {
            Some(rewritten) => rewritten.size,
            None => self.facts.stat.size(),
        }
    }
}
