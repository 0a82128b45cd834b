//! `deployer package`: the functions as they would be uploaded, in files.
//!
//! For pipelines that build once and deploy the same bytes to one stage after the other, with `--function-package`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::up::packages::{Packages, Place, architecture};
use crate::cli::PackageArgs;
use crate::context::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::package::{LAMBDAS_GLIBC, Package};
use crate::project::functions::Function;
use crate::project::{Project, did_you_mean};
use crate::report::{CommandResult, Paint};
use crate::text::quoted_for_shell;

/// Runs the command.
pub(crate) async fn run(args: &PackageArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let project = super::open(global, reporter)?;
    let wanted = wanted(&project, &args.functions)?;
    let packages = Packages::of_functions(&project, &wanted, &[], reporter).await?;
    reporter.working("function", "building");
    let built = packages.build(&project, Place::Lambda, reporter).await?;
    // Functions may share one.
    let mut named: BTreeMap<String, (&Function, Package)> = BTreeMap::new();
    for function in wanted {
        let asked = (function.stack.clone(), function.key_parameter.clone());
        if let Some(package) = built.get(&asked) {
            named.insert(name(function), (function, package.clone()));
        }
    }
    let mut packed = Vec::new();
    for (name, (function, package)) in &named {
        let file = file(args.out.as_deref(), &project, name, named.len() == 1);
        packed.push(Packed {
            function: name.clone(),
            architecture: architecture(&project, function)?.as_str(),
            bytes: package.write_to(&file).await?,
            code_sha256: package.code_sha256(),
            glibc: package.glibc.clone(),
            file,
        });
    }
    reporter.finished("function", "packed", true);
    match <[Packed; 1]>::try_from(packed) {
        Ok([only]) => reporter.result(&only),
        Err(packed) => reporter.result(&All { packages: packed }),
    }
}

/// The functions that are to be packed: those of these names, which may be the templates', or all.
pub(super) fn wanted<'a>(project: &'a Project, names: &[String]) -> Result<Vec<&'a Function>> {
    let all = project.functions();
    if all.is_empty() {
        return Err(Error::new(ErrorKind::InvalidProject, "no template has a function whose code is packed here").hint(
            "Give one `Code: { S3Bucket: !Ref CodeBucket, S3Key: !Ref CodeKey }` and declare both as parameters: the first \
             binary of function/ that it needs is then built for it.",
        ));
    }
    let known: Vec<String> = all.iter().map(name).collect();
    let is_called = |function: &Function, called: &String| name(function) == *called || function.logical_id == *called;
    let is_there = |called: &&String| all.iter().any(|function| is_called(function, called));
    if let Some(name) = names.iter().find(|name| !is_there(name)) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let error = Error::new(ErrorKind::InvalidUsage, format!("no template asks for `{name}`"));
        return Err(match did_you_mean(name, &known) {
            Some(near) => error.hint(format!("Did you mean `{near}`?")),
            None => error.hint(format!("They ask for {}.", known.join(", "))),
        });
    }
    Ok(all
        .iter()
        .filter(|function| names.is_empty() || names.iter().any(|called| is_called(function, called)))
        .collect())
}

fn name(function: &Function) -> String {
    function.code.name()
}

/// Where a package is written: what `--out` names is a file for one function, unless there is a folder of that name.
fn file(out: Option<&Path>, project: &Project, name: &str, is_only: bool) -> PathBuf {
    match out {
        Some(file) if is_only && !file.is_dir() => file.to_owned(),
        Some(folder) => folder.join(format!("{name}.zip")),
        None if is_only => project.build_dir().join("function.zip"),
        None => project.build_dir().join(format!("{name}.zip")),
    }
}

/// A package that was written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Packed {
    /// The binary, or the folder, that it is made of.
    function: String,
    /// The zip.
    file: PathBuf,
    /// What it runs on.
    architecture: &'static str,
    /// The zip's size.
    bytes: u64,
    /// The zip's SHA-256 as Lambda shows it, in base64.
    code_sha256: String,
    /// The newest glibc that the function needs; null if it needs none, or that isn't known.
    glibc: Option<String>,
}

/// Several of them.
#[derive(Debug, Serialize)]
struct All {
    packages: Vec<Packed>,
}

impl Packed {
    fn describe(&self, paint: &Paint) -> String {
        let glibc = self.glibc.as_ref().map_or("no glibc".to_owned(), |version| {
            format!("glibc {version}, and Lambda has {LAMBDAS_GLIBC}")
        });
        format!(
            "{}\n  {} KiB, for {}, needs {glibc}\n",
            paint.bold(&self.file.display().to_string()),
            self.bytes.div_ceil(1024),
            self.architecture,
        )
    }
}

impl CommandResult for Packed {
    fn text(&self, paint: &Paint) -> String {
        let how = format!(
            "Deploy it with `deployer up --function-package {}`.\n",
            quoted_for_shell(&self.file.to_string_lossy())
        );
        self.describe(paint) + &how
    }
}

impl CommandResult for All {
    fn text(&self, paint: &Paint) -> String {
        let mut text: String = self.packages.iter().map(|packed| packed.describe(paint)).collect();
        let given: Vec<String> = self
            .packages
            .iter()
            .map(|packed| format!("{}={}", packed.function, packed.file.display()))
            .map(|given| format!("--function-package {}", quoted_for_shell(&given)))
            .collect();
        text.push_str(&format!("Deploy them with `deployer up {}`.\n", given.join(" ")));
        text
    }
}
