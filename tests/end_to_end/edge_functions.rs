//! What CloudFront runs for each request: the very text that the templates have, run by Node with thousands of addresses.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::project::repository;
use crate::support::{Clients, Emulator, Project, document, http};

/// The templates that have them.
const TEMPLATES: [&str; 3] = [
    "stacks/presentation.yaml",
    "examples/site/stacks/web.yaml",
    "examples/orders/stacks/storefront.yaml",
];

/// The most that a function's text may have, in bytes.
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-functions>
const LARGEST_BYTES: usize = 10 * 1024;

/// The longest value of a parameter.
const LONGEST_VALUE: usize = 4_096;

/// Node, or why the test is skipped. With `CI=true` its absence is a failure.
fn node() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("node"))
        .find(|file| file.is_file());
    if found.is_none() {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let how = "Debian: sudo apt install nodejs";
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "{test} needs node on the PATH. {how}"
        );
        // Not `eprintln!`: that is shown for failing tests only.
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: it needs node on the PATH. {how}");
    }
    found
}

/// A function's text in a template, with what `Fn::Sub` puts into it.
fn text(template: &str, function: &str, app_paths: &str) -> String {
    let template = std::fs::read_to_string(repository().join(template)).expect("a template");
    let (_, resource) = template
        .split_once(&format!("\n  {function}:\n"))
        .expect("the function");
    let (_, code) = resource.split_once("FunctionCode:").expect("its text");
    let (head, code) = code.split_once('\n').expect("lines");
    assert!(["!Sub |", "|"].contains(&head.trim()), "{head}");
    let indent = " ".repeat(8);
    let lines = code
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with(&indent));
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix(&indent).unwrap_or(line)).collect();
    let code = format!("{}\n", lines.join("\n").trim_end());
    if head.trim() == "|" {
        return code;
    }
    let code = code.replace("${SiteAppPaths}", app_paths);
    assert!(!code.contains("${"), "Fn::Sub puts in something else: {code}");
    code
}

/// What the function makes of each event.
fn run(code: &str, events: &[Value]) -> Option<Vec<Value>> {
    const DRIVER: &str = "
        const { code, events } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
        const context = require('vm').createContext({});
        require('vm').runInContext(code, context);
        context.events = JSON.stringify(events);
        const all = 'JSON.stringify(JSON.parse(events).map((event) => handler(event)))';
        process.stdout.write(require('vm').runInContext(all, context));
    ";
    let mut child = Command::new(node()?)
        .args(["-e", DRIVER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let input = json!({ "code": code, "events": events }).to_string();
    let mut stdin = child.stdin.take().expect("a pipe");
    let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("node ends");
    writing.join().expect("it ends").expect("written");
    assert!(output.status.success(), "the function failed");
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answers.len(), events.len());
    Some(answers)
}

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn word(&mut self, letters: &[&str]) -> String {
        (0..=self.below(6)).map(|_| self.of(letters)).collect()
    }
}

/// With all but these escaped, as the deployer's own paths are.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

const LETTERS: &[&str] = &[
    "a", "B", "7", "-", "_", "~", " ", "ü", "日", "😀", "'", ",", "(", "!", "$", "%", "+", "&",
];

#[test]
fn the_functions_fit_whatever_they_are_given_and_are_the_same_everywhere() {
    let longest = "a/,".repeat(LONGEST_VALUE / 3);
    for function in ["Redirects", "Fallback"] {
        let texts: BTreeSet<String> = TEMPLATES
            .iter()
            .map(|template| text(template, function, &longest))
            .collect();
        assert_eq!(texts.len(), 1, "{function} isn't the same in all templates");
        for text in texts {
            assert!(text.len() <= LARGEST_BYTES, "{function} has {} bytes", text.len());
        }
    }
}

/// Each address of a thousand: files, what is published without an extension, and what a script draws.
#[test]
fn unknown_paths_are_the_apps_and_nothing_else_is() {
    let mut dice = Dice(1);
    let mut published: BTreeSet<String> = ["LICENSE", "about/", "docs/guide/", "a,b", "it's/"]
        .map(str::to_owned)
        .into();
    while published.len() < 40 {
        let slash = dice.of(&["", "/"]);
        published.insert(format!("{}{slash}", dice.word(LETTERS)));
    }
    let list: Vec<String> = published.iter().map(|key| escaped(key)).collect();
    let list = list.join(",");
    // As the template's pattern has it: nothing in it ends the string that it is put into.
    assert!(
        list.chars().all(|c| c.is_ascii_alphanumeric() || "_.~%/,-".contains(c)),
        "{list}"
    );
    let mut expected = vec![("/".to_owned(), "/".to_owned())];
    for key in &published {
        // Browsers escape little; crawlers and links of generators more.
        let little = key.replace('%', "%25").replace(' ', "%20").replace('ü', "%c3%bc");
        for path in [format!("/{}", escaped(key)), format!("/{little}")] {
            expected.push((path.clone(), path));
        }
    }
    while expected.len() < 2_000 {
        let folders: String = (0..dice.below(3)).map(|_| format!("{}/", dice.word(LETTERS))).collect();
        let file = match dice.below(3) {
            0 => format!("{}.{}", dice.word(LETTERS), dice.of(&["js", "css", "png", "html"])),
            1 => dice.word(LETTERS),
            _ => String::new(),
        };
        let key = format!("{folders}{file}");
        let path = format!("/{}", escaped(&key));
        let stays = key.is_empty() || file.contains('.') || published.contains(&key);
        expected.push((path.clone(), if stays { path } else { "/200.html".to_owned() }));
    }
    // Nobody can make it fail, or list something that isn't there.
    for path in ["/%", "/%zz", "/%C3", "/a/,LICENSE", "/about/,docs/guide/", "/,", "//"] {
        expected.push((path.to_owned(), "/200.html".to_owned()));
    }
    let event = |path: &str| json!({ "request": { "method": "GET", "uri": path, "querystring": {}, "headers": {} } });
    let events: Vec<Value> = expected.iter().map(|(path, _)| event(path)).collect();
    for template in TEMPLATES {
        let Some(answers) = run(&text(template, "Fallback", &list), &events) else {
            return;
        };
        for ((path, expected), answer) in expected.iter().zip(&answers) {
            assert_eq!(answer["uri"], json!(expected), "{path}");
        }
    }
}

