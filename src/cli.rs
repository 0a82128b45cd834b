//! The command line: clap types only.

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::report::{self, Flags, Format, Options};

/// Takes a project folder to a running, private-by-default serverless app on AWS, and back to nothing.
#[derive(Debug, Parser)]
#[command(name = "deployer", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 usage or bad input, 3 verification failed, 4 different (diff --exit-code), 5 cancelled or refused.";

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The stage: one complete copy of the app, as listed in stacks/stages.yaml
    #[arg(long, global = true, default_value = DEFAULT_STAGE, value_name = "NAME")]
    pub stage: String,
    /// The folder that holds stacks/, function/ and site/
    #[arg(long, global = true, default_value = DEFAULT_FOLDER, value_name = "DIR")]
    pub project_dir: PathBuf,
    /// The AWS region; before the stage's own `region` and the environment
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// The AWS profile; before credentials in the environment
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "local")]
    pub profile: Option<String>,
    /// Use the local cloud instead of AWS; it is installed and started when needed
    #[arg(long, global = true)]
    pub local: bool,
    /// What stdout gets: text for people or one JSON document
    #[arg(long, global = true, value_enum, default_value_t = Output::Human, value_name = "FORMAT")]
    pub output: Output,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Show every resource's events; twice: the SDK's requests too
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Show results and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Answer every question with yes
    #[arg(short, long, global = true)]
    pub yes: bool,
}

/// The stage that is meant when none is named.
const DEFAULT_STAGE: &str = "prod";

/// The folder that is meant when none is named.
const DEFAULT_FOLDER: &str = ".";

/// Commands that don't work on a stage.
const WITHOUT_STAGE: &[&str] = &["completions", "local"];

impl Global {
    /// How a run with these options is told.
    pub fn reporting(&self) -> Options {
        Options {
            format: match self.output {
                Output::Human => Format::Text,
                Output::Json => Format::Json,
            },
            color: match self.color {
                Color::Auto => report::Color::Auto,
                Color::Always => report::Color::Always,
                Color::Never => report::Color::Never,
            },
            quiet: self.quiet,
            verbose: self.verbose > 0,
            yes: self.yes,
            flags: self.flags(),
        }
    }

    /// What the next command has to say, too, to work in the same place.
    fn flags(&self) -> Flags {
        let mut flags = Vec::new();
        if self.local {
            flags.push(("--local", None));
        }
        if self.stage != DEFAULT_STAGE {
            flags.push(("--stage", Some(self.stage.clone())));
        }
        if self.project_dir.as_os_str() != DEFAULT_FOLDER {
            flags.push(("--project-dir", Some(self.project_dir.display().to_string())));
        }
        for (name, value) in [("--region", &self.region), ("--profile", &self.profile)] {
            flags.extend(value.clone().map(|value| (name, Some(value))));
        }
        let command = Cli::command();
        let names = command.get_subcommands().map(|command| command.get_name().to_owned());
        Flags {
            flags,
            commands: names.filter(|name| !WITHOUT_STAGE.contains(&name.as_str())).collect(),
        }
    }
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Text for people.
    Human,
    /// One JSON document on stdout; progress as JSON lines on stderr.
    Json,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR says otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build, provision, seed, publish and verify a stage, then print its URLs
    Up(UpArgs),
    /// Deploy what is saved, that alone, as soon as it is; Ctrl-C ends it
    Watch(WatchArgs),
    /// Show what `up` would change, and change nothing
    Diff(DiffArgs),
    /// Build the functions for Lambda and write their zips, deploying nothing
    Package(PackageArgs),
    /// Put the items of stacks/seed.yaml into the stage's tables
    Seed(SeedArgs),
    /// Write all items of the stage's tables into a file, which `seed --file` puts back
    Backup(BackupArgs),
    /// Show the stage's stacks and what is in them: the site, routes, functions, tables
    Status(StatusArgs),
    /// Tell why the last operation on a stack failed, whoever started it, and what to do about it
    Diagnose,
    /// List what was deployed when, by whom, and what changed with it
    Releases,
    /// Go back to an earlier release: its functions, its site, its templates; data stays as it is
    Rollback(RollbackArgs),
    /// Show what feeds what: stacks, functions, routes and tables, from the folder alone
    Graph(GraphArgs),
    /// Prove that the stage works, is private, and can do no more than it must
    Verify(VerifyArgs),
    /// Remove a stage
    Down(DownArgs),
    /// The local cloud: start, stop, look at or empty it
    #[command(subcommand)]
    Local(LocalCommand),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, for who makes a package of it
    #[command(hide = true)]
    Man {
        /// The folder that they are written to
        dir: PathBuf,
    },
}

