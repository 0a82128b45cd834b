//! A stage that an earlier version deployed, with the templates of then (`before/`), goes on with those of now: nothing is
//! replaced, nothing is lost, and everything keeps its name.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use aws_sdk_cloudformation::types::{Capability, Parameter};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;

use crate::support::project::repository;
use crate::support::{Clients, Emulator, Project};

/// Deploys a template as the earlier version did; gives the stack's outputs.
async fn deploy(clients: &Clients, tier: &str, parameters: &[(&str, &str)]) -> BTreeMap<String, String> {
    let file = repository()
        .join("tests/end_to_end/before")
        .join(format!("{tier}.yaml"));
    let parameters = parameters
        .iter()
        .chain(&[("Digest", "0123456789abcdef")])
        .map(|(name, value)| {
            Parameter::builder()
                .parameter_key(*name)
                .parameter_value(*value)
                .build()
        });
    let name = format!("three-tier-dev-{tier}");
    let create = clients
        .cloudformation
        .create_stack()
        .stack_name(&name)
        .capabilities(Capability::CapabilityNamedIam);
    let create = create.template_body(std::fs::read_to_string(file).expect("readable"));
    create
        .set_parameters(Some(parameters.collect()))
        .send()
        .await
        .expect("created");
    loop {
        let found = clients
            .cloudformation
            .describe_stacks()
            .stack_name(&name)
            .send()
            .await
            .expect("the stack");
        let stack = found.stacks().first().expect("the stack");
        if stack
            .stack_status()
            .is_some_and(|status| status.as_str() == "CREATE_COMPLETE")
        {
            let outputs = stack.outputs().iter();
            let outputs =
                outputs.filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned())));
            return outputs.collect();
        }
        assert!(
            stack
                .stack_status()
                .is_some_and(|status| status.as_str().ends_with("IN_PROGRESS")),
            "{stack:?}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Names and ids of everything in the stage's stacks, by stack and logical id.
async fn everything(clients: &Clients) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for tier in ["artifacts", "data", "presentation", "logic"] {
        let stack = format!("three-tier-dev-{tier}");
        let listed = clients
            .cloudformation
            .list_stack_resources()
            .stack_name(&stack)
            .send()
            .await
            .expect("the stack");
        for resource in listed.stack_resource_summaries() {
            let id = resource.logical_resource_id().unwrap_or_default().to_owned();
            found.insert(
                (stack.clone(), id),
                resource.physical_resource_id().unwrap_or_default().to_owned(),
            );
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_of_an_earlier_version_loses_nothing() {
    let (emulator, project) = (Emulator::start(), Project::copy());
    let clients = Clients::root(&emulator.endpoint());
    let own = [("Project", "three-tier"), ("Stage", "dev")];
    let bucket = deploy(&clients, "artifacts", &own).await["BucketName"].clone();
    let table = [&own[..], &[("TableName", "UserData-dev"), ("Protected", "false")]].concat();
    let table = deploy(&clients, "data", &table).await;
    let key = AttributeValue::S("theirs".into());
    let put = clients
        .dynamodb
        .put_item()
        .table_name("UserData-dev")
        .item("userId", key);
    put.send().await.expect("written");
    let site = [&own[..], &[("ViewerProtocolPolicy", "allow-all")]].concat();
    let site = deploy(&clients, "presentation", &site).await;
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(
        "bootstrap",
        zip::write::SimpleFileOptions::default().unix_permissions(0o755),
    )
    .expect("a file");
    zip.write_all(b"#!/bin/sh\n").expect("written");
    let zip = zip.finish().expect("a zip").into_inner();
    let put = clients
        .s3
        .put_object()
        .bucket(&bucket)
        .key("function/old.zip")
        .body(ByteStream::from(zip));
    put.send().await.expect("written");
    let origin = format!("https://{}", site["DistributionDomain"]);
    let logic = [
        &own[..],
        &[
            ("FunctionName", "retrieve-user-data-dev"),
            ("CodeBucket", &bucket),
            ("CodeKey", "function/old.zip"),
            ("TableName", &table["TableName"]),
            ("TableArn", &table["TableArn"]),
            ("AllowedOrigin", &origin),
        ],
    ];
    deploy(&clients, "logic", &logic.concat()).await;
    let before = everything(&clients).await;

    let up = project
        .deployer(&emulator.endpoint(), &["up", "--stage", "dev", "-v"])
        .success();
    // What the change sets said is what the plan shows: no resource leaves, and none is replaced for certain. That one may be
    // is all that the emulator says of types that it has no table for.
    let plan: Vec<&str> = up.stderr.lines().filter(|line| line.starts_with("      ")).collect();
    assert!(!plan.is_empty(), "{}", up.stderr);
    // An API's snapshot is another one for another definition; and off AWS a policy that does nothing but refuse plain HTTP
    // is left out.
    let goes = |line: &&&str| line.contains("AWS::ApiGateway::Deployment") || line.contains("− BucketPolicy");
    for line in plan.iter().filter(|line| !goes(line)) {
        assert!(
            !line.contains("−") && !line.contains("is replaced") && !line.contains("is deleted"),
            "{}",
            up.stderr
        );
    }
    let after = everything(&clients).await;
    for (id, name) in &before {
        if id.1.starts_with("ApiDeployment") || id.0.ends_with("artifacts") && id.1 == "BucketPolicy" {
            continue;
        }
        assert_eq!(after.get(id), Some(name), "{id:?}");
    }
    assert!(clients.item("UserData-dev", "theirs").await.is_some());
    // The stage is this project's, and says so from now on in the deployer's own parameters.
    let again = project
        .deployer(&emulator.endpoint(), &["up", "--stage", "dev"])
        .success();
    assert!(!again.stderr.contains('✓'), "{}", again.stderr);
    project
        .deployer(&emulator.endpoint(), &["down", "--stage", "dev", "--yes"])
        .success();
}
