//! An item as a line of JSON, with the type of each value, as DynamoDB's exports have it: nothing of it is lost, and `seed` reads it.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html>

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

/// An item, as DynamoDB tells it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The line of an item, with its end; `table` says which table it is of, where a file has several. None if a value is of a type that
/// this version doesn't know.
pub(super) fn line(table: Option<&str>, item: &Item) -> Option<String> {
    let mut line = Map::new();
    line.extend(table.map(|table| ("Table".to_owned(), json!(table))));
    line.insert("Item".to_owned(), Value::Object(typed(item)?));
    Some(format!("{}\n", Value::Object(line)))
}

/// The same item without the line around it; by name, so that the same item is the same text.
pub(super) fn typed(item: &Item) -> Option<Map<String, Value>> {
    let values = item.iter().map(|(name, value)| Some((name.clone(), value_of(value)?)));
    let sorted: BTreeMap<String, Value> = values.collect::<Option<_>>()?;
    Some(sorted.into_iter().collect())
}

fn value_of(value: &AttributeValue) -> Option<Value> {
    let bytes = |blob: &Blob| BASE64.encode(blob.as_ref());
    Some(match value {
        AttributeValue::S(text) => json!({ "S": text }),
        // A text: JSON's numbers have too few digits.
        AttributeValue::N(digits) => json!({ "N": digits }),
        AttributeValue::B(blob) => json!({ "B": bytes(blob) }),
        AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
        AttributeValue::Null(_) => json!({ "NULL": true }),
        AttributeValue::L(values) => json!({ "L": values.iter().map(value_of).collect::<Option<Vec<_>>>()? }),
        AttributeValue::M(named) => json!({ "M": typed(named)? }),
        AttributeValue::Ss(texts) => json!({ "SS": texts }),
        AttributeValue::Ns(numbers) => json!({ "NS": numbers }),
        AttributeValue::Bs(blobs) => json!({ "BS": blobs.iter().map(bytes).collect::<Vec<_>>() }),
        _ => return None,
    })
}

/// What a key's values are that [`typed`] has written; none if it is something else.
pub(super) fn key_of(written: &Map<String, Value>) -> Option<Item> {
    let value_of = |value: &Value| {
        let (kind, value) = value.as_object()?.iter().next()?;
        let text = value.as_str()?.to_owned();
        Some(match kind.as_str() {
            "S" => AttributeValue::S(text),
            "N" => AttributeValue::N(text),
            "B" => AttributeValue::B(Blob::new(BASE64.decode(text).ok()?)),
            _ => return None,
        })
    };
    let values = written
        .iter()
        .map(|(name, value)| Some((name.clone(), value_of(value)?)));
    values.collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::project::seed::tests::any_attributes;
    use crate::project::seed::{KeyAttribute, KeyKind, SeedTable, parse};
    use crate::seeding::map_to_dynamodb;

    fn table(name: &str, key: &str) -> SeedTable {
        SeedTable {
            stack: "data".to_owned(),
            logical_id: name.to_owned(),
            keys: vec![KeyAttribute {
                name: key.to_owned(),
                kind: KeyKind::Text,
            }],
        }
    }

    proptest! {
        #[test]
        fn any_item_is_read_back_as_it_was(mut attributes in any_attributes()) {
            attributes.insert("id".to_owned(), crate::project::seed::Attribute::Text("1".to_owned()));
            let item = map_to_dynamodb(&attributes);
            let text = line(None, &item).expect("known types");
            let seeds = parse(&text, Path::new("a.jsonl"), &[table("Users", "id")], None).expect("readable");
            prop_assert_eq!(&seeds.of(0)[0].attributes, &attributes);
        }
    }

    #[test]
    fn lines_of_several_tables_find_theirs() {
        let item = |name: &str| Item::from([(name.to_owned(), AttributeValue::S("1".to_owned()))]);
        let tables = [table("Users", "id"), table("Notes", "id")];
        let lines = [("Notes", "a"), ("Users", "b"), ("Notes", "c")].map(|(table, value)| {
            let item = Item::from([("id".to_owned(), AttributeValue::S(value.to_owned()))]);
            line(Some(table), &item).expect("known types")
        });
        let seeds = parse(&lines.concat(), Path::new("a.jsonl"), &tables, None).expect("readable");
        assert_eq!([seeds.of(0).len(), seeds.of(1).len()], [1, 2]);
        let only = parse(&lines.concat(), Path::new("a.jsonl"), &tables, Some("Users")).expect("readable");
        assert_eq!([only.of(0).len(), only.of(1).len()], [1, 0]);
        let wrong = format!("{}{}", lines[0], line(Some("Nots"), &item("id")).expect("known types"));
        let error = parse(&wrong, Path::new("a.jsonl"), &tables, None).expect_err("no such table");
        assert!(
            error.to_string().contains("a.jsonl:2:10: there is no table `Nots`"),
            "{error}"
        );
        assert_eq!(error.next_step(), Some("Did you mean `Notes`?"));
    }

    #[test]
    fn keys_are_kept_whole() {
        let key = Item::from([
            ("at".to_owned(), AttributeValue::N("12345678901234567890.5".to_owned())),
            ("hash".to_owned(), AttributeValue::B(Blob::new([0, 255]))),
            ("id".to_owned(), AttributeValue::S("ä\n".to_owned())),
        ]);
        assert_eq!(key_of(&typed(&key).expect("known types")), Some(key));
        assert_eq!(key_of(&Map::from_iter([("a".to_owned(), json!({ "L": [] }))])), None);
    }
}
