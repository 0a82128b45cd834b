//! Writing items, many at once.
//!
//! What isn't to replace anything goes in transactions, each of whose writes says that the item must be missing: only so
//! does a call take many items and still lose nothing that somebody else wrote. They take twice the write capacity. What
//! may replace goes in batches, which know no conditions. Where neither will do, items go one by one.

use std::cell::Cell;
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, Put, PutRequest, ReturnValuesOnConditionCheckFailure, TransactWriteItem, WriteRequest,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::time::{Instant, sleep};

use super::attribute::{map_from_dynamodb, map_to_dynamodb};
use super::place_of;
use crate::cloud::Cloud;
use crate::cloud::sdk_error::{code, explain};
use crate::error::{Error, ErrorKind, Result};
use crate::project::seed::{Item, KeyAttribute};

/// What a call takes: 100 items and 4 MB in a transaction, 25 items and 16 MB in a batch. Of large items fewer are sent at
/// once, so that a slow line gets each call through in the time that it has.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>
const TRANSACTION: Limits = Limits {
    items: 100,
    bytes: 1 << 20,
};
const BATCH: Limits = Limits {
    items: 25,
    bytes: 1 << 20,
};

/// How many calls are made at once. A new table on demand takes 4,000 small items a second, half as many in transactions;
/// one that was there before may have less to spare.
const TRANSACTIONS_AT_ONCE: usize = 4;
const BATCHES_AT_ONCE: usize = 8;
/// How many items of one such call, where they go one by one.
const ITEMS_AT_ONCE: usize = 4;

/// How long a table may take nothing. One on demand doubles what it takes within minutes.
const LONGEST_BUSY: Duration = Duration::from_secs(300);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What goes into one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How many items at most.
    pub(super) items: usize,
    /// How many bytes, unless one alone has more.
    pub(super) bytes: usize,
}

/// Items, and of each whether it was written; else it was there.
type Done<'i> = Vec<(&'i Item, bool)>;

/// Writes items into one table.
pub(super) struct Writer<'a> {
    cloud: &'a Cloud,
    table: &'a str,
    keys: &'a [KeyAttribute],
    overwrite: bool,
    /// The table, or what serves it, takes no transactions.
    one_by_one: Cell<bool>,
    /// When it last took something.
    took: Cell<Instant>,
}

/// What became of a transaction.
enum Sent {
    Written,
    /// Nothing was written; a reason for each item.
    Canceled(Vec<CancellationReason>),
    /// Nothing was written, and it may be tried again.
    Busy,
    /// It will never be taken as it is.
    Refused,
}

/// What became of an item in a transaction that was cancelled.
enum Fate {
    /// Others were the reason.
    Free,
    /// It was there, and is what was to be written: a transaction whose answer got lost.
    Ours,
    /// It was there.
    There,
    /// It may be tried again.
    Busy,
}

impl<'a> Writer<'a> {
    pub(super) fn new(cloud: &'a Cloud, table: &'a str, keys: &'a [KeyAttribute], overwrite: bool) -> Self {
        Self {
            cloud,
            table,
            keys,
            overwrite,
            one_by_one: Cell::new(false),
            took: Cell::new(Instant::now()),
        }
    }

