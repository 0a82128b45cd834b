//! Files as nobody writes them, made of those that people do: what reads files must refuse them, and do no worse.
//!
//! The inputs are by chance, and the same each time: `DEPLOYER_TEST_FUZZ` says how many each reader gets, and a long run has
//! all those of a short one. An input that a reader fails on is written to `tests/corpus/fuzz/`, whose files every reader
//! gets first from then on.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::lock;

/// Inputs for each reader, unless the environment says another number.
const INPUTS: u64 = 1000;
/// Bytes of an input: what is longer only takes longer.
const LONGEST: usize = 8 << 10;
/// What a reader may have of memory for each byte that it reads, and what it may have in any case, both in bytes. What people
/// write takes a third of that. The second is for inputs of nothing but `[` and `,`, each of which is a value to a parser, and
/// for what aliases repeat.
pub const USUAL: u64 = 50;
const IN_ANY_CASE: u64 = 4 << 20;
/// After this time a reader is taken to hang. What is read is small, so that the slowest machine is far below.
const HANGS: Duration = Duration::from_secs(60);
/// Where inputs are kept that a reader failed on.
const KEPT: &str = "tests/corpus/fuzz";

/// What means something to readers of YAML, JSON and ignore files, or to nobody.
const TOKENS: &[&str] = &[
    ": ",
    "- ",
    "? ",
    "\n",
    "\r\n",
    "\r",
    "\t",
    " ",
    "  ",
    "\"",
    "'",
    "|",
    ">",
    "|2-\n",
    ">+\n",
    "[",
    "]",
    "{",
    "}",
    ",",
    "#",
    " #",
    "&a ",
    "*a",
    "<<: *a\n",
    "<<: [*a, *a]\n",
    "!",
    "!!binary ",
    "!!str ",
    "!Sub ",
    "!GetAtt ",
    "!Ref ",
    "!<tag:yaml.org,2002:int> ",
    "---\n",
    "...\n",
    "%YAML 1.1\n---\n",
    "~",
    "null",
    "yes",
    "0755",
    "1e999999999",
    "-",
    "123456789012345678901234567890123456789012345678901234567890",
    "0x",
    "1:2:3",
    "\\u",
    "\\ud83d",
    "\\",
    "${",
    "${env:A}",
    "}",
    "$",
    "\0",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{fffe}",
    "é",
    "日",
    "🎉",
    "\u{200d}",
    "**/",
    "[a-",
    "[!",
    "!*",
    "//",
    "/",
    "..",
    "a:\n",
    "true",
    "\"a\": 1,",
    "{\"$serde_json::private::Number\": \"1\"}",
    "Fn::ForEach::A: [A, [b], {C: d}]\n",
];

/// Reads `corpus`, what was kept of earlier runs, and changed copies of the corpus by `read`, which says nothing about what it
/// makes of them. `memory` is what it may take for each byte of an input, in bytes: [`USUAL`], or more with a reason.
///
/// # Panics
/// `read` panics, doesn't come to an end, or takes more memory than the input explains.
pub fn run(name: &'static str, memory: u64, corpus: Vec<Vec<u8>>, read: impl FnMut(&[u8]) + Send + 'static) {
    assert!(!corpus.is_empty(), "nothing to begin with");
    let inputs = std::env::var("DEPLOYER_TEST_FUZZ").map_or(INPUTS, |text| text.parse().expect("a number of inputs"));
    let as_they_are = files(Path::new(KEPT)).into_iter().chain(corpus.clone());
    let changed = (0..inputs).map(move |number| changed(&corpus, number));
    each(name, memory, as_they_are.chain(changed), read);
}

