//! `deployer up`: build, provision, seed and publish a stage.
//!
//! First the function is built and, beside that, everything is read and planned; nothing is created, so that bad input
//! of any kind leaves nothing behind. Then the parts run side by side; each waits only for the facts it needs:
//!
//! ```text
//! artifacts ─ upload ─ code ┐
//! data ──────────── table ──┼─► logic ── api ──┐
//!            └─► seed       │                  ├─► site
//! presentation ─── origin ──┘      bucket ─────┘
//! ```

use std::future::Future;
use std::time::Duration;

use aws_sdk_lambda::types::{LastUpdateStatus, State};
use tokio::sync::watch;

use super::Context;
use super::status::{self, api_url};
use crate::cli::{Global, Part, UpArgs};
use crate::cloud::sdk_error::explain;
use crate::conflicts;
use crate::error::{Error, Result};
use crate::fact::{Fact, Teller, Unknown, fact};
use crate::package::{self, Package, Target};
use crate::project::seed::Item;
use crate::project::{Project, Tier};
use crate::report::{Event, Reporter};
use crate::seeding;
use crate::site;
use crate::stack::change::{StackPlan, Verdict};
use crate::stack::deploy::{self, Planned};
use crate::stack::events::ResourceEvent;
use crate::stack::follow;
use crate::stack::read::Stack;
use crate::stack::wanted::Wanted;
use crate::wait::{Probe, Waited, until};

/// Parameters of the logic stack that other stacks and the build give.
const FROM_OTHERS: &[&str] = &["TableName", "TableArn", "AllowedOrigin", "CodeBucket", "CodeKey"];

/// Runs the command.
pub async fn run(args: &UpArgs, global: &Global, reporter: &Reporter) -> Result<()> {
    let project = Project::open(&global.project_dir, &global.stage)?;
    // What the folder alone can tell is told before anything is asked of the cloud.
    let items = project.seed_items(None)?;
    for tier in Tier::ALL {
        let later = if tier == Tier::Logic { FROM_OTHERS } else { &[] };
        Wanted::new(&project, tier, &[])?.check_parameters(later)?;
    }
    let scope = Scope::new(args.only);
    if scope.logic {
        package::manifest(&project)?;
    }
    if scope.site {
        site::check(&project.site_dir())?;
    }
    let context = Context::connect(project, global, reporter).await?;
    let before = read_all(&context).await?;
    check_names(&context, &scope, &before).await?;
    Up {
        context: &context,
        scope,
        items,
        before,
    }
    .run()
    .await?;
    reporter.outcome(&status::read_stage(&context).await?)
}

/// Which parts a run has.
#[derive(Debug, Clone, Copy)]
struct Scope {
    artifacts: bool,
    data: bool,
    presentation: bool,
    logic: bool,
    seed: bool,
    site: bool,
}

impl Scope {
    fn new(only: Option<Part>) -> Self {
        let is = |parts: &[Part]| only.is_none_or(|only| parts.contains(&only));
        let function = is(&[Part::Logic, Part::Function]);
        Self {
            artifacts: function,
            data: is(&[Part::Data]),
            presentation: is(&[Part::Presentation]),
            logic: function,
            seed: is(&[Part::Seed]),
            site: is(&[Part::Site]),
        }
    }

    fn has(&self, tier: Tier) -> bool {
        match tier {
            Tier::Artifacts => self.artifacts,
            Tier::Data => self.data,
            Tier::Presentation => self.presentation,
            Tier::Logic => self.logic,
        }
    }
}

/// The stacks as they are before the run; operations under way have been waited for.
#[derive(Debug, Clone)]
struct Before {
    artifacts: Option<Stack>,
    data: Option<Stack>,
    presentation: Option<Stack>,
    logic: Option<Stack>,
}

impl Before {
    fn of(&self, tier: Tier) -> Option<&Stack> {
        match tier {
            Tier::Artifacts => self.artifacts.as_ref(),
            Tier::Data => self.data.as_ref(),
            Tier::Presentation => self.presentation.as_ref(),
            Tier::Logic => self.logic.as_ref(),
        }
    }
}

