//! Where things stand in a YAML or JSON text.
//!
//! serde's data has no places, so a text is read once more, by a parser whose events have them, when there is something
//! to point at. `stages.yaml` is read this way at once: its values are taken as they are written.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

/// The place of a key: the last element of `path`, which begins at the text's root. Elements are keys, and indexes of
/// lists as text ("0"); the long name of a function ("Fn::Sub") finds its short form (`!Sub`). In bytes of `text`.
///
/// None if there is no such thing, or the text is no YAML.
pub(crate) fn find(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let root = parse(text).ok()??;
    Some(root.descend(path)?.0.span.clone())
}

/// A value, and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    /// In bytes of the text; a short-form tag belongs to it.
    pub(super) span: Range<usize>,
    /// As it is written: `!Ref`. Those of YAML's own types (`!!str`) are left out.
    pub(super) tag: Option<String>,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar {
        /// What is written, without quotes.
        text: String,
        /// Whether there are none, so that YAML may take it for a number, or nothing.
        plain: bool,
    },
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<(Rc<Node>, Rc<Node>)>),
    /// What an alias (`*x`) stands for.
    Alias(Rc<Node>),
}

/// Why a text is no YAML.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) message: String,
    /// In bytes of the text.
    pub(super) at: Range<usize>,
}

/// Deeper than any sensible file, and not so deep that the stack overflows; serde_yaml has the same limit.
const DEEPEST: usize = 128;

impl Node {
    /// The value itself, wherever it is written.
    pub(super) fn resolved(&self) -> &Self {
        let mut node = self;
        while let Kind::Alias(target) = &node.kind {
            node = target;
        }
        node
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.resolved().kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether it is YAML's "nothing".
    pub(super) fn is_null(&self) -> bool {
        matches!(
            &self.resolved().kind,
            Kind::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
        )
    }

    /// Key and value at the end of a path; the key of a list's item is the item.
    fn descend(&self, path: &[&str]) -> Option<(&Self, &Self)> {
        let mut place = (self, self);
        for name in path {
            place = place.1.resolved().step(name)?;
        }
        Some(place)
    }

    fn step(&self, name: &str) -> Option<(&Self, &Self)> {
        let found = match &self.kind {
            Kind::Mapping(entries) => entries
                .iter()
                .find(|(key, _)| key.text() == Some(name))
                .map(|(key, value)| (&**key, &**value)),
            Kind::Sequence(items) => {
                let item = name.parse().ok().and_then(|index: usize| items.get(index));
                item.map(|item| (&**item, &**item))
            }
            _ => None,
        };
        found.or_else(|| self.is_meant_by(name).then_some((self, self)))
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
}

/// Reads a text's only document; none if it is empty.
pub(super) fn parse(text: &str) -> Result<Option<Rc<Node>>, Unreadable> {
    let mut builder = Builder {
        text,
        offsets: text.char_indices().map(|(at, _)| at).chain([text.len()]).collect(),
        anchors: BTreeMap::new(),
        open: Vec::new(),
        root: None,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => builder.take(event, span)?,
            Err(error) => {
                let at = builder.offset(error.marker().index());
                return Err(Unreadable {
                    message: error.info().to_owned(),
                    at: at..at,
                });
            }
        }
    }
    Ok(builder.root)
}

/// Makes nodes of events.
struct Builder<'a> {
    text: &'a str,
    /// Where each character begins: the parser counts characters.
    offsets: Vec<usize>,
    anchors: BTreeMap<usize, Rc<Node>>,
    open: Vec<Open>,
    root: Option<Rc<Node>>,
}

/// A list or mapping that hasn't ended. A mapping's keys and values follow one another.
struct Open {
    start: usize,
    anchor: usize,
    tag: Option<String>,
    children: Vec<Rc<Node>>,
}

