//! What went wrong on our side.

use std::{error::Error, fmt, iter};

/// Why something could not be done, with all that helps to find the cause. It may name roles and tables, so it goes to
/// the log and never into an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure with this cause.
    pub fn new(cause: impl Into<String>) -> Self {
        Self(cause.into())
    }

    /// A failure of `what`, with the whole chain of causes: the SDK's own text is often only "service error".
    pub fn caused(what: &str, error: &dyn Error) -> Self {
        let causes = iter::successors(Some(error), |&error| error.source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        Self(format!("{what}: {}", causes.join(": ")))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(Failure);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("service error")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn every_cause_is_told() {
        let failure = Failure::caused("reading an order", &Outer(Failure::new("throttled")));
        assert_eq!(failure.to_string(), "reading an order: service error: throttled");
    }
}
