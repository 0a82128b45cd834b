//! The command in a person's hands: questions, interrupts, pipes, several runs at once.

use std::process::Stdio;

use crate::support::{Deployer, Emulator, Project, emulator};

/// Runs `deployer` on a terminal of its own, types `keys` when it asks, and returns how it ended.
fn on_a_terminal(project: &Project, endpoint: &str, args: &[&str], keys: &str) -> (i32, String) {
    // Python's standard library has terminals; the test's doesn't.
    let script = r#"
import os, pty, sys
keys, command = sys.argv[1].encode().decode("unicode_escape"), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
seen, typed = b"", False
while True:
    try:
        chunk = os.read(terminal, 4096)
    except OSError:
        break
    if not chunk:
        break
    seen += chunk
    if b"Continue? [y/N]" in seen and not typed:
        typed = True
        os.write(terminal, keys.encode())
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(status)
sys.stdout.write(seen.decode(errors="replace"))
"#;
    let ran = Deployer::under(&emulator::python(), &["-c", script, keys], project.path(), args)
        .at(endpoint)
        .env("TERM", "xterm")
        .run()
        .success();
    let (status, seen) = ran.stdout.split_once('\n').expect("a status");
    (status.parse().expect("a number"), seen.to_owned())
}

#[test]
fn a_question_takes_yes_no_and_an_interrupt() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let endpoint = emulator.endpoint();
    project
        .deployer(&endpoint, &["up", "--stage", "dev", "--only", "data"])
        .success();
    let down = ["down", "--stage", "dev"];
    let (status, seen) = on_a_terminal(&project, &endpoint, &down, "n\\n");
    assert_eq!(status, 5, "{seen}");
    assert!(seen.contains("did not remove the stage dev"), "{seen}");
    let (status, seen) = on_a_terminal(&project, &endpoint, &down, "\\x03");
    assert_eq!(status, 5, "{seen}");
    assert!(seen.contains("interrupted"), "{seen}");
    let there = project.deployer(&endpoint, &["status", "--stage", "dev"]).success();
    assert!(there.stdout.contains("CREATE_COMPLETE"), "{}", there.stdout);
    let (status, seen) = on_a_terminal(&project, &endpoint, &down, "y\\n");
    assert_eq!(status, 0, "{seen}");
    let gone = project.deployer(&endpoint, &["status", "--stage", "dev"]).success();
    assert!(gone.stdout.contains("Nothing is deployed"), "{}", gone.stdout);
}

#[test]
fn a_reader_that_goes_away_does_not_stop_a_deployment() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let mut child = Deployer::new(project.path(), &["up", "--stage", "dev", "--only", "data"])
        .at(&emulator.endpoint())
        .start(Stdio::piped(), Stdio::piped());
    drop(child.stderr.take());
    drop(child.stdout.take());
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn two_runs_at_once_on_one_stage_both_succeed() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let up = || {
        Deployer::new(project.path(), &["up", "--stage", "dev"])
            .at(&emulator.endpoint())
            .spawn()
    };
    for mut child in [up(), up()] {
        assert!(child.wait().expect("it ends").success());
    }
    let status = project.deployer(&emulator.endpoint(), &["status", "--stage", "dev", "--output", "json"]);
    assert_eq!(status.success().json()["deployed"], true);
}

#[test]
fn next_steps_stay_where_the_run_was() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let ran = Deployer::new(
        project.path(),
        &["up", "--only", "site", "--stage", "dev", "--region", "eu-central-1"],
    )
    .at(&emulator.endpoint())
    .run();
    ran.fails_with(1)
        .says(&["`deployer up --stage dev --region eu-central-1` without --only"]);
}

#[test]
fn requests_are_shown_when_asked_for_and_secrets_never() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let ran = Deployer::new(project.path(), &["status", "-vv"])
        .at(&emulator.endpoint())
        .env("AWS_SESSION_TOKEN", "")
        .run()
        .success();
    assert!(ran.stderr.contains("CloudFormation.DescribeStacks"), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}'), "no colour in a pipe");
    assert!(!ran.stderr.contains("Credential="), "{}", ran.stderr);
    assert!(!ran.stderr.contains(&emulator.keys().secret), "{}", ran.stderr);
    let json = project
        .deployer(&emulator.endpoint(), &["status", "-vv", "--output", "json"])
        .success();
    for line in json.stderr.lines() {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok(), "{line}");
    }
}
