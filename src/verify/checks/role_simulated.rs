//! IAM's own simulator, which sees boundaries and the organization's policies as well, allows each role what its template
//! grants, and denies what it doesn't.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use futures::future::{join_all, try_join_all};

use crate::verify::actions;
use crate::verify::grants::{ContextKey, ContextKind, Grant, Grants};
use crate::verify::layer::Layer;
use crate::verify::live;
use crate::verify::roles::{self, Role};
use crate::verify::shared::Round;
use crate::verify::stage::{Resource, Stage};
use crate::verify::{Check, Finding, Look, Problem, ProblemKind, asked};

pub(super) struct RoleSimulated;

impl Check for RoleSimulated {
    fn id(&self) -> &'static str {
        "role-simulated"
    }

    fn layer(&self) -> Layer {
        Layer::Permissions
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let arns = Arc::new(arns(stage));
        let looks = roles::of_stage(stage).into_iter().map(|role| {
            let (role, arns) = (Arc::new(role), Arc::clone(&arns));
            Look::new(role.resource.id(), role.stacks(), move |round| {
                simulated(stage, Arc::clone(&role), Arc::clone(&arns), round)
            })
        });
        looks.collect()
    }
}

/// How many granted resources of a role are asked about; IAM throttles an account's requests in common.
const MOST: usize = 6;

/// The ARNs of what the stacks have, as far as they are made of names.
fn arns(stage: &Stage<'_>) -> BTreeSet<String> {
    let all = stage.stacks.iter().flat_map(|stack| {
        let resources = stack
            .deployed
            .resources
            .iter()
            .filter_map(|found| stack.resource(&found.logical_id));
        resources.filter_map(|resource| resource.arn())
    });
    // A log group's ends in its streams.
    all.map(|arn| arn.strip_suffix(":*").map_or(arn.clone(), str::to_owned))
        .collect()
}

/// What is asked about a resource: actions with what they should be.
struct Question {
    resource: String,
    context: Vec<ContextKey>,
    granted: Vec<String>,
    denied: Vec<String>,
}

impl Question {
    fn of(grants: &Grants, resource: &str) -> Self {
        let context = grants.context(resource);
        let actions = grants.actions(resource);
        let with = |grant| {
            let decided = actions
                .iter()
                .filter(|action| grants.decide(action, resource, &context) == grant);
            decided.cloned().collect()
        };
        Self {
            resource: resource.to_owned(),
            granted: with(Grant::Yes),
            denied: with(Grant::No),
            context,
        }
    }

    fn actions(&self) -> impl Iterator<Item = &String> {
        self.granted.iter().chain(&self.denied)
    }
}

/// The questions about a role, and of how many granted resources there are none.
fn questions(grants: &Grants, arns: &BTreeSet<String>) -> (Vec<Question>, usize) {
    let (resources, _) = grants.resources();
    let mut questions: Vec<Question> = resources
        .iter()
        .take(MOST)
        .map(|resource| Question::of(grants, resource))
        .collect();
    let service = |resource: &String| actions::service_of(resource).map(str::to_owned);
    // What only begins like a granted resource; of its own service's actions, those that are granted there.
    let another = resources
        .iter()
        .filter(|resource| resource.as_str() != "*")
        .map(|resource| {
            let mut another = Question::of(grants, &format!("{resource}-another"));
            let granted = Question::of(grants, resource).granted;
            let decides = |action: &String| grants.decide(action, &another.resource, &another.context) == Grant::No;
            let more: Vec<String> = granted
                .into_iter()
                .filter(|action| decides(action) && !another.denied.contains(action))
                .collect();
            another.denied.extend(more);
            another
        });
    let mut another: Vec<Question> = another.filter(|question| !question.denied.is_empty()).collect();
    // The logs are the same with every function, and what is in them is nobody's secret.
    another.sort_by_key(|question| actions::service_of(&question.resource) == Some("logs"));
    questions.extend(another.into_iter().next());
    // Something else of the stage: of a service that the role uses, if there is any.
    let services: BTreeSet<String> = resources.iter().filter_map(service).collect();
    let mut others: Vec<Question> = arns
        .iter()
        .filter(|arn| !resources.contains(*arn))
        .map(|arn| Question::of(grants, arn))
        .filter(|question| question.granted.is_empty() && !question.denied.is_empty())
        .collect();
    others.sort_by_key(|question| {
        let service = actions::service_of(&question.resource).unwrap_or_default();
        (service == "logs" || service == "iam", !services.contains(service))
    });
    questions.extend(others.into_iter().next());
    questions.retain(|question| question.actions().next().is_some());
    (questions, resources.len().saturating_sub(MOST))
}

