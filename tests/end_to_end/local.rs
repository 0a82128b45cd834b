//! `--local`: the whole job on this machine, with nothing set up by hand.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Deployer, Port, Project, Ran, document, emulator, http, tools};

/// `deployer` with a local cloud of the test's own: its port and its state; the installation is shared.
struct Local {
    project: Project,
    state: TempDir,
    port: Port,
}

impl Local {
    fn new() -> Self {
        // Installed once, by whichever test comes first, and not within the test's own time.
        emulator::python();
        Self {
            project: Project::copy(),
            state: TempDir::new().expect("a folder"),
            port: Port::reserve(),
        }
    }

    fn command(&self, args: &[&str]) -> Deployer {
        Deployer::new(self.project.path(), args)
            .env("XDG_STATE_HOME", self.state.path())
            .env("DEPLOYER_LOCAL_PORT", self.port.number().to_string())
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.command(args).run()
    }

    fn status(&self) -> Value {
        self.run(&["local", "status", "--output", "json"]).success().json()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let stopped = self.run(&["local", "stop"]);
        if !std::thread::panicking() {
            assert_eq!(stopped.code, 0, "{}", stopped.stderr);
            assert!(http::get(&format!("{}/_ministack/health", self.port.endpoint())).is_err());
        }
    }
}

