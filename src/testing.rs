//! What several modules' tests need.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap::Parser;

use crate::cli::Cli;
use crate::report::Reporter;

/// A reporter that shows warnings only.
pub(crate) fn quiet() -> Reporter {
    let cli = Cli::try_parse_from(["deployer", "--quiet", "local", "start"]).expect("valid");
    Reporter::new(&cli.global)
}

/// Writes a script. Through `cp`: a file that this process itself had open for writing might still be so in a child
/// that another test's thread just forked, and couldn't be executed then.
pub(crate) fn executable(file: &Path, script: &str) {
    let draft = file.with_extension("draft");
    std::fs::write(&draft, script).expect("written");
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let copied = std::process::Command::new("cp")
        .arg("-p")
        .arg(&draft)
        .arg(file)
        .status();
    assert!(copied.expect("cp").success());
    std::fs::remove_file(draft).expect("removed");
}
