//! What is known of a file by what it holds: whether it is UTF-8, which character set it declares, and what it begins with.

use std::str;

use serde::{Deserialize, Serialize};

/// As far as browsers look for a declaration (WHATWG HTML, "prescan a byte stream to determine its encoding"); enough for
/// all else, too.
const HEAD_BYTES: usize = 1024;

/// The character set that a file declares itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Declared {
    Nothing,
    Utf8,
    /// Another one, or one that nobody knows.
    Other,
}

/// Formats that begin with something that nothing else begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Magic {
    /// RFC 1952, 2.3.1.
    Gzip,
    /// ISO 13818-1's transport stream, of which each packet begins so; on Blu-rays after a time of four bytes.
    MpegTs,
    /// RFC 8878, 3.1.1.
    Zstandard,
}

/// What a file without an extension may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Shape {
    /// Not UTF-8, or with what no text has.
    Binary,
    Html,
    Json,
    Text,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Sniffed {
    /// All of it is.
    pub(super) is_utf8: bool,
    /// What it declares if it is a page.
    pub(super) html: Declared,
    /// What it declares if it is a style sheet.
    pub(super) css: Declared,
    /// What it declares if it is XML.
    pub(super) xml: Declared,
    pub(super) magic: Option<Magic>,
    pub(super) shape: Shape,
}

impl Sniffed {
    /// Of a content that isn't looked at, such as that of a compressed file: what most are.
    pub(super) const UNSEEN: Self = Self {
        is_utf8: true,
        html: Declared::Nothing,
        css: Declared::Nothing,
        xml: Declared::Nothing,
        magic: None,
        shape: Shape::Text,
    };
}

/// Looks at a file as it is read.
#[derive(Debug)]
pub(super) struct Sniffer {
    head: Vec<u8>,
    /// The beginning of a character whose end the next piece has.
    cut: Vec<u8>,
    is_utf8: bool,
}

impl Sniffer {
    pub(super) fn new() -> Self {
        Self {
            head: Vec::new(),
            cut: Vec::new(),
            is_utf8: true,
        }
    }

    /// Takes the file's next bytes, however many.
    pub(super) fn update(&mut self, piece: &[u8]) {
        self.head
            .extend(piece.iter().take(HEAD_BYTES.saturating_sub(self.head.len())));
        if self.is_utf8 {
            self.is_utf8 = self.continues_utf8(piece);
        }
    }

