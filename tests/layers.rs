//! Arrows point one way: each part of the library imports from those below it alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The parts from the bottom up, as `docs/ARCHITECTURE.md` tells them. Those of one row don't know one another.
const LAYERS: &[&[&str]] = &[
    &[
        "child",
        "clock",
        "environment",
        "error",
        "http",
        "ident",
        "text",
        "private",
        "promise",
        "wait",
    ],
    &["network"],
    &["journal", "report"],
    &["lock"],
    &["venv", "site", "permissions"],
    &["project"],
    &["local", "cloud", "identity"],
    &["bucket", "document", "logs", "table"],
    &["lease", "usage"],
    &["stack"],
    &["quotas"],
    &["readiness", "address", "conflicts", "deployed"],
    &[
        "backup",
        "openapi",
        "seeding",
        "package",
        "publish",
        "site_build",
        "watching",
    ],
    &["releases"],
    &["cli"],
    &["context"],
    &["verify"],
    &["commands"],
    &["completion"],
    &["run"],
];

#[test]
fn arrows_point_down() {
    let ranks: BTreeMap<&str, usize> = LAYERS
        .iter()
        .enumerate()
        .flat_map(|(rank, parts)| parts.iter().map(move |part| (*part, rank)))
        .collect();
    let mut wrong = Vec::new();
    for file in rust_files(Path::new("src")) {
        let part = part_of(&file);
        if matches!(part.as_str(), "lib" | "main" | "testing") {
            continue;
        }
        let Some(rank) = ranks.get(part.as_str()) else {
            wrong.push(format!("{}: `{part}` has no place among the layers", file.display()));
            continue;
        };
        let text = fs::read_to_string(&file).expect("a source file");
        for (line, used) in imports(&text) {
            match ranks.get(used.as_str()) {
                _ if used == part => {}
                Some(below) if below < rank => {}
                Some(_) => wrong.push(format!("{}:{line}: `{part}` knows `{used}`", file.display())),
                None => wrong.push(format!(
                    "{}:{line}: `{used}` has no place among the layers",
                    file.display()
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that run up, or beside:\n{}", wrong.join("\n"));
}

#[test]
fn imports_are_found_wherever_they_stand() {
    let text = "//! [`crate::run`] in docs is none.\nuse crate::error::{Error, Result};\nuse crate::text;\nfn f() { crate::wait::until() }\n\
                #[cfg(test)]\nmod tests { use crate::cli::Cli; }\n";
    let found = imports(text);
    let expected = [(2, "error"), (3, "text"), (4, "wait")];
    assert_eq!(found, expected.map(|(line, part)| (line, part.to_owned())));
}

/// What a file uses of the crate, with the line; what only its tests use is left out, and so are comments.
fn imports(text: &str) -> Vec<(usize, String)> {
    let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines
        .flat_map(|(index, line)| {
            let used = line.split("crate::").skip(1);
            used.map(move |rest| (index + 1, identifier(rest)))
        })
        .collect()
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The part that a file belongs to: the first folder or file below `src/`.
fn part_of(file: &Path) -> String {
    let part = file.components().nth(1).expect("a file in src/");
    let part = part.as_os_str().to_string_lossy();
    part.trim_end_matches(".rs").to_owned()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        // A folder's tests may know whatever they need.
        let is_tests = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_tests {
            files.push(path);
        }
    }
    files.sort();
    files
}
