//! From the command line to an exit code.

use clap::{CommandFactory, Parser};

use crate::cli::{Cli, Command};
use crate::commands::{self, Context};
use crate::error::{Context as _, Error, Exit, Result};
use crate::report::Reporter;

/// Runs `deployer` with the process's arguments.
pub fn run() -> Exit {
    let cli = Cli::parse();
    start_log(cli.global.verbose);
    let reporter = Reporter::new(&cli.global);
    let outcome = tokio::runtime::Runtime::new()
        .or_fail(|| "could not start the async runtime".to_owned())
        .and_then(|runtime| {
            runtime.block_on(async {
                tokio::select! {
                    outcome = dispatch(&cli, &reporter) => outcome,
                    _ = tokio::signal::ctrl_c() => Err(interrupted()),
                }
            })
        });
    match outcome {
        Ok(()) => Exit::Done,
        Err(error) => {
            reporter.error(&error);
            error.exit()
        }
    }
}

async fn dispatch(cli: &Cli, reporter: &Reporter) -> Result<()> {
    let global = &cli.global;
    match &cli.command {
        Command::Up(args) => commands::up::run(args, global, reporter).await,
        Command::Seed(args) => commands::seed::run(args, global, reporter).await,
        Command::Status => commands::status::run(&Context::open(global, reporter).await?).await,
        Command::Down(args) => commands::down::run(args, &Context::open(global, reporter).await?).await,
        Command::Local(command) => commands::local::run(*command, reporter).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "deployer", &mut script);
            reporter.print(script)
        }
    }
}

fn interrupted() -> Error {
    Error::refused("interrupted").hint(
        "What CloudFormation has begun, it goes on with. `deployer status` shows where it is; the same command again goes \
         on from there.",
    )
}

/// The SDK's own log, at `-vv`. Requests in full, and so session tokens, come at its trace level, which isn't offered;
/// the key ids and role names that `aws_config` tells of are left out, too.
fn start_log(verbose: u8) {
    if verbose >= 2 {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::new(
                "info,aws_smithy_runtime=debug,aws_config=warn",
            ))
            .with_writer(std::io::stderr)
            .init();
    }
}
