//! What binaries the crates in `function/` have, as cargo knows them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::process::Command;

use crate::child;
use crate::error::{Error, ErrorKind, OrFail, Result};
use crate::project::did_you_mean;

/// The names of the binaries that the crates below `function_dir` have, sorted. One that two crates have is there twice.
///
/// # Errors
/// There is no crate, or cargo can't read it.
pub(crate) async fn binaries(function_dir: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = read(function_dir)
        .await?
        .binaries
        .into_iter()
        .map(|binary| binary.name)
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// The binary that is meant by a name from elsewhere, compared without case, `-` and `_`; none if there is none.
///
/// # Errors
/// Two or more could be meant: all of them.
pub(crate) fn matching<'a>(wanted: &str, binaries: &'a [String]) -> Result<Option<&'a str>, Vec<&'a str>> {
    let wanted = plain(wanted);
    let meant: Vec<&str> = binaries
        .iter()
        .map(String::as_str)
        .filter(|name| plain(name) == wanted)
        .collect();
    match &*meant {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        _ => Err(meant),
    }
}

fn plain(name: &str) -> String {
    let letters = name.chars().filter(|letter| !matches!(letter, '-' | '_'));
    letters.flat_map(char::to_lowercase).collect()
}

/// A binary of one of the crates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binary {
    pub(super) name: String,
    /// Its package, as cargo names it.
    package: String,
    /// Whether that is the one of `function/Cargo.toml` itself, which cargo takes if it is told of none.
    at_root: bool,
}

/// The packages that have to be named to cargo so that it builds these binaries: none, as long as they are all of
/// `function/Cargo.toml`'s own.
///
/// # Errors
/// There is no such binary, or two crates have it.
pub(super) fn packages<'a>(known: &'a [Binary], wanted: &[&str]) -> Result<Vec<&'a str>> {
    let mut all = Vec::new();
    let mut elsewhere = false;
    for name in wanted {
        let mut same = known.iter().filter(|binary| binary.name == *name);
        let Some(binary) = same.next() else {
            return Err(missing(name, known));
        };
        if let Some(other) = same.next() {
            return Err(Error::new(
                ErrorKind::InvalidProject,
                format!("function/ has two binaries named `{name}`"),
            )
            .cause(format!("they are of {} and of {}", binary.package, other.package))
            .hint("Give one of them another name."));
        }
        elsewhere |= !binary.at_root;
        if !all.contains(&binary.package.as_str()) {
            all.push(&binary.package);
        }
    }
    Ok(if elsewhere { all } else { Vec::new() })
}

fn missing(name: &str, known: &[Binary]) -> Error {
    let names: Vec<&str> = known.iter().map(|binary| binary.name.as_str()).collect();
    let error = Error::new(
        ErrorKind::InvalidProject,
        format!("function/ has no binary named `{name}`"),
    )
    .cause(match &*names {
        [] => "it has none".to_owned(),
        names => format!("it has {}", names.join(", ")),
    });
    error.hint(match did_you_mean(name, &names) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => format!("Name one so, by `[[bin]]` and `name = \"{name}\"` in function/Cargo.toml."),
    })
}

/// The manifest of the function's crate.
///
/// # Errors
/// There is none.
pub(super) fn manifest_in(function_dir: &Path) -> Result<PathBuf> {
    let manifest = function_dir.join("Cargo.toml");
    if manifest.is_file() {
        return Ok(manifest);
    }
    Err(
        Error::new(ErrorKind::InvalidProject, format!("there is no {}", manifest.display()))
            .hint("The function is a Rust crate in the project's function/ folder, with a binary named `bootstrap`."),
    )
}

/// A linked folder is built where it really is: cargo looks for the workspace above the path it is given.
pub(super) fn real(manifest: &Path) -> Result<PathBuf> {
    manifest
        .canonicalize()
        .or_fail(|| format!("could not read {}", manifest.display()))
}

