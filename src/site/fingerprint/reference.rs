//! References to other files, as the URL standard reads them (<https://url.spec.whatwg.org/#url-parsing>), and the same
//! references to the files' new names. Pure.
//!
//! A reference that stays as it is is always right, since every file is published under its own name as well. So
//! whatever is unclear stays.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::super::names::{folder_and_name, url_segment};
use crate::site::content_hash::ContentHash;

/// What relative references of a document are relative to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Base {
    /// A folder of the site: its key with a slash, or nothing.
    Folder(String),
    /// Somewhere that isn't known to be the site.
    Elsewhere,
}

impl Base {
    /// The folder of the document with this key.
    pub(super) fn of(key: &str) -> Self {
        Self::Folder(folder_and_name(key).0.to_owned())
    }

    /// What a document with `<base href>` has instead.
    pub(super) fn with(&self, href: &str) -> Self {
        let Some(path) = path_of(href) else {
            // A query or a fragment alone leads to the document itself.
            return match stripped(href).as_bytes() {
                [] | [b'?' | b'#', ..] => self.clone(),
                _ => Self::Elsewhere,
            };
        };
        match self.join(path) {
            Some(mut segments) => {
                segments.pop();
                Self::Folder(segments.iter().map(|segment| format!("{segment}/")).collect())
            }
            None => Self::Elsewhere,
        }
    }

    /// The segments of the path that a reference's path leads to; the last is empty for a folder.
    fn join<'a>(&'a self, path: &'a str) -> Option<Vec<Cow<'a, str>>> {
        let Self::Folder(folder) = self else {
            // Also a path that begins with a slash leads there.
            return None;
        };
        let mut segments: Vec<Cow<'_, str>> = Vec::new();
        let path = match path.strip_prefix('/') {
            Some(path) => path,
            None => {
                segments.extend(folder.split_terminator('/').map(Cow::Borrowed));
                path
            }
        };
        let mut rest = path.split('/').peekable();
        while let Some(segment) = rest.next() {
            let segment = percent_decode_str(segment).decode_utf8().ok()?;
            // An escaped slash is none to a browser, and one to S3.
            if segment.contains(['/', '\\']) {
                return None;
            }
            let is_last = rest.peek().is_none();
            match &*segment {
                "." => {}
                ".." => {
                    segments.pop();
                }
                _ => {
                    segments.push(segment);
                    continue;
                }
            }
            if is_last {
                segments.push(Cow::Borrowed(""));
            }
        }
        Some(segments)
    }
}

/// A reference without what browsers strip from its ends: spaces and control characters.
fn stripped(reference: &str) -> &str {
    reference.trim_matches(|c| c <= ' ')
}

