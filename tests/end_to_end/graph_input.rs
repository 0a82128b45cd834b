//! Stacks that don't fit one another, and whatever else a folder can get wrong about them: refused before anything is begun,
//! with the place and the next step.

use crate::support::{Deployer, Emulator, Project, Ran};

const TOPIC: &str = "Resources: { T: { Type: AWS::SNS::Topic } }\n";

/// `deployer up`, where nobody answers: what is refused needs no cloud.
fn refused(project: &Project, says: &[&str]) {
    let ran = Deployer::new(project.path(), &["up"]).at("http://127.0.0.1:9").run();
    ran.fails_with(2).says(says);
}

fn with(files: &[(&str, &str)]) -> Project {
    let project = Project::of("site");
    for (file, text) in files {
        project.write(file, text);
    }
    project
}

#[test]
fn two_producers_of_one_value_are_both_named() {
    let output = format!("{TOPIC}Outputs: {{ Topic: {{ Value: !Ref T }} }}\n");
    let taker = format!("Parameters:\n  Topic:\n    Type: String\n{TOPIC}");
    let project = with(&[
        ("stacks/one.yaml", &output),
        ("stacks/two.yaml", &output),
        ("stacks/taker.yaml", &taker),
    ]);
    refused(
        &project,
        &[
            "stacks/taker.yaml:2:3: the parameter `Topic` could get its value from two stacks: one and two",
            "2 |   Topic:",
            "^^^^^",
            "`Metadata: { Deployer: { Inputs: { Topic: one.Topic } } }`",
        ],
    );
    project.write(
        "stacks/taker.yaml",
        &format!("Metadata: {{ Deployer: {{ Inputs: {{ Topic: two.Topic }} }} }}\n{taker}"),
    );
    let graph = Deployer::new(project.path(), &["graph"]).run().success();
    assert!(
        graph
            .stdout
            .contains("Topic ← two.Topic (the template's `Inputs` say so)"),
        "{}",
        graph.stdout
    );
}

#[test]
fn a_cycle_is_told_with_both_ways_and_a_way_out() {
    let one = format!("Parameters:\n  B: {{ Type: String }}\n{TOPIC}Outputs: {{ A: {{ Value: !Ref T }} }}\n");
    let two = format!("Parameters:\n  A: {{ Type: String }}\n{TOPIC}Outputs: {{ B: {{ Value: !Ref T }} }}\n");
    let project = with(&[("stacks/one.yaml", &one), ("stacks/two.yaml", &two)]);
    refused(
        &project,
        &[
            "the stacks one and two need one another",
            "one's parameter `B` gets its value from two's output `B`",
            "two's parameter `A` gets its value from one's output `A`",
            "stacks/one.yaml:2:3",
            "stacks/two.yaml:2:3",
            "has no `Default:`",
            "Nothing was begun. Give one of these parameters a `Default:`",
        ],
    );
    // What can't be deployed can be looked at.
    let graph = Deployer::new(project.path(), &["graph"]).run();
    assert_eq!(graph.code, 2);
    assert!(graph.stdout.contains("A ← one.A"), "{}", graph.stdout);
    project.edit(
        "stacks/two.yaml",
        "A: { Type: String }",
        "A: { Type: String, Default: none }",
    );
    let graph = Deployer::new(project.path(), &["graph"]).run().success();
    assert!(
        graph.stdout.contains("B ← two.B (they have the same name)"),
        "{}",
        graph.stdout
    );
}

#[test]
fn an_input_that_is_not_there_is_answered_with_the_nearest() {
    let output = format!("{TOPIC}Outputs: {{ TopicArn: {{ Value: !Ref T }} }}\n");
    for (said, says) in [
        (
            "Arn: queue.TopicAr",
            ["has no output `TopicAr`", "Did you mean `TopicArn`?"],
        ),
        ("Arn: qeue.TopicArn", ["there is none", "Did you mean `queue`?"]),
        (
            "Anr: queue.TopicArn",
            ["names a parameter `Anr`", "Did you mean `Arn`?"],
        ),
    ] {
        let taker = format!(
            "Metadata:\n  Deployer:\n    Inputs:\n      {said}\nParameters: {{ Arn: {{ Type: String }} }}\n{TOPIC}"
        );
        let project = with(&[("stacks/queue.yaml", &output), ("stacks/taker.yaml", &taker)]);
        refused(
            &project,
            &["stacks/taker.yaml:4:7: ", "4 |       A", "^^^", says[0], says[1]],
        );
    }
}

