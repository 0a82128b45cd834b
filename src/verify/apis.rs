//! The APIs of a stage as the checks see them: what the templates say, where they are, and what API Gateway says of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_apigateway::types::GatewayResponse;
use serde_json::Value;

use super::expected::{Expected, Part};
use super::shared::{Round, Shared};
use super::stage::{Resource, Stack, Stage};
use super::{Problem, asked};
use crate::address;
use crate::cloud::Cloud;
use crate::project::apis::{self, Api, Credential, Route};
use crate::project::template::Template;

/// The types of what makes an API's stage.
pub(super) const REST_STAGE: &str = "AWS::ApiGateway::Stage";
/// See [`REST_STAGE`].
pub(super) const HTTP_STAGE: &str = "AWS::ApiGatewayV2::Stage";
/// See [`REST_STAGE`]: one that names a stage makes it.
pub(super) const DEPLOYMENT: &str = "AWS::ApiGateway::Deployment";
/// What API Gateway answers by itself.
pub(super) const GATEWAY_RESPONSE: &str = "AWS::ApiGateway::GatewayResponse";

/// An API of a template that is deployed.
pub(super) struct LiveApi<'a> {
    pub(super) stack: &'a Stack<'a>,
    pub(super) resource: Resource<'a>,
    pub(super) api: Api,
    /// API Gateway's id.
    pub(super) id: String,
    /// Where it is, its stage included, without a slash at the end.
    pub(super) url: String,
}

/// What API Gateway says, asked for once a round.
#[derive(Debug, Default)]
pub(super) struct ApiAnswers {
    /// The deployment that a stage serves.
    served: Shared<Option<String>>,
    /// What it answers by itself, by type.
    responses: Shared<Arc<BTreeMap<String, GatewayResponse>>>,
}

/// What API Gateway's own answer of some type is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedResponse {
    /// Its key in the template, or the API's if it stands in a body.
    pub(super) logical_id: String,
    /// Such as `DEFAULT_4XX`.
    pub(super) kind: String,
    pub(super) status: Expected,
    pub(super) parameters: Expected,
    pub(super) templates: Expected,
}

impl Stage<'_> {
    /// The APIs of all stacks. One that isn't there has no id, and is left out: its stack is said to be complete.
    pub(super) fn apis(&self) -> Vec<LiveApi<'_>> {
        let mut found = Vec::new();
        for stack in &self.stacks {
            let addresses = address::apis(stack.cloud, stack.definition, stack.deployed);
            for api in apis::of_template(stack.template(), &stack.scope) {
                let Some(resource) = stack.resource(&api.logical_id) else {
                    continue;
                };
                let address = addresses.iter().find(|address| address.id == resource.name);
                found.push(LiveApi {
                    stack,
                    resource,
                    id: resource.name.to_owned(),
                    url: address.map(|address| address.url.clone()).unwrap_or_default(),
                    api,
                });
            }
        }
        found
    }

    /// What the caller of an address needs, as the template of the API that is there says it; nothing known of any other.
    pub(super) fn wanted_at(&self, method: &str, url: &str) -> Credential {
        let address = url.split(['?', '#']).next().unwrap_or(url);
        let apis = self.apis();
        let routes = apis.iter().filter_map(|api| {
            let path = address.strip_prefix(api.url.as_str()).filter(|_| !api.url.is_empty())?;
            let mut fitting: Vec<&Route> = api
                .api
                .routes
                .iter()
                .filter(|route| route.is_for(method, path))
                .collect();
            // The most exact one answers.
            fitting.sort_by_key(|route| (route.method == "ANY", route.path.matches('{').count()));
            Some(fitting.first()?.wants)
        });
        routes.into_iter().next().unwrap_or(Credential::Nothing)
    }

    /// The deployment that a stage of a REST API serves.
    pub(super) async fn served(
        &self,
        cloud: &Cloud,
        api: &str,
        name: &str,
        round: Round,
    ) -> Result<Option<String>, Problem> {
        let key = format!("{}/{api}/{name}", cloud.region);
        let ask = async || {
            let answer = cloud
                .apigateway
                .get_stage()
                .rest_api_id(api)
                .stage_name(name)
                .send()
                .await;
            let answer = asked(answer, &format!("could not look at the stage {name} of the API {api}"))?;
            Ok(answer.deployment_id)
        };
        self.api_answers.served.get(&key, round, ask).await
    }

    /// What a REST API answers by itself, by type; those among it that nobody has changed.
    pub(super) async fn gateway_responses(
        &self,
        cloud: &Cloud,
        api: &str,
        round: Round,
    ) -> Result<Arc<BTreeMap<String, GatewayResponse>>, Problem> {
        let key = format!("{}/{api}", cloud.region);
        let ask = async || {
            let mut found = BTreeMap::new();
            let mut position = None;
            loop {
                let request = cloud.apigateway.get_gateway_responses().rest_api_id(api).limit(500);
                let answer = request.set_position(position).send().await;
                let answer = asked(
                    answer,
                    &format!("could not look at what the API {api} answers by itself"),
                )?;
                for response in answer.items.unwrap_or_default() {
                    if let Some(kind) = response.response_type() {
                        found.insert(kind.as_str().to_owned(), response);
                    }
                }
                position = answer.position.filter(|position| !position.is_empty());
                if position.is_none() {
                    return Ok(Arc::new(found));
                }
            }
        };
        self.api_answers.responses.get(&key, round, ask).await
    }
}

