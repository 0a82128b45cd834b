//! Tables have the keys and the indexes of their templates, and take requests.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeDefinition, KeySchemaElement, KeyType, TableDescription, TableStatus};

use crate::project::seed::{KeyAttribute, KeyKind};
use crate::project::tables::{self, TABLES};
use crate::verify::expected::Expected;
use crate::verify::layer::Layer;
use crate::verify::stage::{Resource, Stage};
use crate::verify::{Check, Finding, Look, Problem};

pub(super) struct TableSchema;

impl Check for TableSchema {
    fn id(&self) -> &'static str {
        "table-schema"
    }

    fn layer(&self) -> Layer {
        Layer::Data
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        stage
            .resources_of(TABLES)
            .map(|table| Look::of(table, move |round| look(stage, table, round)))
            .collect()
    }
}

async fn look(stage: &Stage<'_>, table: Resource<'_>, round: crate::verify::Round) -> Finding {
    let live = stage.table(table, round).await?;
    let name = table.name;
    match live.table_status() {
        Some(TableStatus::Active | TableStatus::Updating) => {}
        Some(TableStatus::Creating) => return Err(Problem::pending(format!("the table {name} is being created"))),
        other => {
            return Err(Problem::failed(
                format!(
                    "the table {name} is {}",
                    other.map_or("in no state", TableStatus::as_str)
                ),
                "DynamoDB's console says why. Run `deployer up` when it is ACTIVE again.",
            ));
        }
    }
    let keys = tables::keys(table.stack.template(), table.template(), &table.stack.scope);
    let is = shown(live.key_schema(), live.attribute_definitions());
    let wanted = keys.iter().map(key).collect::<Vec<_>>().join(", ");
    if !keys.is_empty() && is != wanted {
        return Err(Problem::failed(
            format!("the key of the table {name} is {is}, and the template has {wanted}"),
            format!(
                "Restore AttributeDefinitions and KeySchema in {}. A key can't be changed in place: give the table another \
                 name, run `deployer up`, and move the items.",
                table.stack.definition.file.display()
            ),
        ));
    }
    let (there, expected) = (indexes(&live), expected_indexes(table));
    if let Some(index) = expected.iter().find(|(index, keys)| there.get(*index) != Some(keys)) {
        let is = there
            .get(index.0)
            .map_or("isn't there".to_owned(), |keys| format!("has the key {keys}"));
        return Err(Problem::failed(
            format!("the index {} of {name} {is}, and the template has {}", index.0, index.1),
            table.restore(),
        ));
    }
    if let Some(other) = there.keys().find(|index| !expected.contains_key(*index)) {
        return Err(Problem::failed(
            format!("{name} has an index {other}, which the template doesn't have"),
            table.restore(),
        ));
    }
    let count = match there.len() {
        0 => String::new(),
        1 => ", with its index".to_owned(),
        count => format!(", with its {count} indexes"),
    };
    Ok(format!("{name} is active, keyed by {is}{count}"))
}

fn key(key: &KeyAttribute) -> String {
    let kind = match key.kind {
        KeyKind::Text => "S",
        KeyKind::Number => "N",
        KeyKind::Binary => "B",
    };
    format!("{} ({kind})", key.name)
}

/// A key as people read it: its attributes with their types, the partition key first.
fn shown(schema: &[KeySchemaElement], definitions: &[AttributeDefinition]) -> String {
    let mut elements: Vec<&KeySchemaElement> = schema.iter().collect();
    elements.sort_by_key(|element| *element.key_type() != KeyType::Hash);
    let named = elements.iter().map(|element| {
        let name = element.attribute_name();
        let kind = definitions
            .iter()
            .find(|definition| definition.attribute_name() == name);
        format!(
            "{name} ({})",
            kind.map_or("?", |definition| definition.attribute_type().as_str())
        )
    });
    named.collect::<Vec<_>>().join(", ")
}

/// The names of the attributes of the indexes' keys, by the indexes' names.
fn indexes(live: &TableDescription) -> BTreeMap<String, String> {
    let names = |schema: &[KeySchemaElement]| {
        let mut elements: Vec<&KeySchemaElement> = schema.iter().collect();
        elements.sort_by_key(|element| *element.key_type() != KeyType::Hash);
        elements
            .iter()
            .map(|element| element.attribute_name())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let global = live
        .global_secondary_indexes()
        .iter()
        .map(|index| (index.index_name(), names(index.key_schema())));
    let local = live
        .local_secondary_indexes()
        .iter()
        .map(|index| (index.index_name(), names(index.key_schema())));
    global
        .chain(local)
        .filter_map(|(name, keys)| Some((name?.to_owned(), keys)))
        .collect()
}

fn expected_indexes(table: Resource<'_>) -> BTreeMap<String, String> {
    let mut expected = BTreeMap::new();
    for property in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        let indexes = table.property(&[property]);
        for index in indexes.items() {
            let mut keys: Vec<(bool, String)> = Vec::new();
            for element in index.get("KeySchema").map(Expected::items).unwrap_or_default() {
                let text = |key: &str| element.get(key).and_then(Expected::known_text);
                keys.extend(text("AttributeName").map(|name| (text("KeyType").as_deref() != Some("HASH"), name)));
            }
            keys.sort_by_key(|(is_sort, _)| *is_sort);
            let keys: Vec<String> = keys.into_iter().map(|(_, name)| name).collect();
            if let Some(name) = index.get("IndexName").and_then(Expected::known_text) {
                expected.insert(name, keys.join(", "));
            }
        }
    }
    expected
}
