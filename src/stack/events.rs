//! What CloudFormation tells about an operation, and the cause of its failure.

use super::status::{self, Severity};
use crate::project::stacks::StackId;
use crate::report::event::ResourceProgress;

/// One event of a stack's operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResourceEvent {
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
pub(crate) const STACK: &str = "AWS::CloudFormation::Stack";

impl ResourceEvent {
    /// The event as it is shown.
    pub(crate) fn shown(&self) -> ResourceProgress {
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
    pub(crate) fn severity(&self) -> Severity {
        status::of_resource(&self.status)
    }

    /// Whether this may belong to the operation that was started with `token`. An emulator may leave tokens out.
    pub(crate) fn belongs_to(&self, token: &str) -> bool {
        self.token.as_deref().is_none_or(|own| own == token)
    }

    /// Whether this is about the stack itself, not about one of its resources.
    pub(crate) fn is_of_stack(&self) -> bool {
        // A nested stack's events have the type, too, but a logical id of their own.
        self.resource_type == STACK && self.logical_id == self.stack
    }
}

/// The event that an operation failed for: the earliest failure that isn't the echo of another.
///
/// CloudFormation cancels what still runs when one resource fails; those events say nothing.
pub(crate) fn root_cause(events: &[ResourceEvent]) -> Option<&ResourceEvent> {
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

/// What to do where an account has no room for another response headers policy.
pub(crate) const HEADERS_POLICIES_REMEDY: &str = "Remove stages that nobody needs (`deployer stages --all` lists them), or raise the quota of response headers policies \
     per account: in the console under Service Quotas, Amazon CloudFront \
     (https://us-east-1.console.aws.amazon.com/servicequotas/home/services/cloudfront/quotas), where `aws service-quotas \
     list-service-quotas --service-code cloudfront --region us-east-1` tells what it is now.";

/// What to do about a failed resource, where its reason tells.
pub(crate) fn advice(event: &ResourceEvent) -> Option<String> {
    let reason = event.reason.as_deref()?;
    let has = |text: &str| reason.to_lowercase().contains(&text.to_lowercase());
    if has("must be verified before you can add new CloudFront resources") {
        // Its error code is AccessDenied.
        Some(
            "AWS has to verify this account before it may use CloudFront, which only AWS Support can do: open a case for the \
             account (Account and billing). Nothing is wrong with the deploying identity. Then run the same command again."
                .into(),
        )
    } else if has("is not authorized to perform") || has("AccessDenied") {
        Some(
            "Give the deploying identity the action that the message names; the README lists all that it needs.".into(),
        )
    } else if has("security token included in the request is expired") || has("ExpiredToken") {
        Some("Log in again (for SSO: `aws sso login`), then run the same command; it goes on from here.".into())
    } else if has("conflicting conditional operation is currently in progress") {
        Some(
            "S3 still keeps the name of a bucket that was deleted a short time ago: an hour at most. Run the same command \
             again then, or give the project or the stage another name in stacks/stages.yaml."
                .into(),
        )
    } else if has("already exists") {
        Some(format!(
            "Something of that name exists outside this stack: remove or rename it, or give {} another name. That is in its \
             template, or where the template takes it from: the project's and the stage's names, and what stands under \
             `parameters:` in stacks/stages.yaml. Then run the same command again.",
            event.logical_id
        ))
    } else if has("Unable to retrieve") && has("does not exist") || has("was not found") {
        Some(
            "Something that the stack has made was deleted outside it, and CloudFormation doesn't make it anew by itself. Put it \
             back under its name, or take it out of the template for one `deployer up` and put it in again; a stage without \
             data may go and come back whole with `deployer down` and `deployer up`."
                .into(),
        )
    } else if has("is not empty") {
        Some("Something wrote into the bucket meanwhile. Run `deployer down` again.".into())
    } else if has("cannot be assumed by") || has("can't be assumed by") || has("unable to assume") {
        Some(
            "A new role takes some seconds until other services know it, and this one asked too soon: run the same command again. \
             If it says so then, too, the role's AssumeRolePolicyDocument must name that service."
                .into(),
        )
    } else if has("SSL certificate doesn't exist")
        || has("certificate") && (has("not valid") || has("pending validation"))
    {
        Some(
            "CloudFront and API Gateway take a certificate only once it is issued, for all names that it is to serve; CloudFront's \
             must be in us-east-1. Make the DNS records that `aws acm describe-certificate` shows, wait until its status is \
             ISSUED, and run the same command again."
                .into(),
        )
    } else if has("TooManyResponseHeadersPolicies")
        || has("Response Headers Policies limit")
        || has("limit exceeded for resource of type 'AWS::CloudFront::ResponseHeadersPolicy'")
    {
        Some(format!(
            "The account has as many of CloudFront's response headers policies as it may have. {HEADERS_POLICIES_REMEDY} Then run \
             the same command again."
        ))
    } else if has("Cannot delete export") || has("Cannot update export") || has("cannot be deleted as it is in use by")
    {
        Some(
            "Another stack imports this output (`aws cloudformation list-imports` says which), and CloudFormation keeps it as it is \
             until none does. Deploy that stack first without the import, then run the same command again."
                .into(),
        )
    } else if has("Circular dependenc") {
        Some(
            "Each of the named resources waits for another of them. Break the circle: a policy or a permission of one as a resource \
             of its own, after both."
                .into(),
        )
    } else if has("Rate exceeded") || has("Throttling") || has("TooManyRequests") || has("Too Many Requests") {
        Some("AWS has slowed this account down. Nothing is wrong with the template: run the same command again in a minute.".into())
    } else if has("OperationAborted")
        || has("ConcurrentModification")
        || has("ResourceConflict")
        || has("Please try again")
    {
        Some(
            "Something else changed the resource at the same time, another run or somebody in the console. Run the same command \
             again."
                .into(),
        )
    } else if has("in use") || has("ResourceInUse") || has("DependencyViolation") || has("DeleteConflict") {
        Some(format!(
            "Something outside this stack still uses {}: take it off there first, then run the same command again.",
            event.physical_id.as_deref().unwrap_or(&event.logical_id)
        ))
    } else if has("LimitExceeded") || has("quota") || has("limit exceeded") {
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

    #[test]
    fn advice_goes_by_what_the_reason_is_about() {
        for (reason, words) in [
            (
                "Access denied for operation 'AWS::CloudFront::Distribution': Your account must be verified before you can add \
                 new CloudFront resources. To verify your account, please contact AWS Support (Service: CloudFront, Status \
                 Code: 403, Error Code: AccessDenied)",
                "AWS Support",
            ),
            (
                "User: arn:aws:iam::1:user/x is not authorized to perform: iam:CreateRole",
                "Give the deploying identity",
            ),
            (
                "A conflicting conditional operation is currently in progress against this resource. Please try again.",
                "an hour",
            ),
            ("shop-dev-role already exists in stack arn:aws:…", "another name"),
            (
                "Unable to retrieve Arn attribute for AWS::DynamoDB::Table, with error message Table: x does not exist",
                "deleted outside",
            ),
            (
                "Resource of type 'AWS::SNS::Topic' with identifier 'x' was not found.",
                "deleted outside",
            ),
            ("The maximum number of rules: quota exceeded", "Service Quotas"),
            (
                "Resource handler returned message: \"The role defined for the function cannot be assumed by Lambda. (Service: \
                 Lambda, Status Code: 400)\"",
                "AssumeRolePolicyDocument",
            ),
            (
                "Resource handler returned message: \"Invalid request provided: AWS::CloudFront::Distribution: The specified SSL \
                 certificate doesn't exist, isn't in us-east-1 region, isn't valid, or doesn't include a valid certificate chain.\"",
                "describe-certificate",
            ),
            (
                "Cannot delete export shop-table as it is in use by shop-api.",
                "list-imports",
            ),
            ("Circular dependency between resources: [A, B]", "Break the circle"),
            ("Rate exceeded (Service: ApiGateway, Status Code: 429)", "in a minute"),
            (
                "The operation cannot be performed at this time. An update is in progress (Error Code: ResourceConflictException)",
                "at the same time",
            ),
            (
                "Cannot delete policy because it is in use by: Role(s) (Service: Iam, Error Code: DeleteConflict)",
                "still uses",
            ),
            (
                "Cannot exceed quota for PoliciesPerRole: 10 (Error Code: LimitExceeded)",
                "Service Quotas",
            ),
        ] {
            let told = advice(&event("X", "CREATE_FAILED", Some(reason)));
            assert!(
                told.as_ref().is_some_and(|told| told.contains(words)),
                "{reason}: {told:?}"
            );
        }
        assert_eq!(advice(&event("X", "CREATE_FAILED", Some("Something else"))), None);
    }
}
