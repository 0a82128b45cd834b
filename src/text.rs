//! Showing what others wrote: programs, files, services, visitors.

use std::borrow::Cow;

/// The character, or a sign for one that would act on a terminal, turn the text around or hide in it.
pub(crate) fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => '\u{fffd}',
        '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}' => '\u{fffd}',
        other => other,
    }
}

/// `text` with its characters [`visible`]; its lines stay lines.
pub(crate) fn all_visible(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { visible(c) }).collect()
}

/// `text` as one word of a shell's command line, whatever is in it.
pub(crate) fn quoted_for_shell(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

/// The last `count` lines that say something, in a readable width.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    const WIDEST: usize = 300;
    let mut lines: Vec<String> = text
        .lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(count)
        .map(|line| line.trim_end().chars().take(WIDEST).collect())
        .collect();
    lines.reverse();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_a_terminal() {
        let wild = "a\u{1b}]0;t\u{7}\r\n\u{9b}2J\u{202e}b\u{2066}\u{200b}\u{e0041}\u{feff}\u{7f}";
        assert_eq!(
            all_visible(wild),
            "a␛]0;t␇␍\n\u{fffd}2J\u{fffd}b\u{fffd}\u{fffd}\u{fffd}\u{fffd}␡"
        );
        assert_eq!(all_visible("üß漢 ±✓→"), "üß漢 ±✓→");
    }

    #[test]
    fn a_shell_reads_a_word_as_it_was() {
        let words = [
            "",
            "plain-1.2/x",
            "two words",
            "it's",
            "$(id)`id`",
            "~",
            "a\nb",
            "\"",
            "ü",
            "*",
            "x'; id; '",
        ];
        for word in words {
            let script = format!("printf %s {}", quoted_for_shell(word));
            let shell = std::process::Command::new("sh")
                .args(["-c", &script])
                .output()
                .expect("a shell");
            assert_eq!(String::from_utf8_lossy(&shell.stdout), word, "{script}");
        }
        assert_eq!(quoted_for_shell("plain-1.2/x"), "plain-1.2/x");
    }

    #[test]
    fn the_tail_leaves_out_what_says_nothing() {
        assert_eq!(last_lines("one\n\ntwo  \nthree\n\n", 2), "two\nthree");
        assert_eq!(last_lines("", 2), "");
        assert_eq!(last_lines(&"x".repeat(1000), 2).len(), 300);
    }
}