async fn simulated(stage: &Stage<'_>, role: Arc<Role<'_>>, arns: Arc<BTreeSet<String>>, round: Round) -> Finding {
    let resource = role.resource;
    let mut grants = Grants::default();
    let mut unread = role.is_open;
    for policy in role.policies() {
        unread |= !grants.add(&policy.document);
    }
    // What isn't of the templates is AWS's to say.
    let others = role
        .attached
        .iter()
        .filter(|arn| !role.own.iter().any(|policy| arn.matches_text(policy.resource.name)));
    let others = others.map(async |arn| match arn.known_text() {
        Some(arn) => live::managed_policy(stage, resource.cloud(), &arn, round)
            .await
            .map(Some),
        None => Ok(None),
    });
    for document in try_join_all(others).await? {
        unread |= document.is_none_or(|document| !grants.add_live(&document));
    }
    let Some(arn) = resource.arn() else {
        return Err(Problem::not_proven(
            format!("the ARN of {} isn't known", resource.name),
            "Let the template give the role's path as a text or a parameter.",
        ));
    };
    let (questions, untold) = questions(&grants, &arns);
    let answers = questions.iter().map(async |question| {
        let decisions = simulate(resource, &arn, question).await?;
        judge(resource, &arn, question, &decisions, unread)
    });
    // All are asked before any is judged, so that a fault isn't hidden by what isn't proven.
    let mut unproven = None;
    for answer in join_all(answers).await {
        match answer {
            Ok(()) => {}
            Err(problem) if matches!(problem.kind, ProblemKind::NotProven) => unproven = Some(problem),
            Err(problem) => return Err(problem),
        }
    }
    if let Some(problem) = unproven {
        return Err(problem);
    }
    let next = "Read the policies with such statements yourself.";
    if unread {
        let evidence =
            "what the templates grant could be simulated only in part: some policies only CloudFormation knows";
        return Err(Problem::not_proven(evidence, next));
    }
    if grants.has_other_conditions() {
        let evidence =
            "some of what the templates grant has conditions that can't be simulated; all else is as they say";
        return Err(Problem::not_proven(evidence, next));
    }
    Ok(seen(&questions, untold, grants.resources().1))
}

fn seen(questions: &[Question], untold: usize, open: usize) -> String {
    let count = |of: fn(&Question) -> &Vec<String>| questions.iter().map(|question| of(question).len()).sum::<usize>();
    let (granted, denied) = (count(|question| &question.granted), count(|question| &question.denied));
    let resources: Vec<&str> = questions.iter().map(|question| question.resource.as_str()).collect();
    let mut seen = format!("{granted} actions that are granted are allowed, {denied} others aren't");
    if !resources.is_empty() {
        seen.push_str(&format!(", on {}", resources.join(", ")));
    }
    if untold > 0 {
        seen.push_str(&format!("; {untold} more granted resources weren't asked about"));
    }
    if open > 0 {
        seen.push_str(&format!("; {open} granted resources only CloudFormation knows"));
    }
    seen
}

