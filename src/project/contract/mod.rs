//! The app's own contract, `stacks/verify.yaml`: requests and invocations, and what must come back; and which checks are
//! to be skipped, and why.
//!
//! `${Name}` or `${stack.Name}` is an output, `${stage}` and `${project}` are the names that `stages.yaml` knows as well,
//! `${env:NAME}` is an environment variable, `$${` is `${` as it is. Files that it names are relative to the project's
//! folder, and are taken as they are.

mod fill;
mod read;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::stacks::StackId;
use super::{Project, source};
use crate::error::{Error, ErrorKind, Result};

pub(crate) use fill::{Open, fill, fill_value, first_output};

/// What the app promises, beside what the templates say of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contract {
    /// Requests and their answers.
    pub requests: Vec<Request>,
    /// Invocations of functions and what they return.
    pub invocations: Vec<Invocation>,
    /// Checks that aren't to be made.
    pub skips: Vec<Skip>,
    /// The files that all of it was read from, by their paths in the project's folder.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// A request. Its texts have placeholders, see [`mod@fill`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// What it is called: no other is called so.
    pub name: String,
    /// Such as `GET`.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// In the order of the file.
    pub headers: Vec<(String, String)>,
    /// Whether it is signed with the run's own credentials.
    pub signed: bool,
    /// An API key.
    pub api_key: Option<String>,
    /// What is sent.
    pub body: Body,
    /// Whether it may change something.
    pub changes: bool,
    /// What must come back.
    pub expect: Expectation,
}

/// What a request sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// Nothing.
    Nothing,
    /// A text, or a value as JSON, with placeholders.
    Json(Value),
    /// See [`Body::Json`].
    Text(String),
    /// What was in a file.
    Bytes(Vec<u8>),
}

/// An invocation of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// What it is called: no other is called so.
    pub name: String,
    /// The stack that the function is in.
    pub stack: StackId,
    /// The function's key in the template.
    pub function: String,
    /// What it is given; with placeholders unless it comes from a file.
    pub event: Event,
    /// Whether it may change something.
    pub changes: bool,
    /// What must come back.
    pub expect: Expectation,
}

/// What a function is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// It stands in the contract, with placeholders.
    Inline(Value),
    /// It comes from a file.
    File(Value),
}

/// What must come back. Of what isn't said, anything may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Expectation {
    /// The status.
    pub status: Option<u16>,
    /// Headers; one without a value must not be there.
    pub headers: Vec<(String, Option<String>)>,
    /// What the body, or what a function returns, has at least.
    pub json: Option<Value>,
    /// All of it.
    pub body: Option<String>,
    /// The error that a function ends with: its type, or a part of its message.
    pub error: Option<String>,
}

/// A check that isn't to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skip {
    /// Its id.
    pub check: String,
    /// Of what; of everything if none is said.
    pub resource: Option<String>,
    /// Why, for whoever reads the report.
    pub reason: String,
}

impl Contract {
    /// Reads the contract of `project`; none is an empty one. `checks` are the ids that there are.
    ///
    /// # Errors
    /// Names file, line and column of what can't be read, isn't known, or can't be so.
    pub(crate) fn read(project: &Project, checks: &[&str]) -> Result<Self> {
        let files = project.contract_files();
        let file = match files.as_slice() {
            [] => return Ok(Self::default()),
            [only] => only,
            [first, second, ..] => {
                return Err(Error::new(
                    ErrorKind::InvalidProject,
                    format!(
                        "{} and {} are both the app's contract",
                        first.display(),
                        second.display()
                    ),
                )
                .hint("Put all of it into one file, and remove the other."));
            }
        };
        Self::parse(&source::read(file)?, file, project, checks)
    }

    pub(super) fn parse(text: &str, file: &Path, project: &Project, checks: &[&str]) -> Result<Self> {
        let files = RefCell::default();
        let reader = read::Reader {
            file,
            text,
            project,
            checks,
            files: &files,
        };
        let node = reader.tree(file, text)?;
        let mut contract = reader.contract(&node)?;
        contract.files = files.take();
        if let Ok(inner) = file.strip_prefix(project.path()) {
            let bytes = text.as_bytes().to_vec();
            contract.files.insert(inner.to_string_lossy().into_owned(), bytes);
        }
        Ok(contract)
    }

    /// The entries that may change something, by name.
    pub(crate) fn changing(&self) -> impl Iterator<Item = &str> {
        let requests = self
            .requests
            .iter()
            .filter(|request| request.changes)
            .map(|request| request.name.as_str());
        let invocations = self
            .invocations
            .iter()
            .filter(|one| one.changes)
            .map(|one| one.name.as_str());
        requests.chain(invocations)
    }
}

#[cfg(test)]
mod tests {

    use serde_json::json;

    use super::*;

