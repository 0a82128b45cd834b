//! `deployer verify`: every check is shown to fail, and only when it should.

use std::collections::BTreeSet;
use std::io::{Cursor, Write};

use aws_sdk_apigateway::types::{Op, PatchOperation};
use aws_sdk_cloudfront::types::ResponseHeadersPolicySecurityHeadersConfig as SecurityHeaders;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, Runtime};
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::support::{Clients, Deployer, Emulator, Project, Proxy, Ran};

/// A stage on an emulator of its own.
struct Stage {
    emulator: Emulator,
    project: Project,
    clients: Clients,
    outputs: Value,
}

const STAGE: &str = "dev";
const FUNCTION: &str = "retrieve-user-data-dev";
const TABLE: &str = "UserData-dev";
const ROLE: &str = "three-tier-dev-function-us-east-1";

impl Stage {
    fn deployed() -> Self {
        let (emulator, project) = (Emulator::start(), Project::copy());
        let up = project
            .deployer(&emulator.endpoint(), &["up", "--stage", STAGE, "--output", "json"])
            .success();
        Self {
            clients: Clients::root(&emulator.endpoint()),
            outputs: up.json()["outputs"].clone(),
            emulator,
            project,
        }
    }

    fn output(&self, name: &str) -> String {
        self.outputs[name].as_str().expect(name).to_owned()
    }

    fn artifacts(&self) -> String {
        self.output("siteBucket").replace("-site-", "-artifacts-")
    }

    fn verify_at(&self, endpoint: &str, args: &[&str]) -> Ran {
        let all = ["verify", "--stage", STAGE, "--output", "json", "--timeout", "2"];
        self.project.deployer(endpoint, &[&all[..], args].concat())
    }

    /// The checks that fail, each as "layer name".
    #[track_caller]
    fn caught(&self, expected: &[&str], words: &[&str]) {
        let ran = self.verify_at(&self.emulator.endpoint(), &[]);
        let checks = checks(&ran);
        let failed: BTreeSet<String> = names(&checks, "failed");
        let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(failed, expected, "{checks:#?}");
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        let evidence: String = checks
            .iter()
            .map(|check| format!("{} {}\n", check["evidence"], check["nextStep"]))
            .collect();
        for word in words {
            assert!(evidence.contains(word), "`{word}` isn't in {evidence}");
        }
        for check in checks.iter().filter(|check| check["result"] == "failed") {
            assert!(
                check["nextStep"].as_str().is_some_and(|next| next.len() > 10),
                "{check}"
            );
        }
        assert!(ran.stderr.contains("\"exitCode\":3"), "{}", ran.stderr);
    }
}

fn checks(ran: &Ran) -> Vec<Value> {
    ran.json()["checks"].as_array().expect("a list").clone()
}

fn names(checks: &[Value], result: &str) -> BTreeSet<String> {
    checks
        .iter()
        .filter(|check| check["result"] == result)
        .map(|check| {
            format!(
                "{} {}",
                check["layer"].as_str().expect("text"),
                check["name"].as_str().expect("text")
            )
        })
        .collect()
}

