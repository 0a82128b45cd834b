//! The account we work in: one SDK configuration, one client a service, and what is known of the place.

mod changes;
mod endpoint;
mod http;
mod owner;
mod page;
mod regions;
pub(crate) mod repeated;
pub(crate) mod sdk_error;
mod variables;
mod way;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::{ProvideRegion, RegionProviderChain};
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::error::{Error, ErrorKind, Result};
use crate::journal::Journal;
use crate::network::Network;
use crate::project::template::Scope;
use crate::wait::Pace;
use changes::NoteChanges;
pub(crate) use changes::PlansOnly;
pub(crate) use endpoint::{Emulator, Endpoint, sdk_crates};
use owner::ExpectOwner;
use sdk_error::explain;

/// The region that stacks of certificates for CloudFront are in.
pub(crate) const CLOUDFRONTS_REGION: &str = "us-east-1";
use variables::{Checked, Profiles};
use way::NoteWay;

/// Where to find what we work in, and as whom.
#[derive(Debug, Clone)]
pub(crate) enum Access {
    /// As the environment, the profile and their files say.
    Chain {
        /// The profile; it goes before keys in the environment.
        profile: Option<String>,
        /// The region; else the environment's or the profile's.
        region: Option<String>,
    },
    /// At an endpoint, with keys for it; nothing else is looked at.
    Keys {
        /// Its URL.
        endpoint: String,
        /// The region.
        region: String,
        /// The key's id.
        access_key_id: String,
        /// The key.
        secret_access_key: String,
    },
}

/// Which account and region, and behind which endpoint.
struct Place {
    endpoint: Endpoint,
    region: String,
    account: String,
    caller: String,
    partition: String,
    network: Network,
}

/// Who asks, as AWS says.
struct Identity {
    account: String,
    partition: String,
    /// An ARN.
    caller: String,
}

/// S3's own settings.
fn s3(builder: aws_sdk_s3::config::Builder, account: String, is_aws: bool) -> aws_sdk_s3::config::Builder {
    // The read timeout counts from the beginning of a request, its body included, and is the same for all requests of a
    // connection: a slow line would never get a large file through. So each attempt has a time of its own instead; see
    // [`Cloud::for_sending`].
    let builder = builder.interceptor(ExpectOwner(account)).timeout_config(
        TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .disable_read_timeout()
            .operation_attempt_timeout(ANSWER_TIMEOUT)
            .disable_operation_timeout()
            .build(),
    );
    // What is published says a sum of its own, and S3 makes a checksum of its own of whatever it is sent. Another one would only cost
    // time, and many S3 servers store the SDK's trailing checksums as part of the object.
    let builder = builder.request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    if is_aws {
        // Where S3 says that it gets too much, the requests of a whole publication are sent more slowly, not only the one that
        // it has said it of. Of the other services a run asks little, and one throttled request, which may be somebody else's
        // fault, would slow all that it follows a stack by.
        // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html>
        builder.retry_config(RetryConfig::adaptive().with_max_attempts(ATTEMPTS))
    } else {
        // Bucket names are no host names elsewhere.
        builder.force_path_style(true)
    }
}

/// What is made when it is first used: of a dozen clients a run needs some, and each takes a while to make.
pub(crate) type Lazy<T> = Arc<LazyLock<T, Box<dyn FnOnce() -> T + Send>>>;

fn lazy<T>(make: impl FnOnce() -> T + Send + 'static) -> Lazy<T> {
    Arc::new(LazyLock::new(Box::new(make)))
}

