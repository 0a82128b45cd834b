//! What a look at something found.

use std::fmt;

use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::result::SdkError;

use crate::cloud::sdk_error::explain;
use crate::error::Error;

/// What a look at something gave: what was seen when all is well.
pub(super) type Finding = Result<String, Problem>;

/// What was seen when all is well, and what is to be said although it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) evidence: String,
    /// What the template has, and perhaps shouldn't; a sentence each.
    pub(super) warnings: Vec<String>,
}

impl From<String> for Proof {
    fn from(evidence: String) -> Self {
        Self {
            evidence,
            warnings: Vec::new(),
        }
    }
}

/// Why a check didn't pass.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) kind: ProblemKind,
    pub(super) evidence: String,
    pub(super) next_step: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProblemKind {
    /// It isn't as it should be. It may become so within moments, if AWS is still spreading a change.
    Failed,
    /// AWS says that it is still at it.
    Pending,
    /// It can't be found out.
    NotProven,
}

impl Problem {
    pub(super) fn failed(evidence: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self {
            kind: ProblemKind::Failed,
            evidence: evidence.into(),
            next_step: next_step.into(),
        }
    }

    pub(super) fn pending(evidence: impl Into<String>) -> Self {
        Self {
            kind: ProblemKind::Pending,
            evidence: evidence.into(),
            next_step: "Run `deployer verify` in some minutes, or with a longer --timeout.".to_owned(),
        }
    }

    pub(super) fn not_proven(evidence: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self {
            kind: ProblemKind::NotProven,
            evidence: evidence.into(),
            next_step: next_step.into(),
        }
    }
}

/// What the caller may not see is not proven, neither right nor wrong.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self {
            kind: if error.is_access_denied() {
                ProblemKind::NotProven
            } else {
                ProblemKind::Failed
            },
            evidence: error.to_string(),
            next_step: error.next_step().unwrap_or_default().to_owned(),
        }
    }
}

/// An answer, or why there is none; `what` says what was being done, as a lowercase fragment.
pub(super) fn asked<T, E, R>(answer: Result<T, SdkError<E, R>>, what: &str) -> Result<T, Problem>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    answer.map_err(|error| explain(error, what).into())
}
