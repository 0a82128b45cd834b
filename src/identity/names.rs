//! What a stage's resources will be called, as patterns of IAM's, and the ARNs that actions on them are granted for. What only the
//! account tells stays a pseudo parameter of CloudFormation's: `${AWS::Partition}`, `${AWS::Region}`, `${AWS::AccountId}`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::permissions::{ResourceType, arn, kinds, resource_type};
use crate::project::Project;
use crate::project::stacks::StackTemplate;
use crate::project::statements::{source, target};
use crate::project::template::{Scope, Template, items, substitute_known};

/// What stands for the account's own.
const PSEUDO: &[&str] = &["AWS::Partition", "AWS::Region", "AWS::AccountId", "AWS::URLSuffix"];

/// Types whose resources CloudFormation calls after their stack, where the template has no name for them. Of others some are called
/// after their logical id alone.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html>
const CALLED_AFTER_STACK: &[&str] = &[
    "AWS::CloudWatch::Alarm",
    "AWS::DynamoDB::Table",
    "AWS::Events::Rule",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Role",
    "AWS::IAM::User",
    "AWS::Kinesis::Stream",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
];

/// How deep one value refers to another at most: outputs may refer to each other in a circle.
const DEPTH: usize = 8;

/// A resource of the stage's templates, whatever its condition says: settings change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resource<'p> {
    /// The template that has it.
    pub stack: &'p StackTemplate,
    /// Its key there.
    pub id: &'p str,
    /// Its type.
    pub kind: &'p str,
    /// What AWS publishes of that.
    known: Option<ResourceType>,
    value: &'p Value,
}

impl<'p> Resource<'p> {
    /// One of its properties.
    pub(super) fn property(&self, name: &str) -> Option<&'p Value> {
        self.value.get("Properties")?.get(name)
    }

    /// The property that names it; none if AWS gives it an id.
    fn naming(&self) -> Option<&'static str> {
        self.known?.naming
    }

    /// Where it lives.
    pub(super) fn region(&self) -> String {
        region(self.stack)
    }

    /// Whether it has a property of this name, however deep.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value
            .get("Properties")
            .is_some_and(|properties| has_key(properties, key))
    }

    /// The last word of its type, as kinds of resources are compared.
    fn word(&self) -> String {
        word(self.kind.rsplit("::").next().unwrap_or_default())
    }
}

/// All resources of a stage.
#[derive(Debug)]
pub(super) struct Names<'p> {
    project: &'p Project,
    resources: Vec<Resource<'p>>,
}

impl<'p> Names<'p> {
    pub(super) fn of(project: &'p Project) -> Self {
        let mut resources = Vec::new();
        for stack in project.stacks() {
            for (id, value) in stack.template.resources_and_loops() {
                collect(stack, id, value, &mut resources);
            }
        }
        Self { project, resources }
    }

