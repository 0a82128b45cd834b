//! What `--help` says beyond each option: examples, exit codes, and which of the global options matter to a command.

use std::ffi::OsString;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{ColorChoice, Command, CommandFactory};

use super::Cli;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed on the way
  2  wrong usage, bad input or set-up: nothing was begun
  3  what is deployed isn't as it should be
  4  something would change (diff --exit-code)
  5  cancelled, refused, or nobody could be asked";

/// Of each command, what it is called with, and what for.
const EXAMPLES: &[(&str, &[(&str, &str)])] = &[
    (
        "",
        &[
            ("deployer init shop", "A new project in the folder shop"),
            (
                "deployer up --local",
                "The app on this machine: no AWS account, no Docker",
            ),
            ("deployer up --stage dev --profile work", "The stage dev on AWS"),
            ("deployer verify", "Prove again that it works and is private"),
            ("deployer down --stage dev", "Remove the stage dev"),
        ],
    ),
    (
        "init",
        &[
            (
                "deployer init shop",
                "A page, an API and a table in the new folder shop",
            ),
            (
                "deployer init --example site --name blog",
                "A site alone, in the current folder",
            ),
        ],
    ),
    (
        "up",
        &[
            ("deployer up --local", "On this machine"),
            ("deployer up --stage dev", "The stage dev, on AWS"),
            (
                "deployer up --only function,site",
                "New code and a new site, the other stacks as they are",
            ),
            (
                "deployer up --function-package bootstrap=out/bootstrap.zip",
                "With what `package` built before",
            ),
            ("deployer up --plan plan.zip", "Show what would change, and keep it"),
            ("deployer up --execute plan.zip", "Do exactly that"),
        ],
    ),
    (
        "diff",
        &[
            ("deployer diff --stage dev", "What `up` would change of the stage dev"),
            (
                "deployer diff --exit-code --output json",
                "For a script: 4 if that is anything",
            ),
        ],
    ),
    (
        "watch",
        &[
            ("deployer watch --local", "On this machine; open pages load again"),
            ("deployer watch --stage dev", "On AWS"),
        ],
    ),
    (
        "package",
        &[
            ("deployer package", "All that templates ask for, into target/deployer"),
            (
                "deployer package bootstrap --out bootstrap.zip",
                "One function, into a file",
            ),
        ],
    ),
    (
        "seed",
        &[
            ("deployer seed --stage dev", "What is missing of stacks/seed.yaml"),
            (
                "deployer seed --file users.jsonl --table Table",
                "Items of a file, into one table",
            ),
        ],
    ),
    (
        "backup",
        &[
            ("deployer backup users.jsonl", "All items of all tables"),
            ("deployer backup users.jsonl --table Table", "Those of one"),
        ],
    ),
    (
        "status",
        &[
            ("deployer status --stage dev", "What is deployed of the stage dev"),
            ("deployer status --drift", "And what of it was changed by hand"),
            (
                "deployer status --output json | jq -r .site.url",
                "The site's address, for a script",
            ),
        ],
    ),
    (
        "logs",
        &[
            ("deployer logs --since 1h", "Of all functions of the stage"),
            ("deployer logs --function list-orders --follow", "Of one, as it comes"),
            (
                "deployer logs --output json | jq -r .message",
                "For a script, a line an event",
            ),
        ],
    ),
    (
        "invoke",
        &[
            (
                "deployer invoke list-orders --sample --local",
                "With the event that its route implies",
            ),
            (
                "deployer invoke list-orders --event '{\"id\":1}' --stage dev",
                "With an event of one's own",
            ),
        ],
    ),
    (
        "openapi",
        &[
            (
                "deployer openapi --out api.json",
                "The contract of the one API that there is",
            ),
            (
                "deployer openapi Api --format swagger --as yaml",
                "As Swagger 2.0, in YAML",
            ),
        ],
    ),
    (
        "stages",
        &[
            (
                "deployer stages",
                "Of this project, with who deployed them and when they expire",
            ),
            ("deployer stages --all", "Of all projects in the account"),
        ],
    ),
    (
        "diagnose",
        &[(
            "deployer diagnose --stage dev",
            "Why the last deployment of the stage dev failed",
        )],
    ),
    ("releases", &[("deployer releases", "The last ten, the newest first")]),
    (
        "rollback",
        &[
            ("deployer rollback", "To the release before the newest"),
            ("deployer rollback 7", "To release 7"),
        ],
    ),
    (
        "graph",
        &[
            ("deployer graph", "The stacks, and what feeds what"),
            ("deployer graph --format dot | dot -Tsvg > graph.svg", "As a picture"),
        ],
    ),
    (
        "verify",
        &[
            ("deployer verify --stage dev", "All checks"),
            ("deployer verify --only privacy,permissions", "Two layers of them"),
            ("deployer verify --skip site-https", "All but one"),
        ],
    ),
    (
        "down",
        &[
            ("deployer down --stage dev", "Remove the stage dev; it asks first"),
            (
                "deployer down --delete-data --backup users.jsonl",
                "A protected stage, its items into a file first",
            ),
            ("deployer down --expired --yes", "All stages that have expired"),
        ],
    ),
    (
        "ci",
        &[("deployer ci github", "A workflow for GitHub Actions, and its roles")],
    ),
    (
        "ci github",
        &[("deployer ci github", "Into .github/workflows/ and ci/")],
    ),
    (
        "policy",
        &[
            ("deployer policy function", "What the functions' programs ask of AWS"),
            ("deployer policy deploy", "What the identity that deploys needs"),
            ("deployer policy check", "What of it these credentials lack"),
        ],
    ),
    (
        "policy deploy",
        &[
            (
                "deployer policy deploy --account 123456789012 --region eu-central-1 --out policies",
                "Into a folder, a file each",
            ),
            (
                "deployer policy deploy --format cloudformation --out deployer.yaml",
                "A template that an administrator deploys",
            ),
            (
                "deployer policy deploy --for ci --format terraform",
                "Of a pipeline's two roles, for Terraform",
            ),
        ],
    ),
    (
        "policy check",
        &[("deployer policy check --stage dev", "Before the first up of a stage")],
    ),
    (
        "policy function",
        &[
            ("deployer policy function", "Of all that templates ask for"),
            (
                "deployer policy function bootstrap --function-package out/bootstrap.zip",
                "Of a zip that was built before",
            ),
        ],
    ),
    (
        "local",
        &[
            ("deployer local status", "Whether it runs, and where"),
            ("deployer local stop", "End it; what is in it stays"),
        ],
    ),
    (
        "local start",
        &[("deployer local start", "Have it ready before the first `up --local`")],
    ),
    (
        "local stop",
        &[(
            "deployer local stop",
            "End it; the next start goes on with what is in it",
        )],
    ),
    (
        "local status",
        &[(
            "deployer local status --output json | jq -r .endpoint",
            "Its address, for a script",
        )],
    ),
    (
        "local reset",
        &[("deployer local reset --yes", "Begin anew, without a question")],
    ),
    (
        "local env",
        &[
            (
                "eval \"$(deployer local env)\"",
                "Have other tools work in it, in this shell",
            ),
            (
                "deployer local env --format dotenv > .env",
                "The same for what reads such a file",
            ),
        ],
    ),
    (
        "completions",
        &[
            ("source <(deployer completions bash)", "In ~/.bashrc"),
            ("source <(deployer completions zsh)", "In ~/.zshrc, after compinit"),
            (
                "deployer completions fish > ~/.config/fish/completions/deployer.fish",
                "Once, for fish",
            ),
        ],
    ),
    (
        "man",
        &[("deployer man /usr/local/share/man/man1", "For `man deployer-up`")],
    ),
    ("deploy", &[("deployer up", "Its name here")]),
    ("destroy", &[("deployer down", "Its name here")]),
    ("delete", &[("deployer down", "Its name here")]),
];

