//! Templates, and YAML's oddities, read by us and by the tools that people have for CloudFormation: the same values, or
//! refused by us with a line. Nothing may silently be another value than what it was elsewhere.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Number, Value, json};

use super::read::{self, Reading};
use crate::error::Result;
use crate::project::source;

/// Oddities that the others refuse and we take: none has two meanings, and why others refuse them.
const TAKEN_BY_US_ALONE: &[(&str, &str)] = &[
    (
        "alias-name-with-a-colon",
        "YAML 1.1 has no colons in names of anchors; 1.2 does",
    ),
    (
        "alias-of-an-anchor-that-comes-twice",
        "PyYAML wants a name once; the specifications say that the last is meant",
    ),
    ("date-that-is-none", "the CLI counts days; CloudFormation is sent text"),
    (
        "directive-yaml-2.0",
        "there is no such version, so that nothing in it can mean something else",
    ),
    (
        "plain-colon-begins-in-flow",
        "PyYAML has no text in brackets that begins with a colon",
    ),
    ("plain-question-in-flow", "PyYAML has no question mark in brackets"),
    ("plain-too-long-a-name-in-flow", "a limit for parsers that look ahead"),
    (
        "tab-before-a-name",
        "PyYAML has tabs neither before nor behind a plain text, which YAML 1.2 has (6.1, 6.2)",
    ),
    ("tab-before-a-remark", "the same"),
    ("tab-behind-a-value", "the same"),
    ("tab-in-text", "the same"),
    ("tab-line-alone", "the same"),
];

/// What another tool makes of a text.
#[derive(Debug)]
struct Other {
    who: &'static str,
    /// None if it refuses the text.
    value: Option<Value>,
}

/// What the others make of files and texts, in the order of both.
fn others(files: &[PathBuf], texts: &[String]) -> (Vec<[Other; 2]>, Vec<[Other; 2]>) {
    let python = test_support::tools::aws().with_file_name("python");
    let mut child = Command::new(python)
        .args(["-I", "tests/corpus/readers.py"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let asked = json!({ "files": files, "texts": texts }).to_string();
    let mut input = child.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || input.write_all(asked.as_bytes()));
    let output = child.wait_with_output().expect("an answer");
    writer.join().expect("written").expect("written");
    assert!(output.status.success(), "the readers fail");
    let answers: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let of = |section: &str| {
        let answers = answers[section].as_array().expect("a list").iter();
        answers
            .map(|answer| {
                ["cli", "flip"].map(|who| Other {
                    who,
                    value: answer[who].get("value").cloned(),
                })
            })
            .collect()
    };
    (of("files"), of("texts"))
}

fn corpus(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(Path::new("tests/corpus").join(folder)).expect("the corpus");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}

fn ours(file: &Path) -> Result<Value> {
    Ok(read::read(&source::read(file)?, file, Reading::Written)?.0)
}

/// Whether both are the same value. What is a time to another reader is text to us, and to CloudFormation.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => same_number(ours, theirs),
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::String(_), Value::Object(theirs)) if theirs.contains_key("\0date") => true,
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .all(|(name, ours)| theirs.get(name).is_some_and(|theirs| same(ours, theirs)))
        }
        (ours, theirs) => ours == theirs,
    }
}

/// Whole numbers by all of their digits, others as precisely as the others hold them.
fn same_number(ours: &Number, theirs: &Number) -> bool {
    let (ours, theirs) = (ours.to_string(), theirs.to_string());
    let is_whole = |text: &str| !text.contains(['.', 'e', 'E']);
    match (is_whole(&ours), is_whole(&theirs)) {
        (true, true) => ours.trim_start_matches('-') == "0" && theirs == "0" || ours == theirs,
        (false, false) => ours.parse::<f64>().ok() == theirs.parse::<f64>().ok(),
        _ => false,
    }
}

/// What became of one text: `taken`, or the words of the refusal.
fn judged(name: &str, ours: &Result<Value>, others: &[Other; 2], wrong: &mut Vec<String>) -> String {
    let is_listed = TAKEN_BY_US_ALONE.iter().any(|(one, _)| *one == name);
    let value = match ours {
        Ok(value) => value,
        Err(error) => return format!("refused: {error}"),
    };
    for other in others {
        match &other.value {
            None if !is_listed => wrong.push(format!("{name}: {} refuses it, ours is {value}", other.who)),
            Some(theirs) if !same(value, theirs) => {
                wrong.push(format!("{name}: {} has {theirs}, ours is {value}", other.who));
            }
            _ => {}
        }
    }
    match others {
        [Other { value: None, .. }, Other { value: None, .. }] => format!("taken by us alone: {value}"),
        _ => "taken".to_owned(),
    }
}

