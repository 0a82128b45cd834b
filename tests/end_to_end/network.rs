//! The ways to AWS, as the AWS CLI takes them from the environment: empty variables, proxies, certificates, profiles,
//! endpoints; and what comes back that isn't AWS's.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::answers::{Answer, identity, json_refusal, refusal};
use crate::support::project::repository;
use crate::support::{Deployer, Project, Proxy, Ran, Seen};

/// Who somebody is, and that nothing is there.
fn nothing_deployed(seen: &Seen) -> Answer {
    match seen.operation.as_str() {
        "GetCallerIdentity" => identity(),
        _ => refusal(400, "ValidationError", "Stack with id x does not exist"),
    }
}

/// One that stands for a proxy on the way, and answers in place of whoever is asked.
fn answering() -> Proxy {
    let proxy = Proxy::before_nobody();
    proxy.rule(|seen| Some(nothing_deployed(seen)));
    proxy
}

/// A project of one stack, so that few requests are made.
fn small() -> Project {
    Project::bare(
        "small",
        &[("stacks/a.yaml", "Resources: { T: { Type: AWS::SNS::Topic } }")],
    )
}

fn status(project: &Project) -> Deployer {
    Deployer::new(project.path(), &["status"])
        .env("AWS_ACCESS_KEY_ID", "AKIATEST")
        .env("AWS_SECRET_ACCESS_KEY", "s3cret")
        .env("AWS_REGION", "us-east-1")
}

fn nothing_is_deployed(ran: Ran) {
    let ran = ran.success();
    assert!(ran.stdout.contains("Nothing is deployed"), "{}", ran.stdout);
}

/// The region that each request was signed for.
fn regions(proxy: &Proxy) -> Vec<String> {
    let regions = proxy.take().into_iter().map(|seen| {
        let scope = seen.authorization.split('/').nth(2);
        scope.unwrap_or_default().to_owned()
    });
    regions.collect()
}

#[test]
fn an_empty_variable_is_as_unset() {
    let (project, proxy) = (small(), answering());
    let asked = |name: &str, value: &str| {
        status(&project)
            .env("AWS_ENDPOINT_URL", proxy.endpoint())
            .env(name, value)
    };
    // Behind an empty AWS_REGION stands AWS_DEFAULT_REGION.
    nothing_is_deployed(asked("AWS_REGION", "").env("AWS_DEFAULT_REGION", "eu-west-1").run());
    let regions = regions(&proxy);
    assert!(regions.iter().all(|region| region == "eu-west-1"), "{regions:?}");
    for name in [
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL_CLOUDFORMATION",
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_CA_BUNDLE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN",
        "AWS_MAX_ATTEMPTS",
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "NO_PROXY",
        "DEPLOYER_LOCAL_PORT",
        "XDG_CACHE_HOME",
        "XDG_STATE_HOME",
    ] {
        nothing_is_deployed(asked(name, "").env("HOME", project.path()).run());
    }
    // AWS itself, which is asked through a proxy that says no.
    let refused = status(&project)
        .env("AWS_ENDPOINT_URL", "")
        .env("HTTPS_PROXY", proxy.endpoint())
        .run();
    proxy.forget_rules();
    refused.fails_with(2).says(&["could not ask AWS who we are"]);
    // And keys that are empty are none.
    let without = asked("AWS_ACCESS_KEY_ID", "").run();
    without.fails_with(2).says(&["no usable AWS credentials were found"]);
}

