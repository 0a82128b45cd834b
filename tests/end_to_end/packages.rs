//! The function's package: built by the tools that people build with, given prebuilt, and refused when Lambda couldn't
//! run it.

use std::io::{Cursor, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;

use crate::support::tools::{self, real_cargo};
use crate::support::{Clients, Deployer, Emulator, Project, Proxy, Ran, document, http};

/// `deployer package`, with `tools` before everything else on PATH.
fn package(project: &Project, tools: &Path, args: &[&str]) -> Ran {
    let others = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([tools.to_owned()].into_iter().chain(std::env::split_paths(&others)));
    Deployer::new(project.path(), &[&["package"], args].concat())
        .env("PATH", path.expect("a path"))
        .run()
}

/// This machine's, in Lambda's words.
fn this_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    }
}

/// The newest glibc that a binary needs, by binutils.
fn newest_glibc(binary: &Path) -> (u32, u32) {
    let output = Command::new("readelf").arg("--version-info").arg(binary).output();
    let text = String::from_utf8(output.expect("readelf").stdout).expect("UTF-8");
    let versions = text.split("Name: GLIBC_").skip(1).filter_map(|rest| {
        let mut numbers = rest.split([' ', '.']).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    versions.max().expect("it is linked with glibc")
}

#[tokio::test(flavor = "multi_thread")]
async fn cargo_lambda_builds_a_package_that_runs() {
    let (emulator, project) = (Emulator::start(), Project::copy());
    let here = this_architecture();
    project.edit(
        "stacks/stages.yaml",
        "Architecture: x86_64 ",
        &format!("Architecture: {here} "),
    );

    let packed = package(&project, &tools::cargo_lambda(), &["--output", "json"]).success();
    let packed = packed.json();
    let file = project.path().join("target/deployer/function.zip");
    let zip = std::fs::read(&file).expect("the package");
    assert_eq!(packed["architecture"], here);
    assert_eq!(packed["bytes"], zip.len());
    let sha256 = STANDARD.encode(Sha256::digest(&zip));
    assert_eq!(packed["codeSha256"], sha256.as_str());

    // Taken out by the zip crate as anyone would, and looked at by binutils.
    let mut archive = zip::ZipArchive::new(Cursor::new(&zip)).expect("a zip");
    assert_eq!(archive.len(), 1);
    let mut entry = archive.by_name("bootstrap").expect("bootstrap");
    assert_eq!(entry.unix_mode().map(|mode| mode & 0o777), Some(0o755));
    let mut binary = Vec::new();
    entry.read_to_end(&mut binary).expect("whole");
    drop(entry);
    let bootstrap = project.path().join("bootstrap");
    std::fs::write(&bootstrap, &binary).expect("written");
    let (major, minor) = newest_glibc(&bootstrap);
    assert_eq!(packed["glibc"], format!("{major}.{minor}"));
    assert!((major, minor) <= (2, 34), "{major}.{minor}");

    // The same binary is the same package, and may be given instead.
    let again = package(
        &project,
        &tools::cargo_lambda(),
        &["--output", "json", "--out", "again/function.zip"],
    );
    assert_eq!(again.success().json()["codeSha256"], sha256.as_str());
    assert_eq!(
        std::fs::read(project.path().join("again/function.zip")).expect("it"),
        zip
    );

    // Without cargo: nothing is built.
    let proxy = Proxy::before(emulator.port());
    let up = |package: &str| {
        Deployer::new(
            project.path(),
            &[
                "up",
                "--stage",
                "dev",
                "--function-package",
                package,
                "--output",
                "json",
            ],
        )
        .at(&proxy.endpoint())
        .env("PATH", project.path().join("empty"))
        .run()
        .success()
        .json()
    };
    let deployed = up("target/deployer/function.zip");
    let url = document::api_url(&deployed).to_owned();
    let answer = http::get(&format!("{url}?userId=1")).expect("an answer");
    assert_eq!(
        (answer.status, &answer.json()["name"]),
        (200, &Value::from("Test User"))
    );
    assert_eq!(
        http::get(&format!("{url}?userId=nobody")).expect("an answer").status,
        404
    );
    assert_eq!(http::get(&url).expect("an answer").status, 400);

    let clients = Clients::root(&emulator.endpoint());
    let function = clients
        .lambda
        .get_function_configuration()
        .function_name("retrieve-user-data-dev")
        .send()
        .await
        .expect("the function");
    assert_eq!(function.code_sha256(), Some(sha256.as_str()));
    assert_eq!(function.architectures().first().map(|one| one.as_str()), Some(here));

    // The binary that is in it is the same package.
    proxy.take();
    up("bootstrap");
    proxy.assert_nothing_was_written();
}

/// What a stage says under `parameters:` beats what would be built: the package is there already.
#[tokio::test]
async fn a_key_that_the_stage_gives_builds_nothing() {
    let (emulator, project) = (Emulator::start(), Project::copy());
    let up = || project.deployer(&emulator.endpoint(), &["up", "--stage", "dev"]);
    up().success();
    let clients = Clients::root(&emulator.endpoint());
    let stack = clients
        .cloudformation
        .describe_stacks()
        .stack_name("three-tier-dev-logic");
    let stack = stack.send().await.expect("the stack").stacks()[0].clone();
    let mut parameters = stack.parameters().iter();
    let key = parameters.find(|parameter| parameter.parameter_key() == Some("CodeKey"));
    let key = key.and_then(|key| key.parameter_value()).expect("a key");
    project.edit(
        "stacks/stages.yaml",
        "      LogRetentionDays: 3\n",
        &format!("      LogRetentionDays: 3\n      CodeKey: {key}\n"),
    );
    std::fs::remove_file(project.path().join("function")).expect("the link");
    let again = up().success();
    assert!(
        again.stderr.contains("logic        unchanged") && !again.stderr.contains("function "),
        "{}",
        again.stderr
    );
}

/// Programs that Lambda couldn't run, as real linkers make them.
struct Fixtures<'a> {
    project: &'a Project,
}

impl Fixtures<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.project.path().join(name)
    }

    fn cc(&self, arguments: &[&str]) {
        let output = Command::new("cc")
            .args(arguments)
            .current_dir(self.project.path())
            .output()
            .expect("a C compiler, which Rust links with, too");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// A program that any Linux of this architecture runs: it needs no library.
    fn fitting(&self) -> &'static str {
        self.project
            .write("plain.c", "void _start(void) { __builtin_trap(); }\n");
        self.cc(&["-static", "-nostdlib", "plain.c", "-o", "fitting"]);
        "fitting"
    }

    /// A program linked against a glibc of which this machine needn't have heard: one function of version 2.38 from each
    /// of two of its libraries.
    fn of_a_newer_glibc(&self) -> &'static str {
        for (library, function) in [("libc", "__isoc23_strtol"), ("libm", "fmod")] {
            self.project
                .write("versions", &format!("GLIBC_2.38 {{ global: {function}; }};\n"));
            self.project
                .write("library.c", &format!("long {function}(void) {{ return 0; }}\n"));
            let soname = format!("-Wl,-soname,{library}.so.6");
            let file = format!("{library}-newer.so");
            let made = ["-shared", "-nostdlib", &soname, "-Wl,--version-script=versions"];
            self.cc(&[&made[..], &["-fno-builtin", "library.c", "-o", &file]].concat());
        }
        self.project.write(
            "newer.c",
            "long __isoc23_strtol(void);\nlong fmod(void);\nvoid _start(void) { __isoc23_strtol(); fmod(); }\n",
        );
        let libraries = ["-L.", "-l:libc-newer.so", "-l:libm-newer.so"];
        self.cc(&[
            &["-nostdlib", "-fno-builtin", "newer.c"],
            &libraries[..],
            &["-o", "newer"],
        ]
        .concat());
        "newer"
    }

    /// A program for the other architecture: all that is read of it before is its header.
    fn of_another_machine(&self) -> &'static str {
        let mut program = std::fs::read(self.path(self.fitting())).expect("built");
        // ELF's numbers for x86-64 and AArch64.
        let other: u16 = if this_architecture() == "arm64" { 62 } else { 183 };
        program[18..20].copy_from_slice(&other.to_le_bytes());
        std::fs::write(self.path("other"), program).expect("written");
        "other"
    }

    fn zip(&self, name: &'static str, files: &[(&str, u32)]) -> &'static str {
        let program = std::fs::read(self.path(self.fitting())).expect("built");
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (file, mode) in files {
            let options = SimpleFileOptions::default().unix_permissions(*mode);
            archive.start_file(*file, options).expect("a file");
            archive.write_all(&program).expect("written");
        }
        std::fs::write(self.path(name), archive.finish().expect("a zip").into_inner()).expect("written");
        name
    }
}

