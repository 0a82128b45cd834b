//! What deploying an app takes, beside what others take for the same app: a fresh deployment, one where nothing has changed,
//! and the removal, by this deployer with and without its proof, the AWS CLI, SAM, the CDK and Terraform.
//!
//! All work on the same local cloud, by turns, each as a user calls it, and each gets the function's package built. What each
//! does stands in `benchmarks/peers/`. The table goes to stdout; a missed limit is no failure.

mod measure;
mod report;
mod seen;
mod tool;

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use benchmarks::cargo;
use benchmarks::error::Result;
use benchmarks::package;
use benchmarks::process::{self, interruptible};
use benchmarks::progress::progress;
use clap::Parser;

use crate::measure::Plan;
use crate::tool::{Given, Program, Tool};

/// Times the deployment of an app by several tools.
#[derive(Debug, Parser)]
struct Options {
    /// Measure this `deployer` instead of building one
    #[arg(long, value_name = "FILE")]
    deployer: Option<PathBuf>,
    /// The function's package, a zip that runs on this machine, instead of building it
    #[arg(long, value_name = "FILE")]
    function_package: Option<PathBuf>,
    /// Measure these alone; of the peers those are left out that can't be had here
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        default_values = ["deployer", "deployer-no-verify", "aws", "sam", "cdk", "terraform"]
    )]
    tools: Vec<Tool>,
    /// Where Terraform finds its AWS provider, for machines that its registry can't be reached from
    #[arg(long, value_name = "DIR")]
    terraform_plugins: Option<PathBuf>,
    /// How often to go through all
    #[arg(long, value_name = "N", default_value = "3")]
    repetitions: NonZeroUsize,
    /// How many milliseconds the cloud is away when the answers in a row are counted, once more; 0 leaves that out
    #[arg(long, value_name = "N", default_value = "100")]
    latency_ms: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    if let Some(done) = process::starter() {
        return done;
    }
    let options = Options::parse();
    interruptible(run(&options)).await
}

async fn run(options: &Options) -> Result<()> {
    let given = Given {
        deployer: cargo::deployer(options.deployer.as_deref())?,
        plugins: options.terraform_plugins.as_deref().map(cargo::given).transpose()?,
    };
    let package = package::find(options.function_package.as_deref())?;
    let mut programs = Vec::new();
    let mut left_out = Vec::new();
    for tool in Tool::ALL.into_iter().filter(|tool| options.tools.contains(tool)) {
        match Program::find(tool, &given) {
            Ok(program) => programs.push(program),
            Err(error) => {
                progress(format_args!("{} is left out: {error}", tool.name()));
                left_out.push((tool, error.to_string()));
            }
        }
    }
    let plan = Plan {
        deployer: &given.deployer,
        package: package.path(),
        repetitions: options.repetitions.get(),
        latency: Duration::from_millis(options.latency_ms),
    };
    let measured = measure::runs(&programs, &plan).await?;
    left_out.extend(measured.left_out);
    let table = report::table(&measured.runs)?;
    let mut out = io::stdout();
    writeln!(
        out,
        "{table}\n\n{} CPUs, shared with the local cloud; repetitions: {}; answers in a row: of one run more, {} ms away.",
        thread::available_parallelism()?,
        options.repetitions,
        options.latency_ms
    )?;
    for (tool, why) in left_out {
        writeln!(out, "Not measured: {}: {why}", tool.name())?;
    }
    Ok(())
}
