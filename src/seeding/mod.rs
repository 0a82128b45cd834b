//! Putting the seed items of a table into it, whatever its key.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnValuesOnConditionCheckFailure};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use crate::cloud::Cloud;
use crate::cloud::sdk_error::explain;
use crate::error::{Error, ErrorKind, Result};
use crate::project::seed::{Attribute, Item, Key, KeyAttribute, SeedTable};
use crate::project::tables::TABLES;
use crate::readiness;
use crate::report::{Reporter, counted};
use crate::stack::read::Deployed;

/// What seeding did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Seeded {
    /// Items that were missing and are there now.
    pub added: usize,
    /// Items that were there and were replaced.
    pub overwritten: usize,
    /// Items that were there and were left alone.
    pub kept: usize,
}

/// What seeding did to a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SeededTable {
    /// The stack that it is in.
    pub stack: String,
    /// Its key in the template.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How many items.
    #[serde(rename = "items")]
    pub seeded: Seeded,
}

/// "items: 2 added, 1 already there", of all tables together.
pub(crate) fn describe(tables: &[SeededTable]) -> String {
    let sum = |of: fn(&Seeded) -> usize| tables.iter().map(|table| of(&table.seeded)).sum::<usize>();
    let counts = counted(&[
        (sum(|seeded| seeded.added), "added"),
        (sum(|seeded| seeded.overwritten), "overwritten"),
        (sum(|seeded| seeded.kept), "already there"),
    ]);
    if counts.is_empty() {
        "no items to add".to_owned()
    } else {
        format!("items: {counts}")
    }
}

/// Seeds the tables of a stack, side by side.
///
/// # Errors
/// The stack has no such table, or a call fails.
pub(crate) async fn seed_stack(
    cloud: &Cloud,
    stack: &Deployed,
    tables: &[(&SeedTable, &[Item])],
    overwrite: bool,
    reporter: &Reporter,
) -> Result<Vec<SeededTable>> {
    try_join_all(tables.iter().map(async |(table, items)| {
        let found = stack
            .resources_of(TABLES)
            .find(|resource| resource.logical_id == table.logical_id);
        let name = &found
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::NotDeployed,
                    format!("the stack {} has no table {} yet", stack.stack.name, table.logical_id),
                )
                .hint(format!("Deploy it first: `deployer up --only {}`.", table.stack))
            })?
            .physical_id;
        let mut seeded = seed(cloud, name, &table.keys, items, overwrite, reporter).await;
        if seeded.is_err() {
            // One that an earlier run made may not have taken requests yet. What else it was will be so again.
            readiness::table(cloud, name).await?;
            seeded = seed(cloud, name, &table.keys, items, overwrite, reporter).await;
        }
        let seeded = seeded?;
        Ok(SeededTable {
            stack: table.stack.clone(),
            id: table.logical_id.clone(),
            name: name.clone(),
            seeded,
        })
    }))
    .await
}

/// DynamoDB reads at most this many keys in one call.
const KEYS_A_READ: usize = 100;

/// How many items are written at once. A new table takes 4,000 a second; an existing one may have less to spare.
const WRITES_AT_ONCE: usize = 16;

/// How long a table may leave keys out of its answers. One on demand doubles what it takes within minutes.
const LONGEST_BUSY: Duration = Duration::from_secs(300);

/// Adds the items that `table` lacks; with `overwrite` also replaces those it has.
///
/// Reads first, so that nothing is written when nothing is missing; and each write says again that the item must be
/// missing, so that an item written meanwhile by somebody else is never lost.
async fn seed(
    cloud: &Cloud,
    table: &str,
    keys: &[KeyAttribute],
    items: &[Item],
    overwrite: bool,
    reporter: &Reporter,
) -> Result<Seeded> {
    let present = present(cloud, table, keys, items).await?;
    let to_write: Vec<&Item> = items
        .iter()
        .filter(|item| overwrite || !present.contains(&item.key))
        .collect();
    let mut seeded = Seeded {
        kept: items.len() - to_write.len(),
        ..Seeded::default()
    };
    let total = to_write.len();
    let mut writes = stream::iter(to_write)
        .map(|item| put(cloud, table, keys, item, overwrite))
        .buffer_unordered(WRITES_AT_ONCE);
    while let Some((key, written)) = writes.try_next().await? {
        match (written, present.contains(key)) {
            (false, _) => seeded.kept += 1,
            (true, true) => seeded.overwritten += 1,
            (true, false) => seeded.added += 1,
        }
        let done = seeded.added + seeded.overwritten;
        if done.is_multiple_of(100) {
            reporter.working("seed", format!("{done} of {total} items"));
        }
    }
    Ok(seeded)
}

