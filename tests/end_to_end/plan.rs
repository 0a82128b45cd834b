//! What `up` shows before it acts, and what it does when there is little or nothing to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_cloudformation::types::{ChangeSetSummary, ExecutionStatus};

use crate::support::{Clients, Deployer, Emulator, Project, Proxy, Ran, http};

#[test]
fn a_second_up_writes_nothing() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    project.deployer(&proxy.endpoint(), &["up", "--stage", "dev"]).success();
    let first = proxy.take();
    assert!(
        first.iter().any(|seen| seen.operation == "CreateChangeSet"),
        "the proxy sees what is done"
    );
    assert!(first.iter().any(|seen| seen.operation == "PutItem"));
    assert!(
        first
            .iter()
            .any(|seen| seen.method == "PUT" && seen.path.contains("index.html"))
    );

    // Nor does the proof that it works.
    project.deployer(&proxy.endpoint(), &["up", "--stage", "dev"]).success();
    proxy.assert_nothing_was_written();

    let again = ["up", "--stage", "dev", "--no-verify"];
    let again = project.deployer(&proxy.endpoint(), &again).success();
    let second = proxy.take();
    let writes: Vec<_> = second.iter().filter(|seen| seen.writes()).collect();
    assert!(writes.is_empty(), "{writes:#?}");
    assert!(second.iter().all(|seen| !seen.operation.contains("ChangeSet")));
    assert!(second.len() < 20, "{} requests for nothing", second.len());
    assert!(again.stderr.contains("unchanged"), "{}", again.stderr);
}

#[test]
fn the_plan_is_shown_before_anything_is_created() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    let up = project
        .deployer(&proxy.endpoint(), &["up", "--stage", "dev", "--output", "json"])
        .success();
    let events: Vec<serde_json::Value> = up
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).expect("every line is JSON"))
        .collect();
    let position = |wanted: &str| events.iter().position(|event| event["event"] == wanted).expect(wanted);
    assert!(position("target") < position("plan") && position("plan") < position("resource"));
    let plan = &events[position("plan")]["stacks"];
    let names: Vec<&str> = plan
        .as_array()
        .expect("stacks")
        .iter()
        .filter_map(|stack| stack["name"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "three-tier-dev-artifacts",
            "three-tier-dev-data",
            "three-tier-dev-presentation",
            "three-tier-dev-logic"
        ]
    );
    assert_eq!(up.json()["stage"], "dev", "stdout is the document alone");
}

#[tokio::test]
async fn a_table_is_not_replaced_without_a_yes() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let endpoint = emulator.endpoint();
    let clients = Clients::root(&endpoint);
    project.deployer(&endpoint, &["up"]).success();

    project.edit("stacks/stages.yaml", "tableName: UserData", "tableName: People");
    project
        .deployer(&endpoint, &["up"])
        .fails_with(5)
        .says(&["AWS::DynamoDB::Table UserData is replaced by an empty one", "--yes"]);
    let tables = clients.dynamodb.list_tables().send().await.expect("tables");
    assert_eq!(tables.table_names(), ["UserData"], "nothing was changed");
    let left = clients
        .cloudformation
        .list_change_sets()
        .stack_name("three-tier-prod-data")
        .send()
        .await
        .expect("change sets");
    let open = |s: &&ChangeSetSummary| s.execution_status() == Some(&ExecutionStatus::Available);
    assert!(
        left.summaries().iter().find(open).is_none(),
        "what was made for the plan is given up: {:?}",
        left.summaries()
    );

    project.deployer(&endpoint, &["up", "--yes"]).success();
    assert!(clients.item("People", "1").await.is_some(), "the new table is seeded");
    assert!(
        clients.item("UserData", "1").await.is_some(),
        "the old table stays, with its items"
    );
}

#[tokio::test]
async fn a_bucket_that_leaves_the_template_is_not_removed_without_a_yes() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let endpoint = emulator.endpoint();
    project.edit(
        "stacks/data.yaml",
        "Resources:\n",
        "Resources:\n  Extra:\n    Type: AWS::S3::Bucket\n",
    );
    project
        .deployer(&endpoint, &["up", "--only", "data", "--stage", "dev"])
        .success();
    project.edit("stacks/data.yaml", "  Extra:\n    Type: AWS::S3::Bucket\n", "");
    project
        .deployer(&endpoint, &["up", "--only", "data", "--stage", "dev"])
        .fails_with(5)
        .says(&["AWS::S3::Bucket", "is deleted with what is in it"]);
    let buckets = async || {
        let answer = Clients::root(&endpoint).s3.list_buckets().send().await;
        answer.expect("buckets").buckets().len()
    };
    assert_eq!(buckets().await, 1, "it is still there");
    project
        .deployer(&endpoint, &["up", "--only", "data", "--stage", "dev", "--yes"])
        .success();
    assert_eq!(buckets().await, 0);
}

