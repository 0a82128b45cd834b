//! Reading the site's files, each by itself and many at once. What is remembered of a file isn't read again.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rayon::iter::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};

use super::asset_class::AssetClass;
use super::facts::{Facts, Interner, Says};
use super::file_stat::FileStat;
use super::fingerprint::{self, Note, Scanner};
use super::input::{FILES, Input, PIECE_BYTES, Problems};
use super::memo;
use super::policy::{self, Needs};
use super::sniffed::Sniffer;
use super::source::Source;
use super::sum::{Hasher, PartSums, Sum};
use crate::error::Result;

/// Pages and style sheets that are bigger are published as they are, so that none needs much memory.
pub(super) const LARGEST_BYTES: u64 = 8 * 1024 * 1024;

/// Of pages and style sheets that are bigger only one is in memory at a time.
const SMALL_BYTES: u64 = 512 * 1024;

/// Reads the site's files.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    folder: &'a Path,
    /// The keys of files that may have private keys in them.
    meant: &'a BTreeSet<String>,
    /// Taken by who has a big text in memory.
    turn: Mutex<()>,
    all_said: Interner<Says>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(folder: &'a Path, meant: &'a BTreeSet<String>) -> Self {
        Self {
            folder,
            meant,
            turn: Mutex::new(()),
            all_said: Interner::default(),
        }
    }

    /// Reads the files with these keys, which are in order; what the file `memo` remembers of them isn't read again. Returns
    /// them, and how many bytes were read.
    ///
    /// # Errors
    /// Files can't be read, or there are `problems`.
    pub(super) fn read(
        &self,
        keys: Vec<String>,
        memo: Option<&Path>,
        mut problems: Problems,
    ) -> Result<(Vec<Source>, u64)> {
        let stats: Vec<Option<FileStat>> = match memo {
            None => vec![None; keys.len()],
            Some(_) => keys.par_iter().map(|key| self.stat(key)).collect(),
        };
        let recalled = memo.map_or_else(
            || keys.iter().map(|_| None).collect(),
            |memo| memo::load(memo, &keys, &stats, self.meant, &self.all_said),
        );
        let missing: Vec<usize> = (0..keys.len()).filter(|index| recalled[*index].is_none()).collect();
        let read = |buffer: &mut Vec<u8>, index: &usize| self.facts(buffer, &keys[*index]);
        let at_once = missing.par_iter().with_max_len(FILES);
        let read: Vec<io::Result<Facts>> = at_once.map_init(|| vec![0; PIECE_BYTES], read).collect();
        let mut facts = recalled;
        let mut bytes = 0;
        for (index, read) in missing.iter().zip(read) {
            match read {
                Ok(read) => {
                    bytes += read.stat.size();
                    facts[*index] = Some(read);
                }
                Err(error) => problems.unreadable(&self.path(&keys[*index]), &error),
            }
        }
        problems.check(self.folder)?;
        let sources = keys.into_iter().zip(facts).filter_map(|(key, facts)| {
            Some(Source {
                sort: AssetClass::of(&key),
                key: key.into(),
                facts: facts?,
                is_immutable: false,
                is_rewritten: false,
                mark: None,
            })
        });
        Ok((sources.collect(), bytes))
    }

    fn stat(&self, key: &str) -> Option<FileStat> {
        let metadata = std::fs::metadata(self.path(key)).ok()?;
        Some(FileStat::of(&metadata))
    }

    fn facts(&self, buffer: &mut [u8], key: &str) -> io::Result<Facts> {
        match AssetClass::of(key) {
            AssetClass::Page => self.text(buffer, key, fingerprint::said_by_page),
            AssetClass::Style => self.text(buffer, key, fingerprint::said_by_style),
            AssetClass::Script => self.text(buffer, key, |text, _| fingerprint::said_by_script(text.as_bytes())),
            AssetClass::Media => self.streamed(buffer, key, None),
            AssetClass::Other => self.streamed(buffer, key, fingerprint::kind_of_data(key)),
        }
    }

    /// What is found in a text that may refer to others, and is looked at whole.
    fn text(&self, buffer: &mut [u8], key: &str, look: impl FnOnce(&str, &str) -> Says) -> io::Result<Facts> {
        let input = self.open(key)?;
        let stat = input.stat;
        if stat.size() > LARGEST_BYTES {
            let mut facts = self.streamed(buffer, key, Some(fingerprint::Kind::Script))?;
            if AssetClass::of(key) != AssetClass::Script {
                facts.says = self.all_said.one(Says {
                    note: Some(Note::TooBig),
                    ..Says::clone(&facts.says)
                });
            }
            return Ok(facts);
        }
        let _turn = (stat.size() > SMALL_BYTES).then(|| self.turn.lock());
        let bytes = input.whole(buffer)?;
        let mut says = match str::from_utf8(&bytes) {
            Ok(text) => look(text, key),
            Err(_) => Says {
                note: (AssetClass::of(key) != AssetClass::Script).then_some(Note::NotUtf8),
                ..fingerprint::said_by_script(&bytes)
            },
        };
        says.needs =
            policy::needs_of(key, &String::from_utf8_lossy(&bytes), false).filter(|needs| *needs != Needs::default());
        let mut sniffer = Sniffer::new();
        sniffer.update(&bytes);
        Ok(Facts {
            stat,
            sum: Sum::of(&bytes),
            part_sums: None,
            sniffed: sniffer.finish(),
            says: self.all_said.one(says),
            rewritten: None,
        })
    }

    /// What is found in a file that is looked at in pieces, for names of others if it may have any.
    fn streamed(&self, buffer: &mut [u8], key: &str, kind: Option<fingerprint::Kind>) -> io::Result<Facts> {
        let input = self.open(key)?;
        let stat = input.stat;
        let mut scanner = Scanner::default();
        let mut sniffer = Sniffer::new();
        let mut stream = kind.map(|kind| scanner.stream(kind));
        let mut part_sums = PartSums::new(stat.size());
        let mut look = |piece: &[u8]| {
            sniffer.update(piece);
            if let Some(stream) = &mut stream {
                stream.add(piece);
            }
            if let Some(sums) = &mut part_sums {
                sums.update(piece);
            }
        };
        let mut hasher = Hasher::new(Some(stat.size()));
        let sum = if stat.size() > LARGEST_BYTES {
            // There may be nothing else to do for another core.
            summed_beside(hasher, |pass_on| {
                input.stream(buffer, |piece| {
                    pass_on(piece);
                    look(piece);
                })
            })?
        } else {
            input.stream(buffer, |piece| {
                hasher.update(piece);
                look(piece);
            })?;
            hasher.finish()
        };
        if let Some(stream) = stream {
            stream.end();
        }
        let says = Says {
            mentions: scanner.finish(),
            ..Says::default()
        };
        Ok(Facts {
            stat,
            sum,
            part_sums: part_sums.map(|sums| sums.finish().into()),
            sniffed: sniffer.finish(),
            says: self.all_said.one(says),
            rewritten: None,
        })
    }

    /// Has `work` look once more at the text of a file that was read, unless it is another now.
    ///
    /// # Errors
    /// It can't be read any more, or was written to.
    pub(super) fn again<T>(&self, source: &Source, work: impl FnOnce(&str) -> T) -> io::Result<T> {
        let input = self.open(&source.key)?;
        if input.stat != source.facts.stat {
            return Err(super::input::changed());
        }
        let _turn = (input.stat.size() > SMALL_BYTES).then(|| self.turn.lock());
        let bytes = input.whole(&mut vec![0; PIECE_BYTES])?;
        let text = str::from_utf8(&bytes).map_err(|_| super::input::changed())?;
        Ok(work(text))
    }

    /// Where a file is.
    pub(super) fn path(&self, key: &str) -> PathBuf {
        self.folder.join(key)
    }

    /// # Errors
    /// There are `problems`.
    pub(super) fn checked(&self, problems: Problems) -> Result<()> {
        problems.check(self.folder)
    }

    fn open(&self, key: &str) -> io::Result<Input> {
        let input = Input::open(&self.path(key))?;
        Ok(input.without_keys(self.meant.contains(key)))
    }
}

/// How many pieces of a big file may wait for being summed.
const AHEAD: usize = 4;

/// Sums in a thread of its own what `read` passes on.
fn summed_beside(mut hasher: Hasher, read: impl FnOnce(&mut dyn FnMut(&[u8])) -> io::Result<()>) -> io::Result<Sum> {
    thread::scope(|threads| {
        let (send, pieces) = mpsc::sync_channel::<Vec<u8>>(AHEAD);
        let (give_back, spare) = mpsc::channel::<Vec<u8>>();
        let summing = threads.spawn(move || {
            for piece in pieces {
                hasher.update(&piece);
                // Whoever reads has ended.
                let _ = give_back.send(piece);
            }
            hasher.finish()
        });
        read(&mut |piece| {
            let mut copy = spare.try_recv().unwrap_or_default();
            copy.clear();
            copy.extend_from_slice(piece);
            // It goes on as long as this one does.
            let _ = send.send(copy);
        })?;
        drop(send);
        summing.join().map_err(|_| io::Error::other("a thread ended"))
    })
}

/// The tick of file systems that tell parts of a second: the kernel's, 10 ms at most.
pub(super) const TICK: Duration = Duration::from_millis(20);
