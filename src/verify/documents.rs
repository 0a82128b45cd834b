//! Policy documents, compared as IAM means them: one is a list of one, no order counts, names of actions and of conditions'
//! keys have no case, and an account is its root. A statement's `Sid` means nothing.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::expected::{Expected, Part};

/// A document as IAM tells it, URL-encoded. What is no JSON is told as it is, and equals nothing.
pub(super) fn read(text: &str) -> Value {
    let text = percent_decode_str(text).decode_utf8_lossy();
    serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned()))
}

/// What the live document says otherwise than the template; none if they mean the same, as far as the template is known.
pub(super) fn difference(expected: &Expected, live: &Value) -> Option<String> {
    if *expected == Expected::Unknown {
        return None;
    }
    let version = expected.get("Version").map_or_else(|| text(OLD_VERSION), Clone::clone);
    let live_version = live.get("Version").and_then(Value::as_str).unwrap_or(OLD_VERSION);
    if !version.matches_text(live_version) {
        return Some(format!("has the version {live_version} instead of {version}"));
    }
    let statements = expected.get("Statement").map(Expected::items).unwrap_or_default();
    // A list of which nothing is known has any number.
    if expected.get("Statement") == Some(&Expected::Unknown) {
        return None;
    }
    let live_statements = several(&live["Statement"]);
    let (missing, more) = pairs(&statements, &live_statements, |expected, live| {
        same_statement(expected, live)
    });
    let more: Vec<String> = more.iter().map(|live| live.to_string()).collect();
    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
    match (more.is_empty(), missing.is_empty()) {
        (true, true) => None,
        (false, true) => Some(format!("has {}, too", more.join(" and "))),
        (true, false) => Some(format!("lacks {}", missing.join(" and "))),
        (false, false) => Some(format!(
            "has {} instead of {}",
            more.join(" and "),
            missing.join(" and ")
        )),
    }
}

/// What IAM takes a document for that doesn't say.
const OLD_VERSION: &str = "2008-10-17";

/// A text that is known.
pub(super) fn text(text: &str) -> Expected {
    Expected::Text(vec![Part::Known(text.to_owned())])
}

fn same_statement(expected: &Expected, live: &Value) -> bool {
    let Expected::Map(_) = expected else {
        return *expected == Expected::Unknown;
    };
    let of = |key: &str| (expected.get(key).unwrap_or(&Expected::Absent), &live[key]);
    let plain = |key| {
        let (expected, live) = of(key);
        same_set(expected, live, Clone::clone)
    };
    let caseless = |key| {
        let (expected, live) = of(key);
        same_set(&folded(expected), &folded_live(live), Clone::clone)
    };
    let principals = |key| {
        let (expected, live) = of(key);
        same_principals(expected, live)
    };
    let (condition, live_condition) = of("Condition");
    plain("Effect")
        && caseless("Action")
        && caseless("NotAction")
        && plain("Resource")
        && plain("NotResource")
        && principals("Principal")
        && principals("NotPrincipal")
        && same_conditions(condition, live_condition)
}

/// Whether two lists, or single values, have the same texts, each made alike first.
fn same_set(expected: &Expected, live: &Value, alike: impl Fn(&String) -> String) -> bool {
    if *expected == Expected::Unknown {
        return !live.is_null();
    }
    let expected: Vec<Expected> = expected
        .items()
        .into_iter()
        .map(|one| {
            one.known_text()
                .map_or_else(|| one.clone(), |known| text(&alike(&known)))
        })
        .collect();
    let live: Vec<String> = several(live).into_iter().map(|one| alike(&plain_text(one))).collect();
    if expected.iter().all(Expected::is_known) {
        // What is said twice is said.
        let is_there = |one: &Expected| live.iter().any(|live| one.matches_text(live));
        let is_wanted = |live: &String| expected.iter().any(|one| one.matches_text(live));
        return expected.iter().all(is_there) && live.iter().all(is_wanted);
    }
    let expected: Vec<&Expected> = expected.iter().collect();
    let live: Vec<&String> = live.iter().collect();
    let (missing, more) = pairs(&expected, &live, |expected, live| expected.matches_text(live));
    missing.is_empty() && more.is_empty()
}

