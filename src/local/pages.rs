//! Having open pages of the local cloud load again. As long as somebody watches, the guard adds a script to them that waits for
//! it; what is published has none.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Settings;
use crate::error::{OrFail as _, Result};
use crate::private;

/// The file that the guard reads, in the state folder: who watches, and when pages were last to load again.
const FILE: &str = "pages";

/// The pages of the local cloud, which load again when they are told to; until it is dropped.
#[derive(Debug)]
pub(crate) struct Pages(PathBuf);

impl Pages {
    /// Has the pages that are opened from now on wait for it.
    ///
    /// # Errors
    /// The local cloud's folder can't be written.
    pub(crate) fn open() -> Result<Self> {
        let pages = Self(Settings::from_env()?.state_dir().join(FILE));
        pages.reload()?;
        Ok(pages)
    }

    /// Has them load again.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn reload(&self) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let text = format!("{} {}\n", std::process::id(), now.as_nanos());
        private::write(&self.0, &text).or_fail(|| format!("could not write {}", self.0.display()))
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // The guard sees as well whether the process is still there.
        let _ = std::fs::remove_file(&self.0);
    }
}
