//! How a verification ended, for people and for scripts.

use anstyle::AnsiColor;
use serde::Serialize;

use super::layer::Layer;
use crate::error::{Error, ErrorKind};
use crate::report::{Annotation, CommandResult, Paint, Reporter, Weight, counted, markdown};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum CheckResult {
    /// It is as it should be.
    Passed,
    /// It isn't.
    Failed,
    /// It couldn't be found out, mostly for want of a permission.
    NotProven,
    /// It wasn't looked at: by the user's word, or because looking changes something.
    Skipped,
}

/// A check that was made.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Checked {
    /// Its id.
    pub check: &'static str,
    /// What it is about.
    pub layer: Layer,
    /// What was looked at: `stack.LogicalId`, or a name of the user's own.
    pub resource: String,
    /// Whether it is.
    pub result: CheckResult,
    /// What was seen.
    pub evidence: String,
    /// What the template has and perhaps shouldn't, although it passed; a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What to do about it, unless it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
}

/// All checks of a run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verification {
    /// Whether none failed, and at least one passed of those that were looked at.
    pub verified: bool,
    /// In the order of the layers.
    pub checks: Vec<Checked>,
}

impl Verification {
    pub(super) fn of(checks: Vec<Checked>) -> Self {
        let any = |verdict| checks.iter().any(|check| check.result == verdict);
        Self {
            verified: !any(CheckResult::Failed) && (any(CheckResult::Passed) || !any(CheckResult::NotProven)),
            checks,
        }
    }

    /// "18 checks: 17 passed, 1 failed".
    fn describe(&self) -> String {
        if self.checks.is_empty() {
            return "the templates have nothing that is checked".to_owned();
        }
        let count = |verdict| self.with(verdict).count();
        let counts = counted(&[
            (count(CheckResult::Passed), "passed"),
            (count(CheckResult::Failed), "failed"),
            (count(CheckResult::NotProven), "not proven"),
            (count(CheckResult::Skipped), "skipped"),
        ]);
        let warnings: usize = self.checks.iter().map(|check| check.warnings.len()).sum();
        let warnings = match warnings {
            0 => String::new(),
            1 => "; 1 warning".to_owned(),
            count => format!("; {count} warnings"),
        };
        let checks = if self.checks.len() == 1 { "check" } else { "checks" };
        format!("{} {checks}: {counts}{warnings}", self.checks.len())
    }

    /// The error of a run whose verification failed; none if it didn't.
    pub(crate) fn failure(&self) -> Option<Error> {
        if self.verified {
            return None;
        }
        let failed: Vec<&Checked> = self.with(CheckResult::Failed).collect();
        let (what, told) = match failed.len() {
            0 => (
                "nothing could be proven".to_owned(),
                self.with(CheckResult::NotProven).collect(),
            ),
            1 => ("a check failed".to_owned(), failed),
            count => (format!("{count} checks failed"), failed),
        };
        let mut ids: Vec<&str> = told.iter().map(|check: &&Checked| check.check).collect();
        ids.dedup();
        let what = format!("{what}: {}", ids.join(", "));
        let mut error = Error::new(ErrorKind::Unverified, what);
        for check in &told {
            error = error.cause(format!("{} {}: {}", check.check, check.resource, check.evidence));
        }
        Some(error.hint(told.first()?.next_step.clone().unwrap_or_default()))
    }

    fn with(&self, verdict: CheckResult) -> impl Iterator<Item = &Checked> {
        self.checks.iter().filter(move |check| check.result == verdict)
    }

    /// Tells how it went, in a line.
    pub(super) fn report(&self, reporter: &Reporter) {
        if self.verified {
            reporter.finished("verify", self.describe(), false);
        } else {
            reporter.stopped("verify", self.describe());
        }
    }

    /// The checks that didn't pass, or have something to warn of, for people.
    pub(crate) fn troubles(&self, paint: &Paint) -> String {
        let is_trouble = |check: &&Checked| check.result != CheckResult::Passed || !check.warnings.is_empty();
        let troubles = self.checks.iter().filter(is_trouble);
        troubles.map(|check| check.text(paint)).collect()
    }
}

impl Checked {
    fn text(&self, paint: &Paint) -> String {
        let (color, symbol) = match self.result {
            CheckResult::Passed => (AnsiColor::Green, "✓"),
            CheckResult::Failed => (AnsiColor::Red, "✗"),
            CheckResult::NotProven => (AnsiColor::Yellow, "?"),
            CheckResult::Skipped => (AnsiColor::Yellow, "-"),
        };
        let next = self.next_step.as_ref().map(|next| format!("      next: {next}\n"));
        let warning = |warning: &String| format!("      {} {warning}\n", paint.color(AnsiColor::Yellow, "warning:"));
        let warnings: String = self.warnings.iter().map(warning).collect();
        format!(
            "  {} {} {}\n      {}\n{warnings}{}",
            paint.color(color, symbol),
            paint.bold(self.check),
            self.resource,
            paint.dim(&self.evidence),
            next.unwrap_or_default()
        )
    }
}

impl Checked {
    /// What GitHub is to show of it, if it isn't as it should be.
    fn annotations(&self) -> Vec<Annotation> {
        let annotation = |weight, message: String| Annotation {
            weight,
            title: format!("deployer: {} {}", self.check, self.resource),
            message,
            place: None,
        };
        let mut all = Vec::new();
        let next = self
            .next_step
            .iter()
            .map(|next| format!("\n{next}"))
            .collect::<String>();
        match self.result {
            CheckResult::Failed => all.push(annotation(Weight::Error, format!("{}{next}", self.evidence))),
            CheckResult::NotProven => all.push(annotation(
                Weight::Warning,
                format!("not proven: {}{next}", self.evidence),
            )),
            CheckResult::Passed | CheckResult::Skipped => {}
        }
        all.extend(
            self.warnings
                .iter()
                .map(|warning| annotation(Weight::Warning, warning.clone())),
        );
        all
    }
}

impl Verification {
    /// The checks as a table of Markdown, those that didn't pass first, below the verdict.
    fn markdown(&self) -> String {
        let sign = if self.verified { "✅" } else { "❌" };
        let mut text = format!(
            "### {sign} {}\n\n| | check | on | evidence |\n| --- | --- | --- | --- |\n",
            markdown(&self.describe())
        );
        let mut checks: Vec<&Checked> = self.checks.iter().collect();
        checks.sort_by_key(|check| check.result == CheckResult::Passed);
        for check in checks {
            let sign = match check.result {
                CheckResult::Passed => "✅",
                CheckResult::Failed => "❌",
                CheckResult::NotProven => "❔",
                CheckResult::Skipped => "➖",
            };
            let cells = [check.check, &check.resource, &check.evidence].map(markdown);
            text.push_str(&format!("| {sign} | {} |\n", cells.join(" | ")));
        }
        text + "\n"
    }
}

impl CommandResult for Verification {
    fn annotations(&self) -> Vec<Annotation> {
        self.checks.iter().flat_map(Checked::annotations).collect()
    }

    fn summary(&self) -> Option<String> {
        Some(self.markdown())
    }

    fn text(&self, paint: &Paint) -> String {
        let checks: String = self.checks.iter().map(|check| check.text(paint)).collect();
        // What scrolled away needn't be looked for.
        let color = if self.verified {
            AnsiColor::Green
        } else {
            AnsiColor::Red
        };
        format!("{checks}{}\n", paint.color(color, &self.describe()))
    }
}
