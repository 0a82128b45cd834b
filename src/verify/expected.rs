//! What a template says that something is, as far as it can be known: the deployed parameters, names and attributes put in
//! their places. What only CloudFormation can know stays open, and matches anything.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::project::template::{Scope, Template};

/// A value of a template, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    /// Text; numbers, true and false are text, too.
    Text(Vec<Part>),
    /// A list.
    List(Vec<Expected>),
    /// A map.
    Map(BTreeMap<String, Expected>),
    /// It isn't there: `AWS::NoValue`.
    Absent,
    /// Nothing is known of it.
    Unknown,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Known(String),
    /// What only CloudFormation knows.
    Open,
}

impl Expected {
    /// What `value` of `template` is where names mean what they do in `scope`.
    pub(super) fn of(template: &Template, value: &Value, scope: &Scope) -> Self {
        let Some(value) = template.chosen(value, scope) else {
            return Self::Unknown;
        };
        match value {
            Value::Null => Self::Absent,
            Value::Bool(_) | Value::Number(_) => Self::text(&value.to_string()),
            Value::String(text) => Self::text(text),
            Value::Array(items) => Self::List(
                items
                    .iter()
                    .map(|item| Self::of(template, item, scope))
                    .filter(|item| *item != Self::Absent)
                    .collect(),
            ),
            Value::Object(map) => match map.iter().next().filter(|(key, _)| map.len() == 1 && is_function(key)) {
                Some((function, argument)) => called(template, value, function, argument, scope),
                None => Self::Map(
                    map.iter()
                        .map(|(key, inner)| (key.clone(), Self::of(template, inner, scope)))
                        .filter(|(_, inner)| *inner != Self::Absent)
                        .collect(),
                ),
            },
        }
    }

    /// A text, but for the dynamic references in it, which CloudFormation looks up.
    fn text(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, reference)) = rest.split_once("{{resolve:") {
            let Some((_, after)) = reference.split_once("}}") else {
                break;
            };
            if !before.is_empty() {
                parts.push(Part::Known(before.to_owned()));
            }
            parts.push(Part::Open);
            rest = after;
        }
        if !rest.is_empty() || parts.is_empty() {
            parts.push(Part::Known(rest.to_owned()));
        }
        Self::Text(parts)
    }

    /// The text, if all of it is known.
    pub(super) fn known_text(&self) -> Option<String> {
        match self {
            Self::Text(parts) => parts
                .iter()
                .map(|part| match part {
                    Part::Known(text) => Some(text.as_str()),
                    Part::Open => None,
                })
                .collect(),
            _ => None,
        }
    }

    /// Whether nothing in it is open.
    pub(super) fn is_known(&self) -> bool {
        match self {
            Self::Text(parts) => !parts.contains(&Part::Open),
            Self::List(items) => items.iter().all(Self::is_known),
            Self::Map(map) => map.values().all(Self::is_known),
            Self::Absent => true,
            Self::Unknown => false,
        }
    }

    /// An entry of a map.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// The items of a list; a single value is a list of one, as IAM and others read it.
    pub(super) fn items(&self) -> Vec<&Self> {
        match self {
            Self::List(items) => items.iter().collect(),
            Self::Absent => Vec::new(),
            single => vec![single],
        }
    }

    /// Whether a live text is what is expected, as far as that is known.
    pub(super) fn matches_text(&self, live: &str) -> bool {
        match self {
            Self::Unknown => true,
            Self::Text(parts) => matches(parts, live),
            _ => false,
        }
    }

    /// Whether a live value is what is expected, as far as that is known. Of lists the order counts.
    pub(super) fn matches(&self, live: &Value) -> bool {
        match (self, live) {
            (Self::Unknown, _) => true,
            (Self::Text(_), Value::String(text)) => self.matches_text(text),
            (Self::Text(_), Value::Bool(_) | Value::Number(_)) => self.matches_text(&live.to_string()),
            (Self::List(expected), Value::Array(live)) => {
                expected.len() == live.len() && expected.iter().zip(live).all(|(one, live)| one.matches(live))
            }
            (Self::Map(expected), Value::Object(live)) => {
                expected.len() == live.len()
                    && expected
                        .iter()
                        .all(|(key, one)| live.get(key).is_some_and(|live| one.matches(live)))
            }
            (Self::Absent, Value::Null) => true,
            _ => false,
        }
    }
}

