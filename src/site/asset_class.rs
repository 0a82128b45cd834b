//! What a file is, by its name's extension.

use std::path::Path;

use mime_guess::MimeGuess;

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
        let guess = MimeGuess::from_path(Path::new(key)).first_raw();
        match guess.and_then(|guess| guess.split_once('/')).unwrap_or_default() {
            ("text", "html") => Self::Page,
            ("text", "css") => Self::Style,
            ("text" | "application", "javascript") => Self::Script,
            ("image" | "font", _) | ("application", "vnd.ms-fontobject" | "font-woff" | "font-sfnt") => Self::Media,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
