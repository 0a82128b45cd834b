//! The stages that are deployed, as their own stacks tell it: whatever a checkout lists.

pub(crate) mod order;

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::cloud::{CLOUDFRONTS_REGION, Cloud};
use crate::error::{Error, Result};
use crate::project::expiry::Expiry;
use crate::project::stacks::{CODE_BUCKET, StackId};
use crate::stack::ownership;
use crate::stack::read::{self, Stack};
use crate::stack::status::{Severity, StackState};
use crate::usage::{self, Usage};

/// How many stacks are asked about at once.
const AT_ONCE: usize = 8;

/// A stage that is deployed.
#[derive(Debug)]
pub(crate) struct DeployedStage {
    /// Its project's name.
    pub project: String,
    /// Its name.
    pub name: String,
    /// Its own region.
    pub region: String,
    /// Its stacks, wherever they are.
    pub members: Vec<Member>,
}

/// One stack of a stage.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// What it is called within the project.
    pub id: StackId,
    /// Where it is.
    pub cloud: Cloud,
    /// As it is.
    pub stack: Stack,
}

/// Which stacks are looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// All that there are.
    All,
    /// Those whose names begin so, but for some that are known.
    Named {
        /// The beginning.
        prefix: &'a str,
        /// The names that aren't asked about.
        but_for: &'a BTreeSet<String>,
    },
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The stages, in the order of their projects and names.
    pub stages: Vec<DeployedStage>,
    /// Stacks of the wanted names that this identity may not look at.
    pub hidden: Vec<String>,
    /// Regions whose stacks it may not list.
    pub unlisted: Vec<String>,
}

impl DeployedStage {
    /// The bucket in which it is recorded what was deployed, with the clients of where it is.
    pub(crate) fn artifacts(&self) -> Option<(&Cloud, &str)> {
        let with_bucket = |member: &'_ Member| member.stack.outputs.contains_key(CODE_BUCKET);
        let member = self.members.iter().find(|member| with_bucket(member))?;
        let bucket = member.stack.outputs.get(CODE_BUCKET)?;
        Some((&member.cloud, bucket))
    }

    /// Whether any of its stacks was deployed as a protected stage's, or is kept from deletion by CloudFormation.
    pub(crate) fn is_protected(&self) -> bool {
        let mut stacks = self.stacks();
        stacks.any(|stack| stack.is_protected() || stack.termination_protected)
    }

    /// How long after its last use it may go. Only if all of its stacks say so, and then the longest: one that says nothing was
    /// deployed to stay.
    pub(crate) fn expires(&self) -> Option<Expiry> {
        let said: Option<Vec<Expiry>> = self.stacks().map(Stack::expires).collect();
        said?.into_iter().max_by_key(|expiry| expiry.duration())
    }

    /// When one of its stacks was last changed.
    pub(crate) fn changed(&self) -> Option<SystemTime> {
        self.stacks().filter_map(|stack| stack.changed).max()
    }

    /// The stack whose state is the worst.
    pub(crate) fn worst(&self) -> Option<&Stack> {
        let rank = |stack: &&Stack| match stack.severity() {
            Severity::Failed => 3,
            Severity::Busy => 2,
            Severity::Gone => 1,
            Severity::Good => 0,
        };
        self.stacks().max_by_key(rank)
    }

    /// Whether an operation runs on one of its stacks.
    pub(crate) fn is_busy(&self) -> bool {
        self.stacks().any(|stack| stack.state() == StackState::InProgress)
    }

    /// The last use of it that was recorded; none if none was.
    ///
    /// # Errors
    /// Its bucket can't be asked.
    pub(crate) async fn usage(&self) -> Result<Option<Usage>> {
        match self.artifacts() {
            Some((cloud, bucket)) => usage::last(cloud, bucket).await,
            None => Ok(None),
        }
    }

    fn stacks(&self) -> impl Iterator<Item = &Stack> {
        self.members.iter().map(|member| &member.stack)
    }
}

/// When a stage expires that was last changed, and last used, at these times; never if neither is known.
pub(crate) fn expires_at(expires: Expiry, changed: Option<SystemTime>, usage: Option<&Usage>) -> Option<SystemTime> {
    let used = usage.and_then(Usage::at);
    changed.max(used)?.checked_add(expires.duration())
}

