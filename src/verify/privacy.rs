//! The buckets, for everybody who isn't meant to read them.

use aws_sdk_s3::operation::get_bucket_policy::GetBucketPolicyError;
use aws_smithy_runtime_api::client::result::SdkError;
use reqwest::Method;
use serde_json::Value;

use super::http::send;
use super::policy::{statements, texts};
use super::{Finding, Problem, Subject, asked};
use crate::cloud::sdk_error::code;
use crate::project::Tier;
use crate::site::url_path;

/// A read without credentials is refused.
pub(super) async fn unreadable(subject: &Subject<'_>, bucket: &str) -> Finding {
    let cloud = subject.cloud;
    let base = match cloud.endpoint.url() {
        Some(endpoint) => format!("{endpoint}/{bucket}"),
        None => format!("https://{bucket}.s3.{}.{}", cloud.region, cloud.url_suffix()),
    };
    // A key that isn't there is refused as well, whoever may read the others.
    let there = cloud.s3.list_objects_v2().bucket(bucket).max_keys(1).send().await;
    let there = asked(there, &format!("could not list the bucket {bucket}"))?;
    let object = there.contents().first().and_then(|object| object.key());
    let object = object.map(url_path);
    for path in ["/?list-type=2"].into_iter().chain(object.as_deref()) {
        let url = format!("{base}{path}");
        let answer = send(&subject.http, Method::GET, &url, &[]).await?;
        match answer.status {
            // Its own words: a proxy on the way may answer 403 as well.
            403 if answer.text().contains("AccessDenied") => {}
            200..300 => {
                return Err(Problem::failed(
                    format!("{url} answers {} to anybody, instead of 403", answer.status),
                    restore(subject, bucket),
                ));
            }
            status => {
                return Err(Problem::failed(
                    format!(
                        "{url} answers {status} instead of S3's 403 AccessDenied: {}",
                        answer.beginning()
                    ),
                    "Is there a proxy between this machine and S3? Run `deployer verify --only privacy` again.",
                ));
            }
        }
    }
    Ok(format!("{base} answers 403 to unsigned reads"))
}

/// All four settings of Block Public Access are on.
pub(super) async fn blocked(subject: &Subject<'_>, bucket: &str) -> Finding {
    let answer = subject.cloud.s3.get_public_access_block().bucket(bucket).send().await;
    let none = |error: &SdkError<_, _>| code(error) == "NoSuchPublicAccessBlockConfiguration";
    let settings = match answer {
        Err(error) if none(&error) => None,
        answer => {
            asked(answer, &format!("could not read Block Public Access of {bucket}"))?.public_access_block_configuration
        }
    };
    let off: Vec<&str> = [
        ("BlockPublicAcls", settings.as_ref().and_then(|s| s.block_public_acls())),
        (
            "IgnorePublicAcls",
            settings.as_ref().and_then(|s| s.ignore_public_acls()),
        ),
        (
            "BlockPublicPolicy",
            settings.as_ref().and_then(|s| s.block_public_policy()),
        ),
        (
            "RestrictPublicBuckets",
            settings.as_ref().and_then(|s| s.restrict_public_buckets()),
        ),
    ]
    .into_iter()
    .filter(|(_, on)| *on != Some(true))
    .map(|(name, _)| name)
    .collect();
    if off.is_empty() {
        return Ok(format!("all four settings are on for {bucket}"));
    }
    Err(Problem::failed(
        format!("{} of {bucket} is off", off.join(", ")),
        restore(subject, bucket),
    ))
}

/// Only this distribution may read the site's bucket.
pub(super) async fn site_policy(subject: &Subject<'_>) -> Finding {
    let cloud = subject.cloud;
    let distribution = format!(
        "arn:{}:cloudfront::{}:distribution/{}",
        cloud.partition, cloud.account, subject.distribution_id
    );
    let policy = policy(subject, &subject.site_bucket).await?;
    // Off AWS the site's bucket is read by plain HTTP, and its template leaves the refusal out.
    if cloud.endpoint.is_aws() && !requires_tls(&policy) {
        return Err(Problem::failed(
            format!("the policy of {} doesn't refuse plain HTTP", subject.site_bucket),
            restore(subject, &subject.site_bucket),
        ));
    }
    let allowed: Vec<&Value> = allowing(&policy).collect();
    if allowed.is_empty() {
        return Err(Problem::failed(
            format!(
                "the policy of {} lets nobody read, CloudFront neither",
                subject.site_bucket
            ),
            restore(subject, &subject.site_bucket),
        ));
    }
    match allowed.into_iter().find(|statement| !is_for(statement, &distribution)) {
        None => Ok(format!("only {distribution} may read {}", subject.site_bucket)),
        Some(statement) => Err(Problem::failed(
            format!(
                "the policy of {} allows more than {distribution} to read: {statement}",
                subject.site_bucket
            ),
            restore(subject, &subject.site_bucket),
        )),
    }
}

