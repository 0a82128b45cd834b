//! A template as an emulator can serve it: by plain HTTP, on this host and its processor. What CloudFormation would say of
//! addresses is said as this host's browsers know them, where a template puts them together; what only the deployed
//! resources tell is rewritten where outputs are read, see [`Endpoint::localized`](crate::cloud::Endpoint::localized).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::cloud::Emulator;
use crate::project::template::{Template, references};

const DISTRIBUTION: &str = "AWS::CloudFront::Distribution";
const APIS: &[&str] = &["AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"];

/// The template, bent to what the emulator can do.
pub(crate) fn render(template: &Template, emulator: &Emulator) -> Template {
    let of_types = |types: &[&str]| -> BTreeSet<String> {
        let resources = template
            .resources()
            .filter(|(_, resource)| types.contains(&Template::type_of(resource)));
        resources.map(|(id, _)| id.to_owned()).collect()
    };
    let addresses = Addresses {
        emulator,
        distributions: of_types(&[DISTRIBUTION]),
        apis: of_types(APIS),
    };
    let mut rendered = template.clone();
    let mut empty = Vec::new();
    for (id, resource) in rendered.resources_mut().into_iter().flatten() {
        let kind = Template::type_of(resource).to_owned();
        let Some(properties) = resource.get_mut("Properties") else {
            continue;
        };
        match (kind.as_str(), emulator.architecture) {
            ("AWS::Lambda::Function", Some(architecture)) => properties["Architectures"] = json!([architecture]),
            (DISTRIBUTION, _) => serve_plain_http(properties),
            ("AWS::S3::BucketPolicy" | "AWS::SQS::QueuePolicy" | "AWS::SNS::TopicPolicy", _)
                if lets_plain_http_in(&mut properties["PolicyDocument"]) =>
            {
                empty.push(id.clone());
            }
            _ => {}
        }
    }
    for section in rendered.sections_mut() {
        addresses.rewrite(section);
    }
    without(&rendered, &empty)
}

/// The template without some of its resources, and without whatever can't be there without them.
pub(crate) fn without(template: &Template, ids: &[String]) -> Template {
    let mut gone: BTreeSet<String> = ids.iter().cloned().collect();
    if gone.is_empty() {
        return template.clone();
    }
    let mut template = template.clone();
    for (_, resource) in template.resources_mut().into_iter().flatten() {
        without_functions(resource, &gone);
    }
    let template = &template;
    loop {
        let needs_gone = |value: &Value| {
            let mut value = value.clone();
            if let Value::Object(resource) = &mut value {
                resource.remove("DependsOn");
                // The name of a condition, which may be a resource's as well.
                resource.remove("Condition");
            }
            references(&value).iter().any(|name| gone.contains(name))
        };
        let more: Vec<String> = template
            .resources()
            .filter(|(id, resource)| !gone.contains(*id) && needs_gone(resource))
            .map(|(id, _)| id.to_owned())
            .collect();
        if more.is_empty() {
            break;
        }
        gone.extend(more);
    }
    let refers = |value: &Value| references(value).iter().any(|name| gone.contains(name));
    let outputs: Vec<String> = template
        .outputs()
        .filter(|(_, value)| refers(value))
        .map(|(name, _)| name.to_owned())
        .collect();
    let mut rest = template.clone();
    for id in &gone {
        rest.remove("Resources", id);
    }
    for name in &outputs {
        rest.remove("Outputs", name);
    }
    for (_, resource) in rest.resources_mut().into_iter().flatten() {
        let Some(dependencies) = resource.get_mut("DependsOn") else {
            continue;
        };
        let is_gone = |value: &Value| value.as_str().is_some_and(|id| gone.contains(id));
        match dependencies {
            Value::Array(list) => list.retain(|id| !is_gone(id)),
            single if is_gone(single) => *single = json!([]),
            _ => {}
        }
    }
    rest
}

/// A distribution can be there without the functions of its edges.
fn without_functions(value: &mut Value, gone: &BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| without_functions(item, gone)),
        Value::Object(map) => {
            map.retain(|key, inner| {
                key != "FunctionAssociations" || !references(inner).iter().any(|name| gone.contains(name))
            });
            map.values_mut().for_each(|inner| without_functions(inner, gone));
        }
        _ => {}
    }
}

/// Viewers come by plain HTTP: there is no certificate for names below `localhost`.
fn serve_plain_http(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(serve_plain_http),
        Value::Object(map) => {
            for (key, inner) in map {
                if key == "ViewerProtocolPolicy" {
                    *inner = json!("allow-all");
                } else {
                    serve_plain_http(inner);
                }
            }
        }
        _ => {}
    }
}

/// Takes out of a policy what refuses plain HTTP; whether nothing else is in it.
fn lets_plain_http_in(policy: &mut Value) -> bool {
    let Some(statements) = policy.get_mut("Statement") else {
        return false;
    };
    match statements {
        Value::Array(list) => {
            let before = list.len();
            list.retain(|statement| !refuses_plain_http(statement));
            list.is_empty() && before > 0
        }
        single => refuses_plain_http(single),
    }
}

