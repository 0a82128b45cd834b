//! What pages and style sheets say of other files: in references that can follow, and otherwise.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

use reqwest::Url;

use super::css::{self, Place};
use super::html;
use super::mentions::{Kind, Scanner, hash};
use super::notes::Note;
use super::reference::{Base, path_of, target};
use crate::site::content_hash::ContentHash;
use crate::site::facts::{Links, Says};
use crate::site::names::{folder_and_name, url_path};

/// What a page says.
pub(in crate::site) fn said_by_page(text: &str, key: &str) -> Says {
    let page = Page::default();
    let mut scanner = Scanner::default();
    if html::edits(text, key, &page).is_err() {
        scanner.look_through(text.as_bytes(), Kind::Script);
        return Says {
            mentions: scanner.finish(),
            note: Some(Note::NotParsed),
            ..Says::default()
        };
    }
    let scripts = page.scripts.into_inner();
    for script in &scripts {
        scanner.look_through(text[script.clone()].as_bytes(), Kind::Script);
    }
    let mut known = page.understood.into_inner();
    known.extend(scripts);
    for rest in between(text, known) {
        // What begins with `on` is a script, and a word ends where its attribute does.
        scanner.look_through(rest.as_bytes(), Kind::Data);
    }
    Says {
        refers: Some(page.refers.into_inner().into_iter().collect()),
        vouches: page.vouches.into_inner().into_iter().collect(),
        mentions: scanner.finish(),
        links: page.links.into_inner(),
        ..Says::default()
    }
}

/// The paths on this site that a page links, in its order, each once.
pub(in crate::site) fn links(text: &str, key: &str) -> Vec<String> {
    let page = Page::default();
    // What can't be parsed links nothing.
    let _ = html::edits(text, key, &page);
    // Any host does: what leads to another isn't this site's.
    let base = format!("http://site.invalid{}", url_path(key));
    let Ok(base) = Url::parse(&base) else {
        return Vec::new();
    };
    let mut seen = BTreeSet::new();
    let paths = page.hrefs.into_inner().into_iter().filter_map(|href| {
        let url = base.join(&href).ok()?;
        (url.origin() == base.origin()).then(|| url.path().to_owned())
    });
    paths.filter(|path| seen.insert(path.clone())).collect()
}

/// What a script says, or another text that may be one.
pub(in crate::site) fn said_by_script(text: &[u8]) -> Says {
    let mut scanner = Scanner::default();
    scanner.look_through(text, Kind::Script);
    Says {
        mentions: scanner.finish(),
        ..Says::default()
    }
}

/// What a style sheet says.
pub(in crate::site) fn said_by_style(text: &str, key: &str) -> Says {
    let base = Base::of(key);
    let mut refers = BTreeSet::new();
    let mut known = Vec::new();
    css::edits(text, Place::Sheet, &mut |reference, place| {
        if let Some(key) = target(reference, &base) {
            refers.insert(hash(key.as_bytes()));
            known.push(place);
        }
        None
    });
    let mut scanner = Scanner::default();
    for rest in between(text, known) {
        scanner.look_through(rest.as_bytes(), Kind::Data);
    }
    Says {
        refers: Some(refers.into_iter().collect()),
        mentions: scanner.finish(),
        ..Says::default()
    }
}

/// How names are looked for in a file that is neither a page, a style sheet, a script, an image nor a font; none where nothing
/// is written that a browser reads.
pub(in crate::site) fn kind_of_data(key: &str) -> Option<Kind> {
    let (_, name) = folder_and_name(key);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let is_sealed = [
        "7z", "avi", "br", "bz2", "dmg", "exe", "flac", "gz", "iso", "jar", "m4a", "m4v", "mkv", "mov", "mp3", "mp4",
        "mpg", "ogg", "opus", "pdf", "rar", "tar", "tgz", "wav", "weba", "webm", "xz", "zip", "zst",
    ]
    .iter()
    .any(|sealed| extension.eq_ignore_ascii_case(sealed));
    (!is_sealed).then_some(Kind::Data)
}

/// What of a text isn't in any of these places.
fn between(text: &str, mut known: Vec<Range<usize>>) -> impl Iterator<Item = &str> {
    known.sort_by_key(|place| place.start);
    known.push(text.len()..text.len());
    let mut end = 0;
    known.into_iter().filter_map(move |place| {
        let rest = text.get(end..place.start.max(end));
        end = end.max(place.end);
        rest.filter(|rest| !rest.is_empty())
    })
}

/// A page that is read for what it says.
#[derive(Default)]
struct Page {
    refers: RefCell<BTreeSet<u64>>,
    vouches: RefCell<BTreeSet<u64>>,
    scripts: RefCell<Vec<Range<usize>>>,
    understood: RefCell<Vec<Range<usize>>>,
    links: RefCell<Links>,
    hrefs: RefCell<Vec<String>>,
}

impl html::Targets for Page {
    fn mark(&self, key: &str) -> Option<ContentHash> {
        self.refers.borrow_mut().insert(hash(key.as_bytes()));
        None
    }

    fn integrity(&self, key: &str, value: &str) -> Option<String> {
        if !value.trim_ascii().is_empty() {
            self.vouches.borrow_mut().insert(hash(key.as_bytes()));
        }
        None
    }

    fn script(&self, place: Range<usize>) {
        self.scripts.borrow_mut().push(place);
    }

    fn understood(&self, place: Range<usize>) {
        self.understood.borrow_mut().push(place);
    }

    fn link(&self, href: &str) {
        self.hrefs.borrow_mut().push(href.to_owned());
        // As far as it leads to this site, whatever its base is.
        let Some(path) = path_of(href) else {
            return;
        };
        let (_, name) = folder_and_name(path);
        let mut links = self.links.borrow_mut();
        match name.rsplit_once('.') {
            _ if matches!(name, "." | "..") => {}
            None if name.is_empty() => links.to_folders |= path != "/",
            None => links.clean = true,
            Some((_, extension)) => links.to_files |= extension.starts_with("htm"),
        }
    }
}
