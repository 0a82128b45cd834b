//! What values change: what is deployed beside what is wanted, with what parameters are put in their places. CloudFormation
//! tells most of it in a change set; an emulator tells none.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::change::{Action, PropertyChange, Replacement, ResourceChange};
pub(crate) use super::protection::Resolved;
use super::redeployment::DEPLOYMENT;
use crate::project::template::{self, Template, references};

/// What a resource's definition has beside its properties that changes what becomes of it.
const ATTRIBUTES: &[&str] = &["DeletionPolicy", "UpdateReplacePolicy", "Metadata"];

/// Adds to `changes` what values they are about, and of those that are only due to others what those are.
pub(crate) fn explain(changes: &mut [ResourceChange], deployed: Resolved<'_>, wanted: Resolved<'_>) {
    let changed: BTreeSet<String> = changes.iter().map(|change| change.logical_id.clone()).collect();
    for change in changes {
        if change.resource_type == DEPLOYMENT {
            // It's a snapshot: it is what it is of that changes.
            change.because_of = vec!["the API's definition".to_owned()];
            continue;
        }
        if change.action != Action::Modify {
            continue;
        }
        let own = between(deployed, wanted, &change.logical_id);
        if change.values.is_empty() && own.is_empty() && change.because_of.is_empty() {
            let resource = wanted.template.resource(&change.logical_id);
            let used = resource.map(references).unwrap_or_default();
            let used = used.into_iter().filter(|name| changed.contains(name));
            change.because_of = used.filter(|name| *name != change.logical_id).collect();
        }
        for value in own {
            if !change.values.iter().any(|known| known.path == value.path) && change.because_of.is_empty() {
                change.values.push(value);
            }
        }
    }
}

/// What an update from one template to the other would change, as far as they tell: not whether CloudFormation has to make a
/// resource anew for it.
pub(crate) fn compared(deployed: Resolved<'_>, wanted: Resolved<'_>) -> Vec<ResourceChange> {
    let made = |of: Resolved<'_>| {
        let made = of.template.resources();
        let made = made.filter(move |(_, resource)| of.template.is_wanted(resource, of.scope));
        made.map(|(id, resource)| (id.to_owned(), Template::type_of(resource).to_owned()))
            .collect::<BTreeMap<_, _>>()
    };
    let (before, after) = (made(deployed), made(wanted));
    let mut changes = Vec::new();
    for (id, kind) in &after {
        let addition = ResourceChange::addition(id, kind);
        match before.get(id) {
            None => changes.push(addition),
            Some(old) => {
                let values = between(deployed, wanted, id);
                let replacement = if old == kind {
                    Replacement::Never
                } else {
                    Replacement::Always
                };
                if !values.is_empty() || replacement == Replacement::Always {
                    changes.push(ResourceChange {
                        action: Action::Modify,
                        replacement,
                        values,
                        ..addition
                    });
                }
            }
        }
    }
    for (id, kind) in before.iter().filter(|(id, _)| !after.contains_key(*id)) {
        changes.push(ResourceChange {
            action: Action::Remove,
            retained: !deployed.template.goes_with_stack(id),
            ..ResourceChange::addition(id, kind)
        });
    }
    changes
}

/// What is another in the definition of a resource that both have, or in only one of them.
pub(crate) fn between(deployed: Resolved<'_>, wanted: Resolved<'_>, id: &str) -> Vec<PropertyChange> {
    let section = |of: Resolved<'_>, name: &str| {
        of.template
            .resource(id)?
            .get(name)
            .and_then(|value| value_of(of, value))
    };
    let mut changes = Vec::new();
    compare(
        "",
        section(deployed, "Properties"),
        section(wanted, "Properties"),
        &mut changes,
    );
    for attribute in ATTRIBUTES {
        compare(
            attribute,
            section(deployed, attribute),
            section(wanted, attribute),
            &mut changes,
        );
    }
    changes
}

