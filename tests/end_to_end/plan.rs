//! What `up` shows before it acts, and what it does when there is little or nothing to do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_cloudformation::types::{ChangeSetSummary, ExecutionStatus};

use crate::support::{Clients, Deployer, Emulator, Project, Proxy, Ran, document, http};

#[test]
fn a_second_up_writes_nothing() {
    let emulator = Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    project.deployer(&proxy.endpoint(), &["up", "--stage", "dev"]).success();
    let first = proxy.take();
    assert!(
        first.iter().any(|seen| seen.operation == "CreateChangeSet"),
        "the proxy sees what is done"
    );
    assert!(first.iter().any(|seen| seen.operation == "TransactWriteItems"));
    assert!(
        first
            .iter()
            .any(|seen| seen.method == "PUT" && seen.path.contains("index.html"))
    );

    // Nor does the proof that it works.
    project.deployer(&proxy.endpoint(), &["up", "--stage", "dev"]).success();
    let second = proxy.take();
    let writes: Vec<_> = second.iter().filter(|seen| seen.writes()).collect();
    assert!(writes.is_empty(), "{writes:#?}");
    // Nor is AWS asked anything twice: what the parts have read is what is proven by. Browsers' requests aren't signed,
    // and those that look alike differ in a header.
    let mut asked = BTreeMap::new();
    for seen in second.iter().filter(|seen| !seen.authorization.is_empty()) {
        let question = (&seen.method, &seen.path, &seen.operation, &seen.body);
        *asked.entry(question).or_insert(0) += 1;
    }
    assert!(asked.len() > 30, "{} questions", asked.len());
    asked.retain(|_, times| *times > 1);
    assert!(asked.is_empty(), "{asked:#?}");

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
    let emulator = Emulator::shared();
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
    let emulator = Emulator::shared();
    let project = Project::copy();
    let endpoint = emulator.endpoint();
    let clients = Clients::root(&endpoint);
    project.deployer(&endpoint, &["up"]).success();

    project.edit("stacks/stages.yaml", "TableName: UserData\n", "TableName: People\n");
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
    let emulator = Emulator::shared();
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
            .says(&["the stack data, which this part needs, isn't deployed"]);
    }
    // A page that is to know the API's address isn't published without one; one that says all itself is.
    let only = [
        "up",
        "--stage",
        "dev",
        "--only",
        "artifacts,presentation",
        "--only",
        "site",
    ];
    project
        .deployer(&endpoint, &only)
        .fails_with(1)
        .says(&["the stack logic, which this part needs, isn't deployed"]);
    project.write("site/config.json", "{}");
    let up = project.deployer(&endpoint, &only).success();
    assert!(
        up.stderr.contains("site") && !up.stderr.contains("not done"),
        "{}",
        up.stderr
    );
    std::fs::remove_file(project.path().join("site/config.json")).expect("removed");
    let unknown = project
        .deployer(&endpoint, &["up", "--only", "presentatoin"])
        .fails_with(2);
    unknown.says(&["there is no such stack or step", "Did you mean `--only presentation`?"]);

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
    let page = http::get(document::site_url(&status)).expect("an answer");
    assert!(page.body.contains("<title>Changed: "), "{}", page.body);
}

/// The API comes after the site's policy, which names it: whoever makes the API brings the policy up to date.
#[test]
fn the_policy_names_the_api_whatever_is_done_alone() {
    let emulator = Emulator::shared();
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
        let site = document::site_url(&document);
        let page = http::get(site).expect("an answer");
        let policy = page.header("Content-Security-Policy").expect("a policy").to_owned();
        let api = document::output_if_any(&document, "ApiUrl").unwrap_or_default();
        let origin = api.split('/').take(3).collect::<Vec<_>>().join("/");
        (policy, origin)
    };
    let names_it = |up: &Ran| {
        let (policy, api) = allowed(up);
        policy.ends_with(&format!("connect-src 'self' {api}"))
    };
    only("data");
    let (policy, _) = allowed(&only("presentation"));
    assert!(policy.ends_with("connect-src 'self'"), "no API yet: {policy}");
    assert!(names_it(&only("logic")));
    let again = only("presentation");
    assert!(names_it(&again));
    assert!(!again.stderr.contains("UPDATE"), "nothing to do: {}", again.stderr);

    // Another API, beside a change of the presentation tier that isn't to be deployed with it.
    project.edit("stacks/presentation.yaml", "ErrorCode: 404\n", "ErrorCode: 416\n");
    let logic = project.read("stacks/logic.yaml");
    let renamed = logic
        .replace("!Ref Api\n", "!Ref NewApi\n")
        .replace("${Api}", "${NewApi}");
    let renamed = renamed
        .replace("  Api:\n", "  NewApi:\n")
        .replace("!GetAtt Api.", "!GetAtt NewApi.");
    project.write("stacks/logic.yaml", &renamed);
    let moved = only("logic");
    assert!(!names_it(&moved));
    assert!(moved.stderr.contains("up --only presentation"), "{}", moved.stderr);
    assert!(names_it(&only("presentation")));

    // And without such a change it is brought along.
    project.write("stacks/logic.yaml", &logic);
    assert!(names_it(&only("logic")));
}

