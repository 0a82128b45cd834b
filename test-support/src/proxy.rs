//! A proxy in front of the emulator: it notes every request, and answers some itself, as AWS would and the emulator
//! doesn't.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::answers::{Answer, s3_refusal};
use crate::emulator::share_access;
use crate::lock;

/// One request as it was sent.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `GET` and the like.
    pub method: String,
    /// The path, with what is asked for behind a `?`.
    pub path: String,
    /// `X-Amz-Target`'s operation or the query protocol's `Action`; else "".
    pub operation: String,
    /// The `Authorization` header: its credential scope names region and service.
    pub authorization: String,
    /// What was sent.
    pub body: String,
    /// All that stands before it.
    head: String,
}

impl Seen {
    /// Whether the request could have changed something.
    pub fn writes(&self) -> bool {
        const READS: &[&str] = &[
            "Get", "Describe", "Filter", "List", "BatchGet", "Head", "Query", "Scan", "Validate", "Simulate",
        ];
        // The function only reads.
        if self.path.ends_with("/invocations") || self.method == "OPTIONS" {
            return false;
        }
        if self.operation.is_empty() {
            self.method != "GET" && self.method != "HEAD"
        } else {
            !READS.iter().any(|prefix| self.operation.starts_with(prefix))
        }
    }

    /// A header's value, "" if there is none.
    pub fn header(&self, wanted: &str) -> &str {
        header(&self.head, wanted)
    }

    /// A parameter of the query protocol, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.body
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| decode(value))
    }
}

impl Seen {
    /// The parameters of a list of the query protocol, decoded, in order; `prefix` is what stands before their numbers.
    pub fn parameters(&self, prefix: &str) -> Vec<String> {
        let numbered = (1..).map(|number| self.parameter(&format!("{prefix}{number}")));
        numbered.map_while(|value| value).collect()
    }
}

/// Decides whether to answer a request instead of the emulator.
type Rule = Box<dyn FnMut(&Seen) -> Option<Answer> + Send>;

/// Rewrites what the emulator answered.
type Edit = Box<dyn FnMut(&Seen, String) -> String + Send>;

/// Rewrites a whole answer of the emulator's, head and body.
type Rewrite = Box<dyn FnMut(&Seen, Vec<u8>) -> Vec<u8> + Send>;

/// Whether the emulator's answer to a request gets lost.
type Loss = Box<dyn FnMut(&Seen) -> bool + Send>;

#[derive(Default)]
struct Shared {
    upstream: Option<u16>,
    seen: Mutex<Vec<Seen>>,
    rules: Mutex<Vec<Rule>>,
    edits: Mutex<Vec<(&'static str, Edit)>>,
    losses: Mutex<Vec<Loss>>,
    resets: Mutex<Vec<Loss>>,
    rewrite: Mutex<Option<Rewrite>>,
}

/// A proxy that runs; it ends with the test's process.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// One that passes on what it doesn't answer to what listens at this port.
    pub fn before(upstream: u16) -> Self {
        Self::start(Some(upstream))
    }

    /// One that has nobody to pass anything on to: what it doesn't answer gets no answer.
    pub fn before_nobody() -> Self {
        Self::start(None)
    }

    fn start(upstream: Option<u16>) -> Self {
        let shared = Arc::new(Shared {
            upstream,
            ..Shared::default()
        });
        let serving = Arc::clone(&shared);
        let port = accept(upstream, move |client| serve(client, &serving));
        Self { port, shared }
    }

    /// What to call it.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Adds a rule; the first that answers, answers.
    pub fn rule(&self, rule: impl FnMut(&Seen) -> Option<Answer> + Send + 'static) {
        lock(&self.shared.rules).push(Box::new(rule));
    }

    /// Answers nothing itself any more.
    pub fn forget_rules(&self) {
        lock(&self.shared.rules).clear();
    }

    /// Refuses what was asked since the last look if any of it could have changed something.
    ///
    /// # Panics
    /// Some could have.
    #[track_caller]
    pub fn assert_nothing_was_written(&self) {
        let writes: Vec<Seen> = self.take().into_iter().filter(Seen::writes).collect();
        assert!(writes.is_empty(), "{writes:#?}");
    }

    /// Rewrites the bodies of the emulator's answers to `operation`.
    pub fn edit(&self, operation: &'static str, edit: impl FnMut(&Seen, String) -> String + Send + 'static) {
        lock(&self.shared.edits).push((operation, Box::new(edit)));
    }

    /// Rewrites all that the emulator answers, unless an edit does; the length must stay the same.
    pub fn rewrite(&self, rewrite: impl FnMut(&Seen, Vec<u8>) -> Vec<u8> + Send + 'static) {
        *lock(&self.shared.rewrite) = Some(Box::new(rewrite));
    }

    /// Lets the emulator do what `is_lost` is asked for, and says that something went wrong.
    pub fn lose(&self, is_lost: impl FnMut(&Seen) -> bool + Send + 'static) {
        lock(&self.shared.losses).push(Box::new(is_lost));
    }

    /// Resets the connection of what `is_reset` is asked for, which isn't done.
    pub fn reset(&self, is_reset: impl FnMut(&Seen) -> bool + Send + 'static) {
        lock(&self.shared.resets).push(Box::new(is_reset));
    }

