//! Log groups: whether one is there, and its removal.

use crate::cloud::Cloud;
use crate::cloud::repeated::gone;
use crate::cloud::sdk_error::explain;
use crate::error::Result;

/// Whether a log group of this name is there.
pub(crate) async fn group_exists(cloud: &Cloud, name: &str) -> Result<bool> {
    let mut groups = cloud
        .logs
        .describe_log_groups()
        .log_group_name_prefix(name)
        .into_paginator()
        .items()
        .send();
    while let Some(group) = groups.next().await {
        let group = group.map_err(|error| explain(error, &format!("could not look for the log group {name}")))?;
        if group.log_group_name() == Some(name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes a log group with what is in it; one that isn't there is as good as deleted.
pub(crate) async fn delete_group(cloud: &Cloud, name: &str) -> Result<()> {
    let answer = cloud.logs.delete_log_group().log_group_name(name).send().await;
    let what = || format!("could not delete the log group {name}");
    gone(answer, what).map(|_| ())
}
