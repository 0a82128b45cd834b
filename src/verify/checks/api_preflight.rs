//! What a browser asks first is answered as the template says: to the pages that it names, and to no others.

use std::collections::BTreeMap;

use aws_sdk_apigatewayv2::types::Cors;
use reqwest::Method;

use crate::project::apis::ApiKind;
use crate::verify::apis::{LiveApi, constant};
use crate::verify::expected::Expected;
use crate::verify::http::{Answer, send};
use crate::verify::layer::Layer;
use crate::verify::stage::Stage;
use crate::verify::{Check, Finding, Look, Problem, asked};

pub(super) struct ApiPreflight;

/// A page that nobody named.
const STRANGER: &str = "https://stranger.example";
const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const ALLOW_METHODS: &str = "access-control-allow-methods";
const CORS: &str = "access-control-";

impl Check for ApiPreflight {
    fn id(&self) -> &'static str {
        "api-preflight"
    }

    fn layer(&self) -> Layer {
        Layer::Api
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let mut looks = Vec::new();
        for api in stage.apis() {
            if api.is_private() || api.url.is_empty() {
                continue;
            }
            let stacks = vec![api.stack.definition.id.clone()];
            match api.api.kind {
                ApiKind::Rest => {
                    for preflight in preflights(&api) {
                        let (resource, restore) =
                            (preflight.resource.clone(), api.stack.restore(&preflight.logical_id));
                        looks.push(Look::new(resource, stacks.clone(), move |_| {
                            let (preflight, restore) = (preflight.clone(), restore.clone());
                            async move { preflight.look(stage, restore).await }
                        }));
                    }
                }
                ApiKind::Http => {
                    let cors = api.resource.property(&["CorsConfiguration"]);
                    if let Expected::Map(cors) = cors {
                        let (resource, restore) = (api.resource.id(), api.resource.restore());
                        let (cloud, id) = (api.stack.cloud, api.id.clone());
                        let url = api
                            .api
                            .routes
                            .first()
                            .map_or_else(|| api.url.clone(), |route| api.url_of(&route.path));
                        looks.push(Look::new(resource, stacks, move |_| {
                            let asked_about = HttpApi {
                                cloud,
                                id: id.clone(),
                                url: url.clone(),
                                cors: cors.clone(),
                                restore: restore.clone(),
                            };
                            async move { asked_about.look(stage).await }
                        }));
                    }
                }
            }
        }
        looks
    }
}

/// A path's answer to OPTIONS, as the template has it.
#[derive(Debug, Clone)]
struct Preflight {
    resource: String,
    logical_id: String,
    url: String,
    path: String,
    /// The other methods of the path.
    methods: Vec<String>,
    status: Expected,
    /// By their names in lower case, without the quotes of the mapping; those that are no constants are unknown.
    headers: BTreeMap<String, Expected>,
    /// Whether it stands in an OpenAPI body.
    is_bodys: bool,
}

