//! The command on a terminal of its own, as a person has it: what is on the screen in the end, not what was drawn over.

use std::num::NonZeroU16;
use std::path::Path;

use crate::{Deployer, emulator};

/// Python's standard library has terminals; Rust's doesn't. The first line of what it prints is the exit status.
const SCRIPT: &str = r#"
import fcntl, os, pty, struct, sys, termios
rows, columns, later = (int(size) for size in sys.argv[1:4])
keys, command = sys.argv[4], sys.argv[5:]
keys = keys.encode().decode("unicode_escape")
ready, go = os.pipe()
pid, terminal = pty.fork()
if pid == 0:
    os.read(ready, 1)  # until the terminal has its size
    os.execv(command[0], command)
if columns:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
os.write(go, b"x")
seen, typed, closed = b"", False, 0
# Linux may say that nobody has the terminal any more before it hands on what was written last; the next read waits for it.
while closed < 2:
    try:
        chunk = os.read(terminal, 4096)
    except OSError:
        chunk = b""
    if not chunk:
        closed += 1
        continue
    seen += chunk
    if later:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, later, 0, 0))
        later = 0
    if b"Continue? [y/N]" in seen and not typed:
        typed = True
        os.write(terminal, keys.encode())
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(status)
sys.stdout.write(seen.decode(errors="replace"))
"#;

/// A terminal, and who sits at it.
#[derive(Debug, Clone, Copy)]
pub struct Terminal<'a> {
    /// How wide it is; 0 for one that doesn't know.
    pub columns: u16,
    /// How wide it is made as soon as something is on it; 0 leaves it.
    pub later_columns: u16,
    /// `TERM` and the like: set, or not there.
    pub variables: &'a [(&'a str, Option<&'a str>)],
    /// What is typed when a question comes: Python's escapes stand for keys.
    pub keys: &'a str,
}

impl Default for Terminal<'_> {
    fn default() -> Self {
        Self {
            columns: 0,
            later_columns: 0,
            variables: &[("TERM", Some("xterm"))],
            keys: "",
        }
    }
}

impl Terminal<'_> {
    /// Higher than all that a command prints: nothing scrolls away.
    pub const ROWS: u16 = 500;

    /// Runs `deployer` there, against what is at `endpoint`; returns its exit status and what the terminal was sent.
    ///
    /// # Panics
    /// There is no terminal to be had.
    pub fn run(&self, dir: &Path, endpoint: &str, args: &[&str]) -> (i32, String) {
        self.run_with(dir, args, |deployer| deployer.at(endpoint))
    }

    /// The same, with all that `set` sets.
    ///
    /// # Panics
    /// There is no terminal to be had.
    pub fn run_with(&self, dir: &Path, args: &[&str], set: impl FnOnce(Deployer) -> Deployer) -> (i32, String) {
        let [rows, columns, later] = [Self::ROWS, self.columns, self.later_columns].map(|size| size.to_string());
        let before = ["-c", SCRIPT, &rows, &columns, &later, self.keys];
        // As on a person's machine, wherever the test runs.
        let deployer = set(Deployer::under(&emulator::python(), &before, dir, args)).unset("CI");
        let ran = self
            .variables
            .iter()
            .fold(deployer, |deployer, (name, value)| match value {
                Some(value) => deployer.env(name, value),
                None => deployer.unset(name),
            })
            .run()
            .success();
        let (status, seen) = ran.stdout.split_once('\n').expect("a status");
        (status.parse().expect("a number"), seen.to_owned())
    }
}

/// The lines that are on a screen of this width after all that was sent to it: what was drawn over or erased isn't there. A
/// line that goes on in the next row is one line.
///
/// # Panics
/// It is no screen.
pub fn screen(sent: &str, columns: u16) -> String {
    let [rows, columns] = [Terminal::ROWS, columns].map(|size| NonZeroU16::new(size).expect("a screen has a size"));
    let mut screen = vt100::Parser::new(rows, columns, 0);
    screen.process(sent.as_bytes());
    screen.screen().contents()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_shows_what_was_left_on_it() {
        assert_eq!(screen("spinning\r\u{1b}[2K\u{1b}[32mdone\u{1b}[0m\r\n", 80), "done");
        assert_eq!(screen("a line that is longer\r\nend", 10), "a line that is longer\nend");
        assert_eq!(screen("blanks  \r\nend", 80), "blanks  \nend");
    }
}
