//! Change sets: made, read and executed.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::operation::create_change_set::builders::CreateChangeSetFluentBuilder;
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    Capability, ChangeAction, ChangeSetStatus, ChangeSetType, ChangeSource, DeploymentConfig, DeploymentConfigMode,
    DeploymentMode, EventFilter, HookFailureMode, Parameter, PolicyAction, Replacement as SdkReplacement,
    RequiresRecreation, ResourceChange as SdkChange, ResourceChangeDetail, ValidationStatus,
};
use serde_json::Value;

use super::begun;
use super::change::{Action, Mode, PropertyChange, Replacement, ResourceChange};
use super::desired::Rendered;
use super::read::{self, Bookmark, Stack};
use super::status::StackState;
use super::submitted::Submitted;
use super::values::dotted;
use crate::cloud::Cloud;
use crate::cloud::repeated::gone;
use crate::cloud::sdk_error::{code, explain, message};
use crate::error::{Error, ErrorKind, Result};
use crate::ident::fresh_token;
use crate::journal::{Entry, Operation, Undone};
use crate::wait::{Probe, Waited, until};

/// A change set that can be executed. It goes when the run ends and it was neither [executed](execute) nor
/// [discarded](discard).
#[derive(Debug)]
pub(crate) struct ChangeSet {
    /// Its ARN.
    pub arn: String,
    /// The ARN of its stack.
    pub stack_arn: String,
    /// What it will do.
    pub changes: Vec<ResourceChange>,
    /// How it is carried out.
    pub mode: Mode,
    entry: Entry,
}

/// Whether a change set makes a stack or changes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The stack doesn't exist, or is an empty shell.
    Create,
    /// The stack exists.
    Update,
}

/// Makes a change set and waits until it can be executed; `None` when there is nothing to change. `stack` is the name of one
/// that is to be created, or the ARN of one that is there.
///
/// # Errors
/// CloudFormation refuses the template or finds a name taken. A shell of a stack that this made is removed again.
pub(crate) async fn create(
    cloud: &Cloud,
    stack: &str,
    rendered: &Rendered,
    purpose: Purpose,
    mode: Mode,
) -> Result<Option<ChangeSet>> {
    let template = Submitted::new(cloud, rendered).await?;
    let token = fresh_token();
    let entry = {
        let (cloud, stack, token) = (cloud.clone(), stack.to_owned(), token.clone());
        let journal = cloud.journal.clone();
        let undo = move || async move { undo_creation(&cloud, &stack, &token, purpose).await };
        journal.undoable(undo).await
    };
    let mut request = cloud
        .cloudformation
        .create_change_set()
        .stack_name(stack)
        .change_set_name(&token)
        .client_token(&token)
        .change_set_type(match purpose {
            Purpose::Create => ChangeSetType::Create,
            Purpose::Update => ChangeSetType::Update,
        })
        .set_template_body(template.body.clone())
        .set_template_url(template.url.clone())
        .capabilities(Capability::CapabilityNamedIam)
        // A change set shows what macros make of the template; stacks within it want their agreement nevertheless.
        .capabilities(Capability::CapabilityAutoExpand);
    request = in_mode(request, mode).set_parameters(Some(parameters(rendered)));
    let (arn, stack_arn) = match request.send().await {
        Ok(answer) => (answer.id, answer.stack_id),
        Err(error) => match begun::change_set(cloud, stack, &token, &error).await {
            Some(made) => (made.change_set_id, made.stack_id),
            None => {
                entry.done();
                let refused = refused(cloud, error, stack, &rendered.file, &template);
                template.clear().await;
                return Err(refused);
            }
        },
    };
    let (arn, stack_arn) = (arn.unwrap_or_default(), stack_arn.unwrap_or_default());
    let made = wait_until_made(cloud, stack, &arn).await;
    template.clear().await;
    let made = made?;
    if made.status == Some(ChangeSetStatus::CreateComplete) {
        return Ok(Some(ChangeSet {
            changes: all_changes(cloud, stack, &arn, made).await?,
            arn,
            stack_arn,
            mode,
            entry,
        }));
    }
    let reason = made.status_reason().unwrap_or_default().to_owned();
    let findings = if means_no_changes(&reason) {
        Vec::new()
    } else {
        validation_findings(cloud, stack, &arn).await
    };
    let cleared = clear(cloud, &arn, &stack_arn, purpose).await;
    if cleared.is_ok() {
        entry.done();
    }
    if means_no_changes(&reason) {
        cleared?;
        return Ok(None);
    }
    let mut error = Error::new(
        ErrorKind::StackFailed,
        format!("CloudFormation refuses the change to the stack {stack}"),
    )
    .cause(reason);
    for finding in findings {
        error = error.cause(finding);
    }
    // What it was refused for is what matters most.
    if let Err(also) = cleared {
        error = error.cause(also);
    }
    Err(error.hint(
        "Nothing was changed. Correct the template or the setting; if a name is taken, remove what has it or choose \
         another in stacks/stages.yaml.",
    ))
}

