//! What publishing has to do, decided without a call.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Published;
use super::ledger::{Ledger, Outdated};
use crate::bucket::Listing;
use crate::ident::fresh_token;
use crate::site::{Object, ObjectKind, folder_and_name, is_hashed_name, url_path};

/// For how many publications that change something an asset stays after the last page that refers to it has gone: a page
/// that was opened before them still gets what it loads later.
const GRACE: u64 = 3;

/// Above this many paths one wildcard is asked for instead. CloudFront bills by the path and counts `/*` as one; all that
/// it costs is that the edges ask S3 again whether the rest has changed.
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/PayingForInvalidation.html>
const MOST_PATHS: usize = 30;

/// That wildcard.
pub(super) const EVERYTHING: &str = "/*";

/// The work, in the order in which it is to be done.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// What is sent: first what pages refer to, then files under their own names, then pages. Each wave only when the
    /// one before is there.
    pub(super) waves: [Vec<&'a Object>; 3],
    /// What goes then.
    pub(super) remove: Vec<String>,
    /// The ledger while the work is under way: it doesn't say of anything that it is done.
    pub(super) begun: Ledger,
    /// The ledger when all of it is done.
    pub(super) done: Ledger,
    /// What will have been done.
    pub(super) outcome: Published,
}

impl Plan<'_> {
    /// Whether the bucket, CloudFront and the ledger are as they should be.
    pub(super) fn is_empty(&self, before: &Ledger) -> bool {
        self.waves.iter().all(Vec::is_empty)
            && self.remove.is_empty()
            && self.begun.outdated.is_none()
            && self.done.retired == before.retired
            && self.done.headers == before.headers
    }
}

/// What it takes to get from `there`, the bucket's keys and ETags, to `objects`, of which `config` tells pages what is deployed.
pub(super) fn plan<'a>(objects: &'a [Object], config: &str, there: &Listing, ledger: &Ledger) -> Plan<'a> {
    let mut outcome = Published::default();
    let mut waves: [Vec<&Object>; 3] = Default::default();
    let mut outdated: BTreeSet<String> = ledger.outdated.iter().flat_map(|one| one.paths.clone()).collect();
    let mut headers = BTreeMap::new();
    for object in objects {
        let class = class(object, config);
        let sent_with = headers_of(object);
        let same_headers = ledger.headers.get(&class) == Some(&sent_with);
        headers.entry(class).or_insert(sent_with);
        match there.get(&*object.key) {
            Some(etag) if same_headers && ledger.contents.sum_of(&object.key, etag) == object.sum.to_string() => {
                outcome.unchanged += 1;
                continue;
            }
            Some(_) => {
                outcome.changed += 1;
                // What has its hash in its name can only have become what it was.
                if object.kind != ObjectKind::Asset {
                    outdated.extend(paths(&object.key));
                }
            }
            // That it wasn't there is forgotten by the edges within seconds.
            None => outcome.new += 1,
        }
        outcome.bytes += object.size;
        waves[wave(object, config)].push(object);
    }
    let wanted: HashSet<&str> = objects.iter().map(|object| &*object.key).collect();
    let gone = || there.iter().filter(|(key, _)| !wanted.contains(key.as_str()));
    let is_asset = |key: &str, etag: &str| is_hashed_name(key, ledger.contents.sum_of(key, etag));
    let changes = outcome.new + outcome.changed > 0 || gone().any(|(key, etag)| !is_asset(key, etag));
    // It comes from the bucket, which others may write to.
    let publication = ledger.publication.saturating_add(u64::from(changes));
    let (mut remove, mut retired) = (Vec::new(), BTreeMap::new());
    for (key, etag) in gone() {
        if is_asset(key, etag) {
            let since = ledger.retired.get(key).copied().unwrap_or(publication);
            if publication - since.min(publication) < GRACE {
                retired.insert(key.clone(), since);
                outcome.kept += 1;
                continue;
            }
        } else {
            outdated.extend(paths(key));
        }
        remove.push(key.clone());
    }
    outcome.removed = remove.len();
    let paths = if outdated.len() > MOST_PATHS {
        vec![EVERYTHING.to_owned()]
    } else {
        outdated.into_iter().collect()
    };
    outcome.invalidated.clone_from(&paths);
    let sent = waves.iter().flatten().map(|object| &*object.key);
    let replaced: HashSet<&str> = sent.chain(remove.iter().map(String::as_str)).collect();
    let done = Ledger {
        publication,
        retired,
        headers,
        // Those of what is sent are known when it is.
        contents: ledger.contents.of(there, &replaced),
        outdated: None,
    };
    let begun = Ledger {
        // Of a class whose headers change nothing is known until all of it is sent.
        headers: ledger
            .headers
            .iter()
            .filter(|(class, sent_with)| done.headers.get(*class).is_none_or(|now| now == *sent_with))
            .map(|(class, sent_with)| (class.clone(), sent_with.clone()))
            .collect(),
        retired: ledger.retired.clone(),
        contents: ledger.contents.of(there, &HashSet::new()),
        publication: ledger.publication,
        outdated: (!paths.is_empty()).then(|| match &ledger.outdated {
            Some(pending) if pending.paths == paths => pending.clone(),
            _ => Outdated {
                reference: fresh_token(),
                paths,
            },
        }),
    };
    Plan {
        waves,
        remove,
        begun,
        done,
        outcome,
    }
}