/// Clients, and what is known of the place; made once a run.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    /// AWS or something like it.
    pub endpoint: Endpoint,
    /// The region everything but CloudFront and IAM lives in.
    pub region: String,
    /// The account's 12 digits.
    pub account: String,
    /// The ARN of whose credentials these are.
    pub caller: String,
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// API Gateway, for REST APIs.
    pub apigateway: Lazy<aws_sdk_apigateway::Client>,
    /// The same for HTTP APIs.
    pub apigatewayv2: Lazy<aws_sdk_apigatewayv2::Client>,
    /// CloudFormation.
    pub cloudformation: Lazy<aws_sdk_cloudformation::Client>,
    /// S3.
    pub s3: Lazy<aws_sdk_s3::Client>,
    /// CloudFront.
    pub cloudfront: Lazy<aws_sdk_cloudfront::Client>,
    /// Lambda.
    pub lambda: Lazy<aws_sdk_lambda::Client>,
    /// DynamoDB.
    pub dynamodb: Lazy<aws_sdk_dynamodb::Client>,
    /// IAM.
    pub iam: Lazy<aws_sdk_iam::Client>,
    /// CloudWatch Logs.
    pub logs: Lazy<aws_sdk_cloudwatchlogs::Client>,
    /// SNS.
    pub sns: Lazy<aws_sdk_sns::Client>,
    /// What this run has begun.
    pub journal: Journal,
    /// How requests get there.
    pub network: Network,
    config: Arc<SdkConfig>,
    /// The types that the endpoint didn't know of each template that it was shown.
    unknown_types: Arc<Mutex<HashMap<String, Vec<String>>>>,
}

impl Cloud {
    /// Finds credentials, region and endpoint and asks who we are. What is changed is noted in `journal`.
    ///
    /// # Errors
    /// No region, no or expired credentials, a profile, proxy or certificates that aren't there, an endpoint that doesn't
    /// answer, or endpoints of which some are AWS's and some aren't.
    pub(crate) async fn connect(access: &Access, journal: &Journal) -> Result<Self> {
        let mut profiles = None;
        let (config, network) = match access {
            Access::Keys {
                endpoint,
                region,
                access_key_id,
                secret_access_key,
            } => {
                let network = Network::of_this_machine();
                let config = keys_config(endpoint, region, access_key_id, secret_access_key, &network);
                (config, network)
            }
            Access::Chain { profile, region } => {
                variables::check(profile.is_some(), region.is_some())?;
                let read = Profiles::read(profile.as_deref()).await?;
                let mut network = Network::from_env()?;
                if !variables::has_own_bundle() {
                    network.bundle = read.bundle()?;
                }
                let config = sdk_config(profile.as_deref(), region.as_deref(), &network).await;
                let credentials = config.credentials_provider();
                let credentials = credentials.map(|found| Checked::provider(found, read.chosen.as_deref()));
                profiles = Some(read);
                let mut config = config.into_builder();
                config.set_credentials_provider(credentials);
                (config.build(), network)
            }
        };
        let endpoint = Endpoint::of(&config)?;
        let region = config.region().map(ToString::to_string).ok_or_else(|| {
            Error::new(ErrorKind::InvalidSetup, "no AWS region is set").hint(
                "Say --region, set AWS_REGION, or give the stage a `region:` in stacks/stages.yaml. To try it without \
                 AWS, say --local.",
            )
        })?;
        check_region(&region, &endpoint)?;
        let identified = identity(&config, &endpoint, &network).await;
        let identified = identified.map_err(|error| match &profiles {
            Some(profiles) => of_profile(error, profiles),
            None => error,
        });
        // Whether AWS has it, its own answer tells.
        let identified = identified.map_err(|error| {
            if endpoint.is_aws() && error.kind() == ErrorKind::IdentityUnknown {
                regions::doubted(error, &region)
            } else {
                error
            }
        });
        let Identity {
            account,
            partition,
            caller,
        } = identified?;
        let place = Place {
            caller,
            endpoint,
            region,
            account,
            partition,
            network,
        };
        Ok(Self::of(config, place, journal.clone()))
    }

    /// The same account in another region.
    ///
    /// # Errors
    /// It is no region's name.
    pub(crate) fn in_region(&self, region: &str) -> Result<Self> {
        check_region(region, &self.endpoint)?;
        let config = self.config.to_builder().region(Region::new(region.to_owned())).build();
        let place = Place {
            endpoint: self.endpoint.clone(),
            region: region.to_owned(),
            account: self.account.clone(),
            caller: self.caller.clone(),
            partition: self.partition.clone(),
            network: self.network.clone(),
        };
        Ok(Self::of(config, place, self.journal.clone()))
    }

