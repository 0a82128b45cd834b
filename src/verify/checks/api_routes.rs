//! Each route of the template is live, and wants of its callers what the template says; and there are no others.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use futures::future::join_all;
use reqwest::Method;
use serde_json::Value;

use crate::project::apis::{Api, ApiKind, Credential, Route, of_route_key};
use crate::verify::apis::{LiveApi, WantedResponse, with_variables};
use crate::verify::http::{Answer, send};
use crate::verify::layer::Layer;
use crate::verify::shared::Round;
use crate::verify::stage::Stage;
use crate::verify::{Check, Finding, Look, Problem, asked};

pub(super) struct ApiRoutes;

impl Check for ApiRoutes {
    fn id(&self) -> &'static str {
        "api-routes"
    }

    fn layer(&self) -> Layer {
        Layer::Api
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let looks = stage.apis().into_iter().map(|api| {
            let (resource, stacks) = (api.resource.id(), vec![api.stack.definition.id.clone()]);
            let api = Rc::new(api);
            Look::new(resource, stacks, move |round| {
                let api = Rc::clone(&api);
                async move { routes(stage, &api, round).await }
            })
        });
        looks.collect()
    }
}

/// What a route wants, as API Gateway says it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Live {
    /// None if API Gateway doesn't say.
    authorization: Option<String>,
    key: bool,
}

/// By path and method.
type Routes = BTreeMap<(String, String), Live>;

async fn routes(stage: &Stage<'_>, api: &LiveApi<'_>, round: Round) -> Finding {
    let mut seen = Vec::new();
    match api.api.kind {
        ApiKind::Rest => {
            let names = api.stage_names(stage);
            if names.is_empty() {
                return Err(Problem::not_proven(
                    format!(
                        "no template has a stage for the API {}, so which of its routes are live can't be told",
                        api.id
                    ),
                    "Give it an AWS::ApiGateway::Stage, or say in stacks/verify.yaml why this check is skipped.",
                ));
            }
            for name in names {
                seen.push((
                    format!(" in the stage {name}"),
                    snapshot(stage, api, &name, round).await?,
                ));
            }
        }
        ApiKind::Http => seen.push((String::new(), http_routes(api).await?)),
    }
    let complete = api.api.complete && !api.is_added_to(stage);
    for (place, live) in &seen {
        if live.is_empty()
            && api.api.kind == ApiKind::Http
            && !api.api.routes.is_empty()
            && !stage.cloud.endpoint.is_aws()
        {
            return Err(Problem::not_proven(
                "this emulator makes no routes of the template",
                "On AWS the same check is made in full.",
            ));
        }
        let differences = differences(&api.api, live, complete);
        if !differences.is_empty() {
            return Err(Problem::failed(
                format!("{}{place}", differences.join("; ")),
                format!(
                    "`deployer up --only {}` deploys the API. {}",
                    api.stack.definition.id,
                    api.resource.restore()
                ),
            ));
        }
    }
    let refused = refused(stage, api).await?;
    let live = match api.api.routes.len() {
        0 => "the template has no routes".to_owned(),
        1 => "its route is live as the template has it".to_owned(),
        count => format!("its {count} routes are live as the template has them"),
    };
    let others = if complete {
        ", and no others"
    } else {
        "; what else may be there isn't in the template alone"
    };
    Ok(format!("{live}{others}{refused}"))
}

/// The routes of the snapshot that a REST API's stage serves.
async fn snapshot(stage: &Stage<'_>, api: &LiveApi<'_>, name: &str, round: Round) -> Result<Routes, Problem> {
    let cloud = api.stack.cloud;
    // An emulator that doesn't keep what a route wants in the snapshot may have it in the definition.
    let defined = async {
        if cloud.endpoint.is_aws() {
            Ok(HashMap::new())
        } else {
            definition(api).await
        }
    };
    let (deployment, defined) = tokio::try_join!(stage.served(cloud, &api.id, name, round), defined)?;
    let deployment = deployment.ok_or_else(|| {
        Problem::failed(
            format!("the stage {name} serves nothing"),
            format!("`deployer up --only {}` deploys the API.", api.stack.definition.id),
        )
    })?;
    let request = cloud
        .apigateway
        .get_deployment()
        .rest_api_id(&api.id)
        .deployment_id(&deployment);
    let answer = request.embed("apisummary").send().await;
    let answer = asked(
        answer,
        &format!("could not look at the deployment {deployment} of the API {}", api.id),
    )?;
    let mut routes = Routes::new();
    for (path, methods) in answer.api_summary.unwrap_or_default() {
        for (method, said) in methods {
            let live = Live {
                authorization: said.authorization_type,
                key: said.api_key_required,
            };
            routes.insert((path.clone(), method.to_uppercase()), live);
        }
    }
    for (route, live) in &mut routes {
        live.authorization = live.authorization.take().or_else(|| defined.get(route).cloned());
    }
    Ok(routes)
}

