//! Stacks of a stage's names that are somebody else's: never changed, never removed, and told whose they are.

use aws_sdk_cloudformation::types::{ChangeSetType, Parameter};

use crate::support::{Clients, Emulator, Project, Proxy, Ran, Seen, answers};

/// A template that has nothing to do with the app.
const TOPIC: &str = "Resources: { Topic: { Type: AWS::SNS::Topic } }";

/// Creates a stack as anybody may, without this deployer.
async fn create(clients: &Clients, name: &str, template: &str, parameters: &[(&str, &str)]) {
    let parameters = parameters
        .iter()
        .map(|(key, value)| Parameter::builder().parameter_key(*key).parameter_value(*value).build());
    let create = clients
        .cloudformation
        .create_stack()
        .stack_name(name)
        .template_body(template);
    create
        .set_parameters(Some(parameters.collect()))
        .send()
        .await
        .expect("a stack");
}

/// Template, parameters and status of each stack, by name.
async fn stacks(clients: &Clients) -> Vec<String> {
    let found = clients.cloudformation.describe_stacks().send().await.expect("stacks");
    let mut all = Vec::new();
    for stack in found.stacks() {
        let name = stack.stack_name().unwrap_or_default();
        let template = clients.cloudformation.get_template().stack_name(name).send().await;
        let template = template.ok().and_then(|found| found.template_body).unwrap_or_default();
        all.push(format!(
            "{name} {:?} {:?} {template}",
            stack.stack_status(),
            stack.parameters()
        ));
    }
    all.sort();
    all
}

/// A project of this name with one stage.
fn project(name: &str, stage: &str) -> Project {
    let project = Project::copy();
    project.edit("stacks/stages.yaml", "project: three-tier", &format!("project: {name}"));
    project.edit(
        "stacks/stages.yaml",
        "  dev:\n    parameters:\n      LogRetentionDays: 3\n",
        &format!("  {stage}: {{}}\n"),
    );
    project
}

