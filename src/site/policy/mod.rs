//! The Content-Security-Policy that the site works under: strict where it lives with that, else with the few things that its
//! files need, each a fixed step, so that an edit of a page seldom changes a stack. What is another host's is never allowed
//! because a file names it: whoever publishes says so in `stages.yaml`.
//!
//! [`needs`](needs_of) says of each file what it needs, [`Merged`] puts that together, and [`policy`] makes the text of it. A
//! page with a policy of its own in a `meta` stays as it is: browsers heed both.

mod compare;
mod needs;
mod page;
mod script;
mod style;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use mime_guess::MimeGuess;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::asset_class::AssetClass;
use super::object::{Content, Object, ObjectKind};
use super::settings::{Directive, Settings};
use super::{Body, Site};
use crate::error::{Error, ErrorKind, Result};
pub(crate) use compare::{is_as_loose, looser};
pub(crate) use needs::{Need, Needs};
pub(crate) use page::needs_of_page;
pub(crate) use script::needs_of_script;
pub(crate) use style::needs_of_style;

/// What a site's policy is that needs nothing: its own files and what is called by its template, no other host, no frame,
/// nothing that stands in a page. Forms are sent by scripts, never by browsers themselves.
#[cfg(test)]
const STRICT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'";

/// The longest such header that CloudFront sends, in characters.
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html>
const LONGEST_HEADER: usize = 1_783;

/// What a template may add to it, such as an API's address.
const ROOM: usize = 100;

/// The longest policy.
const LONGEST: usize = LONGEST_HEADER - ROOM;

/// Bigger files than this aren't looked at: they are data.
const LARGEST_BYTES: u64 = 32 * 1024 * 1024;

/// How many hosts are told of one by one.
const TOLD: usize = 20;

/// All directives in the order in which they are written. What scripts may call comes last, so that a template can add to it.
const ORDER: [&str; 13] = [
    "script-src",
    "style-src",
    "img-src",
    "font-src",
    "media-src",
    "manifest-src",
    "worker-src",
    "frame-src",
    "object-src",
    "base-uri",
    "form-action",
    "frame-ancestors",
    "connect-src",
];

/// Those that the site's own files are always allowed by.
const OWN: [&str; 5] = ["script-src", "style-src", "img-src", "font-src", "connect-src"];

/// Those that refuse everything where nothing is needed, as `default-src` doesn't stand in for them.
const CLOSED: [&str; 3] = ["base-uri", "form-action", "frame-ancestors"];

/// A file of the site, with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file's key.
    pub(crate) file: String,
    /// The line, counted from 1; none if it is the file itself.
    pub(crate) line: Option<usize>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "site/{}:{line}", self.file),
            None => write!(f, "site/{}", self.file),
        }
    }
}

/// What all files need together, each with the first that does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Merged {
    needs: BTreeMap<Need, Place>,
    hosts: BTreeMap<(Directive, String), Place>,
    scripts: BTreeSet<String>,
    handlers: BTreeSet<String>,
    styles: BTreeSet<String>,
    attributes: BTreeSet<String>,
    pages: usize,
}

impl Merged {
    /// Adds what a file needs.
    pub(crate) fn add(&mut self, key: &str, needs: &Needs) {
        let at = |line: usize| Place {
            file: key.to_owned(),
            line: (line > 0).then_some(line),
        };
        for (need, line) in &needs.needs {
            self.needs.entry(*need).or_insert_with(|| at(*line));
        }
        for host in &needs.hosts {
            let of_host = (host.directive, host.origin.clone());
            self.hosts.entry(of_host).or_insert_with(|| at(host.line));
        }
        self.scripts.extend(needs.scripts.iter().cloned());
        self.handlers.extend(needs.handlers.iter().cloned());
        self.styles.extend(needs.styles.iter().cloned());
        self.attributes.extend(needs.attributes.iter().cloned());
        self.pages += usize::from(AssetClass::of(key) == AssetClass::Page);
    }
}

/// Something that the policy allows beside what is strict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loosened {
    /// What.
    pub(crate) what: &'static str,
    /// The first file that needs it.
    pub(crate) place: Place,
    adds: &'static [(&'static str, &'static str)],
}

impl Loosened {
    /// Whether another policy refuses it.
    pub(crate) fn is_refused_by(&self, policy: &str) -> bool {
        let needed = self
            .adds
            .iter()
            .map(|(directive, source)| format!("{directive} {source}"));
        let needed: Vec<String> = needed.collect();
        !is_as_loose(
            policy,
            &format!(
                "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; {}",
                needed.join("; ")
            ),
        )
    }
}

/// The site's policy.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// Its text, up to what scripts may call.
    pub(crate) text: String,
    /// Whether pages may be in frames.
    pub(crate) has_frames: bool,
    /// What it allows beside what is strict.
    pub(crate) loosened: Vec<Loosened>,
    /// What it doesn't allow although files want it, a sentence each.
    pub(crate) warnings: Vec<String>,
}

