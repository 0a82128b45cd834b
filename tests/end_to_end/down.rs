//! `down`: back to nothing, and not further than asked.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::support::{Clients, Deployer, Emulator, Project, Proxy, answers, document};

/// Everything that a stage could leave behind, by the services' own lists.
async fn what_is_left(clients: &Clients) -> Vec<String> {
    let mut left = Vec::new();
    let stacks = clients.cloudformation.describe_stacks().send().await.expect("stacks");
    left.extend(
        stacks
            .stacks()
            .iter()
            .filter_map(|s| s.stack_name())
            .map(|n| format!("stack {n}")),
    );
    let buckets = clients.s3.list_buckets().send().await.expect("buckets");
    left.extend(
        buckets
            .buckets()
            .iter()
            .filter_map(|b| b.name())
            .map(|n| format!("bucket {n}")),
    );
    let roles = clients.iam.list_roles().send().await.expect("roles");
    left.extend(roles.roles().iter().map(|r| format!("role {}", r.role_name())));
    let groups = clients.logs.describe_log_groups().send().await.expect("log groups");
    left.extend(
        groups
            .log_groups()
            .iter()
            .filter_map(|g| g.log_group_name())
            .map(|n| format!("log group {n}")),
    );
    let tables = clients.dynamodb.list_tables().send().await.expect("tables");
    left.extend(tables.table_names().iter().map(|n| format!("table {n}")));
    let functions = clients.lambda.list_functions().send().await.expect("functions");
    left.extend(
        functions
            .functions()
            .iter()
            .filter_map(|f| f.function_name())
            .map(|n| format!("function {n}")),
    );
    let apis = clients.apigateway.get_rest_apis().send().await.expect("APIs");
    left.extend(apis.items().iter().filter_map(|a| a.name()).map(|n| format!("API {n}")));
    let sites = clients
        .cloudfront
        .list_distributions()
        .send()
        .await
        .expect("distributions");
    left.extend(
        sites
            .distribution_list()
            .map(|list| list.items())
            .unwrap_or_default()
            .iter()
            .map(|d| format!("distribution {}", d.id())),
    );
    let controls = clients
        .cloudfront
        .list_origin_access_controls()
        .send()
        .await
        .expect("access controls");
    left.extend(
        controls
            .origin_access_control_list()
            .map(|list| list.items())
            .unwrap_or_default()
            .iter()
            .map(|c| format!("access control {}", c.name())),
    );
    left
}

#[tokio::test]
async fn an_unprotected_stage_leaves_nothing() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    let clients = Clients::root(&emulator.endpoint());
    let up = project
        .deployer(&emulator.endpoint(), &["up", "--stage", "dev", "--output", "json"])
        .success()
        .json();
    let bucket = document::output(&up, "SiteBucket");
    // Requests, so that there are logs; versions and delete markers, more than a page of them.
    let url = format!("{}?userId=1", document::api_url(&up));
    assert_eq!(crate::support::http::get(&url).expect("an answer").status, 200);
    for n in 0..1_010 {
        let key = format!("old-{}", n % 20);
        clients
            .s3
            .put_object()
            .bucket(bucket)
            .key(key)
            .body(Vec::new().into())
            .send()
            .await
            .expect("written");
    }
    clients
        .s3
        .delete_object()
        .bucket(bucket)
        .key("old-1")
        .send()
        .await
        .expect("a delete marker");
    clients
        .s3
        .delete_object()
        .bucket(bucket)
        .key("index.html")
        .send()
        .await
        .expect("a delete marker");
    assert!(what_is_left(&clients).await.len() >= 9);

    project
        .deployer(&proxy.endpoint(), &["down", "--stage", "dev"])
        .fails_with(5)
        .says(&[
            "the table UserData-dev with all its items",
            "the site at http://",
            "the function retrieve-user-data-dev",
            "--yes",
        ]);
    proxy.assert_nothing_was_written();

    project
        .deployer(&proxy.endpoint(), &["down", "--stage", "dev", "--yes"])
        .success();
    assert_eq!(what_is_left(&clients).await, Vec::<String>::new());
    // The emulator would have wiped a full bucket; AWS refuses to delete one.
    let seen = proxy.take();
    let emptied = seen
        .iter()
        .position(|s| s.path.contains("site") && s.method == "GET" && s.path.contains("versions"))
        .expect("the versions are listed");
    let deletions = seen
        .iter()
        .filter(|s| s.path.contains("-site-") && s.path.contains("delete"))
        .count();
    assert!(deletions >= 2, "more than a page was deleted, in {deletions} calls");
    let last_listing = seen
        .iter()
        .rposition(|s| s.path.contains("-site-") && s.path.contains("versions"))
        .expect("a listing");
    let stack = seen
        .iter()
        .position(|s| {
            s.operation == "DeleteStack"
                && s.parameter("StackName")
                    .is_some_and(|name| name.contains("presentation"))
        })
        .expect("the stack is deleted");
    assert!(
        emptied < last_listing && last_listing < stack,
        "emptied, looked at again, then deleted"
    );

    let again = project
        .deployer(&emulator.endpoint(), &["down", "--stage", "dev", "--yes"])
        .success();
    assert!(again.stdout.contains("Nothing to remove"), "{}", again.stdout);
}

