//! Which zip a package becomes, remembered: the zip's SHA-256 is the package's name, and nobody should have to pack what
//! hasn't changed only to know how it is called.
//!
//! A file a package, named after its content's hash, in the folder of builds: what is believed here is believed of the binaries
//! beside it, too. It is small, and gone with the next `cargo clean`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::snapshot::Hash;

/// Changes with all that decides which zip is made of the same files.
const FORMAT: &str = concat!(env!("CARGO_PKG_VERSION"), " 1");

fn file(builds: &Path, content: &Hash) -> PathBuf {
    builds.join("sums").join(hex::encode(content))
}

/// The SHA-256 of the zip that was made of this content.
pub(super) fn recall(builds: &Path, content: &Hash) -> Option<Hash> {
    let text = std::fs::read_to_string(file(builds, content)).ok()?;
    let sum = text.strip_prefix(FORMAT)?.trim();
    hex::decode(sum).ok()?.try_into().ok()
}

/// Remembers it. Nothing depends on it, so what goes wrong is passed over.
pub(super) fn remember(builds: &Path, content: &Hash, zip: &Hash) {
    let write = || -> Option<()> {
        let file = file(builds, content);
        let folder = file.parent()?;
        std::fs::create_dir_all(folder).ok()?;
        // Another run may read it at this moment.
        let mut whole = tempfile::NamedTempFile::new_in(folder).ok()?;
        writeln!(whole, "{FORMAT} {}", hex::encode(zip)).ok()?;
        whole.persist(file).ok().map(|_| ())
    };
    let _ = write();
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
            std::fs::write(file(builds.path(), &content), text).expect("written");
            assert_eq!(recall(builds.path(), &content), None, "{text}");
        }
    }
}
