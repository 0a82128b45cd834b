//! What was found out about a package's content, remembered: a file a kind and content, named after the content's hash, in the
//! folder of builds. What is believed here is believed of the binaries beside it, too. It is small, and gone with the next `cargo
//! clean`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::snapshot::Hash;

/// The file of a kind about this content.
pub(super) fn file(builds: &Path, kind: &str, content: &Hash) -> PathBuf {
    builds.join(kind).join(hex::encode(content))
}

/// What is remembered of this content.
pub(super) fn recall(builds: &Path, kind: &str, content: &Hash) -> Option<String> {
    std::fs::read_to_string(file(builds, kind, content)).ok()
}

/// Remembers it. Nothing depends on it, so what goes wrong is passed over.
pub(super) fn remember(builds: &Path, kind: &str, content: &Hash, text: &str) {
    let write = || -> Option<()> {
        let file = file(builds, kind, content);
        let folder = file.parent()?;
        std::fs::create_dir_all(folder).ok()?;
        // Another run may read it at this moment.
        let mut whole = tempfile::NamedTempFile::new_in(folder).ok()?;
        whole.write_all(text.as_bytes()).ok()?;
        whole.persist(file).ok().map(|_| ())
    };
    let _ = write();
}
