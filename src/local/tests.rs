//! The local cloud as a whole, for real: installed where users have it, with its state in a folder of the test's own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use tempfile::TempDir;
use test_support::Port;

use super::*;
use crate::testing::{executable, quiet};
use crate::venv;

/// Folders of the test's own and a port that is held; what was started there ends with it.
struct Sandbox {
    _folder: TempDir,
    _port: Port,
    settings: Settings,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let Ok(Some(record)) = Record::read(&self.settings.state_dir()) else {
            return;
        };
        if record.is_alive().unwrap_or(false) && process::terminate(record.pid).is_ok() {
            while record.is_alive().unwrap_or(false) {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// With nothing installed and nothing on `PATH`.
fn sandbox() -> Sandbox {
    let (folder, port) = (tempfile::tempdir().expect("a folder"), Port::reserve());
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).expect("made");
    let settings = Settings {
        cache: folder.path().join("cache"),
        state: folder.path().join("state"),
        port: port.number(),
        path: bin.into_os_string(),
    };
    Sandbox {
        _folder: folder,
        _port: port,
        settings,
    }
}

/// With ministack as users have it, installed if it isn't yet.
fn real() -> Sandbox {
    let mut sandbox = sandbox();
    let users = Settings::from_env().expect("a home folder");
    sandbox.settings.cache = users.cache;
    sandbox.settings.path = users.path;
    sandbox
}

/// An environment that looks installed and whose "ministack" is `script`.
fn pretend(sandbox: &Sandbox, script: &str) {
    let interpreter = venv::interpreter(&sandbox.settings.environment());
    std::fs::create_dir_all(interpreter.parent().expect("a folder")).expect("made");
    std::fs::write(sandbox.settings.environment().join("complete"), "").expect("written");
    executable(
        &interpreter,
        &format!("#!/bin/sh\ncase \"$*\" in *importlib*) echo {VERSION}; exit;; esac\n{script}\n"),
    );
}

/// Runs Python in the real environment with boto3's `client` at hand; gives what it prints.
fn boto(settings: &Settings, script: &str) -> String {
    let keys = Credentials::read(&settings.state_dir())
        .expect("readable")
        .expect("made");
    let prelude = format!(
        "import boto3\n\
         def client(name): return boto3.client(name, endpoint_url='{}', region_name='{REGION}',\n \
         aws_access_key_id='{}', aws_secret_access_key='{}')\n",
        Settings::endpoint(settings.port),
        keys.access_key_id,
        keys.secret_access_key,
    );
    let output = std::process::Command::new(venv::interpreter(&settings.environment()))
        .args(["-I", "-c", &format!("{prelude}{script}")])
        .output()
        .expect("run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test]
async fn a_taken_port_is_named_with_a_way_out_before_anything_is_installed() {
    let sandbox = sandbox();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, sandbox.settings.port)).expect("free");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("asked");
            // Closing with the request unread would reset the connection.
            let asked = std::io::Read::read(&mut stream, &mut [0; 1024]);
            assert!(asked.is_ok_and(|bytes| bytes > 0));
            std::io::Write::write_all(&mut stream, b"HTTP/1.1 404 Not Found\r\n\r\nno").expect("answered");
        }
    });
    let error = sandbox.settings.ensure_running(&quiet()).await.expect_err("taken");
    assert_eq!(error.kind(), ErrorKind::InvalidSetup);
    assert_eq!(
        error.to_string(),
        format!(
            "port {}, where the local cloud would run, is taken: an HTTP server that isn't the local cloud answers there",
            sandbox.settings.port
        )
    );
    assert!(
        error
            .next_step()
            .is_some_and(|hint| hint.contains("`DEPLOYER_LOCAL_PORT=4577 deployer up --local`"))
    );
    assert!(!sandbox.settings.environment().exists());
}

