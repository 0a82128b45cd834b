//! Pages with each way of referring to a file, and the oddities that pages have.

use std::cell::RefCell;

use proptest::prelude::*;

use super::*;
use crate::site::sum::Sum;
use crate::site::tests::config;

/// A site in which each file named `x…` has a second name; notes what is asked.
#[derive(Default)]
struct Files {
    scripts: RefCell<Vec<Range<usize>>>,
    links: RefCell<Vec<String>>,
    asked: RefCell<Vec<String>>,
}

const MARK: &str = "3131313131313131";

impl Targets for Files {
    fn mark(&self, key: &str) -> Option<ContentHash> {
        self.asked.borrow_mut().push(key.to_owned());
        let name = key.rsplit('/').next().unwrap_or(key);
        (name.starts_with('x') && !name.contains(MARK)).then(|| ContentHash::of(&Sum::Md5([0x31; 16])))
    }

    fn integrity(&self, key: &str, value: &str) -> Option<String> {
        (key == "x.css" && value == "old").then(|| "new&\"".to_owned())
    }

    fn script(&self, place: Range<usize>) {
        self.scripts.borrow_mut().push(place);
    }

    fn understood(&self, place: Range<usize>) {
        assert!(place.start <= place.end);
    }

    fn link(&self, href: &str) {
        self.links.borrow_mut().push(href.to_owned());
    }
}

fn rewritten(page: &str) -> String {
    rewritten_at("index.html", page)
}

/// With the mark as `#`, to be read.
fn rewritten_at(key: &str, page: &str) -> String {
    let edits = edits(page, key, &Files::default()).expect("it parses");
    apply(page, &edits).replace(MARK, "#")
}

#[test]
fn what_a_page_loads_follows() {
    for (page, expected) in [
        ("<link rel=stylesheet href=x.css>", "<link rel=stylesheet href=x.#.css>"),
        (
            "<LINK REL='Alternate StyleSheet' HREF='x.css'>",
            "<LINK REL='Alternate StyleSheet' HREF='x.#.css'>",
        ),
        (
            "<link href=x.ico rel='shortcut icon'>",
            "<link href=x.#.ico rel='shortcut icon'>",
        ),
        (
            "<link rel=apple-touch-icon href=x.png><link rel=mask-icon href=x.svg>",
            "<link rel=apple-touch-icon href=x.#.png><link rel=mask-icon href=x.#.svg>",
        ),
        (
            "<link rel=preload as=image href=x.png imagesrcset='x.png 1x, x2.png 2x'>",
            "<link rel=preload as=image href=x.#.png imagesrcset='x.#.png 1x, x2.#.png 2x'>",
        ),
        (
            "<link rel=modulepreload href=x.js><link rel=prefetch href=x.css>",
            "<link rel=modulepreload href=x.#.js><link rel=prefetch href=x.#.css>",
        ),
        ("<script src=x.js></script>", "<script src=x.#.js></script>"),
        (
            "<script type=module src='./x.js?a=1&b=2#c'></script>",
            "<script type=module src='./x.#.js?a=1&b=2#c'></script>",
        ),
        (
            "<img src=\"x.png\" srcset=\"x.png 1x,x2.png\t2x\" alt=x.png>",
            "<img src=\"x.#.png\" srcset=\"x.#.png 1x,x2.#.png\t2x\" alt=x.png>",
        ),
        (
            "<picture><source srcset='x.avif, y.avif 2x' type=x><img src=y.png></picture>",
            "<picture><source srcset='x.#.avif, y.avif 2x' type=x><img src=y.png></picture>",
        ),
        ("<video poster=x.png src=y.mp4>", "<video poster=x.#.png src=y.mp4>"),
        ("<input type=IMAGE src=x.png>", "<input type=IMAGE src=x.#.png>"),
        (
            "<svg><image href=x.png /><use xlink:href='x.svg#a'/><feImage href=x.png></svg>",
            "<svg><image href=x.#.png /><use xlink:href='x.#.svg#a'/><feImage href=x.#.png></svg>",
        ),
        (
            "<p style='background:url(x.png)'>a</p><img style=\"b:url('x.png')\" src=x.png>",
            "<p style='background:url(x.#.png)'>a</p><img style=\"b:url('x.#.png')\" src=x.#.png>",
        ),
        (
            "<style>@import 'x.css'; a{b:url(x.png)} c::before{content:'x.png'}</style>",
            "<style>@import 'x.#.css'; a{b:url(x.#.png)} c::before{content:'x.png'}</style>",
        ),
        (
            "<svg><style>a{b:url(x.png)}</style><style><![CDATA[a{b:url(x.png)}]]></style></svg>",
            "<svg><style>a{b:url(x.#.png)}</style><style><![CDATA[a{b:url(x.#.png)}]]></style></svg>",
        ),
        (
            "<noscript><link rel=stylesheet href=x.css><style>a{b:url(x.png)}</style></noscript>",
            "<noscript><link rel=stylesheet href=x.#.css><style>a{b:url(x.#.png)}</style></noscript>",
        ),
        (
            "<template><link rel=stylesheet href=x.css></template>",
            "<template><link rel=stylesheet href=x.#.css></template>",
        ),
        (
            "<img src='/x.png'><img src=../x.png>",
            "<img src='/x.#.png'><img src=../x.#.png>",
        ),
        ("<img src=' x.png '>", "<img src=' x.#.png '>"),
        (
            "<img src=x%20y.png><img src='x ü.png'>",
            "<img src=x%20y.#.png><img src='x ü.#.png'>",
        ),
        ("<img src='x+1.png'>", "<img src='x%2B1.#.png'>"),
    ] {
        assert_eq!(rewritten(page), expected);
    }
}

