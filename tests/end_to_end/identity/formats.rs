//! How the policies are written, judged by those who read them.

use std::process::Command;

use super::{ACCOUNT, NOWHERE, folder, printed};
use crate::support::{Project, tools};

fn text(project: &Project, args: &[&str]) -> String {
    let all = [&["policy", "deploy"], args].concat();
    project.deployer(NOWHERE, &all).success().stdout.clone()
}

/// The projects whose policies are printed, each with options.
fn projects() -> Vec<(Project, &'static [&'static str])> {
    let previews = Project::copy();
    previews.edit(
        "stacks/stages.yaml",
        "stages:\n",
        "stages:\n  \"pr-*\": { expires: 7d, boundary: three-tier-preview-function-boundary }\n",
    );
    vec![
        (Project::copy(), &[]),
        (Project::of("orders"), &["--stage", "dev"]),
        (previews, &["--for", "ci"]),
    ]
}

#[test]
fn a_template_has_no_findings() {
    for (project, args) in projects() {
        let out = project.path().join("deployer.yaml");
        let to = ["--format", "cloudformation", "--out", out.to_str().expect("text")];
        text(&project, &[args, &to].concat());
        let judged = Command::new(tools::cfn_lint())
            .args(["--regions", "eu-central-1", "--"])
            .arg(&out)
            .output()
            .expect("it starts");
        assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
        let template = std::fs::read_to_string(&out).expect("a template");
        let resources = template.matches("Type: AWS::IAM::ManagedPolicy").count();
        let expected = printed(&project, args)["policies"].as_array().expect("policies").len();
        assert_eq!(resources, expected);
        assert!(!template.contains("123456789012"), "the account is the stack's own");
    }
}

/// What is in a file of Terraform's, by the parser that checkov reads it with.
fn hcl(text: &str) -> serde_json::Value {
    let script = "import hcl2, json, sys\nprint(json.dumps(hcl2.loads(sys.argv[1])))";
    let output = Command::new(tools::checkov().with_file_name("python"))
        .args(["-I", "-c", script, text])
        .output()
        .expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn terraforms_language_has_the_same_documents() {
    for (project, args) in projects() {
        let text = text(&project, &[args, &["--format", "terraform"]].concat());
        let parsed = hcl(&text);
        let data = parsed["data"].as_array().expect("data");
        assert_eq!(data.len(), 3, "{data:?}");
        let resources = parsed["resource"].as_array().expect("resources");
        let printed = printed(&project, args);
        let policies = printed["policies"].as_array().expect("policies");
        assert_eq!(resources.len(), policies.len());
        // What the account puts in is found out there.
        assert!(text.contains("${data.aws_caller_identity.current.account_id}"));
        assert!(!text.contains("${AWS::"), "{text}");
        for policy in policies {
            let name = format!("\"{}\"", policy["name"].as_str().expect("a name"));
            assert!(text.contains(&format!("name   = {name}")), "{name}");
        }
        // With them put in, each document is the one that is printed for the account.
        let filled = text
            .replace("${data.aws_partition.current.partition}", "aws")
            .replace("${data.aws_region.current.id}", "eu-central-1")
            .replace("${data.aws_caller_identity.current.account_id}", "123456789012");
        for (part, policy) in filled.split("jsonencode(").skip(1).zip(policies) {
            let (document, _) = part.rsplit_once(')').expect("its end");
            let document: serde_json::Value = serde_json::from_str(document).expect("JSON");
            assert_eq!(document, policy["document"]);
        }
    }
}

#[test]
fn json_goes_to_stdout_or_a_file_for_each_policy() {
    let project = Project::copy();
    let all: serde_json::Value = serde_json::from_str(&text(&project, ACCOUNT)).expect("JSON");
    let names: Vec<&String> = all.as_object().expect("by name").keys().collect();
    assert_eq!(
        names,
        [
            "deployer-three-tier-prod-1",
            "deployer-three-tier-prod-2",
            "deployer-three-tier-prod-3",
            "three-tier-prod-function-boundary"
        ]
    );
    let out = project.path().join("policies");
    let said = text(&project, &[ACCOUNT, &["--out", out.to_str().expect("text")]].concat());
    assert_eq!(said.lines().count(), 4, "{said}");
    for name in names {
        let file = std::fs::read_to_string(out.join(format!("{name}.json"))).expect("a policy");
        let policy: serde_json::Value = serde_json::from_str(&file).expect("JSON");
        assert_eq!(policy, all[name]);
    }
}

#[test]
fn what_cant_be_is_told_before_anybody_is_asked() {
    let project = Project::copy();
    let deploy = |args: &[&str]| project.deployer(NOWHERE, &[&["policy", "deploy"], args].concat());
    deploy(&["--account", "12345", "--region", "eu-central-1"])
        .fails_with(2)
        .says(&["--account 12345", "twelve digits"]);
    let failed = deploy(&["--format", "terraform", "--output", "json"]).fails_with(2);
    assert!(failed.stderr.contains("say with --out where"), "{}", failed.stderr);
    deploy(&["--for", "ci", "--account", "123456789012", "--region", "eu-central-1"])
        .fails_with(2)
        .says(&["no stage for pull requests"]);
    // Who it is for has to be asked otherwise, and nobody is there.
    deploy(&[]).fails_with(2).says(&["--account and --region"]);
}

/// What stands in the folder's README, as somebody copies it, with an `aws` that notes what it is asked.
#[test]
fn the_recipe_makes_each_policy() {
    let readme = std::fs::read_to_string(folder().join("README.md")).expect("a README");
    let (_, recipe) = readme.split_once("```sh\n").expect("a recipe");
    let (recipe, _) = recipe.split_once("```").expect("its end");
    let project = Project::copy();
    project.executable("bin/aws", "import json, sys\nprint(json.dumps(sys.argv[1:]))\n");
    let own = std::path::Path::new(env!("CARGO_BIN_EXE_deployer"))
        .parent()
        .expect("a folder");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = vec![project.path().join("bin"), own.to_owned()];
    folders.extend(std::env::split_paths(&path));
    let output = Command::new("sh")
        .args(["-ec", recipe])
        .current_dir(project.path())
        .env("PATH", std::env::join_paths(folders).expect("a path"))
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let calls: Vec<Vec<String>> = said
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let mut made = Vec::new();
    for call in calls {
        let [iam, create, name_is, name, document_is, document] = call.as_slice() else {
            panic!("{call:?}");
        };
        let words = [iam, create, name_is, document_is].map(String::as_str);
        assert_eq!(words, ["iam", "create-policy", "--policy-name", "--policy-document"]);
        let file = document.strip_prefix("file://").expect("a file");
        let text = std::fs::read_to_string(project.path().join(file)).expect("a policy");
        let policy: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert!(
            policy["Statement"].as_array().is_some_and(|all| !all.is_empty()),
            "{text}"
        );
        made.push(name.clone());
    }
    let printed = printed(&project, &[]);
    let names = printed["policies"].as_array().expect("policies").iter();
    let names: Vec<&str> = names.map(|policy| policy["name"].as_str().expect("a name")).collect();
    assert_eq!(made, names);
}