/// Those that API Gateway itself answers.
fn preflights(api: &LiveApi<'_>) -> Vec<Preflight> {
    let mut found = Vec::new();
    for route in api.api.routes.iter().filter(|route| route.method == "OPTIONS") {
        let stack = api.stack;
        let (integration, key) = match &route.said.logical_id {
            Some(id) => {
                let method = stack
                    .template()
                    .resource(id)
                    .and_then(|method| method.get("Properties")?.get("Integration"));
                (
                    method.map_or(Expected::Absent, |value| stack.expected(value)),
                    ["Type", "IntegrationResponses", "StatusCode", "ResponseParameters"],
                )
            }
            None => {
                let path = [
                    "Body",
                    "paths",
                    &route.path,
                    "options",
                    "x-amazon-apigateway-integration",
                ];
                (
                    api.resource.property(&path),
                    ["type", "responses", "statusCode", "responseParameters"],
                )
            }
        };
        let [kind, responses, status, parameters] = key;
        let is_mock = integration
            .get(kind)
            .and_then(Expected::known_text)
            .is_some_and(|kind| kind.eq_ignore_ascii_case("MOCK"));
        let response = match integration.get(responses) {
            // The one that nothing selects is the usual one.
            Some(Expected::List(all)) => all
                .iter()
                .find(|one| one.get("SelectionPattern").is_none())
                .or(all.first()),
            Some(Expected::Map(all)) => all.get("default").or_else(|| all.values().next()),
            _ => None,
        };
        let Some(response) = response.filter(|_| is_mock) else {
            continue;
        };
        let said = match response.get(parameters) {
            Some(Expected::Map(said)) => said.clone(),
            _ => BTreeMap::new(),
        };
        let headers = said.iter().filter_map(|(name, value)| {
            let name = name.strip_prefix("method.response.header.")?.to_ascii_lowercase();
            Some((name, constant(value).unwrap_or(Expected::Unknown)))
        });
        let logical_id = route
            .said
            .logical_id
            .clone()
            .unwrap_or_else(|| api.api.logical_id.clone());
        let others = api
            .api
            .routes
            .iter()
            .filter(|other| other.path == route.path && other.method != "OPTIONS");
        found.push(Preflight {
            resource: match &route.said.logical_id {
                Some(id) => format!("{}.{id}", stack.definition.id),
                None => format!("{} {}", api.resource.id(), route.path),
            },
            logical_id,
            url: api.url_of(&route.path),
            path: route.path.clone(),
            methods: others
                .map(|other| other.method.clone())
                .filter(|method| method != "ANY")
                .collect(),
            status: response.get(status).cloned().unwrap_or(Expected::Unknown),
            headers: headers.collect(),
            is_bodys: route.said.logical_id.is_none(),
        });
    }
    found
}

impl Preflight {
    async fn look(&self, stage: &Stage<'_>, restore: String) -> Finding {
        if self.is_bodys && !stage.cloud.endpoint.is_aws() {
            return Err(Problem::not_proven(
                "emulators lose the mock answers of an OpenAPI body",
                "On AWS the same check is made in full.",
            ));
        }
        let said = self.headers.get(ALLOW_ORIGIN);
        let named = said.and_then(Expected::known_text).filter(|origin| origin != "*");
        let origin = named
            .or_else(|| stage.published().map(|site| site.origin))
            .unwrap_or_else(|| STRANGER.to_owned());
        let method = self.methods.first().map_or("GET", String::as_str);
        let answer = ask(stage, &self.url, &origin, method).await?;
        let mut differences = self.differences(&answer);
        if differences.is_empty() {
            let stranger = ask(stage, &self.url, STRANGER, method).await?;
            if stranger.header(ALLOW_ORIGIN) == STRANGER {
                differences.push(format!("{STRANGER}, which nobody named, may ask as well"));
            }
        }
        if !differences.is_empty() {
            return Err(Problem::failed(
                format!("the preflight (OPTIONS {}): {}", self.url, differences.join("; ")),
                restore,
            ));
        }
        let who = match said.and_then(Expected::known_text).as_deref() {
            Some("*") => "pages of any site, as the template says (`*`)".to_owned(),
            Some(origin) => format!("{origin} and no others"),
            None => "whom the template names".to_owned(),
        };
        Ok(format!("OPTIONS {} lets in {who}", self.path))
    }

    fn differences(&self, answer: &Answer) -> Vec<String> {
        let mut differences = Vec::new();
        if !self.status.matches_text(&answer.status.to_string()) {
            differences.push(format!("it answers {} instead of {}", answer.status, self.status));
        }
        for (name, said) in &self.headers {
            let values = answer.values(name);
            if !values.iter().any(|value| said.matches_text(value)) {
                differences.push(match values.first() {
                    Some(value) => format!("{name} is `{value}` and should be `{said}`"),
                    None => format!("{name} isn't there and should be `{said}`"),
                });
            }
        }
        let more = answer
            .header_names()
            .filter(|name| name.starts_with(CORS) && !self.headers.contains_key(*name));
        differences.extend(more.map(|name| format!("{name} isn't in the template")));
        if differences.is_empty() && self.headers.contains_key(ALLOW_METHODS) {
            let listed = answer.header(ALLOW_METHODS).to_owned();
            let lists = |method: &str| {
                listed
                    .split(',')
                    .any(|one| matches!(one.trim(), "*") || one.trim() == method)
            };
            let missing = self.methods.iter().filter(|method| !lists(method));
            differences.extend(missing.map(|method| {
                format!(
                    "the template's {ALLOW_METHODS} is `{listed}`, without {method}, which {} has",
                    self.path
                )
            }));
        }
        differences
    }
}

