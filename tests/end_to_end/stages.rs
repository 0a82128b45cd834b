//! Stages for teams: patterns, stages that expire, and what is deployed whatever a checkout lists.

use serde_json::{Value, json};

use crate::support::answers::refusal;
use crate::support::{Clients, Emulator, Project, Proxy};

const STAGES: &str = "\
project: previews
stages:
  prod: { protected: true }
  \"pr-*\": { expires: 7d }
";

/// The bucket in which it is recorded what was deployed.
const STORE: &str = "\
Resources: { Bucket: { Type: AWS::S3::Bucket, DeletionPolicy: Delete, UpdateReplacePolicy: Delete } }
Outputs: { CodeBucket: { Value: !Ref Bucket } }
";

const DATA: &str = "\
Resources: { Topic: { Type: AWS::SNS::Topic } }
Outputs: { TopicArn: { Value: !Ref Topic } }
";

/// Uses the topic.
const EXTRA: &str = "\
Parameters: { TopicArn: { Type: String } }
Resources: { Other: { Type: AWS::SNS::Topic } }
Outputs: { Used: { Value: !Ref TopicArn } }
";

pub(crate) fn project() -> Project {
    let project = Project::bare("previews", &[("stacks/store.yaml", STORE), ("stacks/data.yaml", DATA)]);
    project.write("stacks/stages.yaml", STAGES);
    project
}

/// A proxy behind which all stacks were last changed long ago.
pub(crate) fn long_ago(emulator: &Emulator) -> Proxy {
    let proxy = Proxy::before(emulator.port());
    proxy.edit("DescribeStacks", |_, body| {
        let mut text = body;
        for tag in ["CreationTime", "LastUpdatedTime"] {
            let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
            let mut old = String::new();
            while let Some((before, rest)) = text.split_once(&open) {
                let (_, after) = rest.split_once(&close).expect("it ends");
                old.push_str(&format!("{before}{open}2026-01-01T00:00:00Z{close}"));
                text = after.to_owned();
            }
            text = old + &text;
        }
        text
    });
    proxy
}

/// The bucket that a stack makes.
async fn bucket(clients: &Clients, stack: &str) -> String {
    let stacks = clients.cloudformation.describe_stacks();
    let stacks = stacks.stack_name(stack).send().await;
    let stacks = stacks.expect("the stack");
    let outputs = stacks.stacks()[0].outputs();
    let found = outputs.iter().find(|output| output.output_key() == Some("CodeBucket"));
    found
        .and_then(|output| output.output_value())
        .expect("its bucket")
        .to_owned()
}

/// What is recorded of the last use of a stage whose bucket this stack makes.
async fn used(clients: &Clients, stack: &str) -> Value {
    let bucket = bucket(clients, stack).await;
    let object = clients.s3.get_object().bucket(bucket).key("run/used.json").send().await;
    let bytes = object
        .expect("recorded")
        .body
        .collect()
        .await
        .expect("read")
        .into_bytes();
    serde_json::from_slice(&bytes).expect("JSON")
}

/// Has it that a stage was last used long ago.
pub(crate) async fn unused(clients: &Clients, stack: &str) {
    let mut usage = used(clients, stack).await;
    usage["at"] = json!("2026-01-02T00:00:00Z");
    let put = clients
        .s3
        .put_object()
        .bucket(bucket(clients, stack).await)
        .key("run/used.json");
    put.body(usage.to_string().into_bytes().into())
        .send()
        .await
        .expect("written");
}

fn stage<'a>(document: &'a Value, name: &str) -> &'a Value {
    let stages = document["stages"].as_array().expect("stages");
    let found = stages.iter().find(|stage| stage["stage"] == name);
    found.unwrap_or_else(|| panic!("{name} in {document:#}"))
}

