//! Puts into the binary the examples' files, for `deployer init`, as they are when it is built, so that they can't be old; and
//! the tables of what asks what of IAM, packed.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// Where the tables are of what operations ask of IAM, and what CloudFormation asks for resources.
const TABLES: &[&str] = &["operations", "resources"];

/// Of each example where its parts are. Crates are members of this workspace, and a package of the deployer has no other
/// crates in it: `init/` has links to what is in them, which become files there.
const EXAMPLES: &[(&str, &[(&str, &str)])] = &[
    (
        "users",
        &[
            ("stacks", "stacks"),
            ("site", "site"),
            ("function/Cargo.toml", "init/users/function.toml"),
            ("function/src", "init/users/src"),
            ("function/tests", "init/users/tests"),
            ("Cargo.lock", "init/users/Cargo.lock"),
        ],
    ),
    (
        "orders",
        &[
            ("stacks", "examples/orders/stacks"),
            ("site", "examples/orders/site"),
            ("function/Cargo.toml", "init/orders/function.toml"),
            ("function/src", "init/orders/src"),
            ("function/tests", "init/orders/tests"),
            ("Cargo.lock", "init/orders/Cargo.lock"),
        ],
    ),
    (
        "site",
        &[("stacks", "examples/site/stacks"), ("site", "examples/site/site")],
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo runs this")?);
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo runs this")?);
    println!("cargo::rerun-if-changed=build.rs");
    let mut table = String::from("[\n");
    for (example, parts) in EXAMPLES {
        for (name, source) in *parts {
            println!("cargo::rerun-if-changed={source}");
            let mut files = Vec::new();
            find(&here.join(source), name, &mut files)?;
            for (path, file) in files {
                writeln!(table, "    ({example:?}, {path:?}, include_bytes!({file:?})),")?;
            }
        }
    }
    table.push_str("]\n");
    fs::write(out.join("carried.rs"), table)?;
    // A package's own manifest is made by cargo; as it was written it lies beside it.
    let manifests = ["Cargo.toml.orig", "Cargo.toml"].map(|name| here.join(name));
    let manifest = manifests.iter().find(|file| file.exists()).ok_or("a manifest")?;
    println!("cargo::rerun-if-changed={}", manifest.display());
    fs::copy(manifest, out.join("manifest.toml"))?;
    for table in TABLES {
        let source = here.join(format!("src/permissions/data/{table}.txt"));
        pack(&source, &out.join(format!("{table}.deflate")))?;
    }
    Ok(())
}

/// Packs the lines of a file that aren't comments.
fn pack(source: &Path, packed: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", source.display());
    let mut encoder = DeflateEncoder::new(fs::File::create(packed)?, Compression::best());
    for line in fs::read_to_string(source)?
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        writeln!(encoder, "{line}")?;
    }
    encoder.finish()?;
    Ok(())
}

/// The files at `source`, with what they are called in the project.
fn find(source: &Path, name: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), Box<dyn Error>> {
    if source.is_file() {
        files.push((name.to_owned(), source.to_owned()));
        return Ok(());
    }
    let mut entries = fs::read_dir(source)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let own = entry.file_name().into_string().map_err(|_| "a name that is no text")?;
        // What editors and systems leave.
        if !own.starts_with('.') && !own.ends_with('~') {
            find(&entry.path(), &format!("{name}/{own}"), files)?;
        }
    }
    Ok(())
}
