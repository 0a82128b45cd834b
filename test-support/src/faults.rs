//! A proxy that answers a share of what it is asked with a fault, as networks and AWS do.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::answers::{json_refusal, refusal};
use crate::lock;
use crate::proxy::{Request, accept, answer_with, reset};

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The service has too many requests; it does nothing.
    Throttled,
    /// The service fails before it does anything.
    Internal,
    /// It, or something in front of it, has no time.
    Unavailable,
    /// The connection is reset before anything was done.
    Reset,
    /// Nobody ever answers, and nothing is done.
    Stalled,
    /// It is done, and the answer is a failure.
    LostToFailure,
    /// It is done, and the connection ends without an answer.
    LostToReset,
    /// It is done, and the connection ends in the midst of the answer.
    Truncated,
}

const ALL: [Fault; 8] = [
    Fault::Throttled,
    Fault::Internal,
    Fault::Unavailable,
    Fault::Reset,
    Fault::LostToFailure,
    Fault::LostToReset,
    Fault::Truncated,
    Fault::Stalled,
];

struct Shared {
    upstream: u16,
    seed: u64,
    percent: u64,
    /// How many requests may still be held: each costs its client the time until it gives up.
    stalls: Mutex<usize>,
    asked: Mutex<HashMap<String, u64>>,
    told: Mutex<Vec<(Fault, String)>>,
}

/// A proxy that runs; it ends with the test's process.
pub struct Faults {
    port: u16,
    shared: Arc<Shared>,
}

impl Faults {
    /// In front of `upstream`: `percent` of the requests go wrong, which ones depends on `seed`, and `stalls` of them at
    /// most are never answered.
    pub fn before(upstream: u16, seed: u64, percent: u64, stalls: usize) -> Self {
        let shared = Arc::new(Shared {
            upstream,
            seed,
            percent,
            stalls: Mutex::new(stalls),
            asked: Mutex::default(),
            told: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        let port = accept(Some(upstream), move |client| serve(client, &serving));
        Self { port, shared }
    }

    /// What to call it.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What went wrong, and how many requests there were.
    pub fn told(&self) -> (Vec<(Fault, String)>, u64) {
        (lock(&self.shared.told).clone(), lock(&self.shared.asked).values().sum())
    }
}

/// What a request asks for, without what differs from run to run.
fn what(request: &Request) -> String {
    let text = String::from_utf8_lossy(&request.body);
    let action = text
        .split('&')
        .find_map(|pair| pair.strip_prefix("Action="))
        .unwrap_or_default();
    let mut line = request.head.split(' ');
    let (method, target) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    // `cloudfront` or `execute-api` at an app's address.
    let app = request
        .header("host")
        .split(':')
        .next()
        .and_then(|host| host.strip_suffix(".localhost"));
    let app = app.and_then(|host| host.split('.').nth(1)).unwrap_or_default();
    format!("{app} {method} {path} {}{action}", request.header("x-amz-target"))
}

impl Shared {
    /// What goes wrong with this request, if anything does: the same in each run, whatever else is asked meanwhile.
    fn fault(&self, what: &str) -> Option<Fault> {
        let nth = {
            let mut asked = lock(&self.asked);
            let count = asked.entry(what.to_owned()).or_default();
            *count += 1;
            *count
        };
        let hash = Sha256::digest(format!("{} {what} {nth}", self.seed));
        let number = |at: usize| u64::from(u16::from_be_bytes([hash[at], hash[at + 1]]));
        if number(0) % 100 >= self.percent {
            return None;
        }
        let fault = ALL[usize::try_from(number(2)).unwrap_or_default() % ALL.len()];
        if fault != Fault::Stalled {
            return Some(fault);
        }
        let mut stalls = lock(&self.stalls);
        if *stalls == 0 {
            return Some(Fault::LostToReset);
        }
        *stalls -= 1;
        Some(fault)
    }
}

fn serve(client: &TcpStream, shared: &Shared) {
    let Some(request) = Request::read(client) else { return };
    let what = what(&request);
    let fault = shared.fault(&what);
    if let Some(fault) = fault {
        lock(&shared.told).push((fault, what.clone()));
    }
    let json = !request.header("x-amz-target").is_empty()
        || [" /restapis", " /2015-03-31"].iter().any(|path| what.contains(path));
    let failure = |status: u16, code: &str, message: &str| {
        let shape = if json { json_refusal } else { refusal };
        let (status, text) = shape(status, code, message);
        answer_with(client, status, &text);
    };
    match fault {
        None => pass_on(&request, shared.upstream, |answer| {
            let _ = { client }.write_all(answer);
        }),
        Some(Fault::Throttled) if json => failure(400, "ThrottlingException", "Rate exceeded"),
        Some(Fault::Throttled) if what.starts_with(" POST / ") => {
            failure(400, "Throttling", "Rate exceeded");
        }
        Some(Fault::Throttled) => failure(503, "SlowDown", "Please reduce your request rate."),
        Some(Fault::Internal) => failure(500, "InternalError", "We encountered an internal error."),
        Some(Fault::Unavailable) => failure(503, "ServiceUnavailable", "Service is unable to handle request."),
        Some(Fault::Reset) => reset(client),
        Some(Fault::Stalled) => {
            // Until the client gives up; a bound, should it not.
            let _ = client.set_read_timeout(Some(Duration::from_secs(300)));
            let _ = { client }.read(&mut [0]);
        }
        Some(Fault::LostToFailure) => {
            pass_on(&request, shared.upstream, |_| {});
            failure(500, "InternalError", "We encountered an internal error.");
        }
        Some(Fault::LostToReset) => {
            pass_on(&request, shared.upstream, |_| {});
            reset(client);
        }
        Some(Fault::Truncated) => pass_on(&request, shared.upstream, |answer| {
            let body = answer.windows(4).position(|window| window == b"\r\n\r\n");
            let body = body.map_or(answer.len(), |at| at + 4);
            // Of an answer without a body the head isn't whole.
            let end = if body < answer.len() {
                body + (answer.len() - body) / 2
            } else {
                answer.len() / 2
            };
            let _ = { client }.write_all(&answer[..end]);
        }),
    }
    if !matches!(fault, Some(Fault::Reset | Fault::LostToReset)) {
        let _ = client.shutdown(Shutdown::Both);
    }
}

/// Lets the emulator do it, and gives on what it answers.
fn pass_on(request: &Request, upstream: u16, mut give: impl FnMut(&[u8])) {
    let mut answer = Vec::new();
    if request
        .pass_on(upstream)
        .is_some_and(|mut upstream| upstream.read_to_end(&mut answer).is_ok())
    {
        give(&answer);
    }
}
