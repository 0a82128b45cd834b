//! Putting the seed items into the table.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnValuesOnConditionCheckFailure};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;

use crate::cloud::Cloud;
use crate::cloud::sdk_error::explain;
use crate::error::{Error, Result};
use crate::project::seed::{Attribute, Item, KEY};
use crate::report::{Reporter, counted};

/// What seeding did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seeded {
    /// Items that were missing and are there now.
    pub added: usize,
    /// Items that were there and were replaced.
    pub overwritten: usize,
    /// Items that were there and were left alone.
    pub kept: usize,
}

impl Seeded {
    /// "2 added, 1 was there".
    pub fn describe(&self) -> String {
        let counts = counted(&[
            (self.added, "added"),
            (self.overwritten, "overwritten"),
            (self.kept, "already there"),
        ]);
        if counts.is_empty() {
            "no items to add".to_owned()
        } else {
            format!("items: {counts}")
        }
    }
}

/// DynamoDB reads at most this many keys in one call.
const KEYS_A_READ: usize = 100;

/// How many items are written at once. A new table takes 4,000 a second; an existing one may have less to spare.
const WRITES_AT_ONCE: usize = 16;

/// Adds the items that `table` lacks; with `overwrite` also replaces those it has.
///
/// Reads first, so that nothing is written when nothing is missing; and each write says again that the item must be
/// missing, so that an item written meanwhile by somebody else is never lost.
pub async fn seed(cloud: &Cloud, table: &str, items: &[Item], overwrite: bool, reporter: &Reporter) -> Result<Seeded> {
    let present = present(cloud, table, items).await?;
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
        .map(|item| put(cloud, table, item, overwrite))
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
pub async fn present(cloud: &Cloud, table: &str, items: &[Item]) -> Result<BTreeSet<String>> {
    let mut present = BTreeSet::new();
    for chunk in items.chunks(KEYS_A_READ) {
        present.extend(existing_keys(cloud, table, chunk).await?);
    }
    Ok(present)
}

async fn existing_keys(cloud: &Cloud, table: &str, items: &[Item]) -> Result<BTreeSet<String>> {
    let keys = items
        .iter()
        .map(|item| HashMap::from([(KEY.to_owned(), AttributeValue::S(item.key.clone()))]))
        .collect();
    let mut found = BTreeSet::new();
    let mut wanted = Some(HashMap::from([(table.to_owned(), key_request(keys, table)?)]));
    let mut pause = Duration::from_millis(50);
    while let Some(request) = wanted.take() {
        let answer = cloud
            .dynamodb
            .batch_get_item()
            .set_request_items(Some(request))
            .send()
            .await
            .map_err(|error| explain(&error, &format!("could not read the items of the table {table}")))?;
        for item in answer.responses.unwrap_or_default().remove(table).unwrap_or_default() {
            if let Some(AttributeValue::S(key)) = item.get(KEY) {
                found.insert(key.clone());
            }
        }
        // What a busy table left out is asked for again, ever later.
        wanted = answer.unprocessed_keys.filter(|keys| !keys.is_empty());
        if wanted.is_some() {
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }
    Ok(found)
}

fn key_request(keys: Vec<HashMap<String, AttributeValue>>, table: &str) -> Result<KeysAndAttributes> {
    KeysAndAttributes::builder()
        .set_keys(Some(keys))
        .projection_expression("#key")
        .expression_attribute_names("#key", KEY)
        .consistent_read(true)
        .build()
        .map_err(|error| Error::failed(format!("could not ask the table {table}")).because(error))
}

/// Writes one item; false when it is there and may not be overwritten.
async fn put<'a>(cloud: &Cloud, table: &str, item: &'a Item, overwrite: bool) -> Result<(&'a str, bool)> {
    let mut request = cloud
        .dynamodb
        .put_item()
        .table_name(table)
        .set_item(Some(map_to_dynamodb(&item.attributes)));
    if !overwrite {
        request = request
            .condition_expression("attribute_not_exists(#key)")
            .expression_attribute_names("#key", KEY)
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
            &error,
            &format!("could not put the item `{}` into the table {table}", item.key),
        )),
    }
}

fn to_dynamodb(value: &Attribute) -> AttributeValue {
    match value {
        Attribute::Text(text) => AttributeValue::S(text.clone()),
        Attribute::Number(digits) => AttributeValue::N(digits.clone()),
        Attribute::Flag(flag) => AttributeValue::Bool(*flag),
        Attribute::Null => AttributeValue::Null(true),
        Attribute::List(items) => AttributeValue::L(items.iter().map(to_dynamodb).collect()),
        Attribute::Map(named) => AttributeValue::M(map_to_dynamodb(named)),
    }
}

fn map_to_dynamodb(named: &BTreeMap<String, Attribute>) -> HashMap<String, AttributeValue> {
    named
        .iter()
        .map(|(name, value)| (name.clone(), to_dynamodb(value)))
        .collect()
}
