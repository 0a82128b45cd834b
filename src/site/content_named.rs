//! Which files have their content's hash in their names already, as bundlers write them: such a file never changes under
//! its name. Pure: keys in, keys out.
//!
//! Names alone decide, and a wrong yes is worse than a wrong no: a file that does change would be kept by browsers for a
//! year, while one that doesn't is only asked for once more. So a hash must look like nothing else, or others like it must
//! be beside it.

use std::collections::{HashMap, HashSet};

use super::names::folder_and_name;

/// Which of the site's files are named after their content.
pub(super) fn content_named<'a>(keys: impl Iterator<Item = &'a str>) -> HashSet<&'a str> {
    let mut site = Site::default();
    let mut candidates = Vec::new();
    for key in keys {
        let Some(name) = Name::of(key) else {
            continue;
        };
        let token = name.token();
        let files = site.files.entry((name.folder, name.extension)).or_default();
        files.all += 1;
        files.with_token += usize::from(token.is_some());
        if let Some(token) = token {
            let candidate = Candidate { key, name, token };
            site.add(&candidate);
            candidates.push(candidate);
        }
    }
    let named = candidates.iter().filter(|candidate| site.is_sure_of(candidate));
    named.map(|candidate| candidate.key).collect()
}

/// How a hash is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Alphabet {
    /// Hexadecimal: webpack, Next.js, Docusaurus, Parcel, Gatsby, rustdoc, mdBook, MkDocs Material, Django, Rails, Hugo.
    Hex,
    /// RFC 4648's base32: esbuild, and so Angular.
    Base32,
    /// RFC 4648's base64url: Rollup, and so Vite, Astro, SvelteKit, Nuxt, VitePress.
    Base64,
    /// Digits and lower case: Blazor; with `-`, `_` and `~`: Turbopack.
    Base36,
}

/// How much a token looks like a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Evidence {
    /// It has a hash's length and alphabet, as some words have.
    Faint,
    /// Few names that people give are so.
    Fair,
    /// No name is that a person gives.
    Strong,
}

/// What may be a hash in a name.
#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    /// What stands before it, with the separator; nothing if the token is the whole name.
    stem: &'a str,
    text: &'a str,
    alphabet: Alphabet,
    evidence: Evidence,
}

impl Token<'_> {
    /// As bundlers name chunks and images that have no name; but so do people, after ids.
    fn is_bare(&self) -> bool {
        self.stem.is_empty()
    }

    /// webpack's parts of a chunk that became too large are called `main-4f3c2b1a.js` after the paths of what is in them,
    /// with `runtime.js` and others beside them that have no hash.
    fn may_be_of_a_path(&self) -> bool {
        self.alphabet == Alphabet::Hex && self.text.len() == 8 && self.stem.ends_with('-')
    }
}

/// A file that may be named after its content.
struct Candidate<'a> {
    key: &'a str,
    name: Name<'a>,
    token: Token<'a>,
}

impl<'a> Candidate<'a> {
    /// What its company has to be alike in.
    fn form(&self) -> (&'a str, Alphabet, usize) {
        (self.name.folder, self.token.alphabet, self.token.text.len())
    }
}