#[test]
fn what_lambda_could_not_run_is_refused_before_anything_is_uploaded() {
    let (emulator, project) = (Emulator::start(), Project::copy());
    let proxy = Proxy::before(emulator.port());
    let make = Fixtures { project: &project };
    project.write("notes.txt", "hello\n");
    project.write("start.sh", "#!/bin/sh\n");
    project.write("nothing", "");
    // Nobody ever writes to it.
    let pipe = Command::new("mkfifo").arg(make.path("pipe")).status();
    assert!(pipe.expect("coreutils").success());
    std::fs::write(make.path("empty.zip"), [&b"PK\x05\x06"[..], &[0; 18]].concat()).expect("written");

    let cases: &[(&str, &[&str])] = &[
        (
            make.of_a_newer_glibc(),
            &[
                "newer can't run on Lambda",
                "needs GLIBC_2.38, another symbol is too new as well",
                "has glibc 2.34",
                "pip install cargo-lambda==1.9.2 ziglang==0.17.1`), then give what `deployer package",
            ],
        ),
        (
            make.of_another_machine(),
            &["other can't run on Lambda", "it is built for ", "has to run on "],
        ),
        (
            "notes.txt",
            &[
                "notes.txt can't run on Lambda",
                "it is no program",
                "ELF",
                "Give the binary",
            ],
        ),
        ("start.sh", &["it is a script"]),
        ("nothing", &["nothing can't run on Lambda", "it is empty"]),
        (
            "empty.zip",
            &[
                "empty.zip is no package",
                "a zip without any files",
                "`deployer package --stage dev`",
            ],
        ),
        (
            make.zip("folder.zip", &[("bootstrap/bootstrap", 0o755)]),
            &["no file `bootstrap` at its root, but bootstrap/bootstrap", "zip -j"],
        ),
        (
            make.zip("plain.zip", &[("bootstrap", 0o644)]),
            &["has the mode 0644", "chmod 755"],
        ),
        ("missing.zip", &["could not read", "missing.zip", "No such file"]),
        ("pipe", &["could not read", "pipe", "it is no plain file"]),
        ("/dev/zero", &["could not read", "/dev/zero", "it is no plain file"]),
        ("stacks", &["could not read", "stacks", "it is no plain file"]),
    ];
    for (file, words) in cases {
        let args = ["up", "--stage", "dev", "--function-package", file];
        project.deployer(&proxy.endpoint(), &args).fails_with(2).says(words);
        proxy.assert_nothing_was_written();
    }

    project
        .deployer(
            &proxy.endpoint(),
            &["up", "--only", "site", "--function-package", "fitting"],
        )
        .fails_with(2)
        .says(&["has no use here", "--only function"]);
    // What was refused wasn't refused for being a package.
    make.zip("good.zip", &[("bootstrap", 0o755), ("lib/some.so", 0o644)]);
    project
        .deployer(
            &proxy.endpoint(),
            &["up", "--stage", "dev", "--function-package", "good.zip", "--no-verify"],
        )
        .success();
}

