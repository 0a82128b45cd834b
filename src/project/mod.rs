//! The user's folder: stage settings, seed items, templates and what they need of one another. Pure: no network.

pub(crate) mod apis;
pub(crate) mod contract;
#[cfg(test)]
mod documented;
pub(crate) mod expiry;
pub(crate) mod functions;
#[cfg(test)]
mod fuzzing;
mod json;
mod locate;
pub(crate) mod naming;
pub(crate) mod number;
mod placeholder;
pub(crate) mod roles;
pub(crate) mod samples;
pub(crate) mod seed;
pub(crate) mod seeds;
pub(crate) mod source;
pub(crate) mod stacks;
pub(crate) mod stages;
pub(crate) mod statements;
mod suggest;
pub(crate) mod tables;
pub(crate) mod template;
pub(crate) mod wiring;
pub(crate) mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use functions::Function;
pub(crate) use locate::folder;
use seed::{SeedTable, Seeds};
use stacks::{ARTIFACTS, CODE_BUCKET, StackId, StackTemplate};
use stages::{SiteSource, Stage, Stages};
pub(crate) use suggest::did_you_mean;
use wiring::{Edge, Given, Source, Wiring};

/// The outputs of the stack that the site is published to.
pub(crate) const SITE_BUCKET: &str = "SiteBucket";
/// See [`SITE_BUCKET`].
pub(crate) const DISTRIBUTION_ID: &str = "DistributionId";

/// The output that has the API's whole address.
pub(crate) const API_URL: &str = "ApiUrl";

/// What the file of seed items may be called.
const SEED_FILES: &[&str] = &["seed.yaml", "seed.yml", "seed.json", "seed.jsonl", "seed.ndjson"];

/// What the file of the app's contract may be called.
const CONTRACT_FILES: &[&str] = &["verify.yaml", "verify.yml", "verify.json"];

/// A project folder with one of its stages chosen.
#[derive(Debug)]
pub(crate) struct Project {
    dir: PathBuf,
    /// The project's name.
    pub name: String,
    /// The chosen stage.
    pub stage: Stage,
    /// Where the site's files come from.
    site: SiteSource,
    /// What is to be known of `stacks/stages.yaml`, a sentence each.
    pub warnings: Vec<String>,
    stacks: BTreeMap<StackId, StackTemplate>,
    functions: Vec<Function>,
    wiring: Wiring,
    /// What is wrong with the stacks as a whole; see [`Project::check`].
    problem: Option<Error>,
    /// `stacks/stages.yaml` without secrets.
    settings: String,
}

impl Project {
    /// Opens the folder `dir` and chooses `stage`. All of it is read here, once: what was planned is what is carried out,
    /// whatever is edited meanwhile.
    ///
    /// # Errors
    /// There is no `stacks/`, `stacks/stages.yaml` is wrong or doesn't list the stage, or something else in it is no
    /// template.
    pub(crate) fn open(dir: &Path, stage: &str) -> Result<Self> {
        Self::open_with(dir, stage, &|variable| std::env::var_os(variable))
    }

