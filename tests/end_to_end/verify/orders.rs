//! Each of verify's checks is shown to fail on examples/orders, too: an app of another shape, with other names.

use std::collections::BTreeSet;
use std::io::{Cursor, Write};

use aws_sdk_apigateway::types::{GatewayResponseType, Op, PatchOperation};
use aws_sdk_cloudfront::types::ViewerProtocolPolicy;
use aws_sdk_dynamodb::types::{
    AttributeValue, DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate, PointInTimeRecoverySpecification,
};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::Environment;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, ChecksumAlgorithm, VersioningConfiguration};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{STAGE, Stage, failed_are, ids};
use crate::support::{Emulator, Project};

const CUSTOMERS: &str = "orders-dev-customers";
const ORDERS: &str = "orders-dev";

/// One stage that is broken in as many ways as there are checks, and some more, before it is looked at once.
#[tokio::test(flavor = "multi_thread")]
async fn each_check_fails_on_another_app_as_well() {
    let emulator = Emulator::start();
    let endpoint = emulator.endpoint();
    let stage = Stage::of(Project::of("orders"), emulator, &endpoint);
    let sound = stage.verify_at(&endpoint, &[]).success();
    let made: BTreeSet<String> = super::checks(&sound)
        .iter()
        .filter(|check| check["result"] == "passed")
        .map(|check| check["check"].as_str().expect("an id").to_owned())
        .collect();
    let mut all = ids();
    assert!(all.remove("mail-confirmed"), "of which this app has none");
    assert_eq!(made, all, "{}", sound.stdout);

    let mut expected = Vec::new();
    let mut words = Vec::new();
    tables(&stage, &mut expected, &mut words).await;
    functions(&stage, &mut expected, &mut words).await;
    roles(&stage, &mut expected, &mut words).await;
    api(&stage, &mut expected, &mut words).await;
    site(&stage, &mut expected, &mut words).await;
    buckets(&stage, &mut expected, &mut words).await;
    contract(&stage, &mut expected, &mut words);

    let found = |expected: &Names, words: &Names| {
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        failed_are(&stage.verify_at(&endpoint, &[]), &expected, &words);
    };
    found(&expected, &words);
    // This one hides what else is wrong with the site, so it comes by itself.
    let told = https(&stage).await;
    expected.extend(["site-https", "site-addresses"].map(|check| stage.of_site(check)));
    found(&expected, &told);
    let failing: BTreeSet<String> = expected
        .iter()
        .filter_map(|name| Some(name.split_once(' ')?.0.to_owned()))
        .collect();
    assert_eq!(failing, all, "every check there is");
}

type Names = Vec<String>;

fn add(names: &mut Names, more: &[&str]) {
    names.extend(more.iter().map(|name| (*name).to_owned()));
}

async fn tables(stage: &Stage, expected: &mut Names, words: &mut Names) {
    let dynamodb = &stage.clients.dynamodb;
    let id = AttributeValue::S("c-2".to_owned());
    let delete = dynamodb.delete_item().table_name(CUSTOMERS).key("customerId", id);
    delete.send().await.expect("deleted");
    add(expected, &["seed-items customers.CustomersTable"]);
    add(
        words,
        &["1 of 2 items aren't in orders-dev-customers, customerId \"c-2\" among them"],
    );

    let update = dynamodb.update_table().table_name(CUSTOMERS);
    update.deletion_protection_enabled(true).send().await.expect("on");
    add(expected, &["table-protection customers.CustomersTable"]);
    add(words, &["deletion protection on of the table orders-dev-customers"]);
    let on = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(true);
    dynamodb
        .update_continuous_backups()
        .table_name(ORDERS)
        .point_in_time_recovery_specification(on.build().expect("complete"))
        .send()
        .await
        .expect("on");
    add(expected, &["table-protection orders.OrdersTable"]);
    add(words, &["point-in-time recovery on of the table orders-dev,"]);

    let index = DeleteGlobalSecondaryIndexAction::builder().index_name("by-state");
    let update = GlobalSecondaryIndexUpdate::builder().delete(index.build().expect("complete"));
    let gone = dynamodb.update_table().table_name(ORDERS);
    gone.global_secondary_index_updates(update.build())
        .send()
        .await
        .expect("deleted");
    add(expected, &["table-schema orders.OrdersTable"]);
    add(words, &["the index by-state of orders-dev isn't there"]);
}

