//! The function's tests beyond its units, as one program so that the AWS SDK is linked once.

mod contract;
mod dynamodb;
mod logs;
mod properties;
mod runtime;
mod support;
