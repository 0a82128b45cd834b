//! Every file of the site is served by CloudFront as it is in `site/`, with its type.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt};
use reqwest::Method;

use crate::site::Served;
use crate::verify::http::send;
use crate::verify::layer::Layer;
use crate::verify::stage::{Published, Stage};
use crate::verify::{Check, Finding, Look, Problem, Round};

/// How many files are asked for at once.
const FILES_AT_ONCE: usize = 16;

/// A file longer than this is judged by the ETag that it is served with, which is S3's MD5 of it, where there is one.
const LARGE: u64 = 8 << 20;

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
        vec![published.look(stage, move |published, round| {
            let files = files.clone();
            async move { look(stage, &published, files, round).await }
        })]
    }
}

async fn look(stage: &Stage<'_>, published: &Published<'_>, files: Vec<Served>, round: Round) -> Finding {
    let count = files.len();
    let (deployed, there) = tokio::join!(published.is_deployed(stage, round), published.objects(stage, round));
    deployed?;
    let there = there?;
    let is_there = |file: &Served| match there.get(&*file.key) {
        Some(etag) if *etag == file.etag => Ok(()),
        Some(_) => Err(Problem::failed(
            format!("the published {} isn't the file of the project's site/", file.key),
            Published::REMEDY,
        )),
        None => Err(Problem::failed(
            format!("{} isn't published", file.key),
            Published::REMEDY,
        )),
    };
    // The first page is served at two paths.
    let keys: BTreeMap<&str, &Served> = files.iter().map(|file| (&*file.key, file)).collect();
    let mut problems: Vec<Problem> = keys.values().filter_map(|file| is_there(file).err()).collect();
    if problems.is_empty() {
        let unseen = |file: &Served| !stage.served.borrow().contains(&file.path);
        problems = stream::iter(files.into_iter().filter(unseen))
            .map(async |file| {
                is_served(stage, published, &file).await?;
                stage.served.borrow_mut().insert(file.path);
                Ok(())
            })
            .buffer_unordered(FILES_AT_ONCE)
            .filter_map(async |seen: Result<(), Problem>| seen.err())
            .collect()
            .await;
    }
    match worst(problems) {
        None => Ok(format!(
            "all {count} files are served by {} as they are in site/",
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

async fn is_served(stage: &Stage<'_>, published: &Published<'_>, file: &Served) -> Result<(), Problem> {
    let url = format!("{}{}", published.origin, file.path);
    let stale = || {
        format!(
            "`aws cloudfront create-invalidation --distribution-id {} --paths '{}'` makes CloudFront fetch it anew.",
            published.distribution, file.path
        )
    };
    let mut answer = if file.size > LARGE {
        send(&stage.http, Method::HEAD, &url, &[]).await?
    } else {
        send(&stage.http, Method::GET, &url, &[]).await?
    };
    if file.size > LARGE {
        // A weak one is that of a compressed file, and says nothing of its bytes.
        let etag = answer.header("etag").strip_prefix('"');
        match etag.and_then(|etag| etag.strip_suffix('"')) {
            Some(etag) => answer.etag = etag.to_owned(),
            None => answer = send(&stage.http, Method::GET, &url, &[]).await?,
        }
    }
    if answer.status != 200 {
        return Err(Problem::failed(format!("{url} answers {}", answer.status), stale()));
    }
    if answer.etag != file.etag {
        return Err(Problem::failed(
            format!("{url} isn't the file of the project's site/, though the bucket has it"),
            stale(),
        ));
    }
    for (name, wanted) in [
        ("content-type", &*file.content_type),
        ("cache-control", file.cache_control),
    ] {
        let is = answer.header(name);
        if is != wanted {
            return Err(Problem::failed(
                format!("{url} has the {name} `{is}` instead of `{wanted}`"),
                format!(
                    "`aws s3 rm 's3://{}/{}'`, then `deployer up --only site`, which publishes it anew.",
                    published.bucket, file.key
                ),
            ));
        }
    }
    Ok(())
}
