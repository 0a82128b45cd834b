//! `deployer up`: build, provision, seed, publish and verify a stage.
//!
//! First the functions are built and, beside that, everything is read and planned; nothing is created, so that bad input
//! of any kind leaves nothing behind. Then each stack begins as soon as what it needs is there, the seed items follow
//! their tables, and the site its bucket; see [`provision`].

pub(crate) mod difference;
pub(crate) mod packages;
mod parts;
mod permissions;
mod plan;
mod plan_file;
mod provision;
mod scope;
mod site_parameters;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{maybe_done, pending, ready, try_join_all};
use serde::Serialize;

use super::status::{self, StageStatus};
use super::{confirm_changes, read_contract, read_site};
use crate::cli::UpArgs;
use crate::cloud::{CLOUDFRONTS_REGION, Cloud};
use crate::context::{Context, Session};
use crate::error::{Error, ErrorKind, OrFail as _, Result};
use crate::lease::StageLease;
use crate::package::Package;
use crate::project::Project;
use crate::project::contract::Contract;
use crate::project::seeds::StageSeeds;
use crate::project::stacks::{CODE_BUCKET, StackId, StackTemplate};
use crate::project::stages::Seeding;
use crate::project::wiring::Source;
use crate::promise::{Dependency, Promise, promise};
use crate::publish::{self, Destination, Loss, Publication, Purge, Survey};
use crate::releases::{self, Deployment, Record};
use crate::report::{Annotation, CommandResult, Event, Paint, Reporter};
use crate::seeding;
use crate::site::parameters::SiteParameters;
use crate::site::{Site, SiteFiles};
use crate::site_build;
use crate::stack::change::{Mode, StackAction, StackPlan};
use crate::stack::desired::{DesiredStack, TemplateBucket};
use crate::stack::ownership::Adoption;
use crate::stack::read::{Deployed, Stack};
use crate::stack::status::StackState;
use crate::usage;
use crate::verify::{Known, Selection, Stage, Verification, verify};
use packages::{Asked, Packages, Place};
use plan_file::PlanFile;
use provision::Stop;
use scope::Scope;

/// Runs the command.
pub(crate) async fn run(args: &UpArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    if let Some(file) = &args.execute {
        return execute(file, args, session).await;
    }
    let project = super::open(global, reporter)?;
    let prepared = Prepared::of(&project, args, Origin::Folder, reporter).await?;
    let context = Context::connect(project, session).await?;
    match &args.plan {
        Some(file) => difference::plan(&context, prepared, args, file).await,
        None => deploy(context, prepared, args).await,
    }
}

/// Carries out a plan that another run has made.
async fn execute(file: &Path, args: &UpArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let folder = tempfile::tempdir().or_fail(|| "could not make a temporary folder".to_owned())?;
    let (file, into) = (file.to_owned(), folder.path().to_owned());
    let opened = tokio::task::spawn_blocking(move || plan_file::open(&file, &into)).await;
    let opened = opened.or_fail(|| "could not read the plan".to_owned())??;
    let project = opened.project(&global.stage)?;
    for warning in &project.warnings {
        reporter.warn(warning);
    }
    let args = UpArgs {
        only: opened.manifest.only.clone(),
        adopt: opened.manifest.adopt.clone(),
        ..args.clone()
    };
    let prepared = Prepared::of(&project, &args, Origin::Plan(Box::new(opened)), reporter).await?;
    deploy(Context::connect(project, session).await?, prepared, &args).await
}

/// Where the functions' packages come from.
pub(crate) enum Origin {
    /// What is in the project's folder.
    Folder,
    /// A release that is gone back to.
    Release(Rollback),
    /// A plan.
    Plan(Box<PlanFile>),
}

/// What a run goes back to, beside the folder that the release was made from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rollback {
    /// The release's number.
    pub to: u64,
    /// Its functions' packages.
    pub packages: BTreeMap<Asked, PathBuf>,
    /// The stacks that stay as they are.
    pub left: BTreeSet<StackId>,
    /// Whether it has a site.
    pub has_site: bool,
}

