//! `deployer backup`, and `down --backup`: what tables hold, into a file and back.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use crate::support::answers::json_refusal;
use crate::support::{Clients, Emulator, Project, Proxy};

const TABLE: &str = "UserData-dev";

/// One with values of all types.
const ALL_TYPES: &str = r#"{"Item":{"userId":{"S":"all"},"n":{"N":"0.1234567890123456789012345678901234567"},
"b":{"B":"AAH/"},"yes":{"BOOL":true},"none":{"NULL":true},"l":{"L":[{"S":"é\u0000\n"},{"N":"-1"},{"L":[]}]},
"m":{"M":{"":{"S":""},"in":{"M":{"x":{"B":"AA=="}}}}},"ss":{"SS":["b","a"]},"ns":{"NS":["1","2.5"]},"bs":{"BS":["AA==","AQ=="]}}}"#;

/// A stage with so many items.
fn filled(endpoint: &str, items: usize) -> Project {
    let project = Project::copy();
    let run = |args: &[&str]| project.deployer(endpoint, args).success();
    run(&["up", "--stage", "dev", "--only", "data"]);
    // So long that the file is read bit by bit.
    let padding = "x".repeat(600);
    let plain = (1..items).map(|n| format!(r#"{{"userId":"u{n}","name":"n{n}","padding":"{padding}"}}"#));
    let lines: Vec<String> = plain.chain([ALL_TYPES.replace('\n', "")]).collect();
    project.write("many.jsonl", &lines.join("\n"));
    run(&["seed", "--stage", "dev", "--file", "many.jsonl"]);
    project
}

/// The items that a file has, each of which must be there once.
fn items_of(project: &Project, file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(project.path().join(file)).expect("a file");
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let different: BTreeSet<String> = lines.iter().cloned().collect();
    assert_eq!(different.len(), lines.len(), "each once");
    different
}

async fn scanned(clients: &Clients) -> Vec<std::collections::HashMap<String, AttributeValue>> {
    let mut items = Vec::new();
    let mut pages = clients
        .dynamodb
        .scan()
        .table_name(TABLE)
        .into_paginator()
        .items()
        .send();
    while let Some(item) = pages.next().await {
        items.push(item.expect("an item"));
    }
    items.sort_by_key(|item| format!("{:?}", item["userId"]));
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn items_of_every_type_come_back() {
    let emulator = Emulator::shared();
    let endpoint = emulator.endpoint();
    let clients = Clients::root(&endpoint);
    let project = filled(&endpoint, 2300);
    let before = scanned(&clients).await;
    assert_eq!(before.len(), 2300);
    let run = |args: &[&str]| project.deployer(&endpoint, args).success();

    let document = run(&["backup", "--stage", "dev", "all.jsonl", "--output", "json"]).json();
    let table = json!({ "stack": "data", "id": "Table", "name": TABLE, "items": 2300 });
    assert_eq!(document, json!({ "schema": 1, "file": "all.jsonl", "tables": [table] }));
    let items = items_of(&project, "all.jsonl");
    assert_eq!(items.len(), 2300);
    let line = items
        .iter()
        .find(|line| line.contains("\"all\""))
        .expect("the one of all types");
    let line: Value = serde_json::from_str(line).expect("JSON");
    let sent: Value = serde_json::from_str(ALL_TYPES).expect("JSON");
    for name in ["n", "b", "yes", "none", "l", "m"] {
        assert_eq!(line["Item"][name], sent["Item"][name], "{name}");
    }
    let mode = fs::metadata(project.path().join("all.jsonl"))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(
        mode & 0o777,
        0o600,
        "what people have stored is for nobody else on this machine"
    );

    let down = run(&["down", "--stage", "dev", "--yes", "--backup", "last.jsonl"]);
    assert!(
        down.stderr.contains("items: 2300 of Table in last.jsonl"),
        "{}",
        down.stderr
    );
    assert!(items_of(&project, "last.jsonl") == items, "the same lines");

    run(&["up", "--stage", "dev", "--only", "data"]);
    let seeded = run(&["seed", "--stage", "dev", "--file", "last.jsonl"]);
    assert!(seeded.stderr.contains("2300 added"), "{}", seeded.stderr);
    assert!(scanned(&clients).await == before, "the same items");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_failed_goes_on() {
    let emulator = Emulator::shared();
    let project = filled(&emulator.endpoint(), 5200);
    let proxy = Proxy::before(emulator.port());
    let scans = || {
        let asked = proxy.take();
        asked.iter().filter(|seen| seen.operation == "Scan").count()
    };
    let backup = || project.deployer(&proxy.endpoint(), &["backup", "--stage", "dev", "all.jsonl"]);

    let mut left = 7;
    proxy.rule(move |seen| {
        left -= i32::from(seen.operation == "Scan");
        (seen.operation == "Scan" && left < 0).then(|| json_refusal(400, "AccessDeniedException", "not any more"))
    });
    backup().fails_with(1).says(&[
        "could not read the table UserData-dev",
        "The same command goes on after the ",
    ]);
    scans();
    assert!(!project.path().join("all.jsonl").exists());
    // Whoever ended in the middle of a line left half of it.
    let part = project.path().join("all.jsonl.part");
    let mut text = fs::read_to_string(&part).expect("there");
    assert!(text.lines().count() >= 1000, "{}", text.lines().count());
    text.push_str("{\"Item\":{\"userId");
    fs::write(&part, text).expect("written");

    proxy.forget_rules();
    backup().success().says(&["items: 5200 of Table in all.jsonl"]);
    let again = scans();
    assert_eq!(items_of(&project, "all.jsonl").len(), 5200);
    project
        .deployer(&proxy.endpoint(), &["backup", "--stage", "dev", "other.jsonl"])
        .success();
    let whole = scans();
    assert!(again < whole, "{again} reads instead of {whole}");
    for left in ["all.jsonl.part", "all.jsonl.part.json"] {
        assert!(!project.path().join(left).exists(), "{left}");
    }
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is_asked() {
    let project = Project::copy();
    project.write("there.jsonl", "x");
    // Nothing listens there.
    let endpoint = "http://127.0.0.1:9";
    for (file, words) in [
        ("there.jsonl", "there.jsonl is there already"),
        ("all.json", "a name that ends in .jsonl"),
        ("nowhere/all.jsonl", "there is no folder nowhere"),
    ] {
        project
            .deployer(endpoint, &["backup", file])
            .fails_with(2)
            .says(&[words]);
        project
            .deployer(endpoint, &["down", "--yes", "--backup", file])
            .fails_with(2)
            .says(&[words]);
    }
    project
        .deployer(endpoint, &["backup", "all.jsonl", "--table", "Tabel"])
        .fails_with(2)
        .says(&["there is no table `Tabel`"]);
    assert_eq!(
        fs::read_to_string(project.path().join("there.jsonl")).expect("there"),
        "x"
    );
}
