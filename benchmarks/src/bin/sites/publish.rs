//! The deployer, as a user calls it: a stage for each site, in one local cloud.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use benchmarks::cargo;
use benchmarks::command;
use benchmarks::error::{Context as _, Result};
use benchmarks::local_cloud::LocalCloud;
use benchmarks::process::last_words;
use serde_json::Value;
use tempfile::TempDir;
use test_support::sites::{Gate, Publisher};

/// The local cloud, and what publishes into it.
#[derive(Debug)]
pub(crate) struct Cloud {
    deployer: PathBuf,
    port: u16,
    state: PathBuf,
    variables: BTreeMap<String, String>,
}

impl Cloud {
    /// What is needed to work in this one, as long as it runs.
    pub(crate) fn of(local: &LocalCloud, deployer: PathBuf) -> Self {
        Self {
            deployer,
            port: local.port(),
            state: local.state().to_owned(),
            variables: local.variables().clone(),
        }
    }
}

/// A project with one stage, which is the smallest example with another site.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    cloud: &'a Cloud,
    project: TempDir,
    gate: Gate,
}

impl<'a> Stage<'a> {
    /// A project's folder, with nothing to publish yet.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn prepare(cloud: &'a Cloud, name: &str) -> Result<Self> {
        let project = tempfile::tempdir().context("could not make a folder for the project")?;
        copy(
            &cargo::here().join("../examples/site/stacks"),
            &project.path().join("stacks"),
        )?;
        let settings = project.path().join("stacks/stages.yaml");
        let text = fs::read_to_string(&settings)?;
        fs::write(&settings, text.replace("project: website", &format!("project: {name}")))?;
        let gate = Gate::before(cloud.port)?;
        Ok(Self { cloud, project, gate })
    }

    /// Takes all of it away.
    ///
    /// # Errors
    /// The deployer fails.
    pub(crate) fn remove(&self) -> Result<()> {
        self.run(&["down", "--yes", "--delete-data"]).map(drop)
    }

    /// Runs the deployer in the project, and gives its document.
    fn run(&self, arguments: &[&str]) -> Result<Value> {
        let mut command = command::deployer(&self.cloud.deployer, &self.cloud.state).into_std();
        let output = command
            .args(arguments)
            .args(["--output", "json", "--project-dir"])
            .arg(self.project.path())
            .envs(&self.cloud.variables)
            // So that all that a visitor loads passes the gate.
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.gate.port()))
            .stdin(Stdio::null())
            .output()
            .context("could not start the deployer")?;
        if !output.status.success() {
            let words = last_words(&output.stderr);
            return Err(format!("deployer {} failed ({}): {words}", arguments.join(" "), output.status).into());
        }
        serde_json::from_slice(&output.stdout).context("what the deployer says can't be read")
    }

    fn up(&self, folder: &Path) -> Result<String> {
        let site = self.project.path().join("site");
        if site.exists() {
            fs::remove_dir_all(&site)?;
        }
        copy(folder, &site).context(format_args!("could not copy {}", folder.display()))?;
        let document = self.run(&["up", "--no-verify", "--yes"])?;
        let url = document["site"]["url"].as_str().ok_or("the deployer names no site")?;
        Ok(url.trim_end_matches('/').to_owned())
    }
}

impl Publisher for Stage<'_> {
    fn publish(&mut self, folder: &Path) -> io::Result<String> {
        self.up(folder).map_err(io::Error::other)
    }

    fn gate(&self) -> &Gate {
        &self.gate
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
