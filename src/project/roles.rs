//! The roles of functions, as far as the templates tell: what each is allowed, beside what its function's program asks for.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Project;
use super::functions::{FUNCTION, Function};
use super::source::Place;
use super::stacks::StackTemplate;
use super::statements::{source, target};
use super::template::{Scope, Template, items};
use crate::error::Error;
use crate::permissions::{Asks, Operation, Operations, matches, service};

/// The check of `verify` that is about this, by which it can be skipped.
pub(crate) const CHECK: &str = "function-permissions";

const ROLE: &str = "AWS::IAM::Role";
/// Policies that name the roles that they are for, and the property that does.
const INLINE: &[(&str, &str)] = &[("AWS::IAM::Policy", "Roles"), ("AWS::IAM::RolePolicy", "RoleName")];
/// Those that roles may name, too.
const MANAGED: &str = "AWS::IAM::ManagedPolicy";

/// AWS's own policies of which nothing concerns what programs ask for: what Lambda does in a role's name.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html#permissions-executionrole-features>
const OF_LAMBDA: &[&str] = &[
    "AWSLambdaBasicExecutionRole",
    "AWSLambdaVPCAccessExecutionRole",
    "AWSLambdaENIManagementAccess",
    "AWSXRayDaemonWriteAccess",
    "AWSXrayWriteOnlyAccess",
];

/// What Lambda does in a role's name, or AWS asks for by the way, and a program's own operations don't tell. Logs and traces,
/// networks: the page above. Event sources: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html> and the
/// page of each; destinations: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>. With a key of
/// one's own the services ask KMS in the caller's name:
/// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service>.
const BY_THE_WAY: &[&str] = &[
    "logs:*",
    "xray:*",
    "kms:*",
    "iam:PassRole",
    "ec2:*NetworkInterface*",
    "ec2:*PrivateIpAddresses",
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeVpcs",
    "ec2:GetSecurityGroupsForVpc",
    "elasticfilesystem:Client*",
    "cloudwatch:PutMetricData",
];
/// What Lambda does where it polls an event source.
const OF_EVENT_SOURCES: &[&str] = &[
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ChangeMessageVisibility",
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "kinesis:DescribeStream*",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
    "kinesis:ListStreams",
    "kinesis:SubscribeToShard",
    "kafka:*",
    "kafka-cluster:*",
    "mq:DescribeBroker",
    "secretsmanager:GetSecretValue",
];
/// What Lambda does where a function has a dead-letter queue or a destination.
const OF_DESTINATIONS: &[&str] = &[
    "sqs:SendMessage",
    "sns:Publish",
    "events:PutEvents",
    "lambda:InvokeFunction",
    "s3:PutObject",
    "s3:ListBucket",
];
/// What an operation asks for beside its own action, by what it is given: a version, an access list, tags; or to be told that
/// nothing is there. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>
const BESIDE: &[(&str, &[&str])] = &[
    (
        "s3:GetObject",
        &["s3:GetObjectVersion", "s3:GetObjectTagging", "s3:ListBucket"],
    ),
    (
        "s3:PutObject",
        &["s3:PutObjectAcl", "s3:PutObjectTagging", "s3:AbortMultipartUpload"],
    ),
    ("s3:DeleteObject", &["s3:DeleteObjectVersion"]),
    ("dynamodb:Query", &["dynamodb:PartiQLSelect"]),
];

/// The role of a function.
pub(crate) struct Role<'p> {
    /// The template that has it.
    stack: &'p StackTemplate,
    /// Its key there.
    logical_id: String,
    allowed: Vec<Allowed<'p>>,
    /// Whether it may be allowed more than what is listed here.
    is_open: bool,
}

/// An action that a policy allows, or a pattern of actions.
struct Allowed<'p> {
    action: String,
    stack: &'p StackTemplate,
    path: Vec<String>,
}

/// What a program asks for, and its role doesn't allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    pub operation: Operation,
    /// IAM's actions, with the service's prefix.
    pub actions: Vec<String>,
    /// One of them would do.
    pub is_choice: bool,
}

