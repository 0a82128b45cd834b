//! The local cloud: ministack, an AWS emulator, in a private virtual environment of its own and on loopback only.
//!
//! `process` starts, recognises and ends it, and `health` asks whether it answers; `settings` says where, and
//! `credentials` what opens it. `guard.py` runs in the emulator's own process and lets nobody else in. This file says in
//! which order.

mod credentials;
mod health;
mod pages;
mod process;
mod settings;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::error::{Error, ErrorKind, OrFail, Result};
use crate::lock;
use crate::private;
use crate::report::Reporter;
use crate::venv::Tool;
use crate::wait::{self, Pace, Probe, Waited};
pub(crate) use credentials::Credentials;
use health::Health;
pub(crate) use pages::Pages;
use process::{Activity, Record};
use settings::{PORT_VARIABLE, Settings};

/// The region to use with it.
pub(crate) const REGION: &str = "us-east-1";
/// The version of ministack.
pub(crate) const VERSION: &str = "1.5.33";

/// Its virtual environment.
const MINISTACK: Tool = Tool {
    user: "the local cloud",
    part: PART,
    package: "ministack",
    version: VERSION,
    lock: include_str!("ministack.txt"),
};

/// The folder of the locks of stages, in the deployer's state.
const STAGES: &str = "stages";

/// How events name this part.
const PART: &str = "local";

/// How long a start may take.
const START: Pace = Pace {
    first: Duration::from_millis(50),
    longest: Duration::from_millis(500),
    deadline: Duration::from_secs(30),
};
/// How long an end may take: it waits for requests in flight, then writes its state.
const END: Pace = Pace {
    first: Duration::from_millis(20),
    longest: Duration::from_millis(250),
    deadline: Duration::from_secs(20),
};
/// The same where nothing is to be saved: then it is killed.
const RESETTING: Pace = Pace {
    first: Duration::from_millis(20),
    longest: Duration::from_millis(250),
    deadline: Duration::from_secs(3),
};
/// How long a port may stay taken: a process that was killed may be gone a little before all that it held.
const FREED: Pace = Pace {
    first: Duration::from_millis(50),
    longest: Duration::from_millis(250),
    deadline: Duration::from_secs(2),
};

/// A local cloud that runs and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalCloud {
    /// Where every service answers.
    pub endpoint: String,
    /// What opens it.
    pub credentials: Credentials,
    /// The emulator's process.
    pub pid: u32,
    /// Where it keeps what is deployed to it.
    pub state_dir: PathBuf,
    /// What it says while it runs.
    pub log_file: PathBuf,
}

/// What is known about the local cloud, running or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LocalStatus {
    /// Whether it runs and answers.
    pub running: bool,
    /// Where it answers, or would.
    pub endpoint: String,
    /// Its process; there may be one that doesn't answer.
    pub pid: Option<u32>,
    /// The version of ministack that runs, or would.
    pub version: String,
    /// Where it keeps what is deployed to it.
    pub state_dir: PathBuf,
    /// What it said when it last ran.
    pub log_file: PathBuf,
}

/// Joins the local cloud that runs, or starts it; installs it first if it isn't yet.
///
/// # Errors
/// There is no Python to run it with, it can't be installed, its port is taken, or it doesn't come up.
pub(crate) async fn ensure_running(reporter: &Reporter) -> Result<LocalCloud> {
    Settings::from_env()?.ensure_running(reporter).await
}

/// The local cloud that runs, which is neither installed nor started for this.
///
/// # Errors
/// None runs, or it doesn't answer.
pub(crate) async fn running() -> Result<LocalCloud> {
    Settings::from_env()?.running().await
}

/// Keeps other runs on this machine off one stage of an emulator, as long as the returned value lives.
///
/// # Errors
/// The lock's folder can't be written, or another run holds it for longer than any takes.
pub(crate) async fn lock_stage(stage: &str, reporter: &Reporter) -> Result<std::fs::File> {
    let name: String = stage
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let state = Settings::from_env()?.state;
    private::folder(&state).or_fail(|| format!("could not make {} private", state.display()))?;
    let file = state.join(STAGES).join(format!("{name}.lock"));
    lock::take(&file, PART, reporter, "waiting for another run on this stage").await
}

/// Stops the local cloud, which saves what is in it; says whether it ran.
///
/// # Errors
/// It doesn't end in time, or could not save. It is never killed: that would lose what is in it.
pub(crate) async fn stop(reporter: &Reporter) -> Result<bool> {
    Settings::from_env()?.stop(reporter).await
}

