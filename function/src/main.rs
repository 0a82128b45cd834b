//! What AWS Lambda starts: reads the environment, builds the client once, then answers one event after the other.

use std::{convert::Infallible, env, process::ExitCode};

use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use retrieve_user_data::{config::Config, handler::Handler, logging, table::DynamoTable};
use serde_json::value::RawValue;
use tracing::level_filters::LevelFilter;

// One thread: a Lambda environment serves one request at a time, and starts faster for it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let level = logging::level(variable);
    let subscriber = logging::subscriber(level.unwrap_or(LevelFilter::INFO), std::io::stdout);
    // Can only fail if there is a subscriber already, and there is none.
    let _ = tracing::subscriber::set_global_default(subscriber);
    logging::report_panics();
    if let Err(name) = level {
        tracing::warn!("{name} is not one of trace, debug, info, warn, error; logging at info");
    }
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %error, "the function cannot run");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let config = Config::read(variable)?;
    // The SDK's default, aws-lc, takes 20 ms to gather randomness before its first connection; ring asks the system.
    let http = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let table = DynamoTable::new(config.aws, http, config.table_name);
    table.connect().await;
    let handler = Handler::new(table, config.allowed_origin);
    let answer = async |event: LambdaEvent<Box<RawValue>>| {
        Ok::<_, Infallible>(handler.handle(&event.context.request_id, event.payload.get()).await)
    };
    Runtime::new(service_fn(answer)).run().await
}

/// An environment variable; one that is not UTF-8 counts as not set.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}
