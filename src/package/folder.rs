//! Code in another language: a folder, all of whose files are packed.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::archive::{BOOTSTRAP, Entry, MAX_UNPACKED_BYTES, Unusable};
use super::snapshot::{Draft, Snapshot};
use super::{not_copied, unusable};
use crate::error::{Error, ErrorKind, OrFail, Result};

/// A file that was found.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// Its path in the package.
    name: String,
    path: PathBuf,
    executable: bool,
}

/// Copies a folder's files to the disk of `scratch`: their contents one after the other, and what they are called. The
/// copy's hash depends on all that gets into a zip of them.
///
/// # Errors
/// A file can't be read or packed, a link leads out of the folder, or there is too much or nothing in it.
pub(super) fn copy(folder: &Path, scratch: &Path) -> Result<(Snapshot, Vec<Entry>)> {
    let root = folder
        .canonicalize()
        .or_fail(|| format!("could not read {}", folder.display()))
        .map_err(|error| error.of_kind(ErrorKind::InvalidPackage))?;
    let mut found = Vec::new();
    collect(&root, &mut vec![root.clone()], "", &mut found)?;
    found.sort_unstable_by(|one, two| one.name.cmp(&two.name));
    if found.is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidPackage,
            format!(
                "there are no files in {}, which is to be a function's code",
                folder.display()
            ),
        )
        .hint("Put the function's code there, or name the folder or the zip that has it."));
    }
    // A binary has the same key, however it is given.
    let is_binary = matches!(&*found, [only] if only.name == BOOTSTRAP && only.executable);
    let mut draft = Draft::new(scratch).map_err(|trouble| not_copied(folder, trouble))?;
    let mut entries = Vec::new();
    let mut left = MAX_UNPACKED_BYTES;
    for Found { name, path, executable } in found {
        let file = File::open(&path)
            .or_fail(|| format!("could not read {}", path.display()))
            .map_err(|error| error.of_kind(ErrorKind::InvalidPackage))?;
        if !is_binary {
            draft.note(format!("{}:{name}:{executable}:", name.len()).as_bytes());
        }
        let length = draft
            .add(file, left + 1)
            .map_err(|trouble| not_copied(&path, trouble))?;
        if !is_binary {
            draft.note(&length.to_be_bytes());
        }
        left = left
            .checked_sub(length)
            .ok_or_else(|| unusable(folder, &Unusable::TooLarge(MAX_UNPACKED_BYTES + 1)))?;
        entries.push(Entry {
            name,
            executable,
            length,
        });
    }
    Ok((draft.finish(), entries))
}

/// Collects the files of the last of `open`, which are the folders that this one is in, as they really are: a link to
/// one of them would never end.
fn collect(root: &Path, open: &mut Vec<PathBuf>, prefix: &str, found: &mut Vec<Found>) -> Result<()> {
    let Some(folder) = open.last().cloned() else {
        return Ok(());
    };
    let unreadable = || format!("could not read {}", folder.display());
    for entry in folder
        .read_dir()
        .or_fail(unreadable)
        .map_err(|error| error.of_kind(ErrorKind::InvalidPackage))?
    {
        let path = entry.or_fail(unreadable)?.path();
        let own = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| refused(&path, "its name isn't UTF-8, as names in a zip are"))?;
        let name = format!("{prefix}{own}");
        let real = path
            .canonicalize()
            .map_err(|error| refused(&path, "it is a link to nothing that can be read").cause(error))?;
        if !real.starts_with(root) {
            return Err(refused(
                &path,
                &format!("it is a link out of the function's folder, to {}", real.display()),
            ));
        }
        let metadata = real
            .metadata()
            .or_fail(|| format!("could not read {}", path.display()))?;
        if metadata.is_dir() {
            if open.contains(&real) {
                return Err(refused(&path, "it is a link to a folder that it is in itself"));
            }
            open.push(real);
            collect(root, open, &format!("{name}/"), found)?;
            open.pop();
        } else if metadata.is_file() {
            found.push(Found {
                name,
                executable: metadata.permissions().mode() & 0o111 != 0,
                path: real,
            });
        } else {
            return Err(refused(&path, "it is neither a file nor a folder"));
        }
    }
    Ok(())
}

