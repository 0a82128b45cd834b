//! Sites as generators make them, published and visited: each page is as on a plain server of the same folder. They are small
//! ones of our own (`tests/sites`); `benchmarks/src/bin/sites` does the same with what generators really make.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use test_support::browser::Programs;
use test_support::sites::{Gate, Kind, Publisher, Site, tour};

use crate::support::project::{copy, repository};
use crate::support::{Emulator, Project, document};

/// The smallest example, with another site.
struct Stage {
    project: Project,
    gate: Gate,
    _emulator: Emulator,
}

impl Stage {
    fn new() -> Self {
        let emulator = Emulator::shared();
        Self {
            project: Project::of("site"),
            gate: Gate::before(emulator.port()).expect("a port"),
            _emulator: emulator,
        }
    }
}

impl Publisher for Stage {
    fn publish(&mut self, folder: &Path) -> io::Result<String> {
        let site = self.project.path().join("site");
        std::fs::remove_dir_all(&site)?;
        copy(folder, &site);
        let endpoint = format!("http://127.0.0.1:{}", self.gate.port());
        let up = self
            .project
            .deployer(&endpoint, &["up", "--no-verify", "--yes", "--output", "json"]);
        let up = up.success().json();
        Ok(document::site_url(&up).trim_end_matches('/').to_owned())
    }

    fn gate(&self) -> &Gate {
        &self.gate
    }
}

fn given(name: &str) -> PathBuf {
    repository().join("tests/sites").join(name)
}

/// Publishes a site and then what `change` makes of it, and demands that nobody notices a difference.
#[track_caller]
fn behaves(name: &str, kind: Kind, has_worker: bool, change: impl FnOnce(&Path)) {
    let Some(programs) = Programs::for_this_test() else {
        return;
    };
    let first = given(name);
    let next = TempDir::new().expect("a folder");
    copy(&first, next.path());
    change(next.path());
    let site = Site {
        kind,
        first: &first,
        next: next.path(),
        has_worker,
        pages: 5,
        is_steady: true,
        quiet: Duration::from_millis(120),
    };
    let outcome = tour(&programs, &site, &mut Stage::new()).expect("a whole tour");
    let told: Vec<String> = outcome.differences.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// Replaces what stands in a file, in each of its places.
#[track_caller]
fn edit(site: &Path, file: &str, from: &str, to: &str) {
    let file = site.join(file);
    let text = std::fs::read_to_string(&file).expect("readable");
    assert!(text.contains(from), "`{from}` in {}", file.display());
    std::fs::write(&file, text.replace(from, to)).expect("writable");
}

fn rename(site: &Path, from: &str, to: &str) {
    std::fs::rename(site.join(from), site.join(to)).expect("renamed");
}

#[test]
fn folders_are_pages() {
    behaves("folders", Kind::Folders, false, |next| {
        edit(next, "index.html", "of its own", "of its own, still");
        edit(next, "assets/site.css", "teal", "navy");
    });
}

/// What the open page loads late has another name in the next edition, and no worker has kept it.
#[test]
fn pages_need_no_ending() {
    behaves("html", Kind::Html, false, |next| {
        edit(next, "data/about.json", "About", "About it");
        edit(next, "about.html", "<h1>About", "<h1>About it");
        rename(next, "assets/late-4b1d9e72.js", "assets/late-c07f3a61.js");
        edit(next, "assets/router.js", "late-4b1d9e72", "late-c07f3a61");
    });
}

/// Here the worker has kept it.
#[test]
fn an_app_has_all_addresses() {
    behaves("app", Kind::App, true, |next| {
        edit(next, "assets/about-1c6b2f93.js", "About it.", "About it, once more.");
        rename(next, "assets/about-1c6b2f93.js", "assets/about-b8f05d27.js");
        edit(next, "assets/app-9d3e7c40.js", "about-1c6b2f93", "about-b8f05d27");
        rename(next, "assets/app-9d3e7c40.js", "assets/app-40a1e6c5.js");
        edit(next, "index.html", "app-9d3e7c40", "app-40a1e6c5");
        edit(next, "sw.js", "about-1c6b2f93", "about-b8f05d27");
        edit(next, "sw.js", "app-9d3e7c40", "app-40a1e6c5");
    });
}

#[test]
fn names_that_scripts_make_are_found() {
    behaves("computed", Kind::Plain, false, |next| {
        edit(next, "theme-dark.css", "lightgrey", "lightyellow");
    });
}

/// Scripts that put names together: of a pattern and a folder, by replacing a word, of a list that another sheet overrules.
#[tokio::test]
async fn names_that_scripts_know_are_there() {
    let Some(programs) = Programs::for_this_test() else {
        return;
    };
    let mut stage = Stage::new();
    let browser = crate::browser::Browser::open(&programs).await;
    for (name, expected) in [
        ("folder", &["shown"][..]),
        ("replaced", &["picture theme", "theme picture"]),
        ("successor", &["rgb(0, 128, 0)"]),
    ] {
        let origin = stage.publish(&given("names").join(name)).expect("published");
        let said = browser.says(&origin, "result", expected).await;
        assert!(expected.contains(&said.as_str()), "{name}: {said}");
    }
    browser.close().await;
}
