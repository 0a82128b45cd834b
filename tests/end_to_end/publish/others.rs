//! A publication, and others at the same time.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{ONLY_SITE, Stage, change};
use crate::support::{Deployer, Project};

#[tokio::test(flavor = "multi_thread")]
async fn two_publications_at_once_end_with_one_of_the_two_sites() {
    let stage = Stage::deployed();
    let other = Project::copy();
    for (project, version) in [(&stage.project, "one"), (&other, "two")] {
        change(project, version);
        for n in 0..40 {
            project.write(&format!("site/page{n}.html"), &format!("<title>{version}</title>"));
        }
        project.write(&format!("site/only-{version}.html"), "<title>only</title>");
    }
    // Another folder has other locks: only S3 keeps the two apart, as on two machines.
    let endpoint = stage.proxy.endpoint();
    let runs = [&stage.project, &other].map(|project| {
        let run = Deployer::new(project.path(), &ONLY_SITE).at(&endpoint);
        run.start(Stdio::null(), Stdio::piped())
    });
    for run in runs {
        let ended = run.wait_with_output().expect("it ends");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    let page = stage.visit("");
    let (is, is_not) = if page.page.contains("<title>one</title>") {
        ("one", "two")
    } else {
        ("two", "one")
    };
    assert!(page.has(&format!("--version: {is}")) && !page.has(is_not), "{page:?}");
    for n in 0..40 {
        let page = stage.visit(&format!("page{n}.html"));
        assert!(page.page.contains(is), "page{n} is of the other site");
    }
    let keys = stage.keys().await;
    assert!(keys.contains_key(&format!("only-{is}.html")) && !keys.contains_key(&format!("only-{is_not}.html")));
}

/// S3 may do what it is asked and fail to say so. The SDK asks again, and S3 refuses what is there already.
#[test]
fn a_lost_answer_is_not_taken_for_another_publication() {
    let stage = Stage::deployed();
    change(&stage.project, "new");
    let asked = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&asked);
    stage.proxy.lose(move |seen| {
        let is_ledger = seen.method == "PUT" && seen.path.contains("ledger.json");
        let mut count = counted.lock().expect("a number");
        *count += usize::from(is_ledger);
        is_ledger && *count % 2 == 1
    });
    stage.publish().success().says(&["changed"]);
    assert_eq!(*asked.lock().expect("a number"), 4, "the claim and its end, each twice");
    assert!(stage.visit("").has("--version: new"));
    stage.publish().success();
    assert_eq!(*asked.lock().expect("a number"), 4, "nothing is left to do");
}

/// A process of another user's can't be asked whether it is there. It may be at work.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_publisher_of_another_user_is_waited_for() {
    let stage = Stage::deployed();
    let (bucket, key) = ("three-tier-dev-artifacts-000000000000-us-east-1", "site/ledger.json");
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let claim = serde_json::json!({ "publisher": {
        "token": "t",
        "host": rustix::system::uname().nodename().to_string_lossy(),
        "processes": format!("{} {}", boot.trim(), namespace.display()),
        // Root's, on every machine.
        "process": 1,
        "renewal": 1,
    }});
    let put = stage.clients.s3.put_object().bucket(bucket).key(key);
    let put = put.body(claim.to_string().into_bytes().into());
    put.send().await.expect("put");
    change(&stage.project, "new");

    // Root may ask about every process, so another user runs it: one that may read the program and the project.
    let place = tempfile::TempDir::new().expect("a folder");
    let program = place.path().join("program");
    std::fs::copy(assert_cmd::cargo::cargo_bin("deployer"), &program).expect("copied");
    let keys = stage.emulator.keys();
    let mut command = Command::new(program);
    command
        .args(ONLY_SITE)
        .current_dir(stage.project.path())
        .env_clear()
        .env("HOME", place.path())
        .env("XDG_STATE_HOME", place.path())
        .env("AWS_ENDPOINT_URL", stage.proxy.endpoint())
        .env("AWS_ACCESS_KEY_ID", keys.id)
        .env("AWS_SECRET_ACCESS_KEY", keys.secret)
        .env("AWS_REGION", "us-east-1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
        for path in [place.path(), stage.project.path()] {
            std::os::unix::fs::chown(path, Some(65534), Some(65534)).expect("given away");
        }
    }
    let mut run = command.spawn().expect("it starts");
    let said = BufReader::new(run.stderr.take().expect("piped")).lines();
    let mut before = Vec::new();
    let waits = said.map_while(Result::ok).any(|line| {
        let waits = line.contains("waiting for another publication (process 1 on ");
        before.push(line);
        waits
    });
    run.kill().expect("killed");
    run.wait().expect("ended");
    assert!(waits, "{before:#?}");
    let ledger = stage.clients.s3.get_object().bucket(bucket).key(key).send().await;
    let ledger = ledger
        .expect("a ledger")
        .body
        .collect()
        .await
        .expect("bytes")
        .into_bytes();
    let ledger: serde_json::Value = serde_json::from_slice(&ledger).expect("JSON");
    assert_eq!(ledger, claim, "it isn't stolen");
}

/// Whoever may write to the bucket could otherwise have any publisher's memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_of_any_size_is_not_read_whole() {
    let stage = Stage::deployed();
    let (bucket, key) = ("three-tier-dev-artifacts-000000000000-us-east-1", "site/ledger.json");
    let put = stage.clients.s3.put_object().bucket(bucket).key(key);
    put.body(vec![b' '; (64 << 20) + 1].into()).send().await.expect("put");
    change(&stage.project, "new");
    stage.publish().fails_with(1).says(&[
        "could not read site/ledger.json",
        "it has more than 64 MiB",
        "aws s3 rm",
    ]);
}

/// Nobody here can tell whether a process of another machine is still there; only that it no longer says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_publication_that_died_on_another_machine_is_given_up() {
    let stage = Stage::deployed();
    let (bucket, key) = ("three-tier-dev-artifacts-000000000000-us-east-1", "site/ledger.json");
    let s3 = &stage.clients.s3;
    let ledger = s3.get_object().bucket(bucket).key(key).send().await.expect("a ledger");
    let ledger = ledger.body.collect().await.expect("bytes").into_bytes();
    let mut ledger: serde_json::Value = serde_json::from_slice(&ledger).expect("JSON");
    assert_eq!(ledger["publisher"], serde_json::Value::Null, "nobody is at it");
    // How long a claim is waited for is what it says itself: 45 seconds, where a publication made it.
    let claim = serde_json::json!({"token": "t", "host": "another", "process": 7, "renewal": 1, "lease": 2});
    ledger["publisher"] = claim;
    let put = s3.put_object().bucket(bucket).key(key);
    let put = put.body(ledger.to_string().into_bytes().into());
    put.send().await.expect("put");

    // What there is to do is found out by reading alone, but nobody may rely on what another is about to change.
    change(&stage.project, "new");
    let begun = Instant::now();
    // A log has a line of it only now and then; JSON has each.
    let told = [&ONLY_SITE[..], &["--output", "json"]].concat();
    stage
        .project
        .deployer(&stage.proxy.endpoint(), &told)
        .success()
        .says(&["waiting for another publication (process 7 on another)", "changed"]);
    assert!(
        begun.elapsed() > Duration::from_secs(2),
        "no sooner than it may be dead"
    );
    assert!(stage.visit("").has("--version: new"));
    stage.proxy.take();
    stage.publish().success();
    stage.proxy.assert_nothing_was_written();
}
