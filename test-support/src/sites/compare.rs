//! What differs between a page as it is to be and as it came. Two visits of the plain server say what is to be: where they
//! differ from one another, nothing is.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::io::Result;

use serde_json::json;

use super::visit::{Asked, Seen};
use crate::browser::{Browser, Programs};

/// When a page was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Situation {
    /// For the first time.
    First,
    /// Again, with what the browser has kept.
    Second,
    /// Again, while nobody answers.
    Offline,
    /// Open while another edition of the site was published.
    Open,
    /// Opened after that.
    Successor,
}

impl Situation {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first visit",
            Self::Second => "second visit",
            Self::Offline => "offline",
            Self::Open => "open page",
            Self::Successor => "next edition",
        }
    }
}

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// The document's status.
    Status,
    /// The address in the end.
    Path,
    /// The document, or what can be read in it.
    Document,
    /// What the console says.
    Console,
    /// What was asked for, how often, and what came.
    Requests,
    /// What is to be seen.
    Picture,
}

impl Sort {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Status,
        Self::Path,
        Self::Document,
        Self::Console,
        Self::Requests,
        Self::Picture,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Path => "path",
            Self::Document => "DOM",
            Self::Console => "console",
            Self::Requests => "requests",
            Self::Picture => "picture",
        }
    }
}

/// One thing about one page that isn't as on the plain server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// When.
    pub situation: Situation,
    /// The address that was opened.
    pub page: String,
    /// What it is about.
    pub sort: Sort,
    /// What was to come.
    pub expected: String,
    /// What came.
    pub came: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (situation, sort) = (self.situation.name(), self.sort.name());
        writeln!(f, "{} ({situation}), {sort}:", self.page)?;
        writeln!(f, "    expected: {}", self.expected)?;
        write!(f, "    came:     {}", self.came)
    }
}

/// What differences there are about one page, and where they are noted.
#[derive(Debug)]
pub(crate) struct Comparison<'a> {
    pub(crate) situation: Situation,
    pub(crate) page: &'a str,
    pub(crate) found: Vec<Difference>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn of(situation: Situation, page: &'a str) -> Self {
        Self {
            situation,
            page,
            found: Vec::new(),
        }
    }

    pub(crate) fn note(&mut self, sort: Sort, expected: impl Into<String>, came: impl Into<String>) {
        self.found.push(Difference {
            situation: self.situation,
            page: self.page.to_owned(),
            sort,
            expected: expected.into(),
            came: came.into(),
        });
    }

    /// Status and address, which every page has; says whether it is the right page.
    pub(crate) fn place(&mut self, plain: &[Seen; 2], came: &Seen) -> bool {
        if plain.iter().all(|plain| plain.status != came.status) {
            self.note(Sort::Status, plain[0].status.to_string(), came.status.to_string());
        }
        if plain.iter().all(|plain| plain.path != came.path) {
            self.note(Sort::Path, &plain[0].path, &came.path);
        }
        self.found.is_empty()
    }

    /// What is in it and what it did.
    pub(crate) fn content(&mut self, plain: &[Seen; 2], came: &Seen) {
        if let Some((expected, came)) = documents(&plain[0].dom, &plain[1].dom, &came.dom) {
            self.note(Sort::Document, expected, came);
        }
        self.console(plain, came);
        self.requests(plain, came);
    }

    fn console(&mut self, plain: &[Seen; 2], came: &Seen) {
        let all = |seen: &Seen| {
            let said = seen.console.iter().filter(|message| !is_about_others(message));
            said.cloned().collect::<BTreeSet<String>>()
        };
        let (one, other, came) = (all(&plain[0]), all(&plain[1]), all(came));
        for message in came.difference(&(&one | &other)) {
            self.note(Sort::Console, "", shortened(message));
        }
        for message in (&one & &other).difference(&came) {
            self.note(Sort::Console, shortened(message), "");
        }
    }

    fn requests(&mut self, plain: &[Seen; 2], came: &Seen) {
        let [one, other] = plain;
        let urls: BTreeSet<&String> = [one, other, came]
            .into_iter()
            .flat_map(|seen| seen.requests.keys())
            .collect();
        for url in urls.into_iter().filter(|url| url.starts_with("<origin>")) {
            let [one, other, came] = [one, other, came].map(|seen| seen.requests.get(url));
            let is_same = one.zip(came).is_some_and(|(one, came)| {
                let times = came.times.min(2 * one.times);
                came == &Asked { times, ..one.clone() }
            });
            // To ask less is no harm. What two parts of a page want, and is to be asked for anew each time, is asked for once if
            // the second wants it before the first has it, and else twice: that is a matter of time.
            if one != other || came == one || is_same {
                continue;
            }
            // One error page is all that a distribution has: where folders have their own, it fetches the nearest.
            let is_error_page = url.ends_with("/not-found.js") || url.ends_with("/404.html");
            if one.is_none() && is_error_page {
                continue;
            }
            let shown = |asked: Option<&Asked>| match asked {
                None => "not asked for".to_owned(),
                Some(asked) => {
                    let content = asked.content.as_deref().unwrap_or("–");
                    format!("{} × {url}: {}, content {content}", asked.times, asked.result)
                }
            };
            // What isn't there says so in words of its own.
            let refused =
                |asked: Option<&Asked>| asked.map(|asked| (asked.times, asked.result.clone(), asked.is_missing()));
            if refused(one) == refused(came) && one.is_some_and(Asked::is_missing) {
                continue;
            }
            self.note(Sort::Requests, format!("{url}: {}", shown(one)), shown(came));
        }
    }

    /// What is to be seen, looked at by `judge`.
    pub(crate) fn picture(&mut self, judge: &Judge<'_>, plain: &[Seen; 2], came: &Seen) -> Result<()> {
        if plain.iter().any(|plain| plain.picture == came.picture) {
            return Ok(());
        }
        let pixels = judge.pixels([&plain[0].picture, &plain[1].picture, &came.picture])?;
        if pixels > 0 {
            self.note(Sort::Picture, "the same pixels", format!("{pixels} others"));
        }
        Ok(())
    }
}

