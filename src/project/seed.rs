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

/// DynamoDB's limits for an item: bytes, levels, and digits of a number.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
const LARGEST_ITEM: usize = 400 * 1024;
const DEEPEST: usize = 32;
const MOST_DIGITS: usize = 38;

/// From so many digits on, a float may have stood for more.
const FLOAT_DIGITS: usize = 16;

impl Attribute {
    /// Bytes, about as DynamoDB counts them.
    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Number(digits) => digits.len() / 2 + 2,
            Self::Flag(_) | Self::Null => 1,
            Self::List(items) => 3 + items.iter().map(|item| 1 + item.size()).sum::<usize>(),
            Self::Map(named) => {
                3 + named
                    .iter()
                    .map(|(name, item)| 1 + name.len() + item.size())
                    .sum::<usize>()
            }
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Map(named) => 1 + named.values().map(Self::depth).max().unwrap_or(0),
            _ => 0,
        }
    }
}

/// The number of digits that count, and the power of ten of the first of them.
fn significance(number: &str) -> Option<(usize, i32)> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let mantissa = mantissa.trim_start_matches(['-', '+']);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let significant = digits.trim_matches('0').len();
    let power = i32::try_from(whole.len()).ok()? - 1 - i32::try_from(leading).ok()?;
    Some((significant, power.checked_add(exponent.parse().ok()?)?))
}

/// A number that DynamoDB stores as it is: at most 38 digits, from 1E-130 to 9.99…E+125.
fn number<E: de::Error>(digits: String) -> Result<Attribute, E> {
    match significance(&digits) {
        Some((0, _)) => Ok(Attribute::Number(digits)),
        Some((count, power)) if count <= MOST_DIGITS && (-130..=125).contains(&power) => Ok(Attribute::Number(digits)),
        _ => Err(E::custom(format!(
            "DynamoDB can't store the number {digits}: it takes {MOST_DIGITS} digits, from 1E-130 to 9.99E+125"
        ))),
    }
}

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
        let size: usize = attributes.iter().map(|(name, value)| name.len() + value.size()).sum();
        if size > LARGEST_ITEM {
            return Err(de::Error::custom(format!(
                "the item has about {size} bytes; {LARGEST_ITEM} is the most"
            )));
        }
        if attributes.values().any(|value| value.depth() > DEEPEST) {
            return Err(de::Error::custom(format!(
                "the item is nested deeper than {DEEPEST} levels"
            )));
        }
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

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Attribute, E> {
        number(value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Attribute, E> {
        number(value.to_string())
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Attribute, E> {
        number(value.to_string())
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Attribute, E> {
        number(value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Attribute, E> {
        if !value.is_finite() {
            return Err(E::custom(format!("DynamoDB stores no {value}")));
        }
        let digits = format!("{value:e}");
        // YAML's reader keeps a decimal number as a float; one that may have lost digits isn't stored in silence.
        if significance(&digits).is_none_or(|(count, _)| count >= FLOAT_DIGITS) {
            return Err(E::custom(format!(
                "this number may have more digits than YAML keeps (it reads {value}); put the item into a .jsonl file, \
                 which keeps all"
            )));
        }
        number(value.to_string())
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
                return number(map.next_value()?);
            }
            if named.contains_key(&name) {
                return Err(de::Error::custom(format!("`{name}` is there twice")));
            }
            let value = map.next_value_seed(Anything)?;
            named.insert(name, value);
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
    fn what_dynamodb_would_refuse_or_alter_is_refused_first() {
        let deep = format!("- userId: a\n  x: {}1{}\n", "[".repeat(33), "]".repeat(33));
        let huge = format!("- userId: a\n  x: {}\n", "y".repeat(LARGEST_ITEM));
        for (text, word) in [
            (
                "- userId: a\n  n: 0.12345678901234567890123\n",
                "more digits than YAML keeps",
            ),
            (
                "- userId: a\n  n: 1234567890123456789012345678901234567890123\n",
                "more digits",
            ),
            ("- userId: a\n  n: 1e300\n", "can't store the number"),
            ("- userId: a\n  n: .inf\n", "stores no inf"),
            ("- userId: a\n  m: { b: 1, b: 2 }\n", "`b` is there twice"),
            (deep.as_str(), "nested deeper"),
            (huge.as_str(), "400 * 1024"),
        ] {
            let error = problem(text);
            let word = word.replace("400 * 1024", "409600 is the most");
            assert!(error.contains(&word) && error.contains("stacks/seed.yaml:"), "{error}");
        }
        let lines = |n: &str| parse(&format!("{{\"userId\":\"a\",\"n\":{n}}}"), Path::new("x.jsonl"));
        assert!(lines(&"1".repeat(39)).is_err());
        assert!(lines(&"1".repeat(38)).is_ok());
        assert!(lines("1e126").is_err());
        assert!(lines("-9.9e125").is_ok());
        assert!(lines("0.000").is_ok());
    }

    #[test]
    fn no_items_are_no_error() {
        assert_eq!(yaml("").expect("fine"), []);
        assert_eq!(yaml("# nothing yet\n").expect("fine"), []);
        assert_eq!(yaml("[]").expect("fine"), []);
    }
}
