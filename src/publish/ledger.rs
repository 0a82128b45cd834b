//! What the site's bucket doesn't tell: who is publishing, what only earlier pages load, with what headers objects were sent,
//! what those hold whose ETag isn't their MD5, and what CloudFront must still forget.
//!
//! It is one small object in the artifacts bucket: everything in the site's own is served. Each write names the version
//! that it replaces, and S3 refuses it if that is no longer the one, so of two publications at the same time only one
//! gets through and the other begins anew, from what that one left.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::contents::Contents;
use super::sent::{Others, Usual};
use crate::cloud::Cloud;
use crate::document::{Document, There, Wrote};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{Entry, Undone};
use crate::lease::{Holder, LEASE, RENEWAL, renewing};

const KEY: &str = "site/ledger.json";

const LEDGER: Document = Document {
    key: KEY,
    // Some hundred thousand objects, of which it has to say something.
    most_bytes: 64 << 20,
    remedy: |command| format!("`{command}` removes it; the next `deployer up` publishes everything anew."),
};

/// Everything of it, as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Ledger {
    /// Counts the publications that changed something.
    pub(super) publication: u64,
    /// What is no longer in the site and stays for pages that are still open, each with the publication that left it out.
    /// Versions of the deployer that know of no `times` read it, too.
    pub(super) retired: BTreeMap<String, u64>,
    /// When those publications were, in seconds since 1970.
    pub(super) times: BTreeMap<u64, u64>,
    /// The headers that objects were sent with: what is usual, by class of object,
    pub(super) headers: Usual,
    /// and what differs from that, with the keys.
    pub(super) other_headers: Others,
    /// What objects hold whose ETag doesn't tell it.
    pub(super) contents: Contents,
    /// What CloudFront must still forget.
    pub(super) outdated: Option<Outdated>,
    /// Who is at it.
    pub(super) publisher: Option<Holder>,
}

/// Paths to invalidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outdated {
    /// Tells CloudFront that a repeated request is the same: it must never come with other paths.
    pub(super) reference: String,
    /// As they are in URLs.
    pub(super) paths: Vec<String>,
}

/// The ledger as it was at one moment.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) ledger: Ledger,
    /// Tells it from any other version; none if there is none yet.
    pub(super) etag: Option<String>,
    /// When it was written by S3's clock, in seconds since 1970.
    pub(super) written: Option<u64>,
}

impl Version {
    /// Who else is publishing, in words, unless it is sure that nobody is.
    pub(super) fn busy(&self) -> Option<String> {
        let other = self.ledger.publisher.as_ref()?;
        (!other.is_gone()).then(|| other.to_string())
    }

    /// How long its publisher may say nothing and still be at work.
    pub(super) fn lease(&self) -> Duration {
        let publisher = self.ledger.publisher.as_ref();
        publisher.map_or(LEASE, Holder::lease)
    }
}

/// Reads it. Before the first publication there is none, which is the same as an empty one.
pub(super) async fn read(cloud: &Cloud, bucket: &str) -> Result<Version> {
    match LEDGER.read(cloud, bucket).await? {
        There::It(there) => Ok(Version {
            ledger: there.value,
            etag: Some(there.etag),
            written: there.written,
        }),
        There::Nothing => Ok(Version {
            ledger: Ledger::default(),
            etag: None,
            written: None,
        }),
        There::NoBucket(error) => Err(error),
    }
}

/// Puts `ledger` in the place of the version with `etag`; none if that isn't the newest any more.
async fn replace(cloud: &Cloud, bucket: &str, ledger: &Ledger, etag: Option<&str>) -> Result<Option<String>> {
    match LEDGER.replace(cloud, bucket, ledger, etag).await? {
        Wrote::It(etag) => Ok(Some(etag)),
        Wrote::Another => Ok(None),
        Wrote::NoBucket(error) => Err(error),
    }
}

/// The right to publish, held until it is given back or lost.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    cloud: &'a Cloud,
    bucket: &'a str,
    ledger: Ledger,
    etag: String,
    entry: Entry,
}

