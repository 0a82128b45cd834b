//! References in HTML, found by a real tokenizer (the one that Cloudflare rewrites pages with) and changed by their places
//! alone, so that all else of a page stays as it is, however odd.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::LazyLock;

use lol_html::html_content::{Element, TextChunk, TextType};

use super::css::{self, Place};
use super::edit::{Edit, apply};
use super::reference::{Base, hashed_name, target};
use super::srcset;
use crate::site::content_hash::ContentHash;
use crate::site::html_tokens::{self, Parsed};

/// What is asked of a page's references.
pub(super) trait Targets {
    /// The mark that the file with this key has in its new name; none if it has no other name.
    fn mark(&self, key: &str) -> Option<ContentHash>;

    /// An `integrity` attribute for the file with this key that says the same of what is published as `value` says of the
    /// file; none if that needs no change.
    fn integrity(&self, key: &str, value: &str) -> Option<String>;

    /// Where the text of a script or an import map is.
    fn script(&self, place: Range<usize>);

    /// Where a reference is, or a text with references, that is followed if it leads to a file of the site.
    fn understood(&self, place: Range<usize>);

    /// Where a link leads that a visitor may follow.
    fn link(&self, href: &str);
}

/// The changes that make the references of the page with this key follow the files' new names.
///
/// # Errors
/// The tokenizer gives up, which it has no reason to.
pub(super) fn edits(page: &str, key: &str, targets: &dyn Targets) -> Result<Vec<Edit>, String> {
    let finder = RefCell::new(Finder {
        page,
        targets,
        base: Base::of(key),
        has_base: false,
        has_hashes: false,
        within: Within::Other,
        text: None,
        noscripts: Vec::new(),
        edits: Vec::new(),
    });
    find(0..page.len(), &finder)?;
    // What is in there is text to browsers that run scripts, and HTML to others.
    let noscripts = std::mem::take(&mut finder.borrow_mut().noscripts);
    for range in noscripts {
        // A base in there is for those others alone.
        finder.borrow_mut().has_base = true;
        find(range, &finder)?;
    }
    let mut edits = finder.into_inner().edits;
    edits.sort_by_key(|edit| edit.range.start);
    Ok(edits)
}

/// Elements whose attributes refer to files, or say how others do, and those with a text that does.
static ELEMENTS: Parsed = LazyLock::new(|| {
    "a,link,script,style,noscript,img,source,video,audio,input,image,use,feImage,base,meta,[style]"
        .parse()
        .ok()
});

/// Looks at a part of the page.
fn find(part: Range<usize>, finder: &RefCell<Finder<'_>>) -> Result<(), String> {
    let (page, offset) = (finder.borrow().page, part.start);
    html_tokens::each(
        page,
        part,
        &ELEMENTS,
        |element| finder.borrow_mut().element(element, offset),
        |chunk| finder.borrow_mut().text(chunk, offset),
    )
}

/// The element that was opened last, of those whose text counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Style,
    Script,
    Noscript,
    /// Another, or a style in another language.
    Other,
}

struct Finder<'a> {
    page: &'a str,
    targets: &'a dyn Targets,
    base: Base,
    /// The first `<base href>` counts.
    has_base: bool,
    /// The page's security policy has hashes, perhaps of its styles, which would be refused if they changed.
    has_hashes: bool,
    within: Within,
    /// What came of a text that isn't whole yet.
    text: Option<Range<usize>>,
    /// Where the contents of the `noscript` elements are.
    noscripts: Vec<Range<usize>>,
    edits: Vec<Edit>,
}

/// An attribute's value as it is written and as it is meant.
struct Value<'a> {
    start: usize,
    written: &'a str,
    meant: Cow<'a, str>,
}

impl Value<'_> {
    fn place(&self) -> Range<usize> {
        self.start..self.start + self.written.len()
    }
}

