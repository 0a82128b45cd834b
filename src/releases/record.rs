//! Recording what a run has deployed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::changes::SiteChanges;
use super::store::{self, List, Listed, Record};
use super::{Changes, Content, Release, ReleasedSite, ReleasedStack, SCHEMA, is_inner};
use crate::clock::rfc3339;
use crate::cloud::Cloud;
use crate::error::{Error, OrFail as _, Result};
use crate::project::Project;
use crate::project::stacks::StackId;
use crate::site::sum::Sum;
use crate::site::{Site, SiteFiles};
use crate::stack::read::Deployed;

/// How many contents are kept at once.
const AT_ONCE: usize = 32;

/// What a run has deployed.
#[derive(Debug)]
pub(crate) struct Deployment<'a> {
    /// The project, whose stacks these are.
    pub project: &'a Project,
    /// Its files as the run has read them.
    pub files: &'a BTreeMap<String, Vec<u8>>,
    /// Those that the run was about.
    pub scope: BTreeSet<StackId>,
    /// The stage's stacks as they are.
    pub stacks: &'a BTreeMap<StackId, Deployed>,
    /// The keys of packages, by what asks for them.
    pub packages: &'a BTreeMap<(StackId, String), String>,
    /// The site, if the run was about it.
    pub site: Option<&'a Site>,
    /// The release that it went back to, if it did.
    pub rolled_back_to: Option<u64>,
}

/// Records it, unless the newest release has the cloud as it is. What the run wasn't about stays as that one has it.
/// Returns the number of the release that was made. Where the run has changed nothing, `known` may be the records from
/// before it.
///
/// # Errors
/// The bucket can't be asked or written to, or a file of the site isn't what it was any more.
pub(crate) async fn record(
    cloud: &Cloud,
    bucket: &str,
    deployment: &Deployment<'_>,
    known: Option<&[Record]>,
) -> Result<Option<u64>> {
    let site = deployment.site.map(Listing::of).transpose()?;
    let released = site.as_ref().map(Listing::released).transpose()?;
    let is_newest = |records: &[Record]| {
        let newest = records.last();
        newest.is_some_and(|newest| deployment.is_as_in(newest, released.as_ref()))
    };
    if known.is_some_and(is_newest) {
        return Ok(None);
    }
    let mut records = store::records(cloud, bucket).await?;
    if is_newest(&records) {
        return Ok(None);
    }
    let newest = records.last();
    let before = match newest {
        Some(newest) => store::read(cloud, bucket, newest).await?.content,
        None => Content::default(),
    };
    let after = content(deployment, released.as_ref(), &before);
    let fingerprint = after.fingerprint();
    if newest.is_some_and(|newest| newest.fingerprint == fingerprint) {
        return Ok(None);
    }
    let number = newest.map_or(0, |newest| newest.number) + 1;
    let keeping_site = async {
        match site
            .zip(after.site.as_ref())
            .filter(|(_, now)| before.site.as_ref() != Some(now))
        {
            Some((files, now)) => keep_site(cloud, bucket, files, now, before.site.as_ref()).await,
            None => Ok(None),
        }
    };
    let ((), changed) = tokio::try_join!(keep_files(cloud, bucket, deployment, &before, &after), keeping_site)?;
    let release = Release {
        schema: SCHEMA,
        number,
        at: rfc3339(SystemTime::now()),
        by: cloud.caller.clone(),
        deployer: env!("CARGO_PKG_VERSION").to_owned(),
        changed: Changes::between(&before, &after, changed),
        rolled_back_to: deployment.rolled_back_to,
        content: after,
    };
    store::write(cloud, bucket, &release).await?;
    records.push(Record { number, fingerprint });
    store::prune(cloud, bucket, &records).await?;
    Ok(Some(number))
}

impl Deployment<'_> {
    /// Whether the record's name tells that this is what it is of.
    fn is_as_in(&self, record: &Record, site: Option<&ReleasedSite>) -> bool {
        // A run that is about the site alone leaves all else as it is.
        if self.scope.is_empty() {
            return record.fingerprint.ends_with(&Content::fingerprint_of(site));
        }
        let is_whole = self.scope.len() == self.stacks.len() && (site.is_some() || self.project.site_stack().is_none());
        is_whole && record.fingerprint == content(self, site, &Content::default()).fingerprint()
    }
}

/// The files of a site, in the order of their paths.
struct Listing<'a> {
    site: &'a Site,
    files: SiteFiles<'a>,
}

impl<'a> Listing<'a> {
    fn of(site: &'a Site) -> Result<Self> {
        let files = site.files()?;
        Ok(Self { site, files })
    }

    fn listed(&self) -> impl Iterator<Item = Listed<'a>> {
        self.files.iter().map(|(path, file)| Listed {
            path: Cow::Borrowed(path),
            sum: file.sum.to_string().into(),
            size: file.size,
            is_published: file.is_published,
        })
    }

    fn released(&self) -> Result<ReleasedSite> {
        Ok(ReleasedSite {
            list: List::sum_of(self.listed())?,
            files: self.files.len(),
            bytes: self.files.iter().map(|(_, file)| file.size).sum(),
        })
    }

    fn sum_of(&self, path: &str) -> Option<Sum> {
        self.files.get(path).map(|file| file.sum)
    }
}

