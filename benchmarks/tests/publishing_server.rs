//! The server that tools are measured against behaves as S3 does, as far as AWS's own client can tell.

#![expect(clippy::expect_used, reason = "a test says what it needed by failing")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};

const BUCKET: &str = "website-prod-123456789012-us-east-1";
/// The one whose objects keep their content.
const ARTIFACTS: &str = "website-prod-artifacts-123456789012-us-east-1";
const MD5_OF_HELLO: &str = "\"5d41402abc4b2a76b9719d911017c592\"";

struct Server {
    child: Child,
    client: Client,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_publishing"))
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut url = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut url).expect("it says where it is");
        let config = aws_sdk_s3::Config::builder()
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::new(
                "AKIAIOSFODNN7EXAMPLE",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                None,
                None,
                "test",
            ))
            .region(Region::from_static("us-east-1"))
            .endpoint_url(url.trim_end())
            .force_path_style(true)
            .build();
        let client = Client::from_conf(config);
        Self { child, client }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test]
async fn listings_have_etags_and_pages() {
    let server = Server::start();
    for number in 0..1001 {
        let sent = server.client.put_object().bucket(BUCKET).key(format!("{number:04}"));
        // The client sends it in chunks, with a checksum at the end.
        let sent = sent.body(ByteStream::from_static(b"hello")).send().await.expect("put");
        assert_eq!(sent.e_tag(), Some(MD5_OF_HELLO));
    }
    let list = server.client.list_objects_v2().bucket(BUCKET);
    let first = list.clone().send().await.expect("listed");
    assert_eq!((first.contents().len(), first.is_truncated()), (1000, Some(true)));
    assert!(
        first
            .contents()
            .iter()
            .all(|object| object.e_tag() == Some(MD5_OF_HELLO) && object.size() == Some(5))
    );
    let next = list
        .set_continuation_token(first.next_continuation_token)
        .send()
        .await
        .expect("listed");
    assert_eq!((next.contents().len(), next.is_truncated()), (1, Some(false)));
    assert_eq!(next.contents()[0].key(), Some("1000"));

    let two = ["0000", "0001"].map(|key| ObjectIdentifier::builder().key(key).build().expect("whole"));
    let delete = Delete::builder()
        .set_objects(Some(two.to_vec()))
        .build()
        .expect("whole");
    let deleted = server
        .client
        .delete_objects()
        .bucket(BUCKET)
        .delete(delete)
        .send()
        .await;
    assert_eq!(deleted.expect("deleted").deleted().len(), 2);
    let rest = server
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .prefix("000")
        .send()
        .await
        .expect("listed");
    assert_eq!(rest.contents().len(), 8);
}

#[tokio::test]
async fn writes_can_be_conditional() {
    let server = Server::start();
    let put = || {
        let put = server.client.put_object().bucket(ARTIFACTS).key("lease");
        put.content_type("application/json")
            .body(ByteStream::from_static(b"hello"))
    };
    let refused = async |put: aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder| {
        let error = put.send().await.expect_err("refused");
        error.into_service_error().code().unwrap_or_default().to_owned()
    };
    assert_eq!(refused(put().if_match(MD5_OF_HELLO)).await, "NoSuchKey");
    put().if_none_match("*").send().await.expect("there was none");
    assert_eq!(refused(put().if_none_match("*")).await, "PreconditionFailed");
    assert_eq!(refused(put().if_match("\"0\"")).await, "PreconditionFailed");
    put().if_match(MD5_OF_HELLO).send().await.expect("it is that one");

    let lease = server
        .client
        .get_object()
        .bucket(ARTIFACTS)
        .key("lease")
        .send()
        .await
        .expect("there");
    assert_eq!(lease.content_type(), Some("application/json"));
    assert_eq!(lease.body.collect().await.expect("read").to_vec(), b"hello");
    let missing = server.client.head_object().bucket(BUCKET).key("lease").send().await;
    assert!(missing.expect_err("missing").into_service_error().is_not_found());
    let nowhere = server.client.head_bucket().bucket("another").send().await;
    assert!(nowhere.expect_err("no bucket").into_service_error().is_not_found());
}

#[tokio::test]
async fn a_large_object_comes_in_parts() {
    let server = Server::start();
    let (bucket, key) = (BUCKET, "large");
    let begun = server
        .client
        .create_multipart_upload()
        .bucket(bucket)
        .key(key)
        .send()
        .await
        .expect("begun");
    let id = begun.upload_id().expect("an id");
    let mut parts = Vec::new();
    for (number, size) in [(1, 5 << 20), (2, 1)] {
        let part = server
            .client
            .upload_part()
            .bucket(bucket)
            .key(key)
            .upload_id(id)
            .part_number(number);
        let sent = part.body(ByteStream::from(vec![0; size])).send().await.expect("sent");
        parts.push(
            CompletedPart::builder()
                .part_number(number)
                .set_e_tag(sent.e_tag)
                .build(),
        );
    }
    let upload = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = server
        .client
        .complete_multipart_upload()
        .bucket(bucket)
        .key(key)
        .upload_id(id);
    let completed = complete.multipart_upload(upload).send().await.expect("complete");
    assert!(
        completed.e_tag().is_some_and(|etag| etag.ends_with("-2\"")),
        "{completed:?}"
    );
    let object = server
        .client
        .head_object()
        .bucket(bucket)
        .key(key)
        .send()
        .await
        .expect("there");
    assert_eq!(object.content_length(), Some((5 << 20) + 1));
    let again = server
        .client
        .abort_multipart_upload()
        .bucket(bucket)
        .key(key)
        .upload_id(id)
        .send()
        .await;
    assert_eq!(
        again.expect_err("done").into_service_error().code(),
        Some("NoSuchUpload")
    );
}

#[test]
fn a_server_ends_with_who_started_it() {
    let mut server = Server::start();
    drop(server.child.stdin.take());
    assert!(server.child.wait().expect("ours").success());
}
