//! What is to be known of files whose references can't follow, or that can't have a second name.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::site::names::list;

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(in crate::site) enum Note {
    TooBig,
    NotUtf8,
    NotParsed,
    NameTaken,
    NotVouchedFor,
}

impl Note {
    fn describe(self) -> &'static str {
        match self {
            Self::TooBig => "bigger than 8 MiB, so that its references keep to the plain names",
            Self::NotUtf8 => "not in UTF-8, so that its references keep to the plain names",
            Self::NotParsed => "no HTML that could be read; its references keep to the plain names",
            Self::NameTaken => "published under its plain name alone, since another file has the name with its hash",
            Self::NotVouchedFor => {
                "with an `integrity` that isn't that of the file it refers to, which browsers refuse"
            }
        }
    }
}

/// The files, by what is to be known of them; noted from any thread.
#[derive(Debug, Default)]
pub(in crate::site) struct Notes(Mutex<BTreeSet<(Note, Arc<str>)>>);

impl Notes {
    pub(in crate::site) fn add(&self, note: Note, key: &Arc<str>) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.insert((note, Arc::clone(key)));
    }

    /// A sentence for each note.
    pub(in crate::site) fn warnings(self) -> Vec<String> {
        let notes = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let notes: Vec<(Note, Arc<str>)> = notes.into_iter().collect();
        let groups = notes.chunk_by(|one, next| one.0 == next.0);
        groups
            .map(|group| {
                let keys: Vec<&str> = group.iter().map(|(_, key)| &**key).collect();
                format!("in site/, {}: {}", group[0].0.describe(), list(&keys))
            })
            .collect()
    }
}
