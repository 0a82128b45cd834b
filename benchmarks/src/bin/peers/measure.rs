//! The measurements: each tool takes the app from nothing to all and back on the same cloud, by turns, so that the machine's
//! drift hits all alike.

use std::path::Path;
use std::time::Duration;

use benchmarks::call;
use benchmarks::command;
use benchmarks::error::{Context as _, Result};
use benchmarks::local_cloud::LocalCloud;
use benchmarks::process::{self, Usage};
use benchmarks::progress::progress;
use benchmarks::project::Project;
use benchmarks::proxy::Proxy;

use crate::seen::Seen;
use crate::tool::{Place, Program, Step, Tool};

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Nothing is there yet.
    Fresh,
    /// All is there as it should be.
    Same,
    /// All is to go.
    Down,
}

impl Scenario {
    /// All; each finds what those before it have left.
    pub(crate) const ALL: [Self; 3] = [Self::Fresh, Self::Same, Self::Down];

    /// What it is called in the result.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Same => "no change",
            Self::Down => "down",
        }
    }

    fn step(self) -> Step {
        match self {
            Self::Fresh | Self::Same => Step::Up,
            Self::Down => Step::Down,
        }
    }
}

/// One run of one tool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) tool: Tool,
    pub(crate) scenario: Scenario,
    pub(crate) taken: Taken,
}

/// What is measured of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Taken {
    /// The cloud is as near as can be.
    Near {
        usage: Usage,
        /// How many calls it made.
        calls: u64,
    },
    /// The cloud is so far away that calls that wait for one another are told from others.
    Far {
        /// How many of its calls waited for one another.
        chain: u64,
    },
}

/// What is measured, and how often.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// Starts the cloud.
    pub(crate) deployer: &'a Path,
    pub(crate) package: &'a Path,
    pub(crate) repetitions: usize,
    /// How far the cloud is away in the last round; there is none if it is nothing.
    pub(crate) latency: Duration,
}

/// The runs, and which peers couldn't be measured, and why.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) runs: Vec<Run>,
    pub(crate) left_out: Vec<(Tool, String)>,
}

/// Lets each program go through all scenarios, as often as planned.
///
/// # Errors
/// The cloud can't be started, or a program fails or doesn't do its work. A peer that can't be set up is left out.
pub(crate) async fn runs(programs: &[Program], plan: &Plan<'_>) -> Result<Measured> {
    if programs.is_empty() {
        return Err("there is nothing to measure".into());
    }
    progress("Starting a local cloud…");
    let cloud = LocalCloud::start(plan.deployer).await?;
    let near = Proxy::start(cloud.port(), Duration::ZERO).await?;
    let mut measured = Measured::default();
    for round in 0..plan.repetitions {
        let of = plan.repetitions;
        for index in 0..programs.len() {
            let program = &programs[(index + round) % programs.len()];
            let what = format!("{} of {of}", round + 1);
            turn(program, &what, plan, &cloud, Way::Near(&near), &mut measured).await?;
        }
    }
    if plan.latency > Duration::ZERO {
        let far = Proxy::start(cloud.port(), plan.latency).await?;
        for program in programs {
            turn(program, "from afar", plan, &cloud, Way::Far(&far), &mut measured).await?;
        }
    }
    Ok(measured)
}

/// How the cloud is reached.
#[derive(Debug, Clone, Copy)]
enum Way<'a> {
    Near(&'a Proxy),
    Far(&'a Proxy),
}

impl Way<'_> {
    fn proxy(&self) -> &Proxy {
        match self {
            Self::Near(proxy) | Self::Far(proxy) => proxy,
        }
    }

    fn taken(&self, usage: Usage) -> Taken {
        let calls = self.proxy().take();
        match self {
            Self::Near(_) => Taken::Near {
                usage,
                calls: calls.len() as u64,
            },
            Self::Far(_) => Taken::Far {
                chain: call::longest_chain(&calls).len() as u64,
            },
        }
    }
}

/// All scenarios once.
async fn turn(
    program: &Program,
    what: &str,
    plan: &Plan<'_>,
    cloud: &LocalCloud,
    way: Way<'_>,
    measured: &mut Measured,
) -> Result<()> {
    let tool = program.tool;
    if measured.left_out.iter().any(|(other, _)| *other == tool) {
        return Ok(());
    }
    let project = Project::find(None)?;
    let home = tempfile::tempdir().context("could not make a home folder")?;
    let place = Place {
        cloud,
        url: way.proxy().url(),
        project: project.path(),
        package: plan.package,
        home: home.path(),
    };
    if tool.has_setting_up() {
        progress(format_args!("{what}: setting up {}…", tool.name()));
        if let Err(error) = process::run(&mut program.command(Step::Before, &place)?) {
            progress(format_args!("{} is left out: {error}", tool.name()));
            measured.left_out.push((tool, error.to_string()));
            return Ok(());
        }
    }
    for scenario in Scenario::ALL {
        progress(format_args!("{what}: {}, {}…", tool.name(), scenario.name()));
        way.proxy().take();
        let usage = process::run(&mut program.command(scenario.step(), &place)?);
        let usage = usage.context(format_args!("{}, {}", tool.name(), scenario.name()))?;
        let taken = way.taken(usage);
        if scenario == Scenario::Down && tool.has_setting_up() {
            process::run(&mut program.command(Step::After, &place)?)?;
        }
        let seen = command::run(&mut place.look()?).await?;
        let seen: Seen = serde_json::from_str(&seen).context("what is there can't be read")?;
        let is_done = match scenario {
            Scenario::Fresh | Scenario::Same => seen.is_deployed_by(tool),
            Scenario::Down => seen.is_removed(),
        };
        is_done.map_err(|what| {
            let name = tool.name();
            format!("{name} did not do its work ({}): {what}", scenario.name())
        })?;
        measured.runs.push(Run { tool, scenario, taken });
    }
    command::run(&mut place.end_processes()?).await?;
    Ok(())
}
