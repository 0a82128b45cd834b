//! The sites that are published: the same ones in each run, in a project folder of their own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use benchmarks::cargo;
use benchmarks::error::{Context as _, Result};
use fastrand::Rng;
use tempfile::TempDir;

/// Sizes of small files, in bytes.
const SMALL: std::ops::RangeInclusive<usize> = 1 << 10..=16 << 10;
/// The large file is made of pieces of this size.
const PIECE: usize = 1 << 20;
/// Where a file changes: behind what makes a page a page, before any file's end.
const CHANGED_AT: u64 = 512;
const LARGE_FILE: &str = "downloads/everything.bin";

const WORDS: [&str; 16] = [
    "the",
    "private",
    "bucket",
    "answers",
    "nobody",
    "but",
    "a",
    "distribution",
    "in",
    "front",
    "of",
    "it",
    "and",
    "pages",
    "ask",
    "quickly",
];

/// What a site is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// So many small files.
    Small(usize),
    /// One file of so many MiB, and a page.
    Large(u64),
}

impl Kind {
    /// What it is called in the result.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Small(1) => "1 file".to_owned(),
            Self::Small(count) => format!("{count} files"),
            Self::Large(mib) => format!("1 file of {mib} MiB"),
        }
    }
}

/// A site in a project folder that goes with this value.
#[derive(Debug)]
pub(crate) struct Site {
    folder: TempDir,
    /// Each file's size, by its path in the site.
    files: BTreeMap<String, u64>,
    /// The file that changes.
    changing: String,
    changes: u64,
}

impl Site {
    /// Writes a site.
    ///
    /// # Errors
    /// A file can't be written.
    pub(crate) fn write(kind: Kind) -> Result<Self> {
        let folder = tempfile::tempdir().context("could not make a folder for the site")?;
        let mut site = Self {
            folder,
            files: BTreeMap::new(),
            changing: String::new(),
            changes: 0,
        };
        site.copy_templates().context("could not copy the project's stacks")?;
        let written = match kind {
            Kind::Small(count) => (0..count).try_for_each(|number| site.write_small(number)),
            Kind::Large(mib) => site.write_small(0).and_then(|()| site.write_large(mib)),
        };
        written.context("could not write the site's files")?;
        site.changing = match kind {
            Kind::Small(_) => "index.html".to_owned(),
            Kind::Large(_) => LARGE_FILE.to_owned(),
        };
        Ok(site)
    }

    /// The project's folder.
    pub(crate) fn project(&self) -> &Path {
        self.folder.path()
    }

    /// Each file's size, by its path in the site.
    pub(crate) fn files(&self) -> &BTreeMap<String, u64> {
        &self.files
    }