impl<'a> LiveApi<'a> {
    /// Whether a resource of the API's own stack or of another is one of this API.
    fn has(&self, resource: &Resource<'_>) -> bool {
        resource
            .property(&[self.api.kind.api_property()])
            .known_text()
            .as_deref()
            == Some(self.id.as_str())
    }

    /// Whether another stack adds routes to it, of which its own template knows nothing.
    pub(super) fn is_added_to(&self, stage: &Stage<'_>) -> bool {
        const PARTS: &[&str] = &[
            "AWS::ApiGateway::Method",
            "AWS::ApiGateway::Resource",
            "AWS::ApiGatewayV2::Route",
        ];
        let others = stage
            .stacks
            .iter()
            .filter(|stack| stack.definition.id != self.stack.definition.id);
        others
            .flat_map(|stack| stack.resources_of(PARTS))
            .any(|part| self.has(&part))
    }

    /// The names of the stages that serve it, whichever stack has them.
    pub(super) fn stage_names(&self, stage: &Stage<'_>) -> Vec<String> {
        let stages = stage
            .resources_of(&[REST_STAGE, HTTP_STAGE])
            .filter(|found| self.has(found));
        let mut names: Vec<String> = stages.map(|found| stage_name(&found)).collect();
        // The old way: a deployment makes its stage.
        if names.is_empty() {
            names.extend(self.api.stage.clone());
        }
        names
    }

    /// What it is to answer by itself.
    pub(super) fn wanted_responses(&self) -> Vec<WantedResponse> {
        let own = self
            .stack
            .resources_of(&[GATEWAY_RESPONSE])
            .filter(|found| self.has(found));
        let mut wanted: Vec<WantedResponse> = own
            .filter_map(|found| {
                Some(WantedResponse {
                    logical_id: found.logical_id.to_owned(),
                    kind: found.property(&["ResponseType"]).known_text()?,
                    status: found.property(&["StatusCode"]),
                    parameters: found.property(&["ResponseParameters"]),
                    templates: found.property(&["ResponseTemplates"]),
                })
            })
            .collect();
        let body = self
            .resource
            .property(&["Body", "x-amazon-apigateway-gateway-responses"]);
        if let Expected::Map(responses) = body {
            wanted.extend(responses.iter().map(|(kind, said)| {
                let part = |name: &str| said.get(name).cloned().unwrap_or(Expected::Absent);
                WantedResponse {
                    logical_id: self.api.logical_id.clone(),
                    kind: kind.clone(),
                    status: part("statusCode"),
                    parameters: part("responseParameters"),
                    templates: part("responseTemplates"),
                }
            }));
        }
        wanted
    }

    /// A path's address, its parameters filled with what is nobody's.
    pub(super) fn url_of(&self, path: &str) -> String {
        let parts = path
            .split('/')
            .map(|part| if part.starts_with('{') { "deployer-verify" } else { part });
        format!("{}{}", self.url, parts.collect::<Vec<_>>().join("/"))
    }

