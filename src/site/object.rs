//! What is published: objects with all that S3, CloudFront and visitors have to know of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::file_stat::FileStat;
use super::settings::Header;
use super::sum::Sum;

/// What the object is called that tells pages what is deployed, its API's address above all, unless the stage says otherwise.
pub(crate) const CONFIG: &str = "config.json";

/// Browsers and edges keep it and never ask again: the name changes with the content. `immutable` (RFC 8246) spares the
/// question at a reload, too; a year is the longest that RFC 2616 wanted, and what CloudFront's policy keeps at most.
pub(crate) const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Browsers ask each time whether their copy is the newest, and get a short "yes" when it is (RFC 9111, 5.2.2.4). Edges
/// ask after a second, the least that CloudFront's policy `CachingOptimized` allows.
pub(crate) const NO_CACHE: &str = "no-cache";

/// Browsers ask each time, and edges answer: these go by `s-maxage` (RFC 9111, 5.2.2.10; CloudFront's guide,
/// "Expiration") and forget a file when it changes, since publishing it invalidates its path. `must-revalidate` (5.2.2.2)
/// keeps a browser that can't ask from showing the old one.
pub(crate) const ASK_THE_EDGE: &str = "public, max-age=0, s-maxage=31536000, must-revalidate";

/// What an object is to the others; in this order they are published, so that nothing refers to what isn't there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ObjectKind {
    /// An asset under a name that has its content's hash.
    Asset,
    /// A file under its own name.
    Plain,
    /// A page under its own name.
    Page,
}

/// Where an object's bytes come from. Files aren't kept in memory: there may be many, and big ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// The file of this key, as it is.
    OnDisk(Arc<str>),
    /// The file of this key and this sum, with references that follow what they name; it is small enough to be held (see
    /// [`super::Site::body`]).
    Rewritten(Arc<str>, Box<Sum>),
    /// These bytes, which no file has.
    Made(Arc<[u8]>),
}

/// What an object is served with: what S3 keeps with it, as far as it serves that as headers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Headers {
    /// `Content-Type`.
    pub content_type: String,
    /// `Cache-Control`.
    pub cache_control: String,
    /// `Content-Encoding`, if it has one.
    pub content_encoding: Option<String>,
    /// `Content-Disposition`, if it has one.
    pub content_disposition: Option<String>,
    /// `Content-Language`, if it has one.
    pub content_language: Option<String>,
    /// Where it leads, a path or an address: `x-amz-website-redirect-location`, which CloudFront passes on. Edges that run
    /// the template's function make a redirect of it; elsewhere the object's own content leads there.
    pub redirect: Option<String>,
}

impl Headers {
    /// Those that every object has.
    pub(crate) fn new(content_type: impl Into<String>, cache_control: impl Into<String>) -> Self {
        Self {
            content_type: content_type.into(),
            cache_control: cache_control.into(),
            content_encoding: None,
            content_disposition: None,
            content_language: None,
            redirect: None,
        }
    }

    /// Gives one of them another value.
    pub(super) fn set(&mut self, header: Header, value: String) {
        match header {
            Header::CacheControl => self.cache_control = value,
            Header::ContentDisposition => self.content_disposition = Some(value),
            Header::ContentEncoding => self.content_encoding = Some(value),
            Header::ContentLanguage => self.content_language = Some(value),
            Header::ContentType => self.content_type = value,
        }
    }
}

/// One object as it will be served.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// Its key in the bucket, which is its path in the URL.
    pub key: Arc<str>,
    /// What it is to the others.
    pub kind: ObjectKind,
    /// Where its bytes come from.
    pub content: Content,
    /// How many bytes are published.
    pub size: u64,
    /// What they are, in short.
    pub sum: Sum,
    /// The CRC-32 of each part that it is sent in; none if it is sent whole.
    pub part_sums: Option<Arc<Vec<u32>>>,
    /// What it is served with.
    pub headers: Arc<Headers>,
    /// The file that it comes from, as it was when it was read; none for what was made.
    pub stat: Option<FileStat>,
}

impl Object {
    /// One with a text that no file has.
    pub(super) fn made(key: &str, kind: ObjectKind, text: &str, headers: Arc<Headers>) -> Self {
        Self {
            key: key.into(),
            kind,
            size: text.len() as u64,
            sum: Sum::of(text),
            part_sums: None,
            headers,
            stat: None,
            content: Content::Made(text.as_bytes().into()),
        }
    }

    /// The object of this key that tells pages what they are to know of what is deployed. They ask for it; nobody edits it.
    pub(crate) fn config(key: &str, values: &BTreeMap<String, String>) -> Self {
        let text = format!("{}\n", json!(values)).into_bytes();
        Self {
            key: key.into(),
            kind: ObjectKind::Plain,
            size: text.len() as u64,
            sum: Sum::of(&text),
            part_sums: None,
            headers: Headers::new("application/json; charset=utf-8", NO_CACHE).into(),
            stat: None,
            content: Content::Made(text.into()),
        }
    }
}
