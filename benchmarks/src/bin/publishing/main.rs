//! What publishing a site costs: time, processor and memory of `deployer up --only site`, beside two tools that only
//! copy, s5cmd and aws.
//!
//! All publish the same site to the same server on this machine, each as a user calls it, as a process from its start to
//! its end. The table goes to stdout; a missed target is no failure.

mod measure;
mod report;
mod server;
mod site;
mod tool;

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use benchmarks::error::Result;
use benchmarks::process;
use benchmarks::progress::progress;
use clap::{Parser, Subcommand};

use crate::site::Kind;
use crate::tool::{Program, Tool};

/// Measures `deployer up --only site` against s5cmd and aws.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Options {
    /// Measure this `deployer` instead of building one
    #[arg(long, value_name = "FILE")]
    deployer: Option<PathBuf>,
    /// Measure it against this s5cmd instead of installing one into the cache folder
    #[arg(long, value_name = "FILE")]
    s5cmd: Option<PathBuf>,
    /// Measure it against this aws instead of installing one into the cache folder
    #[arg(long, value_name = "FILE")]
    aws: Option<PathBuf>,
    /// Measure these alone
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_values = ["deployer", "s5cmd", "aws"])]
    tools: Vec<Tool>,
    /// How many small files there are, for one site each; 0 leaves out these sites
    #[arg(long, value_name = "N", value_delimiter = ',', default_values = ["1000", "10000", "52000"])]
    files: Vec<usize>,
    /// How many MiB the large file of the last site has; 0 leaves out this site
    #[arg(long, value_name = "MIB", default_value = "1024")]
    largest_mib: u64,
    /// How often each tool publishes each site
    #[arg(long, value_name = "N", default_value = "5")]
    repetitions: NonZeroUsize,
    #[command(flatten)]
    distance: Distance,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Copy, clap::Args)]
struct Distance {
    /// How many milliseconds later the server answers than it could, as one that is far away
    #[arg(long, value_name = "N", default_value = "0")]
    latency_ms: u64,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Be the server
    #[command(hide = true)]
    Serve(Distance),
}

fn main() -> ExitCode {
    if let Some(done) = process::starter() {
        return done;
    }
    let options = Options::parse();
    let done = match options.command {
        Some(Command::Serve(distance)) => server::serve(distance.latency()),
        None => run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

impl Distance {
    fn latency(self) -> Duration {
        Duration::from_millis(self.latency_ms)
    }
}

impl Options {
    fn given(&self, tool: Tool) -> Option<&PathBuf> {
        match tool {
            Tool::Deployer => self.deployer.as_ref(),
            Tool::S5cmd => self.s5cmd.as_ref(),
            Tool::Aws => self.aws.as_ref(),
        }
    }

    fn sites(&self) -> Vec<Kind> {
        let small = self
            .files
            .iter()
            .filter(|count| **count > 0)
            .map(|count| Kind::Small(*count));
        let large = (self.largest_mib > 0).then_some(Kind::Large(self.largest_mib));
        small.chain(large).collect()
    }
}

fn run(options: &Options) -> Result<()> {
    let programs: Vec<Program> = Tool::ALL
        .into_iter()
        .filter(|tool| options.tools.contains(tool))
        .map(|tool| Program::find(tool, options.given(tool).map(PathBuf::as_path)))
        .collect::<Result<_>>()?;
    let repetitions = options.repetitions.get();
    let mut results = Vec::new();
    for kind in options.sites() {
        let runs = measure::runs(kind, &programs, repetitions, options.distance.latency())?;
        results.push((kind, runs));
    }
    let table = report::table(&results)?;
    let cpus = thread::available_parallelism()?;
    let latency = options.distance.latency_ms;
    writeln!(
        io::stdout(),
        "{table}\n\n{cpus} CPUs, shared with the server; repetitions: {repetitions}; latency: {latency} ms."
    )?;
    Ok(())
}
