//! The measurements: each project goes up in a slow cloud, is changed, and goes up again.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use benchmarks::command;
use benchmarks::error::{Context as _, Result};
use benchmarks::local_cloud::LocalCloud;
use benchmarks::process;
use benchmarks::progress::progress;
use benchmarks::project::Project;
use serde::Deserialize;

use crate::path::{self, Edge, Operations};
use crate::slow::SlowCloud;

/// What is changed in the templates, in all that have it: a setting of each function, and one of the distribution.
const CHANGES: [(&str, &str); 2] = [
    ("MemorySize: 256", "MemorySize: 512"),
    ("HttpVersion: http2and3", "HttpVersion: http2"),
];

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Nothing is there yet.
    Fresh,
    /// All is there, and [`CHANGES`] are made.
    Change,
}

impl Scenario {
    /// What it is called in the result.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Change => "a change",
        }
    }
}

/// One `up`, and what it can't be quicker than.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) project: &'static str,
    pub(crate) scenario: Scenario,
    pub(crate) path: path::Path,
    /// The critical path's length here.
    pub(crate) least: Duration,
    pub(crate) wall: Duration,
}

/// What is measured.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) deployer: PathBuf,
    /// Of all functions: none of them is called.
    pub(crate) package: PathBuf,
    /// What they are called, and where they are.
    pub(crate) projects: Vec<(&'static str, PathBuf)>,
    /// How long a second of AWS's takes here.
    pub(crate) second: Duration,
    pub(crate) repetitions: usize,
}

/// What `deployer graph` tells.
#[derive(Debug, Deserialize)]
struct Graph {
    project: String,
    stage: String,
    stacks: Vec<Stack>,
    edges: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Stack {
    functions: Vec<Function>,
}

#[derive(Debug, Deserialize)]
struct Function {
    code: String,
}

/// Measures each project as often as planned.
///
/// # Errors
/// The cloud can't be started, or the deployer fails.
pub(crate) async fn runs(plan: &Plan) -> Result<Vec<Run>> {
    progress("Starting a local cloud…");
    let cloud = LocalCloud::start(&plan.deployer).await?;
    let mut runs = Vec::new();
    for repetition in 0..plan.repetitions {
        for (name, folder) in &plan.projects {
            let slow = SlowCloud::start(cloud.port(), plan.second).await?;
            let project = Project::copy_of(folder)?;
            share_package(&project.path().join("stacks"))?;
            let user = User {
                plan,
                project: project.path(),
                cloud: &cloud,
            };
            let graph = user.graph().await?;
            for scenario in [Scenario::Fresh, Scenario::Change] {
                let of = plan.repetitions;
                progress(format_args!("{} of {of}: {name}, {}…", repetition + 1, scenario.name()));
                if scenario == Scenario::Change {
                    change(&project.path().join("stacks"))?;
                }
                let wall = user.up(&graph, &slow.url())?;
                let path = path::critical(&by_id(slow.take(), &graph), &graph.edges);
                runs.push(Run {
                    project: name,
                    scenario,
                    least: plan.second * path.length,
                    path,
                    wall,
                });
            }
            user.down()?;
        }
    }
    Ok(runs)
}

/// By the ids that the graph has: stacks are called after project, stage and id.
fn by_id(operations: Operations, graph: &Graph) -> Operations {
    let prefix = format!("{}-{}-", graph.project, graph.stage);
    let named = operations.into_iter().map(|(name, operations)| {
        let id = name.strip_prefix(&prefix).map_or_else(|| name.clone(), str::to_owned);
        (id, operations)
    });
    named.collect()
}

/// Lets all functions have one package, which asks for what is only the role of one of them to allow.
fn share_package(stacks: &Path) -> Result<()> {
    let mut contract = fs::OpenOptions::new().append(true).open(stacks.join("verify.yaml"))?;
    writeln!(
        contract,
        "\nskip:\n  - {{ check: function-permissions, reason: all functions have the same package }}"
    )?;
    Ok(())
}

/// Makes the changes.
fn change(stacks: &Path) -> Result<()> {
    for (from, to) in CHANGES {
        let mut is_there = false;
        for entry in fs::read_dir(stacks)? {
            let path = entry?.path();
            let text = fs::read_to_string(&path)?;
            if text.contains(from) {
                is_there = true;
                fs::write(&path, text.replace(from, to))?;
            }
        }
        if !is_there {
            return Err(format!("no template in {} has `{from}`", stacks.display()).into());
        }
    }
    Ok(())
}

/// Who works on a project.
struct User<'a> {
    plan: &'a Plan,
    project: &'a Path,
    cloud: &'a LocalCloud,
}

impl User<'_> {
    async fn graph(&self) -> Result<Graph> {
        let mut command = command::deployer(&self.plan.deployer, self.cloud.state());
        command
            .args(["graph", "--output", "json", "--stage", "dev", "--project-dir"])
            .arg(self.project);
        let told = command::run(&mut command).await?;
        serde_json::from_str(&told).context("what `deployer graph` tells can't be read")
    }

    fn up(&self, graph: &Graph, url: &str) -> Result<Duration> {
        let mut command = self.command(&["up", "--no-verify"], url)?;
        let codes = graph
            .stacks
            .iter()
            .flat_map(|stack| &stack.functions)
            .map(|function| &function.code);
        let mut binaries: Vec<&str> = codes.filter_map(|code| code.strip_prefix("the binary ")).collect();
        binaries.sort_unstable();
        binaries.dedup();
        for binary in binaries {
            let package = self.plan.package.display();
            command.arg("--function-package").arg(format!("{binary}={package}"));
        }
        Ok(process::run(&mut command)?.wall)
    }

    fn down(&self) -> Result<()> {
        let url = format!("http://127.0.0.1:{}", self.cloud.port());
        process::run(&mut self.command(&["down"], &url)?)?;
        Ok(())
    }

    fn command(&self, words: &[&str], url: &str) -> Result<std::process::Command> {
        let mut command = command::measured(&self.plan.deployer, self.cloud.state())?;
        command
            .args(words)
            .args(["--yes", "--stage", "dev", "--project-dir"])
            .arg(self.project)
            .envs(self.cloud.variables())
            .env("AWS_ENDPOINT_URL", url);
        Ok(command)
    }
}