    /// The same with another environment: what settings want of it is looked up there.
    ///
    /// # Errors
    /// As [`Project::open`].
    pub(crate) fn open_with(dir: &Path, stage: &str, environment: &dyn Fn(&str) -> Option<OsString>) -> Result<Self> {
        // Paths in messages are then as one would type them.
        let dir = if dir == Path::new(".") { Path::new("") } else { dir };
        let folder = dir.join("stacks");
        if !folder.is_dir() {
            return Err(Error::new(
                ErrorKind::InvalidUsage,
                format!("there is no folder {}", folder.display()),
            )
            .cause("a project folder has stacks/, function/ and site/")
            .hint("Change to the project's folder or one in it, or name it with --project-dir; `deployer init` begins a new one."));
        }
        let file = folder.join("stages.yaml");
        let mut stages = Stages::parse(&source::read(&file)?, &file)?;
        let mut stacks = stacks::read(&folder)?;
        let declared = stacks.values().flat_map(|stack| stack.template.parameter_names());
        let declared = declared.map(str::to_owned).collect();
        let mut warnings = stages.adopt_old_spelling(&declared)?;
        warnings.extend(stacks.values().flat_map(|stack| stack.warnings.iter().cloned()));
        let stage = stages.stage_with(stage, environment)?;
        let functions: Vec<Function> = stacks.values().flat_map(functions::of_stack).collect();
        let mut problem = None;
        let makes_bucket = |stack: &StackTemplate| stack.template.has_output(CODE_BUCKET);
        if needs_artifacts(&stacks, &functions, stage.boundary.as_deref()) && !stacks.values().any(makes_bucket) {
            match stacks.get(ARTIFACTS) {
                None => {
                    let artifacts = StackTemplate::artifacts()?;
                    stacks.insert(artifacts.id.clone(), artifacts);
                }
                Some(taken) => problem = Some(without_code_bucket(taken)),
            }
        }
        let mut sites = stacks.values().filter(|stack| stack.is_site());
        if let (Some(first), Some(second)) = (sites.next(), sites.next()) {
            problem.get_or_insert(two_sites(first, second));
        }
        if stacks.is_empty() {
            problem.get_or_insert(
                Error::new(
                    ErrorKind::InvalidProject,
                    format!("there is no template in {}", folder.display()),
                )
                .hint("Each stacks/<name>.yaml with `Resources:` becomes a stack."),
            );
        }
        let wiring = Wiring::of(Given {
            stacks: &stacks,
            functions: &functions,
            parameters: &stage.parameters,
            settings: &settings(&stage, &stages.project),
        });
        if let Err(error) = check_parameters(&stage, &stacks, &wiring) {
            problem.get_or_insert(error);
        }
        let settings =
            stages.without_secrets(|parameter| stacks.values().any(|stack| stack.template.is_secret(parameter)));
        Ok(Self {
            settings,
            dir: dir.to_owned(),
            name: stages.project,
            site: stages.site,
            stage,
            warnings,
            stacks,
            functions,
            wiring,
            problem,
        })
    }

