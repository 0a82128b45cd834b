//! What the identity that deploys a stage has to be allowed, and what its functions may be allowed at most. Pure: computed from the
//! templates, from what the deployer itself asks for, and from AWS's own lists of what CloudFormation asks for in its caller's name.

mod apis;
mod boundary;
mod handlers;
mod names;
mod outside;
mod own;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::project::Project;
use names::{Names, Resource};

/// The longest managed policy that IAM takes, without white space.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const LONGEST_CHARACTERS: usize = 6_144;

/// What the account puts in, with the longest that it may be: `aws-us-gov`, twelve digits, `ap-southeast-1`.
const PSEUDO: &[(&str, usize)] = &[
    ("${AWS::Partition}", 10),
    ("${AWS::AccountId}", 12),
    ("${AWS::Region}", 14),
];

/// In whose program a call is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// This one's.
    Deployer,
    /// CloudFormation's, for resources of these types; for templates as such, if there are none.
    CloudFormation(BTreeSet<String>),
}

impl Caller {
    /// Whose program it is.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Deployer => "deployer",
            Self::CloudFormation(_) => "CloudFormation",
        }
    }

    fn of<'p>(resources: impl Iterator<Item = Resource<'p>>) -> Self {
        Self::CloudFormation(resources.map(|resource| resource.kind.to_owned()).collect())
    }
}

/// Whether a statement allows or denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    /// Whatever else allows it.
    Deny,
}

/// What is allowed, or denied. What the account alone tells is a pseudo parameter of CloudFormation's in it, as `${AWS::Region}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Its name, of letters and digits.
    pub sid: String,
    pub effect: Effect,
    /// IAM's actions, with their prefixes.
    pub actions: BTreeSet<String>,
    /// Patterns of ARNs.
    pub resources: BTreeSet<String>,
    /// As IAM has it.
    pub condition: Option<Value>,
    /// Who asks for it.
    pub caller: Caller,
}

/// What is to be known beside the policies, a sentence each without its period.
#[derive(Debug, Default)]
pub(crate) struct Notes(BTreeSet<String>);

impl Notes {
    fn add(&mut self, note: String) {
        self.0.insert(note);
    }

    /// Each, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// All that a stage's deploying identity needs.
#[derive(Debug)]
pub(crate) struct Identity {
    /// What the names of the stage's stacks begin with; of several stages', without the star.
    pub prefix: String,
    /// What it has to be allowed.
    pub statements: Vec<Statement>,
    /// The boundary of the stage's roles; none if it has none.
    boundary: Option<(String, Vec<Statement>)>,
    /// What can't be told.
    pub notes: Notes,
}

/// A managed policy.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// What it is called.
    pub name: String,
    /// Whether it is the boundary of functions, which nobody is given.
    pub is_boundary: bool,
    /// As IAM takes it, but for the account's pseudo parameters.
    pub document: Value,
    /// For whose calls each of its statements is, by their names.
    pub callers: Vec<(String, Caller)>,
}

/// What the boundary of a stage's roles is called: as the stage says, or as it should.
pub(crate) fn boundary_name(project: &Project) -> String {
    let usual = || format!("{}function-boundary", project.stack_prefix());
    project.stage.boundary.clone().unwrap_or_else(usual)
}

impl Identity {
    /// That of a stage; `boundary` is the name of the policy that its roles have for one, or its ARN.
    pub(crate) fn of(project: &Project, boundary: &str) -> Self {
        let names = Names::of(project);
        let mut notes = Notes::default();
        let mut statements = own::statements(&names);
        statements.extend(handlers::statements(&names, boundary, &mut notes));
        statements.extend(outside::statements(&names));
        if names.has("AWS::IAM::ManagedPolicy") {
            statements.push(untouched(boundary));
        }
        let has_roles = names.has("AWS::IAM::Role") || names.has("AWS::IAM::User");
        let bounds = has_roles.then(|| boundary::statements(&names, &mut notes));
        if names.has("AWS::IAM::Group") {
            notes.add("the templates have groups of users, whom no boundary holds: whoever deploys them may give themselves everything".to_owned());
        }
        Self {
            prefix: project.stack_prefix(),
            statements,
            boundary: bounds.map(|statements| (boundary.to_owned(), statements)),
            notes,
        }
    }