/// The stages with stacks in the region of `cloud`, in those that are looked at anyway, and in `others`.
///
/// # Errors
/// The stacks of the first can't be listed.
pub(crate) async fn find(cloud: &Cloud, wanted: Wanted<'_>, others: &BTreeSet<String>) -> Result<Found> {
    let mut found = Found::default();
    let mut seen = Vec::new();
    let mut asked = BTreeSet::new();
    let mut next: BTreeSet<String> = others.clone();
    next.insert(cloud.region.clone());
    // Certificates for CloudFront are there.
    if cloud.partition == "aws" {
        next.insert(CLOUDFRONTS_REGION.to_owned());
    }
    // What a stage's own record names may lead on to more regions, once.
    while !next.is_empty() {
        for region in std::mem::take(&mut next) {
            let there = if region == cloud.region {
                cloud.clone()
            } else {
                cloud.in_region(&region)?
            };
            match stacks(&there, wanted, &mut found.hidden).await {
                Ok(stacks) => seen.extend(stacks.into_iter().map(|stack| (there.clone(), stack))),
                Err(error) if error.is_access_denied() && region != cloud.region => found.unlisted.push(region.clone()),
                Err(error) => return Err(error),
            }
            asked.insert(region);
        }
        found.stages = grouped(&seen);
        for stage in found.stages.iter().filter(|stage| stage.region == cloud.region) {
            // Whoever may not read it learns nothing of other regions, and is told of the stage all the same.
            let usage = stage.usage().await.ok().flatten();
            let regions = usage.into_iter().flat_map(|usage| usage.regions);
            next.extend(regions.filter(|region| !asked.contains(region) && is_region(region)));
        }
    }
    Ok(found)
}

/// The names of the project's stages that have expired, and that nothing protects.
///
/// # Errors
/// Its stacks can't be listed.
pub(crate) async fn expired(cloud: &Cloud, project: &str) -> Result<Vec<String>> {
    let (prefix, nothing) = (format!("{project}-"), BTreeSet::new());
    let wanted = Wanted::Named {
        prefix: &prefix,
        but_for: &nothing,
    };
    let found = find(cloud, wanted, &nothing).await?;
    let now = SystemTime::now();
    let mut names = Vec::new();
    for stage in found
        .stages
        .into_iter()
        .filter(|stage| stage.project == project && !stage.is_protected())
    {
        let Some((expires, usage)) = stage.expires().zip(stage.usage().await.ok()) else {
            continue;
        };
        if expires_at(expires, stage.changed(), usage.as_ref()).is_some_and(|at| at <= now) {
            names.push(stage.name);
        }
    }
    Ok(names)
}