#[test]
fn one_command_ends_with_the_app_running_and_state_outlives_the_cloud() {
    let local = Local::new();
    // Whatever AWS set-up the user has must not leak in.
    let up = local
        .command(&["up", "--local", "--output", "json"])
        .env("AWS_PROFILE", "nowhere")
        .env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
        .run()
        .success()
        .json();
    let api = format!("{}?userId=1", document::api_url(&up));
    let site = document::site_url(&up);
    assert!(api.contains(&format!(":{}/", local.port.number())), "{api}");
    assert_eq!(http::get(&api).expect("the API answers").status, 200);
    assert_eq!(http::get(site).expect("the site answers").status, 200);
    let status = local.status();
    assert_eq!(status["running"], true, "{status}");

    local.run(&["local", "stop"]).success();
    assert!(http::get(&api).is_err(), "it is stopped");
    let again = local.run(&["up", "--local", "--output", "json"]).success();
    let (before, after) = (&up["stacks"], &again.json()["stacks"]);
    let outputs = |stacks: &Value| {
        let stacks = stacks.as_array().expect("stacks");
        stacks.iter().map(|stack| stack["outputs"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(outputs(after), outputs(before), "the stage is still there");
    assert_eq!(http::get(&api).expect("the API answers").json()["name"], "Test User");

    local.run(&["down", "--local", "--yes", "--delete-data"]).success();
    let status = local.run(&["status", "--local"]).success();
    assert!(status.stdout.contains("Nothing is deployed"), "{}", status.stdout);
    // What was removed is gone, also from its disk: the same names are free again.
    local.run(&["local", "stop"]).success();
    let again = ["up", "--local", "--only", "artifacts", "--no-verify"];
    local.run(&again).success();
    local
        .run(&["local", "reset"])
        .fails_with(5)
        .says(&["did not empty the local cloud", "--yes"]);
    local.run(&["local", "reset", "--yes"]).success();
    assert_eq!(local.status()["running"], false);
}

/// A full disk, as far as the emulator sees it: a file that it can't write.
#[test]
fn a_state_that_could_not_be_saved_is_no_success() {
    let local = Local::new();
    let small = Project::bare(
        "small",
        &[("stacks/a.yaml", "Resources: { T: { Type: AWS::SNS::Topic } }")],
    );
    let up = || {
        Deployer::new(small.path(), &["up", "--local", "--no-verify"])
            .env("XDG_STATE_HOME", local.state.path())
            .env("DEPLOYER_LOCAL_PORT", local.port.number().to_string())
            .run()
    };
    up().success();
    let in_the_way = local.state.path().join("deployer/local/state/cloudformation.json.tmp");
    std::fs::create_dir_all(&in_the_way).expect("in the way");
    let stopped = local.run(&["local", "stop"]).fails_with(1).says(&[
        "the local cloud has stopped, and could not save all that was in it",
        "failed to save",
        "Make room where",
        "deployer local reset",
    ]);
    assert!(!stopped.stderr.contains("its state is in"), "{}", stopped.stderr);
    assert_eq!(local.status()["running"], false);
    // Once there is room, all is well.
    std::fs::remove_dir(&in_the_way).expect("removed");
    up().success();
    let stopped = local.run(&["local", "stop"]).success();
    assert!(stopped.stderr.contains("its state is in"), "{}", stopped.stderr);

    // Whoever ends it otherwise is told as it is started the next time.
    local.run(&["local", "start"]).success();
    let pid = pid(&local.status());
    std::fs::create_dir_all(&in_the_way).expect("in the way");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    let ended = Instant::now();
    while local.status()["pid"] != Value::Null {
        assert!(ended.elapsed() < Duration::from_secs(30), "it ends");
    }
    std::fs::remove_dir(&in_the_way).expect("removed");
    let started = local.run(&["local", "start"]).success();
    for part in [
        "ended and could not save all that was in it",
        "failed to save cloudformation",
    ] {
        assert!(started.stderr.contains(part), "{}", started.stderr);
    }
}

fn pid(status: &Value) -> rustix::process::Pid {
    let pid = status["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    rustix::process::Pid::from_raw(pid.expect("a process")).expect("a process id")
}

#[test]
fn one_that_hangs_is_told_at_once_and_ended_by_a_reset() {
    let local = Local::new();
    local.run(&["local", "start"]).success();
    let process = pid(&local.status());
    rustix::process::kill_process(process, rustix::process::Signal::STOP).expect("it runs");
    let number = process.as_raw_nonzero();
    let told = format!("process {number} runs and doesn't answer at {}", local.port.endpoint());
    let ways = [
        "`deployer local stop` ends it if it still can",
        "`deployer local reset` ends it and loses all",
        &format!("`kill -9 {number}` loses only what changed"),
    ];
    for (args, code) in [
        (&["local", "status"][..], 0),
        (&["status", "--local"], 1),
        (&["up", "--local"], 1),
        (&["local", "env"], 1),
    ] {
        let started = Instant::now();
        let ran = local.run(args);
        // It is given two seconds, and a busy machine takes its time to start a program; an answer would be waited for 30.
        assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
        let ran = ran.ends_with(code);
        let said = format!("{}{}", ran.stdout, ran.stderr).replace('\n', " ");
        for part in [told.as_str(), ways[0], ways[1], ways[2]] {
            assert!(said.contains(part), "{args:?} says {part}: {said}");
        }
    }
    assert_eq!(local.status()["running"], false);
    local.run(&["local", "reset", "--yes"]).success();
    assert_eq!(local.status()["pid"], Value::Null);
    local.run(&["local", "start"]).success();
}

/// An emulator that isn't ours, with the keys that it takes: nothing of what guards ours is asked of it.
#[test]
fn another_emulator_works_by_its_endpoint() {
    let place = TempDir::new().expect("a folder");
    let port = Port::reserve();
    let endpoint = port.endpoint();
    let log = std::fs::File::create(place.path().join("log")).expect("a log");
    let mut other = Command::new(emulator::python())
        .args(["-I", "-m", "ministack"])
        .current_dir(place.path())
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.number().to_string())
        .env("IOT_MTLS_ENABLED", "0")
        .env("SFTP_ENABLED", "0")
        .env("AUTH", "true")
        .env("AWS_ENDPOINT_URL", &endpoint)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        // Whoever runs the tests has files and containers of their own.
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env(
            "DOCKER_HOST",
            format!("unix://{}/no-docker.sock", place.path().display()),
        )
        .env("STATE_DIR", place.path().join("state"))
        .env("S3_DATA_DIR", place.path().join("s3"))
        .env("TMPDIR", place.path())
        // The functions that it runs outlive it: they end with the group.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .spawn()
        .expect("Python starts");
    let deadline = Instant::now() + Duration::from_secs(60);
    while http::get(&format!("{endpoint}/_ministack/health")).is_err() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    let project = Project::copy();
    let run = |args: &[&str]| project.deployer(&endpoint, args);
    let up = run(&["up", "--stage", "dev", "--output", "json"]);
    let down = run(&["down", "--stage", "dev", "--yes"]);
    let group = i32::try_from(other.id()).ok().and_then(rustix::process::Pid::from_raw);
    let killed = group.map(|group| rustix::process::kill_process_group(group, rustix::process::Signal::KILL));
    other.wait().expect("ended");
    assert!(matches!(killed, Some(Ok(()))));
    assert_eq!(up.success().json()["verification"]["verified"], true);
    down.success();
}

/// Installers are other people's code. What the user's environment opens is kept from each of them, in every step.
#[test]
fn installers_see_nothing_that_opens_accounts() {
    let place = TempDir::new().expect("a folder");
    let port = Port::reserve();
    // Each notes what it sees, and does as much as is needed for the next step to come.
    let script = r#"#!/bin/sh
case "$*" in *guard.py*) exit 1;; esac
name=${0##*/}
{ echo "STEP=$name $*"; /usr/bin/env; } >>"$SEEN"
case "$name $*" in
  "uv --version") echo uv 0.9.0 ;;
  "uv venv "*) for last in "$@"; do :; done; /bin/mkdir -p "$last/bin" && /bin/cp "$0" "$last/bin/python" ;;
  *importlib.metadata*) for last in "$@"; do :; done; [ "$last" = ministack ] && echo VERSION ;;
  *ensurepip*) echo "$0" ;;
  *"-m venv "*) for last in "$@"; do :; done; /bin/mkdir -p "$last/bin" && /bin/cp "$0" "$last/bin/python" ;;
