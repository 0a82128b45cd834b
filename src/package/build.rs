//! Building functions' binaries with whatever this machine has, or else with what is installed for it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use super::Target;
use super::amazon_linux::GLIBC;
use super::archive::BOOTSTRAP;
use super::crates::{self, manifest_in, no_cargo, real};
use crate::child;
use crate::error::{Error, ErrorKind, OrFail, Result};
use crate::project::Project;
use crate::project::stages::Architecture;
use crate::report::Reporter;
use crate::venv::{self, Place, Tool};

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

/// cargo-lambda and the zig that it links with, for machines that have no such thing.
const CARGO_LAMBDA: Tool = Tool {
    user: "building for Lambda",
    part: PART,
    package: "cargo-lambda",
    version: "1.9.2",
    lock: include_str!("cargo-lambda.txt"),
};

/// Brings what [`CARGO_LAMBDA`] pins; a plain `pip install` is refused by newer distributions.
pub(super) fn get_cargo_lambda() -> String {
    let pins = CARGO_LAMBDA.lock.lines().filter(|line| !line.starts_with(['#', ' ']));
    let pins: Vec<&str> = pins.filter_map(|line| line.split(' ').next()).collect();
    format!(
        "python3 -m venv ~/.cargo-lambda && . ~/.cargo-lambda/bin/activate && pip install {}",
        pins.join(" ")
    )
}

/// How events name this part.
const PART: &str = "function";

/// Binaries that were built.
pub(super) struct Built {
    /// Where each is, by its name.
    pub(super) files: BTreeMap<String, PathBuf>,
    /// What built them; none if they only have to run here, which isn't checked.
    pub(super) builder: Option<Builder>,
    /// They may be in it.
    _folder: Option<TempDir>,
}

/// The profile that crates are built with for Lambda unless they name another.
const RELEASE: &str = "release";

/// What one call of cargo is about.
struct Call<'a> {
    manifest: PathBuf,
    binaries: &'a [&'a str],
    /// The packages that have them, if cargo doesn't find those by the manifest.
    packages: Vec<String>,
    /// What they are built with for Lambda.
    profile: String,
    /// Whether they have a `Cargo.lock`, which what is released then goes by.
    locked: bool,
    /// Where it looks for programs, if not where this process does.
    path: Option<OsString>,
    reporter: &'a Reporter,
}

/// Builds some of the crates' binaries, all in one call of cargo: quickly for this machine, optimized for Lambda.
///
/// # Errors
/// They don't compile (cargo's own words are the cause), or nothing here can build for the target.
pub(super) async fn build(project: &Project, target: Target, binaries: &[&str], reporter: &Reporter) -> Result<Built> {
    let function_dir = project.function_dir();
    let mut call = Call {
        manifest: real(&manifest_in(&function_dir)?)?,
        binaries,
        packages: Vec::new(),
        profile: RELEASE.to_owned(),
        locked: false,
        path: None,
        reporter,
    };
    // A crate that can't be read doesn't build either, and the build says why.
    if let Ok(known) = crates::read(&function_dir).await {
        let packages = crates::packages(&known.binaries, binaries)?;
        call.packages = packages.into_iter().map(str::to_owned).collect();
        call.profile = known.profile.unwrap_or(call.profile);
        call.locked = known.is_locked;
    }
    let Target::Lambda(architecture) = target else {
        return Ok(Built {
            files: call.cargo("build", &[]).await?,
            builder: None,
            _folder: None,
        });
    };
    let (builder, path) = Builder::choose(architecture, reporter).await?;
    call.path = path;
    let (files, folder) = match builder {
        Builder::CargoLambda => {
            let (files, folder) = call.cargo_lambda(&project.build_dir(), architecture).await?;
            (files, Some(folder))
        }
        Builder::Zigbuild => {
            let target = format!("{}.{GLIBC}", triple(architecture));
            let arguments = [&["--profile", &call.profile, "--target", &target], call.locked()].concat();
            (call.cargo("zigbuild", &arguments).await?, None)
        }
        Builder::Cargo => {
            let arguments = [&["--profile", &call.profile], call.locked()].concat();
            (call.cargo("build", &arguments).await?, None)
        }
    };
    Ok(Built {
        files,
        builder: Some(builder),
        _folder: folder,
    })
}