fn in_mode(request: CreateChangeSetFluentBuilder, mode: Mode) -> CreateChangeSetFluentBuilder {
    match mode {
        Mode::Standard => request,
        // Express mode switches rollback off unless told otherwise, and without rollback the first replacement wedges
        // the stack.
        Mode::Express => request.deployment_config(
            DeploymentConfig::builder()
                .mode(DeploymentConfigMode::Express)
                .disable_rollback(false)
                .build(),
        ),
        Mode::RevertDrift => request.deployment_mode(DeploymentMode::RevertDrift),
    }
}

/// Updates a stack without a change set. Returns the token that the operation's events carry; none if there is nothing to
/// change.
pub(crate) async fn update_directly(
    cloud: &Cloud,
    stack_arn: &str,
    rendered: &Rendered,
    bookmark: &Bookmark,
) -> Result<Option<String>> {
    let token = fresh_token();
    let template = Submitted::new(cloud, rendered).await?;
    let answer = cloud
        .cloudformation
        .update_stack()
        .stack_name(stack_arn)
        .client_request_token(&token)
        .set_template_body(template.body.clone())
        .set_template_url(template.url.clone())
        .set_parameters(Some(parameters(rendered)))
        .capabilities(Capability::CapabilityNamedIam)
        // A change set shows what a macro makes of a template; without one that is to be agreed to.
        .capabilities(Capability::CapabilityAutoExpand)
        .send()
        .await;
    template.clear().await;
    if answer.as_ref().is_err_and(|error| means_no_changes(message(error))) {
        return Ok(None);
    }
    let what = || format!("could not update {stack_arn}");
    begun::operation(cloud, stack_arn, &token, bookmark, answer, what).await?;
    Ok(Some(token))
}

fn parameters(rendered: &Rendered) -> Vec<Parameter> {
    let parameters = rendered.parameters.iter().map(|(key, value)| {
        let parameter = Parameter::builder().parameter_key(key);
        match value {
            Some(value) => parameter.parameter_value(value).build(),
            None => parameter.use_previous_value(true).build(),
        }
    });
    parameters.collect()
}

async fn wait_until_made(cloud: &Cloud, stack: &str, arn: &str) -> Result<DescribeChangeSetOutput> {
    until(cloud.pace(Duration::from_secs(600)), async || {
        let answer = read::change_set(cloud, stack, arn).send().await;
        match answer {
            Ok(found) => match found.status() {
                Some(ChangeSetStatus::CreateComplete | ChangeSetStatus::Failed) => Probe::Ready(found),
                _ => Probe::Pending,
            },
            Err(error) => Probe::Failed(explain(error, &format!("could not read the change set for {stack}"))),
        }
    })
    .await
    .in_time(|| {
        Error::new(
            ErrorKind::TimedOut,
            format!("the change set for {stack} isn't ready after 10 minutes"),
        )
        .hint("Run the same command again; AWS's health dashboard may tell more.")
    })
}

/// The only places where the wording of "nothing to change" is matched: AWS has no code for it.
fn means_no_changes(reason: &str) -> bool {
    reason.starts_with("The submitted information didn't contain changes.")
        || reason.contains("No updates are to be performed")
}

async fn all_changes(
    cloud: &Cloud,
    stack: &str,
    arn: &str,
    first: DescribeChangeSetOutput,
) -> Result<Vec<ResourceChange>> {
    let mut changes = Vec::new();
    let mut page = first;
    loop {
        let next = page.next_token.take();
        changes.extend(
            page.changes
                .take()
                .unwrap_or_default()
                .into_iter()
                .filter_map(|change| change.resource_change)
                .map(resource_change),
        );
        let Some(token) = next.filter(|token| !token.is_empty()) else {
            return Ok(changes);
        };
        page = read::change_set(cloud, stack, arn)
            .next_token(token)
            .send()
            .await
            .map_err(|error| explain(error, "could not read the rest of a change set"))?;
    }
}