async fn read_all(context: &Context<'_>) -> Result<Before> {
    let read = async |tier| {
        let name = context.project.stack_name(tier);
        follow::settled(&context.cloud, tier, &name, context.reporter).await
    };
    let (artifacts, data, presentation, logic) = tokio::try_join!(
        read(Tier::Artifacts),
        read(Tier::Data),
        read(Tier::Presentation),
        read(Tier::Logic)
    )?;
    Ok(Before {
        artifacts,
        data,
        presentation,
        logic,
    })
}

/// Checks the names that the templates choose, and that those of stacks to be created are free.
async fn check_names(context: &Context<'_>, scope: &Scope, before: &Before) -> Result<()> {
    let pseudo = context.cloud.pseudo_parameters();
    let mut to_create = Vec::new();
    for tier in Tier::ALL {
        let named = Wanted::new(&context.project, tier, &[])?.named_resources(&pseudo)?;
        if scope.has(tier) && before.of(tier).is_none() {
            to_create.extend(named);
        }
    }
    conflicts::check(&context.cloud, to_create).await
}

/// The table, as the logic tier needs it.
#[derive(Debug, Clone, PartialEq)]
struct Table {
    name: String,
    arn: String,
}

/// Where the function's package is.
#[derive(Debug, Clone, PartialEq)]
struct Code {
    bucket: String,
    key: String,
}

/// The site's bucket and the distribution in front of it.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    bucket: String,
    distribution: String,
}

struct Up<'a> {
    context: &'a Context<'a>,
    scope: Scope,
    items: Vec<Item>,
    before: Before,
}

/// The plans that could be made before anything is created; the logic stack's only when all it needs is known.
struct Plans {
    artifacts: Option<Planned>,
    data: Option<Planned>,
    presentation: Option<Planned>,
    logic: Option<Planned>,
}

impl Plans {
    fn all(&self) -> impl Iterator<Item = &Planned> {
        [&self.artifacts, &self.data, &self.presentation, &self.logic]
            .into_iter()
            .flatten()
    }

    async fn discard(&self, context: &Context<'_>) {
        for planned in self.all() {
            // The refusal is what is reported; a change set that stays behind changes nothing.
            if let Err(error) = planned.discard(&context.cloud).await {
                context.reporter.warn(error.to_string());
            }
        }
    }
}

/// Why a part didn't get done.
enum Stop {
    Failed(Error),
    /// Something it needs failed.
    Skipped,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Unknown> for Stop {
    fn from(_: Unknown) -> Self {
        Self::Skipped
    }
}

type Done = Result<(), Stop>;

impl Up<'_> {
    fn reporter(&self) -> &Reporter {
        self.context.reporter
    }

    async fn run(self) -> Result<()> {
        let (package_teller, package) = fact();
        let (built, planned) = tokio::join!(self.build(package_teller), self.plan(package));
        let (package, plans) = match (built, planned) {
            (Ok(package), Ok(plans)) => (package, plans),
            (Err(error), Ok(plans)) => {
                plans.discard(self.context).await;
                return Err(error);
            }
            // A function that doesn't build is why the plan couldn't be made.
            (Err(error), Err(_)) | (Ok(_), Err(error)) => return Err(error),
        };
        let shown: Vec<StackPlan> = plans.all().map(|planned| planned.plan.clone()).collect();
        let losses: Vec<String> = shown.iter().flat_map(StackPlan::losses).collect();
        self.reporter().event(&Event::Plan { stacks: shown });
        if !losses.is_empty()
            && let Err(refusal) = self.reporter().confirm("change what holds data", &losses)
        {
            plans.discard(self.context).await;
            return Err(refusal);
        }
        let outcomes = self.provision(plans, package).await;
        let failures: Vec<Error> = outcomes
            .into_iter()
            .filter_map(|outcome| match outcome {
                Err(Stop::Failed(error)) => Some(error),
                Ok(()) | Err(Stop::Skipped) => None,
            })
            .collect();
        match <[Error; 1]>::try_from(failures) {
            Ok([only]) => Err(only),
            Err(failures) => match failures.first() {
                None => Ok(()),
                Some(first) => {
                    let mut all = Error::failed(format!("{} parts failed", failures.len()));
                    for failure in &failures {
                        all = all.because(failure);
                    }
                    Err(all.hint(first.next_step().unwrap_or("Run the same command again.")))
                }
            },
        }
    }

