//! Writing all items of tables into a file, from which `seed` puts them back.
//!
//! A table isn't stopped for it: an item that is changed meanwhile is in the file as it was before or after, and one that is
//! there all the time is in it for sure. What has to be of one moment is what point-in-time recovery is for.

mod file;
mod line;

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use aws_sdk_dynamodb::operation::scan::ScanOutput;
use futures::future::try_join_all;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::cloud::Cloud;
use crate::cloud::sdk_error::explain;
use crate::error::{Error, ErrorKind, OrFail as _, Result};
use crate::report::Reporter;
use file::{Part, Segment, TableProgress};

/// In how many parts a table is read, side by side. How many there are decides what is where, so that a run which goes on has as
/// many as the one before.
const SEGMENTS: usize = 4;

/// How many items are asked for at once, so that even small ones take little memory. DynamoDB tells 1 MB at most.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html>
const ITEMS_A_READ: i32 = 1000;

/// How long a table may tell nothing, being asked too much by others.
const LONGEST_BUSY: Duration = Duration::from_secs(300);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A table whose items are written.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    /// Where it is.
    pub cloud: &'a Cloud,
    /// The stack that it is in.
    pub stack: String,
    /// What seed files call it.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A table whose items are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BackedUp {
    /// The stack that it is in.
    pub stack: String,
    /// What seed files call it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How many items it had.
    pub items: u64,
}

/// Refuses a file that a backup can't be written to, before anything is asked of the cloud.
///
/// # Errors
/// It is there, or has a name by which `seed` wouldn't read it (exit 2).
pub(crate) fn check(file: &Path) -> Result<()> {
    let refused = |what: String, next_step: &str| Err(Error::new(ErrorKind::InvalidUsage, what).hint(next_step));
    let extension = file
        .extension()
        .map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    if !matches!(extension.as_deref(), Some("jsonl" | "ndjson")) {
        return refused(
            format!("{}: a backup is written as JSON lines", file.display()),
            "Give the file a name that ends in .jsonl: so `deployer seed --file` reads it.",
        );
    }
    if file.exists() {
        return refused(
            format!("{} is there already", file.display()),
            "Give the backup another name: no backup is written over another.",
        );
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return refused(
            format!("{}: there is no folder {}", file.display(), folder.display()),
            "Make it first, or name another.",
        );
    }
    Ok(())
}

/// Writes all items of the tables into a new file.
///
/// # Errors
/// A table can't be read, or the file can't be written; the same again goes on from there.
pub(crate) async fn write(sources: &[Source<'_>], file: &Path, reporter: &Reporter) -> Result<Vec<BackedUp>> {
    let tables = try_join_all(sources.iter().map(async |source| {
        Ok::<_, Error>(TableProgress {
            table: identity(source).await?,
            items: 0,
            segments: vec![Segment::Untouched; SEGMENTS],
        })
    }));
    let what = || format!("could not write {}", file.display());
    let part = Part::open(file, tables.await?).or_fail(what)?;
    if part.items() > 0 {
        reporter.working("backup", format!("going on after {} items", part.items()));
    }
    let part = RefCell::new(part);
    let has_several = sources.len() > 1;
    for (table, source) in sources.iter().enumerate() {
        let reader = Reader {
            source,
            table,
            has_several,
            part: &part,
            reporter,
            told: RefCell::new(Instant::now()),
        };
        let segments = try_join_all((0..SEGMENTS).map(|segment| reader.segment(segment))).await;
        segments.map_err(|error| {
            let items = part.borrow().items();
            error.hint(format!(
                "The same command goes on after the {items} items that {}.part has.",
                file.display()
            ))
        })?;
    }
    let part = part.into_inner();
    let written = sources.iter().zip(&part.progress.tables);
    let written = written
        .map(|(source, progress)| BackedUp {
            stack: source.stack.clone(),
            id: source.id.clone(),
            name: source.name.clone(),
            items: progress.items,
        })
        .collect();
    part.finish().or_fail(what)?;
    Ok(written)
}

/// "items: 3 of Users, 5 of Orders in all.jsonl"
pub(crate) fn describe(tables: &[BackedUp], file: &Path) -> String {
    let counts: Vec<String> = tables
        .iter()
        .map(|table| format!("{} of {}", table.items, table.id))
        .collect();
    format!("items: {} in {}", counts.join(", "), file.display())
}

/// What tells a table from another of its name.
async fn identity(source: &Source<'_>) -> Result<String> {
    let answer = source
        .cloud
        .dynamodb
        .describe_table()
        .table_name(&source.name)
        .send()
        .await;
    let what = || format!("could not look at the table {}", source.name);
    let table = answer.map_err(|error| explain(error, &what()))?.table;
    let id = table.and_then(|table| {
        let made = table.creation_date_time.map(|made| made.secs().to_string());
        Some(format!(
            "{} {}",
            table.table_arn.unwrap_or_default(),
            table.table_id.or(made)?
        ))
    });
    Ok(id.unwrap_or_else(|| source.name.clone()))
}

struct Reader<'a> {
    source: &'a Source<'a>,
    /// Its place among the tables.
    table: usize,
    has_several: bool,
    part: &'a RefCell<Part>,
    reporter: &'a Reporter,
    /// When the table last told something.
    told: RefCell<Instant>,
}

