//! Deleting stacks.

use futures::future::try_join_all;

use super::change::Mode;
use super::change_set::{self, Purpose};
use super::desired::{Rendered, TemplateBucket};
use super::digest::{DIGEST, RELEASED};
use super::read::{self, Resource, Stack};
use super::status::{self, Severity, StackState};
use super::{begun, follow, release as protections, termination};
use crate::bucket;
use crate::cloud::Cloud;
use crate::error::{Error, ErrorKind, Result};
use crate::ident::fresh_token;
use crate::project::stacks::StackId;
use crate::project::template::Template;
use crate::report::Reporter;
use crate::table;

/// What may be deleted with a stack whose creation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Data {
    /// Everything: the user was asked.
    Too,
    /// Only what is empty: nobody was asked.
    IfEmpty,
}

/// A stack that is to go, and what is in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StackToRemove<'a> {
    /// The stack.
    pub stack: &'a Stack,
    /// Its resources.
    pub resources: &'a [Resource],
    /// The template that it was made from; an empty shell has none.
    pub template: Option<&'a Template>,
}

/// Deletes a stack and waits until it is gone. The buckets that go with it are emptied first: AWS deletes no other.
///
/// # Errors
/// A resource can't be deleted; the message names it. Termination protection is on.
pub(crate) async fn stack(
    cloud: &Cloud,
    id: &StackId,
    to_remove: StackToRemove<'_>,
    data: Data,
    reporter: &Reporter,
) -> Result<()> {
    let StackToRemove {
        stack,
        resources,
        template,
    } = to_remove;
    refuse_termination(stack, data)?;
    let buckets = template.map(|template| read::buckets_to_delete(template, resources));
    let emptying = try_join_all(buckets.into_iter().flatten().map(async |name| {
        reporter.working(id.as_str(), format!("emptying {name}"));
        bucket::empty(cloud, name).await
    }));
    let (_, bookmark) = tokio::try_join!(emptying, read::bookmark(cloud, &stack.arn))?;
    if stack.state() != StackState::Ready {
        delete_tables(cloud, resources, data).await?;
    }
    reporter.working(id.as_str(), format!("deleting {}", stack.name));
    if stack.termination_protected {
        termination::set(cloud, stack, false).await?;
    }
    let token = fresh_token();
    let operation = cloud
        .journal
        .operation(change_set::under_way("deletion", &stack.name))
        .await;
    cloud.journal.note_change();
    let answer = cloud
        .cloudformation
        .delete_stack()
        .stack_name(&stack.arn)
        .client_request_token(&token)
        .send()
        .await;
    let what = || format!("could not delete the stack {}", stack.name);
    begun::operation(cloud, &stack.arn, &token, &bookmark, answer, what).await?;
    operation.has_begun();
    let ended = follow::to_end(cloud, id, &stack.arn, &token, bookmark, reporter, |_| {}).await?;
    match status::of_stack(&ended.status).state {
        StackState::Deleted => Ok(()),
        _ => Err(follow::failure(&stack.name, &ended, |error, _| error)),
    }
}

/// A table that a failed creation left is in the way of its own removal: its deletion protection outlives the rollback,
/// its deletion policy the stack. Such a stack takes no update, so here the table is deleted directly.
async fn delete_tables(cloud: &Cloud, resources: &[Resource], data: Data) -> Result<()> {
    for name in read::names_of(resources, "AWS::DynamoDB::Table") {
        if data == Data::IfEmpty && !table::is_empty(cloud, name).await? {
            return Err(Error::new(
                ErrorKind::Protected,
                format!("the table {name} of a failed creation has items in it"),
            )
            .hint("Save them, then remove it with `deployer down --delete-data`."));
        }
        table::delete(cloud, name).await?;
    }
    Ok(())
}

/// Termination protection that the deployer itself has switched on goes with the data that it protects, once that may go.
fn refuse_termination(stack: &Stack, data: Data) -> Result<()> {
    let is_ours = stack.is_protected() && data == Data::Too;
    if !stack.termination_protected || is_ours {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Protected,
        format!("the stack {} has termination protection", stack.name),
    )
    .hint(format!(
        "Somebody switched it on. If it may go: `aws cloudformation update-termination-protection \
             --no-enable-termination-protection --stack-name {}`.",
        stack.name
    )))
}

/// Lifts the protections of a stack's data by an update, so that its deletion deletes them, too.
///
/// An update, not calls to the services: should the deletion fail or be interrupted, the stack still owns everything.
/// And with a digest of its own, so that the next `up` puts the protections back. A large template goes through the `bucket`.
/// Returns the template as it is then.
pub(crate) async fn release(
    cloud: &Cloud,
    id: &StackId,
    stack: &Stack,
    deployed: &Template,
    bucket: Option<&TemplateBucket>,
    reporter: &Reporter,
) -> Result<Template> {
    refuse_termination(stack, Data::Too)?;
    let released = protections::release(deployed);
    if released == *deployed {
        return Ok(released);
    }
    reporter.working(id.as_str(), format!("lifting the protection of {}", stack.name));
    let rendered = Rendered {
        body: released.to_json(),
        file: "the deployed template".to_owned(),
        bucket: bucket.cloned(),
        parameters: released
            .parameter_names()
            .map(|name| (name.to_owned(), (name == DIGEST).then(|| RELEASED.to_owned())))
            .collect(),
    };
    let making = change_set::create(cloud, &stack.arn, &rendered, Purpose::Update, Mode::Standard);
    let (made, bookmark) = tokio::join!(making, read::bookmark(cloud, &stack.arn));
    let Some(made) = made? else {
        return Ok(released);
    };
    let bookmark = bookmark?;
    let (token, _operation) = change_set::execute(cloud, made, &bookmark).await?;
    let ended = follow::to_end(cloud, id, &stack.arn, &token, bookmark, reporter, |_| {}).await?;
    match status::of_stack(&ended.status).severity {
        Severity::Good => follow::in_status(cloud, &stack.arn, &ended.status)
            .await
            .map(|_| released),
        _ => Err(follow::failure(&stack.name, &ended, |error, _| error)),
    }
}
