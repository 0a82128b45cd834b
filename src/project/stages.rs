//! `stacks/stages.yaml`: the project's name and its stages' settings.
//!
//! Values are taken as they are written: to YAML `1.10` is the number 1.1, `012` perhaps 10, and an account's number loses
//! the zeros that it begins with.

mod pattern;
mod site;
#[cfg(test)]
mod strings;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::expiry::Expiry;
use super::placeholder::{self, Values};
use super::source::{self, Place};
use super::suggest::did_you_mean;
use super::yaml::{self, Kind, Name, Node, Span};
use crate::error::{Error, ErrorKind, Result};
use crate::site::settings::{Directive, Settings};
use site::SiteSection;
pub(crate) use site::SiteSource;

/// The parsed file.
#[derive(Debug)]
pub(crate) struct Stages {
    /// The project's name, the first part of every stack's name.
    pub project: String,
    /// Where the site's files come from.
    pub site: SiteSource,
    defaults: Section,
    /// By their names, or the patterns of names.
    stages: BTreeMap<String, Section>,
    source: Source,
}

/// What a stage, or `defaults`, says. Absent means: the next level decides.
#[derive(Debug, Default)]
struct Section {
    /// Where its name stands; `defaults` has none.
    at: Option<Span>,
    protected: Option<bool>,
    local: Option<(bool, Spot)>,
    expires: Option<(Expiry, Span)>,
    region: Option<Written>,
    account: Option<(String, Spot)>,
    profile: Option<Written>,
    boundary: Option<Written>,
    site: SiteSection,
    seed: Option<Seeding>,
    site_config: Option<BTreeMap<String, Written>>,
    parameters: BTreeMap<String, Written>,
    /// Keys that aren't any of these: parameters in the old spelling, or slips. Only the templates can tell.
    others: Vec<(String, Written)>,
}

/// What a section may say.
const SETTINGS: &[&str] = &[
    "account",
    "boundary",
    "local",
    "expires",
    "parameters",
    "profile",
    "protected",
    "region",
    "seed",
    "siteConfig",
];

/// The same with those about the site, in order.
fn settings() -> impl Iterator<Item = &'static str> {
    let directives = Directive::ALL.iter().map(|directive| directive.setting());
    let all: BTreeSet<&str> = SETTINGS
        .iter()
        .chain(site::SETTINGS)
        .copied()
        .chain(directives)
        .collect();
    all.into_iter()
}

/// The parameters that names and settings give; `parameters` may not, or there would be two sources of one value.
const FROM_STAGE: &[&str] = &["Project", "Protected", "Stage"];

/// A value as it is written, its placeholders in it.
#[derive(Debug, Clone)]
struct Written {
    text: String,
    at: Spot,
}

/// Where a key and its value stand.
#[derive(Debug, Clone, Copy)]
struct Spot {
    key: Span,
    value: Span,
}

/// The file that everything is from, for messages.
#[derive(Debug, Clone)]
struct Source {
    file: PathBuf,
    text: Arc<str>,
}

impl Source {
    fn at(&self, span: Span) -> Place {
        source::at_span(&self.file, Arc::clone(&self.text), Some(span.range()))
    }
}

/// A Lambda instruction set, named as AWS names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Architecture {
    /// 64-bit Intel and AMD.
    X86_64,
    /// 64-bit Arm (Graviton).
    Arm64,
}

impl Architecture {
    /// All there are.
    pub(crate) const ALL: [Self; 2] = [Self::X86_64, Self::Arm64];

    /// AWS's name for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// This machine's, when Lambda has it.
    pub(crate) fn of_this_host() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }
}

/// When `up` adds the seed items that a table lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seeding {
    /// In each run: what was deleted comes back.
    Always,
    /// Until all of a table's were there once: what is deleted later stays so.
    Once,
    /// In none.
    Never,
}

impl Seeding {
    const ALL: [Self; 3] = [Self::Always, Self::Once, Self::Never];

    /// As it is written.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Once => "once",
            Self::Never => "never",
        }
    }
}

/// An environment variable of this process.
pub(crate) fn environment(variable: &str) -> Option<OsString> {
    std::env::var_os(variable)
}

/// Where a stage is, as far as the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StagePlace {
    /// Its region.
    pub region: Option<String>,
    /// The profile that its credentials come from.
    pub profile: Option<String>,
    /// The number of the only account that it is to be in.
    pub account: Option<String>,
    /// Whether that is the local cloud, and never AWS.
    pub local: bool,
}

