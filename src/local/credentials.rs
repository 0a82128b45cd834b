//! The local cloud's own keys: made once, at random, and kept where only their owner can read them.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, OrFail, Result};
use crate::private;

/// What opens the local cloud: its root user's keys.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credentials {
    /// The access key's id.
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Those of a state folder, if it has any.
    pub(super) fn read(state_dir: &Path) -> Result<Option<Self>> {
        let file = Self::file(state_dir);
        let Some(text) = private::read(&file).or_fail(|| format!("could not read {}", file.display()))? else {
            return Ok(None);
        };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Error::new(
                ErrorKind::LocalCloud,
                format!("could not understand {}", file.display()),
            )
            .cause(error)
            .hint("It has the local cloud's keys. Run `deployer local stop`, delete it, and run this again.")
        })
    }

    /// Those of a state folder; made if it has none.
    pub(super) fn read_or_make(state_dir: &Path) -> Result<Self> {
        let there = Self::read(state_dir)?;
        let credentials = there.map_or_else(Self::make, Ok)?;
        // Written in any case, so that a file which others could read is theirs no more.
        let file = Self::file(state_dir);
        let cannot = || format!("could not write {}", file.display());
        let text = serde_json::to_string(&credentials).or_fail(cannot)?;
        private::write(&file, &text).or_fail(cannot)?;
        Ok(credentials)
    }

    /// As long as AWS's own. The id begins so that nobody takes it for a key of theirs.
    fn make() -> Result<Self> {
        let random = |bytes: &mut [u8]| getrandom::fill(bytes).or_fail(|| "could not make random keys".to_owned());
        let (mut id, mut secret) = ([0; 8], [0; 20]);
        random(&mut id)?;
        random(&mut secret)?;
        Ok(Self {
            access_key_id: format!("LOCAL{}", hex::encode(id).to_uppercase()),
            secret_access_key: hex::encode(secret),
        })
    }

    pub(super) fn file(state_dir: &Path) -> PathBuf {
        state_dir.join("credentials.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_shown_nowhere() {
        let (one, other) = (
            tempfile::tempdir().expect("a folder"),
            tempfile::tempdir().expect("a folder"),
        );
        assert_eq!(Credentials::read(one.path()).expect("none"), None);
        let made = Credentials::read_or_make(one.path()).expect("made");
        assert_eq!(Credentials::read_or_make(one.path()).expect("kept"), made);
        assert_eq!(Credentials::read(one.path()).expect("read"), Some(made.clone()));
        let others = Credentials::read_or_make(other.path()).expect("made");
        assert_ne!(others.access_key_id, made.access_key_id);
        assert_ne!(others.secret_access_key, made.secret_access_key);
        assert!(!format!("{made:?}").contains(&made.secret_access_key));

        std::fs::write(Credentials::file(one.path()), "{}").expect("written");
        let error = Credentials::read(one.path()).expect_err("broken");
        assert!(
            error.next_step().is_some_and(|hint| hint.contains("delete it")),
            "{error}"
        );
    }
}
