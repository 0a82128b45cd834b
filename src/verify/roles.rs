//! The roles that the templates have, with all the policies that any template gives them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::expected::Expected;
use super::stage::{Resource, Stage};
use crate::project::stacks::StackId;

/// The type of a role.
const ROLE: &str = "AWS::IAM::Role";
/// Its policies that stand outside of it, by name.
const INLINE: &[&str] = &["AWS::IAM::Policy", "AWS::IAM::RolePolicy"];
/// Policies with an ARN of their own, which is their `Ref`.
const MANAGED: &[&str] = &["AWS::IAM::ManagedPolicy"];

/// A role as the templates have it.
pub(super) struct Role<'s> {
    pub(super) resource: Resource<'s>,
    pub(super) inline: Vec<Inline<'s>>,
    /// The ARNs of what is to be attached.
    pub(super) attached: Vec<Expected>,
    /// Those of them that are policies of the templates.
    pub(super) own: Vec<Policy<'s>>,
    /// Whether there may be more than what is listed here: templates that only CloudFormation can read to the end.
    pub(super) is_open: bool,
}

/// A policy with a document.
pub(super) struct Policy<'s> {
    pub(super) resource: Resource<'s>,
    pub(super) document: Expected,
    /// Where that stands: below the resource's properties.
    path: Vec<String>,
}

/// An inline policy.
pub(super) struct Inline<'s> {
    pub(super) name: Expected,
    pub(super) policy: Policy<'s>,
}

impl Role<'_> {
    /// The stacks that say something of it.
    pub(super) fn stacks(&self) -> Vec<StackId> {
        let policies = self.inline.iter().map(|inline| &inline.policy).chain(&self.own);
        let resources = policies.map(|policy| policy.resource).chain([self.resource]);
        let ids: BTreeSet<StackId> = resources.map(|resource| resource.stack.definition.id.clone()).collect();
        ids.into_iter().collect()
    }

    /// The documents that say what it may do.
    pub(super) fn policies(&self) -> impl Iterator<Item = &Policy<'_>> {
        self.inline.iter().map(|inline| &inline.policy).chain(&self.own)
    }
}

/// All roles.
pub(super) fn of_stage<'s>(stage: &'s Stage<'_>) -> Vec<Role<'s>> {
    stage
        .resources_of(&[ROLE])
        .map(|role| of_resource(stage, role))
        .collect()
}

fn of_resource<'s>(stage: &'s Stage<'_>, role: Resource<'s>) -> Role<'s> {
    let mut is_open = stage.has_made(&["AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy"]);
    let mut names = |policy: &Resource<'_>| {
        let roles = [policy.property(&["Roles"]), policy.property(&["RoleName"])];
        let roles: Vec<&Expected> = roles.iter().flat_map(Expected::items).collect();
        is_open |= roles.iter().any(|name| !name.is_known());
        roles.iter().any(|name| name.known_text().as_deref() == Some(role.name))
    };
    let mut inline: Vec<Inline<'_>> = Vec::new();
    for policy in stage.resources_of(INLINE).filter(|policy| names(policy)) {
        inline.push(Inline {
            name: policy.property(&["PolicyName"]),
            policy: Policy::of(policy),
        });
    }
    let own: Vec<Policy<'_>> = stage
        .resources_of(MANAGED)
        .filter(|policy| names(policy))
        .map(Policy::of)
        .collect();
    let of_its_own = role.raw(&["Policies"]);
    match of_its_own {
        None => {}
        Some(Value::Array(policies)) => {
            for (index, policy) in policies.iter().enumerate() {
                match role.stack.expected(policy) {
                    Expected::Absent => {}
                    policy @ Expected::Map(_) => {
                        let of = |key: &str| policy.get(key).cloned().unwrap_or(Expected::Absent);
                        inline.push(Inline {
                            name: of("PolicyName"),
                            policy: Policy {
                                resource: role,
                                document: of("PolicyDocument"),
                                path: vec!["Policies".to_owned(), index.to_string(), "PolicyDocument".to_owned()],
                            },
                        });
                    }
                    _ => is_open = true,
                }
            }
        }
        Some(chosen) => is_open |= role.stack.expected(chosen) != Expected::Absent,
    }
    let arns = role.property(&["ManagedPolicyArns"]);
    is_open |= arns == Expected::Unknown;
    let mut attached: Vec<Expected> = match arns {
        Expected::Unknown => Vec::new(),
        arns => arns.items().into_iter().cloned().collect(),
    };
    // A role may name a policy that itself names the role: it is attached once.
    for policy in &own {
        if !attached.iter().any(|arn| arn.matches_text(policy.resource.name)) {
            attached.push(super::documents::text(policy.resource.name));
        }
    }
    let own =
        own.into_iter()
            .chain(named_by_arn(stage, &attached))
            .fold(Vec::<Policy<'_>>::new(), |mut all, policy| {
                if !all.iter().any(|known| known.resource.name == policy.resource.name) {
                    all.push(policy);
                }
                all
            });
    Role {
        resource: role,
        inline,
        attached,
        own,
        is_open,
    }
}

