//! What `stages.yaml` says of the site.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::{Entry, Reader, Written};
use crate::error::Result;
use crate::project::did_you_mean;
use crate::project::yaml::{Kind, Node};
use crate::site::settings::{Directive, Header, HeaderRule, MaxDelete, Patterns, Settings, Urls};

/// What a section may say of it, beside the directives of the policy.
pub(super) const SETTINGS: &[&str] = &[
    "asIs",
    "fingerprints",
    "hashes",
    "headers",
    "immutable",
    "keepFor",
    "maxDelete",
    "redirects",
    "siteConfigFile",
    "urls",
];

/// What a stage, or `defaults`, says of the site. Absent means: the next level decides.
#[derive(Debug, Default)]
pub(super) struct SiteSection {
    urls: Option<Urls>,
    redirects: Option<BTreeMap<String, Written>>,
    fingerprints: Option<bool>,
    hashes: Option<bool>,
    immutable: Option<Patterns>,
    as_is: Option<Patterns>,
    headers: Option<Vec<HeaderRule>>,
    keep_for: Option<Duration>,
    max_delete: Option<MaxDelete>,
    config_file: Option<String>,
    allowed: BTreeMap<Directive, Vec<Written>>,
}

impl SiteSection {
    /// Takes an entry; whether it is one of these.
    pub(super) fn take(&mut self, reader: &Reader<'_>, entry: &Entry<'_>) -> Result<bool> {
        match entry.name {
            "asIs" => self.as_is = reader.patterns(entry)?,
            "fingerprints" => self.fingerprints = reader.flag(entry)?,
            "hashes" => self.hashes = reader.flag(entry)?,
            "headers" => self.headers = reader.headers(entry.value)?,
            "immutable" => self.immutable = reader.patterns(entry)?,
            "keepFor" => self.keep_for = reader.keep_for(entry)?,
            "maxDelete" => self.max_delete = reader.max_delete(entry)?,
            "redirects" => self.redirects = reader.redirects(entry.value)?,
            "siteConfigFile" => self.config_file = reader.config_file(entry)?,
            "urls" => self.urls = reader.urls(entry)?,
            name => {
                let directive = Directive::ALL.into_iter().find(|one| one.setting() == name);
                let Some(directive) = directive else {
                    return Ok(false);
                };
                self.allowed.insert(directive, reader.sources(entry)?);
            }
        }
        Ok(true)
    }

    /// The stage's own before the defaults; `expand` puts in what placeholders stand for.
    pub(super) fn settings(
        own: &Self,
        defaults: &Self,
        expand: impl Fn(&str, &Written) -> Result<String>,
    ) -> Result<Settings> {
        fn first<T: Clone>(own: Option<&T>, default: Option<&T>, otherwise: T) -> T {
            own.or(default).cloned().unwrap_or(otherwise)
        }
        let built_in = Settings::default();
        let mut redirects = BTreeMap::new();
        for (from, to) in [defaults, own].into_iter().flat_map(|one| &one.redirects).flatten() {
            redirects.insert(from.clone(), expand("redirects", to)?);
        }
        let mut allowed = BTreeMap::new();
        let directives: BTreeSet<&Directive> = defaults.allowed.keys().chain(own.allowed.keys()).collect();
        for directive in directives {
            let written = own.allowed.get(directive).or_else(|| defaults.allowed.get(directive));
            let sources = written.into_iter().flatten();
            let sources = sources.map(|source| expand(directive.setting(), source));
            allowed.insert(*directive, sources.collect::<Result<Vec<_>>>()?);
        }
        Ok(Settings {
            urls: first(own.urls.as_ref(), defaults.urls.as_ref(), built_in.urls),
            redirects,
            fingerprints: first(
                own.fingerprints.as_ref(),
                defaults.fingerprints.as_ref(),
                built_in.fingerprints,
            ),
            hashes: first(own.hashes.as_ref(), defaults.hashes.as_ref(), built_in.hashes),
            immutable: first(own.immutable.as_ref(), defaults.immutable.as_ref(), built_in.immutable),
            as_is: first(own.as_is.as_ref(), defaults.as_is.as_ref(), built_in.as_is),
            headers: first(own.headers.as_ref(), defaults.headers.as_ref(), built_in.headers),
            keep_for: first(own.keep_for.as_ref(), defaults.keep_for.as_ref(), built_in.keep_for),
            max_delete: own.max_delete.or(defaults.max_delete),
            allowed,
            config_file: first(
                own.config_file.as_ref(),
                defaults.config_file.as_ref(),
                built_in.config_file,
            ),
        })
    }
}

