//! A user's own template of kinds of resources that the shipped app has none of, with nothing in it that this tool asks
//! for: what CloudFormation takes is deployed, looked at and taken away.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Emulator, Project, Proxy, answers, http, tools};

/// About thirty types. The emulator doesn't know the last three.
const TEMPLATE: &str = include_str!("kinds/integration.yaml");

/// What the services themselves say of what the template names, a word each.
const LISTS: &str = r#"
import boto3, sys
endpoint, key, secret = sys.argv[1:]
def ask(service, call, *path, **parameters):
    client = boto3.client(service, endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key,
                          aws_secret_access_key=secret)
    answer = getattr(client, call)(**parameters)
    items, field = answer.get(path[0], []), path[1:]
    for item in items:
        name = item[field[0]] if field else item
        if "integration" in name:
            print(service, name.rsplit(":", 1)[-1] if name.startswith("arn:") else name.removeprefix(endpoint))
ask("apigatewayv2", "get_apis", "Items", "Name")
ask("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName")
ask("cognito-idp", "list_user_pools", "UserPools", "Name", MaxResults=10)
ask("ecr", "describe_repositories", "repositories", "repositoryName")
ask("events", "list_event_buses", "EventBuses", "Name")
ask("events", "list_rules", "Rules", "Name")
ask("kinesis", "list_streams", "StreamNames")
ask("kms", "list_aliases", "Aliases", "AliasName")
ask("lambda", "list_functions", "Functions", "FunctionName")
ask("lambda", "list_layers", "Layers", "LayerName")
ask("logs", "describe_log_groups", "logGroups", "logGroupName")
ask("scheduler", "list_schedules", "Schedules", "Name")
ask("secretsmanager", "list_secrets", "SecretList", "Name")
ask("sns", "list_topics", "Topics", "TopicArn")
ask("sns", "list_subscriptions", "Subscriptions", "Endpoint")
ask("sqs", "list_queues", "QueueUrls")
ask("ssm", "describe_parameters", "Parameters", "Name")
ask("stepfunctions", "list_state_machines", "stateMachines", "name")
ask("wafv2", "list_web_acls", "WebACLs", "Name", Scope="REGIONAL")
"#;

fn project() -> Project {
    Project::bare("integration", &[("stacks/integration.yaml", TEMPLATE)])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_emulator_knows_of_them_is_deployed_and_goes_again() {
    let (emulator, project) = (Emulator::start(), project());
    let proxy = Proxy::before(emulator.port());
    let deployer = |args: &[&str]| project.deployer(&proxy.endpoint(), args);
    let graph = deployer(&["graph"]).success();
    assert_eq!(
        graph.stdout,
        "integration stacks/integration.yaml\n  Retention ← its default\n  route GET /work\n"
    );

    let up = deployer(&["up", "--output", "json"]).success();
    // Left out are the types that it doesn't know, and nothing for their sake.
    let warnings: Vec<Value> = up
        .stderr
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|event: &Value| event["event"] == "warning")
        .collect();
    assert_eq!(warnings.len(), 1, "{}", up.stderr);
    let warning = warnings[0].to_string();
    assert!(
        warning.contains(": AWS::Budgets::Budget, AWS::SSM::Document, AWS::WAFv2::WebACLAssociation\""),
        "{warning}"
    );
    let document = up.json();
    assert_eq!(document["verification"]["verified"], true, "{document:#}");
    assert_eq!(document["stacks"].as_array().map(Vec::len), Some(1), "{document:#}");
    let told = emulator.told_by(LISTS);
    let found: BTreeSet<&str> = told.lines().collect();
    assert_eq!(
        found,
        BTreeSet::from([
            "apigatewayv2 integration-front",
            "cloudwatch integration-stuck",
            "cognito-idp integration-people",
            "ecr integration-images",
            "events integration",
            "events integration-nightly",
            "kinesis integration-clicks",
            "kms alias/integration",
            "lambda integration-common",
            "lambda integration-worker",
            "logs /integration/worker",
            "scheduler integration-hourly",
            "secretsmanager integration/password",
            "sns integration-news",
            "sns integration-work",
            "sqs /000000000000/integration-dead-letters",
            "sqs /000000000000/integration-work",
            "ssm /integration/greeting",
            "stepfunctions integration-flow",
            "wafv2 integration-firewall",
        ])
    );
    let route = &document["apis"][0]["routes"][0];
    assert_eq!((&route["method"], &route["path"]), (&json!("GET"), &json!("/work")));
    let answer = http::get(route["url"].as_str().expect("a URL")).expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (200, "at work"));

    proxy.take();
    let again = deployer(&["up"]).success();
    assert!(
        again.stderr.contains("· integration  unchanged") && !again.stderr.contains("goes without"),
        "{}",
        again.stderr
    );
    proxy.assert_nothing_was_written();

    // Whatever holds something is named before it goes.
    deployer(&["down"]).fails_with(5).says(&[
        "the API at http://",
        "the function integration-worker with its logs",
        "the AWS::Cognito::UserPool",
        "the AWS::ECR::Repository integration-images",
        "the AWS::KMS::Key",
        "the AWS::Kinesis::Stream integration-clicks",
        "the AWS::SQS::Queue",
        "the AWS::SecretsManager::Secret",
    ]);
    deployer(&["down", "--yes"]).success();
    assert_eq!(emulator.told_by(LISTS), "");
    let status = deployer(&["status", "--output", "json"]).success().json();
    assert_eq!(status["deployed"], false, "{status:#}");
}

