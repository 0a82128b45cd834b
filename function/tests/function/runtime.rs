//! The program itself, between a stand-in for Lambda's Runtime API and one for DynamoDB.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use serde_json::{Map, Value, json};

/// Long enough for a busy machine; a test that works is done in a blink.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the program posted, as (path, body).
type Posted = (String, String);

/// Hands out the events one by one, then lets the program wait. Answers GetItem: key `1` is there, `denied` fails.
struct Server {
    address: String,
    posted: Receiver<Posted>,
    /// What was asked, in this order: `next`, or the key of a GetItem, after `connection` if it came by a new one.
    asked: Receiver<String>,
}

impl Server {
    fn start(events: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (sender, posted) = channel();
        let (asks, asked) = channel();
        let events: VecDeque<(usize, String)> = events.iter().cloned().enumerate().collect();
        let events = Arc::new(Mutex::new(events));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, events) = (stream.expect("a connection"), Arc::clone(&events));
                let (sender, asks) = (sender.clone(), asks.clone());
                thread::spawn(move || serve(&stream, &events, &sender, &asks));
            }
        });
        Self { address, posted, asked }
    }
}

fn serve(
    mut stream: &TcpStream,
    events: &Mutex<VecDeque<(usize, String)>>,
    posted: &Sender<Posted>,
    asked: &Sender<String>,
) {
    let mut reader = BufReader::new(stream);
    let mut is_new = true;
    while serve_one(
        &mut reader,
        &mut stream,
        std::mem::take(&mut is_new),
        events,
        posted,
        asked,
    )
    .is_some()
    {}
}

/// Answers one request; none if there are no more.
fn serve_one(
    reader: &mut BufReader<&TcpStream>,
    stream: &mut &TcpStream,
    is_new: bool,
    events: &Mutex<VecDeque<(usize, String)>>,
    posted: &Sender<Posted>,
    asked: &Sender<String>,
) -> Option<()> {
    let mut head = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
        head.push(std::mem::take(&mut line).trim_end().to_ascii_lowercase());
    }
    let request = head.first()?;
    let header = |name: &str| head.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let length = header("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let body = String::from_utf8(body).expect("UTF-8");
    let path = request.split(' ').nth(1).expect("a path").to_owned();

    let (status, headers, answer) = if path.ends_with("/invocation/next") {
        asked.send("next".to_owned()).ok();
        let Some((id, event)) = events.lock().expect("no server panicked").pop_front() else {
            // As Lambda does while there is nothing to do: the connection stays open, without an answer.
            loop {
                thread::park();
            }
        };
        (
            200,
            format!("lambda-runtime-aws-request-id: id-{id}\r\nlambda-runtime-deadline-ms: 9999999999999\r\n"),
            event,
        )
    } else if header("x-amz-target") == Some("dynamodb_20120810.getitem") {
        let request: Value = serde_json::from_str(&body).expect("JSON");
        let key = request["Key"]["userId"]["S"].as_str();
        if is_new {
            asked.send("connection".to_owned()).ok();
        }
        asked.send(key.unwrap_or_default().to_owned()).ok();
        match key {
            Some("1") => (
                200,
                String::new(),
                r#"{"Item":{"userId":{"S":"1"},"name":{"S":"Test User"}}}"#.to_owned(),
            ),
            Some("denied") => (
                400,
                String::new(),
                r#"{"__type":"x#AccessDeniedException","Message":"no"}"#.to_owned(),
            ),
            _ => (200, String::new(), "{}".to_owned()),
        }
    } else {
        posted.send((path, body)).ok();
        (202, String::new(), "{}".to_owned())
    };
    let length = answer.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{answer}"
    )
    .ok()
}

/// The program with the variables that Lambda sets, and `variables`.
fn program(address: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootstrap"));
    command
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", address),
            ("AWS_LAMBDA_FUNCTION_NAME", "retrieve-user-data"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL", &format!("http://{address}")),
        ])
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Ends the program whatever becomes of the test.
struct Running(Option<Child>);

