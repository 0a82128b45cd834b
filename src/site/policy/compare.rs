//! Which of two policies allows more, and one that allows what either does.

use std::collections::{BTreeMap, BTreeSet};

/// Directives that `default-src` stands in for, each with what is asked before it.
/// <https://www.w3.org/TR/CSP3/#directive-fallback-list>
const FETCH: &[(&str, &[&str])] = &[
    ("script-src", &[]),
    ("style-src", &[]),
    ("img-src", &[]),
    ("font-src", &[]),
    ("media-src", &[]),
    ("manifest-src", &[]),
    ("worker-src", &["child-src", "script-src"]),
    ("frame-src", &["child-src"]),
    ("object-src", &[]),
    ("connect-src", &[]),
];

/// Directives without which nothing is refused.
const OTHERS: &[&str] = &["base-uri", "form-action", "frame-ancestors"];

const NONE: &str = "'none'";
const INLINE: &str = "'unsafe-inline'";

/// Directives with their sources.
struct Parsed(BTreeMap<String, BTreeSet<String>>);

impl Parsed {
    fn of(policy: &str) -> Self {
        let mut directives = BTreeMap::new();
        for directive in policy.split(';') {
            let mut words = directive.split_ascii_whitespace();
            if let Some(name) = words.next() {
                let sources: BTreeSet<String> = words.filter(|word| *word != NONE).map(str::to_owned).collect();
                // The first of several counts.
                directives.entry(name.to_ascii_lowercase()).or_insert(sources);
            }
        }
        Self(directives)
    }

    /// What a directive allows; none where it refuses nothing.
    fn allows(&self, directive: &str) -> Option<&BTreeSet<String>> {
        let own = self.0.get(directive);
        match FETCH.iter().find(|(name, _)| *name == directive) {
            None => own,
            Some((_, before)) => own
                .or_else(|| before.iter().find_map(|name| self.0.get(*name)))
                .or_else(|| self.0.get("default-src")),
        }
    }
}

/// The directives that are compared.
fn all() -> impl Iterator<Item = &'static str> {
    FETCH.iter().map(|(name, _)| *name).chain(OTHERS.iter().copied())
}

/// A hash or nonce, beside which `'unsafe-inline'` means nothing.
fn is_narrower(source: &str) -> bool {
    ["'sha256-", "'sha384-", "'sha512-", "'nonce-", "'strict-dynamic'"]
        .iter()
        .any(|start| source.starts_with(start))
}

fn has_inline(sources: &BTreeSet<String>) -> bool {
    sources.contains(INLINE) && !sources.iter().any(|source| is_narrower(source))
}

/// Whether `one` allows all that `other` does, as far as that can be told by words.
pub(crate) fn is_as_loose(one: &str, other: &str) -> bool {
    let (one, other) = (Parsed::of(one), Parsed::of(other));
    all().all(|directive| match (one.allows(directive), other.allows(directive)) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(one), Some(other)) => other.iter().all(|source| {
            let is_inline = source == INLINE || is_narrower(source) || source == "'unsafe-hashes'";
            let is_void = source == INLINE && !has_inline(other);
            is_void
                || (is_inline && has_inline(one))
                || (source != INLINE && one.contains(source))
                || (!source.starts_with('\'') && !source.ends_with(':') && one.contains("*"))
        }),
    })
}

/// A policy that allows what either allows; `loosely`, with one word in the place of hashes.
fn union(one: &str, other: &str, loosely: bool) -> String {
    let (one, other) = (Parsed::of(one), Parsed::of(other));
    let mut text = format!("default-src {NONE}");
    // What scripts may call comes last: the template adds to it.
    let last = "connect-src";
    for directive in all().filter(|name| *name != last).chain([last]) {
        let sources = match (one.allows(directive), other.allows(directive)) {
            (Some(one), Some(other)) => {
                let mut sources: BTreeSet<&str> = one.union(other).map(String::as_str).collect();
                let has_narrower = sources.iter().any(|source| is_narrower(source));
                if has_inline(one) || has_inline(other) || (loosely && has_narrower) {
                    sources.retain(|source| !is_narrower(source));
                    sources.insert(INLINE);
                }
                sources.into_iter().collect::<Vec<_>>().join(" ")
            }
            _ if OTHERS.contains(&directive) => continue,
            _ => "* data: blob:".to_owned(),
        };
        let sources = if sources.is_empty() { NONE } else { &sources };
        text.push_str(&format!("; {directive} {sources}"));
    }
    text
}

