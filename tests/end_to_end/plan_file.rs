//! A run that is planned in one place and carried out in another.

use std::fs::File;
use std::io::Read as _;

use crate::support::{Clients, Deployer, Emulator, Project, document, http};

const STAGE: [&str; 2] = ["--stage", "dev"];

fn plan(project: &Project, endpoint: &str, more: &[&str]) -> crate::support::Ran {
    let args: Vec<&str> = ["up", "--plan", "plan.zip"]
        .into_iter()
        .chain(STAGE)
        .chain(more.iter().copied())
        .collect();
    project.deployer(endpoint, &args)
}

fn execute(project: &Project, endpoint: &str, more: &[&str]) -> crate::support::Ran {
    let args: Vec<&str> = ["up", "--execute", "plan.zip", "--yes"]
        .into_iter()
        .chain(STAGE)
        .chain(more.iter().copied())
        .collect();
    project.deployer(endpoint, &args)
}

#[tokio::test]
async fn what_was_planned_is_what_is_done() {
    let emulator = Emulator::shared();
    let (project, endpoint) = (Project::copy(), emulator.endpoint());
    let clients = Clients::root(&endpoint);
    let planned = plan(&project, &endpoint, &[]).success();
    assert!(planned.stdout.contains("would change 4 stacks"), "{}", planned.stdout);
    planned.says(&["plan.zip has it", "deployer up --execute plan.zip --stage dev"]);
    let stacks = clients.cloudformation.describe_stacks().send().await.expect("stacks");
    assert_eq!(stacks.stacks().len(), 0, "nothing was changed");

    // The folder goes on; another one without any of it carries the plan out.
    let elsewhere = Project::bare("other", &[]);
    std::fs::rename(project.path().join("plan.zip"), elsewhere.path().join("plan.zip")).expect("moved");
    project.edit("site/index.html", "<h1>", "<h1>Another ");
    let up = execute(&elsewhere, &endpoint, &["--output", "json"]).success().json();
    assert_eq!((&up["project"], &up["stage"]), (&"three-tier".into(), &"dev".into()));
    assert_eq!(up["verification"]["verified"], true, "{up}");
    assert_eq!(document::names(&up, "tables"), ["UserData-dev"]);
    assert!(clients.item("UserData-dev", "3").await.is_some(), "it is seeded");
    let page = http::get(document::site_url(&up)).expect("an answer").body;
    assert!(!page.contains("Another"), "{page}");

    // It was for a stage that wasn't there.
    execute(&elsewhere, &endpoint, &[]).fails_with(1).says(&[
        "the stage isn't what it was when it was planned for",
        "logic",
        "deployer up --plan FILE --stage dev",
    ]);

    // A plan that somebody overtakes isn't carried out.
    plan(&project, &endpoint, &[]).success();
    project.edit("stacks/stages.yaml", "LogRetentionDays: 3", "LogRetentionDays: 7");
    project
        .deployer(
            &endpoint,
            &["up", "--stage", "dev", "--yes", "--no-verify", "--only", "logic"],
        )
        .success();
    execute(&project, &endpoint, &[])
        .fails_with(1)
        .says(&["logic changed since"]);

    // What it would do now beside what it was to do: a file that somebody has removed meanwhile.
    plan(&project, &endpoint, &[]).success();
    project
        .deployer(
            &endpoint,
            &["up", "--stage", "dev", "--yes", "--no-verify", "--only", "site"],
        )
        .success();
    execute(&project, &endpoint, &[])
        .fails_with(1)
        .says(&["would change something else now than what was planned"]);

    execute(&project, &endpoint, &["--stage", "prod"]).fails_with(2);
    let elsewhere = Deployer::new(project.path(), &["up", "--execute", "plan.zip", "--yes"])
        .at(&endpoint)
        .run();
    elsewhere
        .fails_with(2)
        .says(&["the plan is for the stage dev, not for prod", "--stage dev"]);
}

/// A stack that is told something that nobody is to see.
const SECRETIVE: &str = "\
Parameters: { Token: { Type: String, NoEcho: true }, Plain: { Type: String } }
Resources:
  Kept: { Type: AWS::SSM::Parameter, Properties: { Type: String, Name: !Sub \"/${AWS::StackName}/kept\", Value: !Ref Token } }
";

#[tokio::test]
async fn no_secret_is_in_it() {
    let emulator = Emulator::shared();
    let endpoint = emulator.endpoint();
    let stages = "project: secretive\ndefaults:\n  parameters: { Token: hunter2, Plain: \"${env:PLAIN}\" }\nstages: { dev: {} }\n";
    let project = Project::bare(
        "secretive",
        &[("stacks/app.yaml", SECRETIVE), ("stacks/stages.yaml", stages)],
    );
    let run = |args: &[&str], variables: &[(&str, &str)]| {
        let deployer = Deployer::new(project.path(), args).at(&endpoint);
        variables
            .iter()
            .fold(deployer, |deployer, (name, value)| deployer.env(name, value))
            .run()
    };
    run(&["up", "--stage", "dev", "--plan", "plan.zip"], &[("PLAIN", "seen")]).success();
    let file = File::open(project.path().join("plan.zip")).expect("written");
    let mut archive = zip::ZipArchive::new(file).expect("a zip");
    let mut all = String::new();
    for index in 0..archive.len() {
        archive
            .by_index(index)
            .expect("an entry")
            .read_to_string(&mut all)
            .expect("text");
    }
    assert!(
        all.contains("seen") && all.contains("NoEcho") && !all.contains("hunter2"),
        "{all}"
    );

    let execute = ["up", "--stage", "dev", "--execute", "plan.zip", "--no-verify"];
    run(&execute, &[])
        .fails_with(2)
        .says(&["DEPLOYER_SECRET_Token", "which the stage `dev` wants for `Token`"]);
    run(&execute, &[("DEPLOYER_SECRET_Token", "hunter2")]).success();
    let kept = Clients::root(&endpoint)
        .cloudformation
        .describe_stacks()
        .stack_name("secretive-dev-app")
        .send()
        .await;
    let kept = kept.expect("deployed");
    let plain = kept.stacks()[0]
        .parameters()
        .iter()
        .find(|one| one.parameter_key() == Some("Plain"));
    assert_eq!(plain.and_then(|one| one.parameter_value()), Some("seen"));
}

#[test]
fn what_is_no_plan_is_refused() {
    let project = Project::bare("other", &[]);
    project.write("plan.zip", "not a zip");
    let run = |args: &[&str]| Deployer::new(project.path(), args).at("http://127.0.0.1:9").run();
    run(&["up", "--execute", "plan.zip"])
        .fails_with(2)
        .says(&["plan.zip is no plan", "--plan FILE"]);
    run(&["up", "--execute", "missing.zip"])
        .fails_with(2)
        .says(&["could not read the plan missing.zip"]);
    let mut other = zip::ZipWriter::new(File::create(project.path().join("plan.zip")).expect("writable"));
    let options = zip::write::SimpleFileOptions::default();
    for (name, text) in [("plan.json", "{}"), ("../../escaped", "x")] {
        other.start_file(name, options).expect("a file");
        std::io::Write::write_all(&mut other, text.as_bytes()).expect("written");
    }
    other.finish().expect("written");
    run(&["up", "--execute", "plan.zip"])
        .fails_with(2)
        .says(&["isn't a plan of this version"]);
}
