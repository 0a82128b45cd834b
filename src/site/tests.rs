//! Whole sites, read from folders: what is published of them, and what they say.

use std::collections::BTreeMap;

use base64::Engine as _;
use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;
use tempfile::TempDir;

use super::*;

mod properties;

/// The same cases in every run: a failure here is a failure everywhere.
pub(super) fn config() -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// What is published: the text and the object of each key.
struct Publication {
    objects: BTreeMap<String, Object>,
    texts: BTreeMap<String, String>,
    warnings: Vec<String>,
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().expect("a folder");
    for (file, text) in files {
        write(dir.path(), file, text.as_bytes());
    }
    dir
}

fn write(dir: &Path, file: &str, bytes: &[u8]) {
    let file = dir.join(file);
    fs::create_dir_all(file.parent().expect("in a folder")).expect("a folder");
    fs::write(file, bytes).expect("written");
}

fn publication(files: &[(&str, &str)]) -> Publication {
    published(&folder(files), true)
}

fn published(dir: &TempDir, fingerprints: bool) -> Publication {
    let settings = Settings {
        fingerprints,
        ..Settings::default()
    };
    let (site, warnings) = read(dir.path(), &settings, None).expect("a site");
    let mut texts = BTreeMap::new();
    let files = || {
        let objects = site.objects().iter();
        objects.filter(|object| !matches!(object.content, Content::Made(_)))
    };
    for object in files() {
        let bytes = match site.body(object).expect("its bytes") {
            Body::Bytes(bytes) => bytes,
            Body::File(file) => fs::read(file).expect("readable"),
        };
        assert_eq!(Sum::of(&bytes), object.sum, "{}", object.key);
        assert_eq!(bytes.len() as u64, object.size, "{}", object.key);
        texts.insert(object.key.to_string(), String::from_utf8_lossy(&bytes).into_owned());
    }
    let objects: BTreeMap<String, Object> = files().map(|o| (o.key.to_string(), o.clone())).collect();
    assert_eq!(objects.len(), files().count(), "each key once");
    Publication {
        objects,
        texts,
        warnings,
    }
}

impl Publication {
    fn keys(&self) -> Vec<&str> {
        self.objects.keys().map(String::as_str).collect()
    }

    /// The hashed_name name of what is published as `key`, which must be there with the same content.
    #[track_caller]
    fn hashed_name(&self, key: &str) -> String {
        let (stem, extension) = key.rsplit_once('.').expect("an extension");
        let name = format!("{stem}.{}.{extension}", &self.objects[key].sum.to_string()[..16]);
        let object = self
            .objects
            .get(&name)
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.keys()));
        assert_eq!(
            (object.kind, &*object.headers.cache_control),
            (ObjectKind::Asset, IMMUTABLE)
        );
        assert_eq!(object.headers.content_type, self.objects[key].headers.content_type);
        assert_eq!(self.texts[&name], self.texts[key]);
        name
    }

    #[track_caller]
    fn has_no_mark(&self, key: &str) {
        let (stem, extension) = key.rsplit_once('.').expect("an extension");
        let is_it = |other: &&str| {
            let middle = other.strip_prefix(&format!("{stem}."));
            let middle = middle.and_then(|rest| rest.strip_suffix(&format!(".{extension}")));
            middle.is_some_and(|mark| mark.len() == 16 && !mark.contains('.'))
        };
        assert_eq!(self.keys().iter().find(|other| is_it(other)), None);
    }
}

