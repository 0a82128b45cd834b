//! The table, the function and the API.

use std::io::{Cursor, Write};

use aws_sdk_apigateway::types::{GatewayResponseType, Op, PatchOperation};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, PointInTimeRecoverySpecification,
    ScalarAttributeType,
};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, Environment, Runtime};

use super::{FUNCTION, MISSES, READS, REFUSALS, STAGE, Stage, TABLE, failed_are, names, without};

/// The function's answer to what it isn't for.
const ANSWERS_OPTIONS: &str = "invocations the function answers OPTIONS with nothing";

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_its_items_or_gone() {
    let stage = Stage::deployed();
    let dynamodb = &stage.clients.dynamodb;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let delete = async |id: &str| {
        let delete = dynamodb.delete_item().table_name(TABLE).key("userId", text(id));
        delete.send().await.expect("deleted");
    };
    let gone = ["seed-items data.Table", READS[0], READS[2]];
    delete("1").await;
    stage.caught(
        &gone,
        &["1 of 3 items", "userId \"1\" among them", "`deployer seed --stage dev`"],
    );

    // Nothing of what the contract says of a user can be seen without one: that is neither right nor wrong.
    delete("2").await;
    delete("3").await;
    stage.caught(&gone[..1], &["3 of 3 items"]);

    let of_table = ["table-schema", "table-protection", "seed-items"].map(|check| format!("{check} data.Table"));
    let of_table = of_table.each_ref().map(String::as_str);
    let table_is_gone = [&of_table[..], READS, MISSES].concat();
    dynamodb.delete_table().table_name(TABLE).send().await.expect("deleted");
    stage.caught(&table_is_gone, &["ResourceNotFoundException"]);

    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
    let attribute = AttributeDefinition::builder()
        .attribute_name("id")
        .attribute_type(ScalarAttributeType::S);
    let create = dynamodb.create_table().table_name(TABLE);
    create
        .key_schema(key.build().expect("complete"))
        .attribute_definitions(attribute.build().expect("complete"))
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .expect("created");
    stage.caught(
        &[&[of_table[0], of_table[2]], READS, MISSES].concat(),
        &[
            "is id (S), and the template has userId (S)",
            "KeySchema in stacks/data.yaml",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_lets_others_in_by_a_policy_of_its_own() {
    let stage = Stage::deployed();
    let dynamodb = &stage.clients.dynamodb;
    let table = dynamodb.describe_table().table_name(TABLE).send().await.expect("there");
    let arn = table.table.and_then(|table| table.table_arn).expect("it has one");
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": { "AWS": "111122223333" }, "Action": "dynamodb:Scan", "Resource": arn,
    }});
    let put = dynamodb.put_resource_policy().resource_arn(&arn);
    put.policy(policy.to_string()).send().await.expect("put");
    let protection = "table-protection data.Table";
    let delete = format!("aws dynamodb delete-resource-policy --resource-arn {arn}");
    stage.caught(
        &[protection],
        &["a policy that no template has", "111122223333", &delete],
    );

    // The same in the template is what is wanted.
    let template = stage.project.read("stacks/data.yaml");
    let properties = "    Type: AWS::DynamoDB::Table\n";
    assert!(template.contains(properties), "{template}");
    let data = ["--only", "table-protection"];
    let with = |action: &str| {
        let policy = policy.to_string().replace("dynamodb:Scan", action);
        let wanted = format!("    Properties:\n      ResourcePolicy: {{ PolicyDocument: {policy} }}\n");
        let (before, after) = template.split_once(properties).expect("a table");
        let after = after.replacen("    Properties:\n", &wanted, 1);
        stage
            .project
            .write("stacks/data.yaml", &format!("{before}{properties}{after}"));
    };
    with("dynamodb:Scan");
    let ran = stage.verify_at(&stage.emulator.endpoint(), &data).success();
    assert!(ran.stdout.contains("the template's policy"), "{}", ran.stdout);
    with("dynamodb:GetItem");
    let ran = stage.verify_at(&stage.emulator.endpoint(), &data);
    failed_are(&ran, &[protection], &["instead of", "dynamodb:Scan"]);
    stage.project.write("stacks/data.yaml", &template);

    dynamodb
        .delete_resource_policy()
        .resource_arn(&arn)
        .send()
        .await
        .expect("deleted");
    stage.verify_at(&stage.emulator.endpoint(), &data).success();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_protection_is_switched_over() {
    let stage = Stage::deployed();
    let dynamodb = &stage.clients.dynamodb;
    let protect = async |table: &str, on: bool| {
        let update = dynamodb.update_table().table_name(table);
        update.deletion_protection_enabled(on).send().await.expect("changed");
    };
    protect(TABLE, true).await;
    let protection = "table-protection data.Table";
    stage.caught(
        &[protection],
        &[
            "deletion protection on of the table UserData-dev, and the template has it off",
            "stacks/data.yaml",
        ],
    );
    protect(TABLE, false).await;
    stage
        .verify_at(&stage.emulator.endpoint(), &["--only", "data"])
        .success();

    let recovery = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(true);
    dynamodb
        .update_continuous_backups()
        .table_name(TABLE)
        .point_in_time_recovery_specification(recovery.build().expect("complete"))
        .send()
        .await
        .expect("changed");
    stage.caught(
        &[protection],
        &["point-in-time recovery on of the table UserData-dev, and the template has it off"],
    );

    // The other way round, on a stage that is protected.
    let prod = |args: &[&str]| stage.project.deployer(&stage.emulator.endpoint(), args);
    prod(&["up", "--stage", "prod", "--no-verify"]).success();
    let verify = [
        "verify",
        "--stage",
        "prod",
        "--only",
        "data",
        "--output",
        "json",
        "--timeout",
        "2",
    ];
    let sound = prod(&verify).success();
    assert!(sound.stdout.contains("deletion protection on"), "{}", sound.stdout);
    protect("UserData", false).await;
    failed_are(
        &prod(&verify),
        &[protection],
        &["deletion protection off of the table UserData, and the template has it on"],
    );
}

/// Gives the function these variables and leaves it the others, without an `ALLOWED_ORIGIN` that isn't among them.
async fn set_variables(stage: &Stage, variables: &[(&str, &str)]) {
    let lambda = &stage.clients.lambda;
    let is = lambda.get_function_configuration().function_name(FUNCTION);
    let is = is.send().await.expect("there");
    let mut all = is.environment().and_then(|all| all.variables()).expect("some").clone();
    all.remove("ALLOWED_ORIGIN");
    all.extend(
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    let update = lambda.update_function_configuration().function_name(FUNCTION);
    let environment = Environment::builder().set_variables(Some(all)).build();
    update.environment(environment).send().await.expect("changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_with_the_wrong_environment() {
    let stage = Stage::deployed();
    let origin = stage.site();
    let environment = "function-environment logic.Function";
    // All that compares the header: not what reads more than it says.
    let with_header = without(&[READS, MISSES, REFUSALS].concat(), READS[1]);
    let other_origin = [&[environment, ANSWERS_OPTIONS], &with_header[..]].concat();
    set_variables(&stage, &[("TABLE_NAME", TABLE), ("ALLOWED_ORIGIN", "*")]).await;
    stage.caught(
        &other_origin,
        &[
            "ALLOWED_ORIGIN is `*` and should be",
            "the header Access-Control-Allow-Origin is `*` and should be",
        ],
    );
    set_variables(
        &stage,
        &[("TABLE_NAME", TABLE), ("ALLOWED_ORIGIN", "https://other.example")],
    )
    .await;
    stage.caught(&other_origin, &["https://other.example"]);
    set_variables(&stage, &[("TABLE_NAME", TABLE)]).await;
    stage.caught(
        &[&[environment, ANSWERS_OPTIONS], READS, MISSES, REFUSALS].concat(),
        &["ALLOWED_ORIGIN isn't set"],
    );
    set_variables(&stage, &[("TABLE_NAME", "Another"), ("ALLOWED_ORIGIN", &origin)]).await;
    stage.caught(
        &[&[environment], READS, MISSES].concat(),
        &["TABLE_NAME is `Another`", "the status is 500 and should be 200"],
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
    let state = "function-state logic.Function";
    stage.caught(
        &[state],
        &["Runtime is provided.al2, and the template says provided.al2023"],
    );

    let update = stage
        .clients
        .lambda
        .update_function_configuration()
        .function_name(FUNCTION);
    update.runtime(Runtime::Providedal2023).send().await.expect("changed");
    let code = stage.clients.lambda.get_function().function_name(FUNCTION);
    let code = code.send().await.expect("it").code.and_then(|code| code.location);
    // Fails when another test was first, and that is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let code = reqwest::get(code.expect("an address")).await.expect("an answer");
    let code = Blob::new(code.bytes().await.expect("a zip").to_vec());
    let update = || stage.clients.lambda.update_function_code().function_name(FUNCTION);
    let other = match std::env::consts::ARCH {
        "aarch64" => Architecture::X8664,
        _ => Architecture::Arm64,
    };
    let of_other = update().architectures(other.clone()).zip_file(code.clone());
    of_other.send().await.expect("changed");
    stage.caught(
        &[state],
        &[&format!("Architectures is {}, and the template says", other.as_str())],
    );

    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    archive.start_file("bootstrap", options).expect("a file");
    archive.write_all(b"#!/bin/sh\nexit 1\n").expect("written");
    let code = Blob::new(archive.finish().expect("a zip").into_inner());
    let here = match other {
        Architecture::Arm64 => Architecture::X8664,
        _ => Architecture::Arm64,
    };
    update()
        .architectures(here)
        .zip_file(code)
        .send()
        .await
        .expect("changed");
    stage.caught(
        &[
            &["function-code logic.Function", ANSWERS_OPTIONS],
            READS,
            MISSES,
            REFUSALS,
        ]
        .concat(),
        &["logic.Function fails", "in the bucket"],
    );
}

/// Takes a snapshot of the API as it is, and serves it. That isn't the stack's any more.
async fn redeploy(stage: &Stage) -> String {
    let (api, gateway) = (stage.api(), &stage.clients.apigateway);
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
    let update = gateway.update_stage().rest_api_id(stage.api()).stage_name(STAGE);
    update.patch_operations(patch).send().await.expect("moved");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_on_an_old_deployment_or_without_its_answers() {
    let stage = Stage::deployed();
    let api = stage.api();
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
    stage.caught(
        &["api-deployment logic.ApiStage"],
        &[&other, &live, "aws apigateway update-stage"],
    );
    serve(&stage, &live).await;

    let response = gateway.delete_gateway_response().rest_api_id(&api);
    let kind = GatewayResponseType::MissingAuthenticationToken;
    response.response_type(kind).send().await.expect("deleted");
    redeploy(&stage).await;
    stage.caught(
        &[
            "api-error-answers logic.AnswersToUnknownPaths",
            "api-deployment logic.ApiStage",
            "requests the stage's root is a 404 that names the right path",
        ],
        &["Missing Authentication Token"],
    );
    serve(&stage, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_whose_own_errors_browsers_would_hide() {
    let stage = Stage::deployed();
    let put = stage.clients.apigateway.put_gateway_response();
    let put = put.rest_api_id(stage.api());
    put.response_type(GatewayResponseType::Default5Xx)
        .send()
        .await
        .expect("put");
    stage.caught(
        &["api-error-answers logic.AnswersToFailures"],
        &[
            "API Gateway's own answer DEFAULT_5XX: ",
            "header.Access-Control-Allow-Origin isn't there and should be 'http",
            "stacks/logic.yaml",
        ],
    );
}

#[test]
fn an_api_whose_newest_definition_is_not_deployed() {
    let stage = Stage::deployed();
    stage.project.edit(
        "stacks/logic.yaml",
        "Description: The item as it is stored.",
        "Description: x",
    );
    stage.caught(
        &["api-deployment logic.ApiStage"],
        &[
            "another definition of the API than stacks/logic.yaml",
            "`deployer up --only logic --stage dev`",
        ],
    );
    let up = ["up", "--stage", STAGE, "--only", "logic", "--output", "json"];
    let up = stage.project.deployer(&stage.emulator.endpoint(), &up).success();
    let made = up.json()["verification"]["checks"].as_array().expect("a list").clone();
    let passed = names(&made, "passed");
    for check in ["site-config", "site-headers"] {
        let check = stage.of_site(check);
        assert!(
            passed.contains(&check),
            "a new API would have a new address: {passed:?}"
        );
    }
    let of_data: Vec<&String> = passed.iter().filter(|name| name.ends_with(" data.Table")).collect();
    assert!(of_data.is_empty(), "{of_data:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_whose_preflight_is_wrong() {
    let stage = Stage::deployed();
    let api = stage.api();
    let gateway = &stage.clients.apigateway;
    let resources = gateway.get_resources().rest_api_id(&api).send().await.expect("a list");
    let users = resources
        .items()
        .iter()
        .find(|resource| resource.path() == Some("/users"));
    let users = users.and_then(|resource| resource.id()).expect("/users").to_owned();
    let origin = format!("'{}'", stage.site());
    let header = |name: &str| format!("method.response.header.Access-Control-Allow-{name}");
    let answer = async |allowed: &[(&str, &str)]| {
        let mut put = gateway.put_integration_response().rest_api_id(&api).resource_id(&users);
        for (name, value) in allowed {
            put = put.response_parameters(header(name), *value);
        }
        put.http_method("OPTIONS").status_code("200").send().await.expect("put");
        redeploy(&stage).await;
    };
    let all = [
        "api-preflight logic.UsersPreflight",
        "requests a browser may ask",
        "api-deployment logic.ApiStage",
    ];
    let (methods, headers) = (
        ("Methods", "'GET,OPTIONS'"),
        ("Headers", "'Content-Type,Authorization'"),
    );
    answer(&[("Origin", "'*'"), methods, headers]).await;
    stage.caught(&all, &["access-control-allow-origin is `*` and should be"]);
    answer(&[methods, headers]).await;
    stage.caught(&all, &["access-control-allow-origin isn't there"]);
    answer(&[("Origin", &origin), methods]).await;
    stage.caught(&all, &["access-control-allow-headers isn't there"]);
    answer(&[("Origin", &origin), methods, headers]).await;
    stage.caught(&all[2..], &["and the newest is"]);

    let delete = gateway.delete_method().rest_api_id(&api).resource_id(&users);
    delete.http_method("OPTIONS").send().await.expect("deleted");
    redeploy(&stage).await;
    stage.caught(
        &[&all[..], &["api-routes logic.Api"]].concat(),
        &["the preflight (OPTIONS", "OPTIONS /users isn't live"],
    );
}