/// What decides about a candidate beside its own name.
#[derive(Debug, Default)]
struct Site<'a> {
    /// By folder and extension.
    files: HashMap<(&'a str, &'a str), Files>,
    /// Where there are files that are sure by themselves, and of which form.
    company: HashSet<(&'a str, Alphabet, usize)>,
    /// Whose a token is: a stem and an extension. None: more than one file's.
    owners: HashMap<&'a str, Option<(&'a str, &'a str)>>,
    /// How many tokens there are for one folder, stem and extension.
    tokens: HashMap<(&'a str, &'a str, &'a str), usize>,
}

/// The files of one extension in a folder.
#[derive(Debug, Default)]
struct Files {
    all: usize,
    with_token: usize,
    /// With one that is fair or strong, after a stem.
    fair: usize,
    /// With a strong one, after a stem.
    strong: usize,
}

/// How many images of one stem a build leaves side by side; where there are more, what tells them apart are ids, as in
/// `avatar-0cc175b9c0f1b6a831c399e269772661.png`.
const MOST_TOKENS: usize = 2;

impl<'a> Site<'a> {
    fn add(&mut self, candidate: &Candidate<'a>) {
        let Candidate { name, token, .. } = candidate;
        if !token.is_bare() {
            let files = self.files.entry((name.folder, name.extension)).or_default();
            files.fair += usize::from(token.evidence >= Evidence::Fair);
            files.strong += usize::from(token.evidence == Evidence::Strong);
            if token.evidence == Evidence::Strong && name.kind != Kind::Data {
                self.company.insert(candidate.form());
            }
        }
        let owner = Some((token.stem, name.extension));
        let first = *self.owners.entry(token.text).or_insert(owner);
        if first != owner {
            self.owners.insert(token.text, None);
        }
        if name.is_whole && name.kind == Kind::Media {
            let stem = (name.folder, token.stem, name.extension);
            *self.tokens.entry(stem).or_default() += 1;
        }
    }

    fn is_sure_of(&self, candidate: &Candidate<'a>) -> bool {
        let Candidate { name, token, .. } = candidate;
        // What several files have in common is a version, or the build's id.
        if self.owners.get(token.text).is_none_or(Option::is_none) {
            return false;
        }
        if name.is_in_bundlers_folder() {
            return true;
        }
        let Some(files) = self.files.get(&(name.folder, name.extension)) else {
            return false;
        };
        let stem = (name.folder, token.stem, name.extension);
        if self.tokens.get(&stem).is_some_and(|&count| count > MOST_TOKENS) {
            return false;
        }
        let all_alike = files.with_token == files.all;
        let is_strong = token.evidence == Evidence::Strong;
        let in_company = self.company.contains(&candidate.form());
        match name.kind {
            Kind::Data => is_strong && !token.is_bare() && in_company,
            _ if is_strong && !token.is_bare() => all_alike || !token.may_be_of_a_path() || name.kind == Kind::Media,
            Kind::Code if is_strong => in_company,
            Kind::Code if token.is_bare() => false,
            Kind::Code if token.evidence == Evidence::Fair => in_company,
            Kind::Code => in_company && all_alike && files.fair * 2 >= files.all,
            // Beside bundlers' images are rather those of other people than beside their scripts.
            Kind::Media => token.evidence >= Evidence::Fair && in_company && all_alike && files.strong > 0,
        }
    }
}

/// A file's key in parts.
#[derive(Debug, Clone, Copy)]
struct Name<'a> {
    /// With its slash.
    folder: &'a str,
    /// What stands before the extensions.
    base: &'a str,
    /// The last one of the file itself, without what its companions have more.
    extension: &'a str,
    kind: Kind,
    /// It is no companion of another file.
    is_whole: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Scripts, styles, WebAssembly, fonts: what hardly anybody gives odd names to.
    Code,
    /// Images, films, archives, and whatever else there is.
    Media,
    /// What is more often named after an id, under which it changes.
    Data,
}

/// What is written beside a file, and changes with it: source maps, licences' texts, compressed copies.
const COMPANIONS: &[&str] = &[".map", ".LICENSE.txt", ".LEGAL.txt", ".br", ".gz", ".zst"];

/// What may stand between hash and extension: `main.4f3c2b1a.chunk.css`, `guide.md.Bx3kT9aq.lean.js`,
/// `main.4f3c2b1a.iframe.bundle.js`, `Fira-13b3dcba.ttf.woff2`, `caa3a2e1cccd8315-s.p.woff2`, `main.484c7ddc.min.css`.
const BETWEEN: &[&str] = &[
    "async", "bundle", "cache", "chunk", "entry", "esm", "iframe", "lean", "manager", "min", "module", "otf", "p",
    "system", "ttf", "worker",
];

/// What only bundlers write into. Other people's files may be in `assets/` or `static/`, too.
const BUNDLERS_FOLDERS: &[&str] = &["_next/static/", "_nuxt/", "_astro/", "_app/immutable/"];

/// rustdoc's pages' data are called after what they are about: `trait.impl/std/net/enum.IpAddrV4.js`.
const RUST_ITEMS: &[&str] = &[
    "attr.",
    "constant.",
    "derive.",
    "enum.",
    "fn.",
    "macro.",
    "primitive.",
    "static.",
    "struct.",
    "trait.",
    "traitalias.",
    "type.",
    "union.",
];

