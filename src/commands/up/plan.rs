//! What will change, found out before anything does.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::{Built, Up};
use crate::conflicts;
use crate::deployed;
use crate::error::{Error, ErrorKind, Result};
use crate::project::Project;
use crate::project::naming::NamedResource;
use crate::project::stacks::{CODE_BUCKET, LARGEST_IN_REQUEST_BYTES, StackId, StackTemplate};
use crate::project::wiring::Source;
use crate::promise::Dependency;
use crate::quotas;
use crate::stack::change::{StackAction, StackPlan};
use crate::stack::deploy::{self, Planned};
use crate::stack::desired::DesiredStack;
use crate::stack::read::Stack;

/// The plans that could be made before anything is created: of stacks that are to be created, and of those for which all
/// that they need is known. Those that aren't carried out are given up as the run ends: see [`journal`](crate::journal).
#[derive(Default)]
pub(super) struct Plans(pub(super) BTreeMap<StackId, Planned>);

impl Plans {
    pub(super) fn in_order<'a>(&'a self, project: &'a Project) -> impl Iterator<Item = &'a StackPlan> {
        project
            .stacks()
            .filter_map(|stack| self.0.get(&stack.id))
            .map(|planned| &planned.plan)
    }
}

impl Up<'_> {
    /// Finds out what will change. Change sets are made for stacks that exist; nothing else is.
    pub(super) async fn plan(&self, built: Dependency<Built>) -> Result<Plans> {
        self.check_sizes()?;
        // Names of stacks that are to be created are looked at beside the planning: what they will be is known.
        let (planned, free, ()) = tokio::join!(self.plan_all(built), self.check_new_names(), self.warn_of_quotas());
        let plans = planned?;
        self.check_names(&plans, free).await?;
        Ok(plans)
    }

    /// Refuses templates that can't be sent: too large for any way, or for a request where the way through the bucket is
    /// only made by them.
    pub(super) fn check_sizes(&self) -> Result<()> {
        let project = &self.context.project;
        let artifacts = project.artifacts_stack().map(|stack| &stack.id);
        let needed = artifacts.map(|id| project.wiring().needed_by(id)).unwrap_or_default();
        for stack in project.stacks().filter(|stack| self.scope.has(&stack.id)) {
            let wanted = self.desired(stack, BTreeMap::new());
            let bytes = wanted.render()?.body.len();
            if bytes <= LARGEST_IN_REQUEST_BYTES {
                continue;
            }
            let why = match artifacts {
                Some(artifacts) if stack.id == *artifacts => "it makes that bucket itself".to_owned(),
                Some(artifacts) if needed.contains(&stack.id) => {
                    format!("the stack {artifacts}, which makes that bucket, waits for it")
                }
                Some(_) => continue,
                None => "no stack makes one".to_owned(),
            };
            return Err(Error::new(
                ErrorKind::InvalidProject,
                format!("{} is too large to be sent: {bytes} bytes as JSON", stack.file.display()),
            )
            .cause(format!(
                "CloudFormation takes {LARGEST_IN_REQUEST_BYTES} in a request; a larger template goes through the bucket of the output `{CODE_BUCKET}`, and {why}"
            ))
            .hint("Move some of its resources to another template in stacks/: each becomes a stack of its own."));
        }
        Ok(())
    }

    /// Tells of a new stage that the account may have no room for. Of a stage that is there nothing is asked.
    async fn warn_of_quotas(&self) {
        if !self.before.is_empty() {
            return;
        }
        let stacks = self.context.project.stacks().filter(|stack| self.scope.has(&stack.id));
        let additions = stacks.flat_map(|stack| {
            let pseudo_parameters = self.context.cloud_of(&stack.id).pseudo_parameters();
            self.desired(stack, BTreeMap::new()).additions(&pseudo_parameters)
        });
        let new = additions
            .filter(|change| change.resource_type == quotas::HEADERS_POLICY)
            .count();
        if new == 0 {
            return;
        }
        // Whoever may not list them learns that where their names are looked at.
        let what = || "could not list the response headers policies".to_owned();
        let Ok(names) = quotas::headers_policies(&self.context.cloud, what).await else {
            return;
        };
        let there = names.len();
        if quotas::warning(there, new, &[]).is_some() {
            let expired = deployed::expired(&self.context.cloud, &self.context.project.name).await;
            let warning = quotas::warning(there, new, &expired.unwrap_or_default());
            warning.into_iter().for_each(|warning| self.reporter().warn(warning));
        }
    }

    async fn plan_all(&self, built: Dependency<Built>) -> Result<Plans> {
        let stacks = self.context.project.stacks().filter(|stack| self.scope.has(&stack.id));
        let planned = join_all(stacks.map(|stack| {
            let built = built.clone();
            async move { (stack, self.plan_beforehand(stack, built).await) }
        }))
        .await;
        // All have ended: what one was refused for is told, not that another was given up for it.
        let mut plans = Plans::default();
        for (stack, planned) in planned {
            if let Some(planned) = planned? {
                plans.0.insert(stack.id.clone(), planned);
            }
        }
        Ok(plans)
    }

    /// A stack's plan: that of its creation, or what changes with what is deployed of the others. None if something that
    /// it needs isn't known yet: then there is nothing to compare with.
    pub(super) async fn plan_beforehand(
        &self,
        stack: &StackTemplate,
        mut built: Dependency<Built>,
    ) -> Result<Option<Planned>> {
        let Some(before) = self.before.get(&stack.id) else {
            let wanted = self.desired(stack, self.known_inputs(stack, &Built::new()).0);
            return self.plan_stack(&wanted, None).await.map(Some);
        };
        let needs_packages = self
            .context
            .project
            .wiring()
            .sources(&stack.id)
            .any(|(_, source)| *source == Source::Package);
        let packages = if needs_packages {
            built
                .wait()
                .await
                .map_err(|_| Error::failed("the functions weren't built"))?
        } else {
            Built::new()
        };
        let (inputs, complete) = self.known_inputs(stack, &packages);
        if !complete {
            return Ok(None);
        }
        let wanted = self.desired(stack, inputs);
        if wanted.lacks_bucket() {
            return Ok(None);
        }
        self.plan_stack(&wanted, Some(before.stack.clone())).await.map(Some)
    }

    /// What is known of a stack's inputs from what is deployed and packed; and whether that is all that it waits for.
    pub(super) fn known_inputs(&self, stack: &StackTemplate, packages: &Built) -> (BTreeMap<String, String>, bool) {
        let mut inputs = BTreeMap::new();
        let mut complete = true;
        for (parameter, source) in self.context.project.wiring().sources(&stack.id) {
            let value = match source {
                Source::Output(edge) if edge.late => self.late_value_before(edge),
                Source::Output(edge) => {
                    let producer = self.before.get(&edge.producer);
                    let value = producer
                        .and_then(|producer| producer.stack.outputs.get(&edge.output))
                        .cloned();
                    complete = complete && value.is_some();
                    value
                }
                // Without one the parameter's default is somebody else's package.
                Source::Package => packages
                    .get(&(stack.id.clone(), parameter.to_owned()))
                    .map(|package| package.key.clone()),
                // Given wherever a stack is wanted.
                Source::Site | Source::Parameters(_) | Source::Stage(_) | Source::Default(_) => None,
            };
            if let Some(value) = value {
                inputs.insert(parameter.to_owned(), value);
            }
        }
        (inputs, complete)
    }

    /// Refuses what stacks that aren't there yet would create under a name that is taken.
    pub(super) async fn check_new_names(&self) -> Result<()> {
        let mut all = Vec::new();
        for stack in self.context.project.stacks() {
            // Checked for all: AWS's rules hold for names that are there as well.
            let named = self.named(stack)?;
            if self.scope.has(&stack.id) && !self.before.contains_key(&stack.id) {
                let cloud = self.context.cloud_of(&stack.id);
                all.extend(named.into_iter().map(|resource| (cloud, resource)));
            }
        }
        conflicts::check(all).await
    }

    /// The same of stacks that are there; `free` is how it went with the others.
    async fn check_names(&self, plans: &Plans, free: Result<()>) -> Result<()> {
        let (mut named, mut all) = (Vec::new(), Vec::new());
        for stack in self.context.project.stacks() {
            let Some(planned) = plans.0.get(&stack.id) else {
                continue;
            };
            // What a failed creation left goes first, so its names are free then.
            if planned.plan.verdict == StackAction::Recreate {
                continue;
            }
            let creates = |resource: &NamedResource| planned.plan.creates(&resource.logical_id, &resource.name);
            let new: Vec<NamedResource> = self.named(stack)?.into_iter().filter(creates).collect();
            named.extend(new.iter().cloned());
            if self.before.contains_key(&stack.id) {
                let cloud = self.context.cloud_of(&stack.id);
                all.extend(new.into_iter().map(|resource| (cloud, resource)));
            }
        }
        // That a name is taken by one of the stage's own tells more than that it is taken.
        conflicts::check_own(&named, plans.0.values().map(|planned| &planned.plan))?;
        free?;
        conflicts::check(all).await
    }

    fn named(&self, stack: &StackTemplate) -> Result<Vec<NamedResource>> {
        let wanted = self.desired(stack, BTreeMap::new());
        wanted.named_resources(&self.context.cloud_of(&stack.id).pseudo_parameters())
    }

    pub(super) async fn plan_stack(&self, wanted: &DesiredStack, before: Option<Stack>) -> Result<Planned> {
        deploy::plan(self.context.cloud_of(&wanted.id), wanted, before, self.reporter()).await
    }
}
