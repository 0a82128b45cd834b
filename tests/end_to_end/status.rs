//! `status`: what is deployed, for people and for programs.

use serde_json::{Value, json};

use crate::support::{Clients, Emulator, Project, Proxy, answers, document};

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
            "schema": 2, "project": "three-tier", "stage": "prod", "account": "000000000000", "region": "us-east-1",
            "deployed": false, "stacks": [], "site": null, "apis": [], "functions": [], "tables": []
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
    let ids: Vec<&Value> = document["stacks"]
        .as_array()
        .expect("stacks")
        .iter()
        .map(|stack| &stack["id"])
        .collect();
    assert_eq!(ids, ["artifacts", "data", "presentation", "logic"]);
    for stack in document["stacks"].as_array().expect("stacks") {
        // The site's policy got the API's origin once there was one.
        let updated = stack["id"] == "presentation";
        assert_eq!(
            stack["status"],
            if updated { "UPDATE_COMPLETE" } else { "CREATE_COMPLETE" }
        );
        assert!(
            stack["lastChanged"].as_str().is_some_and(|time| time.ends_with('Z')),
            "{stack}"
        );
    }
    let port = emulator.port();
    let (artifacts, site) = (
        "three-tier-prod-artifacts-000000000000-us-east-1",
        "three-tier-prod-site-000000000000-us-east-1",
    );
    let distribution = document::output(&document, "DistributionId");
    let (id, origin) = (document::api_id(&document), document::output(&document, "ApiOrigin"));
    // As this host's browsers know them.
    assert_eq!(origin, format!("http://{id}.execute-api.localhost:{port}"));
    let page = document::output(&document, "SiteOrigin");
    assert!(
        page.starts_with("http://") && page.ends_with(&format!(".cloudfront.localhost:{port}")),
        "{page}"
    );
    for (stack, outputs) in [
        ("artifacts", json!({ "CodeBucket": artifacts })),
        (
            "data",
            json!({ "TableName": "UserData", "TableArn": "arn:aws:dynamodb:us-east-1:000000000000:table/UserData" }),
        ),
        (
            "presentation",
            json!({ "SiteBucket": site, "DistributionId": distribution, "SiteOrigin": page }),
        ),
        (
            "logic",
            json!({ "ApiUrl": format!("{origin}/prod/users"), "ApiOrigin": origin }),
        ),
    ] {
        let stacks = document["stacks"].as_array().expect("stacks");
        let found = stacks.iter().find(|found| found["id"] == stack).expect(stack);
        assert_eq!(found["name"], format!("three-tier-prod-{stack}"));
        assert_eq!(found["region"], "us-east-1");
        let mut told = found["outputs"].clone();
        // Which is the deployer's own to know.
        let digest = told.as_object_mut().and_then(|told| told.remove("DeployerDigest"));
        assert!(digest.is_none_or(|digest| digest.is_string()), "{stack}");
        assert_eq!(told, outputs, "{stack}");
    }
    assert_eq!(
        document["site"],
        json!({ "url": format!("{page}/"), "bucket": site, "distributionId": distribution })
    );
    let routes: Vec<Value> = ["GET", "OPTIONS"]
        .iter()
        .map(|method| {
            let url = format!("{origin}/prod/users");
            json!({ "method": method, "path": "/users", "url": url, "wants": "nothing" })
        })
        .collect();
    assert_eq!(
        document["apis"],
        json!([{ "id": id, "url": format!("{origin}/prod"), "routes": routes }])
    );
    assert_eq!(
        document["functions"],
        json!([{ "stack": "logic", "id": "Function", "name": "retrieve-user-data" }])
    );
    assert_eq!(
        document["tables"],
        json!([{ "stack": "data", "id": "Table", "name": "UserData", "items": 3 }])
    );
    let text = project.deployer(&endpoint, &["status"]).success().stdout.clone();
    let api = document::api_url(&document);
    assert!(
        text.contains(&format!("GET, OPTIONS {api}\n")) && api.ends_with("/users"),
        "{text}"
    );
    assert!(text.contains(document::site_url(&document)), "{text}");
    assert!(!text.contains('\u{1b}'), "no colour in a pipe");
    let colored = project
        .deployer(&endpoint, &["status", "--color", "always"])
        .success()
        .stdout
        .clone();
    assert!(colored.contains("\u{1b}[32m✓"), "{colored}");
}

/// An update that was rolled back ends in a status that ends in "_COMPLETE".
#[test]
fn a_rolled_back_update_is_shown_as_the_failure_it_is() {
    let emulator = Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    let name = "three-tier-prod-data";
    proxy.rule(move |seen| {
        (seen.operation == "DescribeStacks" && seen.parameter("StackName").as_deref() == Some(name)).then(|| {
            let stack = answers::Stack::new(name, "UPDATE_ROLLBACK_COMPLETE");
            stack.because("the table said no").answer()
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

#[tokio::test]
async fn what_was_changed_by_hand_is_told_property_by_property() {
    let emulator = Emulator::shared();
    let (project, endpoint) = (Project::copy(), emulator.endpoint());
    let run = |args: &[&str]| {
        let args: Vec<&str> = args.iter().copied().chain(["--stage", "dev"]).collect();
        project.deployer(&endpoint, &args).success()
    };
    run(&["up", "--no-verify"]);
    let same = run(&["status", "--drift"]);
    assert!(
        same.stdout.contains("Nothing that was looked at was changed by hand."),
        "{}",
        same.stdout
    );
    // What an emulator doesn't look at is said.
    same.says(&["can't be looked at: AWS::ApiGateway::"]);

    let lambda = Clients::root(&endpoint).lambda;
    let change = lambda
        .update_function_configuration()
        .function_name("retrieve-user-data-dev")
        .memory_size(1024);
    change.send().await.expect("changed");
    let other = run(&["status", "--drift"]);
    for told in ["logic.Function", "MemorySize 256 → 1024", "Changed by hand"] {
        assert!(other.stdout.contains(told), "{told}\n{}", other.stdout);
    }
    let document = run(&["status", "--drift", "--output", "json"]).json();
    let stacks = document["stacks"].as_array().expect("stacks");
    let logic = stacks.iter().find(|stack| stack["id"] == "logic").expect("logic");
    let resource = &logic["drift"]["resources"][0];
    assert_eq!(
        (&resource["logicalId"], &resource["deleted"]),
        (&"Function".into(), &false.into())
    );
    let property = &resource["properties"][0];
    assert_eq!(
        (&property["path"], &property["before"], &property["after"]),
        (&"MemorySize".into(), &"256".into(), &"1024".into())
    );
    assert!(
        run(&["status", "--output", "json"]).json()["stacks"][0]
            .get("drift")
            .is_none()
    );
}
