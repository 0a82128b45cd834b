//! Names of files in texts that nobody can rewrite: scripts, data, and what pages say beside the references that are
//! understood. A file that is named there keeps its name, since whoever names it will ask for just that. A module that is
//! loaded under two names would be two modules, a style sheet would come twice, a worker would keep the wrong one.
//!
//! What is found depends on the text alone, so that it can be remembered with the file.

use std::collections::HashSet;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use memchr::memchr2_iter;
use percent_encoding::percent_decode;
use serde::{Deserialize, Serialize};

use crate::site::names::folder_and_name;

/// Extensions of what may have a second name, and of pages, which a worker may know by their bytes.
const EXTENSIONS: &[&[u8]] = &[
    b"apng", b"avif", b"bmp", b"cjs", b"css", b"cur", b"eot", b"gif", b"htm", b"html", b"ico", b"jfif", b"jpe",
    b"jpeg", b"jpg", b"js", b"jxl", b"mjs", b"otf", b"png", b"svg", b"svgz", b"tif", b"tiff", b"ttf", b"webp", b"woff",
    b"woff2",
];

/// Whether names like this file's are looked for.
pub(super) fn is_looked_for(key: &str) -> bool {
    let extension = key.rsplit_once('.').map_or("", |(_, extension)| extension);
    let is_it = |known: &&[u8]| known.eq_ignore_ascii_case(extension.as_bytes());
    EXTENSIONS.iter().any(is_it)
}

/// The bytes that extensions begin with, in lower case.
static BEGINS_EXTENSION: LazyLock<[bool; 256]> = LazyLock::new(|| {
    let mut begins = [false; 256];
    for extension in EXTENSIONS {
        begins[usize::from(extension[0])] = true;
    }
    begins
});

/// The attributes whose values selectors know files by.
const ATTRIBUTES: &[&str] = &[
    "href",
    "src",
    "srcset",
    "style",
    "poster",
    "data",
    "data-src",
    "data-href",
    "xlink\\:href",
];

/// The longest extension.
const LONGEST_EXTENSION: usize = 5;

/// A name that is longer isn't one that anybody wrote.
const LONGEST_NAME: usize = 255;

/// How many bytes after a name tell whether it ends there: `app.js` isn't named by `app.json` or `app.js.map`.
const AROUND: usize = LONGEST_EXTENSION + 3;

/// How much of a text is kept while it comes in pieces: a name and what is around it, or an attribute selector.
const KEPT: usize = 1024;

/// What texts say of other files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::site) struct Mentions {
    /// Names, each as [`hash`] has it, in order.
    #[serde(rename = "n", skip_serializing_if = "Vec::is_empty")]
    names: Vec<u64>,
    /// What names may end in that a script puts together: `".css"`, `"-dark.css"`.
    #[serde(rename = "e", skip_serializing_if = "Vec::is_empty")]
    endings: Vec<u64>,
    /// Parts of addresses that attribute selectors look for: `link[href*="theme"]`.
    #[serde(rename = "s", skip_serializing_if = "Vec::is_empty")]
    selectors: Vec<String>,
    /// See [`Habit`].
    #[serde(rename = "h", skip_serializing_if = "is_zero")]
    habits: u8,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(value: &u8) -> bool {
    *value == 0
}

/// What scripts do that matters for the names of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// It reads the addresses of elements or styles,
    ReadsAddresses = 1,
    /// and makes texts of texts: so it may make one file's name of another's.
    ChangesTexts = 2,
    /// It has to do with a service worker, which may keep files, and know them by their bytes.
    Worker = 4,
}

/// What a script that has a habit says.
const SIGNS: &[(&str, Habit)] = &[
    (".src", Habit::ReadsAddresses),
    (".href", Habit::ReadsAddresses),
    ("currentSrc", Habit::ReadsAddresses),
    ("getAttribute", Habit::ReadsAddresses),
    (".attr(", Habit::ReadsAddresses),
    ("styleSheets", Habit::ReadsAddresses),
    ("getComputedStyle", Habit::ReadsAddresses),
    ("backgroundImage", Habit::ReadsAddresses),
    ("background-image", Habit::ReadsAddresses),
    (".replace", Habit::ChangesTexts),
    (".split(", Habit::ChangesTexts),
    (".slice(", Habit::ChangesTexts),
    (".substr", Habit::ChangesTexts),
    (".match(", Habit::ChangesTexts),
    (".exec(", Habit::ChangesTexts),
    ("serviceWorker", Habit::Worker),
    ("skipWaiting", Habit::Worker),
];

