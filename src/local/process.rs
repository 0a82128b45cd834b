//! The emulator's process: starting it, knowing it again, and ending it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::process::Child;

use super::{Credentials, Settings, VERSION};
use crate::error::{Error, ErrorKind, OrFail, Result};
use crate::private;
use crate::text::last_lines;
use crate::venv;

/// What lets nobody in but the owner: it looks at what comes in, then runs ministack in the same process.
const GUARD: &str = include_str!("guard.py");

/// What of the user's environment the emulator gets besides `PATH`. Anything more could change what it does: `LOG_LEVEL`,
/// `AWS_PROFILE`, `PYTHONPATH`. Functions get none of it; the guard sees to that.
const INHERITED: [&str; 7] = ["HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH"];

/// Lines of the log that an error quotes.
const TAIL: usize = 12;

/// Tells one guard from another: an emulator that was started behind an older one must not be joined.
pub(super) fn guard() -> String {
    hex::encode(&Sha256::digest(GUARD)[..8])
}

/// Starts the emulator; it stays when this process ends, and a Ctrl-C on the terminal doesn't reach it.
pub(super) fn spawn(settings: &Settings) -> Result<Child> {
    let folder = settings.state_dir();
    let cannot = || "could not start the local cloud".to_owned();
    let own = |name: &str| -> Result<PathBuf> {
        let path = folder.join(name);
        private::folder(&path).or_fail(cannot)?;
        Ok(path)
    };
    // What it extracted for an earlier process is of no use to this one.
    match std::fs::remove_dir_all(folder.join(TEMPORARY)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).or_fail(cannot),
        _ => {}
    }
    let (saved, buckets, temporary) = (own("state")?, own("s3")?, own(TEMPORARY)?);
    let log = private::file(&settings.log_file()).or_fail(cannot)?;
    let guard = folder.join("guard.py");
    private::write(&guard, GUARD).or_fail(cannot)?;

    let mut command = tokio::process::Command::new(venv::interpreter(&settings.environment()));
    command
        // Isolated: neither the working folder nor the user's own packages are searched for modules.
        .arg("-I")
        .arg(guard)
        // By a file: whoever may list processes may read their arguments, and often their environment.
        .arg(Credentials::file(&folder))
        .env_clear()
        .env("PATH", &settings.path)
        .envs(
            INHERITED
                .iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        )
        // It binds every interface and more ports unless told otherwise.
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", settings.port.to_string())
        .env("IOT_MTLS_ENABLED", "0")
        .env("SFTP_ENABLED", "0")
        // Signatures, policies and private buckets count, as they do at AWS.
        .env("AUTH", "true")
        // Functions get these, too: their calls must come back here, whatever the user's own AWS files say.
        .env("AWS_ENDPOINT_URL", Settings::endpoint(settings.port))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("PERSIST_STATE", "1")
        .env("S3_PERSIST", "1")
        .env("STATE_DIR", saved)
        .env("S3_DATA_DIR", buckets)
        // With a Docker daemon in reach it would remove containers that other ministacks made.
        .env("DOCKER_HOST", format!("unix://{}/no-docker.sock", temporary.display()))
        .env("TMPDIR", temporary)
        .current_dir(&folder)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone().or_fail(cannot)?)
        .stderr(log);
    command.spawn().or_fail(cannot)
}

/// The guard's file that is there until all is saved.
const UNSAVED: &str = "unsaved.txt";

/// The emulator's folder for what it needs only while it runs.
const TEMPORARY: &str = "tmp";

/// The emulator that runs on a state folder, noted in that folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) pid: u32,
    /// When the process began: another one may get its number.
    born: String,
    pub(super) port: u16,
    pub(super) version: String,
    /// See [`guard`]; "" if there was none yet.
    #[serde(default)]
    pub(super) guard: String,
}

impl Record {
    /// The record of a child just started; none if it has ended already.
    pub(super) fn of(child: &Child, port: u16) -> Option<Result<Self>> {
        let pid = child.id()?;
        Some(birth(pid).transpose()?.map(|born| Self {
            pid,
            born,
            port,
            version: VERSION.to_owned(),
            guard: guard(),
        }))
    }

    pub(super) fn read(folder: &Path) -> Result<Option<Self>> {
        let file = Self::file(folder);
        let Some(text) = private::read(&file).or_fail(|| format!("could not read {}", file.display()))? else {
            return Ok(None);
        };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Error::new(
                ErrorKind::LocalCloud,
                format!("could not understand {}", file.display()),
            )
            .cause(error)
            .hint("It says which local cloud runs. If none does, delete it and run this again.")
        })
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let file = Self::file(folder);
        let cannot = || format!("could not write {}", file.display());
        let text = serde_json::to_string(self).or_fail(cannot)?;
        private::write(&file, &text).or_fail(cannot)
    }

    pub(super) fn remove(folder: &Path) -> Result<()> {
        let file = Self::file(folder);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.or_fail(|| format!("could not remove {}", file.display())),
        }
    }

    /// Whether this very process still runs.
    pub(super) fn is_alive(&self) -> Result<bool> {
        Ok(birth(self.pid)?.is_some_and(|born| born == self.born))
    }

    /// Whether the process, now gone, had no chance to save: ministack removes its pid file when it ends in order.
    pub(super) fn was_killed(&self, folder: &Path) -> bool {
        folder
            .join(TEMPORARY)
            .join(format!("ministack-{}.pid", self.port))
            .exists()
    }

    /// Why the process, which has ended, could not save all that was in it; none if it could. What ran behind an older guard
    /// doesn't tell.
    pub(super) fn unsaved(folder: &Path) -> Option<String> {
        let why = std::fs::read_to_string(folder.join(UNSAVED)).ok()?;
        Some(why.trim().to_owned())
    }

    fn file(folder: &Path) -> PathBuf {
        folder.join("running.json")
    }
}

