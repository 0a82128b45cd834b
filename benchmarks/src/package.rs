//! The function's package.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use crate::cargo;
use crate::error::{Context as _, Result};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

/// A package.
#[derive(Debug)]
pub struct Package {
    path: PathBuf,
    /// Goes with this value, if it was made here.
    _folder: Option<TempDir>,
}

impl Package {
    /// The zip.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The package that is `given`, or one of the function beside this package, built for this machine as it is built for Lambda.
///
/// # Errors
/// It isn't there, or can't be built.
pub fn find(given: Option<&Path>) -> Result<Package> {
    if let Some(given) = given {
        return Ok(Package {
            path: cargo::given(given)?,
            _folder: None,
        });
    }
    let function = cargo::here().join("..").join("function");
    let binary = fs::read(cargo::build(&function, "bootstrap", "lambda", &[])?)?;
    let folder = tempfile::tempdir().context("could not make a folder for the function's package")?;
    let path = folder.path().join("bootstrap.zip");
    fs::write(&path, zip(&binary)?).context(format_args!("could not write {}", path.display()))?;
    Ok(Package {
        path,
        _folder: Some(folder),
    })
}

/// Packs a function's binary as `deployer` does.
///
/// # Errors
/// It is too large for a zip.
pub fn zip(binary: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o755);
    archive.start_file("bootstrap", options)?;
    archive.write_all(binary)?;
    Ok(archive.finish()?.into_inner())
}