/// What the folder alone tells of a run, before anything is asked of the cloud.
pub(crate) struct Prepared {
    contract: Contract,
    seeds: StageSeeds,
    scope: Scope,
    purge: Purge,
    packages: Packages,
    site: Option<Site>,
    site_config: Vec<(String, StackId, String)>,
    site_parameters: Option<SiteParameters>,
    /// The project's files, for the record of what was deployed.
    files: BTreeMap<String, Vec<u8>>,
    /// Whether it is what the folder has now; else it was deployed or planned before.
    is_of_folder: bool,
    rolled_back_to: Option<u64>,
    /// The plan that it must be, exactly.
    plan: Option<Box<PlanFile>>,
}

impl Prepared {
    /// Reads and checks all of it.
    ///
    /// # Errors
    /// What is there can't be deployed, as bad input.
    pub(crate) async fn of(project: &Project, args: &UpArgs, origin: Origin, reporter: &Reporter) -> Result<Self> {
        project.check_as_a_whole()?;
        let scope = Scope::new(&args.only, project)?;
        let scope = match &origin {
            Origin::Release(rollback) => scope.of_rollback(&rollback.left, rollback.has_site),
            Origin::Folder | Origin::Plan(_) => scope,
        };
        project.check_templates(|id| scope.has(id))?;
        let contract = read_contract(project)?;
        let seeds = project.seeds(None, None)?;
        if !args.purge.is_empty() && !scope.site {
            return Err(Error::new(
                ErrorKind::InvalidUsage,
                "--purge is about the site, which this run doesn't publish",
            )
            .hint("Say `deployer up --only site --purge GLOB`, in a project that has a site."));
        }
        let purge = Purge::new(&args.purge)?;
        let packages = match &origin {
            Origin::Folder => Packages::of(project, &scope, &args.function_package, reporter).await?,
            Origin::Release(rollback) => Packages::of_zips(project, &scope, &rollback.packages),
            Origin::Plan(plan) => Packages::of_zips(project, &scope, &plan.packages),
        };
        if scope.site {
            site_build::run(project, reporter).await?;
        }
        let site = scope.site.then(|| read_site(project, reporter)).transpose()?;
        let site_config = match &site {
            Some(site) => project.site_config(site.has(&project.stage.site.config_file))?,
            None => Vec::new(),
        };
        let site_parameters = match (&site, project.site_stack()) {
            (Some(site), Some(stack))
                if project
                    .wiring()
                    .sources(&stack.id)
                    .any(|(_, source)| *source == Source::Site) =>
            {
                Some(SiteParameters::of(site, &project.stage.site)?)
            }
            _ => None,
        };
        for warning in site_parameters.iter().flat_map(|site| &site.policy.warnings) {
            reporter.warn(warning);
        }
        let files = project.files().into_iter().chain(contract.files.clone());
        Ok(Self {
            files: files.collect(),
            contract,
            seeds,
            scope,
            purge,
            packages,
            site,
            site_config,
            site_parameters,
            is_of_folder: matches!(origin, Origin::Folder),
            rolled_back_to: match &origin {
                Origin::Release(rollback) => Some(rollback.to),
                Origin::Folder | Origin::Plan(_) => None,
            },
            plan: match origin {
                Origin::Plan(plan) => Some(plan),
                Origin::Folder | Origin::Release(_) => None,
            },
        })
    }

    /// The stage as it is, once nothing is under way on it: with all that this run needs of it.
    ///
    /// # Errors
    /// A stack is somebody else's, or something isn't deployed that the run isn't about and needs.
    async fn survey(&self, context: &Context<'_>, args: &UpArgs) -> Result<BTreeMap<StackId, Deployed>> {
        let before = context
            .settled_survey(Adoption {
                stacks: &args.adopt,
                strangers: true,
            })
            .await?;
        let seeded = self.seeds.stacks();
        self.scope
            .check_needs(&context.project, &before, &seeded, &self.site_config)?;
        Ok(before)
    }
}

/// Brings the stage to what was prepared, proves it, and tells what it is like then.
///
/// # Errors
/// A part of it failed, or the proof did.
pub(crate) async fn deploy(context: Context<'_>, prepared: Prepared, args: &UpArgs) -> Result<()> {
    let reporter = context.reporter;
    let (outcome, failure) = deployed(context, prepared, args).await?;
    // What was done is told in any case.
    reporter.result(&outcome)?;
    failure.map_or(Ok(()), Err)
}

