//! Termination protection: CloudFormation refuses to delete a stack that has it, whoever asks.

use super::protection;
use super::read::Stack;
use crate::cloud::Cloud;
use crate::cloud::sdk_error::explain;
use crate::error::Result;
use crate::project::template::Template;
use crate::report::Reporter;

/// Gives a stack what it is to have by now: on while it was deployed as a protected stage's and keeps data, off once it
/// isn't any more. Whoever lifts the stage's protection has been asked about it; what somebody else has switched on of a stage
/// that was never protected stays.
///
/// # Errors
/// CloudFormation can't be asked. An identity that may not switch it is warned.
pub(crate) async fn follow(
    cloud: &Cloud,
    before: Option<&Stack>,
    stack: &Stack,
    template: &Template,
    reporter: &Reporter,
) -> Result<()> {
    let wanted = stack.is_protected() && protection::keeps_data(template);
    let is_ours = wanted || before.is_some_and(Stack::is_protected);
    if wanted == stack.termination_protected || !is_ours {
        return Ok(());
    }
    match set(cloud, stack, wanted).await {
        Err(error) if wanted && error.is_access_denied() => {
            reporter.warn(format!(
                "{} has no termination protection: this identity may not switch it on \
                 (cloudformation:UpdateTerminationProtection)",
                stack.name
            ));
            Ok(())
        }
        done => done,
    }
}

/// Switches it on or off.
///
/// # Errors
/// CloudFormation can't be asked, or doesn't allow it.
pub(crate) async fn set(cloud: &Cloud, stack: &Stack, on: bool) -> Result<()> {
    let request = cloud.cloudformation.update_termination_protection();
    let request = request.stack_name(&stack.arn).enable_termination_protection(on);
    request.send().await.map(|_| ()).map_err(|error| {
        let word = if on { "on" } else { "off" };
        explain(
            error,
            &format!(
                "could not switch {word} the termination protection of the stack {}",
                stack.name
            ),
        )
    })
}