    const STAGES: &str = "project: shop\nstages: { dev: {} }\n";
    const TEMPLATE: &str = "Resources:\n  Handler: { Type: AWS::Lambda::Function, Properties: { Code: { ZipFile: x } } }\n\
                            Outputs: { BaseUrl: { Value: x }, Origin: { Value: y } }\n";

    fn read(contract: &str) -> Result<Contract> {
        let dir = tempfile::tempdir().expect("a folder");
        let stacks = dir.path().join("stacks");
        std::fs::create_dir(&stacks).expect("made");
        for (name, text) in [
            ("stages.yaml", STAGES),
            ("web.yaml", TEMPLATE),
            ("verify.yaml", contract),
        ] {
            std::fs::write(stacks.join(name), text).expect("written");
        }
        std::fs::write(dir.path().join("event.json"), r#"{"a": "${NotAnOutput}"}"#).expect("written");
        let project = Project::open(dir.path(), "dev")?;
        Contract::read(&project, &["table-keys", "requests"])
    }

    fn problem(contract: &str) -> (String, String, Option<String>) {
        let error = read(contract).expect_err(contract);
        let message = error
            .message()
            .split_once("verify.yaml:")
            .map_or(error.message(), |(_, rest)| rest)
            .to_owned();
        let marked = error
            .excerpts()
            .first()
            .map(|one| one.text[one.span.clone()].to_owned());
        assert_eq!(error.kind(), ErrorKind::InvalidProject);
        (message, error.next_step().unwrap_or_default().to_owned(), marked)
    }

    fn filled(text: &str) -> Result<String, Open> {
        let output = |name: &str| (name == "BaseUrl").then(|| "https://a".to_owned());
        let variable = |name: &str| (name == "TOKEN").then(|| "t".to_owned());
        fill(text, &output, &variable)
    }

    #[test]
    fn no_contract_and_an_empty_one_are_the_same() {
        for text in ["", "# nothing yet\n", "requests:\nskip: []\n"] {
            let read = read(text).expect("valid");
            let files = BTreeMap::from([("stacks/verify.yaml".to_owned(), text.as_bytes().to_vec())]);
            let none = Contract::default();
            assert_eq!(read, Contract { files, ..none });
        }
    }

    #[test]
    fn requests_and_invocations_are_read() {
        let text = r#"
requests:
  - name: read
    request: GET ${BaseUrl}/things?a=1
    headers: { X-A: "${web.Origin}" }
    expect: { status: 200, headers: { X-B: 1, X-C: }, json: { n: 1.50, s: "1", z: 007, deep: [{ on: true }] } }
  - { name: write, request: "POST ${BaseUrl}", sign: iam, body: { a: 1 }, expect: { status: 201 } }
  - { name: harmless, request: "POST ${BaseUrl}", changes: false, expect: { body: "" } }
invocations:
  - { name: call, function: Handler, event: { a: "${BaseUrl}" }, expect: { json: { b: 1 } } }
  - { name: by file, function: web.Handler, eventFile: event.json, changes: false, expect: { error: Oops } }
skip:
  - { check: table-keys, resource: web.Table, reason: it is somebody else's }
"#;
        let contract = read(text).expect("valid");
        let read = &contract.requests[0];
        assert_eq!(
            (read.method.as_str(), read.url.as_str()),
            ("GET", "${BaseUrl}/things?a=1")
        );
        assert_eq!(read.headers, [("X-A".to_owned(), "${web.Origin}".to_owned())]);
        assert_eq!(
            read.expect.headers,
            [("X-B".to_owned(), Some("1".to_owned())), ("X-C".to_owned(), None)]
        );
        let number: Value = serde_json::from_str("1.50").expect("a number");
        assert_eq!(
            read.expect.json,
            Some(json!({"n": number, "s": "1", "z": "007", "deep": [{"on": true}]}))
        );
        assert_eq!(contract.requests[1].body, Body::Json(json!({"a": 1})));
        assert!(contract.requests[1].signed);
        assert_eq!(contract.changing().collect::<Vec<_>>(), ["write", "call"]);
        assert_eq!(
            contract.invocations[1].event,
            Event::File(json!({"a": "${NotAnOutput}"}))
        );
        assert_eq!(contract.invocations[1].stack.as_str(), "web");
        assert_eq!(contract.skips[0].resource.as_deref(), Some("web.Table"));
    }

    #[test]
    fn bad_input_is_told_by_its_place_with_the_next_step() {
        let request = |rest: &str| format!("requests:\n  - name: a\n    request: GET ${{BaseUrl}}\n    {rest}\n");
        let cases = [
            (
                "request: []\n".to_owned(),
                "1:1: the contract has no `request`",
                "Did you mean `requests`?",
                "request",
            ),
            (
                request("expct: {}"),
                "4:5: a request has no `expct`",
                "Did you mean `expect`?",
                "expct",
            ),
            (
                request("expect: { status: 99 }"),
                "4:23: a status is a number",
                "Correct",
                "99",
            ),
            (request("expect: {}"), "4:13: nothing is expected", "status: 200", "{"),
            (
                request("expect: { json: { a: 1 }, body: x }"),
                "both `json` and `body`",
                "Leave one",
                "body",
            ),
            (
                request("expect: { json: }"),
                "nothing is said behind `json`",
                "leave `json` out",
                "json",
            ),
            (
                request("expect: { json: '{\"a\":1}' }"),
                "would only match a text",
                "without quotes",
                "'{\"a\":1}'",
            ),
            (
                request("expect: { status: 204, json: {} }"),
                "`json` can never match",
                "Leave",
                "json",
            ),
            (
                request("headers: { a: 1, A: 2 }"),
                "the header `A` is there twice",
                "Case",
                "A",
            ),
            (request("sign: key"), "`sign` can be `iam` only", "sign: iam", "key"),
            (
                request("headers: { a: \"x ${BasUrl}\" }"),
                "4:22: no template has an output `BasUrl`",
                "Did you mean `BaseUrl`?",
                "${BasUrl}",
            ),
            (
                request("expect: { body: \"a${env:HOME}\" }"),
                "an environment variable can't stand here",
                "Headers",
                "${env:HOME}",
            ),
            (
                request("headers: { a: \"${BaseUrl\" }"),
                "has no `}`",
                "$${",
                "\"${BaseUrl\"",
            ),
            (
                request("bodyFile: nowhere.json\n    expect: { status: 200 }"),
                "could not read",
                "project's folder",
                "nowhere.json",
            ),
            (
                "requests:\n  - { name: a, request: Get https://a.example, expect: { status: 200 } }\n".to_owned(),
                "`Get` is no method",
                "Did you mean `GET`?",
                "Get",
            ),
            (
                "requests:\n  - { name: a, request: GET /x, expect: { status: 200 } }\n".to_owned(),
                "is no whole address",
                "${ApiUrl}",
                "GET",
            ),
            (
                "requests:\n  - &a { name: a, request: GET https://a.example, expect: { status: 200 } }\n  - *a\n"
                    .to_owned(),
                "is called `a`",
                "name of its own",
                "a",
            ),
            (
                "invocations:\n  - { name: a, function: Handlr, event: {}, expect: { json: {} } }\n".to_owned(),
                "no template has a function `Handlr`",
                "Did you mean `Handler`?",
                "Handlr",
            ),
            (
                "invocations:\n  - { name: a, function: Handler, expect: { json: {} } }\n".to_owned(),
                "no `event`",
                "event: {}",
                "{",
            ),
            (
                "invocations:\n  - { name: a, function: Handler, event: !Ref x, expect: { json: {} } }\n".to_owned(),
                "`!Ref` means nothing here",
                "JSON",
                "!Ref",
            ),
            (
                "skip:\n  - { check: table-key, reason: x }\n".to_owned(),
                "there is no check `table-key`",
                "Did you mean `table-keys`?",
                "table-key",
            ),
            (
                "skip:\n  - { check: requests }\n".to_owned(),
                "has no `reason`",
                "Add `reason",
                "{",
            ),
            ("requests: [\n".to_owned(), "", "Correct", ""),
        ];
        for (text, what, next_step, word) in cases {
            let (message, hint, marked) = problem(&text);
            assert!(message.contains(what), "{what}: {message}");
            assert!(hint.contains(next_step), "{next_step}: {hint}");
            assert!(marked.is_some(), "{text}");
            assert!(marked.is_some_and(|marked| marked.starts_with(word)), "{word}: {text}");
        }
    }

    #[test]
    fn placeholders_are_outputs_and_variables() {
        assert_eq!(filled("${BaseUrl}/x").as_deref(), Ok("https://a/x"));
        assert_eq!(
            filled("Bearer ${env:TOKEN} $${BaseUrl} $x").as_deref(),
            Ok("Bearer t ${BaseUrl} $x")
        );
        assert_eq!(filled("${Other}"), Err(Open::Output("Other".to_owned())));
        assert_eq!(filled("${env:OTHER}"), Err(Open::Variable("OTHER".to_owned())));
        assert_eq!(first_output("a ${env:T} ${b.C}"), Some("b.C"));
    }

    #[test]
    fn the_contracts_of_the_examples_are_read() {
        for (folder, stage) in [(".", "dev"), ("examples/orders", "dev")] {
            let project = Project::open(Path::new(folder), stage).expect("a project");
            let contract = Contract::read(&project, &[]).expect("valid");
            assert!(!contract.requests.is_empty(), "{folder}");
        }
    }
}
