//! What is asked and done of a table itself, beside its stack: whether it is protected, whether it is empty, and the
//! deletion of one that a failed creation left.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_table::UpdateTableError;

use crate::cloud::Cloud;
use crate::cloud::repeated::gone;
use crate::cloud::sdk_error::found;
use crate::error::{Error, ErrorKind, Result};
use crate::wait::{Probe, until};

/// Whether a table has no items; one that isn't there has none.
pub(crate) async fn is_empty(cloud: &Cloud, name: &str) -> Result<bool> {
    let answer = cloud.dynamodb.scan().table_name(name).limit(1).send().await;
    let what = || format!("could not look into the table {name}");
    let scanned = found(answer, |e| e.is_resource_not_found_exception(), what)?;
    Ok(scanned.is_none_or(|items| items.count() == 0))
}

/// Whether a table refuses to be deleted; one that isn't there doesn't.
pub(crate) async fn is_protected(cloud: &Cloud, name: &str) -> Result<bool> {
    let answer = cloud.dynamodb.describe_table().table_name(name).send().await;
    let what = || format!("could not look at the table {name}");
    let described = found(answer, |e| e.is_resource_not_found_exception(), what)?;
    let table = described.and_then(|described| described.table);
    Ok(table.is_some_and(|table| table.deletion_protection_enabled == Some(true)))
}

/// Deletes a table, protected or not, and waits until its name is free.
pub(crate) async fn delete(cloud: &Cloud, name: &str) -> Result<()> {
    let what = || format!("could not delete the table {name}");
    until(cloud.pace(Duration::from_secs(600)), async || {
        let update = cloud.dynamodb.update_table().table_name(name);
        let answer = update.deletion_protection_enabled(false).send().await;
        // In use: by an update whose answer got lost, or by a deletion.
        let in_use = |error: &SdkError<UpdateTableError>| {
            error
                .as_service_error()
                .is_some_and(|e| e.is_resource_in_use_exception())
        };
        if !answer.as_ref().is_err_and(in_use)
            && let Err(error) = gone(answer, what)
        {
            return Probe::Failed(error);
        }
        let answer = cloud.dynamodb.delete_table().table_name(name).send().await;
        // In use: by the update before, or by this very deletion.
        if answer
            .as_ref()
            .is_err_and(|e| e.as_service_error().is_some_and(|e| e.is_resource_in_use_exception()))
        {
            return Probe::Pending;
        }
        match gone(answer, what) {
            Ok(false) => Probe::Ready(()),
            Ok(true) => Probe::Pending,
            Err(error) => Probe::Failed(error),
        }
    })
    .await
    .in_time(|| {
        Error::new(
            ErrorKind::TimedOut,
            format!("the table {name} isn't gone after 10 minutes"),
        )
        .hint("Run the same command again; it goes on from here.")
    })
}
