//! What CloudFormation tells about an operation, and the cause of its failure.

use super::status::{self, Severity};
use crate::project::stacks::StackId;
use crate::report::event::ResourceProgress;

/// One event of a stack's operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceEvent {
    /// What the stack is called within its project.
    pub id: StackId,
    /// The stack's name.
    pub stack: String,
    /// Its key in the template; the stack's name for events of the stack itself.
    pub logical_id: String,
    /// Its name or id, as soon as it is known.
    pub physical_id: Option<String>,
    /// Its type.
    pub resource_type: String,
    /// E.g. `CREATE_IN_PROGRESS`.
    pub status: String,
    /// Why, where CloudFormation says.
    pub reason: Option<String>,
    /// What the caller gave to tell the operation's events from others.
    pub token: Option<String>,
}

/// The type of the events that are about a stack itself.
pub const STACK: &str = "AWS::CloudFormation::Stack";

impl ResourceEvent {
    /// The event as it is shown.
    pub fn shown(&self) -> ResourceProgress {
        ResourceProgress {
            id: self.id.to_string(),
            stack: self.stack.clone(),
            logical_id: self.logical_id.clone(),
            physical_id: self.physical_id.clone(),
            resource_type: self.resource_type.clone(),
            status: self.status.clone(),
            reason: self.reason.clone(),
            severity: self.severity(),
        }
    }

    /// How it reads.
    pub fn severity(&self) -> Severity {
        status::of_resource(&self.status)
    }

    /// Whether this may belong to the operation that was started with `token`. An emulator may leave tokens out.
    pub fn belongs_to(&self, token: &str) -> bool {
        self.token.as_deref().is_none_or(|own| own == token)
    }

    /// Whether this is about the stack itself, not about one of its resources.
    pub fn is_of_stack(&self) -> bool {
        // A nested stack's events have the type, too, but a logical id of their own.
        self.resource_type == STACK && self.logical_id == self.stack
    }
}

/// The event that an operation failed for: the earliest failure that isn't the echo of another.
///
/// CloudFormation cancels what still runs when one resource fails; those events say nothing.
pub fn root_cause(events: &[ResourceEvent]) -> Option<&ResourceEvent> {
    let failed = || events.iter().filter(|event| event.status.ends_with("_FAILED"));
    let echo = |event: &ResourceEvent| {
        event.reason.as_deref().is_none_or(|reason| {
            reason.starts_with("Resource creation cancelled") || reason.starts_with("Resource update cancelled")
        })
    };
    failed()
        .find(|event| !event.is_of_stack() && !echo(event))
        .or_else(|| failed().find(|event| !echo(event)))
        .or_else(|| {
            events
                .iter()
                .find(|event| event.is_of_stack() && event.severity() == Severity::Failed)
        })
}

/// What to do about a failed resource, where its reason tells.
pub fn advice(event: &ResourceEvent) -> Option<String> {
    let reason = event.reason.as_deref()?;
    let has = |text: &str| reason.to_lowercase().contains(&text.to_lowercase());
    if has("is not authorized to perform") || has("AccessDenied") {
        Some(
            "Give the deploying identity the action that the message names; the README lists all that it needs.".into(),
        )
    } else if has("security token included in the request is expired") || has("ExpiredToken") {
        Some("Log in again (for SSO: `aws sso login`), then run the same command; it goes on from here.".into())
    } else if has("already exists") {
        Some(format!(
            "Something of that name exists outside this stack. Remove or rename it, or choose another name for {} in \
             stacks/stages.yaml, then run the same command again.",
            event.logical_id
        ))
    } else if has("is not empty") {
        Some("Something wrote into the bucket meanwhile. Run `deployer down` again.".into())
    } else if has("LimitExceeded") || has("quota") {
        Some(
            "An account's quota is used up: raise it in the Service Quotas console, or remove what isn't needed."
                .into(),
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(logical_id: &str, status: &str, reason: Option<&str>) -> ResourceEvent {
        ResourceEvent {
            id: StackId::new("app"),
            stack: "app".into(),
            logical_id: logical_id.into(),
            physical_id: None,
            resource_type: if logical_id == "app" { STACK } else { "AWS::IAM::Role" }.into(),
            status: status.into(),
            reason: reason.map(str::to_owned),
            token: None,
        }
    }

    #[test]
    fn the_cause_is_the_first_failure_that_is_no_echo() {
        let events = [
            event("app", "CREATE_IN_PROGRESS", None),
            event("Echo", "CREATE_FAILED", Some("Resource creation cancelled")),
            event(
                "Cause",
                "CREATE_FAILED",
                Some("it is not authorized to perform: iam:PassRole"),
            ),
            event("Later", "CREATE_FAILED", Some("something else")),
            event(
                "app",
                "ROLLBACK_IN_PROGRESS",
                Some("The following resource(s) failed to create"),
            ),
            event("app", "ROLLBACK_COMPLETE", None),
        ];
        let cause = root_cause(&events).expect("a cause");
        assert_eq!(cause.logical_id, "Cause");
        assert!(advice(cause).expect("advice").contains("deploying identity"));
        assert_eq!(root_cause(&events[..1]), None);
    }

    #[test]
    fn a_rollback_without_a_failed_resource_is_its_own_cause() {
        let events = [event("app", "UPDATE_ROLLBACK_COMPLETE", None)];
        assert_eq!(root_cause(&events).map(|e| e.logical_id.as_str()), Some("app"));
    }
}