    fn of(config: SdkConfig, place: Place, journal: Journal) -> Self {
        let config = Arc::new(config);
        // All go to one place, whichever setting has named it to each, and without who signs in by its URL.
        let url = place.endpoint.url().map(str::to_owned);
        macro_rules! client {
            ($service:ident $(, $more:expr)?) => {{
                let (config, url) = (Arc::clone(&config), url.clone());
                let (journal, network) = (journal.clone(), place.network.clone());
                lazy(move || {
                    let builder = $service::config::Builder::from(&*config)
                        .interceptor(NoteChanges(journal))
                        .interceptor(NoteWay(network));
                    $(let builder = ($more)(builder);)?
                    let mut builder = builder;
                    builder.set_endpoint_url(url);
                    $service::Client::from_conf(builder.build())
                })
            }};
        }
        let (account, is_aws) = (place.account.clone(), place.endpoint.is_aws());
        let of_s3 = move |builder: aws_sdk_s3::config::Builder| s3(builder, account, is_aws);
        Self {
            region: place.region,
            account: place.account,
            caller: place.caller,
            partition: place.partition,
            apigateway: client!(aws_sdk_apigateway),
            apigatewayv2: client!(aws_sdk_apigatewayv2),
            cloudformation: client!(aws_sdk_cloudformation),
            s3: client!(aws_sdk_s3, of_s3),
            cloudfront: client!(aws_sdk_cloudfront),
            lambda: client!(aws_sdk_lambda),
            dynamodb: client!(aws_sdk_dynamodb),
            iam: client!(aws_sdk_iam),
            logs: client!(aws_sdk_cloudwatchlogs),
            sns: client!(aws_sdk_sns),
            endpoint: place.endpoint,
            journal,
            network: place.network.clone(),
            config,
            unknown_types: Arc::default(),
        }
    }

    /// That an emulator works in a region that may be mistyped, in a sentence. AWS has answered there.
    pub(crate) fn doubt_of_region(&self) -> Option<String> {
        regions::doubt(&self.region).filter(|_| !self.endpoint.is_aws())
    }

    /// The types that the endpoint doesn't know of a template that it was shown in this run.
    pub(crate) fn unknown_types(&self, template: &str) -> Option<Vec<String>> {
        let known = self.unknown_types.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(template).cloned()
    }

    /// Keeps what [`Self::unknown_types`] tells.
    pub(crate) fn note_unknown_types(&self, template: &str, types: &[String]) {
        let mut known = self.unknown_types.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(template.to_owned(), types.to_vec());
    }