/// The stacks of one region.
async fn stacks(cloud: &Cloud, wanted: Wanted<'_>, hidden: &mut Vec<String>) -> Result<Vec<Stack>> {
    let (prefix, but_for) = match wanted {
        Wanted::All => return read::all(cloud).await,
        Wanted::Named { prefix, but_for } => (prefix, but_for),
    };
    // Whoever may look at the stacks of some stages alone may list all names.
    let mut names = read::names_with_prefix(cloud, prefix).await?;
    names.retain(|name| !but_for.contains(name));
    let described: Vec<_> = stream::iter(names)
        .map(async |name| match read::describe(cloud, &name).await {
            Ok(stack) => Ok((name, Some(stack))),
            Err(error) if error.is_access_denied() => Ok((name, None)),
            Err(error) => Err::<_, Error>(error),
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let mut stacks = Vec::new();
    for (name, described) in described {
        match described {
            Some(stack) => stacks.extend(stack),
            None => hidden.push(name),
        }
    }
    Ok(stacks)
}

/// The stages that these stacks are of, by what they say themselves.
fn grouped(stacks: &[(Cloud, Stack)]) -> Vec<DeployedStage> {
    let mut stages: BTreeMap<(String, String, String), Vec<Member>> = BTreeMap::new();
    for (cloud, stack) in stacks {
        let Some((project, stage)) = ownership::said(stack) else {
            continue;
        };
        let Some((id, home)) = id_and_home(&stack.name, project, stage, &cloud.region) else {
            continue;
        };
        let members = stages.entry((project.to_owned(), stage.to_owned(), home)).or_default();
        members.push(Member {
            id: StackId::new(id),
            cloud: cloud.clone(),
            stack: stack.clone(),
        });
    }
    let stages = stages
        .into_iter()
        .map(|((project, name, region), members)| DeployedStage {
            project,
            name,
            region,
            members,
        });
    stages.collect()
}

/// What a stack in `region` is called within its project, and the region of its stage: in another region than its own a
/// stage's stacks have that at the end of their names.
fn id_and_home<'a>(name: &'a str, project: &str, stage: &str, region: &str) -> Option<(&'a str, String)> {
    let rest = name.strip_prefix(project)?.strip_prefix('-')?;
    let rest = rest.strip_prefix(stage)?.strip_prefix('-')?;
    // As many words as a region's name may have.
    for words in [4, 3] {
        let from = rest.rmatch_indices('-').nth(words - 1);
        if let Some((at, _)) = from
            && let (id, home) = (&rest[..at], &rest[at + 1..])
            && !id.is_empty()
            && home != region
            && is_region(home)
        {
            return Some((id, home.to_owned()));
        }
    }
    Some((rest, region.to_owned()))
}

/// Whether a name looks like a region's, as in `eu-central-1` and `us-gov-west-1`: new ones are called so, too.
fn is_region(name: &str) -> bool {
    const SIDES: [&str; 9] = [
        "central",
        "east",
        "north",
        "northeast",
        "northwest",
        "south",
        "southeast",
        "southwest",
        "west",
    ];
    let parts: Vec<&str> = name.split('-').collect();
    let is_area = |area: &str| area.len() == 2 && area.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_partition = |part: &str| part == "gov" || part.starts_with("iso");
    let (area, side, number) = match parts.as_slice() {
        [area, side, number] => (area, side, number),
        [area, partition, side, number] if is_partition(partition) => (area, side, number),
        _ => return false,
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_area(area) && SIDES.contains(side) && is_number
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_stack_tells_its_id_and_its_stages_region_by_its_name() {
        for (name, region, id, home) in [
            ("shop-pr-1-data", "eu-central-1", "data", "eu-central-1"),
            ("shop-pr-1-cert-eu-central-1", "us-east-1", "cert", "eu-central-1"),
            ("shop-pr-1-cert-us-gov-west-1", "us-gov-east-1", "cert", "us-gov-west-1"),
            ("shop-pr-1-two-words", "us-east-1", "two-words", "us-east-1"),
            ("shop-pr-1-cert-us-east-1", "us-east-1", "cert-us-east-1", "us-east-1"),
            ("shop-pr-1-eu-central-1", "us-east-1", "eu-central-1", "us-east-1"),
            ("shop-pr-1-north-pole-1", "us-east-1", "north-pole-1", "us-east-1"),
        ] {
            let told = id_and_home(name, "shop", "pr-1", region);
            assert_eq!(told, Some((id, home.to_owned())), "{name}");
        }
        assert_eq!(id_and_home("shop-pr-12-data", "shop", "pr-1", "us-east-1"), None);
        assert_eq!(id_and_home("other", "shop", "pr-1", "us-east-1"), None);
    }

    #[test]
    fn regions_are_called_alike() {
        for name in [
            "us-east-1",
            "ap-southeast-7",
            "us-gov-west-1",
            "us-isob-east-1",
            "mx-central-1",
        ] {
            assert!(is_region(name), "{name}");
        }
        for name in ["us-east", "data-central-1", "us-east-x", "us-new-east-1", "east-1", ""] {
            assert!(!is_region(name), "{name}");
        }
    }

    #[test]
    fn the_last_use_counts() {
        let expires = Expiry::parse("2h").expect("a time");
        let at = |hours: u64| UNIX_EPOCH + Duration::from_secs(hours * 3_600);
        let usage: Usage = serde_json::from_value(serde_json::json!({
            "schema": 1, "at": crate::clock::rfc3339(at(5)), "by": "arn",
        }))
        .expect("a use");
        assert_eq!(expires_at(expires, Some(at(3)), None), Some(at(5)));
        assert_eq!(expires_at(expires, Some(at(3)), Some(&usage)), Some(at(7)));
        assert_eq!(expires_at(expires, Some(at(9)), Some(&usage)), Some(at(11)));
        assert_eq!(
            expires_at(expires, None, None),
            None,
            "it is never removed for what isn't known"
        );
    }
}
