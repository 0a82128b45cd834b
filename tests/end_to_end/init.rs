//! `init`: a project from nothing, which works.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::project::repository;
use crate::support::{Deployer, Emulator, Ran, document, http, tools};

/// Set by who wants the lock files of new projects written anew.
const RENEW: &str = "DEPLOYER_RENEW_LOCKS";

fn init(folder: &Path, args: &[&str]) -> Ran {
    Deployer::new(folder, &[&["init"], args].concat()).run()
}

/// What is in a folder, but for what tests keep there.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| name != ".state").collect()
}

/// From an empty folder to an app that answers, as a new user does it: one real build.
#[test]
fn a_new_project_runs_on_this_machine() {
    let emulator = Emulator::start();
    let home = tempfile::tempdir().expect("a folder");
    let begun = init(home.path(), &["My_First.App"]).success();
    assert!(begun.stderr.contains("the project is called `my-first-app`"), "{begun}");
    for step in ["cd My_First.App\n", "deployer up --local "] {
        assert!(begun.stdout.contains(step), "{begun}");
    }
    let project = home.path().join("My_First.App");
    let up = emulator.known_to(Deployer::new(&project, &["up", "--local", "--output", "json"]));
    let up = up.run().success().json();
    assert_eq!(up["project"], "my-first-app");
    let api = format!("{}?userId=1", document::api_url(&up));
    assert_eq!(http::get(&api).expect("the API answers").json()["name"], "Test User");
    assert_eq!(
        http::get(document::site_url(&up)).expect("the site answers").status,
        200
    );
    assert!(up["verification"]["verified"].as_bool().unwrap_or_default(), "{up:#}");
    // From anywhere in it.
    let status = emulator.known_to(Deployer::new(&project.join("function/src"), &["status", "--local"]));
    let status = status.run().success();
    assert!(status.stdout.contains("my-first-app prod in "), "{status}");
    // A second project beside it takes none of its names.
    let other = init(home.path(), &["other", "--example", "users"]).success();
    assert!(other.stderr.is_empty(), "{other}");
    let beside = ["up", "--local", "--only", "data", "--no-verify"];
    let beside = emulator
        .known_to(Deployer::new(&home.path().join("other"), &beside))
        .run();
    beside.success();
}

/// Of each example: the wiring is whole, cargo takes the workspace as it is, and AWS's linter has nothing to say.
#[test]
fn every_example_is_whole() {
    for (example, has_functions) in [("users", true), ("orders", true), ("site", false)] {
        let home = tempfile::tempdir().expect("a folder");
        let json = ["shop", "--example", example, "--output", "json"];
        let begun = init(home.path(), &json).success().json();
        let project = home.path().join("shop");
        let files: Vec<&str> = begun["files"]
            .as_array()
            .expect("files")
            .iter()
            .filter_map(|file| file.as_str())
            .collect();
        for file in ["stacks/stages.yaml", "README.md", ".gitignore", "site/index.html"] {
            assert!(
                files.contains(&file) && project.join(file).is_file(),
                "{example}: {file}"
            );
        }
        assert_eq!(files.contains(&"Cargo.toml"), has_functions, "{example}");
        assert_eq!(begun["project"], "shop");
        for stage in ["prod", "dev"].iter().take(if example == "site" { 1 } else { 2 }) {
            let graph = Deployer::new(&project, &["graph", "--stage", stage, "--output", "json"]).run();
            let graph = graph.success().json();
            let functions = graph["stacks"].as_array().expect("stacks").iter();
            let functions: usize = functions
                .map(|stack| stack["functions"].as_array().map_or(0, Vec::len))
                .sum();
            assert_eq!(functions > 0, has_functions, "{example}: {graph:#}");
        }
        let settings = ["stages.yaml", "seed.yaml", "verify.yaml"].map(|name| format!("stacks/{name}"));
        let templates = files
            .iter()
            .filter(|file| file.starts_with("stacks/") && !settings.iter().any(|one| one == *file));
        let lint = Command::new(tools::cfn_lint())
            .args(templates)
            .current_dir(&project)
            .output()
            .expect("cfn-lint starts");
        assert!(
            lint.status.success() && lint.stdout.is_empty(),
            "{example}: {}",
            String::from_utf8_lossy(&lint.stdout)
        );
        if has_functions {
            locked(example, &project);
        }
    }
}

