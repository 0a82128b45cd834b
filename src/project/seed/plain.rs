//! Plain values, as people write them, as what DynamoDB stores.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::item::{Attribute, KeyAttribute, KeyKind};
use super::{refusal, refusal_with};
use crate::error::{Error, Result};
use crate::project::number;
use crate::project::yaml::{self, Kind, Node, Position};

/// The value of a key attribute, whose length isn't looked at yet.
pub(super) fn key_attribute(key: &KeyAttribute, node: Node, file: &Path) -> Result<Attribute> {
    let (position, name) = (node.position, &key.name);
    if node.is_null() {
        return Err(refusal(file, position, format!("`{name}` is empty")));
    }
    let written = node.text().unwrap_or_default().to_owned();
    let untagged = matches!(node.tag.as_deref(), None | Some("!!str" | "!"));
    let must_be = |what: &str| Err(refusal(file, position, format!("`{name}` must be {what}")));
    match key.kind {
        KeyKind::Text => match (scalar(&node), node.kind) {
            (Scalar::Text, Kind::Scalar { text, .. }) if untagged => Ok(Attribute::Text(text)),
            (Scalar::Number | Scalar::Flag(_) | Scalar::NoNumber, Kind::Scalar { .. }) if untagged => {
                let what = format!("`{name}` must be a string; quote it: \"{written}\"");
                Err(refusal(file, position, what))
            }
            _ => must_be("a string"),
        },
        KeyKind::Number => match scalar(&node) {
            Scalar::Number => number(&written, position, file),
            // As text it may have zeros in front.
            Scalar::Text => match number::canonical(&written) {
                Some(digits) => must_be(&format!("a number; write it without quotes: {digits}")),
                None => must_be("a number"),
            },
            _ => must_be("a number"),
        },
        KeyKind::Binary => match (scalar(&node), node.kind) {
            (Scalar::Text, Kind::Scalar { text, .. }) if untagged => {
                bytes(&text, position, file).map(Attribute::Binary)
            }
            (_, Kind::Scalar { text, .. }) if node.tag.as_deref() == Some("!!binary") => {
                bytes(&text, position, file).map(Attribute::Binary)
            }
            // `true` and `1234` are base64 as well, and are hardly meant so.
            (_, Kind::Scalar { .. }) if untagged => must_be(&format!("bytes in base64; quote it: \"{written}\"")),
            _ => must_be("bytes in base64"),
        },
    }
}

/// Any other value.
pub(super) fn value(node: Node, file: &Path) -> Result<Attribute> {
    let position = node.position;
    let scalar = scalar(&node);
    match (node.kind, node.tag.as_deref()) {
        (Kind::Scalar { text, .. }, Some("!!binary")) => bytes(&text, position, file).map(Attribute::Binary),
        (Kind::Scalar { text, .. }, tag) => match (scalar, tag) {
            (Scalar::Text, _) => Ok(Attribute::Text(text)),
            (Scalar::Number, _) => number(&text, position, file),
            (Scalar::Flag(flag), _) => Ok(Attribute::Flag(flag)),
            (Scalar::Null, _) => Ok(Attribute::Null),
            (Scalar::NoNumber, _) => {
                let next_step = format!("Quote it if it is meant as text: \"{text}\".");
                Err(refusal_with(
                    file,
                    position,
                    format!("DynamoDB stores no {text}"),
                    next_step,
                ))
            }
            (Scalar::Unknown, tag) => Err(unknown_tag(tag, position, file)),
            (Scalar::Unfit, tag) => {
                let what = format!("`{text}` isn't what {} says", tag.unwrap_or_default());
                Err(refusal(file, position, what))
            }
        },
        (Kind::List(items), None | Some("!!seq")) => {
            let values = items.into_iter().map(|item| value(item, file));
            Ok(Attribute::List(values.collect::<Result<_>>()?))
        }
        (Kind::Map(entries), None | Some("!!map")) => {
            let mut named = BTreeMap::new();
            for (name, node) in entries {
                named.insert(name.text, value(node, file)?);
            }
            Ok(Attribute::Map(named))
        }
        (_, tag) => Err(unknown_tag(tag, position, file)),
    }
}

fn unknown_tag(tag: Option<&str>, position: Position, file: &Path) -> Error {
    match tag {
        // Whether what is in it is text or numbers can't be told: its entries are names.
        Some("!!set") => refusal_with(
            file,
            position,
            "a set (`!!set`) doesn't say whether it is of text or of numbers",
            "Write a list, if it needn't be a set; or the whole item with its types, as in {\"Item\": {\"id\": {\"S\": \
             \"1\"}, \"tags\": {\"SS\": [\"a\", \"b\"]}}}.",
        ),
        tag => refusal_with(
            file,
            position,
            format!("`{}` means nothing in an item", tag.unwrap_or("!")),
            "Of YAML's tags these do: !!str, !!int, !!float, !!bool, !!null, !!binary, !!seq, !!map.",
        ),
    }
}

/// A number that DynamoDB stores as it is.
pub(super) fn number(written: &str, position: Position, file: &Path) -> Result<Attribute> {
    Attribute::number(written).ok_or_else(|| {
        let what = format!(
            "DynamoDB can't store the number {written}: it takes {} digits, from 1E-130 to 9.99E+125",
            number::MOST_DIGITS
        );
        refusal_with(
            file,
            position,
            what,
            format!("Quote it to store it as text: \"{written}\"."),
        )
    })
}

pub(super) fn bytes(text: &str, position: Position, file: &Path) -> Result<Vec<u8>> {
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(text).map_err(|error| {
        let what = position.error(file, "this isn't base64").cause(error);
        what.hint("`base64 -w 0 FILE` prints the bytes of a file so.")
    })
}

/// What a scalar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Text,
    Number,
    Flag(bool),
    Null,
    /// `.inf` and `.nan`.
    NoNumber,
    /// It has a tag that nobody knows, or is no scalar.
    Unknown,
    /// It isn't what its tag says.
    Unfit,
}

pub(super) fn scalar(node: &Node) -> Scalar {
    let Kind::Scalar { text, plain } = &node.kind else {
        return Scalar::Unknown;
    };
    let fit = |fits: bool, scalar: Scalar| if fits { scalar } else { Scalar::Unfit };
    match node.tag.as_deref() {
        None if *plain => untagged(text),
        None | Some("!!str" | "!") => Scalar::Text,
        Some("!!null") => Scalar::Null,
        Some("!!int" | "!!float") => fit(number::is_number(text), Scalar::Number),
        Some("!!bool") => match untagged(text) {
            Scalar::Flag(flag) => Scalar::Flag(flag),
            _ => Scalar::Unfit,
        },
        Some(_) => Scalar::Unknown,
    }
}

/// YAML 1.2's core schema (10.3.2).
fn untagged(text: &str) -> Scalar {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(flag) = yaml::flag(text) {
        return Scalar::Flag(flag);
    }
    match text {
        _ if yaml::says_nothing(text) => Scalar::Null,
        ".nan" | ".NaN" | ".NAN" => Scalar::NoNumber,
        _ if matches!(unsigned, ".inf" | ".Inf" | ".INF") => Scalar::NoNumber,
        _ if number::is_number(text) && !number::has_leading_zero(text) => Scalar::Number,
        _ => Scalar::Text,
    }
}
