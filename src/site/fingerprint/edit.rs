//! Changes to a text by their places: whatever isn't replaced stays as it is, byte for byte.

use std::ops::Range;

/// A replacement of a part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    /// Byte offsets, between characters.
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

impl Edit {
    /// Makes `old`, which is at `start`, to `new` by changing no more than what differs.
    pub(super) fn between(start: usize, old: &str, new: &str) -> Self {
        let same = |pairs: &mut dyn Iterator<Item = (char, char)>| -> usize {
            pairs
                .take_while(|(one, other)| one == other)
                .map(|(c, _)| c.len_utf8())
                .sum()
        };
        let head = same(&mut old.chars().zip(new.chars()));
        let (old_rest, new_rest) = (&old[head..], &new[head..]);
        let tail = same(&mut old_rest.chars().rev().zip(new_rest.chars().rev()));
        Self {
            range: start + head..start + old.len() - tail,
            text: new_rest[..new_rest.len() - tail].to_owned(),
        }
    }

    /// The same in a text that begins `offset` bytes earlier.
    pub(super) fn moved_by(mut self, offset: usize) -> Self {
        self.range.start += offset;
        self.range.end += offset;
        self
    }
}

/// The parts of the edited text, in order. `edits` are in order and don't overlap.
pub(super) fn parts<'a>(text: &'a str, edits: &'a [Edit]) -> impl Iterator<Item = &'a str> {
    let mut kept = 0;
    let replaced = edits.iter().flat_map(move |edit| {
        let before = &text[kept..edit.range.start];
        kept = edit.range.end;
        [before, edit.text.as_str()]
    });
    let rest = edits.last().map_or(0, |edit| edit.range.end);
    replaced.chain([&text[rest..]])
}

/// The edited text.
pub(super) fn apply(text: &str, edits: &[Edit]) -> String {
    parts(text, edits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_replaced_changes() {
        let edit = |range: Range<usize>, text: &str| Edit {
            range,
            text: text.to_owned(),
        };
        assert_eq!(apply("abc", &[]), "abc");
        assert_eq!(apply("abc", &[edit(0..1, "x"), edit(2..2, "y"), edit(2..3, "")]), "xby");
        assert_eq!(edit(1..2, "x").moved_by(3), edit(4..5, "x"));
        for (old, new, expected) in [
            ("a.css", "a.1.css", edit(12..12, "1.")),
            ("äxö", "äyö", edit(12..13, "y")),
            ("aa", "aaa", edit(12..12, "a")),
            ("ä", "ö", edit(10..12, "ö")),
            ("x", "x", edit(11..11, "")),
        ] {
            assert_eq!(Edit::between(10, old, new), expected, "{old} to {new}");
        }
    }
}