impl<'a> Name<'a> {
    /// None of a page, whose address people know, and of what has no extension.
    fn of(key: &'a str) -> Option<Self> {
        let (folder, whole) = folder_and_name(key);
        let mut name = whole;
        while let Some(plain) = COMPANIONS.iter().find_map(|end| name.strip_suffix(end)) {
            name = plain;
        }
        let (mut base, extension) = name.rsplit_once('.')?;
        let kind = match &*extension.to_ascii_lowercase() {
            "html" | "htm" | "xhtml" => return None,
            "js" | "mjs" | "css" | "wasm" | "woff2" | "woff" | "ttf" | "otf" | "eot" => Kind::Code,
            "json" | "xml" | "txt" | "md" | "csv" | "tsv" | "yaml" | "yml" | "toml" | "ndjson" | "geojson"
            | "topojson" | "rss" | "atom" | "ics" | "vcf" | "webmanifest" | "sql" | "log" => Kind::Data,
            _ => Kind::Media,
        };
        while let Some((before, last)) = base.rsplit_once('.')
            && BETWEEN.contains(&last)
        {
            base = before;
        }
        Some(Self {
            folder,
            // wasm-bindgen's `app-9b1f0b1c2d3e4f5a_bg.wasm`.
            base: base.strip_suffix("_bg").unwrap_or(base),
            extension,
            kind,
            is_whole: name.len() == whole.len(),
        })
    }

    fn is_below(&self, folder: &str) -> bool {
        let mut starts = self.folder.match_indices(folder).map(|(start, _)| start);
        starts.any(|start| start == 0 || self.folder.as_bytes()[start - 1] == b'/')
    }

    fn is_in_bundlers_folder(&self) -> bool {
        BUNDLERS_FOLDERS.iter().any(|folder| self.is_below(folder))
    }

    fn token(&self) -> Option<Token<'a>> {
        self.hex()
            .or_else(|| self.base32())
            .or_else(|| self.base64())
            .or_else(|| self.of_an_astro_image())
            .or_else(|| self.of_blazor())
            .or_else(|| self.of_turbopack())
    }

    /// In the lengths that tools cut theirs to.
    fn hex(&self) -> Option<Token<'a>> {
        // A font that Next.js made smaller: `caa3a2e1cccd8315-s.p.woff2`.
        let base = self.base.strip_suffix("-s").filter(|_| self.is_below("_next/static/"));
        let (stem, text) = split(base.unwrap_or(self.base));
        let is_usual = matches!(text.len(), 8 | 10 | 12 | 16 | 20 | 32 | 40 | 64 | 96 | 128);
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_usual || !is_hex || ends_a_uuid(stem, text) {
            return None;
        }
        let evidence = if has_digit_and_letter(text) {
            // `0000001f` counts, and Vue CLI's `chunk-2d0d69a9.js` is called after its modules' paths.
            let is_strong = text.len() >= 16 || (changes(text) >= 2 && stem != "chunk-");
            if is_strong { Evidence::Strong } else { Evidence::Fair }
        } else if text.len() == 8 && !text.starts_with("19") && !text.starts_with("20") {
            // No date, which begins with its year, but perhaps a number.
            Evidence::Faint
        } else {
            return None;
        };
        Some(Token {
            stem,
            text,
            alphabet: Alphabet::Hex,
            evidence,
        })
    }

    /// Eight characters, as esbuild has them.
    fn base32(&self) -> Option<Token<'a>> {
        let (stem, text) = split(self.base);
        let is_base32 = text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'2'..=b'7' | b'A'..=b'Z'));
        // `FACEBOOK` and `MSVC2626` are so, too.
        let evidence = match changes(text) {
            0 | 1 => Evidence::Fair,
            _ => Evidence::Strong,
        };
        (is_base32 && !text.bytes().all(|byte| byte.is_ascii_digit())).then_some(Token {
            stem,
            text,
            alphabet: Alphabet::Base32,
            evidence,
        })
    }

    /// Eight characters, as Rollup has them; some may be `-` and `_` themselves.
    fn base64(&self) -> Option<Token<'a>> {
        let (stem, text) = self.base.split_at_checked(self.base.len().checked_sub(8)?)?;
        let is_base64 = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let is_apart = stem.is_empty() || stem.ends_with(['-', '.']);
        if !is_base64 || !is_apart || RUST_ITEMS.contains(&stem) {
            return None;
        }
        let has = |is: fn(&u8) -> bool| text.bytes().any(|byte| is(&byte));
        let has_upper = has(u8::is_ascii_uppercase);
        let has_digit = has(u8::is_ascii_digit);
        let is_mixed = has_upper && has(u8::is_ascii_lowercase);
        let is_whole = !text.contains(['-', '_']);
        let are_words = text.split(['-', '_']).all(are_words);
        // A dot also stands in the names of what programs are made of: `CRS.Utm32Nad.js`.
        let least = match (self.kind, is_whole) {
            (Kind::Code, true) if stem.ends_with('-') => 3,
            (Kind::Code, false) if stem.ends_with('-') => 5,
            (_, true) => 4,
            (_, false) => usize::MAX,
        };
        let changes = changes(text);
        let evidence = if is_mixed && has_digit && !are_words && changes >= least {
            Evidence::Strong
        } else if (is_mixed || has_upper && has_digit) && changes >= 3 && (has_digit || !are_words) {
            Evidence::Fair
        } else if has_upper || has_digit_and_letter(text) {
            Evidence::Faint
        } else {
            return None;
        };
        Some(Token {
            stem,
            text,
            alphabet: Alphabet::Base64,
            evidence,
        })
    }

    /// `logo.BqA1z2x3_Z1a2b3.webp`: the image that it is made from, and how.
    fn of_an_astro_image(&self) -> Option<Token<'a>> {
        let (stem, text) = split(self.base);
        let (image, how) = text.rsplit_once('_')?;
        (self.is_below("_astro/") && image.len() == 8 && how.len() <= 8).then_some(Token {
            stem,
            text,
            alphabet: Alphabet::Base64,
            evidence: Evidence::Fair,
        })
    }

    /// `dotnet.native.8uaem6n1on.wasm`.
    fn of_blazor(&self) -> Option<Token<'a>> {
        let (stem, text) = split(self.base);
        let is_base36 = text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let is_token = text.len() == 10 && is_base36 && has_digit_and_letter(text);
        (self.is_below("_framework/") && is_token && !stem.is_empty()).then_some(Token {
            stem,
            text,
            alphabet: Alphabet::Base36,
            evidence: Evidence::Strong,
        })
    }

    /// `2whg2n5r_t_s1.js`, `turbopack-2u1d16houkiyo.js`.
    fn of_turbopack(&self) -> Option<Token<'a>> {
        let (stem, text) = self.base.split_at_checked(self.base.len().checked_sub(13)?)?;
        let is_base38 = text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'~'));
        let is_apart = stem.is_empty() || stem.ends_with(['-', '.']);
        (self.is_below("_next/static/") && is_base38 && is_apart && has_digit_and_letter(text)).then_some(Token {
            stem,
            text,
            alphabet: Alphabet::Base36,
            evidence: Evidence::Fair,
        })
    }
}