impl Reader<'_> {
    fn urls(&self, entry: &Entry<'_>) -> Result<Option<Urls>> {
        let Some(written) = self.text(entry)? else {
            return Ok(None);
        };
        if let Some(urls) = Urls::ALL.into_iter().find(|urls| urls.as_str() == written) {
            return Ok(Some(urls));
        }
        let what = format!("`urls` is auto, folders, html, plain or app, and not `{written}`");
        let error = self.refuse(entry.value.span, &what);
        Err(match did_you_mean(&written, &Urls::ALL.map(Urls::as_str)) {
            Some(near) => error.hint(format!("Did you mean `{near}`?")),
            None => error.hint("`auto` looks at the site, and `up` says what it found."),
        })
    }

    /// One text, or a list of them, each with its node.
    fn list<'n>(&self, entry: &Entry<'n>) -> Result<Vec<(&'n Node, String)>> {
        let nodes = match &entry.value.kind {
            _ if entry.value.is_null() => Vec::new(),
            Kind::List(items) => items.iter().collect(),
            _ => vec![entry.value],
        };
        nodes
            .into_iter()
            .map(|node| match node.text() {
                Some(text) if !node.is_null() => Ok((node, text.to_owned())),
                _ => Err(self
                    .refuse(node.span, &format!("`{}` is a text, or a list of texts", entry.name))
                    .hint(format!("Write `{}: [one, another]`.", entry.name))),
            })
            .collect()
    }

    fn patterns(&self, entry: &Entry<'_>) -> Result<Option<Patterns>> {
        if entry.value.is_null() {
            return Ok(None);
        }
        let lines = self.list(entry)?;
        self.compiled(entry.value, lines.into_iter().map(|(_, line)| line).collect())
            .map(Some)
    }

    fn compiled(&self, at: &Node, lines: Vec<String>) -> Result<Patterns> {
        Patterns::new(lines).map_err(|(line, why)| {
            self.refuse(at.span, &format!("`{line}` is no pattern: {why}"))
                .hint("Patterns have the syntax of a .gitignore file, as `assets/**` or `*.br`.")
        })
    }

    fn headers(&self, node: &Node) -> Result<Option<Vec<HeaderRule>>> {
        if node.is_null() {
            return Ok(None);
        }
        let rules = self.entries(node)?.into_iter().map(|entry| {
            let headers = self.entries(entry.value)?.into_iter().map(|header| {
                let known = Header::ALL
                    .into_iter()
                    .find(|known| known.name().eq_ignore_ascii_case(header.name));
                let Some(known) = known else {
                    let names = Header::ALL.map(Header::name);
                    let what = format!(
                        "S3 serves no `{}` with a file; it serves {}",
                        header.name,
                        names.join(", ")
                    );
                    return Err(self
                        .refuse(header.key.span, &what)
                        .hint("Headers for the whole site stand in the template's response headers policy."));
                };
                let value = self.text(&header)?.unwrap_or_default();
                if value.is_empty() || value.chars().any(|c| !matches!(c, ' '..='~')) {
                    let what = format!("`{}` has no value that a header can have", header.name);
                    return Err(self
                        .refuse(header.value.span, &what)
                        .hint("Write ASCII text without line breaks."));
                }
                Ok((known, value))
            });
            Ok(HeaderRule {
                headers: headers.collect::<Result<_>>()?,
                files: self.compiled(entry.value, vec![entry.name.to_owned()])?,
            })
        });
        rules.collect::<Result<_>>().map(Some)
    }

    fn keep_for(&self, entry: &Entry<'_>) -> Result<Option<Duration>> {
        let Some(written) = self.text(entry)? else {
            return Ok(None);
        };
        let unit = |unit: char| match unit {
            'h' => Some(60 * 60),
            'd' => Some(24 * 60 * 60),
            'w' => Some(7 * 24 * 60 * 60),
            _ => None,
        };
        let seconds = written.char_indices().next_back().and_then(|(end, last)| {
            let number: u32 = written[..end].parse().ok()?;
            u64::from(number).checked_mul(unit(last)?)
        });
        // The clock of what is published counts from 1970.
        match seconds.filter(|seconds| *seconds <= 100 * 366 * 24 * 60 * 60) {
            Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
            None => Err(self
                .refuse(entry.value.span, &format!("`keepFor` is a time, and not `{written}`"))
                .hint("Write hours, days or weeks, as in `keepFor: 30d`.")),
        }
    }

    fn max_delete(&self, entry: &Entry<'_>) -> Result<Option<MaxDelete>> {
        let Some(written) = self.text(entry)? else {
            return Ok(None);
        };
        let limit = match written.strip_suffix('%') {
            Some(percent) => percent
                .parse()
                .ok()
                .filter(|percent| *percent <= 100)
                .map(MaxDelete::Percent),
            None => written.parse().ok().map(MaxDelete::Files),
        };
        limit.map(Some).ok_or_else(|| {
            let what = format!("`maxDelete` is a number of files or a percentage, and not `{written}`");
            self.refuse(entry.value.span, &what)
                .hint("Write `maxDelete: 500` or `maxDelete: 80%`.")
        })
    }

    fn redirects(&self, node: &Node) -> Result<Option<BTreeMap<String, Written>>> {
        if node.is_null() {
            return Ok(None);
        }
        let redirects = self.entries(node)?.into_iter().map(|entry| {
            let is_path = entry.name.starts_with('/') && !entry.name.starts_with("//");
            if !is_path || entry.name.contains(['?', '#', '*']) || entry.name.contains(char::is_whitespace) {
                return Err(self
                    .refuse(entry.key.span, &format!("`{}` is no path of this site", entry.name))
                    .hint(
                        "Write where it leads from and to, as in `redirects: { /old: /new }`; each path by itself.",
                    ));
            }
            let Some(written) = self.setting(&entry)? else {
                return Err(self.refuse(entry.key.span, &format!("`{}` leads nowhere", entry.name)));
            };
            let to = &written.text;
            let is_target = (to.starts_with('/') && !to.starts_with("//"))
                || to.starts_with("https://")
                || to.starts_with("http://")
                || to.starts_with("${");
            if !is_target || to.chars().any(|c| c.is_whitespace() || c.is_control()) {
                return Err(self
                    .refuse(entry.value.span, &format!("`{to}` is neither a path nor an address"))
                    .hint("Write a path of this site, as `/new`, or an address, as `https://example.com/new`."));
            }
            Ok((entry.name.to_owned(), written))
        });
        redirects.collect::<Result<_>>().map(Some)
    }

    fn config_file(&self, entry: &Entry<'_>) -> Result<Option<String>> {
        let Some(name) = self.text(entry)? else {
            return Ok(None);
        };
        let is_key = !name.is_empty()
            && !name.starts_with('/')
            && name.ends_with(".json")
            && name
                .split('/')
                .all(|part| !part.is_empty() && part != "." && part != "..")
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
        if is_key {
            Ok(Some(name))
        } else {
            Err(self
                .refuse(
                    entry.value.span,
                    &format!("`{name}` is no name of a JSON file of the site"),
                )
                .hint("Write its path in the site, as in `siteConfigFile: deployed.json`."))
        }
    }

    /// Sources as a policy has them: hosts, schemes, keywords.
    fn sources(&self, entry: &Entry<'_>) -> Result<Vec<Written>> {
        let sources = self.list(entry)?.into_iter().map(|(node, text)| {
            self.check_placeholders(&text, node.span)?;
            let bad = |c: char| !c.is_ascii_graphic() || matches!(c, ';' | ',' | '"' | '<' | '>');
            if text.is_empty() || text.contains(bad) {
                return Err(self
                    .refuse(node.span, &format!("`{text}` is no source that a policy can have"))
                    .hint("Write a host, as `https://cdn.example.com`, or a scheme, as `data:`."));
            }
            Ok(Written {
                text,
                at: super::Spot {
                    key: entry.key.span,
                    value: node.span,
                },
            })
        });
        sources.collect()
    }
}