#[test]
fn files_that_are_no_stacks_or_the_same_one_are_refused() {
    for (file, text, says) in [
        (
            "stacks/notes.yaml",
            "a: 1\n",
            &["stacks/notes.yaml has no `Resources:`"][..],
        ),
        (
            "stacks/list.yaml",
            "[1]\n",
            &["stacks/list.yaml is no CloudFormation template"],
        ),
        (
            "stacks/Web.yaml",
            TOPIC,
            &["stacks/Web.yaml and stacks/web.yaml would be one stack", "but for case"],
        ),
        (
            "stacks/web.json",
            r#"{"Resources": {"T": {"Type": "AWS::SNS::Topic"}}}"#,
            &["would be one stack"],
        ),
        (
            "stacks/my_stack.yaml",
            TOPIC,
            &["`my_stack` can't be a part of a stack's name"],
        ),
        ("stacks/function.yaml", TOPIC, &["a stack can't be called `function`"]),
    ] {
        refused(&with(&[(file, text)]), says);
    }
    let seeded = with(&[("stacks/seed.yml", "Orders:\n  - { id: a }\n")]);
    refused(&seeded, &["stacks/seed.yml:1:1", "no table to put them into"]);
}

#[test]
fn a_value_that_nothing_gives_is_named_where_it_is_wanted() {
    let taker = format!("Parameters:\n  Colour: {{ Type: String }}\n{TOPIC}");
    refused(
        &with(&[("stacks/taker.yaml", &taker)]),
        &[
            "stacks/taker.yaml:2:3: the parameter `Colour` has neither a default nor a value",
            "2 |   Colour",
            "`Colour: …`",
        ],
    );
    let bucket = "Parameters:\n  Logs: { Type: String }\nResources: { B: { Type: AWS::S3::Bucket, Properties: { BucketName: !Ref Logs } } }\n";
    let maker = format!("{TOPIC}Outputs: {{ Logs: {{ Value: x }} }}\n");
    refused(
        &with(&[("stacks/bucket.yaml", bucket), ("stacks/maker.yaml", &maker)]),
        &[
            "stacks/bucket.yaml:2:3",
            "names a resource",
            "`Metadata: { Deployer: { Inputs: { Logs: maker.Logs } } }`",
        ],
    );
}

#[test]
fn a_key_without_a_binary_is_told_with_the_binaries_that_there_are() {
    let project = Project::copy();
    project.edit(
        "stacks/logic.yaml",
        "  CodeKey: { Type: String }",
        "  ListUsersCodeKey: { Type: String }",
    );
    project.edit(
        "stacks/logic.yaml",
        "S3Key: !Ref CodeKey",
        "S3Key: !Ref ListUsersCodeKey",
    );
    refused(
        &project,
        &[
            "stacks/logic.yaml:",
            "`ListUsersCodeKey` wants the binary `list-users`",
            "^^^^^^^^^^^^^^^^",
            "it has bootstrap",
            "`[[bin]] name = \"list-users\"`",
        ],
    );
    project.edit(
        "stacks/logic.yaml",
        "ListUsersCodeKey: { Type: String }",
        "ListUsersCodeKey: { Type: String, Default: theirs.zip }",
    );
    let ran = Deployer::new(project.path(), &["up"]).at("http://127.0.0.1:9").run();
    assert!(
        !ran.stderr.contains("wants the binary"),
        "a default is somebody else's package: {}",
        ran.stderr
    );
}

