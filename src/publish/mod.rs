//! Publishing the site: making the bucket that CloudFront serves hold it, so that nobody ever gets half of it.
//!
//! Only differences are sent ([`plan`]): first what pages refer to, under names that have its hash and so disturb
//! nobody, then the pages. Pages that are gone go last, and what they load a good while later: whoever opened one before
//! still gets what belongs to it. What the bucket can't tell is in the [`ledger`], which also keeps two publications at
//! once apart. How much would go is told before anything is changed ([`survey`]).

mod archive;
mod contents;
mod difference;
mod invalidation;
mod ledger;
mod loss;
mod plan;
mod progress;
mod purge;
mod sent;
mod upload;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use indicatif::HumanBytes;

use crate::bucket::{self, Listing};
use crate::cloud::Cloud;
use crate::error::{Error, ErrorKind, Result};
use crate::lease::Watched;
use crate::project::stacks::CODE_BUCKET;
use crate::project::{DISTRIBUTION_ID, SITE_BUCKET};
use crate::report::{Reporter, counted};
use crate::site::settings::Settings;
use crate::site::{Object, Site};
use crate::stack::read::Stack;
use crate::wait::{Probe, until};
pub(crate) use archive::CONTENTS;
pub(crate) use contents::Contents;
pub(crate) use difference::{SiteDifference, difference};
use ledger::{Lease, Version};
pub(crate) use loss::Loss;
use plan::{EVERYTHING, Keeping, Plan, Wanted};
use progress::{Progress, rate};
pub(crate) use purge::Purge;
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

impl Destination {
    /// That which the site's stack and the one with the artifacts make.
    ///
    /// # Errors
    /// One of them lacks an output.
    pub(crate) fn of(site: &Stack, artifacts: &Stack) -> Result<Self> {
        Ok(Self {
            bucket: site.output(SITE_BUCKET)?,
            distribution: site.output(DISTRIBUTION_ID)?,
            artifacts: artifacts.output(CODE_BUCKET)?,
        })
    }
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
    /// Objects that only earlier pages load, and that stay a while.
    pub kept: usize,
    /// Paths that CloudFront was told to forget.
    pub invalidated: Vec<String>,
    /// How many bytes were sent.
    pub bytes: u64,
    /// How long that took.
    pub took: Duration,
    /// The keys of what was sent.
    pub sent: BTreeSet<Arc<str>>,
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

/// What is to be published.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Publication<'a> {
    /// The folder as it was read.
    pub site: &'a Site,
    /// How its stage wants it.
    pub settings: &'a Settings,
    /// What of that which it no longer has goes at once.
    pub purge: &'a Purge,
    /// Whether to wait until CloudFront has forgotten what changed.
    pub wait: bool,
}

/// What a site's bucket and ledger have, read before anything is changed.
#[derive(Debug)]
pub(crate) struct Survey {
    place: Destination,
    there: Listing,
    before: Version,
    /// Nothing that this run has done can have changed it.
    is_current: bool,
    /// Whoever publishes knows what the site would lose.
    is_told: bool,
}

/// Reads it.
///
/// # Errors
/// The bucket may not be listed, or the ledger can't be read.
pub(crate) async fn survey(cloud: &Cloud, place: Destination, site: &Site) -> Result<Survey> {
    let keys = site.objects().iter().map(|object| &object.key);
    let (there, before) = tokio::try_join!(
        bucket::list(cloud, &place.bucket, keys),
        ledger::read(cloud, &place.artifacts)
    )?;
    Ok(Survey {
        place,
        there,
        before,
        is_current: true,
        is_told: false,
    })
}

impl Survey {
    /// The same, if the bucket may have been changed meanwhile: it is listed anew.
    pub(crate) fn before_a_change(self) -> Self {
        Self {
            is_current: false,
            ..self
        }
    }

    /// The same, once what the site would lose was asked about: nobody is asked twice.
    pub(crate) fn told(self) -> Self {
        Self { is_told: true, ..self }
    }

    /// The site's bucket.
    pub(crate) fn bucket(&self) -> &str {
        &self.place.bucket
    }

    /// What the site would lose, if that is more than may go without a question; with `told`, pages are told what is
    /// deployed. Of a bucket that is just being published to nothing is said: that is looked at afterwards.
    pub(crate) fn loss(&self, publication: &Publication<'_>, told: bool) -> Option<Loss> {
        let Publication { site, settings, .. } = publication;
        let mut keys: Vec<&str> = site.objects().iter().map(|object| &*object.key).collect();
        keys.extend(told.then_some(&*settings.config_file));
        keys.sort_unstable();
        let is_quiet = self.before.busy().is_none();
        let loss = || {
            loss::loss(
                keys.into_iter(),
                &self.there,
                &self.before.ledger,
                &settings.config_file,
                settings.max_delete,
            )
        };
        is_quiet.then(loss).flatten()
    }
}

impl Loss {
    /// What is asked before the site of a bucket loses so much, where pages or tables may go as well.
    pub(crate) fn question(&self, bucket: &str) -> String {
        format!("the site in {bucket} would lose {self}: is site/ the right folder?")
    }

    /// What a no has left, `so_far` being what is so then.
    pub(crate) fn otherwise(&self, so_far: &str) -> String {
        format!(
            "{so_far} If site/ is all of the site, `maxDelete: {}` in stacks/stages.yaml lets as much go.",
            self.gone
        )
    }
}

/// What is about to be done, where a site would lose much.
pub(crate) const REPLACING: &str = "publish a site that lacks much of what is published";

