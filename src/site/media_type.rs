//! What a file is served as: its `Content-Type` and `Content-Encoding`, by its name, what it holds, and what is beside it.
//!
//! Types are those that IANA has registered, or where it has none, those that browsers know. A character set is told where
//! the file is in UTF-8 and doesn't say otherwise itself: a header overrules what a page says (WHATWG HTML, "determining
//! the character encoding"), so where it would be wrong, there must be none.

use std::cell::RefCell;
use std::collections::HashMap;

use mime_guess::MimeGuess;

use super::names::folder_and_name;
use super::sniffed::{Declared, Magic, Shape, Sniffed};

const OCTET_STREAM: &str = "application/octet-stream";

/// How a file is served (RFC 9110, 8.3 and 8.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Representation {
    /// With the character set, where one is told.
    pub(super) content_type: String,
    /// None: as it is.
    pub(super) content_encoding: Option<&'static str>,
}

/// What the file of this key is served as; `has` says whether the site has a key.
pub(super) fn representation(key: &str, content: Sniffed, has: impl Fn(&str) -> bool) -> Representation {
    let plain = |media_type: &str| Representation {
        content_type: with_charset(media_type, content),
        content_encoding: None,
    };
    let name = folder_and_name(key).1.to_ascii_lowercase();
    if name.ends_with(".svgz") {
        return Representation {
            content_encoding: (content.magic == Some(Magic::Gzip)).then_some("gzip"),
            ..plain("image/svg+xml")
        };
    }
    let Some((coding, inner)) = Coding::of(key) else {
        return plain(&media_type(key, content));
    };
    let is_coded = coding.may_be_of(content);
    if !stands_for_its_content(inner, has) {
        return plain(if is_coded { coding.media_type() } else { OCTET_STREAM });
    }
    if !is_coded {
        return plain(&media_type(inner, content));
    }
    let media_type = media_type(inner, Sniffed::UNSEEN);
    let content_type = match &*media_type {
        // Else Safari doesn't decompress it: WebKit's bug 247421; Unity's manual, "Server configuration code samples".
        OCTET_STREAM if coding == Coding::Gzip => "application/gzip".to_owned(),
        // What they declare themselves isn't seen.
        "text/html" | "text/css" => media_type,
        _ if is_xml(&media_type) => media_type,
        _ => with_charset(&media_type, Sniffed::UNSEEN),
    };
    Representation {
        content_type,
        content_encoding: Some(coding.name()),
    }
}

/// How a copy is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Brotli,
    Gzip,
    Zstandard,
}

impl Coding {
    /// By the key's end; with the key of what is compressed.
    fn of(key: &str) -> Option<(Self, &str)> {
        let (inner, end) = key.rsplit_once('.')?;
        let coding = match &*end.to_ascii_lowercase() {
            "br" => Self::Brotli,
            "gz" => Self::Gzip,
            "zst" => Self::Zstandard,
            _ => return None,
        };
        Some((coding, inner))
    }

    /// As IANA's registry of HTTP's content codings has it.
    fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Zstandard => "zstd",
        }
    }

    /// Of what is to be saved compressed. Brotli has none.
    fn media_type(self) -> &'static str {
        match self {
            Self::Brotli => OCTET_STREAM,
            Self::Gzip => "application/gzip",
            Self::Zstandard => "application/zstd",
        }
    }

    /// Browsers show nothing of what isn't coded as its header says.
    fn may_be_of(self, content: Sniffed) -> bool {
        match self {
            // It begins with nothing of its own, but is no text either.
            Self::Brotli => content.shape == Shape::Binary,
            Self::Gzip => content.magic == Some(Magic::Gzip),
            Self::Zstandard => content.magic == Some(Magic::Zstandard),
        }
    }
}

/// What pages load, and nobody wants compressed on a disk; `data` is Unity's and Emscripten's.
const LOADED_BY_PAGES: &[&str] = &["css", "data", "htm", "html", "js", "mjs", "svg", "wasm"];

