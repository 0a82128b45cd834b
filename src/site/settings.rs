//! How a site is to be published, as its stage says it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::{Deserialize, Serialize};

use super::object::CONFIG;

/// How addresses lead to pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Urls {
    /// As the folder's files and its pages' links have it.
    #[default]
    Auto,
    /// `/x/` is `x/index.html`, and `/x` leads there.
    Folders,
    /// `/x` is `x.html`, and folders have their `index.html` as well.
    Html,
    /// Each file at its own path alone, and `/`.
    Plain,
    /// What isn't there and has no extension is `index.html`: a script draws it.
    App,
}

impl Urls {
    /// All there are.
    pub(crate) const ALL: [Self; 5] = [Self::Auto, Self::Folders, Self::Html, Self::Plain, Self::App];

    /// As it is written.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Folders => "folders",
            Self::Html => "html",
            Self::Plain => "plain",
            Self::App => "app",
        }
    }
}

/// Files by patterns with the syntax of a `.gitignore`.
#[derive(Clone)]
pub(crate) struct Patterns {
    lines: Vec<String>,
    matcher: Gitignore,
}

impl Default for Patterns {
    fn default() -> Self {
        Self {
            lines: Vec::new(),
            matcher: Gitignore::empty(),
        }
    }
}

/// The lines say all of it.
impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.fmt(f)
    }
}

impl PartialEq for Patterns {
    fn eq(&self, other: &Self) -> bool {
        self.lines == other.lines
    }
}

impl Patterns {
    /// Those that these lines have.
    ///
    /// # Errors
    /// A line that is no pattern, and why.
    pub(crate) fn new(lines: Vec<String>) -> Result<Self, (String, String)> {
        let mut builder = GitignoreBuilder::new("");
        let wrong = |line: &str, error: &ignore::Error| Err((line.to_owned(), error.to_string()));
        for line in &lines {
            if let Err(error) = builder.add_line(None, line) {
                return wrong(line, &error);
            }
        }
        match builder.build() {
            Ok(matcher) => Ok(Self { lines, matcher }),
            Err(error) => wrong(&lines.join(", "), &error),
        }
    }

    /// Whether the file with this key, or a folder that it is in, is among them.
    pub(crate) fn have(&self, key: &str) -> bool {
        !self.lines.is_empty()
            && self
                .matcher
                .matched_path_or_any_parents(Path::new(key), false)
                .is_ignore()
    }
}

/// A header that S3 keeps with an object and serves with it: others it only keeps.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Header {
    /// `Cache-Control`.
    CacheControl,
    /// `Content-Disposition`.
    ContentDisposition,
    /// `Content-Encoding`.
    ContentEncoding,
    /// `Content-Language`.
    ContentLanguage,
    /// `Content-Type`.
    ContentType,
}

impl Header {
    /// All there are.
    pub(crate) const ALL: [Self; 5] = [
        Self::CacheControl,
        Self::ContentDisposition,
        Self::ContentEncoding,
        Self::ContentLanguage,
        Self::ContentType,
    ];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CacheControl => "Cache-Control",
            Self::ContentDisposition => "Content-Disposition",
            Self::ContentEncoding => "Content-Encoding",
            Self::ContentLanguage => "Content-Language",
            Self::ContentType => "Content-Type",
        }
    }
}

/// Headers for files; of several rules for one file each header's last counts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HeaderRule {
    /// The files.
    pub(crate) files: Patterns,
    /// Their headers.
    pub(crate) headers: BTreeMap<Header, String>,
}

/// How many objects may go in one publication without a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MaxDelete {
    /// So many.
    Files(usize),
    /// So many of a hundred that are there.
    Percent(u8),
}

