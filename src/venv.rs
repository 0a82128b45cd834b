//! Virtual environments of the deployer's own, for tools that come as Python packages: each is made once, in the user's
//! cache, with uv or with a Python that is already there.
//!
//! What is in one is decided by a list of packages with the hashes of their files: the index can't send others. Its name
//! has the list's hash, so that another list makes another environment, and an older deployer keeps its own.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use etcetera::BaseStrategy;
use etcetera::base_strategy::Xdg;
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::child;
use crate::error::{Error, ErrorKind, OrFail, Result};
use crate::lock;
use crate::private;
use crate::report::Reporter;
use crate::text::last_lines;

/// The oldest Python that the tools run on, as uv is told it; [`PROBE`] has it, too.
const OLDEST: &str = ">=3.10";

/// Written last: an environment without it was left half-made.
const MARKER: &str = "complete";
/// The list that it was made from, in the environment.
const LIST: &str = "requirements.txt";

/// Prints the program behind any shim, if it can make environments: Debian packages the modules for that apart.
const PROBE: &str = "import sys
if sys.version_info < (3, 10): sys.exit('it is %d.%d.%d' % sys.version_info[:3])
import venv, ensurepip
print(sys.executable)";
/// Prints the version of a package, if it is there for the Python that runs this.
const ASK_VERSION: &str = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))";

/// Words in the names of environment variables that hold what opens something. No installer needs any: it is other
/// people's code, which runs with all that the user may do.
const SECRET_WORDS: [&str; 5] = ["TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "PRIVATE_KEY"];
/// Variables of an installer's own: those with the words above open the index that the user chose.
const INSTALLERS: [&str; 2] = ["PIP_", "UV_INDEX_"];

/// Lines of an installer's complaint that an error quotes.
const TAIL: usize = 6;

/// Something that is installed as Python packages.
#[derive(Debug)]
pub(crate) struct Tool {
    /// Who needs it, as in "the local cloud needs Python".
    pub(crate) user: &'static str,
    /// How events name that.
    pub(crate) part: &'static str,
    /// The package that it is, as the list has it.
    pub(crate) package: &'static str,
    /// That package's version.
    pub(crate) version: &'static str,
    /// All packages, with the hashes of their wheels, as pip and uv read them.
    pub(crate) lock: &'static str,
}

/// Where environments are made, and with what; tests have their own.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The deployer's folder for what can be made again.
    pub(crate) cache: PathBuf,
    /// Where programs are looked for, as in `PATH`.
    pub(crate) path: OsString,
}

/// The user's own folders, by the environment.
///
/// # Errors
/// There is no home folder.
pub(crate) fn user_folders() -> Result<Xdg> {
    Xdg::new().map_err(|error| {
        Error::new(ErrorKind::InvalidSetup, "could not find the home folder")
            .cause(error)
            .hint("Set HOME, or XDG_CACHE_HOME and XDG_STATE_HOME.")
    })
}

impl Place {
    /// The user's.
    pub(crate) fn of(folders: &Xdg) -> Self {
        Self {
            cache: folders.cache_dir().join("deployer"),
            path: std::env::var_os("PATH").unwrap_or_default(),
        }
    }
}

/// An environment's own Python.
pub(crate) fn interpreter(environment: &Path) -> PathBuf {
    commands(environment).join("python")
}

/// The folder of an environment's commands.
pub(crate) fn commands(environment: &Path) -> PathBuf {
    environment.join("bin")
}

impl Tool {
    /// The folder of its environment, whether it is there or not.
    pub(crate) fn environment(&self, cache: &Path) -> PathBuf {
        cache.join(format!("{}-{}-{}", self.package, self.version, self.lock_hash()))
    }

    fn lock_hash(&self) -> String {
        hex::encode(&Sha256::digest(self.lock)[..4])
    }

    /// What it is, as messages name it.
    fn name(&self) -> String {
        format!("{} {}", self.package, self.version)
    }

