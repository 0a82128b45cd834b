//! The local cloud lets nobody in but its owner: attacks on a running one, as a web page, another user or a tool that
//! knows the emulator's own keys would try them.

mod forms;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use sha2::{Digest as _, Sha256};

use crate::support::http::{self, Answer};
use crate::support::project::repository;
use crate::support::{Clients, Deployer, Emulator, Port, Project, document, emulator, function, tools};

const CREATE_ROLE: &str = "Action=CreateRole&Version=2010-05-08&RoleName=mine&AssumeRolePolicyDocument=%7B%7D";
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const KNOWN: &str =
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0";

/// A local cloud with the app in it.
struct Scene {
    emulator: Emulator,
    clients: Clients,
    site: String,
    api: String,
}

impl Scene {
    fn new() -> Self {
        let emulator = Emulator::start();
        let up = Project::copy()
            .deployer(&emulator.endpoint(), &["up", "--stage", "dev", "--output", "json"])
            .success()
            .json();
        Self {
            clients: Clients::root(&emulator.endpoint()),
            site: document::site_url(&up).to_owned(),
            api: document::api_url(&up).to_owned(),
            emulator,
        }
    }

    fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        http::raw(self.emulator.port(), method, target, headers, body).expect("an answer")
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.emulator.port())
    }

    /// The guard's own refusal, so that no service answers in its place.
    #[track_caller]
    fn refused(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) {
        refused(self.emulator.port(), method, target, headers, body);
    }

    /// An address that proves who the owner is to whom it is given, by AWS's SDK for Python.
    fn presigned_identity(&self) -> String {
        let script = "import boto3, sys\n\
                      endpoint, key, secret = sys.argv[1:]\n\
                      sts = boto3.client('sts', endpoint_url=endpoint, region_name='us-east-1',\n \
                      aws_access_key_id=key, aws_secret_access_key=secret)\n\
                      print(sts.generate_presigned_url('get_caller_identity', HttpMethod='GET'))";
        let url = self.emulator.told_by(script);
        let target = url.splitn(4, '/').nth(3).map(|rest| format!("/{rest}"));
        target.unwrap_or_else(|| panic!("{url}"))
    }

    /// What an attack would have changed, by the services' own lists.
    async fn contents(&self) -> BTreeMap<&'static str, Vec<String>> {
        let roles = self.clients.iam.list_roles().send().await.expect("roles");
        let functions = self.clients.lambda.list_functions().send().await.expect("functions");
        let buckets = self.clients.s3.list_buckets().send().await.expect("buckets");
        let stacks = self
            .clients
            .cloudformation
            .describe_stacks()
            .send()
            .await
            .expect("stacks");
        let named = |names: Vec<Option<&str>>| {
            let mut names: Vec<String> = names.into_iter().flatten().map(str::to_owned).collect();
            names.sort();
            names
        };
        BTreeMap::from([
            (
                "roles",
                named(roles.roles().iter().map(|r| Some(r.role_name())).collect()),
            ),
            (
                "functions",
                named(functions.functions().iter().map(|f| f.function_name()).collect()),
            ),
            ("buckets", named(buckets.buckets().iter().map(|b| b.name()).collect())),
            (
                "stacks",
                named(stacks.stacks().iter().map(|s| s.stack_name()).collect()),
            ),
        ])
    }
}

#[track_caller]
fn refused(port: u16, method: &str, target: &str, headers: &[(&str, &str)], body: &str) {
    let answer = http::raw(port, method, target, headers, body).expect("an answer");
    assert_eq!(answer.status, 403, "{method} {target} {headers:?}: {}", answer.body);
    let by_guard = answer.body.contains("Refused by the guard of deployer's local cloud");
    assert!(by_guard, "{method} {target} {headers:?}: {}", answer.body);
    assert_eq!(
        answer.header("Access-Control-Allow-Origin"),
        None,
        "no page may read it"
    );
}

