//! `deployer ci github`: what it writes, judged by zizmor and cfn-lint, and what its roles may do, by IAM's rules.
//!
//! The emulator checks nobody for what CloudFormation makes, so the policies are evaluated here.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Project, tools};

const NOWHERE: &str = "http://127.0.0.1:1";

/// This repository's project, with previews of pull requests.
fn project() -> Project {
    let project = Project::copy();
    project.edit(
        "stacks/stages.yaml",
        "stages:\n",
        "stages:\n  \"pr-*\": { expires: 7d, boundary: three-tier-preview-function-boundary }\n",
    );
    project
}

#[test]
fn what_is_written_has_no_findings() {
    let project = project();
    project.deployer(NOWHERE, &["ci", "github"]).success();
    let judged = |tool: &Path, args: &[&str]| {
        let output = Command::new(tool)
            .args(args)
            .current_dir(project.path())
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", tool.display());
    };
    let workflow = ".github/workflows/deploy.yml";
    judged(&tools::zizmor(), &["--offline", "--persona", "pedantic", workflow]);
    judged(
        &tools::cfn_lint(),
        &["--regions", "eu-central-1", "--", "ci/github-oidc.yaml"],
    );

    let text = project.read(workflow);
    for mark in [
        "@STAGE@",
        "@BRANCH@",
        "@PREVIEW@",
        "@CHECKOUT",
        "@DEPLOY",
        "@ENVIRONMENT@",
    ] {
        assert!(!text.contains(mark), "{mark} in {text}");
    }
    assert!(
        !text.contains("pull_request_target"),
        "a pull request's code gets no more than its own token"
    );
    let uses: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("uses: "))
        .collect();
    assert!(uses.len() >= 8, "{uses:?}");
    for action in uses {
        let (_, reference) = action.split_once('@').expect("a version");
        let sum = reference.split(' ').next().expect("a commit");
        assert!(
            sum.len() == 40 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{action}"
        );
    }
    // Nothing that others choose is put into a script.
    let mut in_script = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        if in_script.is_some_and(|at| indent <= at) {
            in_script = None;
        }
        if line.trim_start().starts_with("run:") {
            in_script = Some(indent);
        }
        assert!(in_script.is_none() || !line.contains("${{"), "{line}");
    }
    let comments = text.matches("pull-requests: write").count();
    assert_eq!(comments, 1, "one job may write comments");
    for script in scripts(&text) {
        let output = Command::new("bash").args(["-n", "-c", &script]).output().expect("bash");
        assert!(
            output.status.success(),
            "{script}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// The scripts of a workflow.
fn scripts(workflow: &str) -> Vec<String> {
    let mut scripts = Vec::new();
    let mut lines = workflow.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(script) = line.trim_start().strip_prefix("run: ") else {
            continue;
        };
        if script != "|" {
            scripts.push(script.trim_matches('\'').to_owned());
            continue;
        }
        let mut text = String::new();
        while let Some(line) = lines.next_if(|line| line.starts_with("          ") || line.is_empty()) {
            text.push_str(line.strip_prefix("          ").unwrap_or_default());
            text.push('\n');
        }
        scripts.push(text);
    }
    assert!(scripts.len() >= 9, "{scripts:?}");
    scripts
}

#[test]
fn a_file_that_is_there_is_not_replaced_unless_told() {
    let project = project();
    project.deployer(NOWHERE, &["ci", "github"]).success();
    let roles = project.read("ci/github-oidc.yaml");
    project.deployer(NOWHERE, &["ci", "github"]).success();
    project.write("ci/github-oidc.yaml", "mine");
    project
        .deployer(NOWHERE, &["ci", "github", "--branch", "trunk"])
        .fails_with(2)
        .says(&["deploy.yml is there, and is another one", "--force"]);
    assert_eq!(project.read("ci/github-oidc.yaml"), "mine");
    project.deployer(NOWHERE, &["ci", "github", "--force"]).success();
    assert_eq!(project.read("ci/github-oidc.yaml"), roles);
}

#[test]
fn previews_need_names_that_tell_them_from_others() {
    let project = Project::copy();
    project.deployer(NOWHERE, &["ci", "github"]).fails_with(2).says(&[
        "stacks/stages.yaml has no stage for pull requests",
        "\"pr-*\": { expires: 7d }",
    ]);
    let project = self::project();
    project.edit("stacks/stages.yaml", "\"pr-*\"", "\"prod-*\"");
    project
        .deployer(NOWHERE, &["ci", "github", "--preview", "prod"])
        .fails_with(2)
        .says(&["begin alike"]);
    let project = self::project();
    project
        .deployer(NOWHERE, &["ci", "github", "--branch", "x; id"])
        .fails_with(2)
        .says(&["--branch"]);
    assert!(!project.path().join(".github").exists());
}

/// The policies of a role, as the template has them, in the account 123456789012.
fn policies(template: &str, role: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for resource in template.split("\n\n") {
        let is_attached = resource.contains(&format!("      Roles: [!Ref {role}Role]\n"));
        if let Some((_, document)) = resource.split_once("PolicyDocument:\n").filter(|_| is_attached) {
            let document = document
                .replace("${AWS::Partition}", "aws")
                .replace("${AWS::AccountId}", "123456789012")
                .replace("${AWS::Region}", "eu-central-1");
            found.push(serde_json::from_str(&document).expect("JSON"));
        }
    }
    assert!(found.len() >= 3, "{role}: {}", found.len());
    found
}

/// Whether IAM would allow it, were each condition of an `Allow` met, and each of a `Deny` that isn't about tags.
fn allows(policies: &[Value], action: &str, resource: &str) -> bool {
    let statements: Vec<&Value> = policies
        .iter()
        .flat_map(|policy| policy["Statement"].as_array().expect("statements"))
        .filter(|statement| is_about(&statement["Action"], action) && is_about(&statement["Resource"], resource))
        .collect();
    let has = |effect: &str| {
        let mut of = statements.iter().filter(|statement| statement["Effect"] == effect);
        of.any(|statement| effect == "Allow" || statement.get("Condition").is_none())
    };
    has("Allow") && !has("Deny")
}

fn is_about(patterns: &Value, text: &str) -> bool {
    let patterns = patterns
        .as_array()
        .map_or(std::slice::from_ref(patterns), Vec::as_slice);
    patterns.iter().any(|pattern| {
        let pattern = pattern.get("Fn::Sub").unwrap_or(pattern).as_str().expect("text");
        crate::identity::fits(pattern, text)
    })
}

#[test]
fn the_preview_role_touches_previews_alone() {
    let project = project();
    project.deployer(NOWHERE, &["ci", "github"]).success();
    let template = project.read("ci/github-oidc.yaml");
    let (preview, deploy) = (policies(&template, "Preview"), policies(&template, "Deploy"));
    let things = |stage: &str, table: &str, function: &str| {
        let (region, account) = ("eu-central-1", "123456789012");
        [
            (
                "cloudformation:DeleteStack",
                format!("arn:aws:cloudformation:{region}:{account}:stack/three-tier-{stage}-data/1"),
            ),
            (
                "cloudformation:ExecuteChangeSet",
                format!("arn:aws:cloudformation:{region}:{account}:stack/three-tier-{stage}-logic/1"),
            ),
            (
                "iam:PutRolePolicy",
                format!("arn:aws:iam::{account}:role/three-tier-{stage}-function-{region}"),
            ),
            (
                "iam:PassRole",
                format!("arn:aws:iam::{account}:role/three-tier-{stage}-function-{region}"),
            ),
            (
                "dynamodb:DeleteTable",
                format!("arn:aws:dynamodb:{region}:{account}:table/{table}"),
            ),
            (
                "dynamodb:Scan",
                format!("arn:aws:dynamodb:{region}:{account}:table/{table}"),
            ),
            (
                "lambda:UpdateFunctionCode",
                format!("arn:aws:lambda:{region}:{account}:function:{function}"),
            ),
            (
                "s3:PutObject",
                format!("arn:aws:s3:::three-tier-{stage}-site-{account}-{region}/index.html"),
            ),
            (
                "s3:DeleteBucket",
                format!("arn:aws:s3:::three-tier-{stage}-artifacts-{account}-{region}"),
            ),
        ]
    };
    for (action, resource) in things("prod", "UserData", "retrieve-user-data") {
        assert!(!allows(&preview, action, &resource), "{action} on {resource}");
        assert!(allows(&deploy, action, &resource), "{action} on {resource}");
    }
    for (action, resource) in things("pr-12", "UserData-pr-12", "retrieve-user-data-pr-12") {
        assert!(allows(&preview, action, &resource), "{action} on {resource}");
        assert!(!allows(&deploy, action, &resource), "{action} on {resource}");
    }
    // Neither may touch the boundaries, or itself.
    for resource in [
        "arn:aws:iam::123456789012:policy/three-tier-preview-function-boundary",
        "arn:aws:iam::123456789012:role/deployer-three-tier-preview",
        "arn:aws:iam::123456789012:role/deployer-three-tier-deploy",
    ] {
        for action in [
            "iam:CreatePolicyVersion",
            "iam:PutRolePolicy",
            "iam:UpdateAssumeRolePolicy",
            "iam:PassRole",
        ] {
            assert!(
                !allows(&preview, action, resource) && !allows(&deploy, action, resource),
                "{action} on {resource}"
            );
        }
    }
    // Roles are made within the previews' own boundary.
    let making = preview
        .iter()
        .flat_map(|policy| policy["Statement"].as_array().expect("statements"))
        .find(|statement| is_about(&statement["Action"], "iam:CreateRole"))
        .expect("a statement");
    assert_eq!(
        making["Condition"]["StringEquals"]["iam:PermissionsBoundary"]["Fn::Sub"],
        "arn:aws:iam::123456789012:policy/three-tier-preview-function-boundary"
    );

    // Who may take the roles: this repository, and of it the branch or pull requests, by their whole names.
    for subject in [
        "sub: !Sub \"repo:${Repository}:ref:refs/heads/main\"",
        "- !Sub \"repo:${Repository}:pull_request\"",
    ] {
        assert!(template.contains(subject), "{subject}");
    }
    assert_eq!(
        template
            .matches("token.actions.githubusercontent.com:aud: sts.amazonaws.com")
            .count(),
        2
    );
    assert!(!template.contains("StringLike:"), "subjects are compared whole");
    let project = self::project();
    project
        .deployer(NOWHERE, &["ci", "github", "--environment", "production"])
        .success();
    let template = project.read("ci/github-oidc.yaml");
    assert!(
        template.contains("sub: !Sub \"repo:${Repository}:environment:production\""),
        "{template}"
    );
    assert!(
        project
            .read(".github/workflows/deploy.yml")
            .contains("    environment: production\n")
    );
}
