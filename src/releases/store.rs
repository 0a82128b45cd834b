//! Releases and what they refer to, as the artifacts bucket has them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write};
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::{Content, KEPT, Release};
use crate::bucket;
use crate::cloud::Cloud;
use crate::cloud::sdk_error::{code, explain};
use crate::error::{Error, OrFail as _, Result};
use crate::publish::{CONTENTS, Purge};
use crate::site::sum::{Hasher, Sum};

/// Where records are.
const RECORDS: &str = "releases/records/";

/// A record, as its key tells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(super) number: u64,
    /// See [`Content::fingerprint`].
    pub(super) fingerprint: String,
}

impl Record {
    /// In the order of the numbers.
    fn key(&self) -> String {
        format!("{RECORDS}{:06}-{}.json", self.number, self.fingerprint)
    }

    fn of_key(key: &str) -> Option<Self> {
        let (number, fingerprint) = key.strip_prefix(RECORDS)?.strip_suffix(".json")?.split_once('-')?;
        Some(Self {
            number: number.parse().ok()?,
            fingerprint: fingerprint.to_owned(),
        })
    }
}

/// The stage's records, the oldest first.
///
/// # Errors
/// The bucket can't be asked.
pub(crate) async fn records(cloud: &Cloud, bucket: &str) -> Result<Vec<Record>> {
    let keys = bucket::keys_below(cloud, bucket, RECORDS).await?;
    let mut records: Vec<Record> = keys.iter().filter_map(|key| Record::of_key(key)).collect();
    records.sort();
    Ok(records)
}

/// The newest release, if there is one.
///
/// # Errors
/// The bucket can't be asked, or has a record of another version.
pub(crate) async fn newest(cloud: &Cloud, bucket: &str) -> Result<Option<Release>> {
    match records(cloud, bucket).await?.last() {
        Some(record) => read(cloud, bucket, record).await.map(Some),
        None => Ok(None),
    }
}

/// All releases, the oldest first.
///
/// # Errors
/// The bucket can't be asked, or has a record of another version.
pub(crate) async fn all(cloud: &Cloud, bucket: &str) -> Result<Vec<Release>> {
    let records = records(cloud, bucket).await?;
    try_join_all(records.iter().map(|record| read(cloud, bucket, record))).await
}

/// Reads one.
pub(super) async fn read(cloud: &Cloud, bucket: &str, record: &Record) -> Result<Release> {
    let key = record.key();
    let text = get(cloud, bucket, &key).await?;
    serde_json::from_slice(&text).map_err(|error| {
        Error::failed(format!("could not read {key} of {bucket}"))
            .cause(error)
            .hint("Another version of deployer may have written it: use that one, or a newer one.")
    })
}

/// Writes one, which none is called so yet.
pub(super) async fn write(cloud: &Cloud, bucket: &str, release: &Release) -> Result<()> {
    let record = Record {
        number: release.number,
        fingerprint: release.content.fingerprint(),
    };
    let what = || format!("could not record the release {}", release.number);
    let text = serde_json::to_vec_pretty(release).or_fail(what)?;
    put(cloud, bucket, &record.key(), text).await
}

async fn put(cloud: &Cloud, bucket: &str, key: &str, bytes: impl Into<Bytes>) -> Result<()> {
    let bytes = bytes.into();
    let size = bytes.len() as u64;
    let put = cloud
        .s3
        .put_object()
        .bucket(bucket)
        .key(key)
        .body(ByteStream::from(bytes));
    let put = put.customize().config_override(Cloud::for_sending(size)).send().await;
    put.map(|_| ())
        .map_err(|error| explain(error, &format!("could not write {key} of {bucket}")))
}

async fn get(cloud: &Cloud, bucket: &str, key: &str) -> Result<Bytes> {
    let what = || format!("could not read {key} of {bucket}");
    let answer = cloud.s3.get_object().bucket(bucket).key(key).send().await;
    let answer = answer.map_err(|error| {
        let is_gone = code(&error) == "NoSuchKey";
        let error = explain(error, &what());
        if is_gone { error.hint(GONE) } else { error }
    })?;
    let bytes = answer.body.collect().await.or_fail(what)?;
    Ok(bytes.into_bytes())
}

/// What to do where a release lacks something.
pub(super) const GONE: &str = "Somebody has removed it. `deployer releases` lists others.";

