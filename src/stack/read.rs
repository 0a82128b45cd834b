//! Reading stacks: their state, their events, what is deployed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::operation::describe_change_set::builders::DescribeChangeSetFluentBuilder;
use aws_sdk_cloudformation::types::{ResourceStatus, StackEvent, StackResourceSummary, StackStatus, TemplateStage};

use super::digest::DIGEST;
use super::events::ResourceEvent;
use super::status::{self, Severity, StackState};
use crate::cloud::Cloud;
use crate::cloud::sdk_error::explain;
use crate::error::{Error, ErrorKind, Result};
use crate::project::stacks::StackId;
use crate::project::template::Template;

/// A stack as it is.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    /// Its name.
    pub name: String,
    /// Its ARN, which stays when another stack takes the name.
    pub arn: String,
    /// Its status as CloudFormation spells it.
    pub status: String,
    /// Why it is in that status, where CloudFormation says.
    pub reason: Option<String>,
    /// The values that its parameters were given.
    pub parameters: BTreeMap<String, String>,
    /// Its outputs; there are none while it is being created. Off AWS the addresses in them are this host's: it is here,
    /// and nowhere else, that they are rewritten.
    pub outputs: BTreeMap<String, String>,
    /// The names under which its outputs are exported to other stacks.
    pub exports: BTreeSet<String>,
    /// Whether CloudFormation refuses to delete it until this is switched off.
    pub termination_protected: bool,
    /// When it was created or last updated.
    pub changed: Option<SystemTime>,
}

impl Stack {
    /// What can be done with it.
    pub(crate) fn state(&self) -> StackState {
        status::of_stack(&self.status).state
    }

    /// How its status reads.
    pub(crate) fn severity(&self) -> Severity {
        status::of_stack(&self.status).severity
    }

    /// Whether a later look at it finds it as it was: the same stack, with no operation since.
    pub(crate) fn is_unchanged(&self, now: &Self) -> bool {
        now.arn == self.arn && now.changed == self.changed
    }

    /// The digest of what it was made from, if it carries one.
    pub(crate) fn digest(&self) -> Option<&str> {
        self.outputs.get(DIGEST).map(String::as_str)
    }

    /// One of its outputs.
    ///
    /// # Errors
    /// The template doesn't have it.
    pub(crate) fn output(&self, key: &str) -> Result<String> {
        self.outputs.get(key).cloned().ok_or_else(|| {
            if self.state() == StackState::Ready {
                Error::new(ErrorKind::NotDeployed, format!("the stack {} has no output `{key}`", self.name)).hint(
                    "`deployer up` without --only brings it to what its template says. If that has no such output, or has it \
                     under a condition, give it one.",
                )
            } else {
                Error::new(ErrorKind::NotDeployed, format!("the stack {} is in {}", self.name, self.status))
                    .hint("Run `deployer up`; it goes on from there.")
            }
        })
    }
}

/// Reads the stack of a name or an ARN; `None` when there is none.
///
/// # Errors
/// Any other answer than the stack or its absence: an error is never taken for absence.
pub(crate) async fn describe(cloud: &Cloud, name: &str) -> Result<Option<Stack>> {
    let answer = cloud.cloudformation.describe_stacks().stack_name(name).send().await;
    let stacks = match answer {
        Ok(answer) => answer.stacks.unwrap_or_default(),
        Err(error) if error.as_service_error().is_some_and(is_missing) => return Ok(None),
        Err(error) => return Err(explain(error, &format!("could not read the stack {name}"))),
    };
    Ok(stacks
        .into_iter()
        .next()
        .map(|stack| told(cloud, stack))
        .filter(|stack| stack.state() != StackState::Deleted))
}

/// All stacks of the region that are there, page by page.
///
/// # Errors
/// This identity may not look at all of them, or they can't be asked for.
pub(crate) async fn all(cloud: &Cloud) -> Result<Vec<Stack>> {
    let mut pages = cloud.cloudformation.describe_stacks().into_paginator().items().send();
    let mut stacks = Vec::new();
    while let Some(stack) = pages.next().await {
        let stack = stack.map_err(|error| explain(error, "could not look at all stacks"))?;
        stacks.push(told(cloud, stack));
    }
    stacks.retain(|stack| stack.state() != StackState::Deleted);
    Ok(stacks)
}

