//! Addresses as generators link them, and what is served at them: a private bucket and CloudFront are the judge.

use serde_json::Value;

use crate::support::{Emulator, Project, document, http};

/// The smallest example with another site.
struct Site {
    emulator: Emulator,
    project: Project,
}

impl Site {
    fn with(files: &[(&str, &str)], settings: &str) -> Self {
        let project = Project::of("site");
        std::fs::remove_file(project.path().join("site/404.html")).expect("removed");
        for (file, text) in files {
            let path = project.path().join("site").join(file);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            project.write(&format!("site/{file}"), text);
        }
        let site = Self {
            emulator: Emulator::shared(),
            project,
        };
        site.settings(settings);
        site
    }

    fn settings(&self, settings: &str) {
        let text = format!("project: website\nstages:\n  prod: {{ {settings} }}\n");
        self.project.write("stacks/stages.yaml", &text);
    }

    /// What `up` says in the end, and all that it said meanwhile.
    fn up(&self, arguments: &[&str]) -> (Value, String) {
        let arguments = [&["up", "--output", "json"], arguments].concat();
        let ran = self.project.deployer(&self.emulator.endpoint(), &arguments).success();
        (ran.json(), ran.stderr.clone())
    }
}

/// What is answered at a path of a site.
fn at(up: &Value, path: &str) -> http::Answer {
    let origin = document::site_url(up);
    http::get(&format!("{}{path}", origin.trim_end_matches('/'))).expect("an answer")
}

const FILES: &[(&str, &str)] = &[
    (
        "index.html",
        "<a href=\"/docs/\">d</a> <a href=\"/docs\">d</a> <a href=\"/about\">a</a>",
    ),
    ("about.html", "about"),
    ("docs/index.html", "docs"),
    ("docs/a b/index.html", "deeper"),
    ("LICENSE", "free"),
];

