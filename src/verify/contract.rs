//! Whether an answer is what the app's contract says: placeholders put in, and what differs told piece by piece.

use serde_json::Value;

use super::{Problem, Stage};
use crate::project::contract::{Expectation, Open, fill, fill_value};
use crate::project::number;

/// The texts of a stage's contract with what is deployed in the place of placeholders.
pub(super) struct Filler<'a> {
    stage: &'a Stage<'a>,
    outputs: std::collections::BTreeMap<String, String>,
}

impl<'a> Filler<'a> {
    pub(super) fn new(stage: &'a Stage<'_>) -> Self {
        Self {
            stage,
            outputs: stage.outputs(),
        }
    }

    fn filled(&self, text: &str) -> Result<String, Open> {
        let output = |name: &str| match name {
            "stage" => Some(self.stage.project.stage.name.clone()),
            "project" => Some(self.stage.project.name.clone()),
            name => self.outputs.get(name).cloned(),
        };
        fill(text, &output, &|name| std::env::var(name).ok())
    }

    /// A text without placeholders.
    pub(super) fn text(&self, text: &str) -> Result<String, Problem> {
        self.filled(text).map_err(|open| unknown(&open))
    }

    /// A value without placeholders.
    pub(super) fn value(&self, value: &Value) -> Result<Value, Problem> {
        fill_value(value, &|text| self.filled(text)).map_err(|open| unknown(&open))
    }

    /// What is expected, without placeholders.
    pub(super) fn expectation(&self, expected: &Expectation) -> Result<Expectation, Problem> {
        let headers = expected.headers.iter().map(|(name, value)| {
            let value = value.as_ref().map(|value| self.text(value)).transpose()?;
            Ok((name.clone(), value))
        });
        Ok(Expectation {
            status: expected.status,
            headers: headers.collect::<Result<_, Problem>>()?,
            json: expected.json.as_ref().map(|json| self.value(json)).transpose()?,
            body: expected.body.as_ref().map(|body| self.text(body)).transpose()?,
            error: expected.error.clone(),
        })
    }
}

/// The templates have it, so what is deployed is of an older one; a variable nobody has set.
fn unknown(open: &Open) -> Problem {
    match open {
        Open::Variable(name) => {
            Problem::not_proven(open.to_string(), format!("Set {name}, and run `deployer verify`."))
        }
        Open::Output(_) | Open::Nonsense(_) => Problem::failed(
            format!("{open} in what is deployed"),
            "`deployer up` deploys what the templates have now.",
        ),
    }
}

/// How a header's values differ from what is expected; not at all if one of them is it.
pub(super) fn header_difference(name: &str, expected: Option<&str>, values: &[impl AsRef<str>]) -> Option<String> {
    let is_type = name.eq_ignore_ascii_case("content-type");
    let fits = |expected: &str, live: &str| {
        live == expected
            // A type says no less for the parameters that are put behind it.
            || is_type && !expected.contains(';') && live.split(';').next().is_some_and(|kind| kind.trim() == expected)
    };
    let told: Vec<String> = values
        .iter()
        .map(|value| format!("`{}`", shortened(value.as_ref())))
        .collect();
    match expected {
        None if values.is_empty() => None,
        None => Some(format!(
            "the header {name} is {} and shouldn't be there",
            told.join(", ")
        )),
        Some(expected) if values.iter().any(|live| fits(expected, live.as_ref())) => None,
        Some(expected) if values.is_empty() => {
            Some(format!("the header {name} isn't there and should be `{expected}`"))
        }
        Some(expected) => Some(format!(
            "the header {name} is {} and should be `{expected}`",
            told.join(", ")
        )),
    }
}

/// How a body, or what a function returned, differs.
pub(super) fn content_differences(expected: &Expectation, body: &str) -> Vec<String> {
    let mut differences = Vec::new();
    if let Some(wanted) = &expected.body
        && wanted != body
    {
        differences.push(format!(
            "the body is `{}` and should be `{}`",
            shortened(body),
            shortened(wanted)
        ));
    }
    if let Some(wanted) = &expected.json {
        match serde_json::from_str::<Value>(body) {
            Ok(live) => compare("", wanted, &live, &mut differences),
            Err(_) => differences.push(format!("the body is no JSON: `{}`", shortened(body))),
        }
    }
    differences
}

/// As many as people read.
const TOLD: usize = 5;

/// Several differences in a sentence.
pub(super) fn told(differences: &[String]) -> String {
    let mut text = differences.iter().take(TOLD).cloned().collect::<Vec<_>>().join("; ");
    if differences.len() > TOLD {
        text.push_str(&format!("; and {} more", differences.len() - TOLD));
    }
    text
}

