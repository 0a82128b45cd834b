//! The command, as a user types it.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _};
use std::ops::Deref;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::documents;
use crate::emulator::access;

/// One call of `deployer`.
#[derive(Debug)]
pub struct Deployer {
    command: Command,
    /// What the command itself is given; none under another program, which may write something of its own.
    args: Option<Vec<String>>,
}

/// A call that goes on, and what it has said so far.
#[derive(Debug)]
pub struct Running {
    child: Child,
    results: JoinHandle<String>,
    hearing: JoinHandle<()>,
    lines: Receiver<String>,
    seen: String,
}

/// How a call ended, which nobody has looked at yet.
#[derive(Debug, Clone)]
#[must_use = "say how it should have ended: `success()` or `fails_with(code)`, or look at its `code`"]
pub struct Ran {
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
    /// Its results.
    pub stdout: String,
    /// What else it said.
    pub stderr: String,
}

/// How a call ended, which was as the test wants it.
#[derive(Debug, Clone)]
pub struct Checked(Ran);

impl Deref for Checked {
    type Target = Ran;

    fn deref(&self) -> &Ran {
        &self.0
    }
}

impl Deployer {
    /// In the folder `dir`, against nothing yet: no variable that the AWS SDK reads is passed on.
    pub fn new(dir: &Path, args: &[&str]) -> Self {
        let mut deployer = Self::prepare(Self::binary(), dir, args);
        deployer.args = Some(args.iter().map(|arg| (*arg).to_owned()).collect());
        deployer
    }

    /// The same, as the last arguments of another program.
    pub fn under(program: &Path, before: &[&str], dir: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(before).arg(Self::binary().get_program());
        Self::prepare(command, dir, args)
    }

    fn binary() -> Command {
        Command::new(assert_cmd::cargo::cargo_bin("deployer"))
    }