    /// Adds a small file, and says which.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn grow(&mut self) -> Result<String> {
        let number = self.files.len();
        let key = key(number);
        self.write_small(number)
            .context(format_args!("could not write {key}"))?;
        Ok(key)
    }

    /// Gives one file other content of the same length, and says which: a change that only its content and its time
    /// tell.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn change(&mut self) -> Result<&str> {
        self.changes += 1;
        let path = self.path(&self.changing);
        let mut rng = Rng::with_seed(self.changes);
        let other = format!("{:016x}", rng.u64(..));
        let file = File::options().write(true).open(&path);
        let written = file.and_then(|file| {
            file.write_all_at(other.as_bytes(), CHANGED_AT)?;
            // By itself it would be some milliseconds older, and perhaps older than what was sent just before.
            file.set_modified(SystemTime::now())
        });
        written.context(format_args!("could not change {}", path.display()))?;
        Ok(&self.changing)
    }

    fn path(&self, key: &str) -> PathBuf {
        self.project().join("site").join(key)
    }

    /// Forgets what the deployer found out of the files when it read them last: a first time is one.
    ///
    /// # Errors
    /// It can't be removed.
    pub(crate) fn forget(&self) -> Result<()> {
        match fs::remove_dir_all(self.project().join("target")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The deployer reads its project's templates, whatever is deployed. The other tools send files as they are, under
    /// their own names, so here it does as well.
    fn copy_templates(&self) -> io::Result<()> {
        let to = self.project().join("stacks");
        fs::create_dir(&to)?;
        for entry in fs::read_dir(cargo::here().join("../examples/site/stacks"))? {
            let entry = entry?;
            let text = fs::read_to_string(entry.path())?;
            let text = text.replace("prod: {}", "prod: { fingerprints: false }");
            fs::write(to.join(entry.file_name()), text)?;
        }
        Ok(())
    }

    fn write_small(&mut self, number: usize) -> io::Result<()> {
        let mut rng = Rng::with_seed(number as u64);
        let key = key(number);
        let size = rng.usize(SMALL);
        let content = content(&key, size, &mut rng);
        self.add(key, |file| file.write_all(&content))
    }

    fn write_large(&mut self, mib: u64) -> io::Result<()> {
        let mut rng = Rng::with_seed(mib);
        let mut piece = vec![0; PIECE];
        self.add(LARGE_FILE.to_owned(), |file| {
            (0..mib).try_for_each(|_| {
                rng.fill(&mut piece);
                file.write_all(&piece)
            })
        })
    }

    fn add(&mut self, key: String, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
        let path = self.path(&key);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let mut file = BufWriter::new(File::create(path)?);
        write(&mut file)?;
        let file = file.into_inner()?;
        let size = file.metadata()?.len();
        if size > PIECE as u64 {
            // Else it goes to the disk while the first tool runs.
            file.sync_all()?;
        }
        self.files.insert(key, size);
        Ok(())
    }
}

/// The path of a small file: of twenty files, eleven are pages, and a folder has about forty.
fn key(number: usize) -> String {
    let extension = match number {
        0 => return "index.html".to_owned(),
        1 => return "style.css".to_owned(),
        2 => return "script.js".to_owned(),
        _ => match number % 20 {
            0..=10 => "html",
            11..=13 => "json",
            14 => "svg",
            15..=17 => "png",
            18 => "css",
            _ => "txt",
        },
    };
    let (section, topic) = (number / 400, number / 40 % 10);
    format!("section-{section:02}/topic-{topic}/item-{number:05}.{extension}")
}

/// `size` bytes that look like what the file's name says.
fn content(key: &str, size: usize, rng: &mut Rng) -> Vec<u8> {
    let extension = Path::new(key).extension().and_then(|extension| extension.to_str());
    let (beginning, end) = match extension {
        Some("html") => (
            "<!doctype html>\n<html lang=\"en\">\n<link rel=\"stylesheet\" href=\"/style.css\">\n\
             <script src=\"/script.js\" defer></script>\n<p>",
            "</p>\n</html>\n",
        ),
        Some("json") => ("{\"text\": \"", "\"}\n"),
        Some("svg") => ("<svg xmlns=\"http://www.w3.org/2000/svg\"><text>", "</text></svg>\n"),
        Some("css" | "js") => ("/* ", " */\n"),
        _ => ("", ""),
    };
    if extension == Some("png") {
        let mut content = vec![0; size];
        rng.fill(&mut content);
        content[..8].copy_from_slice(b"\x89PNG\r\n\x1a\n");
        return content;
    }
    let mut content = beginning.as_bytes().to_vec();
    while content.len() < size {
        content.extend_from_slice(WORDS[rng.usize(..WORDS.len())].as_bytes());
        content.push(b' ');
    }
    content.truncate(size - end.len());
    content.extend_from_slice(end.as_bytes());
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_the_same_each_time_until_it_changes() {
        let [mut one, other] = [(); 2].map(|()| Site::write(Kind::Small(100)).expect("written"));
        assert_eq!(one.files().len(), 100);
        assert_eq!(one.files(), other.files());
        assert!(one.files().values().all(|size| SMALL.contains(&(*size as usize))));
        let read = |site: &Site, key: &str| fs::read(site.path(key)).expect(key);
        for key in one.files().keys() {
            assert_eq!(read(&one, key), read(&other, key), "{key}");
        }
        let changed = one.change().expect("changed").to_owned();
        assert_ne!(read(&one, &changed), read(&other, &changed));
        assert_eq!(read(&one, &changed).len() as u64, one.files()[&changed]);
    }

    #[test]
    fn a_large_file_is_as_large_as_it_says() {
        let mut site = Site::write(Kind::Large(2)).expect("written");
        assert_eq!(site.files()[LARGE_FILE], 2 << 20);
        assert_eq!(site.change().expect("changed"), LARGE_FILE);
        assert_eq!(fs::metadata(site.path(LARGE_FILE)).expect("there").len(), 2 << 20);
    }

    #[test]
    fn pages_refer_to_what_is_there() {
        let page = content("index.html", 1024, &mut Rng::with_seed(0));
        let page = String::from_utf8(page).expect("text");
        for key in [key(1), key(2)] {
            assert!(page.contains(&format!("\"/{key}\"")), "{page}");
        }
        assert_eq!(page.len(), 1024);
    }
}
