//! Tables are encrypted, recoverable and protected from deletion as their templates say.

use aws_sdk_dynamodb::types::{PointInTimeRecoveryStatus, SseStatus};

use crate::project::tables::TABLES;
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
    let (live, backups) = tokio::try_join!(stage.table(table, round), backups)?;
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
    Ok(format!("{name}: {}", told.join(", ")))
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