/// Nobody is allowed anything by the policy of the artifacts bucket, where the account's own identities are enough; what
/// it does is to refuse plain HTTP.
pub(super) async fn artifacts_policy(subject: &Subject<'_>) -> Finding {
    let policy = policy(subject, &subject.artifacts_bucket).await?;
    if !requires_tls(&policy) {
        return Err(Problem::failed(
            format!("the policy of {} doesn't refuse plain HTTP", subject.artifacts_bucket),
            restore(subject, &subject.artifacts_bucket),
        ));
    }
    match allowing(&policy).next() {
        None => Ok(format!(
            "the policy of {} allows nothing, and refuses plain HTTP",
            subject.artifacts_bucket
        )),
        Some(statement) => Err(Problem::failed(
            format!("the policy of {} allows {statement}", subject.artifacts_bucket),
            restore(subject, &subject.artifacts_bucket),
        )),
    }
}

/// The bucket's policy; null if it has none.
async fn policy(subject: &Subject<'_>, bucket: &str) -> Result<Value, Problem> {
    let answer = subject.cloud.s3.get_bucket_policy().bucket(bucket).send().await;
    let none = |error: &SdkError<GetBucketPolicyError, _>| code(error) == "NoSuchBucketPolicy";
    let text = match answer {
        Err(error) if none(&error) => return Ok(Value::Null),
        answer => asked(answer, &format!("could not read the policy of {bucket}"))?
            .policy
            .unwrap_or_default(),
    };
    serde_json::from_str(&text).map_err(|error| {
        Problem::failed(
            format!("the policy of {bucket} isn't JSON: {error}"),
            restore(subject, bucket),
        )
    })
}

fn restore(subject: &Subject<'_>, bucket: &str) -> String {
    if bucket == subject.site_bucket {
        subject.restore("SiteBucket and SiteBucketPolicy", Tier::Presentation)
    } else {
        subject.restore("the bucket and its policy", Tier::Artifacts)
    }
}

/// Whether everybody is denied everything by plain HTTP.
fn requires_tls(policy: &Value) -> bool {
    statements(policy).any(|statement| {
        statement["Effect"] == "Deny"
            && statement["Principal"] == "*"
            && statement["Action"] == "s3:*"
            && statement["Condition"]["Bool"]["aws:SecureTransport"] == "false"
    })
}

fn allowing(policy: &Value) -> impl Iterator<Item = &Value> {
    statements(policy).filter(|statement| statement["Effect"] != "Deny")
}

/// Whether a statement lets this distribution read objects, and nobody and nothing else.
fn is_for(statement: &Value, distribution: &str) -> bool {
    let reads = texts(&statement["Action"]).all(|action| action == "s3:GetObject" || action == "s3:ListBucket");
    let arns: Vec<&str> = ["StringEquals", "ArnEquals"]
        .iter()
        .filter_map(|operator| statement["Condition"][operator].as_object())
        .flatten()
        .filter(|(key, _)| key.eq_ignore_ascii_case("aws:SourceArn"))
        .flat_map(|(_, value)| texts(value))
        .collect();
    reads
        && statement["NotAction"].is_null()
        && statement["Principal"] == serde_json::json!({"Service": "cloudfront.amazonaws.com"})
        && arns == [distribution]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OURS: &str = "arn:aws:cloudfront::1:distribution/E1";

    fn statement(change: impl FnOnce(&mut Value)) -> Value {
        let mut statement = json!({
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::b/*",
            "Condition": {"StringEquals": {"AWS:SourceArn": OURS}},
        });
        change(&mut statement);
        statement
    }

    #[test]
    fn plain_http_is_refused_by_a_denial_of_everything() {
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["a", "b"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
        assert!(requires_tls(&json!({"Statement": [deny]})));
        for (key, value) in [
            ("Effect", json!("Allow")),
            ("Action", json!("s3:GetObject")),
            ("Principal", json!({"AWS": "1"})),
            ("Condition", Value::Null),
        ] {
            let mut lax = deny.clone();
            lax[key] = value;
            assert!(!requires_tls(&json!({"Statement": [lax]})), "{key}");
        }
        assert!(!requires_tls(&Value::Null));
    }

    #[test]
    fn only_this_distribution_and_only_reading_is_right() {
        assert!(is_for(&statement(|_| {}), OURS));
        assert!(is_for(
            &statement(|s| s["Action"] = json!(["s3:GetObject", "s3:ListBucket"])),
            OURS
        ));
        let wrong: [fn(&mut Value); 7] = [
            |s| s["Principal"] = json!("*"),
            |s| s["Principal"] = json!({"Service": "cloudfront.amazonaws.com", "AWS": "*"}),
            |s| s["Action"] = json!("s3:*"),
            |s| s["Action"] = json!(["s3:GetObject", "s3:PutObject"]),
            |s| s["Condition"] = Value::Null,
            |s| {
                s["Condition"]["StringEquals"]["AWS:SourceArn"] =
                    json!([OURS, "arn:aws:cloudfront::2:distribution/E2"]);
            },
            |s| {
                s["NotAction"] = json!("s3:PutObject");
                s["Action"] = Value::Null;
            },
        ];
        for (number, change) in wrong.into_iter().enumerate() {
            assert!(!is_for(&statement(change), OURS), "{number}");
        }
    }
}
