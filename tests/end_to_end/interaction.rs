//! The command in a person's hands: questions, interrupts, pipes, several runs at once.

use std::process::Stdio;

use crate::support::terminal::Terminal;
use crate::support::{Deployer, Emulator, Project, Proxy, answers};

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
        later_columns: 0,
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
    let plain_c = [
        ("LC_ALL", Some("C")),
        ("LANG", None),
        ("COLUMNS", Some("1")),
        ("NO_COLOR", Some("1")),
    ];
    for (term, others) in [
        (Some("dumb"), &[][..]),
        (None, &[]),
        (Some(""), &[]),
        (Some("no-such-terminal"), &[]),
        (Some("xterm"), &[]),
        (Some("xterm"), &plain_c),
    ] {
        let variables = [&[("TERM", term)], others].concat();
        // What the locale doesn't have is said in what it has.
        let created = if others.is_empty() {
            "✓ data         created"
        } else {
            "v data         created"
        };
        let run = |args: &[&str], keys: &str| on_terminal_of(&variables, &project, &endpoint, args, keys);
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
            created,
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

/// Whoever stands before a terminal may be in another one than they think.
#[test]
fn changing_a_protected_stage_asks_once() {
    let emulator = Emulator::shared();
    let (project, endpoint) = (Project::copy(), emulator.endpoint());
    let up = ["up", "--only", "data", "--no-verify"];
    let (status, seen) = on_a_terminal(&project, &endpoint, &up, "");
    assert_eq!(status, 0, "nothing is there that could be changed: {seen}");
    let change = |from: &str, to: &str| project.edit("stacks/data.yaml", from, to);
    change("Resources:\n", "Resources:\n  More: { Type: AWS::SNS::Topic }\n");
    let (status, seen) = on_a_terminal(&project, &endpoint, &up, "n\\n");
    assert_eq!(status, 5, "{seen}");
    let place = format!("change the protected stage prod of three-tier at {endpoint}");
    let asked = plain(&seen);
    assert!(asked.contains(&place), "{seen}");
    assert!(asked.contains("did not change the protected stage prod"), "{seen}");
    // This checkout says otherwise; what is deployed decides.
    project.edit("stacks/stages.yaml", "protected: true", "protected: false");
    let (status, seen) = on_a_terminal(&project, &endpoint, &up, "n\\n");
    assert_eq!(status, 5, "{seen}");
    assert_eq!(
        plain(&seen).matches("Continue?").count(),
        1,
        "with what is lifted in it: {seen}"
    );
    project.edit("stacks/stages.yaml", "protected: false", "protected: true");
    let (status, seen) = on_a_terminal(&project, &endpoint, &up, "y\\n");
    assert_eq!(status, 0, "{seen}");
    let (status, seen) = on_a_terminal(&project, &endpoint, &up, "");
    assert_eq!(status, 0, "{seen}");
    assert!(!seen.contains("Continue?"), "nothing changes: {seen}");
    change("  More: {", "  Most: {");
    let (status, seen) = on_a_terminal(&project, &endpoint, &[&up[..], &["--yes"]].concat(), "");
    assert_eq!(status, 0, "{seen}");
    // Nobody is asked where nobody is, and what loses nothing needs no leave.
    change("  Most: {", "  Least: {");
    project.deployer(&endpoint, &up).success();
}

/// What strangers wrote is shown, not obeyed.
#[test]
fn nothing_that_is_told_acts_on_the_terminal() {
    // XML takes no others.
    const WILD: &str = "x\u{9b}2J\u{202e}y";
    let emulator = Emulator::shared();
    let topic = "Resources: { Topic: { Type: AWS::SNS::Topic } }\n";
    let project = Project::bare("wild", &[("stacks/topic.yaml", topic)]);
    let proxy = Proxy::before(emulator.port());
    proxy.rule(|seen| {
        let refusal = || answers::refusal(400, "SomethingNew", WILD);
        (seen.operation == "CreateChangeSet").then(refusal)
    });
    let up = ["up", "--no-verify"];
    let of_no_stack = ["up", "--only", "\u{1b}]0;title\u{7}\u{1b}[31m"];
    let acts = |text: &str| text.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}');
    for (args, shown) in [(&up[..], "x\u{fffd}2J\u{fffd}y"), (&of_no_stack, "␛]0;title␇␛[31m")] {
        let told = project.deployer(&proxy.endpoint(), args);
        assert!(told.code != 0 && told.stderr.contains(shown), "{told}");
        assert!(!acts(&told.stderr), "{:?}", told.stderr);
        let json = [args, &["--output", "json"]].concat();
        let told = project.deployer(&proxy.endpoint(), &json);
        assert!(!acts(&told.stderr), "{:?}", told.stderr);
        let error = told.stderr.lines().find(|line| line.contains(r#""event":"error""#));
        let error: serde_json::Value = serde_json::from_str(error.expect("an error")).expect("JSON");
        assert!(
            acts(&error.to_string()) || error.to_string().contains("u001b"),
            "as it was: {error}"
        );
        // Of a terminal's own sequences there are those that colour, and none that wasn't ours.
        let colored = [args, &["--color", "always"]].concat();
        let (_, seen) = on_a_terminal(&project, &proxy.endpoint(), &colored, "");
        assert!(seen.contains(shown) && seen.contains("\u{1b}["), "{seen:?}");
        assert!(!seen.contains(['\u{9b}', '\u{202e}', '\u{7}']), "{seen:?}");
    }
}

/// An endpoint's user and password are told nowhere, and are part of no file's name.
#[test]
fn whoever_signs_in_by_the_endpoint_is_told_nowhere() {
    let emulator = Emulator::shared();
    let project = Project::bare(
        "quiet",
        &[("stacks/topic.yaml", "Resources: { Topic: { Type: AWS::SNS::Topic } }\n")],
    );
    let endpoint = emulator.endpoint().replace("http://", "http://someone:hushhush@");
    for args in [
        &["up", "--no-verify"][..],
        &["status", "--output", "json"],
        &["up", "--stage", "nope"],
    ] {
        let ran = Deployer::new(project.path(), args)
            .at(&emulator.endpoint())
            .env("AWS_ENDPOINT_URL", &endpoint)
            .run();
        assert!(!ran.to_string().contains("hushhush"), "{ran}");
    }
}
