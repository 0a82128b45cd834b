//! What an ELF executable asks of the machine that is to run it.

use object::elf::{DT_NEEDED, ET_DYN, ET_EXEC, FileHeader64, Machine, SHT_DYNSYM, VER_FLG_WEAK};
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
    /// The symbols of this version that are used, in the order of the symbol table. A version can be needed without one.
    pub(super) symbols: Vec<String>,
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

type Header = FileHeader64<LittleEndian>;
type Sections<'data, R> = SectionTable<'data, Header, R>;

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
    table
        .iter()
        .filter(|entry| entry.tag == DT_NEEDED)
        .map(|entry| table.string(entry).map(text).map_err(malformed))
        .collect()
}

fn needs<'data, R: ReadRef<'data>>(sections: &Sections<'data, R>, content: R) -> Result<Vec<Need>, NotExecutable> {
    let Some((mut libraries, strings)) = sections.gnu_verneed(LittleEndian, content).map_err(malformed)? else {
        return Ok(Vec::new());
    };
    let strings = sections.strings(LittleEndian, content, strings).map_err(malformed)?;
    let mut needs: Vec<Need> = Vec::new();
    while let Some((_, mut versions)) = libraries.next().map_err(malformed)? {
        while let Some(version) = versions.next().map_err(malformed)? {
            // The loader goes on without a weak one.
            if version.vna_flags.get(LittleEndian).contains(VER_FLG_WEAK) {
                continue;
            }
            let version = text(version.name(LittleEndian, strings).map_err(malformed)?);
            // glibc's libraries have their versions in common.
            if needs.iter().all(|need| need.version != version) {
                needs.push(Need {
                    version,
                    symbols: Vec::new(),
                });
            }
        }
    }
    name_symbols(&mut needs, sections, content)?;
    Ok(needs)
}

/// Adds to each need the symbols that it comes from.
fn name_symbols<'data, R: ReadRef<'data>>(
    needs: &mut [Need],
    sections: &Sections<'data, R>,
    content: R,
) -> Result<(), NotExecutable> {
    let Some(versions) = sections.versions(LittleEndian, content).map_err(malformed)? else {
        return Ok(());
    };
    let symbols = sections.symbols(LittleEndian, content, SHT_DYNSYM).map_err(malformed)?;
    for (index, symbol) in symbols.iter().enumerate() {
        let index = versions.version_index(LittleEndian, SymbolIndex(index)).index();
        let Some(version) = versions.version(index).map_err(malformed)? else {
            continue;
        };
        let version = String::from_utf8_lossy(version.name());
        if let Some(need) = needs.iter_mut().find(|need| need.version == version) {
            let name = symbol.name(LittleEndian, symbols.strings()).map_err(malformed)?;
            need.symbols.push(text(name));
        }
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
        let with_start = |need: &&Need| need.symbols.iter().any(|symbol| symbol == "__libc_start_main");
        let need = this.needs.iter().find(with_start).expect("every program starts");
        assert!(need.version.starts_with("GLIBC_2."), "{}", need.version);
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
