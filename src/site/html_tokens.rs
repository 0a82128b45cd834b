//! The tokens of a page, or of a part of it, from the tokenizer that Cloudflare rewrites pages with.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use lol_html::html_content::{Element, TextChunk};
use lol_html::{ElementContentHandlers, HtmlRewriter, Selector, Settings};

/// A selector that is parsed once.
pub(super) type Parsed = LazyLock<Option<Selector>>;

/// Those with a text that is no text to browsers.
static TEXTS: Parsed = LazyLock::new(|| "style,script,noscript".parse().ok());

/// Gives `element` the elements of a part of a page that are selected, and `text` what stands in those that have styles,
/// scripts or other markup for a text. Places are counted from the part's beginning.
///
/// # Errors
/// The tokenizer gives up, which it has no reason to.
pub(super) fn each(
    page: &str,
    part: Range<usize>,
    elements: &'static Parsed,
    mut element: impl FnMut(&Element<'_, '_>),
    mut text: impl FnMut(&TextChunk<'_>),
) -> Result<(), String> {
    let selector = |selector: &'static Parsed| {
        let selector = LazyLock::force(selector).as_ref();
        selector.map(Cow::Borrowed).ok_or("a selector is wrong")
    };
    let on_element = ElementContentHandlers::default().element(|found: &mut Element<'_, '_>| {
        element(found);
        Ok(())
    });
    let on_text = ElementContentHandlers::default().text(|chunk: &mut TextChunk<'_>| {
        text(chunk);
        Ok(())
    });
    let settings = Settings::new()
        // Else it refuses pages in which only a tree builder could tell what is text.
        .with_strict(false)
        .append_element_content_handler((selector(elements)?, on_element))
        .append_element_content_handler((selector(&TEXTS)?, on_text));
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    let part = page.get(part).ok_or("a part of a page is none")?;
    rewriter.write(part.as_bytes()).map_err(|error| error.to_string())?;
    rewriter.end().map_err(|error| error.to_string())
}
