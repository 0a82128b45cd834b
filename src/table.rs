//! The table as such: whether it is ready, empty, or gone.

use std::time::Duration;

use crate::cloud::Cloud;
use crate::cloud::sdk_error::explain;
use crate::error::{Error, Result};
use crate::wait::{Probe, Waited, until};

/// Whether a table has no items.
pub async fn is_empty(cloud: &Cloud, name: &str) -> Result<bool> {
    match cloud.dynamodb.scan().table_name(name).limit(1).send().await {
        Ok(found) => Ok(found.count() == 0),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|e| e.is_resource_not_found_exception()) =>
        {
            Ok(true)
        }
        Err(error) => Err(explain(&error, &format!("could not look into the table {name}"))),
    }
}

/// Deletes a table, protected or not, and waits until its name is free.
pub async fn delete(cloud: &Cloud, name: &str) -> Result<()> {
    let unprotected = cloud
        .dynamodb
        .update_table()
        .table_name(name)
        .deletion_protection_enabled(false)
        .send()
        .await;
    match unprotected {
        Ok(_) => {}
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|e| e.is_resource_not_found_exception()) =>
        {
            return Ok(());
        }
        Err(error) => {
            return Err(explain(
                &error,
                &format!("could not lift the deletion protection of the table {name}"),
            ));
        }
    }
    let mut asked = false;
    let end = until(cloud.pace(Duration::from_secs(600)), async || {
        if !asked {
            match cloud.dynamodb.delete_table().table_name(name).send().await {
                Ok(_) => asked = true,
                // The update before is still under way.
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|e| e.is_resource_in_use_exception()) => {}
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|e| e.is_resource_not_found_exception()) =>
                {
                    return Probe::Ready(());
                }
                Err(error) => return Probe::Failed(explain(&error, &format!("could not delete the table {name}"))),
            }
        }
        match cloud.dynamodb.describe_table().table_name(name).send().await {
            Ok(_) => Probe::Pending,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_resource_not_found_exception()) =>
            {
                Probe::Ready(())
            }
            Err(error) => Probe::Failed(explain(&error, &format!("could not look at the table {name}"))),
        }
    })
    .await;
    match end {
        Waited::Ready(()) => Ok(()),
        Waited::Failed(error) => Err(error),
        Waited::TimedOut => Err(Error::failed(format!("the table {name} isn't gone after 10 minutes"))
            .hint("Run the same command again; it goes on from here.")),
    }
}
