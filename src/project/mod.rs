//! The user's folder: stage settings, seed items and templates. Pure: no network.

pub mod naming;
pub mod seed;
pub mod source;
pub mod stages;
mod suggest;
pub mod template;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Serialize;

use crate::error::{Error, Result};
use stages::{Stage, Stages};
pub use suggest::did_you_mean;
use template::Template;

/// A tier: one stack of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The bucket of function packages.
    Artifacts,
    /// The table.
    Data,
    /// The site's bucket and its distribution.
    Presentation,
    /// The function and the API.
    Logic,
}

impl Tier {
    /// All, in an order in which none needs a later one.
    pub const ALL: [Self; 4] = [Self::Artifacts, Self::Data, Self::Presentation, Self::Logic];

    /// The last part of the stack's name and the first of the template's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Artifacts => "artifacts",
            Self::Data => "data",
            Self::Presentation => "presentation",
            Self::Logic => "logic",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A project folder with one of its stages chosen.
#[derive(Debug)]
pub struct Project {
    dir: PathBuf,
    /// The project's name.
    pub name: String,
    /// The chosen stage.
    pub stage: Stage,
    /// The templates that were asked for, in the order of [`Tier::ALL`].
    templates: [OnceLock<Template>; Tier::ALL.len()],
}

impl Project {
    /// Opens the folder `dir` and chooses `stage`.
    ///
    /// # Errors
    /// There is no `stacks/`, or `stacks/stages.yaml` is wrong or doesn't list the stage.
    pub fn open(dir: &Path, stage: &str) -> Result<Self> {
        let stacks = dir.join("stacks");
        if !stacks.is_dir() {
            return Err(Error::usage(format!("there is no {}", stacks.display()))
                .because("a project folder has stacks/, function/ and site/")
                .hint("Change to the project's folder, or name it with --project-dir."));
        }
        let file = stacks.join("stages.yaml");
        let stages = Stages::parse(&source::read(&file)?, &file)?;
        Ok(Self {
            dir: dir.to_owned(),
            stage: stages.stage(stage)?,
            name: stages.project,
            templates: Default::default(),
        })
    }

    /// The name of a tier's stack.
    pub fn stack_name(&self, tier: Tier) -> String {
        format!("{}-{}-{tier}", self.name, self.stage.name)
    }

    /// The file of a tier's template.
    pub fn template_file(&self, tier: Tier) -> PathBuf {
        self.dir.join("stacks").join(format!("{tier}.yaml"))
    }

    /// A tier's template, read once: what was planned is what is carried out, whatever is edited meanwhile.
    pub fn template(&self, tier: Tier) -> Result<&Template> {
        let slot = &self.templates[tier as usize];
        if let Some(template) = slot.get() {
            return Ok(template);
        }
        let file = self.template_file(tier);
        let template = Template::parse(&source::read(&file)?, &file)?;
        Ok(slot.get_or_init(|| template))
    }

    /// Reads the seed items, from `file` or `stacks/seed.yaml`; a missing default file means none.
    pub fn seed_items(&self, file: Option<&Path>) -> Result<Vec<seed::Item>> {
        let default = self.dir.join("stacks").join("seed.yaml");
        if file.is_none() && !default.exists() {
            return Ok(Vec::new());
        }
        let file = file.unwrap_or(&default);
        seed::parse(&source::read(file)?, file)
    }

    /// The folder of the function's crate.
    pub fn function_dir(&self) -> PathBuf {
        self.dir.join("function")
    }

    /// The folder of the site's files.
    pub fn site_dir(&self) -> PathBuf {
        self.dir.join("site")
    }

    /// Where it is remembered what the site's files are. It may be deleted at any time.
    pub fn site_memo(&self) -> PathBuf {
        self.dir.join("target").join("deployer").join("site.json")
    }

    /// The folder for what is built on the way; the project's `.gitignore` has it.
    pub fn build_dir(&self) -> PathBuf {
        self.dir.join("target").join("deployer")
    }

    /// The parameters that the stage's settings and names give to any template that declares them.
    pub fn parameters(&self) -> BTreeMap<String, String> {
        let mut parameters = self.stage.parameters.clone();
        parameters.insert("Project".to_owned(), self.name.clone());
        parameters
    }
}
