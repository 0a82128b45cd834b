//! What `diff` says that `up` would change, and that nothing stays of having looked.

use serde_json::Value;

use crate::support::{Clients, Emulator, Project, Proxy, Ran};

const UP: [&str; 5] = ["up", "--stage", "dev", "--yes", "--no-verify"];

fn diff(project: &Project, endpoint: &str, args: &[&str]) -> Ran {
    let all: Vec<&str> = ["diff", "--stage", "dev"]
        .into_iter()
        .chain(args.iter().copied())
        .collect();
    project.deployer(endpoint, &all)
}

fn texts<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    let entries = list.as_array().expect("a list").iter();
    entries.filter_map(|entry| entry[field].as_str()).collect()
}

#[tokio::test]
async fn what_is_not_there_yet_would_be_made_and_nothing_is() {
    let emulator = Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    let ran = diff(&project, &proxy.endpoint(), &["--exit-code"]).ends_with(4);
    for told in [
        "+ three-tier-dev-data 1 to create",
        "+ GET /users open to all",
        "+ FunctionRole may dynamodb:GetItem",
        "+ bootstrap",
        "+ index.html",
        "+ Table userId \"1\"",
        "would change 4 stacks, 1 function, 5 files of the site, 3 items",
    ] {
        assert!(ran.stdout.contains(told), "{told}\n{}", ran.stdout);
    }
    let verdict = ran.stdout.lines().last().unwrap_or_default();
    assert!(
        verdict.starts_with("`deployer up --stage dev` would change"),
        "the verdict is last: {verdict}"
    );
    let writes: Vec<_> = proxy.take().into_iter().filter(|seen| seen.writes()).collect();
    assert!(writes.is_empty(), "{writes:#?}");
    let stacks = Clients::root(&emulator.endpoint())
        .cloudformation
        .describe_stacks()
        .send()
        .await;
    assert_eq!(stacks.expect("stacks").stacks().len(), 0);
}

#[tokio::test]
async fn what_was_changed_is_told_by_its_values() {
    let emulator = Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    let (project, endpoint) = (Project::copy(), proxy.endpoint());
    project.deployer(&endpoint, &UP).success();
    proxy.take();
    let same = diff(&project, &endpoint, &["--exit-code"]).success();
    assert!(same.stdout.ends_with("would change nothing\n"), "{}", same.stdout);
    let writes: Vec<_> = proxy.take().into_iter().filter(|seen| seen.writes()).collect();
    assert!(writes.is_empty(), "{writes:#?}");

    project.edit("stacks/stages.yaml", "LogRetentionDays: 3", "LogRetentionDays: 7");
    project.edit(
        "stacks/logic.yaml",
        "Action: dynamodb:GetItem",
        "Action: [dynamodb:GetItem, dynamodb:PutItem]",
    );
    project.edit("stacks/logic.yaml", "MemorySize: 256", "MemorySize: 512");
    project.edit("stacks/seed.yaml", "name: Test User", "name: Somebody Else");
    project.write(
        "stacks/seed.yaml",
        &format!("{}\n- userId: \"4\"\n", project.read("stacks/seed.yaml")),
    );
    project.write("site/new.html", "<!doctype html><title>New</title>");
    project.write("site/robots.txt", "User-agent: *\n");
    std::fs::remove_file(project.path().join("site/favicon.svg")).expect("there");

    let ran = diff(&project, &endpoint, &["--exit-code"]).ends_with(4);
    for told in [
        "~ three-tier-dev-logic",
        "FunctionLogs AWS::Logs::LogGroup RetentionInDays 3 → 7",
        "Function AWS::Lambda::Function MemorySize 256 → 512",
        "+ FunctionRole may dynamodb:PutItem arn:aws:dynamodb:",
        "+ new.html",
        "− favicon.svg",
        "+ Table userId \"4\"",
        "Table userId \"1\" is another there, and stays",
        "1 stack, ",
    ] {
        assert!(ran.stdout.contains(told), "{told}\n{}", ran.stdout);
    }
    let not_told = ["three-tier-dev-data", "− FunctionRole", "+ Table userId \"1\""];
    for text in not_told {
        assert!(!ran.stdout.contains(text), "{text}\n{}", ran.stdout);
    }

    let document = diff(&project, &endpoint, &["--output", "json"]).success().json();
    assert_eq!((&document["schema"], &document["different"]), (&1.into(), &true.into()));
    let stacks = document["stacks"].as_array().expect("stacks");
    let logic = stacks.iter().find(|stack| stack["id"] == "logic").expect("logic");
    let logs = logic["changes"].as_array().expect("changes").iter();
    let logs = logs
        .clone()
        .find(|change| change["logicalId"] == "FunctionLogs")
        .expect("its logs");
    let value = serde_json::json!([{
        "path": "RetentionInDays", "before": "3", "after": "7", "replaces": "never"
    }]);
    assert_eq!(logs["values"], value);
    let widening = &document["permissions"].as_array().expect("permissions")[0];
    assert_eq!(
        (
            &widening["added"],
            &widening["widens"],
            &widening["action"],
            &widening["holder"]
        ),
        (
            &true.into(),
            &true.into(),
            &"dynamodb:PutItem".into(),
            &"FunctionRole".into()
        )
    );
    assert_eq!(texts(&document["items"], "table"), ["Table"]);

    // Of what was made to find it out nothing is left, and what is deployed is as it was.
    let clients = Clients::root(&emulator.endpoint());
    for stack in stacks {
        let sets = clients
            .cloudformation
            .list_change_sets()
            .stack_name(stack["name"].as_str().expect("a name"))
            .send()
            .await
            .expect("change sets");
        let open = sets
            .summaries()
            .iter()
            .filter(|one| one.execution_status().is_some_and(|it| it.as_str() == "AVAILABLE"));
        assert_eq!(open.count(), 0, "{:?}", sets.summaries());
    }
    let function = clients
        .lambda
        .get_function_configuration()
        .function_name("retrieve-user-data-dev")
        .send()
        .await
        .expect("the function");
    assert_eq!(function.memory_size(), Some(256));

    // What it said is what `up` does.
    let up = project.deployer(&endpoint, &UP).success();
    up.says(&["FunctionLogs AWS::Logs::LogGroup RetentionInDays 3 → 7"]);
    let after = diff(&project, &endpoint, &["--exit-code"]).success();
    assert!(after.stdout.contains("is another there, and stays"), "{}", after.stdout);
}

#[test]
fn what_only_follows_is_one_line_and_what_is_lost_is_loud() {
    let emulator = Emulator::shared();
    let (project, endpoint) = (Project::copy(), emulator.endpoint());
    project.deployer(&endpoint, &UP).success();
    project.edit(
        "stacks/stages.yaml",
        "TableName: UserData-${stage}",
        "TableName: People-${stage}",
    );
    let ran = diff(&project, &endpoint, &[]).success();
    for told in [
        "AWS::DynamoDB::Table UserData-dev is replaced by an empty one",
        "TableName UserData-dev → People-dev",
        "data or its protection would be lost",
    ] {
        assert!(ran.stdout.contains(told), "{told}\n{}", ran.stdout);
    }
    // The function's stack has the table's name and ARN from there.
    assert!(ran.stdout.contains("three-tier-dev-logic"), "{}", ran.stdout);
}