fn host_of(url: &str) -> &str {
    url.split('/').nth(2).expect("a host")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_web_page_can_send_reaches_the_app_and_nothing_else() {
    let scene = Scene::new();
    let before = scene.contents().await;
    let (host, site, api) = (scene.host(), host_of(&scene.site), host_of(&scene.api));
    let local = format!("localhost:{}", scene.emulator.port());
    let key = scene.emulator.keys().id;
    let owners = format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0"
    );
    let marks: [&[(&str, &str)]; 7] = [
        &[("Origin", "https://evil.example")],
        &[("Origin", "null")],
        &[("Origin", &scene.site)],
        &[("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")],
        &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
        &[("Sec-Fetch-Dest", "image")],
        &[("Referer", "https://evil.example/")],
    ];
    for mark in marks {
        for host in [&host, &local] {
            let with = |more: &[(&str, &str)]| -> Vec<(String, String)> {
                let all = [("Host", host.as_str())].into_iter().chain(mark.iter().copied());
                all.chain(more.iter().copied())
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect()
            };
            let send = |method: &str, target: &str, more: &[(&str, &str)], body: &str| {
                let headers = with(more);
                let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                scene.refused(method, target, &headers, body);
            };
            send("POST", "/", &[FORM], CREATE_ROLE);
            send("POST", "/", &[("Content-Type", "text/plain")], CREATE_ROLE);
            send("POST", "/", &[FORM, ("Authorization", KNOWN)], CREATE_ROLE);
            send("POST", "/", &[FORM, ("Authorization", &owners)], CREATE_ROLE);
            send(
                "POST",
                "/?X-Amz-Credential=test/20260101/us-east-1/iam/aws4_request",
                &[FORM],
                CREATE_ROLE,
            );
            send("POST", "/2015-03-31/functions/", &[], "{}");
            send("GET", "/?Action=ListUsers&AWSAccessKeyId=test", &[], "");
            send("GET", "/three-tier-dev-site-000000000000-us-east-1/index.html", &[], "");
            send("PUT", "/a-bucket", &[], "");
            send("OPTIONS", "/", &[("Access-Control-Request-Method", "POST")], "");
            for path in EMULATOR_PATHS {
                send("GET", path, &[], "");
                send("POST", path, &[], "");
            }
        }
    }
    // The app's own addresses: neither the emulator's paths, nor anything signed.
    for host in [site, api] {
        for mark in marks {
            let headers = |more: &[(&'static str, String)]| -> Vec<(String, String)> {
                let all = [("Host", host.to_owned())].into_iter().chain(more.iter().cloned());
                let mark = mark.iter().map(|(name, value)| (*name, (*value).to_owned()));
                all.chain(mark).map(|(name, value)| (name.to_owned(), value)).collect()
            };
            for (target, more) in [
                ("/_ministack/reset", vec![]),
                ("/_aws/execute-api/00000000/dev/users", vec![]),
                ("/", vec![("Authorization", KNOWN.to_owned())]),
                ("/", vec![("Authorization", owners.clone())]),
                (
                    "/?X-Amz-Credential=test%2F20260101%2Fus-east-1%2Fiam%2Faws4_request",
                    vec![],
                ),
                ("/?AWSAccessKeyId=test&Signature=x", vec![]),
            ] {
                let headers = headers(&more);
                let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                scene.refused("GET", target, &headers, "");
                scene.refused("POST", target, &headers, "x=1");
            }
        }
    }
    assert_eq!(scene.contents().await, before);

    // As before: the page, its API, and the preflight of what the page sends.
    let page = [
        ("Origin", scene.site.trim_end_matches('/')),
        ("Sec-Fetch-Site", "same-site"),
        ("Sec-Fetch-Mode", "cors"),
    ];
    let answer = http::request("GET", &format!("{}?userId=1", scene.api), &page).expect("an answer");
    assert_eq!(
        (answer.status, answer.json()["name"].as_str()),
        (200, Some("Test User"))
    );
    let asks = [
        page[0],
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "content-type"),
    ];
    let answer = http::request("OPTIONS", &scene.api, &asks).expect("an answer");
    let allowed = answer.header("Access-Control-Allow-Origin").map(str::to_owned);
    assert_eq!(
        (answer.status, allowed.as_deref()),
        (200, Some(page[0].1)),
        "{}",
        answer.body
    );
    let answer = http::request("GET", &scene.site, &[("Sec-Fetch-Mode", "navigate")]).expect("an answer");
    assert!(answer.status == 200 && answer.body.contains("<html"), "{}", answer.body);
}

