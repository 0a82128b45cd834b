//! A run that is killed without a warning (SIGKILL, as when a machine goes away) at any request: the next one converges to
//! what an undisturbed one gives, resource by resource, and leaves nothing beside it.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::Signal;

use crate::interrupted::Scene;

/// How many moments of each command; `DEPLOYER_TEST_KILLS=20` makes the run a long one.
fn moments() -> usize {
    std::env::var("DEPLOYER_TEST_KILLS").map_or(2, |moments| moments.parse().expect("a number"))
}

impl Scene {
    /// Runs a command that is killed at its request number `at`, or was done before.
    fn killed(&self, args: &[&str], at: usize) {
        let (ran, sent) = self.interrupted(args, Signal::KILL, at);
        match sent {
            Some(_) => assert_eq!(ran.code, -1, "{ran}"),
            None => drop(ran.success()),
        }
    }

    /// Nothing stays that the killed run was in the midst of. AWS deletes a stack's other change sets as one is executed; the
    /// emulator doesn't.
    async fn assert_clean(&self) {
        let mut left = self.left().await;
        left.retain(|one| !one.starts_with("a change set of "));
        assert!(left.is_empty(), "{left:#?}");
    }

    /// All that there is, by the services' own words, without what differs from one deployment to the next.
    async fn everything(&self) -> BTreeMap<String, String> {
        let clients = self.clients();
        let mut all = BTreeMap::new();
        let stacks = clients.cloudformation.describe_stacks().send().await.expect("stacks");
        for stack in stacks.stacks() {
            let name = stack.stack_name().unwrap_or_default();
            let mut parameters: Vec<String> = stack
                .parameters()
                .iter()
                .map(|one| {
                    let value = one.parameter_value().unwrap_or_default();
                    format!("{}={value}", one.parameter_key().unwrap_or_default())
                })
                // Addresses and digests that are made of ids which each deployment has anew.
                .filter(|text| !["Origin=", "Digest=", "ApiUrl="].iter().any(|part| text.contains(part)))
                .collect();
            parameters.sort();
            let resources = clients.cloudformation.list_stack_resources().stack_name(name);
            let resources = resources.send().await.expect("resources");
            let mut resources: Vec<String> = resources
                .stack_resource_summaries()
                .iter()
                .map(|one| {
                    let kind = one.resource_type().unwrap_or_default();
                    // Named after what it is a snapshot of, the site's address among it.
                    let is_snapshot = kind == "AWS::ApiGateway::Deployment";
                    let id = one.logical_resource_id().filter(|_| !is_snapshot);
                    format!("{} {kind}", id.unwrap_or_default())
                })
                .collect();
            resources.sort();
            all.insert(
                format!("stack {name}"),
                format!("{} {}", parameters.join(" "), resources.join("; ")),
            );
        }
        let buckets = clients.s3.list_buckets().send().await.expect("buckets");
        for bucket in buckets.buckets().iter().filter_map(|bucket| bucket.name()) {
            let objects = clients
                .s3
                .list_objects_v2()
                .bucket(bucket)
                .send()
                .await
                .expect("objects");
            for object in objects.contents() {
                let key = object.key().unwrap_or_default();
                // What is remembered of publications and releases tells of those that were killed, too.
                let is_memory = ["site/", "releases/", "config.json"]
                    .iter()
                    .any(|part| key.starts_with(part));
                if !(is_memory) {
                    all.insert(format!("{bucket}/{key}"), object.e_tag().unwrap_or_default().to_owned());
                }
            }
        }
        let tables = clients.dynamodb.list_tables().send().await.expect("tables");
        for table in tables.table_names() {
            let items = clients.dynamodb.scan().table_name(table).send().await.expect("items");
            let mut items: Vec<String> = items
                .items()
                .iter()
                .map(|item| format!("{:?}", item["userId"]))
                .collect();
            items.sort();
            all.insert(format!("table {table}"), items.join(" "));
        }
        let functions = clients.lambda.list_functions().send().await.expect("functions");
        for function in functions.functions() {
            let name = function.function_name().unwrap_or_default();
            all.insert(
                format!("function {name}"),
                format!("{:?} {:?}", function.code_sha256(), function.memory_size()),
            );
        }
        let apis = clients.apigateway.get_rest_apis().send().await.expect("APIs");
        all.insert("APIs".to_owned(), apis.items().len().to_string());
        let sites = clients
            .cloudfront
            .list_distributions()
            .send()
            .await
            .expect("distributions");
        let sites = sites.distribution_list().map_or(0, |list| list.items().len());
        all.insert("distributions".to_owned(), sites.to_string());
        all
    }
}