/// One stage's settings, with every default filled in.
#[derive(Clone)]
pub(crate) struct Stage {
    /// The stage's name: `[a-z][a-z0-9-]*`, part of every stack's and most resources' names.
    pub name: String,
    /// Keeps its data: recovery, deletion protection, and `down` leaves the stack.
    pub protected: bool,
    /// Always on the local cloud, and never on AWS.
    pub local: bool,
    /// How long after its last `up` it may go, if it says; a protected stage doesn't.
    pub expires: Option<Expiry>,
    /// The region the project wants, if it says.
    pub region: Option<String>,
    /// The number of the only account that the stage is to be in, if it says: 12 digits.
    pub account: Option<String>,
    /// The AWS profile that its credentials come from, if it says and nobody names another.
    pub profile: Option<String>,
    /// The permissions boundary of each role whose template gives it none, if it says: a policy's name or ARN.
    pub boundary: Option<String>,
    /// How its site is published.
    pub site: Settings,
    /// When `up` adds seed items that are missing. A protected stage's data is its users': once, if it doesn't say.
    pub seed: Seeding,
    /// The names in the site's `config.json`, each with the output that has its value: `Output` or `stack.Output`.
    pub site_config: Option<BTreeMap<String, String>>,
    /// Values for the templates' parameters, by parameter name.
    pub parameters: BTreeMap<String, String>,
    /// The environment variables that its settings have something of.
    variables: Vec<Variable>,
    spots: BTreeMap<String, Spot>,
    /// Where it says that it is always on the local cloud.
    says_local: Option<Spot>,
    source: Source,
}

/// An environment variable that a setting has something of.
#[derive(Clone)]
struct Variable {
    /// The parameter, where it is the value of one.
    parameter: Option<String>,
    name: String,
    value: String,
}

/// Without the values, some of which may be secret.
impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage")
            .field("name", &self.name)
            .field("parameters", &self.parameters.keys())
            .finish_non_exhaustive()
    }
}

impl Stage {
    /// Whether a parameter's value has something of an environment variable in it, and so may be secret: it is to be shown
    /// nowhere.
    pub(crate) fn is_from_environment(&self, parameter: &str) -> bool {
        let mut variables = self.variables.iter();
        variables.any(|variable| variable.parameter.as_deref() == Some(parameter))
    }

    /// The environment variables that its settings have something of, with their values, but for those that a secret
    /// parameter has something of.
    pub(crate) fn variables(&self, is_secret: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
        let is_secret = |variable: &&Variable| variable.parameter.as_deref().is_some_and(&is_secret);
        let secret: BTreeSet<&str> = self
            .variables
            .iter()
            .filter(is_secret)
            .map(|variable| &*variable.name)
            .collect();
        let variables = self.variables.iter();
        variables
            .filter(|variable| !secret.contains(&*variable.name))
            .map(|variable| (variable.name.clone(), variable.value.clone()))
            .collect()
    }

    /// Where the file names a parameter.
    pub(crate) fn place_of(&self, parameter: &str) -> Place {
        self.place(self.spots.get(parameter).map(|spot| spot.key))
    }

    /// Where the file says that the stage is always on the local cloud.
    pub(crate) fn place_of_local(&self) -> Place {
        self.place(self.says_local.map(|spot| spot.key))
    }

    fn place(&self, span: Option<Span>) -> Place {
        source::at_span(&self.source.file, Arc::clone(&self.source.text), span.map(Span::range))
    }
}

/// What stands before a parameter's name in the variable that is put in the place of a secret.
pub(crate) const SECRET: &str = "DEPLOYER_SECRET_";

/// Room for the stage and the longest suffix in a bucket's 63 characters (account 12, region 14, "-artifacts-").
const LONGEST_PROJECT: usize = 20;

impl Stages {
    /// Parses `text`; `file` is how messages name it.
    ///
    /// # Errors
    /// Names the file, the line and the key that is wrong.
    pub(crate) fn parse(text: &str, file: &Path) -> Result<Self> {
        let source = Source {
            file: file.to_owned(),
            text: text.into(),
        };
        let root = source::tree(text, file)?
            .merged(file)
            .map_err(|error| source::shown(error, file, text))?;
        let reader = Reader { source: &source };
        let mut project = None;
        let mut site = SiteSource::default();
        let mut defaults = Section::default();
        let mut stages = None;
        for entry in reader.entries(&root)? {
            match entry.name {
                "project" => project = Some(reader.project(&entry)?),
                "site" => site = reader.site_source(&entry)?,
                "defaults" => defaults = reader.section(entry.value)?,
                "stages" => stages = Some(reader.stages(entry.value)?),
                name => {
                    let error = reader.unknown(name, entry.key.span, &["project", "site", "defaults", "stages"]);
                    return Err(error.hint("Settings stand under `defaults:` or a stage."));
                }
            }
        }
        let missing = |name: &str| {
            Error::new(
                ErrorKind::InvalidProject,
                format!("{} has no `{name}:`", file.display()),
            )
            .hint("The file begins with `project: NAME`, and has the stages under `stages:`.")
        };
        let stages = stages.ok_or_else(|| missing("stages"))?;
        for (name, section) in &stages {
            reader.check_expiry(name, section, &defaults)?;
        }
        Ok(Self {
            project: project.ok_or_else(|| missing("project"))?,
            site,
            defaults,
            stages,
            source,
        })
    }

