//! The site as visitors get it, through CloudFront.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_cloudfront::types::ViewerProtocolPolicy;
use futures::stream::{self, StreamExt};
use reqwest::Method;
use serde_json::Value;

use super::http::send;
use super::{Finding, Kind, Problem, Subject, asked};
use crate::bucket::{self, Listing};
use crate::cloud::origin_of;
use crate::project::Tier;
use crate::site::{CONFIG, Served};

/// How many files are asked for at once.
const FILES_AT_ONCE: usize = 16;

const PUBLISH: &str = "Run `deployer up --only site`.";

/// A file longer than this is judged by the ETag that it is served with, which is S3's MD5 of it, where there is one.
const LARGE: u64 = 8 << 20;

/// Every file of the site is served as it is in the project, with its type.
pub(super) async fn files(subject: &Subject<'_>) -> Finding {
    is_deployed(subject).await?;
    let files: Vec<Served> = subject.site.served().collect();
    let count = files.len();
    let there = objects(subject).await?;
    let published = |file: &Served| match there.get(&*file.key) {
        Some(etag) if *etag == file.etag => Ok(()),
        Some(_) => Err(Problem::failed(
            format!("the published {} isn't the file of the project's site/", file.key),
            PUBLISH,
        )),
        None => Err(Problem::failed(format!("{} isn't published", file.key), PUBLISH)),
    };
    // The first page is served at two paths.
    let keys: BTreeMap<&str, &Served> = files.iter().map(|file| (&*file.key, file)).collect();
    let mut problems: Vec<Problem> = keys.values().filter_map(|file| published(file).err()).collect();
    if problems.is_empty() {
        let unseen = |file: &Served| !subject.served.borrow().contains(&file.path);
        problems = stream::iter(files.into_iter().filter(unseen))
            .map(async |file| {
                file_is_served(subject, &file).await?;
                subject.served.borrow_mut().insert(file.path);
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
            subject.origin
        )),
        Some(problem) => Err(problem),
    }
}

/// What the bucket has, with ETags. It is looked at before CloudFront is: what isn't there must not be asked for, or the
/// edge remembers that it isn't.
async fn objects(subject: &Subject<'_>) -> Result<Arc<Listing>, Problem> {
    let expected = || subject.site.objects().iter().map(|object| &*object.key);
    subject
        .objects
        .get(async || {
            Ok(Arc::new(
                bucket::list(subject.cloud, &subject.site_bucket, expected()).await?,
            ))
        })
        .await
}

/// Refuses to ask for an object that isn't there. When nothing is, nothing was published yet.
async fn is_published(subject: &Subject<'_>, key: &str) -> Result<(), Problem> {
    let there = objects(subject).await?;
    if there.contains_key(key) {
        Ok(())
    } else if there.is_empty() {
        Err(Problem::not_proven("nothing is published yet", PUBLISH))
    } else {
        Err(Problem::failed(format!("{key} isn't published"), PUBLISH))
    }
}

/// How many problems are told one by one.
const TOLD: usize = 3;

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

/// What CloudFront says of the distribution.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    deployed: bool,
    viewer_protocol_policy: Option<ViewerProtocolPolicy>,
}

/// Asks CloudFront about the distribution; none for want of a permission, which is no reason not to look at the site.
async fn edge(subject: &Subject<'_>) -> Result<Option<Edge>, Problem> {
    let id = &subject.distribution_id;
    subject
        .edge
        .get(async || {
            let answer = subject.cloud.cloudfront.get_distribution().id(id).send().await;
            let answer = match asked(answer, &format!("could not look at the distribution {id}")) {
                Err(problem) if problem.kind == Kind::NotProven => return Ok(None),
                answer => answer?,
            };
            let distribution = answer.distribution;
            Ok(distribution.map(|distribution| Edge {
                deployed: distribution.status() == "Deployed" && distribution.in_progress_invalidation_batches() == 0,
                viewer_protocol_policy: distribution
                    .distribution_config
                    .and_then(|config| config.default_cache_behavior)
                    .map(|behaviour| behaviour.viewer_protocol_policy),
            }))
        })
        .await
}

