//! That the policies are enough: for what CloudFormation calls, by AWS's resource schemas, and for what the deployer calls.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use super::{allowed, fits};
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
        handlers = schema["handlers"]
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
        "AWS::Logs::LogGroup",
        &["logs:DeleteRetentionPolicy"],
        "the log group always has a retention",
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
        "AWS::ApiGateway::RestApi",
        &["apigateway:UpdateRestApiPolicy"],
        "the API has no resource policy",
    ),
    (
        "AWS::SNS::Topic",
        &["sns:PutDataProtectionPolicy"],
        "the topic has none",
    ),
    (
        "AWS::SNS::Topic",
        &["sns:UntagResource"],
        "the template has no tags, and CloudFormation's own stay",
    ),
    (
        "AWS::SNS::Subscription",
        &["sns:SetSubscriptionAttributes"],
        "another address is another subscription",
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
            "s3:GetObjectMetadata",
        ],
        "the table has no copies elsewhere, isn't imported, and has none of these",
    ),
    (
        "AWS::DynamoDB::Table",
        &[
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        ],
        "for copies and imports; making a table reads and writes no item",
    ),
    (
        "AWS::DynamoDB::Table",
        &["dynamodb:UntagResource"],
        "the template has no tags, and CloudFormation puts none of its own on this type",
    ),
    (
        "AWS::DynamoDB::Table",
        &["kms:Decrypt", "kms:Encrypt", "kms:RevokeGrant"],
        "the account's key for tables, which DynamoDB uses by its grant",
    ),
];

#[test]
fn what_cloudformation_calls_for_the_apps_resources_is_allowed() {
    let stacks = [
        "stacks/data.yaml",
        "stacks/logic.yaml",
        "stacks/presentation.yaml",
        "src/project/artifacts.yaml",
    ];
    let output = Command::new(tools::cfn_lint().with_file_name("python"))
        .args(["-I", "-c", HANDLERS])
        .args(stacks.map(|file| repository().join(file)))
        .output()
        .expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let types: BTreeMap<String, Vec<String>> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(types.len(), 21, "{:?}", types.keys());

    let allowed = allowed();
    let mut reasons: BTreeSet<(&str, &str)> = NOT_CALLED
        .iter()
        .flat_map(|(kind, patterns, _)| patterns.iter().map(|pattern| (*kind, *pattern)))
        .collect();
    for (kind, actions) in &types {
        for action in actions {
            if allowed.iter().any(|statement| statement.allows(action)) {
                continue;
            }
            let known = NOT_CALLED
                .iter()
                .filter(|(of, ..)| of == kind)
                .flat_map(|(of, patterns, _)| patterns.iter().map(|pattern| (*of, *pattern)))
                .find(|(_, pattern)| fits(pattern, action));
            let known = known.unwrap_or_else(|| panic!("{kind} calls {action}, which isn't allowed"));
            reasons.remove(&known);
        }
    }
    assert_eq!(
        reasons,
        BTreeSet::new(),
        "nobody calls these any more, or they are allowed"
    );
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
    let allowed = allowed();
    let denied: Vec<&String> = asked
        .iter()
        .filter(|action| !FREE.contains(&action.as_str()))
        .filter(|action| !EMULATORS_ONLY.iter().any(|(only, _)| only == action))
        .filter(|action| !allowed.iter().any(|statement| statement.allows(action)))
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
