//! What is verified: names and addresses, as the stage's stacks tell them.

use std::collections::BTreeMap;

use crate::cloud::Cloud;
use crate::commands::Context;
use crate::commands::status::api_url;
use crate::error::{Error, Result};
use crate::project::Tier;
use crate::project::seed::Item;
use crate::project::stages::Architecture;
use crate::site::Site;
use crate::stack::read::Stack;

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
    pub(super) api_id: String,
    pub(super) api_url: String,
    /// Scheme, host and port of the site: what browsers send as `Origin`.
    pub(super) origin: String,
    pub(super) distribution_id: String,
    pub(super) site_bucket: String,
    pub(super) artifacts_bucket: String,
    pub(super) items: Vec<Item>,
    pub(super) site: Site,
}

impl<'a> Subject<'a> {
    /// The stage of `context`, as `stacks` have it; `items` and `site` are what should be in it.
    ///
    /// # Errors
    /// A stack is missing or not in a good state.
    pub fn new(
        context: &'a Context<'_>,
        stacks: &BTreeMap<Tier, Stack>,
        architecture: Architecture,
        items: Vec<Item>,
        site: Site,
    ) -> Result<Self> {
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
            architecture,
            table_name: data.output("TableName")?,
            table_arn: data.output("TableArn")?,
            function_name: logic.output("FunctionName")?,
            logic_stack: logic.arn.clone(),
            api_id: logic.output("ApiId")?,
            api_url: api_url(context, logic)?,
            origin: endpoint.site_origin(&presentation.output("DistributionDomain")?),
            distribution_id: presentation.output("DistributionId")?,
            site_bucket: presentation.output("SiteBucket")?,
            artifacts_bucket: artifacts.output("BucketName")?,
            items,
            site,
        })
    }
}
