//! What will change, found out before anything does.

use super::{Code, Up, table_of};
use crate::conflicts;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::fact::Fact;
use crate::package::Package;
use crate::project::Tier;
use crate::stack::change::Verdict;
use crate::stack::deploy::{self, Planned};
use crate::stack::read::Stack;
use crate::stack::wanted::Wanted;

/// The plans that could be made before anything is created; the logic stack's only when all it needs is known.
pub(super) struct Plans {
    pub(super) artifacts: Option<Planned>,
    pub(super) data: Option<Planned>,
    pub(super) presentation: Option<Planned>,
    pub(super) logic: Option<Planned>,
}

impl Plans {
    pub(super) fn all(&self) -> impl Iterator<Item = &Planned> {
        [&self.artifacts, &self.data, &self.presentation, &self.logic]
            .into_iter()
            .flatten()
    }

    pub(super) async fn discard(&self, context: &Context<'_>) {
        for planned in self.all() {
            // The refusal is what is reported; a change set that stays behind changes nothing.
            if let Err(error) = planned.discard(&context.cloud).await {
                context.reporter.warn(error.to_string());
            }
        }
    }
}

impl Up<'_> {
    /// Finds out what will change. Change sets are made for stacks that exist; nothing else is.
    pub(super) async fn plan(&self, package: Fact<Package>) -> Result<Plans> {
        let plan = async |tier: Tier| {
            if !self.scope.has(tier) {
                return Ok(None);
            }
            let wanted = self.wanted(tier, &[])?;
            self.plan_stack(&wanted, self.before.get(&tier).cloned())
                .await
                .map(Some)
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
        let checked = match failure {
            Some(error) => Err(error),
            None => self.check_names(&plans).await,
        };
        match checked {
            Ok(()) => Ok(plans),
            Err(error) => {
                plans.discard(self.context).await;
                Err(error)
            }
        }
    }

    /// Checks the names that the templates choose against AWS's rules, and that those of resources to be created are
    /// free.
    async fn check_names(&self, plans: &Plans) -> Result<()> {
        let pseudo = self.context.cloud.pseudo_parameters();
        let mut new = Vec::new();
        for tier in Tier::ALL {
            let named = self.wanted(tier, &[])?.named_resources(&pseudo)?;
            let plan = plans.all().map(|planned| &planned.plan).find(|plan| plan.tier == tier);
            // What a failed creation left goes first, so its names are free then.
            let Some(plan) = plan.filter(|plan| plan.verdict != Verdict::Recreate) else {
                continue;
            };
            new.extend(
                named
                    .into_iter()
                    .filter(|resource| plan.creates(&resource.logical_id, &resource.name)),
            );
        }
        conflicts::check_own(&new, plans.all().map(|planned| &planned.plan))?;
        conflicts::check(&self.context.cloud, new).await
    }

    pub(super) async fn plan_stack(&self, wanted: &Wanted, before: Option<Stack>) -> Result<Planned> {
        deploy::plan(&self.context.cloud, wanted, before, self.reporter()).await
    }

    /// The logic stack's plan, if it exists with the stacks that it needs: else there is nothing to compare with, or
    /// what it needs isn't known yet.
    async fn plan_logic(&self, mut package: Fact<Package>) -> Result<Option<Planned>> {
        if !self.scope.logic {
            return Ok(None);
        }
        let Some(stack) = self.before.get(&Tier::Logic).cloned() else {
            let wanted = self.wanted(Tier::Logic, &[])?;
            return self.plan_stack(&wanted, None).await.map(Some);
        };
        let (Some(artifacts), Some(data), Some(presentation)) = (
            self.before.get(&Tier::Artifacts),
            self.before.get(&Tier::Data),
            self.before.get(&Tier::Presentation),
        ) else {
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
}
