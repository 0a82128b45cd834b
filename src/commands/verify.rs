//! `deployer verify`: the checks that a careful person would make by hand.

use std::time::Duration;

use super::read_site;
use crate::cli::{Global, VerifyArgs};
use crate::context::Context;
use crate::error::Result;
use crate::project::Project;
use crate::report::Reporter;
use crate::stack::ownership::Adoption;
use crate::verify::{Subject, verify};

/// Runs the command.
pub async fn run(args: &VerifyArgs, global: &Global, reporter: &Reporter) -> Result<()> {
    let project = Project::open(&global.project_dir, &global.stage)?;
    let items = project.seed_items(None)?;
    let site = read_site(&project, reporter)?;
    let context = Context::connect(project, global, reporter).await?;
    let stacks = context.settled_stacks(Adoption::default()).await?;
    let subject = Subject::new(&context, &stacks, items, site)?;
    let wanted = |layer, _: &str| args.only.is_none_or(|only| only == layer);
    let verification = verify(&subject, wanted, Duration::from_secs(args.timeout), reporter).await;
    reporter.outcome(&verification)?;
    verification.failure().map_or(Ok(()), Err)
}
