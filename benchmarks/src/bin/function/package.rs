//! What the programs weigh.

use std::fs;
use std::path::Path;

use benchmarks::error::{Context as _, Result};
use benchmarks::package::zip;

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
