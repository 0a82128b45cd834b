//! Bringing a stack to what the project wants: planned first, applied later.

use super::change::{Mode, ResourceChange, StackPlan, Verdict};
use super::change_set::{self, ChangeSet, Purpose};
use super::events::ResourceEvent;
use super::read::{self, Stack};
use super::remove::Data;
use super::status::{self, Meaning, Outlook};
use super::wanted::{Rendered, Wanted};
use super::{begun, follow, remove};
use crate::cloud::Cloud;
use crate::error::{Error, Result};
use crate::ident::fresh_token;
use crate::report::Reporter;

/// A plan and what it takes to carry it out.
#[derive(Debug)]
pub struct Planned {
    /// For people.
    pub plan: StackPlan,
    /// The digest of what was planned: when it turns out otherwise, plan again.
    digest: String,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Nothing(Stack),
    Create,
    /// The remains of a failed creation go first.
    Recreate(Stack),
    Update(Stack, ChangeSet),
}

/// Finds out what bringing `existing` to `wanted` would change. Makes a change set if the stack exists and differs;
/// changes nothing else.
///
/// # Errors
/// The stack is in a state that only its owner can end, or CloudFormation refuses the template.
pub async fn plan(cloud: &Cloud, wanted: &Wanted, existing: Option<Stack>, reporter: &Reporter) -> Result<Planned> {
    let digest = wanted.digest();
    let mut lifted = Vec::new();
    let (verdict, changes, step) = match existing {
        None => plan_creation(cloud, wanted).await?,
        Some(stack) => match stack.meaning().meaning {
            Meaning::Gone | Meaning::Shell => plan_creation(cloud, wanted).await?,
            Meaning::Dead => (Verdict::Recreate, wanted.additions(), Step::Recreate(stack)),
            Meaning::Ready if stack.digest() == Some(&digest) && wanted.mode != Mode::RevertDrift => {
                (Verdict::Unchanged, Vec::new(), Step::Nothing(stack))
            }
            Meaning::Ready => plan_update(cloud, wanted, stack).await?,
            Meaning::Wedged => {
                let stack = finish_rollback(cloud, wanted, stack, reporter).await?;
                plan_update(cloud, wanted, stack).await?
            }
            Meaning::Busy | Meaning::Halted | Meaning::HalfDeleted => return Err(unusable(&stack)),
        },
    };
    if let Step::Update(stack, made) = &step
        && wanted.holds_data()
    {
        lifted = match read::deployed_template(cloud, &stack.arn).await {
            Ok(deployed) => wanted.lifts(&deployed, &stack.parameters, &cloud.pseudo_parameters(), &made.changes),
            Err(error) => {
                // Nobody gets this plan, so what was made for it goes.
                let _ = change_set::delete(cloud, &made.arn).await;
                return Err(error);
            }
        };
    }
    Ok(Planned {
        plan: StackPlan {
            tier: wanted.tier,
            name: wanted.name.clone(),
            verdict,
            changes,
            lifted,
        },
        digest,
        step,
    })
}

async fn plan_creation(cloud: &Cloud, wanted: &Wanted) -> Result<(Verdict, Vec<ResourceChange>, Step)> {
    change_set::validate(cloud, &wanted.name, &wanted.render()?).await?;
    Ok((Verdict::Create, wanted.additions(), Step::Create))
}

async fn plan_update(cloud: &Cloud, wanted: &Wanted, stack: Stack) -> Result<(Verdict, Vec<ResourceChange>, Step)> {
    let rendered = wanted.render()?;
    // By ARN: another stack may have got the name since this one was looked at.
    let make = async |mode| change_set::create(cloud, &stack.arn, &rendered, Purpose::Update, mode).await;
    let mut made = make(wanted.mode).await?;
    if let Some(express) = &made
        && wanted.mode == Mode::Express
        && express.changes.iter().any(ResourceChange::leaves)
    {
        // Express mode doesn't wait for what is removed or replaced, and what is made after it may need it gone.
        change_set::delete(cloud, &express.arn).await?;
        made = make(Mode::Standard).await?;
    }
    Ok(match made {
        None => (Verdict::Unchanged, Vec::new(), Step::Nothing(stack)),
        Some(made) => (Verdict::Update, made.changes.clone(), Step::Update(stack, made)),
    })
}

impl Planned {
    /// Whether this plan is one for `wanted` as it is now.
    pub fn fits(&self, wanted: &Wanted) -> bool {
        self.digest == wanted.digest()
    }

    /// Whether carrying it out changes anything.
    pub fn changes_something(&self) -> bool {
        self.plan.verdict != Verdict::Unchanged
    }

    /// Gives the plan up; whatever was made for it is removed.
    pub async fn discard(&self, cloud: &Cloud) -> Result<()> {
        match &self.step {
            Step::Update(_, made) => change_set::delete(cloud, &made.arn).await,
            Step::Nothing(_) | Step::Create | Step::Recreate(_) => Ok(()),
        }
    }
}

