//! Buckets block public access as their templates say; one that a template doesn't close is named.

use aws_smithy_runtime_api::client::result::SdkError;

use super::BUCKETS;
use crate::cloud::sdk_error::code;
use crate::verify::layer::Layer;
use crate::verify::stage::{Resource, Stage};
use crate::verify::{Check, Finding, Look, Problem, asked};

pub(super) struct BucketPublicAccess;

/// The four settings, as templates and answers name them.
const SETTINGS: [&str; 4] = [
    "BlockPublicAcls",
    "BlockPublicPolicy",
    "IgnorePublicAcls",
    "RestrictPublicBuckets",
];

impl Check for BucketPublicAccess {
    fn id(&self) -> &'static str {
        "bucket-public-access"
    }

    fn layer(&self) -> Layer {
        Layer::Privacy
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        stage
            .resources_of(BUCKETS)
            .map(|bucket| Look::of(bucket, move |_| look(bucket)))
            .collect()
    }
}

/// Whether a setting is on by the template. What it leaves out is on: new buckets block all public access.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html>
fn is_wanted(bucket: Resource<'_>, setting: &str) -> bool {
    let property = bucket.property(&["PublicAccessBlockConfiguration", setting]);
    let block = bucket.property(&["PublicAccessBlockConfiguration"]);
    match property.known_text() {
        Some(text) => text == "true",
        // Whoever writes the block decides about all four: what isn't in it is off.
        None => block.get("BlockPublicAcls").is_none() && SETTINGS.iter().all(|name| block.get(name).is_none()),
    }
}

/// Whether the template lets the public in: by a policy or by access control lists.
pub(super) fn is_public_by_template(bucket: Resource<'_>) -> bool {
    !is_wanted(bucket, "BlockPublicPolicy") && !is_wanted(bucket, "RestrictPublicBuckets")
        || !is_wanted(bucket, "BlockPublicAcls") && !is_wanted(bucket, "IgnorePublicAcls")
}

async fn look(bucket: Resource<'_>) -> Finding {
    let name = bucket.name;
    let answer = bucket.cloud().s3.get_public_access_block().bucket(name).send().await;
    let none = |error: &SdkError<_, _>| code(error) == "NoSuchPublicAccessBlockConfiguration";
    let settings = match answer {
        Err(error) if none(&error) => None,
        answer => {
            asked(answer, &format!("could not read Block Public Access of {name}"))?.public_access_block_configuration
        }
    };
    let settings = settings.as_ref();
    let is = [
        settings.and_then(|s| s.block_public_acls()),
        settings.and_then(|s| s.block_public_policy()),
        settings.and_then(|s| s.ignore_public_acls()),
        settings.and_then(|s| s.restrict_public_buckets()),
    ];
    let off = |names: Vec<&str>| names.join(", ");
    let wrong: Vec<&str> = SETTINGS
        .iter()
        .zip(is)
        .filter(|(setting, is)| is_wanted(bucket, setting) && *is != Some(true))
        .map(|(setting, _)| *setting)
        .collect();
    if !wrong.is_empty() {
        return Err(Problem::failed(
            format!("{} of {name} is off", off(wrong)),
            bucket.restore(),
        ));
    }
    let open: Vec<&str> = SETTINGS
        .into_iter()
        .filter(|setting| !is_wanted(bucket, setting))
        .collect();
    Ok(if open.is_empty() {
        format!("all four settings are on for {name}")
    } else {
        format!("{} of {name} is off, as its template says", off(open))
    })
}
