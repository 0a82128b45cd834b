//! Listing and emptying buckets: every version and every delete marker has to go before AWS deletes one.

mod listed;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::types::{Delete, Error as S3Error, ObjectIdentifier};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use self::listed::{Listed, ReadKeysOnly};
use crate::cloud::Cloud;
use crate::cloud::sdk_error::{code, explain};
use crate::error::{Error, Result};
use crate::site::sum::Sum;
use crate::wait::{Pace, Probe, until};

/// How often a bucket is looked at anew: something may write into it while it is emptied.
const ROUNDS: usize = 5;

/// So many objects are deleted by one call at most.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
const DELETED_A_CALL: usize = 1000;

/// So many such calls are made at once.
const DELETIONS_AT_ONCE: usize = 8;

/// What S3 calls an object's content, without the quotes. It mostly is an MD5, which is kept in its sixteen bytes: a bucket
/// may have many objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) enum Etag {
    /// That of a content, in S3's own writing.
    Md5([u8; 16]),
    /// Anything else.
    Other(Box<str>),
}

impl Etag {
    /// Whether it is the sum of a content, and so tells that the object has it.
    pub(crate) fn is_of(&self, sum: &Sum) -> bool {
        matches!((self, sum), (Self::Md5(is), Sum::Md5(wanted)) if is == wanted)
    }
}

impl From<&str> for Etag {
    fn from(text: &str) -> Self {
        let text = text.trim_matches('"');
        let mut md5 = [0; 16];
        // What is written otherwise would be another ETag if it were written anew.
        let is_md5 =
            !text.bytes().any(|byte| byte.is_ascii_uppercase()) && hex::decode_to_slice(text, &mut md5).is_ok();
        if is_md5 {
            Self::Md5(md5)
        } else {
            Self::Other(text.into())
        }
    }
}

impl From<String> for Etag {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Etag> for String {
    fn from(etag: Etag) -> Self {
        etag.to_string()
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Md5(md5) => f.write_str(&hex::encode(md5)),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// The objects of a bucket, by their keys in order, with their ETags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listing(Vec<(Arc<str>, Etag)>);

impl Listing {
    /// What S3 calls the object with this key, if it is there.
    pub(crate) fn get(&self, key: &str) -> Option<&Etag> {
        let found = self.0.binary_search_by(|(one, _)| (**one).cmp(key)).ok()?;
        self.0.get(found).map(|(_, etag)| etag)
    }

    /// Whether there is an object with this key.
    pub(crate) fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Whether there is no object.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each object, in the order of the keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Etag)> {
        self.0.iter().map(|(key, etag)| (key, etag))
    }
}

impl FromIterator<(Arc<str>, Etag)> for Listing {
    fn from_iter<T: IntoIterator<Item = (Arc<str>, Etag)>>(objects: T) -> Self {
        let mut objects: Vec<(Arc<str>, Etag)> = objects.into_iter().collect();
        // S3 lists them so, and what stands in for it may not.
        if !objects.is_sorted_by(|(one, _), (next, _)| one < next) {
            objects.sort_by(|(one, _), (other, _)| one.cmp(other));
            objects.dedup_by(|(later, _), (earlier, _)| later == earlier);
        }
        objects.shrink_to_fit();
        Self(objects)
    }
}

/// So many objects S3 lists by one request at most.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
const A_PAGE: usize = 1000;

/// So many of them are expected: the rest is for what isn't.
const EXPECTED_A_PAGE: usize = 900;

/// So many pages are asked for at once.
const PAGES_AT_ONCE: usize = 16;

/// Lists the newest version of every object. A page takes S3 some 50 ms and tells only where the next one begins. Where a
/// bucket needs more than one, the others begin at keys that are `expected`, all at once; any others are found as well.
/// Of keys that are expected there is no second copy.
///
/// # Errors
/// It may not be listed.
pub(crate) async fn list<'a>(
    cloud: &Cloud,
    bucket: &str,
    expected: impl IntoIterator<Item = &'a Arc<str>>,
) -> Result<Listing> {
    let mut expected: Vec<&Arc<str>> = expected.into_iter().collect();
    expected.sort_unstable();
    let mut found = Vec::new();
    let mut begin = None;
    // Of a bucket that would take more requests it is asked first whether it has anything.
    if expected.len() > PAGES_AT_ONCE * EXPECTED_A_PAGE {
        let first = page(cloud, bucket, None, None, &expected).await?;
        found = first.objects;
        match first.more_after {
            None => return Ok(found.into_iter().collect()),
            last => begin = last,
        }
    }
    let mut lists = stream::iter(ranges(begin, &expected))
        .map(|one| range(cloud, bucket, one, &expected))
        .buffered(PAGES_AT_ONCE);
    while let Some(objects) = lists.try_next().await? {
        found.extend(objects);
    }
    Ok(found.into_iter().collect())
}

/// The keys of a bucket that begin with `prefix`, in order. A bucket that isn't there has none.
///
/// # Errors
/// It may not be listed.
pub(crate) async fn keys_below(cloud: &Cloud, bucket: &str, prefix: &str) -> Result<Vec<String>> {
    let pages = cloud.s3.list_objects_v2().bucket(bucket).prefix(prefix);
    let mut pages = pages.into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => keys.extend(
                page.contents
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|object| object.key),
            ),
            Err(error) if code(&error) == "NoSuchBucket" => return Ok(keys),
            Err(error) => return Err(explain(error, &format!("could not list the bucket {bucket}"))),
        }
    }
    Ok(keys)
}

