//! One file a command.

pub mod down;
pub mod local;
pub mod package;
pub mod seed;
pub mod status;
pub mod up;
pub mod verify;

use crate::error::Result;
use crate::project::Project;
use crate::report::Reporter;
use crate::site::{self, Site};

/// Reads the project's site, and says what is to be known of it.
///
/// # Errors
/// It holds no site, or something that can't be published.
pub fn read_site(project: &Project, reporter: &Reporter) -> Result<Site> {
    let (site, warnings) = site::read(
        &project.site_dir(),
        project.stage.fingerprints,
        Some(&project.site_memo()),
    )?;
    for warning in warnings {
        reporter.warn(warning);
    }
    Ok(site)
}
