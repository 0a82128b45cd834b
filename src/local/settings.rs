//! Where the local cloud's things are.

use std::ffi::OsString;
use std::path::PathBuf;

use etcetera::BaseStrategy;

use super::{MINISTACK, STAGES};
use crate::error::{Error, ErrorKind, OrFail, Result};
use crate::private;
use crate::venv::{self, Place};

/// The variable that chooses the port.
pub(super) const PORT_VARIABLE: &str = "DEPLOYER_LOCAL_PORT";
const DEFAULT_PORT: u16 = 4566;

/// Where things are, from the environment; tests have their own.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// The deployer's folder for what can be made again.
    pub(super) cache: PathBuf,
    /// The deployer's folder for what can't.
    pub(super) state: PathBuf,
    pub(super) port: u16,
    /// Where programs are looked for, as in `PATH`.
    pub(super) path: OsString,
}

impl Settings {
    pub(super) fn from_env() -> Result<Self> {
        let folders = venv::user_folders()?;
        let place = Place::of(&folders);
        let state = folders
            .state_dir()
            .unwrap_or_else(|| folders.home_dir().join(".local/state"));
        Ok(Self {
            cache: place.cache,
            state: state.join("deployer"),
            port: parse_port(std::env::var_os(PORT_VARIABLE))?,
            path: place.path,
        })
    }

    /// The folder of the virtual environment.
    pub(super) fn environment(&self) -> PathBuf {
        MINISTACK.environment(&self.cache)
    }

    /// Where the virtual environment is made, and with what.
    pub(super) fn place(&self) -> Place {
        Place {
            cache: self.cache.clone(),
            path: self.path.clone(),
        }
    }

    /// The folder of everything that the emulator writes.
    pub(super) fn state_dir(&self) -> PathBuf {
        self.state.join("local")
    }

    /// The folders that this deployer has things in, for this user alone; those from before are narrowed to that.
    pub(super) fn make_folders(&self) -> Result<()> {
        for folder in [&self.cache, &self.state, &self.state_dir(), &self.state.join(STAGES)] {
            private::folder(folder).or_fail(|| format!("could not make {} private", folder.display()))?;
        }
        Ok(())
    }

    pub(super) fn log_file(&self) -> PathBuf {
        self.state_dir().join("ministack.log")
    }

    /// What answers at `port`.
    pub(super) fn endpoint(port: u16) -> String {
        format!("http://127.0.0.1:{port}")
    }
}

fn parse_port(value: Option<OsString>) -> Result<u16> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(DEFAULT_PORT);
    };
    let shown = value.to_string_lossy();
    match shown.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(Error::new(
            ErrorKind::InvalidSetup,
            format!("{PORT_VARIABLE} is `{shown}`, which is no port"),
        )
        .hint(format!(
            "Set it to a number from 1 to 65535, or unset it for {DEFAULT_PORT}."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_numbers_from_1() {
        let parse = |text: &str| parse_port(Some(text.into()));
        assert_eq!(parse_port(None).expect("the default"), 4566);
        assert_eq!(parse("").expect("the default"), 4566);
        assert_eq!(parse("4577").expect("valid"), 4577);
        for bad in ["0", "65536", "-1", "http", "45 66"] {
            let error = parse(bad).expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::InvalidSetup);
            assert!(
                error.to_string().contains(&format!("DEPLOYER_LOCAL_PORT is `{bad}`")),
                "{error}"
            );
        }
    }
}
