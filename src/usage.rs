//! When a stage was last used, and by whom, where nothing else tells: a small object in its artifacts bucket. An `up` that changes no
//! stack is a use, too, and no stack knows of it.

use std::collections::BTreeSet;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::clock::{of_rfc3339, rfc3339};
use crate::cloud::Cloud;
use crate::document::{Document, There};
use crate::error::Result;

const FILE: Document = Document {
    key: "run/used.json",
    most_bytes: 1 << 16,
    remedy: |command| format!("`{command}` removes it; the stage's next `up` writes it anew."),
};

/// The version of its form.
const SCHEMA: u32 = 1;

/// A use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Usage {
    schema: u32,
    /// RFC 3339.
    at: String,
    /// The ARN of who it was.
    pub by: String,
    /// The regions that the stage has stacks in beside its own: a checkout that doesn't have their templates finds them so.
    #[serde(default)]
    pub regions: BTreeSet<String>,
}

impl Usage {
    /// When it was, if that can be read.
    pub(crate) fn at(&self) -> Option<SystemTime> {
        of_rfc3339(&self.at)
    }
}

/// The last use of the stage with this bucket; none if none was recorded.
///
/// # Errors
/// The bucket can't be asked, or has something else in its place.
pub(crate) async fn last(cloud: &Cloud, bucket: &str) -> Result<Option<Usage>> {
    Ok(match FILE.read::<Usage>(cloud, bucket).await? {
        There::It(version) => Some(version.value),
        There::Nothing | There::NoBucket(_) => None,
    })
}

/// Records that the stage with this bucket is used now, with stacks in these regions and those that were known before.
///
/// # Errors
/// The bucket can't be asked or written to.
pub(crate) async fn record(cloud: &Cloud, bucket: &str, mut regions: BTreeSet<String>) -> Result<()> {
    let before = last(cloud, bucket).await?;
    regions.extend(before.into_iter().flat_map(|before| before.regions));
    let usage = Usage {
        schema: SCHEMA,
        at: rfc3339(SystemTime::now()),
        by: cloud.caller.clone(),
        regions,
    };
    FILE.put(cloud, bucket, &usage).await
}
