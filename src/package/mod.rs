//! The function's package: built or given, checked against what Lambda can run, and uploaded under a name that its
//! content decides.

mod amazon_linux;
mod archive;
mod build;
mod elf;

use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use sha2::{Digest as _, Sha256};

use crate::cloud::Cloud;
use crate::cloud::sdk_error::{explain, found};
use crate::error::{Context, Error, Result};
use crate::ident::hex;
use crate::project::Project;
use crate::project::stages::Architecture;
use crate::report::Reporter;
use amazon_linux::Misfit;
use archive::{MAX_UNPACKED, Unusable};
use build::Builder;
use elf::{Executable, NotExecutable};

/// A function that is ready to be uploaded. It is in memory, so that what was checked is what is uploaded, whatever
/// is built meanwhile.
#[derive(Debug, Clone)]
pub struct Package {
    content: Arc<Content>,
    /// The package's key in the artifacts bucket. The same content has the same key, so CloudFormation sees new code
    /// exactly when there is some.
    pub key: String,
    /// The newest glibc that the function needs, such as `2.34`; none if it needs none, or only has to run here.
    pub glibc: Option<String>,
}

#[derive(Debug)]
enum Content {
    /// A program, not zipped yet.
    Binary(Vec<u8>),
    /// A zip that somebody made.
    Zip(Vec<u8>),
}

/// What the function is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// This machine: an emulator runs the function as a process of its own.
    ThisHost,
    /// Lambda's Amazon Linux 2023.
    Lambda(Architecture),
}

/// Where a program comes from: what is to be done when it doesn't fit depends on it.
#[derive(Debug, Clone, Copy)]
enum Origin<'a> {
    Built(Builder),
    Given(&'a Path),
}

/// Checks that there is a crate to build.
///
/// # Errors
/// There is none.
pub fn check_crate(project: &Project) -> Result<()> {
    build::manifest(project).map(drop)
}

/// Builds the function with cargo.
///
/// # Errors
/// It doesn't compile (cargo's own words are the cause), this machine can't build for the target, or the result
/// wouldn't run on Lambda.
pub async fn build(project: &Project, target: Target, reporter: &Reporter) -> Result<Package> {
    let (binary, checked_for) = match target {
        Target::ThisHost => (build::for_this_host(project, reporter).await?, None),
        Target::Lambda(architecture) => {
            let (binary, builder) = build::for_lambda(project, architecture, reporter).await?;
            (binary, Some((builder, architecture)))
        }
    };
    let content = tokio::fs::read(&binary)
        .await
        .or_fail(|| format!("could not read {}", binary.display()))?;
    let glibc = match checked_for {
        None => None,
        Some((builder, architecture)) => check(&content, &[], architecture, Origin::Built(builder), reporter)?,
    };
    Package::new(Content::Binary(content), glibc).await
}

/// Takes a function that was built before: a zip with `bootstrap` in it, or that binary.
///
/// # Errors
/// It can't be read, isn't a package, or wouldn't run on a function of this architecture.
pub async fn prebuilt(file: &Path, architecture: Architecture, reporter: &Reporter) -> Result<Package> {
    let unreadable = |error: std::io::Error| {
        Error::usage(format!("could not read the function's package {}", file.display()))
            .because(error)
            .hint("--function-package takes a zip with `bootstrap` in it, or that binary.")
    };
    let size = tokio::fs::metadata(file).await.map_err(unreadable)?.len();
    if size > MAX_UNPACKED {
        return Err(unusable(file, &Unusable::TooLarge(size)));
    }
    let content = tokio::fs::read(file).await.map_err(unreadable)?;
    let origin = Origin::Given(file);
    if archive::is_zip(&content) {
        let contents = archive::open(&content).map_err(|error| unusable(file, &error))?;
        let glibc = check(&contents.bootstrap, &contents.files, architecture, origin, reporter)?;
        Package::new(Content::Zip(content), glibc).await
    } else {
        let glibc = check(&content, &[], architecture, origin, reporter)?;
        Package::new(Content::Binary(content), glibc).await
    }
}

/// Checks that Lambda can run a program; gives the newest glibc that it needs. `files` are those beside it.
fn check(
    program: &[u8],
    files: &[String],
    architecture: Architecture,
    origin: Origin<'_>,
    reporter: &Reporter,
) -> Result<Option<String>> {
    let program = Executable::parse(program).map_err(|error| origin.not_executable(&error))?;
    amazon_linux::check(&program, architecture).map_err(|misfit| origin.misfit(&misfit, architecture))?;
    let is_beside = |library: &str| files.iter().any(|file| file.rsplit('/').next() == Some(library));
    for library in amazon_linux::doubtful_libraries(&program).filter(|library| !is_beside(library)) {
        reporter.warn(format!(
            "the function is linked with {library}, which Lambda's Amazon Linux 2023 may not have: link it statically, \
             or put it into the zip's lib/"
        ));
    }
    Ok(amazon_linux::newest_glibc(&program))
}