/// Whether a compressed file is there for browsers to decompress: as a copy of a file beside it, or by what is in it.
fn stands_for_its_content(inner: &str, has: impl Fn(&str) -> bool) -> bool {
    let (folder, name) = folder_and_name(inner);
    let name = name.to_ascii_lowercase();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    // Archives are saved under their names, which promise compression. So do the names of sitemaps, which robots are
    // told (sitemaps.org, "Protocol"), and which MkDocs writes beside the plain ones.
    if extension == Some("tar") || (name.starts_with("sitemap") && extension == Some("xml")) {
        return false;
    }
    has(inner)
        || extension.is_some_and(|extension| LOADED_BY_PAGES.contains(&extension))
        // Unity's and Blazor's.
        || name.ends_with(".symbols.json")
        || folder.split('/').any(|part| part == "_framework")
}

/// What [`mime_guess`] doesn't know, or knows from before IANA did; by extension, in order.
const TYPES: &[(&str, &str)] = &[
    ("arrow", "application/vnd.apache.arrow.file"),
    // RFC 9239 has `application/node`, which no browser runs.
    ("cjs", "text/javascript"),
    // Of the same format as icons: WHATWG MIME Sniffing, "matching an image type pattern".
    ("cur", "image/x-icon"),
    ("har", "application/json"),
    ("ipynb", "application/json"),
    ("jsonl", "application/x-ndjson"),
    ("ktx2", "image/ktx2"),
    // RFC 8216, 4.
    ("m3u8", "application/vnd.apple.mpegurl"),
    // RFC 4337.
    ("m4a", "audio/mp4"),
    ("m4s", "video/iso.segment"),
    // ECMA-426, "Source map format".
    ("map", "application/json"),
    // RFC 9239.
    ("mjs", "text/javascript"),
    ("mtl", "model/mtl"),
    ("ndjson", "application/x-ndjson"),
    ("obj", "model/obj"),
    // RFC 8081.
    ("otf", "font/otf"),
    ("pkpass", "application/vnd.apple.pkpass"),
    ("pmtiles", "application/vnd.pmtiles"),
    ("rpm", "application/x-rpm"),
    ("stl", "model/stl"),
    ("tgz", "application/gzip"),
    ("toml", "application/toml"),
    ("topojson", "application/json"),
    // Scripts decompress it: Unity's manual, "Server configuration code samples".
    ("unityweb", OCTET_STREAM),
    ("usdz", "model/vnd.usdz+zip"),
    // RFC 6350.
    ("vcf", "text/vcard"),
    ("wgsl", "text/wgsl"),
    // RFC 8081.
    ("woff", "font/woff"),
    // RFC 9512.
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
];

/// What is there to be read, or fetched as text: browsers show `text/plain`, and save what has no type or an odd one. In
/// order. Not `jsx`, which may be a module, and those are loaded by the type of JavaScript alone.
const SOURCES: &[&str] = &[
    "adoc",
    "astro",
    "awk",
    "bash",
    "bat",
    "bib",
    "clj",
    "cmake",
    "cmd",
    "coffee",
    "cts",
    "dart",
    "diff",
    "elm",
    "erl",
    "ex",
    "exs",
    "fish",
    "frag",
    "fs",
    "gitignore",
    "glsl",
    "go",
    "gql",
    "gradle",
    "graphql",
    "groovy",
    "hbs",
    "hcl",
    "hlsl",
    "hs",
    "java",
    "jl",
    "jsonc",
    "kt",
    "kts",
    "less",
    "lock",
    "lua",
    "m2ts",
    "mdx",
    "ml",
    "mts",
    "nim",
    "nix",
    "njk",
    "patch",
    "pl",
    "pm",
    "po",
    "properties",
    "proto",
    "ps1",
    "pug",
    "pyi",
    "r",
    "rb",
    "rs",
    "rst",
    "sass",
    "scala",
    "scm",
    "scss",
    "sh",
    "sol",
    "sql",
    "styl",
    "svelte",
    "swift",
    "tcl",
    "tex",
    "tf",
    "ts",
    "tsx",
    "vert",
    "vim",
    "vue",
    "wat",
    "zig",
    "zsh",
];