fn refused(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::InvalidPackage, format!("{} can't be packed", path.display()))
        .cause(why)
        .hint("Remove it from the function's folder, or put a file in its place.")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    fn place(files: &[(&str, &str)]) -> TempDir {
        let place = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            let file = place.path().join("code").join(name);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            std::fs::write(file, content).expect("written");
        }
        place
    }

    fn mode(file: &Path, mode: u32) {
        std::fs::set_permissions(file, PermissionsExt::from_mode(mode)).expect("its owner");
    }

    fn copied(place: &TempDir) -> (String, Vec<(String, bool, u64)>) {
        let (snapshot, entries) = copy(&place.path().join("code"), place.path()).expect("copied");
        let entries = entries.into_iter().map(|one| (one.name, one.executable, one.length));
        (hex::encode(snapshot.hash), entries.collect())
    }

    fn refusal(place: &TempDir) -> Error {
        let error = copy(&place.path().join("code"), place.path()).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::InvalidPackage);
        error
    }

    #[test]
    fn files_come_sorted_by_their_whole_names() {
        let files = [
            ("b.py", "22"),
            ("lib/a.py", "1"),
            ("lib-2/a.py", ""),
            ("a/z", "333"),
            (".hidden", ""),
        ];
        let (hash, entries) = copied(&place(&files));
        let names: Vec<&str> = entries.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, [".hidden", "a/z", "b.py", "lib-2/a.py", "lib/a.py"]);
        assert_eq!(entries.get(1), Some(&("a/z".to_owned(), false, 3)));
        let mut reversed = files;
        reversed.reverse();
        assert_eq!(copied(&place(&reversed)).0, hash);
    }

    #[test]
    fn names_contents_and_modes_count() {
        let base = copied(&place(&[("a", "xy"), ("b", "z")])).0;
        assert_ne!(copied(&place(&[("a", "x"), ("b", "yz")])).0, base);
        assert_ne!(copied(&place(&[("a", "xy"), ("c", "z")])).0, base);
        let executable = place(&[("a", "xy"), ("b", "z")]);
        mode(&executable.path().join("code/a"), 0o711);
        let (hash, entries) = copied(&executable);
        assert_ne!(hash, base);
        assert!(entries.first().is_some_and(|(_, executable, _)| *executable));
        mode(&executable.path().join("code/a"), 0o600);
        assert_eq!(copied(&executable).0, base, "who else may read it doesn't count");
    }

    #[test]
    fn links_are_followed_within_the_folder_only() {
        let linked = place(&[("lib/a.py", "1"), ("main.py", "2")]);
        let code = linked.path().join("code");
        symlink("lib", code.join("also")).expect("linked");
        symlink("../main.py", code.join("lib/main.py")).expect("linked");
        let names: Vec<String> = copied(&linked).1.into_iter().map(|(name, ..)| name).collect();
        assert_eq!(
            names,
            ["also/a.py", "also/main.py", "lib/a.py", "lib/main.py", "main.py"]
        );

        std::fs::write(linked.path().join("outside"), "").expect("written");
        symlink("../outside", code.join("out")).expect("linked");
        let error = refusal(&linked);
        assert!(
            error.to_string().contains("out can't be packed: it is a link out of"),
            "{error}"
        );
        std::fs::remove_file(code.join("out")).expect("removed");

        symlink("nothing", code.join("broken")).expect("linked");
        assert!(refusal(&linked).to_string().contains("a link to nothing"));
        std::fs::remove_file(code.join("broken")).expect("removed");

        symlink("..", code.join("lib/loop")).expect("linked");
        assert!(refusal(&linked).to_string().contains("a folder that it is in itself"));
    }

    #[test]
    fn nothing_and_what_is_no_file_are_refused() {
        let empty = place(&[]);
        std::fs::create_dir_all(empty.path().join("code/inner")).expect("made");
        assert!(refusal(&empty).to_string().contains("there are no files in"));
        let _socket = std::os::unix::net::UnixListener::bind(empty.path().join("code/socket")).expect("bound");
        assert!(refusal(&empty).to_string().contains("neither a file nor a folder"));
    }
}
