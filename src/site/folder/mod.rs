//! Which files of `site/` are the site's.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::addresses::FALLBACK;
use super::input::Problems;
use super::names;
use crate::error::{Error, ErrorKind, Result};

/// The file in `site/` that names what isn't published, in gitignore's syntax. Git's own files say what isn't kept in the
/// repository, which is another question: what a build made is ignored there, and is just what has to be published.
const IGNORE_FILE: &str = ".deployerignore";

/// What the folder holds.
#[derive(Debug)]
pub(super) struct Listing {
    /// The files' keys, in order: their paths below the folder, with slashes.
    pub(super) keys: Vec<String>,
    /// The keys of those that the ignore file takes in by name, whatever they are.
    pub(super) meant: BTreeSet<String>,
    /// What to know of what was found.
    pub(super) warnings: Vec<String>,
    /// What can't be published: a name, a link that leads out or nowhere, a folder that can't be read.
    pub(super) problems: Problems,
}

/// Finds the site's files. Left out are hidden ones but for `.well-known/`, unless the ignore file takes them in again (`!.name`), and what
/// it names. Links are followed as long as they stay in the folder, and count for what they lead to. No file is opened but the ignore file.
///
/// # Errors
/// There is no `index.html`, or the ignore file is wrong.
pub(super) fn list(folder: &Path) -> Result<Listing> {
    let absent = || {
        Error::new(
            ErrorKind::InvalidProject,
            format!("there is no {}", folder.join("index.html").display()),
        )
        .hint("The site's files belong into the project's site/ folder, with an index.html.")
    };
    let real = folder.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => absent(),
        _ => Error::new(
            ErrorKind::InvalidProject,
            format!("could not read {}", folder.display()),
        )
        .cause(error)
        .hint("Correct its permissions."),
    })?;
    let mut walk = Walk {
        ignored: ignored(folder)?,
        folder: folder.to_owned(),
        within: vec![real],
        keys: Vec::new(),
        meant: BTreeSet::new(),
        private: Vec::new(),
        hidden: Vec::new(),
        special: Vec::new(),
        problems: Problems::default(),
    };
    walk.enter(folder, "");
    let mut keys = walk.keys;
    keys.sort_unstable();
    // The page of an app may be called so, which generators write beside pages that they have drawn beforehand.
    let is_there = ["index.html", FALLBACK]
        .iter()
        .any(|page| keys.binary_search_by(|key| key.as_str().cmp(page)).is_ok());
    // It may be among the problems.
    if !is_there && walk.problems.is_empty() {
        let error = absent();
        return Err(if folder.join("index.html").exists() {
            error.cause(format!("{} leaves it out", folder.join(IGNORE_FILE).display()))
        } else {
            error
        });
    }
    let mut warnings = names::warnings(&keys);
    if !walk.special.is_empty() {
        let special: Vec<&str> = walk.special.iter().map(String::as_str).collect();
        warnings.push(format!("not published, being no files: {}", names::list(&special)));
    }
    let list = |mut names: Vec<String>| {
        names.sort_unstable();
        names::list(&names.iter().map(String::as_str).collect::<Vec<_>>())
    };
    if !walk.hidden.is_empty() {
        warnings.push(format!(
            "not published, leading to what is hidden, unless a line `!NAME` in site/{IGNORE_FILE} says so: {}",
            list(walk.hidden)
        ));
    }
    if !walk.private.is_empty() {
        warnings.push(format!(
            "hardly meant for everybody to read, and published: {}; leave it out by a line in site/{IGNORE_FILE}, or say there \
             by `!NAME` that it is meant",
            list(walk.private)
        ));
    }
    Ok(Listing {
        keys,
        meant: walk.meant,
        warnings,
        problems: walk.problems,
    })
}

fn ignored(folder: &Path) -> Result<Gitignore> {
    let file = folder.join(IGNORE_FILE);
    let mut builder = GitignoreBuilder::new(folder);
    let wrong = |error: ignore::Error| {
        // It names the file and the line itself.
        Error::new(ErrorKind::InvalidProject, "the site's ignore file can't be read")
            .cause(error)
            .hint(format!(
                "Correct {}; it has the syntax of a .gitignore file.",
                file.display()
            ))
    };
    if file.symlink_metadata().is_ok()
        && let Some(error) = builder.add(&file)
    {
        return Err(wrong(error));
    }
    builder.build().map_err(wrong)
}

struct Walk {
    ignored: Gitignore,
    /// The site's, as it was given.
    folder: PathBuf,
    /// The real paths of the folder that is looked at and of those around it, as they were entered; the site's is first.
    within: Vec<PathBuf>,
    keys: Vec<String>,
    meant: BTreeSet<String>,
    /// The keys of what is hardly meant for visitors, of folders with a slash.
    private: Vec<String>,
    /// The keys of links to what is hidden.
    hidden: Vec<String>,
    /// What is neither file nor folder, with what it is.
    special: Vec<String>,
    problems: Problems,
}

