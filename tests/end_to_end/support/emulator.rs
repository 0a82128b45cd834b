//! A local cloud of a test's own, started as users start theirs: its own port, its own state and keys, gone with the test.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use super::{Deployer, Ran, free_port};

pub(crate) struct Emulator {
    port: u16,
    pid: Option<Pid>,
    // Dropped after the process, whose state is in it.
    dir: TempDir,
}

/// What opens a local cloud.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// The keys of each local cloud that a test runs, and of each proxy in front of one, by port.
static KEYS: OnceLock<Mutex<HashMap<u16, Keys>>> = OnceLock::new();

impl Emulator {
    /// Starts one and waits until it answers.
    pub(crate) fn start() -> Self {
        // Installed once, by whichever test comes first.
        python();
        // Another process may take the port between its choice and its use; then it is told so.
        let mut last = None;
        for _ in 0..5 {
            let mut emulator = Self {
                port: free_port(),
                pid: None,
                dir: TempDir::new().expect("a temporary folder"),
            };
            let ran = emulator.local(&["start", "--output", "json"]);
            if ran.code == 0 {
                let pid = ran.json()["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
                emulator.pid = pid.and_then(Pid::from_raw);
                let env = emulator.local(&["env", "--format", "json"]).success().json();
                let text = |name: &str| env[name].as_str().expect("a value").to_owned();
                let keys = Keys {
                    id: text("AWS_ACCESS_KEY_ID"),
                    secret: text("AWS_SECRET_ACCESS_KEY"),
                };
                lock().insert(emulator.port, keys);
                return emulator;
            }
            last = Some(ran);
        }
        panic!("the emulator doesn't start: {last:?}");
    }

    /// `deployer local` about this one.
    pub(crate) fn local(&self, args: &[&str]) -> Ran {
        let args: Vec<&str> = ["local"].iter().chain(args).copied().collect();
        Deployer::new(self.dir.path(), &args)
            .env("DEPLOYER_LOCAL_PORT", self.port.to_string())
            .run()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn keys(&self) -> Keys {
        keys(&self.endpoint())
    }

    /// What a script prints that is given this one's address and the owner's keys, by the emulator's own Python, which has
    /// AWS's SDK: for the services that the tests have no client of.
    pub(crate) fn told_by(&self, script: &str) -> String {
        let keys = self.keys();
        let output = Command::new(python())
            .args(["-I", "-c", script, &self.endpoint(), &keys.id, &keys.secret])
            .output()
            .expect("Python");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// What the deployer keeps of it.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join(".state").join("deployer")
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let Some(pid) = self.pid else { return };
        // The functions that it runs outlive it: they end with the group. Nothing in it is worth saving.
        let _ = kill_process_group(pid, Signal::KILL);
        // It is nobody's child here. Until it is gone it may write into the folder that goes next.
        let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
        let runs = || {
            std::fs::read_to_string(&stat).is_ok_and(|stat| {
                let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
                !matches!(state, None | Some('Z' | 'X'))
            })
        };
        while Path::new("/proc/self").exists() && runs() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// What opens what answers at `endpoint`.
pub(crate) fn keys(endpoint: &str) -> Keys {
    let port = endpoint.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let known = port.and_then(|port| lock().get(&port).cloned());
    // Where nobody listens, or somebody who asks for none, any will do.
    known.unwrap_or_else(|| Keys {
        id: "test".to_owned(),
        secret: "test".to_owned(),
    })
}

/// The same keys open what is at `port`, since it passes on to `upstream`.
pub(super) fn share_keys(upstream: u16, port: u16) {
    let mut all = lock();
    if let Some(keys) = all.get(&upstream).cloned() {
        all.insert(port, keys);
    }
}

fn lock() -> std::sync::MutexGuard<'static, HashMap<u16, Keys>> {
    KEYS.get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// The Python of the environment that `deployer` itself installs; installed by the first test of the first run.
pub(crate) fn python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON
        .get_or_init(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            let reporter = deployer::report::Reporter::new(super::command::quiet().reporting());
            std::thread::spawn(move || runtime.block_on(deployer::local::install(&reporter)))
                .join()
                .expect("the installation ends")
                .expect("the emulator installs")
        })
        .clone()
}