#[tokio::test]
async fn what_expires_goes_whole_and_what_is_used_or_protected_stays() {
    let emulator = Emulator::start();
    let project = project();
    let clients = Clients::root(&emulator.endpoint());
    let run = |args: &[&str]| project.deployer(&emulator.endpoint(), args);
    for stage in ["prod", "pr-1"] {
        run(&["up", "--stage", stage, "--no-verify"]).success();
    }
    // From a branch that has one stack more.
    project.write("stacks/extra.yaml", EXTRA);
    run(&["up", "--stage", "pr-2", "--no-verify"]).success();
    std::fs::remove_file(project.path().join("stacks/extra.yaml")).expect("removed");

    let told = run(&["stages", "--output", "json"]).success().json();
    assert_eq!(told["schema"], 1, "{told:#}");
    assert_eq!(told["stages"].as_array().map(Vec::len), Some(3), "{told:#}");
    let prod = stage(&told, "prod");
    assert_eq!((&prod["protected"], &prod["expires"]), (&json!(true), &Value::Null));
    let pr = stage(&told, "pr-2");
    assert_eq!(
        (&pr["expires"], &pr["expired"], &pr["listed"]),
        (&json!("7d"), &json!(false), &json!(true))
    );
    assert_eq!((&pr["stacks"], &pr["status"]), (&json!(3), &json!("CREATE_COMPLETE")));
    assert!(
        pr["deployedBy"].as_str().is_some_and(|by| by.starts_with("arn:aws:")),
        "{pr:#}"
    );
    assert!(pr["expiresAt"].is_string() && pr["lastDeployed"].is_string(), "{pr:#}");
    run(&["down", "--expired"]).success();

    // Both have lain there for long, until one is looked at again: that changes no stack, and is a use.
    let old = long_ago(&emulator);
    unused(&clients, "previews-pr-1-store").await;
    unused(&clients, "previews-pr-2-store").await;
    let aged = |args: &[&str]| project.deployer(&old.endpoint(), args);
    let listing = aged(&["stages"]).success().stdout.clone();
    assert_eq!(listing.matches("  expired ").count(), 2, "{listing}");
    let up = run(&["up", "--stage", "pr-1", "--no-verify"]).success();
    assert!(!up.stderr.contains('✓'), "{}", up.stderr);
    assert_ne!(
        used(&clients, "previews-pr-1-store").await["at"],
        "2026-01-02T00:00:00Z"
    );

    old.take();
    let refused = aged(&["down", "--expired"]).fails_with(5).says(&[
        "remove 1 expired stage of previews",
        "the stage pr-2, expired",
        "of pr-2: the bucket",
        "--yes",
    ]);
    assert!(!refused.stderr.contains("pr-1"), "{}", refused.stderr);
    old.assert_nothing_was_written();

    aged(&["down", "--expired", "--yes"]).success();
    let deleted: Vec<String> = old
        .take()
        .iter()
        .filter(|seen| seen.operation == "DeleteStack")
        .filter_map(|seen| seen.parameter("StackName"))
        .collect();
    let at = |id: &str| {
        let name = format!("previews-pr-2-{id}");
        deleted.iter().position(|one| one.contains(&name)).expect("deleted")
    };
    assert!(at("extra") < at("data"), "what uses an output goes first: {deleted:?}");
    let mut left = clients.stacks_in("us-east-1").await;
    left.sort();
    let kept = [
        "previews-pr-1-data",
        "previews-pr-1-store",
        "previews-prod-data",
        "previews-prod-store",
    ];
    assert_eq!(left, kept);

    // A stage that no file lists any more goes by its name.
    project.edit("stacks/stages.yaml", "  \"pr-*\": { expires: 7d }\n", "");
    let told = run(&["stages", "--output", "json"]).success().json();
    assert_eq!(stage(&told, "pr-1")["listed"], json!(false));
    run(&["down", "--stage", "pr-1"])
        .fails_with(5)
        .says(&["remove the stage pr-1 of previews"]);
    run(&["down", "--stage", "pr-1", "--yes"]).success();
    let mut left = clients.stacks_in("us-east-1").await;
    left.sort();
    assert_eq!(left, ["previews-prod-data", "previews-prod-store"]);
    run(&["down", "--stage", "pr-1", "--yes"])
        .fails_with(2)
        .says(&["stacks/stages.yaml has no stage `pr-1`"]);
}