/// The address of the API comes with the pages that ask for it.
fn wave(object: &Object, config: &str) -> usize {
    match object.kind {
        ObjectKind::Asset => 0,
        ObjectKind::Plain if &*object.key != config => 1,
        ObjectKind::Plain | ObjectKind::Page => 2,
    }
}

/// Objects of a class are sent with the same headers: those with the same extension, but for assets and the API's address,
/// which are cached otherwise. S3 doesn't list headers, so this is how a change of them is noticed.
fn class(object: &Object, config: &str) -> String {
    if &*object.key == config {
        return config.to_owned();
    }
    let (_, name) = folder_and_name(&object.key);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let asset = if object.kind == ObjectKind::Asset { "#." } else { "." };
    format!("{asset}{}", extension.to_ascii_lowercase())
}

fn headers_of(object: &Object) -> String {
    format!("{}; {}", object.headers.content_type, object.headers.cache_control)
}

/// Where an object is seen.
fn paths(key: &str) -> impl Iterator<Item = String> {
    let root = (key == "index.html").then(|| "/".to_owned());
    root.into_iter().chain([url_path(key)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::contents::Contents;
    use crate::site::sum::Sum;
    use crate::site::{Content, Headers, IMMUTABLE, NO_CACHE};

    /// An object with a text for its content; an asset's name follows it, as in a site.
    fn object(kind: ObjectKind, key: &str, text: &str) -> Object {
        let sum = Sum::of(text);
        let key = match kind {
            ObjectKind::Asset => key.replace('.', &format!(".{}.", &sum.to_string()[..16])),
            ObjectKind::Plain | ObjectKind::Page => key.to_owned(),
        };
        Object {
            key: key.into(),
            kind,
            content: Content::Made(text.as_bytes().into()),
            size: text.len() as u64,
            sum,
            headers: Headers::new(
                "text/plain",
                if kind == ObjectKind::Asset { IMMUTABLE } else { NO_CACHE },
            )
            .into(),
            stat: None,
        }
    }

    /// What S3 lists and the ledger says after `objects` were published on top of `there` and `ledger`.
    fn after(objects: &[Object], there: &Listing, ledger: &Ledger) -> (Listing, Ledger) {
        published(objects, there, ledger, |object| object.sum.to_string())
    }

    /// The same with ETags of S3's own making.
    fn published(
        objects: &[Object],
        there: &Listing,
        ledger: &Ledger,
        etag: impl Fn(&Object) -> String,
    ) -> (Listing, Ledger) {
        let plan = plan(objects, "config.json", there, ledger);
        let (mut now, mut done) = (there.clone(), plan.done);
        for object in plan.waves.iter().flatten() {
            let etag = etag(object);
            done.contents.note(&object.key, &object.sum, &etag);
            now.insert(object.key.to_string(), etag);
        }
        for key in &plan.remove {
            now.remove(key);
        }
        (now, done)
    }

    fn keys(wave: &[&Object]) -> Vec<String> {
        wave.iter().map(|object| object.key.to_string()).collect()
    }

    fn config() -> Object {
        let address = ("apiUrl".to_owned(), "https://api.example/things".to_owned());
        Object::config("config.json", &BTreeMap::from([address]))
    }

    fn site(version: &str) -> Vec<Object> {
        vec![
            object(ObjectKind::Asset, "style.css", version),
            object(ObjectKind::Plain, "style.css", version),
            object(ObjectKind::Plain, "robots.txt", "always"),
            object(ObjectKind::Page, "index.html", version),
            config(),
        ]
    }

    #[test]
    fn what_pages_need_comes_first_and_the_address_with_the_pages() {
        let objects = site("1");
        let plan = plan(&objects, "config.json", &Listing::new(), &Ledger::default());
        assert_eq!(keys(&plan.waves[1]), ["style.css", "robots.txt"]);
        assert_eq!(keys(&plan.waves[2]), ["index.html", "config.json"]);
        assert!(keys(&plan.waves[0])[0].starts_with("style."));
        assert_eq!(plan.outcome.new, 5);
        assert_eq!(plan.begun.outdated, None, "nothing is in any cache yet");
        assert_eq!(plan.done.publication, 1);
    }

    #[test]
    fn a_second_publication_of_the_same_does_nothing() {
        let objects = site("1");
        let (there, ledger) = after(&objects, &Listing::new(), &Ledger::default());
        let again = plan(&objects, "config.json", &there, &ledger);
        assert!(again.is_empty(&ledger), "{again:?}");
        assert_eq!(again.outcome.unchanged, 5);
        assert!(!again.outcome.did_something());
    }

    #[test]
    fn a_change_invalidates_the_names_whose_content_changes_and_no_other() {
        let (mut there, ledger) = after(&site("1"), &Listing::new(), &Ledger::default());
        there.insert("a b/gone ü.html".to_owned(), "x".to_owned());
        let objects = site("2");
        let plan = plan(&objects, "config.json", &there, &ledger);
        assert_eq!(plan.outcome.new, 1, "the asset, under its new name");
        assert_eq!(plan.outcome.changed, 2);
        assert_eq!(plan.remove, ["a b/gone ü.html"]);
        assert_eq!(
            plan.begun.outdated.map(|outdated| outdated.paths),
            Some(
                ["/", "/a%20b/gone%20%C3%BC.html", "/index.html", "/style.css"]
                    .map(str::to_owned)
                    .to_vec()
            )
        );
        assert_eq!(plan.done.outdated, None);
    }

    #[test]
    fn an_asset_stays_for_some_publications_after_its_pages() {
        let (mut there, mut ledger) = after(&site("1"), &Listing::new(), &Ledger::default());
        let old = object(ObjectKind::Asset, "style.css", "1").key;
        for version in ["2", "3", "4"] {
            (there, ledger) = after(&site(version), &there, &ledger);
            assert!(there.contains_key(&*old), "after {version}");
        }
        let publication = ledger.publication;
        (there, ledger) = after(&site("4"), &there, &ledger);
        assert_eq!(
            ledger.publication, publication,
            "nothing has changed, so nothing gets older"
        );
        (there, ledger) = after(&site("5"), &there, &ledger);
        assert!(!there.contains_key(&*old));
        assert_eq!(ledger.retired.len(), 3, "of the versions 2, 3 and 4");

        ledger.publication = u64::MAX;
        assert_eq!(
            after(&site("6"), &there, &ledger).1.publication,
            u64::MAX,
            "whoever wrote that"
        );

        let (_, back) = after(&site("3"), &there, &ledger);
        let again = object(ObjectKind::Asset, "style.css", "3").key;
        assert!(!back.retired.contains_key(&*again), "it is in use again");
    }

    #[test]
    fn what_only_looks_like_an_asset_goes_at_once() {
        let (mut there, ledger) = after(&site("1"), &Listing::new(), &Ledger::default());
        there.insert("notes.0123456789abcdef.txt".to_owned(), "ff".repeat(16));
        let objects = site("1");
        let plan = plan(&objects, "config.json", &there, &ledger);
        assert_eq!(plan.remove, ["notes.0123456789abcdef.txt"]);
    }

    #[test]
    fn other_headers_are_a_change_and_not_believed_before_they_are_sent() {
        let (there, ledger) = after(&site("1"), &Listing::new(), &Ledger::default());
        let mut objects = site("1");
        objects[1].headers = Headers::new("text/plain", "public, max-age=0").into();
        let (begun, done) = {
            let plan = plan(&objects, "config.json", &there, &ledger);
            assert_eq!(keys(&plan.waves[1]), ["style.css"]);
            (plan.begun, plan.done)
        };
        let unfinished = plan(&objects, "config.json", &there, &begun);
        assert_eq!(keys(&unfinished.waves[1]), ["style.css"]);
        assert!(plan(&objects, "config.json", &there, &done).is_empty(&done));
    }

    #[test]
    fn objects_of_one_type_that_are_cached_otherwise_are_no_change() {
        let mut data = object(ObjectKind::Plain, "data.json", "{}");
        data.headers = Headers::new("text/plain", "public, max-age=0").into();
        let objects = [data, config()];
        let (there, ledger) = after(&objects, &Listing::new(), &Ledger::default());
        assert!(plan(&objects, "config.json", &there, &ledger).is_empty(&ledger));
    }

    #[test]
    fn what_an_etag_does_not_tell_the_ledger_does() {
        let encrypted = |object: &Object| format!("{:?}", object.sum);
        let (there, ledger) = published(&site("1"), &Listing::new(), &Ledger::default(), encrypted);
        let again = site("1");
        let again = plan(&again, "config.json", &there, &ledger);
        assert!(again.is_empty(&ledger) && again.outcome.unchanged == 5, "{again:?}");

        let objects = site("2");
        let next = plan(&objects, "config.json", &there, &ledger);
        assert_eq!(next.waves.iter().map(Vec::len).sum::<usize>(), 3);
        assert_eq!(
            next.outcome.kept, 1,
            "the asset that earlier pages load is known as one"
        );
        assert_eq!(
            next.begun.contents, ledger.contents,
            "what was sent before is there still"
        );
        let of = |ledger: &Ledger| -> Vec<String> {
            let json = serde_json::to_value(&ledger.contents).expect("JSON");
            json.as_object().expect("a map").keys().cloned().collect()
        };
        assert_eq!(
            of(&next.done).len(),
            3,
            "nothing is said of what isn't sent yet: {:?}",
            of(&next.done)
        );

        // Somebody put another object there, and the ledger of a version that keeps no sums.
        let mut changed = there.clone();
        changed.insert("robots.txt".to_owned(), "another".to_owned());
        let objects = site("1");
        assert_eq!(
            keys(&plan(&objects, "config.json", &changed, &ledger).waves[1]),
            ["robots.txt"]
        );
        let older = Ledger {
            contents: Contents::default(),
            ..ledger.clone()
        };
        let (there, renewed) = published(&objects, &there, &older, encrypted);
        assert_eq!(renewed.contents, ledger.contents, "all is sent once more");
        assert!(plan(&objects, "config.json", &there, &renewed).is_empty(&renewed));
        let (_, gone) = published(&[], &there, &renewed, encrypted);
        assert_eq!(of(&gone).len(), 1, "the asset stays a while: {:?}", of(&gone));
    }

    #[test]
    fn an_invalidation_that_failed_is_left_to_do() {
        let (there, ledger) = after(&site("1"), &Listing::new(), &Ledger::default());
        let objects = site("2");
        let begun = plan(&objects, "config.json", &there, &ledger).begun;
        let (sent, _) = after(&objects, &there, &ledger);
        let again = plan(&objects, "config.json", &sent, &begun);
        assert!(!again.is_empty(&begun));
        assert_eq!(
            again.begun.outdated, begun.outdated,
            "the same request, by the same name"
        );
    }

    #[test]
    fn many_paths_are_one_wildcard() {
        let there: Listing = (0..=MOST_PATHS).map(|n| (format!("{n}.html"), String::new())).collect();
        let plan = plan(&[], "config.json", &there, &Ledger::default());
        assert_eq!(
            plan.begun.outdated.map(|outdated| outdated.paths),
            Some(vec![EVERYTHING.to_owned()])
        );
    }
}