#[test]
fn what_leads_elsewhere_is_a_redirect_that_keeps_what_was_asked() {
    let mut dice = Dice(2);
    let (mut events, mut expected) = (Vec::new(), Vec::new());
    for _ in 0..2_000 {
        let path = dice.of(&[
            "/new/",
            "/",
            "/a%20b",
            "https://www.example.com/x",
            "https://www.example.com",
        ]);
        let query = dice.of(&["", "", "?a=1", "?"]);
        let fragment = dice.of(&["", "", "#top", "#?"]);
        let target = format!("{path}{query}{fragment}");
        let (mut asked, mut fields) = (Vec::new(), serde_json::Map::new());
        for name in ["q", "utm%20x", "b"].into_iter().take(dice.below(4)) {
            let values: Vec<String> = (0..=dice.below(2))
                .map(|_| dice.word(&["1", "%C3%BC", "+", "/", ""]))
                .collect();
            for value in &values {
                asked.push(if value.is_empty() {
                    name.to_owned()
                } else {
                    format!("{name}={value}")
                });
            }
            let mut field = json!({ "value": values[0] });
            if values.len() > 1 {
                field["multiValue"] = values.iter().map(|value| json!({ "value": value })).collect();
            }
            fields.insert(name.to_owned(), field);
        }
        let leads = dice.below(5) > 0;
        let mut headers = json!({
            "content-type": { "value": "text/html" },
            "etag": { "value": "\"x\"" },
            "last-modified": { "value": "today" },
            "cache-control": { "value": "public, max-age=31536000, immutable" },
        });
        if leads {
            headers["x-amz-website-redirect-location"] = json!({ "value": target });
        }
        let status = [200, 304][dice.below(2)];
        events.push(json!({
            "request": { "method": "GET", "uri": "/old", "querystring": fields, "headers": {} },
            "response": { "statusCode": status, "headers": headers },
        }));
        expected.push(leads.then(|| {
            let asked = asked.join("&");
            let kept = if query.is_empty() && !asked.is_empty() {
                format!("?{asked}")
            } else {
                query.to_owned()
            };
            format!("{path}{kept}{fragment}")
        }));
    }
    let Some(answers) = run(&text(TEMPLATES[0], "Redirects", ""), &events) else {
        return;
    };
    for ((event, expected), answer) in events.iter().zip(&expected).zip(&answers) {
        let Some(location) = expected else {
            assert_eq!(answer, &event["response"], "all else is left alone");
            continue;
        };
        assert_eq!(answer["statusCode"], 301, "{event}");
        assert_eq!(answer["headers"]["location"]["value"], json!(location), "{event}");
        assert_eq!(answer["headers"]["cache-control"]["value"], "no-cache");
        assert_eq!(answer["body"]["data"], "");
        for gone in ["etag", "last-modified", "x-amz-website-redirect-location"] {
            assert_eq!(answer["headers"].get(gone), None, "{gone}");
        }
    }
    // What would end the header, or the address, is escaped, should it come unescaped.
    let event = json!({
        "request": { "uri": "/", "querystring": { "a b": { "value": "\r\nset-cookie: x&y#z\"<ü" } } },
        "response": { "statusCode": 200, "headers": { "x-amz-website-redirect-location": { "value": "/n" } } },
    });
    let answers = run(&text(TEMPLATES[0], "Redirects", ""), &[event]).expect("node");
    assert_eq!(
        answers[0]["headers"]["location"]["value"],
        "/n?a%20b=%0D%0Aset-cookie:%20x%26y%23z%22%3C%C3%BC"
    );
}

/// As CloudFront does it: what S3 keeps with an object reaches the function, and what the function says the visitor.
#[tokio::test]
async fn an_object_that_leads_elsewhere_leads_there() {
    if node().is_none() {
        return;
    }
    let (emulator, project) = (Emulator::shared(), Project::of("site"));
    // Off AWS no site asks for it, so the stage does.
    let stages = "project: website\nstages:\n  prod: { parameters: { SiteRedirects: \"true\" } }\n";
    project.write("stacks/stages.yaml", stages);
    let up = project.deployer(&emulator.endpoint(), &["up", "--output", "json"]);
    let up = up.success().json();
    assert_eq!(up["verification"]["verified"], true, "{up:#}");
    let put = Clients::root(&emulator.endpoint()).s3.put_object();
    put.bucket(document::output(&up, "SiteBucket"))
        .key("old")
        .website_redirect_location("/new/")
        .content_type("text/html")
        .body(Vec::from("moved").into())
        .send()
        .await
        .expect("put");
    let get = |path: &str| {
        let url = format!("{}{path}", document::site_url(&up));
        http::request("GET", &url, &[]).expect("an answer")
    };
    let moved = get("old?a=1&b=%20");
    assert_eq!(
        (moved.status, moved.header("Location")),
        (301, Some("/new/?a=1&b=%20")),
        "{}",
        moved.body
    );
    assert_eq!((moved.body.as_str(), moved.header("ETag")), ("", None));
    assert!(moved.header("Content-Security-Policy").is_some());
    assert_eq!(get("").status, 200);
    assert_eq!(get("gone").status, 404);
}
