//! A document as YAML: blocks, one value a line. A crate for it won't do: with exact numbers (`arbitrary_precision`) those that
//! write by serde get a map for each number.

use serde_json::Value;

/// The document, as YAML of 1.2 that readers of 1.1 take for the same.
pub(crate) fn written(document: &Value) -> String {
    let mut text = String::new();
    match document {
        Value::Object(map) if !map.is_empty() => block(document, 0, &mut text),
        Value::Array(items) if !items.is_empty() => block(document, 0, &mut text),
        scalar => {
            text.push_str(&flow(scalar));
            text.push('\n');
        }
    }
    text
}

fn block(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                text.push_str(&"  ".repeat(depth));
                text.push_str(&scalar(key));
                text.push(':');
                below(inner, depth + 1, text);
            }
        }
        Value::Array(items) => {
            for item in items {
                text.push_str(&"  ".repeat(depth));
                text.push('-');
                match item {
                    // The first of its lines stands behind the dash.
                    Value::Object(map) if !map.is_empty() => {
                        let mut inner = String::new();
                        block(item, depth + 1, &mut inner);
                        text.push(' ');
                        text.push_str(inner.trim_start_matches(' '));
                    }
                    other => below(other, depth + 1, text),
                }
            }
        }
        _ => {}
    }
}

fn below(value: &Value, depth: usize, text: &mut String) {
    let is_block = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_block {
        text.push('\n');
        block(value, depth, text);
    } else {
        text.push(' ');
        text.push_str(&flow(value));
        text.push('\n');
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        // What is left is written as in JSON: numbers, `true`, `null`, `{}` and `[]`.
        other => other.to_string(),
    }
}

/// A text: plain only where no reader can take it for anything else, and in JSON's quotes otherwise, which are YAML's, too.
fn scalar(text: &str) -> String {
    const WORDS: &[&str] = &["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/_-. (),;'{}".contains(c))
        && !text.ends_with(' ')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // Control characters, and what some readers take for the end of a line or refuse.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::project::template::Template;

    #[test]
    fn maps_and_lists_are_blocks_and_text_is_text() {
        let document = json!({
            "openapi": "3.0.3", "a b": { "200": [], "x": {}, "on": [1.5, "1.50", [true, ["no"]], { "c": null, "d": [{ "e": "f: g" }] }] },
            "/{id}": "it's plain; (really), {yes}", "quoted": "a\n\"ü\"\u{7}\u{1f600} # b", "": " ",
        });
        let expected = "openapi: \"3.0.3\"\na b:\n  \"200\": []\n  x: {}\n  \"on\":\n    - 1.5\n    - \"1.50\"\n    -\n      - true\n      \
                        -\n        - \"no\"\n    - c: null\n      d:\n        - e: \"f: g\"\n/{id}: it's plain; (really), {yes}\nquoted: \
                        \"a\\n\\\"ü\\\"\\u0007\u{1f600} # b\"\n\"\": \" \"\n";
        assert_eq!(written(&document), expected);
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let document = json!({ "Resources": { "R": { "Type": "T", "yes": "y", "n": ["0755", "1:30", "2020-01-01", "~", "-", "a:", "#"] } } });
        let (template, _) = Template::parse(&written(&document), Path::new("a.yaml")).expect("YAML");
        assert_eq!(template.as_value(), document);
    }
}
