//! What programs read is as `docs/schemas` says: each document and each event of each call with `--output json`.
//!
//! Python's jsonschema judges, in one process for all tests of a run, which ends with them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use serde_json::{Value, json};

use crate::{lock, tools};

/// Answers each line with one: what is wrong with the documents in it, or where they may have more than they have.
const JUDGE: &str = r#"
import copy, json, sys
from pathlib import Path
from jsonschema import Draft202012Validator
from jsonschema.exceptions import relevance
from referencing import Registry, Resource

schemas = {file.name: json.loads(file.read_text()) for file in Path(sys.argv[1]).glob("*.json")}
for schema in schemas.values():
    Draft202012Validator.check_schema(schema)
registry = Registry().with_resources((name, Resource.from_contents(schema)) for name, schema in schemas.items())
judges = {name: Draft202012Validator({"$ref": name}, registry=registry) for name in schemas}

def is_other(branch):
    return any(error.validator == "const" or error.validator == "type" and not error.path for error in branch)

def nearest(errors):
    error = max(errors, key=relevance)
    while error.context:
        branches = {}
        for inner in error.context:
            branches.setdefault(inner.schema_path[0], []).append(inner)
        # What is of another kind isn't what was meant.
        meant = [branch for branch in branches.values() if not is_other(branch)]
        if len(meant) != 1:
            break
        error = max(meant[0], key=relevance)
    return error

def faults(judge, document):
    errors = list(judge.iter_errors(document))
    if not errors:
        return []
    error = nearest(errors)
    return [f"{error.json_path}: {error.message}"]

def objects(value, path):
    if isinstance(value, dict):
        yield path
        for name, inner in value.items():
            yield from objects(inner, [*path, name])
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from objects(inner, [*path, index])

def open_objects(judge, document):
    for path in objects(document, []):
        more = copy.deepcopy(document)
        inner = more
        for step in path:
            inner = inner[step]
        inner["unheard-of"] = "x"
        if judge.is_valid(more):
            yield ".".join("*" if isinstance(step, int) else step for step in path)

for line in sys.stdin:
    asked = json.loads(line)
    look = open_objects if asked["open"] else faults
    judge = judges[asked["schema"]]
    print(json.dumps([told for document in asked["documents"] for told in look(judge, document)]), flush=True)
"#;

