//! The items that belong into the tables from the start: `stacks/seed.yaml`, or a file of JSON lines.
//!
//! A YAML file is a list of items while there is one table, else a map from each table's logical id to its list. Plain
//! scalars are what YAML 1.2's core schema says, but for a number with a leading zero, which is text: YAML 1.1 has it
//! in octal, 1.2 in decimal, and who writes `01234` means a postal code. `yes` and `on` are text as well. Bytes are
//! `!!binary`; where a key must be bytes, base64 without a tag will do, since JSON has no tags.
//!
//! An item may also be as DynamoDB's exports have it, each value with its type: `{"Item": {"id": {"S": "1"}}}`. What
//! `aws dynamodb scan` prints, `{"Items": […]}`, is read as a whole file. A line may name its item's table beside it, as those of
//! `deployer backup` do: `{"Item": {…}, "Table": "Users"}`.

mod item;
mod plain;
#[cfg(test)]
pub(crate) mod tests;
mod typed;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

pub(crate) use item::{Attribute, Item, Key, KeyAttribute, KeyKind};
use item::{LARGEST_ITEM_BYTES, LONGEST_PARTITION_KEY_BYTES, LONGEST_SORT_KEY_BYTES, MOST_LEVELS};

use super::suggest::did_you_mean;
use super::yaml::{Kind, Name, Node, Position, correct};
use super::{json, source};
use crate::error::{Error, ErrorKind, Result};

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

/// Items by table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seeds {
    /// The tables that have items, each as its index among those that were given, in their order.
    pub tables: Vec<(usize, Vec<Item>)>,
}

/// What a file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// An item a line.
    JsonLines,
    /// One document of JSON.
    Json,
    /// One document of YAML.
    Yaml,
}

impl Format {
    /// What a file's name says. One without an ending, a pipe's, is YAML, which most JSON is as well.
    ///
    /// # Errors
    /// It is that of something else.
    pub(crate) fn of(file: &Path) -> Result<Self> {
        let extension = file
            .extension()
            .map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        let next_step = match extension.as_deref() {
            None | Some("yaml" | "yml") => return Ok(Self::Yaml),
            Some("json") => return Ok(Self::Json),
            Some("jsonl" | "ndjson") => return Ok(Self::JsonLines),
            Some("csv" | "tsv" | "xls" | "xlsx" | "ods") => {
                "Make a line of JSON of each row, as in {\"id\": \"1\", \"name\": \"Ada\"}, in a file that ends in .jsonl."
            }
            Some("gz" | "zip" | "zst" | "bz2" | "xz") => "Unpack it first.",
            Some("ion") => "Export the table as DynamoDB JSON instead.",
            Some(_) => "If it is one of these, give it that ending.",
        };
        let what = format!(
            "{}: items are read from YAML (.yaml, .yml), JSON (.json) and JSON lines (.jsonl, .ndjson)",
            file.display()
        );
        Err(Error::new(ErrorKind::InvalidUsage, what).hint(next_step))
    }
}

/// Parses items, as the file's name says they are written.
///
/// `table` names the table that the items are for, as `--table` does: JSON lines and a list don't say it, and of a map
/// it chooses one.
///
/// # Errors
/// Names file, line and column of what can't be read or stored, of a table that isn't among `tables`, of an item
/// without its key or with one of another type, and of a key that occurs twice in a table.
pub(crate) fn parse(text: &str, file: &Path, tables: &[SeedTable], table: Option<&str>) -> Result<Seeds> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let chosen = table.map(|name| chosen(name, tables)).transpose()?;
    let reader = Reader { file, tables };
    let read = || match Format::of(file)? {
        Format::JsonLines => reader.lines(text, 1, chosen),
        Format::Json if !text.trim().is_empty() => reader.document(reader.json(text)?, chosen),
        Format::Json | Format::Yaml => reader.document(source::tree(text, file)?.merged(file)?, chosen),
    };
    let mut by_table = read().map_err(|error| source::shown(error, file, text))?;
    by_table.retain(|index, items| !items.is_empty() && chosen.is_none_or(|chosen| chosen == *index));
    Ok(Seeds {
        tables: by_table.into_iter().collect(),
    })
}

