//! What a file needs of the policy, as a few flags and hosts: small enough to be remembered for each.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::site::settings::Directive;

/// What the strict policy refuses and a file may need: fixed steps, so that an edit of a page seldom changes a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Need {
    /// Scripts that stand in a page.
    InlineScripts,
    /// Attributes such as `onclick`.
    Handlers,
    /// Those in markup that scripts make.
    ScriptedHandlers,
    /// `javascript:` addresses that do something.
    ScriptUrls,
    /// Texts that scripts run as code.
    Eval,
    /// WebAssembly.
    Wasm,
    /// Styles that stand in a page.
    InlineStyles,
    /// `style` attributes.
    StyleAttributes,
    /// Styles that scripts make by markup or as elements.
    ScriptedStyles,
    /// Images written as `data:`.
    DataImages,
    /// Images that scripts make.
    BlobImages,
    /// Fonts written as `data:`.
    DataFonts,
    /// The site's own films, sounds and manifest.
    Media,
    /// Films and sounds written as `data:`.
    DataMedia,
    /// Films and sounds that scripts put together.
    BlobMedia,
    /// Workers that scripts make.
    BlobWorkers,
    /// The site's own pages in frames.
    Frames,
    /// Frames that scripts make; with one page there is nothing of the site's own to put into them.
    ScriptedFrames,
    /// The site's own files as objects.
    Objects,
    /// Scripts that fetch `data:`.
    DataCalls,
    /// Scripts that fetch what scripts made.
    BlobCalls,
    /// Forms that browsers send to the site itself.
    Forms,
    /// Another base for a page's references.
    Base,
}

impl Need {
    /// What it is called.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::InlineScripts => "inline scripts",
            Self::Handlers => "inline event handlers",
            Self::ScriptedHandlers => "event handlers that scripts write",
            Self::ScriptUrls => "javascript: addresses",
            Self::Eval => "eval",
            Self::Wasm => "WebAssembly",
            Self::InlineStyles => "inline styles",
            Self::StyleAttributes => "style attributes",
            Self::ScriptedStyles => "styles that scripts make",
            Self::DataImages => "data: images",
            Self::BlobImages => "blob: images",
            Self::DataFonts => "data: fonts",
            Self::Media => "media, manifest and workers of its own",
            Self::DataMedia => "data: media",
            Self::BlobMedia => "blob: media",
            Self::BlobWorkers => "blob: workers",
            Self::Frames | Self::ScriptedFrames => "frames with its own pages",
            Self::Objects => "objects of its own",
            Self::DataCalls => "data: in calls",
            Self::BlobCalls => "blob: in calls",
            Self::Forms => "forms sent to itself",
            Self::Base => "a base address",
        }
    }

    /// What it adds to the policy: directives, each with a source.
    pub(crate) fn adds(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::InlineScripts | Self::Handlers | Self::ScriptedHandlers | Self::ScriptUrls => {
                &[("script-src", "'unsafe-inline'")]
            }
            Self::Eval => &[("script-src", "'unsafe-eval'")],
            Self::Wasm => &[("script-src", "'wasm-unsafe-eval'")],
            Self::InlineStyles | Self::StyleAttributes | Self::ScriptedStyles => &[("style-src", "'unsafe-inline'")],
            Self::DataImages => &[("img-src", "data:")],
            Self::BlobImages => &[("img-src", "blob:")],
            Self::DataFonts => &[("font-src", "data:")],
            Self::Media => OWN,
            Self::DataMedia => &[("media-src", "'self'"), ("media-src", "data:")],
            Self::BlobMedia => &[("media-src", "'self'"), ("media-src", "blob:")],
            Self::BlobWorkers => &[("worker-src", "'self'"), ("worker-src", "blob:")],
            Self::Frames | Self::ScriptedFrames => &[("frame-src", "'self'"), ("frame-ancestors", "'self'")],
            // What is in an object may be a page, which is then in a frame.
            Self::Objects => &[
                ("object-src", "'self'"),
                ("frame-src", "'self'"),
                ("frame-ancestors", "'self'"),
            ],
            Self::DataCalls => &[("connect-src", "data:")],
            Self::BlobCalls => &[("connect-src", "blob:")],
            Self::Forms => &[("form-action", "'self'")],
            Self::Base => &[("base-uri", "'self'")],
        }
    }
}

