//! What the programs weigh.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;

use benchmarks::error::{Context as _, Result};
use zip::write::SimpleFileOptions;

/// Sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// The executable.
    pub(crate) binary: u64,
    /// The package that Lambda gets.
    pub(crate) zip: u64,
}

/// The sizes of the executable at `path`.
///
/// # Errors
/// It can't be read or packed.
pub(crate) fn sizes(path: &Path) -> Result<Sizes> {
    let binary = fs::read(path).context(format_args!("could not read {}", path.display()))?;
    let zip = zip(&binary).context(format_args!("could not pack {}", path.display()))?;
    Ok(Sizes {
        binary: binary.len() as u64,
        zip: zip.len() as u64,
    })
}

/// Packs as `deployer` does.
fn zip(binary: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o755);
    archive.start_file("bootstrap", options)?;
    archive.write_all(binary)?;
    Ok(archive.finish()?.into_inner())
}
