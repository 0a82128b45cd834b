//! The folder's rules, each by a folder that has its case.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::*;

/// A folder with an `index.html` and these files; the content doesn't matter here.
fn site(files: &[&str]) -> TempDir {
    let dir = TempDir::new().expect("a folder");
    for file in files.iter().chain(&["index.html"]) {
        write(dir.path(), file, "");
    }
    dir
}

fn write(dir: &Path, file: &str, text: &str) {
    let file = dir.join(file);
    fs::create_dir_all(file.parent().expect("in a folder")).expect("a folder");
    fs::write(file, text).expect("written");
}

fn listed(dir: &Path) -> Result<Listing> {
    let mut listing = list(dir)?;
    std::mem::take(&mut listing.problems).check(dir)?;
    Ok(listing)
}

fn keys(dir: &Path) -> Vec<String> {
    listed(dir).expect("a site").keys
}

fn refused(dir: &Path) -> Error {
    listed(dir).expect_err("no site")
}

#[test]
fn hidden_files_are_left_out_and_anything_else_is_in() {
    let dir = site(&[
        ".hidden",
        ".git/config",
        "a b/ü.css",
        "a b/.DS_Store",
        "日本語/写真.png",
        "empty",
        "~x/(1),[2]&=@!$';.png",
        "sub/config.json",
        "config.json/is-a-folder-here.txt",
    ]);
    fs::create_dir(dir.path().join("nothing in it")).expect("a folder");
    let expected = [
        "a b/ü.css",
        "config.json/is-a-folder-here.txt",
        "empty",
        "index.html",
        "sub/config.json",
        "~x/(1),[2]&=@!$';.png",
        "日本語/写真.png",
    ];
    assert_eq!(keys(dir.path()), expected);
}

#[test]
fn the_ignore_file_leaves_out_and_takes_in_and_gits_own_count_for_nothing() {
    let dir = site(&[
        "a.css",
        "a.map",
        "drafts/b.html",
        "drafts/deep/c.html",
        "docs/readme.md",
        "docs/keep.md",
        "docs/drafts/d.html",
        ".well-known/security.txt",
        ".well-known/.secret",
        ".env",
        "dist/app.js",
    ]);
    write(
        dir.path(),
        ".deployerignore",
        "# a comment\n*.map\n/drafts/\n*.md\n!keep.md\n!/.well-known/\n!.deployerignore\n",
    );
    write(dir.path(), ".gitignore", "dist/\na.css\n");
    write(dir.path(), ".ignore", "a.css\n");
    write(dir.path(), "docs/.deployerignore", "keep.md\n");
    let expected = [
        ".well-known/security.txt",
        "a.css",
        "dist/app.js",
        "docs/drafts/d.html",
        "docs/keep.md",
        "index.html",
    ];
    assert_eq!(keys(dir.path()), expected);
}

#[test]
fn an_ignore_file_that_is_wrong_is_told_with_its_line() {
    let dir = site(&[]);
    write(dir.path(), ".deployerignore", "*.map\na[z-a]\n");
    let error = refused(dir.path());
    assert!(error.to_string().contains(".deployerignore: line 2"), "{error}");
    assert_eq!(error.kind(), ErrorKind::InvalidProject);

    write(dir.path(), ".deployerignore", "*.html\n");
    let error = refused(dir.path());
    assert!(error.to_string().starts_with("there is no "), "{error}");
    assert!(error.to_string().ends_with(".deployerignore leaves it out"), "{error}");
}

#[test]
fn links_are_followed_within_the_folder() {
    let dir = site(&["assets/logo.svg", "assets/fonts/a.woff2", "assets/deep/shared.css"]);
    symlink("assets/logo.svg", dir.path().join("favicon.svg")).expect("a link");
    symlink("assets", dir.path().join("static")).expect("a link");
    symlink("deep/shared.css", dir.path().join("assets/shared.css")).expect("a link");
    symlink(dir.path().join("index.html"), dir.path().join("start.html")).expect("a link");
    let expected = [
        "assets/deep/shared.css",
        "assets/fonts/a.woff2",
        "assets/logo.svg",
        "assets/shared.css",
        "favicon.svg",
        "index.html",
        "start.html",
        "static/deep/shared.css",
        "static/fonts/a.woff2",
        "static/logo.svg",
        "static/shared.css",
    ];
    assert_eq!(keys(dir.path()), expected);
}

