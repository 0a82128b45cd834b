//! Whether a site that was published behaves as on its generator's own server: both are visited in the same browser, and
//! what comes is compared page by page.
//!
//! [`plain`] is a server as generators have them, [`visit`] opens a page and says what it did, [`masked`] takes out of that
//! what may differ, [`compare`] tells what does, and [`tour()`] goes through a whole site in all situations. Whoever publishes
//! is told apart by [`Publisher`], so that a test and a benchmark do the same.

pub mod compare;
pub mod gate;
pub mod masked;
pub mod plain;
pub mod tour;
pub mod visit;

pub use compare::{Difference, Sort};
pub use gate::Gate;
pub use plain::{Kind, Plain};
pub use tour::{Outcome, Publisher, Site, tour};