/// What is on stdout with `--output json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdout {
    /// A document of this schema.
    Document(&'static str),
    /// A document of this schema a line.
    Lines(&'static str),
    /// What others have defined: OpenAPI, an event, a shell's script.
    Others,
}

/// Whether a call with these arguments is to be read by programs.
pub fn is_json(args: &[&str]) -> bool {
    args.windows(2).any(|pair| pair == ["--output", "json"]) || args.contains(&"--output=json")
}

/// What a call with these arguments and `--output json` writes.
///
/// # Panics
/// There is no schema for the command.
pub fn stdout_of(args: &[&str]) -> Stdout {
    let has = |option: &str| {
        let with_value = format!("{option}=");
        args.iter().any(|arg| *arg == option || arg.starts_with(&with_value))
    };
    if has("--help") || has("-h") || has("--version") {
        return Stdout::Others;
    }
    let document = args.iter().enumerate().find_map(|(at, command)| {
        let document = match *command {
            "backup" => "backup.json",
            "ci" => "ci-github.json",
            "diagnose" => "diagnose.json",
            "diff" => "diff.json",
            "down" | "destroy" | "delete" if has("--expired") => "down-expired.json",
            "down" | "destroy" | "delete" => "down.json",
            "graph" => "graph.json",
            "init" => "init.json",
            "invoke" if has("--print-event") => "",
            "invoke" => "invoke.json",
            "local" if args.get(at + 1) == Some(&"env") => "local-env.json",
            "local" => "local.json",
            "logs" => return Some(Stdout::Lines("logs.json")),
            "openapi" if has("--out") => "openapi.json",
            "completions" | "man" | "openapi" => "",
            "package" => "package.json",
            "policy" if args.get(at + 1) == Some(&"deploy") => "policy-deploy.json",
            "policy" if args.get(at + 1) == Some(&"check") => "policy-check.json",
            "policy" => "policy-function.json",
            "releases" => "releases.json",
            "seed" => "seed.json",
            "stages" => "stages.json",
            "status" => "status.json",
            "up" | "deploy" if has("--plan") => "diff.json",
            "up" | "deploy" | "rollback" | "watch" => "up.json",
            "verify" => "verify.json",
            _ => return None,
        };
        Some(Stdout::named(document))
    });
    document.unwrap_or_else(|| panic!("{args:?}: docs/schemas has nothing for it, or nobody says here what"))
}

/// What is wrong with what a call wrote, if it is to be read by programs.
///
/// # Panics
/// There is no schema for the command, or the judge doesn't work.
pub fn faults(args: &[&str], stdout: &str, stderr: &str) -> String {
    let mut faults = String::new();
    let mut fault = |text: &str| {
        // Writing to a string doesn't fail.
        let _ = writeln!(faults, "{text}");
    };
    let mut read = |text: &str, what: &str| -> Option<Value> {
        let read = serde_json::from_str(text);
        read.inspect_err(|error| fault(&format!("{what} isn't JSON: {error}: {text}")))
            .ok()
    };
    // Between the events are the SDK's requests then, in a form of its own.
    let with_requests = args.contains(&"-vv");
    let events = stderr.lines().filter_map(|line| read(line, "an event"));
    let events: Vec<Value> = events
        .filter(|event| !with_requests || event.get("event").is_some())
        .collect();
    let (schema, documents) = match (!stdout.is_empty()).then(|| stdout_of(args)) {
        None | Some(Stdout::Others) => ("", Vec::new()),
        Some(Stdout::Document(schema)) => (schema, read(stdout, "stdout").into_iter().collect()),
        Some(Stdout::Lines(schema)) => {
            let lines = stdout.lines().filter_map(|line| read(line, "a line")).collect();
            (schema, lines)
        }
    };
    for (schema, documents) in [(schema, documents), ("event.json", events)] {
        if !documents.is_empty() {
            for told in of_schema(schema, &documents) {
                fault(&format!("not as docs/schemas/{schema} says: {told}"));
            }
        }
    }
    faults
}

/// What is wrong with documents, by the schema of this name.
///
/// # Panics
/// The judge doesn't work.
pub fn of_schema(schema: &str, documents: &[Value]) -> Vec<String> {
    judge(&json!({ "schema": schema, "documents": documents, "open": false }))
}

/// Where in documents the schema of this name would let something stand that nobody has heard of.
///
/// # Panics
/// The judge doesn't work.
pub fn open_places(schema: &str, documents: &[Value]) -> BTreeSet<String> {
    let places = judge(&json!({ "schema": schema, "documents": documents, "open": true }));
    places.into_iter().collect()
}

/// The folder `docs/schemas` of the checkout that is tested.
///
/// # Panics
/// There is none.
pub fn folder() -> PathBuf {
    // Of the checkout that is tested, wherever the test was compiled.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    let folders = here.ancestors().map(|folder| folder.join("docs/schemas"));
    folders.into_iter().find(|folder| folder.is_dir()).expect("schemas")
}

impl Stdout {
    fn named(schema: &'static str) -> Self {
        if schema.is_empty() {
            Self::Others
        } else {
            Self::Document(schema)
        }
    }
}

struct Judge {
    asked: ChildStdin,
    told: BufReader<ChildStdout>,
    /// It ends when nothing can be asked any more, and not before.
    _process: Child,
}

impl Judge {
    fn start(schemas: &Path) -> Self {
        let mut process = Command::new(tools::openapi().join("python"))
            .args(["-I", "-c", JUDGE])
            .arg(schemas)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        Self {
            asked: process.stdin.take().expect("it is a pipe"),
            told: BufReader::new(process.stdout.take().expect("it is a pipe")),
            _process: process,
        }
    }
}

fn judge(asked: &Value) -> Vec<String> {
    static JUDGE: OnceLock<Mutex<Judge>> = OnceLock::new();
    let mut judge = lock(JUDGE.get_or_init(|| Mutex::new(Judge::start(&folder()))));
    writeln!(judge.asked, "{asked}").expect("the judge listens");
    let mut line = String::new();
    judge.told.read_line(&mut line).expect("the judge answers");
    serde_json::from_str(&line).expect("what the judge says")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_its_document() {
        assert_eq!(stdout_of(&["--stage", "dev", "deploy"]), Stdout::Document("up.json"));
        assert_eq!(stdout_of(&["up", "--plan=x.zip"]), Stdout::Document("diff.json"));
        assert_eq!(stdout_of(&["local", "env"]), Stdout::Document("local-env.json"));
        assert_eq!(stdout_of(&["openapi", "--out", "x"]), Stdout::Document("openapi.json"));
        assert_eq!(stdout_of(&["openapi", "--output", "json"]), Stdout::Others);
        assert_eq!(stdout_of(&["logs"]), Stdout::Lines("logs.json"));
    }

    #[test]
    fn what_isnt_as_it_should_be_is_told() {
        let faults = |stdout: &str, stderr: &str| faults(&["seed", "--output", "json"], stdout, stderr);
        assert_eq!(faults("", ""), "");
        assert_eq!(faults("{\"schema\":1,\"tables\":[]}\n", ""), "");
        for (stdout, stderr, told) in [
            ("{\"tables\":[]}\n", "", "'schema' is a required property"),
            ("{\"schema\":1,\"tables\":[],\"more\":1}\n", "", "'more' was unexpected"),
            ("{\"schema\":1,\"tables\":[{}]}\n", "", "$.tables[0]"),
            ("done\n", "", "stdout isn't JSON"),
            ("", "warning: x\n", "an event isn't JSON"),
            (
                "",
                "{\"schema\":1,\"event\":\"warning\"}\n",
                "'message' is a required property",
            ),
            (
                "",
                "{\"schema\":1,\"event\":\"warning\",\"message\":\"x\",\"more\":1}\n",
                "'more' was unexpected",
            ),
            (
                "",
                "{\"event\":\"warning\",\"message\":\"x\"}\n",
                "'schema' is a required property",
            ),
            (
                "",
                "{\"schema\":1,\"event\":\"other\"}\n",
                "not as docs/schemas/event.json says",
            ),
        ] {
            assert!(faults(stdout, stderr).contains(told), "{}", faults(stdout, stderr));
        }
    }

    #[test]
    fn an_open_place_is_found() {
        let document = json!({ "schema": 1, "tables": [] });
        assert!(open_places("seed.json", &[document]).is_empty());
        let answer = json!({
            "schema": 1, "function": "f", "status": 200, "functionError": null, "payload": { "a": {} },
            "executedVersion": null, "requestId": null, "durationMs": null, "coldStart": null, "log": []
        });
        let open = open_places("invoke.json", &[answer]);
        assert_eq!(open.into_iter().collect::<Vec<_>>(), ["payload", "payload.a"]);
    }
}