/// The keys of those `items` that `table` has, whatever else is in them.
pub(crate) async fn present(
    cloud: &Cloud,
    table: &str,
    keys: &[KeyAttribute],
    items: &[Item],
) -> Result<BTreeSet<Key>> {
    let mut present = BTreeSet::new();
    for chunk in items.chunks(KEYS_A_READ) {
        present.extend(existing_keys(cloud, table, keys, chunk).await?);
    }
    Ok(present)
}

async fn existing_keys(cloud: &Cloud, table: &str, keys: &[KeyAttribute], items: &[Item]) -> Result<BTreeSet<Key>> {
    let mut found = BTreeSet::new();
    let first = HashMap::from([(table.to_owned(), key_request(table, keys, items)?)]);
    let complete = ask_for_all(first, async |request| {
        let answer = cloud
            .dynamodb
            .batch_get_item()
            .set_request_items(Some(request))
            .send()
            .await
            .map_err(|error| explain(error, &format!("could not read the items of the table {table}")))?;
        let answered = answer.responses.unwrap_or_default().remove(table).unwrap_or_default();
        found.extend(answered.iter().filter_map(|item| key_of(item, keys)));
        Ok(answer.unprocessed_keys.filter(|keys| !keys.is_empty()))
    });
    if complete.await? {
        Ok(found)
    } else {
        Err(too_busy(table))
    }
}

/// Asks, and asks again for what a busy table left out, ever later. False when it still left something out after
/// [`LONGEST_BUSY`].
async fn ask_for_all<R>(first: R, mut ask: impl AsyncFnMut(R) -> Result<Option<R>>) -> Result<bool> {
    let end = Instant::now() + LONGEST_BUSY;
    let mut pause = Duration::from_millis(50);
    let mut wanted = first;
    while let Some(left_out) = ask(wanted).await? {
        let next = Instant::now() + pause.mul_f64(0.5 + fastrand::f64());
        if next > end {
            return Ok(false);
        }
        sleep_until(next).await;
        pause = (pause * 2).min(Duration::from_secs(5));
        wanted = left_out;
    }
    Ok(true)
}

fn too_busy(table: &str) -> Error {
    let minutes = LONGEST_BUSY.as_secs() / 60;
    Error::new(
        ErrorKind::Throttled,
        format!("the table {table} was too busy for {minutes} minutes to say which items it has"),
    )
    .hint("Run the same command again when less is asked of the table, or give it more read capacity.")
}

/// Asks for the keys alone of items that may be large.
fn key_request(table: &str, keys: &[KeyAttribute], items: &[Item]) -> Result<KeysAndAttributes> {
    let names: Vec<String> = (0..keys.len()).map(place_of).collect();
    let mut request = KeysAndAttributes::builder().projection_expression(names.join(", "));
    for (name, key) in names.into_iter().zip(keys) {
        request = request.expression_attribute_names(name, &key.name);
    }
    for item in items {
        let parts = item.key.parts().iter();
        request = request.keys(parts.map(|(name, value)| (name.clone(), to_dynamodb(value))).collect());
    }
    let built = request.consistent_read(true).build();
    built.map_err(|error| Error::failed(format!("could not ask the table {table}")).cause(error))
}

/// What stands for the key attribute in expressions: its name may be a reserved word.
fn place_of(index: usize) -> String {
    format!("#key{index}")
}

/// The key of an item that a table told.
fn key_of(item: &HashMap<String, AttributeValue>, keys: &[KeyAttribute]) -> Option<Key> {
    Key::of(keys, |name| match item.get(name)? {
        AttributeValue::S(text) => Some(Attribute::Text(text.clone())),
        AttributeValue::N(digits) => Attribute::number(digits),
        AttributeValue::B(bytes) => Some(Attribute::Binary(bytes.as_ref().to_vec())),
        _ => None,
    })
}

