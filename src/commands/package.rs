//! `deployer package`: the function as it would be uploaded, in a file.
//!
//! For pipelines that build once and deploy the same bytes to one stage after the other, with `--function-package`.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::cli::{Global, PackageArgs};
use crate::error::{Context, Result};
use crate::package::{self, LAMBDAS_GLIBC, Target};
use crate::project::Project;
use crate::report::{Outcome, Paint, Reporter};

/// Runs the command.
pub async fn run(args: &PackageArgs, global: &Global, reporter: &Reporter) -> Result<()> {
    let project = Project::open(&global.project_dir, &global.stage)?;
    let architecture = project.stage.architecture;
    reporter.working("function", "building");
    let package = package::build(&project, Target::Lambda(architecture), reporter).await?;
    let zip = package.zipped().await?;
    let file = args
        .out
        .clone()
        .unwrap_or_else(|| project.build_dir().join("function.zip"));
    let what = || format!("could not write {}", file.display());
    if let Some(folder) = file.parent() {
        tokio::fs::create_dir_all(folder).await.or_fail(what)?;
    }
    tokio::fs::write(&file, &zip).await.or_fail(what)?;
    reporter.finished("function", "packed", true);
    reporter.outcome(&Packed {
        architecture: architecture.as_str(),
        bytes: zip.len(),
        code_sha256: STANDARD.encode(Sha256::digest(&zip)),
        glibc: package.glibc,
        file,
    })
}

/// A package that was written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Packed {
    /// The zip.
    file: PathBuf,
    /// What it runs on.
    architecture: &'static str,
    /// The zip's size.
    bytes: usize,
    /// The zip's SHA-256 as Lambda shows it, in base64.
    code_sha256: String,
    /// The newest glibc that the function needs; null if it needs none.
    glibc: Option<String>,
}

impl Outcome for Packed {
    fn text(&self, paint: &Paint) -> String {
        let file = self.file.display();
        let glibc = self.glibc.as_ref().map_or("no glibc".to_owned(), |version| {
            format!("glibc {version}, and Lambda has {LAMBDAS_GLIBC}")
        });
        format!(
            "{}\n  {} KiB, for {}, needs {glibc}\nDeploy it with `deployer up --function-package {file}`.\n",
            paint.bold(&file.to_string()),
            self.bytes.div_ceil(1024),
            self.architecture,
        )
    }
}
