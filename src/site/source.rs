//! Files as they were read.

use std::sync::Arc;

use super::asset_class::AssetClass;
use super::content_hash::ContentHash;
use super::file_stat::FileStat;
use super::sum::Sum;

/// A file of the site, and what is published of it under its own name.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) key: Arc<str>,
    pub(super) sort: AssetClass,
    pub(super) stat: FileStat,
    /// In bytes, as published.
    pub(super) size: u64,
    /// As published.
    pub(super) sum: Sum,
    /// What is published has other references than the file.
    pub(super) is_rewritten: bool,
    /// The same is published under the name with this mark, too.
    pub(super) mark: Option<ContentHash>,
}