/// Parses some of a file's JSON lines, of which the first has this number: as [`parse`], but that an error shows no excerpt.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_lines(
    text: &str,
    first: usize,
    file: &Path,
    tables: &[SeedTable],
    table: Option<&str>,
) -> Result<Seeds> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let chosen = table.map(|name| chosen(name, tables)).transpose()?;
    let mut by_table = Reader { file, tables }.lines(text, first, chosen)?;
    by_table.retain(|index, items| !items.is_empty() && chosen.is_none_or(|chosen| chosen == *index));
    Ok(Seeds {
        tables: by_table.into_iter().collect(),
    })
}

/// The table that `--table` names.
///
/// # Errors
/// There is none of that name, or there are several.
pub(crate) fn chosen(name: &str, tables: &[SeedTable]) -> Result<usize> {
    find(name, tables).map_err(|unknown| {
        let error = Error::new(ErrorKind::InvalidUsage, format!("--table: {}", unknown.what));
        error.hint(unknown.next_step)
    })
}

fn refusal(file: &Path, position: Position, what: impl fmt::Display) -> Error {
    refusal_with(file, position, what, correct(file))
}

fn refusal_with(file: &Path, position: Position, what: impl fmt::Display, next_step: impl Into<String>) -> Error {
    position.error(file, what).hint(next_step)
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

/// What each table is called in a seed file.
pub(crate) fn names(tables: &[SeedTable]) -> Vec<String> {
    let tables = tables
        .iter()
        .map(|table| (table.stack.as_str(), table.logical_id.as_str()));
    names_of(&tables.collect::<Vec<_>>())
}

/// The same of tables that are known by their stacks and their logical ids: these where they are enough.
pub(crate) fn names_of(tables: &[(&str, &str)]) -> Vec<String> {
    let name = |(stack, id): &(&str, &str)| {
        let same = tables.iter().filter(|(_, other)| other == id);
        match same.count() {
            1 => (*id).to_owned(),
            _ => format!("{stack}.{id}"),
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

/// What the AWS CLI prints of a scan or a query.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html#API_Scan_ResponseSyntax>
const ANSWER: [&str; 6] = [
    "Items",
    "Count",
    "ScannedCount",
    "ConsumedCapacity",
    "LastEvaluatedKey",
    "NextToken",
];

impl Reader<'_> {
    fn error(&self, position: Position, what: impl fmt::Display) -> Error {
        refusal(self.file, position, what)
    }

    fn error_with(&self, position: Position, what: impl fmt::Display, next_step: impl Into<String>) -> Error {
        refusal_with(self.file, position, what, next_step)
    }

    /// The one document of a file of JSON.
    fn json(&self, text: &str) -> Result<Node> {
        json::read(text, self.file, 1).map_err(|error| {
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(2).collect();
            let are_items = lines.len() == 2 && lines.iter().all(|line| json::read(line, self.file, 1).is_ok());
            if are_items {
                error.hint("Each line is JSON of its own: give the file a name that ends in .jsonl.")
            } else {
                error
            }
        })
    }

    /// An item a line. One is read after the other, so that no tree of a large file is kept.
    fn lines(&self, text: &str, first: usize, chosen: Option<usize>) -> Result<ByTable> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let mut nodes = lines
            .map(|(index, line)| json::read(line, self.file, first + index))
            .peekable();
        let (position, found) = match nodes.peek() {
            None => return Ok(ByTable::new()),
            Some(Ok(first)) if names_table(first) => return self.lines_of_tables(nodes),
            Some(Ok(first)) => (first.position, self.only(chosen, first.position, first)?),
            Some(Err(_)) => return nodes.collect::<Result<Vec<Node>>>().map(|_| ByTable::new()),
        };
        let Some(index) = found else {
            let what = "these items don't say which table they are for";
            let next_step = format!("Say it with --table: {}.", names(self.tables).join(" or "));
            return Err(self.error_with(position, what, next_step));
        };
        Ok(ByTable::from([(index, self.items(nodes, index)?)]))
    }

    /// Lines that each name their item's table, as a backup of several tables has them.
    fn lines_of_tables(&self, nodes: impl Iterator<Item = Result<Node>>) -> Result<ByTable> {
        let mut by_table: BTreeMap<usize, Vec<(Position, Item)>> = BTreeMap::new();
        for node in nodes {
            let node = node?;
            let position = node.position;
            let Some((name, item)) = named_item(node) else {
                let what = "this line doesn't name its table, and the first does";
                let next_step = "Write {\"Table\": \"…\", \"Item\": {…}} in all lines.";
                return Err(self.error_with(position, what, next_step));
            };
            let index = find(&name.text, self.tables).map_err(|unknown| self.no_such(&name, unknown))?;
            let Some(table) = self.tables.get(index) else {
                continue;
            };
            let item = self.typed_item(item, &table.keys)?;
            by_table.entry(index).or_default().push((position, item));
        }
        let different =
            |(index, items): (usize, Vec<(Position, Item)>)| Ok((index, self.different(items.into_iter().map(Ok))?));
        by_table.into_iter().map(different).collect()
    }

    /// A list of items, or a map of such lists.
    fn document(&self, node: Node, chosen: Option<usize>) -> Result<ByTable> {
        let position = node.position;
        if node.is_null() {
            return Ok(ByTable::new());
        }
        match (node.kind, node.tag.as_deref()) {
            (Kind::List(nodes), None | Some("!!seq")) => {
                let Some(first) = nodes.first() else {
                    return Ok(ByTable::new());
                };
                let index = self.only(chosen, position, first)?;
                let index = index.ok_or_else(|| {
                    let what = format!(
                        "a list of items doesn't say which of the {} tables they are for",
                        self.tables.len()
                    );
                    self.error_with(position, what, self.shape())
                })?;
                Ok(ByTable::from([(index, self.items(nodes.into_iter().map(Ok), index)?)]))
            }
            (Kind::Map(entries), None | Some("!!map")) if self.is_answer(&entries) => {
                self.answer(entries, position, chosen)
            }
            (Kind::Map(entries), None | Some("!!map")) => self.map(entries),
            _ => Err(self.error(position, "this must be a list of items, or of each table's by its name")),
        }
    }

    /// The table of items that don't name theirs: the only one that there is, or the only one whose key the first has. None
    /// if it could be any of several.
    fn only(&self, chosen: Option<usize>, position: Position, first: &Node) -> Result<Option<usize>> {
        match (chosen, self.tables.len()) {
            (Some(index), _) => Ok(Some(index)),
            (None, 0) => Err(self.no_table(position)),
            (None, 1) => Ok(Some(0)),
            (None, _) => {
                let item = ["PutRequest", "Item"]
                    .iter()
                    .fold(first, |node, wrapper| match &node.kind {
                        Kind::Map(entries) if entries.len() == 1 => {
                            node.entry(wrapper).map_or(node, |(_, inner)| inner)
                        }
                        _ => node,
                    });
                let fits = |table: &SeedTable| table.keys.iter().all(|key| item.entry(&key.name).is_some());
                let mut fitting = self.tables.iter().enumerate().filter(|(_, table)| fits(table));
                Ok(match (fitting.next(), fitting.next()) {
                    (Some((index, _)), None) => Some(index),
                    _ => None,
                })
            }
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
            if by_table
                .insert(index, self.items(nodes.into_iter().map(Ok), index)?)
                .is_some()
            {
                let what = format!("the table `{}` is there twice, by another name", name.text);
                return Err(self.error(name.position, what));
            }
        }
        Ok(by_table)
    }

    /// Whether this is what `aws dynamodb scan` or `query` prints. A table may be called `Items`, but none is called
    /// `Count` beside it.
    fn is_answer(&self, entries: &[(Name, Node)]) -> bool {
        let is_known = |(name, _): &(Name, Node)| ANSWER.contains(&name.text.as_str());
        let is_typed = |node: &Node| matches!(&node.kind, Kind::Map(entries) if typed::is_typed(entries));
        let items = entries.iter().find_map(|(name, node)| match &node.kind {
            Kind::List(items) if name.text == "Items" => Some(items),
            _ => None,
        });
        let is_table = self.tables.iter().any(|table| table.logical_id == "Items");
        let has_count = entries.iter().any(|(name, _)| name.text == "Count");
        let is_said = |items: &Vec<Node>| has_count || (!is_table && items.first().is_some_and(is_typed));
        entries.iter().all(is_known) && items.is_some_and(is_said)
    }

    /// The items of an answer of DynamoDB's, each value with its type.
    fn answer(&self, entries: Vec<(Name, Node)>, position: Position, chosen: Option<usize>) -> Result<ByTable> {
        let mut nodes = Vec::new();
        for (name, node) in entries {
            if let ("Items", Kind::List(items)) = (name.text.as_str(), node.kind) {
                nodes = items;
            }
        }
        let Some(first) = nodes.first() else {
            return Ok(ByTable::new());
        };
        let Some(index) = self.only(chosen, position, first)? else {
            let what = "what a scan prints doesn't say which table it is for";
            let next_step = format!("Say it with --table: {}.", names(self.tables).join(" or "));
            return Err(self.error_with(position, what, next_step));
        };
        let Some(table) = self.tables.get(index) else {
            return Ok(ByTable::new());
        };
        let items = nodes.into_iter().map(|node| {
            let position = node.position;
            Ok((position, self.typed_item(node, &table.keys)?))
        });
        Ok(ByTable::from([(index, self.different(items)?)]))
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
            {
                let is_json = self.file.extension().is_some_and(|extension| extension == "json");
                let next_step = if is_json {
                    "Put it into a list: `[{…}]`."
                } else {
                    "Put `- ` before it."
                };
                self.error_with(name.position, what, next_step)
            }
        } else {
            self.error_with(name.position, unknown.what, unknown.next_step)
        }
    }

    fn items(&self, nodes: impl Iterator<Item = Result<Node>>, table: usize) -> Result<Vec<Item>> {
        let Some(table) = self.tables.get(table) else {
            return Ok(Vec::new());
        };
        self.different(nodes.map(|node| {
            let node = node?;
            Ok((node.position, self.item(node, &table.keys)?))
        }))
    }

    /// The items, of which no two have the same key.
    fn different(&self, items: impl Iterator<Item = Result<(Position, Item)>>) -> Result<Vec<Item>> {
        let (places, items): (Vec<Position>, Vec<Item>) = items.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        // Sorted places take less memory than a map that has all keys a second time.
        let key = |index: usize| items.get(index).map(|item| &item.key);
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by(|one, other| key(*one).cmp(&key(*other)));
        let pairs = order.iter().zip(order.iter().skip(1));
        let again = pairs.filter(|(one, other)| key(**one) == key(**other));
        let first_again = again.min_by_key(|(_, other)| **other);
        if let Some((first, again)) = first_again
            && let (Some(item), Some(first), Some(again)) = (items.get(*again), places.get(*first), places.get(*again))
        {
            let what = format!("`{}` is there twice; line {} has it, too", item.key, first.line);
            return Err(self.error(*again, what));
        }
        Ok(items)
    }

    /// An item of plain values, or one that says their types.
    fn item(&self, node: Node, keys: &[KeyAttribute]) -> Result<Item> {
        let position = node.position;
        let (Kind::Map(mut entries), None | Some("!!map")) = (node.kind, node.tag.as_deref()) else {
            return Err(self.error(position, format!("an item is a map with {}", key_names(keys))));
        };
        if let [(name, node)] = entries.as_slice()
            && name.text == "DeleteRequest"
            && is_map(node)
        {
            let what = "this asks to delete an item, and seeding only adds some";
            return Err(self.error_with(
                position,
                what,
                "Take it out: of such requests those with a `PutRequest` are read.",
            ));
        }
        // A key is never a map, so these are no items of plain values with one attribute. The first is what
        // `aws dynamodb batch-write-item` takes.
        if let Some(Node {
            kind: Kind::Map(inner), ..
        }) = wrapped(&mut entries, "PutRequest")
        {
            entries = inner;
        }
        if let Some(node) = wrapped(&mut entries, "Item") {
            return self.typed_item(node, keys);
        }
        if entries
            .iter()
            .any(|(name, node)| name.text == "NewImage" && is_map(node))
        {
            let what = "this is a change out of an incremental export, and no item";
            return Err(self.error_with(position, what, "Make a full export: its lines each have an `Item`."));
        }
        if typed::is_typed(&entries) {
            let what = "this is DynamoDB JSON, whose items are each in an `Item`";
            let next_step =
                "Write {\"Item\": {\"name\": {\"S\": \"Ada\"}, …}}, or plain values: {\"name\": \"Ada\", …}.";
            return Err(self.error_with(position, what, next_step));
        }
        self.item_of(entries, position, keys, |_, key, node| match key {
            Some(key) => plain::key_attribute(key, node, self.file),
            None => plain::value(node, self.file),
        })
    }

    /// An item whose values each say their type.
    fn typed_item(&self, node: Node, keys: &[KeyAttribute]) -> Result<Item> {
        let position = node.position;
        let (Kind::Map(entries), None | Some("!!map")) = (node.kind, node.tag.as_deref()) else {
            return Err(self.error(position, format!("an item is a map with {}", key_names(keys))));
        };
        self.item_of(entries, position, keys, |name, key, node| match key {
            Some(key) => typed::key_attribute(key, node, self.file),
            None => typed::value(name, node, self.file),
        })
    }

    fn item_of(
        &self,
        entries: Vec<(Name, Node)>,
        position: Position,
        keys: &[KeyAttribute],
        read: impl Fn(&str, Option<&KeyAttribute>, Node) -> Result<Attribute>,
    ) -> Result<Item> {
        let mut attributes = BTreeMap::new();
        for (name, node) in entries {
            if name.text.is_empty() {
                return Err(self.error(name.position, "an attribute must have a name"));
            }
            let place = node.position;
            let index = keys.iter().position(|key| key.name == name.text);
            let value = read(&name.text, index.and_then(|index| keys.get(index)), node)?;
            if let Some(index) = index {
                self.check_key(&name.text, &value, index, place)?;
            }
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
        let item = Item { key, attributes };
        let size = item.size();
        if size > LARGEST_ITEM_BYTES {
            let what = format!("the item has about {size} bytes; {LARGEST_ITEM_BYTES} is the most");
            return Err(self.error(position, what));
        }
        let too_deep = item.attributes.iter().find(|(_, value)| value.levels() > MOST_LEVELS);
        if let Some((name, value)) = too_deep {
            let what = format!(
                "`{name}` has {} levels; DynamoDB stores {MOST_LEVELS}, its own and what is in its innermost list included",
                value.levels()
            );
            return Err(self.error(position, what));
        }
        Ok(item)
    }

    /// Refuses a key attribute that is empty or too long; `index` is 0 for the partition key.
    fn check_key(&self, name: &str, value: &Attribute, index: usize, position: Position) -> Result<()> {
        let length = match value {
            Attribute::Text(text) => text.len(),
            Attribute::Binary(bytes) => bytes.len(),
            // Of numbers DynamoDB limits the digits.
            _ => return Ok(()),
        };
        let longest = if index == 0 {
            LONGEST_PARTITION_KEY_BYTES
        } else {
            LONGEST_SORT_KEY_BYTES
        };
        match length {
            0 => Err(self.error(position, format!("`{name}` is empty"))),
            _ if length > longest => {
                Err(self.error(position, format!("`{name}` has {length} bytes; {longest} is the most")))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a line names the table of its item.
fn names_table(node: &Node) -> bool {
    let Kind::Map(entries) = &node.kind else {
        return false;
    };
    let has =
        |wanted: &str, is_so: fn(&Node) -> bool| entries.iter().any(|(name, node)| name.text == wanted && is_so(node));
    entries.len() == 2 && has("Table", |node| matches!(node.kind, Kind::Scalar { .. })) && has("Item", is_map)
}

/// The table that such a line names, where it does, and its item.
fn named_item(node: Node) -> Option<(Name, Node)> {
    if !names_table(&node) {
        return None;
    }
    let Kind::Map(entries) = node.kind else {
        return None;
    };
    let (mut table, mut item) = (None, None);
    for (name, node) in entries {
        match (name.text.as_str(), node.kind) {
            ("Table", Kind::Scalar { text, .. }) => {
                table = Some(Name {
                    position: node.position,
                    text,
                    ..name
                });
            }
            (_, kind) => item = Some(Node { kind, ..node }),
        }
    }
    table.zip(item)
}

/// The map that `entries` have by this name, and have nothing beside.
fn wrapped(entries: &mut Vec<(Name, Node)>, name: &str) -> Option<Node> {
    let is_wrapped = matches!(entries.as_slice(), [(only, node)] if only.text == name && is_map(node));
    entries.pop_if(|_| is_wrapped).map(|(_, node)| node)
}

fn is_map(node: &Node) -> bool {
    matches!((&node.kind, node.tag.as_deref()), (Kind::Map(_), None | Some("!!map")))
}

/// "`a` and `b`"
fn key_names(keys: &[KeyAttribute]) -> String {
    let names: Vec<String> = keys.iter().map(|key| format!("`{}`", key.name)).collect();
    names.join(" and ")
}
