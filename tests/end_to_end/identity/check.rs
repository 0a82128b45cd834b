//! `deployer policy check`: what IAM's simulator is asked, and what is made of its answers.

use std::collections::BTreeSet;

use serde_json::Value;

use super::allowed;
use crate::support::answers::Answer;
use crate::support::{Project, Proxy, Ran, Seen, answers};

pub(super) const USER: &str = "arn:aws:iam::123456789012:user/deploys";

/// A proxy that stands for AWS: who asks is `caller`, and the simulator allows all but what `is_denied`.
pub(super) fn aws(caller: &'static str, is_denied: fn(&str) -> bool) -> Proxy {
    aws_unless(|_| None, caller, is_denied)
}

/// The same, where nothing else is answered before.
fn aws_unless(answered: fn(&Seen) -> Option<Answer>, caller: &'static str, is_denied: fn(&str) -> bool) -> Proxy {
    let proxy = Proxy::before_nobody();
    proxy.rule(answered);
    proxy.rule(move |seen| match seen.operation.as_str() {
        "GetCallerIdentity" => Some(answer(
            "GetCallerIdentity",
            "https://sts.amazonaws.com/doc/2011-06-15/",
            &format!("<Arn>{caller}</Arn><UserId>AIDA</UserId><Account>123456789012</Account>"),
        )),
        "SimulatePrincipalPolicy" => {
            let results = seen.parameters("ActionNames.member.").into_iter().map(|action| {
                let decision = if is_denied(&action) { "implicitDeny" } else { "allowed" };
                format!(
                    "<member><EvalActionName>{action}</EvalActionName><EvalResourceName>*</EvalResourceName>\
                     <EvalDecision>{decision}</EvalDecision></member>"
                )
            });
            let results: String = results.collect();
            let result = format!("<IsTruncated>false</IsTruncated><EvaluationResults>{results}</EvaluationResults>");
            Some(answer("SimulatePrincipalPolicy", IAM, &result))
        }
        "GetRole" => Some(answer(
            "GetRole",
            IAM,
            "<Role><Path>/ci/</Path><RoleName>deploys</RoleName><RoleId>AROA</RoleId>\
             <Arn>arn:aws:iam::123456789012:role/ci/deploys</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></Role>",
        )),
        _ => None,
    });
    proxy
}

const IAM: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

fn answer(operation: &str, namespace: &str, result: &str) -> Answer {
    let text = format!(
        "<{operation}Response xmlns=\"{namespace}\"><{operation}Result>{result}</{operation}Result></{operation}Response>"
    );
    (200, text)
}

fn check(project: &Project, proxy: &Proxy, args: &[&str]) -> Ran {
    let all = [&["policy", "check", "--region", "eu-central-1"], args].concat();
    project.deployer(&proxy.endpoint(), &all)
}

#[test]
fn all_that_is_printed_is_asked_about_with_what_its_conditions_want() {
    let project = Project::copy();
    let proxy = aws(USER, |_| false);
    let said = check(&project, &proxy, &[]).success();
    let begins = format!("{USER} is allowed all that deploying takes");
    assert!(said.stdout.starts_with(&begins), "{}", said.stdout);
    let asked: Vec<_> = proxy
        .take()
        .into_iter()
        .filter(|seen| seen.operation == "SimulatePrincipalPolicy")
        .collect();
    for statement in allowed(&project) {
        for resource in &statement.resources {
            let of_resource = asked
                .iter()
                .filter(|seen| seen.parameter("ResourceArns.member.1").as_ref() == Some(resource));
            let same = of_resource.filter(|seen| {
                let actions: BTreeSet<String> = seen.parameters("ActionNames.member.").into_iter().collect();
                actions == statement.actions.iter().cloned().collect()
            });
            let same: Vec<_> = same.collect();
            assert!(!same.is_empty(), "{} on {resource}", statement.sid);
            for seen in same {
                assert_eq!(seen.parameter("PolicySourceArn").as_deref(), Some(USER));
                // One resource a question: of several the answer would be of all together.
                assert_eq!(seen.parameter("ResourceArns.member.2"), None);
            }
        }
    }
    let passes = asked
        .iter()
        .find(|seen| seen.parameters("ActionNames.member.") == ["iam:PassRole"])
        .expect("a question");
    for (parameter, value) in [
        ("ContextEntries.member.1.ContextKeyName", "iam:PassedToService"),
        (
            "ContextEntries.member.1.ContextKeyValues.member.1",
            "lambda.amazonaws.com",
        ),
        ("ContextEntries.member.1.ContextKeyType", "string"),
    ] {
        assert_eq!(passes.parameter(parameter).as_deref(), Some(value), "{parameter}");
    }
    proxy.assert_nothing_was_written();
}

