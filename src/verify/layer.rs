//! What `verify` looks at, apart from how.

use clap::ValueEnum;
use serde::Serialize;

/// A part of the stage that is tested by itself, so that a failure is told where it is and not where it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The table and its seed items.
    Data,
    /// The function, invoked directly.
    Function,
    /// The API in front of it.
    Api,
    /// The site through CloudFront.
    Site,
    /// The buckets, for everybody else.
    Privacy,
    /// What the function's role may do.
    Permissions,
}

impl Layer {
    /// All, in the order in which a request would need them.
    pub const ALL: [Self; 6] = [
        Self::Data,
        Self::Function,
        Self::Api,
        Self::Site,
        Self::Privacy,
        Self::Permissions,
    ];

    /// As the command line and the JSON document have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Function => "function",
            Self::Api => "api",
            Self::Site => "site",
            Self::Privacy => "privacy",
            Self::Permissions => "permissions",
        }
    }
}
