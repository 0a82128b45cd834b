//! What the site is published as lies in the bucket, and CloudFront serves it with what it is to be served with.
//!
//! The bucket's listing tells of each object what it holds. What CloudFront serves is asked for by HEAD: the ETag says which
//! object it is, so that nothing is sent that is known already, and what that costs doesn't grow with the site.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use reqwest::Method;

use crate::bucket::{Etag, Listing};
use crate::cloud::sdk_error::found;
use crate::error::OrFail as _;
use crate::publish::Contents;
use crate::site::sum::Hasher;
use crate::site::{Object, Site, url_path};
use crate::text::quoted_for_shell;
use crate::verify::http::{Answer, send};
use crate::verify::layer::Layer;
use crate::verify::stage::{Published, Stage};
use crate::verify::{Check, Finding, Look, Problem, Round};

/// How many objects are asked for at once.
const AT_ONCE: usize = 16;

/// How many objects are asked for of those that were sent,
const OF_SENT: usize = 50;

/// and of the others.
const OF_OTHERS: usize = 20;

/// What visitors meet first, and what they meet when there is nothing.
const ENTRIES: [&str; 2] = ["index.html", "404.html"];

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
        let asked_for: Arc<BTreeSet<usize>> = Arc::new(if stage.full {
            (0..site.objects().len()).collect()
        } else {
            sample(site.objects(), stage.sent())
        });
        vec![published.look(stage, move |published, round| {
            let asked_for = Arc::clone(&asked_for);
            async move { look(stage, &published, site, &asked_for, round).await }
        })]
    }
}

/// The objects that are asked for where all are in the bucket: where visitors enter, and some of those that were sent and of
/// the others. The same ones as long as they are what they are, so that a finding can be looked at again.
fn sample(objects: &[Object], sent: Option<&BTreeSet<Arc<str>>>) -> BTreeSet<usize> {
    let is_sent = |object: &Object| sent.is_some_and(|sent| sent.contains(&*object.key));
    let mut sampled: BTreeSet<usize> = (0..objects.len())
        .filter(|index| ENTRIES.contains(&&*objects[*index].key))
        .collect();
    for (wanted, most) in [(true, OF_SENT), (false, OF_OTHERS)] {
        let mut some: Vec<usize> = (0..objects.len())
            .filter(|index| is_sent(&objects[*index]) == wanted)
            .collect();
        // Sums are as good as chance. The key tells apart those that hold the same.
        let order = |index: &usize| (objects[*index].sum.bytes(), &objects[*index].key);
        if some.len() > most {
            some.select_nth_unstable_by(most, |one, other| order(one).cmp(&order(other)));
            some.truncate(most);
        }
        sampled.extend(some);
    }
    sampled
}