async fn definition(api: &LiveApi<'_>) -> Result<HashMap<(String, String), String>, Problem> {
    let request = api
        .stack
        .cloud
        .apigateway
        .get_resources()
        .rest_api_id(&api.id)
        .embed("methods")
        .limit(500);
    let mut pages = request.into_paginator().items().send();
    let mut defined = HashMap::new();
    while let Some(resource) = pages.next().await {
        let resource = asked(resource, &format!("could not list the paths of the API {}", api.id))?;
        let path = resource.path.unwrap_or_default();
        for (method, said) in resource.resource_methods.unwrap_or_default() {
            defined.extend(
                said.authorization_type
                    .map(|kind| ((path.clone(), method.to_uppercase()), kind)),
            );
        }
    }
    Ok(defined)
}

async fn http_routes(api: &LiveApi<'_>) -> Result<Routes, Problem> {
    let mut routes = Routes::new();
    let mut next = None;
    loop {
        let request = api
            .stack
            .cloud
            .apigatewayv2
            .get_routes()
            .api_id(&api.id)
            .set_next_token(next);
        let answer = asked(
            request.send().await,
            &format!("could not list the routes of the API {}", api.id),
        )?;
        next = answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        for route in answer.items() {
            let (method, path) = of_route_key(route.route_key().unwrap_or_default());
            let live = Live {
                authorization: route.authorization_type().map(|kind| kind.as_str().to_owned()),
                key: route.api_key_required().unwrap_or_default(),
            };
            routes.insert((path, method), live);
        }
        if next.is_none() {
            return Ok(routes);
        }
    }
}

fn differences(api: &Api, live: &Routes, complete: bool) -> Vec<String> {
    let mut differences = Vec::new();
    for route in &api.routes {
        let told = format!("{} {}", route.method, route.path);
        match live.get(&(route.path.clone(), route.method.clone())) {
            None => differences.push(format!("{told} isn't live")),
            Some(live) if !fits(route, live) => differences.push(format!(
                "{told} wants {}, and the template says {}",
                wish(live.authorization.as_deref().unwrap_or("NONE"), live.key),
                said(route)
            )),
            Some(_) => {}
        }
    }
    if complete {
        let known = |path: &str, method: &str| {
            api.routes
                .iter()
                .any(|route| route.path == path && route.method == method)
        };
        let others = live.keys().filter(|(path, method)| !known(path, method));
        differences.extend(others.map(|(path, method)| format!("{method} {path} is live and isn't in the template")));
    }
    differences
}

fn fits(route: &Route, live: &Live) -> bool {
    let authorization = live.authorization.as_deref().unwrap_or("NONE");
    let right = match (&route.said.authorization, route.wants) {
        (Some(said), _) => said == authorization,
        (None, Credential::Iam) => authorization == "AWS_IAM",
        (None, Credential::Authorizer) => matches!(authorization, "CUSTOM" | "COGNITO_USER_POOLS" | "JWT"),
        (None, Credential::Key | Credential::Nothing) => authorization == "NONE",
    };
    right && route.said.key == live.key
}

fn said(route: &Route) -> String {
    let authorization = match (&route.said.authorization, route.wants) {
        (Some(said), _) => said,
        (None, Credential::Iam) => "AWS_IAM",
        (None, Credential::Authorizer) => "an authorizer",
        (None, Credential::Key | Credential::Nothing) => "NONE",
    };
    wish(authorization, route.said.key)
}

/// In words of API Gateway's own.
fn wish(authorization: &str, key: bool) -> String {
    match (authorization, key) {
        ("NONE", false) => "no credential (NONE)".to_owned(),
        ("NONE", true) => "an API key".to_owned(),
        (kind, false) => kind.to_owned(),
        (kind, true) => format!("{kind} and an API key"),
    }
}

