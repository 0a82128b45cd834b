//! What was found in the site's files when they were read last: as long as a file hasn't changed since, it needn't be read
//! again.
//!
//! A file counts as unchanged when its size, its times, and its inode are the same, as it does for git and make. A change
//! within the tick of the file system's clock would be missed, so what was written within a tick before it was read isn't
//! remembered: the next run reads it once more.
//!
//! There is a line of JSON a file, in the order of their keys, so that a large site is neither read nor written whole. What
//! many of them say has a line of its own, before the first that says it.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::facts::{Facts, Interner, Rewritten, Says};
use super::file_stat::FileStat;
use super::read::TICK;
use super::sniffed::Sniffed;
use super::source::Source;

/// Changes with all that decides what is found in a file.
const FORMAT: &str = concat!(env!("CARGO_PKG_VERSION"), " 6");

/// The coarsest clock of file systems that tell no parts of a second: FAT's.
const COARSE_TICK: Duration = Duration::from_secs(2);

/// A line.
#[derive(Debug, Serialize, Deserialize)]
enum Line<'a> {
    /// The first.
    #[serde(rename = "format")]
    Format(String),
    /// What files say that follow.
    #[serde(rename = "says")]
    Says(Says),
    /// A file.
    #[serde(rename = "file", borrow)]
    File(Entry<'a>),
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    key: std::borrow::Cow<'a, str>,
    stat: FileStat,
    sum: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part_sums: Option<Vec<u32>>,
    sniffed: Sniffed,
    /// It may have private keys in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_meant: bool,
    /// Which of the lines above has what it says.
    says: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rewritten: Option<Rewritten>,
}

/// What is remembered of the files with these keys, as far as they are what they were.
pub(super) fn load(
    memo: &Path,
    keys: &[String],
    stats: &[Option<FileStat>],
    meant: &BTreeSet<String>,
    all_said: &Interner<Says>,
) -> Vec<Option<Facts>> {
    let mut facts: Vec<Option<Facts>> = keys.iter().map(|_| None).collect();
    // Whatever is wrong with it, the files tell the same.
    let _ = recall(memo, keys, stats, meant, all_said, &mut facts);
    facts
}

fn recall(
    memo: &Path,
    keys: &[String],
    stats: &[Option<FileStat>],
    meant: &BTreeSet<String>,
    all_said: &Interner<Says>,
    facts: &mut [Option<Facts>],
) -> Option<()> {
    let mut lines = BufReader::new(File::open(memo).ok()?);
    let mut line = String::new();
    let (mut said, mut is_known) = (Vec::new(), false);
    let mut next = 0;
    while lines.read_line(&mut line).ok()? > 0 {
        match serde_json::from_str(&line).ok()? {
            Line::Format(format) if format == FORMAT => is_known = true,
            _ if !is_known => return None,
            Line::Format(_) => return None,
            Line::Says(says) => said.push(all_said.one(says)),
            Line::File(entry) => {
                // Both are in order.
                while keys.get(next).is_some_and(|key| **key < *entry.key) {
                    next += 1;
                }
                let is_it = keys.get(next).is_some_and(|key| **key == *entry.key)
                    && stats[next] == Some(entry.stat)
                    && meant.contains(&*entry.key) == entry.is_meant;
                if is_it {
                    facts[next] = Some(Facts {
                        stat: entry.stat,
                        sum: entry.sum.parse().ok()?,
                        part_sums: entry.part_sums.map(Arc::new),
                        sniffed: entry.sniffed,
                        says: Arc::clone(said.get(entry.says)?),
                        rewritten: entry.rewritten,
                    });
                }
            }
        }
        line.clear();
    }
    Some(())
}

/// All is written anew, so that to read again a fraction of that is less work: as long as no more than that wasn't remembered,
/// the memory stays as it is.
const WORTH_IT: u64 = 4;

/// Remembers what was found by reading that began at `began`, if that was so much work, in bytes, that it is worth it. Nothing
/// depends on it, so what goes wrong is passed over.
pub(super) fn store(memo: &Path, began: SystemTime, sources: &[Source], meant: &BTreeSet<String>, worked: u64) {
    let there = fs::metadata(memo).map_or(0, |memo| memo.len());
    if worked == 0 || worked.saturating_mul(WORTH_IT) <= there {
        return;
    }
    let write = || -> Option<()> {
        let parent = memo.parent()?;
        fs::create_dir_all(parent).ok()?;
        // Another run may read it at this moment.
        let mut file = tempfile::NamedTempFile::new_in(parent).ok()?;
        let mut out = BufWriter::new(&mut file);
        let mut write = |line: &Line<'_>| -> Option<()> {
            serde_json::to_writer(&mut out, line).ok()?;
            out.write_all(b"\n").ok()
        };
        write(&Line::Format(FORMAT.to_owned()))?;
        let mut said: HashMap<*const Says, usize> = HashMap::new();
        for source in sources.iter().filter(|source| is_settled(source.facts.stat, began)) {
            let says = &source.facts.says;
            let next = said.len();
            let index = *said.entry(Arc::as_ptr(says)).or_insert(next);
            if index == next {
                write(&Line::Says(Says::clone(says)))?;
            }
            write(&Line::File(Entry {
                key: (&*source.key).into(),
                stat: source.facts.stat,
                sum: source.facts.sum.to_string(),
                part_sums: source.facts.part_sums.as_deref().cloned(),
                sniffed: source.facts.sniffed,
                is_meant: meant.contains(&*source.key),
                says: index,
                rewritten: source.facts.rewritten,
            }))?;
        }
        out.flush().ok()?;
        drop(out);
        file.persist(memo).ok().map(|_| ())
    };
    let _ = write();
}

