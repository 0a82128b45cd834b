//! Everything that changes the cloud. Each part runs beside the others and waits only for the values that it needs:
//!
//! ```text
//! stack ── its outputs ──► stacks that need them ── … ──► a late update ──► settled
//!   ├── the bucket ──► packages ──► stacks with functions        │
//!   └── its tables ──► seed items                                └──► the site, in its bucket
//! ```
//!
//! Some values are known before their stack is complete ([`early`]): who waits for those goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{join_all, try_join_all};
use tokio::sync::{Mutex, OnceCell};

use super::packages::Asked;
use super::plan::Plans;
use super::{BUILDING, Built, CHANGING_DATA, SeededBefore, Up};
use crate::error::{Error, Result};
use crate::package::{Package, Uploaded};
use crate::project::functions::Function;
use crate::project::stacks::{CODE_BUCKET, StackId, StackTemplate};
use crate::project::stages::Seeding;
use crate::project::wiring::{Edge, Source};
use crate::promise::{Dependency, ProducerFailed, Promise, promise};
use crate::publish::{self, Destination, Survey};
use crate::readiness::Touched;
use crate::report::Event;
use crate::seeding::{self, Progress, SeededTable};
use crate::site::Object;
use crate::stack::change::{Mode, StackAction, StackPlan};
use crate::stack::deploy::{self, Planned};
use crate::stack::desired::DesiredStack;
use crate::stack::early;
use crate::stack::events::ResourceEvent;
use crate::stack::read::{self, Deployed, Stack};
use crate::stack::termination;
use crate::verify::Known;

/// What the reporter calls the seeding.
pub(super) const SEED: &str = "seed";

/// What it calls the publication.
pub(super) const SITE: &str = "site";

/// Why a part didn't get done.
pub(super) enum Stop {
    Failed(Error),
    /// Something it needs failed.
    Skipped,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<ProducerFailed> for Stop {
    fn from(_: ProducerFailed) -> Self {
        Self::Skipped
    }
}

pub(super) type Done = Result<(), Stop>;

/// What parts tell one another.
#[derive(Default)]
struct Dependencies {
    /// The outputs of each stack, some before it is complete; none where the complete stack doesn't have it.
    outputs: BTreeMap<(StackId, String), Dependency<Option<String>>>,
    /// Each stack, as soon as it is complete and what is in it can be used.
    complete: BTreeMap<StackId, Dependency<Stack>>,
    /// Each stack, once it has its late values, too.
    settled: BTreeMap<StackId, Dependency<Stack>>,
    /// The same with what is in it.
    looked_into: BTreeMap<StackId, Dependency<Deployed>>,
    /// The keys of the packages.
    built: BTreeMap<Asked, String>,
    /// The same, once the packages are uploaded.
    uploaded: BTreeMap<Asked, Dependency<String>>,
}

/// What one stack tells.
struct Promises {
    outputs: BTreeMap<String, Promise<Option<String>>>,
    complete: Promise<Stack>,
    settled: Promise<Stack>,
    looked_into: Promise<Deployed>,
}

impl Promises {
    fn set(&self, stack: &Stack) {
        // What a template has and the stack doesn't is told as well: nobody may wait for it. A condition may leave it out,
        // or the stack is as another template made it.
        for (name, promise) in &self.outputs {
            promise.set(stack.outputs.get(name).cloned());
        }
        self.complete.set(stack.clone());
    }
}

impl Dependencies {
    fn of_stack(&mut self, stack: &StackTemplate) -> Promises {
        let id = &stack.id;
        let outputs = stack.template.outputs().map(|(name, _)| {
            let (promise, dependency) = promise();
            self.outputs.insert((id.clone(), name.to_owned()), dependency);
            (name.to_owned(), promise)
        });
        let outputs = outputs.collect();
        let (complete, dependency) = promise();
        self.complete.insert(id.clone(), dependency);
        let (settled, dependency) = promise();
        self.settled.insert(id.clone(), dependency);
        let (looked_into, dependency) = promise();
        self.looked_into.insert(id.clone(), dependency);
        Promises {
            outputs,
            complete,
            settled,
            looked_into,
        }
    }