/// Arguments of `up`.
#[derive(Debug, Clone, Default, Args)]
pub struct UpArgs {
    /// Do these parts only, with what the other stacks have: stacks by the names of their templates, `function` (all
    /// stacks with functions), `site`, `seed`
    #[arg(long, value_name = "STACK|STEP", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Deploy this package instead of building the binary NAME: a zip with `bootstrap` in it, or that binary; NAME= may be
    /// left out while there is one function. With --local it runs on this machine as you: take one only from whom you trust
    #[arg(long, value_name = "[NAME=]FILE")]
    pub function_package: Vec<String>,
    /// Take on a stack that doesn't say which stage's it is
    #[arg(long, value_name = "STACK")]
    pub adopt: Vec<String>,
    /// Undo what was changed by hand in the stacks' resources, too
    #[arg(long)]
    pub revert_drift: bool,
    /// Wait until CloudFront has forgotten what changed of the site
    #[arg(long)]
    pub wait: bool,
    /// Of what is no longer in the site, and stays for pages that are still open, remove at once what this matches: a
    /// pattern as in a .gitignore; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub purge: Vec<String>,
    /// Don't prove at the end that it works
    #[arg(long)]
    pub no_verify: bool,
    /// At the end, make those requests and invocations of stacks/verify.yaml, too, that may change something
    #[arg(long, conflicts_with = "no_verify")]
    pub with_changes: bool,
    /// At the end, ask for all of the site, and not only for what was sent and some more
    #[arg(long, conflicts_with = "no_verify")]
    pub full: bool,
    /// Change nothing: show what would change, and write it into this file, for a run with --execute
    #[arg(long, value_name = "FILE", conflicts_with_all = ["revert_drift", "purge", "no_verify", "with_changes", "full", "wait"])]
    pub plan: Option<PathBuf>,
    /// Do what was planned into this file, whatever the folder has by now; refused if it would change something else
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plan", "only", "function_package", "adopt", "revert_drift", "purge"])]
    pub execute: Option<PathBuf>,
}

/// Arguments of `status`.
#[derive(Debug, Clone, Default, Args)]
pub struct StatusArgs {
    /// Look for what was changed by hand, resource by resource
    #[arg(long)]
    pub drift: bool,
}

/// Arguments of `watch`.
#[derive(Debug, Clone, Default, Args)]
pub struct WatchArgs {
    /// Deploy this package instead of building the binary NAME, as `up --function-package` takes it
    #[arg(long, value_name = "[NAME=]FILE")]
    pub function_package: Vec<String>,
    /// Prove each time that it works, as `up` does
    #[arg(long)]
    pub verify: bool,
}

/// Arguments of `diff`.
#[derive(Debug, Clone, Default, Args)]
pub struct DiffArgs {
    /// These parts only, as `up --only` has them
    #[arg(long, value_name = "STACK|STEP", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Compare with this package instead of building the binary NAME, as `up --function-package` takes it
    #[arg(long, value_name = "[NAME=]FILE")]
    pub function_package: Vec<String>,
    /// Take on a stack that doesn't say which stage's it is
    #[arg(long, value_name = "STACK")]
    pub adopt: Vec<String>,
    /// End with 4 if `up` would change anything
    #[arg(long)]
    pub exit_code: bool,
}

/// Arguments of `rollback`.
#[derive(Debug, Clone, Args)]
pub struct RollbackArgs {
    /// The release, by its number [default: the one before the newest]
    #[arg(value_name = "RELEASE")]
    pub release: Option<u64>,
    /// Wait until CloudFront has forgotten what changed of the site
    #[arg(long)]
    pub wait: bool,
    /// Don't prove at the end that it works
    #[arg(long)]
    pub no_verify: bool,
}