#[test]
fn what_a_page_loads_is_published_twice_and_the_page_names_the_second() {
    let site = publication(&[
        (
            "index.html",
            "<link rel=stylesheet href=style.css><script src=script.js></script><img src='img/a b.png'>",
        ),
        ("style.css", "a{}"),
        ("script.js", "fetch('config.json')"),
        ("img/a b.png", "png"),
        ("other.css", "b{}"),
        ("data.json", "{}"),
        ("empty.txt", ""),
    ]);
    let (style, script, image) = (
        site.hashed_name("style.css"),
        site.hashed_name("script.js"),
        site.hashed_name("img/a b.png"),
    );
    assert_eq!(
        site.texts["index.html"],
        format!("<link rel=stylesheet href={style}><script src={script}></script><img src='{image}'>")
    );
    assert_eq!(site.objects.len(), 7 + 3, "{:?}", site.keys());
    for key in ["index.html", "style.css", "other.css", "data.json", "empty.txt"] {
        assert_eq!(site.objects[key].headers.cache_control, NO_CACHE, "{key}");
    }
    let kinds = ["index.html", "style.css", &style].map(|key| site.objects[key].kind);
    assert_eq!(kinds, [ObjectKind::Page, ObjectKind::Plain, ObjectKind::Asset]);
    assert_eq!(
        &*site.objects["style.css"].headers.content_type,
        "text/css; charset=utf-8"
    );
    assert!(site.warnings.is_empty(), "{:?}", site.warnings);
}

#[test]
fn a_content_changes_the_names_of_all_that_lead_to_it() {
    let files = |png: &'static str| {
        [
            (
                "index.html",
                "<link rel=stylesheet href=css/a.css><script src=s.js></script>",
            ),
            ("css/a.css", "@import 'b.css'; a{}"),
            ("css/b.css", "b{c:url(../img/x.png)}"),
            ("css/c.css", "@import url(a.css);"),
            ("img/x.png", png),
            ("s.js", "0"),
        ]
    };
    let (one, two) = (publication(&files("1")), publication(&files("2")));
    for key in ["css/a.css", "css/b.css", "img/x.png"] {
        assert_ne!(one.hashed_name(key), two.hashed_name(key));
    }
    assert_eq!(one.hashed_name("s.js"), two.hashed_name("s.js"));
    let name = |key: &str| one.hashed_name(key).rsplit('/').next().expect("a name").to_owned();
    assert_eq!(
        one.texts["css/a.css"],
        format!("@import '{}'; a{{}}", name("css/b.css"))
    );
    assert_eq!(
        one.texts["css/b.css"],
        format!("b{{c:url(../img/{})}}", name("img/x.png"))
    );
    assert_eq!(one.texts["css/c.css"], format!("@import url({});", name("css/a.css")));
    one.has_no_mark("css/c.css");
}

#[test]
fn style_sheets_in_a_circle_keep_their_names_and_still_follow() {
    let site = publication(&[
        (
            "index.html",
            "<link rel=stylesheet href=a.css><link rel=stylesheet href=d.css>",
        ),
        ("a.css", "@import 'b.css';a{b:url(x.png)}"),
        ("b.css", "@import 'a.css';"),
        ("c.css", "@import 'c.css';"),
        ("d.css", "@import 'a.css';@import 'c.css';"),
        ("x.png", "x"),
    ]);
    for key in ["a.css", "b.css", "c.css"] {
        site.has_no_mark(key);
    }
    let image = site.hashed_name("x.png");
    assert_eq!(site.texts["a.css"], format!("@import 'b.css';a{{b:url({image})}}"));
    let sheet = site.hashed_name("d.css");
    assert_eq!(site.texts["d.css"], "@import 'a.css';@import 'c.css';");
    assert_eq!(
        site.texts["index.html"],
        format!("<link rel=stylesheet href=a.css><link rel=stylesheet href={sheet}>")
    );
}

#[test]
fn a_script_that_a_script_names_keeps_its_name() {
    let site = publication(&[
        (
            "index.html",
            "<script type=module src=js/main.js></script><link rel=modulepreload href=js/dep.js>\
             <link rel=modulepreload href=js/mapped.js><script src=js/inline.js></script><script src=js/alone.js></script>",
        ),
        (
            "about.html",
            "<script>load('inline.js')</script><style>a{b:url(js/inline.js)}</style>",
        ),
        (
            "maps.html",
            "<script type=importmap>{\"imports\":{\"m\":\"/js/mapped.js\"}}</script>",
        ),
        (
            "js/main.js",
            "import './dep.js'; import 'm';\n//# sourceMappingURL=main.js.map",
        ),
        ("js/dep.js", "0"),
        ("js/mapped.js", "0"),
        ("js/inline.js", "0"),
        ("js/alone.js", "'inline.jsx'"),
        ("s.css", "a{b:url(js/inline.js)}"),
    ]);
    let (main, alone) = (site.hashed_name("js/main.js"), site.hashed_name("js/alone.js"));
    for key in ["js/dep.js", "js/mapped.js", "js/inline.js"] {
        site.has_no_mark(key);
    }
    assert_eq!(
        site.texts["index.html"],
        format!(
            "<script type=module src={main}></script><link rel=modulepreload href=js/dep.js>\
             <link rel=modulepreload href=js/mapped.js><script src=js/inline.js></script><script src={alone}></script>"
        )
    );
    assert!(site.texts["about.html"].contains("url(js/inline.js)"));
    assert_eq!(site.texts["s.css"], "a{b:url(js/inline.js)}");
}

