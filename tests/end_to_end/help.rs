//! How people find their way: help, words of other tools, what Tab offers, manual pages.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::terminal::Terminal;
use crate::support::{Deployer, Project};

/// What Tab offers after these words, the last of which is begun. The folder has files whose names must not be among it.
fn offered(project: &Path, words: &[&str]) -> Vec<String> {
    let args = [&["--", "deployer"], words].concat();
    let since = Instant::now();
    let ran = Deployer::new(project, &args)
        .env("DEPLOYER_COMPLETE", "fish")
        .run()
        .success();
    assert!(since.elapsed() < Duration::from_secs(5), "somebody waits for it");
    assert_eq!(ran.stderr, "", "{words:?}");
    ran.stdout
        .lines()
        .filter_map(|line| line.split('\t').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn values_are_completed_from_the_project() {
    let project = Project::copy();
    let site = project.path().join("site");
    let at = |words: &[&str]| offered(&site, words);
    assert_eq!(at(&["up", "--stage", ""]), ["dev", "prod"]);
    assert_eq!(at(&["--stage", "d"]), ["dev"]);
    assert_eq!(at(&["seed", "--table", ""]), ["Table"]);
    assert_eq!(at(&["backup", "--table", "T"]), ["Table"]);
    assert_eq!(at(&["package", "b"]), ["bootstrap"]);
    let parts = at(&["up", "--only", ""]);
    for part in ["data", "logic", "presentation", "function", "site", "seed"] {
        assert!(parts.iter().any(|one| one == part), "{part}: {parts:?}");
    }
    assert_eq!(at(&["up", "--only", "data,s"]), ["data,site", "data,seed"]);
    assert_eq!(at(&["verify", "--only", "priv"]), ["privacy"]);
    assert!(at(&["verify", "--skip", "site-"]).contains(&"site-https".to_owned()));
    assert_eq!(
        at(&["down", "--stage", "dev", "--adopt", "three-tier-dev-d"]),
        ["three-tier-dev-data"]
    );
    // Another project's are that one's.
    let other = Project::of("orders");
    let folder = other.path().to_str().expect("a path as text");
    let tables = at(&["seed", "--project-dir", folder, "--table", ""]);
    assert_eq!(tables, ["CustomersTable", "OrdersTable"]);
    // Commands are, too; those that only teach aren't.
    let commands = at(&[""]);
    assert!(commands.iter().any(|one| one == "init"), "{commands:?}");
    assert!(
        !commands.iter().any(|one| one == "deploy" || one == "man"),
        "{commands:?}"
    );
}

#[test]
fn files_are_offered_where_files_belong() {
    let project = Project::copy();
    project.write("items.jsonl", "");
    let at = |words: &[&str]| offered(project.path(), words);
    for words in [
        &["up", "--stage", "i"][..],
        &["up", "--profile", "i"],
        &["up", "--region", "i"],
        &["up", "--adopt", "i"],
        &["up", "--purge", "i"],
        &["rollback", "i"],
        &["verify", "--timeout", "i"],
        &["seed", "--table", "i"],
        &["init", "--name", "i"],
    ] {
        assert!(at(words).is_empty(), "{words:?}: {:?}", at(words));
    }
    for words in [
        &["seed", "--file", "i"][..],
        &["up", "--function-package", "i"],
        &["down", "--backup", "i"],
    ] {
        assert_eq!(at(words), ["items.jsonl"], "{words:?}");
    }
    assert_eq!(at(&["graph", "--project-dir", "sit"]), ["site/"]);
}

/// Nothing is started, written or asked for, and a project that is wrong is no reason to complain.
#[test]
fn a_wrong_project_has_nothing_to_offer() {
    let project = Project::copy();
    project.write("stacks/stages.yaml", "stages: [");
    assert!(offered(project.path(), &["up", "--stage", ""]).is_empty());
    assert!(offered(project.path(), &["up", "--only", ""]).is_empty());
    project.write(
        "stacks/stages.yaml",
        "project: x\nstages: { a: { region: '${env:NOT_SET}' } }\n",
    );
    let parts = offered(project.path(), &["up", "--only", "d"]);
    assert_eq!(parts, ["data"], "a variable that isn't set changes no names");
    assert!(!project.path().join(".state").exists());
}

#[test]
fn words_of_other_tools_teach_ours() {
    let project = Project::copy();
    let run = |args: &[&str]| Deployer::new(project.path(), args).run().fails_with(2);
    for (theirs, ours) in [("deploy", "up"), ("destroy", "down"), ("delete", "down")] {
        let told = run(&[theirs, "--stage", "nope"]).says(&[]);
        assert_eq!(
            told.stderr
                .matches(&format!("note: `{theirs}` is `deployer {ours}`\n"))
                .count(),
            1,
            "{told}"
        );
        // Programs are told nothing that they can't use.
        let json = run(&[theirs, "--stage", "nope", "--output", "json"]);
        assert!(!json.stderr.contains("note"), "{json}");
    }
    let told = run(&["remove"]);
    assert!(told.stderr.contains("tip: here that is `deployer down`\n"), "{told}");
}

#[test]
fn help_is_coloured_where_it_is_wanted() {
    let folder = tempfile::tempdir().expect("a folder");
    let is_coloured = |args: &[&str], variables: &[(&str, &str)]| {
        let deployer = variables
            .iter()
            .fold(Deployer::new(folder.path(), args), |deployer, (name, value)| {
                deployer.env(name, value)
            });
        let ran = deployer.run();
        format!("{}{}", ran.stdout, ran.stderr).contains('\u{1b}')
    };
    assert!(!is_coloured(&["--help"], &[]));
    assert!(is_coloured(&["--help", "--color", "always"], &[]));
    assert!(is_coloured(&["up", "--color=always", "--nonsense"], &[]));
    let on_terminal = |variables: &[(&str, Option<&str>)], args: &[&str]| {
        let terminal = Terminal {
            columns: 80,
            later_columns: 0,
            variables,
            keys: "",
        };
        let (_, seen) = terminal.run_with(folder.path(), args, |deployer| deployer);
        seen.contains("\u{1b}[")
    };
    let xterm = ("TERM", Some("xterm"));
    assert!(on_terminal(&[xterm], &["--help"]));
    assert!(!on_terminal(&[xterm], &["--help", "--color", "never"]));
    assert!(!on_terminal(&[xterm, ("NO_COLOR", Some("1"))], &["--help"]));
}

#[test]
fn manual_pages_have_the_examples() {
    let folder = tempfile::tempdir().expect("a folder");
    Deployer::new(folder.path(), &["man", "."]).run().success();
    let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a page");
    assert!(page("deployer-up.1").contains("deployer up \\-\\-local"));
    assert!(page("deployer-local-env.1").contains("eval"));
    assert!(page("deployer.1").contains("Exit codes:"));
    assert!(
        !folder.path().join("deployer-deploy.1").exists(),
        "what only teaches has none"
    );
}
