//! Functions and roles: whatever is changed behind the templates' back is found, where it was changed.

use std::io::{Cursor, Write};

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionUrlAuthType};
use aws_sdk_s3::types::ChecksumAlgorithm;
use sha2::{Digest as _, Sha256};

use super::{FUNCTION, ROLE, STAGE, Stage, checks, failed_are, names};
use crate::support::{Emulator, Project, Proxy, Ran};

/// The checks that this is about.
const CHECKS: &[&str] = &[
    "function-state",
    "function-code",
    "function-environment",
    "function-access",
    "event-sources",
    "role-policies",
    "role-simulated",
];

/// What the checks of this file find, and no others.
fn verified(stage: &Stage) -> Ran {
    stage.verify_at(&stage.emulator.endpoint(), &["--only", &CHECKS.join(",")])
}

#[track_caller]
fn caught(stage: &Stage, expected: &[&str], words: &[&str]) {
    failed_are(&verified(stage), expected, words);
}

/// Nothing fails.
#[track_caller]
fn sound(stage: &Stage) -> String {
    verified(stage).success().stdout.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_otherwise_than_its_template() {
    let stage = Stage::deployed();
    let told = sound(&stage);
    for word in ["function-state", "logic.FunctionRole"] {
        assert!(told.contains(word), "{told}");
    }
    let lambda = &stage.clients.lambda;

    let is = lambda
        .get_function_configuration()
        .function_name(FUNCTION)
        .send()
        .await
        .expect("there");
    let before = is.environment().and_then(|all| all.variables()).expect("some").clone();
    let set = async |changes: &[(&str, &str)]| {
        let mut variables = before.clone();
        variables.extend(
            changes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let environment = Environment::builder().set_variables(Some(variables)).build();
        let update = lambda.update_function_configuration().function_name(FUNCTION);
        update.environment(environment).send().await.expect("updated");
    };
    set(&[("TABLE_NAME", "Another")]).await;
    caught(
        &stage,
        &["function-environment logic.Function"],
        &["TABLE_NAME is `Another`", "`UserData-dev`"],
    );
    set(&[("DEBUG", "not-to-be-told")]).await;
    caught(&stage, &["function-environment logic.Function"], &["there is DEBUG"]);
    assert!(!verified(&stage).stdout.contains("not-to-be-told"));
    set(&[]).await;

    let update = lambda.update_function_configuration().function_name(FUNCTION);
    update.timeout(11).send().await.expect("updated");
    caught(
        &stage,
        &["function-state logic.Function"],
        &["Timeout is 11, and the template says 10"],
    );
    let update = lambda.update_function_configuration().function_name(FUNCTION);
    update.timeout(10).send().await.expect("updated");

    let permission = lambda
        .add_permission()
        .function_name(FUNCTION)
        .statement_id("open-door");
    let permission = permission.action("lambda:InvokeFunction").principal("s3.amazonaws.com");
    permission.send().await.expect("added");
    caught(
        &stage,
        &["function-access logic.Function"],
        &["open-door", "s3.amazonaws.com", "remove-permission"],
    );
    let remove = lambda.remove_permission().function_name(FUNCTION);
    remove.statement_id("open-door").send().await.expect("removed");

    let permission = lambda.add_permission().function_name(FUNCTION).statement_id("anybody");
    let permission = permission.action("lambda:InvokeFunction").principal("*");
    permission.send().await.expect("added");
    caught(
        &stage,
        &["function-access logic.Function"],
        &["anybody", "\"Principal\":\"*\"", "remove-permission"],
    );
    let remove = lambda.remove_permission().function_name(FUNCTION);
    remove.statement_id("anybody").send().await.expect("removed");

    let url = lambda.create_function_url_config().function_name(FUNCTION);
    url.auth_type(FunctionUrlAuthType::None).send().await.expect("made");
    caught(
        &stage,
        &["function-access logic.Function"],
        &["has a URL, which no template has"],
    );
    lambda
        .delete_function_url_config()
        .function_name(FUNCTION)
        .send()
        .await
        .expect("removed");

    let policy = lambda.get_policy().function_name(FUNCTION).send().await.expect("there");
    let policy: serde_json::Value = serde_json::from_str(policy.policy().expect("one")).expect("JSON");
    let sid = policy["Statement"][0]["Sid"].as_str().expect("a name");
    lambda
        .remove_permission()
        .function_name(FUNCTION)
        .statement_id(sid)
        .send()
        .await
        .expect("removed");
    caught(
        &stage,
        &["function-access logic.Function"],
        &["doesn't let apigateway.amazonaws.com in", "logic.ApiMayInvoke"],
    );
    let again = lambda.add_permission().function_name(FUNCTION).statement_id("again");
    let again = again
        .action("lambda:InvokeFunction")
        .principal("apigateway.amazonaws.com");
    let arn = policy["Statement"][0]["Condition"]["ArnLike"]["AWS:SourceArn"]
        .as_str()
        .expect("an ARN");
    again.source_arn(arn).send().await.expect("added");
    sound(&stage);

    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(
        "bootstrap",
        zip::write::SimpleFileOptions::default().unix_permissions(0o755),
    )
    .expect("begun");
    zip.write_all(b"#!/bin/sh\n").expect("written");
    let zip = zip.finish().expect("packed").into_inner();
    let update = lambda.update_function_code().function_name(FUNCTION);
    let planted = zip.clone();
    update.zip_file(Blob::new(zip)).send().await.expect("updated");
    caught(
        &stage,
        &["function-code logic.Function"],
        &["function/", "in the bucket"],
    );

    // The bucket has the same zip: nothing but the name tells.
    let listed = stage.clients.s3.list_objects_v2().bucket(stage.artifacts());
    let listed = listed.prefix("function/").send().await.expect("listed");
    let key = listed.contents()[0].key().expect("a name").to_owned();
    let put = stage.clients.s3.put_object().bucket(stage.artifacts()).key(&key);
    let put = put
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .body(planted.clone().into());
    put.send().await.expect("put");
    caught(
        &stage,
        &["function-code logic.Function"],
        &["and that name is the one of", "update-function-code"],
    );

    // What comes next puts the bucket right, and says so.
    let endpoint = stage.emulator.endpoint();
    let up = stage
        .project
        .deployer(&endpoint, &["up", "--stage", STAGE, "--no-verify"]);
    let up = up.success();
    assert!(up.stderr.contains("isn't the zip that its name says"), "{}", up.stderr);
    let there = stage.clients.s3.get_object().bucket(stage.artifacts()).key(&key);
    let there = there.send().await.expect("there").body.collect().await.expect("whole");
    let there = there.into_bytes();
    assert_ne!(there, planted);
    assert_eq!(key, format!("function/{}.zip", hex::encode(Sha256::digest(&there))));
    caught(&stage, &["function-code logic.Function"], &["in the bucket"]);
    let update = lambda.update_function_code().function_name(FUNCTION);
    let update = update.s3_bucket(stage.artifacts()).s3_key(&key);
    update.send().await.expect("updated");
    sound(&stage);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_more_or_less_than_its_template() {
    let stage = Stage::deployed();
    let iam = &stage.clients.iam;
    let policies = "role-policies logic.FunctionRole";
    let simulated = "role-simulated logic.FunctionRole";
    let statement = |action: &str, resource: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}}}"#
        )
    };

    let put = iam.put_role_policy().role_name(ROLE).policy_name("more");
    put.policy_document(statement("dynamodb:*", "*"))
        .send()
        .await
        .expect("put");
    caught(&stage, &[policies, simulated], &["more", "which no template grants"]);
    iam.delete_role_policy()
        .role_name(ROLE)
        .policy_name("more")
        .send()
        .await
        .expect("deleted");

    let attach = iam.attach_role_policy().role_name(ROLE);
    attach
        .policy_arn("arn:aws:iam::aws:policy/AdministratorAccess")
        .send()
        .await
        .expect("attached");
    caught(
        &stage,
        &[policies, simulated],
        &["policy/AdministratorAccess is attached"],
    );
    let detach = iam.detach_role_policy().role_name(ROLE);
    detach
        .policy_arn("arn:aws:iam::aws:policy/AdministratorAccess")
        .send()
        .await
        .expect("detached");

    let trust = iam
        .get_role()
        .role_name(ROLE)
        .send()
        .await
        .expect("there")
        .role
        .expect("one");
    let before = trust.assume_role_policy_document().expect("a document").to_owned();
    let wide = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;
    let update = iam.update_assume_role_policy().role_name(ROLE);
    update.policy_document(wide).send().await.expect("updated");
    caught(&stage, &[policies], &["who may assume"]);
    let before = percent_encoding::percent_decode_str(&before)
        .decode_utf8_lossy()
        .into_owned();
    iam.update_assume_role_policy()
        .role_name(ROLE)
        .policy_document(before)
        .send()
        .await
        .expect("updated");
    sound(&stage);

    let name = "read-one-table";
    let is = iam
        .get_role_policy()
        .role_name(ROLE)
        .policy_name(name)
        .send()
        .await
        .expect("there");
    let text = percent_encoding::percent_decode_str(is.policy_document())
        .decode_utf8_lossy()
        .into_owned();
    assert!(text.contains("dynamodb:GetItem"), "{text}");
    let put = iam.put_role_policy().role_name(ROLE).policy_name(name);
    put.policy_document(text.replace("dynamodb:GetItem", "dynamodb:Scan"))
        .send()
        .await
        .expect("put");
    caught(&stage, &[policies, simulated], &["instead of", "dynamodb:Scan"]);
    iam.delete_role_policy()
        .role_name(ROLE)
        .policy_name(name)
        .send()
        .await
        .expect("deleted");
    caught(
        &stage,
        &[policies, simulated],
        &["has no inline policy read-one-table", "may not"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_of_the_template_is_a_warning_with_its_place() {
    let emulator = Emulator::shared();
    let project = Project::copy();
    let from = "                Action: dynamodb:GetItem\n                Resource: !Ref TableArn\n";
    let to = "                Action: dynamodb:GetItem\n                Resource: \"*\"\n";
    project.edit("stacks/logic.yaml", from, to);
    let line = project
        .read("stacks/logic.yaml")
        .lines()
        .position(|line| line.ends_with("Resource: \"*\""));
    let place = format!("stacks/logic.yaml:{}:", line.expect("there") + 1);
    let endpoint = emulator.endpoint();
    project
        .deployer(&endpoint, &["up", "--stage", "dev", "--no-verify"])
        .success();
    let verify = ["verify", "--stage", "dev", "--only", "role-policies"];
    let ran = project
        .deployer(&endpoint, &[&verify[..], &["--output", "json"]].concat())
        .success();
    let warnings = ran.json()["checks"][0]["warnings"].clone();
    let warning = warnings[0].as_str().expect("a warning");
    assert!(
        warning.contains(&place) && warning.contains("`*` allows dynamodb:GetItem"),
        "{warning}"
    );
    let people = project.deployer(&endpoint, &verify).success();
    assert!(people.stdout.contains(warning), "{}", people.stdout);
}

/// A function of another kind: its code in the template, its policies outside of its role, a queue in front of it.
const WORKER: &str = r#"
Resources:
  Queue: { Type: AWS::SQS::Queue }
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: { Effect: Allow, Principal: { Service: [lambda.amazonaws.com] }, Action: [sts:AssumeRole] }
      ManagedPolicyArns: ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]
  TakeMessages:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: take-messages
      Roles: [!Ref Role]
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action: [sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes]
            Resource: !GetAtt Queue.Arn
  ReadParameters:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      Roles: [!Ref Role]
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          Effect: Allow
          Action: ssm:GetParameter
          Resource: !Sub "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/worker/*"
  Worker:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.12
      Handler: index.handle
      Code: { ZipFile: "def handle(event, context): return 1" }
      Role: !GetAtt Role.Arn
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: { EventSourceArn: !GetAtt Queue.Arn, FunctionName: !GetAtt Worker.Arn }
  Url:
    Type: AWS::Lambda::Url
    Properties: { TargetFunctionArn: !GetAtt Worker.Arn, AuthType: AWS_IAM }
  PartnerMayCall:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !GetAtt Worker.Arn
      Action: lambda:InvokeFunctionUrl
      Principal: "111122223333"
      FunctionUrlAuthType: AWS_IAM
Outputs:
  Mapping: { Value: !Ref Mapping }
  ReadParameters: { Value: !Ref ReadParameters }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_source_and_policies_outside_of_a_role() {
    let emulator = Emulator::shared();
    let endpoint = emulator.endpoint();
    let project = Project::copy();
    project.write("stacks/worker.yaml", WORKER);
    let stage = Stage::of(project, emulator, &endpoint);
    let output = |name: &str| stage.output("worker", name);
    let told = sound(&stage);
    for word in [
        "event-sources",
        "worker.Mapping",
        "lets in 111122223333, and has a URL with AWS_IAM",
    ] {
        assert!(told.contains(word), "{told}");
    }

    let lambda = &stage.clients.lambda;
    let switch = async |enabled| {
        let update = lambda.update_event_source_mapping().uuid(output("Mapping"));
        update.enabled(enabled).send().await.expect("updated");
    };
    switch(false).await;
    caught(
        &stage,
        &["event-sources worker.Mapping"],
        &["it is disabled, and the template says enabled"],
    );
    switch(true).await;

    let wider = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ssm:*","Resource":"*"}}"#;
    let version = stage
        .clients
        .iam
        .create_policy_version()
        .policy_arn(output("ReadParameters"));
    version
        .policy_document(wider)
        .set_as_default(true)
        .send()
        .await
        .expect("made");
    caught(
        &stage,
        &["role-policies worker.Role", "role-simulated worker.Role"],
        &["ssm:*", "which no template grants"],
    );

    lambda
        .delete_event_source_mapping()
        .uuid(output("Mapping"))
        .send()
        .await
        .expect("deleted");
    let ran = verified(&stage);
    let failed = names(&checks(&ran), "failed");
    assert!(failed.contains("event-sources worker.Mapping"), "{}", ran.stdout);
}

/// An alarm's mail goes nowhere until somebody has confirmed it, and nobody is told.
#[test]
fn mail_that_nobody_confirmed_is_said() {
    const TOPIC: &str = "\
Resources:
  Failures: { Type: AWS::SNS::Topic }
  Mail:
    Type: AWS::SNS::Subscription
    Properties: { TopicArn: !Ref Failures, Protocol: email, Endpoint: oncall@example.com }
";
    let emulator = Emulator::shared();
    let project = Project::bare("mail", &[("stacks/alarms.yaml", TOPIC)]);
    let proxy = Proxy::before(emulator.port());
    let answer = |arn: &'static str| {
        proxy.forget_rules();
        proxy.rule(move |seen| {
            let member = format!(
                "<member><TopicArn>t</TopicArn><Protocol>email</Protocol><SubscriptionArn>{arn}</SubscriptionArn>\
                 <Owner>1</Owner><Endpoint>oncall@example.com</Endpoint></member>"
            );
            let members = if arn.is_empty() { "" } else { &member };
            let xml = format!(
                "<ListSubscriptionsByTopicResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\
                 <ListSubscriptionsByTopicResult><Subscriptions>{members}</Subscriptions>\
                 </ListSubscriptionsByTopicResult></ListSubscriptionsByTopicResponse>"
            );
            (seen.operation == "ListSubscriptionsByTopic").then(|| (200, xml.clone()))
        });
    };
    let run = |command: &str| project.deployer(&proxy.endpoint(), &[command]).success();
    answer("PendingConfirmation");
    for command in ["up", "up", "verify"] {
        let told = run(command);
        assert!(
            told.to_string()
                .contains("whoever reads oncall@example.com has to follow the link"),
            "{told}"
        );
    }
    answer("arn:aws:sns:us-east-1:000000000000:t:1");
    assert!(!run("verify").to_string().contains("nobody is told"));
    answer("");
    let told = run("up");
    assert!(told.to_string().contains("AWS has deleted the subscription"), "{told}");
    // Who may not look isn't told that all is well.
    proxy.forget_rules();
    proxy.rule(|seen| {
        let denied =
            || crate::support::answers::refusal(403, "AuthorizationError", "not authorized to perform: sns:List…");
        (seen.operation == "ListSubscriptionsByTopic").then(denied)
    });
    let unproven = project.deployer(&proxy.endpoint(), &["verify"]).ends_with(3);
    for part in ["mail-confirmed alarms.Mail", "not authorized"] {
        assert!(unproven.stdout.contains(part), "{unproven}");
    }
    unproven.says(&["nothing could be proven: mail-confirmed"]);
}
