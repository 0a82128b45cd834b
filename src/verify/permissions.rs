//! What the function's role may do: by its policies, and by IAM's own simulator.

use aws_sdk_iam::types::{EvaluationResult, PolicyEvaluationDecisionType};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::function::configuration;
use super::policy::{statements, texts};
use super::{Finding, Problem, Subject, asked};
use crate::project::Tier;

/// What the role may do beside reading its table.
const LOGGING: &[&str] = &["logs:CreateLogStream", "logs:PutLogEvents"];
const READ: &str = "dynamodb:GetItem";

/// What it must not, on the very table that it reads.
const FORBIDDEN: &[&str] = &[
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:DeleteTable",
];

/// One inline policy, none attached: reading from this table, logging, and no wildcard.
pub(super) async fn policies(subject: &Subject<'_>) -> Finding {
    let (arn, role) = role(subject).await?;
    let what = || format!("could not read the policies of the role {role}");
    let mut attached = Vec::new();
    let mut pages = subject
        .cloud
        .iam
        .list_attached_role_policies()
        .role_name(&role)
        .into_paginator()
        .items()
        .send();
    while let Some(policy) = pages.next().await {
        attached.extend(asked(policy, &what())?.policy_name);
    }
    if let Some(first) = attached.first() {
        return Err(Problem::failed(
            format!("the policy {first} is attached to {arn}"),
            restore(subject),
        ));
    }
    let mut names = Vec::new();
    let mut pages = subject
        .cloud
        .iam
        .list_role_policies()
        .role_name(&role)
        .into_paginator()
        .items()
        .send();
    while let Some(name) = pages.next().await {
        names.push(asked(name, &what())?);
    }
    let [name] = names.as_slice() else {
        return Err(Problem::failed(
            format!(
                "{arn} has {} inline policies instead of one: {}",
                names.len(),
                names.join(", ")
            ),
            restore(subject),
        ));
    };
    let answer = subject
        .cloud
        .iam
        .get_role_policy()
        .role_name(&role)
        .policy_name(name)
        .send()
        .await;
    let answer = asked(answer, &what())?;
    let text = percent_decode_str(answer.policy_document()).decode_utf8_lossy();
    let policy: Value = serde_json::from_str(&text)
        .map_err(|error| Problem::failed(format!("the policy {name} isn't JSON: {error}"), restore(subject)))?;
    let log_group = format!("log-group:/aws/lambda/{}", subject.function_name);
    match excess(&policy, &subject.table_arn, &log_group) {
        None => Ok(format!(
            "{name} allows {READ} on {} and logging, and nothing else",
            subject.table_arn
        )),
        Some(excess) => Err(Problem::failed(format!("{name} of {arn} {excess}"), restore(subject))),
    }
}

/// The function's role: its ARN and its name.
async fn role(subject: &Subject<'_>) -> Result<(String, String), Problem> {
    let arn = configuration(subject).await?.role.unwrap_or_default();
    let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
    Ok((arn, name))
}

/// What a policy allows too much, or doesn't allow; none if it is just right.
fn excess(policy: &Value, table: &str, log_group: &str) -> Option<String> {
    let mut reads = false;
    for statement in statements(policy).filter(|statement| statement["Effect"] != "Deny") {
        if !statement["NotAction"].is_null() || !statement["NotResource"].is_null() {
            return Some(format!("allows all but something: {statement}"));
        }
        for action in texts(&statement["Action"]) {
            for resource in texts(&statement["Resource"]) {
                if action == READ && resource == table {
                    reads = true;
                } else if !(LOGGING.contains(&action) && is_log_group(resource, log_group)) {
                    return Some(format!("allows {action} on {resource}"));
                }
            }
        }
    }
    (!reads).then(|| format!("doesn't allow {READ} on {table}"))
}

/// The group itself, or all of its streams.
fn is_log_group(resource: &str, log_group: &str) -> bool {
    resource.starts_with("arn:")
        && resource
            .split_once(log_group)
            .is_some_and(|(before, after)| before.ends_with(':') && !before.contains('*') && matches!(after, "" | ":*"))
}

