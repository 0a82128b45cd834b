//! Redeploying an API exactly when its definition changes.
//!
//! An `AWS::ApiGateway::Deployment` is an immutable snapshot, and CloudFormation takes a new one only for a new
//! resource. So each deployment's logical id gets a hash of the definition appended: another definition, another
//! resource, and the stage that refers to it moves.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-deployment.html>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::change::API_DEFINITION;
use super::digest;
use crate::project::apis::REST_API;
use crate::project::template::{Template, references, rename_references};

/// The type of an API's snapshots.
pub(crate) const DEPLOYMENT: &str = "AWS::ApiGateway::Deployment";

/// How much of the definition's hash, in hexadecimal digits, a deployment's logical id ends in.
const HASH_DIGITS: usize = 10;

/// Whether a property is a resource's identity: when it changes, whoever refers to the resource sees another. AWS calls them
/// `FunctionName`, `QueueName`, `BucketName`, `Name` …
fn is_identity(property: &str) -> bool {
    property.ends_with("Name")
}

/// `template` with each deployment named after the definition it is a snapshot of, and depending on all of it.
///
/// Nothing in a template makes a deployment wait for the methods: created too early, it snapshots half an API.
pub(crate) fn name_deployments(template: &Template, parameters: &BTreeMap<String, String>) -> Template {
    rename_deployments(template, |id| {
        let (hash, _) = definition_hash(template, parameters, id);
        format!("{id}{hash}")
    })
}

/// The same with names that no deployment has had: for a definition that is as it was, but refers to what will be another
/// resource. `salt` tells this time from others.
pub(crate) fn name_deployments_anew(
    template: &Template,
    parameters: &BTreeMap<String, String>,
    salt: &str,
) -> Template {
    rename_deployments(template, |id| {
        let (hash, _) = definition_hash(template, parameters, id);
        let salted = digest::of(&json!([hash, salt]));
        format!("{id}{}", &salted[..HASH_DIGITS])
    })
}

/// Whether a deployment of the template is a snapshot of what refers to a resource: of its name, its ARN.
pub(crate) fn deployments_refer_to(template: &Template, parameters: &BTreeMap<String, String>, resource: &str) -> bool {
    deployments(template).any(|id| definition_hash(template, parameters, id).1.contains(resource))
}

/// `template` with its deployments named as they are in `deployed`: what is live stays live, whatever else changes.
pub(crate) fn keep_deployments(template: &Template, deployed: &Template) -> Template {
    let current: Vec<String> = deployments(deployed).map(str::to_owned).collect();
    rename_deployments(template, |id| {
        // Not by its beginning alone: another deployment's name may begin with this one's.
        let is_it = |name: &&String| {
            name.strip_prefix(id)
                .is_some_and(|hash| hash.len() == HASH_DIGITS && hash.bytes().all(|b| b.is_ascii_hexdigit()))
        };
        current.iter().find(is_it).cloned().unwrap_or_else(|| id.to_owned())
    })
}

/// The logical ids of a template's deployments.
pub(crate) fn deployments(template: &Template) -> impl Iterator<Item = &str> {
    template
        .resources()
        .filter(|(_, resource)| Template::type_of(resource) == DEPLOYMENT)
        .map(|(id, _)| id)
}

/// The resources that a deployment is a snapshot of: those of its own API, and those of which it can't be told.
fn definition<'a>(template: &'a Template, deployment: &str) -> impl Iterator<Item = &'a str> {
    let own = template.resource(deployment).and_then(api_of);
    template
        .resources()
        .filter(move |(id, resource)| {
            let kind = Template::type_of(resource);
            let api = if kind == REST_API { Some(*id) } else { api_of(resource) };
            API_DEFINITION.contains(&kind) && (own.is_none() || api.is_none() || api == own)
        })
        .map(|(id, _)| id)
}

/// The API of the same template that a resource is a part of.
fn api_of(resource: &Value) -> Option<&str> {
    resource.get("Properties")?.get("RestApiId")?.get("Ref")?.as_str()
}

