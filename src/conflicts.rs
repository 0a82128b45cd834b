//! Names that are taken by something outside our stacks, found before anything is created.
//!
//! AWS finds some of these itself, late and without naming the resource; an emulator may silently take the thing over.

use aws_sdk_cloudfront::types::FunctionStage;
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::cloud::Cloud;
use crate::cloud::sdk_error::{explain, found};
use crate::error::{Error, ErrorKind, Result};
use crate::logs;
use crate::project::naming::NamedResource;
use crate::quotas;
use crate::stack::change::{Action, ResourceChange, StackPlan};
use crate::text::quoted_for_shell;

/// How many are looked up at once.
const AT_ONCE: usize = 8;

/// Refuses when one of the resources that are about to be created has the name of one that the stage's own stacks have, and
/// that is to leave them: a logical id was changed, or a resource moved to another template. CloudFormation takes that for
/// another resource, and can't make it while the first has its name.
///
/// # Errors
/// Names the stack, and the logical id that it has it under.
pub(crate) fn check_own<'a>(to_create: &[NamedResource], plans: impl Iterator<Item = &'a StackPlan>) -> Result<()> {
    let leaving: Vec<(&StackPlan, &ResourceChange)> = plans
        .flat_map(|plan| plan.changes.iter().map(move |change| (plan, change)))
        .filter(|(_, change)| change.action == Action::Remove)
        .collect();
    for resource in to_create {
        let owner = leaving.iter().find(|(_, change)| {
            change.resource_type == resource.resource_type && change.physical_id.as_ref() == Some(&resource.name)
        });
        if let Some((plan, change)) = owner {
            let (old, new) = (&change.logical_id, &resource.logical_id);
            return Err(Error::new(ErrorKind::NameTaken, format!(
                "the {} is this stage's own: the stack {} has it under the logical id {old}",
                shown(resource),
                plan.name
            ))
            .cause(format!("to CloudFormation {new} is another resource, and {old} one that is to be removed"))
            .hint(format!(
                "Nothing was changed, and nothing of it is to be deleted. Keep the logical id `{old}` in the template of \
                 {}; only a resource of another name can have the logical id {new}.",
                plan.name
            )));
        }
    }
    Ok(())
}

/// Refuses when one of the resources that are about to be created exists.
///
/// # Errors
/// Lists all that exist; or a look-up itself failed, which is never taken for absence.
pub(crate) async fn check(to_create: Vec<(&Cloud, NamedResource)>) -> Result<()> {
    let emulated = to_create.iter().any(|(cloud, _)| !cloud.endpoint.is_aws());
    let taken: Vec<NamedResource> = stream::iter(to_create)
        .map(async |(cloud, resource)| Ok::<_, Error>(exists(cloud, &resource).await?.then_some(resource)))
        .buffer_unordered(AT_ONCE)
        .try_filter_map(async |taken| Ok(taken))
        .try_collect()
        .await?;
    let Some(first) = taken.first() else {
        return Ok(());
    };
    let mut error = Error::new(
        ErrorKind::NameTaken,
        match taken.len() {
            1 => format!("the {} exists already, outside this stage's stacks", shown(first)),
            count => format!("{count} resources exist already, outside this stage's stacks"),
        },
    );
    if taken.len() > 1 {
        for resource in &taken {
            error = error.cause(shown(resource));
        }
    }
    if emulated {
        error = error.cause(
            "an emulator that was killed may have lost its stacks and kept their buckets; the local one is emptied by \
             `deployer local reset`",
        );
    }
    let name = &first.name;
    let elsewhere = elsewhere(first);
    Err(error.hint(match first.resource_type.as_str() {
        "AWS::DynamoDB::Table" => format!(
            "Nothing was created. Rename the table {elsewhere}, or import that one into a stack of this name, or delete it if \
             it isn't needed."
        ),
        "AWS::Logs::LogGroup" => format!(
            "Nothing was created. A function of this name left it behind: delete it (`aws logs delete-log-group \
             --log-group-name {}`), or rename the function {elsewhere}.",
            quoted_for_shell(name)
        ),
        "AWS::S3::Bucket" => format!(
            "Nothing was created. Buckets of all accounts share their names: this one is another account's, or in another \
             region, or the deploying identity may not look at it (s3:ListBucket). Rename it {elsewhere}, or delete that one \
             if it is yours and isn't needed."
        ),
        _ => format!("Nothing was created. Rename it {elsewhere}, or delete that one if it isn't needed."),
    }))
}

