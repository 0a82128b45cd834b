//! The page in headless Chromium, as a visitor has it: the browser's own CORS check is the judge.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator, key::Key};
use serde_json::json;
use test_support::browser::{Driver, Programs};

use crate::support::{Clients, Emulator, Project, Proxy, document, http};

pub(crate) struct Browser {
    client: Client,
    // Ends with this value.
    _driver: Driver,
}

impl Browser {
    pub(crate) async fn open(programs: &Programs) -> Self {
        let driver = Driver::start(programs).expect("chromedriver starts");
        // The driver takes a moment to listen.
        let mut last = None;
        for _ in 0..600 {
            match ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
                .capabilities(driver.capabilities())
                .connect(&driver.endpoint())
                .await
            {
                Ok(client) => {
                    return Self {
                        client,
                        _driver: driver,
                    };
                }
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("chromedriver doesn't answer: {last:?}");
    }

    /// Types `id` into the field and presses Enter; returns what the result box then says.
    async fn ask(&self, id: &str) -> String {
        self.enter("user-id", id).await;
        self.answer().await
    }

    /// Types into a field, by its id, and presses Enter.
    async fn enter(&self, field: &str, text: &str) {
        let field = self.client.find(Locator::Id(field)).await.expect("the field");
        field.clear().await.expect("cleared");
        field.send_keys(text).await.expect("typed");
        field
            .send_keys(&char::from(Key::Enter).to_string())
            .await
            .expect("Enter");
    }

    /// What the first element of this kind says, once it says something that can be seen, and not that it isn't ready yet.
    async fn shown(&self, selector: &str) -> String {
        let found = self.client.wait().at_most(Duration::from_secs(60));
        let element = found.for_element(Locator::Css(selector)).await;
        let element = element.unwrap_or_else(|error| panic!("no {selector}: {error}"));
        for _ in 0..1_200 {
            let text = element.text().await.expect("text");
            if !text.is_empty() && !text.ends_with('…') {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{selector} says nothing");
    }

    /// Opens a page, and returns what an element says, by its id: one of these once nothing more comes, or what it says after
    /// a minute.
    pub(crate) async fn says(&self, url: &str, id: &str, expected: &[&str]) -> String {
        self.client.goto(url).await.expect("the page opens");
        let mut last = String::new();
        for _ in 0..300 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let element = self.client.find(Locator::Id(id)).await.expect("the element");
            let text = element.text().await.expect("text");
            if text == last && expected.contains(&text.as_str()) {
                return text;
            }
            last = text;
        }
        last
    }

    /// Runs `script` in the page; returns the directive of the content security policy that stops it, or "none".
    async fn violation(&self, script: &str) -> String {
        let script = format!(
            "const done = arguments[0];
             document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective), {{ once: true }});
             setTimeout(() => done('none'), 5000);
             {script};"
        );
        let answer = self.client.execute_async(&script, vec![]).await.expect("it runs");
        answer.as_str().unwrap_or_default().to_owned()
    }

    /// The result, once the page is neither idle nor loading.
    async fn answer(&self) -> String {
        for _ in 0..1_200 {
            let app = self.client.find(Locator::Id("app")).await.expect("the app");
            let state = app.attr("data-state").await.expect("a state").unwrap_or_default();
            if ["success", "error", "invalid"].contains(&state.as_str()) {
                let result = self.client.find(Locator::Id("result")).await.expect("the box");
                return result.text().await.expect("text");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the page shows no result");
    }

    /// What the open page's function `more` loads.
    pub(crate) async fn more(&self) -> String {
        let script = "const done = arguments[0]; window.more().then(done, (error) => done(String(error)));";
        let answer = self.client.execute_async(script, vec![]).await.expect("it runs");
        answer.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn close(self) {
        let _ = self.client.close().await;
    }
}

#[tokio::test]
async fn a_visitor_looks_a_user_up() {
    let Some(programs) = Programs::for_this_test() else {
        return;
    };
    let emulator = Emulator::start();
    // The browser goes through the proxy, which sees whether the API is asked.
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    let up = project
        .deployer(&proxy.endpoint(), &["up", "--output", "json"])
        .success()
        .json();
    let site = document::site_url(&up);
    let api = document::api_url(&up);
    let origin = |url: &str| url.split('/').take(3).collect::<Vec<_>>().join("/");
    assert_ne!(origin(site), origin(api), "two origins, so that CORS is really checked");
    proxy.take();

    let browser = Browser::open(&programs).await;
    browser.client.goto(site).await.expect("the page opens");
    let asked = || {
        let api: Vec<_> = proxy
            .take()
            .into_iter()
            .filter(|seen| seen.path.contains("/users"))
            .collect();
        api.len()
    };

    let shown: serde_json::Value = serde_json::from_str(&browser.ask("1").await).expect("JSON is shown");
    assert_eq!(
        shown,
        json!({ "userId": "1", "name": "Test User", "email": "test@example.com" })
    );
    assert_eq!(asked(), 1);
    if let Some(file) = std::env::var_os("DEPLOYER_TEST_SCREENSHOT") {
        std::fs::write(file, browser.client.screenshot().await.expect("a picture")).expect("written");
    }

    assert_eq!(
        browser.ask("nobody").await,
        "Error 404: No user found with userId: nobody"
    );
    assert_eq!(asked(), 1);

    let field = browser.client.find(Locator::Id("user-id")).await.expect("the field");
    field.clear().await.expect("cleared");
    browser
        .client
        .find(Locator::Id("fetch"))
        .await
        .expect("the button")
        .click()
        .await
        .expect("clicked");
    let words = browser.answer().await;
    assert!(words.contains("enter a user id"), "{words}");
    assert_eq!(asked(), 0, "an empty field asks nobody");

    // The page calls this API and nobody else, and runs and wears nothing but its own files.
    let elsewhere = format!("fetch('{}/')", emulator.endpoint());
    assert_eq!(browser.violation(&elsewhere).await, "connect-src");
    let inline =
        "const s = document.createElement('script'); s.textContent = 'document.title = 1'; document.head.append(s)";
    assert_eq!(browser.violation(inline).await, "script-src-elem");
    let styled = "document.body.setAttribute('style', 'color: red')";
    assert_eq!(browser.violation(styled).await, "style-src-attr");
    let form = "HTMLFormElement.prototype.submit.call(document.getElementById('lookup'))";
    assert_eq!(browser.violation(form).await, "form-action");

    // Markup in an answer stays text.
    let hostile = "<img src=x onerror=document.title='broken'>";
    assert!(browser.ask(hostile).await.contains(hostile));
    assert_ne!(browser.client.title().await.expect("a title"), "broken");

    // A CORS header that doesn't name this origin: the browser must hide the answer. So the check above was real.
    let answer = http::request("GET", &format!("{api}?userId=1"), &[]).expect("an answer");
    assert_eq!(
        answer.header("Access-Control-Allow-Origin"),
        Some(origin(site).as_str())
    );
    proxy.rule(|seen| {
        seen.path
            .contains("/users")
            .then(|| (200, "{\"userId\":\"1\"}".to_owned()))
    });
    let words = browser.ask("1").await;
    assert!(words.starts_with("Network error: "), "{words}");
    browser.close().await;
}

/// What the guard lets through is enough for the examples' pages, too, and for one beside the other.
#[tokio::test]
async fn the_pages_of_the_examples_work() {
    let Some(programs) = Programs::for_this_test() else {
        return;
    };
    let emulator = Emulator::start();
    let up = |example: &str, args: &[&str]| {
        let args = [&["up", "--no-verify", "--output", "json"], args].concat();
        Project::of(example)
            .deployer(&emulator.endpoint(), &args)
            .success()
            .json()
    };
    let (orders, site) = (up("orders", &["--stage", "dev"]), up("site", &[]));
    let browser = Browser::open(&programs).await;

    // The shop: its page asks for a list and then, by a button in it, for one of its lines.
    browser
        .client
        .goto(document::site_url(&orders))
        .await
        .expect("the page opens");
    browser.enter("customer", "c-1").await;
    let listed = browser.shown("#orders button").await;
    browser
        .client
        .find(Locator::Css("#orders button"))
        .await
        .expect("an order")
        .click()
        .await
        .expect("clicked");
    assert_eq!(browser.shown("#order-title").await, format!("Order {listed}"));
    let about = browser.shown("#order-about").await;
    assert!(about.contains("by c-1"), "{about}");
    assert!(browser.shown("#lines li").await.contains(" × "));
    browser.enter("customer", "nobody").await;
    assert_eq!(browser.shown("#message").await, "nobody has no orders.");

    // The other has nothing but its page.
    let site = document::site_url(&site);
    for (path, heading) in [("", "It works"), ("some/where/else", "Page not found")] {
        browser
            .client
            .goto(&format!("{site}{path}"))
            .await
            .expect("the page opens");
        assert_eq!(browser.shown("h1").await, heading);
    }
    browser.close().await;
}

/// Serves a page that has nothing to do with the app, at a port of its own.
fn strangers_page() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    // Ends with the test's process.
    std::thread::spawn(move || {
        for mut visitor in listener.incoming().flatten() {
            let _ = visitor.read(&mut [0; 4096]);
            let page = "<!doctype html><title>A stranger's page</title>";
            let length = page.len();
            let _ = write!(
                visitor,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
            );
        }
    });
    format!("http://localhost:{}/", address.port())
}

/// What the local cloud is guarded against: a page that the developer happens to have open.
#[tokio::test]
async fn a_strangers_page_neither_changes_nor_reads_anything() {
    let Some(programs) = Programs::for_this_test() else {
        return;
    };
    let emulator = Emulator::start();
    let up = Project::copy()
        .deployer(&emulator.endpoint(), &["up", "--stage", "dev", "--output", "json"])
        .success()
        .json();
    let browser = Browser::open(&programs).await;
    browser.client.goto(&strangers_page()).await.expect("the page opens");
    let script = r#"
        const [endpoint, site, api, done] = arguments;
        const form = { "Content-Type": "application/x-www-form-urlencoded" };
        const known = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0";
        const role = "Action=CreateRole&Version=2010-05-08&RoleName=mine&AssumeRolePolicyDocument=%7B%7D";
        const asked = [
            [endpoint + "/", { method: "POST", headers: form, body: role }],
            [endpoint + "/", { method: "POST", mode: "no-cors", body: role }],
            [endpoint + "/", { method: "POST", headers: { ...form, Authorization: known }, body: role }],
            [endpoint + "/?X-Amz-Credential=test/20260101/us-east-1/iam/aws4_request", { method: "POST", headers: form, body: role }],
            [endpoint + "/_ministack/reset", { method: "POST" }],
            [endpoint + "/_ministack/reset", { method: "POST", mode: "no-cors" }],
            [endpoint + "/_ministack/lambda-code/000000000000/us-east-1/retrieve-user-data-dev", {}],
            [site + "_ministack/reset", { method: "POST", mode: "no-cors" }],
            [new URL("/_ministack/reset", api), { method: "POST", mode: "no-cors" }],
            // What anybody may ask, but a page of another origin may not read.
            [api + "?userId=1", {}],
        ];
        const port = new URL(endpoint).port;
        const hosts = ["127.0.0.1", "iot.cloudfront.localhost", "iot.us-east-1.localhost", new URL(site).hostname];
        const opened = hosts.map((host) => new Promise((tell) => {
            const socket = new WebSocket(`ws://${host}:${port}/x`, "mqtt");
            socket.onopen = () => tell(`${host} is open`);
            socket.onerror = () => tell("unreadable");
        }));
        Promise.all(opened.concat(asked.map(async ([url, options]) => {
            try {
                const answer = await fetch(url, options);
                return answer.type === "opaque" ? "unreadable" : `${answer.status}: ${await answer.text()}`;
            } catch {
                return "unreadable";
            }
        }))).then(done);
    "#;
    let told = browser.client.execute_async(
        script,
        vec![
            json!(emulator.endpoint()),
            json!(document::site_url(&up)),
            json!(document::api_url(&up)),
        ],
    );
    let told = told.await.expect("it runs");
    assert_eq!(told, json!(vec!["unreadable"; 14]));
    let clients = Clients::root(&emulator.endpoint());
    let roles = clients.iam.list_roles().send().await.expect("roles");
    let roles: Vec<&str> = roles.roles().iter().map(|role| role.role_name()).collect();
    assert_eq!(
        roles,
        ["three-tier-dev-function-us-east-1"],
        "none was added, and nothing was wiped"
    );
    // Its visitor goes on to the app, which works.
    let site = document::site_url(&up);
    browser.client.goto(site).await.expect("the page opens");
    assert!(browser.ask("1").await.contains("Test User"));
    browser.close().await;
}

#[tokio::test]
async fn a_missing_page_has_its_style_however_deep_it_is() {
    let Some(programs) = Programs::for_this_test() else {
        return;
    };
    let emulator = Emulator::start();
    let project = Project::copy();
    let up = project
        .deployer(&emulator.endpoint(), &["up", "--stage", "dev", "--output", "json"])
        .success()
        .json();
    let site = document::site_url(&up);
    let browser = Browser::open(&programs).await;
    browser
        .client
        .goto(&format!("{site}some/where/else"))
        .await
        .expect("the page opens");
    let heading = browser.client.find(Locator::Css("h1")).await.expect("a heading");
    assert_eq!(heading.text().await.expect("text"), "Page not found");
    let plain = "return getComputedStyle(document.querySelector('main')).maxWidth";
    let width = browser.client.execute(plain, vec![]).await.expect("it runs");
    assert_ne!(width, "none", "the style sheet applies");
    let home = browser.client.find(Locator::Css("a")).await.expect("a link");
    home.click().await.expect("clicked");
    assert!(browser.ask("1").await.contains("Test User"));
    browser.close().await;
}

#[tokio::test]
async fn a_changed_page_is_seen_on_reload() {
    let Some(programs) = Programs::for_this_test() else {
        return;
    };
    let emulator = Emulator::start();
    let project = Project::copy();
    let endpoint = emulator.endpoint();
    let up = project
        .deployer(&endpoint, &["up", "--stage", "dev", "--output", "json"])
        .success()
        .json();
    let browser = Browser::open(&programs).await;
    browser
        .client
        .goto(document::site_url(&up))
        .await
        .expect("the page opens");
    let before = browser.client.title().await.expect("a title");
    project.edit("site/index.html", "<title>", "<title>Second edition: ");
    let style = project.read("site/style.css");
    project.write("site/style.css", &format!("{style}\nbody {{ color: rgb(1, 2, 3); }}\n"));
    project
        .deployer(&endpoint, &["up", "--stage", "dev", "--only", "site"])
        .success();
    browser.client.refresh().await.expect("reloaded");
    assert_eq!(
        browser.client.title().await.expect("a title"),
        format!("Second edition: {before}")
    );
    let color = "return getComputedStyle(document.body).color";
    let color = browser.client.execute(color, vec![]).await.expect("it runs");
    assert_eq!(color, json!("rgb(1, 2, 3)"), "what the page loads has changed with it");
    browser.close().await;
}

/// A site of its own files in all the ways that pages have them: nothing of it is refused, and nothing more is allowed.
#[tokio::test]
async fn what_a_site_has_of_its_own_is_shown_and_played() {
    let Some(programs) = Programs::for_this_test() else {
        return;
    };
    let emulator = Emulator::start();
    let project = Project::of("site");
    // It listens first, and is a file: a script in the page would be one of the things that loosen the policy.
    project.write(
        "site/watch.js",
        "window.refused = [];\n\
         document.addEventListener('securitypolicyviolation', (event) => refused.push(event.effectiveDirective));\n",
    );
    project.write(
        "site/index.html",
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>own</title><script src=\"watch.js\"></script>\n\
         <link rel=\"manifest\" href=\"app.webmanifest\"><link rel=\"stylesheet\" href=\"a.css\"></head>\n\
         <body><video src=\"film.mp4\" controls></video><audio src=\"sound.wav\" preload=\"auto\"></audio>\n\
         <iframe src=\"inner.html\"></iframe><object data=\"pic.svg\" type=\"image/svg+xml\"></object></body></html>",
    );
    project.write(
        "site/inner.html",
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>inner</title>\n</head><body>inner</body></html>",
    );
    project.write(
        "site/a.css",
        "body{background:url(data:image/gif;base64,R0lGODlhAQABAAAAACw=)}",
    );
    project.write("site/app.webmanifest", "{\"name\":\"own\"}");
    project.write(
        "site/pic.svg",
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/>",
    );
    project.write("site/film.mp4", "\0\0\0\u{18}ftypmp42\0\0\0\0mp42isom");
    // A second of silence, 8,000 samples of a byte: `RIFF`, the format, the data.
    let mut sound =
        b"RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x40\x1f\0\0".to_vec();
    sound.resize(sound.len() + 8_000, 0x80);
    std::fs::write(project.path().join("site/sound.wav"), sound).expect("written");
    let up = project
        .deployer(&emulator.endpoint(), &["up", "--output", "json"])
        .success()
        .json();
    assert_eq!(up["verification"]["verified"], true, "{up:#}");
    let browser = Browser::open(&programs).await;
    browser
        .client
        .goto(document::site_url(&up))
        .await
        .expect("the page opens");
    let look = "const done = arguments[0], sound = document.querySelector('audio');
        const tell = () => done({
            refused,
            inner: document.querySelector('iframe').contentDocument.body.textContent,
            picture: document.querySelector('object').contentDocument.documentElement.localName,
            seconds: sound.duration,
        });
        if (sound.readyState > 0) tell(); else sound.addEventListener('loadedmetadata', tell);
        setTimeout(() => done({ refused, late: true }), 10000);";
    let seen = browser.client.execute_async(look, vec![]).await.expect("it runs");
    assert_eq!(
        seen,
        json!({ "refused": [], "inner": "inner", "picture": "svg", "seconds": 1 })
    );
    // What nobody uses is refused as ever.
    let inline = "const s = document.createElement('script'); s.textContent = '1'; document.body.append(s)";
    assert_eq!(browser.violation(inline).await, "script-src-elem");
    browser.close().await;
}
