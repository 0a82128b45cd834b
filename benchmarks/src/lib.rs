//! What benchmarks have in common: building what they measure, statistics, and targets.

pub mod cargo;
pub mod error;
pub mod memory;
pub mod progress;
pub mod quantity;
pub mod sample;
#[cfg(feature = "publishing")]
pub mod server;
pub mod target;
