//! `deployer diagnose`: why the last operation on a stack failed, whoever started it, and what to do about it.

use anstyle::AnsiColor;
use futures::future::try_join_all;
use serde::Serialize;

use crate::context::{Context, Session};
use crate::error::Result;
use crate::project::stacks::StackId;
use crate::report::{CommandResult, Paint};
use crate::stack::events::{self, ResourceEvent};
use crate::stack::follow::{self, Ended};
use crate::stack::ownership::Adoption;
use crate::stack::read::{self, Stack};
use crate::stack::status::{Severity, StackState};

/// Runs the command. It reads, and changes nothing.
pub(crate) async fn run(session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let context = &Context::connect(super::open(global, reporter)?, session).await?;
    let stacks = context.own_stacks(Adoption::default()).await?;
    let looked = try_join_all(stacks.iter().map(async |(id, stack)| look(context, id, stack).await));
    reporter.result(&Diagnosis {
        stage: context.project.stage.name.clone(),
        stacks: looked.await?,
    })
}

async fn look(context: &Context<'_>, id: &StackId, stack: &Stack) -> Result<StackDiagnosis> {
    let mut diagnosis = StackDiagnosis {
        id: id.clone(),
        name: stack.name.clone(),
        status: stack.status.clone(),
        reason: stack.reason.clone(),
        failure: None,
        next_steps: Vec::new(),
        severity: stack.severity(),
    };
    match (stack.state(), stack.severity()) {
        (StackState::InProgress, _) => {
            diagnosis.next_steps = vec!["`deployer up` waits until that has ended, then goes on.".to_owned()];
        }
        (_, Severity::Failed) => {
            let ended = Ended {
                status: stack.status.clone(),
                events: read::last_operation(context.cloud_of(id), id, &stack.arn).await?,
            };
            let cause = events::root_cause(&ended.events);
            diagnosis.failure = cause.map(|cause| failure(context, id, cause));
            diagnosis.next_steps = cause.and_then(events::advice).into_iter().collect();
            diagnosis.next_steps.extend(follow::stuck(&stack.name, &ended));
            if diagnosis.next_steps.is_empty() {
                diagnosis.next_steps = vec![usual(stack.state()).to_owned()];
            }
        }
        _ => {}
    }
    Ok(diagnosis)
}

fn failure(context: &Context<'_>, id: &StackId, cause: &ResourceEvent) -> Failure {
    let template = context.project.stack(id);
    let template = template.filter(|stack| stack.template.resource(&cause.logical_id).is_some());
    Failure {
        logical_id: cause.logical_id.clone(),
        resource_type: cause.resource_type.clone(),
        status: cause.status.clone(),
        reason: cause.reason.clone(),
        place: template.map(|stack| stack.place(&["Resources", &cause.logical_id]).to_string()),
    }
}

/// What to do where the reason doesn't tell.
fn usual(state: StackState) -> &'static str {
    match state {
        StackState::DeleteFailed => "Remove the cause, then run `deployer down` again.",
        StackState::RollbackFailed => "Remove the cause; `deployer up` continues the rollback, then updates.",
        StackState::UpdateFailed => "Roll it back with `aws cloudformation rollback-stack`, then run `deployer up`.",
        StackState::RolledBack => "Correct the cause; `deployer up` removes what is left of it, and creates it anew.",
        _ => "Nothing of the failed change has stayed. Correct the cause, then run `deployer up`.",
    }
}

#[derive(Serialize)]
struct Diagnosis {
    stage: String,
    stacks: Vec<StackDiagnosis>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StackDiagnosis {
    id: StackId,
    name: String,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What failed first, in the last operation; none if nothing did, or CloudFormation tells nothing of it.
    failure: Option<Failure>,
    next_steps: Vec<String>,
    #[serde(skip)]
    severity: Severity,
}

/// The resource that an operation failed for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    logical_id: String,
    #[serde(rename = "type")]
    resource_type: String,
    status: String,
    reason: Option<String>,
    /// "file:line:column", if it is in this project's template.
    place: Option<String>,
}

impl CommandResult for Diagnosis {
    fn text(&self, paint: &Paint) -> String {
        let mut text = String::new();
        if self.stacks.is_empty() {
            text.push_str(&format!("Nothing of the stage {} is deployed.\n", self.stage));
        }
        let width = self.stacks.iter().map(|stack| stack.id.as_str().chars().count()).max();
        let width = width.unwrap_or_default();
        for stack in &self.stacks {
            let (symbol, color) = match stack.severity {
                Severity::Failed => ("✗", AnsiColor::Red),
                Severity::Busy => ("…", AnsiColor::Yellow),
                Severity::Good | Severity::Gone => ("✓", AnsiColor::Green),
            };
            let status = paint.color(color, &stack.status);
            text.push_str(&format!(
                "  {} {:width$} {status}\n",
                paint.color(color, symbol),
                stack.id
            ));
            if let Some(failure) = &stack.failure {
                let reason = failure.reason.as_deref().unwrap_or("CloudFormation gives no reason");
                let (id, kind) = (paint.bold(&failure.logical_id), paint.dim(&failure.resource_type));
                text.push_str(&format!("      {id} {kind} {}: {reason}\n", failure.status));
                if let Some(place) = &failure.place {
                    text.push_str(&format!("      {place}\n"));
                }
            } else if let Some(reason) = &stack.reason {
                text.push_str(&format!("      {reason}\n"));
            }
            for step in &stack.next_steps {
                text.push_str(&format!("      {} {step}\n", paint.bold("next:")));
            }
        }
        text
    }
}