#[tokio::test]
async fn an_emulator_that_ends_at_once_is_quoted() {
    let sandbox = sandbox();
    pretend(&sandbox, "echo 'ImportError: libssl is missing' >&2; exit 1");
    let error = sandbox.settings.ensure_running(&quiet()).await.expect_err("broken");
    assert_eq!(error.kind(), ErrorKind::LocalCloud);
    assert!(
        error
            .to_string()
            .contains("ended as soon as it was started: ImportError: libssl"),
        "{error}"
    );
    assert!(error.next_step().is_some_and(|hint| hint.contains("ministack.log")));
    let status = sandbox.settings.status().await.expect("known");
    assert_eq!((status.running, status.pid), (false, None));
}

#[tokio::test]
async fn what_the_user_set_does_not_leak_in() {
    let sandbox = sandbox();
    pretend(&sandbox, "/usr/bin/env; pwd; echo \"$*\"; exit 1");
    sandbox
        .settings
        .ensure_running(&quiet())
        .await
        .expect_err("no emulator");
    let log = std::fs::read_to_string(sandbox.settings.log_file()).expect("a log");
    let (folder, port) = (sandbox.settings.state_dir(), sandbox.settings.port);
    let folder = folder.display();
    for expected in [
        format!("-I {folder}/guard.py {folder}/credentials.json"),
        "AUTH=true".to_owned(),
        "AWS_EC2_METADATA_DISABLED=true".to_owned(),
        "BIND_HOST=127.0.0.1".to_owned(),
        "IOT_MTLS_ENABLED=0".to_owned(),
        "PERSIST_STATE=1".to_owned(),
        "S3_PERSIST=1".to_owned(),
        "SFTP_ENABLED=0".to_owned(),
        format!("AWS_ENDPOINT_URL=http://127.0.0.1:{port}"),
        format!("DOCKER_HOST=unix://{folder}/tmp/no-docker.sock"),
        format!("GATEWAY_PORT={port}"),
        format!("S3_DATA_DIR={folder}/s3"),
        format!("STATE_DIR={folder}/state"),
        format!("TMPDIR={folder}/tmp"),
    ] {
        assert!(
            log.lines().any(|line| line == expected),
            "{expected} is missing:\n{log}"
        );
    }
    // Cargo sets these for every test.
    assert!(!log.contains("CARGO_"), "{log}");
}

