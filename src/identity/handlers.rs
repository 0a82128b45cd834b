//! What CloudFormation asks AWS for in its caller's name: what the resource schemas list for the handlers of the templates' types, without
//! what is for properties that none of the stage's resources has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::names::{Names, Resource};
use super::{Caller, Effect, Notes, Statement, apis, one_or_all, policy_arn};
use crate::permissions::{matches, resource_type};
use crate::project::template::items;

/// What handlers of a type call only where a resource has one of these properties, however deep; never, if none is named.
struct Optional {
    of: &'static str,
    actions: &'static [&'static str],
    with: &'static [&'static str],
}

const fn optional(of: &'static str, actions: &'static [&'static str], with: &'static [&'static str]) -> Optional {
    Optional { of, actions, with }
}

const OPTIONAL: &[Optional] = &[
    optional("AWS::ApiGateway::Authorizer", &["iam:*"], &["AuthorizerCredentials"]),
    optional("AWS::ApiGateway::Method", &["iam:*"], &["Credentials"]),
    optional("AWS::ApiGateway::RestApi", &["iam:*"], &["Body", "BodyS3Location"]),
    optional("AWS::ApiGateway::RestApi", &["s3:*"], &["BodyS3Location"]),
    optional("AWS::ApiGatewayV2::Api", &["s3:*"], &["BodyS3Location"]),
    optional(
        "AWS::ApiGatewayV2::Authorizer",
        &["iam:*"],
        &["AuthorizerCredentialsArn"],
    ),
    optional("AWS::ApiGatewayV2::DomainName", &["s3:*"], &["TruststoreUri"]),
    optional("AWS::ApiGatewayV2::Integration", &["iam:*"], &["CredentialsArn"]),
    optional(
        "AWS::CloudFront::Distribution",
        &["cloudfront:*ConnectionGroup"],
        &["ConnectionMode", "TenantConfig"],
    ),
    optional(
        "AWS::CloudFront::Distribution",
        &["cloudfront:GetVpcOrigin"],
        &["VpcOriginConfig"],
    ),
    optional(
        "AWS::CloudFront::Distribution",
        &["cloudfront:UpdateDistributionWithStagingConfig"],
        &["ContinuousDeploymentPolicyId", "Staging"],
    ),
    // Copies elsewhere are another type's.
    optional("AWS::DynamoDB::Table", &["dynamodb:*TableReplica", "iam:*"], &[]),
    optional(
        "AWS::DynamoDB::Table",
        &[
            "dynamodb:*Import*",
            "dynamodb:*Item",
            "dynamodb:Query",
            "dynamodb:Scan",
            "logs:*",
            "s3:*",
        ],
        &["ImportSourceSpecification"],
    ),
    optional(
        "AWS::DynamoDB::Table",
        &[
            "dynamodb:*ableKinesisStreamingDestination",
            "dynamodb:UpdateKinesisStreamingDestination",
            "kinesis:*",
        ],
        &["KinesisStreamSpecification"],
    ),
    optional(
        "AWS::DynamoDB::Table",
        &["dynamodb:DeleteResourcePolicy", "dynamodb:PutResourcePolicy"],
        &["ResourcePolicy"],
    ),
    optional(
        "AWS::DynamoDB::Table",
        &["dynamodb:UpdateContributorInsights"],
        &["ContributorInsightsSpecification"],
    ),
    optional(
        "AWS::DynamoDB::Table",
        &["dynamodb:UpdateTimeToLive"],
        &["TimeToLiveSpecification"],
    ),
    // With the account's key for tables DynamoDB uses that by its grant.
    optional(
        "AWS::DynamoDB::Table",
        &["kms:Decrypt", "kms:Encrypt", "kms:RevokeGrant"],
        &["KMSMasterKeyId"],
    ),
    optional("AWS::DynamoDB::Table", &["kms:*"], &["SSESpecification"]),
    optional("AWS::Events::Rule", &["iam:*"], &["RoleArn"]),
    optional("AWS::IAM::ManagedPolicy", &["iam:*GroupPolicy"], &["Groups"]),
    optional("AWS::IAM::ManagedPolicy", &["iam:*RolePolicy"], &["Roles"]),
    optional("AWS::IAM::ManagedPolicy", &["iam:*UserPolicy"], &["Users"]),
    optional("AWS::IAM::Policy", &["iam:*GroupPolicy"], &["Groups"]),
    optional("AWS::IAM::Policy", &["iam:*RolePolicy"], &["Roles"]),
    optional("AWS::IAM::Policy", &["iam:*UserPolicy"], &["Users"]),
    // Whoever may take a boundary off has none.
    optional("AWS::IAM::Role", &["iam:DeleteRolePermissionsBoundary"], &[]),
    optional("AWS::IAM::User", &["iam:DeleteUserPermissionsBoundary"], &[]),
    optional(
        "AWS::IAM::Role",
        &["iam:AttachRolePolicy", "iam:DetachRolePolicy"],
        &["ManagedPolicyArns"],
    ),
    optional("AWS::IAM::Role", &["iam:UpdateRoleDescription"], &["Description"]),
    optional("AWS::Lambda::EventSourceMapping", &["kms:*"], &["KmsKeyArn"]),
    optional("AWS::Lambda::Function", &["ec2:*"], &["VpcConfig"]),
    optional(
        "AWS::Lambda::Function",
        &["elasticfilesystem:*", "s3files:*"],
        &["FileSystemConfigs"],
    ),
    optional("AWS::Lambda::Function", &["kms:*"], &["KmsKeyArn", "SourceKMSKeyArn"]),
    optional(
        "AWS::Lambda::Function",
        &["lambda:PassCapacityProvider"],
        &["CapacityProviderConfig"],
    ),
    optional(
        "AWS::Lambda::Function",
        &[
            "lambda:DeleteFunctionCodeSigningConfig",
            "lambda:GetCodeSigningConfig",
            "lambda:PutFunctionCodeSigningConfig",
        ],
        &["CodeSigningConfigArn"],
    ),
    optional("AWS::Lambda::Function", &["lambda:GetLayerVersion"], &["Layers"]),
    optional(
        "AWS::Lambda::Function",
        &["lambda:*FunctionConcurrency"],
        &["ReservedConcurrentExecutions"],
    ),
    optional(
        "AWS::Lambda::Function",
        &["lambda:PublishVersion"],
        &["CapacityProviderConfig", "PublishToLatestPublished", "SnapStart"],
    ),
    optional(
        "AWS::Lambda::Function",
        &["lambda:PutRuntimeManagementConfig"],
        &["RuntimeManagementConfig"],
    ),
    optional(
        "AWS::Lambda::Function",
        &["lambda:PutFunctionRecursionConfig"],
        &["RecursiveLoop"],
    ),
    optional(
        "AWS::Lambda::Function",
        &["lambda:PutFunctionScalingConfig"],
        &["FunctionScalingConfig"],
    ),
    optional(
        "AWS::Logs::LogGroup",
        &["firehose:*", "logs:*LogDelivery", "logs:*ResourcePolicy"],
        &["ResourcePolicyDocument"],
    ),
    optional("AWS::Logs::LogGroup", &["logs:*KmsKey"], &["KmsKeyId"]),
    optional(
        "AWS::Logs::LogGroup",
        &["logs:*eIndexPolicy", "logs:PutIndexPolicy"],
        &["FieldIndexPolicies"],
    ),
    optional(
        "AWS::Logs::LogGroup",
        &["logs:PutBearerTokenAuthentication"],
        &["BearerTokenAuthenticationEnabled"],
    ),
    optional(
        "AWS::Logs::LogGroup",
        &["logs:PutDataProtectionPolicy"],
        &["DataProtectionPolicy"],
    ),
    optional(
        "AWS::Logs::LogGroup",
        &["logs:PutLogGroupDeletionProtection"],
        &["DeletionProtectionEnabled"],
    ),
    optional(
        "AWS::S3::Bucket",
        &["s3:*BucketMetadata*", "s3tables:*"],
        &["MetadataConfiguration", "MetadataTableConfiguration"],
    ),
    optional(
        "AWS::S3::Bucket",
        &["s3:PutAccelerateConfiguration"],
        &["AccelerateConfiguration"],
    ),
    optional(
        "AWS::S3::Bucket",
        &["s3:PutAnalyticsConfiguration"],
        &["AnalyticsConfigurations"],
    ),
    optional("AWS::S3::Bucket", &["s3:PutBucketAbac"], &["AbacStatus"]),
    optional(
        "AWS::S3::Bucket",
        &["s3:PutBucketAcl", "s3:PutObjectAcl"],
        &["AccessControl"],
    ),
    optional("AWS::S3::Bucket", &["s3:PutBucketCORS"], &["CorsConfiguration"]),
    optional("AWS::S3::Bucket", &["s3:PutBucketLogging"], &["LoggingConfiguration"]),
    optional(
        "AWS::S3::Bucket",
        &["s3:PutBucketNotification"],
        &["NotificationConfiguration"],
    ),
    optional(
        "AWS::S3::Bucket",
        &["s3:PutBucketObjectLockConfiguration"],
        &["ObjectLockConfiguration", "ObjectLockEnabled"],
    ),
    optional(
        "AWS::S3::Bucket",
        &["s3:DeleteBucketWebsite", "s3:PutBucketWebsite"],
        &["WebsiteConfiguration"],
    ),
    optional(
        "AWS::S3::Bucket",
        &["s3:PutIntelligentTieringConfiguration"],
        &["IntelligentTieringConfigurations"],
    ),
    optional(
        "AWS::S3::Bucket",
        &["s3:PutInventoryConfiguration"],
        &["InventoryConfigurations"],
    ),
    optional(
        "AWS::S3::Bucket",
        &["s3:PutMetricsConfiguration"],
        &["MetricsConfigurations"],
    ),
    optional(
        "AWS::S3::Bucket",
        &["iam:*", "s3:PutReplicationConfiguration"],
        &["ReplicationConfiguration"],
    ),
    // The deployer empties a bucket before CloudFormation deletes it.
    optional("AWS::S3::Bucket", &["s3:DeleteObject"], &[]),
    optional("AWS::SNS::Subscription", &["iam:*"], &["SubscriptionRoleArn"]),
    optional("AWS::SNS::Topic", &["iam:*"], &["DeliveryStatusLogging"]),
    optional(
        "AWS::SNS::Topic",
        &["sns:PutDataProtectionPolicy"],
        &["DataProtectionPolicy"],
    ),
    optional(
        "AWS::SecretsManager::Secret",
        &["secretsmanager:*Region*"],
        &["ReplicaRegions"],
    ),
    optional(
        "AWS::SecretsManager::Secret",
        &["secretsmanager:GetRandomPassword"],
        &["GenerateSecretString"],
    ),
    optional(
        "AWS::StepFunctions::StateMachine",
        &["kms:*"],
        &["EncryptionConfiguration"],
    ),
    optional("AWS::StepFunctions::StateMachine", &["s3:*"], &["DefinitionS3Location"]),
];

/// What is asked for tags alone. A type that CloudFormation puts none of its own on needs them where the template has some.
const OF_TAGS: &[&str] = &["*:AddTags*", "*:*WithTags", "*:RemoveTags*", "*:Tag*", "*:Untag*"];

/// Lists, which IAM grants as a whole in practice, whatever the Reference says.
const LISTS: &[&str] = &[
    "cloudwatch:DescribeAlarms",
    "logs:DescribeIndexPolicies",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "kms:ListAliases",
];

/// What gives a role or a user something, or lets others be it: whoever may do that and run code as it may do everything, but for a
/// boundary. <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate>
const GIVES: &[&str] = &[
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreateRole",
    "iam:CreateUser",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:PutUserPermissionsBoundary",
    "iam:PutUserPolicy",
    "iam:UpdateAssumeRolePolicy",
];

/// Types that need no permission, or are no resources.
const FREE: &[&str] = &[
    "AWS::CDK::Metadata",
    "AWS::CloudFormation::WaitCondition",
    "AWS::CloudFormation::WaitConditionHandle",
];

/// What is granted together: actions of one service on the same resources under the same condition.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Grant {
    prefix: String,
    resources: BTreeSet<String>,
    /// As JSON; "" for none.
    condition: String,
}

/// Which actions, and for which types.
#[derive(Debug, Default)]
struct Granted {
    actions: BTreeSet<String>,
    kinds: BTreeSet<String>,
}

#[derive(Default)]
struct Grants(BTreeMap<Grant, Granted>);

impl Grants {
    fn add(&mut self, action: &str, kind: &str, resources: BTreeSet<String>, condition: Option<Value>) {
        if resources.is_empty() {
            return;
        }
        let grant = Grant {
            prefix: action.split(':').next().unwrap_or_default().to_owned(),
            resources,
            condition: condition.map_or(String::new(), |condition| condition.to_string()),
        };
        let granted = self.0.entry(grant).or_default();
        granted.actions.insert(action.to_owned());
        granted.kinds.insert(kind.to_owned());
    }

    fn statements(self) -> Vec<Statement> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let statements = self.0.into_iter().map(|(grant, granted)| {
            let count = counts.entry(grant.prefix.clone()).or_default();
            *count += 1;
            Statement {
                sid: format!("For{}{count}", sid(&grant.prefix)),
                effect: Effect::Allow,
                actions: granted.actions,
                resources: grant.resources,
                condition: serde_json::from_str(&grant.condition).ok(),
                caller: Caller::CloudFormation(granted.kinds),
            }
        });
        statements.collect()
    }
}

