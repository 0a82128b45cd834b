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
mod hosting;
mod hosting_rules;
mod html_tokens;
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
use fingerprint::{Names, Notes};
use hosting::Hosting;
use input::{Input, PIECE_BYTES};
use media_type::{Representation, representation};
pub(crate) use names::{folder_and_name, is_hashed_name, list as listed, url_path};
pub(crate) use object::{ASK_THE_EDGE, Content, Headers, IMMUTABLE, NO_CACHE, Object, ObjectKind};
use policy::Merged;
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
    needs: Arc<Merged>,
}

/// A file that a site is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SiteFile {
    /// What is in it, in short.
    pub sum: Sum,
    /// In bytes.
    pub size: u64,
    /// Whether an object has the same content.
    pub is_published: bool,
}

/// The files of a site.
#[derive(Debug, Clone)]
pub(crate) struct SiteFiles<'a> {
    objects: &'a [Object],
    /// Those that no object is made of.
    read: Vec<(&'static str, SiteFile)>,
    /// Numbers of objects, and behind those of what was read, in the order of the paths: there may be many.
    order: Vec<u32>,
}

impl<'a> SiteFiles<'a> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Each with its path, in the order of those.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a str, SiteFile)> + Clone {
        self.order.iter().filter_map(|index| self.at(*index))
    }

    /// The one of this path.
    pub(crate) fn get(&self, path: &str) -> Option<SiteFile> {
        let of = |index: &u32| self.at(*index).map(|(path, _)| path);
        let found = self.order.binary_search_by(|index| of(index).cmp(&Some(path))).ok()?;
        self.at(*self.order.get(found)?).map(|(_, file)| file)
    }

    fn at(&self, index: u32) -> Option<(&'a str, SiteFile)> {
        let index = usize::try_from(index).ok()?;
        let Some(object) = self.objects.get(index) else {
            return self.read.get(index - self.objects.len()).copied();
        };
        let (key, sum, is_published) = match &object.content {
            Content::OnDisk(key) => (key, object.sum, true),
            Content::Rewritten(key, sum) => (key, **sum, false),
            Content::Made(_) => return None,
        };
        let file = SiteFile {
            sum,
            size: object.stat.as_ref().map_or(object.size, FileStat::size),
            is_published,
        };
        Some((key, file))
    }
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

    /// What its files need of its policy, but for hashes.
    pub(super) fn needs(&self) -> &Merged {
        &self.needs
    }

    /// The files that it is made of, in the order of their paths in its folder: those that are published, and those that say
    /// how.
    ///
    /// # Errors
    /// One of the latter can't be read.
    pub(crate) fn files(&self) -> Result<SiteFiles<'_>> {
        let mut read = Vec::new();
        for name in hosting::FILES {
            let path = self.root.join(name);
            if path.is_file() {
                let bytes = fs::read(&path).map_err(|error| gone(&path).cause(error))?;
                let file = SiteFile {
                    sum: Sum::of(&bytes),
                    size: bytes.len() as u64,
                    is_published: false,
                };
                read.push((*name, file));
            }
        }
        let objects = &*self.objects;
        let files = SiteFiles {
            objects,
            read,
            order: Vec::new(),
        };
        let is_file = |index: &u32| files.at(*index).is_some();
        // In one piece: there may be many.
        let mut order = Vec::with_capacity(objects.len() + files.read.len());
        order.extend((0_u32..).take(objects.len() + files.read.len()).filter(is_file));
        let path = |index: &u32| files.at(*index).map(|(path, _)| path);
        order.sort_unstable_by_key(path);
        order.dedup_by_key(|index| path(index));
        Ok(SiteFiles { order, ..files })
    }

    /// Where one of its files is.
    pub(crate) fn path_of(&self, file: &str) -> PathBuf {
        self.root.join(file)
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
            Content::Rewritten(key, _) => {
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
        let (Content::OnDisk(key) | Content::Rewritten(key, _)) = &object.content else {
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
    let (mut sources, read) = reader.read(listing.keys, memo, listing.problems)?;
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
    if let Some(memo) = memo {
        let is_rewritten = |(source, known): &(&Source, Option<Rewritten>)| source.facts.rewritten != *known;
        let rewritten = sources.iter().zip(known).filter(is_rewritten);
        let worked = read + rewritten.map(|(source, _)| source.facts.stat.size()).sum::<u64>();
        memo::store(memo, began, &sources, &listing.meant, worked);
    }
    warnings.extend(notes.warnings());
    let hosting = Hosting::read(folder, &mut sources, &mut warnings);
    let keys: Vec<&str> = sources.iter().map(|source| &*source.key).collect();
    let evidence = Evidence {
        links_clean: sources.iter().any(|source| source.facts.says.links.clean),
        is_bundle: fingerprint::loads(&sources, INDEX, |source| {
            source.sort == AssetClass::Script && source.is_immutable
        }),
        app_by_rule: hosting.is_app,
    };
    let mut redirects = hosting.redirects.clone();
    redirects.extend(settings.redirects.clone());
    let hidden = addresses::hidden(&keys, &redirects);
    if !hidden.is_empty() {
        warnings.push(format!(
            "redirects that lead nowhere, since the site has a file there: {}",
            names::list(&hidden)
        ));
    }
    let addresses = addresses(&keys, settings.urls, evidence, &redirects);
    let also = addresses
        .pages
        .keys()
        .chain(addresses.redirects.keys())
        .map(String::as_str);
    warnings.extend(fingerprint::absent(folder, &sources, also.chain([NOT_FOUND, FALLBACK])));
    let root = folder.to_owned();
    let not_found = not_found(&sources);
    let objects = Objects {
        sources: &sources,
        by_key: sources.iter().map(|source| (&*source.key, source)).collect(),
        settings,
        hosting: &hosting,
        addresses: &addresses,
        all_headers: HashMap::new(),
    };
    let site = Site {
        root,
        objects: objects.all(not_found.as_ref()).into(),
        names: Arc::new(names),
        addresses: Arc::new(addresses),
        needs: Arc::new(needs(&sources)),
    };
    Ok((site, warnings))
}

/// What the files need of the site's policy. That a page needs something tells more than that a script does.
fn needs(sources: &[Source]) -> Merged {
    let mut merged = Merged::default();
    let is_page = |source: &&Source| source.sort == AssetClass::Page;
    let pages = sources.iter().filter(is_page);
    for source in pages.chain(sources.iter().filter(|source| !is_page(source))) {
        let of_name = || policy::needs_of_key(&source.key);
        match &source.facts.says.needs {
            Some(needs) => merged.add(&source.key, needs),
            None => merged.add(&source.key, &of_name().unwrap_or_default()),
        }
    }
    merged
}

/// The page for what isn't there, if it isn't the site's own as it is: a plain one, or one that shows that of the nearest
/// folder, where folders have such pages of their own.
fn not_found(sources: &[Source]) -> Option<NotFound> {
    let own = sources.iter().find(|source| &*source.key == NOT_FOUND);
    let is_of_folder = |key: &&str| *key != NOT_FOUND && folder_and_name(key).1 == NOT_FOUND;
    let of_folders: Vec<&str> = sources.iter().map(|source| &*source.key).filter(is_of_folder).collect();
    if of_folders.is_empty() {
        return own.is_none().then(|| NotFound {
            page: NOTHING_THERE.to_owned(),
            of_root: None,
            script: None,
        });
    }
    let sum = own.map_or_else(|| Sum::of(NOTHING_THERE), Source::sum);
    let of_root = ContentHash::of(&sum).put_into(NOT_FOUND).unwrap_or_default();
    let folders = of_folders.iter().map(|key| (folder_and_name(key).0, *key));
    let pages: Vec<(&str, &str)> = folders.chain([("", of_root.as_str())]).collect();
    let script = addresses::script_of_folders(&pages);
    let key = hashed("not-found.js", &script);
    Some(NotFound {
        page: addresses::page_of_folders(&key),
        of_root: Some(of_root),
        script: Some((key, script)),
    })
}

/// A page for what isn't there that no file is.
struct NotFound {
    page: String,
    /// Where that of no folder is then.
    of_root: Option<String>,
    /// What it runs: a key with its text.
    script: Option<(String, String)>,
}

/// A key with the hash of a text in it.
fn hashed(key: &str, text: &str) -> String {
    ContentHash::of(&Sum::of(text)).put_into(key).unwrap_or_default()
}

/// Puts together what is published.
struct Objects<'a> {
    sources: &'a [Source],
    by_key: HashMap<&'a str, &'a Source>,
    settings: &'a Settings,
    hosting: &'a Hosting,
    addresses: &'a Addresses,
    /// One of each: there are few.
    all_headers: HashMap<Headers, Arc<Headers>>,
}

impl Objects<'_> {
    /// The files, what other addresses lead to, and what the site lacks and visitors need; by kind, then by key.
    fn all(mut self, not_found: Option<&NotFound>) -> Vec<Object> {
        let addresses = self.addresses;
        let count = self.sources.len() + addresses.pages.len() + addresses.redirects.len();
        let mut objects = Vec::with_capacity(count);
        for source in self.sources {
            let plain = self.as_is(source, &source.key);
            if let Some(not_found) = not_found.filter(|_| &*source.key == NOT_FOUND) {
                objects.extend(not_found.of_root.as_ref().map(|key| Object {
                    key: key.as_str().into(),
                    ..plain
                }));
                continue;
            }
            // A file that has that name already has that content, too.
            let hashed_name = source.mark.and_then(|mark| mark.put_into(&source.key));
            if let Some(hashed_name) = hashed_name.filter(|name| !self.by_key.contains_key(name.as_str())) {
                objects.push(Object {
                    key: hashed_name.into(),
                    kind: ObjectKind::Asset,
                    headers: self.shared(Headers {
                        cache_control: IMMUTABLE.to_owned(),
                        ..Headers::clone(&plain.headers)
                    }),
                    ..plain.clone()
                });
            }
            objects.push(plain);
        }
        // An app has one page under both names.
        let of_app = [(FALLBACK, INDEX), (INDEX, FALLBACK)].into_iter();
        let of_app = of_app.filter(|(key, _)| addresses.urls == Urls::App && !self.by_key.contains_key(key));
        let pages = addresses.pages.iter().map(|(key, file)| (key.as_str(), file.as_str()));
        for (key, file) in pages.chain(of_app).collect::<Vec<_>>() {
            if let Some(source) = self.by_key.get(file).copied() {
                objects.push(Object {
                    key: key.into(),
                    ..self.as_is(source, key)
                });
            }
        }
        if !addresses.redirects.is_empty() {
            let script = hashed("leads-on.js", LEADING_SCRIPT);
            for (key, to) in &addresses.redirects {
                let headers = Headers {
                    redirect: Some(to.clone()),
                    ..Headers::new(HTML, NO_CACHE)
                };
                objects.push(self.made(key, ObjectKind::Page, &page_that_leads_to(to, &script), headers));
            }
            objects.push(self.script(&script, LEADING_SCRIPT));
        }
        if let Some(NotFound { page, of_root, script }) = not_found {
            if let Some(key) = of_root.as_ref().filter(|_| !self.by_key.contains_key(NOT_FOUND)) {
                objects.push(self.made(key, ObjectKind::Page, NOTHING_THERE, Headers::new(HTML, NO_CACHE)));
            }
            objects.push(self.made(NOT_FOUND, ObjectKind::Page, page, Headers::new(HTML, NO_CACHE)));
            objects.extend(script.as_ref().map(|(key, text)| self.script(key, text)));
        }
        objects.sort_unstable_by(|one, other| (one.kind, &one.key).cmp(&(other.kind, &other.key)));
        objects
    }

    fn shared(&mut self, headers: Headers) -> Arc<Headers> {
        let one = self.all_headers.entry(headers);
        Arc::clone(one.or_insert_with_key(|new| new.clone().into()))
    }

    fn made(&mut self, key: &str, kind: ObjectKind, text: &str, headers: Headers) -> Object {
        Object::made(key, kind, text, self.shared(headers))
    }

    fn script(&mut self, key: &str, text: &str) -> Object {
        let headers = Headers::new("text/javascript; charset=utf-8", IMMUTABLE);
        self.made(key, ObjectKind::Asset, text, headers)
    }

    /// What a file is published as, as it is served under `key`.
    fn as_is(&mut self, source: &Source, key: &str) -> Object {
        let (kind, cache_control) = match source.sort {
            _ if source.is_immutable => (ObjectKind::Asset, IMMUTABLE),
            AssetClass::Page => (ObjectKind::Page, NO_CACHE),
            _ if self.settings.fingerprints => (ObjectKind::Plain, NO_CACHE),
            _ => (ObjectKind::Plain, ASK_THE_EDGE),
        };
        let Representation {
            content_type,
            content_encoding,
        } = representation(&source.key, source.facts.sniffed, |key| self.by_key.contains_key(key));
        let mut headers = Headers {
            content_encoding: content_encoding.map(str::to_owned),
            ..Headers::new(content_type, cache_control)
        };
        // Of nearly all sites there are none.
        if self.hosting.has_headers() {
            for (header, value) in self.hosting.headers_at(&url_path(key)) {
                headers.set(header, value);
            }
        }
        let rules = self.settings.headers.iter();
        for rule in rules.filter(|rule| rule.files.have(&source.key)) {
            for (header, value) in &rule.headers {
                headers.set(*header, value.clone());
            }
        }
        let file = Arc::clone(&source.key);
        Object {
            key: Arc::clone(&source.key),
            kind,
            content: if source.is_rewritten {
                Content::Rewritten(file, Box::new(source.facts.sum))
            } else {
                Content::OnDisk(file)
            },
            size: source.size(),
            sum: source.sum(),
            part_sums: source.facts.part_sums.clone(),
            headers: self.shared(headers),
            stat: Some(source.facts.stat),
        }
    }
}

const HTML: &str = "text/html; charset=utf-8";

#[cfg(test)]
mod tests;
