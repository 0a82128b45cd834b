//! What an answer that says no, or that didn't come, tells of a request that changes something: nothing. It may have been
//! done all the same, and is sent again by the SDK in any case. This is where it is decided what that means: for each operation
//! that this program asks for, what it does the second time ([`OPERATIONS`]), and how a caller finds out whether what it asked
//! for is there ([`done`], [`gone`]).

use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::result::SdkError;

use super::sdk_error::{code, explain, is_denied, kind_of};
use crate::error::{ErrorKind, Result};

/// What a request does that is sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeated {
    /// The same: what is there then is what it says.
    Same,
    /// Nothing: it carries a token, or a name that is used once, and is answered as the first one was.
    Answered,
    /// It is refused for the sake of what the first one did, by token, name or condition: it is looked whether that is there.
    Refused,
    /// It finds nothing any more to remove.
    Gone,
    /// A second one, which nobody needs and which goes by itself.
    Twice,
}

/// Whether an operation can have changed the stage, which is what a run that fails tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changes {
    Stage,
    /// Plans that are made and thrown away, with the empty stack that a plan for a new one makes (a real deletion is noted by
    /// who asks for it), and calls of the app itself.
    Nothing,
}

use Changes::{Nothing, Stage};
use Repeated::{Answered, Gone, Refused, Same, Twice};

/// All operations that aren't only read by. Tokens: the `idempotencyToken` members of the services' models, and
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html>.
const OPERATIONS: &[(&str, Repeated, Changes)] = &[
    ("AbortMultipartUpload", Gone, Stage),
    ("BatchWriteItem", Same, Stage),
    ("CompleteMultipartUpload", Refused, Stage),
    ("ContinueUpdateRollback", Refused, Stage),
    ("CopyObject", Same, Stage),
    ("CreateChangeSet", Refused, Nothing),
    // By its caller reference.
    ("CreateInvalidation", Answered, Stage),
    // Nobody knows the first one's id. The bucket's lifecycle rule gives it up after a day.
    ("CreateMultipartUpload", Twice, Stage),
    ("DeleteChangeSet", Gone, Nothing),
    ("DeleteLogGroup", Gone, Stage),
    ("DeleteObject", Gone, Stage),
    ("DeleteObjects", Same, Stage),
    ("DeleteStack", Refused, Nothing),
    ("DeleteTable", Gone, Stage),
    // While the first one looks, a second one is refused; it is no operation on the stack.
    ("DetectStackDrift", Twice, Nothing),
    ("ExecuteChangeSet", Refused, Stage),
    ("Invoke", Twice, Nothing),
    // Unless it isn't to overwrite.
    ("PutItem", Refused, Stage),
    // With a condition, as in `document`, it is refused.
    ("PutObject", Same, Stage),
    ("TagResource", Same, Stage),
    ("TransactWriteItems", Answered, Stage),
    ("UpdateStack", Refused, Stage),
    ("UpdateTable", Same, Stage),
    ("UpdateTerminationProtection", Same, Stage),
    ("UploadPart", Same, Stage),
];

/// What operations that change nothing begin with.
const READS: &[&str] = &[
    "BatchGet",
    "Describe",
    "ExportApi",
    "Filter",
    "Get",
    "Head",
    "List",
    "Scan",
    "Simulate",
    "Validate",
];

/// Whether an operation can have changed the stage. One that nobody has decided about can; a test finds it.
pub(super) fn changes_stage(operation: &str) -> bool {
    if READS.iter().any(|read| operation.starts_with(read)) {
        return false;
    }
    let row = OPERATIONS.iter().find(|(name, ..)| *name == operation);
    debug_assert!(
        row.is_some(),
        "cloud::repeated doesn't say what a second {operation} does"
    );
    row.is_none_or(|(.., changes)| *changes == Stage)
}

/// Whether a request may have been done, whatever the answer says: any but one that is refused to this identity however often
/// it is sent.
pub(crate) fn is_open<E: ProvideErrorMetadata, R: 'static>(error: &SdkError<E, R>) -> bool {
    !is_denied(error)
        && !matches!(
            kind_of(code(error)),
            ErrorKind::CredentialsExpired | ErrorKind::CredentialsInvalid
        )
}

