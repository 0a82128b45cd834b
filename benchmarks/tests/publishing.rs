//! The benchmark runs, and prints every measure. What it measures here means nothing: all tools are the same.

#![expect(clippy::expect_used, reason = "a test says what it needed by failing")]

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Publishes as whichever tool it is called as: sends what the bucket hasn't.
const STAND_IN: &str = r#"#!/usr/bin/env python3
import hashlib, os, pathlib, sys, urllib.request, xml.etree.ElementTree
last = sys.argv[-1]
if last.startswith("s3://"):
    site, bucket = sys.argv[-2], last.removeprefix("s3://")
else:
    site, bucket = os.path.join(last, "site"), "website-prod-123456789012-us-east-1"
bucket = os.environ["AWS_ENDPOINT_URL"] + "/" + bucket
# The server doesn't look at signatures, and refuses what has none.
scope = "stand-in/20260101/us-east-1/s3/aws4_request"
signed = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"}
def ask(url, content=None, method="GET"):
    return urllib.request.urlopen(urllib.request.Request(url, content, signed, method=method)).read()
there = {}
for entry in xml.etree.ElementTree.fromstring(ask(bucket + "?list-type=2")):
    fields = {field.tag.split("}")[-1]: field.text for field in entry}
    there[fields.get("Key")] = fields.get("ETag")
for path in pathlib.Path(site).rglob("*.*"):
    key, content = path.relative_to(site).as_posix(), path.read_bytes()
    if there.get(key) != '"%s"' % hashlib.md5(content).hexdigest():
        ask(bucket + "/" + key, content, "PUT")
"#;

fn stand_in(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("stand-in");
    fs::write(&path, STAND_IN).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("ours");
    path
}

fn publishing(arguments: &[&str], tools: [(&str, &Path); 3]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_publishing"))
        .args(
            tools
                .iter()
                .flat_map(|(option, path)| [option.as_ref(), path.as_os_str()]),
        )
        .args(["--repetitions", "1", "--files", "20"])
        .args(arguments)
        .output()
        .expect("it starts")
}

fn rows(output: &Output) -> Vec<Vec<String>> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    assert!(table.contains("repetitions: 1; latency: 0 ms."), "{table}");
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = |row: &str| row.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    rows.map(|row| cells(row)[1..10].to_vec()).collect()
}

/// The first cells of all rows.
fn expected() -> Vec<[&'static str; 3]> {
    let mut rows = Vec::new();
    for site in ["20 files", "1 file of 6 MiB"] {
        for scenario in [
            "first sync",
            "one file changed",
            "one file added",
            "nothing changed",
            "nothing changed, with verify",
        ] {
            for measure in ["wall time", "CPU time", "peak memory", "requests"] {
                rows.push([site, scenario, measure]);
            }
        }
    }
    rows
}

#[test]
fn every_measure_of_every_tool_is_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let tool = stand_in(&folder);
    let tools = ["--deployer", "--s5cmd", "--aws"].map(|option| (option, tool.as_path()));
    let rows = rows(&publishing(&["--largest-mib", "6"], tools));
    let expected = expected();
    assert_eq!(rows.len(), expected.len(), "{rows:?}");
    for (row, expected) in rows.iter().zip(expected) {
        assert_eq!(row[..3], expected);
        assert!(row[3..6].iter().all(|value| value != "–"), "{row:?}");
    }
}

#[test]
fn a_tool_that_does_nothing_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let tool = stand_in(&folder);
    let lazy = Path::new("/bin/true");
    let output = publishing(
        &["--largest-mib", "0"],
        [
            ("--deployer", tool.as_path()),
            ("--s5cmd", lazy),
            ("--aws", tool.as_path()),
        ],
    );
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("s5cmd did not do its work (first sync): index.html is missing"),
        "{said}"
    );
}

/// The deployer that cargo builds beside the benchmark for the deployer's own tests, or why the test is skipped. With
/// `CI=true` its absence is a failure.
fn deployer() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_BIN_EXE_publishing")).with_file_name("deployer");
    if path.exists() {
        return Some(path);
    }
    let why = format!("it needs {}: cargo test --workspace", path.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    // Not `eprintln!`: that is shown for failing tests only.
    writeln!(std::io::stderr(), "SKIPPED the_deployer_can_be_measured_alone: {why}").ok();
    None
}

#[test]
fn the_deployer_can_be_measured_alone() {
    let Some(deployer) = deployer() else { return };
    let unused = Path::new("/bin/false");
    let tools = [
        ("--deployer", deployer.as_path()),
        ("--s5cmd", unused),
        ("--aws", unused),
    ];
    let rows = rows(&publishing(&["--largest-mib", "6", "--tools", "deployer"], tools));
    let expected = expected();
    assert_eq!(rows.len(), expected.len(), "{rows:?}");
    for (row, expected) in rows.iter().zip(expected) {
        assert_eq!(row[..3], expected);
        assert!(row[3] != "–" && row[4] == "–" && row[5] == "–", "{row:?}");
    }
}
