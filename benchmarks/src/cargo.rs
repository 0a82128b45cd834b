//! Building what is measured, each program by a cargo call of its own.
//!
//! A program that is built together with the benchmark would get the features that the benchmark asks for too, and
//! would not be the program that is shipped.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::error::{Context, Result};

/// The folder of this package: what is measured is beside it.
#[must_use]
pub fn here() -> PathBuf {
    // At run time: a build folder that several checkouts share may hold a program that was compiled in another one.
    env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// The whole path of a program that was given: one without a folder would be looked for where commands are.
///
/// # Errors
/// There is none.
pub fn given(program: &Path) -> Result<PathBuf> {
    program
        .canonicalize()
        .context(format_args!("could not find {}", program.display()))
}

/// The path of the deployer that is given, or of one that is built as it is given to users.
///
/// # Errors
/// See [`given`] and [`build`].
pub fn deployer(path: Option<&Path>) -> Result<PathBuf> {
    match path {
        Some(path) => given(path),
        None => build(&here().join(".."), "deployer", "dist", &[]),
    }
}

/// Builds the program `name` of the package in `folder` with the `profile` that it is shipped with, and gives its path.
/// `more` are options beside those: by default it has the features that it is shipped with.
///
/// # Errors
/// Cargo can't be started, or it doesn't compile; cargo has said why on stderr.
pub fn build(folder: &Path, name: &str, profile: &str, more: &[&str]) -> Result<PathBuf> {
    // Under `cargo run` this is the same cargo.
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--profile", profile, "--locked", "--bin", name])
        .args(more)
        .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("could not start cargo")?;
    if !output.status.success() {
        return Err(format!("could not build {name} ({})", output.status).into());
    }
    executable(&String::from_utf8_lossy(&output.stdout), name)
        .ok_or_else(|| format!("cargo built {name} but names no executable").into())
}

/// The path in cargo's "compiler-artifact" message: it knows of CARGO_TARGET_DIR and of any configuration.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_the_one_that_cargo_names() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"bootstrap"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"floor"},"executable":"/t/release/floor"}
{"reason":"compiler-artifact","target":{"name":"bootstrap"},"executable":"/t/release/bootstrap"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(
            executable(messages, "bootstrap"),
            Some(PathBuf::from("/t/release/bootstrap"))
        );
        assert_eq!(executable("", "bootstrap"), None);
    }
}