#[test]
fn a_link_is_as_hidden_as_what_it_leads_to() {
    let dir = site(&[".env", ".git/config", ".well-known/a.txt", "sub/.secret"]);
    for (target, link) in [
        (".env", "env.txt"),
        (".git", "repo"),
        (".git/config", "sub/config"),
        ("sub/.secret", "meant.txt"),
        ("env.txt", "by-another"),
        (".well-known/a.txt", "a.txt"),
    ] {
        let target = dir.path().join(target);
        symlink(target, dir.path().join(link)).expect("a link");
    }
    write(dir.path(), ".deployerignore", "!/.well-known/\n!meant.txt\n");
    let listing = listed(dir.path()).expect("a site");
    assert_eq!(listing.keys, [".well-known/a.txt", "a.txt", "index.html", "meant.txt"]);
    let [warning] = &*listing.warnings else {
        panic!("{:?}", listing.warnings)
    };
    assert!(
        warning.ends_with(": by-another, env.txt, repo, sub/config"),
        "{warning}"
    );
}

#[test]
fn what_is_hardly_meant_for_visitors_is_told_once_and_can_be_meant() {
    let dir = site(&[
        "node_modules/a/b.js",
        "node_modules/a/c.pem",
        "prod.env",
        "certs/ca.pem",
        "certs/tls.key",
    ]);
    let told = || listed(dir.path()).expect("a site").warnings;
    let warnings = told();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let words =
        ": certs/ca.pem, certs/tls.key, node_modules/, node_modules/a/c.pem, prod.env; leave it out by a line in";
    assert!(warnings[0].contains(words), "{warnings:?}");
    write(dir.path(), ".deployerignore", "node_modules\n!ca.pem\n*.env\n*.key\n");
    assert_eq!(told(), Vec::<String>::new());
    assert_eq!(keys(dir.path()), ["certs/ca.pem", "index.html"]);
}

#[test]
fn a_site_that_is_itself_a_link_is_a_site() {
    let dir = site(&["a.css"]);
    symlink("a.css", dir.path().join("b.css")).expect("a link");
    let around = TempDir::new().expect("a folder");
    symlink(dir.path(), around.path().join("site")).expect("a link");
    assert_eq!(keys(&around.path().join("site")), ["a.css", "b.css", "index.html"]);
}

#[test]
fn a_link_that_leads_out_or_nowhere_or_in_circles_is_refused_by_name_and_target() {
    let outside = TempDir::new().expect("a folder");
    write(outside.path(), "secret", "");
    let outside = outside.path().to_str().expect("UTF-8").to_owned();
    for (link, target, why) in [
        ("a.css", format!("{outside}/secret"), "outside of the site"),
        ("folder", outside.clone(), "outside of the site"),
        ("up", "..".to_owned(), "outside of the site"),
        (
            "broken.css",
            "missing.css".to_owned(),
            "can't be followed: No such file",
        ),
        ("itself", "itself".to_owned(), "can't be followed: Too many levels"),
        ("sub/around", "..".to_owned(), "never end"),
        ("sub/self", ".".to_owned(), "never end"),
    ] {
        let dir = site(&["sub/x.css"]);
        symlink(&target, dir.path().join(link)).expect("a link");
        let error = refused(dir.path());
        let text = error.to_string();
        let begins = format!("{} is a link to {target}, ", dir.path().join(link).display());
        assert!(text.starts_with(&begins) && text.contains(why), "{text}");
        assert!(error.next_step().is_some_and(|next| next.contains(".deployerignore")));

        write(dir.path(), ".deployerignore", link);
        assert_eq!(keys(dir.path()), ["index.html", "sub/x.css"], "{link} left out");
    }
    // Two folders that lead to one another.
    let dir = site(&["a/x.css", "b/y.css"]);
    symlink("../b", dir.path().join("a/to-b")).expect("a link");
    symlink("../a", dir.path().join("b/to-a")).expect("a link");
    let error = refused(dir.path());
    assert!(error.causes().all(|cause| cause.contains("never end")), "{error}");
    // The index itself.
    let dir = TempDir::new().expect("a folder");
    symlink("missing.html", dir.path().join("index.html")).expect("a link");
    assert!(refused(dir.path()).to_string().contains("can't be followed"));
    // An editor's lock: a hidden link to nowhere.
    let dir = site(&[]);
    symlink("me@host.1:2", dir.path().join(".#index.html")).expect("a link");
    assert_eq!(keys(dir.path()), ["index.html"]);
}