/// Every path that ministack keeps for itself, and one that it doesn't know.
const EMULATOR_PATHS: [&str; 20] = [
    "/_ministack/health",
    "/_ministack/ready",
    "/_ministack/reset",
    "/_ministack/config",
    "/_ministack/cfn-response/0123456789abcdef",
    "/_ministack/cfn-signal/0123456789abcdef",
    "/_ministack/eks-auth/x",
    "/_ministack/elasticache/ca.pem",
    "/_ministack/iot/ca.pem",
    "/_ministack/lambda-code/000000000000/us-east-1/retrieve-user-data-dev",
    "/_ministack/lambda-layers/000000000000/us-east-1/x/1/content",
    "/_ministack/rds/ca.pem",
    "/_ministack/rds/iam-auth",
    "/_ministack/ses/messages",
    "/_ministack/sns/sms-messages",
    "/_ministack/sqs/messages",
    "/_localstack/health",
    "/_aws/lambda-url/0123456789abcdef0123456789abcdef/",
    "/_alb/x/",
    "/_",
];

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_and_unsigned_requests_are_refused() {
    let scene = Scene::new();
    let before = scene.contents().await;
    let port = scene.emulator.port();
    let (own, site) = (scene.host(), host_of(&scene.site).to_owned());
    for host in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("rebind.evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("evil.example.localhost.:{port}"),
        format!("{own}.evil.example"),
        format!("evil@127.0.0.1:{port}"),
        format!("0.0.0.0:{port}"),
        format!("127.0.0.2:{port}"),
        format!("d111111abcdef8.cloudfront.net:{port}"),
        format!("{site}, evil.example"),
        String::new(),
    ] {
        for target in ["/", "/_ministack/health", "/index.html", "/dev/users?userId=1"] {
            scene.refused("GET", target, &[("Host", &host)], "");
        }
        scene.refused(
            "POST",
            "/",
            &[("Host", &host), FORM, ("Authorization", KNOWN)],
            CREATE_ROLE,
        );
    }
    // HTTP itself has one name a request.
    assert_eq!(
        scene
            .ask("GET", "/", &[("Host", &own), ("Host", "evil.example")], "")
            .status,
        400
    );

    let host = ("Host", own.as_str());
    for path in EMULATOR_PATHS {
        for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS"] {
            let open = method == "GET" && (path.ends_with("/health") || path.ends_with("/ready"))
                || method == "PUT" && path.contains("/cfn-");
            if !open || path.starts_with("/_localstack") {
                scene.refused(method, path, &[host], "");
                scene.refused(method, path, &[host, ("Authorization", KNOWN)], "");
            }
        }
    }
    // A wait condition's address is its own key: nobody has this one.
    let nobodys = scene.ask("PUT", "/_ministack/cfn-signal/0123456789abcdef", &[host], "");
    assert_eq!(nobodys.status, 404, "{}", nobodys.body);
    assert_eq!(scene.ask("GET", "/_ministack/health", &[host], "").status, 200);

    // Without a key nothing of the services answers. A bucket's own policy decides who reads it, and this one's says no.
    scene.refused("POST", "/", &[host, FORM], CREATE_ROLE);
    scene.refused(
        "POST",
        "/",
        &[host, ("X-Amz-Target", "DynamoDB_20120810.Scan")],
        "{\"TableName\":\"UserData-dev\"}",
    );
    scene.refused("GET", "/", &[host], "");
    scene.refused("GET", "/health", &[host], "");
    scene.refused("GET", "/2015-03-31/functions/", &[host], "");
    scene.refused("GET", "/restapis", &[host], "");
    scene.refused("GET", "/2020-05-31/distribution", &[host], "");
    scene.refused("PUT", "/a-bucket", &[host], "");
    let bucket = "/three-tier-dev-site-000000000000-us-east-1";
    for target in ["", "/index.html", "/new", "/index.html?acl"] {
        scene.refused("PUT", &format!("{bucket}{target}"), &[host], "x");
        scene.refused("DELETE", &format!("{bucket}{target}"), &[host], "");
    }
    for target in [
        "",
        "/",
        "/?list-type=2",
        "?policy",
        "?versions",
        "/index.html",
        "/index.html?acl",
        "/nothing",
    ] {
        let answer = scene.ask("GET", &format!("{bucket}{target}"), &[host], "");
        assert!(
            answer.status == 403 && answer.body.contains("AccessDenied"),
            "{target}: {}",
            answer.body
        );
    }

    // Another `Authorization` than a signature makes nobody of anybody, and a body or a bucket's name lead nowhere else.
    let bearer = ("Authorization", "Bearer x");
    for operation in ["ListUserPools", "CreateUserPool", "SignUp"] {
        let target = format!("AWSCognitoIdentityProviderService.{operation}");
        scene.refused(
            "POST",
            "/",
            &[host, bearer, ("X-Amz-Target", &target)],
            "{\"MaxResults\":1}",
        );
    }
    let unsigned = ("X-Amz-Target", "AWSCognitoIdentityProviderService.ListUserPools");
    scene.refused("POST", "/", &[host, unsigned], "{\"MaxResults\":1}");
    scene.refused("POST", "/", &[host, bearer, FORM], CREATE_ROLE);
    let alarm = "Action=DescribeAlarms&Version=2010-08-01";
    scene.refused("GET", bucket, &[host, FORM], alarm);
    scene.refused("GET", bucket, &[host, FORM, bearer], alarm);
    scene.refused("GET", bucket, &[host, bearer], "");
    let at_bucket = format!("three-tier-dev-site-000000000000-us-east-1.localhost:{port}");
    for target in [
        "/v2/_catalog",
        "/v20180820/tags/x",
        "/health",
        "/iceberg/v1/config",
        "/Execute",
    ] {
        scene.refused("GET", target, &[("Host", &at_bucket)], "");
        scene.refused("GET", target, &[("Host", &at_bucket), bearer], "");
    }
    for service in ["emr", "efs", "alb", "s3-control", "iot", "sqs"] {
        let host = format!("x.{service}.localhost:{port}");
        scene.refused("GET", "/", &[("Host", &host)], "");
    }

    // An app's address as a way in: nothing answers there but the app.
    let api = host_of(&scene.api).to_owned();
    let unknown = format!("00000000.execute-api.localhost:{port}");
    let nowhere = format!("d0000000000000.cloudfront.localhost:{port}");
    for host in [&site, &api, &unknown, &nowhere] {
        for target in [
            "/_ministack/reset",
            "/_ministack/health",
            "/_localstack/x",
            "/_aws/x",
            "/_alb/x",
        ] {
            scene.refused("GET", target, &[("Host", host)], "");
            scene.refused("POST", target, &[("Host", host)], "");
        }
        let form = [("Host", host.as_str()), FORM];
        for target in [
            "/",
            "/health",
            "/2015-03-31/functions/",
            "/iceberg/v1/config",
            "/v2/email/identities",
            "/v2/",
        ] {
            let answer = scene.ask("GET", target, &form[..1], "");
            let app_says = answer.status != 200 || answer.body.contains("<html");
            assert!(app_says, "{host} {target}: {}", answer.body);
            let answer = scene.ask("POST", target, &form, CREATE_ROLE);
            assert_ne!(answer.status, 200, "{host} {target}: {}", answer.body);
        }
        let target = ("X-Amz-Target", "AWSCognitoIdentityProviderService.ListUserPools");
        let answer = scene.ask("POST", "/", &[("Host", host), target], "{\"MaxResults\":1}");
        assert_ne!(answer.status, 200, "{host}: {}", answer.body);
    }
    assert_eq!(scene.contents().await, before);
}

