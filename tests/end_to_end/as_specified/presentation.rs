//! The buckets, the distribution and the site.

use serde_json::{Value, json};

use crate::support::{Clients, Emulator, Project, document, http};

const BUCKET: &str = "three-tier-prod-site-000000000000-us-east-1";
const ARTIFACTS: &str = "three-tier-prod-artifacts-000000000000-us-east-1";

pub(super) async fn buckets(clients: &Clients, emulator: &Emulator) {
    for bucket in [BUCKET, ARTIFACTS] {
        let block = clients
            .s3
            .get_public_access_block()
            .bucket(bucket)
            .send()
            .await
            .expect("a block");
        let block = block.public_access_block_configuration().expect("a block");
        assert_eq!(
            [
                block.block_public_acls(),
                block.block_public_policy(),
                block.ignore_public_acls(),
                block.restrict_public_buckets()
            ],
            [Some(true); 4],
            "{bucket}"
        );
        let versioning = clients
            .s3
            .get_bucket_versioning()
            .bucket(bucket)
            .send()
            .await
            .expect("versioning");
        assert_eq!(versioning.status().map(|s| s.as_str()), Some("Enabled"), "{bucket}");
        let encryption = clients
            .s3
            .get_bucket_encryption()
            .bucket(bucket)
            .send()
            .await
            .expect("encryption");
        let rule = &encryption
            .server_side_encryption_configuration()
            .expect("rules")
            .rules()[0];
        let algorithm = rule
            .apply_server_side_encryption_by_default()
            .expect("a default")
            .sse_algorithm();
        assert_eq!(algorithm.as_str(), "AES256", "{bucket}");
        let ownership = clients
            .s3
            .get_bucket_ownership_controls()
            .bucket(bucket)
            .send()
            .await
            .expect("ownership");
        let rules = ownership.ownership_controls().expect("rules").rules();
        assert_eq!(rules[0].object_ownership().as_str(), "BucketOwnerEnforced", "{bucket}");
        let unsigned = http::get(&format!("{}/{bucket}/index.html", emulator.endpoint())).expect("an answer");
        assert_eq!(unsigned.status, 403, "an unsigned read of {bucket}: {}", unsigned.body);
    }
    let there = clients.s3.head_object().bucket(BUCKET).key("index.html").send().await;
    assert!(there.is_ok(), "what is 403 unsigned is there");
}

