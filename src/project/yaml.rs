//! YAML as a tree that remembers where everything stands and how it is written: the one reader of all the project's YAML.
//!
//! A scalar is the text of the file: what type it has, the reader of the file decides. So `1e3` can be named as it is
//! written, and no digit is lost on the way through a float.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::path::Path;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span as ParsedSpan, Tag};

use crate::error::{Error, ErrorKind, Excerpt, Result};

/// Where something stands in a file. Both count from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Position {
    /// Where a text begins.
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    /// Bad input at this place of `file`, with a hint to correct it unless a better one is given first.
    pub(crate) fn error(self, file: &Path, what: impl fmt::Display) -> Error {
        Error::new(
            ErrorKind::InvalidProject,
            format!("{}:{}:{}: {what}", file.display(), self.line, self.column),
        )
    }

    fn of(marker: &Marker) -> Self {
        Self {
            line: narrow(marker.line().max(1)),
            column: narrow(marker.col() + 1),
        }
    }
}

/// Trees of large files are kept small: nothing that a person wrote is longer than this can count.
pub(super) fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// From where to where something stands, in bytes of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self {
            start: narrow(start),
            end: narrow(end.max(start)),
        }
    }

    /// The same to cut a text with.
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// "Correct the file": the next step where there is nothing better to say.
pub(crate) fn correct(file: &Path) -> String {
    format!("Correct {} and run the command again.", file.display())
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Of its first character, or of its tag's; of the alias, where the value stands for one. Of a block (`|`, `>`) it
    /// is that of its first line.
    pub(crate) position: Position,
    /// The same, and where it ends: without what follows a plain scalar on its line.
    pub(crate) span: Span,
    /// As people write it: `!Sub`, `!!binary`.
    pub(crate) tag: Option<Box<str>>,
    /// Whether an alias (`*x`) stands here for what is elsewhere.
    pub(crate) is_alias: bool,
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text without quotes (and escapes) around it; `plain` when there are none in the file either, so that it may be
    /// a number, a flag or nothing.
    Scalar { text: String, plain: bool },
    /// An ordered list.
    List(Vec<Node>),
    /// Names and values, in the order of the file. No name stands twice.
    Map(Vec<(Name, Node)>),
}

/// The name of a value in a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) position: Position,
    pub(crate) span: Span,
    pub(crate) text: String,
    /// Whether it has no quotes around it, nor a tag before it.
    pub(crate) plain: bool,
}

impl Name {
    /// Whether it is YAML 1.1's `<<` and not a quoted name of these two characters.
    pub(crate) fn merges(&self) -> bool {
        self.plain && self.text == "<<"
    }
}

/// Containers in one another. What is deeper is no file that a person wrote, and would be walked by recursion.
const DEEPEST: usize = 128;

/// Refuses what is nested so deep that walking it might take more stack than there is.
pub(crate) fn within_depth(depth: usize, position: Position, file: &Path) -> Result<()> {
    if depth > DEEPEST {
        let error = position.error(file, format!("nested deeper than {DEEPEST} levels"));
        return Err(error.hint(correct(file)));
    }
    Ok(())
}

/// Memory that copies for aliases may take together, in bytes: so many times the text's, and at least this. A few lines of
/// aliases of aliases would take any amount.
const COPIED_TIMES: usize = 20;
const COPIED_AT_LEAST: usize = 1 << 20;