    fn continues_utf8(&mut self, mut piece: &[u8]) -> bool {
        while !self.cut.is_empty() {
            let Some((&first, rest)) = piece.split_first() else {
                return true;
            };
            self.cut.push(first);
            piece = rest;
            match str::from_utf8(&self.cut) {
                Ok(_) => self.cut.clear(),
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match str::from_utf8(piece) {
            Ok(_) => true,
            Err(error) => {
                self.cut.extend_from_slice(&piece[error.valid_up_to()..]);
                error.error_len().is_none()
            }
        }
    }

    /// At the file's end.
    pub(super) fn finish(self) -> Sniffed {
        let is_utf8 = self.is_utf8 && self.cut.is_empty();
        // Browsers take a byte order mark before any header or declaration.
        let text = self.head.strip_prefix(b"\xef\xbb\xbf");
        let declared = |declared: Declared| if text.is_some() { Declared::Utf8 } else { declared };
        let xml = in_xml(&self.head);
        Sniffed {
            is_utf8,
            html: declared(match in_html(&self.head) {
                Declared::Nothing => xml,
                found => found,
            }),
            css: declared(in_css(&self.head)),
            xml: declared(xml),
            magic: magic(&self.head),
            shape: shape(text.unwrap_or(&self.head), is_utf8),
        }
    }
}

fn magic(head: &[u8]) -> Option<Magic> {
    let is_packets = |first: usize, length: usize| {
        let at = |index| head.get(index) == Some(&0x47);
        at(first) && at(first + length)
    };
    match head {
        [0x1f, 0x8b, ..] => Some(Magic::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Magic::Zstandard),
        _ if is_packets(0, 188) || is_packets(4, 192) => Some(Magic::MpegTs),
        _ => None,
    }
}

fn shape(head: &[u8], is_utf8: bool) -> Shape {
    // WHATWG MIME Sniffing, "binary data byte".
    let is_binary = |byte: &u8| matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    let start = head.trim_ascii_start();
    let begins = |with: &[u8]| {
        start
            .get(..with.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    match start.first() {
        _ if !is_utf8 || head.iter().any(is_binary) => Shape::Binary,
        Some(b'{' | b'[') => Shape::Json,
        _ if begins(b"<!doctype html") || begins(b"<html") => Shape::Html,
        _ => Shape::Text,
    }
}

/// What a label says. In HTML, those of UTF-16 mean UTF-8, since the label itself was read as ASCII.
fn declared(label: &[u8]) -> Declared {
    let label = label.trim_ascii().to_ascii_lowercase();
    match &*label {
        b"utf-8" | b"utf8" | b"unicode-1-1-utf-8" | b"unicode11utf8" | b"unicode20utf8" | b"x-unicode20utf8" => {
            Declared::Utf8
        }
        b"utf-16" | b"utf-16le" | b"utf-16be" | b"unicode" | b"ucs-2" | b"iso-10646-ucs-2" => Declared::Utf8,
        _ => Declared::Other,
    }
}

/// In `@charset "…";`, which must be the first bytes, and written just so (CSS Syntax, "the input byte stream").
fn in_css(head: &[u8]) -> Declared {
    let label = head.strip_prefix(b"@charset \"").and_then(|rest| up_to(rest, b"\";"));
    label.map_or(Declared::Nothing, declared)
}

/// In `<?xml … encoding="…"?>`.
fn in_xml(head: &[u8]) -> Declared {
    let declaration = head.strip_prefix(b"<?xml").and_then(|rest| up_to(rest, b"?>"));
    let label = declaration.and_then(|declaration| {
        let (_, after) = cut_at(declaration, b"encoding")?;
        let value = after.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
        let (quote, value) = value.split_first()?;
        up_to(value, &[*quote])
    });
    label.map_or(Declared::Nothing, declared)
}

/// In `<meta charset=…>` or `<meta http-equiv=content-type content="…; charset=…">`, as the prescan finds it: tags and
/// comments are skipped, and nothing is known of elements.
fn in_html(head: &[u8]) -> Declared {
    let mut rest = head;
    while let Some(open) = rest.iter().position(|&byte| byte == b'<') {
        rest = &rest[open + 1..];
        if rest.starts_with(b"!--") {
            // `<!-->` is one.
            let Some((_, after)) = cut_at(&rest[1..], b"-->") else {
                break;
            };
            rest = after;
            continue;
        }
        let (is_end, name) = match rest.strip_prefix(b"/") {
            Some(name) => (true, name),
            None => (false, rest),
        };
        if !name.first().is_some_and(u8::is_ascii_alphabetic) {
            if is_end || rest.starts_with(b"!") || rest.starts_with(b"?") {
                let Some((_, after)) = cut_at(rest, b">") else {
                    break;
                };
                rest = after;
            }
            continue;
        }
        let ends = |byte: &u8| is_space(*byte) || matches!(byte, b'/' | b'>');
        let (name, after) = name.split_at(name.iter().position(ends).unwrap_or(name.len()));
        let is_meta = !is_end && name.eq_ignore_ascii_case(b"meta");
        rest = after;
        let mut meta = Meta::default();
        while let Some((name, value)) = attribute(&mut rest) {
            meta.add(&name, &value);
        }
        // It isn't taken if it ends behind the head.
        if is_meta
            && rest.starts_with(b">")
            && let Some(found) = meta.declared()
        {
            return found;
        }
    }
    Declared::Nothing
}

/// What a `meta` element says of the character set.
#[derive(Debug, Default)]
struct Meta {
    is_content_type: bool,
    charset: Option<Vec<u8>>,
    content: Option<Vec<u8>>,
}

impl Meta {
    /// Of each name the first counts.
    fn add(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b"http-equiv" => self.is_content_type |= value.eq_ignore_ascii_case(b"content-type"),
            b"charset" => {
                self.charset.get_or_insert_with(|| value.to_vec());
            }
            b"content" => {
                self.content.get_or_insert_with(|| value.to_vec());
            }
            _ => {}
        }
    }

    fn declared(&self) -> Option<Declared> {
        if let Some(charset) = &self.charset {
            return Some(declared(charset));
        }
        let content = self.content.as_ref().filter(|_| self.is_content_type)?;
        let mut rest = &**content;
        loop {
            rest = cut_at(rest, b"charset")?.1;
            let Some(value) = rest.trim_ascii_start().strip_prefix(b"=") else {
                continue;
            };
            let value = value.trim_ascii_start();
            let label = match value.first() {
                Some(quote @ (b'"' | b'\'')) => up_to(&value[1..], &[*quote])?,
                _ => value.split(|&byte| is_space(byte) || byte == b';').next()?,
            };
            return Some(declared(label));
        }
    }
}

/// The next attribute, in lower case. None at the tag's end, which is left, or at the end of all.
fn attribute(rest: &mut &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let skip = |rest: &mut &[u8], is: fn(u8) -> bool| {
        let count = rest.iter().position(|&byte| !is(byte)).unwrap_or(rest.len());
        let (skipped, after) = rest.split_at(count);
        *rest = after;
        skipped.to_ascii_lowercase()
    };
    skip(rest, |byte| is_space(byte) || byte == b'/');
    if rest.first().is_none_or(|&byte| byte == b'>') {
        return None;
    }
    // An equals sign at its beginning is the name's.
    let mut name = rest[..1].to_ascii_lowercase();
    *rest = &rest[1..];
    name.extend(skip(rest, |byte| {
        !is_space(byte) && !matches!(byte, b'=' | b'/' | b'>')
    }));
    skip(rest, is_space);
    let Some(value) = rest.strip_prefix(b"=") else {
        return Some((name, Vec::new()));
    };
    *rest = value;
    skip(rest, is_space);
    if let Some(quote @ (b'"' | b'\'')) = rest.first().copied() {
        let (value, after) = cut_at(&rest[1..], &[quote]).unwrap_or((&rest[1..], &[]));
        *rest = after;
        return Some((name, value.to_ascii_lowercase()));
    }
    Some((name, skip(rest, |byte| !is_space(byte) && byte != b'>')))
}

/// HTML's white space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ')
}

/// What stands before and behind the first `middle`.
fn cut_at<'a>(bytes: &'a [u8], middle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let start = bytes.windows(middle.len()).position(|window| window == middle)?;
    Some((&bytes[..start], &bytes[start + middle.len()..]))
}

fn up_to<'a>(bytes: &'a [u8], end: &[u8]) -> Option<&'a [u8]> {
    cut_at(bytes, end).map(|(before, _)| before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniffed(bytes: &[u8], piece: usize) -> Sniffed {
        let mut sniffer = Sniffer::new();
        for piece in bytes.chunks(piece) {
            sniffer.update(piece);
        }
        sniffer.finish()
    }

    #[test]
    fn utf8_is_known_whatever_it_is_read_in() {
        for (bytes, expected) in [
            (&b""[..], true),
            (b"plain", true),
            ("aü€😀z".as_bytes(), true),
            ("\u{feff}ü".as_bytes(), true),
            (b"caf\xe9", false),
            (b"caf\xe9 au lait", false),
            // The end is missing.
            (b"a\xf0\x9f\x98", false),
            (b"a\xc3", false),
            // Overlong, a surrogate, past Unicode.
            (b"\xc0\x80", false),
            (b"\xed\xa0\x80", false),
            (b"\xf4\x90\x80\x80", false),
            (b"\xff\xfea\0", false),
        ] {
            for piece in 1..=7 {
                assert_eq!(sniffed(bytes, piece).is_utf8, expected, "{bytes:?} by {piece}");
            }
        }
        let late = [&[b'a'; 3000][..], b"\xe9"].concat();
        assert!(!sniffed(&late, 128).is_utf8);
    }

    #[test]
    fn a_page_declares_as_browsers_read_it() {
        for (page, expected) in [
            ("<meta charset=utf-8>", Declared::Utf8),
            (
                "<!doctype html><html lang=de><head><META CharSet='UTF8' />",
                Declared::Utf8,
            ),
            ("<meta charset = \"iso-8859-1\">", Declared::Other),
            ("<meta name=a content=b charset=shift_jis>", Declared::Other),
            ("<meta/charset=koi8-r>", Declared::Other),
            (
                "<meta http-equiv=\"Content-Type\" content=\"text/html; charset=ISO-8859-1\">",
                Declared::Other,
            ),
            (
                "<meta content='text/html;charset = \"utf-8\"' http-equiv=content-type>",
                Declared::Utf8,
            ),
            (
                "<meta content='charsets; charset=x' http-equiv=content-type>",
                Declared::Other,
            ),
            // Read as ASCII, it can't be UTF-16.
            ("<meta charset=utf-16le>", Declared::Utf8),
            ("<?xml version='1.0' encoding='iso-8859-15'?><html>", Declared::Other),
            (
                "<?xml version='1.0' encoding='iso-8859-15'?><meta charset=utf-8>",
                Declared::Utf8,
            ),
            ("\u{feff}<meta charset=latin1>", Declared::Utf8),
            ("", Declared::Nothing),
            ("<p>charset=latin1", Declared::Nothing),
            ("<!-- <meta charset=latin1> -->", Declared::Nothing),
            ("<!-- <meta charset=latin1> --><meta charset=utf-8>", Declared::Utf8),
            ("<!--><meta charset=latin1>", Declared::Other),
            ("<a title='<meta charset=latin1>'>", Declared::Nothing),
            ("</meta charset=latin1>", Declared::Nothing),
            ("<! <meta charset=latin1>", Declared::Nothing),
            ("<metadata charset=latin1>", Declared::Nothing),
            ("<meta content='text/html; charset=latin1'>", Declared::Nothing),
            ("<meta name=description content='charset=latin1'>", Declared::Nothing),
            ("<meta charset=latin1", Declared::Nothing),
            ("<meta data-charset=latin1>", Declared::Nothing),
            ("a < b <meta charset=latin1>", Declared::Other),
            (&format!("{}<meta charset=latin1>", " ".repeat(1003)), Declared::Other),
            (&format!("{}<meta charset=latin1>", " ".repeat(1004)), Declared::Nothing),
        ] {
            for piece in [1, 5, 4096] {
                assert_eq!(sniffed(page.as_bytes(), piece).html, expected, "{page}");
            }
        }
    }

    #[test]
    fn style_sheets_and_xml_declare_at_their_beginnings() {
        for (text, css, xml) in [
            ("@charset \"iso-8859-1\";", Declared::Other, Declared::Nothing),
            ("@charset \"utf-8\";", Declared::Utf8, Declared::Nothing),
            ("@charset 'iso-8859-1';", Declared::Nothing, Declared::Nothing),
            (" @charset \"iso-8859-1\";", Declared::Nothing, Declared::Nothing),
            (
                "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>",
                Declared::Nothing,
                Declared::Other,
            ),
            (
                "<?xml version='1.0' encoding = 'utf-8' ?>",
                Declared::Nothing,
                Declared::Utf8,
            ),
            (
                "<?xml version='1.0'?><a encoding='latin1'/>",
                Declared::Nothing,
                Declared::Nothing,
            ),
            ("<a encoding='latin1'/>", Declared::Nothing, Declared::Nothing),
        ] {
            let found = sniffed(text.as_bytes(), 4096);
            assert_eq!((found.css, found.xml), (css, xml), "{text}");
        }
    }

    #[test]
    fn a_files_beginning_tells_what_it_is() {
        let packets = |before: &[u8]| -> Vec<u8> {
            let packet = [before, &[0x47], &[0xff; 187]].concat();
            packet.repeat(3)
        };
        for (bytes, magic, shape) in [
            (&b"\x1f\x8b\x08"[..], Some(Magic::Gzip), Shape::Binary),
            (b"\x28\xb5\x2f\xfd\x00", Some(Magic::Zstandard), Shape::Binary),
            (&packets(b""), Some(Magic::MpegTs), Shape::Binary),
            (&packets(b"\0\0\0\0"), Some(Magic::MpegTs), Shape::Binary),
            (b"Good day", None, Shape::Text),
            (b"", None, Shape::Text),
            (b" \n{\"a\": 1}", None, Shape::Json),
            (b"\xef\xbb\xbf[]", None, Shape::Json),
            (b"\n<!DOCTYPE HTML>", None, Shape::Html),
            (b"<HTML>", None, Shape::Html),
            (b"{\0", None, Shape::Binary),
            (b"caf\xe9", None, Shape::Binary),
        ] {
            let found = sniffed(bytes, 100);
            assert_eq!((found.magic, found.shape), (magic, shape), "{bytes:?}");
        }
        // The letter is nothing by itself.
        assert_eq!(sniffed(b"Go", 100).magic, None);
    }
}
