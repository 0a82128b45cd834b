//! What a package's program can ask of AWS, read once and remembered: it is the same for the same content.

use std::io::{Read, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;

use super::archive::{self, BOOTSTRAP};
use super::snapshot::Snapshot;
use super::{What, elf, memory};
use crate::permissions::{self, Operations};

const KIND: &str = "asks";

/// What the program in `what` can ask for; none if there is no Linux program in it, or it can't be read. `scratch` is for what
/// has to be unpacked, `builds` the folder of builds.
pub(super) fn read(what: &What, scratch: &Path, builds: &Path) -> Option<Operations> {
    let (What::Files(content, _) | What::Zip(content)) = what;
    let remembered = memory::recall(builds, KIND, &content.hash);
    if let Some(operations) = remembered.and_then(|text| Operations::from_text(&text)) {
        return Some(operations);
    }
    let operations = match what {
        What::Zip(zip) => {
            let contents = archive::open(zip).ok()?;
            let name = contents.bootstrap?.ok()?;
            of_program(&archive::take_out(zip, &name, scratch).ok()?)?
        }
        What::Files(files, entries) => {
            let mut start = 0;
            let found = entries.iter().find_map(|entry| {
                let range = start..start + entry.length;
                start = range.end;
                (entry.name == BOOTSTRAP).then_some(range)
            })?;
            if found == (0..files.length) {
                of_program(files)?
            } else {
                of_program(&Snapshot::take(part(files, &found)?, u64::MAX, scratch).ok()?)?
            }
        }
    };
    memory::remember(builds, KIND, &content.hash, &operations.to_text());
    Some(operations)
}

/// What is loaded of a program when it runs. The rest tells what it was made of, whether or not that is still in it.
fn of_program(program: &Snapshot) -> Option<Operations> {
    let ranges = elf::loaded(program).ok()?;
    let none: Box<dyn Read> = Box::new(std::io::empty());
    let loaded = ranges.iter().try_fold(none, |before, range| {
        let all: Box<dyn Read> = Box::new(before.chain(part(program, range)?));
        Some(all)
    })?;
    // Ranges of a strange program may overlap.
    permissions::operations(loaded.take(program.length)).ok()
}

fn part<'a>(of: &'a Snapshot, range: &Range<u64>) -> Option<impl Read + use<'a>> {
    let mut reader = of.reader();
    reader.seek(SeekFrom::Start(range.start)).ok()?;
    Some(reader.take(range.end.checked_sub(range.start)?))
}
