//! Every file of the site is served by CloudFront as it is in `site/`, with its type.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use reqwest::Method;

use crate::bucket::Listing;
use crate::cloud::sdk_error::found;
use crate::error::OrFail as _;
use crate::publish::Contents;
use crate::site::Served;
use crate::site::sum::Hasher;
use crate::text::quoted_for_shell;
use crate::verify::http::{Answer, send};
use crate::verify::layer::Layer;
use crate::verify::stage::{Published, Stage};
use crate::verify::{Check, Finding, Look, Problem, Round};

/// How many files are asked for at once.
const FILES_AT_ONCE: usize = 16;

/// A file longer than this is judged by the ETag that it is served with, where there is one: that of what the bucket has,
/// which was compared before.
const LARGE_BYTES: u64 = 8 << 20;

/// How many files are fetched beside those that were sent.
const SAMPLE: usize = 50;

/// What visitors meet first, and what they meet when there is nothing.
const OWN_PAGES: [&str; 3] = ["index.html", "404.html", "config.json"];

/// How many problems are told one by one.
const TOLD: usize = 3;

pub(super) struct SiteFiles;

impl Check for SiteFiles {
    fn id(&self) -> &'static str {
        "site-files"
    }

    fn layer(&self) -> Layer {
        Layer::Site
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let Some((published, site)) = stage.published().zip(stage.site) else {
            return Vec::new();
        };
        let files: Vec<Served> = site.served().collect();
        let fetched: BTreeSet<String> = match stage.sent() {
            None => files.iter().map(|file| file.path.clone()).collect(),
            Some(sent) => sample(&files, sent),
        };
        let fetched = Arc::new(fetched);
        vec![published.look(stage, move |published, round| {
            let (files, fetched) = (files.clone(), Arc::clone(&fetched));
            async move { look(stage, &published, files, &fetched, round).await }
        })]
    }
}

/// The paths that are fetched where the others were there before: of what was sent, of the site's own pages, and some others.
/// Each `up` would else have CloudFront send the whole site, which it bills, and which takes as long as the line does.
fn sample(files: &[Served], sent: &BTreeSet<String>) -> BTreeSet<String> {
    let is_certain = |file: &&Served| sent.contains(&*file.key) || OWN_PAGES.contains(&&*file.key);
    let (certain, others): (Vec<&Served>, Vec<&Served>) = files.iter().partition(is_certain);
    // Others each time, so that all are looked at sooner or later.
    let others = fastrand::choose_multiple(others, SAMPLE);
    certain
        .into_iter()
        .chain(others)
        .map(|file| file.path.clone())
        .collect()
}

async fn look(
    stage: &Stage<'_>,
    published: &Published<'_>,
    files: Vec<Served>,
    fetched: &BTreeSet<String>,
    round: Round,
) -> Finding {
    let count = files.len();
    let (deployed, there) = tokio::join!(published.is_deployed(stage, round), published.objects(stage, round));
    deployed?;
    let there = there?;
    // The first page is served at two paths.
    let keys: BTreeMap<&str, &Served> = files.iter().map(|file| (&*file.key, file)).collect();
    let is_told = |file: &Served| there.get(&*file.key).is_none_or(|etag| *etag == file.sum.to_string());
    let contents = if keys.values().all(|file| is_told(file)) {
        Arc::default()
    } else {
        published.contents(stage, round).await?
    };
    let mut problems: Vec<Problem> = stream::iter(keys.into_values())
        .map(|file| is_there(published, &there, &contents, file))
        .buffer_unordered(FILES_AT_ONCE)
        .filter_map(async |seen| seen.err())
        .collect()
        .await;
    if problems.is_empty() {
        let unseen = |file: &Served| fetched.contains(&file.path) && !stage.served.borrow().contains(&file.path);
        problems = stream::iter(files.into_iter().filter(unseen))
            .map(async |file| {
                is_served(stage, published, &file, &there).await?;
                stage.served.borrow_mut().insert(file.path);
                Ok(())
            })
            .buffer_unordered(FILES_AT_ONCE)
            .filter_map(async |seen: Result<(), Problem>| seen.err())
            .collect()
            .await;
    }
    match worst(problems) {
        None if fetched.len() == count => Ok(format!(
            "all {count} files are served by {} as they are in site/",
            published.origin
        )),
        None => Ok(format!(
            "all {count} files are in the bucket as they are in site/, and {} of them, what was sent now and others, are served \
             so by {}; `deployer verify` fetches all",
            fetched.len(),
            published.origin
        )),
        Some(problem) => Err(problem),
    }
}

/// Several problems as one.
fn worst(problems: Vec<Problem>) -> Option<Problem> {
    let mut evidence: Vec<String> = problems.iter().take(TOLD).map(|one| one.evidence.clone()).collect();
    if problems.len() > TOLD {
        evidence.push(format!("and {} more", problems.len() - TOLD));
    }
    let first = problems.into_iter().next()?;
    Some(Problem {
        evidence: evidence.join("; "),
        ..first
    })
}

