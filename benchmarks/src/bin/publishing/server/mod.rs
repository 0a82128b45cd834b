//! The server that all tools are measured against: S3, and what else the deployer asks. It is a process of its own, so
//! that neither its time nor its memory is any tool's, and it is as quick as can be, as it shares the processors with
//! them.

mod control_plane;
mod front;
mod s3;
mod store;

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use benchmarks::error::{Context as _, Result};
use serde::Deserialize;
use ureq::Agent;

pub(crate) use front::serve;

/// What the tools sign with; AWS's documentation uses the same.
pub(crate) const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
/// What the tools sign with.
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// The bucket of function packages, in which a deployer may keep things.
const ARTIFACTS: &str = "benchmark-artifacts";
/// The bucket that the deployer's stacks name.
pub(crate) const SITE: &str = "benchmark-site";
/// Those of the others.
pub(crate) const COPIES: [&str; 2] = ["benchmark-s5cmd", "benchmark-aws"];
/// Where the number of requests is told. No bucket has such a name.
const REQUESTS: &str = "/-/requests";

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
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Entry {
    key: String,
    /// In bytes.
    pub(crate) size: u64,
    #[serde(rename = "ETag")]
    pub(crate) etag: String,
    /// When it was put there.
    pub(crate) last_modified: String,
}

/// S3's answer to ListObjectsV2.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    contents: Vec<Entry>,
    next_continuation_token: Option<String>,
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

    /// How many signed requests there were since this was asked last.
    ///
    /// # Errors
    /// It doesn't answer.
    pub(crate) fn requests(&self) -> Result<u64> {
        self.get(REQUESTS, &[])?.parse().context("the server can't count")
    }

    /// Everything that a bucket holds.
    ///
    /// # Errors
    /// It doesn't answer.
    pub(crate) fn list(&self, bucket: &str) -> Result<Listing> {
        let mut found = Listing::new();
        let mut token: Option<String> = None;
        loop {
            let mut query = vec![("list-type", "2")];
            query.extend(token.as_deref().map(|token| ("continuation-token", token)));
            let answer = self.get(&format!("/{bucket}"), &query)?;
            let page: Page = quick_xml::de::from_str(&answer).context("the server's listing can't be read")?;
            found.extend(page.contents.into_iter().map(|entry| (entry.key.clone(), entry)));
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<String> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let request = request.query_pairs(query.iter().copied());
        let answer = request.call().and_then(|mut answer| answer.body_mut().read_to_string());
        answer.context(format_args!("could not ask the server for {path}"))
    }
}

impl Drop for Server {
    /// Errors mean that it has ended before.
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