fn told(cloud: &Cloud, stack: aws_sdk_cloudformation::types::Stack) -> Stack {
    let outputs = stack.outputs.unwrap_or_default();
    Stack {
        name: stack.stack_name.unwrap_or_default(),
        arn: stack.stack_id.unwrap_or_default(),
        status: stack.stack_status.map(|s| s.as_str().to_owned()).unwrap_or_default(),
        reason: stack.stack_status_reason.filter(|reason| !reason.is_empty()),
        parameters: stack
            .parameters
            .unwrap_or_default()
            .into_iter()
            .filter_map(|parameter| Some((parameter.parameter_key?, parameter.parameter_value.unwrap_or_default())))
            .collect(),
        exports: outputs.iter().filter_map(|output| output.export_name.clone()).collect(),
        outputs: outputs
            .into_iter()
            .filter_map(|output| {
                let value = cloud.endpoint.localized(&output.output_value?);
                Some((output.output_key?, value))
            })
            .collect(),
        termination_protected: stack.enable_termination_protection == Some(true),
        changed: stack
            .last_updated_time
            .or(stack.creation_time)
            .and_then(|time| SystemTime::try_from(time).ok()),
    }
}

/// A request for a change set, by its name or ARN. With its stack's name in it, whose ARN is what most statements of
/// policies are about: by the change set's alone a request is allowed to those only who are allowed change sets.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html>
pub(super) fn change_set(cloud: &Cloud, stack: &str, name: &str) -> DescribeChangeSetFluentBuilder {
    let request = cloud.cloudformation.describe_change_set();
    request
        .stack_name(name_of(stack))
        .change_set_name(name)
        .include_property_values(true)
}

/// The name of a stack that is known by it or by its ARN, which has it between slashes. Not every emulator finds a change
/// set by its own name and its stack's ARN.
pub(super) fn name_of(stack: &str) -> &str {
    stack.split('/').nth(1).unwrap_or(stack)
}

/// CloudFormation has no error of its own for a missing stack: `ValidationError` with a sentence. The only place where
/// that sentence is matched.
pub(super) fn is_missing(error: &impl ProvideErrorMetadata) -> bool {
    error.code() == Some("ValidationError")
        && error
            .message()
            .is_some_and(|message| message.contains("does not exist"))
}

/// The template that a stack was made from, as it was sent.
pub(crate) async fn deployed_template(cloud: &Cloud, arn: &str) -> Result<Template> {
    let answer = cloud
        .cloudformation
        .get_template()
        .stack_name(arn)
        .template_stage(TemplateStage::Original)
        .send()
        .await
        .map_err(|error| explain(error, &format!("could not read the template of {arn}")))?;
    Template::of_deployed(answer.template_body().unwrap_or_default())
}

/// The names of the stacks that begin like this, but for those that are gone.
pub(crate) async fn names_with_prefix(cloud: &Cloud, prefix: &str) -> Result<Vec<String>> {
    let mut pages = cloud.cloudformation.list_stacks().into_paginator().items().send();
    let mut names = Vec::new();
    while let Some(stack) = pages.next().await {
        let stack = stack.map_err(|error| explain(error, "could not list the stacks"))?;
        let is_gone = stack.stack_status() == Some(&StackStatus::DeleteComplete);
        names.extend(stack.stack_name.filter(|name| !is_gone && name.starts_with(prefix)));
    }
    Ok(names)
}

/// A resource that a stack has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    /// Its key in the template.
    pub logical_id: String,
    /// Its name or id.
    pub physical_id: String,
    /// Its type.
    pub resource_type: String,
}

/// A stack and what is in it.
#[derive(Debug, Clone)]
pub(crate) struct Deployed {
    /// The stack.
    pub stack: Stack,
    /// What it made and has.
    pub resources: Vec<Resource>,
}

impl Deployed {
    /// The resources of some types.
    pub(crate) fn resources_of<'a>(&'a self, types: &'a [&str]) -> impl Iterator<Item = &'a Resource> {
        self.resources
            .iter()
            .filter(move |resource| types.contains(&resource.resource_type.as_str()))
    }
}

/// The resources that a stack made and that are there; `stack` is its name or its ARN. One that isn't there has none.
pub(crate) async fn resources(cloud: &Cloud, stack: &str) -> Result<Vec<Resource>> {
    let mut pages = cloud
        .cloudformation
        .list_stack_resources()
        .stack_name(stack)
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(resource) = pages.next().await {
        match resource {
            Ok(resource) => found.extend(made(resource)),
            Err(error) if error.as_service_error().is_some_and(is_missing) => return Ok(Vec::new()),
            Err(error) => return Err(explain(error, &format!("could not list the resources of {stack}"))),
        }
    }
    Ok(found)
}

fn made(resource: StackResourceSummary) -> Option<Resource> {
    match resource.resource_status() {
        // One that couldn't be created may carry the name of what was there before: somebody else's.
        Some(ResourceStatus::DeleteComplete | ResourceStatus::CreateFailed) => None,
        _ => Some(Resource {
            physical_id: resource.physical_resource_id.filter(|name| !name.is_empty())?,
            logical_id: resource.logical_resource_id?,
            resource_type: resource.resource_type?,
        }),
    }
}

