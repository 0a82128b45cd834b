//! Which items a table has.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::builders::KeysAndAttributesBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::time::{Instant, sleep_until};

use super::attribute::{from_dynamodb, map_from_dynamodb, to_dynamodb};
use super::place_of;
use super::write::{Limits, chunks, is_busy};
use crate::cloud::Cloud;
use crate::cloud::sdk_error::{code, explain};
use crate::error::{Error, ErrorKind, Result};
use crate::project::seed::{Item, Key, KeyAttribute};

/// DynamoDB reads at most this many keys in one call.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>
const KEYS_A_READ: usize = 100;

/// The same of whole items, up to 16 MB: of large ones fewer, since several calls' answers are in memory at once.
const WHOLE: Limits = Limits {
    items: KEYS_A_READ,
    bytes: 1 << 20,
};

/// How many calls are made at once: 800 keys, which a new table answers within a tenth of what it reads in a second.
const READS_AT_ONCE: usize = 8;

/// How long a table may leave keys out of its answers. One on demand doubles what it takes within minutes.
const LONGEST_BUSY: Duration = Duration::from_secs(300);

/// The keys of those `items` that `table` has, whatever else is in them.
pub(crate) async fn present(
    cloud: &Cloud,
    table: &str,
    keys: &[KeyAttribute],
    items: &[Item],
) -> Result<BTreeSet<Key>> {
    let reads = items
        .chunks(KEYS_A_READ)
        .map(|chunk| existing_keys(cloud, table, keys, chunk));
    let mut reads = stream::iter(reads).buffer_unordered(READS_AT_ONCE);
    let mut present = BTreeSet::new();
    while let Some(found) = reads.try_next().await? {
        present.extend(found);
    }
    Ok(present)
}

async fn existing_keys(cloud: &Cloud, table: &str, keys: &[KeyAttribute], items: &[Item]) -> Result<BTreeSet<Key>> {
    let mut found = BTreeSet::new();
    let request = key_request(table, keys, items)?;
    read(cloud, table, request, |item| found.extend(key_of(item, keys))).await?;
    Ok(found)
}

/// What a table has of some items.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Compared {
    /// The keys of those that it hasn't.
    pub missing: BTreeSet<Key>,
    /// The keys of those of which it has others under the same keys.
    pub different: BTreeSet<Key>,
}

/// Compares `items` with those that `table` has under their keys.
pub(crate) async fn compared(cloud: &Cloud, table: &str, keys: &[KeyAttribute], items: &[Item]) -> Result<Compared> {
    let reads = chunks(items, WHOLE).into_iter().map(async |chunk| {
        let mut there = BTreeMap::new();
        let request = of_items(table, KeysAndAttributes::builder(), chunk.iter().copied())?;
        read(cloud, table, request, |item| {
            there.extend(key_of(item, keys).map(|key| (key, map_from_dynamodb(item))));
        })
        .await?;
        let mut compared = Compared::default();
        for item in chunk {
            match there.get(&item.key) {
                None => compared.missing.insert(item.key.clone()),
                Some(attributes) if attributes.as_ref() != Some(&item.attributes) => {
                    compared.different.insert(item.key.clone())
                }
                Some(_) => false,
            };
        }
        Ok::<_, Error>(compared)
    });
    let mut reads = stream::iter(reads).buffer_unordered(READS_AT_ONCE);
    let mut all = Compared::default();
    while let Some(mut compared) = reads.try_next().await? {
        all.missing.append(&mut compared.missing);
        all.different.append(&mut compared.different);
    }
    Ok(all)
}

