//! What changes in a stack, in lines.

use anstyle::AnsiColor;
use serde_json::Value;

use super::Paint;
use super::event::{Action, PropertyChange, Replacement, ShownChange, StackAction, StackChanges};

/// The most characters of a value that are shown of it.
const LONGEST_VALUE: usize = 60;

/// The lines of a stack's changes: resource by resource if it is updated or `all` is wanted, else only what is lost.
pub(crate) fn stack_changes(paint: &Paint, stack: &StackChanges, all: bool) -> Vec<String> {
    let all = all || stack.verdict == StackAction::Update;
    let wanted = stack.changes.iter().filter(|shown| all || shown.loss.is_some());
    let is_due_to_others = |shown: &&ShownChange| shown.loss.is_none() && !shown.change.because_of.is_empty();
    let (with_others, own): (Vec<_>, Vec<_>) = wanted.partition(is_due_to_others);
    let mut lines: Vec<String> = own
        .into_iter()
        .flat_map(|shown| resource_change(paint, shown))
        .collect();
    if !with_others.is_empty() {
        // Whoever reads a plan looks for what they have changed.
        let names: Vec<&str> = with_others
            .iter()
            .map(|shown| shown.change.logical_id.as_str())
            .collect();
        let mut causes: Vec<&str> = with_others
            .iter()
            .flat_map(|shown| shown.change.because_of.iter().map(String::as_str))
            .filter(|cause| !names.contains(cause))
            .collect();
        causes.sort_unstable();
        causes.dedup();
        let with = if causes.is_empty() {
            String::new()
        } else {
            format!(" with {}", causes.join(", "))
        };
        lines.push(paint.dim(&format!("and{with}: {}", names.join(", "))));
    }
    lines.extend(stack.lifted.iter().map(|lifted| paint.color(AnsiColor::Red, lifted)));
    lines
}

fn resource_change(paint: &Paint, ShownChange { change, loss }: &ShownChange) -> Vec<String> {
    let symbol = match (change.action, change.replacement) {
        (Action::Add, _) => paint.color(AnsiColor::Green, "+"),
        (Action::Remove, _) => paint.color(AnsiColor::Red, "−"),
        (_, Replacement::Always) => paint.color(AnsiColor::Red, "±"),
        (_, Replacement::Perhaps) => paint.color(AnsiColor::Yellow, "±"),
        _ => paint.color(AnsiColor::Yellow, "~"),
    };
    let loss = loss
        .as_deref()
        .map_or(String::new(), |loss| format!(" {}", paint.color(AnsiColor::Red, loss)));
    let told: Vec<String> = change
        .values
        .iter()
        .map(|value| property_change(paint, value))
        .collect();
    // Of what CloudFormation tells no values only the names are known.
    let is_told = |property: &&String| {
        let begins = |value: &PropertyChange| value.path.split(['.', '[']).next() == Some(property.as_str());
        !change.values.iter().any(begins)
    };
    let untold: Vec<&str> = change.properties.iter().filter(is_told).map(String::as_str).collect();
    let scope = match (untold.is_empty() || !told.is_empty(), told.as_slice()) {
        (_, [only]) => format!(" {only}"),
        (false, _) => format!(" ({})", untold.join(", ")),
        (true, _) => String::new(),
    };
    let head = format!(
        "{symbol} {} {}{scope}{loss}",
        change.logical_id,
        paint.dim(&change.resource_type)
    );
    let below = told.into_iter().filter(|_| change.values.len() > 1);
    std::iter::once(head)
        .chain(below.map(|line| format!("    {line}")))
        .collect()
}

/// `RetentionInDays 30 → 14`.
pub(crate) fn property_change(paint: &Paint, change: &PropertyChange) -> String {
    let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "–".to_owned(), written);
    let (before, after) = (value(&change.before), value(&change.after));
    // Where they differ may be far behind.
    let same = before
        .chars()
        .zip(after.chars())
        .take_while(|(one, other)| one == other)
        .count();
    let cut = |text: &str| {
        if same > LONGEST_VALUE / 2 && text.chars().count() > LONGEST_VALUE {
            let rest: String = text.chars().skip(same - LONGEST_VALUE / 4).collect();
            format!("…{}", shortened(&rest, LONGEST_VALUE - 1))
        } else {
            shortened(text, LONGEST_VALUE)
        }
    };
    let because = match change.replaces {
        Replacement::Always => paint.color(AnsiColor::Red, ", which replaces it"),
        Replacement::Perhaps => paint.color(AnsiColor::Yellow, ", which may replace it"),
        Replacement::Never => String::new(),
    };
    format!("{} {} → {}{because}", change.path, cut(&before), cut(&after))
}