#[test]
fn parts_can_be_done_alone() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let endpoint = emulator.endpoint();
    project
        .deployer(&endpoint, &["up", "--only", "site", "--stage", "dev"])
        .fails_with(1)
        .says(&["isn't deployed", "deployer up"]);
    for part in ["seed", "logic"] {
        project
            .deployer(&endpoint, &["up", "--only", part, "--stage", "dev"])
            .fails_with(1)
            .says(&["the data tier, which this part needs, isn't deployed"]);
    }
    project.deployer(&endpoint, &["up", "--stage", "dev"]).success();
    project.edit("site/index.html", "<title>", "<title>Changed: ");
    let up = project
        .deployer(&endpoint, &["up", "--only", "site", "--stage", "dev"])
        .success();
    assert!(
        up.stderr.contains("1 changed") && !up.stderr.contains("function"),
        "{}",
        up.stderr
    );
    let status = project
        .deployer(&endpoint, &["status", "--stage", "dev", "--output", "json"])
        .json();
    let site = &status["outputs"]["siteUrl"];
    let page = http::get(site.as_str().expect("a URL")).expect("an answer");
    assert!(page.body.contains("<title>Changed: "), "{}", page.body);
}

/// The API comes after the site's policy, which names it: whoever makes the API brings the policy up to date.
#[test]
fn the_policy_names_the_api_whatever_is_done_alone() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let only = |part: &str| {
        let up = project.deployer(
            &emulator.endpoint(),
            &["up", "--stage", "dev", "--only", part, "--output", "json"],
        );
        up.success()
    };
    let allowed = |up: &Ran| {
        let document = up.json();
        let site = document["outputs"]["siteUrl"].as_str().expect("a URL");
        let page = http::get(site).expect("an answer");
        let policy = page.header("Content-Security-Policy").expect("a policy").to_owned();
        let api = document["outputs"]["apiUrl"].as_str().unwrap_or_default();
        let origin = api.split('/').take(3).collect::<Vec<_>>().join("/");
        (policy, origin)
    };
    let names_it = |up: &Ran| {
        let (policy, api) = allowed(up);
        policy.contains(&format!("connect-src 'self' {api};"))
    };
    only("data");
    let (policy, _) = allowed(&only("presentation"));
    assert!(policy.contains("connect-src 'self' ;"), "no API yet: {policy}");
    assert!(names_it(&only("logic")));
    let again = only("presentation");
    assert!(names_it(&again));
    assert!(!again.stderr.contains("UPDATE"), "nothing to do: {}", again.stderr);

    // Another API, beside a change of the presentation tier that isn't to be deployed with it.
    project.edit("stacks/presentation.yaml", "ErrorCode: 404,", "ErrorCode: 416,");
    let logic = project.read("stacks/logic.yaml");
    let renamed = logic
        .replace("!Ref Api\n", "!Ref NewApi\n")
        .replace("${Api}", "${NewApi}");
    let renamed = renamed
        .replace("  Api:\n", "  NewApi:\n")
        .replace("!GetAtt Api.", "!GetAtt NewApi.");
    project.write(
        "stacks/logic.yaml",
        &renamed.replace("Value: !Ref Api }", "Value: !Ref NewApi }"),
    );
    let moved = only("logic");
    assert!(!names_it(&moved));
    assert!(moved.stderr.contains("up --only presentation"), "{}", moved.stderr);
    assert!(names_it(&only("presentation")));

    // And without such a change it is brought along.
    project.write("stacks/logic.yaml", &logic);
    assert!(names_it(&only("logic")));
}

