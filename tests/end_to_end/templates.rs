//! The templates, judged by AWS's own linter and by a scanner for what is insecure.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::project::repository;
use crate::support::tools;

/// What is deployed: the project's own templates, and the one that the deployer brings.
fn templates() -> Vec<PathBuf> {
    let own = ["data", "presentation", "logic"].map(|name| format!("stacks/{name}.yaml"));
    let all = own.into_iter().chain(["src/project/artifacts.yaml".to_owned()]);
    all.map(|file| repository().join(file)).collect()
}

#[test]
fn cfn_lint_has_nothing_to_say() {
    let lint = tools::cfn_lint();
    // What a test calls a user's template is to be one that AWS takes.
    let users = repository().join("tests/end_to_end/kinds/integration.yaml");
    for template in templates().into_iter().chain([users]) {
        let output = Command::new(&lint).arg(&template).output().expect("cfn-lint starts");
        assert!(
            output.status.success() && output.stdout.is_empty(),
            "{}: {}{}",
            template.display(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    // A judge that never objects is none.
    let bad = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file");
    std::fs::write(
        bad.path(),
        "Resources: { A: { Type: 'AWS::S3::Bucket', Properties: { Nmae: x } } }",
    )
    .expect("written");
    let output = Command::new(&lint).arg(bad.path()).output().expect("cfn-lint starts");
    assert!(!output.status.success());
}

fn checkov(folder: &Path) -> Output {
    Command::new(tools::checkov())
        .args([
            "--framework",
            "cloudformation",
            "--compact",
            "--quiet",
            "--skip-download",
            "--directory",
        ])
        .arg(folder)
        // It would ask its maker's server for more to say about each finding.
        .env("BC_SKIP_MAPPING", "TRUE")
        .env("LOG_LEVEL", "ERROR")
        .output()
        .expect("checkov starts")
}

#[test]
fn checkov_finds_nothing_that_is_not_explained() {
    // In one folder, as it takes seconds to start.
    let all = tempfile::tempdir().expect("a folder");
    for template in templates() {
        let name = template.file_name().expect("a name");
        std::fs::copy(&template, all.path().join(name)).expect("copied");
    }
    let output = checkov(all.path());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Failed checks: 0"), "{said}");
    for template in templates() {
        let text = std::fs::read_to_string(&template).expect("readable");
        let template = template.display();
        for skip in text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("# checkov:skip="))
        {
            let reason = skip.split_once(':').map_or("", |(_, reason)| reason);
            assert!(reason.split_whitespace().count() > 4, "{template}: {skip}");
        }
    }
    // The same templates without the explanations have findings.
    let bare = tempfile::tempdir().expect("a folder");
    let table = std::fs::read_to_string(repository().join("stacks/data.yaml")).expect("readable");
    let table: Vec<&str> = table.lines().filter(|line| !line.contains("checkov:skip")).collect();
    std::fs::write(bare.path().join("data.yaml"), table.join("\n")).expect("written");
    let output = checkov(bare.path());
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
