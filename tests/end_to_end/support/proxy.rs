//! A proxy in front of the emulator: it notes every request, and answers some itself, as AWS would and the emulator
//! doesn't.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use super::emulator::share_keys;

/// One request as it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    /// `X-Amz-Target`'s operation or the query protocol's `Action`; else "".
    pub(crate) operation: String,
    /// The `Authorization` header: its credential scope names region and service.
    pub(crate) authorization: String,
    pub(crate) body: String,
}

impl Seen {
    /// Whether the request could have changed something.
    pub(crate) fn writes(&self) -> bool {
        const READS: &[&str] = &["Get", "Describe", "List", "BatchGet", "Head", "Validate", "Simulate"];
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

    /// A parameter of the query protocol, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.body
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| decode(value))
    }
}

/// Decides whether to answer a request instead of the emulator.
type Rule = Box<dyn FnMut(&Seen) -> Option<(u16, String)> + Send>;

/// Rewrites what the emulator answered.
type Edit = Box<dyn FnMut(&Seen, String) -> String + Send>;

/// Whether the emulator's answer to a request gets lost.
type Loss = Box<dyn FnMut(&Seen) -> bool + Send>;

struct Shared {
    upstream: u16,
    seen: Mutex<Vec<Seen>>,
    rules: Mutex<Vec<Rule>>,
    edits: Mutex<Vec<(&'static str, Edit)>>,
    losses: Mutex<Vec<Loss>>,
}

pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    pub(crate) fn before(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        share_keys(upstream, port);
        let shared = Arc::new(Shared {
            upstream,
            seen: Mutex::default(),
            rules: Mutex::default(),
            edits: Mutex::default(),
            losses: Mutex::default(),
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

    /// Adds a rule; the first that answers, answers.
    pub(crate) fn rule(&self, rule: impl FnMut(&Seen) -> Option<(u16, String)> + Send + 'static) {
        lock(&self.shared.rules).push(Box::new(rule));
    }

    /// Answers nothing itself any more.
    pub(crate) fn forget_rules(&self) {
        lock(&self.shared.rules).clear();
    }

    /// Refuses what was asked since the last look if any of it could have changed something.
    #[track_caller]
    pub(crate) fn assert_nothing_was_written(&self) {
        let writes: Vec<Seen> = self.take().into_iter().filter(Seen::writes).collect();
        assert!(writes.is_empty(), "{writes:#?}");
    }

    /// Rewrites the bodies of the emulator's answers to `operation`.
    pub(crate) fn edit(&self, operation: &'static str, edit: impl FnMut(&Seen, String) -> String + Send + 'static) {
        lock(&self.shared.edits).push((operation, Box::new(edit)));
    }

    /// Lets the emulator do what `is_lost` is asked for, and says that something went wrong.
    pub(crate) fn lose(&self, is_lost: impl FnMut(&Seen) -> bool + Send + 'static) {
        lock(&self.shared.losses).push(Box::new(is_lost));
    }

    /// What was asked since the last call.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut lock(&self.shared.seen))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request a connection: the answer says `Connection: close`.
fn serve(client: &TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(client);
    let mut head = String::new();
    let mut length = 0;
    let mut target = String::new();
    let mut authorization = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "x-amz-target" => target = value.trim().to_owned(),
                "authorization" => authorization = value.trim().to_owned(),
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
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let seen = note(&head, &target, authorization, &body);
    lock(&shared.seen).push(seen.clone());
    let own = lock(&shared.rules).iter_mut().find_map(|rule| rule(&seen));
    let mut client = client;
    match own {
        Some((status, text)) => answer_with(client, status, &text),
        None => {
            let Ok(mut upstream) = TcpStream::connect(("127.0.0.1", shared.upstream)) else {
                return;
            };
            if upstream.write_all(head.as_bytes()).is_err() || upstream.write_all(&body).is_err() {
                return;
            }
            if lock(&shared.losses).iter_mut().any(|is_lost| is_lost(&seen)) {
                let _ = upstream.read_to_end(&mut Vec::new());
                let error =
                    "<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>";
                answer_with(client, 500, error);
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
                    let _ = std::io::copy(&mut upstream, &mut client);
                }
            }
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}

fn answer_with(mut client: &TcpStream, status: u16, text: &str) {
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

fn note(head: &str, target: &str, authorization: String, body: &[u8]) -> Seen {
    let mut first = head.split(' ');
    let body = String::from_utf8_lossy(body).into_owned();
    let mut seen = Seen {
        method: first.next().unwrap_or_default().to_owned(),
        path: first.next().unwrap_or_default().to_owned(),
        operation: target.rsplit('.').next().unwrap_or_default().to_owned(),
        authorization,
        body,
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
