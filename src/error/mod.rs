//! What can go wrong, as people read it: what failed, why, and the next command to run.

mod kind;

use std::error::Error as StdError;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

pub(crate) use kind::{ErrorKind, Exit, Phase};

/// An error of a [`ErrorKind`] with its causes and hints.
///
/// Messages are lowercase fragments that nest ("could not create the stack x: …"); a hint is a sentence of its own
/// and names the next command.
#[derive(Debug, Clone)]
pub(crate) struct Error {
    kind: ErrorKind,
    message: String,
    causes: Vec<Cause>,
    hints: Vec<String>,
    excerpts: Vec<Excerpt>,
}

/// What an error came of: any error as it is, or a sentence. Shared, since several may wait for what failed.
type Cause = Arc<dyn StdError + Send + Sync>;

/// A part of a user's file that an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
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
    pub(crate) fn position(&self) -> (usize, usize) {
        let before = self.text.get(..self.span.start).unwrap_or(&self.text);
        let start_of_line = before.rfind('\n').map_or(0, |end| end + 1);
        // A byte order mark is no character to an editor.
        let line = before[start_of_line..].trim_start_matches('\u{feff}');
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }

    /// "file:line:column".
    pub(crate) fn place(&self) -> String {
        let (line, column) = self.position();
        format!("{}:{line}:{column}", self.file)
    }
}

/// The crate's result.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this kind.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            excerpts: Vec::new(),
        }
    }

    /// One that has no kind of its own.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    /// What several parts failed for, each with its own next steps: of the kind that all of them are of, if there is one.
    pub(crate) fn together(message: impl Into<String>, failures: impl IntoIterator<Item = Self>) -> Self {
        let failures: Vec<Self> = failures.into_iter().collect();
        let mut kinds = failures.iter().map(Self::kind);
        let first = kinds.next().unwrap_or(ErrorKind::SeveralFailed);
        let kind = if kinds.all(|kind| kind == first) {
            first
        } else {
            ErrorKind::SeveralFailed
        };
        failures.into_iter().fold(Self::new(kind, message), |error, failure| {
            let steps = failure.next_steps().to_vec();
            steps.into_iter().fold(error, Self::hint).cause(failure)
        })
    }

    /// The same of another kind, where more is known than when it was made.
    #[must_use]
    pub(crate) fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Adds a cause, the nearest first: an error, which is kept, or a sentence.
    #[must_use]
    pub(crate) fn cause(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.causes.push(Cause::from(cause.into()));
        self
    }

    /// Says what to do next, after what was said before. A hint is given where most is known, which is where the error is
    /// made.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
        self
    }

    /// Says what to do before anything that was said to be done next.
    #[must_use]
    pub(crate) fn hint_first(mut self, hint: impl Into<String>) -> Self {
        self.hints.insert(0, hint.into());
        self
    }

    /// Puts a place in front of the message: "file:line: …".
    #[must_use]
    pub(crate) fn at(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// Adds a part of a user's file to be shown, the most telling first.
    #[must_use]
    pub(crate) fn excerpt(mut self, excerpt: Excerpt) -> Self {
        self.excerpts.push(excerpt);
        self
    }

    /// What kind of error it is.
    pub(crate) fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the cloud refused it for want of a permission: what was asked about may be right or wrong.
    pub(crate) fn is_access_denied(&self) -> bool {
        self.kind == ErrorKind::AccessDenied
    }

    /// What failed, in one line without causes.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Why, the nearest cause first, each in its own words.
    pub(crate) fn causes(&self) -> impl Iterator<Item = String> {
        self.causes.iter().map(ToString::to_string)
    }

    /// The parts of the user's files that it is about.
    pub(crate) fn excerpts(&self) -> &[Excerpt] {
        &self.excerpts
    }

    /// What to do next, first of all.
    pub(crate) fn next_step(&self) -> Option<&str> {
        self.hints.first().map(String::as_str)
    }

    /// All that may be done next, the most likely first.
    pub(crate) fn next_steps(&self) -> &[String] {
        &self.hints
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

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.causes.first().map(|cause| &**cause as &(dyn StdError + 'static))
    }
}

/// Turns any error into [`Error`] with a sentence about what was being done.
pub(crate) trait OrFail<T> {
    /// Fails with `message`, the original error being its cause.
    fn or_fail(self, message: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> OrFail<T> for std::result::Result<T, E> {
    fn or_fail(self, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error::failed(message()).cause(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nests_from_the_outside_in() {
        let error = Error::failed("could not read the stack")
            .cause("access denied")
            .hint("first")
            .hint("second")
            .hint("first");
        assert_eq!(error.to_string(), "could not read the stack: access denied");
        assert_eq!(error.next_step(), Some("first"));
        assert_eq!(error.next_steps(), ["first", "second"]);
    }

    #[test]
    fn what_it_came_of_is_kept() {
        let missing = std::io::Error::new(std::io::ErrorKind::NotFound, "gone");
        let error = Error::failed("outer").cause(Error::new(ErrorKind::TimedOut, "inner").cause(missing));
        let inner = error.source().and_then(|source| source.downcast_ref::<Error>());
        let inner = inner.expect("an error of ours");
        assert_eq!(inner.kind(), ErrorKind::TimedOut);
        let innermost = inner
            .source()
            .and_then(|source| source.downcast_ref::<std::io::Error>());
        assert_eq!(innermost.map(std::io::Error::kind), Some(std::io::ErrorKind::NotFound));
        assert_eq!(error.to_string(), "outer: inner: gone");
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