    /// The stage's templates.
    pub(super) fn stacks_themselves(&self) -> impl Iterator<Item = &'p StackTemplate> {
        self.project.stacks()
    }

    /// What a parameter is given, as far as that is known.
    pub(super) fn given(&self, stack: &StackTemplate, parameter: &str) -> Option<String> {
        let known = self.project.known_values(&stack.id);
        stack.template.effective_parameters(&known).remove(parameter)
    }

    pub(super) fn resources(&self) -> impl Iterator<Item = Resource<'p>> {
        self.resources.iter().copied()
    }

    /// The resources of a type.
    pub(super) fn of_type(&self, kind: &str) -> impl Iterator<Item = Resource<'p>> {
        self.resources().filter(move |resource| resource.kind == kind)
    }

    /// Whether there is a resource whose type begins so.
    pub(super) fn has(&self, kind: &str) -> bool {
        self.resources.iter().any(|resource| resource.kind.starts_with(kind))
    }

    /// The regions that the stage's stacks are in.
    pub(super) fn regions(&self) -> impl Iterator<Item = String> {
        let all: BTreeSet<String> = self.project.stacks().map(region).collect();
        all.into_iter()
    }

    /// How the names of all of the stage's stacks are.
    pub(super) fn stack_names(&self) -> String {
        format!("{}*", self.project.stack_prefix())
    }

    /// The ARNs of the stage's stacks.
    pub(super) fn stacks(&self) -> BTreeSet<String> {
        let prefix = self.project.stack_prefix();
        self.regions()
            .map(|region| {
                format!("arn:${{AWS::Partition}}:cloudformation:{region}:${{AWS::AccountId}}:stack/{prefix}*/*")
            })
            .collect()
    }

    /// The log groups of functions, which Lambda makes where the templates don't, and those that these have.
    pub(super) fn log_groups(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        if self.has("AWS::Logs::LogGroup") {
            found = self.arns("logs:DeleteLogGroup", None);
        }
        for function in self.of_type("AWS::Lambda::Function") {
            let region = region(function.stack);
            for name in self.names(&function) {
                let arn =
                    format!("arn:${{AWS::Partition}}:logs:{region}:${{AWS::AccountId}}:log-group:/aws/lambda/{name}");
                found.extend([format!("{arn}:*"), arn]);
            }
        }
        found
    }

    /// The policies that roles name, or that name them.
    pub(super) fn managed_policies(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for role in self.of_type("AWS::IAM::Role") {
            if let Some(arns) = role.property("ManagedPolicyArns") {
                found.extend(items(arns).iter().flat_map(|item| self.texts(role.stack, item, DEPTH)));
            }
        }
        if self.has("AWS::IAM::ManagedPolicy") {
            found.extend(self.arns("iam:GetPolicy", Some("AWS::IAM::ManagedPolicy")));
        }
        found
    }

    /// What an action on the stage's resources is granted for, for whoever makes resources of the type `for_type`, if that matters:
    /// its own where the action can be granted for such, else those of the kinds that the stage has, else all of the action's kinds.
    /// `*` if it can't be granted for less.
    pub(super) fn arns(&self, action: &str, for_type: Option<&str>) -> BTreeSet<String> {
        let prefix = action.split(':').next().unwrap_or_default();
        let forms: Vec<(&str, String)> = kinds(action)
            .into_iter()
            .filter_map(|kind| Some((kind, arn(prefix, kind)?)))
            .collect();
        let own = |resource: &Resource<'_>| for_type.is_some_and(|kind| resource.kind == kind);
        for is_meant in [&own as &dyn Fn(&Resource<'_>) -> bool, &|_| true] {
            let found: BTreeSet<String> = forms
                .iter()
                .flat_map(|(kind, form)| self.filled(prefix, kind, form, is_meant))
                .collect();
            if !found.is_empty() {
                return found;
            }
        }
        let all: BTreeSet<String> = forms
            .iter()
            .map(|(_, form)| filled(form, "${AWS::Region}", None))
            .collect();
        if all.is_empty() {
            BTreeSet::from(["*".to_owned()])
        } else {
            all
        }
    }

    /// The ARNs of one kind, with the names of the resources that its variables mean; none if they mean none of the stage's.
    fn filled(
        &self,
        prefix: &str,
        kind: &str,
        form: &str,
        is_meant: &dyn Fn(&Resource<'_>) -> bool,
    ) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for variable in variables(form) {
            let stem = stem(variable, kind);
            let meant: Vec<Resource<'p>> = self
                .resources()
                .filter(|resource| is_meant(resource) && resource.word().ends_with(&stem))
                .filter(|resource| resource.known.is_some_and(|known| known.asks(prefix)))
                .collect();
            // One whose type has names tells more than one that only has an id.
            let is_named = |resource: &Resource<'p>| resource.naming().is_some();
            let has_named = meant.iter().any(is_named);
            for resource in meant.iter().filter(|resource| !has_named || is_named(resource)) {
                let region = region(resource.stack);
                let names = self.names(resource);
                if names.is_empty() {
                    found.insert(filled(form, &region, None));
                }
                for name in names {
                    let name = decorated(prefix, name);
                    let arn = filled(form, &region, Some((variable, &name)));
                    // Of a group's own actions some want what is in it.
                    if prefix == "logs" && kind == "log-group" {
                        found.insert(format!("{arn}:*"));
                    }
                    found.insert(arn);
                }
            }
            if !found.is_empty() {
                break;
            }
        }
        found
    }

    /// What a resource will be called; nothing if AWS gives it an id.
    fn names(&self, resource: &Resource<'p>) -> Vec<String> {
        let Some(property) = resource.naming() else {
            return Vec::new();
        };
        match resource.property(property) {
            Some(value) => self.texts(resource.stack, value, DEPTH),
            None => {
                let mut names = vec![format!("{}*", self.project.stack_prefix())];
                if !CALLED_AFTER_STACK.contains(&resource.kind) {
                    // Of a loop's only what stands before its variable is known.
                    let known = resource.id.split("${").next().unwrap_or_default();
                    let end = if known.len() == resource.id.len() { "-*" } else { "*" };
                    names.push(format!("{known}{end}"));
                }
                names
            }
        }
    }

    /// The texts that a value of a resource's own may be, with `*` for what can't be told.
    pub(super) fn texts_of(&self, resource: &Resource<'p>, value: &'p Value) -> Vec<String> {
        self.texts(resource.stack, value, DEPTH)
    }

    /// The texts that a value may be, with `*` for what can't be told.
    fn texts(&self, stack: &'p StackTemplate, value: &'p Value, depth: usize) -> Vec<String> {
        let unknown = || vec!["*".to_owned()];
        let Some(depth) = depth.checked_sub(1) else {
            return unknown();
        };
        let scope = self.scope(stack);
        if let Some(text) = stack.template.text_of(value, &scope) {
            return vec![text];
        }
        let Some((function, argument)) = value.as_object().and_then(|map| map.iter().next()) else {
            return unknown();
        };
        match (function.as_str(), argument) {
            ("Fn::If", Value::Array(parts)) => {
                let branches = parts.iter().skip(1).filter(|branch| branch["Ref"] != "AWS::NoValue");
                branches.flat_map(|branch| self.texts(stack, branch, depth)).collect()
            }
            ("Fn::Sub", Value::String(text)) => vec![self.substituted(stack, text, &scope, depth)],
            ("Fn::Sub", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(text), Value::Object(own)] => {
                    let mut scope = scope;
                    for (name, value) in own {
                        let text = self.texts(stack, value, depth).into_iter().next();
                        scope.insert(name.clone(), text.unwrap_or_else(|| "*".to_owned()));
                    }
                    vec![self.substituted(stack, text, &scope, depth)]
                }
                _ => unknown(),
            },
            ("Fn::Join", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(separator), Value::Array(items)] => {
                    let first = |item| {
                        let mut texts = self.texts(stack, item, depth).into_iter();
                        texts.next().unwrap_or_else(|| "*".to_owned())
                    };
                    vec![items.iter().map(first).collect::<Vec<_>>().join(separator)]
                }
                _ => unknown(),
            },
            ("Ref" | "Fn::GetAtt", _) => match target(value) {
                Some((id, is_arn)) => self.referred(stack, id, is_arn, depth),
                None => unknown(),
            },
            _ => unknown(),
        }
    }

    /// A text of `Fn::Sub`.
    fn substituted(&self, stack: &'p StackTemplate, text: &str, scope: &Scope, depth: usize) -> String {
        let mut scope = scope.clone();
        for name in variables(text).filter(|name| !PSEUDO.contains(name)) {
            if scope.contains_key(name) {
                continue;
            }
            let (id, is_arn) = match name.split_once('.') {
                Some((id, attribute)) => (id, attribute == "Arn"),
                None => (name, false),
            };
            let first = self.referred(stack, id, is_arn, depth).into_iter().next();
            scope.insert(name.to_owned(), first.unwrap_or_else(|| "*".to_owned()));
        }
        substitute_known(text, &scope)
    }

    /// What a `Ref` or the `Arn` of a resource is, or what a parameter gets from another stack.
    fn referred(&self, stack: &'p StackTemplate, id: &str, is_arn: bool, depth: usize) -> Vec<String> {
        let unknown = || vec!["*".to_owned()];
        let resource = self
            .resources()
            .find(|resource| resource.id == id && resource.stack.id == stack.id);
        match resource {
            Some(resource) if is_arn => {
                let found = self.own_arns(&resource);
                if found.is_empty() { unknown() } else { found }
            }
            Some(resource) => {
                let names = self.names(&resource);
                if names.is_empty() { unknown() } else { names }
            }
            None => match source(self.project, &stack.id, id) {
                Some((producer, output)) => self.texts(producer, output, depth),
                None => unknown(),
            },
        }
    }

    /// The ARNs that a resource may have, as its `Arn` is.
    fn own_arns(&self, resource: &Resource<'p>) -> Vec<String> {
        let Some(known) = resource.known else {
            return Vec::new();
        };
        let is_it = |one: &Resource<'_>| one.id == resource.id && one.stack.id == resource.stack.id;
        let mut found: BTreeSet<String> = BTreeSet::new();
        for action in known.actions() {
            let prefix = action.split(':').next().unwrap_or_default().to_owned();
            for kind in kinds(&action).into_iter().filter(|kind| word(kind) == resource.word()) {
                if let Some(form) = arn(&prefix, kind) {
                    found.extend(self.filled(&prefix, kind, &form, &is_it));
                }
            }
        }
        // A log group's own ARN ends so.
        let ends: BTreeSet<String> = found.iter().filter(|arn| arn.ends_with(":*")).cloned().collect();
        if ends.is_empty() { found } else { ends }.into_iter().collect()
    }

    fn scope(&self, stack: &StackTemplate) -> Scope {
        let mut scope: Scope = PSEUDO
            .iter()
            .map(|name| ((*name).to_owned(), format!("${{{name}}}")))
            .collect();
        scope.insert("AWS::Region".to_owned(), region(stack));
        scope.insert("AWS::StackName".to_owned(), self.project.stack_name(&stack.id));
        let known = self.project.known_values(&stack.id);
        let known = stack.template.known_parameters(&known);
        // An empty default is for what another stack tells.
        scope.extend(known.into_iter().filter(|(_, value)| !value.is_empty()));
        scope
    }
}