    /// Refuses a project that can't be deployed: its stacks don't fit one another or the settings. What is deployed of it
    /// can be looked at and removed all the same.
    ///
    /// # Errors
    /// Names the file and what to do, as bad input.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_as_a_whole()?;
        self.check_templates(|_| true)
    }

    /// The first half of [`Self::check`]: whether the stacks fit one another and the settings.
    ///
    /// # Errors
    /// Names the file and what to do, as bad input.
    pub(crate) fn check_as_a_whole(&self) -> Result<()> {
        match &self.problem {
            Some(problem) => Err(problem.clone()),
            None => self.wiring.check(),
        }
    }

    /// The other half: what can be seen in each template that `is_sent`.
    ///
    /// # Errors
    /// Names the file and what to do, as bad input.
    pub(crate) fn check_templates(&self, is_sent: impl Fn(&StackId) -> bool) -> Result<()> {
        let stacks = self.stacks.values().filter(|stack| is_sent(&stack.id));
        stacks.into_iter().try_for_each(StackTemplate::check)
    }

    /// The stacks, each after those that it waits for.
    pub(crate) fn stacks(&self) -> impl DoubleEndedIterator<Item = &StackTemplate> {
        self.wiring.order().iter().filter_map(|id| self.stacks.get(id))
    }

    /// One stack.
    pub(crate) fn stack(&self, id: &StackId) -> Option<&StackTemplate> {
        self.stacks.get(id)
    }

    /// What feeds what.
    pub(crate) fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    /// Whether what gets its value by an edge can do without.
    pub(crate) fn has_default(&self, edge: &Edge) -> bool {
        let consumer = self.stack(&edge.consumer);
        consumer.is_some_and(|stack| stack.template.default_of(&edge.parameter).is_some())
    }

    /// The functions whose code is uploaded.
    pub(crate) fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The stack that the site is published to.
    pub(crate) fn site_stack(&self) -> Option<&StackTemplate> {
        self.stacks.values().find(|stack| stack.is_site())
    }

    /// What the object is to have that tells pages what is deployed: each name with the stack and the output that has its value. Nothing unless
    /// the stage asks for it, where the site `has_own` or no template says the API's address.
    ///
    /// # Errors
    /// An output isn't there, or several stacks have it; or the site has a file of its name beside what the stage
    /// asks for.
    pub(crate) fn site_config(&self, has_own: bool) -> Result<Vec<(String, StackId, String)>> {
        let Some(said) = &self.stage.site_config else {
            let address = self
                .stacks
                .values()
                .filter(|stack| stack.template.has_output(API_URL))
                .collect::<Vec<_>>();
            return Ok(match address.as_slice() {
                [only] if !has_own => vec![("apiUrl".to_owned(), only.id.clone(), API_URL.to_owned())],
                _ => Vec::new(),
            });
        };
        if has_own && !said.is_empty() {
            let file = self.site_dir().join(&self.stage.site.config_file);
            return Err(Error::new(ErrorKind::InvalidProject, format!("{} is in the way", file.display())).hint(
                "`siteConfig` in stacks/stages.yaml makes a file of that name. Keep both with another name for that one, as in \
                 `siteConfigFile: deployed.json`, or leave out one of them.",
            ));
        }
        said.iter()
            .map(|(name, output)| {
                let (stack, output) = self.output_called(output).map_err(|(what, hint)| {
                    Error::new(
                        ErrorKind::InvalidProject,
                        format!("stacks/stages.yaml: `siteConfig` has `{name}: {output}`: {what}"),
                    )
                    .hint(hint)
                })?;
                Ok((name.clone(), stack, output))
            })
            .collect()
    }

    /// The stack and the output that `Output` or `stack.Output` means; else what is wrong with it, and what to do.
    pub(crate) fn output_called(&self, name: &str) -> Result<(StackId, String), (String, String)> {
        let (stack, output) = match name.split_once('.') {
            Some((stack, output)) => (Some(stack), output),
            None => (None, name),
        };
        if let Some(id) = stack.filter(|id| !self.stacks.contains_key(*id)) {
            let known: Vec<&str> = self.stacks.keys().map(StackId::as_str).collect();
            let hint = did_you_mean(id, &known).map_or(format!("There is {}.", known.join(", ")), |near| {
                format!("Did you mean `{near}`?")
            });
            return Err((format!("there is no stack `{id}`"), hint));
        }
        let is_it = |other: &&StackTemplate| stack.is_none_or(|id| other.id == *id);
        let found: Vec<&StackTemplate> = self
            .stacks
            .values()
            .filter(is_it)
            .filter(|other| other.template.has_output(output))
            .collect();
        match found.as_slice() {
            [only] => Ok((only.id.clone(), output.to_owned())),
            [] => {
                let known: Vec<&str> = self
                    .stacks
                    .values()
                    .filter(is_it)
                    .flat_map(|other| other.template.outputs().map(|(name, _)| name))
                    .collect();
                let hint = did_you_mean(output, &known).map_or_else(
                    || "Name one that stands under `Outputs:` of a template.".to_owned(),
                    |near| format!("Did you mean `{near}`?"),
                );
                Err((format!("no template has an output `{output}`"), hint))
            }
            [first, second, ..] => Err((
                format!("{} and {} both have an output of that name", first.id, second.id),
                format!("Say which: `{}.{output}` or `{}.{output}`.", first.id, second.id),
            )),
        }
    }

    /// The stack whose output [`CODE_BUCKET`] names the bucket that packages, the publishing ledger and, for a moment, large
    /// templates are in.
    pub(crate) fn artifacts_stack(&self) -> Option<&StackTemplate> {
        self.stacks
            .values()
            .find(|stack| stack.template.has_output(CODE_BUCKET))
    }

    /// Whether a stack's template may have to go through that bucket.
    pub(crate) fn may_be_large(&self, id: &StackId) -> bool {
        self.stack(id)
            .is_some_and(|stack| stack.may_be_large(self.stage.boundary.as_deref()))
    }

    /// What the names of all stacks of this stage begin with.
    pub(crate) fn stack_prefix(&self) -> String {
        format!("{}-{}-", self.name, self.stage.name)
    }

    /// The name of a stack in its stage's own region.
    pub(crate) fn stack_name(&self, id: &StackId) -> String {
        format!("{}{id}", self.stack_prefix())
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// The values of a stack's parameters that are known before anything is deployed, but for defaults.
    pub(crate) fn known_values(&self, stack: &StackId) -> BTreeMap<String, String> {
        let known = self.wiring.sources(stack).filter_map(|(name, source)| match source {
            Source::Parameters(value) | Source::Stage(value) => Some((name.to_owned(), value.clone())),
            Source::Output(_) | Source::Package | Source::Site | Source::Default(_) => None,
        });
        known.collect()
    }

    /// Reads the seed items, from `file` or `stacks/seed.yaml`; a missing default file means none.
    ///
    /// # Errors
    /// Names file and line of what is wrong, or both files where two could be meant.
    fn seed_items(&self, file: Option<&Path>, tables: &[SeedTable], table: Option<&str>) -> Result<Seeds> {
        let folder = self.dir.join("stacks");
        let defaults: Vec<PathBuf> = SEED_FILES
            .iter()
            .map(|name| folder.join(name))
            .filter(|file| file.exists())
            .collect();
        let file = match (file, defaults.as_slice()) {
            (Some(file), _) => {
                seed::Format::of(file)?;
                if !file.exists() {
                    let what = format!("--file {}: there is no such file", file.display());
                    return Err(Error::new(ErrorKind::InvalidUsage, what)
                        .hint("It is looked for from the folder that you are in, whatever the project's is."));
                }
                if file.is_dir() {
                    let what = format!("--file {} is a folder", file.display());
                    return Err(Error::new(ErrorKind::InvalidUsage, what).hint("Name a file in it."));
                }
                file
            }
            (None, []) => return Ok(Seeds::default()),
            (None, [only]) => only,
            (None, [first, second, ..]) => {
                return Err(Error::new(
                    ErrorKind::InvalidProject,
                    format!("{} and {} both have seed items", first.display(), second.display()),
                )
                .hint("Put all of them into one file, and remove the other."));
            }
        };
        seed::parse(&source::read(file)?, file, tables, table)
    }

    /// The files that the app's contract may be in, where there are any.
    pub(crate) fn contract_files(&self) -> Vec<PathBuf> {
        let folder = self.dir.join("stacks");
        CONTRACT_FILES
            .iter()
            .map(|name| folder.join(name))
            .filter(|file| file.exists())
            .collect()
    }

    /// The folder of the function's crate.
    pub(crate) fn function_dir(&self) -> PathBuf {
        self.dir.join("function")
    }

    /// The same with the site's files as they are in `dir`, which is in the project's folder: nothing makes them anew.
    pub(crate) fn with_site_in(mut self, dir: &str) -> Self {
        self.site = SiteSource {
            build: None,
            dir: Some(dir.into()),
            from: Some(PathBuf::new()),
        };
        self
    }

    /// Whether a parameter of a template is one that CloudFormation shows to nobody.
    pub(crate) fn is_secret(&self, parameter: &str) -> bool {
        self.stacks.values().any(|stack| stack.template.is_secret(parameter))
    }

    /// Its templates and settings, by their paths in the project's folder, as they were when it was opened; the settings
    /// without the values of secret parameters.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let settings = ("stacks/stages.yaml".to_owned(), self.settings.clone().into_bytes());
        let templates = self.stacks.values().filter_map(|stack| {
            let path = self.path_of(stack)?;
            Some((path, stack.text.as_bytes().to_vec()))
        });
        templates.chain([settings]).collect()
    }

    /// Where a stack's template is in the project's folder; nowhere if the deployer brings it.
    pub(crate) fn path_of(&self, stack: &StackTemplate) -> Option<String> {
        let inner = stack.file.strip_prefix(&self.dir).ok()?;
        inner
            .starts_with("stacks")
            .then(|| inner.to_string_lossy().into_owned())
    }

    /// The folder of the site's files.
    pub(crate) fn site_dir(&self) -> PathBuf {
        match &self.site.dir {
            Some(dir) => self.site_base().join(dir),
            None => self.dir.join("site"),
        }
    }

    /// What makes the site's files, if anything does: a program with its arguments.
    pub(crate) fn site_build(&self) -> Option<&[String]> {
        self.site.build.as_deref()
    }

    /// The folder in which that runs, and which `dir` is in: that which `in` says, else the project's, unless only `site/` is a
    /// package.
    pub(crate) fn site_base(&self) -> PathBuf {
        const PACKAGE: &str = "package.json";
        let site = self.dir.join("site");
        match &self.site.from {
            Some(from) => self.dir.join(from),
            None if !self.dir.join(PACKAGE).exists() && site.join(PACKAGE).exists() => site,
            None => self.dir.clone(),
        }
    }

    /// Where it is remembered what the site's files are. It may be deleted at any time.
    pub(crate) fn site_cache(&self) -> PathBuf {
        self.dir.join("target").join("deployer").join("site.json")
    }

    /// The folder for what is built on the way; the project's `.gitignore` has it.
    pub(crate) fn build_dir(&self) -> PathBuf {
        self.dir.join("target").join("deployer")
    }
}

