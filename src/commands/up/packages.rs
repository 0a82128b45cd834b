//! The functions' packages: which a run needs, and where each comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::scope::Scope;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::package::{self, Build, Package, Prebuilt, Target};
use crate::project::functions::{self, Code, Function};
use crate::project::stacks::StackId;
use crate::project::stages::Architecture;
use crate::project::wiring::Source;
use crate::project::{Project, did_you_mean};
use crate::report::Reporter;

/// A function's package by what asks for it: the stack, and the parameter that is given its key.
pub(crate) type Asked = (StackId, String);

/// Where a package comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// A binary of `function/`, as the crate calls it.
    Binary(String),
    /// `--function-package`, by the binary that it stands for.
    Given(String),
    /// A folder or a zip of the project.
    Path(PathBuf),
}

/// Where functions are to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Where Lambda runs them, on what their templates say.
    Lambda,
    /// On this host, by an emulator.
    ThisHost,
}

impl Place {
    pub(super) fn of(context: &Context<'_>) -> Self {
        if context.cloud.endpoint.is_aws() {
            Self::Lambda
        } else {
            Self::ThisHost
        }
    }
}

/// What a run packs, before anything is built.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    origins: BTreeMap<Asked, (Origin, Function)>,
    given: BTreeMap<String, Prebuilt>,
}

impl Packages {
    /// Finds out what the functions of the `scope` need.
    ///
    /// # Errors
    /// A template asks for a binary that there isn't, or a package was given that none asks for; as bad input.
    pub(super) async fn of(project: &Project, scope: &Scope, given: &[String], reporter: &Reporter) -> Result<Self> {
        // A key that the stage gives is somebody else's package.
        let is_packed = |function: &&Function| {
            let mut sources = project.wiring().sources(&function.stack);
            sources.any(|(parameter, source)| parameter == function.key_parameter && *source == Source::Package)
        };
        let functions = project.functions().iter().filter(|function| scope.has(&function.stack));
        let wanted: Vec<&Function> = functions.filter(is_packed).collect();
        Self::of_functions(project, &wanted, given, reporter).await
    }

    /// The same for these functions.
    pub(crate) async fn of_functions(
        project: &Project,
        wanted: &[&Function],
        given: &[String],
        reporter: &Reporter,
    ) -> Result<Self> {
        let binaries_wanted: BTreeSet<&str> = wanted.iter().filter_map(|function| binary(function)).collect();
        let files = given_files(given, &binaries_wanted)?;
        let not_given = wanted
            .iter()
            .any(|function| binary(function).is_some_and(|name| !files.contains_key(name)));
        let binaries = if not_given {
            package::binaries(&project.function_dir()).await?
        } else {
            Vec::new()
        };
        let mut packages = Self::default();
        let mut used = BTreeSet::new();
        for function in wanted {
            let origin = match &function.code {
                Code::Path(path) => Origin::Path(project.path().join(path)),
                Code::Binary { name, .. } if files.contains_key(name.as_str()) => Origin::Given(name.clone()),
                Code::Binary { name, optional } => match package::matching(name, &binaries) {
                    Ok(Some(binary)) => {
                        used.insert(binary.to_owned());
                        Origin::Binary(binary.to_owned())
                    }
                    Ok(None) if *optional => continue,
                    Ok(None) => return Err(no_binary(project, function, name, &binaries)),
                    Err(several) => return Err(too_many(project, function, name, &several)),
                },
            };
            let asked = (function.stack.clone(), function.key_parameter.clone());
            packages.origins.insert(asked, (origin, (*function).clone()));
        }
        for unused in binaries
            .iter()
            .filter(|binary| !used.contains(*binary) && wanted.len() == project.functions().len())
        {
            reporter.warn(format!(
                "no template asks for the binary `{unused}` of function/: it isn't deployed. A function whose \
                 `Code.S3Key` refers to a parameter `{}CodeKey` gets it",
                pascal_case(unused)
            ));
        }
        for (name, file) in files {
            packages.given.insert(name.to_owned(), Prebuilt::open(&file).await?);
        }
        Ok(packages)
    }

