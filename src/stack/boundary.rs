//! The boundary of what a stage's roles may do, whatever their policies say.
//!
//! Whoever may make a role and pass it to a function may do all that the role may. An identity that is allowed to make roles
//! with one boundary alone can give them no more than that; so each role of a stage that says `boundary:` has it.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html>

use serde_json::{Value, json};

use crate::project::template::Template;

const ROLE: &str = "AWS::IAM::Role";
const BOUNDARY: &str = "PermissionsBoundary";

/// The template with a boundary for each role that it gives none: a policy's name in the stack's account, or an ARN.
pub(super) fn bounded(template: &Template, boundary: &str) -> Template {
    let mut bounded = template.clone();
    let value = if boundary.starts_with("arn:") {
        json!(boundary)
    } else {
        json!({ "Fn::Sub": format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:policy/{boundary}") })
    };
    for (_, resource) in bounded.resources_mut().into_iter().flatten() {
        if Template::type_of(resource) != ROLE {
            continue;
        }
        // A role without properties is refused by CloudFormation anyway, for want of who may assume it.
        if let Some(Value::Object(properties)) = resource.get_mut("Properties")
            && !properties.contains_key(BOUNDARY)
        {
            properties.insert(BOUNDARY.to_owned(), value.clone());
        }
    }
    bounded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_one_and_keeps_its_own() {
        let text = "
Resources:
  Bare: { Type: AWS::IAM::Role, Properties: { AssumeRolePolicyDocument: {} } }
  Own: { Type: AWS::IAM::Role, Properties: { PermissionsBoundary: !Ref Boundary } }
  Topic: { Type: AWS::SNS::Topic, Properties: { TopicName: x } }
";
        let template = Template::of_text(text);
        let boundary = |template: &Template, id: &str| {
            let found = template.resources().find(|(other, _)| *other == id);
            found.expect("there").1["Properties"][BOUNDARY].clone()
        };
        let named = bounded(&template, "edge");
        let arn = "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/edge";
        assert_eq!(boundary(&named, "Bare"), json!({ "Fn::Sub": arn }));
        assert_eq!(boundary(&named, "Own"), json!({ "Ref": "Boundary" }));
        assert_eq!(boundary(&named, "Topic"), Value::Null);
        let by_arn = bounded(&template, "arn:aws:iam::1:policy/edge");
        assert_eq!(boundary(&by_arn, "Bare"), json!("arn:aws:iam::1:policy/edge"));
    }
}
