//! What the roles of a template may do, as single permissions that can be told apart: what one template allows beside
//! another.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::protection::Resolved;
use super::values::value_of;
use crate::project::template::Template;
use crate::report::written;

const ROLE: &str = "AWS::IAM::Role";

/// Types with a policy of their own, and the property that names who gets it.
const POLICIES: &[(&str, &str)] = &[
    ("AWS::IAM::ManagedPolicy", "Roles"),
    ("AWS::IAM::Policy", "Roles"),
    ("AWS::IAM::RolePolicy", "RoleName"),
];

/// One action on one resource that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Permission {
    /// The logical id of the role, or of the policy.
    pub holder: String,
    /// Whether it allows; else it denies.
    pub allows: bool,
    /// `dynamodb:GetItem`; `all but …` of a `NotAction`; what a managed policy allows, by its name; and `sts:AssumeRole` of who
    /// may take the role on.
    pub action: String,
    /// On what, or by whom.
    pub resource: String,
    /// Under which condition, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

/// All that the roles of a template are allowed and denied.
pub(crate) fn of_template(of: Resolved<'_>) -> BTreeSet<Permission> {
    let mut found = BTreeSet::new();
    let made = of
        .template
        .resources()
        .filter(|(_, resource)| of.template.is_wanted(resource, of.scope));
    for (id, resource) in made {
        let property = |name: &str| value_of(of, resource.get("Properties")?.get(name)?);
        let kind = Template::type_of(resource);
        if kind == ROLE {
            for policy in several(property("Policies")) {
                statements(id, policy.get("PolicyDocument"), &mut found);
            }
            for policy in several(property("ManagedPolicyArns")) {
                found.insert(Permission {
                    holder: id.to_owned(),
                    allows: true,
                    action: "all that it has".to_owned(),
                    resource: format!("the policy {}", written(&policy)),
                    condition: None,
                });
            }
            trusted(id, property("AssumeRolePolicyDocument").as_ref(), &mut found);
        }
        if let Some((_, holders)) = POLICIES.iter().find(|(of, _)| *of == kind) {
            let holders = several(property(holders));
            let named = holders
                .iter()
                .map(|holder| match holder.get("Ref").and_then(Value::as_str) {
                    Some(role) => role.to_owned(),
                    None => written(holder),
                });
            let mut named: Vec<String> = named.collect();
            if named.is_empty() {
                // Whoever is given it elsewhere.
                named.push(id.to_owned());
            }
            for holder in named {
                statements(&holder, property("PolicyDocument").as_ref(), &mut found);
            }
        }
    }
    found
}

fn several(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(items)) => items,
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn statements(holder: &str, document: Option<&Value>, found: &mut BTreeSet<Permission>) {
    for statement in several(document.and_then(|document| document.get("Statement")).cloned()) {
        for action in named(&statement, "Action", "NotAction") {
            for resource in named(&statement, "Resource", "NotResource") {
                found.insert(permission(holder, &statement, action.clone(), resource));
            }
        }
    }
}

/// Who may take on a role.
fn trusted(holder: &str, document: Option<&Value>, found: &mut BTreeSet<Permission>) {
    for statement in several(document.and_then(|document| document.get("Statement")).cloned()) {
        let principals = match statement.get("Principal") {
            Some(Value::Object(kinds)) => kinds.values().flat_map(|who| several(Some(who.clone()))).collect(),
            other => several(other.cloned()),
        };
        for action in named(&statement, "Action", "NotAction") {
            for principal in &principals {
                let who = format!("by {}", written(principal));
                found.insert(permission(holder, &statement, action.clone(), who));
            }
        }
    }
}

fn named(statement: &Value, positive: &str, negative: &str) -> Vec<String> {
    let texts = |value: &Value| several(Some(value.clone())).iter().map(written).collect::<Vec<_>>();
    match (statement.get(positive), statement.get(negative)) {
        (Some(value), _) => texts(value),
        (None, Some(value)) => vec![format!("all but {}", texts(value).join(", "))],
        (None, None) => Vec::new(),
    }
}

fn permission(holder: &str, statement: &Value, action: String, resource: String) -> Permission {
    Permission {
        holder: holder.to_owned(),
        // Nothing else allows: what can't be read is no permission.
        allows: statement.get("Effect").is_some_and(|effect| effect == "Allow"),
        action,
        resource,
        condition: statement.get("Condition").map(Value::to_string),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::template::Scope;

    fn told(text: &str) -> Vec<String> {
        let template = Template::of_text(text);
        let scope = Scope::from([("AWS::Region".to_owned(), "eu-west-1".to_owned())]);
        let all = of_template(Resolved {
            template: &template,
            scope: &scope,
        });
        let tell = |one: &Permission| {
            let verb = if one.allows { "may" } else { "may not" };
            let condition = one.condition.as_deref().unwrap_or_default();
            format!("{} {verb} {} {}{condition}", one.holder, one.action, one.resource)
        };
        all.iter().map(tell).collect()
    }

    #[test]
    fn each_action_on_each_resource_is_one() {
        let text = r#"
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: { Statement: [{ Effect: Allow, Action: "sts:AssumeRole", Principal: { Service: [a.amazonaws.com] } }] }
      ManagedPolicyArns: [!Ref Managed]
      Policies:
        - PolicyName: p
          PolicyDocument:
            Statement:
              - { Effect: Allow, Action: [a:X, a:Y], Resource: [!GetAtt Table.Arn, !Sub "arn:${AWS::Region}:${Other}"] }
              - { Effect: Deny, NotAction: [a:Z], Resource: "*", Condition: { Bool: { k: "true" } } }
  Own: { Type: AWS::IAM::RolePolicy, Properties: { RoleName: !Ref Role, PolicyDocument: { Statement: { Effect: Allow, Action: b:X, Resource: r } } } }
  Managed: { Type: AWS::IAM::ManagedPolicy, Properties: { PolicyDocument: { Statement: { Effect: Allow, Action: c:X, Resource: r } } } }
"#;
        assert_eq!(
            told(text),
            [
                "Managed may c:X r",
                r#"Role may not all but a:Z *{"Bool":{"k":"true"}}"#,
                "Role may a:X !GetAtt Table.Arn",
                "Role may a:X !Sub arn:eu-west-1:${Other}",
                "Role may a:Y !GetAtt Table.Arn",
                "Role may a:Y !Sub arn:eu-west-1:${Other}",
                "Role may all that it has the policy !Ref Managed",
                "Role may b:X r",
                "Role may sts:AssumeRole by a.amazonaws.com",
            ]
        );
    }
}