static SIGNS_AUTOMATON: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .build(SIGNS.iter().map(|(sign, _)| sign))
        .ok()
});

/// Names of all texts of a site.
#[derive(Debug, Default)]
pub(super) struct Mentioned {
    names: HashSet<u64>,
    endings: HashSet<u64>,
    selectors: HashSet<String>,
    habits: u8,
}

impl Mentioned {
    /// With those of another text.
    pub(super) fn add(&mut self, mentions: &Mentions) {
        self.names.extend(&mentions.names);
        self.endings.extend(&mentions.endings);
        self.selectors.extend(mentions.selectors.iter().cloned());
        self.habits |= mentions.habits;
    }

    /// Whether any text has the file's whole name.
    pub(super) fn names(&self, key: &str) -> bool {
        self.names.contains(&hash(last_word(folder_and_name(key).1.as_bytes())))
    }

    /// Whether any text names the file with this key, or may put its name together.
    pub(super) fn has(&self, key: &str) -> bool {
        let name = last_word(folder_and_name(key).1.as_bytes());
        let ends = |start: usize| self.endings.contains(&hash(&name[start..]));
        self.names.contains(&hash(name))
            || (!self.endings.is_empty() && (0..name.len()).any(ends))
            || self.selectors.iter().any(|part| key.contains(part.as_str()))
    }

    pub(super) fn any(&self, habit: Habit) -> bool {
        self.habits & habit as u8 != 0
    }

    /// Whether scripts may make one file's name of another's.
    pub(super) fn computes(&self) -> bool {
        self.any(Habit::ReadsAddresses) && self.any(Habit::ChangesTexts)
    }
}

/// FNV-1a: what is remembered from run to run mustn't depend on the version of a library.
/// <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Where the names in a text are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::site) enum Kind {
    /// Something may be put before its texts: what stands in quotes may be a name's end.
    Script,
    /// It is what it is.
    Data,
}

/// Collects what texts say, each whole or in pieces.
#[derive(Debug, Default)]
pub(in crate::site) struct Scanner {
    names: HashSet<u64>,
    endings: HashSet<u64>,
    selectors: HashSet<String>,
    habits: u8,
}

impl Scanner {
    /// Looks through a whole text.
    pub(in crate::site) fn look_through(&mut self, text: &[u8], kind: Kind) {
        self.search(text, kind, true, true);
    }