    /// Runs one part, telling when it fails or can't start.
    async fn part(&self, name: &'static str, work: impl Future<Output = Done>) -> Done {
        let outcome = work.await;
        let message = match &outcome {
            Ok(()) => return outcome,
            Err(Stop::Failed(error)) => error.message().to_owned(),
            Err(Stop::Skipped) => "not done: what it needs failed".to_owned(),
        };
        self.reporter().event(&Event::Stopped { part: name, message });
        outcome
    }

    /// Builds the function; none if this run has no use for it.
    async fn build(&self, teller: Teller<Package>) -> Result<Option<Package>> {
        if !self.scope.logic {
            return Ok(None);
        }
        let target = if self.context.cloud.endpoint.is_aws() {
            Target::Lambda(self.context.project.stage.architecture)
        } else {
            Target::ThisHost
        };
        self.reporter().working("function", "building");
        let built = package::build(&self.context.project, target, self.reporter()).await;
        match &built {
            Ok(package) => {
                self.reporter().finished("function", "built", false);
                teller.tell(package.clone());
            }
            Err(error) => self.reporter().event(&Event::Stopped {
                part: "function",
                message: error.message().to_owned(),
            }),
        }
        built.map(Some)
    }

    /// Finds out what will change. Change sets are made for stacks that exist; nothing else is.
    async fn plan(&self, package: Fact<Package>) -> Result<Plans> {
        let plan = async |tier: Tier| {
            if !self.scope.has(tier) {
                return Ok(None);
            }
            let wanted = self.wanted(tier, &[])?;
            self.plan_stack(&wanted, self.before.of(tier).cloned()).await.map(Some)
        };
        let (artifacts, data, presentation, logic) = tokio::join!(
            plan(Tier::Artifacts),
            plan(Tier::Data),
            plan(Tier::Presentation),
            self.plan_logic(package)
        );
        // All have ended, so that whatever was made can be given up when one failed.
        let mut failure = None;
        let mut take = |planned: Result<Option<Planned>>| {
            planned.unwrap_or_else(|error| {
                failure.get_or_insert(error);
                None
            })
        };
        let plans = Plans {
            artifacts: take(artifacts),
            data: take(data),
            presentation: take(presentation),
            logic: take(logic),
        };
        match failure {
            None => Ok(plans),
            Some(error) => {
                plans.discard(self.context).await;
                Err(error)
            }
        }
    }

    async fn plan_stack(&self, wanted: &Wanted, before: Option<Stack>) -> Result<Planned> {
        deploy::plan(&self.context.cloud, wanted, before, self.reporter()).await
    }

    /// The logic stack's plan, if it exists with the stacks that it needs: else there is nothing to compare with, or
    /// what it needs isn't known yet.
    async fn plan_logic(&self, mut package: Fact<Package>) -> Result<Option<Planned>> {
        if !self.scope.logic {
            return Ok(None);
        }
        let Some(stack) = self.before.logic.clone() else {
            let wanted = self.wanted(Tier::Logic, &[])?;
            return self.plan_stack(&wanted, None).await.map(Some);
        };
        let (Some(artifacts), Some(data), Some(presentation)) =
            (&self.before.artifacts, &self.before.data, &self.before.presentation)
        else {
            return Ok(None);
        };
        let Ok(package) = package.wait().await else {
            return Err(Error::failed("the function wasn't built"));
        };
        let (Ok(bucket), Ok(table), Ok(domain)) = (
            artifacts.output("BucketName"),
            table_of(data),
            presentation.output("DistributionDomain"),
        ) else {
            return Ok(None);
        };
        let code = Code {
            bucket,
            key: package.key,
        };
        let origin = self.context.cloud.endpoint.site_origin(&domain);
        let wanted = self.logic(&code, &table, &origin)?;
        self.plan_stack(&wanted, Some(stack)).await.map(Some)
    }

