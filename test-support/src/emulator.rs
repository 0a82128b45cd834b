//! A local cloud of a test's own, started as users start theirs: its own port, its own state and keys, gone with the test.
//!
//! It is started by `deployer local start`, so it runs with just the environment that the deployer gives it: no AWS files,
//! no Docker and no variables of whoever runs the tests.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::{Deployer, Port, Ran, lock};

/// Where an emulator is, unless a test has a region of its own.
const REGION: &str = "us-east-1";

/// A local cloud, or a region of the one that tests share.
#[derive(Debug)]
pub struct Emulator {
    port: u16,
    process: Arc<Process>,
    is_shared: bool,
}

/// What opens a local cloud.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The access key's id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

/// What a test needs to work in what is at an endpoint.
#[derive(Debug, Clone)]
pub struct Access {
    /// What opens it.
    pub keys: Keys,
    /// The region that is the test's.
    pub region: String,
}

/// How to work in each local cloud that a test runs, and in each proxy in front of one, by port.
static ACCESS: OnceLock<Mutex<HashMap<u16, Access>>> = OnceLock::new();

impl Emulator {
    /// Starts one and waits until it answers.
    ///
    /// # Panics
    /// It doesn't start.
    pub fn start() -> Self {
        let process = Process::start();
        Self {
            port: process.port.number(),
            process: Arc::new(process),
            is_shared: false,
        }
    }

