//! The site: what `site/` holds as visitors get it. Nothing here asks the cloud.
//!
//! [`folder`] lists the files and [`names`] judges what they are called, [`fingerprint`] gives them second names, and
//! [`object`] is what is published in the end.

mod addresses;
mod asset_class;
mod content_hash;
mod content_named;
mod facts;
mod file_stat;
mod fingerprint;
mod folder;
#[cfg_attr(not(test), expect(dead_code, reason = "what is published doesn't follow it yet"))]
mod hosting_rules;
mod input;
mod media_type;
mod memo;
mod names;
mod object;
pub(crate) mod parameters;
pub(crate) mod policy;
mod read;
pub(crate) mod settings;
mod sniffed;
mod source;
pub(crate) mod sum;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::{Error, ErrorKind, Result};
pub(crate) use addresses::{Addresses, FALLBACK, NOT_FOUND};
use addresses::{Evidence, LEADING_SCRIPT, NOTHING_THERE, addresses, page_that_leads_to};
use asset_class::AssetClass;
use content_hash::ContentHash;
use content_named::content_named;
use facts::Rewritten;
pub(crate) use file_stat::FileStat;
use fingerprint::{Habit, Names, Notes};
use input::{Input, PIECE_BYTES};
use media_type::{Representation, representation};
pub(crate) use names::{folder_and_name, is_hashed_name, url_path};
pub(crate) use object::{ASK_THE_EDGE, Content, Headers, IMMUTABLE, NO_CACHE, Object, ObjectKind};
use read::Reader;
use settings::{Settings, Urls};
use source::Source;
use sum::Sum;

/// The site's folder as it was read. Cloning it is cheap.
#[derive(Debug, Clone, Default)]
pub(crate) struct Site {
    root: PathBuf,
    objects: Arc<[Object]>,
    names: Arc<Names>,
    addresses: Arc<Addresses>,
}

/// What is sent.
#[derive(Debug)]
pub(crate) enum Body {
    /// This file, to be read as it is sent.
    File(PathBuf),
    /// These bytes.
    Bytes(Vec<u8>),
}

impl Site {
    /// What is published, beside what the deployer makes; by kind, then by key.
    pub(crate) fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// How its addresses lead to what is published.
    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Whether the site brings an object of this key itself.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.objects.iter().any(|object| &*object.key == key)
    }

    /// An object's bytes, or where they are. Those of a page or style sheet whose references changed are made anew, and are
    /// at most 8 MiB.
    ///
    /// # Errors
    /// Its file can't be read any more, or isn't what it was when the site was read.
    pub(crate) fn body(&self, object: &Object) -> Result<Body> {
        match &object.content {
            Content::Made(bytes) => Ok(Body::Bytes(bytes.to_vec())),
            Content::OnDisk(key) => {
                let file = self.root.join(&**key);
                self.check(object)?;
                Ok(Body::File(file))
            }
            Content::Rewritten(key) => {
                self.check(object)?;
                let file = self.root.join(&**key);
                let bytes = Input::open(&file).and_then(|input| input.whole(&mut vec![0; PIECE_BYTES]));
                let bytes = bytes.map_err(|error| gone(&file).cause(error))?;
                let text = String::from_utf8(bytes).ok();
                let text = text.and_then(|text| self.names.rewritten(&text, key, AssetClass::of(key)).ok());
                match text {
                    Some(text) if Sum::of(&text) == object.sum => Ok(Body::Bytes(text.into_bytes())),
                    _ => Err(changed(&file)),
                }
            }
        }
    }

    /// Whether an object's file is still what it was when the site was read.
    ///
    /// # Errors
    /// It isn't.
    pub(crate) fn check(&self, object: &Object) -> Result<()> {
        let (Content::OnDisk(key) | Content::Rewritten(key)) = &object.content else {
            return Ok(());
        };
        let file = self.root.join(&**key);
        let metadata = fs::metadata(&file).map_err(|error| gone(&file).cause(error))?;
        if object.stat == Some(FileStat::of(&metadata)) {
            Ok(())
        } else {
            Err(changed(&file))
        }
    }

    /// The paths that the first page links on this site, as browsers would ask for them: the first so many, each once.
    pub(crate) fn links_of_first_page(&self, most: usize) -> Vec<String> {
        let text = fs::read_to_string(self.root.join(INDEX)).unwrap_or_default();
        fingerprint::links(&text, INDEX).into_iter().take(most).collect()
    }

    /// The file that an address means, whether or not it leads there: itself, the page of that name, or of that folder.
    pub(crate) fn file_meant_by(&self, path: &str) -> Option<String> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let key = percent_encoding::percent_decode_str(path.strip_prefix('/')?);
        let key = key.decode_utf8().ok()?;
        let folder = key.trim_end_matches('/');
        let candidates = [folder.to_owned(), format!("{folder}.html"), format!("{folder}/{INDEX}")];
        candidates.into_iter().find(|key| self.has(key))
    }
}

