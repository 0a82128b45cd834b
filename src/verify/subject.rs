//! What is verified: names and addresses, as the stage's stacks tell them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;

use super::function::Known;
use super::recent::Recent;
use super::site::Edge;
use crate::bucket::Listing;
use crate::cloud::Cloud;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::project::seed::Item;
use crate::project::stages::Architecture;
use crate::project::{Project, Tier};
use crate::site::Site;
use crate::stack::read::Stack;
use crate::stack::wanted::Wanted;

/// A stage that is complete.
#[derive(Debug)]
pub struct Subject<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) http: reqwest::Client,
    pub(super) stage: String,
    pub(super) architecture: Architecture,
    pub(super) table_name: String,
    pub(super) table_arn: String,
    pub(super) function_name: String,
    pub(super) logic_stack: String,
    /// What stacks/logic.yaml's snapshots of the API would be called in the stack, were they deployed now.
    pub(super) deployments: Vec<String>,
    pub(super) api_id: String,
    pub(super) api_url: String,
    /// Scheme, host and port of the site: what browsers send as `Origin`.
    pub(super) origin: String,
    pub(super) distribution_id: String,
    /// What the stage's stack says of plain HTTP, in CloudFront's words; none if its template has no such parameter.
    pub(super) viewer_protocol_policy: Option<String>,
    pub(super) site_bucket: String,
    pub(super) artifacts_bucket: String,
    pub(super) items: Vec<Item>,
    pub(super) site: Site,
    /// Paths that were seen to be served as they should: a large site isn't fetched again for one late file.
    pub(super) served: RefCell<BTreeSet<String>>,
    pub(super) function: Recent<GetFunctionConfigurationOutput>,
    pub(super) known_item: Recent<Option<Known>>,
    pub(super) edge: Recent<Option<Edge>>,
    pub(super) objects: Recent<Arc<Listing>>,
}

impl<'a> Subject<'a> {
    /// The stage of `context`, as `stacks` have it; `items` and `site` are what should be in it.
    ///
    /// # Errors
    /// A stack is missing or lacks an output.
    pub fn new(context: &'a Context<'_>, stacks: &BTreeMap<Tier, Stack>, items: Vec<Item>, site: Site) -> Result<Self> {
        let stack = |tier: Tier| {
            stacks.get(&tier).ok_or_else(|| {
                Error::failed(format!(
                    "the stage {} isn't complete: there is no stack {}",
                    context.project.stage.name,
                    context.project.stack_name(tier)
                ))
                .hint("Deploy it first: `deployer up`.")
            })
        };
        let (artifacts, data) = (stack(Tier::Artifacts)?, stack(Tier::Data)?);
        let (presentation, logic) = (stack(Tier::Presentation)?, stack(Tier::Logic)?);
        let endpoint = &context.cloud.endpoint;
        Ok(Self {
            cloud: &context.cloud,
            http: super::http::client(endpoint)?,
            stage: context.project.stage.name.clone(),
            architecture: context.architecture(),
            table_name: data.output("TableName")?,
            table_arn: data.output("TableArn")?,
            function_name: logic.output("FunctionName")?,
            logic_stack: logic.arn.clone(),
            deployments: deployments(&context.project, logic)?,
            api_id: logic.output("ApiId")?,
            api_url: context.api_url(logic)?,
            origin: endpoint.site_origin(&presentation.output("DistributionDomain")?),
            distribution_id: presentation.output("DistributionId")?,
            viewer_protocol_policy: presentation.parameters.get("ViewerProtocolPolicy").cloned(),
            site_bucket: presentation.output("SiteBucket")?,
            artifacts_bucket: artifacts.output("BucketName")?,
            items,
            site,
            served: RefCell::default(),
            function: Recent::default(),
            known_item: Recent::default(),
            edge: Recent::default(),
            objects: Recent::default(),
        })
    }

    /// How to get a part of a template back to what it says.
    pub(super) fn restore(&self, what: &str, tier: Tier) -> String {
        let only = match tier {
            Tier::Data => "data",
            Tier::Presentation => "presentation",
            Tier::Artifacts | Tier::Logic => "logic",
        };
        if self.cloud.endpoint.is_aws() {
            format!(
                "`deployer up --only {only} --revert-drift` undoes what was changed by hand. If it was changed in \
                 stacks/{tier}.yaml, restore {what} there first."
            )
        } else {
            format!(
                "If it was changed in stacks/{tier}.yaml, restore {what} there and run `deployer up --only {only}`. What \
                 was changed by hand an emulator can't undo: `deployer down`, then `deployer up`."
            )
        }
    }
}

/// The deployments that the project's template has, with what other stacks and the build gave it.
fn deployments(project: &Project, logic: &Stack) -> Result<Vec<String>> {
    let own = project.parameters();
    let given = logic.parameters.iter().filter(|(name, _)| !own.contains_key(*name));
    let given: Vec<(&str, String)> = given.map(|(name, value)| (name.as_str(), value.clone())).collect();
    Ok(Wanted::new(project, Tier::Logic, &given)?.deployments())
}