/// Says whether the local cloud runs, and where.
///
/// # Errors
/// What is known about it can't be read.
pub(crate) async fn status() -> Result<LocalStatus> {
    Settings::from_env()?.status().await
}

/// Ends the local cloud, by force if it doesn't by itself, and deletes everything that is in it. Ask before.
///
/// # Errors
/// It can't be ended, or its files can't be deleted.
pub(crate) async fn reset(reporter: &Reporter) -> Result<()> {
    Settings::from_env()?.reset(reporter).await
}

impl Settings {
    async fn ensure_running(&self, reporter: &Reporter) -> Result<LocalCloud> {
        if let Some(record) = Record::read(&self.state_dir())?
            && self.suits(&record)
            && record.is_alive()?
            && let Some(credentials) = Credentials::read(&self.state_dir())?
        {
            let before = Activity::of(record.pid);
            match health::ask(record.port, &credentials).await {
                health if health.is_local_cloud() => return self.joined(&record, reporter),
                // One that is being started takes no connections yet.
                Health::Silent if Activity::hangs(before, Activity::of(record.pid)) => {
                    return Err(self.silent(&record));
                }
                _ => {}
            }
        }
        self.make_folders()?;
        let _lock = self.lock(reporter).await?;
        match self.living(reporter)? {
            Some(record) => self.join(&record, reporter).await,
            None => self.start(reporter).await,
        }
    }

    async fn stop(&self, reporter: &Reporter) -> Result<bool> {
        let _lock = self.lock(reporter).await?;
        let Some(record) = self.living(reporter)? else {
            return Ok(false);
        };
        reporter.working(PART, "stopping");
        process::terminate(record.pid)?;
        let waited = ended(&record, END).await;
        waited.in_time(|| {
            Error::new(
                ErrorKind::LocalCloud,
                format!(
                    "the local cloud (process {}) was told to stop {} seconds ago and still runs",
                    record.pid,
                    END.deadline.as_secs()
                ),
            )
            .hint(format!("See {}. {}", self.log_file().display(), by_force(record.pid)))
        })?;
        process::terminate_rest(record.pid)?;
        Record::remove(&self.state_dir())?;
        if let Some(why) = Record::unsaved(&self.state_dir()) {
            return Err(Error::new(
                ErrorKind::LocalCloud,
                "the local cloud has stopped, and could not save all that was in it",
            )
            .cause(why)
            .hint(format!(
                "Make room where {} is, then start it again and run `deployer up --local`: it is as it was when it was last \
                 saved. If leftovers are in the way, empty it with `deployer local reset`.",
                self.state_dir().display()
            )));
        }
        reporter.finished(
            PART,
            format!("stopped; its state is in {}", self.state_dir().display()),
            true,
        );
        Ok(true)
    }

    async fn running(&self) -> Result<LocalCloud> {
        let status = self.status().await?;
        let record = Record::read(&self.state_dir())?.filter(|record| Some(record.pid) == status.pid);
        match record {
            Some(record) => {
                // First: what another deployer started may not be able to prove that it is ours.
                self.check_version(&record)?;
                let cloud = self.cloud(&record)?;
                if status.running {
                    Ok(cloud)
                } else {
                    Err(self.silent(&record))
                }
            }
            None => Err(Error::new(ErrorKind::LocalCloud, "the local cloud isn't running")
                .hint("Start it: `deployer local start`, or `deployer up --local` for the app as well.")),
        }
    }

    async fn status(&self) -> Result<LocalStatus> {
        let mut living = Record::read(&self.state_dir())?;
        if let Some(record) = &living
            && !record.is_alive()?
        {
            living = None;
        }
        let running = match &living {
            Some(record) => match Credentials::read(&self.state_dir())? {
                Some(credentials) => health::ask(record.port, &credentials).await.is_local_cloud(),
                None => false,
            },
            None => false,
        };
        Ok(LocalStatus {
            running,
            endpoint: Settings::endpoint(living.as_ref().map_or(self.port, |record| record.port)),
            pid: living.as_ref().map(|record| record.pid),
            version: living.map_or_else(|| VERSION.to_owned(), |record| record.version),
            state_dir: self.state_dir(),
            log_file: self.log_file(),
        })
    }

