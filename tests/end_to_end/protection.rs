//! What is deployed decides what is protected, whatever a checkout says: lifting it is asked for.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::support::{Clients, Emulator, Project, Proxy};

struct Scene {
    emulator: Emulator,
    proxy: Proxy,
    clients: Clients,
    project: Project,
}

impl Scene {
    /// A protected stage with an item, and another checkout that doesn't say that it is.
    async fn new() -> Self {
        let emulator = Emulator::shared();
        let project = Project::copy();
        project
            .deployer(&emulator.endpoint(), &["up", "--only", "data"])
            .success();
        let scene = Self {
            proxy: Proxy::before(emulator.port()),
            clients: Clients::root(&emulator.endpoint()),
            emulator,
            project,
        };
        let put = scene.clients.dynamodb.put_item().table_name("UserData");
        let put = put.item("userId", AttributeValue::S("precious".into()));
        put.send().await.expect("written");
        scene
            .project
            .edit("stacks/stages.yaml", "    protected: true\n", "    protected: false\n");
        scene
    }

    /// Whether the table refuses to be deleted.
    async fn is_protected(&self) -> bool {
        let table = self
            .clients
            .dynamodb
            .describe_table()
            .table_name("UserData")
            .send()
            .await;
        let table = table.expect("the table").table;
        table.and_then(|table| table.deletion_protection_enabled) == Some(true)
    }

    async fn has_item(&self) -> bool {
        self.clients.item("UserData", "precious").await.is_some()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn down_keeps_what_is_deployed_as_protected() {
    let scene = Scene::new().await;
    let down = scene
        .project
        .deployer(&scene.proxy.endpoint(), &["down", "--yes"])
        .success();
    assert!(down.stdout.contains("it was deployed as protected"), "{}", down.stdout);
    assert!(down.stdout.contains("--delete-data"), "{}", down.stdout);
    scene.proxy.assert_nothing_was_written();
    assert!(scene.is_protected().await && scene.has_item().await);

    let down = scene
        .project
        .deployer(&scene.emulator.endpoint(), &["down", "--yes", "--output", "json"]);
    assert_eq!(down.success().json()["kept"], "three-tier-prod-data");
    // Said, it goes.
    scene
        .project
        .deployer(&scene.emulator.endpoint(), &["down", "--yes", "--delete-data"])
        .success();
    let table = scene
        .clients
        .dynamodb
        .describe_table()
        .table_name("UserData")
        .send()
        .await;
    assert!(table.is_err(), "{table:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn up_lifts_a_protection_only_when_told() {
    let scene = Scene::new().await;
    scene
        .project
        .deployer(&scene.emulator.endpoint(), &["up", "--only", "data"])
        .fails_with(5)
        .says(&[
            "UserData loses its deletion protection",
            "UserData loses its point-in-time recovery",
            "Nothing was changed",
            "--yes",
        ]);
    assert!(scene.is_protected().await);
    let sets = scene
        .clients
        .cloudformation
        .list_change_sets()
        .stack_name("three-tier-prod-data");
    let sets = sets.send().await.expect("change sets");
    let left: Vec<_> = sets
        .summaries()
        .iter()
        .filter(|set| {
            set.execution_status()
                .is_some_and(|status| status.as_str() == "AVAILABLE")
        })
        .collect();
    assert!(left.is_empty(), "{left:?}");
    scene
        .project
        .deployer(&scene.emulator.endpoint(), &["up", "--only", "data", "--yes"])
        .success();
    assert!(!scene.is_protected().await && scene.has_item().await);
}

/// However the template does it: by a value of its own, or by what keeps the table when it leaves.
#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_protects_less_is_asked_for_as_well() {
    let scene = Scene::new().await;
    scene
        .project
        .edit("stacks/stages.yaml", "    protected: false\n", "    protected: true\n");
    for (from, to, loss) in [
        (
            "DeletionProtectionEnabled: !If [IsProtected, true, false]",
            "DeletionProtectionEnabled: false",
            "loses its deletion protection",
        ),
        (
            "PointInTimeRecoveryEnabled: !If [IsProtected, true, false]",
            "PointInTimeRecoveryEnabled: false",
            "loses its point-in-time recovery",
        ),
        (
            // Alone it would be no change to CloudFormation.
            "    DeletionPolicy: RetainExceptOnCreate\n    UpdateReplacePolicy: Retain\n    Properties:\n",
            "    Metadata: { x: y }\n    UpdateReplacePolicy: Retain\n    Properties:\n",
            "loses what keeps it when its stack",
        ),
    ] {
        scene.project.edit("stacks/data.yaml", from, to);
        scene
            .project
            .deployer(&scene.emulator.endpoint(), &["up", "--only", "data"])
            .fails_with(5)
            .says(&[loss]);
        scene.project.edit("stacks/data.yaml", to, from);
    }
    assert!(scene.is_protected().await);
}

/// Deletion protection that somebody switched on by hand is somebody's wish, too.
#[tokio::test(flavor = "multi_thread")]
async fn down_keeps_a_table_that_was_protected_by_hand() {
    let emulator = Emulator::shared();
    let project = Project::copy();
    let clients = Clients::root(&emulator.endpoint());
    project
        .deployer(&emulator.endpoint(), &["up", "--stage", "dev", "--only", "data"])
        .success();
    let update = clients.dynamodb.update_table().table_name("UserData-dev");
    update
        .deletion_protection_enabled(true)
        .send()
        .await
        .expect("switched on");
    let down = project
        .deployer(&emulator.endpoint(), &["down", "--stage", "dev", "--yes"])
        .success();
    assert!(down.stdout.contains("it has deletion protection"), "{}", down.stdout);
    clients
        .dynamodb
        .describe_table()
        .table_name("UserData-dev")
        .send()
        .await
        .expect("it is still there");
}

/// Wherever the table is: what keeps data isn't a matter of the template's file.
#[tokio::test(flavor = "multi_thread")]
async fn down_keeps_a_protected_table_of_any_stack() {
    let emulator = Emulator::shared();
    let project = Project::copy();
    let clients = Clients::root(&emulator.endpoint());
    let table = "Resources:
  Precious:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: precious
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      BillingMode: PAY_PER_REQUEST
      DeletionProtectionEnabled: true
";
    project.edit("stacks/presentation.yaml", "Resources:\n", table);
    // With two tables, a seed file has to say whose its items are.
    std::fs::remove_file(project.path().join("stacks/seed.yaml")).expect("removed");
    project
        .deployer(
            &emulator.endpoint(),
            &["up", "--stage", "dev", "--only", "presentation"],
        )
        .success();
    let down = project
        .deployer(&emulator.endpoint(), &["down", "--stage", "dev", "--yes"])
        .success();
    assert!(
        down.stdout.contains("in the stack three-tier-dev-presentation"),
        "{}",
        down.stdout
    );
    let there = async || {
        clients
            .dynamodb
            .describe_table()
            .table_name("precious")
            .send()
            .await
            .is_ok()
    };
    assert!(there().await);
    project
        .deployer(&emulator.endpoint(), &["down", "--stage", "dev"])
        .success();
    project
        .deployer(&emulator.endpoint(), &["down", "--stage", "dev", "--delete-data"])
        .fails_with(5)
        .says(&["the table precious with all its items"]);
    assert!(there().await);
    project
        .deployer(
            &emulator.endpoint(),
            &["down", "--stage", "dev", "--delete-data", "--yes"],
        )
        .success();
    assert!(!there().await);
}
