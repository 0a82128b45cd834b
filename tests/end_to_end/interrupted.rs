//! A signal at any moment: the run ends with exit code 5 within seconds and says truly what it leaves; nothing that was only
//! planned stays, and the next run goes on from there.

use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_cloudformation::types::{ExecutionStatus, StackStatus};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Clients, Deployer, Emulator, Project, Proxy, Ran, Seen, answers};

/// How many times each signal is sent; `DEPLOYER_TEST_INTERRUPTIONS=40` makes the run a long one.
fn rounds() -> usize {
    std::env::var("DEPLOYER_TEST_INTERRUPTIONS").map_or(4, |rounds| rounds.parse().expect("a number"))
}

/// The longest that a run may take to end after a signal: undoing has 5 s, and the machine may be busy.
const ENDING: Duration = Duration::from_secs(15);

/// A stage whose every request passes a proxy, by which a signal is sent while a request of choice is under way.
pub(crate) struct Scene {
    project: Project,
    proxy: Proxy,
    clients: Clients,
    _emulator: Emulator,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let emulator = Emulator::start();
        Self {
            project: Project::copy(),
            proxy: Proxy::before(emulator.port()),
            clients: Clients::root(&emulator.endpoint()),
            _emulator: emulator,
        }
    }

    pub(crate) fn clients(&self) -> &Clients {
        &self.clients
    }

    /// Runs a command undisturbed.
    pub(crate) fn deployer(&self, args: &[&str]) -> Ran {
        self.project.deployer(&self.proxy.endpoint(), args)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        self.project.write(file, text);
    }

    /// The number of the newest release.
    pub(crate) fn newest_release(&self) -> u64 {
        let document = self.deployer(&["releases", "--stage", "dev", "--output", "json"]);
        let document = document.success().json();
        let releases = document["releases"].as_array().expect("a list");
        releases
            .last()
            .and_then(|one| one["number"].as_u64())
            .expect("a release")
    }

    fn command(&self, args: &[&str]) -> Deployer {
        Deployer::new(self.project.path(), args).at(&self.proxy.endpoint())
    }

    /// Runs a command and sends it `signal` as its request number `at` arrives, which then is passed on nevertheless.
    /// Returns how it ended, and how long that took after the signal, if there was one.
    pub(crate) fn interrupted(&self, args: &[&str], signal: Signal, at: usize) -> (Ran, Option<Duration>) {
        let mut left = at;
        self.interrupted_at(args, signal, move |_| {
            left = left.saturating_sub(1);
            left == 0
        })
    }

    /// The same at the first request that `is_moment` accepts.
    fn interrupted_at(
        &self,
        args: &[&str],
        signal: Signal,
        mut is_moment: impl FnMut(&Seen) -> bool + Send + 'static,
    ) -> (Ran, Option<Duration>) {
        let (pid, sent) = (Arc::new(AtomicI32::new(0)), Arc::new(Mutex::new(None)));
        let (of_child, of_signal) = (Arc::clone(&pid), Arc::clone(&sent));
        self.proxy.rule(move |seen| {
            let mut sent = of_signal.lock().expect("no panic");
            if is_moment(seen) && sent.is_none() {
                while of_child.load(Ordering::Acquire) == 0 {
                    std::thread::yield_now();
                }
                let child = Pid::from_raw(of_child.load(Ordering::Acquire)).expect("a process");
                kill_process(child, signal).expect("it runs");
                *sent = Some(Instant::now());
            }
            None
        });
        let child = self.command(args).heard();
        pid.store(i32::try_from(child.id()).expect("a process id"), Ordering::Release);
        let ran = Ran::of(child.wait_with_output().expect("it ends"));
        self.proxy.forget_rules();
        let took = sent.lock().expect("no panic").map(|sent: Instant| sent.elapsed());
        (ran, took)
    }

    /// Gives `up` something to change: in stacks that are there, and in the site.
    pub(crate) fn change(&self, changes: &mut usize) {
        let comment = |change: usize| format!("\"${{Project}} ${{Stage}}{}\"", " again".repeat(change % 3));
        let (from, to) = (comment(*changes), comment(*changes + 1));
        self.project.edit("stacks/presentation.yaml", &from, &to);
        *changes += 1;
        self.project.write("site/changed.txt", &changes.to_string());
    }

    /// What stays of what was only begun, in words.
    pub(crate) async fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        let stacks = self
            .clients
            .cloudformation
            .describe_stacks()
            .send()
            .await
            .expect("stacks");
        for stack in stacks.stacks() {
            let name = stack.stack_name().unwrap_or_default();
            if stack.stack_status() == Some(&StackStatus::ReviewInProgress) {
                left.push(format!("the empty stack {name}"));
            }
            let sets = self.clients.cloudformation.list_change_sets().stack_name(name);
            let sets = sets.send().await.expect("change sets");
            let pending = |set: &&aws_sdk_cloudformation::types::ChangeSetSummary| {
                set.execution_status() == Some(&ExecutionStatus::Available)
            };
            let pending = sets.summaries().iter().filter(pending);
            left.extend(pending.map(|set| format!("a change set of {name}, {:?}", set.change_set_name())));
        }
        let buckets = self.clients.s3.list_buckets().send().await.expect("buckets");
        for bucket in buckets.buckets().iter().filter_map(|bucket| bucket.name()) {
            let uploads = self.clients.s3.list_multipart_uploads().bucket(bucket);
            let uploads = uploads.send().await.expect("uploads");
            left.extend(
                uploads
                    .uploads()
                    .iter()
                    .map(|upload| format!("an upload of {:?}", upload.key())),
            );
            let ledger = self.clients.s3.get_object().bucket(bucket).key("site/ledger.json");
            if let Ok(ledger) = ledger.send().await {
                let ledger = ledger.body.collect().await.expect("the ledger").to_vec();
                let ledger: serde_json::Value = serde_json::from_slice(&ledger).expect("JSON");
                if !ledger["publisher"].is_null() {
                    left.push(format!("the claim of {}", ledger["publisher"]));
                }
            }
        }
        left
    }

    /// What an interrupted run says has to be so.
    fn assert_true(&self, ran: &Ran, took: Option<Duration>) {
        let took = took.expect("a signal was sent");
        assert!(took < ENDING, "it took {took:?}: {ran}");
        assert_eq!(ran.code, 5, "{ran}");
        assert!(ran.stderr.contains("error: interrupted"), "{ran}");
        let seen = self.proxy.take();
        let harmless = ["CreateChangeSet", "DeleteChangeSet", "DeleteStack"];
        let wrote = seen
            .iter()
            .any(|seen| seen.writes() && !harmless.contains(&seen.operation.as_str()));
        if ran.stderr.contains("nothing was changed") {
            assert!(!wrote, "{ran}\n{seen:#?}");
        } else {
            assert!(
                ran.stderr.contains("goes on with the")
                    || ran.stderr.contains("was asked for the")
                    || ran.stderr.contains("what was done until then stays"),
                "{ran}"
            );
        }
    }
}

