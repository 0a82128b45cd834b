//! What publishing has to do, decided without a call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::Published;
use super::ledger::{Ledger, Outdated};
use super::purge::Purge;
use super::sent::{Gathered, Others, Sent, class, has_own_name, is_immutable, note_other, text_of};
use crate::bucket::{Etag, Listing};
use crate::ident::fresh_token;
use crate::site::{IMMUTABLE, Object, ObjectKind, folder_and_name, is_hashed_name, listed, url_path};

/// For how many publications that change something what a page may load stays after the last one that has it, at least: a
/// page that was opened before them still gets what it loads later.
const GRACE: u64 = 3;

/// Above this many paths one wildcard is asked for instead. CloudFront bills by the path and counts `/*` as one; all that
/// it costs is that the edges ask S3 again whether the rest has changed.
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/PayingForInvalidation.html>
const MOST_PATHS: usize = 30;

/// That wildcard.
pub(super) const EVERYTHING: &str = "/*";

/// What is to be published, in the order of the keys.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    objects: Vec<&'a Object>,
    /// The key of what tells pages what is deployed.
    config: &'a str,
}

impl<'a> Wanted<'a> {
    /// A site's `objects`, with `made` in the place of that with the key `config`, if there is one.
    pub(super) fn new(objects: &'a [Object], config: &'a str, made: Option<&'a Object>) -> Self {
        let others = objects.iter().filter(|object| made.is_none() || &*object.key != config);
        let mut objects: Vec<&Object> = others.chain(made).collect();
        objects.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Self { objects, config }
    }

    pub(super) fn config(&self) -> &'a str {
        self.config
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'a Arc<str>> {
        self.objects.iter().map(|object| &object.key)
    }
}

/// How long what is no longer in the site stays.
#[derive(Debug)]
pub(super) struct Keeping<'a> {
    /// At least this long,
    pub(super) keep_for: Duration,
    /// now being this, in seconds since 1970,
    pub(super) now: u64,
    /// and the ledger having been written then. That is S3's clock: what goes by another is never before that which it says
    /// to be done, nor was what the ledger has done after it.
    pub(super) written: Option<u64>,
    /// What goes at once.
    pub(super) purge: &'a Purge,
}

/// The work, in the order in which it is to be done.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// What is sent: first what pages refer to, then files under their own names, then pages. Each wave only when the
    /// one before is there.
    pub(super) waves: [Vec<&'a Object>; 3],
    /// What goes then.
    pub(super) remove: Vec<Arc<str>>,
    /// What is there now and won't be any more under these keys, with its ETag and, in writing, its sum: an earlier release
    /// may want it again. Not what was to go at once.
    pub(super) superseded: Vec<(Arc<str>, Etag, String)>,
    /// The sums of what was to go at once, in writing.
    pub(super) purged: Vec<String>,
    /// The ledger while the work is under way: it doesn't say of anything that it is done.
    pub(super) begun: Ledger,
    /// The ledger when all of it is done, but for what objects hold (see [`Plan::done`]).
    end: Ledger,
    /// What will have been done.
    pub(super) outcome: Published,
    /// What to know of that which was to go at once.
    pub(super) remarks: Vec<String>,
}

impl Plan<'_> {
    /// Whether the bucket, CloudFront and the ledger are as they should be.
    pub(super) fn is_empty(&self, before: &Ledger) -> bool {
        self.waves.iter().all(Vec::is_empty)
            && self.remove.is_empty()
            && self.begun.outdated.is_none()
            && self.end.retired == before.retired
            // Whether they agree in each second is no reason to write.
            && self.end.times.keys().eq(before.times.keys())
            && self.end.headers == before.headers
            && self.end.other_headers == before.other_headers
    }

    /// Makes the ledger that the work was done with say that it is done.
    pub(super) fn done(&self, ledger: &mut Ledger) {
        let mut contents = std::mem::take(&mut ledger.contents);
        for object in self.waves.iter().flatten() {
            contents.forget(&object.key);
        }
        for key in &self.remove {
            contents.forget(key);
        }
        *ledger = Ledger {
            contents,
            ..self.end.clone()
        };
    }
}

