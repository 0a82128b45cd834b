//! Scripts that scripts name. A module that is loaded under two names is two modules, each with a state of its own; and
//! what a script calls another is out of our reach. So a script that is named in any other keeps its name everywhere.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::super::names::{folder_and_name, url_segment};
use crate::error::{OrFail, Result};

/// The file names to look for, and which were found.
#[derive(Debug)]
pub(super) struct Mentions {
    automaton: AhoCorasick,
    /// For each pattern, the name that it is a spelling of.
    spells: Vec<usize>,
    names: BTreeMap<String, usize>,
    found: Vec<AtomicBool>,
    /// The longest pattern, in bytes.
    longest: usize,
}

/// How many bytes after a name tell whether it ends there: `app.js` isn't named by `app.json` or `app.js.map`.
const AROUND: usize = 2;

impl Mentions {
    /// Looks for these scripts' file names.
    ///
    /// # Errors
    /// There are more of them than an automaton can have.
    pub(super) fn of<'a>(scripts: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut names = BTreeMap::new();
        for script in scripts {
            let next = names.len();
            names.entry(folder_and_name(script).1.to_owned()).or_insert(next);
        }
        let mut patterns = Vec::new();
        let mut spells = Vec::new();
        for (name, index) in &names {
            let escaped = url_segment(name);
            for spelling in [name.as_str(), &escaped] {
                if patterns.last().is_none_or(|last| last != spelling) {
                    patterns.push(spelling.to_owned());
                    spells.push(*index);
                }
            }
        }
        let automaton = AhoCorasick::builder()
            // The other kinds are quicker to search with and, for thousands of names, far bigger.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&patterns)
            .or_fail(|| format!("could not look for the names of {} scripts", names.len()))?;
        Ok(Self {
            automaton,
            spells,
            found: names.iter().map(|_| AtomicBool::new(false)).collect(),
            names,
            longest: patterns.iter().map(String::len).max().unwrap_or_default(),
        })
    }

    /// Whether a script's file name was found.
    pub(super) fn has(&self, script: &str) -> bool {
        self.names
            .get(folder_and_name(script).1)
            .is_some_and(|index| self.found[*index].load(Ordering::Relaxed))
    }

    /// How many names were found.
    pub(super) fn count(&self) -> usize {
        self.found.iter().filter(|found| found.load(Ordering::Relaxed)).count()
    }

    /// Looks through a whole text.
    pub(super) fn look_through(&self, text: &[u8]) {
        self.search(text, true, true);
    }

    /// Looks through a text that comes in pieces.
    pub(super) fn stream(&self) -> Stream<'_> {
        Stream {
            mentions: self,
            pending: Vec::new(),
            is_first: true,
        }
    }

    /// Looks through a part of a text, `is_first` and `is_last` saying whether it is an end of it. At the others, what is
    /// around a name isn't known: it is found in the part before or after.
    fn search(&self, part: &[u8], is_first: bool, is_last: bool) {
        if self.names.is_empty() {
            return;
        }
        for found in self.automaton.find_overlapping_iter(part) {
            let (before, after) = (&part[..found.start()], &part[found.end()..]);
            let is_known = (is_first || !before.is_empty()) && (is_last || after.len() >= AROUND);
            let stands_alone = !before.last().is_some_and(|byte| continues_before(*byte)) && !continues_after(after);
            if is_known && stands_alone {
                self.found[self.spells[found.pattern().as_usize()]].store(true, Ordering::Relaxed);
            }
        }
    }
}

/// A text that comes in pieces.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    mentions: &'a Mentions,
    /// The end of what came: a name may begin there.
    pending: Vec<u8>,
    is_first: bool,
}

impl Stream<'_> {
    pub(super) fn add(&mut self, piece: &[u8]) {
        if self.mentions.names.is_empty() {
            return;
        }
        self.pending.extend_from_slice(piece);
        let keep = self.mentions.longest + 2 * AROUND;
        if self.pending.len() > 2 * keep {
            self.mentions.search(&self.pending, self.is_first, false);
            self.pending.drain(..self.pending.len() - keep);
            self.is_first = false;
        }
    }

    pub(super) fn end(self) {
        self.mentions.search(&self.pending, self.is_first, true);
    }
}

/// Whether a name that follows this byte is the end of a longer one.
fn continues_before(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || !byte.is_ascii()
}

/// Whether a name that these bytes follow is the beginning of a longer one.
fn continues_after(rest: &[u8]) -> bool {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || !byte.is_ascii();
    match rest {
        [b'.', next, ..] => in_name(next),
        [next, ..] => in_name(next),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::site::tests::config;

    const SCRIPTS: [&str; 6] = [
        "js/util.js",
        "lib/util.js",
        "app.js",
        "mein modul.mjs",
        "ü.js",
        "x.js-app.js",
    ];

    fn found(text: &str) -> Vec<&'static str> {
        let mentions = Mentions::of(SCRIPTS.into_iter()).expect("few");
        mentions.look_through(text.as_bytes());
        SCRIPTS.into_iter().filter(|script| mentions.has(script)).collect()
    }

    #[test]
    fn a_name_counts_where_it_stands_alone() {
        for (text, expected) in [
            ("import './util.js'", &["js/util.js", "lib/util.js"][..]),
            ("`${base}app.js`", &["app.js"]),
            ("app.js", &["app.js"]),
            ("app.js.", &["app.js"]),
            ("new Worker('app.js?v=1')", &["app.js"]),
            ("'mein modul.mjs' + 1", &["mein modul.mjs"]),
            ("import('/mein%20modul.mjs')", &["mein modul.mjs"]),
            ("import('./ü.js'); '%C3%BC.js'", &["ü.js"]),
            ("'x.js-app.js'", &["x.js-app.js"]),
            ("//# sourceMappingURL=app.js.map", &[]),
            (
                "'app.json'; 'app.js_'; 'webapp.js'; 'web-app.js'; 'my.app.js'; 'äapp.js'; 'app.jsä'",
                &[],
            ),
            ("'APP.JS'", &[]),
            ("", &[]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
        assert_eq!(Mentions::of([].into_iter()).expect("none").count(), 0);
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn pieces_are_as_good_as_the_whole(
            words in prop::collection::vec("(app\\.js|util\\.js|ü\\.js|mein%20modul\\.mjs|on|\\.map|[ /'x.-])", 0..60),
            sizes in prop::collection::vec(1..40usize, 1..40),
        ) {
            let text = words.concat();
            let mentions = Mentions::of(SCRIPTS.into_iter()).expect("few");
            let mut stream = mentions.stream();
            let mut rest = text.as_bytes();
            for size in sizes.iter().cycle() {
                let (piece, after) = rest.split_at(rest.len().min(*size));
                stream.add(piece);
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            stream.end();
            let streamed: Vec<&str> = SCRIPTS.into_iter().filter(|script| mentions.has(script)).collect();
            prop_assert_eq!(streamed, found(&text));
        }
    }
}
