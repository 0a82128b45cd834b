//! What AWS says of functions, roles and policies, asked for once a round by all checks that want it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_iam::types::Role;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use futures::future::try_join_all;
use serde_json::Value;

use super::shared::Round;
use super::stage::{Resource, Stage};
use super::{Problem, asked, documents};
use crate::cloud::Cloud;

/// A role as it is.
#[derive(Debug)]
pub(super) struct LiveRole {
    pub(super) role: Role,
    /// The documents of its inline policies, by name.
    pub(super) inline: BTreeMap<String, Value>,
    /// The ARNs of the policies that are attached to it.
    pub(super) attached: BTreeSet<String>,
}

/// A function's configuration.
pub(super) async fn function(
    stage: &Stage<'_>,
    function: Resource<'_>,
    round: Round,
) -> Result<GetFunctionConfigurationOutput, Problem> {
    let (cloud, name) = (function.cloud(), function.name);
    let ask = async || {
        let answer = cloud
            .lambda
            .get_function_configuration()
            .function_name(name)
            .send()
            .await;
        asked(answer, &format!("could not look at the function {name}"))
    };
    stage
        .functions
        .get(&format!("{}/{name}", cloud.region), round, ask)
        .await
}

/// The documents of all policies of a role, whatever is shared with others.
pub(super) async fn documents_of(cloud: &Cloud, role: &str) -> Result<Vec<Value>, Problem> {
    let (inline, attached) = tokio::try_join!(inline_policies(cloud, role), attached_policies(cloud, role))?;
    let managed = try_join_all(attached.iter().map(|arn| document_of(cloud, arn))).await?;
    Ok(inline.into_values().chain(managed).collect())
}

/// A role with all its policies.
pub(super) async fn role(stage: &Stage<'_>, role: Resource<'_>, round: Round) -> Result<Arc<LiveRole>, Problem> {
    let (cloud, name) = (role.cloud(), role.name);
    let ask = async || {
        let (role, inline, attached) = tokio::try_join!(
            role_itself(cloud, name),
            inline_policies(cloud, name),
            attached_policies(cloud, name)
        )?;
        Ok(Arc::new(LiveRole { role, inline, attached }))
    };
    stage.roles.get(name, round, ask).await
}

async fn role_itself(cloud: &Cloud, name: &str) -> Result<Role, Problem> {
    let answer = cloud.iam.get_role().role_name(name).send().await;
    let answer = asked(answer, &format!("could not look at the role {name}"))?;
    answer.role.ok_or_else(|| {
        let next = "Run `deployer verify` again.";
        Problem::not_proven(format!("IAM's answer about the role {name} has no role"), next)
    })
}

async fn inline_policies(cloud: &Cloud, role: &str) -> Result<BTreeMap<String, Value>, Problem> {
    let what = format!("could not read the policies of the role {role}");
    let mut names = Vec::new();
    let mut pages = cloud
        .iam
        .list_role_policies()
        .role_name(role)
        .into_paginator()
        .items()
        .send();
    while let Some(name) = pages.next().await {
        names.push(asked(name, &what)?);
    }
    let documents = names.into_iter().map(async |name| {
        let answer = cloud
            .iam
            .get_role_policy()
            .role_name(role)
            .policy_name(&name)
            .send()
            .await;
        let document = documents::read(asked(answer, &what)?.policy_document());
        Ok::<_, Problem>((name, document))
    });
    Ok(try_join_all(documents).await?.into_iter().collect())
}

async fn attached_policies(cloud: &Cloud, role: &str) -> Result<BTreeSet<String>, Problem> {
    let what = format!("could not read what is attached to the role {role}");
    let mut attached = BTreeSet::new();
    let mut pages = cloud
        .iam
        .list_attached_role_policies()
        .role_name(role)
        .into_paginator()
        .items()
        .send();
    while let Some(policy) = pages.next().await {
        attached.extend(asked(policy, &what)?.policy_arn);
    }
    Ok(attached)
}

/// The document of a managed policy: that of its default version.
pub(super) async fn managed_policy(
    stage: &Stage<'_>,
    cloud: &Cloud,
    arn: &str,
    round: Round,
) -> Result<Arc<Value>, Problem> {
    let ask = async || Ok(Arc::new(document_of(cloud, arn).await?));
    stage.managed_policies.get(arn, round, ask).await
}

async fn document_of(cloud: &Cloud, arn: &str) -> Result<Value, Problem> {
    let what = format!("could not read the policy {arn}");
    let policy = asked(cloud.iam.get_policy().policy_arn(arn).send().await, &what)?.policy;
    let version = policy.and_then(|policy| policy.default_version_id).unwrap_or_default();
    let answer = cloud
        .iam
        .get_policy_version()
        .policy_arn(arn)
        .version_id(version)
        .send()
        .await;
    let version = asked(answer, &what)?.policy_version;
    let document = version.and_then(|version| version.document).unwrap_or_default();
    Ok(documents::read(&document))
}