    async fn output(&self, edge: &Edge) -> Result<Option<String>, ProducerFailed> {
        wait(self.outputs.get(&(edge.producer.clone(), edge.output.clone()))).await
    }
}

async fn wait<T: Clone>(dependency: Option<&Dependency<T>>) -> Result<T, ProducerFailed> {
    match dependency {
        Some(dependency) => dependency.clone().wait().await,
        None => Err(ProducerFailed),
    }
}

/// Uploads that were made or are being made, by bucket and key: functions may share a package.
type Uploads = Mutex<BTreeMap<(String, String), Arc<OnceCell<()>>>>;

impl Up<'_> {
    /// Everything that changes the cloud, each part beside the others. Returns how each ended, the stacks as they are
    /// then, and what was read and needed no change.
    pub(super) async fn provision(
        &self,
        mut plans: Plans,
        packages: Built,
        seeded_before: &SeededBefore,
        survey: impl Future<Output = Option<Survey>>,
    ) -> (Vec<Done>, BTreeMap<StackId, Deployed>, Known) {
        let mut dependencies = Dependencies::default();
        let mut stacks = Vec::new();
        for stack in self.context.project.stacks() {
            stacks.push((stack, plans.0.remove(&stack.id), dependencies.of_stack(stack)));
        }
        let mut uploading = Vec::new();
        for (asked, package) in packages {
            dependencies.built.insert(asked.clone(), package.key.clone());
            let (promise, uploaded) = promise();
            dependencies.uploaded.insert(asked.clone(), uploaded);
            uploading.push((asked, package, promise));
        }
        let (dependencies, uploads) = (&dependencies, &Uploads::default());
        let (known, tightened) = (Known::default(), RefCell::new(None));
        let mut parts: Vec<_> = stacks
            .into_iter()
            .map(|(stack, planned, promises)| {
                let work = self.stack(stack, planned, promises, dependencies);
                self.part(stack.id.as_str(), work).boxed_local()
            })
            .collect();
        parts.extend(uploading.into_iter().map(|(asked, package, promise)| {
            let work = self.upload(asked, package, promise, dependencies, uploads, &known);
            self.part(BUILDING, work).boxed_local()
        }));
        let seeding = self.seed(dependencies, seeded_before, &known);
        parts.push(self.part(SEED, seeding).boxed_local());
        let site = self.site(dependencies, survey, &known, &tightened);
        parts.push(self.part(SITE, site).boxed_local());
        let outcomes = join_all(parts).await;
        let mut stacks = BTreeMap::new();
        for stack in self.context.project.stacks() {
            // All have ended: what isn't known now never will be.
            let known = wait(dependencies.looked_into.get(&stack.id)).await.ok();
            let before = || self.before.get(&stack.id).cloned();
            stacks.extend(known.or_else(before).map(|known| (stack.id.clone(), known)));
        }
        stacks.extend(tightened.into_inner());
        (outcomes, stacks, known)
    }

    async fn stack(
        &self,
        stack: &StackTemplate,
        planned: Option<Planned>,
        promises: Promises,
        dependencies: &Dependencies,
    ) -> Done {
        if !self.scope.has(&stack.id) {
            let Some(before) = self.before.get(&stack.id) else {
                return Ok(());
            };
            promises.set(&before.stack);
            return self.settle(stack, before.stack.clone(), &promises, dependencies).await;
        }
        self.promise_unchanged(stack, planned.as_ref(), &promises, dependencies)
            .await;
        let inputs = self.inputs(stack, dependencies, true).await?;
        let mut wanted = self.desired(stack, inputs);
        self.await_bucket(&mut wanted, dependencies).await?;
        let planned = match planned {
            Some(planned) if planned.fits(&wanted) || planned.plan.verdict == StackAction::Create => planned,
            outdated => {
                // What it was planned with has changed meanwhile.
                if let Some(outdated) = outdated {
                    outdated.discard(self.context.cloud_of(&stack.id)).await?;
                }
                let before = self.before.get(&stack.id).map(|before| before.stack.clone());
                self.planned_on_the_way(&wanted, before, |plan| self.losses(plan))
                    .await?
            }
        };
        let (deployed, touched) = self.deployed(stack, &wanted, planned, &promises).await?;
        let cloud = self.context.cloud_of(&stack.id);
        let before = self.before.get(&stack.id).map(|before| &before.stack);
        termination::follow(cloud, before, &deployed, wanted.template(), self.reporter()).await?;
        for edge in self
            .context
            .project
            .wiring()
            .edges()
            .filter(|edge| edge.producer == stack.id)
        {
            // Who needs an output that isn't there would only be told that something failed.
            if !self.context.project.has_default(edge) {
                deployed.output(&edge.output)?;
            }
        }
        promises.set(&deployed);
        let late = self.settle(stack, deployed, &promises, dependencies);
        let edges = touched.distributions(cloud, stack.id.as_str(), self.reporter());
        let (late, functions, edges) = tokio::join!(late, touched.functions(cloud), edges);
        late.and(functions.map_err(Stop::from)).and(edges.map_err(Stop::from))
    }