fn resource_change(change: SdkChange) -> ResourceChange {
    let mut properties: Vec<String> = change
        .details()
        .iter()
        .filter_map(|detail| detail.target())
        .filter_map(|target| {
            target
                .name()
                .map(str::to_owned)
                .or_else(|| target.attribute().map(|attribute| attribute.as_str().to_owned()))
        })
        .collect();
    properties.sort();
    properties.dedup();
    ResourceChange {
        action: match change.action {
            Some(ChangeAction::Add) => Action::Add,
            Some(ChangeAction::Modify) => Action::Modify,
            Some(ChangeAction::Remove) => Action::Remove,
            _ => Action::Other,
        },
        replacement: match change.replacement {
            Some(SdkReplacement::True) => Replacement::Always,
            Some(SdkReplacement::Conditional) => Replacement::Perhaps,
            _ => Replacement::Never,
        },
        retained: matches!(
            change.policy_action,
            Some(PolicyAction::Retain | PolicyAction::ReplaceAndRetain)
        ),
        values: values(change.details()),
        because_of: causes(change.details()),
        logical_id: change.logical_resource_id.unwrap_or_default(),
        physical_id: change.physical_resource_id.filter(|id| !id.is_empty()),
        resource_type: change.resource_type.unwrap_or_default(),
        properties,
    }
}

/// What CloudFormation tells of values. Of one that several things change, such as a reference and what is referred to, there
/// are several details.
fn values(details: &[ResourceChangeDetail]) -> Vec<PropertyChange> {
    let mut values: Vec<PropertyChange> = Vec::new();
    for target in details.iter().filter_map(ResourceChangeDetail::target) {
        // Of what can't be told, the template tells.
        let told = |value: Option<&str>| value.filter(|value| !value.is_empty()).map(Value::from);
        let (before, after) = (told(target.before_value()), told(target.after_value()));
        let Some(path) = target.path().filter(|_| before.is_some() || after.is_some()) else {
            continue;
        };
        let change = PropertyChange {
            path: dotted(path),
            before,
            after,
            replaces: match target.requires_recreation() {
                Some(RequiresRecreation::Always) => Replacement::Always,
                Some(RequiresRecreation::Conditionally) => Replacement::Perhaps,
                _ => Replacement::Never,
            },
        };
        if !values.iter().any(|known| known.path == change.path) {
            values.push(change);
        }
    }
    values
}

/// What makes a resource change whose own definition doesn't; nothing if that does.
fn causes(details: &[ResourceChangeDetail]) -> Vec<String> {
    let is_of_others = |detail: &ResourceChangeDetail| {
        matches!(
            detail.change_source(),
            Some(ChangeSource::ResourceReference | ChangeSource::ResourceAttribute | ChangeSource::Automatic)
        )
    };
    if !details.iter().all(is_of_others) {
        return Vec::new();
    }
    let entities = details.iter().filter_map(ResourceChangeDetail::causing_entity);
    let names = entities.map(|entity| entity.split('.').next().unwrap_or(entity).to_owned());
    let names: BTreeSet<String> = names.collect();
    names.into_iter().collect()
}

/// A change set that failed in CloudFormation's own validation names no resource; its events do.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html>
async fn validation_findings(cloud: &Cloud, stack: &str, arn: &str) -> Vec<String> {
    let mut pages = cloud
        .cloudformation
        .describe_events()
        .stack_name(read::name_of(stack))
        .change_set_name(arn)
        .filters(EventFilter::builder().failed_events(true).build())
        .into_paginator()
        .items()
        .send();
    let mut findings = Vec::new();
    while let Some(event) = pages.next().await {
        let event = match event {
            Ok(event) => event,
            // It only costs detail: the change set's own reason is told anyway.
            Err(error) => {
                let error = explain(
                    error,
                    "which resource it was can't be read (cloudformation:DescribeEvents)",
                );
                let causes = std::iter::once(error.message().to_owned()).chain(error.causes());
                findings.push(causes.collect::<Vec<_>>().join(": "));
                break;
            }
        };
        let passed = event.validation_status() == Some(&ValidationStatus::Skipped)
            || event.validation_failure_mode() == Some(&HookFailureMode::Warn);
        if let Some(reason) = event.validation_status_reason().or(event.resource_status_reason())
            && !passed
        {
            findings.push(format!(
                "{} ({}){}: {reason}",
                event.logical_resource_id().unwrap_or("the stack"),
                event.resource_type().unwrap_or("unknown type"),
                event
                    .validation_path()
                    .map_or(String::new(), |path| format!(" at {path}"))
            ));
        }
    }
    findings
}