/// Makes the bucket hold the site and, if there is something to tell pages, `config` with it; and CloudFront forget what
/// changed. What was found there `before` is believed, unless somebody has published since.
///
/// # Errors
/// A file was changed meanwhile, or a call fails. Nothing is removed before everything else has succeeded, and the next
/// run does what is left.
pub(crate) async fn publish(
    cloud: &Cloud,
    publication: &Publication<'_>,
    place: &Destination,
    config: Option<&Object>,
    before: Option<Survey>,
    reporter: &Reporter,
) -> Result<Published> {
    let wanted = Wanted::new(publication.site.objects(), &publication.settings.config_file, config);
    let (plan, mut lease) = match begin(cloud, place, publication, &wanted, before, reporter).await? {
        Begun::Nothing(published) => return Ok(published),
        Begun::Work(work) => *work,
    };
    let started = Instant::now();
    let total = plan.waves.iter().map(Vec::len).sum();
    let progress = Progress::new(reporter, total, plan.outcome.bytes);
    let uploader = Uploader::new(cloud, &place.bucket, publication.site, progress);
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
    lease
        .give_back(|ledger| {
            plan.done(ledger);
            ledger.contents.extend(&uploader.sent());
        })
        .await?;
    if let Some(id) = invalidation.filter(|_| publication.wait) {
        invalidation::finish(cloud, &place.distribution, &id, reporter).await?;
    }
    let Plan { waves, outcome, .. } = plan;
    let sent = waves
        .into_iter()
        .flatten()
        .map(|object| Arc::clone(&object.key))
        .collect();
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
    publication: &Publication<'_>,
    wanted: &Wanted<'a>,
    before: Option<Survey>,
    reporter: &Reporter,
) -> Result<Begun<'a>> {
    let mut abandoned = None;
    let is_of_now = |survey: &Survey| survey.place == *place && survey.before.busy().is_none();
    let surveyed = before.filter(is_of_now);
    let told = surveyed.as_ref().filter(|survey| survey.is_told);
    let told = told.map(|survey| survey.before.etag.clone());
    let mut surveyed = surveyed.filter(|survey| survey.is_current);
    loop {
        let (there, before) = match surveyed.take() {
            Some(survey) => (survey.there, survey.before),
            None => {
                let listing = bucket::list(cloud, &place.bucket, wanted.keys());
                let (there, before) = tokio::try_join!(listing, ledger::read(cloud, &place.artifacts))?;
                if let Some(other) = before.busy()
                    && before.etag != abandoned
                {
                    abandoned = wait_for(cloud, place, &other, reporter).await?;
                    // What it did meanwhile isn't in the listing.
                    continue;
                }
                (there, before)
            }
        };
        if told.as_ref() != Some(&before.etag) {
            confirm(publication, place, wanted, &there, &before, reporter).await?;
        }
        let keeping = Keeping {
            keep_for: publication.settings.keep_for,
            now: now(),
            written: before.written,
            purge: publication.purge,
        };
        let plan = plan::plan(wanted, &there, &before.ledger, &keeping);
        if plan.is_empty(&before.ledger) {
            warn(&plan, reporter);
            return Ok(Begun::Nothing(Published {
                there: Some(There {
                    listing: there,
                    contents: before.ledger.contents,
                }),
                ..plan.outcome
            }));
        }
        if let Some(lease) = Lease::take(cloud, &place.artifacts, &before, plan.begun.clone()).await? {
            warn(&plan, reporter);
            return Ok(Begun::Work(Box::new((plan, lease))));
        }
    }
}

/// Asks whether the site is to lose as much as it would.
async fn confirm(
    publication: &Publication<'_>,
    place: &Destination,
    wanted: &Wanted<'_>,
    there: &Listing,
    before: &Version,
    reporter: &Reporter,
) -> Result<()> {
    let keys = wanted.keys().map(|key| &**key);
    let most = publication.settings.max_delete;
    if let Some(loss) = loss::loss(keys, there, &before.ledger, wanted.config(), most) {
        let otherwise = loss.otherwise("The site wasn't changed; what was done beside it stays.");
        let question = [loss.question(&place.bucket)];
        reporter.confirm(REPLACING, &question, &otherwise).await?;
    }
    Ok(())
}

fn warn(plan: &Plan<'_>, reporter: &Reporter) {
    for remark in &plan.remarks {
        reporter.warn(remark.clone());
    }
}

/// In seconds since 1970, by this machine's clock.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Waits until nobody publishes. Returns the version of the ledger that was abandoned by whoever did, if that is so.
async fn wait_for(cloud: &Cloud, place: &Destination, other: &str, reporter: &Reporter) -> Result<Option<String>> {
    let mut watched = Watched::default();
    until(cloud.pace(PATIENCE), async || {
        reporter.working("site", format!("waiting for another publication ({other})"));
        match ledger::read(cloud, &place.artifacts).await {
            Err(error) => Probe::Failed(error),
            Ok(version) if version.busy().is_none() => Probe::Ready(None),
            Ok(version) if watched.is_silent(version.etag.as_deref().unwrap_or_default(), version.lease()) => {
                Probe::Ready(version.etag)
            }
            Ok(_) => Probe::Pending,
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
    archive::keep(cloud, place, &plan.superseded).await?;
    for wave in &plan.waves {
        uploader.send_all(wave).await?;
    }
    bucket::delete_all(cloud, &place.bucket, &plan.remove).await?;
    if !plan.purged.is_empty() {
        archive::forget(cloud, place, &plan.purged).await?;
    }
    match &plan.begun.outdated {
        None => Ok(None),
        Some(outdated) => invalidation::begin(cloud, &place.distribution, outdated)
            .await
            .map(Some),
    }
}