    /// Waits for the bucket that a large template goes through.
    async fn await_bucket(&self, wanted: &mut DesiredStack, dependencies: &Dependencies) -> Result<(), ProducerFailed> {
        if let Some(artifacts) = self.context.project.artifacts_stack()
            && wanted.is_large()
        {
            // Once it is complete: until then AWS may take the bucket back, which it can't with anything in it.
            let made = wait(dependencies.complete.get(&artifacts.id)).await?;
            let name = made.outputs.get(CODE_BUCKET).ok_or(ProducerFailed)?;
            wanted.bucket = Some(self.template_bucket(&artifacts.id, name.clone()));
        }
        Ok(())
    }

    /// Gives a stack its late values, and tells it as it is then.
    async fn settle(
        &self,
        stack: &StackTemplate,
        deployed: Stack,
        promises: &Promises,
        dependencies: &Dependencies,
    ) -> Done {
        if let Some(settled) = self.late(stack, deployed, dependencies).await? {
            promises.settled.set(settled.clone());
            promises.looked_into.set(self.looked_into(stack, settled).await?);
        }
        Ok(())
    }

    /// A stack with what is in it: what this run didn't change isn't asked for again.
    async fn looked_into(&self, definition: &StackTemplate, stack: Stack) -> Result<Deployed> {
        let is_same = |before: &&Deployed| before.stack.is_unchanged(&stack);
        let resources = match self.before.get(&definition.id).filter(is_same) {
            Some(before) => before.resources.clone(),
            None => read::resources(self.context.cloud_of(&definition.id), &stack.arn).await?,
        };
        Ok(Deployed { stack, resources })
    }

    /// Tells what a stack has that nothing changes, whether or not its packages lie in their bucket already.
    async fn promise_unchanged(
        &self,
        stack: &StackTemplate,
        planned: Option<&Planned>,
        promises: &Promises,
        dependencies: &Dependencies,
    ) {
        let unchanged = planned.filter(|planned| !planned.changes_something());
        let Some((planned, before)) = unchanged.zip(self.before.get(&stack.id)) else {
            return;
        };
        if let Ok(inputs) = self.inputs(stack, dependencies, false).await
            && planned.fits(&self.desired(stack, inputs))
        {
            promises.set(&before.stack);
        }
    }

    /// The values of a stack's inputs, once they are known, and, if wanted, its packages are `uploaded`. Of a late one that
    /// which is deployed.
    async fn inputs(
        &self,
        stack: &StackTemplate,
        dependencies: &Dependencies,
        uploaded: bool,
    ) -> Result<BTreeMap<String, String>, ProducerFailed> {
        let sources = self.context.project.wiring().sources(&stack.id);
        let values = sources.map(async |(parameter, source)| {
            let value = match source {
                Source::Output(edge) if edge.late => self.late_value_before(edge),
                Source::Output(edge) => match dependencies.output(edge).await? {
                    None if !self.context.project.has_default(edge) => return Err(ProducerFailed),
                    value => value,
                },
                Source::Package => {
                    let asked = (stack.id.clone(), parameter.to_owned());
                    match dependencies.uploaded.get(&asked).filter(|_| uploaded) {
                        Some(uploaded) => Some(uploaded.clone().wait().await?),
                        None => dependencies.built.get(&asked).cloned(),
                    }
                }
                // Given wherever a stack is wanted.
                Source::Site | Source::Parameters(_) | Source::Stage(_) | Source::Default(_) => None,
            };
            Ok(value.map(|value| (parameter.to_owned(), value)))
        });
        Ok(try_join_all(values).await?.into_iter().flatten().collect())
    }

