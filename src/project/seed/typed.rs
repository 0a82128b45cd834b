//! DynamoDB's own JSON, in which each value is a map of one entry, its type and what it is: `{"S": "Ada"}`. So it has
//! what plain values can't say, sets and bytes. Exports to S3 and the AWS CLI write it.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html>

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::item::{Attribute, KeyAttribute, KeyKind};
use super::plain::{self, Scalar, scalar};
use super::{refusal, refusal_with};
use crate::error::{Error, Result};
use crate::project::number;
use crate::project::yaml::{Kind, Name, Node, Position};

const TYPES: [&str; 10] = ["S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"];

/// Whether all values say their type.
pub(super) fn is_typed(entries: &[(Name, Node)]) -> bool {
    let has_type = |node: &Node| match &node.kind {
        Kind::Map(entries) => matches!(entries.as_slice(), [(name, _)] if TYPES.contains(&name.text.as_str())),
        _ => false,
    };
    !entries.is_empty() && entries.iter().all(|(_, value)| has_type(value))
}

/// The value of a key attribute, whose length isn't looked at yet.
pub(super) fn key_attribute(key: &KeyAttribute, node: Node, file: &Path) -> Result<Attribute> {
    let (position, name) = (node.position, &key.name);
    let (wanted, value) = match (key.kind, value(name, node, file)?) {
        (KeyKind::Text, value @ Attribute::Text(_))
        | (KeyKind::Number, value @ Attribute::Number(_))
        | (KeyKind::Binary, value @ Attribute::Binary(_)) => return Ok(value),
        (KeyKind::Text, value) => ("S", value),
        (KeyKind::Number, value) => ("N", value),
        (KeyKind::Binary, value) => ("B", value),
    };
    let what = format!("`{name}` must be of the type {wanted}; it is of {}", type_of(&value));
    Err(refusal(file, position, what))
}

fn type_of(value: &Attribute) -> &'static str {
    match value {
        Attribute::Text(_) => "S",
        Attribute::Number(_) => "N",
        Attribute::Binary(_) => "B",
        Attribute::Flag(_) => "BOOL",
        Attribute::Null => "NULL",
        Attribute::List(_) => "L",
        Attribute::Map(_) => "M",
        Attribute::TextSet(_) => "SS",
        Attribute::NumberSet(_) => "NS",
        Attribute::BinarySet(_) => "BS",
    }
}

/// A value with its type; `what` names it in messages.
pub(super) fn value(what: &str, node: Node, file: &Path) -> Result<Attribute> {
    let position = node.position;
    let (name, node) = one_entry(node).ok_or_else(|| {
        refusal_with(
            file,
            position,
            format!("`{what}` must say its type here"),
            format!("Write it as in {{\"{what}\": {{\"S\": \"Ada\"}}}}. {}", types()),
        )
    })?;
    let position = node.position;
    let refused = |what: &str| Err(refusal(file, position, what));
    match name.text.as_str() {
        "S" => text("S", node, file).map(Attribute::Text),
        "N" => digits("N", node, file).map(Attribute::Number),
        "B" => bytes("B", node, file).map(Attribute::Binary),
        "BOOL" => match scalar(&node) {
            Scalar::Flag(flag) => Ok(Attribute::Flag(flag)),
            _ => refused("BOOL takes true or false, without quotes"),
        },
        "NULL" => match scalar(&node) {
            Scalar::Flag(true) => Ok(Attribute::Null),
            _ => refused("NULL takes true, without quotes, and nothing else"),
        },
        "L" => {
            let values = list("L", node, file)?.into_iter().map(|node| value(what, node, file));
            values.collect::<Result<_>>().map(Attribute::List)
        }
        "M" => match node.kind {
            Kind::Map(entries) if is_untagged(node.tag.as_deref(), "!!map") => {
                let mut named = BTreeMap::new();
                for (name, node) in entries {
                    let value = value(&name.text, node, file)?;
                    named.insert(name.text, value);
                }
                Ok(Attribute::Map(named))
            }
            _ => refused("M takes a map of names and values with their types"),
        },
        "SS" => set("SS", node, file, text).map(Attribute::TextSet),
        "NS" => set("NS", node, file, digits).map(Attribute::NumberSet),
        "BS" => set("BS", node, file, bytes).map(Attribute::BinarySet),
        other => {
            let what = format!("DynamoDB has no type `{other}`");
            Err(refusal_with(file, name.position, what, types()))
        }
    }
}