    /// The same for all stages that are called alike: each name in it that has `one` has `all` instead.
    pub(crate) fn for_all(mut self, one: &str, all: &str) -> Self {
        let renamed = |texts: &BTreeSet<String>| texts.iter().map(|text| text.replace(one, all)).collect();
        let bounds = self.boundary.iter_mut().flat_map(|(_, statements)| statements);
        for statement in self.statements.iter_mut().chain(bounds) {
            statement.resources = renamed(&statement.resources);
            statement.condition = statement
                .condition
                .as_ref()
                .map(|condition| texts(condition, &|text| text.replace(one, all)));
        }
        self.prefix = self.prefix.replace(one, all.trim_end_matches(['*', '-']));
        self
    }

    /// Whether the stage has roles, which are to have a boundary.
    pub(crate) fn has_boundary(&self) -> bool {
        self.boundary.is_some()
    }

    /// The policies: as few as IAM's limit allows, and the boundary.
    ///
    /// # Errors
    /// The boundary, or a statement alone, is longer than IAM takes.
    pub(crate) fn policies(&self) -> Result<Vec<Policy>> {
        let mut parts: Vec<Vec<&Statement>> = Vec::new();
        for statement in &self.statements {
            // What the deployer asks for and what CloudFormation does stay apart: whoever reads them can tell why.
            let is_alike = |part: &Vec<&Statement>| {
                let first = part.first().map(|first| first.caller == Caller::Deployer);
                first == Some(statement.caller == Caller::Deployer)
            };
            let fits = |part: &Vec<&Statement>| {
                let mut with: Vec<&Statement> = part.clone();
                with.push(statement);
                length(&document(&with)) <= LONGEST_CHARACTERS
            };
            match parts.iter_mut().find(|part| is_alike(part) && fits(part)) {
                Some(part) => part.push(statement),
                None => parts.push(vec![statement]),
            }
        }
        let prefix = self.prefix.trim_end_matches('-');
        let mut policies = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            policies.push(Policy {
                // Not as the stage's own resources are: whoever deploys them may change those.
                name: format!("deployer-{prefix}-{}", index + 1),
                is_boundary: false,
                document: document(part),
                callers: callers(part),
            });
        }
        if let Some((name, statements)) = self.boundary.as_ref().filter(|(name, _)| !name.starts_with("arn:")) {
            let statements: Vec<&Statement> = statements.iter().collect();
            policies.push(Policy {
                name: name.clone(),
                is_boundary: true,
                document: document(&statements),
                callers: callers(&statements),
            });
        }
        match policies
            .iter()
            .find(|policy| length(&policy.document) > LONGEST_CHARACTERS)
        {
            None => Ok(policies),
            Some(long) => Err(Error::new(
                ErrorKind::InvalidProject,
                format!("the policy {} would be longer than IAM takes", long.name),
            )
            .cause(format!(
                "IAM takes {LONGEST_CHARACTERS} characters, and it names each resource"
            ))
            .hint("Begin their names with `${Project}-${Stage}-`, or leave the names out of the templates.")),
        }
    }
}

/// That nobody changes the boundary, whatever they may do to policies that are called alike.
fn untouched(boundary: &str) -> Statement {
    Statement {
        sid: "BoundaryStays".to_owned(),
        effect: Effect::Deny,
        actions: actions(&[
            "iam:CreatePolicy",
            "iam:CreatePolicyVersion",
            "iam:DeletePolicy",
            "iam:DeletePolicyVersion",
            "iam:SetDefaultPolicyVersion",
        ]),
        resources: BTreeSet::from([policy_arn(boundary)]),
        condition: None,
        caller: Caller::CloudFormation(BTreeSet::from(["AWS::IAM::ManagedPolicy".to_owned()])),
    }
}