/// This moment as signatures have it.
fn stamp() -> String {
    let now = aws_smithy_types::DateTime::from(std::time::SystemTime::now());
    let text = now.fmt(aws_smithy_types::date_time::Format::DateTime).expect("a date");
    let digits: String = text
        .split('.')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|c| !"-:Z".contains(*c))
        .collect();
    format!("{digits}Z")
}

/// How ministack makes a function's keys when nobody keeps it from it: anybody can work them out.
fn computed_keys(function: &str, role: &str) -> Credentials {
    let hash = |text: String| {
        Sha256::digest(text)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let digest = hash(format!(
        "arn:aws:lambda:us-east-1:000000000000:function:{function}:arn:aws:iam::000000000000:role/{role}"
    ));
    let id = format!("ASIA{}", digest[..16].to_uppercase());
    Credentials::new(
        id,
        hash(format!("secret:{digest}")),
        Some(hash(format!("token:{digest}"))),
        None,
        "computed",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn only_keys_that_were_issued_open_anything() {
    let scene = Scene::new();
    let url = format!("{}?userId=1", scene.api);
    assert_eq!(
        http::get(&url).expect("an answer").status,
        200,
        "so the function has its keys"
    );
    let keys = scene.emulator.keys();
    let own = |id: &str, secret: &str| Credentials::new(id, secret, None, None, "guessed");
    for credentials in [
        own("test", "test"),
        own("test", &keys.secret),
        own("", "test"),
        own("000000000000", "test"),
        own("123456789012", "test"),
        own("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        own(&keys.id.to_lowercase(), &keys.secret),
        own(&keys.id, "test"),
        own(&keys.id, ""),
        computed_keys("retrieve-user-data-dev", "three-tier-dev-function-us-east-1"),
    ] {
        let who = Clients::with(&scene.emulator.endpoint(), credentials.clone());
        macro_rules! refused {
            ($call:expr) => {{
                let error = $call.send().await.expect_err("refused");
                // CloudFront's refusal of a wrong signature isn't in the shape that the SDK reads.
                let code = match (error.code(), error.raw_response()) {
                    (None, Some(raw)) => raw.status().as_u16().to_string(),
                    (code, _) => code.unwrap_or_default().to_owned(),
                };
                let known = [
                    "403",
                    "InvalidClientTokenId",
                    "UnrecognizedClientException",
                    "SignatureDoesNotMatch",
                    "InvalidSignatureException",
                ];
                assert!(known.contains(&code.as_str()), "{credentials:?}: {error:?}");
            }};
        }
        refused!(who.iam.list_roles());
        refused!(who.lambda.list_functions());
        refused!(who.lambda.get_function().function_name("retrieve-user-data-dev"));
        refused!(who.s3.list_buckets());
        refused!(who.s3.create_bucket().bucket("mine"));
        refused!(who.dynamodb.scan().table_name("UserData-dev"));
        refused!(who.cloudformation.describe_stacks());
        refused!(who.cloudfront.list_distributions());
        refused!(who.apigateway.get_rest_apis());
        refused!(who.logs.describe_log_groups());
    }
    // Nor does a key's name without its secret, whatever form the signature has, or whoever else is said to ask.
    let host = ("Host", scene.host());
    let host = (host.0, host.1.as_str());
    let bearer = ("Authorization", "Bearer x");
    let day = &stamp()[..8];
    let presigned = |service: &str| {
        format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{day}%2Fus-east-1%2F{service}%2Faws4_request&\
             X-Amz-Date={}&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature={}",
            keys.id,
            stamp(),
            "0".repeat(64)
        )
    };
    let header = |service: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{day}/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature={}",
            keys.id,
            "0".repeat(64)
        )
    };
    let bucket = "/three-tier-dev-site-000000000000-us-east-1";
    for service in ["s3", "iam", "sts", "lambda", "execute-api"] {
        let query = presigned(service);
        scene.refused("POST", &format!("/?{query}"), &[host, FORM, bearer], CREATE_ROLE);
        scene.refused("POST", &format!("/?{query}"), &[host, FORM], CREATE_ROLE);
        scene.refused("GET", &format!("{bucket}/index.html?{query}"), &[host], "");
        scene.refused("GET", &format!("{bucket}?{query}"), &[host, FORM], CREATE_ROLE);
        scene.refused("GET", &format!("/v20180820/tags/x?{query}"), &[host], "");
        scene.refused("GET", &format!("/2015-03-31/functions/?{query}"), &[host, bearer], "");
        let authorization = header(service);
        let signed = ("Authorization", authorization.as_str());
        let date = stamp();
        for target in [
            "/",
            "/v2/_catalog",
            "/v20180820/tags/x",
            "/2015-03-31/functions/",
            bucket,
        ] {
            scene.refused("GET", target, &[host, signed, ("X-Amz-Date", &date)], "");
            scene.refused(
                "POST",
                target,
                &[host, signed, ("X-Amz-Date", &date), FORM],
                CREATE_ROLE,
            );
        }
    }
    let older = format!("AWS {}:AAAAAAAAAAAAAAAAAAAAAAAAAAA=", keys.id);
    scene.refused("GET", bucket, &[host, ("Authorization", &older)], "");
    let query = format!("AWSAccessKeyId={}&Signature=x&Expires=9999999999", keys.id);
    scene.refused("GET", &format!("{bucket}/index.html?{query}"), &[host], "");

    // An address that the owner signed for one purpose is for no other.
    let identity = scene.presigned_identity();
    assert_eq!(
        scene.ask("GET", &identity, &[host], "").status,
        200,
        "it proves who the owner is"
    );
    let empty = Sha256::digest("")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    let target = ("X-Amz-Target", "DynamoDB_20120810.ListTables");
    scene.refused("GET", &identity, &[host, target], "");
    scene.refused("GET", &identity, &[host, ("X-Amz-Content-Sha256", &empty)], "");
    scene.refused(
        "POST",
        &identity,
        &[host, target, ("X-Amz-Content-Sha256", &empty)],
        "{}",
    );
    scene.refused(
        "GET",
        &identity.replace("GetCallerIdentity", "GetSessionToken"),
        &[host],
        "",
    );

    // The right ones do; and with them a function's code is to be had, at an address that can't be made up.
    let function = scene
        .clients
        .lambda
        .get_function()
        .function_name("retrieve-user-data-dev");
    let function = function.send().await.expect("the owner's keys");
    let location = function.code().and_then(|code| code.location()).expect("an address");
    let target = location
        .splitn(4, '/')
        .nth(3)
        .map(|rest| format!("/{rest}"))
        .expect("a path");
    let code = scene.ask("GET", &target, &[host], "");
    assert!(code.status == 200 && code.body.starts_with("PK"), "{}", code.status);
    let (path, _) = target.split_once('?').expect("a query");
    scene.refused("GET", path, &[host], "");
    scene.refused(
        "GET",
        &target.replace("X-Amz-Signature=", "X-Amz-Signature=0"),
        &[host],
        "",
    );
    scene.refused("GET", &target.replace("retrieve-user-data-dev", "another"), &[host], "");
    scene.refused("GET", &target, &[host, ("Origin", "https://evil.example")], "");
}

/// A function's environment is Lambda's, and nothing of who started the local cloud.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_sees_nothing_of_the_user() {
    let emulator = Emulator::start();
    let clients = Clients::root(&emulator.endpoint());
    let trust = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let role = clients
        .iam
        .create_role()
        .role_name("told")
        .assume_role_policy_document(trust);
    role.send().await.expect("a role");
    let told = function::environment(&clients, "told").await;
    let names: BTreeSet<&str> = told.keys().map(String::as_str).collect();
    let expected = [
        "AWS_ACCESS_KEY_ID",
        "AWS_CONFIG_FILE",
        "AWS_DEFAULT_REGION",
        "AWS_DISABLE_HOST_PREFIX_INJECTION",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_ENDPOINT_URL",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SHARED_CREDENTIALS_FILE",
        "GATEWAY_PORT",
        "LAMBDA_TASK_ROOT",
        "LANG",
        // Python's own, when the language above isn't installed.
        "LC_CTYPE",
        "PATH",
        "TMPDIR",
        "TZ",
        "_HANDLER",
    ];
    let unexpected: Vec<_> = names.difference(&BTreeSet::from(expected)).copied().collect();
    assert_eq!(unexpected, Vec::<&str>::new());
    assert_eq!((told["LANG"].as_str(), told["TZ"].as_str()), ("en_US.UTF-8", ":UTC"));
    assert!(told["PATH"].starts_with("/usr/local/bin:/usr/bin:/bin"), "{told:?}");
    // What it asks for its events is its own: no name but this, no page, no other user gets or answers one.
    let (_, port) = told["AWS_LAMBDA_RUNTIME_API"].split_once(':').expect("a port");
    let port: u16 = port.parse().expect("a number");
    let next = "/2018-06-01/runtime/invocation/next";
    let own = format!("127.0.0.1:{port}");
    for headers in [
        &[("Host", "evil.example")][..],
        &[("Host", "localhost")],
        &[("Host", &own), ("Origin", "https://evil.example")],
        &[("Host", &own), ("Sec-Fetch-Site", "cross-site")],
    ] {
        assert_eq!(
            http::raw(port, "GET", next, headers, "").expect("an answer").status,
            403,
            "{headers:?}"
        );
    }
    if rustix::process::geteuid().is_root() {
        let ask = format!("import urllib.request; urllib.request.urlopen('http://{own}{next}', timeout=5)");
        let mut another = Command::new("/usr/bin/env");
        another
            .args(["python3", "-I", "-c", &ask])
            .env("PATH", "/usr/local/bin:/usr/bin:/bin");
        let output = another
            .current_dir("/")
            .uid(65534)
            .gid(65534)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("HTTP Error 403"), "{said}");
    }
    let secret = emulator.keys().secret;
    assert!(told.values().all(|value| !value.contains(&secret)), "{told:?}");
}

