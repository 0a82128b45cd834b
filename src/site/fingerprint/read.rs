//! Reading a site with second names: first all files but the pages, which gives scripts, images and fonts their names; then
//! the style sheets by turns; then the pages.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::iter::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};

use super::css::Place;
use super::found::Found;
use super::integrity::Digests;
use super::mentions::Mentions;
use super::notes::{Note, Notes};
use super::order::order;
use super::reference::{Base, target};
use super::{LARGEST_BYTES, Names, css, edit, html};
use crate::error::Result;
use crate::site::asset_class::AssetClass;
use crate::site::content_hash::ContentHash;
use crate::site::input::{FILES, Input, PIECE_BYTES, Problems, changed};
use crate::site::source::Source;
use crate::site::sum::{Hasher, Sum};

/// Of pages and style sheets that are bigger only one is in memory at a time.
const SMALL_BYTES: u64 = 512 * 1024;

/// Reads the files with these keys, which are in order. Returns what is published of them, the names that references
/// follow, and what to know.
///
/// # Errors
/// Files can't be read, or there are `problems`.
pub(in crate::site) fn read(
    folder: &Path,
    keys: Vec<String>,
    meant: &BTreeSet<String>,
    problems: Problems,
) -> Result<(Vec<Source>, Names, Vec<String>)> {
    let files: Vec<File> = keys
        .into_iter()
        .map(|key| File {
            sort: AssetClass::of(&key),
            key: key.into(),
        })
        .collect();
    let scripts = files.iter().filter(|file| file.sort == AssetClass::Script);
    let reader = Reader {
        folder,
        meant,
        mentions: Mentions::of(scripts.map(|file| &*file.key))?,
        files,
        turn: Mutex::new(()),
        notes: Notes::default(),
    };
    reader.read(problems)
}

struct File {
    key: Arc<str>,
    sort: AssetClass,
}

struct Reader<'a> {
    folder: &'a Path,
    /// The keys of files that may have private keys in them.
    meant: &'a BTreeSet<String>,
    files: Vec<File>,
    mentions: Mentions,
    /// Taken by who has a big text in memory.
    turn: Mutex<()>,
    notes: Notes,
}

