//! Errors: a benchmark can only say what went wrong and end, so text is all they are.

use std::fmt::Display;

/// A lowercase fragment that says what failed and why.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says what was being done when an error happened.
pub trait Context<T> {
    /// Puts `what` before the error: "could not …: the cause".
    ///
    /// # Errors
    /// The same one, with more to read.
    fn context(self, what: impl Display) -> Result<T>;
}

impl<T, E: Display> Context<T> for Result<T, E> {
    fn context(self, what: impl Display) -> Result<T> {
        self.map_err(|error| format!("{what}: {error}").into())
    }
}
