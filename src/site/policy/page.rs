//! What a page needs of the policy: what stands in it, and what it loads and from where.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::LazyLock;

use lol_html::html_content::{Element, TextChunk, TextType};

use super::needs::{Need, Needs, hash, host_of, is_of_scheme, line_of};
use super::script::needs_of_script;
use super::style::needs_of_style;
use crate::site::html_tokens::{self, Parsed};
use crate::site::settings::Directive;

/// How deep pages are looked at that stand in attributes of others.
const DEEPEST: usize = 4;

/// What the page needs. With `hashes` those of its inline scripts and styles are noted as well.
pub(crate) fn needs_of_page(page: &str, hashes: bool) -> Needs {
    needs_at(page, hashes, 0)
}

fn needs_at(page: &str, hashes: bool, depth: usize) -> Needs {
    let finder = RefCell::new(Finder {
        page,
        hashes,
        depth,
        within: Within::Other,
        text: None,
        noscripts: Vec::new(),
        needs: Needs::default(),
    });
    // What the tokenizer gives up on, which it has no reason to, is looked at as far as it came.
    find(0..page.len(), &finder);
    // What is in there is HTML to browsers that run no scripts; they heed the policy, too.
    let noscripts = std::mem::take(&mut finder.borrow_mut().noscripts);
    for range in noscripts {
        find(range, &finder);
    }
    finder.into_inner().needs
}

static ELEMENTS: Parsed = LazyLock::new(|| "*".parse().ok());

/// Looks at a part of the page.
fn find(part: Range<usize>, finder: &RefCell<Finder<'_>>) -> Option<()> {
    let (page, offset) = (finder.borrow().page, part.start);
    html_tokens::each(
        page,
        part,
        &ELEMENTS,
        |element| finder.borrow_mut().element(element, offset),
        |chunk| finder.borrow_mut().text(chunk, offset),
    )
    .ok()
}

/// The element that was opened last, of those whose text counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Style,
    /// A script that is run.
    Script,
    /// What browsers read as data of their own, and policies treat as a script: an import map, rules for prefetching.
    Rules,
    Noscript,
    /// Another, or a script or a style in another language.
    Other,
}

struct Finder<'a> {
    page: &'a str,
    hashes: bool,
    depth: usize,
    within: Within,
    /// Where a text is that isn't whole yet.
    text: Option<Range<usize>>,
    /// Where the contents of the `noscript` elements are.
    noscripts: Vec<Range<usize>>,
    needs: Needs,
}

