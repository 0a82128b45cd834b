//! File locks: one run at a time. The system lets go of them when their holder ends, however it ends.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, ErrorKind, OrFail, Result};
use crate::private;
use crate::report::Reporter;
use crate::wait::{self, Pace, Probe, Waited};

/// An installation over a slow line takes minutes.
const PACE: Pace = Pace {
    first: Duration::from_millis(50),
    longest: Duration::from_millis(500),
    deadline: Duration::from_mins(15),
};

/// Takes the lock `file` until the returned value is dropped; `part` says `waiting` if another run has it.
pub(crate) async fn take(file: &Path, part: &'static str, reporter: &Reporter, waiting: &str) -> Result<File> {
    let what = || format!("could not lock {}", file.display());
    if let Some(folder) = file.parent() {
        private::folder(folder).or_fail(what)?;
    }
    let handle = private::open(file).or_fail(what)?;
    let mut said = false;
    let waited = wait::until(PACE, async || match handle.try_lock() {
        Ok(()) => Probe::Ready(()),
        Err(TryLockError::WouldBlock) => {
            if !said {
                reporter.working(part, waiting);
                said = true;
            }
            Probe::Pending
        }
        Err(TryLockError::Error(error)) => Probe::Failed(error),
    })
    .await;
    match waited {
        Waited::Ready(()) => Ok(handle),
        Waited::Failed(error) => Err(Error::failed(what()).cause(error)),
        Waited::TimedOut => Err(Error::new(ErrorKind::TimedOut, what())
            .cause(format!(
                "another run has held it for {} minutes",
                PACE.deadline.as_secs() / 60
            ))
            .hint("End that run, then run this again.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::quiet;

    #[tokio::test]
    async fn one_holder_at_a_time_and_the_next_one_when_it_lets_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("sub").join("lock");
        let reporter = quiet();
        let first = take(&file, "test", &reporter, "waiting").await.expect("free");
        let second = take(&file, "test", &reporter, "waiting");
        tokio::pin!(second);
        tokio::time::timeout(Duration::from_millis(200), &mut second)
            .await
            .expect_err("held by the first");
        drop(first);
        second.await.expect("free again");
    }

    #[tokio::test]
    async fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("written");
        let error = take(&file.join("lock"), "test", &quiet(), "waiting")
            .await
            .expect_err("no folder");
        assert!(error.to_string().contains("could not lock"), "{error}");
    }
}