/// What a role allows, and its program doesn't ask for.
pub(crate) struct Unused {
    /// As the policy has it.
    pub action: String,
    /// Where that stands.
    pub place: Place,
}

impl Unused {
    /// Says it.
    pub(crate) fn sentence(&self, role: &Role<'_>) -> String {
        format!(
            "{}: the role {} allows {}, and no program that runs as it asks for that, nor does Lambda in its name",
            self.place,
            role.id(),
            self.action
        )
    }
}

/// What is missing, as a sentence has it.
pub(crate) fn listed(missing: &[Missing]) -> String {
    let each = missing
        .iter()
        .map(|one| one.actions.join(if one.is_choice { " or " } else { ", " }));
    // Several operations may ask for the same.
    each.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

/// The actions that a program asks for, as far as they are known, but for those of credential providers.
pub(crate) fn asked(operations: &Operations) -> Vec<String> {
    let called = operations
        .called
        .iter()
        .filter(|operation| !operation.is_of_credentials());
    let all: BTreeSet<String> = called.filter_map(actions_of).flat_map(|(actions, _)| actions).collect();
    all.into_iter().collect()
}

/// What an operation asks for, with IAM's prefix; none if that isn't known. Of a choice one would do.
pub(crate) fn actions_of(operation: &Operation) -> Option<(Vec<String>, bool)> {
    let service = service(operation.service)?;
    let with_prefix = |names: Vec<&str>| {
        let names = names.into_iter();
        names.map(|name| format!("{}:{name}", service.prefix)).collect()
    };
    match service.asks(operation.name) {
        Asks::All(names) => Some((with_prefix(names), false)),
        Asks::Some(names) => Some((with_prefix(names), true)),
        Asks::Unknown => None,
    }
}

/// The role that a function of the project runs as; none if that is no role of its templates.
pub(crate) fn of_function<'p>(project: &'p Project, function: &Function) -> Option<Role<'p>> {
    let (stack, logical_id) = id_of(project, function)?;
    Some(Role::read(project, stack, logical_id.to_owned()))
}

/// Whether a function runs as a role of the templates.
pub(crate) fn has_role(project: &Project, function: &Function) -> bool {
    id_of(project, function).is_some()
}

/// The functions that run as a role.
pub(crate) fn sharing<'p>(project: &'p Project, role: &Role<'_>) -> impl Iterator<Item = &'p Function> {
    project.functions().iter().filter(move |function| {
        id_of(project, function).is_some_and(|(stack, id)| stack.id == role.stack.id && id == role.logical_id)
    })
}

/// The template that has a function's role, and its key there.
fn id_of<'p>(project: &'p Project, function: &Function) -> Option<(&'p StackTemplate, &'p str)> {
    let stack = project.stack(&function.stack)?;
    let function = stack.template.resource(&function.logical_id)?;
    let (stack, logical_id) = match target(function.get("Properties")?.get("Role")?)? {
        (role, true) => (stack, role),
        // Another template's, which it tells as an output.
        (parameter, false) => {
            let (producer, output) = source(project, &stack.id, parameter)?;
            let (role, is_arn) = target(output)?;
            (producer, is_arn.then_some(role)?)
        }
    };
    let role = stack.template.resource(logical_id)?;
    (Template::type_of(role) == ROLE).then_some((stack, logical_id))
}

