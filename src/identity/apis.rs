//! API Gateway, whose actions are HTTP's methods, and whose resources are the paths of its own API.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/security_iam_service-with-iam.html>

use std::collections::BTreeSet;

use serde_json::json;

use super::names::Names;
use super::{Caller, Effect, Statement, actions};

/// What CloudFormation's types are below, by how they begin: APIs, and what is in them.
const APIS: &[(&str, &str)] = &[("AWS::ApiGateway::", "restapis"), ("AWS::ApiGatewayV2::", "apis")];

/// Types of what belongs to no API.
const OTHERS: &[(&str, &str)] = &[
    ("AWS::ApiGateway::Account", "account"),
    ("AWS::ApiGateway::ApiKey", "apikeys"),
    ("AWS::ApiGateway::ClientCertificate", "clientcertificates"),
    ("AWS::ApiGateway::DomainName", "domainnames"),
    ("AWS::ApiGateway::BasePathMapping", "domainnames"),
    ("AWS::ApiGateway::UsagePlan", "usageplans"),
    ("AWS::ApiGateway::VpcLink", "vpclinks"),
    ("AWS::ApiGatewayV2::ApiMapping", "domainnames"),
    ("AWS::ApiGatewayV2::DomainName", "domainnames"),
    ("AWS::ApiGatewayV2::RoutingRule", "domainnames"),
    ("AWS::ApiGatewayV2::VpcLink", "vpclinks"),
];

/// The paths below which the stage has something.
fn paths(names: &Names<'_>, of: &[(&str, &'static str)]) -> BTreeSet<&'static str> {
    let wanted = of.iter().filter(|(kind, _)| names.has(kind));
    wanted.map(|(_, path)| *path).collect()
}

fn arn(path: &str) -> String {
    format!("arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}::/{path}")
}

fn within(paths: &BTreeSet<&'static str>) -> impl Iterator<Item = String> {
    paths.iter().flat_map(|path| [arn(path), arn(&format!("{path}/*"))])
}

/// What the deployer reads of the stage's APIs.
pub(super) fn read(names: &Names<'_>) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = within(&paths(names, APIS)).collect();
    // A key's value, which its own id is asked for.
    if names.has("AWS::ApiGateway::ApiKey") {
        found.insert(arn("apikeys/*"));
    }
    found
}

/// What CloudFormation asks for them. APIs have ids for names, so what changes one asks for the stack's own tag, which what is in
/// an API inherits. <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-supported-resources.html>
pub(super) fn handled(names: &Names<'_>, stacks: &str) -> Vec<Statement> {
    let statement = |sid: &str, methods: &[&str], resources: BTreeSet<String>| Statement {
        sid: sid.to_owned(),
        effect: Effect::Allow,
        actions: actions(methods),
        resources,
        condition: None,
        caller: Caller::of(
            names
                .resources()
                .filter(|resource| APIS.iter().any(|(kind, _)| resource.kind.starts_with(kind))),
        ),
    };
    let apis = paths(names, APIS);
    let others = paths(names, OTHERS);
    let mut found = Vec::new();
    if !apis.is_empty() {
        let each = apis.iter().map(|path| arn(&format!("{path}/*")));
        let all = apis.iter().map(|path| arn(path));
        found.push(statement(
            "ApisAreMade",
            &["apigateway:GET", "apigateway:POST"],
            all.collect(),
        ));
        found.push(statement("ApisAreRead", &["apigateway:GET"], each.clone().collect()));
        found.push(Statement {
            condition: Some(json!({ "StringLike": { "aws:ResourceTag/aws:cloudformation:stack-name": stacks } })),
            ..statement(
                "ApisOfTheseStacks",
                &[
                    "apigateway:DELETE",
                    "apigateway:PATCH",
                    "apigateway:POST",
                    "apigateway:PUT",
                ],
                each.collect(),
            )
        });
        found.push(statement(
            "TagsOfApis",
            &[
                "apigateway:DELETE",
                "apigateway:GET",
                "apigateway:POST",
                "apigateway:PUT",
            ],
            BTreeSet::from([arn("tags/*")]),
        ));
        found.push(Statement {
            condition: Some(json!({ "StringEquals": { "iam:AWSServiceName": "ops.apigateway.amazonaws.com" } })),
            ..statement(
                "FirstApiOfAnAccount",
                &["iam:CreateServiceLinkedRole"],
                BTreeSet::from([
                    "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/aws-service-role/ops.apigateway.amazonaws.com/*"
                        .to_owned(),
                ]),
            )
        });
    }
    if !others.is_empty() {
        found.push(statement(
            "BesideApis",
            &[
                "apigateway:DELETE",
                "apigateway:GET",
                "apigateway:PATCH",
                "apigateway:POST",
                "apigateway:PUT",
            ],
            within(&others).collect(),
        ));
    }
    found
}
