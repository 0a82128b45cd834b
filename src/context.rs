//! A project's stage and the cloud that it lives in.

use std::collections::BTreeMap;
use std::fs::File;

use futures::future::try_join_all;

use crate::cli::Global;
use crate::cloud::Cloud;
use crate::error::{Error, Result};
use crate::local as local_cloud;
use crate::project::stages::Architecture;
use crate::project::{Project, Tier};
use crate::report::{Event, Reporter};
use crate::stack::follow;
use crate::stack::ownership::{self, Adoption};
use crate::stack::read::{self, Stack};

fn there(stacks: Vec<(Tier, Option<Stack>)>) -> BTreeMap<Tier, Stack> {
    stacks
        .into_iter()
        .filter_map(|(tier, stack)| Some((tier, stack?)))
        .collect()
}

/// The path of the API's one resource.
const PATH: &str = "users";

/// What every command on a stage needs.
#[derive(Debug)]
pub struct Context<'a> {
    /// The project and its stage.
    pub project: Project,
    /// Where it lives.
    pub cloud: Cloud,
    /// Who is told.
    pub reporter: &'a Reporter,
}

impl<'a> Context<'a> {
    /// Opens the project, then connects; says where.
    pub async fn open(global: &Global, reporter: &'a Reporter) -> Result<Self> {
        Self::connect(Project::open(&global.project_dir, &global.stage)?, global, reporter).await
    }

    /// Connects for a project that was opened and checked.
    pub async fn connect(project: Project, global: &Global, reporter: &'a Reporter) -> Result<Self> {
        let cloud = Cloud::connect(global, &project.stage, reporter).await?;
        reporter.event(&Event::Target {
            project: project.name.clone(),
            stage: project.stage.name.clone(),
            account: cloud.account.clone(),
            region: cloud.region.clone(),
            endpoint: cloud.endpoint.url().map(str::to_owned),
        });
        Ok(Self {
            project,
            cloud,
            reporter,
        })
    }

    /// The stacks of this stage's names as they are at this moment, whoever's they are, read side by side.
    pub async fn stacks(&self) -> Result<BTreeMap<Tier, Stack>> {
        let found = try_join_all(Tier::ALL.map(|tier| async move {
            let name = self.project.stack_name(tier);
            Ok::<_, Error>((tier, read::describe(&self.cloud, &name).await?))
        }))
        .await?;
        Ok(there(found))
    }

    /// The stage's own stacks, to be worked on; those of the `adoption` needn't say whose they are.
    ///
    /// # Errors
    /// One of them is somebody else's: then none is to be touched.
    pub async fn own_stacks(&self, adoption: Adoption<'_>) -> Result<BTreeMap<Tier, Stack>> {
        let stacks = self.stacks().await?;
        ownership::check(&stacks, &self.project, adoption)?;
        Ok(stacks)
    }

    /// The same, once the operations that are under way on them have ended.
    pub async fn settled_stacks(&self, adoption: Adoption<'_>) -> Result<BTreeMap<Tier, Stack>> {
        let stacks = self.own_stacks(adoption).await?;
        let settled = try_join_all(stacks.into_iter().map(|(tier, stack)| async move {
            let stack = follow::settled(&self.cloud, tier, stack, self.reporter).await?;
            Ok::<_, Error>((tier, stack))
        }))
        .await?;
        Ok(there(settled))
    }

    /// Keeps other runs off this stage for as long as the returned value lives. CloudFormation does that by itself on AWS;
    /// an emulator lets two runs overwrite one another.
    pub async fn lock(&self) -> Result<Option<File>> {
        match self.cloud.endpoint.url() {
            None => Ok(None),
            Some(endpoint) => {
                let stage = format!("{endpoint} {} {}", self.project.name, self.project.stage.name);
                local_cloud::lock_stage(&stage, self.reporter).await.map(Some)
            }
        }
    }

    /// What the function runs on: this host off AWS, if Lambda has such a thing.
    pub fn architecture(&self) -> Architecture {
        let here = (!self.cloud.endpoint.is_aws())
            .then(Architecture::of_this_host)
            .flatten();
        here.unwrap_or(self.project.stage.architecture)
    }

    /// The URL of the API that the logic stack has, its path included.
    ///
    /// # Errors
    /// The stack doesn't say it.
    pub fn api_url(&self, logic: &Stack) -> Result<String> {
        let id = logic.output("ApiId")?;
        match self.cloud.endpoint.api_url(&id, &self.project.stage.name, PATH) {
            Some(url) => Ok(url),
            None => logic.output("ApiUrl"),
        }
    }
}
