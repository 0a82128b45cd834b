//! What Lambda's runtime `provided.al2023` offers to a program, and whether that is enough for one.
//!
//! A program that asks for more is uploaded and created without a word; only its first invocation fails, as
//! `Runtime.ExitError` or `Runtime.InvalidEntrypoint`, which the API turns into a 502.

use std::fmt;

use object::elf::{EM_AARCH64, EM_X86_64, Machine};

use super::elf::Executable;
use crate::project::stages::Architecture;

/// Amazon Linux 2023's glibc: <https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html>. Its later builds have a few
/// newer symbols as well, but no newer version as a whole.
pub(super) const GLIBC: &str = "2.34";

/// The parts of glibc, and what its programs are linked with besides: these are always there.
const LIBRARIES: &[&str] = &[
    "ld-linux-aarch64.so.1",
    "ld-linux-x86-64.so.2",
    "libanl.so.1",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libmvec.so.1",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libutil.so.1",
];

/// Why a program can't run there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Misfit {
    /// It is for another processor.
    Machine { found: String, wanted: Architecture },
    /// The loader that starts it isn't there: the system would say "no such file", of the program.
    Loader(String),
    /// It needs a newer glibc.
    Glibc {
        /// The newest version that it needs, such as `GLIBC_2.38`.
        version: String,
        /// A symbol that has this version.
        symbol: Option<String>,
        /// How many more symbols are too new.
        more: usize,
    },
}

/// Whether the program runs on a function of this architecture.
pub(super) fn check(program: &Executable, architecture: Architecture) -> Result<(), Misfit> {
    let (machine, loader) = match architecture {
        Architecture::X86_64 => (EM_X86_64, "/lib64/ld-linux-x86-64.so.2"),
        Architecture::Arm64 => (EM_AARCH64, "/lib/ld-linux-aarch64.so.1"),
    };
    if program.machine != machine {
        return Err(Misfit::Machine {
            found: name(program.machine),
            wanted: architecture,
        });
    }
    if let Some(other) = program.loader.as_ref().filter(|own| *own != loader) {
        return Err(Misfit::Loader(other.clone()));
    }
    let too_new = || program.needs.iter().filter(|need| is_too_new(&need.version));
    // A version with a symbol says more than one without.
    match too_new().max_by_key(|need| (need.symbol.is_some(), number(&need.version))) {
        None => Ok(()),
        Some(newest) => Err(Misfit::Glibc {
            version: newest.version.clone(),
            symbol: newest.symbol.clone(),
            more: too_new().map(|need| need.symbols).sum::<usize>().saturating_sub(1),
        }),
    }
}

/// The program's libraries that Lambda may not have; the package can bring them along in `lib/`.
pub(super) fn doubtful_libraries(program: &Executable) -> impl Iterator<Item = &str> {
    let names = program.libraries.iter().map(String::as_str);
    names.filter(|name| !LIBRARIES.contains(name))
}

/// The newest glibc that the program needs, as `2.34`; none if it needs none.
pub(super) fn newest_glibc(program: &Executable) -> Option<String> {
    let numbers = program.needs.iter().filter_map(|need| number(&need.version));
    numbers.max().map(|(major, minor)| format!("{major}.{minor}"))
}

fn is_too_new(version: &str) -> bool {
    // These name abilities of the loader; the first of them came with glibc 2.36.
    version.starts_with("GLIBC_ABI_") || number(version).is_some_and(|own| Some(own) > parse(GLIBC))
}

/// The first two numbers of a glibc version: `GLIBC_2.2.5` is 2.2. Other libraries' versions have none.
fn number(version: &str) -> Option<(u32, u32)> {
    parse(version.strip_prefix("GLIBC_")?)
}