impl Builder<'_> {
    fn offset(&self, index: usize) -> usize {
        self.offsets.get(index).copied().unwrap_or(self.text.len())
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Unreadable> {
        let (start, end) = (self.offset(span.start.index()), self.offset(span.end.index()));
        let refuse = |message: &str| {
            Err(Unreadable {
                message: message.to_owned(),
                at: start..end,
            })
        };
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                return refuse("a second document begins here; there can be only one");
            }
            Event::Scalar(value, style, anchor, tag) => {
                // What follows a plain one on its line isn't part of it.
                let written = self.text.get(start..end).unwrap_or_default().trim_end();
                let node = Node {
                    span: start..start + written.len(),
                    tag: own(tag.as_deref()),
                    kind: Kind::Scalar {
                        plain: style == ScalarStyle::Plain && tag.is_none(),
                        text: value.into_owned(),
                    },
                };
                self.put(node, anchor);
            }
            Event::Alias(anchor) => {
                let Some(target) = self.anchors.get(&anchor).cloned() else {
                    return refuse("this alias stands in what it stands for");
                };
                let node = Node {
                    span: start..end,
                    tag: None,
                    kind: Kind::Alias(target),
                };
                self.put(node, 0);
            }
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                if self.open.len() == DEEPEST {
                    return refuse("it is nested too deeply");
                }
                self.open.push(Open {
                    start,
                    anchor,
                    tag: own(tag.as_deref()),
                    children: Vec::new(),
                });
            }
            Event::SequenceEnd => self.close(start, Kind::Sequence),
            Event::MappingEnd => self.close(start, |children| {
                let mut children = children.into_iter();
                let mut entries = Vec::new();
                while let (Some(key), Some(value)) = (children.next(), children.next()) {
                    entries.push((key, value));
                }
                Kind::Mapping(entries)
            }),
            _ => {}
        }
        Ok(())
    }

    /// Ends a list or mapping; what begins at `last` is its bracket, or else the next thing.
    fn close(&mut self, last: usize, kind: impl FnOnce(Vec<Rc<Node>>) -> Kind) {
        let Some(open) = self.open.pop() else { return };
        let in_brackets = self.text.get(last..).is_some_and(|rest| rest.starts_with(['}', ']']));
        let end = match open.children.last() {
            _ if in_brackets => last + 1,
            Some(child) => child.span.end,
            None => last,
        };
        let node = Node {
            span: open.start..end.max(open.start),
            tag: open.tag,
            kind: kind(open.children),
        };
        self.put(node, open.anchor);
    }

    fn put(&mut self, node: Node, anchor: usize) {
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        match self.open.last_mut() {
            Some(open) => open.children.push(node),
            None => self.root = Some(node),
        }
    }
}

fn own(tag: Option<&Tag>) -> Option<String> {
    tag.filter(|tag| !tag.is_yaml_core_schema()).map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key<'a>(text: &'a str, path: &[&str]) -> Option<&'a str> {
        find(text, path).map(|span| &text[span])
    }

    fn value<'a>(text: &'a str, path: &[&str]) -> Option<&'a str> {
        let root = parse(text).ok()??;
        root.descend(path).map(|(_, value)| &text[value.span.clone()])
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
        assert_eq!(find(TEMPLATE, &["Parameters", "Nothing"]), None);
        assert_eq!(find(TEMPLATE, &["Parameters", "TableArn", "Type", "x"]), None);
        assert_eq!(find("a: [", &["a"]), None);
        assert_eq!(find("", &["a"]), None);
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
    fn an_alias_is_followed_and_one_within_itself_is_refused() {
        let text = "base: &b { x: 1 }\nuse: *b\n";
        assert_eq!(value(text, &["use", "x"]), Some("1"));
        assert_eq!(value(text, &["use"]), Some("*b"));
        assert!(parse("a: &a [*a]\n").is_err());
        assert!(parse("a: *nothing\n").is_err());
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse("a: 1\n---\nb: 2\n").is_err());
    }
}
