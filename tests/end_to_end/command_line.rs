//! The command line, as docs/command-line.md has it: all that `--help` says, made from the program's own definitions.
//!
//! `DEPLOYER_RENEW_DOCS=1 cargo test --test end_to_end command_line` writes it anew; what changed of it is reviewed with
//! the change that changed it.

use std::fmt::Write as _;

use clap::Command;

use crate::support::Deployer;
use crate::support::project::repository;

/// Where the reference lies.
const FILE: &str = "docs/command-line.md";

/// Set by who wants it written.
const RENEW: &str = "DEPLOYER_RENEW_DOCS";

/// How wide the texts are: what `--help` prints where no terminal says otherwise.
const COLUMNS: usize = 100;

const HEAD: &str = "\
# The command line

What `deployer --help` says, and `deployer COMMAND --help` for each command.

<!-- Made from src/cli.rs. `DEPLOYER_RENEW_DOCS=1 cargo test --test end_to_end command_line` writes it anew. -->
";

/// Each command with subcommands behind it, and what its `--help` says.
fn helps() -> Vec<(Vec<String>, String)> {
    fn add(command: &mut Command, above: &[String], helps: &mut Vec<(Vec<String>, String)>) {
        let path = [above, &[command.get_name().to_owned()]].concat();
        helps.push((path.clone(), command.render_long_help().to_string()));
        // What is hidden only teaches another command's name, but for that which packagers need.
        let is_told =
            |below: &&mut Command| below.get_name() != "help" && (!below.is_hide_set() || below.get_name() == "man");
        for below in command.get_subcommands_mut().filter(is_told) {
            add(below, &path, helps);
        }
    }
    let mut command = deployer::definition().term_width(COLUMNS);
    command.build();
    let mut helps = Vec::new();
    add(&mut command, &[], &mut helps);
    helps
}

fn reference() -> String {
    let mut text = HEAD.to_owned();
    for (path, help) in helps() {
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let help = lines.join("\n");
        // Writing to a string doesn't fail.
        let _ = write!(text, "\n## `{}`\n\n```text\n{}\n```\n", path.join(" "), help.trim_end());
    }
    text
}

#[test]
fn the_reference_is_what_the_program_says() {
    let (file, reference) = (repository().join(FILE), reference());
    if std::env::var_os(RENEW).is_some() {
        std::fs::write(&file, &reference).expect("written");
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = written
        .lines()
        .zip(reference.lines())
        .position(|(is, should)| is != should);
    let line = differs.unwrap_or_else(|| written.lines().count().min(reference.lines().count()));
    assert!(
        written == reference,
        "{FILE} isn't what the command line says any more, from line {} on:\n  it says   {:?}\n  should be {:?}\n\
         Renew it, and look at what changed: {RENEW}=1 cargo test --test end_to_end command_line",
        line + 1,
        written.lines().nth(line),
        reference.lines().nth(line),
    );
}

/// What is in the reference is what a user gets.
#[test]
fn help_is_printed_as_it_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, help) in helps() {
        let arguments: Vec<&str> = path[1..].iter().map(String::as_str).chain(["--help"]).collect();
        let ran = Deployer::new(folder.path(), &arguments).run().success();
        assert_eq!(
            (ran.stdout.as_str(), ran.stderr.as_str()),
            (help.as_str(), ""),
            "{path:?}"
        );
    }
}