    async fn reset(&self, reporter: &Reporter) -> Result<()> {
        let _lock = self.lock(reporter).await?;
        if let Some(record) = self.living(reporter)? {
            reporter.working(PART, "stopping");
            process::terminate(record.pid)?;
            match ended(&record, RESETTING).await {
                Waited::Ready(()) => {}
                Waited::Failed(error) => return Err(error),
                Waited::TimedOut => {
                    // What it would save is thrown away with the rest.
                    process::kill(record.pid)?;
                    let killed = ended(&record, RESETTING).await;
                    killed.in_time(|| self.silent(&record))?;
                }
            }
            process::terminate_rest(record.pid)?;
            Record::remove(&self.state_dir())?;
        }
        let folder = self.state_dir();
        empty(&folder)
            .await
            .or_fail(|| format!("could not empty {}", folder.display()))?;
        reporter.finished(PART, format!("emptied {}", folder.display()), true);
        Ok(())
    }

    /// Held while anything is started, stopped or deleted. Not in the state folder, whose contents come and go.
    async fn lock(&self, reporter: &Reporter) -> Result<std::fs::File> {
        let file = self.state.join("local.lock");
        lock::take(&file, PART, reporter, "waiting for another run that starts or stops it").await
    }

    /// Whether a record is of what these settings would start.
    fn suits(&self, record: &Record) -> bool {
        record.port == self.port && record.version == VERSION && record.guard == process::guard()
    }

    /// The emulator that runs on this state folder. What one left behind that no longer runs is cleaned up.
    fn living(&self, reporter: &Reporter) -> Result<Option<Record>> {
        let folder = self.state_dir();
        let Some(record) = Record::read(&folder)? else {
            return Ok(None);
        };
        if record.is_alive()? {
            return Ok(Some(record));
        }
        if !record.was_killed(&folder)
            && let Some(why) = Record::unsaved(&folder)
        {
            reporter.warn(format!(
                "the local cloud ended and could not save all that was in it ({why}): it is as it was when it was last saved. If \
                 leftovers are in the way, empty it with `deployer local reset`."
            ));
        }
        if record.was_killed(&folder) {
            reporter.warn(
                "the local cloud was killed and could not save: what changed since it was started is lost, but for \
                 buckets. If leftovers are in the way, empty it with `deployer local reset`.",
            );
        }
        Record::remove(&folder)?;
        Ok(None)
    }

    async fn join(&self, record: &Record, reporter: &Reporter) -> Result<LocalCloud> {
        if record.port != self.port {
            return Err(Error::new(
                ErrorKind::InvalidSetup,
                format!(
                    "the local cloud already runs on port {}, and {} was asked for",
                    record.port, self.port
                ),
            )
            .hint(format!(
                "Use that one with `{PORT_VARIABLE}={} deployer up --local`, or stop it with `deployer local stop`.",
                record.port
            )));
        }
        self.check_version(record)?;
        let credentials = self.credentials()?;
        // It may just have been started by a run that was interrupted.
        let waited = wait::until(START, async || {
            if health::ask(record.port, &credentials).await.is_local_cloud() {
                return Probe::Ready(());
            }
            match record.is_alive() {
                Ok(true) => Probe::Pending,
                Ok(false) => Probe::Failed(self.ended()),
                Err(error) => Probe::Failed(error),
            }
        })
        .await;
        waited.in_time(|| self.not_up(record))?;
        self.joined(record, reporter)
    }

