//! The command in a person's hands: questions, interrupts, pipes, several runs at once.

use std::process::Stdio;

use crate::support::terminal::Terminal;
use crate::support::{Deployer, Emulator, Project};

/// Runs `deployer` on a terminal of its own, types `keys` when it asks, and returns how it ended.
fn on_a_terminal(project: &Project, endpoint: &str, args: &[&str], keys: &str) -> (i32, String) {
    on_terminal_of(&[("TERM", Some("xterm"))], project, endpoint, args, keys)
}

/// The same with these variables, or without those that have no value.
fn on_terminal_of(
    variables: &[(&str, Option<&str>)],
    project: &Project,
    endpoint: &str,
    args: &[&str],
    keys: &str,
) -> (i32, String) {
    let terminal = Terminal {
        columns: 0,
        variables,
        keys,
    };
    terminal.run(project.path(), endpoint, args)
}

#[test]
fn a_question_takes_yes_no_and_an_interrupt() {
    let emulator = Emulator::shared();
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

/// What can't be animated is printed: no terminal loses a line.
#[test]
fn every_terminal_gets_every_line() {
    let emulator = Emulator::shared();
    let project = Project::copy();
    let endpoint = emulator.endpoint();
    for term in [Some("dumb"), None, Some(""), Some("no-such-terminal"), Some("xterm")] {
        let run = |args: &[&str], keys: &str| on_terminal_of(&[("TERM", term)], &project, &endpoint, args, keys);
        let (status, seen) = run(&["up", "--stage", "nope"], "");
        assert_eq!(status, 2, "{term:?}: {seen}");
        for line in ["error: ", "has no stage `nope`", "next: "] {
            assert!(plain(&seen).contains(line), "{term:?}: {seen:?}");
        }
        let (status, seen) = run(&["up", "--stage", "dev", "--only", "data"], "");
        assert_eq!(status, 0, "{term:?}: {seen}");
        for line in [
            "three-tier dev on http",
            "+ three-tier-dev-data",
            "✓ data         created",
            "CREATE_COMPLETE",
        ] {
            assert!(plain(&seen).contains(line), "{term:?}: {line}: {seen:?}");
        }
        let (status, seen) = run(&["down", "--stage", "dev"], "\\x03");
        assert_eq!(status, 5, "{term:?}: {seen}");
        let seen = plain(&seen);
        let losses = seen
            .find("the table UserData-dev with all its items")
            .expect("what goes");
        let question = seen.find("Continue? [y/N]").expect("the question");
        assert!(losses < question, "{term:?}: {seen}");
        // What follows a question that nobody answered stands on a line of its own.
        let (status, ended) = run(&["down", "--stage", "dev"], "\\x04");
        assert_eq!(status, 5, "{term:?}: {ended}");
        let is_own = |line: &str| line.starts_with("error: did not remove");
        assert!(plain(&ended).lines().any(is_own), "{term:?}: {ended:?}");
        assert!(
            seen.lines().any(|line| line.trim_end() == "error: interrupted"),
            "{term:?}: {seen:?}"
        );
        let (status, seen) = run(&["down", "--stage", "dev"], "y\\n");
        assert_eq!(status, 0, "{term:?}: {seen}");
    }
}

/// Without what colours text and moves the cursor.
fn plain(seen: &str) -> String {
    let mut text = String::new();
    let mut rest = seen.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            rest.by_ref().find(|c| c.is_ascii_alphabetic());
        } else {
            text.push(c);
        }
    }
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// A build server that runs its jobs on a terminal: nothing moves, and nobody is asked.
#[test]
fn ci_on_a_terminal_is_nobody() {
    let emulator = Emulator::shared();
    let project = Project::copy();
    let endpoint = emulator.endpoint();
    let ci = [("CI", Some("true")), ("TERM", Some("xterm"))];
    let run = |args: &[&str]| on_terminal_of(&ci, &project, &endpoint, args, "y\\n");
    let (status, seen) = run(&["up", "--stage", "dev", "--only", "data"]);
    assert_eq!(status, 0, "{seen}");
    let lines: Vec<&str> = seen.split("\r\n").collect();
    assert!(
        lines.iter().all(|line| !line.contains('\r')),
        "nothing is drawn over: {seen:?}"
    );
    let (status, seen) = run(&["down", "--stage", "dev"]);
    assert_eq!(status, 5, "{seen}");
    assert!(
        seen.contains("nobody can be asked here") && !seen.contains("Continue?"),
        "{seen}"
    );
    // What build servers don't set, people do.
    let people = [("CI", Some("false")), ("TERM", Some("xterm"))];
    let (status, seen) = on_terminal_of(&people, &project, &endpoint, &["down", "--stage", "dev"], "y\\n");
    assert_eq!(status, 0, "{seen}");
}

#[test]
fn a_reader_that_goes_away_does_not_stop_a_deployment() {
    let emulator = Emulator::shared();
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
    let emulator = Emulator::shared();
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
    let emulator = Emulator::shared();
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
    let emulator = Emulator::shared();
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