/// What stands before the last token, with the separator, and the token.
fn split(base: &str) -> (&str, &str) {
    base.split_at(base.rfind(['-', '.']).map_or(0, |separator| separator + 1))
}

fn has_digit_and_letter(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit()) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// `123e4567-e89b-12d3-a456-426614174abc` is an id, whatever the file holds.
fn ends_a_uuid(stem: &str, text: &str) -> bool {
    let is_group = |group: &str| group.len() == 4 && group.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut groups = stem.rsplit('-').skip(1);
    text.len() == 12 && groups.next().is_some_and(is_group) && groups.next().is_some_and(is_group)
}

/// How often a character is of another class than the one before it.
fn changes(text: &str) -> usize {
    let mut pairs = text.as_bytes().windows(2);
    let mut changes = 0;
    while let Some(&[one, next]) = pairs.next() {
        changes += usize::from(Class::of(one) != Class::of(next));
    }
    changes
}

/// Whether each capital begins a word, as in `iPhone14`, `Win32Api` and `JavaScript`.
fn are_words(text: &str) -> bool {
    let mut classes = text.bytes().map(Class::of).peekable();
    while let Some(class) = classes.next() {
        if class == Class::Upper && classes.peek() != Some(&Class::Lower) {
            return false;
        }
    }
    true
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Upper,
    Lower,
    Digit,
    Other,
}