/// The content with this sum.
pub(super) async fn content(cloud: &Cloud, bucket: &str, sum: &str) -> Result<Bytes> {
    let bytes = get(cloud, bucket, &content_key(sum)).await?;
    if Sum::of(&bytes).to_string() == sum {
        Ok(bytes)
    } else {
        Err(not_what_it_says(bucket, sum))
    }
}

fn not_what_it_says(bucket: &str, sum: &str) -> Error {
    let key = content_key(sum);
    Error::failed(format!("{key} of {bucket} isn't what its name says")).hint(GONE)
}

/// Keeps a content.
pub(super) async fn keep(cloud: &Cloud, bucket: &str, bytes: Vec<u8>) -> Result<()> {
    let key = content_key(&Sum::of(&bytes).to_string());
    put(cloud, bucket, &key, bytes).await
}

pub(super) fn content_key(sum: &str) -> String {
    format!("{CONTENTS}{sum}")
}

/// The sums of what is kept.
pub(super) async fn kept(cloud: &Cloud, bucket: &str) -> Result<BTreeSet<String>> {
    let keys = bucket::keys_below(cloud, bucket, CONTENTS).await?;
    let sums = keys.iter().filter_map(|key| key.strip_prefix(CONTENTS));
    Ok(sums.map(str::to_owned).collect())
}

/// A file of a release's site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed<'a> {
    /// Its path in the site's folder.
    pub(super) path: Cow<'a, str>,
    pub(super) sum: Cow<'a, str>,
    /// In bytes.
    pub(super) size: u64,
    /// Whether the site's bucket has the same content.
    #[serde(rename = "published", default = "yes", skip_serializing_if = "is_yes")]
    pub(super) is_published: bool,
}

/// As most are.
fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_yes(is: &bool) -> bool {
    *is
}

/// A release's list of its site's files, as it is kept: a line of JSON each, compressed, since there may be many.
#[derive(Debug, Clone)]
pub(super) struct List(Bytes);

impl List {
    /// The sum in writing that the lines of these files have, which the list is called by.
    pub(super) fn sum_of<'a>(files: impl Iterator<Item = Listed<'a>>) -> Result<String> {
        let mut hasher = Hasher::new(Some(0));
        let mut line = Vec::new();
        for file in files {
            write_line(&file, &mut line)?;
            hasher.update(&line);
            line.clear();
        }
        Ok(hasher.finish().to_string())
    }

    /// That list.
    pub(super) fn of<'a>(files: impl Iterator<Item = Listed<'a>>) -> Result<Self> {
        let mut list = GzEncoder::new(Vec::new(), Compression::fast());
        for file in files {
            write_line(&file, &mut list)?;
        }
        let list = list.finish().or_fail(cannot_list)?;
        Ok(Self(list.into()))
    }

    /// The sum of its lines, however they were compressed.
    fn sum(&self) -> Result<String> {
        let mut lines = BufReader::new(GzDecoder::new(&*self.0));
        let mut hasher = Hasher::new(Some(0));
        loop {
            let piece = lines.fill_buf().or_fail(cannot_list)?;
            if piece.is_empty() {
                return Ok(hasher.finish().to_string());
            }
            hasher.update(piece);
            let read = piece.len();
            lines.consume(read);
        }
    }

    /// The files.
    pub(super) fn files(&self) -> impl Iterator<Item = Result<Listed<'static>>> {
        let lines = BufReader::new(GzDecoder::new(&*self.0));
        let files = serde_json::Deserializer::from_reader(lines).into_iter();
        files.map(|file| file.or_fail(|| "could not read a release's list of the site's files".to_owned()))
    }
}

fn cannot_list() -> String {
    "could not list the site's files".to_owned()
}

fn write_line(file: &Listed<'_>, into: &mut impl Write) -> Result<()> {
    serde_json::to_writer(&mut *into, file).or_fail(cannot_list)?;
    into.write_all(b"\n").or_fail(cannot_list)
}

/// The list whose lines have this sum.
pub(super) async fn list(cloud: &Cloud, bucket: &str, sum: &str) -> Result<List> {
    let list = List(get(cloud, bucket, &content_key(sum)).await?);
    if list.sum()? == sum {
        Ok(list)
    } else {
        Err(not_what_it_says(bucket, sum))
    }
}

/// Keeps a list, whose lines have this sum.
pub(super) async fn keep_list(cloud: &Cloud, bucket: &str, sum: &str, list: List) -> Result<()> {
    put(cloud, bucket, &content_key(sum), list.0).await
}