/// What a snapshot would hold, as a hash and by name: the definition's resources, and all that they refer to as far as it
/// shows in them.
fn definition_hash(
    template: &Template,
    parameters: &BTreeMap<String, String>,
    deployment: &str,
) -> (String, BTreeSet<String>) {
    let parameters = template.effective_parameters(parameters);
    let resources: BTreeMap<&str, &Value> = template.resources().collect();
    let mut parts = Map::new();
    let mut open: Vec<String> = definition(template, deployment)
        .chain([deployment])
        .map(str::to_owned)
        .collect();
    let mut seen: BTreeSet<String> = open.iter().cloned().collect();
    while let Some(name) = open.pop() {
        let part = if let Some(value) = parameters.get(&name) {
            json!(value)
        } else if let Some(condition) = template.condition(&name) {
            condition.clone()
        } else if let Some(resource) = resources.get(name.as_str()) {
            as_seen_from_outside(resource)
        } else {
            // A pseudo parameter: the same for every deployment of this stack.
            continue;
        };
        open.extend(references(&part).into_iter().filter(|name| seen.insert(name.clone())));
        parts.insert(name, part);
    }
    let hash = digest::of(&Value::Object(parts))[..HASH_DIGITS].to_owned();
    (hash, seen)
}

/// All of a definition's resource; of another only what its references can show.
fn as_seen_from_outside(resource: &Value) -> Value {
    let kind = Template::type_of(resource);
    let mut part = resource.clone();
    if let Value::Object(map) = &mut part {
        map.remove("DependsOn");
        map.remove("Metadata");
        if !API_DEFINITION.contains(&kind) && kind != DEPLOYMENT {
            map.retain(|key, _| key == "Type" || key == "Condition" || key == "Properties");
            if let Some(Value::Object(properties)) = map.get_mut("Properties") {
                properties.retain(|key, _| is_identity(key));
            }
        }
    }
    part
}

fn rename_deployments(template: &Template, rename: impl Fn(&str) -> String) -> Template {
    let mut renamed = template.clone();
    let names: BTreeMap<String, String> = deployments(template).map(|id| (id.to_owned(), rename(id))).collect();
    if names.is_empty() {
        return renamed;
    }
    if let Some(resources) = renamed.resources_mut() {
        for (old, new) in &names {
            if let Some(mut deployment) = resources.remove(old) {
                let definition: Vec<Value> = definition(template, old).map(|id| json!(id)).collect();
                depend_on(&mut deployment, &definition);
                resources.insert(new.clone(), deployment);
            }
        }
    }
    for section in renamed.sections_mut() {
        rename_references(section, &names);
    }
    renamed
}