/// The templates' policies among those of some ARNs.
fn named_by_arn<'s>(stage: &'s Stage<'_>, arns: &[Expected]) -> Vec<Policy<'s>> {
    let known: BTreeSet<String> = arns.iter().filter_map(Expected::known_text).collect();
    stage
        .resources_of(MANAGED)
        .filter(|policy| known.contains(policy.name))
        .map(Policy::of)
        .collect()
}

impl<'s> Policy<'s> {
    fn of(resource: Resource<'s>) -> Self {
        Self {
            resource,
            document: resource.property(&["PolicyDocument"]),
            path: vec!["PolicyDocument".to_owned()],
        }
    }

    /// What it allows with a `*`, or by naming only what it doesn't: a sentence each, with the place.
    pub(super) fn wildcards(&self) -> Vec<String> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let raw = self.resource.raw(&path[..1]).and_then(|raw| {
            let below = path.get(1..).unwrap_or_default();
            below.iter().try_fold(raw, |raw, key| match raw {
                Value::Array(items) => items.get(key.parse::<usize>().ok()?),
                raw => self.resource.stack.chosen(raw)?.get(*key),
            })
        });
        let statements = raw.and_then(|raw| self.resource.stack.chosen(raw)?.get("Statement"));
        let statements = statements.and_then(|statements| self.resource.stack.chosen(statements));
        let statements: Vec<(Vec<String>, Expected)> = match statements {
            Some(Value::Array(list)) => {
                let list = list.iter().enumerate();
                list.map(|(index, one)| (vec![index.to_string()], self.resource.stack.expected(one)))
                    .collect()
            }
            Some(one) => vec![(Vec::new(), self.resource.stack.expected(one))],
            None => Vec::new(),
        };
        let warned = statements.iter().flat_map(|(index, statement)| {
            let path: Vec<&str> = path
                .iter()
                .copied()
                .chain(["Statement"])
                .chain(index.iter().map(String::as_str))
                .collect();
            wide(statement)
                .into_iter()
                .map(move |(key, what)| format!("{}: {what}", self.resource.place(&[&path[..], &[key]].concat())))
        });
        warned.collect()
    }
}

/// The keys of a statement that allow more than what they name, and what they do.
fn wide(statement: &Expected) -> Vec<(&'static str, String)> {
    let texts = |key: &str| -> Vec<String> {
        let items = statement.get(key).map(Expected::items).unwrap_or_default();
        items.into_iter().filter_map(Expected::known_text).collect()
    };
    if !statement
        .get("Effect")
        .is_some_and(|effect| effect.matches_text("Allow"))
    {
        return Vec::new();
    }
    let actions = texts("Action");
    let mut found = Vec::new();
    for action in actions.iter().filter(|action| *action == "*" || action.ends_with(":*")) {
        found.push((
            "Action",
            format!("`{action}` allows more actions than anyone has looked at"),
        ));
    }
    for key in ["NotAction", "NotResource"] {
        if statement.get(key).is_some() {
            found.push((key, format!("with `{key}` everything is allowed but what is named")));
        }
    }
    if texts("Resource").iter().any(|resource| resource == "*") {
        let what = if actions.is_empty() {
            "all that".to_owned()
        } else {
            actions.join(", ")
        };
        found.push(("Resource", format!("`*` allows {what} on every resource")));
    }
    found
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::template::{Scope, Template};

    #[test]
    fn what_allows_more_than_it_names_is_told() {
        let keys = |statement: &str| -> Vec<&'static str> {
            let text = format!("Resources: {{ R: {{ Type: T, Value: {statement} }} }}");
            let template = Template::of_text(&text);
            let value = template.resource("R").expect("there")["Value"].clone();
            wide(&Expected::of(&template, &value, &Scope::new()))
                .into_iter()
                .map(|(key, _)| key)
                .collect()
        };
        assert!(keys("{ Effect: Allow, Action: [s3:GetObject], Resource: 'arn:aws:s3:::b/*' }").is_empty());
        assert!(keys("{ Effect: Deny, NotAction: s3:*, Resource: '*' }").is_empty());
        assert_eq!(
            keys("{ Effect: Allow, Action: s3:*, Resource: ['*'] }"),
            ["Action", "Resource"]
        );
        assert_eq!(
            keys("{ Effect: Allow, Action: '*', NotResource: x }"),
            ["Action", "NotResource"]
        );
        assert_eq!(keys("{ Effect: Allow, NotAction: a:b, Resource: x }"), ["NotAction"]);
    }
}