    /// Makes its environment, unless it is there and works; returns the environment's folder.
    ///
    /// # Errors
    /// There is no Python to make it with, or the packages can't be had.
    pub(crate) async fn install(&self, place: &Place, reporter: &Reporter) -> Result<PathBuf> {
        let environment = self.environment(&place.cache);
        // Appended: the version's last part is no file extension.
        let mut lock_file = environment.clone().into_os_string();
        lock_file.push(".lock");
        let waiting = format!("waiting for another run that installs {}", self.name());
        let lock = lock::take(lock_file.as_ref(), self.part, reporter, &waiting).await?;
        if self.is_complete(place).await {
            return Ok(environment);
        }
        let maker = Maker::find(self, &place.path).await?;
        reporter.working(self.part, format!("installing {} (once)", self.name()));
        match tokio::fs::remove_dir_all(&environment).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).or_fail(|| format!("could not replace {}", environment.display()));
            }
            _ => {}
        }
        maker.make(self, place, &lock).await?;
        tokio::fs::write(environment.join(MARKER), self.version)
            .await
            .or_fail(|| format!("could not finish {}", environment.display()))?;
        if self.is_complete(place).await {
            Ok(environment)
        } else {
            Err(
                Error::failed(format!("{} doesn't run after its installation", self.name()))
                    .cause(format!("{} can't load it", interpreter(&environment).display()))
                    .hint("Try another Python, or uv: put it on PATH and run this again."),
            )
        }
    }

    /// Whether the environment is finished and still works: the Python that it was made with may be gone or replaced.
    async fn is_complete(&self, place: &Place) -> bool {
        let environment = self.environment(&place.cache);
        let question = ["-I", "-c", ASK_VERSION, self.package];
        environment.join(MARKER).exists()
            && command(place, &interpreter(&environment), &question)
                .output()
                .await
                .is_ok_and(|output| output.status.success() && output.stdout.trim_ascii() == self.version.as_bytes())
    }
}

/// What makes the environment.
#[derive(Debug, PartialEq, Eq)]
enum Maker {
    Uv(PathBuf),
    Python(PathBuf),
}

impl Maker {
    /// uv if there is one, since it can bring its own Python; else `python3`. Which of several Pythons that is, is for
    /// whoever installed them to say.
    async fn find(tool: &Tool, path: &OsStr) -> Result<Self> {
        if let Some(uv) = which("uv", path)
            && answer(&uv, &["--version"], path).await.is_ok()
        {
            return Ok(Self::Uv(uv));
        }
        let why = match which("python3", path) {
            None => "there is no python3 on PATH".to_owned(),
            Some(python) => match answer(&python, &["-I", "-c", PROBE], path).await {
                Ok(program) => return Ok(Self::Python(program.into())),
                Err(complaint) => format!("{} won't do: {complaint}", python.display()),
            },
        };
        let user = tool.user;
        Err(Error::new(
            ErrorKind::InvalidSetup,
            format!("{user} needs Python 3.10 or newer with its venv module, or uv"),
        )
        .cause(why)
        .hint(
            "Install one (Debian, Ubuntu: `sudo apt install python3 python3-venv`; macOS: `brew install python`; \
                     or https://docs.astral.sh/uv/, which brings its own Python), then run this again.",
        ))
    }

    async fn make(&self, tool: &Tool, place: &Place, lock: &File) -> Result<()> {
        let environment = tool.environment(&place.cache);
        let interpreter = interpreter(&environment);
        let list = environment.join(LIST);
        let folder = environment.to_string_lossy();
        let unmade = || {
            Error::new(
                ErrorKind::InvalidSetup,
                format!("could not make a virtual environment for {}", tool.user),
            )
            .hint(
                "Make sure that Python 3.10 or newer is there with its venv module (Debian, Ubuntu: `sudo apt install \
                 python3 python3-venv`), then run this again.",
            )
        };
        let uninstalled = |index: &str| {
            Error::new(ErrorKind::InvalidSetup, format!("could not install {}", tool.name())).hint(format!(
                "Check the connection, the proxy (HTTPS_PROXY) and {index}, then run this again."
            ))
        };
        let write_list = || {
            private::write(&list, tool.lock).or_fail(|| format!("could not write {}", list.display()))?;
            // No code of a package runs for its installation, as it would to build one from its source.
            Ok([
                "--require-hashes".to_owned(),
                "--only-binary".to_owned(),
                ":all:".to_owned(),
                "-r".to_owned(),
                list.to_string_lossy().into_owned(),
            ])
        };
        match self {
            Self::Uv(uv) => {
                let arguments = ["venv", "--quiet", "--no-project", "--python", OLDEST, &*folder];
                step(place, lock, uv, &arguments, unmade).await?;
                let from_list = write_list()?;
                let interpreter = interpreter.to_string_lossy();
                let mut arguments = vec!["pip", "install", "--quiet", "--python", &*interpreter];
                arguments.extend(from_list.iter().map(String::as_str));
                step(place, lock, uv, &arguments, || uninstalled("UV_DEFAULT_INDEX")).await
            }
            Self::Python(python) => {
                step(place, lock, python, &["-I", "-m", "venv", &*folder], unmade).await?;
                let from_list = write_list()?;
                let mut arguments = vec![
                    "-I",
                    "-m",
                    "pip",
                    "install",
                    "--disable-pip-version-check",
                    "--no-input",
                    "-q",
                ];
                arguments.extend(from_list.iter().map(String::as_str));
                step(place, lock, &interpreter, &arguments, || uninstalled("PIP_INDEX_URL")).await
            }
        }
    }
}