/// What it takes to get from `there`, the bucket's keys and ETags, to what is `wanted`.
pub(super) fn plan<'a>(wanted: &Wanted<'a>, there: &Listing, ledger: &Ledger, keeping: &Keeping<'_>) -> Plan<'a> {
    let sent = Sent::of(ledger);
    let mut outcome = Published::default();
    let mut waves: [Vec<&Object>; 3] = Default::default();
    let mut outdated = OutdatedPaths(ledger.outdated.iter().flat_map(|one| one.paths.clone()).collect());
    let mut gathered = Gathered::default();
    let (mut kept_by_browsers, mut superseded) = (Vec::new(), Vec::new());
    let sum_of = |key: &str, etag: &Etag| ledger.contents.sum_of(key, etag).into_owned();
    for object in &wanted.objects {
        let class = class(&object.key, has_own_name(object), wanted.config);
        let text = text_of(&object.headers);
        let before = sent.with(&object.key, &class);
        let is_other = before.is_some_and(|before| before != text);
        gathered.count(&class, Some(&text));
        match there.get(&object.key) {
            Some(etag) => {
                let is_same = ledger.contents.tell(&object.key, etag, &object.sum) == Some(true);
                if is_same && before == Some(&*text) {
                    outcome.unchanged += 1;
                    continue;
                }
                outcome.changed += 1;
                if !is_same && *object.key != *wanted.config {
                    superseded.push((Arc::clone(&object.key), etag.clone(), sum_of(&object.key, etag)));
                }
                // What has its hash in its name can only have become what it was.
                if !has_own_name(object) || is_other {
                    outdated.add(&object.key);
                }
                if !is_same && before.is_some_and(|before| before.contains(IMMUTABLE)) {
                    kept_by_browsers.push(&*object.key);
                }
            }
            // That it wasn't there is forgotten by the edges within seconds.
            None => outcome.new += 1,
        }
        outcome.bytes += object.size;
        waves[wave(object, wanted.config)].push(object);
    }

    let gone: Vec<(&Arc<str>, &Etag)> = gone(wanted.keys().map(|key| &**key), there).collect();
    let is_new = |key: &str| !ledger.retired.contains_key(key);
    let changes = outcome.new + outcome.changed > 0 || gone.iter().any(|(key, _)| is_new(key));
    // It comes from the bucket, which others may write to.
    let publication = ledger.publication.saturating_add(u64::from(changes));
    let times = Times::new(ledger, publication, changes, keeping);
    let (mut remove, mut kept, mut purged) = (Vec::new(), Vec::new(), Vec::new());
    for (key, etag) in gone.iter().copied() {
        let since = ledger.retired.get(&**key).copied().unwrap_or(publication);
        let is_own_name = || is_hashed_name(key, &ledger.contents.sum_of(key, etag));
        let is_purged = keeping.purge.has(key);
        if !is_purged && !is_page(key) && times.is_too_soon(since) {
            let class = class(key, is_own_name(), wanted.config);
            gathered.count(&class, sent.with(key, &class));
            kept.push((key, since, class));
            continue;
        }
        if is_purged || !is_content_named(key, is_own_name, wanted.config, &sent) {
            outdated.add(key);
        }
        if is_purged {
            purged.push(sum_of(key, etag));
        } else if **key != *wanted.config {
            superseded.push((Arc::clone(key), etag.clone(), sum_of(key, etag)));
        }
        remove.push(Arc::clone(key));
    }
    (outcome.removed, outcome.kept) = (remove.len(), kept.len());

    let headers = gathered.usual(&ledger.headers);
    let mut other_headers = Others::new();
    for object in &wanted.objects {
        let class = class(&object.key, has_own_name(object), wanted.config);
        let text = text_of(&object.headers);
        note_other(&mut other_headers, &headers, &object.key, &class, Some(&text));
    }
    for (key, _, class) in &kept {
        note_other(&mut other_headers, &headers, key, class, sent.with(key, class));
    }
    let retired: BTreeMap<String, u64> = kept.iter().map(|(key, since, _)| (key.to_string(), *since)).collect();
    let end = Ledger {
        publication,
        times: times.of(retired.values().copied()),
        retired,
        headers,
        other_headers,
        ..Ledger::default()
    };
    let paths = outdated.finish();
    outcome.invalidated.clone_from(&paths);
    let gone: Vec<&str> = gone.iter().map(|(key, _)| &***key).collect();
    let mut remarks = keeping.purge.remarks(there, &gone);
    if let [first, ..] = kept_by_browsers[..] {
        remarks.push(format!(
            "changed under a name that browsers were told to keep for a year: {}; those that have the old one go on with it. Give \
             what changes another name, or have browsers ask for it each time from now on: `asIs: [/{first}]` in \
             stacks/stages.yaml",
            listed(&kept_by_browsers)
        ));
    }
    Plan {
        begun: begun(&waves, wanted.config, &end, there, ledger, paths),
        remarks,
        waves,
        remove,
        superseded,
        purged,
        end,
        outcome,
    }
}