fn same_principals(expected: &Expected, live: &Value) -> bool {
    if *expected == Expected::Unknown {
        return true;
    }
    let mut wanted: BTreeMap<String, Expected> = match expected {
        Expected::Map(kinds) => kinds.clone(),
        Expected::Absent => BTreeMap::new(),
        // `*` is everybody of AWS.
        anybody => BTreeMap::from([("AWS".to_owned(), anybody.clone())]),
    };
    let mut found: BTreeMap<String, Value> = match live {
        Value::Object(kinds) => kinds.iter().map(|(kind, who)| (kind.clone(), who.clone())).collect(),
        Value::Null => BTreeMap::new(),
        anybody => BTreeMap::from([("AWS".to_owned(), anybody.clone())]),
    };
    wanted.retain(|_, who| !who.items().is_empty());
    found.retain(|_, who| !several(who).is_empty());
    wanted.len() == found.len()
        && wanted.iter().all(|(kind, who)| {
            let who_is = found.get(kind);
            who_is.is_some_and(|who_is| same_set(who, who_is, |one| account_of(one).unwrap_or_else(|| one.clone())))
        })
}

/// The account that a principal's ARN is the root of.
pub(super) fn account_of(principal: &str) -> Option<String> {
    let (_, rest) = principal.strip_prefix("arn:")?.split_once(":iam::")?;
    rest.strip_suffix(":root").map(str::to_owned)
}

fn same_conditions(expected: &Expected, live: &Value) -> bool {
    let wanted = match expected {
        Expected::Unknown => return true,
        Expected::Map(operators) => operators.clone(),
        _ => BTreeMap::new(),
    };
    let found = live.as_object().cloned().unwrap_or_default();
    let flat = wanted.iter().flat_map(|(operator, keys)| match keys {
        Expected::Map(keys) => keys
            .iter()
            .map(|(key, values)| (name(operator, key), values.clone()))
            .collect(),
        open => vec![(name(operator, "…"), open.clone())],
    });
    let flat: BTreeMap<String, Expected> = flat.collect();
    let live = found.iter().flat_map(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(key, values)| (name(operator, key), values.clone()))
    });
    let live: BTreeMap<String, Value> = live.collect();
    flat.len() == live.len()
        && flat
            .iter()
            .all(|(key, values)| live.get(key).is_some_and(|live| same_set(values, live, Clone::clone)))
}

fn name(operator: &str, key: &str) -> String {
    format!("{operator} {key}").to_lowercase()
}

fn folded(expected: &Expected) -> Expected {
    match expected {
        Expected::Text(parts) => Expected::Text(
            parts
                .iter()
                .map(|part| match part {
                    Part::Known(text) => Part::Known(text.to_lowercase()),
                    Part::Open => Part::Open,
                })
                .collect(),
        ),
        Expected::List(items) => Expected::List(items.iter().map(folded).collect()),
        other => other.clone(),
    }
}

fn folded_live(live: &Value) -> Value {
    match live {
        Value::String(text) => Value::String(text.to_lowercase()),
        Value::Array(items) => Value::Array(items.iter().map(folded_live).collect()),
        other => other.clone(),
    }
}