    /// What a request to S3 with a body of so many bytes is to be customized with: more time for an attempt.
    pub(crate) fn for_sending(bytes: u64) -> aws_sdk_s3::config::Builder {
        let attempt = 2 * ANSWER_TIMEOUT + Duration::from_secs(bytes / SLOWEST_LINE_BYTES_PER_SECOND);
        aws_sdk_s3::Config::builder()
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(attempt).build())
    }

    /// Whose requests are signed, for those that no client makes.
    pub(crate) fn credentials(&self) -> Option<aws_credential_types::provider::SharedCredentialsProvider> {
        self.config.credentials_provider()
    }

    /// How often to ask, and how long: AWS throttles an account's requests in common, an emulator is done at once.
    pub(crate) fn pace(&self, deadline: Duration) -> Pace {
        let (first, longest) = if self.endpoint.is_aws() {
            (Duration::from_secs(2), Duration::from_secs(6))
        } else {
            (Duration::from_millis(50), Duration::from_secs(1))
        };
        Pace {
            first,
            longest,
            deadline,
        }
    }

    /// What the partition's host names end in.
    pub(crate) fn url_suffix(&self) -> &'static str {
        match self.partition.as_str() {
            "aws-cn" => "amazonaws.com.cn",
            "aws-eusc" => "amazonaws.eu",
            "aws-iso" => "c2s.ic.gov",
            "aws-iso-b" => "sc2s.sgov.gov",
            "aws-iso-e" => "cloud.adc-e.uk",
            "aws-iso-f" => "csp.hci.ic.gov",
            _ => "amazonaws.com",
        }
    }

    /// Where it is, for questions: "in the AWS account 123456789012", or at which address.
    pub(crate) fn whereabouts(&self) -> String {
        match self.endpoint.url() {
            Some(url) => format!("at {url}"),
            None => format!("in the AWS account {}", self.account),
        }
    }

    /// What `Ref: AWS::…` means here.
    pub(crate) fn pseudo_parameters(&self) -> Scope {
        [
            ("AWS::AccountId", self.account.as_str()),
            ("AWS::Region", &self.region),
            ("AWS::Partition", &self.partition),
            ("AWS::URLSuffix", self.url_suffix()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }
}

/// How long a connection may take, and an answer. The SDK has no limit of its own for an answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// In bytes a second, of one request among several that share a line.
const SLOWEST_LINE_BYTES_PER_SECOND: u64 = 16 << 10;

/// How often a request is sent at most. Throttling is the rule while stacks are followed; the default of 3 gives up too soon.
const ATTEMPTS: u32 = 8;

/// Repetitions come out of a budget that all requests to a service share: where it fails altogether, a run ends soon.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS)
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(ANSWER_TIMEOUT)
        .operation_timeout(10 * ANSWER_TIMEOUT)
        .build()
}

fn loader(client: SharedHttpClient) -> aws_config::ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(client)
        .retry_config(retries())
        .timeout_config(timeouts())
}

fn keys_config(
    endpoint: &str,
    region: &str,
    access_key_id: &str,
    secret_access_key: &str,
    network: &Network,
) -> SdkConfig {
    // Nothing of the user's AWS set-up may leak in: neither credentials nor a per-service endpoint.
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http::client(network))
        .endpoint_url(endpoint)
        .region(Region::new(region.to_owned()))
        .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(
            aws_sdk_s3::config::Credentials::new(access_key_id, secret_access_key, None, None, "local cloud"),
        ))
        .retry_config(retries())
        .timeout_config(timeouts())
        .sleep_impl(aws_sdk_s3::config::SharedAsyncSleep::new(
            aws_smithy_async::rt::sleep::TokioSleep::new(),
        ))
        .build()
}

async fn sdk_config(profile: Option<&str>, region: Option<&str>, network: &Network) -> SdkConfig {
    let client = http::client(network);
    let mut loader = loader(client.clone());
    let mut region = region.map(|region| Region::new(region.to_owned()));
    if let Some(profile) = profile {
        // The SDK's chain would take credentials and region of the environment first; a flag on the command line means
        // it.
        if region.is_none() {
            let of_profile = ProfileFileRegionProvider::builder().profile_name(profile).build();
            region = of_profile.region().await;
        }
        let with_client = ProviderConfig::without_region().with_http_client(client);
        // A profile that assumes a role asks STS, for which it needs a region; by itself the provider has none.
        let with_region = match &region {
            Some(region) => Some(region.clone()),
            None => {
                let environment = EnvironmentVariableRegionProvider::new();
                let of_profile = ProfileFileRegionProvider::builder().profile_name(profile).build();
                let of_instance = ImdsRegionProvider::builder().configure(&with_client).build();
                RegionProviderChain::first_try(environment)
                    .or_else(of_profile)
                    .or_else(of_instance)
                    .region()
                    .await
            }
        };
        let credentials = ProfileFileCredentialsProvider::builder()
            .configure(&with_client.with_region(with_region))
            .profile_name(profile)
            .build();
        loader = loader.profile_name(profile).credentials_provider(credentials);
    }
    if let Some(region) = region {
        loader = loader.region(region);
    }
    loader.load().await
}

