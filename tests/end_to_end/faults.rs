//! `up` and `down` through a network and services that fail: one call in five is throttled, refused, reset, never answered,
//! or done without saying so. They succeed, and nothing is there twice, or left.

use std::collections::BTreeMap;
use std::io::Write;

use aws_sdk_cloudformation::types::ExecutionStatus;

use crate::support::faults::Faults;
use crate::support::{Clients, Emulator, Project, Proxy, answers};

/// What there is of each kind, by the services' own lists, asked without faults.
async fn counted(clients: &Clients) -> BTreeMap<&'static str, usize> {
    let stacks = clients.cloudformation.describe_stacks().send().await.expect("stacks");
    let mut pending = 0;
    for stack in stacks.stacks() {
        let sets = clients.cloudformation.list_change_sets();
        let sets = sets
            .stack_name(stack.stack_name().unwrap_or_default())
            .send()
            .await
            .expect("change sets");
        let available = |set: &&aws_sdk_cloudformation::types::ChangeSetSummary| {
            set.execution_status() == Some(&ExecutionStatus::Available)
        };
        pending += sets.summaries().iter().filter(available).count();
    }
    let buckets = clients.s3.list_buckets().send().await.expect("buckets");
    let roles = clients.iam.list_roles().send().await.expect("roles");
    let functions = clients.lambda.list_functions().send().await.expect("functions");
    let apis = clients.apigateway.get_rest_apis().send().await.expect("APIs");
    let sites = clients
        .cloudfront
        .list_distributions()
        .send()
        .await
        .expect("distributions");
    let controls = clients
        .cloudfront
        .list_origin_access_controls()
        .send()
        .await
        .expect("access controls");
    let tables = clients.dynamodb.list_tables().send().await.expect("tables");
    let items = clients
        .dynamodb
        .scan()
        .table_name("UserData-dev")
        .send()
        .await
        .expect("items");
    BTreeMap::from([
        ("stacks", stacks.stacks().len()),
        ("change sets to execute", pending),
        ("buckets", buckets.buckets().len()),
        ("roles", roles.roles().len()),
        ("functions", functions.functions().len()),
        ("APIs", apis.items().len()),
        (
            "distributions",
            sites.distribution_list().map_or(0, |list| list.items().len()),
        ),
        (
            "access controls",
            controls
                .origin_access_control_list()
                .map_or(0, |list| list.items().len()),
        ),
        ("tables", tables.table_names().len()),
        ("items", usize::try_from(items.count()).unwrap_or_default()),
    ])
}

const ONCE: [(&str, usize); 10] = [
    ("stacks", 4),
    ("change sets to execute", 0),
    ("buckets", 2),
    ("roles", 1),
    ("functions", 1),
    ("APIs", 1),
    ("distributions", 1),
    ("access controls", 1),
    ("tables", 1),
    ("items", 3),
];