#[test]
fn templates_are_read_as_the_tools_of_cloudformation_read_them() {
    let files = corpus("templates");
    assert!(files.len() >= 100, "{}", files.len());
    let mut wrong = Vec::new();
    for (file, others) in files.iter().zip(others(&files, &[]).0) {
        let name = file.display().to_string();
        let judgement = judged(&name, &ours(file), &others, &mut wrong);
        // They are all good templates: none is to be refused, neither here nor as a whole.
        if judgement != "taken" {
            wrong.push(format!("{name}: {judgement}"));
        }
        let text = source::read(file).expect("text");
        if let Err(error) = super::Template::parse(&text, file) {
            wrong.push(error.to_string());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What becomes of each stands in `tests/corpus/yaml.snap`: `INSTA_UPDATE=always cargo test --lib oddities` writes it
/// anew.
#[test]
fn oddities_are_the_same_to_all_or_are_refused_with_a_line() {
    let files = corpus("yaml");
    assert!(files.len() >= 100, "{}", files.len());
    let mut wrong = Vec::new();
    let mut shown = String::new();
    let others = others(&files, &[]).0;
    for (file, others) in files.iter().zip(&others) {
        let name = file.file_stem().and_then(|name| name.to_str()).expect("a name");
        let ours = ours(file);
        if let Err(error) = &ours {
            let start = format!("{}:", file.display());
            let line = error
                .to_string()
                .strip_prefix(&start)
                .map(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            let is_whole = error.to_string() == format!("{} is UTF-16", file.display());
            if line != Some(true) && !is_whole {
                wrong.push(format!("{name}: no line: {error}"));
            }
        }
        let judgement = judged(name, &ours, others, &mut wrong).replace(&format!("{}:", file.display()), "");
        writeln!(shown, "{name}: {judgement}").expect("a text");
    }
    for (name, _) in TAKEN_BY_US_ALONE {
        let file = Path::new("tests/corpus/yaml").join(format!("{name}.yaml"));
        let is_alone = files
            .iter()
            .position(|one| *one == file)
            .is_some_and(|n| ours(&file).is_ok() && others[n].iter().any(|other| other.value.is_none()));
        assert!(is_alone, "{name} is no such case: take it out of the list");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    insta::with_settings!({ snapshot_path => "../../../tests/corpus", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("yaml", shown);
    });
}

/// Of what numbers, times and words are made of, by chance but the same each time.
#[test]
fn any_scalar_is_the_same_to_all_or_is_refused() {
    const PARTS: &[&str] = &[
        "0",
        "1",
        "7",
        "8",
        "9",
        "12",
        "59",
        "60",
        "00",
        "5",
        "_",
        "-",
        "+",
        ".",
        "e",
        "E",
        "x",
        "o",
        "b",
        ":",
        "f",
        "y",
        "n",
        "inf",
        ".inf",
        ".nan",
        "~",
        "null",
        "yes",
        "Off",
        "T",
        "Z",
        "2024-01-02",
        "=",
        "<<",
        " ",
        "1.5",
        "e+",
        "0x",
        "0b",
        "0o",
        "#",
        "'",
    ];
    let mut random = fastrand::Rng::with_seed(11);
    let texts: Vec<String> = (0..6000)
        .map(|n| {
            let scalar: String = (0..random.usize(1..=6))
                .filter_map(|_| random.choice(PARTS))
                .copied()
                .collect();
            match n % 3 {
                0 => format!("{scalar}: a\n"),
                1 => format!("a: [{scalar}, b]\n"),
                _ => format!("a: {scalar}\n"),
            }
        })
        .collect();
    let mut wrong = Vec::new();
    let mut taken = 0;
    for (text, others) in texts.iter().zip(others(&[], &texts).1) {
        // In brackets a colon can't begin a text to PyYAML, and needs no quotes to YAML 1.2: nobody takes it for another.
        if text.trim_start_matches("a: [").trim_start().starts_with(':') || text.contains('?') {
            continue;
        }
        let ours = read::read(text, Path::new("a.yaml"), Reading::Written).map(|(value, _)| value);
        taken += usize::from(judged(&format!("{text:?}"), &ours, &others, &mut wrong) == "taken");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Refusing everything would be no reader.
    assert!(taken > texts.len() / 3, "{taken} of {}", texts.len());
}

/// Lines as people indent, fold, quote and forget to end them, by chance but the same each time.
#[test]
fn lines_in_any_order_are_the_same_to_all_that_take_them() {
    const PARTS: &[&str] = &[
        "a: b",
        "b: |",
        "c: >",
        "d: |-",
        "e: >+",
        "f: |2",
        "- x",
        "- y: z",
        "g:",
        "text",
        "more: \"quoted",
        "end\"",
        "'it''s'",
        "# remark",
        "h: [1,",
        "2]",
        "i: {j: k}",
        "---",
        "...",
        "l: &m n",
        "o: *m",
        "\t",
        "\ttab",
        "p: !Sub q",
        "? r",
        ": s",
        "",
        "",
        "t: \"\\",
        "u #v",
        "1",
    ];
    let mut random = fastrand::Rng::with_seed(7);
    let texts: Vec<String> = (0..6000)
        .map(|_| {
            let lines = random.usize(1..=6);
            let end = random.choice(["\n", "\n", "\r\n", "\r"]).unwrap_or("\n");
            let mut text: Vec<String> = Vec::new();
            for _ in 0..lines {
                let part = random.choice(PARTS).copied().unwrap_or_default();
                text.push(format!(
                    "{}{part}{}",
                    " ".repeat(random.usize(0..=4)),
                    " ".repeat(random.usize(0..=4) / 3)
                ));
            }
            text.join(end) + if random.bool() { end } else { "" }
        })
        .collect();
    let mut wrong = Vec::new();
    let mut taken = 0;
    for (text, others) in texts.iter().zip(others(&[], &texts).1) {
        let Ok((value, _)) = read::read(text, Path::new("a.yaml"), Reading::Written) else {
            continue;
        };
        for theirs in others.iter().filter_map(|other| other.value.as_ref()) {
            taken += 1;
            if !same(&value, theirs) {
                wrong.push(format!("{text:?}: {theirs}, ours is {value}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {taken}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(taken > 1000, "{taken}");
}
