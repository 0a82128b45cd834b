//! Publishing the site: `site/`'s files and the API's address, into the bucket that CloudFront serves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ObjectIdentifier;
use futures::stream::{self, StreamExt, TryStreamExt};
use ignore::WalkBuilder;
use md5::{Digest as _, Md5};
use serde::Serialize;
use serde_json::json;

use crate::bucket;
use crate::cloud::Cloud;
use crate::cloud::sdk_error::explain;
use crate::error::{Context, Error, Result};
use crate::ident::{fresh_token, hex};
use crate::report::Reporter;

/// The object that tells the page its API's address. The page asks for it; nobody edits it.
pub const CONFIG: &str = "config.json";

/// How many files are sent at once.
const UPLOADS_AT_ONCE: usize = 16;

/// Above this many paths, one wildcard is cheaper and the limits are far: CloudFront bills each path but counts `/*` as
/// one, and takes 3,000 at a time.
const MOST_PATHS: usize = 500;

/// What publishing did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// Files that the bucket didn't have.
    pub new: usize,
    /// Files that it had with other content.
    pub changed: usize,
    /// Files that it had.
    pub unchanged: usize,
    /// Objects that the site no longer has.
    pub removed: usize,
    /// Paths that CloudFront was told to forget.
    pub invalidated: usize,
}

impl Published {
    /// Whether anything was written.
    pub fn did_something(&self) -> bool {
        self.new + self.changed + self.removed > 0
    }

    /// "2 new, 1 changed, 3 unchanged".
    pub fn describe(&self) -> String {
        let parts: Vec<String> = [
            (self.new, "new"),
            (self.changed, "changed"),
            (self.unchanged, "unchanged"),
            (self.removed, "removed"),
            (self.invalidated, "paths invalidated"),
        ]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        format!("files: {}", parts.join(", "))
    }
}

/// One file as it will be served.
#[derive(Debug, Clone)]
struct File {
    /// Its key in the bucket, which is its path in the URL.
    key: String,
    content: Content,
    size: u64,
    /// MD5 in hexadecimal: S3's ETag of an object sent in one piece and encrypted by S3 itself, as ours are.
    etag: String,
    content_type: String,
}

/// A file as visitors should get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Its key in the bucket.
    pub key: String,
    /// Its URL's path, escaped.
    pub path: String,
    /// How many bytes it has.
    pub size: u64,
    /// Its content's MD5, in hexadecimal.
    pub md5: String,
    /// Its `Content-Type`.
    pub content_type: String,
}

#[derive(Debug, Clone)]
enum Content {
    OnDisk(PathBuf),
    Made(Vec<u8>),
}

/// The site's folder as it was read.
#[derive(Debug, Clone, Default)]
pub struct Site {
    files: Vec<File>,
}

impl Site {
    /// What visitors should get, beside the object with the API's address.
    pub fn served(&self) -> Vec<Served> {
        let served = |path: String, file: &File| Served {
            key: file.key.clone(),
            path,
            size: file.size,
            md5: file.etag.clone(),
            content_type: file.content_type.clone(),
        };
        let root = self.files.iter().find(|file| file.key == "index.html");
        let root = root.map(|file| served("/".to_owned(), file));
        let files = self.files.iter().map(|file| served(url_path(&file.key), file));
        root.into_iter().chain(files).collect()
    }
}

/// What has to be done, decided without a call.
#[derive(Debug)]
struct Work {
    /// In this order: what pages need, then the pages, then the API's address.
    upload: Vec<File>,
    remove: Vec<String>,
    outcome: Published,
    /// URL paths whose content changes.
    paths: Vec<String>,
}

/// Makes the bucket hold the site and `config.json` with the API's address, and CloudFront forget what changed.
///
/// Nothing is removed before everything else has succeeded, so an interrupted run leaves a whole site.
///
/// # Errors
/// A file can't be read any more, or a call fails.
pub async fn publish(
    cloud: &Cloud,
    site: &Site,
    bucket_name: &str,
    distribution: &str,
    api_url: &str,
    reporter: &Reporter,
) -> Result<Published> {
    let mut files = site.files.clone();
    files.push(config(api_url));
    let there = list(cloud, bucket_name).await?;
    let mut work = plan(files, &there);
    let total = work.upload.len();
    // Two waves: a page is sent when all that it may refer to is there.
    let pages = work
        .upload
        .split_off(work.upload.partition_point(|file| !is_page(file)));
    for wave in [work.upload, pages] {
        stream::iter(wave)
            .map(|file| upload(cloud, bucket_name, file))
            .buffer_unordered(UPLOADS_AT_ONCE)
            .try_for_each(async |key| {
                reporter.working("site", format!("{key} ({total} to send)"));
                Ok(())
            })
            .await?;
    }
    for chunk in work.remove.chunks(1000) {
        let objects = chunk
            .iter()
            .filter_map(|key| ObjectIdentifier::builder().key(key).build().ok())
            .collect();
        bucket::delete(cloud, bucket_name, objects).await?;
    }
    if !work.paths.is_empty() {
        invalidate(cloud, distribution, &work.paths).await?;
        work.outcome.invalidated = work.paths.len();
    }
    Ok(work.outcome)
}

