//! The zip that Lambda unpacks: made from files, or looked into when somebody else made it.

use std::borrow::Cow;
use std::fmt;
use std::io::{Read, Seek, Write, copy};
use std::path::Path;

use zip::result::{ZipError, ZipResult};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::snapshot::{Snapshot, Trouble};

/// The name Lambda starts, at the root of the package.
pub(super) const BOOTSTRAP: &str = "bootstrap";

/// The most that a package's files may have together, in bytes:
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub(super) const MAX_UNPACKED_BYTES: u64 = 262_144_000;

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
    /// There is no room to look into it.
    NoRoom(std::io::Error),
}

/// What is in a package that somebody made.
#[derive(Debug)]
pub(super) struct Contents {
    /// All files' paths.
    pub(super) files: Vec<String>,
    /// The one that is called [`BOOTSTRAP`], if Lambda's user can execute it; else its mode.
    pub(super) bootstrap: Option<Result<String, Option<u32>>>,
}

/// A file that is to be packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its path in the package.
    pub(super) name: String,
    /// Whether it is a program.
    pub(super) executable: bool,
    /// Its size in bytes.
    pub(super) length: u64,
}

impl Entry {
    /// A program alone.
    pub(super) fn bootstrap(length: u64) -> Self {
        Self {
            name: BOOTSTRAP.to_owned(),
            executable: true,
            length,
        }
    }
}

/// Whether the content is a zip, by its first bytes: those of a file's entry, or of an archive without any.
pub(super) fn is_zip(content: &[u8]) -> bool {
    content.starts_with(b"PK\x03\x04") || content.starts_with(b"PK\x05\x06")
}

/// Writes a zip of `entries`, whose contents `data` has one after the other; the same bytes for the same files, so without
/// times.
pub(super) fn pack(data: &Snapshot, entries: &[Entry], zip: impl Write + Seek) -> ZipResult<()> {
    let mut archive = ZipWriter::new(zip);
    let mut data = data.reader();
    for entry in entries {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(if entry.executable { 0o755 } else { 0o644 });
        archive.start_file(&*entry.name, options)?;
        copy(&mut data.by_ref().take(entry.length), &mut archive)?;
    }
    archive.finish()?.flush()?;
    Ok(())
}

/// Looks into a package.
pub(super) fn open(zip: &Snapshot) -> Result<Contents, Unusable> {
    let mut archive = ZipArchive::new(zip.reader()).map_err(Unusable::Broken)?;
    let names = archive.file_names().map(|name| name.map(Cow::into_owned));
    let files: Vec<String> = names.collect::<ZipResult<_>>().map_err(Unusable::Broken)?;
    if files.is_empty() {
        return Err(Unusable::Empty);
    }
    let mut bytes = 0u64;
    for index in 0..archive.len() {
        bytes = bytes.saturating_add(archive.by_index_raw(index).map_err(Unusable::Broken)?.size());
    }
    if bytes > MAX_UNPACKED_BYTES {
        return Err(Unusable::TooLarge(bytes));
    }
    let bootstrap = match files.iter().find(|file| file.trim_start_matches("./") == BOOTSTRAP) {
        None => None,
        Some(name) => {
            let mode = archive.by_name(name).map_err(Unusable::Broken)?.unix_mode();
            let executable = mode.is_some_and(|mode| mode & BY_EVERYONE == BY_EVERYONE);
            Some(if executable { Ok(name.clone()) } else { Err(mode) })
        }
    };
    Ok(Contents { files, bootstrap })
}

impl Contents {
    /// The name of the program that Lambda starts.
    ///
    /// # Errors
    /// There is none, or Lambda's user can't execute it.
    pub(super) fn program(&self) -> Result<&str, Unusable> {
        match &self.bootstrap {
            None => Err(Unusable::NoBootstrap(self.files.clone())),
            Some(Err(mode)) => Err(Unusable::NotExecutable(*mode)),
            Some(Ok(name)) => Ok(name),
        }
    }
}

