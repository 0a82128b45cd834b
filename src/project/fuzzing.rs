//! What people write, changed by chance (see `test_support::fuzz`), and each reader of it: it takes a file or refuses it.
//! Another end is a fault, whatever the file is.

use std::path::Path;

use test_support::fuzz::{USUAL, each, files, run};

use super::Project;
use super::contract::Contract;
use super::seed::{self, KeyAttribute, KeyKind, SeedTable};
use super::source;
use super::stages::Stages;
use super::template::Template;
use crate::error::Result;

/// The files of these folders.
fn corpus(folders: &[&str]) -> Vec<Vec<u8>> {
    folders.iter().flat_map(|folder| files(Path::new(folder))).collect()
}

/// A reader gives a value, or an error that can be told.
fn told<T>(result: Result<T>) {
    if let Err(error) = result {
        assert!(!error.to_string().is_empty(), "an error without a word");
    }
}

#[test]
fn settings_are_read_or_refused_whatever_is_in_them() {
    let file = Path::new("stacks/stages.yaml");
    let declared = ["TableName".to_owned()].into();
    run(
        "settings",
        USUAL,
        corpus(&["tests/corpus/settings", "stacks", "tests/corpus/yaml"]),
        move |bytes| {
            told(source::text_of(bytes, file).and_then(|text| {
                let mut stages = Stages::parse(&text, file)?;
                stages.adopt_old_spelling(&declared)?;
                stages.stage("dev").map(|stage| stage.place_of("TableName").to_string())
            }));
        },
    );
}

/// Beside an item's tree are its values in DynamoDB's types, in maps with room for eleven.
const OF_ITEMS: u64 = 80;

/// A table whose key is the text `userId`.
fn user_data() -> SeedTable {
    SeedTable {
        stack: "data".to_owned(),
        logical_id: "UserData".to_owned(),
        keys: vec![KeyAttribute {
            name: "userId".to_owned(),
            kind: KeyKind::Text,
        }],
    }
}

fn seed_of(file: &'static str, folders: &[&str]) {
    let tables = [user_data()];
    let file = Path::new(file);
    run("seed", OF_ITEMS, corpus(folders), move |bytes| {
        told(source::text_of(bytes, file).and_then(|text| seed::parse(&text, file, &tables, Some("UserData"))));
    });
}

#[test]
fn seed_items_in_yaml_are_read_or_refused_whatever_is_in_them() {
    seed_of("stacks/seed.yaml", &["tests/corpus/seed", "tests/corpus/yaml"]);
}

#[test]
fn seed_items_in_json_are_read_or_refused_whatever_is_in_them() {
    seed_of("stacks/seed.json", &["tests/corpus/seed", "tests/corpus/events"]);
}

#[test]
fn seed_items_in_lines_are_read_or_refused_whatever_is_in_them() {
    seed_of("stacks/seed.jsonl", &["tests/corpus/seed", "tests/corpus/events"]);
}

#[test]
fn templates_are_read_or_refused_whatever_is_in_them() {
    let file = Path::new("stacks/a.yaml");
    run(
        "template",
        USUAL,
        corpus(&["tests/corpus/templates", "stacks", "tests/corpus/yaml"]),
        move |bytes| {
            told(source::text_of(bytes, file).and_then(|text| {
                told(Template::of_deployed(&text).map(|template| template.to_json()));
                let (template, _) = Template::parse(&text, file)?;
                Ok((
                    template.to_json(),
                    template.naming_parameters(),
                    template.depends_on_outside(),
                ))
            }));
        },
    );
}

/// A project with a function, to read what speaks of one.
fn project() -> (tempfile::TempDir, Project) {
    let dir = tempfile::tempdir().expect("a folder");
    let stacks = dir.path().join("stacks");
    std::fs::create_dir(&stacks).expect("made");
    for (name, text) in [
        ("stages.yaml", "project: shop\nstages: { dev: {} }\n"),
        (
            "logic.yaml",
            "Resources:\n  Handler: { Type: AWS::Lambda::Function, Properties: { Code: { ZipFile: x } } }\n\
             Outputs: { ApiUrl: { Value: x } }\n",
        ),
    ] {
        std::fs::write(stacks.join(name), text).expect("written");
    }
    let project = Project::open(dir.path(), "dev").expect("a project");
    (dir, project)
}

#[test]
fn contracts_are_read_or_refused_whatever_is_in_them() {
    let (dir, project) = project();
    let file = Path::new("stacks/verify.yaml");
    run(
        "contract",
        USUAL,
        corpus(&["stacks", "examples/orders/stacks", "tests/corpus/yaml"]),
        move |bytes| {
            let _ = &dir;
            told(source::text_of(bytes, file).and_then(|text| Contract::parse(&text, file, &project, &["requests"])));
        },
    );
}

#[test]
fn events_are_read_or_refused_whatever_is_in_them() {
    let (dir, project) = project();
    let event = dir.path().join("event.json");
    let contract = "invocations: [{ name: a, function: Handler, eventFile: event.json, expect: { json: {} } }]\n";
    run(
        "event",
        USUAL,
        corpus(&["tests/corpus/events", "tests/corpus/yaml"]),
        move |bytes| {
            std::fs::write(&event, bytes).expect("written");
            told(Contract::parse(
                contract,
                Path::new("stacks/verify.yaml"),
                &project,
                &[],
            ));
        },
    );
}

/// The longest template that CloudFormation takes, in bytes.
const MEGABYTE: usize = 1 << 20;

