//! A local cloud of the benchmark's own, started as users start theirs: its own port, its own state and keys.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command as Blocking, Stdio};

use crate::error::{Context as _, Result};
use crate::progress::progress;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::Command;

use crate::command;

const PORT: &str = "DEPLOYER_LOCAL_PORT";
/// Another program may take the port between its choice and its use.
const ATTEMPTS: usize = 5;

/// A running local cloud; it ends with this value, and its state is removed.
#[derive(Debug)]
pub struct LocalCloud {
    deployer: PathBuf,
    port: u16,
    pid: Option<u32>,
    variables: BTreeMap<String, String>,
    // Dropped last: the state of the process.
    state: TempDir,
}

/// What the start says of it.
#[derive(Debug, Deserialize)]
struct Started {
    pid: Option<u32>,
}

impl LocalCloud {
    /// Starts one with this deployer.
    ///
    /// # Errors
    /// It doesn't start, or says nothing of its keys.
    pub async fn start(deployer: &Path) -> Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::at(deployer, free_port()?).await {
                Err(error) if attempt == ATTEMPTS => return Err(error),
                Err(_) => attempt += 1,
                started => return started,
            }
        }
    }

    async fn at(deployer: &Path, port: u16) -> Result<Self> {
        let state = tempfile::tempdir().context("could not make a folder for the local cloud")?;
        // From here on it is stopped whatever happens, an interruption while it starts included.
        let mut cloud = Self {
            deployer: deployer.to_owned(),
            port,
            pid: None,
            variables: BTreeMap::new(),
            state,
        };
        let started = command::run(&mut cloud.local(&["start", "--output", "json"])).await?;
        let started: Started = serde_json::from_str(&started).context("the start of the local cloud can't be read")?;
        cloud.pid = started.pid;
        let variables = command::run(&mut cloud.local(&["env", "--format", "json"])).await?;
        cloud.variables = serde_json::from_str(&variables).context("the local cloud's variables can't be read")?;
        Ok(cloud)
    }

    fn local(&self, arguments: &[&str]) -> Command {
        let mut command = command::deployer(&self.deployer, self.state.path());
        command.arg("local").args(arguments).env(PORT, self.port.to_string());
        command
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where what knows of it keeps its things.
    pub fn state(&self) -> &Path {
        self.state.path()
    }

    /// What leads the deployer to it.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        let mut stop = self.local(&["stop"]).into_std();
        let stopped = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if stopped.is_ok_and(|status| status.success()) {
            return;
        }
        // Nothing in it is worth saving. The functions that it runs are in its group.
        if let Some(pid) = self.pid {
            progress(format_args!("The local cloud doesn't stop; ending its process {pid}…"));
            let group = format!("-{pid}");
            Blocking::new("kill").args(["-KILL", "--", &group]).status().ok();
        }
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("could not find a free port")?;
    Ok(listener.local_addr()?.port())
}
