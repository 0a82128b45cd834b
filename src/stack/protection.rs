//! What keeps a stack's data, and what an update takes of that away. What is deployed decides, whatever this checkout
//! says: lifting a protection is a loss, though the resource stays.

use std::collections::BTreeMap;

use serde_json::Value;

use super::change::STATEFUL;
use crate::project::template::{Scope, Template};

/// A property that protects what is in a resource: its type, its path, the value that protects, and what is lost with it.
const PROPERTIES: &[(&str, &str, &str, &str)] = &[
    (
        "AWS::Cognito::UserPool",
        "DeletionProtection",
        "ACTIVE",
        "its deletion protection",
    ),
    (
        "AWS::DynamoDB::Table",
        "DeletionProtectionEnabled",
        "true",
        "its deletion protection",
    ),
    (
        "AWS::DynamoDB::Table",
        RECOVERY,
        "true",
        // Not what is from now on alone: switching it off throws away what there is.
        // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
        "its point-in-time recovery, with every point that it could be restored to",
    ),
    (
        "AWS::RDS::DBCluster",
        "DeletionProtection",
        "true",
        "its deletion protection",
    ),
    (
        "AWS::RDS::DBInstance",
        "DeletionProtection",
        "true",
        "its deletion protection",
    ),
    (
        "AWS::S3::Bucket",
        "VersioningConfiguration.Status",
        "Enabled",
        "its versioning: what is overwritten or deleted from now on is gone",
    ),
];

/// Whether a table can be restored to a point in time.
const RECOVERY: &str = "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled";

/// To how many days back: fewer is a loss of what is older.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-dynamodb-table-pointintimerecoveryspecification.html>
const RECOVERY_PERIOD: &str = "PointInTimeRecoverySpecification.RecoveryPeriodInDays";

/// What that is where nothing is said, in days.
const LONGEST_RECOVERY_DAYS: u32 = 35;

/// The attributes that keep a resource, or a copy of it, when it leaves its stack.
const POLICIES: &[(&str, &str)] = &[
    (
        "DeletionPolicy",
        "what keeps it when its stack or its template entry goes",
    ),
    ("UpdateReplacePolicy", "what keeps it when another takes its place"),
];

/// Whether resources of a type hold what can't be made again from the project.
pub(crate) fn holds_data(resource_type: &str) -> bool {
    STATEFUL.contains(&resource_type)
}

/// Whether a stack of this template keeps data that a protected stage doesn't let go: it has a resource that holds some,
/// and that doesn't say plainly that it goes with its stack.
pub(crate) fn keeps_data(template: &Template) -> bool {
    template.resources().any(|(_, resource)| {
        holds_data(Template::type_of(resource))
            && resource.get("DeletionPolicy").is_none_or(|policy| policy != "Delete")
    })
}

/// What undoing changes made by hand may take from the data of a resource of this type, if it changes these properties.
pub(super) fn reverted(kind: &str, name: &str, changed: &[String]) -> Vec<String> {
    PROPERTIES
        .iter()
        .filter(|(of, path, ..)| {
            let property = path.split('.').next().unwrap_or_default();
            *of == kind && changed.iter().any(|changed| changed == property)
        })
        .map(|(_, _, _, what)| format!("{kind} {name} may lose {what}"))
        .collect()
}

/// A template with what its parameters are: enough to know most values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resolved<'a> {
    /// The template.
    pub template: &'a Template,
    /// What names mean in it.
    pub scope: &'a Scope,
}

/// Whether something protects; that it can't be told from the template is a third answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Protects {
    Yes,
    No,
    Perhaps,
}

