//! The items that belong into the tables from the start: `stacks/seed.yaml`, or a file of JSON lines.
//!
//! A YAML file is a list of items while there is one table, else a map from each table's logical id to its list. Plain
//! scalars are what YAML 1.2's core schema says, but for a number with a leading zero, which is text: YAML 1.1 has it
//! in octal, 1.2 in decimal, and who writes `01234` means a postal code. `yes` and `on` are text as well. Bytes are
//! `!!binary`; where a key must be bytes, base64 without a tag will do, since JSON has no tags.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::suggest::did_you_mean;
use super::yaml::{self, Kind, Name, Node, Position, correct};
use super::{json, number, source};
use crate::error::{Error, ErrorKind, Result};

/// The types that a key can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// Text, `S`.
    Text,
    /// A number, `N`.
    Number,
    /// Bytes, `B`.
    Binary,
}

/// A table's key attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyAttribute {
    /// The attribute's name.
    pub name: String,
    /// What it must be.
    pub kind: KeyKind,
}

/// A table as the seed file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeedTable {
    /// The stack, by the name of its template.
    pub stack: String,
    /// The table's name in the template.
    pub logical_id: String,
    /// The partition key, then the sort key if there is one.
    pub keys: Vec<KeyAttribute>,
}

/// A value as DynamoDB can store it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Attribute {
    /// Text.
    Text(String),
    /// A number, as its digits: DynamoDB keeps 38 of them, a float doesn't. Equal numbers have equal digits.
    Number(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// True or false.
    Flag(bool),
    /// Nothing.
    Null,
    /// An ordered list.
    List(Vec<Attribute>),
    /// Named values.
    Map(BTreeMap<String, Attribute>),
}

/// Which item of its table it is: the key attributes by name, in the order of the table's. Its order is one to sort by,
/// not that of numbers. Displayed as `customerId "c1", orderId "o7"`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(Vec<(String, Attribute)>);

impl Key {
    /// The key of an item, if it has all attributes of it.
    pub(crate) fn of(keys: &[KeyAttribute], mut attribute: impl FnMut(&str) -> Option<Attribute>) -> Option<Self> {
        let parts = keys.iter().map(|key| Some((key.name.clone(), attribute(&key.name)?)));
        parts.collect::<Option<_>>().map(Self)
    }

    /// The key attributes.
    pub(crate) fn parts(&self) -> &[(String, Attribute)] {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name} ")?;
            match value {
                Attribute::Text(text) => write!(f, "\"{text}\"")?,
                Attribute::Number(digits) => f.write_str(digits)?,
                Attribute::Binary(bytes) => write!(f, "!!binary {}", STANDARD.encode(bytes))?,
                // No key has another type.
                other => write!(f, "{other:?}")?,
            }
        }
        Ok(())
    }
}

/// One item: its key and everything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Which item it is.
    pub key: Key,
    /// All attributes, those of the key included.
    pub attributes: BTreeMap<String, Attribute>,
}

/// Items by table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seeds {
    /// The tables that have items, each as its index among those that were given, in their order.
    pub tables: Vec<(usize, Vec<Item>)>,
}

/// DynamoDB's limits: bytes of a partition key, a sort key and an item, and levels of an item.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
const LONGEST_PARTITION_KEY_BYTES: usize = 2048;
const LONGEST_SORT_KEY_BYTES: usize = 1024;
const LARGEST_ITEM_BYTES: usize = 400 * 1024;
const DEEPEST: usize = 32;

impl Attribute {
    /// A number in the one form that it is compared and stored in; none if DynamoDB can't store it.
    pub(crate) fn number(written: &str) -> Option<Self> {
        number::canonical(written).map(Self::Number)
    }

    /// Bytes, about as DynamoDB counts them.
    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Number(digits) => number::significant_digits(digits) / 2 + 2,
            Self::Binary(bytes) => bytes.len(),
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

/// Parses items: JSON lines when `file` ends in `.jsonl` or `.ndjson`, JSON when in `.json`, else YAML.
///
/// `table` names the table that the items are for, as `--table` does: JSON lines and a list don't say it, and of a map
/// it chooses one.
///
/// # Errors
/// Names file, line and column of what can't be read or stored, of a table that isn't among `tables`, of an item
/// without its key or with one of another type, and of a key that occurs twice in a table.
pub(crate) fn parse(text: &str, file: &Path, tables: &[SeedTable], table: Option<&str>) -> Result<Seeds> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let chosen = table.map(|name| find(name, tables)).transpose().map_err(|unknown| {
        let error = Error::new(ErrorKind::InvalidUsage, format!("--table: {}", unknown.what));
        error.hint(unknown.next_step)
    })?;
    let reader = Reader { file, tables };
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or("");
    let read = || match extension.to_ascii_lowercase().as_str() {
        "jsonl" | "ndjson" => reader.lines(text, chosen),
        "json" if !text.trim().is_empty() => reader.document(json::read(text, file, 1)?, chosen),
        _ => reader.document(yaml::read(text, file)?.merged(file)?, chosen),
    };
    let mut by_table = read().map_err(|error| source::shown(error, file, text))?;
    by_table.retain(|index, items| !items.is_empty() && chosen.is_none_or(|chosen| chosen == *index));
    Ok(Seeds {
        tables: by_table.into_iter().collect(),
    })
}