/// Lets CloudFormation look at a template, before anything is made of it. Returns the types that an emulator doesn't know:
/// it refuses the whole template for them.
///
/// # Errors
/// CloudFormation refuses it. An identity that may not ask goes without.
pub(crate) async fn validate(cloud: &Cloud, stack: &str, rendered: &Rendered) -> Result<Vec<String>> {
    // The same template is the same again, whatever its parameters are by now.
    if let Some(known) = cloud.unknown_types(&rendered.body) {
        return Ok(known);
    }
    let template = Submitted::new(cloud, rendered).await?;
    let answer = cloud
        .cloudformation
        .validate_template()
        .set_template_body(template.body.clone())
        .set_template_url(template.url.clone())
        .send()
        .await;
    let outcome = match answer {
        Err(error) if code(&error) == "ValidationError" => match unknown_types(message(&error)) {
            Some(types) if !cloud.endpoint.is_aws() => {
                cloud.note_unknown_types(&rendered.body, &types);
                Ok(types)
            }
            _ => Err(refused(cloud, error, stack, &rendered.file, &template)),
        },
        _ => {
            cloud.note_unknown_types(&rendered.body, &[]);
            Ok(Vec::new())
        }
    };
    template.clear().await;
    outcome
}

/// The types in "Unrecognized resource types: [X, Y]", which CloudFormation has no code for.
fn unknown_types(message: &str) -> Option<Vec<String>> {
    let (_, rest) = message.split_once("Unrecognized resource types: [")?;
    let (types, _) = rest.split_once(']')?;
    Some(types.split(',').map(|one| one.trim().to_owned()).collect())
}

fn refused<E, R>(cloud: &Cloud, error: SdkError<E, R>, stack: &str, file: &str, template: &Submitted) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let stack = read::name_of(stack);
    if code(&error) != "ValidationError" {
        return explain(error, &format!("could not make a change set for the stack {stack}"));
    }
    let message = message(&error).to_owned();
    if let Some(unreadable) = template.unreadable(cloud, &message) {
        return unreadable;
    }
    if let Some(kind) = state_in_the_way(&message) {
        return Error::new(kind, format!("the stack {stack} takes no change now"))
            .cause(message)
            .hint(match kind {
                ErrorKind::StackBusy => {
                    "Another run is at work on it. Wait until `deployer status` shows that it has ended, then run the same \
                     command again."
                }
                _ => "Run the same command again: it deals with the state that the stack is in then.",
            });
    }
    let error = Error::new(
        ErrorKind::TemplateRefused,
        format!("CloudFormation refuses {file} for the stack {stack}"),
    )
    .cause(message);
    let error = if cloud.endpoint.is_aws() {
        error
    } else {
        error.cause("it is an emulator's, which may not know a type or a property that AWS has")
    };
    error.hint(format!(
        "Nothing was changed by it. Correct {file} and run the same command again."
    ))
}

/// A `ValidationError` that is about the stack's state and not about its template. CloudFormation has no code of its own for
/// it: "Stack:arn:… is in UPDATE_IN_PROGRESS state and can not be updated.", "Stack \[x\] already exists and cannot be
/// created again with the changeSet \[y\]."
fn state_in_the_way(message: &str) -> Option<ErrorKind> {
    if message.contains("already exists and cannot be created again") {
        return Some(ErrorKind::ChangedMeanwhile);
    }
    let (_, rest) = message.split_once(" is in ")?;
    let (state, rest) = rest.split_once(" state")?;
    if !rest.contains("can not be updated") && !rest.contains("cannot be updated") {
        return None;
    }
    Some(if state.ends_with("_IN_PROGRESS") {
        ErrorKind::StackBusy
    } else {
        ErrorKind::StackBlocked
    })
}

