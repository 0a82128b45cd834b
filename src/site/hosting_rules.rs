//! The files `_redirects` and `_headers`, as generators write them for Netlify and Cloudflare Pages. Pure: text in, rules and
//! what isn't supported out.
//!
//! Both hosts read the same syntax and differ in what it means; where they do, it stands below which one is followed.
//! - <https://docs.netlify.com/manage/routing/redirects/overview/>, <https://docs.netlify.com/manage/routing/headers/>
//! - <https://developers.cloudflare.com/pages/configuration/redirects/>,
//!   <https://developers.cloudflare.com/pages/configuration/headers/>

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use percent_encoding::{CONTROLS, utf8_percent_encode};

/// Cloudflare's limit for redirects to fixed places. Netlify has none, and advises against 10,000.
const MOST_RULES: usize = 2000;

/// Cloudflare's limit, in bytes: nobody writes a rule that is longer.
const LONGEST_LINE_BYTES: usize = 2000;

/// A line that isn't followed, and why. It ends a sentence that names the file: "_headers, line 3: …".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unsupported {
    pub(super) line: usize,
    pub(super) why: String,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// What `_redirects` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Redirects {
    /// In the file's order, each path once.
    pub(super) rules: Vec<Redirect>,
    /// The page that single-page apps have for all paths without a file: `/* /index.html 200`.
    pub(super) app: Option<String>,
    pub(super) unsupported: Vec<Unsupported>,
}

/// From one path to another place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redirect {
    /// Beginning with a slash, and escaped as in a URL.
    pub(super) from: String,
    /// A path of the site or a URL, escaped.
    pub(super) to: String,
    /// 301, 302, 303, 307 or 308.
    pub(super) status: u16,
    /// The redirect holds even if the site has a file of that path.
    pub(super) is_forced: bool,
}

/// Reads `_redirects`. `is_file` says whether the site has something to serve at a path, which Netlify then does in spite of
/// a rule without `!`, and Cloudflare doesn't: what a site has stays reachable here.
pub(super) fn redirects(text: &str, is_file: impl Fn(&str) -> bool) -> Redirects {
    let mut found = Redirects::default();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (line, text) in lines(text) {
        let rule = if seen.len() == MOST_RULES {
            Err(format!("there are more than {MOST_RULES} rules"))
        } else {
            rule(text)
        };
        match rule {
            Err(why) => found.unsupported.push(Unsupported { line, why }),
            Ok(Rule::NotFound) => {}
            Ok(Rule::App(page)) => {
                found.app.get_or_insert(page);
            }
            Ok(Rule::Redirect(redirect)) => match seen.entry(redirect.from.clone()) {
                Entry::Occupied(first) => found.unsupported.push(Unsupported {
                    line,
                    why: format!("line {} has a rule for {} already", first.get(), redirect.from),
                }),
                Entry::Vacant(entry) => {
                    entry.insert(line);
                    if !redirect.is_forced && is_file(&redirect.from) {
                        let why = format!(
                            "the site has {}, which is served; with `{}!` the redirect would hold",
                            redirect.from, redirect.status
                        );
                        found.unsupported.push(Unsupported { line, why });
                    } else {
                        found.rules.push(redirect);
                    }
                }
            },
        }
    }
    found
}

/// What a line of `_redirects` may say.
enum Rule {
    Redirect(Redirect),
    App(String),
    /// What is done without a rule.
    NotFound,
}

