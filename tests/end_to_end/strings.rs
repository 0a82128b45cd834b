//! What is written in a project's files is what AWS gets, character by character.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Clients, Deployer, Emulator, Project};

/// Left out is what CloudFormation has no way to answer: an answer is XML 1.0, which has no control characters but tabs and
/// line breaks, and of those `\r` only as long as nobody reads the text as lines. AWS's own DescribeStacks shows `?` for what
/// isn't ASCII, though the stack has it as it was sent
/// (<https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/814>); the emulator shows it.
const STRINGS: &[&str] = &[
    "",
    " ",
    "  both  ",
    "\ttab\t",
    "two\nlines",
    "ends with a line\n",
    "\n\nbegins with two",
    "three\n\n\nbetween",
    "  indented\n    more\n",
    "yes",
    "No",
    "on",
    "true",
    "null",
    "~",
    "NULL",
    "0755",
    "0o17",
    "0x1F",
    "0b11",
    "1_000",
    "22:22",
    "190:20:30",
    "1e3",
    "1.5e3",
    "1.10",
    "-.5",
    "+1",
    ".inf",
    ".NaN",
    "-0",
    "012345678901",
    "000000000000",
    "123456789012345678901234567890",
    "0.1000000000000000055511151231257827",
    "2024-02-30",
    "2001-12-14t21:59:43.10-05:00",
    "=",
    "<<",
    "-",
    "- a",
    "? a",
    ": a",
    "a: b",
    "a:b",
    "a #b",
    "#a",
    "&a",
    "*a",
    "!a",
    "!Ref A",
    "%a",
    "@a",
    "`a`",
    "|",
    ">",
    "[a]",
    "{a: b}",
    "[",
    "}",
    ",",
    "it's",
    "\"quoted\"",
    "'single'",
    "\\",
    "\\n",
    "C:\\temp\\x",
    "a\\u00e4",
    "\"",
    "''",
    "--- a",
    "...",
    "%YAML 1.1",
    "$",
    "${",
    "$${x}",
    "${stage}",
    "${AWS::Region}",
    "${env:HOME}",
    "$$",
    "{{resolve}}",
    "a,b",
    "a, b",
    "https://example.org/?a=b&c=d%20e#f",
    "<&>\"'",
    "]]>",
    "<![CDATA[x]]>",
    "&amp;",
    "%00",
    "ü",
    "e\u{301}",
    "ß→“”",
    "日本語",
    "العربية",
    "🎉",
    "👩\u{200d}👩\u{200d}👧",
    "\u{202e}reversed",
    "\u{a0}",
    "\u{200b}",
    "\u{2028}",
    "\u{85}",
    "\u{fffd}",
    "\u{10fffd}",
    "arn:aws:iam::012345678901:role/a",
    "cron(0 12 * * ? *)",
    "{\"json\": [1, 2.50, null]}",
];

/// In double quotes: JSON's, with what ends a line only to some readers of YAML escaped.
fn quoted(text: &str) -> String {
    let escaped = |text: String, (from, to): (char, &str)| text.replace(from, to);
    [('\u{85}', "\\u0085"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")]
        .into_iter()
        .fold(Value::from(text).to_string(), escaped)
}

/// Every string in each of the ways in which values come: from the settings, from the environment, as a template's default.
#[tokio::test]
async fn any_string_reaches_cloudformation_as_it_is() {
    let emulator = Emulator::shared();
    let mut project = String::from("project: strings\nstages:\n  prod:\n    parameters:\n");
    let mut environment = BTreeMap::new();
    // Of a stack each, since a template has 200 parameters at most.
    let ways = ["settings", "environment", "defaults"];
    let mut templates = ways.map(|_| String::from("Parameters:\n"));
    for (number, text) in STRINGS.iter().enumerate() {
        project.push_str(&format!("      S{number}: {}\n", quoted(&text.replace("${", "$${"))));
        templates[0].push_str(&format!("  S{number}: {{ Type: String }}\n"));
        project.push_str(&format!("      E{number}: \"${{env:TEXT_{number}}}\"\n"));
        templates[1].push_str(&format!("  E{number}: {{ Type: String }}\n"));
        environment.insert(format!("TEXT_{number}"), (*text).to_owned());
        templates[2].push_str(&format!("  D{number}: {{ Type: String, Default: {} }}\n", quoted(text)));
    }
    let folder = Project::bare("strings", &[("stacks/stages.yaml", &project)]);
    for ((way, template), letter) in ways.iter().zip(&mut templates).zip(["S", "E", "D"]) {
        template.push_str("Resources:\n  Nothing: { Type: AWS::CloudFormation::WaitConditionHandle }\nOutputs:\n");
        for number in 0..STRINGS.len() {
            template.push_str(&format!(
                "  Shown{letter}{number}: {{ Value: !Ref {letter}{number} }}\n"
            ));
        }
        folder.write(&format!("stacks/{way}.yaml"), template);
    }
    let up = || {
        let args = ["up", "--only", "settings,environment,defaults", "--output", "json"];
        let deployer = Deployer::new(folder.path(), &args).at(&emulator.endpoint());
        let deployer = environment
            .iter()
            .fold(deployer, |deployer, (name, text)| deployer.env(name, text));
        deployer.run().success().json()
    };
    let first = up();
    let clients = Clients::root(&emulator.endpoint());
    let mut wrong = Vec::new();
    for (way, letter) in ways.iter().zip(["S", "E", "D"]) {
        let name = format!("strings-prod-{way}");
        let answer = clients
            .cloudformation
            .describe_stacks()
            .stack_name(name)
            .send()
            .await
            .expect("the stack");
        let stack = &answer.stacks()[0];
        for (number, text) in STRINGS.iter().enumerate() {
            let name = format!("{letter}{number}");
            let given = stack.parameters().iter().find(|one| one.parameter_key() == Some(&name));
            let given = given.map(|one| one.parameter_value().unwrap_or_default());
            let shown = format!("Shown{name}");
            let shown = stack.outputs().iter().find(|one| one.output_key() == Some(&shown));
            let shown = shown.map(|one| one.output_value().unwrap_or_default());
            if given != Some(text) || shown != Some(text) {
                wrong.push(format!("{name}: {text:?} is {given:?}, and {shown:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // The same strings are the same stacks, to which nothing is done.
    assert_eq!(up()["stacks"], first["stacks"]);
}
