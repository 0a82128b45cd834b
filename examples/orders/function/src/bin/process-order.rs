//! The worker behind the queue.

use std::{process::ExitCode, time::SystemTime};

use lambda_runtime::Error;
use orders::{
    order::days_before,
    process::process,
    shell::{self, Aws, variable},
    table::{OrdersTable, StateIndex},
};

// One thread: a Lambda environment serves one batch at a time, and starts faster for it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shell::log();
    shell::end(&run().await)
}

async fn run() -> Result<(), Error> {
    let table = OrdersTable {
        client: Aws::from_environment()?.dynamodb(),
        name: variable("ORDERS_TABLE")?,
    };
    let orders = StateIndex {
        table,
        name: variable("STATE_INDEX")?,
    };
    let lapse_after_days: u32 = variable("LAPSE_AFTER_DAYS")?.parse()?;
    shell::serve(async |_: &str, event: &str| {
        let lapse_before = days_before(SystemTime::now(), lapse_after_days);
        Ok(process(&orders, &lapse_before, event).await?)
    })
    .await
}