/// Global options that do nothing for a command that only writes text.
const ALL_IDLE: &[&str] = &[
    "stage",
    "project_dir",
    "region",
    "profile",
    "local",
    "output",
    "verbose",
    "quiet",
    "yes",
];

/// Global options that do nothing for a command.
const IDLE: &[(&str, &[&str])] = &[
    (
        "init",
        &["stage", "project_dir", "region", "profile", "local", "verbose", "yes"],
    ),
    ("package", &["region", "profile", "local", "yes"]),
    ("graph", &["region", "profile", "local", "yes"]),
    ("policy", &["yes"]),
    ("policy deploy", &["yes"]),
    ("policy check", &["yes"]),
    ("policy function", &["region", "profile", "local", "yes"]),
    ("local", &["profile", "local"]),
    ("local start", &["stage", "project_dir", "region", "yes"]),
    ("local stop", &["stage", "project_dir", "region", "yes"]),
    ("local status", &["stage", "project_dir", "region", "verbose", "yes"]),
    ("local reset", &["stage", "project_dir", "region"]),
    ("local env", &["verbose", "quiet", "yes"]),
    ("completions", ALL_IDLE),
    ("man", ALL_IDLE),
];

/// The command line, with all that its help says.
pub fn definition() -> Command {
    let styles = Styles::styled()
        .header(AnsiColor::Green.on_default().bold())
        .usage(AnsiColor::Green.on_default().bold())
        .literal(AnsiColor::Cyan.on_default().bold())
        .placeholder(AnsiColor::Cyan.on_default());
    let bare = Cli::command();
    let globals: Vec<_> = bare
        .get_arguments()
        .filter(|arg| arg.is_global_set())
        .cloned()
        .collect();
    let mut command = bare.styles(styles);
    for (path, idle) in IDLE {
        command = at(command, path, &|mut below: Command| {
            for global in globals.iter().filter(|global| idle.contains(&global.get_id().as_str())) {
                // One that is there already isn't handed down.
                below = below.arg(global.clone().hide(true));
            }
            below
        });
    }
    for (path, examples) in EXAMPLES {
        let mut text = "Examples:".to_owned();
        for (call, what) in *examples {
            text.push_str(&format!("\n  # {what}\n  {call}"));
        }
        if path.is_empty() {
            text = format!("{text}\n\n{EXIT_CODES}");
        }
        command = at(command, path, &|below| below.after_help(text.clone()));
    }
    command
}