#[test]
fn integrity_is_that_of_what_is_published() {
    let hash = |text: &str| {
        let digest = <sha2::Sha384 as sha2::Digest>::digest(text);
        format!("sha384-{}", base64::engine::general_purpose::STANDARD.encode(digest))
    };
    let css = "a{b:url(x.png)}";
    let page = |file: &str, integrity: &str| format!("<link rel=stylesheet href='{file}' integrity='{integrity}'>");
    let (style, script) = (hash(css), hash("0"));
    let index = [
        page("a.css", &style),
        page("b.css", &style),
        format!("<script src=s.js integrity={script}></script>"),
        page("https://host/a.css", &style),
    ]
    .concat();
    let site = publication(&[
        ("index.html", &index),
        ("a.css", css),
        // In a circle, so that it keeps its name, though not its bytes.
        ("b.css", "@import 'b.css';a{b:url(x.png)}"),
        ("wrong.html", &page("a.css", &hash("else"))),
        ("x.png", "x"),
        ("s.js", "0"),
    ]);
    let new = hash(&site.texts["a.css"]);
    assert_ne!(new, style);
    let expected = [
        page(&site.hashed_name("a.css"), &new),
        page("b.css", &style),
        format!("<script src={} integrity={script}></script>", site.hashed_name("s.js")),
        page("https://host/a.css", &style),
    ];
    assert_eq!(site.texts["index.html"], expected.concat());
    assert_eq!(
        site.texts["wrong.html"],
        page(&site.hashed_name("a.css"), &hash("else"))
    );
    assert_eq!(site.warnings.len(), 1, "{:?}", site.warnings);
    assert!(
        site.warnings[0].ends_with("which browsers refuse: index.html, wrong.html"),
        "{:?}",
        site.warnings
    );

    let right = page("b.css", &hash("@import 'b.css';a{b:url(x.png)}"));
    let site = publication(&[
        ("index.html", &right),
        ("b.css", "@import 'b.css';a{b:url(x.png)}"),
        ("x.png", "x"),
    ]);
    assert_eq!(site.texts["index.html"], page("b.css", &hash(&site.texts["b.css"])));
    assert!(site.warnings.is_empty());
}

#[test]
fn a_file_that_has_the_name_already_is_no_trouble() {
    let hashed_name = "style.6cfb1a5f5d6b2a97.css";
    let name = |text: &str| format!("style.{}.css", &Sum::of(text).to_string()[..16]);
    assert_ne!(name("a{}"), hashed_name);
    // The same content: one object, which says by its name that it never changes.
    let site = publication(&[
        ("index.html", "<link rel=stylesheet href=style.css>"),
        ("style.css", "a{}"),
        (&name("a{}"), "a{}"),
    ]);
    assert_eq!(
        site.texts["index.html"],
        format!("<link rel=stylesheet href={}>", name("a{}"))
    );
    assert_eq!(site.objects.len(), 3, "{:?}", site.keys());
    assert_eq!(site.objects[&name("a{}")].headers.cache_control, IMMUTABLE);
    // Another content: both stay.
    let site = publication(&[
        ("index.html", "<link rel=stylesheet href=style.css>"),
        ("style.css", "a{}"),
        (&name("a{}"), "b{}"),
    ]);
    assert_eq!(site.texts["index.html"], "<link rel=stylesheet href=style.css>");
    assert_eq!(site.objects.len(), 3, "{:?}", site.keys());
    assert!(
        site.warnings[0].ends_with("another file has the name with its hash: style.css"),
        "{:?}",
        site.warnings
    );
    // What has a hash in its name already has no second.
    let site = publication(&[
        ("index.html", &format!("<link rel=stylesheet href={hashed_name}>")),
        (hashed_name, "a{}"),
    ]);
    assert_eq!(site.keys(), ["index.html", hashed_name]);
    assert_eq!(site.objects[hashed_name].headers.cache_control, IMMUTABLE);
}