async fn functions(stage: &Stage, expected: &mut Names, words: &mut Names) {
    let lambda = &stage.clients.lambda;
    let update = lambda.update_function_configuration();
    let update = update.function_name("orders-dev-create-order").timeout(11);
    update.send().await.expect("changed");
    add(expected, &["function-state shop-api.CreateOrder"]);
    add(words, &["Timeout is 11, and the template says 10"]);

    let worker = "orders-dev-process-order";
    let is = lambda.get_function_configuration().function_name(worker);
    let is = is.send().await.expect("there");
    let mut variables = is.environment().and_then(|all| all.variables()).expect("some").clone();
    variables.insert("LAPSE_AFTER_DAYS".to_owned(), "3650".to_owned());
    let update = lambda.update_function_configuration().function_name(worker);
    update
        .environment(Environment::builder().set_variables(Some(variables)).build())
        .send()
        .await
        .expect("changed");
    add(expected, &["function-environment intake.ProcessOrder"]);
    add(words, &["LAPSE_AFTER_DAYS is `3650` and should be `2`"]);

    let permission = lambda.add_permission().function_name("orders-dev-list-orders");
    let permission = permission.statement_id("open-door").action("lambda:InvokeFunction");
    permission.principal("s3.amazonaws.com").send().await.expect("added");
    add(expected, &["function-access shop-api.ListOrders"]);
    add(words, &["open-door"]);

    // The same package, of which it is noted that it asks for more.
    let is = lambda
        .get_function_configuration()
        .function_name("orders-dev-list-orders");
    let is = is.send().await.expect("there");
    let sum = STANDARD.decode(is.code_sha256().expect("a sum")).expect("base64");
    let key = format!("function/{}.zip", hex::encode(sum));
    let s3 = &stage.clients.s3;
    let package = s3.get_object().bucket(stage.artifacts()).key(&key).send().await;
    assert_eq!(
        package.as_ref().expect("there").metadata().expect("some")["asks"],
        "dynamodb.Query"
    );
    let package = package.expect("there").body.collect().await.expect("whole");
    let put = s3.put_object().bucket(stage.artifacts()).key(&key);
    let put = put.metadata("asks", "dynamodb.Query dynamodb.Scan");
    let put = put
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .body(package.into_bytes().into());
    put.send().await.expect("put");
    add(expected, &["function-permissions shop-api.ListOrders"]);
    add(
        words,
        &["ListOrders asks for dynamodb:Scan, which its role shop-api.ListOrdersRole doesn't allow"],
    );

    let mappings = lambda.list_event_source_mappings().function_name(worker);
    let mappings = mappings.send().await.expect("a list");
    let mapping = mappings.event_source_mappings()[0].uuid().expect("an id");
    let update = lambda.update_event_source_mapping().uuid(mapping).enabled(false);
    update.send().await.expect("changed");
    add(expected, &["event-sources intake.TakeFromQueue"]);
    add(words, &["it is disabled, and the template says enabled"]);

    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("bootstrap", options).expect("begun");
    zip.write_all(b"#!/bin/sh\nexit 1\n").expect("written");
    let zip = zip.finish().expect("packed").into_inner();
    let update = lambda.update_function_code().function_name("orders-dev-get-order");
    update.zip_file(Blob::new(zip)).send().await.expect("changed");
    add(
        expected,
        &[
            "function-code shop-api.GetOrder",
            "requests an order is shown with its lines",
            "requests an unknown order is a 404 in so many words",
            "requests what can be no id is refused",
            "invocations an order is found without the API, too",
        ],
    );
    add(words, &["shop-api.GetOrder fails"]);
}

