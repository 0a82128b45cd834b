//! `integrity` attributes (Subresource Integrity): a browser refuses a file whose hash isn't there. When a style sheet's
//! references change, so do its hashes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Sha256, Sha384, Sha512};

/// A file's hashes as the author knows them, with those of what is published.
#[derive(Debug)]
pub(super) struct Digests([(&'static str, String, String); 3]);

impl Digests {
    pub(super) fn of(file: &[u8], published: &[u8]) -> Self {
        fn pair<D: sha2::Digest>(name: &'static str, file: &[u8], published: &[u8]) -> (&'static str, String, String) {
            let of = |bytes| STANDARD.encode(D::digest(bytes));
            (name, of(file), of(published))
        }
        Self([
            pair::<Sha256>("sha256", file, published),
            pair::<Sha384>("sha384", file, published),
            pair::<Sha512>("sha512", file, published),
        ])
    }

    /// What is published, in short.
    pub(super) fn published(&self) -> &str {
        &self.0[0].2
    }

    /// The attribute's value with the file's hashes replaced by those of what is published. A hash that isn't the file's
    /// stays: the browser shall refuse what the author didn't vouch for, as it did before.
    pub(super) fn follow(&self, value: &str) -> Option<String> {
        let mut new = value.to_owned();
        for token in value.split_ascii_whitespace() {
            let (hash, _options) = token.split_once('?').unwrap_or((token, ""));
            let Some((name, digest)) = hash.split_once('-') else {
                continue;
            };
            let known = self
                .0
                .iter()
                .find(|(known, file, _)| name.eq_ignore_ascii_case(known) && digest == file);
            if let Some((_, file, published)) = known {
                new = new.replace(file, published);
            }
        }
        (new != value).then_some(new)
    }
}

#[cfg(test)]
mod tests {
    use sha2::Digest as _;

    use super::*;

    #[test]
    fn the_files_hashes_follow_and_others_stay() {
        let digests = Digests::of(b"a{}", b"b{}");
        let of = |bytes: &[u8]| {
            [
                STANDARD.encode(Sha256::digest(bytes)),
                STANDARD.encode(Sha384::digest(bytes)),
                STANDARD.encode(Sha512::digest(bytes)),
            ]
        };
        let (a, b, other) = (of(b"a{}"), of(b"b{}"), of(b"c{}"));
        for (value, expected) in [
            (format!("sha256-{}", a[0]), Some(format!("sha256-{}", b[0]))),
            (format!("SHA384-{}", a[1]), Some(format!("SHA384-{}", b[1]))),
            (
                format!(" sha512-{}?x\n sha256-{} md5-{}", a[2], other[0], a[0]),
                Some(format!(" sha512-{}?x\n sha256-{} md5-{}", b[2], other[0], a[0])),
            ),
            (format!("sha256-{}", other[0]), None),
            (format!("sha384-{}", a[0]), None),
            ("nonsense".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(digests.follow(&value), expected, "{value}");
        }
    }
}