    fn prepare(mut command: Command, dir: &Path, args: &[&str]) -> Self {
        for (name, _) in std::env::vars_os() {
            let name_of = name.to_string_lossy();
            if name_of.starts_with("AWS_") || name_of.to_lowercase().ends_with("_proxy") {
                command.env_remove(name);
            }
        }
        for name in ["LC_ALL", "LC_CTYPE", "LANG"] {
            command.env_remove(name);
        }
        command
            .current_dir(dir)
            .args(args)
            .stdin(Stdio::null())
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR")
            .env_remove("CLICOLOR_FORCE")
            .env_remove("FORCE_COLOR")
            .env_remove("COLUMNS")
            .env_remove("DEPLOYER_LOCAL")
            .env_remove("DEPLOYER_STAGE")
            // Locks are kept there, and the local cloud's state.
            .env("XDG_STATE_HOME", dir.join(".state"))
            // Neither the machine's own profiles nor a metadata service may take part.
            .env("AWS_CONFIG_FILE", dir.join("no-aws-config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", dir.join("no-aws-credentials"))
            .env("AWS_EC2_METADATA_DISABLED", "true");
        Self { command, args: None }
    }

    /// With this variable.
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Without this variable.
    pub fn unset(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// With the credentials that open what is at `endpoint`, in the region that is the test's there.
    pub fn at(self, endpoint: &str) -> Self {
        let access = access(endpoint);
        self.env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_ACCESS_KEY_ID", access.keys.id)
            .env("AWS_SECRET_ACCESS_KEY", access.keys.secret)
            .env("AWS_REGION", access.region)
    }

    /// Runs it to its end. What programs are to read of it is as its schema says.
    ///
    /// # Panics
    /// It doesn't start, what it says isn't text, or a document or an event isn't as `docs/schemas` has it.
    #[track_caller]
    pub fn run(mut self) -> Ran {
        let ran = Ran::of(self.command.output().expect("the command starts"));
        let args: Vec<&str> = self.args.iter().flatten().map(String::as_str).collect();
        if documents::is_json(&args) {
            let faults = documents::faults(&args, &ran.stdout, &ran.stderr);
            assert!(faults.is_empty(), "{faults}{args:?}\n{ran}");
        }
        ran
    }

    /// Starts it, and hears all that it says once it has ended: see [`Ran::of`].
    pub fn heard(self) -> Child {
        self.start(Stdio::piped(), Stdio::piped())
    }

    /// Starts it, and hears nothing of it.
    pub fn spawn(self) -> Child {
        self.start(Stdio::null(), Stdio::null())
    }

    /// Starts it, and hears what it says while it says it.
    ///
    /// # Panics
    /// It doesn't start.
    pub fn running(self) -> Running {
        let mut child = self.heard();
        let mut stdout = child.stdout.take().expect("piped");
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let (tell, lines) = channel();
        let hearing = std::thread::spawn(move || {
            let mut line = String::new();
            while stderr.read_line(&mut line).expect("UTF-8") > 0 && tell.send(std::mem::take(&mut line)).is_ok() {}
        });
        let results = std::thread::spawn(move || {
            let mut results = String::new();
            stdout.read_to_string(&mut results).expect("UTF-8");
            results
        });
        Running {
            child,
            results,
            hearing,
            lines,
            seen: String::new(),
        }
    }

    /// Starts it.
    ///
    /// # Panics
    /// It doesn't start.
    pub fn start(mut self, stdout: Stdio, stderr: Stdio) -> Child {
        self.command
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .expect("the command starts")
    }
}

impl Running {
    /// Waits for a line with this in it, and passes over what came before.
    ///
    /// # Panics
    /// It isn't said within two minutes, or before the end.
    #[track_caller]
    pub fn says(&mut self, part: &str) {
        loop {
            let Ok(line) = self.lines.recv_timeout(Duration::from_secs(120)) else {
                panic!("`{part}` isn't said:\n{}", self.seen);
            };
            self.seen.push_str(&line);
            if line.contains(part) {
                return;
            }
        }
    }

    /// Sends it a signal, as Ctrl-C and build servers do.
    ///
    /// # Panics
    /// It has ended.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process"), signal).expect("it runs");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// It can't be waited for, or what it said isn't text.
    pub fn end(mut self) -> Ran {
        let status = self.child.wait().expect("it ends");
        self.seen.extend(self.lines);
        self.hearing.join().expect("text");
        Ran {
            code: status.code().unwrap_or(-1),
            stdout: self.results.join().expect("text"),
            stderr: self.seen,
        }
    }
}

impl Ran {
    /// What a process's end says.
    ///
    /// # Panics
    /// What it said isn't text.
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// It ended well.
    ///
    /// # Panics
    /// It didn't.
    #[track_caller]
    pub fn success(self) -> Checked {
        assert!(self.code == 0, "it failed:\n{self}");
        Checked(self)
    }

    /// It ended with this code, and without a result.
    ///
    /// # Panics
    /// It didn't.
    #[track_caller]
    pub fn fails_with(self, code: i32) -> Checked {
        assert!(self.code == code, "it should have ended with {code}:\n{self}");
        assert!(self.stdout.is_empty(), "a failure has no result:\n{self}");
        Checked(self)
    }

    /// It ended with this code: with a result, if that is what the code is about.
    ///
    /// # Panics
    /// It didn't.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Checked {
        assert!(self.code == code, "it should have ended with {code}:\n{self}");
        Checked(self)
    }

    /// stdout, which must be one JSON document.
    ///
    /// # Panics
    /// It isn't.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("stdout is no JSON document: {error}\n{self}"))
    }
}

impl Checked {
    /// All of `parts` are in what was said, beside the next step that every error names.
    ///
    /// # Panics
    /// One isn't.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` isn't in stderr:\n{self}");
        }
        if self.code != 0 {
            assert!(self.stderr.contains("next: "), "no next step:\n{self}");
        }
        let errors = self.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert!(errors == usize::from(self.code != 0), "{errors} errors:\n{self}");
        self
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        block(f, &self.stdout, &self.stderr, self.code)
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// All of a call in one block: what it printed, what else it said, and how it ended.
fn block(f: &mut fmt::Formatter<'_>, stdout: &str, stderr: &str, code: i32) -> fmt::Result {
    let on_lines_of_its_own = |f: &mut fmt::Formatter<'_>, text: &str| {
        f.write_str(text)?;
        match text {
            "" => Ok(()),
            _ if text.ends_with('\n') => Ok(()),
            // A missing line end is part of what was said.
            _ => f.write_str("[no line end]\n"),
        }
    };
    on_lines_of_its_own(f, stdout)?;
    if !stderr.is_empty() {
        f.write_str("------- stderr -------\n")?;
        on_lines_of_its_own(f, stderr)?;
    }
    writeln!(f, "[exit status: {code}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_shown_in_one_block() {
        let ran = |stdout: &str, stderr: &str, code| {
            let (stdout, stderr) = (stdout.to_owned(), stderr.to_owned());
            Ran { code, stdout, stderr }.to_string()
        };
        assert_eq!(ran("a\n", "", 0), "a\n[exit status: 0]\n");
        assert_eq!(
            ran("a", "error: b\n", 2),
            "a[no line end]\n------- stderr -------\nerror: b\n[exit status: 2]\n"
        );
    }
}