/// Whether a message is about what is on another machine: none is reached from here, and a site's policy lets in those that
/// its owner lists.
pub(crate) fn is_about_others(message: &str) -> bool {
    let is_refusal = message.contains("violates the following Content Security Policy directive");
    // What was refused is what is quoted first.
    let refused = message.split('\'').nth(1).unwrap_or_default();
    message.starts_with("http") || (is_refusal && refused.starts_with("http"))
}

/// Looks at pictures, in a browser that is opened when there is a question.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    programs: &'a Programs,
    browser: OnceCell<Browser>,
}

impl<'a> Judge<'a> {
    pub(crate) fn with(programs: &'a Programs) -> Self {
        Self {
            programs,
            browser: OnceCell::new(),
        }
    }

    /// How many pixels of the last picture are others than in both of the first, which are the same there and around. The browser
    /// decodes them, on a page that is nobody's.
    fn pixels(&self, pictures: [&str; 3]) -> Result<u64> {
        const COUNT: &str = r#"
            const [pictures, done] = arguments;
            Promise.all(pictures.map(async (picture) => {
                const image = new Image();
                image.src = "data:image/png;base64," + picture;
                await image.decode();
                const canvas = new OffscreenCanvas(image.width, image.height);
                const context = canvas.getContext("2d", { willReadFrequently: true });
                context.drawImage(image, 0, 0);
                const { data } = context.getImageData(0, 0, image.width, image.height);
                return { width: image.width, size: `${image.width} × ${image.height}`, data: new Uint32Array(data.buffer) };
            })).then(([one, other, came]) => {
                if (one.size !== came.size) { done(came.data.length); return; }
                // Where the first two differ something moves, and so it may in this one, there and beside.
                const TILE = 32;
                const columns = Math.ceil(one.width / TILE);
                const tile = (at) => Math.floor(Math.floor(at / one.width) / TILE) * columns + Math.floor((at % one.width) / TILE);
                const moving = new Set();
                for (let at = 0; at < came.data.length; at += 1) {
                    if (one.data[at] !== other.data[at]) { moving.add(tile(at)); }
                }
                const beside = [-1, 0, 1].flatMap((row) => [-1, 0, 1].map((column) => row * columns + column));
                const is_still = (at) => { const place = tile(at); return !beside.some((to) => moving.has(place + to)); };
                let count = 0;
                for (let at = 0; at < came.data.length; at += 1) {
                    if (came.data[at] !== one.data[at] && one.data[at] === other.data[at] && is_still(at)) { count += 1; }
                }
                done(count);
            });
        "#;
        let browser = match self.browser.get() {
            Some(browser) => browser,
            None => {
                let opened = Browser::open(self.programs)?;
                self.browser.get_or_init(|| opened)
            }
        };
        Ok(browser
            .wait_for(COUNT, &[json!(pictures)])?
            .as_u64()
            .unwrap_or(u64::MAX))
    }
}

