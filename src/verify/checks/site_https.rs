//! Plain HTTP is served as the template says: by leading to HTTPS, by refusing, or at all.

use aws_sdk_cloudfront::types::ViewerProtocolPolicy;
use reqwest::Method;

use crate::verify::http::send;
use crate::verify::layer::Layer;
use crate::verify::stage::{Published, Stage};
use crate::verify::{Check, Finding, Look, Problem, Round};

pub(super) struct SiteHttps;

impl Check for SiteHttps {
    fn id(&self) -> &'static str {
        "site-https"
    }

    fn layer(&self) -> Layer {
        Layer::Site
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let looks = stage.published().map(|published| {
            published.look(stage, move |published, round| async move {
                look(stage, &published, round).await
            })
        });
        looks.into_iter().collect()
    }
}

async fn look(stage: &Stage<'_>, published: &Published<'_>, round: Round) -> Finding {
    published.is_deployed(stage, round).await?;
    let wanted = published.behavior(&["ViewerProtocolPolicy"]).known_text();
    let live = stage.distribution(&published.distribution, round).await?;
    let live = live
        .and_then(|live| live.distribution_config)
        .and_then(|config| config.default_cache_behavior)
        .map(|behavior| behavior.viewer_protocol_policy);
    let failed = |evidence| {
        Problem::failed(
            evidence,
            published.stack.restore("the distribution's ViewerProtocolPolicy"),
        )
    };
    if wanted.as_deref() == Some(ViewerProtocolPolicy::AllowAll.as_str()) {
        return open(&published.distribution, live.as_ref(), stage.cloud.endpoint.is_aws()).map_err(failed);
    }
    let (_, host) = published.origin.split_once("://").unwrap_or_default();
    let plain = format!("http://{host}/");
    let answer = send(&stage.http, Method::GET, &plain, &[]).await?;
    closed(&plain, answer.status, answer.header("location"), live.as_ref()).map_err(failed)
}

/// Plain HTTP is to be served, too.
fn open(distribution: &str, live: Option<&ViewerProtocolPolicy>, is_aws: bool) -> Result<String, String> {
    match live {
        Some(live) if *live != ViewerProtocolPolicy::AllowAll => Err(format!(
            "the ViewerProtocolPolicy of {distribution} is {}, and the template has allow-all{}",
            live.as_str(),
            if is_aws { "" } else { ", as every template off AWS" }
        )),
        _ if is_aws => Ok("plain HTTP is served, too, as the template says".to_owned()),
        _ => Ok("plain HTTP, as everything is off AWS".to_owned()),
    }
}

/// Plain HTTP is to lead to HTTPS, or to be refused.
fn closed(plain: &str, status: u16, target: &str, live: Option<&ViewerProtocolPolicy>) -> Result<String, String> {
    if matches!(status, 301 | 302 | 307 | 308) && target.starts_with("https://") {
        return Ok(format!("{plain} leads to {target}"));
    }
    if live == Some(&ViewerProtocolPolicy::HttpsOnly) && status == 403 {
        return Ok(format!("{plain} is refused"));
    }
    let live = live.map_or("unknown", ViewerProtocolPolicy::as_str);
    Err(format!(
        "{plain} answers {status} instead of leading to https: the distribution's ViewerProtocolPolicy is {live}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Off AWS every template has allow-all, so only this shows what is said of the others.
    #[test]
    fn plain_http_leads_to_https_or_is_refused() {
        use ViewerProtocolPolicy::{AllowAll, HttpsOnly, RedirectToHttps};
        let told = |status, target, live| closed("http://a/", status, target, live);
        assert_eq!(
            told(301, "https://a/", Some(&RedirectToHttps)).as_deref(),
            Ok("http://a/ leads to https://a/")
        );
        assert!(told(403, "", Some(&HttpsOnly)).is_ok());
        for (status, target, live, words) in [
            (
                200,
                "",
                Some(&AllowAll),
                "answers 200 instead of leading to https: the distribution's ViewerProtocolPolicy is allow-all",
            ),
            (301, "http://b/", Some(&RedirectToHttps), "answers 301"),
            // A 403 of another kind: the site isn't there at all.
            (403, "", Some(&RedirectToHttps), "answers 403"),
            (200, "", None, "is unknown"),
        ] {
            let evidence = told(status, target, live).expect_err(words);
            assert!(evidence.contains(words), "{evidence}");
        }
    }

    #[test]
    fn plain_http_is_open_only_if_it_is_so() {
        let live = ViewerProtocolPolicy::RedirectToHttps;
        assert!(open("E1", Some(&live), true).is_err_and(|evidence| evidence.contains("is redirect-to-https")));
        assert!(open("E1", Some(&ViewerProtocolPolicy::AllowAll), true).is_ok());
        assert!(open("E1", None, true).is_ok());
    }
}