/// A stage is deployed, changed twice and removed, through a proxy by whose faults each of the runs differs.
async fn run(seed: u64, stalls: usize) {
    let emulator = Emulator::start();
    let clients = Clients::root(&emulator.endpoint());
    let project = Project::copy();
    let faults = Faults::before(emulator.port(), seed, 20, stalls);
    let through = |what: &str, args: &[&str]| {
        let started = std::time::Instant::now();
        let ran = project.deployer(&faults.endpoint(), &[args, &["--stage", "dev"]].concat());
        let (told, asked) = faults.told();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (fault, _) in &told {
            *counts.entry(format!("{fault:?}")).or_default() += 1;
        }
        let said = format!(
            "seed {seed}, {what}: exit {}, {asked} calls and {} faults so far; {:.1?}: {counts:?}",
            ran.code,
            told.len(),
            started.elapsed()
        );
        let _ = writeln!(std::io::stdout(), "{said}");
        assert_eq!(ran.code, 0, "{said}\n{}{}\n{told:#?}", ran.stdout, ran.stderr);
        assert!(told.len() > 10, "{said}");
    };
    through("a new stage", &["up"]);
    assert_eq!(counted(&clients).await, BTreeMap::from(ONCE), "seed {seed}");
    // Changes to stacks that exist, one of them in two steps, and to the site.
    let tagged = "BillingMode: PAY_PER_REQUEST\n      Tags: [{ Key: a, Value: b }]\n";
    project.edit("stacks/data.yaml", "BillingMode: PAY_PER_REQUEST\n", tagged);
    project.edit("site/index.html", "<title>", "<title>Changed: ");
    let ping = "  Ping:\n    Type: AWS::ApiGateway::Resource\n    Properties: { RestApiId: !Ref Api, ParentId: !GetAtt \
                Api.RootResourceId, PathPart: ping }\n";
    let logic = project.read("stacks/logic.yaml");
    project.write(
        "stacks/logic.yaml",
        &logic.replace("Resources:\n", &format!("Resources:\n{ping}")),
    );
    through("a change", &["up"]);
    project.write("stacks/logic.yaml", &logic);
    through("a change that takes a part of the API away", &["up"]);
    assert_eq!(counted(&clients).await, BTreeMap::from(ONCE), "seed {seed}");
    let page = clients
        .s3
        .get_object()
        .bucket("three-tier-dev-site-000000000000-us-east-1");
    let page = page.key("index.html").send().await.expect("the page");
    let page = page.body.collect().await.expect("bytes").into_bytes();
    assert!(
        String::from_utf8_lossy(&page).contains("<title>Changed: "),
        "seed {seed}"
    );
    through("its end", &["down", "--yes"]);
    let stacks = clients.cloudformation.describe_stacks().send().await.expect("stacks");
    let buckets = clients.s3.list_buckets().send().await.expect("buckets");
    assert_eq!((stacks.stacks().len(), buckets.buckets().len()), (0, 0), "seed {seed}");
}

/// `DEPLOYER_TEST_FAULTS=20` makes it a long run, in which any call may stall: each costs half a minute.
#[test]
fn one_call_in_five_may_fail() {
    const AT_ONCE: usize = 4;
    let runs: u64 = std::env::var("DEPLOYER_TEST_FAULTS").map_or(2, |runs| runs.parse().expect("a number"));
    let stalls = if runs > 2 { usize::MAX } else { 1 };
    let seeds: Vec<u64> = (0..runs).collect();
    for seeds in seeds.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            for seed in seeds {
                scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    runtime.expect("a runtime").block_on(run(*seed, stalls));
                });
            }
        });
    }
}

/// Where every other call fails a run may not get through; then it ends by itself and says why, and the next one, without
/// faults, goes on from there.
#[tokio::test(flavor = "multi_thread")]
async fn where_every_other_call_fails_a_run_ends_with_a_reason() {
    let emulator = Emulator::start();
    let clients = Clients::root(&emulator.endpoint());
    let project = Project::copy();
    // Each call that needs many attempts takes a while: all of a stage is for the long run.
    let is_long = std::env::var_os("DEPLOYER_TEST_FAULTS").is_some();
    let only: &[&str] = if is_long { &[] } else { &["--only", "data"] };
    let up = [&["up", "--stage", "dev", "--no-verify"], only].concat();
    let down = vec!["down", "--stage", "dev", "--yes"];
    for seed in if is_long { 0..4 } else { 1..3 } {
        for args in [&up, &down] {
            let faults = Faults::before(emulator.port(), seed, 50, 0);
            let ran = project.deployer(&faults.endpoint(), args);
            let _ = writeln!(std::io::stdout(), "seed {seed}, {}: exit {}", args[0], ran.code);
            if ran.code != 0 {
                let told = [
                    "could not",
                    "couldn't",
                    "parts failed",
                    "didn't answer",
                    "doesn't answer",
                ];
                assert!(told.iter().any(|words| ran.stderr.contains(words)), "{ran}");
                assert!(ran.stderr.contains("next:") && ran.stderr.contains("error:"), "{ran}");
            }
            project.deployer(&emulator.endpoint(), args).success();
            if args[0] == "up" && is_long {
                assert_eq!(counted(&clients).await, BTreeMap::from(ONCE), "seed {seed}");
            }
        }
    }
}

/// The requests for one operation, by their tokens.
fn tokens(proxy: &Proxy, operation: &str, token: &str) -> Vec<String> {
    let seen = proxy.take();
    let of_operation = seen.iter().filter(|seen| seen.operation == operation);
    of_operation.filter_map(|seen| seen.parameter(token)).collect()
}