async fn ask(stage: &Stage<'_>, url: &str, origin: &str, method: &str) -> Result<Answer, Problem> {
    let headers = [("origin", origin), ("access-control-request-method", method)];
    send(&stage.http, Method::OPTIONS, url, &headers).await
}

/// An HTTP API, which answers preflights by itself.
struct HttpApi<'a> {
    cloud: &'a crate::cloud::Cloud,
    id: String,
    url: String,
    cors: BTreeMap<String, Expected>,
    restore: String,
}

impl HttpApi<'_> {
    async fn look(&self, stage: &Stage<'_>) -> Finding {
        let answer = self.cloud.apigatewayv2.get_api().api_id(&self.id).send().await;
        let answer = asked(answer, &format!("could not look at the API {}", self.id))?;
        // An emulator that drops it shows an empty one.
        let has_any =
            |live: &&Cors| live.allow_origins().len() + live.allow_methods().len() + live.allow_headers().len() > 0;
        let Some(live) = answer.cors_configuration().filter(has_any) else {
            return Err(if self.cloud.endpoint.is_aws() {
                Problem::failed(
                    "the API answers no preflights, and its template has a CorsConfiguration",
                    self.restore.clone(),
                )
            } else {
                Problem::not_proven(
                    "this emulator doesn't keep the API's CorsConfiguration",
                    "On AWS the same check is made in full.",
                )
            });
        };
        let lists = [
            ("AllowOrigins", live.allow_origins()),
            ("AllowMethods", live.allow_methods()),
            ("AllowHeaders", live.allow_headers()),
            ("ExposeHeaders", live.expose_headers()),
        ];
        let mut differences = Vec::new();
        for (name, live) in lists {
            let said = self.cors.get(name).map(Expected::items).unwrap_or_default();
            let fits =
                said.len() == live.len() && said.iter().all(|one| live.iter().any(|live| one.matches_text(live)));
            if !fits {
                let said: Vec<String> = said.iter().map(ToString::to_string).collect();
                differences.push(format!(
                    "{name} is [{}] and should be [{}]",
                    live.join(", "),
                    said.join(", ")
                ));
            }
        }
        let credentials = live.allow_credentials().unwrap_or_default().to_string();
        let said = self
            .cors
            .get("AllowCredentials")
            .and_then(Expected::known_text)
            .unwrap_or_else(|| "false".to_owned());
        if said != credentials {
            differences.push(format!("AllowCredentials is {credentials} and should be {said}"));
        }
        let any = live.allow_origins().iter().any(|origin| origin == "*");
        // With a wildcard in it, it is no origin that a page could have.
        let origin = live
            .allow_origins()
            .iter()
            .find(|origin| !origin.contains('*'))
            .map_or(STRANGER, String::as_str);
        if differences.is_empty() {
            let method = live
                .allow_methods()
                .iter()
                .find(|method| *method != "*")
                .map_or("GET", String::as_str);
            let named = ask(stage, &self.url, origin, method).await?;
            let allowed = named.header(ALLOW_ORIGIN);
            if (any || origin != STRANGER) && allowed != origin && allowed != "*" {
                differences.push(format!("{ALLOW_ORIGIN} is `{allowed}` for {origin}"));
            }
            let stranger = ask(stage, &self.url, STRANGER, method).await?;
            if !any && matches!(stranger.header(ALLOW_ORIGIN), STRANGER | "*") {
                differences.push(format!("{STRANGER}, which nobody named, may ask as well"));
            }
        }
        if differences.is_empty() {
            let who = if any {
                "pages of any site, as the template says (`*`)".to_owned()
            } else {
                live.allow_origins().join(", ")
            };
            return Ok(format!("preflights let in {who}"));
        }
        Err(Problem::failed(
            format!("the preflight (OPTIONS {}): {}", self.url, differences.join("; ")),
            self.restore.clone(),
        ))
    }
}