/// When a process began, as text that is only good for comparing; none if there is no such process, or only its exit
/// status is left.
pub(super) fn birth(pid: u32) -> Result<Option<String>> {
    if cfg!(target_os = "linux") {
        birth_by_proc(pid)
    } else {
        birth_by_ps(pid)
    }
}

/// To the clock tick, with the boot that the ticks are counted from; `ps` may not be installed, and rounds.
fn birth_by_proc(pid: u32) -> Result<Option<String>> {
    let file = format!("/proc/{pid}/stat");
    let stat = match std::fs::read_to_string(&file) {
        Ok(stat) => stat,
        // Reading fails in a second way when the process ends between opening and reading: ESRCH.
        Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(3) => return Ok(None),
        Err(error) => return Err(Error::new(ErrorKind::LocalCloud, format!("could not read {file}")).cause(error)),
    };
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Ok(start_in_stat(&stat).map(|ticks| format!("{ticks} {}", boot.trim())))
}

/// Field 22 of `/proc/<pid>/stat`, unless the process is dead. Field 2, a name in parentheses, may contain anything.
fn start_in_stat(stat: &str) -> Option<&str> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)
}

fn birth_by_ps(pid: u32) -> Result<Option<String>> {
    let output = Command::new("ps")
        .args(["-o", "stat=", "-o", "lstart=", "-p", &pid.to_string()])
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .output()
        .or_fail(|| "could not list processes with `ps`".to_owned())?;
    let line = String::from_utf8_lossy(&output.stdout);
    Ok(line
        .trim()
        .split_once(char::is_whitespace)
        .filter(|(state, _)| !state.starts_with('Z'))
        .map(|(_, start)| start.trim().to_owned()))
}

/// What a process is doing, as far as the system tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Activity {
    /// Stopped by a signal, or by a debugger.
    is_stopped: bool,
    /// Computing, wanting to, or waiting for a disk.
    is_busy: bool,
    /// The time that it has computed, in clock ticks.
    ticks: u64,
}

impl Activity {
    /// That of a process; none where the system doesn't tell.
    pub(super) fn of(pid: u32) -> Option<Self> {
        Self::in_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn in_stat(stat: &str) -> Option<Self> {
        let (_, after_name) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let state = *fields.first()?;
        let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            is_stopped: matches!(state, "T" | "t"),
            is_busy: matches!(state, "R" | "D"),
            ticks: ticks(11)? + ticks(12)?,
        })
    }

    /// Whether a process that was doing this before, and now this, does nothing: one that is only slow, on a machine that has
    /// much to do, computes or wants to.
    pub(super) fn hangs(before: Option<Self>, now: Option<Self>) -> bool {
        match (before, now) {
            (Some(before), Some(now)) => now.is_stopped || !now.is_busy && now.ticks == before.ticks,
            _ => true,
        }
    }
}

/// Ends a process, and what else is in its group, at once (SIGKILL).
pub(super) fn kill(pid: u32) -> Result<()> {
    let id = id(pid)?;
    // First the group: once its leader is gone, its number may be given to another.
    for killed in [kill_process_group(id, Signal::KILL), kill_process(id, Signal::KILL)] {
        match killed {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => {
                return Err(
                    Error::new(ErrorKind::LocalCloud, format!("could not end process {pid}"))
                        .cause(error)
                        .hint(format!("End it with `kill -9 {pid}`, as the user who started it.")),
                );
            }
        }
    }
    Ok(())
}

/// Asks a process to end (SIGTERM).
pub(super) fn terminate(pid: u32) -> Result<()> {
    match kill_process(id(pid)?, Signal::TERM) {
        // It has just ended by itself.
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(
            Error::new(ErrorKind::LocalCloud, format!("could not signal process {pid}"))
                .cause(error)
                .hint(format!("Stop it with `kill {pid}`, as the user who started it.")),
        ),
    }
}

/// Asks what the emulator started and left running to end: functions, which are in its process group. The emulator
/// must just have ended, so that the group's number can't be another's yet.
pub(super) fn terminate_rest(emulator: u32) -> Result<()> {
    match kill_process_group(id(emulator)?, Signal::TERM) {
        // Usually nobody is left.
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(Error::new(
            ErrorKind::LocalCloud,
            format!("could not signal process group {emulator}"),
        )
        .cause(error)),
    }
}