/// A table that isn't there, or isn't named well enough.
struct Unknown {
    what: String,
    next_step: String,
}

/// The table called `name`: its logical id, or `stack.LogicalId`.
fn find(name: &str, tables: &[SeedTable]) -> Result<usize, Unknown> {
    let full = |table: &SeedTable| format!("{}.{}", table.stack, table.logical_id);
    if let Some(index) = tables.iter().position(|table| full(table) == name) {
        return Ok(index);
    }
    let mut same = tables.iter().enumerate().filter(|(_, table)| table.logical_id == name);
    match (same.next(), same.next()) {
        (Some((index, _)), None) => Ok(index),
        (Some((_, one)), Some((_, other))) => Err(Unknown {
            what: format!("several stacks have a table `{name}`"),
            next_step: format!("Say which: `{}` or `{}`.", full(one), full(other)),
        }),
        (None, _) => {
            let names = names(tables);
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            let next_step = match (did_you_mean(name, &known), known.as_slice()) {
                (Some(near), _) => format!("Did you mean `{near}`?"),
                (None, []) => "No template in stacks/ has a table.".to_owned(),
                (None, [only]) => format!("The only table is `{only}`."),
                (None, several) => format!("The tables are {}.", several.join(", ")),
            };
            Err(Unknown {
                what: format!("there is no table `{name}`"),
                next_step,
            })
        }
    }
}

/// What each table is called in a seed file: its logical id where that is enough.
fn names(tables: &[SeedTable]) -> Vec<String> {
    let name = |table: &SeedTable| {
        let same = tables.iter().filter(|other| other.logical_id == table.logical_id);
        match same.count() {
            1 => table.logical_id.clone(),
            _ => format!("{}.{}", table.stack, table.logical_id),
        }
    };
    tables.iter().map(name).collect()
}

/// Reads items out of a tree.
struct Reader<'a> {
    file: &'a Path,
    tables: &'a [SeedTable],
}

type ByTable = BTreeMap<usize, Vec<Item>>;