fn parse(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// A processor as AWS names it, else as ELF does.
fn name(machine: Machine) -> String {
    match machine {
        EM_X86_64 => Architecture::X86_64.as_str().to_owned(),
        EM_AARCH64 => Architecture::Arm64.as_str().to_owned(),
        other => format!("another processor (ELF machine {other:?})"),
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine { found, wanted } => {
                write!(f, "it is built for {found}, and has to run on {}", wanted.as_str())
            }
            Self::Loader(path) => write!(
                f,
                "it is started by {path}, which Lambda's Amazon Linux 2023 doesn't have: it has glibc's loader only"
            ),
            Self::Glibc { version, symbol, more } => {
                match symbol {
                    Some(symbol) => write!(f, "its symbol `{symbol}` needs {version}")?,
                    None => write!(f, "it needs {version}")?,
                }
                match more {
                    0 => {}
                    1 => write!(f, ", another symbol is too new as well")?,
                    more => write!(f, ", {more} more are too new as well")?,
                }
                write!(f, ", and Lambda's Amazon Linux 2023 has glibc {GLIBC}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use object::elf::EM_RISCV;

    use super::*;
    use crate::package::elf::Need;

    fn program(needs: &[(&str, &[&str])]) -> Executable {
        let need = |(version, symbols): &(&str, &[&str])| Need {
            version: (*version).to_owned(),
            symbol: symbols.first().map(|symbol| (*symbol).to_owned()),
            symbols: symbols.len(),
        };
        Executable {
            machine: EM_X86_64,
            loader: Some("/lib64/ld-linux-x86-64.so.2".to_owned()),
            libraries: vec!["libc.so.6".to_owned(), "libm.so.6".to_owned()],
            needs: needs.iter().map(need).collect(),
        }
    }

    fn refusal(program: &Executable) -> String {
        check(program, Architecture::X86_64)
            .expect_err("it doesn't fit")
            .to_string()
    }

    #[test]
    fn glibc_up_to_the_limit_fits() {
        let fitting = program(&[
            ("GLIBC_2.2.5", &["read"]),
            ("GLIBC_2.34", &["__libc_start_main"]),
            ("GLIBC_PRIVATE", &["_dl_x"]),
            ("GCC_14.0.0", &["_Unwind_Resume"]),
        ]);
        assert_eq!(check(&fitting, Architecture::X86_64), Ok(()));
        assert_eq!(newest_glibc(&fitting).as_deref(), Some("2.34"));
    }

    #[test]
    fn a_newer_glibc_is_named_with_a_symbol_and_the_limit() {
        assert_eq!(
            refusal(&program(&[
                ("GLIBC_2.34", &["a"]),
                ("GLIBC_2.38", &["__isoc23_strtol"])
            ])),
            "its symbol `__isoc23_strtol` needs GLIBC_2.38, and Lambda's Amazon Linux 2023 has glibc 2.34"
        );
        let several: &[(&str, &[&str])] = &[
            ("GLIBC_2.38", &["b", "c"]),
            ("GLIBC_2.100", &["d"]),
            ("GLIBC_2.35", &["e"]),
        ];
        assert_eq!(
            refusal(&program(several)),
            "its symbol `d` needs GLIBC_2.100, 3 more are too new as well, and Lambda's Amazon Linux 2023 has glibc 2.34"
        );
    }

    #[test]
    fn an_ability_of_newer_loaders_is_too_new() {
        assert_eq!(
            refusal(&program(&[("GLIBC_2.34", &["a"]), ("GLIBC_ABI_DT_RELR", &[])])),
            "it needs GLIBC_ABI_DT_RELR, and Lambda's Amazon Linux 2023 has glibc 2.34"
        );
        assert_eq!(
            refusal(&program(&[("GLIBC_2.36", &["arc4random"]), ("GLIBC_ABI_DT_RELR", &[])])),
            "its symbol `arc4random` needs GLIBC_2.36, and Lambda's Amazon Linux 2023 has glibc 2.34"
        );
    }

    #[test]
    fn another_machine_or_loader_is_refused() {
        let arm = Executable {
            machine: EM_AARCH64,
            loader: Some("/lib/ld-linux-aarch64.so.1".to_owned()),
            ..program(&[])
        };
        assert_eq!(refusal(&arm), "it is built for arm64, and has to run on x86_64");
        assert_eq!(check(&arm, Architecture::Arm64), Ok(()));
        let riscv = Executable {
            machine: EM_RISCV,
            ..program(&[])
        };
        assert_eq!(
            refusal(&riscv),
            "it is built for another processor (ELF machine 243), and has to run on x86_64"
        );
        let musl = Executable {
            loader: Some("/lib/ld-musl-x86_64.so.1".to_owned()),
            ..program(&[])
        };
        assert!(refusal(&musl).starts_with("it is started by /lib/ld-musl-x86_64.so.1, which"));
        let fixed = Executable {
            loader: None,
            ..program(&[])
        };
        assert_eq!(check(&fixed, Architecture::X86_64), Ok(()));
    }

    #[test]
    fn libraries_that_may_be_missing_are_told_apart() {
        let mut linked = program(&[]);
        assert_eq!(doubtful_libraries(&linked).count(), 0);
        linked.libraries.push("libssl.so.3".to_owned());
        assert_eq!(doubtful_libraries(&linked).collect::<Vec<_>>(), ["libssl.so.3"]);
    }
}
