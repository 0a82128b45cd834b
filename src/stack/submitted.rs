//! How a template reaches CloudFormation: in the request itself, or, if it is too large for one, as an object in the
//! artifacts bucket that goes as soon as CloudFormation has read it.

use std::time::SystemTime;

use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use super::desired::Rendered;
use crate::cloud::sdk_error::{code, explain};
use crate::cloud::{Cloud, PlansOnly};
use crate::error::{Error, ErrorKind, Result};
use crate::ident::fresh_token;
use crate::journal::{Entry, Undone};
use crate::project::stacks::LARGEST_IN_REQUEST_BYTES;

/// What the keys of templates begin with, beside the packages in their bucket.
const KEYS: &str = "templates/";

/// After how long one that is still there was forgotten.
const FORGOTTEN_SECONDS: i64 = 24 * 60 * 60;

/// A template as a request has it: in it, or by the address that it lies at meanwhile.
#[derive(Debug)]
pub(super) struct Submitted {
    /// The template itself.
    pub(super) body: Option<String>,
    /// Else where it is.
    pub(super) url: Option<String>,
    object: Option<(Object, Entry)>,
}

/// Where one template lies.
#[derive(Debug, Clone)]
struct Object {
    /// The account in the bucket's region.
    cloud: Cloud,
    bucket: String,
    key: String,
}

impl Submitted {
    /// Makes a template ready to be asked about. What this puts into the bucket is taken away by [`Self::clear`], and as
    /// the run ends if that isn't reached.
    ///
    /// # Errors
    /// It can't be put there, or is too large for a request and there is no bucket.
    pub(super) async fn new(cloud: &Cloud, rendered: &Rendered) -> Result<Self> {
        if rendered.body.len() <= LARGEST_IN_REQUEST_BYTES {
            return Ok(Self {
                body: Some(rendered.body.clone()),
                url: None,
                object: None,
            });
        }
        let bucket = rendered.bucket.as_ref().ok_or_else(|| {
            Error::failed(format!(
                "{} has {} bytes as JSON, and there is no bucket to hand it over in",
                rendered.file,
                rendered.body.len()
            ))
            .hint("Run `deployer up` once, without --only: the stack with the bucket is made then.")
        })?;
        let sum = Sha256::digest(&rendered.body);
        let object = Object {
            cloud: if bucket.region == cloud.region {
                cloud.clone()
            } else {
                cloud.in_region(&bucket.region)?
            },
            bucket: bucket.name.clone(),
            // The hash tells what it is. Two runs, or two calls of one, may have the same template; none takes another's
            // away.
            key: format!("{KEYS}{}-{}.json", hex::encode(sum), fresh_token()),
        };
        let entry = {
            let object = object.clone();
            let undo = move || async move { object.remove().await.map(|()| Undone::Gone) };
            cloud.journal.undoable(undo).await
        };
        object.put(&rendered.body, &BASE64.encode(sum)).await?;
        Ok(Self {
            body: None,
            url: Some(object.url()),
            object: Some((object, entry)),
        })
    }

    /// Takes away what lay in the bucket: CloudFormation has its own copy once it has answered. What can't be removed now
    /// is tried again, and told, as the run ends.
    pub(super) async fn clear(self) {
        let Some((object, entry)) = self.object else { return };
        if object.remove().await.is_ok() {
            entry.done();
        }
        // A run that was killed couldn't. Whatever hinders this, the next run comes.
        let _ = object.remove_forgotten().await;
    }

    /// Why CloudFormation couldn't read the template, if that is what this refusal says; it has no code of its own for it.
    pub(super) fn unreadable(&self, cloud: &Cloud, message: &str) -> Option<Error> {
        let (object, _) = self.object.as_ref()?;
        // "S3 error: Access Denied", "TemplateURL must reference a valid S3 object to which you have access."
        if !message.starts_with("S3 error") && !message.contains("TemplateURL must") {
            return None;
        }
        let error = Error::new(
            ErrorKind::AccessDenied,
            format!("CloudFormation can't read the template from s3://{}/{}", object.bucket, object.key),
        )
        .cause(message.to_owned())
        .hint(format!(
            "It reads as the deploying identity: allow that s3:GetObject on arn:…:s3:::{}/{KEYS}* and, if the bucket has a \
             key of its own, kms:Decrypt with it.",
            object.bucket
        ));
        Some(if object.cloud.region == cloud.region {
            error
        } else {
            error.hint(format!(
                "The bucket is in {}, the stack in {}: if the account keeps the one from the other, move resources to \
                 another template until this one has at most {LARGEST_IN_REQUEST_BYTES} bytes as JSON.",
                object.cloud.region, cloud.region
            ))
        })
    }
}

