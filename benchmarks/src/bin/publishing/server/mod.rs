//! The server that all tools are measured against: S3, what else the deployer asks, and the site as visitors get it. It is
//! a process of its own, so that neither its time nor its memory is any tool's, and it is as quick as can be, as it shares
//! the processors with them.

mod control_plane;
mod edge;
mod front;
mod s3;
mod store;

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use benchmarks::error::{Context as _, Result};
use serde::{Deserialize, Serialize};
use ureq::Agent;

pub(crate) use front::serve;

/// What the tools sign with; AWS's documentation uses the same.
pub(crate) const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
/// What the tools sign with.
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

const ACCOUNT: &str = "123456789012";
/// The bucket in which a deployer may keep things, called as its template says.
const ARTIFACTS: &str = "website-prod-artifacts-123456789012-us-east-1";
/// The bucket that the deployer's stacks name, called as the template says.
pub(crate) const SITE: &str = "website-prod-123456789012-us-east-1";
/// What is in front of it, and the first label of its name.
const DISTRIBUTION: &str = "E1BENCHMARK000";
const LABEL: &str = "d111111abcdef8";
/// Those of the others.
pub(crate) const COPIES: [&str; 2] = ["benchmark-s5cmd", "benchmark-aws"];
/// Where the number of requests is told. No bucket has such a name.
const REQUESTS: &str = "/-/requests";
/// Before a bucket's name: where its objects are told, however many.
const OBJECTS: &str = "/-/objects/";

/// A running server with empty buckets; it ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    url: String,
    agent: Agent,
}

/// What a bucket holds, by key.
pub(crate) type Listing = BTreeMap<String, Entry>;

/// One object of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// In bytes.
    pub(crate) size: u64,
    /// Without its quotes.
    pub(crate) etag: String,
    /// When it was put there.
    pub(crate) modified: SystemTime,
}

impl Server {
    /// Starts one that answers each request `latency` later than it could.
    ///
    /// # Errors
    /// It can't be started.
    pub(crate) fn start(latency: Duration) -> Result<Self> {
        let this = env::current_exe().context("could not find this program")?;
        let child = Command::new(this)
            .args(["serve", "--latency-ms", &latency.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("could not start the server")?;
        let mut server = Self {
            child,
            url: String::new(),
            // No proxy has a way to this machine's own ports.
            agent: Agent::config_builder().proxy(None).build().into(),
        };
        if let Some(stdout) = server.child.stdout.take() {
            BufReader::new(stdout).read_line(&mut server.url)?;
        }
        server.url.truncate(server.url.trim_end().len());
        if server.url.is_empty() {
            return Err("the server didn't start".into());
        }
        Ok(server)
    }

    /// Its URL, for all services.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How many requests there were since this was asked last.
    ///
    /// # Errors
    /// It doesn't answer.
    pub(crate) fn requests(&self) -> Result<u64> {
        self.get(REQUESTS)?.parse().context("the server can't count")
    }

    /// Everything that a bucket holds.
    ///
    /// # Errors
    /// It doesn't answer.
    pub(crate) fn list(&self, bucket: &str) -> Result<Listing> {
        let told = self.get(&format!("{OBJECTS}{bucket}"))?;
        serde_json::from_str(&told).context("the server's objects can't be read")
    }

    fn get(&self, path: &str) -> Result<String> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let told = |mut answer: ureq::http::Response<ureq::Body>| {
            // More than its limit for those who ask strangers.
            answer.body_mut().with_config().limit(u64::MAX).read_to_string()
        };
        request
            .call()
            .and_then(told)
            .context(format_args!("could not ask the server for {path}"))
    }
}

impl Drop for Server {
    /// Errors mean that it has ended before.
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
