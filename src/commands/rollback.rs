//! `deployer rollback`: the stage, back to what an earlier release deployed, by the very same path as `up`.
//!
//! The release is fetched as the folder that it was made from. Stacks that hold data keep their templates and the values of
//! their parameters: of those, only functions' code goes back, and their items stay as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use futures::future::try_join_all;

use super::up::{self, Origin, Prepared, Rollback, artifacts_of};
use crate::cli::{RollbackArgs, UpArgs};
use crate::context::{Context, Session};
use crate::error::{Error, ErrorKind, OrFail as _, Result};
use crate::project::Project;
use crate::project::stacks::StackId;
use crate::project::stages::SECRET;
use crate::publish::Destination;
use crate::releases::{self, Content, Release, Sources};
use crate::stack::ownership::Adoption;
use crate::stack::protection;
use crate::stack::read::{self, Stack};

/// Runs the command.
pub(crate) async fn run(args: &RollbackArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let context = Context::connect(super::open(global, reporter)?, session).await?;
    let stacks = context.own_stacks(Adoption::default()).await?;
    let Some((artifacts, bucket)) = artifacts_of(&context, |id| stacks.get(id)) else {
        return Err(none(&context));
    };
    let releases = releases::all(artifacts, &bucket).await?;
    let release = chosen(&releases, args.release).ok_or_else(|| match args.release {
        Some(number) if !releases.is_empty() => no_such(number, &releases),
        _ => none(&context),
    })?;
    let Going { content, left, pinned } = going(&context, &stacks, release, &releases).await?;
    let build = context.project.build_dir();
    let unmade = || format!("could not make a folder in {}", build.display());
    std::fs::create_dir_all(&build).or_fail(unmade)?;
    let folder = tempfile::Builder::new()
        .prefix("rollback-")
        .tempdir_in(&build)
        .or_fail(unmade)?;
    let site = context.project.site_stack().map(|stack| &stack.id);
    let site = site.and_then(|id| Some((id, stacks.get(id)?, stacks.get(&context.project.artifacts_stack()?.id)?)));
    let site = site.and_then(|(id, site, artifacts)| {
        let place = Destination::of(site, artifacts).ok()?;
        Some((context.cloud_of(id), place.bucket))
    });
    let sources = Sources {
        artifacts: (artifacts, &bucket),
        site: site.as_ref().map(|(cloud, bucket)| (*cloud, bucket.as_str())),
    };
    let packages = releases::restore(sources, release, &content, folder.path(), reporter).await?;
    reporter.finished(
        "release",
        format!(
            "going back to {}, of {} by {}",
            release.number,
            release.at,
            release.who()
        ),
        false,
    );
    let settings = &context.project.stage.parameters;
    let environment = |name: &str| {
        let secret = name.strip_prefix(SECRET).and_then(|parameter| settings.get(parameter));
        let recorded = secret.or_else(|| content.environment.get(name));
        recorded.map(OsString::from).or_else(|| std::env::var_os(name))
    };
    let project = Project::open_with(folder.path(), &global.stage, &environment)?.with_site_in(releases::SITE);
    let rollback = Rollback {
        to: release.number,
        packages,
        left,
        has_site: content.site.is_some(),
    };
    let args = UpArgs {
        no_verify: args.no_verify,
        wait: args.wait,
        ..UpArgs::default()
    };
    let prepared = Prepared::of(&project, &args, Origin::Release(rollback), reporter).await?;
    up::deploy(context.with_project(project, pinned)?, prepared, &args).await
}

/// The release that was asked for, or else the one before the newest.
fn chosen(releases: &[Release], number: Option<u64>) -> Option<&Release> {
    match number {
        Some(number) => releases.iter().find(|release| release.number == number),
        None => releases.iter().rev().nth(1),
    }
}

