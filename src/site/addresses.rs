//! Addresses that aren't files' paths. A private bucket serves what it has under just the key that is asked for, so what
//! visitors may ask for beside the files themselves is there as well: `docs/` has what `docs/index.html` has, `about` what
//! `about.html` has, and `docs` leads to `docs/`. That costs storage and no code at the edge, works with anything that
//! speaks S3, and doesn't change the stack when the site changes. Pure: keys and what pages say in, addresses out.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::names::{folder_and_name, url_path};
use super::settings::Urls;

/// What is known of a site for its addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    /// A page links to another as `/x`.
    pub(super) links_clean: bool,
    /// The first page loads a script that a bundler has made: such builds are apps, whose own servers show them anywhere.
    pub(super) is_bundle: bool,
    /// The file that Netlify and Cloudflare Pages read has the rule of single-page apps.
    pub(super) app_by_rule: bool,
}

/// How a site's addresses lead to its files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Addresses {
    /// What was chosen, and never [`Urls::Auto`].
    pub(crate) urls: Urls,
    /// Why, where it was found out.
    pub(crate) why: Option<Cow<'static, str>>,
    /// Keys that have what another file has, with that file's.
    pub(crate) pages: BTreeMap<String, String>,
    /// Keys that lead to a path or an address.
    pub(crate) redirects: BTreeMap<String, String>,
}

impl Addresses {
    /// What was found out, and why, in words; none if it was said.
    pub(crate) fn describe(&self) -> Option<String> {
        let why = self.why.as_ref()?;
        Some(format!("addresses as with `urls: {}`: {why}", self.urls.as_str()))
    }
}

/// What is asked for where nothing is, if the site is an app.
pub(crate) const FALLBACK: &str = "200.html";

/// What is asked for where nothing is, if it is none.
pub(crate) const NOT_FOUND: &str = "404.html";

const INDEX: &str = "index.html";

/// Pages that no address leads to.
const UNADDRESSED: [&str; 3] = [INDEX, NOT_FOUND, FALLBACK];

/// The addresses of the site with these files, which are in order; `wanted` redirects lead from paths.
pub(super) fn addresses(keys: &[&str], urls: Urls, evidence: Evidence, wanted: &BTreeMap<String, String>) -> Addresses {
    let (urls, why) = match urls {
        Urls::Auto => {
            let (urls, why) = found(keys, evidence);
            (urls, Some(why))
        }
        said => (said, None),
    };
    let is_file = |key: &str| keys.binary_search(&key).is_ok();
    let (mut pages, mut redirects) = (BTreeMap::new(), BTreeMap::new());
    let has_html = matches!(urls, Urls::Html | Urls::App);
    let has_folders = has_html || urls == Urls::Folders;
    for key in keys {
        let (folder, name) = folder_and_name(key);
        if has_html
            && !UNADDRESSED.contains(&name)
            && let Some(stem) = key.strip_suffix(".html")
            && !is_file(stem)
        {
            pages.insert(stem.to_owned(), (*key).to_owned());
        }
        if has_folders && name == INDEX && !folder.is_empty() {
            pages.insert(folder.to_owned(), (*key).to_owned());
        }
    }
    if has_folders {
        let folders = pages.keys().filter_map(|page| page.strip_suffix('/'));
        let leading = folders.filter(|folder| !is_file(folder) && !pages.contains_key(*folder));
        redirects.extend(leading.map(|folder| (folder.to_owned(), url_path(&format!("{folder}/")))));
    }
    for (from, to) in wanted {
        if let Some(key) = key_of(from)
            && !is_file(&key)
        {
            pages.remove(&key);
            redirects.insert(key, to.clone());
        }
    }
    Addresses {
        urls,
        why,
        pages,
        redirects,
    }
}

/// The wanted redirects that lead from what is a file, so that they lead nowhere.
pub(super) fn hidden<'w>(keys: &[&str], wanted: &'w BTreeMap<String, String>) -> Vec<&'w str> {
    let is_hidden = |from: &&String| {
        let key = key_of(from);
        key.is_none_or(|key| key.is_empty() || keys.binary_search(&key.as_str()).is_ok())
    };
    wanted.keys().filter(is_hidden).map(String::as_str).collect()
}

/// The key that a path asks for.
fn key_of(path: &str) -> Option<String> {
    let key = percent_encoding::percent_decode_str(path.strip_prefix('/')?);
    key.decode_utf8().ok().map(Cow::into_owned)
}