async fn roles(stage: &Stage, expected: &mut Names, words: &mut Names) {
    let iam = &stage.clients.iam;
    let (role, name) = ("orders-dev-process-order-us-east-1", "process-orders");
    let is = iam.get_role_policy().role_name(role).policy_name(name);
    let is = is.send().await.expect("there");
    let text = percent_encoding::percent_decode_str(is.policy_document()).decode_utf8_lossy();
    assert!(text.contains("\"dynamodb:UpdateItem\""), "{text}");
    let wider = text.replace("\"dynamodb:UpdateItem\"", "\"dynamodb:*\"");
    let put = iam.put_role_policy().role_name(role).policy_name(name);
    put.policy_document(wider).send().await.expect("put");
    add(
        expected,
        &[
            "role-policies intake.ProcessOrderRole",
            "role-simulated intake.ProcessOrderRole",
        ],
    );
    add(words, &["dynamodb:*", "process-order-us-east-1 may dynamodb:"]);

    // Whatever it allows: the emulator's simulator knows nothing of AWS's own policies but for AdministratorAccess.
    let attach = iam.attach_role_policy().role_name("orders-dev-sweep-us-east-1");
    attach
        .policy_arn("arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess")
        .send()
        .await
        .expect("attached");
    add(expected, &["role-policies housekeeping.SweepRole"]);
    add(words, &["policy/AmazonSQSReadOnlyAccess is attached"]);
}

fn patch(path: &str, value: &str) -> PatchOperation {
    let patch = PatchOperation::builder().op(Op::Replace);
    patch.path(path).value(value).build()
}

async fn api(stage: &Stage, expected: &mut Names, words: &mut Names) {
    let (api, gateway) = (stage.api(), &stage.clients.apigateway);
    let paths = gateway.get_resources().rest_api_id(&api).send().await.expect("paths");
    let id = |path: &str| {
        let found = paths.items().iter().find(|one| one.path() == Some(path));
        found.and_then(|one| one.id()).expect(path).to_owned()
    };

    // Anybody may order.
    let update = gateway.update_method().rest_api_id(&api).resource_id(id("/orders"));
    update
        .http_method("POST")
        .patch_operations(patch("/authorizationType", "NONE"))
        .send()
        .await
        .expect("changed");
    add(
        expected,
        &["api-routes shop-api.Api", "requests nobody orders without a signature"],
    );
    add(
        words,
        &["POST /orders wants no credential (NONE), and the template says AWS_IAM"],
    );

    let put = gateway.put_integration_response().rest_api_id(&api);
    let put = put.resource_id(id("/orders/{id}")).http_method("OPTIONS");
    put.status_code("200")
        .response_parameters("method.response.header.Access-Control-Allow-Origin", "'*'")
        .send()
        .await
        .expect("changed");
    add(expected, &["api-preflight shop-api.OrderPreflight"]);
    add(words, &["access-control-allow-origin is `*` and should be `http"]);

    let put = gateway.put_gateway_response().rest_api_id(&api);
    put.response_type(GatewayResponseType::Default5Xx)
        .send()
        .await
        .expect("put");
    add(expected, &["api-error-answers shop-api.AnswersToFailures"]);
    add(
        words,
        &["answer DEFAULT_5XX: header.Access-Control-Allow-Origin isn't there"],
    );

    // All that is served, too, whether the emulator's stage serves its snapshot or what the API is now.
    let made = gateway
        .create_deployment()
        .rest_api_id(&api)
        .send()
        .await
        .expect("made");
    let update = gateway.update_stage().rest_api_id(&api).stage_name(STAGE);
    update
        .patch_operations(patch("/deploymentId", made.id().expect("an id")))
        .send()
        .await
        .expect("moved");
    add(expected, &["api-deployment shop-api.ApiStage"]);
    add(words, &["the stage dev serves the deployment"]);
}

