//! What `deployer policy deploy` lets the identity that deploys do: enough, and not more. The emulator can't show all of it: it checks
//! nobody for what CloudFormation makes. So that is held against what AWS publishes, and the rest against what is asked for.

mod boundary;
mod check;
mod coverage;
mod formats;
mod limits;
mod user;

use std::path::PathBuf;

use serde_json::Value;

use crate::support::project::repository;
use crate::support::{Project, Proxy};

/// What stands for AWS where a user is to deploy; its simulator allows all but what `is_denied`.
pub(crate) fn simulator(is_denied: fn(&str) -> bool) -> Proxy {
    check::aws(check::USER, is_denied)
}

/// Where nobody is asked.
const NOWHERE: &str = "http://127.0.0.1:1";

/// For whom policies are printed here.
const ACCOUNT: &[&str] = &["--account", "123456789012", "--region", "eu-central-1"];

/// A statement of a policy.
#[derive(Debug)]
struct Statement {
    sid: String,
    actions: Vec<String>,
    resources: Vec<String>,
    condition: Value,
    /// Whether it is for what the deployer itself asks for.
    is_own: bool,
    /// The types of resources that CloudFormation asks for it for.
    types: Vec<String>,
}

impl Statement {
    fn allows(&self, action: &str) -> bool {
        self.actions.iter().any(|pattern| fits(pattern, action))
    }
}

/// What is printed for a project's stage.
fn printed(project: &Project, args: &[&str]) -> Value {
    let all = [&["policy", "deploy", "--output", "json"], ACCOUNT, args].concat();
    project.deployer(NOWHERE, &all).success().json()
}

/// All that the identity is allowed, in all of its policies.
fn allowed(project: &Project) -> Vec<Statement> {
    let printed = printed(project, &[]);
    let policies = printed["policies"].as_array().expect("policies");
    let theirs = policies.iter().filter(|policy| policy["isBoundary"] == false);
    theirs.flat_map(statements).collect()
}

/// What functions are allowed at most.
fn bounded(project: &Project) -> Vec<Statement> {
    let printed = printed(project, &[]);
    let policies = printed["policies"].as_array().expect("policies");
    let boundary = policies.iter().find(|policy| policy["isBoundary"] == true);
    statements(boundary.expect("a boundary"))
}

/// A policy's statements, each of which allows something.
fn statements(policy: &Value) -> Vec<Statement> {
    let document = &policy["document"];
    assert_eq!(document["Version"], "2012-10-17");
    let statements = document["Statement"].as_array().expect("statements");
    let reasons = policy["statements"].as_array().expect("reasons");
    assert_eq!(statements.len(), reasons.len());
    let read = |(statement, reason): (&Value, &Value)| {
        let known = ["Sid", "Effect", "Action", "Resource", "Condition"];
        let keys = statement.as_object().expect("a statement").keys();
        assert!(keys.clone().all(|key| known.contains(&key.as_str())), "{statement}");
        assert_eq!(statement["Effect"], "Allow", "{statement}");
        assert_eq!(statement["Sid"], reason["sid"], "{statement}");
        Statement {
            sid: statement["Sid"].as_str().expect("a Sid").to_owned(),
            actions: texts(&statement["Action"]),
            resources: texts(&statement["Resource"]),
            condition: statement["Condition"].clone(),
            is_own: reason["askedBy"] == "deployer",
            types: texts(&reason["types"]),
        }
    };
    statements.iter().zip(reasons).map(read).collect()
}

/// A text, or a list of them.
fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    items
        .iter()
        .map(|item| item.as_str().expect("text").to_owned())
        .collect()
}

/// Where the policies of this repository's project are kept, for readers.
fn folder() -> PathBuf {
    repository().join("docs/deploying-identity")
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
