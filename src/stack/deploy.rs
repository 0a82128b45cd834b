//! Bringing a stack to what the project wants: planned first, applied later.

use super::change::{Action, Mode, Replacement, ResourceChange, StackAction, StackPlan};
use super::change_set::{self, ChangeSet, Purpose};
use super::desired::{DesiredStack, Rendered};
use super::events::ResourceEvent;
use super::read::{self, Bookmark, Stack};
use super::remove::{Data, StackToRemove};
use super::status::{self, Severity, StackState};
use super::{begun, follow, remove, values};
use crate::cloud::Cloud;
use crate::error::{Error, ErrorKind, Result};
use crate::ident::fresh_token;
use crate::project::tables::TABLES;
use crate::project::template::Template;
use crate::report::Reporter;

/// A plan and what it takes to carry it out.
#[derive(Debug)]
pub(crate) struct Planned {
    /// For people.
    pub plan: StackPlan,
    /// The template that the stack was made from, if it had to be looked at.
    pub deployed: Option<Template>,
    /// The digest of what was planned: when it turns out otherwise, plan again.
    digest: String,
    /// The types that the emulator doesn't know, which it goes without; none if that couldn't be asked yet.
    left_out: Option<Vec<String>>,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Nothing(Stack),
    Create,
    /// The remains of a failed creation go first.
    Recreate(Stack),
    Update(Stack, ChangeSet, Bookmark),
    /// No resource changes, but outputs do or what the stack says of itself. AWS makes change sets of that.
    Outputs(Stack),
}

/// Finds out what bringing `existing` to `wanted` would change. Makes a change set if the stack exists and differs;
/// changes nothing else.
///
/// # Errors
/// The stack is in a state that only its owner can end, or CloudFormation refuses the template.
pub(crate) async fn plan(
    cloud: &Cloud,
    wanted: &DesiredStack,
    existing: Option<Stack>,
    reporter: &Reporter,
) -> Result<Planned> {
    let digest = wanted.digest();
    let may_be_current = wanted.mode != Mode::RevertDrift && !wanted.depends_on_outside();
    let is_current = |stack: &Stack| may_be_current && stack.digest() == Some(&digest);
    let left_out = match &existing {
        // AWS looks at an update itself as its change set is made.
        Some(stack) if cloud.endpoint.is_aws() || is_current(stack) => Some(Vec::new()),
        // It is looked at once its bucket is made.
        None if wanted.lacks_bucket() => None,
        _ => Some(looked_at(cloud, wanted, reporter).await?),
    };
    let wanted = &wanted.without(left_out.as_deref().unwrap_or_default());
    let addition = |verdict, step| Found::new(verdict, wanted.additions(&cloud.pseudo_parameters()), step);
    let found = match existing {
        None => addition(StackAction::Create, Step::Create),
        Some(stack) => match stack.state() {
            StackState::Deleted | StackState::InReview => addition(StackAction::Create, Step::Create),
            StackState::RolledBack => addition(StackAction::Recreate, Step::Recreate(stack)),
            StackState::Ready if is_current(&stack) => {
                Found::new(StackAction::Unchanged, Vec::new(), Step::Nothing(stack))
            }
            StackState::Ready => plan_update(cloud, wanted, stack).await?,
            StackState::RollbackFailed => {
                let stack = finish_rollback(cloud, wanted, stack, reporter).await?;
                plan_update(cloud, wanted, stack).await?
            }
            StackState::InProgress | StackState::UpdateFailed | StackState::DeleteFailed => {
                return Err(unusable(&stack));
            }
        },
    };
    Ok(Planned {
        plan: StackPlan {
            id: wanted.id.clone(),
            name: wanted.name.clone(),
            verdict: found.verdict,
            changes: found.changes,
            lifted: found.lifted,
        },
        deployed: found.deployed,
        digest,
        left_out,
        step: found.step,
    })
}

/// Lets CloudFormation look at the template. Returns the types that an emulator goes without, and says so.
async fn looked_at(cloud: &Cloud, wanted: &DesiredStack, reporter: &Reporter) -> Result<Vec<String>> {
    let left_out = change_set::validate(cloud, &wanted.name, &wanted.render()?).await?;
    if !left_out.is_empty() {
        reporter.warn(format!(
            "{} goes without its resources of the types that the emulator doesn't know, and whatever refers to them: {}",
            wanted.name,
            left_out.join(", ")
        ));
    }
    Ok(left_out)
}