/// Project `a` with stage `b-c` and project `a-b` with stage `c` have the same names.
#[tokio::test(flavor = "multi_thread")]
async fn two_stages_of_the_same_names_leave_one_another_alone() {
    let emulator = Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    let clients = Clients::root(&emulator.endpoint());
    let (first, second) = (project("a", "b-c"), project("a-b", "c"));
    first
        .deployer(&emulator.endpoint(), &["up", "--stage", "b-c"])
        .success();
    let before = stacks(&clients).await;
    proxy.take();

    let refused = |ran: Ran| {
        ran.fails_with(2).says(&[
            "4 stacks of these names aren't of the stage c of the project a-b",
            "a-b-c-data: it belongs to the stage b-c of the project a",
            "Nothing was changed",
            "stacks/stages.yaml",
        ]);
        proxy.assert_nothing_was_written();
    };
    for args in [
        &["up", "--yes"][..],
        &["up", "--yes", "--only", "data"],
        &["up", "--yes", "--only", "site"],
        &["up", "--yes", "--adopt", "a-b-c-data"],
        &["down", "--yes"],
        &["down", "--yes", "--delete-data"],
        &["seed", "--overwrite"],
        &["verify"],
    ] {
        refused(second.deployer(&proxy.endpoint(), &[args, &["--stage", "c"]].concat()));
    }
    assert_eq!(stacks(&clients).await, before);

    let status = second
        .deployer(&proxy.endpoint(), &["status", "--stage", "c"])
        .success();
    let whose = "a-b-c-logic isn't this stage's: it belongs to the stage b-c of the project a";
    assert!(status.stdout.contains(whose), "{}", status.stdout);
    let status = second
        .deployer(&proxy.endpoint(), &["status", "--stage", "c", "--output", "json"])
        .success()
        .json();
    assert_eq!(
        [&status["deployed"], &status["site"]],
        [&serde_json::Value::from(false), &serde_json::Value::Null]
    );
    for list in ["apis", "functions", "tables"] {
        assert_eq!(status[list], serde_json::json!([]), "{list}");
    }

    // Its owner goes on as before.
    first
        .deployer(&emulator.endpoint(), &["up", "--stage", "b-c"])
        .success();
    first
        .deployer(&emulator.endpoint(), &["down", "--stage", "b-c", "--yes"])
        .success();
    assert_eq!(stacks(&clients).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_deployer_did_not_make_is_never_touched() {
    let emulator = Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    let clients = Clients::root(&emulator.endpoint());
    let project = Project::copy();
    let says_more = "Parameters: { Project: { Type: String }, Stage: { Type: String } }\n";
    for (name, template, parameters) in [
        ("three-tier-prod-data", TOPIC.to_owned(), &[][..]),
        ("three-tier-prod-logic", TOPIC.to_owned(), &[]),
        // Even one that has this project's name, as a stack of some other tool's may.
        (
            "three-tier-prod-artifacts",
            format!("{says_more}{TOPIC}"),
            &[("Project", "three-tier"), ("Stage", "prod")],
        ),
        (
            "three-tier-prod-presentation",
            format!("{}{TOPIC}", says_more.replace(" }\n", ", Digest: { Type: String } }\n")),
            &[("Project", "three-tier"), ("Stage", "prod"), ("Digest", "v1.2.3")],
        ),
        (
            "three-tier-prod-logic",
            format!(
                "{}{TOPIC}",
                says_more
                    .replace("Project:", "DeployerProject:")
                    .replace(" }\n", ", DeployerDigest: { Type: String } }\n")
                    .replace(" Stage:", " DeployerStage:")
            ),
            &[
                ("DeployerProject", "three-tier"),
                ("DeployerStage", "prod"),
                ("DeployerDigest", "v1.2.3"),
            ],
        ),
    ] {
        create(&clients, name, &template, parameters).await;
        let before = stacks(&clients).await;
        for args in [
            &["up", "--yes"][..],
            &["down", "--yes", "--delete-data"],
            &["seed"],
            &["verify"],
        ] {
            project.deployer(&proxy.endpoint(), args).fails_with(2).says(&[
                &format!("the stack {name} isn't one of the stage prod of the project three-tier"),
                "it wasn't deployed by deployer",
                "Nothing was changed",
            ]);
            proxy.assert_nothing_was_written();
        }
        assert_eq!(stacks(&clients).await, before);
        clients
            .cloudformation
            .delete_stack()
            .stack_name(name)
            .send()
            .await
            .expect("deleted");
    }
}

/// One that says nothing becomes this stage's when it is named, and what goes with that was agreed to.
#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_says_nothing_is_adopted_by_name() {
    let emulator = Emulator::shared();
    let clients = Clients::root(&emulator.endpoint());
    let project = Project::copy();
    create(&clients, "three-tier-dev-data", TOPIC, &[]).await;
    let before = stacks(&clients).await;
    let run = |args: &[&str]| project.deployer(&emulator.endpoint(), &[args, &["--stage", "dev"]].concat());
    run(&["up", "--yes"])
        .fails_with(2)
        .says(&["`deployer up --adopt three-tier-dev-data --stage dev`"]);
    run(&["down", "--yes", "--adopt", "three-tier-dev-data"])
        .fails_with(2)
        .says(&["isn't one of the stage dev"]);
    run(&["up", "--yes", "--adopt", "three-tier-dev-dat"])
        .fails_with(2)
        .says(&["has no stack of that name", "three-tier-dev-data"]);
    let adopt = ["up", "--only", "data", "--adopt", "three-tier-dev-data"];
    run(&adopt)
        .fails_with(5)
        .says(&["AWS::SNS::Topic", "is removed", "--yes"]);
    assert_eq!(stacks(&clients).await, before);
    run(&[&adopt[..], &["--yes"]].concat()).success();
    run(&["up", "--only", "data"]).success();
    run(&["down", "--yes"]).success();
    assert_eq!(stacks(&clients).await, Vec::<String>::new());
}

/// An empty shell, as an interrupted run leaves it, is nobody's: it is used, and removed.
#[tokio::test(flavor = "multi_thread")]
async fn a_shell_in_review_is_nobodys() {
    let emulator = Emulator::shared();
    let clients = Clients::root(&emulator.endpoint());
    let project = Project::copy();
    for args in [
        &["up", "--stage", "dev", "--only", "data"][..],
        &["down", "--stage", "dev", "--yes"],
    ] {
        let create = clients
            .cloudformation
            .create_change_set()
            .stack_name("three-tier-dev-data");
        let create = create
            .change_set_name(format!("left-before-{}", args[0]))
            .change_set_type(ChangeSetType::Create);
        create.template_body(TOPIC).send().await.expect("a shell");
        project.deployer(&emulator.endpoint(), args).success();
        project
            .deployer(&emulator.endpoint(), &["down", "--stage", "dev", "--yes"])
            .success();
        assert_eq!(stacks(&clients).await, Vec::<String>::new());
    }
}

/// Before, the data stack didn't say whose it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_stage_from_before_is_taken_on_when_its_other_stacks_name_it() {
    let emulator = Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    let clients = Clients::root(&emulator.endpoint());
    let project = Project::copy();
    let mut template = project.read("stacks/data.yaml");
    let mut with = |after: &str, line: &str| {
        assert_eq!(template.matches(after).count(), 1, "{after}");
        template = template.replace(after, &format!("{after}{line}"));
    };
    with("Parameters:\n", "  Digest: { Type: String, Default: none }\n");
    with("Outputs:\n", "  Digest: { Value: !Ref Digest }\n");
    let parameters = [
        ("TableName", "UserData-dev"),
        ("Protected", "false"),
        ("Digest", "0123456789abcdef"),
    ];
    create(&clients, "three-tier-dev-data", &template, &parameters).await;
    clients
        .dynamodb
        .put_item()
        .table_name("UserData-dev")
        .item("userId", aws_sdk_dynamodb::types::AttributeValue::S("kept".into()))
        .send()
        .await
        .expect("an item");

    // Alone it may be anybody's.
    for args in [&["up", "--yes"][..], &["down", "--yes"], &["seed"]] {
        let ran = project.deployer(&proxy.endpoint(), &[args, &["--stage", "dev"]].concat());
        ran.fails_with(2).says(&[
            "whose the stack three-tier-dev-data is can't be told",
            "`deployer up --adopt three-tier-dev-data --stage dev`",
        ]);
        proxy.assert_nothing_was_written();
    }
    project
        .deployer(
            &emulator.endpoint(),
            &["up", "--stage", "dev", "--adopt", "three-tier-dev-data"],
        )
        .success();
    // Beside others that name this project it needn't be said again, nor was it emptied.
    project
        .deployer(&emulator.endpoint(), &["up", "--stage", "dev"])
        .success();
    assert!(clients.item("UserData-dev", "kept").await.is_some());
    project
        .deployer(&emulator.endpoint(), &["down", "--stage", "dev", "--yes"])
        .success();
    assert_eq!(stacks(&clients).await, Vec::<String>::new());
}