fn is_page(file: &File) -> bool {
    file.key == CONFIG || file.content_type.starts_with("text/html")
}

/// Reads the folder: regular files, hidden ones left out, links not followed.
///
/// # Errors
/// It holds no site, or something that can't be published.
pub fn read(folder: &Path) -> Result<Site> {
    let index = folder.join("index.html");
    if !index.is_file() {
        return Err(Error::usage(format!("there is no {}", index.display()))
            .hint("The site's files belong into the project's site/ folder, with an index.html."));
    }
    let mut files = Vec::new();
    for entry in WalkBuilder::new(folder).standard_filters(false).hidden(true).build() {
        let entry = entry.or_fail(|| format!("could not read {}", folder.display()))?;
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let path = entry.path();
        let key = path
            .strip_prefix(folder)
            .ok()
            .and_then(Path::to_str)
            .ok_or_else(|| {
                Error::usage(format!("the name of {} isn't UTF-8", path.display())).hint("Rename the file.")
            })?
            .replace(std::path::MAIN_SEPARATOR, "/");
        if key == CONFIG {
            return Err(Error::usage(format!("{} is in the way", path.display())).hint(
                "The deployer publishes an object of this name with the API's address. Rename or remove the file.",
            ));
        }
        let content = std::fs::read(path).map_err(|error| {
            Error::usage(format!("could not read {}", path.display()))
                .because(error)
                .hint("Correct its permissions, or remove it.")
        })?;
        files.push(File {
            size: content.len() as u64,
            etag: hex(&Md5::digest(&content)),
            content_type: content_type(path),
            content: Content::OnDisk(path.to_owned()),
            key,
        });
    }
    Ok(Site { files })
}

/// The object that tells the page its API's address.
fn config(api_url: &str) -> File {
    let text = format!("{}\n", json!({ "apiUrl": api_url })).into_bytes();
    File {
        key: CONFIG.to_owned(),
        size: text.len() as u64,
        etag: hex(&Md5::digest(&text)),
        content_type: content_type(Path::new(CONFIG)),
        content: Content::Made(text),
    }
}

/// The type by extension, with the character set where there is text.
fn content_type(path: &Path) -> String {
    let guess = mime_guess::from_path(path).first_or_octet_stream();
    let text = guess.type_() == "text"
        || matches!(
            guess.subtype().as_str(),
            "javascript" | "json" | "xml" | "manifest+json"
        )
        || guess.suffix().is_some_and(|suffix| suffix == "xml" || suffix == "json");
    if text && guess.get_param("charset").is_none() {
        format!("{guess}; charset=utf-8")
    } else {
        guess.to_string()
    }
}

/// The objects of a bucket: their keys with their ETags.
pub async fn list(cloud: &Cloud, bucket: &str) -> Result<BTreeMap<String, String>> {
    let mut pages = cloud.s3.list_objects_v2().bucket(bucket).into_paginator().send();
    let mut found = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| explain(&error, &format!("could not list the bucket {bucket}")))?;
        for object in page.contents.unwrap_or_default() {
            let etag = object.e_tag.unwrap_or_default().trim_matches('"').to_owned();
            found.insert(object.key.unwrap_or_default(), etag);
        }
    }
    Ok(found)
}

fn plan(mut files: Vec<File>, there: &BTreeMap<String, String>) -> Work {
    files.sort_by_key(|file| (is_page(file), file.key.clone()));
    let remove: Vec<String> = there
        .keys()
        .filter(|key| !files.iter().any(|file| file.key == **key))
        .cloned()
        .collect();
    let mut outcome = Published {
        removed: remove.len(),
        ..Published::default()
    };
    let mut changed: Vec<String> = remove.clone();
    let upload = files
        .into_iter()
        .filter(|file| match there.get(&file.key) {
            Some(etag) if *etag == file.etag => {
                outcome.unchanged += 1;
                false
            }
            Some(_) => {
                outcome.changed += 1;
                changed.push(file.key.clone());
                true
            }
            None => {
                outcome.new += 1;
                // In a site that is already served, its absence may be in the caches.
                if !there.is_empty() {
                    changed.push(file.key.clone());
                }
                true
            }
        })
        .collect();
    Work {
        upload,
        remove,
        outcome,
        paths: paths(&changed),
    }
}

