//! `docs/yaml.md`: what it says of values is what the readers do.

use std::path::Path;

use serde_json::Value;

use super::seed::{self, Attribute, KeyAttribute, KeyKind, SeedTable};
use super::stages::Stages;
use super::template::Template;
use crate::error::Result;

fn page() -> String {
    std::fs::read_to_string("docs/yaml.md").expect("the page")
}

/// The rows of the page's table that has this in its head, cell by cell.
fn rows(head: &str) -> Vec<Vec<String>> {
    let page = page();
    let lines = page
        .lines()
        .skip_while(|line| !(line.starts_with("| written |") && line.contains(head)))
        .skip(2);
    let cells = |line: &str| {
        line.trim_matches('|')
            .split(" | ")
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let rows: Vec<Vec<String>> = lines.take_while(|line| line.starts_with('|')).map(cells).collect();
    assert!(!rows.is_empty(), "no table with {head}");
    rows
}

fn template(text: &str) -> Result<(Template, Vec<String>)> {
    Template::parse(
        &format!("Resources:\n  A:\n    Type: A\n    Properties:\n{text}"),
        Path::new("stacks/a.yaml"),
    )
}

fn seed(text: &str) -> Result<seed::Seeds> {
    let tables = [SeedTable {
        stack: "data".to_owned(),
        logical_id: "Table".to_owned(),
        keys: vec![KeyAttribute {
            name: "id".to_owned(),
            kind: KeyKind::Text,
        }],
    }];
    seed::parse(text, Path::new("stacks/seed.yaml"), &tables, None)
}

fn parameter(text: &str) -> Result<Option<String>> {
    let text = format!("project: shop\nstages:\n  dev:\n    parameters:\n      {text}\n");
    let stage = Stages::parse(&text, Path::new("stacks/stages.yaml"))?.stage("dev")?;
    Ok(stage.parameters.get("X").cloned())
}

/// What a value is called on the page; of a text whether it is the one that is written, too.
fn in_a_template(written: &str) -> &'static str {
    let Ok((template, _)) = template(&format!("      X: {written}\n")) else {
        return "refused";
    };
    match &template.resource("A").expect("there")["Properties"]["X"] {
        Value::Bool(_) => "flag",
        Value::Number(_) => "number",
        Value::String(text) if *text == plain(written) => "text",
        other => panic!("{written}: {other}"),
    }
}

fn in_seed(written: &str) -> &'static str {
    let Ok(seeds) = seed(&format!("- id: a\n  X: {written}\n")) else {
        return "refused";
    };
    match &seeds.tables[0].1[0].attributes["X"] {
        Attribute::Flag(_) => "flag",
        Attribute::Number(_) => "number",
        Attribute::Null => "null",
        Attribute::Binary(_) => "bytes",
        Attribute::Text(text) if *text == plain(written) => "text",
        other => panic!("{written}: {other:?}"),
    }
}

fn as_a_parameter(written: &str) -> &'static str {
    match parameter(&format!("X: {written}")) {
        Ok(Some(text)) if text == plain(written) => "text",
        Ok(Some(other)) => panic!("{written}: {other}"),
        Ok(None) => "nothing",
        Err(_) => "refused",
    }
}

/// Without quotes and tag.
fn plain(written: &str) -> &str {
    written
        .trim_start_matches("!!str ")
        .trim_start_matches("!!int ")
        .trim_matches('"')
}

#[test]
fn values_are_read_as_the_page_says() {
    let rows = rows("in `seed.yaml`");
    assert!(rows.len() > 25);
    for row in rows {
        let [written, template, seed, parameter] = row.as_slice() else {
            panic!("{row:?}")
        };
        let written = written.trim_matches('`');
        assert_eq!(
            [in_a_template(written), in_seed(written), as_a_parameter(written)],
            [template.as_str(), seed, parameter],
            "{written}"
        );
    }
}

