//! A program that is started the way Lambda starts it, and its end.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use benchmarks::error::{Context as _, Result};
use benchmarks::memory;

use crate::cloud::Cloud;

/// So much of a program's output is shown when it fails.
const LINES_SHOWN: usize = 20;

/// How long the session tokens are that Lambda gives; each request to DynamoDB has one.
pub(crate) const SESSION_TOKEN_LENGTH: usize = 900;

/// A running program; it ends with this value.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    /// A file and no pipe, which somebody would have to empty while times are taken.
    output: File,
    /// Just before it was started.
    pub(crate) started: Instant,
}

impl Program {
    /// Starts `binary` with the variables that Lambda sets.
    ///
    /// # Errors
    /// It can't be started.
    pub(crate) fn start(binary: &Path, runtime_api: SocketAddr, cloud: &Cloud) -> Result<Self> {
        let output = tempfile::tempfile().context("could not make a file for the program's output")?;
        let mut command = Command::new(binary);
        command
            .env_clear()
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string().as_str()),
                ("AWS_LAMBDA_FUNCTION_NAME", "retrieve-user-data"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
                ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
                ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
                ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
                ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/retrieve-user-data"),
                ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[1]0123456789abcdef"),
                ("AWS_REGION", "eu-central-1"),
                ("AWS_DEFAULT_REGION", "eu-central-1"),
                ("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
                ("AWS_SESSION_TOKEN", "t".repeat(SESSION_TOKEN_LENGTH).as_str()),
                ("LAMBDA_TASK_ROOT", "/var/task"),
                ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
                ("LANG", "en_US.UTF-8"),
                ("PATH", "/usr/local/bin:/usr/bin:/bin"),
                ("TZ", ":UTC"),
                ("_HANDLER", "bootstrap"),
                ("TABLE_NAME", "UserData"),
                ("ALLOWED_ORIGIN", "https://d111111abcdef8.cloudfront.net"),
            ])
            .env("AWS_ENDPOINT_URL_DYNAMODB", cloud.dynamodb.url())
            .env("SSL_CERT_FILE", cloud.tls.trusted())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?);
        let started = Instant::now();
        let child = command
            .spawn()
            .context(format_args!("could not start {}", binary.display()))?;
        Ok(Self { child, output, started })
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// The system doesn't say.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("could not look after the program")
    }

    /// The most memory it has had so far, in bytes.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        memory::peak(&self.child.id().to_string())
    }

    /// Ends it, and gives the last of its output.
    pub(crate) fn last_words(&mut self) -> String {
        self.end();
        let mut output = Vec::new();
        let read = self.output.rewind().and_then(|()| self.output.read_to_end(&mut output));
        if let Err(error) = read {
            return format!("its output can't be read: {error}");
        }
        let output = String::from_utf8_lossy(&output);
        let lines: Vec<&str> = output.lines().collect();
        let shown = lines.len().saturating_sub(LINES_SHOWN);
        match &lines[shown..] {
            [] => "it wrote nothing".to_owned(),
            lines => format!("it wrote:\n{}", lines.join("\n")),
        }
    }

    /// Errors mean that it has ended before.
    fn end(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}
