//! A program, run to its end, and what it took.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Context as _, Result};
use wait4::Wait4 as _;

/// So much of a program's output is shown when it fails.
const LINES_SHOWN: usize = 20;

/// What a program took, with the programs that it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// From its start to its end.
    pub wall: Duration,
    /// On all processors, its own and the system's work for it.
    pub cpu: Duration,
    /// The most memory that one of its processes had at a time, in bytes. Linux counts from before the program is loaded,
    /// when it still has the memory of who starts it: less than this process has can't be told.
    pub peak_memory: u64,
}

/// Runs a program.
///
/// # Errors
/// It can't be started, or fails.
pub fn run(command: &mut Command) -> Result<Usage> {
    // A file and no pipe, which somebody would have to empty while the time is taken.
    let output = tempfile::tempfile().context("could not make a file for the program's output")?;
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?);
    let started = Instant::now();
    let mut child = command.spawn().context(format_args!("could not start {program}"))?;
    let ended = child.wait4().context(format_args!("could not look after {program}"))?;
    let wall = started.elapsed();
    if !ended.status.success() {
        return Err(format!("{program} failed ({}): {}", ended.status, written_to(output)).into());
    }
    Ok(Usage {
        wall,
        cpu: ended.rusage.utime + ended.rusage.stime,
        peak_memory: ended.rusage.maxrss,
    })
}

fn written_to(mut output: File) -> String {
    let mut text = Vec::new();
    match output.rewind().and_then(|()| output.read_to_end(&mut text)) {
        Ok(_) => last_words(&text),
        Err(error) => format!("its output can't be read: {error}"),
    }
}

/// The end of what a program that failed has written, in a sentence.
pub fn last_words(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    match &lines[lines.len().saturating_sub(LINES_SHOWN)..] {
        [] => "it wrote nothing".to_owned(),
        lines => format!("it wrote:\n{}", lines.join("\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Result<Usage> {
        run(Command::new("/bin/sh").args(["-c", script]))
    }

    #[test]
    fn what_its_children_take_counts_too() {
        let usage = sh("(i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done); sleep 0.05").expect("it ends well");
        assert!(usage.cpu > Duration::from_millis(1), "{usage:?}");
        assert!(usage.wall >= Duration::from_millis(50), "{usage:?}");
        assert!(usage.peak_memory > 100 << 10, "{usage:?}");
    }

    #[test]
    fn a_failure_is_told_in_the_programs_own_words() {
        let error = sh("echo so; echo it is >&2; exit 3").expect_err("it fails").to_string();
        assert_eq!(error, "/bin/sh failed (exit status: 3): it wrote:\nso\nit is");
    }
}