/// The template as AWS's own linter reads it, not this tool.
fn read_by_cfn_lint(template: &str) -> Value {
    let python = tools::cfn_lint().with_file_name("python");
    let script =
        "import json, sys\nfrom cfnlint.decode.cfn_yaml import loads\nprint(json.dumps(loads(sys.stdin.read())))";
    let mut child = Command::new(python)
        .args(["-I", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(template.as_bytes()).expect("read");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Where every type is known, as at AWS, all of it is sent as it stands in the folder.
#[test]
fn where_every_type_is_known_nothing_is_left_out_or_changed() {
    let (emulator, project) = (Emulator::start(), project());
    let proxy = Proxy::before(emulator.port());
    proxy.rule(|seen| match seen.operation.as_str() {
        "ValidateTemplate" => Some(answers::cloudformation("ValidateTemplate", "")),
        // What is asked for is looked at; the emulator couldn't make it.
        "CreateChangeSet" => Some(answers::refusal(403, "AccessDenied", "not now")),
        _ => None,
    });
    let ran = project
        .deployer(&proxy.endpoint(), &["up"])
        .fails_with(1)
        .says(&["33 to create", "not now"]);
    assert!(!ran.stderr.contains("goes without"), "{}", ran.stderr);

    let sent = proxy.take();
    let made: Vec<_> = sent.iter().filter(|seen| seen.operation == "CreateChangeSet").collect();
    assert_eq!(made.len(), 1);
    assert_eq!(
        made[0].parameter("Capabilities.member.1").as_deref(),
        Some("CAPABILITY_NAMED_IAM"),
        "the template makes roles"
    );
    let template = made[0].parameter("TemplateBody").expect("a template");
    let template: Value = serde_json::from_str(&template).expect("JSON");
    let mut own = read_by_cfn_lint(TEMPLATE);
    // Off AWS a function runs on this host's processor.
    own["Resources"]["Worker"]["Properties"]["Architectures"] =
        template["Resources"]["Worker"]["Properties"]["Architectures"].clone();
    let own = own.as_object().expect("a template");
    for (id, resource) in own["Resources"].as_object().expect("resources") {
        assert_eq!(&template["Resources"][id], resource, "{id}");
    }
    assert_eq!(template["Resources"].as_object().map(|all| all.len()), Some(33));
    for output in ["WorkUrl", "NewsArn"] {
        assert_eq!(template["Outputs"][output], own["Outputs"][output], "{output}");
    }
    assert_eq!(template["Parameters"]["Retention"], own["Parameters"]["Retention"]);
}
