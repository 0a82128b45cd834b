//! The items that belong into the table from the start: `stacks/seed.yaml`, or a file of JSON lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::source;
use crate::error::{Error, Result};

/// The table's partition key.
pub const KEY: &str = "userId";

/// A value as DynamoDB can store it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// Text.
    Text(String),
    /// A number, as its digits: DynamoDB keeps 38 of them, a float doesn't.
    Number(String),
    /// True or false.
    Flag(bool),
    /// Nothing.
    Null,
    /// An ordered list.
    List(Vec<Attribute>),
    /// Named values.
    Map(BTreeMap<String, Attribute>),
}

/// One item: its key and everything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The value of `userId`.
    pub key: String,
    /// All attributes, `userId` included.
    pub attributes: BTreeMap<String, Attribute>,
}

/// DynamoDB's longest partition key, in bytes of UTF-8.
const LONGEST_KEY: usize = 2048;

/// Parses items: JSON lines when `file` ends in `.jsonl`, else YAML (which JSON is, too).
///
/// # Errors
/// Names file and line of an item without `userId`, with one that isn't a string, is empty or too long, or occurs
/// twice.
pub fn parse(text: &str, file: &Path) -> Result<Vec<Item>> {
    let mut seen = BTreeSet::new();
    let items = if file.extension().is_some_and(|extension| extension == "jsonl") {
        parse_lines(text, file, &mut seen)?
    } else if text.trim().is_empty() {
        Vec::new()
    } else {
        Items { seen: &mut seen }
            .deserialize(serde_yaml::Deserializer::from_str(text))
            .map_err(|error| source::yaml_error(&error, file))?
    };
    Ok(items)
}

fn parse_lines(text: &str, file: &Path, seen: &mut BTreeSet<String>) -> Result<Vec<Item>> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            let mut json = serde_json::Deserializer::from_str(line);
            OneItem { seen }
                .deserialize(&mut json)
                .and_then(|item| json.end().map(|()| item))
                .map_err(|error| {
                    let text = error.to_string();
                    let what = text.rfind(" at line ").map_or(text.as_str(), |end| &text[..end]);
                    Error::usage(format!("{}:{}: {what}", file.display(), index + 1))
                        .hint(format!("Correct {} and run the command again.", file.display()))
                })
        })
        .collect()
}

/// A sequence of items, checked while it is read: so the parser's own position goes into the message.
struct Items<'a> {
    seen: &'a mut BTreeSet<String>,
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = Vec<Item>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Vec<Item>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of items")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(OneItem { seen: self.seen })? {
            items.push(item);
        }
        Ok(items)
    }
}

struct OneItem<'a> {
    seen: &'a mut BTreeSet<String>,
}

impl<'de> DeserializeSeed<'de> for OneItem<'_> {
    type Value = Item;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Item, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneItem<'_> {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an item with `{KEY}`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
        let mut key = None;
        let mut attributes = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if attributes.contains_key(&name) {
                map.next_value::<IgnoredAny>()?;
                return Err(de::Error::custom(format!("the item has `{name}` twice")));
            }
            let value = if name == KEY {
                let id = map.next_value_seed(Key { seen: self.seen })?;
                key = Some(id.clone());
                Attribute::Text(id)
            } else {
                map.next_value_seed(Anything)?
            };
            attributes.insert(name, value);
        }
        let key = key.ok_or_else(|| de::Error::custom(format!("the item has no `{KEY}`")))?;
        Ok(Item { key, attributes })
    }
}

