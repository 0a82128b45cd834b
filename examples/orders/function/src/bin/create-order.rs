//! `POST /orders`.

use std::{
    process::ExitCode,
    time::{Instant, SystemTime},
};

use lambda_runtime::Error;
use orders::{
    create::create,
    http::{Request, respond},
    order::timestamp,
    queue::Queue,
    shell::{self, Aws, variable},
    table::CustomersTable,
};

// One thread: a Lambda environment serves one request at a time, and starts faster for it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shell::log();
    shell::end(&run().await)
}

async fn run() -> Result<(), Error> {
    let aws = Aws::from_environment()?;
    let allowed_origin = variable("ALLOWED_ORIGIN")?;
    let customers = CustomersTable {
        client: aws.dynamodb(),
        name: variable("CUSTOMERS_TABLE")?,
    };
    let queue = Queue {
        client: aws.sqs(),
        url: variable("QUEUE_URL")?,
    };
    shell::serve(async |request_id: &str, event: &str| {
        let started = Instant::now();
        // Lambda's ids are unique, and the order is then found in the log as well.
        let order_id = format!("o-{request_id}");
        let placed_at = timestamp(SystemTime::now());
        let outcome = create(&customers, &queue, order_id, placed_at, &Request::parse(event)).await;
        Ok(respond(request_id, started, &allowed_origin, outcome))
    })
    .await
}
