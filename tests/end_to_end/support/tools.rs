//! Judges that aren't ours and aren't Rust, installed into the user's cache by the first test that needs them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::emulator;

const CFN_LINT: &str = "cfn-lint==1.58.0";

/// The command `cfn-lint`.
pub(crate) fn cfn_lint() -> PathBuf {
    static TOOL: OnceLock<PathBuf> = OnceLock::new();
    TOOL.get_or_init(|| {
        let environment = emulator::python()
            .parent()
            .and_then(std::path::Path::parent)
            .and_then(std::path::Path::parent)
            .expect("the emulator's environment is in the cache")
            .join(CFN_LINT.replace("==", "-"));
        let tool = environment.join("bin").join("cfn-lint");
        let done = environment.join("complete");
        if !done.exists() {
            run(Command::new(emulator::python())
                .args(["-m", "venv", "--clear"])
                .arg(&environment));
            run(Command::new(environment.join("bin").join("python")).args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                CFN_LINT,
            ]));
            std::fs::write(done, "").expect("writable");
        }
        tool
    })
    .clone()
}

fn run(command: &mut Command) {
    let output = command.output().expect("it starts");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
