//! The sites: a shell script each, in `benchmarks/sites/`, which makes one out of what package registries have. What was
//! made is kept in the user's cache folder until its recipe changes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use benchmarks::cargo;
use benchmarks::error::{Context as _, Result};
use benchmarks::process;
use benchmarks::progress::progress;
use etcetera::BaseStrategy as _;
use sha2::{Digest as _, Sha256};
use test_support::environment;
use test_support::sites::{Kind, plain};

/// What several recipes have in common is in here, and sourced by them.
const PARTS: &str = "parts";
/// What a recipe leaves: the site…
const FIRST: &str = "out";
/// … and the same with something changed.
const NEXT: &str = "next";

/// Nothing that a site is made with is to tell anybody of it, ask anybody, or run code of packages' at their installation.
const ENVIRONMENT: [(&str, &str); 10] = [
    ("CI", "1"),
    ("DO_NOT_TRACK", "1"),
    ("ASTRO_TELEMETRY_DISABLED", "1"),
    ("NEXT_TELEMETRY_DISABLED", "1"),
    ("NUXT_TELEMETRY_DISABLED", "1"),
    ("NG_CLI_ANALYTICS", "false"),
    ("npm_config_ignore_scripts", "true"),
    ("npm_config_audit", "false"),
    ("npm_config_fund", "false"),
    ("npm_config_loglevel", "error"),
];

/// How a site is made.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    /// The script's name.
    pub(crate) name: String,
    /// The generator's or the package's, and which.
    pub(crate) version: String,
    /// What kind of server it is for.
    pub(crate) kind: Kind,
    /// Whether it has a service worker.
    pub(crate) has_worker: bool,
    script: PathBuf,
    /// Of all that it is made by.
    hash: String,
}

/// A site that was made.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    /// Its folder.
    pub(crate) first: PathBuf,
    /// That of its other edition.
    pub(crate) next: PathBuf,
    /// How many files it has.
    pub(crate) files: usize,
}

/// All recipes, or those of these names, in the order of their names.
///
/// # Errors
/// One can't be read, or isn't there.
pub(crate) fn all(only: &[String]) -> Result<Vec<Recipe>> {
    let folder = folder();
    let mut recipes = Vec::new();
    for entry in fs::read_dir(&folder).context(format_args!("could not read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "sh") {
            recipes.push(Recipe::read(&path).context(format_args!("{}", path.display()))?);
        }
    }
    recipes.sort_by(|one, other| one.name.cmp(&other.name));
    let known: BTreeSet<&str> = recipes.iter().map(|recipe| recipe.name.as_str()).collect();
    if let Some(unknown) = only.iter().find(|name| !known.contains(name.as_str())) {
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        return Err(format!("no site is called {unknown}; there are {known}").into());
    }
    recipes.retain(|recipe| only.is_empty() || only.contains(&recipe.name));
    Ok(recipes)
}

fn folder() -> PathBuf {
    cargo::here().join("sites")
}

impl Recipe {
    fn read(path: &Path) -> Result<Self> {
        let script = fs::read_to_string(path)?;
        let value = |name: &str| header(&script, name);
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
        let mut sum = Sha256::new();
        sum.update(&script);
        for part in parts(&script) {
            let part = folder().join(part);
            sum.update(fs::read(&part).context(format_args!("{}", part.display()))?);
        }
        Ok(Self {
            name: name.unwrap_or_default(),
            version: value("version").ok_or("it doesn't say its version")?.to_owned(),
            kind: value("kind").ok_or("it doesn't say its kind")?.parse::<Kind>()?,
            has_worker: value("worker") == Some("yes"),
            script: path.to_owned(),
            hash: hex::encode(&sum.finalize()[..4]),
        })
    }

    /// The site, which is made now unless it was before.
    ///
    /// # Errors
    /// It can't be made: the recipe's own words say why.
    pub(crate) fn built(&self) -> Result<Built> {
        let cache = etcetera::choose_base_strategy().context("could not find the home folder")?;
        let sites = cache.cache_dir().join("deployer").join("sites");
        let to = sites.join(format!("{}-{}", self.name, self.hash));
        if !to.exists() {
            progress(format_args!("Making {} into {}…", self.name, to.display()));
            self.build(&sites, &to)?;
        }
        let first = to.join(FIRST);
        let files = plain::files(&first)?.len();
        Ok(Built {
            first,
            next: to.join(NEXT),
            files,
        })
    }

    fn build(&self, sites: &Path, to: &Path) -> Result<()> {
        fs::create_dir_all(sites)?;
        // Beside where it goes, so that it can be moved there, and without a dot, which generators leave out.
        let work = tempfile::Builder::new()
            .prefix(&format!("building-{}-", self.name))
            .rand_bytes(4)
            .tempdir_in(sites)?;
        let kitchen = work.path().join("kitchen");
        let dish = work.path().join("dish");
        fs::create_dir(&kitchen)?;
        fs::create_dir(&dish)?;
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail"])
            .arg(&self.script)
            .current_dir(&kitchen)
            .env("RECIPES", folder());
        environment::without_secrets(&mut command, &[]);
        command.envs(ENVIRONMENT);
        process::run(&mut command).context(format_args!("could not make {}", self.name))?;
        for edition in [FIRST, NEXT] {
            let made = kitchen.join(edition);
            fs::rename(&made, dish.join(edition)).context(format_args!("the recipe left no `{edition}`"))?;
        }
        match fs::rename(&dish, to) {
            // Another made the same meanwhile.
            Err(_) if to.exists() => Ok(()),
            moved => Ok(moved?),
        }
    }
}

/// What a recipe's head says of itself: `# name: value`.
fn header<'a>(script: &'a str, name: &str) -> Option<&'a str> {
    script
        .lines()
        .map_while(|line| line.strip_prefix("# "))
        .filter_map(|line| line.split_once(": "))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// The files that a recipe sources, from the recipes' folder.
fn parts(script: &str) -> BTreeSet<String> {
    let begin = format!("$RECIPES/{PARTS}/");
    let named = script.split(&begin).skip(1).filter_map(|rest| rest.split('"').next());
    named.map(|name| format!("{PARTS}/{name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_says_what_it_is() {
        let script = "# version: astro 5\n# kind: folders\n# It is: so.\nnpm\n# worker: yes\n";
        assert_eq!(header(script, "version"), Some("astro 5"));
        assert_eq!(header(script, "kind"), Some("folders"));
        assert_eq!(header(script, "worker"), None);
    }

    #[test]
    fn what_a_recipe_sources_belongs_to_it() {
        let parts = parts(". \"$RECIPES/parts/a.sh\"\n. \"$RECIPES/parts/b.sh\"\n");
        assert_eq!(parts, ["parts/a.sh", "parts/b.sh"].map(str::to_owned).into());
    }

    #[test]
    fn every_recipe_can_be_read() {
        let recipes = all(&[]).expect("recipes");
        assert!(recipes.len() >= 20, "{}", recipes.len());
        assert!(all(&["nothing".to_owned()]).is_err());
    }
}
