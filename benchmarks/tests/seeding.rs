//! The benchmark runs, and prints every measure. With so few items what it measures means nothing.

#![expect(clippy::expect_used, reason = "a test says what it needed by failing")]

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

#[test]
fn every_scenario_is_measured() {
    // What cargo builds beside the benchmark for the deployer's own tests. With `CI=true` its absence is a failure.
    let deployer = Path::new(env!("CARGO_BIN_EXE_seeding")).with_file_name("deployer");
    if !deployer.exists() {
        let why = format!("it needs {}: cargo test --workspace", deployer.display());
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
        // Not `eprintln!`: that is shown for failing tests only.
        writeln!(std::io::stderr(), "SKIPPED every_scenario_is_measured: {why}").ok();
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_seeding"))
        .arg("--deployer")
        .arg(&deployer)
        .args(["--items", "150", "--repetitions", "1"])
        .env("TMPDIR", folder.path())
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        folder.path().read_dir().expect("readable").count(),
        0,
        "all that it made is gone"
    );
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    for row in [
        "| seed new items         | wall time |",
        "| seed again             | wall time |",
        "| seed --overwrite       | wall time |",
        "| read                   | wall time |",
        "| read                   | memory    |",
        "| read ten times as many | wall time |",
        "| read ten times as many | memory    |",
    ] {
        assert!(table.contains(row), "{table}");
    }
}