/// A resource, or those that a loop makes: of what the loop fills in nothing is known.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach-example-resource.html>
fn collect<'p>(stack: &'p StackTemplate, id: &'p str, value: &'p Value, found: &mut Vec<Resource<'p>>) {
    match value {
        Value::Array(parts) => {
            for (id, value) in parts.iter().filter_map(Value::as_object).flatten() {
                collect(stack, id, value, found);
            }
        }
        _ => found.push(Resource {
            stack,
            id,
            kind: Template::type_of(value),
            known: resource_type(Template::type_of(value)),
            value,
        }),
    }
}

fn has_key(value: &Value, key: &str) -> bool {
    match value {
        Value::Object(map) => map.contains_key(key) || map.values().any(|value| has_key(value, key)),
        Value::Array(items) => items.iter().any(|item| has_key(item, key)),
        _ => false,
    }
}

/// Where a stack lives.
pub(super) fn region(stack: &StackTemplate) -> String {
    stack.region.clone().unwrap_or_else(|| "${AWS::Region}".to_owned())
}

/// A name as ARNs have it.
fn decorated(prefix: &str, name: String) -> String {
    match prefix {
        // Six characters of the service's own follow.
        // <https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html>
        "secretsmanager" if !name.ends_with('*') => format!("{name}-??????"),
        "ssm" => name.trim_start_matches('/').to_owned(),
        _ => name,
    }
}