/// What a document that `came` has that neither of the others has, or lacks that both have; none if it is as they are.
fn documents(one: &str, other: &str, came: &str) -> Option<(String, String)> {
    // What scripts put into the head comes in the order in which they are ready, and its attributes as they like.
    let heads = [one, other, came].map(|document| {
        let head = document.find("</head>").unwrap_or(0);
        let mut tags: Vec<String> = tokens(&document[..head]).into_iter().map(without_order).collect();
        tags.sort_unstable();
        (tags, tokens(&document[head..]))
    });
    let [one, other, came] = heads.each_ref().map(|(head, rest)| {
        let all = head.iter().map(String::as_str).chain(rest.iter().copied());
        all.collect::<Vec<&str>>()
    });
    if came == one || came == other {
        return None;
    }
    if one.len() == other.len() && one.len() == came.len() {
        let at = (0..one.len()).find(|at| one[*at] == other[*at] && one[*at] != came[*at])?;
        return Some((around(&one, at), around(&came, at)));
    }
    if one.len() == other.len() {
        let at = one
            .iter()
            .zip(&came)
            .zip(&other)
            .position(|((one, came), other)| one == other && one != came);
        let at = at.unwrap_or(one.len().min(came.len()));
        return Some((around(&one, at), around(&came, at)));
    }
    // The plain one has no order of its own: what is in both must be in this one, and what is in this one in one of them.
    let counted = |tokens: &[&str]| {
        let mut counts = HashMap::<String, usize>::new();
        for token in tokens {
            *counts.entry((*token).to_owned()).or_default() += 1;
        }
        counts
    };
    let [one, other, came] = [one, other, came].map(|tokens| counted(&tokens));
    let count = |of: &HashMap<String, usize>, token: &str| of.get(token).copied().unwrap_or(0);
    let lacking = one
        .keys()
        .filter(|token| count(&came, token) < count(&one, token).min(count(&other, token)));
    let added = came
        .keys()
        .filter(|token| count(&came, token) > count(&one, token).max(count(&other, token)));
    let (lacking, added) = (lacking.min(), added.min());
    (lacking.is_some() || added.is_some()).then(|| {
        let shown = |token: Option<&String>| token.map_or_else(String::new, |token| shortened(token));
        (shown(lacking), shown(added))
    })
}

/// A tag with its attributes in one order.
fn without_order(tag: &str) -> String {
    let mut attributes: Vec<&str> = tag.trim_end_matches('>').split(' ').collect();
    attributes.sort_unstable();
    attributes.join(" ")
}

/// Tags and texts.
fn tokens(document: &str) -> Vec<&str> {
    document
        .split_inclusive('>')
        .flat_map(|part| {
            let text = part.find('<').unwrap_or(part.len());
            [&part[..text], &part[text..]]
        })
        .filter(|token| !token.is_empty())
        .collect()
}

/// What stands at a place, with a little before and behind.
fn around(tokens: &[&str], at: usize) -> String {
    let from = at.saturating_sub(1).min(tokens.len());
    let to = (at + 2).min(tokens.len());
    shortened(&tokens[from..to].concat())
}

