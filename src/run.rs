//! From the command line to an exit code.

use clap::{CommandFactory, Parser};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::cli::{Cli, Color, Command, Global, Output};
use crate::commands;
use crate::error::{Context as _, Error, Exit, Result};
use crate::report::Reporter;

/// Runs `deployer` with the process's arguments.
pub fn run() -> Exit {
    let cli = Cli::parse();
    start_log(&cli.global);
    let reporter = Reporter::new(&cli.global);
    // A run waits nearly all of the time. One thread has enough for that, and needn't wake others for each answer; what
    // computes for long or reads files has threads of its own.
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
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
        Command::Graph(args) => commands::graph::run(args, global, reporter),
        Command::Package(args) => commands::package::run(args, global, reporter).await,
        Command::Seed(args) => commands::seed::run(args, global, reporter).await,
        Command::Status => commands::status::run(global, reporter).await,
        Command::Verify(args) => commands::verify::run(args, global, reporter).await,
        Command::Down(args) => commands::down::run(args, global, reporter).await,
        Command::Local(command) => commands::local::run(*command, global, reporter).await,
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

/// The SDK's requests, at `-vv`: each operation as it ends, with its duration. What is in the requests, session tokens
/// among it, comes at the SDK's trace level, which isn't offered.
fn start_log(global: &Global) {
    if global.verbose < 2 {
        return;
    }
    // Each operation has a span in its service's crate.
    let spans = "warn,aws_sdk_apigateway=debug,aws_sdk_apigatewayv2=debug,aws_sdk_cloudformation=debug,\
                 aws_sdk_cloudfront=debug,aws_sdk_cloudwatchlogs=debug,aws_sdk_dynamodb=debug,aws_sdk_iam=debug,aws_sdk_lambda=debug,aws_sdk_s3=debug,aws_sdk_sts=debug";
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(spans))
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(global.color == Color::Always)
        .with_target(false)
        .with_writer(std::io::stderr);
    match global.output {
        Output::Human => log.init(),
        Output::Json => log.json().init(),
    }
}
