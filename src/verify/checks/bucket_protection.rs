//! Buckets are versioned, encrypted and owned as their templates say.

use aws_smithy_runtime_api::client::result::SdkError;

use super::BUCKETS;
use crate::cloud::sdk_error::code;
use crate::verify::expected::Expected;
use crate::verify::layer::Layer;
use crate::verify::stage::{Resource, Stage};
use crate::verify::{Check, Finding, Look, Problem, asked};

pub(super) struct BucketProtection;

impl Check for BucketProtection {
    fn id(&self) -> &'static str {
        "bucket-protection"
    }

    fn layer(&self) -> Layer {
        Layer::Privacy
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let looks = stage
            .resources_of(BUCKETS)
            .map(|bucket| Look::of(bucket, move |_| look(bucket)));
        looks.collect()
    }
}

async fn look(bucket: Resource<'_>) -> Finding {
    let (versioning, encryption, ownership) =
        tokio::try_join!(versioning(bucket), encryption(bucket), ownership(bucket))?;
    let told: Vec<String> = [versioning, encryption, ownership].into_iter().flatten().collect();
    let name = bucket.name;
    if told.is_empty() {
        return Ok(format!("the template says nothing of how {name} is kept"));
    }
    Ok(format!("{name}: {}", told.join(", ")))
}

/// What is so, if the template says anything of it.
fn compared(bucket: Resource<'_>, what: &str, wanted: &Expected, is: &str) -> Result<Option<String>, Problem> {
    match wanted {
        Expected::Absent => Ok(None),
        wanted if wanted.matches_text(is) => Ok(Some(format!("{what} {is}"))),
        wanted => Err(Problem::failed(
            format!("{what} of {} is {is}, and the template has {wanted}", bucket.name),
            bucket.restore(),
        )),
    }
}

async fn versioning(bucket: Resource<'_>) -> Result<Option<String>, Problem> {
    let wanted = bucket.property(&["VersioningConfiguration", "Status"]);
    if wanted == Expected::Absent {
        return Ok(None);
    }
    let answer = bucket
        .cloud()
        .s3
        .get_bucket_versioning()
        .bucket(bucket.name)
        .send()
        .await;
    let answer = asked(answer, &format!("could not look at the versioning of {}", bucket.name))?;
    let is = answer.status().map_or("off", |status| status.as_str());
    compared(bucket, "versioning", &wanted, is)
}

async fn encryption(bucket: Resource<'_>) -> Result<Option<String>, Problem> {
    let rules = bucket.property(&["BucketEncryption", "ServerSideEncryptionConfiguration"]);
    let rule = rules.items().first().copied().cloned();
    let wanted = rule
        .as_ref()
        .and_then(|rule| rule.get("ServerSideEncryptionByDefault")?.get("SSEAlgorithm"));
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let answer = bucket
        .cloud()
        .s3
        .get_bucket_encryption()
        .bucket(bucket.name)
        .send()
        .await;
    let none = |error: &SdkError<_, _>| code(error) == "ServerSideEncryptionConfigurationNotFoundError";
    let live = match answer {
        Err(error) if none(&error) => None,
        answer => {
            asked(answer, &format!("could not look at the encryption of {}", bucket.name))?
                .server_side_encryption_configuration
        }
    };
    let live = live
        .as_ref()
        .and_then(|live| live.rules().first()?.apply_server_side_encryption_by_default());
    let is = live.map_or("off", |by_default| by_default.sse_algorithm().as_str());
    compared(bucket, "encryption", wanted, is)
}

async fn ownership(bucket: Resource<'_>) -> Result<Option<String>, Problem> {
    let rules = bucket.property(&["OwnershipControls", "Rules"]);
    let rule = rules.items().first().copied().cloned();
    let Some(wanted) = rule.as_ref().and_then(|rule| rule.get("ObjectOwnership")) else {
        return Ok(None);
    };
    let answer = bucket
        .cloud()
        .s3
        .get_bucket_ownership_controls()
        .bucket(bucket.name)
        .send()
        .await;
    let none = |error: &SdkError<_, _>| code(error) == "OwnershipControlsNotFoundError";
    let live = match answer {
        Err(error) if none(&error) => None,
        answer => {
            asked(
                answer,
                &format!("could not look at who owns what is in {}", bucket.name),
            )?
            .ownership_controls
        }
    };
    let is = live
        .as_ref()
        .and_then(|live| Some(live.rules().first()?.object_ownership().as_str().to_owned()));
    compared(bucket, "object ownership", wanted, is.as_deref().unwrap_or("not set"))
}
