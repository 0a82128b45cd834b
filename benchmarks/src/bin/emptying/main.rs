//! What it takes to remove a bucket with many versions in it: `deployer down`, which removes its stack as well, beside s5cmd,
//! which only deletes what is in it.
//!
//! Both run as a user calls them, as a process from its start to its end, in a local cloud of the benchmark's own. The table
//! goes to stdout; a missed target is no failure.

mod measure;
mod report;

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use benchmarks::error::Result;
use benchmarks::process::{self, interruptible};
use benchmarks::{cargo, environment};
use clap::Parser;

use crate::measure::Programs;

/// Times the removal of many versions of objects.
#[derive(Debug, Parser)]
struct Options {
    /// Measure this `deployer` instead of building one
    #[arg(long, value_name = "FILE")]
    deployer: Option<PathBuf>,
    /// Measure it against this s5cmd instead of installing one into the cache folder
    #[arg(long, value_name = "FILE")]
    s5cmd: Option<PathBuf>,
    /// How many objects there are, of two versions each
    #[arg(long, value_name = "N", default_value = "5000")]
    objects: NonZeroUsize,
    /// How often each removes them
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
    let programs = Programs {
        deployer: cargo::deployer(options.deployer.as_deref())?,
        s5cmd: match &options.s5cmd {
            Some(program) => cargo::given(program)?,
            None => environment::s5cmd()?,
        },
    };
    let (objects, repetitions) = (options.objects.get(), options.repetitions.get());
    let runs = measure::runs(&programs, objects, repetitions).await?;
    let table = report::table(&runs)?;
    writeln!(
        io::stdout(),
        "{table}\n\nVersions: {}; repetitions: {repetitions}.",
        objects * measure::VERSIONS
    )?;
    Ok(())
}
