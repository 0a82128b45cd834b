//! Functions' packages: built or given, checked against what Lambda can run, and uploaded under names that their contents
//! decide.
//!
//! A package is never in memory as a whole: binaries have tens of megabytes, and a stage may have many. Its name is its zip's
//! SHA-256, so that whatever else lies under that name is known for what it is. Nor is it packed before somebody needs the
//! zip: the names of those that were made are remembered, so if nothing changed, nobody does.

mod amazon_linux;
mod archive;
mod asks;
mod build;
mod crates;
mod elf;
mod folder;
mod memory;
mod snapshot;
mod sums;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::ChecksumMode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::stream::{self, StreamExt, TryStreamExt};
use rustix::fs::OFlags;
use tempfile::TempPath;
use tokio::sync::{OnceCell, Semaphore};

use crate::cloud::Cloud;
use crate::cloud::sdk_error::{explain, found};
use crate::error::{Error, ErrorKind, OrFail, Result};
use crate::permissions::Operations;
use crate::project::Project;
use crate::project::stages::Architecture;
use crate::report::Reporter;
use amazon_linux::Misfit;
use archive::{BOOTSTRAP, Entry, MAX_UNPACKED_BYTES, Unusable};
use build::{Builder, get_cargo_lambda};
pub(crate) use crates::{binaries, matching};
use elf::{Executable, NotExecutable};
use snapshot::{Hash, Snapshot, Trouble};

/// The glibc that Lambda's Amazon Linux 2023 has.
pub(crate) const LAMBDAS_GLIBC: &str = amazon_linux::GLIBC;

/// What a package's key begins and ends with; between them stands its zip's SHA-256, in hexadecimal digits.
const KEYS: &str = "function/";
const ZIP: &str = ".zip";

/// The name of S3's metadata that says what the program asks of AWS, for who looks at the stage later.
pub(crate) const ASKS: &str = "asks";

/// How much of a zip is read at once as it is sent, in bytes.
const PIECE_BYTES: usize = 512 << 10;

/// Copying, hashing and packing: as many at once as there are cores.
static CORES: LazyLock<usize> = LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));
static PACKING: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(*CORES));

/// A function that is ready to be uploaded. It is a copy, so that what was checked is what is uploaded, whatever is built
/// meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    content: Arc<Content>,
    /// The zip's SHA-256.
    sum: Hash,
    /// The package's key in the artifacts bucket, made of that. The same content has the same key, so CloudFormation sees
    /// new code exactly when there is some.
    pub key: String,
    /// The newest glibc that the function needs, such as `2.34`; none if it needs none, only has to run here, or isn't
    /// known to be a program.
    pub glibc: Option<String>,
}

#[derive(Debug)]
struct Content {
    what: What,
    /// The folder for the zip.
    scratch: PathBuf,
    /// The folder of builds, where [`memory`] is.
    builds: PathBuf,
    /// Once somebody needed it.
    zip: OnceCell<Zip>,
}

#[derive(Debug)]
enum What {
    /// Files' contents one after the other, not zipped yet.
    Files(Snapshot, Vec<Entry>),
    /// A zip that somebody made.
    Zip(Snapshot),
}

/// A zip as it is uploaded. Its file is gone with it.
#[derive(Debug)]
struct Zip {
    file: TempPath,
    /// Its size.
    bytes: u64,
    hash: Hash,
}

/// When a package was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Uploaded {
    /// By this run.
    Now,
    /// Earlier.
    Before {
        /// What S3 says of it, in base64; none where it doesn't keep one.
        sha256: Option<String>,
    },
}

/// One function of the stage's templates that is to be packaged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Build {
    /// The binary, as the crate spells it.
    pub binary: String,
    /// What it is built for.
    pub target: Target,
}

/// What a function is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// This machine: an emulator runs the function as a process of its own.
    ThisHost,
    /// Lambda's Amazon Linux 2023.
    Lambda(Architecture),
}

