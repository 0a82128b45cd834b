//! The measurements. Each takes turns between the programs, so that the machine's drift hits them alike.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use benchmarks::error::Result;

use crate::bare_call::BareClient;
use crate::cloud::Cloud;
use crate::pair::Pair;
use crate::runtime_api::Exchange;
use crate::session::Session;

/// On Lambda an event comes some time after the first poll, if it didn't itself cause the start.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);
/// Requests before those that count: by then caches are full and connections are open.
const WARM_UP: usize = 500;
/// Requests of one program before it is another's turn.
const BLOCK: usize = 250;

/// One start of one program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    /// From the process's start to the first poll.
    pub(crate) first_poll: Duration,
    /// From the process's start to the answer to an event that was there at the first poll.
    pub(crate) first_answer: Duration,
    /// In bytes, after that answer.
    pub(crate) peak_memory: u64,
}

/// Requests to programs that have run for a while.
#[derive(Debug)]
pub(crate) struct Warm {
    /// From event to answer.
    pub(crate) requests: Pair<Vec<Duration>>,
    /// As many bare calls of DynamoDB.
    pub(crate) bare_calls: Vec<Duration>,
    /// In bytes, after all requests.
    pub(crate) peak_memory: Pair<u64>,
}

/// Starts each program `count` times.
///
/// # Errors
/// A program doesn't work.
pub(crate) fn starts(programs: &Pair<PathBuf>, cloud: &Cloud, count: usize) -> Result<Pair<Vec<Start>>> {
    alternate(programs, count, |binary| {
        let mut session = Session::start(binary, cloud, 1)?;
        let answered = only(session.answers()?)?.answered;
        Ok(Start {
            first_poll: session.first_poll()? - session.started(),
            first_answer: answered - session.started(),
            peak_memory: session.peak_memory()?,
        })
    })
}

/// Starts each program `count` times, and gives the time from event to answer of a first event after [`PAUSE`].
///
/// # Errors
/// A program doesn't work.
pub(crate) fn pauses(programs: &Pair<PathBuf>, cloud: &Cloud, count: usize) -> Result<Pair<Vec<Duration>>> {
    alternate(programs, count, |binary| {
        let mut session = Session::start(binary, cloud, 0)?;
        session.first_poll()?;
        thread::sleep(PAUSE);
        Ok(only(session.requests(1)?)?.time())
    })
}

/// Sends `count` requests to one process of each program, and makes as many bare calls.
///
/// # Errors
/// A program doesn't work, or a call fails.
pub(crate) fn warm(programs: &Pair<PathBuf>, cloud: &Cloud, count: usize) -> Result<Warm> {
    let mut floor = Session::start(&programs.floor, cloud, 0)?;
    let mut function = Session::start(&programs.function, cloud, 0)?;
    let mut bare = BareClient::connect(&cloud.dynamodb, Arc::clone(&cloud.tls.client))?;
    floor.requests(WARM_UP)?;
    function.requests(WARM_UP)?;
    bare.calls(WARM_UP)?;

    let mut requests = Pair {
        floor: Vec::with_capacity(count),
        function: Vec::with_capacity(count),
    };
    let mut bare_calls = Vec::with_capacity(count);
    while bare_calls.len() < count {
        let block = BLOCK.min(count - bare_calls.len());
        requests.floor.extend(floor.requests(block)?.iter().map(Exchange::time));
        requests
            .function
            .extend(function.requests(block)?.iter().map(Exchange::time));
        bare_calls.extend(bare.calls(block)?);
    }
    Ok(Warm {
        requests,
        bare_calls,
        peak_memory: Pair {
            floor: floor.peak_memory()?,
            function: function.peak_memory()?,
        },
    })
}

/// Measures both programs `count` times by turns.
fn alternate<T>(programs: &Pair<PathBuf>, count: usize, measure: impl Fn(&Path) -> Result<T>) -> Result<Pair<Vec<T>>> {
    let mut values = Pair {
        floor: Vec::with_capacity(count),
        function: Vec::with_capacity(count),
    };
    for _ in 0..count {
        values.floor.push(measure(&programs.floor)?);
        values.function.push(measure(&programs.function)?);
    }
    Ok(values)
}

/// The one exchange of a program that was given one event.
fn only(exchanges: Vec<Exchange>) -> Result<Exchange> {
    let last = exchanges.into_iter().next_back();
    last.ok_or_else(|| "the program answered no event".into())
}
