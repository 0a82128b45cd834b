//! What names S3, URLs and other machines can bear. Pure: keys in, findings out.
//!
//! A name is refused when no visitor could ever get the file, or when it breaks the tools that handle it. One that works
//! only if links to it are written in a certain way is warned of: nobody but the author knows how they are written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use icu_normalizer::ComposingNormalizerBorrowed;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// S3's limit, in bytes of UTF-8 (S3 user guide, "Naming Amazon S3 objects").
pub(super) const LONGEST_KEY_BYTES: usize = 1024;

/// What a URL's segment escapes: all but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How many names a warning lists.
const SHOWN: usize = 5;

/// Why a file or folder of this key can't be published, and what to do; none if it can.
pub(super) fn refusal(key: &str, is_dir: bool) -> Option<(String, &'static str)> {
    // U+FFFE and U+FFFF are no characters of XML either.
    let unprintable = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    let refused = |why: &str, next: &'static str| Some((why.to_owned(), next));
    if key.chars().any(unprintable) {
        return refused(
            "has a control character in its name, which breaks the XML of S3's listings",
            "Rename the file.",
        );
    }
    if key.contains('\\') {
        return refused(
            "has a backslash in its name, which browsers take for a slash",
            "Rename the file.",
        );
    }
    if key.len() > LONGEST_KEY_BYTES {
        return Some((
            format!("has a path of {} bytes; S3 takes {LONGEST_KEY_BYTES}", key.len()),
            "Shorten the names of the file or its folders.",
        ));
    }
    // What follows is about objects; a folder is only the beginning of their keys.
    if is_dir {
        return None;
    }
    if key == "soap" {
        return refused(
            "has a name that S3 keeps for itself: CloudFront couldn't ask for it",
            "Rename the file.",
        );
    }
    None
}

/// What names end in that keep something secret, or that nobody made for visitors: keys and key stores, Terraform's states,
/// databases, what an editor leaves, credentials.
const PRIVATE_ENDS: &[&str] = &[
    ".bak",
    ".dump",
    ".env",
    ".jks",
    ".kdbx",
    ".key",
    ".keystore",
    ".netrc",
    ".npmrc",
    ".p12",
    ".pem",
    ".pfx",
    ".pypirc",
    ".sql",
    ".sqlite",
    ".sqlite3",
    ".swp",
    "~",
];

/// What SSH's private keys are called; a public one has `.pub` at its end.
const SSH_KEYS: &[&str] = &["id_dsa", "id_ecdsa", "id_ed25519", "id_rsa"];

/// What is packed is what it was before.
const PACKED: &[&str] = &[".bz2", ".gz", ".xz", ".zip", ".zst"];

/// Whether a file or folder of this name is hardly meant for visitors.
pub(super) fn is_private(name: &str, is_dir: bool) -> bool {
    let name = name.to_lowercase();
    if is_dir {
        return name == "node_modules";
    }
    let plain = PACKED.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    // Pages may be called so, too.
    let credentials = plain.split_once('.').map_or(plain, |(stem, _)| stem) == "credentials";
    PRIVATE_ENDS.iter().any(|end| plain.ends_with(end))
        || (SSH_KEYS.iter().any(|start| plain.starts_with(start)) && !plain.ends_with(".pub"))
        || plain.contains(".tfstate")
        || (plain.len() > 1 && plain.starts_with('#') && plain.ends_with('#'))
        || (credentials && !plain.ends_with(".html") && !plain.ends_with(".htm"))
}

/// What to know of names that can be published. `keys` are in order.
pub(super) fn warnings<K: AsRef<str>>(keys: &[K]) -> Vec<String> {
    let mut doubtful: BTreeMap<Doubt, Vec<&str>> = BTreeMap::new();
    for key in keys.iter().map(AsRef::as_ref).filter(|key| !is_harmless(key)) {
        for doubt in doubts(key) {
            doubtful.entry(doubt).or_default().push(key);
        }
    }
    let mut warnings: Vec<String> = doubtful
        .into_iter()
        .map(|(doubt, keys)| format!("{} in site/: {}", doubt.describe(), list(&keys)))
        .collect();
    // Among small letters of ASCII there is nothing that differs in case or composition alone.
    let is_small = |key: &K| {
        key.as_ref()
            .bytes()
            .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
    };
    let clashes = if keys.iter().all(is_small) {
        BTreeSet::new()
    } else {
        clashes(keys.iter().map(AsRef::as_ref))
    };
    if !clashes.is_empty() {
        let pairs: Vec<String> = clashes
            .iter()
            .map(|(one, other)| format!("{one} and {other}"))
            .collect();
        let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
        warnings.push(format!(
            "names in site/ that are one and the same file on macOS and Windows, so that a checkout there loses one: {}",
            list(&pairs)
        ));
    }
    warnings
}

