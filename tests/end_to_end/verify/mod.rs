//! `deployer verify`: every check is shown to fail, and only when it should.

mod answers;
mod contract;
mod functions;
mod layers;
mod orders;
mod private;
mod site;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::project::repository;
use crate::support::{Clients, Emulator, Project, Proxy, Ran};

/// A stage on an emulator of its own.
struct Stage {
    emulator: Emulator,
    project: Project,
    clients: Clients,
    /// What `up` told.
    up: Value,
}

const STAGE: &str = "dev";
const FUNCTION: &str = "retrieve-user-data-dev";
const TABLE: &str = "UserData-dev";
const ROLE: &str = "three-tier-dev-function-us-east-1";

/// What of the app's contract reads an item that is there.
const READS: &[&str] = &[
    "requests a user is answered as plain JSON",
    "requests numbers, flags, lists and maps have no types of the table's",
    "invocations the function answers with the item",
];

/// What looks for one that isn't.
const MISSES: &[&str] = &[
    "requests nobody's id is a 404 that names it",
    "invocations the function knows nobody of that id",
];

/// What the function answers without the table.
const REFUSALS: &[&str] = &[
    "requests without an id it is a 400",
    "requests with an empty id it is a 400",
    "invocations the function refuses a request without an id",
    "invocations the function refuses an empty id",
];

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
        Self::of(Project::copy(), emulator, endpoint)
    }

    fn of(project: Project, emulator: Emulator, endpoint: &str) -> Self {
        let up = ["up", "--stage", STAGE, "--no-verify", "--output", "json"];
        let up = project.deployer(endpoint, &up).success().json();
        Self {
            clients: Clients::root(&emulator.endpoint()),
            up,
            emulator,
            project,
        }
    }

    /// An output of a stack.
    #[track_caller]
    fn output(&self, stack: &str, name: &str) -> String {
        let stacks = self.up["stacks"].as_array().expect("a list");
        let found = stacks.iter().find(|one| one["id"] == stack).expect(stack);
        found["outputs"][name].as_str().expect(name).to_owned()
    }

    /// The site's scheme, host and port.
    fn site(&self) -> String {
        let url = self.up["site"]["url"].as_str().expect("a site");
        url.trim_end_matches('/').to_owned()
    }

    fn site_bucket(&self) -> String {
        self.up["site"]["bucket"].as_str().expect("a site").to_owned()
    }

    fn distribution(&self) -> String {
        self.up["site"]["distributionId"].as_str().expect("a site").to_owned()
    }

    fn api(&self) -> String {
        self.up["apis"][0]["id"].as_str().expect("an API").to_owned()
    }

    fn artifacts(&self) -> String {
        self.output("artifacts", "CodeBucket")
    }

    /// A check of the site as tests name it: "id address".
    fn of_site(&self, check: &str) -> String {
        format!("{check} {}", self.site())
    }

    fn verify_at(&self, endpoint: &str, args: &[&str]) -> Ran {
        let all = ["verify", "--stage", STAGE, "--output", "json", "--timeout", "2"];
        self.project.deployer(endpoint, &[&all[..], args].concat())
    }

    /// The checks that fail, each as "id resource", and words of what is told.
    #[track_caller]
    fn caught(&self, expected: &[&str], words: &[&str]) {
        self.caught_at(&self.emulator.endpoint(), expected, words);
    }

    /// The same at another endpoint: a proxy.
    #[track_caller]
    fn caught_at(&self, endpoint: &str, expected: &[&str], words: &[&str]) {
        failed_are(&self.verify_at(endpoint, &[]), expected, words);
    }
}

/// These checks fail and no others, this is told of them, and each says what to do next.
#[track_caller]
fn failed_are(ran: &Ran, expected: &[&str], words: &[&str]) {
    let failed: Vec<Value> = checks(ran)
        .into_iter()
        .filter(|check| check["result"] == "failed")
        .collect();
    let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(names(&failed, "failed"), expected, "{failed:#?}");
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let told: String = failed
        .iter()
        .map(|check| {
            let text = |name: &str| check[name].as_str().expect(name).to_owned();
            assert!(text("nextStep").len() > 10, "{check}");
            format!("{}\n{}\n", text("evidence"), text("nextStep"))
        })
        .collect();
    for word in words {
        assert!(told.contains(word), "`{word}` isn't in {told}");
    }
    assert!(ran.stderr.contains("\"exitCode\":3"), "{}", ran.stderr);
}

fn checks(ran: &Ran) -> Vec<Value> {
    ran.json()["checks"].as_array().expect("a list").clone()
}

/// Those that ended so, each as "id resource".
fn names(checks: &[Value], result: &str) -> BTreeSet<String> {
    checks
        .iter()
        .filter(|check| check["result"] == result)
        .map(|check| {
            format!(
                "{} {}",
                check["check"].as_str().expect("text"),
                check["resource"].as_str().expect("text")
            )
        })
        .collect()
}

/// The ids of all checks: each has a page.
fn ids() -> BTreeSet<String> {
    let pages = std::fs::read_dir(repository().join("docs/checks")).expect("readable");
    let names = pages.map(|page| page.expect("readable").file_name().into_string().expect("a name"));
    names
        .map(|name| name.strip_suffix(".md").expect("a page").to_owned())
        .collect()
}