fn paths(keys: &[String]) -> Vec<String> {
    if keys.len() > MOST_PATHS {
        return vec!["/*".to_owned()];
    }
    let mut paths: Vec<String> = keys.iter().map(|key| url_path(key)).collect();
    if keys.iter().any(|key| key == "index.html") {
        paths.push("/".to_owned());
    }
    paths.sort();
    paths
}

/// A key as CloudFront sees it in a URL: everything but unreserved characters escaped.
pub fn url_path(key: &str) -> String {
    let mut path = String::from("/");
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => path.push(byte.into()),
            other => path.push_str(&format!("%{other:02X}")),
        }
    }
    path
}

async fn upload(cloud: &Cloud, bucket: &str, file: File) -> Result<String> {
    let body = match file.content {
        Content::Made(bytes) => ByteStream::from(bytes),
        Content::OnDisk(path) => ByteStream::from_path(&path)
            .await
            .or_fail(|| format!("could not read {}", path.display()))?,
    };
    cloud
        .s3
        .put_object()
        .bucket(bucket)
        .key(&file.key)
        .body(body)
        .content_type(&file.content_type)
        // Browsers ask each time whether their copy is the newest, and get a short "yes" when it is.
        .cache_control("no-cache")
        .send()
        .await
        .map_err(|error| explain(&error, &format!("could not upload {} to {bucket}", file.key)))?;
    Ok(file.key)
}

async fn invalidate(cloud: &Cloud, distribution: &str, paths: &[String]) -> Result<()> {
    let what = || format!("could not invalidate {} paths of {distribution}", paths.len());
    let batch = Paths::builder()
        .quantity(i32::try_from(paths.len()).or_fail(what)?)
        .set_items(Some(paths.to_vec()))
        .build()
        .and_then(|paths| {
            InvalidationBatch::builder()
                .paths(paths)
                .caller_reference(fresh_token())
                .build()
        })
        .or_fail(what)?;
    cloud
        .cloudfront
        .create_invalidation()
        .distribution_id(distribution)
        .invalidation_batch(batch)
        .send()
        .await
        .map(|_| ())
        .map_err(|error| explain(&error, &what()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(key: &str, etag: &str) -> File {
        File {
            key: key.into(),
            size: 0,
            etag: etag.into(),
            content_type: content_type(Path::new(key)),
            content: Content::Made(Vec::new()),
        }
    }

    fn there(objects: &[(&str, &str)]) -> BTreeMap<String, String> {
        objects
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn only_differences_are_work_and_pages_come_last() {
        let work = plan(
            vec![
                file("index.html", "1"),
                file("a b/ü.css", "2"),
                file("same.js", "3"),
                file(CONFIG, "4"),
            ],
            &there(&[("index.html", "0"), ("same.js", "3"), ("gone.js", "9")]),
        );
        let keys: Vec<&str> = work.upload.iter().map(|file| file.key.as_str()).collect();
        assert_eq!(keys, ["a b/ü.css", CONFIG, "index.html"]);
        assert_eq!(work.remove, ["gone.js"]);
        assert_eq!(
            work.paths,
            ["/", "/a%20b/%C3%BC.css", "/config.json", "/gone.js", "/index.html"]
        );
        assert_eq!(
            work.outcome.describe(),
            "files: 2 new, 1 changed, 1 unchanged, 1 removed"
        );
    }

    #[test]
    fn a_first_publication_invalidates_nothing_and_a_second_does_nothing() {
        let files = || vec![file("index.html", "1"), file(CONFIG, "4")];
        assert!(plan(files(), &there(&[])).paths.is_empty());
        let again = plan(files(), &there(&[("index.html", "1"), (CONFIG, "4")]));
        assert!(again.upload.is_empty() && again.remove.is_empty() && again.paths.is_empty());
        assert!(!again.outcome.did_something());
    }

    #[test]
    fn many_changes_are_one_wildcard() {
        let keys: Vec<String> = (0..=MOST_PATHS).map(|n| n.to_string()).collect();
        assert_eq!(paths(&keys), ["/*"]);
    }

    #[test]
    fn types_have_their_character_set() {
        for (name, expected) in [
            ("index.html", "text/html; charset=utf-8"),
            ("script.js", "text/javascript; charset=utf-8"),
            ("style.css", "text/css; charset=utf-8"),
            ("config.json", "application/json; charset=utf-8"),
            ("favicon.svg", "image/svg+xml; charset=utf-8"),
            ("photo.jpg", "image/jpeg"),
            ("font.woff2", "font/woff2"),
            ("unknown.zzz", "application/octet-stream"),
        ] {
            assert_eq!(content_type(Path::new(name)), expected, "{name}");
        }
    }
}
