//! Publishing: nobody ever gets half a site, whatever happens on the way.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;

use crate::support::{Clients, Deployer, Emulator, Project, Proxy, Seen, http};

const STAGE: &str = "dev";
const SITE: &str = "three-tier-dev-site-000000000000-us-east-1";
const ONLY_SITE: [&str; 6] = ["up", "--stage", STAGE, "--only", "site", "--no-verify"];

/// A deployed stage behind a proxy, and the site's address.
struct Stage {
    /// Ends with it.
    _emulator: Emulator,
    proxy: Proxy,
    project: Project,
    clients: Clients,
    site: String,
}

impl Stage {
    fn deployed() -> Self {
        let emulator = Emulator::start();
        let proxy = Proxy::before(emulator.port());
        let project = Project::copy();
        let up = ["up", "--stage", STAGE, "--output", "json"];
        let up = project.deployer(&proxy.endpoint(), &up).success().json();
        let site = up["outputs"]["siteUrl"].as_str().expect("a URL").to_owned();
        proxy.take();
        Self {
            clients: Clients::root(&emulator.endpoint()),
            site,
            _emulator: emulator,
            proxy,
            project,
        }
    }

    fn publish(&self) -> crate::support::Ran {
        self.project.deployer(&self.proxy.endpoint(), &ONLY_SITE)
    }

    async fn keys(&self) -> BTreeMap<String, String> {
        let mut pages = self.clients.s3.list_objects_v2().bucket(SITE).into_paginator().send();
        let mut keys = BTreeMap::new();
        while let Some(page) = pages.next().await {
            for object in page.expect("a page").contents() {
                let key = object.key().expect("a key").to_owned();
                keys.insert(key, object.e_tag().unwrap_or_default().trim_matches('"').to_owned());
            }
        }
        keys
    }

    async fn put(&self, key: &str, text: &str) {
        let put = self.clients.s3.put_object().bucket(SITE).key(key);
        let body = ByteStream::from(text.as_bytes().to_vec());
        put.body(body).content_type("text/plain").send().await.expect("put");
    }

    /// What visitors see of a page: its text, with that of all that it loads.
    #[track_caller]
    fn visit(&self, path: &str) -> Visit {
        let page = http::get(&format!("{}{path}", self.site)).expect("an answer");
        assert_eq!(page.status, 200, "/{path}");
        let mut loaded = BTreeMap::new();
        for attribute in ["src=\"", "href=\""] {
            for reference in page.body.split(attribute).skip(1) {
                let reference = reference.split('"').next().expect("an end").trim_start_matches('/');
                let is_own = !reference.contains(':') && !reference.starts_with('#') && !reference.is_empty();
                if is_own {
                    let answer = http::get(&format!("{}{reference}", self.site)).expect("an answer");
                    assert_eq!(answer.status, 200, "/{path} refers to {reference}");
                    loaded.insert(reference.to_owned(), answer.body);
                }
            }
        }
        Visit {
            page: page.body,
            loaded,
        }
    }
}

#[derive(Debug, PartialEq)]
struct Visit {
    page: String,
    loaded: BTreeMap<String, String>,
}

impl Visit {
    fn has(&self, text: &str) -> bool {
        self.loaded.values().any(|body| body.contains(text))
    }
}

fn is_put(seen: &Seen, name: &str) -> bool {
    seen.method == "PUT" && seen.path.contains(SITE) && seen.path.contains(name)
}

/// Tells when a request comes that `is_it`, and holds it until the run is over.
fn hold(proxy: &Proxy, is_it: impl Fn(&Seen) -> bool + Send + 'static) -> Receiver<()> {
    let (tell, told) = channel();
    proxy.rule(move |seen| {
        if !is_it(seen) {
            return None;
        }
        let _ = tell.send(());
        Some((503, String::new()))
    });
    told
}

/// Publishes a change and kills the run when a request comes that `is_it`.
fn killed_at(stage: &Stage, is_it: impl Fn(&Seen) -> bool + Send + 'static) {
    let reached = hold(&stage.proxy, is_it);
    let mut run = Deployer::new(stage.project.path(), &ONLY_SITE)
        .at(&stage.proxy.endpoint())
        .spawn();
    reached.recv_timeout(Duration::from_secs(60)).expect("it comes so far");
    run.kill().expect("its own child");
    run.wait().expect("it ends");
    stage.proxy.forget_rules();
}