/// A region's name becomes part of host names.
fn check_region(region: &str, endpoint: &Endpoint) -> Result<()> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !region.is_empty() && region.chars().all(legal) {
        return if endpoint.is_aws() {
            Ok(())
        } else {
            regions::check_off_aws(region)
        };
    }
    Err(
        Error::new(ErrorKind::InvalidUsage, format!("`{region}` is no region's name"))
            .hint("A region is called like eu-central-1."),
    )
}

/// Names the profile that credentials were to come from, and how to sign in to it anew.
fn of_profile(error: Error, profiles: &Profiles) -> Error {
    let wants_credentials = matches!(
        error.kind(),
        ErrorKind::CredentialsMissing | ErrorKind::CredentialsExpired
    );
    let error = match &profiles.chosen {
        Some(profile) => error.cause(format!("the credentials were to come from the profile `{profile}`")),
        None => error,
    };
    match profiles.sign_in().filter(|_| wants_credentials) {
        Some(command) => error.hint_first(format!(
            "If the session of that profile has expired: `{command}`, then the same command."
        )),
        None => error,
    }
}

/// Without an identity there is nothing to do it with, whatever the reason.
fn unidentified(error: Error) -> Error {
    match error.kind() {
        ErrorKind::CredentialsMissing | ErrorKind::CredentialsExpired | ErrorKind::CredentialsInvalid => error,
        _ => error.of_kind(ErrorKind::IdentityUnknown),
    }
}

/// Account and partition, by `sts:GetCallerIdentity`: it needs no permission, so it fails for want of credentials only.
async fn identity(config: &SdkConfig, endpoint: &Endpoint, network: &Network) -> Result<Identity> {
    // Whoever has mistyped an endpoint is to learn it soon, and one fault among good answers is to end nothing.
    let mut impatient = aws_sdk_sts::config::Builder::from(config)
        .interceptor(NoteWay(network.clone()))
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(6)
                .with_initial_backoff(Duration::from_millis(100)),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(3))
                .read_timeout(Duration::from_secs(5))
                .operation_timeout(Duration::from_secs(20))
                .build(),
        );
    impatient.set_endpoint_url(endpoint.url().map(str::to_owned));
    let answer = aws_sdk_sts::Client::from_conf(impatient.build())
        .get_caller_identity()
        .send()
        .await
        // Whatever it is: the set-up must change before anything can begin.
        .map_err(|error| {
            // What was answered has it in itself.
            let lost = error.raw_response().is_none();
            let error = unidentified(explain(error, &format!("could not ask {endpoint} who we are")));
            let sts = format!(
                "https://sts.{}.amazonaws.com",
                config.region().map_or("", Region::as_ref)
            );
            match network.proxy_of(endpoint.url().unwrap_or(&sts)) {
                Some(proxy) if lost => error.cause(format!("the way there is through the proxy {proxy}")),
                _ => error,
            }
        })?;
    let arn = answer.arn().unwrap_or_default();
    let partition = arn.split(':').nth(1).filter(|part| !part.is_empty()).unwrap_or("aws");
    let account = answer
        .account()
        .ok_or_else(|| Error::failed(format!("{endpoint} didn't say which account this is")))?;
    Ok(Identity {
        account: account.to_owned(),
        partition: partition.to_owned(),
        caller: arn.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::retry::RetryMode;

    use super::*;

    #[test]
    fn what_s3_gets_too_much_of_is_sent_more_slowly() {
        let config = |is_aws| {
            let builder = aws_sdk_s3::config::Builder::new().retry_config(retries());
            let config = s3(builder, "1".to_owned(), is_aws).build();
            config.retry_config().cloned().expect("retries")
        };
        let (aws, elsewhere) = (config(true), config(false));
        assert_eq!((aws.mode(), aws.max_attempts()), (RetryMode::Adaptive, ATTEMPTS));
        assert_eq!(
            (elsewhere.mode(), elsewhere.max_attempts()),
            (RetryMode::Standard, ATTEMPTS)
        );
    }
}