/// Those of IANA's "Well-Known URIs" whose types neither name nor content tells.
const WELL_KNOWN: &[(&str, &str)] = &[
    // RFC 9727.
    ("api-catalog", "application/linkset+json"),
    // RFC 6415.
    ("host-meta", "application/xrd+xml"),
    ("host-meta.json", "application/jrd+json"),
    // Stellar's SEP-1.
    ("stellar.toml", "text/plain"),
    ("traffic-advice", "application/trafficadvice+json"),
    // RFC 7033.
    ("webfinger", "application/jrd+json"),
];

/// What texts without an extension are called, in order.
const TEXTS: &[&str] = &[
    "authors",
    "changelog",
    "changes",
    "cname",
    "codeowners",
    "contributing",
    "contributors",
    "copying",
    "copyright",
    "credits",
    "dockerfile",
    "history",
    "humans",
    "install",
    "licence",
    "license",
    "maintainers",
    "makefile",
    "md5sums",
    "news",
    "notice",
    "readme",
    "robots",
    "security",
    "sha1sums",
    "sha256sums",
    "sha512sums",
    "thanks",
    "todo",
    "version",
];

/// The type alone.
fn media_type(key: &str, content: Sniffed) -> String {
    let (folder, name) = folder_and_name(key);
    let name = name.to_ascii_lowercase();
    let is_well_known = folder.split('/').any(|part| part == ".well-known");
    let known = WELL_KNOWN.iter().find(|(known, _)| is_well_known && *known == name);
    if let Some((_, media_type)) = known {
        return (*media_type).to_owned();
    }
    let Some((_, extension)) = name.rsplit_once('.') else {
        return without_extension(&name, is_well_known, content.shape).to_owned();
    };
    if let Ok(index) = TYPES.binary_search_by_key(&extension, |(extension, _)| extension) {
        return TYPES[index].1.to_owned();
    }
    if matches!(extension, "ts" | "mts" | "m2ts") && content.magic == Some(Magic::MpegTs) {
        return "video/mp2t".to_owned();
    }
    if SOURCES.binary_search(&extension).is_ok() {
        return "text/plain".to_owned();
    }
    guessed(extension).unwrap_or(OCTET_STREAM).to_owned()
}

/// What [`mime_guess`] knows of an extension. It compares by Unicode's rules, a dozen times for each file, and a site has
/// many of one kind.
fn guessed(extension: &str) -> Option<&'static str> {
    thread_local! {
        static KNOWN: RefCell<HashMap<String, Option<&'static str>>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        if let Some(guess) = known.get(extension) {
            return *guess;
        }
        let guess = MimeGuess::from_ext(extension).first_raw();
        known.insert(extension.to_owned(), guess);
        guess
    })
}

fn without_extension(name: &str, is_well_known: bool, shape: Shape) -> &'static str {
    // Apple's "Supporting associated domains": no extension, and this type.
    if name == "apple-app-site-association" && shape == Shape::Json {
        return "application/json";
    }
    // `LICENSE-MIT`.
    let stem = name.split(['-', '_']).next().unwrap_or_default();
    match shape {
        Shape::Html if is_well_known => "text/html",
        Shape::Json if is_well_known => "application/json",
        // Answers to who issues certificates (RFC 8555, 8.3), or asks whose a domain is.
        Shape::Text if is_well_known => "text/plain",
        Shape::Text | Shape::Json | Shape::Html if TEXTS.binary_search(&stem).is_ok() => "text/plain",
        _ => OCTET_STREAM,
    }
}

fn is_xml(media_type: &str) -> bool {
    media_type.ends_with("/xml") || media_type.ends_with("+xml")
}

