//! What may differ between two servers of the same site, taken out: where it is, the hash in a second name, and the
//! integrity of a file whose references have second names.

/// How long a second name's hash is.
const HASH: usize = 16;

/// `text` as it would be at no place in particular: `origin` is where it was.
pub fn masked(text: &str, origin: &str) -> String {
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    let escaped = origin.replace('/', r"\/");
    let encoded = origin.replace(':', "%3A").replace('/', "%2F");
    let text = text
        .replace(origin, "<origin>")
        .replace(&escaped, "<origin>")
        .replace(&encoded, "<origin>")
        .replace(host, "<host>");
    without_integrity(&without_hashes(&text))
}

/// `name.0123456789abcdef.css` as `name.css`, wherever it stands.
fn without_hashes(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = String::with_capacity(text.len());
    let (mut kept, mut at) = (0, 0);
    while let Some(found) = text[at..].find('.') {
        let dot = at + found;
        let hash = bytes.get(dot + 1..dot + 1 + HASH);
        let is_hash = hash.is_some_and(|hash| hash.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        if is_hash && bytes.get(dot + 1 + HASH) == Some(&b'.') {
            plain.push_str(&text[kept..dot]);
            kept = dot + 1 + HASH;
            at = kept;
        } else {
            at = dot + 1;
        }
    }
    plain.push_str(&text[kept..]);
    plain
}

/// Without the value of each `sha384-…` and its kind.
fn without_integrity(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find("sha") {
        let end = found + "sha".len();
        plain.push_str(&rest[..end]);
        rest = &rest[end..];
        let value = ["256-", "384-", "512-"]
            .into_iter()
            .find_map(|kind| Some((kind, rest.strip_prefix(kind)?)));
        let Some((kind, value)) = value else { continue };
        let length = value
            .find(|letter: char| !letter.is_ascii_alphanumeric() && !"+/=".contains(letter))
            .unwrap_or(value.len());
        if length >= 43 {
            plain.push_str(kind);
            rest = &value[length..];
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_name_is_the_first_one() {
        let seen = r#"<link href="/a/site.0123456789abcdef.css"> url(x.0123456789abcdef.woff2)"#;
        let plain = r#"<link href="/a/site.css"> url(x.woff2)"#;
        assert_eq!(masked(seen, "http://a.localhost:1"), plain);
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for text in [
            "a.0123456789abcde.css",
            "a.0123456789abcdef",
            "a.0123456789ABCDEF.css",
            "ü.…",
        ] {
            assert_eq!(masked(text, "http://a.localhost:1"), text);
        }
    }

    #[test]
    fn places_are_left_out() {
        let text = r#"http://a.localhost:1/x "http:\/\/a.localhost:1" http%3A%2F%2Fa.localhost%3A1 a.localhost:1"#;
        assert_eq!(
            masked(text, "http://a.localhost:1"),
            "<origin>/x \"<origin>\" <origin> <host>"
        );
    }

    #[test]
    fn integrity_is_not_compared() {
        let hash = "A".repeat(44);
        let text = format!("integrity=\"sha256-{hash}\" class=\"sha256-x\"");
        assert_eq!(masked(&text, "http://a:1"), "integrity=\"sha256-\" class=\"sha256-x\"");
    }
}
