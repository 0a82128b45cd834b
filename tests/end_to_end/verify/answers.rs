//! What the emulator never says: as AWS shapes it.

use std::collections::BTreeSet;

use serde_json::json;

use super::{FUNCTION, STAGE, Stage, checks, names};
use crate::support::{Deployer, Emulator, Project, Proxy, answers};

#[test]
fn who_may_not_simulate_gets_not_proven() {
    let stage = Stage::deployed();
    let proxy = Proxy::before(stage.emulator.port());
    proxy.rule(|seen| {
        (seen.operation == "SimulatePrincipalPolicy").then(|| {
            answers::refusal(
                403,
                "AccessDenied",
                "not authorized to perform: iam:SimulatePrincipalPolicy",
            )
        })
    });
    let ran = stage.verify_at(&proxy.endpoint(), &["--only", "permissions"]).success();
    let checks = checks(&ran);
    assert_eq!(
        names(&checks, "notProven"),
        BTreeSet::from(["role-simulated logic.FunctionRole".to_owned()])
    );
    assert_eq!(ran.json()["verified"], true);
    assert!(checks.iter().any(|check| {
        check["evidence"]
            .as_str()
            .is_some_and(|e| e.contains("iam:SimulatePrincipalPolicy"))
    }));
}

#[test]
fn the_simulators_answer_is_read_as_aws_shapes_it() {
    let stage = Stage::deployed();
    let proxy = Proxy::before(stage.emulator.port());
    // One result an action; the decision for the resource is in the specific results, and the top is the strictest.
    let result = |action: &str, top: &str, resource: &str, specific: &str| {
        format!(
            "<member><EvalActionName>{action}</EvalActionName><EvalResourceName>arn:aws:dynamodb:*:*:table/*</EvalResourceName>\
             <EvalDecision>{top}</EvalDecision><ResourceSpecificResults><member><EvalResourceName>{resource}</EvalResourceName>\
             <EvalResourceDecision>{specific}</EvalResourceDecision></member></ResourceSpecificResults></member>"
        )
    };
    let seen_resources = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let note = std::sync::Arc::clone(&seen_resources);
    proxy.rule(move |seen| {
        if seen.operation != "SimulatePrincipalPolicy" {
            return None;
        }
        let resource = seen.parameter("ResourceArns.member.1").expect("a resource");
        assert_eq!(seen.parameter("ResourceArns.member.2"), None, "one resource a call");
        note.lock().expect("unpoisoned").push(resource.clone());
        let mut results = String::new();
        for number in 1.. {
            let Some(action) = seen.parameter(&format!("ActionNames.member.{number}")) else {
                break;
            };
            let allowed = match action.split_once(':') {
                Some(("dynamodb", action)) => action == "GetItem" && resource.ends_with("/UserData-dev"),
                Some(("logs", action)) => {
                    let is_own = resource.contains(":log-group:/aws/lambda/retrieve-user-data-dev:");
                    is_own && ["CreateLogStream", "PutLogEvents"].contains(&action)
                }
                _ => false,
            };
            let decision = if allowed { "allowed" } else { "implicitDeny" };
            results.push_str(&result(&action, "implicitDeny", &resource, decision));
        }
        Some((
            200,
            format!(
                "<SimulatePrincipalPolicyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
                 <SimulatePrincipalPolicyResult><EvaluationResults>{results}</EvaluationResults>\
                 <IsTruncated>false</IsTruncated></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
            ),
        ))
    });
    let ran = stage.verify_at(&proxy.endpoint(), &["--only", "permissions"]).success();
    assert_eq!(names(&checks(&ran), "passed").len(), 3);
    let resources = seen_resources.lock().expect("unpoisoned").clone();
    let of_tables: BTreeSet<String> = resources
        .iter()
        .filter(|resource| resource.contains(":dynamodb:"))
        .cloned()
        .collect();
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/UserData-dev";
    assert_eq!(of_tables, BTreeSet::from([arn.to_owned(), format!("{arn}-another")]));
    assert!(
        resources.iter().any(|resource| resource.contains(":log-group:")),
        "{resources:?}"
    );
}

#[test]
fn what_aws_is_still_about_is_waited_for() {
    let stage = Stage::deployed();
    let proxy = Proxy::before(stage.emulator.port());
    let mut looks = 0;
    proxy.rule(move |seen| {
        if !(seen.method == "GET" && seen.path.ends_with("/configuration") && seen.path.contains(FUNCTION)) {
            return None;
        }
        looks += 1;
        (looks <= 3).then(|| (200, json!({"FunctionName": FUNCTION, "State": "Pending"}).to_string()))
    });
    let only = ["verify", "--stage", STAGE, "--output", "json", "--only", "function"];
    let ran = stage.project.deployer(&proxy.endpoint(), &only);
    assert!(
        ran.stderr
            .contains("waiting: retrieve-user-data-dev is being made ready"),
        "{}",
        ran.stderr
    );

    proxy.rule(|seen| {
        let is_it = seen.method == "GET" && seen.path.contains("/distribution/");
        is_it.then(|| {
            let text = "<Distribution><Id>E1</Id><ARN>a</ARN><Status>InProgress</Status>\
                        <LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime><InProgressInvalidationBatches>0\
                        </InProgressInvalidationBatches><DomainName>d</DomainName></Distribution>";
            (200, text.to_owned())
        })
    });
    let ran = Deployer::new(
        stage.project.path(),
        &[&only[..5], &["--only", "site", "--timeout", "1"]].concat(),
    )
    .at(&proxy.endpoint())
    .run();
    assert_eq!(ran.code, 3);
    let checks = checks(&ran);
    assert!(
        checks
            .iter()
            .all(|check| check["evidence"].as_str().is_some_and(|e| e.contains("still taking"))),
        "{checks:#?}"
    );
}

#[test]
fn what_settles_in_a_moment_is_no_failure() {
    let (emulator, project) = (Emulator::shared(), Project::copy());
    let proxy = Proxy::before(emulator.port());
    project
        .deployer(&proxy.endpoint(), &["up", "--stage", STAGE, "--no-verify"])
        .success();
    // A new role that may not read yet, then an API that isn't everywhere yet.
    let mut answers = vec![(403, "{}"), (500, r#"{"error":"Internal server error"}"#)];
    proxy.rule(move |seen| {
        let is_it = seen.method == "GET" && seen.path.ends_with("/users?userId=3");
        let answer = is_it.then(|| answers.pop()).flatten();
        answer.map(|(status, text)| (status, text.to_owned()))
    });
    let verify = ["verify", "--stage", STAGE, "--only", "app"];
    let ran = project.deployer(&proxy.endpoint(), &[&verify[..], &["--output", "json"]].concat());
    let ran = ran.success();
    assert_eq!(ran.json()["verified"], true);
    assert!(
        ran.stderr.contains("the status is 500 and should be 200"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("the status is 403 and should be 200"),
        "{}",
        ran.stderr
    );
}
