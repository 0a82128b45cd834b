//! Where the requests go, and which URLs a browser opens there.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

use crate::error::{Error, ErrorKind, Result};
use crate::project::stages::Architecture;

/// AWS or something like it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// AWS itself.
    Aws,
    /// Another server that speaks its protocols: an emulator.
    Other(String),
}

/// What templates are bent to that go to an emulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Emulator {
    /// `http` or `https`.
    pub scheme: String,
    /// `:4566`, or nothing.
    pub port: String,
    /// What functions run on, in Lambda's words; none if Lambda has no such thing.
    pub architecture: Option<&'static str>,
}

/// The services that we call, as the SDK's `AWS_ENDPOINT_URL_<SERVICE>` names them.
const SERVICES: &[&str] = &[
    "API Gateway",
    "ApiGatewayV2",
    "CloudFormation",
    "CloudFront",
    "CloudWatch Logs",
    "DynamoDB",
    "IAM",
    "Lambda",
    "S3",
    "SNS",
    "STS",
];

/// The SDK's crates of those services, in which its requests are logged.
pub(crate) fn sdk_crates() -> impl Iterator<Item = String> {
    SERVICES
        .iter()
        .map(|service| format!("aws_sdk_{}", service.to_lowercase().replace(' ', "")))
}

impl Endpoint {
    /// Where `config` sends its requests.
    ///
    /// The SDK looks for an endpoint per service before the common one, so each is asked.
    ///
    /// # Errors
    /// Not all services go to the same place.
    pub(super) fn of(config: &SdkConfig) -> Result<Self> {
        let common = config.endpoint_url();
        let places: BTreeMap<&str, String> = SERVICES
            .iter()
            .map(|service| {
                let place = of_service(config, service)
                    .or_else(|| common.map(str::to_owned))
                    .unwrap_or_else(|| "AWS".to_owned());
                (*service, without_user(place.trim_end_matches('/')))
            })
            .collect();
        one_place(&places)
    }

    /// Whether this is AWS.
    pub(crate) fn is_aws(&self) -> bool {
        *self == Self::Aws
    }

    /// The endpoint's URL, when it isn't AWS.
    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Self::Aws => None,
            Self::Other(url) => Some(url),
        }
    }

    /// Whether it is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let url = self.url().and_then(|url| reqwest::Url::parse(url).ok());
        let host = url.as_ref().and_then(reqwest::Url::host_str).unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
    }

    /// What templates are bent to for this endpoint; nothing for AWS.
    pub(crate) fn emulator(&self) -> Option<Emulator> {
        let (scheme, port) = scheme_and_port(self.url()?);
        Some(Emulator {
            scheme: scheme.to_owned(),
            port,
            architecture: Architecture::of_this_host().map(Architecture::as_str),
        })
    }

    /// A text with the addresses of distributions, APIs and functions in it, as a browser on this host opens them.
    ///
    /// Emulators serve a distribution `d1.cloudfront.net` at `d1.cloudfront.localhost`, on the endpoint's port, and the
    /// others alike; browsers resolve every name below `localhost` to this host.
    pub(crate) fn localized(&self, text: &str) -> String {
        const SCHEME: &str = "https://";
        let Some(url) = self.url() else {
            return text.to_owned();
        };
        let (scheme, port) = scheme_and_port(url);
        let mut result = String::new();
        let mut rest = text;
        while let Some(start) = rest.find(SCHEME) {
            let (before, after) = rest.split_at(start);
            let after = &after[SCHEME.len()..];
            let is_host = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
            let (host, tail) = after.split_at(after.find(|c| !is_host(c)).unwrap_or(after.len()));
            result.push_str(before);
            match local_host(host) {
                Some(local) => result.push_str(&format!("{scheme}://{local}{port}")),
                None => result.push_str(&format!("{SCHEME}{host}")),
            }
            rest = tail;
        }
        result.push_str(rest);
        result
    }
}

/// A URL without who is to be signed in by it: requests are signed with keys, in the one header that a password would need,
/// so that the AWS CLI sends none. And what is told, and kept in names of files, says where something is alone.
fn without_user(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}{host}{path}")
}

/// What AWS's host of an app is called on this host.
fn local_host(host: &str) -> Option<String> {
    let labels: Vec<&str> = host.split('.').collect();
    match labels.as_slice() {
        [distribution, "cloudfront", "net"] => Some(format!("{distribution}.cloudfront.localhost")),
        [api, "execute-api", _region, "amazonaws", "com", ..] => Some(format!("{api}.execute-api.localhost")),
        [id, "lambda-url", region, "on", "aws"] => Some(format!("{id}.lambda-url.{region}.localhost")),
        _ => None,
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url().unwrap_or("AWS"))
    }
}

fn of_service(config: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    config.service_config()?.load_config(key)
}

fn one_place(places: &BTreeMap<&str, String>) -> Result<Endpoint> {
    let mut distinct: Vec<&String> = places.values().collect();
    distinct.sort();
    distinct.dedup();
    match distinct.as_slice() {
        [place] if *place == "AWS" => Ok(Endpoint::Aws),
        [place] => checked_url(place).map(Endpoint::Other),
        _ => {
            let listed: Vec<String> = places
                .iter()
                .map(|(service, place)| format!("{service}: {place}"))
                .collect();
            Err(Error::new(ErrorKind::InvalidSetup, "the services' endpoints are not in one place").cause(listed.join(", ")).hint(
                "Unset the AWS_ENDPOINT_URL_<SERVICE> variables and `endpoint_url` settings, or set AWS_ENDPOINT_URL \
                     alone; AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true switches all of them off.",
            ))
        }
    }
}