fn is_settled(stat: FileStat, began: SystemTime) -> bool {
    let tick = if stat.is_coarse() { COARSE_TICK } else { TICK };
    began.checked_sub(tick).is_some_and(|then| !stat.is_since(then))
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
        let file = File::options().write(true).open(dir.path().join(name)).expect("there");
        file.set_modified(SystemTime::now() - Duration::from_secs(60))
            .expect("set");
    }

    #[test]
    fn what_is_remembered_is_what_would_be_read() {
        let (dir, kept) = (folder(), tempfile::TempDir::new().expect("a folder"));
        let memo = kept.path().join("deep/er/site.json");
        let objects = |site: &crate::site::Site| format!("{:?}", site.objects());
        let (fresh, _) = read(dir.path(), &Settings::default(), None).expect("a site");
        let (first, _) = read(dir.path(), &Settings::default(), Some(&memo)).expect("a site");
        assert!(memo.exists());
        let (second, _) = read(dir.path(), &Settings::default(), Some(&memo)).expect("a site");
        assert_eq!([objects(&first), objects(&second)], [objects(&fresh), objects(&fresh)]);
        for object in second.objects() {
            second.body(object).expect("the same bytes can be made again");
        }

        let (plain, _) = read(dir.path(), &plain(), Some(&memo)).expect("a site");
        assert_ne!(objects(&plain), objects(&fresh), "another setting");
        write(&dir, "a.js", "2");
        let (changed, _) = read(dir.path(), &Settings::default(), Some(&memo)).expect("a site");
        assert_ne!(objects(&changed), objects(&fresh), "a changed file of the same size");
        let (again, _) = read(dir.path(), &Settings::default(), None).expect("a site");
        assert_eq!(objects(&changed), objects(&again));
        fs::remove_file(dir.path().join("film.mp4")).expect("removed");
        let (gone, _) = read(dir.path(), &Settings::default(), Some(&memo)).expect("a site");
        assert!(!objects(&gone).contains("film"));
        fs::write(&memo, "{").expect("written");
        read(dir.path(), &Settings::default(), Some(&memo)).expect("what can't be read isn't used");
    }

    #[test]
    fn a_little_is_read_again_rather_than_all_written() {
        let (dir, kept) = (
            tempfile::TempDir::new().expect("a folder"),
            tempfile::TempDir::new().expect("a folder"),
        );
        let memo = kept.path().join("site.json");
        let name = |n: usize| format!("{n}.txt");
        write(&dir, "index.html", "<p>");
        for n in 0..100 {
            write(&dir, &name(n), &n.to_string());
        }
        let read = || {
            let (site, _) = read(dir.path(), &plain(), Some(&memo)).expect("a site");
            let objects: Vec<String> = site.objects().iter().map(|object| object.sum.to_string()).collect();
            (objects, fs::read_to_string(&memo).expect("written"))
        };
        let (first, remembered) = read();
        write(&dir, "7.txt", "another");
        let (second, same) = read();
        assert_ne!(first, second, "what has changed is seen");
        assert!(remembered == same);
        for n in 0..100 {
            write(&dir, &name(n), &"longer ".repeat(100));
        }
        assert!(read().1 != remembered);
    }

    #[test]
    fn what_was_only_just_written_is_not_remembered() {
        let (dir, kept) = (folder(), tempfile::TempDir::new().expect("a folder"));
        let memo = kept.path().join("site.json");
        let set = |time: SystemTime| {
            let file = File::options()
                .write(true)
                .open(dir.path().join("a.js"))
                .expect("there");
            file.set_modified(time).expect("set");
        };
        // As if it were written while it is read.
        set(SystemTime::now() + Duration::from_secs(60));
        let remembers = |key: &str| fs::read_to_string(&memo).expect("written").contains(key);
        read(dir.path(), &Settings::default(), Some(&memo)).expect("a site");
        assert!(!remembers("a.js") && remembers("style.css"));
        // Whole seconds: a clock that tells no parts of them.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("later");
        set(SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs()));
        read(dir.path(), &Settings::default(), Some(&memo)).expect("a site");
        assert!(!remembers("a.js"));
    }
}