    /// What a late input is deployed with until its value comes: what its producer tells already, else what it was given
    /// before, so that nothing is taken away meanwhile.
    pub(super) fn late_value_before(&self, edge: &Edge) -> Option<String> {
        let told = self
            .before
            .get(&edge.producer)
            .and_then(|producer| producer.stack.outputs.get(&edge.output));
        let given = || self.before.get(&edge.consumer)?.stack.parameters.get(&edge.parameter);
        told.or_else(given).cloned()
    }

    /// Plans what couldn't be planned beforehand, shows it, and asks if something would be lost.
    async fn planned_on_the_way(
        &self,
        wanted: &DesiredStack,
        before: Option<Stack>,
        losses: impl Fn(&StackPlan) -> Vec<String>,
    ) -> Result<Planned> {
        let planned = self.plan_stack(wanted, before).await?;
        if planned.changes_something() {
            self.reporter().event(&Event::Plan {
                stacks: vec![planned.plan.shown()],
            });
        }
        let losses = losses(&planned.plan);
        let otherwise = format!("{} wasn't changed; what was done beside it stays.", wanted.name);
        if !losses.is_empty() {
            self.reporter().confirm(CHANGING_DATA, &losses, &otherwise).await?;
        }
        Ok(planned)
    }

    /// Carries a plan out, tells what can be told early, and waits until what was made can be used.
    async fn deployed(
        &self,
        stack: &StackTemplate,
        wanted: &DesiredStack,
        planned: Planned,
        promises: &Promises,
    ) -> Result<(Stack, Touched)> {
        let cloud = self.context.cloud_of(&stack.id);
        let mut watched = Touched::default();
        let (seen, showing) = early::watch(wanted.template());
        if let Some(before) = self.before.get(&stack.id) {
            seen.had(&before.resources, &planned.plan);
        }
        let following = async {
            // Moved in here, and so gone when the operation ends: nobody waits for what wasn't seen by then.
            let seen = seen;
            self.apply(wanted, planned, |event| {
                seen.saw(event);
                watched.saw(event);
            })
            .await
        };
        // What goes wrong here costs only time: the stack's outputs tell the same in the end.
        //
        // Buckets are known early, too, but aren't told: should another resource fail, AWS can't take back a bucket with
        // files in it.
        let asking_early = showing.outputs(cloud, wanted, |output, value| {
            if let Some(promise) = promises.outputs.get(output) {
                promise.set(Some(value));
            }
        });
        let (deployed, ()) = tokio::join!(following, asking_early);
        let deployed = deployed?;
        watched.tables(cloud).await?;
        Ok((deployed, watched))
    }

    async fn apply(&self, wanted: &DesiredStack, planned: Planned, watch: impl FnMut(&ResourceEvent)) -> Result<Stack> {
        let did = match planned.plan.verdict {
            StackAction::Unchanged => "unchanged".to_owned(),
            StackAction::Create | StackAction::Recreate => format!("created {}", wanted.name),
            StackAction::Update => format!("updated {}", wanted.name),
        };
        let changes = planned.changes_something();
        let part = wanted.id.as_str();
        if changes {
            self.reporter().working(part, &wanted.name);
        }
        let cloud = self.context.cloud_of(&wanted.id);
        let stack = deploy::apply(cloud, wanted, planned, self.reporter(), watch).await?;
        self.reporter().finished(part, did, changes);
        Ok(stack)
    }