    /// A region of a local cloud that some tests of this process share, at an address of the test's own. It is for tests
    /// that neither stop the cloud nor look beyond their region: lists of buckets, roles and distributions are everybody's.
    ///
    /// # Panics
    /// It doesn't start.
    pub fn shared() -> Self {
        // Of a place that AWS has, for others are refused as mistyped.
        static REGIONS: AtomicUsize = AtomicUsize::new(2);
        let process = shared(true);
        let upstream = process.port.number();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let access = Access {
            keys: known(upstream).keys,
            region: format!("sa-east-{}", REGIONS.fetch_add(1, Ordering::Relaxed)),
        };
        lock(all()).insert(port, access);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                std::thread::spawn(move || pass_on(&client, upstream));
            }
        });
        Self {
            port,
            process,
            is_shared: true,
        }
    }

    /// `deployer local` about this one.
    ///
    /// # Panics
    /// It is shared: not this test's to start or stop.
    pub fn local(&self, args: &[&str]) -> Ran {
        self.own().local(args)
    }

    /// The same, for a call that is made otherwise.
    ///
    /// # Panics
    /// It is shared.
    pub fn known_to(&self, deployer: Deployer) -> Deployer {
        self.own().known_to(deployer)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where every service answers.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The owner's keys.
    pub fn keys(&self) -> Keys {
        known(self.port).keys
    }

    /// The region that is the test's.
    pub fn region(&self) -> String {
        known(self.port).region
    }

    /// What a script prints that is given this one's address and the owner's keys, by the emulator's own Python, which has
    /// AWS's SDK: for the services that the tests have no client of.
    ///
    /// # Panics
    /// It fails.
    pub fn told_by(&self, script: &str) -> String {
        let keys = self.keys();
        let output = Command::new(python())
            .args(["-I", "-c", script, &self.endpoint(), &keys.id, &keys.secret])
            .output()
            .expect("Python");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// What the deployer keeps of it.
    ///
    /// # Panics
    /// It is shared.
    pub fn state(&self) -> PathBuf {
        self.own().state()
    }

    fn own(&self) -> &Process {
        assert!(!self.is_shared, "a local cloud of the test's own");
        &self.process
    }
}

/// An emulator's process, and what it keeps; both end with the value.
#[derive(Debug)]
struct Process {
    port: Port,
    /// Ends it if this process is killed.
    leash: Child,
    /// Dropped after the process, whose state is in it.
    dir: TempDir,
}

impl Process {
    fn start() -> Self {
        let (port, dir) = (Port::reserve(), TempDir::new().expect("a temporary folder"));
        let process = Self {
            leash: leash(dir.path()),
            port,
            dir,
        };
        // No result is needed but that it runs: whatever it says, its keys are asked for next.
        process.local(&["start"]).success();
        let env = process.local(&["env", "--format", "json"]).success().json();
        let text = |name: &str| env[name].as_str().expect("a value").to_owned();
        let keys = Keys {
            id: text("AWS_ACCESS_KEY_ID"),
            secret: text("AWS_SECRET_ACCESS_KEY"),
        };
        let region = REGION.to_owned();
        lock(all()).insert(process.port.number(), Access { keys, region });
        process
    }

    fn local(&self, args: &[&str]) -> Ran {
        let args: Vec<&str> = ["local"].iter().chain(args).copied().collect();
        self.known_to(Deployer::new(self.dir.path(), &args)).run()
    }

    fn known_to(&self, deployer: Deployer) -> Deployer {
        deployer
            .env("XDG_STATE_HOME", self.dir.path().join(STATE))
            .env("DEPLOYER_LOCAL_PORT", self.port.number().to_string())
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join(STATE).join("deployer")
    }

    /// The process that runs at this moment: a test may have stopped it, and started another.
    fn pid(&self) -> Option<Pid> {
        let record = std::fs::read(self.dir.path().join(RECORD)).ok()?;
        let record: serde_json::Value = serde_json::from_slice(&record).ok()?;
        let pid = record["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok())?;
        Pid::from_raw(pid)
    }
}

/// Where the deployer keeps its state, below the emulator's folder.
const STATE: &str = ".state";

/// Where it notes which process runs.
const RECORD: &str = ".state/deployer/local/running.json";

impl Drop for Process {
    fn drop(&mut self) {
        // Whoever takes the port next has other keys.
        lock(all()).remove(&self.port.number());
        // The functions that it runs outlive it: they end with the group. Nothing in it is worth saving.
        let pid = self.pid();
        if let Some(pid) = pid {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = self.leash.kill();
        let _ = self.leash.wait();
        // It is nobody's child here. Until it is gone it may write into the folder that goes next.
        let stat = pid.map(|pid| format!("/proc/{}/stat", pid.as_raw_nonzero()));
        let runs = || {
            let stat = stat.as_ref().and_then(|stat| std::fs::read_to_string(stat).ok());
            stat.is_some_and(|stat| {
                let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
                !matches!(state, None | Some('Z' | 'X'))
            })
        };
        while runs() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}

/// Ends the emulator that is noted in the folder `$1`, with all that it started, once standard input ends; then removes the
/// folder.
const LEASH: &str = r#"read -r _
pid=$(sed -n 's/.*"pid":\([0-9][0-9]*\).*/\1/p' "$1/$2")
[ -z "$pid" ] || kill -s KILL -- "-$pid"
rm -rf -- "$1"
"#;

/// A process that ends what runs in `dir` once this process is gone, however it ended: its standard input ends then, and no
/// sooner. Nobody drops the shared emulator, and a test run that is interrupted drops none.
fn leash(dir: &Path) -> Child {
    Command::new("/bin/sh")
        .args(["-c", LEASH, "leash"])
        .arg(dir)
        .arg(RECORD)
        .current_dir("/")
        // What interrupts the tests mustn't interrupt it.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell")
}

/// How many tests share one local cloud. What they leave in it, functions that wait for more requests among it, stays until
/// the last of them has ended.
const SHARERS: usize = 8;

/// The local cloud that tests share at this moment; with `as_one_more`, for one more of them.
fn shared(as_one_more: bool) -> Arc<Process> {
    static SHARED: Mutex<Option<(Arc<Process>, usize)>> = Mutex::new(None);
    let mut shared = lock(&SHARED);
    let (process, sharers) = match shared.take() {
        Some((process, sharers)) if sharers < SHARERS => (process, sharers),
        // Whoever still works in the one before keeps it until then.
        _ => (Arc::new(Process::start()), 0),
    };
    *shared = Some((Arc::clone(&process), sharers + usize::from(as_one_more)));
    process
}

/// Passes on what comes from `client` and what is answered, as it is.
pub(crate) fn pass_on(client: &TcpStream, upstream: u16) {
    let Ok(upstream) = TcpStream::connect(("127.0.0.1", upstream)) else {
        return;
    };
    let copy = |from: &TcpStream, to: &TcpStream| {
        let (mut from, mut to) = (from, to);
        // Whichever end goes away, the other is told.
        let _ = io::copy(&mut from, &mut to).and_then(|_| to.flush());
        let _ = to.shutdown(Shutdown::Write);
    };
    let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
    std::thread::scope(|scope| {
        scope.spawn(|| copy(client, &upstream));
        copy(&upstream, client);
    });
}

fn all() -> &'static Mutex<HashMap<u16, Access>> {
    ACCESS.get_or_init(Mutex::default)
}

/// How to work in what answers at `endpoint`.
pub fn access(endpoint: &str) -> Access {
    let port = endpoint.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    port.map_or_else(any, known)
}

fn known(port: u16) -> Access {
    lock(all()).get(&port).cloned().unwrap_or_else(any)
}

/// Where nobody listens, or somebody who asks for no keys, any will do.
fn any() -> Access {
    Access {
        keys: Keys {
            id: "test".to_owned(),
            secret: "test".to_owned(),
        },
        region: REGION.to_owned(),
    }
}

/// What is at `port` is worked in as `upstream` is, since it passes on to that.
pub(crate) fn share_access(upstream: u16, port: u16) {
    let access = known(upstream);
    lock(all()).insert(port, access);
}

/// The Python that runs the emulator, installed if it wasn't yet. Its environment is in the deployer's cache.
///
/// # Panics
/// It can't be found.
pub fn python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON
        .get_or_init(|| {
            shared(false)
                .pid()
                .and_then(interpreter)
                .expect("the emulator's interpreter")
        })
        .clone()
}

/// The program that a process was started as.
fn interpreter(pid: Pid) -> Option<PathBuf> {
    let pid = pid.as_raw_nonzero().to_string();
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).or_else(|_| {
        let listed = Command::new("ps").args(["-o", "command=", "-p", &pid]).output()?;
        // Its path has no blanks where the home folder's has none.
        io::Result::Ok(
            listed
                .stdout
                .split(|byte| *byte == b' ')
                .next()
                .unwrap_or_default()
                .to_vec(),
        )
    });
    let program = arguments.ok()?.split(|byte| *byte == 0).next()?.to_vec();
    String::from_utf8(program).ok().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// What a test run leaves behind that is killed: nothing.
    #[test]
    fn a_leash_ends_what_runs_once_its_holder_is_gone() {
        let folder = TempDir::new().expect("a folder");
        let mut emulator = Command::new("sleep")
            .arg("60")
            .process_group(0)
            .spawn()
            .expect("started");
        let record = folder.path().join(RECORD);
        std::fs::create_dir_all(record.parent().expect("a folder")).expect("made");
        std::fs::write(record, format!("{{\"pid\":{},\"port\":1}}", emulator.id())).expect("written");
        let mut held = leash(folder.path());
        assert!(
            emulator.try_wait().expect("asked").is_none(),
            "it runs as long as it is held"
        );
        // As when this process ends.
        drop(held.stdin.take());
        held.wait().expect("it ends");
        assert!(!emulator.wait().expect("ended").success(), "killed");
        assert!(!folder.path().exists());
    }

    #[test]
    fn a_process_tells_its_interpreter() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("started");
        let pid = i32::try_from(child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a number");
        // Until it has become the program, it is a copy of this one.
        let deadline = Instant::now() + Duration::from_secs(10);
        while interpreter(pid) != Some("sleep".into()) && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let found = interpreter(pid);
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert_eq!(found, Some("sleep".into()));
    }
}
