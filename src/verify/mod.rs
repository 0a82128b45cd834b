//! Proving that a stage works, is private, and can do no more than it must: the checks that a careful person would make
//! by hand, layer by layer, all at once.

mod api;
mod data;
mod function;
mod http;
mod permissions;
mod policy;
mod privacy;
mod site;
mod subject;

use std::cell::RefCell;
use std::fmt;
use std::time::{Duration, Instant};

use anstyle::AnsiColor;
use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::result::SdkError;
use clap::ValueEnum;
use futures::FutureExt;
use futures::future::{LocalBoxFuture, join_all};
use serde::Serialize;

use crate::cloud::Cloud;
use crate::cloud::sdk_error::{code, explain};
use crate::error::Error;
use crate::report::{Event, Outcome, Paint, Reporter};
use crate::wait::{Probe, Waited, until};
pub use subject::Subject;

/// A part of the stage that is tested by itself, so that a failure is told where it is and not where it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The table and its seed items.
    Data,
    /// The function, invoked directly.
    Function,
    /// The API in front of it.
    Api,
    /// The site through CloudFront.
    Site,
    /// The buckets, for everybody else.
    Privacy,
    /// What the function's role may do.
    Permissions,
}

impl Layer {
    /// All, in the order in which a request would need them.
    pub const ALL: [Self; 6] = [
        Self::Data,
        Self::Function,
        Self::Api,
        Self::Site,
        Self::Privacy,
        Self::Permissions,
    ];

    /// As the command line and the JSON document have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Function => "function",
            Self::Api => "api",
            Self::Site => "site",
            Self::Privacy => "privacy",
            Self::Permissions => "permissions",
        }
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It is as it should be.
    Passed,
    /// It isn't.
    Failed,
    /// It couldn't be found out, for want of a permission.
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
    /// Whether none failed.
    pub verified: bool,
    /// In the order of the layers.
    pub checks: Vec<Checked>,
}

/// Why a check didn't pass.
#[derive(Debug, Clone)]
struct Problem {
    kind: Kind,
    evidence: String,
    next_step: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It won't pass by waiting.
    Failed,
    /// AWS is still at it.
    Pending,
    /// It may not be looked at.
    NotProven,
}

/// What a look at something gave: what was seen when all is well.
type Finding = Result<String, Problem>;

impl Problem {
    fn failed(evidence: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self {
            kind: Kind::Failed,
            evidence: evidence.into(),
            next_step: next_step.into(),
        }
    }

    fn pending(evidence: impl Into<String>) -> Self {
        Self {
            kind: Kind::Pending,
            evidence: evidence.into(),
            next_step: "Run `deployer verify` again in some minutes.".to_owned(),
        }
    }
}

impl Problem {
    fn not_proven(evidence: impl Into<String>) -> Self {
        Self {
            kind: Kind::NotProven,
            evidence: evidence.into(),
            next_step: "Run the same command again.".to_owned(),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::failed(error.to_string(), error.next_step().unwrap_or_default())
    }
}

/// The codes of AWS's services for "you may not".
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "Forbidden",
];

/// An answer, or why there is none: what the caller may not see is not proven, neither right nor wrong.
fn asked<T, E, R>(answer: Result<T, SdkError<E, R>>, what: &str) -> Result<T, Problem>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: fmt::Debug + 'static,
{
    answer.map_err(|error| {
        let denied = DENIED.contains(&code(&error));
        let error = explain(&error, what);
        Problem {
            kind: if denied { Kind::NotProven } else { Kind::Failed },
            evidence: error.to_string(),
            next_step: error.next_step().unwrap_or_default().to_owned(),
        }
    })
}

/// How long something may look wrong because AWS is still spreading what was changed: a new role, policy or permission,
/// a name, an API's new snapshot, headers and files on their way to the edges. None of that has a status to ask for.
const SETTLING: Duration = Duration::from_secs(90);
const SETTLING_OFF_AWS: Duration = Duration::from_secs(1);

/// A check that can be made, again and again.
struct Check<'a> {
    layer: Layer,
    name: &'static str,
    look: Box<dyn Fn() -> LocalBoxFuture<'a, Finding> + 'a>,
}

/// Lists what a layer has to be asked.
fn check<'a, F>(layer: Layer, name: &'static str, look: impl Fn() -> F + 'a) -> Check<'a>
where
    F: Future<Output = Finding> + 'a,
{
    Check {
        layer,
        name,
        look: Box::new(move || look().boxed_local()),
    }
}