/// A list's items; a single value's only one.
pub(super) fn several(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// Numbers, true and false are text, too.
fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Which of the expected find no live one of their own, and which live ones are left over, if as many as can be are paired.
pub(super) fn pairs<'e, 'l, E: ?Sized, L: ?Sized>(
    expected: &[&'e E],
    live: &[&'l L],
    matches: impl Fn(&E, &L) -> bool,
) -> (Vec<&'e E>, Vec<&'l L>) {
    fn pair(index: usize, fits: &[Vec<bool>], taken: &mut [Option<usize>], seen: &mut [bool]) -> bool {
        for (other, fit) in fits.get(index).into_iter().flatten().enumerate() {
            if !fit || std::mem::replace(&mut seen[other], true) {
                continue;
            }
            if taken[other].is_none_or(|holder| pair(holder, fits, taken, seen)) {
                taken[other] = Some(index);
                return true;
            }
        }
        false
    }
    let fits: Vec<Vec<bool>> = expected
        .iter()
        .map(|one| live.iter().map(|live| matches(one, live)).collect())
        .collect();
    let mut taken: Vec<Option<usize>> = vec![None; live.len()];
    let mut missing = Vec::new();
    for (index, one) in expected.iter().enumerate() {
        if !pair(index, &fits, &mut taken, &mut vec![false; live.len()]) {
            missing.push(*one);
        }
    }
    let more = live
        .iter()
        .zip(&taken)
        .filter(|(_, taken)| taken.is_none())
        .map(|(live, _)| *live);
    (missing, more.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::project::template::{Scope, Template};

    const DOCUMENT: &str = r#"
Version: "2012-10-17"
Statement:
  - Sid: Read
    Effect: Allow
    Action: [db:Get, db:List]
    Resource: !Sub "${Table.Arn}"
    Condition: { Bool: { aws:SecureTransport: true }, NumericLessThan: { s3:max-keys: 10 } }
  - { Effect: Allow, Action: q:Send, Resource: [!GetAtt Queue.Other] }
  - { Effect: Deny, Principal: { AWS: "123456789012", Service: [a.amazonaws.com] }, NotAction: x:*, Resource: "*" }
"#;

    fn expected() -> Expected {
        let text = format!(
            "Resources: {{ R: {{ Type: T }} }}\nDocument:{}",
            DOCUMENT.replace('\n', "\n  ")
        );
        let template = Template::of_text(&text);
        let scope = Scope::from([("Table.Arn".to_owned(), "arn:t".to_owned())]);
        Expected::of(&template, &template.as_value()["Document"], &scope)
    }

    fn live() -> Value {
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "Principal": {"Service": "a.amazonaws.com", "AWS": ["arn:aws:iam::123456789012:root"]},
             "NotAction": ["x:*"], "Resource": ["*"]},
            {"Effect": "Allow", "Action": ["q:Send"], "Resource": "arn:q"},
            {"Effect": "Allow", "Action": ["DB:list", "db:Get"], "Resource": ["arn:t"],
             "Condition": {"NumericLessThan": {"s3:max-keys": "10"}, "Bool": {"AWS:SecureTransport": ["true"]}}},
        ]})
    }

    #[test]
    fn what_means_the_same_is_the_same() {
        assert_eq!(difference(&expected(), &live()), None);
    }

    #[test]
    fn anything_else_is_a_difference() {
        let mutations: [fn(&mut Value); 17] = [
            |live| live["Version"] = json!("2008-10-17"),
            |live| live["Statement"][0]["Effect"] = json!("Allow"),
            |live| live["Statement"][0]["Principal"]["AWS"] = json!("*"),
            |live| live["Statement"][0]["Principal"]["AWS"] = json!(["123456789012", "999999999999"]),
            |live| live["Statement"][0]["Principal"] = json!("*"),
            |live| live["Statement"][0]["Principal"]["Federated"] = json!("x"),
            |live| live["Statement"][0]["NotAction"] = json!("x:y"),
            |live| live["Statement"][1]["Resource"] = json!(["arn:q", "arn:r"]),
            |live| live["Statement"][1]["Condition"] = json!({"Bool": {"x": "y"}}),
            |live| live["Statement"][2]["Action"] = json!("db:*"),
            |live| live["Statement"][2]["Action"] = json!(["db:Get"]),
            |live| live["Statement"][2]["Resource"] = json!("arn:T"),
            |live| live["Statement"][2]["NotResource"] = json!("arn:u"),
            |live| live["Statement"][2]["Condition"] = json!({}),
            |live| live["Statement"][2]["Condition"]["Bool"]["AWS:SecureTransport"] = json!("false"),
            |live| live["Statement"] = live["Statement"][0].clone(),
            |live| {
                let second = live["Statement"][1].clone();
                live["Statement"].as_array_mut().expect("a list").push(second);
            },
        ];
        for (index, mutate) in mutations.iter().enumerate() {
            let mut live = live();
            mutate(&mut live);
            assert!(difference(&expected(), &live).is_some(), "mutation {index}: {live}");
        }
        assert!(difference(&expected(), &read("no JSON")).is_some());
    }

    #[test]
    fn the_difference_is_told() {
        let mut live = live();
        live["Statement"][1]["Action"] = json!("q:*");
        let told = difference(&expected(), &live).expect("a difference");
        assert!(
            told.starts_with("has {") && told.contains("\"q:*\"") && told.contains("instead of {Action: q:Send"),
            "{told}"
        );
    }

    #[test]
    fn documents_come_url_encoded() {
        assert_eq!(
            read("%7B%22Version%22%3A%222012-10-17%22%7D"),
            json!({"Version": "2012-10-17"})
        );
    }

    #[test]
    fn as_many_as_can_be_are_paired() {
        let fits = |one: &str, live: &str| one == "…" || one == live;
        assert_eq!(pairs(&["…", "a"], &["a", "b"], fits), (vec![], vec![]));
        assert_eq!(pairs(&["a", "a"], &["a", "b"], fits), (vec!["a"], vec!["b"]));
    }
}