impl Reader<'_> {
    /// Reads a part of the table to its end.
    async fn segment(&self, segment: usize) -> Result<()> {
        loop {
            let done = self.part.borrow().progress.tables[self.table].segments[segment].clone();
            let start = match done {
                Segment::Done => return Ok(()),
                Segment::Untouched => None,
                Segment::After(key) => Some(line::key_of(&key).ok_or_else(|| {
                    Error::failed("what an earlier run has left of this backup can't be read")
                        .hint("Remove the files .part and .part.json beside it, and run the same command again.")
                })?),
            };
            let page = self.page(segment, start).await?;
            let (mut lines, mut items) = (String::new(), 0);
            for item in page.items() {
                let table = self.has_several.then_some(self.source.id.as_str());
                lines.push_str(&line::line(table, item).ok_or_else(|| self.unknown())?);
                items += 1;
            }
            let then = match page.last_evaluated_key.filter(|key| !key.is_empty()) {
                Some(key) => Segment::After(line::typed(&key).ok_or_else(|| self.unknown())?),
                None => Segment::Done,
            };
            let mut part = self.part.borrow_mut();
            part.add(&lines, items, self.table, segment, then)
                .or_fail(|| "could not write the backup".to_owned())?;
            self.reporter.working("backup", format!("{} items", part.items()));
        }
    }

    fn unknown(&self) -> Error {
        Error::failed(format!(
            "the table {} has a value of a type that this version doesn't know",
            self.source.name
        ))
        .hint("Use a newer deployer.")
    }

    /// What follows a key. Many who read may leave the table no capacity, which comes back.
    async fn page(&self, segment: usize, start: Option<line::Item>) -> Result<ScanOutput> {
        let mut pause = FIRST_PAUSE;
        loop {
            let request = self.source.cloud.dynamodb.scan().table_name(&self.source.name);
            let request = request.total_segments(i32::try_from(SEGMENTS).unwrap_or(1));
            let request = request.segment(i32::try_from(segment).unwrap_or_default());
            // Else what was written just before it began may be missing.
            let request = request.consistent_read(true).limit(ITEMS_A_READ);
            let answer = request.set_exclusive_start_key(start.clone()).send().await;
            let error = match answer {
                Ok(page) => {
                    self.told.replace(Instant::now());
                    return Ok(page);
                }
                Err(error) => explain(error, &format!("could not read the table {}", self.source.name)),
            };
            if error.kind() != ErrorKind::Throttled || self.told.borrow().elapsed() > LONGEST_BUSY {
                return Err(error);
            }
            sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