#[test]
fn aliases_and_merge_keys_are_read_as_the_page_says() {
    let [alias, merge] = rows("in the other files").try_into().expect("two rows");
    assert_eq!(
        alias[..2].join(" "),
        "`*name` taken, with a warning: CloudFormation itself takes none"
    );
    assert_eq!(merge[1], "refused");
    let of_template = |line: &str| template(&format!("      A: &name {{ a: b }}\n      {line}\n"));
    let (_, warnings) = of_template("B: *name").expect("taken");
    assert!(
        warnings[0].contains("CloudFormation itself takes no aliases"),
        "{warnings:?}"
    );
    let error = of_template("<<: *name").expect_err("refused").to_string();
    assert!(error.starts_with("stacks/a.yaml:6:7: "), "{error}");
    let seeds =
        seed("- &name { id: a, x: y }\n- { <<: *name, id: b }\n- { id: c, l: [*name, *name] }\n").expect("taken");
    assert_eq!(seeds.tables[0].1.len(), 3);
    assert_eq!(seeds.tables[0].1[1].attributes["x"], Attribute::Text("y".to_owned()));
    assert_eq!(
        parameter("Y: &name z\n      X: *name").expect("taken").as_deref(),
        Some("z")
    );
}

#[test]
fn files_are_what_the_page_says() {
    let refused = |text: &str| {
        super::yaml::read(text, Path::new("a.yaml"))
            .expect_err(text)
            .to_string()
    };
    assert!(refused("a: \u{7}\n").starts_with("a.yaml:1:4: "));
    assert!(refused("a: b\n---\nc: d\n").starts_with("a.yaml:2:1: "));
    assert!(refused("a: b\na: c\n").starts_with("a.yaml:2:1: "));
    assert!(refused(&format!("{}{}", "[".repeat(129), "]".repeat(129))).contains("128"));
    assert!(super::yaml::read(&format!("{}{}", "[".repeat(128), "]".repeat(128)), Path::new("a.yaml")).is_ok());
    assert_eq!(parameter("X: \"\\u0007\"").expect("taken").as_deref(), Some("\u{7}"));
    assert_eq!(parameter("X: \"\\U0001F600\"").expect("taken").as_deref(), Some("😀"));
    assert!(parameter("X: \"\\ud83d\\ude00\"").is_err());
    let json = super::json::read("\"\\ud83d\\ude00\"", Path::new("a.json"), 1).expect("JSON");
    assert_eq!(json.text(), Some("😀"));
}

#[test]
fn functions_and_names_are_what_the_page_says() {
    let property = |written: &str| {
        template(&format!("      {written}\n"))
            .map(|(template, _)| template.resource("A").expect("there")["Properties"].to_string())
    };
    assert_eq!(property("X: !Sub 0755").expect("taken"), r#"{"X":{"Fn::Sub":"0755"}}"#);
    assert_eq!(
        property("X: !GetAtt a.b").expect("taken"),
        r#"{"X":{"Fn::GetAtt":["a","b"]}}"#
    );
    assert_eq!(property("X: !Ref x").expect("taken"), r#"{"X":{"Ref":"x"}}"#);
    let error = property("X: !sub a").expect_err("refused");
    assert!(error.next_step().is_some_and(|step| step.contains("`!Sub`")));
    let error = property("on: x").expect_err("refused").to_string();
    assert!(
        error.starts_with("stacks/a.yaml:5:7: the name `on` is `true`"),
        "{error}"
    );
    assert_eq!(property("\"on\": x").expect("taken"), r#"{"on":"x"}"#);
    assert_eq!(property("X: a\t# remark").expect("taken"), r#"{"X":"a"}"#);
    assert_eq!(property("X: [a?b]").expect("taken"), r#"{"X":["a?b"]}"#);
    let digits = "12345678901234567890123456789012345678";
    assert_eq!(
        property(&format!("X: {digits}")).expect("taken"),
        format!("{{\"X\":{digits}}}")
    );
    assert_eq!(property("X: 1.10").expect("taken"), r#"{"X":1.10}"#);
}
