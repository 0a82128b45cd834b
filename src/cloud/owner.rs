//! Buckets are used only while they are this account's: once one is deleted, anybody may take its name, and what was to be
//! the account's own would be written to a stranger, or read from one. S3 compares the owner itself, with each request that
//! says whose the bucket is to be; it is said here, where all requests pass, so that no caller can forget it.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// The header that S3 knows. On answers it is only our own note.
const HEADER: &str = "x-amz-expected-bucket-owner";

/// Operations that name no bucket.
const WITHOUT_BUCKET: &[&str] = &["ListBuckets", "ListDirectoryBuckets"];

/// Says to S3 which account's a bucket must be.
#[derive(Debug)]
pub(super) struct ExpectOwner(pub(super) String);

#[dyn_dispatch_hint]
impl Intercept for ExpectOwner {
    fn name(&self) -> &'static str {
        "ExpectOwner"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if names_bucket(bag) {
            context.request_mut().headers_mut().insert(HEADER, self.0.clone());
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // S3 refuses a bucket that isn't the account's in the words for any want of permission: what is told of the error
        // has to say that it may be this.
        if names_bucket(bag) {
            context.response_mut().headers_mut().insert(HEADER, self.0.clone());
        }
        Ok(())
    }
}

fn names_bucket(bag: &ConfigBag) -> bool {
    bag.load::<Metadata>()
        .is_some_and(|metadata| !WITHOUT_BUCKET.contains(&metadata.name()))
}

/// Which account's the bucket had to be that a request was about.
pub(super) fn expected(response: &HttpResponse) -> Option<&str> {
    response.headers().get(HEADER)
}