    /// Everything that changes the cloud, each part beside the others.
    async fn provision(&self, plans: Plans, package: Option<Package>) -> Vec<Done> {
        let (code_teller, code) = fact();
        let (table_teller, table) = fact();
        let (origin_teller, origin) = fact();
        let (place_teller, place) = fact();
        let (api_teller, api) = fact();
        let (artifacts, data, presentation, logic, seed, site) = tokio::join!(
            self.part("artifacts", self.artifacts(plans.artifacts, package, code_teller)),
            self.part("data", self.data(plans.data, table_teller)),
            self.part(
                "presentation",
                self.presentation(plans.presentation, origin_teller, place_teller)
            ),
            self.part(
                "logic",
                self.logic_tier(plans.logic, code, table.clone(), origin, api_teller)
            ),
            self.part("seed", self.seed(table)),
            self.part("site", self.site(place, api)),
        );
        vec![artifacts, data, presentation, logic, seed, site]
    }

    async fn artifacts(&self, planned: Option<Planned>, package: Option<Package>, code: Teller<Code>) -> Done {
        let (Some(planned), Some(package)) = (planned, package) else {
            return Ok(());
        };
        let wanted = self.wanted(Tier::Artifacts, &[])?;
        let stack = self.apply(&wanted, planned, |_| {}).await?;
        let bucket = stack.output("BucketName")?;
        let sent = package::upload(&self.context.cloud, &bucket, &package, self.reporter()).await?;
        let message = if sent { "uploaded" } else { "unchanged" };
        self.reporter().finished("function", message, sent);
        code.tell(Code {
            bucket,
            key: package.key,
        });
        Ok(())
    }

    async fn data(&self, planned: Option<Planned>, table: Teller<Table>) -> Done {
        let Some(planned) = planned else {
            if let Some(stack) = &self.before.data {
                table.tell(table_of(stack)?);
            }
            return Ok(());
        };
        let wanted = self.wanted(Tier::Data, &[])?;
        let changes = planned.changes_something();
        let stack = self.apply(&wanted, planned, |_| {}).await?;
        let found = table_of(&stack)?;
        if changes {
            seeding::wait_until_active(&self.context.cloud, &found.name).await?;
        }
        table.tell(found);
        Ok(())
    }

    async fn seed(&self, mut table: Fact<Table>) -> Done {
        if !self.scope.seed {
            return Ok(());
        }
        let table = table.wait().await?;
        self.reporter().working("seed", format!("{} items", self.items.len()));
        let seeded = seeding::seed(&self.context.cloud, &table.name, &self.items, false, self.reporter()).await?;
        self.reporter().finished("seed", seeded.describe(), seeded.added > 0);
        Ok(())
    }

    async fn presentation(&self, planned: Option<Planned>, origin: Teller<String>, place: Teller<Place>) -> Done {
        let tell = |stack: &Stack| -> Result<()> {
            origin.tell(
                self.context
                    .cloud
                    .endpoint
                    .site_origin(&stack.output("DistributionDomain")?),
            );
            place.tell(Place {
                bucket: stack.output("SiteBucket")?,
                distribution: stack.output("DistributionId")?,
            });
            Ok(())
        };
        let Some(planned) = planned else {
            return Ok(self.before.presentation.as_ref().map_or(Ok(()), tell)?);
        };
        let wanted = self.wanted(Tier::Presentation, &[])?;
        let changes = planned.changes_something();
        let (seen, mut ids) = watch::channel(Ids::default());
        let following = async {
            let stack = self
                .apply(&wanted, planned, |event| {
                    seen.send_if_modified(|ids| ids.learn(event));
                })
                .await;
            drop(seen);
            stack
        };
        // The distribution's domain is known minutes before the distribution is ready, and the logic tier needs only
        // that; so does the site with the bucket.
        let asking_early = async {
            while ids.changed().await.is_ok() {
                let known = ids.borrow_and_update().clone();
                if let (Some(bucket), Some(distribution)) = (known.bucket, known.distribution.clone()) {
                    place.tell(Place { bucket, distribution });
                }
                if let Some(distribution) = known.distribution
                    && let Ok(found) = self
                        .context
                        .cloud
                        .cloudfront
                        .get_distribution()
                        .id(&distribution)
                        .send()
                        .await
                    && let Some(found) = found.distribution()
                {
                    origin.tell(self.context.cloud.endpoint.site_origin(found.domain_name()));
                }
            }
        };
        let (stack, ()) = tokio::join!(following, asking_early);
        let stack = stack?;
        tell(&stack)?;
        if changes {
            self.wait_for_distribution(&stack.output("DistributionId")?).await?;
        }
        Ok(())
    }