/// The stages that the project in `dir` has.
///
/// # Errors
/// `stacks/stages.yaml` can't be read.
pub(crate) fn stage_names(dir: &Path) -> Result<Vec<String>> {
    let file = dir.join("stacks").join("stages.yaml");
    let stages = Stages::parse(&source::read(&file)?, &file)?;
    Ok(stages.names().map(str::to_owned).collect())
}

/// Whether a bucket for packages, the publishing ledger or large templates is needed.
fn needs_artifacts(stacks: &BTreeMap<StackId, StackTemplate>, functions: &[Function], boundary: Option<&str>) -> bool {
    functions.iter().any(|function| function.bucket_parameter.is_some())
        || stacks
            .values()
            .any(|stack| stack.is_site() || stack.may_be_large(boundary))
}

fn two_sites(first: &StackTemplate, second: &StackTemplate) -> Error {
    second
        .error(
            &["Outputs", SITE_BUCKET],
            format!(
                "the stacks {} and {} both have the outputs `{SITE_BUCKET}` and `{DISTRIBUTION_ID}`, and the site is published \
                 to one",
                first.id, second.id
            ),
        )
        .hint(format!("Rename the outputs of one of the two: {} or {}.", first.file.display(), second.file.display()))
}

fn without_code_bucket(taken: &StackTemplate) -> Error {
    taken
        .error(&["Outputs"], format!("no template has an output `{CODE_BUCKET}`, the bucket for packages and large templates"))
        .cause(format!(
            "the deployer would bring a stack `{ARTIFACTS}` with one, but {} is called so",
            taken.file.display()
        ))
        .hint(format!(
            "If that template makes the bucket, call the output that names it `{CODE_BUCKET}`; else give the file another \
             name, or remove it."
        ))
}