/// What a name does in a URL that its author may not expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doubt {
    /// S3 decodes a plus in a URL's path to a space, as if it were a form's.
    Plus,
    /// Browsers and S3 decode `%41` to `A`, and a percent sign alone makes a malformed URL.
    Percent,
    /// `?` begins a URL's query, and `#` its fragment.
    Delimiter,
    /// Browsers strip spaces from a reference's ends, Windows strips spaces and dots from a name's end, and S3's console
    /// the latter from what it downloads.
    Edge,
    /// The same letters in other bytes: what is typed is NFC, and S3 compares bytes.
    NotComposed,
}

impl Doubt {
    fn describe(self) -> &'static str {
        match self {
            Self::Plus => "a plus, which S3 takes for a space unless links write it as %2B,",
            Self::Percent => "a percent sign, which begins an escape in a URL unless links write it as %25,",
            Self::Delimiter => "a ? or #, which ends a URL's path unless links write it as %3F or %23,",
            Self::Edge => "a name that begins with a space, or ends with a space or dot, which other systems strip,",
            Self::NotComposed => {
                "a name in decomposed letters (not in Unicode's NFC), which links typed in composed ones miss,"
            }
        }
    }
}

/// Whether a key has nothing in it that anything could take for something else, as nearly all keys do.
fn is_harmless(key: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b'.');
    key.bytes().all(is_plain) && !key.ends_with('.') && !key.contains("./")
}

fn doubts(key: &str) -> impl Iterator<Item = Doubt> {
    let edge = key
        .split('/')
        .any(|name| name.starts_with(' ') || name.ends_with([' ', '.']));
    let composed = key.is_ascii() || ComposingNormalizerBorrowed::new_nfc().is_normalized(key);
    [
        (key.contains('+'), Doubt::Plus),
        (key.contains('%'), Doubt::Percent),
        (key.contains(['?', '#']), Doubt::Delimiter),
        (edge, Doubt::Edge),
        (!composed, Doubt::NotComposed),
    ]
    .into_iter()
    .filter_map(|(is_so, doubt)| is_so.then_some(doubt))
}

/// Files and folders whose names differ only in case or composition, the outermost of each clash.
fn clashes<'a>(keys: impl Iterator<Item = &'a str>) -> BTreeSet<(&'a str, &'a str)> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    let mut clashes = BTreeSet::new();
    for key in keys {
        let ends = key.match_indices('/').map(|(end, _)| end).chain([key.len()]);
        for path in ends.map(|end| &key[..end]) {
            let first = *seen.entry(folded(path)).or_insert(path);
            if first != path {
                clashes.insert((first, path));
                break;
            }
        }
    }
    clashes
}

/// As file systems compare that don't tell cases or compositions apart. Theirs is case folding, which differs from lower
/// case in letters that nobody would use in two ways in one folder.
fn folded(path: &str) -> String {
    if path.is_ascii() {
        return path.to_ascii_lowercase();
    }
    let lower: String = path.chars().flat_map(char::to_lowercase).collect();
    ComposingNormalizerBorrowed::new_nfc().normalize(&lower).into_owned()
}