/// What resources of `deployed` lose by an update to `wanted` that keeps them, a sentence each; `names` are what they are
/// called, by logical id.
pub(super) fn lifted(deployed: Resolved<'_>, wanted: Resolved<'_>, names: &BTreeMap<&str, &str>) -> Vec<String> {
    let mut losses = Vec::new();
    // What can't be told is the same as before when all that it may depend on is.
    let same_terms = deployed.scope == wanted.scope && deployed.template.terms() == wanted.template.terms();
    for (id, before) in deployed.template.resources() {
        let kind = Template::type_of(before);
        let after = wanted.template.resources().find(|(other, _)| *other == id);
        let Some((_, after)) = after.filter(|(_, after)| STATEFUL.contains(&kind) && Template::type_of(after) == kind)
        else {
            continue;
        };
        if !deployed.template.is_wanted(before, deployed.scope) || same_terms && before == after {
            continue;
        }
        let mut compare = |before: Protects, after: Protects, what: &str| {
            let verb = match (before, after) {
                (Protects::Yes, Protects::No) => "loses",
                (Protects::Yes, Protects::Perhaps) | (Protects::Perhaps, Protects::No | Protects::Perhaps) => {
                    "may lose"
                }
                (Protects::No, _) | (_, Protects::Yes) => return,
            };
            let name = names.get(id).unwrap_or(&id);
            losses.push(format!("{kind} {name} {verb} {what}"));
        };
        for (_, path, on, what) in PROPERTIES.iter().filter(|(of, ..)| *of == kind) {
            compare(
                property(deployed, before, path, on),
                property(wanted, after, path, on),
                what,
            );
        }
        if kind == "AWS::DynamoDB::Table" && property(deployed, before, RECOVERY, "true") != Protects::No {
            let days = |of: Resolved<'_>, resource| match text_at(of, resource, RECOVERY_PERIOD) {
                Found::Text(days) => days.parse::<u32>().ok(),
                Found::Nothing => Some(LONGEST_RECOVERY_DAYS),
                Found::Unknown => None,
            };
            let still = match (days(deployed, before), days(wanted, after)) {
                (Some(from), Some(to)) if to < from => Protects::No,
                (Some(_), Some(_)) => Protects::Yes,
                _ => Protects::Perhaps,
            };
            let points = "the points in time that are older than its recovery will reach back";
            compare(Protects::Yes, still, points);
        }
        for (attribute, what) in POLICIES {
            compare(policy(before, attribute), policy(after, attribute), what);
        }
    }
    losses
}

fn property(resolved: Resolved<'_>, resource: &Value, path: &str, on: &str) -> Protects {
    match text_at(resolved, resource, path) {
        Found::Nothing => Protects::No,
        Found::Unknown => Protects::Perhaps,
        Found::Text(text) if text == on => Protects::Yes,
        Found::Text(_) => Protects::No,
    }
}

/// What a property is.
enum Found {
    Nothing,
    /// It can't be told from the template.
    Unknown,
    Text(String),
}

fn text_at(resolved: Resolved<'_>, resource: &Value, path: &str) -> Found {
    let Some(mut value) = resource.get("Properties") else {
        return Found::Nothing;
    };
    for key in path.split('.') {
        value = match resolved.template.chosen(value, resolved.scope) {
            None => return Found::Unknown,
            Some(map) => match map.get(key) {
                None => return Found::Nothing,
                Some(inner) => inner,
            },
        };
    }
    match resolved.template.text_of(value, resolved.scope) {
        None if value_is_absent(resolved, value) => Found::Nothing,
        None => Found::Unknown,
        Some(text) => Found::Text(text),
    }
}

fn value_is_absent(resolved: Resolved<'_>, value: &Value) -> bool {
    let chosen = resolved.template.chosen(value, resolved.scope);
    chosen.is_some_and(|value| value.get("Ref").is_some_and(|name| name == "AWS::NoValue"))
}

