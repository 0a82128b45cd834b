//! Headless Chromium, by its driver: a profile of its own, nothing asked of any other machine, and gone with the value.
//!
//! What a page did is in the driver's own logs: what it asked for, what came back, and what the console said.

use std::io::{Error, ErrorKind, Result, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::{Port, http, lock};

const HOW_TO_GET_THEM: &str = "Debian: sudo apt install chromium chromium-driver";

/// How often it is asked whether the driver listens, a tenth of a second apart.
const PATIENCE: u32 = 200;

/// Chromium and its driver.
#[derive(Debug, Clone)]
pub struct Programs {
    chromium: PathBuf,
    chromedriver: PathBuf,
}

impl Programs {
    /// Those on the PATH, if both are there.
    pub fn find() -> Option<Self> {
        let find = |names: &[&str]| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path)
                .flat_map(|dir| names.iter().map(move |name| dir.join(name)))
                .find(|file| file.is_file())
        };
        let (chromium, chromedriver) =
            find(&["chromium", "chromium-browser", "google-chrome"]).zip(find(&["chromedriver"]))?;
        Some(Self { chromium, chromedriver })
    }

    /// The same; without them the test that asks is skipped, and says so.
    ///
    /// # Panics
    /// With `CI=true` their absence is a failure.
    pub fn for_this_test() -> Option<Self> {
        let found = Self::find();
        if found.is_none() {
            let test = std::thread::current().name().unwrap_or("a browser test").to_owned();
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "{test} needs chromium and chromedriver on the PATH. {HOW_TO_GET_THEM}"
            );
            // Not `eprintln!`: that is shown for failing tests only.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED {test}: it needs chromium and chromedriver on the PATH. {HOW_TO_GET_THEM}"
            );
        }
        found
    }

    /// The same, for what can't go on without.
    ///
    /// # Errors
    /// They aren't there; it says how to get them.
    pub fn required() -> Result<Self> {
        let missing = format!("chromium and chromedriver are needed on the PATH. {HOW_TO_GET_THEM}");
        Self::find().ok_or_else(|| Error::new(ErrorKind::NotFound, missing))
    }
}

/// The driver's process, with the profile of the browsers that it starts.
#[derive(Debug)]
pub struct Driver {
    process: Child,
    port: Port,
    chromium: PathBuf,
    // Dropped after the process, which writes into it.
    profile: TempDir,
}

impl Driver {
    /// Starts one; it takes a moment to listen.
    ///
    /// # Errors
    /// It doesn't start.
    pub fn start(programs: &Programs) -> Result<Self> {
        let port = Port::reserve();
        let profile = TempDir::new()?;
        let process = Command::new(&programs.chromedriver)
            .arg(format!("--port={}", port.number()))
            .env("TMPDIR", profile.path())
            // The browser is in it as well, and ends with it.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        lock(&RUNNING).push(process.id());
        Ok(Self {
            process,
            port,
            chromium: programs.chromium.clone(),
            profile,
        })
    }

    /// Where it listens.
    pub fn endpoint(&self) -> String {
        self.port.endpoint()
    }

    /// What a session asks for: the browser, headless, with this driver's profile.
    pub fn capabilities(&self) -> Map<String, Value> {
        let profile: &Path = &self.profile.path().join("profile");
        let options = json!({
            "binary": self.chromium,
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--window-size=1100,900",
                format!("--user-data-dir={}", profile.display()),
            ],
        });
        Map::from_iter([("goog:chromeOptions".to_owned(), options)])
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        end(self.process.id());
        let _ = self.process.wait();
        lock(&RUNNING).retain(|running| *running != self.process.id());
    }
}

/// The drivers that run: who is interrupted drops none.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Ends all browsers of this process, for one that is about to end itself with some of them in use.
pub fn end_all() {
    for pid in lock(&RUNNING).drain(..) {
        end(pid);
    }
}

fn end(driver: u32) {
    if let Some(group) = i32::try_from(driver).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// A log of the driver's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// What the console says.
    Console,
    /// What the page asks of whom, as events of the DevTools protocol.
    Network,
}

impl Log {
    fn name(self) -> &'static str {
        match self {
            Self::Console => "browser",
            Self::Network => "performance",
        }
    }
}

/// A browser with one window, spoken to in the driver's own words, each waiting for its answer. It ends with this value.
#[derive(Debug)]
pub struct Browser {
    id: String,
    driver: Driver,
}