impl Object {
    async fn put(&self, body: &str, sha256: &str) -> Result<()> {
        self.cloud
            .s3
            .put_object()
            .bucket(&self.bucket)
            .key(&self.key)
            .content_type("application/json")
            .checksum_sha256(sha256)
            .body(ByteStream::from(body.as_bytes().to_vec()))
            .customize()
            .config_override(Cloud::for_sending(body.len() as u64))
            .interceptor(PlansOnly)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| explain(error, &format!("could not put a template into {}", self.bucket)))
    }

    /// Removes all versions of it. By a list, since what an interrupted request made never told its version.
    async fn remove(&self) -> Result<()> {
        self.remove_below(&self.key, |_| true).await
    }

    /// Removes what other runs left a day ago or longer, which no CloudFormation still reads.
    async fn remove_forgotten(&self) -> Result<()> {
        let now = DateTime::from(SystemTime::now()).secs();
        self.remove_below(KEYS, |put| put.is_some_and(|put| put.secs() < now - FORGOTTEN_SECONDS))
            .await
    }

    async fn remove_below(&self, prefix: &str, is_meant: impl Fn(Option<&DateTime>) -> bool) -> Result<()> {
        let what = || format!("could not remove s3://{}/{prefix}", self.bucket);
        let listed = self.cloud.s3.list_object_versions().bucket(&self.bucket).prefix(prefix);
        let listed = match listed.send().await {
            // It went with its bucket.
            Err(error) if code(&error) == "NoSuchBucket" => return Ok(()),
            listed => listed.map_err(|error| explain(error, &what()))?,
        };
        let versions = listed.versions().iter();
        let versions = versions.map(|one| (one.key(), one.version_id(), one.last_modified()));
        let markers = listed.delete_markers().iter();
        let markers = markers.map(|one| (one.key(), one.version_id(), one.last_modified()));
        let objects: Vec<ObjectIdentifier> = versions
            .chain(markers)
            .filter(|(.., put)| is_meant(*put))
            .filter_map(|(key, version, _)| {
                let object = ObjectIdentifier::builder().key(key?);
                object.set_version_id(version.map(str::to_owned)).build().ok()
            })
            .collect();
        if objects.is_empty() {
            return Ok(());
        }
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
        let delete = delete.map_err(|error| Error::failed(what()).cause(error))?;
        let answer = self
            .cloud
            .s3
            .delete_objects()
            .bucket(&self.bucket)
            .delete(delete)
            .customize()
            .interceptor(PlansOnly)
            .send()
            .await
            .map_err(|error| explain(error, &what()))?;
        // S3 answers 200 and tells in it what it refused.
        match answer.errors().first() {
            None => Ok(()),
            Some(refused) => Err(Error::failed(what()).cause(format!(
                "{}: {}",
                refused.code().unwrap_or_default(),
                refused.message().unwrap_or_default()
            ))),
        }
    }

    fn url(&self) -> String {
        let s3 = match self.cloud.endpoint.url() {
            Some(endpoint) => endpoint.to_owned(),
            None => s3_of(&self.cloud.region, self.cloud.url_suffix()),
        };
        address(&s3, &self.bucket, &self.key)
    }
}

/// An object's address with the bucket in the path: so no host name is made of a bucket's, which may have dots, and an
/// emulator understands it.
fn address(s3: &str, bucket: &str, key: &str) -> String {
    format!("{}/{bucket}/{key}", s3.trim_end_matches('/'))
}

/// Where a region's S3 answers, in a partition whose names end so. Only that region's has what is in it; stacks of other
/// regions may have their templates read there.
/// <https://docs.aws.amazon.com/general/latest/gr/s3.html>
fn s3_of(region: &str, suffix: &str) -> String {
    format!("https://s3.{region}.{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_the_buckets_region_and_partition() {
        for (s3, expected) in [
            (
                s3_of("eu-central-1", "amazonaws.com"),
                "https://s3.eu-central-1.amazonaws.com/my.bucket/templates/a.json",
            ),
            (
                s3_of("cn-north-1", "amazonaws.com.cn"),
                "https://s3.cn-north-1.amazonaws.com.cn/my.bucket/templates/a.json",
            ),
            (
                "http://[::1]:4566/base/".to_owned(),
                "http://[::1]:4566/base/my.bucket/templates/a.json",
            ),
        ] {
            assert_eq!(address(&s3, "my.bucket", "templates/a.json"), expected);
        }
    }
}
