//! Proving that a stage works, is private, and can do no more than it must: what a careful person would look at by hand, of
//! everything that the templates have, all at once.
//!
//! Each check is a type with an id, a file of its own in [`checks`] and a page in `docs/checks/`. It looks at each resource
//! that it is about; what it compares with is the template, resolved ([`expected`]).

mod actions;
mod apis;
mod checks;
mod contract;
mod documents;
mod expected;
mod finding;
mod functions;
mod grants;
mod http;
mod known;
pub(crate) mod layer;
mod live;
mod outcome;
mod roles;
mod shared;
mod sign;
mod stage;
mod writes;

use std::cell::RefCell;
use std::time::Duration;

use futures::future::{LocalBoxFuture, join_all};
use futures::{FutureExt, TryFutureExt};
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, ErrorKind, Result};
use crate::project::did_you_mean;
use crate::project::stacks::StackId;
use crate::report::Reporter;
use crate::wait::{Probe, until};
use finding::{Finding, Problem, ProblemKind, Proof, asked};
pub(crate) use known::Known;
use layer::Layer;
pub(crate) use outcome::{CheckResult, Checked, Verification};
use shared::Round;
use stage::Resource;
pub(crate) use stage::{Stage, outputs, scope};
pub(crate) use writes::may_write;

/// How long something may look wrong because AWS is still spreading what was changed: a new role, policy or permission,
/// a name, an API's new snapshot, headers and files on their way to the edges. None of that has a status to ask for.
const SETTLING: Duration = Duration::from_secs(90);
const SETTLING_OFF_AWS: Duration = Duration::from_secs(1);

/// The same for what a distribution sends with its files, after its stack was changed: a headers policy that changes is on its
/// way to every edge, and the distribution's status needn't tell of it.
const SETTLING_AT_THE_EDGES: Duration = Duration::from_secs(300);

fn settling(is_aws: bool, layer: Layer, was_changed: bool) -> Duration {
    match (is_aws, layer) {
        (false, _) => SETTLING_OFF_AWS,
        (true, Layer::Site) if was_changed => SETTLING_AT_THE_EDGES,
        (true, _) => SETTLING,
    }
}

/// However long each took: one fault among good answers is no finding.
const LOOKS: usize = 3;

/// The least that a single look may take, however little time is left. A look that is under way is given up after the
/// timeout: a server that sends ever more, or ever less, would hold it forever.
const LONGEST_LAST_LOOK: Duration = Duration::from_secs(5);

/// A check: one question about everything of a kind.
trait Check: Sync {
    /// Its name for scripts and in `docs/checks/`: stable, in kebab case.
    fn id(&self) -> &'static str;

    /// What it is about.
    fn layer(&self) -> Layer;

    /// What there is to look at.
    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>>;
}

/// One thing that a check looks at, again and again if need be.
struct Look<'a> {
    /// Which it is: `stack.LogicalId`, or a name of the user's own.
    resource: String,
    /// The stacks whose changes may show in it.
    stacks: Vec<StackId>,
    look: Box<dyn Fn(Round) -> LocalBoxFuture<'a, Result<Proof, Problem>> + 'a>,
    /// Whether it is looked at once only, because looking may change something.
    once: bool,
    /// Why it isn't looked at, and what would change that.
    skipped: Option<(String, String)>,
}

impl<'a> Look<'a> {
    /// A look at one resource.
    fn of<F, P>(resource: Resource<'_>, look: impl Fn(Round) -> F + 'a) -> Self
    where
        F: Future<Output = Result<P, Problem>> + 'a,
        P: Into<Proof> + 'a,
    {
        Self::new(resource.id(), vec![resource.stack.definition.id.clone()], look)
    }

    /// A look is a [`Finding`], or a [`Proof`] where there may be something to warn of.
    fn new<F, P>(resource: String, stacks: Vec<StackId>, look: impl Fn(Round) -> F + 'a) -> Self
    where
        F: Future<Output = Result<P, Problem>> + 'a,
        P: Into<Proof> + 'a,
    {
        Self {
            resource,
            stacks,
            look: Box::new(move |round| look(round).map_ok(Into::into).boxed_local()),
            once: false,
            skipped: None,
        }
    }

    /// Looked at once, whatever is found.
    fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// Not looked at, but told: why, and what to do if it is to be looked at.
    fn skipped(self, reason: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self {
            skipped: Some((reason.into(), next_step.into())),
            ..self
        }
    }
}

/// The ids of all checks.
pub(crate) fn check_ids() -> Vec<&'static str> {
    checks::ALL.iter().map(|check| check.id()).collect()
}

/// What checks can be chosen by: their ids, and layers.
pub(crate) fn selectable() -> Vec<&'static str> {
    let layers = Layer::ALL.iter().map(|layer| layer.as_str());
    layers.chain(check_ids()).collect()
}

/// Which checks are to be made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    only: Vec<String>,
    skip: Vec<String>,
}

impl Selection {
    /// Those that `only` names, by ids and layers, or all; but none that `skip` names.
    ///
    /// # Errors
    /// There is no such check or layer.
    pub(crate) fn new(only: &[String], skip: &[String]) -> Result<Self> {
        let known = selectable();
        if let Some(unknown) = only.iter().chain(skip).find(|name| !known.contains(&name.as_str())) {
            let error = Error::new(
                ErrorKind::InvalidUsage,
                format!("there is no check and no layer `{unknown}`"),
            );
            return Err(match did_you_mean(unknown, &known) {
                Some(near) => error.hint(format!("Did you mean `{near}`?")),
                None => error.hint(format!("There is {}.", known.join(", "))),
            });
        }
        Ok(Self {
            only: only.to_vec(),
            skip: skip.to_vec(),
        })
    }