impl Reader<'_> {
    fn read(self, mut problems: Problems) -> Result<(Vec<Source>, Names, Vec<String>)> {
        let mut found: Vec<Option<Found>> = self.files.iter().map(|_| None).collect();
        let others = self.indices(|sort| sort != AssetClass::Page);
        let look = |buffer: &mut [u8], index, _: Option<&Found>| self.look_at(buffer, index);
        self.each(&others, &mut found, &mut problems, look);
        if !problems.is_empty() {
            let pages = self.indices(|sort| sort == AssetClass::Page);
            self.each(&pages, &mut found, &mut problems, look);
        }
        self.checked(problems)?;
        let mut names = self.names(&found);
        self.styles(&mut names, &mut found)?;
        self.pages(&mut names, &mut found)?;
        names.marks.retain(|_, name| name.is_used.load(Ordering::Relaxed));
        let sources = self.files.iter().zip(found).filter_map(|(file, found)| {
            let found = found?;
            Some(Source {
                key: Arc::clone(&file.key),
                sort: file.sort,
                stat: found.stat,
                size: found.size,
                sum: found.sum,
                is_rewritten: found.is_rewritten,
                mark: names.marks.get(&file.key).map(|name| name.mark),
            })
        });
        let sources = sources.collect();
        Ok((sources, names, self.notes.warnings()))
    }

    /// What has no references but to what pages load.
    fn look_at(&self, buffer: &mut [u8], index: usize) -> io::Result<Found> {
        let file = &self.files[index];
        if file.sort == AssetClass::Style {
            return self.text(buffer, file, |text, found| Found {
                refers: self.refers(text, &file.key),
                ..found
            });
        }
        let input = self.open(file)?;
        let stat = input.stat;
        if file.sort != AssetClass::Script {
            return Ok(Found::of(stat, input.sum(buffer)?));
        }
        let mut hasher = Hasher::new(Some(stat.size()));
        let mut script = self.mentions.stream();
        input.stream(buffer, |piece| {
            hasher.update(piece);
            script.add(piece);
        })?;
        script.end();
        Ok(Found::of(stat, hasher.finish()))
    }

    fn refers(&self, css: &str, key: &str) -> Option<Vec<usize>> {
        let base = Base::of(key);
        let mut refers: Option<Vec<usize>> = None;
        css::edits(css, Place::Sheet, &mut |reference| {
            let index = self.index(&target(reference, &base)?)?;
            let refers = refers.get_or_insert_default();
            if self.files[index].sort == AssetClass::Style {
                refers.push(index);
            }
            None
        });
        refers
    }

    /// The names of all that has no references itself.
    fn names(&self, found: &[Option<Found>]) -> Names {
        let mut names = Names::default();
        for index in self.indices(|sort| matches!(sort, AssetClass::Script | AssetClass::Media)) {
            let file = &self.files[index];
            if !(file.sort == AssetClass::Script && self.mentions.has(&file.key)) {
                self.name(&mut names, found, index);
            }
        }
        names
    }

    /// Gives a file its name, if it can have one.
    fn name(&self, names: &mut Names, found: &[Option<Found>], index: usize) {
        let file = &self.files[index];
        let Some(own) = &found[index] else {
            return;
        };
        let mark = ContentHash::of(&own.sum);
        let Some(hashed_name) = mark.put_into(&file.key) else {
            return;
        };
        let there = self.index(&hashed_name).and_then(|there| found[there].as_ref());
        // The same content in the same folder is published as the same content.
        if there.is_some_and(|there| there.file_sum != own.file_sum) {
            self.notes.add(Note::NameTaken, &file.key);
        } else {
            names.add(&file.key, mark, file.sort);
        }
    }

    /// The names of style sheets, each after those of the sheets that it refers to.
    fn styles(&self, names: &mut Names, found: &mut [Option<Found>]) -> Result<()> {
        let styles = self.indices(|sort| sort == AssetClass::Style);
        let refers = |index: &usize| {
            let refers = found[*index].as_ref().and_then(|found| found.refers.as_ref());
            let refers = refers.into_iter().flatten();
            refers.filter_map(|index| styles.binary_search(index).ok()).collect()
        };
        let order = order(&styles.iter().map(refers).collect::<Vec<Vec<usize>>>());
        for turn in order.turns {
            let has_references = |index: &usize| found[*index].as_ref().is_some_and(|found| found.refers.is_some());
            let referring: Vec<usize> = turn.iter().map(|sheet| styles[*sheet]).filter(has_references).collect();
            let mut problems = Problems::default();
            self.each(&referring, found, &mut problems, |buffer, index, before| {
                let file = &self.files[index];
                let now = self.text(buffer, file, |text, now| {
                    now.rewritten(text, &names.style(text, &file.key))
                })?;
                let is_same = before.is_some_and(|before| before.stat == now.stat);
                is_same.then_some(now).ok_or_else(changed)
            });
            self.checked(problems)?;
            // In a circle each name would be a part of itself.
            for sheet in turn.into_iter().filter(|sheet| !order.in_circle[*sheet]) {
                self.name(names, found, styles[sheet]);
            }
        }
        Ok(())
    }

    fn pages(&self, names: &mut Names, found: &mut [Option<Found>]) -> Result<()> {
        let pages = self.indices(|sort| sort == AssetClass::Page);
        let known = self.mentions.count();
        let mut wanted = Mutex::default();
        let mut problems = Problems::default();
        self.each(&pages, found, &mut problems, |buffer, index, _| {
            self.page(names, &wanted, buffer, index)
        });
        self.checked(std::mem::take(&mut problems))?;
        // Both are seldom, and so it costs less to do pages again than to look at all of them twice.
        let mut again = false;
        if self.mentions.count() > known {
            names.marks.retain(|key, name| {
                let is_mentioned = name.is_script && self.mentions.has(key);
                again |= is_mentioned && name.is_used.load(Ordering::Relaxed);
                !is_mentioned
            });
        }
        for index in std::mem::take(wanted.get_mut().unwrap_or_else(PoisonError::into_inner)) {
            if let Some(found) = &found[index]
                && found.is_rewritten
            {
                self.digest(names, found, index)?;
                again = true;
            }
        }
        if again {
            self.each(&pages, found, &mut problems, |buffer, index, _| {
                self.page(names, &wanted, buffer, index)
            });
        }
        self.checked(problems)
    }

    fn page(
        &self,
        names: &Names,
        wanted: &Mutex<BTreeSet<usize>>,
        buffer: &mut [u8],
        index: usize,
    ) -> io::Result<Found> {
        let file = &self.files[index];
        let page = Page {
            reader: self,
            names,
            wanted,
            key: &file.key,
        };
        self.text(buffer, file, |text, found| match html::edits(text, &file.key, &page) {
            Ok(edits) => found.rewritten(text, &edits),
            Err(_) => {
                self.notes.add(Note::NotParsed, &file.key);
                found
            }
        })
    }

    /// Finds out the hashes of a style sheet for `integrity`.
    fn digest(&self, names: &mut Names, found: &Found, index: usize) -> Result<()> {
        let file = &self.files[index];
        let read = || -> io::Result<Digests> {
            let input = self.open(file)?;
            if input.stat != found.stat {
                return Err(changed());
            }
            let bytes = input.whole(&mut vec![0; PIECE_BYTES])?;
            let text = str::from_utf8(&bytes).map_err(|_| changed())?;
            let published = edit::apply(text, &names.style(text, &file.key));
            Ok(Digests::of(&bytes, published.as_bytes()))
        };
        match read() {
            Ok(digests) => {
                names.digests.insert(Arc::clone(&file.key), digests);
                Ok(())
            }
            Err(error) => {
                let mut problems = Problems::default();
                problems.unreadable(&self.path(file), &error);
                self.checked(problems)
            }
        }
    }

    /// Has `work` look at the text of a file that may refer to others, unless it can't.
    fn text(&self, buffer: &mut [u8], file: &File, work: impl FnOnce(&str, Found) -> Found) -> io::Result<Found> {
        let input = self.open(file)?;
        let stat = input.stat;
        if stat.size() > LARGEST_BYTES {
            self.notes.add(Note::TooBig, &file.key);
            return Ok(Found::of(stat, input.sum(buffer)?));
        }
        let _turn = (stat.size() > SMALL_BYTES).then(|| self.turn.lock());
        let bytes = input.whole(buffer)?;
        let found = Found::of(stat, Sum::of(&bytes));
        match str::from_utf8(&bytes) {
            Ok(text) => Ok(work(text, found)),
            Err(_) => {
                self.notes.add(Note::NotUtf8, &file.key);
                Ok(found)
            }
        }
    }

    /// Does `work` for each of these files, which is given what was found of it before. Keeps what it finds, and notes what
    /// it couldn't read.
    fn each(
        &self,
        indices: &[usize],
        found: &mut [Option<Found>],
        problems: &mut Problems,
        work: impl Fn(&mut [u8], usize, Option<&Found>) -> io::Result<Found> + Sync,
    ) {
        let before: &[Option<Found>] = found;
        let work = |buffer: &mut Vec<u8>, index: &usize| work(buffer, *index, before[*index].as_ref());
        let files = indices.par_iter().with_max_len(FILES);
        let done: Vec<io::Result<Found>> = files.map_init(|| vec![0; PIECE_BYTES], work).collect();
        for (index, done) in indices.iter().zip(done) {
            match done {
                Ok(done) => found[*index] = Some(done),
                Err(error) => problems.unreadable(&self.path(&self.files[*index]), &error),
            }
        }
    }

    fn checked(&self, problems: Problems) -> Result<()> {
        problems.check(self.folder)
    }

    fn path(&self, file: &File) -> PathBuf {
        self.folder.join(&*file.key)
    }

    fn open(&self, file: &File) -> io::Result<Input> {
        let input = Input::open(&self.path(file))?;
        Ok(input.without_keys(self.meant.contains(&*file.key)))
    }

    fn index(&self, key: &str) -> Option<usize> {
        self.files.binary_search_by(|file| (*file.key).cmp(key)).ok()
    }

    fn indices(&self, wanted: impl Fn(AssetClass) -> bool) -> Vec<usize> {
        let files = self.files.iter().enumerate();
        files
            .filter(|(_, file)| wanted(file.sort))
            .map(|(index, _)| index)
            .collect()
    }
}

/// A page that is read.
struct Page<'a> {
    reader: &'a Reader<'a>,
    names: &'a Names,
    /// Style sheets whose `integrity` a page knows.
    wanted: &'a Mutex<BTreeSet<usize>>,
    key: &'a Arc<str>,
}

impl html::Targets for Page<'_> {
    fn mark(&self, key: &str) -> Option<ContentHash> {
        self.names.used(key)
    }

    fn integrity(&self, key: &str, value: &str) -> Option<String> {
        let Some(digests) = self.names.digests.get(key) else {
            let index = self.reader.index(key)?;
            self.wanted.lock().unwrap_or_else(PoisonError::into_inner).insert(index);
            return None;
        };
        let new = digests.follow(value);
        if new.is_none() && !value.trim_ascii().is_empty() {
            self.reader.notes.add(Note::NotVouchedFor, self.key);
        }
        new
    }

    fn script(&self, text: &str) {
        self.reader.mentions.look_through(text.as_bytes());
    }
}