#[test]
fn what_is_no_asset_of_the_site_stays() {
    for page in [
        "<a href=x.css>x.css</a>",
        "<meta property=og:image content=x.png>",
        "<form action=x.js></form><iframe src=x.svg></iframe><object data=x.svg></object><embed src=x.svg>",
        "<link rel=canonical href=x.css><link rel=manifest href=x.css><link href=x.css>",
        "<link rel=preload as=fetch href=x.css>",
        "<input src=x.png>",
        "<img src=https://host/x.png srcset='//host/x.png 1x, data:x.png 2x'>",
        "<img src=''><img src><img src='#x.png'><img src='?x.png'>",
        "<img src=y.png data-src=x.png>",
        "<use href='#a'></use>",
        "<style type=text/less>a{b:url(x.png)}</style>",
        "<textarea><img src=x.png></textarea><title><img src=x.png></title><xmp><img src=x.png></xmp>",
        "<script>'<img src=x.png>'</script>",
        "<!-- <img src=x.png> --><!--[if IE]><img src=x.png><![endif]-->",
        "<img src=y.png src=x.png>",
        "<img src='x\n.png'>",
        "<svg><style>a{b:url(x.png?a&amp;b)}</style></svg>",
        "<iframe srcdoc='<img src=x.png>'></iframe>",
    ] {
        assert_eq!(rewritten(page), page);
    }
}

#[test]
fn odd_html_survives_byte_for_byte() {
    for (page, expected) in [
        ("<img src=x.png", "<img src=x.png"),
        ("<img src='x.png", "<img src='x.png"),
        ("<img src=x.png><p", "<img src=x.#.png><p"),
        (
            "<img\n\tsrc = 'x.png'\talt   ><P></p  ></x>",
            "<img\n\tsrc = 'x.#.png'\talt   ><P></p  ></x>",
        ),
        ("<img/src=x.png/>", "<img/src=x.png/>"),
        ("<IMG SRC=\"x.png\"ALT=''<>", "<IMG SRC=\"x.#.png\"ALT=''<>"),
        ("<style>a{b:url(x.png)}", "<style>a{b:url(x.#.png)}"),
        ("<table><img src=x.png><tr>", "<table><img src=x.#.png><tr>"),
        (
            "<select><style>a{b:url(x.png)}</style></select>",
            "<select><style>a{b:url(x.#.png)}</style></select>",
        ),
        (
            "<noscript><noscript><noscript><img src=x.png>",
            "<noscript><noscript><noscript><img src=x.png>",
        ),
        ("\u{feff}<img src=x.png>\r\n\0", "\u{feff}<img src=x.#.png>\r\n\0"),
        ("", ""),
    ] {
        assert_eq!(rewritten(page), expected);
    }
}

#[test]
fn entities_are_read_and_written() {
    for (page, expected) in [
        // What needs no entity changes around those that are there.
        ("<img src='x.png?a=1&amp;b=2'>", "<img src='x.#.png?a=1&amp;b=2'>"),
        ("<img src='x.png?a=1&b=2&copy=3'>", "<img src='x.#.png?a=1&b=2&copy=3'>"),
        ("<img src='x&amp;y.png'>", "<img src='x&amp;y.#.png'>"),
        ("<img src='&#120;.png'>", "<img src='x.#.png'>"),
        ("<img src=&#x78;&period;png?a&equals;b>", "<img src=x.#.png?a&#61;b>"),
        ("<img src='x&uuml;&quot;.png'>", "<img src='xü&quot;.#.png'>"),
        ("<img src=\"x&apos;.png\">", "<img src=\"x&#39;.#.png\">"),
        (
            "<p style=\"b:url(&quot;x.png&quot;)\">",
            "<p style=\"b:url(&quot;x.#.png&quot;)\">",
        ),
        (
            "<p style='b:url(x\\ y.png)'>",
            "<p style='b:url(&quot;x y.#.png&quot;)'>",
        ),
        (
            "<p style=b:url(x\\20y.png)>",
            "<p style=b:url(&quot;x&#32;y.#.png&quot;)>",
        ),
    ] {
        let expected = expected.replace("&#39;", htmlize::escape_all_quotes("'").as_ref());
        assert_eq!(rewritten(page), expected);
    }
}

