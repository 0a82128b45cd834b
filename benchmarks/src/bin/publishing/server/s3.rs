//! S3, as far as publishing needs it: a backend of our own for the crate `s3s`, which has the HTTP and the XML.
//!
//! Its sister `s3s-fs`, which keeps objects as files, can't be what tools are measured against: its listings have no
//! ETags, it walks the whole folder for each page of them, and a write is three files. This one keeps an index in
//! memory and forgets content when it is hashed. No tool measured here reads it, and the ETags are S3's: the MD5, or
//! that of the parts' MD5s. Versions, access and checksums beside `Content-MD5` aren't looked at, and keys are never
//! escaped in listings.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use md5::{Digest as _, Md5};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, BucketVersioningStatus, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, DeletedObject, ETag, ETagCondition, GetBucketEncryptionInput, GetBucketEncryptionOutput,
    GetBucketLocationInput, GetBucketLocationOutput, GetBucketOwnershipControlsInput, GetBucketOwnershipControlsOutput,
    GetBucketPolicyInput, GetBucketPolicyOutput, GetBucketVersioningInput, GetBucketVersioningOutput, GetObjectInput,
    GetObjectOutput, GetPublicAccessBlockInput, GetPublicAccessBlockOutput, HeadBucketInput, HeadBucketOutput,
    HeadObjectInput, HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output, Object as Listed, ObjectOwnership,
    ObjectStorageClass, OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration, PutObjectInput,
    PutObjectOutput, ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
    ServerSideEncryptionRule, StreamingBlob, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::store::{Condition, Headers, Object, Refusal, Store};
use super::{ACCOUNT, ARTIFACTS, DISTRIBUTION, SITE};

/// The site's pages whose content visitors are asked about; in the deployer's own bucket all is kept.
const KEPT: [&str; 2] = ["index.html", "404.html"];
/// S3's limit.
const MOST_LISTED: i32 = 1000;

/// The backend.
#[derive(Debug, Clone)]
pub(crate) struct Backend {
    store: Arc<Store>,
}