#[test]
fn what_is_stray_in_a_variable_is_named_and_never_shown() {
    let (project, proxy) = (small(), answering());
    for (name, value, wrong) in [
        ("AWS_ACCESS_KEY_ID", "AKIATEST\r", "a carriage return at its end"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret\n", "a line feed at its end"),
        ("AWS_SESSION_TOKEN", "\ttoken-s3cret", "a tab at its beginning"),
        ("AWS_REGION", "us-east-1 ", "a blank at its end"),
        ("AWS_REGION", " ", "a blank at its end"),
        ("AWS_ENDPOINT_URL", " http://127.0.0.1:9", "a blank at its beginning"),
        (
            "AWS_ENDPOINT_URL_S3",
            "http://127.0.0.1:9\r",
            "a carriage return at its end",
        ),
        ("AWS_PROFILE", "work\r", "a carriage return at its end"),
    ] {
        let ran = status(&project)
            .env("AWS_ENDPOINT_URL", proxy.endpoint())
            .env(name, value)
            .run();
        let ran = ran.fails_with(2).says(&[&format!("{name} has {wrong}")]);
        assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
    }
    // In a profile the SDK takes off what is around a value, and not what is inside.
    project.write(
        "config",
        "[profile work]\nregion = us-east-1\naws_access_key_id = AKIA\naws_secret_access_key = s3c ret\n",
    );
    let of_profile = Deployer::new(project.path(), &["status", "--profile", "work"])
        .env("AWS_ENDPOINT_URL", proxy.endpoint())
        .env("AWS_CONFIG_FILE", project.path().join("config"))
        .run();
    let of_profile = of_profile.fails_with(2).says(&[
        "the secret access key has a blank inside",
        "correct it in the profile `work`",
    ]);
    assert!(!of_profile.stderr.contains("s3c"), "{}", of_profile.stderr);
    assert!(proxy.take().is_empty(), "nobody was asked");
}

#[test]
fn a_proxy_is_asked_for_what_is_not_on_this_machine() {
    let (project, proxy) = (small(), answering());
    let url = "http://emulator.example:4566";
    let secret = proxy.endpoint().replace("http://", "http://me:pa55word@");
    for name in ["HTTP_PROXY", "http_proxy"] {
        let run = status(&project).env("AWS_ENDPOINT_URL", url).env(name, &secret).run();
        nothing_is_deployed(run);
        let seen = proxy.take();
        assert!(!seen.is_empty());
        for request in seen {
            assert!(request.path.starts_with(url), "{}", request.path);
            // "me:pa55word"
            assert_eq!(request.header("proxy-authorization"), "Basic bWU6cGE1NXdvcmQ=");
        }
    }
    // Not where NO_PROXY names the host, and there is no such host.
    for name in ["NO_PROXY", "no_proxy"] {
        let run = status(&project)
            .env("AWS_ENDPOINT_URL", url)
            .env("HTTP_PROXY", &secret)
            .env(name, "other.example,emulator.example")
            .run();
        run.fails_with(2).says(&["no connection"]);
        assert!(proxy.take().is_empty());
    }
    // Nor for this machine.
    let here = answering();
    let run = status(&project)
        .env("AWS_ENDPOINT_URL", here.endpoint())
        .env("HTTP_PROXY", &secret)
        .run();
    nothing_is_deployed(run);
    assert!(proxy.take().is_empty() && !here.take().is_empty());
    // Its password is shown nowhere, whatever goes wrong.
    proxy.forget_rules();
    proxy.rule(|_| Some((407, "<html><title>Who are you?</title></html>".to_owned())));
    let ran = status(&project)
        .env("AWS_ENDPOINT_URL", url)
        .env("HTTP_PROXY", &secret)
        .run();
    let ran = ran.fails_with(2).says(&[
        "`407 Proxy Authentication Required` came back, and not from AWS, with a page `Who are you?`",
        &format!("the way was through the proxy {}", proxy.endpoint()),
        "HTTPS_PROXY=http://USER:PASSWORD@",
    ]);
    assert!(!ran.stderr.contains("pa55word"), "{}", ran.stderr);
    for (value, wrong) in [
        ("socks5://me:pa55word@127.0.0.1:1", "it speaks `socks5`"),
        ("http://me:pa55word@127.0.0.1 :1", "there is a blank"),
    ] {
        let ran = status(&project)
            .env("AWS_ENDPOINT_URL", url)
            .env("HTTP_PROXY", value)
            .run();
        let ran = ran
            .fails_with(2)
            .says(&["HTTP_PROXY names no proxy that can be used", wrong]);
        assert!(!ran.stderr.contains("pa55word"), "{}", ran.stderr);
    }
}

/// A proxy that lets through to a server with TLS, which is its own; returns its port, and what was asked of either.
fn tunnel() -> (u16, Arc<Mutex<Vec<String>>>) {
    let file = |name: &str| repository().join("tests/end_to_end/network").join(name);
    let chain = CertificateDer::pem_file_iter(file("server.pem")).expect("a certificate");
    let chain: Vec<CertificateDer<'static>> = chain.map(|one| one.expect("a certificate")).collect();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).expect("a key");
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a server's certificate");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let (config, log) = (Arc::clone(&config), Arc::clone(&log));
            std::thread::spawn(move || {
                let note = |line: &str| log.lock().expect("no panic").push(line.trim().to_owned());
                let mut head = [0; 1];
                let mut text = String::new();
                while !text.ends_with("\r\n\r\n") && client.read(&mut head).is_ok_and(|read| read > 0) {
                    text.push(char::from(head[0]));
                }
                note(text.lines().next().unwrap_or_default());
                let _ = client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
                let connection = ServerConnection::new(config).expect("a connection");
                let mut stream = BufReader::new(StreamOwned::new(connection, client));
                loop {
                    let (mut first, mut length) = (String::new(), 0);
                    let mut line = String::new();
                    while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                        if first.is_empty() {
                            first.clone_from(&line);
                        }
                        if let Some(said) = line.to_lowercase().strip_prefix("content-length:") {
                            length = said.trim().parse().unwrap_or(0);
                        }
                        line.clear();
                    }
                    let mut body = vec![0; length];
                    if first.is_empty() || stream.read_exact(&mut body).is_err() {
                        return;
                    }
                    note(&first);
                    let is_identity = String::from_utf8_lossy(&body).contains("Action=GetCallerIdentity");
                    let (status, text) = if is_identity {
                        identity()
                    } else {
                        refusal(400, "ValidationError", "Stack with id x does not exist")
                    };
                    let answer = format!(
                        "HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{text}",
                        text.len()
                    );
                    if stream.get_mut().write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, seen)
}

#[test]
fn certificates_are_those_of_the_bundle_through_a_proxy_as_well() {
    let (project, (port, seen)) = (small(), tunnel());
    let authority = repository().join("tests/end_to_end/network/authority.pem");
    let proxied = || {
        status(&project)
            .env("AWS_ENDPOINT_URL", "https://emulator.example:8443")
            .env("HTTPS_PROXY", format!("127.0.0.1:{port}"))
    };
    nothing_is_deployed(proxied().env("AWS_CA_BUNDLE", &authority).run());
    let asked = std::mem::take(&mut *seen.lock().expect("no panic"));
    assert!(
        asked.contains(&"CONNECT emulator.example:8443 HTTP/1.1".to_owned()),
        "{asked:?}"
    );
    assert!(asked.contains(&"POST / HTTP/1.1".to_owned()), "{asked:?}");
    // The system's own trust nobody of the kind.
    proxied().run().fails_with(2).says(&["certificate"]);

    // A profile may say it as well; the variable goes before it.
    let config = |bundle: &str| format!("[profile work]\nca_bundle = {bundle}\n");
    project.write("config", &config(&authority.display().to_string()));
    let of_profile = || {
        proxied()
            .env("AWS_CONFIG_FILE", project.path().join("config"))
            .env("AWS_PROFILE", "work")
    };
    nothing_is_deployed(of_profile().run());
    project.write("config", &config("/nowhere/ca.pem"));
    of_profile().run().fails_with(2).says(&[
        "could not read /nowhere/ca.pem, which `ca_bundle` of the profile `work` names",
        "PEM",
    ]);
    nothing_is_deployed(of_profile().env("AWS_CA_BUNDLE", &authority).run());

    project.write("empty.pem", "no certificate\n");
    for (bundle, said) in [
        ("empty.pem", "there is no certificate in"),
        ("missing.pem", "could not read"),
        (".", "could not read"),
    ] {
        let file = project.path().join(bundle);
        let ran = proxied().env("AWS_CA_BUNDLE", &file).run();
        let path = file.display().to_string();
        ran.fails_with(2)
            .says(&[said, path.trim_end_matches("/."), "AWS_CA_BUNDLE"]);
    }
}

#[test]
fn profiles_are_found_or_named() {
    let (project, proxy) = (small(), answering());
    project.executable(
        "keys",
        "import json; print(json.dumps({'Version': 1, 'AccessKeyId': 'AKIAPROCESS', 'SecretAccessKey': 's3cret'}))\n",
    );
    project.executable("broken", "import sys; sys.exit('the vault is locked')\n");
    let here = project.path().display().to_string();
    project.write(
        "config",
        &format!(
            "[profile work]\nregion = eu-west-1\ncredential_process = {here}/keys\n\
             [profile locked]\nregion = eu-west-1\ncredential_process = {here}/broken\n\
             [profile sso]\nregion = eu-west-1\nsso_session = corp\nsso_account_id = 000000000000\nsso_role_name = dev\n\
             [sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.example/start\n\
             [profile behind]\nregion = eu-west-1\nsource_profile = sso\nrole_arn = arn:aws:iam::000000000000:role/x\n"
        ),
    );
    let with = |args: &[&str]| {
        Deployer::new(project.path(), args)
            .env("AWS_ENDPOINT_URL", proxy.endpoint())
            .env("AWS_CONFIG_FILE", project.path().join("config"))
            .env("HOME", project.path())
    };
    nothing_is_deployed(with(&["status", "--profile", "work"]).run());
    for seen in proxy.take() {
        assert!(seen.authorization.contains("AKIAPROCESS/"), "{}", seen.authorization);
    }
    nothing_is_deployed(with(&["status"]).env("AWS_PROFILE", "work").run());
    let locked = with(&["status", "--profile", "locked"]).run();
    locked
        .fails_with(2)
        .says(&["no usable AWS credentials", "the profile `locked`"]);
    for (profile, login) in [("sso", "sso"), ("behind", "sso")] {
        with(&["status", "--profile", profile]).run().fails_with(2).says(&[
            "no usable AWS credentials were found",
            &format!("the profile `{profile}`"),
            &format!("`aws sso login --profile {login}`"),
        ]);
    }
    for run in [
        with(&["status", "--profile", "wrok"]).run(),
        with(&["status"]).env("AWS_PROFILE", "wrok").run(),
    ] {
        run.fails_with(2).says(&[
            "there is no profile `wrok`",
            &format!("in {here}/config and {here}/no-aws-credentials there is behind, locked, sso, work"),
            "Did you mean `--profile work`?",
        ]);
    }
}

#[test]
fn endpoints_are_urls_of_any_kind_and_a_password_in_one_goes_nowhere() {
    let (project, proxy) = (small(), answering());
    let at = |url: &str| status(&project).env("AWS_ENDPOINT_URL", url).run();
    // A path is a part of it, with or without a slash behind.
    for url in [
        format!("{}/base", proxy.endpoint()),
        format!("{}/base/", proxy.endpoint()),
    ] {
        nothing_is_deployed(at(&url));
        let paths: Vec<String> = proxy.take().into_iter().map(|seen| seen.path).collect();
        assert!(
            !paths.is_empty() && paths.iter().all(|path| path.starts_with("/base")),
            "{paths:?}"
        );
    }
    // Who signs in by the URL is nobody to AWS's protocols, and is told to nobody.
    let ran = at(&proxy.endpoint().replace("http://", "http://me:pa55word@"));
    let told = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!told.contains("pa55word"), "{told}");
    nothing_is_deployed(ran);
    let seen = proxy.take();
    assert!(!seen.is_empty());
    for seen in seen {
        assert!(!format!("{seen:?}").contains("pa55word"), "{seen:?}");
    }
    for url in [
        "127.0.0.1:4566",
        "emulator",
        "http://",
        "http://[::1",
        "ftp://127.0.0.1",
    ] {
        at(url).fails_with(2).says(&["is no URL", "AWS_ENDPOINT_URL"]);
    }
    assert!(proxy.take().is_empty());
    // Version 6 of the internet protocol; not every machine has it.
    if let Ok(listener) = TcpListener::bind("[::1]:0") {
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        at(&format!("http://[::1]:{port}"))
            .fails_with(2)
            .says(&[&format!("http://[::1]:{port}"), "refused"]);
    }
}

#[test]
fn a_mistyped_region_is_told_and_a_new_one_is_taken() {
    let (project, proxy) = (small(), answering());
    // An emulator would take any.
    let off_aws = |region: &str| {
        let deployer = status(&project).env("AWS_ENDPOINT_URL", proxy.endpoint());
        deployer.env("AWS_REGION", region).run()
    };
    off_aws("us-esat-1")
        .fails_with(2)
        .says(&["AWS has no region `us-esat-1`", "Did you mean us-east-1?"]);
    assert!(proxy.take().is_empty());
    let newer = off_aws("us-east-9").success();
    assert!(
        newer
            .stderr
            .contains("the region us-east-9 isn't one that this version"),
        "{}",
        newer.stderr
    );
    let known = off_aws("eu-central-1").success();
    assert!(!known.stderr.contains("isn't one"), "{}", known.stderr);

    // AWS itself says which it has: here it doesn't, and there it does, whatever this version knows.
    let on_aws = |region: &str, proxy: &str| {
        let authority = repository().join("tests/end_to_end/network/authority.pem");
        let deployer = status(&project)
            .env("HTTPS_PROXY", proxy)
            .env("AWS_CA_BUNDLE", authority);
        deployer.env("AWS_REGION", region).run()
    };
    on_aws("us-esat-1", &proxy.endpoint()).fails_with(2).says(&[
        "could not ask AWS who we are",
        "the region us-esat-1 isn't one that this version of deployer knows",
        "Did you mean the region us-east-1?",
    ]);
    let (port, seen) = tunnel();
    nothing_is_deployed(on_aws("us-moon-1", &format!("http://127.0.0.1:{port}")));
    let asked = seen.lock().expect("no panic").clone();
    assert!(
        asked.contains(&"CONNECT sts.us-moon-1.amazonaws.com:443 HTTP/1.1".to_owned()),
        "{asked:?}"
    );
}

/// The list is that of a pinned AWS CLI.
#[test]
fn the_list_of_regions_is_botocores() {
    const SCRIPT: &str = "import json, sys\nfrom pathlib import Path\n\
                          data = next(Path(sys.prefix).glob('lib/python*/site-packages/**/botocore/data/partitions.json'))\n\
                          parts = json.loads(data.read_text())['partitions']\n\
                          print(*sorted(r for p in parts for r in p['regions'] if not r.endswith('-global')))\n";
    let python = crate::support::tools::aws().with_file_name("python");
    let listed = std::process::Command::new(python)
        .args(["-I", "-c", SCRIPT])
        .output()
        .expect("it runs");
    let listed = String::from_utf8(listed.stdout).expect("text");
    let listed: Vec<&str> = listed.split_whitespace().collect();
    let ours = std::fs::read_to_string(repository().join("src/cloud/regions.txt")).expect("the list");
    let mut ours: Vec<&str> = ours.lines().filter(|line| !line.starts_with('#')).collect();
    ours.sort_unstable();
    assert_eq!(ours, listed);
}

/// A dead proxy is nothing to the local cloud.
#[test]
fn the_local_cloud_is_reached_past_any_proxy() {
    let emulator = crate::support::Emulator::start();
    let project = small();
    for args in [
        &["up", "--local"][..],
        &["status", "--local"],
        &["verify", "--local"],
        &["down", "--local", "--yes"],
    ] {
        let deployer = emulator.known_to(Deployer::new(project.path(), args));
        deployer
            .env("HTTP_PROXY", "http://127.0.0.1:9")
            .env("HTTPS_PROXY", "socks5://127.0.0.1:9")
            .env("ALL_PROXY", "http://127.0.0.1:9")
            .env("AWS_CA_BUNDLE", "/nowhere")
            .env("AWS_ACCESS_KEY_ID", "wrong\r")
            .env("AWS_PROFILE", "nowhere")
            .run()
            .success();
    }
}

/// What a gateway says is told as that, by each of the ways that services speak.
#[test]
fn a_gateways_page_is_told_as_one() {
    let nginx = |status: u16, words: &str| {
        (
            status,
            format!("<html>\r\n<head><title>{status} {words}</title></head>\r\n<body><hr>nginx</body></html>"),
        )
    };
    let seed = "T: [{ id: a }]\n";
    let table = "Resources:\n  T:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      TableName: Gateways\n      \
                 AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]\n      \
                 KeySchema: [{ AttributeName: id, KeyType: HASH }]\n      BillingMode: PAY_PER_REQUEST\n\
                 Outputs: { Bucket: { Value: x } }\n";
    let project = Project::bare("small", &[("stacks/a.yaml", table), ("stacks/seed.yaml", seed)]);
    let emulator = crate::support::Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    let run = |args: &[&str]| project.deployer(&proxy.endpoint(), args);
    run(&["up", "--no-verify"]).success();
    // Query (STS, CloudFormation) and JSON (DynamoDB); some statuses are asked for again until that is enough.
    for (operation, args, answer, said, advice) in [
        (
            "GetCallerIdentity",
            &["status"][..],
            nginx(403, "Forbidden"),
            "`403 Forbidden`",
            "NO_PROXY",
        ),
        (
            "GetCallerIdentity",
            &["status"],
            nginx(200, "Sign in"),
            "`200 OK`",
            "Does this network want you to sign in?",
        ),
        (
            "DescribeStacks",
            &["status"],
            nginx(413, "Too Large"),
            "`413 Payload Too Large`",
            "of that size",
        ),
        (
            "BatchGetItem",
            &["seed"],
            nginx(404, "Not Found"),
            "`404 Not Found`",
            "NO_PROXY",
        ),
        (
            "DescribeStacks",
            &["status"],
            (511, String::new()),
            "`511 Network Authentication Required`",
            "sign in?",
        ),
    ] {
        let answered = answer.clone();
        proxy.rule(move |seen| (seen.operation == operation).then(|| answered.clone()));
        let ran = run(args);
        proxy.forget_rules();
        let code = if operation == "GetCallerIdentity" { 2 } else { 1 };
        let ran = ran
            .fails_with(code)
            .says(&[said, "came back, and not from AWS", advice]);
        for word in ["unhandled", "XML", "root", "expected value"] {
            assert!(!ran.stderr.contains(word), "{}", ran.stderr);
        }
    }
    // A service's own words are its own, whatever the status.
    proxy.rule(|seen| {
        (seen.operation == "BatchGetItem").then(|| json_refusal(400, "ValidationException", "no such key"))
    });
    let own = run(&["seed"]).fails_with(1).says(&["ValidationException: no such key"]);
    assert!(!own.stderr.contains("not from AWS"), "{}", own.stderr);
}

/// By XML alone, which S3 speaks.
#[test]
fn a_gateways_page_in_place_of_s3_is_told_as_one() {
    let value = "x".repeat(4_000);
    let parameters = (0..15).map(|number| {
        format!("  P{number}: {{ Type: AWS::SSM::Parameter, Properties: {{ Type: String, Value: {value} }} }}\n")
    });
    let template = format!("Resources:\n{}", parameters.collect::<String>());
    let project = Project::bare("small", &[("stacks/a.yaml", &template)]);
    let emulator = crate::support::Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    proxy.rule(|seen| {
        let is_upload = seen.method == "PUT" && seen.path.contains("/templates/");
        is_upload.then(|| (413, "<!DOCTYPE html><title>Too\nlarge</title>".to_owned()))
    });
    project.deployer(&proxy.endpoint(), &["up"]).fails_with(1).says(&[
        "could not put a template into small-prod-artifacts",
        "`413 Payload Too Large` came back, and not from AWS, with a page `Too large`",
        "takes no requests of that size",
    ]);
}
