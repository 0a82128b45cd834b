//! `seed`: adds what is missing, and never overwrites unless told to.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::support::{Clients, Emulator, Project, Proxy};

async fn name_of(clients: &Clients, id: &str) -> Option<AttributeValue> {
    clients
        .item("UserData-dev", id)
        .await
        .and_then(|item| item.get("name").cloned())
}

#[tokio::test]
async fn adds_what_is_missing_and_overwrites_only_when_told() {
    let emulator = Emulator::shared();
    let project = Project::copy();
    let endpoint = emulator.endpoint();
    let clients = Clients::root(&endpoint);
    let text = |text: &str| Some(AttributeValue::S(text.into()));

    project
        .deployer(&endpoint, &["seed", "--stage", "dev"])
        .fails_with(1)
        .says(&[
            "has no such table yet: there is no stack three-tier-dev-data",
            "deployer up --stage dev",
        ]);
    project
        .deployer(&endpoint, &["up", "--stage", "dev", "--only", "data"])
        .success();
    assert_eq!(name_of(&clients, "1").await, None, "only the data tier was asked for");

    let seeded = project
        .deployer(&endpoint, &["seed", "--stage", "dev", "--output", "json"])
        .success()
        .json();
    let items = serde_json::json!({ "added": 3, "overwritten": 0, "kept": 0 });
    assert_eq!(
        seeded,
        serde_json::json!({ "tables": [{ "stack": "data", "id": "Table", "name": "UserData-dev", "items": items }] })
    );
    clients
        .dynamodb
        .put_item()
        .table_name("UserData-dev")
        .item("userId", AttributeValue::S("1".into()))
        .item("name", AttributeValue::S("Changed by its owner".into()))
        .send()
        .await
        .expect("written");
    clients
        .dynamodb
        .delete_item()
        .table_name("UserData-dev")
        .key("userId", AttributeValue::S("2".into()))
        .send()
        .await
        .expect("deleted");

    let again = project.deployer(&endpoint, &["seed", "--stage", "dev"]).success();
    assert!(again.stderr.contains("1 added, 2 already there"), "{}", again.stderr);
    assert_eq!(name_of(&clients, "1").await, text("Changed by its owner"));
    assert_eq!(name_of(&clients, "2").await, text("Grace Hopper"));

    project
        .deployer(&endpoint, &["seed", "--stage", "dev", "--overwrite"])
        .success();
    assert_eq!(name_of(&clients, "1").await, text("Test User"));
}

#[tokio::test]
async fn many_items_come_from_a_file_with_every_digit() {
    let emulator = Emulator::shared();
    let project = Project::copy();
    let endpoint = emulator.endpoint();
    project
        .deployer(&endpoint, &["up", "--stage", "dev", "--only", "data"])
        .success();
    let lines: Vec<String> = (0..230)
        .map(|n| format!(r#"{{"userId":"u{n}","name":"n{n}","exact":0.1234567890123456789012345678901234567}}"#))
        .collect();
    project.write("many.jsonl", &lines.join("\n"));
    let seeded = project
        .deployer(&endpoint, &["seed", "--stage", "dev", "--file", "many.jsonl"])
        .success();
    assert!(seeded.stderr.contains("230 added"), "{}", seeded.stderr);
    let clients = Clients::root(&endpoint);
    let found = clients
        .dynamodb
        .scan()
        .table_name("UserData-dev")
        .send()
        .await
        .expect("a scan");
    assert_eq!(found.count(), 230);
    assert_eq!(
        found.items()[0]["exact"],
        AttributeValue::N("0.1234567890123456789012345678901234567".into())
    );
}

/// A busy table answers part of a read and leaves the rest to be asked for again.
#[test]
fn what_a_busy_table_leaves_out_is_asked_for_again() {
    let emulator = Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    project
        .deployer(&emulator.endpoint(), &["up", "--stage", "dev", "--only", "data"])
        .success();
    project
        .deployer(&emulator.endpoint(), &["seed", "--stage", "dev"])
        .success();
    let mut first = true;
    proxy.rule(move |seen| {
        (seen.operation == "BatchGetItem" && std::mem::take(&mut first)).then(|| {
            let request: serde_json::Value = serde_json::from_str(&seen.body).expect("JSON");
            let answer = serde_json::json!({ "Responses": {}, "UnprocessedKeys": request["RequestItems"] });
            (200, answer.to_string())
        })
    });
    let again = project
        .deployer(&proxy.endpoint(), &["seed", "--stage", "dev"])
        .success();
    assert!(again.stderr.contains("3 already there"), "{}", again.stderr);
    let seen = proxy.take();
    assert_eq!(seen.iter().filter(|seen| seen.operation == "BatchGetItem").count(), 2);
    assert!(
        seen.iter().all(|seen| seen.operation != "PutItem"),
        "what was left out isn't taken for missing"
    );
}
