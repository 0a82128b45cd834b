//! `logs`: what functions write is shown once, in order, as people and as programs want it, panics among it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::answers::{Stack, cloudformation, identity, json_refusal, refusal};
use crate::support::{Deployer, Emulator, Project, Proxy, Ran};

/// Two functions that write what they are told to: `one` in its own group, `two` in one that its template chooses.
pub(crate) const TEMPLATE: &str = r#"
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: sts:AssumeRole }]
      Policies:
        - PolicyName: log
          PolicyDocument:
            Version: "2012-10-17"
            Statement: [{ Effect: Allow, Action: [logs:CreateLogStream, logs:PutLogEvents], Resource: "*" }]
  One:
    Type: AWS::Lambda::Function
    Metadata: { Deployer: { Code: talker } }
    Properties:
      FunctionName: talk-one
      Runtime: provided.al2023
      Handler: bootstrap
      Code: { S3Bucket: !Ref CodeBucket, S3Key: !Ref Talker }
      Role: !GetAtt Role.Arn
      Timeout: 5
  TwoLogs:
    Type: AWS::Logs::LogGroup
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties: { LogGroupName: talk/two, RetentionInDays: 3 }
  Two:
    Type: AWS::Lambda::Function
    Metadata: { Deployer: { Code: talker } }
    Properties:
      FunctionName: talk-two
      Runtime: provided.al2023
      Handler: bootstrap
      Code: { S3Bucket: !Ref CodeBucket, S3Key: !Ref Talker }
      Role: !GetAtt Role.Arn
      Timeout: 5
      LoggingConfig: { LogFormat: JSON, LogGroup: !Ref TwoLogs }
"#;

/// Its parameters, which stand first.
pub(crate) const PARAMETERS: &str = "Parameters: { CodeBucket: { Type: String }, Talker: { Type: String } }";

/// Writes the lines that an event has, and returns the event.
pub(crate) const TALKER: &str = r#"
import json, os, sys, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    event = urllib.request.urlopen(base + "next")
    text, request = event.read(), event.headers["Lambda-Runtime-Aws-Request-Id"]
    for line in json.loads(text).get("say", []):
        print(line.replace("REQUEST", request), flush=True)
    if json.loads(text).get("exit"):
        sys.exit(3)
    urllib.request.urlopen(urllib.request.Request(base + request + "/response", data=text))
"#;

/// A project with the two functions.
pub(crate) fn project(protected: bool) -> Project {
    let template = format!("{PARAMETERS}{TEMPLATE}");
    let project = Project::bare("talk", &[("stacks/app.yaml", &template)]);
    project.executable("talker/bootstrap", TALKER);
    if protected {
        project.edit("stacks/stages.yaml", "prod: {}", "prod: { protected: true }");
    }
    project
}

pub(crate) fn up(project: &Project, endpoint: &str) {
    project.deployer(endpoint, &["up", "--no-verify", "--yes"]).success();
}

fn say(project: &Project, endpoint: &str, function: &str, lines: &[&str]) {
    let event = json!({ "say": lines }).to_string();
    project
        .deployer(endpoint, &["invoke", function, "--event", &event])
        .success();
}

fn documents(ran: &Ran) -> Vec<Value> {
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("a document"))
        .collect()
}

