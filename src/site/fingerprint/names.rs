//! Which files have a second name, and what is published of those that refer to them.
//!
//! A file has one if a page or style sheet refers to it whose text can be changed, and nothing else has to do with it:
//!
//! - no script, worker, manifest, data or text names it, and no attribute selector looks for it;
//! - no script may put its name together: of an ending that it has, or, where scripts read addresses and make texts of
//!   texts, of the name of another file that is like it. Nobody refers to `btn_on.png` beside `btn_off.png`, so a script does;
//! - nothing refers to it whose text can't be changed: what has a content's hash in its own name, what is to be as it is,
//!   what a worker knows by its bytes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::Arc;

use md5::{Digest as _, Md5};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};

use super::integrity::Digests;
use super::mentions::{Habit, Mentioned, hash, is_looked_for};
use super::notes::{Note, Notes};
use super::order::order;
use super::{Names, edit};
use crate::error::Result;
use crate::site::asset_class::AssetClass;
use crate::site::content_hash::ContentHash;
use crate::site::facts::Rewritten;
use crate::site::input::{FILES, Problems};
use crate::site::names::folder_and_name;
use crate::site::read::Reader;
use crate::site::source::Source;

/// Gives files their second names, and finds out what is published of those that refer to them. What `is_fixed` keeps its
/// text and its name.
///
/// # Errors
/// A file can't be read any more.
pub(in crate::site) fn give(
    reader: &Reader<'_>,
    sources: &mut [Source],
    is_fixed: impl Fn(&Source) -> bool,
    notes: &Notes,
) -> Result<Names> {
    let site = Site::of(sources, is_fixed);
    let wanted = site.wanted(sources);
    let mut giver = Giver {
        reader,
        sources,
        site,
        names: Names::default(),
        notes,
    };
    let of = |sort: AssetClass, sources: &[Source]| -> Vec<usize> {
        let of_sort = |index: &usize| sources[*index].sort == sort;
        (0..sources.len()).filter(of_sort).collect()
    };
    for index in wanted.iter().copied() {
        if giver.sources[index].sort != AssetClass::Style {
            giver.name(index);
        }
    }
    let styles = of(AssetClass::Style, giver.sources);
    giver.styles(&styles, &wanted)?;
    giver.digests()?;
    let pages = of(AssetClass::Page, giver.sources);
    giver.rewrite(&pages)?;
    Ok(giver.names)
}

/// Whether the page with this key loads a file that is so.
pub(in crate::site) fn loads(sources: &[Source], page: &str, is_so: impl Fn(&Source) -> bool) -> bool {
    let page = sources.iter().find(|source| &*source.key == page);
    let refers = page
        .and_then(|page| page.facts.says.refers.as_deref())
        .unwrap_or_default();
    let is_loaded = |source: &&Source| refers.binary_search(&hash(source.key.as_bytes())).is_ok();
    sources.iter().filter(is_loaded).any(is_so)
}

/// What the files are to one another.
struct Site {
    /// Files by the hashes of their keys.
    by_key: HashMap<u64, usize>,
    /// Whether a file's text can be changed.
    follows: Vec<bool>,
    is_fixed: Vec<bool>,
    mentioned: Mentioned,
}

impl Site {
    fn of(sources: &[Source], is_fixed: impl Fn(&Source) -> bool) -> Self {
        let keys = sources.iter().enumerate();
        let by_key = keys
            .map(|(index, source)| (hash(source.key.as_bytes()), index))
            .collect();
        let mut mentioned = Mentioned::default();
        // What pages say of other pages is that one can go there.
        let mut of_data = Mentioned::default();
        for source in sources {
            mentioned.add(&source.facts.says.mentions);
            if !matches!(source.sort, AssetClass::Page | AssetClass::Style) {
                of_data.add(&source.facts.says.mentions);
            }
        }
        let has_worker = mentioned.any(Habit::Worker);
        let is_fixed: Vec<bool> = sources.iter().map(is_fixed).collect();
        let follows = sources.iter().zip(&is_fixed).map(|(source, is_fixed)| {
            let is_known_by_bytes = has_worker && of_data.has(&source.key);
            source.facts.says.refers.is_some() && !is_fixed && !is_known_by_bytes
        });
        Self {
            by_key,
            follows: follows.collect(),
            is_fixed,
            mentioned,
        }
    }

    /// The files that a file refers to in ways that can follow.
    fn referred<'s>(&'s self, source: &'s Source) -> impl Iterator<Item = usize> + 's {
        let refers = source.facts.says.refers.iter().flatten();
        refers.filter_map(|key| self.by_key.get(key).copied())
    }

