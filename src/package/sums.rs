//! Which zip a package becomes, remembered: the zip's SHA-256 is the package's name, and nobody should have to pack what
//! hasn't changed only to know how it is called.

use std::path::Path;

use super::memory;
use super::snapshot::Hash;

/// Changes with all that decides which zip is made of the same files.
const FORMAT: &str = concat!(env!("CARGO_PKG_VERSION"), " 1");

const KIND: &str = "sums";

/// The SHA-256 of the zip that was made of this content.
pub(super) fn recall(builds: &Path, content: &Hash) -> Option<Hash> {
    let text = memory::recall(builds, KIND, content)?;
    let sum = text.strip_prefix(FORMAT)?.trim();
    hex::decode(sum).ok()?.try_into().ok()
}

/// Remembers it.
pub(super) fn remember(builds: &Path, content: &Hash, zip: &Hash) {
    memory::remember(builds, KIND, content, &format!("{FORMAT} {}\n", hex::encode(zip)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_recalled_and_nothing_else() {
        let builds = tempfile::tempdir().expect("a folder");
        let (content, zip) = ([1; 32], [2; 32]);
        assert_eq!(recall(builds.path(), &content), None);
        remember(builds.path(), &content, &zip);
        assert_eq!(recall(builds.path(), &content), Some(zip));
        assert_eq!(recall(builds.path(), &zip), None);
        for text in ["", "0.0.0 1 00", &format!("{FORMAT} 00")] {
            std::fs::write(memory::file(builds.path(), KIND, &content), text).expect("written");
            assert_eq!(recall(builds.path(), &content), None, "{text}");
        }
    }
}
