//! Environments for programs that aren't ours and aren't Rust, in the user's cache folder.
//!
//! What is in one stands in a list with the hashes of all files: a package index can't send others, and no code of a package
//! runs for an installation.

use std::fs::{self, File};
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

/// Written last: an environment without it was left half-made.
const MARKER: &str = "complete";

/// The environment in `cache` whose name is `name` and the hash of what it is made `from`, made by `make` unless it is there.
/// Of several that want it at once, in whichever processes, one makes it, and the others wait.
///
/// `make` is given the environment's folder, which may have been left half-made, and what the others wait for: a program that
/// has it as its standard input is waited for, too, if this process is ended before it.
///
/// # Errors
/// It can't be made.
pub fn made(cache: &Path, name: &str, from: &str, make: impl FnOnce(&Path, &File) -> Result<()>) -> Result<PathBuf> {
    let sum = Sha256::digest(from);
    let hash: String = sum[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let environment = cache.join(format!("{name}-{hash}"));
    let marker = environment.join(MARKER);
    if marker.exists() {
        return Ok(environment);
    }
    fs::create_dir_all(cache)?;
    let lock = File::create(cache.join(format!("{name}-{hash}.lock")))?;
    lock.lock()?;
    if !marker.exists() {
        make(&environment, &lock)?;
        fs::write(marker, "")?;
    }
    Ok(environment)
}

/// The environment in `cache` that has the packages of `list`, made by the interpreter `python` unless it is there. `begun`
/// is called before it is.
///
/// # Errors
/// It can't be made: there is no such Python, or no network.
pub fn python(cache: &Path, name: &str, list: &str, python: &Path, begun: impl FnOnce(&Path)) -> Result<PathBuf> {
    made(cache, name, list, |environment, lock| {
        begun(environment);
        let venv = ["-I", "-m", "venv", "--clear"];
        run(Command::new(python)
            .args(venv)
            .arg(environment)
            .stdin(lock.try_clone()?))?;
        let requirements = environment.join("requirements.txt");
        fs::write(&requirements, list)?;
        let mut pip = Command::new(interpreter(environment));
        pip.args(["-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            // The list has all there is to install, and pip takes what packages say of one another's extras for something else.
            .arg("--no-deps")
            .args(["--require-hashes", "--only-binary", ":all:", "-r"])
            .arg(requirements)
            .stdin(lock.try_clone()?);
        run(&mut pip).map(drop)
    })
}

/// The Python of an environment.
pub fn interpreter(environment: &Path) -> PathBuf {
    environment.join("bin").join("python")
}

/// Keeps from a program what opens somebody's accounts, but for variables that begin with one of `kept`.
pub fn without_secrets(command: &mut Command, kept: &[&str]) {
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_ascii_uppercase();
        let is_secret = ["TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"]
            .iter()
            .any(|word| upper.contains(word));
        let is_kept = || kept.iter().any(|prefix| upper.starts_with(prefix));
        if upper.starts_with("AWS_") || (is_secret && !is_kept()) {
            command.env_remove(name);
        }
    }
}

/// Runs an installer, which needs nothing that opens somebody's accounts but the package index's, and gives what it printed.
///
/// # Errors
/// It doesn't start, or says that it failed.
pub fn run(command: &mut Command) -> Result<String> {
    without_secrets(command, &["PIP_"]);
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| Error::other(format!("could not start {program}: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(Error::other(format!(
        "{program} failed ({}): {}",
        output.status,
        words.trim_end()
    )))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_of_many_makes_it_and_one_left_half_made_is_made_anew() {
        let cache = tempfile::tempdir().expect("a folder");
        let made_by = AtomicUsize::new(0);
        let want = || {
            made(cache.path(), "any", "a list", |environment, _| {
                made_by.fetch_add(1, Ordering::Relaxed);
                fs::create_dir(environment)?;
                // The others have come until then, and what is half-made is never theirs.
                std::thread::sleep(Duration::from_millis(100));
                fs::write(environment.join("program"), "")
            })
        };
        std::thread::scope(|threads| {
            for wanted in [(); 4].map(|()| threads.spawn(want)) {
                let environment = wanted.join().expect("no panic").expect("made");
                assert!(environment.join("program").exists());
            }
        });
        assert_eq!(made_by.load(Ordering::Relaxed), 1);

        let environment = want().expect("it is there");
        fs::remove_file(environment.join(MARKER)).expect("removed");
        let again = made(cache.path(), "any", "a list", |place, _| {
            assert_eq!(place, environment);
            Ok(())
        });
        assert_eq!(again.expect("made"), environment);
        assert!(environment.join(MARKER).exists());
        let other = made(cache.path(), "any", "another list", |place, _| fs::create_dir(place));
        assert_ne!(other.expect("made"), environment);
    }

    #[test]
    fn an_installer_tells_why_it_failed() {
        let cache = tempfile::tempdir().expect("a folder");
        let failed = made(cache.path(), "any", "a list", |_, lock| {
            let mut installer = Command::new("sh");
            installer.args(["-c", "echo no network >&2; exit 3"]);
            run(installer.stdin(lock.try_clone()?)).map(drop)
        });
        let told = failed.expect_err("it fails").to_string();
        assert_eq!(told, "sh failed (exit status: 3): no network");
    }
}