    /// Reads the file of a project's folder.
    ///
    /// # Errors
    /// It isn't there, or is wrong.
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let dir = if dir == Path::new(".") { Path::new("") } else { dir };
        let file = dir.join("stacks").join("stages.yaml");
        Self::parse(&source::read(&file)?, &file)
    }

    /// The section of a stage: its own, or that of the pattern which fits it best; none if there is none.
    ///
    /// # Errors
    /// Two patterns fit it equally well.
    fn section_of(&self, name: &str) -> Result<Option<&Section>> {
        if let Some(own) = self.stages.get(name) {
            return Ok(Some(own));
        }
        match pattern::best(self.stages.keys().map(String::as_str), name) {
            pattern::Best::None => Ok(None),
            pattern::Best::One(pattern) => Ok(self.stages.get(pattern)),
            pattern::Best::Two(first, second) => {
                let what =
                    format!("`{first}` and `{second}` both fit the stage `{name}`, neither better than the other");
                let mut places = [first, second].into_iter().filter_map(|pattern| {
                    let span = self.stages.get(pattern)?.at?;
                    Some(self.source.at(span))
                });
                let error = Error::new(ErrorKind::InvalidProject, what);
                let error = match places.next() {
                    Some(place) => place.label("the first").refuse(error),
                    None => error,
                };
                let error = places.fold(error, |error, place| {
                    let error = error.cause(format!("the other stands in {place}"));
                    place.label("the other").show_in(error)
                });
                Err(error.hint(format!(
                    "The one that begins with more of the name counts. Give `{name}` an entry of its own, or one of the two a \
                     longer beginning."
                )))
            }
        }
    }

    /// Whether a stage of this name is one: by an entry of its own or by a pattern.
    ///
    /// # Errors
    /// Two patterns fit it equally well.
    pub(crate) fn lists(&self, name: &str) -> Result<bool> {
        self.section_of(name).map(|section| section.is_some())
    }

    /// Whether the file says that a stage of this name is protected.
    ///
    /// # Errors
    /// Two patterns fit it equally well.
    pub(crate) fn says_protected(&self, name: &str) -> Result<bool> {
        let section = self.section_of(name)?;
        let own = section.and_then(|section| section.protected);
        Ok(own.or(self.defaults.protected).unwrap_or(false))
    }

    /// The names of the stages that are listed as protected, patterns among them.
    pub(crate) fn protected_names(&self) -> Vec<String> {
        let is_protected = |section: &Section| section.protected.or(self.defaults.protected).unwrap_or(false);
        let protected = self.stages.iter().filter(|(_, section)| is_protected(section));
        protected.map(|(name, _)| name.clone()).collect()
    }

    /// Where a stage is, as far as the file says: by its own entry if it has one, else by the defaults.
    ///
    /// # Errors
    /// A setting wants an environment variable that isn't set; or two patterns fit the name equally well.
    pub(crate) fn place_of_stage(
        &self,
        name: &str,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<StagePlace> {
        check_name("stage", name, LONGEST_STAGE)?;
        let own = self.section_of(name)?;
        self.place_by(own, name, environment)
    }

    /// Where the stages are that may expire: as the first entry says that expires, else as the stage `name` does.
    ///
    /// # Errors
    /// As [`Self::place_of_stage`].
    pub(crate) fn place_of_expiring(
        &self,
        name: &str,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<StagePlace> {
        let mut expiring: Vec<&Section> = self
            .stages
            .values()
            .filter(|section| section.expires.is_some())
            .collect();
        expiring.sort_by_key(|section| section.at.map(|at| at.start));
        match expiring.first() {
            Some(first) => self.place_by(Some(*first), name, environment),
            None => self.place_of_stage(name, environment),
        }
    }

    fn place_by(
        &self,
        own: Option<&Section>,
        name: &str,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<StagePlace> {
        let reader = Reader { source: &self.source };
        let values = Values {
            stage: name,
            project: &self.project,
            environment,
        };
        let text = |what: &str, of: fn(&Section) -> Option<&Written>| {
            let written = own.and_then(of).or_else(|| of(&self.defaults));
            let expanded = written.map(|written| {
                let expanded = values.expand(&written.text);
                expanded
                    .map(|expanded| expanded.text)
                    .map_err(|variable| reader.no_variable(&variable, name, what, written, environment))
            });
            expanded.transpose()
        };
        let says_local = |section: &Section| section.local.as_ref().map(|(local, _)| *local);
        let local = own
            .and_then(says_local)
            .or_else(|| says_local(&self.defaults))
            .unwrap_or_default();
        let account = |section: &Section| section.account.as_ref().map(|(number, _)| number.clone());
        Ok(StagePlace {
            region: text("region", |section| section.region.as_ref())?,
            // What is said of AWS is about stages that are there.
            profile: text("profile", |section| section.profile.as_ref())?.filter(|_| !local),
            account: own
                .and_then(account)
                .or_else(|| account(&self.defaults))
                .filter(|_| !local),
            local,
        })
    }

    /// The file without the values of parameters that are secret: in their place stands a variable, [`SECRET`] and the
    /// parameter's name.
    pub(crate) fn without_secrets(&self, is_secret: impl Fn(&str) -> bool) -> String {
        let text = &*self.source.text;
        let mut values: BTreeMap<usize, (usize, &str)> = BTreeMap::new();
        for section in self.sections() {
            for (parameter, written) in section.parameters.iter().filter(|(name, _)| is_secret(name)) {
                let (key, value) = (written.at.key.range(), written.at.value.range());
                // A block's content begins a line after what says that it is one.
                let between = text.get(key.end..value.start);
                let between = between.filter(|between| between.contains(['|', '>']));
                let start = between.and_then(|between| between.find(':'));
                values.insert(start.map_or(value.start, |at| key.end + at + 1), (value.end, parameter));
            }
        }
        let mut without = text.to_owned();
        for (start, (end, parameter)) in values.into_iter().rev() {
            let is_block = text.get(..start).is_some_and(|before| before.ends_with(':'));
            let before = if is_block { " " } else { "" };
            let after = if text.get(..end).is_some_and(|value| value.ends_with('\n')) {
                "\n"
            } else {
                ""
            };
            without.replace_range(start..end, &format!("{before}\"${{env:{SECRET}{parameter}}}\"{after}"));
        }
        without
    }

    fn sections(&self) -> impl Iterator<Item = &Section> {
        std::iter::once(&self.defaults).chain(self.stages.values())
    }

    /// Takes `tableName: x` in a section for the parameter `TableName`, as earlier versions did, if `declared`, the
    /// parameters of all templates, has that. Says how to write it, a sentence each.
    ///
    /// # Errors
    /// A key that isn't one of those either, or one whose parameter is given under `parameters:` as well.
    pub(crate) fn adopt_old_spelling(&mut self, declared: &BTreeSet<String>) -> Result<Vec<String>> {
        let reader = Reader { source: &self.source };
        let mut adopted = Vec::new();
        for section in std::iter::once(&mut self.defaults).chain(self.stages.values_mut()) {
            for (key, written) in std::mem::take(&mut section.others) {
                let name = upper_camel(&key);
                let is_old = key.starts_with(|c: char| c.is_ascii_lowercase())
                    && declared.contains(&name)
                    && !FROM_STAGE.contains(&name.as_str());
                if !is_old {
                    return Err(reader.unknown_setting(&key, written.at.key, declared));
                }
                reader.check_placeholders(&written.text, written.at.value)?;
                if let Some(other) = section.parameters.get(&name) {
                    let error = Error::new(
                        ErrorKind::InvalidProject,
                        format!("`{key}` is `{name}` in an old spelling, and is there twice"),
                    );
                    let error = self.source.at(written.at.key).label("the old spelling").refuse(error);
                    return Err(self
                        .source
                        .at(other.at.key)
                        .label("the same parameter")
                        .show_in(error)
                        .hint(format!("Take `{key}` out.")));
                }
                adopted.push((written.at.key.start, key, name.clone()));
                section.parameters.insert(name, written);
            }
        }
        adopted.sort();
        let (mut counted, mut line) = (0, 1);
        Ok(adopted
            .into_iter()
            .map(|(start, key, name)| {
                line += self.source.text[counted..start as usize].matches('\n').count();
                counted = start as usize;
                let file = self.source.file.display();
                format!("{file}:{line}: write `{key}` as `{name}` under `parameters:`; this spelling goes away")
            })
            .collect())
    }

    /// The stages that the file lists.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.stages.keys().map(String::as_str)
    }

    /// The settings of the stage `name`.
    ///
    /// # Errors
    /// A name that AWS would refuse, or one that the file doesn't list, with the nearest that it does; an environment
    /// variable that the stage wants and that isn't set; a key that is no setting.
    #[cfg(test)]
    pub(crate) fn stage(&self, name: &str) -> Result<Stage> {
        self.stage_with(name, &|variable| std::env::var_os(variable))
    }

    /// The same, looking variables up in `environment`.
    ///
    /// # Errors
    /// There is no such stage, or one of its settings wants a variable that isn't set.
    pub(crate) fn stage_with(&self, name: &str, environment: &dyn Fn(&str) -> Option<OsString>) -> Result<Stage> {
        check_name("stage", name, LONGEST_STAGE)?;
        let reader = Reader { source: &self.source };
        let file = self.source.file.display();
        let Some(own) = self.section_of(name)? else {
            let known: Vec<&str> = self.stages.keys().map(String::as_str).collect();
            return Err(Error::new(
                ErrorKind::InvalidUsage,
                match known.as_slice() {
                    [] => format!("{file} has no stage `{name}`, and no other"),
                    known => format!("{file} has no stage `{name}`; it has {}", known.join(", ")),
                },
            )
            .hint(match did_you_mean(name, &known) {
                Some(near) => format!("Did you mean `--stage {near}`?"),
                None => format!("Add `{name}:` under `stages:` in {file} to make it one."),
            }));
        };
        if let Some((key, written)) = self.sections().flat_map(|section| &section.others).next() {
            return Err(reader.unknown_setting(key, written.at.key, &BTreeSet::new()));
        }
        let values = Values {
            stage: name,
            project: &self.project,
            environment,
        };
        let variables = RefCell::new(Vec::new());
        let expand_for = |what: &str, written: &Written, parameter: Option<&str>| {
            let expanded = values.expand(&written.text);
            let used = expanded.iter().flat_map(|expanded| &expanded.variables);
            variables.borrow_mut().extend(used.map(|(name, value)| Variable {
                parameter: parameter.map(str::to_owned),
                name: name.clone(),
                value: value.clone(),
            }));
            expanded.map_err(|variable| reader.no_variable(&variable, name, what, written, environment))
        };
        let expand = |what: &str, written: &Written| expand_for(what, written, None);
        // The stage's own goes before a default, and a default that isn't used wants no variable.
        let merged = |of: fn(&Section) -> Option<&BTreeMap<String, Written>>| {
            let levels = [of(&self.defaults), of(own)].into_iter().flatten().flatten();
            levels.collect::<BTreeMap<&String, &Written>>()
        };
        let mut parameters = BTreeMap::new();
        let mut spots = BTreeMap::new();
        for (parameter, written) in merged(|section| Some(&section.parameters)) {
            let expanded = expand_for(parameter, written, Some(parameter))?;
            parameters.insert(parameter.clone(), expanded.text);
            spots.insert(parameter.clone(), written.at);
        }
        let says_site_config = own.site_config.is_some() || self.defaults.site_config.is_some();
        let site_config = says_site_config.then(|| {
            merged(|section| section.site_config.as_ref())
                .into_iter()
                .map(|(entry, written)| {
                    let output = expand(entry, written)?.text;
                    check_output(&output).map_err(|what| {
                        let error = reader.refuse(written.at.value, &what);
                        error.hint("Name an output of a template, as in `siteConfig: { apiUrl: logic.ApiUrl }`.")
                    })?;
                    Ok((entry.clone(), output))
                })
                .collect::<Result<_>>()
        });
        let setting = |what: &str, of: fn(&Section) -> Option<&Written>| {
            let written = of(own).or_else(|| of(&self.defaults));
            written
                .map(|written| Ok::<_, Error>((expand(what, written)?.text, &written.at)))
                .transpose()
        };
        let text = |what: &str, of| Ok::<_, Error>(setting(what, of)?.map(|(text, _)| text));
        let boundary = match setting("boundary", |section| section.boundary.as_ref())? {
            Some((boundary, at)) => Some(check_boundary(boundary).map_err(|boundary| {
                let what = format!("`{boundary}` is neither a policy's name nor its ARN");
                let hint = "Name a managed policy of the account, as in `boundary: shop-function-boundary`.";
                reader.refuse(at.value, &what).hint(hint)
            })?),
            None => None,
        };
        let protected = own.protected.or(self.defaults.protected).unwrap_or(false);
        let local = own.local.or(self.defaults.local).filter(|(local, _)| *local);
        if local.is_some() {
            // Of all stages' defaults a local one takes what it can use; what is said of it alone is meant.
            let of_aws = own.account.as_ref().map(|(_, at)| ("account", at));
            let of_aws = of_aws.or(own.profile.as_ref().map(|written| ("profile", &written.at)));
            if let Some((setting, at)) = of_aws {
                let what = format!("`{setting}` is about AWS, and the stage `{name}` is `local: true`, never there");
                return Err(reader.refuse(at.key, &what).hint("Take out one of the two."));
            }
        }
        let seed = if protected { Seeding::Once } else { Seeding::Always };
        Ok(Stage {
            name: name.to_owned(),
            protected,
            local: local.is_some(),
            says_local: local.map(|(_, at)| at),
            expires: own.expires.or(self.defaults.expires).map(|(expiry, _)| expiry),
            seed: own.seed.or(self.defaults.seed).unwrap_or(seed),
            region: text("region", |section| section.region.as_ref())?,
            profile: text("profile", |section| section.profile.as_ref())?,
            boundary,
            account: {
                let account = own.account.as_ref().or(self.defaults.account.as_ref());
                account.filter(|_| local.is_none()).map(|(number, _)| number.clone())
            },
            site: SiteSection::settings(&own.site, &self.defaults.site, |what, written| {
                Ok(expand(what, written)?.text)
            })?,
            site_config: site_config.transpose()?,
            parameters,
            variables: variables.into_inner(),
            spots,
            source: self.source.clone(),
        })
    }
}

/// `tableName` as `TableName`.
fn upper_camel(key: &str) -> String {
    let mut rest = key.chars();
    let first = rest.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(rest).collect()
}

/// A managed policy's name, or its ARN.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html>
fn check_boundary(boundary: String) -> Result<String, String> {
    let is_name = |name: &str| {
        (1..=128).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
    };
    let is_arn = match boundary.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", partition, "iam", "", account, path] => {
            let name = path.strip_prefix("policy/").and_then(|path| path.rsplit('/').next());
            partition.starts_with("aws") && !account.is_empty() && name.is_some_and(is_name)
        }
        _ => false,
    };
    if is_arn || is_name(&boundary) {
        Ok(boundary)
    } else {
        Err(boundary)
    }
}

