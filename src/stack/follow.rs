//! Following a stack's operation to its end.

use std::time::Duration;

use tokio::time::Instant;

use super::events::{self, ResourceEvent};
use super::read::{self, Bookmark, Stack};
use super::status::{self, StackState};
use crate::clock::rfc3339;
use crate::cloud::Cloud;
use crate::error::{Error, ErrorKind, Result};
use crate::project::stacks::StackId;
use crate::report::{Event, Reporter};
use crate::wait::{Probe, until};

/// CloudFront alone may take an hour (its handler's limit); nothing of ours takes longer.
const LONGEST_OPERATION: Duration = Duration::from_secs(2 * 60 * 60);

/// How an operation ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The status the stack ended in.
    pub status: String,
    /// Its events, oldest first.
    pub events: Vec<ResourceEvent>,
}

/// How long an operation may say nothing before the stack itself is asked whether it has ended.
const QUIET: Duration = Duration::from_secs(180);

/// How long AWS may not be heard while it works on a stack. It goes on by itself, so a line that breaks or an account that is
/// throttled is no failure of the operation.
const SILENCE: Duration = Duration::from_secs(300);

/// What a look that failed means.
#[derive(Debug)]
struct Patience {
    heard: Instant,
    longest: Duration,
}

impl Patience {
    /// An emulator that isn't heard has ended, and nothing goes on.
    fn with(cloud: &Cloud) -> Self {
        Self {
            heard: Instant::now(),
            longest: if cloud.endpoint.is_aws() {
                SILENCE
            } else {
                Duration::ZERO
            },
        }
    }

    fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// Whether the look is to be repeated, as far as that may help and not much time has passed without an answer.
    fn bears<T>(&self, error: Error) -> Probe<T, Error> {
        let passes = matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::Throttled);
        if passes && self.heard.elapsed() < self.longest {
            Probe::Pending
        } else {
            Probe::Failed(error)
        }
    }
}

/// Follows the operation that was started with `token` after `bookmark`, by its events: reports each, shows each to
/// `watch`, and ends when the stack's own event says how it ended.
///
/// The stack's status alone doesn't tell: right after an operation starts, CloudFormation may still answer with the
/// status from before it. Nor do events alone: one of the operation before may become visible late.
pub(crate) async fn to_end(
    cloud: &Cloud,
    id: &StackId,
    arn: &str,
    token: &str,
    mut bookmark: Bookmark,
    reporter: &Reporter,
    mut watch: impl FnMut(&ResourceEvent),
) -> Result<Ended> {
    let mut all: Vec<ResourceEvent> = Vec::new();
    let mut heard = Instant::now();
    let mut patience = Patience::with(cloud);
    let end = until(cloud.pace(LONGEST_OPERATION), async || {
        let new = match read::events_since(cloud, id, arn, &mut bookmark).await {
            Ok(new) => new,
            Err(error) => return patience.bears(error),
        };
        patience.heard();
        let mut ended = None;
        for event in new.into_iter().filter(|event| event.belongs_to(token)) {
            heard = Instant::now();
            reporter.event(&Event::Resource(event.shown()));
            if event.is_of_stack() {
                ended = has_ended(&event.status).then(|| event.status.clone());
            } else {
                reporter.working(id.as_str(), format!("{} {}", event.logical_id, event.status));
            }
            watch(&event);
            all.push(event);
        }
        if let Some(status) = ended {
            return Probe::Ready(status);
        }
        match read::describe(cloud, arn).await {
            // A deleted stack may be forgotten at once, with its events.
            Ok(None) => Probe::Ready("DELETE_COMPLETE".to_owned()),
            Ok(Some(stack)) if heard.elapsed() > QUIET && has_ended(&stack.status) => Probe::Ready(stack.status),
            Ok(Some(_)) => Probe::Pending,
            Err(error) => patience.bears(error),
        }
    })
    .await;
    let status = end.in_time(|| {
        Error::new(
            ErrorKind::TimedOut,
            format!(
                "the operation on {arn} hasn't ended after {} minutes",
                LONGEST_OPERATION.as_secs() / 60
            ),
        )
        .hint("CloudFormation goes on. `deployer status` shows where it is; the same command again waits on.")
    })?;
    Ok(Ended { status, events: all })
}

/// Reads a stack once it is in `status`, in which an operation is known to have ended: a read may lag behind the events,
/// and would then have the outputs from before.
pub(crate) async fn in_status(cloud: &Cloud, arn: &str, status: &str) -> Result<Stack> {
    until(cloud.pace(Duration::from_secs(120)), async || {
        match read::describe(cloud, arn).await {
            Ok(Some(stack)) if stack.status == status => Probe::Ready(stack),
            Ok(Some(_)) => Probe::Pending,
            Ok(None) => Probe::Failed(
                Error::new(
                    ErrorKind::ChangedMeanwhile,
                    format!("{arn} ended in {status} and is gone"),
                )
                .hint("Somebody else has removed it. Run the same command again."),
            ),
            Err(error) => Probe::Failed(error),
        }
    })
    .await
    .in_time(|| {
        Error::new(
            ErrorKind::ChangedMeanwhile,
            format!("{arn} ended in {status} but isn't in it"),
        )
        .hint("Another operation has begun on it. Run the same command again.")
    })
}