/// Fails with what differs.
#[track_caller]
fn assert_same(is: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>, what: &str) {
    let keys: BTreeSet<&String> = is.keys().chain(wanted.keys()).collect();
    let differs = keys.into_iter().filter(|key| is.get(*key) != wanted.get(*key));
    let differs: Vec<String> = differs
        .map(|key| format!("{key}: {:?} instead of {:?}", is.get(key), wanted.get(key)))
        .collect();
    assert!(differs.is_empty(), "{what}: {differs:#?}");
}

/// Moments spread over a run's requests.
fn at(moment: usize, requests: usize) -> usize {
    1 + (moment * requests / moments() + moment * 7) % requests
}

#[tokio::test]
async fn the_next_run_converges_whenever_one_is_killed() {
    let up = ["up", "--stage", "dev", "--no-verify"];
    let down = ["down", "--stage", "dev", "--yes"];
    let scene = Scene::new();
    let run = |args: &[&str]| scene.deployer(args).success();

    // A new stage.
    run(&up);
    let whole = scene.everything().await;
    for moment in 0..moments() {
        run(&down);
        scene.killed(&up, at(moment, 60));
        run(&up);
        assert_same(&scene.everything().await, &whole, &format!("a new stage, {moment}"));
        scene.assert_clean().await;
    }

    // Its end.
    for moment in 0..moments() {
        scene.killed(&down, at(moment, 30));
        run(&down);
        let nothing = scene.everything().await;
        assert_eq!(nothing.len(), 2, "the end, {moment}: {nothing:#?}");
        run(&up);
    }
    assert_same(&scene.everything().await, &whole, "again");

    // Changes of stacks, items and the site.
    let (mut changes, again) = (0, ["up", "--stage", "dev", "--no-verify"]);
    for moment in 0..moments() {
        scene.change(&mut changes);
        scene.killed(&again, at(moment, 40));
        run(&again);
        let killed = scene.everything().await;
        run(&again);
        assert_same(
            &scene.everything().await,
            &killed,
            &format!("a change, {moment}: nothing was left to do"),
        );
        scene.assert_clean().await;
    }
    let seed = ["seed", "--stage", "dev", "--overwrite"];
    let seeded = scene.everything().await;
    for moment in 0..moments() {
        scene.killed(&seed, at(moment, 10));
        run(&seed);
        assert_same(&scene.everything().await, &seeded, &format!("seed, {moment}"));
    }
    let publish = ["up", "--stage", "dev", "--only", "site", "--no-verify"];
    for moment in 0..moments() {
        for number in 0..20 {
            scene.write(&format!("site/{number}.txt"), &format!("{number} in {moment}"));
        }
        scene.killed(&publish, at(moment, 30));
        run(&publish);
        let killed = scene.everything().await;
        let own = killed
            .keys()
            .filter(|key| key.ends_with(".txt") && key.contains("-site-"))
            .count();
        assert_eq!(own, 21, "a publication, {moment}: {killed:#?}");
        scene.assert_clean().await;
        run(&publish).says(&["unchanged"]);
    }

    // Going back, and forth.
    for moment in 0..moments() {
        scene.change(&mut changes);
        run(&again);
        let before = (scene.newest_release() - 1).to_string();
        let back = ["rollback", &before, "--stage", "dev", "--no-verify"];
        scene.killed(&back, at(moment, 60));
        run(&back);
        let killed = scene.everything().await;
        run(&again);
        run(&back);
        assert_same(&scene.everything().await, &killed, &format!("a rollback, {moment}"));
        scene.assert_clean().await;
        run(&again);
    }
}
