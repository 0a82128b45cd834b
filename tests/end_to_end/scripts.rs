//! A stage's whole life by a shell script that looks at exit codes and JSON documents, and at nothing else.

use std::path::Path;

use tempfile::TempDir;

use crate::stages::{long_ago, unused};
use crate::support::project::repository;
use crate::support::{Clients, Deployer, Emulator, emulator};

#[tokio::test]
async fn a_script_takes_a_stage_from_nothing_to_nothing() {
    let emulator = Emulator::shared();
    let home = TempDir::new().expect("a folder");
    let script = repository().join("tests/end_to_end/scripts/pipeline.sh");
    let script = script.to_str().expect("a path");
    let run = |step: &str, endpoint: &str| {
        let bash = Deployer::under(Path::new("/bin/bash"), &[script], home.path(), &[step]);
        bash.at(endpoint).env("PYTHON", emulator::python()).run().success();
    };
    run("deploy", &emulator.endpoint());
    unused(&Clients::root(&emulator.endpoint()), "shop-dev-artifacts").await;
    run("expire", &long_ago(&emulator).endpoint());
    run("gone", &emulator.endpoint());
}