/// On one line, of a length that can be read.
pub(crate) fn shortened(text: &str) -> String {
    const LONGEST: usize = 300;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_by_itself_is_no_difference() {
        let page = |id: &str, text: &str| format!("<p id=\"{id}\">{text}</p>");
        assert_eq!(documents(&page("1", "a"), &page("2", "a"), &page("3", "a")), None);
        let found = documents(&page("1", "a"), &page("2", "a"), &page("3", "b"));
        assert_eq!(
            found,
            Some(("<p id=\"1\">a</p>".to_owned(), "<p id=\"3\">b</p>".to_owned()))
        );
    }

    #[test]
    fn without_an_order_of_its_own_its_parts_are_compared() {
        let (one, other) = ("<a><b><i>", "<b><a>");
        assert_eq!(documents(one, other, "<b><i><a>"), None);
        let found = documents(one, other, "<b><u>");
        assert_eq!(found, Some(("<a>".to_owned(), "<u>".to_owned())));
    }

    #[test]
    fn a_head_has_no_order() {
        assert_eq!(
            documents("<a><b></head><i>", "<a><b></head><i>", "<b><a></head><i>"),
            None
        );
        let one = "<a></head><b><i>";
        let found = documents(one, one, "<a></head><i><b>");
        assert_eq!(found, Some(("</head><b><i>".to_owned(), "</head><i><b>".to_owned())));
    }

    #[test]
    fn what_is_added_at_the_end_is_told() {
        let found = documents("<a>", "<a>", "<a><b>");
        assert_eq!(found, Some(("<a>".to_owned(), "<a><b>".to_owned())));
    }

    fn asking(requests: &[(&str, usize, &str, Option<&str>)]) -> Seen {
        let requests = requests.iter().map(|(url, times, result, content)| {
            let asked = Asked {
                times: *times,
                result: (*result).to_owned(),
                content: content.map(str::to_owned),
            };
            ((*url).to_owned(), asked)
        });
        Seen {
            requests: requests.collect(),
            ..Seen::default()
        }
    }

    fn found(plain: &[Seen; 2], came: &Seen) -> Vec<String> {
        let mut comparison = Comparison::of(Situation::First, "/");
        comparison.content(plain, came);
        comparison.found.iter().map(|found| found.came.clone()).collect()
    }

    #[test]
    fn requests_are_compared_by_number_result_and_content() {
        let plain = || [(); 2].map(|()| asking(&[("<origin>/a", 1, "200", Some("x")), ("<origin>/b", 1, "404", None)]));
        assert_eq!(found(&plain(), &plain()[0]), Vec::<String>::new());
        let came = asking(&[
            ("<origin>/a", 3, "200", Some("x")),
            ("<origin>/b", 1, "404", None),
            ("<origin>/c", 1, "csp", None),
        ]);
        assert_eq!(
            found(&plain(), &came),
            ["3 × <origin>/a: 200, content x", "1 × <origin>/c: csp, content –"]
        );
        let twice = asking(&[("<origin>/a", 2, "200", Some("x")), ("<origin>/b", 2, "404", None)]);
        assert_eq!(
            found(&plain(), &twice),
            Vec::<String>::new(),
            "once or twice is a matter of time"
        );
        let came = asking(&[("<origin>/a", 1, "200", Some("y"))]);
        assert_eq!(
            found(&plain(), &came),
            ["1 × <origin>/a: 200, content y", "not asked for"]
        );
    }

    #[test]
    fn requests_that_the_plain_server_sees_now_and_then_are_anybodys() {
        let plain = [asking(&[("<origin>/a", 1, "200", None)]), asking(&[])];
        assert_eq!(found(&plain, &asking(&[])), Vec::<String>::new());
        assert_eq!(
            found(&plain, &asking(&[("<origin>/a", 3, "200", None)])),
            Vec::<String>::new()
        );
    }

    #[test]
    fn messages_are_compared() {
        let saying = |words: &[&str]| Seen {
            console: words.iter().map(|word| (*word).to_owned()).collect(),
            ..Seen::default()
        };
        let plain = [saying(&["a", "b"]), saying(&["a"])];
        assert_eq!(found(&plain, &saying(&["a", "c"])), ["c"]);
        assert_eq!(found(&plain, &saying(&["b"])), [""]);
        let refusal = |what: &str| {
            format!("<origin>/ Loading '{what}' violates the following Content Security Policy directive: \"img-src\"")
        };
        let (others, own) = (refusal("https://a.example/x"), refusal("data:x='http://a.example'"));
        let came = saying(&["a", "https://a.example/x Failed", &others, &own]);
        assert_eq!(found(&plain, &came), [own]);
    }
}
