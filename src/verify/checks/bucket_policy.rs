//! Each bucket lets in whom its template's policy lets in, and nobody else.

use aws_sdk_s3::operation::get_bucket_policy::GetBucketPolicyError;
use aws_smithy_runtime_api::client::result::SdkError;
use serde_json::Value;

use super::BUCKETS;
use crate::cloud::sdk_error::code;
use crate::verify::documents::difference;
use crate::verify::layer::Layer;
use crate::verify::stage::{Resource, Stage};
use crate::verify::{Check, Finding, Look, Problem, asked};

const POLICIES: &[&str] = &["AWS::S3::BucketPolicy"];

pub(super) struct BucketPolicy;

impl Check for BucketPolicy {
    fn id(&self) -> &'static str {
        "bucket-policy"
    }

    fn layer(&self) -> Layer {
        Layer::Privacy
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let looks = stage
            .resources_of(BUCKETS)
            .map(|bucket| Look::of(bucket, move |_| look(stage, bucket)));
        looks.collect()
    }
}

async fn look(stage: &Stage<'_>, bucket: Resource<'_>) -> Finding {
    let name = bucket.name;
    let is_of_it = |policy: &Resource<'_>| policy.property(&["Bucket"]).known_text().as_deref() == Some(name);
    let wanted = stage.resources_of(POLICIES).find(is_of_it);
    let live = live(bucket).await?;
    match (wanted, live) {
        (None, None) => Ok(format!(
            "{name} has no policy: only the account's own identities may be let in"
        )),
        (None, Some(live)) => Err(Problem::failed(
            format!("{name} has a policy that no template has: {live}"),
            format!("`aws s3api delete-bucket-policy --bucket {name}` takes it away."),
        )),
        (Some(wanted), None) => Err(Problem::failed(
            format!("{name} has no policy, and the template has {}", wanted.id()),
            rewrite(&wanted),
        )),
        (Some(wanted), Some(live)) => match difference(&wanted.property(&["PolicyDocument"]), &live) {
            None => Ok(format!("the policy of {name} is that of {}", wanted.id())),
            Some(difference) => Err(Problem::failed(
                format!("the policy of {name} {difference}"),
                rewrite(&wanted),
            )),
        },
    }
}

/// How to have a policy written anew. CloudFormation doesn't see what was changed in one by hand, and so can't undo it.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-import-supported-resources.html>
fn rewrite(policy: &Resource<'_>) -> String {
    let definition = policy.definition();
    format!(
        "Change the `Sid` of one of its statements in {} and run `deployer up --only {}`: CloudFormation writes a policy only \
         when its template has changed, and then the whole of it.",
        definition.file.display(),
        definition.id
    )
}

/// The bucket's policy, if it has one.
async fn live(bucket: Resource<'_>) -> Result<Option<Value>, Problem> {
    let name = bucket.name;
    let answer = bucket.cloud().s3.get_bucket_policy().bucket(name).send().await;
    let none = |error: &SdkError<GetBucketPolicyError, _>| code(error) == "NoSuchBucketPolicy";
    let text = match answer {
        Err(error) if none(&error) => return Ok(None),
        answer => asked(answer, &format!("could not read the policy of {name}"))?
            .policy
            .unwrap_or_default(),
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| Problem::failed(format!("the policy of {name} isn't JSON: {error}"), bucket.restore()))
}