/// Positions spread over a run's requests, the same in each run of the test.
fn spread(round: usize, signal: Signal, requests: usize) -> usize {
    let odd = usize::from(signal == Signal::TERM);
    1 + (round * 37 + odd * 19 + 5) % requests
}

#[tokio::test]
async fn every_command_ends_cleanly_at_any_moment() {
    let scene = Scene::new();
    let up = ["up", "--stage", "dev", "--no-verify"];
    // About as many requests as each makes.
    let commands: [(&[&str], usize); 4] = [
        (&up, 60),
        (&["seed", "--stage", "dev", "--overwrite"], 12),
        (&["verify", "--stage", "dev"], 50),
        (&["down", "--stage", "dev", "--yes"], 30),
    ];
    let mut changes = 0;
    for round in 0..rounds() {
        for signal in [Signal::INT, Signal::TERM] {
            for (args, requests) in commands {
                if args == up {
                    scene.change(&mut changes);
                }
                let at = spread(round, signal, requests);
                let _ = scene.proxy.take();
                let (ran, took) = scene.interrupted(args, signal, at);
                // One that comes at the last of all requests may find nothing to interrupt.
                let was_late = ran.code == 0 && scene.proxy.count() == at;
                if took.is_some() && !was_late {
                    scene.assert_true(&ran, took);
                } else {
                    ran.clone().success();
                }
                let left = scene.left().await;
                assert!(left.is_empty(), "after {args:?} at {at}: {left:#?}\n{ran}");
                scene.project.deployer(&scene.proxy.endpoint(), args).success();
            }
        }
        // The next round begins with nothing, or with all of it.
        if round % 2 == 0 {
            scene.project.deployer(&scene.proxy.endpoint(), &up).success();
        }
    }
}