pub(super) fn no_cargo(error: std::io::Error) -> Error {
    Error::new(ErrorKind::InvalidSetup, "could not start cargo")
        .cause(error)
        .hint("Install Rust (https://rustup.rs), then run the same command again.")
}

/// What cargo knows of `function/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Crates {
    pub(super) binaries: Vec<Binary>,
    /// The profile that they are built with for Lambda, if it isn't the release profile: `[package.metadata.deployer]` says
    /// `profile = "…"`, or `[workspace.metadata.deployer]` for all.
    pub(super) profile: Option<String>,
    /// Whether the workspace has a `Cargo.lock`.
    pub(super) is_locked: bool,
}

/// Asks cargo.
///
/// # Errors
/// There is no crate, or cargo can't read it.
pub(super) async fn read(function_dir: &Path) -> Result<Crates> {
    let manifest = real(&manifest_in(function_dir)?)?;
    let mut cargo = Command::new("cargo");
    cargo
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(&manifest)
        .stdin(Stdio::null());
    let output = child::output(&mut cargo).await.map_err(no_cargo)?;
    if !output.status.success() {
        return Err(
            Error::new(ErrorKind::InvalidProject, "cargo can't read the function's crate")
                .cause(String::from_utf8_lossy(&output.stderr).trim())
                .hint("Nothing was changed. Correct function/Cargo.toml, then run the same command again."),
        );
    }
    parse(&output.stdout, &manifest)
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    /// Where `Cargo.lock` is.
    workspace_root: PathBuf,
    /// The workspace's.
    metadata: Option<Tools>,
}

/// What a manifest says to tools, each under its own name.
#[derive(Deserialize)]
struct Tools {
    deployer: Option<Ours>,
}

#[derive(Deserialize)]
struct Ours {
    profile: Option<String>,
}

impl Tools {
    fn profile(self) -> Option<String> {
        self.deployer?.profile
    }
}