impl Finder<'_> {
    fn element(&mut self, element: &Element<'_, '_>, offset: usize) {
        let start = offset + element.source_location().bytes().start;
        let page = self.page;
        let line = || line_of(page, start);
        let value = |name: &str| {
            let attribute = element.attributes().iter().find(|attribute| attribute.name() == name)?;
            Some(htmlize::unescape_attribute(attribute.value()).into_owned())
        };
        let is = |name: &str, expected: &str| {
            value(name).is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(expected))
        };
        let needs = &mut self.needs;
        match element.tag_name().as_str() {
            "script" => {
                let source = value("src");
                self.within = match (&source, script_kind(value("type").as_deref())) {
                    (Some(_), _) => Within::Other,
                    (None, kind) => kind,
                };
                load(needs, Directive::Script, source, line);
            }
            "style" => {
                let kind = value("type").map(|kind| kind.trim().to_ascii_lowercase());
                let is_css = matches!(kind.as_deref(), None | Some("" | "text/css"));
                self.within = if is_css { Within::Style } else { Within::Other };
            }
            "noscript" => self.within = Within::Noscript,
            "link" => link(needs, &value, line),
            "img" => {
                load(needs, Directive::Img, value("src"), line);
                set(needs, value("srcset"), line);
            }
            "source" => {
                load(needs, Directive::Media, value("src"), line);
                set(needs, value("srcset"), line);
            }
            "input" if is("type", "image") => load(needs, Directive::Img, value("src"), line),
            "image" | "feimage" => {
                load(needs, Directive::Img, value("href"), line);
                load(needs, Directive::Img, value("xlink:href"), line);
            }
            "video" => {
                needs.add(Need::Media, line);
                load(needs, Directive::Media, value("src"), line);
                load(needs, Directive::Img, value("poster"), line);
            }
            "audio" => {
                needs.add(Need::Media, line);
                load(needs, Directive::Media, value("src"), line);
            }
            "track" => load(needs, Directive::Media, value("src"), line),
            "iframe" | "frame" => {
                load(needs, Directive::Frame, value("src"), line);
                if let Some(inner) = value("srcdoc").filter(|_| self.depth < DEEPEST) {
                    let inner = needs_at(&inner, self.hashes, self.depth + 1);
                    let line = line();
                    needs.add_part(inner, |_| line);
                }
            }
            "object" => load(needs, Directive::Object, value("data"), line),
            "embed" => load(needs, Directive::Object, value("src"), line),
            "form" => load(needs, Directive::Form, value("action"), line),
            "button" | "input" => load(needs, Directive::Form, value("formaction"), line),
            "base" if value("href").is_some_and(|href| !href.trim().is_empty()) => needs.add(Need::Base, line),
            "body" | "table" | "td" | "th" | "tr" => load(needs, Directive::Img, value("background"), line),
            _ => {}
        }
        for attribute in element.attributes() {
            let name = attribute.name();
            if is_handler(&name) {
                self.handler(&htmlize::unescape_attribute(attribute.value()), start);
            } else if name == "style" {
                let style = htmlize::unescape_attribute(attribute.value()).into_owned();
                self.style(&style, Need::StyleAttributes, start);
            } else if matches!(name.as_str(), "href" | "src" | "action" | "formaction" | "xlink:href")
                && is_script_url(&htmlize::unescape_attribute(attribute.value()))
            {
                self.needs.add(Need::ScriptUrls, line);
            }
        }
    }

    fn handler(&mut self, code: &str, start: usize) {
        if code.trim().is_empty() {
            return;
        }
        let line = line_of(self.page, start);
        self.needs.add(Need::Handlers, || line);
        self.needs.add_part(needs_of_script(code), |_| line);
        if self.hashes {
            self.needs.handlers.insert(hash(code));
        }
    }

    /// A style in an element or an attribute.
    fn style(&mut self, style: &str, need: Need, start: usize) {
        if style.is_empty() {
            return;
        }
        let first = line_of(self.page, start);
        self.needs.add(need, || first);
        let is_element = need == Need::InlineStyles;
        let line = |line: usize| if is_element { first + line - 1 } else { first };
        self.needs.add_part(needs_of_style(style), line);
        if self.hashes {
            let hashes = if is_element {
                &mut self.needs.styles
            } else {
                &mut self.needs.attributes
            };
            hashes.insert(hash(style));
        }
    }

    fn text(&mut self, chunk: &TextChunk<'_>, offset: usize) {
        let place = chunk.source_location().bytes();
        let range = self.text.get_or_insert(offset + place.start..offset + place.end);
        range.end = offset + place.end;
        if !chunk.last_in_text_node() {
            return;
        }
        let Some(range) = self.text.take() else {
            return;
        };
        let Some(text) = self.page.get(range.clone()).filter(|text| !text.is_empty()) else {
            return;
        };
        match self.within {
            Within::Style => self.style(text, Need::InlineStyles, range.start),
            Within::Script | Within::Rules => {
                let first = line_of(self.page, range.start);
                self.needs.add(Need::InlineScripts, || first);
                if self.within == Within::Script {
                    self.needs.add_part(needs_of_script(text), |line| first + line - 1);
                }
                if self.hashes {
                    self.needs.scripts.insert(hash(text));
                }
            }
            Within::Noscript if chunk.text_type() == TextType::RawText => self.noscripts.push(range),
            Within::Noscript | Within::Other => {}
        }
    }
}

/// What a script's type makes of its text.
fn script_kind(kind: Option<&str>) -> Within {
    let kind = kind.map(|kind| kind.trim().to_ascii_lowercase());
    match kind.as_deref() {
        None | Some("" | "module") => Within::Script,
        Some("importmap" | "speculationrules") => Within::Rules,
        Some(kind) if kind.ends_with("javascript") || kind.ends_with("ecmascript") || kind == "text/jscript" => {
            Within::Script
        }
        Some(_) => Within::Other,
    }
}