/// A text of a quarter of that: as many repetitions as it takes, each with its number.
fn long(begin: &str, repeated: impl Fn(usize) -> String) -> Vec<u8> {
    of_length(MEGABYTE / 4, begin, repeated)
}

fn of_length(length: usize, begin: &str, repeated: impl Fn(usize) -> String) -> Vec<u8> {
    let mut text = begin.to_owned();
    for number in 0.. {
        if text.len() >= length {
            break;
        }
        text.push_str(&repeated(number));
    }
    text.into_bytes()
}

/// What takes time or memory by the square of its length doesn't pass (see `HANGS` there).
#[test]
fn long_templates_are_read_in_the_time_and_memory_of_their_length() {
    let queue = |n: usize| {
        format!(
            "  Queue{n}:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !Sub ${{AWS::StackName}}-{n}\n      \
             VisibilityTimeout: {n}\n      Tags: [{{ Key: number, Value: !Ref AWS::Region }}]\n"
        )
    };
    let in_json =
        |n: usize| format!("\"Q{n}\": {{\"Type\": \"AWS::SQS::Queue\", \"Properties\": {{\"DelaySeconds\": {n}}}}},\n");
    let mut json = of_length(MEGABYTE, "{\"Resources\": {", in_json);
    json.extend(b"\"Z\": {\"Type\": \"A\"}}}");
    let aliases = "Mappings: &m { A: { B: c } }\nResources:\n";
    let inputs = [
        of_length(MEGABYTE, "Resources:\n", queue),
        json,
        long(aliases, |n| {
            format!("  Queue{n}: {{ Type: AWS::SQS::Queue, Properties: {{ Tags: *m }} }}\n")
        }),
        long("Resources:\n  A:\n    Type: A\n    Text: |\n", |n| {
            format!("      line {n} of a long text: with a colon\n")
        }),
        long("Resources:\n  A:\n    Type: A\n    Text: \"", |n| {
            format!("word{n} \\u00e4 ü 🎉 ")
        }),
        long("Resources:\n  A:\n    Type: A\n    Text: word", |n| format!(" word{n}")),
        long("Resources:\n  A:\n    Type: A\n    Text: word", |n| {
            format!("\n      word{n}")
        }),
        long("# Nothing\n", |n| format!("# but remarks {n}\n")),
        // The last of many lines is wrong.
        [long("Resources:\n", queue), b"  Z: { Type: ~ }\n".to_vec()].concat(),
        [long("Resources:\n", queue), b"  Z: [\n".to_vec()].concat(),
    ];
    let file = Path::new("stacks/a.yaml");
    each("template", USUAL, inputs.into_iter(), move |bytes| {
        told(source::text_of(bytes, file).and_then(|text| Template::parse(&text, file)));
    });
}

#[test]
fn long_files_are_read_in_the_time_and_memory_of_their_length() {
    let stages = "project: shop\nstages:\n  dev:\n";
    let settings = [
        long(&format!("{stages}    parameters:\n"), |n| {
            format!("      P{n}: value-${{stage}}-{n}\n")
        }),
        // Each is told of.
        long(stages, |n| format!("    tableName{n}: x\n")),
        long("project: shop\nstages:\n", |n| {
            format!(
                "  stage{n}:\n    protected: false\n    parameters:\n      Table: users-of-stage-{n}\n      Version: 1.50\n      Place: eu\n"
            )
        }),
    ];
    let file = Path::new("stacks/stages.yaml");
    let declared = (0..30_000).map(|n| format!("TableName{n}")).collect();
    each("settings", USUAL, settings.into_iter(), move |bytes| {
        told(source::text_of(bytes, file).and_then(|text| {
            let mut stages = Stages::parse(&text, file)?;
            stages.adopt_old_spelling(&declared)?;
            stages.stage("dev")
        }));
    });
    let items = [
        (
            "stacks/seed.yaml",
            long("", |n| format!("- userId: u{n}\n  n: {n}.50\n  l: [a, {{b: c}}]\n")),
        ),
        (
            "stacks/seed.yaml",
            long("- &a { userId: a, b: c }\n", |n| {
                format!(
                    "- {{ <<: *a, userId: u{n}, text: \"a text that has some length, as those of people have\" }}\n"
                )
            }),
        ),
        (
            "stacks/seed.jsonl",
            long("", |n| {
                format!("{{\"userId\": \"u{n}\", \"n\": {n}.50, \"l\": [1, {{\"b\": null}}]}}\n")
            }),
        ),
    ];
    for (file, text) in items {
        let tables = [user_data()];
        each("seed", OF_ITEMS, std::iter::once(text), move |bytes| {
            let file = Path::new(file);
            let text = source::text_of(bytes, file).expect("text");
            let seeds = seed::parse(&text, file, &tables, None).expect("items");
            assert!(!seeds.tables.is_empty(), "no item");
        });
    }
    let (dir, project) = project();
    let requests = long("requests:\n", |n| {
        format!(
            "  - name: request {n}\n    request: GET ${{ApiUrl}}?n={n}\n    expect: {{ status: 200, json: {{ n: {n} }} }}\n"
        )
    });
    each("contract", USUAL, std::iter::once(requests), move |bytes| {
        let _ = &dir;
        let file = Path::new("stacks/verify.yaml");
        let text = source::text_of(bytes, file).expect("text");
        told(Contract::parse(&text, file, &project, &[]));
    });
}
