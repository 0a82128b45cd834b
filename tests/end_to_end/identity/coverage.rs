//! That the policies are enough: for what CloudFormation calls, by AWS's resource schemas, and for what the deployer calls.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use super::{NOWHERE, allowed, fits};
use crate::support::project::repository;
use crate::support::{Emulator, Project, Proxy, Seen, tools};

/// The types that some templates have, and for each what its handlers call, by the schemas that cfn-lint has.
const HANDLERS: &str = r#"
import json, sys
from cfnlint.decode.cfn_yaml import loads
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
types = {}
for file in sys.argv[1:]:
    for resource in loads(open(file).read())["Resources"].values():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
        # What belongs to CloudFormation alone, such as a handle to wait by, has none.
        handlers = schema.get("handlers", {})
        types[resource["Type"]] = sorted({action for kind in ("create", "read", "update", "delete")
                                          for action in handlers.get(kind, {}).get("permissions", [])})
print(json.dumps(types))
"#;

/// What handlers call for what no template of the app has, or what nobody is to be allowed, and why.
const NOT_CALLED: &[(&str, &[&str], &str)] = &[
    (
        "AWS::S3::Bucket",
        &[
            "s3:*MetadataTableConfiguration",
            "s3:*Metadata*TableConfiguration",
            "s3tables:*",
            "s3:PutAccelerateConfiguration",
            "s3:PutAnalyticsConfiguration",
            "s3:DeleteBucketAnalyticsConfiguration",
            "s3:PutIntelligentTieringConfiguration",
            "s3:PutInventoryConfiguration",
            "s3:PutMetricsConfiguration",
            "s3:DeleteBucketMetricsConfiguration",
            "s3:PutReplicationConfiguration",
            "s3:*BucketReplication",
            "s3:PutBucketAbac",
            "s3:PutBucketCORS",
            "s3:DeleteBucketCors",
            "s3:PutBucketLogging",
            "s3:PutBucketNotification",
            "s3:Put*ObjectLockConfiguration",
            "s3:*BucketWebsite",
        ],
        "the buckets have none of these",
    ),
    (
        "AWS::S3::Bucket",
        &["s3:PutBucketAcl", "s3:PutObjectAcl"],
        "the buckets' owner owns all objects, which switches ACLs off",
    ),
    (
        "AWS::S3::Bucket",
        &["s3:DeleteBucketEncryption", "s3:DeleteBucketLifecycle"],
        "no actions of IAM's: S3 asks for the ones that put, which are allowed",
    ),
    (
        "AWS::CloudFront::Distribution",
        &[
            "cloudfront:*ConnectionGroup",
            "cloudfront:GetVpcOrigin",
            "cloudfront:UpdateDistributionWithStagingConfig",
        ],
        "the distribution has neither tenants, nor origins in a network, nor a rehearsal",
    ),
    (
        "AWS::CloudFront::Distribution",
        &[
            "cloudfront:CreateDistributionWithTags",
            "cloudfront:TagResource",
            "cloudfront:UntagResource",
        ],
        "the template has no tags, and CloudFormation puts none of its own on this type",
    ),
    (
        "AWS::CloudFront::Function",
        &["cloudfront:TagResource", "cloudfront:UntagResource"],
        "the template has no tags, and CloudFormation puts none of its own on this type",
    ),
    (
        "AWS::IAM::Role",
        &["iam:DeleteRolePermissionsBoundary"],
        "whoever may take a boundary off has none",
    ),
    (
        "AWS::IAM::Role",
        &[
            "iam:AttachRolePolicy",
            "iam:DetachRolePolicy",
            "iam:UpdateRoleDescription",
        ],
        "the role has neither managed policies nor a description",
    ),
    (
        "AWS::IAM::Role",
        &["iam:TagRole", "iam:UntagRole"],
        "the template has no tags, and CloudFormation puts none of its own on this type",
    ),
    (
        "AWS::Logs::LogGroup",
        &[
            "firehose:TagDeliveryStream",
            "logs:*LogDelivery",
            "s3:REST.PUT.OBJECT",
            "logs:*KmsKey",
            "logs:*IndexPolicy",
            "logs:*ResourcePolicy",
            "logs:PutBearerTokenAuthentication",
            "logs:PutDataProtectionPolicy",
            "logs:PutLogGroupDeletionProtection",
        ],
        "the log group has none of these",
    ),
    (
        "AWS::Lambda::Function",
        &[
            "ec2:*",
            "elasticfilesystem:*",
            "s3files:*",
            "lambda:PassCapacityProvider",
            "kms:*",
            "lambda:GetLayerVersion",
            "lambda:GetCodeSigningConfig",
            "lambda:*FunctionCodeSigningConfig",
            "lambda:*FunctionConcurrency",
            "lambda:AssociateRuntimeAlias",
            "lambda:PublishVersion",
            "lambda:PutFunctionRecursionConfig",
            "lambda:PutFunctionScalingConfig",
            "lambda:PutRuntimeManagementConfig",
        ],
        "the function has none of these: no network, no key of its own, no layer, no version",
    ),
    (
        "AWS::ApiGateway::Method",
        &["iam:PassRole"],
        "no method has a role to call what is behind it with",
    ),
    (
        "AWS::ApiGateway::RestApi",
        &["apigateway:UpdateRestApiPolicy"],
        "the API has no resource policy",
    ),
    (
        "AWS::ApiGateway::RestApi",
        &["iam:PassRole", "s3:GetObject"],
        "the API isn't imported from a document",
    ),
    (
        "AWS::Lambda::EventSourceMapping",
        &["kms:*"],
        "the mapping's filter isn't encrypted with a key of its own",
    ),
    (
        "AWS::SNS::Subscription",
        &["iam:GetRole", "iam:PassRole"],
        "the subscription has no role",
    ),
    (
        "AWS::SNS::Topic",
        &["iam:GetRole", "iam:PassRole"],
        "the topic doesn't log what becomes of messages",
    ),
    (
        "AWS::SQS::Queue",
        &["sqs:TagQueue", "sqs:UntagQueue"],
        "the template has no tags, and CloudFormation puts none of its own on this type",
    ),
    (
        "AWS::S3::Bucket",
        &["iam:PassRole"],
        "the buckets aren't copied elsewhere",
    ),
    (
        "AWS::S3::Bucket",
        &["s3:DeleteObject"],
        "the deployer empties a bucket before CloudFormation deletes it",
    ),
    (
        "AWS::SNS::Topic",
        &["sns:PutDataProtectionPolicy"],
        "the topic has none",
    ),
    (
        "AWS::DynamoDB::Table",
        &[
            "dynamodb:*TableReplica",
            "dynamodb:*Import*",
            "dynamodb:*ableKinesisStreamingDestination",
            "dynamodb:UpdateKinesisStreamingDestination",
            "dynamodb:*eResourcePolicy",
            "dynamodb:PutResourcePolicy",
            "dynamodb:UpdateContributorInsights",
            "dynamodb:UpdateTimeToLive",
            "kinesis:*",
            "logs:*",
            "iam:CreateServiceLinkedRole",
            "s3:GetObject",
            "s3:GetObjectMetadata",
            "s3:ListBucket",
        ],
        "the table has no copies elsewhere, isn't imported, and has none of these",
    ),
    (
        "AWS::DynamoDB::Table",
        &[
            "dynamodb:BatchWriteItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:Scan",
            "dynamodb:UpdateItem",
        ],
        "for copies and imports; making a table reads and writes no item",
    ),
    (
        "AWS::DynamoDB::Table",
        &["dynamodb:TagResource", "dynamodb:UntagResource"],
        "the template has no tags, and CloudFormation puts none of its own on this type",
    ),
    (
        "AWS::DynamoDB::Table",
        &["kms:Decrypt", "kms:Encrypt", "kms:RevokeGrant"],
        "the account's key for tables, which DynamoDB uses by its grant",
    ),
];

