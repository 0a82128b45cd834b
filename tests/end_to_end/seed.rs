//! `seed`: adds what is missing, and never overwrites unless told to.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::answers::json_refusal;
use crate::support::{Clients, Emulator, Project, Proxy, Seen};

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
    let items = json!({ "added": 3, "overwritten": 0, "kept": 0, "different": 0 });
    assert_eq!(
        seeded,
        json!({ "schema": 1, "tables": [{ "stack": "data", "id": "Table", "name": "UserData-dev", "items": items }] })
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
    again.says(&["1 added, 2 already there, of which 1 differs; `deployer seed --overwrite --stage dev` replaces it"]);
    assert_eq!(name_of(&clients, "1").await, text("Changed by its owner"));
    assert_eq!(name_of(&clients, "2").await, text("Grace Hopper"));

    project
        .deployer(&endpoint, &["seed", "--stage", "dev", "--overwrite"])
        .success()
        .says(&["items: 3 overwritten"]);
    assert_eq!(name_of(&clients, "1").await, text("Test User"));
    let up = project.deployer(&endpoint, &["up", "--only", "seed", "--stage", "dev", "--no-verify"]);
    let up = up.success().says(&["items: 3 already there"]);
    assert!(!up.stderr.contains("differ"), "{up}");
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
    let proxy = Proxy::before(emulator.port());
    let seeded = project
        .deployer(&proxy.endpoint(), &["seed", "--stage", "dev", "--file", "many.jsonl"])
        .success();
    assert!(seeded.stderr.contains("230 added"), "{}", seeded.stderr);
    let writes: Vec<String> = proxy
        .take()
        .into_iter()
        .filter(Seen::writes)
        .map(|seen| seen.operation)
        .collect();
    assert_eq!(
        writes, ["TransactWriteItems"; 3],
        "100 items a call, and another file isn't the stage's seed"
    );
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
            let request: Value = serde_json::from_str(&seen.body).expect("JSON");
            let answer = json!({ "Responses": {}, "UnprocessedKeys": request["RequestItems"] });
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
        seen.iter().all(|seen| seen.operation != "TransactWriteItems"),
        "what was left out isn't taken for missing"
    );
}

/// A deployed data tier, with a proxy that answers as AWS does.
struct Scene {
    emulator: Emulator,
    proxy: Proxy,
    project: Project,
}

impl Scene {
    fn new() -> Self {
        let emulator = Emulator::shared();
        let project = Project::copy();
        project
            .deployer(&emulator.endpoint(), &["up", "--stage", "dev", "--only", "data"])
            .success();
        Self {
            proxy: Proxy::before(emulator.port()),
            emulator,
            project,
        }
    }

    fn clients(&self) -> Clients {
        Clients::root(&self.emulator.endpoint())
    }

    fn seed(&self, more: &[&str]) -> crate::support::Ran {
        let args = [&["seed", "--stage", "dev"], more].concat();
        self.project.deployer(&self.proxy.endpoint(), &args)
    }

    /// So many items in a file of their own.
    fn write_items(&self, count: usize) {
        let lines: Vec<String> = (0..count)
            .map(|n| format!(r#"{{"userId":"u{n}","name":"n{n}"}}"#))
            .collect();
        self.project.write("many.jsonl", &lines.join("\n"));
    }

    /// How often an operation was asked for since the last look.
    fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for seen in self.proxy.take() {
            *counts.entry(seen.operation).or_default() += 1;
        }
        counts
    }

    /// Answers the first call of an operation itself.
    fn first(&self, operation: &'static str, answer: impl Fn(&Value) -> (u16, String) + Send + 'static) {
        let mut is_first = true;
        self.proxy.rule(move |seen| {
            let is_it = seen.operation == operation && std::mem::take(&mut is_first);
            is_it.then(|| answer(&serde_json::from_str(&seen.body).expect("JSON")))
        });
    }
}

/// As AWS answers, with a reason for each item.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#API_TransactWriteItems_Errors>
fn canceled(reasons: &[&str]) -> (u16, String) {
    let reasons: Vec<Value> = reasons
        .iter()
        .map(|code| match *code {
            "None" => json!({ "Code": "None" }),
            code => json!({ "Code": code, "Message": format!("because of {code}") }),
        })
        .collect();
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
        "CancellationReasons": reasons,
    });
    (400, body.to_string())
}