/// As people read it; what is open as `…`.
impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separated = |f: &mut fmt::Formatter<'_>, index: usize| f.write_str(if index == 0 { "" } else { ", " });
        match self {
            Self::Text(parts) => parts.iter().try_for_each(|part| match part {
                Part::Known(text) => f.write_str(text),
                Part::Open => f.write_str("…"),
            }),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    separated(f, index)?;
                    write!(f, "{item}")?;
                }
                f.write_str("]")
            }
            Self::Map(map) => {
                f.write_str("{")?;
                for (index, (key, value)) in map.iter().enumerate() {
                    separated(f, index)?;
                    write!(f, "{key}: {value}")?;
                }
                f.write_str("}")
            }
            Self::Absent => f.write_str("nothing"),
            Self::Unknown => f.write_str("…"),
        }
    }
}

fn is_function(key: &str) -> bool {
    key == "Ref" || key.starts_with("Fn::")
}

fn called(template: &Template, value: &Value, function: &str, argument: &Value, scope: &Scope) -> Expected {
    if function == "Ref" && argument == "AWS::NoValue" {
        return Expected::Absent;
    }
    if let Some(text) = template.text_of(value, scope) {
        let is_list = function == "Ref" && argument.as_str().is_some_and(|name| is_list(template, name));
        // Blanks around the commas don't count.
        return match is_list {
            true => Expected::List(text.split(',').map(|part| Expected::text(part.trim())).collect()),
            false => Expected::text(&text),
        };
    }
    match (function, argument) {
        ("Fn::Sub", Value::String(text)) => substituted(text, |name| scope.get(name).map(|text| Expected::text(text))),
        ("Fn::Sub", Value::Array(parts)) => {
            let text = parts.first().and_then(Value::as_str).unwrap_or_default();
            let variables = parts.get(1).and_then(Value::as_object);
            substituted(text, |name| match variables.and_then(|variables| variables.get(name)) {
                Some(value) => Some(Expected::of(template, value, scope)),
                None => scope.get(name).map(|text| Expected::text(text)),
            })
        }
        ("Fn::Join", Value::Array(parts)) => {
            let separator = parts.first().and_then(Value::as_str).unwrap_or_default();
            let Some(Value::Array(items)) = parts.get(1) else {
                return Expected::Unknown;
            };
            let mut joined = Vec::new();
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    joined.push(Part::Known(separator.to_owned()));
                }
                append(&mut joined, Expected::of(template, item, scope));
            }
            Expected::Text(joined)
        }
        ("Fn::Split", Value::Array(parts)) => {
            let whole = parts
                .get(1)
                .and_then(|whole| Expected::of(template, whole, scope).known_text());
            let by = parts.first().and_then(Value::as_str);
            by.zip(whole).map_or(Expected::Unknown, |(by, whole)| {
                Expected::List(whole.split(by).map(Expected::text).collect())
            })
        }
        // A text in any case, but which.
        ("Ref" | "Fn::GetAtt" | "Fn::ImportValue" | "Fn::FindInMap" | "Fn::Select" | "Fn::Base64", _) => {
            Expected::Unknown
        }
        _ => Expected::Unknown,
    }
}

/// Whether a parameter's value is a list, which is given as a text with commas.
fn is_list(template: &Template, parameter: &str) -> bool {
    let kind = template
        .parameter(parameter)
        .and_then(|declaration| declaration.get("Type")?.as_str());
    kind.is_some_and(|kind| kind == "CommaDelimitedList" || kind.starts_with("List<"))
}

