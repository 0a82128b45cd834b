//! Words of the command line: those of other tools, and those that have to be understood before the others are.

use std::ffi::OsString;

use clap::CommandFactory;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Cli;
use crate::error;

/// What an option such as `--color` is given by these arguments, whether or not they can be understood as a whole.
pub(super) fn says<'a>(arguments: &'a [OsString], option: &str) -> Option<&'a str> {
    let mut words = arguments.iter().skip(1).map_while(|word| word.to_str());
    let mut said = None;
    while let Some(word) = words.next() {
        said = match word.strip_prefix(option) {
            Some("") => words.next(),
            Some(rest) => rest.strip_prefix('=').or(said),
            None => said,
        };
    }
    said
}

/// What is wrong with a command line, as an error of ours.
pub(super) fn as_error(error: &clap::Error) -> error::Error {
    let text = error.to_string();
    let mut parts = text.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
    let first = parts.next().unwrap_or_default();
    let what = first.strip_prefix("error: ").unwrap_or(first);
    let mut wrong = error::Error::new(error::ErrorKind::InvalidUsage, what.replace("\n", " "));
    for part in parts {
        if let Some(tip) = part.strip_prefix("tip: ") {
            wrong = wrong.hint(tip);
        } else if part.starts_with("For more information") {
            wrong = wrong.hint("`deployer --help` shows what there is.");
        } else if !part.starts_with("Usage:") {
            wrong = wrong.cause(part.to_owned());
        }
    }
    wrong
}

/// What others call something, and the arguments that do it here.
const OTHERS: &[(&str, &str)] = &[
    ("apply", "up"),
    ("bootstrap", "up"),
    ("build", "package"),
    ("clean", "local reset"),
    ("completion", "completions"),
    ("create", "init"),
    ("describe", "status"),
    ("dev", "watch"),
    ("explain", "diagnose"),
    ("export", "backup"),
    ("history", "releases"),
    ("import", "seed"),
    ("info", "status"),
    ("list", "status"),
    ("ls", "status"),
    ("new", "init"),
    ("outputs", "status"),
    ("plan", "diff"),
    ("preview", "diff"),
    ("provision", "up"),
    ("publish", "up --only site"),
    ("remove", "down"),
    ("restore", "seed --file"),
    ("revert", "rollback"),
    ("rm", "down"),
    ("show", "status"),
    ("start", "local start"),
    ("stop", "local stop"),
    ("tail", "logs"),
    ("teardown", "down"),
    ("test", "verify"),
    ("undeploy", "down"),
    ("undo", "rollback"),
    ("validate", "graph"),
];

/// What a word of other tools is here, as far as this program has it.
fn here(word: &str) -> Option<&'static str> {
    let (_, arguments) = OTHERS.iter().find(|(other, _)| *other == word)?;
    let command = arguments.split(' ').next().unwrap_or(arguments);
    let commands = Cli::command();
    let is_ours = commands.get_subcommands().any(|own| own.get_name() == command);
    is_ours.then_some(*arguments)
}

/// The error with a tip, where it is about such a word: what only looks alike would be no help.
pub(super) fn with_tip(mut error: clap::Error) -> clap::Error {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    let arguments = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) => here(word),
        _ => None,
    };
    if let Some(arguments) = arguments {
        let tip = StyledStr::from(format!("here that is `deployer {arguments}`"));
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_an_option_says_is_found_in_any_command_line() {
        let said = |line: &str| {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            says(&arguments, "--output").map(str::to_owned)
        };
        assert_eq!(said("deployer up --output json --nope"), Some("json".into()));
        assert_eq!(said("deployer --output=json"), Some("json".into()));
        assert_eq!(said("deployer --output json up --output=human"), Some("human".into()));
        assert_eq!(said("deployer --outputs json"), None);
        assert_eq!(said("deployer up --output"), None);
    }

    #[test]
    fn a_wrong_command_line_is_an_error_with_its_tip() {
        let error = Cli::of(&["deployer".into(), "upp".into()]).expect_err("no command");
        let error = as_error(&error);
        assert_eq!(error.message(), "unrecognized subcommand 'upp'");
        assert_eq!(error.next_steps()[0], "a similar subcommand exists: 'up'");
        assert_eq!(error.kind(), error::ErrorKind::InvalidUsage);
    }

    #[test]
    fn a_word_of_others_is_none_of_ours() {
        let mut commands = Cli::command();
        commands.build();
        let ours: BTreeSet<&str> = commands
            .get_subcommands()
            .flat_map(|own| {
                own.get_name_and_visible_aliases()
                    .into_iter()
                    .chain(own.get_all_aliases())
            })
            .collect();
        for (word, _) in OTHERS {
            assert!(!ours.contains(word), "{word}");
        }
        assert!(OTHERS.is_sorted());
    }

    #[test]
    fn a_word_of_others_is_told_in_ours() {
        let said = |word: &str| {
            let error = Cli::of(&["deployer".into(), word.into()]).expect_err("no command");
            error.to_string()
        };
        let told = said("remove");
        assert!(told.contains("tip: here that is `deployer down`"), "{told}");
        let told = said("start");
        assert!(told.contains("tip: here that is `deployer local start`"), "{told}");
        assert!(!told.contains("similar"), "{told}");
        // What looks like one of ours is told by clap.
        let told = said("statsu");
        assert!(told.contains("similar") && told.contains("'status'"), "{told}");
        assert!(!said("xyzzy").contains("tip"), "{}", said("xyzzy"));
    }
}
