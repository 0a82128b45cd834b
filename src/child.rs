//! Programs that a command waits for, and that end with it: cargo, pip, and whatever those start.

use std::io;
use std::process::{Output, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// A program and all that it starts, which are killed when this is dropped.
#[derive(Debug)]
#[must_use = "they are killed when this is dropped"]
pub(crate) struct Group(Option<Pid>);

impl Group {
    /// The program has ended by itself.
    pub(crate) fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // Whoever of them is gone needn't be killed.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// Starts a program in a process group of its own. A signal that ends the deployer alone, as a build server's does, would
/// else leave compilers and build scripts behind; killing the program itself doesn't reach what it has started.
///
/// # Errors
/// It can't be started.
pub(crate) fn start(command: &mut Command) -> io::Result<(Child, Group)> {
    let child = command.process_group(0).spawn()?;
    // It has an id until it is waited for.
    let leader = child.id().and_then(|id| i32::try_from(id).ok());
    let group = Group(leader.and_then(Pid::from_raw));
    Ok((child, group))
}

/// Runs a program to its end and returns what it printed.
///
/// # Errors
/// It can't be started or waited for.
pub(crate) async fn output(command: &mut Command) -> io::Result<Output> {
    let (child, group) = start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let output = child.wait_with_output().await?;
    group.ended();
    Ok(output)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test]
    async fn what_a_program_started_ends_with_it() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let started = folder.path().join("started");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "sleep 600 & echo $! > \"$0.new\"; mv \"$0.new\" \"$0\"; wait"])
            .arg(&started);
        let until_started = async {
            while !started.exists() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            ended = output(&mut shell) => panic!("it waits for minutes: {ended:?}"),
            () = until_started => {}
        }
        let sleeper = std::fs::read_to_string(&started).expect("written");
        let sleeper = Path::new("/proc").join(sleeper.trim()).join("stat");
        // Whoever inherits it may not have waited for it yet.
        let runs = || std::fs::read_to_string(&sleeper).is_ok_and(|stat| !stat.contains(") Z "));
        let gone = async {
            while runs() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(10), gone).await.expect("it is killed");
    }

    #[tokio::test]
    async fn what_it_printed_is_returned() {
        let mut shell = Command::new("sh");
        let printed = output(shell.args(["-c", "echo out; echo err >&2; exit 3"]))
            .await
            .expect("it runs");
        assert_eq!((&*printed.stdout, &*printed.stderr), (&b"out\n"[..], &b"err\n"[..]));
        assert_eq!(printed.status.code(), Some(3));
    }
}