    /// Whether anything is asked of the app's own contract.
    pub(crate) fn has_contract(&self) -> bool {
        checks::ALL
            .iter()
            .any(|check| check.layer() == Layer::App && self.has(*check))
    }

    fn has(&self, check: &dyn Check) -> bool {
        let named = |names: &[String]| {
            names
                .iter()
                .any(|name| name == check.id() || name == check.layer().as_str())
        };
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }
}

/// Makes the checks of the `selection` that have to do with stacks that `concerns` is true of, all at once, and tells how it
/// went. What AWS is still about is looked at again until `timeout`.
pub(crate) async fn verify(
    stage: &Stage<'_>,
    selection: &Selection,
    concerns: impl Fn(&StackId) -> bool,
    timeout: Duration,
    reporter: &Reporter,
) -> Verification {
    reporter.working("verify", "checking");
    let mut made = Vec::new();
    for check in checks::ALL.iter().filter(|check| selection.has(**check)) {
        let mut looks = check.looks(stage);
        for skip in stage.contract.skips.iter().filter(|skip| skip.check == check.id()) {
            let mut found = false;
            for look in &mut looks {
                if skip.resource.as_ref().is_none_or(|resource| *resource == look.resource) {
                    let next_step = "Take it out of `skip` in stacks/verify.yaml to have it looked at.";
                    look.skipped = Some((format!("skipped: {}", skip.reason), next_step.to_owned()));
                    found = true;
                }
            }
            if !found && let Some(resource) = &skip.resource {
                reporter.warn(format!(
                    "stacks/verify.yaml skips {} of {resource}, which it doesn't look at; it does of {}",
                    check.id(),
                    if looks.is_empty() {
                        "nothing".to_owned()
                    } else {
                        resources(&looks)
                    }
                ));
            }
        }
        let looks = looks.into_iter();
        let looks = looks.filter(|look| look.stacks.is_empty() || look.stacks.iter().any(&concerns));
        made.extend(looks.map(|look| looked(*check, look, stage, timeout, reporter)));
    }
    let verification = Verification::of(join_all(made).await);
    verification.report(reporter);
    verification
}

fn resources(looks: &[Look<'_>]) -> String {
    let names: Vec<&str> = looks.iter().map(|look| look.resource.as_str()).collect();
    names.join(", ")
}

async fn looked(
    check: &dyn Check,
    look: Look<'_>,
    stage: &Stage<'_>,
    timeout: Duration,
    reporter: &Reporter,
) -> Checked {
    let cloud = stage.cloud;
    if let Some((evidence, next_step)) = look.skipped {
        return Checked {
            check: check.id(),
            layer: check.layer(),
            resource: look.resource,
            result: CheckResult::Skipped,
            evidence,
            next_step: Some(reporter.next_step(&next_step)),
            warnings: Vec::new(),
        };
    }
    let started = Instant::now();
    let was_changed = look.stacks.iter().any(|stack| stage.changed.contains(stack));
    let settling = timeout.min(settling(cloud.endpoint.is_aws(), check.layer(), was_changed));
    let once = async |round| {
        let end = (started + timeout).max(Instant::now() + LONGEST_LAST_LOOK);
        timeout_at(end, (look.look)(round)).await.ok()
    };
    let last = RefCell::new(None);
    let mut next = Round::FIRST;
    let end = until(cloud.pace(timeout), async || {
        let round = next;
        next = round.next();
        match once(round).await {
            Some(Ok(proof)) => Probe::Ready(proof),
            Some(Err(problem)) if look.once || matches!(problem.kind, ProblemKind::NotProven) => Probe::Failed(problem),
            Some(Err(problem))
                if problem.kind == ProblemKind::Pending || started.elapsed() < settling || round.looks() < LOOKS =>
            {
                reporter.working("verify", format!("waiting: {}", problem.evidence));
                last.replace(Some(problem));
                Probe::Pending
            }
            Some(Err(problem)) => Probe::Failed(problem),
            None if look.once => Probe::Failed(Problem::pending("there was no answer in the time given")),
            None => Probe::Pending,
        }
    })
    .await;
    let finding = end.in_time(|| {
        last.into_inner()
            .unwrap_or_else(|| Problem::pending("it couldn't be looked at in the time given"))
    });
    let (result, evidence, warnings, next_step) = match finding {
        Ok(proof) => (CheckResult::Passed, proof.evidence, proof.warnings, None),
        Err(problem) => {
            let verdict = match problem.kind {
                ProblemKind::NotProven => CheckResult::NotProven,
                ProblemKind::Failed | ProblemKind::Pending => CheckResult::Failed,
            };
            let next_step = reporter.next_step(&problem.next_step);
            (verdict, problem.evidence, Vec::new(), Some(next_step))
        }
    };
    Checked {
        check: check.id(),
        layer: check.layer(),
        resource: look.resource,
        result,
        evidence,
        warnings,
        next_step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_to_the_edges_is_waited_for_the_longest() {
        assert_eq!(settling(true, Layer::Site, true), SETTLING_AT_THE_EDGES);
        assert_eq!(settling(true, Layer::Site, false), SETTLING);
        assert_eq!(settling(true, Layer::Api, true), SETTLING);
        assert_eq!(settling(false, Layer::Site, true), SETTLING_OFF_AWS);
    }
}