    async fn logic_tier(
        &self,
        planned: Option<Planned>,
        mut code: Fact<Code>,
        mut table: Fact<Table>,
        mut origin: Fact<String>,
        api: Teller<String>,
    ) -> Done {
        if !self.scope.logic {
            if let Some(stack) = &self.before.logic {
                api.tell(stack.output("ApiId")?);
            }
            return Ok(());
        }
        let ready = tokio::try_join!(code.wait(), table.wait(), origin.wait());
        let (code, table, origin) = match ready {
            Ok(ready) => ready,
            Err(unknown) => {
                if let Some(planned) = planned {
                    planned.discard(&self.context.cloud).await?;
                }
                self.explain_missing()?;
                return Err(unknown.into());
            }
        };
        let wanted = self.logic(&code, &table, &origin)?;
        let planned = match planned {
            Some(planned) if planned.fits(&wanted) => planned,
            Some(planned) if planned.plan.verdict == Verdict::Create => planned,
            outdated => {
                // What it was planned with has changed meanwhile.
                if let Some(outdated) = outdated {
                    outdated.discard(&self.context.cloud).await?;
                }
                let planned = self.plan_stack(&wanted, self.before.logic.clone()).await?;
                let losses = planned.plan.losses();
                if !losses.is_empty()
                    && let Err(refusal) = self.reporter().confirm("change what holds data", &losses)
                {
                    planned.discard(&self.context.cloud).await?;
                    return Err(refusal.into());
                }
                planned
            }
        };
        let changes = planned.changes_something();
        let stack = self.apply(&wanted, planned, |_| {}).await?;
        if changes {
            self.wait_for_function(&stack.output("FunctionName")?).await?;
        }
        api.tell(stack.output("ApiId")?);
        Ok(())
    }

    /// With `--only`, what another part would have told may simply not be deployed.
    fn explain_missing(&self) -> Result<()> {
        for tier in [Tier::Data, Tier::Presentation] {
            if !self.scope.has(tier) && self.before.of(tier).is_none() {
                return Err(
                    Error::failed(format!("the {tier} tier, which this needs, isn't deployed"))
                        .hint("Run `deployer up` without --only once."),
                );
            }
        }
        Ok(())
    }

    async fn site(&self, mut place: Fact<Place>, mut api: Fact<String>) -> Done {
        if !self.scope.site {
            return Ok(());
        }
        let Ok((place, api)) = tokio::try_join!(place.wait(), api.wait()) else {
            if !self.scope.logic && (self.before.logic.is_none() || self.before.presentation.is_none()) {
                return Err(Error::failed("the site's bucket or its API isn't deployed")
                    .hint("Run `deployer up` without --only once.")
                    .into());
            }
            return Err(Stop::Skipped);
        };
        self.reporter().working("site", "comparing");
        let published = site::publish(
            &self.context.cloud,
            &self.context.project.site_dir(),
            &place.bucket,
            &place.distribution,
            &api_url(self.context, &api),
            self.reporter(),
        )
        .await?;
        self.reporter()
            .finished("site", published.describe(), published.did_something());
        Ok(())
    }

    fn wanted(&self, tier: Tier, more: &[(&str, String)]) -> Result<Wanted> {
        let mut all = more.to_vec();
        if !self.context.cloud.endpoint.is_aws() {
            // An emulator serves plain HTTP; and the function is built for this host.
            all.push(("ViewerProtocolPolicy", "allow-all".to_owned()));
            if let Some(here) = crate::project::stages::Architecture::of_this_host() {
                all.push(("Architecture", here.as_str().to_owned()));
            }
        }
        Wanted::new(&self.context.project, tier, &all)
    }

    fn logic(&self, code: &Code, table: &Table, origin: &str) -> Result<Wanted> {
        self.wanted(
            Tier::Logic,
            &[
                ("CodeBucket", code.bucket.clone()),
                ("CodeKey", code.key.clone()),
                ("TableName", table.name.clone()),
                ("TableArn", table.arn.clone()),
                ("AllowedOrigin", origin.to_owned()),
            ],
        )
    }

