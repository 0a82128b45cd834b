//! `status`: what is deployed, for people and for programs.

use serde_json::{Value, json};

use crate::support::{Emulator, Project, Proxy};

#[test]
fn nothing_deployed_is_no_failure() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let status = project.deployer(&emulator.endpoint(), &["status"]).success();
    assert!(
        status
            .stdout
            .contains("Nothing is deployed. `deployer up --stage prod`"),
        "{}",
        status.stdout
    );
    let document = project
        .deployer(&emulator.endpoint(), &["status", "--output", "json"])
        .success()
        .json();
    assert_eq!(
        document,
        json!({
            "project": "three-tier", "stage": "prod", "region": "us-east-1", "deployed": false, "stacks": [],
            "outputs": {
                "siteUrl": null, "apiUrl": null, "siteBucket": null, "distributionId": null, "tableName": null,
                "functionName": null, "apiId": null
            }
        })
    );
}

#[test]
fn a_deployed_stage_is_told_with_its_addresses() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let endpoint = emulator.endpoint();
    let mut up = project
        .deployer(&endpoint, &["up", "--output", "json"])
        .success()
        .json();
    let proof = up.as_object_mut().and_then(|up| up.remove("verification"));
    assert_eq!(proof.expect("`up` proves it")["verified"], true);
    let document = project
        .deployer(&endpoint, &["status", "--output", "json"])
        .success()
        .json();
    assert_eq!(document, up, "`up` says what `status` does, too");
    assert_eq!(document["deployed"], true);
    let tiers: Vec<&Value> = document["stacks"]
        .as_array()
        .expect("stacks")
        .iter()
        .map(|s| &s["tier"])
        .collect();
    assert_eq!(tiers, ["artifacts", "data", "presentation", "logic"]);
    for stack in document["stacks"].as_array().expect("stacks") {
        // The site's policy got the API's origin once there was one.
        let updated = stack["tier"] == "presentation";
        assert_eq!(
            stack["status"],
            if updated { "UPDATE_COMPLETE" } else { "CREATE_COMPLETE" }
        );
        assert!(
            stack["lastChanged"].as_str().is_some_and(|time| time.ends_with('Z')),
            "{stack}"
        );
    }
    for (key, value) in document["outputs"].as_object().expect("outputs") {
        assert!(value.is_string(), "{key}: {value}");
    }
    let text = project.deployer(&endpoint, &["status"]).success().stdout;
    let api = document["outputs"]["apiUrl"].as_str().expect("a URL");
    assert!(
        text.contains(&format!("{api}?userId=1")) && api.ends_with("/users"),
        "{text}"
    );
    assert!(
        text.contains(document["outputs"]["siteUrl"].as_str().expect("a URL")),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "no colour in a pipe");
    let colored = project
        .deployer(&endpoint, &["status", "--color", "always"])
        .success()
        .stdout;
    assert!(colored.contains("\u{1b}[32m✓"), "{colored}");
}

/// An update that was rolled back ends in a status that ends in "_COMPLETE".
#[test]
fn a_rolled_back_update_is_shown_as_the_failure_it_is() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    proxy.rule(|seen| {
        (seen.operation == "DescribeStacks" && seen.parameter("StackName").as_deref() == Some("three-tier-prod-data")).then(|| {
            (
                200,
                "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult>\
                 <Stacks><member><StackName>three-tier-prod-data</StackName><StackId>arn:aws:cloudformation:us-east-1:1:stack/x/1</StackId>\
                 <StackStatus>UPDATE_ROLLBACK_COMPLETE</StackStatus><StackStatusReason>the table said no</StackStatusReason>\
                 <CreationTime>2026-01-01T00:00:00Z</CreationTime></member></Stacks>\
                 </DescribeStacksResult></DescribeStacksResponse>"
                    .to_owned(),
            )
        })
    });
    let status = project.deployer(&proxy.endpoint(), &["status"]).success();
    assert!(
        status.stdout.contains("✗ data         UPDATE_ROLLBACK_COMPLETE"),
        "{}",
        status.stdout
    );
    assert!(status.stdout.contains("the table said no"), "{}", status.stdout);
}