    /// Whether only who is in a private network reaches it.
    pub(super) fn is_private(&self) -> bool {
        let types = self.resource.property(&["EndpointConfiguration", "Types"]);
        types
            .items()
            .iter()
            .any(|one| one.known_text().as_deref() == Some("PRIVATE"))
    }
}

/// What a stage is called.
pub(super) fn stage_name(stage: &Resource<'_>) -> String {
    stage
        .property(&["StageName"])
        .known_text()
        .unwrap_or_else(|| stage.name.to_owned())
}

/// The ids of a resource that the template declares, and that is wanted with what is deployed.
pub(super) fn declared<'s>(stack: &'s Stack<'_>, kind: &'static str) -> impl Iterator<Item = (&'s str, &'s Value)> {
    let template: &'s Template = stack.template();
    template
        .resources_of(kind)
        .filter(move |(_, resource)| template.is_wanted(resource, &stack.scope))
}

/// A text in the inner quotes of API Gateway's mappings; none if it is no constant.
pub(super) fn constant(value: &Expected) -> Option<Expected> {
    let Expected::Text(parts) = value else { return None };
    let mut parts = parts.clone();
    parts.retain(|part| !matches!(part, Part::Known(text) if text.is_empty()));
    let mut inner = parts.into_iter();
    let mut inner: Vec<Part> = inner.by_ref().collect();
    match inner.first_mut() {
        Some(Part::Known(text)) => *text = text.strip_prefix('\'')?.to_owned(),
        _ => return None,
    }
    match inner.last_mut() {
        Some(Part::Known(text)) => *text = text.strip_suffix('\'')?.to_owned(),
        _ => return None,
    }
    Some(Expected::Text(inner))
}

/// A template of API Gateway's with what it puts in left open.
pub(super) fn with_variables(template: &Expected) -> Expected {
    let Expected::Text(parts) = template else {
        return Expected::Unknown;
    };
    let mut open = Vec::new();
    for part in parts {
        let Part::Known(text) = part else {
            open.push(Part::Open);
            continue;
        };
        let mut rest = text.as_str();
        while let Some(start) = rest.find('$') {
            let after = &rest[start + 1..];
            let is_name = |c: char| c.is_alphanumeric() || "._{}".contains(c);
            let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
            // A brace that isn't opened here belongs to what follows.
            let name = &after[..end];
            let end = if name.starts_with('{') {
                name.find('}').map_or(end, |end| end + 1)
            } else {
                name.find(['{', '}']).unwrap_or(end)
            };
            open.push(Part::Known(rest[..start].to_owned()));
            open.push(Part::Open);
            rest = &after[end..];
        }
        open.push(Part::Known(rest.to_owned()));
    }
    Expected::Text(open)
}

impl Credential {
    /// What of API Gateway's own answers refuses a caller without it.
    pub(super) fn refusals(self) -> &'static [&'static str] {
        match self {
            Self::Nothing => &[],
            Self::Iam => &["MISSING_AUTHENTICATION_TOKEN", "DEFAULT_4XX"],
            Self::Key => &["INVALID_API_KEY", "DEFAULT_4XX"],
            Self::Authorizer => &["UNAUTHORIZED", "ACCESS_DENIED", "DEFAULT_4XX"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(parts: &[Option<&str>]) -> Expected {
        let part = |part: &Option<&str>| part.map_or(Part::Open, |text| Part::Known(text.to_owned()));
        Expected::Text(parts.iter().map(part).collect())
    }

    #[test]
    fn constants_of_mappings_stand_in_quotes() {
        assert_eq!(
            constant(&text(&[Some("'GET,OPTIONS'")])),
            Some(text(&[Some("GET,OPTIONS")]))
        );
        let origin = constant(&text(&[Some("'"), None, Some("'")])).expect("a constant");
        assert!(origin.matches_text("https://a") && !origin.matches_text(""));
        assert_eq!(constant(&text(&[Some("integration.response.header.x")])), None);
        assert_eq!(constant(&Expected::Unknown), None);
    }

    #[test]
    fn variables_of_a_template_may_be_anything() {
        let open = with_variables(&text(&[Some(
            "{\"error\":$context.error.messageString,\"x\":\"${context.stage}\"}",
        )]));
        assert!(open.matches_text("{\"error\":\"Forbidden\",\"x\":\"dev\"}"), "{open}");
        assert!(!open.matches_text("{\"message\":\"Forbidden\"}"));
    }
}
