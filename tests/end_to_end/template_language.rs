//! What templates may say, and what of it only CloudFormation knows: taken as CloudFormation takes it, judged by the services
//! and by the AWS CLI.

use serde_json::Value;

use crate::support::{Clients, Deployer, Emulator, Project, Proxy, answers, tools};

/// What the AWS CLI says of an emulator.
fn aws(emulator: &Emulator, args: &[&str]) -> Value {
    let (keys, region, endpoint) = (emulator.keys(), emulator.region(), emulator.endpoint());
    let told = tools::told_by_aws(
        &[args, &["--output", "json", "--endpoint-url", &endpoint]].concat(),
        &[
            ("AWS_ACCESS_KEY_ID", &keys.id),
            ("AWS_SECRET_ACCESS_KEY", &keys.secret),
            ("AWS_REGION", &region),
            ("AWS_DEFAULT_REGION", &region),
        ],
    );
    serde_json::from_str(&told).unwrap_or(Value::Null)
}

const TEMPLATE: &str = r#"
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  AuditName: { Type: AWS::SSM::Parameter::Value<String>, Default: /shop/audit-table }
  Delay: { Type: "AWS::SSM::Parameter::Value<String>", Default: /shop/delay }
  LogBucketName: { Type: String, Default: "" }
Mappings:
  Names: { us-east-1: { Site: www.shop.example }, eu-west-1: { Site: "no bucket's name" } }
Conditions:
  HasLogBucket: !Not [!Equals [!Ref LogBucketName, ""]]
  IsMain: !Equals [!Ref AWS::Region, eu-west-1]
  IsMainAndMore: !And [!Condition IsMain, !Equals [!Ref Delay, 5]]
Resources:
  Audit:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Ref AuditName
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      BillingMode: PAY_PER_REQUEST
      DeletionProtectionEnabled: no
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: yes }
  LogBucket:
    Type: AWS::S3::Bucket
    Condition: HasLogBucket
    Properties: { BucketName: !Ref LogBucketName }
  SiteBucket:
    Type: AWS::S3::Bucket
    Properties: { BucketName: !FindInMap [Names, !Ref AWS::Region, Site] }
  Reader:
    Type: AWS::IAM::Role
    Condition: IsMainAndMore
    Properties:
      RoleName: audit-reader
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: sts:AssumeRole }]
  Mail:
    Type: AWS::SQS::Queue
    Properties: { QueueName: !Sub "${AWS::StackName}-0o17", DelaySeconds: !Ref Delay }
"#;

fn project(name: &str) -> Project {
    Project::bare(name, &[("stacks/data.yaml", TEMPLATE)])
}

#[tokio::test]
async fn what_only_cloudformation_knows_is_not_guessed() {
    let emulator = Emulator::start();
    let clients = Clients::root(&emulator.endpoint());
    let put = |name: &str, value: &str| {
        let args = [
            "ssm",
            "put-parameter",
            "--type",
            "String",
            "--overwrite",
            "--name",
            name,
            "--value",
            value,
        ];
        aws(&emulator, &args);
    };
    put("/shop/audit-table", "audit-events");
    put("/shop/delay", "5");
    // Roles are of all regions: this one is another stage's, in the region where the condition holds.
    clients
        .iam
        .create_role()
        .role_name("audit-reader")
        .assume_role_policy_document("{}")
        .send()
        .await
        .expect("a role");
    let project = project("shop");
    let up = |args: &[&str]| {
        project
            .deployer(&emulator.endpoint(), &[&["up"], args].concat())
            .success()
    };
    up(&[]);

    let described = clients
        .dynamodb
        .describe_table()
        .table_name("audit-events")
        .send()
        .await;
    let table = described
        .expect("the table of the name behind the parameter")
        .table
        .expect("described");
    assert_eq!(table.deletion_protection_enabled, Some(false), "`no` is no");
    // The emulator makes no recovery of it.
    let sent = aws(
        &emulator,
        &["cloudformation", "get-template", "--stack-name", "shop-prod-data"],
    );
    let properties = &sent["TemplateBody"]["Resources"]["Audit"]["Properties"];
    let recovery = &properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"];
    assert_eq!(*recovery, true, "`yes` is yes");
    clients
        .s3
        .head_bucket()
        .bucket("www.shop.example")
        .send()
        .await
        .expect("a name with dots");
    let queue = "shop-prod-data-0o17";
    let delay = || {
        let url = aws(&emulator, &["sqs", "get-queue-url", "--queue-name", queue]);
        let url = url["QueueUrl"].as_str().expect("a URL").to_owned();
        let told = aws(
            &emulator,
            &[
                "sqs",
                "get-queue-attributes",
                "--queue-url",
                &url,
                "--attribute-names",
                "DelaySeconds",
            ],
        );
        told["Attributes"]["DelaySeconds"].clone()
    };
    assert_eq!(delay(), "5");

    put("/shop/delay", "30");
    up(&[]);
    assert_eq!(delay(), "30", "the template is the same, what it refers to isn't");

    // What only outputs show is there after the next run.
    project.write(
        "stacks/data.yaml",
        &format!("{TEMPLATE}Outputs: {{ Extra: {{ Value: hello }} }}\n"),
    );
    up(&[]);
    let stack = aws(
        &emulator,
        &["cloudformation", "describe-stacks", "--stack-name", "shop-prod-data"],
    );
    let outputs = stack["Stacks"][0]["Outputs"].as_array().expect("outputs").clone();
    assert!(
        outputs
            .iter()
            .any(|output| output["OutputKey"] == "Extra" && output["OutputValue"] == "hello"),
        "{outputs:?}"
    );
}