/// The project's lock file is what cargo would write, with the versions that are locked in this repository.
fn locked(example: &str, project: &Path) {
    let cargo = |args: &[&str]| {
        let mut cargo = Command::new(tools::real_cargo());
        let ran = cargo
            .args(args)
            .arg("--offline")
            .current_dir(project)
            .output()
            .expect("cargo starts");
        (ran.status.success(), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let (ours, lock) = (repository().join("Cargo.lock"), project.join("Cargo.lock"));
    if std::env::var_os(RENEW).is_some() {
        std::fs::copy(&ours, &lock).expect("copied");
        let (done, said) = cargo(&["update", "--workspace"]);
        assert!(done, "{said}");
        std::fs::copy(&lock, repository().join(format!("init/{example}/Cargo.lock"))).expect("written");
    }
    let renew =
        format!("`{RENEW}=1 cargo test --workspace --test end_to_end init` writes init/{example}/Cargo.lock anew");
    let (done, said) = cargo(&["update", "--workspace", "--locked"]);
    assert!(done, "{renew}: {said}");
    let packages = |file: &Path| -> BTreeSet<String> {
        let text = std::fs::read_to_string(file).expect("a lock file");
        let packages = text
            .split("[[package]]")
            .skip(1)
            .filter(|package| package.contains("checksum = "));
        let facts = packages.map(|package| {
            let facts = package
                .lines()
                .filter(|line| ["name", "version", "checksum"].iter().any(|key| line.starts_with(key)));
            facts.collect::<Vec<_>>().join(" ")
        });
        facts.collect()
    };
    let (here, there) = (packages(&ours), packages(&lock));
    let others: Vec<&String> = there.difference(&here).collect();
    assert!(there.len() > 50 && others.is_empty(), "{renew}: {others:?}");
}

#[test]
fn what_is_there_is_never_touched() {
    let home = tempfile::tempdir().expect("a folder");
    let at = |path: &str| home.path().join(path);
    std::fs::create_dir_all(at("full/notes")).expect("a folder");
    std::fs::write(at("full/thesis.txt"), "years").expect("written");
    init(home.path(), &["full"])
        .fails_with(2)
        .says(&["full isn't empty: it has notes, thesis.txt", "deployer init"]);
    assert_eq!(names(&at("full")), ["notes", "thesis.txt"].map(str::to_owned).into());
    std::os::unix::fs::symlink(at("full"), at("link")).expect("a link");
    init(home.path(), &["link"]).fails_with(2).says(&["link is a link"]);
    init(home.path(), &["full/thesis.txt"])
        .fails_with(2)
        .says(&["is a file"]);
    init(home.path(), &["x", "--name", "My Shop"])
        .fails_with(2)
        .says(&["`My Shop`", "`--name my-shop` would do"]);
    init(home.path(), &["12"]).fails_with(2).says(&["`12`", "--name"]);
    assert!(!at("x").exists() && !at("12").exists());
    // A repository without files is an empty folder; without DIR it is the current one.
    std::fs::create_dir_all(at("fresh/.git")).expect("a folder");
    let begun = init(&at("fresh"), &["--example", "site"]).success();
    assert!(
        begun.stdout.starts_with("fresh is in this folder") && !begun.stdout.contains("cd "),
        "{begun}"
    );
    let all = [".git", ".gitignore", "README.md", "site", "stacks"].map(str::to_owned);
    assert_eq!(names(&at("fresh")), all.into());
}
