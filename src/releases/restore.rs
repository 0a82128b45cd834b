//! A release as the project's folder that it was made from, but for data.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aws_sdk_s3::primitives::ByteStream;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::io::AsyncWriteExt as _;

use super::store::{self, GONE, Listed};
use super::{Content, Release, is_inner};
use crate::bucket;
use crate::cloud::Cloud;
use crate::cloud::sdk_error::explain;
use crate::error::{Error, OrFail as _, Result};
use crate::project::stacks::StackId;
use crate::publish;
use crate::report::Reporter;
use crate::site::sum::Hasher;

/// How many files are fetched at once.
const AT_ONCE: usize = 32;

/// The folder of the site's files.
pub(crate) const SITE: &str = "site";

/// Where a release's contents are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources<'a> {
    /// The clients of the artifacts bucket, and the bucket.
    pub artifacts: (&'a Cloud, &'a str),
    /// Those of the site's bucket, if there is one.
    pub site: Option<(&'a Cloud, &'a str)>,
}

/// Fetches `content`, what `release` is gone back to by, into the folder `into`: the project's, with the site's files in
/// [`SITE`]. Returns where the functions' packages are, by what asks for them.
///
/// # Errors
/// Something isn't there any more, or isn't what it was, or can't be written.
pub(crate) async fn restore(
    from: Sources<'_>,
    release: &Release,
    content: &Content,
    into: &Path,
    reporter: &Reporter,
) -> Result<BTreeMap<(StackId, String), PathBuf>> {
    let (cloud, artifacts) = from.artifacts;
    let of = |what: &str| format!("could not fetch {what} of release {}", release.number);
    let files = content.files.iter();
    stream::iter(files)
        .map(async |(path, sum)| {
            let bytes = store::content(cloud, artifacts, sum).await?;
            let file = inner(into, path)?;
            make_folder_of(&file).await?;
            tokio::fs::write(&file, bytes).await.or_fail(|| of(path))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    let mut packages = BTreeMap::new();
    let keys: BTreeSet<&String> = content
        .stacks
        .values()
        .flat_map(|stack| stack.packages.values())
        .collect();
    let zip = |key: &str| inner(into, &format!("packages/{key}"));
    for key in &keys {
        reporter.working("function", format!("fetching {key}"));
        fetch(cloud, artifacts, key, &zip(key)?).await?;
    }
    for (id, stack) in &content.stacks {
        for (parameter, key) in &stack.packages {
            packages.insert((StackId::new(id), parameter.clone()), zip(key)?);
        }
    }
    if let Some(site) = &content.site {
        let list = store::list(cloud, artifacts, &site.list).await?;
        let files: Vec<Listed<'_>> = list.files().collect::<Result<_>>()?;
        restore_site(from, release, &files, &into.join(SITE), reporter).await?;
    }
    Ok(packages)
}

async fn restore_site(
    from: Sources<'_>,
    release: &Release,
    files: &[Listed<'_>],
    folder: &Path,
    reporter: &Reporter,
) -> Result<()> {
    let (cloud, artifacts) = from.artifacts;
    let kept = store::kept(cloud, artifacts).await?;
    let published = match from.site {
        Some((cloud, bucket)) => published(cloud, bucket, from.artifacts).await?,
        None => BTreeMap::new(),
    };
    let mut done = 0_usize;
    let mut fetched = stream::iter(files)
        .map(async |file| {
            let path = inner(folder, &file.path)?;
            let sum = if kept.contains(&*file.sum) {
                fetch(cloud, artifacts, &store::content_key(&file.sum), &path).await?
            } else if let (Some((cloud, bucket)), Some(key)) = (from.site, published.get(&*file.sum)) {
                fetch(cloud, bucket, key, &path).await?
            } else {
                return Err(missing(release, &file.path));
            };
            if sum == file.sum {
                Ok(())
            } else {
                Err(missing(release, &file.path))
            }
        })
        .buffer_unordered(AT_ONCE);
    while fetched.try_next().await?.is_some() {
        done += 1;
        reporter.working("site", format!("fetching {done} of {}", files.len()));
    }
    Ok(())
}

fn missing(release: &Release, path: &str) -> Error {
    Error::failed(format!(
        "site/{path} of release {} isn't there any more",
        release.number
    ))
    .cause("it was purged, or has more than the 5 GiB that S3 keeps a copy of, or somebody has removed it")
    .hint(GONE)
}

/// A key for each content that the site's bucket has.
async fn published(cloud: &Cloud, bucket: &str, artifacts: (&Cloud, &str)) -> Result<BTreeMap<String, String>> {
    let (listing, contents) = tokio::try_join!(
        bucket::list(cloud, bucket, []),
        publish::contents(artifacts.0, artifacts.1)
    )?;
    let objects = listing.iter();
    Ok(objects
        .map(|(key, etag)| (contents.sum_of(key, etag).into_owned(), key.to_string()))
        .collect())
}

/// Fetches an object into a file. Returns its sum, in writing.
async fn fetch(cloud: &Cloud, bucket: &str, key: &str, file: &Path) -> Result<String> {
    let what = || format!("could not read {key} of {bucket}");
    let answer = cloud.s3.get_object().bucket(bucket).key(key).send().await;
    let answer = answer.map_err(|error| explain(error, &what()).hint(GONE))?;
    let size = answer.content_length.and_then(|length| u64::try_from(length).ok());
    make_folder_of(file).await?;
    write(answer.body, size, file, &what()).await
}

async fn write(mut body: ByteStream, size: Option<u64>, file: &Path, what: &str) -> Result<String> {
    let unwritten = || format!("could not write {}", file.display());
    let mut hasher = Hasher::new(size);
    let mut to = tokio::fs::File::create(file).await.or_fail(unwritten)?;
    while let Some(piece) = body.try_next().await.or_fail(|| what.to_owned())? {
        hasher.update(&piece);
        to.write_all(&piece).await.or_fail(unwritten)?;
    }
    to.flush().await.or_fail(unwritten)?;
    Ok(hasher.finish().to_string())
}

async fn make_folder_of(file: &Path) -> Result<()> {
    let folder = file.parent().unwrap_or(file);
    tokio::fs::create_dir_all(folder)
        .await
        .or_fail(|| format!("could not make the folder {}", folder.display()))
}

/// A path in a folder, and nowhere else: it comes from a bucket.
fn inner(folder: &Path, path: &str) -> Result<PathBuf> {
    if is_inner(path) {
        Ok(folder.join(path))
    } else {
        Err(Error::failed(format!("a release has a file `{path}`, which is no path in a folder")).hint(GONE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_outside_of_the_folder() {
        let folder = Path::new("/to");
        assert_eq!(inner(folder, "a/b c.html").expect("inner"), Path::new("/to/a/b c.html"));
        for path in ["", "/etc/passwd", "../a", "a/../../b", "./a"] {
            assert!(inner(folder, path).is_err(), "{path}");
        }
    }
}
