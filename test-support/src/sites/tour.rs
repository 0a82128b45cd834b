//! A whole site, in all situations: what its generator's own server makes of it, twice, and what was published.

use std::collections::BTreeSet;
use std::io::Result;
use std::path::Path;
use std::time::Duration;

use super::compare::{Comparison, Difference, Judge, Situation, Sort, is_about_others, shortened};
use super::gate::Gate;
use super::plain::{Kind, Plain, files};
use super::visit::{Seen, Visitor};
use crate::browser::{Browser, Programs};

/// A site as its generator made it.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// How its generator serves it.
    pub kind: Kind,
    /// The folder.
    pub first: &'a Path,
    /// The same with something changed, which is published while a page of the first is open.
    pub next: &'a Path,
    /// Whether it has a service worker, which lets it be visited offline.
    pub has_worker: bool,
    /// How many of its pages are looked at, at most; half of them also a second time.
    pub pages: usize,
    /// Whether it is known to be the same at each visit, so that the plain server needs to be visited only once.
    pub is_steady: bool,
    /// How long nothing must happen before a page is taken as it is.
    pub quiet: Duration,
}

/// What is long enough for any site, on a machine that is busy.
pub const QUIET: Duration = Duration::from_millis(350);

/// Who publishes a site to where it is visited.
pub trait Publisher {
    /// Publishes a folder, in the place of what was published before, and says at which origin it is.
    ///
    /// # Errors
    /// It fails.
    fn publish(&mut self, folder: &Path) -> Result<String>;

    /// The way there.
    fn gate(&self) -> &Gate;
}

/// How a site was found.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// How many addresses were compared, in all situations.
    pub pages: usize,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// How long a local cloud takes for an answer, or somewhat longer.
const UNHURRIED: Duration = Duration::from_millis(12);
/// How often a page that differs is visited again.
const REPEATED: usize = 3;
/// How many links are followed from a page that was open while the next edition was published.
const CLICKS: usize = 4;
/// Nothing is there in any site.
const NOWHERE: &str = "no-such-page";

/// Goes through `site` on a plain server and as `publisher` publishes it.
///
/// # Errors
/// A browser or a server is gone, or the publisher fails.
pub fn tour(programs: &Programs, site: &Site<'_>, publisher: &mut dyn Publisher) -> Result<Outcome> {
    let plain = Plain::serve(site.kind, site.first)?;
    let gate = Gate::before(plain.port())?;
    let origin = format!("http://plain.localhost:{}", gate.port());
    let visitor = |origin: &str| Ok::<_, std::io::Error>(Visitor::new(Browser::open(programs)?, origin, site.quiet));

    // Which pages there are is found on the plain server; a second visitor there shows what differs by itself.
    let mut paths: Vec<String>;
    let one = {
        let mut visitor = visitor(&origin)?;
        visitor.browser().pass_workers_by(site.has_worker)?;
        let found = visitor.crawl(site.pages)?;
        let (known, seen): (Vec<String>, Vec<Seen>) = found.into_iter().unzip();
        paths = known;
        let missing = missing(site)?;
        let mut visits = Visits::begun(seen);
        visits.first(&mut visitor, &missing)?;
        paths.extend(missing);
        visits.rest(&mut visitor, &paths, site, &gate)?;
        visits
    };
    let other = if site.is_steady {
        one.clone()
    } else {
        // What only comes of things being there later comes so on the plain server, too.
        plain.set_pace(UNHURRIED);
        let other = Visits::of(&mut visitor(&origin)?, &paths, site, &gate)?;
        plain.set_pace(Duration::ZERO);
        other
    };
    let published = publisher.publish(site.first)?;
    let came = Visits::of(&mut visitor(&published)?, &paths, site, publisher.gate())?;

    let judge = Judge::with(programs);
    let mut outcome = Outcome::default();
    let says = says_what_is_missing(site)?;
    for (situation, one, other, came) in [
        (Situation::First, one.first, other.first, came.first),
        (Situation::Second, one.second, other.second, came.second),
        (Situation::Offline, one.offline, other.offline, came.offline),
    ] {
        for (((path, one), other), came) in paths.iter().zip(one).zip(other).zip(came) {
            let compared = |plain: &[Seen; 2], came: &Seen| -> Result<Vec<Difference>> {
                let mut comparison = Comparison::of(situation, path);
                if situation == Situation::Offline {
                    documents(&mut comparison, plain, came);
                    comparison.picture(&judge, plain, came)?;
                } else {
                    // Another page differs in everything, and a site that has none for what isn't there gets one.
                    if comparison.place(plain, came) && (says || plain[0].status != 404) {
                        comparison.content(plain, came);
                        comparison.picture(&judge, plain, came)?;
                    }
                }
                Ok(comparison.found)
            };
            let again = |origin: &str| -> Result<Seen> {
                let mut visitor = visitor(origin)?;
                visitor.browser().pass_workers_by(site.has_worker)?;
                let first = visitor.open(path)?;
                if situation == Situation::First {
                    return Ok(first);
                }
                visitor.open(path)
            };
            let mut seen = [one, other];
            let mut found = compared(&seen, &came)?;
            outcome.pages += 1;
            // Some pages come out one way or the other, as their timers have it. What is so by the site is so each time.
            for time in 0..REPEATED {
                if found.is_empty() || site.is_steady || situation == Situation::Offline {
                    break;
                }
                seen.rotate_left(1);
                plain.set_pace(if time % 2 == 0 { Duration::ZERO } else { UNHURRIED });
                seen[1] = again(&origin)?;
                plain.set_pace(Duration::ZERO);
                let repeated = compared(&seen, &again(&published)?)?;
                found.retain(|one| repeated.iter().any(|other| other.sort == one.sort));
            }
            outcome.differences.extend(found);
        }
    }
    let (pages, differences) = succession(site, &plain, visitor(&origin)?, visitor(&published)?, &paths, publisher)?;
    outcome.pages += pages;
    outcome.differences.extend(differences);
    Ok(outcome)
}

