//! Tables are encrypted, recoverable, protected from deletion and shared as their templates say.

use aws_sdk_dynamodb::types::{PointInTimeRecoveryStatus, SseStatus};
use serde_json::Value;

use crate::cloud::sdk_error::code;
use crate::project::tables::TABLES;
use crate::text::quoted_for_shell;
use crate::verify::documents::difference;
use crate::verify::expected::Expected;
use crate::verify::layer::Layer;
use crate::verify::stage::{Resource, Stage};
use crate::verify::{Check, Finding, Look, Problem, Round, asked};

pub(super) struct TableProtection;

impl Check for TableProtection {
    fn id(&self) -> &'static str {
        "table-protection"
    }

    fn layer(&self) -> Layer {
        Layer::Data
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        stage
            .resources_of(TABLES)
            .map(|table| Look::of(table, move |round| look(stage, table, round)))
            .collect()
    }
}

async fn look(stage: &Stage<'_>, table: Resource<'_>, round: Round) -> Finding {
    let name = table.name;
    let is_wanted = |path: &[&str]| table.property(path).known_text().map(|text| text == "true");
    let deletion = is_wanted(&["DeletionProtectionEnabled"]);
    let recovery = is_wanted(&["PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"]);
    let backups = async {
        if recovery.is_none() {
            return Ok(None);
        }
        let backups = table.cloud().dynamodb.describe_continuous_backups();
        let answer = backups.table_name(name).send().await;
        asked(answer, &format!("could not look at the backups of the table {name}")).map(Some)
    };
    let (live, backups, policy) = tokio::try_join!(stage.table(table, round), backups, policy(stage, table, round))?;
    let mut told = Vec::new();
    if let Some(wanted) = deletion {
        let is = live.deletion_protection_enabled() == Some(true);
        if is != wanted {
            return Err(differs(table, "deletion protection", is));
        }
        told.push(on_or_off("deletion protection", is));
    }
    if let (Some(wanted), Some(answer)) = (recovery, backups) {
        let status = answer
            .continuous_backups_description()
            .and_then(|backups| backups.point_in_time_recovery_description())
            .and_then(|recovery| recovery.point_in_time_recovery_status());
        let is = status == Some(&PointInTimeRecoveryStatus::Enabled);
        // An emulator's stacks leave it off, whatever their templates say.
        if wanted && !is && !table.cloud().endpoint.is_aws() {
            told.push("point-in-time recovery wanted, which only AWS switches on".to_owned());
        } else if is != wanted {
            return Err(differs(table, "point-in-time recovery", is));
        } else {
            told.push(on_or_off("point-in-time recovery", is));
        }
    }
    // No description means encryption with a key of AWS's own, which every table has at least.
    let key = live.sse_description().and_then(|sse| sse.status());
    match key {
        None => told.push("encrypted with AWS's own key".to_owned()),
        Some(SseStatus::Enabled | SseStatus::Updating | SseStatus::Enabling) => {
            told.push("encrypted with a KMS key".to_owned());
        }
        Some(other) => {
            return Err(Problem::failed(
                format!("the encryption of the table {name} is {}", other.as_str()),
                "Look at the table's KMS key: it may be disabled or about to be deleted.",
            ));
        }
    }
    told.push(shared(table, policy.as_ref())?);
    Ok(format!("{name}: {}", told.join(", ")))
}

/// The policy that lets others in to the table, if it has one. The deployed role's own is looked at elsewhere.
async fn policy(stage: &Stage<'_>, table: Resource<'_>, round: Round) -> Result<Option<Value>, Problem> {
    let arn = match table.arn() {
        Some(arn) => arn,
        None => stage.table(table, round).await?.table_arn.unwrap_or_default(),
    };
    let what = format!("could not read the policy of the table {}", table.name);
    let answer = table
        .cloud()
        .dynamodb
        .get_resource_policy()
        .resource_arn(arn)
        .send()
        .await;
    let text = match answer {
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|e| e.is_policy_not_found_exception()) =>
        {
            return Ok(None);
        }
        // An emulator that has none can't have one.
        Err(error) if code(&error) == "UnknownOperationException" && !table.cloud().endpoint.is_aws() => {
            return Ok(None);
        }
        answer => asked(answer, &what)?.policy,
    };
    let Some(text) = text else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        Problem::failed(
            format!("the policy of the table {} isn't JSON: {error}", table.name),
            table.restore(),
        )
    })
}

/// Compares the policy with the template's, in words.
fn shared(table: Resource<'_>, live: Option<&Value>) -> Finding {
    let name = table.name;
    match (wanted_policy(table), live) {
        (Expected::Unknown, _) => Ok("whether it has a policy only CloudFormation knows".to_owned()),
        (Expected::Absent, None) => Ok("no policy".to_owned()),
        (Expected::Absent, Some(live)) => Err(Problem::failed(
            format!("the table {name} has a policy that no template has: {live}"),
            format!(
                "`aws dynamodb delete-resource-policy --resource-arn {}` takes it away.",
                quoted_for_shell(&table.arn().unwrap_or_else(|| name.to_owned()))
            ),
        )),
        // An emulator's stacks leave it off.
        (_, None) if !table.cloud().endpoint.is_aws() => Ok("a policy wanted, which only AWS gives it".to_owned()),
        (_, None) => Err(Problem::failed(
            format!("the table {name} has no policy, and the template has one"),
            table.restore(),
        )),
        (wanted, Some(live)) => match difference(&wanted, live) {
            None => Ok("the template's policy".to_owned()),
            Some(difference) => Err(Problem::failed(
                format!("the policy of the table {name} {difference}"),
                table.restore(),
            )),
        },
    }
}

/// What the template says of it; of a global table, what it says of the replica here.
fn wanted_policy(table: Resource<'_>) -> Expected {
    const PATH: [&str; 2] = ["ResourcePolicy", "PolicyDocument"];
    let replicas = table.property(&["Replicas"]);
    if replicas == Expected::Absent {
        return table.property(&PATH);
    }
    let is_here = |replica: &&Expected| {
        let region = replica.get("Region");
        region.is_some_and(|region| region.matches_text(&table.cloud().region))
    };
    let replica = replicas.items().into_iter().find(is_here);
    let policy = replica.and_then(|replica| PATH.iter().try_fold(replica, |value, key| value.get(key)));
    policy.cloned().unwrap_or(Expected::Absent)
}

fn on_or_off(what: &str, is: bool) -> String {
    format!("{what} {}", if is { "on" } else { "off" })
}

fn differs(table: Resource<'_>, what: &str, is: bool) -> Problem {
    let wanted = if is { "off" } else { "on" };
    Problem::failed(
        format!(
            "{} of the table {}, and the template has it {wanted}",
            on_or_off(what, is),
            table.name
        ),
        table.restore(),
    )
}
