//! Any site: what its pages and style sheets refer to when it is published is what they referred to in the folder.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use reqwest::Url;

use super::*;

/// All files of each site; pages, style sheets and scripts have references, by number.
const FILES: [&str; 14] = [
    "index.html",
    "a/p.html",
    "a b/q.htm",
    "x.css",
    "y.css",
    "a/x.css",
    "a b/ü.css",
    "s.js",
    "a/t.js",
    "a/m.mjs",
    "i.png",
    "a/j+1.png",
    "a b/k l.svg",
    "f.woff2",
];

/// A reference to a file: which, and how it is written.
type Link = (usize, Form);

#[derive(Debug, Clone, Copy)]
enum Form {
    FromRoot,
    Relative,
    Dotted,
    Escaped,
    Queried,
}

fn link() -> impl Strategy<Value = Link> {
    use Form::{Dotted, Escaped, FromRoot, Queried, Relative};
    (
        0..FILES.len(),
        prop::sample::select(vec![FromRoot, Relative, Dotted, Escaped, Queried]),
    )
}

/// The reference from one file to another.
fn written(from: &str, (to, form): Link) -> String {
    let to = FILES[to].replace('+', "%2B");
    let up = "../".repeat(from.matches('/').count());
    match form {
        Form::FromRoot => format!("/{to}"),
        Form::Relative => format!("{up}{to}"),
        Form::Dotted => format!("./{up}nowhere/.././{to}"),
        Form::Escaped => {
            let path = url_path(
                FILES
                    .iter()
                    .find(|file| file.replace('+', "%2B") == to)
                    .expect("a file"),
            );
            format!("{up}{}", &path[1..])
        }
        Form::Queried => {
            format!("{up}{to}?v=1&amp;w=2#f").replace("&amp;", if from.ends_with("css") { "&" } else { "&amp;" })
        }
    }
}

fn text(file: &str, number: usize, links: &[Link]) -> String {
    let lines = links.iter().enumerate().map(|(index, link)| {
        let reference = written(file, *link);
        match (file.rsplit('.').next(), index % 4) {
            (Some("html" | "htm"), 0) => format!("<link rel=stylesheet href=\"{reference}\">\n"),
            (Some("html" | "htm"), 1) => format!("<script src=\"{reference}\"></script>\n"),
            (Some("html" | "htm"), 2) => {
                format!("<style>a{{b:url(\"{}\")}}</style>\n", reference.replace("&amp;", "&"))
            }
            (Some("html" | "htm"), _) => format!("<img src=\"{reference}\">\n"),
            (Some("css"), 0 | 1) => format!("@import \"{reference}\";\n"),
            (Some("css"), _) => format!("a{{b:url(\"{reference}\")}}\n"),
            (Some("js" | "mjs"), _) => format!("import \"{reference}\";\n"),
            _ => String::new(),
        }
    });
    format!("{}\n{number}\n", lines.collect::<String>())
}

/// The keys that the quoted references of a published text lead to.
fn leads_to(key: &str, text: &str) -> Vec<String> {
    let base = Url::parse("https://site.example")
        .and_then(|site| site.join(&url_path(key)))
        .expect("a URL");
    let quoted = text.split('"').skip(1).step_by(2);
    quoted
        .map(|reference| {
            let url = base.join(&reference.replace("&amp;", "&")).expect("a URL");
            assert!(!url.path().contains('+'), "S3 would take it for a space");
            percent_decode_str(&url.path()[1..]).decode_utf8_lossy().into_owned()
        })
        .collect()
}

/// The file that a published key is of.
fn file_of<'a>(key: &'a str, site: &Publication) -> &'a str {
    FILES
        .into_iter()
        .find(|file| *file == key || (file.contains('.') && marked_name(file, site).as_deref() == Some(key)))
        .unwrap_or(key)
}

fn marked_name(file: &str, site: &Publication) -> Option<String> {
    let (stem, extension) = file.rsplit_once('.')?;
    Some(format!(
        "{stem}.{}.{extension}",
        &site.objects.get(file)?.sum.to_string()[..16]
    ))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..config() })]

    #[test]
    fn references_lead_to_what_they_led_to(
        links in prop::collection::vec(prop::collection::vec(link(), 0..5), FILES.len()),
    ) {
        let texts: Vec<String> = FILES.iter().zip(&links).enumerate().map(|(n, (file, links))| text(file, n, links)).collect();
        let files: Vec<(&str, &str)> = FILES.into_iter().zip(texts.iter().map(String::as_str)).collect();
        let site = publication(&files);
        let again = publication(&files);
        prop_assert_eq!(&site.texts, &again.texts, "the same each time");
        let mut used = BTreeSet::new();
        for (key, new) in &site.texts {
            let file = file_of(key, &site);
            let old = &texts[FILES.iter().position(|known| *known == file).expect("a file")];
            if file.ends_with("js") {
                prop_assert_eq!(new, old, "scripts are opaque");
                continue;
            }
            let (old, new) = (leads_to(file, old), leads_to(key, new));
            prop_assert_eq!(old.len(), new.len());
            for (old, new) in old.into_iter().zip(new) {
                prop_assert!(site.texts.contains_key(&new), "{key} leads to {new}, which isn't published");
                prop_assert_eq!(&site.texts[&old], &site.texts[&new], "the same content under both names");
                if new != old {
                    prop_assert_eq!(&*site.objects[&new].headers.cache_control, IMMUTABLE);
                    used.insert(new);
                }
            }
        }
        let hashed_name = site.objects.values().filter(|object| object.kind == ObjectKind::Asset);
        let hashed_name: BTreeSet<String> = hashed_name.map(|object| object.key.to_string()).collect();
        prop_assert_eq!(hashed_name, used, "what has a second name is referred to by it");
    }
}
