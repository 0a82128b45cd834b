//! `up --plan FILE` and `up --execute FILE`: a run that is planned in one place and carried out in another, exactly so. The
//! file, a zip, holds the folder that it is made from, without secrets, and what it starts from.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::packages::Asked;
use super::{Built, Prepared};
use crate::clock::rfc3339;
use crate::context::Context;
use crate::error::{Error, ErrorKind, OrFail as _, Result};
use crate::project::Project;
use crate::project::stacks::StackId;
use crate::releases::{is_inner, who};
use crate::site::Site;
use crate::stack::read::Deployed;

/// The version of the file's form.
const SCHEMA: u32 = 1;

/// What the file is, beside the folder.
const MANIFEST: &str = "plan.json";

/// Where the folder, the packages and the site's files are in it.
const PROJECT: &str = "project/";
const PACKAGES: &str = "packages/";
pub(super) const SITE: &str = "site";

/// Where seed items are in a project's folder.
const SEED: &str = "stacks/seed.yaml";

/// What was planned.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    schema: u32,
    /// The version of the deployer that made it.
    deployer: String,
    /// When it was made, RFC 3339 in UTC, and the ARN of who did.
    at: String,
    by: String,
    project: String,
    pub(super) stage: String,
    /// Where it is for.
    account: String,
    region: String,
    endpoint: Option<String>,
    /// What it was to be about.
    pub(super) only: Vec<String>,
    pub(super) adopt: Vec<String>,
    /// The environment variables that the settings have something of, but for secrets.
    environment: BTreeMap<String, String>,
    /// The packages: by stack and parameter the name in the file.
    packages: Vec<PackageOf>,
    has_site: bool,
    /// The stacks that there were.
    start: BTreeMap<String, Start>,
    /// What would change, in short.
    fingerprint: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct PackageOf {
    stack: String,
    parameter: String,
    key: String,
}

/// A stack as it was when it was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Start {
    arn: String,
    status: String,
    digest: Option<String>,
    changed: Option<String>,
}

impl Start {
    fn of(deployed: &Deployed) -> Self {
        Self {
            arn: deployed.stack.arn.clone(),
            status: deployed.stack.status.clone(),
            digest: deployed.stack.digest().map(str::to_owned),
            changed: deployed.stack.changed.map(rfc3339),
        }
    }
}

fn starts(before: &BTreeMap<StackId, Deployed>) -> BTreeMap<String, Start> {
    let starts = before.iter();
    starts
        .map(|(id, deployed)| (id.to_string(), Start::of(deployed)))
        .collect()
}

/// What a run was planned with.
pub(super) struct Planned<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) prepared: &'a Prepared,
    pub(super) before: &'a BTreeMap<StackId, Deployed>,
    pub(super) built: &'a Built,
    /// What `--only` and `--adopt` said.
    pub(super) only: &'a [String],
    pub(super) adopt: &'a [String],
    /// What would change, in short.
    pub(super) fingerprint: String,
}