/// What a stage is, by the names that templates' parameters have for it.
fn settings(stage: &Stage, project: &str) -> BTreeMap<String, String> {
    [
        ("Project", project.to_owned()),
        ("Stage", stage.name.clone()),
        ("Protected", stage.protected.to_string()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Refuses values under `parameters:` that would have no effect.
fn check_parameters(stage: &Stage, stacks: &BTreeMap<StackId, StackTemplate>, wiring: &Wiring) -> Result<()> {
    let declared: BTreeSet<&str> = stacks
        .values()
        .flat_map(|stack| stack.template.parameter_names())
        .collect();
    for name in stage.parameters.keys() {
        let at = |what: String| stage.place_of(name).refuse(Error::new(ErrorKind::InvalidProject, what));
        if !declared.contains(name.as_str()) {
            let known: Vec<&str> = declared.iter().copied().collect();
            let error = at(format!("no template has a parameter `{name}`"));
            return Err(match did_you_mean(name, &known) {
                Some(near) => error.hint(format!("Did you mean `{near}`?")),
                None => error.hint("Declare it under `Parameters:` of the template that is to use it."),
            });
        }
        let takes_it = |stack: &StackTemplate| {
            let mut sources = wiring.sources(&stack.id);
            sources.any(|(parameter, source)| parameter == name && matches!(source, Source::Parameters(_)))
        };
        if !stacks.values().any(takes_it) {
            return Err(at(format!(
                "the parameter `{name}` is given by `Inputs` of the template that declares it"
            ))
            .hint("Leave it out under `parameters:`, where it has no effect, or under `Inputs`."));
        }
    }
    Ok(())
}