/// What handlers call for the types of a project's templates, by type.
fn handlers(project: &Project) -> BTreeMap<String, Vec<String>> {
    let folder = std::fs::read_dir(project.path().join("stacks")).expect("templates");
    let files = folder.map(|entry| entry.expect("readable").path());
    let templates = files.filter(|file| {
        let text = std::fs::read_to_string(file).expect("text");
        text.contains("\nResources:")
    });
    let output = Command::new(tools::cfn_lint().with_file_name("python"))
        .args(["-I", "-c", HANDLERS])
        .args(templates)
        .arg(repository().join("src/project/artifacts.yaml"))
        .output()
        .expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Both ways, of each example: what AWS lists for the templates' types is allowed, or there is a reason why it isn't; and what is
/// allowed for CloudFormation's calls AWS lists for one of the types that the statement says it is for.
#[test]
fn what_cloudformation_calls_for_the_apps_resources_is_allowed() {
    let mut reasons: BTreeSet<(&str, &str)> = NOT_CALLED
        .iter()
        .flat_map(|(kind, patterns, _)| patterns.iter().map(|pattern| (*kind, *pattern)))
        .collect();
    let mut lacking = BTreeSet::new();
    for (example, count) in [(None, 21), (Some("orders"), 28), (Some("site"), 6)] {
        let project = example.map_or_else(Project::copy, Project::of);
        let types = handlers(&project);
        assert_eq!(types.len(), count, "{:?}", types.keys());
        let allowed = allowed(&project);
        for (kind, actions) in &types {
            let for_type = |action: &str| {
                let mut statements = allowed.iter();
                statements.any(|one| one.types.contains(kind) && one.allows(action))
            };
            for action in actions.iter().filter(|action| !for_type(action)) {
                let known = NOT_CALLED
                    .iter()
                    .filter(|(of, ..)| of == kind)
                    .flat_map(|(of, patterns, _)| patterns.iter().map(|pattern| (*of, *pattern)))
                    .find(|(_, pattern)| fits(pattern, action));
                match known {
                    Some(known) => drop(reasons.remove(&known)),
                    None => drop(lacking.insert(format!("{kind} {action}"))),
                }
            }
        }
        for statement in allowed.iter().filter(|statement| !statement.is_own) {
            for action in &statement.actions {
                let is_listed = |kind: &String| types.get(kind).is_some_and(|listed| listed.contains(action));
                let is_known = BESIDE.iter().any(|(known, _)| known == action);
                assert!(
                    is_known || statement.types.iter().any(is_listed),
                    "{action} of {}, for {:?}",
                    statement.sid,
                    statement.types
                );
            }
        }
    }
    assert_eq!(lacking, BTreeSet::new(), "these aren't allowed");
    assert_eq!(
        reasons,
        BTreeSet::new(),
        "nobody calls these any more, or they are allowed"
    );
}

/// What AWS doesn't list and CloudFormation needs, and why.
const BESIDE: &[(&str, &str)] = &[(
    "iam:CreateServiceLinkedRole",
    "API Gateway's own role, which the first API of an account makes",
)];

/// Of what is in the deployer's own program, what an identity isn't given.
const NOT_GIVEN: &[(&str, &str)] = &[
    (
        "cloudformation:UpdateStack",
        "for emulators, which make no change set of changed outputs",
    ),
    (
        "dynamodb:ConditionCheckItem",
        "a transaction asks for what is in it, and the deployer's only put",
    ),
    ("dynamodb:DeleteItem", "as above"),
    ("dynamodb:UpdateItem", "as above"),
    ("iam:GetPolicy", "where roles name policies"),
    ("iam:GetPolicyVersion", "where roles name policies"),
    ("lambda:GetEventSourceMapping", "where functions are polled for"),
];

/// What the deployer asks for itself is known from its own program, as that of any function is.
#[test]
fn each_operation_of_the_deployers_own_program_is_allowed() {
    let project = Project::copy();
    let own = env!("CARGO_BIN_EXE_deployer");
    let args = ["policy", "function", "--output", "json", "--function-package", own];
    let found = project.deployer(NOWHERE, &args).success().json();
    let operations = found["functions"][0]["operations"].as_array().expect("operations");
    assert!(operations.len() > 80, "{operations:?}");
    let allowed = allowed(&project);
    let mut not_given = BTreeSet::new();
    for operation in operations
        .iter()
        .filter(|operation| operation["isOfCredentials"] == false)
    {
        let actions = operation["actions"].as_array().expect("it is known what it asks for");
        for action in actions.iter().map(|action| action.as_str().expect("text")) {
            if !allowed
                .iter()
                .any(|statement| statement.is_own && statement.allows(action))
            {
                not_given.insert(action);
            }
        }
    }
    assert_eq!(not_given, NOT_GIVEN.iter().map(|(action, _)| *action).collect());
}

/// What is asked for off AWS only.
const EMULATORS_ONLY: &[(&str, &str)] = &[(
    "cloudformation:UpdateStack",
    "an emulator makes no change set of changed outputs",
)];

/// Operations that need no permission.
const FREE: &[&str] = &["sts:GetCallerIdentity"];

/// A stage's whole life.
#[test]
fn what_the_deployer_asks_for_is_allowed() {
    let (emulator, project) = (Emulator::start(), Project::copy());
    let proxy = Proxy::before(emulator.port());
    let deployer = |args: &[&str]| project.deployer(&proxy.endpoint(), args).success();
    for args in [
        &["up"][..],
        &["up"],
        &["verify"],
        &["status"],
        &["openapi"],
        &["seed", "--overwrite"],
        &["invoke", "Function"],
        &["logs"],
        &["down", "--yes", "--delete-data"],
    ] {
        deployer(args);
    }
    let asked: BTreeSet<String> = proxy.take().iter().filter_map(action).collect();
    let allowed = allowed(&project);
    let denied: Vec<&String> = asked
        .iter()
        .filter(|action| !FREE.contains(&action.as_str()))
        .filter(|action| !EMULATORS_ONLY.iter().any(|(only, _)| only == action))
        .filter(|action| {
            !allowed
                .iter()
                .any(|statement| statement.is_own && statement.allows(action))
        })
        .collect();
    assert!(denied.is_empty(), "{denied:?} aren't allowed; asked for was {asked:?}");
    // Of each way in which services name their operations at least one was understood.
    for action in [
        "apigateway:GET",
        "cloudformation:ExecuteChangeSet",
        "cloudformation:UpdateTerminationProtection",
        "cloudfront:GetDistribution",
        "dynamodb:BatchWriteItem",
        "dynamodb:PutItem",
        "dynamodb:TagResource",
        "iam:GetRolePolicy",
        "lambda:InvokeFunction",
        "logs:DescribeLogGroups",
        "logs:FilterLogEvents",
        "s3:DeleteObjectVersion",
        "s3:GetBucketPublicAccessBlock",
        "s3:ListBucketVersions",
        "s3:PutObject",
    ] {
        assert!(asked.contains(action), "{action} wasn't asked for: {asked:?}");
    }
}

/// The action of IAM's that a request needs; none if it isn't signed, as those to the app.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>
fn action(seen: &Seen) -> Option<String> {
    let (_, scope) = seen.authorization.split_once("Credential=")?;
    let service = scope.split('/').nth(3)?;
    let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let method = seen.method.as_str();
    let name = match service {
        // What is in a transaction is allowed as it would be alone.
        // <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>
        _ if seen.operation == "TransactWriteItems" => "PutItem",
        _ if !seen.operation.is_empty() => seen.operation.as_str(),
        "apigateway" => method,
        "cloudfront" => cloudfront(method, &parts),
        "lambda" => lambda(method, &parts),
        "s3" => s3(method, &parts, query),
        _ => "",
    };
    assert!(
        !name.is_empty(),
        "which operation of {service} is {method} {}?",
        seen.path
    );
    Some(format!("{service}:{name}"))
}

fn cloudfront(method: &str, parts: &[&str]) -> &'static str {
    match (method, parts) {
        ("GET", [_, "distribution", _]) => "GetDistribution",
        ("POST", [_, "distribution", _, "invalidation"]) => "CreateInvalidation",
        ("GET", [_, "distribution", _, "invalidation", _]) => "GetInvalidation",
        ("GET", [_, "function", _, "describe"]) => "DescribeFunction",
        ("GET", [_, "origin-access-control"]) => "ListOriginAccessControls",
        ("GET", [_, "response-headers-policy"]) => "ListResponseHeadersPolicies",
        _ => "",
    }
}

