//! What several modules' tests need.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::report::{Color, Flags, Format, Options, Reporter};

/// A reporter that shows warnings only.
pub(crate) fn quiet() -> Reporter {
    Reporter::new(Options {
        format: Format::Text,
        color: Color::Never,
        quiet: true,
        verbose: false,
        yes: false,
        flags: Flags::default(),
    })
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