#[test]
fn what_cannot_be_rewritten_is_published_as_it_is() {
    let dir = folder(&[
        (
            "index.html",
            "<link rel=stylesheet href=a.css><link rel=stylesheet href=latin.css>",
        ),
        ("a.css", "a{}"),
        ("b.css", "b{}"),
    ]);
    let page = "<link rel=stylesheet href=a.css>";
    let small = "<link rel=stylesheet href=b.css>";
    write(dir.path(), "latin.html", &[page.as_bytes(), b"\xe9"].concat());
    write(dir.path(), "latin.css", b"a{b:url(a.png)}/*\xe9*/");
    write(dir.path(), "a.png", b"x");
    let limit = usize::try_from(read::LARGEST_BYTES).expect("few");
    write(
        dir.path(),
        "big.html",
        &[page.as_bytes(), &vec![b' '; limit - page.len() + 1]].concat(),
    );
    write(
        dir.path(),
        "just.html",
        &[small.as_bytes(), &vec![b' '; limit - small.len()]].concat(),
    );
    let site = published(&dir, true);
    let style = site.hashed_name("b.css");
    // What refers to it can't follow, so nothing does.
    site.has_no_mark("a.css");
    assert!(site.texts["latin.html"].starts_with(page));
    assert!(site.texts["big.html"].starts_with(page));
    assert!(site.texts["just.html"].starts_with(&small.replace("b.css", &style)));
    site.hashed_name("latin.css");
    site.has_no_mark("a.png");
    let warnings = &site.warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[0].contains("bigger than 8 MiB") && warnings[0].ends_with(": big.html"),
        "{warnings:?}"
    );
    assert!(
        warnings[1].contains("UTF-8") && warnings[1].ends_with(": latin.css, latin.html"),
        "{warnings:?}"
    );
}

#[test]
fn without_fingerprints_everything_is_published_as_it_is_under_its_name() {
    let files = [
        ("index.html", "<link rel=stylesheet href=a.css>"),
        ("a.css", "a{b:url(x.png)}"),
        ("x.png", "x"),
        ("data.json", "{}"),
    ];
    let site = published(&folder(&files), false);
    assert_eq!(site.keys(), ["a.css", "data.json", "index.html", "x.png"]);
    for (key, text) in files {
        assert_eq!(site.texts[key], text);
        let expected = if key == "index.html" { NO_CACHE } else { ASK_THE_EDGE };
        assert_eq!(site.objects[key].headers.cache_control, expected, "{key}");
    }
}

#[test]
fn what_changed_since_it_was_read_is_not_published() {
    let dir = folder(&[
        ("index.html", "<link rel=stylesheet href=a.css>"),
        ("a.css", "a{}"),
        ("b.css", "b{}"),
    ]);
    let (site, _) = read(dir.path(), &Settings::default(), None).expect("a site");
    let object = |key: &str| site.objects().iter().find(|object| &*object.key == key).expect("there");
    write(dir.path(), "a.css", b"changed{}");
    write(dir.path(), "index.html", b"changed");
    fs::remove_file(dir.path().join("b.css")).expect("removed");
    for (key, why) in [
        ("a.css", "was changed"),
        ("index.html", "was changed"),
        ("b.css", "could not read"),
    ] {
        let error = site.body(object(key)).expect_err("not what was read");
        let text = error.to_string();
        assert!(text.contains(key) && text.contains(why), "{text}");
        assert!(site.check(object(key)).is_err());
    }
    assert!(
        site.check(&Object::config(
            "config.json",
            &BTreeMap::from([("apiUrl".to_owned(), "https://api".to_owned())])
        ))
        .is_ok()
    );
}

