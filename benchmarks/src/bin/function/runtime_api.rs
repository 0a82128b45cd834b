//! A stand-in for Lambda's Runtime API, for one program. It takes the times.
//!
//! Each connection has a thread that takes the times and answers by itself: handing over to another thread would be
//! measured as well. Whoever measures sleeps until the program has nothing left to do.

use std::io::{self, BufReader, Write as _};
use std::mem;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use benchmarks::error::{Context as _, Result};

use crate::http::{self, Message};

/// What API Gateway sends for `GET /users?userId=1` from a browser.
const EVENT: &str = include_str!("event.json");

const EVENT_HEADERS: &str = "Content-Type: application/json\r\n\
    Lambda-Runtime-Aws-Request-Id: 01234567-89ab-cdef-0123-456789abcdef\r\n\
    Lambda-Runtime-Deadline-Ms: 4102444800000\r\n\
    Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-central-1:123456789012:function:retrieve-user-data\r\n\
    Lambda-Runtime-Trace-Id: Root=1-67891233-abcdef012345678912345678;Parent=0123456789abcdef;Sampled=0\r\n";

/// An event and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// Just before the event was written.
    pub(crate) handed_out: Instant,
    /// When the whole answer was there.
    pub(crate) answered: Instant,
}

impl Exchange {
    /// How long the program had the event.
    pub(crate) fn time(&self) -> Duration {
        self.answered - self.handed_out
    }
}

/// The running stand-in. It hands out as many events as it is told to; other polls wait, as they do on Lambda.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    to_hand_out: usize,
    first_poll: Option<Instant>,
    /// When the event was handed out that the program is working on.
    handed_out: Option<Instant>,
    exchanges: Vec<Exchange>,
    failure: Option<String>,
    closed: bool,
}

impl RuntimeApi {
    /// Starts it on a port of its own.
    ///
    /// # Errors
    /// There is no port for it.
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("could not listen for the program")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if accepting.lock().closed {
                    return;
                }
                let shared = Arc::clone(&accepting);
                // An error is the end of the program, which whoever measures finds out.
                thread::spawn(move || shared.serve(&stream).ok());
            }
        });
        Ok(Self { address, shared })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the next `count` polls have an event.
    pub(crate) fn hand_out(&self, count: usize) {
        self.shared.lock().to_hand_out += count;
        self.shared.changed.notify_all();
    }

    /// When the program polled first; none if it hasn't within `limit`.
    ///
    /// # Errors
    /// The program reported a failure.
    pub(crate) fn first_poll(&self, limit: Duration) -> Result<Option<Instant>> {
        self.shared.wait(limit, |state| state.first_poll)
    }

    /// The exchanges since the last call, once there is an answer to every event; none if there isn't within `limit`.
    ///
    /// # Errors
    /// The program reported a failure, or gave another answer than 200.
    pub(crate) fn exchanges(&self, limit: Duration) -> Result<Option<Vec<Exchange>>> {
        self.shared.wait(limit, |state| {
            let done = state.to_hand_out == 0 && state.handed_out.is_none();
            done.then(|| mem::take(&mut state.exchanges))
        })
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        // The accepting thread looks up at a connection only.
        TcpStream::connect(self.address).ok();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<T>(&self, limit: Duration, take: impl Fn(&mut State) -> Option<T>) -> Result<Option<T>> {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            if let Some(failure) = state.failure.take() {
                return Err(failure.into());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match take(&mut state) {
                None if !left.is_zero() => {}
                end => return Ok(end),
            }
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn serve(&self, mut stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let event = http::response("200 OK", EVENT_HEADERS, EVENT);
        let accepted = http::response("202 Accepted", "", "");
        let mut reader = BufReader::new(stream);
        while let Some(request) = Message::read(&mut reader)? {
            let now = Instant::now();
            let path = request.second_word();
            if path.ends_with("/invocation/next") {
                if !self.next_event(now) {
                    break;
                }
                stream.write_all(&event)?;
            } else {
                self.posted(path, &String::from_utf8_lossy(&request.body), now);
                stream.write_all(&accepted)?;
            }
        }
        Ok(())
    }

    /// Waits for an event to hand out; false if there will be none.
    fn next_event(&self, polled: Instant) -> bool {
        let mut state = self.lock();
        state.first_poll.get_or_insert(polled);
        if state.to_hand_out == 0 {
            self.changed.notify_all();
        }
        while state.to_hand_out == 0 && !state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return false;
        }
        state.to_hand_out -= 1;
        state.handed_out = Some(Instant::now());
        true
    }

    fn posted(&self, path: &str, body: &str, answered: Instant) {
        let mut state = self.lock();
        match state.handed_out.take() {
            Some(handed_out) if path.ends_with("/response") && body.contains(r#""statusCode":200"#) => {
                state.exchanges.push(Exchange { handed_out, answered });
            }
            _ => state.failure = Some(format!("it posted to {path}: {body}")),
        }
        if state.to_hand_out == 0 || state.failure.is_some() {
            self.changed.notify_all();
        }
    }
}
