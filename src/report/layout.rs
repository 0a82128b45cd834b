//! How a text is set for where it is shown: broken between words on a narrow terminal, in signs that its encoding has.

use std::borrow::Cow;
use std::ffi::OsString;

/// How far a line that goes on is set in, beyond the one that it belongs to.
const HANGING: usize = 4;

/// Narrower than this nothing is gained by breaking lines.
const NARROWEST: usize = 20;

/// Our own signs, and what stands for them where there is only ASCII.
const SIGNS: &[(char, &str)] = &[
    ('✓', "v"),
    ('✗', "x"),
    ('·', "."),
    ('…', "..."),
    ('−', "-"),
    ('±', "-/+"),
    ('→', "->"),
    ('←', "<-"),
    ('–', "-"),
    ('×', "x"),
    ('│', "|"),
    ('├', "|"),
    ('└', "`"),
    ('─', "-"),
];

/// How lines are set.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Layout {
    /// How many characters a line has room for; none where nobody knows.
    pub(super) columns: Option<usize>,
    /// Whether there are no other signs than those of ASCII.
    pub(super) ascii: bool,
}

impl Layout {
    /// The text as it is shown, each of its lines by itself. What colours it takes no room.
    pub(super) fn set(self, text: &str) -> String {
        let text = if self.ascii { signs(text) } else { text.to_owned() };
        match self.columns.filter(|columns| *columns >= NARROWEST) {
            Some(columns) => {
                let lines: Vec<String> = text.split('\n').map(|line| broken(line, columns)).collect();
                lines.join("\n")
            }
            None => text,
        }
    }
}

/// The text with our signs in ASCII. What users and AWS call things stays as it is.
fn signs(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match SIGNS.iter().find(|(sign, _)| *sign == c) {
            Some((_, ascii)) => plain.push_str(ascii),
            None => plain.push(c),
        }
    }
    plain
}

/// How many columns a text takes: what colours it takes none.
fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

/// The line in as many as it needs, each after the first set in. It is broken at blanks alone, and a command between
/// backticks stays whole, so that it can be copied.
fn broken(line: &str, columns: usize) -> String {
    if width(line) <= columns {
        return line.to_owned();
    }
    let indent = line.chars().take_while(|c| *c == ' ').count() + HANGING;
    let mut set = String::with_capacity(line.len());
    let mut used = 0;
    for piece in pieces(line) {
        let word = piece.trim_end_matches(' ');
        let is_first = used == 0;
        if !is_first && used + width(word) > columns && indent + width(word) <= columns.max(indent + 1) {
            set.truncate(set.trim_end_matches(' ').len());
            set.push('\n');
            set.push_str(&" ".repeat(indent));
            used = indent;
        }
        set.push_str(piece);
        used += width(piece);
    }
    set.truncate(set.trim_end_matches(' ').len());
    set
}

/// The line's words, each with the blanks behind it, the first with those before it as well.
fn pieces(line: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut quoted, mut blank, mut begun) = (0, false, false, false);
    // A backtick that nothing closes quotes nothing.
    let mut left = line.matches('`').count();
    for (at, c) in line.char_indices() {
        if c != ' ' && blank && begun {
            pieces.push(&line[start..at]);
            start = at;
        }
        if c == '`' {
            left -= 1;
            quoted = !quoted && left > 0;
        }
        blank = c == ' ' && !quoted;
        begun |= c != ' ';
    }
    pieces.push(&line[start..]);
    pieces
}

/// Whether the environment says that texts are in another encoding than UTF-8. Where it says nothing, as in most containers,
/// nothing is known of who reads it.
pub(super) fn is_ascii(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let said = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable);
    let said = said.map(|value| value.to_string_lossy().to_lowercase());
    let locale: Option<Cow<'_, str>> = said.filter(|value| !value.is_empty()).map(Cow::from).next();
    locale.is_some_and(|locale| !locale.contains("utf-8") && !locale.contains("utf8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(columns: usize, text: &str) -> String {
        let layout = Layout {
            columns: Some(columns),
            ascii: false,
        };
        layout.set(text)
    }

    #[test]
    fn lines_are_broken_between_words_and_set_in() {
        let text = "  ✓ table-protection data.Table is as it is to be\nshort";
        assert_eq!(
            set(30, text),
            "  ✓ table-protection\n      data.Table is as it is\n      to be\nshort"
        );
        assert_eq!(set(200, text), text);
        // What has no blank is left to the terminal.
        let address = "see http://a-very-long-name.example.com/with/a/path and more";
        assert_eq!(
            set(30, address),
            "see http://a-very-long-name.example.com/with/a/path\n    and more"
        );
        assert_eq!(set(5, text), text, "no room for anything");
    }

    #[test]
    fn a_command_stays_whole() {
        let text = "next: Run `deployer up --only site` and see what comes of it.";
        assert_eq!(
            set(32, text),
            "next: Run\n    `deployer up --only site`\n    and see what comes of it."
        );
        assert_eq!(
            set(24, "it isn`t closed and so it is no command"),
            "it isn`t closed and so\n    it is no command"
        );
    }

    #[test]
    fn colours_take_no_room() {
        let text = "\u{1b}[31mone two\u{1b}[0m three four five";
        assert_eq!(set(20, text), "\u{1b}[31mone two\u{1b}[0m three four\n    five");
    }

    #[test]
    fn signs_are_those_that_the_locale_has() {
        let layout = Layout {
            columns: None,
            ascii: true,
        };
        assert_eq!(layout.set("✓ a … − ± 漢"), "v a ... - -/+ 漢");
        let ascii = |all: &str, ctype: &str, lang: &str| {
            is_ascii(|name| {
                let value = match name {
                    "LC_ALL" => all,
                    "LC_CTYPE" => ctype,
                    _ => lang,
                };
                Some(value.into())
            })
        };
        assert!(ascii("C", "", "en_US.UTF-8"));
        assert!(ascii("", "", "POSIX"));
        assert!(ascii("", "de_DE.ISO-8859-1", "de_DE.UTF-8"));
        assert!(!ascii("", "", "de_DE.UTF-8"));
        assert!(!ascii("C.utf8", "C", "C"));
        assert!(!ascii("", "", ""));
        assert!(!is_ascii(|_| None));
    }
}
