//! The SDK's errors as ours: what failed, why, and what to do.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::result::SdkError;

use crate::error::Error;

/// The codes of AWS's services for "you may not".
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "Forbidden",
];

/// AWS's error code, e.g. `AccessDenied`; "" when there was no answer.
pub fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
        .unwrap_or_default()
}

/// AWS's own words; "" when there was no answer.
pub fn message<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::message)
        .unwrap_or_default()
}

/// Whether the answer is "you may not".
pub fn is_denied<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    DENIED.contains(&code(error))
}

/// What a look-up found: `None` only for the error that `is_missing` knows as absence, any other error is one.
pub fn found<T, E, R>(
    answer: Result<T, SdkError<E, R>>,
    is_missing: impl Fn(&E) -> bool,
    what: impl FnOnce() -> String,
) -> Result<Option<T>, Error>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.as_service_error().is_some_and(is_missing) => Ok(None),
        Err(error) => Err(explain(&error, &what())),
    }
}

/// Turns an SDK error into ours; `what` says what was being done, as a lowercase fragment.
pub fn explain<E, R>(error: &SdkError<E, R>, what: &str) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match error {
        SdkError::ServiceError(_) => {
            let (code, message) = (code(error), message(error));
            let known = advice(code);
            let failure = match known {
                Some((Blame::User, _)) => Error::usage(what),
                _ => Error::failed(what),
            };
            let failure = if is_denied(error) {
                failure.for_want_of_permission()
            } else {
                failure
            };
            let failure = failure.because(match (code, message) {
                ("", "") => "the answer names no reason".to_owned(),
                (code, "") => code.to_owned(),
                ("", message) => message.to_owned(),
                (code, message) => format!("{code}: {message}"),
            });
            failure.hint(known.map_or(
                "If the message doesn't tell enough, -vv shows the requests; `deployer status` shows where the stage is.",
                |(_, hint)| hint,
            ))
        }
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            // Credentials are looked for just before a request is sent.
            Some(connector) if lacks_credentials(connector) => without_credentials(what, &innermost(connector)),
            connector => {
                let cause = connector.map(|connector| innermost(connector)).unwrap_or_default();
                Error::failed(what).because(format!("no connection: {cause}")).hint(
                    "Check the network and the endpoint (AWS_ENDPOINT_URL, the profile's endpoint_url, the region's \
                     name), then run the same command again.",
                )
            }
        },
        SdkError::TimeoutError(_) => Error::failed(what)
            .because("there was no answer in time")
            .hint("Check the network and the endpoint (AWS_ENDPOINT_URL), then run the same command again."),
        SdkError::ResponseError(_) => Error::failed(what)
            .because(format!("the answer can't be read: {}", innermost(error)))
            .hint("Is the endpoint really AWS, or an emulator of it? Check AWS_ENDPOINT_URL."),
        other if lacks_credentials(other) => without_credentials(what, &innermost(other)),
        other => Error::failed(what)
            .because(innermost(other))
            .hint("Check the region's name and the endpoint, then run the same command again."),
    }
}

fn lacks_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut current = Some(error);
    while let Some(error) = current {
        if error.is::<CredentialsError>() {
            return true;
        }
        current = error.source();
    }
    false
}

fn without_credentials(what: &str, cause: &str) -> Error {
    Error::usage("no usable AWS credentials were found").because(what).because(cause).hint(
        "Log in (`aws sso login` or `aws login`), set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile \
         with --profile. To try it without AWS, say --local.",
    )
}

enum Blame {
    User,
    Cloud,
}

/// What to do about an error code, where the code alone tells.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html> and each service's common errors.
fn advice(code: &str) -> Option<(Blame, &'static str)> {
    Some(match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired" => (
            Blame::User,
            "The credentials have expired: log in again (for SSO `aws sso login`), then run the same command; it goes on \
             from here.",
        ),
        "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" | "UnauthorizedException" => (
            Blame::User,
            "AWS doesn't know these credentials. Check the profile or AWS_ACCESS_KEY_ID; in an opt-in region, also that \
             the account has it enabled.",
        ),
        "SignatureDoesNotMatch" | "InvalidSignatureException" | "RequestTimeTooSkewed" => {
            (Blame::User, "Check AWS_SECRET_ACCESS_KEY, and this machine's clock.")
        }
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => (
            Blame::Cloud,
            "Give the deploying identity the action that the message names; the README lists all that it needs.",
        ),
        "Throttling" | "ThrottlingException" | "TooManyRequestsException" | "SlowDown" => (
            Blame::Cloud,
            "AWS had too many requests from this account. Run the same command again; it goes on from here.",
        ),
        _ => return None,
    })
}

/// The error that started it: the outer ones say only "dispatch failure".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut current = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current.to_string()
}