impl<'a> Finder<'a> {
    fn element(&mut self, element: &Element<'_, '_>, offset: usize) {
        let page = self.page;
        let value = |name: &str| {
            // The first of several counts.
            let attribute = element.attributes().iter().find(|attribute| attribute.name() == name)?;
            let place = attribute.value_source_location()?.bytes();
            let written = &page[offset + place.start..offset + place.end];
            Some(Value {
                start: offset + place.start,
                written,
                meant: htmlize::unescape_attribute(written),
            })
        };
        let is = |name: &str, expected: &str| {
            value(name).is_some_and(|value| value.meant.trim_ascii().eq_ignore_ascii_case(expected))
        };
        match element.tag_name().as_str() {
            "a" => {
                if let Some(href) = value("href") {
                    self.targets.link(&href.meant);
                }
            }
            "link" => {
                let rel = value("rel");
                let mut rels = rel.iter().flat_map(|rel| rel.meant.split_ascii_whitespace());
                // What a script fetches it fetches by the name that it knows.
                if rels.any(loads) && !is("as", "fetch") {
                    self.reference(value("href"), value("integrity"));
                    self.srcset(value("imagesrcset"));
                }
            }
            "script" => {
                self.within = Within::Script;
                self.reference(value("src"), value("integrity"));
            }
            "noscript" => self.within = Within::Noscript,
            "img" | "source" => {
                self.reference(value("src"), None);
                self.srcset(value("srcset"));
            }
            "video" => {
                self.reference(value("src"), None);
                self.reference(value("poster"), None);
            }
            "audio" => self.reference(value("src"), None),
            "input" if is("type", "image") => self.reference(value("src"), None),
            "image" | "use" | "feimage" => {
                self.reference(value("href"), None);
                self.reference(value("xlink:href"), None);
            }
            "base" if !self.has_base => {
                if let Some(href) = value("href") {
                    self.has_base = true;
                    self.base = self.base.with(&href.meant);
                }
            }
            "meta" if is("http-equiv", "content-security-policy") => {
                self.has_hashes |= value("content").is_some_and(|policy| policy.meant.contains("'sha"));
            }
            "style" => {
                let kind = value("type").map(|kind| kind.meant.to_ascii_lowercase());
                let is_css = matches!(kind.as_deref(), None | Some("" | "text/css"));
                self.within = if is_css { Within::Style } else { Within::Other };
            }
            _ => {}
        }
        if let Some(style) = value("style")
            && !self.has_hashes
        {
            self.targets.understood(style.place());
            let edits = css::edits(&style.meant, Place::Attribute, &mut |reference, _| {
                self.renamed(reference)
            });
            self.change(&style, edits);
        }
    }

    fn reference(&mut self, value: Option<Value<'a>>, integrity: Option<Value<'a>>) {
        let Some(value) = value else {
            return;
        };
        self.targets.understood(value.place());
        if let Some(integrity) = integrity
            && let Some(key) = target(&value.meant, &self.base)
            && let Some(new) = self.targets.integrity(&key, &integrity.meant)
        {
            let edit = Edit::between(0, &integrity.meant, &new);
            self.change(&integrity, vec![edit]);
        }
        if let Some(new) = self.renamed(&value.meant) {
            let edit = Edit::between(0, &value.meant, &new);
            self.change(&value, vec![edit]);
        }
    }

    fn srcset(&mut self, value: Option<Value<'a>>) {
        if let Some(value) = value {
            self.targets.understood(value.place());
            let edits = srcset::edits(&value.meant, |reference| self.renamed(reference));
            self.change(&value, edits);
        }
    }

    fn renamed(&self, reference: &str) -> Option<String> {
        let key = target(reference, &self.base)?;
        hashed_name(reference, &key, self.targets.mark(&key)?)
    }

    /// `edits` are of the value as it is meant.
    fn change(&mut self, value: &Value<'_>, edits: Vec<Edit>) {
        if edits.is_empty() {
            return;
        }
        let is_quoted = self.page[..value.start].ends_with(['"', '\'']);
        if value.meant == value.written {
            self.edits.extend(edits.into_iter().map(|edit| Edit {
                text: escaped(&edit.text, is_quoted),
                ..edit.moved_by(value.start)
            }));
        } else {
            self.edits.push(Edit {
                range: value.start..value.start + value.written.len(),
                text: escaped(&apply(&value.meant, &edits), is_quoted),
            });
        }
    }

    fn text(&mut self, chunk: &TextChunk<'_>, offset: usize) {
        let place = chunk.source_location().bytes();
        let range = self.text.get_or_insert(offset + place.start..offset + place.end);
        range.end = offset + place.end;
        if chunk.last_in_text_node()
            && let Some(range) = self.text.take()
        {
            match self.within {
                Within::Style => self.style(range, chunk.text_type()),
                Within::Script => self.targets.script(range),
                Within::Noscript if chunk.text_type() == TextType::RawText => self.noscripts.push(range),
                Within::Noscript | Within::Other => {}
            }
        }
    }

    fn style(&mut self, range: Range<usize>, kind: TextType) {
        let css = &self.page[range.clone()];
        // In SVG a style is text like any other, in which `&` begins an entity.
        if self.has_hashes || (kind == TextType::Data && css.contains('&')) {
            return;
        }
        self.targets.understood(range.clone());
        let edits = css::edits(css, Place::Sheet, &mut |reference, _| self.renamed(reference));
        // It can't be escaped there.
        let harmless = edits.into_iter().filter(|edit| !edit.text.contains(['<', '&']));
        self.edits.extend(harmless.map(|edit| edit.moved_by(range.start)));
    }
}

/// Whether a link with this relation has the browser load what pages load as well.
fn loads(rel: &str) -> bool {
    [
        "stylesheet",
        "icon",
        "apple-touch-icon",
        "apple-touch-icon-precomposed",
        "mask-icon",
        "preload",
        "modulepreload",
        "prefetch",
    ]
    .iter()
    .any(|known| rel.eq_ignore_ascii_case(known))
}

/// Text for an attribute's value.
fn escaped(text: &str, is_quoted: bool) -> String {
    let mut escaped = htmlize::escape_all_quotes(text).into_owned();
    if !is_quoted {
        for (c, entity) in [
            ('=', "&#61;"),
            ('`', "&#96;"),
            (' ', "&#32;"),
            ('\t', "&#9;"),
            ('\n', "&#10;"),
        ] {
            escaped = escaped.replace(c, entity);
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
