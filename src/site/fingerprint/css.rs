//! References in CSS, found by a real tokenizer (CSS Syntax, as Firefox has it), and changed by their places alone.

use std::ops::Range;

use cssparser::{Parser, ParserInput, SourcePosition, Token, serialize_string};

use super::edit::Edit;

/// Where CSS is written, which decides what it may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A style sheet: it may import others.
    Sheet,
    /// A `style` attribute.
    Attribute,
}

/// Blocks may be in blocks, and each level takes stack; nobody writes so many. What is deeper keeps its references.
const DEEPEST: usize = 100;

/// The changes that make a style sheet's references what `rename` says, which is told where in the text each is; none keeps
/// one as it is.
///
/// References are `url(…)`, quoted and not, what `@import` names, and the strings of `image-set(…)`. Nothing else is
/// touched: other strings are text, and what `@namespace` names is an identifier.
pub(super) fn edits(
    css: &str,
    place: Place,
    rename: &mut dyn FnMut(&str, Range<usize>) -> Option<String>,
) -> Vec<Edit> {
    let mut input = ParserInput::new(css);
    let mut parser = Parser::new(&mut input);
    let start = parser.position();
    let mut finder = Finder {
        rename,
        start,
        edits: Vec::new(),
    };
    finder.block(&mut parser, Within::Top(place), 0);
    finder.edits
}

/// What the tokens are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Top(Place),
    /// `url(`.
    Url,
    /// `image-set(`.
    ImageSet,
    Other,
}

/// What an at-rule's name makes of the strings and URLs after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// `@import`: the first is a reference.
    Import,
    /// `@namespace`, `@document`: up to the semicolon or block they are names.
    Naming,
    Other,
}

struct Finder<'a> {
    rename: &'a mut dyn FnMut(&str, Range<usize>) -> Option<String>,
    start: SourcePosition,
    edits: Vec<Edit>,
}

impl Finder<'_> {
    fn block(&mut self, parser: &mut Parser<'_, '_>, within: Within, depth: usize) {
        let mut rule = Rule::Other;
        loop {
            let position = parser.position();
            // An error is the block's end: bad tokens are tokens here.
            let Ok(token) = parser.next_including_whitespace_and_comments().cloned() else {
                return;
            };
            let written = parser.slice_from(position);
            let inside = match &token {
                Token::WhiteSpace(_) | Token::Comment(_) => continue,
                Token::AtKeyword(name) => {
                    rule = at_rule(name, within);
                    continue;
                }
                Token::UnquotedUrl(value) => {
                    if rule != Rule::Naming {
                        self.unquoted(position, written, value);
                    }
                    None
                }
                Token::QuotedString(value) => {
                    if rule == Rule::Import || matches!(within, Within::Url | Within::ImageSet) {
                        self.quoted(position, written, value);
                    }
                    None
                }
                Token::Function(_) if rule == Rule::Naming => Some(Within::Other),
                Token::Function(name) => Some(function(name)),
                Token::CurlyBracketBlock | Token::ParenthesisBlock | Token::SquareBracketBlock => Some(Within::Other),
                _ => None,
            };
            if rule == Rule::Import || matches!(token, Token::Semicolon | Token::CurlyBracketBlock) {
                rule = Rule::Other;
            }
            if let Some(inside) = inside {
                let nested = parser.parse_nested_block(|parser| {
                    if depth < DEEPEST {
                        self.block(parser, inside, depth + 1);
                    }
                    Ok::<(), cssparser::ParseError<'_, ()>>(())
                });
                // An error if something of the block is left, which then is for nobody.
                let _ = nested;
            }
        }
    }

    /// `token` is `url( x )`, `value` is `x` with its escapes resolved.
    fn unquoted(&mut self, position: SourcePosition, token: &str, value: &str) {
        let start = position.byte_index() - self.start.byte_index();
        let Some(new) = (self.rename)(value, start..start + token.len()) else {
            return;
        };
        let inner = token.find('(').map_or(token.len(), |open| open + 1);
        let inner = inner + (token[inner..].len() - token[inner..].trim_start().len());
        let written = token[inner..].trim_end_matches(')').trim_end();
        self.edits.push(if written == value {
            Edit::between(start + inner, value, &new)
        } else {
            Edit {
                range: start..start + token.len(),
                text: format!("url({})", quoted(&new)),
            }
        });
    }

    /// `token` is `"x"` or `'x'`, `value` is `x` with its escapes resolved.
    fn quoted(&mut self, position: SourcePosition, token: &str, value: &str) {
        let start = position.byte_index() - self.start.byte_index();
        let Some(new) = (self.rename)(value, start..start + token.len()) else {
            return;
        };
        self.edits.push(if token.get(1..=value.len()) == Some(value) {
            Edit::between(start + 1, value, &new)
        } else {
            Edit {
                range: start..start + token.len(),
                text: quoted(&new),
            }
        });
    }
}

