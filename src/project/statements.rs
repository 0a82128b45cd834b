//! The statements that a function's role needs for what its program asks for. Which resources it means is told by the function's
//! environment, as far as its variables refer to resources of the templates.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::Project;
use super::functions::Function;
use super::stacks::{StackId, StackTemplate};
use super::template::Template;
use super::wiring::Source;
use crate::permissions::kinds;

/// A type whose resources variables name.
struct Kind {
    name: &'static str,
    /// What the Service Authorization Reference calls it, below the service's prefix; beside that what is in it, with what comes
    /// behind its ARN then.
    prefix: &'static str,
    parts: &'static [(&'static str, &'static str)],
    /// What its `Ref` is.
    reference: Reference,
}

enum Reference {
    /// Its ARN.
    Arn,
    /// What its ARN is made of: with this before it.
    Name(&'static str),
    /// Something that its ARN can't be made of.
    Other,
}

const HERE: &str = "${AWS::Region}:${AWS::AccountId}";

/// The ARNs' forms are the Service Authorization Reference's; what `Ref` and `Fn::GetAtt` are, CloudFormation's reference says of
/// each type.
const KINDS: &[Kind] = &[
    kind(
        "AWS::DynamoDB::Table",
        "dynamodb",
        TABLE,
        Reference::Name("dynamodb:HERE:table/"),
    ),
    kind(
        "AWS::DynamoDB::GlobalTable",
        "dynamodb",
        TABLE,
        Reference::Name("dynamodb:HERE:table/"),
    ),
    kind(
        "AWS::S3::Bucket",
        "s3",
        &[("bucket", ""), ("object", "/*")],
        Reference::Name("s3:::"),
    ),
    kind("AWS::SQS::Queue", "sqs", &[("queue", "")], Reference::Other),
    kind("AWS::SNS::Topic", "sns", &[("topic", "")], Reference::Arn),
    kind(
        "AWS::SecretsManager::Secret",
        "secretsmanager",
        &[("Secret", "")],
        Reference::Arn,
    ),
    kind("AWS::KMS::Key", "kms", &[("key", "")], Reference::Name("kms:HERE:key/")),
    kind(
        "AWS::Kinesis::Stream",
        "kinesis",
        &[("stream", "")],
        Reference::Name("kinesis:HERE:stream/"),
    ),
    kind(
        "AWS::KinesisFirehose::DeliveryStream",
        "firehose",
        &[("deliverystream", "")],
        Reference::Name("firehose:HERE:deliverystream/"),
    ),
    kind(
        "AWS::StepFunctions::StateMachine",
        "states",
        &[("statemachine", "")],
        Reference::Arn,
    ),
    kind(
        "AWS::Events::EventBus",
        "events",
        &[("event-bus", "")],
        Reference::Name("events:HERE:event-bus/"),
    ),
    kind(
        "AWS::Lambda::Function",
        "lambda",
        &[("function", "")],
        Reference::Name("lambda:HERE:function:"),
    ),
    kind(
        "AWS::SES::EmailIdentity",
        "ses",
        &[("identity", "")],
        Reference::Name("ses:HERE:identity/"),
    ),
    kind(
        "AWS::Cognito::UserPool",
        "cognito-idp",
        &[("userpool", "")],
        Reference::Name("cognito-idp:HERE:userpool/"),
    ),
];

const TABLE: &[(&str, &str)] = &[("table", ""), ("index", "/index/*"), ("stream", "/stream/*")];

const fn kind(
    name: &'static str,
    prefix: &'static str,
    parts: &'static [(&'static str, &'static str)],
    reference: Reference,
) -> Kind {
    Kind {
        name,
        prefix,
        parts,
        reference,
    }
}

/// What a statement says of a resource: a value of CloudFormation's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Arn {
    /// `Ref`.
    Ref(String),
    /// `Fn::GetAtt` of the attribute `Arn`.
    Of(String),
    /// `Fn::Sub`.
    Sub(String),
    /// `*`: the action can't be granted for one resource.
    All,
}

/// What a role needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Statement {
    pub actions: Vec<String>,
    /// None if the function's environment doesn't tell.
    pub resources: Vec<Arn>,
}

