//! Publishing the site: making the bucket that CloudFront serves hold it, so that nobody ever gets half of it.
//!
//! Only differences are sent ([`plan`]): first what pages refer to, under names that have its hash and so disturb
//! nobody, then the pages. What is gone goes last, assets only some publications later: whoever opened a page before
//! still gets what belongs to it. What the bucket can't tell is in the [`ledger`], which also keeps two publications at
//! once apart.

mod contents;
mod invalidation;
mod ledger;
mod plan;
mod progress;
mod upload;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use aws_sdk_s3::types::ObjectIdentifier;
use indicatif::HumanBytes;

use crate::bucket::{self, Listing};
use crate::cloud::Cloud;
use crate::error::{Error, ErrorKind, Result};
use crate::report::{Reporter, counted};
use crate::site::{Object, Site};
use crate::wait::{Probe, until};
pub(crate) use contents::Contents;
use ledger::Lease;
use plan::{EVERYTHING, Plan};
use progress::{Progress, rate};
use upload::Uploader;

/// Where a site is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    /// The bucket that CloudFront serves.
    pub bucket: String,
    /// The distribution in front of it.
    pub distribution: String,
    /// The bucket that has the ledger.
    pub artifacts: String,
}

/// What publishing did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Published {
    /// Objects that the bucket didn't have.
    pub new: usize,
    /// Objects that it had with other content or headers.
    pub changed: usize,
    /// Objects that it had.
    pub unchanged: usize,
    /// Objects that the site no longer has.
    pub removed: usize,
    /// Assets that only earlier pages refer to, and that stay a while.
    pub kept: usize,
    /// Paths that CloudFront was told to forget.
    pub invalidated: Vec<String>,
    /// How many bytes were sent.
    pub bytes: u64,
    /// How long that took.
    pub took: Duration,
    /// The keys of what was sent.
    pub sent: BTreeSet<String>,
    /// What the bucket has, if nothing was to be done.
    pub there: Option<There>,
}

/// What a site's bucket has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct There {
    /// The objects.
    pub listing: Listing,
    /// What those hold whose ETag doesn't tell it.
    pub contents: Contents,
}

/// What the objects of a site hold whose ETag doesn't tell it, from the ledger in the bucket `artifacts`.
///
/// # Errors
/// It can't be read.
pub(crate) async fn contents(cloud: &Cloud, artifacts: &str) -> Result<Contents> {
    Ok(ledger::read(cloud, artifacts).await?.ledger.contents)
}

impl Published {
    /// Whether anything was written.
    pub(crate) fn did_something(&self) -> bool {
        self.new + self.changed + self.removed + self.invalidated.len() > 0
    }

    /// "2 new, 1 changed, 3 unchanged".
    pub(crate) fn describe(&self) -> String {
        // There always are some: the API's address at least.
        let counts = counted(&[
            (self.new, "new"),
            (self.changed, "changed"),
            (self.unchanged, "unchanged"),
            (self.removed, "removed"),
            (self.kept, "kept for earlier pages"),
        ]);
        let invalidated = match self.invalidated.as_slice() {
            [] => String::new(),
            [all] if all == EVERYTHING => ", all paths invalidated".to_owned(),
            [_] => ", 1 path invalidated".to_owned(),
            paths => format!(", {} paths invalidated", paths.len()),
        };
        let sent = match self.bytes {
            0 => String::new(),
            bytes => format!("; {} sent, {}/s", HumanBytes(bytes), rate(bytes, self.took)),
        };
        format!("files: {counts}{invalidated}{sent}")
    }
}

