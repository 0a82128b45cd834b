//! What the policies of `docs/` let the identity that deploys do: enough, and not more. The emulator can't show it: it
//! checks nobody for what CloudFormation makes. So they are held against what AWS publishes, and against what is asked for.

mod boundary;
mod coverage;
mod limits;

use std::path::PathBuf;

use serde_json::Value;

use crate::support::project::repository;

/// The policies of the identity that deploys.
const POLICIES: &[&str] = &["stacks", "site", "app", "data"];

/// A statement of a policy.
#[derive(Debug)]
struct Statement {
    /// The file that it is in, without its ending.
    file: &'static str,
    sid: String,
    actions: Vec<String>,
    resources: Vec<String>,
    condition: Value,
}

impl Statement {
    fn allows(&self, action: &str) -> bool {
        self.actions.iter().any(|pattern| fits(pattern, action))
    }
}

fn file_of(policy: &str) -> PathBuf {
    repository()
        .join("docs/deploying-identity")
        .join(format!("{policy}.json"))
}

fn boundary_file() -> PathBuf {
    repository().join("docs/function-boundary.json")
}

fn text_of(file: PathBuf) -> String {
    std::fs::read_to_string(file).expect("a policy")
}

/// All that the identity is allowed, in all of its policies.
fn allowed() -> Vec<Statement> {
    let of = |file: &'static str| statements(file, &text_of(file_of(file)));
    POLICIES.iter().copied().flat_map(of).collect()
}

/// A policy's statements, each of which allows something.
fn statements(file: &'static str, text: &str) -> Vec<Statement> {
    let policy: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(policy["Version"], "2012-10-17", "{file}");
    let statements = policy["Statement"].as_array().expect("statements");
    let read = |statement: &Value| {
        let known = ["Sid", "Effect", "Action", "Resource", "Condition"];
        let keys = statement.as_object().expect("a statement").keys();
        assert!(keys.clone().all(|key| known.contains(&key.as_str())), "{statement}");
        assert_eq!(statement["Effect"], "Allow", "{statement}");
        Statement {
            file,
            sid: statement["Sid"].as_str().expect("a Sid").to_owned(),
            actions: texts(&statement["Action"]),
            resources: texts(&statement["Resource"]),
            condition: statement["Condition"].clone(),
        }
    };
    statements.iter().map(read).collect()
}

/// A text, or a list of them.
fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    items
        .iter()
        .map(|item| item.as_str().expect("text").to_owned())
        .collect()
}

/// Whether a text fits a pattern of IAM's, in which `*` is any text.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let Some((beginning, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(beginning) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(end)
}

#[test]
fn patterns_are_read_as_iam_reads_them() {
    for (pattern, text, is_fitting) in [
        ("s3:GetObject", "s3:GetObject", true),
        ("s3:GetObject", "s3:GetObjectVersion", false),
        ("s3:GetBucket*", "s3:GetBucketPolicy", true),
        ("s3:Get*Configuration", "s3:GetMetricsConfiguration", true),
        ("s3:Get*Configuration", "s3:GetBucketPolicy", false),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c", false),
    ] {
        assert_eq!(fits(pattern, text), is_fitting, "{pattern} {text}");
    }
}