#[test]
fn a_stage_as_it_was_deployed_passes_every_check() {
    let stage = Stage::deployed();
    let ran = stage.verify_at(&stage.emulator.endpoint(), &[]).success();
    assert_eq!(ran.json()["verified"], true);
    let checks = checks(&ran);
    assert_eq!(names(&checks, "passed").len(), checks.len(), "{checks:#?}");
    let layers: BTreeSet<&str> = checks.iter().filter_map(|check| check["layer"].as_str()).collect();
    assert_eq!(
        layers.into_iter().collect::<Vec<_>>(),
        ["api", "data", "function", "permissions", "privacy", "site"]
    );

    let one = stage
        .verify_at(&stage.emulator.endpoint(), &["--only", "privacy"])
        .success();
    assert!(self::checks(&one).iter().all(|check| check["layer"] == "privacy"));

    let people = stage
        .project
        .deployer(&stage.emulator.endpoint(), &["verify", "--stage", STAGE])
        .success();
    assert!(people.stdout.contains("✓ data         table\n"), "{}", people.stdout);
    stage
        .project
        .deployer(&stage.emulator.endpoint(), &["verify"])
        .fails_with(1)
        .says(&["the stage prod isn't complete", "deployer up"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_its_items_or_gone() {
    let stage = Stage::deployed();
    let key = AttributeValue::S("1".to_owned());
    let table = || stage.clients.dynamodb.delete_item().table_name(TABLE);
    table().key("userId", key).send().await.expect("deleted");
    stage.caught(
        &["data seed items"],
        &["1 of 3 items", "`1` among them", "deployer seed"],
    );

    stage
        .clients
        .dynamodb
        .delete_table()
        .table_name(TABLE)
        .send()
        .await
        .expect("deleted");
    stage.caught(
        &["data table", "data seed items", "function answers", "api answers"],
        &["ResourceNotFoundException"],
    );
}

async fn set_variables(stage: &Stage, variables: &[(&str, &str)]) {
    let mut environment = Environment::builder();
    for (name, value) in variables {
        environment = environment.variables(*name, *value);
    }
    stage
        .clients
        .lambda
        .update_function_configuration()
        .function_name(FUNCTION)
        .environment(environment.build())
        .send()
        .await
        .expect("changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_with_the_wrong_environment() {
    let stage = Stage::deployed();
    let site = stage.output("siteUrl");
    let origin = site.trim_end_matches('/');
    set_variables(&stage, &[("TABLE_NAME", TABLE), ("ALLOWED_ORIGIN", "*")]).await;
    stage.caught(
        &["function environment", "api answers"],
        &["ALLOWED_ORIGIN is `*` and should be", "allows the origin * instead of"],
    );
    set_variables(
        &stage,
        &[("TABLE_NAME", TABLE), ("ALLOWED_ORIGIN", "https://other.example")],
    )
    .await;
    stage.caught(&["function environment", "api answers"], &["https://other.example"]);
    set_variables(&stage, &[("TABLE_NAME", TABLE)]).await;
    stage.caught(
        &["function environment", "function answers", "api answers"],
        &["ALLOWED_ORIGIN isn't set"],
    );
    set_variables(&stage, &[("TABLE_NAME", "Another"), ("ALLOWED_ORIGIN", origin)]).await;
    stage.caught(
        &["function environment", "function answers", "api answers"],
        &["TABLE_NAME is `Another`", "instead of 200"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_fails_or_has_another_runtime() {
    let stage = Stage::deployed();
    let update = stage
        .clients
        .lambda
        .update_function_configuration()
        .function_name(FUNCTION);
    update.runtime(Runtime::Providedal2).send().await.expect("changed");
    stage.caught(&["function state"], &["provided.al2 for", "built for provided.al2023"]);

    let update = stage
        .clients
        .lambda
        .update_function_configuration()
        .function_name(FUNCTION);
    update.runtime(Runtime::Providedal2023).send().await.expect("changed");
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    archive.start_file("bootstrap", options).expect("a file");
    archive.write_all(b"#!/bin/sh\nexit 1\n").expect("written");
    let code = Blob::new(archive.finish().expect("a zip").into_inner());
    let update = stage.clients.lambda.update_function_code().function_name(FUNCTION);
    update.zip_file(code).send().await.expect("changed");
    stage.caught(&["function answers", "api answers"], &["retrieve-user-data-dev fails"]);
}

/// Takes a snapshot of the API as it is, and serves it. That isn't the stack's any more.
async fn redeploy(stage: &Stage) -> String {
    let (api, gateway) = (stage.output("apiId"), &stage.clients.apigateway);
    let made = gateway
        .create_deployment()
        .rest_api_id(&api)
        .send()
        .await
        .expect("made");
    let id = made.id().expect("an id").to_owned();
    serve(stage, &id).await;
    id
}

async fn serve(stage: &Stage, deployment: &str) {
    let patch = PatchOperation::builder()
        .op(Op::Replace)
        .path("/deploymentId")
        .value(deployment)
        .build();
    let gateway = &stage.clients.apigateway;
    let update = gateway
        .update_stage()
        .rest_api_id(stage.output("apiId"))
        .stage_name(STAGE);
    update.patch_operations(patch).send().await.expect("moved");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_on_an_old_deployment_or_without_its_answers() {
    let stage = Stage::deployed();
    let api = stage.output("apiId");
    let gateway = &stage.clients.apigateway;
    let live = gateway
        .get_stage()
        .rest_api_id(&api)
        .stage_name(STAGE)
        .send()
        .await
        .expect("it");
    let live = live.deployment_id().expect("an id").to_owned();
    let other = redeploy(&stage).await;
    stage.caught(&["api deployment"], &[&other, &live, "aws apigateway update-stage"]);
    serve(&stage, &live).await;

    let response = gateway.delete_gateway_response().rest_api_id(&api);
    let kind = aws_sdk_apigateway::types::GatewayResponseType::MissingAuthenticationToken;
    response.response_type(kind).send().await.expect("deleted");
    redeploy(&stage).await;
    stage.caught(
        &["api unknown path", "api deployment"],
        &["Missing Authentication Token"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_whose_preflight_is_wrong() {
    let stage = Stage::deployed();
    let api = stage.output("apiId");
    let gateway = &stage.clients.apigateway;
    let resources = gateway.get_resources().rest_api_id(&api).send().await.expect("a list");
    let users = resources
        .items()
        .iter()
        .find(|resource| resource.path() == Some("/users"));
    let users = users.and_then(|resource| resource.id()).expect("/users").to_owned();
    let site = stage.output("siteUrl");
    let origin = format!("'{}'", site.trim_end_matches('/'));
    let header = |name: &str| format!("method.response.header.Access-Control-Allow-{name}");
    let answer = async |allowed: &[(&str, &str)]| {
        let mut put = gateway.put_integration_response().rest_api_id(&api).resource_id(&users);
        for (name, value) in allowed {
            put = put.response_parameters(header(name), *value);
        }
        put.http_method("OPTIONS").status_code("200").send().await.expect("put");
        redeploy(&stage).await;
    };
    let both = ["api preflight", "api deployment"];
    let (methods, headers) = (("Methods", "'GET,OPTIONS'"), ("Headers", "'Content-Type'"));
    answer(&[("Origin", "'*'"), methods, headers]).await;
    stage.caught(&both, &["allows the origin *"]);
    answer(&[methods, headers]).await;
    stage.caught(&both, &["names no allowed origin"]);
    answer(&[("Origin", &origin), methods]).await;
    stage.caught(&both, &["access-control-allow-headers is ``"]);
    answer(&[("Origin", &origin), methods, headers]).await;
    stage.caught(&both[1..], &["and the newest is"]);

    let delete = gateway.delete_method().rest_api_id(&api).resource_id(&users);
    delete.http_method("OPTIONS").send().await.expect("deleted");
    redeploy(&stage).await;
    stage.caught(&both, &["the preflight (OPTIONS"]);
}

async fn put(stage: &Stage, key: &str, text: &str, kind: &str) {
    let put = stage
        .clients
        .s3
        .put_object()
        .bucket(stage.output("siteBucket"))
        .key(key);
    put.body(ByteStream::from(text.as_bytes().to_vec()))
        .content_type(kind)
        .send()
        .await
        .expect("put");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_with_a_file_that_is_stale_missing_or_of_another_type() {
    let stage = Stage::deployed();
    let style = stage.project.read("site/style.css");
    put(&stage, "style.css", "body {}", "text/css; charset=utf-8").await;
    stage.caught(
        &["site files"],
        &[
            "the published style.css isn't the file of the project's site/",
            "--only site",
        ],
    );
    put(&stage, "style.css", &style, "text/plain").await;
    stage.caught(&["site files"], &["style.css is called `text/plain`"]);
    let delete = stage.clients.s3.delete_object().bucket(stage.output("siteBucket"));
    delete.key("style.css").send().await.expect("deleted");
    stage.caught(&["site files"], &["style.css isn't published"]);
    put(&stage, "style.css", &style, "text/css; charset=utf-8").await;

    put(
        &stage,
        "config.json",
        r#"{"apiUrl":"https://other.example/users"}"#,
        "application/json",
    )
    .await;
    stage.caught(&["site api address"], &["names the API https://other.example/users"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_without_its_security_headers() {
    let stage = Stage::deployed();
    let cloudfront = &stage.clients.cloudfront;
    let distribution = cloudfront
        .get_distribution()
        .id(stage.output("distributionId"))
        .send()
        .await
        .expect("it");
    let config = distribution
        .distribution
        .and_then(|it| it.distribution_config)
        .expect("a configuration");
    let policy = config
        .default_cache_behavior
        .and_then(|behaviour| behaviour.response_headers_policy_id);
    let policy = policy.expect("a policy");
    let is = cloudfront
        .get_response_headers_policy_config()
        .id(&policy)
        .send()
        .await
        .expect("it");
    let config = is.response_headers_policy_config.expect("a configuration");
    let security = config.security_headers_config.clone().expect("headers");
    let set = async |security: SecurityHeaders| {
        let etag = cloudfront
            .get_response_headers_policy_config()
            .id(&policy)
            .send()
            .await
            .expect("it")
            .e_tag;
        let mut config = config.clone();
        config.security_headers_config = Some(security);
        let update = cloudfront
            .update_response_headers_policy()
            .id(&policy)
            .set_if_match(etag);
        update
            .response_headers_policy_config(config)
            .send()
            .await
            .expect("changed");
    };
    let mut lacking = security.clone();
    lacking.frame_options = None;
    set(lacking).await;
    stage.caught(&["site headers"], &["x-frame-options"]);
    let mut wide = security.clone();
    let csp = wide.content_security_policy.as_mut().expect("a policy");
    csp.content_security_policy = csp
        .content_security_policy
        .replace("connect-src 'self'", "connect-src *");
    set(wide).await;
    stage.caught(&["site headers"], &["connect-src"]);
    let mut other = security;
    let csp = other.content_security_policy.as_mut().expect("a policy");
    csp.content_security_policy = csp.content_security_policy.replace("execute-api", "other-api");
    set(other).await;
    stage.caught(&["site headers"], &["allows connect-src http://", "as well"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_that_others_may_read() {
    let stage = Stage::deployed();
    let s3 = &stage.clients.s3;
    for (bucket, name) in [(stage.output("siteBucket"), "site"), (stage.artifacts(), "artifacts")] {
        let block = s3.get_public_access_block().bucket(&bucket).send().await.expect("it");
        s3.delete_public_access_block()
            .bucket(&bucket)
            .send()
            .await
            .expect("deleted");
        let check = format!("privacy {name} bucket blocks public access");
        stage.caught(&[&check], &["RestrictPublicBuckets of"]);

        let before = s3.get_bucket_policy().bucket(&bucket).send().await.expect("it");
        let all = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"],
             "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")]}]});
        s3.put_bucket_policy()
            .bucket(&bucket)
            .policy(all.to_string())
            .send()
            .await
            .expect("put");
        let (policy, reads) = (
            format!("privacy {name} bucket policy"),
            format!("privacy {name} bucket unreadable"),
        );
        stage.caught(&[&check, &policy, &reads], &["to anybody, instead of 403"]);

        let put = s3.put_bucket_policy().bucket(&bucket);
        put.policy(before.policy().expect("text")).send().await.expect("put");
        let put = s3.put_public_access_block().bucket(&bucket);
        put.set_public_access_block_configuration(block.public_access_block_configuration)
            .send()
            .await
            .expect("put");
    }
    let bucket = stage.artifacts();
    s3.delete_bucket_policy().bucket(&bucket).send().await.expect("deleted");
    let artifacts = "privacy artifacts bucket policy";
    stage.caught(&[artifacts], &["doesn't refuse plain HTTP"]);
    let bucket = stage.output("siteBucket");
    s3.delete_bucket_policy().bucket(&bucket).send().await.expect("deleted");
    stage.caught(
        &[
            artifacts,
            "privacy site bucket policy",
            "site files",
            "site api address",
        ],
        &["lets nobody read, CloudFront neither"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_do_more() {
    let stage = Stage::deployed();
    let iam = &stage.clients.iam;
    let both = ["permissions role policies", "permissions simulated"];
    let before = iam
        .get_role_policy()
        .role_name(ROLE)
        .policy_name("read-one-table")
        .send()
        .await
        .expect("it");
    let before = percent_encoding::percent_decode_str(before.policy_document())
        .decode_utf8_lossy()
        .into_owned();
    let set = async |text: &str| {
        let put = iam.put_role_policy().role_name(ROLE).policy_name("read-one-table");
        put.policy_document(text).send().await.expect("put");
    };
    set(&before.replace("dynamodb:GetItem", "dynamodb:*")).await;
    stage.caught(&both, &["allows dynamodb:* on", "may dynamodb:PutItem on"]);
    set(&before.replace(&format!("table/{TABLE}"), "table/*")).await;
    stage.caught(&both, &["allows dynamodb:GetItem on", "another table"]);
    set(&before.replace(&format!("table/{TABLE}"), "table/Another")).await;
    stage.caught(
        &[both[0], both[1], "function answers", "api answers"],
        &["may not dynamodb:GetItem on", "instead of 200"],
    );
    set(&before).await;

    let attach = iam.attach_role_policy().role_name(ROLE);
    let arn = "arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess";
    attach.policy_arn(arn).send().await.expect("attached");
    // The emulator's simulator doesn't know what AWS's own policies say.
    stage.caught(&both[..1], &["AmazonDynamoDBReadOnlyAccess is attached to"]);
    iam.detach_role_policy()
        .role_name(ROLE)
        .policy_arn(arn)
        .send()
        .await
        .expect("detached");

    let put = iam.put_role_policy().role_name(ROLE).policy_name("second");
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*"}}"#;
    put.policy_document(text).send().await.expect("put");
    stage.caught(&both[..1], &["2 inline policies instead of one"]);
}

#[test]
fn who_may_not_simulate_gets_not_proven() {
    let stage = Stage::deployed();
    let proxy = Proxy::before(stage.emulator.port());
    proxy.rule(|seen| {
        (seen.operation == "SimulatePrincipalPolicy").then(|| {
            let text = "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
                        <Code>AccessDenied</Code><Message>not authorized to perform: iam:SimulatePrincipalPolicy</Message>\
                        </Error><RequestId>1</RequestId></ErrorResponse>";
            (403, text.to_owned())
        })
    });
    let ran = stage.verify_at(&proxy.endpoint(), &["--only", "permissions"]).success();
    let checks = checks(&ran);
    assert_eq!(
        names(&checks, "notProven"),
        BTreeSet::from(["permissions simulated".to_owned()])
    );
    assert_eq!(ran.json()["verified"], true);
    assert!(checks.iter().any(|check| {
        check["evidence"]
            .as_str()
            .is_some_and(|e| e.contains("iam:SimulatePrincipalPolicy"))
    }));
}

#[test]
fn the_simulators_answer_is_read_as_aws_shapes_it() {
    let stage = Stage::deployed();
    let proxy = Proxy::before(stage.emulator.port());
    // One result an action; the decision for the resource is in the specific results, and the top is the strictest.
    let result = |action: &str, top: &str, resource: &str, specific: &str| {
        format!(
            "<member><EvalActionName>{action}</EvalActionName><EvalResourceName>arn:aws:dynamodb:*:*:table/*</EvalResourceName>\
             <EvalDecision>{top}</EvalDecision><ResourceSpecificResults><member><EvalResourceName>{resource}</EvalResourceName>\
             <EvalResourceDecision>{specific}</EvalResourceDecision></member></ResourceSpecificResults></member>"
        )
    };
    let seen_resources = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let note = std::sync::Arc::clone(&seen_resources);
    proxy.rule(move |seen| {
        if seen.operation != "SimulatePrincipalPolicy" {
            return None;
        }
        let resource = seen.parameter("ResourceArns.member.1").expect("a resource");
        assert_eq!(seen.parameter("ResourceArns.member.2"), None, "one resource a call");
        note.lock().expect("unpoisoned").push(resource.clone());
        let mut results = String::new();
        for number in 1.. {
            let Some(action) = seen.parameter(&format!("ActionNames.member.{number}")) else {
                break;
            };
            let allowed = action == "dynamodb:GetItem" && resource.ends_with("/UserData-dev");
            let decision = if allowed { "allowed" } else { "implicitDeny" };
            results.push_str(&result(&action, "implicitDeny", &resource, decision));
        }
        Some((
            200,
            format!(
                "<SimulatePrincipalPolicyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
                 <SimulatePrincipalPolicyResult><EvaluationResults>{results}</EvaluationResults>\
                 <IsTruncated>false</IsTruncated></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
            ),
        ))
    });
    let ran = stage.verify_at(&proxy.endpoint(), &["--only", "permissions"]).success();
    assert_eq!(names(&checks(&ran), "passed").len(), 2);
    let mut resources = seen_resources.lock().expect("unpoisoned").clone();
    resources.sort();
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/UserData-dev";
    assert_eq!(resources, [arn.to_owned(), format!("{arn}-another")]);
}

#[test]
fn what_aws_is_still_about_is_waited_for() {
    let stage = Stage::deployed();
    let proxy = Proxy::before(stage.emulator.port());
    let mut looks = 0;
    proxy.rule(move |seen| {
        if !(seen.method == "GET" && seen.path.ends_with("/configuration") && seen.path.contains(FUNCTION)) {
            return None;
        }
        looks += 1;
        (looks <= 3).then(|| (200, json!({"FunctionName": FUNCTION, "State": "Pending"}).to_string()))
    });
    let only = ["verify", "--stage", STAGE, "--output", "json", "--only", "function"];
    let ran = stage.project.deployer(&proxy.endpoint(), &only);
    assert!(
        ran.stderr
            .contains("waiting: retrieve-user-data-dev is being made ready"),
        "{}",
        ran.stderr
    );

    proxy.rule(|seen| {
        let is_it = seen.method == "GET" && seen.path.contains("/distribution/");
        is_it.then(|| {
            let text = "<Distribution><Id>E1</Id><ARN>a</ARN><Status>InProgress</Status>\
                        <LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime><InProgressInvalidationBatches>0\
                        </InProgressInvalidationBatches><DomainName>d</DomainName></Distribution>";
            (200, text.to_owned())
        })
    });
    let ran = Deployer::new(
        stage.project.path(),
        &[&only[..5], &["--only", "site", "--timeout", "1"]].concat(),
    )
    .at(&proxy.endpoint())
    .run();
    assert_eq!(ran.code, 3);
    let checks = checks(&ran);
    assert!(
        checks
            .iter()
            .all(|check| check["evidence"].as_str().is_some_and(|e| e.contains("still taking"))),
        "{checks:#?}"
    );
}

#[test]
fn what_settles_in_a_moment_is_no_failure() {
    let (emulator, project) = (Emulator::start(), Project::copy());
    let proxy = Proxy::before(emulator.port());
    project
        .deployer(&proxy.endpoint(), &["up", "--stage", STAGE, "--no-verify"])
        .success();
    // A new role that may not read yet, then an API that isn't everywhere yet.
    let mut answers = vec![(403, "{}"), (500, r#"{"error":"Internal server error"}"#)];
    proxy.rule(move |seen| {
        let is_it = seen.method == "GET" && seen.path.starts_with("/dev/users");
        let answer = is_it.then(|| answers.pop()).flatten();
        answer.map(|(status, text)| (status, text.to_owned()))
    });
    let verify = ["verify", "--stage", STAGE, "--only", "api"];
    let ran = project.deployer(&proxy.endpoint(), &[&verify[..], &["--output", "json"]].concat());
    let ran = ran.success();
    assert_eq!(ran.json()["verified"], true);
    assert!(ran.stderr.contains("answers 500 instead of 200"), "{}", ran.stderr);
    assert!(ran.stderr.contains("answers 403 instead of 200"), "{}", ran.stderr);
}
