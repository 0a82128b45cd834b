//! What the roles of a stage may do at most: what their policies in the templates allow, and no more. An administrator makes it a policy,
//! so that whoever deploys can't give a function more.

use std::collections::BTreeSet;

use serde_json::Value;

use super::names::{Names, Resource};
use super::{Caller, Effect, Notes, Statement, actions};
use crate::project::template::items;

/// Types whose document is a policy of a role's, and the property that has it.
const POLICIES: &[&str] = &["AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy"];

/// What AWS's own policies for functions allow, of which templates name those.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html#permissions-executionrole-features>
const LOGS: &[&str] = &["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"];
const TRACES: &[&str] = &[
    "xray:GetSamplingRules",
    "xray:GetSamplingStatisticSummaries",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
];

/// The statements of the boundary; none if no role has a policy.
pub(super) fn statements(names: &Names<'_>, notes: &mut Notes) -> Vec<Statement> {
    let mut found = Vec::new();
    for role in names.of_type("AWS::IAM::Role") {
        for policy in role.property("Policies").map(items).unwrap_or_default() {
            document(names, &role, policy.get("PolicyDocument"), notes, &mut found);
        }
        for arn in role.property("ManagedPolicyArns").map(items).unwrap_or_default() {
            managed(names, &role, arn, notes, &mut found);
        }
    }
    for kind in POLICIES {
        for policy in names.of_type(kind) {
            document(names, &policy, policy.property("PolicyDocument"), notes, &mut found);
        }
    }
    for (index, statement) in found.iter_mut().enumerate() {
        statement.sid = format!("Roles{}", index + 1);
    }
    found
}

/// What a policy's document allows.
fn document<'p>(
    names: &Names<'p>,
    owner: &Resource<'p>,
    document: Option<&'p Value>,
    notes: &mut Notes,
    found: &mut Vec<Statement>,
) {
    let statements = document.and_then(|document| document.get("Statement"));
    for statement in statements.map(items).unwrap_or_default() {
        if statement.get("Effect").is_none_or(|effect| effect != "Allow") {
            continue;
        }
        let actions: Option<BTreeSet<String>> = statement.get("Action").and_then(|actions| {
            let texts = items(actions).iter();
            texts.map(|action| action.as_str().map(str::to_owned)).collect()
        });
        let said = statement.get("Resource").map(items).unwrap_or_default();
        let resources: BTreeSet<String> = said
            .iter()
            .flat_map(|resource| names.texts_of(owner, resource))
            .collect();
        match actions {
            Some(actions) if !resources.is_empty() => {
                let is_said = said.iter().any(|resource| resource == "*");
                if resources.contains("*") && !is_said {
                    let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
                    notes.add(format!(
                        "the boundary allows {} on all resources: which {} means can't be told",
                        actions.join(", "),
                        owner.id
                    ));
                }
                add(found, actions, resources, owner.kind);
            }
            _ => notes.add(format!(
                "the boundary lacks what {} allows in a statement whose actions or resources can't be told: add it",
                owner.id
            )),
        }
    }
}

/// What a policy that a role names allows: of AWS's own those for functions are known.
fn managed<'p>(names: &Names<'p>, role: &Resource<'p>, arn: &'p Value, notes: &mut Notes, found: &mut Vec<Statement>) {
    // One of the templates' own is read with them.
    if arn.get("Ref").is_some() {
        return;
    }
    for arn in names.texts_of(role, arn) {
        let name = arn.rsplit('/').next().unwrap_or_default();
        match name {
            "AWSLambdaBasicExecutionRole" => add(found, actions(LOGS), names.log_groups(), role.kind),
            "AWSXRayDaemonWriteAccess" | "AWSXrayWriteOnlyAccess" => {
                add(found, actions(TRACES), BTreeSet::from(["*".to_owned()]), role.kind);
            }
            _ => notes.add(format!(
                "the boundary lacks what the policy {name} allows, which the role {} names: add what its functions need",
                role.id
            )),
        }
    }
}

/// Adds what is allowed, to what is for the same resources if there is something.
fn add(found: &mut Vec<Statement>, actions: BTreeSet<String>, resources: BTreeSet<String>, kind: &str) {
    match found.iter_mut().find(|statement| statement.resources == resources) {
        Some(statement) => statement.actions.extend(actions),
        None => found.push(Statement {
            sid: String::new(),
            effect: Effect::Allow,
            actions,
            resources,
            condition: None,
            caller: Caller::CloudFormation(BTreeSet::from([kind.to_owned()])),
        }),
    }
}