impl<'p> Role<'p> {
    fn read(project: &'p Project, stack: &'p StackTemplate, logical_id: String) -> Self {
        let mut role = Self {
            stack,
            logical_id,
            allowed: Vec::new(),
            is_open: false,
        };
        let logical_id = role.logical_id.clone();
        let resource = stack.template.resource(&logical_id);
        let properties = resource.and_then(|resource| resource.get("Properties"));
        let scope = scope(project, stack);
        let at = |keys: &[&str]| -> Vec<String> {
            let path = ["Resources", &logical_id, "Properties"]
                .into_iter()
                .chain(keys.iter().copied());
            path.map(str::to_owned).collect()
        };
        if let Some(policies) = properties.and_then(|properties| properties.get("Policies")) {
            for (index, policy) in role.items(stack, policies, &scope) {
                let path = at(&["Policies", &index.to_string(), "PolicyDocument"]);
                role.document(stack, policy.get("PolicyDocument"), &path, &scope);
            }
        }
        if let Some(arns) = properties.and_then(|properties| properties.get("ManagedPolicyArns")) {
            for (_, arn) in role.items(stack, arns, &scope) {
                match arn.get("Ref").and_then(Value::as_str) {
                    Some(id) if stack.template.resource(id).is_some() => role.policy(stack, id, &scope),
                    _ => role.is_open |= !is_of_lambda(arn),
                }
            }
        }
        for other in project.stacks() {
            let scope = self::scope(project, other);
            for (id, policy) in other.template.resources() {
                let kind = Template::type_of(policy);
                let holders = INLINE.iter().chain(&[(MANAGED, "Roles")]).find(|(of, _)| *of == kind);
                let Some((_, holders)) = holders else { continue };
                let Some(holders) = policy.get("Properties").and_then(|properties| properties.get(*holders)) else {
                    continue;
                };
                for (_, holder) in role.items(other, holders, &scope) {
                    match holder.get("Ref").and_then(Value::as_str) {
                        Some(holder) if other.template.resource(holder).is_some() => {
                            if other.id == stack.id && holder == logical_id {
                                role.policy(other, id, &scope);
                            }
                        }
                        // By its name, which may be this one's.
                        _ => role.is_open = true,
                    }
                }
            }
            role.resource_policies(other);
        }
        role
    }

    /// The items of a list, or what stands instead of one, with their numbers. What can't be told beforehand leaves the role open.
    fn items(&mut self, stack: &'p StackTemplate, value: &'p Value, scope: &Scope) -> Vec<(usize, &'p Value)> {
        let Some(value) = stack.template.chosen(value, scope) else {
            self.is_open = true;
            return Vec::new();
        };
        let mut chosen = Vec::new();
        for (index, item) in items(value).iter().enumerate() {
            match stack.template.chosen(item, scope) {
                Some(item) if item.get("Ref").is_some_and(|name| name == "AWS::NoValue") => {}
                Some(item) => chosen.push((index, item)),
                None => self.is_open = true,
            }
        }
        chosen
    }

    fn policy(&mut self, stack: &'p StackTemplate, logical_id: &str, scope: &Scope) {
        let properties = stack
            .template
            .resource(logical_id)
            .and_then(|policy| policy.get("Properties"));
        let path = ["Resources", logical_id, "Properties", "PolicyDocument"].map(str::to_owned);
        let document = properties.and_then(|properties| properties.get("PolicyDocument"));
        self.document(stack, document, &path, scope);
    }

    fn document(&mut self, stack: &'p StackTemplate, document: Option<&'p Value>, path: &[String], scope: &Scope) {
        let document = document.and_then(|document| stack.template.chosen(document, scope));
        let Some(statements) = document.and_then(|document| document.get("Statement")) else {
            self.is_open = true;
            return;
        };
        let is_list = statements.is_array();
        for (index, statement) in self.items(stack, statements, scope) {
            match statement.get("Effect").and_then(Value::as_str) {
                Some("Allow") => {}
                // It takes away, and what it takes isn't looked at.
                Some("Deny") => continue,
                _ => {
                    self.is_open = true;
                    continue;
                }
            }
            let Some(actions) = statement.get("Action") else {
                // With `NotAction` it allows what nobody has listed.
                self.is_open = true;
                continue;
            };
            let mut path = path.to_vec();
            path.push("Statement".to_owned());
            path.extend(is_list.then(|| index.to_string()));
            path.push("Action".to_owned());
            for (index, action) in self.items(stack, actions, scope) {
                let Some(action) = action.as_str() else {
                    self.is_open = true;
                    continue;
                };
                let mut path = path.clone();
                path.extend(actions.is_array().then(|| index.to_string()));
                self.allowed.push(Allowed {
                    action: action.to_owned(),
                    stack,
                    path,
                });
            }
        }
    }