#[test]
fn only_names_stacks_and_steps_that_there_are() {
    let up = |only: &str| -> Ran {
        Deployer::new(Project::copy().path(), &["up", "--only", only])
            .at("http://127.0.0.1:9")
            .run()
    };
    up("logik").fails_with(2).says(&[
        "--only logik: there is no such stack or step",
        "Did you mean `--only logic`?",
    ]);
    up("data,sight").fails_with(2).says(&[
        "--only sight",
        "There is artifacts, data, presentation, logic, function, site, seed.",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_emulator_does_not_know_is_left_out_and_told() {
    let (emulator, project) = (Emulator::start(), Project::of("site"));
    project.write(
        "stacks/extra.yaml",
        r#"
Resources:
  Topic: { Type: AWS::SNS::Topic }
  Address: { Type: AWS::EC2::EIP }
  Outage: { Type: AWS::Budgets::Budget, DependsOn: [Topic], Properties: { Budget: { BudgetType: COST, TimeUnit: MONTHLY } } }
  Note: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Address } }
  Queue: { Type: AWS::SQS::Queue, DependsOn: [Address] }
Outputs:
  Topic: { Value: !Ref Topic }
  Address: { Value: !Ref Address }
"#,
    );
    let ran = project.deployer(&emulator.endpoint(), &["up", "--no-verify"]).success();
    for part in [
        "goes without its resources of the types that the emulator doesn't know",
        "AWS::Budgets::Budget, AWS::EC2::EIP",
    ] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    let status = project
        .deployer(&emulator.endpoint(), &["status", "--output", "json"])
        .success()
        .json();
    let extra = status["stacks"]
        .as_array()
        .expect("stacks")
        .iter()
        .find(|stack| stack["id"] == "extra")
        .expect("deployed");
    assert!(
        extra["outputs"]["Topic"].is_string() && extra["outputs"]["Address"].is_null(),
        "{extra}"
    );
    let again = project.deployer(&emulator.endpoint(), &["up", "--no-verify"]).success();
    assert!(
        again.stderr.contains("· extra") && !again.stderr.contains("goes without"),
        "{}",
        again.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_is_added_arrives_off_aws_too() {
    let (emulator, project) = (Emulator::start(), Project::of("site"));
    project.write("stacks/extra.yaml", TOPIC);
    project.deployer(&emulator.endpoint(), &["up", "--no-verify"]).success();
    project.write(
        "stacks/extra.yaml",
        &format!("{TOPIC}Outputs: {{ News: {{ Value: !Ref T }} }}\n"),
    );
    project.write(
        "stacks/taker.yaml",
        &format!("Parameters: {{ News: {{ Type: String }} }}\n{TOPIC}"),
    );
    let ran = project.deployer(&emulator.endpoint(), &["up", "--no-verify"]).success();
    assert!(
        ran.stderr.contains("✓ extra") && ran.stderr.contains("✓ taker"),
        "{}",
        ran.stderr
    );
    let again = project.deployer(&emulator.endpoint(), &["up", "--no-verify"]).success();
    assert!(!again.stderr.contains('✓'), "{}", again.stderr);
}

/// What a template makes in a loop comes and changes as anything else.
#[test]
fn a_template_with_a_transform_is_deployed_and_changed() {
    let emulator = Emulator::start();
    let template = r#"
Transform: AWS::LanguageExtensions
Resources:
  Fn::ForEach::Queues:
    - Name
    - [Mail, Audit]
    - "${Name}Queue":
        Type: AWS::SQS::Queue
        Properties: { QueueName: !Sub "loops-${Name}" }
Outputs: { Mail: { Value: !GetAtt MailQueue.Arn } }
"#;
    let project = Project::bare("loops", &[("stacks/loops.yaml", template)]);
    let up = || project.deployer(&emulator.endpoint(), &["up", "--yes"]).success();
    let first = up();
    assert!(
        first.stderr.contains("the templates have nothing that is checked"),
        "{}",
        first.stderr
    );
    // An output alone, which off AWS no change set is made of.
    project.edit(
        "stacks/loops.yaml",
        "Outputs: {",
        "Outputs: { Audit: { Value: !GetAtt AuditQueue.Arn },",
    );
    assert!(up().stderr.contains("✓ loops"));
    project.edit("stacks/loops.yaml", "[Mail, Audit]", "[Mail, Audit, Waste]");
    assert!(up().stderr.contains("✓ loops"));
    let queues = emulator.told_by(
        r#"
import boto3, sys
endpoint, key, secret = sys.argv[1:]
sqs = boto3.client("sqs", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret)
print(*sorted(url.rsplit("/", 1)[-1] for url in sqs.list_queues()["QueueUrls"]))
"#,
    );
    assert_eq!(queues, "loops-Audit loops-Mail loops-Waste");
    let status = project
        .deployer(&emulator.endpoint(), &["status", "--output", "json"])
        .success()
        .json();
    assert!(status["stacks"][0]["outputs"]["Audit"].is_string(), "{status:#}");
}