/// Returns the site's origin.
pub(super) async fn distribution(clients: &Clients, document: &Value, emulator: &Emulator) -> String {
    let id = document::output(document, "DistributionId");
    let answer = clients
        .cloudfront
        .get_distribution()
        .id(id)
        .send()
        .await
        .expect("the distribution");
    let distribution = answer.distribution().expect("a distribution");
    let config = distribution.distribution_config().expect("a configuration");
    assert!(config.enabled());
    assert_eq!(config.default_root_object(), Some("index.html"));
    assert_eq!(config.http_version().map(|v| v.as_str()), Some("http2and3"));
    assert_eq!(config.is_ipv6_enabled(), Some(true));
    assert_eq!(config.price_class().map(|c| c.as_str()), Some("PriceClass_100"));
    let behavior = config.default_cache_behavior().expect("a behaviour");
    assert_eq!(behavior.cache_policy_id(), Some("658327ea-f89d-4fab-a63d-7e88639e58f6"));
    assert_eq!(behavior.compress(), Some(true));
    assert_eq!(
        behavior.viewer_protocol_policy().as_str(),
        "allow-all",
        "a local stage serves plain HTTP"
    );
    let errors = config.custom_error_responses().expect("error responses").items();
    let errors: Vec<_> = errors
        .iter()
        .map(|e| {
            (
                e.error_code(),
                e.response_code(),
                e.response_page_path(),
                e.error_caching_min_ttl(),
            )
        })
        .collect();
    assert_eq!(
        errors,
        [403, 404].map(|code| (code, Some("404"), Some("/404.html"), Some(5))),
        "a missing page is a 404, and not for long"
    );
    let api = document::api_url(document);
    headers_policy(clients, behavior.response_headers_policy_id().expect("a policy"), api).await;
    let mut methods: Vec<&str> = behavior
        .allowed_methods()
        .expect("methods")
        .items()
        .iter()
        .map(aws_sdk_cloudfront::types::Method::as_str)
        .collect();
    methods.sort_unstable();
    assert_eq!(methods, ["GET", "HEAD"]);
    let functions = behavior
        .function_associations()
        .map_or(0, |functions| functions.quantity());
    assert_eq!(
        functions, 0,
        "a site that needs no function costs nothing more a request"
    );
    let origins = config.origins().expect("origins").items();
    assert_eq!(origins.len(), 1);
    assert_eq!(
        origins[0].domain_name(),
        format!("{BUCKET}.s3.us-east-1.amazonaws.com"),
        "regional"
    );
    assert_eq!(
        origins[0].s3_origin_config().map(|s3| s3.origin_access_identity()),
        Some("")
    );
    let control = clients
        .cloudfront
        .get_origin_access_control()
        .id(origins[0].origin_access_control_id().expect("an access control"))
        .send()
        .await
        .expect("the access control");
    let control = control
        .origin_access_control()
        .and_then(|c| c.origin_access_control_config())
        .expect("a configuration");
    assert_eq!(
        [
            control.origin_access_control_origin_type().as_str(),
            control.signing_behavior().as_str(),
            control.signing_protocol().as_str()
        ],
        ["s3", "always", "sigv4"]
    );

    let policy = clients
        .s3
        .get_bucket_policy()
        .bucket(BUCKET)
        .send()
        .await
        .expect("a policy");
    let policy: Value = serde_json::from_str(policy.policy().expect("a policy")).expect("JSON");
    let statements = policy["Statement"].as_array().expect("statements");
    let allowed: Vec<&Value> = statements.iter().filter(|s| s["Effect"] == "Allow").collect();
    assert_eq!(allowed.len(), 1, "{policy}");
    assert_eq!(
        allowed[0]["Principal"],
        json!({ "Service": "cloudfront.amazonaws.com" })
    );
    assert_eq!(allowed[0]["Action"], "s3:GetObject");
    assert_eq!(allowed[0]["Resource"], format!("arn:aws:s3:::{BUCKET}/*"));
    assert_eq!(
        allowed[0]["Condition"],
        json!({ "StringEquals": { "AWS:SourceArn": format!("arn:aws:cloudfront::000000000000:distribution/{id}") } })
    );
    let label = distribution.domain_name().split('.').next().expect("a label");
    format!("http://{label}.cloudfront.localhost:{}", emulator.port())
}

/// The content security policy of a site whose API is at `api_url`.
fn content_security_policy(api_url: &str) -> String {
    let api = api_url.split('/').take(3).collect::<Vec<_>>().join("/");
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; connect-src 'self' {api}"
    )
}

