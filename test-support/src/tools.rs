//! Tools that aren't ours and aren't Rust, installed into the user's cache by the first test that needs them: what, stands in
//! lists in `tools/`.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::{emulator, environment};

/// The command `cfn-lint`.
pub fn cfn_lint() -> PathBuf {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    let list = include_str!("../tools/cfn-lint.txt");
    TOOLS.get_or_init(|| installed("cfn-lint", list)).join("cfn-lint")
}

/// The command `zizmor`.
pub fn zizmor() -> PathBuf {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    let list = include_str!("../tools/zizmor.txt");
    TOOLS.get_or_init(|| installed("zizmor", list)).join("zizmor")
}

/// The command `aws`, of the version that the benchmarks take.
pub fn aws() -> PathBuf {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    let list = include_str!("../tools/awscli.txt");
    TOOLS.get_or_init(|| installed("awscli", list)).join("aws")
}

/// What `aws` says, called with these arguments and variables, and with nothing of the user's accounts.
///
/// # Panics
/// It fails.
pub fn told_by_aws(args: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(aws());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    let output = command
        .args(args)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .envs(variables.iter().copied())
        .output()
        .expect("the AWS CLI starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The command `checkov`.
pub fn checkov() -> PathBuf {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    let list = include_str!("../tools/checkov.txt");
    TOOLS.get_or_init(|| installed("checkov", list)).join("checkov")
}

/// The folder of the commands `openapi-python-client`, `openapi-spec-validator`, `ruff`, with which the first formats what it
/// makes, and `schemathesis`; its Python has jsonschema.
pub fn openapi() -> PathBuf {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    let list = include_str!("../tools/openapi.txt");
    TOOLS.get_or_init(|| installed("openapi", list)).clone()
}

/// The folder of the command `cargo-lambda`, and of the Python that it finds its zig with: to be first on `PATH`. It is what
/// the deployer installs itself.
pub fn cargo_lambda() -> PathBuf {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    let list = include_str!("../../src/package/cargo-lambda.txt");
    TOOLS.get_or_init(|| installed("cargo-lambda", list)).clone()
}

/// The folder of commands of the environment that is made from this list.
fn installed(name: &str, list: &str) -> PathBuf {
    let python = emulator::python();
    let cache = python
        .ancestors()
        .nth(3)
        .expect("the emulator's environment is in the cache");
    let environment = environment::python(cache, &format!("tests-{name}"), list, &python, |_| {});
    let environment = environment.unwrap_or_else(|error| panic!("{name} can't be installed: {error}"));
    environment.join("bin")
}

/// The cargo that runs the tests.
pub fn real_cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}