/// What is to be done with a stack.
struct Found {
    verdict: StackAction,
    changes: Vec<ResourceChange>,
    /// What protects its data as it is deployed and won't any more.
    lifted: Vec<String>,
    /// The template that it was made from, if it was looked at.
    deployed: Option<Template>,
    step: Step,
}

impl Found {
    fn new(verdict: StackAction, changes: Vec<ResourceChange>, step: Step) -> Self {
        Self {
            verdict,
            changes,
            lifted: Vec::new(),
            deployed: None,
            step,
        }
    }
}

/// What is to be done with a stack that is there.
async fn plan_update(cloud: &Cloud, wanted: &DesiredStack, stack: Stack) -> Result<Found> {
    let rendered = wanted.render()?;
    // By ARN: another stack may have got the name since this one was looked at.
    let make = async |mode| change_set::create(cloud, &stack.arn, &rendered, Purpose::Update, mode).await;
    // Making a change set writes no event: what comes after this is of its execution, or of somebody else's.
    let (made, deployed, bookmark) = tokio::join!(
        make(wanted.mode),
        read::deployed_template(cloud, &stack.arn),
        read::bookmark(cloud, &stack.arn)
    );
    let mut made = made?;
    let (deployed, bookmark) = match (deployed, bookmark) {
        (Ok(deployed), Ok(bookmark)) => (deployed, bookmark),
        (Err(error), _) | (_, Err(error)) => {
            // Nobody gets this plan, so what was made for it goes.
            if let Some(made) = made {
                let _ = change_set::discard(cloud, made).await;
            }
            return Err(error);
        }
    };
    // Express mode doesn't wait for what is removed or replaced, and what is made after it may need it gone. And it has been
    // seen to make a table's new index twice, which no later update recovers from.
    // https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2536
    let is_table = |change: &ResourceChange| TABLES.contains(&change.resource_type.as_str());
    let needs_waiting =
        |change: &ResourceChange| change.leaves() || change.action == Action::Modify && is_table(change);
    let is_slow = |made: &mut ChangeSet| made.changes.iter().any(needs_waiting);
    if wanted.mode == Mode::Express
        && let Some(express) = made.take_if(is_slow)
    {
        change_set::discard(cloud, express).await?;
        made = make(Mode::Standard).await?;
    }
    // CloudFormation tells a conditional replacement only where it has looked into the property's schema; an emulator says so
    // of everything.
    let replaces = |change: &ResourceChange| match change.replacement {
        Replacement::Always => true,
        Replacement::Perhaps => cloud.endpoint.is_aws(),
        Replacement::Never => false,
    };
    let found = made.as_ref().map(|made| made.changes.as_slice());
    if let Some(anew) = wanted.render_redeploying(found.unwrap_or_default(), replaces)?
        && let Some(stale) = made.take()
    {
        let mode = stale.mode;
        change_set::discard(cloud, stale).await?;
        made = change_set::create(cloud, &stack.arn, &anew, Purpose::Update, mode).await?;
    }
    let found = match made {
        // An emulator compares texts, whatever stands behind what they look up.
        None if !cloud.endpoint.is_aws()
            && (stack.digest() != Some(&wanted.digest()) || wanted.depends_on_outside()) =>
        {
            Found::new(StackAction::Update, Vec::new(), Step::Outputs(stack))
        }
        None => Found::new(StackAction::Unchanged, Vec::new(), Step::Nothing(stack)),
        Some(made) => {
            let pseudo_parameters = cloud.pseudo_parameters();
            let mut changes = made.changes.clone();
            wanted.beside(&deployed, &stack.parameters, &pseudo_parameters, |before, after| {
                values::explain(&mut changes, before, after);
            });
            Found {
                lifted: wanted.lifts(&deployed, &stack.parameters, &pseudo_parameters, &changes),
                ..Found::new(StackAction::Update, changes, Step::Update(stack, made, bookmark))
            }
        }
    };
    Ok(Found {
        deployed: Some(deployed),
        ..found
    })
}