#[tokio::test]
async fn a_protected_stage_keeps_its_table_until_told() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let endpoint = emulator.endpoint();
    let clients = Clients::root(&endpoint);
    project.deployer(&endpoint, &["up"]).success();
    clients
        .dynamodb
        .put_item()
        .table_name("UserData")
        .item("userId", AttributeValue::S("precious".into()))
        .send()
        .await
        .expect("written");
    let item = async || clients.item("UserData", "precious").await;

    let down = project.deployer(&endpoint, &["down", "--yes"]).success();
    assert!(down.stdout.contains("--delete-data"), "{}", down.stdout);
    assert_eq!(
        what_is_left(&clients).await,
        ["stack three-tier-prod-data", "table UserData"],
        "the table, the stack that owns it, and nothing else"
    );
    assert!(item().await.is_some());

    project.deployer(&endpoint, &["up"]).success();
    assert!(item().await.is_some(), "the next `up` finds it again");

    project
        .deployer(&endpoint, &["down", "--yes", "--delete-data"])
        .success();
    assert_eq!(what_is_left(&clients).await, Vec::<String>::new());
}

/// A deletion that stops after the protection was lifted: the next `up` puts the protection back.
#[tokio::test]
async fn a_deletion_that_stops_halfway_leaves_no_unprotected_table() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    let clients = Clients::root(&emulator.endpoint());
    let protected = async || {
        let answer = clients.dynamodb.describe_table().table_name("UserData").send().await;
        answer
            .expect("the table")
            .table()
            .and_then(|t| t.deletion_protection_enabled())
    };
    project
        .deployer(&emulator.endpoint(), &["up", "--only", "data"])
        .success();
    assert_eq!(protected().await, Some(true));
    proxy.rule(|seen| {
        (seen.operation == "DeleteStack").then(|| {
            answers::refusal(
                403,
                "AccessDenied",
                "not authorized to perform: cloudformation:DeleteStack",
            )
        })
    });
    project
        .deployer(&proxy.endpoint(), &["down", "--yes", "--delete-data"])
        .fails_with(1)
        .says(&["could not delete the stack three-tier-prod-data"]);
    assert_eq!(protected().await, Some(false), "it was about to go");
    project
        .deployer(&emulator.endpoint(), &["up", "--only", "data"])
        .success();
    assert_eq!(protected().await, Some(true));
}

