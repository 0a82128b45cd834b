//! The function's package: built or given, checked against what Lambda can run, and uploaded under a name that its
//! content decides.

mod amazon_linux;
mod archive;
mod build;
mod elf;

use std::path::{Path, PathBuf};
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
use archive::{Contents, MAX_UNPACKED, Unusable};
use build::Builder;
use elf::{Executable, NotExecutable};

/// Brings cargo-lambda and the zig that it links with; a plain `pip install` is refused by newer distributions.
const GET_CARGO_LAMBDA: &str =
    "python3 -m venv ~/.cargo-lambda && . ~/.cargo-lambda/bin/activate && pip install cargo-lambda";

/// The glibc that Lambda's Amazon Linux 2023 has.
pub const LAMBDAS_GLIBC: &str = amazon_linux::GLIBC;

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
    match target {
        Target::ThisHost => {
            let binary = build::for_this_host(project, reporter).await?;
            Package::new(Content::Binary(binary), None).await
        }
        Target::Lambda(architecture) => {
            let (binary, builder) = build::for_lambda(project, architecture, reporter).await?;
            let origin = Origin::Built(builder);
            let program = Executable::parse(&binary).map_err(|error| origin.not_executable(&error))?;
            let glibc = check(&program, &[], architecture, origin, reporter)?;
            Package::new(Content::Binary(binary), glibc).await
        }
    }
}

/// A function that was built before: a zip with `bootstrap` in it, or that binary.
#[derive(Debug)]
pub struct Prebuilt {
    file: PathBuf,
    content: Content,
    program: Executable,
    /// The paths in the zip.
    files: Vec<String>,
}

impl Prebuilt {
    /// Reads it, and makes sure that it is a program.
    ///
    /// # Errors
    /// It can't be read, or is neither a package nor a Linux program.
    pub async fn open(file: &Path) -> Result<Self> {
        let file = file.to_owned();
        tokio::task::spawn_blocking(move || Self::read(file))
            .await
            .or_fail(|| "the reading of the function's package was interrupted".to_owned())?
    }

    fn read(file: PathBuf) -> Result<Self> {
        let unreadable = |error: std::io::Error| {
            Error::usage(format!("could not read the function's package {}", file.display()))
                .because(error)
                .hint("--function-package takes a zip with `bootstrap` in it, or that binary.")
        };
        let size = std::fs::metadata(&file).map_err(unreadable)?.len();
        if size > MAX_UNPACKED {
            return Err(unusable(&file, &Unusable::TooLarge(size)));
        }
        let content = std::fs::read(&file).map_err(unreadable)?;
        let parse =
            |binary: &[u8]| Executable::parse(binary).map_err(|error| Origin::Given(&file).not_executable(&error));
        if !archive::is_zip(&content) {
            return Ok(Self {
                program: parse(&content)?,
                content: Content::Binary(content),
                files: Vec::new(),
                file,
            });
        }
        let Contents { bootstrap, files } = archive::open(&content).map_err(|error| unusable(&file, &error))?;
        Ok(Self {
            program: parse(&bootstrap)?,
            // A zip of our own making is the same package as its binary, and goes by the same name.
            content: match archive::pack(&bootstrap) {
                Ok(packed) if packed == content => Content::Binary(bootstrap),
                _ => Content::Zip(content),
            },
            files,
            file,
        })
    }

    /// The package, if it runs on a function of this architecture.
    ///
    /// # Errors
    /// It doesn't.
    pub async fn package(self, architecture: Architecture, reporter: &Reporter) -> Result<Package> {
        let origin = Origin::Given(&self.file);
        let glibc = check(&self.program, &self.files, architecture, origin, reporter)?;
        Package::new(self.content, glibc).await
    }
}

/// Checks that Lambda can run a program; gives the newest glibc that it needs. `files` are those beside it.
fn check(
    program: &Executable,
    files: &[String],
    architecture: Architecture,
    origin: Origin<'_>,
    reporter: &Reporter,
) -> Result<Option<String>> {
    amazon_linux::check(program, architecture).map_err(|misfit| origin.misfit(&misfit, architecture))?;
    for library in amazon_linux::doubtful_libraries(program).filter(|library| !brought_along(library, files)) {
        reporter.warn(format!(
            "the function is linked with {library}, which Lambda's Amazon Linux 2023 may not have: link it statically, \
             or put it into the zip's lib/"
        ));
    }
    Ok(amazon_linux::newest_glibc(program))
}

/// Whether a library is where Lambda's loader looks: the package's root and its lib/.
fn brought_along(library: &str, files: &[String]) -> bool {
    let mut paths = files.iter().map(|file| file.trim_start_matches("./"));
    paths.any(|path| path.strip_prefix("lib/").unwrap_or(path) == library)
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
            NotExecutable::NotElf(kind) => format!("it is {kind}, and a function in Rust is a 64-bit ELF executable"),
            NotExecutable::Malformed(why) => format!("it isn't a whole 64-bit ELF executable: {why}"),
        };
        self.refuse(cause).hint(match self {
            Self::Built(_) => "Look for a build target or a linker in .cargo/config.toml and in CARGO_BUILD_TARGET.",
            Self::Given(_) => "Give the binary `bootstrap` that was built for Linux, or a zip with it.",
        })
    }

    fn misfit(self, misfit: &Misfit, architecture: Architecture) -> Error {
        let again = "then run the same command again";
        let give = format!("(`{GET_CARGO_LAMBDA}`), then give what `deployer package` writes");
        let hint = match (self, misfit) {
            (Self::Given(_), Misfit::Glibc { .. }) => {
                format!("Link it against an older glibc, with cargo-lambda {give}.")
            }
            (Self::Given(_), Misfit::Machine { .. }) => format!(
                "Build it for {}, with cargo-lambda {give}. On AWS the stage's `architecture` in stacks/stages.yaml decides.",
                architecture.as_str()
            ),
            (Self::Given(_), Misfit::Loader(_)) => {
                format!("Link it with glibc, or statically: with cargo-lambda {give}.")
            }
            (Self::Built(Builder::Cargo), Misfit::Glibc { .. }) => {
                format!("Get cargo-lambda, which links against an older glibc (`{GET_CARGO_LAMBDA}`), {again}.")
            }
            (Self::Built(Builder::CargoLambda), _) => format!(
                "Look for a compiler or a target in CARGO_LAMBDA_COMPILER, CargoLambda.toml and [package.metadata.lambda] \
                 of function/Cargo.toml, remove it, {again}."
            ),
            (Self::Built(Builder::Zigbuild | Builder::Cargo), _) => format!(
                "Look for a target or a linker in .cargo/config.toml, CARGO_BUILD_TARGET and RUSTFLAGS, remove it, {again}."
            ),
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
        let zip = self.zipped().await?;
        let patience = Cloud::for_sending(zip.len() as u64);
        cloud
            .s3
            .put_object()
            .bucket(bucket)
            .key(&self.key)
            .content_type("application/zip")
            .body(ByteStream::from(zip))
            .customize()
            .config_override(patience)
            .send()
            .await
            .map_err(|error| explain(&error, &format!("could not upload the function to {bucket}")))?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_helps_only_where_the_loader_looks() {
        let files = ["bootstrap", "lib/libssl.so.3", "./libz.so.1", "deps/libpq.so.5"].map(str::to_owned);
        let helps = |library| brought_along(library, &files);
        assert!(helps("libssl.so.3") && helps("libz.so.1"));
        assert!(!helps("libpq.so.5") && !helps("libcrypto.so.3"));
    }
}
