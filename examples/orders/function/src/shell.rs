//! What every binary does around its handler: the environment, the log, the clients, Lambda's events.

use std::{env, fmt, process::ExitCode, time::Duration};

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, HttpClient, IntoShared as _, Region, SharedHttpClient, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde::Serialize;
use serde_json::value::RawValue;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer as _, filter::Targets, layer::SubscriberExt as _};

// Two calls with their retries fit into the timeout of the functions that somebody waits for, which is 10 s.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(2000);
const OPERATION_TIMEOUT: Duration = Duration::from_millis(4500);
const ATTEMPTS: u32 = 3;

/// A variable that isn't set, or empty, which is as good as not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing(String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "missing environment variable: {}", self.0)
    }
}

impl std::error::Error for Missing {}

/// A setting of the function. None has a default, because a guess would use the wrong table or open the wrong origin.
///
/// # Errors
/// If it isn't set.
pub fn variable(name: &str) -> Result<String, Missing> {
    optional(name).ok_or_else(|| Missing(name.to_owned()))
}

fn optional(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where AWS is, and as whom to ask: what Lambda sets for as long as the process lives.
#[derive(Debug, Clone)]
pub struct Aws {
    region: Region,
    credentials: Credentials,
    http: SharedHttpClient,
}

impl Aws {
    /// AWS in this region, asked through `http`.
    pub fn new(region: Region, credentials: Credentials, http: impl HttpClient + 'static) -> Self {
        Self {
            region,
            credentials,
            http: http.into_shared(),
        }
    }

    /// Reads Lambda's variables.
    ///
    /// # Errors
    /// If one is missing.
    pub fn from_environment() -> Result<Self, Missing> {
        let http = Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let credentials = Credentials::new(
            variable("AWS_ACCESS_KEY_ID")?,
            variable("AWS_SECRET_ACCESS_KEY")?,
            optional("AWS_SESSION_TOKEN"),
            None,
            "environment",
        );
        Ok(Self::new(Region::new(variable("AWS_REGION")?), credentials, http))
    }

    /// A client of DynamoDB.
    #[must_use]
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let mut config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(self.region.clone())
            .credentials_provider(self.credentials.clone())
            .http_client(self.http.clone())
            .timeout_config(timeouts())
            .retry_config(retries());
        config.set_endpoint_url(endpoint("AWS_ENDPOINT_URL_DYNAMODB"));
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// A client of SQS.
    #[must_use]
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        let mut config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(self.region.clone())
            .credentials_provider(self.credentials.clone())
            .http_client(self.http.clone())
            .timeout_config(timeouts())
            .retry_config(retries());
        config.set_endpoint_url(endpoint("AWS_ENDPOINT_URL_SQS"));
        aws_sdk_sqs::Client::from_conf(config.build())
    }
}

/// Where a service is if not at AWS; an emulator sets the common one.
fn endpoint(own: &str) -> Option<String> {
    optional(own).or_else(|| optional("AWS_ENDPOINT_URL"))
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(Duration::from_millis(100))
}

/// Logs from here on as CloudWatch reads it best: one flat JSON object a line, with `timestamp` and `level`. So is a panic,
/// which ends the process: printed as text it would have no level, by which Lambda drops lines; caught, it would be the answer.
pub fn log() {
    // Set by the function's `LoggingConfig`.
    let level = level(&optional("AWS_LAMBDA_LOG_LEVEL").unwrap_or_default());
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false);
    // Dependencies say no more than `info`: at `trace` the AWS SDK prints its requests with their session token.
    let levels = Targets::new()
        .with_default(level.min(LevelFilter::INFO))
        .with_target("orders", level);
    // Can only fail if there is a subscriber already, and there is none.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines.with_filter(levels)));
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(
            error = panic.payload_as_str().unwrap_or("something that is no text"),
            place,
            "the function panicked"
        );
        std::process::abort();
    }));
}

fn level(name: &str) -> LevelFilter {
    match name.to_ascii_uppercase().as_str() {
        "TRACE" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "WARN" => LevelFilter::WARN,
        // Lambda's highest; nothing here is worse than an error.
        "ERROR" | "FATAL" => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    }
}

/// Answers events by `answer`, which is given Lambda's id of the request and the event's JSON, until Lambda ends the
/// process.
///
/// # Errors
/// If Lambda can't be reached.
pub async fn serve<T: Serialize>(answer: impl AsyncFn(&str, &str) -> Result<T, Error>) -> Result<(), Error> {
    let answer = async |event: LambdaEvent<Box<RawValue>>| answer(&event.context.request_id, event.payload.get()).await;
    Runtime::new(service_fn(answer)).run().await
}

/// The process's end. Why it couldn't run is in the log.
#[must_use]
pub fn end(outcome: &Result<(), Error>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %error, "the function cannot run");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambdas_levels_are_known_and_others_are_info() {
        assert_eq!(level("DEBUG"), LevelFilter::DEBUG);
        assert_eq!(level("fatal"), LevelFilter::ERROR);
        assert_eq!(level(""), LevelFilter::INFO);
    }

    #[test]
    fn a_missing_setting_is_named() {
        let missing = variable("NOBODY_SETS_THIS").expect_err("it isn't set");
        assert_eq!(missing.to_string(), "missing environment variable: NOBODY_SETS_THIS");
    }
}