/// Another user of the machine: neither by the port, nor by what lies on the disk.
#[tokio::test(flavor = "multi_thread")]
async fn another_user_of_the_machine_gets_nothing() {
    if !rustix::process::geteuid().is_root() {
        assert_ne!(
            std::env::var("CI").as_deref(),
            Ok("true"),
            "to be another user, this must run as root"
        );
        return;
    }
    let scene = Scene::new();
    let before = scene.contents().await;
    // Nothing above it keeps others out.
    for folder in scene.emulator.state().ancestors().skip(1).take(2) {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("opened");
    }
    let script = r#"
import json, os, sys, urllib.request
endpoint, state, own, paths = sys.argv[1:]
got = []
assert os.path.isdir(state), state
for place in (state, state + "/local", state + "/local/credentials.json", state + "/local/ministack.log"):
    try:
        got.append((place, os.listdir(place) if os.path.isdir(place) else open(place).read()))
    except OSError:
        pass
def claims(key, service):
    scope = f"{key}/20260101/us-east-1/{service}/aws4_request"
    yield "", {}
    yield "", {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}
    yield f"?X-Amz-Credential={scope}", {}
    yield f"?AWSAccessKeyId={key}&Signature=x&Expires=9999999999", {}
asked = [("iam", "/", b"Action=ListRoles&Version=2010-05-08"), ("lambda", "/2015-03-31/functions/", None)]
asked += [("iam", path, b"") for path in json.loads(paths)]
for key in ("test", "", "000000000000", "LOCAL0000000000000000", own):
    for service, path, body in asked:
        for query, headers in claims(key, service):
            try:
                answer = urllib.request.urlopen(urllib.request.Request(endpoint + path + query, body, headers))
                got.append((key, service, path, query, answer.read().decode()))
            except urllib.error.HTTPError as error:
                assert error.code == 403, (error, path, query)
print(json.dumps([os.getuid(), got]))
"#;
    // A Python that every user can run; the emulator's own is behind a folder that is closed as well.
    let output = Command::new("/usr/bin/env")
        .args(["python3", "-I", "-c", script, &scene.emulator.endpoint()])
        .arg(scene.emulator.state())
        // Whoever sees a signed address knows the key's name.
        .arg(scene.emulator.keys().id)
        .arg(serde_json::json!(EMULATOR_PATHS).to_string())
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .current_dir("/")
        .uid(65534)
        .gid(65534)
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        told.trim(),
        "[65534, []]",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(scene.contents().await, before);
}

