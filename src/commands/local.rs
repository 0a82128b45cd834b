//! `deployer local`: the local cloud.

use serde::Serialize;

use crate::cli::LocalCommand;
use crate::error::Result;
use crate::local::{self, LocalStatus};
use crate::report::{Outcome, Paint, Reporter};

/// Runs the command.
pub async fn run(command: LocalCommand, reporter: &Reporter) -> Result<()> {
    match command {
        LocalCommand::Start => {
            local::ensure_running(reporter).await?;
        }
        LocalCommand::Stop => {
            local::stop(reporter).await?;
        }
        LocalCommand::Status => {}
        LocalCommand::Reset => {
            reporter
                .confirm(
                    "empty the local cloud",
                    &["every stage, table and bucket in it".to_owned()],
                )
                .await?;
            local::reset(reporter).await?;
        }
    }
    reporter.outcome(&Shown(local::status().await?))
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(LocalStatus);

impl Outcome for Shown {
    fn text(&self, paint: &Paint) -> String {
        let status = &self.0;
        if status.running {
            format!(
                "The local cloud runs at {}; its state is in {}\n",
                paint.bold(&status.endpoint),
                status.state_dir.display()
            )
        } else {
            format!(
                "The local cloud isn't running. `deployer up --local` starts it; its state is in {}\n",
                status.state_dir.display()
            )
        }
    }
}
