//! What was found of a site when it was read last: as long as no file has changed since, it needn't be read again.
//!
//! A file counts as unchanged when its size, its times, and its inode are the same, as it does for git and make. A change
//! within the tick of the file system's clock would be missed, so what was written within a tick before it was read isn't
//! remembered.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde::{Deserialize, Serialize};

use super::asset_class::AssetClass;
use super::content_hash::ContentHash;
use super::file_stat::FileStat;
use super::source::Source;

/// Changes with all that decides what is found in a file.
const FORMAT: &str = concat!(env!("CARGO_PKG_VERSION"), " 3");

/// The tick of file systems that tell parts of a second: the kernel's, 10 ms at most.
const TICK: Duration = Duration::from_millis(20);

/// The coarsest clock of others: FAT's.
const COARSE_TICK: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize, Deserialize)]
struct Cache {
    format: String,
    fingerprints: bool,
    /// Which files could have private keys in them.
    meant: BTreeSet<String>,
    files: Vec<Entry>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    key: String,
    stat: FileStat,
    size: u64,
    sum: String,
    is_rewritten: bool,
    is_marked: bool,
}

/// What was found of the files with these keys, and what was said of them, if they are what they were.
pub(super) fn load(
    cache: &Path,
    folder: &Path,
    keys: &[String],
    meant: &BTreeSet<String>,
    fingerprints: bool,
) -> Option<(Vec<Source>, Vec<String>)> {
    let cache: Cache = serde_json::from_slice(&fs::read(cache).ok()?).ok()?;
    let same = cache.format == FORMAT
        && cache.fingerprints == fingerprints
        && cache.meant == *meant
        && cache.files.len() == keys.len()
        && cache.files.iter().zip(keys).all(|(entry, key)| entry.key == *key);
    if !same {
        return None;
    }
    let look = |entry: &Entry| {
        let metadata = fs::metadata(folder.join(&entry.key)).ok()?;
        Some(FileStat::of(&metadata))
    };
    let stats: Vec<Option<FileStat>> = cache.files.par_iter().map(look).collect();
    if cache
        .files
        .iter()
        .zip(&stats)
        .any(|(entry, is)| *is != Some(entry.stat))
    {
        // Whoever saves a file and runs this at once should have it remembered: its tick is waited out.
        let tick_ago = SystemTime::now().checked_sub(TICK)?;
        if stats.iter().flatten().any(|stat| stat.is_since(tick_ago)) {
            std::thread::sleep(TICK);
        }
        return None;
    }
    let sources = cache
        .files
        .into_iter()
        .map(Entry::source)
        .collect::<Option<Vec<Source>>>()?;
    Some((sources, cache.warnings))
}

/// Remembers what was found by reading that began at `began`. Nothing depends on it, so what goes wrong is passed over.
pub(super) fn store(
    cache: &Path,
    began: SystemTime,
    sources: &[Source],
    meant: &BTreeSet<String>,
    fingerprints: bool,
    warnings: &[String],
) {
    let is_settled = |source: &Source| {
        let tick = if source.stat.is_coarse() { COARSE_TICK } else { TICK };
        began.checked_sub(tick).is_some_and(|then| !source.stat.is_since(then))
    };
    if !sources.iter().all(is_settled) {
        return;
    }
    let written = Cache {
        format: FORMAT.to_owned(),
        fingerprints,
        meant: meant.clone(),
        files: sources.iter().map(Entry::of).collect(),
        warnings: warnings.to_vec(),
    };
    let write = || -> Option<()> {
        let parent = cache.parent()?;
        fs::create_dir_all(parent).ok()?;
        // Another run may read it at this moment.
        let mut file = tempfile::NamedTempFile::new_in(parent).ok()?;
        serde_json::to_writer(std::io::BufWriter::new(&mut file), &written).ok()?;
        file.persist(cache).ok().map(|_| ())
    };
    let _ = write();
}

impl Entry {
    fn of(source: &Source) -> Self {
        Self {
            key: source.key.to_string(),
            stat: source.stat,
            size: source.size,
            sum: source.sum.to_string(),
            is_rewritten: source.is_rewritten,
            is_marked: source.mark.is_some(),
        }
    }