/// Waits for the distribution: until then edges answer with what they had, or not at all.
async fn is_deployed(subject: &Subject<'_>) -> Result<(), Problem> {
    match edge(subject).await? {
        Some(edge) if !edge.deployed => Err(Problem::pending(format!(
            "CloudFront is still taking the distribution {} to its edges, or what was invalidated from them",
            subject.distribution_id
        ))),
        _ => Ok(()),
    }
}

async fn file_is_served(subject: &Subject<'_>, file: &Served) -> Result<(), Problem> {
    let url = format!("{}{}", subject.origin, file.path);
    let stale = || {
        format!(
            "`aws cloudfront create-invalidation --distribution-id {} --paths '{}'` makes CloudFront fetch it anew.",
            subject.distribution_id, file.path
        )
    };
    let mut answer = if file.size > LARGE {
        send(&subject.http, Method::HEAD, &url, &[]).await?
    } else {
        send(&subject.http, Method::GET, &url, &[]).await?
    };
    if file.size > LARGE {
        // A weak one is that of a compressed file, and says nothing of its bytes.
        let etag = answer.header("etag").strip_prefix('"');
        match etag.and_then(|etag| etag.strip_suffix('"')) {
            Some(etag) => answer.etag = etag.to_owned(),
            None => answer = send(&subject.http, Method::GET, &url, &[]).await?,
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
                    subject.site_bucket, file.key
                ),
            ));
        }
    }
    Ok(())
}

/// Browsers are told to be strict, and that the page may talk to this API alone.
pub(super) async fn headers(subject: &Subject<'_>) -> Finding {
    is_deployed(subject).await?;
    is_published(subject, "index.html").await?;
    let url = format!("{}/", subject.origin);
    let answer = send(&subject.http, Method::GET, &url, &[]).await?;
    let wrong = |evidence: String| Problem::failed(evidence, subject.restore("ResponseHeaders", Tier::Presentation));
    for (name, wanted) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
    ] {
        let value = answer.header(name);
        if !value.contains(wanted) {
            return Err(wrong(format!("{url} has `{name}: {value}` instead of `{wanted}`")));
        }
    }
    let seconds = answer.header("strict-transport-security").split("max-age=").nth(1);
    let seconds = seconds.map(|rest| rest.trim_start_matches('0').starts_with(|c: char| c.is_ascii_digit()));
    if seconds != Some(true) {
        return Err(wrong(format!(
            "{url} has no `strict-transport-security` with a max-age"
        )));
    }
    let api = origin_of(&subject.api_url);
    match excess(answer.header("content-security-policy"), &api) {
        None => Ok(format!("{url} has them all, and its page may call {api} alone")),
        Some(excess) => Err(wrong(format!("the content security policy of {url} {excess}"))),
    }
}

/// What a content security policy allows too much or too little, for a page that is made of its own files and calls
/// `api`; none if it is just right.
fn excess(policy: &str, api: &str) -> Option<String> {
    let directives: BTreeMap<&str, Vec<&str>> = policy
        .split(';')
        .filter_map(|directive| {
            let mut words = directive.split_whitespace();
            Some((words.next()?, words.collect()))
        })
        .collect();
    if directives.get("default-src") != Some(&vec!["'none'"]) {
        return Some("doesn't begin with nothing (default-src 'none')".to_owned());
    }
    if directives.get("frame-ancestors") != Some(&vec!["'none'"]) {
        return Some("lets other pages frame this one (frame-ancestors isn't 'none')".to_owned());
    }
    for (name, sources) in &directives {
        let own =
            |source: &&&str| matches!(**source, "'none'" | "'self'") || (*name == "connect-src" && **source == api);
        if let Some(other) = sources.iter().find(|source| !own(source)) {
            return Some(format!("allows {name} {other} as well"));
        }
    }
    let calls = directives
        .get("connect-src")
        .is_some_and(|sources| sources.contains(&api));
    (!calls).then(|| format!("doesn't allow {api}, so that browsers refuse the page's requests"))
}