    /// Looks through a text that comes in pieces.
    pub(in crate::site) fn stream(&mut self, kind: Kind) -> Stream<'_> {
        Stream {
            scanner: self,
            kind,
            pending: Vec::new(),
            is_first: true,
        }
    }

    pub(in crate::site) fn finish(self) -> Mentions {
        let sorted = |names: HashSet<u64>| {
            let mut names: Vec<u64> = names.into_iter().collect();
            names.sort_unstable();
            names
        };
        let mut selectors: Vec<String> = self.selectors.into_iter().collect();
        selectors.sort_unstable();
        Mentions {
            names: sorted(self.names),
            endings: sorted(self.endings),
            selectors,
            habits: self.habits,
        }
    }

    /// Looks through a part of a text, `is_first` and `is_last` saying whether it is an end of it. At the others, what is
    /// around a name isn't known: it is found in the part before or after.
    fn search(&mut self, part: &[u8], kind: Kind, is_first: bool, is_last: bool) {
        if kind == Kind::Script
            && let Some(automaton) = LazyLock::force(&SIGNS_AUTOMATON)
        {
            for found in automaton.find_iter(part) {
                self.habits |= SIGNS[found.pattern().as_usize()].1 as u8;
            }
        }
        let begins_extension = &*BEGINS_EXTENSION;
        for at in memchr2_iter(b'.', b'[', part) {
            // Most of what is big is no text, in which there are as many dots as anything else: its first byte says so.
            let Some(next) = part.get(at + 1).map(u8::to_ascii_lowercase) else {
                continue;
            };
            if part[at] == b'[' {
                if next.is_ascii_whitespace() || ATTRIBUTES.iter().any(|known| known.as_bytes()[0] == next) {
                    self.selector(&part[at + 1..]);
                }
            } else if begins_extension[usize::from(next)] && (is_last || at + AROUND < part.len()) {
                self.name(part, at, kind, is_first);
            }
        }
    }

    /// Takes the name whose last dot is at `dot`, if one is there.
    fn name(&mut self, part: &[u8], dot: usize, kind: Kind, is_first: bool) {
        let after = &part[dot + 1..];
        let length = after
            .iter()
            .take(LONGEST_EXTENSION + 1)
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count();
        let is_known = |extension: &&[u8]| extension.eq_ignore_ascii_case(&after[..length]);
        if length == 0 || length > LONGEST_EXTENSION || continues(&after[length..]) || !EXTENSIONS.iter().any(is_known)
        {
            return;
        }
        let mut start = dot;
        while start > 0 && dot - start < LONGEST_NAME && is_part_of_name(part[start - 1]) {
            start -= 1;
        }
        if start == 0 && !is_first {
            return;
        }
        let before = start.checked_sub(1).map(|before| part[before]);
        let written: Vec<u8> = part[start..=dot + length]
            .iter()
            .copied()
            .filter(|byte| *byte != b'\\')
            .collect();
        let decoded: Vec<u8> = percent_decode(&written).collect();
        let name = last_word(&decoded);
        // `".css"`, `${name}.css`, `/\.css$/`; and not `element.css(…)` or `].src`.
        let is_put_together = part[start] == b'\\' || matches!(before, Some(b'"' | b'\'' | b'`' | b'}'));
        if name.starts_with(b".") {
            if is_put_together && kind == Kind::Script {
                self.endings.insert(hash(name));
            }
            return;
        }
        self.names.insert(hash(name));
        if kind == Kind::Script && before != Some(b'/') {
            self.endings.insert(hash(name));
        }
    }

    /// Takes what an attribute selector looks for, if `text` is the inside of one.
    fn selector(&mut self, text: &[u8]) {
        let text = &text[..text.len().min(KEPT / 2)];
        let text = text.trim_ascii_start();
        let attribute = ATTRIBUTES
            .iter()
            .filter(|name| text.len() >= name.len() && text[..name.len()].eq_ignore_ascii_case(name.as_bytes()))
            .max_by_key(|name| name.len());
        let Some(attribute) = attribute else {
            return;
        };
        let rest = text[attribute.len()..].trim_ascii_start();
        let rest = match rest {
            [b'^' | b'$' | b'*' | b'~' | b'|', rest @ ..] => rest,
            rest => rest,
        };
        let Some(rest) = rest.strip_prefix(b"=") else {
            return;
        };
        let end = rest.iter().position(|byte| *byte == b']').unwrap_or(0);
        let value = String::from_utf8_lossy(&rest[..end]);
        let value = value.trim_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'' | '\\' | '`'));
        // Of a path its last part is enough to know the file by.
        let value = value.trim_matches('/').rsplit('/').next().unwrap_or_default();
        let is_plain = value.chars().all(|c| c.is_alphanumeric() || "._-@%~ ".contains(c));
        if !value.is_empty() && is_plain {
            self.selectors.insert(value.to_owned());
        }
    }
}

/// A text that comes in pieces.
#[derive(Debug)]
pub(in crate::site) struct Stream<'a> {
    scanner: &'a mut Scanner,
    kind: Kind,
    /// The end of what came: a name may begin there.
    pending: Vec<u8>,
    is_first: bool,
}

impl Stream<'_> {
    pub(in crate::site) fn add(&mut self, piece: &[u8]) {
        self.pending.extend_from_slice(piece);
        if self.pending.len() > 2 * KEPT {
            self.scanner.search(&self.pending, self.kind, self.is_first, false);
            self.pending.drain(..self.pending.len() - KEPT);
            self.is_first = false;
        }
    }

    pub(in crate::site) fn end(self) {
        self.scanner.search(&self.pending, self.kind, self.is_first, true);
    }
}

/// Whether a byte may be in a name as texts write it, escapes of URLs and of patterns included.
fn is_part_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~' | b'@' | b'%' | b'\\') || !byte.is_ascii()
}

/// What is left of a name when all that may stand before it in a text is cut off: of `a b.png` it is `b.png`.
fn last_word(name: &[u8]) -> &[u8] {
    let start = name.iter().rposition(|byte| !is_part_of_name(*byte));
    &name[start.map_or(0, |before| before + 1)..]
}

