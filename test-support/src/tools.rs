//! Tools that aren't ours and aren't Rust, installed into the user's cache by the first test that needs them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::emulator;

/// The command `cfn-lint`.
pub fn cfn_lint() -> PathBuf {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| installed(&["cfn-lint==1.58.0"])).join("cfn-lint")
}

/// The command `aws`, of the version that the benchmarks take.
pub fn aws() -> PathBuf {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| installed(&["awscli==1.46.3"])).join("aws")
}

/// The command `checkov`.
pub fn checkov() -> PathBuf {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| installed(&["checkov==3.3.30"])).join("checkov")
}

/// The folder of the command `cargo-lambda`, and of the Python that it finds its zig with: to be first on `PATH`.
pub fn cargo_lambda() -> PathBuf {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS
        .get_or_init(|| installed(&["cargo-lambda==1.9.2", "ziglang==0.17.1"]))
        .clone()
}

/// The folder of commands of an environment that has these packages; it is named after the first.
fn installed(packages: &[&str]) -> PathBuf {
    let environment = emulator::python()
        .ancestors()
        .nth(3)
        .expect("the emulator's environment is in the cache")
        .join(packages[0].replace("==", "-"));
    let commands = environment.join("bin");
    let done = environment.join("complete");
    if !done.exists() {
        run(Command::new(emulator::python())
            .args(["-m", "venv", "--clear"])
            .arg(&environment));
        run(Command::new(commands.join("python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(packages));
        std::fs::write(done, "").expect("writable");
    }
    commands
}

fn run(command: &mut Command) {
    let output = command.output().expect("it starts");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The cargo that runs the tests.
pub fn real_cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}