#[test]
fn all_that_cannot_be_read_is_named() {
    let dir = folder(&[("index.html", ""), ("a\\b.css", "")]);
    let mut listing = folder::list(dir.path()).expect("a site");
    listing
        .keys
        .extend(["gone.css".to_owned(), "gone.html".to_owned(), "gone.txt".to_owned()]);
    listing.keys.sort();
    let reader = Reader::new(dir.path(), &listing.meant);
    let error = reader.read(listing.keys, None, listing.problems).map(drop);
    let error = error.expect_err("files are gone");
    assert_eq!(error.kind(), ErrorKind::InvalidProject);
    let text = error.to_string();
    for part in [
        "4 files",
        "a\\b.css has a backslash",
        "gone.css",
        "gone.html",
        "gone.txt",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn the_first_pages_links_and_what_they_mean_are_known() {
    let page = "<a href=/about?x=1#y>a</a><a href='docs/'>d</a><a href=https://other.example/>o</a><a href=mailto:a@b>m</a>\
                <a href=#top>t</a><a href=/about>again</a><a href='/gone'>g</a><a href='a b.html'>s</a>";
    let files = [
        ("index.html", page),
        ("about.html", ""),
        ("docs/index.html", ""),
        ("a b.html", ""),
    ];
    let dir = folder(&files);
    let (site, _) = read(dir.path(), &Settings::default(), None).expect("a site");
    assert_eq!(
        site.links_of_first_page(9),
        ["/about", "/docs/", "/index.html", "/gone", "/a%20b.html"]
    );
    assert_eq!(site.links_of_first_page(1), ["/about"]);
    for (path, file) in [
        ("/about", Some("about.html")),
        ("/about/", Some("about.html")),
        ("/docs", Some("docs/index.html")),
        ("/a%20b", Some("a b.html")),
        ("/gone", None),
    ] {
        let meant = site.file_meant_by(path);
        assert_eq!(meant.is_some(), file.is_some(), "{path}: {meant:?}");
    }
}

fn with(files: &[(&str, &str)], settings: &Settings) -> (Site, Vec<String>) {
    let dir = folder(files);
    read(dir.path(), settings, None).expect("a site")
}

fn object<'a>(site: &'a Site, key: &str) -> &'a Object {
    let found = site.objects().iter().find(|object| &*object.key == key);
    found.unwrap_or_else(|| {
        panic!(
            "no {key} in {:?}",
            site.objects().iter().map(|o| &o.key).collect::<Vec<_>>()
        )
    })
}

#[test]
fn other_addresses_have_what_files_have_or_lead_on() {
    let (site, _) = with(
        &[
            ("index.html", "<a href=/docs/>docs</a> <a href=/about>about</a>"),
            ("about.html", "<link rel=stylesheet href=style.css>about"),
            ("docs/index.html", "docs"),
            ("style.css", "a{}"),
        ],
        &Settings::default(),
    );
    assert_eq!(site.addresses().urls, Urls::Html);
    for (key, file) in [("about", "about.html"), ("docs/", "docs/index.html")] {
        let (one, other) = (object(&site, key), object(&site, file));
        assert_eq!(
            (one.sum, &one.content, &one.headers),
            (other.sum, &other.content, &other.headers)
        );
        assert_eq!(one.kind, ObjectKind::Page);
    }
    assert!(matches!(object(&site, "about").content, Content::Rewritten(..)));
    let leading = object(&site, "docs");
    assert_eq!(leading.headers.redirect.as_deref(), Some("/docs/"));
    assert_eq!(leading.headers.content_type, HTML);
    let script = site.objects().iter().find(|object| object.key.starts_with("leads-on."));
    let script = script.expect("what it runs");
    assert_eq!(script.headers.cache_control, IMMUTABLE);
    let Content::Made(page) = &leading.content else {
        panic!("made")
    };
    assert!(String::from_utf8_lossy(page).contains(&*script.key));
    assert_eq!(object(&site, "404.html").headers.cache_control, NO_CACHE);

    let app = Settings {
        urls: Urls::App,
        ..Settings::default()
    };
    let (site, _) = with(&[("index.html", "app"), ("404.html", "no")], &app);
    assert_eq!(object(&site, FALLBACK).sum, object(&site, "index.html").sum);
    let (site, _) = with(&[("200.html", "app")], &Settings::default());
    assert_eq!(
        (site.addresses().urls, object(&site, "index.html").sum),
        (Urls::App, Sum::of("app"))
    );
    let (site, warnings) = with(
        &[("index.html", "app"), ("200.html", "own"), ("x", "x")],
        &Settings {
            redirects: [("/x", "/y"), ("/z", "/y")]
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .into(),
            ..Settings::default()
        },
    );
    assert_eq!(object(&site, FALLBACK).sum, Sum::of("own"));
    assert_eq!(object(&site, "x").headers.redirect, None);
    assert_eq!(object(&site, "z").headers.redirect.as_deref(), Some("/y"));
    assert!(
        warnings[0].contains("lead nowhere") && warnings[0].ends_with(": /x"),
        "{warnings:?}"
    );
}