#[test]
fn what_readers_of_yaml_differ_on_is_refused_by_line() {
    for (from, to, says) in [
        (
            "DeletionProtectionEnabled: no",
            "DeletionProtectionEnabled: 0755",
            "21:34: `0755` is 493 to YAML 1.1 (octal)",
        ),
        (
            "DelaySeconds: !Ref Delay",
            "DelaySeconds: 22:22",
            "`22:22` is 1342 to YAML 1.1 (to the base of 60)",
        ),
        (
            "DelaySeconds: !Ref Delay",
            "DelaySeconds: 1_000",
            "`1_000` is 1000 to YAML 1.1",
        ),
        (
            "DelaySeconds: !Ref Delay",
            "<<: { DelaySeconds: 1 }",
            "CloudFormation takes no merge keys (`<<`)",
        ),
        (
            "DelaySeconds: !Ref Delay",
            "DelaySeconds: !!binary AAEC",
            "CloudFormation takes no `!!binary`",
        ),
        (
            "DelaySeconds: !Ref Delay",
            "DelaySeconds: ",
            "`DelaySeconds` has no value: `null` isn't allowed in templates",
        ),
        (
            "DelaySeconds: !Ref Delay",
            "DelaySeconds: !ref Delay",
            "`!ref` is no function of CloudFormation",
        ),
        (
            "DelaySeconds: !Ref Delay",
            "DelaySeconds: !Ref Dealy",
            "there is neither a parameter nor a resource `Dealy`",
        ),
        (
            "DelaySeconds: !Ref Delay",
            "DelaySecond: 5",
            "AWS::SQS::Queue has no property `DelaySecond`",
        ),
        (
            "AWS::SQS::Queue",
            "AWS::Sqs::Queue",
            "there is no resource type `AWS::Sqs::Queue`",
        ),
        ("HasLogBucket: !Not", "on: !Not", "the name `on` is `true` to YAML 1.1"),
    ] {
        assert!(TEMPLATE.contains(from), "{from}");
        let project = Project::bare("shop", &[("stacks/data.yaml", &TEMPLATE.replace(from, to))]);
        let ran = Deployer::new(project.path(), &["up"])
            .at("http://127.0.0.1:9")
            .run()
            .fails_with(2);
        ran.says(&["stacks/data.yaml:", says, "next: "]);
    }
}

#[test]
fn an_alias_is_sent_as_what_it_stands_for_and_warned_of() {
    let emulator = Emulator::shared();
    let template = "Resources:\n  A: { Type: AWS::SQS::Queue, Properties: &same { DelaySeconds: 7 } }\n  B: { Type: AWS::SQS::Queue, Properties: *same }\nOutputs: { B: { Value: !GetAtt B.QueueName } }\n";
    let project = Project::bare("aliases", &[("stacks/data.yaml", template)]);
    let ran = project.deployer(&emulator.endpoint(), &["up"]).success();
    ran.says(&["stacks/data.yaml:3:43: CloudFormation itself takes no aliases such as `*same`"]);
}

