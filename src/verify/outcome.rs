//! How a verification ended, for people and for scripts.

use anstyle::AnsiColor;
use serde::Serialize;

use super::layer::Layer;
use crate::error::Error;
use crate::report::{Event, Outcome, Paint, Reporter, counted};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It is as it should be.
    Passed,
    /// It isn't.
    Failed,
    /// It couldn't be found out, mostly for want of a permission.
    NotProven,
}

/// A check that was made.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// Where.
    pub layer: Layer,
    /// What is to be so, in a few words; stable, for scripts.
    pub name: &'static str,
    /// Whether it is.
    pub result: Verdict,
    /// What was seen.
    pub evidence: String,
    /// What to do about it, unless it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
}

/// All checks of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// Whether none failed and at least one passed.
    pub verified: bool,
    /// In the order of the layers.
    pub checks: Vec<Checked>,
}

impl Verification {
    pub(super) fn of(checks: Vec<Checked>) -> Self {
        let any = |verdict| checks.iter().any(|check| check.result == verdict);
        Self {
            verified: !any(Verdict::Failed) && (any(Verdict::Passed) || checks.is_empty()),
            checks,
        }
    }

    /// "18 checks: 17 passed, 1 failed".
    fn describe(&self) -> String {
        let count = |verdict| self.with(verdict).count();
        let counts = counted(&[
            (count(Verdict::Passed), "passed"),
            (count(Verdict::Failed), "failed"),
            (count(Verdict::NotProven), "not proven"),
        ]);
        format!("{} checks: {counts}", self.checks.len())
    }

    /// The error of a run whose verification failed; none if it didn't.
    pub fn failure(&self) -> Option<Error> {
        if self.verified {
            return None;
        }
        let failed: Vec<&Checked> = self.with(Verdict::Failed).collect();
        let (what, told) = match failed.len() {
            0 => (
                "nothing could be proven".to_owned(),
                self.with(Verdict::NotProven).collect(),
            ),
            1 => ("a check failed".to_owned(), failed),
            count => (format!("{count} checks failed"), failed),
        };
        let mut error = Error::unverified(what);
        for check in &told {
            error = error.because(format!("{} {}: {}", check.layer.as_str(), check.name, check.evidence));
        }
        Some(error.hint(told.first()?.next_step.clone().unwrap_or_default()))
    }

    fn with(&self, verdict: Verdict) -> impl Iterator<Item = &Checked> {
        self.checks.iter().filter(move |check| check.result == verdict)
    }

    /// Tells how it went, in a line.
    pub(super) fn report(&self, reporter: &Reporter) {
        if self.verified {
            reporter.finished("verify", self.describe(), false);
        } else {
            reporter.event(&Event::Stopped {
                part: "verify",
                message: self.describe(),
            });
        }
    }

    /// The checks that didn't pass, for people.
    pub fn troubles(&self, paint: &Paint) -> String {
        let troubles = self.checks.iter().filter(|check| check.result != Verdict::Passed);
        troubles.map(|check| check.text(paint)).collect()
    }
}

impl Checked {
    fn text(&self, paint: &Paint) -> String {
        let (color, symbol) = match self.result {
            Verdict::Passed => (AnsiColor::Green, "✓"),
            Verdict::Failed => (AnsiColor::Red, "✗"),
            Verdict::NotProven => (AnsiColor::Yellow, "?"),
        };
        let next = self.next_step.as_ref().map(|next| format!("      next: {next}\n"));
        format!(
            "  {} {:12} {}\n      {}\n{}",
            paint.color(color, symbol),
            self.layer.as_str(),
            paint.bold(self.name),
            paint.dim(&self.evidence),
            next.unwrap_or_default()
        )
    }
}

impl Outcome for Verification {
    fn text(&self, paint: &Paint) -> String {
        self.checks.iter().map(|check| check.text(paint)).collect()
    }
}
