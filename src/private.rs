//! Folders and files that are the user's alone, whatever the umask: keys, state, logs and caches are nobody else's to read.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;

/// Makes a folder, and those above it that are missing, for this user alone. One that is there is narrowed to that.
///
/// # Errors
/// It can't be made, or it is another user's.
pub(crate) fn folder(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(path)?;
    let metadata = path.metadata()?;
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != own {
        return Err(Error::new(
            ErrorKind::PermissionDenied,
            format!(
                "it belongs to the user {}, not to {own}; XDG_STATE_HOME and XDG_CACHE_HOME choose other folders",
                metadata.uid()
            ),
        ));
    }
    narrow(path, FOLDER)
}

/// Opens a file that is there, or makes it, for this user alone.
pub(crate) fn open(path: &Path) -> Result<File> {
    let file = File::options()
        .read(true)
        .append(true)
        .create(true)
        .mode(FILE)
        .open(path)?;
    narrow(path, FILE)?;
    Ok(file)
}

/// Makes an empty file for this user alone, in the place of one that is there.
pub(crate) fn file(path: &Path) -> Result<File> {
    // Not emptied but replaced: who has the old one open doesn't read the new one.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = File::options().write(true).create_new(true).mode(FILE).open(path)?;
    narrow(path, FILE)?;
    Ok(file)
}

/// The text of a file; none if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        text => text.map(Some),
    }
}

/// Writes a file for this user alone, whole or not at all: another run may read it meanwhile.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    file(&new)?.write_all(text.as_bytes())?;
    std::fs::rename(&new, path)
}

fn narrow(path: &Path, mode: u32) -> Result<()> {
    if path.metadata()?.mode() & 0o777 == mode {
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().expect("there").mode() & 0o777
    }

    #[test]
    fn what_was_open_is_narrowed() {
        let place = tempfile::tempdir().expect("a folder");
        let open = place.path().join("open");
        std::fs::create_dir(&open).expect("made");
        std::fs::set_permissions(&open, Permissions::from_mode(0o777)).expect("opened");
        folder(&open).expect("narrowed");
        assert_eq!(mode(&open), FOLDER);
        let inner = open.join("a").join("b");
        folder(&inner).expect("made");
        assert_eq!((mode(&open.join("a")), mode(&inner)), (FOLDER, FOLDER));

        let secret = inner.join("secret.json");
        std::fs::write(&secret, "old").expect("written");
        std::fs::set_permissions(&secret, Permissions::from_mode(0o666)).expect("opened");
        write(&secret, "new").expect("written");
        assert_eq!(mode(&secret), FILE);
        assert_eq!(std::fs::read_to_string(&secret).expect("read"), "new");
        assert_eq!(std::fs::read_dir(&inner).expect("read").count(), 1, "no draft stays");
    }
}
