//! What `verify` looks at, apart from how.

use serde::Serialize;

/// A part of the stage that is tested by itself, so that a failure is told where it is and not where it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layer {
    /// Tables and their seed items.
    Data,
    /// Functions, and what invokes them.
    Function,
    /// The APIs in front of them.
    Api,
    /// The app's own contract: `stacks/verify.yaml`.
    App,
    /// The site through CloudFront.
    Site,
    /// The buckets, for everybody else.
    Privacy,
    /// What roles may do.
    Permissions,
}

impl Layer {
    /// All, in the order in which a request would need them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Data,
        Self::Function,
        Self::Api,
        Self::App,
        Self::Site,
        Self::Privacy,
        Self::Permissions,
    ];

    /// As the command line and the JSON document have it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Function => "function",
            Self::Api => "api",
            Self::App => "app",
            Self::Site => "site",
            Self::Privacy => "privacy",
            Self::Permissions => "permissions",
        }
    }
}
