//! What the deployer itself asks AWS for: each operation that is in its own program, which a test looks into.

use std::collections::BTreeSet;

use super::apis;
use super::names::Names;
use super::{Caller, Effect, Statement};

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    /// The stage's resources of the kinds that the actions can be granted for.
    Resources,
    /// The stage's stacks.
    Stacks,
    /// The change sets that this program makes. On AWS one may be asked for by its own ARN, which has this program's name for it.
    ChangeSets,
    /// The groups of functions' logs, and those that templates have.
    LogGroups,
    /// The policies that roles name.
    ManagedPolicies,
    /// The APIs, by their paths.
    Apis,
    /// APIs that have routes for signed requests alone, which the contract's are signed for. Their ids are known only later.
    SignedRoutes,
    /// Functions whose own addresses are for signed requests alone.
    SignedAddresses,
    /// What can't be granted for less, or has no name to be granted by: lists, and what belongs to no stack.
    All,
}

/// Calls that are granted together.
struct Calls {
    sid: &'static str,
    on: On,
    /// How the types begin whose resources they are about; with none, every stage's.
    of: &'static [&'static str],
    actions: &'static [&'static str],
}

const CALLS: &[Calls] = &[
    Calls {
        sid: "Stacks",
        on: On::Stacks,
        of: &[],
        actions: &[
            "cloudformation:ContinueUpdateRollback",
            "cloudformation:CreateChangeSet",
            "cloudformation:DeleteChangeSet",
            "cloudformation:DeleteStack",
            "cloudformation:DescribeChangeSet",
            "cloudformation:DescribeEvents",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStackResourceDrifts",
            "cloudformation:DescribeStacks",
            "cloudformation:DetectStackDrift",
            // DetectStackDrift asks for it, resource by resource.
            "cloudformation:DetectStackResourceDrift",
            "cloudformation:ExecuteChangeSet",
            "cloudformation:GetTemplate",
            "cloudformation:ListStackResources",
            "cloudformation:UpdateTerminationProtection",
        ],
    },
    Calls {
        sid: "ChangeSetsByTheirOwnName",
        on: On::ChangeSets,
        of: &[],
        actions: &[
            "cloudformation:DeleteChangeSet",
            "cloudformation:DescribeChangeSet",
            "cloudformation:DescribeEvents",
            "cloudformation:ExecuteChangeSet",
        ],
    },
    Calls {
        sid: "StacksAreListedAsAWhole",
        on: On::All,
        of: &[],
        actions: &[
            "cloudformation:DescribeStackDriftDetectionStatus",
            "cloudformation:ListStacks",
            "cloudformation:ValidateTemplate",
        ],
    },
    Calls {
        sid: "Buckets",
        on: On::Resources,
        of: &["AWS::S3::Bucket"],
        actions: &[
            "s3:GetBucketOwnershipControls",
            "s3:GetBucketPolicy",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketVersioning",
            "s3:GetEncryptionConfiguration",
            "s3:ListBucket",
            "s3:ListBucketMultipartUploads",
            "s3:ListBucketVersions",
        ],
    },
    Calls {
        sid: "Objects",
        on: On::Resources,
        of: &["AWS::S3::Bucket"],
        actions: &[
            "s3:AbortMultipartUpload",
            "s3:DeleteObject",
            // DeleteObjects asks for it where it names versions.
            "s3:DeleteObjectVersion",
            "s3:GetObject",
            // GetObject and CopyObject do, too.
            "s3:GetObjectVersion",
            "s3:PutObject",
        ],
    },
    Calls {
        sid: "Functions",
        on: On::Resources,
        of: &["AWS::Lambda::Function"],
        actions: &[
            "lambda:GetFunction",
            "lambda:GetFunctionConfiguration",
            "lambda:GetFunctionUrlConfig",
            "lambda:GetPolicy",
            "lambda:InvokeFunction",
        ],
    },
    Calls {
        sid: "EventSources",
        on: On::Resources,
        of: &["AWS::Lambda::EventSourceMapping"],
        actions: &["lambda:GetEventSourceMapping"],
    },
    Calls {
        sid: "Roles",
        on: On::Resources,
        of: &["AWS::IAM::Role"],
        actions: &[
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:SimulatePrincipalPolicy",
        ],
    },
    Calls {
        sid: "PoliciesOfRoles",
        on: On::ManagedPolicies,
        of: &["AWS::IAM::Role"],
        actions: &["iam:GetPolicy", "iam:GetPolicyVersion"],
    },
    Calls {
        sid: "Logs",
        on: On::LogGroups,
        of: &["AWS::Lambda::Function", "AWS::Logs::LogGroup"],
        actions: &["logs:DeleteLogGroup", "logs:FilterLogEvents"],
    },
    Calls {
        sid: "LogGroupsAreListedAsAWhole",
        on: On::All,
        of: &["AWS::Lambda::Function", "AWS::Logs::LogGroup"],
        actions: &["logs:DescribeLogGroups"],
    },
    Calls {
        sid: "Apis",
        on: On::Apis,
        of: &["AWS::ApiGateway"],
        actions: &["apigateway:GET"],
    },
    Calls {
        sid: "RoutesForSignedRequests",
        on: On::SignedRoutes,
        of: &["AWS::ApiGateway"],
        actions: &["execute-api:Invoke"],
    },
    Calls {
        sid: "AddressesForSignedRequests",
        on: On::SignedAddresses,
        of: &["AWS::Lambda::Url"],
        actions: &["lambda:InvokeFunctionUrl"],
    },
    Calls {
        sid: "Distributions",
        on: On::Resources,
        of: &["AWS::CloudFront::Distribution"],
        actions: &[
            "cloudfront:CreateInvalidation",
            "cloudfront:GetDistribution",
            "cloudfront:GetInvalidation",
        ],
    },
    Calls {
        sid: "EdgeFunctions",
        on: On::Resources,
        of: &["AWS::CloudFront::Function"],
        actions: &["cloudfront:DescribeFunction"],
    },
    Calls {
        sid: "NamesInUseAreListedAsAWhole",
        on: On::All,
        of: &[
            "AWS::CloudFront::OriginAccessControl",
            "AWS::CloudFront::ResponseHeadersPolicy",
        ],
        actions: &[
            "cloudfront:ListOriginAccessControls",
            "cloudfront:ListResponseHeadersPolicies",
        ],
    },
    Calls {
        sid: "Tables",
        on: On::Resources,
        of: &["AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"],
        actions: &[
            "dynamodb:BatchGetItem",
            "dynamodb:BatchWriteItem",
            "dynamodb:DeleteTable",
            "dynamodb:DescribeContinuousBackups",
            "dynamodb:DescribeTable",
            "dynamodb:GetResourcePolicy",
            "dynamodb:ListTagsOfResource",
            // TransactWriteItems asks for it; nothing else is in its transactions.
            "dynamodb:PutItem",
            "dynamodb:Scan",
            "dynamodb:TagResource",
            "dynamodb:UpdateTable",
        ],
    },
    Calls {
        sid: "Topics",
        on: On::Resources,
        of: &["AWS::SNS::Topic"],
        actions: &["sns:ListSubscriptionsByTopic"],
    },
];

