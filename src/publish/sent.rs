//! The headers that objects were sent with. S3 doesn't list them, so the ledger has them: what is usual for a class of
//! objects once for all, what differs from it by key. Of large sites it so says little, and of every object it says all.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::ledger::Ledger;
use crate::site::{Headers, Object, ObjectKind, folder_and_name, is_hashed_name};

/// Instead of headers: they aren't known.
const UNKNOWN: &str = "";

/// As the ledger has it: what is usual by class, and by what differs from it the keys.
pub(super) type Usual = BTreeMap<String, String>;
pub(super) type Others = BTreeMap<String, Vec<String>>;

/// What a ledger says.
#[derive(Debug)]
pub(super) struct Sent<'a> {
    usual: &'a Usual,
    /// By key, in order.
    others: Vec<(&'a str, &'a str)>,
}

impl<'a> Sent<'a> {
    pub(super) fn of(ledger: &'a Ledger) -> Self {
        let others = ledger.other_headers.iter();
        let mut others: Vec<(&str, &str)> = others
            .flat_map(|(text, keys)| keys.iter().map(|key| (key.as_str(), text.as_str())))
            .collect();
        others.sort_unstable();
        Self {
            usual: &ledger.headers,
            others,
        }
    }

    /// The headers of the object with this key, of this class; none if they aren't known.
    pub(super) fn with(&self, key: &str, class: &str) -> Option<&'a str> {
        let text = match self.others.binary_search_by(|(one, _)| (*one).cmp(key)) {
            Ok(at) => self.others[at].1,
            Err(_) => self.usual.get(class)?,
        };
        (text != UNKNOWN).then_some(text)
    }
}

/// What is to be said of objects, gathered one by one.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// How many of a class have which headers.
    counts: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Gathered {
    /// An object, by its class and headers, if those are known.
    pub(super) fn count(&mut self, class: &str, text: Option<&str>) {
        let Some(text) = text else {
            return;
        };
        // Most are as those before them.
        if let Some(count) = self.counts.get_mut(class).and_then(|texts| texts.get_mut(text)) {
            *count += 1;
            return;
        }
        let texts = self.counts.entry(class.to_owned()).or_default();
        *texts.entry(text.to_owned()).or_default() += 1;
    }

    /// What is usual for each class: what most have, and of several what was usual `before`.
    pub(super) fn usual(self, before: &Usual) -> Usual {
        let most = |(class, texts): (String, BTreeMap<String, usize>)| {
            let was = before.get(&class);
            let rank = |(text, count): &(String, usize)| (*count, was == Some(text));
            let (text, _) = texts.into_iter().max_by_key(rank)?;
            Some((class, text))
        };
        self.counts.into_iter().filter_map(most).collect()
    }
}

/// Notes an object whose headers, none if they aren't known, aren't those that are usual for its class.
pub(super) fn note_other(others: &mut Others, usual: &Usual, key: &str, class: &str, text: Option<&str>) {
    let is_usual = match (usual.get(class), text) {
        (Some(usual), Some(text)) => usual == text,
        (None, None) => true,
        _ => false,
    };
    if !is_usual {
        let text = text.unwrap_or(UNKNOWN);
        match others.get_mut(text) {
            Some(keys) => keys.push(key.to_owned()),
            None => drop(others.insert(text.to_owned(), vec![key.to_owned()])),
        }
    }
}

/// Objects of a class are mostly sent with the same headers: those with the same extension, but for names of the deployer's
/// own making and what tells pages what is deployed, which are cached otherwise.
pub(super) fn class(key: &str, is_own_name: bool, config: &str) -> String {
    if key == config {
        return config.to_owned();
    }
    let (_, name) = folder_and_name(key);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let mark = if is_own_name { "#." } else { "." };
    format!("{mark}{}", extension.to_ascii_lowercase())
}

/// Whether an object of the site has a name that the deployer made of its content.
pub(super) fn has_own_name(object: &Object) -> bool {
    object.kind == ObjectKind::Asset && is_hashed_name(&object.key, &object.sum.to_string())
}

/// Headers as a text that no others have.
pub(super) fn text_of(headers: &Headers) -> String {
    let mut text = format!("{}; {}", headers.content_type, headers.cache_control);
    for (name, value) in [
        ("content-encoding", &headers.content_encoding),
        ("content-disposition", &headers.content_disposition),
        ("content-language", &headers.content_language),
        ("location", &headers.redirect),
    ] {
        if let Some(value) = value {
            // Writing to a text doesn't fail.
            let _ = write!(text, "\n{name}: {value}");
        }
    }
    text
}

/// Whether browsers keep what was sent with these headers, and never ask again: its name changes with its content.
pub(super) fn is_immutable(text: &str) -> bool {
    let caching = text.split('\n').next().unwrap_or_default();
    caching.rsplit([';', ',']).any(|one| one.trim() == "immutable")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::{IMMUTABLE, NO_CACHE};

    #[test]
    fn what_differs_from_the_usual_is_known_by_key() {
        let objects = [
            ("a.html", Some("one")),
            ("b.html", Some("one")),
            ("c.html", Some("two")),
            ("d.html", None),
            ("e.txt", None),
        ];
        let mut gathered = Gathered::default();
        for (key, text) in objects {
            gathered.count(&class(key, false, ""), text);
        }
        let usual = gathered.usual(&Usual::new());
        let mut others = Others::new();
        for (key, text) in objects {
            note_other(&mut others, &usual, key, &class(key, false, ""), text);
        }
        let ledger = Ledger {
            headers: usual,
            other_headers: others,
            ..Ledger::default()
        };
        let json = serde_json::to_value(&ledger).expect("JSON");
        assert_eq!(json["headers"], serde_json::json!({ ".html": "one" }));
        assert_eq!(
            json["otherHeaders"],
            serde_json::json!({ "": ["d.html"], "two": ["c.html"] })
        );
        let sent = Sent::of(&ledger);
        for (key, text) in objects {
            assert_eq!(sent.with(key, &class(key, false, "")), text, "{key}");
        }
        assert_eq!(sent.with("new.html", ".html"), Some("one"));
    }

    #[test]
    fn of_as_many_the_usual_stays_so() {
        for was in ["one", "two"] {
            let mut gathered = Gathered::default();
            gathered.count(".html", Some("one"));
            gathered.count(".html", Some("two"));
            let before = Usual::from([(".html".to_owned(), was.to_owned())]);
            assert_eq!(gathered.usual(&before), before);
        }
    }

    #[test]
    fn headers_are_told_apart() {
        let plain = Headers::new("text/html", NO_CACHE);
        // As ledgers have had it from the first.
        assert_eq!(text_of(&plain), "text/html; no-cache");
        let encoded = Headers {
            content_encoding: Some("br".to_owned()),
            ..plain.clone()
        };
        let spoken = Headers {
            content_language: Some("br".to_owned()),
            ..plain.clone()
        };
        let leads = Headers {
            redirect: Some("br".to_owned()),
            ..plain.clone()
        };
        let mut texts = [&plain, &encoded, &spoken, &leads].map(text_of).to_vec();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 4, "{texts:?}");
        assert!(is_immutable(&text_of(&Headers::new(
            "text/css; charset=utf-8",
            IMMUTABLE
        ))));
        assert!(!is_immutable(&text_of(&plain)));
        let named = Headers {
            content_disposition: Some("attachment; filename=\"immutable\"".to_owned()),
            ..plain
        };
        assert!(!is_immutable(&text_of(&named)));
    }
}