/// A part of a bucket's objects.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    /// The key that it begins after; none if with the first.
    after: Option<Arc<str>>,
    /// Its last key, with how many objects a page of it is to have: S3 takes as long as it has, and what follows is another
    /// range's. None if it goes to the end.
    end: Option<(Arc<str>, usize)>,
}

/// What follows a key, or all, cut at expected keys, which are in order, into parts of about one size.
fn ranges(after: Option<Arc<str>>, expected: &[&Arc<str>]) -> Vec<Range> {
    let known = after
        .as_ref()
        .map_or(0, |after| expected.partition_point(|key| *key <= after));
    let following = &expected[known..];
    let pages = following.len().div_ceil(EXPECTED_A_PAGE).max(1);
    let mut ranges = Vec::with_capacity(pages);
    let (mut begin, mut from) = (after, 0);
    for page in 1..pages {
        let to = following.len() * page / pages;
        let (end, size) = (Arc::clone(following[to - 1]), (to - from) * A_PAGE / EXPECTED_A_PAGE);
        ranges.push(Range {
            after: begin.replace(Arc::clone(&end)),
            end: Some((end, size.min(A_PAGE))),
        });
        from = to;
    }
    ranges.push(Range {
        after: begin,
        end: None,
    });
    ranges
}

/// The objects of a range.
async fn range(cloud: &Cloud, bucket: &str, range: Range, expected: &[&Arc<str>]) -> Result<Vec<(Arc<str>, Etag)>> {
    let Range { mut after, end } = range;
    let size = end.as_ref().map(|(_, size)| *size);
    let mut found = Vec::new();
    loop {
        let page = page(cloud, bucket, after.as_deref(), size, expected).await?;
        // What follows its end is the next one's.
        let is_in = |key: &Arc<str>| end.as_ref().is_none_or(|(end, _)| key <= end);
        found.extend(page.objects.into_iter().filter(|(key, _)| is_in(key)));
        match page.more_after {
            // S3 lists keys in the order of their bytes, as strings are here.
            // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ListingKeysUsingAPIs.html>
            Some(last) if end.as_ref().is_none_or(|(end, _)| last < *end) => after = Some(last),
            Some(_) | None => return Ok(found),
        }
    }
}

/// A page of a bucket's objects.
struct Page {
    objects: Vec<(Arc<str>, Etag)>,
    /// The last of them, if there are more.
    more_after: Option<Arc<str>>,
}

/// The page after a key, with so many objects at most if not with as many as S3 gives.
async fn page(
    cloud: &Cloud,
    bucket: &str,
    after: Option<&str>,
    most: Option<usize>,
    expected: &[&Arc<str>],
) -> Result<Page> {
    let request = cloud
        .s3
        .list_objects_v2()
        .bucket(bucket)
        .set_start_after(after.map(str::to_owned))
        .set_max_keys(most.and_then(|most| i32::try_from(most).ok()));
    let failed = |error| explain(error, &format!("could not list the bucket {bucket}"));
    let read = ReadKeysOnly::default();
    let asked = request.clone().customize().interceptor(read.clone());
    asked.send().await.map_err(failed)?;
    let listed = match read.take() {
        Some(listed) => listed,
        None => Listed::from(request.send().await.map_err(failed)?),
    };
    let shared = |key: Box<str>| match expected.binary_search_by(|one| (***one).cmp(&*key)) {
        Ok(at) => Arc::clone(expected[at]),
        Err(_) => key.into(),
    };
    let objects = listed.objects.into_iter().map(|(key, etag)| (shared(key), etag));
    let objects: Vec<(Arc<str>, Etag)> = objects.collect();
    let last = objects.last().map(|(key, _)| Arc::clone(key));
    Ok(Page {
        more_after: last.filter(|_| listed.is_truncated),
        objects,
    })
}