/// A link that has the browser load something.
fn link(needs: &mut Needs, value: &impl Fn(&str) -> Option<String>, line: impl Fn() -> usize + Copy) {
    let rels = value("rel").unwrap_or_default().to_ascii_lowercase();
    let loads_as = value("as").unwrap_or_default().to_ascii_lowercase();
    for rel in rels.split_ascii_whitespace() {
        let directive = match (rel, loads_as.trim()) {
            ("stylesheet", _) | ("preload" | "prefetch", "style") => Directive::Style,
            ("icon" | "apple-touch-icon" | "apple-touch-icon-precomposed" | "mask-icon", _)
            | ("preload" | "prefetch", "image") => Directive::Img,
            ("manifest", _) => Directive::Manifest,
            ("modulepreload", _) | ("preload" | "prefetch", "script") => Directive::Script,
            ("preload" | "prefetch", "font") => Directive::Font,
            ("preload" | "prefetch", "audio" | "video" | "track") => Directive::Media,
            ("preload" | "prefetch", "fetch") => Directive::Connect,
            ("preload" | "prefetch", "worker") => Directive::Worker,
            _ => continue,
        };
        load(needs, directive, value("href"), line);
        set(needs, value("imagesrcset"), line);
    }
}

/// A reference to what is loaded.
fn load(needs: &mut Needs, directive: Directive, reference: Option<String>, line: impl Fn() -> usize) {
    let Some(reference) = reference else {
        return;
    };
    let reference = reference.trim();
    if let Some(host) = host_of(reference) {
        needs.add_host(directive, host, line);
        return;
    }
    let is_data = is_of_scheme(reference, "data:");
    let is_own = !reference.is_empty()
        && !is_data
        && !["about:", "javascript:", "blob:", "#"]
            .iter()
            .any(|scheme| is_of_scheme(reference, scheme));
    let need = match directive {
        Directive::Img if is_data => Need::DataImages,
        Directive::Media if is_data => Need::DataMedia,
        Directive::Font if is_data => Need::DataFonts,
        Directive::Media | Directive::Manifest if is_own => Need::Media,
        Directive::Frame if is_own => Need::Frames,
        Directive::Object if is_own => Need::Objects,
        // Without an address a form is sent to its own page, where nothing but a script could make anything of it.
        Directive::Form if is_own => Need::Forms,
        _ => return,
    };
    needs.add(need, line);
}

/// The references of a `srcset`.
fn set(needs: &mut Needs, references: Option<String>, line: impl Fn() -> usize + Copy) {
    let Some(references) = references else {
        return;
    };
    // A `data:` address has commas in it; each candidate's address ends at a blank.
    for candidate in references.split_ascii_whitespace() {
        load(
            needs,
            Directive::Img,
            Some(candidate.trim_matches(',').to_owned()),
            line,
        );
    }
}

/// Whether an attribute of this name is run as a script.
fn is_handler(name: &str) -> bool {
    name.strip_prefix("on").is_some_and(|event| {
        event.len() > 2 && event.bytes().all(|byte| byte.is_ascii_lowercase()) && !["line", "ly"].contains(&event)
    })
}