    /// Those of a release, each a zip.
    pub(super) fn of_zips(project: &Project, scope: &Scope, zips: &BTreeMap<Asked, PathBuf>) -> Self {
        let functions = project.functions().iter().filter(|function| scope.has(&function.stack));
        let origins = functions.filter_map(|function| {
            let asked = (function.stack.clone(), function.key_parameter.clone());
            let zip = zips.get(&asked)?.clone();
            Some((asked, (Origin::Path(zip), function.clone())))
        });
        Self {
            origins: origins.collect(),
            given: BTreeMap::new(),
        }
    }

    /// Whether there is nothing to pack.
    pub(super) fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// Builds and packs all of them. An emulator's functions run on this host.
    ///
    /// # Errors
    /// One doesn't build, or can't run where it is to run.
    pub(crate) async fn build(
        self,
        project: &Project,
        place: Place,
        reporter: &Reporter,
    ) -> Result<BTreeMap<Asked, Package>> {
        let mut builds: BTreeMap<Asked, Build> = BTreeMap::new();
        let mut packages: BTreeMap<Asked, Package> = BTreeMap::new();
        let mut given = self.given;
        for (asked, (origin, function)) in &self.origins {
            let target = target(project, place, function)?;
            match origin {
                Origin::Binary(binary) => {
                    let build = Build {
                        binary: binary.clone(),
                        target,
                    };
                    builds.insert(asked.clone(), build);
                }
                Origin::Path(path) => {
                    packages.insert(asked.clone(), package::of_path(path, project.build_dir()).await?);
                }
                Origin::Given(_) => {}
            }
        }
        // One package may be asked for by several; whether it fits is looked at once for each processor.
        let mut fitting: BTreeMap<(String, Architecture), Package> = BTreeMap::new();
        for (asked, (origin, function)) in &self.origins {
            let Origin::Given(name) = origin else { continue };
            let architecture = match target(project, place, function)? {
                Target::Lambda(architecture) => architecture,
                Target::ThisHost if cfg!(target_os = "linux") => host(project, function)?,
                Target::ThisHost => return Err(not_here()),
            };
            let key = (name.clone(), architecture);
            if !fitting.contains_key(&key)
                && let Some(prebuilt) = given.remove(name)
            {
                let package = prebuilt.package(architecture, project.build_dir(), reporter).await?;
                fitting.insert(key.clone(), package);
            }
            if let Some(package) = fitting.get(&key) {
                packages.insert(asked.clone(), package.clone());
            }
        }
        let distinct: Vec<Build> = builds.values().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        if !distinct.is_empty() {
            let built = package::build(project, &distinct, reporter).await?;
            for (asked, build) in builds {
                if let Some(package) = built.get(&build) {
                    packages.insert(asked, package.clone());
                }
            }
        }
        Ok(packages)
    }
}

fn binary(function: &Function) -> Option<&str> {
    match &function.code {
        Code::Binary { name, .. } => Some(name),
        Code::Path(_) => None,
    }
}

/// What a function is built for.
fn target(project: &Project, place: Place, function: &Function) -> Result<Target> {
    match place {
        Place::Lambda => architecture(project, function).map(Target::Lambda),
        Place::ThisHost => Ok(Target::ThisHost),
    }
}

/// What a given package has to run on off AWS: this host. It is checked as for Lambda everywhere: what was tried with an
/// emulator can be shipped.
fn host(project: &Project, function: &Function) -> Result<Architecture> {
    match Architecture::of_this_host() {
        Some(architecture) => Ok(architecture),
        None => architecture(project, function),
    }
}

/// The processor that a function's template asks for.
///
/// # Errors
/// It can't be told before the deployment, or is none that Lambda has.
pub(crate) fn architecture(project: &Project, function: &Function) -> Result<Architecture> {
    let Some(stack) = project.stack(&function.stack) else {
        return Ok(Architecture::X86_64);
    };
    let scope = stack.template.known_parameters(&project.known_values(&stack.id));
    let found = functions::architecture(&stack.template, &function.logical_id, &scope);
    let place = ["Resources", &function.logical_id, "Properties", "Architectures"];
    let known = |name: &String| Architecture::ALL.into_iter().find(|one| one.as_str() == name);
    match &found {
        None => Err(stack
            .error(
                &place,
                format!(
                    "what the function {} runs on can't be told from its template",
                    function.logical_id
                ),
            )
            .hint("Write `Architectures: [x86_64]` or `[arm64]`, or a parameter that has such a value.")),
        Some(name) => known(name).ok_or_else(|| {
            stack
                .error(
                    &place,
                    format!(
                        "the function {} is to run on `{name}`, which Lambda doesn't have",
                        function.logical_id
                    ),
                )
                .hint("It has x86_64 and arm64.")
        }),
    }
}