    /// The files that are to have a second name, in order.
    fn wanted(&self, sources: &[Source]) -> BTreeSet<usize> {
        let (mut wanted, mut kept) = (BTreeSet::new(), HashSet::new());
        for (source, follows) in sources.iter().zip(&self.follows) {
            for index in self.referred(source) {
                // No style loads a script.
                let is_loaded = source.sort == AssetClass::Page || sources[index].sort != AssetClass::Script;
                if *follows && is_loaded {
                    wanted.insert(index);
                } else {
                    kept.insert(index);
                }
            }
        }
        wanted.retain(|index| {
            let source = &sources[*index];
            let is_asset = matches!(source.sort, AssetClass::Style | AssetClass::Script | AssetClass::Media);
            is_asset
                && is_looked_for(&source.key)
                && !self.is_fixed[*index]
                && !kept.contains(index)
                && !self.mentioned.has(&source.key)
        });
        if self.mentioned.computes() {
            let alike = Alike::of(sources, &wanted, &self.mentioned);
            wanted.retain(|index| !alike.has(&sources[*index].key));
        }
        wanted
    }
}

/// Files whose names a script may make of one another's.
struct Alike {
    /// The places in names where files differ that are the same but for a word, with how many there are.
    variants: HashMap<u64, u32>,
    /// What files that nobody refers to are known by: their folders, and the words of their names, each with an extension.
    unreferred: HashSet<u64>,
}

/// Shorter words are in too many names.
const WORD: usize = 3;

impl Alike {
    fn of(sources: &[Source], referred: &BTreeSet<usize>, mentioned: &Mentioned) -> Self {
        let (mut variants, mut unreferred) = (HashMap::new(), HashSet::new());
        for (index, source) in sources.iter().enumerate() {
            if !matches!(source.sort, AssetClass::Style | AssetClass::Script | AssetClass::Media) {
                continue;
            }
            for shape in shapes(&source.key) {
                *variants.entry(shape).or_default() += 1;
            }
            // What has its content's hash in its name nobody makes of another's, and what is named needn't be made.
            if !referred.contains(&index) && !source.is_immutable && !mentioned.names(&source.key) {
                unreferred.extend(traits(&source.key));
            }
        }
        Self { variants, unreferred }
    }

    fn has(&self, key: &str) -> bool {
        let has_variant = shapes(key).any(|shape| self.variants.get(&shape).is_some_and(|count| *count > 1));
        has_variant || traits(key).any(|one| self.unreferred.contains(&one))
    }
}

/// A key's words with their places, by what isn't a letter or digit.
fn words(key: &str) -> impl Iterator<Item = (usize, &str)> {
    let name_at = key.len() - folder_and_name(key).1.len();
    let end = key.rfind('.').filter(|dot| *dot >= name_at).unwrap_or(key.len());
    key[..end]
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - key.as_ptr() as usize, word))
}

/// The key with each of its words left out, as long as something is left to know the file by.
fn shapes(key: &str) -> impl Iterator<Item = u64> {
    let name_at = key.len() - folder_and_name(key).1.len();
    let in_name = words(key).filter(|(at, _)| *at >= name_at).count();
    let telling = words(key).filter(move |(at, _)| *at < name_at || in_name > 1);
    telling.map(|(at, word)| {
        let mut shape = key.as_bytes()[..at].to_vec();
        shape.push(0);
        shape.extend(&key.as_bytes()[at + word.len()..]);
        hash(&shape)
    })
}

/// What two keys have in common of which one may be made of the other: folder or a word of the name, and the extension.
fn traits(key: &str) -> impl Iterator<Item = u64> {
    let (folder, name) = folder_and_name(key);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let hashed = move |what: &str| hash(format!("{what}\0{extension}").as_bytes());
    let words = words(key).filter(move |(at, word)| *at >= folder.len() && word.len() >= WORD);
    std::iter::once(hashed(folder)).chain(words.map(move |(_, word)| hashed(word)))
}

struct Giver<'a> {
    reader: &'a Reader<'a>,
    sources: &'a mut [Source],
    site: Site,
    names: Names,
    notes: &'a Notes,
}