/// The ledger while the work is under way.
fn begun(
    waves: &[Vec<&Object>; 3],
    config: &str,
    end: &Ledger,
    there: &Listing,
    ledger: &Ledger,
    paths: Vec<String>,
) -> Ledger {
    // Of a class for which something else becomes usual nothing is known until all of it is sent,
    let is_as_before = |(class, text): &(&String, &String)| end.headers.get(*class).is_none_or(|now| now == *text);
    let headers = ledger.headers.iter().filter(is_as_before);
    let headers = headers.map(|(class, text)| (class.clone(), text.clone())).collect();
    // nor of an object that is sent with others.
    let sent = Sent::of(ledger);
    let mut unsure = Vec::new();
    for object in waves.iter().flatten() {
        let class = class(&object.key, has_own_name(object), config);
        if sent
            .with(&object.key, &class)
            .is_some_and(|before| before != text_of(&object.headers))
        {
            unsure.push((&*object.key, class));
        }
    }
    unsure.sort_unstable();
    let is_unsure = |key: &str| unsure.binary_search_by(|(one, _)| (*one).cmp(key)).is_ok();
    let mut other_headers = Others::new();
    for (text, keys) in &ledger.other_headers {
        let keys: Vec<String> = keys.iter().filter(|key| !is_unsure(key)).cloned().collect();
        if !keys.is_empty() {
            other_headers.insert(text.clone(), keys);
        }
    }
    for (key, class) in &unsure {
        note_other(&mut other_headers, &headers, key, class, None);
    }
    Ledger {
        publication: ledger.publication,
        retired: ledger.retired.clone(),
        times: ledger.times.clone(),
        headers,
        other_headers,
        contents: ledger.contents.of(there),
        outdated: (!paths.is_empty()).then(|| match &ledger.outdated {
            Some(pending) if pending.paths == paths => pending.clone(),
            _ => Outdated {
                reference: fresh_token(),
                paths,
            },
        }),
        publisher: None,
    }
}

/// When publications were, and how long that is ago.
struct Times<'a> {
    known: &'a BTreeMap<u64, u64>,
    /// The number of this one, and whether it is one.
    publication: (u64, bool),
    keep_for: u64,
    now: u64,
    written: Option<u64>,
}

impl<'a> Times<'a> {
    fn new(ledger: &'a Ledger, publication: u64, changes: bool, keeping: &Keeping<'_>) -> Self {
        Self {
            known: &ledger.times,
            publication: (publication, changes),
            keep_for: keeping.keep_for.as_secs(),
            // A clock that was never set, or has gone back, is behind.
            now: keeping.now.max(keeping.written.unwrap_or_default()),
            written: keeping.written,
        }
    }

    /// When a publication was. Of those before the ledger had it, it is now that it is known to be over.
    fn at(&self, publication: u64) -> u64 {
        match self.known.get(&publication) {
            // It was written down no later than the ledger was.
            Some(time) if self.publication != (publication, true) => {
                self.written.map_or(*time, |written| written.min(*time))
            }
            _ => self.now,
        }
    }

    /// Whether what was left out by this publication is to stay.
    fn is_too_soon(&self, since: u64) -> bool {
        let (publication, _) = self.publication;
        publication - since.min(publication) < GRACE || self.now.saturating_sub(self.at(since)) < self.keep_for
    }

    fn of(&self, publications: impl Iterator<Item = u64>) -> BTreeMap<u64, u64> {
        publications.map(|one| (one, self.at(one))).collect()
    }
}

/// What is there and not `wanted`, whose keys are in order.
pub(super) fn gone<'t, 'a>(
    wanted: impl Iterator<Item = &'a str>,
    there: &'t Listing,
) -> impl Iterator<Item = (&'t Arc<str>, &'t Etag)> {
    let mut wanted = wanted.peekable();
    there.iter().filter(move |(key, _)| {
        while wanted.next_if(|one| *one < &***key).is_some() {}
        wanted.peek() != Some(&&***key)
    })
}

/// Whether an object in the bucket has a name that goes by its content, so that nothing else is ever called so: one that the
/// deployer made of it, or one that is kept by browsers for ever.
pub(super) fn is_content_named(key: &str, is_own_name: impl FnOnce() -> bool, config: &str, sent: &Sent<'_>) -> bool {
    is_own_name() || sent.with(key, &class(key, false, config)).is_some_and(is_immutable)
}