/// A `cargo` that knows the subcommands `known`, notes how it is called, and "builds" the program `built`.
fn cargo(project: &Project, known: &[&str], built: &Path) -> PathBuf {
    let folder = project.path().join("tools");
    std::fs::create_dir_all(&folder).expect("a folder");
    let known = known.join("|");
    let script = format!(
        r#"#!/bin/sh
echo "$*" >> "$0.calls"
# What the crate's binaries are is the real one's to tell.
[ "$1" = metadata ] && exec {} "$@"
case "$1" in {known}) ;; *) echo "error: no such command" >&2; exit 101 ;; esac
case "$2" in --version|--help) exit 0 ;; esac
echo '{{"reason":"compiler-artifact","target":{{"name":"bootstrap"}},"executable":"{}"}}'
"#,
        real_cargo().display(),
        built.display(),
    );
    let cargo = folder.join("cargo");
    std::fs::write(&cargo, script).expect("written");
    std::fs::set_permissions(&cargo, PermissionsExt::from_mode(0o755)).expect("executable");
    let _ = std::fs::remove_file(folder.join("cargo.calls"));
    folder
}

#[test]
fn without_cargo_lambda_zigbuild_is_used_and_without_that_cargo() {
    let project = Project::copy();
    let make = Fixtures { project: &project };
    let fitting = make.path(make.fitting());
    let newer = make.path(make.of_a_newer_glibc());
    let here = this_architecture();
    let other = if here == "arm64" { "x86_64" } else { "arm64" };
    let set = |from: &str, to: &str| {
        project.edit(
            "stacks/stages.yaml",
            &format!("Architecture: {from} "),
            &format!("Architecture: {to} "),
        );
    };
    if here != "x86_64" {
        set("x86_64", here);
    }
    let triple = if here == "arm64" { "aarch64" } else { "x86_64" };

    let tools = cargo(&project, &["lambda", "zigbuild", "build"], &fitting);
    package(&project, &tools, &[])
        .fails_with(2)
        .says(&["no file where it was told to put it"]);
    let calls = project.read("tools/cargo.calls");
    assert!(
        calls.contains("\nlambda build ") && calls.contains(" --locked "),
        "{calls}"
    );

    let tools = cargo(&project, &["zigbuild", "build"], &fitting);
    let packed = package(&project, &tools, &["--output", "json"]).success();
    assert_eq!(packed.json()["glibc"], Value::Null, "a static program needs none");
    let calls = project.read("tools/cargo.calls");
    let build = calls.lines().last().expect("a build");
    assert!(
        build.starts_with("zigbuild --bin bootstrap --message-format json-render-diagnostics --profile lambda")
            && build.contains(&format!("--target {triple}-unknown-linux-gnu.2.34 --locked ")),
        "{calls}"
    );

    let tools = cargo(&project, &["build"], &fitting);
    let packed = package(&project, &tools, &[]).success();
    assert!(
        packed
            .stdout
            .contains("deployer up --function-package target/deployer/function.zip"),
        "{}",
        packed.stdout
    );
    let calls = project.read("tools/cargo.calls");
    let build = calls.lines().last().expect("a build");
    assert!(
        build.starts_with("build --bin bootstrap") && build.contains(" --profile lambda --locked "),
        "{calls}"
    );

    let tools = cargo(&project, &["build"], &newer);
    std::fs::remove_file(project.path().join("target/deployer/function.zip")).expect("it was there");
    package(&project, &tools, &[]).fails_with(2).says(&[
        "the function can't run on Lambda",
        "needs GLIBC_2.38",
        "glibc 2.34",
        "next: Get cargo-lambda, which links against an older glibc (`python3 -m venv",
        "then run the same command again",
    ]);
    assert!(!project.path().join("target/deployer/function.zip").exists());

    set(here, other);
    package(&project, &tools, &[]).fails_with(2).says(&[
        &format!("this machine can't build the function for {other} without cargo-lambda or cargo-zigbuild"),
        "pip install cargo-lambda==1.9.2 ziglang==0.17.1`",
    ]);
}
