//! Names that something else has: found before anything is created.

use aws_sdk_cloudfront::types::{
    OriginAccessControlConfig, OriginAccessControlOriginTypes, OriginAccessControlSigningBehaviors,
    OriginAccessControlSigningProtocols, ResponseHeadersPolicyConfig,
};
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};

use crate::support::{Clients, Emulator, Project, Proxy};

#[tokio::test]
async fn each_is_named_and_nothing_is_created() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    let clients = Clients::root(&emulator.endpoint());
    let refused = |parts: &[&str]| {
        project
            .deployer(&proxy.endpoint(), &["up"])
            .fails_with(2)
            .says(parts)
            .says(&["Nothing was created"]);
        proxy.assert_nothing_was_written();
    };

    clients
        .dynamodb
        .create_table()
        .table_name("UserData")
        .attribute_definitions(
            AttributeDefinition::builder()
                .attribute_name("userId")
                .attribute_type(ScalarAttributeType::S)
                .build()
                .expect("complete"),
        )
        .key_schema(
            KeySchemaElement::builder()
                .attribute_name("userId")
                .key_type(KeyType::Hash)
                .build()
                .expect("complete"),
        )
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .expect("a table");
    refused(&[
        "the table UserData (Table) exists already",
        "another value of `TableName` under `parameters:`",
    ]);
    clients
        .dynamodb
        .delete_table()
        .table_name("UserData")
        .send()
        .await
        .expect("deleted");

    let bucket = "three-tier-prod-site-000000000000-us-east-1";
    clients
        .s3
        .create_bucket()
        .bucket(bucket)
        .send()
        .await
        .expect("a bucket");
    refused(&[
        &format!("the bucket {bucket} (SiteBucket) exists already"),
        "another `project` or stage name",
    ]);
    clients.s3.delete_bucket().bucket(bucket).send().await.expect("deleted");

    let config = OriginAccessControlConfig::builder()
        .name("three-tier-prod-us-east-1")
        .signing_protocol(OriginAccessControlSigningProtocols::Sigv4)
        .signing_behavior(OriginAccessControlSigningBehaviors::Always)
        .origin_access_control_origin_type(OriginAccessControlOriginTypes::S3);
    let create = clients.cloudfront.create_origin_access_control();
    let made = create.origin_access_control_config(config.build().expect("complete"));
    let made = made.send().await.expect("an origin access control");
    refused(&["the origin access control three-tier-prod-us-east-1 (OriginAccessControl) exists already"]);
    let delete = clients.cloudfront.delete_origin_access_control();
    let delete = delete.set_if_match(made.e_tag);
    let id = made.origin_access_control.expect("it").id;
    delete.id(id).send().await.expect("deleted");
    let config = ResponseHeadersPolicyConfig::builder().name("three-tier-prod-us-east-1");
    let create = clients.cloudfront.create_response_headers_policy();
    let made = create.response_headers_policy_config(config.build().expect("complete"));
    let made = made.send().await.expect("a policy");
    refused(&["the response headers policy three-tier-prod-us-east-1 (ResponseHeaders) exists already"]);
    let delete = clients.cloudfront.delete_response_headers_policy();
    let delete = delete.set_if_match(made.e_tag);
    let id = made.response_headers_policy.expect("it").id;
    delete.id(id).send().await.expect("deleted");

    let role = "three-tier-prod-function-us-east-1";
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    clients
        .iam
        .create_role()
        .role_name(role)
        .assume_role_policy_document(trust)
        .send()
        .await
        .expect("a role");
    refused(&[&format!("the role {role} (FunctionRole) exists already")]);

    clients
        .lambda
        .create_function()
        .function_name("retrieve-user-data")
        .role(format!("arn:aws:iam::000000000000:role/{role}"))
        .runtime(Runtime::Providedal2023)
        .handler("bootstrap")
        .code(
            FunctionCode::builder()
                .zip_file(Blob::new(b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".as_slice()))
                .build(),
        )
        .send()
        .await
        .expect("a function");
    refused(&[
        "2 resources exist already",
        "role three-tier-prod-function-us-east-1 (FunctionRole)",
        "function retrieve-user-data (Function)",
    ]);
    clients.iam.delete_role().role_name(role).send().await.expect("deleted");
    refused(&[
        "the function retrieve-user-data (Function) exists already",
        "another value of `FunctionName` under `parameters:`",
    ]);
    clients
        .lambda
        .delete_function()
        .function_name("retrieve-user-data")
        .send()
        .await
        .expect("deleted");
    let _ = clients
        .logs
        .delete_log_group()
        .log_group_name("/aws/lambda/retrieve-user-data")
        .send()
        .await;

    clients
        .logs
        .create_log_group()
        .log_group_name("/aws/lambda/retrieve-user-data")
        .send()
        .await
        .expect("a log group");
    refused(&[
        "the log group /aws/lambda/retrieve-user-data (FunctionLogs) exists already",
        "delete-log-group",
    ]);
    // One whose name only begins so is no conflict.
    clients
        .logs
        .delete_log_group()
        .log_group_name("/aws/lambda/retrieve-user-data")
        .send()
        .await
        .expect("deleted");
    clients
        .logs
        .create_log_group()
        .log_group_name("/aws/lambda/retrieve-user-data-other")
        .send()
        .await
        .expect("a log group");
    project.deployer(&proxy.endpoint(), &["up"]).success();
}

/// A logical id that was changed is another resource to CloudFormation. It is said so, and never that the first, which has
/// the data, may be deleted.
#[test]
fn a_resource_of_the_stages_own_is_told_as_such() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    project.deployer(&emulator.endpoint(), &["up"]).success();
    for (file, from, to, name, stack) in [
        ("data", "Table", "UsersTable", "table UserData", "three-tier-prod-data"),
        (
            "logic",
            "FunctionRole",
            "Reader",
            "role three-tier-prod-function-us-east-1",
            "three-tier-prod-logic",
        ),
        (
            "presentation",
            "SiteBucket",
            "Files",
            "bucket three-tier-prod-site-000000000000-us-east-1",
            "three-tier-prod-presentation",
        ),
    ] {
        let file = format!("stacks/{file}.yaml");
        let before = project.read(&file);
        let renamed = before
            .replace(&format!("  {from}:\n    Type"), &format!("  {to}:\n    Type"))
            .replace(&format!("!Ref {from}\n"), &format!("!Ref {to}\n"))
            .replace(&format!("!Ref {from} "), &format!("!Ref {to} "))
            .replace(&format!("!GetAtt {from}."), &format!("!GetAtt {to}."))
            .replace(&format!("${{{from}."), &format!("${{{to}."));
        assert_ne!(renamed, before);
        project.write(&file, &renamed);
        proxy.take();
        let ran = project
            .deployer(&proxy.endpoint(), &["up", "--yes"])
            .fails_with(2)
            .says(&[
                &format!("the {name} ({to}) is this stage's own: the stack {stack} has it under the logical id {from}"),
                &format!("Keep the logical id `{from}`"),
            ]);
        assert!(
            !ran.stderr.contains("local reset") && !ran.stderr.contains("delete it"),
            "{}",
            ran.stderr
        );
        let executed = proxy
            .take()
            .iter()
            .any(|seen| ["ExecuteChangeSet", "DeleteStack"].contains(&seen.operation.as_str()));
        assert!(!executed);
        project.write(&file, &before);
    }
}