#[tokio::test]
async fn one_stage_that_cannot_go_stops_no_other_and_protections_hold() {
    let emulator = Emulator::start();
    let project = project();
    let clients = Clients::root(&emulator.endpoint());
    let run = |args: &[&str]| project.deployer(&emulator.endpoint(), args);
    for stage in ["pr-1", "pr-2", "pr-3"] {
        run(&["up", "--stage", stage, "--no-verify"]).success();
        unused(&clients, &format!("previews-{stage}-store")).await;
    }
    let protect = clients.cloudformation.update_termination_protection();
    let protect = protect
        .stack_name("previews-pr-3-data")
        .enable_termination_protection(true);
    protect.send().await.expect("switched on");
    let old = long_ago(&emulator);
    old.rule(|seen| {
        let is_it = seen.operation == "DeleteStack"
            && seen
                .parameter("StackName")
                .is_some_and(|name| name.contains("previews-pr-1-data"));
        is_it.then(|| {
            refusal(
                403,
                "AccessDenied",
                "not authorized to perform: cloudformation:DeleteStack",
            )
        })
    });
    let down = project
        .deployer(&old.endpoint(), &["down", "--expired", "--yes", "--output", "json"])
        .ends_with(1);
    for said in [
        "1 of 2 expired stages could not be removed",
        "pr-1: could not delete",
        "deployer down --expired",
    ] {
        assert!(down.stderr.contains(said), "{}", down.stderr);
    }

    let told: Value = serde_json::from_str(&down.stdout).expect("a document");
    assert_eq!(told["removed"][0]["stage"], "pr-2", "{told:#}");
    assert_eq!(told["failed"][0]["stage"], "pr-1");
    assert_eq!(told["kept"][0]["stage"], "pr-3");
    let left = clients.stacks_in("us-east-1").await;
    assert!(
        left.contains(&"previews-pr-3-store".to_owned()),
        "not even half of it goes: {left:?}"
    );
    assert!(!left.iter().any(|name| name.starts_with("previews-pr-2-")), "{left:?}");
}

/// A template that is in another region than all that are looked into: the stage's own record tells of it.
#[tokio::test]
async fn what_is_in_another_region_goes_with_a_stage_that_no_file_lists() {
    let emulator = Emulator::start();
    let project = project();
    let clients = Clients::root(&emulator.endpoint());
    let abroad = "Metadata: { Deployer: { Region: eu-west-1 } }\nResources: { Topic: { Type: AWS::SNS::Topic } }\n";
    project.write("stacks/abroad.yaml", abroad);
    let run = |args: &[&str]| project.deployer(&emulator.endpoint(), args);
    run(&["up", "--stage", "pr-1", "--no-verify"]).success();
    assert_eq!(
        used(&clients, "previews-pr-1-store").await["regions"],
        json!(["eu-west-1"])
    );
    std::fs::remove_file(project.path().join("stacks/abroad.yaml")).expect("removed");
    let told = run(&["stages", "--output", "json"]).success().json();
    assert_eq!(stage(&told, "pr-1")["regions"], json!(["eu-west-1", "us-east-1"]));
    project.edit("stacks/stages.yaml", "  \"pr-*\": { expires: 7d }\n", "");
    run(&["down", "--stage", "pr-1", "--yes"]).success();
    for region in ["us-east-1", "eu-west-1"] {
        assert_eq!(clients.stacks_in(region).await, [""; 0], "{region}");
    }
}

#[test]
fn other_projects_stages_are_listed_with_all() {
    let emulator = Emulator::start();
    let own = project();
    let other = Project::bare("previews-b", &[("stacks/data.yaml", DATA)]);
    own.deployer(&emulator.endpoint(), &["up", "--stage", "pr-1", "--no-verify"])
        .success();
    other.deployer(&emulator.endpoint(), &["up", "--no-verify"]).success();
    let stages = |args: &[&str]| {
        let told = own.deployer(&emulator.endpoint(), args).success().json();
        let stages = told["stages"].as_array().expect("stages").clone();
        let names = stages
            .iter()
            .map(|stage| format!("{} {}", stage["project"], stage["stage"]));
        names.collect::<Vec<_>>()
    };
    assert_eq!(stages(&["stages", "--output", "json"]), ["\"previews\" \"pr-1\""]);
    assert_eq!(
        stages(&["stages", "--all", "--output", "json"]),
        ["\"previews\" \"pr-1\"", "\"previews-b\" \"prod\""]
    );
}