#[test]
fn two_stages_live_side_by_side() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let endpoint = emulator.endpoint();
    let prod = project
        .deployer(&endpoint, &["up", "--output", "json"])
        .success()
        .json();
    let dev = project
        .deployer(&endpoint, &["up", "--stage", "dev", "--output", "json"])
        .success()
        .json();
    assert_eq!(prod["outputs"]["tableName"], "UserData");
    assert_eq!(dev["outputs"]["tableName"], "UserData-dev");
    assert_eq!(dev["outputs"]["functionName"], "retrieve-user-data-dev");
    assert_ne!(prod["outputs"]["siteUrl"], dev["outputs"]["siteUrl"]);
    let api = dev["outputs"]["apiUrl"].as_str().expect("a URL");
    assert!(api.ends_with("/dev/users"), "{api}");
    project
        .deployer(&endpoint, &["down", "--stage", "dev", "--yes"])
        .success();
    let prod = project
        .deployer(&endpoint, &["status", "--output", "json"])
        .success()
        .json();
    assert_eq!(prod["deployed"], true, "the other stage is untouched");
}

/// An interrupted `up` is gone on with: here it is killed in the middle of its work.
#[test]
fn an_interrupted_up_is_gone_on_with() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    let (reached, wait) = std::sync::mpsc::channel();
    proxy.rule(move |seen| {
        if seen.operation == "ExecuteChangeSet" {
            let _ = reached.send(());
        }
        None
    });
    let mut first = Deployer::new(project.path(), &["up", "--stage", "dev"])
        .at(&proxy.endpoint())
        .spawn();
    wait.recv_timeout(std::time::Duration::from_secs(300))
        .expect("it starts to create");
    first.kill().expect("its own child");
    first.wait().expect("it ends");
    let up = project
        .deployer(&emulator.endpoint(), &["up", "--stage", "dev", "--output", "json"])
        .success();
    assert_eq!(up.json()["deployed"], true);
}

/// CloudFront takes minutes; the logic tier needs only the distribution's domain, which is known at once. Here the
/// distribution isn't complete before the logic tier is: an `up` that waited for it would never end.
#[tokio::test]
async fn the_logic_tier_does_not_wait_for_cloudfront() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    let logic_begins = Arc::new(AtomicBool::new(false));
    let ended_after = Arc::new(AtomicBool::new(false));
    let (begins, begun, ended) = (Arc::clone(&logic_begins), logic_begins, Arc::clone(&ended_after));
    proxy.rule(move |seen| {
        let is_logic = seen.parameter("StackName").as_deref() == Some("three-tier-dev-logic");
        if seen.operation == "CreateChangeSet" && is_logic {
            begins.store(true, Ordering::SeqCst);
        }
        None
    });
    proxy.edit("DescribeStackEvents", move |seen, answer| {
        if !seen.body.contains("presentation") {
            return answer;
        }
        if begun.load(Ordering::SeqCst) {
            ended.store(true, Ordering::SeqCst);
            return answer;
        }
        // As on AWS while CloudFront works: the distribution has its id but isn't complete, and so isn't the stack.
        let (head, events) = answer.split_once("<StackEvents>").expect("events");
        let events: String = events
            .split_inclusive("</member>")
            .filter(|event| !(event.contains("AWS::CloudFormation::Stack<") && event.contains("CREATE_COMPLETE")))
            .map(|event| match event.contains("AWS::CloudFront::Distribution<") {
                true => event.replace("CREATE_COMPLETE", "CREATE_IN_PROGRESS"),
                false => event.to_owned(),
            })
            .collect();
        format!("{head}<StackEvents>{events}")
    });
    let up = project.deployer(&proxy.endpoint(), &["up", "--stage", "dev", "--output", "json"]);
    let up = up.success().json();
    assert!(
        ended_after.load(Ordering::SeqCst),
        "the presentation tier ended after the logic tier began"
    );
    let clients = Clients::root(&emulator.endpoint());
    let function = clients
        .lambda
        .get_function_configuration()
        .function_name("retrieve-user-data-dev")
        .send()
        .await;
    let function = function.expect("the function");
    let site = up["outputs"]["siteUrl"].as_str().expect("a URL");
    let allowed = function
        .environment()
        .and_then(|e| e.variables())
        .map(|v| v["ALLOWED_ORIGIN"].clone());
    assert_eq!(allowed.map(|origin| origin + "/").as_deref(), Some(site));
    let stacks = up["stacks"].as_array().expect("stacks");
    assert!(
        stacks
            .iter()
            .filter(|stack| stack["tier"] != "presentation")
            .all(|stack| stack["status"] == "CREATE_COMPLETE"),
        "none was deployed twice but the one whose policy got the API: {up}"
    );
}