/// Where a program comes from: what is to be done when it doesn't fit depends on it.
#[derive(Debug, Clone, Copy)]
enum Origin<'a> {
    /// The binary of this name.
    Built(Builder, &'a str),
    Given(&'a Path),
}

/// Builds functions with cargo: all that are for the same target in one call of it.
///
/// # Errors
/// There is no such binary, it doesn't compile (cargo's own words are the cause), this machine can't build for the target,
/// or the result wouldn't run on Lambda.
pub(crate) async fn build(
    project: &Project,
    builds: &[Build],
    reporter: &Reporter,
) -> Result<BTreeMap<Build, Package>> {
    let mut by_target: BTreeMap<Target, BTreeSet<&str>> = BTreeMap::new();
    for Build { binary, target } in builds {
        by_target.entry(*target).or_default().insert(binary);
    }
    let mut packages = BTreeMap::new();
    for (target, binaries) in by_target {
        let binaries: Vec<&str> = binaries.into_iter().collect();
        let built = build::build(project, target, &binaries, reporter).await?;
        let made: Vec<(Build, Package)> = stream::iter(&built.files)
            .map(async |(binary, file)| {
                let origin = built.builder.map(|builder| Origin::Built(builder, binary));
                let package = packaged(project, target, origin, file.clone(), reporter).await?;
                let build = Build {
                    binary: binary.clone(),
                    target,
                };
                Ok::<_, Error>((build, package))
            })
            .buffer_unordered(*CORES)
            .try_collect()
            .await?;
        packages.extend(made);
    }
    Ok(packages)
}

/// The package of a binary that was just built.
async fn packaged(
    project: &Project,
    target: Target,
    origin: Option<Origin<'_>>,
    file: PathBuf,
    reporter: &Reporter,
) -> Result<Package> {
    let scratch = project.build_dir();
    let folder = scratch.clone();
    let is_checked = origin.is_some();
    let (binary, program) = blocking("reading", move || {
        let original = File::open(&file).or_fail(|| format!("could not read {}", file.display()))?;
        let binary = Snapshot::take(original, u64::MAX, &folder).map_err(|trouble| not_copied(&file, trouble))?;
        let program = is_checked.then(|| Executable::read(&binary));
        Ok((binary, program))
    })
    .await?;
    let glibc = match (target, origin, program) {
        (Target::Lambda(architecture), Some(origin), Some(program)) => {
            let program = program.map_err(|error| origin.not_executable(&error))?;
            check(&program, &[], architecture, origin, reporter)?
        }
        _ => None,
    };
    let entries = vec![Entry::bootstrap(binary.length)];
    Package::new(What::Files(binary, entries), glibc, scratch.clone(), scratch).await
}

/// Code that is given as it is, in whatever language: a folder, whose files are packed, or a zip. Nobody can tell whether
/// Lambda can run it. `builds` is the project's folder of builds.
///
/// # Errors
/// It can't be read, is neither, or has more or less in it than Lambda takes.
pub(crate) async fn of_path(path: &Path, builds: PathBuf) -> Result<Package> {
    let path = path.to_owned();
    let scratch = std::env::temp_dir();
    let what = blocking("reading", move || {
        let unreadable = || format!("could not read the function's code {}", path.display());
        let metadata = path.metadata().or_fail(unreadable).map_err(|error| {
            error
                .of_kind(ErrorKind::InvalidPackage)
                .hint("A function's code is a folder, whose files are packed, or a zip.")
        })?;
        if metadata.is_dir() {
            let (files, entries) = folder::copy(&path, &scratch)?;
            return Ok(What::Files(files, entries));
        }
        let zip = copy_of_given(&path, &scratch)?;
        if !archive::is_zip(&zip.beginning::<4>().or_fail(unreadable)?) {
            return Err(Error::new(ErrorKind::InvalidPackage, format!("{} is no zip", path.display())).hint(
                "A function's code is a folder, whose files are packed, or a zip. A binary is put into a folder, as \
                 `bootstrap`.",
            ));
        }
        let broken = |error: Unusable| {
            let refused = Error::new(
                ErrorKind::InvalidPackage,
                format!("{} is no package for Lambda", path.display()),
            )
            .cause(error.to_string());
            refused.hint(match error {
                Unusable::TooLarge(_) => "Leave out what the function doesn't need.",
                _ => "Make the zip anew, or name the folder with the code instead: its files are packed.",
            })
        };
        archive::open(&zip).map_err(broken)?;
        Ok(What::Zip(zip))
    })
    .await?;
    Package::new(what, None, std::env::temp_dir(), builds).await
}

/// A function that was built before: a zip with `bootstrap` in it, or that binary.
#[derive(Debug)]
pub(crate) struct Prebuilt {
    file: PathBuf,
    what: What,
    program: Executable,
    /// The paths in the zip.
    files: Vec<String>,
}

impl Prebuilt {
    /// Reads it, and makes sure that it is a program.
    ///
    /// # Errors
    /// It can't be read, or is neither a package nor a Linux program.
    pub(crate) async fn open(file: &Path) -> Result<Self> {
        let file = file.to_owned();
        blocking("reading", move || Self::read(file, &std::env::temp_dir())).await
    }

    fn read(file: PathBuf, scratch: &Path) -> Result<Self> {
        let given = copy_of_given(&file, scratch)?;
        let parse =
            |program: &Snapshot| Executable::read(program).map_err(|error| Origin::Given(&file).not_executable(&error));
        let beginning = given
            .beginning::<4>()
            .or_fail(|| format!("could not read {}", file.display()))?;
        if !archive::is_zip(&beginning) {
            return Ok(Self {
                program: parse(&given)?,
                files: Vec::new(),
                what: {
                    let entries = vec![Entry::bootstrap(given.length)];
                    What::Files(given, entries)
                },
                file,
            });
        }
        let unusable = |error| unusable(&file, &error);
        let contents = archive::open(&given).map_err(unusable)?;
        let name = contents.program().map_err(unusable)?;
        let program = archive::take_out(&given, name, scratch).map_err(unusable)?;
        Ok(Self {
            program: parse(&program)?,
            what: What::Zip(given),
            files: contents.files,
            file,
        })
    }

    /// The package, if it runs on a function of this architecture. `builds` is the project's folder of builds.
    ///
    /// # Errors
    /// It doesn't.
    pub(crate) async fn package(
        self,
        architecture: Architecture,
        builds: PathBuf,
        reporter: &Reporter,
    ) -> Result<Package> {
        let origin = Origin::Given(&self.file);
        let glibc = check(&self.program, &self.files, architecture, origin, reporter)?;
        Package::new(self.what, glibc, std::env::temp_dir(), builds).await
    }
}

/// A copy of a package that somebody gave.
fn copy_of_given(file: &Path, scratch: &Path) -> Result<Snapshot> {
    let unreadable = |error: std::io::Error| {
        Error::new(
            ErrorKind::InvalidPackage,
            format!("could not read the function's package {}", file.display()),
        )
        .cause(error)
        .hint("--function-package takes a zip with `bootstrap` in it, or that binary.")
    };
    // Without waiting: a named pipe would have it wait for whoever writes to it.
    let original = File::options()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(file)
        .map_err(unreadable)?;
    if !original.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable(std::io::Error::other("it is no plain file")));
    }
    let copy = Snapshot::take(original, MAX_UNPACKED_BYTES + 1, scratch).map_err(|trouble| match trouble {
        Trouble::Original(error) => unreadable(error),
        other @ Trouble::Copy(_) => not_copied(file, other),
    })?;
    if copy.length > MAX_UNPACKED_BYTES {
        let size = file.metadata().map_or(copy.length, |metadata| metadata.len());
        return Err(unusable(file, &Unusable::TooLarge(size)));
    }
    Ok(copy)
}