/// A service as a statement's name has it: letters and digits alone.
fn sid(prefix: &str) -> String {
    let words = prefix.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    });
    words.collect()
}

/// The statements for what CloudFormation asks for this stage's resources; `boundary` is the name of the policy that its roles have for
/// one, or its ARN.
pub(super) fn statements(names: &Names<'_>, boundary: &str, notes: &mut Notes) -> Vec<Statement> {
    let mut granted = Grants::default();
    let kinds: BTreeSet<&str> = names.resources().map(|resource| resource.kind).collect();
    for kind in kinds.iter().filter(|kind| !FREE.contains(kind)) {
        if kind.is_empty() {
            notes.add("what macros make in the templates can't be seen: add what an error names".to_owned());
            continue;
        }
        let Some(known) = resource_type(kind) else {
            notes.add(unknown(kind));
            continue;
        };
        let resources: Vec<Resource<'_>> = names.of_type(kind).collect();
        let has_tags = known.is_tagged || resources.iter().any(|resource| resource.property("Tags").is_some());
        for action in known.actions() {
            let is_for_others = OPTIONAL.iter().any(|one| {
                one.of == *kind
                    && one.actions.iter().any(|pattern| matches(pattern, &action))
                    && !resources
                        .iter()
                        .any(|resource| one.with.iter().any(|key| resource.has(key)))
            });
            let is_for_tags = OF_TAGS.iter().any(|pattern| matches(pattern, &action));
            if is_for_others || (is_for_tags && !has_tags) || is_of_an_api(kind, &action) {
                continue;
            }
            let (resources, condition) = grant(names, kind, &action, boundary, &resources, notes);
            granted.add(&action, kind, resources, condition);
        }
    }
    let mut statements = granted.statements();
    statements.extend(apis::handled(names, &names.stack_names()));
    statements
}