/// `command` with what `change` makes of the one at `path` below it.
fn at(command: Command, path: &str, change: &dyn Fn(Command) -> Command) -> Command {
    match path.split_once(' ').unwrap_or((path, "")) {
        ("", _) => change(command),
        (name, rest) => command.mut_subcommand(name, |below| at(below, rest, change)),
    }
}

/// When help and complaints about the arguments themselves are coloured: they are written before those are understood.
pub(super) fn color_of(arguments: &[OsString]) -> ColorChoice {
    match super::words::says(arguments, "--color") {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::error::Exit;

    /// Each command with its path, such as "local start".
    fn commands() -> Vec<(String, Command)> {
        fn below(command: &Command, path: &str, all: &mut Vec<(String, Command)>) {
            all.push((path.to_owned(), command.clone()));
            for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
                below(sub, format!("{path} {}", sub.get_name()).trim(), all);
            }
        }
        let mut command = definition();
        command.build();
        let mut all = Vec::new();
        below(&command, "", &mut all);
        all
    }

    #[test]
    fn every_command_has_examples() {
        for (path, command) in commands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:\n  # "), "`{path}` has none");
        }
    }

    #[test]
    fn every_example_is_understood() {
        let calls = EXAMPLES.iter().flat_map(|(_, examples)| *examples);
        for (call, _) in calls {
            let (_, own) = call.split_once("deployer ").expect("a call of ours");
            let own = own.split([')', '|', '>']).next().unwrap_or_default();
            let words = ["deployer"].into_iter().chain(own.split_whitespace());
            let words: Vec<OsString> = words.map(Into::into).collect();
            assert!(Cli::of(&words).is_ok(), "{call}");
        }
    }

    #[test]
    fn own_options_stand_before_global_ones_and_those_that_do_nothing_nowhere() {
        for (path, mut command) in commands() {
            let idle: BTreeSet<&str> = IDLE
                .iter()
                .filter(|(of, _)| path == *of || path.starts_with(&format!("{of} ")))
                .flat_map(|(_, idle)| *idle)
                .copied()
                .collect();
            let help = command.render_long_help().to_string();
            let (own, global) = help.split_once("Global options:").expect("some are always there");
            let flag = |id: &str| format!("--{}", id.replace('_', "-"));
            for id in [
                "stage",
                "project_dir",
                "region",
                "profile",
                "local",
                "output",
                "color",
                "verbose",
                "quiet",
                "yes",
            ] {
                let has = |text: &str| {
                    text.lines().any(|line| {
                        line.split([' ', ','])
                            .any(|word| word.trim_end_matches('.') == flag(id))
                            && line.trim_start().starts_with('-')
                    })
                };
                assert!(!has(own), "{path}: {id} among its own");
                assert_eq!(has(global), !idle.contains(id), "{path}: {id}\n{global}");
            }
        }
    }

    #[test]
    fn every_exit_code_is_told() {
        let told: Vec<u8> = EXIT_CODES
            .lines()
            .filter_map(|line| line.trim().split(' ').next()?.parse().ok())
            .collect();
        let readme = include_str!("../../README.md");
        for exit in [Exit::Done, Exit::Failed, Exit::Usage, Exit::Unverified, Exit::Refused] {
            let code = exit as u8;
            assert!(told.contains(&code), "{exit:?}");
            assert!(readme.contains(&format!("\n| {code} | ")), "{exit:?} in the README");
        }
    }

    #[test]
    fn colour_is_asked_for_before_anything_is_understood() {
        let of = |words: &[&str]| color_of(&words.iter().map(Into::into).collect::<Vec<_>>());
        assert_eq!(of(&["deployer", "--help"]), ColorChoice::Auto);
        assert_eq!(of(&["deployer", "up", "--color", "always"]), ColorChoice::Always);
        assert_eq!(of(&["deployer", "--color=never", "up"]), ColorChoice::Never);
        assert_eq!(of(&["deployer", "--color"]), ColorChoice::Auto);
    }
}