impl Planned<'_> {
    fn manifest(&self) -> Manifest {
        let project = &self.context.project;
        let packages = self.built.iter().map(|((stack, parameter), package)| PackageOf {
            stack: stack.to_string(),
            parameter: parameter.clone(),
            key: package.key.clone(),
        });
        Manifest {
            schema: SCHEMA,
            deployer: env!("CARGO_PKG_VERSION").to_owned(),
            at: rfc3339(SystemTime::now()),
            by: self.context.cloud.caller.clone(),
            project: project.name.clone(),
            stage: project.stage.name.clone(),
            account: self.context.cloud.account.clone(),
            region: self.context.cloud.region.clone(),
            endpoint: self.context.cloud.endpoint.url().map(str::to_owned),
            only: self.only.to_vec(),
            adopt: self.adopt.to_vec(),
            environment: project.stage.variables(|parameter| project.is_secret(parameter)),
            packages: packages.collect(),
            has_site: self.prepared.site.is_some(),
            start: starts(self.before),
            fingerprint: self.fingerprint.clone(),
        }
    }

    /// Writes it all into a new file, or in the place of an older one.
    ///
    /// # Errors
    /// It can't be written, or something of the project is outside of its folder.
    pub(super) async fn write(&self, file: &Path) -> Result<()> {
        let what = || format!("could not write the plan {}", file.display());
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        // Nobody finds half of one; and only who made it reads what is in it.
        let to = NamedTempFile::new_in(folder).or_fail(what)?;
        let packed = tempfile::tempdir().or_fail(what)?;
        let mut packages = BTreeMap::new();
        for package in self.built.values() {
            let path = packed.path().join(packages.len().to_string());
            if !packages.contains_key(&package.key) {
                package.write_to(&path).await?;
                packages.insert(package.key.clone(), path);
            }
        }
        let manifest = serde_json::to_vec_pretty(&self.manifest()).or_fail(what)?;
        let mut writer = Writer(ZipWriter::new(to));
        writer.bytes(MANIFEST, &manifest).or_fail(what)?;
        let seed = self.context.project.path().join(SEED);
        let seed = seed.is_file().then(|| std::fs::read(&seed)).transpose().or_fail(what)?;
        let files = self.prepared.files.iter().map(|(path, bytes)| (path.as_str(), bytes));
        for (path, bytes) in files.chain(seed.iter().map(|bytes| (SEED, bytes))) {
            if !is_inner(path) {
                return Err(Error::new(
                    ErrorKind::InvalidProject,
                    format!("{path} is outside of the project's folder, so a plan can't hold it"),
                )
                .hint("Copy it into the folder, or deploy with `deployer up` alone."));
            }
            writer.bytes(&format!("{PROJECT}{path}"), bytes).or_fail(what)?;
        }
        for (key, path) in &packages {
            writer
                .file(&format!("{PACKAGES}{key}"), path, CompressionMethod::Stored)
                .or_fail(what)?;
        }
        if let Some(site) = &self.prepared.site {
            writer.site(site).or_fail(what)?;
        }
        let written = writer.0.finish().or_fail(what)?;
        written.persist(file).or_fail(what)?;
        Ok(())
    }
}

struct Writer(ZipWriter<NamedTempFile>);

impl Writer {
    fn begin(&mut self, name: &str, method: CompressionMethod) -> Result<(), ZipError> {
        let options = SimpleFileOptions::default()
            .compression_method(method)
            // A site may have a film of more than 4 GiB.
            .large_file(true);
        self.0.start_file(name, options)
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), ZipError> {
        self.begin(name, CompressionMethod::Deflated)?;
        Ok(self.0.write_all(bytes)?)
    }

    fn file(&mut self, name: &str, path: &Path, method: CompressionMethod) -> Result<(), ZipError> {
        self.begin(name, method)?;
        std::io::copy(&mut File::open(path)?, &mut self.0)?;
        Ok(())
    }

    fn site(&mut self, site: &Site) -> Result<(), ZipError> {
        let files = site
            .files()
            .map_err(|error| ZipError::Io(std::io::Error::other(error)))?;
        for (path, _) in files.iter() {
            let name = format!("{PROJECT}{SITE}/{path}");
            self.file(&name, &site.path_of(path), CompressionMethod::Deflated)?;
        }
        Ok(())
    }
}

/// A plan that was read, as a folder.
#[derive(Debug)]
pub(crate) struct PlanFile {
    pub(super) manifest: Manifest,
    /// Where its project's folder is.
    pub(super) folder: PathBuf,
    /// Its functions' packages.
    pub(super) packages: BTreeMap<Asked, PathBuf>,
}