/// IAM's simulator, which sees boundaries and the organization's policies as well, says the same.
pub(super) async fn simulated(subject: &Subject<'_>) -> Finding {
    let (arn, _) = role(subject).await?;
    let table = &subject.table_arn;
    let other = format!("{table}-another");
    let actions = [&[READ], FORBIDDEN].concat();
    let (on_table, on_other) = tokio::try_join!(
        simulate(subject, &arn, table, &actions),
        simulate(subject, &arn, &other, &[READ])
    )?;
    let allowed = |(action, decision): &(&str, Decision)| {
        (*decision == Decision::Allowed && *action != READ).then(|| format!("{arn} may {action} on {table}"))
    };
    let excess = on_table.iter().find_map(allowed).or_else(|| {
        let on_other = on_other.iter().any(|(_, decision)| *decision == Decision::Allowed);
        on_other.then(|| format!("{arn} may {READ} on {other}, another table"))
    });
    if let Some(excess) = excess {
        return Err(Problem::failed(excess, restore(subject)));
    }
    for (action, decision) in on_table.iter().chain(&on_other) {
        if let Decision::Unknown(lacking) = decision {
            return Err(Problem::not_proven(
                format!("for {action} IAM's policy simulator would need to know {lacking}"),
                "Read the policies with such conditions yourself: the role's boundary and the organization's.",
            ));
        }
    }
    match on_table.into_iter().find(|(action, _)| *action == READ) {
        Some((_, Decision::Denied(by))) => {
            let next = match by {
                Denier::Policies => restore(subject),
                Denier::Boundary => {
                    "Allow it in the permissions boundary of the role, or take the boundary away.".to_owned()
                }
                Denier::Organization => {
                    "Ask those who manage the organization to allow it in their service control policies.".to_owned()
                }
            };
            let by = match by {
                Denier::Policies => "",
                Denier::Boundary => ": its permissions boundary forbids it",
                Denier::Organization => ": the organization's policies forbid it",
            };
            Err(Problem::failed(format!("{arn} may not {READ} on {table}{by}"), next))
        }
        _ => Ok(format!(
            "{READ} on {table} is allowed; {} other actions and another table aren't",
            FORBIDDEN.len()
        )),
    }
}

fn restore(subject: &Subject<'_>) -> String {
    subject.restore("FunctionRole", Tier::Logic)
}

/// What the simulator decides of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Decision {
    Allowed,
    Denied(Denier),
    /// A policy has a condition on these keys, whose values it wasn't told: not even a denial is proven.
    Unknown(String),
}

/// Who says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Denier {
    /// The role's own policies, or nobody says yes.
    Policies,
    Boundary,
    Organization,
}

/// What the simulator decides of each of `actions` on a resource. One resource a call: with several, the decision at the
/// top is of all together.
async fn simulate<'n>(
    subject: &Subject<'_>,
    role: &str,
    resource: &str,
    actions: &[&'n str],
) -> Result<Vec<(&'n str, Decision)>, Problem> {
    let mut pages = subject
        .cloud
        .iam
        .simulate_principal_policy()
        .policy_source_arn(role)
        .set_action_names(Some(actions.iter().map(|&action| action.to_owned()).collect()))
        .resource_arns(resource)
        .into_paginator()
        .items()
        .send();
    let mut results = Vec::new();
    while let Some(result) = pages.next().await {
        results.push(asked(result, "could not ask IAM's policy simulator")?);
    }
    let decide = |action: &&'n str| {
        let result = results.iter().find(|result| result.eval_action_name() == *action);
        let result = result.ok_or_else(|| {
            Problem::not_proven(
                format!("IAM's policy simulator said nothing about {action}"),
                "Run `deployer verify --only permissions` again.",
            )
        })?;
        Ok((*action, decision(result, resource)))
    };
    actions.iter().map(decide).collect()
}