impl Backend {
    /// One with these objects.
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl S3 for Backend {
    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        drop(self.store.bucket(&request.input.bucket)?);
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        drop(self.store.bucket(&request.input.bucket)?);
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    async fn get_bucket_encryption(
        &self,
        request: S3Request<GetBucketEncryptionInput>,
    ) -> S3Result<S3Response<GetBucketEncryptionOutput>> {
        drop(self.store.bucket(&request.input.bucket)?);
        let by_default = ServerSideEncryptionByDefault {
            kms_master_key_id: None,
            sse_algorithm: ServerSideEncryption::from_static(ServerSideEncryption::AES256),
        };
        let rule = ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(by_default),
            ..ServerSideEncryptionRule::default()
        };
        Ok(S3Response::new(GetBucketEncryptionOutput {
            server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration { rules: vec![rule] }),
        }))
    }

    async fn get_bucket_ownership_controls(
        &self,
        request: S3Request<GetBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<GetBucketOwnershipControlsOutput>> {
        drop(self.store.bucket(&request.input.bucket)?);
        let rule = OwnershipControlsRule {
            object_ownership: ObjectOwnership::from_static(ObjectOwnership::BUCKET_OWNER_ENFORCED),
        };
        Ok(S3Response::new(GetBucketOwnershipControlsOutput {
            ownership_controls: Some(OwnershipControls { rules: vec![rule] }),
        }))
    }

    async fn get_bucket_policy(
        &self,
        request: S3Request<GetBucketPolicyInput>,
    ) -> S3Result<S3Response<GetBucketPolicyOutput>> {
        let bucket = request.input.bucket;
        drop(self.store.bucket(&bucket)?);
        let policy = policy(&bucket).ok_or_else(|| s3_error!(NoSuchBucketPolicy))?;
        Ok(S3Response::new(GetBucketPolicyOutput {
            policy: Some(policy.to_string()),
        }))
    }

    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        drop(self.store.bucket(&request.input.bucket)?);
        Ok(S3Response::new(GetBucketVersioningOutput {
            status: Some(BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED)),
            ..GetBucketVersioningOutput::default()
        }))
    }

    async fn get_public_access_block(
        &self,
        request: S3Request<GetPublicAccessBlockInput>,
    ) -> S3Result<S3Response<GetPublicAccessBlockOutput>> {
        drop(self.store.bucket(&request.input.bucket)?);
        Ok(S3Response::new(GetPublicAccessBlockOutput {
            public_access_block_configuration: Some(PublicAccessBlockConfiguration {
                block_public_acls: Some(true),
                block_public_policy: Some(true),
                ignore_public_acls: Some(true),
                restrict_public_buckets: Some(true),
            }),
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        if input.delimiter.is_some_and(|delimiter| !delimiter.is_empty()) {
            return Err(s3_error!(NotImplemented, "nothing measured here lists by folder"));
        }
        let max_keys = input.max_keys.unwrap_or(MOST_LISTED).clamp(0, MOST_LISTED);
        // The token is the last key of the page before.
        let after = input.continuation_token.as_deref().or(input.start_after.as_deref());
        let page = self.store.bucket(&input.bucket)?.list(
            input.prefix.as_deref().unwrap_or_default(),
            after,
            usize::try_from(max_keys).unwrap_or_default(),
        );
        let next = page
            .objects
            .last()
            .filter(|_| page.truncated)
            .map(|(key, _)| key.clone());
        let contents: Vec<Listed> = page
            .objects
            .into_iter()
            .map(|(key, object)| Listed {
                key: Some(key),
                size: i64::try_from(object.size).ok(),
                e_tag: Some(ETag::Strong(object.etag)),
                last_modified: Some(object.modified.into()),
                storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                ..Listed::default()
            })
            .collect();
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(input.prefix.unwrap_or_default()),
            max_keys: Some(max_keys),
            key_count: i32::try_from(contents.len()).ok(),
            is_truncated: Some(page.truncated),
            contents: Some(contents),
            continuation_token: input.continuation_token,
            start_after: input.start_after,
            next_continuation_token: next,
            ..ListObjectsV2Output::default()
        }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let keeps = input.bucket == ARTIFACTS || KEPT.contains(&input.key.as_str());
        let received = receive(input.body, keeps).await?;
        received.check(input.content_md5.as_deref())?;
        let condition = condition(input.if_match, input.if_none_match)?;
        let etag = hex::encode(received.md5);
        let object = Object {
            size: received.size,
            etag: etag.clone(),
            modified: SystemTime::now(),
            headers: Headers {
                cache_control: input.cache_control,
                content_encoding: input.content_encoding,
                content_type: input.content_type,
            },
            content: received.content,
        };
        self.store.bucket(&input.bucket)?.put(input.key, object, &condition)?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..PutObjectOutput::default()
        }))
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = request.input;
        let CopySource::Bucket { bucket, key, .. } = input.copy_source else {
            return Err(s3_error!(NotImplemented, "nothing measured here copies from elsewhere"));
        };
        let object = self.store.bucket(&bucket)?.get(&key)?.clone();
        if let Some(ETagCondition::ETag(wanted)) = &input.copy_source_if_match
            && wanted.value() != object.etag
        {
            return Err(s3_error!(PreconditionFailed, "the source is another"));
        }
        let etag = object.etag.clone();
        self.store
            .bucket(&input.bucket)?
            .put(input.key, object, &Condition::Always)?;
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                e_tag: Some(ETag::Strong(etag)),
                ..CopyObjectResult::default()
            }),
            ..CopyObjectOutput::default()
        }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let object = self
            .store
            .bucket(&request.input.bucket)?
            .get(&request.input.key)?
            .clone();
        Ok(S3Response::new(HeadObjectOutput {
            content_length: i64::try_from(object.size).ok(),
            e_tag: Some(ETag::Strong(object.etag)),
            last_modified: Some(object.modified.into()),
            cache_control: object.headers.cache_control,
            content_encoding: object.headers.content_encoding,
            content_type: object.headers.content_type,
            ..HeadObjectOutput::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let object = self
            .store
            .bucket(&request.input.bucket)?
            .get(&request.input.key)?
            .clone();
        let Some(content) = object.content else {
            return Err(s3_error!(
                NotImplemented,
                "this server forgets the content of most objects"
            ));
        };
        Ok(S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::from(s3s::Body::from(content))),
            content_length: i64::try_from(object.size).ok(),
            e_tag: Some(ETag::Strong(object.etag)),
            last_modified: Some(object.modified.into()),
            cache_control: object.headers.cache_control,
            content_encoding: object.headers.content_encoding,
            content_type: object.headers.content_type,
            ..GetObjectOutput::default()
        }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.store.bucket(&request.input.bucket)?.remove(&request.input.key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let delete = request.input.delete;
        let mut bucket = self.store.bucket(&request.input.bucket)?;
        let mut deleted = Vec::new();
        for object in delete.objects {
            bucket.remove(&object.key);
            deleted.push(DeletedObject {
                key: Some(object.key),
                ..DeletedObject::default()
            });
        }
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: (delete.quiet != Some(true)).then_some(deleted),
            ..DeleteObjectsOutput::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let headers = Headers {
            cache_control: input.cache_control,
            content_encoding: input.content_encoding,
            content_type: input.content_type,
        };
        let id = self.store.bucket(&input.bucket)?.begin(input.key.clone(), headers);
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let received = receive(input.body, false).await?;
        received.check(input.content_md5.as_deref())?;
        let mut bucket = self.store.bucket(&input.bucket)?;
        bucket.take_part(&input.upload_id, input.part_number, received.md5, received.size)?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(hex::encode(received.md5))),
            ..UploadPartOutput::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let parts = input.multipart_upload.and_then(|upload| upload.parts);
        let named: Option<Vec<(i32, String)>> = parts
            .unwrap_or_default()
            .into_iter()
            .map(|part| Some((part.part_number?, part.e_tag?.into_value())))
            .collect();
        let named = named.ok_or_else(|| s3_error!(InvalidPart, "a part has a number and an ETag"))?;
        let condition = condition(input.if_match, input.if_none_match)?;
        let etag = self
            .store
            .bucket(&input.bucket)?
            .complete(&input.upload_id, &named, &condition)?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(etag)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = request.input;
        self.store.bucket(&input.bucket)?.abort(&input.upload_id)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

/// The policy that its template gives the site's bucket. The deployer leaves out of all templates what demands TLS where an
/// endpoint has none, so that the other bucket has no policy.
fn policy(bucket: &str) -> Option<serde_json::Value> {
    let distribution = format!("arn:aws:cloudfront::{ACCOUNT}:distribution/{DISTRIBUTION}");
    (bucket == SITE).then(|| {
        serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "ThisDistributionReads",
                "Effect": "Allow",
                "Principal": { "Service": "cloudfront.amazonaws.com" },
                "Action": "s3:GetObject",
                "Resource": format!("arn:aws:s3:::{bucket}/*"),
                "Condition": { "StringEquals": { "AWS:SourceArn": distribution } }
            }]
        })
    })
}