#[test]
fn names_that_cannot_be_published_are_all_told() {
    let dir = site(&["a\\b.css", "escape\u{1b}[31m.css"]);
    fs::write(dir.path().join(OsStr::from_bytes(b"caf\xe9.css")), "").expect("written");
    let error = refused(dir.path());
    let text = error.to_string();
    assert!(text.starts_with("3 files of "), "{text}");
    for part in [
        "a\\b.css has a backslash",
        "escape\\u{1b}[31m.css\" has a control character",
        "caf\\xE9.css\" isn't UTF-8",
    ] {
        assert!(text.contains(part), "`{part}` isn't in {text}");
    }
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn a_path_that_is_too_long_is_refused() {
    let folder = [
        "x".repeat(200),
        "y".repeat(200),
        "z".repeat(200),
        "ä".repeat(100),
        "b".repeat(200),
    ]
    .join("/");
    let dir = site(&[&format!("{folder}/a.css")]);
    assert_eq!(keys(dir.path()).len(), 2);
    let dir = site(&[&format!("{folder}/{}.css", "a".repeat(20))]);
    let error = refused(dir.path());
    assert!(error.to_string().contains("1029 bytes; S3 takes 1024"), "{error}");
}

#[test]
fn what_is_no_file_is_skipped_with_a_word() {
    let dir = site(&["a+b.css"]);
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("dev.sock")).expect("a socket");
    let listing = listed(dir.path()).expect("a site");
    assert_eq!(listing.keys, ["a+b.css", "index.html"]);
    assert_eq!(listing.warnings.len(), 2, "{:?}", listing.warnings);
    assert!(listing.warnings[0].contains("%2B"));
    assert!(listing.warnings[1].starts_with("not published, being no files: "));
    assert!(listing.warnings[1].ends_with("dev.sock (a socket)"));
}

#[test]
fn a_folder_without_a_site_is_told_so() {
    let dir = TempDir::new().expect("a folder");
    for folder in [dir.path().to_owned(), dir.path().join("missing")] {
        let error = refused(&folder);
        assert!(
            error.to_string().starts_with("there is no ") && error.to_string().ends_with("index.html"),
            "{error}"
        );
    }
    fs::create_dir(dir.path().join("index.html")).expect("a folder");
    assert!(refused(dir.path()).to_string().starts_with("there is no "));
}

#[test]
fn an_ignore_file_is_read_or_refused_whatever_is_in_it() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), "index.html", "x");
    let corpus = test_support::fuzz::files(Path::new("tests/corpus/ignore"));
    // Each rule is a regular expression and what it is compiled to, some kilobytes.
    test_support::fuzz::run("ignore", 1000, corpus, move |bytes| {
        fs::write(dir.path().join(IGNORE_FILE), bytes).expect("written");
        match list(dir.path()) {
            Ok(listing) => assert_eq!(listing.keys, ["index.html"]),
            Err(error) => assert!(!error.to_string().is_empty(), "an error without a word"),
        }
    });
}
