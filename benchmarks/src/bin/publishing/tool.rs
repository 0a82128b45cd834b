//! The tools that are measured, and how a user calls them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use benchmarks::cargo;
use benchmarks::environment;
use benchmarks::error::Result;
use benchmarks::process;
use clap::ValueEnum;

use crate::server::{ACCESS_KEY, COPIES, SECRET_KEY, SITE, Server};
use crate::site::Kind;

/// A tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Tool {
    /// This project's.
    Deployer,
    /// The quickest of those that only copy.
    S5cmd,
    /// AWS's own.
    Aws,
}

impl Tool {
    /// All, in the order in which they are shown.
    pub(crate) const ALL: [Self; 3] = [Self::Deployer, Self::S5cmd, Self::Aws];

    /// What a user calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Deployer => "deployer",
            Self::S5cmd => "s5cmd",
            Self::Aws => "aws",
        }
    }

    /// The bucket that it publishes into.
    pub(crate) fn bucket(self) -> &'static str {
        match self {
            Self::Deployer => SITE,
            Self::S5cmd => COPIES[0],
            Self::Aws => COPIES[1],
        }
    }

    /// Whether it is measured with this site: aws takes minutes to send many files, and nobody learns more by waiting.
    pub(crate) fn is_for(self, kind: Kind) -> bool {
        match (self, kind) {
            (Self::Aws, Kind::Small(count)) => count <= 10_000,
            _ => true,
        }
    }

    /// What it puts into the bucket beside the site's files.
    pub(crate) fn adds(self) -> &'static [&'static str] {
        match self {
            // The page for what isn't there.
            Self::Deployer => &["404.html"],
            Self::S5cmd | Self::Aws => &[],
        }
    }

    /// The program, built or installed unless given.
    fn program(self, given: Option<&Path>) -> Result<PathBuf> {
        match (self, given) {
            (Self::Deployer, given) => cargo::deployer(given),
            (_, Some(path)) => cargo::given(path),
            (Self::S5cmd, None) => environment::s5cmd(),
            (Self::Aws, None) => environment::aws(),
        }
    }
}

/// A tool that is there.
#[derive(Debug)]
pub(crate) struct Program {
    /// Which one.
    pub(crate) tool: Tool,
    path: PathBuf,
}

impl Program {
    /// The program at `given`, or if there is none, the one that is built or installed for this.
    ///
    /// # Errors
    /// It isn't there, or can't be built or installed.
    pub(crate) fn find(tool: Tool, given: Option<&Path>) -> Result<Self> {
        let path = tool.program(given)?;
        Ok(Self { tool, path })
    }

    /// What makes its bucket hold the `site/` of the project's folder, with nothing of the user's own settings. `home` is
    /// for what it keeps. If it `is_proven`, a tool that can prove what it did does so.
    pub(crate) fn command(&self, project: &Path, home: &Path, server: &Server, is_proven: bool) -> Result<Command> {
        let site = project.join("site");
        let bucket = format!("s3://{}", self.tool.bucket());
        let mut command = process::command(&self.path)?;
        match self.tool {
            Tool::Deployer => command
                .args(["up", "--only", "site", "--yes"])
                .args((!is_proven).then_some("--no-verify"))
                .arg("--project-dir")
                .arg(project),
            // The slash at the end means the folder's content.
            Tool::S5cmd => command
                .args(["--endpoint-url", server.url(), "sync", "--delete"])
                .args([site.join("").as_os_str(), bucket.as_ref()]),
            Tool::Aws => command
                .args(["s3", "sync", "--delete"])
                .args([site.as_os_str(), bucket.as_ref()]),
        };
        command.env_clear().envs([
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_ENDPOINT_URL", server.url()),
            ("LANG", "C.UTF-8"),
        ]);
        command.env("PATH", env::var_os("PATH").unwrap_or_default());
        command.env("HOME", home).env("XDG_CACHE_HOME", home.join("cache"));
        command.current_dir(home);
        Ok(command)
    }
}
