//! The Lambda function behind `GET /users?userId={id}`: reads one item from DynamoDB and answers with plain JSON.
//!
//! The way of a request is pure except for its middle: [`event`] turns API Gateway's JSON into a [`event::Decision`],
//! [`table`] reads the item if one is asked for, [`item`] takes DynamoDB's type tags off, [`response`] makes the proxy
//! response. [`handler`] joins them and writes the log line; `main.rs` is the shell around it that AWS Lambda starts.

pub mod config;
pub mod event;
pub mod handler;
pub mod item;
pub mod logging;
pub mod response;
pub mod table;