fn change(project: &Project, version: &str) {
    project.write("site/style.css", &format!("body {{ --version: {version} }}\n"));
    project.write("site/script.js", &format!("'use strict'; // {version}\n"));
    let page = project.read("site/index.html");
    let (before, after) = page.split_once("<title>").expect("a title");
    let (_, after) = after.split_once("</title>").expect("its end");
    project.write("site/index.html", &format!("{before}<title>{version}</title>{after}"));
}

#[test]
fn an_interrupted_publication_leaves_the_old_site_whole() {
    let stage = Stage::deployed();
    change(&stage.project, "one");
    stage.publish().success();
    let one = stage.visit("");
    assert!(one.page.contains("<title>one</title>") && one.has("--version: one"));

    change(&stage.project, "two");
    killed_at(&stage, |seen| is_put(seen, "/style."));
    assert_eq!(stage.visit(""), one);
    killed_at(&stage, |seen| is_put(seen, "/index.html"));
    assert_eq!(stage.visit(""), one, "all else is there, and the page isn't");

    let up = stage.publish().success();
    assert!(!up.stderr.contains("waiting for another"), "{}", up.stderr);
    let two = stage.visit("");
    assert!(two.page.contains("<title>two</title>") && two.has("--version: two") && !two.has("--version: one"));
    stage.proxy.take();
    stage.publish().success();
    stage.proxy.assert_nothing_was_written();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_upload_removes_nothing_and_a_stale_object_never_survives() {
    let stage = Stage::deployed();
    stage.put("gone.html", "old").await;
    stage.put("deep/er/ü b.txt", "old").await;
    change(&stage.project, "two");
    let denied = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    stage
        .proxy
        .rule(move |seen| is_put(seen, "/index.html").then(|| (403, denied.to_owned())));
    stage
        .publish()
        .fails_with(1)
        .says(&["could not upload index.html", "AccessDenied"]);
    assert!(stage.keys().await.contains_key("gone.html"));
    let asked = stage.proxy.take();
    assert!(
        !asked
            .iter()
            .any(|seen| seen.path.contains("delete") || seen.path.contains("/invalidation")),
        "nothing is removed or forgotten"
    );

    stage.proxy.forget_rules();
    let up = stage.publish().success();
    assert!(up.stderr.contains("2 removed"), "{}", up.stderr);
    let keys = stage.keys().await;
    assert!(
        !keys.contains_key("gone.html") && !keys.contains_key("deep/er/ü b.txt"),
        "{keys:?}"
    );
    let paths: Vec<String> = stage
        .proxy
        .take()
        .into_iter()
        .filter(|seen| seen.path.contains("/invalidation"))
        .map(|seen| seen.body)
        .collect();
    assert_eq!(paths.len(), 1, "one invalidation");
    for path in [
        "/index.html",
        "/",
        "/gone.html",
        "/deep/er/%C3%BC%20b.txt",
        "/style.css",
    ] {
        assert!(
            paths[0].contains(&format!("<Path>{path}</Path>")),
            "{path} in {}",
            paths[0]
        );
    }
    for key in keys.keys().filter(|key| key.split('.').count() == 3) {
        assert!(!paths[0].contains(key), "{key} has its hash in its name");
    }
}

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

/// Nobody here can tell whether a process of another machine is still there; only that it no longer says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_publication_that_died_on_another_machine_is_given_up() {
    let stage = Stage::deployed();
    let (bucket, key) = ("three-tier-dev-artifacts-000000000000-us-east-1", "site/ledger.json");
    let s3 = &stage.clients.s3;
    let ledger = s3.get_object().bucket(bucket).key(key).send().await.expect("a ledger");
    let ledger = ledger.body.collect().await.expect("bytes").into_bytes();
    let mut ledger: serde_json::Value = serde_json::from_slice(&ledger).expect("JSON");
    ledger["publisher"] = serde_json::json!({"token": "t", "host": "another", "process": 7, "renewal": 1});
    let put = s3.put_object().bucket(bucket).key(key);
    let put = put.body(ledger.to_string().into_bytes().into());
    put.send().await.expect("put");

    // What there is to do is found out by reading alone, but nobody may rely on what another is about to change.
    change(&stage.project, "new");
    stage
        .publish()
        .success()
        .says(&["waiting for another publication (process 7 on another)", "changed"]);
    assert!(stage.visit("").has("--version: new"));
    stage.proxy.take();
    stage.publish().success();
    stage.proxy.assert_nothing_was_written();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_opened_a_page_before_still_gets_what_belongs_to_it() {
    let stage = Stage::deployed();
    change(&stage.project, "v0");
    stage.publish().success();
    let opened = stage.visit("");
    let style = opened
        .loaded
        .keys()
        .find(|key| key.ends_with(".css"))
        .expect("a style sheet")
        .clone();
    for version in ["v1", "v2", "v3"] {
        assert_eq!(
            http::get(&format!("{}{style}", stage.site)).expect("an answer").status,
            200,
            "before {version}"
        );
        change(&stage.project, version);
        let up = stage.publish().success();
        assert!(
            up.stderr.contains("kept for earlier pages") || version == "v3",
            "{}",
            up.stderr
        );
    }
    change(&stage.project, "v4");
    stage.publish().success();
    assert!(
        !stage.keys().await.contains_key(&style),
        "some publications later it goes"
    );
}

#[test]
fn a_file_that_changes_meanwhile_is_noticed() {
    let stage = Stage::deployed();
    change(&stage.project, "two");
    let file = stage.project.path().join("site/index.html");
    stage.proxy.rule(move |seen| {
        if is_put(seen, "/script.") {
            std::fs::write(&file, "<title>half").expect("written");
        }
        None
    });
    stage
        .publish()
        .fails_with(1)
        .says(&["index.html was changed while the site was published", "next: "]);
    assert!(!stage.visit("").page.contains("<title>half"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_goes_in_parts_and_only_once() {
    let stage = Stage::deployed();
    let film: Vec<u8> = (0..17 * 1024 * 1024 + 3).map(|n: u32| (n % 249) as u8).collect();
    std::fs::write(stage.project.path().join("site/film.bin"), &film).expect("written");
    let parts = |asked: &[Seen]| asked.iter().filter(|seen| seen.path.contains("partNumber=")).count();

    // One part is refused: all of them are given up, and the bucket has no half.
    let refused = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    stage
        .proxy
        .rule(move |seen| seen.path.contains("partNumber=2").then(|| (403, refused.to_owned())));
    stage.publish().fails_with(1).says(&["could not upload film.bin"]);
    let asked = stage.proxy.take();
    assert!(
        asked
            .iter()
            .any(|seen| seen.method == "DELETE" && seen.path.contains("uploadId="))
    );
    assert!(!stage.keys().await.contains_key("film.bin"));

    // The answer to what makes the parts an object is lost: asked again, S3 knows of no such upload.
    stage.proxy.forget_rules();
    let mut lost = 0;
    stage.proxy.lose(move |seen| {
        let completes = seen.method == "POST" && seen.path.contains("uploadId=");
        lost += usize::from(completes);
        completes && lost == 1
    });
    stage.publish().success();
    let asked = stage.proxy.take();
    assert_eq!(parts(&asked), 3);
    let completions = asked
        .iter()
        .filter(|seen| seen.method == "POST" && seen.path.contains("uploadId="));
    assert_eq!(completions.count(), 2);
    let object = stage
        .clients
        .s3
        .get_object()
        .bucket(SITE)
        .key("film.bin")
        .send()
        .await
        .expect("it");
    assert_eq!(object.content_type(), Some("application/octet-stream"));
    assert_eq!(object.body.collect().await.expect("bytes").to_vec(), film);
    stage.publish().success();
    stage.proxy.assert_nothing_was_written();
    let up = ["up", "--stage", STAGE, "--only", "site"];
    stage.project.deployer(&stage.proxy.endpoint(), &up).success();
}

/// S3 lists and deletes a thousand at a time.
#[tokio::test(flavor = "multi_thread")]
async fn a_site_of_thousands_of_files_is_compared_whole() {
    const FILES: usize = 2300;
    let stage = Stage::deployed();
    let folder = stage.project.path().join("site/data");
    std::fs::create_dir(&folder).expect("made");
    for number in 0..FILES {
        std::fs::write(folder.join(format!("{number:04}.txt")), number.to_string()).expect("written");
    }
    stage.publish().success().says(&[&format!("{FILES} new")]);
    let whole = stage.keys().await;
    let expected = (0..FILES).filter(|number| whole.contains_key(&format!("data/{number:04}.txt")));
    assert_eq!(expected.count(), FILES);

    // Before, between and after what is expected, on each of the pages.
    let strays = [
        "#",
        "data/0000.txt.old",
        "data/0950 ü+&.txt",
        "data/1999.txt~",
        "data/2299.txtx",
        "zz",
    ];
    for stray in strays {
        stage.put(stray, "stray").await;
    }
    stage.proxy.take();
    stage.publish().success().says(&[&format!("{} removed", strays.len())]);
    assert_eq!(stage.keys().await, whole);
    let asked = stage.proxy.take();
    let lists = asked.iter().filter(|seen| seen.path.contains("list-type=2"));
    assert!(lists.count() >= 3);
    assert!(!asked.iter().any(|seen| is_put(seen, "data/")));
    stage.publish().success();
    stage.proxy.assert_nothing_was_written();

    std::fs::remove_dir_all(&folder).expect("removed");
    stage
        .publish()
        .success()
        .says(&[&format!("{FILES} removed"), "all paths invalidated"]);
    assert!(!stage.keys().await.keys().any(|key| key.starts_with("data/")));
}

#[test]
fn an_invalidation_that_failed_is_asked_for_again() {
    let stage = Stage::deployed();
    change(&stage.project, "two");
    let denied = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error>\
                  <RequestId>1</RequestId></ErrorResponse>";
    let references = Arc::new(Mutex::new(Vec::new()));
    let reference = |seen: &Seen| {
        let (_, rest) = seen.body.split_once("<CallerReference>")?;
        rest.split_once('<').map(|(reference, _)| reference.to_owned())
    };
    let note = Arc::clone(&references);
    stage.proxy.rule(move |seen| {
        let reference = seen.path.contains("/invalidation").then(|| reference(seen)).flatten()?;
        let mut noted = note.lock().expect("unpoisoned");
        noted.push(reference);
        // CloudFront has its limit first, then the caller no right, then all is well.
        match noted.len() {
            1 => Some((400, denied.replace("AccessDenied", "TooManyInvalidationsInProgress"))),
            2 => Some((403, denied.to_owned())),
            _ => None,
        }
    });
    stage
        .publish()
        .fails_with(1)
        .says(&["could not invalidate", "AccessDenied"]);
    let again = stage.publish().success();
    assert!(
        again.stderr.contains("paths invalidated") && !again.stderr.contains(" changed"),
        "{}",
        again.stderr
    );
    let references = references.lock().expect("unpoisoned").clone();
    assert_eq!(references.len(), 3);
    assert!(
        references.iter().all(|one| *one == references[0]),
        "one request to CloudFront, however often it is made"
    );
    stage.publish().success();
    let asked = stage.proxy.take();
    assert_eq!(
        asked.iter().filter(|seen| seen.path.contains("/invalidation")).count(),
        3
    );
}

#[test]
fn it_can_be_waited_for_until_nobody_gets_the_old_site() {
    let stage = Stage::deployed();
    change(&stage.project, "two");
    let mut looks = 0;
    stage.proxy.rule(move |seen| {
        let is_it = seen.method == "GET" && seen.path.contains("/invalidation/");
        is_it.then(|| looks += 1)?;
        let status = if looks < 3 { "InProgress" } else { "Completed" };
        let text = format!(
            "<Invalidation><Id>I1</Id><Status>{status}</Status><CreateTime>2026-01-01T00:00:00Z</CreateTime>\
             <InvalidationBatch><Paths><Quantity>1</Quantity><Items><Path>/</Path></Items></Paths>\
             <CallerReference>r</CallerReference></InvalidationBatch></Invalidation>"
        );
        Some((200, text))
    });
    let wait = [&ONLY_SITE[..], &["--wait", "--output", "json"]].concat();
    let ran = stage.project.deployer(&stage.proxy.endpoint(), &wait).success();
    assert!(ran.stderr.contains("waiting until CloudFront"), "{}", ran.stderr);
    let asked = stage.proxy.take();
    let looks = asked
        .iter()
        .filter(|seen| seen.method == "GET" && seen.path.contains("/invalidation/"));
    assert_eq!(looks.count(), 3);
}
