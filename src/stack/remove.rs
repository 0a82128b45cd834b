//! Deleting stacks.

use std::time::Duration;

use super::change_set::{self, Purpose};
use super::read::{self, Stack};
use super::status::{Meaning, Outlook};
use super::wanted::Rendered;
use super::{follow, release as protections};
use crate::bucket;
use crate::cloud::Cloud;
use crate::cloud::sdk_error::explain;
use crate::error::Result;
use crate::project::Tier;
use crate::report::{Event, Reporter};
use crate::wait::{Probe, Waited, until};

/// Deletes a stack and waits until it is gone. The buckets that go with it are emptied first: AWS deletes no other.
///
/// # Errors
/// A resource can't be deleted; the message names it.
pub async fn stack(cloud: &Cloud, tier: Tier, stack: &Stack, reporter: &Reporter) -> Result<()> {
    for name in read::doomed_buckets(cloud, stack).await? {
        reporter.working(tier.as_str(), format!("emptying {name}"));
        bucket::empty(cloud, &name).await?;
    }
    reporter.working(tier.as_str(), format!("deleting {}", stack.name));
    let mut bookmark = read::bookmark(cloud, &stack.arn).await?;
    cloud
        .cloudformation
        .delete_stack()
        .stack_name(&stack.arn)
        .client_request_token(change_set::fresh_token())
        .send()
        .await
        .map_err(|error| explain(&error, &format!("could not delete the stack {}", stack.name)))?;
    let mut events = Vec::new();
    let end = until(cloud.pace(Duration::from_secs(2 * 60 * 60)), async || {
        match read::events_since(cloud, tier, &stack.arn, &mut bookmark).await {
            Ok(new) => {
                for event in new {
                    reporter.event(&Event::Resource(event.clone()));
                    reporter.working(tier.as_str(), format!("{} {}", event.logical_id, event.status));
                    events.push(event);
                }
            }
            Err(error) => return Probe::Failed(error),
        }
        // A deleted stack answers by its ARN only, and an emulator may forget it at once.
        match read::describe(cloud, &stack.arn).await {
            Ok(None) => Probe::Ready(None),
            Ok(Some(now)) if now.meaning().meaning == Meaning::HalfDeleted => Probe::Ready(Some(now.status)),
            Ok(Some(_)) => Probe::Pending,
            Err(error) => Probe::Failed(error),
        }
    })
    .await;
    let status = match end {
        Waited::Ready(None) => return Ok(()),
        Waited::Ready(Some(status)) => status,
        Waited::TimedOut => "DELETE_IN_PROGRESS for two hours".to_owned(),
        Waited::Failed(error) => return Err(error),
    };
    Err(follow::failure(&stack.name, &follow::Ended { status, events }))
}

/// Lifts the protections of a stack's data by an update, so that its deletion deletes them, too.
///
/// An update, not calls to the services: should the deletion fail or be interrupted, the stack still owns everything.
pub async fn release(cloud: &Cloud, tier: Tier, stack: &Stack, reporter: &Reporter) -> Result<()> {
    reporter.working(tier.as_str(), format!("lifting the protection of {}", stack.name));
    let deployed = read::deployed_template(cloud, &stack.arn).await?;
    let released = protections::release(&deployed);
    if released == deployed {
        return Ok(());
    }
    let rendered = Rendered {
        body: released.to_json(),
        parameters: released.parameter_names().map(|name| (name.to_owned(), None)).collect(),
    };
    let Some(made) = change_set::create(cloud, &stack.name, &rendered, Purpose::Update, false).await? else {
        return Ok(());
    };
    let bookmark = read::bookmark(cloud, &stack.arn).await?;
    change_set::execute(cloud, &made).await?;
    let ended = follow::to_end(cloud, tier, &stack.arn, bookmark, reporter, |_| {}).await?;
    match read::describe(cloud, &stack.arn).await? {
        Some(now) if now.meaning().outlook == Outlook::Good => Ok(()),
        _ => Err(follow::failure(&stack.name, &ended)),
    }
}
