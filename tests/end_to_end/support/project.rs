//! A copy of this project's stacks and site, which a test may change; the function is the project's own.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Deployer, Ran};

pub(crate) struct Project {
    dir: TempDir,
}

impl Project {
    pub(crate) fn copy() -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let here = repository();
        for folder in ["stacks", "site"] {
            copy(&here.join(folder), &dir.path().join(folder));
        }
        std::os::unix::fs::symlink(here.join("function"), dir.path().join("function")).expect("a link");
        Self { dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path().join(file), text).expect("writable");
    }

    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path().join(file)).expect("readable")
    }

    /// Replaces `from` in `file`; it must be there once, else the test doesn't test what it says.
    #[track_caller]
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert_eq!(text.matches(from).count(), 1, "`{from}` in {file}");
        self.write(file, &text.replace(from, to));
    }

    /// `deployer` in this folder, at `endpoint`.
    pub(crate) fn deployer(&self, endpoint: &str, args: &[&str]) -> Ran {
        Deployer::new(self.path(), args).at(endpoint).run()
    }
}

/// The checkout that is tested. Asked for at run time: a build folder that several checkouts share may hold a test that
/// was compiled in another one.
pub(crate) fn repository() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("copyable");
        }
    }
}
