//! Stages as AWS lists them: page by page, and not all of them to everybody.

use crate::support::answers::{Answer, Stack, cloudformation, identity, refusal};
use crate::support::{Deployer, Project, Proxy, Ran, Seen};

/// A stack of this project's stage, in these regions' form.
fn stack(stage: &str) -> Stack {
    Stack::new(&format!("small-{stage}-data"), "CREATE_COMPLETE")
        .parameter("DeployerProject", "small")
        .parameter("DeployerStage", stage)
        .parameter("DeployerExpires", "7d")
        .parameter("DeployerDigest", "0123456789abcdef")
}

fn summaries(names: &[&str], next: Option<&str>) -> Answer {
    let members: String = names
        .iter()
        .map(|name| {
            format!(
                "<member><StackName>{name}</StackName><StackStatus>CREATE_COMPLETE</StackStatus>\
                 <CreationTime>2026-01-01T00:00:00Z</CreationTime></member>"
            )
        })
        .collect();
    let next = next.map_or(String::new(), |next| format!("<NextToken>{next}</NextToken>"));
    cloudformation(
        "ListStacks",
        &format!("<StackSummaries>{members}</StackSummaries>{next}"),
    )
}

fn denied(operation: &str) -> Answer {
    let who = "User: arn:aws:iam::000000000000:user/x is not authorized to perform";
    refusal(403, "AccessDenied", &format!("{who}: cloudformation:{operation}"))
}

fn run(proxy: &Proxy, args: &[&str]) -> Ran {
    let project = Project::bare("small", &[]);
    project.write(
        "stacks/stages.yaml",
        "project: small\nstages: { prod: {}, \"pr-*\": { expires: 7d } }\n",
    );
    Deployer::new(project.path(), args)
        .env("AWS_ENDPOINT_URL", proxy.endpoint())
        .env("AWS_ACCESS_KEY_ID", "AKIATEST")
        .env("AWS_SECRET_ACCESS_KEY", "s3cret")
        .env("AWS_REGION", "us-east-1")
        .run()
}

/// An account whose list of stacks has two pages, and whose `prod` is nobody's business.
fn account() -> Proxy {
    let proxy = Proxy::before_nobody();
    proxy.rule(|seen: &Seen| {
        Some(match seen.operation.as_str() {
            "GetCallerIdentity" => identity(),
            "ListStacks" if seen.parameter("NextToken").is_some() => {
                summaries(&["small-prod-data", "small-pr-2-data"], None)
            }
            "ListStacks" => summaries(&["others", "small-pr-1-data"], Some("more")),
            "DescribeStacks" => match seen.parameter("StackName").as_deref() {
                Some("small-pr-1-data") => stack("pr-1").answer(),
                Some("small-pr-2-data") => stack("pr-2").answer(),
                _ => denied("DescribeStacks"),
            },
            _ => return None,
        })
    });
    proxy
}

#[test]
fn all_pages_are_read_and_what_may_not_be_looked_at_is_named() {
    let proxy = account();
    let told = run(&proxy, &["stages", "--output", "json"]).success().json();
    let names: Vec<_> = told["stages"]
        .as_array()
        .expect("stages")
        .iter()
        .map(|stage| (stage["stage"].clone(), stage["expired"].clone()))
        .collect();
    assert_eq!(names, [("pr-1".into(), true.into()), ("pr-2".into(), true.into())]);
    assert_eq!(told["hidden"], serde_json::json!(["small-prod-data"]));
    let asked: Vec<Seen> = proxy.take();
    assert!(
        !asked.iter().any(|seen| seen.body.contains("StackName=others")),
        "others' stacks aren't asked about"
    );
    let refused = run(&proxy, &["down", "--expired"]);
    // Who may look at a stack and not into it removes nothing.
    refused.fails_with(1);
    proxy.assert_nothing_was_written();
}

#[test]
fn who_may_not_list_stacks_learns_what_it_takes() {
    let proxy = Proxy::before_nobody();
    proxy.rule(|seen: &Seen| {
        Some(match seen.operation.as_str() {
            "GetCallerIdentity" => identity(),
            operation => denied(operation),
        })
    });
    for (args, said) in [
        (&["stages"][..], "cloudformation:ListStacks"),
        (&["stages", "--all"], "cloudformation:DescribeStacks on all stacks"),
        (&["down", "--expired", "--yes"], "cloudformation:ListStacks"),
    ] {
        run(&proxy, args).fails_with(1).says(&[said]);
    }
    proxy.assert_nothing_was_written();
}