#[test]
fn a_file_is_served_as_what_it_is_or_is_said_to_be() {
    let files = [
        ("index.html", "<meta charset=iso-8859-1>"),
        ("plain.html", "x"),
        ("app.js", "1"),
        ("app.js.gz", "\u{1f}"),
        (".well-known/apple-app-site-association", "{}"),
        ("data.pf", "x"),
        ("assets/app.txt", "x"),
    ];
    let dir = folder(&files);
    write(dir.path(), "app.js.gz", b"\x1f\x8b\x08");
    let rule = |pattern: &str, header, value: &str| settings::HeaderRule {
        files: settings::Patterns::new(vec![pattern.to_owned()]).expect("a pattern"),
        headers: [(header, value.to_owned())].into(),
    };
    let settings = Settings {
        headers: vec![
            rule("*.pf", settings::Header::ContentType, "application/x-pagefind"),
            rule("assets/**", settings::Header::CacheControl, "max-age=60"),
        ],
        ..Settings::default()
    };
    let (site, _) = read(dir.path(), &settings, None).expect("a site");
    for (key, expected) in [
        ("index.html", "text/html"),
        ("plain.html", "text/html; charset=utf-8"),
        ("app.js.gz", "text/javascript; charset=utf-8"),
        (
            ".well-known/apple-app-site-association",
            "application/json; charset=utf-8",
        ),
        ("data.pf", "application/x-pagefind"),
    ] {
        assert_eq!(object(&site, key).headers.content_type, expected, "{key}");
    }
    assert_eq!(
        object(&site, "app.js.gz").headers.content_encoding.as_deref(),
        Some("gzip")
    );
    assert_eq!(object(&site, "assets/app.txt").headers.cache_control, "max-age=60");
}

#[test]
fn names_that_code_knows_keep_their_names() {
    let page = "<link rel=stylesheet href=a.css><img src=btn_off.png><img src=plain.png><script src=x.js></script>";
    let others = [
        ("a.css", "a{}"),
        ("btn_off.png", "0"),
        ("btn_on.png", "1"),
        ("plain.png", "2"),
    ];
    for (script, kept, marked) in [
        ("0", &[][..], &["a.css", "btn_off.png", "plain.png", "x.js"][..]),
        (
            "i.src = i.src.replace('off', 'on')",
            &["btn_off.png"],
            &["a.css", "x.js"],
        ),
        ("load('plain.png')", &["plain.png"], &["a.css", "btn_off.png", "x.js"]),
        ("name + '.png'", &["btn_off.png", "plain.png"], &["a.css", "x.js"]),
        ("q('link[href$=\"a.css\"]')", &["a.css"], &["btn_off.png", "x.js"]),
        (
            "q('img[src*=plain]')",
            &["plain.png"],
            &["a.css", "btn_off.png", "x.js"],
        ),
    ] {
        let mut files = vec![("index.html", page), ("x.js", script)];
        files.extend(others);
        let site = publication(&files);
        kept.iter().for_each(|key| site.has_no_mark(key));
        marked.iter().for_each(|key| drop(site.hashed_name(key)));
    }
    // Data, a manifest, another page's attribute: each knows the name.
    for (file, text) in [
        ("list.json", "[\"a.css\"]"),
        ("app.webmanifest", "{\"icons\":[{\"src\":\"./a.css\"}]}"),
        ("about.html", "<div data-theme='/a.css'></div>"),
        ("about.html", "<body onload=\"go('a.css')\">"),
        ("b.css.map", "{\"file\":\"a.css\"}"),
    ] {
        let mut files = vec![("index.html", page), ("x.js", "0"), (file, text)];
        files.extend(others);
        publication(&files).has_no_mark("a.css");
    }
}

