//! A program, run to its end.

use std::env;
use std::path::Path;
use std::process::{Command as Blocking, Stdio};

use crate::error::{Context as _, Result};
use crate::process::{self, last_words};
use tokio::process::Command;

/// A command of the deployer that knows nothing of the user's cloud, and keeps what it keeps in `state`.
pub fn deployer(program: &Path, state: &Path) -> Command {
    let mut command = Command::from(bare(Blocking::new(program), state));
    // Whoever waits for it may be interrupted.
    command.kill_on_drop(true);
    command
}

/// The same, for [`process::run`].
///
/// # Errors
/// Where this program is can't be found out.
pub fn measured(program: &Path, state: &Path) -> Result<Blocking> {
    Ok(bare(process::command(program)?, state))
}

fn bare(mut command: Blocking, state: &Path) -> Blocking {
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .env("XDG_STATE_HOME", state)
        // Neither the user's profiles nor a metadata service may take part.
        .env("AWS_CONFIG_FILE", state.join("no-aws-config"))
        .env("AWS_SHARED_CREDENTIALS_FILE", state.join("no-aws-credentials"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        // No proxy of the user's has a way to this machine's own ports.
        .env("NO_PROXY", "localhost,127.0.0.1")
        .stdin(Stdio::null());
    command
}

/// Runs a command, and gives what it wrote to stdout.
///
/// # Errors
/// It can't be started, or fails.
pub async fn run(command: &mut Command) -> Result<String> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let words = command
        .as_std()
        .get_args()
        .map(|word| word.to_string_lossy().into_owned());
    let called = words.fold(program, |called, word| format!("{called} {word}"));
    let output = command
        .output()
        .await
        .context(format_args!("could not start {called}"))?;
    if !output.status.success() {
        let words = last_words(&[output.stdout, output.stderr].concat());
        return Err(format!("{called} failed ({}): {words}", output.status).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failure_is_told_in_the_programs_own_words() {
        let mut command = Command::new("/bin/sh");
        let error = run(command.args(["-c", "echo so; echo it is >&2; exit 3"])).await;
        let error = error.expect_err("it fails").to_string();
        assert_eq!(
            error,
            "/bin/sh -c echo so; echo it is >&2; exit 3 failed (exit status: 3): it wrote:\nso\nit is"
        );
    }
}
