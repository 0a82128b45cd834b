//! What a benchmark is doing, for whoever waits. Stdout is for the result alone.

use std::fmt::Display;

/// Writes a line to stderr.
#[expect(clippy::print_stderr, reason = "the one place that prints while a benchmark runs")]
pub fn progress(line: impl Display) {
    eprintln!("{line}");
}