#[test]
fn what_is_loaded_and_not_published_is_told_with_its_place() {
    let page = "<!doctype html>\n<script src=app.js></script>\n<img src=here.png><img\n srcset=\"here.png 1x,\n img/gone.png 2x\">";
    let all = [
        ("index.html", page),
        ("here.png", "h"),
        ("app.js", "0"),
        // What nobody loads, what another host has and what addresses lead to is no concern.
        (
            "docs/index.html",
            "<a href=nowhere.html>x</a><img src=https://a.example/x.png><link rel=prefetch href=/docs>\
             <link rel=prefetch href=/404.html>",
        ),
        ("a.css", "a{}\nb { background: url(.dot/x.png) }"),
        (".dot/x.png", "x"),
        ("b.css", "@import url(a.css?v=1);"),
        ("z.html", "<style>a{}\nb{background:url('not here.png')}</style>"),
        ("zz.html", "<img src=gone.png>"),
        ("zzz.html", "<img src=gone.png>"),
    ];
    let told = |files: &[(&str, &str)]| {
        let (_, warnings) = with(files, &Settings::default());
        let is_it = |warning: &String| warning.starts_with("what isn't published");
        warnings.into_iter().find(is_it)
    };
    assert_eq!(
        told(&all).as_deref(),
        Some(
            "what isn't published is loaded all the same: site/a.css:2 loads site/.dot/x.png (hidden, or left out by its \
             .deployerignore), site/index.html:5 loads site/img/gone.png (not there), site/z.html:2 loads site/not here.png \
             (not there), and 2 more files do so"
        )
    );
    assert_eq!(told(&all[..4]).map(|told| told.contains("more")), Some(false));
    assert_eq!(
        told(&[("index.html", "<img src=here.png>"), all[1], all[2], all[3]]),
        None
    );
}

#[test]
fn what_a_worker_knows_by_its_bytes_keeps_them() {
    let page = "<link rel=stylesheet href=a.css>";
    let files = |worker: &'static str| {
        [
            ("index.html", page),
            ("about.html", page),
            ("a.css", "a{}"),
            ("sw.js", worker),
        ]
    };
    let site = publication(&files("self.skipWaiting(); [{url: 'index.html', revision: '1'}]"));
    assert_eq!(site.texts["index.html"], page);
    // Who keeps its bytes refers to the plain name, and so do all.
    assert_eq!(site.texts["about.html"], page);
    site.has_no_mark("a.css");
    let site = publication(&files("['index.html']"));
    assert_ne!(site.texts["index.html"], page);
}

#[test]
fn what_has_its_hash_or_is_said_to_never_change_is_published_once() {
    let settings = Settings {
        immutable: settings::Patterns::new(vec!["fixed/**".to_owned()]).expect("patterns"),
        as_is: settings::Patterns::new(vec!["raw.css".to_owned(), "raw.html".to_owned()]).expect("patterns"),
        ..Settings::default()
    };
    let (site, _) = with(
        &[
            (
                "index.html",
                "<script src=assets/app-B3x9Qk2a.js></script><link rel=stylesheet href=raw.css>\
                 <link rel=stylesheet href=assets/main.4f3c2b1a.css><img src=fixed/x.png><img src=y.png>",
            ),
            ("raw.html", "<img src=z.png>"),
            ("assets/app-B3x9Qk2a.js", "1"),
            ("assets/main.4f3c2b1a.css", "a{b:url(../logo.png)}"),
            ("raw.css", "b{}"),
            ("fixed/x.png", "x"),
            ("y.png", "y"),
            ("z.png", "z"),
            ("logo.png", "l"),
        ],
        &settings,
    );
    for key in ["assets/app-B3x9Qk2a.js", "assets/main.4f3c2b1a.css", "fixed/x.png"] {
        assert_eq!(object(&site, key).headers.cache_control, IMMUTABLE, "{key}");
        assert!(matches!(object(&site, key).content, Content::OnDisk(_)), "{key}");
    }
    for key in ["raw.css", "raw.html", "logo.png", "z.png"] {
        assert_eq!(object(&site, key).headers.cache_control, NO_CACHE, "{key}");
    }
    let hashed: Vec<&str> = site
        .objects()
        .iter()
        .map(|o| &*o.key)
        .filter(|key| key.starts_with("y."))
        .collect();
    assert_eq!(hashed.len(), 2, "{hashed:?}");
    assert_eq!(
        site.objects().len(),
        9 + 1 + 1,
        "a second name and the page for nothing there"
    );
}

