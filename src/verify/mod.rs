//! Proving that a stage works, is private, and can do no more than it must: the checks that a careful person would make
//! by hand, layer by layer, all at once.

mod api;
mod data;
mod finding;
mod function;
mod http;
pub mod layer;
mod outcome;
mod permissions;
mod policy;
mod privacy;
mod recent;
mod site;
mod subject;

use std::cell::RefCell;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{LocalBoxFuture, join_all};
use tokio::time::{Instant, timeout_at};

use crate::cloud::Cloud;
use crate::report::Reporter;
use crate::wait::{Probe, until};
use finding::{Finding, Kind, Problem, asked};
use layer::Layer;
pub use outcome::{Checked, Verdict, Verification};
pub use subject::Subject;

/// How long something may look wrong because AWS is still spreading what was changed: a new role, policy or permission,
/// a name, an API's new snapshot, headers and files on their way to the edges. None of that has a status to ask for.
const SETTLING: Duration = Duration::from_secs(90);
const SETTLING_OFF_AWS: Duration = Duration::from_secs(1);

/// However long each took: one fault among good answers is no finding.
const LOOKS: usize = 3;

/// The least that a single look may take, however little time is left. A look that is under way is given up after the
/// timeout: a server that sends ever more, or ever less, would hold it forever.
const LONGEST_LAST_LOOK: Duration = Duration::from_secs(5);

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
        check(Layer::Api, "error answers", || api::error_answers(subject)),
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

/// Makes those checks that are `wanted` by layer and name, all at once, and tells how it went. What AWS is still about is
/// looked at again until `timeout`.
pub async fn verify(
    subject: &Subject<'_>,
    wanted: impl Fn(Layer, &str) -> bool,
    timeout: Duration,
    reporter: &Reporter,
) -> Verification {
    reporter.working("verify", "checking");
    let checks = checks(subject);
    let wanted = checks.iter().filter(|check| wanted(check.layer, check.name));
    let made = join_all(wanted.map(|check| made(check, subject.cloud, timeout, reporter))).await;
    let verification = Verification::of(made);
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
    let look = async || {
        let end = (started + timeout).max(Instant::now() + LONGEST_LAST_LOOK);
        timeout_at(end, (check.look)()).await.ok()
    };
    let last = RefCell::new(None);
    let mut looks = 0;
    let end = until(cloud.pace(timeout), async || {
        looks += 1;
        match look().await {
            Some(Ok(evidence)) => Probe::Ready(evidence),
            Some(Err(problem)) if problem.kind == Kind::NotProven => Probe::Failed(problem),
            Some(Err(problem)) if problem.kind == Kind::Pending || started.elapsed() < settling || looks < LOOKS => {
                reporter.working("verify", format!("waiting: {}", problem.evidence));
                last.replace(Some(problem));
                Probe::Pending
            }
            Some(Err(problem)) => Probe::Failed(problem),
            None => Probe::Pending,
        }
    })
    .await;
    let finding = end.in_time(|| {
        last.into_inner()
            .unwrap_or_else(|| Problem::pending("it couldn't be looked at in the time given"))
    });
    let (result, evidence, next_step) = match finding {
        Ok(evidence) => (Verdict::Passed, evidence, None),
        Err(problem) => {
            let verdict = match problem.kind {
                Kind::NotProven => Verdict::NotProven,
                Kind::Failed | Kind::Pending => Verdict::Failed,
            };
            let next_step = reporter.next_step(&problem.next_step);
            (verdict, problem.evidence, Some(next_step))
        }
    };
    Checked {
        layer: check.layer,
        name: check.name,
        result,
        evidence,
        next_step,
    }
}