/// Reads the one document that `text` has; `file` is how messages name it. No document at all is an empty plain scalar.
///
/// # Errors
/// Names file, line and column of what isn't YAML, of a character that no YAML may have, of a name that is twice in a map
/// or isn't text, of an alias of itself or of too much, and of a second document.
pub(crate) fn read(text: &str, file: &Path) -> Result<Node> {
    // Editors on Windows put a byte order mark in front; it would count as a column.
    let whole = text;
    let text = whole.strip_prefix('\u{feff}').unwrap_or(whole);
    refuse_unprintable(text, file)?;
    let mut parser = Parser::new_from_str(text);
    let mut tree = Tree::new(whole, text, file);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let position = Position::of(error.marker());
            let line = text.lines().nth(position.line as usize - 1).unwrap_or_default();
            let problem = position.error(file, error.info());
            problem.hint(if line.contains('\t') {
                "There is a tab in this line: write blanks in its place.".to_owned()
            } else {
                correct(file)
            })
        })?;
        tree.take(event, span)?;
    }
    Ok(tree.root.unwrap_or(Node {
        position: Position::START,
        span: Span::new(whole.len(), whole.len()),
        tag: None,
        is_alias: false,
        kind: Kind::Scalar {
            text: String::new(),
            plain: true,
        },
    }))
}

/// Refuses what no YAML stream may have unless it is escaped (YAML 1.2.2, 5.1), and what editors don't show.
fn refuse_unprintable(text: &str, file: &Path) -> Result<()> {
    let is_printable = |c: char| {
        matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
            && c != '\u{feff}'
    };
    match text.char_indices().find(|(_, c)| !is_printable(*c)) {
        None => Ok(()),
        Some((at, found)) => {
            let what = match found {
                '\u{feff}' => "here is a byte order mark, which only a file's beginning may have".to_owned(),
                found => format!("here is the control character U+{:04X}", u32::from(found)),
            };
            let hint = format!(
                "Take it out, or write it in double quotes as \"\\u{:04X}\".",
                u32::from(found)
            );
            Err(position_of(text, at).error(file, what).hint(hint))
        }
    }
}

/// The line and column of a byte of the text.
pub(super) fn position_of(text: &str, at: usize) -> Position {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    Position {
        line: narrow(before.matches('\n').count() + 1),
        column: narrow(line.chars().count() + 1),
    }
}

/// A container that isn't complete yet.
struct Open {
    position: Position,
    start: usize,
    tag: Option<Box<str>>,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<(Name, Node)>,
        /// Where each name stands.
        names: BTreeMap<(String, bool), (Position, Span)>,
        /// The name whose value comes next.
        name: Option<Name>,
    },
}

/// What a map has room for from the beginning; most have one name or two, and are many.
const ROOM_FOR_NAMES: usize = 4;

/// Puts the parser's events together.
struct Tree<'a> {
    /// All of the file.
    whole: &'a str,
    text: &'a str,
    /// Bytes of the file before `text`.
    before: usize,
    /// Where each character begins, since the parser counts characters; nothing where each is a byte.
    offsets: Vec<u32>,
    file: &'a Path,
    root: Option<Node>,
    open: Vec<Open>,
    /// Values by the parser's number of their anchor, and how deep they are.
    anchored: BTreeMap<usize, (Node, usize)>,
    /// Bytes that copies took.
    copied: usize,
}