#[test]
fn a_base_counts_from_where_it_is() {
    for (page, expected) in [
        ("<base href=/><img src=x.png>", "x.png"),
        ("<base href='../..//'><img src=x.png>", "/x.png"),
        ("<base href=b/><base href=c/><img src=x.png>", "a/b/x.png"),
        ("<base target=_top><base href=b/><img src=x.png>", "a/b/x.png"),
        ("<img src=x.png><base href=b/>", "a/x.png"),
        ("<base href=b/><style>a{b:url(x.png)}</style>", "a/b/x.png"),
        ("<noscript><base href=b/><img src=x.png></noscript>", "a/x.png"),
        ("<base href=b/><img src=/x.png>", "x.png"),
    ] {
        let files = Files::default();
        let edits = edits(page, "a/index.html", &files).expect("it parses");
        assert_eq!(files.asked.into_inner(), [expected], "{page}");
        assert_eq!(edits.len(), 1, "{page}");
    }
    for page in [
        "<base href=https://cdn.example/><img src=x.png><img src=/x.png>",
        "<base href=//cdn.example><link rel=stylesheet href=x.css>",
    ] {
        assert_eq!(rewritten(page), page);
    }
}

#[test]
fn integrity_follows_what_it_is_for() {
    for (page, expected) in [
        (
            "<link rel=stylesheet href=x.css integrity=old>",
            "<link rel=stylesheet href=x.#.css integrity=new&amp;&quot;>",
        ),
        (
            "<link integrity=\"old\" rel=preload as=style href='/x.css?v'>",
            "<link integrity=\"new&amp;&quot;\" rel=preload as=style href='/x.#.css?v'>",
        ),
        (
            "<link rel=stylesheet href=x2.css integrity=old>",
            "<link rel=stylesheet href=x2.#.css integrity=old>",
        ),
        (
            "<link rel=stylesheet href=https://host/x.css integrity=old>",
            "<link rel=stylesheet href=https://host/x.css integrity=old>",
        ),
    ] {
        assert_eq!(rewritten(page), expected);
    }
}

#[test]
fn styles_that_a_policy_knows_by_their_hash_stay() {
    let policy = "<meta http-equiv=Content-Security-Policy content=\"style-src 'sha256-abc='\">";
    let rest = "<style>a{b:url(x.png)}</style><p style='b:url(x.png)'>";
    assert_eq!(
        rewritten(&format!("{policy}{rest}<img src=x.png>")),
        format!("{policy}{rest}<img src=x.#.png>")
    );
    let policy = policy.replace("sha256-abc=", "self");
    assert_ne!(rewritten(&format!("{policy}{rest}")), format!("{policy}{rest}"));
}

#[test]
fn scripts_and_import_maps_in_a_page_are_told() {
    let files = Files::default();
    let page = "<script type=importmap>{\"imports\":{}}</script><script>a</script><script src=x.js></script>\
                <svg><script>b</script></svg><script>c";
    edits(page, "index.html", &files).expect("it parses");
    let told = files.scripts.into_inner().into_iter().map(|place| &page[place]);
    let told: Vec<&str> = told.filter(|text| !text.is_empty()).collect();
    assert_eq!(told, ["{\"imports\":{}}", "a", "b", "c"]);
}

#[test]
fn a_relative_reference_is_relative_to_the_page() {
    let files = Files::default();
    let page = "<img src=x.png><img src=../x.png><img src=/x.png><img src=d/x.png>";
    edits(page, "a/b/c.html", &files).expect("it parses");
    assert_eq!(
        files.asked.into_inner(),
        ["a/b/x.png", "a/x.png", "x.png", "a/b/d/x.png"]
    );
}

proptest! {
    #![proptest_config(config())]

    /// Whatever the page: what isn't a reference stays, the same is done twice, and once is enough.
    #[test]
    fn only_references_change(parts in prop::collection::vec(
        "(<img src=|<link rel=stylesheet href=|<script src=|<p style=|<style>|</style>|<script>|</script>|<noscript>|</noscript>|<svg>|</svg>|<base href=|<!--|-->|<textarea>|</textarea>|<!\\[CDATA\\[|\\]\\]>|'|\"|>|x\\.png|/x\\.css|x%20\\.js|url\\(|\\)|&amp;|&#120;|&| |/|=|ü|\n|a\\{b:|\\})",
        0..30,
    )) {
        let page = parts.concat();
        let files = Files::default();
        let edits = edits(&page, "a/index.html", &files).expect("it parses");
        for pair in edits.windows(2) {
            prop_assert!(pair[0].range.end <= pair[1].range.start, "in order, and apart");
        }
        let new = apply(&page, &edits);
        prop_assert_eq!(&apply(&page, &super::edits(&page, "a/index.html", &files).expect("again")), &new);
        let again = super::edits(&new, "a/index.html", &files).expect("it parses");
        prop_assert_eq!(again, Vec::new(), "{}", new);
        if !page.contains('&') {
            prop_assert_eq!(new.replace(&format!(".{MARK}"), ""), page);
        }
    }
}
