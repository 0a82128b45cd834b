//! `boundary:` of `stages.yaml`, as CloudFormation is told.

use serde_json::{Value, json};

use crate::support::{Emulator, Project, Proxy, answers};

const ROLES: &str = r#"
Parameters:
  Edge: { Type: String, Default: "arn:aws:iam::1:policy/edge" }
Resources:
  Bare:
    Type: AWS::IAM::Role
    Properties: { AssumeRolePolicyDocument: { Version: "2012-10-17", Statement: [] } }
  Own:
    Type: AWS::IAM::Role
    Properties:
      PermissionsBoundary: !Ref Edge
      AssumeRolePolicyDocument: { Version: "2012-10-17", Statement: [] }
"#;

/// The boundaries of the roles, as they are sent.
fn sent(project: &Project, proxy: &Proxy) -> [Value; 2] {
    proxy.take();
    let up = project.deployer(&proxy.endpoint(), &["up"]).fails_with(1);
    let up = up.says(&["2 to create", "not now"]);
    let asked = proxy.take();
    let made: Vec<_> = asked
        .iter()
        .filter(|seen| seen.operation == "CreateChangeSet")
        .collect();
    assert_eq!(made.len(), 1, "{up}");
    let template = made[0].parameter("TemplateBody").expect("a template");
    let template: Value = serde_json::from_str(&template).expect("JSON");
    ["Bare", "Own"].map(|role| template["Resources"][role]["Properties"]["PermissionsBoundary"].clone())
}

#[test]
fn each_role_of_a_stage_that_says_so_is_sent_with_a_boundary() {
    let project = Project::bare("fence", &[("stacks/roles.yaml", ROLES)]);
    let emulator = Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    // What is asked for is looked at; the emulator keeps no boundary.
    proxy.rule(|seen| (seen.operation == "CreateChangeSet").then(|| answers::refusal(403, "AccessDenied", "not now")));

    let own = json!({ "Ref": "Edge" });
    assert_eq!(
        sent(&project, &proxy),
        [Value::Null, own.clone()],
        "as the template stands"
    );

    project.edit(
        "stacks/stages.yaml",
        "  prod: {}",
        "  prod: { boundary: \"${project}-${stage}-function-boundary\" }",
    );
    let name = json!({ "Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/fence-prod-function-boundary" });
    assert_eq!(sent(&project, &proxy), [name, own.clone()], "its own stays");

    let arn = "arn:aws:iam::123456789012:policy/edge";
    project.edit(
        "stacks/stages.yaml",
        "\"${project}-${stage}-function-boundary\"",
        &format!("\"{arn}\""),
    );
    assert_eq!(sent(&project, &proxy), [json!(arn), own], "an ARN is taken as it is");
}