fn unusable(file: &Path, error: &Unusable) -> Error {
    Error::usage(format!("{} is no package for Lambda", file.display()))
        .because(error)
        .hint(error.remedy())
}

impl Origin<'_> {
    fn refuse(self, cause: impl std::fmt::Display) -> Error {
        let what = match self {
            Self::Built(_) => "the function".to_owned(),
            Self::Given(file) => file.display().to_string(),
        };
        Error::usage(format!("{what} can't run on Lambda")).because(cause)
    }

    fn not_executable(self, error: &NotExecutable) -> Error {
        let cause = match error {
            NotExecutable::Empty => "it is empty".to_owned(),
            NotExecutable::NotElf(kind) => format!("it is {kind}, and Lambda runs 64-bit ELF executables"),
            NotExecutable::Malformed(why) => format!("it isn't a whole 64-bit ELF executable: {why}"),
        };
        self.refuse(cause).hint(match self {
            Self::Built(_) => "Look for a build target or a linker in .cargo/config.toml and in CARGO_BUILD_TARGET.",
            Self::Given(_) => "Give the binary `bootstrap` that was built for Linux, or a zip with it.",
        })
    }

    fn misfit(self, misfit: &Misfit, architecture: Architecture) -> Error {
        let flag = match architecture {
            Architecture::X86_64 => "--x86-64",
            Architecture::Arm64 => "--arm64",
        };
        let with_cargo_lambda = format!(
            "`pip install cargo-lambda`, then `cargo lambda build --release {flag}` in function/, and give what that makes"
        );
        let hint = match (self, misfit) {
            (Self::Given(_), Misfit::Glibc { .. }) => {
                format!("Link it against an older glibc: {with_cargo_lambda}.")
            }
            (Self::Given(_), Misfit::Machine { .. }) => {
                format!(
                    "Build it for {}: {with_cargo_lambda}. Or change the stage's `architecture` in stacks/stages.yaml.",
                    architecture.as_str()
                )
            }
            (Self::Given(_), Misfit::Loader(_)) => format!("Link it with glibc, or statically: {with_cargo_lambda}."),
            (Self::Built(Builder::Cargo), Misfit::Glibc { .. }) => {
                "`pip install cargo-lambda`, then run the same command again: it links against an older glibc."
                    .to_owned()
            }
            (Self::Built(Builder::CargoLambda), Misfit::Glibc { .. }) => {
                "cargo-lambda was told to link with this machine's own linker: unset CARGO_LAMBDA_COMPILER, or remove \
                 `compiler` from its configuration, then run the same command again."
                    .to_owned()
            }
            (Self::Built(_), _) => {
                "Look for a build target or a linker in .cargo/config.toml, CARGO_BUILD_TARGET and RUSTFLAGS, then run \
                 the same command again."
                    .to_owned()
            }
        };
        self.refuse(misfit).hint(hint)
    }
}

impl Package {
    async fn new(content: Content, glibc: Option<String>) -> Result<Self> {
        let content = Arc::new(content);
        let hashed = Arc::clone(&content);
        let hash = tokio::task::spawn_blocking(move || match &*hashed {
            Content::Binary(bytes) | Content::Zip(bytes) => Sha256::digest(bytes),
        })
        .await
        .or_fail(|| "the hashing of the function was interrupted".to_owned())?;
        Ok(Self {
            content,
            key: format!("function/{}.zip", hex(&hash[..16])),
            glibc,
        })
    }

    /// The zip as it is uploaded.
    ///
    /// # Errors
    /// It can't be packed.
    pub async fn zipped(&self) -> Result<Vec<u8>> {
        let content = Arc::clone(&self.content);
        tokio::task::spawn_blocking(move || match &*content {
            Content::Binary(binary) => archive::pack(binary),
            Content::Zip(zip) => Ok(zip.clone()),
        })
        .await
        .or_fail(|| "the packing of the function was interrupted".to_owned())?
        .or_fail(|| "could not pack the function".to_owned())
    }

    /// Uploads the package unless the bucket has it. Returns whether it had to.
    pub async fn upload(&self, cloud: &Cloud, bucket: &str, reporter: &Reporter) -> Result<bool> {
        let there = cloud.s3.head_object().bucket(bucket).key(&self.key).send().await;
        let what = || format!("could not look into the bucket {bucket}");
        if found(there, |e| e.is_not_found(), what)?.is_some() {
            return Ok(false);
        }
        reporter.working("function", "packing and uploading");
        cloud
            .s3
            .put_object()
            .bucket(bucket)
            .key(&self.key)
            .content_type("application/zip")
            .body(ByteStream::from(self.zipped().await?))
            .send()
            .await
            .map_err(|error| explain(&error, &format!("could not upload the function to {bucket}")))?;
        Ok(true)
    }
}