impl<'a> Lease<'a> {
    /// Puts `ledger` in the place of `before`; none if somebody else was faster.
    pub(super) async fn take(
        cloud: &'a Cloud,
        bucket: &'a str,
        before: &Version,
        ledger: Ledger,
    ) -> Result<Option<Self>> {
        let publisher = Holder::this_run();
        let entry = {
            let (cloud, bucket, token) = (cloud.clone(), bucket.to_owned(), publisher.token().to_owned());
            let journal = cloud.journal.clone();
            let undo = move || async move { release(&cloud, &bucket, &token).await.map(|()| Undone::Gone) };
            journal.undoable(undo).await
        };
        let ledger = Ledger {
            publisher: Some(publisher),
            ..ledger
        };
        let Some(etag) = replace(cloud, bucket, &ledger, before.etag.as_deref()).await? else {
            entry.done();
            return Ok(None);
        };
        Ok(Some(Self {
            cloud,
            bucket,
            ledger,
            etag,
            entry,
        }))
    }

    /// Does `work` while renewing the lease; each time what was `sent` so far is noted, so that after an interruption it
    /// isn't sent again.
    ///
    /// # Errors
    /// That of `work`; or the lease was lost, and `work` is given up.
    pub(super) async fn hold<T>(
        &mut self,
        work: impl Future<Output = Result<T>>,
        sent: impl Fn() -> Contents,
    ) -> Result<T> {
        let renew = async || {
            self.ledger.contents.extend(&sent());
            self.renew().await
        };
        renewing(work, RENEWAL, renew).await
    }

    async fn renew(&mut self) -> Result<()> {
        if let Some(publisher) = &mut self.ledger.publisher {
            publisher.renew();
        }
        self.write().await
    }

    /// Writes the ledger with `change` and gives the lease back.
    pub(super) async fn give_back(mut self, change: impl FnOnce(&mut Ledger)) -> Result<()> {
        change(&mut self.ledger);
        self.ledger.publisher = None;
        self.write().await?;
        self.entry.done();
        Ok(())
    }

    async fn write(&mut self) -> Result<()> {
        self.etag = replace(self.cloud, self.bucket, &self.ledger, Some(&self.etag))
            .await?
            .ok_or_else(|| {
                Error::new(ErrorKind::ChangedMeanwhile, "another publication has taken over")
                    .cause("this one didn't get through to S3 for a while")
                    .hint("Run `deployer up --only site` to publish this site after it.")
            })?;
        Ok(())
    }
}

/// Gives the lease with this token back, if it is still held: its run has ended.
async fn release(cloud: &Cloud, bucket: &str, token: &str) -> Result<()> {
    let version = read(cloud, bucket).await?;
    let publisher = version.ledger.publisher.as_ref();
    if publisher.is_some_and(|publisher| publisher.token() == token) {
        let ledger = Ledger {
            publisher: None,
            ..version.ledger
        };
        // If it changed meanwhile, it is somebody else's now.
        replace(cloud, bucket, &ledger, version.etag.as_deref()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::sum::Sum;

    #[test]
    fn a_ledger_of_another_version_is_read() {
        let older = r#"{"publication":3,"retired":{"a":2},"headers":{},"outdated":null,"publisher":null}"#;
        let sum = Sum::of("b");
        let newer = older.replacen(
            '{',
            &format!(
                r#"{{"contents":{{"b":{{"etag":"e-2","sum":"{sum}","more":1}},"c":{{"etag":"e-2","sum":"another"}}}},
                "times":{{"2":1764165000}},"otherHeaders":{{"text/html":["b"]}},"more":{{"x":[]}},"#
            ),
            1,
        );
        for (text, known, time) in [(older, None, None), (&*newer, Some(true), Some(&1_764_165_000))] {
            let ledger: Ledger = serde_json::from_str(text).expect(text);
            assert_eq!((ledger.publication, ledger.retired["a"]), (3, 2));
            assert_eq!(ledger.times.get(&2), time);
            let etag = "e-2".into();
            let tell = |key| ledger.contents.tell(key, &etag, &sum);
            assert_eq!((tell("b"), tell("c")), (known, None));
            let written = serde_json::to_string(&ledger).expect("JSON");
            assert_eq!(serde_json::from_str::<Ledger>(&written).expect("JSON"), ledger);
        }
    }
}