    /// Gives a stack the values that came late: an update of its own, unless it was deployed with them. None if one of
    /// them doesn't come, since what was to tell it failed. What comes from a stack that neither is there nor is made now
    /// isn't waited for.
    async fn late(
        &self,
        stack: &StackTemplate,
        deployed: Stack,
        dependencies: &Dependencies,
    ) -> Result<Option<Stack>, Stop> {
        let comes = |edge: &&Edge| self.scope.has(&edge.producer) || self.before.contains_key(&edge.producer);
        let inputs = self.context.project.wiring().inputs(&stack.id);
        let edges: Vec<&Edge> = inputs.filter(|edge| edge.late).filter(comes).collect();
        let values = try_join_all(edges.iter().map(async |edge| {
            let value = dependencies.output(edge).await?;
            Ok::<_, ProducerFailed>((edge.parameter.clone(), value))
        }));
        // Without one there is nothing to give, and the part that failed has said why.
        let Ok(values) = values.await else {
            return Ok(None);
        };
        let values: Vec<(String, String)> = values
            .into_iter()
            .filter_map(|(parameter, value)| Some((parameter, value?)))
            .collect();
        let news: Vec<&(String, String)> = values
            .iter()
            .filter(|(parameter, value)| deployed.parameters.get(parameter) != Some(value))
            .collect();
        if news.is_empty() {
            return Ok(Some(deployed));
        }
        let told: Vec<String> = news
            .iter()
            .map(|(parameter, value)| format!("{parameter} {value}"))
            .collect();
        let told = told.join(", ");
        let part = stack.id.as_str();
        // `--only` another part doesn't bring along what else was changed in the template.
        let is_current = || deployed.digest() == Some(&self.desired(stack, self.given(stack, &deployed)).digest());
        if !self.scope.has(&stack.id) && !is_current() {
            self.reporter().warn(format!(
                "{} isn't deployed with {told} yet, and {} has other changes that aren't deployed: run `deployer up --only \
                 {part}`",
                deployed.name,
                stack.file.display()
            ));
            return Ok(Some(deployed));
        }
        self.updated_with(stack, deployed, values, &told, dependencies)
            .await
            .map(Some)
    }

    /// What a deployed stack was given, whatever has become of what gave it.
    fn given(&self, stack: &StackTemplate, deployed: &Stack) -> BTreeMap<String, String> {
        let sources = self.context.project.wiring().sources(&stack.id);
        sources
            .filter(|(_, source)| source.is_found_out())
            .filter_map(|(parameter, _)| Some((parameter.to_owned(), deployed.parameters.get(parameter)?.clone())))
            .collect()
    }

    /// Updates a stack that this run has deployed, or left as it was, with a few `values` beside what it was given.
    async fn updated_with(
        &self,
        stack: &StackTemplate,
        deployed: Stack,
        values: Vec<(String, String)>,
        told: &str,
        dependencies: &Dependencies,
    ) -> Result<Stack, Stop> {
        let part = stack.id.as_str();
        self.reporter().working(part, format!("updating with {told}"));
        let mut inputs = self.given(stack, &deployed);
        inputs.extend(values);
        let mut wanted = self.desired(stack, inputs);
        self.await_bucket(&mut wanted, dependencies).await?;
        if wanted.mode == Mode::Express && wanted.holds_data() {
            // A table that is still being made takes no update.
            wanted.mode = Mode::Standard;
        }
        // What an adopted stack had of somebody else's has been asked for.
        let planned = self
            .planned_on_the_way(&wanted, Some(deployed), StackPlan::losses)
            .await?;
        let cloud = self.context.cloud_of(&stack.id);
        let mut watched = Touched::default();
        let updated = deploy::apply(cloud, &wanted, planned, self.reporter(), |event| watched.saw(event)).await?;
        tokio::try_join!(watched.tables(cloud), watched.functions(cloud))?;
        self.reporter().finished(part, format!("updated with {told}"), true);
        Ok(updated)
    }

    /// Updates the site's stack with what only the site that is published now lets it have: a tighter policy. Returns the
    /// stack, if that was anything.
    async fn tighten(&self, stack: &StackTemplate, dependencies: &Dependencies) -> Result<Option<Deployed>, Stop> {
        let deployed = wait(dependencies.looked_into.get(&stack.id)).await?;
        let news = self.tightened(&stack.id, &deployed.stack.parameters);
        if news.is_empty() {
            return Ok(None);
        }
        let told = "the policy that the site needs now";
        let updated = self
            .updated_with(stack, deployed.stack, news, told, dependencies)
            .await?;
        let resources = read::resources(self.context.cloud_of(&stack.id), &updated.arn).await?;
        Ok(Some(Deployed {
            stack: updated,
            resources,
        }))
    }

