//! Building the function's binary with whatever this machine has.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use super::GET_CARGO_LAMBDA;
use super::amazon_linux::GLIBC;
use super::archive::BOOTSTRAP;
use crate::error::{Context, Error, Result};
use crate::project::Project;
use crate::project::stages::Architecture;
use crate::report::Reporter;

/// What builds for Lambda, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builder {
    /// Links against an older glibc, on any machine.
    CargoLambda,
    /// Links against the glibc that it is told, on any machine.
    Zigbuild,
    /// Links against this machine's glibc, for this machine's architecture.
    Cargo,
}

/// The manifest of the function's crate.
///
/// # Errors
/// There is none.
pub(super) fn manifest(project: &Project) -> Result<PathBuf> {
    let manifest = project.function_dir().join("Cargo.toml");
    if manifest.is_file() {
        return Ok(manifest);
    }
    Err(Error::usage(format!("there is no {}", manifest.display()))
        .hint("The function is a Rust crate in the project's function/ folder, with a binary named `bootstrap`."))
}

/// Builds for this machine, quickly; gives the binary.
pub(super) async fn for_this_host(project: &Project, reporter: &Reporter) -> Result<Vec<u8>> {
    read(&cargo(&manifest(project)?, "build", &[], reporter).await?).await
}

/// Builds for Lambda; gives the binary, and what built it.
///
/// # Errors
/// It doesn't compile (cargo's own words are the cause), or nothing here can build for the architecture.
pub(super) async fn for_lambda(
    project: &Project,
    architecture: Architecture,
    reporter: &Reporter,
) -> Result<(Vec<u8>, Builder)> {
    let manifest = manifest(project)?;
    let builder = Builder::choose(architecture).await?;
    let binary = match builder {
        Builder::CargoLambda => cargo_lambda(&manifest, &project.build_dir(), architecture, reporter).await?,
        Builder::Zigbuild => {
            let target = format!("{}.{GLIBC}", triple(architecture));
            read(&cargo(&manifest, "zigbuild", &["--release", "--target", &target], reporter).await?).await?
        }
        Builder::Cargo => read(&cargo(&manifest, "build", &["--release"], reporter).await?).await?,
    };
    Ok((binary, builder))
}

async fn read(binary: &Path) -> Result<Vec<u8>> {
    tokio::fs::read(binary)
        .await
        .or_fail(|| format!("could not read {}", binary.display()))
}

impl Builder {
    async fn choose(architecture: Architecture) -> Result<Self> {
        if answers(&["lambda", "--version"]).await? {
            Ok(Self::CargoLambda)
        } else if answers(&["zigbuild", "--help"]).await? {
            Ok(Self::Zigbuild)
        } else if cfg!(target_os = "linux") && Architecture::of_this_host() == Some(architecture) {
            Ok(Self::Cargo)
        } else {
            Err(Error::usage(format!(
                "this machine can't build the function for {} without cargo-lambda or cargo-zigbuild",
                architecture.as_str()
            ))
            .hint(format!(
                "Install one (`{GET_CARGO_LAMBDA}`), then run the same command again."
            )))
        }
    }
}

fn triple(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "x86_64-unknown-linux-gnu",
        Architecture::Arm64 => "aarch64-unknown-linux-gnu",
    }
}

/// Whether cargo knows a subcommand.
async fn answers(arguments: &[&str]) -> Result<bool> {
    let output = Command::new("cargo")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await;
    Ok(output.map_err(no_cargo)?.status.success())
}

fn no_cargo(error: std::io::Error) -> Error {
    Error::usage("could not start cargo")
        .because(error)
        .hint("Install Rust (https://rustup.rs), then run the same command again.")
}

async fn cargo_lambda(
    manifest: &Path,
    build_dir: &Path,
    architecture: Architecture,
    reporter: &Reporter,
) -> Result<Vec<u8>> {
    let flag = match architecture {
        Architecture::X86_64 => "--x86-64",
        Architecture::Arm64 => "--arm64",
    };
    // A folder of this run's own: another run may build for another stage, and an earlier one's binary isn't this one's.
    let unwritable = || format!("could not make a folder in {}", build_dir.display());
    std::fs::create_dir_all(build_dir).or_fail(unwritable)?;
    let folder = tempfile::tempdir_in(build_dir).or_fail(unwritable)?;
    let mut command = Command::new("cargo");
    command
        .args(["lambda", "build", "--release", flag, "--bin", BOOTSTRAP])
        .args(["--output-format", "binary"])
        .arg("--manifest-path")
        .arg(real(manifest)?)
        .arg("--lambda-dir")
        .arg(folder.path());
    run(command, reporter).await?;
    tokio::fs::read(folder.path().join(BOOTSTRAP).join(BOOTSTRAP))
        .await
        .map_err(|error| {
            Error::usage("cargo-lambda built the function, but no binary where it was told to put it")
                .because(error)
                .hint(
                    "Look for `extension` or `lambda_dir` in CargoLambda.toml and under [package.metadata.lambda] of                      function/Cargo.toml, and remove it.",
                )
        })
}

