//! The call itself: once, where it may change something, and for as long as the function may take.

use std::time::Duration;

use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::operation::RequestId as _;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{InvocationType, LogType};
use aws_smithy_runtime_api::client::result::SdkError;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::cloud::Cloud;
use crate::cloud::sdk_error::explain;
use crate::error::{Error, ErrorKind, Result};
use crate::logs;
use crate::report::logs_command;

/// The longest that a function may run, which is what one is given whose timeout can't be looked at.
const LONGEST: Duration = Duration::from_secs(900);
/// What comes to that: the start of an environment, in which what a function does before its first event may take as long
/// again, and the way there and back.
const BESIDE: Duration = Duration::from_secs(60);

/// What is to be known of a function before it is called.
#[derive(Debug)]
pub(super) struct Configuration {
    /// How long it may run.
    pub(super) timeout: Duration,
    /// Its role's name.
    pub(super) role: Option<String>,
    /// The group that it writes into.
    pub(super) log_group: String,
}

impl Configuration {
    /// That of a deployed function. What may not be looked at is taken for the worst.
    pub(super) async fn of(cloud: &Cloud, function: &str) -> Result<Self> {
        let answer = logs::configuration(cloud, function).await?;
        let log_group = logs::group_of(function, answer.as_ref());
        let Some(answer) = answer else {
            return Ok(Self {
                timeout: LONGEST,
                role: None,
                log_group,
            });
        };
        let seconds = answer.timeout.and_then(|seconds| u64::try_from(seconds).ok());
        let role = answer.role.as_deref().and_then(|arn| arn.rsplit('/').next());
        Ok(Self {
            timeout: seconds.map_or(LONGEST, Duration::from_secs),
            role: role.map(str::to_owned),
            log_group,
        })
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: i32,
    pub(super) function_error: Option<String>,
    pub(super) payload: Vec<u8>,
    pub(super) executed_version: Option<String>,
    pub(super) request_id: Option<String>,
    /// The last 4 KiB of what it wrote.
    pub(super) tail: String,
}

/// Calls a function and waits for its answer. One that may change something is called once: an answer that is lost may be one
/// of a call that was made.
///
/// # Errors
/// It isn't known what the function answered. That it answered an error is none here.
pub(super) async fn call(
    cloud: &Cloud,
    function: &str,
    configuration: &Configuration,
    event: String,
    may_write: bool,
) -> Result<Answer> {
    let timeout = 2 * configuration.timeout + BESIDE;
    let mut settings = aws_sdk_lambda::Config::builder().timeout_config(
        TimeoutConfig::builder()
            .read_timeout(timeout)
            .operation_attempt_timeout(timeout)
            .operation_timeout(if may_write { timeout } else { 2 * timeout })
            .build(),
    );
    if may_write {
        settings = settings.retry_config(RetryConfig::disabled());
    }
    let request = cloud
        .lambda
        .invoke()
        .function_name(function)
        .invocation_type(InvocationType::RequestResponse)
        .log_type(LogType::Tail)
        .payload(Blob::new(event));
    let what = format!("could not call the function {function}");
    let answer = match request.customize().config_override(settings).send().await {
        Ok(answer) => answer,
        Err(error) => {
            let is_lost = match &error {
                SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
                // Whether the connection was lost before or after the event went.
                SdkError::DispatchFailure(failure) => failure.is_io() || failure.is_timeout(),
                SdkError::ServiceError(_) => error
                    .raw_response()
                    .is_some_and(|response| response.status().is_server_error()),
                _ => false,
            };
            let error = explain(error, &what);
            let refused_at_once = error.kind() == ErrorKind::Throttled;
            return Err(if is_lost && !refused_at_once {
                lost(error, function, may_write)
            } else {
                error
            });
        }
    };
    let tail = answer.log_result().and_then(|text| BASE64_STANDARD.decode(text).ok());
    Ok(Answer {
        request_id: answer.request_id().map(str::to_owned),
        tail: String::from_utf8_lossy(&tail.unwrap_or_default()).into_owned(),
        status: answer.status_code,
        function_error: answer.function_error,
        payload: answer.payload.map(Blob::into_inner).unwrap_or_default(),
        executed_version: answer.executed_version,
    })
}

/// No answer came, which doesn't say that it wasn't called.
fn lost(error: Error, function: &str, may_write: bool) -> Error {
    let once = if may_write {
        "it may have been called all the same; it wasn't called again, since it may change something"
    } else {
        "it may have been called all the same, perhaps several times"
    };
    error
        .cause(once)
        .hint_first(format!("{} shows whether it ran.", logs_command(function)))
}