/// The page asks the API that was checked.
pub(super) async fn api_address(subject: &Subject<'_>) -> Finding {
    is_deployed(subject).await?;
    is_published(subject, CONFIG).await?;
    let url = format!("{}/{CONFIG}", subject.origin);
    let answer = send(&subject.http, Method::GET, &url, &[]).await?;
    let is_json = answer.status == 200 && answer.header("content-type").starts_with("application/json");
    let config: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match config["apiUrl"].as_str() {
        Some(address) if address == subject.api_url && is_json => Ok(format!("{url} names {address}")),
        Some(address) if address == subject.api_url => Err(Problem::failed(
            format!(
                "{url} answers {} and calls itself `{}`, instead of 200 and JSON",
                answer.status,
                answer.header("content-type")
            ),
            format!(
                "`aws s3 rm 's3://{}/{CONFIG}'`, then `deployer up --only site`, which publishes it anew.",
                subject.site_bucket
            ),
        )),
        Some(other) => Err(Problem::failed(
            format!("{url} names the API {other}, and this stage's is {}", subject.api_url),
            PUBLISH,
        )),
        None => Err(Problem::failed(
            format!("{url} names no API ({}): {}", answer.status, answer.beginning()),
            PUBLISH,
        )),
    }
}

/// Plain HTTP leads to HTTPS; an emulator's stage may do without.
pub(super) async fn https(subject: &Subject<'_>) -> Finding {
    is_deployed(subject).await?;
    let wanted = subject.viewer_protocol_policy.as_deref();
    if wanted == Some(ViewerProtocolPolicy::AllowAll.as_str()) && !subject.cloud.endpoint.is_aws() {
        return Ok("plain HTTP, as everything is off AWS".to_owned());
    }
    let (_, host) = subject.origin.split_once("://").unwrap_or_default();
    let plain = format!("http://{host}/");
    let answer = send(&subject.http, Method::GET, &plain, &[]).await?;
    let target = answer.header("location");
    if matches!(answer.status, 301 | 302 | 307 | 308) && target.starts_with("https://") {
        return Ok(format!("{plain} leads to {target}"));
    }
    let live = edge(subject).await?.and_then(|edge| edge.viewer_protocol_policy);
    if live == Some(ViewerProtocolPolicy::HttpsOnly) && answer.status == 403 {
        return Ok(format!("{plain} is refused"));
    }
    let live = live.map_or("unknown", |live| match live {
        ViewerProtocolPolicy::AllowAll => "allow-all",
        ViewerProtocolPolicy::HttpsOnly => "https-only",
        ViewerProtocolPolicy::RedirectToHttps => "redirect-to-https",
        _ => "another",
    });
    Err(Problem::failed(
        format!(
            "{plain} answers {} instead of leading to https: the distribution's ViewerProtocolPolicy is {live}",
            answer.status
        ),
        subject.restore("ViewerProtocolPolicy: redirect-to-https", Tier::Presentation),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: &str = "https://a.execute-api.r.amazonaws.com";

    #[test]
    fn only_the_pages_own_files_and_its_api_are_right() {
        let right = format!(
            "default-src 'none'; script-src 'self'; connect-src 'self' {API}; base-uri 'none'; frame-ancestors 'none'"
        );
        assert_eq!(excess(&right, API), None);
        for (from, to, expected) in [
            ("default-src 'none'", "default-src 'self'", "doesn't begin with nothing"),
            ("; frame-ancestors 'none'", "", "lets other pages frame"),
            (
                "script-src 'self'",
                "script-src 'self' 'unsafe-inline'",
                "allows script-src 'unsafe-inline'",
            ),
            ("connect-src 'self'", "connect-src *", "allows connect-src *"),
            (
                "script-src 'self'",
                &format!("script-src {API}"),
                "allows script-src https://a.",
            ),
            (&format!(" {API}"), "", "doesn't allow https://a."),
            (API, "https://*.amazonaws.com", "allows connect-src https://*."),
        ] {
            let found = excess(&right.replace(from, to), API).unwrap_or_default();
            assert!(found.starts_with(expected), "{to}: {found}");
        }
        assert!(excess("", API).is_some());
    }
}
