//! The function's package: built by cargo, zipped, uploaded under a name that its content decides.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use aws_sdk_s3::primitives::ByteStream;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::process::Command;
use zip::write::SimpleFileOptions;

use crate::cloud::Cloud;
use crate::cloud::sdk_error::{explain, found};
use crate::error::{Context, Error, Result};
use crate::ident::hex;
use crate::project::Project;
use crate::project::stages::Architecture;
use crate::report::Reporter;

/// The name Lambda starts, at the root of the package.
const BOOTSTRAP: &str = "bootstrap";

/// A function that is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The binary.
    pub binary: PathBuf,
    /// The package's key in the artifacts bucket. The same binary has the same key, so CloudFormation sees new code
    /// exactly when there is some.
    pub key: String,
}

/// What the function is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// This machine: an emulator runs the function as a process of its own.
    ThisHost,
    /// Lambda's Amazon Linux 2023.
    Lambda(Architecture),
}

/// Builds the function with cargo.
///
/// # Errors
/// It doesn't compile (cargo's own words are the cause), or this machine can't build for the target.
pub async fn build(project: &Project, target: Target, reporter: &Reporter) -> Result<Package> {
    let manifest = manifest(project)?;
    // A linked folder is built where it really is: cargo looks for the workspace above the path it is given.
    let manifest = manifest
        .canonicalize()
        .or_fail(|| format!("could not read {}", manifest.display()))?;
    let binary = match target {
        Target::ThisHost => with_cargo(&manifest, &[], reporter).await?,
        Target::Lambda(architecture) if has_cargo_lambda().await => {
            with_cargo_lambda(&manifest, &project.build_dir(), architecture, reporter).await?
        }
        Target::Lambda(architecture)
            if cfg!(target_os = "linux") && Architecture::of_this_host() == Some(architecture) =>
        {
            reporter.warn(
                "cargo-lambda isn't installed: the function is linked against this machine's glibc, and Lambda's is 2.34. \
                 `pip install cargo-lambda` gives a build that fits.",
            );
            with_cargo(&manifest, &["--release"], reporter).await?
        }
        Target::Lambda(architecture) => {
            return Err(Error::usage(format!(
                "this machine can't build the function for {} without cargo-lambda",
                architecture.as_str()
            ))
            .hint("Install it (`pip install cargo-lambda`), then run the same command again."));
        }
    };
    let key = key_of(&binary).await?;
    Ok(Package { binary, key })
}

/// The manifest of the function's crate.
///
/// # Errors
/// There is none.
pub fn manifest(project: &Project) -> Result<PathBuf> {
    let manifest = project.function_dir().join("Cargo.toml");
    if manifest.is_file() {
        return Ok(manifest);
    }
    Err(Error::usage(format!("there is no {}", manifest.display()))
        .hint("The function is a Rust crate in the project's function/ folder, with a binary named `bootstrap`."))
}

async fn key_of(binary: &Path) -> Result<String> {
    let content = tokio::fs::read(binary)
        .await
        .or_fail(|| format!("could not read {}", binary.display()))?;
    let hash = tokio::task::spawn_blocking(move || Sha256::digest(content))
        .await
        .or_fail(|| "the hashing of the function was interrupted".to_owned())?;
    Ok(format!("function/{}.zip", hex(&hash[..16])))
}

async fn has_cargo_lambda() -> bool {
    Command::new("cargo")
        .args(["lambda", "--version"])
        .stdin(Stdio::null())
        .output()
        .await
        .is_ok_and(|output| output.status.success())
}

async fn with_cargo_lambda(
    manifest: &Path,
    build_dir: &Path,
    architecture: Architecture,
    reporter: &Reporter,
) -> Result<PathBuf> {
    let mut command = Command::new("cargo");
    command
        .args(["lambda", "build", "--release", "--bin", BOOTSTRAP])
        .arg(match architecture {
            Architecture::X86_64 => "--x86-64",
            Architecture::Arm64 => "--arm64",
        })
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--lambda-dir")
        .arg(build_dir);
    run(command, reporter).await?;
    Ok(build_dir.join(BOOTSTRAP).join(BOOTSTRAP))
}

async fn with_cargo(manifest: &Path, profile: &[&str], reporter: &Reporter) -> Result<PathBuf> {
    let mut command = Command::new("cargo");
    command
        .args([
            "build",
            "--bin",
            BOOTSTRAP,
            "--message-format",
            "json-render-diagnostics",
        ])
        .args(profile)
        .arg("--manifest-path")
        .arg(manifest);
    let output = run(command, reporter).await?;
    executable(&output).ok_or_else(|| {
        Error::failed("cargo built the function but names no executable")
            .hint("The crate in function/ needs a binary named `bootstrap`.")
    })
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
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            Error::usage("could not start cargo")
                .because(error)
                .hint("Install Rust (https://rustup.rs), then run the same command again.")
        })?;
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
        .hint("Nothing was changed. Correct function/ and run the same command again."))
}

/// Uploads the package unless the bucket has it. Returns whether it had to.
pub async fn upload(cloud: &Cloud, bucket: &str, package: &Package, reporter: &Reporter) -> Result<bool> {
    let there = cloud.s3.head_object().bucket(bucket).key(&package.key).send().await;
    let what = || format!("could not look into the bucket {bucket}");
    if found(there, |e| e.is_not_found(), what)?.is_some() {
        return Ok(false);
    }
    reporter.working("function", "packing and uploading");
    let binary = tokio::fs::read(&package.binary)
        .await
        .or_fail(|| format!("could not read {}", package.binary.display()))?;
    let zipped = tokio::task::spawn_blocking(move || zip_bootstrap(&binary))
        .await
        .or_fail(|| "the packing of the function was interrupted".to_owned())?
        .or_fail(|| "could not pack the function".to_owned())?;
    cloud
        .s3
        .put_object()
        .bucket(bucket)
        .key(&package.key)
        .content_type("application/zip")
        .body(ByteStream::from(zipped))
        .send()
        .await
        .map_err(|error| explain(&error, &format!("could not upload the function to {bucket}")))?;
    Ok(true)
}

/// A zip of `binary` as an executable `bootstrap`; the same bytes for the same binary, so without a time.
fn zip_bootstrap(binary: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o755);
    archive.start_file(BOOTSTRAP, options)?;
    archive.write_all(binary)?;
    Ok(archive.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_package_is_reproducible_and_executable() {
        let binary: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        let packed = zip_bootstrap(&binary).expect("packs");
        assert_eq!(packed, zip_bootstrap(&binary).expect("packs"));
        let mut archive = zip::ZipArchive::new(Cursor::new(packed)).expect("a zip");
        assert_eq!(archive.len(), 1);
        let mut entry = archive.by_name(BOOTSTRAP).expect("bootstrap");
        assert_eq!(entry.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        let mut back = Vec::new();
        entry.read_to_end(&mut back).expect("readable");
        assert_eq!(back, binary);
    }

    #[test]
    fn the_executable_is_the_one_that_cargo_names() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"retrieve_user_data"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"bootstrap"},"executable":"/t/debug/bootstrap"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/debug/bootstrap")));
        assert_eq!(executable(""), None);
    }
}
