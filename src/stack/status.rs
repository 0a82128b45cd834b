//! What a stack's status means, in one table.

pub(crate) use crate::report::event::Severity;

/// What can be done with a stack in a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StackState {
    /// An update can be made.
    Ready,
    /// An operation is under way: wait for it.
    InProgress,
    /// An empty shell, made by a change set that was never executed: delete it.
    InReview,
    /// A creation failed and was rolled back: only deletion is allowed, then creation anew.
    RolledBack,
    /// An update's rollback failed: `ContinueUpdateRollback` first.
    RollbackFailed,
    /// Failed with rollback disabled, which `deployer` never asks for: somebody else's operation.
    UpdateFailed,
    /// A deletion failed: delete again once the cause is gone.
    DeleteFailed,
    /// Doesn't exist any more.
    Deleted,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    /// What can be done.
    pub state: StackState,
    /// How it reads.
    pub severity: Severity,
}

/// Looks up a stack status, as CloudFormation spells it. An unknown one is taken for an operation under way: waiting
/// harms nothing, and a deadline ends it.
///
/// The 23 statuses are those of the `StackStatus` enumeration in CloudFormation's API reference. Note that
/// `UPDATE_ROLLBACK_COMPLETE` allows an update but tells of a failure.
pub(crate) fn of_stack(status: &str) -> Status {
    use StackState::{DeleteFailed, Deleted, InProgress, InReview, Ready, RollbackFailed, RolledBack, UpdateFailed};
    let (state, severity) = match status {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => (Ready, Severity::Good),
        "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => (Ready, Severity::Failed),
        "REVIEW_IN_PROGRESS" => (InReview, Severity::Busy),
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" => (RolledBack, Severity::Failed),
        "CREATE_FAILED" | "UPDATE_FAILED" | "IMPORT_ROLLBACK_FAILED" => (UpdateFailed, Severity::Failed),
        "UPDATE_ROLLBACK_FAILED" => (RollbackFailed, Severity::Failed),
        "DELETE_FAILED" => (DeleteFailed, Severity::Failed),
        "DELETE_COMPLETE" => (Deleted, Severity::Gone),
        _ => (InProgress, Severity::Busy),
    };
    Status { state, severity }
}

/// How a resource's status reads: those end in `_COMPLETE`, `_FAILED` or `_IN_PROGRESS`, rollbacks among them.
pub(crate) fn of_resource(status: &str) -> Severity {
    if status == "DELETE_COMPLETE" || status == "DELETE_SKIPPED" {
        Severity::Gone
    } else if status.ends_with("_FAILED") || status.contains("ROLLBACK") && status.ends_with("_COMPLETE") {
        Severity::Failed
    } else if status.ends_with("_COMPLETE") {
        Severity::Good
    } else {
        Severity::Busy
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aws_sdk_cloudformation::types::StackStatus;

    use super::*;

    /// Every status of the API, so that a row can't be forgotten.
    const ALL: [(&str, StackState); 23] = [
        ("CREATE_COMPLETE", StackState::Ready),
        ("CREATE_FAILED", StackState::UpdateFailed),
        ("CREATE_IN_PROGRESS", StackState::InProgress),
        ("DELETE_COMPLETE", StackState::Deleted),
        ("DELETE_FAILED", StackState::DeleteFailed),
        ("DELETE_IN_PROGRESS", StackState::InProgress),
        ("IMPORT_COMPLETE", StackState::Ready),
        ("IMPORT_IN_PROGRESS", StackState::InProgress),
        ("IMPORT_ROLLBACK_COMPLETE", StackState::Ready),
        ("IMPORT_ROLLBACK_FAILED", StackState::UpdateFailed),
        ("IMPORT_ROLLBACK_IN_PROGRESS", StackState::InProgress),
        ("REVIEW_IN_PROGRESS", StackState::InReview),
        ("ROLLBACK_COMPLETE", StackState::RolledBack),
        ("ROLLBACK_FAILED", StackState::RolledBack),
        ("ROLLBACK_IN_PROGRESS", StackState::InProgress),
        ("UPDATE_COMPLETE", StackState::Ready),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", StackState::InProgress),
        ("UPDATE_FAILED", StackState::UpdateFailed),
        ("UPDATE_IN_PROGRESS", StackState::InProgress),
        ("UPDATE_ROLLBACK_COMPLETE", StackState::Ready),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", StackState::InProgress),
        ("UPDATE_ROLLBACK_FAILED", StackState::RollbackFailed),
        ("UPDATE_ROLLBACK_IN_PROGRESS", StackState::InProgress),
    ];

    #[test]
    fn every_status_has_its_meaning() {
        for (status, meaning) in ALL {
            assert_eq!(of_stack(status).state, meaning, "{status}");
        }
        let rows: BTreeSet<&str> = ALL.map(|(status, _)| status).into();
        let known: BTreeSet<&str> = StackStatus::values().iter().copied().collect();
        assert_eq!(rows, known, "a row for each that the SDK knows");
    }

    #[test]
    fn a_rollback_is_a_failure_even_when_complete() {
        for status in [
            "ROLLBACK_COMPLETE",
            "UPDATE_ROLLBACK_COMPLETE",
            "IMPORT_ROLLBACK_COMPLETE",
        ] {
            assert_eq!(of_stack(status).severity, Severity::Failed, "{status}");
            assert_eq!(of_resource(status), Severity::Failed, "{status}");
        }
        assert_eq!(of_stack("UPDATE_COMPLETE").severity, Severity::Good);
        assert_eq!(of_resource("DELETE_SKIPPED"), Severity::Gone);
        assert_eq!(of_resource("CREATE_IN_PROGRESS"), Severity::Busy);
    }
}