#[test]
fn what_functions_write_is_shown_in_order_and_readably() {
    let (emulator, project) = (Emulator::shared(), project(false));
    let endpoint = emulator.endpoint();
    let logs = |args: &[&str]| project.deployer(&endpoint, &[&["logs"], args].concat());
    logs(&[]).fails_with(1).says(&["nothing is deployed", "deployer up"]);
    up(&project, &endpoint);

    // Nothing has run: one group isn't there yet, and the other is empty.
    let nothing = logs(&[]).success();
    assert_eq!(nothing.stdout, "");
    nothing.says(&[
        "there is no log group /aws/lambda/talk-one",
        "nothing since",
        "--since 1d",
    ]);

    let flat = r#"{"level":"WARN","message":"slow","durationMs":12,"who":"a b"}"#;
    say(&project, &endpoint, "One", &["plain \u{1b}[8mhidden", flat]);
    let nested = r#"{"timestamp":"2026-01-01T00:00:00Z","level":"ERROR","fields":{"message":"bad","userId":"7"},"target":"app","span":{"requestId":"REQUEST","name":"run"}}"#;
    say(&project, &endpoint, "talk-two", &[nested]);

    let told = logs(&[]).success();
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{told}");
    assert!(lines[0].contains("Z talk-one       plain ␛[8mhidden"), "{told}");
    assert!(
        lines[1].ends_with(r#"talk-one WARN  slow durationMs=12 who="a b""#),
        "{told}"
    );
    assert!(lines[2].contains(" ms, ") && lines[2].contains(", request "), "{told}");
    assert!(lines[3].contains("talk-two ERROR bad userId=7 target=app"), "{told}");
    assert!(!told.stdout.contains("START"), "{told}");
    assert!(logs(&["-v"]).success().stdout.contains("START RequestId"));
    let coloured = logs(&["--color", "always", "--function", "Two"]).success();
    assert!(coloured.stdout.contains("\u{1b}[31mERROR\u{1b}[0m bad"), "{coloured}");

    let all = documents(&logs(&["--output", "json"]).success());
    assert!(
        all.iter().all(|line| line["schema"] == 1 && line["stream"].is_string()),
        "{all:#?}"
    );
    let times: Vec<&str> = all
        .iter()
        .map(|line| line["timestamp"].as_str().expect("a time"))
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let slow = all.iter().find(|line| line["message"] == "slow").expect("there");
    assert_eq!(slow["record"]["durationMs"], 12);
    assert_eq!(
        (&slow["level"], &slow["logGroup"]),
        (&json!("WARN"), &json!("/aws/lambda/talk-one"))
    );
    let bad = all.iter().find(|line| line["message"] == "bad").expect("there");
    assert_eq!(
        (&bad["function"], &bad["logGroup"]),
        (&json!("talk-two"), &json!("talk/two"))
    );

    // One invocation is what stands between its beginning and its end.
    let request = slow["requestId"].as_str().expect("an id");
    let one = documents(&logs(&["--request", request, "--output", "json"]).success());
    let messages: Vec<&str> = one.iter().map(|line| line["message"].as_str().expect("text")).collect();
    assert_eq!(messages.len(), 5, "{messages:?}");
    assert!(messages.contains(&"plain \u{1b}[8mhidden"), "{messages:?}");
    assert!(
        one.iter().any(|line| line["report"]["durationMs"].is_number()),
        "{one:#?}"
    );

    let filtered = logs(&["--filter", "slow"]).success();
    assert_eq!(filtered.stdout.lines().count(), 1, "{filtered}");
    logs(&["--filter", "nobody-writes-this"])
        .success()
        .says(&["nothing that fits nobody-writes-this since"]);
    logs(&["--function", "Tow"])
        .fails_with(2)
        .says(&["no function `Tow`", "Did you mean `Two`?"]);
    logs(&["--since", "tomorrow"])
        .fails_with(2)
        .says(&["--since tomorrow", "10m"]);
    logs(&["--request", "x", "--filter", "y"]).ends_with(2);
}

/// What ends a function before or in its first event says where in the code that was.
#[test]
fn a_panic_is_found_with_its_place() {
    let (emulator, project) = (Emulator::shared(), project(false));
    let endpoint = emulator.endpoint();
    // Real ones, without a crate: one before the first event, one with it in hand.
    project.write(
        "talker/early.rs",
        "fn main() {\n    let table = std::env::var(\"NO_SUCH_TABLE\").expect(\"a table\");\n    drop(table);\n}\n",
    );
    project.write(
        "talker/late.rs",
        r#"use std::io::{Read, Write};
fn main() {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").expect("an address");
    let mut next = std::net::TcpStream::connect(&api).expect("connected");
    let path = "/2018-06-01/runtime/invocation/next";
    write!(next, "GET {path} HTTP/1.1\r\nHost: {api}\r\n\r\n").expect("sent");
    let read = next.read(&mut [0; 4096]).expect("an event");
    panic!("no use for {} bytes", read.min(1));
}
"#,
    );
    for (source, line, message) in [("early", 2, "a table: NotPresent"), ("late", 8, "no use for 1 bytes")] {
        let binary = project.path().join("talker/bootstrap");
        let compiled = Command::new("rustc")
            .args(["--edition", "2024", "-o"])
            .arg(&binary)
            .arg(format!("{source}.rs"))
            .current_dir(project.path().join("talker"))
            .status();
        assert!(compiled.expect("rustc").success());
        up(&project, &endpoint);
        let failed = project
            .deployer(&endpoint, &["invoke", "Two", "--event", "{}"])
            .fails_with(1);
        let failed = failed.says(&[
            "the function talk-two ended with an error",
            "deployer logs --function talk-two",
        ]);
        assert!(failed.stderr.contains("Runtime"), "{failed}");
        let logs = project.deployer(&endpoint, &["logs", "--function", "Two"]).success();
        let place = format!("panicked at {source}.rs:{line}:");
        let at = logs.stdout.lines().position(|line| line.contains(&place));
        let at = at.unwrap_or_else(|| panic!("`{place}` isn't in\n{logs}"));
        let lines: Vec<&str> = logs.stdout.lines().collect();
        assert!(lines[at].contains("talk-two ERROR thread 'main'"), "{logs}");
        assert!(
            lines[at + 1].contains("ERROR") && lines[at + 1].contains(message),
            "{logs}"
        );
    }
}

/// A command that runs until it is told to end, and what it prints.
struct Following {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Following {
    fn start(deployer: Deployer) -> Self {
        let mut child = deployer.start(Stdio::piped(), Stdio::piped());
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (told, stdout) = (Arc::clone(&lines), child.stdout.take().expect("piped"));
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                told.lock().expect("no panic").push(line);
            }
        });
        Self { child, lines }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic").clone()
    }

    /// Waits for a condition, and ends it by Ctrl-C; returns what it printed and what else it said.
    fn until(mut self, what: &str, holds: impl Fn(&[String]) -> bool) -> (Vec<String>, String) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !holds(&self.lines()) {
            assert!(Instant::now() < deadline, "no {what} in {:#?}", self.lines());
            assert!(
                self.child.try_wait().expect("asked").is_none(),
                "it ended before {what}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a number");
        kill_process(pid, Signal::INT).expect("it runs");
        let mut stderr = String::new();
        let mut said = self.child.stderr.take().expect("piped");
        said.read_to_string(&mut stderr).expect("text");
        let status = self.child.wait().expect("ended");
        assert_eq!(status.code(), Some(0), "{stderr}");
        (self.lines(), stderr)
    }
}

