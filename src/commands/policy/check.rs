//! `deployer policy check`: whether the caller may do what deploying the stage takes, by IAM's own simulator.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::error::SdkError;
use aws_sdk_iam::operation::simulate_principal_policy::SimulatePrincipalPolicyError;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use serde_json::Value;

use super::place::Place;
use crate::cloud::Cloud;
use crate::cloud::sdk_error::{code, explain};
use crate::context::{Context, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::identity::{Caller, Effect, Identity, Statement, boundary_name};
use crate::project::template::items;
use crate::report::{CommandResult, Paint};

/// So many questions are asked at once: IAM's own limits are low.
const AT_ONCE: usize = 4;

/// Runs the command. It reads, and changes nothing.
pub(super) async fn run(session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let project = crate::commands::open(global, reporter)?;
    project.check()?;
    let identity = Identity::of(&project, &boundary_name(&project));
    for note in identity.notes.iter() {
        reporter.warn(note.to_owned());
    }
    let context = Context::connect(project, session).await?;
    let cloud = &context.cloud;
    let caller = Principal::of(cloud).await?;
    let place = Place {
        partition: cloud.partition.clone(),
        region: cloud.region.clone(),
        account: cloud.account.clone(),
    };
    let wanted: Vec<&Statement> = identity
        .statements
        .iter()
        .filter(|statement| statement.effect == Effect::Allow)
        .collect();
    let count = wanted.iter().map(|statement| statement.actions.len()).sum();
    let mut missing: BTreeMap<(String, &'static str), Missing> = BTreeMap::new();
    if let Principal::Simulated(arn) = &caller {
        reporter.working("policy", "asking IAM's simulator");
        let questions = wanted.iter().flat_map(|statement| Question::all(statement, &place));
        let answers: Vec<Vec<Missing>> = stream::iter(questions.collect::<Vec<_>>())
            .map(|question| async move { question.ask(cloud, arn).await })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        reporter.finished("policy", "asked", false);
        for one in answers.into_iter().flatten() {
            let key = (one.action.clone(), one.asked_by);
            let known = missing.entry(key).or_insert_with(|| Missing {
                resources: BTreeSet::new(),
                ..one.clone()
            });
            known.resources.extend(one.resources);
        }
    }
    let checked = Checked {
        caller: cloud.caller.clone(),
        is_root: matches!(caller, Principal::Root),
        actions: count,
        missing: missing.into_values().collect(),
    };
    reporter.result(&checked)?;
    if checked.missing.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unverified,
        format!(
            "{} isn't allowed all that deploying the stage {} takes: {} of {} actions are missing",
            checked.caller,
            context.project.stage.name,
            checked.missing.len(),
            checked.actions
        ),
    )
    .hint("`deployer policy deploy` prints the policies for an administrator to attach to it."))
}

/// Whom the simulator is asked about.
enum Principal {
    /// A user or role, by its ARN.
    Simulated(String),
    /// The account itself, which may do everything that its organization lets it.
    Root,
}

impl Principal {
    /// Whose credentials these are.
    async fn of(cloud: &Cloud) -> Result<Self> {
        let arn = &cloud.caller;
        let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
        if resource == "root" {
            return Ok(Self::Root);
        }
        // A session's ARN has the role's name, and not its path.
        // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>
        let Some(session) = resource.strip_prefix("assumed-role/") else {
            return match resource.split('/').next() {
                Some("user") => Ok(Self::Simulated(arn.clone())),
                _ => Err(Error::new(
                    ErrorKind::Failed,
                    format!("IAM's simulator knows users and roles, and these credentials are of {arn}"),
                )
                .hint("Run it as the role or user that is to deploy.")),
            };
        };
        let name = session.split('/').next().unwrap_or_default();
        match cloud.iam.get_role().role_name(name).send().await {
            Ok(answer) => Ok(Self::Simulated(answer.role.map(|role| role.arn).unwrap_or_default())),
            // Most roles have no path.
            Err(error) if matches!(code(&error), "AccessDenied" | "NoSuchEntity") => Ok(Self::Simulated(format!(
                "arn:{}:iam::{}:role/{name}",
                cloud.partition, cloud.account
            ))),
            Err(error) => Err(explain(error, &format!("could not read the role {name}"))),
        }
    }
}

/// What the simulator is asked at once: one resource, since of several the answer would be of all together.
struct Question<'a> {
    statement: &'a Statement,
    resource: String,
    context: Vec<(String, Vec<String>)>,
}

impl<'a> Question<'a> {
    /// Those of a statement.
    fn all(statement: &'a Statement, place: &Place) -> Vec<Self> {
        let condition = statement.condition.as_ref().map(|condition| place.fill(condition));
        let context = condition.as_ref().map_or_else(Vec::new, context);
        let resources = statement.resources.iter().map(|resource| place.put_into(resource));
        resources
            .map(|resource| Self {
                statement,
                resource,
                context: context.clone(),
            })
            .collect()
    }

    /// What of it isn't allowed.
    async fn ask(&self, cloud: &Cloud, arn: &str) -> Result<Vec<Missing>> {
        let actions: Vec<String> = self.statement.actions.iter().cloned().collect();
        match self.simulate(cloud, arn, actions.clone()).await {
            // Some actions can't be asked about together with others: "require different authorization information".
            // <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html#API_SimulatePrincipalPolicy_Errors>
            Err(error) if actions.len() > 1 && code(&error) == "InvalidInput" => {
                let mut missing = Vec::new();
                for action in actions {
                    let answer = self.simulate(cloud, arn, vec![action]).await;
                    missing.extend(answer.map_err(unanswered)?);
                }
                Ok(missing)
            }
            answer => answer.map_err(unanswered),
        }
    }