    async fn upload(
        &self,
        asked: (StackId, String),
        package: Package,
        promise: Promise<String>,
        dependencies: &Dependencies,
        uploads: &Uploads,
        known: &Known,
    ) -> Done {
        let (stack, parameter) = &asked;
        // A bucket that is made in this run has nothing in it: no question, and no reason to wait with the packing.
        let is_new = self.makes_bucket_of(stack, parameter);
        let packing = async {
            if is_new {
                package.pack().await?;
            }
            Ok::<_, Error>(())
        };
        let (packed, bucket) = tokio::join!(packing, self.bucket_of(stack, parameter, dependencies));
        packed?;
        let bucket = bucket?;
        if let Some(bucket) = bucket {
            let place = (bucket.clone(), package.key.clone());
            let upload = Arc::clone(uploads.lock().await.entry(place).or_default());
            upload
                .get_or_try_init(async || {
                    let name = self.code_of(stack, parameter);
                    let cloud = self.context.cloud_of(stack);
                    let uploaded = if is_new {
                        package.send(cloud, &bucket, self.reporter(), &name).await?;
                        Uploaded::Now
                    } else {
                        package.upload(cloud, &bucket, self.reporter(), &name).await?
                    };
                    let (what, sent) = match uploaded {
                        Uploaded::Now => ("uploaded", true),
                        Uploaded::Before { sha256 } => {
                            let asks = package.operations().await?;
                            known.has_package(&bucket, &package.key, sha256, asks).await;
                            ("unchanged", false)
                        }
                    };
                    // Of several it is said which.
                    let which = if dependencies.uploaded.len() > 1 {
                        format!(": {name}")
                    } else {
                        String::new()
                    };
                    self.reporter().finished(BUILDING, format!("{what}{which}"), sent);
                    Ok::<_, Error>(())
                })
                .await?;
        }
        promise.set(package.key);
        Ok(())
    }

    fn function_of(&self, stack: &StackId, key: &str) -> Option<&Function> {
        let mut functions = self.context.project.functions().iter();
        functions.find(|function| function.stack == *stack && function.key_parameter == key)
    }

    /// What the package of a function is called: as what it is made of.
    pub(super) fn code_of(&self, stack: &StackId, key: &str) -> String {
        self.function_of(stack, key)
            .map(|function| function.code.name())
            .unwrap_or_default()
    }

    /// Where the bucket that the package of a function goes to comes from; nothing if its template says the bucket itself.
    pub(super) fn bucket_source(&self, stack: &StackId, key: &str) -> Option<&Source> {
        let parameter = self.function_of(stack, key)?.bucket_parameter.as_deref()?;
        self.context.project.wiring().source(stack, parameter)
    }

    /// Whether this run makes that bucket.
    fn makes_bucket_of(&self, stack: &StackId, key: &str) -> bool {
        let source = self.bucket_source(stack, key);
        matches!(source, Some(Source::Output(edge)) if !self.before.contains_key(&edge.producer))
    }

    /// That bucket; none if its template says it itself.
    async fn bucket_of(
        &self,
        stack: &StackId,
        key: &str,
        dependencies: &Dependencies,
    ) -> Result<Option<String>, ProducerFailed> {
        Ok(match self.bucket_source(stack, key) {
            Some(Source::Output(edge)) => Some(dependencies.output(edge).await?.ok_or(ProducerFailed)?),
            Some(Source::Parameters(value) | Source::Stage(value) | Source::Default(value)) => Some(value.clone()),
            Some(Source::Package | Source::Site) | None => None,
        })
    }

