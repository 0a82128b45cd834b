//! A small JSON object in a bucket that several runs write: each write names the version that it replaces, so that of two at
//! once one gets through. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>

use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt as _;

use crate::cloud::Cloud;
use crate::cloud::repeated::is_open;
use crate::cloud::sdk_error::{code, explain};
use crate::error::{Error, OrFail as _, Result};

/// Which object it is.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its key.
    pub key: &'static str,
    /// The largest that is read, in bytes.
    pub most_bytes: u64,
    /// What to do about one that can't be used, given a command that removes it.
    pub remedy: fn(&str) -> String,
}

/// One version of it.
#[derive(Debug)]
pub(crate) struct Version<T> {
    /// What it says.
    pub value: T,
    /// Tells it from any other version.
    pub etag: String,
    /// When it was written by S3's clock, in seconds since 1970.
    pub written: Option<u64>,
}

/// What is there.
#[derive(Debug)]
pub(crate) enum There<T> {
    /// This version.
    It(T),
    /// None.
    Nothing,
    /// Not even the bucket, and what that would be told as.
    NoBucket(Error),
}

/// What came of a write.
#[derive(Debug)]
pub(crate) enum Wrote {
    /// It is there, with this ETag.
    It(String),
    /// Another version is, or none any more.
    Another,
    /// Not even the bucket is, and what that would be told as.
    NoBucket(Error),
}

impl Document {
    /// The version that is there.
    ///
    /// # Errors
    /// It can't be read, or is no such document.
    pub(crate) async fn read<T: DeserializeOwned>(&self, cloud: &Cloud, bucket: &str) -> Result<There<Version<T>>> {
        let (text, etag, written) = match self.text(cloud, bucket).await? {
            There::It(there) => there,
            There::Nothing => return Ok(There::Nothing),
            There::NoBucket(error) => return Ok(There::NoBucket(error)),
        };
        let value = serde_json::from_slice(&text).map_err(|error| self.unusable(bucket).cause(error))?;
        Ok(There::It(Version { value, etag, written }))
    }

    /// Puts `value` in the place of the version with `etag`, or of none.
    ///
    /// Where S3 did it but its answer was lost, the request is repeated, and refused for the sake of what it wrote itself: it is
    /// looked what is there.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) async fn replace(
        &self,
        cloud: &Cloud,
        bucket: &str,
        value: &impl Serialize,
        etag: Option<&str>,
    ) -> Result<Wrote> {
        let what = || format!("could not write {} of {bucket}", self.key);
        let text = serde_json::to_vec(value).or_fail(what)?;
        let request = self.request(cloud, bucket, text.clone());
        let request = match etag {
            Some(etag) => request.if_match(etag),
            None => request.if_none_match("*"),
        };
        let error = match request.send().await {
            Ok(answer) => return Ok(Wrote::It(answer.e_tag.unwrap_or_default())),
            Err(error) => error,
        };
        if code(&error) == "NoSuchBucket" {
            return Ok(Wrote::NoBucket(explain(error, &what())));
        }
        if !is_open(&error) {
            return Err(explain(error, &what()));
        }
        // Another version; one that is being written; none any more.
        let is_another = ["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"].contains(&code(&error));
        match self.text(cloud, bucket).await {
            Ok(There::It((there, etag, _))) if there == text => Ok(Wrote::It(etag)),
            Ok(There::NoBucket(error)) => Ok(Wrote::NoBucket(error)),
            Ok(There::It(_) | There::Nothing) if is_another => Ok(Wrote::Another),
            Err(error) if is_another => Err(error),
            _ => Err(explain(error, &what())),
        }
    }

    /// Puts `value` in the place of whatever is there: of two at once the later stays.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) async fn put(&self, cloud: &Cloud, bucket: &str, value: &impl Serialize) -> Result<()> {
        let what = || format!("could not write {} of {bucket}", self.key);
        let text = serde_json::to_vec(value).or_fail(what)?;
        let put = self.request(cloud, bucket, text).send().await;
        put.map(|_| ()).map_err(|error| explain(error, &what()))
    }

    fn request(&self, cloud: &Cloud, bucket: &str, text: Vec<u8>) -> PutObjectFluentBuilder {
        let request = cloud.s3.put_object().bucket(bucket).key(self.key);
        request.content_type("application/json").body(ByteStream::from(text))
    }

    /// What is there, with its ETag and when it was written.
    async fn text(&self, cloud: &Cloud, bucket: &str) -> Result<There<(Vec<u8>, String, Option<u64>)>> {
        let what = || self.cannot_read(bucket);
        let answer = match cloud.s3.get_object().bucket(bucket).key(self.key).send().await {
            Ok(answer) => answer,
            Err(error) if code(&error) == "NoSuchKey" => return Ok(There::Nothing),
            Err(error) if code(&error) == "NoSuchBucket" => return Ok(There::NoBucket(explain(error, &what()))),
            Err(error) => return Err(explain(error, &what())),
        };
        let etag = answer.e_tag.unwrap_or_default();
        let written = answer.last_modified.and_then(|time| u64::try_from(time.secs()).ok());
        let mut text = Vec::new();
        let mut most = answer.body.into_async_read().take(self.most_bytes + 1);
        most.read_to_end(&mut text).await.or_fail(what)?;
        if most.limit() == 0 {
            return Err(self
                .unusable(bucket)
                .cause(format!("it has more than {} MiB", self.most_bytes >> 20)));
        }
        Ok(There::It((text, etag, written)))
    }

    fn unusable(&self, bucket: &str) -> Error {
        let command = format!("aws s3 rm s3://{bucket}/{}", self.key);
        Error::failed(self.cannot_read(bucket)).hint((self.remedy)(&command))
    }

    fn cannot_read(&self, bucket: &str) -> String {
        format!("could not read {} of {bucket}", self.key)
    }
}
