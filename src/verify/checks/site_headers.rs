//! The site is served with the headers of the policy that its distribution refers to.

use reqwest::Method;
use serde_json::Value;

use crate::project::template::Template;
use crate::verify::expected::Expected;
use crate::verify::http::send;
use crate::verify::layer::Layer;
use crate::verify::stage::{Published, Stage};
use crate::verify::{Check, Finding, Look, Problem, Round};

const POLICY: &str = "AWS::CloudFront::ResponseHeadersPolicy";

pub(super) struct SiteHeaders;

impl Check for SiteHeaders {
    fn id(&self) -> &'static str {
        "site-headers"
    }

    fn layer(&self) -> Layer {
        Layer::Site
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let Some(published) = stage.published() else {
            return Vec::new();
        };
        let headers = headers(&published);
        if headers.is_empty() {
            return Vec::new();
        }
        vec![published.look(stage, move |published, round| {
            let headers = headers.clone();
            async move { look(stage, &published, &headers, round).await }
        })]
    }
}

async fn look(stage: &Stage<'_>, published: &Published<'_>, headers: &[(String, Expected)], round: Round) -> Finding {
    published.is_deployed(stage, round).await?;
    published.is_published(stage, "index.html", round).await?;
    let url = format!("{}/", published.origin);
    let answer = send(&stage.http, Method::GET, &url, &[]).await?;
    let mut guessed = 0;
    for (name, expected) in headers {
        let live = one_line(answer.header(name));
        let wanted = expected.known_text().map(|text| one_line(&text));
        let is_right = match &wanted {
            Some(wanted) => *wanted == live,
            None => {
                guessed += 1;
                expected.matches_text(&live)
            }
        };
        if !is_right {
            let wanted = wanted.unwrap_or_else(|| expected.to_string());
            let is = if live.is_empty() {
                format!("has no `{name}`")
            } else {
                format!("has `{name}: {live}`")
            };
            return Err(Problem::failed(
                format!("{url} {is}, and the template says `{wanted}`"),
                published.stack.restore("the response headers policy"),
            ));
        }
    }
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let partly = match guessed {
        0 => "",
        _ => "; what only CloudFormation knows of them was taken as it is",
    };
    Ok(format!("{url} has {}, as the template says{partly}", names.join(", ")))
}

/// A header's value with single blanks: templates wrap long ones.
fn one_line(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The headers that the site's default behavior adds by a policy of the same template, in lower case, with their values.
fn headers(published: &Published<'_>) -> Vec<(String, Expected)> {
    let template = published.stack.template();
    let Some(config) = published.policy().filter(|policy| Template::type_of(policy) == POLICY) else {
        return Vec::new();
    };
    let config = config
        .get("Properties")
        .and_then(|properties| properties.get("ResponseHeadersPolicyConfig"));
    let config = published.stack.expected(config.unwrap_or(&Value::Null));
    let security = config.get("SecurityHeadersConfig");
    let text = |group: &str, key: &str| security?.get(group)?.get(key).cloned();
    let is_on = |group: &str, key: &str| {
        text(group, key)
            .and_then(|on| on.known_text())
            .is_some_and(|on| on == "true")
    };
    let plain = |text: &str| Expected::of(template, &Value::from(text), &published.stack.scope);
    let mut headers = Vec::new();
    if security
        .and_then(|security| security.get("ContentTypeOptions"))
        .is_some()
    {
        headers.push(("x-content-type-options".to_owned(), plain("nosniff")));
    }
    if let Some(seconds) = text("StrictTransportSecurity", "AccessControlMaxAgeSec").and_then(|text| text.known_text())
    {
        let mut value = format!("max-age={seconds}");
        for (key, word) in [("IncludeSubdomains", "; includeSubDomains"), ("Preload", "; preload")] {
            if is_on("StrictTransportSecurity", key) {
                value.push_str(word);
            }
        }
        headers.push(("strict-transport-security".to_owned(), plain(&value)));
    }
    for (group, key, name) in [
        ("FrameOptions", "FrameOption", "x-frame-options"),
        ("ReferrerPolicy", "ReferrerPolicy", "referrer-policy"),
        (
            "ContentSecurityPolicy",
            "ContentSecurityPolicy",
            "content-security-policy",
        ),
    ] {
        headers.extend(text(group, key).map(|value| (name.to_owned(), value)));
    }
    let custom = config
        .get("CustomHeadersConfig")
        .and_then(|custom| custom.get("Items"))
        .map(Expected::items);
    headers.extend(custom.unwrap_or_default().into_iter().filter_map(|item| {
        Some((
            item.get("Header")?.known_text()?.to_lowercase(),
            item.get("Value")?.clone(),
        ))
    }));
    headers
}