/// The statements for these actions, those for the same resources in one. Those of the function's environment are meant, and else
/// the only one of its kind.
pub(crate) fn statements(project: &Project, function: &Function, actions: &[String]) -> Vec<Statement> {
    let named = named(project, function);
    let around = around(project, function);
    let mut by_resources: BTreeMap<Vec<Arn>, Vec<String>> = BTreeMap::new();
    for action in actions {
        let prefix = action.split(':').next().unwrap_or_default();
        let kinds = kinds(action);
        let mut resources: Vec<Arn> = if kinds.is_empty() { vec![Arn::All] } else { Vec::new() };
        let mut means: Vec<&(&Kind, Arn)> = named.iter().filter(|(kind, _)| kind.prefix == prefix).collect();
        // Where the environment names none, the only one that the template knows.
        let others = || around.iter().filter(|(kind, _)| kind.prefix == prefix);
        if means.is_empty() && others().count() == 1 {
            means.extend(others());
        }
        for (kind, arn) in means {
            let parts = kind.parts.iter().filter(|(name, _)| kinds.contains(name));
            resources.extend(parts.map(|(_, behind)| arn.with(behind)));
        }
        resources.sort();
        resources.dedup();
        by_resources.entry(resources).or_default().push(action.clone());
    }
    let statements = by_resources.into_iter();
    statements
        .map(|(resources, actions)| Statement { actions, resources })
        .collect()
}

/// Statements as YAML, each line behind this.
pub(crate) fn indented(statements: &[Statement], by: &str) -> String {
    let texts = statements.iter().map(ToString::to_string);
    texts
        .flat_map(|text| text.lines().map(|line| format!("{by}{line}\n")).collect::<Vec<_>>())
        .collect()
}

/// The resources that a function's variables name, each by an expression of its template that is its ARN.
fn named(project: &Project, function: &Function) -> Vec<(&'static Kind, Arn)> {
    let Some(stack) = project.stack(&function.stack) else {
        return Vec::new();
    };
    let resource = stack.template.resource(&function.logical_id);
    let variables = resource.and_then(|resource| resource.get("Properties")?.get("Environment")?.get("Variables"));
    let variables = variables
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|map| map.values());
    let mut found: Vec<(&Kind, Arn)> = variables.filter_map(|value| meant(project, stack, value)).collect();
    found.dedup_by(|one, other| one.1 == other.1);
    found
}

/// The resources that a function's template has, or knows the ARNs of.
fn around(project: &Project, function: &Function) -> Vec<(&'static Kind, Arn)> {
    let Some(stack) = project.stack(&function.stack) else {
        return Vec::new();
    };
    let own = stack.template.resources().filter_map(|(id, _)| {
        let kind = kind_of(&stack.template, id)?;
        (id != function.logical_id).then(|| (kind, kind.arn_of(id)))
    });
    let others = stack.template.parameter_names().filter_map(|name| {
        let (producer, output) = source(project, &stack.id, name)?;
        let (id, is_arn) = target(output)?;
        let kind = kind_of(&producer.template, id)?;
        (is_arn || matches!(kind.reference, Reference::Arn)).then(|| (kind, Arn::Ref(name.to_owned())))
    });
    own.chain(others).collect()
}

fn meant(project: &Project, stack: &StackTemplate, value: &Value) -> Option<(&'static Kind, Arn)> {
    if let Some((id, _)) = target(value)
        && let Some(kind) = kind_of(&stack.template, id)
    {
        return Some((kind, kind.arn_of(id)));
    }
    // What another template tells.
    let parameter = value.get("Ref")?.as_str()?;
    let (producer, output) = source(project, &stack.id, parameter)?;
    let (id, is_arn) = target(output)?;
    let kind = kind_of(&producer.template, id)?;
    if is_arn || matches!(kind.reference, Reference::Arn) {
        return Some((kind, Arn::Ref(parameter.to_owned())));
    }
    // Another parameter may have its ARN.
    let also = stack.template.parameter_names().find(|name| {
        source(project, &stack.id, name).is_some_and(|(other, output)| {
            other.id == producer.id && target(output).is_some_and(|(found, is_arn)| found == id && is_arn)
        })
    });
    match (also, &kind.reference) {
        (Some(also), _) => Some((kind, Arn::Ref(also.to_owned()))),
        (None, Reference::Name(before)) => {
            let before = before.replace("HERE", HERE);
            Some((
                kind,
                Arn::Sub(format!("arn:${{AWS::Partition}}:{before}${{{parameter}}}")),
            ))
        }
        (None, _) => None,
    }
}