#[test]
fn pages_are_at_the_addresses_that_generators_link() {
    let site = Site::with(FILES, "");
    let (up, said) = site.up(&[]);
    assert!(
        said.contains("addresses as with `urls: html`: there is about.html, and pages link as to /about"),
        "{said}"
    );
    for (path, text) in [
        ("/", "<a href"),
        ("/docs/", "docs"),
        ("/docs/index.html", "docs"),
        ("/docs/a%20b/", "deeper"),
        ("/about", "about"),
        ("/about?x=1", "about"),
        ("/about.html", "about"),
        ("/LICENSE", "free"),
    ] {
        let answer = at(&up, path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.starts_with(text), "{path}: {}", answer.body);
    }
    assert_eq!(
        at(&up, "/about").header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let leading = at(&up, "/docs?x=1");
    assert_eq!(
        leading.header("x-amz-website-redirect-location"),
        Some("/docs/"),
        "for the edges' function"
    );
    assert!(
        leading.body.contains("<link rel=\"canonical\" href=\"/docs/\">"),
        "{}",
        leading.body
    );
    // Without a page of its own the site has a plain one.
    for path in ["/missing", "/missing.css", "/docs/missing/"] {
        let answer = at(&up, path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("Page not found"), "{path}: {}", answer.body);
    }

    // An address that is none any more is gone with its page.
    site.settings("urls: folders");
    let (up, _) = site.up(&["--only", "site", "--yes", "--no-verify"]);
    assert_eq!(at(&up, "/about").status, 404);
    assert_eq!(at(&up, "/docs/").status, 200);
}

#[test]
fn links_that_lead_nowhere_though_the_file_is_there_are_a_failure() {
    let site = Site::with(FILES, "urls: plain");
    let ran = site.project.deployer(&site.emulator.endpoint(), &["up"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    for part in [
        "site-addresses",
        "the first page links to /docs/, which answers 404, though site/ has docs/index.html",
        "Take `urls:` out of stacks/stages.yaml",
    ] {
        assert!(ran.stdout.contains(part), "{part} isn't in {}", ran.stdout);
    }

    // What the site has in no form is dead on any server.
    site.project.write("site/index.html", "<a href=/gone>g</a>");
    let (up, _) = site.up(&[]);
    let checks = up["verification"]["checks"].as_array().expect("checks");
    let check = checks
        .iter()
        .find(|check| check["check"] == "site-addresses")
        .expect("the check");
    let evidence = check.to_string();
    assert!(
        evidence.contains("the first page links to what site/ doesn't have: /gone"),
        "{evidence}"
    );
}

#[test]
fn an_apps_paths_are_its_page_and_missing_files_are_missing() {
    let site = Site::with(
        &[
            ("index.html", "<script src=app-B3x9Qk2a.js></script>"),
            ("app-B3x9Qk2a.js", "0"),
        ],
        "",
    );
    let (up, said) = site.up(&[]);
    assert!(
        said.contains("index.html is the only page, and loads a bundle"),
        "{said}"
    );
    for path in ["/users/7", "/a/b/c"] {
        let answer = at(&up, path);
        assert_eq!((answer.status, answer.body.contains("<script")), (200, true), "{path}");
    }
    // An emulator that runs functions tells files from pages; Node is what the local cloud runs them by.
    let has_functions = std::process::Command::new("node").arg("--version").output().is_ok();
    if has_functions {
        assert_eq!(at(&up, "/chunk-gone.js").status, 404);
    }
}

#[test]
fn redirects_headers_and_what_generators_write_for_hosts_are_followed() {
    let site = Site::with(
        &[
            ("index.html", "x"),
            ("_redirects", "/old /about 301\n/api/* https://api.example/:splat 200\n"),
            (
                "_headers",
                "/feed\n  Content-Type: application/rss+xml\n  X-Frame-Options: DENY\n",
            ),
            ("about.html", "about"),
            ("feed", "<rss/>"),
            ("list.pf", "list"),
            (".well-known/apple-app-site-association", "{}"),
        ],
        "redirects: { /blog: \"https://blog.example.com/\" }, headers: { \"*.pf\": { Content-Type: application/x-list, Cache-Control: max-age=60 } }",
    );
    let (up, said) = site.up(&[]);
    assert!(said.contains("not followed of site/_redirects: line 2"), "{said}");
    assert!(said.contains("not followed of site/_headers: line 3"), "{said}");
    for (path, header, value) in [
        ("/old", "x-amz-website-redirect-location", "/about"),
        ("/blog", "x-amz-website-redirect-location", "https://blog.example.com/"),
        ("/feed", "content-type", "application/rss+xml"),
        ("/list.pf", "content-type", "application/x-list"),
        ("/list.pf", "cache-control", "max-age=60"),
        (
            "/.well-known/apple-app-site-association",
            "content-type",
            "application/json; charset=utf-8",
        ),
    ] {
        assert_eq!(at(&up, path).header(header), Some(value), "{path}");
    }
    assert_eq!(at(&up, "/_redirects").status, 404);
}

#[test]
fn a_page_says_its_character_set_itself() {
    let site = Site::with(&[("index.html", "x")], "");
    let latin = b"<meta charset=iso-8859-1><p>\xfcber";
    std::fs::write(site.project.path().join("site/latin.html"), latin).expect("written");
    let (up, _) = site.up(&[]);
    assert_eq!(at(&up, "/latin.html").header("content-type"), Some("text/html"));
    assert_eq!(
        at(&up, "/index.html").header("content-type"),
        Some("text/html; charset=utf-8")
    );
}

#[test]
fn a_site_is_built_when_what_it_is_made_of_changes() {
    let site = Site::with(&[], "");
    let settings = |build: &str| {
        let text = format!("project: website\nsite: {{ build: {build}, dir: dist }}\nstages:\n  prod: {{}}\n");
        site.project.write("stacks/stages.yaml", &text);
    };
    site.project.write("page.txt", "one");
    site.project.write(
        "build.sh",
        "set -e\nmkdir -p dist\necho \"<p>$(cat page.txt)\" > dist/index.html\necho made of \"$(cat page.txt)\"\n",
    );
    settings("sh build.sh");
    let (up, said) = site.up(&["--no-verify"]);
    assert!(said.contains("made of one"), "{said}");
    assert!(at(&up, "/").body.starts_with("<p>one"));
    let (_, said) = site.up(&["--no-verify"]);
    assert!(!said.contains("made of"), "nothing has changed: {said}");
    site.project.write("page.txt", "two");
    let (up, said) = site.up(&["--only", "site", "--no-verify"]);
    assert!(said.contains("made of two"), "{said}");
    assert!(at(&up, "/").body.starts_with("<p>two"));

    site.project.write("build.sh", "echo no such plugin >&2\nexit 7\n");
    let failed = site.project.deployer(&site.emulator.endpoint(), &["up"]);
    failed.fails_with(2).says(&[
        "the site doesn't build: `sh build.sh` ended with exit status: 7",
        "no such plugin",
    ]);
    assert!(at(&up, "/").body.starts_with("<p>two"));
    settings("no-such-program-here build");
    let failed = site.project.deployer(&site.emulator.endpoint(), &["up"]);
    failed.fails_with(2).says(&["could not start `no-such-program-here`"]);
}
