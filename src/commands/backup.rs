//! `deployer backup`: all items of the stage's tables, into a file that `deployer seed` reads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use futures::future::try_join_all;
use serde::Serialize;

use super::seed::settled;
use crate::backup::{self, BackedUp, Source};
use crate::cli::BackupArgs;
use crate::context::{Context, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::project::stacks::StackId;
use crate::report::{CommandResult, Paint};
use crate::seeding;
use crate::stack::ownership::Adoption;
use crate::stack::read::Deployed;

/// Runs the command. That the file can be written is looked at before anything is asked of the cloud.
pub(crate) async fn run(args: &BackupArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let project = super::open(global, reporter)?;
    backup::check(&args.file)?;
    let tables = project.named_tables(args.table.as_deref())?;
    if tables.is_empty() {
        return Err(
            Error::new(ErrorKind::InvalidUsage, "no template in stacks/ has a table")
                .hint("`deployer status` shows what the stage has."),
        );
    }
    let context = Context::connect(project, session).await?;
    let stacks = context.own_stacks(Adoption::default()).await?;
    let ids: BTreeSet<StackId> = tables.iter().map(|(_, table)| StackId::new(&table.stack)).collect();
    let looked = ids.into_iter().map(async |id| {
        let deployed = settled(&context, &id, &stacks).await?;
        Ok::<_, Error>((id, deployed))
    });
    let deployed: BTreeMap<StackId, Deployed> = try_join_all(looked).await?.into_iter().collect();
    let sources = tables.into_iter().map(|(id, table)| {
        let stack = StackId::new(&table.stack);
        Ok(Source {
            cloud: context.cloud_of(&stack),
            name: seeding::name_of(&deployed[&stack], &table)?.to_owned(),
            stack: table.stack,
            id,
        })
    });
    let sources: Vec<Source<'_>> = sources.collect::<Result<_>>()?;
    let tables = backup::write(&sources, &args.file, reporter).await?;
    reporter.finished("backup", backup::describe(&tables, &args.file), false);
    reporter.result(&BackupOutcome {
        file: args.file.clone(),
        tables,
    })
}

#[derive(Serialize)]
struct BackupOutcome {
    file: PathBuf,
    tables: Vec<BackedUp>,
}

impl CommandResult for BackupOutcome {
    fn text(&self, _: &Paint) -> String {
        // The last event has said it.
        String::new()
    }
}