/// Runs `cargo build`, or a subcommand that takes and says the same.
async fn cargo(manifest: &Path, subcommand: &str, arguments: &[&str], reporter: &Reporter) -> Result<PathBuf> {
    let mut command = Command::new("cargo");
    command
        .args([subcommand, "--bin", BOOTSTRAP])
        .args(["--message-format", "json-render-diagnostics"])
        .args(arguments)
        .arg("--manifest-path")
        .arg(real(manifest)?);
    let output = run(command, reporter).await?;
    executable(&output).ok_or_else(|| {
        Error::failed("cargo built the function but names no executable")
            .hint("The crate in function/ needs a binary named `bootstrap`.")
    })
}

/// A linked folder is built where it really is: cargo looks for the workspace above the path it is given.
fn real(manifest: &Path) -> Result<PathBuf> {
    manifest
        .canonicalize()
        .or_fail(|| format!("could not read {}", manifest.display()))
}

/// The path in cargo's "compiler-artifact" message: it knows of CARGO_TARGET_DIR and of any configuration.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == BOOTSTRAP)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// Runs a build and returns its stdout.
async fn run(mut command: Command, reporter: &Reporter) -> Result<String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(no_cargo)?;
    let mut stdout = child
        .stdout
        .take()
        .ok_or_else(|| Error::failed("cargo has no stdout"))?;
    let stderr = child
        .stderr
        .take()
        .ok_or_else(|| Error::failed("cargo has no stderr"))?;
    let mut said = String::new();
    let read_stderr = async {
        let mut lines = BufReader::new(stderr).lines();
        while let Some(line) = lines.next_line().await? {
            let short = line.trim();
            if short.starts_with("Compiling") || short.starts_with("Finished") {
                reporter.working("function", short);
            } else {
                said.push_str(&line);
                said.push('\n');
            }
        }
        Ok::<_, std::io::Error>(())
    };
    let mut out = String::new();
    let (read_out, read_err) = tokio::join!(stdout.read_to_string(&mut out), read_stderr);
    read_out.or_fail(|| "could not read cargo's output".to_owned())?;
    read_err.or_fail(|| "could not read cargo's messages".to_owned())?;
    let status = child.wait().await.or_fail(|| "cargo was lost".to_owned())?;
    if status.success() {
        return Ok(out);
    }
    Err(Error::usage(format!("the function doesn't build ({status})"))
        .because(said.trim())
        .hint(remedy(&said)))
}

/// What helps against cargo's complaint.
fn remedy(complaint: &str) -> String {
    let not_installed = Architecture::ALL
        .map(triple)
        .into_iter()
        .find(|triple| complaint.contains(&format!("the `{triple}` target may not be installed")));
    // cargo-zigbuild's words and cargo-lambda's.
    let no_zig = ["Failed to find zig", "Zig is not installed"].map(|words| complaint.contains(words));
    let first = match not_installed {
        Some(triple) => format!("`rustup target add {triple}`, then"),
        None if no_zig.contains(&true) => format!("`{GET_CARGO_LAMBDA}` brings a zig along;"),
        None => "Correct function/ and".to_owned(),
    };
    format!("Nothing was changed. {first} run the same command again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_the_one_that_cargo_names() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"retrieve_user_data"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"bootstrap"},"executable":"/t/debug/bootstrap"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/debug/bootstrap")));
        assert_eq!(executable(""), None);
    }

    #[test]
    fn what_is_missing_is_named_with_its_command() {
        let complaint = "error[E0463]: can't find crate for `core`\n  |\n  = note: the `aarch64-unknown-linux-gnu` target \
                         may not be installed\n";
        assert!(remedy(complaint).contains("`rustup target add aarch64-unknown-linux-gnu`"));
        for complaint in [
            "Error: Failed to find zig\n\nCaused by:\n    cannot find binary path",
            "Error:   × Zig is not installed in your system, please install it and run Cargo\n  │ Lambda again",
        ] {
            assert!(remedy(complaint).contains("pip install cargo-lambda` brings a zig along"));
        }
        assert!(remedy("error[E0308]: mismatched types").contains("Correct function/"));
    }
}
