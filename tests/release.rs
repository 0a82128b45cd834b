//! The archive that `release/archive` makes: unpacked where nothing else is, judged by tar, sha256sum and bash.

#![expect(clippy::expect_used, reason = "a test says what it needed by failing")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const DEPLOYER: &str = env!("CARGO_BIN_EXE_deployer");
/// In 2020: no commit's time, and not now.
const EPOCH: &str = "1600000000";

fn repository() -> PathBuf {
    // Of the checkout that is tested, which needn't be the one that was compiled.
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"))
}

/// What a program prints, which has to succeed.
fn output(command: &mut Command) -> String {
    let ran = command.output().expect("the program is there");
    let (out, err) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    assert!(ran.status.success(), "{command:?}: {}\n{out}{err}", ran.status);
    out.into_owned()
}

/// Runs the script, and returns the archive.
fn archive(binary: &Path, out: &Path) -> PathBuf {
    let mut script = Command::new("bash");
    script.arg(repository().join("release/archive"));
    script.arg("--binary").arg(binary).arg("--out").arg(out);
    let printed = output(script.env("SOURCE_DATE_EPOCH", EPOCH));
    PathBuf::from(printed.trim_end())
}

/// A command with nothing of this process's environment but where programs are.
fn bare(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir(folder).env("HOME", folder);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

#[test]
fn what_is_unpacked_into_an_empty_folder_runs() {
    let made = TempDir::new().expect("a folder");
    let empty = TempDir::new().expect("a folder");
    let archive = archive(Path::new(DEPLOYER), made.path());

    let name = archive.file_name().and_then(OsStr::to_str).expect("a name");
    let checksum = format!("{name}.sha256");
    output(bare("sha256sum", made.path()).args(["--check", "--strict", &checksum]));
    output(bare("tar", empty.path()).arg("-xzf").arg(&archive));
    let folder = empty.path().join(name.strip_suffix(".tar.gz").expect("a tar archive"));
    let run = |arguments: &[&str]| output(bare(folder.join("deployer"), &folder).args(arguments));

    let version = run(&["--version"]);
    assert_eq!(version, format!("deployer {}\n", env!("CARGO_PKG_VERSION")));
    assert!(
        name.starts_with(&format!("deployer-{}-", env!("CARGO_PKG_VERSION"))),
        "{name}"
    );

    // Every file has its sum, and each is right.
    output(bare("sha256sum", &folder).args(["--check", "--strict", "SHA256SUMS"]));
    let sums = std::fs::read_to_string(folder.join("SHA256SUMS")).expect("the sums");
    let listed = output(bare("tar", made.path()).arg("-tzf").arg(&archive));
    let files = listed.lines().filter(|line| !line.ends_with('/'));
    assert_eq!(sums.lines().count() + 1, files.count(), "{listed}");

    let site = repository().join("examples/site");
    let graph = run(&["graph", "--project-dir", site.to_str().expect("a path as text")]);
    assert!(graph.contains("\nweb ") && graph.ends_with("  the site\n"), "{graph}");

    // A shell that has read the script knows the commands.
    assert_eq!(
        run(&["completions", "bash"]),
        std::fs::read_to_string(folder.join("completions/deployer.bash")).expect("the script")
    );
    let complete = "PATH=$PWD:$PATH; source completions/deployer.bash; COMP_WORDS=(deployer ver) COMP_CWORD=1; \
                    _clap_complete_deployer deployer ver deployer; echo \"${COMPREPLY[*]}\"";
    assert_eq!(output(bare("bash", &folder).args(["-c", complete])), "verify\n");

    // Each command that the help names has a page, with the command's own words in it.
    let help = run(&["--help"]);
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|command| !command.is_empty() && *command != "help")
        .collect();
    assert!(commands.contains(&"up") && commands.contains(&"local"), "{help}");
    let pages = folder.join("man/man1");
    let page = |name: &str| std::fs::read_to_string(pages.join(name)).unwrap_or_default();
    assert!(page("deployer.1").contains(".TH deployer 1"));
    for command in commands {
        assert!(
            page(&format!("deployer-{command}.1")).contains(".SH SYNOPSIS"),
            "{command}"
        );
    }
    assert!(page("deployer-up.1").contains("\\-\\-revert\\-drift"));

    let licences = std::fs::read_to_string(folder.join("THIRD_PARTY_LICENCES.txt")).expect("the licences");
    assert!(licences.contains("\ntokio 1.") && licences.contains("Permission is hereby granted"));
    assert!(!licences.contains("\nfantoccini "), "tests aren't in the program");
}

#[test]
fn the_same_source_and_binary_give_the_same_bytes() {
    // Small, and says what the real one does.
    let tool = TempDir::new().expect("a folder");
    let binary = tool.path().join("deployer");
    std::fs::write(&binary, format!("#!/bin/sh\nexec '{DEPLOYER}' \"$@\"\n")).expect("written");
    output(Command::new("chmod").arg("755").arg(&binary));
    let (one, two) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let first = archive(&binary, one.path());
    // Made at another time, by who has other rights to it.
    output(Command::new("touch").args(["-d", "2001-01-01"]).arg(&binary));
    output(Command::new("chmod").arg("700").arg(&binary));
    let second = archive(&binary, two.path());
    assert_eq!(first.file_name(), second.file_name());
    assert!(std::fs::read(&first).expect("read") == std::fs::read(&second).expect("read"));

    let long = output(
        Command::new("tar")
            .args(["-tvzf"])
            .arg(&first)
            .env("TZ", "UTC")
            .arg("--numeric-owner"),
    );
    for line in long.lines() {
        assert!(line.contains(" 0/0 ") && line.contains(" 2020-09-13 12:26 "), "{line}");
    }
}