/// What is left of a body.
struct Received {
    md5: [u8; 16],
    size: u64,
    content: Option<Bytes>,
}

impl Received {
    fn check(&self, content_md5: Option<&str>) -> S3Result<()> {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        match content_md5 {
            Some(sent) if BASE64_STANDARD.encode(self.md5) != sent => Err(s3_error!(BadDigest)),
            _ => Ok(()),
        }
    }
}

async fn receive(body: Option<StreamingBlob>, keeps: bool) -> S3Result<Received> {
    let mut md5 = Md5::new();
    let mut size = 0;
    let mut content = BytesMut::new();
    if let Some(mut body) = body {
        while let Some(chunk) = body.try_next().await.map_err(|_| s3_error!(IncompleteBody))? {
            md5.update(&chunk);
            size += chunk.len() as u64;
            if keeps {
                content.extend_from_slice(&chunk);
            }
        }
    }
    Ok(Received {
        md5: md5.finalize().into(),
        size,
        content: keeps.then(|| content.freeze()),
    })
}

fn condition(if_match: Option<ETagCondition>, if_none_match: Option<ETagCondition>) -> S3Result<Condition> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Condition::Always),
        (None, Some(ETagCondition::Any)) => Ok(Condition::Absent),
        (Some(ETagCondition::ETag(etag)), None) => Ok(Condition::Unchanged(etag.into_value())),
        _ => Err(s3_error!(NotImplemented, "S3 has no such condition of a write")),
    }
}

impl From<Refusal> for S3Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(match refusal {
            Refusal::NoSuchBucket => S3ErrorCode::NoSuchBucket,
            Refusal::NoSuchKey => S3ErrorCode::NoSuchKey,
            Refusal::NoSuchUpload => S3ErrorCode::NoSuchUpload,
            Refusal::InvalidPart => S3ErrorCode::InvalidPart,
            Refusal::InvalidPartOrder => S3ErrorCode::InvalidPartOrder,
            Refusal::EntityTooSmall => S3ErrorCode::EntityTooSmall,
            Refusal::PreconditionFailed => S3ErrorCode::PreconditionFailed,
        })
    }
}
