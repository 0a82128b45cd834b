//! What the two roles may do: the deploying identity's policies, with the names of one stage, or of all previews. Pure.

use serde_json::{Map, Value, json};

use crate::error::{OrFail as _, Result};

/// The policies of `docs/deploying-identity`, each with its name.
const IDENTITY: &[(&str, &str)] = &[
    ("Stacks", include_str!("../../../docs/deploying-identity/stacks.json")),
    ("Site", include_str!("../../../docs/deploying-identity/site.json")),
    ("App", include_str!("../../../docs/deploying-identity/app.json")),
    ("Data", include_str!("../../../docs/deploying-identity/data.json")),
];

/// What functions' roles may do at most.
const BOUNDARY: &str = include_str!("../../../docs/function-boundary.json");

/// The longest managed policy that IAM takes, without white space.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub(super) const LONGEST_CHARACTERS: usize = 6_144;

/// Whose a role is about.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// What the logical ids begin with, and the role's: `Deploy`, `Preview`.
    pub role: &'static str,
    /// The project's name.
    pub project: String,
    /// The stage's name, or a pattern of them.
    pub stage: String,
    /// The name of the boundary of its functions' roles.
    pub boundary: String,
    /// The names that templates give to functions.
    pub functions: Vec<String>,
    /// And to tables.
    pub tables: Vec<String>,
    /// The stages that it is denied, whatever else it may do.
    pub denied: Vec<String>,
}

/// A managed policy: its logical id, its name if it needs one, the role that it is attached to, and its document.
#[derive(Debug)]
pub(super) struct Policy {
    pub id: String,
    pub name: Option<String>,
    pub role: Option<&'static str>,
    pub document: Value,
}

impl Subject {
    /// All of its policies.
    ///
    /// # Errors
    /// None: what they are made of is part of the program, and is tested.
    pub(super) fn policies(&self) -> Result<Vec<Policy>> {
        let mut policies = Vec::new();
        for (name, text) in IDENTITY {
            policies.push(Policy {
                id: format!("{}{name}Policy", self.role),
                name: None,
                role: Some(self.role),
                document: self.filled(text)?,
            });
        }
        if !self.denied.is_empty() {
            policies.push(Policy {
                id: format!("{}NeverPolicy", self.role),
                name: None,
                role: Some(self.role),
                document: self.denial(),
            });
        }
        policies.push(Policy {
            id: format!("{}FunctionBoundary", self.role),
            name: Some(self.boundary.clone()),
            role: None,
            document: self.filled(BOUNDARY)?,
        });
        Ok(policies)
    }

    /// A policy with these names.
    fn filled(&self, text: &str) -> Result<Value> {
        let mut document: Value = serde_json::from_str(text).or_fail(|| "could not read a policy".to_owned())?;
        let statements = document.get_mut("Statement").and_then(Value::as_array_mut);
        for statement in statements.into_iter().flatten() {
            if let Some(resources) = statement.get_mut("Resource") {
                *resources = self.resources(resources);
            }
            if let Some(condition) = statement.get_mut("Condition") {
                *condition = self.texts(condition);
            }
        }
        Ok(document)
    }

    /// The resources of a statement: one for each name that a template chooses.
    fn resources(&self, resources: &Value) -> Value {
        let one = std::slice::from_ref(resources);
        let all = resources
            .as_array()
            .map_or(one, Vec::as_slice)
            .iter()
            .filter_map(Value::as_str);
        let mut filled: Vec<Value> = Vec::new();
        for resource in all {
            let names = if resource.contains("FUNCTION") {
                self.functions
                    .iter()
                    .map(|name| resource.replace("FUNCTION", name))
                    .collect()
            } else if resource.contains("TABLE") {
                self.tables.iter().map(|name| resource.replace("TABLE", name)).collect()
            } else {
                vec![resource.to_owned()]
            };
            filled.extend(names.iter().map(|name| self.text(name)));
        }
        match <[Value; 1]>::try_from(filled) {
            Ok([only]) => only,
            Err(several) => Value::Array(several),
        }
    }