/// What a site works under whose policy becomes `wanted` while what is deployed needs `deployed`.
pub(crate) fn looser(wanted: &str, deployed: &str) -> String {
    if is_as_loose(wanted, deployed) {
        return wanted.to_owned();
    }
    if is_as_loose(deployed, wanted) {
        return deployed.to_owned();
    }
    let both = union(deployed, wanted, false);
    if both.len() <= super::LONGEST {
        both
    } else {
        // Hashes of two sites don't fit. For the minute that it takes, the word that all of them stand for does.
        union(deployed, wanted, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: &str = super::super::STRICT;

    #[test]
    fn what_is_as_loose_is_known() {
        let inline = STRICT.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'");
        let hash = STRICT.replace("script-src 'self'", "script-src 'self' 'sha256-a='");
        let void = STRICT.replace("script-src 'self'", "script-src 'self' 'sha256-a=' 'unsafe-inline'");
        let data = STRICT.replace("img-src 'self'", "img-src 'self' data:");
        let media = STRICT.replace("; base-uri", "; media-src 'self'; base-uri");
        let frames = STRICT.replace("frame-ancestors 'none'", "frame-ancestors 'self'");
        for (one, other, expected) in [
            (STRICT, STRICT, true),
            (&inline, STRICT, true),
            (STRICT, &inline, false),
            (&inline, &hash, true),
            (&hash, &inline, false),
            (&void, &inline, false),
            (&hash, &void, true),
            (&data, STRICT, true),
            (STRICT, &data, false),
            (&data, &inline, false),
            (&media, STRICT, true),
            (STRICT, &media, false),
            (&frames, STRICT, true),
            (STRICT, &frames, false),
            ("default-src 'none'", STRICT, false),
            (STRICT, "default-src 'none'", false),
            ("", STRICT, true),
            (STRICT, "", false),
            ("img-src *", "img-src https://a.example", true),
            ("img-src *", "img-src data:", false),
        ] {
            assert_eq!(is_as_loose(one, other), expected, "{one} | {other}");
        }
        // A worker may be any script where nothing is said of workers.
        let worker = STRICT.replace("; base-uri", "; worker-src 'self'; base-uri");
        assert!(is_as_loose(STRICT, &worker) && is_as_loose(&worker, STRICT));
    }

    #[test]
    fn what_is_between_two_allows_both() {
        let one = STRICT.replace("script-src 'self'", "script-src 'self' 'sha256-a='");
        let two = STRICT.replace("img-src 'self'", "img-src 'self' data:");
        let three = STRICT.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'");
        for (wanted, deployed) in [(&one, &two), (&two, &three), (&three, &two), (&one, &three)] {
            let both = looser(wanted, deployed);
            assert!(is_as_loose(&both, wanted) && is_as_loose(&both, deployed), "{both}");
            assert!(both.ends_with("connect-src 'self'"), "{both}");
        }
        assert_eq!(looser(STRICT, &one), one, "it stays until the site is there");
        assert_eq!(looser(&one, STRICT), one, "it is loosened first");
        let many = |seed: &str| {
            let hashes: Vec<String> = (0..25).map(|n| format!("'sha256-{seed}{n:041}='")).collect();
            STRICT.replace("script-src 'self'", &format!("script-src 'self' {}", hashes.join(" ")))
        };
        let both = looser(&many("a"), &many("b"));
        assert!(both.len() < super::super::LONGEST, "{}", both.len());
        assert!(
            is_as_loose(&both, &many("a")) && is_as_loose(&both, &many("b")),
            "{both}"
        );
    }
}