    /// A resource may say itself what roles of its account may do with it. Whom such a policy means isn't looked at: what one
    /// allows to anybody but services counts as allowed.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>
    fn resource_policies(&mut self, stack: &'p StackTemplate) {
        for (_, resource) in stack.template.resources() {
            if !Template::type_of(resource).starts_with("AWS::IAM::") {
                self.by_resource(resource);
            }
        }
    }

    fn by_resource(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.by_resource(item)),
            Value::Object(map) => {
                let allows = map.get("Effect").is_some_and(|effect| effect == "Allow");
                let for_somebody = map
                    .get("Principal")
                    .is_some_and(|principal| principal.is_string() || principal.get("AWS").is_some());
                let actions = map.get("Action").filter(|_| allows && for_somebody);
                for action in actions.map(items).unwrap_or_default().iter().filter_map(Value::as_str) {
                    self.allowed_elsewhere(action);
                }
                map.values().for_each(|inner| self.by_resource(inner));
            }
            _ => {}
        }
    }

    fn allowed_elsewhere(&mut self, action: &str) {
        self.allowed.push(Allowed {
            action: action.to_owned(),
            stack: self.stack,
            path: Vec::new(),
        });
    }

    /// What a program asks for, and no policy allows on anything. Which resources a policy means isn't looked at here: which
    /// ones a program asks for can't be read from it. Nothing if the role may be allowed more than what the templates tell.
    pub(crate) fn missing(&self, operations: &Operations) -> Vec<Missing> {
        if self.is_open {
            return Vec::new();
        }
        let called = operations
            .called
            .iter()
            .filter(|operation| !operation.is_of_credentials());
        let missing = called.filter_map(|operation| {
            let (actions, is_choice) = actions_of(operation)?;
            let (allowed, missing): (Vec<String>, Vec<String>) =
                actions.into_iter().partition(|action| self.allows(action));
            let is_missing = !missing.is_empty() && (!is_choice || allowed.is_empty());
            is_missing.then(|| Missing {
                operation: operation.clone(),
                actions: missing,
                is_choice,
            })
        });
        missing.collect()
    }

    /// What the policies allow, and neither these programs ask for nor Lambda does in the role's name. Nothing if one of them
    /// isn't known to the end.
    pub(crate) fn unused(&self, project: &Project, programs: &[Operations]) -> Vec<Unused> {
        let is_known = |operations: &Operations| {
            operations.has_sdk
                && operations.perhaps.is_empty()
                && operations.strange.is_empty()
                && operations
                    .called
                    .iter()
                    .all(|operation| actions_of(operation).is_some())
        };
        if programs.is_empty() || !programs.iter().all(is_known) {
            return Vec::new();
        }
        let called = programs.iter().flat_map(|operations| &operations.called);
        let asked: BTreeSet<String> = called.filter_map(actions_of).flat_map(|(actions, _)| actions).collect();
        let beside = BESIDE
            .iter()
            .filter(|(action, _)| asked.contains(*action))
            .flat_map(|(_, beside)| *beside);
        let if_any = |has: bool, actions: &'static [&'static str]| if has { actions } else { &[] };
        let of_destinations = if_any(has_destinations(project), OF_DESTINATIONS);
        let of_event_sources = if_any(has_event_sources(project), OF_EVENT_SOURCES);
        let needed: Vec<&str> = asked
            .iter()
            .map(String::as_str)
            .chain(beside.copied())
            .chain(BY_THE_WAY.iter().copied())
            .chain(of_destinations.iter().copied())
            .chain(of_event_sources.iter().copied())
            .collect();
        let unused = self
            .allowed
            .iter()
            .filter(|allowed| !allowed.path.is_empty())
            .filter(|allowed| {
                !needed
                    .iter()
                    .any(|needed| fits(&allowed.action, needed) || fits(needed, &allowed.action))
            });
        let unused = unused.map(|allowed| {
            let path: Vec<&str> = allowed.path.iter().map(String::as_str).collect();
            Unused {
                action: allowed.action.clone(),
                place: allowed.stack.place(&path),
            }
        });
        unused.collect()
    }

    /// How reports name it: `stack.LogicalId`.
    pub(crate) fn id(&self) -> String {
        format!("{}.{}", self.stack.id, self.logical_id)
    }

    /// Bad input: what its policies lack.
    pub(crate) fn error(&self, what: String) -> Error {
        let policies = ["Resources", &self.logical_id, "Properties", "Policies"];
        let resource = self.stack.template.resource(&self.logical_id);
        let has_policies = resource.is_some_and(|role| {
            role.get("Properties")
                .is_some_and(|properties| properties.get("Policies").is_some())
        });
        self.stack.error(&policies[..if has_policies { 4 } else { 2 }], what)
    }

    /// Whether it may be allowed more than what the templates tell.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    fn allows(&self, action: &str) -> bool {
        self.allowed.iter().any(|allowed| fits(&allowed.action, action))
    }
}

