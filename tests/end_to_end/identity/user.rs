//! A user who has only what `deployer policy deploy` printed deploys, on the emulator, which checks what the deployer itself asks for.
//! What CloudFormation asks for in the user's name it never checks: `coverage` holds that against AWS's own lists.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::config::Credentials;
use serde_json::{Value, json};

use super::texts;
use crate::support::{Clients, Deployer, Emulator, Project, Ran};

/// An IAM user with keys.
struct User {
    root: Clients,
    endpoint: String,
    name: &'static str,
    id: String,
    secret: String,
}

impl User {
    async fn new(emulator: &Emulator, name: &'static str) -> Self {
        let root = Clients::root(&emulator.endpoint());
        root.iam.create_user().user_name(name).send().await.expect("a user");
        let keys = root.iam.create_access_key().user_name(name).send().await.expect("keys");
        let keys = keys.access_key.expect("keys");
        Self {
            root,
            endpoint: emulator.endpoint(),
            name,
            id: keys.access_key_id,
            secret: keys.secret_access_key,
        }
    }

    /// Gives the user these statements and nothing else. As a policy of the user's own they may be as long as they are: the emulator
    /// counts nobody's.
    async fn may(&self, statements: &[Value]) {
        let policy = json!({ "Version": "2012-10-17", "Statement": statements });
        let put = self
            .root
            .iam
            .put_user_policy()
            .user_name(self.name)
            .policy_name("deploy");
        put.policy_document(policy.to_string()).send().await.expect("a policy");
    }

    fn deployer(&self, project: &Project, args: &[&str]) -> Ran {
        let deployer = Deployer::new(project.path(), args).at(&self.endpoint);
        deployer
            .env("AWS_ACCESS_KEY_ID", &self.id)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret)
            .run()
    }

    fn clients(&self) -> Clients {
        Clients::with(
            &self.endpoint,
            Credentials::new(&self.id, &self.secret, None, None, "user"),
        )
    }
}

/// What was printed for a stage: each policy's statements, without the boundary's, and whether it is for what the deployer itself
/// asks for.
fn printed(project: &Project, emulator: &Emulator, stage: &str) -> Vec<(Value, bool)> {
    let args = ["policy", "deploy", "--stage", stage, "--output", "json"];
    let printed = project.deployer(&emulator.endpoint(), &args).success().json();
    let policies = printed["policies"].as_array().expect("policies");
    let theirs = policies.iter().filter(|policy| policy["isBoundary"] == false);
    let statements = theirs.flat_map(|policy| {
        let statements = policy["document"]["Statement"].as_array().expect("statements");
        let why = policy["statements"].as_array().expect("reasons");
        assert_eq!(statements.len(), why.len());
        statements.iter().zip(why).map(|(statement, why)| {
            assert_eq!(statement["Sid"], why["sid"]);
            (statement.clone(), why["askedBy"] == "deployer")
        })
    });
    statements.collect()
}

/// All that is done with the stage `dev`, the first up and the last down with it; `edit` changes what the second up deploys.
fn life(user: &User, project: &Project, edit: impl Fn()) -> impl Iterator<Item = Ran> {
    const CHANGED: usize = 6;
    let steps: [&[&str]; 9] = [
        &["up", "--stage", "dev"],
        &["verify", "--stage", "dev"],
        &["seed", "--overwrite", "--stage", "dev"],
        &["openapi", "--stage", "dev"],
        &["logs", "--stage", "dev"],
        &["diagnose", "--stage", "dev"],
        &["up", "--stage", "dev"],
        &["stages"],
        &["down", "--yes", "--delete-data", "--stage", "dev"],
    ];
    steps.into_iter().enumerate().map(move |(step, args)| {
        if step == CHANGED {
            edit();
        }
        user.deployer(project, args)
    })
}

/// What the emulator alone is asked for, which makes no change set of changed outputs.
fn of_emulators() -> Value {
    json!({ "Effect": "Allow", "Action": "cloudformation:UpdateStack", "Resource": "*" })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_only_what_was_printed_deploys_each_example() {
    for (example, from, to) in [
        (None, "LogRetentionDays: 3", "LogRetentionDays: 5"),
        (Some("orders"), "LapseAfterDays: 2", "LapseAfterDays: 5"),
    ] {
        let emulator = Emulator::start();
        let project = example.map_or_else(Project::copy, Project::of);
        let user = User::new(&emulator, "deploys").await;
        let all = printed(&project, &emulator, "dev").into_iter();
        let all = all.map(|(statement, _)| statement).chain([of_emulators()]);
        user.may(&all.collect::<Vec<_>>()).await;
        // The user is one that is asked what it may do: of another table it is told nothing.
        let other = user
            .clients()
            .dynamodb
            .describe_table()
            .table_name("another")
            .send()
            .await;
        let refused = format!("{:?}", other.expect_err("not the stage's"));
        assert!(refused.contains("AccessDenied"), "{refused}");
        for ran in life(&user, &project, || project.edit("stacks/stages.yaml", from, to)) {
            ran.success();
        }
    }
}

/// Statements that the emulator doesn't ask for, and why.
const NOT_MISSED: &[(&str, &str)] = &[
    (
        "ChangeSetsByTheirOwnName",
        "on AWS a change set may be asked for by its own ARN; the emulator takes all for their stack's",
    ),
    ("EdgeFunctions", "off AWS redirects need none"),
    (
        "EventSources",
        "the emulator asks for another action in its place, which AWS doesn't",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_statement_for_the_deployers_own_calls_is_missed() {
    let emulator = Emulator::start();
    let mut missed = BTreeSet::new();
    for example in [None, Some("orders")] {
        let project = example.map_or_else(Project::copy, Project::of);
        if example.is_none() {
            // So that there is a topic with a subscription.
            let retention = "      LogRetentionDays: 3\n";
            project.edit(
                "stacks/stages.yaml",
                retention,
                &format!("{retention}      AlarmEmail: a@example.com\n"),
            );
        }
        let user = User::new(&emulator, example.unwrap_or("users")).await;
        // What CloudFormation asks for in the user's name allows some of it as well; the emulator doesn't ask for that.
        let own = printed(&project, &emulator, "dev")
            .into_iter()
            .filter(|(_, is_own)| *is_own);
        let own: Vec<Value> = own.map(|(statement, _)| statement).collect();
        for lacking in &own {
            let sid = lacking["Sid"].as_str().expect("a Sid");
            // What both have fails for both.
            if NOT_MISSED.iter().any(|(known, _)| *known == sid) || !missed.insert(sid.to_owned()) {
                continue;
            }
            let others = own.iter().filter(|statement| *statement != lacking).cloned();
            user.may(&others.chain([of_emulators()]).collect::<Vec<_>>()).await;
            let actions = texts(&lacking["Action"]);
            // A check of `verify` that can't be made isn't one that failed, but it says why.
            let is_missed = |ran: &Ran| {
                let names_it = |action: &String| ran.stdout.contains(&format!("to perform: {action} "));
                ran.code != 0 || actions.iter().any(names_it)
            };
            let missing = life(&user, &project, || {}).find(is_missed);
            let missing = missing.unwrap_or_else(|| panic!("nobody misses {sid}"));
            let said = missing.stdout + &missing.stderr;
            assert!(said.contains("AccessDenied") || said.contains("403"), "{sid}: {said}");
            let down = ["down", "--yes", "--delete-data", "--stage", "dev"];
            project.deployer(&emulator.endpoint(), &down).success();
        }
    }
    assert!(
        missed.len() == 14 && missed.contains("RoutesForSignedRequests"),
        "{missed:?}"
    );
}