impl Reader<'_> {
    fn error(&self, position: Position, what: impl fmt::Display) -> Error {
        self.error_with(position, what, correct(self.file))
    }

    fn error_with(&self, position: Position, what: impl fmt::Display, next_step: impl Into<String>) -> Error {
        position.error(self.file, what).hint(next_step)
    }

    /// An item a line.
    fn lines(&self, text: &str, chosen: Option<usize>) -> Result<ByTable> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let nodes: Vec<Node> = lines
            .map(|(index, line)| json::read(line, self.file, index + 1))
            .collect::<Result<_>>()?;
        let Some(first) = nodes.first() else {
            return Ok(ByTable::new());
        };
        let Some(index) = self.only(chosen, first.position)? else {
            let what = "these items don't say which table they are for";
            let next_step = format!("Say it with --table: {}.", names(self.tables).join(" or "));
            return Err(self.error_with(first.position, what, next_step));
        };
        Ok(ByTable::from([(index, self.items(nodes, index)?)]))
    }

    /// A list of items, or a map of such lists.
    fn document(&self, node: Node, chosen: Option<usize>) -> Result<ByTable> {
        let position = node.position;
        if node.is_null() {
            return Ok(ByTable::new());
        }
        match (node.kind, node.tag.as_deref()) {
            (Kind::List(nodes), None | Some("!!seq")) if nodes.is_empty() => Ok(ByTable::new()),
            (Kind::List(nodes), None | Some("!!seq")) => {
                let index = self.only(chosen, position)?;
                let index = index.ok_or_else(|| {
                    let what = format!(
                        "a list of items doesn't say which of the {} tables they are for",
                        self.tables.len()
                    );
                    self.error_with(position, what, self.shape())
                })?;
                Ok(ByTable::from([(index, self.items(nodes, index)?)]))
            }
            (Kind::Map(entries), None | Some("!!map")) => self.map(entries),
            _ => Err(self.error(position, "this must be a list of items, or of each table's by its name")),
        }
    }

    /// The table of items that don't name theirs; none if it could be any of several.
    fn only(&self, chosen: Option<usize>, position: Position) -> Result<Option<usize>> {
        match (chosen, self.tables.len()) {
            (Some(index), _) => Ok(Some(index)),
            (None, 0) => Err(self.no_table(position)),
            (None, 1) => Ok(Some(0)),
            (None, _) => Ok(None),
        }
    }

    fn no_table(&self, position: Position) -> Error {
        self.error_with(
            position,
            "there are items, and no table to put them into",
            format!(
                "Declare an AWS::DynamoDB::Table in a template in stacks/, or remove {}.",
                self.file.display()
            ),
        )
    }

    /// How a file for several tables looks, with these tables' names and keys.
    fn shape(&self) -> String {
        let mut shape = "Put each table's items below its name:".to_owned();
        for (name, table) in names(self.tables).iter().zip(self.tables) {
            shape.push_str(&format!("\n{name}:"));
            for (index, key) in table.keys.iter().enumerate() {
                let dash = if index == 0 { "- " } else { "  " };
                shape.push_str(&format!("\n  {dash}{}: …", key.name));
            }
        }
        shape
    }

    fn map(&self, entries: Vec<(Name, Node)>) -> Result<ByTable> {
        let mut by_table = ByTable::new();
        for (name, node) in entries {
            let index = find(&name.text, self.tables).map_err(|unknown| self.no_such(&name, unknown))?;
            let (position, is_null) = (node.position, node.is_null());
            let nodes = match (node.kind, node.tag.as_deref()) {
                (Kind::List(nodes), None | Some("!!seq")) => nodes,
                _ if is_null => Vec::new(),
                _ => return Err(self.error(position, format!("`{}` takes a list of items", name.text))),
            };
            if by_table.insert(index, self.items(nodes, index)?).is_some() {
                let what = format!("the table `{}` is there twice, by another name", name.text);
                return Err(self.error(name.position, what));
            }
        }
        Ok(by_table)
    }

    fn no_such(&self, name: &Name, unknown: Unknown) -> Error {
        let is_key = |table: &SeedTable| table.keys.iter().any(|key| key.name == name.text);
        if self.tables.is_empty() {
            self.no_table(name.position)
        } else if self.tables.iter().any(is_key) {
            let what = format!(
                "this is one item, with its `{}`, where a list of items is due",
                name.text
            );
            self.error_with(name.position, what, "Put `- ` before it.")
        } else {
            self.error_with(name.position, unknown.what, unknown.next_step)
        }
    }

    fn items(&self, nodes: Vec<Node>, table: usize) -> Result<Vec<Item>> {
        let Some(table) = self.tables.get(table) else {
            return Ok(Vec::new());
        };
        let mut seen = BTreeMap::new();
        let mut items = Vec::with_capacity(nodes.len());
        for node in nodes {
            let position = node.position;
            let item = self.item(node, &table.keys)?;
            if let Some(first) = seen.insert(item.key.clone(), position) {
                let what = format!("`{}` is there twice; line {} has it, too", item.key, first.line);
                return Err(self.error(position, what));
            }
            items.push(item);
        }
        Ok(items)
    }

    fn item(&self, node: Node, keys: &[KeyAttribute]) -> Result<Item> {
        let position = node.position;
        let (Kind::Map(entries), None | Some("!!map")) = (node.kind, node.tag.as_deref()) else {
            return Err(self.error(position, format!("an item is a map with {}", key_names(keys))));
        };
        if is_dynamodb_json(&entries) {
            let what = "this is DynamoDB's own JSON form; write plain values";
            let next_step = "Write \"name\": \"Ada\" instead of \"name\": {\"S\": \"Ada\"}, and so on.";
            return Err(self.error_with(position, what, next_step));
        }
        let mut attributes = BTreeMap::new();
        for (name, node) in entries {
            if name.text.is_empty() {
                return Err(self.error(name.position, "an attribute must have a name"));
            }
            let value = match keys.iter().position(|key| key.name == name.text) {
                Some(0) => self.key_attribute(&keys[0], node, LONGEST_PARTITION_KEY_BYTES)?,
                Some(index) => self.key_attribute(&keys[index], node, LONGEST_SORT_KEY_BYTES)?,
                None => self.value(node)?,
            };
            attributes.insert(name.text, value);
        }
        let key = Key::of(keys, |name| attributes.get(name).cloned()).ok_or_else(|| {
            let missing: Vec<String> = keys
                .iter()
                .filter(|key| !attributes.contains_key(&key.name))
                .map(|key| format!("no `{}`", key.name))
                .collect();
            self.error(position, format!("the item has {}", missing.join(" and ")))
        })?;
        let size: usize = attributes.iter().map(|(name, value)| name.len() + value.size()).sum();
        if size > LARGEST_ITEM_BYTES {
            let what = format!("the item has about {size} bytes; {LARGEST_ITEM_BYTES} is the most");
            return Err(self.error(position, what));
        }
        if attributes.values().any(|value| value.depth() > DEEPEST) {
            let what = format!("the item is nested deeper than {DEEPEST} levels");
            return Err(self.error(position, what));
        }
        Ok(Item { key, attributes })
    }

    /// The value of a key attribute, of at most `longest` bytes.
    fn key_attribute(&self, key: &KeyAttribute, node: Node, longest: usize) -> Result<Attribute> {
        let (position, name) = (node.position, &key.name);
        if node.is_null() {
            return Err(self.error(position, format!("`{name}` is empty")));
        }
        let written = node.text().unwrap_or_default().to_owned();
        let untagged = matches!(node.tag.as_deref(), None | Some("!!str" | "!"));
        let must_be = |what: &str| Err(self.error(position, format!("`{name}` must be {what}")));
        let (value, length) = match key.kind {
            KeyKind::Text => match (scalar(&node), node.kind) {
                (Scalar::Text, Kind::Scalar { text, .. }) if untagged => {
                    let length = text.len();
                    (Attribute::Text(text), length)
                }
                (Scalar::Number | Scalar::Flag(_) | Scalar::NoNumber, Kind::Scalar { .. }) if untagged => {
                    let what = format!("`{name}` must be a string; quote it: \"{written}\"");
                    return Err(self.error(position, what));
                }
                _ => return must_be("a string"),
            },
            KeyKind::Number => match scalar(&node) {
                Scalar::Number => return self.number(&written, position),
                // As text it may have zeros in front.
                Scalar::Text => match number::canonical(&written) {
                    Some(digits) => return must_be(&format!("a number; write it without quotes: {digits}")),
                    None => return must_be("a number"),
                },
                _ => return must_be("a number"),
            },
            KeyKind::Binary => match node.kind {
                Kind::Scalar { text, .. } if untagged || node.tag.as_deref() == Some("!!binary") => {
                    let bytes = self.bytes(&text, position)?;
                    let length = bytes.len();
                    (Attribute::Binary(bytes), length)
                }
                _ => return must_be("bytes in base64"),
            },
        };
        match length {
            0 => Err(self.error(position, format!("`{name}` is empty"))),
            _ if length > longest => {
                Err(self.error(position, format!("`{name}` has {length} bytes; {longest} is the most")))
            }
            _ => Ok(value),
        }
    }

    fn value(&self, node: Node) -> Result<Attribute> {
        let position = node.position;
        let scalar = scalar(&node);
        match (node.kind, node.tag.as_deref()) {
            (Kind::Scalar { text, .. }, Some("!!binary")) => Ok(Attribute::Binary(self.bytes(&text, position)?)),
            (Kind::Scalar { text, .. }, tag) => match (scalar, tag) {
                (Scalar::Text, _) => Ok(Attribute::Text(text)),
                (Scalar::Number, _) => self.number(&text, position),
                (Scalar::Flag(flag), _) => Ok(Attribute::Flag(flag)),
                (Scalar::Null, _) => Ok(Attribute::Null),
                (Scalar::NoNumber, _) => {
                    let next_step = format!("Quote it if it is meant as text: \"{text}\".");
                    Err(self.error_with(position, format!("DynamoDB stores no {text}"), next_step))
                }
                (Scalar::Unknown, tag) => Err(self.tag(position, tag)),
                (Scalar::Unfit, tag) => Err(self.error(
                    position,
                    format!("`{text}` isn't what {} says", tag.unwrap_or_default()),
                )),
            },
            (Kind::List(items), None | Some("!!seq")) => {
                let values = items.into_iter().map(|item| self.value(item));
                Ok(Attribute::List(values.collect::<Result<_>>()?))
            }
            (Kind::Map(entries), None | Some("!!map")) => {
                let mut named = BTreeMap::new();
                for (name, node) in entries {
                    named.insert(name.text, self.value(node)?);
                }
                Ok(Attribute::Map(named))
            }
            (_, tag) => Err(self.tag(position, tag)),
        }
    }

    /// The refusal of a tag.
    fn tag(&self, position: Position, tag: Option<&str>) -> Error {
        match tag {
            Some("!!set") => self.error_with(
                position,
                "sets (`!!set`) can't be seeded",
                "Write a list, or have the function put the set.",
            ),
            tag => self.error_with(
                position,
                format!("`{}` means nothing in an item", tag.unwrap_or("!")),
                "Of YAML's tags these do: !!str, !!int, !!float, !!bool, !!null, !!binary, !!seq, !!map.",
            ),
        }
    }

    /// A number that DynamoDB stores as it is.
    fn number(&self, written: &str, position: Position) -> Result<Attribute> {
        Attribute::number(written).ok_or_else(|| {
            let what = format!(
                "DynamoDB can't store the number {written}: it takes {} digits, from 1E-130 to 9.99E+125",
                number::MOST_DIGITS
            );
            self.error_with(position, what, format!("Quote it to store it as text: \"{written}\"."))
        })
    }

    fn bytes(&self, text: &str, position: Position) -> Result<Vec<u8>> {
        let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        STANDARD.decode(text).map_err(|error| {
            let what = position.error(self.file, "this isn't base64").cause(error);
            what.hint("`base64 -w 0 FILE` prints the bytes of a file so.")
        })
    }
}