/// Carries a plan out and follows it to its end; `watch` sees each event as it comes.
///
/// # Errors
/// The operation failed (and was rolled back); the message has the resource that failed first, and why.
pub async fn apply(
    cloud: &Cloud,
    wanted: &Wanted,
    planned: Planned,
    reporter: &Reporter,
    mut watch: impl FnMut(&ResourceEvent),
) -> Result<Stack> {
    match planned.step {
        Step::Nothing(stack) => Ok(stack),
        Step::Create => create(cloud, wanted, reporter, watch).await,
        Step::Recreate(stack) => {
            reporter.working(
                wanted.tier.as_str(),
                format!("removing the failed {} first", stack.name),
            );
            remove::stack(cloud, wanted.tier, &stack, Data::IfEmpty, reporter).await?;
            create(cloud, wanted, reporter, watch).await
        }
        Step::Update(stack, made) if made.changes.iter().any(ResourceChange::removes_api_definition) => {
            // CloudFormation removes what left the template only after it took the new deployment's snapshot, which
            // then still has it. So the definition changes first, and the snapshot is taken after it.
            change_set::delete(cloud, &made.arn).await?;
            let deployed = read::deployed_template(cloud, &stack.arn).await?;
            let first = wanted.render_keeping_deployment(&deployed)?;
            let mode = made.mode;
            let make = async |rendered: &Rendered| {
                change_set::create(cloud, &stack.arn, rendered, Purpose::Update, mode).await
            };
            if let Some(made) = make(&first).await? {
                execute(cloud, wanted, &made, reporter, &mut watch).await?;
            }
            match make(&wanted.render()?).await? {
                Some(made) => execute(cloud, wanted, &made, reporter, &mut watch).await,
                None => Ok(stack),
            }
        }
        Step::Update(_, made) => execute(cloud, wanted, &made, reporter, watch).await,
    }
}

async fn create(
    cloud: &Cloud,
    wanted: &Wanted,
    reporter: &Reporter,
    watch: impl FnMut(&ResourceEvent),
) -> Result<Stack> {
    reporter.working(wanted.tier.as_str(), format!("creating {}", wanted.name));
    let rendered = wanted.render()?;
    // Of what isn't there nothing can have drifted.
    let mode = match wanted.mode {
        Mode::RevertDrift => Mode::Standard,
        mode => mode,
    };
    let made = change_set::create(cloud, &wanted.name, &rendered, Purpose::Create, mode)
        .await?
        .ok_or_else(|| Error::failed(format!("CloudFormation finds nothing to create in {}", wanted.name)))?;
    execute(cloud, wanted, &made, reporter, watch).await
}

async fn execute(
    cloud: &Cloud,
    wanted: &Wanted,
    made: &ChangeSet,
    reporter: &Reporter,
    watch: impl FnMut(&ResourceEvent),
) -> Result<Stack> {
    let arn = made.stack_arn.as_str();
    let bookmark = read::bookmark(cloud, arn).await?;
    let token = change_set::execute(cloud, made, &bookmark).await?;
    let ended = follow::to_end(cloud, wanted.tier, arn, &token, bookmark, reporter, watch).await?;
    if status::of_stack(&ended.status).outlook != Outlook::Good {
        return Err(follow::failure(&wanted.name, &ended));
    }
    follow::in_status(cloud, arn, &ended.status).await
}

/// A rollback that failed is continued: it leads back to the last good state and loses nothing.
async fn finish_rollback(cloud: &Cloud, wanted: &Wanted, stack: Stack, reporter: &Reporter) -> Result<Stack> {
    reporter.working(
        wanted.tier.as_str(),
        format!("{} is in {}: finishing its rollback", stack.name, stack.status),
    );
    let bookmark = read::bookmark(cloud, &stack.arn).await?;
    let token = fresh_token();
    let answer = cloud
        .cloudformation
        .continue_update_rollback()
        .stack_name(&stack.arn)
        .client_request_token(&token)
        .send()
        .await;
    let what = || format!("could not continue the rollback of {}", stack.name);
    begun::operation(cloud, &stack.arn, &token, &bookmark, answer, what).await?;
    let ended = follow::to_end(cloud, wanted.tier, &stack.arn, &token, bookmark, reporter, |_| {}).await?;
    if status::of_stack(&ended.status).meaning != Meaning::Ready {
        return Err(follow::failure(&stack.name, &ended));
    }
    follow::in_status(cloud, &stack.arn, &ended.status).await
}

fn unusable(stack: &Stack) -> Error {
    let error = Error::failed(format!("the stack {} is in {}", stack.name, stack.status));
    let error = match &stack.reason {
        Some(reason) => error.because(reason),
        None => error,
    };
    error.hint(match stack.meaning().meaning {
        Meaning::HalfDeleted => "A deletion didn't finish. Run `deployer down` until it does, then `deployer up`.",
        Meaning::Halted => {
            "An operation with rollback disabled failed, and `deployer` never starts one. Roll it back with `aws \
             cloudformation rollback-stack`, or remove the stage with `deployer down`."
        }
        _ => "Another operation has just begun. Run the same command again.",
    })
}
