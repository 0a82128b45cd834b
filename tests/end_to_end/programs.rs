//! What programs read: events by their published schema, mistakes on the command line among them, and what GitHub Actions shows.

use std::fs;

use serde_json::Value;

use crate::support::{Clients, Deployer, Emulator, Project, Ran, documents};

fn lines(ran: &Ran) -> Vec<Value> {
    let lines = ran.stderr.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

/// Each call of each test is judged; these tell all that there is.
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
    told(0, run(&["invoke", "Function"]));
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
    for event in [
        "target", "plan", "working", "finished", "resource", "losing", "log", "error",
    ] {
        assert!(events.contains(&event), "{event} in {events:?}");
    }
    let placed = all.iter().any(|line| line["places"][0]["file"] == "stacks/logic.yaml");
    assert!(placed, "an error with its place");
    let usage = all.iter().filter(|line| line["code"] == "invalid-usage");
    assert_eq!(usage.count(), 3);
    // Nothing could be added that the schema doesn't tell of, but to what others name.
    let mut open = documents::open_places("event.json", &all);
    open.retain(|place| ![".before", ".after", "record"].iter().any(|own| place.contains(own)));
    assert!(open.is_empty(), "anything may stand in {open:?}");
}

/// Whoever reads a schema knows what each property is, and in which unit.
#[test]
fn every_property_is_described() {
    fn look(schema: &Value, place: &str, found: &mut Vec<String>) {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            let description = property["description"].as_str().unwrap_or_default();
            // What an event is, its own description says.
            let is_kind = name == "event" && property.get("const").is_some();
            let is_sentence = description.ends_with('.') && description.starts_with(char::is_uppercase);
            if !is_kind && !is_sentence {
                found.push(format!("{place}.{name}: {description:?}"));
            }
        }
        let object = schema.as_object().into_iter().flatten();
        for (name, inner) in object
            .filter(|(name, _)| *name != "properties")
            .chain(properties.into_iter().flatten())
        {
            look(inner, &format!("{place}.{name}"), found);
        }
        for inner in schema.as_array().into_iter().flatten() {
            look(inner, place, found);
        }
    }
    let mut found = Vec::new();
    for file in fs::read_dir(documents::folder()).expect("schemas") {
        let file = file.expect("a schema").path();
        if file.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let schema: Value = serde_json::from_slice(&fs::read(&file).expect("readable")).expect("JSON");
        for word in ["title", "description"] {
            assert!(schema[word].is_string(), "{}: no {word}", file.display());
        }
        look(&schema, &file.display().to_string(), &mut found);
    }
    assert!(found.is_empty(), "not described in a sentence:\n{}", found.join("\n"));
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
