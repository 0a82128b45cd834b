//! `deployer status`: the stage's stacks and URLs.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anstyle::AnsiColor;
use serde::Serialize;

use crate::context::Context;
use crate::error::Result;
use crate::project::Tier;
use crate::report::{Outcome, Paint};
use crate::stack::ownership;
use crate::stack::read::Stack;
use crate::stack::status::{Meaning, Outlook};

/// What is deployed of a stage.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageStatus {
    /// The project's name.
    pub project: String,
    /// The stage's name.
    pub stage: String,
    /// The region.
    pub region: String,
    /// Whether all four stacks are there and as they should be.
    pub deployed: bool,
    /// The stacks that exist.
    pub stacks: Vec<StackStatus>,
    /// Names and addresses; null where the stack that knows isn't there.
    pub outputs: Outputs,
}

/// One stack's state.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StackStatus {
    /// The tier.
    pub tier: Tier,
    /// The stack's name.
    pub name: String,
    /// As CloudFormation spells it.
    pub status: String,
    /// Why, where CloudFormation says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whose it is, if it isn't this stage's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign: Option<String>,
    /// When it was created or last changed, RFC 3339 in UTC.
    pub last_changed: Option<String>,
    #[serde(skip)]
    outlook: Option<Outlook>,
    #[serde(skip)]
    age: Option<String>,
}

/// Names and addresses of what is deployed.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outputs {
    /// Where the site is.
    pub site_url: Option<String>,
    /// Where the API is, its path included.
    pub api_url: Option<String>,
    /// The site's bucket.
    pub site_bucket: Option<String>,
    /// The distribution's id.
    pub distribution_id: Option<String>,
    /// The table's name.
    pub table_name: Option<String>,
    /// The function's name.
    pub function_name: Option<String>,
    /// The API's id.
    pub api_id: Option<String>,
}

/// Runs the command.
pub async fn run(context: &Context<'_>) -> Result<()> {
    context.reporter.outcome(&read_stage(context).await?)
}

/// Reads the four stacks side by side.
pub async fn read_stage(context: &Context<'_>) -> Result<StageStatus> {
    Ok(summarize(context, &context.stacks().await?))
}

/// What `stacks` tell of the stage.
pub fn summarize(context: &Context<'_>, stacks: &BTreeMap<Tier, Stack>) -> StageStatus {
    let own: BTreeMap<Tier, &Stack> = stacks
        .iter()
        .filter(|(_, stack)| foreign(context, stack).is_none())
        .map(|(tier, stack)| (*tier, stack))
        .collect();
    let output = |tier: Tier, key: &str| own.get(&tier).and_then(|stack| stack.outputs.get(key).cloned());
    let api_id = output(Tier::Logic, "ApiId");
    let origin =
        output(Tier::Presentation, "DistributionDomain").map(|domain| context.cloud.endpoint.site_origin(&domain));
    StageStatus {
        project: context.project.name.clone(),
        stage: context.project.stage.name.clone(),
        region: context.cloud.region.clone(),
        deployed: Tier::ALL.iter().all(|tier| {
            own.get(tier)
                .is_some_and(|stack| stack.meaning().meaning == Meaning::Ready)
        }),
        stacks: stacks
            .iter()
            .map(|(tier, stack)| stack_status(*tier, stack, foreign(context, stack)))
            .collect(),
        outputs: Outputs {
            site_url: origin.map(|origin| format!("{origin}/")),
            api_url: own.get(&Tier::Logic).and_then(|stack| context.api_url(stack).ok()),
            site_bucket: output(Tier::Presentation, "SiteBucket"),
            distribution_id: output(Tier::Presentation, "DistributionId"),
            table_name: output(Tier::Data, "TableName"),
            function_name: output(Tier::Logic, "FunctionName"),
            api_id,
        },
    }
}

/// Whose a stack of one of the stage's names is, if it is somebody else's.
fn foreign(context: &Context<'_>, stack: &Stack) -> Option<String> {
    ownership::owner(stack, &context.project).other()
}

fn stack_status(tier: Tier, stack: &Stack, foreign: Option<String>) -> StackStatus {
    StackStatus {
        tier,
        name: stack.name.clone(),
        status: stack.status.clone(),
        reason: stack.reason.clone(),
        foreign,
        last_changed: stack.changed.map(rfc3339),
        outlook: Some(stack.meaning().outlook),
        age: stack.changed.map(|then| age(then, SystemTime::now())),
    }
}

fn rfc3339(time: SystemTime) -> String {
    aws_smithy_types::DateTime::from(time)
        .fmt(aws_smithy_types::date_time::Format::DateTime)
        .unwrap_or_default()
}

/// "3 minutes ago": the largest unit alone is what one wants to know.
fn age(then: SystemTime, now: SystemTime) -> String {
    let seconds = now.duration_since(then).map_or(0, |age| age.as_secs());
    let (count, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

impl Outcome for StageStatus {
    fn text(&self, paint: &Paint) -> String {
        let heading = format!("{} {} in {}", self.project, self.stage, self.region);
        let mut text = format!("{}\n", paint.bold(&heading));
        if self.stacks.is_empty() {
            text.push_str(&format!(
                "Nothing is deployed. `deployer up --stage {}` deploys it.\n",
                self.stage
            ));
            return text;
        }
        for stack in &self.stacks {
            let (color, symbol) = match stack.outlook {
                Some(Outlook::Good) => (AnsiColor::Green, "✓"),
                Some(Outlook::Busy) => (AnsiColor::Yellow, "…"),
                _ => (AnsiColor::Red, "✗"),
            };
            text.push_str(&format!(
                "  {} {:12} {} {}\n",
                paint.color(color, symbol),
                stack.tier,
                paint.color(color, &stack.status),
                paint.dim(stack.age.as_deref().unwrap_or_default())
            ));
            if let Some(reason) = &stack.reason {
                text.push_str(&format!("      {reason}\n"));
            }
            if let Some(whose) = &stack.foreign {
                let problem = format!("{} isn't this stage's: {whose}", stack.name);
                text.push_str(&format!("      {}\n", paint.color(AnsiColor::Red, &problem)));
            }
        }
        for tier in Tier::ALL {
            if !self.stacks.iter().any(|stack| stack.tier == tier) {
                text.push_str(&format!(
                    "  {} {tier:12} {}\n",
                    paint.dim("·"),
                    paint.dim("not deployed")
                ));
            }
        }
        for (name, value) in [
            ("site", &self.outputs.site_url),
            ("api", &self.outputs.api_url),
            ("table", &self.outputs.table_name),
            ("function", &self.outputs.function_name),
        ] {
            if let Some(value) = value {
                let shown = if name == "api" {
                    format!("{value}?userId=1")
                } else {
                    value.clone()
                };
                text.push_str(&format!("{name:>10}  {}\n", paint.bold(&shown)));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ages_are_said_in_their_largest_unit() {
        let now = SystemTime::now();
        for (seconds, expected) in [
            (3, "just now"),
            (60, "1 minute ago"),
            (3_700, "1 hour ago"),
            (200_000, "2 days ago"),
        ] {
            assert_eq!(age(now - Duration::from_secs(seconds), now), expected);
        }
    }
}