/// What needs a stack that fails isn't begun, and its plan is given up; all else is done.
#[tokio::test]
async fn a_stack_that_fails_stops_those_that_need_it_and_no_others() {
    let emulator = Emulator::shared();
    let project = Project::copy();
    let up = || project.deployer(&emulator.endpoint(), &["up", "--stage", "dev"]);
    up().success();
    let never = "Resources:\n  Gate: { Type: AWS::CloudFormation::WaitConditionHandle }\n  Never:\n    Type: AWS::CloudFormation::WaitCondition\n    Properties: { Handle: !Ref Gate, Timeout: \"1\" }\n";
    project.edit("stacks/data.yaml", "Resources:\n", never);
    project.edit("stacks/logic.yaml", "MemorySize: 256", "MemorySize: 512");
    project.edit("stacks/presentation.yaml", "ErrorCode: 404\n", "ErrorCode: 416\n");
    let failed = up().fails_with(1).says(&[
        "the stack three-tier-dev-data could not be updated",
        "✗ logic        not done: what it needs failed",
        "✓ presentation updated",
        "Never (AWS::CloudFormation::WaitCondition)",
    ]);
    let first_line = |what: &str| failed.stderr.find(what).expect(what);
    for planned in [
        "~ three-tier-dev-data",
        "~ three-tier-dev-logic",
        "~ three-tier-dev-presentation",
    ] {
        assert!(
            first_line(planned) < first_line("… data"),
            "the plan comes first: {}",
            failed.stderr
        );
    }
    let clients = Clients::root(&emulator.endpoint());
    for stack in ["artifacts", "data", "presentation", "logic"] {
        let sets = clients.cloudformation.list_change_sets();
        let sets = sets
            .stack_name(format!("three-tier-dev-{stack}"))
            .send()
            .await
            .expect("change sets");
        let open = |set: &&ChangeSetSummary| set.execution_status() == Some(&ExecutionStatus::Available);
        assert!(
            sets.summaries().iter().find(open).is_none(),
            "{stack}: {:?}",
            sets.summaries()
        );
    }
    project.edit("stacks/data.yaml", never, "Resources:\n");
    let up = up().success();
    assert!(up.stderr.contains("✓ logic        updated"), "{}", up.stderr);
}

/// An output that a stack doesn't have, since it was deployed before its template got it, or a condition leaves it out.
#[test]
fn nobody_waits_for_an_output_that_does_not_come() {
    let emulator = Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    let up = |args: &[&str]| project.deployer(&proxy.endpoint(), &[&["up", "--stage", "dev"], args].concat());
    let logic = project.read("stacks/logic.yaml");
    let presentation = project.read("stacks/presentation.yaml");
    let wants = |parameter: &str| {
        let declared = format!("Parameters:\n  Extra: {parameter}\n");
        project.write("stacks/logic.yaml", &logic.replacen("Parameters:\n", &declared, 1));
    };
    let tells = |output: &str| {
        let conditions = "Conditions:\n  Never: !Equals [a, b]\n";
        let text = presentation.replacen("Conditions:\n", conditions, 1);
        project.write(
            "stacks/presentation.yaml",
            &text.replacen("Outputs:\n", &format!("Outputs:\n  Extra: {output}\n"), 1),
        );
    };
    up(&[]).success();
    proxy.take();

    wants("{ Type: String }");
    tells("{ Value: told }");
    up(&["--only", "function"]).fails_with(1).says(&[
        "the stack three-tier-dev-presentation has no output `Extra`",
        "`deployer up --stage dev` without --only",
    ]);
    proxy.assert_nothing_was_written();
    up(&[]).success();
    tells("{ Value: told, Condition: Never }");
    up(&[])
        .fails_with(1)
        .says(&["has no output `Extra`", "under a condition"]);
    // One that can do without does.
    wants("{ Type: String, Default: \"\" }");
    up(&[]).success();
    let settled = up(&["--only", "logic"]).success();
    assert!(settled.stderr.contains("logic        unchanged"), "{}", settled.stderr);
}