/// The first executable file of this name on `path`.
fn which(name: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| {
            file.metadata()
                .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        })
}

/// What a program prints on stdout, run where the user is, as a version manager's shim goes by that; else what it
/// complains of.
async fn answer(program: &Path, arguments: &[&str], path: &OsStr) -> Result<String, String> {
    let mut command = Command::new(program);
    without_secrets(&mut command);
    command.args(arguments).env("PATH", path);
    let output = child::output(command.stdin(Stdio::null())).await;
    let output = output.map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match text(&output.stdout) {
        printed if output.status.success() && !printed.is_empty() => Ok(printed),
        _ => Err(last_lines(&text(&output.stderr), 1)),
    }
}

/// Runs one step of an installation; if it fails, `failed` with what the program complained of.
///
/// The program holds the lock, too, as its otherwise unused stdin: should this run be killed, the next one waits for
/// the program to end instead of working in the same folder.
async fn step(
    place: &Place,
    lock: &File,
    program: &Path,
    arguments: &[&str],
    failed: impl FnOnce() -> Error,
) -> Result<()> {
    let run = async {
        let stdin = lock.try_clone()?;
        child::output(command(place, program, arguments).stdin(stdin)).await
    };
    let output = match run.await {
        Ok(output) => output,
        Err(error) => return Err(failed().cause(format!("{} can't be run: {error}", program.display()))),
    };
    if output.status.success() {
        return Ok(());
    }
    // `python -m venv` complains on stdout.
    let complaint = match output.stderr.trim_ascii() {
        b"" => &output.stdout,
        _ => &output.stderr,
    };
    let complaint = gist(&String::from_utf8_lossy(complaint));
    Err(failed().cause(if complaint.is_empty() {
        format!("{} ended with {}", program.display(), output.status)
    } else {
        complaint
    }))
}

/// A program run in the cache folder: the project's own files, such as a `uv.toml`, have no say in this.
fn command(place: &Place, program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    without_secrets(&mut command);
    command
        .args(arguments)
        .env("PATH", &place.path)
        .current_dir(&place.cache)
        .stdin(Stdio::null());
    command
}

/// Keeps from a program what of this process's environment opens the user's accounts.
fn without_secrets(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if is_secret(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
}

fn is_secret(variable: &str) -> bool {
    let name = variable.to_ascii_uppercase();
    let is_installers = INSTALLERS.iter().any(|prefix| name.starts_with(prefix));
    name.starts_with("AWS_") || (!is_installers && SECRET_WORDS.iter().any(|word| name.contains(word)))
}

/// The end of a complaint, with pip's retries, which all say the same, only once.
fn gist(complaint: &str) -> String {
    let is_retry = |line: &&str| line.trim_start().starts_with("WARNING: Retrying");
    let last_retry = complaint.lines().rfind(is_retry);
    let rest = complaint.lines().filter(|line| !is_retry(line));
    let lines: Vec<&str> = last_retry.into_iter().chain(rest).collect();
    last_lines(&lines.join("\n"), TAIL)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::testing::{executable, quiet};

    const VERSION: &str = "1.2.3";
    const TOOL: Tool = Tool {
        user: "the test",
        part: "test",
        package: "thing",
        version: VERSION,
        lock: "thing==1.2.3 --hash=sha256:00\n",
    };

    /// With nothing installed and nothing on `PATH`.
    struct Sandbox {
        folder: TempDir,
        place: Place,
    }

    impl Sandbox {
        /// The only folder on `PATH`.
        fn bin(&self) -> PathBuf {
            self.folder.path().join("bin")
        }

        fn environment(&self) -> PathBuf {
            TOOL.environment(&self.place.cache)
        }
    }

    fn sandbox() -> Sandbox {
        let folder = tempfile::tempdir().expect("a folder");
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).expect("made");
        let place = Place {
            cache: folder.path().join("cache"),
            path: bin.into_os_string(),
        };
        Sandbox { folder, place }
    }

    /// A `python3` that can make an environment in which it also stands in for pip (which does `pip`) and for the
    /// installed tool.
    fn python(pip: &str) -> String {
        format!(
            r#"#!/bin/sh
case "$*" in
  *importlib.metadata*) echo {VERSION} ;;
  *ensurepip*) echo "$0" ;;
  "-I -m venv "*) echo venv >>"$0.calls"; /bin/mkdir -p "$4/bin" && /bin/cp "$0" "$4/bin/python" ;;
  "-I -m pip install "*) {pip} ;;
  *) echo "unexpected: $*" >&2; exit 9 ;;
