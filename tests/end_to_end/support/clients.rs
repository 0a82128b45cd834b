//! The services' own APIs, by AWS's SDK: what is deployed is judged by what they say.

use std::collections::HashMap;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use aws_sdk_dynamodb::types::AttributeValue;

use super::emulator::access;

pub(crate) struct Clients {
    pub(crate) cloudformation: aws_sdk_cloudformation::Client,
    pub(crate) cloudfront: aws_sdk_cloudfront::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) logs: aws_sdk_cloudwatchlogs::Client,
    pub(crate) apigateway: aws_sdk_apigateway::Client,
}

impl Clients {
    /// As the emulator's root, in the region that is the test's.
    pub(crate) fn root(endpoint: &str) -> Self {
        let keys = access(endpoint).keys;
        Self::with(endpoint, Credentials::new(keys.id, keys.secret, None, None, "root"))
    }

    /// The names of the stacks in another region.
    pub(crate) async fn stacks_in(&self, region: &'static str) -> Vec<String> {
        let config = self.cloudformation.config().to_builder().region(Region::new(region));
        let there = aws_sdk_cloudformation::Client::from_conf(config.build());
        let found = there.describe_stacks().send().await.expect("stacks");
        found
            .stacks()
            .iter()
            .filter_map(|stack| stack.stack_name().map(str::to_owned))
            .collect()
    }

    /// The item of a user, if the table has it.
    pub(crate) async fn item(&self, table: &str, id: &str) -> Option<HashMap<String, AttributeValue>> {
        let key = AttributeValue::S(id.to_owned());
        let answer = self
            .dynamodb
            .get_item()
            .table_name(table)
            .key("userId", key)
            .send()
            .await;
        answer.expect("the table").item
    }

    pub(crate) fn with(endpoint: &str, credentials: Credentials) -> Self {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            // What is asked here has no TLS.
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new(access(endpoint).region))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        Self {
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            cloudfront: aws_sdk_cloudfront::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(
                aws_sdk_s3::config::Builder::from(&config)
                    .force_path_style(true)
                    .build(),
            ),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            apigateway: aws_sdk_apigateway::Client::new(&config),
        }
    }
}
