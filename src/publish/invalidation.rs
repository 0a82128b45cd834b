//! Making CloudFront forget what has changed.

use std::time::Duration;

use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};

use super::ledger::Outdated;
use crate::cloud::Cloud;
use crate::cloud::sdk_error::{code, explain};
use crate::error::{Error, ErrorKind, OrFail, Result};
use crate::report::Reporter;
use crate::wait::{Probe, until};

/// How long other invalidations are waited for: CloudFront takes 15 with wildcards, and 3,000 paths, at a time.
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/InvalidationLimits.html>
const PATIENCE: Duration = Duration::from_secs(300);

/// How long CloudFront may take to forget.
const LONGEST: Duration = Duration::from_secs(900);

/// Asks for it, once however often it is asked. Returns the invalidation's id.
pub(super) async fn begin(cloud: &Cloud, distribution: &str, outdated: &Outdated) -> Result<String> {
    let what = || format!("could not invalidate {} paths of {distribution}", outdated.paths.len());
    let batch = Paths::builder()
        .quantity(i32::try_from(outdated.paths.len()).or_fail(what)?)
        .set_items(Some(outdated.paths.clone()))
        .build()
        .and_then(|paths| {
            InvalidationBatch::builder()
                .paths(paths)
                .caller_reference(&outdated.reference)
                .build()
        })
        .or_fail(what)?;
    until(cloud.pace(PATIENCE), async || {
        let request = cloud.cloudfront.create_invalidation().distribution_id(distribution);
        match request.invalidation_batch(batch.clone()).send().await {
            Ok(answer) => Probe::Ready(answer.invalidation.map(|made| made.id).unwrap_or_default()),
            Err(error) if code(&error) == "TooManyInvalidationsInProgress" => Probe::Pending,
            Err(error) => Probe::Failed(explain(error, &what())),
        }
    })
    .await
    .in_time(|| {
        Error::new(ErrorKind::TimedOut, what())
            .cause("others have been under way for 5 minutes")
            .hint("The site is published. Run `deployer up --only site` later: it begins with this.")
    })
}

/// Waits until it is done at every edge.
pub(super) async fn finish(cloud: &Cloud, distribution: &str, id: &str, reporter: &Reporter) -> Result<()> {
    until(cloud.pace(LONGEST), async || {
        reporter.working("site", "waiting until CloudFront has forgotten what changed");
        let request = cloud.cloudfront.get_invalidation().distribution_id(distribution).id(id);
        match request.send().await {
            Ok(answer) => match answer.invalidation() {
                Some(invalidation) if invalidation.status() == "Completed" => Probe::Ready(()),
                _ => Probe::Pending,
            },
            Err(error) => Probe::Failed(explain(error, &format!("could not look at the invalidation {id}"))),
        }
    })
    .await
    .in_time(|| {
        Error::new(
            ErrorKind::TimedOut,
            format!("CloudFront hasn't finished the invalidation {id} after 15 minutes"),
        )
        .hint("The site is published. `deployer verify --only site` tells when everybody gets it.")
    })
}