/// `Output` or `stack.Output`.
fn check_output(name: &str) -> Result<(), String> {
    let (stack, output) = match name.split_once('.') {
        Some((stack, output)) => (Some(stack), output),
        None => (None, name),
    };
    let is_stack = |stack: &str| !stack.is_empty() && stack.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let is_output = !output.is_empty() && output.chars().all(|c| c.is_ascii_alphanumeric());
    if is_output && stack.is_none_or(is_stack) {
        Ok(())
    } else {
        Err(format!("`{name}` is no output's name: `Output`, or `stack.Output`"))
    }
}

/// One entry of a mapping.
struct Entry<'n> {
    name: &'n str,
    key: &'n Name,
    value: &'n Node,
}

impl Entry<'_> {
    fn spot(&self) -> Spot {
        Spot {
            key: self.key.span,
            value: self.value.span,
        }
    }
}

/// Reads the file's parts, and knows where they stand.
struct Reader<'a> {
    source: &'a Source,
}

impl Reader<'_> {
    fn refuse(&self, at: Span, what: &str) -> Error {
        self.source.at(at).refuse(Error::new(ErrorKind::InvalidProject, what))
    }

    /// The entries of a mapping; nothing has none.
    fn entries<'n>(&self, node: &'n Node) -> Result<Vec<Entry<'n>>> {
        if node.is_null() {
            return Ok(Vec::new());
        }
        self.untagged(node)?;
        let Kind::Map(entries) = &node.kind else {
            return Err(self
                .refuse(node.span, "here are to be keys, each with a value")
                .hint("Write `key: value`, a line each."));
        };
        let entries = entries.iter().map(|(key, value)| Entry {
            name: &key.text,
            key,
            value,
        });
        Ok(entries.collect())
    }

    /// Refuses a tag, but for those of what everything is taken for here anyway.
    fn untagged(&self, node: &Node) -> Result<()> {
        match node.tag.as_deref() {
            None | Some("!" | "!!str" | "!!int" | "!!float" | "!!bool" | "!!map" | "!!seq") => Ok(()),
            Some(tag) => Err(self
                .refuse(node.span, &format!("`{tag}` has no meaning here"))
                .hint("Functions are for templates. Values here may hold `${stage}`, `${project}` and `${env:NAME}`.")),
        }
    }

    fn project(&self, entry: &Entry<'_>) -> Result<String> {
        let name = self.text(entry)?.unwrap_or_default();
        check_name("project", &name, LONGEST_PROJECT)
            .map_err(|error| self.source.at(entry.value.span).refuse(error))?;
        Ok(name)
    }

    fn stages(&self, node: &Node) -> Result<BTreeMap<String, Section>> {
        self.entries(node)?
            .iter()
            .map(|entry| {
                check_name_or_pattern(entry.name).map_err(|error| self.source.at(entry.key.span).refuse(error))?;
                let section = Section {
                    at: Some(entry.key.span),
                    ..self.section(entry.value)?
                };
                Ok((entry.name.to_owned(), section))
            })
            .collect()
    }

    fn section(&self, node: &Node) -> Result<Section> {
        let mut section = Section::default();
        for entry in self.entries(node)? {
            if section.site.take(self, &entry)? {
                continue;
            }
            match entry.name {
                "protected" => section.protected = self.flag(&entry)?,
                "local" => section.local = self.flag(&entry)?.map(|local| (local, entry.spot())),
                "expires" => section.expires = self.expiry(&entry)?,
                "seed" => section.seed = self.seed(&entry)?,
                "account" => section.account = self.account(&entry)?.map(|number| (number, entry.spot())),
                "profile" => section.profile = self.setting(&entry)?,
                "boundary" => section.boundary = self.setting(&entry)?,
                "region" => section.region = self.setting(&entry)?,
                "siteConfig" => section.site_config = self.site_config(entry.value)?,
                "parameters" => section.parameters = self.parameters(entry.value)?,
                name => match entry.value.text() {
                    Some(text) => section.others.push((
                        name.to_owned(),
                        Written {
                            text: text.to_owned(),
                            at: entry.spot(),
                        },
                    )),
                    None => return Err(self.unknown_setting(name, entry.key.span, &BTreeSet::new())),
                },
            }
        }
        Ok(section)
    }

    fn parameters(&self, node: &Node) -> Result<BTreeMap<String, Written>> {
        let entries = self.entries(node)?;
        if let Some(entry) = entries.iter().find(|entry| FROM_STAGE.contains(&entry.name)) {
            let what = format!("the parameter `{}` is given by a setting", entry.name);
            return Err(self
                .refuse(entry.key.span, &what)
                .hint("Use the setting of that name (in lower camel case), or change the project's or stage's name."));
        }
        entries.iter().map(|entry| self.value(entry)).collect()
    }

    fn site_config(&self, node: &Node) -> Result<Option<BTreeMap<String, Written>>> {
        if node.is_null() {
            return Ok(None);
        }
        self.entries(node)?
            .iter()
            .map(|entry| self.value(entry))
            .collect::<Result<_>>()
            .map(Some)
    }

    /// An entry of `parameters` or `siteConfig`.
    fn value(&self, entry: &Entry<'_>) -> Result<(String, Written)> {
        match self.setting(entry)? {
            Some(written) => Ok((entry.name.to_owned(), written)),
            None => Err(self
                .refuse(entry.key.span, &format!("`{}` has no value", entry.name))
                .hint(format!(
                    "Write `{}: \"\"` if it is to be empty, or leave it out.",
                    entry.name
                ))),
        }
    }

    /// A text that may hold placeholders.
    fn setting(&self, entry: &Entry<'_>) -> Result<Option<Written>> {
        let Some(text) = self.text(entry)? else {
            return Ok(None);
        };
        self.check_placeholders(&text, entry.value.span)?;
        Ok(Some(Written { text, at: entry.spot() }))
    }

    fn text(&self, entry: &Entry<'_>) -> Result<Option<String>> {
        if entry.value.is_null() {
            return Ok(None);
        }
        self.untagged(entry.value)?;
        match entry.value.text() {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(self
                .refuse(entry.value.span, "a value is text, a number, true or false")
                .hint(format!("Write one after `{}:`.", entry.name))),
        }
    }

    fn flag(&self, entry: &Entry<'_>) -> Result<Option<bool>> {
        if entry.value.is_null() {
            return Ok(None);
        }
        let flag = match &entry.value.kind {
            Kind::Scalar { text, plain: true } => yaml::flag(text),
            _ => None,
        };
        flag.map(Some).ok_or_else(|| {
            self.refuse(entry.value.span, &format!("`{}` is true or false", entry.name))
                .hint("Write one of the two, without quotes.")
        })
    }

    fn seed(&self, entry: &Entry<'_>) -> Result<Option<Seeding>> {
        let Some(written) = self.text(entry)? else {
            return Ok(None);
        };
        if let Some(seeding) = Seeding::ALL.into_iter().find(|seeding| seeding.as_str() == written) {
            return Ok(Some(seeding));
        }
        let what = format!("`seed` is always, once or never, and not `{written}`");
        let error = self.refuse(entry.value.span, &what);
        let near = did_you_mean(&written, &Seeding::ALL.map(Seeding::as_str));
        Err(match near {
            Some(near) => error.hint(format!("Did you mean `{near}`?")),
            None => error.hint(
                "`always` adds what is missing in each `up`, `once` until a table was seeded, and `never` leaves it to \
                 `deployer seed`.",
            ),
        })
    }

    fn expiry(&self, entry: &Entry<'_>) -> Result<Option<(Expiry, Span)>> {
        let Some(written) = self.text(entry)? else {
            return Ok(None);
        };
        match Expiry::parse(&written) {
            Some(expiry) => Ok(Some((expiry, entry.key.span))),
            None => Err(self
                .refuse(
                    entry.value.span,
                    &format!("`expires` is a number of hours, days or weeks, and not `{written}`"),
                )
                .hint("Write it as in `expires: 12h`, `expires: 7d` or `expires: 2w`.")),
        }
    }

    /// Refuses what would both keep its data and expire.
    fn check_expiry(&self, name: &str, own: &Section, defaults: &Section) -> Result<()> {
        let is_protected = own.protected.or(defaults.protected).unwrap_or(false);
        match own.expires.or(defaults.expires).filter(|_| is_protected) {
            Some((_, at)) => Err(self
                .refuse(at, &format!("the stage `{name}` is protected, and can't expire"))
                .hint(
                    "Take `expires` out, or write it under those stages alone that are to go by themselves; or take \
                     `protected: true` out.",
                )),
            None => Ok(()),
        }
    }

    /// A setting wants a variable that isn't there.
    fn no_variable(
        &self,
        variable: &str,
        stage: &str,
        what: &str,
        written: &Written,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Error {
        let why = if environment(variable).is_some() {
            "is no text"
        } else {
            "isn't set"
        };
        self.refuse(
            written.at.value,
            &format!("the environment variable `{variable}`, which the stage `{stage}` wants for `{what}`, {why}"),
        )
        .hint(format!(
            "Set it, as in `{variable}=… deployer …`, or write a value there."
        ))
    }

    fn account(&self, entry: &Entry<'_>) -> Result<Option<String>> {
        let Some(number) = self.text(entry)? else {
            return Ok(None);
        };
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        if is_number && number.len() == DIGITS {
            return Ok(Some(number));
        }
        let error = self.refuse(
            entry.value.span,
            &format!("an account's number has {DIGITS} digits; `{number}` isn't one"),
        );
        let is_plain = matches!(entry.value.kind, Kind::Scalar { plain: true, .. });
        // What wrote the file took it for a number.
        Err(if is_plain && is_number && number.len() < DIGITS {
            error.hint(format!(
                "If it begins with zeros, quote it: `account: \"{number:0>DIGITS$}\"`."
            ))
        } else {
            error.hint("Write it in quotes: `account: \"123456789012\"`.")
        })
    }

    fn unknown(&self, key: &str, at: Span, known: &[&str]) -> Error {
        let list: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        let error = self.refuse(
            at,
            &format!("there is no setting `{key}` here; there are {}", list.join(", ")),
        );
        match did_you_mean(key, known) {
            Some(near) => error.hint(format!("Did you mean `{near}`?")),
            None => error,
        }
    }

    /// Refuses what only looks like a placeholder.
    fn check_placeholders(&self, text: &str, at: Span) -> Result<()> {
        placeholder::check(text).map_err(|what| {
            self.refuse(at, &what)
                .hint("Use one of these, or write `$${` for a `${` that is to stay.")
        })
    }

    /// A section's key that is neither a setting nor a parameter in the old spelling.
    fn unknown_setting(&self, key: &str, at: Span, declared: &BTreeSet<String>) -> Error {
        let known: Vec<&str> = settings().collect();
        let error = self.unknown(key, at, &known);
        let declared: Vec<&str> = declared.iter().map(String::as_str).collect();
        match did_you_mean(key, &declared) {
            Some(near) => error.hint(format!("Did you mean `{near}`, under `parameters:`?")),
            None if error.next_steps().is_empty() => {
                error.hint("Values for the templates' parameters stand under `parameters:`.")
            }
            None => error,
        }
    }
}

