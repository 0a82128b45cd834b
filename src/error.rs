//! What can go wrong, as people read it: what failed, why, and the next command to run.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The exit codes of `deployer`; part of its interface, see the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for is done.
    Done = 0,
    /// Something failed on the way.
    Failed = 1,
    /// The command line, the project's files or the machine's set-up must change first.
    Usage = 2,
    /// What is deployed isn't as it should be.
    Unverified = 3,
    /// The user said no, nobody could be asked, or the run was interrupted.
    Refused = 5,
}

/// An error with its causes and a hint.
///
/// Messages are lowercase fragments that nest ("could not create the stack x: …"); the hint is a sentence of its own
/// and names the next command.
#[derive(Debug, Clone)]
pub struct Error {
    exit: Exit,
    denied: bool,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    excerpts: Vec<Excerpt>,
}

/// A part of a user's file that an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The file, as messages name it.
    pub file: String,
    /// All of its text; only the lines around `span` are shown.
    pub text: Arc<str>,
    /// What is meant, in bytes of `text`.
    pub span: Range<usize>,
    /// What is said of it, in a few words; may be empty.
    pub label: String,
}

impl Excerpt {
    /// Line and column of the beginning, both from 1; columns are characters.
    pub fn position(&self) -> (usize, usize) {
        let before = self.text.get(..self.span.start).unwrap_or(&self.text);
        let start_of_line = before.rfind('\n').map_or(0, |end| end + 1);
        // A byte order mark is no character to an editor.
        let line = before[start_of_line..].trim_start_matches('\u{feff}');
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }

    /// "file:line:column".
    pub fn place(&self) -> String {
        let (line, column) = self.position();
        format!("{}:{line}:{column}", self.file)
    }
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            denied: false,
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            excerpts: Vec::new(),
        }
    }

    /// Something failed on the way (exit 1).
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Bad input: the command line, a file or the set-up (exit 2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// What is deployed isn't as it should be (exit 3).
    pub fn unverified(message: impl Into<String>) -> Self {
        Self::new(Exit::Unverified, message)
    }

    /// Refused by the user or for want of one, or interrupted (exit 5).
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// The same as bad input (exit 2): nothing was begun because of it.
    #[must_use]
    pub fn as_usage(mut self) -> Self {
        self.exit = Exit::Usage;
        self
    }

    /// The same for want of a permission.
    #[must_use]
    pub fn for_want_of_permission(mut self) -> Self {
        self.denied = true;
        self
    }

    /// Adds a cause, the nearest first.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Says what to do next. The first hint stays: it was given where most was known.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert(hint.into());
        self
    }

    /// Puts a place in front of the message: "file:line: …".
    #[must_use]
    pub fn at(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// Adds a part of a user's file to be shown, the most telling first.
    #[must_use]
    pub fn excerpt(mut self, excerpt: Excerpt) -> Self {
        self.excerpts.push(excerpt);
        self
    }

    /// The process's exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether the cloud refused it for want of a permission: what was asked about may be right or wrong.
    pub fn is_denied(&self) -> bool {
        self.denied
    }

    /// What failed, in one line without causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Why, the nearest cause first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// The parts of the user's files that it is about.
    pub fn excerpts(&self) -> &[Excerpt] {
        &self.excerpts
    }

    /// What to do next.
    pub fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Turns any error into [`Error`] with a sentence about what was being done.
pub trait Context<T> {
    /// Fails with `message`, the original error being its cause.
    fn or_fail(self, message: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn or_fail(self, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error::failed(message()).because(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nests_from_the_outside_in() {
        let error = Error::failed("could not read the stack")
            .because("access denied")
            .hint("first")
            .hint("second");
        assert_eq!(error.to_string(), "could not read the stack: access denied");
        assert_eq!(error.next_step(), Some("first"));
        assert_eq!(error.exit(), Exit::Failed);
    }

    #[test]
    fn an_excerpt_counts_lines_and_characters_from_1() {
        let place = |text: &str, start| {
            let excerpt = Excerpt {
                file: "f".to_owned(),
                text: text.into(),
                span: start..start,
                label: String::new(),
            };
            excerpt.place()
        };
        assert_eq!(place("", 0), "f:1:1");
        assert_eq!(place("a\nüb", 2), "f:2:1");
        assert_eq!(place("a\nüb", 4), "f:2:2");
        assert_eq!(place("\u{feff}a", 3), "f:1:1");
    }
}