/// The path of a reference, if it is one to this site: without its query and fragment, and not empty.
pub(super) fn path_of(reference: &str) -> Option<&str> {
    let reference = stripped(reference);
    // Browsers remove these anywhere, and take a backslash for a slash.
    if reference.contains(['\t', '\n', '\r', '\\']) || reference.starts_with("//") {
        return None;
    }
    let path = &reference[..reference.find(['?', '#']).unwrap_or(reference.len())];
    let has_scheme = path.starts_with(|c: char| c.is_ascii_alphabetic())
        && path
            .split_once(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .is_some_and(|(scheme, _)| path[scheme.len()..].starts_with(':'));
    (!path.is_empty() && !has_scheme).then_some(path)
}

/// The key that a reference leads to, if it leads to a file of this site.
pub(super) fn target(reference: &str, base: &Base) -> Option<String> {
    let segments = base.join(path_of(reference)?)?;
    segments
        .last()
        .is_some_and(|name| !name.is_empty())
        .then(|| segments.join("/"))
}

/// The reference to the file's hashed_name name; `key` is the file's [`target`]. All else of it stays: how it leads there, its
/// query, its fragment.
pub(super) fn hashed_name(reference: &str, key: &str, mark: ContentHash) -> Option<String> {
    let path = path_of(reference)?;
    let (folder, name) = folder_and_name(path);
    // As it is written, if its extension is.
    let (_, extension) = key.rsplit_once('.')?;
    let new_name = match name.rsplit_once('.') {
        Some((stem, written)) if decodes_to(written, extension) => format!("{stem}.{mark}.{written}"),
        _ => {
            let hashed_name = mark.put_into(key)?;
            url_segment(folder_and_name(&hashed_name).1)
        }
    };
    // S3 takes a plus for a space; the file's is meant.
    let new_path = format!("{folder}{new_name}").replace('+', "%2B");
    let start = reference.len() - reference.trim_start_matches(|c| c <= ' ').len();
    let rest = &reference[start + path.len()..];
    Some(format!("{}{new_path}{rest}", &reference[..start]))
}

fn decodes_to(written: &str, expected: &str) -> bool {
    percent_decode_str(written)
        .decode_utf8()
        .is_ok_and(|text| text == expected)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::Url;

    use super::*;
    use crate::site::sum::Sum;
    use crate::site::tests::config;

    fn mark() -> ContentHash {
        ContentHash::of(&Sum::Md5([0x11; 16]))
    }

    #[test]
    fn a_reference_leads_to_a_file_and_becomes_one_to_its_new_name() {
        for (document, reference, key, expected) in [
            ("index.html", "style.css", "style.css", "style.1111111111111111.css"),
            ("index.html", "./style.css", "style.css", "./style.1111111111111111.css"),
            ("index.html", "/style.css", "style.css", "/style.1111111111111111.css"),
            ("a/b/c.html", "../x.css", "a/x.css", "../x.1111111111111111.css"),
            ("a/b/c.html", "x.css", "a/b/x.css", "x.1111111111111111.css"),
            ("a/b/c.html", "/x.css", "x.css", "/x.1111111111111111.css"),
            (
                "index.html",
                "a/../../../x.css",
                "x.css",
                "a/../../../x.1111111111111111.css",
            ),
            (
                "index.html",
                "%2e%2E/./%2e/x.css",
                "x.css",
                "%2e%2E/./%2e/x.1111111111111111.css",
            ),
            ("index.html", "x.css?v=1#f", "x.css", "x.1111111111111111.css?v=1#f"),
            ("index.html", "x.svg#i?", "x.svg", "x.1111111111111111.svg#i?"),
            (
                "index.html",
                "x.css?a=b/c.css",
                "x.css",
                "x.1111111111111111.css?a=b/c.css",
            ),
            ("index.html", "a%20b.png", "a b.png", "a%20b.1111111111111111.png"),
            ("index.html", "a b.png", "a b.png", "a b.1111111111111111.png"),
            ("index.html", "ü.css", "ü.css", "ü.1111111111111111.css"),
            ("index.html", "%C3%BC.css", "ü.css", "%C3%BC.1111111111111111.css"),
            ("index.html", "  x.css\n", "x.css", "  x.1111111111111111.css\n"),
            (
                "index.html",
                "a+b/c+d.css",
                "a+b/c+d.css",
                "a%2Bb/c%2Bd.1111111111111111.css",
            ),
            ("index.html", "c%2b.css?a+b", "c+.css", "c%2b.1111111111111111.css?a+b"),
            ("index.html", "100%.png", "100%.png", "100%.1111111111111111.png"),
            ("index.html", "x%2Ecss", "x.css", "x.1111111111111111.css"),
            (
                "index.html",
                "d/ü+ %2Ecs%73",
                "d/ü+ .css",
                "d/%C3%BC%2B%20.1111111111111111.css",
            ),
            ("index.html", "x.min.%63ss", "x.min.css", "x.min.1111111111111111.%63ss"),
            ("index.html", "./a:b.css", "a:b.css", "./a:b.1111111111111111.css"),
            ("index.html", "1a:b.css", "1a:b.css", "1a:b.1111111111111111.css"),
        ] {
            let base = Base::of(document);
            assert_eq!(target(reference, &base).as_deref(), Some(key), "{reference}");
            assert_eq!(
                hashed_name(reference, key, mark()).as_deref(),
                Some(expected),
                "{reference}"
            );
        }
    }

    #[test]
    fn what_does_not_lead_to_a_file_of_the_site_leads_nowhere() {
        for reference in [
            "",
            " ",
            "#icon",
            "?v=1",
            "/",
            ".",
            "..",
            "folder/",
            "folder/%2e",
            "//host/x.css",
            "https://host/x.css",
            "HTTP:x.css",
            "data:text/css,a{}",
            "blob:x.css",
            "a+b-c.1:x.css",
            "\\x.css",
            "a\\x.css",
            "a%2Fx.css",
            "a%5Cx.css",
            "x\n.css",
            "%FF.css",
        ] {
            assert_eq!(target(reference, &Base::of("index.html")), None, "{reference:?}");
        }
        assert_eq!(target("x.css", &Base::Elsewhere), None);
        assert_eq!(target("/x.css", &Base::Elsewhere), None);
    }

    #[test]
    fn a_base_is_another_folder_or_another_place() {
        let page = Base::of("a/b/c.html");
        assert_eq!(page, Base::Folder("a/b/".into()));
        for (href, expected) in [
            ("/", ""),
            ("/x/", "x/"),
            ("/x", ""),
            ("d/", "a/b/d/"),
            ("d/e", "a/b/d/"),
            ("../", "a/"),
            ("..", "a/"),
            (".", "a/b/"),
            ("", "a/b/"),
            ("?x", "a/b/"),
            ("#x", "a/b/"),
            (" /ü%20/ ", "ü /"),
        ] {
            assert_eq!(page.with(href), Base::Folder(expected.into()), "{href:?}");
        }
        for href in ["https://host/", "//host/", "data:,x", "\\x\\", "javascript:0"] {
            assert_eq!(page.with(href), Base::Elsewhere, "{href:?}");
        }
    }

    proptest! {
        #![proptest_config(config())]

        /// The browser's own reading is the judge.
        #[test]
        fn references_are_read_as_the_url_standard_reads_them(
            document in "([a-c]{1,2}/){0,3}p\\.html",
            reference in "[/ ]{0,2}((\\.\\.|\\.|%2e|%2E%2e|[a-cü]{1,2}|a b|a%20b|%C3%BC|a\\+b|:|ab:|%|%zz|\\\\|\t)[/]{1,2}){0,4}[a-c.]{0,3}(x\\.css|%2ecss|)(\\?[a-c/]{0,3})?(#[a-c/?]{0,3})?[ \n]{0,1}",
        ) {
            let page = Url::parse("https://site.example/").and_then(|site| site.join(&document)).expect("a URL");
            let found = target(&reference, &Base::of(&document));
            if let (Some(key), Ok(url)) = (&found, page.join(&reference)) {
                prop_assert_eq!(url.origin(), page.origin());
                prop_assert_eq!(decoded(url.path()), format!("/{key}"));
                // The new reference differs in the name alone.
                if let Some(new) = hashed_name(&reference, key, mark()) {
                    let new = page.join(&new).expect("a URL");
                    let expected = mark().put_into(key).map(|key| format!("/{key}"));
                    prop_assert_eq!(Some(decoded(new.path())), expected);
                    prop_assert_eq!((new.query(), new.fragment()), (url.query(), url.fragment()));
                }
            }
            // What is plainly a file's is found.
            if let Ok(url) = page.join(&reference)
                && url.origin() == page.origin()
                && url.path().ends_with("x.css")
                && !reference.contains(['\\', '\t', '\n'])
                && !url.path().contains("%5C")
                && !reference.contains("https")
            {
                prop_assert_eq!(found.map(|key| format!("/{key}")), Some(decoded(url.path())));
            }
        }
    }

    fn decoded(path: &str) -> String {
        percent_decode_str(path).decode_utf8_lossy().into_owned()
    }
}