impl Walk {
    /// Looks at a folder; `prefix` is its key with a slash, or nothing.
    fn enter(&mut self, path: &Path, prefix: &str) {
        let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.problems.unreadable(path, &error),
        };
        for entry in entries {
            let path = entry.path();
            if let Err(error) = entry.file_type().and_then(|kind| self.look_at(&path, kind, prefix)) {
                self.problems.unreadable(&path, &error);
            }
        }
    }

    fn look_at(&mut self, path: &Path, kind: FileType, prefix: &str) -> io::Result<()> {
        let target = kind.is_symlink().then(|| fs::metadata(path));
        let is_dir = target
            .as_ref()
            .map_or(kind.is_dir(), |target| target.as_ref().is_ok_and(fs::Metadata::is_dir));
        let name = path.file_name().unwrap_or_default();
        let is_meant = match self.ignored.matched(path, is_dir) {
            Match::Ignore(_) => return Ok(()),
            Match::None if is_hidden(name, prefix) => return Ok(()),
            Match::None => false,
            Match::Whitelist(_) => true,
        };
        let Some(name) = name.to_str() else {
            // Debug: it shows the bytes.
            self.problems
                .add(format!("the name of {path:?} isn't UTF-8"), "Rename the file.");
            return Ok(());
        };
        if name == IGNORE_FILE {
            return Ok(());
        }
        let key = format!("{prefix}{name}");
        if let Some((why, next_step)) = names::refusal(&key, is_dir) {
            // Debug of what has control characters: else it could write anything to the terminal.
            let shown = path.display().to_string();
            let shown = if shown.contains(char::is_control) {
                format!("{path:?}")
            } else {
                shown
            };
            self.problems.add(format!("{shown} {why}"), next_step);
            return Ok(());
        }
        let real = match &target {
            None => None,
            Some(Err(error)) => return self.refuse_link(path, &format!(", which can't be followed: {error}")),
            Some(Ok(_)) => Some(path.canonicalize()?),
        };
        if let Some(real) = &real {
            if !self.within.first().is_some_and(|site| real.starts_with(site)) {
                return self.refuse_link(path, ", which is outside of the site");
            }
            if is_dir && self.within.contains(real) {
                return self.refuse_link(path, ", which is a folder around it: it would never end");
            }
            if !is_meant && self.leads_to_hidden(real, is_dir) {
                self.hidden.push(key);
                return Ok(());
            }
        }
        if !is_meant && names::is_private(name, is_dir) {
            self.private.push(if is_dir { format!("{key}/") } else { key.clone() });
        }
        let kind = target.and_then(Result::ok).map_or(kind, |target| target.file_type());
        if is_dir {
            let inside = self.within.last().map(|around| around.join(name)).unwrap_or_default();
            self.within.push(real.unwrap_or(inside));
            self.enter(path, &format!("{key}/"));
            self.within.pop();
        } else if kind.is_file() {
            if is_meant {
                self.meant.insert(key.clone());
            }
            self.keys.push(key);
        } else {
            self.special.push(format!("{} ({})", path.display(), what_it_is(kind)));
        }
        Ok(())
    }

    /// Whether a link's real path has a part below the site that is hidden, and that the ignore file doesn't take in.
    fn leads_to_hidden(&self, real: &Path, is_dir: bool) -> bool {
        let below = self.within.first().and_then(|site| real.strip_prefix(site).ok());
        let mut path = self.folder.clone();
        let mut parts = below.into_iter().flatten().peekable();
        while let Some(part) = parts.next() {
            path.push(part);
            let is_dir = is_dir || parts.peek().is_some();
            let is_well_known = path == self.folder.join(".well-known");
            if part.as_encoded_bytes().starts_with(b".")
                && !is_well_known
                && !self.ignored.matched(&path, is_dir).is_whitelist()
            {
                return true;
            }
        }
        false
    }

    fn refuse_link(&mut self, link: &Path, why: &str) -> io::Result<()> {
        let target = fs::read_link(link)?;
        let (link, target) = (link.display(), target.display());
        self.problems.add(
            format!("{link} is a link to {target}{why}"),
            "Put the file itself there, or leave the link out by a line in site/.deployerignore.",
        );
        Ok(())
    }
}

/// Whether a file or folder in the folder `prefix` isn't for visitors. One that begins with a dot is: other hosts and
/// clients ask for it (RFC 8615).
fn is_hidden(name: &OsStr, prefix: &str) -> bool {
    name.as_encoded_bytes().starts_with(b".") && !(prefix.is_empty() && name == ".well-known")
}

fn what_it_is(kind: FileType) -> &'static str {
    match kind {
        _ if kind.is_fifo() => "a named pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(test)]
mod tests;