/// Brings the stage to what was prepared, and proves it. Returns what it is like then, and what the proof failed for.
///
/// # Errors
/// A part of it failed.
pub(crate) async fn deployed(
    context: Context<'_>,
    mut prepared: Prepared,
    args: &UpArgs,
) -> Result<(UpOutcome, Option<Error>)> {
    let reporter = context.reporter;
    if args.revert_drift && !context.cloud.endpoint.is_aws() {
        return Err(Error::new(
            ErrorKind::InvalidUsage,
            "--revert-drift is for AWS: emulators don't tell what was changed by hand",
        )
        .hint(
            "Nothing was changed. `deployer verify` finds it here, too; `deployer down` and `deployer up` undo it.",
        ));
    }
    let _lock = context.lock().await?;
    if let Some(plan) = &prepared.plan {
        plan.manifest.check_place(&context)?;
    }
    let before = prepared.survey(&context, args).await?;
    if args.with_changes {
        let protected = context.is_protected(&before);
        confirm_changes(&prepared.contract, &context.project, protected, reporter).await?;
    }
    if let Some(plan) = &prepared.plan {
        plan.manifest.check_start(&before)?;
        let packages = Packages::of_zips(&context.project, &prepared.scope, &plan.packages);
        let (difference, _) = Up::new(&context, &prepared, args, &before).difference(packages).await?;
        plan.manifest.check_fingerprint(&difference.fingerprint())?;
        reporter.finished("plan", plan.manifest.describe(), false);
    }
    let packages = std::mem::take(&mut prepared.packages);
    let up = Up::new(&context, &prepared, args, &before);
    let (ran, recorded) = tokio::join!(up.run(packages), up.recorded());
    let (deployed, packages, known) = ran?;
    let recorded = recorded.filter(|_| !up.has_changed(&deployed));
    let status = status::summarize(&context, &deployed, up.seeds);
    let recording = up.record(
        &deployed,
        &packages,
        &prepared.files,
        prepared.rolled_back_to,
        recorded.as_deref(),
    );
    let proving = async {
        if args.no_verify || !status.deployed {
            return Ok(None);
        }
        let stage = Stage::new(&context, &deployed, up.seeds, up.site, &packages, &prepared.contract)?;
        let changed = up.changed(&deployed).cloned().collect();
        let stage = stage
            .with_changes(args.with_changes)
            .full(args.full)
            .knowing(known)
            .having_changed(changed);
        let concerns = |id: &StackId| up.scope.concerns(id, &context.project);
        Ok::<_, Error>(Some(
            verify(&stage, &Selection::default(), concerns, VERIFY_WITHIN, reporter).await,
        ))
    };
    let noting = up.note_use(&deployed);
    let ((), (), verification) = tokio::join!(recording, noting, proving);
    let verification = verification?;
    let failure = verification.as_ref().and_then(Verification::failure);
    Ok((UpOutcome { status, verification }, failure))
}

/// How long what CloudFront and IAM are still about may take.
const VERIFY_WITHIN: Duration = Duration::from_secs(600);

/// What a stage is like after `up`.
#[derive(Debug, Serialize)]
pub(crate) struct UpOutcome {
    #[serde(flatten)]
    status: StageStatus,
    /// None if it wasn't wanted, or the stage isn't complete yet.
    verification: Option<Verification>,
}

impl CommandResult for UpOutcome {
    const SCHEMA: Option<u32> = StageStatus::SCHEMA;

    fn annotations(&self) -> Vec<Annotation> {
        self.verification.iter().flat_map(CommandResult::annotations).collect()
    }

    fn summary(&self) -> Option<String> {
        self.verification.as_ref()?.summary()
    }

    fn text(&self, paint: &Paint) -> String {
        let mut text = self.status.text(paint);
        if let Some(verification) = &self.verification {
            text.push_str(&verification.troubles(paint));
        }
        text
    }
}

/// The bucket of packages and releases, with the clients of where it is; none if the stage has none.
pub(crate) fn artifacts_of<'a, 's>(
    context: &'a Context<'_>,
    stack: impl FnOnce(&StackId) -> Option<&'s Stack>,
) -> Option<(&'a Cloud, String)> {
    let id = &context.project.artifacts_stack()?.id;
    let bucket = stack(id)?.outputs.get(CODE_BUCKET)?.clone();
    Some((context.cloud_of(id), bucket))
}