impl<'a> Tree<'a> {
    fn new(whole: &'a str, text: &'a str, file: &'a Path) -> Self {
        let before = whole.len() - text.len();
        let offsets = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().map(|(at, _)| narrow(at)).collect()
        };
        Self {
            whole,
            text,
            before,
            offsets,
            file,
            root: None,
            open: Vec::new(),
            anchored: BTreeMap::new(),
            copied: 0,
        }
    }

    fn error(&self, position: Position, what: impl fmt::Display) -> Error {
        position.error(self.file, what).hint(correct(self.file))
    }

    /// Whether a block so far from the left, whose text ends at this byte, goes on to the end of a last line without a line
    /// break; of blanks it has to have as many.
    fn ends_within_a_line(&self, at: usize, indentation: usize) -> bool {
        let is_last = self.text.get(at..).is_some_and(|rest| rest.trim_start().is_empty());
        let line = self.text.rsplit(['\n', '\r']).next().unwrap_or_default();
        is_last && !line.is_empty() && (!line.trim_start().is_empty() || line.len() >= indentation)
    }

    /// The byte of the text where a marker is.
    fn offset(&self, marker: &Marker) -> usize {
        let offset = match self.offsets.as_slice() {
            [] => marker.index(),
            offsets => offsets.get(marker.index()).map_or(self.text.len(), |at| *at as usize),
        };
        offset.min(self.text.len())
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.before + start, self.before + end)
    }

    fn take(&mut self, event: Event<'_>, span: ParsedSpan) -> Result<()> {
        let position = Position::of(&span.start);
        let (start, end) = (self.offset(&span.start), self.offset(&span.end));
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => {
                let error = position.error(self.file, "a second document starts here; a file has one");
                Err(error.hint(format!("Remove the `---` between them from {}.", self.file.display())))
            }
            Event::DocumentStart(_) => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                // What follows a plain one on its line isn't part of it.
                let written = self.text.get(start..end).unwrap_or_default().trim_end();
                let mut text = text.into_owned();
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                if is_block && self.ends_within_a_line(start + written.len(), span.start.col()) && text.ends_with('\n')
                {
                    // The parser ends the last line itself, where other readers leave it as it is.
                    text.pop();
                }
                let node = Node {
                    position,
                    span: self.span(start, start + written.len()),
                    tag: tag.map(|tag| tag_text(&tag)),
                    is_alias: false,
                    kind: Kind::Scalar {
                        text,
                        plain: style == ScalarStyle::Plain,
                    },
                };
                self.complete(node, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                let content = Content::List(Vec::new());
                self.begin(position, start, tag.as_deref(), anchor, content)
            }
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map {
                    entries: Vec::new(),
                    names: BTreeMap::new(),
                    name: None,
                };
                self.begin(position, start, tag.as_deref(), anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(start),
            Event::Alias(anchor) => {
                let Some((node, depth)) = self.anchored.get(&anchor) else {
                    return Err(self.error(position, "this alias stands for what it is itself a part of"));
                };
                within_depth(self.open.len() + depth, position, self.file)?;
                self.copied = self.within_memory(node, position)?;
                // Whoever looks for what is wrong looks where the value is used.
                let node = Node {
                    position,
                    span: self.span(start, end),
                    is_alias: true,
                    ..node.clone()
                };
                self.complete(node, 0)
            }
        }
    }

    fn begin(
        &mut self,
        position: Position,
        start: usize,
        tag: Option<&Tag>,
        anchor: usize,
        content: Content,
    ) -> Result<()> {
        within_depth(self.open.len() + 1, position, self.file)?;
        self.open.push(Open {
            position,
            start,
            tag: tag.map(tag_text),
            anchor,
            content,
        });
        Ok(())
    }

    /// Ends a container; what begins at `last` is its bracket, or else the next thing.
    fn end(&mut self, last: usize) -> Result<()> {
        // The parser ends only what it began.
        let Some(open) = self.open.pop() else { return Ok(()) };
        let in_brackets = self.text.get(last..).is_some_and(|rest| rest.starts_with(['}', ']']));
        let (kind, inner) = match open.content {
            Content::List(items) => {
                let end = items.last().map(|item| item.span.end);
                (Kind::List(items), end)
            }
            Content::Map { mut entries, .. } => {
                if entries.len() < ROOM_FOR_NAMES {
                    entries.shrink_to_fit();
                }
                let end = entries.last().map(|(_, value)| value.span.end);
                (Kind::Map(entries), end)
            }
        };
        let end = match inner {
            _ if in_brackets => last + 1,
            Some(end) => (end as usize).saturating_sub(self.before),
            None => last,
        };
        let node = Node {
            position: open.position,
            span: self.span(open.start, end),
            tag: open.tag,
            is_alias: false,
            kind,
        };
        self.complete(node, open.anchor)
    }

    /// Puts a complete value where it belongs.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<()> {
        if anchor != 0 {
            self.copied = self.within_memory(&node, node.position)?;
            self.anchored.insert(anchor, (node.clone(), node.depth()));
        }
        let file = self.file;
        let refused = |position: Position, what: String| Err(position.error(file, what).hint(correct(file)));
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, names, name }) => match name.take() {
                Some(name) => entries.push((name, node)),
                None => {
                    let (position, span) = (node.position, node.span);
                    let Kind::Scalar { text, plain } = node.kind else {
                        let error = position.error(file, "a name in a map must be text");
                        let is_braces = self
                            .whole
                            .get(..span.start as usize)
                            .is_some_and(|before| before.ends_with('{'))
                            && self.whole.get(span.range()).is_some_and(|inner| inner.starts_with('{'));
                        return Err(error.hint(if is_braces {
                            "Quote it, \"{{…}}\", if it is a dynamic reference or another placeholder.".to_owned()
                        } else {
                            correct(file)
                        }));
                    };
                    if let Some(tag) = node.tag.as_deref().filter(|tag| !matches!(*tag, "!" | "!!str")) {
                        return refused(position, format!("a name in a map is text, and can't be `{tag}`"));
                    }
                    let found = Name {
                        position,
                        span,
                        text,
                        plain: plain && node.tag.is_none(),
                    };
                    match names.entry((found.text.clone(), found.merges())) {
                        Entry::Vacant(slot) => slot.insert((position, span)),
                        Entry::Occupied(first) => {
                            let (first, first_span) = *first.get();
                            let what = format!("`{}` is there twice; line {} has it, too", found.text, first.line);
                            let shown = |span: Span, label: &str| Excerpt {
                                file: file.display().to_string(),
                                text: self.whole.into(),
                                span: span.range(),
                                label: label.to_owned(),
                            };
                            return Err(position
                                .error(file, what)
                                .excerpt(shown(span, "again"))
                                .excerpt(shown(first_span, "the first"))
                                .hint("Take one of the two out."));
                        }
                    };
                    *name = Some(found);
                }
            },
        }
        Ok(())
    }

    /// The bytes copied, this node's included.
    fn within_memory(&self, node: &Node, position: Position) -> Result<usize> {
        let copied = self.copied + node.memory();
        let most = COPIED_AT_LEAST.max(COPIED_TIMES * self.text.len());
        if copied > most {
            let what = format!("the aliases up to here repeat more than {} KiB", most >> 10);
            return Err(self.error(position, what));
        }
        Ok(copied)
    }
}

