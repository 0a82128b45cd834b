//! What tells a content in a name: the beginning of its sum.

use std::fmt;

use super::names::{LONGEST_KEY_BYTES, folder_and_name};
use super::sum::Sum;

/// The first 64 bits of a sum. Among a thousand million versions of one file, two having the same is a chance of one in
/// forty; nobody gains by making two on purpose, since both are the author's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ContentHash([u8; 8]);

impl ContentHash {
    /// Of what is published.
    pub(super) fn of(sum: &Sum) -> Self {
        let mut mark = [0; 8];
        mark.copy_from_slice(&sum.bytes()[..8]);
        Self(mark)
    }

    /// `style.css` becomes `style.1a2b3c4d5e6f7a8b.css`, in the same folder, so that what is relative in the file stays
    /// right. None for a name without an extension, or one that becomes too long for S3.
    pub(super) fn put_into(self, key: &str) -> Option<String> {
        let (folder, name) = folder_and_name(key);
        let (stem, extension) = name.rsplit_once('.')?;
        let hashed_name = format!("{folder}{stem}.{self}.{extension}");
        (hashed_name.len() <= LONGEST_KEY_BYTES).then_some(hashed_name)
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_before_the_last_extension() {
        let mark = ContentHash::of(&Sum::Md5([0, 0x1a, 0x2b, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]));
        assert_eq!(mark.to_string(), "001a2b0304050607");
        for (key, expected) in [
            ("style.css", Some("style.001a2b0304050607.css")),
            ("a.b/c d.min.js", Some("a.b/c d.min.001a2b0304050607.js")),
            ("a.b/ü.png", Some("a.b/ü.001a2b0304050607.png")),
            ("a.b/plain", None),
            (&format!("{}.css", "x".repeat(1004)), None),
        ] {
            assert_eq!(mark.put_into(key).as_deref(), expected);
        }
    }
}
