//! Templates that are too large for a request: they go through the artifacts bucket, and nothing of them stays there.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::answers::refusal;
use crate::support::{Clients, Deployer, Emulator, Project, Proxy, Ran};

/// CloudFormation's limit for a template in a request, in bytes.
const IN_REQUEST: usize = 51_200;

/// So many parameters of Systems Manager, each of some 300 bytes.
fn parameters(count: usize, value: &str) -> String {
    let mut text = String::new();
    for number in 0..count {
        let value = value.repeat(200);
        write!(
            text,
            "  P{number}:\n    Type: AWS::SSM::Parameter\n    Properties: {{ Type: String, Value: \"{value}\" }}\n"
        )
        .expect("written");
    }
    text
}

/// A template of nothing else.
fn template(count: usize, value: &str) -> String {
    format!("Resources:\n{}", parameters(count, value))
}

/// Everything that lies in the buckets under `templates/`, in any version.
async fn left(clients: &Clients) -> Vec<String> {
    let mut left = Vec::new();
    let buckets = clients.s3.list_buckets().send().await.expect("buckets");
    for bucket in buckets.buckets().iter().filter_map(|bucket| bucket.name()) {
        let listed = clients.s3.list_object_versions().bucket(bucket).prefix("templates/");
        let listed = listed.send().await.expect("versions");
        left.extend(listed.versions().iter().filter_map(|one| one.key().map(str::to_owned)));
        left.extend(
            listed
                .delete_markers()
                .iter()
                .filter_map(|one| one.key().map(str::to_owned)),
        );
    }
    left
}

