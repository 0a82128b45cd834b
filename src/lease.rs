//! Who is at work on a stage, so that two runs don't mix: a lease on something that both can see, which says whose it is,
//! and is renewed as long as its holder lives.
//!
//! Of a run there is a small object in the stage's artifacts bucket. CloudFormation keeps two apart in a stack, and nobody in a
//! stage: without it one's stacks could be wired to the other's.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use rustix::system::uname;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::clock::rfc3339;
use crate::cloud::Cloud;
use crate::cloud::repeated::gone;
use crate::document::{Document, There, Wrote};
use crate::error::{Error, ErrorKind, Result};
use crate::ident::fresh_token;
use crate::journal::{Entry, Undone};
use crate::report::Reporter;
use crate::wait::{Probe, until};

/// A holder renews its lease this often,
pub(crate) const RENEWAL: Duration = Duration::from_secs(10);

/// and one that is seen not to for this long is dead; the lease says so itself, so that whoever waits goes by what its
/// owner keeps to. Whoever waits measures it: clocks of two machines needn't agree.
pub(crate) const LEASE: Duration = Duration::from_secs(45);

/// Whoever holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
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

impl Holder {
    /// This run.
    pub(crate) fn this_run() -> Self {
        Self {
            token: fresh_token(),
            host: host(),
            processes: processes(),
            process: std::process::id(),
            renewal: 0,
            lease: lease(),
        }
    }

    /// Tells it from any other.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// How long it may say nothing and still be at work.
    pub(crate) fn lease(&self) -> Duration {
        Duration::from_secs(self.lease)
    }

    /// Says that it lives.
    pub(crate) fn renew(&mut self) {
        self.renewal += 1;
    }

    /// A run on this machine that was killed needn't be waited for: its process is known to be gone. One that can't be
    /// asked about, such as another user's, or one of another container, may be at work.
    pub(crate) fn is_gone(&self) -> bool {
        let process = i32::try_from(self.process).ok().and_then(Pid::from_raw);
        let is_here = self.host == host() && self.processes.is_some() && self.processes == processes();
        is_here && process.is_some_and(|process| test_kill_process(process) == Err(Errno::SRCH))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.process, self.host)
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

/// What is seen of a lease by whoever waits for it.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// Its version, and since when.
    last: Option<(String, Instant)>,
}

impl Watched {
    /// Whether nothing was heard of its holder for longer than `lease`; it is this version now.
    pub(crate) fn is_silent(&mut self, etag: &str, lease: Duration) -> bool {
        match &self.last {
            Some((last, since)) if last == etag => since.elapsed() > lease,
            _ => {
                self.last = Some((etag.to_owned(), Instant::now()));
                false
            }
        }
    }
}