/// What kind of thing a page loads or calls: a directive of the Content-Security-Policy, by its short name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Directive {
    /// `connect-src`: what scripts call.
    Connect,
    /// `font-src`.
    Font,
    /// `form-action`: where forms are sent.
    Form,
    /// `frame-src`: pages in frames.
    Frame,
    /// `frame-ancestors`: who may have these pages in frames.
    FramedBy,
    /// `img-src`.
    Img,
    /// `manifest-src`.
    Manifest,
    /// `media-src`: sound and films.
    Media,
    /// `object-src`.
    Object,
    /// `script-src`.
    Script,
    /// `style-src`.
    Style,
    /// `worker-src`.
    Worker,
}

impl Directive {
    /// All there are.
    pub(crate) const ALL: [Self; 12] = [
        Self::Connect,
        Self::Font,
        Self::Form,
        Self::Frame,
        Self::FramedBy,
        Self::Img,
        Self::Manifest,
        Self::Media,
        Self::Object,
        Self::Script,
        Self::Style,
        Self::Worker,
    ];

    /// As a stage's setting is called.
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Font => "font",
            Self::Form => "form",
            Self::Frame => "frame",
            Self::FramedBy => "framedBy",
            Self::Img => "img",
            Self::Manifest => "manifest",
            Self::Media => "media",
            Self::Object => "object",
            Self::Script => "script",
            Self::Style => "style",
            Self::Worker => "worker",
        }
    }

    /// As the policy calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect-src",
            Self::Font => "font-src",
            Self::Form => "form-action",
            Self::Frame => "frame-src",
            Self::FramedBy => "frame-ancestors",
            Self::Img => "img-src",
            Self::Manifest => "manifest-src",
            Self::Media => "media-src",
            Self::Object => "object-src",
            Self::Script => "script-src",
            Self::Style => "style-src",
            Self::Worker => "worker-src",
        }
    }
}

/// How long what an earlier page may still load stays, at least; and so do three publications.
pub(crate) const KEEP_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// How addresses lead to pages.
    pub(crate) urls: Urls,
    /// Paths that lead to others, or to other sites.
    pub(crate) redirects: BTreeMap<String, String>,
    /// What pages refer to is published under names with a hash of the content, too.
    pub(crate) fingerprints: bool,
    /// Files whose content never changes under their names, whatever these look like.
    pub(crate) immutable: Patterns,
    /// Files that are published with their own bytes, under their own names alone.
    pub(crate) as_is: Patterns,
    /// Headers that some files have.
    pub(crate) headers: Vec<HeaderRule>,
    /// How long what an earlier page may still load stays.
    pub(crate) keep_for: Duration,
    /// How much may go without a question; none: half of the site, or 256 files.
    pub(crate) max_delete: Option<MaxDelete>,
    /// What the policy allows beside what is the site's own.
    pub(crate) allowed: BTreeMap<Directive, Vec<String>>,
    /// Inline scripts and styles are allowed one by one, by hash.
    pub(crate) hashes: bool,
    /// What the object is called that tells pages what is deployed.
    pub(crate) config_file: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            urls: Urls::default(),
            redirects: BTreeMap::new(),
            fingerprints: true,
            immutable: Patterns::default(),
            as_is: Patterns::default(),
            headers: Vec::new(),
            keep_for: KEEP_FOR,
            max_delete: None,
            allowed: BTreeMap::new(),
            hashes: false,
            config_file: CONFIG.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_git() {
        let patterns = |lines: &[&str]| Patterns::new(lines.iter().map(|line| (*line).to_owned()).collect());
        let some = patterns(&["assets/**", "*.br", "/only.js", "!assets/not.js"]).expect("patterns");
        for (key, expected) in [
            ("assets/a.js", true),
            ("assets/b/a.js", true),
            ("x/assets/a.js", false),
            ("x/y.js.br", true),
            ("only.js", true),
            ("x/only.js", false),
            ("assets/not.js", false),
        ] {
            assert_eq!(some.have(key), expected, "{key}");
        }
        assert!(!Patterns::default().have("a"));
        assert!(patterns(&["[z-a]"]).is_err());
    }
}
