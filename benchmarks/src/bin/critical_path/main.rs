//! How near `deployer up` is to the time that AWS itself takes: the longest chain of resources that wait for one another,
//! within stacks and across them.
//!
//! AWS is a local cloud of the benchmark's own in which each resource takes its time by a table, scaled down. The table of
//! results goes to stdout; a missed target is no failure.

mod measure;
mod path;
mod report;
mod slow;
mod template;
mod times;

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use benchmarks::cargo;
use benchmarks::error::Result;
use benchmarks::package;
use benchmarks::process::{self, interruptible};
use clap::Parser;

use crate::measure::Plan;

/// Compares `deployer up` with the critical path of what it deploys.
#[derive(Debug, Parser)]
struct Options {
    /// Measure this `deployer` instead of building one
    #[arg(long, value_name = "FILE")]
    deployer: Option<PathBuf>,
    /// The functions' package, a zip, instead of building one
    #[arg(long, value_name = "FILE")]
    function_package: Option<PathBuf>,
    /// How many milliseconds a second of AWS's takes; the deployer looks once a second here, and on AWS every 6
    #[arg(long, value_name = "N", default_value = "150")]
    second_ms: u64,
    /// Measure these projects alone
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_values = ["users", "orders"])]
    projects: Vec<String>,
    /// How often to go through all
    #[arg(long, value_name = "N", default_value = "1")]
    repetitions: NonZeroUsize,
}

/// What `deployer init` calls them, and where they are, seen from the repository.
const PROJECTS: [(&str, &str); 2] = [("users", "."), ("orders", "examples/orders")];

#[tokio::main]
async fn main() -> ExitCode {
    if let Some(done) = process::starter() {
        return done;
    }
    let options = Options::parse();
    interruptible(run(&options)).await
}

async fn run(options: &Options) -> Result<()> {
    if let Some(unknown) = options
        .projects
        .iter()
        .find(|wanted| !PROJECTS.iter().any(|(name, _)| name == wanted))
    {
        return Err(format!("there is no project {unknown}: users and orders are there").into());
    }
    let root = cargo::here().join("..");
    let package = package::find(options.function_package.as_deref())?;
    let plan = Plan {
        deployer: cargo::deployer(options.deployer.as_deref())?,
        package: package.path().to_owned(),
        projects: PROJECTS
            .into_iter()
            .filter(|(name, _)| options.projects.iter().any(|wanted| wanted == name))
            .map(|(name, folder)| (name, root.join(folder)))
            .collect(),
        second: Duration::from_millis(options.second_ms),
        repetitions: options.repetitions.get(),
    };
    let runs = measure::runs(&plan).await?;
    writeln!(
        io::stdout(),
        "{}\n\nIn seconds: {}. A second takes {} ms; repetitions: {}.",
        report::told(&runs)?,
        times::told(),
        options.second_ms,
        options.repetitions
    )?;
    Ok(())
}
