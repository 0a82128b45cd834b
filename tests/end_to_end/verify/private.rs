//! Who may read the buckets, and what the function may do.

use serde_json::json;

use super::{ROLE, STAGE, Stage, TABLE, checks, names};

#[tokio::test(flavor = "multi_thread")]
async fn buckets_that_others_may_read() {
    let stage = Stage::deployed();
    let s3 = &stage.clients.s3;
    for (bucket, name) in [(stage.output("siteBucket"), "site"), (stage.artifacts(), "artifacts")] {
        let block = s3.get_public_access_block().bucket(&bucket).send().await.expect("it");
        s3.delete_public_access_block()
            .bucket(&bucket)
            .send()
            .await
            .expect("deleted");
        let check = format!("privacy {name} bucket blocks public access");
        stage.caught(&[&check], &["RestrictPublicBuckets of"]);

        let before = s3.get_bucket_policy().bucket(&bucket).send().await.expect("it");
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
            format!("privacy {name} bucket policy"),
            format!("privacy {name} bucket unreadable"),
        );
        stage.caught(&[&check, &policy, &reads], &["to anybody, instead of 403"]);
        // Whoever knows a name can read it, though nobody can list them.
        let objects = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{bucket}/*")}]});
        let put = s3.put_bucket_policy().bucket(&bucket);
        put.policy(objects.to_string()).send().await.expect("put");
        stage.caught(&[&check, &policy, &reads], &["answers 200 to anybody, instead of 403"]);

        let put = s3.put_bucket_policy().bucket(&bucket);
        put.policy(before.policy().expect("text")).send().await.expect("put");
        let put = s3.put_public_access_block().bucket(&bucket);
        put.set_public_access_block_configuration(block.public_access_block_configuration)
            .send()
            .await
            .expect("put");
    }
    let bucket = stage.artifacts();
    s3.delete_bucket_policy().bucket(&bucket).send().await.expect("deleted");
    let artifacts = "privacy artifacts bucket policy";
    stage.caught(&[artifacts], &["doesn't refuse plain HTTP"]);
    let bucket = stage.output("siteBucket");
    s3.delete_bucket_policy().bucket(&bucket).send().await.expect("deleted");
    stage.caught(
        &[
            artifacts,
            "privacy site bucket policy",
            "site files",
            "site api address",
        ],
        &["lets nobody read, CloudFront neither"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_do_more() {
    let stage = Stage::deployed();
    let iam = &stage.clients.iam;
    let both = ["permissions role policies", "permissions simulated"];
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
    stage.caught(&both, &["allows dynamodb:* on", "may dynamodb:PutItem on"]);
    set(&before.replace(&format!("table/{TABLE}"), "table/*")).await;
    stage.caught(&both, &["allows dynamodb:GetItem on", "another table"]);
    set(&before.replace(&format!("table/{TABLE}"), "table/Another")).await;
    stage.caught(
        &[both[0], both[1], "function answers", "api answers"],
        &["may not dynamodb:GetItem on", "instead of 200"],
    );
    set(&before).await;

    let attach = iam.attach_role_policy().role_name(ROLE);
    let arn = "arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess";
    attach.policy_arn(arn).send().await.expect("attached");
    // The emulator's simulator doesn't know what AWS's own policies say.
    stage.caught(&both[..1], &["AmazonDynamoDBReadOnlyAccess is attached to"]);
    iam.detach_role_policy()
        .role_name(ROLE)
        .policy_arn(arn)
        .send()
        .await
        .expect("detached");

    let put = iam.put_role_policy().role_name(ROLE).policy_name("second");
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*"}}"#;
    put.policy_document(text).send().await.expect("put");
    stage.caught(&both[..1], &["2 inline policies instead of one"]);
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
        &["privacy site bucket unreadable"],
        &["Blocked by the office's proxy", "Is there a proxy"],
    );
}

#[test]
fn when_nothing_may_be_looked_at_nothing_is_verified() {
    let (stage, proxy) = Stage::behind_a_proxy();
    proxy.rule(|seen| {
        let denied = matches!(seen.operation.as_str(), "BatchGetItem" | "DescribeTable");
        denied.then(|| {
            let text = r#"{"__type":"AccessDeniedException","Message":"not authorized to perform: dynamodb"}"#;
            (400, text.to_owned())
        })
    });
    let ran = stage.verify_at(&proxy.endpoint(), &["--only", "data"]);
    assert_eq!(names(&checks(&ran), "notProven").len(), 2);
    assert_eq!(ran.json()["verified"], false);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("nothing could be proven"), "{}", ran.stderr);
    let ran = stage.verify_at(&proxy.endpoint(), &[]).success();
    assert_eq!(ran.json()["verified"], true, "the other layers are proven");
}

#[test]
fn what_was_changed_by_hand_is_undone_when_told() {
    let (stage, proxy) = Stage::behind_a_proxy();
    let up = ["up", "--stage", STAGE, "--revert-drift", "--no-verify"];
    stage.project.deployer(&proxy.endpoint(), &up).success();
    let made: Vec<_> = proxy
        .take()
        .into_iter()
        .filter(|seen| seen.operation == "CreateChangeSet")
        .collect();
    assert_eq!(made.len(), 4, "one a stack, though no template has changed");
    for seen in &made {
        assert_eq!(seen.parameter("DeploymentMode").as_deref(), Some("REVERT_DRIFT"));
        assert_eq!(seen.parameter("ChangeSetType").as_deref(), Some("UPDATE"));
        assert_eq!(seen.parameter("DeploymentConfig.Mode"), None, "the two aren't combined");
    }
}