/// What several parts failed for, each with its own next step.
fn several(failures: Vec<Error>) -> Error {
    let several = Error::together(format!("{} parts failed", failures.len()), failures);
    if several.next_step().is_none() {
        several.hint("Run the same command again.")
    } else {
        several
    }
}

struct Up<'a> {
    context: &'a Context<'a>,
    scope: Scope,
    /// Compare with what is really there, not with what was deployed.
    revert_drift: bool,
    /// Stacks that needn't say whose they are.
    adopted: &'a [String],
    /// Wait until CloudFront has forgotten what changed of the site.
    wait: bool,
    /// What of that which is no longer in the site goes at once.
    purge: &'a Purge,
    seeds: &'a StageSeeds,
    site: Option<&'a Site>,
    /// What the site is told: each name with the stack and the output that has its value.
    site_config: &'a [(String, StackId, String)],
    /// What the site wants the parameters to be that it gives; nothing without a site in this run.
    site_wants: BTreeMap<&'static str, String>,
    /// What they are made of.
    site_parameters: Option<&'a SiteParameters>,
    before: &'a BTreeMap<StackId, Deployed>,
    /// What is skipped of what is looked at in the folder; none if this isn't the folder as it is now.
    contract: Option<&'a Contract>,
    /// Whether the stage is verified at the end.
    is_verified: bool,
    /// Whether the site was changed.
    has_published: Cell<bool>,
}

/// Tables, each with its stack and its name.
type SeededBefore = BTreeSet<(StackId, String)>;

/// The functions' packages, by what asks for them.
type Built = BTreeMap<Asked, Package>;

impl<'a> Up<'a> {
    /// A run with what was `prepared`, on the stage as it is `before`.
    fn new(
        context: &'a Context<'a>,
        prepared: &'a Prepared,
        args: &'a UpArgs,
        before: &'a BTreeMap<StackId, Deployed>,
    ) -> Self {
        let edges = site_parameters::edges(&context.cloud.endpoint);
        let site_wants = prepared.site_parameters.as_ref();
        Self {
            context,
            scope: prepared.scope.clone(),
            revert_drift: args.revert_drift,
            adopted: &args.adopt,
            wait: args.wait,
            purge: &prepared.purge,
            seeds: &prepared.seeds,
            site: prepared.site.as_ref(),
            site_config: &prepared.site_config,
            site_wants: site_wants
                .map(|site| site_parameters::wanted(site, edges))
                .unwrap_or_default(),
            site_parameters: prepared.site_parameters.as_ref(),
            before,
            contract: prepared.is_of_folder.then_some(&prepared.contract),
            is_verified: !args.no_verify,
            has_published: Cell::new(false),
        }
    }
}