    /// Refuses an emulator that another deployer started: it may be another ministack, or open to more than its owner.
    fn check_version(&self, record: &Record) -> Result<()> {
        let what = if record.version != VERSION {
            format!(
                "the local cloud that runs is ministack {}, and this deployer needs {VERSION}",
                record.version
            )
        } else if record.guard != process::guard() {
            "the local cloud that runs was started by another version of deployer, and may let in others than you"
                .to_owned()
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::InvalidSetup, what)
            .hint("Stop it with `deployer local stop`, then run this again; what is in it stays."))
    }

    async fn start(&self, reporter: &Reporter) -> Result<LocalCloud> {
        let credentials = Credentials::read_or_make(&self.state_dir())?;
        self.await_port(&credentials).await?;
        MINISTACK.install(&self.place(), reporter).await?;
        reporter.working(PART, format!("starting ministack {VERSION}"));
        let mut child = process::spawn(self)?;
        let record = match Record::of(&child, self.port) {
            Some(record) => record?,
            None => return Err(self.ended()),
        };
        record.write(&self.state_dir())?;
        let waited = wait::until(START, async || match child.try_wait() {
            Ok(None) if health::ask(self.port, &credentials).await.is_local_cloud() => Probe::Ready(()),
            Ok(None) => Probe::Pending,
            Ok(Some(_)) => Probe::Failed(match Record::remove(&self.state_dir()) {
                Ok(()) => self.ended(),
                Err(error) => error,
            }),
            Err(error) => {
                Probe::Failed(Error::new(ErrorKind::LocalCloud, "could not watch the local cloud start").cause(error))
            }
        })
        .await;
        waited.in_time(|| self.not_up(&record))?;
        reporter.finished(PART, format!("started at {}", Settings::endpoint(self.port)), true);
        self.cloud(&record)
    }

    /// Waits until nobody has the port.
    async fn await_port(&self, credentials: &Credentials) -> Result<()> {
        let mut who = String::new();
        let waited = wait::until::<(), ()>(FREED, async || {
            match health::ask(self.port, credentials).await.description() {
                None => Probe::Ready(()),
                Some(somebody) => {
                    who = somebody;
                    Probe::Pending
                }
            }
        })
        .await;
        match waited {
            Waited::Ready(()) => Ok(()),
            _ => Err(taken(self.port, &who)),
        }
    }

    fn joined(&self, record: &Record, reporter: &Reporter) -> Result<LocalCloud> {
        reporter.finished(PART, format!("running at {}", Settings::endpoint(record.port)), false);
        self.cloud(record)
    }

    /// The keys of the local cloud that runs.
    fn credentials(&self) -> Result<Credentials> {
        Credentials::read(&self.state_dir())?.ok_or_else(|| {
            Error::new(ErrorKind::LocalCloud, "the keys of the local cloud that runs are gone")
                .cause(format!(
                    "there is no {}",
                    Credentials::file(&self.state_dir()).display()
                ))
                .hint("Stop it with `deployer local stop`, then run this again: it gets new ones.")
        })
    }

    fn cloud(&self, record: &Record) -> Result<LocalCloud> {
        Ok(LocalCloud {
            endpoint: Settings::endpoint(record.port),
            credentials: self.credentials()?,
            pid: record.pid,
            state_dir: self.state_dir(),
            log_file: self.log_file(),
        })
    }

    fn ended(&self) -> Error {
        let log = self.log_file();
        Error::new(ErrorKind::LocalCloud, "the local cloud ended as soon as it was started")
            .cause(process::log_tail(&log))
            .hint(format!(
                "See {}. If its installation is broken, delete {} and run this again.",
                log.display(),
                self.environment().display()
            ))
    }

    /// The same of one that was waited for.
    fn not_up(&self, record: &Record) -> Error {
        self.silent(record)
            .cause(format!("it has had {} seconds to begin", START.deadline.as_secs()))
            .hint_first("If this machine has much to do, run this again to wait longer.")
    }

    fn silent(&self, record: &Record) -> Error {
        let (log, pid) = (self.log_file(), record.pid);
        Error::new(
            ErrorKind::LocalCloud,
            format!(
                "the local cloud's process {pid} runs and doesn't answer at {}",
                Settings::endpoint(record.port)
            ),
        )
        .cause(process::log_tail(&log))
        .hint(format!("See {}. {}", log.display(), without_answer(pid)))
    }
}

/// What to do about a local cloud that doesn't answer, the same wherever it is noticed.
pub(crate) fn without_answer(pid: u32) -> String {
    format!("`deployer local stop` ends it if it still can. {}", by_force(pid))
}

/// What ends it in any case, and what that costs.
fn by_force(pid: u32) -> String {
    format!(
        "`deployer local reset` ends it and loses all that is in it; `kill -9 {pid}` loses only what changed since it was \
         started, buckets aside."
    )
}

/// Waits until a process is gone.
async fn ended(record: &Record, pace: Pace) -> Waited<(), Error> {
    wait::until(pace, async || match record.is_alive() {
        Ok(true) => Probe::Pending,
        Ok(false) => Probe::Ready(()),
        Err(error) => Probe::Failed(error),
    })
    .await
}

fn taken(port: u16, who: &str) -> Error {
    let other = if port == 4577 { 4578 } else { 4577 };
    Error::new(
        ErrorKind::InvalidSetup,
        format!("port {port}, where the local cloud would run, is taken"),
    )
    .cause(who)
    .hint(format!(
        "Choose another: `{PORT_VARIABLE}={other} deployer up --local`."
    ))
}

/// Deletes what is in `folder`, which need not exist, and leaves the folder.
async fn empty(folder: &Path) -> std::io::Result<()> {
    let mut entries = match tokio::fs::read_dir(folder).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    while let Some(entry) = entries.next_entry().await? {
        if entry.file_type().await?.is_dir() {
            tokio::fs::remove_dir_all(entry.path()).await?;
        } else {
            tokio::fs::remove_file(entry.path()).await?;
        }
    }
    Ok(())
}
