//! What was deployed when, so that it can be deployed again: each run that changed something leaves a record in the
//! artifacts bucket, with everything that it was made from but data and secrets.
//!
//! ```text
//! releases/records/000012-….json                  a release; its name tells what was deployed without being read
//! releases/content/<sum>                          what it refers to: templates, the list of the site's files, files
//! ```
//!
//! A site's files aren't sent a second time: the site's bucket has most of them, and what a publication takes out of there
//! it keeps here (see [`publish`](crate::publish)). Packages stay under their own keys.

mod changes;
mod record;
mod restore;
mod store;

use std::collections::BTreeMap;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::stack::digest;
pub(crate) use changes::Changes;
pub(crate) use record::{Deployment, record};
pub(crate) use restore::{SITE, Sources, restore};
pub(crate) use store::{Record, all, newest, purge, records};

/// Releases beyond the last so many go, and what only they used.
const KEPT: usize = 10;

/// The version of the record's form.
const SCHEMA: u32 = 1;

/// What was deployed at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Release {
    schema: u32,
    /// Counts the stage's releases from 1.
    pub number: u64,
    /// When it was recorded: RFC 3339, UTC.
    pub at: String,
    /// The ARN of who deployed it.
    pub by: String,
    /// The deployer's version.
    pub deployer: String,
    /// What it has another of than the one before.
    pub changed: Changes,
    /// The release that it went back to, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_to: Option<u64>,
    /// What it was made from.
    #[serde(flatten)]
    pub content: Content,
}

/// What a release was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Content {
    /// The templates, the settings, and what the contract was read from, by their paths in the project's folder: what the sum
    /// of each is.
    pub files: BTreeMap<String, String>,
    /// The environment variables that the stage's settings have something of, but for secrets.
    pub environment: BTreeMap<String, String>,
    /// The stacks by their ids.
    pub stacks: BTreeMap<String, ReleasedStack>,
    /// The site, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<ReleasedSite>,
}

/// A stack of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReleasedStack {
    /// The digest of what was sent.
    pub digest: String,
    /// Which of the files is its template; none if the deployer brought it, or another version deployed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// What its parameters were, but for secrets.
    pub parameters: BTreeMap<String, String>,
    /// The keys of its functions' packages, by the parameters that are given them.
    pub packages: BTreeMap<String, String>,
}

/// The site of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReleasedSite {
    /// The sum of the list of its files.
    pub list: String,
    /// How many there are.
    pub files: usize,
    /// Their size in bytes.
    pub bytes: u64,
}

/// Whether a path leads to something in the folder that it is in, and nowhere else.
pub(crate) fn is_inner(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    !path.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)))
}

impl Release {
    /// Who deployed it, without the account.
    pub(crate) fn who(&self) -> &str {
        who(&self.by)
    }
}

/// Who an ARN is of, without the account.
pub(crate) fn who(arn: &str) -> &str {
    arn.splitn(6, ':').last().unwrap_or_default()
}

impl Content {
    /// Tells whether two releases would have the cloud be the same: of the stacks, then of the site.
    fn fingerprint(&self) -> String {
        let stacks: BTreeMap<&String, _> = self
            .stacks
            .iter()
            .map(|(id, stack)| (id, (&stack.digest, &stack.packages)))
            .collect();
        format!(
            "{}{}",
            digest::of(&json!(stacks)),
            Self::fingerprint_of(self.site.as_ref())
        )
    }

    /// The end of it: what it is of the site.
    fn fingerprint_of(site: Option<&ReleasedSite>) -> String {
        format!("-{}", digest::of(&json!(site.map(|site| &site.list))))
    }
}