/// Does `work` while `renew` is done `every` so often beside it: neither waits for the other, but that a renewal which was
/// begun is ended.
///
/// # Errors
/// That of `work`, or that of a renewal, for which `work` is given up.
pub(crate) async fn renewing<T>(
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

/// Where the lease of a stage is.
const KEY: &str = "run/lease.json";

const LEASE_FILE: Document = Document {
    key: KEY,
    most_bytes: 1 << 20,
    remedy: |command| format!("If no other run is at work, `{command}` removes it."),
};

/// How long another run is waited for that goes on and on.
const PATIENCE: Duration = Duration::from_secs(2 * 3600);

/// What the lease of a stage says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    #[serde(flatten)]
    holder: Holder,
    /// The command.
    what: String,
    /// An ARN.
    by: String,
    /// RFC 3339.
    since: String,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` by {} ({}) since {}",
            self.what, self.by, self.holder, self.since
        )
    }
}

/// The right to change a stage. It is given back as the run ends.
#[derive(Debug)]
pub(crate) struct StageLease<'a> {
    cloud: &'a Cloud,
    bucket: String,
    written: Written,
    etag: String,
    entry: Entry,
    /// Whether another run was waited for.
    pub has_waited: bool,
}

impl<'a> StageLease<'a> {
    /// Waits for it, for a run of the command `what` on the stage that has this artifacts bucket. None if the bucket has gone
    /// meanwhile.
    ///
    /// # Errors
    /// Another run doesn't end, or the bucket can't be asked.
    pub(crate) async fn take(cloud: &'a Cloud, bucket: &str, what: &str, reporter: &Reporter) -> Result<Option<Self>> {
        let written = Written {
            holder: Holder::this_run(),
            what: what.to_owned(),
            by: cloud.caller.clone(),
            since: rfc3339(SystemTime::now()),
        };
        let entry = {
            let (cloud, bucket, token) = (cloud.clone(), bucket.to_owned(), written.holder.token.clone());
            let journal = cloud.journal.clone();
            let undo = move || async move { release(&cloud, &bucket, &token).await.map(|()| Undone::Gone) };
            journal.undoable(undo).await
        };
        let mut watched = Watched::default();
        let (mut has_waited, mut other) = (false, String::new());
        let taken = until(cloud.pace(PATIENCE), async || {
            let there = match read(cloud, bucket).await {
                Ok(there) => there,
                Err(error) => return Probe::Failed(error),
            };
            let etag = match &there {
                None => None,
                Some((other, etag)) if other.holder.is_gone() => Some(etag.clone()),
                Some((other, etag)) if watched.is_silent(etag, other.holder.lease()) => Some(etag.clone()),
                Some((held, _)) => {
                    other = held.to_string();
                    reporter.working("stage", format!("waiting for another run on it: {other}"));
                    has_waited = true;
                    return Probe::Pending;
                }
            };
            match LEASE_FILE.replace(cloud, bucket, &written, etag.as_deref()).await {
                Ok(Wrote::It(etag)) => Probe::Ready(Some(etag)),
                Ok(Wrote::NoBucket(_)) => Probe::Ready(None),
                // Somebody else was faster.
                Ok(Wrote::Another) => Probe::Pending,
                Err(error) => Probe::Failed(error),
            }
        })
        .await
        .in_time(|| {
            Error::new(
                ErrorKind::TimedOut,
                format!("another run on this stage doesn't end: {other}"),
            )
            .hint("Stop it, then run the same command again.")
        })?;
        let Some(etag) = taken else {
            entry.done();
            return Ok(None);
        };
        Ok(Some(Self {
            cloud,
            bucket: bucket.to_owned(),
            written,
            etag,
            entry,
            has_waited,
        }))
    }

    /// Does `work` while renewing the lease, and gives it back then.
    ///
    /// # Errors
    /// That of `work`; or somebody else has taken the lease over, and `work` is given up.
    pub(crate) async fn hold<T>(mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut is_gone = false;
        let done = {
            let renew = async || {
                if is_gone {
                    return Ok(());
                }
                self.written.holder.renew();
                let written = LEASE_FILE.replace(self.cloud, &self.bucket, &self.written, Some(&self.etag));
                match written.await? {
                    Wrote::It(etag) => self.etag = etag,
                    // Whoever removes a stage removes the lease with the bucket.
                    Wrote::NoBucket(_) => is_gone = true,
                    Wrote::Another if read(self.cloud, &self.bucket).await?.is_none() => is_gone = true,
                    Wrote::Another => {
                        return Err(
                            Error::new(ErrorKind::ChangedMeanwhile, "another run has taken this stage over")
                                .cause("this one didn't get through to S3 for a while")
                                .hint("Run the same command again when that has ended."),
                        );
                    }
                }
                Ok(())
            };
            renewing(work, RENEWAL, renew).await
        };
        // If that fails, it is nobody's in a while.
        if release(self.cloud, &self.bucket, &self.written.holder.token)
            .await
            .is_ok()
        {
            self.entry.done();
        }
        done
    }
}

/// The lease that is there, with its ETag.
async fn read(cloud: &Cloud, bucket: &str) -> Result<Option<(Written, String)>> {
    Ok(match LEASE_FILE.read::<Written>(cloud, bucket).await? {
        There::It(there) => Some((there.value, there.etag)),
        There::Nothing | There::NoBucket(_) => None,
    })
}

/// Removes the lease with this token, if it is still there.
async fn release(cloud: &Cloud, bucket: &str, token: &str) -> Result<()> {
    if read(cloud, bucket)
        .await?
        .is_none_or(|(there, _)| there.holder.token != token)
    {
        return Ok(());
    }
    let answer = cloud.s3.delete_object().bucket(bucket).key(KEY).send().await;
    gone(answer, || format!("could not remove {KEY} of {bucket}")).map(|_| ())
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

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
    fn only_a_process_that_is_known_to_be_gone_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("started");
        let publisher = Holder {
            process: child.id(),
            ..Holder::this_run()
        };
        assert!(!publisher.is_gone(), "it runs");
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert!(publisher.is_gone());
        for elsewhere in [
            Holder {
                host: "another".into(),
                ..publisher.clone()
            },
            Holder {
                processes: Some("another boot, or container".into()),
                ..publisher.clone()
            },
            Holder {
                processes: None,
                ..publisher
            },
        ] {
            assert!(!elsewhere.is_gone(), "{elsewhere:?}");
        }
    }
}
