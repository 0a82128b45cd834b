//! Reading files, and what is said of those that can't be.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::file_stat::FileStat;
use crate::error::{Error, ErrorKind, Result};

/// What a file is read in; a whole one may not fit into memory.
pub(super) const PIECE_BYTES: usize = 128 * 1024;

/// How many files a thread takes at once, each time with a buffer of its own: few, since a site's large ones often stand
/// side by side.
pub(super) const FILES: usize = 4;

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Input {
    file: File,
    /// Whether it may have a private key in it.
    is_meant: bool,
    /// The file as it was when it was opened.
    pub(super) stat: FileStat,
}

impl Input {
    /// Opens a file.
    ///
    /// # Errors
    /// It can't be opened.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let stat = FileStat::of(&file.metadata()?);
        Ok(Self {
            file,
            is_meant: true,
            stat,
        })
    }

    /// The same, to be refused if it has a private key in it, unless that `is_meant`.
    #[must_use]
    pub(super) fn without_keys(self, is_meant: bool) -> Self {
        Self { is_meant, ..self }
    }

    /// Reads it to its end, a piece at a time.
    ///
    /// # Errors
    /// It can't be read, was written to meanwhile, or has a private key in it.
    pub(super) fn stream(mut self, buffer: &mut [u8], mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut missing = self.stat.size();
        let mut beginning = Vec::new();
        while missing > 0 {
            match self.file.read(buffer) {
                Ok(0) => break,
                Ok(count) => {
                    missing = missing.saturating_sub(count as u64);
                    if !self.is_meant && beginning.len() < LOOKED_AT_BYTES {
                        beginning.extend(buffer[..count].iter().take(LOOKED_AT_BYTES - beginning.len()));
                        if has_private_key(&beginning) {
                            return Err(io::Error::other(PrivateKey));
                        }
                    }
                    each(&buffer[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if FileStat::of(&self.file.metadata()?) == self.stat {
            Ok(())
        } else {
            Err(changed())
        }
    }

    /// Reads it whole; the caller has looked at its size.
    ///
    /// # Errors
    /// As [`Self::stream`].
    pub(super) fn whole(self, buffer: &mut [u8]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.stat.size()).unwrap_or_default());
        self.stream(buffer, |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }
}

/// Where a file would have a key that it is for, in bytes from its beginning.
const LOOKED_AT_BYTES: usize = 1024;

/// Whether there is a private key in PEM or OpenPGP's armour: `-----BEGIN RSA PRIVATE KEY-----` and the like.
fn has_private_key(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let mut labels = text.split("-----BEGIN ").skip(1);
    labels.any(|rest| {
        let label = rest.split_once("-----").map(|(label, _)| label);
        label.is_some_and(|label| label.ends_with("PRIVATE KEY") || label == "PGP PRIVATE KEY BLOCK")
    })
}

/// Why a file isn't read on.
#[derive(Debug)]
struct PrivateKey;

impl fmt::Display for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it has a private key in it")
    }
}

impl std::error::Error for PrivateKey {}

/// Why a file that was read, or read before, is of no use.
pub(super) fn changed() -> io::Error {
    io::Error::other("it was written to while the site was read; wait until whatever writes it has finished")
}

/// What is wrong with files of the folder: all of it is told at once, since finding one after the other takes a run each.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<(String, &'static str)>);

impl Problems {
    /// Notes what is wrong, in a sentence that begins with the file, and what to do about it.
    pub(super) fn add(&mut self, problem: String, next_step: &'static str) {
        self.0.push((problem, next_step));
    }

    /// Notes a file or folder that can't be read.
    pub(super) fn unreadable(&mut self, path: &Path, error: &io::Error) {
        if error
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<PrivateKey>)
        {
            return self.add(
                format!("{} has a private key in it, and whatever is in site/ everybody can read", path.display()),
                "Move it out of site/; if it was ever published or committed, replace the key. If it is meant to be read, say \
                 so by a line `!NAME` in site/.deployerignore.",
            );
        }
        self.add(
            format!("could not read {}: {error}", path.display()),
            "Correct its permissions, remove it, or leave it out by a line in site/.deployerignore.",
        );
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// # Errors
    /// There are any.
    pub(super) fn check(mut self, folder: &Path) -> Result<()> {
        self.0.sort();
        match self.0.as_slice() {
            [] => Ok(()),
            [(problem, next_step)] => Err(Error::new(ErrorKind::InvalidProject, problem).hint(*next_step)),
            [(_, next_step), ..] => {
                let count = self.0.len();
                let error = Error::new(
                    ErrorKind::InvalidProject,
                    format!("{count} files of {} can't be published", folder.display()),
                );
                let error = self
                    .0
                    .iter()
                    .fold(error, |error, (problem, _)| error.cause(problem.as_str()));
                Err(error.hint(*next_step))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_is_read_whole_or_in_pieces_and_one_that_grows_not_at_all() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let file = dir.path().join("a");
        for text in ["", "12", "123456789"] {
            fs::write(&file, text).expect("written");
            let input = Input::open(&file).expect("opened");
            assert_eq!(input.stat.size(), text.len() as u64);
            assert_eq!(input.whole(&mut [0; 4]).expect("read"), text.as_bytes());
        }
        let input = Input::open(&file).expect("opened");
        fs::write(&file, "1234567890").expect("written");
        let error = input.whole(&mut [0; 4]).expect_err("it grew");
        assert!(error.to_string().contains("while the site was read"), "{error}");
        let input = Input::open(&file).expect("opened");
        fs::write(&file, "").expect("written");
        assert!(input.whole(&mut [0; 4]).is_err(), "it shrank");
    }

    #[test]
    fn a_private_key_is_found_at_the_beginning_whatever_it_is_read_in() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let file = dir.path().join("a");
        let read = |text: &str, is_meant| {
            fs::write(&file, text).expect("written");
            let input = Input::open(&file).expect("opened").without_keys(is_meant);
            input.whole(&mut [0; 7]).map_err(|error| error.to_string())
        };
        for label in [
            "PRIVATE KEY",
            "RSA PRIVATE KEY",
            "OPENSSH PRIVATE KEY",
            "PGP PRIVATE KEY BLOCK",
        ] {
            for before in ["", "Bag Attributes\n", "{\"private_key\": \""] {
                let key = format!("{before}-----BEGIN {label}-----\nMII");
                assert_eq!(read(&key, false), Err("it has a private key in it".to_owned()));
                assert_eq!(read(&key, true), Ok(key.into_bytes()));
            }
        }
        let late = format!("{}-----BEGIN PRIVATE KEY-----", " ".repeat(1024));
        for text in [
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN PRIVATE KEY",
            &late,
        ] {
            assert_eq!(read(text, false), Ok(text.as_bytes().to_vec()));
        }
    }

    #[test]
    fn all_problems_are_told() {
        let folder = Path::new("site");
        assert!(Problems::default().check(folder).is_ok());
        let mut problems = Problems::default();
        problems.add("b is wrong".to_owned(), "Correct b.");
        let error = problems.check(folder).expect_err("one");
        assert_eq!((error.message(), error.next_step()), ("b is wrong", Some("Correct b.")));
        let mut problems = Problems::default();
        problems.add("b is wrong".to_owned(), "Correct b.");
        problems.unreadable(Path::new("a"), &io::Error::from(io::ErrorKind::PermissionDenied));
        let error = problems.check(folder).expect_err("two");
        assert_eq!(
            error.to_string(),
            "2 files of site can't be published: b is wrong: could not read a: permission denied"
        );
        assert_eq!(error.kind(), ErrorKind::InvalidProject);
    }
}