/// Whose output a parameter is, and that output's value.
pub(crate) fn source<'p>(
    project: &'p Project,
    stack: &StackId,
    parameter: &str,
) -> Option<(&'p StackTemplate, &'p Value)> {
    let Source::Output(edge) = project.wiring().source(stack, parameter)? else {
        return None;
    };
    let producer = project.stack(&edge.producer)?;
    Some((producer, producer.template.output(&edge.output)?))
}

/// The resource that a value refers to, and whether the value is its ARN for sure.
pub(crate) fn target(value: &Value) -> Option<(&str, bool)> {
    if let Some(id) = value.get("Ref").and_then(Value::as_str) {
        return Some((id, false));
    }
    match value.get("Fn::GetAtt")? {
        Value::String(text) => text.split_once('.').map(|(id, attribute)| (id, attribute == "Arn")),
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(id), Value::String(attribute)] => Some((id, attribute == "Arn")),
            _ => None,
        },
        _ => None,
    }
}

fn kind_of(template: &Template, logical_id: &str) -> Option<&'static Kind> {
    let resource = template.resource(logical_id)?;
    KINDS.iter().find(|kind| kind.name == Template::type_of(resource))
}

impl Kind {
    fn arn_of(&self, logical_id: &str) -> Arn {
        match self.reference {
            Reference::Arn => Arn::Ref(logical_id.to_owned()),
            Reference::Name(_) | Reference::Other => Arn::Of(logical_id.to_owned()),
        }
    }
}

impl Arn {
    /// What is below it.
    fn with(&self, behind: &str) -> Self {
        match self {
            _ if behind.is_empty() => self.clone(),
            Self::Ref(name) => Self::Sub(format!("${{{name}}}{behind}")),
            Self::Of(id) => Self::Sub(format!("${{{id}.Arn}}{behind}")),
            Self::Sub(text) => Self::Sub(format!("{text}{behind}")),
            Self::All => Self::All,
        }
    }
}

/// As YAML.
impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ref(name) => write!(f, "!Ref {name}"),
            Self::Of(id) => write!(f, "!GetAtt {id}.Arn"),
            Self::Sub(text) => write!(f, "!Sub \"{text}\""),
            Self::All => f.write_str("\"*\""),
        }
    }
}

/// As JSON has it in templates.
impl Serialize for Arn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = match self {
            Self::Ref(name) => json!({ "Ref": name }),
            Self::Of(id) => json!({ "Fn::GetAtt": [id, "Arn"] }),
            Self::Sub(text) => json!({ "Fn::Sub": text }),
            Self::All => json!("*"),
        };
        value.serialize(serializer)
    }
}

/// As an item of a policy's `Statement`, in YAML.
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |texts: &[String]| match texts {
            [only] => only.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let resources: Vec<String> = self.resources.iter().map(ToString::to_string).collect();
        writeln!(f, "- Effect: Allow")?;
        writeln!(f, "  Action: {}", list(&self.actions))?;
        if resources.is_empty() {
            write!(
                f,
                "  Resource: # the ARN of what it works on: the function's environment doesn't tell"
            )
        } else {
            write!(f, "  Resource: {}", list(&resources))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_one_of_the_reference() {
        for kind in KINDS {
            let (part, _) = kind.parts[0];
            let is_known = crate::permissions::service_with(kind.prefix).any(|service| service.has_kind(part));
            assert!(is_known, "{} {part}", kind.name);
        }
    }

    #[test]
    fn statements_are_written_as_templates_have_them() {
        let statement = Statement {
            actions: vec!["dynamodb:Query".to_owned()],
            resources: vec![
                Arn::Of("Table".to_owned()),
                Arn::Of("Table".to_owned()).with("/index/*"),
            ],
        };
        assert_eq!(
            statement.to_string(),
            "- Effect: Allow\n  Action: dynamodb:Query\n  Resource: [!GetAtt Table.Arn, !Sub \"${Table.Arn}/index/*\"]"
        );
    }
}
