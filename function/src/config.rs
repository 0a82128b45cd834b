//! What the function needs to know from its environment, checked before the first event.

use std::fmt;

use aws_sdk_dynamodb::config::{Credentials, Region};

/// The environment variable that names the DynamoDB table.
pub const TABLE_NAME: &str = "TABLE_NAME";
/// The environment variable with the one origin that browsers may call from, such as `https://d111.cloudfront.net`.
pub const ALLOWED_ORIGIN: &str = "ALLOWED_ORIGIN";

/// The function's settings; none has a default, because a guess would read the wrong table or open the wrong origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The DynamoDB table to read from.
    pub table_name: String,
    /// The value of every response's `Access-Control-Allow-Origin`.
    pub allowed_origin: String,
    /// Where the table is, and as whom to read it.
    pub aws: Aws,
}

/// What Lambda itself sets, for as long as the process lives, and which of AWS's endpoints is wanted:
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>.
///
/// The `aws-config` crate would read the same and look in other places, too, none of which Lambda has: files, a
/// metadata service, web identities. It is a sixth of the package, and takes a part of every cold start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aws {
    /// `AWS_REGION`.
    pub region: Region,
    /// The role's. Their debug form doesn't show them.
    pub credentials: Credentials,
    /// Where DynamoDB is if not at AWS; an emulator sets this.
    pub endpoint: Option<String>,
    /// `AWS_USE_FIPS_ENDPOINT`: an endpoint with validated cryptography, for those who must.
    pub fips: bool,
    /// `AWS_USE_DUALSTACK_ENDPOINT`: an endpoint that has IPv6, too.
    pub dual_stack: bool,
}

/// Variables that are not set, or empty, which is as good as not set. All of them, so that one look is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingVariables(Vec<&'static str>);

impl Config {
    /// Reads the settings through `lookup`, which gives a variable's value if it is set.
    ///
    /// # Errors
    /// Names every variable that is missing or empty.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, MissingVariables> {
        let optional = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let is_true = |name: &str| lookup(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let mut missing = Vec::new();
        let mut required = |name: &'static str| {
            let value = optional(name);
            if value.is_none() {
                missing.push(name);
            }
            value.unwrap_or_default()
        };
        let config = Self {
            table_name: required(TABLE_NAME),
            allowed_origin: required(ALLOWED_ORIGIN),
            aws: Aws {
                region: Region::new(required("AWS_REGION")),
                credentials: Credentials::new(
                    required("AWS_ACCESS_KEY_ID"),
                    required("AWS_SECRET_ACCESS_KEY"),
                    optional("AWS_SESSION_TOKEN"),
                    None,
                    "environment",
                ),
                endpoint: optional("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| optional("AWS_ENDPOINT_URL")),
                fips: is_true("AWS_USE_FIPS_ENDPOINT"),
                dual_stack: is_true("AWS_USE_DUALSTACK_ENDPOINT"),
            },
        };
        if missing.is_empty() {
            Ok(config)
        } else {
            Err(MissingVariables(missing))
        }
    }
}

impl fmt::Display for MissingVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "missing environment variable: {}", self.0.join(", "))
    }
}

impl std::error::Error for MissingVariables {}

#[cfg(test)]
mod tests {
    use super::*;

    const LAMBDAS: [(&str, &str); 3] = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hidden"),
    ];

    /// Reads `variables` and those that Lambda sets.
    fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
        let lookup = |name: &str| {
            let mut all = variables.iter().chain(&LAMBDAS);
            all.find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        Config::read(lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn all_settings_are_read() {
        let config = read(&[
            (TABLE_NAME, "UserData"),
            (ALLOWED_ORIGIN, "https://a.example"),
            ("AWS_SESSION_TOKEN", "token"),
        ])
        .expect("complete");
        assert_eq!(
            (config.table_name.as_str(), config.allowed_origin.as_str()),
            ("UserData", "https://a.example")
        );
        assert_eq!(config.aws.region.as_ref(), "eu-central-1");
        let credentials = &config.aws.credentials;
        assert_eq!(
            (
                credentials.access_key_id(),
                credentials.secret_access_key(),
                credentials.session_token()
            ),
            ("AKIDEXAMPLE", "hidden", Some("token"))
        );
        assert_eq!(config.aws.endpoint, None);
        assert!(!config.aws.fips && !config.aws.dual_stack);
        assert!(!format!("{config:?}").contains("hidden"));
    }

    #[test]
    fn the_services_own_endpoint_comes_before_the_common_one() {
        let endpoint = |more: &[(&str, &str)]| {
            let all = [&[(TABLE_NAME, "t"), (ALLOWED_ORIGIN, "o")], more].concat();
            read(&all).expect("complete").aws.endpoint
        };
        let common = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        let own = ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:2");
        assert_eq!(endpoint(&[common]).as_deref(), Some(common.1));
        assert_eq!(endpoint(&[common, own]).as_deref(), Some(own.1));
        assert_eq!(
            endpoint(&[common, ("AWS_ENDPOINT_URL_DYNAMODB", "")]).as_deref(),
            Some(common.1)
        );
    }

    #[test]
    fn special_endpoints_can_be_asked_for() {
        let config = read(&[
            (TABLE_NAME, "t"),
            (ALLOWED_ORIGIN, "o"),
            ("AWS_USE_FIPS_ENDPOINT", "true"),
            ("AWS_USE_DUALSTACK_ENDPOINT", "TRUE"),
        ])
        .expect("complete");
        assert!(config.aws.fips && config.aws.dual_stack);
    }

    #[test]
    fn every_missing_or_empty_variable_is_named() {
        let missing = |names: &str| Err(format!("missing environment variable: {names}"));
        assert_eq!(read(&[]), missing("TABLE_NAME, ALLOWED_ORIGIN"));
        assert_eq!(read(&[(ALLOWED_ORIGIN, "https://a.example")]), missing("TABLE_NAME"));
        assert_eq!(
            read(&[(TABLE_NAME, "UserData"), (ALLOWED_ORIGIN, "")]),
            missing("ALLOWED_ORIGIN")
        );
        assert_eq!(
            Config::read(|_| None).map_err(|error| error.to_string()),
            missing("TABLE_NAME, ALLOWED_ORIGIN, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY")
        );
    }
}