/// The variables of an ARN's form, or of a text of `Fn::Sub`.
fn variables(form: &str) -> impl Iterator<Item = &str> {
    let parts = form.split("${").skip(1);
    parts
        .filter_map(|part| part.split('}').next())
        .filter(|name| !matches!(*name, "Partition" | "Region" | "Account"))
}

/// What a variable is about: `RoleNameWithPath` a role; `Name` and `Id` what they stand in.
fn stem<'a>(variable: &'a str, kind: &'a str) -> String {
    let endings = ["WithoutLeadingSlash", "WithPath", "Name", "Id"];
    let stem = endings
        .iter()
        .fold(variable, |stem, ending| stem.strip_suffix(ending).unwrap_or(stem));
    word(if stem.is_empty() { kind } else { stem })
}

/// A kind's name, however it is written.
fn word(text: &str) -> String {
    let letters = text.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// An ARN's form with what CloudFormation knows the account's own by, with the value of one variable, and with `*` for the others.
fn filled(form: &str, region: &str, known: Option<(&str, &str)>) -> String {
    let mut text = String::new();
    let mut rest = form;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        text.push_str(before);
        text.push_str(match (name, known) {
            ("Partition", _) => "${AWS::Partition}",
            ("Region", _) => region,
            ("Account", _) => "${AWS::AccountId}",
            (name, Some((variable, value))) if name == variable => value,
            _ => "*",
        });
        rest = after;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_variable_of_an_arn_tells_what_it_is_about() {
        for (variable, kind, about) in [
            ("TableName", "index", "table"),
            ("RoleNameWithPath", "role", "role"),
            ("ParameterNameWithoutLeadingSlash", "parameter", "parameter"),
            ("Name", "function", "function"),
            ("Id", "origin-access-control", "originaccesscontrol"),
            ("UUID", "eventSourceMapping", "uuid"),
        ] {
            assert_eq!(stem(variable, kind), about, "{variable}");
        }
    }

    fn project(template: &str) -> (TempDir, Project) {
        let folder = TempDir::new().expect("a folder");
        fs::create_dir(folder.path().join("stacks")).expect("made");
        fs::write(
            folder.path().join("stacks/stages.yaml"),
            "project: p\nstages:\n  s: {}\n",
        )
        .expect("written");
        fs::write(folder.path().join("stacks/one.yaml"), template).expect("written");
        let project = Project::open(folder.path(), "s").expect("a project");
        (folder, project)
    }

    fn arns(template: &str, action: &str, for_type: &str) -> Vec<String> {
        let (_folder, project) = project(template);
        Names::of(&project).arns(action, Some(for_type)).into_iter().collect()
    }

    #[test]
    fn what_has_a_name_is_granted_by_it() {
        let queue = |properties: &str| {
            format!("Resources:\n  Q: {{ Type: AWS::SQS::Queue, Properties: {{ {properties} }} }}\n")
        };
        let arn = |name: &str| format!("arn:${{AWS::Partition}}:sqs:${{AWS::Region}}:${{AWS::AccountId}}:{name}");
        for (properties, name) in [
            ("QueueName: jobs", "jobs"),
            ("QueueName: !Sub \"jobs-${AWS::Region}\"", "jobs-${AWS::Region}"),
            ("QueueName: !Join [\"-\", [jobs, !Ref Unknown]]", "jobs-*"),
            ("QueueName: !Sub \"${Unknown}-jobs\"", "*-jobs"),
            ("QueueName: !Ref Unknown", "*"),
            ("DelaySeconds: 1", "p-s-*"),
        ] {
            let template = format!(
                "Parameters: {{ Unknown: {{ Type: \"AWS::SSM::Parameter::Value<String>\" }} }}\n{}",
                queue(properties)
            );
            assert_eq!(
                arns(&template, "sqs:CreateQueue", "AWS::SQS::Queue"),
                [arn(name)],
                "{properties}"
            );
        }
    }

    #[test]
    fn what_has_an_id_is_granted_as_all_of_its_kind() {
        let template = "Resources:\n  K: { Type: AWS::KMS::Key, Properties: { KeyPolicy: {} } }\n";
        let all = "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/*";
        assert_eq!(arns(template, "kms:DescribeKey", "AWS::KMS::Key"), [all]);
        assert_eq!(arns(template, "kms:CreateKey", "AWS::KMS::Key"), ["*"]);
    }

    #[test]
    fn some_services_write_names_otherwise() {
        let template = "
Resources:
  S: { Type: AWS::SecretsManager::Secret, Properties: { Name: token } }
  P: { Type: AWS::SSM::Parameter, Properties: { Name: /shop/rate, Type: String, Value: x } }
  L: { Type: AWS::Logs::LogGroup, Properties: { LogGroupName: /shop } }
  G: { Type: AWS::CloudWatch::Dashboard, Properties: { DashboardBody: x } }
";
        let here = "${AWS::Region}:${AWS::AccountId}";
        let of = |rest: String| format!("arn:${{AWS::Partition}}:{rest}");
        for (action, kind, expected) in [
            (
                "secretsmanager:DeleteSecret",
                "AWS::SecretsManager::Secret",
                vec![of(format!("secretsmanager:{here}:secret:token-??????"))],
            ),
            (
                "ssm:PutParameter",
                "AWS::SSM::Parameter",
                vec![of(format!("ssm:{here}:parameter/shop/rate"))],
            ),
            (
                "logs:DeleteLogGroup",
                "AWS::Logs::LogGroup",
                vec![
                    of(format!("logs:{here}:log-group:/shop")),
                    of(format!("logs:{here}:log-group:/shop:*")),
                ],
            ),
            // It may be called after its logical id alone.
            (
                "cloudwatch:PutDashboard",
                "AWS::CloudWatch::Dashboard",
                vec![
                    of("cloudwatch::${AWS::AccountId}:dashboard/G-*".to_owned()),
                    of("cloudwatch::${AWS::AccountId}:dashboard/p-s-*".to_owned()),
                ],
            ),
        ] {
            assert_eq!(arns(template, action, kind), expected, "{action}");
        }
    }
}
