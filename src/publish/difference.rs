//! What publishing would change, by the site's files: not by the objects that are made of them.

use std::collections::BTreeSet;

use serde::Serialize;

use super::plan::{Wanted, gone};
use super::{Publication, Survey, plan};
use crate::publish::plan::Keeping;
use crate::site::{Content, Object, ObjectKind, is_hashed_name};

/// Files of a site, by their paths; what the deployer makes is called by its address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct SiteDifference {
    /// Those that the bucket hasn't.
    pub new: BTreeSet<String>,
    /// Those that it has otherwise: the content, what it refers to, or how it is served.
    pub changed: BTreeSet<String>,
    /// Those that the site no longer has.
    pub removed: BTreeSet<String>,
}

impl SiteDifference {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.new.len() + self.changed.len() + self.removed.len()
    }
}

/// What publishing it would change in what the `survey` found; without one all is new. `config` is what pages would be told, as
/// far as that is known.
pub(crate) fn difference(
    publication: &Publication<'_>,
    config: Option<&Object>,
    survey: Option<&Survey>,
) -> SiteDifference {
    let mut found = SiteDifference::default();
    let objects = publication.site.objects();
    let wanted = Wanted::new(objects, &publication.settings.config_file, config);
    let Some(Survey { there, before, .. }) = survey else {
        found.new = objects.iter().chain(config).map(file_of).collect();
        return found;
    };
    let keeping = Keeping {
        keep_for: publication.settings.keep_for,
        now: super::now(),
        written: before.written,
        purge: publication.purge,
    };
    let plan = plan::plan(&wanted, there, &before.ledger, &keeping);
    let is_there = |object: &&&Object| there.get(&object.key).is_some();
    // Its second name is another whenever its content is: the file's own tells which it is.
    let own = plan
        .waves
        .iter()
        .flatten()
        .filter(|object| object.kind != ObjectKind::Asset);
    let (changed, new): (Vec<&&Object>, Vec<&&Object>) = own.partition(is_there);
    found.changed = changed.into_iter().map(|object| file_of(object)).collect();
    found.new = new.into_iter().map(|object| file_of(object)).collect();
    found.new.retain(|file| !found.changed.contains(file));
    let keys = wanted.keys().map(|key| &**key);
    let left: Vec<_> = gone(keys, there)
        .filter(|(key, etag)| !is_hashed_name(key, &before.ledger.contents.sum_of(key, etag)))
        .map(|(key, _)| &**key)
        // What is kept for earlier pages went with an earlier publication.
        .filter(|key| publication.purge.has(key) || !before.ledger.retired.contains_key(*key))
        .filter(|key| config.is_some() || *key != publication.settings.config_file)
        .collect();
    let is_second = |key: &str| {
        let files = [format!("{key}index.html"), format!("{key}.html")];
        files.iter().any(|file| left.contains(&file.as_str()))
    };
    found.removed = left
        .iter()
        .filter(|key| !is_second(key))
        .map(|key| (*key).to_owned())
        .collect();
    found
}

/// The file that an object is made of.
fn file_of(object: &Object) -> String {
    match &object.content {
        Content::OnDisk(file) | Content::Rewritten(file, _) => file.to_string(),
        Content::Made(_) => object.key.to_string(),
    }
}
