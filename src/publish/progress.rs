//! How far the sending is.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::HumanBytes;

use crate::report::Reporter;

/// How often it is told. People read no faster, and ten thousand lines are of no use in a log.
const INTERVAL: Duration = Duration::from_millis(500);

/// Counts what was sent, and tells now and then.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    reporter: &'a Reporter,
    begun: Instant,
    objects: (AtomicUsize, usize),
    bytes: (AtomicU64, u64),
    /// When it was told last, in milliseconds from the beginning.
    told: AtomicU64,
}

impl<'a> Progress<'a> {
    /// Of so many objects and bytes in all.
    pub(super) fn new(reporter: &'a Reporter, objects: usize, bytes: u64) -> Self {
        Self {
            reporter,
            begun: Instant::now(),
            objects: (AtomicUsize::new(0), objects),
            bytes: (AtomicU64::new(0), bytes),
            told: AtomicU64::new(0),
        }
    }

    pub(super) fn sent_object(&self) {
        self.objects.0.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    pub(super) fn sent_bytes(&self, bytes: u64) {
        self.bytes.0.fetch_add(bytes, Ordering::Relaxed);
        self.tell();
    }

    fn tell(&self) {
        let passed = self.begun.elapsed();
        let now = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        let told = self.told.load(Ordering::Relaxed);
        let due = now.saturating_sub(told) >= INTERVAL.as_millis() as u64;
        let mine = || {
            self.told
                .compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        };
        if due && mine() {
            self.reporter.working("site", self.describe(passed));
        }
    }

    /// "120 of 340 files, 12.3 MiB of 45.0 MiB, 5.1 MiB/s".
    fn describe(&self, passed: Duration) -> String {
        let sent = self.bytes.0.load(Ordering::Relaxed);
        format!(
            "{} of {} files, {} of {}, {}/s",
            self.objects.0.load(Ordering::Relaxed),
            self.objects.1,
            HumanBytes(sent),
            HumanBytes(self.bytes.1),
            rate(sent, passed)
        )
    }
}

/// Bytes a second, for people.
pub(super) fn rate(bytes: u64, passed: Duration) -> HumanBytes {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "for people"
    )]
    HumanBytes((bytes as f64 / passed.as_secs_f64().max(0.001)) as u64)
}