fn at_rule(name: &str, within: Within) -> Rule {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "import" if within == Within::Top(Place::Sheet) => Rule::Import,
        "namespace" | "document" | "-moz-document" => Rule::Naming,
        _ => Rule::Other,
    }
}

fn function(name: &str) -> Within {
    match name.to_ascii_lowercase().as_str() {
        "url" => Within::Url,
        "image-set" | "-webkit-image-set" => Within::ImageSet,
        _ => Within::Other,
    }
}

fn quoted(value: &str) -> String {
    let mut text = String::new();
    // Writing to a string can't fail.
    let _ = serialize_string(value, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::edit::apply;
    use super::*;
    use crate::site::tests::config;

    /// Renames `x…` to `N…`; other references stay.
    fn rewritten(css: &str, place: Place) -> String {
        let mut rename = |reference: &str, _| reference.strip_prefix('x').map(|rest| format!("N{rest}"));
        apply(css, &edits(css, place, &mut rename))
    }

    #[test]
    fn references_change_and_nothing_else_does() {
        for (css, expected) in [
            ("a{b:url(x.png)}", "a{b:url(N.png)}"),
            ("a{b:url( \n x.png\t)}", "a{b:url( \n N.png\t)}"),
            ("a{b:URL(x.png)}", "a{b:URL(N.png)}"),
            ("a{b:u\\72l(x.png)}", "a{b:u\\72l(N.png)}"),
            ("a{b:url(\"x.png\")}", "a{b:url(\"N.png\")}"),
            ("a{b:url( 'x.png' )}", "a{b:url( 'N.png' )}"),
            ("a{b:url('x y.png')}", "a{b:url('N y.png')}"),
            ("a{b:url(x\\ y.png)}", "a{b:url(\"N y.png\")}"),
            ("a{b:url('\\78 y.png')}", "a{b:url(\"Ny.png\")}"),
            ("a{b:url(\"x\\\"y\")}", "a{b:url(\"N\\\"y\")}"),
            ("a{b:url(x.png#i?j)}", "a{b:url(N.png#i?j)}"),
            ("a{b:url(x.png", "a{b:url(N.png"),
            ("a{b:url('x.png", "a{b:url('N.png"),
            ("a{b:url(x", "a{b:url(N"),
            ("@import 'x.css';", "@import 'N.css';"),
            (
                "@IMPORT/**/\"x.css\" layer(l) supports(a:b) screen;",
                "@IMPORT/**/\"N.css\" layer(l) supports(a:b) screen;",
            ),
            (
                "@import url(x.css);@import url('x.css');",
                "@import url(N.css);@import url('N.css');",
            ),
            ("@import 'x.css' 'x.css';", "@import 'N.css' 'x.css';"),
            ("@media print{a{b:url(x)}}", "@media print{a{b:url(N)}}"),
            ("a{b{c:url(x)}}", "a{b{c:url(N)}}"),
            ("@supports (b:url(x)){a{b:url(x)}}", "@supports (b:url(N)){a{b:url(N)}}"),
            (
                "a{b:image-set('x.png' 1x,url(x.png) 2x,'x.avif' type('x'))}",
                "a{b:image-set('N.png' 1x,url(N.png) 2x,'N.avif' type('x'))}",
            ),
            (
                "a{b:-webkit-image-set(url('x') 1x)}",
                "a{b:-webkit-image-set(url('N') 1x)}",
            ),
            (
                "@font-face{src:local('x'),url(x.woff2) format('x')}",
                "@font-face{src:local('x'),url(N.woff2) format('x')}",
            ),
            (
                "a{--b:url(x);c:cross-fade(url(x),d(url(x)))}",
                "a{--b:url(N);c:cross-fade(url(N),d(url(N)))}",
            ),
            ("\u{feff}@import 'x';a{b:url(x)}", "\u{feff}@import 'N';a{b:url(N)}"),
            (
                "@charset \"x\";@namespace url(x);@namespace s url('x');@namespace 'x';a{b:url(x)}",
                "@charset \"x\";@namespace url(x);@namespace s url('x');@namespace 'x';a{b:url(N)}",
            ),
            (
                "@-moz-document url(x),url-prefix('x'){a{b:url(x)}}",
                "@-moz-document url(x),url-prefix('x'){a{b:url(N)}}",
            ),
        ] {
            assert_eq!(rewritten(css, Place::Sheet), expected);
        }
        for css in [
            "a{content:'x.png'}",
            "a::before{content:'url(x.png)'}",
            "a[href='x']{b:attr(x)}",
            "/* url(x) @import 'x' */",
            "a{b:url(/*x*/)}",
            "a{@import 'x';}",
            "@media print{@import 'x';}",
            "a{b:format('x')}",
            "a{b:url(y.png)}",
            "a{b:url(x y)}",
            "a{b:urls(x)}",
            "@x 'x';",
            "",
        ] {
            assert_eq!(rewritten(css, Place::Sheet), css);
        }
        assert_eq!(rewritten("b:url(x);c:'x'", Place::Attribute), "b:url(N);c:'x'");
        assert_eq!(rewritten("@import 'x'", Place::Attribute), "@import 'x'");
    }

    #[test]
    fn blocks_in_blocks_are_no_trouble() {
        for depth in [50, 50_000] {
            let css = format!("{}url(x){}a{{b:url(x)}}", "(".repeat(depth), ")".repeat(depth));
            let inner = if depth == 50 { "url(N)" } else { "url(x)" };
            let expected = format!("{}{inner}{}a{{b:url(N)}}", "(".repeat(depth), ")".repeat(depth));
            assert_eq!(rewritten(&css, Place::Sheet), expected);
        }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn all_but_references_stays_whatever_the_text(
            tokens in prop::collection::vec(
                "(url\\(|x[a-c]|'|\"|\\)|\\{|\\}|\\(|@import |@namespace |image-set\\(|/\\*|\\*/|;|:|\\\\|\n| |ü|a)", 0..40),
        ) {
            let css = tokens.concat();
            let mut seen = Vec::new();
            let mut rename = |reference: &str, _| {
                seen.push(reference.to_owned());
                Some(reference.to_owned())
            };
            let edits = edits(&css, Place::Sheet, &mut rename);
            for pair in edits.windows(2) {
                prop_assert!(pair[0].range.end <= pair[1].range.start, "in order, and apart");
            }
            // The same names again: only how they are written may change, and that only once.
            let again = apply(&css, &edits);
            let mut seen_again = Vec::new();
            let same = super::edits(&again, Place::Sheet, &mut |reference, _| {
                seen_again.push(reference.to_owned());
                Some(reference.to_owned())
            });
            prop_assert_eq!(&seen_again, &seen);
            prop_assert_eq!(apply(&again, &same), again);
        }
    }
}
