//! The table, the function and the API.

use std::collections::BTreeSet;
use std::io::{Cursor, Write};

use aws_sdk_apigateway::types::{GatewayResponseType, Op, PatchOperation};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, Environment, Runtime};

use super::{FUNCTION, STAGE, Stage, TABLE, checks, names};

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_its_items_or_gone() {
    let stage = Stage::deployed();
    let dynamodb = &stage.clients.dynamodb;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let delete = async |id: &str| {
        let delete = dynamodb.delete_item().table_name(TABLE).key("userId", text(id));
        delete.send().await.expect("deleted");
    };
    delete("1").await;
    stage.caught(
        &["data seed items"],
        &["1 of 3 items", "`1` among them", "`deployer seed --stage dev`"],
    );

    // Without any item nobody can see a 200, which is no proof of one.
    delete("2").await;
    delete("3").await;
    stage.caught(&["data seed items"], &["has no item for which it would answer 200"]);
    let ran = stage.verify_at(&stage.emulator.endpoint(), &[]);
    let unproven = ["api answers", "function answers"].map(str::to_owned);
    assert_eq!(names(&checks(&ran), "notProven"), BTreeSet::from(unproven));

    // Any item will do. It may be a person, and isn't named.
    let put = dynamodb.put_item().table_name(TABLE);
    put.item("userId", text("a-real-person")).send().await.expect("put");
    let ran = stage.verify_at(&stage.emulator.endpoint(), &[]);
    assert_eq!(names(&checks(&ran), "notProven"), BTreeSet::new());
    set_variables(&stage, &[("TABLE_NAME", "Another")]).await;
    let ran = stage.verify_at(&stage.emulator.endpoint(), &[]);
    assert!(ran.stdout.contains("for an item of the table"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("a-real-person") && !ran.stderr.contains("a-real-person"));
    let site = stage.output("siteUrl");
    let origin = site.trim_end_matches('/');
    set_variables(&stage, &[("TABLE_NAME", TABLE), ("ALLOWED_ORIGIN", origin)]).await;

    dynamodb.delete_table().table_name(TABLE).send().await.expect("deleted");
    stage.caught(
        &["data table", "data seed items", "function answers", "api answers"],
        &["ResourceNotFoundException"],
    );

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
        &["data table", "data seed items", "function answers", "api answers"],
        &["isn't the text `userId` alone", "KeySchema in stacks/data.yaml"],
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
    let code = stage.clients.lambda.get_function().function_name(FUNCTION);
    let code = code.send().await.expect("it").code.and_then(|code| code.location);
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
        &["function state"],
        &[&format!("for {}, and was built for", other.as_str())],
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
    let kind = GatewayResponseType::MissingAuthenticationToken;
    response.response_type(kind).send().await.expect("deleted");
    redeploy(&stage).await;
    stage.caught(
        &["api unknown path", "api deployment"],
        &["Missing Authentication Token"],
    );
    serve(&stage, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_whose_own_errors_browsers_would_hide() {
    let stage = Stage::deployed();
    let put = stage.clients.apigateway.put_gateway_response();
    let put = put.rest_api_id(stage.output("apiId"));
    put.response_type(GatewayResponseType::Default5Xx)
        .send()
        .await
        .expect("put");
    stage.caught(
        &["api error answers"],
        &["answer DEFAULT_5XX names no allowed origin", "stacks/logic.yaml"],
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
        &["api deployment"],
        &[
            "another definition of the API than stacks/logic.yaml",
            "`deployer up --only logic --stage dev`",
        ],
    );
    let up = ["up", "--stage", STAGE, "--only", "logic", "--output", "json"];
    let up = stage.project.deployer(&stage.emulator.endpoint(), &up).success();
    let made = up.json()["verification"]["checks"].as_array().expect("a list").clone();
    let of_others: BTreeSet<String> = names(&made, "passed")
        .into_iter()
        .filter(|name| name.starts_with("site"))
        .collect();
    assert_eq!(
        of_others,
        BTreeSet::from(["site api address", "site headers"].map(str::to_owned)),
        "a new API would have a new address"
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
