//! What each command says, whole: on a terminal of 80 columns, in a pipe, on one of 40 columns, and as JSON.
//!
//! `snapshots/` has a file for each command, with a block for each call: what it printed, what else it said, its exit code.
//! A change of any of it is a change of such a file, to be looked at like the rest of a change. When one differs, the test
//! says where; `INSTA_UPDATE=always cargo test --test end_to_end snapshots` (or `cargo insta review`) writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use rustix::process::Signal;
use serde_json::Value;

use crate::permissions::asking;
use crate::support::documents::{self, Stdout};
use crate::support::project::repository;
use crate::support::terminal::{Terminal, screen};
use crate::support::{Clients, Deployer, Emulator, Project, Ran};
use crate::{logs, stages};

/// How a command is run, in the order in which a file shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Terminal(u16),
    Pipe,
    Json,
}

const FORMS: [Form; 4] = [Form::Terminal(80), Form::Pipe, Form::Terminal(40), Form::Json];

impl Form {
    fn title(self) -> String {
        match self {
            Self::Terminal(columns) => format!("on a terminal of {columns} columns"),
            Self::Pipe => "in a pipe".to_owned(),
            Self::Json => "as JSON".to_owned(),
        }
    }

    /// Runs it, and shows what came of it in one block, with what differs from run to run left out.
    fn block(self, dir: &Path, args: &[&str], set: impl FnOnce(Deployer) -> Deployer) -> String {
        match self {
            Self::Terminal(columns) => {
                let terminal = Terminal {
                    columns,
                    keys: "y\\n",
                    ..Terminal::default()
                };
                let (code, sent) = terminal.run_with(dir, args, set);
                let shown = settled(args, &redacted(&unbroken(&screen(&sent, columns))));
                let rows: String = shown.lines().map(|line| wrapped(line, columns.into()) + "\n").collect();
                format!("{rows}[exit status: {code}]\n")
            }
            Self::Pipe => {
                let ran = set(Deployer::new(dir, args)).unset("TERM").unset("CI").run();
                shown(args, ran)
            }
            Self::Json => {
                let all = [args, &["--output", "json"]].concat();
                let mut ran = set(Deployer::new(dir, &all)).unset("CI").run();
                if let Ok(document) = serde_json::from_str::<Value>(&ran.stdout) {
                    if let Stdout::Document(schema) = documents::stdout_of(&all) {
                        check_is_closed(schema, &document);
                    }
                    ran.stdout = format!("{document:#}\n");
                }
                shown(args, ran)
            }
        }
    }
}

/// What a call said that ended, in one block.
fn shown(args: &[&str], mut ran: Ran) -> String {
    ran.stdout = redacted(&ran.stdout);
    ran.stderr = settled(args, &redacted(&ran.stderr));
    ran.to_string()
}

/// Nothing could be added to a document that its schema doesn't tell of, but to what others name.
#[track_caller]
fn check_is_closed(schema: &str, document: &Value) {
    let is_others = |place: &String| match schema {
        "invoke.json" => place.starts_with("payload") || place.contains(".record"),
        "releases.json" => {
            let maps = ["files", "environment", "parameters", "packages"];
            maps.iter().any(|map| place.ends_with(&format!(".{map}")))
        }
        // IAM's own keys.
        "policy-deploy.json" => place.contains(".Condition"),
        "diff.json" | "status.json" | "up.json" => {
            place == "stacks.*.outputs" || place.contains(".before") || place.contains(".after")
        }
        _ => false,
    };
    let mut open = documents::open_places(schema, std::slice::from_ref(document));
    open.retain(|place| !is_others(place));
    assert!(
        open.is_empty(),
        "{schema} lets anything stand in {open:?} of {document:#}"
    );
}

