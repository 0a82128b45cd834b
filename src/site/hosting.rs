//! What the files say that generators write for hosts of static sites: they aren't published, but followed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::hosting_rules::{self, Headers, Unsupported};
use super::names;
use super::settings::Header;
use super::source::Source;

const REDIRECTS: &str = "_redirects";
const HEADERS: &str = "_headers";

/// Those files.
pub(super) const FILES: &[&str] = &[REDIRECTS, HEADERS];

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Hosting {
    /// Paths that lead to others, or to other sites.
    pub(super) redirects: BTreeMap<String, String>,
    /// All paths without a file are the same page.
    pub(super) is_app: bool,
    headers: Option<Headers>,
}

impl Hosting {
    /// Takes the files out of `sources`, and says what of them isn't followed.
    pub(super) fn read(folder: &Path, sources: &mut Vec<Source>, warnings: &mut Vec<String>) -> Self {
        let mut hosting = Self::default();
        let is_there = |name: &str, sources: &[Source]| sources.iter().any(|source| &*source.key == name);
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let mut tell = |name: &str, unsupported: &[Unsupported]| {
            let lines: Vec<String> = unsupported.iter().map(ToString::to_string).collect();
            if !lines.is_empty() {
                let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                warnings.push(format!("not followed of site/{name}: {}", names::list(&lines)));
            }
        };
        if is_there(REDIRECTS, sources) {
            sources.retain(|source| &*source.key != REDIRECTS);
            let has = |path: &str| is_there(path.trim_start_matches('/'), sources);
            let found = hosting_rules::redirects(&text(REDIRECTS), has);
            tell(REDIRECTS, &found.unsupported);
            hosting.is_app = found.app.is_some();
            let rules = found.rules.into_iter();
            hosting.redirects = rules.map(|rule| (rule.from, rule.to)).collect();
        }
        if is_there(HEADERS, sources) {
            sources.retain(|source| &*source.key != HEADERS);
            let found = hosting_rules::headers(&text(HEADERS));
            tell(HEADERS, &found.unsupported);
            hosting.headers = Some(found);
        }
        hosting
    }

    pub(super) fn has_headers(&self) -> bool {
        self.headers.is_some()
    }

    /// The headers of what is served at this path.
    pub(super) fn headers_at(&self, path: &str) -> Vec<(Header, String)> {
        let found = self.headers.iter().flat_map(|headers| headers.at(path));
        let known = found.filter_map(|(name, value)| {
            let header = Header::ALL
                .into_iter()
                .find(|header| header.name().eq_ignore_ascii_case(name))?;
            Some((header, value.to_owned()))
        });
        known.collect()
    }
}