fn documents(comparison: &mut Comparison<'_>, plain: &[Seen; 2], came: &Seen) {
    if plain.iter().all(|plain| plain.text != came.text) {
        comparison.note(Sort::Document, shortened(&plain[0].text), shortened(&came.text));
    }
}

/// Whether the site has a page for what isn't there.
fn says_what_is_missing(site: &Site<'_>) -> Result<bool> {
    Ok(files(site.first)?.contains("404.html"))
}

/// Addresses where nothing is: one at the top, and one in each folder that has words of its own for that.
fn missing(site: &Site<'_>) -> Result<Vec<String>> {
    let files = files(site.first)?;
    let folders = files.iter().filter_map(|file| file.strip_suffix("/404.html"));
    let mut missing = vec![format!("/{NOWHERE}")];
    missing.extend(folders.take(2).map(|folder| format!("/{folder}/{NOWHERE}")));
    // An app has a page everywhere, but no files that it hasn't.
    if site.kind == Kind::App {
        missing.push(format!("/{NOWHERE}.js"));
    }
    Ok(missing)
}

/// One visitor's way through a site, page by page in each situation.
#[derive(Debug, Clone, Default)]
struct Visits {
    first: Vec<Seen>,
    second: Vec<Seen>,
    offline: Vec<Seen>,
}

impl Visits {
    fn begun(first: Vec<Seen>) -> Self {
        Self {
            first,
            ..Self::default()
        }
    }

    fn of(visitor: &mut Visitor, paths: &[String], site: &Site<'_>, gate: &Gate) -> Result<Self> {
        let mut visits = Self::default();
        // It would answer for the server from the second page on.
        visitor.browser().pass_workers_by(site.has_worker)?;
        visits.first(visitor, paths)?;
        visits.rest(visitor, paths, site, gate)?;
        Ok(visits)
    }

    fn first(&mut self, visitor: &mut Visitor, paths: &[String]) -> Result<()> {
        for path in paths {
            self.first.push(visitor.open(path)?);
        }
        Ok(())
    }

