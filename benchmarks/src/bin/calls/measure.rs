//! The measurements: each deployer takes its project from nothing to an app and back in the same local cloud, by turns.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use benchmarks::call::{self, Call};
use benchmarks::command;
use benchmarks::comparison::Which;
use benchmarks::error::{Context as _, Result};
use benchmarks::local_cloud::LocalCloud;
use benchmarks::progress::progress;
use benchmarks::project::Project;
use benchmarks::proxy::Proxy;

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Nothing is there yet.
    FreshUp,
    /// All is there as it should be.
    SameUp,
    /// The same, without proof at the end.
    SameUpUnverified,
    Verify,
    Status,
    Down,
}

impl Scenario {
    /// All; each finds what those before it have left.
    pub(crate) const ALL: [Self; 6] = [
        Self::FreshUp,
        Self::SameUp,
        Self::SameUpUnverified,
        Self::Verify,
        Self::Status,
        Self::Down,
    ];

    /// What it is called in the result.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FreshUp => "fresh up",
            Self::SameUp => "no-op up",
            Self::SameUpUnverified => "no-op up --no-verify",
            Self::Verify => "verify",
            Self::Status => "status",
            Self::Down => "down",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::FreshUp | Self::SameUp => &["up", "--yes"],
            Self::SameUpUnverified => &["up", "--yes", "--no-verify"],
            Self::Verify => &["verify"],
            Self::Status => &["status"],
            Self::Down => &["down", "--yes"],
        }
    }
}

/// A deployer and what it deploys.
#[derive(Debug)]
pub(crate) struct Deployer {
    pub(crate) which: Which,
    pub(crate) program: PathBuf,
    pub(crate) project: Project,
    pub(crate) stage: String,
}

/// One command, run to its end.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) which: Which,
    pub(crate) scenario: Scenario,
    pub(crate) calls: Vec<Call>,
    pub(crate) wall: Duration,
}

impl Run {
    /// How many of its calls waited for one another.
    pub(crate) fn chain(&self) -> u64 {
        call::longest_chain(&self.calls).len() as u64
    }
}

/// Lets each deployer go through all scenarios, `repetitions` times, with a cloud that is `latency` away.
///
/// # Errors
/// The cloud can't be started, or a deployer fails.
pub(crate) async fn runs(deployers: &[Deployer], repetitions: usize, latency: Duration) -> Result<Vec<Run>> {
    let [first, ..] = deployers else {
        return Err("there is no deployer to measure".into());
    };
    progress("Starting a local cloud…");
    let cloud = LocalCloud::start(&first.program).await?;
    // What is done for the first time only, by the cloud or for the build, is no deployer's.
    let near = Proxy::start(cloud.port(), Duration::ZERO).await?;
    for deployer in deployers {
        progress(format_args!("Warming up with {}…", deployer.program.display()));
        for scenario in [Scenario::FreshUp, Scenario::Down] {
            run(deployer, scenario, &cloud, &near).await?;
        }
    }
    let proxy = Proxy::start(cloud.port(), latency).await?;
    let mut runs = Vec::new();
    for repetition in 0..repetitions {
        for index in 0..deployers.len() {
            let deployer = &deployers[(index + repetition) % deployers.len()];
            for scenario in Scenario::ALL {
                progress(format_args!(
                    "{} of {repetitions}: {} with {}…",
                    repetition + 1,
                    scenario.name(),
                    deployer.program.display()
                ));
                runs.push(run(deployer, scenario, &cloud, &proxy).await?);
            }
        }
    }
    Ok(runs)
}

async fn run(deployer: &Deployer, scenario: Scenario, cloud: &LocalCloud, proxy: &Proxy) -> Result<Run> {
    proxy.take();
    let mut command = command::deployer(&deployer.program, cloud.state());
    command
        .args(scenario.arguments())
        .args(["--stage", &deployer.stage, "--project-dir"])
        .arg(deployer.project.path())
        .envs(cloud.variables())
        .env("AWS_ENDPOINT_URL", proxy.url());
    let started = Instant::now();
    command::run(&mut command).await.context(scenario.name())?;
    Ok(Run {
        which: deployer.which,
        scenario,
        wall: started.elapsed(),
        calls: proxy.take(),
    })
}