fn not_copied(file: &Path, trouble: Trouble) -> Error {
    match trouble {
        Trouble::Original(error) => Error::failed(format!("could not read {}", file.display())).cause(error),
        Trouble::Copy(error) => Error::failed(format!("could not copy {}", file.display()))
            .cause(error)
            .hint("Make room where the copy goes: the project's target/deployer, and TMPDIR for what is given."),
    }
}

/// Runs what takes a while apart from everything else; `doing` is what, as in "the reading of the function".
async fn blocking<T: Send + 'static>(doing: &str, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .or_fail(|| format!("the {doing} of the function was interrupted"))?
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
    Error::new(
        ErrorKind::InvalidPackage,
        format!("{} is no package for Lambda", file.display()),
    )
    .cause(error.to_string())
    .hint(error.remedy())
}

impl Origin<'_> {
    fn refuse(self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        let what = match self {
            Self::Built(_, BOOTSTRAP) => "the function".to_owned(),
            Self::Built(_, binary) => format!("the function's binary `{binary}`"),
            Self::Given(file) => file.display().to_string(),
        };
        Error::new(ErrorKind::InvalidPackage, format!("{what} can't run on Lambda")).cause(cause)
    }

    fn not_executable(self, error: &NotExecutable) -> Error {
        let cause = match error {
            NotExecutable::Empty => "it is empty".to_owned(),
            NotExecutable::NotElf(kind) => format!("it is {kind}, and a function in Rust is a 64-bit ELF executable"),
            NotExecutable::Malformed(why) => format!("it isn't a whole 64-bit ELF executable: {why}"),
        };
        self.refuse(cause).hint(match self {
            Self::Built(..) => "Look for a build target or a linker in .cargo/config.toml and in CARGO_BUILD_TARGET.",
            Self::Given(_) => "Give the binary `bootstrap` that was built for Linux, or a zip with it.",
        })
    }

    fn misfit(self, misfit: &Misfit, architecture: Architecture) -> Error {
        let again = "then run the same command again";
        let give = format!("(`{}`), then give what `deployer package` writes", get_cargo_lambda());
        let hint = match (self, misfit) {
            (Self::Given(_), Misfit::Glibc { .. }) => {
                format!("Link it against an older glibc, with cargo-lambda {give}.")
            }
            (Self::Given(_), Misfit::Machine { .. }) => format!(
                "Build it for {}, with cargo-lambda {give}. On AWS the stage's `Architecture` in stacks/stages.yaml decides.",
                architecture.as_str()
            ),
            (Self::Given(_), Misfit::Loader(_)) => {
                format!("Link it with glibc, or statically: with cargo-lambda {give}.")
            }
            (Self::Built(Builder::Cargo, _), Misfit::Glibc { .. }) => {
                format!(
                    "Get cargo-lambda, which links against an older glibc (`{}`), {again}.",
                    get_cargo_lambda()
                )
            }
            (Self::Built(Builder::CargoLambda, _), _) => format!(
                "Look for a compiler or a target in CARGO_LAMBDA_COMPILER, CargoLambda.toml and [package.metadata.lambda] \
                 of function/Cargo.toml, remove it, {again}."
            ),
            (Self::Built(Builder::Zigbuild | Builder::Cargo, _), _) => format!(
                "Look for a target or a linker in .cargo/config.toml, CARGO_BUILD_TARGET and RUSTFLAGS, remove it, {again}."
            ),
        };
        self.refuse(misfit.to_string()).hint(hint)
    }
}

