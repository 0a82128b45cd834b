//! The project that is deployed.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::cargo;
use crate::error::{Context as _, Result};
use tempfile::TempDir;

/// A project's folder.
#[derive(Debug)]
pub enum Project {
    /// The user's own.
    Given(PathBuf),
    /// A copy that goes with this value.
    Copy(TempDir),
}

impl Project {
    /// The project in `folder`, or a copy of the one that this package belongs to.
    ///
    /// # Errors
    /// It isn't there, or can't be copied.
    pub fn find(folder: Option<&Path>) -> Result<Self> {
        match folder {
            Some(folder) => Ok(Self::Given(cargo::given(folder)?)),
            None => Self::copy_of(&cargo::here().join("..")),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Copy(folder) => folder.path(),
        }
    }
}

impl Project {
    /// A copy of the project in `folder`.
    ///
    /// # Errors
    /// It can't be made.
    pub fn copy_of(folder: &Path) -> Result<Self> {
        copy(folder).context("could not copy the project").map(Self::Copy)
    }
}

/// The function is the project's own, which is built in its workspace.
fn copy(from: &Path) -> Result<TempDir> {
    let to = tempfile::tempdir()?;
    for folder in ["stacks", "site"] {
        copy_folder(&from.join(folder), &to.path().join(folder))?;
    }
    symlink(from.join("function").canonicalize()?, to.path().join("function"))?;
    Ok(to)
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