/// A large file goes in parts, which S3 keeps, and charges for, until somebody ends the upload.
#[tokio::test]
async fn an_upload_in_parts_is_ended() {
    let scene = Scene::new();
    let up = ["up", "--stage", "dev", "--no-verify"];
    scene.project.deployer(&scene.proxy.endpoint(), &up).success();
    for signal in [Signal::INT, Signal::TERM] {
        scene
            .project
            .write("site/film.mp4", &format!("{signal:?}").repeat(6 << 20));
        let _ = scene.proxy.take();
        let (ran, took) = scene.interrupted_at(&up, signal, |seen| seen.path.contains("partNumber=2"));
        scene.assert_true(&ran, took);
        assert!(ran.stderr.contains("what was done until then stays"), "{ran}");
        let left = scene.left().await;
        assert!(left.is_empty(), "{left:#?}\n{ran}");
    }
    scene.project.deployer(&scene.proxy.endpoint(), &up).success();
}

/// A build script that would run for minutes ends with the run, and so does the cargo that waits for it.
#[test]
fn a_compiler_is_ended() {
    let scene = Scene::new();
    let folder = scene.project.path().join("function");
    std::fs::remove_dir_all(&folder).expect("removed");
    std::fs::create_dir(&folder).expect("made anew");
    scene.project.write(
        "function/Cargo.toml",
        "[package]\nname = \"slow\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[[bin]]\nname = \"bootstrap\"\npath = \"main.rs\"\n\n[workspace]\n",
    );
    scene.project.write("function/main.rs", "fn main() {}\n");
    scene.project.write(
        "function/build.rs",
        "fn main() {\n    std::fs::write(std::env::var(\"STARTED\").unwrap(), std::process::id().to_string()).unwrap();\n    \
         std::thread::sleep(std::time::Duration::from_secs(600));\n}\n",
    );
    let started = scene.project.path().join("started");
    for signal in [Signal::INT, Signal::TERM] {
        let deployer = scene.command(&["up", "--stage", "dev"]);
        let run = deployer.env("STARTED", &started).unset("CARGO_TARGET_DIR").running();
        let written = || std::fs::read_to_string(&started).unwrap_or_default();
        let until = Instant::now() + Duration::from_secs(120);
        while written().is_empty() {
            assert!(Instant::now() < until, "the build script didn't start");
            std::thread::sleep(Duration::from_millis(20));
        }
        let sent = Instant::now();
        run.signal(signal);
        let ran = run.end();
        scene.assert_true(&ran, Some(sent.elapsed()));
        assert!(ran.stderr.contains("nothing was changed"), "{ran}");
        let script = Path::new("/proc").join(written());
        while script.exists() {
            assert!(sent.elapsed() < ENDING, "the build script goes on");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::fs::remove_file(&started).expect("removed");
    }
}

/// What is being undone may take its time; whoever won't wait needn't.
#[test]
fn a_second_signal_leaves_at_once() {
    let scene = Scene::new();
    // AWS never answers what is to be undone.
    scene.proxy.rule(|seen| {
        (seen.operation == "DescribeChangeSet").then(|| {
            std::thread::sleep(Duration::from_secs(20));
            answers::refusal(500, "InternalFailure", "too late")
        })
    });
    let run = scene.command(&["up", "--stage", "dev", "--only", "data"]).running();
    let until_it_asks = || {
        while !scene.proxy.has_seen("DescribeChangeSet") {
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until_it_asks();
    scene.proxy.take();
    run.signal(Signal::INT);
    // Asked again for what is to be undone, it has noticed that one: two before it does would be one.
    until_it_asks();
    let second = Instant::now();
    run.signal(Signal::INT);
    let ran = run.end();
    // Without a second one it would be given six seconds from the first.
    assert!(second.elapsed() < Duration::from_secs(4), "{:?}", second.elapsed());
    assert_eq!(ran.code, 5, "{ran}");
    assert!(
        ran.stderr.contains("interrupted") && ran.stderr.contains("may stay"),
        "{ran}"
    );
}