impl Package {
    /// Takes packing it, if it never was.
    async fn new(what: What, glibc: Option<String>, scratch: PathBuf, builds: PathBuf) -> Result<Self> {
        let content = Arc::new(Content {
            what,
            scratch,
            builds,
            zip: OnceCell::new(),
        });
        let sum = match &content.what {
            What::Zip(given) => given.hash,
            What::Files(files, _) => match sums::recall(&content.builds, &files.hash) {
                Some(sum) => sum,
                None => content.zip().await?.hash,
            },
        };
        Ok(Self {
            content,
            sum,
            key: format!("{KEYS}{}{ZIP}", hex::encode(sum)),
            glibc,
        })
    }

    /// The zip, made when it is first asked for.
    async fn zip(&self) -> Result<&Zip> {
        let zip = self.content.zip().await?;
        if zip.hash == self.sum {
            return Ok(zip);
        }
        // The right one is remembered by now.
        Err(Error::new(
            ErrorKind::ChangedMeanwhile,
            "the function's zip isn't the one that was made of the same files before",
        )
        .cause(format!("its name was to be {}", self.key))
        .hint("Run the same command again."))
    }

    /// Lambda's `CodeSha256` of it: the SHA-256 of the zip's bytes, in base64.
    pub(crate) fn code_sha256(&self) -> String {
        BASE64.encode(self.sum)
    }