impl Running {
    fn stop(mut self) -> Output {
        let mut child = self.0.take().expect("stopped once");
        child.kill().expect("it was running");
        child.wait_with_output().expect("its output")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

fn lines(output: &Output) -> Vec<Map<String, Value>> {
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object"))
        .collect()
}

const SETTINGS: [(&str, &str); 2] = [("TABLE_NAME", "UserData"), ("ALLOWED_ORIGIN", "https://a.example")];

#[test]
fn every_event_is_answered_and_logged() {
    let get = |id: &str| json!({"httpMethod": "GET", "queryStringParameters": {"userId": id}}).to_string();
    let (open, close) = ("[".repeat(500), "]".repeat(500));
    let cases = [
        (get("1"), 200, Some(true)),
        (get("2"), 404, Some(false)),
        (get("denied"), 500, None),
        (r#"{"httpMethod":"OPTIONS"}"#.to_owned(), 200, None),
        // Events that would not survive the way through `serde_json::Value`.
        (
            r#"{"httpMethod":"GET","queryStringParameters":{"$serde_json::private::Number":"x"}}"#.to_owned(),
            400,
            None,
        ),
        (
            format!(r#"{{"queryStringParameters":{{"userId":"1"}},"deep":{open}{close}}}"#),
            200,
            Some(true),
        ),
        ("null".to_owned(), 400, None),
        (" [1.5e999] ".to_owned(), 400, None),
    ];
    let events: Vec<String> = cases.iter().map(|(event, ..)| event.clone()).collect();
    let server = Server::start(&events);
    let running = Running(Some(
        program(&server.address, &SETTINGS).spawn().expect("the program starts"),
    ));

    for (number, (event, status, _)) in cases.iter().enumerate() {
        let (path, body) = server.posted.recv_timeout(PATIENCE).expect("an answer");
        assert_eq!(
            path,
            format!("/2018-06-01/runtime/invocation/id-{number}/response"),
            "{event}: {body}"
        );
        let response: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(response["statusCode"], *status, "{event}: {body}");
        assert_eq!(response["headers"]["Access-Control-Allow-Origin"], "https://a.example");
        assert_eq!(response["isBase64Encoded"], false);
    }

    let output = running.stop();
    let lines = lines(&output);
    assert_eq!(lines.len(), cases.len(), "{lines:?}");
    for (number, (line, (_, status, found))) in lines.iter().zip(&cases).enumerate() {
        assert_eq!(line["requestId"], format!("id-{number}"));
        assert_eq!(line["status"], *status);
        assert_eq!(line.get("found").and_then(Value::as_bool), *found);
    }
    assert_eq!(lines[2]["level"], "ERROR");
    assert_eq!(
        lines[2]["error"],
        "AccessDeniedException: no (DynamoDB request unknown)"
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn it_is_connected_before_the_first_event() {
    let event = json!({"httpMethod": "GET", "queryStringParameters": {"userId": "1"}}).to_string();
    let server = Server::start(&[event]);
    let running = Running(Some(
        program(&server.address, &SETTINGS).spawn().expect("the program starts"),
    ));
    server.posted.recv_timeout(PATIENCE).expect("an answer");
    let asked: Vec<String> = server.asked.try_iter().take(4).collect();
    assert_eq!(asked, ["connection", "connect", "next", "1"]);
    assert_eq!(lines(&running.stop()).len(), 1, "only the request is logged");
}

#[test]
fn without_dynamodb_it_starts_and_says_what_is_wrong_with_each_request() {
    let event = json!({"httpMethod": "GET", "queryStringParameters": {"userId": "1"}}).to_string();
    let server = Server::start(&[event]);
    // A port that nobody listens on, and that no other program may take meanwhile, refuses as a table's endpoint does that
    // isn't reachable.
    let nobody = "http://127.0.0.1:1";
    let unreachable = [SETTINGS[0], SETTINGS[1], ("AWS_ENDPOINT_URL_DYNAMODB", nobody)];
    let running = Running(Some(
        program(&server.address, &unreachable)
            .spawn()
            .expect("the program starts"),
    ));
    let (_, body) = server.posted.recv_timeout(PATIENCE).expect("an answer");
    let response: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(response["statusCode"], 500);
    let lines = lines(&running.stop());
    assert_eq!(lines.len(), 1, "{lines:?}");
    let cause = lines[0]["error"].as_str().expect("a cause");
    assert!(cause.contains("Connection refused"), "{cause}");
}

#[test]
fn without_its_settings_it_says_which_and_does_not_start() {
    for (variables, missing) in [
        (&[][..], "TABLE_NAME, ALLOWED_ORIGIN"),
        (&SETTINGS[..1], "ALLOWED_ORIGIN"),
        (&SETTINGS[1..], "TABLE_NAME"),
    ] {
        let output = program("127.0.0.1:9", variables).output().expect("the program starts");
        assert_eq!(output.status.code(), Some(1));
        let lines = lines(&output);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0]["level"], "ERROR");
        assert_eq!(lines[0]["error"], format!("missing environment variable: {missing}"));
    }
}

#[test]
fn a_log_level_that_is_none_is_pointed_out() {
    let output = program("127.0.0.1:9", &[("LOG_LEVEL", "loud")])
        .output()
        .expect("the program starts");
    let lines = lines(&output);
    assert_eq!(lines[0]["level"], "WARN");
    assert!(
        lines[0]["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("LOG_LEVEL ")),
        "{lines:?}"
    );
}
