//! Each cause that there is a hint for, as a change fails for it: its reason in full, the line of the template, the hint, and
//! nothing asked for beside the change itself.

use super::{Account, STACK, each, stack_in};
use crate::support::Proxy;
use crate::support::answers::{StackEvent, cloudformation, stack_events};

/// What CloudFormation says, and what the hint has in it.
const CAUSES: &[(&str, &[&str])] = &[
    (
        "Access denied for operation 'AWS::CloudFront::Distribution': Your account must be verified before you can add new \
         CloudFront resources. To verify your account, please contact AWS Support (https://console.aws.amazon.com/support/home#/ ) \
         and include this error message. (Service: CloudFront, Status Code: 403, Error Code: AccessDenied)",
        &[
            "open a case for the account",
            "Nothing is wrong with the deploying identity",
        ],
    ),
    (
        "User: arn:aws:iam::000000000000:user/x is not authorized to perform: dynamodb:CreateTable on resource: items",
        &["Give the deploying identity the action that the message names"],
    ),
    (
        "Resource handler returned message: Access Denied (Service: S3, Status Code: 403, Error Code: AccessDenied)",
        &["Give the deploying identity the action that the message names"],
    ),
    (
        "The security token included in the request is expired (Service: CloudFront, Status Code: 403)",
        &["Log in again", "it goes on from here"],
    ),
    (
        "A conflicting conditional operation is currently in progress against this resource. Please try again. (Service: S3, \
         Status Code: 409, Error Code: OperationAborted)",
        &[
            "the name of a bucket that was deleted a short time ago",
            "an hour at most",
        ],
    ),
    (
        "Resource of type 'AWS::DynamoDB::Table' with identifier 'items' already exists.",
        &[
            "Something of that name exists outside this stack",
            "give Items another name",
        ],
    ),
    (
        "Unable to retrieve Arn attribute for AWS::DynamoDB::Table, with error message Table: items does not exist",
        &[
            "was deleted outside it",
            "take it out of the template for one `deployer up",
        ],
    ),
    (
        "Resource of type 'AWS::SNS::Topic' with identifier 'arn:aws:sns:x' was not found.",
        &["was deleted outside it"],
    ),
    (
        "The bucket you tried to delete is not empty (Service: S3, Status Code: 409)",
        &["Something wrote into the bucket meanwhile"],
    ),
    (
        "The role defined for the function cannot be assumed by Lambda. (Service: Lambda, Status Code: 400)",
        &["A new role takes some seconds", "AssumeRolePolicyDocument"],
    ),
    (
        "The specified SSL certificate doesn't exist, isn't in us-east-1 region, isn't valid, or doesn't include a valid \
         certificate chain. (Service: CloudFront, Status Code: 400)",
        &["aws acm describe-certificate", "ISSUED"],
    ),
    (
        "The certificate is pending validation (Service: ApiGateway, Status Code: 400)",
        &["aws acm describe-certificate"],
    ),
    (
        "Account's Response Headers Policies limit reached. (Service: CloudFront, Status Code: 400, Error Code: \
         TooManyResponseHeadersPolicies)",
        &[
            "as many of CloudFront's response headers policies",
            "service-quotas",
            "deployer stages --all",
        ],
    ),
    (
        "Limit exceeded for resource of type 'AWS::CloudFront::ResponseHeadersPolicy'. Reason: too many",
        &["as many of CloudFront's response headers policies"],
    ),
    (
        "Cannot delete export shop-table as it is in use by shop-api.",
        &["Another stack imports this output", "aws cloudformation list-imports"],
    ),
    (
        "Cannot update export shop-table as it is in use by shop-api.",
        &["Another stack imports this output"],
    ),
    ("Circular dependency between resources: [A, B]", &["Break the circle"]),
    (
        "Rate exceeded (Service: ApiGateway, Status Code: 429)",
        &["AWS has slowed this account down", "in a minute"],
    ),
    (
        "Too Many Requests (Service: ApiGateway, Status Code: 429, Error Code: TooManyRequestsException)",
        &["AWS has slowed this account down"],
    ),
    (
        "The operation cannot be performed at this time. An update is in progress. (Service: Lambda, Error Code: \
         ResourceConflictException)",
        &["changed the resource at the same time", "Run the same command again"],
    ),
    (
        "Please try again (Service: ApiGateway, Error Code: ConcurrentModificationException)",
        &["changed the resource at the same time"],
    ),
    (
        "Cannot delete a policy attached to entities. (Service: Iam, Status Code: 409, Error Code: DeleteConflict)",
        &["still uses Items", "take it off there first"],
    ),
    (
        "resource sg-1 has a dependent object (Service: Ec2, Status Code: 400, Error Code: DependencyViolation)",
        &["still uses Items"],
    ),
    (
        "Cannot exceed quota for PoliciesPerRole: 10 (Service: Iam, Status Code: 409, Error Code: LimitExceeded)",
        &["quota is used up", "Service Quotas"],
    ),
    (
        "Subscriber limit exceeded: Provisioned throughput increases are limited within a given period of time",
        &["quota is used up"],
    ),
    // Nothing is known of it.
    (
        "Something that nobody has seen before (Service: DynamoDB, Status Code: 400)",
        &["Nothing of the failed change stays. Correct the cause and run the same command again."],
    ),
];

