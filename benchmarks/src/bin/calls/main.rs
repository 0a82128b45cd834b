//! How many calls the deployer's commands make, and how many of them wait for one another: what a run takes where the
//! cloud is far away.
//!
//! The commands run as a user types them, against a local cloud of the benchmark's own behind a proxy that is as far
//! away as AWS. The table goes to stdout; a missed target is no failure.

mod measure;
mod report;

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use benchmarks::cargo;
use benchmarks::comparison::Which;
use benchmarks::error::{Context as _, Result};
use benchmarks::process::interruptible;
use benchmarks::project::Project;
use clap::Parser;

use crate::measure::Deployer;

/// Counts the deployer's calls, and those that wait for one another.
#[derive(Debug, Parser)]
struct Options {
    /// Measure this `deployer` instead of building one
    #[arg(long, value_name = "FILE")]
    deployer: Option<PathBuf>,
    /// Measure it against this one, an older one say
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// Deploy this project instead of a copy of the one that is here; it may have other numbers than the targets'
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// The project for the one before, if it doesn't understand the same
    #[arg(long, value_name = "DIR", requires = "before")]
    before_project: Option<PathBuf>,
    /// The stage to deploy, of all projects; not a protected one, which isn't removed completely
    #[arg(long, value_name = "NAME", default_value = "dev")]
    stage: String,
    /// How many milliseconds the cloud is away; calls that wait for one another are told from others by it
    #[arg(long, value_name = "N", default_value = "300")]
    latency_ms: u64,
    /// How often to go through all
    #[arg(long, value_name = "N", default_value = "1")]
    repetitions: NonZeroUsize,
    /// Write each call into this file, those of the longest chains marked
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    interruptible(run(&options)).await
}

impl Options {
    fn deployers(&self) -> Result<Vec<Deployer>> {
        let program = cargo::deployer(self.deployer.as_deref())?;
        let deployer = |which, program, project: Option<&Path>| -> Result<Deployer> {
            Ok(Deployer {
                which,
                program,
                project: Project::find(project)?,
                stage: self.stage.clone(),
            })
        };
        let mut deployers = vec![deployer(Which::This, program, self.project.as_deref())?];
        if let Some(before) = &self.before {
            let project = self.before_project.as_deref().or(self.project.as_deref());
            deployers.push(deployer(Which::Before, cargo::given(before)?, project)?);
        }
        Ok(deployers)
    }
}

async fn run(options: &Options) -> Result<()> {
    let deployers = options.deployers()?;
    let (repetitions, latency) = (options.repetitions.get(), options.latency_ms);
    let runs = measure::runs(&deployers, repetitions, Duration::from_millis(latency)).await?;
    if let Some(path) = &options.log {
        let written = File::create(path).and_then(|file| {
            let mut out = BufWriter::new(file);
            report::write_calls(&runs, &mut out)?;
            out.flush()
        });
        written.context(format_args!("could not write {}", path.display()))?;
    }
    // The targets are for the project that is here.
    let table = report::table(&runs, options.project.is_none())?;
    writeln!(
        io::stdout(),
        "{table}\n\nEach call takes {latency} ms more than the local cloud; repetitions: {repetitions}."
    )?;
    Ok(())
}