async fn bodies(clients: &Clients, stack: &str) -> usize {
    let template = clients.cloudformation.get_template().stack_name(stack);
    let template = template.send().await.expect("the stack");
    template.template_body().unwrap_or_default().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_template_goes_through_the_bucket_which_keeps_nothing_of_it() {
    let (emulator, project) = (Emulator::start(), Project::copy());
    let (clients, proxy) = (Clients::root(&emulator.endpoint()), Proxy::before(emulator.port()));
    let logic = project.read("stacks/logic.yaml");
    let at = logic.find("\nOutputs:\n").expect("outputs");
    let large = |value: &str| format!("{}\n{}{}", &logic[..at], parameters(190, value), &logic[at..]);
    project.write("stacks/logic.yaml", &large("x"));
    let run = |args: &[&str]| project.deployer(&proxy.endpoint(), args);

    let up = run(&["up"]).success();
    assert!(up.stderr.contains("✓ logic"), "{}", up.stderr);
    assert!(bodies(&clients, "three-tier-prod-logic").await > IN_REQUEST);
    assert_eq!(left(&clients).await, Vec::<String>::new());
    let seen = proxy.take();
    let by_url = seen.iter().filter_map(|seen| seen.parameter("TemplateURL"));
    let (bucket, keys) = ("three-tier-prod-artifacts-", "/templates/");
    for url in by_url.clone() {
        assert!(
            url.starts_with(&format!("{}/{bucket}", proxy.endpoint())) && url.contains(keys),
            "{url}"
        );
    }
    // Looked at, then made.
    assert_eq!(by_url.count(), 2);

    // Nothing changed is nothing sent.
    run(&["up", "--no-verify"]).success();
    let seen = proxy.take();
    assert!(!seen.iter().any(|seen| seen.path.contains(keys)), "{seen:#?}");

    project.write("stacks/logic.yaml", &large("y"));
    let changed = run(&["up", "--no-verify"]).success();
    assert!(
        changed.stderr.contains("~ three-tier-prod-logic 190 to change"),
        "{}",
        changed.stderr
    );
    assert_eq!(left(&clients).await, Vec::<String>::new());

    run(&["down", "--yes"]).success();
    let buckets = clients.s3.list_buckets().send().await.expect("buckets");
    assert_eq!(buckets.buckets().len(), 0);
    run(&["up", "--no-verify"]).success();
    run(&["down", "--yes"]).success();
}

/// What no other part of the project needs the bucket for, and the runs that don't come to their end.
#[tokio::test(flavor = "multi_thread")]
async fn a_project_of_templates_alone_gets_a_bucket_once_one_is_large() {
    let emulator = Emulator::start();
    let (clients, proxy) = (Clients::root(&emulator.endpoint()), Proxy::before(emulator.port()));
    let project = Project::bare("big", &[("stacks/config.yaml", &template(10, "x"))]);
    let run = |args: &[&str]| project.deployer(&proxy.endpoint(), args);
    run(&["up"]).success();
    assert_eq!(bucket_count(&clients).await, 0);

    // It grows: the stack is there, the bucket isn't.
    project.write("stacks/config.yaml", &template(200, "x"));
    let grown = run(&["up"]).success();
    assert!(
        grown.stderr.contains("✓ artifacts") && grown.stderr.contains("✓ config"),
        "{}",
        grown.stderr
    );
    assert!(bodies(&clients, "big-prod-config").await > IN_REQUEST);
    assert_eq!(left(&clients).await, Vec::<String>::new());

    // Refused, it has changed nothing, and left nothing.
    project.write("stacks/config.yaml", &template(200, "y"));
    proxy.rule(|seen| {
        (seen.operation == "CreateChangeSet").then(|| refusal(400, "ValidationError", "S3 error: Access Denied"))
    });
    run(&["up"]).fails_with(1).says(&[
        "CloudFormation can't read the template from s3://big-prod-artifacts-",
        "S3 error: Access Denied",
        "allow that s3:GetObject",
    ]);
    proxy.forget_rules();
    assert_eq!(left(&clients).await, Vec::<String>::new());

    // Interrupted while CloudFormation reads it.
    let pid = Arc::new(AtomicI32::new(0));
    let of_child = Arc::clone(&pid);
    proxy.rule(move |seen| {
        if seen.operation == "CreateChangeSet" {
            while of_child.load(Ordering::Acquire) == 0 {
                std::thread::yield_now();
            }
            let child = Pid::from_raw(of_child.load(Ordering::Acquire)).expect("a process");
            kill_process(child, Signal::INT).expect("it runs");
        }
        None
    });
    let child = Deployer::new(project.path(), &["up"]).at(&proxy.endpoint()).heard();
    pid.store(i32::try_from(child.id()).expect("a process id"), Ordering::Release);
    let interrupted = Ran::of(child.wait_with_output().expect("it ends"));
    interrupted.fails_with(5).says(&["interrupted", "nothing was changed"]);
    proxy.forget_rules();
    assert_eq!(left(&clients).await, Vec::<String>::new());

    // What can't be taken away at once is as the run ends.
    let mut refused = 0;
    proxy.rule(move |seen| {
        (seen.path.contains("?delete") && refused == 0).then(|| {
            refused += 1;
            refusal(403, "AccessDenied", "not now")
        })
    });
    run(&["up"]).success();
    assert_eq!(left(&clients).await, Vec::<String>::new());

    run(&["down", "--yes"]).success();
    assert_eq!(bucket_count(&clients).await, 0);
}

async fn bucket_count(clients: &Clients) -> usize {
    let buckets = clients.s3.list_buckets().send().await.expect("buckets");
    buckets.buckets().len()
}

/// Lifting a protection sends the template once more.
#[tokio::test(flavor = "multi_thread")]
async fn the_bucket_stays_as_long_as_a_large_protected_stack() {
    let emulator = Emulator::start();
    let clients = Clients::root(&emulator.endpoint());
    let table = "  Table:\n    Type: AWS::DynamoDB::Table\n    DeletionPolicy: Retain\n    UpdateReplacePolicy: Retain\n    \
                 Properties:\n      BillingMode: PAY_PER_REQUEST\n      DeletionProtectionEnabled: true\n      \
                 AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]\n      \
                 KeySchema: [{ AttributeName: id, KeyType: HASH }]\n";
    let project = Project::bare("big", &[("stacks/data.yaml", &(template(200, "x") + table))]);
    let run = |args: &[&str]| project.deployer(&emulator.endpoint(), args);
    run(&["up"]).success();
    let kept = run(&["down", "--yes"]).success();
    assert!(
        kept.stdout
            .contains("big-prod-artifacts is kept, too: its bucket is needed"),
        "{}",
        kept.stdout
    );
    assert_eq!(bucket_count(&clients).await, 1);
    // What isn't lifted now is lifted by the next run, through the same bucket.
    let proxy = Proxy::before(emulator.port());
    proxy.rule(|seen| {
        let lifts = ["CreateChangeSet", "UpdateStack"].contains(&seen.operation.as_str());
        lifts.then(|| refusal(403, "AccessDenied", "not now"))
    });
    let refused = project.deployer(&proxy.endpoint(), &["down", "--yes", "--delete-data"]);
    refused.fails_with(1).says(&["not now"]);
    assert_eq!(bucket_count(&clients).await, 1);
    run(&["down", "--yes", "--delete-data"]).success();
    assert_eq!(bucket_count(&clients).await, 0);
    let stacks = clients.cloudformation.describe_stacks().send().await.expect("stacks");
    assert_eq!(stacks.stacks().len(), 0);
}

#[test]
fn what_no_way_leads_to_cloudformation_for_is_refused_before_anything_is_made() {
    let emulator = Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    let refused = |files: &[(&str, &str)], said: &[&str]| {
        let project = Project::bare("big", files);
        let up = project.deployer(&proxy.endpoint(), &["up"]);
        up.fails_with(2).says(said);
        proxy.assert_nothing_was_written();
    };
    refused(
        &[("stacks/config.yaml", &template(450, &"x".repeat(12)))],
        &[
            "stacks/config.yaml has 11",
            "bytes as JSON; CloudFormation takes at most 1000000",
            "Move some of its resources to another template",
        ],
    );
    let bucket = "  Bucket: { Type: AWS::S3::Bucket }\nOutputs:\n  CodeBucket: { Value: !Ref Bucket }\n";
    refused(
        &[("stacks/base.yaml", &(template(200, "x") + bucket))],
        &[
            "stacks/base.yaml is too large to be sent",
            "it makes that bucket itself",
        ],
    );
    let named = "Parameters: { Suffix: { Type: String } }\nResources:\n".to_owned() + bucket;
    let before = template(200, "x") + "Outputs: { Suffix: { Value: a } }\n";
    refused(
        &[("stacks/base.yaml", &named), ("stacks/first.yaml", &before)],
        &[
            "stacks/first.yaml is too large to be sent",
            "the stack base, which makes that bucket, waits for it",
        ],
    );
}
