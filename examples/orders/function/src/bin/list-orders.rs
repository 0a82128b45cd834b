//! `GET /customers/{id}/orders`.

use std::{process::ExitCode, time::Instant};

use lambda_runtime::Error;
use orders::{
    http::{Request, respond},
    list::list,
    shell::{self, Aws, variable},
    table::{CustomerIndex, OrdersTable},
};

// One thread: a Lambda environment serves one request at a time, and starts faster for it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shell::log();
    shell::end(&run().await)
}

async fn run() -> Result<(), Error> {
    let allowed_origin = variable("ALLOWED_ORIGIN")?;
    let table = OrdersTable {
        client: Aws::from_environment()?.dynamodb(),
        name: variable("ORDERS_TABLE")?,
    };
    let orders = CustomerIndex {
        table,
        name: variable("CUSTOMER_INDEX")?,
    };
    shell::serve(async |request_id: &str, event: &str| {
        let started = Instant::now();
        let outcome = list(&orders, &Request::parse(event)).await;
        Ok(respond(request_id, started, &allowed_origin, outcome))
    })
    .await
}