fn types() -> String {
    format!("The types are {}.", TYPES.join(", "))
}

fn is_untagged(tag: Option<&str>, own: &str) -> bool {
    tag.is_none_or(|tag| tag == own)
}

fn one_entry(node: Node) -> Option<(Name, Node)> {
    let Kind::Map(mut entries) = node.kind else {
        return None;
    };
    let entry = entries.pop()?;
    (entries.is_empty() && is_untagged(node.tag.as_deref(), "!!map")).then_some(entry)
}

fn text(kind: &str, node: Node, file: &Path) -> Result<String> {
    let position = node.position;
    let is_text = scalar(&node) == Scalar::Text;
    match node.kind {
        Kind::Scalar { text, .. } if is_text => Ok(text),
        Kind::Scalar { text, .. } if node.tag.is_none() => {
            let what = format!("{kind} takes text; quote it: \"{text}\"");
            Err(refusal(file, position, what))
        }
        _ => Err(refusal(file, position, format!("{kind} takes text"))),
    }
}

/// A number, which DynamoDB itself has in quotes: no reader of JSON is to make a float of it.
fn digits(kind: &str, node: Node, file: &Path) -> Result<String> {
    let position = node.position;
    let fits = matches!(scalar(&node), Scalar::Text | Scalar::Number);
    match node.kind {
        // Sixteens and eights are YAML's alone.
        Kind::Scalar { text, .. } if fits && !text.starts_with("0x") && !text.starts_with("0o") => {
            if !number::is_number(&text) {
                return Err(not_a_number(kind, &text, position, file));
            }
            match plain::number(&text, position, file)? {
                Attribute::Number(digits) => Ok(digits),
                _ => Err(not_a_number(kind, &text, position, file)),
            }
        }
        Kind::Scalar { text, .. } => Err(not_a_number(kind, &text, position, file)),
        _ => Err(refusal(file, position, format!("{kind} takes a number in quotes"))),
    }
}

fn not_a_number(kind: &str, text: &str, position: Position, file: &Path) -> Error {
    refusal(
        file,
        position,
        format!("{kind} takes a decimal number in quotes; `{text}` is none"),
    )
}

fn bytes(kind: &str, node: Node, file: &Path) -> Result<Vec<u8>> {
    let position = node.position;
    // `true`, `null` and `1234` are base64 as well, and are hardly meant so.
    let fits = scalar(&node) == Scalar::Text || node.tag.as_deref() == Some("!!binary");
    match node.kind {
        Kind::Scalar { text, .. } if fits => plain::bytes(&text, position, file),
        _ => Err(refusal(
            file,
            position,
            format!("{kind} takes bytes in base64, in quotes"),
        )),
    }
}

fn list(kind: &str, node: Node, file: &Path) -> Result<Vec<Node>> {
    match node.kind {
        Kind::List(nodes) if is_untagged(node.tag.as_deref(), "!!seq") => Ok(nodes),
        _ => Err(refusal(file, node.position, format!("{kind} takes a list"))),
    }
}

fn set<T: Ord>(
    kind: &str,
    node: Node,
    file: &Path,
    element: impl Fn(&str, Node, &Path) -> Result<T>,
) -> Result<BTreeSet<T>> {
    let position = node.position;
    let nodes = list(kind, node, file)?;
    if nodes.is_empty() {
        return Err(refusal_with(
            file,
            position,
            "DynamoDB stores no empty set",
            "Leave the attribute out, or give the set an element.",
        ));
    }
    let mut set = BTreeSet::new();
    for node in nodes {
        let position = node.position;
        let written = node.text().unwrap_or_default().to_owned();
        if !set.insert(element(kind, node, file)?) {
            let what = format!("`{written}` is in the set twice");
            return Err(refusal(file, position, what));
        }
    }
    Ok(set)
}