/// How the folder's files and its pages' links have it.
fn found(keys: &[&str], evidence: Evidence) -> (Urls, Cow<'static, str>) {
    let is_page = |key: &&&str| key.ends_with(".html") || key.ends_with(".htm");
    let names: Vec<(&str, &str)> = keys.iter().filter(is_page).map(|key| folder_and_name(key)).collect();
    let others: BTreeSet<&str> = keys.iter().copied().filter(|key| UNADDRESSED.contains(key)).collect();
    let addressed = names
        .iter()
        .filter(|(folder, name)| !folder.is_empty() || !UNADDRESSED.contains(name));
    let folder = names.iter().find(|(folder, name)| !folder.is_empty() && *name == INDEX);
    let page = names.iter().find(|(_, name)| !UNADDRESSED.contains(name));
    if evidence.app_by_rule {
        return (Urls::App, "`_redirects` has `/* /index.html 200`".into());
    }
    // With both, as Nuxt writes them, a host may take either.
    if others.contains(FALLBACK) && !others.contains(NOT_FOUND) {
        return (Urls::App, format!("there is a {FALLBACK}").into());
    }
    if addressed.count() == 0 && !others.contains(NOT_FOUND) && evidence.is_bundle {
        return (Urls::App, "index.html is the only page, and loads a bundle".into());
    }
    match (folder, page) {
        (_, Some((folder, name))) if evidence.links_clean => {
            let stem = name.trim_end_matches(".html");
            (
                Urls::Html,
                format!("there is {folder}{name}, and pages link as to /{folder}{stem}").into(),
            )
        }
        (Some((folder, name)), _) => (Urls::Folders, format!("there is {folder}{name}").into()),
        (None, Some(_)) => (Urls::Plain, "pages link to files, as x.html".into()),
        (None, None) => (Urls::Plain, "index.html is the only page".into()),
    }
}

/// A page that leads on, for whoever gets it instead of a redirect. The script keeps the query and the fragment, which
/// nothing else can; without scripts one gets there all the same.
pub(super) fn page_that_leads_to(to: &str, script: &str) -> String {
    let to = htmlize::escape_all_quotes(to);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Moved</title>\n\
         <link rel=\"canonical\" href=\"{to}\"><meta name=\"robots\" content=\"noindex\">\n\
         <script src=\"/{script}\"></script>\n\
         <noscript><meta http-equiv=\"refresh\" content=\"0; url={to}\"></noscript></head>\n\
         <body><p>This page is at <a href=\"{to}\">{to}</a>.</p></body></html>\n"
    )
}

/// What such a page runs.
pub(super) const LEADING_SCRIPT: &str = "\
const to = new URL(document.querySelector('link[rel=canonical]').getAttribute('href'), location.origin);
if (!to.search) to.search = location.search;
if (!to.hash) to.hash = location.hash;
location.replace(to);
";

/// What the page for what isn't there runs where folders have such pages of their own, as languages do: error pages are one for
/// all of a distribution, so that one shows the nearest. `pages` are keys, each with the folder that it is for.
pub(super) fn script_of_folders(pages: &[(&str, &str)]) -> String {
    let pages = serde_json::to_string(pages).unwrap_or_default();
    format!(
        "const pages = {pages};\n\
         const here = decodeURI(location.pathname).slice(1);\n\
         const near = pages.filter(([folder]) => here.startsWith(folder));\n\
         near.sort(([one], [other]) => other.length - one.length);\n\
         const show = (page) => {{ document.open(); document.write(page); document.close(); }};\n\
         fetch('/' + near[0][1].split('/').map(encodeURIComponent).join('/'))\n\
         \x20 .then((answer) => (answer.ok ? answer.text() : Promise.reject(answer.status)))\n\
         \x20 .then(show, () => show('<title>404</title><p>Page not found'));\n"
    )
}

/// The page that runs it, and loads nothing else.
pub(super) fn page_of_folders(script: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Page not found</title>\n\
         <script src=\"/{script}\"></script></head>\n\
         <body><noscript><h1>Page not found</h1><p><a href=\"/\">Go to the first page</a></p></noscript></body></html>\n"
    )
}