#[test]
fn what_generators_write_for_hosts_is_followed_and_not_published() {
    let files = [
        ("index.html", "<a href=/x>x</a>"),
        ("a.txt", "a"),
        ("_redirects", "/old /new 301\n/a.txt /b\n/*/x /y\n/* /index.html 200\n"),
        ("_headers", "/a.txt\n  Content-Language: de\n  X-Frame-Options: DENY\n"),
    ];
    let (site, warnings) = with(&files, &Settings::default());
    assert!(!site.has("_redirects") && !site.has("_headers"));
    assert_eq!(site.addresses().urls, Urls::App);
    assert_eq!(object(&site, "old").headers.redirect.as_deref(), Some("/new"));
    assert_eq!(object(&site, "a.txt").headers.content_language.as_deref(), Some("de"));
    for (file, words) in [
        ("_redirects", ["line 2", "line 3"]),
        ("_headers", ["line 3", "X-Frame-Options"]),
    ] {
        let told = warnings.iter().find(|warning| warning.contains(file));
        let told = told.unwrap_or_else(|| panic!("{file} in {warnings:?}"));
        assert!(words.iter().all(|word| told.contains(word)), "{told}");
    }
}

#[test]
fn folders_with_a_page_for_what_is_not_there_have_it() {
    let files = [
        ("index.html", ""),
        (
            "404.html",
            "<!doctype html><html><head lang=en><title>en</title></head>",
        ),
        ("de/404.html", "de"),
    ];
    let (site, _) = with(&files, &Settings::default());
    let script = site
        .objects()
        .iter()
        .find(|object| object.key.starts_with("not-found."));
    let script = script.expect("a script");
    let Content::Made(page) = &object(&site, "404.html").content else {
        panic!("made")
    };
    let page = String::from_utf8_lossy(page);
    assert!(page.contains(&format!("<script src=\"/{}\">", script.key)), "{page}");
    let Content::Made(text) = &script.content else {
        panic!("made")
    };
    // The site's own is under another name then.
    let own = site
        .objects()
        .iter()
        .find(|object| object.sum == Sum::of(files[1].1))
        .expect("its own");
    let text = String::from_utf8_lossy(text);
    assert!(
        text.contains(&format!("[[\"de/\",\"de/404.html\"],[\"\",\"{}\"]]", own.key)),
        "{text}"
    );
    let without = [("index.html", ""), ("de/404.html", "de")];
    let (site, _) = with(&without, &Settings::default());
    assert!(site.objects().iter().any(|object| object.sum == Sum::of(NOTHING_THERE)));
    let (site, _) = with(&files, &Settings::default());
    assert_eq!(object(&site, "de/404.html").sum, Sum::of("de"));
}

#[test]
fn one_page_that_loads_a_bundle_is_an_app() {
    let page = "<script src=app-B3x9Qk2a.js></script>";
    let (site, _) = with(&[("index.html", page), ("app-B3x9Qk2a.js", "0")], &Settings::default());
    assert_eq!(object(&site, "app-B3x9Qk2a.js").headers.cache_control, IMMUTABLE);
    assert_eq!(site.addresses().urls, Urls::App);
    let (site, _) = with(
        &[("index.html", "<script src=app.js></script>"), ("app.js", "0")],
        &Settings::default(),
    );
    assert_eq!(site.addresses().urls, Urls::Plain);
}
