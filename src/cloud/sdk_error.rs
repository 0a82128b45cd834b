//! The SDK's errors as ours: what failed, why, and what to do.

use std::any::Any;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use super::{owner, page};
use crate::error::{Error, ErrorKind};

/// The codes of AWS's services for "you may not".
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "UnauthorizedOperation",
    "Forbidden",
];

/// AWS's error code, e.g. `AccessDenied`; "" when there was no answer.
pub(crate) fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
        .unwrap_or_default()
}

/// AWS's own words; "" when there was no answer.
pub(crate) fn message<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::message)
        .unwrap_or_default()
}

/// Whether the answer is "you may not".
pub(crate) fn is_denied<E: ProvideErrorMetadata, R: 'static>(error: &SdkError<E, R>) -> bool {
    DENIED.contains(&code(error)) || is_bare_denial(error)
}

/// Whether the answer is 403 and says nothing more: that to a HEAD request has no body.
pub(crate) fn is_bare_denial<E: ProvideErrorMetadata, R: 'static>(error: &SdkError<E, R>) -> bool {
    let is_bare = code(error).is_empty() || code(error) == "Forbidden";
    is_bare && message(error).is_empty() && answer(error).is_some_and(|response| response.status().as_u16() == 403)
}

fn answer<E, R: 'static>(error: &SdkError<E, R>) -> Option<&HttpResponse> {
    let response = error.raw_response()? as &dyn Any;
    response.downcast_ref::<HttpResponse>()
}

/// What a look-up found: `None` only for the error that `is_missing` knows as absence, any other error is one.
pub(crate) fn found<T, E, R>(
    answer: Result<T, SdkError<E, R>>,
    is_missing: impl Fn(&E) -> bool,
    what: impl FnOnce() -> String,
) -> Result<Option<T>, Error>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.as_service_error().is_some_and(is_missing) => Ok(None),
        Err(error) => Err(explain(error, &what())),
    }
}

/// Turns an SDK error into ours, with the SDK's own as its cause; `what` says what was being done, as a lowercase fragment.
pub(crate) fn explain<E, R>(error: SdkError<E, R>, what: &str) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let is_understood = !code(&error).is_empty();
    if let Some((why, advice)) = answer(&error).filter(|_| !is_understood).and_then(page::told) {
        return Error::new(ErrorKind::Unreachable, what)
            .cause(Told::new(why, error))
            .hint(advice);
    }
    let (kind, why) = match &error {
        SdkError::ServiceError(_) => {
            let owner = answer(&error).and_then(owner::expected).map(not_of);
            let (code, message) = (code(&error), message(&error));
            if is_bare_denial(&error) {
                let owner = owner.unwrap_or_default();
                return Error::new(ErrorKind::AccessDenied, what)
                    .cause(Told::new("the answer is 403, and has no text that would say why".to_owned(), error))
                    .hint(format!(
                        "Give the deploying identity what the README lists: S3 says so of an object that is missing, too, \
                         unless s3:ListBucket is allowed on its bucket beside s3:GetObject on what is in it. {owner}"
                    ));
            }
            let why = match (code, message) {
                ("", "") => "the answer names no reason".to_owned(),
                (code, "") => code.to_owned(),
                ("", message) => message.to_owned(),
                (code, message) => format!("{code}: {message}"),
            };
            let kind = kind_of(code);
            if let Some(owner) = owner.filter(|_| kind == ErrorKind::AccessDenied) {
                return Error::new(kind, what)
                    .cause(Told::new(why, error))
                    .hint(format!("{} {owner}", advice(kind)));
            }
            (kind, why)
        }
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            // Credentials are looked for just before a request is sent.
            Some(connector) if lacks_credentials(connector) => {
                return without_credentials(what, innermost(connector), error);
            }
            connector => {
                let cause = connector.map(|connector| innermost(connector)).unwrap_or_default();
                if cause.contains("proxy auth") {
                    return Error::new(ErrorKind::Unreachable, what)
                        .cause(Told::new(format!("no connection: {cause}"), error))
                        .hint(page::advice(407));
                }
                (ErrorKind::Unreachable, format!("no connection: {cause}"))
            }
        },
        SdkError::TimeoutError(_) => (ErrorKind::Unreachable, "there was no answer in time".to_owned()),
        SdkError::ResponseError(_) => {
            let why = format!("the answer can't be read: {}", innermost(&error));
            return Error::new(ErrorKind::ServiceError, what)
                .cause(Told::new(why, error))
                .hint("Is the endpoint really AWS, or an emulator of it? Check AWS_ENDPOINT_URL.");
        }
        other if lacks_credentials(other) => return without_credentials(what, innermost(other), error),
        other => {
            let why = innermost(other);
            return Error::failed(what)
                .cause(Told::new(why, error))
                .hint("Check the region's name and the endpoint, then run the same command again.");
        }
    };
    Error::new(kind, what).cause(Told::new(why, error)).hint(advice(kind))
}

/// What else S3 may mean by a refusal.
fn not_of(account: &str) -> String {
    format!(
        "S3 also refuses a bucket that isn't the account {account}'s: if it is another account's, somebody has taken its \
         name after it was deleted, and nothing was read from it or written to it."
    )
}

/// An SDK error in words that a person can use: its own are "service error" or "dispatch failure".
#[derive(Debug)]
struct Told {
    why: String,
    error: Box<dyn std::error::Error + Send + Sync>,
}

impl Told {
    fn new(why: String, error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self {
            why,
            error: Box::new(error),
        }
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Told {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.error)
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

fn without_credentials(what: &str, why: String, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::CredentialsMissing, "no usable AWS credentials were found")
        .cause(what)
        .cause(Told::new(why, error))
        .hint(advice(ErrorKind::CredentialsMissing))
}

/// What kind of refusal an error code is, where the code alone tells.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html> and each service's common errors.
pub(crate) fn kind_of(code: &str) -> ErrorKind {
    match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired" => {
            ErrorKind::CredentialsExpired
        }
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "UnauthorizedException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "RequestTimeTooSkewed" => ErrorKind::CredentialsInvalid,
        "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException"
        | "SlowDown"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded" => ErrorKind::Throttled,
        denied if DENIED.contains(&denied) => ErrorKind::AccessDenied,
        _ => ErrorKind::ServiceError,
    }
}

/// What to do about a refusal of this kind.
fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::CredentialsMissing => {
            "Log in (`aws sso login` or `aws login`), set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile \
             with --profile. To try it without AWS, say --local."
        }
        ErrorKind::CredentialsExpired => {
            "The credentials have expired: log in again (for SSO `aws sso login`), then run the same command; it goes on \
             from here."
        }
        ErrorKind::CredentialsInvalid => {
            "AWS doesn't know these credentials, or not their signature. Check the profile or AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, and this machine's clock; in an opt-in region, also that the account has it enabled."
        }
        ErrorKind::AccessDenied => {
            "Give the deploying identity the action that the message names; the README lists all that it needs."
        }
        ErrorKind::Throttled => {
            "AWS had too many requests from this account. Run the same command again; it goes on from here."
        }
        ErrorKind::Unreachable => {
            "Check the network and the endpoint (AWS_ENDPOINT_URL, the profile's endpoint_url, the region's name), then run \
             the same command again."
        }
        _ => "If the message doesn't tell enough, -vv shows the requests; `deployer status` shows where the stage is.",
    }
}

/// The error that started it: the outer ones say only "dispatch failure".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut current = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current.to_string()
}