impl Builder {
    /// The best that there is, and the `PATH` that it is found by if that isn't this process's.
    async fn choose(architecture: Architecture, reporter: &Reporter) -> Result<(Self, Option<OsString>)> {
        if answers(&["lambda", "--version"], None).await? {
            return Ok((Self::CargoLambda, None));
        }
        if answers(&["zigbuild", "--help"], None).await? {
            return Ok((Self::Zigbuild, None));
        }
        let error = match install(reporter).await {
            Ok(path) => return Ok((Self::CargoLambda, Some(path))),
            Err(error) => error,
        };
        if cfg!(target_os = "linux") && Architecture::of_this_host() == Some(architecture) {
            reporter.warn(format!(
                "plain cargo builds for Lambda, so with this machine's glibc, since cargo-lambda isn't there: {error}"
            ));
            return Ok((Self::Cargo, None));
        }
        Err(Error::new(
            ErrorKind::InvalidSetup,
            format!(
                "this machine can't build the function for {} without cargo-lambda or cargo-zigbuild",
                architecture.as_str()
            ),
        )
        .cause(error)
        .hint(format!(
            "Install one (`{}`), then run the same command again.",
            get_cargo_lambda()
        )))
    }
}

/// Installs cargo-lambda where only the deployer finds it; returns a `PATH` that has it.
async fn install(reporter: &Reporter) -> Result<OsString> {
    let place = Place::of(&venv::user_folders()?);
    let environment = CARGO_LAMBDA.install(&place, reporter).await?;
    // First: the Python that is found there is the one that has zig.
    let folders = [venv::commands(&environment)];
    let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&place.path)))
        .or_fail(|| format!("{} can't be on PATH", environment.display()))?;
    if answers(&["lambda", "--version"], Some(&path)).await? {
        Ok(path)
    } else {
        Err(Error::failed(format!(
            "cargo doesn't know `lambda`, which is installed in {}",
            environment.display()
        )))
    }
}

fn triple(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "x86_64-unknown-linux-gnu",
        Architecture::Arm64 => "aarch64-unknown-linux-gnu",
    }
}

/// Whether cargo knows a subcommand.
async fn answers(arguments: &[&str], path: Option<&OsStr>) -> Result<bool> {
    let mut command = Command::new("cargo");
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let output = child::output(command.args(arguments).stdin(Stdio::null())).await;
    Ok(output.map_err(no_cargo)?.status.success())
}

impl Call<'_> {
    /// Runs `cargo build`, or a subcommand that takes and says the same.
    async fn cargo(&self, subcommand: &str, arguments: &[&str]) -> Result<BTreeMap<String, PathBuf>> {
        let mut command = Command::new("cargo");
        command.arg(subcommand);
        self.add_binaries(&mut command);
        command
            .args(["--message-format", "json-render-diagnostics"])
            .args(arguments);
        let output = self.run(command).await?;
        let mut files = executables(&output);
        self.each(|binary| {
            files.remove(binary).ok_or_else(|| {
                Error::failed(format!("cargo built `{binary}` but names no executable"))
                    .hint(format!("The crate in function/ needs a binary named `{binary}`."))
            })
        })
    }

    /// Has cargo-lambda build into a folder in `build_dir`.
    async fn cargo_lambda(
        &self,
        build_dir: &Path,
        architecture: Architecture,
    ) -> Result<(BTreeMap<String, PathBuf>, TempDir)> {
        let flag = match architecture {
            Architecture::X86_64 => "--x86-64",
            Architecture::Arm64 => "--arm64",
        };
        // A folder of this run's own: another run may build for another stage, and an earlier one's binary isn't this
        // one's.
        let unwritable = || format!("could not make a folder in {}", build_dir.display());
        std::fs::create_dir_all(build_dir).or_fail(unwritable)?;
        let folder = tempfile::tempdir_in(build_dir).or_fail(unwritable)?;
        let mut command = Command::new("cargo");
        command.args(["lambda", "build", flag]);
        // With the option that it has for it, cargo-lambda also chooses what the profile leaves open.
        if self.profile == RELEASE {
            command.arg("--release");
        } else {
            command.args(["--profile", &self.profile]);
        }
        self.add_binaries(&mut command);
        command
            .args(self.locked())
            .args(["--output-format", "binary"])
            .arg("--lambda-dir")
            .arg(folder.path());
        self.run(command).await?;
        let files = self.each(|binary| {
            let file = folder.path().join(binary).join(BOOTSTRAP);
            match file.metadata() {
                Ok(_) => Ok(file),
                Err(error) => Err(Error::new(
                    ErrorKind::InvalidSetup,
                    format!("cargo-lambda built `{binary}`, but no file where it was told to put it"),
                )
                .cause(error)
                .hint(
                    "Look for `extension` or `lambda_dir` in CargoLambda.toml and under [package.metadata.lambda] of \
                     function/Cargo.toml, and remove it.",
                )),
            }
        })?;
        Ok((files, folder))
    }

    /// Has cargo refuse to build of other versions than `Cargo.lock` names.
    fn locked(&self) -> &'static [&'static str] {
        if self.locked { &["--locked"] } else { &[] }
    }

    fn add_binaries(&self, command: &mut Command) {
        for binary in self.binaries {
            command.args(["--bin", binary]);
        }
        for package in &self.packages {
            command.args(["--package", package]);
        }
    }

    fn each(&self, mut file: impl FnMut(&str) -> Result<PathBuf>) -> Result<BTreeMap<String, PathBuf>> {
        let binaries = self.binaries.iter();
        binaries
            .map(|binary| Ok(((*binary).to_owned(), file(binary)?)))
            .collect()
    }

    async fn run(&self, mut command: Command) -> Result<String> {
        command.arg("--manifest-path").arg(&self.manifest);
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        run(command, self.reporter).await
    }
}