/// Arguments of `graph`.
#[derive(Debug, Clone, Args)]
pub struct GraphArgs {
    /// How to write it; with --output json it is a document whatever this says
    #[arg(long, value_enum, default_value_t = GraphFormat::Text, value_name = "FORMAT")]
    pub format: GraphFormat,
}

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// For people.
    Text,
    /// For Graphviz.
    Dot,
    /// For Mermaid, as GitHub shows it.
    Mermaid,
}

/// Arguments of `package`.
#[derive(Debug, Clone, Default, Args)]
pub struct PackageArgs {
    /// The binaries to pack [default: all that templates ask for]
    #[arg(value_name = "NAME")]
    pub functions: Vec<String>,
    /// Where to write: a file for one function, a folder for several [default: target/deployer in the project's folder]
    #[arg(long, value_name = "FILE|DIR")]
    pub out: Option<PathBuf>,
}

/// Arguments of `verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// Make these checks only, by their ids or by layer: data, function, api, app, site, privacy, permissions
    #[arg(long, value_name = "CHECK|LAYER", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Leave these checks out
    #[arg(long, value_name = "CHECK|LAYER", value_delimiter = ',')]
    pub skip: Vec<String>,
    /// Make those requests and invocations of stacks/verify.yaml, too, that may change something
    #[arg(long)]
    pub with_changes: bool,
    /// Ask for all of the site, and not only for some of it
    #[arg(long)]
    pub full: bool,
    /// How long to wait for what AWS is still about, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    pub timeout: u64,
}

/// Arguments of `seed`.
#[derive(Debug, Clone, Default, Args)]
pub struct SeedArgs {
    /// The table they are for, by its logical id; of a file that names its tables, the one to fill
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// Items as YAML, JSON (.json) or JSON lines (.jsonl, .ndjson), plain or as DynamoDB's exports have them [default:
    /// stacks/seed.yaml]
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Replace items that are already there
    #[arg(long)]
    pub overwrite: bool,
}

/// Arguments of `backup`.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// The file to write, as JSON lines: a new one, whose name ends in .jsonl
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// This table alone, by its logical id
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
}

/// Arguments of `down`.
#[derive(Debug, Clone, Default, Args)]
pub struct DownArgs {
    /// Delete the data of a protected stage, too
    #[arg(long)]
    pub delete_data: bool,
    /// First write all items of the tables that go into this new file, which `seed --file` puts back
    #[arg(long, value_name = "FILE")]
    pub backup: Option<PathBuf>,
    /// Take on a stack that doesn't say which stage's it is
    #[arg(long, value_name = "STACK")]
    pub adopt: Vec<String>,
}

/// The commands of `local`.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum LocalCommand {
    /// Install it if needed and start it
    Start,
    /// Save its state and stop it
    Stop,
    /// Say whether it runs, and where
    Status,
    /// Stop it and delete everything in it
    Reset,
    /// Print what other tools need to work in it: eval "$(deployer local env)"
    Env {
        /// How to write it
        #[arg(long, value_enum, default_value_t = EnvFormat::Sh, value_name = "FORMAT")]
        format: EnvFormat,
    },
}

/// How environment variables are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EnvFormat {
    /// For a shell to evaluate: sh, bash, zsh.
    Sh,
    /// One JSON object.
    Json,
    /// `NAME=value`, a line each.
    Dotenv,
    /// A profile `deployer-local` for ~/.aws/config.
    Profile,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    #[test]
    fn is_well_formed() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn the_next_command_works_in_the_same_place() {
        let args = [
            "deployer",
            "status",
            "--profile",
            "p",
            "--region",
            "r",
            "--project-dir",
            "d",
        ];
        let flags = super::Cli::parse_from(args).global.flags();
        let named = flags.flags.iter().map(|(name, value)| (*name, value.as_deref()));
        let expected = [("--project-dir", "d"), ("--region", "r"), ("--profile", "p")];
        assert_eq!(
            named.collect::<Vec<_>>(),
            expected.map(|(name, value)| (name, Some(value)))
        );
        assert!(
            flags.commands.iter().any(|name| name == "graph"),
            "{:?}",
            flags.commands
        );
        assert!(
            !flags.commands.iter().any(|name| name == "local"),
            "{:?}",
            flags.commands
        );
    }
}