/// What is known beforehand of what a template's conditions go by.
fn scope(project: &Project, stack: &StackTemplate) -> Scope {
    stack.template.known_parameters(&project.known_values(&stack.id))
}

/// Whether Lambda polls for any function of the project.
fn has_event_sources(project: &Project) -> bool {
    let mut resources = project.stacks().flat_map(|stack| stack.template.resources());
    resources.any(|(_, resource)| Template::type_of(resource) == "AWS::Lambda::EventSourceMapping")
}

/// Whether any function of the project hands on what it was given, or its failure.
fn has_destinations(project: &Project) -> bool {
    let resources = || project.stacks().flat_map(|stack| stack.template.resources());
    let has = |resource: &Value, property: &str| {
        resource
            .get("Properties")
            .is_some_and(|properties| properties.get(property).is_some())
    };
    resources().any(|(_, resource)| match Template::type_of(resource) {
        FUNCTION => has(resource, "DeadLetterConfig"),
        "AWS::Lambda::EventInvokeConfig" | "AWS::Lambda::EventSourceMapping" => has(resource, "DestinationConfig"),
        _ => false,
    })
}

/// Whether a policy's ARN is that of one of AWS's that only serve Lambda itself.
fn is_of_lambda(arn: &Value) -> bool {
    let text = arn
        .as_str()
        .or_else(|| arn.get("Fn::Sub")?.as_str())
        .unwrap_or_default();
    let is_aws = text.contains(":iam::aws:policy/");
    is_aws && text.rsplit('/').next().is_some_and(|name| OF_LAMBDA.contains(&name))
}