/// Reads inputs as they are; the rest is as for [`run`].
///
/// # Panics
/// See [`run`].
pub fn each(
    name: &'static str,
    memory: u64,
    inputs: impl Iterator<Item = Vec<u8>> + Send + 'static,
    mut read: impl FnMut(&[u8]) + Send + 'static,
) {
    let current = Arc::new(Mutex::new(Vec::new()));
    let (done, ended) = channel();
    let worker = {
        let current = Arc::clone(&current);
        std::thread::spawn(move || {
            for input in inputs {
                lock(&current).clone_from(&input);
                let mut came = Ok(());
                let taken = allocation_counter::measure(|| came = catch_unwind(AssertUnwindSafe(|| read(&input))));
                let most = memory * input.len() as u64 + IN_ANY_CASE;
                if came.is_err() {
                    panic!("{name} panics on {}", keep(name, &input).display());
                }
                assert!(
                    taken.bytes_max <= most,
                    "{name} takes {} bytes for the {} of {}",
                    taken.bytes_max,
                    input.len(),
                    keep(name, &input).display()
                );
                if done.send(()).is_err() {
                    break;
                }
            }
        })
    };
    loop {
        match ended.recv_timeout(HANGS) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => panic!("{name} hangs on {}", keep(name, &lock(&current)).display()),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    assert!(worker.join().is_ok(), "{name}: see above");
}

/// The files of a folder, in order.
#[must_use]
pub fn files(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths.iter().filter_map(|path| fs::read(path).ok()).collect()
}

/// Writes an input to where the next run begins with it; a long one, which a test made, to where it can be looked at.
fn keep(name: &str, input: &[u8]) -> PathBuf {
    let hash: String = Sha256::digest(input)[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let folder = if input.len() > LONGEST {
        std::env::temp_dir()
    } else {
        KEPT.into()
    };
    let path = folder.join(format!("{name}-{hash}"));
    fs::create_dir_all(folder).expect("the folder");
    fs::write(&path, input).expect("written");
    path
}

/// The input of this number.
fn changed(corpus: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(number);
    let mut input = pick(&mut random, corpus).clone();
    for _ in 0..random.usize(1..=4) {
        change(&mut input, corpus, &mut random);
        input.truncate(LONGEST);
    }
    input
}

fn pick<'a, T>(random: &mut fastrand::Rng, from: &'a [T]) -> &'a T {
    &from[random.usize(..from.len())]
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut fastrand::Rng) {
    let at = random.usize(..=input.len());
    let token = pick(random, TOKENS).as_bytes();
    match random.u8(..10) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = random.u8(..);
            }
        }
        1 | 2 => drop(input.splice(at..at, token.iter().copied())),
        3 => {
            let end = (at + random.usize(..40)).min(input.len());
            input.drain(at..end);
        }
        // Within a character, too.
        4 => input.truncate(at),
        5 => {
            let other: &Vec<u8> = pick(random, corpus);
            let other = lines(other, random);
            let at = line_at(input, at);
            input.splice(at..at, other);
        }
        6 => {
            let block = lines(input, random);
            let at = line_at(input, at);
            let times = random.usize(1..=100);
            input.splice(at..at, block.repeat(times));
        }
        7 => {
            let times = random.usize(1..=2000);
            input.splice(at..at, token.repeat(times));
        }
        8 => {
            // Deeper and deeper.
            let nested: String = (0..random.usize(1..=300))
                .map(|depth| format!("{}a:\n", " ".repeat(depth)))
                .collect();
            let at = line_at(input, at);
            input.splice(at..at, nested.into_bytes());
        }
        _ => {
            let (open, close) = pick(random, &[("[", "]"), ("{a: ", "}"), ("{\"a\":", "}"), ("- ", "")]);
            let depth = random.usize(1..=300);
            let end = (at + random.usize(..40)).min(input.len());
            input.splice(end..end, close.repeat(depth).into_bytes());
            input.splice(at..at, open.repeat(depth).into_bytes());
        }
    }
}

/// Where the line begins that this byte is in.
fn line_at(input: &[u8], at: usize) -> usize {
    input[..at]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1)
}

/// A few lines that follow one another.
fn lines(input: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let start = random.usize(..lines.len());
    let end = (start + random.usize(1..=8)).min(lines.len());
    lines[start..end].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_the_same_each_time_and_not_the_same_as_another() {
        let corpus = [b"a: b\nc: [d]\n".to_vec()];
        let of = || (0..200).map(|number| changed(&corpus, number)).collect::<Vec<_>>();
        let mut inputs = of();
        assert_eq!(inputs, of());
        inputs.sort();
        inputs.dedup();
        assert!(inputs.len() > 150, "{}", inputs.len());
    }
}