/// Unpacks a plan into a folder.
///
/// # Errors
/// It isn't one, or one of another version, or it can't be unpacked.
pub(super) fn open(file: &Path, into: &Path) -> Result<PlanFile> {
    let what = || format!("could not read the plan {}", file.display());
    let opened = File::open(file).map_err(|error| {
        Error::new(ErrorKind::InvalidUsage, what())
            .cause(error)
            .hint("`deployer up --plan FILE` writes one.")
    })?;
    let not_a_plan = |error: ZipError| {
        Error::new(ErrorKind::InvalidUsage, format!("{} is no plan", file.display()))
            .cause(error)
            .hint("`deployer up --plan FILE` writes one.")
    };
    let mut archive = ZipArchive::new(opened).map_err(not_a_plan)?;
    let mut text = String::new();
    let mut entry = archive.by_name(MANIFEST).map_err(not_a_plan)?;
    entry.read_to_string(&mut text).or_fail(what)?;
    drop(entry);
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| {
        Error::new(
            ErrorKind::InvalidUsage,
            format!("{} isn't a plan of this version", file.display()),
        )
        .cause(error)
        .hint("Plan and execute with one version of the deployer.")
    })?;
    if manifest.schema != SCHEMA {
        return Err(Error::new(
            ErrorKind::InvalidUsage,
            format!("{} is a plan of the deployer {}", file.display(), manifest.deployer),
        )
        .hint("Plan and execute with one version of the deployer."));
    }
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).or_fail(what)?;
        let name = entry.name().or_fail(what)?.into_owned();
        // Who else may have written it isn't known: nothing of it goes anywhere else.
        if !is_inner(&name) || !entry.is_file() {
            return Err(Error::new(
                ErrorKind::InvalidUsage,
                format!("{} has `{name}`, which is no file in a folder", file.display()),
            )
            .hint("`deployer up --plan FILE` writes no such plan; make it anew."));
        }
        let path = into.join(&name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).or_fail(what)?;
        }
        let mut to = File::create_new(&path).or_fail(what)?;
        std::io::copy(&mut entry, &mut to).or_fail(what)?;
    }
    let packages = manifest.packages.iter().map(|package| {
        let asked = (StackId::new(&package.stack), package.parameter.clone());
        if is_inner(&package.key) {
            Ok((asked, into.join(PACKAGES).join(&package.key)))
        } else {
            Err(Error::new(ErrorKind::InvalidUsage, format!("{} is no plan", file.display())).hint("Make it anew."))
        }
    });
    Ok(PlanFile {
        packages: packages.collect::<Result<_>>()?,
        folder: into.join(PROJECT),
        manifest,
    })
}

impl PlanFile {
    /// The project that was planned with, at a stage of this name.
    ///
    /// # Errors
    /// The plan is for another one, or wants a secret that the environment doesn't have.
    pub(super) fn project(&self, stage: &str) -> Result<Project> {
        let planned = &self.manifest.stage;
        if planned != stage {
            return Err(Error::new(
                ErrorKind::InvalidUsage,
                format!("the plan is for the stage {planned}, not for {stage}"),
            )
            .hint(format!("Say `--stage {planned}` if that is meant.")));
        }
        let known = &self.manifest.environment;
        let environment = |name: &str| known.get(name).map(Into::into).or_else(|| std::env::var_os(name));
        let project = Project::open_with(&self.folder, stage, &environment)?;
        Ok(if self.manifest.has_site {
            project.with_site_in(SITE)
        } else {
            project
        })
    }
}

impl Manifest {
    /// "what was planned at 2026-… by role/ci".
    pub(super) fn describe(&self) -> String {
        format!("what was planned at {} by {}", self.at, who(&self.by))
    }

    /// Refuses another account, region or endpoint than it was planned for.
    pub(super) fn check_place(&self, context: &Context<'_>) -> Result<()> {
        let cloud = &context.cloud;
        let place = |account: &str, region: &str, endpoint: Option<&str>| match endpoint {
            Some(endpoint) => format!("{endpoint}, {region}"),
            None => format!("the account {account}, {region}"),
        };
        let planned = place(&self.account, &self.region, self.endpoint.as_deref());
        let here = place(&cloud.account, &cloud.region, cloud.endpoint.url());
        if planned == here {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::WrongAccount,
            format!("the plan is for {planned}, and this is {here}"),
        )
        .hint("Use the credentials and the region that it was planned with, or plan anew here."))
    }

    /// Refuses a stage that isn't as it was when it was planned.
    pub(super) fn check_start(&self, before: &BTreeMap<StackId, Deployed>) -> Result<()> {
        let now = starts(before);
        if now == self.start {
            return Ok(());
        }
        let ids: Vec<&String> = self.start.keys().chain(now.keys()).collect();
        let mut others: Vec<&str> = ids
            .into_iter()
            .filter(|id| now.get(*id) != self.start.get(*id))
            .map(String::as_str)
            .collect();
        others.sort_unstable();
        others.dedup();
        Err(changed(&format!("{} changed since {}", others.join(", "), self.at)))
    }

    /// Refuses a plan that has become another one.
    pub(super) fn check_fingerprint(&self, fingerprint: &str) -> Result<()> {
        if self.fingerprint == fingerprint {
            Ok(())
        } else {
            Err(changed(
                "the same folder would change something else now than what was planned",
            ))
        }
    }
}

fn changed(why: &str) -> Error {
    Error::new(
        ErrorKind::ChangedMeanwhile,
        "the stage isn't what it was when it was planned for",
    )
    .cause(why)
    .hint("Nothing was changed. Plan anew with `deployer up --plan FILE`.")
}