/// Whether a pattern fits an action, or another pattern. Case doesn't matter in actions:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html>.
fn fits(pattern: &str, action: &str) -> bool {
    matches(&pattern.to_lowercase(), &action.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permissions;

    /// A project whose function has this role, among more resources.
    fn project(role: &str, more: &str) -> (tempfile::TempDir, Project) {
        let dir = tempfile::tempdir().expect("a folder");
        let stacks = dir.path().join("stacks");
        std::fs::create_dir(&stacks).expect("made");
        std::fs::write(stacks.join("stages.yaml"), "project: shop\nstages: { dev: {} }\n").expect("written");
        let template = format!(
            "Parameters:\n  CodeBucket: {{ Type: String }}\n  CodeKey: {{ Type: String }}\n  Name: {{ Type: String, Default: '' }}\n\
             Conditions:\n  Named: !Not [!Equals [!Ref Name, '']]\n  Later: !Equals [!ImportValue x, y]\n\
             Resources:\n  Role:\n    Type: AWS::IAM::Role\n    Properties:\n{role}\n  Function:\n    Type: AWS::Lambda::Function\n    \
             Properties:\n      Role: !GetAtt Role.Arn\n      Code: {{ S3Bucket: !Ref CodeBucket, S3Key: !Ref CodeKey }}\n{more}\n"
        );
        std::fs::write(stacks.join("logic.yaml"), template).expect("written");
        let project = Project::open(dir.path(), "dev").expect("a project");
        (dir, project)
    }

    /// What the program of [`asked`] lacks with a role; none if it isn't known.
    fn missing(role: &str, more: &str) -> Option<Vec<String>> {
        let (_dir, project) = project(role, more);
        let role = of_function(&project, &project.functions()[0]).expect("a role");
        let missing = role.missing(&program("GetItem", "get_item"));
        (!role.is_open()).then(|| missing.into_iter().flat_map(|one| one.actions).collect())
    }

    fn program(name: &str, module: &str) -> Operations {
        let text = format!("DynamoDB.{name}\0aws-sdk-dynamodb-1.0.0/src/operation/{module}.rs\0");
        permissions::operations(text.as_bytes()).expect("read")
    }

    const GETS: &str = "{ Statement: [{ Effect: Allow, Action: 'dynamodb:getitem', Resource: x }] }";

    fn inline(document: &str) -> String {
        format!("      Policies: [{{ PolicyName: a, PolicyDocument: {document} }}]")
    }

    #[test]
    fn a_permission_is_found_wherever_a_template_gives_it() {
        let nothing: Option<Vec<String>> = Some(Vec::new());
        let lacks = Some(vec!["dynamodb:GetItem".to_owned()]);
        let basic = "      ManagedPolicyArns: ['arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole']";
        assert_eq!(missing(basic, ""), lacks);
        assert_eq!(missing(&inline(GETS), ""), nothing);
        for pattern in [
            "'*'",
            "dynamodb:*",
            "dynamodb:Get*",
            "[logs:PutLogEvents, 'dynamodb:Ge?Item']",
        ] {
            let document = GETS.replace("'dynamodb:getitem'", pattern);
            assert_eq!(missing(&inline(&document), ""), nothing, "{pattern}");
        }
        for other in [
            GETS.replace("Allow", "Deny"),
            GETS.replace("getitem", "PutItem"),
            GETS.replace("dynamodb:", "s3:"),
        ] {
            assert_eq!(missing(&inline(&other), ""), lacks, "{other}");
        }
        let policy = |kind: &str, holders: &str| {
            format!("  Policy: {{ Type: AWS::IAM::{kind}, Properties: {{ {holders}, PolicyDocument: {GETS} }} }}")
        };
        assert_eq!(missing(basic, &policy("Policy", "Roles: [!Ref Role]")), nothing);
        assert_eq!(missing(basic, &policy("RolePolicy", "RoleName: !Ref Role")), nothing);
        assert_eq!(missing(basic, &policy("ManagedPolicy", "Roles: [!Ref Role]")), nothing);
        let attached = "      ManagedPolicyArns: [!Ref Policy]";
        assert_eq!(missing(attached, &policy("ManagedPolicy", "Path: /")), nothing);
        let another = "  Other: { Type: AWS::IAM::Role, Properties: {} }\n";
        let of_another = format!("{another}{}", policy("Policy", "Roles: [!Ref Other]"));
        assert_eq!(missing(basic, &of_another), lacks);
        // A table may say itself who may read it.
        let of_table = |principal: &str| {
            let statement =
                format!("{{ Effect: Allow, Principal: {principal}, Action: dynamodb:GetItem, Resource: '*' }}");
            format!(
                "  Table: {{ Type: AWS::DynamoDB::Table, Properties: {{ ResourcePolicy: {{ PolicyDocument: {{ Statement: \
                 [{statement}] }} }} }} }}"
            )
        };
        assert_eq!(missing(basic, &of_table("{ AWS: !GetAtt Role.Arn }")), nothing);
        assert_eq!(missing(basic, &of_table("{ Service: lambda.amazonaws.com }")), lacks);
    }

    #[test]
    fn what_cannot_be_told_is_open() {
        let statement = |inner: &str| inline(&format!("{{ Statement: [{inner}] }}"));
        for role in [
            "      ManagedPolicyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess']".to_owned(),
            "      ManagedPolicyArns: [!ImportValue x]".to_owned(),
            statement("{ Effect: Allow, NotAction: 's3:*', Resource: '*' }"),
            statement("{ Effect: Allow, Action: !Ref Name, Resource: '*' }"),
            statement("!If [Later, { Effect: Allow, Action: 's3:*', Resource: '*' }, !Ref AWS::NoValue]"),
        ] {
            assert_eq!(missing(&role, ""), None, "{role}");
        }
        // By a name that may be this role's.
        let by_name =
            format!("  P: {{ Type: AWS::IAM::Policy, Properties: {{ Roles: [a], PolicyDocument: {GETS} }} }}");
        assert_eq!(missing(&statement("{ Effect: Deny, Action: 's3:*' }"), &by_name), None);
        // A condition that the stage's values decide.
        let of_stage = statement("!If [Named, { Effect: Allow, Action: 'dynamodb:*' }, !Ref AWS::NoValue]");
        assert_eq!(missing(&of_stage, ""), Some(vec!["dynamodb:GetItem".to_owned()]));
    }

    #[test]
    fn one_of_several_actions_is_enough_where_the_input_decides() {
        let role = |action: &str| inline(&GETS.replace("'dynamodb:getitem'", action));
        let program = program("TransactWriteItems", "transact_write_items");
        let (_dir, writing) = project(&role("dynamodb:PutItem"), "");
        let found = of_function(&writing, &writing.functions()[0]).expect("a role");
        assert!(found.missing(&program).is_empty());
        let (_dir, reading) = project(&role("dynamodb:GetItem"), "");
        let found = of_function(&reading, &reading.functions()[0]).expect("a role");
        let missing = found.missing(&program);
        assert!(
            missing[0].is_choice && listed(&missing).contains(" or dynamodb:PutItem"),
            "{missing:?}"
        );
    }

    #[test]
    fn what_nobody_asks_for_is_told_with_its_place() {
        let unused = |actions: &str, more: &str, program: &Operations| -> Vec<String> {
            let (_dir, project) = project(&inline(&GETS.replace("'dynamodb:getitem'", actions)), more);
            let role = of_function(&project, &project.functions()[0]).expect("a role");
            let unused = role.unused(&project, std::slice::from_ref(program));
            unused
                .into_iter()
                .map(|one| format!("{} {}", one.place, one.action))
                .collect()
        };
        let gets = program("GetItem", "get_item");
        let found = unused("[dynamodb:GetItem, dynamodb:PutItem, logs:PutLogEvents]", "", &gets);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].contains("logic.yaml:12:") && found[0].ends_with("dynamodb:PutItem"),
            "{found:?}"
        );
        assert!(unused("['dynamodb:*', 'dynamodb:Get*', xray:PutTraceSegments]", "", &gets).is_empty());
        assert_eq!(unused("[sqs:ReceiveMessage, sqs:SendMessage]", "", &gets).len(), 2);
        let polled = "  Polled: { Type: AWS::Lambda::EventSourceMapping, Properties: { FunctionName: !Ref Function } }";
        assert_eq!(unused("[sqs:ReceiveMessage, sqs:SendMessage]", polled, &gets).len(), 1);
        // Not known to the end.
        let perhaps =
            permissions::operations(&b"aws-sdk-dynamodb-1.0.0/src/operation/get_item.rs\0"[..]).expect("read");
        assert!(unused("dynamodb:PutItem", "", &perhaps).is_empty());
        assert!(unused("dynamodb:PutItem", "", &Operations::default()).is_empty());
    }
}