fn lambda(method: &str, parts: &[&str]) -> &'static str {
    match (method, parts) {
        ("GET", [_, "functions", _]) => "GetFunction",
        ("GET", [_, "functions", _, "configuration"]) => "GetFunctionConfiguration",
        ("GET", [_, "functions", _, "policy"]) => "GetPolicy",
        ("GET", [_, "functions", _, "url"]) => "GetFunctionUrlConfig",
        ("POST", [_, "functions", _, "invocations"]) => "InvokeFunction",
        _ => "",
    }
}

fn s3(method: &str, parts: &[&str], query: &str) -> &'static str {
    let asks = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    match (method, parts) {
        ("POST", [_]) if asks("delete") => "DeleteObjectVersion",
        ("GET", [_]) if asks("versions") => "ListBucketVersions",
        ("GET", [_]) if asks("uploads") => "ListBucketMultipartUploads",
        ("GET", [_]) if asks("encryption") => "GetEncryptionConfiguration",
        ("GET", [_]) if asks("ownershipControls") => "GetBucketOwnershipControls",
        ("GET", [_]) if asks("policy") => "GetBucketPolicy",
        ("GET", [_]) if asks("publicAccessBlock") => "GetBucketPublicAccessBlock",
        ("GET", [_]) if asks("versioning") => "GetBucketVersioning",
        ("HEAD", [_]) => "ListBucket",
        ("GET", [_]) if asks("list-type") => "ListBucket",
        ("GET" | "HEAD", [_, ..]) if asks("versionId") => "GetObjectVersion",
        ("GET" | "HEAD", [_, _, ..]) => "GetObject",
        ("DELETE", [_, _, ..]) if asks("uploadId") => "AbortMultipartUpload",
        ("DELETE", [_, _, ..]) => "DeleteObject",
        ("PUT" | "POST", [_, _, ..]) => "PutObject",
        _ => "",
    }
}
