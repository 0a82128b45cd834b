//! A program, run to its end, and what it took.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Context as _, Result};
use crate::progress::progress;
use tokio::signal::unix::{SignalKind, signal};
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
    /// when it still has the memory of who starts it: less than that one has can't be told. See [`command`].
    pub peak_memory: u64,
}

/// Does a benchmark's work, and says what went wrong. What runs is dropped when a signal comes first, and ended and removed with
/// that.
pub async fn interruptible(work: impl Future<Output = Result<()>>) -> ExitCode {
    let done = tokio::select! {
        done = work => done,
        interrupted = interruption() => interrupted,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Waits for a signal that ends a benchmark.
///
/// # Errors
/// One has come, or none can be waited for.
pub async fn interruption<T>() -> Result<T> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Err("interrupted".into())
}

/// The first argument of a benchmark that starts a program in place of a benchmark that has much memory itself, and the
/// beginning of the line in which it says what that took.
const STARTER: &str = "start-and-measure";

static HAS_STARTER: AtomicBool = AtomicBool::new(false);

/// To be called first of all by a benchmark that has much memory itself: it is started anew by its [`command`]s, and then does
/// nothing but start what they are for.
pub fn starter() -> Option<ExitCode> {
    let mut args = env::args_os().skip(1);
    if args.next().is_none_or(|first| first != STARTER) {
        HAS_STARTER.store(true, Ordering::Relaxed);
        return None;
    }
    match start(args) {
        Ok(code) => Some(code),
        Err(error) => {
            // What the one that has started this shows.
            let _ = writeln!(io::stderr(), "{error}");
            Some(ExitCode::FAILURE)
        }
    }
}

fn start(mut args: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    let program = args.next().ok_or("there is nothing to start")?;
    let started = Instant::now();
    let mut child = Command::new(&program)
        .args(args)
        .spawn()
        .context(format_args!("could not start {}", program.display()))?;
    let ended = child
        .wait4()
        .context(format_args!("could not look after {}", program.display()))?;
    let wall = started.elapsed();
    let code = ended.status.code().and_then(|code| u8::try_from(code).ok());
    let cpu = ended.rusage.utime + ended.rusage.stime;
    let (wall, cpu, peak) = (wall.as_nanos(), cpu.as_nanos(), ended.rusage.maxrss);
    writeln!(io::stdout(), "\n{STARTER} {wall} {cpu} {peak}")?;
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// A command that [`run`] can tell all of, whatever memory this process has.
///
/// # Errors
/// Where this program is can't be found out.
pub fn command(program: &Path) -> Result<Command> {
    if !HAS_STARTER.load(Ordering::Relaxed) {
        return Ok(Command::new(program));
    }
    let mut command = Command::new(env::current_exe().context("could not find this program")?);
    command.arg(STARTER).arg(program);
    Ok(command)
}

/// What a starter says, at the end of all.
fn told(output: &str) -> Option<Usage> {
    let mut numbers = output.lines().last()?.strip_prefix(STARTER)?.split_whitespace();
    let mut number = || numbers.next()?.parse().ok();
    Some(Usage {
        wall: Duration::from_nanos(number()?),
        cpu: Duration::from_nanos(number()?),
        peak_memory: number()?,
    })
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
    let text = written_to(output).context(format_args!("the output of {program} can't be read"))?;
    if !ended.status.success() {
        return Err(format!("{program} failed ({}): {}", ended.status, last_words(&text)).into());
    }
    Ok(told(&String::from_utf8_lossy(&text)).unwrap_or(Usage {
        wall,
        cpu: ended.rusage.utime + ended.rusage.stime,
        peak_memory: ended.rusage.maxrss,
    }))
}

fn written_to(mut output: File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    output.rewind()?;
    output.read_to_end(&mut text)?;
    Ok(text)
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
    fn what_a_starter_says_counts() {
        let usage = sh(&format!("echo so; echo; echo {STARTER} 3000000 2000000 1048576")).expect("it ends well");
        let told = Usage {
            wall: Duration::from_millis(3),
            cpu: Duration::from_millis(2),
            peak_memory: 1 << 20,
        };
        assert_eq!(usage, told);
        assert_eq!(super::told("so\n"), None);
        let started = start(["/bin/sh", "-c", "exit 3"].map(OsString::from).into_iter()).expect("started");
        assert_eq!(format!("{started:?}"), format!("{:?}", ExitCode::from(3)));
    }

    #[test]
    fn a_failure_is_told_in_the_programs_own_words() {
        let error = sh("echo so; echo it is >&2; exit 3").expect_err("it fails").to_string();
        assert_eq!(error, "/bin/sh failed (exit status: 3): it wrote:\nso\nit is");
    }
}