#[test]
fn following_shows_each_line_once_until_it_is_ended() {
    let (emulator, project) = (Emulator::shared(), project(false));
    let endpoint = emulator.endpoint();
    up(&project, &endpoint);
    say(&project, &endpoint, "Two", &["before"]);
    let follow = ["logs", "--follow", "--output", "json"];
    let following = Following::start(Deployer::new(project.path(), &follow).at(&endpoint));
    // The same line three times is three lines, also where nothing but their place tells them apart.
    for round in 0..2 {
        say(
            &project,
            &endpoint,
            "One",
            &["same", "same", "same", &format!("round {round}")],
        );
    }
    let (lines, stderr) = following.until("second round", |lines| {
        let reports = lines
            .iter()
            .filter(|line| line.contains("\"report\"") && line.contains("talk-one"));
        reports.count() == 2
    });
    let count = |word: &str| {
        lines
            .iter()
            .filter(|line| line.contains(&format!("\"message\":\"{word}\"")))
            .count()
    };
    assert_eq!(
        (count("before"), count("same"), count("round 0"), count("round 1")),
        (1, 6, 1, 1),
        "{lines:#?}"
    );
    assert!(!stderr.contains("\"event\":\"error\""), "{stderr}");
}

/// CloudWatch Logs as it is at its worst; one function in a group of its own.
fn scripted() -> (Proxy, Project) {
    let proxy = Proxy::before_nobody();
    proxy.rule(|seen| match seen.operation.as_str() {
        "GetCallerIdentity" => Some(identity()),
        "DescribeStacks" if seen.body.contains("small-prod-app") => {
            let stack = Stack::new("small-prod-app", "CREATE_COMPLETE");
            let stack = stack.parameter("DeployerProject", "small").parameter("DeployerStage", "prod")
                .parameter("DeployerDigest", "0123456789abcdef");
            Some(stack.answer())
        }
        "DescribeStacks" => Some(refusal(400, "ValidationError", "Stack with id x does not exist")),
        "ListStackResources" => Some(cloudformation(
            "ListStackResources",
            "<StackResourceSummaries><member><LogicalResourceId>Fn</LogicalResourceId>\
             <PhysicalResourceId>small-fn</PhysicalResourceId><ResourceType>AWS::Lambda::Function</ResourceType>\
             <ResourceStatus>CREATE_COMPLETE</ResourceStatus><LastUpdatedTimestamp>2026-01-01T00:00:00Z</LastUpdatedTimestamp>\
             </member></StackResourceSummaries>",
        )),
        _ if seen.path.contains("/functions/small-fn/configuration") => {
            let answer = json!({ "FunctionName": "small-fn", "LoggingConfig": { "LogFormat": "Text", "LogGroup": "/mine" } });
            Some((200, answer.to_string()))
        }
        _ => None,
    });
    let template = "Resources: { Fn: { Type: AWS::Lambda::Function, Properties: { Code: { ZipFile: x } } } }\n";
    (proxy, Project::bare("small", &[("stacks/app.yaml", template)]))
}