    /// What its program can ask of AWS; none if there is no program for Linux in it.
    ///
    /// # Errors
    /// The work was interrupted.
    pub(crate) async fn operations(&self) -> Result<Option<Operations>> {
        let content = Arc::clone(&self.content);
        blocking("reading", move || {
            Ok(asks::read(&content.what, &content.scratch, &content.builds))
        })
        .await
    }

    /// Writes the zip to a file, whose folder is made if it isn't there; returns its size in bytes.
    ///
    /// # Errors
    /// It can't be packed or written.
    pub(crate) async fn write_to(&self, file: &Path) -> Result<u64> {
        let zip = self.zip().await?;
        let what = || format!("could not write {}", file.display());
        if let Some(folder) = file.parent() {
            tokio::fs::create_dir_all(folder).await.or_fail(what)?;
        }
        // Not by copying the file as such: it is for this user alone.
        let mut from = tokio::fs::File::open(&zip.file).await.or_fail(what)?;
        let mut to = tokio::fs::File::create(file).await.or_fail(what)?;
        tokio::io::copy(&mut from, &mut to).await.or_fail(what)?;
        tokio::io::AsyncWriteExt::flush(&mut to).await.or_fail(what)?;
        Ok(zip.bytes)
    }

    /// Uploads the package unless the bucket has it. `function` says which it is of.
    ///
    /// S3 keeps the zip's SHA-256 with it, which `HeadObject` tells: it is the `CodeSha256` of a function that runs it. If it
    /// is another than the name says, somebody else has put it there.
    ///
    /// # Errors
    /// The bucket can't be asked, or the package not be packed or sent.
    pub(crate) async fn upload(
        &self,
        cloud: &Cloud,
        bucket: &str,
        reporter: &Reporter,
        function: &str,
    ) -> Result<Uploaded> {
        let look = cloud.s3.head_object().bucket(bucket).key(&self.key);
        let there = look.checksum_mode(ChecksumMode::Enabled).send().await;
        let what = || format!("could not look into the bucket {bucket}");
        let there = found(there, |e| e.is_not_found(), what)?;
        if let Some(there) = there {
            let kept = there.checksum_sha256;
            // Not every emulator keeps it. What came without it to AWS isn't ours.
            let is_it = kept.as_ref().map(|kept| *kept == self.code_sha256());
            if is_it.unwrap_or(!cloud.endpoint.is_aws()) {
                return Ok(Uploaded::Before { sha256: kept });
            }
            reporter.warn(format!(
                "{} in the bucket {bucket} isn't the zip that its name says: somebody else has put it there, and it is \
                 replaced",
                self.key
            ));
        }
        self.send(cloud, bucket, reporter, function).await?;
        Ok(Uploaded::Now)
    }

    /// Makes the zip, if it isn't made yet.
    ///
    /// # Errors
    /// It can't be packed.
    pub(crate) async fn pack(&self) -> Result<()> {
        self.zip().await.map(|_| ())
    }

    /// Uploads the package, whatever the bucket has. `function` says which it is of.
    ///
    /// # Errors
    /// It can't be packed or sent.
    pub(crate) async fn send(&self, cloud: &Cloud, bucket: &str, reporter: &Reporter, function: &str) -> Result<()> {
        reporter.working("function", format!("packing and uploading {function}"));
        let zip = self.zip().await?;
        let what = || format!("could not upload the function to {bucket}");
        let asks = self.operations().await?.and_then(|operations| operations.to_metadata());
        let body = ByteStream::read_from()
            .path(&zip.file)
            .length(Length::Exact(zip.bytes))
            .buffer_size(PIECE_BYTES)
            .build()
            .await
            .or_fail(what)?;
        let sent = cloud
            .s3
            .put_object()
            .bucket(bucket)
            .key(&self.key)
            .content_type("application/zip")
            .set_metadata(asks.map(|asks| HashMap::from([(ASKS.to_owned(), asks)])))
            .content_length(i64::try_from(zip.bytes).or_fail(what)?)
            .checksum_sha256(self.code_sha256())
            .body(body)
            .customize()
            // The checksum is signed, and says as much of the bytes as another sum over them would.
            .disable_payload_signing()
            .config_override(Cloud::for_sending(zip.bytes))
            .send()
            .await
            .map_err(|error| explain(error, &what()))?;
        match sent.checksum_sha256 {
            Some(kept) if kept != self.code_sha256() => Err(Error::failed(what())
                .cause(format!(
                    "S3 says that it has {kept}, and {} was sent",
                    self.code_sha256()
                ))
                .hint("Run the same command again: what isn't whole is sent anew.")),
            _ => Ok(()),
        }
    }
}