/// Of an account's number.
const DIGITS: usize = 12;

const LONGEST_STAGE: usize = 20;

/// Whether a project may be called that.
///
/// # Errors
/// Says why not.
pub(crate) fn check_project(name: &str) -> Result<()> {
    check_name("project", name, LONGEST_PROJECT)
}

/// The nearest name to `name` that a project may have; none if nothing of it would be left.
pub(crate) fn project_like(name: &str) -> Option<String> {
    let mut like = String::new();
    for c in name.chars().map(|c| c.to_ascii_lowercase()) {
        match c {
            'a'..='z' => like.push(c),
            '0'..='9' if !like.is_empty() => like.push(c),
            _ if like.is_empty() || like.ends_with('-') => {}
            _ => like.push('-'),
        }
    }
    like.truncate(LONGEST_PROJECT);
    let like = like.trim_end_matches('-');
    (!like.is_empty()).then(|| like.to_owned())
}

/// A stage's name, or a pattern of such names.
fn check_name_or_pattern(name: &str) -> Result<()> {
    if !name.contains('*') {
        return check_name("stage", name, LONGEST_STAGE);
    }
    // What stands for a star may be one character; the rules for names hold for what is written beside it.
    let example = name.replace('*', "x");
    if !name.starts_with('*') && !name.contains("**") && check_name("stage", &example, LONGEST_STAGE).is_ok() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidProject,
        format!("`{name}` is no pattern of stages' names"),
    )
    .hint(
        "A pattern is a stage's name with `*` for any text, as in \"pr-*\". It begins with a letter: what fits every name \
         would make a stage of each mistyped one.",
    ))
}

/// One rule for both names: they are joined into names of stacks (no `_`), buckets (no capitals) and API stages.
fn check_name(what: &str, name: &str, longest: usize) -> Result<()> {
    let well_formed = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-');
    if !well_formed {
        return Err(Error::new(
            ErrorKind::InvalidProject,
            format!("the {what} name `{name}` would be refused by AWS"),
        )
        .hint(
            "Use lower-case letters, digits and hyphens, beginning with a letter: it becomes part of stack, bucket \
             and API stage names.",
        ));
    }
    if name.len() > longest {
        return Err(Error::new(
            ErrorKind::InvalidProject,
            format!(
                "the {what} name `{name}` has {} characters; {longest} is the most",
                name.len()
            ),
        )
        .hint("A bucket's name has room for 63 characters, project, stage, account and region together."));
    }
    // CloudFormation-made and S3 names refuse these beginnings.
    if name.starts_with("aws") || name.starts_with("xn--") || name.starts_with("sthree-") {
        return Err(Error::new(
            ErrorKind::InvalidProject,
            format!("the {what} name `{name}` begins with a prefix that AWS reserves"),
        )
        .hint("Choose another beginning."));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
