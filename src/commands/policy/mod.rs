//! `deployer policy`: what programs ask of AWS, and what roles and identities need for it.

mod check;
mod deploy;
mod function;
mod place;

use crate::cli::PolicyCommand;
use crate::context::Session;
use crate::error::Result;

/// Runs the command.
pub(crate) async fn run(command: &PolicyCommand, session: Session<'_>) -> Result<()> {
    match command {
        PolicyCommand::Function(args) => function::run(args, session).await,
        PolicyCommand::Deploy(args) => deploy::run(args, session).await,
        PolicyCommand::Check => check::run(session).await,
    }
}
