//! What benchmarks have in common: building what they measure, statistics, and targets.

pub mod cargo;
#[cfg(feature = "publishing")]
pub mod command;
pub mod comparison;
#[cfg(feature = "publishing")]
pub mod environment;
pub mod error;
#[cfg(feature = "publishing")]
pub mod local_cloud;
pub mod memory;
#[cfg(feature = "publishing")]
pub mod process;
pub mod progress;
pub mod quantity;
pub mod sample;
#[cfg(feature = "publishing")]
pub mod server;
pub mod target;
