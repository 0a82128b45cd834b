//! `invoke`: events that are given or implied, answers, errors, and what is called once.

use std::path::Path;

use serde_json::{Value, json};

use crate::logs::{project, up};
use crate::support::{Deployer, Emulator, Project, Proxy, terminal::Terminal};

#[test]
fn an_answer_is_a_result_and_what_was_written_stands_beside_it() {
    let (emulator, project) = (Emulator::shared(), project(false));
    let endpoint = emulator.endpoint();
    let invoke = |args: &[&str]| project.deployer(&endpoint, &[&["invoke"], args].concat());
    up(&project, &endpoint);
    let event = r#"{"say":["{\"level\":\"WARN\",\"message\":\"hello\",\"n\":1}"],"number":12345678901234567890123}"#;
    let ran = invoke(&["One", "--event", event]).success();
    assert!(ran.stdout.starts_with("{\n  \"say\": ["), "{ran}");
    assert!(ran.stderr.contains("talk-one WARN  hello n=1"), "{ran}");
    let document = invoke(&["app:One", "--event", event, "--output", "json"])
        .success()
        .json();
    assert_eq!(
        (&document["schema"], &document["status"], &document["functionError"]),
        (&json!(1), &json!(200), &Value::Null)
    );
    assert_eq!(document["payload"]["number"].to_string(), "12345678901234567890123");
    assert_eq!(document["log"][0]["message"], "hello");
    let request = document["requestId"].as_str().expect("an id");
    assert_eq!(request.len(), 36, "{document}");

    // From a file, and from standard input, as it is.
    project.write("event.json", "{\"from\": \"file\"}\n");
    let ran = invoke(&["talk-one", "--event-file", "event.json"]).success();
    assert_eq!(ran.json(), json!({ "from": "file" }));
    let piped = "printf '[1]' | \"$1\" invoke One --event-file - --print-event";
    let ran = Deployer::under(Path::new("/bin/sh"), &["-c", piped, "sh"], project.path(), &[]);
    assert_eq!(ran.at(&endpoint).run().success().stdout, "[\n  1\n]\n");

    // Nothing leads to it, and what is no JSON is told before anything is asked.
    invoke(&["One"])
        .fails_with(2)
        .says(&["no route and no trigger", "--event"]);
    invoke(&["One", "--event", "{a}"])
        .fails_with(2)
        .says(&["--event is no JSON"]);
    invoke(&["One", "--event-file", "none.json"])
        .fails_with(2)
        .says(&["could not read", "none.json"]);
    invoke(&["Noe", "--event", "{}"])
        .fails_with(2)
        .says(&["Did you mean `One`?"]);
    project.write("large.json", &format!("\"{}\"", "x".repeat(6 << 20)));
    invoke(&["One", "--event-file", "large.json"])
        .fails_with(2)
        .says(&["has 6291458 bytes", "bucket"]);

    // The environment ends with it.
    let ended = invoke(&["One", "--event", "{\"say\":[\"last words\"],\"exit\":true}"]).fails_with(1);
    let ended = ended.says(&[
        "talk-one ended with an error",
        "Runtime.ExitError",
        "deployer logs --function talk-one",
    ]);
    assert!(ended.stderr.contains("last words"), "{ended}");
    let ended = invoke(&["One", "--event", "{\"exit\":true}", "--output", "json"]).ends_with(1);
    assert_eq!(ended.json()["functionError"], "Unhandled");
    assert!(ended.stderr.contains("\"code\":\"function-failed\""), "{ended}");
}

#[test]
fn what_may_write_is_called_once_and_never_unasked_on_a_protected_stage() {
    let (emulator, project) = (Emulator::shared(), project(true));
    let proxy = Proxy::before(emulator.port());
    let endpoint = proxy.endpoint();
    let invoke = |args: &[&str]| project.deployer(&endpoint, &[&["invoke", "One", "--event", "{}"], args].concat());
    let calls = || {
        proxy
            .take()
            .iter()
            .filter(|seen| seen.path.ends_with("/invocations"))
            .count()
    };
    up(&project, &endpoint);
    // It only writes its log.
    invoke(&[]).success();
    assert_eq!(calls(), 1);
    // A call that may be made again is, where its answer is lost.
    let mut left = 1;
    proxy.lose(move |seen| {
        let is_lost = seen.path.ends_with("/invocations") && left > 0;
        left -= i32::from(is_lost);
        is_lost
    });
    invoke(&[]).success();
    assert_eq!(calls(), 2);

    project.edit(
        "stacks/app.yaml",
        "[logs:CreateLogStream, logs:PutLogEvents]",
        "[logs:PutLogEvents, 'dynamodb:*']",
    );
    up(&project, &endpoint);
    proxy.take();
    let refused = invoke(&[]).fails_with(5);
    refused.says(&[
        "call the function talk-one, which may change what the protected stage prod holds",
        "grants dynamodb:*",
        "Nothing was called. Say --yes",
    ]);
    assert_eq!(calls(), 0);
    let printed = invoke(&["--print-event"]).success();
    assert_eq!((printed.stdout.as_str(), calls()), ("{}\n", 0));
    let at_terminal = Terminal {
        keys: "n\\n",
        ..Terminal::default()
    };
    let (status, seen) = at_terminal.run(project.path(), &endpoint, &["invoke", "One", "--event", "{}"]);
    assert_eq!((status, calls()), (5, 0), "{seen}");
    invoke(&["--yes"]).success();
    assert_eq!(calls(), 1);

    // Its answer is lost: it was called, and isn't again.
    proxy.lose(|seen| seen.path.ends_with("/invocations"));
    let lost = invoke(&["--yes"]).fails_with(1);
    lost.says(&[
        "could not call the function talk-one",
        "it wasn't called again",
        "deployer logs --function talk-one",
    ]);
    assert_eq!(calls(), 1);
    proxy.reset(|seen| seen.path.ends_with("/invocations"));
    invoke(&["--yes"]).fails_with(1).says(&["it wasn't called again"]);
    assert_eq!(calls(), 1);
}

