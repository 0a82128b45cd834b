//! One page in the browser, and what it did: as much as a visitor could notice, and what made it so.

use std::collections::{BTreeMap, HashMap};
use std::io::{Error, Result};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::masked::masked;
use crate::browser::{Browser, Log};
use crate::http;

/// What there is to see of a page once it has come to rest. What may differ between two servers is masked in all of it.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The status of the document; 0 if it came from no server, as after a click that a script answered.
    pub status: u16,
    /// The address in the end, from the origin on.
    pub path: String,
    /// The document as it has become, with its mode and its character set.
    pub dom: String,
    /// What can be read.
    pub text: String,
    /// Errors and warnings, sorted.
    pub console: Vec<String>,
    /// How often each address was asked for, with what came of it.
    pub requests: BTreeMap<String, Asked>,
    /// The window, as a PNG in Base64.
    pub picture: String,
    /// The addresses of the same site that the page links, in their order, as they are written in full.
    pub links: Vec<String>,
}

/// All requests of one page for one address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// How many there were.
    pub times: usize,
    /// What came of the last: a status, or why none came.
    pub result: String,
    /// A hash of what is served there, masked where it is text; none of what isn't there.
    pub content: Option<String>,
}

impl Asked {
    /// Whether nothing came, or a refusal. What was given up by the page itself isn't missing.
    pub fn is_missing(&self) -> bool {
        match self.result.parse::<u16>() {
            Ok(status) => status >= 400,
            Err(_) => !matches!(self.result.as_str(), "" | "net::ERR_ABORTED"),
        }
    }
}

/// A page that isn't at rest until then never is.
const RESTLESS: Duration = Duration::from_secs(8);
/// A click that has led nowhere until then never will.
const IMPATIENT: Duration = Duration::from_secs(3);
/// A page may lead to another one, and that to a third.
const HOPS: usize = 6;

/// Gives nothing once the page is loaded and quiet; arguments: both times.
const REST: &str = r#"
    const [quiet, restless, done] = arguments;
    const begun = performance.now();
    let last = begun;
    const touch = () => { last = performance.now(); };
    new MutationObserver(touch).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    new PerformanceObserver(touch).observe({ type: "resource" });
    const look = () => {
        const now = performance.now();
        const loaded = document.readyState === "complete" && document.fonts.status === "loaded"
            && [...document.images].every((image) => image.complete || image.loading === "lazy");
        if ((loaded && now - last > quiet) || now - begun > restless) { done(null); } else { setTimeout(look, 40); }
    };
    look();
"#;

/// Reads the page.
const READ: &str = r#"
    const links = new Set();
    for (const link of document.querySelectorAll("a[href]")) {
        const url = URL.canParse(link.href) ? new URL(link.href) : null;
        if (url && url.origin === location.origin && !link.hasAttribute("download")) { links.add(url.pathname + url.search); }
    }
    // What is only said aloud comes and goes.
    let words = document.body ? document.body.innerText : "";
    for (const said of document.querySelectorAll("[aria-live]")) {
        const at = said.innerText ? words.lastIndexOf(said.innerText) : -1;
        if (at >= 0) { words = words.slice(0, at) + words.slice(at + said.innerText.length); }
    }
    words = words.trim();
    return {
        path: location.href.startsWith(location.origin) ? location.href.slice(location.origin.length) : location.href,
        dom: `${document.compatMode} ${document.characterSet}\n${document.documentElement.outerHTML}`,
        text: words,
        links: [...links],
        // What the browser itself asks for when it likes to, once or with each page.
        icons: [location.origin + "/favicon.ico", ...[...document.querySelectorAll("link[rel~=icon]")].map((icon) => icon.href)],
    };
"#;

/// Brings what moves by itself to its end, for a picture that is the same each time.
const STILL: &str = r#"
    const done = arguments[0];
    for (const animation of document.getAnimations()) {
        // One that never ends has none.
        try { animation.finish(); } catch { animation.cancel(); }
    }
    requestAnimationFrame(() => requestAnimationFrame(() => done(null)));
"#;

/// Where the page is.
const HERE: &str = "return location.href";

/// Clicks the first link that leads to this address; says whether there is one.
const CLICK: &str = r#"
    const [path] = arguments;
    const link = [...document.querySelectorAll("a[href]")].find((link) => {
        const url = URL.canParse(link.href) ? new URL(link.href) : null;
        return url && url.origin === location.origin && url.pathname + url.search === path;
    });
    if (link) { link.click(); }
    return Boolean(link);
"#;

