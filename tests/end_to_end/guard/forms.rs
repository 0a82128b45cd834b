//! Every form that a request can have, in tables: how it says whose it is, how it names a host, which protocol it is in.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use super::{CREATE_ROLE, EMULATOR_PATHS, FORM, KNOWN, Scene, host_of, refused};
use crate::support::{Emulator, http};

/// What asks a service something that changes nothing, in the three ways in which AWS is asked.
#[derive(Clone, Copy)]
enum Ask {
    Form(&'static str),
    Json(&'static str),
    Path(&'static str),
}

/// Each service that the examples and the deployer use, by the name that it is signed for.
const SERVICES: [(&str, Ask); 19] = [
    ("iam", Ask::Form("Action=ListRoles&Version=2010-05-08")),
    ("sts", Ask::Form("Action=GetCallerIdentity&Version=2011-06-15")),
    ("sns", Ask::Form("Action=ListTopics&Version=2010-03-31")),
    ("sqs", Ask::Form("Action=ListQueues&Version=2012-11-05")),
    ("sqs", Ask::Json("AmazonSQS.ListQueues")),
    ("cloudformation", Ask::Form("Action=ListStacks&Version=2010-05-15")),
    ("monitoring", Ask::Form("Action=DescribeAlarms&Version=2010-08-01")),
    ("monitoring", Ask::Json("GraniteServiceVersion20100801.DescribeAlarms")),
    ("events", Ask::Json("AWSEvents.ListRules")),
    ("dynamodb", Ask::Json("DynamoDB_20120810.ListTables")),
    ("logs", Ask::Json("Logs_20140328.DescribeLogGroups")),
    ("acm", Ask::Json("CertificateManager.ListCertificates")),
    ("scheduler", Ask::Path("/schedules")),
    ("apigateway", Ask::Path("/restapis")),
    ("apigateway", Ask::Path("/v2/apis")),
    ("lambda", Ask::Path("/2015-03-31/functions/")),
    ("route53", Ask::Path("/2013-04-01/hostedzone")),
    ("cloudfront", Ask::Path("/2020-05-31/distribution")),
    ("s3", Ask::Path("/")),
];

/// A request, to be changed by what claims to be somebody's.
struct Request {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Request {
    fn of(ask: Ask) -> Self {
        let (method, target, headers, body) = match ask {
            Ask::Form(body) => ("POST", "/", vec![FORM], body),
            Ask::Json(operation) => {
                let content_type = ("Content-Type", "application/x-amz-json-1.0");
                ("POST", "/", vec![("X-Amz-Target", operation), content_type], "{}")
            }
            Ask::Path(path) => ("GET", path, vec![], ""),
        };
        Self {
            method,
            target: target.to_owned(),
            headers: headers
                .into_iter()
                .map(|(name, value)| (name, value.to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    fn to(mut self, host: &str) -> Self {
        self.headers.push(("Host", host.to_owned()));
        self
    }

    fn claimed(mut self, claim: Claim, key: &str, service: &str) -> Self {
        claim(
            &mut self,
            key,
            &format!("{key}/20260101/us-east-1/{service}/aws4_request"),
        );
        self
    }

    fn authorize(&mut self, value: String) {
        self.headers.push(("Authorization", value));
    }

    #[track_caller]
    fn refused(&self, port: u16) {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        refused(port, self.method, &self.target, &headers, &self.body);
    }
}

/// How a request says whose it is, given the key's id and the whole scope.
type Claim = fn(&mut Request, &str, &str);

const CLAIMS: [Claim; 7] = [
    |_, _, _| {},
    |request, _, scope| {
        request.authorize(format!(
            "AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        ));
    },
    |request, key, _| request.authorize(format!("AWS {key}:AAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
    |request, _, scope| request.target += &format!("?X-Amz-Credential={scope}"),
    |request, _, scope| {
        request.target += &format!(
            "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date=20260101T000000Z&X-Amz-Expires=600\
             &X-Amz-SignedHeaders=host&X-Amz-Signature=0",
            scope.replace('/', "%2F")
        );
    },
    |request, key, _| request.target += &format!("?AWSAccessKeyId={key}&Signature=x&Expires=9999999999"),
    // As a page's form sends it, whatever the service otherwise takes.
    |request, key, scope| {
        let claim = format!("AWSAccessKeyId={key}&X-Amz-Credential={scope}&Signature=x");
        if request.method == "GET" {
            request.method = "POST";
            request.headers.push((FORM.0, FORM.1.to_owned()));
            request.body = claim;
        } else if request.body.contains('=') {
            request.body = format!("{claim}&{}", request.body);
        } else {
            request.headers.retain(|(name, _)| *name != FORM.0);
            request.headers.push((FORM.0, FORM.1.to_owned()));
            request.body = claim;
        }
    },
];

/// Keys that the emulator knows by itself, one that is public, one like the owner's; the owner's own id comes with them.
const KEYS: [&str; 6] = [
    "",
    "test",
    "000000000000",
    "123456789012",
    "AKIAIOSFODNN7EXAMPLE",
    "LOCAL0000000000000000",
];

#[test]
fn no_claim_to_be_somebody_opens_any_service_or_path() {
    let emulator = Emulator::start();
    let (port, own) = (emulator.port(), emulator.keys().id);
    let host = format!("127.0.0.1:{port}");
    for key in KEYS.into_iter().chain([own.as_str()]) {
        for claim in CLAIMS {
            for (service, ask) in SERVICES {
                Request::of(ask).to(&host).claimed(claim, key, service).refused(port);
            }
        }
    }
    for key in ["test", "", &own] {
        for (claim, path) in CLAIMS.iter().flat_map(|claim| EMULATOR_PATHS.map(|path| (claim, path))) {
            let mut request = Request::of(Ask::Form("x=1")).to(&host);
            path.clone_into(&mut request.target);
            request.claimed(*claim, key, "iam").refused(port);
        }
    }

    // Each is a request that its service answers, once it is signed.
    let requests = SERVICES.map(|(service, ask)| {
        let Request {
            method,
            target,
            headers,
            body,
        } = Request::of(ask);
        let headers: serde_json::Map<_, _> = headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        json!([service, method, target, headers, body])
    });
    let script = format!(
        r#"
import json, sys, urllib.request
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
endpoint, key, secret = sys.argv[1:]
for service, method, target, headers, body in json.loads({:?}):
    made = AWSRequest(method, endpoint + target, headers=headers, data=body)
    SigV4Auth(Credentials(key, secret), service, "us-east-1").add_auth(made)
    urllib.request.urlopen(urllib.request.Request(made.url, body.encode() or None, dict(made.headers), method=method))
print("answered")
"#,
        json!(requests).to_string()
    );
    assert_eq!(emulator.told_by(&script), "answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_to_name_a_host_or_a_path_leads_past_the_guard() {
    let scene = Scene::new();
    let before = scene.contents().await;
    let port = scene.emulator.port();
    let own = scene.host();
    let (own, site, api) = (own.as_str(), host_of(&scene.site), host_of(&scene.api));
    // Names of this machine to others, and the names that it has here in another case.
    for name in [
        "[::1]",
        "[::ffff:127.0.0.1]",
        "127.0.0.1.",
        "127.1",
        "127.00.0.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "localhost.",
        "x.localhost.",
        "LOCALHOST",
        "LocalHost",
        "IOT.CLOUDFRONT.LOCALHOST",
        "iot.cloudfront.localhost",
    ] {
        for host in [
            name.to_owned(),
            format!("{name}:{port}"),
            format!("{name}:{port}:{port}"),
        ] {
            let host = ("Host", host.as_str());
            for target in ["/", "/_ministack/config", "/index.html", "/dev/users?userId=1"] {
                scene.refused("GET", target, &[host], "");
            }
            scene.refused("POST", "/", &[host, FORM, ("Authorization", KNOWN)], CREATE_ROLE);
        }
    }
    // An address instead of a path, as a proxy is asked.
    for host in [own, site, api] {
        for authority in ["evil.example", own, site, api, "evil.example@127.0.0.1"] {
            for path in ["", "/", "/index.html", "/_ministack/reset"] {
                let target = format!("http://{authority}{path}");
                scene.refused("GET", &target, &[("Host", host)], "");
                scene.refused("POST", &target, &[("Host", host), FORM], CREATE_ROLE);
            }
        }
        scene.refused("OPTIONS", "*", &[("Host", host)], "");
    }
    // The emulator's paths, written otherwise.
    for path in [
        "//_ministack/reset",
        "/%5Fministack/reset",
        "/_ministack%2Freset",
        "/_ministack/%72eset",
        "/./_ministack/reset",
        "/x/../_ministack/reset",
        "/_MINISTACK/reset",
        "/_ministack/reset/",
        "/_ministack/reset?x",
        "/;/_ministack/reset",
    ] {
        scene.refused("POST", path, &[("Host", own)], "");
        for host in [site, api] {
            let answer = scene.ask("POST", path, &[("Host", host)], "");
            assert!(answer.status >= 400, "{host} {path}: {}", answer.body);
        }
    }
    // An API's own path is for who can't choose a host; beside a host that was chosen it is nobody's.
    let (id, _) = api.split_once('.').expect("an id");
    let by_path = format!("/restapis/{id}/dev/_user_request_/users?userId=1");
    let user = scene.ask("GET", &by_path, &[("Host", own)], "");
    assert_eq!((user.status, user.json()["name"].as_str()), (200, Some("Test User")));
    scene.refused("GET", &by_path, &[("Host", &format!("x.localhost:{port}"))], "");
    // What is said twice.
    for hosts in [[own, own], [own, site], [site, own], [own, "evil.example"]] {
        let answer = scene.ask("GET", "/", &hosts.map(|host| ("Host", host)), "");
        assert_eq!(answer.status, 400, "{hosts:?}: HTTP itself has one name a request");
    }
    let owners = KNOWN.replace("test", &scene.emulator.keys().id);
    for claims in [
        [KNOWN, &owners],
        [&owners, KNOWN],
        [&owners, &owners],
        [&owners, "Bearer x"],
        ["Bearer x", "Bearer y"],
    ] {
        for host in [own, site, api] {
            let [one, two] = claims.map(|claim| ("Authorization", claim));
            scene.refused("POST", "/", &[("Host", host), one, two, FORM], CREATE_ROLE);
        }
    }
    assert_eq!(scene.contents().await, before);

    // An app's names are the same in another case.
    let (large_site, large_api) = (site.to_uppercase(), api.to_uppercase());
    let page = scene.ask("GET", "/", &[("Host", &large_site), ("Sec-Fetch-Mode", "navigate")], "");
    assert!(page.status == 200 && page.body.contains("<html"), "{}", page.body);
    let user = scene.ask("GET", "/dev/users?userId=1", &[("Host", &large_api)], "");
    assert_eq!(user.json()["name"], "Test User");
    for host in [&large_site, &large_api] {
        scene.refused("POST", "/_ministack/reset", &[("Host", host)], "");
        scene.refused(
            "GET",
            "/",
            &[
                ("Host", host),
                ("Origin", "https://evil.example"),
                ("Authorization", KNOWN),
            ],
            "",
        );
    }

    // In HTTP/2 a request has two names; a connection never becomes one of that.
    let upgrade = [
        ("Upgrade", "h2c"),
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
    ];
    let to = |host| [&[("Host", host)][..], &upgrade].concat();
    scene.refused("GET", "/_ministack/config", &to(own), "");
    let user = scene.ask("GET", "/dev/users?userId=1", &to(api), "");
    assert_eq!((user.status, user.json()["name"].as_str()), (200, Some("Test User")));
    let mut known = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    known
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .expect("sent");
    let mut answer = [0; 12];
    known.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 403");
}

/// The emulator's message broker is open to all that reach it by a connection that stays open, and it is reached by many names.
#[test]
fn only_websocket_apis_have_connections_that_stay_open() {
    let emulator = Emulator::start();
    let port = emulator.port();
    let upgrade = |host: &str, target: &str, more: &[(&str, &str)]| {
        let key = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        let headers = [
            ("Host", host),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            key,
        ];
        http::begun(port, "GET", target, &[&headers, more].concat()).expect("an answer")
    };
    let page = [("Origin", "https://evil.example"), ("Sec-WebSocket-Protocol", "mqtt")];
    for name in [
        "iot.cloudfront.localhost",
        "IOT.CLOUDFRONT.localhost",
        "d0123456789abc.cloudfront.localhost",
        "iot.us-east-1.localhost",
        "x.iot.us-east-1.localhost",
        "iot.lambda-url.us-east-1.localhost",
        "0123456789abcdef0123456789abcdef.lambda-url.iot.localhost",
        "0123456789abcdef0123456789abcdef.lambda-url.us-east-1.localhost",
        "iot.execute-api.localhost",
        "x.appsync-realtime-api.localhost",
        "localhost",
        "127.0.0.1",
        "iot.evil.example",
    ] {
        let host = format!("{name}:{port}");
        for target in [
            "/x",
            "/mqtt",
            "/_aws/execute-api/00000000/dev",
            "/restapis/00000000/dev/_user_request_/",
        ] {
            for more in [&page[..], &page[1..], &[]] {
                assert_eq!(upgrade(&host, target, more), 403, "{host} {target} {more:?}");
            }
        }
    }
    let script = r#"
import boto3, sys
endpoint, key, secret = sys.argv[1:]
api = boto3.client("apigatewayv2", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key,
                   aws_secret_access_key=secret)
made = api.create_api(Name="socket", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")["ApiId"]
integration = api.create_integration(ApiId=made, IntegrationType="MOCK")["IntegrationId"]
api.create_route(ApiId=made, RouteKey="$connect", Target="integrations/" + integration)
api.create_stage(ApiId=made, StageName="dev", AutoDeploy=True)
print(made)
"#;
    let host = format!("{}.execute-api.localhost:{port}", emulator.told_by(script));
    for host in [&host, &host.to_uppercase()] {
        assert_eq!(upgrade(host, "/dev", &page[..1]), 101, "{host}");
        assert_eq!(
            upgrade(host, "/_aws/execute-api/00000000/dev", &page[..1]),
            403,
            "{host}"
        );
    }
    assert_eq!(
        upgrade(&format!("00000000.execute-api.localhost:{port}"), "/dev", &page),
        403,
        "no such API"
    );
}