fn judge(
    role: Resource<'_>,
    arn: &str,
    question: &Question,
    decisions: &[(String, Decision)],
    unread: bool,
) -> Result<(), Problem> {
    let resource = &question.resource;
    let of = |action: &String| {
        decisions
            .iter()
            .find(|(name, _)| name == action)
            .map(|(_, decision)| decision)
    };
    // Policies that weren't read may grant it.
    let excess = question
        .denied
        .iter()
        .find(|action| of(action) == Some(&Decision::Allowed))
        .filter(|_| !unread);
    if let Some(action) = excess {
        return Err(Problem::failed(
            format!("{arn} may {action} on {resource}, which no template grants"),
            role.restore(),
        ));
    }
    for action in &question.granted {
        if let Some(Decision::Denied(by)) = of(action) {
            let (by, next) = match by {
                Denier::Policies => ("", role.restore()),
                Denier::Boundary => (
                    ": its permissions boundary forbids it",
                    "Allow it in the permissions boundary of the role, or take the boundary away.".to_owned(),
                ),
                Denier::Organization => (
                    ": the organization's policies forbid it",
                    "Ask those who manage the organization to allow it in their service control policies.".to_owned(),
                ),
            };
            return Err(Problem::failed(
                format!("{arn} may not {action} on {resource}{by}"),
                next,
            ));
        }
    }
    for action in question.actions() {
        match of(action) {
            Some(Decision::Unknown(lacking)) => {
                return Err(Problem::not_proven(
                    format!("for {action} on {resource} IAM's policy simulator would need to know {lacking}"),
                    "Read the policies with such conditions yourself: the role's boundary and the organization's.",
                ));
            }
            None => {
                return Err(Problem::not_proven(
                    format!("IAM's policy simulator said nothing about {action}"),
                    "Run `deployer verify --only role-simulated` again.",
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
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

/// What the simulator decides of each action of a question. One resource a call: with several, the decision at the top is of
/// all together.
async fn simulate(role: Resource<'_>, arn: &str, question: &Question) -> Result<Vec<(String, Decision)>, Problem> {
    let context = question.context.iter().map(|key| {
        let kind = match key.kind {
            ContextKind::Text => ContextKeyTypeEnum::String,
            ContextKind::Texts => ContextKeyTypeEnum::StringList,
            ContextKind::Number => ContextKeyTypeEnum::Numeric,
            ContextKind::Flag => ContextKeyTypeEnum::Boolean,
        };
        let entry = ContextEntry::builder()
            .context_key_name(&key.name)
            .context_key_values(&key.value);
        entry.context_key_type(kind).build()
    });
    let context: Vec<ContextEntry> = context.collect();
    let request = role.cloud().iam.simulate_principal_policy().policy_source_arn(arn);
    let mut pages = request
        .set_action_names(Some(question.actions().cloned().collect()))
        .set_context_entries((!context.is_empty()).then_some(context))
        .resource_arns(&question.resource)
        .into_paginator()
        .items()
        .send();
    let mut decisions = Vec::new();
    while let Some(result) = pages.next().await {
        let result = asked(result, "could not ask IAM's policy simulator")?;
        decisions.push((
            result.eval_action_name().to_owned(),
            decision(&result, &question.resource),
        ));
    }
    Ok(decisions)
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

    const TABLE: &str = "arn:aws:dynamodb:r:1:table/t";

    fn result(top: &str, specific: &[(&str, &str)]) -> EvaluationResultBuilder {
        let specific = specific.iter().map(|(resource, decision)| {
            let result = ResourceSpecificResult::builder();
            result
                .eval_resource_name(*resource)
                .eval_resource_decision((*decision).into())
                .build()
                .expect("complete")
        });
        EvaluationResult::builder()
            .eval_action_name("dynamodb:Query")
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

    #[test]
    fn every_granted_resource_is_asked_about_and_two_that_are_not() {
        let statements = |count: usize| {
            let tables: Vec<String> = (0..count).map(|index| format!("{TABLE}{index}")).collect();
            let mut grants = Grants::default();
            let statement =
                json!({"Effect": "Allow", "Action": ["dynamodb:Query", "dynamodb:Unheard"], "Resource": tables});
            assert!(grants.add_live(&json!({"Statement": statement})));
            grants
        };
        let arns = BTreeSet::from([
            "arn:aws:sqs:r:1:q".to_owned(),
            format!("{TABLE}0"),
            format!("{TABLE}-other"),
        ]);
        let (asked, untold) = questions(&statements(1), &arns);
        let resources: Vec<&str> = asked.iter().map(|question| question.resource.as_str()).collect();
        assert_eq!(
            resources,
            [
                format!("{TABLE}0"),
                format!("{TABLE}0-another"),
                format!("{TABLE}-other")
            ]
        );
        assert_eq!(asked[0].granted, ["dynamodb:Query", "dynamodb:Unheard"]);
        assert!(asked[0].denied.contains(&"dynamodb:Scan".to_owned()));
        assert!(asked[1].granted.is_empty() && asked[1].denied.contains(&"dynamodb:Unheard".to_owned()));
        assert_eq!(untold, 0);
        let (asked, untold) = questions(&statements(9), &arns);
        assert_eq!((asked.len(), untold), (MOST + 2, 3));
        let (asked, _) = questions(&Grants::default(), &arns);
        assert_eq!(asked.len(), 1, "a role that may nothing");
    }
}