/// The decision for the resource where there is one, else that at the top.
fn decision(result: &EvaluationResult, resource: &str) -> Decision {
    let specific = result
        .resource_specific_results()
        .iter()
        .find(|specific| specific.eval_resource_name() == resource);
    let made = specific.map_or(result.eval_decision(), |specific| specific.eval_resource_decision());
    if *made == PolicyEvaluationDecisionType::Allowed {
        return Decision::Allowed;
    }
    let mut lacking = result.missing_context_values().to_vec();
    lacking.extend(
        specific
            .into_iter()
            .flat_map(|specific| specific.missing_context_values().to_vec()),
    );
    if !lacking.is_empty() {
        lacking.sort();
        lacking.dedup();
        return Decision::Unknown(lacking.join(", "));
    }
    let organization = result.organizations_decision_detail();
    let boundary = specific
        .and_then(|specific| specific.permissions_boundary_decision_detail())
        .or(result.permissions_boundary_decision_detail());
    Decision::Denied(
        if organization.is_some_and(|detail| !detail.allowed_by_organizations()) {
            Denier::Organization
        } else if boundary.is_some_and(|detail| !detail.allowed_by_permissions_boundary()) {
            Denier::Boundary
        } else {
            Denier::Policies
        },
    )
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::builders::EvaluationResultBuilder;
    use aws_sdk_iam::types::{OrganizationsDecisionDetail, PermissionsBoundaryDecisionDetail, ResourceSpecificResult};
    use serde_json::json;

    use super::*;

    const TABLE: &str = "arn:aws:dynamodb:r:1:table/UserData";
    const GROUP: &str = "log-group:/aws/lambda/f";

    fn policy(change: impl FnOnce(&mut Value)) -> Value {
        let mut policy = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": READ, "Resource": TABLE},
            {"Effect": "Allow", "Action": LOGGING, "Resource": "arn:aws:logs:r:1:log-group:/aws/lambda/f:*"},
        ]});
        change(&mut policy);
        policy
    }

    fn excess_of(change: impl FnOnce(&mut Value)) -> Option<String> {
        excess(&policy(change), TABLE, GROUP)
    }

    #[test]
    fn the_policy_as_it_ships_is_just_right() {
        assert_eq!(excess_of(|_| {}), None);
        let single = |p: &mut Value| p["Statement"] = json!({"Effect": "Allow", "Action": [READ], "Resource": [TABLE]});
        assert_eq!(excess_of(single), None, "a statement needn't be in a list");
    }

    #[test]
    fn anything_more_or_less_is_named() {
        let first = |key: &'static str, value: Value| excess_of(|p| p["Statement"][0][key] = value);
        let of = |action: &str, resource: &str| Some(format!("allows {action} on {resource}"));
        assert_eq!(first("Action", json!("dynamodb:*")), of("dynamodb:*", TABLE));
        assert_eq!(
            first("Action", json!([READ, "dynamodb:PutItem"])),
            of("dynamodb:PutItem", TABLE)
        );
        assert_eq!(first("Resource", json!("*")), of(READ, "*"));
        let index = format!("{TABLE}*");
        assert_eq!(first("Resource", json!([TABLE, index])), of(READ, &index));
        assert_eq!(
            first("Effect", json!("Deny")),
            Some(format!("doesn't allow {READ} on {TABLE}"))
        );
        assert!(first("NotResource", json!("x")).is_some_and(|excess| excess.starts_with("allows all but")));
        let logs = |resource: &str| excess_of(|p| p["Statement"][1]["Resource"] = json!(resource));
        for wrong in [
            "*",
            "arn:aws:logs:*:1:log-group:/aws/lambda/f:*",
            "arn:aws:logs:r:1:log-group:/aws/lambda/f2:*",
        ] {
            assert_eq!(logs(wrong), of(LOGGING[0], wrong));
        }
    }

    fn result(top: &str, specific: &[(&str, &str)]) -> EvaluationResultBuilder {
        let specific = specific.iter().map(|(resource, decision)| {
            ResourceSpecificResult::builder()
                .eval_resource_name(*resource)
                .eval_resource_decision((*decision).into())
                .build()
                .expect("complete")
        });
        EvaluationResult::builder()
            .eval_action_name(READ)
            .eval_decision(top.into())
            .set_resource_specific_results(Some(specific.collect()))
    }

    fn decided(result: EvaluationResultBuilder) -> Decision {
        decision(&result.build().expect("complete"), TABLE)
    }

    #[test]
    fn the_decision_is_that_of_the_resource() {
        let denied = Decision::Denied(Denier::Policies);
        assert_eq!(decided(result("allowed", &[])), Decision::Allowed);
        assert_eq!(decided(result("implicitDeny", &[])), denied);
        assert_eq!(
            decided(result("implicitDeny", &[(TABLE, "allowed")])),
            Decision::Allowed
        );
        assert_eq!(decided(result("allowed", &[(TABLE, "explicitDeny")])), denied);
    }

    #[test]
    fn who_denies_is_told_apart_and_a_denial_for_want_of_a_value_is_none() {
        let organization = |allowed| {
            OrganizationsDecisionDetail::builder()
                .allowed_by_organizations(allowed)
                .build()
        };
        let boundary = PermissionsBoundaryDecisionDetail::builder().build();
        let no = || result("implicitDeny", &[]);
        assert_eq!(
            decided(no().organizations_decision_detail(organization(false))),
            Decision::Denied(Denier::Organization)
        );
        assert_eq!(
            decided(
                no().organizations_decision_detail(organization(true))
                    .permissions_boundary_decision_detail(boundary)
            ),
            Decision::Denied(Denier::Boundary)
        );
        assert_eq!(
            decided(no().missing_context_values("aws:SourceVpc")),
            Decision::Unknown("aws:SourceVpc".to_owned())
        );
    }
}
