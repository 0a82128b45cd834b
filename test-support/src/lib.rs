#![doc = include_str!("../README.md")]

pub mod answers;
pub mod browser;
pub mod command;
pub mod documents;
pub mod emulator;
pub mod environment;
pub mod faults;
pub mod fuzz;
pub mod http;
pub mod port;
pub mod proxy;
pub mod sites;
pub mod terminal;
pub mod tools;

pub use command::{Checked, Deployer, Ran, Running};
pub use emulator::Emulator;
pub use port::Port;
pub use proxy::{Proxy, Seen};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The value of a mutex, whatever happened to the thread that had it last: its test has failed already.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