/// The names of the resources of a type.
pub(crate) fn names_of<'a>(resources: &'a [Resource], resource_type: &'a str) -> impl Iterator<Item = &'a str> {
    let of_type = resources
        .iter()
        .filter(move |resource| resource.resource_type == resource_type);
    of_type.map(|resource| resource.physical_id.as_str())
}

/// The buckets among a stack's resources that go with it when it is deleted; those that its template retains don't.
pub(crate) fn buckets_to_delete<'a>(
    template: &'a Template,
    resources: &'a [Resource],
) -> impl Iterator<Item = &'a str> {
    let buckets = resources
        .iter()
        .filter(|resource| resource.resource_type == "AWS::S3::Bucket");
    buckets
        .filter(|bucket| template.goes_with_stack(&bucket.logical_id))
        .map(|bucket| bucket.physical_id.as_str())
}

/// A place in a stack's history: events after it are new.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bookmark(Option<String>);

/// The place after a stack's newest event.
pub(crate) async fn bookmark(cloud: &Cloud, arn: &str) -> Result<Bookmark> {
    let page = cloud
        .cloudformation
        .describe_stack_events()
        .stack_name(arn)
        .send()
        .await;
    match page {
        Ok(page) => Ok(Bookmark(
            page.stack_events()
                .first()
                .and_then(StackEvent::event_id)
                .map(str::to_owned),
        )),
        Err(error) if error.as_service_error().is_some_and(is_missing) => Ok(Bookmark(None)),
        Err(error) => Err(explain(error, &format!("could not read the events of {arn}"))),
    }
}

/// The events after `bookmark`, oldest first; moves the bookmark behind them.
pub(crate) async fn events_since(
    cloud: &Cloud,
    id: &StackId,
    arn: &str,
    bookmark: &mut Bookmark,
) -> Result<Vec<ResourceEvent>> {
    let events = new_events(cloud, arn, bookmark).await?;
    Ok(events.into_iter().map(|event| resource_event(id, event)).collect())
}

/// The events of the last operation on a stack, oldest first, whoever started it: up to that by which it began.
pub(crate) async fn last_operation(cloud: &Cloud, id: &StackId, arn: &str) -> Result<Vec<ResourceEvent>> {
    // A rollback is part of what it rolls back.
    const BEGINNINGS: [&str; 5] = [
        "CREATE_IN_PROGRESS",
        "DELETE_IN_PROGRESS",
        "IMPORT_IN_PROGRESS",
        "REVIEW_IN_PROGRESS",
        "UPDATE_IN_PROGRESS",
    ];
    let mut found = Vec::new();
    let events = cloud.cloudformation.describe_stack_events().stack_name(arn);
    let mut pages = events.into_paginator().send();
    'pages: while let Some(page) = pages.next().await {
        let page = page.map_err(|error| explain(error, &format!("could not read the events of {arn}")))?;
        for event in page.stack_events.unwrap_or_default() {
            let event = resource_event(id, event);
            let is_beginning = event.is_of_stack() && BEGINNINGS.contains(&event.status.as_str());
            found.push(event);
            if is_beginning {
                break 'pages;
            }
        }
    }
    found.reverse();
    Ok(found)
}

async fn new_events(cloud: &Cloud, arn: &str, bookmark: &mut Bookmark) -> Result<Vec<StackEvent>> {
    let mut found: Vec<StackEvent> = Vec::new();
    let mut pages = cloud
        .cloudformation
        .describe_stack_events()
        .stack_name(arn)
        .into_paginator()
        .send();
    'pages: while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(error) if error.as_service_error().is_some_and(is_missing) => break,
            Err(error) => return Err(explain(error, &format!("could not read the events of {arn}"))),
        };
        for event in page.stack_events.unwrap_or_default() {
            if event.event_id.is_some() && event.event_id == bookmark.0 {
                break 'pages;
            }
            found.push(event);
        }
    }
    if let Some(newest) = found.first() {
        bookmark.0.clone_from(&newest.event_id);
    }
    found.reverse();
    Ok(found)
}

/// Whether an event after `bookmark` is of the operation that was started with `token`.
pub(crate) async fn carries_token(cloud: &Cloud, arn: &str, bookmark: &mut Bookmark, token: &str) -> Result<bool> {
    let events = new_events(cloud, arn, bookmark).await?;
    Ok(events.iter().any(|event| event.client_request_token() == Some(token)))
}

fn resource_event(id: &StackId, event: StackEvent) -> ResourceEvent {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    ResourceEvent {
        id: id.clone(),
        stack: event.stack_name.unwrap_or_default(),
        logical_id: event.logical_resource_id.unwrap_or_default(),
        physical_id: given(event.physical_resource_id),
        resource_type: event.resource_type.unwrap_or_default(),
        status: event.resource_status.map(|s| s.as_str().to_owned()).unwrap_or_default(),
        reason: given(event.resource_status_reason),
        token: given(event.client_request_token),
    }
}
