//! Writes a new project: all of it, or nothing.

use std::fs;
use std::io::ErrorKind as Io;
use std::path::Path;

use crate::error::{Error, ErrorKind, OrFail, Result};

/// How many of the files that are in the way are named.
const NAMED: usize = 5;

/// Writes the files into the folder, which is made if it isn't there. They get their names at the end, when all are written.
///
/// # Errors
/// The folder isn't one, or has files; or something can't be written. Then nothing stays, or what stays is named.
pub(super) fn into(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<()> {
    let shown = folder.display();
    let is_new = match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == Io::NotFound => true,
        Err(error) => return Err(Error::failed(format!("could not look at {shown}")).cause(error)),
        Ok(found) if found.is_symlink() => {
            return Err(refused(format!("{shown} is a link")).hint("Name the folder that it leads to."));
        }
        Ok(found) if !found.is_dir() => return Err(refused(format!("{shown} is a file")).hint(ANOTHER)),
        Ok(_) => false,
    };
    if is_new {
        fs::create_dir_all(folder).or_fail(|| format!("could not make the folder {shown}"))?;
    }
    let outcome = empty(folder).and_then(|()| fill(folder, files));
    if outcome.is_err() && is_new {
        // What can't be removed isn't empty, and has been named.
        let _ = fs::remove_dir(folder);
    }
    outcome
}

const ANOTHER: &str = "Name a new folder, as in `deployer init shop`.";

fn refused(what: String) -> Error {
    Error::new(ErrorKind::InvalidUsage, what)
}

/// Refuses a folder in which something is.
fn empty(folder: &Path) -> Result<()> {
    let shown = folder.display();
    let reading = || format!("could not read the folder {shown}");
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).or_fail(reading)? {
        let name = entry.or_fail(reading)?.file_name();
        // A repository without a commit is as good as nothing.
        if name != ".git" {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    names.sort();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let what = if folder == Path::new(".") {
        "this folder".to_owned()
    } else {
        shown.to_string()
    };
    Err(refused(format!("{what} isn't empty: it has {}{more}", names.join(", "))).hint(ANOTHER))
}

fn fill(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<()> {
    let shown = folder.display();
    // In the same file system, so that what is written only has to be renamed.
    let draft = tempfile::Builder::new().prefix(".deployer-init-").tempdir_in(folder);
    let draft = draft.or_fail(|| format!("could not write into {shown}"))?;
    for (path, content) in files {
        let file = draft.path().join(path);
        let writing = || format!("could not write {}", folder.join(path).display());
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).or_fail(writing)?;
        }
        fs::write(&file, content).or_fail(writing)?;
    }
    let mut done: Vec<&str> = Vec::new();
    for (path, _) in files {
        let top = path.split('/').next().unwrap_or(path);
        if done.contains(&top) {
            continue;
        }
        let to = folder.join(top);
        // Somebody may have been quicker.
        let moved = match fs::symlink_metadata(&to) {
            Ok(_) => Err(Io::AlreadyExists.into()),
            Err(_) => fs::rename(draft.path().join(top), &to),
        };
        if let Err(error) = moved {
            let error = Error::failed(format!("could not write {}", to.display())).cause(error);
            return Err(taken_back(folder, &done, error));
        }
        done.push(top);
    }
    Ok(())
}

/// Removes what got its name already, and says what couldn't be removed.
fn taken_back(folder: &Path, done: &[&str], error: Error) -> Error {
    let left: Vec<String> = done
        .iter()
        .map(|top| folder.join(top))
        .filter(|path| {
            let removed = if path.is_dir() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
            removed.is_err()
        })
        .map(|path| path.display().to_string())
        .collect();
    if left.is_empty() {
        error.cause("nothing was left there")
    } else {
        error.hint(format!("Remove what was written of it: {}.", left.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<(String, Vec<u8>)> {
        [
            ("README.md", "a"),
            ("site/index.html", "b"),
            ("stacks/stages.yaml", "c"),
        ]
        .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
        .to_vec()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn all_is_there_and_nothing_else() {
        let root = tempfile::tempdir().expect("a folder");
        let project = root.path().join("deep/project");
        into(&project, &files()).expect("written");
        assert_eq!(names(&project), ["README.md", "site", "stacks"]);
        assert_eq!(fs::read_to_string(project.join("site/index.html")).expect("there"), "b");
        // A second time something is in the way.
        let error = into(&project, &files()).expect_err("not empty");
        assert!(
            error.message().contains("README.md, site, stacks"),
            "{}",
            error.message()
        );
    }

    #[test]
    fn what_cannot_be_finished_leaves_nothing() {
        let root = tempfile::tempdir().expect("a folder");
        let project = root.path().join("project");
        // A file that is to be a folder as well.
        let mut wrong = files();
        wrong.push(("README.md/more".to_owned(), Vec::new()));
        into(&project, &wrong).expect_err("it can't be");
        assert!(!project.exists());
        // A folder that was there stays, as it was.
        fs::create_dir_all(project.join(".git")).expect("a folder");
        into(&project, &wrong).expect_err("it can't be");
        assert_eq!(names(&project), [".git"]);
        into(&project, &files()).expect("written");
        assert_eq!(names(&project), [".git", "README.md", "site", "stacks"]);
    }

    #[test]
    fn what_got_its_name_is_taken_back() {
        let root = tempfile::tempdir().expect("a folder");
        into(root.path(), &files()).expect("written");
        let error = taken_back(root.path(), &["README.md", "site"], Error::failed("x"));
        assert_eq!(names(root.path()), ["stacks"]);
        assert!(error.causes().any(|cause| cause.contains("nothing was left")));
        let error = taken_back(root.path(), &["site"], Error::failed("x"));
        assert!(error.next_step().expect("a hint").contains("site"));
    }

    #[test]
    fn links_and_files_are_no_folders() {
        let root = tempfile::tempdir().expect("a folder");
        let (file, link) = (root.path().join("file"), root.path().join("link"));
        fs::write(&file, "").expect("written");
        fs::create_dir(root.path().join("folder")).expect("a folder");
        std::os::unix::fs::symlink(root.path().join("folder"), &link).expect("a link");
        for (path, what) in [(&file, "is a file"), (&link, "is a link")] {
            let error = into(path, &files()).expect_err("refused");
            assert!(error.message().contains(what), "{}", error.message());
        }
        assert!(names(&root.path().join("folder")).is_empty());
    }
}
