//! A file at one moment, to notice later that it has changed since.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Size, times of the last changes and inode of a file. Two that differ mean another content; two that are the same mean
/// the same content as surely as build tools and backups need it: only a change within the clock's tick goes unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileStat {
    /// In bytes.
    size: u64,
    /// In nanoseconds since 1970; 0 where the file system doesn't know.
    modified: i64,
    /// When anything about the file changed, which nobody can set back.
    changed: i64,
    /// Tells a file that was replaced by one of the same size and time.
    inode: u64,
}

impl FileStat {
    /// Of a file whose metadata were just asked for.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let modified = metadata
            .modified()
            .ok()
            .map(|time| match time.duration_since(UNIX_EPOCH) {
                Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
                Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
            });
        Self {
            size: metadata.len(),
            modified: modified.unwrap_or_default(),
            changed: metadata
                .ctime()
                .saturating_mul(1_000_000_000)
                .saturating_add(metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    /// Whether the time of the last change may be one of a clock that tells no parts of a second.
    pub(super) fn is_coarse(&self) -> bool {
        self.modified % 1_000_000_000 == 0
    }

    /// Whether the content was changed at `time` or later.
    pub(super) fn is_since(&self, time: SystemTime) -> bool {
        let time = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        i128::from(self.modified) >= i128::try_from(time.as_nanos()).unwrap_or(i128::MAX)
    }

    /// The file's size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::time::Duration;

    #[test]
    fn each_way_of_changing_a_file_is_noticed() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let file = dir.path().join("a.css");
        let stat = || FileStat::of(&fs::metadata(&file).expect("there"));
        fs::write(&file, "a").expect("written");
        let time = fs::metadata(&file).and_then(|m| m.modified()).expect("a time");
        let first = stat();
        assert_eq!(first, stat());

        fs::write(&file, "ab").expect("written");
        File::options()
            .write(true)
            .open(&file)
            .and_then(|f| f.set_modified(time))
            .expect("set");
        assert_ne!(stat(), first, "the size");

        fs::write(&file, "b").expect("written");
        let later = time + Duration::from_nanos(1000);
        File::options()
            .write(true)
            .open(&file)
            .and_then(|f| f.set_modified(later))
            .expect("set");
        assert_ne!(stat(), first, "the time");

        let other = dir.path().join("other");
        fs::write(&other, "c").expect("written");
        File::options()
            .write(true)
            .open(&other)
            .and_then(|f| f.set_modified(time))
            .expect("set");
        fs::rename(&other, &file).expect("replaced");
        assert_ne!(stat(), first, "the inode");
    }
}