/// What another user leaves of a connection that it closed has no owner, which the system says as if it were root's.
#[test]
fn what_is_left_of_anothers_connection_is_not_the_owners() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let script = r#"
import ast, os, socket, sys, time
with open(sys.argv[1]) as file:
    guard = ast.parse(file.read())
found = [part for part in guard.body if isinstance(part, ast.FunctionDef) and part.name == "is_of_this_user"]
exec(compile(ast.Module(found, []), "guard.py", "exec"))
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
own = socket.create_connection(("127.0.0.1", port))
connection, client = server.accept()
assert is_of_this_user(client[1], port), "the owner's"
def another(then):
    child = os.fork()
    if not child:
        os.setgid(65534)
        os.setuid(65534)
        asking = socket.create_connection(("127.0.0.1", port))
        asking.sendall(b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\n\r\n")
        then(asking)
        os._exit(0)
    connection, client = server.accept()
    return child, connection, client[1]
child, connection, client = another(lambda asking: asking.recv(1))
assert not is_of_this_user(client, port), "another's"
connection.close()
os.waitpid(child, 0)
child, connection, client = another(lambda asking: asking.close())
os.waitpid(child, 0)
# It loses its owner once the other end has heard of it.
while not any(row.split()[1].endswith(f":{client:04X}") and row.split()[7] == "0" for row in open("/proc/net/tcp")):
    time.sleep(0.01)
assert not is_of_this_user(client, port), "what another left"
print("told apart")
"#;
    let output = Command::new(emulator::python())
        .args(["-I", "-c", script])
        .arg(repository().join("src/local/guard.py"))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "told apart\n", "{said}");
}

