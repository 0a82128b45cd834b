//! `deployer verify`: every check is shown to fail, and only when it should.

mod answers;
mod layers;
mod private;
mod site;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Clients, Emulator, Project, Proxy, Ran};

/// A stage on an emulator of its own.
struct Stage {
    emulator: Emulator,
    project: Project,
    clients: Clients,
    outputs: Value,
}

const STAGE: &str = "dev";
const FUNCTION: &str = "retrieve-user-data-dev";
const TABLE: &str = "UserData-dev";
const ROLE: &str = "three-tier-dev-function-us-east-1";

impl Stage {
    fn deployed() -> Self {
        let emulator = Emulator::start();
        let endpoint = emulator.endpoint();
        Self::deployed_at(emulator, &endpoint)
    }

    /// One whose addresses lead through a proxy: off AWS they are the endpoint's.
    fn behind_a_proxy() -> (Self, Proxy) {
        let emulator = Emulator::start();
        let proxy = Proxy::before(emulator.port());
        let stage = Self::deployed_at(emulator, &proxy.endpoint());
        proxy.take();
        (stage, proxy)
    }

    fn deployed_at(emulator: Emulator, endpoint: &str) -> Self {
        let project = Project::copy();
        let up = project
            .deployer(endpoint, &["up", "--stage", STAGE, "--output", "json"])
            .success();
        Self {
            clients: Clients::root(&emulator.endpoint()),
            outputs: up.json()["outputs"].clone(),
            emulator,
            project,
        }
    }

    fn output(&self, name: &str) -> String {
        self.outputs[name].as_str().expect(name).to_owned()
    }

    fn artifacts(&self) -> String {
        self.output("siteBucket").replace("-site-", "-artifacts-")
    }

    fn verify_at(&self, endpoint: &str, args: &[&str]) -> Ran {
        let all = ["verify", "--stage", STAGE, "--output", "json", "--timeout", "2"];
        self.project.deployer(endpoint, &[&all[..], args].concat())
    }

    /// The checks that fail, each as "layer name", and words of what is told.
    #[track_caller]
    fn caught(&self, expected: &[&str], words: &[&str]) {
        self.caught_at(&self.emulator.endpoint(), expected, words);
    }

    /// The same at another endpoint: a proxy.
    #[track_caller]
    fn caught_at(&self, endpoint: &str, expected: &[&str], words: &[&str]) {
        let ran = self.verify_at(endpoint, &[]);
        let checks = checks(&ran);
        let failed: BTreeSet<String> = names(&checks, "failed");
        let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(failed, expected, "{checks:#?}");
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        let evidence: String = checks
            .iter()
            .map(|check| format!("{} {}\n", check["evidence"], check["nextStep"]))
            .collect();
        for word in words {
            assert!(evidence.contains(word), "`{word}` isn't in {evidence}");
        }
        for check in checks.iter().filter(|check| check["result"] == "failed") {
            assert!(
                check["nextStep"].as_str().is_some_and(|next| next.len() > 10),
                "{check}"
            );
        }
        assert!(ran.stderr.contains("\"exitCode\":3"), "{}", ran.stderr);
    }
}

fn checks(ran: &Ran) -> Vec<Value> {
    ran.json()["checks"].as_array().expect("a list").clone()
}

fn names(checks: &[Value], result: &str) -> BTreeSet<String> {
    checks
        .iter()
        .filter(|check| check["result"] == result)
        .map(|check| {
            format!(
                "{} {}",
                check["layer"].as_str().expect("text"),
                check["name"].as_str().expect("text")
            )
        })
        .collect()
}

#[test]
fn a_stage_as_it_was_deployed_passes_every_check() {
    let stage = Stage::deployed();
    let ran = stage.verify_at(&stage.emulator.endpoint(), &[]).success();
    assert_eq!(ran.json()["verified"], true);
    let checks = checks(&ran);
    assert_eq!(names(&checks, "passed").len(), checks.len(), "{checks:#?}");
    let layers: BTreeSet<&str> = checks.iter().filter_map(|check| check["layer"].as_str()).collect();
    assert_eq!(
        layers.into_iter().collect::<Vec<_>>(),
        ["api", "data", "function", "permissions", "privacy", "site"]
    );

    let one = stage
        .verify_at(&stage.emulator.endpoint(), &["--only", "privacy"])
        .success();
    assert!(self::checks(&one).iter().all(|check| check["layer"] == "privacy"));

    let people = stage
        .project
        .deployer(&stage.emulator.endpoint(), &["verify", "--stage", STAGE])
        .success();
    assert!(people.stdout.contains("✓ data         table\n"), "{}", people.stdout);
    stage
        .project
        .deployer(&stage.emulator.endpoint(), &["verify"])
        .fails_with(1)
        .says(&["the stage prod isn't complete", "deployer up"]);
}
