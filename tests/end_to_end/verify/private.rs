//! Who may read the buckets, and what the function may do.

use aws_sdk_s3::types::{
    BucketVersioningStatus, ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
    ServerSideEncryptionRule, VersioningConfiguration,
};
use serde_json::json;

use super::{MISSES, READS, ROLE, STAGE, Stage, TABLE, checks, names};
use crate::support::answers;

#[tokio::test(flavor = "multi_thread")]
async fn buckets_that_others_may_read() {
    let stage = Stage::deployed();
    let s3 = &stage.clients.s3;
    for (bucket, resource) in [
        (stage.site_bucket(), "presentation.SiteBucket"),
        (stage.artifacts(), "artifacts.Bucket"),
    ] {
        let block = s3.get_public_access_block().bucket(&bucket).send().await.expect("it");
        s3.delete_public_access_block()
            .bucket(&bucket)
            .send()
            .await
            .expect("deleted");
        let check = format!("bucket-public-access {resource}");
        stage.caught(&[&check], &["RestrictPublicBuckets of", &bucket]);

        // The artifacts' policy only refuses plain HTTP, and that is taken out of it off AWS: there is none then.
        let before = s3.get_bucket_policy().bucket(&bucket).send().await;
        let before = before.ok().and_then(|before| before.policy().map(str::to_owned));
        assert_eq!(before.is_none(), resource == "artifacts.Bucket");
        let all = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"],
             "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")]}]});
        s3.put_bucket_policy()
            .bucket(&bucket)
            .policy(all.to_string())
            .send()
            .await
            .expect("put");
        let (policy, reads) = (
            format!("bucket-policy {resource}"),
            format!("bucket-unreadable {resource}"),
        );
        stage.caught(&[&check, &policy, &reads], &["to anybody, instead of 403"]);
        // Whoever knows a name can read it, though nobody can list them.
        let objects = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{bucket}/*")}]});
        let put = s3.put_bucket_policy().bucket(&bucket);
        put.policy(objects.to_string()).send().await.expect("put");
        stage.caught(&[&check, &policy, &reads], &["answers 200 to anybody, instead of 403"]);

        match before {
            Some(before) => {
                let put = s3.put_bucket_policy().bucket(&bucket).policy(before);
                put.send().await.expect("put");
            }
            None => {
                let delete = s3.delete_bucket_policy().bucket(&bucket);
                delete.send().await.expect("deleted");
            }
        }
        let put = s3.put_public_access_block().bucket(&bucket);
        put.set_public_access_block_configuration(block.public_access_block_configuration)
            .send()
            .await
            .expect("put");
    }
    let bucket = stage.site_bucket();
    s3.delete_bucket_policy().bucket(&bucket).send().await.expect("deleted");
    stage.caught(
        &[
            "bucket-policy presentation.SiteBucket",
            &stage.of_site("site-files"),
            &stage.of_site("site-addresses"),
            &stage.of_site("site-config"),
        ],
        &["has no policy, and the template has presentation.SiteBucketPolicy"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_kept_otherwise() {
    let stage = Stage::deployed();
    let (s3, bucket) = (&stage.clients.s3, stage.site_bucket());
    let protection = "bucket-protection presentation.SiteBucket";
    let version = async |status: BucketVersioningStatus| {
        let status = VersioningConfiguration::builder().status(status).build();
        let put = s3.put_bucket_versioning().bucket(&bucket);
        put.versioning_configuration(status).send().await.expect("put");
    };
    version(BucketVersioningStatus::Suspended).await;
    stage.caught(
        &[protection],
        &["versioning of", &bucket, "is Suspended, and the template has Enabled"],
    );
    version(BucketVersioningStatus::Enabled).await;

    let key = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::AwsKms);
    let rule =
        ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(key.build().expect("complete"));
    let rules = ServerSideEncryptionConfiguration::builder().rules(rule.build());
    s3.put_bucket_encryption()
        .bucket(&bucket)
        .server_side_encryption_configuration(rules.build().expect("complete"))
        .send()
        .await
        .expect("put");
    stage.caught(
        &[protection],
        &["encryption of", "is aws:kms, and the template has AES256"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_distribution_that_reads_otherwise() {
    let stage = Stage::deployed();
    let (cloudfront, id) = (&stage.clients.cloudfront, stage.distribution());
    let is = cloudfront.get_distribution_config().id(&id).send().await.expect("it");
    let mut config = is.distribution_config.expect("a configuration");
    let origins = config.origins.as_mut().expect("origins");
    origins.items[0].origin_access_control_id = None;
    let update = cloudfront.update_distribution().id(&id).set_if_match(is.e_tag);
    update.distribution_config(config).send().await.expect("changed");
    // Unsigned, it is refused by the bucket, and nobody gets anything of the site.
    stage.caught(
        &[
            "distribution-origins presentation.Distribution",
            &stage.of_site("site-files"),
            &stage.of_site("site-addresses"),
            &stage.of_site("site-config"),
        ],
        &["the origin access control of the origin", "is ``, and the template has"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_do_more() {
    let stage = Stage::deployed();
    let iam = &stage.clients.iam;
    let both = ["role-policies logic.FunctionRole", "role-simulated logic.FunctionRole"];
    let before = iam
        .get_role_policy()
        .role_name(ROLE)
        .policy_name("read-one-table")
        .send()
        .await
        .expect("it");
    let before = percent_encoding::percent_decode_str(before.policy_document())
        .decode_utf8_lossy()
        .into_owned();
    let set = async |text: &str| {
        let put = iam.put_role_policy().role_name(ROLE).policy_name("read-one-table");
        put.policy_document(text).send().await.expect("put");
    };
    set(&before.replace("dynamodb:GetItem", "dynamodb:*")).await;
    stage.caught(&both, &["dynamodb:*", "may dynamodb:", "which no template grants"]);
    set(&before.replace(&format!("table/{TABLE}"), "table/*")).await;
    stage.caught(
        &both,
        &[
            "table/*",
            &format!("may dynamodb:GetItem on arn:aws:dynamodb:us-east-1:000000000000:table/{TABLE}-another"),
        ],
    );
    set(&before.replace(&format!("table/{TABLE}"), "table/Another")).await;
    stage.caught(
        &[&both[..], READS, MISSES].concat(),
        &["may not dynamodb:GetItem on", "the status is 500 and should be 200"],
    );
    set(&before).await;

    let attach = iam.attach_role_policy().role_name(ROLE);
    let arn = "arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess";
    attach.policy_arn(arn).send().await.expect("attached");
    // The emulator's simulator doesn't know what AWS's own policies say.
    stage.caught(&both[..1], &["AmazonDynamoDBReadOnlyAccess is attached"]);
    iam.detach_role_policy()
        .role_name(ROLE)
        .policy_arn(arn)
        .send()
        .await
        .expect("detached");

    let put = iam.put_role_policy().role_name(ROLE).policy_name("second");
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*"}}"#;
    put.policy_document(text).send().await.expect("put");
    stage.caught(&both[..1], &["an inline policy that no template has, second"]);
}

#[test]
fn a_403_that_is_not_s3s_own_proves_nothing() {
    let (stage, proxy) = Stage::behind_a_proxy();
    proxy.rule(|seen| {
        let unsigned = seen.authorization.is_empty() && seen.path.contains("-site-");
        unsigned.then(|| (403, "<html>Blocked by the office's proxy</html>".to_owned()))
    });
    stage.caught_at(
        &proxy.endpoint(),
        &["bucket-unreadable presentation.SiteBucket"],
        &["Blocked by the office's proxy", "Is there a proxy"],
    );
}

#[test]
fn when_nothing_may_be_looked_at_nothing_is_verified() {
    let (stage, proxy) = Stage::behind_a_proxy();
    proxy.rule(|seen| {
        let denied = matches!(seen.operation.as_str(), "BatchGetItem" | "DescribeTable");
        denied.then(|| answers::json_refusal(400, "AccessDeniedException", "not authorized to perform: dynamodb"))
    });
    let ran = stage.verify_at(&proxy.endpoint(), &["--only", "data"]);
    let unproven = [
        "seed-items data.Table",
        "table-protection data.Table",
        "table-schema data.Table",
    ];
    assert_eq!(names(&checks(&ran), "notProven"), unproven.map(str::to_owned).into());
    assert_eq!(ran.json()["verified"], false);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("nothing could be proven"), "{}", ran.stderr);
    let ran = stage.verify_at(&proxy.endpoint(), &[]).success();
    assert_eq!(ran.json()["verified"], true, "the other layers are proven");
}

/// An emulator takes the flag, and undoes nothing.
#[test]
fn what_was_changed_by_hand_is_undone_on_aws_alone() {
    let (stage, proxy) = Stage::behind_a_proxy();
    let up = ["up", "--stage", STAGE, "--revert-drift", "--no-verify"];
    let ran = stage.project.deployer(&proxy.endpoint(), &up);
    ran.fails_with(2)
        .says(&["--revert-drift is for AWS", "Nothing was changed"]);
    proxy.assert_nothing_was_written();
}
