//! The file of a backup. While it is written it is called `FILE.part`, and `FILE.part.json` says how far it is, so that a run that
//! ended goes on; under its own name it is whole.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::private;

/// How far a backup is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Progress {
    /// How many bytes of the file are so.
    bytes: u64,
    /// The tables, in the order in which they are read.
    pub(super) tables: Vec<TableProgress>,
}

/// How far it is with a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TableProgress {
    /// The table itself: another of the same name is another one.
    pub(super) table: String,
    /// How many of its items are written.
    pub(super) items: u64,
    pub(super) segments: Vec<Segment>,
}

/// How far it is with a part of a table that is read by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Segment {
    /// Nothing is read yet.
    #[default]
    Untouched,
    /// All up to this key.
    After(Map<String, Value>),
    /// All of it.
    Done,
}

/// A file that isn't whole yet.
#[derive(Debug)]
pub(super) struct Part {
    whole: PathBuf,
    part: PathBuf,
    state: PathBuf,
    file: File,
    pub(super) progress: Progress,
}

impl Part {
    /// Goes on with what an earlier run has left of the same tables, or begins.
    pub(super) fn open(whole: &Path, tables: Vec<TableProgress>) -> io::Result<Self> {
        let named = |ending: &str| {
            let mut name = whole.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        let (part, state) = (named(".part"), named(".part.json"));
        let left = private::read(&state)?.and_then(|text| serde_json::from_str::<Progress>(&text).ok());
        let is_same = |left: &Progress| {
            let places = left.tables.iter().zip(&tables);
            left.tables.len() == tables.len()
                && places
                    .into_iter()
                    .all(|(left, table)| left.table == table.table && left.segments.len() == table.segments.len())
        };
        if let Some(progress) = left.filter(is_same)
            && fs::metadata(&part).is_ok_and(|part| part.len() >= progress.bytes)
        {
            let mut file = private::open(&part)?;
            // What came after it may be half a line.
            file.set_len(progress.bytes)?;
            file.seek(SeekFrom::End(0))?;
            return Ok(Self {
                whole: whole.to_owned(),
                part,
                state,
                file,
                progress,
            });
        }
        // First: what is said of another file would be believed of this one.
        remove(&state)?;
        Ok(Self {
            whole: whole.to_owned(),
            file: private::file(&part)?,
            part,
            state,
            progress: Progress { bytes: 0, tables },
        })
    }

    /// How many items it has.
    pub(super) fn items(&self) -> u64 {
        self.progress.tables.iter().map(|table| table.items).sum()
    }

    /// Writes the lines of so many items, with which a segment of a table is as far as `then` says.
    pub(super) fn add(
        &mut self,
        lines: &str,
        items: u64,
        table: usize,
        segment: usize,
        then: Segment,
    ) -> io::Result<()> {
        self.file.write_all(lines.as_bytes())?;
        self.progress.bytes += lines.len() as u64;
        if let Some(table) = self.progress.tables.get_mut(table) {
            table.items += items;
            if let Some(segment) = table.segments.get_mut(segment) {
                *segment = then;
            }
        }
        private::write(&self.state, &serde_json::to_string(&self.progress)?)
    }

    /// Gives it its own name.
    pub(super) fn finish(self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.part, &self.whole)?;
        remove(&self.state)
    }
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(id: &str) -> Vec<TableProgress> {
        vec![TableProgress {
            table: id.to_owned(),
            items: 0,
            segments: vec![Segment::Untouched; 2],
        }]
    }

    #[test]
    fn what_an_earlier_run_has_left_is_gone_on_with() {
        let place = tempfile::tempdir().expect("a folder");
        let file = place.path().join("all.jsonl");
        let key = Map::from_iter([("id".to_owned(), serde_json::json!({ "S": "1" }))]);
        let mut part = Part::open(&file, tables("1")).expect("begun");
        part.add("a\nb\n", 2, 0, 1, Segment::After(key.clone()))
            .expect("written");
        part.file.write_all(b"half a li").expect("written");
        drop(part);
        assert!(!file.exists());

        let mut part = Part::open(&file, tables("1")).expect("gone on with");
        assert_eq!(part.items(), 2);
        assert_eq!(
            part.progress.tables[0].segments,
            [Segment::Untouched, Segment::After(key)]
        );
        part.add("c\n", 1, 0, 1, Segment::Done).expect("written");
        part.finish().expect("whole");
        assert_eq!(fs::read_to_string(&file).expect("there"), "a\nb\nc\n");
        let left = fs::read_dir(place.path()).expect("a folder").count();
        assert_eq!(left, 1, "nothing else is left");
    }

    #[test]
    fn what_another_table_has_left_is_not() {
        let place = tempfile::tempdir().expect("a folder");
        let file = place.path().join("all.jsonl");
        let mut part = Part::open(&file, tables("1")).expect("begun");
        part.add("a\n", 1, 0, 0, Segment::Done).expect("written");
        drop(part);
        let part = Part::open(&file, tables("2")).expect("begun");
        assert_eq!(part.items(), 0);
        part.finish().expect("whole");
        assert_eq!(fs::read_to_string(&file).expect("there"), "");
    }
}