fn depend_on(resource: &mut Value, all: &[Value]) {
    let own = match resource.get("DependsOn") {
        Some(Value::Array(own)) => own.clone(),
        Some(single @ Value::String(_)) => vec![single.clone()],
        _ => Vec::new(),
    };
    let mut dependencies = all.to_vec();
    dependencies.extend(own.into_iter().filter(|id| !all.contains(id)));
    resource["DependsOn"] = Value::Array(dependencies);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = r#"
Parameters:
  Origin: { Type: String }
  Memory: { Type: Number, Default: 128 }
  Name: { Type: String, Default: read }
Conditions:
  Open: !Equals [!Ref Origin, "*"]
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties: { FunctionName: !Ref Name, MemorySize: !Ref Memory }
  Alarm: { Type: AWS::CloudWatch::Alarm, Properties: { Threshold: 1 } }
  Api: { Type: AWS::ApiGateway::RestApi, Properties: { Name: users } }
  Get:
    Type: AWS::ApiGateway::Method
    Properties:
      HttpMethod: GET
      RestApiId: !Ref Api
      Integration: { Uri: !Sub "arn:x/${Function.Arn}/invocations" }
  Error:
    Type: AWS::ApiGateway::GatewayResponse
    Condition: Open
    Properties: { ResponseParameters: { x: !Sub "'${Origin}'" } }
  Snapshot: { Type: AWS::ApiGateway::Deployment, DependsOn: Get, Properties: { RestApiId: !Ref Api } }
  Live:
    Type: AWS::ApiGateway::Stage
    DependsOn: [Snapshot]
    Properties: { DeploymentId: !Ref Snapshot, Variables: { v: 1 } }
Outputs:
  Id: { Value: !Sub "${Snapshot}/${Snapshot.DeploymentId}" }
"#;

    fn render(text: &str, parameters: &[(&str, &str)]) -> (String, Template) {
        let template = Template::of_text(text);
        let parameters = parameters
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let rendered = name_deployments(&template, &parameters);
        let id = deployments(&rendered).next().expect("one").to_owned();
        (id, rendered)
    }

    fn id(text: &str, parameters: &[(&str, &str)]) -> String {
        render(text, parameters).0
    }

    const HERE: &[(&str, &str)] = &[("Origin", "https://a")];

    #[test]
    fn a_changed_definition_is_another_deployment() {
        let base = id(TEMPLATE, HERE);
        let changed = |from: &str, to: &str| id(&TEMPLATE.replace(from, to), HERE);
        assert_ne!(base, changed("HttpMethod: GET", "HttpMethod: ANY"));
        assert_ne!(base, changed("arn:x", "arn:y"));
        assert_ne!(base, changed("x: !Sub", "y: !Sub"));
        assert_ne!(
            base,
            changed("[!Ref Origin, \"*\"]", "[!Ref Origin, \"+\"]"),
            "a condition it stands under"
        );
        assert_ne!(base, id(TEMPLATE, &[("Origin", "https://b")]), "a parameter it shows");
        assert_ne!(
            base,
            id(TEMPLATE, &[("Origin", "https://a"), ("Name", "other")]),
            "the function it calls"
        );
    }

    #[test]
    fn whatever_it_refers_to_is_known_by_its_name() {
        let of = |property: &str, name: &str| {
            id(
                &TEMPLATE.replace("FunctionName: !Ref Name", &format!("{property}: {name}")),
                HERE,
            )
        };
        for property in [
            "QueueName",
            "BucketName",
            "StreamName",
            "TopicName",
            "StateMachineName",
            "UserPoolName",
            "Name",
        ] {
            assert_ne!(of(property, "a"), of(property, "b"), "{property}");
        }
        assert_eq!(of("VisibilityTimeout", "1"), of("VisibilityTimeout", "2"));
    }

    #[test]
    fn what_refers_to_another_resource_of_the_same_definition_can_be_deployed_anew() {
        let template = Template::of_text(TEMPLATE);
        let parameters = BTreeMap::from([("Origin".to_owned(), "https://a".to_owned())]);
        assert!(deployments_refer_to(&template, &parameters, "Function"));
        assert!(!deployments_refer_to(&template, &parameters, "Alarm"));
        let named = |salt: &str| {
            let anew = name_deployments_anew(&template, &parameters, salt);
            deployments(&anew).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_ne!(named("a"), named("b"));
        assert_ne!(named("a"), [id(TEMPLATE, HERE)]);
        let again = keep_deployments(&template, &name_deployments_anew(&template, &parameters, "a"));
        assert_eq!(
            deployments(&again).collect::<Vec<_>>(),
            named("a"),
            "it is known as one"
        );
    }

    #[test]
    fn an_unrelated_change_is_the_same_deployment() {
        let base = id(TEMPLATE, HERE);
        let changed = |from: &str, to: &str| id(&TEMPLATE.replace(from, to), HERE);
        assert_eq!(base, changed("Threshold: 1", "Threshold: 2"));
        assert_eq!(
            base,
            changed("v: 1", "v: 2"),
            "a stage variable is live at once, without a snapshot"
        );
        assert_eq!(base, changed("Default: 128", "Default: 256"));
        assert_eq!(base, id(TEMPLATE, &[("Origin", "https://a"), ("Memory", "512")]));
        assert!(
            base.starts_with("Snapshot") && base.chars().all(|c| c.is_ascii_alphanumeric()),
            "{base}"
        );
    }

    #[test]
    fn everything_that_refers_to_it_follows() {
        let (id, rendered) = render(TEMPLATE, HERE);
        let value = rendered.as_value();
        let resources = &value["Resources"];
        assert_eq!(resources["Live"]["Properties"]["DeploymentId"], json!({ "Ref": id }));
        assert_eq!(resources["Live"]["DependsOn"], json!([id]));
        assert_eq!(
            value["Outputs"]["Id"]["Value"]["Fn::Sub"],
            format!("${{{id}}}/${{{id}.DeploymentId}}")
        );
        let dependencies = resources[&id]["DependsOn"].as_array().expect("a list");
        for name in ["Api", "Get", "Error"] {
            assert!(dependencies.contains(&json!(name)), "{dependencies:?}");
        }
        assert!(resources.get("Snapshot").is_none());
    }

    #[test]
    fn a_deployment_can_be_kept_while_the_definition_changes() {
        let (id, deployed) = render(TEMPLATE, HERE);
        let changed = Template::of_text(&TEMPLATE.replace("GET", "POST"));
        let kept = keep_deployments(&changed, &deployed);
        assert_eq!(deployments(&kept).collect::<Vec<_>>(), [id.as_str()]);
    }

    #[test]
    fn an_apis_deployment_is_of_that_api_alone() {
        let other = "  Other: { Type: AWS::ApiGateway::RestApi, Properties: { Name: other } }\n  OtherGet: { Type: \
                     AWS::ApiGateway::Method, Properties: { RestApiId: !Ref Other, HttpMethod: GET } }\n  OtherSnapshot: \
                     { Type: AWS::ApiGateway::Deployment, Properties: { RestApiId: !Ref Other } }\n  Live:";
        let two = TEMPLATE.replace("  Live:", other);
        let ids = |text: &str| {
            let (_, rendered) = render(text, HERE);
            let ids: Vec<String> = deployments(&rendered).map(str::to_owned).collect();
            let named = |name: &str| ids.iter().find(|id| id.starts_with(name)).cloned().expect("there");
            (named("Snapshot"), named("OtherSnapshot"), rendered)
        };
        let (own, others, rendered) = ids(&two);
        let (changed, same, _) = ids(&two.replace("arn:x", "arn:y"));
        assert_ne!(own, changed);
        assert_eq!(others, same);
        assert_eq!(own, id(TEMPLATE, HERE), "what one API has is the other's no business");
        let value = rendered.as_value();
        // What doesn't say whose it is may be either's.
        assert_eq!(
            value["Resources"][&others]["DependsOn"],
            json!(["Error", "Other", "OtherGet"])
        );
    }

    #[test]
    fn each_of_two_deployments_keeps_its_own() {
        let second =
            "  SnapshotAdmin: { Type: AWS::ApiGateway::Deployment, Properties: { RestApiId: !Ref Api } }\n  Live:";
        let template = TEMPLATE.replace("  Live:", second);
        // Some definitions' hashes begin with a letter, after which the longer name sorts first.
        let with_letter = (0..64).find_map(|n| {
            let text = template.replace("arn:x", &format!("arn:{n}"));
            let (_, deployed) = render(&text, HERE);
            let named = |id: &str| deployments(&deployed).find(|name| name.len() == id.len() + HASH_DIGITS);
            let own = named("Snapshot")?.to_owned();
            let letter = own["Snapshot".len()..].starts_with(|c: char| c.is_ascii_alphabetic());
            letter.then(|| {
                (
                    own,
                    named("SnapshotAdmin").expect("the other").to_owned(),
                    deployed.clone(),
                )
            })
        });
        let (own, admins, deployed) = with_letter.expect("one of many");
        let changed = Template::of_text(&template.replace("GET", "POST"));
        let kept = keep_deployments(&changed, &deployed);
        assert_eq!(
            deployments(&kept).collect::<BTreeSet<_>>(),
            BTreeSet::from([own.as_str(), &admins])
        );
        assert_eq!(
            kept.as_value()["Resources"]["Live"]["Properties"]["DeploymentId"],
            json!({ "Ref": own })
        );
    }
}
