//! What a style sheet needs of the policy: what it loads, and from where.

use super::needs::{Need, Needs, host_of, is_of_scheme, line_of};
use crate::site::settings::Directive;

/// What the style sheet needs. What stands in comments counts for nothing.
pub(crate) fn needs_of_style(text: &str) -> Needs {
    let mut needs = Needs::default();
    // Letters alone change, so that places stay.
    let lower = text.to_ascii_lowercase();
    let bytes = lower.as_bytes();
    let (mut at, mut in_font, mut in_import) = (0, false, false);
    while let Some(byte) = bytes.get(at) {
        let rest = &bytes[at..];
        match byte {
            b'/' if rest.starts_with(b"/*") => {
                at += 2 + find(&rest[2..], b"*/").map_or(rest.len(), |end| end + 2);
                continue;
            }
            b'@' if rest.starts_with(b"@font-face") => in_font = true,
            b'@' if rest.starts_with(b"@import") => in_import = true,
            b'}' => in_font = false,
            b';' => in_import = false,
            b'"' | b'\'' => {
                let end = string_end(rest, *byte);
                if in_import && let Some(reference) = text.get(at + 1..at + end) {
                    load(&mut needs, Directive::Style, reference, || line_of(text, at));
                    in_import = false;
                }
                at += end + 1;
                continue;
            }
            b'u' if rest.starts_with(b"url(") => {
                let start = at + 4;
                let (from, to) = url(bytes, start);
                let directive = match (in_import, in_font) {
                    (true, _) => Directive::Style,
                    (_, true) => Directive::Font,
                    _ => Directive::Img,
                };
                if let Some(reference) = text.get(from..to) {
                    load(&mut needs, directive, reference, || line_of(text, at));
                }
                in_import = false;
                // Behind the quote, if there is one, which would begin another string.
                at = start.max(to + usize::from(from > start && matches!(bytes.get(from - 1), Some(b'"' | b'\''))));
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    needs
}

fn load(needs: &mut Needs, directive: Directive, reference: &str, line: impl FnOnce() -> usize) {
    if is_of_scheme(reference, "data:") {
        match directive {
            Directive::Font => needs.add(Need::DataFonts, line),
            Directive::Img => needs.add(Need::DataImages, line),
            _ => {}
        }
    } else if let Some(host) = host_of(reference) {
        needs.add_host(directive, host, line);
    }
}

/// Where what stands between the brackets of `url(…)` is, without quotes.
fn url(bytes: &[u8], start: usize) -> (usize, usize) {
    let blank = bytes[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count();
    let from = start + blank;
    match bytes.get(from) {
        Some(quote @ (b'"' | b'\'')) => (from + 1, from + string_end(&bytes[from..], *quote)),
        _ => (from, from + find(&bytes[from..], b")").unwrap_or(bytes.len() - from)),
    }
}

/// Where a string ends that begins with this quote: at the quote, or the text's end.
fn string_end(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            byte if *byte == quote => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(css: &str) -> (Vec<Need>, Vec<String>) {
        let needs = needs_of_style(css);
        let hosts = needs.hosts.iter();
        let hosts = hosts.map(|host| format!("{} {} {}", host.directive.setting(), host.origin, host.line));
        (needs.needs.into_keys().collect(), hosts.collect())
    }

    #[test]
    fn what_a_sheet_loads_is_told_by_what_for() {
        assert_eq!(needed("body{background:url(a.png)}"), (vec![], vec![]));
        assert_eq!(
            needed("a{background:URL( 'data:image/gif;base64,R0lG' )}").0,
            [Need::DataImages]
        );
        assert_eq!(
            needed("@font-face{src:url(data:font/woff2;base64,AA==)}\n.a{b:url(data:,)}").0,
            [Need::DataImages, Need::DataFonts]
        );
        let css = "@import \"https://a.example/x.css\";\n@import url(//b.example/y.css) print;\n\
                   @font-face{src:url('https://C.example:8443/f.woff2')}\n.a{background:url(https://d.example/p.png)}";
        assert_eq!(
            needed(css).1,
            [
                "style https://a.example 1",
                "style https://b.example 2",
                "font https://c.example:8443 3",
                "img https://d.example 4"
            ]
        );
    }

    #[test]
    fn comments_and_other_strings_count_for_nothing() {
        for css in [
            "/* url(data:image/png) @import 'https://a.example/' */",
            ".a::after{content:\"url(https://a.example/x.png)\"}",
            "/* never ends url(data:,)",
            ".a{content:'\\'url(data:,)'}",
            "url(",
            "@import",
            "ü{content:'ä",
        ] {
            assert_eq!(needed(css), (vec![], vec![]), "{css}");
        }
    }
}