async fn look(
    stage: &Stage<'_>,
    published: &Published<'_>,
    site: &Site,
    asked_for: &BTreeSet<usize>,
    round: Round,
) -> Finding {
    let objects = site.objects();
    let (deployed, there) = tokio::join!(published.is_deployed(stage, round), published.objects(stage, round));
    deployed?;
    let there = there?;
    let is_told = |object: &Object| there.get(&object.key).is_none_or(|etag| etag.is_of(&object.sum));
    let contents = if objects.iter().all(is_told) {
        Arc::default()
    } else {
        published.contents(stage, round).await?
    };
    let mut problems: Vec<Problem> = stream::iter(objects)
        .map(|object| is_there(published, &there, &contents, object))
        .buffer_unordered(AT_ONCE)
        .filter_map(async |seen| seen.err())
        .collect()
        .await;
    if problems.is_empty() {
        let wanted = asked_for.iter().map(|index| &objects[*index]);
        let unseen = wanted.filter(|object| !stage.served.borrow().contains(&*object.key));
        problems = stream::iter(unseen.collect::<Vec<_>>())
            .map(async |object| {
                is_served(stage, published, object, &url_path(&object.key), &there).await?;
                if &*object.key == ENTRIES[0] {
                    is_served(stage, published, object, "/", &there).await?;
                }
                stage.served.borrow_mut().insert(object.key.to_string());
                Ok(())
            })
            .buffer_unordered(AT_ONCE)
            .filter_map(async |seen: Result<(), Problem>| seen.err())
            .collect()
            .await;
    }
    let count = objects.len();
    match worst(problems) {
        None if asked_for.len() == count => Ok(format!(
            "all {count} objects are served by {} as they are in site/",
            published.origin
        )),
        None => Ok(format!(
            "all {count} objects are in the bucket as they are in site/, and {} of them, what was sent now and others, are \
             served so by {}; `deployer verify --full` asks for all",
            asked_for.len(),
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
    object: &Object,
) -> Result<(), Problem> {
    let failed = |evidence| Err(Problem::failed(evidence, Published::REMEDY));
    let Some(etag) = there.get(&object.key) else {
        return failed(format!("{} isn't published", object.key));
    };
    let is_it = match contents.tell(&object.key, etag, &object.sum) {
        Some(is_it) => is_it,
        // The ledger doesn't know it, and the ETag needn't be an MD5.
        None => holds(published, object).await?,
    };
    if is_it {
        Ok(())
    } else {
        failed(format!(
            "the published {} isn't the file of the project's site/",
            object.key
        ))
    }
}

/// Whether the object that the bucket has is the file. It is read for that, if it has as many bytes.
async fn holds(published: &Published<'_>, object: &Object) -> Result<bool, Problem> {
    let what = || format!("could not read {} from the bucket {}", object.key, published.bucket);
    let s3 = &published.stack.cloud.s3;
    let answer = s3.get_object().bucket(&published.bucket).key(&*object.key).send().await;
    let Some(mut stored) = found(answer, |error| error.is_no_such_key(), what)? else {
        return Ok(false);
    };
    if stored.content_length.and_then(|size| u64::try_from(size).ok()) != Some(object.size) {
        return Ok(false);
    }
    let mut hasher = Hasher::new(Some(object.size));
    while let Some(bytes) = stored.body.try_next().await.or_fail(what)? {
        hasher.update(&bytes);
    }
    Ok(hasher.finish() == object.sum)
}

/// An answer's ETag. A weak one is that of what an edge has compressed, and still the object's.
fn etag(answer: &Answer) -> Option<&str> {
    let etag = answer.header("etag");
    etag.strip_prefix("W/")
        .unwrap_or(etag)
        .strip_prefix('"')?
        .strip_suffix('"')
}

async fn is_served(
    stage: &Stage<'_>,
    published: &Published<'_>,
    object: &Object,
    path: &str,
    there: &Listing,
) -> Result<(), Problem> {
    let url = format!("{}{path}", published.origin);
    let stale = || {
        format!(
            "`aws cloudfront create-invalidation --distribution-id {} --paths {}` makes CloudFront fetch it anew.",
            published.distribution,
            quoted_for_shell(path)
        )
    };
    let mut answer = send(&stage.http, Method::HEAD, &url, &[]).await?;
    if let Some(target) = &object.headers.redirect
        && matches!(answer.status, 301 | 302 | 307 | 308)
    {
        let location = answer.header("location");
        let is_it = location.strip_prefix(&*published.origin).unwrap_or(location) == target;
        return if is_it {
            Ok(())
        } else {
            Err(Problem::failed(
                format!("{url} leads to {location} instead of {target}"),
                stale(),
            ))
        };
    }
    if answer.status != 200 {
        return Err(Problem::failed(format!("{url} answers {}", answer.status), stale()));
    }
    let is_it = match etag(&answer) {
        Some(etag) => there.get(&object.key).is_some_and(|known| *known == Etag::from(etag)),
        None => {
            answer = send(&stage.http, Method::GET, &url, &[]).await?;
            answer.sum == object.sum
        }
    };
    if !is_it {
        return Err(Problem::failed(
            format!("{url} isn't the file of the project's site/, though the bucket has it"),
            stale(),
        ));
    }
    let headers = &object.headers;
    for (name, wanted) in [
        ("content-type", Some(&headers.content_type)),
        ("cache-control", Some(&headers.cache_control)),
        ("content-encoding", headers.content_encoding.as_ref()),
        ("content-disposition", headers.content_disposition.as_ref()),
        ("content-language", headers.content_language.as_ref()),
    ] {
        let (is, wanted) = (answer.header(name), wanted.map_or("", |wanted| wanted));
        if is != wanted {
            return Err(Problem::failed(
                format!("{url} has the {name} `{is}` instead of `{wanted}`"),
                format!(
                    "`aws s3 rm {}`, then `deployer up --only site`, which publishes it anew.",
                    quoted_for_shell(&format!("s3://{}/{}", published.bucket, object.key))
                ),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::sum::Sum;
    use crate::site::{Content, Headers, ObjectKind};

    #[test]
    fn what_was_sent_is_asked_for_and_some_of_the_rest() {
        let object = |key: &str| Object {
            key: key.into(),
            kind: ObjectKind::Plain,
            content: Content::Made([].into()),
            size: 0,
            sum: Sum::of(key),
            part_sums: None,
            headers: Arc::new(Headers::new("image/png", "no-cache")),
            stat: None,
        };
        let mut objects: Vec<Object> = (0..500).map(|number| object(&format!("{number}.png"))).collect();
        objects.push(object("index.html"));
        let sent: BTreeSet<Arc<str>> = (0..30).map(|number| format!("{number}.png").into()).collect();
        let asked_for = sample(&objects, Some(&sent));
        assert_eq!(asked_for.len(), 30 + 1 + OF_OTHERS);
        assert!((0..30).all(|index| asked_for.contains(&index)));
        assert!(asked_for.contains(&500));
        assert_eq!(asked_for, sample(&objects, Some(&sent)), "the same each time");
        let all: BTreeSet<Arc<str>> = objects.iter().map(|object| Arc::clone(&object.key)).collect();
        assert_eq!(sample(&objects, Some(&all)).len(), OF_SENT + 1);
        assert_eq!(sample(&objects[..10], None).len(), 10);
    }
}
