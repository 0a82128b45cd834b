//! Where the project is, from anywhere in it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// What a project's folder has, and no other.
const MARK: &str = "stacks/stages.yaml";

/// The project's folder, as messages name it: the one that is `named`, or the nearest from the current folder upwards. Where
/// there is none it is the current folder, and whoever opens it says what is missing.
///
/// # Errors
/// The nearest above belongs to somebody else: its build would run what they wrote.
pub(crate) fn folder(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    match std::env::current_dir() {
        Ok(here) => above(&here, rustix::process::geteuid().as_raw()),
        // Somebody removed it: opening it says so.
        Err(_) => Ok(PathBuf::from(".")),
    }
}

/// The same from the folder `here`, for the user `me`.
fn above(here: &Path, me: u32) -> Result<PathBuf> {
    let Some(steps) = here.ancestors().position(|folder| folder.join(MARK).is_file()) else {
        return Ok(PathBuf::from("."));
    };
    if steps == 0 {
        return Ok(PathBuf::from("."));
    }
    // As one would type it, and as the paths of its files are to be told.
    let relative: PathBuf = std::iter::repeat_n("..", steps).collect();
    let owner = |path: &Path| fs::metadata(path).map(|found| found.uid()).ok();
    let trusted = [Some(me), owner(here)];
    let project = here.ancestors().nth(steps).unwrap_or(here);
    // In a folder of many, such as /tmp, anybody may lay a project.
    let foreign = [MARK, "stacks"]
        .into_iter()
        .find(|part| !trusted.contains(&owner(&project.join(part))));
    match foreign {
        None => Ok(relative),
        Some(part) => Err(Error::new(
            ErrorKind::InvalidUsage,
            format!("{} belongs to somebody else", relative.join(part).display()),
        )
        .cause("this folder is in that project, and what a project says is run")
        .hint(format!(
            "If you trust it, name it: --project-dir {}. `deployer init` begins a project of your own.",
            relative.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(folder: &Path) {
        fs::create_dir_all(folder.join("stacks")).expect("a folder");
        fs::write(folder.join(MARK), "project: x\n").expect("written");
    }

    #[test]
    fn the_nearest_upwards_is_it() {
        let root = tempfile::tempdir().expect("a folder");
        let me = fs::metadata(root.path()).expect("there").uid();
        let at = |path: &str| above(&root.path().join(path), me).expect("found");
        let deep = root.path().join("outer/inner/site/pictures");
        fs::create_dir_all(&deep).expect("folders");
        assert_eq!(at("outer/inner/site"), Path::new("."));
        project(&root.path().join("outer"));
        assert_eq!(at("outer"), Path::new("."));
        assert_eq!(at("outer/inner/site"), Path::new("../.."));
        project(&root.path().join("outer/inner"));
        assert_eq!(at("outer/inner/site/pictures"), Path::new("../.."));
        assert_eq!(at("outer/inner/stacks"), Path::new(".."));
        // Templates without settings are no project yet; one around it is.
        fs::create_dir(deep.join("stacks")).expect("a folder");
        assert_eq!(at("outer/inner/site/pictures"), Path::new("../.."));
    }

    #[test]
    fn what_somebody_else_laid_above_is_not_taken() {
        let root = tempfile::tempdir().expect("a folder");
        project(root.path());
        let here = root.path().join("mine");
        fs::create_dir(&here).expect("a folder");
        let me = fs::metadata(&here).expect("there").uid();
        assert_eq!(above(&here, me).expect("mine"), Path::new(".."));
        // A container's root works in a checkout of somebody's.
        assert_eq!(
            above(&here, me + 1).expect("whose the current folder is"),
            Path::new("..")
        );
        let elsewhere = Path::new("/");
        assert_eq!(above(elsewhere, me).expect("nothing there"), Path::new("."));
    }
}