/// Tells what of `expected` isn't in `live`: maps may have more, lists may not.
fn compare(path: &str, expected: &Value, live: &Value, differences: &mut Vec<String>) {
    let place = if path.is_empty() {
        "the JSON".to_owned()
    } else {
        format!("`{path}`")
    };
    match (expected, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            for (name, wanted) in wanted {
                let path = below(path, name);
                match live.get(name) {
                    Some(live) => compare(&path, wanted, live, differences),
                    None => differences.push(format!("`{path}` isn't there and should be {}", shown(wanted))),
                }
            }
        }
        (Value::Array(wanted), Value::Array(live)) if wanted.len() == live.len() => {
            for (index, (wanted, live)) in wanted.iter().zip(live).enumerate() {
                compare(&format!("{path}[{index}]"), wanted, live, differences);
            }
        }
        (Value::Array(wanted), Value::Array(live)) => {
            differences.push(format!(
                "{place} has {} items and should have {}",
                live.len(),
                wanted.len()
            ));
        }
        // JSON in a text, as what a function answers API Gateway has it.
        (Value::Object(_) | Value::Array(_), Value::String(text)) => match serde_json::from_str::<Value>(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => compare(path, expected, &inner, differences),
            _ => differences.push(format!("{place} is {} and should be {}", shown(live), shown(expected))),
        },
        (Value::Number(wanted), Value::Number(live)) if same_number(&wanted.to_string(), &live.to_string()) => {}
        (wanted, live) if wanted == live => {}
        _ => differences.push(format!("{place} is {} and should be {}", shown(live), shown(expected))),
    }
}

fn same_number(one: &str, other: &str) -> bool {
    one == other || number::canonical(one).is_some_and(|one| number::canonical(other) == Some(one))
}

fn below(path: &str, name: &str) -> String {
    let is_word = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    match (path, is_word) {
        ("", true) => name.to_owned(),
        (path, true) => format!("{path}.{name}"),
        (path, false) => format!("{path}[{name:?}]"),
    }
}

fn shown(value: &Value) -> String {
    shortened(&value.to_string())
}

fn shortened(text: &str) -> String {
    const ENOUGH: usize = 120;
    match text.char_indices().nth(ENOUGH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differ(expected: &Value, live: &str) -> Vec<String> {
        let expected = Expectation {
            json: Some(expected.clone()),
            ..Expectation::default()
        };
        content_differences(&expected, live)
    }

    #[test]
    fn a_subset_is_enough_of_maps_and_not_of_lists() {
        assert_eq!(
            differ(&json!({"a": {"b": 1}}), r#"{"a":{"b":1.0,"c":2},"d":3}"#),
            [""; 0]
        );
        assert_eq!(differ(&json!([{"a": 1}, {}]), r#"[{"a":1,"b":2},{"c":3}]"#), [""; 0]);
        assert_eq!(differ(&json!({}), "{\"x\":1}"), [""; 0]);
        assert_eq!(
            differ(&json!({"a": [1]}), r#"{"a":[1,2]}"#),
            ["`a` has 2 items and should have 1"]
        );
        assert_eq!(
            differ(
                &json!({"a": {"x.y": [{"b": 1}]}, "c": true}),
                r#"{"a":{"x.y":[{"b":"1"}]}}"#
            ),
            [
                r#"`a["x.y"][0].b` is "1" and should be 1"#,
                "`c` isn't there and should be true"
            ]
        );
        assert_eq!(
            differ(&json!({"a": 1}), "[]"),
            [r#"the JSON is [] and should be {"a":1}"#]
        );
        assert_eq!(differ(&json!({"a": 1}), "<html>"), ["the body is no JSON: `<html>`"]);
    }

    #[test]
    fn json_in_a_text_is_looked_into_where_a_map_or_a_list_is_expected() {
        let live = r#"{"statusCode":200,"body":"{\"a\": 1, \"b\": 2}"}"#;
        assert_eq!(differ(&json!({"body": {"a": 1}}), live), [""; 0]);
        assert_eq!(
            differ(&json!({"body": {"a": 2}}), live),
            ["`body.a` is 1 and should be 2"]
        );
        assert_eq!(differ(&json!({"body": "{\"a\": 1, \"b\": 2}"}), live), [""; 0]);
        assert_eq!(differ(&json!({"body": {"a": 1}}), r#"{"body":"x"}"#).len(), 1);
    }

    #[test]
    fn headers_are_exact_but_for_a_types_parameters() {
        let differ = |name: &str, expected: Option<&str>, values: &[&str]| header_difference(name, expected, values);
        assert_eq!(
            differ(
                "Content-Type",
                Some("application/json"),
                &["application/json; charset=utf-8"]
            ),
            None
        );
        assert!(differ("Content-Type", Some("application/json"), &["application/json-seq"]).is_some());
        assert!(differ("Content-Type", Some("a/b; charset=utf-8"), &["a/b"]).is_some());
        assert_eq!(differ("Set-Cookie", Some("b"), &["a", "b"]), None);
        assert_eq!(
            differ("X", Some("a"), &["b"]).as_deref(),
            Some("the header X is `b` and should be `a`")
        );
        assert_eq!(
            differ("X", Some("a"), &[]).as_deref(),
            Some("the header X isn't there and should be `a`")
        );
        assert_eq!(differ("X", None, &[]), None);
        assert!(differ("X", None, &["a"]).is_some_and(|told| told.ends_with("shouldn't be there")));
    }

    #[test]
    fn no_more_is_told_than_people_read() {
        let many: Vec<String> = (0..8).map(|n| n.to_string()).collect();
        assert_eq!(told(&many), "0; 1; 2; 3; 4; and 3 more");
    }
}
