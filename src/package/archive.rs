//! The zip that Lambda unpacks: made from a binary, or looked into when somebody else made it.

use std::borrow::Cow;
use std::fmt;
use std::io::{Cursor, Read, Write};

use zip::result::{ZipError, ZipResult};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// The name Lambda starts, at the root of the package.
pub(super) const BOOTSTRAP: &str = "bootstrap";

/// The most that a package's files may have together, in bytes:
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub(super) const MAX_UNPACKED: u64 = 262_144_000;

/// Lambda runs the function as a user of its own: that user must be able to read it and to execute it.
const BY_EVERYONE: u32 = 0o005;

/// Why Lambda couldn't start a package.
#[derive(Debug)]
pub(super) enum Unusable {
    /// It can't be read.
    Broken(ZipError),
    /// It has no files.
    Empty,
    /// It has files, these among them, but none with the name that Lambda starts.
    NoBootstrap(Vec<String>),
    /// The file has this mode.
    NotExecutable(Option<u32>),
    /// Its files have more bytes than Lambda unpacks.
    TooLarge(u64),
}

/// What is in a package that somebody made.
#[derive(Debug)]
pub(super) struct Contents {
    /// The program.
    pub(super) bootstrap: Vec<u8>,
    /// All files' paths.
    pub(super) files: Vec<String>,
}

/// Whether the content is a zip, by its first bytes: those of a file's entry, or of an archive without any.
pub(super) fn is_zip(content: &[u8]) -> bool {
    content.starts_with(b"PK\x03\x04") || content.starts_with(b"PK\x05\x06")
}

/// A zip of `binary` as an executable `bootstrap`; the same bytes for the same binary, so without a time.
pub(super) fn pack(binary: &[u8]) -> ZipResult<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    archive.start_file(BOOTSTRAP, options)?;
    archive.write_all(binary)?;
    Ok(archive.finish()?.into_inner())
}

/// Looks into a package.
pub(super) fn open(zip: &[u8]) -> Result<Contents, Unusable> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(Unusable::Broken)?;
    let names = archive.file_names().map(|name| name.map(Cow::into_owned));
    let files: Vec<String> = names.collect::<ZipResult<_>>().map_err(Unusable::Broken)?;
    if files.is_empty() {
        return Err(Unusable::Empty);
    }
    let mut bytes = 0u64;
    for index in 0..archive.len() {
        bytes = bytes.saturating_add(archive.by_index_raw(index).map_err(Unusable::Broken)?.size());
    }
    if bytes > MAX_UNPACKED {
        return Err(Unusable::TooLarge(bytes));
    }
    let Some(name) = files.iter().find(|file| file.trim_start_matches("./") == BOOTSTRAP) else {
        return Err(Unusable::NoBootstrap(files));
    };
    let entry = archive.by_name(name).map_err(Unusable::Broken)?;
    let mode = entry.unix_mode();
    if mode.is_none_or(|mode| mode & BY_EVERYONE != BY_EVERYONE) {
        return Err(Unusable::NotExecutable(mode));
    }
    let mut bootstrap = Vec::new();
    // What an entry says of its size needn't be true.
    let read = entry.take(MAX_UNPACKED + 1).read_to_end(&mut bootstrap);
    let read = read.map_err(|error| Unusable::Broken(ZipError::Io(error)))?;
    if read as u64 > MAX_UNPACKED {
        return Err(Unusable::TooLarge(read as u64));
    }
    Ok(Contents { bootstrap, files })
}