/// Not only when a stage is made: a resource that is added or renamed later may meet a taken name, too.
#[tokio::test]
async fn a_later_addition_or_renaming_is_checked_as_well() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let endpoint = emulator.endpoint();
    let clients = Clients::root(&endpoint);
    project.deployer(&endpoint, &["up", "--only", "data"]).success();
    clients
        .s3
        .create_bucket()
        .bucket("somebody-elses")
        .send()
        .await
        .expect("a bucket");
    let addition =
        "Resources:\n  Exports:\n    Type: AWS::S3::Bucket\n    Properties: { BucketName: somebody-elses }\n";
    project.edit("stacks/data.yaml", "Resources:\n", addition);
    project
        .deployer(&endpoint, &["up", "--only", "data"])
        .fails_with(2)
        .says(&["the bucket somebody-elses (Exports) exists already"]);
    project.edit("stacks/data.yaml", addition, "Resources:\n");

    project
        .deployer(&endpoint, &["up", "--only", "data", "--stage", "dev"])
        .success();
    project.edit(
        "stacks/stages.yaml",
        "TableName: UserData\n",
        "TableName: UserData-dev\n",
    );
    project
        .deployer(&endpoint, &["up", "--only", "data", "--yes"])
        .fails_with(2)
        .says(&["the table UserData-dev (Table) exists already"]);
}