/// What is denied to whoever deploys previews: the resources of these stages of the project, whatever its policies allow.
pub(crate) fn never(project: &str, prefix: &str, stages: &BTreeSet<String>) -> Policy {
    let each = |stage: &String| {
        let prefix = format!("{project}-{stage}-*");
        [
            format!("cloudformation:*:${{AWS::AccountId}}:stack/{prefix}/*"),
            format!("iam::${{AWS::AccountId}}:role/{prefix}"),
            format!("s3:::{prefix}"),
            format!("dynamodb:*:${{AWS::AccountId}}:table/{prefix}"),
            format!("lambda:*:${{AWS::AccountId}}:function:{prefix}"),
            format!("logs:*:${{AWS::AccountId}}:log-group:/aws/lambda/{prefix}"),
            format!("sns:*:${{AWS::AccountId}}:{prefix}"),
            format!("sqs:*:${{AWS::AccountId}}:{prefix}"),
            format!("cloudwatch:*:${{AWS::AccountId}}:alarm:{prefix}"),
            format!("cloudfront::${{AWS::AccountId}}:function/{prefix}"),
        ]
    };
    let resources: Vec<String> = stages
        .iter()
        .flat_map(each)
        .map(|rest| format!("arn:${{AWS::Partition}}:{rest}"))
        .collect();
    let tags: Vec<String> = stages.iter().map(|stage| format!("{project}-{stage}-*")).collect();
    Policy {
        name: format!("deployer-{}-never", prefix.trim_end_matches('-')),
        is_boundary: false,
        callers: Vec::new(),
        document: json!({
            "Version": "2012-10-17",
            "Statement": [
                { "Sid": "ProtectedStages", "Effect": "Deny", "Action": "*", "Resource": resources },
                {
                    "Sid": "ApisOfProtectedStages", "Effect": "Deny", "Action": "apigateway:*", "Resource": "*",
                    "Condition": { "StringLike": { "aws:ResourceTag/aws:cloudformation:stack-name": tags } },
                },
            ],
        }),
    }
}

/// A policy's document.
fn document(statements: &[&Statement]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements.iter().map(|one| one.document()).collect::<Vec<_>>() })
}

fn callers(statements: &[&Statement]) -> Vec<(String, Caller)> {
    let each = statements.iter().map(|one| (one.sid.clone(), one.caller.clone()));
    each.collect()
}

impl Statement {
    /// As IAM has it.
    fn document(&self) -> Value {
        let mut document = json!({
            "Sid": self.sid,
            "Effect": match self.effect {
                Effect::Allow => "Allow",
                Effect::Deny => "Deny",
            },
            "Action": one_or_all(&self.actions),
            "Resource": one_or_all(&self.resources),
        });
        if let Some(condition) = &self.condition {
            document["Condition"] = condition.clone();
        }
        document
    }
}

fn one_or_all(texts: &BTreeSet<String>) -> Value {
    match texts.iter().collect::<Vec<_>>().as_slice() {
        [only] => json!(only),
        several => json!(several),
    }
}

/// How long a document is as IAM counts it, with the longest that the account may put in.
fn length(document: &Value) -> usize {
    let text = document.to_string();
    let more: isize = PSEUDO
        .iter()
        .map(|(name, length)| {
            text.matches(name).count().cast_signed() * (length.cast_signed() - name.len().cast_signed())
        })
        .sum();
    text.len().saturating_add_signed(more)
}

/// A document with each of its texts, but for the keys, made anew.
pub(crate) fn texts(value: &Value, text: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(one) => json!(text(one)),
        Value::Array(items) => items.iter().map(|item| texts(item, text)).collect(),
        Value::Object(map) => {
            let fields = map.iter().map(|(key, value)| (key.clone(), texts(value, text)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

/// The ARN of a policy of the account's, by its name or ARN.
fn policy_arn(name: &str) -> String {
    if name.starts_with("arn:") {
        name.to_owned()
    } else {
        format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:policy/{name}")
    }
}

fn actions(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