/// "a, b and 3 more".
pub(crate) fn list(names: &[&str]) -> String {
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A key as CloudFront sees it in a URL: everything but unreserved characters escaped.
pub(crate) fn url_path(key: &str) -> String {
    let mut path = String::with_capacity(key.len() + 1);
    for segment in key.split('/') {
        path.push('/');
        path.push_str(&url_segment(segment));
    }
    path
}

/// A path's segment with everything escaped but RFC 3986's unreserved characters.
pub(super) fn url_segment(segment: &str) -> String {
    utf8_percent_encode(segment, RESERVED).to_string()
}

/// A key's folder, with the slash at its end, and the file's name.
pub(crate) fn folder_and_name(key: &str) -> (&str, &str) {
    key.split_at(key.rfind('/').map_or(0, |slash| slash + 1))
}

/// Whether an object in the bucket has a name that this deployer made from its content, of which this is the sum.
pub(crate) fn is_hashed_name(key: &str, sum: &str) -> bool {
    let mark = folder_and_name(key).1.rsplit('.').nth(1);
    mark.is_some_and(|mark| mark.len() == 16 && sum.starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_refused_when_nobody_could_get_the_file() {
        for (key, why) in [
            ("a\nb.css", "control character"),
            ("a\u{7f}", "control character"),
            ("a\u{85}b", "control character"),
            ("a\u{ffff}b", "control character"),
            ("a\\b.css", "backslash"),
            (&"x".repeat(1025), "1025 bytes"),
            (&"ü".repeat(513), "1026 bytes"),
            ("soap", "S3 keeps"),
        ] {
            let (message, _) = refusal(key, false).expect(key);
            assert!(message.contains(why), "{key:?}: {message}");
        }
        for key in [
            "index.html",
            "a b/ü.css",
            "a+b.css",
            "sub/config.json",
            "Config.json",
            "sub/soap",
            "日本語/写真.png",
            &"x".repeat(1024),
        ] {
            assert_eq!(refusal(key, false), None, "{key:?}");
        }
        assert!(refusal("a\\b", true).is_some());
    }

    #[test]
    fn a_name_that_a_link_may_miss_is_warned_of() {
        for (key, word) in [
            ("c++.png", "%2B"),
            ("a%41.png", "%25"),
            ("100%.html", "%25"),
            ("what?.html", "%3F"),
            ("c#.html", "%23"),
            (" a.css", "begins with a space"),
            ("a.css ", "ends with a space"),
            ("folder./a.css", "dot"),
            ("u\u{308}.css", "NFC"),
        ] {
            let warnings = warnings(&[key]);
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(
                warnings[0].contains(word) && warnings[0].ends_with(&format!(": {key}")),
                "{warnings:?}"
            );
        }
        let fine = ["a b.css", "a.b/c.css", "index.html", "ü.css", "~x/(1),[2]&=@!$';.png"];
        assert_eq!(warnings(&fine), Vec::<String>::new());
    }

    #[test]
    fn what_is_hardly_meant_for_visitors_is_known_by_its_name() {
        for name in [
            "server.pem",
            "TLS.KEY",
            "a.p12",
            "a.pfx",
            "team.kdbx",
            "release.jks",
            "id_rsa",
            "id_ed25519_work",
            "terraform.tfstate",
            "terraform.tfstate.backup",
            "users.sql",
            "users.sql.gz",
            "db.dump",
            "app.sqlite",
            "index.html.bak",
            "index.html~",
            "index.html.swp",
            "#index.html#",
            "credentials",
            "credentials.json",
            "prod.env",
            "ci.npmrc",
        ] {
            assert!(is_private(name, false), "{name}");
        }
        for name in [
            "index.html",
            "keys.html",
            "id_rsa.pub",
            "credentials.html",
            "environment.js",
            "sql.css",
            "#",
            "a.keynote",
            "key.svg",
            "node_modules",
        ] {
            assert!(!is_private(name, false), "{name}");
        }
        assert!(is_private("node_modules", true) && !is_private("a.pem", true));
    }

    #[test]
    fn names_that_are_one_elsewhere_are_told_once_by_the_outermost() {
        for (keys, expected) in [
            (&["Logo.png", "logo.png"][..], &[("Logo.png", "logo.png")][..]),
            (&["Img/a.png", "Img/b.png", "img/a.png", "img/c.png"], &[("Img", "img")]),
            (&["A.css", "a.css", "a/b.css"], &[("A.css", "a.css")]),
            (&["ABC", "Abc", "abc"], &[("ABC", "Abc"), ("ABC", "abc")]),
            (&["u\u{308}.css", "Ü.css"], &[("u\u{308}.css", "Ü.css")]),
            (&["a.css", "a.cssx", "b/a.css"], &[]),
        ] {
            assert_eq!(clashes(keys.iter().copied()), expected.iter().copied().collect());
        }
        let many: Vec<String> = (0..9).flat_map(|n| [format!("{n}/A"), format!("{n}/a")]).collect();
        let warnings = warnings(&many);
        assert!(warnings[0].ends_with("4/A and 4/a and 4 more"), "{warnings:?}");
    }

    #[test]
    fn a_key_is_escaped_as_urls_have_it() {
        assert_eq!(url_path("a b/ü+%.css"), "/a%20b/%C3%BC%2B%25.css");
        assert_eq!(url_path("index.html"), "/index.html");
    }
}
