//! `deployer verify`: the checks that a careful person would make by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{confirm_changes, read_contract, read_site};
use crate::cli::VerifyArgs;
use crate::context::{Context, Session};
use crate::error::Result;
use crate::stack::ownership::Adoption;
use crate::verify::{Selection, Stage, verify};

/// Runs the command.
pub(crate) async fn run(args: &VerifyArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let project = super::open(global, reporter)?;
    project.check()?;
    let selection = Selection::new(&args.only, &args.skip)?;
    let contract = read_contract(&project)?;
    let seeds = project.seeds(None, None)?;
    let site = project
        .site_stack()
        .map(|_| read_site(&project, reporter))
        .transpose()?;
    let context = Context::connect(project, session).await?;
    let deployed = context.settled_survey(Adoption::default()).await?;
    let packages = BTreeMap::new();
    let stage = Stage::new(&context, &deployed, &seeds, site.as_ref(), &packages, &contract)?;
    let stage = stage.with_changes(args.with_changes).full(args.full);
    if args.with_changes && selection.has_contract() {
        let protected = context.is_protected(&deployed);
        confirm_changes(&contract, &context.project, protected, reporter).await?;
    }
    let timeout = Duration::from_secs(args.timeout);
    let verification = verify(&stage, &selection, |_| true, timeout, reporter).await;
    reporter.result(&verification)?;
    verification.failure().map_or(Ok(()), Err)
}