/// One who visits a site: a browser with a profile of its own, and where the site is.
#[derive(Debug)]
pub struct Visitor {
    browser: Browser,
    origin: String,
    /// How long nothing must happen before a page is at rest.
    quiet: Duration,
    /// What is served at each address that was looked at, until the site changes.
    contents: HashMap<String, Option<String>>,
}

impl Visitor {
    /// Lets `browser` visit what is at `origin`, which has no slash at its end. A page where nothing has happened for as
    /// long as `quiet` is at rest.
    pub fn new(browser: Browser, origin: &str, quiet: Duration) -> Self {
        Self {
            browser,
            origin: origin.to_owned(),
            quiet,
            contents: HashMap::new(),
        }
    }

    /// The browser.
    pub fn browser(&self) -> &Browser {
        &self.browser
    }

    /// What was learned of the site's files is no longer true.
    pub fn forget_contents(&mut self) {
        self.contents.clear();
    }

    /// Opens an address as if it had been typed.
    ///
    /// # Errors
    /// The browser is gone, or has no page to show.
    pub fn open(&mut self, path: &str) -> Result<Seen> {
        self.drain()?;
        self.browser.goto(&format!("{}{path}", self.origin))?;
        self.look(true)
    }

    /// Loads the page again where nobody answers: no content is asked for, and nothing that fails is a surprise.
    ///
    /// # Errors
    /// The browser is gone.
    pub fn reload_offline(&mut self) -> Result<Seen> {
        self.drain()?;
        // It may well say that it can't be reached: then that is what is seen.
        let _ = self.browser.reload();
        self.look(false)
    }

    /// Clicks the link that leads to `path`; none if the page has no such link.
    ///
    /// # Errors
    /// The browser is gone.
    pub fn click(&mut self, path: &str) -> Result<Option<Seen>> {
        self.drain()?;
        let before = self.browser.run(HERE, &[])?;
        if self.browser.run(CLICK, &[json!(path)])? != json!(true) {
            return Ok(None);
        }
        // Until the next document or its address is there, the old one is quiet. It may never come.
        let begun = Instant::now();
        while begun.elapsed() < IMPATIENT && self.browser.run(HERE, &[]).is_ok_and(|here| here == before) {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.look(true).map(Some)
    }

    fn drain(&self) -> Result<()> {
        self.browser.log(Log::Console)?;
        self.browser.log(Log::Network).map(drop)
    }

    fn rest(&self) -> Result<()> {
        let times = [self.quiet, RESTLESS].map(|time| json!(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)));
        let mut last = Ok(());
        for _ in 0..HOPS {
            last = self.browser.wait_for(REST, &times).map(drop);
            if last.is_ok() {
                break;
            }
            // The document went away while it was watched: its successor is to be.
            std::thread::sleep(self.quiet);
        }
        last
    }

    fn look(&mut self, with_contents: bool) -> Result<Seen> {
        self.rest()?;
        let read = self.browser.run(READ, &[])?;
        // A page that goes away now was about to lead on to another, which is what is to be seen then.
        let _ = self.browser.wait_for(STILL, &[]);
        let picture = self.still_picture()?;
        let text = |name: &str| masked(read[name].as_str().unwrap_or_default(), &self.origin);
        let list = |name: &str| {
            let items = read[name].as_array().map(Vec::as_slice).unwrap_or_default();
            items
                .iter()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect::<Vec<String>>()
        };
        let icons: Vec<String> = list("icons").iter().map(|icon| masked(icon, &self.origin)).collect();
        let mut seen = Seen {
            status: 0,
            path: text("path"),
            dom: text("dom"),
            text: text("text"),
            console: self.console(&icons)?,
            requests: BTreeMap::new(),
            picture,
            links: list("links"),
        };
        let network = Network::read(&self.browser.log(Log::Network)?);
        seen.status = network.status;
        for (url, result) in network.asked {
            let name = masked(&url, &self.origin);
            if icons.contains(&name) {
                continue;
            }
            let asked = seen.requests.entry(name).or_default();
            asked.times += 1;
            asked.result = result;
            if with_contents && asked.content.is_none() && !asked.is_missing() {
                asked.content = self.content(&url)?;
            }
        }
        Ok(seen)
    }

    /// What is to be seen once it stays the same: what scripts draw moves without a word to anybody.
    fn still_picture(&self) -> Result<String> {
        let begun = Instant::now();
        let mut picture = self.browser.picture()?;
        loop {
            let next = self.browser.picture()?;
            if next == picture || begun.elapsed() > RESTLESS {
                return Ok(next);
            }
            std::thread::sleep(self.quiet);
            picture = next;
        }
    }