    /// Writes the items, and tells of them as they are done.
    ///
    /// # Errors
    /// Names the item that the table doesn't take, or says that it was too busy. What is told of is done.
    pub(super) async fn write<'i>(&self, items: &[&'i Item], mut tell: impl FnMut(Done<'i>)) -> Result<()> {
        let (limits, at_once) = if self.overwrite {
            (BATCH, BATCHES_AT_ONCE)
        } else {
            (TRANSACTION, TRANSACTIONS_AT_ONCE)
        };
        self.took.set(Instant::now());
        let calls = chunks(items.iter().copied(), limits).into_iter().map(async |chunk| {
            if self.overwrite {
                self.batch(chunk).await
            } else {
                self.transactions(chunk).await
            }
        });
        let mut calls = stream::iter(calls).buffer_unordered(at_once);
        while let Some(done) = calls.try_next().await? {
            tell(done);
        }
        Ok(())
    }

    /// Writes items that a transaction can take, and in several where it doesn't take them.
    async fn transactions<'i>(&self, items: Vec<&'i Item>) -> Result<Done<'i>> {
        let mut done = Done::with_capacity(items.len());
        let mut left = vec![items];
        let mut pause = FIRST_PAUSE;
        while let Some(items) = left.pop() {
            if self.one_by_one.get() {
                done.extend(self.puts(&items).await?);
                continue;
            }
            match self.transact(&items).await? {
                Sent::Written => {
                    self.took.set(Instant::now());
                    pause = FIRST_PAUSE;
                    done.extend(items.into_iter().map(|item| (item, true)));
                }
                Sent::Canceled(reasons) => {
                    let mut again = Vec::new();
                    let mut is_busy = false;
                    let before = items.len();
                    for (index, item) in items.into_iter().enumerate() {
                        match self.fate(item, reasons.get(index))? {
                            Fate::Ours => done.push((item, true)),
                            Fate::There => done.push((item, false)),
                            Fate::Free => again.push(item),
                            Fate::Busy => {
                                is_busy = true;
                                again.push(item);
                            }
                        }
                    }
                    if is_busy {
                        pause = self.wait(pause).await?;
                        left.extend(halves(again));
                    } else if again.len() == before {
                        // Cancelled, and no item is said to be why.
                        done.extend(self.puts(&again).await?);
                    } else if !again.is_empty() {
                        left.push(again);
                    }
                }
                // A table with little capacity may never have that of many items at once.
                Sent::Busy => {
                    pause = self.wait(pause).await?;
                    left.extend(halves(items));
                }
                // The table's writes one by one say which item is wrong; or that none is, and transactions aren't known
                // here, as by some emulators and by global tables with strong consistency.
                Sent::Refused => {
                    done.extend(self.puts(&items).await?);
                    self.one_by_one.set(true);
                }
            }
        }
        Ok(done)
    }

    /// One transaction. The SDK gives it a token, which is the same when it sends it again: an answer that got lost costs
    /// nothing.
    async fn transact(&self, items: &[&Item]) -> Result<Sent> {
        let writes = items.iter().map(|item| {
            let mut put = Put::builder()
                .table_name(self.table)
                .set_item(Some(map_to_dynamodb(&item.attributes)));
            if let Some(partition) = self.keys.first() {
                put = put
                    .condition_expression(is_missing())
                    .expression_attribute_names(place_of(0), &partition.name)
                    .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            }
            let put = put.build().map_err(|error| self.failed(item).cause(error))?;
            Ok(TransactWriteItem::builder().put(put).build())
        });
        let writes: Vec<TransactWriteItem> = writes.collect::<Result<_>>()?;
        let request = self.cloud.dynamodb.transact_write_items();
        let Err(error) = request.set_transact_items(Some(writes)).send().await else {
            return Ok(Sent::Written);
        };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                Ok(Sent::Canceled(canceled.cancellation_reasons().to_vec()))
            }
            Some(_) if is_busy(code(&error)) => Ok(Sent::Busy),
            Some(_) if is_refusal(&error) => Ok(Sent::Refused),
            _ => Err(explain(
                error,
                &format!("could not put {} items into the table {}", items.len(), self.table),
            )),
        }
    }

    /// What a reason for the cancellation says of its item.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#API_TransactWriteItems_Errors>
    fn fate(&self, item: &Item, reason: Option<&CancellationReason>) -> Result<Fate> {
        let code = reason.and_then(CancellationReason::code).unwrap_or("None");
        let there = reason.and_then(CancellationReason::item);
        match code {
            "None" | "" => Ok(Fate::Free),
            "ConditionalCheckFailed" => match there.and_then(map_from_dynamodb) {
                Some(there) if there == item.attributes => Ok(Fate::Ours),
                _ => Ok(Fate::There),
            },
            "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded" => Ok(Fate::Busy),
            _ => {
                let why = reason.and_then(CancellationReason::message).unwrap_or_default();
                Err(self.failed(item).cause(format!("{code}: {why}")))
            }
        }
    }

    /// Writes items that a batch can take, whatever is there.
    async fn batch<'i>(&self, items: Vec<&'i Item>) -> Result<Done<'i>> {
        let writes = items.iter().map(|item| {
            let put = PutRequest::builder()
                .set_item(Some(map_to_dynamodb(&item.attributes)))
                .build();
            let put = put.map_err(|error| self.failed(item).cause(error))?;
            Ok(WriteRequest::builder().put_request(put).build())
        });
        let mut left: Vec<WriteRequest> = writes.collect::<Result<_>>()?;
        let mut pause = FIRST_PAUSE;
        while !left.is_empty() {
            let count = left.len();
            let request = self.cloud.dynamodb.batch_write_item();
            match request.request_items(self.table, left.clone()).send().await {
                Ok(answer) => {
                    let mut unprocessed = answer.unprocessed_items.unwrap_or_default();
                    left = unprocessed.remove(self.table).unwrap_or_default();
                    if left.len() < count {
                        self.took.set(Instant::now());
                        pause = FIRST_PAUSE;
                    }
                    if !left.is_empty() {
                        pause = self.wait(pause).await?;
                    }
                }
                Err(error) if is_busy(code(&error)) => pause = self.wait(pause).await?,
                // One by one they say which is wrong.
                Err(error) if is_refusal(&error) => return self.puts(&items).await,
                Err(error) => {
                    let what = format!("could not put {count} items into the table {}", self.table);
                    return Err(explain(error, &what));
                }
            }
        }
        Ok(items.into_iter().map(|item| (item, true)).collect())
    }

    async fn puts<'i>(&self, items: &[&'i Item]) -> Result<Done<'i>> {
        let puts = items.iter().map(async |item| Ok((*item, self.put(item).await?)));
        stream::iter(puts).buffer_unordered(ITEMS_AT_ONCE).try_collect().await
    }

    /// Writes one item; false when it is there and may not be overwritten.
    async fn put(&self, item: &Item) -> Result<bool> {
        let mut pause = FIRST_PAUSE;
        loop {
            let mut request = self
                .cloud
                .dynamodb
                .put_item()
                .table_name(self.table)
                .set_item(Some(map_to_dynamodb(&item.attributes)));
            if let (false, Some(partition)) = (self.overwrite, self.keys.first()) {
                request = request
                    .condition_expression(is_missing())
                    .expression_attribute_names(place_of(0), &partition.name)
                    .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            }
            let Err(error) = request.send().await else {
                self.took.set(Instant::now());
                return Ok(true);
            };
            match error.as_service_error() {
                // It was missing a moment ago. If just this item is there now, it is the one that was put, by a request
                // whose answer got lost.
                Some(PutItemError::ConditionalCheckFailedException(there)) => {
                    let there = there.item().and_then(map_from_dynamodb);
                    return Ok(there.as_ref() == Some(&item.attributes));
                }
                Some(_) if is_busy(code(&error)) => pause = self.wait(pause).await?,
                _ => return Err(explain(error, &self.failed(item).to_string())),
            }
        }
    }

    fn failed(&self, item: &Item) -> Error {
        let what = format!("could not put the item `{}` into the table {}", item.key, self.table);
        Error::new(ErrorKind::ServiceError, what)
            .hint("Correct the item, and run the same command again: it goes on from here.")
    }

    /// Waits, and says how long the next time, unless the table has taken nothing for long.
    async fn wait(&self, pause: Duration) -> Result<Duration> {
        let pause_now = pause.mul_f64(0.5 + fastrand::f64());
        if self.took.get().elapsed() + pause_now > LONGEST_BUSY {
            let minutes = LONGEST_BUSY.as_secs() / 60;
            let what = format!(
                "the table {} was too busy for {minutes} minutes to take an item",
                self.table
            );
            return Err(Error::new(ErrorKind::Throttled, what).hint(
                "Run the same command again when less is asked of the table, or give it more write capacity: it goes on from \
                 here.",
            ));
        }
        sleep(pause_now).await;
        Ok((pause * 2).min(LONGEST_PAUSE))
    }
}

