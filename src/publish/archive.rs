//! What a publication takes out of the site's bucket is kept by its content in the artifacts bucket, for releases that have
//! it. S3 copies it by itself: nothing is sent twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Destination;
use crate::bucket::Etag;
use crate::cloud::Cloud;
use crate::cloud::sdk_error::{code, explain, found};
use crate::error::Result;

/// Where contents are kept: the rest of a key is the content's sum.
pub(crate) const CONTENTS: &str = "releases/content/";

/// How many are copied at once.
const AT_ONCE: usize = 32;

/// What a copy's source may have as it is.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
const IN_SOURCE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Keeps what is about to go: objects by their keys, with their ETags and what their sums are in writing. What is kept
/// already, or gone or another meanwhile, isn't copied.
///
/// # Errors
/// S3 doesn't copy one.
pub(super) async fn keep(cloud: &Cloud, place: &Destination, objects: &[(Arc<str>, Etag, String)]) -> Result<()> {
    let mut seen = BTreeSet::new();
    let distinct = objects.iter().filter(|(.., sum)| seen.insert(sum));
    stream::iter(distinct)
        .map(|(key, etag, sum)| copy(cloud, place, key, etag, sum))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn copy(cloud: &Cloud, place: &Destination, key: &str, etag: &Etag, sum: &str) -> Result<()> {
    let kept = format!("{CONTENTS}{sum}");
    let look = cloud.s3.head_object().bucket(&place.artifacts).key(&kept).send().await;
    let what = || format!("could not look into the bucket {}", place.artifacts);
    if found(look, |error| error.is_not_found(), what)?.is_some() {
        return Ok(());
    }
    let copied = cloud
        .s3
        .copy_object()
        .bucket(&place.artifacts)
        .key(&kept)
        .copy_source(format!("{}/{}", place.bucket, utf8_percent_encode(key, IN_SOURCE)))
        .copy_source_if_match(format!("\"{etag}\""))
        .send()
        .await;
    match copied {
        Ok(_) => Ok(()),
        // Somebody else has changed it; or it has more than the 5 GiB that S3 copies at once, and a release that wants it
        // says that it isn't there any more.
        Err(error) if matches!(code(&error), "NoSuchKey" | "PreconditionFailed" | "InvalidRequest") => Ok(()),
        Err(error) => Err(explain(
            error,
            &format!("could not keep {key} of {} for earlier releases", place.bucket),
        )),
    }
}

/// Forgets contents that were to go at once: no release gets them back.
///
/// # Errors
/// S3 doesn't delete one.
pub(super) async fn forget(cloud: &Cloud, place: &Destination, sums: &[String]) -> Result<()> {
    let keys: Vec<Arc<str>> = sums.iter().map(|sum| format!("{CONTENTS}{sum}").into()).collect();
    crate::bucket::delete_all(cloud, &place.artifacts, &keys).await
}
