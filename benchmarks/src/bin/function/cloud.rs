//! What surrounds the programs all the time.

use std::sync::Arc;

use benchmarks::error::Result;

use crate::dynamodb::DynamoDb;
use crate::tls::Tls;

/// The stand-in for DynamoDB and how to trust it.
#[derive(Debug)]
pub(crate) struct Cloud {
    /// The keys and certificates.
    pub(crate) tls: Tls,
    /// The stand-in.
    pub(crate) dynamodb: DynamoDb,
}

impl Cloud {
    /// Starts it.
    ///
    /// # Errors
    /// There is no port, or no place for a temporary file.
    pub(crate) fn start() -> Result<Self> {
        let tls = Tls::new()?;
        let dynamodb = DynamoDb::start(Arc::clone(&tls.server))?;
        Ok(Self { tls, dynamodb })
    }
}
