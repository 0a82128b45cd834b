//! What seeding many items takes: into an empty table, when all are there, and when all are replaced; and what reading a
//! file of them takes.
//!
//! The commands run as a user types them, in a local cloud of the benchmark's own. The table goes to stdout; a missed
//! target is no failure.

mod measure;
mod report;

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use benchmarks::cargo;
use benchmarks::comparison::Which;
use benchmarks::error::Result;
use benchmarks::process::{self, interruptible};
use clap::Parser;

use crate::measure::Deployer;

/// Times the seeding of many items.
#[derive(Debug, Parser)]
struct Options {
    /// Measure this `deployer` instead of building one
    #[arg(long, value_name = "FILE")]
    deployer: Option<PathBuf>,
    /// Measure it against this one, an older one say
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// How many items are seeded; ten times as many are read
    #[arg(long, value_name = "N", default_value = "10000")]
    items: NonZeroUsize,
    /// How often to go through all
    #[arg(long, value_name = "N", default_value = "3")]
    repetitions: NonZeroUsize,
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
    let program = cargo::deployer(options.deployer.as_deref())?;
    let mut deployers = vec![Deployer {
        which: Which::This,
        program,
    }];
    if let Some(before) = &options.before {
        deployers.push(Deployer {
            which: Which::Before,
            program: cargo::given(before)?,
        });
    }
    let (items, repetitions) = (options.items.get(), options.repetitions.get());
    let runs = measure::runs(&deployers, items, repetitions).await?;
    let table = report::table(&runs, items)?;
    writeln!(
        io::stdout(),
        "{table}\n\nItems: {items}; read: {}; repetitions: {repetitions}.",
        items * measure::MORE
    )?;
    Ok(())
}