/// What a request came to. Where its answer leaves that open, `look` finds what it was to make, or nothing; `what` says what
/// failed then.
///
/// # Errors
/// That of the answer, when nothing is found.
pub(crate) async fn done<T, E, R>(
    answer: Result<T, SdkError<E, R>>,
    what: impl FnOnce() -> String,
    look: impl AsyncFnOnce() -> Option<T>,
) -> Result<T>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let error = match answer {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    let found = if is_open(&error) { look().await } else { None };
    found.ok_or_else(|| explain(error, &what()))
}

/// The codes by which services say that there is nothing of that name.
const ABSENT: &[&str] = &[
    "ChangeSetNotFound",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchUpload",
    "ResourceNotFoundException",
];

/// Whether something was there to be removed by a request: gone is gone, by this one or by one before it.
///
/// # Errors
/// It may be there still; `what` says what failed.
pub(crate) fn gone<T, E, R>(answer: Result<T, SdkError<E, R>>, what: impl FnOnce() -> String) -> Result<bool>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match answer {
        Ok(_) => Ok(true),
        Err(error) if ABSENT.contains(&code(&error)) => Ok(false),
        Err(error) => Err(explain(error, &what())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aws_sdk_cloudformation::operation::execute_change_set::ExecuteChangeSetError;
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    #[test]
    fn each_operation_is_decided_about_once() {
        let names: BTreeSet<&str> = OPERATIONS.iter().map(|(name, ..)| *name).collect();
        assert_eq!(names.len(), OPERATIONS.len());
        for (name, ..) in OPERATIONS {
            assert!(!READS.iter().any(|read| name.starts_with(read)), "{name}");
        }
        for write in [
            "ExecuteChangeSet",
            "UpdateStack",
            "PutItem",
            "PutObject",
            "DeleteObjects",
        ] {
            assert!(changes_stage(write), "{write}");
        }
        for read in [
            "GetCallerIdentity",
            "HeadObject",
            "BatchGetItem",
            "Scan",
            "CreateChangeSet",
            "Invoke",
        ] {
            assert!(!changes_stage(read), "{read}");
        }
    }

    fn refused(status: u16, code: &str) -> SdkError<ExecuteChangeSetError, HttpResponse> {
        let status = status.try_into().expect("a status");
        let error = ExecuteChangeSetError::generic(ErrorMetadata::builder().code(code).build());
        SdkError::service_error(error, HttpResponse::new(status, SdkBody::empty()))
    }

    #[tokio::test]
    async fn what_a_refusal_leaves_open_is_looked_for() {
        let what = || "could not do it".to_owned();
        for (status, code, is_looked_for) in [
            (400, "ValidationError", true),
            (400, "Throttling", true),
            (400, "ChangeSetNotFound", true),
            (412, "PreconditionFailed", true),
            (500, "InternalFailure", true),
            (403, "AccessDenied", false),
            (403, "", false),
            (403, "ExpiredToken", false),
            (403, "InvalidClientTokenId", false),
        ] {
            let mut looked = false;
            let came_to = done(Err(refused(status, code)), what, async || {
                looked = true;
                Some(())
            });
            assert_eq!(came_to.await.is_ok(), is_looked_for, "{code}");
            assert_eq!(looked, is_looked_for, "{code}");
            let error = done::<(), _, _>(Err(refused(status, code)), what, async || None).await;
            assert_eq!(error.expect_err("it isn't there").message(), "could not do it");
        }
        let done_at_once = done(
            Ok::<_, SdkError<ExecuteChangeSetError, HttpResponse>>(7),
            what,
            async || None,
        );
        assert_eq!(done_at_once.await.expect("done"), 7);
    }

    #[test]
    fn what_is_gone_is_removed() {
        let what = || "could not remove it".to_owned();
        assert!(!gone::<(), _, _>(Err(refused(404, "NoSuchKey")), what).expect("gone"));
        assert!(gone::<(), _, _>(Err(refused(400, "InvalidChangeSetStatus")), what).is_err());
        let removed: Result<(), SdkError<ExecuteChangeSetError, HttpResponse>> = Ok(());
        assert!(gone(removed, what).expect("removed"));
    }
}