/// What is at the root.
const INDEX: &str = "index.html";

fn gone(file: &Path) -> Error {
    Error::failed(format!("could not read {} any more", file.display())).hint(ONCE_IT_IS_WRITTEN)
}

fn changed(file: &Path) -> Error {
    Error::new(
        ErrorKind::ChangedMeanwhile,
        format!("{} was changed while the site was published", file.display()),
    )
    .hint(ONCE_IT_IS_WRITTEN)
}

const ONCE_IT_IS_WRITTEN: &str = "Run the same command again when whatever writes the site has finished.";

/// Reads the folder as the `settings` say; with fingerprints, what pages refer to gets a second name (see [`fingerprint`]).
/// Returns what is to be published, and what to know of it. No file is kept in memory. What is found in a file is remembered
/// in the file `memo`, and used again as long as it hasn't changed.
///
/// # Errors
/// It holds no site, or something that can't be published (exit 2).
pub(crate) fn read(folder: &Path, settings: &Settings, memo: Option<&Path>) -> Result<(Site, Vec<String>)> {
    let listing = folder::list(folder)?;
    let mut warnings = listing.warnings;
    let began = SystemTime::now();
    let reader = Reader::new(folder, &listing.meant);
    let (mut sources, is_remembered) = reader.read(listing.keys, memo, listing.problems)?;
    let notes = Notes::default();
    let keys: Vec<Arc<str>> = sources.iter().map(|source| Arc::clone(&source.key)).collect();
    let named = content_named(keys.iter().map(|key| &**key));
    for source in &mut sources {
        source.is_immutable = !settings.as_is.have(&source.key)
            && source.sort != AssetClass::Page
            && (named.contains(&*source.key) || settings.immutable.have(&source.key));
    }
    let known: Vec<Option<Rewritten>> = sources.iter().map(|source| source.facts.rewritten).collect();
    let names = if settings.fingerprints {
        for source in &sources {
            if let Some(note) = source.facts.says.note {
                notes.add(note, &source.key);
            }
        }
        let is_fixed = |source: &Source| source.is_immutable || settings.as_is.have(&source.key);
        fingerprint::give(&reader, &mut sources, is_fixed, &notes)?
    } else {
        Names::default()
    };
    let is_same = is_remembered
        && sources
            .iter()
            .zip(known)
            .all(|(source, known)| source.facts.rewritten == known);
    if let Some(memo) = memo.filter(|_| !is_same) {
        memo::store(memo, began, &sources, &listing.meant);
    }
    warnings.extend(notes.warnings());
    let keys: Vec<&str> = sources.iter().map(|source| &*source.key).collect();
    let evidence = Evidence {
        links_clean: sources.iter().any(|source| source.facts.says.links.clean),
        changes_addresses: sources
            .iter()
            .any(|source| source.facts.says.mentions.any(Habit::ChangesAddress)),
        app_by_rule: false,
    };
    let hidden = addresses::hidden(&keys, &settings.redirects);
    if !hidden.is_empty() {
        warnings.push(format!(
            "redirects in stacks/stages.yaml that lead nowhere, since the site has a file there: {}",
            names::list(&hidden)
        ));
    }
    let addresses = addresses(&keys, settings.urls, evidence, &settings.redirects);
    let site = Site {
        root: folder.to_owned(),
        objects: objects(&sources, settings, &addresses).into(),
        names: Arc::new(names),
        addresses: Arc::new(addresses),
    };
    Ok((site, warnings))
}