/// What the release has; what the run wasn't about as `before`.
fn content(deployment: &Deployment<'_>, site: Option<&ReleasedSite>, before: &Content) -> Content {
    let Deployment { project, .. } = deployment;
    let mut files: BTreeMap<String, String> = deployment
        .files
        .iter()
        // One that is somewhere else stays what it is there.
        .filter(|(path, _)| is_inner(path))
        .map(|(path, bytes)| (path.clone(), Sum::of(bytes).to_string()))
        .collect();
    let mut stacks = BTreeMap::new();
    for (id, deployed) in deployment.stacks {
        let (key, template) = (id.as_str().to_owned(), project.stack(id));
        let path = template.and_then(|template| project.path_of(template));
        let digest = deployed.stack.digest().unwrap_or_default().to_owned();
        if !deployment.scope.contains(id) {
            // The folder may have another template of it meanwhile.
            let known = before.stacks.get(&key).filter(|known| known.digest == digest);
            if let Some(path) = &path {
                files.remove(path);
            }
            let file = known.and_then(|known| known.template.as_ref());
            files.extend(file.and_then(|path| Some((path.clone(), before.files.get(path)?.clone()))));
            let known = known.cloned();
            stacks.insert(
                key,
                known.unwrap_or_else(|| ReleasedStack {
                    digest,
                    ..ReleasedStack::default()
                }),
            );
            continue;
        }
        let is_secret = |name: &str| template.is_some_and(|stack| stack.template.is_secret(name));
        let parameters = deployed.stack.parameters.iter().filter(|(name, _)| !is_secret(name));
        let packages = deployment.packages.iter().filter(|((stack, _), _)| stack == id);
        stacks.insert(
            key,
            ReleasedStack {
                digest,
                template: path,
                parameters: parameters.map(|(name, value)| (name.clone(), value.clone())).collect(),
                packages: packages
                    .map(|((_, parameter), key)| (parameter.clone(), key.clone()))
                    .collect(),
            },
        );
    }
    Content {
        files,
        environment: project.stage.variables(|parameter| project.is_secret(parameter)),
        stacks,
        site: site.or(before.site.as_ref()).cloned(),
    }
}

/// Keeps the files of the project that the release before didn't have.
async fn keep_files(
    cloud: &Cloud,
    bucket: &str,
    deployment: &Deployment<'_>,
    before: &Content,
    after: &Content,
) -> Result<()> {
    let known: BTreeSet<&String> = before.files.values().collect();
    let new = after.files.iter().filter(|(_, sum)| !known.contains(sum));
    let contents = new.filter_map(|(path, _)| deployment.files.get(path));
    stream::iter(contents)
        .map(|bytes| store::keep(cloud, bucket, bytes.clone()))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Keeps a site's list, and those of its files that aren't published as they are and that the release `before` didn't have:
/// of the others the site's bucket has the same. Returns what changed.
async fn keep_site(
    cloud: &Cloud,
    bucket: &str,
    now: Listing<'_>,
    released: &ReleasedSite,
    before: Option<&ReleasedSite>,
) -> Result<Option<SiteChanges>> {
    let reading = async {
        match before {
            Some(before) => store::list(cloud, bucket, &before.list).await.map(Some),
            None => Ok(None),
        }
    };
    let list = List::of(now.listed())?;
    let keeping = store::keep_list(cloud, bucket, &released.list, list);
    let (before, ()) = tokio::try_join!(reading, keeping)?;
    let mut kept = BTreeSet::new();
    let (mut others, mut same): (Vec<(String, String)>, usize) = (Vec::new(), 0);
    for file in before.iter().flat_map(List::files) {
        let file = file?;
        if !file.is_published {
            kept.insert(file.sum.clone().into_owned());
        }
        // Of most nothing has changed.
        if now.sum_of(&file.path).is_some_and(|sum| sum.to_string() == *file.sum) {
            same += 1;
        } else {
            others.push((file.path.into_owned(), file.sum.into_owned()));
        }
    }
    drop(before);
    let others = others.iter().map(|(path, sum)| (&**path, &**sum));
    let sum_now = |path: &str| now.sum_of(path).map(|sum| sum.to_string());
    let changes = SiteChanges::between(others, now.files.len() - same, sum_now);
    let Listing { site, files } = now;
    let mut seen = BTreeSet::new();
    let missing = files.iter().filter(|(_, file)| {
        let sum = file.sum.to_string();
        !file.is_published && !kept.contains(&sum) && seen.insert(sum)
    });
    stream::iter(missing)
        .map(async |(path, file)| {
            let path = site.path_of(path);
            let bytes = tokio::fs::read(&path).await;
            let bytes = bytes.or_fail(|| format!("could not read {} any more", path.display()))?;
            if Sum::of(&bytes) == file.sum {
                store::keep(cloud, bucket, bytes).await
            } else {
                Err(Error::failed(format!("{} was changed meanwhile", path.display())))
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    Ok(changes)
}