/// Between the reading and the writing somebody has put an item, and it stays theirs.
#[tokio::test(flavor = "multi_thread")]
async fn an_item_written_meanwhile_is_not_lost() {
    let scene = Scene::new();
    let clients = scene.clients();
    let written = clients
        .dynamodb
        .put_item()
        .table_name("UserData-dev")
        .item("userId", AttributeValue::S("2".into()))
        .item("name", AttributeValue::S("Written meanwhile".into()));
    written.send().await.expect("written");
    scene.first("BatchGetItem", |_| (200, json!({ "Responses": {} }).to_string()));
    scene.seed(&[]).success().says(&["2 added, 1 already there"]);
    assert_eq!(
        name_of(&clients, "2").await,
        Some(AttributeValue::S("Written meanwhile".into()))
    );
    let counts = scene.counts();
    assert_eq!(
        counts["TransactWriteItems"], 2,
        "the second without that item: {counts:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_busy_with_an_item_is_asked_again() {
    let scene = Scene::new();
    scene.first("TransactWriteItems", |_| {
        canceled(&["TransactionConflict", "None", "None"])
    });
    scene.seed(&[]).success().says(&["items: 3 added"]);
    assert!(name_of(&scene.clients(), "1").await.is_some());

    // A transaction that is more than the table has left may fit as two.
    scene.proxy.forget_rules();
    scene.write_items(8);
    scene.proxy.rule(|seen| {
        let too_many = seen.operation == "TransactWriteItems" && seen.body.matches("\"Put\"").count() > 2;
        too_many.then(|| canceled(&["ThrottlingError", "ProvisionedThroughputExceeded", "None", "None"]))
    });
    scene
        .seed(&["--file", "many.jsonl"])
        .success()
        .says(&["items: 8 added"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_not_taken_is_named() {
    let scene = Scene::new();
    for code in ["ValidationError", "ItemCollectionSizeLimitExceeded"] {
        scene.proxy.forget_rules();
        scene.first("TransactWriteItems", move |_| canceled(&["None", code, "None"]));
        scene.seed(&[]).fails_with(1).says(&[
            "could not put the item `userId \"2\"` into the table UserData-dev",
            &format!("{code}: because of {code}"),
        ]);
    }
    // What a transaction is refused for as a whole names no item; the items one by one do.
    scene.proxy.forget_rules();
    scene.proxy.rule(|seen| {
        let is_bad = seen.body.contains("Grace") && matches!(seen.operation.as_str(), "TransactWriteItems" | "PutItem");
        is_bad.then(|| json_refusal(400, "ValidationException", "no such luck"))
    });
    scene.seed(&[]).fails_with(1).says(&[
        "could not put the item `userId \"2\"` into",
        "ValidationException: no such luck",
    ]);
    // So does a batch.
    scene.proxy.forget_rules();
    scene.proxy.rule(|seen| {
        let is_bad = seen.body.contains("Grace") && matches!(seen.operation.as_str(), "BatchWriteItem" | "PutItem");
        is_bad.then(|| json_refusal(400, "ValidationException", "no such luck"))
    });
    scene
        .seed(&["--overwrite"])
        .fails_with(1)
        .says(&["could not put the item `userId \"2\"` into"]);
}

/// Some emulators know no transactions, and global tables with strong consistency take none.
#[tokio::test(flavor = "multi_thread")]
async fn where_there_are_no_transactions_items_go_one_by_one() {
    let scene = Scene::new();
    scene.write_items(230);
    scene.proxy.rule(|seen| {
        (seen.operation == "TransactWriteItems").then(|| json_refusal(400, "UnknownOperationException", ""))
    });
    let clients = scene.clients();
    let written = clients
        .dynamodb
        .put_item()
        .table_name("UserData-dev")
        .item("userId", AttributeValue::S("u7".into()));
    written.send().await.expect("written");
    scene
        .proxy
        .rule(|seen| (seen.operation == "BatchGetItem").then(|| (200, json!({ "Responses": {} }).to_string())));
    scene
        .seed(&["--file", "many.jsonl"])
        .success()
        .says(&["229 added, 1 already there"]);
    assert_eq!(name_of(&clients, "u7").await, None, "it stays as it was");
    let counts = scene.counts();
    assert_eq!(counts["PutItem"], 230);
    assert!(counts["TransactWriteItems"] <= 3, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_batch_leaves_out_is_sent_again() {
    let scene = Scene::new();
    scene.seed(&[]).success();
    scene.write_items(60);
    scene.first("BatchWriteItem", |request| {
        (200, json!({ "UnprocessedItems": request["RequestItems"] }).to_string())
    });
    scene
        .seed(&["--overwrite", "--file", "many.jsonl"])
        .success()
        .says(&["items: 60 added"]);
    assert_eq!(scene.counts()["BatchWriteItem"], 4, "25 a call, and one again");
    let found = scene.clients().dynamodb.scan().table_name("UserData-dev").send().await;
    assert_eq!(found.expect("a scan").count(), 63);
}

/// What a run that failed has put is there, and the next one adds the rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_adds_just_what_the_first_did_not() {
    let scene = Scene::new();
    scene.write_items(250);
    let mut sent = 0;
    scene.proxy.rule(move |seen| {
        sent += usize::from(seen.operation == "TransactWriteItems");
        let is_over = seen.operation != "BatchGetItem" && sent > 1;
        is_over.then(|| json_refusal(400, "AccessDeniedException", "not any more"))
    });
    scene.seed(&["--file", "many.jsonl"]).fails_with(1);
    scene.proxy.forget_rules();
    let again = scene
        .seed(&["--file", "many.jsonl", "--output", "json"])
        .success()
        .json();
    let items = &again["tables"][0]["items"];
    let (added, kept) = (items["added"].as_u64(), items["kept"].as_u64());
    assert_eq!(added.zip(kept).map(|(added, kept)| added + kept), Some(250));
    assert!(kept == Some(100) || kept == Some(50), "a call's: {items}");
}

fn sdk_json(value: &AttributeValue) -> Value {
    let bytes = |bytes: &Blob| STANDARD.encode(bytes.as_ref());
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(digits) => json!({ "N": digits }),
        AttributeValue::B(value) => json!({ "B": bytes(value) }),
        AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
        AttributeValue::Null(_) => json!({ "NULL": true }),
        AttributeValue::L(items) => json!({ "L": items.iter().map(sdk_json).collect::<Vec<_>>() }),
        AttributeValue::M(named) => {
            json!({ "M": named.iter().map(|(name, value)| (name.clone(), sdk_json(value))).collect::<serde_json::Map<_, _>>() })
        }
        AttributeValue::Ss(texts) => json!({ "SS": texts }),
        AttributeValue::Ns(numbers) => json!({ "NS": numbers }),
        AttributeValue::Bs(values) => json!({ "BS": values.iter().map(bytes).collect::<Vec<_>>() }),
        other => panic!("no type of DynamoDB's: {other:?}"),
    }
}

/// A set's order means nothing.
fn with_sorted_sets(value: AttributeValue) -> AttributeValue {
    match value {
        AttributeValue::Ss(mut texts) => {
            texts.sort();
            AttributeValue::Ss(texts)
        }
        AttributeValue::Ns(mut numbers) => {
            numbers.sort();
            AttributeValue::Ns(numbers)
        }
        AttributeValue::Bs(mut values) => {
            values.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
            AttributeValue::Bs(values)
        }
        AttributeValue::L(items) => AttributeValue::L(items.into_iter().map(with_sorted_sets).collect()),
        AttributeValue::M(named) => AttributeValue::M(
            named
                .into_iter()
                .map(|(name, value)| (name, with_sorted_sets(value)))
                .collect(),
        ),
        other => other,
    }
}

/// Numbers as DynamoDB gives them back.
fn any_number() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("0".to_owned()),
        "-?[1-9]([0-9]{0,36}[1-9])?",
        "-?[1-9][0-9]{0,17}\\.[0-9]{0,18}[1-9]",
        "-?0\\.0{0,90}[1-9]([0-9]{0,36}[1-9])?",
        "-?[1-9][0-9]{0,36}[1-9]0{0,80}",
    ]
}

fn any_value() -> impl Strategy<Value = AttributeValue> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..9);
    let leaf = prop_oneof![
        any::<String>().prop_map(AttributeValue::S),
        any_number().prop_map(AttributeValue::N),
        bytes().prop_map(|bytes| AttributeValue::B(Blob::new(bytes))),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(AttributeValue::Null(true)),
        prop::collection::btree_set(any::<String>(), 1..4)
            .prop_map(|texts| AttributeValue::Ss(texts.into_iter().collect())),
        prop::collection::btree_set(any_number(), 1..4)
            .prop_map(|numbers| AttributeValue::Ns(numbers.into_iter().collect())),
        prop::collection::btree_set(bytes(), 1..4)
            .prop_map(|values| AttributeValue::Bs(values.into_iter().map(Blob::new).collect())),
    ];
    leaf.prop_recursive(6, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(AttributeValue::L),
            prop::collection::hash_map(any::<String>(), inner, 0..4).prop_map(AttributeValue::M),
        ]
    })
}

