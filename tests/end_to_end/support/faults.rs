//! A proxy that answers a share of what it is asked with a fault, as networks and AWS do.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::emulator::share_keys;

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
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
}

const ALL: [Fault; 7] = [
    Fault::Throttled,
    Fault::Internal,
    Fault::Unavailable,
    Fault::Reset,
    Fault::LostToFailure,
    Fault::LostToReset,
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

pub(crate) struct Faults {
    port: u16,
    shared: Arc<Shared>,
}

impl Faults {
    /// In front of `upstream`: `percent` of the requests go wrong, which ones depends on `seed`, and `stalls` of them at
    /// most are never answered.
    pub(crate) fn before(upstream: u16, seed: u64, percent: u64, stalls: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        share_keys(upstream, port);
        let shared = Arc::new(Shared {
            upstream,
            seed,
            percent,
            stalls: Mutex::new(stalls),
            asked: Mutex::default(),
            told: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        // Ends with the test's process; a connection ends with its client.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&accepting);
                std::thread::spawn(move || serve(&client, &shared));
            }
        });
        Self { port, shared }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What went wrong, and how many requests there were.
    pub(crate) fn told(&self) -> (Vec<(Fault, String)>, u64) {
        (lock(&self.shared.told).clone(), lock(&self.shared.asked).values().sum())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request as it came.
struct Request {
    head: String,
    body: Vec<u8>,
    /// What it asks for, without what differs from run to run.
    what: String,
    json: bool,
}

fn read(client: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(client);
    let (mut head, mut length, mut target, mut chunked) = (String::new(), 0, String::new(), false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok()?,
                "transfer-encoding" => chunked = true,
                "x-amz-target" => target = value.trim().to_owned(),
                "connection" => continue,
                _ => {}
            }
        }
        if line == "\r\n" {
            head.push_str("Connection: close\r\n\r\n");
            break;
        }
        head.push_str(&line);
    }
    assert!(!chunked, "bodies have a length");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let text = String::from_utf8_lossy(&body);
    let action = text.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let line: Vec<&str> = head.lines().next().unwrap_or_default().split(' ').take(2).collect();
    let path = line.get(1).copied().unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let host = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("host: ").map(str::to_owned));
    let app = host.filter(|host| host.contains(".localhost")).unwrap_or_default();
    let app = app.split('.').nth(1).unwrap_or_default();
    let what = format!(
        "{app} {} {path} {target}{}",
        line.first().unwrap_or(&""),
        action.unwrap_or_default()
    );
    let json = !target.is_empty() || path.starts_with("/restapis") || path.starts_with("/2015-03-31");
    Some(Request { head, body, what, json })
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
    let Some(request) = read(client) else { return };
    let fault = shared.fault(&request.what);
    if let Some(fault) = fault {
        lock(&shared.told).push((fault, request.what.clone()));
    }
    let failure = |status: u16, code: &str, message: &str| {
        let (kind, text) = if request.json {
            (
                "application/x-amz-json-1.0",
                format!("{{\"__type\":\"{code}\",\"message\":\"{message}\"}}"),
            )
        } else {
            let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
            ("text/xml", format!("<ErrorResponse>{error}</ErrorResponse>"))
        };
        let _ = write!(
            { client },
            "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        );
    };
    match fault {
        None => pass_on(&request, shared.upstream, |answer| {
            let _ = { client }.write_all(answer);
        }),
        Some(Fault::Throttled) if request.json => failure(400, "ThrottlingException", "Rate exceeded"),
        Some(Fault::Throttled) if request.what.starts_with(" POST / ") => {
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
    }
    if !matches!(fault, Some(Fault::Reset | Fault::LostToReset)) {
        let _ = client.shutdown(Shutdown::Both);
    }
}

/// Lets the connection end with a reset as soon as it is closed.
fn reset(client: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(client, Some(Duration::ZERO)).expect("set");
}

/// Lets the emulator do it, and gives on what it answers.
fn pass_on(request: &Request, upstream: u16, mut give: impl FnMut(&[u8])) {
    let Ok(mut upstream) = TcpStream::connect(("127.0.0.1", upstream)) else {
        return;
    };
    if upstream.write_all(request.head.as_bytes()).is_err() || upstream.write_all(&request.body).is_err() {
        return;
    }
    let mut answer = Vec::new();
    if upstream.read_to_end(&mut answer).is_ok() {
        give(&answer);
    }
}
