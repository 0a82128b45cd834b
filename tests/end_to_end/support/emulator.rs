//! A private ministack: its own port, its own state, gone with the test.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{free_port, http};

pub(crate) struct Emulator {
    child: Child,
    port: u16,
    // Dropped after the process, whose state is in it.
    _dir: TempDir,
}

impl Emulator {
    /// Starts one and waits until it answers.
    pub(crate) fn start() -> Self {
        let python = python();
        // Another process may take the port between its choice and its use; then the emulator exits at once.
        for _ in 0..5 {
            if let Some(started) = Self::try_start(&python) {
                return started;
            }
        }
        panic!("the emulator doesn't start");
    }

    fn try_start(python: &PathBuf) -> Option<Self> {
        let dir = TempDir::new().expect("a temporary folder");
        let port = free_port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let log = std::fs::File::create(dir.path().join("log")).expect("a log");
        let child = Command::new(python)
            .args(["-m", "ministack"])
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| name == "PATH" || name == "HOME" || name == "LANG"))
            .env("BIND_HOST", "127.0.0.1")
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("GATEWAY_PORT", port.to_string())
            .env("AUTH", "true")
            .env("AWS_ENDPOINT_URL", &endpoint)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("STATE_DIR", dir.path().join("state"))
            .env("S3_DATA_DIR", dir.path().join("s3"))
            .env("TMPDIR", dir.path())
            // The functions that it runs outlive it: they end with the group.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("Python starts");
        let mut started = Self { child, port, _dir: dir };
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if matches!(started.child.try_wait(), Ok(Some(_))) {
                return None;
            }
            if http::get(&format!("{endpoint}/_ministack/health")).is_ok_and(|answer| answer.status == 200) {
                return Some(started);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        None
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.wait();
    }
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
            let reporter = deployer::report::Reporter::new(&super::command::quiet());
            std::thread::spawn(move || runtime.block_on(deployer::local::install(&reporter)))
                .join()
                .expect("the installation ends")
                .expect("the emulator installs")
        })
        .clone()
}