/// Writes one item; false when it is there and may not be overwritten.
async fn put<'a>(
    cloud: &Cloud,
    table: &str,
    keys: &[KeyAttribute],
    item: &'a Item,
    overwrite: bool,
) -> Result<(&'a Key, bool)> {
    let mut request = cloud
        .dynamodb
        .put_item()
        .table_name(table)
        .set_item(Some(map_to_dynamodb(&item.attributes)));
    if let (false, Some(partition)) = (overwrite, keys.first()) {
        let place = place_of(0);
        request = request
            .condition_expression(format!("attribute_not_exists({place})"))
            .expression_attribute_names(place, &partition.name)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    }
    let error = match request.send().await {
        Ok(_) => return Ok((&item.key, true)),
        Err(error) => error,
    };
    match error.as_service_error() {
        // It was missing a moment ago. If just this item is there now, it is the one that was put, by a request whose
        // answer got lost.
        Some(PutItemError::ConditionalCheckFailedException(there)) => {
            Ok((&item.key, there.item() == Some(&map_to_dynamodb(&item.attributes))))
        }
        _ => Err(explain(
            error,
            &format!("could not put the item `{}` into the table {table}", item.key),
        )),
    }
}

fn to_dynamodb(value: &Attribute) -> AttributeValue {
    match value {
        Attribute::Text(text) => AttributeValue::S(text.clone()),
        Attribute::Number(digits) => AttributeValue::N(digits.clone()),
        Attribute::Binary(bytes) => AttributeValue::B(Blob::new(bytes.clone())),
        Attribute::Flag(flag) => AttributeValue::Bool(*flag),
        Attribute::Null => AttributeValue::Null(true),
        Attribute::List(items) => AttributeValue::L(items.iter().map(to_dynamodb).collect()),
        Attribute::Map(named) => AttributeValue::M(map_to_dynamodb(named)),
        Attribute::TextSet(texts) => AttributeValue::Ss(texts.iter().cloned().collect()),
        Attribute::NumberSet(numbers) => AttributeValue::Ns(numbers.iter().cloned().collect()),
        Attribute::BinarySet(values) => AttributeValue::Bs(values.iter().cloned().map(Blob::new).collect()),
    }
}

fn map_to_dynamodb(named: &BTreeMap<String, Attribute>) -> HashMap<String, AttributeValue> {
    named
        .iter()
        .map(|(name, value)| (name.clone(), to_dynamodb(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::project::seed::{KeyKind, SeedTable, parse};

    fn orders() -> SeedTable {
        let key = |name: &str, kind: KeyKind| KeyAttribute {
            name: name.to_owned(),
            kind,
        };
        SeedTable {
            stack: "data".to_owned(),
            logical_id: "Orders".to_owned(),
            keys: vec![key("hash", KeyKind::Binary), key("at", KeyKind::Number)],
        }
    }

    #[test]
    fn whole_keys_are_asked_for_and_found_again() {
        let table = orders();
        let text = "- { hash: !!binary AAEC, at: 1.50, name: x }\n- { hash: AAED, at: 7 }\n";
        let tables = [table.clone()];
        let seeds = parse(text, Path::new("seed.yaml"), &tables, None).expect("valid");
        let items = seeds.of(0);
        let request = key_request("Orders-dev", &table.keys, items).expect("a request");
        assert_eq!(request.projection_expression(), Some("#key0, #key1"));
        let names = request.expression_attribute_names().expect("names");
        assert_eq!((names["#key0"].as_str(), names["#key1"].as_str()), ("hash", "at"));
        assert_eq!(request.keys().len(), 2);
        let asked = &request.keys()[0];
        assert_eq!(asked.len(), 2, "the key alone");
        assert_eq!(asked["at"], AttributeValue::N("1.5".to_owned()), "as DynamoDB has it");
        assert_eq!(key_of(asked, &table.keys).as_ref(), Some(&items[0].key));

        let mut other_spelling = asked.clone();
        other_spelling.insert("at".to_owned(), AttributeValue::N("1.50".to_owned()));
        assert_eq!(key_of(&other_spelling, &table.keys).as_ref(), Some(&items[0].key));
        other_spelling.remove("hash");
        assert_eq!(key_of(&other_spelling, &table.keys), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_table_is_asked_again_but_not_for_ever() {
        let mut left = 10;
        let complete = ask_for_all((), async |()| {
            left -= 1;
            Ok((left > 0).then_some(()))
        });
        assert!(complete.await.expect("answers"));
        assert_eq!(left, 0);

        let start = Instant::now();
        let complete = ask_for_all((), async |()| Ok(Some(())));
        assert!(!complete.await.expect("answers"));
        assert!(start.elapsed() <= LONGEST_BUSY, "{:?}", start.elapsed());
        assert!(start.elapsed() > LONGEST_BUSY - Duration::from_secs(10));
        let error = too_busy("Orders-dev");
        assert_eq!(
            error.to_string(),
            "the table Orders-dev was too busy for 5 minutes to say which items it has"
        );
    }
}
