//! The command, as a user types it.

use std::path::Path;
use std::process::{Child, Stdio};

use assert_cmd::cargo::CommandCargoExt;
use clap::Parser;
use deployer::cli::{Cli, Global};
use serde_json::Value;

use super::emulator::keys;

/// One call of `deployer`.
pub(crate) struct Deployer {
    command: std::process::Command,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Deployer {
    /// In the folder `dir`, against nothing yet: no variable that the AWS SDK reads is passed on.
    pub(crate) fn new(dir: &Path, args: &[&str]) -> Self {
        let command = std::process::Command::cargo_bin("deployer").expect("the binary is built");
        Self::prepare(command, dir, args)
    }

    /// The same, as the last arguments of another program.
    pub(crate) fn under(program: &Path, before: &[&str], dir: &Path, args: &[&str]) -> Self {
        let deployer = std::process::Command::cargo_bin("deployer").expect("the binary is built");
        let mut command = std::process::Command::new(program);
        command.args(before).arg(deployer.get_program());
        Self::prepare(command, dir, args)
    }

    fn prepare(mut command: std::process::Command, dir: &Path, args: &[&str]) -> Self {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(dir)
            .args(args)
            .stdin(Stdio::null())
            .env_remove("NO_COLOR")
            // Locks are kept there, and the local cloud's state.
            .env("XDG_STATE_HOME", dir.join(".state"))
            // Neither the machine's own profiles nor a metadata service may take part.
            .env("AWS_CONFIG_FILE", dir.join("no-aws-config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", dir.join("no-aws-credentials"))
            .env("AWS_EC2_METADATA_DISABLED", "true");
        Self { command }
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// With the emulator's root credentials, at `endpoint`, in us-east-1.
    pub(crate) fn at(self, endpoint: &str) -> Self {
        let keys = keys(endpoint);
        self.env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_ACCESS_KEY_ID", keys.id)
            .env("AWS_SECRET_ACCESS_KEY", keys.secret)
            .env("AWS_REGION", "us-east-1")
    }

    pub(crate) fn run(mut self) -> Ran {
        let output = self.command.output().expect("the command starts");
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    pub(crate) fn spawn(self) -> Child {
        self.start(Stdio::null(), Stdio::null())
    }

    pub(crate) fn start(mut self, stdout: Stdio, stderr: Stdio) -> Child {
        self.command
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .expect("the command starts")
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn success(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn fails_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "", "a failure has no result");
        self
    }

    /// All of `parts` are in what was said, beside the next step that every error names.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` isn't in: {}", self.stderr);
        }
        if self.code != 0 {
            assert!(self.stderr.contains("next: "), "no next step in: {}", self.stderr);
        }
        let errors = self.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, usize::from(self.code != 0), "{}", self.stderr);
        self
    }

    /// stdout, which must be one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in: {}", self.stdout))
    }
}

/// Options for library calls that need a reporter.
pub(crate) fn quiet() -> Global {
    Cli::parse_from(["deployer", "--quiet", "local", "status"]).global
}