/// A late value that its producer doesn't tell yet stays what it was: the page is never cut off from its API.
#[test]
fn a_late_value_is_not_taken_away_meanwhile() {
    let emulator = Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    let up = || project.deployer(&proxy.endpoint(), &["up", "--stage", "dev"]).success();
    up();
    proxy.take();
    // The API's stack is one that was deployed before its template got the output.
    proxy.edit("DescribeStacks", |seen, answer| {
        let is_logic = seen
            .parameter("StackName")
            .is_some_and(|name| name.contains("dev-logic"));
        if is_logic {
            answer.replace("ApiOrigin", "Before")
        } else {
            answer
        }
    });
    project.edit("stacks/presentation.yaml", "ErrorCode: 404\n", "ErrorCode: 416\n");
    let _ = project.deployer(&proxy.endpoint(), &["up", "--stage", "dev"]);
    let given: Vec<String> = proxy
        .take()
        .iter()
        .filter(|seen| seen.operation == "CreateChangeSet" && seen.body.contains("dev-presentation"))
        .map(|seen| {
            let index = (1..20).find(|index| {
                let key = seen.parameter(&format!("Parameters.member.{index}.ParameterKey"));
                key.as_deref() == Some("ApiOrigin")
            });
            let index = index.expect("the parameter");
            let value = seen.parameter(&format!("Parameters.member.{index}.ParameterValue"));
            value.unwrap_or_default()
        })
        .collect();
    assert!(
        !given.is_empty() && given.iter().all(|origin| origin.contains("execute-api")),
        "{given:?}"
    );
}

#[test]
fn two_stages_live_side_by_side() {
    let emulator = Emulator::shared();
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
    assert_eq!(document::names(&prod, "tables"), ["UserData"]);
    assert_eq!(document::names(&prod, "functions"), ["retrieve-user-data"]);
    assert_eq!(document::names(&dev, "tables"), ["UserData-dev"]);
    assert_eq!(document::names(&dev, "functions"), ["retrieve-user-data-dev"]);
    assert_ne!(document::site_url(&prod), document::site_url(&dev));
    let api = document::api_url(&dev);
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
    let emulator = Emulator::shared();
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
    let emulator = Emulator::shared();
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
    let site = document::site_url(&up);
    let allowed = function
        .environment()
        .and_then(|e| e.variables())
        .map(|v| v["ALLOWED_ORIGIN"].clone());
    assert_eq!(allowed.map(|origin| origin + "/").as_deref(), Some(site));
    let stacks = up["stacks"].as_array().expect("stacks");
    assert!(
        stacks
            .iter()
            .filter(|stack| stack["id"] != "presentation")
            .all(|stack| stack["status"] == "CREATE_COMPLETE"),
        "none was deployed twice but the one whose policy got the API: {up}"
    );
}

/// A function of another name logs elsewhere, and what the one before has logged goes with its group: that is asked about.
#[test]
fn logs_that_would_go_are_a_loss() {
    let emulator = Emulator::shared();
    let (project, endpoint) = (Project::copy(), emulator.endpoint());
    let up = ["up", "--stage", "dev", "--no-verify"];
    project.deployer(&endpoint, &up).success();
    project.edit(
        "stacks/stages.yaml",
        "FunctionName: retrieve-user-data-${stage}",
        "FunctionName: users-${stage}",
    );
    project
        .deployer(&endpoint, &up)
        .fails_with(5)
        .says(&["AWS::Logs::LogGroup /aws/lambda/retrieve-user-data-dev", "--yes"]);
    // How long it is kept is no loss.
    project.edit(
        "stacks/stages.yaml",
        "FunctionName: users-${stage}",
        "FunctionName: retrieve-user-data-${stage}",
    );
    project.edit("stacks/stages.yaml", "LogRetentionDays: 3", "LogRetentionDays: 5");
    project.deployer(&endpoint, &up).success();
}