fn has_ended(status: &str) -> bool {
    !matches!(
        status::of_stack(status).state,
        StackState::InProgress | StackState::InReview
    )
}

/// A stack that was just read; if an operation is under way on it, of another run or of one that was interrupted, what it
/// is after that.
pub(crate) async fn settled(cloud: &Cloud, id: &StackId, stack: Stack, reporter: &Reporter) -> Result<Option<Stack>> {
    if stack.state() != StackState::InProgress {
        return Ok(Some(stack));
    }
    let since = stack
        .changed
        .map_or(String::new(), |began| format!(" since {}", rfc3339(began)));
    reporter.working(
        id.as_str(),
        format!("waiting for the operation that is under way ({}{since})", stack.status),
    );
    let mut patience = Patience::with(cloud);
    until(cloud.pace(LONGEST_OPERATION), async || {
        match read::describe(cloud, &stack.arn).await {
            Ok(Some(stack)) if stack.state() == StackState::InProgress => {
                patience.heard();
                reporter.working(id.as_str(), format!("waiting: {}", stack.status));
                Probe::Pending
            }
            Ok(found) => Probe::Ready(found),
            Err(error) => patience.bears(error),
        }
    })
    .await
    .in_time(|| {
        Error::new(
            ErrorKind::StackBusy,
            format!("the stack {} is still in {}{since}", stack.name, stack.status),
        )
        .hint("`deployer status` shows its state; run the same command again later.")
    })
}

/// The error for an operation that ended badly: the resource that failed first, and why; `point` shows that in the user's file.
pub(crate) fn failure(name: &str, ended: &Ended, point: impl FnOnce(Error, &ResourceEvent) -> Error) -> Error {
    let what = match ended.status.as_str() {
        // Nobody asks about a failure to delete what is deleted: it vanished under another operation.
        "DELETE_COMPLETE" => {
            return Error::new(
                ErrorKind::ChangedMeanwhile,
                format!("the stack {name} was removed while it was worked on"),
            )
            .hint("Somebody else runs `deployer down`, or another `deployer up`. Run the same command again.");
        }
        status if status.starts_with("DELETE") => "deleted",
        status if status.starts_with("UPDATE") => "updated",
        _ => "created",
    };
    let error = Error::new(
        ErrorKind::StackFailed,
        format!("the stack {name} could not be {what} ({})", ended.status),
    );
    let Some(cause) = events::root_cause(&ended.events) else {
        return error.hint("Run the same command again; `deployer status` shows the stack's state.");
    };
    let reason = cause.reason.as_deref().unwrap_or("CloudFormation gives no reason");
    let stuck = stuck(name, ended);
    let error = point(error, cause)
        .cause(format!("{} ({}): {reason}", cause.logical_id, cause.resource_type))
        .hint(events::advice(cause).unwrap_or_else(|| match &stuck {
            Some(_) => "Remove the cause and run the same command again; it goes on from here.".to_owned(),
            None => "Nothing of the failed change stays. Correct the cause and run the same command again.".to_owned(),
        }));
    stuck.into_iter().fold(error, Error::hint)
}

/// How a stack that can't go on by itself is led out of that, at the cost of what holds it. Only its owner can know whether that
/// may be.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-continueupdaterollback.html>
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html>
pub(crate) fn stuck(name: &str, ended: &Ended) -> Option<String> {
    let (failed, what, option, outcome) = match ended.status.as_str() {
        "UPDATE_ROLLBACK_FAILED" => (
            "UPDATE_FAILED",
            "continue-update-rollback",
            "resources-to-skip",
            "takes them as they are and ends the rollback without them",
        ),
        "DELETE_FAILED" => (
            "DELETE_FAILED",
            "delete-stack",
            "retain-resources",
            "removes the stack and leaves them",
        ),
        _ => return None,
    };
    let of_resource = |event: &&ResourceEvent| !event.is_of_stack() && event.status == failed;
    let mut held: Vec<&str> = ended
        .events
        .iter()
        .filter(of_resource)
        .map(|event| event.logical_id.as_str())
        .collect();
    held.sort_unstable();
    held.dedup();
    let held = held.join(" ");
    (!held.is_empty()).then(|| {
        format!("If the cause can't be removed: `aws cloudformation {what} --stack-name {name} --{option} {held}` {outcome}.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_that_breaks_is_no_failure_of_what_goes_on() {
        let mut patience = Patience {
            heard: Instant::now(),
            longest: SILENCE,
        };
        let of = |kind| Error::new(kind, "no answer");
        let bears = |patience: &Patience, kind| matches!(patience.bears::<()>(of(kind)), Probe::Pending);
        tokio::time::sleep(SILENCE / 2).await;
        assert!(bears(&patience, ErrorKind::Unreachable) && bears(&patience, ErrorKind::Throttled));
        assert!(!bears(&patience, ErrorKind::CredentialsExpired));
        patience.heard();
        tokio::time::sleep(SILENCE * 2 / 3).await;
        assert!(bears(&patience, ErrorKind::Unreachable));
        tokio::time::sleep(SILENCE).await;
        assert!(!bears(&patience, ErrorKind::Unreachable));
        // What is off AWS goes on with nothing.
        patience.longest = Duration::ZERO;
        patience.heard();
        assert!(!bears(&patience, ErrorKind::Unreachable));
    }
}