/// What is published: the files, what other addresses lead to, and what the site lacks and visitors need.
fn objects(sources: &[Source], settings: &Settings, addresses: &Addresses) -> Vec<Object> {
    let by_key: HashMap<&str, &Source> = sources.iter().map(|source| (&*source.key, source)).collect();
    let mut all_headers: HashMap<Headers, Arc<Headers>> = HashMap::new();
    let mut shared =
        |headers: Headers| Arc::clone(all_headers.entry(headers).or_insert_with_key(|new| new.clone().into()));
    let mut objects = Vec::with_capacity(sources.len() + addresses.pages.len() + addresses.redirects.len());
    for source in sources {
        let plain = as_is(source, settings, |key| by_key.contains_key(key), &mut shared);
        // A file that has that name already has that content, too.
        let hashed_name = source.mark.and_then(|mark| mark.put_into(&source.key));
        if let Some(hashed_name) = hashed_name.filter(|hashed_name| !by_key.contains_key(hashed_name.as_str())) {
            objects.push(Object {
                key: hashed_name.into(),
                kind: ObjectKind::Asset,
                headers: shared(Headers {
                    cache_control: IMMUTABLE.to_owned(),
                    ..Headers::clone(&plain.headers)
                }),
                ..plain.clone()
            });
        }
        objects.push(plain);
    }
    let is_fallback_made = addresses.urls == Urls::App && !by_key.contains_key(FALLBACK);
    let fallback = is_fallback_made.then_some((FALLBACK, "index.html"));
    let pages = addresses.pages.iter().map(|(key, file)| (key.as_str(), file.as_str()));
    for (key, file) in pages.chain(fallback) {
        if let Some(source) = by_key.get(file) {
            objects.push(Object {
                key: key.into(),
                ..as_is(source, settings, |key| by_key.contains_key(key), &mut shared)
            });
        }
    }
    if !addresses.redirects.is_empty() {
        let sum = Sum::of(LEADING_SCRIPT);
        let script = ContentHash::of(&sum).put_into("leads-on.js").unwrap_or_default();
        for (key, to) in &addresses.redirects {
            objects.push(Object {
                headers: shared(Headers {
                    redirect: Some(to.clone()),
                    ..Headers::new(HTML, NO_CACHE)
                }),
                ..Object::made(key, ObjectKind::Page, &page_that_leads_to(to, &script))
            });
        }
        objects.push(Object {
            headers: shared(Headers::new("text/javascript; charset=utf-8", IMMUTABLE)),
            ..Object::made(&script, ObjectKind::Asset, LEADING_SCRIPT)
        });
    }
    if !by_key.contains_key(NOT_FOUND) {
        objects.push(Object {
            headers: shared(Headers::new(HTML, NO_CACHE)),
            ..Object::made(NOT_FOUND, ObjectKind::Page, NOTHING_THERE)
        });
    }
    objects.sort_unstable_by(|one, other| (one.kind, &one.key).cmp(&(other.kind, &other.key)));
    objects
}

const HTML: &str = "text/html; charset=utf-8";

/// A file under its own name.
fn as_is(
    source: &Source,
    settings: &Settings,
    has: impl Fn(&str) -> bool,
    shared: &mut impl FnMut(Headers) -> Arc<Headers>,
) -> Object {
    let (kind, cache_control) = match source.sort {
        _ if source.is_immutable => (ObjectKind::Asset, IMMUTABLE),
        AssetClass::Page => (ObjectKind::Page, NO_CACHE),
        _ if settings.fingerprints => (ObjectKind::Plain, NO_CACHE),
        _ => (ObjectKind::Plain, ASK_THE_EDGE),
    };
    let Representation {
        content_type,
        content_encoding,
    } = representation(&source.key, source.facts.sniffed, has);
    let mut headers = Headers {
        content_encoding: content_encoding.map(str::to_owned),
        ..Headers::new(content_type, cache_control)
    };
    for rule in settings.headers.iter().filter(|rule| rule.files.have(&source.key)) {
        for (header, value) in &rule.headers {
            headers.set(*header, value.clone());
        }
    }
    let file = Arc::clone(&source.key);
    Object {
        key: Arc::clone(&source.key),
        kind,
        content: if source.is_rewritten {
            Content::Rewritten(file)
        } else {
            Content::OnDisk(file)
        },
        size: source.size(),
        sum: source.sum(),
        headers: shared(headers),
        stat: Some(source.facts.stat),
    }
}

#[cfg(test)]
mod tests;
