//! Where what is deployed is found: the only place where addresses are put together. An output overrules it: of a site
//! `SiteOrigin`, of a stack's only API `ApiOrigin`.

use serde::Serialize;

use crate::cloud::Cloud;
use crate::project::apis::{self, Api, Credential, HTTP_API, REST_API};
use crate::project::stacks::StackTemplate;
use crate::project::template::Template;
use crate::stack::read::Deployed;

/// The output that says the site's scheme and host.
pub(crate) const SITE_ORIGIN: &str = "SiteOrigin";
/// The output that says the API's scheme and host.
pub(crate) const API_ORIGIN: &str = "ApiOrigin";

/// A deployed API and its routes.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ApiAddress {
    /// API Gateway's id.
    pub id: String,
    /// Where it is, its stage included, without a slash at the end.
    pub url: String,
    /// Its routes.
    pub routes: Vec<RouteAddress>,
}

/// A route and where it is.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RouteAddress {
    /// Its method, or `ANY`.
    pub method: String,
    /// Its path, with parameters in braces.
    pub path: String,
    /// The whole address, with the same parameters.
    pub url: String,
    /// What a caller needs.
    pub wants: Credential,
}

/// The site's scheme and host: as the stack's output has it, else its distribution's own.
pub(crate) fn site_origin(cloud: &Cloud, stack: &StackTemplate, deployed: &Deployed) -> Option<String> {
    if let Some(origin) = deployed.stack.outputs.get(SITE_ORIGIN) {
        return Some(origin.trim_end_matches('/').to_owned());
    }
    // Without the output: whatever output has the distribution's domain.
    let is_domain = |value: &serde_json::Value| {
        value.get("Fn::GetAtt").is_some_and(|path| {
            let id = path.get(0).and_then(serde_json::Value::as_str).unwrap_or_default();
            let kind = stack.template.resource(id).map(Template::type_of);
            kind == Some("AWS::CloudFront::Distribution") && path.get(1).is_some_and(|name| name == "DomainName")
        })
    };
    let (name, _) = stack.template.outputs().find(|(_, value)| is_domain(value))?;
    let domain = deployed.stack.outputs.get(name)?;
    Some(cloud.endpoint.localized(&format!("https://{domain}")))
}

/// The APIs of a stack that are deployed.
pub(crate) fn apis(cloud: &Cloud, stack: &StackTemplate, deployed: &Deployed) -> Vec<ApiAddress> {
    let mut scope = cloud.pseudo_parameters();
    scope.extend(stack.template.known_parameters(&deployed.stack.parameters));
    let found = apis::of_template(&stack.template, &scope);
    let is_only = found.len() == 1;
    let addresses = found.into_iter().filter_map(|api| {
        let kinds: &[&str] = &[REST_API, HTTP_API];
        let id = deployed
            .resources_of(kinds)
            .find(|resource| resource.logical_id == api.logical_id)?
            .physical_id
            .clone();
        let said = deployed.stack.outputs.get(API_ORIGIN).filter(|_| is_only);
        let url = url(cloud, &api, &id, said.map(String::as_str));
        let routes = api.routes.iter().map(|route| RouteAddress {
            method: route.method.clone(),
            path: route.path.clone(),
            url: format!("{url}{}", route.path),
            wants: route.wants,
        });
        Some(ApiAddress {
            id,
            routes: routes.collect(),
            url: url.clone(),
        })
    });
    addresses.collect()
}

/// The address of a stage of a deployed API, by the template that its stack was made from.
pub(crate) fn of_api(
    cloud: &Cloud,
    template: &Template,
    deployed: &Deployed,
    api: &Api,
    id: &str,
    stage: &str,
) -> String {
    let is_only = template
        .resources()
        .filter(|(_, resource)| [REST_API, HTTP_API].contains(&Template::type_of(resource)))
        .count()
        == 1;
    let said = deployed.stack.outputs.get(API_ORIGIN).filter(|_| is_only);
    let api = Api {
        stage: Some(stage.to_owned()),
        ..api.clone()
    };
    url(cloud, &api, id, said.map(String::as_str))
}

/// An API's address: its own host with its stage, or the host that `said` names. A domain of one's own has no stage in its
/// paths: what is mapped to it is the stage.
fn url(cloud: &Cloud, api: &Api, id: &str, said: Option<&str>) -> String {
    let host = format!("https://{id}.execute-api.{}.{}", cloud.region, cloud.url_suffix());
    let own = cloud.endpoint.localized(&host);
    let stage = match &api.stage {
        Some(stage) if stage != "$default" => format!("/{stage}"),
        _ => String::new(),
    };
    match said.map(|origin| origin.trim_end_matches('/')) {
        Some(origin) if origin != own => origin.to_owned(),
        _ => format!("{own}{stage}"),
    }
}

impl Credential {
    /// What to know before one asks a route, for people; nothing if anybody may.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Iam => " (wants a signature of IAM)",
            Self::Key => " (wants an API key)",
            Self::Authorizer => " (wants what its authorizer asks for)",
        }
    }
}