fn id(pid: u32) -> Result<Pid> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| Error::new(ErrorKind::LocalCloud, format!("{pid} is no process id")))
}

/// The last lines of the log, or why there are none.
pub(super) fn log_tail(log: &Path) -> String {
    match std::fs::read(log) {
        Ok(bytes) => {
            let tail = last_lines(&String::from_utf8_lossy(&bytes), TAIL);
            if tail.is_empty() {
                "it said nothing".to_owned()
            } else {
                tail
            }
        }
        Err(error) => format!("its log can't be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_found_behind_any_name_and_the_dead_have_none() {
        let stat = |name: &str, state: &str| {
            format!("7 ({name}) {state} 1 7 7 0 -1 4194304 100 0 0 0 0 0 0 0 20 0 1 0 231734 3133440 390")
        };
        assert_eq!(start_in_stat(&stat("python", "S")), Some("231734"));
        assert_eq!(start_in_stat(&stat("a) Z 1 (b", "R")), Some("231734"));
        assert_eq!(start_in_stat(&stat("python", "Z")), None);
        assert_eq!(start_in_stat(""), None);
    }

    #[test]
    fn one_that_is_slow_is_told_from_one_that_hangs() {
        let doing = |state: &str, ticks: u64| {
            let stat =
                format!("7 (a) b) {state} 1 7 7 0 -1 4194304 100 0 0 0 {ticks} 2 0 0 20 0 1 0 231734 3133440 390");
            Activity::in_stat(&stat)
        };
        assert!(doing("S", 1).is_some());
        assert!(Activity::hangs(doing("S", 1), doing("S", 1)));
        assert!(Activity::hangs(doing("R", 1), doing("T", 9)));
        assert!(!Activity::hangs(doing("S", 1), doing("S", 2)));
        assert!(!Activity::hangs(doing("S", 1), doing("R", 1)));
        assert!(!Activity::hangs(doing("D", 1), doing("D", 1)));
        // Another system than Linux doesn't tell.
        assert!(Activity::hangs(None, None));
    }

    #[test]
    fn a_process_is_known_again_until_it_ends() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("started");
        let pid = child.id();
        let born = birth(pid).expect("asked").expect("alive");
        let record = |born: &str| Record {
            pid,
            born: born.to_owned(),
            port: 1,
            version: VERSION.to_owned(),
            guard: guard(),
        };
        assert!(record(&born).is_alive().expect("asked"));
        assert!(
            !record("another time").is_alive().expect("asked"),
            "its number was given to another process"
        );
        terminate(pid).expect("signalled");
        // Not yet waited for, it is there and yet dead.
        while record(&born).is_alive().expect("asked") {
            std::thread::yield_now();
        }
        child.wait().expect("ended");
        assert!(!record(&born).is_alive().expect("asked"));
        terminate(pid).expect("a process that is gone needs no signal");
    }

    #[test]
    fn what_an_ended_process_left_running_is_ended_too() {
        let mut leader = Command::new("sh");
        leader
            .args(["-c", "sleep 60 >&- 2>&- & echo $!"])
            .stdout(Stdio::piped());
        let leader = std::os::unix::process::CommandExt::process_group(&mut leader, 0);
        let leader = leader.spawn().expect("started");
        let group = leader.id();
        let output = leader.wait_with_output().expect("ended");
        let left: u32 = String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .expect("a number");
        assert!(birth(left).expect("asked").is_some());
        terminate_rest(group).expect("signalled");
        while birth(left).expect("asked").is_some() {
            std::thread::yield_now();
        }
        terminate_rest(group).expect("nobody is left");
    }

    #[test]
    fn ps_tells_the_same_each_time() {
        // Not every machine has it, and only those without /proc need it.
        if Command::new("ps").output().is_err() {
            return;
        }
        let mut child = Command::new("sleep").arg("60").spawn().expect("started");
        let first = birth_by_ps(child.id()).expect("asked");
        assert!(first.as_ref().is_some_and(|text| text.contains(':')), "{first:?}");
        child.kill().expect("killed");
        // A moment later only its exit status is left, which counts as nothing.
        while birth_by_ps(child.id()).expect("asked").is_some() {
            std::thread::yield_now();
        }
        child.wait().expect("ended");
        assert_eq!(birth_by_ps(child.id()).expect("asked"), None);
    }

    #[test]
    fn a_record_is_kept_in_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Record::read(folder.path()).expect("none"), None);
        let record = Record {
            pid: 7,
            born: "then".to_owned(),
            port: 4566,
            version: VERSION.to_owned(),
            guard: guard(),
        };
        record.write(folder.path()).expect("written");
        assert_eq!(Record::read(folder.path()).expect("read"), Some(record));
        std::fs::write(folder.path().join("running.json"), "{").expect("written");
        let error = Record::read(folder.path()).expect_err("broken");
        assert!(
            error.next_step().is_some_and(|hint| hint.contains("delete it")),
            "{error}"
        );
        Record::remove(folder.path()).expect("removed");
        Record::remove(folder.path()).expect("nothing to do");
    }
}
