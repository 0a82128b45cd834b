//! What a run read before it verified and then didn't change: the first round of looks needn't read it again.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::shared::Shared;
use crate::bucket::Listing;
use crate::permissions::Operations;
use crate::project::seed::{Item, Key, SeedTable};
use crate::publish::{Contents, Destination, There};

/// The answers that a run may know already.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// What lies in a bucket, by its name.
    pub(super) listings: Shared<Arc<Listing>>,
    /// What the ledger in a bucket says of the site's objects, by the bucket's name.
    pub(super) contents: Shared<Arc<Contents>>,
    /// Which of its seed items each table has, by stack and logical id.
    pub(super) seeded: Shared<Arc<BTreeSet<Key>>>,
    /// Functions' packages, by bucket and key.
    pub(super) packages: Shared<Stored>,
    /// The keys of the site's objects that the run has sent, if it has published.
    pub(super) sent: OnceLock<BTreeSet<Arc<str>>>,
}

/// What S3 says of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stored {
    /// It isn't there.
    Missing,
    /// It is.
    There {
        /// Its SHA-256, if S3 keeps one of it.
        sha256: Option<String>,
        /// What its program asks of AWS, if that was noted when it was uploaded.
        asks: Option<Operations>,
    },
}

impl Known {
    /// The site's bucket has just these objects.
    pub(crate) async fn has_objects(&self, place: &Destination, there: There) {
        self.listings.know(&place.bucket, Arc::new(there.listing)).await;
        self.contents.know(&place.artifacts, Arc::new(there.contents)).await;
    }

    /// The site's bucket was sent these objects, and has had all others before.
    pub(crate) fn has_sent(&self, keys: BTreeSet<Arc<str>>) {
        // A run publishes once.
        let _ = self.sent.set(keys);
    }

    /// A table has all of these items.
    pub(crate) async fn has_items(&self, table: &SeedTable, items: &[Item]) {
        let keys = items.iter().map(|item| item.key.clone()).collect();
        let id = format!("{}.{}", table.stack, table.logical_id);
        self.seeded.know(&id, Arc::new(keys)).await;
    }

    /// A bucket has a package, whose SHA-256 is this as S3 tells it, and whose program asks for this.
    pub(crate) async fn has_package(&self, bucket: &str, key: &str, sha256: Option<String>, asks: Option<Operations>) {
        self.packages
            .know(&place(bucket, key), Stored::There { sha256, asks })
            .await;
    }
}

/// What a package is known by.
pub(super) fn place(bucket: &str, key: &str) -> String {
    format!("{bucket}/{key}")
}
