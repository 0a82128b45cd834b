//! The benchmark runs, checks what each tool did, and prints every measure. What it measures here means nothing: the deployer
//! isn't the one that users get.

#![expect(clippy::expect_used, reason = "a test says what it needed by failing")]

use std::env;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use zip::write::SimpleFileOptions;

/// What cargo builds beside the benchmark for the deployer's and the function's own tests, or why the test is skipped. With
/// `CI=true` its absence is a failure.
fn beside(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_BIN_EXE_peers")).with_file_name(name);
    if path.exists() {
        return Some(path);
    }
    let why = format!("it needs {}: cargo test --workspace", path.display());
    assert!(env::var("CI").as_deref() != Ok("true"), "{why}");
    // Not `eprintln!`: that is shown for failing tests only.
    writeln!(std::io::stderr(), "SKIPPED a test of peers: {why}").ok();
    None
}

/// The function's package.
fn package(folder: &Path, binary: &Path) -> PathBuf {
    let path = folder.join("bootstrap.zip");
    let mut archive = zip::ZipWriter::new(File::create(&path).expect("a file"));
    let options = SimpleFileOptions::default().unix_permissions(0o755);
    archive.start_file("bootstrap", options).expect("a new file");
    let binary = fs::read(binary).expect("it is built");
    archive.write_all(&binary).expect("written");
    archive.finish().expect("written");
    path
}

/// The search path without folders that have Terraform.
fn path_without_terraform() -> std::ffi::OsString {
    let path = env::var_os("PATH").expect("there is one");
    let others = env::split_paths(&path).filter(|folder| !folder.join("terraform").exists());
    env::join_paths(others).expect("they were joined before")
}

/// What it prints, and how much it leaves in the folder for temporary files, which is its own.
fn peers(arguments: &[&str]) -> Option<(Output, usize)> {
    let (deployer, bootstrap) = (beside("deployer")?, beside("bootstrap")?);
    let files = tempfile::tempdir().expect("a folder");
    let left = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_peers"))
        .arg("--deployer")
        .arg(deployer)
        .arg("--function-package")
        .arg(package(files.path(), &bootstrap))
        .args(["--repetitions", "1"])
        .args(arguments)
        .env("TMPDIR", left.path())
        .env("PATH", path_without_terraform())
        .output()
        .expect("it starts");
    let left = left.path().read_dir().expect("readable").count();
    Some((output, left))
}

fn rows(output: &Output) -> Vec<Vec<String>> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        row.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    })
    .collect()
}

#[test]
fn every_measure_of_the_deployer_is_taken_and_a_peer_that_is_not_here_is_named() {
    let tools = ["--tools", "deployer,deployer-no-verify,terraform", "--latency-ms", "5"];
    let Some((output, left)) = peers(&tools) else { return };
    let rows = rows(&output);
    assert_eq!(left, 0, "all that it made is gone");
    let mut rows = rows.iter();
    for scenario in ["fresh", "no change", "down"] {
        for measure in ["wall time", "CPU time", "peak memory", "calls", "answers in a row"] {
            let row = rows.next().expect("a row");
            assert_eq!(row[..2], [scenario, measure]);
            for ours in &row[2..4] {
                assert_ne!(ours, "–", "{row:?}");
            }
            assert_eq!(row[4..8], ["–", "–", "–", "–"], "{row:?}");
        }
    }
    assert!(rows.next().is_none());
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        said.contains("\nNot measured: terraform: no `terraform` is in the PATH\n"),
        "{said}"
    );
}

#[test]
fn the_aws_cli_makes_and_removes_the_same_app() {
    let Some((output, left)) = peers(&["--tools", "deployer-no-verify,aws", "--latency-ms", "0"]) else {
        return;
    };
    let rows = rows(&output);
    assert_eq!(left, 0, "all that it made is gone");
    for row in rows.iter().filter(|row| row[1] == "wall time") {
        assert!(
            row[9].starts_with("1/"),
            "a person's list of commands is slower: {row:?}"
        );
    }
}

#[test]
fn a_deployer_that_does_not_work_is_named() {
    let files = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_peers"))
        .args(["--deployer", "/bin/false", "--tools", "deployer", "--function-package"])
        .arg(env!("CARGO_BIN_EXE_peers"))
        .env("TMPDIR", files.path())
        .output()
        .expect("it starts");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        files.path().read_dir().expect("readable").count(),
        0,
        "all that it made is gone"
    );
    assert!(
        said.contains("false local start --output json failed (exit status: 1)"),
        "{said}"
    );
}
