//! Private copies of what is packed: what was checked is what is uploaded, whatever is built meanwhile.
//!
//! They are on disk: packages have tens of megabytes, and several are made at once.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result as IoResult, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// How much is copied at once, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// A SHA-256.
pub(super) type Hash = [u8; 32];

/// A copy. Its file has no name: nobody else can change it, and it is gone when this process ends, however it ends.
#[derive(Debug)]
pub(super) struct Snapshot {
    file: File,
    /// Its size in bytes.
    pub(super) length: u64,
    /// Tells its content from any other.
    pub(super) hash: Hash,
}

/// Why there is no copy.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The original can't be read.
    Original(Error),
    /// The copy can't be written.
    Copy(Error),
}

/// A copy in the making.
pub(super) struct Draft {
    file: File,
    length: u64,
    hash: Sha256,
}

impl Draft {
    /// An empty one, on the disk of `folder`, which is made if it isn't there.
    pub(super) fn new(folder: &Path) -> Result<Self, Trouble> {
        std::fs::create_dir_all(folder).map_err(Trouble::Copy)?;
        Ok(Self {
            file: tempfile::tempfile_in(folder).map_err(Trouble::Copy)?,
            length: 0,
            hash: Sha256::new(),
        })
    }

    /// Adds what `original` has, up to `most` bytes; returns how many there were.
    pub(super) fn add(&mut self, original: impl Read, most: u64) -> Result<u64, Trouble> {
        let mut original = original.take(most);
        let mut piece = vec![0; PIECE_BYTES];
        let before = self.length;
        loop {
            match original.read(&mut piece) {
                Ok(0) => return Ok(self.length - before),
                Ok(read) => {
                    let bytes = piece.get(..read).unwrap_or_default();
                    self.hash.update(bytes);
                    self.file.write_all(bytes).map_err(Trouble::Copy)?;
                    self.length += read as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Trouble::Original(error)),
            }
        }
    }

    /// Has the hash depend on something more that isn't in the copy.
    pub(super) fn note(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    /// The copy.
    pub(super) fn finish(self) -> Snapshot {
        Snapshot {
            file: self.file,
            length: self.length,
            hash: self.hash.finalize().into(),
        }
    }
}

impl Snapshot {
    /// Copies what `original` has, up to `most` bytes, to the disk of `folder`.
    pub(super) fn take(original: impl Read, most: u64, folder: &Path) -> Result<Self, Trouble> {
        let mut draft = Draft::new(folder)?;
        draft.add(original, most)?;
        Ok(draft.finish())
    }

    /// Reads it from its beginning. Several may do so at once.
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader {
            snapshot: self,
            position: 0,
        }
    }

    /// Its first bytes, up to `N`.
    pub(super) fn beginning<const N: usize>(&self) -> IoResult<Vec<u8>> {
        let mut bytes = Vec::with_capacity(N);
        self.reader().take(N as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Reads a [`Snapshot`] at a place of its own.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    snapshot: &'a Snapshot,
    position: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        let read = self.snapshot.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> IoResult<u64> {
        let moved = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.snapshot.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = moved.ok_or(ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// The SHA-256 of what is in a file from its beginning, and its size in bytes.
pub(super) fn hash(file: &mut File) -> IoResult<(Hash, u64)> {
    file.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut length = 0;
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok((hash.finalize().into(), length)),
            Ok(read) => {
                hash.update(piece.get(..read).unwrap_or_default());
                length += read as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_stays_what_it_was_and_leaves_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("made");
        let original = folder.path().join("original");
        std::fs::write(&original, b"what it was").expect("written");
        let file = File::open(&original).expect("there");
        let copy = Snapshot::take(file, 100, &inner).expect("copied");
        std::fs::write(&original, b"what it became").expect("written");
        let mut text = String::new();
        copy.reader().read_to_string(&mut text).expect("read");
        assert_eq!((text.as_str(), copy.length), ("what it was", 11));
        assert_eq!(copy.hash, <Hash>::from(Sha256::digest(b"what it was")));
        assert_eq!(std::fs::read_dir(&inner).expect("made").count(), 0);
    }

    #[test]
    fn each_reader_has_a_place_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let copy = Snapshot::take(&b"0123456789"[..], 8, folder.path()).expect("copied");
        assert_eq!(copy.length, 8, "no more than was asked for");
        let (mut one, mut two) = (copy.reader(), copy.reader());
        assert_eq!(one.seek(SeekFrom::End(-2)).expect("within"), 6);
        let read = |reader: &mut Reader<'_>| {
            let mut text = String::new();
            reader.read_to_string(&mut text).expect("read");
            text
        };
        assert_eq!(
            (read(&mut one), read(&mut two)),
            ("67".to_owned(), "01234567".to_owned())
        );
        assert!(one.seek(SeekFrom::Current(-100)).is_err());
        assert_eq!(copy.beginning::<4>().expect("read"), b"0123");
        assert_eq!(copy.beginning::<40>().expect("read"), b"01234567");
    }

    #[test]
    fn what_is_noted_counts_and_is_not_in_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let make = |name: &str| {
            let mut draft = Draft::new(folder.path()).expect("made");
            draft.note(name.as_bytes());
            assert_eq!(draft.add(&b"abc"[..], 100).expect("copied"), 3);
            draft.finish()
        };
        assert_ne!(make("one").hash, make("two").hash);
        assert_eq!(make("one").length, 3);
    }

    #[test]
    fn who_is_to_blame_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("written");
        let nowhere = Snapshot::take(&b""[..], 1, &file.join("inner"));
        assert!(matches!(nowhere, Err(Trouble::Copy(_))));
        let unreadable = Snapshot::take(File::open(folder.path()).expect("opened"), 1, folder.path());
        assert!(matches!(unreadable, Err(Trouble::Original(_))));
    }
}