fn refuses_plain_http(statement: &Value) -> bool {
    let bool_of = |operator: &str| {
        statement
            .get("Condition")
            .and_then(|condition| condition.get(operator)?.as_object())
    };
    let is_it = |(key, value): (&String, &Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        key.eq_ignore_ascii_case("aws:SecureTransport") && text == "false"
    };
    statement.get("Effect").is_some_and(|effect| effect == "Deny")
        && ["Bool", "BoolIfExists"]
            .iter()
            .filter_map(|operator| bool_of(operator))
            .flatten()
            .any(is_it)
}

/// Addresses as this host's browsers know them.
struct Addresses<'a> {
    emulator: &'a Emulator,
    distributions: BTreeSet<String>,
    apis: BTreeSet<String>,
}

impl Addresses<'_> {
    fn rewrite(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.rewrite(item)),
            Value::Object(map) => {
                if let Some(rewritten) = self.call(map) {
                    *value = rewritten;
                } else {
                    map.values_mut().for_each(|inner| self.rewrite(inner));
                }
            }
            _ => {}
        }
    }

    /// An intrinsic function that makes an address, as one that makes this host's.
    fn call(&self, map: &Map<String, Value>) -> Option<Value> {
        let (function, argument) = map.iter().next().filter(|_| map.len() == 1)?;
        let (text, variables) = match function.as_str() {
            "Fn::Sub" => match argument {
                Value::String(text) => (text.clone(), Map::new()),
                other => (other.get(0)?.as_str()?.to_owned(), other.get(1)?.as_object()?.clone()),
            },
            "Fn::Join" if argument.get(0)? == "" => (joined(argument.get(1)?.as_array()?)?, Map::new()),
            "Fn::GetAtt" if argument.get(1)? == "ApiEndpoint" => {
                (format!("${{{}.ApiEndpoint}}", argument.get(0)?.as_str()?), Map::new())
            }
            _ => return None,
        };
        let (text, variables) = self.substitution(&text, variables)?;
        Some(json!({ "Fn::Sub": [text, variables] }))
    }

    /// A text to substitute in, and its variables; none if no address is in it.
    fn substitution(&self, text: &str, mut variables: Map<String, Value>) -> Option<(String, Map<String, Value>)> {
        let Emulator { scheme, port, .. } = self.emulator;
        let mut rewritten = text.to_owned();
        for id in &self.distributions {
            let address = format!("https://${{{id}.DomainName}}");
            if rewritten.contains(&address) {
                // The emulator serves d1.cloudfront.net as d1.cloudfront.localhost.
                let variable = format!("DeployerLabelOf{id}");
                let label = json!({ "Fn::Select": [0, { "Fn::Split": [".", { "Fn::GetAtt": [id, "DomainName"] }] }] });
                let local = format!("{scheme}://${{{variable}}}.cloudfront.localhost{port}");
                rewritten = rewritten.replace(&address, &local);
                variables.insert(variable, label);
            }
        }
        for id in &self.apis {
            let local = format!("{scheme}://${{{id}}}.execute-api.localhost{port}");
            rewritten = rewritten.replace(&format!("${{{id}.ApiEndpoint}}"), &local);
            for suffix in ["${AWS::URLSuffix}", "amazonaws.com"] {
                let address = format!("https://${{{id}}}.execute-api.${{AWS::Region}}.{suffix}");
                rewritten = rewritten.replace(&address, &local);
            }
        }
        (rewritten != text).then_some((rewritten, variables))
    }
}