async fn headers_policy(clients: &Clients, id: &str, api_url: &str) {
    let found = clients.cloudfront.get_response_headers_policy().id(id).send().await;
    let found = found.expect("the policy");
    let policy = found.response_headers_policy().expect("a policy");
    let config = policy.response_headers_policy_config().expect("a configuration");
    assert_eq!(config.name(), "three-tier-prod-us-east-1");
    let security = config.security_headers_config().expect("security headers");
    let https = security.strict_transport_security().expect("HSTS");
    assert_eq!(
        (https.r#override(), https.access_control_max_age_sec()),
        (true, 31_536_000)
    );
    assert!(security.content_type_options().expect("nosniff").r#override());
    let frames = security.frame_options().expect("frame options");
    assert_eq!((frames.r#override(), frames.frame_option().as_str()), (true, "DENY"));
    let referrer = security.referrer_policy().expect("a referrer policy");
    assert_eq!(
        (referrer.r#override(), referrer.referrer_policy().as_str()),
        (true, "no-referrer")
    );
    let content = security.content_security_policy().expect("a CSP");
    assert_eq!(
        (content.r#override(), content.content_security_policy()),
        (true, content_security_policy(api_url).as_str())
    );
    // The emulator goes through all of a stack's resources at an update; AWS through those that a parameter reaches.
    let template = super::deployed_template(clients, "three-tier-prod-presentation").await;
    let resources = template["Resources"].as_object().expect("resources");
    let reached: Vec<&String> = resources
        .iter()
        .filter(|(_, resource)| resource.to_string().contains("ApiOrigin"))
        .map(|(id, _)| id)
        .collect();
    assert_eq!(reached, ["ResponseHeaders"], "a new API doesn't touch the distribution");
}

pub(super) fn site(document: &Value) {
    let url = document::site_url(document);
    let csp = content_security_policy(document::api_url(document));
    for (path, status) in [("", 200), ("script.js", 200), ("no/such/page", 404)] {
        let answer = http::get(&format!("{url}{path}")).expect("an answer");
        assert_eq!(answer.status, status, "{path}");
        for (header, value) in [
            ("Content-Security-Policy", csp.as_str()),
            ("Strict-Transport-Security", "max-age=31536000"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(header), Some(value), "{header} of /{path}");
        }
        assert_eq!(
            answer.body.contains("<h1>Page not found</h1>"),
            status == 404,
            "/{path}"
        );
    }
    for (path, kind) in [
        ("", "text/html; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("script.js", "text/javascript; charset=utf-8"),
        ("config.json", "application/json; charset=utf-8"),
    ] {
        let answer = http::get(&format!("{url}{path}")).expect("an answer");
        assert_eq!(
            (answer.status, answer.header("Content-Type")),
            (200, Some(kind)),
            "{path}"
        );
    }
    let config = http::get(&format!("{url}config.json")).expect("an answer").json();
    assert_eq!(config["apiUrl"], document::api_url(document));
}

/// What a local stage leaves out, the template itself has: the redirect to HTTPS and the refusal of plain HTTP.
#[tokio::test]
async fn on_aws_the_site_is_served_and_read_over_tls_only() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let clients = Clients::root(&emulator.endpoint());
    let parameter = |key: &str, value: &str| {
        aws_sdk_cloudformation::types::Parameter::builder()
            .parameter_key(key)
            .parameter_value(value)
            .build()
    };
    clients
        .cloudformation
        .create_stack()
        .stack_name("as-it-is")
        .template_body(project.read("stacks/presentation.yaml"))
        .parameters(parameter("Project", "three-tier"))
        .parameters(parameter("Stage", "prod"))
        .send()
        .await
        .expect("the template alone is enough");
    let stack = loop {
        let answer = clients
            .cloudformation
            .describe_stacks()
            .stack_name("as-it-is")
            .send()
            .await
            .expect("the stack");
        let stack = answer.stacks()[0].clone();
        match stack.stack_status().map(|s| s.as_str()) {
            Some("CREATE_IN_PROGRESS") => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            Some("CREATE_COMPLETE") => break stack,
            other => panic!("{other:?}"),
        }
    };
    let output = |key: &str| {
        stack
            .outputs()
            .iter()
            .find(|o| o.output_key() == Some(key))
            .and_then(|o| o.output_value())
            .expect("an output")
            .to_owned()
    };
    let found = clients
        .cloudfront
        .get_distribution()
        .id(output("DistributionId"))
        .send()
        .await
        .expect("it");
    let policy = found
        .distribution()
        .and_then(|d| d.distribution_config())
        .and_then(|c| c.default_cache_behavior())
        .map(|b| b.viewer_protocol_policy().as_str().to_owned());
    assert_eq!(policy.as_deref(), Some("redirect-to-https"));
    let policy = clients
        .s3
        .get_bucket_policy()
        .bucket(output("SiteBucket"))
        .send()
        .await
        .expect("a policy");
    let policy: Value = serde_json::from_str(policy.policy().expect("a policy")).expect("JSON");
    let denied = policy["Statement"]
        .as_array()
        .and_then(|all| all.iter().find(|s| s["Effect"] == "Deny"))
        .expect("a denial");
    assert_eq!(
        denied["Condition"],
        json!({ "Bool": { "aws:SecureTransport": "false" } })
    );
    assert_eq!(
        denied["Resource"].as_array().map(Vec::len),
        Some(2),
        "the bucket and its objects"
    );
}