/// The statements for what the deployer asks for on this stage.
pub(super) fn statements(names: &Names<'_>) -> Vec<Statement> {
    let wanted = CALLS
        .iter()
        .filter(|calls| calls.of.is_empty() || calls.of.iter().any(|kind| names.has(kind)));
    let statements = wanted.map(|calls| {
        let actions: BTreeSet<String> = calls.actions.iter().map(|action| (*action).to_owned()).collect();
        Statement {
            sid: calls.sid.to_owned(),
            effect: Effect::Allow,
            resources: calls.resources(names, &actions),
            actions,
            condition: None,
            caller: Caller::Deployer,
        }
    });
    // What there is none of nobody asks for.
    statements.filter(|statement| !statement.resources.is_empty()).collect()
}

impl Calls {
    fn resources(&self, names: &Names<'_>, actions: &BTreeSet<String>) -> BTreeSet<String> {
        match self.on {
            On::Resources => {
                let of = |action: &String| names.arns(action, self.of.first().copied());
                actions.iter().flat_map(of).collect()
            }
            On::Stacks => names.stacks(),
            On::ChangeSets => names
                .regions()
                .map(|region| {
                    format!(
                        "arn:${{AWS::Partition}}:cloudformation:{region}:${{AWS::AccountId}}:changeSet/deployer-*/*"
                    )
                })
                .collect(),
            On::LogGroups => names.log_groups(),
            On::ManagedPolicies => names.managed_policies(),
            On::Apis => apis::read(names),
            On::SignedRoutes if is_signed(names, "AWS::ApiGateway", "AuthorizationType") => {
                actions.iter().flat_map(|action| names.arns(action, None)).collect()
            }
            On::SignedAddresses if is_signed(names, "AWS::Lambda::Url", "AuthType") => {
                actions.iter().flat_map(|action| names.arns(action, None)).collect()
            }
            On::SignedRoutes | On::SignedAddresses => BTreeSet::new(),
            On::All => BTreeSet::from(["*".to_owned()]),
        }
    }
}

/// Whether any resource of a type wants signed requests.
fn is_signed(names: &Names<'_>, kind: &str, property: &str) -> bool {
    let mut values = names
        .resources()
        .filter(|resource| resource.kind.starts_with(kind))
        .filter_map(|resource| resource.property(property));
    // One that a parameter chooses may be.
    values.any(|value| value.as_str().is_none_or(|value| value == "AWS_IAM"))
}
