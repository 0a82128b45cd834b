//! What programs read: events by their published schema, mistakes on the command line among them, and what GitHub Actions shows.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::project::repository;
use crate::support::{Clients, Deployer, Emulator, Project, Ran, tools};

/// Says of each event that isn't as the schema has it what is wrong with it.
const JUDGE: &str = "
import json, sys
from jsonschema import Draft202012Validator
schema, lines = (json.load(open(name)) for name in sys.argv[1:])
Draft202012Validator.check_schema(schema)
judge = Draft202012Validator(schema)
for line in lines:
    for error in judge.iter_errors(line):
        print(json.dumps(line), error.message)
";

fn lines(ran: &Ran) -> Vec<Value> {
    let lines = ran.stderr.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

#[tokio::test]
async fn every_event_is_as_its_schema_says() {
    let emulator = Emulator::shared();
    let endpoint = emulator.endpoint();
    let project = Project::copy();
    let run = |args: &[&str]| {
        let args: Vec<&str> = args
            .iter()
            .copied()
            .chain(["--stage", "dev", "--output", "json"])
            .collect();
        project.deployer(&endpoint, &args)
    };
    let mut all = Vec::new();
    let mut told = |code: i32, ran: Ran| {
        assert_eq!(ran.code, code, "{ran}");
        all.extend(lines(&ran));
    };
    told(0, run(&["up", "-v"]));
    project.edit("stacks/logic.yaml", "MemorySize: 256", "MemorySize: 512");
    project.edit(
        "stacks/stages.yaml",
        "TableName: UserData-${stage}",
        "TableName: People-${stage}",
    );
    told(5, run(&["up"]));
    told(0, run(&["diff"]));
    told(0, run(&["logs"]));
    told(0, run(&["releases"]));
    told(0, run(&["stages"]));
    let lambda = Clients::root(&endpoint).lambda;
    let change = lambda
        .update_function_configuration()
        .function_name("retrieve-user-data-dev")
        .timeout(3);
    change.send().await.expect("changed");
    told(5, run(&["down"]));
    project.edit("stacks/logic.yaml", "MemorySize: 512", "MemorySiz: 512");
    told(2, run(&["up"]));
    // What isn't understood, wherever it stands.
    for wrong in [&["up", "--nope"][..], &["upp"], &["verify", "--timeout", "soon"]] {
        told(2, run(wrong));
    }
    let events: Vec<&str> = all.iter().filter_map(|line| line["event"].as_str()).collect();
    for event in ["target", "plan", "working", "finished", "resource", "losing", "error"] {
        assert!(events.contains(&event), "{event} in {events:?}");
    }
    let placed = all.iter().any(|line| line["places"][0]["file"] == "stacks/logic.yaml");
    assert!(placed, "an error with its place");
    let usage = all.iter().filter(|line| line["code"] == "invalid-usage");
    assert_eq!(usage.count(), 3);

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lines.json");
    fs::write(&file, json!(all).to_string()).expect("written");
    let judge = |lines: &std::path::Path| {
        let mut python = Command::new(tools::openapi().join("python"));
        let schema = repository().join("docs/schemas/event.json");
        let output = python
            .args(["-I", "-c", JUDGE])
            .arg(schema)
            .arg(lines)
            .output()
            .expect("Python starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    assert_eq!(judge(&file), "");
    // It sees what isn't right.
    let wrong = json!([
        { "schema": 1, "event": "warning", "message": "x", "more": 1 },
        { "schema": 1, "event": "other" },
        { "event": "warning", "message": "x" },
    ]);
    fs::write(&file, wrong.to_string()).expect("written");
    assert!(judge(&file).lines().count() >= 3);
}

#[tokio::test]
async fn github_shows_what_is_wrong_where_it_is() {
    let emulator = Emulator::shared();
    let endpoint = emulator.endpoint();
    let project = Project::copy();
    let summary = project.path().join("summary.md");
    let run = |args: &[&str]| {
        let args: Vec<&str> = args
            .iter()
            .copied()
            .chain(["--stage", "dev", "--output", "github"])
            .collect();
        let root = project
            .path()
            .parent()
            .expect("a folder")
            .canonicalize()
            .expect("there");
        let deployer = Deployer::new(&project.path().canonicalize().expect("there"), &args).at(&endpoint);
        deployer
            .env("GITHUB_WORKSPACE", root)
            .env("GITHUB_STEP_SUMMARY", &summary)
            .run()
    };
    project.edit("stacks/logic.yaml", "MemorySize: 256", "MemorySiz: 256");
    let ran = run(&["up"]);
    assert_eq!(ran.code, 2, "{ran}");
    let name = project
        .path()
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name");
    let begins = format!("::error file={name}/stacks/logic.yaml,line=");
    let annotation = ran.stdout.lines().find(|line| line.starts_with(&begins));
    assert!(annotation.is_some_and(|line| line.contains("MemorySize")), "{ran}");
    assert!(fs::read_to_string(&summary).expect("written").contains("MemorySiz"));

    project.edit("stacks/logic.yaml", "MemorySiz: 256", "MemorySize: 256");
    assert_eq!(run(&["up", "--no-verify"]).code, 0);
    let lambda = Clients::root(&endpoint).lambda;
    let environment = aws_sdk_lambda::types::Environment::builder()
        .variables("TABLE_NAME", "elsewhere")
        .build();
    let change = lambda
        .update_function_configuration()
        .function_name("retrieve-user-data-dev");
    change.environment(environment).send().await.expect("changed");
    fs::remove_file(&summary).expect("there");
    let ran = run(&["verify", "--only", "function"]);
    assert_eq!(ran.code, 3, "{ran}");
    assert!(
        ran.stdout.contains("::error title=deployer%3A function-environment "),
        "{ran}"
    );
    let told = fs::read_to_string(&summary).expect("written");
    assert!(
        told.starts_with("### ❌ ") && told.contains("| ❌ | function-environment | "),
        "{told}"
    );
    assert!(told.contains("| ✅ | "), "{told}");
    let ran = run(&["diff"]);
    assert_eq!(ran.code, 0, "{ran}");
    assert!(
        fs::read_to_string(&summary)
            .expect("written")
            .contains("```text\nthree-tier dev in "),
        "{ran}"
    );
}