/// `!Sub`, `!!binary`, or a whole URI in angle brackets.
fn tag_text(tag: &Tag) -> Box<str> {
    match tag.handle.as_str() {
        "tag:yaml.org,2002:" => format!("!!{}", tag.suffix),
        "" => match tag.suffix.strip_prefix("tag:yaml.org,2002:") {
            Some(name) => format!("!!{name}"),
            None if tag.suffix.starts_with('!') => tag.suffix.clone(),
            None => format!("!<{}>", tag.suffix),
        },
        handle => format!("{handle}{}", tag.suffix),
    }
    .into()
}

/// Whether a plain scalar of this text says that there is nothing (YAML 1.2.2, 10.3.2; YAML 1.1 has the same).
pub(crate) fn says_nothing(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Whether a plain scalar of this text is a flag, and which, by YAML 1.2's core schema (10.3.2).
pub(crate) fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

impl Node {
    /// Bytes that a copy takes, about.
    fn memory(&self) -> usize {
        size_of::<Self>()
            + match &self.kind {
                Kind::Scalar { text, .. } => text.len(),
                Kind::List(items) => items.iter().map(Self::memory).sum(),
                Kind::Map(entries) => entries
                    .iter()
                    .map(|(name, value)| size_of::<Name>() + name.text.len() + value.memory())
                    .sum(),
            }
    }

    /// Containers in one another.
    fn depth(&self) -> usize {
        match &self.kind {
            Kind::Scalar { .. } => 0,
            Kind::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Kind::Map(entries) => 1 + entries.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
        }
    }

    /// Its text, if it is a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether nothing is written: `~`, `null`, or no value at all (YAML 1.2.2, 10.3.2).
    pub(crate) fn is_null(&self) -> bool {
        match (&self.kind, self.tag.as_deref()) {
            (Kind::Scalar { text, plain: true }, None) => says_nothing(text),
            (Kind::Scalar { .. }, Some("!!null")) => true,
            _ => false,
        }
    }

    /// The value of a name, if it is a map that has it.
    pub(crate) fn entry(&self, name: &str) -> Option<(&Name, &Self)> {
        match &self.kind {
            Kind::Map(entries) => entries
                .iter()
                .find(|(one, _)| one.text == name)
                .map(|(name, value)| (name, value)),
            _ => None,
        }
    }

    /// The places of key and value at the end of a path, whose elements are keys, and indexes of lists as text ("0"); the
    /// long name of a function ("Fn::Sub") finds its short form (`!Sub`). The key of a list's item is the item.
    pub(crate) fn descend(&self, path: &[&str]) -> Option<(Span, Span)> {
        let mut place = (self.span, self);
        for name in path {
            place = place.1.step(name)?;
        }
        Some((place.0, place.1.span))
    }

    fn step(&self, name: &str) -> Option<(Span, &Self)> {
        let found = match &self.kind {
            Kind::Map(_) => self.entry(name).map(|(name, value)| (name.span, value)),
            Kind::List(items) => {
                let item = name.parse().ok().and_then(|index: usize| items.get(index));
                item.map(|item| (item.span, item))
            }
            Kind::Scalar { .. } => None,
        };
        found.or_else(|| self.is_meant_by(name).then_some((self.span, self)))
    }

    /// Whether `name` is this value's function, written in the short form, or one of the two parts that `!GetAtt a.b` has.
    fn is_meant_by(&self, name: &str) -> bool {
        let Some(function) = self.tag.as_deref().and_then(|tag| tag.strip_prefix('!')) else {
            return false;
        };
        match name.strip_prefix("Fn::") {
            Some(name) => name == function,
            None if matches!(function, "Ref" | "Condition") => name == function,
            None => function == "GetAtt" && matches!(name, "0" | "1") && self.text().is_some(),
        }
    }

    /// Takes the names of `<<: *other` into the map itself, everywhere below, as YAML 1.1's merge keys say
    /// (<https://yaml.org/type/merge.html>): a name of the map's own goes before, and of several maps the earlier.
    ///
    /// # Errors
    /// What is merged is no map and no list of maps.
    pub(crate) fn merged(self, file: &Path) -> Result<Self> {
        let kind = match self.kind {
            Kind::Map(entries) => Kind::Map(merged_entries(entries, file)?),
            Kind::List(items) => Kind::List(items.into_iter().map(|item| item.merged(file)).collect::<Result<_>>()?),
            scalar => scalar,
        };
        Ok(Self { kind, ..self })
    }
}

fn merged_entries(entries: Vec<(Name, Node)>, file: &Path) -> Result<Vec<(Name, Node)>> {
    let mut own = Vec::with_capacity(entries.len());
    let mut merge = None;
    for (name, value) in entries {
        if name.merges() {
            merge = Some(value);
        } else {
            own.push((name, value.merged(file)?));
        }
    }
    let Some(value) = merge else { return Ok(own) };
    let maps = match value.kind {
        Kind::List(items) => items,
        kind => vec![Node { kind, ..value }],
    };
    let mut known: BTreeSet<String> = own.iter().map(|(name, _)| name.text.clone()).collect();
    for map in maps {
        let Kind::Map(entries) = map.kind else {
            let error = map.position.error(file, "`<<` takes a map, or a list of maps");
            return Err(error.hint("Quote it, \"<<\", if it is meant as a name of its own."));
        };
        for (name, value) in merged_entries(entries, file)? {
            if known.insert(name.text.clone()) {
                own.push((name, value));
            }
        }
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> &'static Path {
        Path::new("a.yaml")
    }

    fn tree(text: &str) -> Node {
        read(text, file()).expect(text)
    }

    fn problem(text: &str) -> String {
        read(text, file()).expect_err(text).to_string()
    }

    /// The tree on one line: scalars as `text@line:column`, quoted ones in quotes, names without a place.
    fn show(node: &Node) -> String {
        let tag = node.tag.as_ref().map(|tag| format!("{tag} ")).unwrap_or_default();
        let Position { line, column } = node.position;
        match &node.kind {
            Kind::Scalar { text, plain: true } => format!("{tag}{text}@{line}:{column}"),
            Kind::Scalar { text, .. } => format!("{tag}{text:?}@{line}:{column}"),
            Kind::List(items) => format!("{tag}[{}]", items.iter().map(show).collect::<Vec<_>>().join(" ")),
            Kind::Map(entries) => {
                let shown: Vec<String> = entries
                    .iter()
                    .map(|(name, value)| format!("{}={}", name.text, show(value)))
                    .collect();
                format!("{tag}{{{}}}", shown.join(" "))
            }
        }
    }

    #[test]
    fn a_scalar_is_what_is_written_and_where() {
        let text = "a: 1e3\nb: '1e3'\nc:\n  - 0x1F\n  - \"x\\ty\"\n  - !Sub z\n  - ä: ö\n";
        assert_eq!(
            show(&tree(text)),
            "{a=1e3@1:4 b=\"1e3\"@2:4 c=[0x1F@4:5 \"x\\ty\"@5:5 !Sub z@6:5 {ä=ö@7:8}]}"
        );
        assert_eq!(show(&tree("a: |\n  x\n  y\n")), "{a=\"x\\ny\\n\"@2:3}");
    }

    #[test]
    fn a_map_stands_where_its_first_name_does() {
        let Kind::List(items) = tree("- a: 1\n-   b: 2\n- {c: 3}\n").kind else {
            panic!("a list")
        };
        let places: Vec<(u32, u32)> = items.iter().map(|i| (i.position.line, i.position.column)).collect();
        assert_eq!(places, [(1, 3), (2, 5), (3, 3)]);
    }

    #[test]
    fn tags_are_told_as_they_are_written() {
        assert_eq!(show(&tree("!!binary QQ==")), "!!binary QQ==@1:1");
        assert_eq!(show(&tree("!<tag:yaml.org,2002:int> 1")), "!!int 1@1:1");
        assert_eq!(show(&tree("[!!set {a}, !Ref b]")), "[!!set {a=@1:10} !Ref b@1:13]");
    }

    #[test]
    fn a_byte_order_mark_and_carriage_returns_are_no_content() {
        assert_eq!(show(&tree("\u{feff}a: b\r\nc: d\r\n")), "{a=b@1:4 c=d@2:4}");
    }

    #[test]
    fn the_projects_own_files_are_read() {
        for entry in std::fs::read_dir("stacks").expect("the folder") {
            let path = entry.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("text");
            let node = read(&text, &path).expect("YAML");
            assert!(!node.is_null(), "{}", path.display());
        }
    }

    #[test]
    fn nothing_is_an_empty_plain_scalar() {
        for text in ["", "# only a remark\n", "---\n", "~"] {
            assert!(tree(text).is_null(), "{text:?}");
        }
        assert!(!tree("\"\"").is_null());
    }

    #[test]
    fn aliases_become_what_they_stand_for() {
        assert_eq!(
            show(&tree("a: &x {n: 1}\nb: *x\nc: [*x]\n")),
            "{a={n=1@1:11} b={n=1@1:11} c=[{n=1@1:11}]}"
        );
        assert!(problem("a: &x [*x]\n").starts_with("a.yaml:1:8: this alias stands for"));
        assert!(problem("a: *nobody\n").starts_with("a.yaml:1:4: "));
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
            text.push_str(&format!("a{n}: &a{n} [{aliases}]\n"));
        }
        let error = problem(&text);
        assert!(
            error.contains("the aliases up to here repeat more than 1024 KiB"),
            "{error}"
        );
    }

    #[test]
    fn what_is_nested_too_deep_is_refused() {
        let blocks: String = (0..200).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        assert!(problem(&blocks).contains("nested deeper than 128"));
        assert!(problem(&format!("{}{}", "[".repeat(200), "]".repeat(200))).contains("nested deeper than 128"));
        // The parser itself takes 255.
        assert!(problem(&"[".repeat(100_000)).contains("recursion limit"));
        let half = |inner: &str| format!("{}{inner}{}", "[".repeat(70), "]".repeat(70));
        let by_alias = format!("a: &a {}\nb: {}\n", half("x"), half("*a"));
        assert!(problem(&by_alias).starts_with("a.yaml:2:74: nested deeper than 128"));
    }

    #[test]
    fn a_name_stands_once_and_is_text() {
        assert_eq!(
            problem("a: 1\nb: 2\n\"a\": 3\n"),
            "a.yaml:3:1: `a` is there twice; line 1 has it, too"
        );
        assert!(problem("x: {b: 1, b: 2}\n").starts_with("a.yaml:1:11: `b` is there twice"));
        assert!(problem("{[a]: 1}\n").starts_with("a.yaml:1:2: a name in a map must be text"));
        assert!(problem("<<: {}\n<<: {}\n").contains("`<<` is there twice"));
    }

    #[test]
    fn a_second_document_is_refused() {
        assert!(problem("a: 1\n---\nb: 2\n").starts_with("a.yaml:2:1: a second document"));
        assert_eq!(show(&tree("%YAML 1.2\n---\na\n...\n")), "a@3:1");
    }

    #[test]
    fn what_is_no_yaml_is_told_by_its_place() {
        for (text, start) in [
            ("- id: a\n  name: \"x\n", "a.yaml:"),
            ("a: [\n", "a.yaml:"),
            ("a: b\n c: d\n", "a.yaml:2:"),
            ("a:\n\tb: c\n", "a.yaml:2:"),
        ] {
            let error = problem(text);
            assert!(error.starts_with(start), "{error}");
            assert!(error.len() > start.len() + 10, "{error}");
        }
    }

    #[test]
    fn merge_keys_are_merged_with_the_own_and_the_earlier_before() {
        let text = "b: &b {x: 1, y: 2}\nc: &c {<<: *b, y: 3, z: 4}\nd:\n  <<: [*c, {w: 5, x: 6}]\n  z: 7\n";
        let merged = tree(text).merged(file()).expect("merged");
        let Kind::Map(entries) = &merged.kind else {
            panic!("a map")
        };
        assert_eq!(show(&entries[2].1), "{z=7@5:6 y=3@2:19 x=1@1:11 w=5@4:16}");
        let quoted = tree("\"<<\": {x: 1}\n").merged(file()).expect("as it is");
        assert_eq!(show(&quoted), "{<<={x=1@1:11}}");
        let error = tree("a: {<<: 7}\n").merged(file()).expect_err("no map");
        assert!(error.to_string().starts_with("a.yaml:1:9: `<<` takes a map"), "{error}");
    }

    fn key<'a>(text: &'a str, path: &[&str]) -> Option<&'a str> {
        tree(text).descend(path).map(|(key, _)| &text[key.range()])
    }

    fn value<'a>(text: &'a str, path: &[&str]) -> Option<&'a str> {
        tree(text).descend(path).map(|(_, value)| &text[value.range()])
    }

    const TEMPLATE: &str = r#"# Grüße
