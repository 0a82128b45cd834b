//! The four functions of the shop, each a thin binary over one module here:
//!
//! * `create-order` ([`create`]) answers `POST /orders`: checks the order and puts it into the queue;
//! * `process-order` ([`process`]) takes it out of the queue and writes it into the table, and lets old orders lapse
//!   when the nightly schedule says so;
//! * `get-order` ([`get`]) answers `GET /orders/{id}`;
//! * `list-orders` ([`list`]) answers `GET /customers/{id}/orders`.
//!
//! Those modules are pure: what they need of AWS is a trait beside them. [`table`] and [`queue`] fulfil these through
//! the SDK, [`http`] and [`message`] are the shapes of what comes in and goes out, [`order`] is what an order is, and
//! [`shell`] is what all binaries do before their first event.

pub mod create;
pub mod failure;
pub mod get;
pub mod http;
pub mod list;
pub mod message;
pub mod order;
pub mod process;
pub mod queue;
pub mod shell;
pub mod table;
