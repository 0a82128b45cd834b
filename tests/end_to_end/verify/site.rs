//! The site as visitors get it.

use std::collections::BTreeSet;

use aws_sdk_cloudfront::types::{
    DistributionConfig, ResponseHeadersPolicySecurityHeadersConfig as SecurityHeaders, ViewerProtocolPolicy,
};
use aws_sdk_s3::primitives::ByteStream;

use super::{STAGE, Stage, checks, names};
use crate::support::{Emulator, Project, Proxy, answers};

async fn put(stage: &Stage, key: &str, text: &str, kind: &str) {
    let put = stage.clients.s3.put_object().bucket(stage.site_bucket()).key(key);
    put.body(ByteStream::from(text.as_bytes().to_vec()))
        .content_type(kind)
        .send()
        .await
        .expect("put");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_with_a_file_that_is_stale_missing_or_of_another_type() {
    let stage = Stage::deployed();
    let style = stage.project.read("site/style.css");
    put(&stage, "style.css", "body {}", "text/css; charset=utf-8").await;
    stage.caught(
        &[&stage.of_site("site-files")],
        &[
            "the published style.css isn't the file of the project's site/",
            "--only site",
        ],
    );
    put(&stage, "style.css", &style, "text/plain").await;
    stage.caught(
        &[&stage.of_site("site-files")],
        &["style.css has the content-type `text/plain`"],
    );
    let delete = stage.clients.s3.delete_object().bucket(stage.site_bucket());
    delete.key("style.css").send().await.expect("deleted");
    stage.caught(&[&stage.of_site("site-files")], &["style.css isn't published"]);
    for name in ["index.html", "script.js", "favicon.svg"] {
        put(&stage, name, "other", "text/plain").await;
    }
    stage.caught(
        &[&stage.of_site("site-files")],
        &["the published favicon.svg isn't", "; and 1 more"],
    );
    let up = ["up", "--stage", STAGE, "--only", "site"];
    stage.project.deployer(&stage.emulator.endpoint(), &up).success();
    stage.verify_at(&stage.emulator.endpoint(), &[]).success();

    let right = serde_json::json!({ "apiUrl": stage.output("logic", "ApiUrl") }).to_string();
    put(
        &stage,
        "config.json",
        r#"{"apiUrl":"https://other.example/users"}"#,
        "application/json",
    )
    .await;
    stage.caught(
        &[&stage.of_site("site-config")],
        &["https://other.example/users", &format!("instead of {right}")],
    );
    put(&stage, "config.json", &right, "text/plain").await;
    stage.caught(
        &[&stage.of_site("site-config")],
        &["calls itself `text/plain`", "aws s3 rm"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_without_its_first_page_or_in_plain_http() {
    let (stage, proxy) = Stage::behind_a_proxy();
    let cloudfront = &stage.clients.cloudfront;
    let id = stage.distribution();
    let is = cloudfront.get_distribution_config().id(&id).send().await.expect("it");
    let mut config = is.distribution_config.expect("a configuration");
    config.default_root_object = Some(String::new());
    let update = cloudfront.update_distribution().id(&id).set_if_match(is.e_tag);
    update
        .distribution_config(config.clone())
        .send()
        .await
        .expect("changed");
    stage.caught_at(&proxy.endpoint(), &[&stage.of_site("site-files")], &["/ answers 4"]);

    config.default_root_object = Some("index.html".to_owned());
    let set = async |config: DistributionConfig| {
        let is = cloudfront.get_distribution_config().id(&id).send().await.expect("it");
        let update = cloudfront.update_distribution().id(&id).set_if_match(is.e_tag);
        update.distribution_config(config).send().await.expect("changed");
    };
    set(config.clone()).await;
    stage.verify_at(&proxy.endpoint(), &[]).success();

    // Off AWS every template has allow-all. The emulator then refuses plain HTTP, and nobody gets anything of the site.
    let behavior = config.default_cache_behavior.as_mut().expect("one");
    behavior.viewer_protocol_policy = ViewerProtocolPolicy::HttpsOnly;
    set(config).await;
    let all = [
        "site-https",
        "site-files",
        "site-addresses",
        "site-headers",
        "site-config",
    ]
    .map(|check| stage.of_site(check));
    stage.caught_at(
        &proxy.endpoint(),
        &all.each_ref().map(String::as_str),
        &[
            "the ViewerProtocolPolicy of",
            "is https-only, and the template has allow-all",
        ],
    );
}

#[test]
fn a_large_file_is_not_fetched_to_be_judged() {
    let (stage, proxy) = Stage::behind_a_proxy();
    let large = vec![b'x'; 9 << 20];
    std::fs::write(stage.project.path().join("site/film.bin"), &large).expect("written");
    let up = ["up", "--stage", STAGE, "--only", "site", "--no-verify"];
    stage.project.deployer(&proxy.endpoint(), &up).success();
    proxy.take();
    let ran = stage.verify_at(&proxy.endpoint(), &["--only", "site"]).success();
    assert_eq!(ran.json()["verified"], true);
    let asked = proxy.take();
    let methods: Vec<&str> = asked
        .iter()
        .filter(|seen| seen.path == "/film.bin")
        .map(|seen| seen.method.as_str())
        .collect();
    assert_eq!(methods, ["HEAD"]);
}

#[test]
fn a_site_whose_distribution_may_not_be_looked_at() {
    let (stage, proxy) = Stage::behind_a_proxy();
    proxy.rule(|seen| {
        let denied = seen.method == "GET" && seen.path.contains("/distribution/");
        denied.then(|| {
            answers::refusal(
                403,
                "AccessDenied",
                "not authorized to perform: cloudfront:GetDistribution",
            )
        })
    });
    let ran = stage.verify_at(&proxy.endpoint(), &["--only", "site"]).success();
    assert_eq!(
        names(&checks(&ran), "passed").len(),
        5,
        "the site itself can be looked at"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_without_its_security_headers() {
    let stage = Stage::deployed();
    let cloudfront = &stage.clients.cloudfront;
    let distribution = cloudfront
        .get_distribution()
        .id(stage.distribution())
        .send()
        .await
        .expect("it");
    let config = distribution
        .distribution
        .and_then(|it| it.distribution_config)
        .expect("a configuration");
    let policy = config
        .default_cache_behavior
        .and_then(|behaviour| behaviour.response_headers_policy_id);
    let policy = policy.expect("a policy");
    let is = cloudfront
        .get_response_headers_policy_config()
        .id(&policy)
        .send()
        .await
        .expect("it");
    let config = is.response_headers_policy_config.expect("a configuration");
    let security = config.security_headers_config.clone().expect("headers");
    let set = async |security: SecurityHeaders| {
        let etag = cloudfront
            .get_response_headers_policy_config()
            .id(&policy)
            .send()
            .await
            .expect("it")
            .e_tag;
        let mut config = config.clone();
        config.security_headers_config = Some(security);
        let update = cloudfront
            .update_response_headers_policy()
            .id(&policy)
            .set_if_match(etag);
        update
            .response_headers_policy_config(config)
            .send()
            .await
            .expect("changed");
    };
    let mut lacking = security.clone();
    lacking.frame_options = None;
    set(lacking).await;
    stage.caught(&[&stage.of_site("site-headers")], &["x-frame-options"]);
    let mut wide = security.clone();
    let csp = wide.content_security_policy.as_mut().expect("a policy");
    csp.content_security_policy = csp
        .content_security_policy
        .replace("connect-src 'self'", "connect-src *");
    set(wide).await;
    stage.caught(&[&stage.of_site("site-headers")], &["connect-src"]);
    let mut other = security;
    let csp = other.content_security_policy.as_mut().expect("a policy");
    csp.content_security_policy = csp.content_security_policy.replace("execute-api", "other-api");
    set(other).await;
    stage.caught(
        &[&stage.of_site("site-headers")],
        &["other-api", "response headers policy"],
    );
}

/// CloudFront remembers for a while that something isn't there, also when it has come since.
#[test]
fn what_is_not_published_is_not_asked_for() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    for part in ["data", "presentation", "logic"] {
        let up = ["up", "--stage", STAGE, "--only", part, "--no-verify"];
        project.deployer(&proxy.endpoint(), &up).success();
    }
    let verify = [
        "verify",
        "--stage",
        STAGE,
        "--only",
        "site",
        "--timeout",
        "2",
        "--output",
        "json",
    ];
    let ran = project.deployer(&proxy.endpoint(), &verify);
    let checks = checks(&ran);
    let https = checks
        .iter()
        .find(|check| check["check"] == "site-https")
        .expect("told");
    let site = https["resource"].as_str().expect("an address");
    assert_eq!(names(&checks, "failed"), BTreeSet::from([format!("site-files {site}")]));
    assert_eq!(names(&checks, "notProven").len(), 3, "{checks:#?}");
    let from_bucket: Vec<String> = proxy.take().into_iter().map(|seen| seen.path).collect();
    let pages = from_bucket
        .iter()
        .filter(|path| path.contains("config.json") || path.contains("index.html"));
    assert_eq!(pages.collect::<Vec<_>>(), Vec::<&String>::new());
}