/// What visitors get where nothing is, if the site has no page for it.
pub(super) const NOTHING_THERE: &str = "\
<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>Page not found</title></head>
<body><h1>Page not found</h1>
<p>Nothing is at this address. It may have moved, or the link that led here has a slip in it.</p>
<p><a href=\"/\">Go to the first page</a></p></body></html>
";

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keys: &[&str], urls: Urls, evidence: Evidence) -> Addresses {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        addresses(&keys, urls, evidence, &BTreeMap::new())
    }

    fn shown(map: &BTreeMap<String, String>) -> Vec<String> {
        map.iter().map(|(key, to)| format!("{key} {to}")).collect()
    }

    const CLEAN: Evidence = Evidence {
        links_clean: true,
        is_bundle: false,
        app_by_rule: false,
    };

    #[test]
    fn what_is_asked_for_is_there() {
        let keys = [
            "index.html",
            "404.html",
            "about.html",
            "docs/index.html",
            "docs/a b/index.html",
            "LICENSE",
            "x.js",
        ];
        let plain = of(&keys, Urls::Plain, CLEAN);
        assert!(plain.pages.is_empty() && plain.redirects.is_empty());
        let folders = of(&keys, Urls::Folders, CLEAN);
        assert_eq!(
            shown(&folders.pages),
            ["docs/ docs/index.html", "docs/a b/ docs/a b/index.html"]
        );
        assert_eq!(shown(&folders.redirects), ["docs /docs/", "docs/a b /docs/a%20b/"]);
        for urls in [Urls::Html, Urls::App] {
            let html = of(&keys, urls, CLEAN);
            assert_eq!(
                shown(&html.pages),
                [
                    "about about.html",
                    "docs/ docs/index.html",
                    "docs/a b/ docs/a b/index.html"
                ]
            );
            assert_eq!(html.redirects, folders.redirects);
        }
        let both = of(
            &[
                "index.html",
                "x.html",
                "x/index.html",
                "y",
                "y.html",
                "z",
                "z/index.html",
            ],
            Urls::Html,
            CLEAN,
        );
        assert_eq!(shown(&both.pages), ["x x.html", "x/ x/index.html", "z/ z/index.html"]);
        assert!(
            both.redirects.is_empty(),
            "files and pages go before: {:?}",
            both.redirects
        );
    }

    #[test]
    fn what_a_site_is_is_found_out() {
        let none = Evidence::default();
        let bundle = Evidence {
            is_bundle: true,
            ..none
        };
        let by_rule = Evidence {
            app_by_rule: true,
            ..none
        };
        for (keys, evidence, urls, why) in [
            (&["index.html", "404.html", "a.js"][..], none, Urls::Plain, "only page"),
            (&["index.html"], CLEAN, Urls::Plain, "only page"),
            (&["index.html"], bundle, Urls::App, "loads a bundle"),
            (&["index.html", "404.html"], bundle, Urls::Plain, "only page"),
            (&["index.html", "200.html"], none, Urls::App, "200.html"),
            (&["index.html", "200.html", "404.html"], none, Urls::Plain, "only page"),
            (&["index.html", "a/index.html"], by_rule, Urls::App, "_redirects"),
            (&["index.html", "a.html"], none, Urls::Plain, "link to files"),
            (
                &["index.html", "b/a.html"],
                CLEAN,
                Urls::Html,
                "there is b/a.html, and pages link as to /b/a",
            ),
            (
                &["index.html", "a/index.html"],
                none,
                Urls::Folders,
                "there is a/index.html",
            ),
            (
                &["index.html", "a/index.html"],
                CLEAN,
                Urls::Folders,
                "there is a/index.html",
            ),
            (
                &["index.html", "about.html", "docs/index.html"],
                CLEAN,
                Urls::Html,
                "about.html",
            ),
            (
                &["index.html", "about.html", "docs/index.html"],
                bundle,
                Urls::Folders,
                "docs/index.html",
            ),
        ] {
            let mut keys = keys.to_vec();
            keys.sort_unstable();
            let (found, because) = found(&keys, evidence);
            assert_eq!(found, urls, "{keys:?} {evidence:?}");
            assert!(because.contains(why), "{because}");
        }
    }

    #[test]
    fn redirects_lead_from_where_nothing_is() {
        let wanted = [
            ("/old", "/new"),
            ("/docs/", "/x"),
            ("/a%20b", "https://a.example/"),
            ("/x.js", "/y.js"),
        ];
        let wanted = wanted.map(|(from, to)| (from.to_owned(), to.to_owned())).into();
        let keys = ["docs/index.html", "index.html", "x.js"];
        let found = addresses(&keys, Urls::Folders, Evidence::default(), &wanted);
        assert_eq!(
            shown(&found.redirects),
            ["a b https://a.example/", "docs /docs/", "docs/ /x", "old /new"]
        );
        assert!(found.pages.is_empty());
        assert_eq!(hidden(&keys, &wanted), ["/x.js"]);
    }

    #[test]
    fn a_page_leads_on_and_runs_nothing_of_its_address() {
        let page = page_that_leads_to("/a\"><script>alert(1)</script>", "go.js");
        assert!(!page.contains("<script>alert"), "{page}");
    }
}
