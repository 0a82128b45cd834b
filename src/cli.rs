//! The command line: clap types only.

mod help;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::error::Exit;
use crate::report::{self, Flags, Format, Options};

pub use help::definition;

/// Takes a project folder to a running, private-by-default serverless app on AWS, and back to nothing.
#[derive(Debug, Parser)]
#[command(name = "deployer", version, max_term_width = 100)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The stage: one complete copy of the app, as listed in stacks/stages.yaml
    #[arg(long, global = true, default_value = DEFAULT_STAGE, value_name = "NAME", env = STAGE, hide_env_values = true)]
    pub stage: String,
    /// The folder that holds stacks/, function/ and site/ [default: the nearest from the current folder upwards]
    #[arg(long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub project_dir: Option<PathBuf>,
    /// The AWS region; before the stage's own `region` and the environment
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// The AWS profile; before credentials in the environment
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Use the local cloud instead of AWS; it is installed and started when needed
    #[arg(long, global = true, env = LOCAL, hide_env_values = true, value_parser = FalseyValueParser::new())]
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
    /// Which of them the command line itself says.
    #[arg(skip)]
    said: Said,
}

/// What the command line says, and not the environment: the next command has to say it, too.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    stage: bool,
    local: bool,
    /// Whether a command that doesn't name a stage means another than the usual one.
    other_stage: bool,
}

/// The stage that is meant when none is named.
const DEFAULT_STAGE: &str = "prod";

/// The variable that names another.
const STAGE: &str = "DEPLOYER_STAGE";

/// The variable that says `--local`.
const LOCAL: &str = "DEPLOYER_LOCAL";

/// Commands that don't work on a stage.
const WITHOUT_STAGE: &[&str] = &["completions", "init", "local", "man", "stages"];

impl Cli {
    /// What the arguments of this process say. Where they say nothing that can be done, or ask for help, the process ends
    /// with that.
    pub fn of_this_process() -> Self {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        Self::of(&arguments).unwrap_or_else(|error| {
            // Who reads documents reads this as one, too.
            if error.use_stderr() && words::says(&arguments, "--output") == Some("json") {
                report::wrong_usage(&words::as_error(&error));
                std::process::exit(Exit::Usage as i32);
            }
            error.exit()
        })
    }

    /// What these arguments say.
    ///
    /// # Errors
    /// They can't be understood, or ask for help.
    pub fn of(arguments: &[OsString]) -> Result<Self, clap::Error> {
        // What help says is put together for those alone who read it.
        let matches = Self::command().try_get_matches_from(arguments).or_else(|_| {
            let definition = definition().color(help::color_of(arguments));
            definition.try_get_matches_from(arguments).map_err(words::with_tip)
        })?;
        let mut cli = Self::from_arg_matches(&matches)?;
        cli.global.said = Said::by(&matches);
        Ok(cli)
    }
}

impl Said {
    fn by(matches: &ArgMatches) -> Self {
        // Wherever they stand, before or behind the command: the innermost knows of all.
        let mut innermost = matches;
        while let Some((_, below)) = innermost.subcommand() {
            innermost = below;
        }
        let says = |id: &str| innermost.value_source(id) == Some(ValueSource::CommandLine);
        Self {
            stage: says("stage"),
            local: says("local"),
            other_stage: std::env::var_os(STAGE).is_some(),
        }
    }
}