/// Notes a process as the emulator that runs.
fn stand_in(sandbox: &Sandbox, pid: u32, port: u16, version: &str, guard: &str) {
    let folder = sandbox.settings.state_dir();
    let born = process::birth(pid).expect("asked");
    let record = serde_json::json!({ "pid": pid, "born": born, "port": port, "version": version, "guard": guard });
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::write(folder.join("running.json"), record.to_string()).expect("written");
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_come_up_is_left_to_be_waited_for_again() {
    let sandbox = sandbox();
    pretend(&sandbox, "echo 'still loading'; exec /bin/sleep 60");
    let error = sandbox
        .settings
        .ensure_running(&quiet())
        .await
        .expect_err("never answers");
    assert_eq!(error.kind(), ErrorKind::LocalCloud);
    assert!(error.to_string().contains("had 30 seconds"), "{error}");
    let pid = sandbox.settings.status().await.expect("known").pid.expect("it runs");
    let again = sandbox.settings.ensure_running(&quiet()).await.expect_err("still not");
    assert!(again.to_string().contains(&format!("process {pid}")), "{again}");
}

/// Another user may have the port while the own process doesn't, and say there what a local cloud says.
#[tokio::test]
async fn one_that_cannot_prove_whose_it_is_is_neither_joined_nor_given_anything() {
    let sandbox = sandbox();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, sandbox.settings.port)).expect("free");
    let heard = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let hears = std::sync::Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut asked) = (stream.expect("asked"), [0; 1024]);
            let length = std::io::Read::read(&mut stream, &mut asked).unwrap_or_default();
            hears
                .lock()
                .expect("whole")
                .push_str(&String::from_utf8_lossy(&asked[..length]));
            let body = format!("{{\"auth\": \"enabled\", \"version\": \"{VERSION}\"}}");
            // It may have gone before it has all.
            let _ = std::io::Write::write_all(&mut stream, format!("HTTP/1.1 200 OK\r\n\r\n{body}").as_bytes());
        }
    });
    let settings = &sandbox.settings;
    stand_in(&sandbox, std::process::id(), settings.port, VERSION, &process::guard());
    let keys = Credentials::read_or_make(&settings.state_dir()).expect("made");

    assert!(!settings.status().await.expect("known").running);
    let running = settings.running().await.expect_err("not ours");
    assert!(running.to_string().contains("doesn't answer at"), "{running}");
    Record::remove(&settings.state_dir()).expect("removed");
    let started = settings.ensure_running(&quiet()).await.expect_err("not ours");
    assert!(
        started.to_string().contains("wasn't started with this state folder"),
        "{started}"
    );
    let heard = heard.lock().expect("whole");
    assert!(!heard.is_empty() && !heard.contains(&keys.secret_access_key) && !heard.contains(&keys.access_key_id));
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_stop_is_named_and_not_killed() {
    let sandbox = sandbox();
    let mut stubborn = std::process::Command::new("sh")
        .args(["-c", "trap '' TERM; echo ready; while :; do sleep 1; done"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    let ready = std::io::Read::read(stubborn.stdout.as_mut().expect("piped"), &mut [0; 8]);
    stand_in(
        &sandbox,
        stubborn.id(),
        sandbox.settings.port,
        VERSION,
        &process::guard(),
    );
    let stopped = sandbox.settings.stop(&quiet()).await;
    let alive = process::birth(stubborn.id()).expect("asked").is_some();
    stubborn.kill().expect("killed");
    stubborn.wait().expect("ended");

    assert!(ready.is_ok_and(|bytes| bytes > 0));
    let error = stopped.expect_err("it ignores the signal");
    assert!(
        error.to_string().contains(&format!("process {}", stubborn.id())),
        "{error}"
    );
    assert!(
        error
            .next_step()
            .is_some_and(|hint| hint.contains("kill -9") && hint.contains("deployer local reset"))
    );
    assert!(alive);
    assert!(sandbox.settings.state_dir().join("running.json").exists());
}

/// What is thrown away anyway needs nobody's agreement; but only the process that the record means is ended.
#[tokio::test]
async fn a_reset_ends_one_that_does_not_stop() {
    let sandbox = sandbox();
    let settings = &sandbox.settings;
    let mut stubborn = std::process::Command::new("sh");
    stubborn
        .args(["-c", "trap '' TERM; echo ready; while :; do sleep 1; done"])
        .stdout(std::process::Stdio::piped());
    let stubborn = std::os::unix::process::CommandExt::process_group(&mut stubborn, 0);
    let mut stubborn = stubborn.spawn().expect("started");
    let ready = std::io::Read::read(stubborn.stdout.as_mut().expect("piped"), &mut [0; 8]);
    assert!(ready.is_ok_and(|bytes| bytes > 0));

    stand_in(&sandbox, stubborn.id(), settings.port, VERSION, &process::guard());
    let record = std::fs::read_to_string(settings.state_dir().join("running.json")).expect("the record");
    let another = record.replace("\"born\":\"", "\"born\":\"another time ");
    std::fs::write(settings.state_dir().join("running.json"), another).expect("written");
    settings.reset(&quiet()).await.expect("nothing of ours runs");
    assert!(process::birth(stubborn.id()).expect("asked").is_some());

    stand_in(&sandbox, stubborn.id(), settings.port, VERSION, &process::guard());
    settings.reset(&quiet()).await.expect("by force");
    assert!(process::birth(stubborn.id()).expect("asked").is_none());
    stubborn.wait().expect("ended");
}

#[tokio::test]
async fn another_port_than_that_of_the_running_one_is_refused() {
    let sandbox = sandbox();
    let own = std::process::id();
    stand_in(&sandbox, own, 1, VERSION, &process::guard());
    let error = sandbox
        .settings
        .ensure_running(&quiet())
        .await
        .expect_err("another port");
    assert!(error.to_string().contains("already runs on port 1"), "{error}");
    assert!(
        error
            .next_step()
            .is_some_and(|hint| hint.contains("deployer local stop"))
    );

    stand_in(&sandbox, own, sandbox.settings.port, VERSION, "");
    let error = sandbox.settings.ensure_running(&quiet()).await.expect_err("unguarded");
    assert!(error.to_string().contains("may let in others than you"), "{error}");

    stand_in(&sandbox, own, sandbox.settings.port, "1.0.0", "");
    let error = sandbox
        .settings
        .ensure_running(&quiet())
        .await
        .expect_err("another version");
    assert!(error.to_string().contains("is ministack 1.0.0"), "{error}");
    let status = sandbox.settings.status().await.expect("known");
    assert_eq!((status.running, status.pid), (false, Some(own)));
    assert_eq!(status.version, "1.0.0");
    Record::remove(&sandbox.settings.state_dir()).expect("removed");
}

#[tokio::test]
async fn two_starts_share_one_and_what_is_in_it_outlives_a_stop() {
    let sandbox = real();
    let settings = &sandbox.settings;
    let reporter = quiet();
    assert!(!settings.stop(&reporter).await.expect("nothing to stop"));
    let (one, two) = tokio::join!(settings.ensure_running(&reporter), settings.ensure_running(&reporter));
    let one = one.expect("started");
    assert_eq!(one, two.expect("joined"));
    assert_eq!(one, settings.ensure_running(&reporter).await.expect("joined"));
    let status = settings.status().await.expect("known");
    assert!(status.running);
    assert_eq!((status.pid, status.endpoint), (Some(one.pid), one.endpoint));

    // All of 127/8 is this host on Linux, so what is bound to every interface answers there.
    let elsewhere = SocketAddr::from(([127, 0, 0, 2], settings.port));
    TcpStream::connect_timeout(&elsewhere, Duration::from_secs(1)).expect_err("on loopback's first address only");

    boto(
        settings,
        "client('s3').create_bucket(Bucket='kept')\nclient('sqs').create_queue(QueueName='kept')",
    );
    assert!(settings.stop(&reporter).await.expect("stopped"));
    assert!(!settings.status().await.expect("known").running);
    let again = settings.ensure_running(&reporter).await.expect("started again");
    assert_ne!(again.pid, one.pid);
    let found = boto(
        settings,
        "print([b['Name'] for b in client('s3').list_buckets()['Buckets']], \
         len(client('sqs').list_queues()['QueueUrls']))",
    );
    assert_eq!(found, "['kept'] 1");

    settings.reset(&reporter).await.expect("emptied");
    let left = std::fs::read_dir(settings.state_dir())
        .expect("the folder stays")
        .count();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn after_a_kill_it_starts_again() {
    let sandbox = real();
    let settings = &sandbox.settings;
    let reporter = quiet();
    let first = settings.ensure_running(&reporter).await.expect("started");
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &first.pid.to_string()])
        .status();
    assert!(killed.expect("kill").success());
    let record = Record::read(&settings.state_dir())
        .expect("readable")
        .expect("left behind");
    while record.is_alive().expect("asked") {
        tokio::task::yield_now().await;
    }
    assert!(record.was_killed(&settings.state_dir()));
    assert!(!settings.status().await.expect("known").running);
    let second = settings.ensure_running(&reporter).await.expect("started again");
    assert_ne!(first.pid, second.pid);
    settings.stop(&reporter).await.expect("stopped");
    assert!(
        !record.was_killed(&settings.state_dir()),
        "ministack removes its pid file when it ends in order"
    );
}

#[tokio::test]
async fn a_stranger_of_the_same_kind_is_not_joined() {
    let (ours, mut theirs) = (real(), real());
    theirs.settings.port = ours.settings.port;
    theirs.settings.ensure_running(&quiet()).await.expect("started");
    let error = ours.settings.ensure_running(&quiet()).await.expect_err("taken");
    assert!(
        error.to_string().contains("wasn't started with this state folder"),
        "{error}"
    );
}
