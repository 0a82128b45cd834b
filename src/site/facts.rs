//! What is found in a file: everything that its content and its own place decide, and nothing that other files do. So it
//! can be remembered for as long as the file stays what it is, whatever becomes of the others.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::file_stat::FileStat;
use super::fingerprint::{Mentions, Note};
use super::policy::Needs;
use super::sniffed::Sniffed;
use super::sum::Sum;

/// A file as it was read.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) stat: FileStat,
    /// Of the file itself.
    pub(super) sum: Sum,
    /// The CRC-32 of each part that it is sent in, if it isn't sent whole.
    pub(super) part_sums: Option<Arc<Vec<u32>>>,
    /// What it is, by what it holds.
    pub(super) sniffed: Sniffed,
    /// What it says of other files.
    pub(super) says: Arc<Says>,
    /// The same with references that follow what they name, for the names that are told by it.
    pub(super) rewritten: Option<Rewritten>,
}

/// What a file says of others. Many say the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Says {
    /// The files that a page or style sheet refers to in ways that can follow, by their keys' hashes, in order; none if its
    /// text can't be changed.
    #[serde(rename = "r", skip_serializing_if = "Option::is_none")]
    pub(super) refers: Option<Vec<u64>>,
    /// Those of them whose `integrity` it knows.
    #[serde(rename = "i", skip_serializing_if = "Vec::is_empty")]
    pub(super) vouches: Vec<u64>,
    /// The names that it has otherwise.
    #[serde(rename = "m")]
    pub(super) mentions: Mentions,
    /// What it needs of the site's policy.
    #[serde(rename = "p", skip_serializing_if = "Option::is_none")]
    pub(super) needs: Option<Needs>,
    /// How a page's links are written.
    #[serde(rename = "l", skip_serializing_if = "Links::is_none")]
    pub(super) links: Links,
    /// Why its references can't follow.
    #[serde(rename = "n", skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<Note>,
}

/// How links to pages of the site are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Links {
    /// `/x.html`.
    pub(super) to_files: bool,
    /// `/x`.
    pub(super) clean: bool,
    /// `/x/`.
    pub(super) to_folders: bool,
}

impl Links {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What is published of a file whose references follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rewritten {
    /// Which names they follow, in short: other names make another text.
    pub(super) by: u64,
    /// In bytes.
    pub(super) size: u64,
    /// Its MD5: what is rewritten is sent whole.
    pub(super) md5: [u8; 16],
    /// It vouches for what isn't the file.
    pub(super) is_wrong: bool,
}

/// Keeps one of each of what is often the same.
#[derive(Debug)]
pub(super) struct Interner<T>(Mutex<HashSet<Arc<T>>>);

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Eq + Hash> Interner<T> {
    pub(super) fn one(&self, value: T) -> Arc<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(&value) {
            return Arc::clone(known);
        }
        let value = Arc::new(value);
        all.insert(Arc::clone(&value));
        value
    }
}