#[tokio::test]
async fn termination_protection_is_respected() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let clients = Clients::root(&emulator.endpoint());
    project
        .deployer(&emulator.endpoint(), &["up", "--only", "data", "--stage", "dev"])
        .success();
    clients
        .cloudformation
        .update_termination_protection()
        .stack_name("three-tier-dev-data")
        .enable_termination_protection(true)
        .send()
        .await
        .expect("switched on");
    project
        .deployer(
            &emulator.endpoint(),
            &["down", "--yes", "--delete-data", "--stage", "dev"],
        )
        .fails_with(1)
        .says(&[
            "three-tier-dev-data has termination protection",
            "--no-enable-termination-protection",
        ]);
    let table = clients
        .dynamodb
        .describe_table()
        .table_name("UserData-dev")
        .send()
        .await;
    table.expect("it is still there");
}

/// A protected stage's data has it, so that nobody deletes the stack beside the deployer; it goes with what it protects.
#[tokio::test]
async fn a_protected_stages_data_has_termination_protection() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let clients = Clients::root(&emulator.endpoint());
    let up = ["up", "--only", "data", "--yes"];
    project.deployer(&emulator.endpoint(), &up).success();
    let is_on = async || {
        let stacks = clients.cloudformation.describe_stacks();
        let stacks = stacks
            .stack_name("three-tier-prod-data")
            .send()
            .await
            .expect("the stack");
        stacks.stacks()[0].enable_termination_protection().unwrap_or_default()
    };
    assert!(is_on().await);
    // Deployed by a version that didn't know it.
    let switch = async |on: bool| {
        let switch = clients.cloudformation.update_termination_protection();
        let switch = switch
            .stack_name("three-tier-prod-data")
            .enable_termination_protection(on);
        switch.send().await.expect("switched");
    };
    switch(false).await;
    project.deployer(&emulator.endpoint(), &up).success();
    assert!(is_on().await);
    // A stage that is to be protected no longer.
    project.edit("stacks/stages.yaml", "protected: true", "protected: false");
    project.deployer(&emulator.endpoint(), &up).success();
    assert!(!is_on().await);
    project.edit("stacks/stages.yaml", "protected: false", "protected: true");
    project.deployer(&emulator.endpoint(), &up).success();
    assert!(is_on().await);

    project.deployer(&emulator.endpoint(), &["down", "--yes"]).success();
    assert!(is_on().await, "the data stays, and so does what protects it");
    project
        .deployer(&emulator.endpoint(), &["down", "--yes", "--delete-data"])
        .success();
    let gone = clients.cloudformation.describe_stacks();
    gone.stack_name("three-tier-prod-data")
        .send()
        .await
        .expect_err("it is gone");
}

const TOPIC: &str = "Resources: { Topic: { Type: AWS::SNS::Topic } }\n";