/// Whether it is a `javascript:` address that does something: most only keep a link from leading anywhere, which they do as
/// well where they are refused.
fn is_script_url(reference: &str) -> bool {
    let plain: String = reference
        .chars()
        .filter(|c| !c.is_control() && !c.is_whitespace())
        .take(60)
        .collect();
    let plain = plain.to_ascii_lowercase();
    plain.strip_prefix("javascript:").is_some_and(|code| {
        let code = code.trim_end_matches(';');
        !["", "void(0)", "void0", "void(null)", "undefined", "//", "returnfalse"].contains(&code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(page: &str) -> Vec<Need> {
        needs_of_page(page, false).needs.into_keys().collect()
    }

    #[test]
    fn what_stands_in_a_page_tells_what_it_needs() {
        for (page, expected) in [
            (
                "<script src=a.js></script><link rel=stylesheet href=a.css><img src=a.png>",
                vec![],
            ),
            ("<script>a()</script>", vec![Need::InlineScripts]),
            ("<script type=module>a()</script>", vec![Need::InlineScripts]),
            ("<script type=importmap>{}</script>", vec![Need::InlineScripts]),
            (
                "<script type='application/json'>{\"a\":1}</script><script type=text/template><b style='x'></script>",
                vec![],
            ),
            ("<script></script><style></style><p style onclick>", vec![]),
            ("<script src=a.js>ignored()</script>", vec![]),
            ("<a onclick='a()'>", vec![Need::Handlers]),
            ("<a href='java\nscript:alert(1)'>", vec![Need::ScriptUrls]),
            ("<a href='javascript:void(0);'>", vec![]),
            ("<style>a{}</style>", vec![Need::InlineStyles]),
            ("<p style='color:red'>", vec![Need::StyleAttributes]),
            (
                "<p style=\"background:url(data:image/gif;base64,AA)\">",
                vec![Need::StyleAttributes, Need::DataImages],
            ),
            ("<noscript><style>a{}</style></noscript>", vec![Need::InlineStyles]),
            (
                "<img srcset='data:image/png;base64,AA 1x, b.png 2x'>",
                vec![Need::DataImages],
            ),
            ("<video><source src=a.mp4></video>", vec![Need::Media]),
            ("<link rel=manifest href=a.webmanifest>", vec![Need::Media]),
            ("<iframe src=a.html></iframe>", vec![Need::Frames]),
            ("<iframe src=about:blank></iframe><iframe></iframe>", vec![]),
            (
                "<iframe srcdoc='&lt;script>a()&lt;/script>'></iframe>",
                vec![Need::InlineScripts],
            ),
            ("<object data=a.svg></object>", vec![Need::Objects]),
            ("<form id=a novalidate></form><form action='#'></form>", vec![]),
            ("<form action=/search></form>", vec![Need::Forms]),
            ("<base href=/a/>", vec![Need::Base]),
            ("<!-- <script>a()</script> -->", vec![]),
        ] {
            assert_eq!(needed(page), expected, "{page}");
        }
    }

    #[test]
    fn other_hosts_are_told_by_what_for_with_their_lines() {
        let page = "<script src=https://cdn.example/a.js></script>\n<link rel=stylesheet href=//css.example/a.css>\n\
                    <link rel=canonical href=https://www.example/><a href=https://a.example>\n\
                    <img src=https://img.example/a.png srcset='https://img2.example/b.png 2x'>\n\
                    <iframe src=https://video.example/embed></iframe><form action=https://form.example/></form>\n\
                    <style>@font-face{src:url(https://font.example/f)}</style><script>\nfetch('https://api.example/')</script>";
        let hosts: Vec<String> = needs_of_page(page, false)
            .hosts
            .iter()
            .map(|host| format!("{} {} {}", host.directive.setting(), host.origin, host.line))
            .collect();
        assert_eq!(
            hosts,
            [
                "script https://cdn.example 1",
                "style https://css.example 2",
                "img https://img.example 4",
                "img https://img2.example 4",
                "frame https://video.example 5",
                "form https://form.example 5",
                "font https://font.example 6",
                "connect https://api.example 7",
            ]
        );
    }

    #[test]
    fn hashes_are_those_of_the_texts_as_they_stand() {
        let page = "<script>\n a() </script><style>a{}</style><p style='a:b' onclick='c()'>";
        let needs = needs_of_page(page, true);
        assert_eq!(needs.scripts.into_iter().collect::<Vec<_>>(), [hash("\n a() ")]);
        assert_eq!(needs.styles.into_iter().collect::<Vec<_>>(), [hash("a{}")]);
        assert_eq!(needs.attributes.into_iter().collect::<Vec<_>>(), [hash("a:b")]);
        assert_eq!(needs.handlers.into_iter().collect::<Vec<_>>(), [hash("c()")]);
        assert!(needs_of_page(page, false).scripts.is_empty());
    }
}
