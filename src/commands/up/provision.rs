//! Everything that changes the cloud, each part beside the others.

use std::future::Future;

use super::plan::Plans;
use super::{API_ORIGIN, Code, Table, Up, table_of};
use crate::cloud::origin_of;
use crate::error::{Error, Result};
use crate::fact::{Fact, Teller, Unknown, fact};
use crate::package::Package;
use crate::project::Tier;
use crate::publish::{self, Place};
use crate::readiness;
use crate::report::Event;
use crate::seeding;
use crate::stack::change::Verdict;
use crate::stack::deploy::{self, Planned};
use crate::stack::events::ResourceEvent;
use crate::stack::read::Stack;
use crate::stack::wanted::Wanted;

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

impl From<Unknown> for Stop {
    fn from(_: Unknown) -> Self {
        Self::Skipped
    }
}

pub(super) type Done = Result<(), Stop>;

impl Up<'_> {
    /// Everything that changes the cloud, each part beside the others.
    pub(super) async fn provision(&self, plans: Plans, package: Option<Package>) -> Vec<Done> {
        let (code_teller, code) = fact();
        let (table_teller, table) = fact();
        let (origin_teller, origin) = fact();
        let (stack_teller, stack) = fact();
        let (api_teller, api) = fact();
        let (place_teller, place) = fact();
        let (store_teller, store) = fact();
        let (artifacts, data, presentation, logic, seed, policy, site) = tokio::join!(
            self.part(
                "artifacts",
                self.artifacts(plans.artifacts, package, store_teller, code_teller)
            ),
            self.part("data", self.data(plans.data, table_teller)),
            self.part(
                "presentation",
                self.presentation(plans.presentation, origin_teller, stack_teller)
            ),
            self.part(
                "logic",
                self.logic_tier(plans.logic, code, table.clone(), origin, api_teller)
            ),
            self.part("seed", self.seed(table)),
            self.part("presentation", self.policy(stack, api.clone(), store, place_teller)),
            self.part("site", self.site(place, api)),
        );
        vec![artifacts, data, presentation, logic, seed, policy, site]
    }

    async fn artifacts(
        &self,
        planned: Option<Planned>,
        package: Option<Package>,
        store: Teller<String>,
        code: Teller<Code>,
    ) -> Done {
        let (Some(planned), Some(package)) = (planned, package) else {
            if let Some(stack) = self.before.get(&Tier::Artifacts) {
                store.tell(stack.output("BucketName")?);
            }
            return Ok(());
        };
        let wanted = self.wanted(Tier::Artifacts, &[])?;
        let stack = self.apply(&wanted, planned, |_| {}).await?;
        let bucket = stack.output("BucketName")?;
        store.tell(bucket.clone());
        let sent = package.upload(&self.context.cloud, &bucket, self.reporter()).await?;
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
            if let Some(stack) = self.before.get(&Tier::Data) {
                table.tell(table_of(stack)?);
            }
            return Ok(());
        };
        let wanted = self.wanted(Tier::Data, &[])?;
        let stack = self.apply(&wanted, planned, |_| {}).await?;
        let found = table_of(&stack)?;
        readiness::table(&self.context.cloud, &found.name).await?;
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

    async fn presentation(&self, planned: Option<Planned>, origin: Teller<String>, deployed: Teller<Stack>) -> Done {
        let tell = |stack: &Stack| -> Result<()> {
            origin.tell(
                self.context
                    .cloud
                    .endpoint
                    .site_origin(&stack.output("DistributionDomain")?),
            );
            deployed.tell(stack.clone());
            Ok(())
        };
        let Some(planned) = planned else {
            return Ok(self.before.get(&Tier::Presentation).map_or(Ok(()), tell)?);
        };
        let wanted = self.wanted(Tier::Presentation, &[])?;
        let distribution_id = wanted.resource_of_output("DistributionId");
        let (seen, mut distribution) = fact();
        let following = async move {
            self.apply(&wanted, planned, |event| {
                let is_it = Some(event.logical_id.as_str()) == distribution_id.as_deref();
                if is_it && event.status.starts_with("CREATE_") {
                    event.physical_id.iter().for_each(|id| seen.tell(id.clone()));
                }
            })
            .await
        };
        // The distribution's domain is known minutes before the distribution is ready, and the logic tier needs only
        // that. What goes wrong here costs only time: the stack's outputs tell the same in the end.
        //
        // The bucket is known early, too, but isn't told: should the distribution fail, AWS can't take back a bucket with
        // files in it.
        let asking_early = async {
            if let Ok(id) = distribution.wait().await
                && let Ok(domain) = readiness::domain(&self.context.cloud, &id).await
            {
                origin.tell(self.context.cloud.endpoint.site_origin(&domain));
            }
        };
        let (stack, ()) = tokio::join!(following, asking_early);
        let stack = stack?;
        tell(&stack)?;
        readiness::distribution(&self.context.cloud, &stack.output("DistributionId")?, self.reporter()).await?;
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
            if let Some(stack) = self.before.get(&Tier::Logic) {
                api.tell(self.context.api_url(stack)?);
            }
            return Ok(());
        }
        let Ok((code, table, origin)) = tokio::try_join!(code.wait(), table.wait(), origin.wait()) else {
            if let Some(planned) = planned {
                planned.discard(&self.context.cloud).await?;
            }
            return Err(Stop::Skipped);
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
                let planned = self.plan_stack(&wanted, self.before.get(&Tier::Logic).cloned()).await?;
                self.reporter().event(&Event::Plan {
                    stacks: vec![planned.plan.clone()],
                });
                self.confirmed(planned).await?
            }
        };
        let stack = self.apply(&wanted, planned, |_| {}).await?;
        readiness::function(&self.context.cloud, &stack.output("FunctionName")?).await?;
        api.tell(self.context.api_url(&stack)?);
        Ok(())
    }

    /// Lets the page call the API: the presentation stack's policy names it, once it is known.
    async fn policy(
        &self,
        mut stack: Fact<Stack>,
        mut api: Fact<String>,
        mut store: Fact<String>,
        place: Teller<Place>,
    ) -> Done {
        // Without one of them there is nothing to allow, and the part that failed has said why.
        let Ok((stack, api, artifacts)) = tokio::try_join!(stack.wait(), api.wait(), store.wait()) else {
            return Ok(());
        };
        let api = origin_of(&api);
        // A template of the project's own making may have no such policy.
        if let Some(allowed) = stack.parameters.get(API_ORIGIN).filter(|allowed| **allowed != api)
            && (self.scope.presentation || self.scope.logic || self.scope.site)
        {
            let wanted = |api: &str| self.wanted(Tier::Presentation, &[(API_ORIGIN, api.to_owned())]);
            // `--only` another part doesn't bring along what else was changed in the template.
            if self.scope.presentation || stack.digest() == Some(&wanted(allowed)?.digest()) {
                self.reporter()
                    .working("presentation", format!("letting the page call {api}"));
                let wanted = wanted(&api)?;
                let planned = self.plan_stack(&wanted, Some(stack.clone())).await?;
                let planned = self.confirmed(planned).await?;
                deploy::apply(&self.context.cloud, &wanted, planned, self.reporter(), |_| {}).await?;
                self.reporter()
                    .finished("presentation", format!("the page can call {api}"), true);
            } else {
                self.reporter().warn(format!(
                    "the page can't call {api} yet, and {} has other changes that aren't deployed: run `deployer up \
                     --only presentation`",
                    self.context.project.template_file(Tier::Presentation).display()
                ));
            }
        }
        place.tell(Place {
            bucket: stack.output("SiteBucket")?,
            distribution: stack.output("DistributionId")?,
            artifacts,
        });
        Ok(())
    }

    async fn site(&self, mut place: Fact<Place>, mut api: Fact<String>) -> Done {
        let Some(site) = &self.site else {
            return Ok(());
        };
        let (place, api) = tokio::try_join!(place.wait(), api.wait())?;
        self.reporter().working("site", "comparing");
        let cloud = &self.context.cloud;
        let published = publish::publish(cloud, site, &place, &api, self.wait, self.reporter()).await?;
        self.reporter()
            .finished("site", published.describe(), published.did_something());
        Ok(())
    }

    /// A plan that was made on the way, if nothing would be lost by it, or the user agrees.
    async fn confirmed(&self, planned: Planned) -> Result<Planned> {
        let losses = planned.plan.losses();
        if !losses.is_empty()
            && let Err(refusal) = self.reporter().confirm("change what holds data", &losses).await
        {
            planned.discard(&self.context.cloud).await?;
            return Err(refusal);
        }
        Ok(planned)
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
}