fn no_such(number: u64, releases: &[Release]) -> Error {
    let numbers: Vec<String> = releases.iter().map(|release| release.number.to_string()).collect();
    Error::new(ErrorKind::InvalidUsage, format!("there is no release {number}")).hint(format!(
        "There is {}; `deployer releases` shows what is in them.",
        numbers.join(", ")
    ))
}

fn none(context: &Context<'_>) -> Error {
    Error::new(
        ErrorKind::NotDeployed,
        format!("the stage {} has no earlier release", context.project.stage.name),
    )
    .hint(if context.project.artifacts_stack().is_some() {
        "Each `deployer up` that changes something records one, the first included; it takes two to go back."
    } else {
        "Releases are kept in the bucket for packages and sites, which this project doesn't have: check out what you want to go \
         back to, and run `deployer up`."
    })
}

/// What goes back.
struct Going {
    /// The release, with the templates of stacks that hold data as they are.
    content: Content,
    /// Stacks that stay as they are.
    left: BTreeSet<StackId>,
    /// What parameters stay, by stack.
    pinned: BTreeMap<StackId, BTreeMap<String, String>>,
}

async fn going(
    context: &Context<'_>,
    stacks: &BTreeMap<StackId, Stack>,
    release: &Release,
    releases: &[Release],
) -> Result<Going> {
    let mut going = Going {
        content: release.content.clone(),
        left: BTreeSet::new(),
        pinned: BTreeMap::new(),
    };
    let others: Vec<&str> = stacks
        .keys()
        .map(StackId::as_str)
        .filter(|id| !release.content.stacks.contains_key(*id))
        .collect();
    if !others.is_empty() {
        context.reporter.warn(format!(
            "release {} has no stack {}: what is deployed of that stays",
            release.number,
            others.join(", ")
        ));
    }
    let looked = release.content.stacks.keys().map(async |id| {
        let id = StackId::new(id);
        let cloud = context.cloud_of(&id);
        let stack = match stacks.get(&id) {
            Some(stack) => Some(stack.clone()),
            None => read::describe(cloud, &context.stack_name(&id)).await?,
        };
        let Some(stack) = stack else { return Ok(None) };
        let template = read::deployed_template(cloud, &stack.arn).await?;
        Ok::<_, Error>(protection::keeps_data(&template).then_some((id, stack, template)))
    });
    for (id, stack, template) in try_join_all(looked).await?.into_iter().flatten() {
        let Some(released) = going.content.stacks.get(id.as_str()).cloned() else {
            continue;
        };
        let digest = stack.digest().unwrap_or_default();
        let deployed = releases.iter().rev().find_map(|one| {
            let as_deployed = one.content.stacks.get(id.as_str())?;
            let path = as_deployed.template.as_ref().filter(|_| as_deployed.digest == digest)?;
            Some((path, one.content.files.get(path)?))
        });
        if let Some((path, sum)) = deployed {
            if let Some(old) = &released.template {
                going.content.files.remove(old);
            }
            going.content.files.insert(path.clone(), sum.clone());
            if let Some(stack) = going.content.stacks.get_mut(id.as_str()) {
                stack.template = Some(path.clone());
            }
        }
        if released.packages.is_empty() {
            going.left.insert(id);
        } else if deployed.is_none() {
            context.reporter.warn(format!(
                "the stack {id} holds data, and no release has it as it is deployed now: it stays so, its functions' code too"
            ));
            going.left.insert(id);
        } else {
            let mut parameters = stack.parameters.clone();
            parameters.retain(|name, _| !released.packages.contains_key(name) && !template.is_secret(name));
            going.pinned.insert(id, parameters);
        }
    }
    // What another version of the deployer had deployed has no template.
    let unknown = going.content.stacks.iter().filter(|(id, stack)| {
        let is_own = context
            .project
            .stack(&StackId::new(id))
            .is_some_and(|stack| context.project.path_of(stack).is_none());
        stack.template.is_none() && !is_own
    });
    going.left.extend(unknown.map(|(id, _)| StackId::new(id)));
    Ok(going)
}