esac
exit 0
"#;
    let python = emulator::python();
    let installed = python
        .ancestors()
        .nth(2)
        .and_then(Path::file_name)
        .expect("an environment");
    let version = installed
        .to_string_lossy()
        .split('-')
        .nth(1)
        .expect("a version")
        .to_owned();
    for (installer, steps) in [
        ("uv", ["uv venv", "uv pip install"]),
        ("python3", ["-m venv", "-m pip install"]),
    ] {
        let here = place.path().join(installer);
        let bin = here.join("bin");
        std::fs::create_dir_all(&bin).expect("made");
        let program = bin.join(installer);
        std::fs::write(&program, script.replace("VERSION", &version)).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
        let seen = here.join("seen");
        let mut deployer = Deployer::new(&here, &["local", "start"])
            .env("XDG_CACHE_HOME", here.join("cache"))
            .env("XDG_STATE_HOME", here.join("state"))
            .env("DEPLOYER_LOCAL_PORT", port.number().to_string())
            .env("PATH", &bin)
            .env("SEEN", &seen)
            .env("PIP_INDEX_URL", "http://127.0.0.1:1/of-the-user");
        for name in [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_PROFILE",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "GITHUB_TOKEN",
            "CARGO_REGISTRY_TOKEN",
            "UV_PUBLISH_TOKEN",
            "DB_PASSWORD",
            "GOOGLE_APPLICATION_CREDENTIALS",
        ] {
            deployer = deployer.env(name, "not-for-installers");
        }
        // It isn't really installed, and so can't be started.
        deployer
            .run()
            .fails_with(1)
            .says(&["the local cloud ended as soon as it was started"]);
        let seen = std::fs::read_to_string(&seen).expect("it was run");
        for step in steps {
            assert!(
                seen.lines()
                    .any(|line| line.starts_with("STEP=") && line.contains(step)),
                "{step}:\n{seen}"
            );
        }
        assert!(seen.contains("PIP_INDEX_URL=http://127.0.0.1:1/of-the-user"), "{seen}");
        assert!(
            !seen.contains("not-for-installers") && !seen.contains("\nAWS_"),
            "{seen}"
        );
    }
}

#[test]
fn two_runs_at_once_share_one_cloud() {
    let local = Local::new();
    let children = [
        local.command(&["status", "--local"]).spawn(),
        local.command(&["status", "--local"]).spawn(),
    ];
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    let first = local.status();
    assert_eq!(first["running"], true);
    local.run(&["status", "--local"]).success();
    assert_eq!(local.status()["pid"], first["pid"], "and so do later ones");
}

#[test]
fn a_taken_port_is_told_with_the_way_out() {
    let local = Local::new();
    let listener = TcpListener::bind(("127.0.0.1", local.port.number())).expect("the port");
    local
        .run(&["up", "--local"])
        .fails_with(2)
        .says(&[&local.port.number().to_string(), "DEPLOYER_LOCAL_PORT"]);
    drop(listener);
}

/// A machine on which something is missing: its own cache, and a PATH with only cargo and what `programs` writes.
fn machine(programs: &[(&str, &str)]) -> Ran {
    let local = Local::new();
    let path = TempDir::new().expect("a folder");
    let others = std::env::var("PATH").expect("a path");
    let cargo = format!("PATH='{others}' exec '{}' \"$@\"", tools::real_cargo().display());
    for (name, script) in programs.iter().chain(&[("cargo", cargo.as_str())]) {
        write_script(&path.path().join(name), script);
    }
    local
        .command(&["up", "--local"])
        .env("XDG_CACHE_HOME", path.path().join("cache"))
        .env("PATH", path.path())
        .run()
}

fn write_script(file: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(file, format!("#!/bin/sh\n{script}\n")).expect("written");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).expect("executable");
}

#[test]
fn without_a_python_the_package_is_named() {
    machine(&[])
        .fails_with(2)
        .says(&["Python", "apt install python3 python3-venv", "uv"]);
}

#[test]
fn an_index_that_cannot_be_reached_is_told() {
    let (local, nobody) = (Local::new(), Port::reserve());
    let cache = TempDir::new().expect("a folder");
    local
        .command(&["up", "--local"])
        .env("XDG_CACHE_HOME", cache.path())
        .env("PIP_INDEX_URL", format!("{}/simple", nobody.endpoint()))
        .env("PIP_FIND_LINKS", "")
        .env("PIP_NO_CACHE_DIR", "1")
        .env("PIP_RETRIES", "0")
        .run()
        .fails_with(2)
        .says(&["ministack", "PIP_INDEX_URL"]);
}