impl Browser {
    /// Opens one with a fresh profile. It finds no machine but this one, whatever a page asks for, and shows nothing that
    /// moves by itself.
    ///
    /// # Errors
    /// It doesn't start.
    pub fn open(programs: &Programs) -> Result<Self> {
        let mut browser = Self {
            id: String::new(),
            driver: Driver::start(programs)?,
        };
        let mut capabilities = browser.driver.capabilities();
        capabilities.insert(
            "goog:loggingPrefs".into(),
            json!({ "browser": "ALL", "performance": "ALL" }),
        );
        if let Some(args) = capabilities
            .get_mut("goog:chromeOptions")
            .and_then(|options| options["args"].as_array_mut())
        {
            args.extend([
                json!("--force-prefers-reduced-motion"),
                // Links look the same whether they were visited or not, as that depends on how one was led on.
                json!("--incognito"),
                json!("--hide-scrollbars"),
                json!(
                    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost"
                ),
            ]);
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let mut attempt = 0;
        let session = loop {
            attempt += 1;
            match browser.ask("POST", "/session", &wanted) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused && attempt < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                answer => break answer?,
            }
        };
        browser.id = session["sessionId"].as_str().unwrap_or_default().to_owned();
        let timeouts = json!({ "script": 25_000, "pageLoad": 25_000 });
        browser.tell("timeouts", &timeouts)?;
        Ok(browser)
    }

    /// Opens an address as if it had been typed, and waits until its page is loaded.
    ///
    /// # Errors
    /// It can't be opened: nobody answers there.
    pub fn goto(&self, url: &str) -> Result<()> {
        self.tell("url", &json!({ "url": url })).map(drop)
    }

    /// Loads the page again, as a visitor does.
    ///
    /// # Errors
    /// It can't be opened.
    pub fn reload(&self) -> Result<()> {
        self.tell("refresh", &json!({})).map(drop)
    }

    /// What a script in the page returns.
    ///
    /// # Errors
    /// It fails.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Result<Value> {
        self.tell("execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// What a script in the page gives to its last argument, a function.
    ///
    /// # Errors
    /// It fails, gives nothing in time, or its page goes away.
    pub fn wait_for(&self, script: &str, arguments: &[Value]) -> Result<Value> {
        self.tell("execute/async", &json!({ "script": script, "args": arguments }))
    }

    /// Forgets what was kept of pages that were loaded before; what a service worker keeps stays.
    ///
    /// # Errors
    /// The browser is gone.
    pub fn forget_cache(&self) -> Result<()> {
        self.devtools("Network.clearBrowserCache", &json!({}))
    }

    /// Whether pages are loaded as if they had no service worker.
    ///
    /// # Errors
    /// The browser is gone.
    pub fn pass_workers_by(&self, bypass: bool) -> Result<()> {
        self.devtools("Network.setBypassServiceWorker", &json!({ "bypass": bypass }))
    }

    /// What is to be seen, as a PNG in Base64.
    ///
    /// # Errors
    /// The browser is gone.
    pub fn picture(&self) -> Result<String> {
        let picture = self.ask("GET", &format!("/session/{}/screenshot", self.id), &Value::Null)?;
        Ok(picture.as_str().unwrap_or_default().to_owned())
    }

    /// What came into a log since it was asked for last.
    ///
    /// # Errors
    /// The browser is gone.
    pub fn log(&self, log: Log) -> Result<Vec<Value>> {
        let entries = self.tell("se/log", &json!({ "type": log.name() }))?;
        Ok(entries.as_array().cloned().unwrap_or_default())
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Result<()> {
        let command = json!({ "cmd": command, "params": parameters });
        self.tell("goog/cdp/execute", &command).map(drop)
    }

    fn tell(&self, command: &str, what: &Value) -> Result<Value> {
        self.ask("POST", &format!("/session/{}/{command}", self.id), what)
    }

    fn ask(&self, method: &str, target: &str, what: &Value) -> Result<Value> {
        let body = if what.is_null() {
            String::new()
        } else {
            what.to_string()
        };
        let host = format!("127.0.0.1:{}", self.driver.port.number());
        let headers = [("Host", host.as_str()), ("Content-Type", "application/json")];
        let answer = http::raw(self.driver.port.number(), method, target, &headers, &body)?;
        let mut told: Value = serde_json::from_str(&answer.body).map_err(Error::other)?;
        let value = told["value"].take();
        match value["error"].as_str() {
            Some(error) if answer.status >= 400 => {
                let words = value["message"].as_str().and_then(|text| text.lines().next());
                Err(Error::other(format!("{error}: {}", words.unwrap_or_default())))
            }
            _ => Ok(value),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // So that the browser goes as well, and not only its driver.
        let _ = self.ask("DELETE", &format!("/session/{}", self.id), &Value::Null);
    }
}
