//! Signing a request as the run's own caller, for routes and functions that let only IAM's identities in.

use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;

use super::Problem;
use super::http::Request;
use crate::cloud::Cloud;

/// Puts a signature into a request's headers. `cloud` is where it goes, unless its address says the region.
pub(super) async fn signed(cloud: &Cloud, mut request: Request) -> Result<Request, Problem> {
    let cannot = |what: String| {
        Problem::not_proven(
            format!("the request to {} can't be signed: {what}", request.url),
            "Check the credentials with which `deployer` runs.",
        )
    };
    let provider = cloud
        .credentials()
        .ok_or_else(|| cannot("there are no credentials".to_owned()))?;
    let credentials = provider
        .provide_credentials()
        .await
        .map_err(|error| cannot(error.to_string()))?;
    let identity = credentials.into();
    let (service, region) = service_of(&request.url);
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region.unwrap_or(&cloud.region))
        .name(service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| cannot(error.to_string()))?
        .into();
    let headers = request
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let signable = SignableRequest::new(
        request.method.as_str(),
        request.url.as_str(),
        headers,
        SignableBody::Bytes(&request.body),
    );
    let signature = signable.and_then(|signable| sign(signable, &parameters));
    let (instructions, _) = signature.map_err(|error| cannot(error.to_string()))?.into_parts();
    let headers: Vec<(String, String)> = instructions
        .headers()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    request.headers.extend(headers);
    Ok(request)
}

/// The service that an address belongs to, and its region if the address has it. A domain of one's own is an API's.
fn service_of(url: &str) -> (&'static str, Option<&str>) {
    let authority = url
        .split("://")
        .nth(1)
        .unwrap_or_default()
        .split(['/', '?', ':'])
        .next()
        .unwrap_or_default();
    let labels: Vec<&str> = authority.split('.').collect();
    match labels.as_slice() {
        [_, "execute-api", region, _, ..] => ("execute-api", Some(region)),
        [_, "lambda-url", region, ..] => ("lambda", Some(region)),
        _ => ("execute-api", None),
    }
}

#[cfg(test)]
mod tests {
    use super::service_of;

    #[test]
    fn an_address_tells_service_and_region() {
        for (url, expected) in [
            (
                "https://a.execute-api.eu-west-1.amazonaws.com/dev/x?y",
                ("execute-api", Some("eu-west-1")),
            ),
            ("https://a.lambda-url.eu-west-1.on.aws/", ("lambda", Some("eu-west-1"))),
            (
                "http://a.lambda-url.us-east-1.localhost:4566",
                ("lambda", Some("us-east-1")),
            ),
            ("http://a.execute-api.localhost:4566/dev", ("execute-api", None)),
            ("https://api.example.com/x", ("execute-api", None)),
        ] {
            assert_eq!(service_of(url), expected, "{url}");
        }
    }
}