/// The files of `--function-package`, each by the binary that it stands for: `ID=FILE`, or FILE while there is one.
fn given_files<'a>(given: &[String], wanted: &BTreeSet<&'a str>) -> Result<BTreeMap<&'a str, PathBuf>> {
    let mut files = BTreeMap::new();
    let listed = || wanted.iter().copied().collect::<Vec<_>>().join(", ");
    for argument in given {
        if wanted.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidUsage,
                "--function-package has no use here: no function is among what --only names, or in the templates",
            )
            .hint("Leave one of the two out, or use `--only function`."));
        }
        let by_id = argument
            .split_once('=')
            .and_then(|(id, file)| Some((*wanted.iter().find(|name| **name == id)?, file)));
        let (id, file) = match (by_id, wanted.iter().next()) {
            (Some(found), _) => found,
            (None, Some(only)) if wanted.len() == 1 && (!argument.contains('=') || Path::new(argument).exists()) => {
                (*only, argument.as_str())
            }
            _ => {
                let known: Vec<&str> = wanted.iter().copied().collect();
                let id = argument.split_once('=').map(|(id, _)| id);
                let error = Error::new(
                    ErrorKind::InvalidUsage,
                    match id {
                        Some(id) => format!("--function-package {argument}: no template asks for a binary `{id}`"),
                        None => {
                            format!(
                                "--function-package {argument}: there are several functions, and it isn't said which"
                            )
                        }
                    },
                );
                return Err(match id.and_then(|id| did_you_mean(id, &known)) {
                    Some(near) => error.hint(format!("Did you mean `{near}=…`?")),
                    None => error.hint(format!(
                        "Write `--function-package NAME=FILE`, the name being one of {}.",
                        listed()
                    )),
                });
            }
        };
        if files.insert(id, PathBuf::from(file)).is_some() {
            return Err(Error::new(
                ErrorKind::InvalidUsage,
                format!("--function-package gives `{id}` twice"),
            )
            .hint("Leave one of them out."));
        }
    }
    Ok(files)
}

fn not_here() -> Error {
    Error::new(
        ErrorKind::InvalidUsage,
        "an emulator runs functions on this machine, which isn't Linux as Lambda is",
    )
    .hint("Leave out --function-package: the functions are built for this machine then.")
}

fn no_binary(project: &Project, function: &Function, name: &str, binaries: &[String]) -> Error {
    let known: Vec<&str> = binaries.iter().map(String::as_str).collect();
    let error = at_key(
        project,
        function,
        format!(
            "the parameter `{}` wants the binary `{name}`, and the crate in function/ has none of that name",
            function.key_parameter
        ),
    );
    let listed = match known.as_slice() {
        [] => "it has no binary at all".to_owned(),
        known => format!("it has {}", known.join(", ")),
    };
    let near = did_you_mean(name, &known).map_or(String::new(), |near| format!("Did you mean `{near}`? "));
    error.cause(listed).hint(format!(
        "{near}Add `[[bin]] name = \"{name}\"` to function/Cargo.toml, or name the parameter after the binary; a parameter with \
         a `Default:` is somebody else's package."
    ))
}

fn too_many(project: &Project, function: &Function, name: &str, several: &[&str]) -> Error {
    at_key(
        project,
        function,
        format!("the parameter `{}` could mean several binaries: {}", function.key_parameter, several.join(", ")),
    )
    .hint(format!(
        "Say which: `Metadata: {{ BuildMethod: rust-cargolambda, BuildProperties: {{ Binary: {name} }} }}` at the function {}.",
        function.logical_id
    ))
}

fn at_key(project: &Project, function: &Function, what: String) -> Error {
    match project.stack(&function.stack) {
        Some(stack) => stack.error(&["Parameters", &function.key_parameter], what),
        None => Error::new(ErrorKind::InvalidUsage, what),
    }
}

/// `list-orders` as `ListOrders`; `bootstrap` alone has no name.
fn pascal_case(name: &str) -> String {
    if name == "bootstrap" {
        return String::new();
    }
    let words = name.split(['-', '_']).map(|word| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
            .unwrap_or_default()
    });
    words.collect()
}