#[test]
fn a_route_implies_its_event_and_the_contract_what_it_asks() {
    let (emulator, project) = (Emulator::start(), Project::copy());
    let endpoint = emulator.endpoint();
    let dev = |args: &[&str]| project.deployer(&endpoint, &[args, &["--stage", "dev"]].concat());
    dev(&["up", "--no-verify"]).success();
    // The only route that leads there, and what the first request of the contract that succeeds asks of it.
    let event = dev(&["invoke", "Function", "--print-event"]).success().json();
    assert_eq!(
        (&event["httpMethod"], &event["path"], &event["resource"]),
        (&json!("GET"), &json!("/users"), &json!("/users"))
    );
    assert_eq!(event["queryStringParameters"], json!({ "userId": "1" }));
    assert_eq!(event["multiValueQueryStringParameters"], json!({ "userId": ["1"] }));
    assert_eq!(event["requestContext"]["stage"], "dev");
    let answer = dev(&["invoke", "retrieve-user-data-dev"]).success();
    assert_eq!(answer.json()["statusCode"], 200, "{answer}");
    assert!(
        answer.json()["body"]
            .as_str()
            .is_some_and(|body| body.contains("Test User")),
        "{answer}"
    );
    for sample in ["GET /users", "get /users", "/users"] {
        assert_eq!(
            dev(&["invoke", "Function", "--sample", sample, "--print-event"])
                .success()
                .json()["path"],
            "/users"
        );
    }
    let by_name = ["invoke", "Function", "--sample", "the function refuses an empty id"];
    assert_eq!(dev(&by_name).success().json()["statusCode"], 400);
    let unknown = dev(&["invoke", "Function", "--sample", "GET /user"]).fails_with(2);
    unknown.says(&["there is no sample `GET /user`", "Did you mean `GET /users`?"]);
    // Its own log has what the API made it write, too.
    let logs = dev(&["logs", "--output", "json"]).success();
    assert!(
        logs.stdout.lines().any(|line| line.contains("\"level\":\"INFO\"")),
        "{logs}"
    );
}

#[test]
fn queues_and_schedules_imply_their_events_too() {
    let (emulator, project) = (Emulator::start(), Project::of("orders"));
    let endpoint = emulator.endpoint();
    let dev = |args: &[&str]| project.deployer(&endpoint, &[args, &["--stage", "dev"]].concat());
    dev(&["up", "--no-verify"]).success();
    // The queue itself, and the schedule that sends into it.
    let several = dev(&["invoke", "ProcessOrder"]).fails_with(2);
    several.says(&[
        "several events",
        "TakeFromQueue",
        "Sweep",
        "a batch without messages",
        "--sample",
    ]);
    let queue = dev(&["invoke", "ProcessOrder", "--sample", "TakeFromQueue", "--print-event"])
        .success()
        .json();
    let record = &queue["Records"][0];
    assert_eq!(record["eventSource"], "aws:sqs");
    let region = emulator.region();
    assert_eq!(
        record["eventSourceARN"],
        format!("arn:aws:sqs:{region}:000000000000:orders-dev-intake")
    );
    let sweep = dev(&["invoke", "ProcessOrder", "--sample", "Sweep"]).success();
    assert_eq!(sweep.json(), json!({ "batchItemFailures": [] }), "{sweep}");
    // Parts of a path are filled by what the contract asks for.
    let order = dev(&["invoke", "GetOrder", "--print-event"]).success().json();
    assert_eq!(
        (&order["path"], &order["pathParameters"]),
        (&json!("/orders/o-1"), &json!({ "id": "o-1" }))
    );
    assert_eq!(dev(&["invoke", "GetOrder"]).success().json()["statusCode"], 200);
    let logs = dev(&["logs", "--output", "json"]).success();
    for function in ["orders-dev-process-order", "orders-dev-get-order"] {
        assert!(logs.stdout.contains(&format!("\"function\":\"{function}\"")), "{logs}");
    }
}
