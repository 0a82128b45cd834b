//! What the Lambda function costs: how fast it starts and answers, how much memory it takes, how large it is, each
//! against the least that a function in Rust can cost (`floor`).
//!
//! Both programs run as they do on Lambda, between stand-ins for Lambda's Runtime API and for DynamoDB on this machine.
//! The table goes to stdout; a missed target is no failure.

mod bare_call;
mod cloud;
mod dynamodb;
mod http;
mod measure;
mod package;
mod pair;
mod program;
mod report;
mod runtime_api;
mod session;
mod tls;

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use benchmarks::cargo;
use benchmarks::error::Result;
use benchmarks::progress::progress;
use clap::Parser;

use crate::cloud::Cloud;
use crate::pair::Pair;
use crate::report::Results;

/// Measures the Lambda function against the least that a function in Rust can cost.
#[derive(Debug, Parser)]
struct Options {
    /// Measure this `bootstrap` instead of building one with plain cargo
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Measure it against this program instead of building the floor
    #[arg(long, value_name = "PATH")]
    floor: Option<PathBuf>,
    /// How often to start each program, with an event waiting and once more without
    #[arg(long, value_name = "N", default_value = "40")]
    starts: NonZeroUsize,
    /// How many requests to send to each program that has run for a while
    #[arg(long, value_name = "N", default_value = "5000")]
    requests: NonZeroUsize,
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<()> {
    let (starts, requests) = (options.starts.get(), options.requests.get());
    let programs = programs(options.floor, options.binary)?;
    let cloud = Cloud::start()?;
    let sizes = programs.try_map(|path| package::sizes(path))?;
    progress(format_args!(
        "Starting each program {starts} times with an event waiting…"
    ));
    let with_event = measure::starts(&programs, &cloud, starts)?;
    progress(format_args!("Starting each program {starts} times without…"));
    let pauses = measure::pauses(&programs, &cloud, starts)?;
    progress(format_args!("Sending {requests} requests to each program…"));
    let warm = measure::warm(&programs, &cloud, requests)?;
    let results = Results {
        sizes,
        starts: with_event,
        pauses,
        warm,
    };
    let table = results.table()?;
    let cpus = thread::available_parallelism()?;
    writeln!(
        io::stdout(),
        "{table}\n\n{cpus} CPUs; {starts} starts of each kind; {requests} warm requests."
    )?;
    Ok(())
}

/// The programs' paths, built unless given.
fn programs(floor: Option<PathBuf>, function: Option<PathBuf>) -> Result<Pair<PathBuf>> {
    let here = cargo::here();
    Ok(Pair {
        // What the other benchmark asks for would be in the floor, too.
        floor: floor.map_or_else(
            || cargo::build(&here, "floor", "lambda", &["--no-default-features"]),
            |path| cargo::given(&path),
        )?,
        function: function.map_or_else(
            || cargo::build(&here.join("../function"), "bootstrap", "lambda", &[]),
            |path| cargo::given(&path),
        )?,
    })
}