    fn console(&self, icons: &[String]) -> Result<Vec<String>> {
        let mut said: Vec<String> = self
            .browser
            .log(Log::Console)?
            .iter()
            .filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")))
            .filter_map(|entry| entry["message"].as_str())
            .map(|message| without_place(&masked(message, &self.origin)))
            .filter(|message| !icons.iter().any(|icon| message.starts_with(&format!("{icon} "))))
            .collect();
        said.sort();
        Ok(said)
    }

    /// The hash of what is served at an address of the site's.
    fn content(&mut self, url: &str) -> Result<Option<String>> {
        let Some(target) = url.strip_prefix(&self.origin) else {
            return Ok(None);
        };
        if let Some(known) = self.contents.get(target) {
            return Ok(known.clone());
        }
        let answer = http::get(url)?;
        let kind = answer.header("Content-Type").unwrap_or_default();
        let is_text = ["text/", "javascript", "json", "xml"]
            .iter()
            .any(|part| kind.contains(part));
        let hash = if is_text {
            Sha256::digest(masked(&answer.body, &self.origin))
        } else {
            Sha256::digest(&answer.bytes)
        };
        let content = (answer.status == 200).then(|| hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect());
        self.contents.insert(target.to_owned(), content.clone());
        Ok(content)
    }

    /// The addresses of the site's pages that can be reached from its first one, at most `limit`, in the order in which they
    /// are linked. What isn't a page is none of them.
    ///
    /// # Errors
    /// The browser is gone.
    pub fn crawl(&mut self, limit: usize) -> Result<Vec<(String, Seen)>> {
        let mut found = Vec::<(String, Seen)>::new();
        let mut known = vec!["/".to_owned()];
        let mut next = 0;
        while next < known.len() && found.len() < limit {
            let path = known[next].clone();
            next += 1;
            if next > 1 && !self.is_page(&path)? {
                continue;
            }
            let seen = self.open(&path)?;
            for link in &seen.links {
                if !known.contains(link) {
                    known.push(link.clone());
                }
            }
            found.push((path, seen));
        }
        Ok(found)
    }

    fn is_page(&self, path: &str) -> Result<bool> {
        let answer = http::get(&format!("{}{path}", self.origin))?;
        let kind = answer.header("Content-Type").unwrap_or_default();
        // What leads elsewhere and what isn't there are pages, too.
        Ok(answer.status != 200 || kind.starts_with("text/html"))
    }

    /// Waits until a service worker has taken over and has all that it wants to keep.
    ///
    /// # Errors
    /// None does.
    pub fn await_worker(&self) -> Result<()> {
        let script = r#"
            const done = arguments[0];
            const timeout = setTimeout(() => done("no service worker has taken over"), 20000);
            const kept = async () => {
                let count = 0;
                for (const name of await caches.keys()) { count += (await (await caches.open(name)).keys()).length; }
                return count;
            };
            navigator.serviceWorker.ready.then(async () => {
                let last = -1;
                for (let now = await kept(); now !== last; now = await kept()) {
                    last = now;
                    await new Promise((wait) => setTimeout(wait, 1500));
                }
                clearTimeout(timeout);
                done("");
            });
        "#;
        // A page may be led on by its worker while it is waited for.
        let mut told = self.browser.wait_for(script, &[]);
        if told.is_err() {
            told = self.browser.wait_for(script, &[]);
        }
        match told?.as_str() {
            Some("") => Ok(()),
            words => Err(Error::other(words.unwrap_or("no service worker").to_owned())),
        }
    }
}

/// A message without the line and column behind its address: they differ where a name before them is longer.
fn without_place(message: &str) -> String {
    let Some((address, rest)) = message.split_once(' ') else {
        return message.to_owned();
    };
    let (place, words) = rest.split_once(' ').unwrap_or((rest, ""));
    if place
        .chars()
        .all(|letter| letter.is_ascii_digit() || ":-".contains(letter))
    {
        format!("{address} {words}")
    } else {
        message.to_owned()
    }
}

/// What the last document of the window was, and what it asked for.
#[derive(Debug, Default)]
struct Network {
    status: u16,
    asked: Vec<(String, String)>,
}

/// One request of the log.
#[derive(Debug, Default)]
struct Request {
    id: String,
    url: String,
    frame: String,
    is_document: bool,
    result: String,
}