esac
"#
        )
    }

    fn calls(program: &Path) -> usize {
        let mut file = program.as_os_str().to_owned();
        file.push(".calls");
        std::fs::read_to_string(file).unwrap_or_default().lines().count()
    }

    async fn refused(programs: &[(&str, String)]) -> Error {
        let sandbox = sandbox();
        for (name, script) in programs {
            executable(&sandbox.bin().join(name), script);
        }
        let error = TOOL
            .install(&sandbox.place, &quiet())
            .await
            .expect_err("nothing to install with");
        assert_eq!(error.kind(), ErrorKind::InvalidSetup);
        error
    }

    #[test]
    fn what_opens_accounts_is_kept_from_installers() {
        for name in [
            "AWS_ACCESS_KEY_ID",
            "AWS_PROFILE",
            "GITHUB_TOKEN",
            "CARGO_REGISTRY_TOKEN",
            "npm_config__password",
            "UV_PUBLISH_TOKEN",
            "GOOGLE_APPLICATION_CREDENTIALS",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "HOME",
            "HTTPS_PROXY",
            "PIP_INDEX_URL",
            "UV_INDEX_WORK_PASSWORD",
            "SSL_CERT_FILE",
            "PYENV_ROOT",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn another_list_is_another_environment() {
        let other = Tool {
            lock: "thing==1.2.3 --hash=sha256:01\n",
            ..TOOL
        };
        let cache = Path::new("/cache");
        assert_ne!(other.environment(cache), TOOL.environment(cache));
        assert!(
            TOOL.environment(cache)
                .to_string_lossy()
                .starts_with("/cache/thing-1.2.3-")
        );
    }

    #[tokio::test]
    async fn without_python_it_is_said_what_to_install() {
        let says = |error: &Error, what: &str| {
            assert!(error.to_string().contains("needs Python 3.10 or newer"), "{error}");
            assert!(error.to_string().ends_with(what), "{error}");
            let hint = error.next_step().expect("a hint");
            assert!(
                hint.contains("apt install python3 python3-venv") && hint.contains("uv"),
                "{hint}"
            );
        };
        says(&refused(&[]).await, "there is no python3 on PATH");
        // Version managers' shims, and what Pythons say that are too old or lack a module.
        for complaint in [
            "pyenv: python3: command not found",
            "it is 3.9.2",
            "ModuleNotFoundError: No module named 'ensurepip'",
        ] {
            let unfit = format!("#!/bin/sh\necho \"{complaint}\" >&2\nexit 1\n");
            let error = refused(&[("python3", unfit.clone()), ("uv", unfit)]).await;
            says(&error, &format!("bin/python3 won't do: {complaint}"));
        }
    }

    /// The probe itself, by the Python that the tests need anyway.
    #[tokio::test]
    async fn a_python_says_what_it_is_or_lacks() {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let python = which("python3", &path).expect("a Python");
        let ask = async |probe: &str| answer(&python, &["-I", "-c", probe], &path).await;
        let program = ask(PROBE).await.expect("it can make environments");
        assert!(Path::new(&program).is_absolute(), "{program}");
        let old = ask(&PROBE.replace("(3, 10)", "(99, 0)")).await.expect_err("too old");
        assert!(old.starts_with("it is 3."), "{old}");
        let bare = ask(&PROBE.replace("ensurepip", "no_such_module"))
            .await
            .expect_err("bare");
        assert!(bare.contains("no_such_module"), "{bare}");
    }

    #[tokio::test]
    async fn behind_a_shim_the_program_itself_is_taken() {
        let sandbox = sandbox();
        let program = sandbox.place.cache.join("python3.11");
        std::fs::create_dir(&sandbox.place.cache).expect("made");
        executable(&program, &python(":"));
        // Which one a version manager's shim runs depends on the folder that it is run in.
        let shim = format!("#!/bin/sh\nexec '{}' \"$@\"\n", program.display());
        executable(&sandbox.bin().join("python3"), &shim);
        let maker = Maker::find(&TOOL, &sandbox.place.path).await.expect("found");
        assert_eq!(maker, Maker::Python(program));
    }

    #[tokio::test]
    async fn what_pip_complains_of_is_quoted_and_nothing_counts_as_installed() {
        let pip = r#"for n in 4 3 2 1 0; do echo "WARNING: Retrying (Retry(total=$n)): Connection refused" >&2; done
    echo "ERROR: No matching distribution found for ${12}" >&2; exit 1"#;
        let sandbox = sandbox();
        let python3 = sandbox.bin().join("python3");
        executable(&python3, &python(pip));
        let error = TOOL.install(&sandbox.place, &quiet()).await.expect_err("no index");
        assert_eq!(error.kind(), ErrorKind::InvalidSetup);
        assert_eq!(
            error.to_string(),
            format!(
                "could not install thing {VERSION}: WARNING: Retrying (Retry(total=0)): Connection refused\n\
                 ERROR: No matching distribution found for {}",
                sandbox.environment().join(LIST).display()
            )
        );
        assert!(error.next_step().is_some_and(|hint| hint.contains("PIP_INDEX_URL")));
        assert!(!TOOL.is_complete(&sandbox.place).await);

        executable(&python3, &python(":"));
        TOOL.install(&sandbox.place, &quiet()).await.expect("the index is back");
        assert!(TOOL.is_complete(&sandbox.place).await);
    }

    #[tokio::test]
    async fn a_half_made_environment_is_made_anew() {
        let sandbox = sandbox();
        executable(&sandbox.bin().join("python3"), &python(":"));
        let environment = sandbox.environment();
        let leftover = environment.join("bin").join("leftover");
        std::fs::create_dir_all(environment.join("bin")).expect("made");
        std::fs::write(&leftover, "").expect("written");
        TOOL.install(&sandbox.place, &quiet()).await.expect("installed");
        assert!(!leftover.exists());
        assert!(environment.join(MARKER).exists());

        // Its Python was uninstalled since.
        std::fs::remove_file(interpreter(&environment)).expect("removed");
        TOOL.install(&sandbox.place, &quiet()).await.expect("installed again");
        assert!(TOOL.is_complete(&sandbox.place).await);
    }

    #[tokio::test]
    async fn two_runs_make_one_environment() {
        let sandbox = sandbox();
        let python3 = sandbox.bin().join("python3");
        executable(&python3, &python("/bin/sleep 0.3"));
        let reporter = quiet();
        let (one, two) = tokio::join!(
            TOOL.install(&sandbox.place, &reporter),
            TOOL.install(&sandbox.place, &reporter)
        );
        one.expect("installed");
        two.expect("installed");
        assert_eq!(calls(&python3), 1);
    }

    #[tokio::test]
    async fn uv_is_preferred_and_told_the_lowest_version() {
        let sandbox = sandbox();
        let python3 = sandbox.bin().join("python3");
        let uv = sandbox.bin().join("uv");
        executable(&python3, &python(":"));
        executable(
            &uv,
            r#"#!/bin/sh
case "$*" in
  --version) echo uv 0.9.0; exit ;;
  "venv "*) for last in "$@"; do :; done
    /bin/mkdir -p "$last/bin" && /bin/cp "${0%/uv}/python3" "$last/bin/python" ;;
esac
echo "$*" >>"$0.calls"
"#,
        );
        TOOL.install(&sandbox.place, &quiet()).await.expect("installed");
        let environment = sandbox.environment();
        let environment = environment.display();
        assert_eq!(
            std::fs::read_to_string(sandbox.bin().join("uv.calls")).expect("called"),
            format!(
                "venv --quiet --no-project --python >=3.10 {environment}\n\
                 pip install --quiet --python {environment}/bin/python --require-hashes --only-binary :all: \
                 -r {environment}/requirements.txt\n"
            )
        );
        assert_eq!(calls(&python3), 0);
    }
}
