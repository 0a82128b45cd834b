//! Where a command works, when nobody says it anew each time: the project from any folder in it, the stage and the local
//! cloud from the environment or from the project's settings.

use std::path::Path;

use crate::support::{Deployer, Emulator, Project, Proxy};

const TOPIC: &str = "Resources: { Topic: { Type: AWS::SNS::Topic } }\n";

#[test]
fn a_project_is_found_from_any_folder_in_it() {
    let project = Project::copy();
    let deep = project.path().join("site/pictures/large");
    std::fs::create_dir_all(&deep).expect("folders");
    let graph = |folder: &Path| Deployer::new(folder, &["graph", "--stage", "dev"]).run().success();
    let above = graph(project.path());
    let within = graph(&deep);
    assert_eq!(within.stdout.replace(" ../../../stacks/", " stacks/"), above.stdout);
    assert_eq!(within.stderr, "", "nothing is said of it");
    // Paths are as one would type them there.
    project.edit("stacks/stages.yaml", "protected: true", "protcted: true");
    let wrong = Deployer::new(&deep, &["graph"]).run();
    wrong
        .fails_with(2)
        .says(&["../../../stacks/stages.yaml:", "Did you mean `protected`?"]);
    let wrong = Deployer::new(&project.path().join("stacks"), &["graph"]).run();
    wrong.fails_with(2).says(&["../stacks/stages.yaml:"]);
    // The nearest is meant.
    let inner = project.path().join("site/inner");
    std::fs::create_dir_all(inner.join("stacks")).expect("folders");
    std::fs::write(
        inner.join("stacks/stages.yaml"),
        "project: inner\nstages: { prod: {} }\n",
    )
    .expect("written");
    std::fs::write(inner.join("stacks/topic.yaml"), TOPIC).expect("written");
    let graph = Deployer::new(&inner, &["graph", "--output", "json"])
        .run()
        .success()
        .json();
    assert_eq!(graph["project"], "inner");
    // Where there is none, all is as it was.
    let nowhere = tempfile::tempdir().expect("a folder");
    let none = Deployer::new(nowhere.path(), &["graph"]).run().fails_with(2);
    none.says(&["there is no folder stacks", "--project-dir", "`deployer init`"]);
}

#[test]
fn the_next_command_is_for_the_folder_one_is_in() {
    let emulator = Emulator::shared();
    let project = Project::copy();
    let only_site = |folder: &Path, more: &[&str]| {
        let args = [&["up", "--only", "site", "--stage", "dev"], more].concat();
        Deployer::new(folder, &args)
            .at(&emulator.endpoint())
            .run()
            .fails_with(1)
    };
    only_site(&project.path().join("site"), &[]).says(&["`deployer up --stage dev` without --only"]);
    only_site(&project.path().join("site"), &["--project-dir", ".."])
        .says(&["`deployer up --stage dev --project-dir ..` without --only"]);
}

#[test]
fn the_stage_comes_from_the_environment() {
    let emulator = Emulator::shared();
    let project = Project::copy();
    let only_site = |stage: &str, args: &[&str]| {
        let args = [&["up", "--only", "site"], args].concat();
        Deployer::new(project.path(), &args)
            .at(&emulator.endpoint())
            .env("DEPLOYER_STAGE", stage)
            .run()
            .fails_with(1)
    };
    // What the environment says needn't be said again; what goes before it does.
    let told = only_site("dev", &[]).says(&["three-tier dev on ", "`deployer up` without --only"]);
    assert!(!told.stderr.contains("--stage"), "{told}");
    only_site("dev", &["--stage", "prod"]).says(&["three-tier prod on ", "`deployer up --stage prod` without --only"]);
    only_site("", &[]).says(&["three-tier prod on ", "`deployer up` without --only"]);
    let wrong = Deployer::new(project.path(), &["graph"])
        .env("DEPLOYER_STAGE", "dve")
        .run();
    wrong.fails_with(2).says(&["no stage `dve`"]);
}

#[test]
fn the_local_cloud_comes_from_the_environment() {
    let emulator = Emulator::start();
    let project = Project::bare("quiet", &[("stacks/topic.yaml", TOPIC)]);
    let run = |local: &str, args: &[&str]| {
        let deployer = Deployer::new(project.path(), args).env("DEPLOYER_LOCAL", local);
        emulator.known_to(deployer).run()
    };
    let up = run("1", &["up", "--no-verify"]).success();
    assert!(up.stderr.contains(&format!("on {}", emulator.endpoint())), "{up}");
    // As AWS's: neither credentials nor a region are there.
    for not in ["", "0", "false", "no", "off"] {
        run(not, &["status"]).fails_with(2);
    }
    let both = run("yes", &["status", "--profile", "work"]).fails_with(2);
    both.says(&[
        "--profile work names an account on AWS, and DEPLOYER_LOCAL asks for the local cloud",
        "`DEPLOYER_LOCAL= deployer …`",
    ]);
    let both = run("", &["status", "--local", "--profile", "work"]).fails_with(2);
    both.says(&[
        "--profile work names an account on AWS, and --local asks",
        "Leave out one of the two.",
    ]);
}

/// Whatever credentials, endpoints and options there are: nothing of such a stage goes anywhere but to this machine's cloud.
#[test]
fn a_local_stage_never_reaches_aws() {
    let emulator = Emulator::start();
    let aws = Proxy::before_nobody();
    let project = Project::bare("quiet", &[("stacks/topic.yaml", TOPIC)]);
    project.write(
        "stacks/stages.yaml",
        "project: quiet\ndefaults: { account: '111111111111', profile: work }\nstages:\n  prod: {}\n  \
         mine: { local: true, region: eu-central-1 }\n",
    );
    let run = |args: &[&str]| {
        let deployer = Deployer::new(project.path(), args)
            .env("AWS_ENDPOINT_URL", aws.endpoint())
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_PROFILE", "work");
        emulator.known_to(deployer).run()
    };
    let place = format!("quiet mine on {}, eu-central-1", emulator.endpoint());
    for args in [
        &["up", "--no-verify"][..],
        &["status"],
        &["up", "--no-verify", "--local"],
        &["verify"],
        &["releases"],
        &["down", "--yes"],
    ] {
        let ran = run(&[args, &["--stage", "mine"]].concat()).success();
        assert!(ran.stderr.contains(&place), "{ran}");
    }
    let next = run(&["up", "--only", "seed,nothing", "--stage", "mine"]).fails_with(2);
    assert!(!next.stderr.contains("--local"), "{next}");
    let refused = run(&["status", "--stage", "mine", "--profile", "work"]).fails_with(2);
    refused.says(&[
        "--profile work names an account on AWS, and the stage mine is always on the local cloud",
        "stacks/stages.yaml:5:",
    ]);
    let asked: Vec<String> = aws.take().into_iter().map(|seen| seen.operation).collect();
    assert!(asked.is_empty(), "{asked:?}");
    for (setting, value) in [("account", "'111111111111'"), ("profile", "work")] {
        project.write(
            "stacks/stages.yaml",
            &format!("project: quiet\nstages:\n  mine: {{ local: true, {setting}: {value} }}\n"),
        );
        run(&["status", "--stage", "mine"]).fails_with(2).says(&[
            "stacks/stages.yaml:3:",
            &format!("`{setting}` is about AWS, and the stage `mine` is `local: true`"),
        ]);
    }
}