/// What was said while it ran, without what only says how far something is: that depends on how fast it goes. What `up` and
/// `down` do at the same time may end in any order; here it stands sorted where the last of it stood.
fn settled(args: &[&str], said: &str) -> String {
    let is_passing = |told: &String| {
        let starts = [
            "  … ",
            r#"{"schema":1,"event":"working""#,
            r#"{"schema":1,"event":"resource""#,
        ];
        starts.iter().any(|start| told.starts_with(start))
    };
    let ended = |told: &String| {
        let starts = ["  ✓ ", "  · ", r#"{"schema":1,"event":"finished""#];
        starts.iter().any(|start| told.starts_with(start))
    };
    // What a narrow terminal breaks off belongs to what it is of.
    let mut told: Vec<String> = Vec::new();
    for line in said.lines() {
        match told.last_mut().filter(|last| is_passing(last) || ended(last)) {
            Some(last) if line.starts_with("      ") => {
                last.push('\n');
                last.push_str(line);
            }
            _ => told.push(line.to_owned()),
        }
    }
    told.retain(|told| !is_passing(told));
    if matches!(args[0], "up" | "down" | "rollback" | "status" | "watch") {
        // A terminal has the result as well, which begins there.
        let result = told.iter().position(|told| told.starts_with("three-tier dev in "));
        let result = told.split_off(result.unwrap_or(told.len()));
        let last = told.iter().rposition(ended).map_or(0, |last| last + 1);
        let after = told.split_off(last);
        let (mut ends, others): (Vec<String>, Vec<String>) = told.into_iter().partition(ended);
        ends.sort_by_key(|told| told.trim_start_matches([' ', '✓', '·']).to_owned());
        told = [others, ends, after, result].concat();
    }
    told.iter().map(|told| format!("{told}\n")).collect()
}

/// What is said of the site, of a plan and of a release while it runs, with the lines in which it goes on.
static OF_SITE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^  [✓·] (?:plan|release|site) .*(\n      .*)*").expect("a pattern"));

/// With what is said of those in one line: how fast the site was sent, and when something was made to which fraction of a second,
/// decide where the command breaks it.
fn unbroken(screen: &str) -> String {
    let joined = OF_SITE.replace_all(screen, |found: &regex::Captures<'_>| found[0].replace("\n      ", " "));
    joined.into_owned()
}

/// As a terminal breaks it: anywhere.
fn wrapped(line: &str, columns: usize) -> String {
    if OF_SITE.is_match(line) {
        return line.to_owned();
    }
    let letters: Vec<char> = line.chars().collect();
    let rows: Vec<String> = letters.chunks(columns).map(|row| row.iter().collect()).collect();
    rows.join("\n")
}

/// Without what differs from run to run. What has always the same length keeps it, so that lines break where they did.
fn redacted(text: &str) -> String {
    let rules = [
        // What services call things by: ports, APIs and what is in them, distributions, operations.
        (r"(127\.0\.0\.1|localhost):[0-9]{5}", "$1:#####"),
        (r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", "[uuid]"),
        (r"\b[a-z0-9]{14}\.cloudfront", "##############.cloudfront"),
        (r"\bE[0-9A-Z]{13}\b", "E#############"),
        (r"\b[0-9a-f]{8}\b", "########"),
        (r"-bucket-[0-9a-f]{13}\b", "-bucket-#############"),
        // What follows from content.
        (r#""DeployerDigest": ?"[0-9a-f]+""#, r##""DeployerDigest": "#""##),
        // No `\b` before it: one in 32 begins with a sign that isn't a word's.
        (r"[A-Za-z0-9+/]{43}=", "[sha256]"),
        (r"\bfunction/[0-9a-f]{64}\.zip", "function/[digest].zip"),
        (r"\b[0-9.]+ [KM]?i?B(/s)?\b", "#.## KiB$1"),
        (r#""bytes": [0-9]+"#, r##""bytes": #"##),
        (r"\b[0-9a-f]{64}\b", "[digest]"),
        (r"\b[0-9a-f]{32}\b", "[sum]"),
        (r#""digest": "[0-9a-f]+""#, r##""digest": "#""##),
        // How long something took, where that was long enough to be said, and how long ago it was.
        (r"(?m)\s+[0-9]+(\.[0-9]+)?\s+(ms|s)$", ""),
        (r"\b(just now|[0-9]+ (second|minute)s? ago)\b", "just now"),
        (r"\b[0-9]+ (day|month|year)s? ago\b", "long ago"),
        (r"\b[0-9]+(\.[0-9]+)? ms, [0-9]+ of", "# ms, # of"),
        (r"Duration: [0-9.]+ ms", "Duration: # ms"),
        (r#"("(billedD|d|initD)urationMs": ?)[0-9.]+"#, "$1#"),
        (r#"("maxMemoryUsedMB": ?)[0-9.]+"#, "$1#"),
        (r#"("(eventId|stream)": ?)"[^"]+""#, r##"$1"#""##),
        (r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "[instant]"),
        (r"(?m)^[0-9:]{8}Z  ", "  "),
        // Whose machine it is, who may come in, and where the test keeps things.
        (r"\b(x86_64|arm64|aarch64)\b", "[architecture]"),
        (r"\bLOCAL[0-9A-F]{16}\b", "[key id]"),
        (r"(SECRET_ACCESS_KEY[=: \x22']+)[A-Za-z0-9/+_-]{20,}", "$1[secret]"),
        (r"/[^ \x22']*/\.tmp[A-Za-z0-9]{6}", "[folder]"),
        (r#"("?pid"?:? )[0-9]+"#, "$1#"),
    ];
    rules.iter().fold(text.to_owned(), |text, (pattern, by)| {
        let pattern = Regex::new(pattern).expect("a pattern");
        pattern.replace_all(&text, *by).into_owned()
    })
}

/// The files, by their names: each has the calls of one command.
#[derive(Default)]
struct Files(BTreeMap<&'static str, String>);

impl Files {
    fn add(&mut self, file: &'static str, form: Form, args: &[&str], block: &str) {
        let text = self.0.entry(file).or_default();
        let json = if form == Form::Json { " --output json" } else { "" };
        // Writing to a string doesn't fail.
        let _ = writeln!(
            text,
            "$ deployer {}{json}    # {}\n{block}",
            args.join(" "),
            form.title()
        );
    }

    /// Compares all of them, so that one run shows all that has changed.
    #[track_caller]
    fn compare(self) {
        let mut different = Vec::new();
        for (file, text) in self.0 {
            let settings = || {
                let mut settings = insta::Settings::clone_current();
                settings.set_omit_expression(true);
                settings.set_prepend_module_to_snapshot(false);
                // Of the checkout that is tested, wherever the test was compiled.
                settings.set_snapshot_path(repository().join("tests/end_to_end/snapshots"));
                settings
            };
            let compared = std::panic::catch_unwind(|| settings().bind(|| insta::assert_snapshot!(file, text)));
            if compared.is_err() {
                different.push(file);
            }
        }
        assert!(
            different.is_empty(),
            "not what they say any more: {different:?}. Look at the differences above; if they are meant, \
             `INSTA_UPDATE=always cargo test --test end_to_end snapshots` writes them"
        );
    }
}

/// The example app from nothing to nothing, and the local cloud that it was in.
#[test]
fn every_command_says_what_it_did() {
    let emulator = Emulator::start();
    let endpoint = emulator.endpoint();
    let mut files = Files::default();
    for form in FORMS {
        let project = Project::copy();
        let mut run = |file: &'static str, args: &[&str]| {
            let args = [args, &["--stage", "dev"]].concat();
            let block = form.block(project.path(), &args, |deployer| deployer.at(&endpoint));
            files.add(file, form, &args, &block);
        };
        run("graph", &["graph"]);
        run("status", &["status"]);
        run("up", &["up"]);
        run("up", &["up", "--no-verify"]);
        run("status", &["status"]);
        run("status", &["status", "--drift"]);
        run("diagnose", &["diagnose"]);
        run("openapi", &["openapi", "--out", "api.yaml"]);
        if form == Form::Pipe {
            run("openapi", &["openapi"]);
        }
        run("backup", &["backup", "items.jsonl"]);
        run("seed", &["seed"]);
        run("verify", &["verify", "--only", "data,api"]);
        project.write("site/index.html", "<title>other</title>");
        run("verify", &["verify", "--only", "site-files"]);
        project.edit("stacks/logic.yaml", "MemorySize: 256", "MemorySize: 512");
        run("diff", &["diff", "--exit-code"]);
        run("up-plan", &["up", "--plan", "plan.zip"]);
        run("up-plan", &["up", "--execute", "plan.zip", "--no-verify"]);
        run("diff", &["diff", "--exit-code"]);
        run("rollback", &["rollback", "--no-verify"]);
        run("releases", &["releases"]);
        // Answered on a terminal, refused where nobody can be asked.
        run("down", &["down"]);
        run("down", &["down", "--yes"]);
        run("diagnose", &["diagnose"]);
        run("releases", &["releases"]);
        project.edit("stacks/stages.yaml", "protected: true", "protcted: true");
        run("up-error", &["up"]);
    }
    for form in FORMS {
        let folder = tempfile::TempDir::new().expect("a folder");
        for args in [
            ["local", "status"],
            ["local", "start"],
            ["local", "env"],
            ["local", "stop"],
            ["local", "status"],
            ["local", "reset"],
            ["local", "start"],
        ] {
            let block = form.block(folder.path(), &args, |deployer| emulator.known_to(deployer));
            files.add("local", form, &args, &block);
        }
    }
    files.compare();
}

/// What has a small stage of its own shares a local cloud, in a region that is the same in each run.
fn small_stages() -> &'static Emulator {
    static EMULATOR: LazyLock<Emulator> = LazyLock::new(Emulator::start);
    &EMULATOR
}

/// Two functions that write what they are told to, and what came of it.
#[test]
fn functions_and_logs_are_shown() {
    let emulator = small_stages();
    let endpoint = emulator.endpoint();
    let project = logs::project(false);
    let written = r#"{"say":["plain","{\"level\":\"WARN\",\"message\":\"slow\",\"who\":\"a b\"}"]}"#;
    logs::up(&project, &endpoint);
    project
        .deployer(&endpoint, &["invoke", "One", "--event", written])
        .success();
    let mut files = Files::default();
    for form in FORMS {
        let mut run = |file: &'static str, args: &[&str]| {
            let block = form.block(project.path(), args, |deployer| deployer.at(&endpoint));
            files.add(file, form, args, &block);
        };
        run("logs", &["logs", "--function", "One"]);
        run("logs", &["logs", "--function", "One", "--filter", "nothing"]);
        run("invoke", &["invoke", "Two", "--event", written]);
        run("invoke", &["invoke", "Two", "--event", written, "--print-event"]);
        run("invoke", &["invoke", "Two", "--event", r#"{"exit":true}"#]);
    }
    files.compare();
}

/// A stage that nobody has used for long, and how it goes.
#[tokio::test(flavor = "multi_thread")]
async fn stages_are_shown_until_they_go() {
    let emulator = small_stages();
    let clients = Clients::root(&emulator.endpoint());
    let old = stages::long_ago(emulator);
    let mut files = Files::default();
    for form in FORMS {
        let project = stages::project();
        let up = ["up", "--stage", "pr-1", "--no-verify"];
        project.deployer(&emulator.endpoint(), &up).success();
        stages::unused(&clients, "previews-pr-1-store").await;
        let mut run = |file: &'static str, args: &[&str]| {
            let block = form.block(project.path(), args, |deployer| deployer.at(&old.endpoint()));
            files.add(file, form, args, &block);
        };
        run("stages", &["stages"]);
        run("down-expired", &["down", "--expired", "--yes"]);
        run("down-expired", &["down", "--expired", "--yes"]);
        run("stages", &["stages"]);
    }
    files.compare();
}

/// What begins when it is told to, and ends when somebody ends it.
#[test]
fn watch_tells_its_rounds() {
    let emulator = small_stages();
    let endpoint = emulator.endpoint();
    let project = Project::of("site");
    let mut files = Files::default();
    for form in [Form::Pipe, Form::Json] {
        let args = ["watch"];
        let all = match form {
            Form::Json => [&args[..], &["--output", "json"]].concat(),
            _ => args.to_vec(),
        };
        let deployer = Deployer::new(project.path(), &all)
            .at(&endpoint)
            .unset("TERM")
            .unset("CI");
        let mut run = deployer.running();
        run.says("waits for what is saved");
        run.signal(Signal::INT);
        let mut ran = run.end();
        if form == Form::Json {
            assert_eq!(documents::faults(&all, &ran.stdout, &ran.stderr), "");
            let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
            ran.stdout = format!("{document:#}\n");
        }
        files.add("watch", form, &args, &shown(&args, ran));
        project.deployer(&endpoint, &["down", "--yes"]).success();
    }
    files.compare();
}

/// What asks nothing of any cloud.
#[test]
fn what_is_written_into_folders_is_told() {
    let mut files = Files::default();
    for form in FORMS {
        let project = Project::copy();
        let listed = "stages:\n  \"pr-*\": { expires: 7d, boundary: three-tier-preview-function-boundary }\n";
        project.edit("stacks/stages.yaml", "stages:\n", listed);
        let mut run = |file: &'static str, args: &[&str]| {
            let block = form.block(project.path(), args, |deployer| deployer);
            files.add(file, form, args, &block);
        };
        run("init", &["init", "shop", "--example", "site"]);
        run("init", &["init", "shop"]);
        run("ci-github", &["ci", "github"]);
        if matches!(form, Form::Pipe | Form::Json) {
            run("graph-formats", &["graph", "--format", "dot"]);
        }
        if form == Form::Pipe {
            run("graph-formats", &["graph", "--format", "mermaid"]);
        }
    }
    files.compare();
}

/// Each schema describes what a file here shows, and each file that shows a document for programs shows people's text as well.
#[test]
fn every_schema_is_of_a_command_that_is_shown() {
    let calls = Regex::new(r"(?m)^\$ deployer (.*?)(?: --output json)?    # (.*)$").expect("a pattern");
    let mut shown = BTreeSet::new();
    for file in std::fs::read_dir(repository().join("tests/end_to_end/snapshots")).expect("snapshots") {
        let file = file.expect("a file").path();
        let text = std::fs::read_to_string(&file).expect("readable");
        let mut forms = BTreeSet::new();
        for call in calls.captures_iter(&text) {
            let (args, form) = (&call[1], call[2].to_owned());
            if form == Form::Json.title() {
                let args: Vec<&str> = args.split(' ').collect();
                if let Stdout::Document(schema) | Stdout::Lines(schema) = documents::stdout_of(&args) {
                    shown.insert(schema.to_owned());
                }
            }
            forms.insert(form);
        }
        let is_for_programs = forms.contains(&Form::Json.title());
        assert!(
            !is_for_programs || forms.contains(&Form::Pipe.title()),
            "{}",
            file.display()
        );
    }
    let names = std::fs::read_dir(documents::folder()).expect("schemas");
    let names = names.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());
    let mut schemas: BTreeSet<String> = names.filter(|name| name.ends_with(".json")).collect();
    assert!(schemas.remove("event.json"));
    assert_eq!(schemas, shown);
}

/// docs/command-line.md has the rest of it.
#[test]
fn help_fits_where_it_is_shown() {
    let mut files = Files::default();
    let folder = tempfile::TempDir::new().expect("a folder");
    for form in &FORMS[..3] {
        for args in [
            &["-h"][..],
            &["--help"],
            &["down", "-h"],
            &["up", "--stge", "dev"],
            &["--version"],
        ] {
            let block = form.block(folder.path(), args, |deployer| deployer);
            files.add("help", *form, args, &block);
        }
    }
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let args = ["completions", shell];
        let ran = Deployer::new(folder.path(), &args).run().success();
        let block: String = ran.stdout.lines().take(3).map(|line| format!("{line}\n")).collect();
        files.add("completions", Form::Pipe, &args, &format!("{block}…\n"));
    }
    files.compare();
}

/// Zips of what is there already, so that nothing has to be built.
#[test]
fn package_says_what_it_packed() {
    const TEMPLATE: &str = "\
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: 'sts:AssumeRole' }]
  Hello:
    Type: AWS::Lambda::Function
    Metadata: { Deployer: { Code: hello } }
    Properties:
      Runtime: python3.13
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code: { S3Bucket: !Ref CodeBucket, S3Key: !Ref HelloCodeKey }
Parameters:
  CodeBucket: { Type: String }
  HelloCodeKey: { Type: String }
";
    let mut files = Files::default();
    for form in FORMS {
        let project = Project::bare("hello", &[("stacks/hello.yaml", TEMPLATE)]);
        std::fs::create_dir(project.path().join("hello")).expect("a folder");
        project.write("hello/index.py", "def handler(event, context):\n    return {}\n");
        let block = form.block(project.path(), &["package"], |deployer| deployer);
        files.add("package", form, &["package"], &block);
        let block = form.block(project.path(), &["package", "goodbye"], |deployer| deployer);
        files.add("package", form, &["package", "goodbye"], &block);
        let of_another = ["policy", "function", "hello"];
        let block = form.block(project.path(), &of_another, |deployer| deployer);
        files.add("policy", form, &of_another, &block);
    }
    files.compare();
}

#[test]
fn policy_says_what_a_program_asks_for() {
    let mut files = Files::default();
    for form in FORMS {
        let project = Project::copy();
        std::fs::copy(asking("table"), project.path().join("table")).expect("copied");
        let args = ["policy", "function", "--function-package", "table"];
        let block = form.block(project.path(), &args, |deployer| deployer);
        files.add("policy-function", form, &args, &block);
    }
    files.compare();
}

#[test]
fn policy_says_what_deploying_takes() {
    let mut files = Files::default();
    for form in FORMS {
        let project = Project::copy();
        for args in [
            &[
                "policy",
                "deploy",
                "--account",
                "123456789012",
                "--region",
                "eu-central-1",
                "--out",
                "policies",
            ][..],
            &["policy", "deploy", "--account", "1234"],
        ] {
            let block = form.block(project.path(), args, |deployer| deployer);
            files.add("policy-deploy", form, args, &block);
        }
        let proxy = crate::identity::simulator(|action| action == "s3:PutObject");
        let args = ["policy", "check", "--region", "eu-central-1"];
        let block = form.block(project.path(), &args, |deployer| deployer.at(&proxy.endpoint()));
        files.add("policy-check", form, &args, &block);
    }
    files.compare();
}