#[derive(Deserialize)]
struct Package {
    id: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    metadata: Option<Tools>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Those of cargo's answer that are of the crates in the manifest's folder.
fn parse(answer: &[u8], manifest: &Path) -> Result<Crates> {
    let metadata: Metadata =
        serde_json::from_slice(answer).or_fail(|| "could not understand `cargo metadata`".to_owned())?;
    let folder = manifest.parent().unwrap_or(manifest);
    let mut binaries = Vec::new();
    let mut profile = None;
    for package in metadata.packages {
        // Members of the workspace that function/ belongs to are no functions.
        if !package.manifest_path.starts_with(folder) {
            continue;
        }
        let said = package.metadata.and_then(Tools::profile);
        if package.manifest_path == manifest || profile.is_none() {
            profile = said.or(profile);
        }
        for target in package.targets {
            if target.kind.iter().any(|kind| kind == "bin") {
                binaries.push(Binary {
                    name: target.name,
                    package: package.id.clone(),
                    at_root: package.manifest_path == manifest,
                });
            }
        }
    }
    Ok(Crates {
        binaries,
        profile: profile.or_else(|| metadata.metadata.and_then(Tools::profile)),
        is_locked: metadata.workspace_root.join("Cargo.lock").is_file(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_without_case_and_dashes() {
        let binaries = ["get-user", "put_user", "PutUser", "bootstrap"].map(str::to_owned);
        for wanted in ["GetUser", "get_user", "getuser", "GET-USER"] {
            assert_eq!(matching(wanted, &binaries), Ok(Some("get-user")), "{wanted}");
        }
        assert_eq!(matching("put-user", &binaries), Err(vec!["put_user", "PutUser"]));
        assert_eq!(matching("get-users", &binaries), Ok(None));
        assert_eq!(matching("", &[]), Ok(None));
    }

    /// A folder with files of these contents; a Rust source for each binary is there, too.
    fn place(files: &[(&str, &str)]) -> tempfile::TempDir {
        let place = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            let file = place.path().join(name);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            std::fs::write(file, content).expect("written");
        }
        place
    }

    const MAIN: &str = "fn main() {}\n";

    fn package(name: &str) -> String {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n")
    }

    #[tokio::test]
    async fn other_members_of_the_workspace_do_not_count() {
        let place = place(&[
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"function\", \"tool\"]\nresolver = \"2\"\n",
            ),
            ("function/Cargo.toml", &package("app")),
            ("function/src/lib.rs", ""),
            ("function/src/bin/bootstrap.rs", MAIN),
            ("function/src/bin/second.rs", MAIN),
            ("function/examples/no.rs", MAIN),
            ("tool/Cargo.toml", &package("tool")),
            ("tool/src/main.rs", MAIN),
        ]);
        let function = place.path().join("function");
        assert_eq!(binaries(&function).await.expect("read"), ["bootstrap", "second"]);
        let known = read(&function).await.expect("read").binaries;
        assert_eq!(packages(&known, &["bootstrap", "second"]).expect("there"), [""; 0]);
        let error = packages(&known, &["secnd"]).expect_err("none");
        assert_eq!(error.kind(), ErrorKind::InvalidProject);
        assert_eq!(
            error.to_string(),
            "function/ has no binary named `secnd`: it has bootstrap, second"
        );
        assert_eq!(error.next_step(), Some("Did you mean `second`?"));
    }

    #[tokio::test]
    async fn a_workspace_of_its_own_has_all_its_members() {
        let place = place(&[
            (
                "function/Cargo.toml",
                "[workspace]\nmembers = [\"one\", \"two\"]\nresolver = \"2\"\n",
            ),
            ("function/one/Cargo.toml", &package("one")),
            ("function/one/src/main.rs", MAIN),
            ("function/two/Cargo.toml", &package("two")),
            ("function/two/src/main.rs", MAIN),
            ("function/two/src/bin/one.rs", MAIN),
        ]);
        let function = place.path().join("function");
        assert_eq!(binaries(&function).await.expect("read"), ["one", "one", "two"]);
        let known = read(&function).await.expect("read").binaries;
        let named = packages(&known, &["two"]).expect("there");
        assert!(matches!(*named, [two] if two.contains("two")), "{named:?}");
        let error = packages(&known, &["one"]).expect_err("two of them");
        assert!(error.to_string().contains("two binaries named `one`"), "{error}");
    }

    #[tokio::test]
    async fn without_a_crate_or_with_a_broken_one_cargo_and_we_say_so() {
        let place = place(&[("broken/Cargo.toml", "[package\n")]);
        let error = binaries(&place.path().join("none")).await.expect_err("none");
        assert!(error.to_string().contains("there is no "), "{error}");
        let error = binaries(&place.path().join("broken")).await.expect_err("broken");
        assert_eq!(error.kind(), ErrorKind::InvalidProject);
        assert!(
            error.to_string().starts_with("cargo can't read the function's crate: "),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_crate_names_its_profile_or_its_workspace_does() {
        let crate_of = |more: &str| {
            let manifest = format!("[package]\nname = \"f\"\nversion = \"0.1.0\"\n{more}");
            place(&[
                ("function/Cargo.toml", &manifest),
                ("function/src/main.rs", "fn main() {}"),
            ])
        };
        let profile = async |more: &str| {
            let place = crate_of(more);
            read(&place.path().join("function")).await.expect("read").profile
        };
        assert_eq!(profile("").await, None);
        let own = "[package.metadata.deployer]\nprofile = \"small\"\n";
        assert_eq!(profile(own).await.as_deref(), Some("small"));
        let of_all = "[workspace]\n[workspace.metadata.deployer]\nprofile = \"common\"\n";
        assert_eq!(profile(of_all).await.as_deref(), Some("common"));
        assert_eq!(profile(&format!("{own}{of_all}")).await.as_deref(), Some("small"));
    }
}