impl Class {
    fn of(byte: u8) -> Self {
        match byte {
            b'A'..=b'Z' => Self::Upper,
            b'a'..=b'z' => Self::Lower,
            b'0'..=b'9' => Self::Digit,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those that are, in order.
    fn named<'a>(keys: &[&'a str]) -> Vec<&'a str> {
        let mut named: Vec<&str> = content_named(keys.iter().copied()).into_iter().collect();
        named.sort_unstable();
        named
    }

    /// From what each of them built.
    #[test]
    fn generators_names_are_known_each_by_itself() {
        for (generator, keys) in [
            (
                "Vite",
                &[
                    "assets/index-DykytF2W.css",
                    "assets/index-049xrXrp.js",
                    "assets/hero-Dq32R15S.png",
                ][..],
            ),
            ("Vite, with a hyphen in the hash", &["assets/index-B_x3-Qk2.js"]),
            ("Rollup", &["app-B3x9Qk2a.js"]),
            ("Vite 4", &["assets/index-4f3c2b1a.js"]),
            ("Vite's legacy plugin", &["assets/index-legacy-CX28MZyh.js"]),
            (
                "Astro",
                &["_astro/index.astro_astro_type_script_index_0_lang.BfVhYcdP.js"],
            ),
            (
                "Astro's images",
                &["_astro/penguin.CQxRhmDm_Z1vWqSN.webp", "_astro/penguin.CQxRhmDm.webp"],
            ),
            (
                "SvelteKit",
                &[
                    "_app/immutable/assets/0.DykytF2W.css",
                    "_app/immutable/chunks/BfVhYcdP.js",
                    "_app/immutable/entry/start.Dd_wCk-2.js",
                ],
            ),
            ("SvelteKit below a path", &["docs/_app/immutable/nodes/0.JavaScri.js"]),
            (
                "Nuxt",
                &[
                    "_nuxt/BfVhYcdP.js",
                    "_nuxt/entry.DykytFWa.css",
                    "_nuxt/error-404.CoZKRZXM.css",
                ],
            ),
            (
                "VitePress",
                &[
                    "assets/guide_start.md.Bx3kT9aq.js",
                    "assets/guide_start.md.Bx3kT9aq.lean.js",
                ],
            ),
            (
                "Angular",
                &["main-5QKXW3ZP.js", "styles-5INURTSO.css", "media/inter-V7KQ2LMN.woff2"],
            ),
            (
                "Next.js",
                &[
                    "_next/static/chunks/app/(shop)/page-4f3c2b1af785427d.js",
                    "_next/static/chunks/4bd1b696-182b6b13bdad92e3.js",
                    "_next/static/css/7cca8e2c5137bd71.css",
                    "_next/static/media/93f479601ee12b01-s.p.woff2",
                ],
            ),
            (
                "Next.js with Turbopack",
                &[
                    "_next/static/chunks/08mika-44sn50.js",
                    "_next/static/chunks/turbopack-2u1d16houkiyo.js",
                    "_next/static/media/caa3a2e1cccd8315-s.p.853070df.woff2",
                ],
            ),
            (
                "Docusaurus",
                &[
                    "assets/css/styles.0cbc9bb9.css",
                    "assets/files/paper-0cc175b9c0f1b6a831c399e269772661.pdf",
                    "assets/images/logo-92eb5ffee6ae2fec3ad71c777531578f.png",
                    "assets/js/935f2afb.1f2b3c4d.js",
                ],
            ),
            (
                "Create React App",
                &[
                    "static/css/main.4f3c2b1a.chunk.css",
                    "static/js/787.4f3c2b1e.chunk.js",
                    "static/media/logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg",
                ],
            ),
            (
                "Vue CLI",
                &[
                    "js/app.4f3c2b1a.js",
                    "js/chunk-2d0d69a9.1a2b3c4d.js",
                    "img/logo.82b9c7a5.png",
                ],
            ),
            ("Parcel", &["index.4f3c2b1a.js", "logo.7a2e7676.png"]),
            (
                "Gatsby",
                &[
                    "component---src-pages-index-js-0a1b2c3d4e5f60718293.js",
                    "webpack-runtime-1a1b2c3d4e5f60718293.js",
                ],
            ),
            ("Rsbuild", &["static/js/index.9b5b3b4920.js"]),
            ("Storybook with webpack", &["main.4f3c2b1a.iframe.bundle.js"]),
            (
                "MkDocs Material",
                &[
                    "assets/javascripts/bundle.79ae519e.min.js",
                    "assets/stylesheets/main.484c7ddc.min.css",
                ],
            ),
            (
                "mdBook",
                &[
                    "book-a0b12cfe.js",
                    "elasticlunr-ef4e11c1.min.js",
                    "favicon-8114d1fc.png",
                    "fonts/f-2bdd9410.woff2",
                ],
            ),
            (
                "rustdoc",
                &[
                    "static.files/COPYRIGHT-7fb11f4e.txt",
                    "static.files/NanumBarunGothic-13b3dcba.ttf.woff2",
                    "static.files/main-a410ff4d.js",
                    "static.files/rust-logo-9a9549ea.svg",
                ],
            ),
            ("an older rustdoc", &["static.files/main-20a3ad099b048cf2.js"]),
            (
                "Hugo",
                &["site.min.7a2e7676e69b98ca0d7501466cbc03e3bbe613e29cebebfcd037acc267e7d80a.css"],
            ),
            ("Django", &["static/base.5af66c1b1797.css"]),
            ("Trunk", &["app-9b1f0b1c2d3e4f5a_bg.wasm"]),
            ("Blazor", &["_framework/dotnet.native.8uaem6n1on.wasm"]),
            ("Workbox", &["workbox-5ffe50d4.js"]),
        ] {
            let mut expected = keys.to_vec();
            expected.sort_unstable();
            assert_eq!(named(keys), expected, "{generator}");
        }
    }

    /// All in one site, and beside bundlers' own.
    #[test]
    fn names_that_people_give_are_none() {
        let names = [
            // Versions, dates, numbers.
            "jquery-3.7.1.min.js",
            "lib-v1.2.3.js",
            "app.20240101.js",
            "photo-20240101.jpg",
            "scan-20240101T120000.png",
            "build-1700000000.js",
            "frame-0000001f.png",
            "release-1234567a.png",
            // Cameras and screens.
            "DSC00123.jpg",
            "IMG_20240101_123456.jpg",
            "IMG-20240101-WA0001.jpg",
            "P7262345.jpg",
            "trip-P7262345.jpg",
            "a-1024x768.png",
            "icon-512x512@2x.png",
            // Words.
            "my-JavaScript.png",
            "JavaScript.js",
            "deadbeef.js",
            "the-deadbeef.js",
            "facade.js",
            "a.bootstrap5beta1.css",
            "case-iPhone14Pro.png",
            "case-iPhoneXs.png",
            "api-Win32Api.png",
            "model-3D.glb",
            "en-GB.js",
            "summernote-sr-RS-Latin.png",
            "icon-FACEBOOK.png",
            "SHA256SUMS",
            "LICENSE-APACHE",
            "CRS.EPSG3857.png",
            "Object3D.js",
            "Adobe-Japan1-0.bcmap",
            "1f468-1f3fb-200d.png",
            "emoji_u1f468_200d.svg",
            // Ids.
            "123e4567-e89b-12d3-a456-426614174abc.png",
            "avatar-123e4567-e89b-12d3-a456-426614174abc.js",
            "0cc175b9c0f1b6a831c399e269772661.png",
            "item-0cc175b9c0f1b6a831c399e269772661.json",
            "post-64f3c2b1a785427d12345678.png",
            "dQw4w9WgXcQ.jpg",
            "dir_68267d1309a1af8e8297ef4c3efbcdb1.js",
            "dir_68267d1309a1af8e8297ef4c3efbcdb1_dep.png",
            // Of what programs are made of.
            "trait.impl/std/struct.IPv4Addr.js",
            "trait.impl/std/struct.I2cSlave.js",
            "trait.impl/std/trait.S3Access.js",
            // Pages.
            "page-4f3c2b1af785427d.html",
            "B3x9Qk2a.htm",
            // What bundlers leave without a hash.
            "_next/static/mYbu1ldIdmYbu1ldIdmYb/_buildManifest.js",
            "_nuxt/builds/latest.json",
            "_nuxt/builds/meta/19aec3bf-d68f-421e-874e-39ae55454624.json",
            "_app/version.json",
        ];
        assert_eq!(named(&names), Vec::<&str>::new());
        let beside = [
            "app-B3x9Qk2a.js",
            "main-5QKXW3ZP.css",
            "main.4f3c2b1a.css",
            "logo.4f3c2b1e.svg",
        ];
        let all: Vec<&str> = names.into_iter().chain(beside).collect();
        assert_eq!(named(&all).len(), beside.len(), "{:?}", named(&all));
    }

    #[test]
    fn what_several_files_have_in_common_is_a_version() {
        for (keys, expected) in [
            (&["a-4f3c2b1a.js", "b-4f3c2b1a.js"][..], &[][..]),
            (&["js/a.4f3c2b1a.js", "css/a.4f3c2b1a.css"], &[]),
            (&["_next/static/a.4f3c2b1a.js", "_next/static/b.4f3c2b1a.js"], &[]),
            (
                &["a.4f3c2b1a.js", "en/a.4f3c2b1a.js"],
                &["a.4f3c2b1a.js", "en/a.4f3c2b1a.js"],
            ),
            (
                &[
                    "a.4f3c2b1a.js",
                    "a.4f3c2b1a.js.LICENSE.txt",
                    "a.4f3c2b1a.js.br",
                    "a.4f3c2b1a.js.map.gz",
                ],
                &[
                    "a.4f3c2b1a.js",
                    "a.4f3c2b1a.js.LICENSE.txt",
                    "a.4f3c2b1a.js.br",
                    "a.4f3c2b1a.js.map.gz",
                ],
            ),
        ] {
            assert_eq!(named(keys), expected, "{keys:?}");
        }
    }

    #[test]
    fn weaker_tokens_count_in_the_company_of_strong_ones() {
        for (strong, weak) in [
            // Letters alone.
            ("assets/index-DykytF2W.js", "assets/page-DvyRxFWa.js"),
            ("assets/index-DykytF2W.js", "assets/page-DvyRxFWa.css"),
            ("assets/index-DykytF2W.js", "assets/page-DpDtaiol.js"),
            ("main-5QKXW3ZP.js", "chunk-ABCDEFGH.js"),
            ("main-5QKXW3ZP.js", "chunk-ABCD2345.js"),
            // With hyphens of their own.
            ("assets/index-DykytF2W.js", "assets/page-ab-Cd_EF.js"),
            ("assets/index.DykytF2W.js", "assets/page.B_x3-Qk2.js"),
            // Nothing but a hash.
            ("main.0a1b2c3d4e5f60718293.js", "1a1b2c3d4e5f60718293.js"),
            ("js/935f2afb.1f2b3c4d.js", "js/17896441.25656607.js"),
            ("assets/logo-DykytF2W.png", "assets/hero-DvyRxFWa.png"),
        ] {
            assert_eq!(named(&[weak]), Vec::<&str>::new(), "{weak} by itself");
            assert_eq!(named(&[strong]), [strong]);
            assert!(named(&[strong, weak]).contains(&weak), "{weak} beside {strong}");
            let elsewhere = format!("other/{strong}");
            assert!(!named(&[&elsewhere, weak]).contains(&weak), "{weak} without {strong}");
        }
        for (strong, weak) in [
            // Pictures of people's own.
            ("assets/index-DykytF2W.js", "assets/hero-DvyRxFWa.png"),
            // Of another length, or in other characters.
            ("main.0a1b2c3d4e5f60718293.js", "0a1b2c3d4e5f6071.js"),
            ("main.4f3c2b1a.js", "chunk-ABCDEFGH.js"),
            ("main-5QKXW3ZP.js", "SETTINGS.js"),
        ] {
            assert!(!named(&[strong, weak]).contains(&weak), "{weak} beside {strong}");
        }
        let beside = [
            "assets/logo-DykytF2W.png",
            "assets/hero-DvyRxFWa.png",
            "assets/team.png",
        ];
        assert_eq!(named(&beside), ["assets/logo-DykytF2W.png"]);
    }

    /// Both change under names that look like hashes.
    #[test]
    fn paths_and_ids_that_are_hashed_are_no_content() {
        let split = ["main-4f3c2b1a.js", "main-5a6b7c8d.js", "runtime.js"];
        assert_eq!(named(&split), Vec::<&str>::new());
        assert_eq!(named(&["js/chunk-2d0d69a9.js", "js/app.js"]), Vec::<&str>::new());
        let avatars = [
            "avatar-0cc175b9c0f1b6a831c399e269772661.png",
            "avatar-92eb5ffee6ae2fec3ad71c777531578f.png",
            "avatar-4a8a08f09d37b73795649038408b5f33.png",
        ];
        assert_eq!(named(&avatars), Vec::<&str>::new());
        assert_eq!(named(&avatars[1..]).len(), 2);
    }
}