/// `from [name=value …] to [status[!]] [Name=value …]`, or why it isn't followed.
fn rule(text: &str) -> Result<Rule, String> {
    if text.len() > LONGEST_LINE_BYTES {
        return Err(format!("it is longer than {LONGEST_LINE_BYTES} bytes"));
    }
    let mut parts = text.split_whitespace().take_while(|part| !part.starts_with('#'));
    let from = parts.next().unwrap_or_default();
    let is_place = |part: &str| part.starts_with('/') || is_url(part);
    let mut to = None;
    let mut parameters = Vec::new();
    for part in parts.by_ref() {
        if is_place(part) {
            to = Some(part);
            break;
        }
        parameters.push(part);
    }
    let Some(to) = to else {
        return Err("it has no target, which begins with a slash or with `https://`".to_owned());
    };
    if is_url(from) {
        return Err(format!("a rule for another host ({from}) isn't supported"));
    }
    if !from.starts_with('/') {
        return Err(format!("{from} isn't a path, which begins with a slash"));
    }
    if !parameters.is_empty() || from.contains('?') {
        return Err("a rule for certain query parameters isn't supported".to_owned());
    }
    // Netlify's default. Cloudflare's is 302; but the syntax is Netlify's, whose users are those who leave it out.
    let status = parts.next().unwrap_or("301");
    let (status, is_forced) = match status.strip_suffix('!') {
        Some(status) => (status, true),
        None => (status, false),
    };
    let status = status.parse().map_err(|_| format!("{status} isn't a status"))?;
    if let Some(condition) = parts.next() {
        let name = condition.split('=').next().unwrap_or(condition);
        return Err(format!("a condition ({name}) isn't supported"));
    }
    match (from, to, status) {
        ("/*", "/index.html" | "/200.html", 200) if !is_forced => return Ok(Rule::App(to[1..].to_owned())),
        ("/*", "/", 200) if !is_forced => return Ok(Rule::App("index.html".to_owned())),
        ("/*", "/404.html" | "/404", 404) => return Ok(Rule::NotFound),
        _ => {}
    }
    match status {
        301 | 302 | 303 | 307 | 308 => {}
        200 if is_url(to) || to.starts_with("//") => {
            return Err(format!("what another host has ({to}) can't be shown as the site's own"));
        }
        200 => return Err("a rewrite (200) isn't supported, but for `/* /index.html 200`".to_owned()),
        404 | 410 => {
            return Err(format!(
                "a page for {status} isn't supported, but for `/* /404.html 404`"
            ));
        }
        _ => return Err(format!("the status {status} isn't supported")),
    }
    if from.contains('*') {
        return Err(format!("a splat ({from}) isn't supported"));
    }
    if let Some(placeholder) = placeholder(from) {
        return Err(format!("a placeholder ({placeholder}) isn't supported"));
    }
    // Servers never see what stands behind it.
    let from = from.split('#').next().unwrap_or(from);
    if from == to {
        return Err(format!("{from} leads to itself"));
    }
    let escaped = |place: &str| utf8_percent_encode(place, CONTROLS).to_string();
    Ok(Rule::Redirect(Redirect {
        from: escaped(from),
        to: escaped(to),
        status,
        is_forced,
    }))
}

/// `:name` at the beginning of a path's segment. Elsewhere it is itself, as in `/wiki/Help:Contents`.
fn placeholder(path: &str) -> Option<&str> {
    let mut segments = path.split('/');
    segments.find(|segment| {
        let name = segment.strip_prefix(':');
        name.is_some_and(|name| name.starts_with(|first: char| first.is_ascii_alphabetic()))
    })
}

fn is_url(place: &str) -> bool {
    let start = place.get(..8).unwrap_or(place).to_ascii_lowercase();
    start.starts_with("https://") || start.starts_with("http://")
}

/// What `_headers` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Headers {
    rules: Vec<HeaderRule>,
    pub(super) unsupported: Vec<Unsupported>,
}