#[test]
fn what_is_wrong_with_a_pattern_or_a_time_is_said_with_its_line() {
    let project = project();
    for (from, to, said) in [
        (
            "protected: true",
            "protected: true, expires: 7d",
            "stacks/stages.yaml:3:28: the stage `prod` is protected, and can't expire",
        ),
        (
            "expires: 7d",
            "expires: 7",
            "stacks/stages.yaml:4:22: `expires` is a number of hours, days or weeks",
        ),
        ("\"pr-*\"", "\"*\"", "stacks/stages.yaml:4:3: `*` is no pattern"),
    ] {
        project.edit("stacks/stages.yaml", from, to);
        project
            .deployer("http://127.0.0.1:1", &["graph"])
            .fails_with(2)
            .says(&[said]);
        project.write("stacks/stages.yaml", STAGES);
    }
    project
        .deployer("http://127.0.0.1:1", &["graph", "--stage", "pr-9"])
        .success();
}

/// As CloudFront lists them, so many a page.
fn headers_policies(from: usize, count: usize, next: Option<&str>) -> String {
    let items: String = (from..from + count)
        .map(|n| {
            format!(
                "<ResponseHeadersPolicySummary><Type>custom</Type><ResponseHeadersPolicy><Id>{n}</Id>\
                 <LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime><ResponseHeadersPolicyConfig><Name>other-{n}</Name>\
                 </ResponseHeadersPolicyConfig></ResponseHeadersPolicy></ResponseHeadersPolicySummary>"
            )
        })
        .collect();
    let next = next.map_or(String::new(), |next| format!("<NextMarker>{next}</NextMarker>"));
    format!(
        "<ResponseHeadersPolicyList xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">{next}<MaxItems>100</MaxItems>\
         <Quantity>{count}</Quantity><Items>{items}</Items></ResponseHeadersPolicyList>"
    )
}

#[test]
fn a_new_stage_is_told_of_the_quota_that_it_may_be_too_much_for() {
    let emulator = Emulator::start();
    let project = Project::of("site");
    let with = |first: usize, second: usize| {
        let proxy = Proxy::before(emulator.port());
        proxy.rule(move |seen| {
            let is_list = seen.method == "GET" && seen.path.contains("/response-headers-policy?");
            let is_second = seen.path.contains("Marker=more");
            is_list.then(|| {
                let page = if is_second {
                    headers_policies(first, second, None)
                } else {
                    headers_policies(0, first, Some("more"))
                };
                (200, page)
            })
        });
        proxy
    };
    let lists = |proxy: &Proxy| {
        let seen = proxy.take();
        seen.iter()
            .filter(|seen| seen.path.contains("/response-headers-policy?"))
            .count()
    };
    let full = with(15, 5);
    let args = ["up", "--no-verify"];
    let up = project.deployer(&full.endpoint(), &args).success();
    for said in [
        "has 20 of CloudFront's response headers policies",
        "may have 20 unless",
        "service-quotas",
    ] {
        assert!(up.stderr.contains(said), "{said} in {}", up.stderr);
    }
    assert!(lists(&full) > 0);
    let again = project.deployer(&full.endpoint(), &args).success();
    assert!(!again.stderr.contains("headers policies"), "{}", again.stderr);
    assert_eq!(lists(&full), 0, "of a stage that is there nothing is asked");
    project
        .deployer(&emulator.endpoint(), &["down", "--yes", "--delete-data"])
        .success();

    // There is room; or the quota was raised.
    for (first, second) in [(15, 4), (20, 5)] {
        let proxy = with(first, second);
        let up = project.deployer(&proxy.endpoint(), &args).success();
        assert!(!up.stderr.contains("headers policies"), "{}", up.stderr);
        project
            .deployer(&emulator.endpoint(), &["down", "--yes", "--delete-data"])
            .success();
    }
}