    async fn apply(&self, wanted: &Wanted, planned: Planned, watch: impl FnMut(&ResourceEvent)) -> Result<Stack> {
        let did = match planned.plan.verdict {
            Verdict::Unchanged => "unchanged".to_owned(),
            Verdict::Create | Verdict::Recreate => format!("created {}", wanted.name),
            Verdict::Update => format!("updated {}", wanted.name),
        };
        let changes = planned.changes_something();
        if changes {
            self.reporter().working(wanted.tier.as_str(), &wanted.name);
        }
        let stack = deploy::apply(&self.context.cloud, wanted, planned, self.reporter(), watch).await?;
        self.reporter().finished(wanted.tier.as_str(), did, changes);
        Ok(stack)
    }

    /// A function is pending for seconds after its creation, and answers with its old code while it is updated.
    async fn wait_for_function(&self, name: &str) -> Result<()> {
        let what = || format!("could not look at the function {name}");
        let end = until(self.context.cloud.pace(Duration::from_secs(300)), async || {
            let answer = self
                .context
                .cloud
                .lambda
                .get_function_configuration()
                .function_name(name)
                .send()
                .await;
            let found = match answer {
                Ok(found) => found,
                Err(error) => return Probe::Failed(explain(&error, &what())),
            };
            let failed = || {
                Probe::Failed(
                    Error::failed(format!("the function {name} doesn't start"))
                        .because(
                            found
                                .state_reason()
                                .or(found.last_update_status_reason())
                                .unwrap_or("no reason given"),
                        )
                        .hint("Correct the cause and run `deployer up` again."),
                )
            };
            match (found.state(), found.last_update_status()) {
                (Some(State::Failed), _) | (_, Some(LastUpdateStatus::Failed)) => failed(),
                (Some(State::Active | State::Inactive), Some(LastUpdateStatus::Successful) | None) => Probe::Ready(()),
                _ => Probe::Pending,
            }
        })
        .await;
        self.awaited(end, &format!("the function {name} isn't ready after 5 minutes"))
    }

    /// CloudFront takes minutes to bring a distribution to its edges; an express deployment doesn't wait for it.
    async fn wait_for_distribution(&self, id: &str) -> Result<()> {
        let what = || format!("could not look at the distribution {id}");
        let end = until(
            self.context.cloud.pace(Duration::from_secs(30 * 60)),
            async || match self.context.cloud.cloudfront.get_distribution().id(id).send().await {
                Ok(found) if found.distribution().is_some_and(|found| found.status() == "Deployed") => Probe::Ready(()),
                Ok(_) => {
                    self.reporter()
                        .working("presentation", "CloudFront brings the distribution to its edges");
                    Probe::Pending
                }
                Err(error) => Probe::Failed(explain(&error, &what())),
            },
        )
        .await;
        self.awaited(
            end,
            &format!("the distribution {id} isn't at CloudFront's edges after 30 minutes"),
        )
    }

    fn awaited(&self, end: Waited<(), Error>, too_long: &str) -> Result<()> {
        match end {
            Waited::Ready(()) => Ok(()),
            Waited::Failed(error) => Err(error),
            Waited::TimedOut => {
                Err(Error::failed(too_long).hint("AWS goes on with it. Run `deployer up` again to see it through."))
            }
        }
    }
}

fn table_of(data: &Stack) -> Result<Table> {
    Ok(Table {
        name: data.output("TableName")?,
        arn: data.output("TableArn")?,
    })
}

/// What the presentation stack's events tell before its outputs do.
#[derive(Debug, Clone, Default)]
struct Ids {
    bucket: Option<String>,
    distribution: Option<String>,
}

impl Ids {
    /// Whether the event told something new.
    fn learn(&mut self, event: &ResourceEvent) -> bool {
        let slot = match (event.resource_type.as_str(), event.status.as_str()) {
            // The bucket can be written to when it is complete, policy or not.
            ("AWS::S3::Bucket", "CREATE_COMPLETE") => &mut self.bucket,
            ("AWS::CloudFront::Distribution", "CREATE_IN_PROGRESS" | "CREATE_COMPLETE") => &mut self.distribution,
            _ => return false,
        };
        let new = slot.is_none() && event.physical_id.is_some();
        if new {
            slot.clone_from(&event.physical_id);
        }
        new
    }
}
