//! One file a command.

pub mod down;
pub mod local;
pub mod seed;
pub mod status;
pub mod up;

use crate::cli::Global;
use crate::cloud::Cloud;
use crate::error::Result;
use crate::project::Project;
use crate::report::{Event, Reporter};

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
}