#[test]
fn what_is_missing_is_listed_with_who_asks_for_it() {
    let project = Project::copy();
    let proxy = aws(USER, |action| matches!(action, "s3:PutObject" | "iam:PassRole"));
    let found = check(&project, &proxy, &[]).ends_with(3);
    let found = found.says(&["2 of 208 actions are missing", "deployer policy deploy"]);
    for line in [
        "s3:PutObject isn't allowed, which deployer asks for itself",
        "  on arn:aws:s3:::three-tier-prod-site-123456789012-eu-central-1/*",
        "iam:PassRole isn't allowed, which CloudFormation asks for in its name: AWS::Lambda::Function",
        "  on arn:aws:iam::123456789012:role/three-tier-prod-function-eu-central-1",
    ] {
        assert!(
            found.stdout.lines().any(|one| one == line),
            "{line} in {}",
            found.stdout
        );
    }
    let told: Value = check(&project, &proxy, &["--output", "json"]).ends_with(3).json();
    let missing = told["missing"].as_array().expect("a list");
    let actions: Vec<&str> = missing
        .iter()
        .map(|one| one["action"].as_str().expect("text"))
        .collect();
    assert_eq!(actions, ["iam:PassRole", "s3:PutObject"]);
    assert_eq!(missing[1]["askedBy"], "deployer");
    assert_eq!(missing[0]["isDenied"], false);
}

#[test]
fn a_session_is_asked_about_by_its_role_and_the_account_not_at_all() {
    let project = Project::copy();
    let proxy = aws("arn:aws:sts::123456789012:assumed-role/deploys/me", |_| false);
    check(&project, &proxy, &[]).success();
    let asked = proxy.take();
    let sources: BTreeSet<_> = asked
        .iter()
        .filter_map(|seen| seen.parameter("PolicySourceArn"))
        .collect();
    assert_eq!(
        sources,
        BTreeSet::from(["arn:aws:iam::123456789012:role/ci/deploys".to_owned()])
    );
    let proxy = aws("arn:aws:iam::123456789012:root", |_| true);
    let said = check(&project, &proxy, &[]).success();
    assert!(said.stdout.contains("is the account itself"), "{}", said.stdout);
    assert!(!proxy.has_seen("SimulatePrincipalPolicy"));
    let proxy = aws("arn:aws:sts::123456789012:federated-user/me", |_| true);
    check(&project, &proxy, &[])
        .fails_with(1)
        .says(&["knows users and roles", "federated-user/me"]);
}

#[test]
fn what_cant_be_asked_together_is_asked_one_by_one() {
    let project = Project::copy();
    let refused = |seen: &Seen| {
        let several = seen.operation == "SimulatePrincipalPolicy" && seen.parameters("ActionNames.member.").len() > 1;
        let why = "The requested actions require different authorization information.";
        several.then(|| answers::refusal(400, "InvalidInput", why))
    };
    let proxy = aws_unless(refused, USER, |action| action == "lambda:TagResource");
    let found = check(&project, &proxy, &[]).ends_with(3);
    assert!(
        found.stdout.starts_with("lambda:TagResource isn't allowed"),
        "{}",
        found.stdout
    );
}

#[test]
fn whoever_may_not_ask_is_told_who_can() {
    let refused = |seen: &Seen| {
        let asks = seen.operation == "SimulatePrincipalPolicy";
        asks.then(|| {
            answers::refusal(
                403,
                "AccessDenied",
                "not authorized to perform: iam:SimulatePrincipalPolicy",
            )
        })
    };
    let proxy = aws_unless(refused, USER, |_| false);
    check(&Project::copy(), &proxy, &[]).fails_with(1).says(&[
        "could not ask IAM's policy simulator",
        "an administrator can ask in its place",
    ]);
}