fn compare(path: &str, before: Option<Value>, after: Option<Value>, changes: &mut Vec<PropertyChange>) {
    match (before, after) {
        (before, after) if before == after => {}
        // A whole resource's properties may be missing where all are new.
        (before, after) if path.is_empty() && (before.is_none() || after.is_none()) => {
            let empty = || Value::Object(Map::new());
            compare(
                path,
                before.or_else(|| Some(empty())),
                after.or_else(|| Some(empty())),
                changes,
            );
        }
        (Some(Value::Object(mut before)), Some(Value::Object(after))) if !(is_call(&before) || is_call(&after)) => {
            let dot = if path.is_empty() { "" } else { "." };
            for (name, after) in after {
                compare(
                    &format!("{path}{dot}{name}"),
                    before.remove(&name),
                    Some(after),
                    changes,
                );
            }
            for (name, before) in before {
                compare(&format!("{path}{dot}{name}"), Some(before), None, changes);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) if before.len() == after.len() => {
            for (index, (before, after)) in before.into_iter().zip(after).enumerate() {
                compare(&format!("{path}[{index}]"), Some(before), Some(after), changes);
            }
        }
        (before, after) => changes.push(PropertyChange {
            path: path.to_owned(),
            before,
            after,
            replaces: Replacement::Never,
        }),
    }
}

/// Whether a map is a call of one of CloudFormation's functions.
fn is_call(map: &Map<String, Value>) -> bool {
    map.len() == 1 && map.keys().all(|name| name == "Ref" || name.starts_with("Fn::"))
}

/// A value with all that is known put in its place; none where it is `AWS::NoValue`. Numbers and flags become text, as which
/// CloudFormation takes them, too.
pub(crate) fn value_of(of: Resolved<'_>, value: &Value) -> Option<Value> {
    let value = of.template.chosen(value, of.scope).unwrap_or(value);
    if let Some(text) = of.template.text_of(value, of.scope) {
        return Some(Value::String(text));
    }
    match value {
        Value::Null => None,
        Value::Array(items) => Some(items.iter().filter_map(|item| value_of(of, item)).collect()),
        Value::Object(map) if map.get("Ref").is_some_and(|name| name == "AWS::NoValue") => None,
        Value::Object(map) => Some(Value::Object(
            map.iter()
                .filter_map(|(name, inner)| {
                    let inner = match (name.as_str(), inner) {
                        ("Ref" | "Fn::GetAtt", _) => inner.clone(),
                        ("Fn::Sub", Value::String(text)) => template::substitute_known(text, of.scope).into(),
                        _ => value_of(of, inner)?,
                    };
                    Some((name.clone(), inner))
                })
                .collect(),
        )),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(value.clone()),
    }
}

/// `/Properties/Tags/0/Value` as `Tags[0].Value`.
pub(super) fn dotted(pointer: &str) -> String {
    let path = pointer.strip_prefix("/Properties/").unwrap_or(pointer);
    let mut dotted = String::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            dotted.push_str(&format!("[{part}]"));
        } else {
            let dot = if dotted.is_empty() { "" } else { "." };
            dotted.push_str(&format!("{dot}{part}"));
        }
    }
    dotted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::template::Scope;

    const BEFORE: &str = r#"
Parameters: { Days: { Type: Number }, Key: { Type: String, NoEcho: true } }
Conditions: { Long: !Equals [!Ref Days, "30"] }
Resources:
  Logs: { Type: AWS::Logs::LogGroup, Properties: { RetentionInDays: !Ref Days, LogGroupName: !Sub "/${Stage}/${Function}" } }
  Function:
    Type: AWS::Lambda::Function
    Properties:
      MemorySize: 128
      Code: { S3Key: a.zip }
      Environment: { Variables: { KEY: !Ref Key, OLD: x, TABLE: !If [Long, y, !Ref "AWS::NoValue"] } }
      Layers: [a]
  Method: { Type: AWS::ApiGateway::Method, Properties: { Uri: !Sub "arn:${Function.Arn}" } }