fn is_missing() -> String {
    format!("attribute_not_exists({})", place_of(0))
}

/// The codes that ask for another try. The SDK has tried a few times by then.
pub(super) fn is_busy(code: &str) -> bool {
    matches!(
        code,
        "ThrottlingException"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "TransactionConflictException"
            | "TransactionInProgressException"
    )
}

/// Whether the service has understood the request and doesn't take it, now or later.
fn is_refusal<E>(error: &SdkError<E, HttpResponse>) -> bool {
    let status = error.raw_response().map(|response| response.status());
    // 501 is for what isn't implemented.
    status.is_some_and(|status| status.is_client_error() || status.as_u16() == 501)
}

/// The items in their order, as many together as fit.
pub(super) fn chunks<'i>(items: impl IntoIterator<Item = &'i Item>, limits: Limits) -> Vec<Vec<&'i Item>> {
    let mut chunks: Vec<Vec<&Item>> = Vec::new();
    let mut bytes = 0;
    for item in items {
        let size = item.size();
        match chunks.last_mut() {
            Some(last) if last.len() < limits.items && bytes + size <= limits.bytes => {
                last.push(item);
                bytes += size;
            }
            _ => {
                chunks.push(vec![item]);
                bytes = size;
            }
        }
    }
    chunks
}

/// What fits better where all together don't.
fn halves<T>(mut items: Vec<T>) -> Vec<Vec<T>> {
    let rest = items.split_off(items.len() / 2);
    [items, rest].into_iter().filter(|half| !half.is_empty()).collect()
}