/// Deletes a change set that won't be executed.
///
/// # Errors
/// It can't be deleted; then it is tried again as the run ends.
pub(crate) async fn discard(cloud: &Cloud, change_set: ChangeSet) -> Result<()> {
    if !delete(cloud, &change_set.stack_arn, &change_set.arn).await? {
        return Err(another_executes(&change_set.stack_arn));
    }
    change_set.entry.done();
    Ok(())
}

/// Somebody else has begun what was planned here.
fn another_executes(stack: &str) -> Error {
    Error::new(
        ErrorKind::ChangedMeanwhile,
        format!("the stack {} is being changed by another run", read::name_of(stack)),
    )
    .hint(
        "Wait until `deployer status` shows that it has ended, then run the same command again: it plans by what is there \
         then.",
    )
}

/// What the request for a change set has made, wherever it was interrupted: looked for by name, since its ARN may never have
/// arrived.
async fn undo_creation(cloud: &Cloud, stack: &str, name: &str, purpose: Purpose) -> Result<Undone> {
    let found = until(cloud.pace(APPEARING), async || {
        match read::change_set(cloud, stack, name).send().await {
            Ok(found) => Probe::Ready(found),
            // The request may still be on its way.
            Err(error)
                if code(&error) == "ChangeSetNotFound" || error.as_service_error().is_some_and(read::is_missing) =>
            {
                Probe::Pending
            }
            Err(error) => Probe::Failed(explain(
                error,
                "could not look for a change set that nobody needs any more",
            )),
        }
    });
    let found = match found.await {
        Waited::Ready(found) => found,
        Waited::TimedOut => return Ok(Undone::Gone),
        Waited::Failed(error) => return Err(error),
    };
    let (arn, stack_arn) = (
        found.change_set_id.unwrap_or_default(),
        found.stack_id.unwrap_or_default(),
    );
    if !delete(cloud, &stack_arn, &arn).await? {
        return Ok(Undone::GoesOn(change_of(&stack_arn)));
    }
    // As it could be deleted, nobody has filled the stack with it.
    match read::describe(cloud, &stack_arn).await? {
        Some(stack) if purpose == Purpose::Create && stack.state() == StackState::InReview => {
            delete_shell(cloud, &stack_arn).await.map(|()| Undone::Gone)
        }
        Some(stack) if stack.state() == StackState::InProgress => Ok(Undone::GoesOn(change_of(&stack_arn))),
        _ => Ok(Undone::Gone),
    }
}

/// The change of the stack with this ARN, for the journal.
fn change_of(stack_arn: &str) -> String {
    under_way("change", read::name_of(stack_arn))
}

/// How the journal tells an operation that CloudFormation goes on with by itself.
pub(super) fn under_way(operation: &str, stack: &str) -> String {
    format!("the {operation} of the stack {stack}")
}

/// How long a request that was under way when its run ended may take to show.
const APPEARING: Duration = Duration::from_secs(2);

/// Deletes a change set. It stays, and `false` is returned, if it is being executed.
async fn delete(cloud: &Cloud, stack: &str, arn: &str) -> Result<bool> {
    let delete = cloud.cloudformation.delete_change_set();
    let delete = delete.stack_name(read::name_of(stack)).change_set_name(arn);
    let answer = delete.send().await;
    if answer
        .as_ref()
        .is_err_and(|error| code(error) == "InvalidChangeSetStatus")
    {
        return Ok(false);
    }
    gone(answer, || "could not delete a change set".to_owned()).map(|_| true)
}

/// Clears away a failed change set; a failed CREATE change set with the empty stack that it was made in, unless somebody
/// else has filled that meanwhile.
async fn clear(cloud: &Cloud, arn: &str, stack_arn: &str, purpose: Purpose) -> Result<()> {
    let is_shell = |stack: Stack| stack.state() == StackState::InReview;
    if purpose == Purpose::Update || !read::describe(cloud, stack_arn).await?.is_some_and(is_shell) {
        delete(cloud, stack_arn, arn).await?;
        return Ok(());
    }
    delete_shell(cloud, stack_arn).await
}