async fn site(stage: &Stage, expected: &mut Names, words: &mut Names) {
    let put = async |key: &str, text: &str, kind: &str| {
        let put = stage.clients.s3.put_object().bucket(stage.site_bucket()).key(key);
        put.body(ByteStream::from(text.as_bytes().to_vec()))
            .content_type(kind)
            .send()
            .await
            .expect("put");
    };
    put("style.css", "body {}", "text/css; charset=utf-8").await;
    put(
        "config.json",
        r#"{"apiUrl":"https://other.example"}"#,
        "application/json",
    )
    .await;
    expected.extend(["site-files", "site-config"].map(|check| stage.of_site(check)));
    add(
        words,
        &["the published style.css isn't the file", "https://other.example"],
    );

    // The distribution reads its bucket without signing. It gets what is there for all that: `buckets` opens the bucket.
    let (cloudfront, id) = (&stage.clients.cloudfront, stage.distribution());
    let is = cloudfront.get_distribution_config().id(&id).send().await.expect("it");
    let mut config = is.distribution_config.expect("a configuration");
    let behavior = config.default_cache_behavior.as_ref().expect("one");
    let policy = behavior.response_headers_policy_id.clone().expect("a policy");
    let origins = config.origins.as_mut().expect("origins");
    origins.items[0].origin_access_control_id = None;
    let update = cloudfront.update_distribution().id(&id).set_if_match(is.e_tag);
    update.distribution_config(config).send().await.expect("changed");
    add(expected, &["distribution-origins storefront.Distribution"]);
    add(words, &["the origin access control of the origin page"]);

    let is = cloudfront.get_response_headers_policy_config().id(&policy);
    let is = is.send().await.expect("it");
    let mut config = is.response_headers_policy_config.expect("a configuration");
    let security = config.security_headers_config.as_mut().expect("headers");
    security.frame_options = None;
    let update = cloudfront
        .update_response_headers_policy()
        .id(&policy)
        .set_if_match(is.e_tag);
    update
        .response_headers_policy_config(config)
        .send()
        .await
        .expect("changed");
    expected.push(stage.of_site("site-headers"));
    add(words, &["has no `x-frame-options`, and the template says `DENY`"]);
}

/// Off AWS every template has allow-all: there a viewer policy is wrong that refuses plain HTTP.
async fn https(stage: &Stage) -> Names {
    let (cloudfront, id) = (&stage.clients.cloudfront, stage.distribution());
    let is = cloudfront.get_distribution_config().id(&id).send().await.expect("it");
    let mut config = is.distribution_config.expect("a configuration");
    let behavior = config.default_cache_behavior.as_mut().expect("one");
    behavior.viewer_protocol_policy = ViewerProtocolPolicy::HttpsOnly;
    let update = cloudfront.update_distribution().id(&id).set_if_match(is.e_tag);
    update.distribution_config(config).send().await.expect("changed");
    vec!["is https-only, and the template has allow-all".to_owned()]
}

async fn buckets(stage: &Stage, expected: &mut Names, words: &mut Names) {
    let (s3, bucket) = (&stage.clients.s3, stage.site_bucket());
    let before = s3.get_bucket_policy().bucket(&bucket).send().await.expect("it");
    let mut policy: Value = serde_json::from_str(before.policy().expect("text")).expect("JSON");
    policy["Statement"].as_array_mut().expect("a list").push(json!({
        "Sid": "Everybody", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{bucket}/*"),
    }));
    s3.delete_public_access_block()
        .bucket(&bucket)
        .send()
        .await
        .expect("deleted");
    let put = s3.put_bucket_policy().bucket(&bucket);
    put.policy(policy.to_string()).send().await.expect("put");
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended);
    let put = s3.put_bucket_versioning().bucket(&bucket);
    put.versioning_configuration(suspended.build())
        .send()
        .await
        .expect("suspended");
    let all = [
        "bucket-unreadable",
        "bucket-public-access",
        "bucket-policy",
        "bucket-protection",
    ];
    expected.extend(all.map(|check| format!("{check} storefront.PageBucket")));
    add(
        words,
        &[
            "answers 200 to anybody, instead of 403",
            "BlockPublicAcls, BlockPublicPolicy, IgnorePublicAcls, RestrictPublicBuckets of",
            "Everybody",
            "is Suspended, and the template has Enabled",
        ],
    );
}

fn contract(stage: &Stage, expected: &mut Names, words: &mut Names) {
    let file = "stacks/verify.yaml";
    let project = &stage.project;
    project.edit(
        file,
        r#"'{"orders":[],"more":false}'"#,
        r#"'{"orders":[],"more":true}'"#,
    );
    project.edit(file, "{ batchItemFailures: [] }", "{ batchItemFailures: [{}] }");
    add(
        expected,
        &[
            "requests who never ordered has no orders",
            "invocations a batch without messages leaves nothing to do again",
        ],
    );
    add(
        words,
        &[
            r#"the body is `{"orders":[],"more":false}` and should be `{"orders":[],"more":true}`"#,
            "intake.ProcessOrder: `batchItemFailures` has 0 items and should have 1",
        ],
    );
}