/// The headers of the paths that a pattern matches.
#[derive(Debug, PartialEq, Eq)]
struct HeaderRule {
    pattern: String,
    /// Names in lower case, each once.
    headers: Vec<(&'static str, String)>,
}

/// What S3 keeps with an object, and CloudFront passes on (S3's API reference, "PutObject").
const OBJECTS_HEADERS: &[&str] = &[
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
];

/// What a CloudFront response headers policy has fields for.
const POLICYS_HEADERS: &[&str] = &[
    "content-security-policy",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "referrer-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
];

/// Reads `_headers`: a line with a path, in which `*` is anything, and below it lines `Name: value`.
pub(super) fn headers(text: &str) -> Headers {
    let mut found = Headers::default();
    // Whether the headers that follow belong to the last rule.
    let mut is_in_rule = false;
    for (line, text) in lines(text) {
        let mut refuse = |why: String| found.unsupported.push(Unsupported { line, why });
        // A header's name has no slash, and its value may be a URL.
        let is_other_host = text
            .split_whitespace()
            .next()
            .is_some_and(|first| first.contains("://"));
        if text.starts_with('/') || is_other_host {
            is_in_rule = false;
            if is_other_host {
                refuse(format!("a rule for another host ({text}) isn't supported"));
            } else if let Some(placeholder) = placeholder(text) {
                refuse(format!("a placeholder ({placeholder}) isn't supported"));
            } else if found.rules.len() == MOST_RULES {
                refuse(format!("there are more than {MOST_RULES} rules"));
            } else {
                is_in_rule = true;
                found.rules.push(HeaderRule {
                    pattern: utf8_percent_encode(text, CONTROLS).to_string(),
                    headers: Vec::new(),
                });
            }
            continue;
        }
        let rule = found.rules.last_mut().filter(|_| is_in_rule);
        match (header(text), rule) {
            (Ok((name, value)), Some(rule)) => rule.add(name, value),
            (Ok((name, _)), None) => refuse(format!("`{name}` belongs to no path that is followed")),
            (Err(why), _) => refuse(why),
        }
    }
    found
}

/// A header that an object can have, or why it isn't followed.
fn header(text: &str) -> Result<(&'static str, &str), String> {
    if let Some(name) = text.strip_prefix('!') {
        return Err(format!("taking `{}` away isn't supported", name.trim()));
    }
    let (name, value) = text.split_once(':').unwrap_or((text, ""));
    let (name, value) = (name.trim(), value.trim());
    let lower = name.to_ascii_lowercase();
    if value.is_empty() || name.contains(char::is_whitespace) {
        return Err(format!(
            "{text} is neither a path, which begins with a slash, nor `Name: value`"
        ));
    }
    if let Some(header) = OBJECTS_HEADERS.iter().find(|header| **header == lower) {
        return Ok((header, value));
    }
    if POLICYS_HEADERS.contains(&&*lower) || lower.starts_with("access-control-") {
        return Err(format!(
            "`{name}` isn't supported: it belongs into the response headers policy of the template that has the distribution"
        ));
    }
    Err(format!("`{name}` isn't supported: S3 keeps no such header with a file"))
}

impl HeaderRule {
    /// Both hosts join what is said twice.
    fn add(&mut self, name: &'static str, value: &str) {
        match self.headers.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => {
                known.push_str(", ");
                known.push_str(value);
            }
            None => self.headers.push((name, value.to_owned())),
        }
    }
}

impl Headers {
    /// The headers of an object that is served at this path, which is escaped. Where rules have the same header,
    /// Cloudflare joins what they say, and Netlify takes the more specific one: so does this, by the longer pattern, and
    /// of equally long ones the last, since `no-cache, max-age=31536000` is what nobody means.
    pub(super) fn at<'a>(&'a self, path: &str) -> Vec<(&'static str, &'a str)> {
        let mut matching: Vec<&HeaderRule> = self.rules.iter().filter(|rule| matches(&rule.pattern, path)).collect();
        matching.sort_by_key(|rule| rule.pattern.len());
        let mut headers: Vec<(&'static str, &str)> = Vec::new();
        for (name, value) in matching.into_iter().flat_map(|rule| &rule.headers) {
            match headers.iter_mut().find(|(known, _)| known == name) {
                Some(known) => known.1 = value,
                None => headers.push((name, value)),
            }
        }
        headers
    }
}