/// A value of a template in the short form that YAML has for it.
pub(crate) fn written(value: &Value) -> String {
    let call = value.as_object().filter(|map| map.len() == 1);
    let call = call.and_then(|map| map.iter().next());
    match (value, call) {
        (Value::String(text), _) => match text.as_str() {
            // What CloudFormation says of what it can't know yet.
            "{{changeSet:KNOWN_AFTER_APPLY}}" => "(known afterwards)".to_owned(),
            text => text.to_owned(),
        },
        (_, Some((name, Value::String(target)))) if name == "Ref" => format!("!Ref {target}"),
        (_, Some((name, Value::Array(path)))) if name == "Fn::GetAtt" => {
            let path: Vec<&str> = path.iter().filter_map(Value::as_str).collect();
            format!("!GetAtt {}", path.join("."))
        }
        (_, Some((name, inner))) if name.starts_with("Fn::") => {
            format!("!{} {}", name.trim_start_matches("Fn::"), written(inner))
        }
        _ => value.to_string(),
    }
}

/// A text, of which only so many characters are shown.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::event::ResourceChange;

    fn modified(id: &str, values: Vec<PropertyChange>, because_of: &[&str]) -> ShownChange {
        ShownChange {
            change: ResourceChange {
                action: Action::Modify,
                logical_id: id.into(),
                physical_id: None,
                resource_type: "AWS::X::Y".into(),
                replacement: Replacement::Never,
                retained: false,
                properties: vec!["A".into(), "B".into()],
                values,
                because_of: because_of.iter().map(|&cause| cause.to_owned()).collect(),
            },
            loss: None,
        }
    }

    fn value(path: &str, before: Value, after: Value) -> PropertyChange {
        let some = |value: Value| Some(value).filter(|value| !value.is_null());
        PropertyChange {
            path: path.into(),
            before: some(before),
            after: some(after),
            replaces: Replacement::Never,
        }
    }

    fn lines(changes: Vec<ShownChange>) -> Vec<String> {
        let stack = StackChanges {
            id: "a".into(),
            name: "p-dev-a".into(),
            verdict: StackAction::Update,
            changes,
            lifted: vec!["it loses this".into()],
        };
        stack_changes(&Paint { enabled: false }, &stack, false)
    }

    #[test]
    fn values_stand_behind_the_name_or_below_it() {
        let one = modified("One", vec![value("A", json!("30"), json!("14"))], &[]);
        let mut two = modified(
            "Two",
            vec![
                value("A.x", json!(null), json!({ "Ref": "Table" })),
                value(
                    "B[0]",
                    json!({ "Fn::GetAtt": ["Role", "Arn"] }),
                    json!({ "Fn::Sub": "a${B}" }),
                ),
            ],
            &[],
        );
        two.change.values[0].replaces = Replacement::Always;
        let none = modified("Three", vec![], &[]);
        assert_eq!(
            lines(vec![one, two, none]),
            [
                "~ One AWS::X::Y A 30 → 14",
                "~ Two AWS::X::Y",
                "    A.x – → !Ref Table, which replaces it",
                "    B[0] !GetAtt Role.Arn → !Sub a${B}",
                "~ Three AWS::X::Y (A, B)",
                "it loses this",
            ]
        );
    }

    #[test]
    fn what_changes_with_others_is_one_line() {
        let own = modified("Own", vec![value("A", json!("1"), json!("2"))], &[]);
        let first = modified("First", vec![], &["Own"]);
        let second = modified("Second", vec![], &["First", "Other"]);
        assert_eq!(
            lines(vec![first, own, second])[..2],
            ["~ Own AWS::X::Y A 1 → 2", "and with Other, Own: First, Second"]
        );
    }

    #[test]
    fn long_values_are_cut() {
        let long = modified("L", vec![value("A", json!("x".repeat(100)), json!({ "k": 1 }))], &[]);
        let line = lines(vec![long]).remove(0);
        assert!(line.contains(&format!("{}… → {{\"k\":1}}", "x".repeat(59))), "{line}");
        // What is the same at their beginning isn't what somebody looks for.
        let one = |end: &str| json!(format!("{}{end}", "x".repeat(100)));
        let alike = modified("L", vec![value("A", one("a b"), one("c"))], &[]);
        let line = lines(vec![alike]).remove(0);
        assert!(line.ends_with(&format!("A …{0}a b → …{0}c", "x".repeat(15))), "{line}");
    }
}