/// The value in plain JSON, of those that it can say.
fn plain_json(value: &AttributeValue) -> Option<String> {
    let text = |text: &String| Value::String(text.clone()).to_string();
    Some(match value {
        AttributeValue::S(value) => text(value),
        AttributeValue::N(digits) => digits.clone(),
        AttributeValue::Bool(flag) => flag.to_string(),
        AttributeValue::Null(_) => "null".to_owned(),
        AttributeValue::L(items) => format!(
            "[{}]",
            items.iter().map(plain_json).collect::<Option<Vec<_>>>()?.join(",")
        ),
        AttributeValue::M(named) => {
            let entries = named
                .iter()
                .map(|(name, value)| Some(format!("{}:{}", text(name), plain_json(value)?)));
            format!("{{{}}}", entries.collect::<Option<Vec<_>>>()?.join(","))
        }
        _ => return None,
    })
}

/// Whatever DynamoDB stores is in the table as it was in the file: every type, every digit, every character.
#[tokio::test(flavor = "multi_thread")]
async fn any_item_is_stored_as_it_is_written() {
    let emulator = Emulator::shared();
    let project = Project::copy();
    let endpoint = emulator.endpoint();
    project
        .deployer(&endpoint, &["up", "--stage", "dev", "--only", "data"])
        .success();
    let mut runner = TestRunner::deterministic();
    let any_item = (
        any::<String>(),
        prop::collection::hash_map("\\PC{1,8}", any_value(), 0..6),
    );
    let mut wanted = BTreeMap::new();
    let mut lines = Vec::new();
    for n in 0..300 {
        let tree = any_item.new_tree(&mut runner).expect("an item");
        let (id, mut item) = tree.current();
        let id = format!("{n}{id}");
        item.insert("userId".to_owned(), AttributeValue::S(id.clone()));
        // Every third in plain values, as far as those can say it.
        if n % 3 == 0 {
            item.retain(|_, value| plain_json(value).is_some());
            lines.push(plain_json(&AttributeValue::M(item.clone())).expect("filtered"));
        } else {
            let attributes: serde_json::Map<_, _> = item
                .iter()
                .map(|(name, value)| (name.clone(), sdk_json(value)))
                .collect();
            lines.push(json!({ "Item": attributes }).to_string());
        }
        wanted.insert(id, item);
    }
    project.write("any.jsonl", &lines.join("\n"));
    project
        .deployer(&endpoint, &["seed", "--stage", "dev", "--file", "any.jsonl"])
        .success()
        .says(&["items: 300 added"]);

    let clients = Clients::root(&endpoint);
    let pages = clients.dynamodb.scan().table_name("UserData-dev").into_paginator();
    let found = pages
        .items()
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await
        .expect("a scan");
    assert_eq!(found.len(), wanted.len());
    for item in found {
        let Some(AttributeValue::S(id)) = item.get("userId") else {
            panic!("an id")
        };
        let sorted = |item: HashMap<String, AttributeValue>| with_sorted_sets(AttributeValue::M(item));
        let wanted = wanted.remove(id).expect("one of those");
        assert_eq!(sorted(item.clone()), sorted(wanted), "{id}");
    }
}
