//! What can go wrong, as people read it: what failed, why, and the next command to run.

use std::fmt;

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
}
