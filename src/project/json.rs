//! JSON as the tree that YAML is read into. YAML's own reader won't do for it: it knows no surrogate pairs (`\ud83d\ude00`),
//! which is how many programs write what isn't ASCII, and no name longer than 1024 characters.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::path::Path;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::yaml::{Kind, Name, Node, Position, Span, correct, narrow, within_depth};
use crate::error::{Error, Result};

/// Reads one value, which begins in the line `first_line` of `file`.
///
/// # Errors
/// Names file, line and column of what isn't JSON, of a name that is twice in an object, and of what is nested too
/// deep.
pub(crate) fn read(text: &str, file: &Path, first_line: usize) -> Result<Node> {
    let value: &RawValue = serde_json::from_str(text).map_err(|error| {
        let position = Position {
            line: narrow(first_line + error.line().saturating_sub(1)),
            column: narrow(error.column().max(1)),
        };
        position.error(file, words(&error)).hint(correct(file))
    })?;
    let mut reader = Reader {
        file,
        text,
        offset: 0,
        position: Position {
            line: narrow(first_line),
            column: 1,
        },
    };
    reader.node(value, 0)
}

/// What the parser says, without its own way of telling the place, and in words of the file where it has its own.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rfind(" at line ").map_or(text.as_str(), |end| &text[..end]);
    match text {
        "trailing characters" => "there is more after the end of the JSON",
        "EOF while parsing a value" => "a value is missing at the end",
        "EOF while parsing an object" => "an object isn't closed: `}` is missing",
        "EOF while parsing a list" => "a list isn't closed: `]` is missing",
        "EOF while parsing a string" => "a text isn't closed: `\"` is missing",
        "key must be a string" => "a name must be in double quotes",
        "expected value" => "this is no JSON value; text stands in double quotes",
        "trailing comma" => "nothing comes after this comma",
        other => other,
    }
    .to_owned()
}

struct Reader<'a> {
    file: &'a Path,
    text: &'a str,
    /// How far into `text` the place below is, in bytes.
    offset: usize,
    position: Position,
}

impl Reader<'_> {
    /// Where `part`, a piece of the text, begins, in bytes of it.
    fn offset(&self, part: &str) -> usize {
        part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr())
    }

    fn span(&self, part: &str) -> Span {
        let start = self.offset(part);
        Span::new(start, start + part.len())
    }

    /// Where `part`, a piece of the text, begins. Pieces are asked for in their order, so that the text is counted once.
    fn position(&mut self, part: &str) -> Position {
        let offset = self.offset(part);
        for character in self.text.get(self.offset..offset).unwrap_or_default().chars() {
            if character == '\n' {
                self.position.line += 1;
                self.position.column = 1;
            } else {
                self.position.column += 1;
            }
        }
        self.offset = offset.max(self.offset);
        self.position
    }

    fn node(&mut self, value: &RawValue, depth: usize) -> Result<Node> {
        let text = value.get();
        let position = self.position(text);
        let kind = match text.as_bytes().first() {
            Some(b'"') => Kind::Scalar {
                text: self.part(text, position)?,
                plain: false,
            },
            Some(b'[') => {
                within_depth(depth + 1, position, self.file)?;
                let items: Vec<&RawValue> = self.part(text, position)?;
                let nodes = items.into_iter().map(|item| self.node(item, depth + 1));
                Kind::List(nodes.collect::<Result<_>>()?)
            }
            Some(b'{') => {
                within_depth(depth + 1, position, self.file)?;
                Kind::Map(self.entries(text, position, depth + 1)?)
            }
            _ => Kind::Scalar {
                text: text.to_owned(),
                plain: true,
            },
        };
        Ok(Node {
            position,
            span: self.span(text),
            tag: None,
            is_alias: false,
            kind,
        })
    }

    fn entries(&mut self, text: &str, position: Position, depth: usize) -> Result<Vec<(Name, Node)>> {
        let pairs = serde_json::Deserializer::from_str(text)
            .deserialize_map(Pairs)
            .map_err(|error| self.error(position, &error))?;
        let mut names = BTreeMap::new();
        let mut entries = Vec::new();
        for (name, value) in pairs {
            let position = self.position(name.get());
            let text: String = self.part(name.get(), position)?;
            match names.entry(text.clone()) {
                Entry::Vacant(slot) => slot.insert(position),
                Entry::Occupied(_) => {
                    let error = position.error(self.file, format!("`{text}` is there twice"));
                    return Err(error.hint(correct(self.file)));
                }
            };
            let found = Name {
                position,
                span: self.span(name.get()),
                text,
                plain: false,
            };
            entries.push((found, self.node(value, depth)?));
        }
        Ok(entries)
    }

    /// A piece whose outline was read before: only an escape in a string can be wrong with it.
    fn part<'t, T: serde::Deserialize<'t>>(&self, text: &'t str, position: Position) -> Result<T> {
        serde_json::from_str(text).map_err(|error| self.error(position, &error))
    }

    fn error(&self, position: Position, error: &serde_json::Error) -> Error {
        position.error(self.file, words(error)).hint(correct(self.file))
    }
}

/// The names and values of an object, each as it is written.
struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(&'de RawValue, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        read(text, Path::new("a.jsonl"), 7).expect_err(text).to_string()
    }

    #[test]
    fn everything_has_its_place_and_numbers_their_text() {
        let node = read(
            "{\"ä\": 1.50,\n \"b\": [true, \"\\ud83d\\ude00\"]}",
            Path::new("a.json"),
            1,
        )
        .expect("JSON");
        let Kind::Map(entries) = &node.kind else {
            panic!("an object")
        };
        let place = |position: Position| (position.line, position.column);
        assert_eq!(place(entries[0].0.position), (1, 2));
        assert_eq!(place(entries[0].1.position), (1, 7));
        assert_eq!(entries[0].1.text(), Some("1.50"));
        let Kind::List(items) = &entries[1].1.kind else {
            panic!("a list")
        };
        assert_eq!(place(items[1].position), (2, 14));
        assert_eq!(items[1].text(), Some("😀"));
        assert!(matches!(items[0].kind, Kind::Scalar { plain: true, .. }));
        assert!(matches!(items[1].kind, Kind::Scalar { plain: false, .. }));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place() {
        assert!(problem("{\"a\": }").starts_with("a.jsonl:7:7: this is no JSON value"));
        assert!(problem("{\"a\": 1} x").starts_with("a.jsonl:7:10: there is more after the end of the JSON"));
        assert!(problem("{\"a\": [1").starts_with("a.jsonl:7:8: a list isn't closed"));
        assert!(problem("{\"a\": \"\\ud83d\"}").starts_with("a.jsonl:7:7: "));
        assert!(problem("{\"a\": 1, \"\\u0061\": 2}").starts_with("a.jsonl:7:10: `a` is there twice"));
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert!(problem(&deep).starts_with("a.jsonl:7:129: nested deeper than 128"));
    }
}
