//! What a publication would take out of a site: so much that it may be the wrong folder's.

use std::fmt;

use super::ledger::Ledger;
use super::plan::{gone, is_content_named};
use super::sent::Sent;
use crate::bucket::Listing;
use crate::site::is_hashed_name;
use crate::site::settings::MaxDelete;

/// Without `maxDelete` more than so many aren't taken out unasked, however large the site is,
const MOST: usize = 256;

/// and so few are: what a small site is built of has other names each time.
const FEW: usize = 3;

/// How many names are told.
const SHOWN: usize = 3;

/// What wouldn't be in the site any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    /// How many of its files.
    pub gone: usize,
    /// How many it has.
    pub of: usize,
    /// Some of their names.
    pub such_as: Vec<String>,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { gone, of, such_as } = self;
        write!(f, "{gone} of {of} files, such as {}", such_as.join(", "))
    }
}

/// What `wanted`, the keys of a site in order, would take out of the one that is `there`, if that is more than may go without
/// a question. What has its content in its name doesn't count, since a build calls it otherwise each time, nor what only
/// earlier pages load.
pub(super) fn loss<'a>(
    wanted: impl Iterator<Item = &'a str>,
    there: &Listing,
    ledger: &Ledger,
    config: &str,
    most: Option<MaxDelete>,
) -> Option<Loss> {
    let sent = Sent::of(ledger);
    let counts = |key: &str, etag| {
        let is_own_name = || is_hashed_name(key, &ledger.contents.sum_of(key, etag));
        !ledger.retired.contains_key(key) && !is_content_named(key, is_own_name, config, &sent)
    };
    let mut gone = gone(wanted, there).filter(|(key, etag)| counts(key, etag)).peekable();
    // As it is mostly.
    gone.peek()?;
    let such_as: Vec<String> = gone.by_ref().take(SHOWN).map(|(key, _)| key.to_string()).collect();
    let loss = Loss {
        gone: such_as.len() + gone.count(),
        of: there.iter().filter(|(key, etag)| counts(key, etag)).count(),
        such_as,
    };
    let is_more = match most {
        Some(MaxDelete::Files(most)) => loss.gone > most,
        Some(MaxDelete::Percent(most)) => loss.gone * 100 > loss.of * usize::from(most),
        None => loss.gone > (loss.of / 2).clamp(FEW, MOST),
    };
    is_more.then_some(loss)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(files: usize) -> Listing {
        (0..files)
            .map(|number| (format!("{number:04}.txt").into(), "e".into()))
            .collect()
    }

    fn lost(files: usize, left: usize, ledger: &Ledger, most: Option<MaxDelete>) -> Option<(usize, usize)> {
        let keys: Vec<String> = (0..left).map(|number| format!("{number:04}.txt")).collect();
        let keys = keys.iter().map(String::as_str);
        loss(keys, &listing(files), ledger, "", most).map(|loss| (loss.gone, loss.of))
    }

    #[test]
    fn more_than_half_or_more_than_256_is_asked_about() {
        let none = Ledger::default();
        for (files, left, expected) in [
            (100, 50, None),
            (100, 49, Some((51, 100))),
            (100, 0, Some((100, 100))),
            (900, 644, None),
            (900, 643, Some((257, 900))),
            // Small sites.
            (3, 0, None),
            (5, 2, None),
            (5, 1, Some((4, 5))),
            (0, 0, None),
        ] {
            assert_eq!(lost(files, left, &none, None), expected, "{left} of {files}");
        }
    }

    #[test]
    fn the_stage_says_how_much_may_go() {
        let none = Ledger::default();
        for (most, left, expected) in [
            (MaxDelete::Files(90), 10, None),
            (MaxDelete::Files(90), 9, Some((91, 100))),
            (MaxDelete::Files(0), 99, Some((1, 100))),
            (MaxDelete::Percent(80), 20, None),
            (MaxDelete::Percent(80), 19, Some((81, 100))),
            (MaxDelete::Percent(100), 0, None),
        ] {
            assert_eq!(lost(100, left, &none, Some(most)), expected, "{most:?}");
        }
    }

    #[test]
    fn what_is_called_by_its_content_or_only_kept_does_not_count() {
        let kept: Vec<String> = (10..60).map(|number| format!("{number:04}.txt")).collect();
        let ledger = Ledger {
            retired: kept.iter().map(|key| (key.clone(), 1)).collect(),
            ..Ledger::default()
        };
        assert_eq!(lost(60, 4, &ledger, None), Some((6, 10)));
        assert_eq!(lost(60, 5, &ledger, None), None);
        let immutable = "text/plain; public, max-age=31536000, immutable".to_owned();
        let ledger = Ledger {
            headers: [(".txt".to_owned(), immutable)].into(),
            ..Ledger::default()
        };
        assert_eq!(lost(60, 0, &ledger, None), None);
    }

    #[test]
    fn it_is_told_with_some_names() {
        let some = loss(std::iter::empty(), &listing(10), &Ledger::default(), "", None).expect("all");
        assert_eq!(some.to_string(), "10 of 10 files, such as 0000.txt, 0001.txt, 0002.txt");
    }
}
