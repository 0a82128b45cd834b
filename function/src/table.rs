//! Reading one item: the interface that the handler needs, and DynamoDB behind it.

use std::{fmt, future::Future, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Config, HttpClient, IdentityCache, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        RequestId,
        get_item::{GetItemError, builders::GetItemFluentBuilder},
    },
    types::AttributeValue,
};

use crate::{config::Aws, item::Item};

/// The table's partition key.
pub const KEY: &str = "userId";

// Three attempts and the pauses between them (at most 0.1 s and 0.2 s) fit into the operation's limit, and that into
// the function's timeout of 10 s: the caller gets our 500, never API Gateway's 502 for a function that was killed.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(2500);
/// The longest that one read takes, retries included.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);
// After a start that failed, the next one is part of a request and counts against the function's timeout.
const CONNECT_EARLY_TIMEOUT: Duration = Duration::from_secs(1);
const _: () = assert!(CONNECT_EARLY_TIMEOUT.as_secs() + OPERATION_TIMEOUT.as_secs() < 10);
const ATTEMPTS: u32 = 3;
const INITIAL_BACKOFF: Duration = Duration::from_millis(100);

/// Why an item could not be read, with all that helps to find the cause. For the log: it may name roles and tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableError(String);

impl TableError {
    /// An error with this cause.
    pub fn new(cause: impl Into<String>) -> Self {
        Self(cause.into())
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TableError {}

impl From<SdkError<GetItemError>> for TableError {
    /// DynamoDB's own words where it answered, else the whole chain from "dispatch failure" down to its cause.
    fn from(error: SdkError<GetItemError>) -> Self {
        let SdkError::ServiceError(answer) = &error else {
            return Self(chain(&error));
        };
        let request = error.request_id().unwrap_or("unknown");
        let said = match error.code() {
            Some(code) => format!("{code}: {}", error.message().unwrap_or("no message")),
            None => format!("{}, status {}", chain(&error), answer.raw().status()),
        };
        Self(format!("{said} (DynamoDB request {request})"))
    }
}

/// An error with its causes, the innermost last.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Where items are read from.
pub trait Table {
    /// The item with this key, or none if there is none. A failure is never an absence.
    fn get(&self, user_id: &str) -> impl Future<Output = Result<Option<Item>, TableError>> + Send;
}

/// A DynamoDB table.
#[derive(Debug, Clone)]
pub struct DynamoTable {
    client: Client,
    name: String,
}

impl DynamoTable {
    /// The table `name`, asked for through `http`; limits and retries are set here.
    pub fn new(aws: Aws, http: impl HttpClient + 'static, name: impl Into<String>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let retries = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS)
            .with_initial_backoff(INITIAL_BACKOFF);
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(aws.region)
            .credentials_provider(aws.credentials)
            // They are there already, and don't change.
            .identity_cache(IdentityCache::no_cache())
            .http_client(http)
            .use_fips(aws.fips)
            .use_dual_stack(aws.dual_stack)
            .timeout_config(timeouts)
            .retry_config(retries);
        config.set_endpoint_url(aws.endpoint);
        Self {
            client: Client::from_conf(config.build()),
            name: name.into(),
        }
    }

    /// Connects before the first request, which then finds an open connection and a client that has signed before.
    ///
    /// Lambda gives a function more processor time while it starts than while it answers, where at 256 MB it gets a
    /// seventh. Any answer does, an error as well: what it was comes again, and is told, with the first request. An
    /// item of this key would be read and left alone.
    pub async fn connect(&self) {
        let once = Config::builder().retry_config(RetryConfig::disabled());
        let asked = self.get_item("connect").customize().config_override(once).send();
        let answer = tokio::time::timeout(CONNECT_EARLY_TIMEOUT, asked).await;
        tracing::debug!(found = matches!(answer, Ok(Ok(_))), "connected early");
    }

    fn get_item(&self, user_id: &str) -> GetItemFluentBuilder {
        let key = AttributeValue::S(user_id.to_owned());
        self.client.get_item().table_name(&self.name).key(KEY, key)
    }
}

impl Table for DynamoTable {
    async fn get(&self, user_id: &str) -> Result<Option<Item>, TableError> {
        Ok(self.get_item(user_id).send().await?.item)
    }
}
