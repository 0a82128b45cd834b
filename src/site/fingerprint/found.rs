//! What is found out of a file on the way to what is published of it.

use md5::{Digest as _, Md5};

use super::edit::{self, Edit};
use crate::site::file_stat::FileStat;
use crate::site::sum::Sum;

/// A file as it was read, and what is published of it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) stat: FileStat,
    /// Of the file itself.
    pub(super) file_sum: Sum,
    pub(super) size: u64,
    pub(super) sum: Sum,
    pub(super) is_rewritten: bool,
    /// Of a style sheet: it refers to files of the site; these of them are style sheets.
    pub(super) refers: Option<Vec<usize>>,
}

impl Found {
    pub(super) fn of(stat: FileStat, sum: Sum) -> Self {
        Self {
            stat,
            file_sum: sum,
            size: stat.size(),
            sum,
            is_rewritten: false,
            refers: None,
        }
    }

    /// The same, published with these edits.
    pub(super) fn rewritten(mut self, text: &str, edits: &[Edit]) -> Self {
        if !edits.is_empty() {
            let mut md5 = Md5::new();
            self.size = 0;
            for part in edit::parts(text, edits) {
                md5.update(part);
                self.size += part.len() as u64;
            }
            self.sum = Sum::Md5(md5.finalize().into());
            self.is_rewritten = true;
        }
        self
    }
}