/// The programs in cargo's "compiler-artifact" messages, by name: it knows of CARGO_TARGET_DIR and of any configuration.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?;
            Some((name.to_owned(), PathBuf::from(message["executable"].as_str()?)))
        })
        .collect()
}

/// Runs a build and returns its stdout.
async fn run(mut command: Command, reporter: &Reporter) -> Result<String> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (mut cargo, group) = child::start(&mut command).map_err(no_cargo)?;
    let mut stdout = cargo
        .stdout
        .take()
        .ok_or_else(|| Error::failed("cargo has no stdout"))?;
    let stderr = cargo
        .stderr
        .take()
        .ok_or_else(|| Error::failed("cargo has no stderr"))?;
    let mut said = String::new();
    let read_stderr = async {
        let mut lines = BufReader::new(stderr).lines();
        while let Some(line) = lines.next_line().await? {
            let short = line.trim();
            if short.starts_with("Compiling") || short.starts_with("Finished") {
                reporter.working(PART, short);
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
    let status = cargo.wait().await.or_fail(|| "cargo was lost".to_owned())?;
    group.ended();
    if status.success() {
        return Ok(out);
    }
    Err(
        Error::new(ErrorKind::BuildFailed, format!("the function doesn't build ({status})"))
            .cause(said.trim())
            .hint(remedy(&said)),
    )
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
        None if no_zig.contains(&true) => format!("`{}` brings a zig along;", get_cargo_lambda()),
        // "because --locked was passed", or "but --locked was passed", by its version.
        None if complaint.contains("--locked was passed") => {
            "Cargo.lock doesn't fit the crates' Cargo.toml, so what is built wouldn't be what was tested: `cargo check` in \
             function/ brings it up to date; test that, commit it, and"
                .to_owned()
        }
        None => "Correct function/ and".to_owned(),
    };
    format!("Nothing was changed. {first} run the same command again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_those_that_cargo_names() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"retrieve_user_data"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"bootstrap"},"executable":"/t/debug/bootstrap"}
{"reason":"compiler-artifact","target":{"name":"second"},"executable":"/t/debug/second"}
{"reason":"build-finished","success":true}"#;
        let files = executables(messages);
        let files: Vec<(&str, &Path)> = files.iter().map(|(name, file)| (name.as_str(), &**file)).collect();
        assert_eq!(
            files,
            [
                ("bootstrap", Path::new("/t/debug/bootstrap")),
                ("second", Path::new("/t/debug/second"))
            ]
        );
        assert!(executables("").is_empty());
    }

    #[test]
    fn the_list_pins_what_its_name_says() {
        assert!(
            CARGO_LAMBDA
                .lock
                .contains(&format!("cargo-lambda=={} ", CARGO_LAMBDA.version))
        );
        assert!(CARGO_LAMBDA.lock.contains("\nziglang=="));
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
            let pinned = format!("pip install cargo-lambda=={} ziglang==", CARGO_LAMBDA.version);
            let remedy = remedy(complaint);
            assert!(
                remedy.contains(&pinned) && remedy.contains("` brings a zig along"),
                "{remedy}"
            );
        }
        for complaint in [
            "error: cannot update the lock file /app/Cargo.lock because --locked was passed to prevent this",
            "error: the lock file /app/Cargo.lock needs to be updated but --locked was passed to prevent this",
        ] {
            assert!(remedy(complaint).contains("`cargo check` in function/ brings it up to date"));
        }
        assert!(remedy("error[E0308]: mismatched types").contains("Correct function/"));
    }
}
