//! Listing and emptying buckets: every version and every delete marker has to go before AWS deletes one.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::cloud::Cloud;
use crate::cloud::sdk_error::{code, explain};
use crate::error::{Error, Result};

/// How often a bucket is looked at anew: something may write into it while it is emptied.
const ROUNDS: usize = 5;

/// The objects of a bucket: their keys with their ETags, without the quotes.
pub(crate) type Listing = BTreeMap<String, String>;

/// Up to so many objects of those that a bucket is expected to have are listed by one request. S3 gives 1,000 a page; the
/// rest is for what isn't expected.
const EXPECTED_A_PAGE: usize = 900;

/// So many pages are asked for at once.
const PAGES_AT_ONCE: usize = 16;

/// Lists the newest version of every object. A page takes S3 some 50 ms and tells only where the next one begins. Where a
/// bucket needs more than one, the others begin at keys that are `expected`, all at once; any others are found as well.
///
/// # Errors
/// It may not be listed.
pub(crate) async fn list<'a>(
    cloud: &Cloud,
    bucket: &str,
    expected: impl IntoIterator<Item = &'a str>,
) -> Result<Listing> {
    let first = page(cloud, bucket, None).await?;
    let mut found: Listing = first.objects.into_iter().collect();
    if let Some(last) = first.more_after {
        let ranges: Vec<(String, Option<String>)> = ranges(last, expected);
        let mut lists = stream::iter(ranges)
            .map(|(after, end)| range(cloud, bucket, after, end))
            .buffer_unordered(PAGES_AT_ONCE);
        while let Some(objects) = lists.try_next().await? {
            found.extend(objects);
        }
    }
    Ok(found)
}

/// What follows the key `after`, cut at expected keys: the key that each range begins after, and its last; the last
/// range has no end.
fn ranges<'a>(after: String, expected: impl IntoIterator<Item = &'a str>) -> Vec<(String, Option<String>)> {
    let mut keys: Vec<&str> = expected.into_iter().filter(|key| *key > after.as_str()).collect();
    keys.sort_unstable();
    let mut ranges = Vec::new();
    let mut begin = after;
    for end in keys.chunks_exact(EXPECTED_A_PAGE).map(|page| page[EXPECTED_A_PAGE - 1]) {
        ranges.push((std::mem::replace(&mut begin, end.to_owned()), Some(end.to_owned())));
    }
    ranges.push((begin, None));
    ranges
}

/// The objects after one key and up to another.
async fn range(cloud: &Cloud, bucket: &str, mut after: String, end: Option<String>) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    loop {
        let page = page(cloud, bucket, Some(&after)).await?;
        found.extend(page.objects);
        match page.more_after {
            // S3 lists keys in the order of their bytes, as strings are here.
            // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ListingKeysUsingAPIs.html>
            Some(last) if end.as_ref().is_none_or(|end| last < *end) => after = last,
            Some(_) | None => return Ok(found),
        }
    }
}

/// A page of a bucket's objects.
struct Page {
    objects: Vec<(String, String)>,
    /// The last of them, if there are more.
    more_after: Option<String>,
}

async fn page(cloud: &Cloud, bucket: &str, after: Option<&str>) -> Result<Page> {
    let page = cloud
        .s3
        .list_objects_v2()
        .bucket(bucket)
        .set_start_after(after.map(str::to_owned))
        .send()
        .await
        .map_err(|error| explain(error, &format!("could not list the bucket {bucket}")))?;
    let objects: Vec<(String, String)> = page
        .contents
        .unwrap_or_default()
        .into_iter()
        .map(|object| {
            let etag = object.e_tag.unwrap_or_default().trim_matches('"').to_owned();
            (object.key.unwrap_or_default(), etag)
        })
        .collect();
    let last = objects.last().map(|(key, _)| key.clone());
    Ok(Page {
        more_after: last.filter(|_| page.is_truncated == Some(true)),
        objects,
    })
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

async fn empty_once(cloud: &Cloud, bucket: &str) -> Result<usize> {
    let what = || format!("could not empty the bucket {bucket}");
    let mut deleted = 0;
    let mut pages = cloud.s3.list_object_versions().bucket(bucket);
    loop {
        let page = match pages.clone().send().await {
            Ok(page) => page,
            Err(error) if code(&error) == "NoSuchBucket" => return Ok(deleted),
            Err(error) => return Err(explain(error, &what())),
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
        deleted += objects.len();
        // A page has at most 1,000 entries, which is also the most that one call deletes.
        delete(cloud, bucket, objects).await?;
        if page.is_truncated() != Some(true) {
            return Ok(deleted);
        }
        pages = pages
            .set_key_marker(page.next_key_marker)
            .set_version_id_marker(page.next_version_id_marker);
    }
}

/// Deletes up to 1,000 objects in one call.
///
/// # Errors
/// S3 answers 200 even when it refuses some; the first of those becomes the error.
pub(crate) async fn delete(cloud: &Cloud, bucket: &str, objects: Vec<ObjectIdentifier>) -> Result<()> {
    if objects.is_empty() {
        return Ok(());
    }
    let request = Delete::builder()
        .set_objects(Some(objects))
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
    match answer.errors().first() {
        None => Ok(()),
        Some(refused) => Err(Error::failed(format!(
            "S3 refuses to delete {} of the objects in {bucket}",
            answer.errors().len()
        ))
        .cause(format!(
            "{}: {} {}",
            refused.key().unwrap_or_default(),
            refused.code().unwrap_or_default(),
            refused.message().unwrap_or_default()
        ))
        .hint("The deploying identity needs s3:DeleteObject and s3:DeleteObjectVersion on it.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_all_that_follows_a_key() {
        let keys: Vec<String> = (0..4 * EXPECTED_A_PAGE).map(|number| format!("{number:05}")).collect();
        // In any order.
        let expected = || keys.iter().rev().map(String::as_str);
        let after = &keys[EXPECTED_A_PAGE / 2];
        let cut = ranges(after.clone(), expected());
        assert_eq!(cut.len(), 4);
        assert_eq!((&cut[0].0, cut[3].1.as_ref()), (after, None));
        for (one, next) in cut.iter().zip(&cut[1..]) {
            assert_eq!(one.1.as_ref(), Some(&next.0));
        }
        assert_eq!(cut[0].1.as_ref(), Some(&keys[EXPECTED_A_PAGE / 2 + EXPECTED_A_PAGE]));
        assert_eq!(ranges("z".to_owned(), expected()), [("z".to_owned(), None)]);
    }
}
