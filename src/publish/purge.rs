//! What is to go at once of that which is kept for pages that are still open.

use std::path::Path;

use crate::bucket::Listing;
use crate::error::{Error, ErrorKind, Result};
use crate::project::did_you_mean;
use crate::site::settings::Patterns;

/// Keys by patterns, which are those of a `.deployerignore`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Purge {
    all: Patterns,
    /// Each by itself, but for those that take something out: what has it found?
    each: Vec<(String, Patterns)>,
}

/// How many names a warning lists.
const SHOWN: usize = 3;

impl Purge {
    /// That which `globs` mean.
    ///
    /// # Errors
    /// One of them is no pattern (exit 2).
    pub(crate) fn new(globs: &[String]) -> Result<Self> {
        let patterns = |lines: Vec<String>| {
            Patterns::new(lines).map_err(|(line, why)| {
                Error::new(ErrorKind::InvalidUsage, format!("--purge {line}: that is no pattern"))
                    .cause(why)
                    .hint("It is written as in a .gitignore, as in `--purge 'drafts/**'`.")
            })
        };
        let each = globs.iter().filter(|glob| !glob.starts_with('!'));
        Ok(Self {
            all: patterns(globs.to_vec())?,
            each: each
                .map(|glob| Ok((glob.clone(), patterns(vec![glob.clone()])?)))
                .collect::<Result<_>>()?,
        })
    }

    /// Whether it is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// Whether it has the object with this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        has(&self.all, key)
    }

    /// What to know of patterns that find nothing among what is no longer in the site, `gone`.
    pub(super) fn remarks(&self, there: &Listing, gone: &[&str]) -> Vec<String> {
        let idle = |(glob, patterns): &(String, Patterns)| {
            if gone.iter().any(|key| has(patterns, key)) {
                return None;
            }
            let in_site = there.iter().map(|(key, _)| &**key).filter(|key| has(patterns, key));
            let in_site: Vec<&str> = in_site.take(SHOWN).collect();
            if !in_site.is_empty() {
                let found = in_site.join(", ");
                return Some(format!(
                    "--purge {glob} matches only what is in the site, as {found}: take it out of the site, then say the same"
                ));
            }
            let why = match (did_you_mean(glob, gone), gone) {
                (Some(near), _) => format!("did you mean {near}?"),
                (None, []) => "nothing is kept that is no longer in the site".to_owned(),
                (None, [first, ..]) => format!("what is kept for earlier pages: {}, as {first}", gone.len()),
            };
            Some(format!("--purge {glob} matches nothing: {why}"))
        };
        self.each.iter().filter_map(idle).collect()
    }
}

fn has(patterns: &Patterns, key: &str) -> bool {
    // Whoever may write to the bucket may have called it so; a pattern's root is the site's.
    let key = key.trim_start_matches('/');
    !Path::new(key).has_root() && patterns.have(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purge(globs: &[&str]) -> Purge {
        let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        Purge::new(&globs).expect("patterns")
    }

    #[test]
    fn what_a_pattern_finds_goes_and_what_finds_nothing_is_told() {
        let some = purge(&["drafts/**", "*.map", "!keep.map"]);
        for (key, expected) in [
            ("drafts/a.css", true),
            ("/drafts/a.css", true),
            ("app.js.map", true),
            ("keep.map", false),
            ("app.js", false),
            ("/", false),
            ("", false),
            ("../a.map", true),
        ] {
            assert_eq!(some.has(key), expected, "{key}");
        }
        assert!(!Purge::default().has("a"));

        let there: Listing = ["a.css", "b.css", "old.js"]
            .map(|key| (key.into(), "e".into()))
            .into_iter()
            .collect();
        let remarks = |glob: &str| purge(&[glob]).remarks(&there, &["old.js"]).join("\n");
        assert_eq!(remarks("*.js"), "");
        assert!(remarks("*.css").contains("only what is in the site, as a.css, b.css"));
        assert!(remarks("odl.js").contains("did you mean old.js?"));
        assert!(remarks("*.png").contains("matches nothing: what is kept for earlier pages: 1, as old.js"));
        assert!(
            purge(&["*.png"])
                .remarks(&there, &[])
                .join("")
                .contains("nothing is kept")
        );
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let error = Purge::new(&["[z-a]".to_owned()]).expect_err("no pattern");
        assert_eq!(error.kind(), ErrorKind::InvalidUsage);
        assert!(error.to_string().contains("--purge [z-a]"), "{error}");
    }
}