/// All but one of these. It has to be among them.
#[track_caller]
fn without<'a>(all: &[&'a str], one: &str) -> Vec<&'a str> {
    assert!(all.contains(&one), "{one}");
    all.iter().copied().filter(|name| *name != one).collect()
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
        ["api", "app", "data", "function", "permissions", "privacy", "site"]
    );
    let made: BTreeSet<String> = checks
        .iter()
        .map(|check| check["check"].as_str().expect("an id").to_owned())
        .collect();
    let mut expected = ids();
    for none in ["event-sources", "mail-confirmed"] {
        assert!(expected.remove(none), "of which this app has none");
    }
    assert_eq!(made, expected);

    let one = stage
        .verify_at(&stage.emulator.endpoint(), &["--only", "privacy"])
        .success();
    assert!(self::checks(&one).iter().all(|check| check["layer"] == "privacy"));

    let people = stage
        .project
        .deployer(&stage.emulator.endpoint(), &["verify", "--stage", STAGE])
        .success();
    assert!(
        people.stdout.contains("✓ table-schema data.Table\n"),
        "{}",
        people.stdout
    );
    stage
        .project
        .deployer(&stage.emulator.endpoint(), &["verify"])
        .fails_with(1)
        .says(&["the stage prod isn't complete", "deployer up"]);
}

#[test]
fn checks_are_chosen_by_id_and_by_layer() {
    let stage = Stage::deployed();
    let made = |args: &[&str]| -> BTreeSet<String> {
        let ran = stage.verify_at(&stage.emulator.endpoint(), args).success();
        let id = |check: &Value| check["check"].as_str().expect("an id").to_owned();
        checks(&ran).iter().map(id).collect()
    };
    let of = |ids: &[&str]| -> BTreeSet<String> { ids.iter().map(|id| (*id).to_owned()).collect() };
    let data = ["seed-items", "table-protection", "table-schema"];
    assert_eq!(made(&["--only", "data"]), of(&data));
    assert_eq!(made(&["--only", "data", "--skip", "seed-items"]), of(&data[1..]));
    assert_eq!(
        made(&["--only", "seed-items,site", "--skip", "site-files"]),
        of(&[
            "seed-items",
            "site-addresses",
            "site-config",
            "site-headers",
            "site-https"
        ])
    );
    let mut others = ids();
    let others_skipped = [
        "event-sources",
        "function-permissions",
        "mail-confirmed",
        "role-policies",
        "role-simulated",
    ];
    for skipped in [&data[..], &others_skipped].concat() {
        assert!(others.remove(skipped), "{skipped}");
    }
    assert_eq!(made(&["--skip", "data", "--skip", "permissions"]), others);

    for (args, words) in [
        (
            ["--only", "seed-item"],
            [
                "there is no check and no layer `seed-item`",
                "Did you mean `seed-items`?",
            ],
        ),
        (
            ["--skip", "privcy"],
            ["there is no check and no layer `privcy`", "Did you mean `privacy`?"],
        ),
        (
            ["--only", "everything"],
            ["there is no check and no layer `everything`", "role-simulated"],
        ),
    ] {
        let ran = stage.verify_at("http://127.0.0.1:1", &args);
        let ran = ran.fails_with(2);
        for word in words {
            assert!(ran.stderr.contains(word), "`{word}` isn't in {}", ran.stderr);
        }
    }
}

#[test]
fn a_check_that_is_skipped_says_why() {
    let stage = Stage::deployed();
    let contract = stage.project.read("stacks/verify.yaml");
    let skip = |text: &str| {
        stage
            .project
            .write("stacks/verify.yaml", &format!("{contract}\nskip:\n{text}"));
    };
    let endpoint = stage.emulator.endpoint();

    // Of one resource, and of all.
    skip(
        "  - { check: bucket-protection, resource: artifacts.Bucket, reason: a tool of ours empties it }\n  \
         - { check: seed-items, reason: the items are for tests }\n",
    );
    let ran = stage
        .verify_at(&endpoint, &["--only", "data,bucket-protection"])
        .success();
    let checks = checks(&ran);
    let expected = ["bucket-protection artifacts.Bucket", "seed-items data.Table"];
    assert_eq!(names(&checks, "skipped"), expected.map(str::to_owned).into());
    let expected = [
        "bucket-protection presentation.SiteBucket",
        "table-protection data.Table",
        "table-schema data.Table",
    ];
    assert_eq!(names(&checks, "passed"), expected.map(str::to_owned).into());
    let of_bucket = checks.iter().find(|check| check["resource"] == "artifacts.Bucket");
    let of_bucket = of_bucket.expect("told");
    assert_eq!(of_bucket["evidence"], "skipped: a tool of ours empties it");
    assert!(
        of_bucket["nextStep"]
            .as_str()
            .is_some_and(|next| next.contains("stacks/verify.yaml")),
        "{of_bucket}"
    );
    let people = stage
        .project
        .deployer(&endpoint, &["verify", "--stage", STAGE, "--only", "data"])
        .success();
    assert!(
        people.stdout.contains("skipped: the items are for tests"),
        "{}",
        people.stdout
    );

    // One that isn't there is no reason to stop, and is told.
    skip("  - { check: table-schema, resource: data.Tabel, reason: none }\n");
    let ran = stage.verify_at(&endpoint, &["--only", "data"]).success();
    assert!(
        ran.stderr.contains("data.Tabel, which it doesn't look at"),
        "{}",
        ran.stderr
    );

    for (text, words) in [
        (
            "  - { check: bucket-plicy, reason: none }\n",
            ["stacks/verify.yaml", "Did you mean `bucket-policy`?"],
        ),
        ("  - { check: bucket-policy }\n", ["stacks/verify.yaml", "reason"]),
    ] {
        skip(text);
        let ran = stage.verify_at("http://127.0.0.1:1", &[]);
        let ran = ran.fails_with(2);
        for word in words {
            assert!(ran.stderr.contains(word), "`{word}` isn't in {}", ran.stderr);
        }
    }
}