/// Whether a pattern, in which `*` is anything, slashes too, is the path's.
fn matches(pattern: &str, path: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    // Each as early as possible leaves the most for the others.
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

/// The lines that say something, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(from: &str, to: &str, status: u16) -> Redirect {
        Redirect {
            from: from.to_owned(),
            to: to.to_owned(),
            status,
            is_forced: false,
        }
    }

    fn nothing_there(_: &str) -> bool {
        false
    }

    #[test]
    fn redirects_are_read_as_both_hosts_write_them() {
        let text = "\u{feff}# Moved\r\n\r\n/a /b\r\n  /c\t\thttps://example.com/?q=1   302 # why\r\n/d /e#f 308\n/g/ /h/ 303\n\
                    /i //example.com 307!\n/k?\n/caf\u{e9} /th\u{e9}\n/wiki/Help:Contents /Special:Search 301\n\t# end";
        let found = redirects(text, nothing_there);
        assert_eq!(
            found.rules,
            [
                redirect("/a", "/b", 301),
                redirect("/c", "https://example.com/?q=1", 302),
                redirect("/d", "/e#f", 308),
                redirect("/g/", "/h/", 303),
                Redirect {
                    is_forced: true,
                    ..redirect("/i", "//example.com", 307)
                },
                redirect("/caf%C3%A9", "/th%C3%A9", 301),
                redirect("/wiki/Help:Contents", "/Special:Search", 301),
            ]
        );
        let unsupported: Vec<String> = found.unsupported.iter().map(ToString::to_string).collect();
        assert_eq!(
            unsupported,
            ["line 8: it has no target, which begins with a slash or with `https://`"]
        );
        assert_eq!(redirects("", nothing_there), Redirects::default());
    }

    #[test]
    fn a_single_page_app_is_known_by_its_rule() {
        for (text, expected) in [
            ("/* /index.html 200", Some("index.html")),
            ("/*    /index.html   200  # all", Some("index.html")),
            ("/* /200.html 200", Some("200.html")),
            ("/* / 200", Some("index.html")),
            ("/a /b\n/* /200.html 200\n/* /index.html 200", Some("200.html")),
            ("/* /404.html 404", None),
            ("/* /404 404", None),
        ] {
            let found = redirects(text, nothing_there);
            assert_eq!(found.app.as_deref(), expected, "{text}");
            assert_eq!(found.unsupported, [], "{text}");
        }
    }

    #[test]
    fn rules_that_cannot_be_followed_are_told() {
        for (text, word) in [
            ("/news/* /blog/:splat", "a splat (/news/*)"),
            ("/* https://example.com/:splat 301", "a splat (/*)"),
            ("/news/:year/:month /blog", "a placeholder (:year)"),
            ("/store id=:id /blog/:id 301", "query parameters"),
            ("/store?id=1 /blog", "query parameters"),
            ("/ /de 302 Language=de", "a condition (Language)"),
            ("/ /anz 302 Country=au,nz Role=admin", "a condition (Country)"),
            (
                "/api/* https://api.example.com/:splat 200",
                "another host has (https://api.example.com/:splat)",
            ),
            ("/x //example.com/x 200", "another host has"),
            ("/a /b 200", "a rewrite (200)"),
            ("/app/* /app/index.html 200", "a rewrite (200)"),
            // All files would be the page.
            ("/* /index.html 200!", "a rewrite (200)"),
            ("/en/* /en/404.html 404", "a page for 404"),
            ("/a /gone 410", "a page for 410"),
            ("/a /b 305", "the status 305"),
            ("/a /b permanent", "permanent isn't a status"),
            ("/a 301", "no target"),
            ("/a", "no target"),
            ("a /b", "a isn't a path"),
            (
                "http://blog.example.com/* https://example.com/blog/:splat 301!",
                "another host (http://blog",
            ),
            ("/a /a", "leads to itself"),
            (&format!("/a /{}", "b".repeat(2000)), "longer than 2000 bytes"),
        ] {
            let found = redirects(&format!("\n{text}\n/z /y"), nothing_there);
            assert_eq!(
                (found.rules, found.app),
                (vec![redirect("/z", "/y", 301)], None),
                "{text}"
            );
            let [unsupported] = &*found.unsupported else {
                panic!("{text}: {:?}", found.unsupported);
            };
            assert_eq!(unsupported.line, 2, "{text}");
            assert!(unsupported.why.contains(word), "{text}: {}", unsupported.why);
        }
    }

    #[test]
    fn the_first_rule_of_a_path_counts_and_a_file_more_unless_forced() {
        let text = "/a /b\n/a /c\n/file /d\n/file /e 302!\n/other /f 301!";
        let found = redirects(text, |path| path == "/file" || path == "/other");
        let forced = Redirect {
            is_forced: true,
            ..redirect("/other", "/f", 301)
        };
        assert_eq!(found.rules, [redirect("/a", "/b", 301), forced]);
        let unsupported: Vec<String> = found.unsupported.iter().map(ToString::to_string).collect();
        assert_eq!(
            unsupported,
            [
                "line 2: line 1 has a rule for /a already",
                "line 3: the site has /file, which is served; with `301!` the redirect would hold",
                "line 4: line 3 has a rule for /file already",
            ]
        );
        let many: String = (0..2002).map(|number| format!("/{number} /\n")).collect();
        let found = redirects(&many, nothing_there);
        assert_eq!((found.rules.len(), found.unsupported.len()), (2000, 2));
        assert_eq!(
            found.unsupported[0].to_string(),
            "line 2001: there are more than 2000 rules"
        );
    }

    #[test]
    fn headers_are_read_as_both_hosts_write_them() {
        let text = "# All\r\n/*\r\n  Cache-Control: no-cache\r\n\r\n/assets/*\n\tcache-control: public\n\
                    \tCache-Control: max-age=31536000\n    # of fonts\n\n/*.pdf\nContent-Disposition: attachment; filename=\"a: b\"\n\
                    /de/\n  Content-Language: de\n  Content-Type: text/html; charset=iso-8859-1\n";
        let found = headers(text);
        assert_eq!(found.unsupported, []);
        for (path, expected) in [
            ("/", &[("cache-control", "no-cache")][..]),
            ("/assets/a/b.js", &[("cache-control", "public, max-age=31536000")]),
            (
                "/b/c.pdf",
                &[
                    ("cache-control", "no-cache"),
                    ("content-disposition", "attachment; filename=\"a: b\""),
                ],
            ),
            (
                "/de/",
                &[
                    ("cache-control", "no-cache"),
                    ("content-language", "de"),
                    ("content-type", "text/html; charset=iso-8859-1"),
                ],
            ),
        ] {
            assert_eq!(found.at(path), expected, "{path}");
        }
        // The more specific first.
        let found = headers("/a/*\n  Cache-Control: a\n/*\n  Cache-Control: b\n/*\n  Cache-Control: c");
        assert_eq!(found.at("/a/b"), [("cache-control", "a")]);
        assert_eq!(found.at("/b"), [("cache-control", "c")]);
        assert_eq!(headers("").at("/"), []);
    }

    #[test]
    fn headers_that_an_object_cannot_have_are_told() {
        for (text, line, word) in [
            (
                "/*\n  X-Frame-Options: DENY",
                2,
                "`X-Frame-Options` isn't supported: it belongs into the response headers policy",
            ),
            (
                "/*\n  Content-Security-Policy: default-src 'self'; img-src https://a.example",
                2,
                "policy",
            ),
            ("/*\n  Access-Control-Allow-Origin: *", 2, "policy"),
            ("/*\n  X-Robots-Tag: noindex", 2, "S3 keeps no such header"),
            ("/*\n  Link: </a.css>; rel=preload", 2, "`Link`"),
            ("/*\n  ! Cache-Control", 2, "taking `Cache-Control` away"),
            ("/*\n  Cache-Control", 2, "neither a path"),
            ("/*\n  Cache-Control:", 2, "neither a path"),
            ("/*\n  Cache Control: a", 2, "neither a path"),
            ("  Cache-Control: no-cache", 1, "belongs to no path"),
            ("https://example.com/*", 1, "another host (https://example.com/*)"),
            ("/news/:year/*", 1, "a placeholder (:year)"),
        ] {
            let found = headers(&format!("{text}\n/z\n  Expires: 0"));
            let [unsupported] = &*found.unsupported else {
                panic!("{text}: {:?}", found.unsupported);
            };
            assert_eq!(unsupported.line, line, "{text}");
            assert!(unsupported.why.contains(word), "{text}: {}", unsupported.why);
            assert_eq!(found.at("/z"), [("expires", "0")], "{text}");
        }
        // Nothing else gets the headers of what isn't followed.
        let found = headers("/a\n  Expires: 0\n/:b\n  Expires: 1");
        assert_eq!((found.at("/a"), found.unsupported.len()), (vec![("expires", "0")], 2));
    }

    #[test]
    fn a_star_is_anything() {
        for (pattern, path, expected) in [
            ("/*", "/", true),
            ("/*", "/a/b.c", true),
            ("/a", "/a", true),
            ("/a", "/a/", false),
            ("/a/*", "/a/b/c", true),
            ("/a/*", "/a", false),
            ("/*.js", "/a/b.js", true),
            ("/*.js", "/a/b.js.map", false),
            ("/a/*/c/*.js", "/a/b/c/c/d.js", true),
            ("/a/*/c/*.js", "/a/c/d.js", false),
            ("/a*a", "/a", false),
            ("/a*a", "/aa", true),
            ("/**", "/a", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }
}
