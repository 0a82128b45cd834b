//! A copy of this project's stacks and site, which a test may change; the function is the project's own.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Deployer, Ran, emulator};

pub(crate) struct Project {
    dir: TempDir,
}

impl Project {
    pub(crate) fn copy() -> Self {
        Self::copy_of(&repository())
    }

    /// The same of one of the examples.
    pub(crate) fn of(example: &str) -> Self {
        Self::copy_of(&repository().join("examples").join(example))
    }

    /// A copy with a function of its own to change, in a workspace of its own with the versions that are locked here.
    pub(crate) fn with_function() -> Self {
        let here = repository();
        let project = Self::copy_of(&here);
        let function = project.path().join("function");
        std::fs::remove_file(&function).expect("the link");
        for folder in ["src", "tests"] {
            copy(&here.join("function").join(folder), &function.join(folder));
        }
        std::fs::copy(here.join("function/Cargo.toml"), function.join("Cargo.toml")).expect("copyable");
        std::fs::copy(here.join("Cargo.lock"), project.path().join("Cargo.lock")).expect("copyable");
        let manifest = std::fs::read_to_string(here.join("Cargo.toml")).expect("readable");
        let (_, shared) = manifest.split_once("[workspace.package]").expect("what crates share");
        let (shared, rest) = shared.split_once("[package]").expect("the deployer's own");
        let (_, profiles) = rest.split_once("[profile.dev]").expect("profiles");
        let (dev, _) = profiles.split_once("# These work on").expect("the deployer's own");
        let workspace = format!(
            "[workspace]\nmembers = [\"function\"]\nresolver = \"3\"\n\n[workspace.package]{shared}\n[profile.dev]{dev}"
        );
        project.write("Cargo.toml", &workspace);
        project
    }

    /// A folder with nothing in it but a name, an unprotected stage `prod`, and these files.
    pub(crate) fn bare(name: &str, files: &[(&str, &str)]) -> Self {
        let project = Self {
            dir: TempDir::new().expect("a temporary folder"),
        };
        std::fs::create_dir(project.path().join("stacks")).expect("made");
        project.write(
            "stacks/stages.yaml",
            &format!("project: {name}\nstages:\n  prod: {{}}\n"),
        );
        for (file, text) in files {
            project.write(file, text);
        }
        project
    }

    fn copy_of(from: &Path) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        for folder in ["stacks", "site"] {
            copy(&from.join(folder), &dir.path().join(folder));
        }
        if from.join("function").exists() {
            std::os::unix::fs::symlink(from.join("function"), dir.path().join("function")).expect("a link");
        }
        Self { dir }
    }

    /// A Python script of the project's that can be executed.
    pub(crate) fn executable(&self, file: &str, script: &str) {
        let file = self.path().join(file);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        std::fs::write(&file, format!("#!{}\n{script}", emulator::python().display())).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("executable");
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

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
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
