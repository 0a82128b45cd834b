//! What a stack's status means, in one table.

pub use crate::report::event::Severity;

/// What can be done with a stack in a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// An update can be made.
    Ready,
    /// An operation is under way: wait for it.
    Busy,
    /// An empty shell, made by a change set that was never executed: delete it.
    Shell,
    /// A creation failed and was rolled back: only deletion is allowed, then creation anew.
    Dead,
    /// An update's rollback failed: `ContinueUpdateRollback` first.
    Wedged,
    /// Failed with rollback disabled, which `deployer` never asks for: somebody else's operation.
    Halted,
    /// A deletion failed: delete again once the cause is gone.
    HalfDeleted,
    /// Doesn't exist any more.
    Gone,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// What can be done.
    pub meaning: Meaning,
    /// How it reads.
    pub severity: Severity,
}

/// Looks up a stack status, as CloudFormation spells it. An unknown one is taken for an operation under way: waiting
/// harms nothing, and a deadline ends it.
///
/// The 23 statuses are those of the `StackStatus` enumeration in CloudFormation's API reference. Note that
/// `UPDATE_ROLLBACK_COMPLETE` allows an update but tells of a failure.
pub fn of_stack(status: &str) -> Status {
    use Meaning::{Busy, Dead, Gone, HalfDeleted, Halted, Ready, Shell, Wedged};
    let (meaning, severity) = match status {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => (Ready, Severity::Good),
        "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => (Ready, Severity::Failed),
        "REVIEW_IN_PROGRESS" => (Shell, Severity::Busy),
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" => (Dead, Severity::Failed),
        "CREATE_FAILED" | "UPDATE_FAILED" | "IMPORT_ROLLBACK_FAILED" => (Halted, Severity::Failed),
        "UPDATE_ROLLBACK_FAILED" => (Wedged, Severity::Failed),
        "DELETE_FAILED" => (HalfDeleted, Severity::Failed),
        "DELETE_COMPLETE" => (Gone, Severity::Gone),
        _ => (Busy, Severity::Busy),
    };
    Status { meaning, severity }
}

/// How a resource's status reads: those end in `_COMPLETE`, `_FAILED` or `_IN_PROGRESS`, rollbacks among them.
pub fn of_resource(status: &str) -> Severity {
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
    use super::*;

    /// Every status of the API, so that a row can't be forgotten.
    const ALL: [(&str, Meaning); 23] = [
        ("CREATE_COMPLETE", Meaning::Ready),
        ("CREATE_FAILED", Meaning::Halted),
        ("CREATE_IN_PROGRESS", Meaning::Busy),
        ("DELETE_COMPLETE", Meaning::Gone),
        ("DELETE_FAILED", Meaning::HalfDeleted),
        ("DELETE_IN_PROGRESS", Meaning::Busy),
        ("IMPORT_COMPLETE", Meaning::Ready),
        ("IMPORT_IN_PROGRESS", Meaning::Busy),
        ("IMPORT_ROLLBACK_COMPLETE", Meaning::Ready),
        ("IMPORT_ROLLBACK_FAILED", Meaning::Halted),
        ("IMPORT_ROLLBACK_IN_PROGRESS", Meaning::Busy),
        ("REVIEW_IN_PROGRESS", Meaning::Shell),
        ("ROLLBACK_COMPLETE", Meaning::Dead),
        ("ROLLBACK_FAILED", Meaning::Dead),
        ("ROLLBACK_IN_PROGRESS", Meaning::Busy),
        ("UPDATE_COMPLETE", Meaning::Ready),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Meaning::Busy),
        ("UPDATE_FAILED", Meaning::Halted),
        ("UPDATE_IN_PROGRESS", Meaning::Busy),
        ("UPDATE_ROLLBACK_COMPLETE", Meaning::Ready),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", Meaning::Busy),
        ("UPDATE_ROLLBACK_FAILED", Meaning::Wedged),
        ("UPDATE_ROLLBACK_IN_PROGRESS", Meaning::Busy),
    ];

    #[test]
    fn every_status_has_its_meaning() {
        for (status, meaning) in ALL {
            assert_eq!(of_stack(status).meaning, meaning, "{status}");
        }
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