fn policy(resource: &Value, attribute: &str) -> Protects {
    match resource.get(attribute) {
        None => Protects::No,
        Some(Value::String(policy)) if policy == "Delete" => Protects::No,
        Some(Value::String(_)) => Protects::Yes,
        // An intrinsic function, which AWS::LanguageExtensions allows here.
        Some(_) => Protects::Perhaps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r#"
Parameters:
  Protected: { Type: String, Default: "true" }
Conditions:
  IsProtected: !Equals [!Ref Protected, "true"]
  IsAbsent: !Equals [!Ref Protected, never]
Mappings:
  Modes: { "true": { Mode: ACTIVE }, "false": { Mode: ACTIVE } }
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties:
      DeletionProtectionEnabled: !If [IsProtected, true, false]
      PointInTimeRecoverySpecification: !If [IsProtected, { PointInTimeRecoveryEnabled: true }, !Ref AWS::NoValue]
  Keys:
    Type: AWS::Cognito::UserPool
    Properties: { DeletionProtection: !FindInMap [Modes, !Ref Protected, Mode] }
  Files:
    Type: AWS::S3::Bucket
    Properties: { VersioningConfiguration: { Status: !ImportValue versioning } }
  Absent:
    Type: AWS::DynamoDB::Table
    Condition: IsAbsent
    Properties: { DeletionProtectionEnabled: true }
  Topic: { Type: AWS::SNS::Topic, DeletionPolicy: Retain }
"#;

    fn lifted_by(edits: &[(&str, &str)], protected: &str) -> Vec<String> {
        let parse = |text: &str| Template::of_text(text);
        let mut text = TABLE.to_owned();
        for (from, to) in edits {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        let (deployed, wanted) = (parse(TABLE), parse(&text));
        let scope = |value: &str| Scope::from([("Protected".to_owned(), value.to_owned())]);
        lifted(
            Resolved {
                template: &deployed,
                scope: &scope("true"),
            },
            Resolved {
                template: &wanted,
                scope: &scope(protected),
            },
            &BTreeMap::from([("Table", "Ledger")]),
        )
    }

    #[test]
    fn what_is_deployed_and_not_wanted_is_lifted() {
        assert_eq!(lifted_by(&[], "true"), Vec::<String>::new());
        let both = lifted_by(&[], "false");
        assert!(
            both.len() == 3 && both[0].contains("loses its deletion protection"),
            "{both:?}"
        );
        assert!(both[1].contains("loses its point-in-time recovery"), "{both:?}");
        // What an import is can't be told; it is as it was unless something about it changes.
        assert!(
            both[2].contains("AWS::S3::Bucket Files may lose its versioning"),
            "{both:?}"
        );
        for (edits, expected) in [
            (
                &[(
                    "DeletionProtectionEnabled: !If [IsProtected, true, false]",
                    "TableName: x",
                )][..],
                "loses its deletion",
            ),
            (
                &[("!If [IsProtected, true, false]", "false")],
                "loses its deletion protection",
            ),
            (
                &[("!If [IsProtected, true, false]", "!ImportValue x")],
                "may lose its deletion protection",
            ),
            (&[("    DeletionPolicy: RetainExceptOnCreate\n", "")], "when its stack"),
            (&[("RetainExceptOnCreate", "Delete")], "when its stack"),
            (
                &[("UpdateReplacePolicy: Retain", "UpdateReplacePolicy: Delete")],
                "when another takes its place",
            ),
        ] {
            let losses = lifted_by(edits, "true");
            assert!(
                losses.len() == 1 && losses[0].contains(expected),
                "{edits:?}: {losses:?}"
            );
        }
        // What isn't stateful has nothing to lose; what leaves is told as leaving.
        assert_eq!(
            lifted_by(&[(", DeletionPolicy: Retain }", " }")], "true"),
            Vec::<String>::new()
        );
        assert_eq!(lifted_by(&[("  Table:\n", "  Other:\n")], "true"), Vec::<String>::new());
        assert_eq!(
            lifted_by(
                &[("\"true\": { Mode: ACTIVE }", "\"true\": { Mode: INACTIVE }")],
                "true"
            )
            .len(),
            2
        );
    }

    #[test]
    fn a_recovery_that_reaches_less_far_is_a_loss() {
        let days = |days: &str| {
            let recovery = "{ PointInTimeRecoveryEnabled: true }";
            let with = format!("{{ PointInTimeRecoveryEnabled: true, RecoveryPeriodInDays: {days} }}");
            lifted_by(&[(recovery, &with)], "true")
        };
        let fewer = days("7");
        assert!(
            fewer.len() == 1 && fewer[0].contains("Ledger loses the points in time"),
            "{fewer:?}"
        );
        assert_eq!(days("35"), Vec::<String>::new());
        assert!(days("!ImportValue days")[0].contains("may lose the points"));
    }

    #[test]
    fn what_is_undone_by_hand_may_be_a_protection() {
        let changed = ["DeletionProtectionEnabled", "Tags"].map(str::to_owned);
        let losses = reverted("AWS::DynamoDB::Table", "Ledger", &changed);
        assert!(
            losses.len() == 1 && losses[0].contains("Ledger may lose its deletion protection"),
            "{losses:?}"
        );
        assert_eq!(
            reverted("AWS::DynamoDB::Table", "Ledger", &changed[1..]),
            Vec::<String>::new()
        );
    }
}