/// Where a resource gets its name, for whoever is to give another.
fn elsewhere(resource: &NamedResource) -> String {
    let is_given = |name: &&String| !["Project", "Stage"].contains(&name.as_str());
    let given: Vec<String> = resource
        .parameters
        .iter()
        .filter(is_given)
        .map(|name| format!("`{name}`"))
        .collect();
    match given.as_slice() {
        [] if resource.parameters.is_empty() => "in its template".to_owned(),
        [] => "by another `project` or stage name in stacks/stages.yaml".to_owned(),
        given => format!(
            "by another value of {} under `parameters:` in stacks/stages.yaml",
            given.join(" or ")
        ),
    }
}

fn shown(resource: &NamedResource) -> String {
    let kind = match resource.resource_type.as_str() {
        "AWS::CloudFront::Function" => "edge function",
        "AWS::CloudFront::OriginAccessControl" => "origin access control",
        "AWS::CloudFront::ResponseHeadersPolicy" => "response headers policy",
        "AWS::DynamoDB::Table" => "table",
        "AWS::IAM::Role" => "role",
        "AWS::Lambda::Function" => "function",
        "AWS::Logs::LogGroup" => "log group",
        "AWS::S3::Bucket" => "bucket",
        other => other,
    };
    format!("{kind} {} ({})", resource.name, resource.logical_id)
}

async fn exists(cloud: &Cloud, resource: &NamedResource) -> Result<bool> {
    let name = resource.name.as_str();
    let what = || format!("could not find out whether the {} exists", shown(resource));
    match resource.resource_type.as_str() {
        "AWS::CloudFront::Function" => {
            // What a function is made in; it is published from there.
            let request = cloud.cloudfront.describe_function().stage(FunctionStage::Development);
            let answer = request.name(name).send().await;
            Ok(found(answer, |e| e.is_no_such_function_exists(), what)?.is_some())
        }
        "AWS::CloudFront::OriginAccessControl" => origin_access_control(cloud, name, &what).await,
        "AWS::CloudFront::ResponseHeadersPolicy" => response_headers_policy(cloud, name, &what).await,
        "AWS::DynamoDB::Table" => {
            let answer = cloud.dynamodb.describe_table().table_name(name).send().await;
            Ok(found(answer, |e| e.is_resource_not_found_exception(), what)?.is_some())
        }
        "AWS::IAM::Role" => {
            let answer = cloud.iam.get_role().role_name(name).send().await;
            Ok(found(answer, |e| e.is_no_such_entity_exception(), what)?.is_some())
        }
        "AWS::Lambda::Function" => {
            let answer = cloud.lambda.get_function().function_name(name).send().await;
            Ok(found(answer, |e| e.is_resource_not_found_exception(), what)?.is_some())
        }
        "AWS::Logs::LogGroup" => logs::group_exists(cloud, name).await,
        "AWS::S3::Bucket" => {
            let answer = cloud.s3.head_bucket().bucket(name).send().await;
            let status = answer.as_ref().err().and_then(|error| error.raw_response());
            match status.map(|response| response.status().as_u16()) {
                // Somebody else's, or ours in another region, or one that we may not look at: HEAD has no body to say which.
                Some(301 | 307 | 403) => Ok(true),
                _ => Ok(found(answer, |e| e.is_not_found(), what)?.is_some()),
            }
        }
        _ => Ok(false),
    }
}

/// CloudFront finds these two by id only. Both are unique by name in an account, across regions.
async fn origin_access_control(cloud: &Cloud, name: &str, what: &impl Fn() -> String) -> Result<bool> {
    let mut marker = None;
    loop {
        let request = cloud.cloudfront.list_origin_access_controls().set_marker(marker);
        let page = request.send().await.map_err(|error| explain(error, &what()))?;
        let Some(list) = page.origin_access_control_list else {
            return Ok(false);
        };
        if list.items().iter().any(|item| item.name() == name) {
            return Ok(true);
        }
        marker = list.next_marker.filter(|next| list.is_truncated && !next.is_empty());
        if marker.is_none() {
            return Ok(false);
        }
    }
}

async fn response_headers_policy(cloud: &Cloud, name: &str, what: &impl Fn() -> String) -> Result<bool> {
    let names = quotas::headers_policies(cloud, what).await?;
    Ok(names.iter().any(|one| one == name))
}