/// Reads items of a table, to the last that it has of those that are asked for.
async fn read(
    cloud: &Cloud,
    table: &str,
    request: KeysAndAttributes,
    mut each: impl FnMut(&HashMap<String, AttributeValue>),
) -> Result<()> {
    let first = HashMap::from([(table.to_owned(), request)]);
    let complete = ask_for_all(first, async |request| {
        let asked = request.get(table).map_or(0, |keys| keys.keys().len());
        let answer = cloud
            .dynamodb
            .batch_get_item()
            .set_request_items(Some(request.clone()))
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            // So it says that it could read none of them.
            Err(error) if is_busy(code(&error)) => {
                return Ok(Some(LeftOut {
                    wanted: request,
                    is_less: false,
                }));
            }
            Err(error) => {
                return Err(explain(
                    error,
                    &format!("could not read the items of the table {table}"),
                ));
            }
        };
        let answered = answer.responses.unwrap_or_default().remove(table).unwrap_or_default();
        answered.iter().for_each(&mut each);
        let left_out = answer.unprocessed_keys.filter(|keys| !keys.is_empty());
        Ok(left_out.map(|wanted| LeftOut {
            is_less: wanted.get(table).map_or(0, |keys| keys.keys().len()) < asked,
            wanted,
        }))
    });
    if complete.await? { Ok(()) } else { Err(too_busy(table)) }
}

/// What a busy table didn't answer.
struct LeftOut<R> {
    wanted: R,
    /// Whether it answered some of what it was asked.
    is_less: bool,
}

/// Asks, and asks again for what a busy table left out, ever later. False when it answered nothing for [`LONGEST_BUSY`].
async fn ask_for_all<R>(first: R, mut ask: impl AsyncFnMut(R) -> Result<Option<LeftOut<R>>>) -> Result<bool> {
    let mut end = Instant::now() + LONGEST_BUSY;
    let mut pause = Duration::from_millis(50);
    let mut wanted = first;
    while let Some(left_out) = ask(wanted).await? {
        if left_out.is_less {
            end = Instant::now() + LONGEST_BUSY;
        }
        let next = Instant::now() + pause.mul_f64(0.5 + fastrand::f64());
        if next > end {
            return Ok(false);
        }
        sleep_until(next).await;
        pause = (pause * 2).min(Duration::from_secs(5));
        wanted = left_out.wanted;
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
    of_items(table, request, items)
}

/// Asks for these items, with all that is in them unless the request says otherwise.
fn of_items<'i>(
    table: &str,
    mut request: KeysAndAttributesBuilder,
    items: impl IntoIterator<Item = &'i Item>,
) -> Result<KeysAndAttributes> {
    for item in items {
        let parts = item.key.parts().iter();
        request = request.keys(parts.map(|(name, value)| (name.clone(), to_dynamodb(value))).collect());
    }
    let built = request.consistent_read(true).build();
    built.map_err(|error| Error::failed(format!("could not ask the table {table}")).cause(error))
}

/// The key of an item that a table told.
fn key_of(item: &HashMap<String, AttributeValue>, keys: &[KeyAttribute]) -> Option<Key> {
    Key::of(keys, |name| from_dynamodb(item.get(name)?))
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
    fn of_large_items_fewer_are_read_at_once() {
        let tables = [orders()];
        let item = |at: usize, bytes: usize| format!("- {{ hash: AAEC, at: {at}, note: {} }}\n", "x".repeat(bytes));
        let sizes = |bytes: &[usize]| {
            let text: String = bytes.iter().enumerate().map(|(at, bytes)| item(at, *bytes)).collect();
            let seeds = parse(&text, Path::new("seed.yaml"), &tables, None).expect("valid");
            chunks(seeds.of(0), WHOLE).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[1; 250]), [100, 100, 50]);
        assert_eq!(sizes(&[300_000; 7]), [3, 3, 1]);
        assert_eq!(sizes(&[]), [0; 0]);
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
            Ok((left > 0).then_some(LeftOut {
                wanted: (),
                is_less: false,
            }))
        });
        assert!(complete.await.expect("answers"));
        assert_eq!(left, 0);

        let start = Instant::now();
        let slow = ask_for_all(200_u32, async |wanted| {
            Ok(wanted.checked_sub(1).map(|wanted| LeftOut { wanted, is_less: true }))
        });
        assert!(slow.await.expect("answers"), "as long as it answers something");
        assert!(start.elapsed() > LONGEST_BUSY, "{:?}", start.elapsed());

        let start = Instant::now();
        let complete = ask_for_all((), async |()| {
            Ok(Some(LeftOut {
                wanted: (),
                is_less: false,
            }))
        });
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
