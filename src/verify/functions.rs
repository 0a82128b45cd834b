//! What names of functions in templates and answers mean: a name, an ARN or a part of one, with or without a version or alias.

use super::expected::Expected;
use crate::cloud::Cloud;

/// A function that is spoken of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    region: String,
    account: String,
    pub(super) name: String,
    /// A version's number or an alias.
    pub(super) qualifier: Option<String>,
}

impl Target {
    /// The function that a template's value names, if that is known; names alone are of the place that the stack is in.
    pub(super) fn of(value: &Expected, cloud: &Cloud) -> Option<Self> {
        Some(Self::parse(&value.known_text()?, cloud))
    }

    /// The function of a name: `name`, `account:function:name` or `arn:…:function:name`, each perhaps with `:qualifier`.
    pub(super) fn parse(text: &str, cloud: &Cloud) -> Self {
        Self::parse_at(text, &cloud.region, &cloud.account)
    }

    fn parse_at(text: &str, region: &str, account: &str) -> Self {
        let (place, named) = match text.rsplit_once("function:") {
            Some((place, named)) => (place.trim_end_matches(':'), named),
            None => ("", text),
        };
        let mut named = named.splitn(2, ':');
        let name = named.next().unwrap_or_default().to_owned();
        let qualifier = named
            .next()
            .filter(|qualifier| *qualifier != "$LATEST")
            .map(str::to_owned);
        let mut place = place.rsplit(':').filter(|part| !part.is_empty());
        let account = place.next().unwrap_or(account).to_owned();
        let region = place.next().unwrap_or(region).to_owned();
        Self {
            region,
            account,
            name,
            qualifier,
        }
    }

    /// Whether it is this function, qualified or not.
    pub(super) fn is(&self, name: &str, cloud: &Cloud) -> bool {
        self.name == name && self.region == cloud.region && self.account == cloud.account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_many_names() {
        let parse = |text: &str| Target::parse_at(text, "r", "1");
        let plain = parse("f");
        for same in [
            "arn:aws:lambda:r:1:function:f",
            "1:function:f",
            "f:$LATEST",
            "function:f",
        ] {
            assert_eq!(parse(same), plain, "{same}");
        }
        for other in ["g", "f:live", "arn:aws:lambda:s:1:function:f", "2:function:f"] {
            assert_ne!(parse(other), plain, "{other}");
        }
        assert_eq!(parse("arn:aws:lambda:r:1:function:f:live"), parse("f:live"));
        assert_eq!(parse("f:live").qualifier.as_deref(), Some("live"));
    }
}