async fn delete_shell(cloud: &Cloud, stack_arn: &str) -> Result<()> {
    cloud
        .cloudformation
        .delete_stack()
        .stack_name(stack_arn)
        .client_request_token(fresh_token())
        .send()
        .await
        .map(|_| ())
        .map_err(|error| explain(error, "could not remove the empty stack that a failed change set left"))
}

/// Starts a change set. Returns the token that the operation's events carry, all of them after `bookmark`, and what stands
/// for the operation in the run's journal as long as it is followed.
pub(crate) async fn execute(cloud: &Cloud, change_set: ChangeSet, bookmark: &Bookmark) -> Result<(String, Operation)> {
    let token = fresh_token();
    let mut request = cloud
        .cloudformation
        .execute_change_set()
        .stack_name(read::name_of(&change_set.stack_arn))
        .change_set_name(&change_set.arn)
        .client_request_token(&token);
    if change_set.mode != Mode::Express {
        // Beside a deployment config, both of these are refused or said to be.
        request = request
            // The API reference gives "true" as its default.
            .disable_rollback(false)
            // Resources that a failed operation has just made go with its rollback, whatever their deletion policy: else
            // the next try finds their names taken.
            .retain_except_on_create(true);
    }
    let arn = change_set.stack_arn.as_str();
    let what = || format!("could not start the change to {arn}");
    let answer = request.send().await;
    // Of two change sets of a stack the first that is executed makes the other obsolete, or takes it away.
    let is_obsolete = |error| ["ChangeSetNotFound", "InvalidChangeSetStatus"].contains(&code(error));
    let obsolete = answer.as_ref().is_err_and(is_obsolete);
    if let Err(error) = begun::operation(cloud, arn, &token, bookmark, answer, what).await {
        return Err(if obsolete {
            another_executes(arn).cause(error)
        } else {
            error
        });
    }
    let operation = cloud.journal.operation(change_of(arn)).await;
    operation.has_begun();
    change_set.entry.done();
    Ok((token, operation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_types_are_read_from_the_refusal() {
        let message = "Template format error: Unrecognized resource types: [AWS::A::B, AWS::C::D]";
        assert_eq!(
            unknown_types(message),
            Some(vec!["AWS::A::B".to_owned(), "AWS::C::D".to_owned()])
        );
        assert_eq!(unknown_types("Template format error: something else"), None);
    }

    /// No emulator has drift-aware change sets.
    #[test]
    fn a_change_set_says_how_it_is_to_be_carried_out() {
        let config = aws_sdk_cloudformation::Config::builder().behavior_version_latest();
        let client = aws_sdk_cloudformation::Client::from_conf(config.build());
        let asked = |mode| {
            let request = in_mode(client.create_change_set(), mode);
            let input = request.as_input();
            let config = input.get_deployment_config().clone();
            let express = config.map(|config| (config.mode().cloned(), config.disable_rollback()));
            (input.get_deployment_mode().clone(), express)
        };
        assert_eq!(asked(Mode::Standard), (None, None));
        let express = (Some(DeploymentConfigMode::Express), Some(false));
        assert_eq!(asked(Mode::Express), (None, Some(express)));
        // The two aren't combined.
        assert_eq!(asked(Mode::RevertDrift), (Some(DeploymentMode::RevertDrift), None));
    }

    #[test]
    fn a_state_in_the_way_is_no_fault_of_the_template() {
        let busy = "Stack:arn:aws:cloudformation:eu-central-1:1:stack/a/b is in UPDATE_IN_PROGRESS state and can not be updated.";
        assert_eq!(state_in_the_way(busy), Some(ErrorKind::StackBusy));
        let blocked = busy.replace("UPDATE_IN_PROGRESS", "ROLLBACK_FAILED");
        assert_eq!(state_in_the_way(&blocked), Some(ErrorKind::StackBlocked));
        let made = "Stack [a] already exists and cannot be created again with the changeSet [b].";
        assert_eq!(state_in_the_way(made), Some(ErrorKind::ChangedMeanwhile));
        let fault = "Template error: the value is in no state to be used";
        assert_eq!(state_in_the_way(fault), None);
    }

    #[test]
    fn both_wordings_of_no_change_are_known() {
        assert!(means_no_changes(
            "The submitted information didn't contain changes. Submit different information to create a change set."
        ));
        assert!(means_no_changes("No updates are to be performed."));
        assert!(!means_no_changes(
            "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]"
        ));
        assert!(!means_no_changes(""));
    }
}
