//! Reading the user's files, with errors that name file, line and key.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::yaml::Node;
use super::{json, yaml};
use crate::error::{Error, ErrorKind, Excerpt, Result};

/// Reads a text file of the project, without the byte order mark that editors on Windows put in front.
pub(crate) fn read(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file).map_err(|error| {
        Error::new(ErrorKind::InvalidProject, format!("could not read {}", file.display()))
            .cause(error)
            .hint("Put the file there; a new project's own shows what is in it.")
    })?;
    text_of(&bytes, file)
}

/// The text that a file's bytes are.
pub(super) fn text_of(bytes: &[u8], file: &Path) -> Result<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let line = 1 + bytes[..error.valid_up_to()]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
            // The byte order marks of UTF-16, which some shells on Windows redirect output in.
            let what = match bytes {
                [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => format!("{} is UTF-16", file.display()),
                _ => format!("{}:{line}: this isn't UTF-8", file.display()),
            };
            Err(Error::new(ErrorKind::InvalidProject, what)
                .hint(format!("Save {} as UTF-8 and run the command again.", file.display())))
        }
    }
}

/// A place in a file of the project, to put into an error.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    file: String,
    /// None if only the file is known.
    excerpt: Option<Excerpt>,
}

impl Place {
    /// Says something of what is marked there, in a few words.
    #[must_use]
    pub(crate) fn label(mut self, label: &str) -> Self {
        if let Some(excerpt) = &mut self.excerpt {
            label.clone_into(&mut excerpt.label);
        }
        self
    }

    /// Puts "file:line:column" in front of an error's message, and the excerpt into it.
    pub(crate) fn refuse(self, error: Error) -> Error {
        let error = error.at(&self.to_string());
        self.show_in(error)
    }