/// Whether the bucket has the file: by the ETag where that is the file's MD5, else by the ledger, else by the object.
async fn is_there(
    published: &Published<'_>,
    there: &Listing,
    contents: &Contents,
    file: &Served,
) -> Result<(), Problem> {
    let failed = |evidence| Err(Problem::failed(evidence, Published::REMEDY));
    let Some(etag) = there.get(&*file.key) else {
        return failed(format!("{} isn't published", file.key));
    };
    let sum = contents.sum_of(&file.key, etag);
    // Of what the ledger doesn't know this is the ETag, which needn't be an MD5.
    if sum == file.sum.to_string() || sum == etag && holds(published, file).await? {
        Ok(())
    } else {
        failed(format!(
            "the published {} isn't the file of the project's site/",
            file.key
        ))
    }
}

/// Whether the object that the bucket has is the file. It is read for that, if it has as many bytes.
async fn holds(published: &Published<'_>, file: &Served) -> Result<bool, Problem> {
    let what = || format!("could not read {} from the bucket {}", file.key, published.bucket);
    let s3 = &published.stack.cloud.s3;
    let answer = s3.get_object().bucket(&published.bucket).key(&*file.key).send().await;
    let Some(mut object) = found(answer, |error| error.is_no_such_key(), what)? else {
        return Ok(false);
    };
    if object.content_length.and_then(|size| u64::try_from(size).ok()) != Some(file.size) {
        return Ok(false);
    }
    let mut hasher = Hasher::new(Some(file.size));
    while let Some(bytes) = object.body.try_next().await.or_fail(what)? {
        hasher.update(&bytes);
    }
    Ok(hasher.finish() == file.sum)
}

/// An answer's ETag. A weak one is that of a compressed file, and says nothing of its bytes.
fn strong_etag(answer: &Answer) -> Option<&str> {
    answer.header("etag").strip_prefix('"')?.strip_suffix('"')
}

async fn is_served(
    stage: &Stage<'_>,
    published: &Published<'_>,
    file: &Served,
    there: &Listing,
) -> Result<(), Problem> {
    let url = format!("{}{}", published.origin, file.path);
    let stale = || {
        format!(
            "`aws cloudfront create-invalidation --distribution-id {} --paths {}` makes CloudFront fetch it anew.",
            published.distribution,
            quoted_for_shell(&file.path)
        )
    };
    let head = match file.size > LARGE_BYTES {
        true => Some(send(&stage.http, Method::HEAD, &url, &[]).await?),
        false => None,
    };
    let (answer, is_it) = match head.filter(|head| strong_etag(head).is_some()) {
        Some(head) => {
            let is_it = strong_etag(&head) == there.get(&*file.key).map(String::as_str);
            (head, is_it)
        }
        None => {
            let answer = send(&stage.http, Method::GET, &url, &[]).await?;
            let is_it = answer.sum == file.sum;
            (answer, is_it)
        }
    };
    if answer.status != 200 {
        return Err(Problem::failed(format!("{url} answers {}", answer.status), stale()));
    }
    if !is_it {
        return Err(Problem::failed(
            format!("{url} isn't the file of the project's site/, though the bucket has it"),
            stale(),
        ));
    }
    for (name, wanted) in [
        ("content-type", &*file.headers.content_type),
        ("cache-control", &*file.headers.cache_control),
    ] {
        let is = answer.header(name);
        if is != wanted {
            return Err(Problem::failed(
                format!("{url} has the {name} `{is}` instead of `{wanted}`"),
                format!(
                    "`aws s3 rm {}`, then `deployer up --only site`, which publishes it anew.",
                    quoted_for_shell(&format!("s3://{}/{}", published.bucket, file.key))
                ),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Headers;

    #[test]
    fn what_was_sent_is_fetched_and_some_of_the_rest() {
        let file = |key: &str| Served {
            key: key.into(),
            path: format!("/{key}"),
            sum: Hasher::new(Some(0)).finish(),
            size: 0,
            headers: Headers::new("image/png", "no-cache").into(),
        };
        let mut files: Vec<Served> = (0..500).map(|number| file(&format!("{number}.png"))).collect();
        files.push(file("index.html"));
        let sent: BTreeSet<String> = (0..100).map(|number| format!("{number}.png")).collect();
        let fetched = sample(&files, &sent);
        assert_eq!(fetched.len(), 100 + 1 + SAMPLE);
        assert!(sent.iter().all(|key| fetched.contains(&format!("/{key}"))));
        assert!(fetched.contains("/index.html"));
        let few = sample(&files[..10], &BTreeSet::new());
        assert_eq!(few.len(), 10);
    }
}