/// The type with the character set, of what is text.
fn with_charset(media_type: &str, content: Sniffed) -> String {
    let is_xml = is_xml(media_type);
    let is_json = media_type.ends_with("/json") || media_type.ends_with("+json");
    let is_text = media_type.starts_with("text/") || is_xml || is_json || media_type == "application/javascript";
    let declared = match media_type {
        "text/html" => content.html,
        "text/css" => content.css,
        _ if is_xml => content.xml,
        _ => Declared::Nothing,
    };
    if is_text && content.is_utf8 && declared != Declared::Other {
        format!("{media_type}; charset=utf-8")
    } else {
        media_type.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: Sniffed = Sniffed::UNSEEN;

    const BINARY: Sniffed = Sniffed {
        is_utf8: false,
        shape: Shape::Binary,
        ..TEXT
    };

    const GZIP: Sniffed = Sniffed {
        magic: Some(Magic::Gzip),
        ..BINARY
    };

    const JSON: Sniffed = Sniffed {
        shape: Shape::Json,
        ..TEXT
    };

    /// As headers have it: the type, and the coding after a bar.
    fn served(key: &str, content: Sniffed, site: &[&str]) -> String {
        let served = representation(key, content, |key| site.contains(&key));
        match served.content_encoding {
            Some(coding) => format!("{} | {coding}", served.content_type),
            None => served.content_type,
        }
    }

    #[test]
    fn tables_are_in_order() {
        assert!(TYPES.is_sorted_by(|(one, _), (next, _)| one < next));
        assert!(SOURCES.is_sorted_by(|one, next| one < next));
        assert!(TEXTS.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn texts_have_their_type() {
        for (keys, expected) in [
            (&["index.html", "a/old.HTM"][..], "text/html; charset=utf-8"),
            (&["a.css"], "text/css; charset=utf-8"),
            (&["a.js", "a.mjs", "a.cjs", "a.jsx"], "text/javascript; charset=utf-8"),
            (
                &["a.json", "a.js.map", "a.topojson", "a.ipynb"],
                "application/json; charset=utf-8",
            ),
            (&["a.jsonld"], "application/ld+json; charset=utf-8"),
            (&["a.geojson"], "application/geo+json; charset=utf-8"),
            (&["a.webmanifest"], "application/manifest+json; charset=utf-8"),
            (&["a.gltf"], "model/gltf+json; charset=utf-8"),
            (&["a.svg"], "image/svg+xml; charset=utf-8"),
            (&["a.xhtml"], "application/xhtml+xml; charset=utf-8"),
            (&["sitemap.xml", "a.xsl"], "text/xml; charset=utf-8"),
            (&["a.rss"], "application/rss+xml; charset=utf-8"),
            (&["a.mpd"], "application/dash+xml; charset=utf-8"),
            (&["a.md"], "text/markdown; charset=utf-8"),
            (&["a.csv"], "text/csv; charset=utf-8"),
            (&["a.vtt"], "text/vtt; charset=utf-8"),
            (&["a.ics"], "text/calendar; charset=utf-8"),
            (&["a.vcf"], "text/vcard; charset=utf-8"),
            (&["a.yaml", "a.yml"], "application/yaml"),
            (&["a.toml"], "application/toml"),
            (&["a.ndjson"], "application/x-ndjson"),
            (&["a.m3u8"], "application/vnd.apple.mpegurl"),
            (
                &[
                    "a.txt", "a.ts", "a.tsx", "a.mts", "a.cts", "a.rs", "a.py", "a.java", "a.sh", "a.ini", "a.glsl",
                ],
                "text/plain; charset=utf-8",
            ),
        ] {
            for key in keys {
                assert_eq!(served(key, TEXT, &[]), expected, "{key}");
            }
        }
    }

    #[test]
    fn all_else_has_its_type() {
        for (keys, expected) in [
            (&["a.png"][..], "image/png"),
            (&["a.apng"], "image/apng"),
            (&["a.jpg"], "image/jpeg"),
            (&["a.avif"], "image/avif"),
            (&["a.webp"], "image/webp"),
            (&["a.jxl"], "image/jxl"),
            (&["a.heic"], "image/heic"),
            (&["a.ico", "a.cur"], "image/x-icon"),
            (&["a.ktx2"], "image/ktx2"),
            (&["a.hdr"], "image/vnd.radiance"),
            (&["a.woff"], "font/woff"),
            (&["a.woff2"], "font/woff2"),
            (&["a.otf"], "font/otf"),
            (&["a.ttf"], "font/ttf"),
            (&["a.eot"], "application/vnd.ms-fontobject"),
            (&["a.wasm"], "application/wasm"),
            (&["a.glb"], "model/gltf-binary"),
            (&["a.usdz"], "model/vnd.usdz+zip"),
            (&["a.obj"], "model/obj"),
            (&["a.stl"], "model/stl"),
            (&["a.mp4"], "video/mp4"),
            (&["a.m4s"], "video/iso.segment"),
            (&["a.webm"], "video/webm"),
            (&["a.m4a"], "audio/mp4"),
            (&["a.opus"], "audio/ogg"),
            (&["a.flac"], "audio/flac"),
            (&["a.pdf"], "application/pdf"),
            (&["a.zip"], "application/zip"),
            (&["a.parquet"], "application/vnd.apache.parquet"),
            (&["a.pmtiles"], "application/vnd.pmtiles"),
            (
                &["a.docx"],
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            ),
            (
                &[
                    "a.data",
                    "a.dat",
                    "a.bin",
                    "a.pck",
                    "a.unityweb",
                    "a.ply",
                    "a.pf_fragment",
                    "a.pf_index",
                    "a.pf_meta",
                    "wasm.de.pagefind",
                    "a.zzz",
                    "noextension",
                ],
                OCTET_STREAM,
            ),
        ] {
            for key in keys {
                assert_eq!(served(key, BINARY, &[]), expected, "{key}");
            }
        }
        let film = Sniffed {
            magic: Some(Magic::MpegTs),
            ..BINARY
        };
        assert_eq!(served("hls/1.ts", film, &[]), "video/mp2t");
        assert_eq!(served("a.txt", film, &[]), "text/plain");
    }

    /// On a plain server it is the file that decides, and so it has to stay.
    #[test]
    fn a_character_set_is_told_where_it_is_right() {
        let latin1 = Sniffed { is_utf8: false, ..TEXT };
        let other = Sniffed {
            html: Declared::Other,
            css: Declared::Other,
            xml: Declared::Other,
            ..TEXT
        };
        for (key, media_type, depends) in [
            ("a.html", "text/html", true),
            ("a.css", "text/css", true),
            ("a.xml", "text/xml", true),
            ("a.svg", "image/svg+xml", true),
            ("a.js", "text/javascript", false),
            ("a.json", "application/json", false),
            ("a.txt", "text/plain", false),
        ] {
            let with_charset = format!("{media_type}; charset=utf-8");
            assert_eq!(served(key, TEXT, &[]), with_charset);
            assert_eq!(served(key, latin1, &[]), media_type);
            assert_eq!(
                served(key, other, &[]),
                if depends { media_type } else { &with_charset }
            );
        }
    }

    #[test]
    fn names_without_an_extension_are_known() {
        let html = Sniffed {
            shape: Shape::Html,
            ..TEXT
        };
        for (key, content, expected) in [
            ("apple-app-site-association", JSON, "application/json; charset=utf-8"),
            (
                ".well-known/apple-app-site-association",
                JSON,
                "application/json; charset=utf-8",
            ),
            // Signed.
            ("apple-app-site-association", BINARY, OCTET_STREAM),
            (
                ".well-known/openid-configuration",
                JSON,
                "application/json; charset=utf-8",
            ),
            (".well-known/matrix/server", JSON, "application/json; charset=utf-8"),
            (".well-known/assetlinks.json", JSON, "application/json; charset=utf-8"),
            (".well-known/webfinger", JSON, "application/jrd+json; charset=utf-8"),
            (".well-known/host-meta", TEXT, "application/xrd+xml; charset=utf-8"),
            (".well-known/security.txt", TEXT, "text/plain; charset=utf-8"),
            (".well-known/acme-challenge/LoqXcYV8", TEXT, "text/plain; charset=utf-8"),
            (".well-known/change-password", html, "text/html; charset=utf-8"),
            (".well-known/pki", BINARY, OCTET_STREAM),
            ("LICENSE", TEXT, "text/plain; charset=utf-8"),
            ("LICENSE-MIT", TEXT, "text/plain; charset=utf-8"),
            ("docs/README", JSON, "text/plain; charset=utf-8"),
            ("CNAME", TEXT, "text/plain; charset=utf-8"),
            ("LICENSE", BINARY, OCTET_STREAM),
            ("data", JSON, OCTET_STREAM),
            ("data", TEXT, OCTET_STREAM),
            // A folder's dot is no extension's.
            ("a.js/data", TEXT, OCTET_STREAM),
        ] {
            assert_eq!(served(key, content, &[]), expected, "{key}");
        }
    }

    #[test]
    fn what_is_compressed_beforehand_says_so() {
        let zstandard = Sniffed {
            magic: Some(Magic::Zstandard),
            ..BINARY
        };
        for (key, content, site, expected) in [
            // Only to be loaded.
            ("a.js.br", BINARY, &[][..], "text/javascript; charset=utf-8 | br"),
            ("a.js.gz", GZIP, &[], "text/javascript; charset=utf-8 | gzip"),
            ("a.JS.GZ", GZIP, &[], "text/javascript; charset=utf-8 | gzip"),
            ("a.wasm.zst", zstandard, &[], "application/wasm | zstd"),
            ("a.html.br", BINARY, &[], "text/html | br"),
            ("a.css.gz", GZIP, &[], "text/css | gzip"),
            ("a.svg.br", BINARY, &[], "image/svg+xml | br"),
            ("a.svgz", GZIP, &[], "image/svg+xml | gzip"),
            ("Build/a.data.br", BINARY, &[], "application/octet-stream | br"),
            ("Build/a.data.gz", GZIP, &[], "application/gzip | gzip"),
            (
                "Build/a.symbols.json.br",
                BINARY,
                &[],
                "application/json; charset=utf-8 | br",
            ),
            ("_framework/a.dll.br", BINARY, &[], "application/x-msdownload | br"),
            // Copies.
            ("a.json.gz", GZIP, &["a.json"], "application/json; charset=utf-8 | gzip"),
            (
                "a.js.map.br",
                BINARY,
                &["a.js.map"],
                "application/json; charset=utf-8 | br",
            ),
            ("feed.xml.gz", GZIP, &["feed.xml"], "text/xml | gzip"),
            ("LICENSE.br", BINARY, &["LICENSE"], "text/plain; charset=utf-8 | br"),
            // To be saved.
            ("a.json.gz", GZIP, &["b/a.json"], "application/gzip"),
            ("a.csv.gz", GZIP, &[], "application/gzip"),
            ("a.csv.zst", zstandard, &[], "application/zstd"),
            ("a.csv.br", BINARY, &[], OCTET_STREAM),
            ("a.tar.gz", GZIP, &["a.tar"], "application/gzip"),
            ("a.tgz", GZIP, &[], "application/gzip"),
            ("sitemap.xml.gz", GZIP, &[], "application/gzip"),
            ("sitemap.xml.gz", GZIP, &["sitemap.xml"], "application/gzip"),
            ("a.gz", GZIP, &[], "application/gzip"),
            // Not what their names say.
            ("a.js.gz", TEXT, &["a.js"], "text/javascript; charset=utf-8"),
            ("a.js.br", TEXT, &["a.js"], "text/javascript; charset=utf-8"),
            ("a.wasm.gz", zstandard, &[], "application/wasm"),
            ("a.svgz", TEXT, &[], "image/svg+xml; charset=utf-8"),
            ("a.csv.gz", TEXT, &[], OCTET_STREAM),
        ] {
            assert_eq!(served(key, content, site), expected, "{key} in {site:?}");
        }
    }
}