"#;

    fn scope(days: &str) -> Scope {
        Scope::from([
            ("Days".to_owned(), days.to_owned()),
            ("Stage".to_owned(), "dev".to_owned()),
        ])
    }

    fn changes(after: &str, days: &str, id: &str) -> Vec<(String, Option<Value>, Option<Value>)> {
        let (before, after) = (Template::of_text(BEFORE), Template::of_text(after));
        let (old, new) = (scope("30"), scope(days));
        let resolved = |template, scope| Resolved { template, scope };
        let changes = between(resolved(&before, &old), resolved(&after, &new), id);
        changes
            .into_iter()
            .map(|one| (one.path, one.before, one.after))
            .collect()
    }

    fn one(path: &str, before: Option<Value>, after: Option<Value>) -> (String, Option<Value>, Option<Value>) {
        (path.to_owned(), before, after)
    }

    #[test]
    fn only_what_is_another_is_told() {
        assert_eq!(changes(BEFORE, "30", "Logs"), []);
        assert_eq!(changes(BEFORE, "30", "Function"), []);
        // The same, written in another way.
        assert_eq!(
            changes(
                &BEFORE.replace("MemorySize: 128", r#"MemorySize: "128""#),
                "30",
                "Function"
            ),
            []
        );
    }

    #[test]
    fn a_parameter_that_has_another_value_is_a_change_where_it_is_used() {
        let old = |text: &str| Some(Value::from(text));
        assert_eq!(
            changes(BEFORE, "14", "Logs"),
            [one("RetentionInDays", old("30"), old("14"))]
        );
        let gone = [one("Environment.Variables.TABLE", old("y"), None)];
        assert_eq!(changes(BEFORE, "14", "Function"), gone, "a condition decides otherwise");
    }

    #[test]
    fn values_are_told_by_their_paths() {
        let text = |text: &str| Some(Value::from(text));
        let after = BEFORE
            .replace("OLD: x", "NEW: z")
            .replace("Layers: [a]", "Layers: [b]")
            .replace("/${Stage}/${Function}", "/${Stage}/x-${Function}");
        let expected = [
            one("Environment.Variables.NEW", None, text("z")),
            one("Environment.Variables.OLD", text("x"), None),
            one("Layers[0]", text("a"), text("b")),
        ];
        assert_eq!(changes(&after, "30", "Function"), expected);
        let sub = |text: &str| Some(serde_json::json!({ "Fn::Sub": text }));
        let name = one("LogGroupName", sub("/dev/${Function}"), sub("/dev/x-${Function}"));
        assert_eq!(changes(&after, "30", "Logs"), [name]);
    }

    #[test]
    fn templates_alone_tell_what_comes_and_goes() {
        let (before, after) = (
            Template::of_text(BEFORE),
            Template::of_text(
                &BEFORE
                    .replace("  Logs: {", "  Log: { DeletionPolicy: Retain,")
                    .replace("128", "256"),
            ),
        );
        let scope = scope("30");
        let resolved = |template| Resolved {
            template,
            scope: &scope,
        };
        let told = |changes: Vec<ResourceChange>| {
            let told = changes
                .into_iter()
                .map(|one| (one.action, one.logical_id, one.values.len(), one.retained));
            told.collect::<Vec<_>>()
        };
        assert_eq!(
            told(compared(resolved(&before), resolved(&after))),
            [
                (Action::Modify, "Function".to_owned(), 1, false),
                (Action::Add, "Log".to_owned(), 0, false),
                (Action::Remove, "Logs".to_owned(), 0, false),
            ]
        );
        let back = told(compared(resolved(&after), resolved(&before)));
        assert_eq!(back[2], (Action::Remove, "Log".to_owned(), 0, true), "it stays behind");
    }

    #[test]
    fn what_changes_with_something_else_names_it() {
        let template = Template::of_text(BEFORE);
        let scope = scope("30");
        let resolved = || Resolved {
            template: &template,
            scope: &scope,
        };
        let change = |id: &str, kind: &str| ResourceChange {
            action: Action::Modify,
            ..ResourceChange::addition(id, kind)
        };
        let mut all = [
            change("Method", "AWS::ApiGateway::Method"),
            change("Function", "AWS::Lambda::Function"),
            change("Deployment1", DEPLOYMENT),
        ];
        explain(&mut all, resolved(), resolved());
        assert_eq!(all[0].because_of, ["Function"]);
        assert_eq!(all[1].because_of, [""; 0], "nobody knows");
        assert_eq!(all[2].because_of, ["the API's definition"]);
    }
}
