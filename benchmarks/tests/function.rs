//! The benchmark runs, and prints every measure. What it measures here means nothing: both programs are the same.

#![expect(clippy::expect_used, reason = "a test says what it needed by failing")]

use std::process::Command;

#[test]
fn every_measure_is_printed() {
    let floor = env!("CARGO_BIN_EXE_floor");
    let output = Command::new(env!("CARGO_BIN_EXE_function"))
        .args(["--floor", floor, "--binary", floor, "--starts", "2", "--requests", "10"])
        .output()
        .expect("it starts");
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for measure in [
        "process start to first poll",
        "process start to first answer",
        "first event, 50 ms after the first poll",
        "warm event, median",
        "warm event, p99",
        "less a bare DynamoDB call",
        "peak memory, maximum",
        "binary",
        "zip",
    ] {
        let row = table.lines().find(|line| line.contains(measure)).expect(measure);
        assert!(row.matches('|').count() == 7, "{row}");
    }
    assert!(table.contains("2 starts of each kind; 10 warm requests."), "{table}");
}

#[test]
fn a_program_that_does_not_work_is_named() {
    let floor = env!("CARGO_BIN_EXE_floor");
    let output = Command::new(env!("CARGO_BIN_EXE_function"))
        .args(["--floor", floor, "--binary", "/bin/true", "--starts", "1"])
        .output()
        .expect("it starts");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("true doesn't work: it ended (exit status: 0)"), "{said}");
}