fn at(proxy: &Proxy, project: &Project, args: &[&str]) -> Deployer {
    Deployer::new(project.path(), args)
        .env("AWS_ENDPOINT_URL", proxy.endpoint())
        .env("AWS_ACCESS_KEY_ID", "AKIATEST")
        .env("AWS_SECRET_ACCESS_KEY", "s3cret")
        .env("AWS_REGION", "us-east-1")
}

fn now_ms() -> u64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("a time");
    u64::try_from(now.as_millis()).expect("a number")
}

/// An event as CloudWatch Logs has it, so many milliseconds ago.
fn event(id: &str, ago: u64) -> Value {
    json!({ "eventId": id, "logStreamName": "2026/01/01/[1]a", "timestamp": now_ms() - ago, "message": format!("event {id}\n"), "ingestionTime": 1 })
}

fn page(events: &[Value], next: Option<&str>) -> (u16, String) {
    let mut page = json!({ "events": events, "searchedLogStreams": [] });
    if let Some(next) = next {
        page["nextToken"] = json!(next);
    }
    (200, page.to_string())
}

#[test]
fn all_pages_are_read_empty_and_throttled_ones_among_them() {
    let (proxy, project) = scripted();
    let mut throttled = 0;
    proxy.rule(move |seen| {
        if seen.operation != "FilterLogEvents" {
            return None;
        }
        let asked: Value = serde_json::from_str(&seen.body).expect("JSON");
        assert_eq!(
            (&asked["logGroupName"], &asked["filterPattern"]),
            (&json!("/mine"), &json!("?a ?b"))
        );
        Some(match asked["nextToken"].as_str() {
            None => page(&[event("1", 5000)], Some("a")),
            Some("a") if throttled < 3 => {
                throttled += 1;
                json_refusal(400, "ThrottlingException", "Rate exceeded")
            }
            Some("a") => page(&[], Some("b")),
            Some("b") if throttled < 4 => {
                throttled += 1;
                json_refusal(503, "ServiceUnavailableException", "busy")
            }
            Some(_) => page(&[event("2", 4000)], None),
        })
    });
    let ran = at(&proxy, &project, &["logs", "--filter", "?a ?b"]).run().success();
    let told: Vec<&str> = ran
        .stdout
        .lines()
        .filter_map(|line| line.split_once("event "))
        .map(|(_, id)| id)
        .collect();
    assert_eq!(told, ["1", "2"], "{ran}");
    assert!(ran.stderr.contains("Rate exceeded; it is tried again"), "{ran}");
    let tokens: Vec<Value> = proxy
        .take()
        .into_iter()
        .filter(|seen| seen.operation == "FilterLogEvents")
        .map(|seen| serde_json::from_str::<Value>(&seen.body).expect("JSON")["nextToken"].clone())
        .collect();
    assert_eq!(json!(tokens), json!([null, "a", "a", "a", "a", "b", "b"]));
}

#[test]
fn a_pattern_that_is_refused_is_bad_input() {
    let (proxy, project) = scripted();
    proxy.rule(|seen| {
        let refused = || json_refusal(400, "InvalidParameterException", "Invalid filter pattern");
        (seen.operation == "FilterLogEvents").then(refused)
    });
    let ran = at(&proxy, &project, &["logs", "--filter", "{ $."]).run();
    ran.fails_with(2).says(&[
        "could not read the log group /mine",
        "Invalid filter pattern",
        "--filter takes",
    ]);
}

/// A group that comes, an event that comes after a later one, and the same events again in each look.
#[test]
fn what_comes_late_is_shown_once() {
    let (proxy, project) = scripted();
    let looks = Arc::new(AtomicUsize::new(0));
    let (counted, late, second) = (Arc::clone(&looks), event("late", 9000), event("second", 5000));
    proxy.rule(move |seen| {
        (seen.operation == "FilterLogEvents").then(|| match counted.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => json_refusal(
                400,
                "ResourceNotFoundException",
                "The specified log group does not exist.",
            ),
            2 => page(std::slice::from_ref(&second), None),
            3 => json_refusal(400, "ThrottlingException", "Rate exceeded"),
            _ => page(&[late.clone(), second.clone(), event("new", 0)], None),
        })
    });
    let following = Following::start(at(&proxy, &project, &["logs", "-f"]));
    // Each look finds `new` again.
    let (lines, stderr) = following.until("eight looks", |_| looks.load(Ordering::SeqCst) >= 8);
    let told: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split_once("event "))
        .map(|(_, id)| id)
        .collect();
    assert_eq!(told, ["second", "late", "new"], "{stderr}");
    assert_eq!(stderr.matches("there is no log group /mine").count(), 1, "{stderr}");
    assert!(stderr.contains("it is waited for"), "{stderr}");
}
