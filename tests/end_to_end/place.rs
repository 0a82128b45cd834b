//! Where a stage may be: an account that isn't the stage's, or a partition that lacks what the app needs, is refused by who
//! the caller is, before anything else is asked.

use crate::support::answers::Answer;
use crate::support::{Checked, Project, Proxy};

/// What STS says of a caller with this ARN.
fn caller(arn: &str) -> Answer {
    let account = arn.split(':').nth(4).expect("an account");
    let said = format!("<Arn>{arn}</Arn><UserId>AIDA</UserId><Account>{account}</Account>");
    let result = format!("<GetCallerIdentityResult>{said}</GetCallerIdentityResult>");
    let answer = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">{result}</GetCallerIdentityResponse>"
    );
    (200, answer)
}

const COMMANDS: &[&[&str]] = &[
    &["up", "--yes"],
    &["down", "--yes"],
    &["seed"],
    &["status"],
    &["verify"],
];

/// A command of a caller who is told to be this; only that may have been asked.
fn refused(project: &Project, arn: &'static str, command: &[&str]) -> Checked {
    let proxy = Proxy::before_nobody();
    proxy.rule(move |seen| (seen.operation == "GetCallerIdentity").then(|| caller(arn)));
    let command = [command, &["--output", "json"]].concat();
    let refused = project.deployer(&proxy.endpoint(), &command).fails_with(2);
    let asked: Vec<String> = proxy.take().into_iter().map(|seen| seen.operation).collect();
    assert_eq!(asked, ["GetCallerIdentity"], "{refused}");
    refused
}

/// The error that a command with `--output json` ended with.
fn error(ran: &Checked) -> serde_json::Value {
    let mut lines = ran.stderr.lines().filter_map(|line| serde_json::from_str(line).ok());
    lines
        .rfind(|line: &serde_json::Value| line["event"] == "error")
        .unwrap_or_else(|| panic!("no error:\n{ran}"))
}

#[test]
fn credentials_of_another_account_are_refused_before_anything_is_asked() {
    let project = Project::copy();
    project.edit(
        "stacks/stages.yaml",
        "  fingerprints: true",
        "  account: \"111111111111\"\n  fingerprints: true",
    );
    for command in COMMANDS {
        let refused = refused(&project, "arn:aws:iam::222222222222:user/x", command);
        let error = error(&refused);
        assert_eq!(error["code"], "wrong-account", "{refused}");
        let message = error["message"].to_string();
        for account in ["111111111111", "222222222222"] {
            assert!(message.contains(account), "{refused}");
        }
    }
}

#[test]
fn a_partition_without_the_sites_types_is_refused_before_anything_is_asked() {
    let project = Project::copy();
    for (arn, lacks) in [
        (
            "arn:aws-us-gov:iam::222222222222:user/x",
            "AWS GovCloud (US) has no AWS::CloudFront::",
        ),
        (
            "arn:aws-cn:iam::222222222222:user/x",
            "AWS China has no AWS::CloudFront::OriginAccessControl",
        ),
    ] {
        for command in COMMANDS {
            let refused = refused(&project, arn, command);
            let error = error(&refused);
            let message = error["message"].as_str().unwrap_or_default();
            assert!(
                message.contains(lacks) && message.contains("presentation.yaml"),
                "{refused}"
            );
        }
    }
}
