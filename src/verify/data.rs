//! The table and its seed items.

use aws_sdk_dynamodb::types::{KeyType, ScalarAttributeType, SseStatus, TableStatus};

use super::{Finding, Problem, Subject, asked};
use crate::project::seed::KEY;
use crate::seeding;

/// Active, with `userId` as its key, encrypted.
pub(super) async fn table(subject: &Subject<'_>) -> Finding {
    let name = &subject.table_name;
    let answer = subject.cloud.dynamodb.describe_table().table_name(name).send().await;
    let answer = asked(answer, &format!("could not look at the table {name}"))?;
    let table = answer
        .table
        .unwrap_or_else(|| aws_sdk_dynamodb::types::TableDescription::builder().build());
    match table.table_status() {
        Some(TableStatus::Active | TableStatus::Updating) => {}
        Some(TableStatus::Creating) => return Err(Problem::pending(format!("the table {name} is being created"))),
        other => {
            return Err(Problem::failed(
                format!(
                    "the table {name} is {}",
                    other.map_or("in no state", TableStatus::as_str)
                ),
                "DynamoDB's console says why. Run `deployer up` when it is ACTIVE again.",
            ));
        }
    }
    let is_key = match table.key_schema() {
        [only] => {
            only.attribute_name() == KEY
                && *only.key_type() == KeyType::Hash
                && table.attribute_definitions().iter().any(|attribute| {
                    attribute.attribute_name() == KEY && *attribute.attribute_type() == ScalarAttributeType::S
                })
        }
        _ => false,
    };
    if !is_key {
        return Err(Problem::failed(
            format!("the key of the table {name} isn't the text `{KEY}` alone"),
            "Restore AttributeDefinitions and KeySchema in stacks/data.yaml. A key can't be changed in place: choose \
             another tableName in stacks/stages.yaml, run `deployer up`, and move the items.",
        ));
    }
    // No description means encryption with a key of AWS's own, which every table has at least.
    let encryption = match table.sse_description().and_then(|sse| sse.status()) {
        None => "with AWS's own key",
        Some(SseStatus::Enabled | SseStatus::Updating | SseStatus::Enabling) => "with a KMS key",
        Some(other) => {
            return Err(Problem::failed(
                format!("the encryption of the table {name} is {}", other.as_str()),
                "Look at the table's KMS key: it may be disabled or about to be deleted.",
            ));
        }
    };
    Ok(format!("{name} is active, keyed by {KEY}, encrypted {encryption}"))
}

/// All there.
pub(super) async fn seed_items(subject: &Subject<'_>) -> Finding {
    let there = seeding::present(subject.cloud, &subject.table_name, &subject.items).await?;
    let missing = || subject.items.iter().filter(|item| !there.contains(&item.key));
    match missing().next() {
        None => Ok(format!("all {} are in {}", subject.items.len(), subject.table_name)),
        Some(first) => Err(Problem::failed(
            format!(
                "{} of {} items aren't in {}, `{}` among them",
                missing().count(),
                subject.items.len(),
                subject.table_name,
                first.key
            ),
            "`deployer seed` puts them there.",
        )),
    }
}