/// How long another publication is waited for that goes on and on.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Makes the bucket hold the site and, if there is something to tell pages, the object `config_file` with it; and CloudFront
/// forget what changed; with `wait`, until it has.
///
/// # Errors
/// A file was changed meanwhile, or a call fails. Nothing is removed before everything else has succeeded, and the next
/// run does what is left.
pub(crate) async fn publish(
    cloud: &Cloud,
    site: &Site,
    place: &Destination,
    (config_file, config): (&str, &BTreeMap<String, String>),
    wait: bool,
    reporter: &Reporter,
) -> Result<Published> {
    let config = (!config.is_empty()).then(|| Object::config(config_file, config));
    let others = site
        .objects()
        .iter()
        .filter(|object| config.is_none() || &*object.key != config_file);
    let objects: Vec<Object> = others.chain(&config).cloned().collect();
    let (plan, mut lease) = match begin(cloud, place, &objects, config_file, reporter).await? {
        Begun::Nothing(published) => return Ok(published),
        Begun::Work(work) => *work,
    };
    let started = Instant::now();
    let total = plan.waves.iter().map(Vec::len).sum();
    let progress = Progress::new(reporter, total, plan.outcome.bytes);
    let uploader = Uploader::new(cloud, &place.bucket, site, progress);
    let work = carry_out(cloud, &plan, &uploader, place);
    let invalidation = match lease.hold(work, || uploader.sent()).await {
        Ok(invalidation) => invalidation,
        Err(error) => {
            // The next run finds out by itself what is left. That nobody waits for this one, and that what was sent is
            // known, is only a kindness.
            let _ = lease.give_back(|ledger| ledger.contents.extend(&uploader.sent())).await;
            return Err(error);
        }
    };
    let took = started.elapsed();
    let (done, outcome) = (plan.done, plan.outcome);
    let sent = uploader.sent();
    lease
        .give_back(|ledger| {
            *ledger = done;
            ledger.contents.extend(&sent);
        })
        .await?;
    if let Some(id) = invalidation.filter(|_| wait) {
        invalidation::finish(cloud, &place.distribution, &id, reporter).await?;
    }
    let sent = plan.waves.iter().flatten();
    let sent = sent.map(|object| object.key.to_string()).collect();
    Ok(Published { took, sent, ..outcome })
}

enum Begun<'a> {
    Nothing(Published),
    Work(Box<(Plan<'a>, Lease<'a>)>),
}

/// Finds out what there is to do, and gets the right to do it.
async fn begin<'a>(
    cloud: &'a Cloud,
    place: &'a Destination,
    objects: &'a [Object],
    config_file: &str,
    reporter: &Reporter,
) -> Result<Begun<'a>> {
    let mut abandoned = None;
    loop {
        let (there, before) = tokio::try_join!(
            bucket::list(cloud, &place.bucket, objects.iter().map(|object| &*object.key)),
            ledger::read(cloud, &place.artifacts)
        )?;
        if let Some(other) = before.busy()
            && before.etag != abandoned
        {
            abandoned = wait_for(cloud, place, &other, reporter).await?;
            // What it did meanwhile isn't in the listing.
            continue;
        }
        let plan = plan::plan(objects, config_file, &there, &before.ledger);
        if plan.is_empty(&before.ledger) {
            let outcome = plan.outcome;
            return Ok(Begun::Nothing(Published {
                there: Some(There {
                    listing: there,
                    contents: before.ledger.contents,
                }),
                ..outcome
            }));
        }
        if let Some(lease) = Lease::take(cloud, &place.artifacts, &before, plan.begun.clone()).await? {
            return Ok(Begun::Work(Box::new((plan, lease))));
        }
    }
}

/// Waits until nobody publishes. Returns the version of the ledger that was abandoned by whoever did, if that is so.
async fn wait_for(cloud: &Cloud, place: &Destination, other: &str, reporter: &Reporter) -> Result<Option<String>> {
    let mut last: (Option<String>, Instant) = (None, Instant::now());
    until(cloud.pace(PATIENCE), async || {
        reporter.working("site", format!("waiting for another publication ({other})"));
        match ledger::read(cloud, &place.artifacts).await {
            Err(error) => Probe::Failed(error),
            Ok(version) if version.busy().is_none() => Probe::Ready(None),
            Ok(version) if version.etag == last.0 && last.1.elapsed() > version.lease() => Probe::Ready(version.etag),
            Ok(version) => {
                if version.etag != last.0 {
                    last = (version.etag, Instant::now());
                }
                Probe::Pending
            }
        }
    })
    .await
    .in_time(|| {
        Error::new(ErrorKind::TimedOut, format!("another publication doesn't end: {other}"))
            .hint("Stop it, then run `deployer up --only site`.")
    })
}

/// Does what was planned. Returns the id of the invalidation, if there was one.
async fn carry_out(
    cloud: &Cloud,
    plan: &Plan<'_>,
    uploader: &Uploader<'_>,
    place: &Destination,
) -> Result<Option<String>> {
    for wave in &plan.waves {
        uploader.send_all(wave).await?;
    }
    for chunk in plan.remove.chunks(1000) {
        let objects = chunk
            .iter()
            .filter_map(|key| ObjectIdentifier::builder().key(key).build().ok())
            .collect();
        bucket::delete(cloud, &place.bucket, objects).await?;
    }
    match &plan.begun.outdated {
        None => Ok(None),
        Some(outdated) => invalidation::begin(cloud, &place.distribution, outdated)
            .await
            .map(Some),
    }
}
