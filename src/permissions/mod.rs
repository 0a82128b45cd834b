//! What programs ask of AWS, and what IAM has to allow for it. Pure: neither a template nor the account is known here.

mod binary;
mod catalog;
mod pattern;

pub(crate) use binary::{Operation, Operations, operations};
#[cfg(test)]
pub(crate) use catalog::service_with;
pub(crate) use catalog::{Asks, kinds, service};
pub(crate) use pattern::matches;
