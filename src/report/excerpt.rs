//! A few lines of a user's file, with carets under what is meant.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::error::Excerpt;
use crate::text::visible;

/// As wide as a line of this project's own files; for what is no terminal, or a very wide one. In columns.
const WIDEST: usize = 120;

/// Room for the excerpt alone, were the terminal ever so narrow. In columns.
const NARROWEST: usize = 30;

/// What the gutter takes beside a line's number, and an ellipsis at either end of a line. In columns.
const FRAME: usize = 10;

/// Labels are a few words; a longer one is cut. In characters.
const LONGEST_LABEL: usize = 60;

/// How wide excerpts may be: the terminal that stderr is on, if it is one.
pub(super) fn width() -> usize {
    let terminal = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    let columns = terminal
        .map(|size| usize::from(size.ws_col))
        .filter(|&columns| columns > 0);
    columns.unwrap_or(WIDEST).min(WIDEST)
}

/// The annotated line, the one before and the one after, at most `width` columns wide, without a line end behind them.
/// `origin` says whether file, line and column are to stand above.
pub(super) fn render(excerpt: &Excerpt, origin: bool, width: usize, color: bool) -> String {
    let (line, _) = excerpt.position();
    let lines: Vec<&str> = excerpt
        .text
        .split('\n')
        .map(|line| line.trim_end_matches('\r'))
        .collect();
    let first = line.saturating_sub(2);
    let last = lines.len().min(line + 1);
    let start_of_line: usize = excerpt.text.split('\n').take(line - 1).map(|line| line.len() + 1).sum();
    let room = width.max(NARROWEST) - FRAME.min(width) - last.to_string().len();

    let span = within(lines[line - 1], start_of_line, &excerpt.span);
    let view = View::on(lines[line - 1], &span, room);
    let mut shown = String::new();
    let mut shown_from = line;
    let mut marked = 0..0;
    for (number, text) in (first + 1..).zip(&lines[first..last]) {
        let start = shown.len();
        if number == line {
            let before = view.cut(text, 0..span.start);
            let meant = view.cut(text, span.clone());
            marked = start + before.len()..start + before.len() + meant.len();
            shown.push_str(&before);
            shown.push_str(&meant);
            shown.push_str(&view.cut(text, span.end..text.len()));
        } else {
            let around = view.cut(text, 0..text.len());
            // Empty ones tell nothing.
            if around.trim().is_empty() {
                continue;
            }
            shown.push_str(&around);
            shown_from = shown_from.min(number);
        }
        shown.push('\n');
    }
    shown.truncate(shown.trim_end_matches('\n').len().max(marked.end));
    let label: String = excerpt.label.chars().map(visible).take(LONGEST_LABEL).collect();
    let annotation = AnnotationKind::Primary
        .span(marked)
        .label((!label.is_empty()).then_some(label));
    let snippet = Snippet::source(shown)
        .line_start(shown_from)
        .fold(false)
        .annotation(annotation);
    let group = Group::with_level(Level::ERROR).element(snippet);
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let lines = renderer.hyperlink(false).term_width(width).render(&[group]);
    if !origin {
        return lines;
    }
    // The renderer would count columns in what was cut.
    let place: String = excerpt.place().chars().map(visible).collect();
    format!("{:1$}--> {place}\n{lines}", "", last.to_string().len())
}

/// The part of a span that is on its first line, in bytes of that line.
fn within(line: &str, start_of_line: usize, span: &Range<usize>) -> Range<usize> {
    let start = span.start.saturating_sub(start_of_line).min(line.len());
    let end = span.end.saturating_sub(start_of_line).clamp(start, line.len());
    if line.is_char_boundary(start) && line.is_char_boundary(end) {
        start..end
    } else {
        0..line.len()
    }
}

/// Which columns of the lines are shown, so that what is meant is among them. In characters.
struct View {
    columns: Range<usize>,
}