impl Planned {
    /// Whether this plan is one for `wanted` as it is now.
    pub(crate) fn fits(&self, wanted: &DesiredStack) -> bool {
        self.digest == wanted.digest()
    }

    /// Whether carrying it out changes anything.
    pub(crate) fn changes_something(&self) -> bool {
        self.plan.verdict != StackAction::Unchanged
    }

    /// Gives the plan up; whatever was made for it is removed.
    pub(crate) async fn discard(self, cloud: &Cloud) -> Result<()> {
        match self.step {
            Step::Update(_, made, _) => change_set::discard(cloud, made).await,
            Step::Nothing(_) | Step::Create | Step::Recreate(_) | Step::Outputs(_) => Ok(()),
        }
    }
}

/// Carries a plan out and follows it to its end; `watch` sees each event as it comes.
///
/// # Errors
/// The operation failed (and was rolled back); the message has the resource that failed first, and why.
pub(crate) async fn apply(
    cloud: &Cloud,
    wanted: &DesiredStack,
    planned: Planned,
    reporter: &Reporter,
    mut watch: impl FnMut(&ResourceEvent),
) -> Result<Stack> {
    let left_out = match planned.left_out {
        Some(left_out) => left_out,
        None => looked_at(cloud, wanted, reporter).await?,
    };
    let wanted = &wanted.without(&left_out);
    match planned.step {
        Step::Nothing(stack) => Ok(stack),
        Step::Create => create(cloud, wanted, reporter, watch).await,
        Step::Recreate(stack) => {
            reporter.working(wanted.id.as_str(), format!("removing the failed {} first", stack.name));
            let (resources, template) = tokio::try_join!(
                read::resources(cloud, &stack.arn),
                read::deployed_template(cloud, &stack.arn)
            )?;
            let to_remove = StackToRemove {
                stack: &stack,
                resources: &resources,
                template: Some(&template),
            };
            remove::stack(cloud, &wanted.id, to_remove, Data::IfEmpty, reporter).await?;
            create(cloud, wanted, reporter, watch).await
        }
        Step::Update(stack, made, bookmark) if made.changes.iter().any(ResourceChange::removes_api_definition) => {
            // CloudFormation removes what left the template only after it took the new deployment's snapshot, which
            // then still has it. So the definition changes first, and the snapshot is taken after it.
            let mode = made.mode;
            change_set::discard(cloud, made).await?;
            let deployed = read::deployed_template(cloud, &stack.arn).await?;
            let first = wanted.render_keeping_deployment(&deployed)?;
            let make = async |rendered: &Rendered| {
                change_set::create(cloud, &stack.arn, rendered, Purpose::Update, mode).await
            };
            let mut latest = stack.clone();
            if let Some(made) = make(&first).await? {
                latest = execute(cloud, wanted, made, bookmark, reporter, &mut watch).await?;
            }
            match make(&wanted.render()?).await? {
                Some(made) => {
                    let bookmark = read::bookmark(cloud, &latest.arn).await?;
                    execute(cloud, wanted, made, bookmark, reporter, &mut watch).await
                }
                None if latest.digest() == Some(&*wanted.digest()) => Ok(latest),
                // Only its outputs are left to change.
                None => update(cloud, wanted, latest, reporter, watch).await,
            }
        }
        Step::Update(_, made, bookmark) => execute(cloud, wanted, made, bookmark, reporter, watch).await,
        Step::Outputs(stack) => update(cloud, wanted, stack, reporter, watch).await,
    }
}

/// Updates a stack without a change set, which an emulator makes of changed resources only.
async fn update(
    cloud: &Cloud,
    wanted: &DesiredStack,
    stack: Stack,
    reporter: &Reporter,
    watch: impl FnMut(&ResourceEvent),
) -> Result<Stack> {
    let bookmark = read::bookmark(cloud, &stack.arn).await?;
    let operation = cloud
        .journal
        .operation(change_set::under_way("update", &wanted.name))
        .await;
    let Some(token) = change_set::update_directly(cloud, &stack.arn, &wanted.render()?, &bookmark).await? else {
        return Ok(stack);
    };
    operation.has_begun();
    ended_well(cloud, wanted, &stack.arn, &token, bookmark, reporter, watch).await
}