    async fn seed(&self, dependencies: &Dependencies, seeded_before: &SeededBefore, known: &Known) -> Done {
        if !self.scope.seed || self.seeds.is_empty() {
            return Ok(());
        }
        let policy = self.context.project.stage.seed;
        if policy == Seeding::Never {
            self.reporter().finished(SEED, "left out (`seed: never`)", false);
            return Ok(());
        }
        let progress = &Progress::new(self.reporter(), self.seeds.count());
        let seeded = try_join_all(self.seeds.by_stack().into_iter().map(async |(id, mut tables)| {
            let deployed = &wait(dependencies.looked_into.get(&id)).await?;
            let cloud = self.context.cloud_of(&id);
            let mut left_out = Vec::new();
            tables.retain(|(table, _)| {
                let name = seeding::name_of(deployed, table).unwrap_or_default().to_owned();
                let is_seeded = seeded_before.contains(&(id.clone(), name.clone()));
                if is_seeded {
                    left_out.push((table.logical_id.clone(), name));
                }
                !is_seeded
            });
            let seeded = seeding::seed_stack(cloud, deployed, &tables, false, progress).await?;
            for ((table, items), done) in tables.iter().zip(&seeded) {
                if done.seeded.kept == items.len() {
                    known.has_items(table, items).await;
                }
            }
            if policy == Seeding::Once {
                // An update may have taken the tags that CloudFormation doesn't know.
                let before = self.before.get(&id);
                let is_updated = before.is_none_or(|before| !before.stack.is_unchanged(&deployed.stack));
                let again = left_out.iter().filter(|_| is_updated).map(|(_, name)| name.as_str());
                let names = seeded.iter().map(|table| table.name.as_str()).chain(again);
                seeding::mark_all(cloud, names, self.reporter()).await;
            }
            Ok::<_, Stop>((seeded, left_out))
        }))
        .await?;
        let (seeded, left_out): (Vec<_>, Vec<_>) = seeded.into_iter().unzip();
        let seeded: Vec<SeededTable> = seeded.into_iter().flatten().collect();
        let left_out: Vec<String> = left_out.into_iter().flatten().map(|(table, _)| table).collect();
        let added = seeded.iter().any(|table| table.seeded.added > 0);
        let did = match (seeded.is_empty(), left_out.is_empty()) {
            (_, true) => seeding::describe(&seeded),
            (true, false) => "left out: seeded before (`seed: once`)".to_owned(),
            (false, false) => format!(
                "{}; left out, since seeded before (`seed: once`): {}",
                seeding::describe(&seeded),
                left_out.join(", ")
            ),
        };
        self.reporter().finished(SEED, self.reporter().next_step(&did), added);
        Ok(())
    }

    /// Publishes the site. Its stack, should it be updated once more, is put into `tightened`.
    async fn site(
        &self,
        dependencies: &Dependencies,
        survey: impl Future<Output = Option<Survey>>,
        known: &Known,
        tightened: &RefCell<Option<(StackId, Deployed)>>,
    ) -> Done {
        let project = &self.context.project;
        let (Some(site), Some(stack)) = (self.site, project.site_stack()) else {
            return Ok(());
        };
        let (settled, survey) = tokio::join!(wait(dependencies.settled.get(&stack.id)), survey);
        let settled = settled?;
        self.warn_of_site_values(&stack.id, &settled.parameters);
        let artifacts = project
            .artifacts_stack()
            .and_then(|stack| dependencies.complete.get(&stack.id));
        let artifacts = wait(artifacts).await?;
        let mut config = BTreeMap::new();
        for (name, producer, output) in self.site_config {
            let value = wait(dependencies.outputs.get(&(producer.clone(), output.clone())))
                .await?
                .ok_or(ProducerFailed)?;
            config.insert(name.clone(), value);
        }
        let place = Destination::of(&settled, &artifacts)?;
        self.reporter().working(SITE, "comparing");
        let cloud = self.context.cloud_of(&stack.id);
        let name = &*project.stage.site.config_file;
        let config = (!config.is_empty()).then(|| Object::config(name, &config));
        let before = self.before.get(&stack.id);
        let is_changed = before.is_none_or(|before| !before.stack.is_unchanged(&settled));
        let survey = survey.map(|survey| if is_changed { survey.before_a_change() } else { survey });
        let publication = self.publication(site);
        let published = publish::publish(cloud, &publication, &place, config.as_ref(), survey, self.reporter()).await?;
        let changed = published.did_something();
        self.has_published.set(changed);
        let found = site.addresses().describe().filter(|_| changed);
        let found = found.map(|found| format!("; {found}")).unwrap_or_default();
        self.reporter()
            .finished(SITE, format!("{}{found}", published.describe()), changed);
        known.has_sent(published.sent);
        if let Some(there) = published.there {
            known.has_objects(&place, there).await;
        }
        if self.scope.has(&stack.id)
            && let Some(deployed) = self.tighten(stack, dependencies).await?
        {
            *tightened.borrow_mut() = Some((stack.id.clone(), deployed));
        }
        Ok(())
    }

    /// Runs one part, telling when it fails or can't start.
    async fn part(&self, name: &str, work: impl Future<Output = Done>) -> Done {
        let outcome = work.await;
        match &outcome {
            Ok(()) => {}
            Err(Stop::Failed(error)) => self.reporter().stopped(name, error.message()),
            Err(Stop::Skipped) => self.reporter().stopped(name, "not done: what it needs failed"),
        }
        outcome
    }
}