    async fn simulate(
        &self,
        cloud: &Cloud,
        arn: &str,
        actions: Vec<String>,
    ) -> std::result::Result<Vec<Missing>, SdkError<SimulatePrincipalPolicyError, HttpResponse>> {
        let entries = self.context.iter().map(|(name, values)| {
            let kind = if name == "kms:GrantIsForAWSResource" {
                ContextKeyTypeEnum::Boolean
            } else {
                ContextKeyTypeEnum::String
            };
            let entry = ContextEntry::builder().context_key_name(name).context_key_type(kind);
            entry.set_context_key_values(Some(values.clone())).build()
        });
        let entries: Vec<ContextEntry> = entries.collect();
        let request = cloud.iam.simulate_principal_policy().policy_source_arn(arn);
        let mut pages = request
            .set_action_names(Some(actions))
            .set_context_entries((!entries.is_empty()).then_some(entries))
            .resource_arns(&self.resource)
            .into_paginator()
            .items()
            .send();
        let mut missing = Vec::new();
        while let Some(result) = pages.next().await {
            missing.extend(self.missing(&result?));
        }
        Ok(missing)
    }

    /// What an answer has of one action, if that isn't allowed.
    fn missing(&self, result: &EvaluationResult) -> Option<Missing> {
        let specific = result.resource_specific_results();
        let specific = specific.iter().find(|one| one.eval_resource_name() == self.resource);
        let decision = specific.map_or(result.eval_decision(), |one| one.eval_resource_decision());
        (*decision != PolicyEvaluationDecisionType::Allowed).then(|| Missing {
            action: result.eval_action_name().to_owned(),
            asked_by: self.statement.caller.name(),
            resources: BTreeSet::from([self.resource.clone()]),
            types: match &self.statement.caller {
                Caller::Deployer => BTreeSet::new(),
                Caller::CloudFormation(types) => types.clone(),
            },
            is_denied: *decision == PolicyEvaluationDecisionType::ExplicitDeny,
        })
    }
}

fn unanswered(error: SdkError<SimulatePrincipalPolicyError, HttpResponse>) -> Error {
    explain(error, "could not ask IAM's policy simulator")
        .hint("It needs iam:SimulatePrincipalPolicy for itself; an administrator can ask in its place.")
}

/// What a request would bring along that meets a condition: each of its keys with what it is compared with.
fn context(condition: &Value) -> Vec<(String, Vec<String>)> {
    let tests = condition.as_object().into_iter().flat_map(|tests| tests.values());
    let keys = tests.filter_map(Value::as_object).flatten();
    keys.map(|(key, wanted)| {
        // A request has one of them.
        let first = items(wanted).first().and_then(Value::as_str).unwrap_or_default();
        (key.clone(), vec![first.to_owned()])
    })
    .collect()
}

/// What was asked about, and what of it isn't allowed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    /// An ARN.
    caller: String,
    /// Whether it is the account itself, of which nothing is asked.
    is_root: bool,
    /// How many actions were asked about.
    actions: usize,
    missing: Vec<Missing>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Missing {
    action: String,
    /// `deployer` or `CloudFormation`, which asks in the caller's name.
    asked_by: &'static str,
    /// Patterns of ARNs.
    resources: BTreeSet<String>,
    /// The types of resources for which CloudFormation asks.
    types: BTreeSet<String>,
    /// Whether a policy denies it, and it isn't only that none allows it.
    is_denied: bool,
}

impl CommandResult for Checked {
    fn text(&self, paint: &Paint) -> String {
        if self.is_root {
            return format!(
                "{} is the account itself: it may do everything. Use a user or role of its own for deploying.\n",
                self.caller
            );
        }
        if self.missing.is_empty() {
            return format!(
                "{} is allowed all that deploying takes: {} actions\n",
                self.caller, self.actions
            );
        }
        let mut text = String::new();
        for one in &self.missing {
            let what = if one.is_denied { "is denied" } else { "isn't allowed" };
            text.push_str(&format!("{} {what}, {}", paint.bold(&one.action), one.asked_for()));
            text.push('\n');
            for resource in &one.resources {
                text.push_str(&format!("  on {resource}\n"));
            }
        }
        text
    }
}

impl Missing {
    fn asked_for(&self) -> String {
        if self.asked_by == Caller::Deployer.name() {
            return "which deployer asks for itself".to_owned();
        }
        let types: Vec<&str> = self.types.iter().map(String::as_str).collect();
        let types = if types.is_empty() { vec!["the templates"] } else { types };
        format!("which CloudFormation asks for in its name: {}", types.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_brings_what_meets_the_condition() {
        let condition = json!({
            "StringEquals": { "iam:PassedToService": ["lambda.amazonaws.com", "scheduler.amazonaws.com"] },
            "Bool": { "kms:GrantIsForAWSResource": "true" },
        });
        let mut found = context(&condition);
        found.sort();
        let expected = [
            ("iam:PassedToService", "lambda.amazonaws.com"),
            ("kms:GrantIsForAWSResource", "true"),
        ];
        assert_eq!(
            found,
            expected.map(|(key, value)| (key.to_owned(), vec![value.to_owned()]))
        );
    }
}
