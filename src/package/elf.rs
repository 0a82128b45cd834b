//! What an ELF executable asks of the machine that is to run it.

use std::collections::HashMap;
use std::ops::Range;

use object::elf::{DT_NEEDED, ET_DYN, ET_EXEC, FileHeader64, Machine, PT_LOAD, SHT_DYNSYM, VER_FLG_WEAK};
use object::read::elf::{FileHeader, ProgramHeader, SectionTable, Sym};
use object::read::{ReadCache, ReadRef};
use object::{LittleEndian, SymbolIndex};

use super::snapshot::Snapshot;

/// An executable's demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Executable {
    /// The processor that it is for.
    pub(super) machine: Machine,
    /// The dynamic loader that starts it; none for a static one.
    pub(super) loader: Option<String>,
    /// The shared libraries that it is linked with.
    pub(super) libraries: Vec<String>,
    /// The versions of those libraries' symbols without which the loader doesn't start it.
    pub(super) needs: Vec<Need>,
}

/// A version that one or more of the libraries must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    /// As the linker wrote it, such as `GLIBC_2.34`.
    pub(super) version: String,
    /// The first of its symbols in the symbol table; a version can be needed without one.
    pub(super) symbol: Option<String>,
    /// How many symbols there are.
    pub(super) symbols: usize,
}

/// Why something isn't an executable for a 64-bit Linux.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotExecutable {
    /// There is nothing in it.
    Empty,
    /// It isn't ELF; what it is instead, as far as its beginning tells.
    NotElf(&'static str),
    /// It is ELF, but not an executable, or cut short.
    Malformed(String),
}

impl Executable {
    /// Reads the headers and the dynamic symbols, and nothing else: most of a program is its code.
    ///
    /// # Errors
    /// It isn't a whole 64-bit little-endian ELF executable, which is what both of Lambda's processors run.
    pub(super) fn read(program: &Snapshot) -> Result<Self, NotExecutable> {
        Self::parse(&ReadCache::new(program.reader()))
    }

    fn parse<'data>(content: impl ReadRef<'data>) -> Result<Self, NotExecutable> {
        let unreadable = |()| NotExecutable::Malformed("it can't be read".to_owned());
        let length = content.len().map_err(unreadable)?;
        let beginning = content.read_bytes_at(0, length.min(BEGINNING)).map_err(unreadable)?;
        if beginning.is_empty() {
            return Err(NotExecutable::Empty);
        }
        if !beginning.starts_with(b"\x7fELF") {
            return Err(NotExecutable::NotElf(kind(beginning)));
        }
        if beginning.get(CLASS) == Some(&CLASS_32) {
            return Err(NotExecutable::Malformed(
                "it is built for a 32-bit processor".to_owned(),
            ));
        }
        let header = Header::parse(content).map_err(malformed)?;
        let endian = LittleEndian;
        if !matches!(header.e_type(endian), ET_EXEC | ET_DYN) || header.e_entry(endian) == 0 {
            return Err(NotExecutable::Malformed(
                "it is an object file or a library, not a program".to_owned(),
            ));
        }
        let sections = header.sections(endian, content).map_err(malformed)?;
        let this = Self {
            machine: header.e_machine(endian),
            loader: loader(header, content)?,
            libraries: libraries(&sections, content)?,
            needs: needs(&sections, content)?,
        };
        if this.loader.is_some() && this.libraries.is_empty() {
            return Err(NotExecutable::Malformed(
                "its section headers were removed, so that nobody can tell which libraries it needs".to_owned(),
            ));
        }
        Ok(this)
    }
}

/// The parts of a program's file that are loaded when it runs, as offsets in bytes.
///
/// # Errors
/// It isn't a 64-bit ELF file.
pub(super) fn loaded(program: &Snapshot) -> Result<Vec<Range<u64>>, NotExecutable> {
    let content = ReadCache::new(program.reader());
    let header = Header::parse(&content).map_err(malformed)?;
    let segments = header.program_headers(LittleEndian, &content).map_err(malformed)?;
    let loaded = segments
        .iter()
        .filter(|segment| segment.p_type(LittleEndian) == PT_LOAD);
    let ranges = loaded.map(|segment| {
        let (start, length) = segment.file_range(LittleEndian);
        start..start.saturating_add(length)
    });
    Ok(ranges.collect())
}

type Header = FileHeader64<LittleEndian>;
type Sections<'data, R> = SectionTable<'data, Header, R>;

/// The most versions that a program can need: symbols name theirs by numbers of 15 bits.
const MOST_VERSIONS: usize = 0x7fff;

/// Nobody's program has more libraries. What is in a table can be of any size, and each entry name the same long text.
const MOST_LIBRARIES: usize = 1 << 12;

/// As much as tells what kind of file it is, in bytes.
const BEGINNING: u64 = 16;

/// Where the header says how wide the processor's words are.
const CLASS: usize = 4;
const CLASS_32: u8 = 1;