/// An account whose table can't be changed for this reason, from the moment that a change set is executed: the change is
/// rolled back at once. What `rules` answer goes before.
pub(super) fn failing(reason: &'static str, rules: impl FnOnce(&Proxy)) -> Account {
    let account = Account::after(rules, |_| Some(stack_in("UPDATE_ROLLBACK_COMPLETE")));
    let mut token = None;
    account.proxy.rule(move |seen| match seen.operation.as_str() {
        "CreateChangeSet" => Some(cloudformation(
            "CreateChangeSet",
            &format!("<Id>arn:aws:cloudformation:us-east-1:000000000000:changeSet/c/1</Id><StackId>{}</StackId>", arn()),
        )),
        "DescribeChangeSet" => Some(cloudformation(
            "DescribeChangeSet",
            "<Status>CREATE_COMPLETE</Status><ExecutionStatus>AVAILABLE</ExecutionStatus><Changes><member><Type>Resource</Type>\
             <ResourceChange><Action>Add</Action><LogicalResourceId>Items</LogicalResourceId>\
             <ResourceType>AWS::DynamoDB::Table</ResourceType></ResourceChange></member></Changes>",
        )),
        "ExecuteChangeSet" => {
            token = seen.parameter("ClientRequestToken");
            Some(cloudformation("ExecuteChangeSet", ""))
        }
        "DescribeStackEvents" => {
            let token = token.as_deref()?;
            let of_stack = |id, status| StackEvent {
                token,
                ..StackEvent::of_stack(id, STACK, status)
            };
            let of_resource = |id, logical, status, reason| StackEvent {
                resource: ("AWS::DynamoDB::Table", logical),
                reason,
                ..of_stack(id, status)
            };
            Some(stack_events(
                &[
                    of_stack("6", "UPDATE_ROLLBACK_COMPLETE"),
                    of_stack("5", "UPDATE_ROLLBACK_IN_PROGRESS"),
                    of_resource("4", "Later", "UPDATE_FAILED", "what failed after it"),
                    of_resource("3", "Items", "UPDATE_FAILED", reason),
                    of_resource("2", "Echo", "UPDATE_FAILED", "Resource update cancelled"),
                    of_stack("1", "UPDATE_IN_PROGRESS"),
                ],
                None,
            ))
        }
        _ => None,
    });
    account
}

fn arn() -> String {
    format!("arn:aws:cloudformation:us-east-1:000000000000:stack/{STACK}/1")
}

#[test]
fn each_cause_with_a_hint_is_told_with_it() {
    each(CAUSES, |(reason, hint)| {
        let account = failing(reason, |_| {});
        let ran = account.run(&["up"]).fails_with(1);
        let said = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = said.as_str();
        for words in [
            "the stack small-prod-data could not be updated (UPDATE_ROLLBACK_COMPLETE)",
            &format!("Items (AWS::DynamoDB::Table): {reason}"),
            "stacks/data.yaml:3",
            "Items:",
        ]
        .iter()
        .chain(hint.iter())
        {
            assert!(said.contains(words), "{words} in {said}");
        }
        assert!(!said.contains("error: what failed after it"), "{said}");
        assert_eq!(account.writes(), ["CreateChangeSet", "ExecuteChangeSet"], "{reason}");
    });
}