struct Key<'a> {
    seen: &'a mut BTreeSet<String>,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string for `{KEY}`")
    }

    fn visit_str<E: de::Error>(self, id: &str) -> Result<String, E> {
        if id.is_empty() {
            Err(E::custom(format!("`{KEY}` is empty")))
        } else if id.len() > LONGEST_KEY {
            Err(E::custom(format!(
                "`{KEY}` has {} bytes; {LONGEST_KEY} is the most",
                id.len()
            )))
        } else if self.seen.insert(id.to_owned()) {
            Ok(id.to_owned())
        } else {
            Err(E::custom(format!("`{KEY}: \"{id}\"` is there twice")))
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<String, E> {
        Err(unquoted(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
        Err(unquoted(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<String, E> {
        Err(unquoted(number))
    }
}

fn unquoted<E: de::Error>(number: impl fmt::Display) -> E {
    E::custom(format!("`{KEY}` must be a string; quote it: \"{number}\""))
}

struct Anything;

impl<'de> DeserializeSeed<'de> for Anything {
    type Value = Attribute;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Attribute, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// How serde_json hands over a number whose digits it kept.
const JSON_NUMBER: &str = "$serde_json::private::Number";

impl<'de> Visitor<'de> for Anything {
    type Value = Attribute;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that DynamoDB can store")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Attribute, E> {
        Ok(Attribute::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Attribute, E> {
        Ok(Attribute::Flag(flag))
    }

    fn visit_unit<E>(self) -> Result<Attribute, E> {
        Ok(Attribute::Null)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Attribute, E> {
        Ok(Attribute::Number(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Attribute, E> {
        Ok(Attribute::Number(number.to_string()))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Attribute, E> {
        Ok(Attribute::Number(number.to_string()))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Attribute, E> {
        Ok(Attribute::Number(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Attribute, E> {
        if number.is_finite() {
            Ok(Attribute::Number(number.to_string()))
        } else {
            Err(de::Error::custom(format!("DynamoDB stores no {number}")))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Attribute, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = sequence.next_element_seed(Anything)? {
            list.push(value);
        }
        Ok(Attribute::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attribute, A::Error> {
        let mut named = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == JSON_NUMBER {
                return Ok(Attribute::Number(map.next_value()?));
            }
            named.insert(name, map.next_value_seed(Anything)?);
        }
        Ok(Attribute::Map(named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(text: &str) -> Result<Vec<Item>> {
        parse(text, Path::new("stacks/seed.yaml"))
    }

    fn problem(text: &str) -> String {
        yaml(text).expect_err("refused").to_string()
    }

    #[test]
    fn items_keep_their_types_and_digits() {
        let items = yaml(
            "- userId: \"1\"\n  big: 12345678901234567890123456789012345678\n  price: 19.99\n  tags: [a, true, null]\n  in: { x: -5 }\n",
        )
        .expect("valid");
        let attributes = &items[0].attributes;
        assert_eq!(items[0].key, "1");
        assert_eq!(
            attributes["big"],
            Attribute::Number("12345678901234567890123456789012345678".into())
        );
        assert_eq!(attributes["price"], Attribute::Number("19.99".into()));
        assert_eq!(
            attributes["tags"],
            Attribute::List(vec![
                Attribute::Text("a".into()),
                Attribute::Flag(true),
                Attribute::Null
            ])
        );
        assert_eq!(
            attributes["in"],
            Attribute::Map(BTreeMap::from([("x".into(), Attribute::Number("-5".into()))]))
        );
    }

    #[test]
    fn json_lines_keep_every_digit() {
        let items = parse(
            "{\"userId\":\"a\",\"n\":0.1234567890123456789012345678901234}\n\n{\"userId\":\"b\"}\n",
            Path::new("more.jsonl"),
        )
        .expect("valid");
        assert_eq!(items.len(), 2);
        assert_eq!(
            items[0].attributes["n"],
            Attribute::Number("0.1234567890123456789012345678901234".into())
        );
        let error = parse("{\"userId\":\"a\"}\n{\"name\":\"x\"}\n", Path::new("more.jsonl")).expect_err("no key");
        assert!(
            error.to_string().starts_with("more.jsonl:2: the item has no `userId`"),
            "{error}"
        );
    }

    #[test]
    fn bad_items_are_named_by_file_line_and_key() {
        let missing = problem("- userId: \"1\"\n- name: x\n");
        assert!(
            missing.contains("stacks/seed.yaml:2:") && missing.contains("no `userId`"),
            "{missing}"
        );
        let number = problem("- userId: \"1\"\n\n- name: x\n  userId: 7\n");
        assert!(
            number.contains("stacks/seed.yaml:4:11") && number.contains("quote it: \"7\""),
            "{number}"
        );
        let twice = problem("- userId: a\n- userId: b\n- userId: a\n");
        assert!(
            twice.contains("stacks/seed.yaml:3:") && twice.contains("twice"),
            "{twice}"
        );
        let empty = problem("- userId: \"\"\n");
        assert!(empty.contains("seed.yaml:1:") && empty.contains("empty"), "{empty}");
        let shape = problem("userId: a\n");
        assert!(
            shape.contains("stacks/seed.yaml") && shape.contains("list of items"),
            "{shape}"
        );
        let broken = problem("- userId: [\n");
        assert!(broken.contains("stacks/seed.yaml:"), "{broken}");
    }

    #[test]
    fn no_items_are_no_error() {
        assert_eq!(yaml("").expect("fine"), []);
        assert_eq!(yaml("# nothing yet\n").expect("fine"), []);
        assert_eq!(yaml("[]").expect("fine"), []);
    }
}
