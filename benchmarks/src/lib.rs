//! What benchmarks have in common: building what they measure, statistics, and targets.

#[cfg(feature = "publishing")]
pub mod call;
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
pub mod package;
#[cfg(feature = "publishing")]
pub mod process;
pub mod progress;
#[cfg(feature = "publishing")]
pub mod project;
#[cfg(feature = "publishing")]
pub mod proxy;
pub mod quantity;
pub mod sample;
#[cfg(feature = "publishing")]
pub mod server;
pub mod target;