/// As editors on Windows save them.
#[tokio::test]
async fn every_file_may_have_a_byte_order_mark_and_any_line_ends() {
    let emulator = Emulator::shared();
    let clients = Clients::root(&emulator.endpoint());
    let table = "Resources:\n  Users:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      TableName: !Sub \"${AWS::StackName}-marked\"\n      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]\n      KeySchema: [{ AttributeName: id, KeyType: HASH }]\n      BillingMode: PAY_PER_REQUEST\n";
    let as_on_windows = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let project = Project::bare(
        "marked",
        &[
            (
                "stacks/stages.yaml",
                &as_on_windows("project: marked\nstages:\n  prod: {}\n"),
            ),
            ("stacks/data.yaml", &as_on_windows(table)),
            (
                "stacks/more.json",
                &as_on_windows("{\n\t\"Resources\": {\n\t\t\"Topic\": { \"Type\": \"AWS::SNS::Topic\" }\n\t}\n}\n"),
            ),
            (
                "stacks/seed.yaml",
                &as_on_windows("- id: yaml\n  text: |\n    one\n    two\n"),
            ),
            (
                "more.jsonl",
                &as_on_windows("{\"id\": \"jsonl\"}\n{\"id\": \"more\"}\n"),
            ),
        ],
    );
    project.deployer(&emulator.endpoint(), &["up"]).success();
    project
        .deployer(&emulator.endpoint(), &["seed", "--file", "more.jsonl"])
        .success();
    let items = clients
        .dynamodb
        .scan()
        .table_name("marked-prod-data-marked")
        .send()
        .await;
    let items = items.expect("the items").items.unwrap_or_default();
    let mut ids: Vec<_> = items
        .iter()
        .filter_map(|item| item["id"].as_s().ok().cloned())
        .collect();
    ids.sort();
    assert_eq!(ids, ["jsonl", "more", "yaml"]);
    let text = items.iter().find_map(|item| item.get("text")?.as_s().ok().cloned());
    assert_eq!(text.as_deref(), Some("one\ntwo\n"));
}

const MACROS: &str = r#"
Transform: AWS::LanguageExtensions
Metadata: { Any: { thing: [goes, !Sub "${Here}"] } }
Parameters:
  Names: { Type: CommaDelimitedList, Default: "a,b" }
Rules:
  Named:
    RuleCondition: !Not [!Equals [!Join ["", !Ref Names], ""]]
    Assertions:
      - Assert: !Contains [!Ref Names, a]
        AssertDescription: a is one
Hooks:
  Green: { Type: AWS::CodeDeploy::BlueGreen, Properties: { TrafficRoutingConfig: { Type: AllAtOnce } } }
Resources:
  Fn::ForEach::Queues:
    - Name
    - !Ref Names
    - Queue${Name}:
        Type: AWS::SQS::Queue
        Properties: { QueueName: !Sub "x-${Name}" }
  Fn::Transform: { Name: AWS::Include, Parameters: { Location: s3://shop/more.yaml } }
  Topic:
    Type: AWS::SNS::Topic
    DeletionPolicy: !If [Here, Retain, Delete]
    Properties: { TopicName: !Length [!Ref Names] }
"#;

/// What CloudFormation makes of loops and macros only it knows: they go there as they stand.
#[test]
fn whatever_the_template_language_has_is_sent_as_it_stands() {
    let emulator = Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    proxy.rule(|seen| match seen.operation.as_str() {
        "ValidateTemplate" => Some(answers::cloudformation("ValidateTemplate", "")),
        // What is asked for is looked at; the emulator has no macros.
        "CreateChangeSet" => Some(answers::refusal(403, "AccessDenied", "not now")),
        _ => None,
    });
    let project = Project::bare("macros", &[("stacks/data.yaml", MACROS)]);
    project
        .deployer(&proxy.endpoint(), &["up"])
        .fails_with(1)
        .says(&["not now"]);
    let sent = proxy.take();
    let made = sent
        .iter()
        .find(|seen| seen.operation == "CreateChangeSet")
        .expect("made");
    let template: Value = serde_json::from_str(&made.parameter("TemplateBody").expect("a template")).expect("JSON");
    assert_eq!(
        template["Resources"],
        serde_json::json!({
            "Fn::ForEach::Queues": ["Name", {"Ref": "Names"}, {"Queue${Name}": {
                "Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "x-${Name}"}},
            }}],
            "Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://shop/more.yaml"}},
            "Topic": {
                "Type": "AWS::SNS::Topic",
                "DeletionPolicy": {"Fn::If": ["Here", "Retain", "Delete"]},
                "Properties": {"TopicName": {"Fn::Length": [{"Ref": "Names"}]}},
            },
        })
    );
    assert_eq!(
        template["Rules"]["Named"]["Assertions"][0]["Assert"],
        serde_json::json!({"Fn::Contains": [{"Ref": "Names"}, "a"]})
    );
    assert_eq!(template["Hooks"]["Green"]["Type"], "AWS::CodeDeploy::BlueGreen");
    assert_eq!(
        template["Metadata"]["Any"]["thing"][1],
        serde_json::json!({"Fn::Sub": "${Here}"})
    );
    assert_eq!(template["Transform"], "AWS::LanguageExtensions");
}
