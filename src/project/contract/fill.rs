//! What a text of the contract leaves open: outputs, variables of the environment, the stage's own names.

use std::fmt;

use serde_json::Value;

use crate::project::placeholder::{self, Part};

/// What a text leaves open that isn't known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Open {
    /// An output.
    Output(String),
    /// An environment variable that isn't set.
    Variable(String),
    /// No placeholder at all.
    Nonsense(String),
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(name) => write!(f, "there is no output `{name}`"),
            Self::Variable(name) => write!(f, "the environment variable {name} isn't set"),
            Self::Nonsense(what) => f.write_str(what),
        }
    }
}

/// A text without placeholders: `output` knows the outputs, `variable` the environment.
///
/// # Errors
/// The first that isn't known.
pub(crate) fn fill(
    text: &str,
    output: &dyn Fn(&str) -> Option<String>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<String, Open> {
    let mut filled = String::new();
    for piece in pieces(text)? {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Output(name) => filled.push_str(&output(name).ok_or_else(|| Open::Output(name.to_owned()))?),
            Piece::Variable(name) => filled.push_str(&variable(name).ok_or_else(|| Open::Variable(name.to_owned()))?),
        }
    }
    Ok(filled)
}

/// The same for every text in a value, but for the names in it.
///
/// # Errors
/// See [`fill`].
pub(crate) fn fill_value(value: &Value, fill: &dyn Fn(&str) -> Result<String, Open>) -> Result<Value, Open> {
    Ok(match value {
        Value::String(text) => Value::String(fill(text)?),
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| fill_value(item, fill))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(map) => {
            let entries = map
                .iter()
                .map(|(name, value)| Ok((name.clone(), fill_value(value, fill)?)));
            Value::Object(entries.collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}

/// What stands for the stage's name and the project's, as in `stages.yaml`.
pub(super) const SETTINGS: [&str; 2] = ["stage", "project"];

/// The first output that a text names.
pub(crate) fn first_output(text: &str) -> Option<&str> {
    pieces(text).ok()?.into_iter().find_map(|piece| match piece {
        Piece::Output(name) if !SETTINGS.contains(&name) => Some(name),
        _ => None,
    })
}

pub(super) enum Piece<'t> {
    Text(&'t str),
    Output(&'t str),
    Variable(&'t str),
}

pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Open> {
    let pieces = placeholder::parts(text).map(|part| match part {
        Ok(Part::Text(text)) => Ok(Piece::Text(text)),
        Ok(Part::Open(name)) => Ok(name.strip_prefix("env:").map_or(Piece::Output(name), Piece::Variable)),
        Err(rest) => Err(Open::Nonsense(format!("`{rest}` has no `}}`, as in `${{ApiUrl}}`"))),
    });
    pieces.collect()
}