impl Up<'_> {
    fn reporter(&self) -> &Reporter {
        self.context.reporter
    }

    /// The stacks that aren't what they were before.
    fn changed<'d>(&self, deployed: &'d BTreeMap<StackId, Deployed>) -> impl Iterator<Item = &'d StackId> {
        let before = self.before;
        let is_changed = |(id, now): &(&StackId, &Deployed)| {
            let before = before.get(*id);
            before.is_none_or(|before| !before.stack.is_unchanged(&now.stack))
        };
        deployed.iter().filter(is_changed).map(|(id, _)| id)
    }

    /// Whether this run has changed what a release is made from.
    fn has_changed(&self, deployed: &BTreeMap<StackId, Deployed>) -> bool {
        self.has_published.get() || self.changed(deployed).next().is_some()
    }

    /// The releases as they are before this run changes anything, asked for beside all else.
    async fn recorded(&self) -> Option<Vec<Record>> {
        let (artifacts, bucket) = artifacts_of(self.context, |id| Some(&self.before.get(id)?.stack))?;
        releases::records(artifacts, &bucket).await.ok()
    }

    /// Records what was deployed, so that it can be deployed again. The app works without that.
    async fn record(
        &self,
        stacks: &BTreeMap<StackId, Deployed>,
        packages: &BTreeMap<Asked, String>,
        files: &BTreeMap<String, Vec<u8>>,
        rolled_back_to: Option<u64>,
        recorded: Option<&[Record]>,
    ) {
        let project = &self.context.project;
        let Some((artifacts, bucket)) = artifacts_of(self.context, |id| Some(&stacks.get(id)?.stack)) else {
            return;
        };
        let deployment = Deployment {
            project,
            files,
            scope: stacks.keys().filter(|id| self.scope.has(id)).cloned().collect(),
            stacks,
            packages,
            site: self.site.filter(|_| self.scope.site),
            rolled_back_to,
        };
        let recorded = async {
            if !self.purge.is_empty() {
                let files = self.site.map(Site::files).transpose()?;
                let files = files.iter().flat_map(SiteFiles::iter);
                let sums = files.map(|(_, file)| file.sum.to_string()).collect();
                releases::purge(artifacts, &bucket, self.purge, &sums).await?;
            }
            releases::record(artifacts, &bucket, &deployment, recorded).await
        };
        match recorded.await {
            Ok(Some(number)) => self.reporter().finished("release", format!("recorded as {number}"), false),
            Ok(None) => {}
            Err(error) => self.reporter().warn(format!(
                "all is deployed, but it isn't recorded, so that `deployer rollback` doesn't know it: {error}. The same \
                 command again records it"
            )),
        }
    }

    /// Notes that the stage is used, where something goes by that: a stage that expires, or one in regions that a checkout
    /// without its templates wouldn't look into.
    async fn note_use(&self, stacks: &BTreeMap<StackId, Deployed>) {
        let regions: BTreeSet<String> = self.context.other_regions().cloned().collect();
        let is_far = regions.iter().any(|region| region != CLOUDFRONTS_REGION);
        if self.context.project.stage.expires.is_none() && !is_far {
            return;
        }
        let Some((artifacts, bucket)) = artifacts_of(self.context, |id| Some(&stacks.get(id)?.stack)) else {
            return;
        };
        if let Err(error) = usage::record(artifacts, &bucket, regions).await {
            self.reporter()
                .warn(format!("it isn't recorded that the stage was used just now: {error}"));
        }
    }

    /// Does it all. Returns the stage as it is then, the keys of the packages that this run has made, and what it has read
    /// and not changed.
    async fn run(&self, packages: Packages) -> Result<(BTreeMap<StackId, Deployed>, BTreeMap<Asked, String>, Known)> {
        let (promise, built) = promise();
        let building = self.build(packages, promise);
        let planning = async { tokio::try_join!(self.plan(built.clone()), self.seeded_before()) };
        tokio::pin!(building, planning);
        let planned = async {
            tokio::select! {
                planned = &mut planning => {
                    // If the planning fails, nobody waits for the build.
                    let plans = planned?;
                    Ok((building.await?, plans))
                }
                built = &mut building => match (built, planning.await) {
                    // A function that doesn't build is why the plan couldn't be made.
                    (Err(error), _) | (Ok(_), Err(error)) => Err(error),
                    (Ok(built), Ok(plans)) => Ok((built, plans)),
                },
            }
        };
        let mut survey = maybe_done(self.survey_site(built.clone()).boxed_local());
        let surveying = async {
            (&mut survey).await;
            pending::<Infallible>().await
        };
        let (packages, (plans, seeded_before)) = tokio::select! {
            planned = planned => planned?,
            never = surveying => match never {},
        };
        let shown: Vec<StackPlan> = plans.in_order(&self.context.project).cloned().collect();
        let mut losses: Vec<String> = shown.iter().flat_map(|plan| self.losses(plan)).collect();
        let (mut what, mut otherwise) = (CHANGING_DATA, "Nothing was changed.".to_owned());
        let is_change = |plan: &StackPlan| plan.verdict != StackAction::Unchanged;
        let in_scope = self.context.project.stacks().filter(|stack| self.scope.has(&stack.id));
        let is_changing = shown.len() < in_scope.count() || shown.iter().any(is_change);
        if is_changing {
            // Nothing is changed before it is known what the site would lose. Else publishing asks, and what is read beside
            // that doesn't wait for it.
            (&mut survey).await;
        }
        let survey = match Pin::new(&mut survey).take_output() {
            Some(survey) => {
                if let Some((loss, bucket)) = self.site_loss(survey.as_ref()) {
                    if losses.is_empty() {
                        what = publish::REPLACING;
                    }
                    losses.push(loss.question(bucket));
                    otherwise = loss.otherwise(&otherwise);
                }
                ready(survey.map(Survey::told)).boxed_local()
            }
            None => async {
                (&mut survey).await;
                Pin::new(&mut survey).take_output().flatten()
            }
            .boxed_local(),
        };
        self.reporter().event(&Event::Plan {
            stacks: shown.iter().map(StackPlan::shown).collect(),
        });
        let guarded = self.is_protected() && !self.before.is_empty() && shown.iter().any(is_change);
        if guarded && self.reporter().can_ask() {
            // Whoever stands before a terminal may be in another one than they think.
            let place = self.context.protected_place();
            self.reporter().confirm(&place, &losses, &otherwise).await?;
        } else if !losses.is_empty() {
            self.reporter().confirm(what, &losses, &otherwise).await?;
        }
        let keys = packages
            .iter()
            .map(|(asked, package)| (asked.clone(), package.key.clone()))
            .collect();
        self.tell_of_policy();
        self.reporter().event(&Event::Parts {
            parts: self.parts(&packages),
        });
        let provisioning = async { Ok(self.provision(plans, packages, &seeded_before, survey).await) };
        let (outcomes, stacks, known) = match self.lease(is_changing).await? {
            Some(lease) => lease.hold(provisioning).await?,
            None => provisioning.await?,
        };
        let is_skipped = outcomes.iter().any(|outcome| matches!(outcome, Err(Stop::Skipped)));
        let failures: Vec<Error> = outcomes
            .into_iter()
            .filter_map(|outcome| match outcome {
                Err(Stop::Failed(error)) => Some(error),
                Ok(()) | Err(Stop::Skipped) => None,
            })
            .collect();
        match <[Error; 1]>::try_from(failures) {
            Ok([only]) => Err(only),
            Err(failures) if failures.is_empty() && is_skipped => Err(Error::failed(
                "not all was done: a stack lacks an output that another part needs",
            )
            .hint("It is as it was deployed before. Run `deployer up` without --only once.")),
            Err(failures) if failures.is_empty() => Ok((stacks, keys, known)),
            Err(failures) => Err(several(failures)),
        }
    }

    /// The right to change the stage, if this run does: a stage that is being created has nothing yet to tell others by, and is
    /// kept from them by its stacks' names. What is planned has to be about the stage as it is then.
    async fn lease(&self, is_changing: bool) -> Result<Option<StageLease<'_>>> {
        let place = artifacts_of(self.context, |id| Some(&self.before.get(id)?.stack));
        let Some((cloud, bucket)) = place.filter(|_| is_changing) else {
            return Ok(None);
        };
        let lease = StageLease::take(cloud, &bucket, "up", self.reporter()).await?;
        let now = self.context.stacks().await?;
        // What this run is about to create has a shell of its own.
        let is_there = |stack: &&Stack| stack.state() != StackState::InReview;
        let is_other = |id: &StackId| {
            let before = self.before.get(id).map(|before| &before.stack).filter(is_there);
            match (before, now.get(id).filter(is_there)) {
                (None, None) => false,
                (Some(before), Some(now)) => !before.is_unchanged(now) || before.status != now.status,
                (None, Some(_)) | (Some(_), None) => true,
            }
        };
        if self.context.project.stacks().any(|stack| is_other(&stack.id)) {
            return Err(Error::new(
                ErrorKind::ChangedMeanwhile,
                "another run has changed the stage meanwhile",
            )
            .cause("what was planned is about how it was before")
            .hint("Run the same command again: it plans anew, from how the stage is now."));
        }
        Ok(lease)
    }

    /// What a plan would lose. Of a stack that may be somebody's, whatever leaves it is theirs.
    fn losses(&self, plan: &StackPlan) -> Vec<String> {
        if self.adopted.contains(&plan.name) {
            plan.removals()
        } else {
            plan.losses()
        }
    }

    /// Builds the functions; nothing if this run has no use for them.
    async fn build(&self, packages: Packages, promise: Promise<Built>) -> Result<Built> {
        if packages.is_empty() {
            promise.set(Built::new());
            return Ok(Built::new());
        }
        self.reporter().working(BUILDING, "building");
        let built = packages
            .build(&self.context.project, Place::of(self.context), self.reporter())
            .await;
        let built = match (built, self.contract) {
            (Ok(built), Some(contract)) => self.check(contract, &built).await.map(|()| built),
            (built, _) => built,
        };
        match &built {
            Ok(packages) => {
                self.reporter().finished(BUILDING, "built", false);
                promise.set(packages.clone());
            }
            Err(error) => self.reporter().stopped(BUILDING, error.message()),
        }
        built
    }

    /// Holds what was built against its roles. What these have too much `verify` says, where that follows.
    async fn check(&self, contract: &Contract, built: &Built) -> Result<()> {
        let project = &self.context.project;
        permissions::check(project, contract, built).await?;
        if !self.is_verified {
            for sentence in permissions::unused(project, contract, built).await? {
                self.reporter().warn(sentence);
            }
        }
        Ok(())
    }

    /// The tables that were seeded completely before, where that is how it is known whether to seed them. Asked before
    /// anything is changed, so that an update that takes their tags away doesn't matter.
    async fn seeded_before(&self) -> Result<SeededBefore> {
        if !self.scope.seed || self.context.project.stage.seed != Seeding::Once {
            return Ok(SeededBefore::new());
        }
        let tables = self.seeds.tables().filter_map(|(table, _)| {
            let id = StackId::new(&table.stack);
            let name = seeding::name_of(self.before.get(&id)?, table).ok()?;
            Some((id, name))
        });
        let marked = try_join_all(tables.map(async |(id, name)| {
            let is_marked = seeding::is_marked(self.context.cloud_of(&id), name).await?;
            Ok::<_, Error>(is_marked.then(|| (id, name.to_owned())))
        }));
        Ok(marked.await?.into_iter().flatten().collect())
    }

    /// What the site's bucket has, as it is deployed before this run changes anything; none where that can't be told yet.
    async fn survey_site(&self, mut built: Dependency<Built>) -> Option<Survey> {
        let project = &self.context.project;
        let deployed = |stack: &StackTemplate| self.before.get(&stack.id).map(|deployed| &deployed.stack);
        let (site, stack) = self.site.zip(project.site_stack())?;
        let (presentation, artifacts) = deployed(stack).zip(project.artifacts_stack().and_then(deployed))?;
        let place = Destination::of(presentation, artifacts).ok()?;
        // Until then there is time: whatever else is asked comes after it, too, and nothing is to wait for this.
        built.wait().await.ok()?;
        // What can't be read now an update may mend. Publishing tells why it can't be done.
        publish::survey(self.context.cloud_of(&stack.id), place, site)
            .await
            .ok()
    }

    /// What the site would lose, if that is much, and the bucket that it is in.
    fn site_loss<'s>(&self, survey: Option<&'s Survey>) -> Option<(Loss, &'s str)> {
        let (survey, site) = survey.zip(self.site)?;
        let loss = survey.loss(&self.publication(site), !self.site_config.is_empty())?;
        Some((loss, survey.bucket()))
    }

    fn publication<'s>(&'s self, site: &'s Site) -> Publication<'s> {
        Publication {
            site,
            settings: &self.context.project.stage.site,
            purge: self.purge,
            wait: self.wait,
        }
    }

    /// Whether the stage is protected: a checkout that doesn't say so mustn't hurry what holds data.
    fn is_protected(&self) -> bool {
        self.context.is_protected(self.before)
    }

    /// A stack as it is wanted, with these values beside what its settings give it.
    fn desired(&self, stack: &StackTemplate, mut inputs: BTreeMap<String, String>) -> DesiredStack {
        self.add_site_values(&stack.id, &mut inputs);
        let mut wanted = self.context.desired(stack, inputs);
        wanted.mode = match (self.revert_drift, self.is_protected()) {
            (true, _) => Mode::RevertDrift,
            (false, true) => Mode::Standard,
            (false, false) => Mode::Express,
        };
        wanted.bucket = self.bucket_before();
        wanted
    }

    /// The bucket that large templates go through, as it is before this run changes anything.
    fn bucket_before(&self) -> Option<TemplateBucket> {
        let artifacts = self.context.project.artifacts_stack()?;
        let name = self.before.get(&artifacts.id)?.stack.outputs.get(CODE_BUCKET)?;
        Some(self.template_bucket(&artifacts.id, name.clone()))
    }

    fn template_bucket(&self, artifacts: &StackId, name: String) -> TemplateBucket {
        TemplateBucket {
            name,
            region: self.context.cloud_of(artifacts).region.clone(),
        }
    }
}

/// What is asked about.
const CHANGING_DATA: &str = "change what holds data";

/// What the reporter calls the functions' part.
const BUILDING: &str = "function";