    fn texts(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter().map(|item| self.texts(item)).collect(),
            Value::Object(map) => {
                let map: Map<String, Value> = map
                    .iter()
                    .map(|(key, value)| (key.clone(), self.texts(value)))
                    .collect();
                Value::Object(map)
            }
            other => other.clone(),
        }
    }

    /// A text with these names; what the account decides, CloudFormation puts in.
    fn text(&self, text: &str) -> Value {
        let text = text
            .replace("PROJECT-STAGE-function-boundary", &self.boundary)
            .replace("PROJECT", &self.project)
            .replace("STAGE", &self.stage);
        substituted(&text)
    }

    /// What no policy of the role may allow, whatever is added to it.
    fn denial(&self) -> Value {
        let resources: Vec<Value> = self
            .denied
            .iter()
            .flat_map(|stage| {
                let prefix = format!("{}-{stage}-*", self.project);
                [
                    format!("arn:PARTITION:cloudformation:*:ACCOUNT:stack/{prefix}/*"),
                    format!("arn:PARTITION:iam::ACCOUNT:role/{prefix}"),
                    format!("arn:PARTITION:s3:::{prefix}"),
                    format!("arn:PARTITION:dynamodb:*:ACCOUNT:table/{prefix}"),
                    format!("arn:PARTITION:lambda:*:ACCOUNT:function:{prefix}"),
                    format!("arn:PARTITION:logs:*:ACCOUNT:log-group:/aws/lambda/{prefix}"),
                    format!("arn:PARTITION:sns:*:ACCOUNT:{prefix}"),
                    format!("arn:PARTITION:cloudwatch:*:ACCOUNT:alarm:{prefix}"),
                    format!("arn:PARTITION:cloudfront::ACCOUNT:function/{prefix}"),
                ]
            })
            .map(|text| substituted(&text))
            .collect();
        let tags: Vec<String> = self
            .denied
            .iter()
            .map(|stage| format!("{}-{stage}-*", self.project))
            .collect();
        json!({
            "Version": "2012-10-17",
            "Statement": [
                { "Sid": "ProtectedStages", "Effect": "Deny", "Action": "*", "Resource": resources },
                {
                    "Sid": "ApisOfProtectedStages", "Effect": "Deny", "Action": "apigateway:*", "Resource": "*",
                    "Condition": { "StringLike": { "aws:ResourceTag/aws:cloudformation:stack-name": tags } },
                },
            ],
        })
    }
}

/// A text with the account's own in it.
fn substituted(text: &str) -> Value {
    let filled = text
        .replace("PARTITION", "${AWS::Partition}")
        .replace("ACCOUNT", "${AWS::AccountId}")
        .replace("REGION", "${AWS::Region}");
    if filled == text {
        json!(text)
    } else {
        json!({ "Fn::Sub": filled })
    }
}

impl Policy {
    /// Its length as IAM counts it, with the longest that the account may put in.
    pub(super) fn length(&self) -> usize {
        let text = self.document.to_string();
        let names = [
            ("${AWS::Partition}", 10),
            ("${AWS::AccountId}", 12),
            ("${AWS::Region}", 14),
        ];
        let longest = names
            .iter()
            .fold(text, |text, (name, length)| text.replace(name, &"x".repeat(*length)));
        longest.replace("{\"Fn::Sub\":", "").len()
    }

    /// As a resource of the template; the document is JSON within the YAML.
    pub(super) fn resource(&self) -> Result<String> {
        let document =
            serde_json::to_string_pretty(&self.document).or_fail(|| "could not write a policy".to_owned())?;
        let document = document.replace('\n', "\n        ");
        let name = self
            .name
            .as_ref()
            .map_or(String::new(), |name| format!("      ManagedPolicyName: {name}\n"));
        let roles = self
            .role
            .map_or(String::new(), |role| format!("      Roles: [!Ref {role}Role]\n"));
        Ok(format!(
            "  {}:\n    Type: AWS::IAM::ManagedPolicy\n    Properties:\n{name}{roles}      PolicyDocument:\n        {document}\n\n",
            self.id
        ))
    }
}