/// A function that says nothing of its log group, which Lambda then makes itself.
const CHATTY: &str = r#"
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: sts:AssumeRole }]
      ManagedPolicyArns: [!Sub "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]
  Chatty:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: chatty
      Runtime: python3.13
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code: { ZipFile: "def handler(event, context):\n    print(event)\n" }
"#;

/// A stack whose template has left the folder is the stage's still, and a log group that Lambda made is nobody else's.
#[tokio::test]
async fn what_has_no_template_any_more_or_never_had_one_goes_as_well() {
    let emulator = Emulator::start();
    let project = Project::bare(
        "leftovers",
        &[
            ("stacks/kept.yaml", TOPIC),
            ("stacks/chatty.yaml", CHATTY),
            ("stacks/gone.yaml", TOPIC),
        ],
    );
    let run = |args: &[&str]| project.deployer(&emulator.endpoint(), args);
    let clients = Clients::root(&emulator.endpoint());
    run(&["up", "--no-verify"]).success();
    // As Lambda does at the first invocation.
    let lambdas = "/aws/lambda/chatty";
    let made = clients.logs.create_log_group().log_group_name(lambdas).send().await;
    made.expect("a log group");
    let others = clients
        .logs
        .create_log_group()
        .log_group_name("/aws/lambda/chatty-too")
        .send()
        .await;
    others.expect("a log group");
    std::fs::remove_file(project.path().join("stacks/gone.yaml")).expect("removed");

    // `up` leaves it alone; `down` tells of it, and of the log group, before anything goes.
    let up = run(&["up", "--no-verify"]).success();
    assert!(!up.stderr.contains('✓'), "{}", up.stderr);
    run(&["down"]).fails_with(5).says(&[
        "the stack leftovers-prod-gone, whose template is gone from the project",
        "the function chatty with its logs",
        "the log group /aws/lambda/chatty, which Lambda made",
    ]);
    assert_eq!(clients.stacks_in("us-east-1").await.len(), 3);

    run(&["down", "--yes"]).success();
    assert_eq!(
        what_is_left(&clients).await,
        ["log group /aws/lambda/chatty-too"],
        "all of the stage's own is gone, and nothing else"
    );
}

/// A stack in another region than the stage's says in its name whose it is, as a stage of this name may be elsewhere, too.
#[tokio::test]
async fn a_stack_in_another_region_is_found_again_by_its_name() {
    let emulator = Emulator::start();
    let abroad = "Metadata: { Deployer: { Region: us-east-1 } }\nResources: { Topic: { Type: AWS::SNS::Topic } }\n\
                  Outputs: { Abroad: { Value: !Ref Topic } }\n";
    let home = "Parameters: { Abroad: { Type: String } }\nResources: { Topic: { Type: AWS::SNS::Topic } }\n\
                Outputs: { Told: { Value: !Ref Abroad } }\n";
    let project = Project::bare("far", &[("stacks/abroad.yaml", abroad), ("stacks/home.yaml", home)]);
    let clients = Clients::root(&emulator.endpoint());
    let run = |region: &str, args: &[&str]| {
        Deployer::new(project.path(), args)
            .at(&emulator.endpoint())
            .env("AWS_REGION", region)
            .run()
    };
    let at_home = "eu-central-1";
    let up = run(at_home, &["up", "--output", "json"]).success().json();
    assert_eq!(clients.stacks_in("eu-central-1").await, ["far-prod-home"]);
    assert_eq!(clients.stacks_in("us-east-1").await, ["far-prod-abroad-eu-central-1"]);
    assert!(
        document::output(&up, "Told").starts_with("arn:aws:sns:us-east-1:"),
        "{up:#}"
    );

    let again = run(at_home, &["up"]).success();
    assert!(!again.stderr.contains('✓'), "{}", again.stderr);
    let status = run(at_home, &["status", "--output", "json"]).success().json();
    let stacks = status["stacks"].as_array().expect("stacks");
    let mut told: Vec<_> = stacks
        .iter()
        .map(|stack| (stack["name"].as_str(), stack["region"].as_str()))
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            (Some("far-prod-abroad-eu-central-1"), Some("us-east-1")),
            (Some("far-prod-home"), Some("eu-central-1"))
        ]
    );

    // The same stage at home in another region is another one.
    run("eu-west-1", &["up"]).success();
    let mut both = clients.stacks_in("us-east-1").await;
    both.sort();
    assert_eq!(both, ["far-prod-abroad-eu-central-1", "far-prod-abroad-eu-west-1"]);

    // `down` takes its own, even once the template is gone.
    std::fs::remove_file(project.path().join("stacks/abroad.yaml")).expect("removed");
    project.edit(
        "stacks/home.yaml",
        "Abroad: { Type: String }",
        "Abroad: { Type: String, Default: none }",
    );
    run(at_home, &["down", "--yes"]).success();
    assert_eq!(clients.stacks_in("eu-central-1").await, [""; 0]);
    assert_eq!(clients.stacks_in("us-east-1").await, ["far-prod-abroad-eu-west-1"]);
    run("eu-west-1", &["down", "--yes"]).success();
    assert_eq!(clients.stacks_in("us-east-1").await, [""; 0]);
}
