//! Publishing: nobody ever gets half a site, whatever happens on the way.

mod caches;
mod encrypted;
mod files;
mod interrupted;
mod open_pages;
mod others;
mod wrong_folder;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;

use crate::support::{Clients, Deployer, Emulator, Project, Proxy, Seen, document, http};

const STAGE: &str = "dev";
const SITE: &str = "three-tier-dev-site-000000000000-us-east-1";
const ARTIFACTS: &str = "three-tier-dev-artifacts-000000000000-us-east-1";
const LEDGER: &str = "site/ledger.json";
const ONLY_SITE: [&str; 6] = ["up", "--stage", STAGE, "--only", "site", "--no-verify"];

/// A deployed stage behind a proxy, and the site's address.
struct Stage {
    emulator: Emulator,
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
        let site = document::site_url(&up).to_owned();
        proxy.take();
        Self {
            clients: Clients::root(&emulator.endpoint()),
            site,
            emulator,
            proxy,
            project,
        }
    }

    fn publish(&self) -> crate::support::Ran {
        self.publish_with(&[])
    }

    fn publish_with(&self, more: &[&str]) -> crate::support::Ran {
        let args = [&ONLY_SITE[..], more].concat();
        self.project.deployer(&self.proxy.endpoint(), &args)
    }

    /// Makes `files` the site.
    fn replace_site(&self, files: &[(&str, &str)]) {
        let site = self.project.path().join("site");
        std::fs::remove_dir_all(&site).expect("removed");
        for (file, text) in files {
            let file = site.join(file);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            std::fs::write(file, text).expect("written");
        }
    }

    /// The ledger, as whoever publishes next finds it after `change`.
    async fn with_ledger(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let s3 = &self.clients.s3;
        let ledger = s3.get_object().bucket(ARTIFACTS).key(LEDGER).send().await;
        let ledger = ledger.expect("a ledger").body.collect().await.expect("bytes");
        let mut ledger = serde_json::from_slice(&ledger.into_bytes()).expect("JSON");
        change(&mut ledger);
        let put = s3.put_object().bucket(ARTIFACTS).key(LEDGER);
        let put = put.body(ledger.to_string().into_bytes().into());
        put.send().await.expect("put");
    }

    /// What a path answers.
    fn status(&self, path: &str) -> u16 {
        http::get(&format!("{}{path}", self.site)).expect("an answer").status
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