#[test]
fn what_is_kept_is_the_owners_alone_whatever_the_umask() {
    for umask in ["0000", "0027", "0777"] {
        let place = tempfile::TempDir::new().expect("a folder");
        let (state, cache) = (place.path().join("state"), place.path().join("cache"));
        let port = Port::reserve();
        // As an earlier version left them.
        for folder in ["deployer", "deployer/local", "deployer/stages"] {
            std::fs::create_dir_all(state.join(folder)).expect("made");
            std::fs::set_permissions(state.join(folder), std::fs::Permissions::from_mode(0o755)).expect("opened");
        }
        std::fs::write(state.join("deployer/local/ministack.log"), "old").expect("written");
        std::fs::create_dir_all(cache.join("deployer")).expect("made");
        std::fs::set_permissions(cache.join("deployer"), std::fs::Permissions::from_mode(0o755)).expect("opened");
        // What is installed there, without installing it again.
        let installed = emulator::python()
            .ancestors()
            .nth(2)
            .expect("an environment")
            .to_owned();
        let name = installed.file_name().expect("a name");
        std::os::unix::fs::symlink(&installed, cache.join("deployer").join(name)).expect("a link");
        let set = format!("umask {umask}; exec \"$@\"");
        let run = |command: &str| {
            Deployer::under(
                Path::new("/bin/sh"),
                &["-c", &set, "sh"],
                place.path(),
                &["local", command],
            )
            .env("XDG_STATE_HOME", &state)
            .env("XDG_CACHE_HOME", &cache)
            .env("DEPLOYER_LOCAL_PORT", port.number().to_string())
            .run()
        };
        let open = || {
            let folders = [&state, &cache].map(|folder| open_to_others(&folder.join("deployer")));
            folders.concat()
        };
        run("start").success();
        let running = open();
        run("stop").success();
        let stopped = open();
        assert_eq!((running, stopped), (Vec::<String>::new(), Vec::new()), "umask {umask}");
        assert!(state.join("deployer/local/credentials.json").exists(), "they are kept");
    }
}

/// What others than the owner may read or enter, of a folder and all that is in it.
fn open_to_others(path: &Path) -> Vec<String> {
    let mut open = Vec::new();
    // It may come and go while the emulator runs.
    let Ok(metadata) = path.symlink_metadata() else {
        return open;
    };
    if metadata.permissions().mode() & 0o077 != 0 && !metadata.is_symlink() {
        open.push(format!("{:o} {}", metadata.permissions().mode(), path.display()));
    }
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            open.extend(open_to_others(&entry.path()));
        }
    }
    open
}

/// One line opens the local cloud for other tools, whatever is set in that shell.
#[test]
fn local_env_opens_it_for_the_aws_cli() {
    let emulator = Emulator::start();
    emulator.local(&["env", "--format", "json"]).success();
    let place = tempfile::TempDir::new().expect("a folder");
    let script = r#"set -e
eval "$("$1" local env)"
"$2" sts get-caller-identity --query Arn --output text
"$2" s3 mb s3://from-the-cli
echo hello > hello.txt
"$2" s3 cp --quiet hello.txt s3://from-the-cli/
"$2" s3 ls s3://from-the-cli/
"$2" cloudformation describe-stacks --query Stacks --output text
"#;
    let deployer = assert_cmd::cargo::cargo_bin("deployer");
    let output = Command::new("/bin/sh")
        .args(["-c", script, "sh"])
        .args([deployer, tools::aws()])
        .current_dir(place.path())
        .env("XDG_STATE_HOME", emulator.state().parent().expect("a folder"))
        // What a user of AWS may have set.
        .env("AWS_PROFILE", "nowhere")
        .env("AWS_SESSION_TOKEN", "of another account")
        .env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .output()
        .expect("sh");
    let (told, said) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{told}{said}");
    assert!(told.starts_with("arn:aws:iam::000000000000:root\n"), "{told}{said}");
    assert!(told.contains("hello.txt"), "{told}{said}");

    let keys = emulator.keys();
    let dotenv = emulator
        .local(&["env", "--format", "dotenv", "--region", "eu-central-1"])
        .success();
    assert_eq!(
        dotenv.stdout,
        format!(
            "AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\nAWS_ENDPOINT_URL={}\nAWS_REGION=eu-central-1\n\
             AWS_DEFAULT_REGION=eu-central-1\n",
            keys.id,
            keys.secret,
            emulator.endpoint()
        )
    );
    let json = emulator.local(&["env", "--output", "json"]).success().json();
    assert_eq!(json["AWS_ENDPOINT_URL"], emulator.endpoint());
    // The keys outlive a restart, so that what was evaluated stays right; and a stopped one has none to offer.
    emulator.local(&["stop"]).success();
    emulator
        .local(&["env"])
        .fails_with(1)
        .says(&["the local cloud isn't running", "`deployer local start`"]);
}

