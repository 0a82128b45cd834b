//! One file a command.

pub(crate) mod backup;
pub(crate) mod ci;
pub(crate) mod diagnose;
pub(crate) mod down;
mod functions;
pub(crate) mod graph;
pub(crate) mod init;
pub(crate) mod invoke;
pub(crate) mod local;
pub(crate) mod logs;
pub(crate) mod openapi;
pub(crate) mod package;
pub(crate) mod policy;
pub(crate) mod releases;
pub(crate) mod rollback;
pub(crate) mod seed;
pub(crate) mod stages;
pub(crate) mod status;
pub(crate) mod up;
pub(crate) mod verify;
pub(crate) mod watch;

use std::path::PathBuf;

use crate::cli::Global;
use crate::error::Result;
use crate::project::contract::Contract;
use crate::project::{self, Project};
use crate::report::Reporter;
use crate::site::{self, Site};

/// The project's folder: the one that is named, or the nearest upwards.
///
/// # Errors
/// The nearest is somebody else's.
pub(crate) fn folder(global: &Global) -> Result<PathBuf> {
    project::folder(global.project_dir.as_deref())
}

/// Opens the project, and says what is to be known of it.
///
/// # Errors
/// It can't be read, or has no such stage.
pub(crate) fn open(global: &Global, reporter: &Reporter) -> Result<Project> {
    let project = Project::open(&folder(global)?, &global.stage)?;
    for warning in &project.warnings {
        reporter.warn(warning);
    }
    Ok(project)
}

/// Reads the project's site, and says what is to be known of it.
///
/// # Errors
/// It holds no site, or something that can't be published.
pub(crate) fn read_site(project: &Project, reporter: &Reporter) -> Result<Site> {
    let (site, warnings) = site::read(&project.site_dir(), &project.stage.site, Some(&project.site_cache()))?;
    for warning in warnings {
        reporter.warn(warning);
    }
    Ok(site)
}

/// Reads the app's own contract.
///
/// # Errors
/// Names file and line of what is wrong in it.
pub(crate) fn read_contract(project: &Project) -> Result<Contract> {
    Contract::read(project, &crate::verify::check_ids())
}

/// Asks before requests are made that may change what a protected stage holds.
///
/// # Errors
/// The answer is no.
pub(crate) async fn confirm_changes(
    contract: &Contract,
    project: &Project,
    protected: bool,
    reporter: &Reporter,
) -> Result<()> {
    let changing: Vec<String> = contract.changing().map(str::to_owned).collect();
    if !protected || changing.is_empty() {
        return Ok(());
    }
    let what = format!(
        "make requests that may change what the protected stage {} holds",
        project.stage.name
    );
    reporter
        .confirm(&what, &changing, "Nothing was changed.")
        .await
        .map(drop)
}
