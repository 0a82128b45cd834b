//! Requests as anybody could make them: unsigned, and answered whatever the status.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, Response, redirect};
use tokio::time::Instant;

use super::Problem;
use crate::cloud::Cloud;
use crate::error::{OrFail, Result};
use crate::site::sum::{Hasher, Sum};
use crate::wait::{Pace, Probe, until};

/// For a connection, and for each next part of an answer: a large file may take longer in all.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A client that follows no redirects: where one leads to is a part of what is checked.
pub(super) fn client(cloud: &Cloud) -> Result<Client> {
    let builder = crate::http::client()
        .redirect(redirect::Policy::none())
        .connect_timeout(TIMEOUT)
        .read_timeout(TIMEOUT);
    let mut builder = cloud.network.visiting(builder)?;
    if !cloud.endpoint.is_aws() {
        builder = builder.dns_resolver(Arc::new(BelowLocalhost));
    }
    builder.build().or_fail(|| "could not make an HTTP client".to_owned())
}

/// Names below `localhost` are this host, as browsers have it; not every system's resolver knows that.
#[derive(Debug)]
struct BelowLocalhost;

impl Resolve for BelowLocalhost {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let name = name.as_str();
            if name == "localhost" || name.ends_with(".localhost") {
                let here: Addrs = Box::new(std::iter::once(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))));
                return Ok(here);
            }
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

/// An answer: all of it, or as much of a long one as people would read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) url: String,
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Of the whole body.
    pub(super) sum: Sum,
}

/// How much of a body is kept. What is longer is a file of the site, of which the sum is enough.
const KEPT: usize = 1 << 20;

impl Answer {
    /// A header's value, "" if there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// All values of a header, in their order.
    pub(super) fn values<'a>(&'a self, name: &str) -> Vec<Cow<'a, str>> {
        self.headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect()
    }

    /// The names of the headers, in lower case.
    pub(super) fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.keys().map(reqwest::header::HeaderName::as_str)
    }

    pub(super) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The beginning of the body, for people.
    pub(super) fn beginning(&self) -> String {
        self.text().chars().take(200).collect()
    }
}

/// How something is asked for again that isn't answered, or only with a fault that passes, as the SDK does for its
/// requests: what a connection or a busy server lost on the way says nothing about what is deployed.
const REPEATING: Pace = Pace {
    first: Duration::from_millis(50),
    longest: Duration::from_secs(1),
    deadline: Duration::from_secs(120),
};

/// It is given up after so long, but not before so many attempts: one that was never answered takes longer than that.
const ENOUGH: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 3;

/// Statuses of who is busy, and of API Gateway for a function that ended while it started, as under many first calls at
/// once. Of the others each may be the app's own answer, and is for the check to judge.
fn may_pass(status: u16) -> bool {
    matches!(status, 429 | 502 | 503)
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// Sends a request that changes nothing, again if its answer was lost or may be another the next time.
pub(super) async fn send(
    client: &Client,
    method: Method,
    url: &str,
    headers: &[(&'static str, &str)],
) -> Result<Answer, Problem> {
    let request = Request {
        method,
        url: url.to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: Vec::new(),
    };
    send_whole(client, &request).await
}

/// The same with a body.
pub(super) async fn send_whole(client: &Client, request: &Request) -> Result<Answer, Problem> {
    let (started, mut attempts) = (Instant::now(), 0);
    let settled = until(REPEATING, async || {
        attempts += 1;
        let is_last = attempts >= ATTEMPTS && started.elapsed() >= ENOUGH;
        match send_once(client, request).await {
            Ok(answer) if is_last || !may_pass(answer.status) => Probe::Ready(answer),
            Err(problem) if is_last => Probe::Failed(problem),
            _ => Probe::Pending,
        }
    })
    .await;
    settled.in_time(|| Problem::pending(format!("{} doesn't answer", request.url)))
}

/// Sends a request once, whatever becomes of it.
pub(super) async fn send_once(client: &Client, request: &Request) -> Result<Answer, Problem> {
    let url = &request.url;
    let mut builder: RequestBuilder = client.request(request.method.clone(), url);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    if !request.body.is_empty() {
        builder = builder.body(request.body.clone());
    }
    let unreachable = |error: reqwest::Error| {
        Problem::failed(
            format!("{url} doesn't answer: {}", innermost(&error)),
            "A new name is known everywhere only after some minutes. Check the network, then run `deployer verify`.",
        )
    };
    let mut answer: Response = builder.send().await.map_err(unreachable)?;
    let (mut body, mut hasher) = (Vec::new(), Hasher::new(answer.content_length()));
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        hasher.update(&chunk);
        body.extend(chunk.iter().take(KEPT - body.len()));
    }
    Ok(Answer {
        url: url.clone(),
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        body,
        sum: hasher.finish(),
    })
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
