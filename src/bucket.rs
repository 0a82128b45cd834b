//! Listing and emptying buckets: every version and every delete marker has to go before AWS deletes one.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use crate::cloud::Cloud;
use crate::cloud::sdk_error::{code, explain};
use crate::error::{Error, Result};

/// How often a bucket is looked at anew: something may write into it while it is emptied.
const ROUNDS: usize = 5;

/// The objects of a bucket: their keys with their ETags, without the quotes.
pub type Listing = BTreeMap<String, String>;

/// Lists the newest version of every object.
///
/// # Errors
/// It may not be listed.
pub async fn list(cloud: &Cloud, bucket: &str) -> Result<Listing> {
    let mut pages = cloud.s3.list_objects_v2().bucket(bucket).into_paginator().send();
    let mut found = Listing::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| explain(&error, &format!("could not list the bucket {bucket}")))?;
        for object in page.contents.unwrap_or_default() {
            let etag = object.e_tag.unwrap_or_default().trim_matches('"').to_owned();
            found.insert(object.key.unwrap_or_default(), etag);
        }
    }
    Ok(found)
}

/// Deletes everything in a bucket, whatever the number of versions. Returns how many were deleted; a bucket that isn't
/// there has none.
///
/// # Errors
/// Something can't be deleted; the message has the first key and why.
pub async fn empty(cloud: &Cloud, bucket: &str) -> Result<usize> {
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
            Err(error) => return Err(explain(&error, &what())),
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
pub async fn delete(cloud: &Cloud, bucket: &str, objects: Vec<ObjectIdentifier>) -> Result<()> {
    if objects.is_empty() {
        return Ok(());
    }
    let request = Delete::builder()
        .set_objects(Some(objects))
        .quiet(true)
        .build()
        .map_err(|error| Error::failed("could not build a deletion").because(error))?;
    let answer = cloud
        .s3
        .delete_objects()
        .bucket(bucket)
        .delete(request)
        .send()
        .await
        .map_err(|error| explain(&error, &format!("could not delete from the bucket {bucket}")))?;
    match answer.errors().first() {
        None => Ok(()),
        Some(refused) => Err(Error::failed(format!(
            "S3 refuses to delete {} of the objects in {bucket}",
            answer.errors().len()
        ))
        .because(format!(
            "{}: {} {}",
            refused.key().unwrap_or_default(),
            refused.code().unwrap_or_default(),
            refused.message().unwrap_or_default()
        ))
        .hint("The deploying identity needs s3:DeleteObject and s3:DeleteObjectVersion on it.")),
    }
}
