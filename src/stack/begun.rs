//! Whether what CloudFormation was asked to do was begun, where the answer doesn't tell (see
//! [`repeated`](crate::cloud::repeated)): it refuses a repetition, since what that asks for is there already. So it is
//! looked whether the request took effect: by its token, name and state.

use std::time::Duration;

use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;

use super::read::{self, Bookmark};
use crate::cloud::Cloud;
use crate::cloud::repeated::{done, is_open};
use crate::cloud::sdk_error::code;
use crate::error::Result;
use crate::wait::{Pace, Probe, until};

/// How long an operation's first event may take to be seen.
fn patience(cloud: &Cloud) -> Pace {
    cloud.pace(Duration::from_secs(if cloud.endpoint.is_aws() { 10 } else { 2 }))
}

/// Whether the operation that was to be started on a stack with `token` was begun, whatever the answer says; `what` says
/// what couldn't be done if it wasn't.
///
/// # Errors
/// That of the answer, when no event after `bookmark` carries the token.
pub(super) async fn operation<T, E, R>(
    cloud: &Cloud,
    arn: &str,
    token: &str,
    bookmark: &Bookmark,
    answer: Result<T, SdkError<E, R>>,
    what: impl FnOnce() -> String,
) -> Result<()>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    // Says of itself that the same request was there before.
    if answer
        .as_ref()
        .is_err_and(|error| code(error) == "TokenAlreadyExistsException")
    {
        return Ok(());
    }
    let look = async || {
        until(patience(cloud), async || {
            let mut bookmark = bookmark.clone();
            match read::carries_token(cloud, arn, &mut bookmark, token).await {
                Ok(true) => Probe::Ready(()),
                Ok(false) => Probe::Pending,
                Err(_) => Probe::Failed(()),
            }
        })
        .await
        .in_time(|| ())
        .ok()
    };
    done(answer.map(|_| ()), what, look).await
}

/// The change set of this name that was to be made in a stack, if it was, whatever the answer says.
pub(super) async fn change_set<E, R>(
    cloud: &Cloud,
    stack: &str,
    name: &str,
    error: &SdkError<E, R>,
) -> Option<DescribeChangeSetOutput>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    if !is_open(error) {
        return None;
    }
    // Nobody else makes one of this name.
    let exists = code(error) == "AlreadyExistsException";
    until(patience(cloud), async || {
        match read::change_set(cloud, stack, name).send().await {
            Ok(found) => Probe::Ready(found),
            Err(_) if exists => Probe::Pending,
            Err(_) => Probe::Failed(()),
        }
    })
    .await
    .in_time(|| ())
    .ok()
}