/// Lambda's `CodeSha256` of the package that lies under this key, if the key is one of ours. Earlier versions made it of
/// what is in the zip, which is shorter.
pub(crate) fn sum_named_by(key: &str) -> Option<String> {
    let sum = hex::decode(key.strip_prefix(KEYS)?.strip_suffix(ZIP)?).ok()?;
    (sum.len() == size_of::<Hash>()).then(|| BASE64.encode(sum))
}

impl Content {
    /// The zip, made when it is first asked for, and remembered.
    async fn zip(self: &Arc<Self>) -> Result<&Zip> {
        let make = async || {
            // It is never closed.
            let _turn = PACKING.acquire().await.ok();
            let content = Arc::clone(self);
            blocking("packing", move || {
                let zip = content.pack()?;
                if let What::Files(files, _) = &content.what {
                    sums::remember(&content.builds, &files.hash, &zip.hash);
                }
                Ok(zip)
            })
            .await
        };
        self.zip.get_or_try_init(make).await
    }

    fn pack(&self) -> Result<Zip> {
        let what = || "could not pack the function".to_owned();
        std::fs::create_dir_all(&self.scratch).or_fail(what)?;
        let mut zip = tempfile::NamedTempFile::new_in(&self.scratch).or_fail(what)?;
        match &self.what {
            What::Files(data, entries) => archive::pack(data, entries, zip.as_file_mut()).or_fail(what)?,
            What::Zip(given) => {
                std::io::copy(&mut given.reader(), zip.as_file_mut()).or_fail(what)?;
            }
        }
        let (hash, bytes) = snapshot::hash(zip.as_file_mut()).or_fail(what)?;
        Ok(Zip {
            file: zip.into_temp_path(),
            bytes,
            hash,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Write};
    use std::os::unix::fs::PermissionsExt;

    use sha2::{Digest as _, Sha256};
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipArchive, ZipWriter};

    use super::*;
    use crate::testing::quiet;

    #[test]
    fn a_library_helps_only_where_the_loader_looks() {
        let files = ["bootstrap", "lib/libssl.so.3", "./libz.so.1", "deps/libpq.so.5"].map(str::to_owned);
        let helps = |library| brought_along(library, &files);
        assert!(helps("libssl.so.3") && helps("libz.so.1"));
        assert!(!helps("libpq.so.5") && !helps("libcrypto.so.3"));
    }

    fn key(zip: &[u8]) -> String {
        format!("function/{}.zip", hex::encode(Sha256::digest(zip)))
    }

    fn zipped(files: &[(&str, u32, &[u8])], method: CompressionMethod) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, mode, content) in files {
            let options = SimpleFileOptions::default()
                .compression_method(method)
                .unix_permissions(*mode);
            archive.start_file(*name, options).expect("a file");
            archive.write_all(content).expect("written");
        }
        archive.finish().expect("a zip").into_inner()
    }

    /// A static program of this machine's kind, as far as its headers tell.
    fn program() -> Vec<u8> {
        let machine: u16 = match Architecture::of_this_host() {
            Some(Architecture::Arm64) => 183,
            _ => 62,
        };
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(16, 0);
        elf.extend(2u16.to_le_bytes());
        elf.extend(machine.to_le_bytes());
        elf.extend(1u32.to_le_bytes());
        // Entry point, program headers, section headers, flags.
        elf.extend(0x40_0000u64.to_le_bytes());
        elf.extend([0; 8 + 8 + 4]);
        for size in [64u16, 56, 0, 64, 0, 0] {
            elf.extend(size.to_le_bytes());
        }
        elf.extend(b"some code");
        elf
    }

    async fn prebuilt(file: &Path) -> Result<Package> {
        let here = Architecture::of_this_host().unwrap_or(Architecture::X86_64);
        let builds = builds(file);
        Prebuilt::open(file).await?.package(here, builds, &quiet()).await
    }

    async fn given(path: &Path) -> Result<Package> {
        of_path(path, builds(path)).await
    }

    fn builds(beside: &Path) -> PathBuf {
        beside.with_file_name("builds")
    }

    async fn written(package: &Package, place: &Path) -> Vec<u8> {
        let out = place.join("new").join("out.zip");
        let bytes = package.write_to(&out).await.expect("written");
        let zip = std::fs::read(&out).expect("it");
        assert_eq!(bytes, zip.len() as u64);
        assert_eq!(package.code_sha256(), BASE64.encode(Sha256::digest(&zip)));
        assert_eq!(package.key, key(&zip));
        assert_eq!(sum_named_by(&package.key), Some(package.code_sha256()));
        zip
    }

    #[tokio::test]
    async fn a_package_goes_by_what_its_zip_is() {
        let place = tempfile::tempdir().expect("a folder");
        let (binary, program) = (place.path().join("binary"), program());
        std::fs::write(&binary, &program).expect("written");
        let zip = written(&prebuilt(&binary).await.expect("fits"), place.path()).await;
        let again = prebuilt(&binary).await.expect("fits");
        assert!(
            again.content.zip.get().is_none(),
            "its name is known without packing it"
        );
        assert_eq!(written(&again, place.path()).await, zip);

        // What was given is what is uploaded, whoever made it.
        let stored = zipped(&[("bootstrap", 0o555, &program)], CompressionMethod::Stored);
        for zip in [zip, stored] {
            let file = place.path().join("given.zip");
            std::fs::write(&file, &zip).expect("written");
            for package in [prebuilt(&file).await, given(&file).await] {
                assert_eq!(written(&package.expect("fits"), place.path()).await, zip);
            }
        }

        let more = zipped(
            &[("bootstrap", 0o755, &program), ("data", 0o644, b"more")],
            CompressionMethod::Deflated,
        );
        let file = place.path().join("more.zip");
        std::fs::write(&file, &more).expect("written");
        assert_eq!(prebuilt(&file).await.expect("fits").key, key(&more));
        assert_eq!(
            sum_named_by("function/0123456789abcdef0123456789abcdef.zip"),
            None,
            "earlier"
        );
    }

    #[tokio::test]
    async fn a_zip_that_is_not_the_one_remembered_goes_nowhere() {
        let place = tempfile::tempdir().expect("a folder");
        let (binary, program) = (place.path().join("binary"), program());
        std::fs::write(&binary, &program).expect("written");
        sums::remember(&builds(&binary), &Sha256::digest(&program).into(), &[7; 32]);
        let package = prebuilt(&binary).await.expect("fits");
        let error = package
            .write_to(&place.path().join("out.zip"))
            .await
            .expect_err("another");
        assert_eq!(error.kind(), ErrorKind::ChangedMeanwhile);
        written(&prebuilt(&binary).await.expect("fits"), place.path()).await;
    }

    #[tokio::test]
    async fn what_was_checked_is_what_is_packed() {
        let place = tempfile::tempdir().expect("a folder");
        let file = place.path().join("binary");
        std::fs::write(&file, program()).expect("written");
        let package = prebuilt(&file).await.expect("fits");
        std::fs::write(&file, "something else").expect("written");
        let zip = written(&package, place.path()).await;
        let mut archive = ZipArchive::new(Cursor::new(zip)).expect("a zip");
        let mut content = Vec::new();
        let mut entry = archive.by_name("bootstrap").expect("there");
        entry.read_to_end(&mut content).expect("whole");
        assert_eq!(content, program());
    }

    #[tokio::test]
    async fn code_in_another_language_is_a_folder_or_a_zip() {
        let place = tempfile::tempdir().expect("a folder");
        let code = place.path().join("code");
        std::fs::create_dir_all(code.join("lib")).expect("made");
        std::fs::write(code.join("main.py"), "import lib").expect("written");
        std::fs::write(code.join("lib/run.sh"), "#!/bin/sh").expect("written");
        std::fs::set_permissions(code.join("lib/run.sh"), PermissionsExt::from_mode(0o700)).expect("its owner");
        let package = given(&code).await.expect("packed");
        assert_eq!(package.glibc, None);
        let zip = written(&package, place.path()).await;
        let mut archive = ZipArchive::new(Cursor::new(&zip)).expect("a zip");
        let mut modes = Vec::new();
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).expect("there");
            modes.push((
                entry.name().expect("UTF-8").into_owned(),
                entry.unix_mode().map(|mode| mode & 0o777),
            ));
        }
        assert_eq!(
            modes,
            [
                ("lib/run.sh".to_owned(), Some(0o755)),
                ("main.py".to_owned(), Some(0o644))
            ]
        );
        let again = given(&code).await.expect("packed");
        assert_eq!(again.key, package.key);
        assert_eq!(written(&again, place.path()).await, zip);
        std::fs::write(code.join("main.py"), "import more").expect("written");
        assert_ne!(given(&code).await.expect("packed").key, package.key);

        let file = place.path().join("code.zip");
        std::fs::write(&file, &zip).expect("written");
        let package = given(&file).await.expect("a zip");
        assert_eq!(written(&package, place.path()).await, zip);
    }

    #[tokio::test]
    async fn what_is_no_code_is_refused() {
        let place = tempfile::tempdir().expect("a folder");
        let file = place.path().join("main.py");
        std::fs::write(&file, "import this").expect("written");
        std::fs::write(place.path().join("cut.zip"), b"PK\x03\x04 and nothing else").expect("written");
        for (name, words) in [
            ("main.py", "main.py is no zip"),
            ("cut.zip", "cut.zip is no package for Lambda: it can't be read as a zip"),
            ("missing", "could not read the function's code"),
        ] {
            let error = given(&place.path().join(name)).await.expect_err(name);
            assert_eq!(error.kind(), ErrorKind::InvalidPackage, "{name}");
            assert!(error.to_string().contains(words), "{error}");
            assert!(error.next_step().is_some(), "{name}");
        }
    }

    #[tokio::test]
    async fn several_binaries_are_built_by_one_call() {
        let place = tempfile::tempdir().expect("a folder");
        let write = |name: &str, content: &str| {
            let file = place.path().join(name);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            std::fs::write(file, content).expect("written");
        };
        let package = |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
        write("stacks/stages.yaml", "project: several\nstages:\n  prod:\n");
        // A workspace with a package of its own, which is all that cargo takes unless it is told of more.
        write(
            "function/Cargo.toml",
            &format!("{}[workspace]\nmembers = [\"extra\"]\n", package("app")),
        );
        write("function/src/bin/get-user.rs", "fn main() {}\n");
        write("function/src/bin/put-user.rs", "fn main() { println!(\"put\"); }\n");
        write("function/src/bin/broken.rs", "fn main() { this is not built }\n");
        write("function/extra/Cargo.toml", &package("extra"));
        write("function/extra/src/main.rs", "fn main() { println!(\"extra\"); }\n");
        let project = Project::open(place.path(), "prod").expect("a project");
        let build_of = |name: &str| Build {
            binary: name.to_owned(),
            target: Target::ThisHost,
        };
        let builds = ["get-user", "extra", "put-user", "extra"].map(build_of);
        let packages = build(&project, &builds, &quiet()).await.expect("built");
        let names: Vec<&str> = packages.keys().map(|build| build.binary.as_str()).collect();
        assert_eq!(names, ["extra", "get-user", "put-user"]);
        let keys: BTreeSet<&str> = packages.values().map(|package| package.key.as_str()).collect();
        assert_eq!(keys.len(), 3);
        drop(packages);
        let left = std::fs::read_dir(project.build_dir()).expect("made");
        let left: Vec<_> = left.map(|entry| entry.expect("readable").file_name()).collect();
        assert_eq!(left, ["sums"], "nothing else is left there");

        let error = build(&project, &[build_of("broken")], &quiet())
            .await
            .expect_err("it doesn't compile");
        assert!(error.to_string().contains("the function doesn't build"), "{error}");
        let error = build(&project, &[build_of("putuser")], &quiet())
            .await
            .expect_err("none");
        assert_eq!(error.next_step(), Some("Did you mean `put-user`?"));
    }
}
