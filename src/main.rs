//! The command. See the library's `run`.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(deployer::run() as u8)
}