/// Takes a file out of a package, to the disk of `folder`.
pub(super) fn take_out(zip: &Snapshot, name: &str, folder: &Path) -> Result<Snapshot, Unusable> {
    let mut archive = ZipArchive::new(zip.reader()).map_err(Unusable::Broken)?;
    let entry = archive.by_name(name).map_err(Unusable::Broken)?;
    // What an entry says of its size needn't be true.
    let file = Snapshot::take(entry, MAX_UNPACKED_BYTES + 1, folder).map_err(|trouble| match trouble {
        Trouble::Original(error) => Unusable::Broken(ZipError::Io(error)),
        Trouble::Copy(error) => Unusable::NoRoom(error),
    })?;
    if file.length > MAX_UNPACKED_BYTES {
        return Err(Unusable::TooLarge(file.length));
    }
    Ok(file)
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
            Self::NoRoom(_) => "Make room where temporary files are, or set TMPDIR to a folder that has it.",
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
            Self::NoRoom(error) => write!(f, "what is in it can't be written to a temporary file: {error}"),
            Self::TooLarge(bytes) => write!(
                f,
                "unpacked it has at least {bytes} bytes, and Lambda takes {MAX_UNPACKED_BYTES} (250 MB)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::snapshot::Hash;
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
        opened(zip).expect_err("it isn't usable").to_string()
    }

    fn snapshot(content: &[u8]) -> Snapshot {
        Snapshot::take(content, u64::MAX, &std::env::temp_dir()).expect("copied")
    }

    /// What is in a package, and its program.
    fn opened(zip: &[u8]) -> Result<(Contents, Snapshot), Unusable> {
        let zip = snapshot(zip);
        let contents = open(&zip)?;
        let program = take_out(&zip, contents.program()?, &std::env::temp_dir())?;
        Ok((contents, program))
    }

    fn packed(data: &Snapshot, entries: &[Entry]) -> Vec<u8> {
        let mut zip = Cursor::new(Vec::new());
        pack(data, entries, &mut zip).expect("packs");
        zip.into_inner()
    }

    #[test]
    fn a_package_is_reproducible_and_executable() {
        let binary: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        let data = snapshot(&binary);
        let zip = packed(&data, &[Entry::bootstrap(data.length)]);
        assert_eq!(zip, packed(&data, &[Entry::bootstrap(data.length)]));
        assert!(is_zip(&zip));
        let mut archive = ZipArchive::new(Cursor::new(&zip)).expect("a zip");
        let entry = archive.by_name(BOOTSTRAP).expect("bootstrap");
        assert_eq!(entry.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        drop(entry);
        let (contents, program) = opened(&zip).expect("usable");
        assert_eq!(program.hash, data.hash);
        assert_eq!(contents.files, [BOOTSTRAP]);
    }

    #[test]
    fn several_files_are_told_apart() {
        let entry = |name: &str, executable, length| Entry {
            name: name.to_owned(),
            executable,
            length,
        };
        let entries = [entry("a.py", false, 3), entry("none", false, 0), entry("run", true, 2)];
        let zip = packed(&snapshot(b"abcde"), &entries);
        let mut archive = ZipArchive::new(Cursor::new(&zip)).expect("a zip");
        let mut read = |name: &str| {
            let mut entry = archive.by_name(name).expect("there");
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("whole");
            (text, entry.unix_mode().map(|mode| mode & 0o777))
        };
        assert_eq!(read("a.py"), ("abc".to_owned(), Some(0o644)));
        assert_eq!(read("none"), (String::new(), Some(0o644)));
        assert_eq!(read("run"), ("de".to_owned(), Some(0o755)));
    }

    #[test]
    fn other_files_may_come_along() {
        let (contents, program) = opened(&zip(&[("lib/libssl.so.3", 0o644), ("./bootstrap", 0o755)])).expect("usable");
        assert_eq!(program.hash, hash(b"content"));
        assert!(contents.files.iter().any(|file| file == "lib/libssl.so.3"));
    }

    fn hash(content: &[u8]) -> Hash {
        snapshot(content).hash
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