/// The parts of a `Fn::Join` as a text to substitute in, if they are texts, references and attributes alone.
fn joined(parts: &[Value]) -> Option<String> {
    let part = |part: &Value| match part {
        Value::String(text) => Some(text.replace("${", "${!")),
        other => {
            let (function, argument) = other.as_object().filter(|map| map.len() == 1)?.iter().next()?;
            match function.as_str() {
                "Ref" => Some(format!("${{{}}}", argument.as_str()?)),
                "Fn::GetAtt" => Some(format!(
                    "${{{}.{}}}",
                    argument.get(0)?.as_str()?,
                    argument.get(1)?.as_str()?
                )),
                _ => None,
            }
        }
    };
    parts.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> Value {
        let template = Template::of_text(text);
        let emulator = Emulator {
            scheme: "http".to_owned(),
            port: ":4566".to_owned(),
            architecture: Some("arm64"),
        };
        render(&template, &emulator).as_value()
    }

    #[test]
    fn what_an_emulator_can_not_do_is_left_out_by_type() {
        let value = rendered(
            r#"
Resources:
  F: { Type: AWS::Lambda::Function, Properties: { Architectures: [!Ref Architecture] } }
  D:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        DefaultCacheBehavior: { ViewerProtocolPolicy: !Ref Policy }
        CacheBehaviors: [{ ViewerProtocolPolicy: https-only, PathPattern: /x }]
  P:
    Type: AWS::S3::BucketPolicy
    Properties:
      PolicyDocument:
        Statement:
          - { Effect: Allow, Action: s3:GetObject }
          - { Effect: Deny, Action: "s3:*", Condition: { Bool: { aws:SecureTransport: "false" } } }
          - { Effect: Deny, Action: "s3:Put*", Condition: { Bool: { aws:SecureTransport: true } } }
  Q:
    Type: AWS::S3::BucketPolicy
    Properties:
      PolicyDocument:
        Statement: { Effect: Deny, Action: "s3:*", Condition: { Bool: { "aws:SecureTransport": false } } }
  T: { Type: AWS::SNS::Topic, DependsOn: [Q, F] }
"#,
        );
        let resources = &value["Resources"];
        assert_eq!(resources["F"]["Properties"]["Architectures"], json!(["arm64"]));
        let config = &resources["D"]["Properties"]["DistributionConfig"];
        assert_eq!(config["DefaultCacheBehavior"]["ViewerProtocolPolicy"], "allow-all");
        assert_eq!(config["CacheBehaviors"][0]["ViewerProtocolPolicy"], "allow-all");
        let statements = &resources["P"]["Properties"]["PolicyDocument"]["Statement"];
        assert_eq!(statements.as_array().map(Vec::len), Some(2), "{statements}");
        assert!(resources.get("Q").is_none());
        assert_eq!(resources["T"]["DependsOn"], json!(["F"]));
    }

    #[test]
    fn a_distribution_stays_without_its_functions() {
        let template = Template::of_text(
            r#"
Conditions: { C: !Equals [a, b] }
Resources:
  F: { Type: AWS::CloudFront::Function, Condition: C, Properties: { Name: f } }
  D:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        DefaultCacheBehavior:
          TargetOriginId: x
          FunctionAssociations: !If
            - C
            - [{ EventType: viewer-request, FunctionARN: !GetAtt F.FunctionARN }]
            - !Ref AWS::NoValue
  T: { Type: AWS::SNS::Topic, Properties: { TopicName: !Ref F } }
"#,
        );
        let rest = without(&template, &["F".to_owned()]).as_value();
        let behavior = &rest["Resources"]["D"]["Properties"]["DistributionConfig"]["DefaultCacheBehavior"];
        assert_eq!(*behavior, json!({ "TargetOriginId": "x" }));
        assert!(rest["Resources"].get("F").is_none() && rest["Resources"].get("T").is_none());
    }

    #[test]
    fn addresses_that_a_template_puts_together_are_this_hosts() {
        let value = rendered(
            r#"
Resources:
  D: { Type: AWS::CloudFront::Distribution, Properties: { Comment: !Sub "${D.DomainName}" } }
  Api: { Type: AWS::ApiGateway::RestApi, Properties: {} }
  Http: { Type: AWS::ApiGatewayV2::Api, Properties: {} }
Outputs:
  Site: { Value: !Sub "https://${D.DomainName}/x" }
  Joined: { Value: !Join ["", ["https://", !GetAtt D.DomainName]] }
  ApiUrl: { Value: !Sub ["https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${s}", { s: prod }] }
  Classic: { Value: !Join ["", ["https://", !Ref Api, ".execute-api.", !Ref "AWS::Region", ".amazonaws.com/prod"]] }
  Endpoint: { Value: !GetAtt Http.ApiEndpoint }
  Bare: { Value: !GetAtt D.DomainName }
"#,
        );
        let output = |name: &str| value["Outputs"][name]["Value"].clone();
        let text = |name: &str| output(name)["Fn::Sub"][0].as_str().unwrap_or_default().to_owned();
        assert_eq!(text("Site"), "http://${DeployerLabelOfD}.cloudfront.localhost:4566/x");
        assert_eq!(text("Joined"), "http://${DeployerLabelOfD}.cloudfront.localhost:4566");
        assert!(output("Site")["Fn::Sub"][1]["DeployerLabelOfD"]["Fn::Select"].is_array());
        assert_eq!(text("ApiUrl"), "http://${Api}.execute-api.localhost:4566/${s}");
        assert_eq!(output("ApiUrl")["Fn::Sub"][1]["s"], "prod");
        assert_eq!(text("Classic"), "http://${Api}.execute-api.localhost:4566/prod");
        assert_eq!(text("Endpoint"), "http://${Http}.execute-api.localhost:4566");
        assert_eq!(output("Bare"), json!({ "Fn::GetAtt": ["D", "DomainName"] }));
        assert_eq!(
            value["Resources"]["D"]["Properties"]["Comment"],
            json!({ "Fn::Sub": "${D.DomainName}" })
        );
    }
}