/// Asks what wants a credential without one. Only GET: what writes is never called.
async fn refused(stage: &Stage<'_>, api: &LiveApi<'_>) -> Result<String, Problem> {
    let guarded = |route: &&Route| route.method == "GET" && route.wants != Credential::Nothing;
    let guarded: Vec<&Route> = api.api.routes.iter().filter(guarded).collect();
    if guarded.is_empty() {
        return Ok(String::new());
    }
    if api.is_private() || api.url.is_empty() {
        return Ok("; those that want a credential aren't asked: only a private network reaches the API".to_owned());
    }
    let responses = api.wanted_responses();
    let answers = guarded.iter().map(async |route| {
        let answer = send(&stage.http, Method::GET, &api.url_of(&route.path), &[]).await?;
        if refuses(route, &answer, &responses) {
            return Ok(format!("GET {} {}", route.path, answer.status));
        }
        Err(Problem::failed(
            format!(
                "GET {} wants a credential, and answers {} without one: {}",
                answer.url,
                answer.status,
                answer.beginning()
            ),
            format!("Whoever knows the address may read this. {}", api.resource.restore()),
        ))
    });
    let answers: Vec<String> = join_all(answers).await.into_iter().collect::<Result<_, Problem>>()?;
    Ok(format!("; without a credential: {}", answers.join(", ")))
}

/// Whether API Gateway itself said no, in its own way or in the template's.
fn refuses(route: &Route, answer: &Answer, responses: &[WantedResponse]) -> bool {
    if matches!(answer.status, 401 | 403) {
        return true;
    }
    if (200..300).contains(&answer.status) {
        return false;
    }
    let status = answer.status.to_string();
    responses.iter().any(|response| {
        route.wants.refusals().contains(&response.kind.as_str())
            && response.status.known_text().as_deref() == Some(status.as_str())
            && is_gateways_own(answer, response)
    })
}

/// What AWS says of a caller without a credential, in a body that the template doesn't change.
const REFUSALS: &[&str] = &[
    "Forbidden",
    "Missing Authentication Token",
    "Unauthorized",
    "User is not authorized",
];

/// Whether this is what API Gateway says itself, and no integration does.
fn is_gateways_own(answer: &Answer, response: &WantedResponse) -> bool {
    if !answer.header("x-amzn-errortype").is_empty() {
        return true;
    }
    match response.templates.get("application/json") {
        Some(template) => with_variables(template).matches_text(&answer.text()),
        None => {
            let said: Value = serde_json::from_str(&answer.text()).unwrap_or_default();
            let message = said["message"].as_str().unwrap_or_default();
            REFUSALS.iter().any(|refusal| message.starts_with(refusal))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::apis::of_template;
    use crate::project::template::{Scope, Template};

    fn told(live: &[(&str, &str, &str, bool)], complete: bool) -> Vec<String> {
        let text = r#"
Resources:
  Api: { Type: AWS::ApiGateway::RestApi }
  Get: { Type: AWS::ApiGateway::Method, Properties: { RestApiId: !Ref Api, ResourceId: !GetAtt Api.RootResourceId, HttpMethod: GET } }
  Post: { Type: AWS::ApiGateway::Method, Properties: { RestApiId: !Ref Api, ResourceId: !GetAtt Api.RootResourceId, HttpMethod: POST, AuthorizationType: AWS_IAM, ApiKeyRequired: true } }
"#;
        let template = Template::of_text(text);
        let apis = of_template(&template, &Scope::new());
        let live = live.iter().map(|(method, path, authorization, key)| {
            let live = Live {
                authorization: Some((*authorization).to_owned()),
                key: *key,
            };
            (((*path).to_owned(), (*method).to_owned()), live)
        });
        differences(&apis[0], &live.collect(), complete)
    }

    #[test]
    fn live_routes_are_those_of_the_template() {
        let right = [("GET", "/", "NONE", false), ("POST", "/", "AWS_IAM", true)];
        assert_eq!(told(&right, true), [""; 0]);
        let other = [
            ("GET", "/", "AWS_IAM", false),
            ("POST", "/", "AWS_IAM", false),
            ("GET", "/x", "NONE", false),
        ];
        let mut differences = vec![
            "GET / wants AWS_IAM, and the template says no credential (NONE)".to_owned(),
            "POST / wants AWS_IAM, and the template says AWS_IAM and an API key".to_owned(),
        ];
        assert_eq!(told(&other, false), differences);
        differences.push("GET /x is live and isn't in the template".to_owned());
        assert_eq!(told(&other, true), differences);
        assert_eq!(told(&right[..1], true), ["POST / isn't live"]);
    }
}