/// Whether a name that these bytes follow is the beginning of a longer one.
fn continues(rest: &[u8]) -> bool {
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

    const FILES: [&str; 11] = [
        "js/util.js",
        "lib/my-util.js",
        "app.js",
        "mein modul.mjs",
        "ü.js",
        "a+b.png",
        "pin/pin-red.png",
        "skin-dark.css",
        "logo.svg",
        "deep/theme-x/all.css",
        "index.html",
    ];

    fn found(text: &str, kind: Kind) -> Vec<&'static str> {
        let mut scanner = Scanner::default();
        scanner.look_through(text.as_bytes(), kind);
        named(scanner)
    }

    fn named(scanner: Scanner) -> Vec<&'static str> {
        let mut mentioned = Mentioned::default();
        mentioned.add(&scanner.finish());
        FILES.into_iter().filter(|key| mentioned.has(key)).collect()
    }

    #[test]
    fn a_name_counts_where_it_stands_alone() {
        for (text, expected) in [
            ("import './util.js'", &["js/util.js"][..]),
            ("load('util.js')", &["js/util.js", "lib/my-util.js"]),
            ("`${base}app.js`", &["app.js"]),
            ("app.js", &["app.js"]),
            ("app.js.", &["app.js"]),
            ("new Worker('app.js?v=1')", &["app.js"]),
            ("'mein modul.mjs' + 1", &["mein modul.mjs"]),
            ("import('/mein%20modul.mjs')", &["mein modul.mjs"]),
            ("import('./ü.js'); '/%C3%BC.js'", &["ü.js"]),
            ("'a+b.png'", &["a+b.png"]),
            ("'/a%2Bb.png'", &["a+b.png"]),
            (r"/^(.*)pins\/pin-red\.png/", &["pin/pin-red.png"]),
            ("'pin-' + color + '.png'", &["a+b.png", "pin/pin-red.png"]),
            ("`pin-${color}.png`", &["a+b.png", "pin/pin-red.png"]),
            (r"x.replace(/\.svg$/, '')", &["logo.svg"]),
            ("name + '-dark.css'", &["skin-dark.css"]),
            ("$(x).css('a'); e.css=1; a[0].css; 'a.cssx'", &[]),
            (
                "document.querySelector('link[href*=\"theme-\"]')",
                &["deep/theme-x/all.css"],
            ),
            ("img[ src $= logo ]{}", &["logo.svg"]),
            ("[data-x=logo] [href] [srcdoc=logo]", &[]),
            ("//# sourceMappingURL=app.js.map", &[]),
            (
                "'/app.json'; '/app.js_'; '/webapp.js'; '/web-app.js'; '/my.app.js'; '/äapp.js'; '/app.jsä'",
                &[],
            ),
            ("'APP.JS'", &[]),
            ("['/index.html']", &["index.html"]),
            ("", &[]),
        ] {
            assert_eq!(found(text, Kind::Script), expected, "{text}");
        }
        assert_eq!(found("a 'util.js' '.css' x", Kind::Data), ["js/util.js"]);
    }

    #[test]
    fn what_scripts_do_is_seen() {
        let habits = |text: &str| {
            let mut scanner = Scanner::default();
            scanner.look_through(text.as_bytes(), Kind::Script);
            let mut mentioned = Mentioned::default();
            mentioned.add(&scanner.finish());
            (mentioned.computes(), mentioned.any(Habit::Worker))
        };
        assert_eq!(habits("i.src = i.src.replace('_off.', '_on.')"), (true, false));
        assert_eq!(habits("a.replace('b', 'c')"), (false, false));
        assert_eq!(habits("navigator.serviceWorker.register('sw.js')"), (false, true));
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn pieces_are_as_good_as_the_whole(
            words in prop::collection::vec(
                "(app\\.js|util\\.js|ü\\.js|mein%20modul\\.mjs|on|\\.map|[ /'x.-]|\\[href\\*=theme\\]|'\\.png'|[a-z]{300})", 0..60),
            sizes in prop::collection::vec(1..400usize, 1..40),
        ) {
            let text = words.concat();
            let mut scanner = Scanner::default();
            let mut stream = scanner.stream(Kind::Script);
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
            prop_assert_eq!(named(scanner), found(&text, Kind::Script));
        }
    }
}