/// A URL that requests can be sent to.
fn checked_url(place: &str) -> Result<String> {
    let why = if !place.starts_with("http://") && !place.starts_with("https://") {
        None
    } else {
        match reqwest::Url::parse(place) {
            Ok(_) if !place.contains(|c: char| c.is_whitespace() || c.is_control()) => return Ok(place.to_owned()),
            Ok(_) => Some("there is a blank in it".to_owned()),
            Err(error) => Some(error.to_string()),
        }
    };
    let error = Error::new(ErrorKind::InvalidSetup, format!("the endpoint `{place}` is no URL"));
    let error = why.into_iter().fold(error, Error::cause);
    Err(error.hint("An endpoint is like http://127.0.0.1:4566. Check AWS_ENDPOINT_URL and the profile's endpoint_url."))
}

/// `http` and `:4566` of `http://[::1]:4566/`; no port if the URL names none.
fn scheme_and_port(url: &str) -> (&str, String) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let authority = rest.split('/').next().unwrap_or_default();
    let after_host = authority.rsplit(']').next().unwrap_or(authority);
    let port = after_host
        .rsplit_once(':')
        .map_or(String::new(), |(_, port)| format!(":{port}"));
    (scheme, port)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those that sign in ask nothing that a user would look for.
    #[test]
    fn each_service_that_is_called_is_looked_for_and_shown() {
        let manifest = include_str!("../../Cargo.toml");
        let (_, manifest) = manifest.split_once("\n[dependencies]\n").expect("dependencies");
        let (manifest, _) = manifest.split_once("\n[").expect("more");
        let names = manifest.lines().filter_map(|line| line.strip_prefix("aws-sdk-"));
        let mut called: Vec<String> = names
            .map(|line| line.split([' ', '.', '=']).next().unwrap_or_default())
            .map(|name| format!("aws_sdk_{name}"))
            .collect();
        let mut known: Vec<String> = sdk_crates().collect();
        called.sort();
        known.sort();
        assert_eq!(known, called);
    }

    #[test]
    fn whoever_signs_in_by_a_url_is_left_out_of_it() {
        for (url, without) in [
            ("http://127.0.0.1:4566", "http://127.0.0.1:4566"),
            ("http://me:secret@127.0.0.1:4566", "http://127.0.0.1:4566"),
            ("https://me:s@cr@et@host/a@b", "https://host/a@b"),
            ("me:secret@host", "host"),
            ("http://[::1]:4566", "http://[::1]:4566"),
        ] {
            assert_eq!(without_user(url), without);
        }
    }

    #[test]
    fn addresses_are_those_that_a_browser_opens() {
        let text = "https://d1.cloudfront.net and https://abc.execute-api.eu-west-1.amazonaws.com/prod/x, \
                    https://u1.lambda-url.eu-west-1.on.aws/ https://www.example.com";
        assert_eq!(Endpoint::Aws.localized(text), text);
        assert_eq!(
            Endpoint::Other("http://127.0.0.1:4566".into()).localized(text),
            "http://d1.cloudfront.localhost:4566 and http://abc.execute-api.localhost:4566/prod/x, \
             http://u1.lambda-url.eu-west-1.localhost:4566/ https://www.example.com"
        );
    }

    #[test]
    fn what_is_on_this_machine_is_known() {
        for (url, expected) in [
            ("http://127.0.0.1:4566", true),
            ("http://127.1.2.3", true),
            ("http://[::1]:4566/", true),
            ("http://localhost:4566", true),
            ("http://s3.localhost", true),
            ("http://10.0.0.1:4566", false),
            ("https://localhost.example.com", false),
            ("nonsense", false),
        ] {
            assert_eq!(Endpoint::Other(url.to_owned()).is_loopback(), expected, "{url}");
        }
        assert!(!Endpoint::Aws.is_loopback());
    }

    #[test]
    fn a_url_keeps_its_scheme_and_port() {
        assert_eq!(scheme_and_port("https://emulator"), ("https", String::new()));
        assert_eq!(scheme_and_port("http://[::1]:99/x"), ("http", ":99".into()));
        assert_eq!(scheme_and_port("http://[::1]"), ("http", String::new()));
    }

    #[test]
    fn a_mix_of_places_is_refused() {
        let aws = || "AWS".to_owned();
        let here = || "http://127.0.0.1:1".to_owned();
        assert_eq!(
            one_place(&BTreeMap::from([("S3", aws()), ("IAM", aws())])).ok(),
            Some(Endpoint::Aws)
        );
        assert_eq!(
            one_place(&BTreeMap::from([("S3", here()), ("IAM", here())])).ok(),
            Some(Endpoint::Other(here()))
        );
        let error = one_place(&BTreeMap::from([("S3", here()), ("IAM", aws())])).expect_err("a mix");
        assert!(error.to_string().contains("S3: http://127.0.0.1:1"), "{error}");
    }
}