/// What a file of this name and content needs; none if that is of no kind that needs anything.
pub(crate) fn needs_of(key: &str, text: &str, hashes: bool) -> Option<Needs> {
    match AssetClass::of(key) {
        AssetClass::Page => Some(needs_of_page(text, hashes)),
        AssetClass::Style => Some(needs_of_style(text)),
        AssetClass::Script => Some(needs_of_script(text)),
        AssetClass::Media | AssetClass::Other => None,
    }
}

/// What a file needs by its name alone.
pub(super) fn needs_of_key(key: &str) -> Option<Needs> {
    let guess = MimeGuess::from_path(Path::new(key)).first_raw();
    let need = match guess.and_then(|guess| guess.split_once('/'))? {
        ("audio" | "video", _) if !key.ends_with(".ts") => Need::Media,
        (_, "manifest+json") => Need::Media,
        (_, "wasm") => Need::Wasm,
        _ => return None,
    };
    let mut needs = Needs::default();
    needs.needs.insert(need, 0);
    Some(needs)
}

/// Reads what the site's files need. Of pages with references that follow others' names, what is published counts.
///
/// # Errors
/// A file can't be read any more.
pub(crate) fn read(site: &Site, settings: &Settings) -> Result<Merged> {
    let files = site.objects().iter().filter(|object| object.kind != ObjectKind::Asset);
    let mut files: Vec<&Object> = files.collect();
    // That a page needs something tells more than that a script does.
    files.sort_by(|one, other| (other.kind, &one.key).cmp(&(one.kind, &other.key)));
    let read: Vec<Result<Option<Needs>>> = files
        .par_iter()
        .map(|object| of_object(site, object, settings.hashes))
        .collect();
    let mut merged = Merged::default();
    for (object, needs) in files.iter().zip(read) {
        if let Some(needs) = needs? {
            merged.add(&object.key, &needs);
        }
    }
    Ok(merged)
}

fn of_object(site: &Site, object: &Object, hashes: bool) -> Result<Option<Needs>> {
    let (Content::OnDisk(key) | Content::Rewritten(key, _)) = &object.content else {
        return Ok(None);
    };
    let is_text = matches!(
        AssetClass::of(key),
        AssetClass::Page | AssetClass::Style | AssetClass::Script
    );
    if !is_text || object.size > LARGEST_BYTES {
        return Ok(needs_of_key(key));
    }
    let bytes = match &object.content {
        Content::Rewritten(..) if hashes => match site.body(object)? {
            Body::Bytes(bytes) => bytes,
            Body::File(file) => read_file(&file)?,
        },
        _ => read_file(&site.root.join(&**key))?,
    };
    Ok(needs_of(key, &String::from_utf8_lossy(&bytes), hashes))
}

fn read_file(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).map_err(|error| super::gone(file).cause(error))
}

/// The policy of a site that needs this, with what the stage allows.
///
/// # Errors
/// It is longer than CloudFront sends.
pub(crate) fn policy(merged: &Merged, settings: &Settings) -> Result<Policy> {
    let mut sources = Sources::default();
    let mut loosened: Vec<Loosened> = Vec::new();
    let mut warnings = Vec::new();
    let styles_are_made = merged.needs.contains_key(&Need::ScriptedStyles);
    for (need, place) in &merged.needs {
        match need {
            Need::ScriptedFrames if merged.pages < 2 => continue,
            Need::InlineScripts if settings.hashes => sources.add_all("script-src", &merged.scripts),
            Need::Handlers if settings.hashes => sources.add_hashes("script-src", &merged.handlers),
            Need::InlineStyles if settings.hashes && !styles_are_made => sources.add_all("style-src", &merged.styles),
            Need::StyleAttributes if settings.hashes && !styles_are_made => {
                sources.add_hashes("style-src", &merged.attributes);
            }
            Need::ScriptUrls | Need::ScriptedHandlers if settings.hashes => {
                warnings.push(format!(
                    "{place} has {}, which won't run: no hash allows them, as `hashes: true` in stacks/stages.yaml asks for",
                    need.what()
                ));
                continue;
            }
            _ => sources.add_need(*need),
        }
        if !loosened.iter().any(|one| one.what == need.what()) {
            loosened.push(Loosened {
                what: need.what(),
                place: place.clone(),
                adds: need.adds(),
            });
        }
    }
    for (directive, allowed) in &settings.allowed {
        if matches!(directive, Directive::Media | Directive::Manifest | Directive::Worker) {
            sources.add(directive.name(), "'self'");
        }
        allowed.iter().for_each(|source| sources.add(directive.name(), source));
    }
    warnings.extend(refused_hosts(merged, &sources));
    let text = sources.text();
    if text.len() > LONGEST {
        return Err(too_long(text.len(), settings));
    }
    Ok(Policy {
        has_frames: sources.0.contains_key("frame-ancestors"),
        text,
        loosened,
        warnings,
    })
}

