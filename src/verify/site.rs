//! The site as visitors get it, through CloudFront.

use std::collections::BTreeMap;

use aws_sdk_cloudfront::types::ViewerProtocolPolicy;
use futures::stream::{self, StreamExt, TryStreamExt};
use md5::{Digest as _, Md5};
use reqwest::Method;
use serde_json::Value;

use super::http::send;
use super::{Finding, Problem, Subject, asked};
use crate::cloud::origin_of;
use crate::ident::hex;
use crate::site::{self, CONFIG, Served};

/// How many files are asked for at once.
const FILES_AT_ONCE: usize = 16;

const PUBLISH: &str = "Run `deployer up --only site`. If it says that nothing changed, the object was changed by hand: \
                       delete it from the site's bucket and run the same again.";

/// Every file of the site is served as it is in the project, with its type.
pub(super) async fn files(subject: &Subject<'_>) -> Finding {
    deployed(subject).await?;
    let files = subject.site.served();
    let count = files.len();
    // The bucket first: what isn't there must not be asked for, or the edge remembers that it isn't.
    let there = site::list(subject.cloud, &subject.site_bucket).await?;
    for file in &files {
        match there.get(&file.key) {
            Some(etag) if *etag == file.md5 => {}
            Some(_) => {
                return Err(Problem::failed(
                    format!("the published {} isn't the file of the project's site/", file.key),
                    PUBLISH,
                ));
            }
            None => return Err(Problem::failed(format!("{} isn't published", file.key), PUBLISH)),
        }
    }
    stream::iter(files)
        .map(|file| file_is_served(subject, file))
        .buffer_unordered(FILES_AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(format!(
        "all {count} files are served by {} as they are in site/",
        subject.origin
    ))
}

/// Waits for the distribution: until then edges answer with what they had, or not at all. Gives what plain HTTP gets.
async fn deployed(subject: &Subject<'_>) -> Result<ViewerProtocolPolicy, Problem> {
    let id = &subject.distribution_id;
    let answer = subject.cloud.cloudfront.get_distribution().id(id).send().await;
    let answer = asked(answer, &format!("could not look at the distribution {id}"))?;
    let distribution = answer
        .distribution
        .ok_or_else(|| Problem::not_proven(format!("no answer about {id}")))?;
    if distribution.status() != "Deployed" || distribution.in_progress_invalidation_batches() > 0 {
        return Err(Problem::pending(format!(
            "CloudFront is still taking the distribution {id} to its edges, or what was invalidated from them"
        )));
    }
    let behaviour = distribution
        .distribution_config
        .and_then(|config| config.default_cache_behavior);
    behaviour
        .map(|behaviour| behaviour.viewer_protocol_policy)
        .ok_or_else(|| Problem::not_proven(format!("no answer about the behaviour of {id}")))
}

async fn file_is_served(subject: &Subject<'_>, file: Served) -> Result<(), Problem> {
    let url = format!("{}{}", subject.origin, file.path);
    let answer = send(&subject.http, Method::GET, &url, &[]).await?;
    if answer.status != 200 {
        return Err(Problem::failed(format!("{url} answers {}", answer.status), PUBLISH));
    }
    if hex(&Md5::digest(&answer.body)) != file.md5 {
        return Err(Problem::failed(
            format!("{url} isn't the file of the project's site/"),
            PUBLISH,
        ));
    }
    if answer.header("content-type") != file.content_type {
        return Err(Problem::failed(
            format!(
                "{url} is called `{}` instead of `{}`",
                answer.header("content-type"),
                file.content_type
            ),
            PUBLISH,
        ));
    }
    Ok(())
}

/// Browsers are told to be strict, and that the page may talk to this API alone.
pub(super) async fn headers(subject: &Subject<'_>) -> Finding {
    deployed(subject).await?;
    let url = format!("{}/", subject.origin);
    let answer = send(&subject.http, Method::GET, &url, &[]).await?;
    let wrong = |evidence: String| {
        Problem::failed(
            evidence,
            "Restore ResponseHeaders in stacks/presentation.yaml, then run `deployer up`: it also allows the API's address.",
        )
    };
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
    deployed(subject).await?;
    let url = format!("{}/{CONFIG}", subject.origin);
    let answer = send(&subject.http, Method::GET, &url, &[]).await?;
    let config: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match config["apiUrl"].as_str() {
        Some(address) if address == subject.api_url => Ok(format!("{url} names {address}")),
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
    let policy = deployed(subject).await?;
    if policy == ViewerProtocolPolicy::AllowAll && !subject.cloud.endpoint.is_aws() {
        return Ok("plain HTTP, as everything is off AWS".to_owned());
    }
    let (_, host) = subject.origin.split_once("://").unwrap_or_default();
    let plain = format!("http://{host}/");
    let answer = send(&subject.http, Method::GET, &plain, &[]).await?;
    let target = answer.header("location");
    if policy == ViewerProtocolPolicy::HttpsOnly && answer.status == 403 {
        return Ok(format!("{plain} is refused"));
    }
    if matches!(answer.status, 301 | 302 | 307 | 308) && target.starts_with("https://") {
        return Ok(format!("{plain} leads to {target}"));
    }
    Err(Problem::failed(
        format!("{plain} answers {} instead of leading to https", answer.status),
        "Restore ViewerProtocolPolicy (redirect-to-https) in stacks/presentation.yaml, then run `deployer up`.",
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