fn loader<'data>(header: &Header, content: impl ReadRef<'data>) -> Result<Option<String>, NotExecutable> {
    for segment in header.program_headers(LittleEndian, content).map_err(malformed)? {
        if let Some(path) = segment.interpreter(LittleEndian, content).map_err(malformed)? {
            return Ok(Some(text(path)));
        }
    }
    Ok(None)
}

fn libraries<'data, R: ReadRef<'data>>(
    sections: &Sections<'data, R>,
    content: R,
) -> Result<Vec<String>, NotExecutable> {
    let table = sections.dynamic_table(LittleEndian, content).map_err(malformed)?;
    let libraries: Vec<String> = table
        .iter()
        .filter(|entry| entry.tag == DT_NEEDED)
        .take(MOST_LIBRARIES + 1)
        .map(|entry| table.string(entry).map(text).map_err(malformed))
        .collect::<Result<_, _>>()?;
    if libraries.len() > MOST_LIBRARIES {
        return Err(NotExecutable::Malformed(format!(
            "it is linked with more than {MOST_LIBRARIES} libraries"
        )));
    }
    Ok(libraries)
}

fn needs<'data, R: ReadRef<'data>>(sections: &Sections<'data, R>, content: R) -> Result<Vec<Need>, NotExecutable> {
    let Some((mut libraries, strings)) = sections.gnu_verneed(LittleEndian, content).map_err(malformed)? else {
        return Ok(Vec::new());
    };
    let strings = sections.strings(LittleEndian, content, strings).map_err(malformed)?;
    let mut needs: Vec<Need> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut left = MOST_VERSIONS;
    while let Some((_, mut versions)) = libraries.next().map_err(malformed)? {
        while let Some(version) = versions.next().map_err(malformed)? {
            // Libraries may have their lists in common, so that a small file can have any number.
            left = left.checked_sub(1).ok_or_else(|| {
                NotExecutable::Malformed(format!(
                    "it needs more than {MOST_VERSIONS} versions of libraries' symbols"
                ))
            })?;
            // The loader goes on without a weak one.
            if version.vna_flags.get(LittleEndian).contains(VER_FLG_WEAK) {
                continue;
            }
            let version = text(version.name(LittleEndian, strings).map_err(malformed)?);
            // glibc's libraries have their versions in common.
            if !known.contains_key(&version) {
                known.insert(version.clone(), needs.len());
                needs.push(Need {
                    version,
                    symbol: None,
                    symbols: 0,
                });
            }
        }
    }
    name_symbols(&mut needs, &known, sections, content)?;
    Ok(needs)
}