impl Global {
    /// Where `--local` or its counterpart was said, for messages.
    pub(crate) fn local_is_said_by(&self) -> &'static str {
        if self.said.local { "--local" } else { LOCAL }
    }

    /// How a run with these options is told.
    pub fn reporting(&self) -> Options {
        Options {
            format: match self.output {
                Output::Human => Format::Text,
                Output::Json => Format::Json,
                Output::Github => Format::Github,
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
        // What the environment says, the next command hears as well.
        if self.said.local {
            flags.push(("--local", None));
        }
        if self.said.stage && (self.said.other_stage || self.stage != DEFAULT_STAGE) {
            flags.push(("--stage", Some(self.stage.clone())));
        }
        if let Some(folder) = self.project_dir.as_ref().filter(|folder| folder.as_os_str() != ".") {
            flags.push(("--project-dir", Some(folder.display().to_string())));
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
    /// Text for people, with annotations and a job summary for GitHub Actions.
    Github,
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
    /// Begin a new project: an example that works, to be changed into yours
    Init(InitArgs),
    /// Build, provision, seed, publish and verify a stage, then print its URLs
    Up(UpArgs),
    /// Deploy what is saved, that alone, as soon as it is; Ctrl-C ends it
    Watch(WatchArgs),
    /// Show what `up` would change, and change nothing
    Diff(DiffArgs),
    /// Build the functions for Lambda and write their zips, deploying nothing
    Package(PackageArgs),
    /// Tell what permissions the project needs, read from its programs
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Put the items of stacks/seed.yaml into the stage's tables
    Seed(SeedArgs),
    /// Write all items of the stage's tables into a file, which `seed --file` puts back
    Backup(BackupArgs),
    /// Show the stage's stacks and what is in them: the site, routes, functions, tables
    Status(StatusArgs),
    /// Show what the stage's functions have written into their logs
    Logs(LogsArgs),
    /// Call a function with an event, one that its routes and triggers imply among others, and show its answer
    Invoke(InvokeArgs),
    /// List the stages that are deployed in this account and region, whatever stacks/stages.yaml lists
    Stages(StagesArgs),
    /// Tell why the last operation on a stack failed, whoever started it, and what to do about it
    Diagnose,
    /// List what was deployed when, by whom, and what changed with it
    Releases,
    /// Go back to an earlier release: its functions, its site, its templates; data stays as it is
    Rollback(RollbackArgs),
    /// Show what feeds what: stacks, functions, routes and tables, from the folder alone
    Graph(GraphArgs),
    /// Write the deployed contract of an API as an OpenAPI document, for clients and tests to be made from
    Openapi(OpenapiArgs),
    /// Prove that the stage works, is private, and can do no more than it must
    Verify(VerifyArgs),
    /// Remove a stage
    Down(DownArgs),
    /// What others call `up`
    #[command(hide = true)]
    Deploy(UpArgs),
    /// What others call `down`
    #[command(hide = true)]
    Destroy(DownArgs),
    /// What others call `down`
    #[command(hide = true)]
    Delete(DownArgs),
    /// Write what deploys from a CI system
    #[command(subcommand)]
    Ci(CiCommand),
    /// The local cloud: start, stop, look at or empty it
    #[command(subcommand)]
    Local(LocalCommand),
    /// Print a completion script for a shell, which asks this program what can follow
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

/// Arguments of `init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// The project's folder: a new one, or one without files
    #[arg(value_name = "DIR", default_value = ".", value_hint = clap::ValueHint::DirPath)]
    pub dir: PathBuf,
    /// What it begins with
    #[arg(long, value_enum, default_value_t = Example::Users, value_name = "EXAMPLE")]
    pub example: Example,
    /// The project's name, with which the name of every stack begins [default: the folder's]
    #[arg(long, value_name = "PROJECT")]
    pub name: Option<String>,
}

/// What a new project begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Example {
    /// A page, an API with one function, and a table.
    Users,
    /// A shop: eight stacks, four functions, a queue, a schedule, signed requests.
    Orders,
    /// A site alone: a bucket and a distribution.
    Site,
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

/// Arguments of `openapi`.
#[derive(Debug, Clone, Args)]
pub struct OpenapiArgs {
    /// The API, by its logical id, if the stage has several; where two stacks have one of that id, as STACK.ID
    #[arg(value_name = "API")]
    pub api: Option<String>,
    /// The generation of the format
    #[arg(long, value_enum, default_value_t = OpenapiFormat::Oas30, value_name = "FORMAT")]
    pub format: OpenapiFormat,
    /// The notation [default: what the name of --out ends in, else json]
    #[arg(long = "as", value_enum, value_name = "NOTATION")]
    pub notation: Option<OpenapiNotation>,
    /// Where to write it, in the place of a file that is there [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// With API Gateway's own extensions, such as integrations, where it exports them
    #[arg(long)]
    pub extensions: bool,
}

/// The generations of OpenAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OpenapiFormat {
    /// OpenAPI 3.0.
    Oas30,
    /// Swagger 2.0.
    Swagger,
}

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OpenapiNotation {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
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

/// Arguments of `logs`.
#[derive(Debug, Clone, Args)]
pub struct LogsArgs {
    /// This function alone, by its logical id (STACK:ID where two stacks have it) or its name; may be given several times
    /// [default: all of the stage's]
    #[arg(long, value_name = "NAME")]
    pub function: Vec<String>,
    /// From when on: how long ago, as in 90s, 10m, 2h or 3d, or a time such as 2026-01-31T09:30:00Z
    #[arg(long, value_name = "TIME", default_value = "10m")]
    pub since: String,
    /// Go on with what comes, until Ctrl-C, which is then no failure
    #[arg(short, long)]
    pub follow: bool,
    /// What fits this alone, a pattern of CloudWatch Logs: `timeout`, `?ERROR ?WARN`, `{ $.level = "ERROR" }`
    #[arg(long, value_name = "PATTERN")]
    pub filter: Option<String>,
    /// This invocation alone, by its request id
    #[arg(long, value_name = "ID", conflicts_with = "filter")]
    pub request: Option<String>,
}

/// Arguments of `invoke`.
#[derive(Debug, Clone, Args)]
pub struct InvokeArgs {
    /// The function, by its logical id (STACK:ID where two stacks have it) or its name
    #[arg(value_name = "FUNCTION")]
    pub function: String,
    /// The event: JSON
    #[arg(long, value_name = "JSON", conflicts_with_all = ["event_file", "sample"])]
    pub event: Option<String>,
    /// A file with the event; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "sample")]
    pub event_file: Option<PathBuf>,
    /// An event that the templates imply: a route such as "GET /users", a trigger's logical id, or the name of an invocation in
    /// stacks/verify.yaml [default: the only one; else all are listed]
    #[arg(long, value_name = "ROUTE|NAME", num_args = 0..=1, default_missing_value = "")]
    pub sample: Option<String>,
    /// Print the event, and send nothing
    #[arg(long)]
    pub print_event: bool,
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
    /// Remove all stages of this project that have expired, whatever stacks/stages.yaml lists; protected ones never
    #[arg(long, conflicts_with_all = ["delete_data", "backup", "adopt"])]
    pub expired: bool,
}

/// Arguments of `stages`.
#[derive(Debug, Clone, Args)]
pub struct StagesArgs {
    /// Those of all projects that were deployed by deployer, and not of this one alone
    #[arg(long)]
    pub all: bool,
}

/// The commands of `ci`.
#[derive(Debug, Clone, Subcommand)]
pub enum CiCommand {
    /// Write a workflow for GitHub Actions, which deploys --stage from a branch and a preview of each pull request, and a
    /// template of the roles that it does so with
    Github(CiGithubArgs),
}

/// Arguments of `ci github`.
#[derive(Debug, Clone, Args)]
pub struct CiGithubArgs {
    /// The branch that is deployed
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub branch: String,
    /// The environment of GitHub's in which it is deployed, whose rules hold then
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
    /// What the stages of pull requests are called, before a hyphen and the number
    #[arg(long, value_name = "NAME", default_value = "pr")]
    pub preview: String,
    /// Replace files that are there
    #[arg(long)]
    pub force: bool,
}

/// The commands of `policy`.
#[derive(Debug, Clone, Subcommand)]
pub enum PolicyCommand {
    /// What functions' programs ask of AWS, as statements for their roles, and what the roles lack or have too much
    Function(PolicyFunctionArgs),
    /// What the identity that deploys this stage has to be allowed: policies, and the boundary of what its functions may do
    Deploy(PolicyDeployArgs),
    /// Whether these credentials are allowed what deploying this stage takes, before a first up
    Check,
}

/// Arguments of `policy deploy`.
#[derive(Debug, Clone, Args)]
pub struct PolicyDeployArgs {
    /// How they are written
    #[arg(long, value_enum, default_value_t = PolicyFormat::Json, value_name = "FORMAT")]
    pub format: PolicyFormat,
    /// Who is to have them
    #[arg(long, value_enum, default_value_t = PolicySubject::Stage, value_name = "WHO")]
    pub r#for: PolicySubject,
    /// The number of the account that they are for [default: the stage's, else that of the credentials]
    #[arg(long, value_name = "NUMBER")]
    pub account: Option<String>,
    /// With --for ci, what the stages of pull requests are called, before a hyphen and the number
    #[arg(long, value_name = "NAME", default_value = "pr")]
    pub preview: String,
    /// Write them: into this folder, a file each, or into this file of another format
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub out: Option<PathBuf>,
}

/// How policies are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyFormat {
    /// Documents as IAM takes them.
    Json,
    /// A template that makes them.
    Cloudformation,
    /// Resources of the AWS provider.
    Terraform,
}

/// Who is to have policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicySubject {
    /// Whoever deploys this stage.
    Stage,
    /// The two roles of a pipeline: one for this stage, one for previews of pull requests.
    Ci,
}

/// Arguments of `policy function`.
#[derive(Debug, Clone, Args)]
pub struct PolicyFunctionArgs {
    /// The functions, by their binaries or as templates call them [default: all that are packed here]
    #[arg(value_name = "NAME")]
    pub functions: Vec<String>,
    /// Look into this zip or binary instead of building one: NAME=FILE, or FILE if there is one function
    #[arg(long, value_name = "[NAME=]FILE")]
    pub function_package: Vec<String>,
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
    fn parsed(args: &[&str]) -> super::Cli {
        let args: Vec<_> = args.iter().map(Into::into).collect();
        super::Cli::of(&args).expect("arguments")
    }

    #[test]
    fn is_well_formed() {
        super::definition().debug_assert();
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
        let flags = parsed(&args).global.flags();
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