/// Deletes the objects with these keys.
///
/// # Errors
/// One of them can't be deleted.
pub(crate) async fn delete_all(cloud: &Cloud, bucket: &str, keys: &[Arc<str>]) -> Result<()> {
    stream::iter(keys.chunks(DELETED_A_CALL))
        .map(|chunk| {
            let objects = chunk
                .iter()
                .filter_map(|key| ObjectIdentifier::builder().key(&**key).build().ok());
            delete(cloud, bucket, objects.collect())
        })
        .buffer_unordered(DELETIONS_AT_ONCE)
        .try_collect()
        .await
}

/// Deletes everything in a bucket, whatever the number of versions. Returns how many were deleted; a bucket that isn't
/// there has none.
///
/// # Errors
/// Something can't be deleted; the message has the first key and why.
pub(crate) async fn empty(cloud: &Cloud, bucket: &str) -> Result<usize> {
    let mut deleted = 0;
    for _ in 0..ROUNDS {
        match empty_once(cloud, bucket).await? {
            0 => return Ok(deleted),
            count => deleted += count,
        }
    }
    Err(Error::failed(format!("the bucket {bucket} doesn't stay empty"))
        .hint("Something writes into it. Stop that, then run the same command again."))
}

/// Deletes what is listed: while some of it goes, more is listed, which goes on by keys and so misses nothing.
async fn empty_once(cloud: &Cloud, bucket: &str) -> Result<usize> {
    let first = cloud.s3.list_object_versions().bucket(bucket);
    let pages = stream::try_unfold(Some(first), async |request| {
        let Some(request) = request else { return Ok(None) };
        let page = match request.clone().send().await {
            Ok(page) => page,
            Err(error) if code(&error) == "NoSuchBucket" => return Ok(None),
            Err(error) => return Err(explain(error, &format!("could not empty the bucket {bucket}"))),
        };
        let versions = page.versions().iter().map(|v| (v.key(), v.version_id()));
        let markers = page.delete_markers().iter().map(|m| (m.key(), m.version_id()));
        let objects: Vec<ObjectIdentifier> = versions
            .chain(markers)
            .filter_map(|(key, version)| {
                ObjectIdentifier::builder()
                    .set_key(key.map(str::to_owned))
                    .set_version_id(version.map(str::to_owned))
                    .build()
                    .ok()
            })
            .collect();
        let next = (page.is_truncated() == Some(true)).then(|| {
            request
                .set_key_marker(page.next_key_marker)
                .set_version_id_marker(page.next_version_id_marker)
        });
        Ok(Some((objects, next)))
    });
    // A page has at most 1,000 entries, which is also the most that one call deletes.
    let deletions = pages.map(async |objects| {
        let objects: Vec<ObjectIdentifier> = objects?;
        let count = objects.len();
        delete(cloud, bucket, objects).await.map(|()| count)
    });
    deletions
        .buffer_unordered(DELETIONS_AT_ONCE)
        .try_fold(0, async |sum, count| Ok(sum + count))
        .await
}

/// What S3 says of an object that it would delete at another time.
const FOR_NOW: [&str; 4] = ["SlowDown", "InternalError", "ServiceUnavailable", "OperationAborted"];

/// How long what S3 doesn't delete for now is asked for again.
const BUSY: Pace = Pace {
    first: Duration::from_millis(250),
    longest: Duration::from_secs(15),
    deadline: Duration::from_secs(60),
};

/// Deletes up to 1,000 objects in one call, and again those that S3 says to try later.
///
/// # Errors
/// S3 answers 200 even when it refuses some; the first of those becomes the error.
async fn delete(cloud: &Cloud, bucket: &str, mut objects: Vec<ObjectIdentifier>) -> Result<()> {
    let passes = |refused: &S3Error| refused.code().is_some_and(|code| FOR_NOW.contains(&code));
    let mut late = None;
    until(BUSY, async || {
        if objects.is_empty() {
            return Probe::Ready(());
        }
        let refused = match delete_once(cloud, bucket, &objects).await {
            Ok(refused) => refused,
            Err(error) => return Probe::Failed(error),
        };
        if let Some(lasting) = refused.iter().find(|one| !passes(one)) {
            let error = refusal(bucket, lasting, refused.len());
            return Probe::Failed(
                error.hint("The deploying identity needs s3:DeleteObject and s3:DeleteObjectVersion on it."),
            );
        }
        let Some(first) = refused.first() else {
            return Probe::Ready(());
        };
        late = Some(refusal(bucket, first, refused.len()));
        // With the versions that were asked for: one of which none is told would be hidden, and stay.
        objects.retain(|object| refused.iter().any(|one| is_about(one, object)));
        Probe::Pending
    })
    .await
    .in_time(|| {
        let error = late.unwrap_or_else(|| Error::failed(format!("could not empty the bucket {bucket}")));
        error.hint("S3 is busy. Run the same command again; it goes on from here.")
    })
}