impl Giver<'_> {
    /// Gives a file its name, if it can have one.
    fn name(&mut self, index: usize) {
        let source = &self.sources[index];
        let mark = ContentHash::of(&source.sum());
        let Some(hashed_name) = mark.put_into(&source.key) else {
            return;
        };
        let there = self.site.by_key.get(&hash(hashed_name.as_bytes()));
        // The same content in the same folder is published as the same content.
        if there.is_some_and(|there| self.sources[*there].facts.sum != source.facts.sum) {
            self.notes.add(Note::NameTaken, &source.key);
            return;
        }
        self.names.add(&source.key, mark, source.sort);
        self.sources[index].mark = Some(mark);
    }

    /// The names of style sheets, each after those of the sheets that it refers to.
    fn styles(&mut self, styles: &[usize], wanted: &BTreeSet<usize>) -> Result<()> {
        let refers = |index: &usize| {
            let referred = self.site.referred(&self.sources[*index]);
            referred.filter_map(|index| styles.binary_search(&index).ok()).collect()
        };
        let order = order(&styles.iter().map(refers).collect::<Vec<Vec<usize>>>());
        for turn in order.turns {
            let turn_styles: Vec<usize> = turn.iter().map(|sheet| styles[*sheet]).collect();
            self.rewrite(&turn_styles)?;
            // In a circle each name would be a part of itself.
            for sheet in turn.into_iter().filter(|sheet| !order.in_circle[*sheet]) {
                if wanted.contains(&styles[sheet]) {
                    self.name(styles[sheet]);
                }
            }
        }
        Ok(())
    }

    /// Finds out what is published of these files.
    fn rewrite(&mut self, indices: &[usize]) -> Result<()> {
        let mut problems = Problems::default();
        let (sources, names) = (&*self.sources, &self.names);
        let due = indices
            .iter()
            .filter(|index| self.site.follows[**index])
            .filter_map(|index| {
                let by = self.names_in(&sources[*index])?;
                Some((*index, by))
            });
        let due: Vec<(usize, u64)> = due.collect();
        let (known, unknown): (Vec<_>, Vec<_>) = due
            .into_iter()
            .partition(|(index, by)| sources[*index].facts.rewritten.is_some_and(|known| known.by == *by));
        let read = |(index, by): &(usize, u64)| -> io::Result<Option<Rewritten>> {
            let source = &sources[*index];
            self.reader.again(source, |text| rewritten(names, text, source, *by))
        };
        let read: Vec<io::Result<Option<Rewritten>>> = unknown.par_iter().with_max_len(FILES).map(read).collect();
        for ((index, _), read) in unknown.into_iter().zip(read) {
            match read {
                Ok(rewritten) => {
                    self.sources[index].facts.rewritten = rewritten;
                    self.sources[index].is_rewritten = rewritten.is_some();
                }
                Err(error) => problems.unreadable(&self.reader.path(&self.sources[index].key), &error),
            }
        }
        for (index, _) in known {
            self.sources[index].is_rewritten = true;
        }
        for index in indices {
            let source = &self.sources[*index];
            if source.is_rewritten && source.facts.rewritten.is_some_and(|rewritten| rewritten.is_wrong) {
                self.notes.add(Note::NotVouchedFor, &source.key);
            }
        }
        self.reader.checked(problems)
    }

    /// The names that a file's references follow, in short; none if there are none.
    fn names_in(&self, source: &Source) -> Option<u64> {
        let mut state = Vec::new();
        for index in self.site.referred(source) {
            let key = &self.sources[index].key;
            if let Some(mark) = self.names.mark(key) {
                state.extend(hash(key.as_bytes()).to_be_bytes());
                state.extend(mark.to_string().bytes());
            }
            if let Some(digests) = self.names.digests.get(key)
                && source.facts.says.vouches.contains(&hash(key.as_bytes()))
            {
                state.extend(hash(digests.published().as_bytes()).to_be_bytes());
            }
        }
        (!state.is_empty()).then(|| hash(&state))
    }

    /// Finds out the hashes of style sheets for `integrity`.
    fn digests(&mut self) -> Result<()> {
        let vouched: BTreeSet<usize> = self
            .sources
            .iter()
            .flat_map(|source| &source.facts.says.vouches)
            .filter_map(|key| self.site.by_key.get(key).copied())
            .collect();
        let mut problems = Problems::default();
        for index in vouched {
            let source = &self.sources[index];
            if !source.is_rewritten {
                continue;
            }
            let digests = self.reader.again(source, |text| {
                let published = edit::apply(text, &self.names.style(text, &source.key));
                Digests::of(text.as_bytes(), published.as_bytes())
            });
            match digests {
                Ok(digests) => {
                    self.names.digests.insert(Arc::clone(&source.key), digests);
                }
                Err(error) => problems.unreadable(&self.reader.path(&source.key), &error),
            }
        }
        self.reader.checked(problems)
    }
}

/// What is published of a text, if that differs from it.
fn rewritten(names: &Names, text: &str, source: &Source, by: u64) -> Option<Rewritten> {
    let (edits, is_wrong) = names.edits(text, &source.key, source.sort).ok()?;
    if edits.is_empty() {
        return None;
    }
    let (mut md5, mut size) = (Md5::new(), 0);
    for part in edit::parts(text, &edits) {
        md5.update(part);
        size += part.len() as u64;
    }
    Some(Rewritten {
        by,
        size,
        md5: md5.finalize().into(),
        is_wrong,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_may_be_made_of_one_another_are_alike() {
        let shared = |one: &str, other: &str| shapes(one).any(|shape| shapes(other).any(|other| other == shape));
        assert!(shared("a/btn_off.png", "a/btn_on.png"));
        assert!(shared("light/a.css", "dark/a.css"));
        assert!(shared("photo-480.jpg", "photo-800.jpg"));
        assert!(!shared("a/one.png", "a/two.png"), "any two names are that");
        assert!(!shared("a/btn_off.png", "a/btn_on.gif"));
        assert!(!shared("logo.png", "style.css"));
        let common = |one: &str, other: &str| traits(one).any(|one| traits(other).any(|other| other == one));
        assert!(common("img/logo.png", "img/logo@2x.png"));
        assert!(common("small/cat.jpg", "large/cat_full.jpg"));
        assert!(!common("small/cat.jpg", "large/dog.jpg"));
        assert!(!common("a/x.css", "a/x.png"));
    }
}