/// Whether a key is a page's, or leads to one: nobody who has one open asks for it again as a part of that.
fn is_page(key: &str) -> bool {
    let (_, name) = folder_and_name(key);
    match name.rsplit_once('.') {
        None => true,
        Some((_, extension)) => ["html", "htm", "xhtml"]
            .iter()
            .any(|page| extension.eq_ignore_ascii_case(page)),
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

/// Paths that CloudFront is to forget. There may be many more than are named to it.
struct OutdatedPaths(BTreeSet<String>);

impl OutdatedPaths {
    /// Where the object with this key is seen.
    fn add(&mut self, key: &str) {
        if self.0.len() <= MOST_PATHS {
            self.0.extend(paths(key));
        }
    }

    fn finish(self) -> Vec<String> {
        if self.0.len() > MOST_PATHS {
            vec![EVERYTHING.to_owned()]
        } else {
            self.0.into_iter().collect()
        }
    }
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
    use crate::publish::sent::Usual;
    use crate::site::sum::Sum;
    use crate::site::{Content, Headers, NO_CACHE};

    const CONFIG: &str = "config.json";

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
            part_sums: None,
            headers: Headers::new(
                "text/plain",
                if kind == ObjectKind::Asset { IMMUTABLE } else { NO_CACHE },
            )
            .into(),
            stat: None,
        }
    }

    /// What S3 lists.
    type Bucket = BTreeMap<String, String>;

    fn listing(there: &Bucket) -> Listing {
        let objects = there.iter();
        objects
            .map(|(key, etag)| (key.as_str().into(), etag.as_str().into()))
            .collect()
    }

    const DAY: u64 = 24 * 60 * 60;

    /// What there is to do so many days after everything began; things are kept for ten.
    fn plan_on<'a>(day: u64, objects: &'a [Object], there: &Bucket, ledger: &Ledger, purge: &Purge) -> Plan<'a> {
        let keeping = Keeping {
            keep_for: Duration::from_secs(10 * DAY),
            now: day * DAY,
            written: None,
            purge,
        };
        super::plan(&Wanted::new(objects, CONFIG, None), &listing(there), ledger, &keeping)
    }

    fn plan<'a>(objects: &'a [Object], there: &Bucket, ledger: &Ledger) -> Plan<'a> {
        plan_on(1000, objects, there, ledger, &Purge::default())
    }

    /// The ledger after a plan was carried out.
    fn done(plan: &Plan<'_>) -> Ledger {
        let mut ledger = plan.begun.clone();
        plan.done(&mut ledger);
        ledger
    }

    /// What S3 lists and the ledger says after `plan` was carried out on top of `there`.
    fn carried_out(plan: &Plan<'_>, there: &Bucket, etag: impl Fn(&Object) -> String) -> (Bucket, Ledger) {
        let (mut now, mut done) = (there.clone(), done(plan));
        for object in plan.waves.iter().flatten() {
            let etag = etag(object);
            done.contents.note(&object.key, &object.sum, &etag);
            now.insert(object.key.to_string(), etag);
        }
        for key in &plan.remove {
            now.remove(&**key);
        }
        (now, done)
    }

    fn sum(object: &Object) -> String {
        object.sum.to_string()
    }

    fn after(objects: &[Object], there: &Bucket, ledger: &Ledger) -> (Bucket, Ledger) {
        carried_out(&plan(objects, there, ledger), there, sum)
    }

    fn after_on(day: u64, objects: &[Object], (there, ledger): &(Bucket, Ledger)) -> (Bucket, Ledger) {
        carried_out(&plan_on(day, objects, there, ledger, &Purge::default()), there, sum)
    }

    /// The same with ETags of S3's own making.
    fn published(
        objects: &[Object],
        there: &Bucket,
        ledger: &Ledger,
        etag: impl Fn(&Object) -> String,
    ) -> (Bucket, Ledger) {
        carried_out(&plan(objects, there, ledger), there, etag)
    }

    fn keys(wave: &[&Object]) -> Vec<String> {
        wave.iter().map(|object| object.key.to_string()).collect()
    }

    fn config() -> Object {
        let address = ("apiUrl".to_owned(), "https://api.example/things".to_owned());
        Object::config(CONFIG, &BTreeMap::from([address]))
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
        let plan = plan(&objects, &Bucket::new(), &Ledger::default());
        assert_eq!(keys(&plan.waves[1]), ["robots.txt", "style.css"]);
        assert_eq!(keys(&plan.waves[2]), [CONFIG, "index.html"]);
        assert!(keys(&plan.waves[0])[0].starts_with("style."));
        assert_eq!(plan.outcome.new, 5);
        assert_eq!(plan.begun.outdated, None, "nothing is in any cache yet");
        assert_eq!(done(&plan).publication, 1);
    }

    #[test]
    fn a_second_publication_of_the_same_does_nothing() {
        let objects = site("1");
        let (there, ledger) = after(&objects, &Bucket::new(), &Ledger::default());
        let again = plan(&objects, &there, &ledger);
        assert!(again.is_empty(&ledger), "{again:?}");
        assert_eq!(again.outcome.unchanged, 5);
        assert!(!again.outcome.did_something());
    }

    #[test]
    fn a_change_invalidates_the_names_whose_content_changes_and_no_other() {
        let (mut there, ledger) = after(&site("1"), &Bucket::new(), &Ledger::default());
        there.insert("a b/gone ü.html".to_owned(), "x".to_owned());
        let objects = site("2");
        let plan = plan(&objects, &there, &ledger);
        assert_eq!(plan.outcome.new, 1, "the asset, under its new name");
        assert_eq!(plan.outcome.changed, 2);
        assert_eq!(plan.remove, ["a b/gone ü.html".into()]);
        assert_eq!(
            plan.begun.outdated.as_ref().map(|outdated| outdated.paths.clone()),
            Some(
                ["/", "/a%20b/gone%20%C3%BC.html", "/index.html", "/style.css"]
                    .map(str::to_owned)
                    .to_vec()
            )
        );
        assert_eq!(done(&plan).outdated, None);
    }

    #[test]
    fn what_a_page_loads_stays_for_some_publications_and_days_after_it() {
        let mut now = after_on(0, &site("1"), &Default::default());
        let old = object(ObjectKind::Asset, "style.css", "1").key;
        // Three publications more, but not the days.
        for (day, version) in [(0, "2"), (1, "3"), (2, "4"), (3, "5"), (9, "6")] {
            now = after_on(day, &site(version), &now);
            assert!(now.0.contains_key(&*old), "after {version}");
        }
        let (there, ledger) = &now;
        let sixth = site("6");
        let again = plan_on(9, &sixth, there, ledger, &Purge::default());
        assert!(again.is_empty(ledger), "{again:?}");
        assert_eq!((again.outcome.kept, ledger.times.len()), (5, 5));
        // Then it goes, also when nothing else is to be done, and only it.
        let later = plan_on(10, &sixth, there, ledger, &Purge::default());
        assert_eq!(later.remove, [Arc::clone(&old)]);
        assert_eq!(later.begun.outdated, None, "it is never called so again");
        let before = ledger.publication;
        now = carried_out(&later, there, sum);
        assert_eq!(now.1.publication, before, "nothing gets older by that");
        assert!(!now.0.contains_key(&*old));

        // The days, but not the publications.
        now = after_on(10, &site("7"), &now);
        let seventh = object(ObjectKind::Asset, "style.css", "6").key;
        for (day, version) in [(100, "8"), (200, "9"), (300, "9")] {
            now = after_on(day, &site(version), &now);
            assert!(now.0.contains_key(&*seventh), "after {version}");
        }
        assert_eq!(now.1.retired.len(), 3, "of the versions 6, 7 and 8");
        now = after_on(300, &site("10"), &now);
        assert!(!now.0.contains_key(&*seventh));

        let (there, mut ledger) = now;
        ledger.publication = u64::MAX;
        assert_eq!(
            after(&site("11"), &there, &ledger).1.publication,
            u64::MAX,
            "whoever wrote that"
        );
        let (_, back) = after(&site("9"), &there, &ledger);
        let again = object(ObjectKind::Asset, "style.css", "9").key;
        assert!(!back.retired.contains_key(&*again), "it is in use again");
    }

    #[test]
    fn all_but_pages_stays_whatever_it_is_called() {
        let parts = [
            "app-1111.js",
            "a/more.WASM",
            "photo.jpg",
            "data.json",
            "notes.txt",
            ".hidden",
        ];
        let pages = ["old.html", "old.HTM", "old.xhtml", "about", "a.b/about", "about/"];
        let mut objects = site("1");
        objects.extend(
            parts
                .iter()
                .chain(&pages)
                .map(|key| object(ObjectKind::Plain, key, "old")),
        );
        let (there, ledger) = after(&objects, &Bucket::new(), &Ledger::default());
        let objects = site("1");
        let plan = plan(&objects, &there, &ledger);
        let mut expected = pages.map(Arc::from);
        expected.sort();
        assert_eq!(plan.remove, expected);
        assert_eq!((plan.outcome.removed, plan.outcome.kept), (pages.len(), parts.len()));
        let (mut there, ledger) = carried_out(&plan, &there, sum);
        let kept: Vec<&str> = ledger.retired.keys().map(String::as_str).collect();
        let mut expected = parts;
        expected.sort_unstable();
        assert_eq!(kept, expected);
        // What goes later isn't served by the edges for a year more.
        for one in [2, 3] {
            there.insert(format!("{one}.html"), String::new());
        }
        let ledger = Ledger {
            publication: 5,
            ..ledger
        };
        let objects = site("1");
        let later = plan_on(2000, &objects, &there, &ledger, &Purge::default());
        assert_eq!(later.remove.len(), parts.len() + 2);
        let forgotten = later.begun.outdated.expect("paths").paths;
        assert!(forgotten.contains(&"/app-1111.js".to_owned()), "{forgotten:?}");
    }

    #[test]
    fn what_changes_under_a_name_that_is_kept_for_a_year_is_told_and_invalidated() {
        let part = |text: &str| {
            let mut part = object(ObjectKind::Plain, "js/app-B3x9Qk2a.js", text);
            part.kind = ObjectKind::Asset;
            part.headers = Headers::new("text/javascript", IMMUTABLE).into();
            part
        };
        let with = |text: &str| [site("1"), vec![part(text)]].concat();
        let (there, ledger) = after(&with("old"), &Bucket::new(), &Ledger::default());
        let objects = with("new");
        let plan_of_new = plan(&objects, &there, &ledger);
        let outdated = plan_of_new.begun.outdated.as_ref().expect("paths");
        assert_eq!(outdated.paths, ["/js/app-B3x9Qk2a.js"]);
        let [remark] = &plan_of_new.remarks[..] else {
            panic!("{:?}", plan_of_new.remarks);
        };
        assert!(remark.contains("keep for a year: js/app-B3x9Qk2a.js;"), "{remark}");
        assert!(remark.contains("`asIs: [/js/app-B3x9Qk2a.js]`"), "{remark}");
        // What was never sent is no news to anybody.
        assert!(plan(&objects, &Bucket::new(), &ledger).remarks.is_empty());
    }

    #[test]
    fn what_browsers_keep_for_ever_is_not_forgotten_by_the_edges() {
        let mut objects = site("1");
        let mut part = object(ObjectKind::Plain, "app-B3x9Qk2a.js", "old");
        part.headers = Headers::new("text/javascript", IMMUTABLE).into();
        objects.push(part);
        let now = after_on(0, &objects, &Default::default());
        let now = after_on(0, &site("2"), &now);
        assert_eq!(
            now.1.headers[".js"],
            "text/javascript; public, max-age=31536000, immutable"
        );
        let now = ["3", "4", "5"]
            .iter()
            .fold(now, |now, version| after_on(20, &site(version), &now));
        assert!(!now.0.contains_key("app-B3x9Qk2a.js"));
        let last = site("5");
        assert!(plan_on(20, &last, &now.0, &now.1, &Purge::default()).is_empty(&now.1));
    }

    #[test]
    fn clocks_that_are_wrong_remove_nothing_before_its_time() {
        let now = after_on(100, &site("1"), &Default::default());
        let (there, mut ledger) = after_on(100, &site("2"), &now);
        // A version that knows of no times has published meanwhile.
        (ledger.publication, ledger.times) = (9, BTreeMap::new());
        let objects = site("2");
        let on = |day: u64, written: Option<u64>, ledger: &Ledger| {
            let keeping = Keeping {
                keep_for: Duration::from_secs(10 * DAY),
                now: day * DAY,
                written: written.map(|day| day * DAY),
                purge: &Purge::default(),
            };
            let plan = super::plan(&Wanted::new(&objects, CONFIG, None), &listing(&there), ledger, &keeping);
            (plan.outcome.removed, plan.is_empty(ledger), done(&plan))
        };
        let (removed, is_empty, first) = on(100, Some(100), &ledger);
        assert_eq!((removed, is_empty), (0, false), "that is written down, once");
        assert_eq!(first.times, [(2, 100 * DAY)].into());
        assert_eq!(on(109, Some(100), &first), (0, true, first.clone()));
        // One that was never set writes down what S3's says.
        assert_eq!(on(0, Some(105), &ledger).2.times, [(2, 105 * DAY)].into());
        assert_eq!(on(0, Some(105), &first).0, 0);
        // One that is years ahead doesn't keep things for years.
        let (_, _, ahead) = on(9000, Some(100), &ledger);
        assert_eq!(ahead.times, [(2, 9000 * DAY)].into());
        assert_eq!(on(111, Some(100), &ahead).0, 1);
        assert_eq!(on(109, Some(100), &ahead).0, 0);
    }

    #[test]
    fn what_is_to_go_at_once_goes_with_its_copies() {
        let old = object(ObjectKind::Asset, "style.css", "1").key;
        let mut objects = site("1");
        objects.push(object(ObjectKind::Plain, "secret.json", "old"));
        let now = after_on(0, &objects, &Default::default());
        let (there, ledger) = after_on(0, &site("2"), &now);
        assert_eq!(ledger.retired.len(), 2);
        let purge = Purge::new(&["*.json".to_owned(), "/*.css".to_owned(), "*.png".to_owned()]).expect("patterns");
        let objects = site("2");
        let plan = plan_on(0, &objects, &there, &ledger, &purge);
        assert_eq!(plan.remove, ["secret.json".into(), old.clone()]);
        assert_eq!((plan.outcome.removed, plan.outcome.kept), (2, 0));
        assert_eq!(
            plan.outcome.invalidated,
            ["/secret.json".to_owned(), format!("/{old}")],
            "an edge may have it for a year"
        );
        assert_eq!(plan.remarks.len(), 1, "{:?}", plan.remarks);
        let (there, ledger) = carried_out(&plan, &there, sum);
        assert!(plan_on(0, &objects, &there, &ledger, &Purge::default()).is_empty(&ledger));
        // What leaves the site in the same run goes as well.
        let objects = [config()];
        let plan = plan_on(0, &objects, &there, &ledger, &purge);
        assert!(plan.remove.contains(&"style.css".into()) && !plan.remove.contains(&"robots.txt".into()));
    }

    #[test]
    fn headers_by_object_are_a_change_of_that_object() {
        let with = |languages: [&str; 3]| {
            let mut objects = site("1");
            for (number, language) in languages.iter().enumerate() {
                let mut page = object(ObjectKind::Page, &format!("{number}.html"), "same");
                page.headers = Headers {
                    content_language: Some((*language).to_owned()).filter(|language| !language.is_empty()),
                    ..(*page.headers).clone()
                }
                .into();
                objects.push(page);
            }
            objects
        };
        let objects = with(["", "", "de"]);
        let (there, ledger) = after(&objects, &Bucket::new(), &Ledger::default());
        assert!(plan(&objects, &there, &ledger).is_empty(&ledger));
        assert_eq!(
            ledger.other_headers.values().flatten().collect::<Vec<_>>(),
            ["2.html"],
            "what is usual isn't said of each"
        );
        let objects = with(["", "fr", "de"]);
        let next = plan(&objects, &there, &ledger);
        assert_eq!(keys(&next.waves[2]), ["1.html"]);
        assert_eq!(next.outcome.invalidated, ["/1.html"]);
        // Interrupted, and then it isn't wanted any more: nobody knows whether it was sent.
        let objects = with(["", "", "de"]);
        assert_eq!(keys(&plan(&objects, &there, &next.begun).waves[2]), ["1.html"]);
        let (there, ledger) = carried_out(&next, &there, sum);
        let objects = with(["", "fr", "de"]);
        assert!(plan(&objects, &there, &ledger).is_empty(&ledger));
        // Most have others now, but each is known.
        let mut objects = with(["fr", "fr", "de"]);
        objects.retain(|object| &*object.key != "index.html");
        let next = plan(&objects, &there, &ledger);
        assert_eq!(keys(&next.waves[2]), ["0.html"]);
        let (there, ledger) = carried_out(&next, &there, sum);
        assert!(ledger.headers[".html"].contains("fr"));
        assert!(plan(&objects, &there, &ledger).is_empty(&ledger));
        // The ledger of a version that has them by class only.
        let older = Ledger {
            headers: Usual::from([(".html".to_owned(), "text/plain; no-cache".to_owned())]),
            other_headers: Others::new(),
            ..ledger
        };
        assert_eq!(
            plan(&objects, &there, &older).waves[2].len(),
            4,
            "three pages, and the address"
        );
    }

    #[test]
    fn an_object_that_is_new_with_headers_of_its_own_is_not_believed_to_have_others() {
        let (there, ledger) = after(&site("1"), &Bucket::new(), &Ledger::default());
        let mut objects = site("1");
        let mut page = object(ObjectKind::Page, "new.html", "new");
        let usual = Arc::clone(&page.headers);
        page.headers = Headers::new("text/plain; charset=iso-8859-1", NO_CACHE).into();
        objects.push(page);
        let begun = plan(&objects, &there, &ledger).begun;
        // It was sent, and then the run was killed.
        let mut there = there;
        there.insert("new.html".to_owned(), sum(&objects[5]));
        assert_eq!(keys(&plan(&objects, &there, &begun).waves[2]), ["new.html"]);
        objects[5].headers = usual;
        assert_eq!(keys(&plan(&objects, &there, &begun).waves[2]), ["new.html"]);
    }

    #[test]
    fn other_headers_are_a_change_and_not_believed_before_they_are_sent() {
        let (there, ledger) = after(&site("1"), &Bucket::new(), &Ledger::default());
        let mut objects = site("1");
        objects[1].headers = Headers::new("text/plain", "public, max-age=0").into();
        let (begun, done) = {
            let plan = plan(&objects, &there, &ledger);
            assert_eq!(keys(&plan.waves[1]), ["style.css"]);
            (plan.begun.clone(), done(&plan))
        };
        let unfinished = plan(&objects, &there, &begun);
        assert_eq!(keys(&unfinished.waves[1]), ["style.css"]);
        assert!(plan(&objects, &there, &done).is_empty(&done));
    }

    #[test]
    fn objects_of_one_type_that_are_cached_otherwise_are_no_change() {
        let mut data = object(ObjectKind::Plain, "data.json", "{}");
        data.headers = Headers::new("text/plain", "public, max-age=0").into();
        let objects = [data, config()];
        let (there, ledger) = after(&objects, &Bucket::new(), &Ledger::default());
        assert!(plan(&objects, &there, &ledger).is_empty(&ledger));
    }

    #[test]
    fn what_an_etag_does_not_tell_the_ledger_does() {
        let encrypted = |object: &Object| format!("{:?}", object.sum);
        let (there, ledger) = published(&site("1"), &Bucket::new(), &Ledger::default(), encrypted);
        let again = site("1");
        let again = plan(&again, &there, &ledger);
        assert!(again.is_empty(&ledger) && again.outcome.unchanged == 5, "{again:?}");

        let objects = site("2");
        let next = plan(&objects, &there, &ledger);
        assert_eq!(next.waves.iter().map(Vec::len).sum::<usize>(), 3);
        assert_eq!(next.outcome.kept, 1, "the asset that earlier pages load");
        assert_eq!(
            next.begun.contents, ledger.contents,
            "what was sent before is there still"
        );
        let of = |ledger: &Ledger| -> Vec<String> {
            let json = serde_json::to_value(&ledger.contents).expect("JSON");
            json.as_object().expect("a map").keys().cloned().collect()
        };
        assert_eq!(
            of(&done(&next)).len(),
            3,
            "nothing is said of what isn't sent yet: {:?}",
            of(&done(&next))
        );

        // Somebody put another object there, and the ledger of a version that keeps no sums.
        let mut changed = there.clone();
        changed.insert("robots.txt".to_owned(), "another".to_owned());
        let objects = site("1");
        assert_eq!(keys(&plan(&objects, &changed, &ledger).waves[1]), ["robots.txt"]);
        let older = Ledger {
            contents: Contents::default(),
            ..ledger.clone()
        };
        let (there, renewed) = published(&objects, &there, &older, encrypted);
        assert_eq!(renewed.contents, ledger.contents, "all is sent once more");
        assert!(plan(&objects, &there, &renewed).is_empty(&renewed));
        let (_, gone) = published(&[], &there, &renewed, encrypted);
        assert_eq!(of(&gone).len(), 4, "all but the page stay a while: {:?}", of(&gone));
    }

    #[test]
    fn an_invalidation_that_failed_is_left_to_do() {
        let (there, ledger) = after(&site("1"), &Bucket::new(), &Ledger::default());
        let objects = site("2");
        let begun = plan(&objects, &there, &ledger).begun;
        let (sent, _) = after(&objects, &there, &ledger);
        let again = plan(&objects, &sent, &begun);
        assert!(!again.is_empty(&begun));
        assert_eq!(
            again.begun.outdated, begun.outdated,
            "the same request, by the same name"
        );
    }

    #[test]
    fn many_paths_are_one_wildcard() {
        let there: Bucket = (0..=MOST_PATHS).map(|n| (format!("{n}.html"), String::new())).collect();
        let plan = plan(&[], &there, &Ledger::default());
        assert_eq!(
            plan.begun.outdated.map(|outdated| outdated.paths),
            Some(vec![EVERYTHING.to_owned()])
        );
    }
}
