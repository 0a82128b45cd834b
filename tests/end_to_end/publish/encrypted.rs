//! A bucket that encrypts by KMS: no ETag says what an object holds.

use super::{SITE, STAGE, Stage, is_put};
use crate::support::Seen;

const ARTIFACTS: &str = "three-tier-dev-artifacts-000000000000-us-east-1";
const LEDGER: &str = "site/ledger.json";

/// Makes an ETag something that is no MD5.
fn disguised(etag: &str) -> String {
    let is_digit = |c: &char| c.is_ascii_hexdigit();
    let sum: String = etag.chars().skip_while(|c| !is_digit(c)).take_while(is_digit).collect();
    let other: String = sum.chars().rev().collect();
    etag.replacen(&sum, &other, 1)
}

/// The emulator's answers as S3's would be, for the site's objects and what CloudFront makes of them.
fn encrypts(seen: &Seen, answer: Vec<u8>) -> Vec<u8> {
    let is_of_site = seen.path.contains(SITE) || seen.authorization.is_empty();
    // Parts are named by the ETags that they were answered with.
    if !is_of_site || seen.path.contains("partNumber=") {
        return answer;
    }
    let end = answer
        .windows(4)
        .position(|at| at == b"\r\n\r\n")
        .unwrap_or(answer.len());
    let (head, body) = answer.split_at(end);
    let head = String::from_utf8_lossy(head);
    let head = head.split("\r\n").map(|line| match line.split_once(':') {
        Some((name, etag)) if name.eq_ignore_ascii_case("etag") => format!("{name}:{}", disguised(etag)),
        _ => line.to_owned(),
    });
    let head = head.collect::<Vec<_>>().join("\r\n");
    let body = match str::from_utf8(body) {
        Ok(text) if text.contains("<ETag>") => {
            let parts = text.split("<ETag>").map(|part| match part.split_once("</ETag>") {
                Some((etag, rest)) => format!("{}</ETag>{rest}", disguised(etag)),
                None => part.to_owned(),
            });
            parts.collect::<Vec<_>>().join("<ETag>").into_bytes()
        }
        _ => body.to_owned(),
    };
    [head.as_bytes(), &body].concat()
}

/// The keys that were sent.
fn sent(asked: &[Seen]) -> Vec<String> {
    let puts = asked
        .iter()
        .filter(|seen| seen.method == "PUT" && seen.path.contains(SITE));
    let keys = puts.filter_map(|seen| {
        seen.path
            .split(['/', '?'])
            .rfind(|part| part.contains('.') && !part.contains('='))
    });
    let mut keys: Vec<String> = keys.map(str::to_owned).collect();
    keys.dedup();
    keys
}

/// The reads of a bucket's objects, with the caller's signature.
fn reads_of<'a>(asked: &'a [Seen], bucket: &str) -> Vec<&'a str> {
    let folder = format!("/{bucket}/");
    let is_of_object = |seen: &&Seen| {
        let key = seen.path.strip_prefix(&folder);
        key.is_some_and(|key| !key.is_empty() && !key.starts_with('?'))
    };
    let reads = asked
        .iter()
        .filter(|seen| seen.method == "GET" && !seen.authorization.is_empty());
    reads.filter(is_of_object).map(|seen| seen.path.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_twice_to_a_bucket_whose_etags_say_nothing() {
    let stage = Stage::deployed();
    let film: Vec<u8> = (0..17 * 1024 * 1024 + 3).map(|n: u32| (n % 249) as u8).collect();
    std::fs::write(stage.project.path().join("site/film.bin"), &film).expect("written");
    let whole = ["up", "--stage", STAGE, "--only", "site"];
    let up = || stage.project.deployer(&stage.proxy.endpoint(), &whole).success();
    let verify = || {
        let verify = ["verify", "--stage", STAGE, "--only", "site-files", "--timeout", "2"];
        stage.project.deployer(&stage.proxy.endpoint(), &verify)
    };
    let differs = |file: &str| {
        let ran = verify();
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        let problem = format!("the published {file} isn't the file of the project's site/");
        assert!(ran.stdout.contains(&problem), "{}", ran.stdout);
    };
    stage.project.write("site/robots.txt", "User-agent: *\n");
    stage.publish().success().says(&["2 new"]);
    stage.proxy.rewrite(encrypts);
    stage.proxy.take();

    // The bucket's ETags say nothing any more: all is sent once more, and what was sent is known, even if the rest isn't.
    let refused = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    let is_page = |seen: &Seen| is_put(seen, "/index.html");
    stage
        .proxy
        .rule(move |seen| is_page(seen).then(|| (403, refused.to_owned())));
    stage.publish().fails_with(1).says(&["could not upload index.html"]);
    let first = sent(&stage.proxy.take());
    assert!(first.len() > 5 && first.contains(&"film.bin".to_owned()), "{first:?}");
    stage.proxy.forget_rules();
    up();
    assert!(!sent(&stage.proxy.take()).contains(&"film.bin".to_owned()));
    up();
    let asked = stage.proxy.take();
    assert!(!asked.iter().any(Seen::writes), "{:?}", sent(&asked));
    assert_eq!(
        reads_of(&asked, ARTIFACTS).len(),
        1,
        "the ledger is read once, for publishing and for the proof"
    );
    assert_eq!(reads_of(&asked, SITE), [""; 0], "and no object for its content");

    verify().success();
    let asked = stage.proxy.take();
    assert_eq!(
        (reads_of(&asked, ARTIFACTS).len(), reads_of(&asked, SITE).len()),
        (1, 0)
    );
    let films = asked.iter().filter(|seen| seen.path == "/film.bin");
    assert_eq!(films.map(|seen| seen.method.as_str()).collect::<Vec<_>>(), ["HEAD"]);

    stage.project.write("site/robots.txt", "User-agent: x\n");
    differs("robots.txt");
    stage.proxy.take();
    up();
    assert_eq!(sent(&stage.proxy.take()), ["robots.txt"]);

    // The ledger of a version that didn't keep this: the proof reads what there is, and publishing sends it once more.
    let s3 = &stage.clients.s3;
    let ledger = s3
        .get_object()
        .bucket(ARTIFACTS)
        .key(LEDGER)
        .send()
        .await
        .expect("a ledger");
    let ledger = ledger.body.collect().await.expect("bytes").into_bytes();
    let mut ledger: serde_json::Value = serde_json::from_slice(&ledger).expect("JSON");
    let contents = ledger.as_object_mut().and_then(|ledger| ledger.remove("contents"));
    assert!(contents.is_some_and(|contents| contents["film.bin"]["sum"].is_string()));
    let put = s3.put_object().bucket(ARTIFACTS).key(LEDGER);
    put.body(ledger.to_string().into_bytes().into())
        .send()
        .await
        .expect("put");
    verify().success();
    let asked = stage.proxy.take();
    assert!(reads_of(&asked, SITE).iter().any(|path| path.contains("film.bin")));
    up();
    assert!(sent(&stage.proxy.take()).contains(&"film.bin".to_owned()));

    // What somebody else put there is found out, whether its ETag says something or not.
    let same_size = vec![7; film.len()];
    let put = s3.put_object().bucket(SITE).key("film.bin").body(same_size.into());
    put.content_type("application/octet-stream").send().await.expect("put");
    differs("film.bin");
    stage.proxy.take();
    up();
    assert_eq!(sent(&stage.proxy.take()), ["film.bin"]);
}