/// Its actions are paths' methods.
fn is_of_an_api(kind: &str, action: &str) -> bool {
    kind.starts_with("AWS::ApiGateway") && action.starts_with("apigateway:")
}

fn unknown(kind: &str) -> String {
    match kind {
        "AWS::CloudFormation::CustomResource" => {
            "what a custom resource's own function does isn't known; that it is called is allowed where it is one of the stage's".to_owned()
        }
        kind if kind.starts_with("Custom::") => {
            format!("what the function behind {kind} does isn't known; that it is called is allowed where it is one of the stage's")
        }
        kind => format!("AWS doesn't publish what CloudFormation asks for {kind}: add what an error names"),
    }
}

/// For what an action is granted, and under which condition.
fn grant(
    names: &Names<'_>,
    kind: &str,
    action: &str,
    boundary: &str,
    resources: &[Resource<'_>],
    notes: &mut Notes,
) -> (BTreeSet<String>, Option<Value>) {
    let all = || BTreeSet::from(["*".to_owned()]);
    let usual = || names.arns(action, Some(kind));
    if LISTS.contains(&action) {
        return (all(), None);
    }
    if GIVES.contains(&action) {
        let condition = json!({ "StringEquals": { "iam:PermissionsBoundary": policy_arn(boundary) } });
        return (usual(), Some(condition));
    }
    match action {
        "iam:PassRole" => passed(names, kind, notes),
        "iam:CreateServiceLinkedRole" => {
            let arn = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/aws-service-role/*";
            (BTreeSet::from([arn.to_owned()]), None)
        }
        "lambda:AddPermission" => (usual(), principals(resources)),
        "lambda:CreateEventSourceMapping" | "lambda:DeleteEventSourceMapping" | "lambda:UpdateEventSourceMapping" => {
            let functions = names.arns("lambda:InvokeFunction", Some("AWS::Lambda::Function"));
            let condition = json!({ "ArnLike": { "lambda:FunctionArn": functions } });
            (usual(), Some(condition))
        }
        // Of a key whoever made the other resource uses it, through the service that it is for.
        // <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service>
        _ if action.starts_with("kms:") && !kind.starts_with("AWS::KMS::") => {
            let service = own_prefix(kind);
            let regions: BTreeSet<String> = resources.iter().map(Resource::region).collect();
            let through = regions.iter().map(|region| format!("{service}.{region}.amazonaws.com"));
            let mut condition = json!({ "StringEquals": { "kms:ViaService": one_or_all(&through.collect()) } });
            if action == "kms:CreateGrant" {
                condition["Bool"] = json!({ "kms:GrantIsForAWSResource": "true" });
            }
            (usual(), Some(condition))
        }
        _ => (usual(), None),
    }
}

/// The prefix of a type's own service: that of most of what its handlers call.
fn own_prefix(kind: &str) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for action in resource_type(kind)
        .into_iter()
        .flat_map(|known| known.actions().collect::<Vec<_>>())
    {
        let prefix = action.split(':').next().unwrap_or_default().to_owned();
        *counts.entry(prefix).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or(String::new(), |(prefix, _)| prefix)
}

/// The stage's roles, for the services that may be them.
fn passed(names: &Names<'_>, kind: &str, notes: &mut Notes) -> (BTreeSet<String>, Option<Value>) {
    let roles: Vec<Resource<'_>> = names.of_type("AWS::IAM::Role").collect();
    if roles.is_empty() {
        notes.add(format!(
            "{kind} may be given a role, and the templates have none: allow `iam:PassRole` for the one that it gets"
        ));
        return (BTreeSet::new(), None);
    }
    let mut services = BTreeSet::new();
    for role in &roles {
        collect_services(
            role.property("AssumeRolePolicyDocument").unwrap_or(&Value::Null),
            &mut services,
        );
    }
    let condition = || json!({ "StringEquals": { "iam:PassedToService": one_or_all(&services) } });
    let condition = (!services.is_empty()).then(condition);
    (names.arns("iam:PassRole", Some("AWS::IAM::Role")), condition)
}

/// The services that a policy's principals are.
fn collect_services(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if key == "Service" {
                    found.extend(items(value).iter().filter_map(Value::as_str).map(str::to_owned));
                } else {
                    collect_services(value, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_services(item, found)),
        _ => {}
    }
}

/// Whom functions are opened to, where the templates tell it of each.
fn principals(permissions: &[Resource<'_>]) -> Option<Value> {
    let principals = permissions
        .iter()
        .map(|permission| permission.property("Principal")?.as_str().map(str::to_owned));
    let principals: Option<BTreeSet<String>> = principals.collect();
    Some(json!({ "StringEquals": { "lambda:Principal": one_or_all(&principals?) } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_optional_action_is_one_that_its_types_handlers_call() {
        for one in OPTIONAL {
            let known = resource_type(one.of).unwrap_or_else(|| panic!("{} has no handlers", one.of));
            for pattern in one.actions {
                let mut actions = known.actions();
                assert!(actions.any(|action| matches(pattern, &action)), "{} {pattern}", one.of);
            }
        }
    }

    #[test]
    fn a_services_statements_are_named_by_letters_and_digits() {
        assert_eq!(sid("dynamodb"), "Dynamodb");
        assert_eq!(sid("acm-pca"), "AcmPca");
        assert_eq!(own_prefix("AWS::DynamoDB::Table"), "dynamodb");
        assert_eq!(own_prefix("AWS::Lambda::EventSourceMapping"), "lambda");
    }
}