/// What costs nothing: the site's own files. They go together, so that the second of them changes nothing more.
const OWN: &[(&str, &str)] = &[
    ("media-src", "'self'"),
    ("manifest-src", "'self'"),
    ("worker-src", "'self'"),
];

/// Another host that something is loaded from, or called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Host {
    /// What for.
    pub(crate) directive: Directive,
    /// Its scheme, name and port.
    pub(crate) origin: String,
    /// Where it stands first, counted from 1.
    pub(crate) line: usize,
}

/// What one file needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Needs {
    /// What the strict policy lacks, each with the line where it stands first, counted from 1.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) needs: BTreeMap<Need, usize>,
    /// Other hosts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) hosts: Vec<Host>,
    /// Hashes of the scripts that stand in it, as policies have them, if they were asked for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) scripts: BTreeSet<String>,
    /// Those of its attributes such as `onclick`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) handlers: BTreeSet<String>,
    /// Those of its styles.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) styles: BTreeSet<String>,
    /// Those of its `style` attributes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) attributes: BTreeSet<String>,
}

impl Needs {
    /// Adds a need that is seen in a line.
    pub(super) fn add(&mut self, need: Need, line: impl FnOnce() -> usize) {
        self.needs.entry(need).or_insert_with(line);
    }

    /// Adds a host that is seen in a line.
    pub(super) fn add_host(&mut self, directive: Directive, origin: String, line: impl FnOnce() -> usize) {
        let is_it = |host: &Host| host.directive == directive && host.origin == origin;
        if !self.hosts.iter().any(is_it) {
            let line = line();
            self.hosts.push(Host {
                directive,
                origin,
                line,
            });
        }
    }

    /// Adds what a part needs; `line` says where in the whole a line of the part is.
    pub(super) fn add_part(&mut self, part: Self, line: impl Fn(usize) -> usize) {
        for (need, at) in part.needs {
            self.add(need, || line(at));
        }
        for host in part.hosts {
            self.add_host(host.directive, host.origin, || line(host.line));
        }
        self.scripts.extend(part.scripts);
        self.handlers.extend(part.handlers);
        self.styles.extend(part.styles);
        self.attributes.extend(part.attributes);
    }
}

/// The hash of an inline script or style, as policies have it.
pub(super) fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

/// The number of the line that a place in a text is in, counted from 1.
pub(super) fn line_of(text: &str, place: usize) -> usize {
    1 + text
        .as_bytes()
        .iter()
        .take(place)
        .filter(|byte| **byte == b'\n')
        .count()
}

/// The host of a reference, with its scheme and port; none if it is the site's own, or can't be told.
pub(super) fn host_of(reference: &str) -> Option<String> {
    let reference = reference.trim();
    let (scheme, rest) = match reference.strip_prefix("//") {
        Some(rest) => ("https", rest),
        None => reference.split_once("://")?,
    };
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(scheme.as_str(), "http" | "https" | "ws" | "wss") {
        return None;
    }
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    // What a template or a script will put something into is no host.
    let is_host = host.contains(|c: char| c.is_ascii_alphanumeric())
        && host.chars().all(|c| c.is_ascii_alphanumeric() || "-.:[]_".contains(c));
    is_host.then(|| format!("{scheme}://{}", host.to_ascii_lowercase()))
}

/// The scheme of a reference, if it has one that isn't a host's.
pub(super) fn is_of_scheme(reference: &str, scheme: &str) -> bool {
    let reference = reference.trim_start_matches(|c: char| c <= ' ').as_bytes();
    reference
        .get(..scheme.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
}