/// Directives with their sources.
struct Sources(BTreeMap<&'static str, Vec<String>>);

impl Default for Sources {
    fn default() -> Self {
        Self(OWN.map(|directive| (directive, vec!["'self'".to_owned()])).into())
    }
}

impl Sources {
    fn add(&mut self, directive: &'static str, source: &str) {
        let sources = self.0.entry(directive).or_default();
        if !sources.iter().any(|known| known == source) {
            sources.push(source.to_owned());
        }
    }

    fn add_all(&mut self, directive: &'static str, more: &BTreeSet<String>) {
        more.iter().for_each(|source| self.add(directive, source));
    }

    /// Adds hashes of attributes, which count with a word beside them alone.
    fn add_hashes(&mut self, directive: &'static str, hashes: &BTreeSet<String>) {
        self.add(directive, "'unsafe-hashes'");
        self.add_all(directive, hashes);
    }

    fn add_need(&mut self, need: Need) {
        need.adds()
            .iter()
            .for_each(|(directive, source)| self.add(directive, source));
    }

    fn text(&self) -> String {
        let mut text = "default-src 'none'".to_owned();
        for directive in ORDER {
            match self.0.get(directive) {
                Some(sources) => text.push_str(&format!("; {directive} {}", sources.join(" "))),
                None if CLOSED.contains(&directive) => text.push_str(&format!("; {directive} 'none'")),
                None => {}
            }
        }
        text
    }

    /// Whether a host is allowed.
    fn allow(&self, directive: &str, origin: &str) -> bool {
        let sources = self.0.get(directive).into_iter().flatten();
        let (scheme, host) = origin.split_once("://").unwrap_or(("https", origin));
        let mut sources = sources.map(|source| source.trim_end_matches('/'));
        sources.any(|source| {
            if source == "*" || source.strip_suffix(':') == Some(scheme) {
                return true;
            }
            let (of, pattern) = source.split_once("://").unwrap_or((scheme, source));
            let pattern = pattern.split('/').next().unwrap_or_default();
            let is_host = match pattern.strip_prefix("*.") {
                Some(domain) => host.strip_suffix(domain).is_some_and(|sub| sub.ends_with('.')),
                None => pattern.eq_ignore_ascii_case(host),
            };
            of.eq_ignore_ascii_case(scheme) && is_host
        })
    }
}

/// What hosts are wanted for, in words.
fn what_for(directive: Directive) -> &'static str {
    match directive {
        Directive::Connect => "calls to",
        Directive::Font => "fonts from",
        Directive::Form => "forms sent to",
        Directive::Frame => "frames with pages of",
        Directive::FramedBy => "frames by",
        Directive::Img => "images from",
        Directive::Manifest => "a manifest from",
        Directive::Media => "media from",
        Directive::Object => "objects from",
        Directive::Script => "scripts from",
        Directive::Style => "style sheets from",
        Directive::Worker => "workers from",
    }
}

/// The hosts that files want and the policy refuses, a sentence each.
fn refused_hosts(merged: &Merged, sources: &Sources) -> Vec<String> {
    let is_refused = |((directive, origin), _): &(&(Directive, String), &Place)| {
        // What is left over of a developer's machine is nothing that visitors want.
        let host = origin.split_once("://").map_or(origin.as_str(), |(_, host)| host);
        let is_local = ["localhost", "127.0.0.1", "0.0.0.0"]
            .iter()
            .any(|local| host.starts_with(local));
        !is_local && !sources.allow(directive.name(), origin)
    };
    let refused: Vec<_> = merged.hosts.iter().filter(is_refused).collect();
    let mut told: Vec<String> = refused
        .iter()
        .take(TOLD)
        .map(|((directive, origin), place)| {
            format!(
                "the site's policy refuses {} {origin}, which {place} wants: `{}: [{origin}]` in stacks/stages.yaml allows it",
                what_for(*directive),
                directive.setting()
            )
        })
        .collect();
    if refused.len() > TOLD {
        let more = refused.len() - TOLD;
        told.push(format!(
            "the site's policy refuses {more} more hosts that its files want"
        ));
    }
    told
}

fn too_long(length: usize, settings: &Settings) -> Error {
    let error = Error::new(
        ErrorKind::InvalidProject,
        format!("the site's Content-Security-Policy would be {length} characters long"),
    )
    .cause(format!(
        "CloudFront sends at most {LONGEST_HEADER}, of which {ROOM} are for what the template adds"
    ));
    if settings.hashes {
        error.hint(
            "Nothing was changed. Put inline scripts and styles into files, or leave out `hashes` in stacks/stages.yaml: then \
             all of them are allowed by one word.",
        )
    } else {
        error.hint(
            "Nothing was changed. Allow fewer hosts in stacks/stages.yaml, or several by one: `https://*.example.com`.",
        )
    }
}

#[cfg(test)]
mod tests;
