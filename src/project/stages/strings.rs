//! Any string that is written as a parameter is that string, in whatever style of YAML or JSON it is written.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::Value;

use super::*;
use crate::project::template::Template;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 400,
        rng_seed: RngSeed::Fixed(5),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The value of the parameter in a file that has it written so, the placeholders of the settings taken out. A template that
/// has the same written is to have the same text, but for these.
fn read(written: &str) -> String {
    let entries = format!("      A: {written}\n      B: behind it\n");
    let text = parameter(&format!("project: shop\nstages:\n  dev:\n    parameters:\n{entries}"));
    // These end a line to YAML 1.1, and are refused as long as they aren't escaped.
    if !written.contains(['\u{85}', '\u{2028}', '\u{2029}']) {
        let template = format!("Metadata:\n  A:\n    B:\n{entries}Resources:\n  A: {{ Type: \"Custom::A\" }}\n");
        let (template, _) =
            Template::parse(&template, Path::new("a.yaml")).unwrap_or_else(|error| panic!("{template}\n{error}"));
        assert_eq!(template.as_value()["Metadata"]["A"]["B"]["A"], literal(&text));
    }
    text
}

fn parameter(text: &str) -> String {
    let stages = Stages::parse(text, Path::new("stages.yaml")).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let stage = stages
        .stage_with("dev", &|_| None)
        .unwrap_or_else(|error| panic!("{text}\n{error}"));
    stage.parameters["A"].clone()
}

/// What begins no placeholder.
fn literal(text: &str) -> String {
    text.replace("${", "$${")
}

/// Whether YAML has the character without an escape (YAML 1.2.2, 5.1).
fn is_printable(c: char) -> bool {
    matches!(c, '\t' | '\n' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        && c != '\u{feff}'
}

/// In double quotes; `escapes` says for each character whether one is used that needn't be.
fn double_quoted(text: &str, escapes: &[bool]) -> String {
    let mut written = "\"".to_owned();
    for (c, more) in text
        .chars()
        .zip(escapes.iter().copied().chain(std::iter::repeat(false)))
    {
        let number = u32::from(c);
        match c {
            '"' | '\\' => written.extend(['\\', c]),
            '\n' => written.push_str("\\n"),
            '\t' => written.push_str("\\t"),
            '\u{85}' => written.push_str("\\N"),
            '\u{2028}' => written.push_str("\\L"),
            '\u{2029}' => written.push_str("\\P"),
            '\u{a0}' if more => written.push_str("\\_"),
            '\0' => written.push_str("\\0"),
            c if is_printable(c) && !more => written.push(c),
            _ if number < 0x100 => written.push_str(&format!("\\x{number:02x}")),
            _ if number < 0x10000 => written.push_str(&format!("\\u{number:04X}")),
            _ => written.push_str(&format!("\\U{number:08x}")),
        }
    }
    written + "\""
}

/// In a block of its own, if YAML has the text so.
fn block(text: &str) -> Option<String> {
    if !text.chars().all(is_printable) {
        return None;
    }
    let body = text.trim_end_matches('\n');
    let ends = text.len() - body.len();
    // Nothing but ends of lines is what chomping is about.
    let chomping = match (body, ends) {
        ("", 0) => return Some("|-".to_owned()),
        (_, 0) => "-",
        ("", _) => "+",
        (_, 1) => "",
        _ => "+",
    };
    let lines: String = text.split('\n').map(|line| format!("\n        {line}")).collect();
    let lines = if ends > 0 {
        lines.trim_end_matches(' ').trim_end_matches('\n').to_owned()
    } else {
        lines
    };
    Some(format!("|2{chomping}{lines}"))
}

fn any_text() -> impl Strategy<Value = String> {
    // What means something to YAML, to JSON, to the settings or to nobody.
    let parts = prop::sample::select(vec![
        "\n",
        "\n\n",
        " ",
        "  ",
        "\t",
        "\r",
        "\r\n",
        ":",
        ": ",
        "#",
        " #",
        "-",
        "- ",
        "'",
        "\"",
        "\\",
        "|",
        ">",
        "%",
        "@",
        "`",
        "!",
        "&",
        "*",
        "?",
        ",",
        "[",
        "]",
        "{",
        "}",
        "$",
        "${",
        "}",
        "${stage}",
        "${env:A}",
        "$${",
        "~",
        "null",
        "yes",
        "no",
        "0755",
        "1e3",
        "1.10",
        "012345678901",
        "=",
        "<<",
        "---",
        "...",
        "\0",
        "\u{7f}",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{2029}",
        "\u{feff}",
        "\u{fffd}",
        "\u{fffe}",
        "é",
        "e\u{301}",
        "ß",
        "日本",
        "🎉",
        "👩\u{200d}👩",
        "\u{202e}",
        "a",
        "b c",
    ]);
    prop_oneof![
        any::<String>(),
        prop::collection::vec(parts, 0..8).prop_map(|parts| parts.concat())
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn in_double_quotes_with_any_escapes(text in any_text(), escapes in prop::collection::vec(any::<bool>(), 0..40)) {
        prop_assert_eq!(read(&double_quoted(&literal(&text), &escapes)), text);
    }

    #[test]
    fn in_single_quotes(text in any_text()) {
        let text: String = text.chars().filter(|c| is_printable(*c) && *c != '\n').collect();
        prop_assert_eq!(read(&format!("'{}'", literal(&text).replace('\'', "''"))), text);
    }

    #[test]
    fn in_a_block(text in any_text()) {
        let text: String = text.chars().filter(|c| is_printable(*c)).collect();
        let written = block(&literal(&text)).expect("printable");
        prop_assert_eq!(read(&written), text);
    }

    #[test]
    fn in_json(text in any_text()) {
        let string = Value::from(literal(&text)).to_string();
        let escaped = string.chars().map(|c| match c {
            ' '..='~' => c.to_string(),
            // As programs write what isn't ASCII: in two halves, where it takes them.
            c => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        }).collect::<String>();
        for string in [string, escaped] {
            let file = format!("{{\"project\": \"shop\", \"stages\": {{\"dev\": {{\"parameters\": {{\"A\": {string}}}}}}}}}");
            prop_assert_eq!(parameter(&file), text.as_str());
        }
    }

    #[test]
    fn from_the_environment(text in any_text()) {
        let file = "project: shop\nstages: { dev: { parameters: { A: '${env:X}' , B: '<${env:X}>' } } }\n";
        let stages = Stages::parse(file, Path::new("stages.yaml")).expect("settings");
        let stage = stages.stage_with("dev", &|_| Some(OsString::from(&text))).expect("a stage");
        prop_assert_eq!(&stage.parameters["A"], &text);
        prop_assert_eq!(&stage.parameters["B"], &format!("<{text}>"));
    }
}

/// What people write without quotes is its text as well, whatever it would be to YAML.
#[test]
fn plain_text_is_taken_as_it_is_written() {
    for text in [
        "yes",
        "0755",
        "1e3",
        "1.10",
        "012345678901",
        "0x1F",
        "1_000",
        "22:22",
        "2024-01-01",
        "-.5",
        ".inf",
        "=",
        "http://x/y?z#w",
    ] {
        let file = format!("project: shop\nstages: {{ dev: {{ parameters: {{ A: {text} , B: behind it }} }} }}\n");
        assert_eq!(parameter(&file), text);
    }
}
