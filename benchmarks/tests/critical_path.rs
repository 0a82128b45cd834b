//! The benchmark runs, and nothing is quicker than it may be in its cloud. How much slower means nothing here: AWS's seconds are
//! too short for a deployer that looks once a second.

#![expect(clippy::expect_used, reason = "a test says what it needed by failing")]

use std::env;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

#[test]
fn each_up_takes_as_long_as_its_resources() {
    let (deployer, package) = ("deployer", "bootstrap");
    let beside = |name| Path::new(env!("CARGO_BIN_EXE_critical_path")).with_file_name(name);
    // What cargo builds beside the benchmark for the deployer's and the function's own tests. With `CI=true` its absence is a
    // failure.
    if let Some(missing) = [deployer, package].map(beside).iter().find(|path| !path.exists()) {
        let why = format!("it needs {}: cargo test --workspace", missing.display());
        assert!(env::var("CI").as_deref() != Ok("true"), "{why}");
        // Not `eprintln!`: that is shown for failing tests only.
        writeln!(
            std::io::stderr(),
            "SKIPPED each_up_takes_as_long_as_its_resources: {why}"
        )
        .ok();
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_critical_path"))
        .arg("--deployer")
        .arg(beside(deployer))
        .arg("--function-package")
        .arg(beside(package))
        .args(["--second-ms", "10"])
        .env("TMPDIR", folder.path())
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let left = folder.path().read_dir().expect("readable").count();
    assert_eq!(left, 0, "all that it made is gone");
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    let rows = told.lines().filter(|line| line.starts_with('|')).skip(2);
    let rows: Vec<Vec<&str>> = rows
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let expected = [
        ["users", "fresh"],
        ["users", "a change"],
        ["orders", "fresh"],
        ["orders", "a change"],
    ];
    assert_eq!(rows.len(), expected.len(), "{told}");
    for (row, expected) in rows.iter().zip(expected) {
        assert_eq!(row[..2], expected, "{told}");
        let seconds = row[2]
            .strip_suffix(" s")
            .and_then(|seconds| seconds.parse::<u32>().ok());
        assert!(
            seconds.is_some_and(|seconds| seconds > 240),
            "the distribution is in it: {told}"
        );
        let ratio: f64 = row[5].parse().expect("a number");
        assert!(ratio >= 1.0, "nothing is quicker than what it waits for: {told}");
    }
    // The site's distribution is what takes longest, and the API, which needs its name alone, isn't behind it.
    assert!(
        told.contains("\nusers, fresh: presentation: SiteBucket → Distribution → "),
        "{told}"
    );
    assert!(
        told.contains("\norders, a change: storefront: Distribution\n"),
        "{told}"
    );
}