fn append(parts: &mut Vec<Part>, more: Expected) {
    match more {
        Expected::Text(more) => parts.extend(more),
        _ => parts.push(Part::Open),
    }
}

fn substituted(text: &str, variable: impl Fn(&str) -> Option<Expected>) -> Expected {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let name = &rest[start + 2..start + length];
        parts.push(Part::Known(rest[..start].to_owned()));
        match name.strip_prefix('!') {
            Some(literal) => parts.push(Part::Known(format!("${{{literal}}}"))),
            None => append(&mut parts, variable(name.trim()).unwrap_or(Expected::Unknown)),
        }
        rest = &rest[start + length + 1..];
    }
    parts.push(Part::Known(rest.to_owned()));
    Expected::Text(parts)
}

/// Whether the parts make up the text, each open one being anything, but not nothing.
fn matches(parts: &[Part], text: &str) -> bool {
    match parts.split_first() {
        None => text.is_empty(),
        Some((Part::Known(known), rest)) => text
            .strip_prefix(known.as_str())
            .is_some_and(|text| matches(rest, text)),
        Some((Part::Open, rest)) => {
            let mut ends = text.char_indices().map(|(index, c)| index + c.len_utf8());
            ends.any(|end| matches(rest, &text[end..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expected(value: &str) -> Expected {
        let text = format!(
            "Parameters: {{ L: {{ Type: CommaDelimitedList }} }}\nConditions: {{ Here: !Equals [!Ref P, p], Open: !Equals [!Ref Q, p] }}\nResources: {{ R: {{ Type: T, Value: {value} }} }}"
        );
        let template = Template::of_text(&text);
        let scope = [("P", "p"), ("L", "a, b"), ("Table.Arn", "arn:t"), ("AWS::Region", "r")];
        let scope = scope
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let value = template.resource("R").expect("there")["Value"].clone();
        Expected::of(&template, &value, &scope)
    }

    #[test]
    fn what_is_known_is_put_in_its_place() {
        for (value, live) in [
            ("5", json!("5")),
            ("true", json!(true)),
            ("!Ref P", json!("p")),
            ("!Sub '${P}-${Table.Arn}/x'", json!("p-arn:t/x")),
            ("!Join ['/', [!Ref P, a]]", json!("p/a")),
            ("[!Ref P, !Ref AWS::NoValue, b]", json!(["p", "b"])),
            ("!Ref L", json!(["a", "b"])),
            ("!Split ['/', !Sub '${P}/q']", json!(["p", "q"])),
            (
                "{ a: !If [Here, 1, 2], b: !If [Here, !Ref AWS::NoValue, x] }",
                json!({ "a": "1" }),
            ),
        ] {
            let expected = expected(value);
            assert!(expected.is_known() && expected.matches(&live), "{value}: {expected}");
        }
    }

    #[test]
    fn what_is_open_matches_anything_but_the_rest_has_to_fit() {
        let arn = expected("!Sub 'arn:${Unknown}:${AWS::Region}:x'");
        assert!(!arn.is_known() && arn.matches_text("arn:aws:r:x"));
        assert!(!arn.matches_text("arn:aws:other:x") && !arn.matches_text("arn::r:x"));
        assert_eq!(arn.to_string(), "arn:…:r:x");
        let secret = expected("'a-{{resolve:ssm:x:1}}-b'");
        assert!(!secret.is_known() && secret.matches_text("a-s-b") && !secret.matches_text("a-s-c"));
        let joined = expected("!Join ['', [a, !GetAtt X.Y, b]]");
        assert!(joined.matches_text("a-b") && !joined.matches_text("a-c"));
        assert!(expected("!If [Open, 1, 2]").matches(&json!([1])));
        assert!(!expected("!Ref P").matches(&json!("other")));
    }
}
