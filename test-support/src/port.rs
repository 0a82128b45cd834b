//! Ports that stay a test's own, from before anybody listens there until nobody does any more.
//!
//! Some programs have to be told their port, and some tests need one where nobody listens. A port that is found by binding
//! and let go again may be anybody's a moment later. So a port is taken from a range that the system gives to nobody by
//! itself, and its number is locked, for all test processes of this machine, as long as the value lives.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};

/// Below what Linux (from 32768), macOS and the BSDs (from 49152) give to who asks for any.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port that no other test takes as long as this lives. It is free until whoever it is meant for listens there.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Open for the sake of its lock, which ends with the process at the latest.
    _lock: File,
}

impl Port {
    /// Takes one that nobody listens on.
    ///
    /// # Panics
    /// There is none.
    pub fn reserve() -> Self {
        let folder = folder();
        // Not all in one row: whoever else uses the range may begin where it begins.
        let first = fastrand::u16(RANGE);
        let numbers = (first..RANGE.end).chain(RANGE.start..first);
        let mut free = numbers.filter_map(|number| {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(folder.join(number.to_string()))
                .ok()?;
            flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
            TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
            Some(Self { number, _lock: file })
        });
        free.next().expect("loopback has a free port")
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// What is there, or would be, as an SDK's endpoint.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.number)
    }
}

/// Where the locks are: a folder that all of this user's test processes share. The files are empty, and stay: one that is
/// removed could be locked by one process and made anew by another.
fn folder() -> PathBuf {
    let user = rustix::process::geteuid().as_raw();
    let folder = std::env::temp_dir().join(format!("deployer-test-ports-{user}"));
    std::fs::create_dir_all(&folder).expect("a folder for locks");
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_given_to_nobody_else() {
        let ports: Vec<Port> = (0..100).map(|_| Port::reserve()).collect();
        let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), ports.len());
        let again = |number: u16| {
            let file = File::create(folder().join(number.to_string())).expect("opened");
            flock(&file, FlockOperation::NonBlockingLockExclusive)
        };
        assert!(again(numbers[0]).is_err(), "locked");
        let number = numbers[0];
        drop(ports);
        assert!(again(number).is_ok(), "and free with the value");
    }

    #[test]
    fn one_that_is_listened_on_is_not_given() {
        let taken = Port::reserve();
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, taken.number())).expect("it is free");
        let others: Vec<Port> = (0..10).map(|_| Port::reserve()).collect();
        assert!(others.iter().all(|other| other.number() != taken.number()));
    }
}
