//! The benchmark runs, and prints every measure. What it measures here means little: the cloud is too near.

#![expect(clippy::expect_used, reason = "a test says what it needed by failing")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The deployer that cargo builds beside the benchmark for the deployer's own tests, or why the test is skipped. With
/// `CI=true` its absence is a failure.
fn deployer() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_BIN_EXE_calls")).with_file_name("deployer");
    if path.exists() {
        return Some(path);
    }
    let why = format!("it needs {}: cargo test --workspace", path.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    // Not `eprintln!`: that is shown for failing tests only.
    writeln!(std::io::stderr(), "SKIPPED every_command_is_counted: {why}").ok();
    None
}

/// What it leaves in the folder for temporary files, which is its own.
fn calls(arguments: &[&str], deployer: &Path) -> (Output, usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_calls"))
        .arg("--deployer")
        .arg(deployer)
        .args(["--latency-ms", "5"])
        .args(arguments)
        .env("TMPDIR", folder.path())
        .output()
        .expect("it starts");
    let left = folder.path().read_dir().expect("readable").count();
    (output, left)
}

#[test]
fn every_command_is_counted() {
    let Some(deployer) = deployer() else { return };
    let log = tempfile::NamedTempFile::new().expect("a file");
    let (output, left) = calls(&["--log", &log.path().to_string_lossy()], &deployer);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(left, 0, "all that it made is gone");
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|row| row.split('|').map(str::trim).collect())
        .collect();
    let mut rows = rows.iter();
    let log = std::fs::read_to_string(log.path()).expect("written");
    for scenario in [
        "fresh up",
        "no-op up",
        "no-op up --no-verify",
        "verify",
        "status",
        "down",
    ] {
        for measure in ["calls", "longest chain", "wall time"] {
            let row = rows.next().expect("a row");
            assert_eq!(row[1..3], [scenario, measure], "{table}");
            if measure != "wall time" {
                assert!(row[3].parse::<u64>().expect("a number") > 0, "{table}");
            }
            assert_eq!(row[4..6], ["–", "–"], "{table}");
        }
        assert!(log.contains(&format!("# {scenario}\n")), "{log}");
    }
    assert!(rows.next().is_none(), "{table}");
    assert!(log.contains("* GetCallerIdentity"), "{log}");
}

#[test]
fn a_deployer_that_does_not_work_is_named() {
    let (output, left) = calls(&[], Path::new("/bin/false"));
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(left, 0, "all that it made is gone");
    assert!(
        said.contains("false local start --output json failed (exit status: 1)"),
        "{said}"
    );
}