/// "`a` and `b`"
fn key_names(keys: &[KeyAttribute]) -> String {
    let names: Vec<String> = keys.iter().map(|key| format!("`{}`", key.name)).collect();
    names.join(" and ")
}

/// `{"name": {"S": "Ada"}}`, also wrapped in `{"Item": …}` as exports to S3 have it.
fn is_dynamodb_json(entries: &[(Name, Node)]) -> bool {
    const TYPES: [&str; 10] = ["S", "N", "B", "SS", "NS", "BS", "M", "L", "BOOL", "NULL"];
    let is_typed = |node: &Node| match &node.kind {
        Kind::Map(entries) => matches!(entries.as_slice(), [(name, _)] if TYPES.contains(&name.text.as_str())),
        _ => false,
    };
    let all_typed = |entries: &[(Name, Node)]| !entries.is_empty() && entries.iter().all(|(_, value)| is_typed(value));
    match entries {
        [
            (
                name,
                Node {
                    kind: Kind::Map(inner), ..
                },
            ),
        ] if name.text == "Item" => all_typed(inner),
        entries => all_typed(entries),
    }
}

/// What a scalar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scalar {
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

fn scalar(node: &Node) -> Scalar {
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
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" => Scalar::Flag(true),
        "false" | "False" | "FALSE" => Scalar::Flag(false),
        ".nan" | ".NaN" | ".NAN" => Scalar::NoNumber,
        _ if matches!(unsigned, ".inf" | ".Inf" | ".INF") => Scalar::NoNumber,
        _ if number::is_number(text) && !number::has_leading_zero(text) => Scalar::Number,
        _ => Scalar::Text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Seeds {
        /// The items of one table, by its index.
        pub(crate) fn of(&self, table: usize) -> &[Item] {
            let found = self.tables.iter().find(|(index, _)| *index == table);
            found.map_or(&[], |(_, items)| items)
        }
    }

    fn table(stack: &str, logical_id: &str, keys: &[(&str, KeyKind)]) -> SeedTable {
        SeedTable {
            stack: stack.to_owned(),
            logical_id: logical_id.to_owned(),
            keys: keys
                .iter()
                .map(|(name, kind)| KeyAttribute {
                    name: (*name).to_owned(),
                    kind: *kind,
                })
                .collect(),
        }
    }

    fn users() -> Vec<SeedTable> {
        vec![table("data", "Users", &[("id", KeyKind::Text)])]
    }

    fn shop() -> Vec<SeedTable> {
        vec![
            table("data", "Users", &[("id", KeyKind::Text)]),
            table(
                "data",
                "Orders",
                &[("customer", KeyKind::Text), ("at", KeyKind::Number)],
            ),
            table("files", "Blobs", &[("hash", KeyKind::Binary)]),
        ]
    }

    fn read_as(file: &str, text: &str, tables: &[SeedTable], table: Option<&str>) -> Result<Seeds> {
        parse(text, Path::new(file), tables, table)
    }

    fn items(text: &str) -> Vec<Item> {
        let seeds = read_as("seed.yaml", text, &users(), None).expect(text);
        seeds.of(0).to_vec()
    }

    /// The value of `x` in the only item.
    fn x(value: &str) -> Attribute {
        items(&format!("- id: a\n  x: {value}\n"))[0].attributes["x"].clone()
    }

    fn error_of(text: &str, tables: &[SeedTable]) -> Error {
        read_as("seed.yaml", text, tables, None).expect_err(text)
    }

    fn problem(text: &str) -> String {
        error_of(text, &users()).to_string()
    }

    fn text(text: &str) -> Attribute {
        Attribute::Text(text.to_owned())
    }

    fn digits(digits: &str) -> Attribute {
        Attribute::Number(digits.to_owned())
    }

    #[test]
    fn items_keep_their_types_and_digits() {
        let items = items(
            "- id: \"1\"\n  big: 12345678901234567890123456789012345678\n  price: 19.99\n  tags: [a, true, null]\n  in: { x: -5 }\n",
        );
        let attributes = &items[0].attributes;
        assert_eq!(items[0].key.to_string(), "id \"1\"");
        assert_eq!(attributes["big"], digits("12345678901234567890123456789012345678"));
        assert_eq!(attributes["price"], digits("19.99"));
        assert_eq!(
            attributes["tags"],
            Attribute::List(vec![text("a"), Attribute::Flag(true), Attribute::Null])
        );
        assert_eq!(
            attributes["in"],
            Attribute::Map(BTreeMap::from([("x".into(), digits("-5"))]))
        );
    }

    #[test]
    fn plain_scalars_are_what_the_core_schema_says() {
        for word in [
            "yes",
            "No",
            "on",
            "off",
            "y",
            "1_000",
            "22:22",
            "2024-01-01",
            "0b1",
            "01234",
            "-007",
        ] {
            assert_eq!(x(word), text(word), "{word}");
        }
        for (number, wanted) in [
            ("0x1F", "31"),
            ("0o17", "15"),
            ("1e3", "1000"),
            ("+.50", "0.5"),
            ("0.0", "0"),
        ] {
            assert_eq!(x(number), digits(wanted), "{number}");
        }
        assert_eq!(x("TRUE"), Attribute::Flag(true));
        assert_eq!(x("~"), Attribute::Null);
        assert_eq!(x(""), Attribute::Null);
        assert_eq!(x("'true'"), text("true"));
    }

    #[test]
    fn tags_say_the_type() {
        assert_eq!(x("!!str 7"), text("7"));
        assert_eq!(x("!!int \"007\""), digits("7"));
        assert_eq!(x("!!bool true"), Attribute::Flag(true));
        assert_eq!(x("!!null x"), Attribute::Null);
        assert_eq!(x("!!binary AAEC"), Attribute::Binary(vec![0, 1, 2]));
        assert_eq!(x("!!binary |\n    AA\n    EC\n"), Attribute::Binary(vec![0, 1, 2]));
        for (value, part) in [
            ("!!binary \"?\"", "seed.yaml:2:6: this isn't base64"),
            ("!!set {a, b}", "seed.yaml:2:6: sets (`!!set`) can't be seeded"),
            ("!Ref a", "seed.yaml:2:6: `!Ref` means nothing in an item"),
            ("!!int seven", "seed.yaml:2:6: `seven` isn't what !!int says"),
            ("!!omap [a: b]", "seed.yaml:2:6: `!!omap` means nothing in an item"),
        ] {
            let error = problem(&format!("- id: a\n  x: {value}\n"));
            assert!(error.starts_with(part), "{error}");
        }
    }

    #[test]
    fn numbers_are_exact_or_refused() {
        for exact in [
            "0.1000000000000000055511151231257827",
            "0.30000000000000000001",
            "1.00000000000000000001",
            "0.12345678901234567890123",
        ] {
            assert_eq!(x(exact), digits(exact));
        }
        for refused in [
            "1234567890123456789012345678901234567890123",
            "0.123456789012345678901234567890123456789",
            "1e300",
            "0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
        ] {
            let error = problem(&format!("- id: a\n  x: {refused}\n"));
            let start = format!("seed.yaml:2:6: DynamoDB can't store the number {refused}: it takes 38 digits");
            assert!(error.starts_with(&start), "{error}");
        }
        assert!(problem("- id: a\n  x: .inf\n").starts_with("seed.yaml:2:6: DynamoDB stores no .inf"));
    }

    proptest! {
        #[test]
        fn digits_survive_in_yaml_and_json(whole in "[1-9][0-9]{0,18}", fraction in "[0-9]{0,17}[1-9]") {
            let number = format!("{whole}.{fraction}");
            prop_assert_eq!(x(&number), digits(&number));
            let line = format!("{{\"id\":\"a\",\"x\":[{number}]}}");
            let seeds = read_as("more.jsonl", &line, &users(), None).expect("valid");
            let list = Attribute::List(vec![digits(&number)]);
            prop_assert_eq!(&seeds.of(0)[0].attributes["x"], &list);
        }
    }

    #[test]
    fn bad_items_are_named_by_file_line_and_key() {
        assert_eq!(
            problem("- id: \"1\"\n- name: x\n"),
            "seed.yaml:2:3: the item has no `id`"
        );
        assert_eq!(
            problem("- id: a\n- id: b\n- id: a\n"),
            "seed.yaml:3:3: `id \"a\"` is there twice; line 1 has it, too"
        );
        assert_eq!(problem("- id: \"\"\n"), "seed.yaml:1:7: `id` is empty");
        assert_eq!(problem("- id:\n"), "seed.yaml:1:5: `id` is empty");
        assert_eq!(problem("- [1]\n"), "seed.yaml:1:3: an item is a map with `id`");
        assert_eq!(problem("- id: [1]\n"), "seed.yaml:1:7: `id` must be a string");
        assert_eq!(problem("- id: !!binary AA==\n"), "seed.yaml:1:7: `id` must be a string");
        assert_eq!(
            problem("- id: a\n  '': 1\n"),
            "seed.yaml:2:3: an attribute must have a name"
        );
        assert!(problem("id: a\n").contains("where a list of items is due"));
        assert!(problem("hello\n").contains("must be a list of items"));
        assert!(problem("- id: [\n").starts_with("seed.yaml:"));
    }

    #[test]
    fn a_number_as_text_is_shown_as_it_is_written() {
        for written in [
            "7",
            "1e3",
            "1.10",
            "0x1F",
            "1e999",
            "true",
            ".inf",
            "123456789012345678901234567890123456789012",
        ] {
            let error = problem(&format!("- name: x\n  id: {written}\n"));
            let wanted = format!("seed.yaml:2:7: `id` must be a string; quote it: \"{written}\"");
            assert_eq!(error, wanted);
        }
    }

    #[test]
    fn text_keys_have_dynamodbs_lengths() {
        let tables = [table("data", "T", &[("p", KeyKind::Text), ("s", KeyKind::Text)])];
        let item = |p: usize, s: usize| format!("- p: {}\n  s: {}\n", "ä".repeat(p / 2), "x".repeat(s));
        assert!(read_as("seed.yaml", &item(2048, 1024), &tables, None).is_ok());
        let error = error_of(&item(2050, 1), &tables).to_string();
        assert_eq!(error, "seed.yaml:1:6: `p` has 2050 bytes; 2048 is the most");
        let error = error_of(&item(2, 1025), &tables).to_string();
        assert_eq!(error, "seed.yaml:2:6: `s` has 1025 bytes; 1024 is the most");
        let error = error_of("- x: 1\n", &tables).to_string();
        assert_eq!(error, "seed.yaml:1:3: the item has no `p` and no `s`");
    }

    #[test]
    fn what_dynamodb_would_refuse_is_refused_first() {
        let deep = format!("- id: a\n  x: {}1{}\n", "[".repeat(33), "]".repeat(33));
        let huge = format!("- id: a\n  x: {}\n", "y".repeat(LARGEST_ITEM_BYTES));
        for (text, part) in [
            ("- id: a\n  m: { b: 1, b: 2 }\n", "seed.yaml:2:14: `b` is there twice"),
            (deep.as_str(), "seed.yaml:1:3: the item is nested deeper than 32"),
            (huge.as_str(), "409600 is the most"),
        ] {
            let error = problem(text);
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn each_tables_items_are_checked_against_its_key() {
        let seeds = read_as(
            "seed.yaml",
            "files.Blobs:\n  - hash: !!binary AAEC\n  - { hash: AAED, size: 3 }\nOrders:\n  - { customer: c1, at: 1.50 }\n  - { customer: c1, at: 2 }\nUsers:\n",
            &shop(),
            None,
        )
        .expect("valid");
        let tables: Vec<usize> = seeds.tables.iter().map(|(index, _)| *index).collect();
        assert_eq!(tables, [1, 2], "in the order of the tables, and only those with items");
        assert_eq!(seeds.of(1)[0].key.to_string(), "customer \"c1\", at 1.5");
        assert_eq!(seeds.of(1)[0].attributes["at"], digits("1.5"));
        assert_eq!(seeds.of(2)[1].key.to_string(), "hash !!binary AAED");
        assert_eq!(seeds.of(0), []);

        for (text, wanted) in [
            ("Orders:\n  - customer: c\n", "seed.yaml:2:5: the item has no `at`"),
            (
                "Orders:\n  - { customer: c, at: 1.5 }\n  - { at: 1.50, customer: c }\n",
                "seed.yaml:3:5: `customer \"c\", at 1.5` is there twice; line 2 has it, too",
            ),
            (
                "Orders:\n  - { customer: c, at: \"07\" }\n",
                "seed.yaml:2:24: `at` must be a number; write it without quotes: 7",
            ),
            (
                "Orders:\n  - { customer: c, at: soon }\n",
                "seed.yaml:2:24: `at` must be a number",
            ),
            ("Blobs:\n  - hash: ''\n", "seed.yaml:2:11: `hash` is empty"),
            (
                "Blobs:\n  - hash: [1]\n",
                "seed.yaml:2:11: `hash` must be bytes in base64",
            ),
            ("Users: 7\n", "seed.yaml:1:8: `Users` takes a list of items"),
            (
                "Users: []\ndata.Users: []\n",
                "seed.yaml:2:1: the table `data.Users` is there twice, by another name",
            ),
        ] {
            assert_eq!(error_of(text, &shop()).to_string(), wanted);
        }
        let error = error_of("Blobs:\n  - hash: '?'\n", &shop()).to_string();
        assert!(error.starts_with("seed.yaml:2:11: this isn't base64"), "{error}");
    }

    #[test]
    fn tables_are_known_by_their_names() {
        let error = error_of("Users: []\nOrder: []\n", &shop());
        assert_eq!(error.to_string(), "seed.yaml:2:1: there is no table `Order`");
        assert_eq!(error.next_step(), Some("Did you mean `Orders`?"));
        let error = error_of("Quite different: []\n", &shop());
        assert_eq!(error.next_step(), Some("The tables are Users, Orders, Blobs."));

        let twins = [
            table("a", "Items", &[("id", KeyKind::Text)]),
            table("b", "Items", &[("id", KeyKind::Text)]),
        ];
        let error = error_of("Items: []\n", &twins);
        assert_eq!(error.to_string(), "seed.yaml:1:1: several stacks have a table `Items`");
        assert_eq!(error.next_step(), Some("Say which: `a.Items` or `b.Items`."));
        let seeds = read_as("seed.yaml", "b.Items: [{id: x}]\n", &twins, None).expect("valid");
        assert_eq!(seeds.of(1).len(), 1);
        let alone = read_as("seed.yaml", "Users: [{id: x}]\n", &users(), None).expect("a map for one table, too");
        assert_eq!(alone.of(0).len(), 1);
    }

    #[test]
    fn a_list_beside_several_tables_shows_the_new_shape() {
        let error = error_of("# old\n- id: a\n", &shop());
        assert_eq!(
            error.to_string(),
            "seed.yaml:2:1: a list of items doesn't say which of the 3 tables they are for"
        );
        assert_eq!(
            error.next_step(),
            Some(
                "Put each table's items below its name:\nUsers:\n  - id: …\nOrders:\n  - customer: …\n    at: …\nBlobs:\n  - hash: …"
            )
        );
        let seeds = read_as("seed.yaml", "- id: a\n", &shop(), Some("Users")).expect("said by --table");
        assert_eq!(seeds.of(0).len(), 1);
        let chosen = read_as(
            "seed.yaml",
            "Users: [{id: a}]\nBlobs: [{hash: AA==}]\n",
            &shop(),
            Some("Blobs"),
        );
        assert_eq!(chosen.expect("one of two").tables.len(), 1);
        let error = read_as("seed.yaml", "- id: a\n", &shop(), Some("User")).expect_err("unknown");
        assert_eq!(error.to_string(), "--table: there is no table `User`");
        assert_eq!(error.next_step(), Some("Did you mean `Users`?"));
    }

    #[test]
    fn items_need_a_table() {
        for text in ["- id: a\n", "Users:\n  - id: a\n"] {
            let error = error_of(text, &[]).to_string();
            assert_eq!(error, "seed.yaml:1:1: there are items, and no table to put them into");
        }
        for text in ["", "[]", "{}", "# none\n"] {
            assert_eq!(read_as("seed.yaml", text, &[], None).expect("none"), Seeds::default());
        }
    }

    #[test]
    fn json_lines_keep_every_digit_and_say_their_place() {
        let seeds = read_as(
            "more.jsonl",
            "\u{feff}{\"id\":\"a\",\"n\":0.1234567890123456789012345678901234}\r\n\r\n{\"id\":\"\\ud83d\\ude00\"}\r\n",
            &users(),
            None,
        )
        .expect("valid");
        assert_eq!(
            seeds.of(0)[0].attributes["n"],
            digits("0.1234567890123456789012345678901234")
        );
        assert_eq!(seeds.of(0)[1].key.to_string(), "id \"😀\"");

        let line = |file: &str, text: &str| read_as(file, text, &users(), None).expect_err(text).to_string();
        assert_eq!(
            line("more.ndjson", "{\"id\":\"a\"}\n{\"name\":\"x\"}\n"),
            "more.ndjson:2:1: the item has no `id`"
        );
        assert_eq!(
            line("more.JSONL", "{\"id\":\"a\"}\n{\"x\":1,\"id\":\"a\"}\n"),
            "more.JSONL:2:1: `id \"a\"` is there twice; line 1 has it, too"
        );
        assert_eq!(
            line("more.jsonl", "{\"id\":1.10}\n"),
            "more.jsonl:1:7: `id` must be a string; quote it: \"1.10\""
        );
        let error = read_as("more.jsonl", "{\"id\":\"a\"}\n", &shop(), None).expect_err("which table?");
        assert_eq!(
            error.to_string(),
            "more.jsonl:1:1: these items don't say which table they are for"
        );
        assert_eq!(
            error.next_step(),
            Some("Say it with --table: Users or Orders or Blobs.")
        );
        let seeds = read_as("more.jsonl", "{\"hash\":\"AAEC\"}\n", &shop(), Some("files.Blobs")).expect("valid");
        assert_eq!(seeds.of(2)[0].attributes["hash"], Attribute::Binary(vec![0, 1, 2]));

        let number = |n: &str| read_as("x.jsonl", &format!("{{\"id\":\"a\",\"n\":{n}}}"), &users(), None);
        assert!(number(&"1".repeat(39)).is_err());
        assert!(number(&"1".repeat(38)).is_ok());
        assert!(number("1e126").is_err());
        assert!(number("-9.9e125").is_ok());
        assert!(number("0.000").is_ok());
    }

    #[test]
    fn a_file_of_json_is_read_as_json() {
        let text = "[\n  {\"id\": \"\\ud83d\\ude00\"},\n  {\"id\": 7}\n]";
        let error = read_as("items.json", text, &users(), None).expect_err("a number");
        assert_eq!(
            error.to_string(),
            "items.json:3:10: `id` must be a string; quote it: \"7\""
        );
    }

    #[test]
    fn dynamodbs_own_json_is_named() {
        for line in [
            "{\"id\":{\"S\":\"a\"},\"n\":{\"N\":\"1\"}}",
            "{\"Item\":{\"id\":{\"S\":\"a\"}}}",
        ] {
            let error = read_as("x.jsonl", line, &users(), None).expect_err(line);
            assert_eq!(
                error.to_string(),
                "x.jsonl:1:1: this is DynamoDB's own JSON form; write plain values"
            );
        }
        assert_eq!(items("- id: a\n  size: {S: 3}\n").len(), 1, "a map like any other");
    }

    #[test]
    fn merge_keys_are_merged() {
        let items = items("- &base\n  id: a\n  role: admin\n  address: {city: Arlington}\n- <<: *base\n  id: b\n");
        assert_eq!(items[1].attributes["role"], text("admin"));
        assert_eq!(items[1].attributes["id"], text("b"));
        assert!(items[1].attributes.contains_key("address"));
        assert!(!items[1].attributes.contains_key("<<"));
    }

    #[test]
    fn windows_files_are_read_as_others() {
        let items = items("\u{feff}- id: a\r\n  x: b\r\n");
        assert_eq!(items[0].attributes["x"], text("b"));
    }

    #[test]
    fn no_items_are_no_error() {
        for text in ["", "# nothing yet\n", "[]", "Users:\n", "{}"] {
            assert_eq!(items(text), [], "{text:?}");
        }
    }
}
