//! What the site's objects hold, where S3's listing doesn't tell: an ETag is the MD5 only of what was sent in one piece and
//! isn't encrypted by KMS. <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bucket::{Etag, Listing};
use crate::site::sum::Sum;

/// The objects whose ETag isn't the sum of their content. Each entry says what an ETag means, and so never becomes wrong:
/// an object that was replaced has another one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contents(BTreeMap<Box<str>, Content>);

/// An object as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
struct Content {
    /// What S3 called it.
    etag: Etag,
    /// What it was; none if whoever wrote it has sums of another kind.
    sum: Option<Sum>,
}

/// The same as the ledger has it.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    etag: String,
    sum: String,
}

impl From<Written> for Content {
    fn from(written: Written) -> Self {
        Self {
            etag: written.etag.into(),
            sum: written.sum.parse().ok(),
        }
    }
}

impl From<Content> for Written {
    fn from(content: Content) -> Self {
        Self {
            etag: content.etag.into(),
            sum: content.sum.map(|sum| sum.to_string()).unwrap_or_default(),
        }
    }
}

impl Contents {
    /// Whether the object that is listed with this ETag holds what has this sum; none if that isn't known.
    pub(crate) fn tell(&self, key: &str, etag: &Etag, sum: &Sum) -> Option<bool> {
        if etag.is_of(sum) {
            return Some(true);
        }
        self.known(key, etag).map(|known| known == sum)
    }

    /// What is known of an object's sum, in hexadecimal: else it is the ETag, which no content has for its sum unless it is.
    pub(crate) fn sum_of<'a>(&'a self, key: &str, etag: &'a Etag) -> Cow<'a, str> {
        match (self.known(key, etag), etag) {
            (Some(known), _) => known.to_string().into(),
            (None, Etag::Other(text)) => Cow::Borrowed(text),
            (None, Etag::Md5(_)) => etag.to_string().into(),
        }
    }

    fn known(&self, key: &str, etag: &Etag) -> Option<&Sum> {
        let known = self.0.get(key).filter(|known| known.etag == *etag)?;
        known.sum.as_ref()
    }

    /// Notes that S3 calls an object with this sum so, unless that is the sum itself.
    pub(super) fn note(&mut self, key: &str, sum: &Sum, etag: &str) {
        let etag = Etag::from(etag);
        if !etag.is_of(sum) {
            let sum = Some(*sum);
            self.0.insert(key.into(), Content { etag, sum });
        }
    }

    /// The same with what another knows.
    pub(super) fn extend(&mut self, other: &Self) {
        let known = other.0.iter();
        self.0
            .extend(known.map(|(key, content)| (key.clone(), content.clone())));
    }

    /// What is known of the objects that are there.
    pub(super) fn of(&self, there: &Listing) -> Self {
        let known = self.0.iter();
        let still = known.filter(|(key, known)| there.get(key) == Some(&known.etag));
        Self(still.map(|(key, known)| (key.clone(), known.clone())).collect())
    }

    /// Says nothing more of the object with this key.
    pub(super) fn forget(&mut self, key: &str) {
        self.0.remove(key);
    }
}