impl Network {
    fn read(entries: &[Value]) -> Self {
        let mut requests = Vec::<Request>::new();
        for entry in entries {
            let Some(event) = entry["message"].as_str() else {
                continue;
            };
            let Ok(event) = serde_json::from_str::<Value>(event) else {
                continue;
            };
            let (method, event) = (&event["message"]["method"], &event["message"]["params"]);
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let id = text(&event["requestId"]);
            // What came later has the same id: the redirects before it.
            let known = requests.iter_mut().rev().find(|request| request.id == id);
            match method.as_str() {
                Some("Network.requestWillBeSent") => {
                    if let Some(before) = known {
                        before.result = event["redirectResponse"]["status"].to_string();
                    }
                    requests.push(Request {
                        id,
                        url: text(&event["request"]["url"]),
                        frame: text(&event["frameId"]),
                        is_document: event["type"] == "Document",
                        result: String::new(),
                    });
                }
                Some("Network.responseReceived") => {
                    if let Some(request) = known {
                        // What a cache had still holds: to the page that is the same.
                        let status = event["response"]["status"].to_string();
                        request.result = if status == "304" { "200".to_owned() } else { status };
                    }
                }
                Some("Network.loadingFailed") => {
                    if let Some(request) = known {
                        let why = event["blockedReason"].as_str().or(event["errorText"].as_str());
                        // A refusal that couldn't be read to its end is one.
                        if request.result.is_empty() || event["canceled"] != true {
                            request.result = why.unwrap_or("failed").to_owned();
                        }
                    }
                }
                _ => {}
            }
        }
        // The window's own frame is the first that gets a document; what an earlier one asked for isn't this page's.
        let main = requests
            .iter()
            .find(|request| request.is_document)
            .map(|request| request.frame.clone());
        let last = requests
            .iter()
            .rposition(|request| request.is_document && Some(&request.frame) == main.as_ref());
        let status = last.map(|last| requests[last].result.parse().unwrap_or(0));
        let asked = requests
            .into_iter()
            .skip(last.unwrap_or(0))
            .filter(|request| request.url.starts_with("http"))
            .map(|request| (request.url, request.result));
        Self {
            status: status.unwrap_or(0),
            asked: asked.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(method: &str, params: &Value) -> Value {
        json!({ "message": json!({ "message": { "method": method, "params": params } }).to_string() })
    }

    fn sent(id: &str, url: &str, kind: &str, redirect: Option<u16>) -> Value {
        let mut params = json!({ "requestId": id, "frameId": "f", "type": kind, "request": { "url": url } });
        if let Some(status) = redirect {
            params["redirectResponse"] = json!({ "status": status });
        }
        event("Network.requestWillBeSent", &params)
    }

    fn received(id: &str, status: u16) -> Value {
        event(
            "Network.responseReceived",
            &json!({ "requestId": id, "response": { "status": status } }),
        )
    }

    #[test]
    fn only_the_last_document_counts() {
        let log = [
            sent("1", "http://a/x", "Document", None),
            sent("1", "http://a/x/", "Document", Some(301)),
            received("1", 200),
            sent("2", "http://a/old.css", "Stylesheet", None),
            received("2", 200),
            sent("3", "http://a/y/", "Document", None),
            received("3", 404),
            sent("4", "http://a/new.css", "Stylesheet", None),
            event(
                "Network.loadingFailed",
                &json!({ "requestId": "4", "blockedReason": "csp" }),
            ),
            sent("5", "data:,", "Image", None),
        ];
        let network = Network::read(&log);
        assert_eq!(network.status, 404);
        let asked = [("http://a/y/", "404"), ("http://a/new.css", "csp")];
        assert_eq!(
            network.asked,
            asked.map(|(url, result)| (url.to_owned(), result.to_owned()))
        );
    }

    #[test]
    fn a_message_has_no_place() {
        assert_eq!(
            without_place("<origin>/a.js 10:22 Uncaught x: y"),
            "<origin>/a.js Uncaught x: y"
        );
        assert_eq!(without_place("<origin>/ - Failed to load"), "<origin>/ Failed to load");
        assert_eq!(without_place("one message"), "one message");
    }

    #[test]
    fn what_a_page_gave_up_is_not_missing() {
        let asked = |result: &str| Asked {
            result: result.to_owned(),
            ..Asked::default()
        };
        for missing in ["404", "csp", "net::ERR_FAILED"] {
            assert!(asked(missing).is_missing(), "{missing}");
        }
        for there in ["200", "", "net::ERR_ABORTED", "304"] {
            assert!(!asked(there).is_missing(), "{there}");
        }
    }
}
