//! A program and its Runtime API, from start to end.

use std::path::Path;
use std::time::{Duration, Instant};

use benchmarks::error::{Error, Result};

use crate::cloud::Cloud;
use crate::program::Program;
use crate::runtime_api::{Exchange, RuntimeApi};

/// A program that takes longer for anything does not work.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to look whether it is still there.
const INTERVAL: Duration = Duration::from_millis(200);

/// A running program. It ends before its Runtime API does, so that it doesn't see it go.
#[derive(Debug)]
pub(crate) struct Session {
    name: String,
    program: Program,
    api: RuntimeApi,
}

impl Session {
    /// Starts `binary`; its first `events` polls get an event at once.
    ///
    /// # Errors
    /// It can't be started.
    pub(crate) fn start(binary: &Path, cloud: &Cloud, events: usize) -> Result<Self> {
        let api = RuntimeApi::start()?;
        api.hand_out(events);
        let program = Program::start(binary, api.address(), cloud)?;
        let name = binary.display().to_string();
        Ok(Self { name, program, api })
    }

    /// When it was started.
    pub(crate) fn started(&self) -> Instant {
        self.program.started
    }

    /// Waits for the first poll.
    ///
    /// # Errors
    /// It doesn't come.
    pub(crate) fn first_poll(&mut self) -> Result<Instant> {
        self.wait("poll for an event", RuntimeApi::first_poll)
    }

    /// Hands out `count` events, one after the other, and waits for the answers.
    ///
    /// # Errors
    /// An answer doesn't come, or is not the expected one.
    pub(crate) fn requests(&mut self, count: usize) -> Result<Vec<Exchange>> {
        self.api.hand_out(count);
        self.answers()
    }

    /// Waits for the answers to the events that were handed out at the start.
    ///
    /// # Errors
    /// An answer doesn't come, or is not the expected one.
    pub(crate) fn answers(&mut self) -> Result<Vec<Exchange>> {
        self.wait("answer", RuntimeApi::exchanges)
    }

    /// The most memory it has had so far, in bytes.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        self.program.peak_memory()
    }

    fn wait<T>(&mut self, what: &str, look: impl Fn(&RuntimeApi, Duration) -> Result<Option<T>>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match look(&self.api, INTERVAL) {
                Ok(Some(value)) => return Ok(value),
                Ok(None) => {}
                Err(error) => return Err(self.failed(error)),
            }
            if let Some(status) = self.program.ended()? {
                return Err(self.failed(format!("it ended ({status})")));
            }
            if Instant::now() > deadline {
                return Err(self.failed(format!("it didn't {what} within {} s", PATIENCE.as_secs())));
            }
        }
    }

    fn failed(&mut self, why: impl Into<Error>) -> Error {
        format!(
            "{} doesn't work: {}\n{}",
            self.name,
            why.into(),
            self.program.last_words()
        )
        .into()
    }
}
