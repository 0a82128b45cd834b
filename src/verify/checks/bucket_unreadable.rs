//! Buckets answer nobody who brings no credentials, unless their templates make them public.

use reqwest::Method;

use super::BUCKETS;
use super::bucket_public_access::is_public_by_template;
use crate::site::url_path;
use crate::verify::http::send;
use crate::verify::layer::Layer;
use crate::verify::stage::{Resource, Stage};
use crate::verify::{Check, Finding, Look, Problem, Round, asked};

pub(super) struct BucketUnreadable;

impl Check for BucketUnreadable {
    fn id(&self) -> &'static str {
        "bucket-unreadable"
    }

    fn layer(&self) -> Layer {
        Layer::Privacy
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        stage
            .resources_of(BUCKETS)
            .map(|bucket| Look::of(bucket, move |round| look(stage, bucket, round)))
            .collect()
    }
}

async fn look(stage: &Stage<'_>, bucket: Resource<'_>, round: Round) -> Finding {
    let (cloud, name) = (bucket.cloud(), bucket.name);
    if is_public_by_template(bucket) {
        return Ok(format!("{name} is public, as its template says"));
    }
    let base = match cloud.endpoint.url() {
        Some(endpoint) => format!("{endpoint}/{name}"),
        None => format!("https://{name}.s3.{}.{}", cloud.region, cloud.url_suffix()),
    };
    let listing = is_refused(stage, bucket, format!("{base}/?list-type=2"));
    let reading = async {
        match object(stage, bucket, round).await? {
            Some(key) => is_refused(stage, bucket, format!("{base}{}", url_path(&key))).await,
            None => Ok(()),
        }
    };
    tokio::try_join!(listing, reading)?;
    Ok(format!("{base} answers 403 to unsigned reads"))
}

/// A key that is there: one that isn't is refused as well, whoever may read the others.
async fn object(stage: &Stage<'_>, bucket: Resource<'_>, round: Round) -> Result<Option<String>, Problem> {
    let name = bucket.name;
    if let Some(site) = stage.published().filter(|site| site.bucket == name) {
        return Ok(site
            .objects(stage, round)
            .await?
            .iter()
            .next()
            .map(|(key, _)| key.to_string()));
    }
    let there = bucket
        .cloud()
        .s3
        .list_objects_v2()
        .bucket(name)
        .max_keys(1)
        .send()
        .await;
    let there = asked(there, &format!("could not list the bucket {name}"))?;
    Ok(there
        .contents()
        .first()
        .and_then(|object| object.key())
        .map(str::to_owned))
}

async fn is_refused(stage: &Stage<'_>, bucket: Resource<'_>, url: String) -> Result<(), Problem> {
    let answer = send(&stage.http, Method::GET, &url, &[]).await?;
    match answer.status {
        // Its own words: a proxy on the way may answer 403 as well.
        403 if answer.text().contains("AccessDenied") => Ok(()),
        200..300 => Err(Problem::failed(
            format!("{url} answers {} to anybody, instead of 403", answer.status),
            bucket.restore(),
        )),
        status => Err(Problem::failed(
            format!(
                "{url} answers {status} instead of S3's 403 AccessDenied: {}",
                answer.beginning()
            ),
            "Is there a proxy between this machine and S3? Run `deployer verify --only privacy` again.",
        )),
    }
}
