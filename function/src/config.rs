//! What the function needs to know from its environment, checked before the first event.

use std::fmt;

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
        let mut missing = Vec::new();
        let mut required = |name: &'static str| {
            let value = lookup(name).filter(|value| !value.is_empty());
            if value.is_none() {
                missing.push(name);
            }
            value.unwrap_or_default()
        };
        let config = Self {
            table_name: required(TABLE_NAME),
            allowed_origin: required(ALLOWED_ORIGIN),
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

    fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
        let lookup = |name: &str| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Config::read(lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn both_variables_are_read() {
        let expected = Config {
            table_name: "UserData".into(),
            allowed_origin: "https://a.example".into(),
        };
        assert_eq!(
            read(&[(TABLE_NAME, "UserData"), (ALLOWED_ORIGIN, "https://a.example")]),
            Ok(expected)
        );
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
    }
}
