//! What a file is, by its name's extension.

use std::path::Path;

use mime_guess::{Mime, MimeGuess};

/// What fingerprinting has to know of a file's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AssetClass {
    /// HTML: never under another name, since visitors and search engines have its address.
    Page,
    /// A style sheet.
    Style,
    /// A script.
    Script,
    /// An image or a font.
    Media,
    /// Anything else: data, documents, video and audio, all fetched by names that only their users know.
    Other,
}

impl AssetClass {
    /// Of the file with this key.
    pub(super) fn of(key: &str) -> Self {
        let guess = guess(Path::new(key));
        match (guess.type_().as_str(), guess.subtype().as_str()) {
            ("text", "html") => Self::Page,
            ("text", "css") => Self::Style,
            ("text" | "application", "javascript") => Self::Script,
            ("image" | "font", _) | ("application", "vnd.ms-fontobject" | "font-woff" | "font-sfnt") => Self::Media,
            _ => Self::Other,
        }
    }
}

fn guess(path: &Path) -> Mime {
    MimeGuess::from_path(path).first_or_octet_stream()
}

/// The type by extension, with the character set where there is text.
pub(super) fn content_type(path: &Path) -> String {
    let guess = guess(path);
    let text = guess.type_() == "text"
        || matches!(
            guess.subtype().as_str(),
            "javascript" | "json" | "xml" | "manifest+json"
        )
        || guess.suffix().is_some_and(|suffix| suffix == "xml" || suffix == "json");
    if text && guess.get_param("charset").is_none() {
        format!("{guess}; charset=utf-8")
    } else {
        guess.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_their_character_set() {
        for (name, expected) in [
            ("index.html", "text/html; charset=utf-8"),
            ("script.js", "text/javascript; charset=utf-8"),
            ("style.css", "text/css; charset=utf-8"),
            ("config.json", "application/json; charset=utf-8"),
            ("favicon.svg", "image/svg+xml; charset=utf-8"),
            ("photo.jpg", "image/jpeg"),
            ("font.woff2", "font/woff2"),
            ("unknown.zzz", "application/octet-stream"),
        ] {
            assert_eq!(content_type(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn only_what_pages_load_is_an_asset() {
        for (names, expected) in [
            (&["index.html", "a/old.HTM"][..], AssetClass::Page),
            (&["style.css", "STYLE.CSS"], AssetClass::Style),
            (&["app.js", "module.mjs"], AssetClass::Script),
            (
                &[
                    "a.png", "a.jpg", "a.jpeg", "a.gif", "a.webp", "a.avif", "a.svg", "a.ico", "a.woff", "a.woff2",
                    "a.ttf", "a.otf", "a.eot",
                ],
                AssetClass::Media,
            ),
            (
                &[
                    "app.webmanifest",
                    "data.json",
                    "feed.xml",
                    "robots.txt",
                    "app.wasm",
                    "film.mp4",
                    "song.mp3",
                    "paper.pdf",
                    "app.js.map",
                    "noextension",
                    "CNAME",
                ],
                AssetClass::Other,
            ),
        ] {
            for name in names {
                assert_eq!(AssetClass::of(name), expected, "{name}");
            }
        }
    }
}
