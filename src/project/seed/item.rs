//! Items as DynamoDB stores them, their keys, and the limits that it has for them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::project::number;

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

/// A value as DynamoDB can store it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Different texts, at least one.
    TextSet(BTreeSet<String>),
    /// Different numbers, at least one, each as its digits.
    NumberSet(BTreeSet<String>),
    /// Different bytes, at least one.
    BinarySet(BTreeSet<Vec<u8>>),
}

/// Which item of its table it is: the key attributes by name, in the order of the table's. Its order is one to sort by,
/// not that of numbers. Displayed as `customerId "c1", orderId "o7"`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// DynamoDB's limits: bytes of a partition key, a sort key and an item, and levels of an attribute.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
pub(super) const LONGEST_PARTITION_KEY_BYTES: usize = 2048;
pub(super) const LONGEST_SORT_KEY_BYTES: usize = 1024;
pub(super) const LARGEST_ITEM_BYTES: usize = 400 * 1024;
pub(super) const MOST_LEVELS: usize = 32;

impl Item {
    /// Bytes, about as DynamoDB counts them.
    pub(crate) fn size(&self) -> usize {
        let sizes = self.attributes.iter().map(|(name, value)| name.len() + value.size());
        sizes.sum()
    }
}

impl Attribute {
    /// A number in the one form that it is compared and stored in; none if DynamoDB can't store it.
    pub(crate) fn number(written: &str) -> Option<Self> {
        number::canonical(written).map(Self::Number)
    }

    /// Bytes, about as DynamoDB counts them.
    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Number(digits) => number_size(digits),
            Self::Binary(bytes) => bytes.len(),
            Self::Flag(_) | Self::Null => 1,
            Self::List(items) => 3 + items.iter().map(|item| 1 + item.size()).sum::<usize>(),
            Self::Map(named) => {
                3 + named
                    .iter()
                    .map(|(name, item)| 1 + name.len() + item.size())
                    .sum::<usize>()
            }
            Self::TextSet(texts) => texts.iter().map(String::len).sum(),
            Self::NumberSet(numbers) => numbers.iter().map(|digits| number_size(digits)).sum(),
            Self::BinarySet(values) => values.iter().map(Vec::len).sum(),
        }
    }

    /// Levels as DynamoDB counts them: the attribute itself is the first, and what is in a list or a map is one below.
    /// So 31 lists around a number are the most that is stored, or 32 of which the innermost is empty.
    pub(super) fn levels(&self) -> usize {
        match self {
            Self::List(items) => 1 + items.iter().map(Self::levels).max().unwrap_or(0),
            Self::Map(named) => 1 + named.values().map(Self::levels).max().unwrap_or(0),
            _ => 1,
        }
    }
}

fn number_size(digits: &str) -> usize {
    number::significant_digits(digits) / 2 + 2
}