/// The change set was made, and the answer said otherwise: the repeated request finds it there.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_set_whose_answer_was_lost_is_used() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    let clients = Clients::root(&emulator.endpoint());
    let mut lost = 0;
    proxy.lose(move |seen| {
        let first = seen.operation == "CreateChangeSet" && lost == 0;
        lost += usize::from(first);
        first
    });
    project
        .deployer(&proxy.endpoint(), &["up", "--stage", "dev", "--only", "data"])
        .success();
    let tokens = tokens(&proxy, "CreateChangeSet", "ClientToken");
    assert!(tokens.len() == 2 && tokens[0] == tokens[1], "{tokens:?}");
    let sets = clients
        .cloudformation
        .list_change_sets()
        .stack_name("three-tier-dev-data");
    assert_eq!(sets.send().await.expect("change sets").summaries().len(), 1);
}

/// It was executed, and the answer said otherwise; likewise a stack's deletion.
#[tokio::test(flavor = "multi_thread")]
async fn an_execution_whose_answer_was_lost_is_followed() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    let mut lost = std::collections::BTreeSet::new();
    proxy.lose(move |seen| {
        ["ExecuteChangeSet", "DeleteStack"].contains(&seen.operation.as_str()) && lost.insert(seen.operation.clone())
    });
    project
        .deployer(&proxy.endpoint(), &["up", "--stage", "dev", "--only", "data"])
        .success();
    let begun = tokens(&proxy, "ExecuteChangeSet", "ClientRequestToken");
    assert!(begun.len() == 2 && begun[0] == begun[1], "{begun:?}");
    project
        .deployer(&proxy.endpoint(), &["down", "--stage", "dev", "--yes"])
        .success();
    let begun = tokens(&proxy, "DeleteStack", "ClientRequestToken");
    assert!(begun.len() == 2 && begun[0] == begun[1], "{begun:?}");
}

/// A refusal that isn't for the sake of the same request: nothing of ours was begun, and that is said.
#[test]
fn a_refusal_of_anothers_making_stays_one() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    proxy.rule(|seen| {
        (seen.operation == "ExecuteChangeSet").then(|| {
            answers::refusal(
                400,
                "InvalidChangeSetStatus",
                "ChangeSet [x] cannot be executed in its current status of [EXECUTE_COMPLETE]",
            )
        })
    });
    project
        .deployer(&proxy.endpoint(), &["up", "--stage", "dev", "--only", "data"])
        .fails_with(1)
        .says(&[
            "is being changed by another run",
            "could not start the change to",
            "EXECUTE_COMPLETE",
        ]);
    // And a name that another's change set has is no change set of ours.
    proxy.forget_rules();
    proxy.rule(|seen| {
        (seen.operation == "CreateChangeSet")
            .then(|| answers::refusal(400, "LimitExceededException", "too many change sets"))
    });
    project
        .deployer(&proxy.endpoint(), &["up", "--stage", "dev", "--only", "data"])
        .fails_with(1)
        .says(&["could not make a change set", "too many change sets"]);
}

/// An item that was put, and whose answer was lost, is told as put.
#[test]
fn an_item_whose_answer_was_lost_counts_as_added() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    let mut lost = 0;
    proxy.lose(move |seen| {
        let first = seen.operation == "TransactWriteItems" && lost == 0;
        lost += usize::from(first);
        first
    });
    project
        .deployer(&proxy.endpoint(), &["up", "--stage", "dev", "--only", "data"])
        .success();
    project
        .deployer(&proxy.endpoint(), &["seed", "--stage", "dev"])
        .success()
        .says(&["items: 3 added"]);
    let writes = proxy
        .take()
        .into_iter()
        .filter(|seen| seen.operation == "TransactWriteItems");
    let tokens: Vec<String> = writes
        .map(|seen| {
            let request: serde_json::Value = serde_json::from_str(&seen.body).expect("JSON");
            request["ClientRequestToken"].as_str().expect("a token").to_owned()
        })
        .collect();
    let [first, second] = tokens.as_slice() else {
        panic!("it is sent again: {tokens:?}")
    };
    assert_eq!(first, second, "and is known by its token");
}