fn is_about(refused: &S3Error, object: &ObjectIdentifier) -> bool {
    let is_version = refused
        .version_id()
        .is_none_or(|version| object.version_id() == Some(version));
    refused.key() == Some(object.key()) && is_version
}

fn refusal(bucket: &str, first: &S3Error, count: usize) -> Error {
    Error::failed(format!("S3 refuses to delete {count} of the objects in {bucket}")).cause(format!(
        "{}: {} {}",
        first.key().unwrap_or_default(),
        first.code().unwrap_or_default(),
        first.message().unwrap_or_default()
    ))
}

/// One such call. Returns what S3 didn't delete, with why.
async fn delete_once(cloud: &Cloud, bucket: &str, objects: &[ObjectIdentifier]) -> Result<Vec<S3Error>> {
    let request = Delete::builder()
        .set_objects(Some(objects.to_vec()))
        .quiet(true)
        .build()
        .map_err(|error| Error::failed("could not build a deletion").cause(error))?;
    let answer = cloud
        .s3
        .delete_objects()
        .bucket(bucket)
        .delete(request)
        .send()
        .await
        .map_err(|error| explain(error, &format!("could not delete from the bucket {bucket}")))?;
    Ok(answer.errors.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: usize) -> Vec<Arc<str>> {
        (0..count).map(|number| format!("{number:05}").into()).collect()
    }

    #[test]
    fn ranges_have_all_that_follows_a_key() {
        let keys = keys(4 * EXPECTED_A_PAGE);
        let expected: Vec<&Arc<str>> = keys.iter().collect();
        let half = EXPECTED_A_PAGE / 2;
        for begin in [None, Some(&keys[half])] {
            let cut = ranges(begin.cloned(), &expected);
            assert_eq!((cut.len(), cut[0].after.as_ref()), (4, begin));
            assert_eq!(cut[3].end, None);
            for (one, next) in cut.iter().zip(&cut[1..]) {
                let (end, size) = one.end.as_ref().expect("an end");
                assert_eq!(Some(end), next.after.as_ref());
                assert!((EXPECTED_A_PAGE..=A_PAGE).contains(size) || begin.is_some(), "{size}");
            }
        }
        let all = |after: Option<&str>| Range {
            after: after.map(Arc::from),
            end: None,
        };
        assert_eq!(ranges(Some("z".into()), &expected), [all(Some("z"))]);
        assert_eq!(ranges(None, &[]), [all(None)]);
        assert_eq!(ranges(None, &expected[..EXPECTED_A_PAGE]), [all(None)]);
        let halves = ranges(None, &expected[..EXPECTED_A_PAGE + 2]);
        assert_eq!(halves[0].end, Some((Arc::clone(&keys[half]), A_PAGE / 2 + 1)));
    }

    #[test]
    fn an_etag_is_written_as_it_was_read() {
        let sum = Sum::of("hello");
        let md5 = sum.to_string();
        for (text, is_of) in [
            (md5.clone(), true),
            (md5.to_uppercase(), false),
            (format!("{md5}-2"), false),
            ("".to_owned(), false),
            ("ü".repeat(16), false),
        ] {
            let etag = Etag::from(format!("\"{text}\"").as_str());
            assert_eq!((etag.to_string(), etag.is_of(&sum)), (text, is_of));
        }
        assert_eq!(size_of::<Etag>(), 24);
    }

    #[test]
    fn a_listing_is_in_order_and_has_each_key_once() {
        let etag = || Etag::from("e");
        let listed: Listing = ["b", "a", "c", "b"]
            .map(|key| (key.into(), etag()))
            .into_iter()
            .collect();
        let keys: Vec<&str> = listed.iter().map(|(key, _)| &**key).collect();
        assert_eq!(keys, ["a", "b", "c"]);
        assert_eq!((listed.get("b"), listed.get("d")), (Some(&etag()), None));
    }
}
