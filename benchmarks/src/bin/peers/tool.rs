//! The tools that are measured, and how a user calls them.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use benchmarks::cargo;
use benchmarks::environment;
use benchmarks::error::Result;
use benchmarks::local_cloud::LocalCloud;
use benchmarks::process;
use clap::ValueEnum;

/// What the project calls itself, and the stage that is deployed: not a protected one, which isn't removed completely.
const APP: &str = "three-tier";
const STAGE: &str = "dev";
/// What stacks and buckets are called before their own part.
const NAME: &str = "three-tier-dev";
const TABLE: &str = "UserData-dev";
const FUNCTION: &str = "retrieve-user-data-dev";

/// A tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tool {
    /// This project's, with its proof at the end.
    Deployer,
    /// The same without: the others prove nothing.
    DeployerNoVerify,
    /// AWS's own command line.
    Aws,
    /// AWS's Serverless Application Model.
    Sam,
    /// AWS's Cloud Development Kit.
    Cdk,
    /// HashiCorp's.
    Terraform,
}

impl Tool {
    /// All, in the order in which they are shown.
    pub(crate) const ALL: [Self; 6] = [
        Self::Deployer,
        Self::DeployerNoVerify,
        Self::Aws,
        Self::Sam,
        Self::Cdk,
        Self::Terraform,
    ];

    /// What it is called in the result.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Deployer => "deployer",
            Self::DeployerNoVerify => "--no-verify",
            Self::Aws => "aws",
            Self::Sam => "sam",
            Self::Cdk => "cdk",
            Self::Terraform => "terraform",
        }
    }

    /// Whether it is what this deployer is compared with.
    pub(crate) fn is_peer(self) -> bool {
        !matches!(self, Self::Deployer | Self::DeployerNoVerify)
    }

    /// Whether what it makes is in CloudFormation's stacks.
    pub(crate) fn has_stacks(self) -> bool {
        self != Self::Terraform
    }

    /// The list of what it does, in `benchmarks/peers/`; the deployer needs none.
    fn script(self) -> Option<PathBuf> {
        let file = match self {
            Self::Deployer | Self::DeployerNoVerify => return None,
            Self::Aws => "aws.sh",
            Self::Sam => "sam.sh",
            Self::Cdk => "cdk.sh",
            Self::Terraform => "terraform.sh",
        };
        Some(scripts().join(file))
    }

    /// Whether something is done before and after that isn't this app's, such as an account's set-up.
    pub(crate) fn has_setting_up(self) -> bool {
        matches!(self, Self::Cdk | Self::Terraform)
    }
}

fn scripts() -> PathBuf {
    cargo::here().join("peers")
}

/// What a user has said of the tools.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) deployer: PathBuf,
    /// Terraform's providers.
    pub(crate) plugins: Option<PathBuf>,
}

/// A tool that is there.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) tool: Tool,
    /// The variables in which its script finds commands; of the deployer its own path.
    commands: Vec<(&'static str, PathBuf)>,
}

/// What a program is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// What isn't measured, before the app is there.
    Before,
    Up,
    Down,
    /// What takes that back.
    After,
}

impl Step {
    fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Up => "up",
            Self::Down => "down",
            Self::After => "after",
        }
    }
}

/// Where a program works for one turn: nothing of what the machine's user has, and nothing of another turn.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) cloud: &'a LocalCloud,
    /// The way to the cloud.
    pub(crate) url: String,
    pub(crate) project: &'a Path,
    pub(crate) package: &'a Path,
    /// Its home folder.
    pub(crate) home: &'a Path,
}

impl Place<'_> {
    fn fill<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .envs(env::var_os("TMPDIR").map(|folder| ("TMPDIR", folder)))
            .env("LANG", "C.UTF-8")
            .env("HOME", self.home)
            .env("XDG_CACHE_HOME", self.home.join("cache"))
            .env("XDG_STATE_HOME", self.cloud.state())
            .envs(self.cloud.variables())
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_PAGER", "")
            .env("NO_PROXY", "localhost,127.0.0.1")
            // None tells anybody that it ran, or looks for a newer one of itself.
            .env("SAM_CLI_TELEMETRY", "0")
            .env("CDK_DISABLE_CLI_TELEMETRY", "true")
            .env("CHECKPOINT_DISABLE", "1")
            // Node says that this one isn't tried with all that there is.
            .env("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")
            .env("PROJECT", self.project)
            .env("PACKAGE", self.package)
            .env("WORK", self.home)
            .envs([
                ("NAME", NAME),
                ("STAGE", STAGE),
                ("APP", APP),
                ("TABLE", TABLE),
                ("FUNCTION", FUNCTION),
            ])
            .current_dir(self.home)
    }

    /// What tells what is there, by none of the tools' own words.
    ///
    /// # Errors
    /// The AWS CLI's Python can't be installed.
    pub(crate) fn look(&self) -> Result<tokio::process::Command> {
        self.python("look.py")
    }

    /// What ends the processes that a function left behind which is gone.
    ///
    /// # Errors
    /// The AWS CLI's Python can't be installed.
    pub(crate) fn end_processes(&self) -> Result<tokio::process::Command> {
        self.python("end_processes.py")
    }

    fn python(&self, script: &str) -> Result<tokio::process::Command> {
        let mut command = Command::new(environment::python_of_aws()?);
        self.fill(command.arg("-I").arg(scripts().join(script)));
        Ok(command.into())
    }
}

impl Program {
    /// The program, installed unless it is given or one that nobody can install for the user.
    ///
    /// # Errors
    /// It can't be had.
    pub(crate) fn find(tool: Tool, given: &Given) -> Result<Self> {
        let commands = match tool {
            Tool::Deployer | Tool::DeployerNoVerify => vec![("DEPLOYER", given.deployer.clone())],
            Tool::Aws => vec![("AWS", environment::aws()?)],
            Tool::Sam => vec![("AWS", environment::aws()?), ("SAM", environment::sam()?)],
            Tool::Cdk => {
                let (cdk, app) = environment::cdk()?;
                vec![("AWS", environment::aws()?), ("CDK", cdk), ("CDK_APP", app)]
            }
            Tool::Terraform => {
                let terraform = in_path("terraform").ok_or("no `terraform` is in the PATH")?;
                let plugins = given.plugins.iter().map(|plugins| ("PLUGINS", plugins.clone()));
                [("TERRAFORM", terraform)].into_iter().chain(plugins).collect()
            }
        };
        Ok(Self { tool, commands })
    }

    /// What does this step; its time, processor and memory are those of all that it starts.
    ///
    /// # Errors
    /// Where this program is can't be found out.
    pub(crate) fn command(&self, step: Step, place: &Place<'_>) -> Result<Command> {
        let mut command = match (self.tool.script(), &*self.commands) {
            (Some(script), commands) => {
                let mut command = process::command(Path::new("/bin/sh"))?;
                place.fill(command.arg(script).arg(step.word()));
                command.envs(commands.iter().map(|(name, path)| (name, path)));
                command
            }
            (None, [(_, program), ..]) => {
                let mut command = process::command(program)?;
                place.fill(&mut command);
                command.args([step.word(), "--yes", "--stage", STAGE, "--project-dir"]);
                command.arg(place.project);
                if step == Step::Up {
                    command.arg("--function-package").arg(place.package);
                    command.args((self.tool == Tool::DeployerNoVerify).then_some("--no-verify"));
                }
                command
            }
            (None, []) => return Err("there is no deployer".into()),
        };
        command.stdin(std::process::Stdio::null());
        Ok(command)
    }
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path: OsString = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}