    /// All but the first visit.
    fn rest(&mut self, visitor: &mut Visitor, paths: &[String], site: &Site<'_>, gate: &Gate) -> Result<()> {
        if site.has_worker {
            visitor.browser().pass_workers_by(false)?;
            visitor.open(&paths[0])?;
            visitor.await_worker()?;
        }
        for path in paths.iter().take(site.pages.div_ceil(2)) {
            self.second.push(visitor.open(path)?);
        }
        if site.has_worker {
            visitor.open(&paths[0])?;
            // Else it isn't the worker that has kept it.
            visitor.browser().forget_cache()?;
            gate.shut();
            self.offline.push(visitor.reload_offline()?);
            gate.open();
        }
        Ok(())
    }
}

/// The page that is open while the next edition is published: whatever it loads from then on, nothing may be missing, and
/// what it says is what one of both editions says.
fn succession(
    site: &Site<'_>,
    plain: &Plain,
    mut reference: Visitor,
    mut visitor: Visitor,
    paths: &[String],
    publisher: &mut dyn Publisher,
) -> Result<(usize, Vec<Difference>)> {
    let start = paths[0].as_str();
    let links: Vec<String> = reference
        .open(start)?
        .links
        .into_iter()
        .filter(|link| link != start && paths.contains(link))
        .take(CLICKS)
        .collect();
    let clicked = |visitor: &mut Visitor| links.iter().map(|link| visitor.click(link)).collect::<Result<Vec<_>>>();
    let before = clicked(&mut reference)?;
    plain.change_to(site.next)?;
    reference.forget_contents();
    let opened = reference.open(start)?;
    let after = clicked(&mut reference)?;

    visitor.open(start)?;
    publisher.publish(site.next)?;
    visitor.forget_contents();
    let came = clicked(&mut visitor)?;
    let mut differences = Vec::new();
    for (link, ((before, after), came)) in links.iter().zip(before.iter().zip(&after).zip(came)) {
        let plain: Vec<&Seen> = [before, after].into_iter().flatten().collect();
        let mut comparison = Comparison::of(Situation::Open, link);
        match came {
            None if plain.len() == 2 => comparison.note(Sort::Document, "a link", "none"),
            None => {}
            Some(came) => still_works(&mut comparison, &plain, &came),
        }
        differences.extend(comparison.found);
    }
    // A worker may go on with the edition that it has.
    if !site.has_worker {
        let came = visitor.open(start)?;
        let mut comparison = Comparison::of(Situation::Successor, start);
        let plain = [opened.clone(), opened];
        if comparison.place(&plain, &came) {
            documents(&mut comparison, &plain, &came);
        }
        differences.extend(comparison.found);
    }
    Ok((links.len() + 1, differences))
}

fn still_works(comparison: &mut Comparison<'_>, plain: &[&Seen], came: &Seen) {
    let Some(first) = plain.first() else { return };
    if plain.iter().all(|plain| plain.path != came.path) {
        comparison.note(Sort::Path, &first.path, &came.path);
    }
    if came.status >= 400 && plain.iter().all(|plain| plain.status < 400) {
        comparison.note(Sort::Status, first.status.to_string(), came.status.to_string());
        return;
    }
    if plain.iter().all(|plain| plain.text != came.text) {
        comparison.note(Sort::Document, shortened(&first.text), shortened(&came.text));
    }
    let missing = |seen: &Seen| -> BTreeSet<String> {
        let missing = seen.requests.iter().filter(|(_, asked)| asked.is_missing());
        let missing = missing.filter(|(url, _)| url.starts_with("<origin>"));
        missing.map(|(url, _)| url.clone()).collect()
    };
    let known: BTreeSet<String> = plain.iter().flat_map(|plain| missing(plain)).collect();
    for url in missing(came).difference(&known) {
        let result = &came.requests[url].result;
        comparison.note(Sort::Requests, format!("{url} is there"), result);
    }
    let said: BTreeSet<&String> = came
        .console
        .iter()
        .filter(|message| !is_about_others(message))
        .collect();
    for message in said {
        if plain.iter().all(|plain| !plain.console.contains(message)) {
            comparison.note(Sort::Console, "", shortened(message));
        }
    }
}