/// Removes all but the newest releases, and what only those used.
pub(super) async fn prune(cloud: &Cloud, bucket: &str, records: &[Record]) -> Result<()> {
    let Some(over) = records.len().checked_sub(KEPT).filter(|over| *over > 0) else {
        return Ok(());
    };
    let (old, kept_records) = records.split_at(over);
    let (gone, stay) = tokio::try_join!(
        try_join_all(old.iter().map(|record| read(cloud, bucket, record))),
        try_join_all(kept_records.iter().map(|record| read(cloud, bucket, record)))
    )?;
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    let lists: BTreeSet<&String> = sites(&stay).collect();
    for sum in &lists {
        for file in list(cloud, bucket, sum).await?.files() {
            wanted.insert(file?.sum.into_owned());
        }
    }
    wanted.extend(lists.into_iter().cloned());
    wanted.extend(stay.iter().flat_map(|release| release.content.files.values().cloned()));
    let mut keys: Vec<Arc<str>> = kept(cloud, bucket)
        .await?
        .difference(&wanted)
        .map(|sum| content_key(sum).into())
        .collect();
    let packages = |releases: &[Release]| releases.iter().flat_map(|one| packages(&one.content)).collect();
    let (before, after): (BTreeSet<String>, BTreeSet<String>) = (packages(&gone), packages(&stay));
    keys.extend(before.difference(&after).map(|key| key.as_str().into()));
    bucket::delete_all(cloud, bucket, &keys).await?;
    // Last: should this run end before, the next knows what is left.
    let keys: Vec<Arc<str>> = old.iter().map(|record| record.key().into()).collect();
    bucket::delete_all(cloud, bucket, &keys).await
}

fn sites(releases: &[Release]) -> impl Iterator<Item = &String> {
    releases
        .iter()
        .filter_map(|release| release.content.site.as_ref())
        .map(|site| &site.list)
}

fn packages(content: &Content) -> Vec<String> {
    let packages = content.stacks.values().flat_map(|stack| stack.packages.values());
    packages.cloned().collect()
}

/// Forgets those files of all sites that are to go at once, but for what `now` has: no release gets them back.
///
/// # Errors
/// The bucket can't be asked.
pub(crate) async fn purge(cloud: &Cloud, bucket: &str, purge: &Purge, now: &BTreeSet<String>) -> Result<()> {
    let releases = all(cloud, bucket).await?;
    let lists: BTreeSet<&String> = sites(&releases).collect();
    let mut sums = BTreeSet::new();
    for sum in lists {
        for file in list(cloud, bucket, sum).await?.files() {
            let Listed { path, sum, .. } = file?;
            if purge.has(&path) && !now.contains(&*sum) {
                sums.insert(sum.into_owned());
            }
        }
    }
    let keys: Vec<Arc<str>> = sums.iter().map(|sum| content_key(sum).into()).collect();
    bucket::delete_all(cloud, bucket, &keys).await
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_record_is_told_by_its_key() {
        let record = Record {
            number: 12,
            fingerprint: "0123456789abcdef-fedcba9876543210".into(),
        };
        assert_eq!(
            record.key(),
            "releases/records/000012-0123456789abcdef-fedcba9876543210.json"
        );
        assert_eq!(Record::of_key(&record.key()), Some(record));
        let later = Record {
            number: 1_234_567,
            fingerprint: "0".into(),
        };
        assert_eq!(Record::of_key(&later.key()), Some(later));
        for key in [
            "releases/records/",
            "releases/content/000012-0.json",
            "releases/records/x-0.json",
        ] {
            assert_eq!(Record::of_key(key), None, "{key}");
        }
    }

    #[test]
    fn a_list_has_a_line_a_file() {
        let files = [Listed {
            path: "a b\"\n.html".into(),
            sum: "00".into(),
            size: 3,
            is_published: true,
        }];
        let list = List::of(files.iter().cloned()).expect("JSON");
        let sum = List::sum_of(files.iter().cloned()).expect("JSON");
        assert_eq!(list.sum().expect("lines"), sum);
        let mut lines = String::new();
        GzDecoder::new(&*list.0).read_to_string(&mut lines).expect("text");
        assert_eq!((lines.lines().count(), Sum::of(&lines).to_string()), (1, sum));
        let read: Vec<Listed<'_>> = list.files().collect::<Result<_>>().expect("JSON");
        assert_eq!(read, files);
    }
}