fn checks<'a>(subject: &'a Subject<'_>) -> Vec<Check<'a>> {
    vec![
        check(Layer::Data, "table", || data::table(subject)),
        check(Layer::Data, "seed items", || data::seed_items(subject)),
        check(Layer::Function, "state", || function::state(subject)),
        check(Layer::Function, "environment", || function::environment(subject)),
        check(Layer::Function, "answers", || function::answers(subject)),
        check(Layer::Api, "answers", || api::answers(subject)),
        check(Layer::Api, "preflight", || api::preflight(subject)),
        check(Layer::Api, "unknown path", || api::unknown_path(subject)),
        check(Layer::Api, "deployment", || api::deployment(subject)),
        check(Layer::Site, "files", || site::files(subject)),
        check(Layer::Site, "https", || site::https(subject)),
        check(Layer::Site, "headers", || site::headers(subject)),
        check(Layer::Site, "api address", || site::api_address(subject)),
        check(Layer::Privacy, "site bucket unreadable", || {
            privacy::unreadable(subject, &subject.site_bucket)
        }),
        check(Layer::Privacy, "site bucket blocks public access", || {
            privacy::blocked(subject, &subject.site_bucket)
        }),
        check(Layer::Privacy, "site bucket policy", || privacy::site_policy(subject)),
        check(Layer::Privacy, "artifacts bucket unreadable", || {
            privacy::unreadable(subject, &subject.artifacts_bucket)
        }),
        check(Layer::Privacy, "artifacts bucket blocks public access", || {
            privacy::blocked(subject, &subject.artifacts_bucket)
        }),
        check(Layer::Privacy, "artifacts bucket policy", || {
            privacy::artifacts_policy(subject)
        }),
        check(Layer::Permissions, "role policies", || permissions::policies(subject)),
        check(Layer::Permissions, "simulated", || permissions::simulated(subject)),
    ]
}

/// Makes the checks of `layers`, all at once, and tells how it went. What AWS is still about is looked at again until
/// `timeout`.
pub async fn verify(subject: &Subject<'_>, layers: &[Layer], timeout: Duration, reporter: &Reporter) -> Verification {
    reporter.working("verify", "checking");
    let wanted = checks(subject);
    let wanted = wanted.iter().filter(|check| layers.contains(&check.layer));
    let checks = join_all(wanted.map(|check| made(check, subject.cloud, timeout, reporter))).await;
    let verification = Verification {
        verified: checks.iter().all(|check| check.result != Verdict::Failed),
        checks,
    };
    verification.report(reporter);
    verification
}

async fn made(check: &Check<'_>, cloud: &Cloud, timeout: Duration, reporter: &Reporter) -> Checked {
    let started = Instant::now();
    let settling = timeout.min(if cloud.endpoint.is_aws() {
        SETTLING
    } else {
        SETTLING_OFF_AWS
    });
    let last = RefCell::new(None);
    let end = until(cloud.pace(timeout), async || match (check.look)().await {
        Ok(evidence) => Probe::Ready(evidence),
        Err(problem) if problem.kind == Kind::NotProven => Probe::Failed(problem),
        Err(problem) if problem.kind == Kind::Pending || started.elapsed() < settling => {
            reporter.working("verify", format!("waiting: {}", problem.evidence));
            last.replace(Some(problem));
            Probe::Pending
        }
        Err(problem) => Probe::Failed(problem),
    })
    .await;
    let finding = match end {
        Waited::Ready(evidence) => Ok(evidence),
        Waited::Failed(problem) => Err(problem),
        Waited::TimedOut => Err(last
            .into_inner()
            .unwrap_or_else(|| Problem::pending("there was no time to look"))),
    };
    let (result, evidence, next_step) = match finding {
        Ok(evidence) => (Verdict::Passed, evidence, None),
        Err(problem) if problem.kind == Kind::NotProven => {
            (Verdict::NotProven, problem.evidence, Some(problem.next_step))
        }
        Err(problem) => (Verdict::Failed, problem.evidence, Some(problem.next_step)),
    };
    Checked {
        layer: check.layer,
        name: check.name,
        result,
        evidence,
        next_step,
    }
}

impl Verification {
    /// "18 checks: 17 passed, 1 failed".
    fn describe(&self) -> String {
        let count = |verdict| self.checks.iter().filter(|check| check.result == verdict).count();
        let parts = [
            (count(Verdict::Passed), "passed"),
            (count(Verdict::Failed), "failed"),
            (count(Verdict::NotProven), "not proven"),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        format!("{} checks: {}", self.checks.len(), parts.join(", "))
    }

    /// The error of a run whose verification failed; none if it didn't.
    pub fn failure(&self) -> Option<Error> {
        let failed: Vec<&Checked> = self
            .checks
            .iter()
            .filter(|check| check.result == Verdict::Failed)
            .collect();
        let first = failed.first()?;
        let what = match failed.len() {
            1 => "a check failed".to_owned(),
            count => format!("{count} checks failed"),
        };
        let mut error = Error::unverified(what);
        for check in &failed {
            error = error.because(format!("{} {}: {}", check.layer.as_str(), check.name, check.evidence));
        }
        Some(error.hint(first.next_step.clone().unwrap_or_default()))
    }
}

impl Verification {
    /// Tells how it went, in a line.
    fn report(&self, reporter: &Reporter) {
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
