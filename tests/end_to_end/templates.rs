//! The templates, judged by AWS's own linter.

use std::process::Command;

use crate::support::project::repository;
use crate::support::tools;

#[test]
fn cfn_lint_has_nothing_to_say() {
    let lint = tools::cfn_lint();
    let stacks = repository().join("stacks");
    for template in ["artifacts", "data", "presentation", "logic"] {
        let output = Command::new(&lint)
            .arg(stacks.join(format!("{template}.yaml")))
            .output()
            .expect("cfn-lint starts");
        assert!(
            output.status.success() && output.stdout.is_empty(),
            "{template}: {}{}",
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