/// Written once, it opens the local cloud for what takes a profile; an account's own keys in that shell make no difference.
#[test]
fn local_env_writes_a_profile_for_the_aws_cli() {
    let emulator = Emulator::start();
    let profile = emulator
        .local(&["env", "--format", "profile", "--region", "eu-central-1"])
        .success();
    let keys = emulator.keys();
    assert_eq!(
        profile.stdout,
        format!(
            "[profile deployer-local]\naws_access_key_id = {}\naws_secret_access_key = {}\nendpoint_url = {}\n\
             region = eu-central-1\n",
            keys.id,
            keys.secret,
            emulator.endpoint()
        )
    );
    let place = tempfile::TempDir::new().expect("a folder");
    let file = place.path().join("config");
    let mine = "[profile mine]\nregion = us-west-2\n\n";
    std::fs::write(&file, format!("{mine}{}", profile.stdout)).expect("written");
    let aws = |args: &[&str]| {
        let file = file.to_str().expect("a name of text");
        let of_another = "of another account";
        tools::told_by_aws(
            &[&["--profile", "deployer-local"], args].concat(),
            &[
                ("AWS_CONFIG_FILE", file),
                ("AWS_ACCESS_KEY_ID", of_another),
                ("AWS_SECRET_ACCESS_KEY", of_another),
                ("AWS_SESSION_TOKEN", of_another),
            ],
        )
    };
    let identity = aws(&["sts", "get-caller-identity", "--query", "Arn", "--output", "text"]);
    assert_eq!(identity, "arn:aws:iam::000000000000:root");
    aws(&["sns", "create-topic", "--name", "by-profile"]);
    let topics = aws(&["sns", "list-topics", "--query", "Topics[].TopicArn", "--output", "text"]);
    assert_eq!(topics, "arn:aws:sns:eu-central-1:000000000000:by-profile");
}

/// What tools do with the owner's keys goes on working, in every form that they sign.
#[test]
fn addresses_and_uploads_that_the_owner_signed_work() {
    let emulator = Emulator::start();
    let script = r#"
import boto3, io, os, sys, urllib.request
from botocore.config import Config
endpoint, key, secret = sys.argv[1:]
def client(name, **config):
    return boto3.client(name, endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key,
                        aws_secret_access_key=secret, config=Config(**config))
s3 = client("s3")
s3.create_bucket(Bucket="signed")
s3.upload_fileobj(io.BytesIO(os.urandom(20 << 20)), "signed", "large")
for name in ("plain", "a b+c%20/d//e", "grüße/\u4f60.txt"):
    s3.put_object(Bucket="signed", Key=name, Body=b"hello")
    for version in ("s3", "s3v4"):
        signer = client("s3", signature_version=version)
        params = {"Bucket": "signed", "Key": name}
        url = signer.generate_presigned_url("get_object", Params=params)
        assert urllib.request.urlopen(url).read() == b"hello", (name, version)
        try:
            urllib.request.urlopen(url.replace("/signed/", "/signed/x"))
            raise SystemExit(f"another object: {name} {version}")
        except urllib.error.HTTPError as error:
            assert error.code in (403, 404), error
put = client("s3", signature_version="s3v4").generate_presigned_url("put_object", Params={"Bucket": "signed", "Key": "put"})
urllib.request.urlopen(urllib.request.Request(put, data=b"sent", method="PUT", headers={"Content-Type": ""})).read()
assert s3.get_object(Bucket="signed", Key="put")["Body"].read() == b"sent"
assert s3.head_object(Bucket="signed", Key="large")["ContentLength"] == 20 << 20
user = client("iam")
user.create_user(UserName="u")
made = user.create_access_key(UserName="u")["AccessKey"]
key, secret = made["AccessKeyId"], made["SecretAccessKey"]
assert client("sts").get_caller_identity()["Arn"].endswith(":user/u")
try:
    client("s3").list_buckets()
    raise SystemExit("a user without policies may list buckets")
except Exception as error:
    assert "AccessDenied" in str(error), error
print("done")
"#;
    assert_eq!(emulator.told_by(script), "done");
}

/// An app's own addresses ask who comes where the app wants to know it, whatever else a request says of itself.
#[test]
fn a_route_for_the_signed_is_closed_to_others() {
    let emulator = Emulator::start();
    let script = r#"
import boto3, sys, urllib.request
endpoint, key, secret = sys.argv[1:]
api = boto3.client("apigatewayv2", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key,
                   aws_secret_access_key=secret)
port = endpoint.rsplit(":", 1)[1]
def made(kind, route, **more):
    made = api.create_api(Name=kind, ProtocolType=kind, **more)["ApiId"]
    integration = api.create_integration(ApiId=made, IntegrationType="HTTP_PROXY", IntegrationMethod="GET",
                                         IntegrationUri=endpoint + "/_ministack/health",
                                         PayloadFormatVersion="1.0")["IntegrationId"]
    api.create_route(ApiId=made, RouteKey=route, AuthorizationType="AWS_IAM", Target="integrations/" + integration)
    api.create_stage(ApiId=made, StageName="dev", AutoDeploy=True)
    return f"{made}.execute-api.localhost:{port}"
def status(method, host, path, **headers):
    request = urllib.request.Request(endpoint + path, method=method, data=b"x" if method == "POST" else None)
    for name, value in {"Host": host, **headers}.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code
web = made("HTTP", "GET /secret")
socket = made("WEBSOCKET", "$connect", RouteSelectionExpression="$request.body.action")
for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer x", "Origin": "https://evil.example"}):
    for method, host, path in (("GET", web, "/dev/secret"), ("POST", socket, "/dev/@connections/x"), ("POST", socket, "/dev/x")):
        answer = status(method, host, path, **headers)
        assert answer in (401, 403), (answer, method, host, path, headers)
print("closed")
"#;
    assert_eq!(emulator.told_by(script), "closed");
}