/// A template of the user's own that says nothing of all this works as well, and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_template_needs_nothing_of_ours() {
    let emulator = Emulator::shared();
    let project = Project::copy();
    let bare = "Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: UserData-dev
      AttributeDefinitions: [{ AttributeName: userId, AttributeType: S }]
      KeySchema: [{ AttributeName: userId, KeyType: HASH }]
      BillingMode: PAY_PER_REQUEST
Outputs:
  TableName: { Value: !Ref Table }
  TableArn: { Value: !GetAtt Table.Arn }
";
    project.write("stacks/data.yaml", bare);
    // A value that no template takes would have no effect, and be refused.
    project.edit("stacks/stages.yaml", "    TableName: UserData-${stage}\n", "");
    for _ in 0..2 {
        project
            .deployer(&emulator.endpoint(), &["up", "--stage", "dev", "--only", "data"])
            .success();
    }
    let again = project
        .deployer(&emulator.endpoint(), &["up", "--stage", "dev", "--only", "data"])
        .success();
    assert!(again.stderr.contains("data         unchanged"), "{}", again.stderr);
    project
        .deployer(&emulator.endpoint(), &["down", "--stage", "dev", "--yes"])
        .success();
}

/// Whether a request is one to S3.
fn is_s3(seen: &Seen) -> bool {
    seen.authorization.contains("/s3/aws4_request")
}

const EXPECTED_OWNER: &str = "x-amz-expected-bucket-owner";

#[test]
fn each_request_about_a_bucket_says_whose_it_must_be() {
    let (emulator, project) = (Emulator::start(), Project::copy());
    let proxy = Proxy::before(emulator.port());
    let run = |args: &[&str]| {
        project
            .deployer(&proxy.endpoint(), &[args, &["--stage", "dev"]].concat())
            .success()
    };
    for args in [&["up"][..], &["up"], &["verify"], &["down", "--yes", "--delete-data"]] {
        run(args);
        let seen: Vec<Seen> = proxy.take().into_iter().filter(is_s3).collect();
        assert!(!seen.is_empty(), "{args:?}");
        for seen in seen {
            assert_eq!(seen.header(EXPECTED_OWNER), "000000000000", "{args:?} {seen:#?}");
            // Nobody on the way may take it out.
            assert!(seen.authorization.contains(EXPECTED_OWNER), "{seen:#?}");
        }
    }
}

/// Somebody else has taken a bucket's name after it was deleted, and lets everybody in. S3 refuses it by its owner alone:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_another_account_gets_nothing_and_gives_nothing() {
    let (emulator, project) = (Emulator::start(), Project::copy());
    let proxy = Proxy::before(emulator.port());
    let run = |args: &[&str]| project.deployer(&proxy.endpoint(), &[args, &["--stage", "dev"]].concat());
    run(&["up", "--no-verify"]).success();
    proxy.rule(|seen| {
        let is_foreign = is_s3(seen) && seen.header(EXPECTED_OWNER) == "000000000000";
        is_foreign.then(|| match seen.method.as_str() {
            "HEAD" => (403, String::new()),
            _ => answers::s3_refusal(403, "AccessDenied", "Access Denied"),
        })
    });
    let words = [
        "refuses a bucket that isn't the account 000000000000's",
        "somebody has taken its name",
    ];
    project.write("site/new.css", "a {}\n");
    for args in [&["up", "--no-verify"][..], &["down", "--yes", "--delete-data"]] {
        proxy.take();
        run(args).fails_with(1).says(&words);
        let written = proxy.take().into_iter().filter(|seen| is_s3(seen) && seen.writes());
        assert_eq!(
            written.map(|seen| seen.path).collect::<Vec<_>>(),
            Vec::<String>::new(),
            "{args:?}"
        );
    }
    let clients = Clients::root(&emulator.endpoint());
    for stack in ["three-tier-dev-artifacts", "three-tier-dev-presentation"] {
        let there = clients.cloudformation.describe_stacks().stack_name(stack).send().await;
        assert_eq!(there.expect("it is there").stacks().len(), 1, "{stack}");
    }
}
