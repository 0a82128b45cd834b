//! What the site's bucket doesn't tell: who is publishing, what only earlier pages load, with what headers objects were sent,
//! what those hold whose ETag isn't their MD5, and what CloudFront must still forget.
//!
//! It is one small object in the artifacts bucket: everything in the site's own is served. Each write names the version
//! that it replaces, and S3 refuses it if that is no longer the one, so of two publications at the same time only one
//! gets through and the other begins anew, from what that one left.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use rustix::system::uname;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::time::sleep;

use super::contents::Contents;
use super::sent::{Others, Usual};
use crate::cloud::Cloud;
use crate::cloud::sdk_error::{code, explain};
use crate::error::{Error, ErrorKind, OrFail, Result};
use crate::ident::fresh_token;
use crate::journal::{Entry, Undone};

const KEY: &str = "site/ledger.json";

/// A publisher renews its lease this often,
pub(super) const RENEWAL: Duration = Duration::from_secs(10);

/// and one that is seen not to for this long is dead; the lease says so itself, so that whoever waits goes by what its
/// owner keeps to. Whoever waits measures it: clocks of two machines needn't agree.
const LEASE: Duration = Duration::from_secs(45);

/// The largest that is read, in bytes: some hundred thousand objects, of which it has to say something.
const MOST_BYTES: u64 = 64 << 20;

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
    pub(super) publisher: Option<Publisher>,
}

/// Paths to invalidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outdated {
    /// Tells CloudFront that a repeated request is the same: it must never come with other paths.
    pub(super) reference: String,
    /// As they are in URLs.
    pub(super) paths: Vec<String>,
}

/// Whoever is publishing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Publisher {
    token: String,
    host: String,
    /// Where the number of its process means something, if that is known.
    #[serde(default)]
    processes: Option<String>,
    process: u32,
    /// Makes each renewal another content.
    renewal: u64,
    /// After how many seconds without a renewal the lease is nobody's.
    #[serde(default = "lease")]
    lease: u64,
}

/// What holds for claims that don't say it.
fn lease() -> u64 {
    LEASE.as_secs()
}

impl Publisher {
    fn this_run() -> Self {
        Self {
            token: fresh_token(),
            host: host(),
            processes: processes(),
            process: std::process::id(),
            renewal: 0,
            lease: lease(),
        }
    }

    /// A run on this machine that was killed needn't be waited for: its process is known to be gone. One that can't be
    /// asked about, such as another user's, or one of another container, may be at work.
    fn is_gone(&self) -> bool {
        let process = i32::try_from(self.process).ok().and_then(Pid::from_raw);
        let is_here = self.host == host() && self.processes.is_some() && self.processes == processes();
        is_here && process.is_some_and(|process| test_kill_process(process) == Err(Errno::SRCH))
    }
}

/// Tells one set of process numbers from another: two containers may have one host's name, and a machine starts anew.
/// None where that can't be told.
fn processes() -> Option<String> {
    if cfg!(not(target_os = "linux")) {
        // There are no containers of its own.
        return Some(String::new());
    }
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

fn host() -> String {
    uname().nodename().to_string_lossy().into_owned()
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
        (!other.is_gone()).then(|| format!("process {} on {}", other.process, other.host))
    }

    /// How long its publisher may say nothing and still be at work.
    pub(super) fn lease(&self) -> Duration {
        let publisher = self.ledger.publisher.as_ref();
        publisher.map_or(LEASE, |publisher| Duration::from_secs(publisher.lease))
    }
}

/// Reads it. Before the first publication there is none, which is the same as an empty one.
pub(super) async fn read(cloud: &Cloud, bucket: &str) -> Result<Version> {
    let Some(stored) = content(cloud, bucket).await? else {
        return Ok(Version {
            ledger: Ledger::default(),
            etag: None,
            written: None,
        });
    };
    Ok(Version {
        ledger: serde_json::from_slice(&stored.text).map_err(|error| unusable(bucket).cause(error))?,
        etag: Some(stored.etag),
        written: stored.written,
    })
}

