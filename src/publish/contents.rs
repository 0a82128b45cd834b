//! What the site's objects hold, where S3's listing doesn't tell: an ETag is the MD5 only of what was sent in one piece and
//! isn't encrypted by KMS. <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::bucket::Listing;
use crate::site::sum::Sum;

/// The objects whose ETag isn't the sum of their content. Each entry says what an ETag means, and so never becomes wrong:
/// an object that was replaced has another one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contents(BTreeMap<String, Content>);

/// An object as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    /// What S3 called it.
    etag: String,
    /// What it was.
    sum: String,
}

impl Contents {
    /// The sum of the object that is listed with this ETag. Of what nothing is known it is the ETag, which no content has
    /// for its sum unless it is.
    pub(crate) fn sum_of<'a>(&'a self, key: &str, etag: &'a str) -> &'a str {
        let known = self.0.get(key).filter(|known| known.etag == etag);
        known.map_or(etag, |known| &known.sum)
    }

    /// Notes that S3 calls an object with this sum so, unless that is the sum itself.
    pub(super) fn note(&mut self, key: &str, sum: &Sum, etag: &str) {
        let (etag, sum) = (etag.to_owned(), sum.to_string());
        if sum != etag {
            self.0.insert(key.to_owned(), Content { etag, sum });
        }
    }

    /// The same with what another knows.
    pub(super) fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.clone());
    }

    /// What is known of the objects that are there, but for those that go or are replaced.
    pub(super) fn of(&self, there: &Listing, gone: &HashSet<&str>) -> Self {
        let is_there = |key: &String, known: &Content| there.get(key) == Some(&known.etag);
        let known = self.0.iter();
        let still = known.filter(|(key, known)| is_there(key, known) && !gone.contains(key.as_str()));
        Self(still.map(|(key, known)| (key.clone(), known.clone())).collect())
    }
}
