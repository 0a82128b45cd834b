//! `seed: once` and `seed: never`: what was deleted stays so.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::support::answers::json_refusal;
use crate::support::{Clients, Emulator, Project, Proxy, Ran, Seen};

const DATA: &str = r#"
Parameters:
  TableName: { Type: String, Default: Users-shop }
  Recovery: { Type: String, Default: "false" }
Resources:
  Users:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties:
      TableName: !Ref TableName
      AttributeDefinitions: [{ AttributeName: userId, AttributeType: S }]
      KeySchema: [{ AttributeName: userId, KeyType: HASH }]
      BillingMode: PAY_PER_REQUEST
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: !Ref Recovery }
"#;

/// A project that is one table, and a proxy that sees what is asked.
struct Scene {
    proxy: Proxy,
    project: Project,
    clients: Clients,
    // Ends with the test.
    _emulator: Emulator,
}

impl Scene {
    fn new(setting: &str) -> Self {
        let emulator = Emulator::shared();
        let seed = "- userId: a\n- userId: b\n- userId: c\n";
        let project = Project::bare("shop", &[("stacks/data.yaml", DATA), ("stacks/seed.yaml", seed)]);
        let scene = Self {
            proxy: Proxy::before(emulator.port()),
            project,
            clients: Clients::root(&emulator.endpoint()),
            _emulator: emulator,
        };
        scene.stage(setting);
        scene
    }

    /// Settings of the stage, in the flow style.
    fn stage(&self, settings: &str) {
        let text = format!("project: shop\nstages:\n  prod: {{ {settings} }}\n");
        self.project.write("stacks/stages.yaml", &text);
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.project.deployer(&self.proxy.endpoint(), args)
    }

    async fn delete(&self, id: &str) {
        let delete = self.clients.dynamodb.delete_item().table_name("Users-shop");
        let delete = delete.key("userId", AttributeValue::S(id.into()));
        delete.send().await.expect("deleted");
    }

    async fn has(&self, id: &str) -> bool {
        self.clients.item("Users-shop", id).await.is_some()
    }

    /// Which operations that could have changed something were asked for since the last look.
    fn writes(&self) -> Vec<String> {
        let writes = self.proxy.take().into_iter().filter(Seen::writes);
        writes.map(|seen| seen.operation).collect()
    }
}

/// A protected stage is so without saying it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_after_the_first_seeding_stays_deleted() {
    let scene = Scene::new("protected: true");
    scene.run(&["up"]).success().says(&["items: 3 added"]);
    scene.delete("b").await;
    scene.writes();
    // It is no failure of the app, either.
    scene
        .run(&["up"])
        .success()
        .says(&["left out: seeded before (`seed: once`)"]);
    assert_eq!(scene.writes(), [""; 0]);
    assert!(!scene.has("b").await);
    let verify = scene.run(&["verify", "--output", "json"]).success().json();
    let text = verify.to_string();
    assert!(
        text.contains("1 of 3 items aren't in Users-shop, userId \\\"b\\\" among them; `up` doesn't put them there"),
        "{text}"
    );

    // Whoever asks for it gets it.
    scene.run(&["seed"]).success().says(&["1 added, 2 already there"]);
    assert!(scene.has("b").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_seeding_that_broke_off_is_completed() {
    let scene = Scene::new("seed: once");
    scene.proxy.rule(|seen| {
        let is_write =
            seen.operation == "TransactWriteItems" || (seen.operation == "PutItem" && seen.body.contains("\"c\""));
        is_write.then(|| json_refusal(400, "AccessDeniedException", "not yet"))
    });
    scene
        .run(&["up"])
        .fails_with(1)
        .says(&["could not put the item `userId \"c\"`"]);
    scene.proxy.forget_rules();
    scene.run(&["up"]).success().says(&["added"]);
    assert!(scene.has("a").await && scene.has("b").await && scene.has("c").await);
    scene.delete("a").await;
    scene.run(&["up"]).success();
    assert!(!scene.has("a").await);
}

/// Should CloudFormation take a tag away that it doesn't know, it is put there again; and another table is seeded anew.
#[tokio::test(flavor = "multi_thread")]
async fn an_update_keeps_the_note_and_a_replacement_has_none() {
    let scene = Scene::new("seed: once");
    scene.run(&["up"]).success();
    scene.delete("a").await;
    scene.writes();
    scene.stage("seed: once, parameters: { Recovery: true }");
    scene.run(&["up"]).success();
    let writes = scene.writes();
    assert!(writes.contains(&"TagResource".to_owned()), "{writes:?}");
    assert!(!writes.contains(&"TransactWriteItems".to_owned()), "{writes:?}");
    assert!(!scene.has("a").await);

    scene.stage("seed: once, parameters: { Recovery: true, TableName: Users-new }");
    scene.run(&["up", "--yes"]).success().says(&["items: 3 added"]);
    assert!(scene.clients.item("Users-new", "a").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn never_leaves_all_to_the_command() {
    let scene = Scene::new("seed: never");
    scene.run(&["up"]).success().says(&["left out (`seed: never`)"]);
    assert!(!scene.has("a").await);
    scene.run(&["seed"]).success().says(&["3 added"]);
    // What that has put counts as seeded.
    scene.delete("a").await;
    scene.stage("seed: once");
    scene.run(&["up"]).success().says(&["left out: seeded before"]);
    scene.stage("seed: always");
    scene.run(&["up"]).success().says(&["1 added, 2 already there"]);
}

/// The items are there; that they may come again isn't worth a failure.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_tag_is_warned() {
    let scene = Scene::new("seed: once");
    scene.proxy.rule(|seen| {
        (seen.operation == "TagResource").then(|| json_refusal(400, "AccessDeniedException", "no dynamodb:TagResource"))
    });
    scene.run(&["up"]).success().says(&[
        "items: 3 added",
        "could not note on the table Users-shop that it was seeded",
        "no dynamodb:TagResource",
    ]);
    scene.proxy.rule(|seen| {
        (seen.operation == "ListTagsOfResource").then(|| json_refusal(400, "AccessDeniedException", "no list"))
    });
    scene
        .run(&["up"])
        .fails_with(1)
        .says(&["could not see whether the table Users-shop was seeded before"]);
}