    fn source(self) -> Option<Source> {
        let sum = self.sum.parse().ok()?;
        Some(Source {
            sort: AssetClass::of(&self.key),
            key: self.key.into(),
            stat: self.stat,
            size: self.size,
            mark: self.is_marked.then(|| ContentHash::of(&sum)),
            sum,
            is_rewritten: self.is_rewritten,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::read;
    use crate::site::settings::Settings;

    fn plain() -> Settings {
        Settings {
            fingerprints: false,
            ..Settings::default()
        }
    }

    /// A folder whose files are old enough to be remembered.
    fn folder() -> tempfile::TempDir {
        let dir = tempfile::TempDir::new().expect("a folder");
        let page = "<link rel=stylesheet href=style.css><script src=a.js></script>";
        for (name, text) in [("index.html", page), ("style.css", "a{}"), ("a.js", "1")] {
            write(&dir, name, text);
        }
        fs::write(dir.path().join("film.mp4"), vec![7; 17 << 20]).expect("written");
        age(&dir, "film.mp4");
        dir
    }

    fn write(dir: &tempfile::TempDir, name: &str, text: &str) {
        fs::write(dir.path().join(name), text).expect("written");
        age(dir, name);
    }

    fn age(dir: &tempfile::TempDir, name: &str) {
        let file = fs::File::options()
            .write(true)
            .open(dir.path().join(name))
            .expect("there");
        file.set_modified(SystemTime::now() - Duration::from_secs(60))
            .expect("set");
    }

    #[test]
    fn what_is_remembered_is_what_would_be_read() {
        let (dir, kept) = (folder(), tempfile::TempDir::new().expect("a folder"));
        let cache = kept.path().join("deep/er/site.json");
        let objects = |site: &crate::site::Site| format!("{:?}", site.objects());
        let (fresh, _) = read(dir.path(), &Settings::default(), None).expect("a site");
        let (first, _) = read(dir.path(), &Settings::default(), Some(&cache)).expect("a site");
        assert!(cache.exists());
        let (second, _) = read(dir.path(), &Settings::default(), Some(&cache)).expect("a site");
        assert_eq!([objects(&first), objects(&second)], [objects(&fresh), objects(&fresh)]);
        for object in second.objects() {
            second.body(object).expect("the same bytes can be made again");
        }

        let (plain, _) = read(dir.path(), &plain(), Some(&cache)).expect("a site");
        assert_ne!(objects(&plain), objects(&fresh), "another setting");
        write(&dir, "a.js", "2");
        let (changed, _) = read(dir.path(), &Settings::default(), Some(&cache)).expect("a site");
        assert_ne!(objects(&changed), objects(&fresh), "a changed file of the same size");
        let (again, _) = read(dir.path(), &Settings::default(), None).expect("a site");
        assert_eq!(objects(&changed), objects(&again));
        fs::remove_file(dir.path().join("film.mp4")).expect("removed");
        let (gone, _) = read(dir.path(), &Settings::default(), Some(&cache)).expect("a site");
        assert!(!objects(&gone).contains("film"));
        fs::write(&cache, "{").expect("written");
        read(dir.path(), &Settings::default(), Some(&cache)).expect("what can't be read isn't used");
    }

    #[test]
    fn what_was_only_just_written_is_not_remembered() {
        let (dir, kept) = (folder(), tempfile::TempDir::new().expect("a folder"));
        let cache = kept.path().join("site.json");
        let set = |time: SystemTime| {
            let file = fs::File::options()
                .write(true)
                .open(dir.path().join("a.js"))
                .expect("there");
            file.set_modified(time).expect("set");
        };
        // As if it were written while it is read.
        set(SystemTime::now() + Duration::from_secs(60));
        read(dir.path(), &Settings::default(), Some(&cache)).expect("a site");
        assert!(!cache.exists());
        // Whole seconds: a clock that tells no parts of them.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("later");
        set(SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs()));
        read(dir.path(), &Settings::default(), Some(&cache)).expect("a site");
        assert!(!cache.exists());
    }
}