Metadata:
  "Schlüssel ☃": 1
  Deployer:
    Inputs: { TableArn: data.TableArn, 'quoted key': [a, "b c"] }
Parameters:
  TableArn: { Type: String }   # the table's
Resources:
  Table:
    Properties:
      Name: !Sub "${Stage}-x"
      Arn: !GetAtt Table.Arn
      Pick: !If [IsX, !Ref A, {Ref: B}]
      Steps:
      - first
      - name: second step  
        run: |
          one
          two
      Empty:
"#;

    #[test]
    fn keys_and_values_are_found_however_they_are_written() {
        for (path, is_key, is_value) in [
            (
                &["Metadata", "Deployer", "Inputs", "TableArn"][..],
                "TableArn",
                "data.TableArn",
            ),
            (&["Metadata", "Schlüssel ☃"], "\"Schlüssel ☃\"", "1"),
            (
                &["Metadata", "Deployer", "Inputs", "quoted key", "1"],
                "\"b c\"",
                "\"b c\"",
            ),
            (&["Parameters", "TableArn"], "TableArn", "{ Type: String }"),
            (&["Resources", "Table", "Properties", "Empty"], "Empty", ""),
            (
                &["Resources", "Table", "Properties", "Steps", "1", "name"],
                "name",
                "second step",
            ),
        ] {
            assert_eq!(key(TEMPLATE, path), Some(is_key), "{path:?}");
            assert_eq!(value(TEMPLATE, path), Some(is_value), "{path:?}");
        }
        assert_eq!(key(TEMPLATE, &["Parameters", "Nothing"]), None);
        assert_eq!(key(TEMPLATE, &["Parameters", "TableArn", "Type", "x"]), None);
        assert_eq!(key("", &["a"]), None);
    }

    #[test]
    fn short_forms_are_found_by_their_long_names() {
        let at = |path: &[&str]| {
            let path = [&["Resources", "Table", "Properties"], path].concat();
            value(TEMPLATE, &path)
        };
        assert_eq!(at(&["Name", "Fn::Sub"]), Some("!Sub \"${Stage}-x\""));
        assert_eq!(at(&["Arn", "Fn::GetAtt", "0"]), Some("!GetAtt Table.Arn"));
        assert_eq!(at(&["Pick", "Fn::If", "1", "Ref"]), Some("!Ref A"));
        assert_eq!(at(&["Pick", "Fn::If", "2", "Ref"]), Some("B"));
        assert_eq!(at(&["Pick"]), Some("!If [IsX, !Ref A, {Ref: B}]"));
        assert_eq!(at(&["Pick", "Fn::Sub"]), None);
    }

    #[test]
    fn json_and_other_line_ends_are_no_different() {
        let json = "{\r\n\t\"stages\": {\r\n\t\t\"dev\": { \"parameters\": { \"X\\u0041\": [1, 2] } }\r\n\t}\r\n}\r\n";
        let path = ["stages", "dev", "parameters", "XA"];
        assert_eq!(key(json, &path), Some("\"X\\u0041\""));
        assert_eq!(value(json, &[&path[..], &["1"]].concat()), Some("2"));
        let marked = "\u{feff}a: b\r\nc: d\r\n";
        assert_eq!(value(marked, &["a"]), Some("b"));
        assert_eq!(value(marked, &["c"]), Some("d"));
    }

    #[test]
    fn what_an_alias_stands_for_is_found_where_it_is_written() {
        let text = "base: &b { x: 1 }\nuse: *b\n";
        assert_eq!(value(text, &["use", "x"]), Some("1"));
        assert_eq!(value(text, &["use"]), Some("*b"));
    }

    #[test]
    fn what_no_yaml_may_have_is_refused() {
        assert_eq!(
            problem("a: b\nc: x\u{7}\n"),
            "a.yaml:2:5: here is the control character U+0007"
        );
        assert!(problem("a: b\u{feff}\n").starts_with("a.yaml:1:5: here is a byte order mark"));
        assert!(problem("a: \u{0}\n").contains("U+0000"));
    }

    #[test]
    fn a_name_has_no_tag_but_that_of_text() {
        assert!(problem("!Ref a: 1\n").starts_with("a.yaml:1:1: a name in a map is text, and can't be `!Ref`"));
        let Kind::Map(entries) = tree("!!str <<: 1\n<<: {}\n").kind else {
            panic!("a map")
        };
        assert_eq!(
            entries.iter().map(|(name, _)| name.merges()).collect::<Vec<_>>(),
            [false, true]
        );
    }
}