    /// Whether an operation was asked for since the last [`take`](Self::take).
    pub fn has_seen(&self, operation: &str) -> bool {
        lock(&self.shared.seen).iter().any(|seen| seen.operation == operation)
    }

    /// How much was asked since it was last taken.
    pub fn count(&self) -> usize {
        lock(&self.shared.seen).len()
    }

    /// What was asked since the last call.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut lock(&self.shared.seen))
    }
}

/// Takes connections at a port of its own, in front of `upstream`, whose keys open it as well; returns the port. Ends with
/// the test's process; a connection ends with its client.
pub(crate) fn accept(upstream: Option<u16>, serve: impl Fn(&TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    if let Some(upstream) = upstream {
        share_access(upstream, port);
    }
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(&client));
        }
    });
    port
}

/// A request as it is passed on: the only one of its connection.
pub(crate) struct Request {
    /// Up to the empty line; it says `Connection: close`.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The next one, if the client sends a whole one.
    pub(crate) fn read(client: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(client);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return None;
            }
            if line == "\r\n" {
                head.push_str("Connection: close\r\n\r\n");
                break;
            }
            match line
                .split_once(':')
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
            {
                Some((name, _)) if name == "connection" => continue,
                Some((name, value)) if name == "content-length" => length = value.parse().unwrap_or(0),
                _ => {}
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        Some(Self { head, body })
    }

    /// A header's value, "" if there is none.
    pub(crate) fn header(&self, wanted: &str) -> &str {
        header(&self.head, wanted)
    }

    /// Sends it to `upstream`, whose answer can then be read.
    pub(crate) fn pass_on(&self, upstream: u16) -> Option<TcpStream> {
        let mut upstream = TcpStream::connect(("127.0.0.1", upstream)).ok()?;
        upstream.write_all(self.head.as_bytes()).ok()?;
        upstream.write_all(&self.body).ok()?;
        Some(upstream)
    }
}

fn header<'a>(head: &'a str, wanted: &str) -> &'a str {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    let mut values = fields.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
    values.next().map(|(_, value)| value.trim()).unwrap_or_default()
}

fn serve(client: &TcpStream, shared: &Shared) {
    let Some(request) = Request::read(client) else { return };
    let seen = note(&request);
    lock(&shared.seen).push(seen.clone());
    if lock(&shared.resets).iter_mut().any(|is_reset| is_reset(&seen)) {
        reset(client);
        return;
    }
    let own = lock(&shared.rules).iter_mut().find_map(|rule| rule(&seen));
    let mut client = client;
    match own {
        Some((status, text)) => answer_with(client, status, &text),
        None => {
            let Some(mut upstream) = shared.upstream.and_then(|upstream| request.pass_on(upstream)) else {
                return;
            };
            if lock(&shared.losses).iter_mut().any(|is_lost| is_lost(&seen)) {
                let _ = upstream.read_to_end(&mut Vec::new());
                let (status, text) = s3_refusal(500, "InternalError", "We encountered an internal error.");
                answer_with(client, status, &text);
                return;
            }
            let mut edits = lock(&shared.edits);
            match edits.iter_mut().find(|(operation, _)| *operation == seen.operation) {
                Some((_, edit)) => {
                    let mut answer = String::new();
                    let _ = upstream.read_to_string(&mut answer);
                    let (_, text) = answer.split_once("\r\n\r\n").unwrap_or_default();
                    answer_with(client, 200, &edit(&seen, text.to_owned()));
                }
                None => {
                    drop(edits);
                    if lock(&shared.rewrite).is_some() {
                        let mut answer = Vec::new();
                        let _ = upstream.read_to_end(&mut answer);
                        if let Some(rewrite) = lock(&shared.rewrite).as_mut() {
                            answer = rewrite(&seen, answer);
                        }
                        let _ = client.write_all(&answer);
                    } else {
                        let _ = std::io::copy(&mut upstream, &mut client);
                    }
                }
            }
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}

/// Answers a request.
pub(crate) fn answer_with(mut client: &TcpStream, status: u16, text: &str) {
    let kind = if text.starts_with('{') {
        "application/x-amz-json-1.0"
    } else {
        "text/xml"
    };
    let _ = write!(
        client,
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
}

/// Lets the connection end with a reset as soon as it is closed.
pub(crate) fn reset(client: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(client, Some(Duration::ZERO)).expect("set");
}

fn note(request: &Request) -> Seen {
    let mut first = request.head.split(' ');
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let mut seen = Seen {
        method: first.next().unwrap_or_default().to_owned(),
        path: first.next().unwrap_or_default().to_owned(),
        operation: request
            .header("x-amz-target")
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .to_owned(),
        authorization: request.header("authorization").to_owned(),
        body,
        head: request.head.clone(),
    };
    if let Some(action) = seen.parameter("Action") {
        seen.operation = action;
    }
    seen
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex: Vec<u8> = rest.by_ref().take(2).collect();
                let value = std::str::from_utf8(&hex)
                    .ok()
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok());
                bytes.extend(value);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