/// Puts `ledger` in the place of the version with `etag`; none if that isn't the newest any more.
///
/// Where S3 did it but its answer was lost, the request is repeated, and refused for the sake of what it wrote itself.
async fn replace(cloud: &Cloud, bucket: &str, ledger: &Ledger, etag: Option<&str>) -> Result<Option<String>> {
    let what = || format!("could not write {KEY} of {bucket}");
    let text = serde_json::to_vec(ledger).or_fail(what)?;
    let request = cloud
        .s3
        .put_object()
        .bucket(bucket)
        .key(KEY)
        .content_type("application/json")
        .body(ByteStream::from(text.clone()));
    let request = match etag {
        Some(etag) => request.if_match(etag),
        None => request.if_none_match("*"),
    };
    match request.send().await {
        Ok(answer) => Ok(Some(answer.e_tag.unwrap_or_default())),
        // Another version; one that is being written; none any more.
        Err(error)
            if matches!(
                code(&error),
                "PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey"
            ) =>
        {
            let there = content(cloud, bucket).await?;
            Ok(there.filter(|there| there.text == text).map(|there| there.etag))
        }
        Err(error) => Err(explain(error, &what())),
    }
}

/// The object.
struct Stored {
    text: Vec<u8>,
    etag: String,
    written: Option<u64>,
}

/// What is there.
async fn content(cloud: &Cloud, bucket: &str) -> Result<Option<Stored>> {
    let answer = match cloud.s3.get_object().bucket(bucket).key(KEY).send().await {
        Ok(answer) => answer,
        Err(error) if code(&error) == "NoSuchKey" => return Ok(None),
        Err(error) => return Err(explain(error, &cannot_read(bucket))),
    };
    let etag = answer.e_tag.unwrap_or_default();
    let written = answer.last_modified.and_then(|time| u64::try_from(time.secs()).ok());
    let mut body = Vec::new();
    let mut most = answer.body.into_async_read().take(MOST_BYTES + 1);
    most.read_to_end(&mut body).await.or_fail(|| cannot_read(bucket))?;
    if most.limit() == 0 {
        return Err(unusable(bucket).cause(format!("it has more than {} MiB", MOST_BYTES >> 20)));
    }
    Ok(Some(Stored {
        text: body,
        etag,
        written,
    }))
}

fn unusable(bucket: &str) -> Error {
    Error::failed(cannot_read(bucket)).hint(format!(
        "`aws s3 rm s3://{bucket}/{KEY}` removes it; the next `deployer up` publishes everything anew."
    ))
}

fn cannot_read(bucket: &str) -> String {
    format!("could not read {KEY} of {bucket}")
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
        let publisher = Publisher::this_run();
        let entry = {
            let (cloud, bucket, token) = (cloud.clone(), bucket.to_owned(), publisher.token.clone());
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
            publisher.renewal += 1;
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

/// Does `work` while `renew` is done `every` so often beside it: neither waits for the other, but that a renewal which was
/// begun is ended.
async fn renewing<T>(
    work: impl Future<Output = Result<T>>,
    every: Duration,
    mut renew: impl AsyncFnMut() -> Result<()>,
) -> Result<T> {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = sleep(every) => {}
        }
        let renewal = renew();
        tokio::pin!(renewal);
        tokio::select! {
            renewed = &mut renewal => renewed?,
            done = &mut work => {
                renewal.await?;
                return done;
            }
        }
    }
}

/// Gives the lease with this token back, if it is still held: its run has ended.
async fn release(cloud: &Cloud, bucket: &str, token: &str) -> Result<()> {
    let version = read(cloud, bucket).await?;
    let publisher = version.ledger.publisher.as_ref();
    if publisher.is_some_and(|publisher| publisher.token == token) {
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
    use tokio::time::Instant;

    use super::*;
    use crate::site::sum::Sum;

    #[tokio::test(start_paused = true)]
    async fn work_goes_on_while_a_claim_is_renewed() {
        let start = Instant::now();
        let mut renewals = 0;
        let renew = async || {
            renewals += 1;
            sleep(Duration::from_secs(60)).await;
            Ok(())
        };
        // It takes 100 steps of a second, none of which waits for a renewal.
        let work = async {
            for _ in 0..100 {
                sleep(Duration::from_secs(1)).await;
            }
            Ok(start.elapsed())
        };
        let took = renewing(work, Duration::from_secs(10), renew).await.expect("done");
        assert_eq!(took, Duration::from_secs(100));
        assert_eq!(renewals, 2, "after 10 s, and 10 s after that one ended");
    }

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

    #[test]
    fn only_a_process_that_is_known_to_be_gone_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("started");
        let publisher = Publisher {
            process: child.id(),
            ..Publisher::this_run()
        };
        assert!(!publisher.is_gone(), "it runs");
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert!(publisher.is_gone());
        for elsewhere in [
            Publisher {
                host: "another".into(),
                ..publisher.clone()
            },
            Publisher {
                processes: Some("another boot, or container".into()),
                ..publisher.clone()
            },
            Publisher {
                processes: None,
                ..publisher
            },
        ] {
            assert!(!elsewhere.is_gone(), "{elsewhere:?}");
        }
    }
}
