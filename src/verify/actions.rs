//! What each service can be made to do that a role seldom needs: reading in bulk, writing, deleting, and changing who may do
//! what. The names are those of the Service Authorization Reference, and only such as can be granted for one resource:
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>

/// Actions by the service's prefix, which its resources' ARNs have, too.
const ACTIONS: &[(&str, &[&str])] = &[
    (
        "cognito-idp",
        &[
            "AdminCreateUser",
            "AdminDeleteUser",
            "AdminGetUser",
            "AdminSetUserPassword",
            "DeleteUserPool",
            "ListUsers",
            "UpdateUserPool",
        ],
    ),
    (
        "dynamodb",
        &[
            "BatchGetItem",
            "BatchWriteItem",
            "DeleteItem",
            "DeleteTable",
            "GetItem",
            "PutItem",
            "PutResourcePolicy",
            "Query",
            "Scan",
            "UpdateItem",
            "UpdateTable",
        ],
    ),
    (
        "events",
        &[
            "DeleteEventBus",
            "DeleteRule",
            "DisableRule",
            "PutEvents",
            "PutRule",
            "PutTargets",
            "RemoveTargets",
        ],
    ),
    ("execute-api", &["Invoke", "InvalidateCache", "ManageConnections"]),
    (
        "iam",
        &[
            "AttachRolePolicy",
            "CreateRole",
            "DeleteRole",
            "DeleteRolePolicy",
            "PassRole",
            "PutRolePolicy",
            "UpdateAssumeRolePolicy",
        ],
    ),
    (
        "kinesis",
        &[
            "DeleteStream",
            "GetRecords",
            "PutRecord",
            "PutRecords",
            "PutResourcePolicy",
            "UpdateShardCount",
        ],
    ),
    (
        "kms",
        &[
            "CreateGrant",
            "Decrypt",
            "DisableKey",
            "Encrypt",
            "GenerateDataKey",
            "PutKeyPolicy",
            "ScheduleKeyDeletion",
            "Sign",
        ],
    ),
    (
        "lambda",
        &[
            "AddPermission",
            "CreateFunctionUrlConfig",
            "DeleteFunction",
            "GetFunction",
            "InvokeFunction",
            "UpdateFunctionCode",
            "UpdateFunctionConfiguration",
        ],
    ),
    (
        "logs",
        &[
            "CreateLogGroup",
            "CreateLogStream",
            "DeleteLogGroup",
            "DeleteLogStream",
            "FilterLogEvents",
            "GetLogEvents",
            "PutLogEvents",
            "PutRetentionPolicy",
            "PutSubscriptionFilter",
        ],
    ),
    (
        "s3",
        &[
            "DeleteBucket",
            "DeleteBucketPolicy",
            "DeleteObject",
            "DeleteObjectVersion",
            "GetObject",
            "GetObjectVersion",
            "ListBucket",
            "ListBucketVersions",
            "PutBucketPolicy",
            "PutObject",
            "PutObjectAcl",
        ],
    ),
    ("scheduler", &["CreateSchedule", "DeleteSchedule", "UpdateSchedule"]),
    (
        "secretsmanager",
        &[
            "DeleteSecret",
            "GetSecretValue",
            "PutResourcePolicy",
            "PutSecretValue",
            "UpdateSecret",
        ],
    ),
    (
        "sns",
        &[
            "AddPermission",
            "DeleteTopic",
            "Publish",
            "SetTopicAttributes",
            "Subscribe",
        ],
    ),
    (
        "sqs",
        &[
            "AddPermission",
            "DeleteMessage",
            "DeleteQueue",
            "PurgeQueue",
            "ReceiveMessage",
            "SendMessage",
            "SetQueueAttributes",
        ],
    ),
    (
        "ssm",
        &[
            "DeleteParameter",
            "GetParameter",
            "GetParameterHistory",
            "GetParameters",
            "PutParameter",
        ],
    ),
    (
        "states",
        &[
            "DeleteStateMachine",
            "StartExecution",
            "StartSyncExecution",
            "UpdateStateMachine",
        ],
    ),
];

/// The actions of a service, `service:Action` each; none of one that isn't known here.
pub(super) fn of_service(service: &str) -> impl Iterator<Item = String> {
    let known = ACTIONS.iter().find(|(prefix, _)| *prefix == service);
    known
        .into_iter()
        .flat_map(|(prefix, actions)| actions.iter().map(move |action| format!("{prefix}:{action}")))
}

/// The service of a resource, by its ARN.
pub(super) fn service_of(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?
        .split(':')
        .nth(1)
        .filter(|service| !service.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_told_by_arns() {
        assert_eq!(service_of("arn:aws:dynamodb:r:1:table/t"), Some("dynamodb"));
        assert_eq!(service_of("*"), None);
        assert!(of_service("dynamodb").any(|action| action == "dynamodb:Scan"));
        assert_eq!(of_service("nothing").count(), 0);
    }

    #[test]
    fn each_service_and_action_is_there_once() {
        assert!(ACTIONS.is_sorted_by(|one, other| one.0 < other.0));
        for (service, actions) in ACTIONS {
            let mut sorted = actions.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), actions.len(), "{service}");
        }
    }
}