impl View {
    fn on(line: &str, span: &Range<usize>, room: usize) -> Self {
        let start = line[..span.start].chars().count();
        let end = start + line[span.clone()].chars().count();
        let from = if end <= room {
            0
        } else {
            // A third is for what stands before it.
            start.saturating_sub(room / 3)
        };
        Self {
            columns: from..from + room,
        }
    }

    /// What is shown of a part of a line; what is left out is an ellipsis, and nothing in it moves the cursor.
    fn cut(&self, line: &str, part: Range<usize>) -> String {
        let first = line[..part.start].chars().count();
        let count = line.chars().count();
        line[part]
            .chars()
            .enumerate()
            .filter_map(|(index, c)| {
                let column = first + index;
                let cut_before = column == self.columns.start && column > 0;
                let cut_after = column + 1 == self.columns.end && self.columns.end < count;
                match self.columns.contains(&column) {
                    true if cut_before || cut_after => Some('…'),
                    true => Some(visible(c)),
                    false => None,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, word: &str, label: &str) -> Excerpt {
        let start = text.find(word).expect("there");
        Excerpt {
            file: "stacks/stages.yaml".to_owned(),
            text: text.into(),
            span: start..start + word.len(),
            label: label.to_owned(),
        }
    }

    fn plain(text: &str, word: &str, label: &str) -> String {
        render(&excerpt(text, word, label), false, 80, false)
    }

    #[test]
    fn the_line_and_its_neighbours_are_shown() {
        let text = "project: shop\nstages:\n  prod:\n    protcted: true\n    region: x\n  dev:\n";
        let expected = "  |
3 |   prod:
4 |     protcted: true
  |     ^^^^^^^^ unknown
5 |     region: x
  |";
        assert_eq!(plain(text, "protcted", "unknown"), expected);
        let with_origin = render(&excerpt(text, "project", ""), true, 80, false);
        let expected = " --> stacks/stages.yaml:1:1
  |
1 | project: shop
  | ^^^^^^^
2 | stages:
  |";
        assert_eq!(with_origin, expected);
        assert!(render(&excerpt(text, "dev", ""), false, 80, true).contains("\u{1b}["));
    }

    #[test]
    fn empty_lines_around_it_are_left_out() {
        assert_eq!(plain("\n\na: b\n\n", "a", ""), "  |\n3 | a: b\n  | ^");
    }

    #[test]
    fn long_lines_are_cut_around_what_is_meant() {
        let text = format!("{}\nx: {} HERE {}\n", "a".repeat(500), "b".repeat(500), "c".repeat(500));
        for width in [0, 20, 40, 80, 120] {
            for word in ["HERE", "bbb HERE ccc", "x", text.lines().nth(1).expect("there")] {
                let shown = render(&excerpt(&text, word, "this"), false, width, false);
                let widest = shown.lines().map(|line| line.chars().count()).max();
                assert!(widest <= Some(width.max(NARROWEST) + 5), "{width}: {widest:?}\n{shown}");
                assert!(shown.contains('^'), "{shown}");
            }
            let shown = render(&excerpt(&text, "HERE", ""), false, width, false);
            assert!(shown.contains("HERE"), "{shown}");
        }
    }

    #[test]
    fn nothing_in_a_file_acts_on_the_terminal() {
        let text = "a: \u{1b}[31m\u{9b}2J\u{202e}\u{7}\r\n\tb: üß漢\r\n";
        let shown = plain(text, "b", "\u{1b}]0;title\u{7}");
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
        assert!(shown.contains("a: ␛[31m"), "{shown}");
        assert!(shown.contains("b: üß漢"), "{shown}");
    }

    #[test]
    fn any_place_in_any_text_can_be_shown() {
        for text in ["", "\n", "a", "a\n", "ü\nü", "\r\n\r\n", "\u{feff}a: b"] {
            for start in 0..=text.len() + 1 {
                for end in start..=text.len() + 1 {
                    let excerpt = Excerpt {
                        file: String::new(),
                        text: text.into(),
                        span: start..end,
                        label: "x".to_owned(),
                    };
                    render(&excerpt, true, 80, false);
                }
            }
        }
    }
}