/// Where the site's files are, and what makes them: `site:` of the project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SiteSource {
    /// A program with its arguments that makes the files; no shell reads it.
    pub build: Option<Vec<String>>,
    /// The folder with the files; relative to that in which the build runs.
    pub dir: Option<PathBuf>,
    /// The folder in which the build runs, relative to the project's, if it says.
    pub from: Option<PathBuf>,
}

/// What `site:` may say.
const SOURCE: &[&str] = &["build", "dir", "in"];

impl Reader<'_> {
    pub(super) fn site_source(&self, entry: &Entry<'_>) -> Result<SiteSource> {
        let mut source = SiteSource::default();
        for entry in self.entries(entry.value)? {
            match entry.name {
                "build" => source.build = self.command(&entry)?,
                "dir" => source.dir = self.folder(&entry)?,
                "in" => source.from = self.folder(&entry)?,
                name => {
                    let error = self.unknown(name, entry.key.span, SOURCE);
                    return Err(error.hint("`site:` says what makes the files and where they are: `site: { build: npm run build, dir: dist }`."));
                }
            }
        }
        Ok(source)
    }

    /// A folder below the project's.
    fn folder(&self, entry: &Entry<'_>) -> Result<Option<PathBuf>> {
        let Some(written) = self.text(entry)? else {
            return Ok(None);
        };
        let path = Path::new(&written);
        let stays = path
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if stays && !written.is_empty() {
            return Ok(Some(path.to_owned()));
        }
        Err(self
            .refuse(entry.value.span, &format!("`{written}` is no folder of this project"))
            .hint("Write a path below the project's folder, as in `dir: dist`."))
    }

    /// A command, as a list of its words or as one text.
    fn command(&self, entry: &Entry<'_>) -> Result<Option<Vec<String>>> {
        if entry.value.is_null() {
            return Ok(None);
        }
        let words = match (&entry.value.kind, self.list(entry)?.as_slice()) {
            (Kind::List(_), words) => words.iter().map(|(_, word)| word.clone()).collect(),
            (_, [(node, text)]) => {
                // What only a shell understands would be an argument here, and do something else.
                if text.contains([
                    '"', '\'', '\\', '|', '&', ';', '<', '>', '$', '`', '*', '?', '(', ')', '~', '#',
                ]) {
                    return Err(self
                        .refuse(node.span, "no shell reads `build`, and this is for one")
                        .hint(
                            "Write its words as a list, as in `build: [npm, run, build]`, or put it into a script and name that.",
                        ));
                }
                text.split_ascii_whitespace().map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        if words.is_empty() {
            return Err(self
                .refuse(entry.value.span, "`build` names no program")
                .hint("Write it with its arguments, as in `build: npm run build`."));
        }
        Ok(Some(words))
    }
}