impl Unusable {
    /// What to do about it.
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            Self::Broken(_) | Self::Empty => {
                "Make it anew: `deployer package` writes one, or give the binary itself to --function-package."
            }
            Self::NoBootstrap(_) => {
                "Zip the binary as `bootstrap`, without a folder (`zip -j function.zip bootstrap`), or give the binary \
                 itself to --function-package."
            }
            Self::NotExecutable(_) => {
                "`chmod 755 bootstrap`, then zip it again; or give the binary itself to --function-package."
            }
            Self::TooLarge(_) => "Leave out what the function doesn't need; a stripped binary has a few megabytes.",
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(error) => write!(f, "it can't be read as a zip: {error}"),
            Self::Empty => f.write_str("it is a zip without any files"),
            Self::NoBootstrap(files) => {
                let some: Vec<&str> = files.iter().take(3).map(String::as_str).collect();
                write!(f, "it has no file `{BOOTSTRAP}` at its root, but {}", some.join(", "))?;
                if files.len() > some.len() {
                    write!(f, " and {} more", files.len() - some.len())?;
                }
                Ok(())
            }
            Self::NotExecutable(Some(mode)) => write!(
                f,
                "its `{BOOTSTRAP}` has the mode {:04o}, so that Lambda's user can't execute it",
                mode & 0o7777
            ),
            Self::NotExecutable(None) => write!(f, "its `{BOOTSTRAP}` isn't marked as executable"),
            Self::TooLarge(bytes) => write!(
                f,
                "unpacked it has at least {bytes} bytes, and Lambda takes {MAX_UNPACKED} (250 MB)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zip(files: &[(&str, u32)]) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, mode) in files {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
                .unix_permissions(*mode);
            archive.start_file(*name, options).expect("a file");
            archive.write_all(b"content").expect("written");
        }
        archive.finish().expect("a zip").into_inner()
    }

    fn refusal(zip: &[u8]) -> String {
        open(zip).expect_err("it isn't usable").to_string()
    }

    #[test]
    fn a_package_is_reproducible_and_executable() {
        let binary: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        let packed = pack(&binary).expect("packs");
        assert_eq!(packed, pack(&binary).expect("packs"));
        assert!(is_zip(&packed));
        let mut archive = ZipArchive::new(Cursor::new(&packed)).expect("a zip");
        let entry = archive.by_name(BOOTSTRAP).expect("bootstrap");
        assert_eq!(entry.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        drop(entry);
        let contents = open(&packed).expect("usable");
        assert_eq!(contents.bootstrap, binary);
        assert_eq!(contents.files, [BOOTSTRAP]);
    }

    #[test]
    fn other_files_may_come_along() {
        let contents = open(&zip(&[("lib/libssl.so.3", 0o644), ("./bootstrap", 0o755)])).expect("usable");
        assert_eq!(contents.bootstrap, b"content");
        assert!(contents.files.iter().any(|file| file == "lib/libssl.so.3"));
    }

    #[test]
    fn each_way_of_being_unusable_has_its_words() {
        assert_eq!(refusal(&zip(&[])), "it is a zip without any files");
        assert!(is_zip(&zip(&[])));
        assert_eq!(
            refusal(&zip(&[("bootstrap/bootstrap", 0o755)])),
            "it has no file `bootstrap` at its root, but bootstrap/bootstrap"
        );
        let many = ["a", "b", "c", "d", "e"].map(|name| (name, 0o755));
        assert_eq!(
            refusal(&zip(&many)),
            "it has no file `bootstrap` at its root, but a, b, c and 2 more"
        );
        assert_eq!(
            refusal(&zip(&[(BOOTSTRAP, 0o644)])),
            "its `bootstrap` has the mode 0644, so that Lambda's user can't execute it"
        );
        assert!(
            refusal(&zip(&[(BOOTSTRAP, 0o700)])).contains("0700"),
            "only its owner may"
        );
        let whole = zip(&[(BOOTSTRAP, 0o755)]);
        assert!(refusal(&whole[..whole.len() - 10]).starts_with("it can't be read as a zip: "));
        let mut damaged = whole;
        damaged[40..44].fill(0xff);
        assert!(refusal(&damaged).starts_with("it can't be read as a zip: "));
    }

    #[test]
    fn more_than_lambda_unpacks_is_refused() {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        archive
            .start_file(BOOTSTRAP, options.unix_permissions(0o755))
            .expect("a file");
        archive.write_all(b"content").expect("written");
        archive.start_file("data", options).expect("a file");
        let megabyte = vec![0; 1_000_000];
        for _ in 0..263 {
            archive.write_all(&megabyte).expect("written");
        }
        let zip = archive.finish().expect("a zip").into_inner();
        assert_eq!(
            refusal(&zip),
            "unpacked it has at least 263000007 bytes, and Lambda takes 262144000 (250 MB)"
        );
    }
}