/// Adds to each need the symbols that it comes from; `known` tells where it is among them by its version.
fn name_symbols<'data, R: ReadRef<'data>>(
    needs: &mut [Need],
    known: &HashMap<String, usize>,
    sections: &Sections<'data, R>,
    content: R,
) -> Result<(), NotExecutable> {
    let Some(versions) = sections.versions(LittleEndian, content).map_err(malformed)? else {
        return Ok(());
    };
    let symbols = sections.symbols(LittleEndian, content, SHT_DYNSYM).map_err(malformed)?;
    // A table may have millions of symbols, of a few versions.
    let mut by_number: HashMap<u16, Option<usize>> = HashMap::new();
    for (index, symbol) in symbols.iter().enumerate() {
        let number = versions.version_index(LittleEndian, SymbolIndex(index)).index();
        let need = match by_number.get(&number.0) {
            Some(need) => *need,
            None => {
                let version = versions.version(number).map_err(malformed)?;
                let need = version.and_then(|version| known.get(&text(version.name())).copied());
                by_number.insert(number.0, need);
                need
            }
        };
        let Some(need) = need.and_then(|need| needs.get_mut(need)) else {
            continue;
        };
        if need.symbol.is_none() {
            let name = symbol.name(LittleEndian, symbols.strings()).map_err(malformed)?;
            need.symbol = Some(text(name));
        }
        need.symbols += 1;
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn malformed(error: object::read::Error) -> NotExecutable {
    NotExecutable::Malformed(error.to_string())
}

/// What else people give for a Linux program.
fn kind(content: &[u8]) -> &'static str {
    match content {
        [0xcf, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => "a program for macOS",
        [b'M', b'Z', ..] => "a program for Windows",
        [b'#', b'!', ..] => "a script",
        _ => "no program",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_linux_program_is_named() {
        let macos = [0xcf, 0xfa, 0xed, 0xfe, 0, 0];
        for (content, expected) in [
            (&b""[..], NotExecutable::Empty),
            (&macos[..], NotExecutable::NotElf("a program for macOS")),
            (b"MZ\x90", NotExecutable::NotElf("a program for Windows")),
            (b"#!/bin/sh\n", NotExecutable::NotElf("a script")),
            (b"hello", NotExecutable::NotElf("no program")),
        ] {
            assert_eq!(Executable::parse(content), Err(expected.clone()));
            let folder = tempfile::tempdir().expect("a folder");
            let copy = Snapshot::take(content, 100, folder.path()).expect("copied");
            assert_eq!(Executable::read(&copy), Err(expected));
        }
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn this_test_is_a_program_that_needs_glibc() {
        let content = std::fs::read(std::env::current_exe().expect("a path")).expect("readable");
        let this = Executable::parse(&*content).expect("a program");
        let folder = tempfile::tempdir().expect("a folder");
        let copy = Snapshot::take(&*content, u64::MAX, folder.path()).expect("copied");
        assert_eq!(Executable::read(&copy).as_ref(), Ok(&this));
        assert!(this.loader.is_some_and(|loader| loader.contains("ld-linux")));
        assert!(this.libraries.iter().any(|library| library == "libc.so.6"));
        let of_glibc = |need: &&Need| need.version.starts_with("GLIBC_2.") && need.symbols > 0;
        let need = this.needs.iter().find(of_glibc).expect("every program starts by one");
        assert!(need.symbol.as_ref().is_some_and(|symbol| !symbol.is_empty()));
    }

    /// A program that needs this many versions of one library, as `lists` say each anew, and has this many symbols, all
    /// of the last one.
    fn crafted(versions: u16, lists: u32, symbols: usize) -> Vec<u8> {
        let mut strings = b"\0libx.so\0".to_vec();
        let mut needed = Vec::new();
        for list in 0..lists {
            // The entries of the only list follow all the heads.
            let to_entries = (lists - list) * 16;
            let next = if list + 1 < lists { 16u32 } else { 0 };
            needed.extend([1u16, versions].map(u16::to_le_bytes).concat());
            needed.extend([1, to_entries, next].map(u32::to_le_bytes).concat());
        }
        for version in 0..versions {
            let next = if version + 1 < versions { 16u32 } else { 0 };
            needed.extend(0u32.to_le_bytes());
            needed.extend([0, version + 2].map(u16::to_le_bytes).concat());
            let name = u32::try_from(strings.len()).expect("short");
            needed.extend([name, next].map(u32::to_le_bytes).concat());
            strings.extend(format!("X_1.{version}\0").bytes());
        }
        let table = vec![0; 24 * symbols];
        let numbers = (versions + 1).to_le_bytes().repeat(symbols);
        // Kind, linked section, what it says more, size of an entry.
        let sections: [(u32, u32, u32, u64, &[u8]); 4] = [
            (3, 0, 0, 0, &strings),
            (11, 1, 0, 24, &table),
            (0x6fff_fffe, 1, lists, 0, &needed),
            (0x6fff_ffff, 2, 0, 2, &numbers),
        ];
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(16, 0);
        elf.extend([2u16, 62].map(u16::to_le_bytes).concat());
        elf.extend(1u32.to_le_bytes());
        let length: usize = sections
            .iter()
            .map(|(.., content)| content.len().next_multiple_of(8))
            .sum();
        let headers = 64 + length as u64;
        elf.extend([0x40_0000, 0, headers].map(u64::to_le_bytes).concat());
        elf.extend(0u32.to_le_bytes());
        elf.extend([64u16, 56, 0, 64, 5, 1].map(u16::to_le_bytes).concat());
        let mut heads = vec![0; 64];
        for (kind, link, info, entry, content) in sections {
            heads.extend([0, kind].map(u32::to_le_bytes).concat());
            heads.extend(
                [0, 0, elf.len() as u64, content.len() as u64]
                    .map(u64::to_le_bytes)
                    .concat(),
            );
            heads.extend([link, info].map(u32::to_le_bytes).concat());
            heads.extend([8, entry].map(u64::to_le_bytes).concat());
            elf.extend(content);
            elf.resize(elf.len().next_multiple_of(8), 0);
        }
        elf.extend(heads);
        elf
    }

    #[test]
    fn a_table_of_any_size_takes_no_time_by_the_square() {
        // Each symbol with each version would be a hundred thousand millions.
        let began = std::time::Instant::now();
        let program = Executable::parse(&*crafted(32_000, 1, 3_000_000)).expect("a program");
        assert_eq!(program.needs.len(), 32_000);
        assert_eq!(program.needs.last().map(|need| need.symbols), Some(3_000_000));
        let outcome = Executable::parse(&*crafted(32_000, 1_000_000, 1));
        assert!(
            matches!(&outcome, Err(NotExecutable::Malformed(why)) if why.contains("more than 32767 versions")),
            "{outcome:?}"
        );
        assert!(
            began.elapsed() < std::time::Duration::from_secs(60),
            "{:?}",
            began.elapsed()
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_program_that_is_cut_short_is_refused_and_does_no_harm() {
        let content = std::fs::read(std::env::current_exe().expect("a path")).expect("readable");
        for length in [4, 16, 63, 64, 100, 1000, content.len() / 2, content.len() - 1] {
            let outcome = Executable::parse(&content[..length]);
            assert!(
                matches!(outcome, Err(NotExecutable::Malformed(_))),
                "{length}: {outcome:?}"
            );
        }
    }
}