    /// Puts the excerpt alone into an error, which names another place or none.
    pub(crate) fn show_in(self, error: Error) -> Error {
        match self.excerpt {
            Some(excerpt) => error.excerpt(excerpt),
            None => error,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.excerpt {
            Some(excerpt) => f.write_str(&excerpt.place()),
            None => f.write_str(&self.file),
        }
    }
}

/// What a text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Reads JSON or YAML: a file called so is JSON, and of others what begins as JSON does is read as that where it can be, as
/// CloudFormation's own tools do.
///
/// # Errors
/// See [`yaml::read`] and [`json::read`]; what is wrong is shown.
pub(crate) fn parsed(text: &str, file: &Path) -> Result<(Node, Format)> {
    let is_json = file
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let of_json = || Ok((json::read(text, file, 1)?, Format::Json));
    let of_yaml = || Ok((yaml::read(text, file)?, Format::Yaml));
    let read = match text.trim_start().bytes().next() {
        Some(_) if is_json => of_json(),
        Some(b'{' | b'[') => of_json().or_else(|_: Error| of_yaml()),
        _ => of_yaml(),
    };
    read.map_err(|error| shown(error, file, text))
}

/// The same, whichever of the two it is.
pub(crate) fn tree(text: &str, file: &Path) -> Result<Node> {
    Ok(parsed(text, file)?.0)
}

/// The place of the key at `path` (see [`Node::descend`]), or of the nearest above it that the text has.
pub(crate) fn at(file: &Path, text: &str, path: &[&str]) -> Place {
    at_path(file, text, tree(text, file).ok().as_ref(), path)
}

/// The same where the text's tree is known already, or that it has none.
pub(super) fn at_path(file: &Path, text: impl Into<Arc<str>>, tree: Option<&Node>, path: &[&str]) -> Place {
    let found = tree.and_then(|root| {
        (1..=path.len())
            .rev()
            .find_map(|length| root.descend(&path[..length]))
            .map(|(key, _)| key.range())
    });
    at_span(file, text, found)
}

/// The place of a part of the text, in bytes.
pub(crate) fn at_span(file: &Path, text: impl Into<Arc<str>>, span: Option<Range<usize>>) -> Place {
    let file = file.display().to_string();
    let excerpt = span.map(|span| Excerpt {
        file: file.clone(),
        text: text.into(),
        span,
        label: String::new(),
    });
    Place { file, excerpt }
}

/// The place of what stands at a line and column, both from 1, as parsers tell them: columns are characters.
pub(crate) fn at_column(file: &Path, text: &str, line: u32, column: u32) -> Place {
    let before: usize = text
        .split('\n')
        .take(line.saturating_sub(1) as usize)
        .map(|line| line.len() + 1)
        .sum();
    let rest = text.get(before..).unwrap_or_default();
    let line = rest.lines().next().unwrap_or_default();
    let into = line
        .char_indices()
        .nth(column.saturating_sub(1) as usize)
        .map_or(line.len(), |(at, _)| at);
    at_byte(file, text, before + into)
}

/// The place of the word that begins at a byte of the text.
pub(crate) fn at_byte(file: &Path, text: &str, start: usize) -> Place {
    let start = start.min(text.len());
    let line = text.get(start..).and_then(|rest| rest.lines().next());
    at_span(file, text, Some(start..start + line.map_or(0, word)))
}

/// How many bytes the word is that a line's rest begins with: up to the end of its quotes, or to what ends a plain one.
fn word(rest: &str) -> usize {
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    if let Some(length) = quote.and_then(|quote| rest[1..].find(quote)) {
        return length + 2;
    }
    let end = rest.find(|c: char| c.is_whitespace() || ",:]}".contains(c));
    let first = rest.chars().next().map_or(0, char::len_utf8);
    end.unwrap_or(rest.len()).max(first)
}

/// An error whose message begins with its place in a file, as those of the readers of YAML and JSON do, with what stands
/// there.
pub(crate) fn shown(error: Error, file: &Path, text: &str) -> Error {
    if !error.excerpts().is_empty() {
        return error;
    }
    let rest = error.message().strip_prefix(&format!("{}:", file.display()));
    let place = rest.and_then(|rest| {
        let mut parts = rest.split(':');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    });
    match place {
        Some((line, column)) => at_column(file, text, line, column).show_in(error),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place, and what is marked there.
    fn marked(place: Place) -> (String, String) {
        let error = place.refuse(Error::new(ErrorKind::InvalidProject, "x"));
        let marked = error
            .excerpts()
            .first()
            .map(|one| one.text[one.span.clone()].to_owned());
        (error.message().to_owned(), marked.unwrap_or_default())
    }

    #[test]
    fn a_place_is_a_column_or_else_the_nearest_above() {
        let file = Path::new("f.yaml");
        let text = "a:\n  b: 1\n";
        let at = |path: &[&str]| marked(at(file, text, path));
        assert_eq!(at(&["a", "b"]), ("f.yaml:2:3: x".into(), "b".into()));
        assert_eq!(at(&["a", "c", "d"]), ("f.yaml:1:1: x".into(), "a".into()));
        assert_eq!(at(&["z"]), ("f.yaml: x".into(), String::new()));
    }

    #[test]
    fn the_word_at_a_column_is_marked() {
        let text = "ü: [\"a b\", c]\r\nd";
        let at = |line, column| marked(at_column(Path::new("f"), text, line, column)).1;
        assert_eq!(at(1, 1), "ü");
        assert_eq!(at(1, 5), "\"a b\"");
        assert_eq!(at(1, 12), "c");
        assert_eq!(at(1, 13), "]");
        assert_eq!(at(2, 1), "d");
        assert_eq!(at(9, 9), "");
    }

    #[test]
    fn files_are_utf_8_with_a_byte_order_mark_or_without() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let file = dir.path().join("a.yaml");
        let read_back = |bytes: &[u8]| {
            std::fs::write(&file, bytes).expect("written");
            read(&file).map_err(|error| (error.to_string(), error.next_step().map(str::to_owned)))
        };
        assert_eq!(read_back(b"\xef\xbb\xbfa: b\n").as_deref(), Ok("a: b\n"));
        let (what, next_step) = read_back(b"\xff\xfea\0").expect_err("UTF-16");
        assert!(what.ends_with("a.yaml is UTF-16"), "{what}");
        assert!(next_step.is_some_and(|hint| hint.contains("as UTF-8")));
        let (what, _) = read_back(b"a: b\nc: \xe4\n").expect_err("Latin-1");
        assert!(what.ends_with("a.yaml:2: this isn't UTF-8"), "{what}");
    }
}