async fn create(
    cloud: &Cloud,
    wanted: &DesiredStack,
    reporter: &Reporter,
    watch: impl FnMut(&ResourceEvent),
) -> Result<Stack> {
    reporter.working(wanted.id.as_str(), format!("creating {}", wanted.name));
    let rendered = wanted.render()?;
    // Of what isn't there nothing can have drifted.
    let mode = match wanted.mode {
        Mode::RevertDrift => Mode::Standard,
        mode => mode,
    };
    let made = change_set::create(cloud, &wanted.name, &rendered, Purpose::Create, mode)
        .await?
        .ok_or_else(|| Error::failed(format!("CloudFormation finds nothing to create in {}", wanted.name)))?;
    // All that a new stack tells is of this.
    execute(cloud, wanted, made, Bookmark::default(), reporter, watch).await
}

async fn execute(
    cloud: &Cloud,
    wanted: &DesiredStack,
    made: ChangeSet,
    bookmark: Bookmark,
    reporter: &Reporter,
    watch: impl FnMut(&ResourceEvent),
) -> Result<Stack> {
    let arn = made.stack_arn.clone();
    let (token, _operation) = change_set::execute(cloud, made, &bookmark).await?;
    ended_well(cloud, wanted, &arn, &token, bookmark, reporter, watch).await
}

/// Follows an operation to its end, which must be a good one.
async fn ended_well(
    cloud: &Cloud,
    wanted: &DesiredStack,
    arn: &str,
    token: &str,
    bookmark: Bookmark,
    reporter: &Reporter,
    watch: impl FnMut(&ResourceEvent),
) -> Result<Stack> {
    let ended = follow::to_end(cloud, &wanted.id, arn, token, bookmark, reporter, watch).await?;
    if status::of_stack(&ended.status).severity != Severity::Good {
        return Err(follow::failure(&wanted.name, &ended, |error, cause| {
            wanted.point(error, cause)
        }));
    }
    follow::in_status(cloud, arn, &ended.status).await
}

/// A rollback that failed is continued: it leads back to the last good state and loses nothing.
async fn finish_rollback(cloud: &Cloud, wanted: &DesiredStack, stack: Stack, reporter: &Reporter) -> Result<Stack> {
    reporter.working(
        wanted.id.as_str(),
        format!("{} is in {}: finishing its rollback", stack.name, stack.status),
    );
    let bookmark = read::bookmark(cloud, &stack.arn).await?;
    let token = fresh_token();
    let operation = cloud
        .journal
        .operation(change_set::under_way("rollback", &stack.name))
        .await;
    let answer = cloud
        .cloudformation
        .continue_update_rollback()
        .stack_name(&stack.arn)
        .client_request_token(&token)
        .send()
        .await;
    let what = || format!("could not continue the rollback of {}", stack.name);
    begun::operation(cloud, &stack.arn, &token, &bookmark, answer, what).await?;
    operation.has_begun();
    let ended = follow::to_end(cloud, &wanted.id, &stack.arn, &token, bookmark, reporter, |_| {}).await?;
    if status::of_stack(&ended.status).state != StackState::Ready {
        return Err(follow::failure(&stack.name, &ended, |error, cause| {
            wanted.point(error, cause)
        }));
    }
    follow::in_status(cloud, &stack.arn, &ended.status).await
}

fn unusable(stack: &Stack) -> Error {
    let error = Error::new(
        ErrorKind::StackBlocked,
        format!("the stack {} is in {}", stack.name, stack.status),
    );
    let error = match &stack.reason {
        Some(reason) => error.cause(reason.as_str()),
        None => error,
    };
    error.hint(match stack.state() {
        StackState::DeleteFailed => "A deletion didn't finish. Run `deployer down` until it does, then `deployer up`.",
        StackState::UpdateFailed => {
            "An operation with rollback disabled failed, and `deployer` never starts one. Roll it back with `aws \
             cloudformation rollback-stack`, or remove the stage with `deployer down`."
        }
        _ => "Another operation has just begun. Run the same command again.",
    })
}
