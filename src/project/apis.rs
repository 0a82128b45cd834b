//! The APIs that the templates have, their stages and their routes: of REST APIs from methods or from an OpenAPI body, of
//! HTTP APIs from routes or a body.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::template::{Scope, Template};

/// The types of an API.
pub(crate) const REST_API: &str = "AWS::ApiGateway::RestApi";
/// See [`REST_API`].
pub(crate) const HTTP_API: &str = "AWS::ApiGatewayV2::Api";

/// An API of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Api {
    /// Its key in the template.
    pub logical_id: String,
    /// REST or HTTP.
    pub kind: ApiKind,
    /// The name of the stage that serves it; none if it can't be told. `$default` of an HTTP API adds no path.
    pub stage: Option<String>,
    /// Its routes, by path and method.
    pub routes: Vec<Route>,
    /// Whether these are all that the template has: a macro, a loop or a file elsewhere may make more.
    pub complete: bool,
}

/// The kinds of APIs, which API Gateway keeps apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiKind {
    /// `AWS::ApiGateway::RestApi`.
    Rest,
    /// `AWS::ApiGatewayV2::Api`.
    Http,
}

/// A route: what is answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Route {
    /// `/orders/{id}`.
    pub path: String,
    /// `GET`, or `ANY`; an HTTP API's `$default` route has `ANY`.
    pub method: String,
    /// What a caller needs.
    pub wants: Credential,
    /// How the template says it.
    #[serde(skip)]
    pub said: Said,
}

impl Route {
    /// Whether a request comes to it, if no other is more exact.
    pub(crate) fn is_for(&self, method: &str, path: &str) -> bool {
        if !(self.method == "ANY" || self.method.eq_ignore_ascii_case(method)) {
            return false;
        }
        let mut live = path.trim_matches('/').split('/');
        for own in self.path.trim_matches('/').split('/') {
            match (own, live.next()) {
                (own, Some(part)) if !part.is_empty() && own.starts_with('{') && own.ends_with("+}") => return true,
                (own, Some(part)) if own == part || own.starts_with('{') && own.ends_with('}') && !part.is_empty() => {}
                _ => return false,
            }
        }
        live.next().is_none()
    }
}

/// Where a template has a route, and in which words it says what a caller needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Said {
    /// The key of the method or the route; none if it stands in a body.
    pub logical_id: Option<String>,
    /// API Gateway's type of authorization; none if only [`Route::wants`] tells.
    pub authorization: Option<String>,
    /// Whether a key is needed, be it beside something else.
    pub key: bool,
}

/// What a caller of a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Credential {
    /// Nothing.
    Nothing,
    /// A signature of IAM.
    Iam,
    /// A key of a usage plan.
    Key,
    /// What an authorizer asks for: a token of a user pool, of an OpenID issuer, or what its function looks at.
    Authorizer,
}

/// The APIs of a template, as far as parameters tell what they have.
pub(crate) fn of_template(template: &Template, scope: &Scope) -> Vec<Api> {
    let wanted = |kind: &'static str| {
        template
            .resources_of(kind)
            .filter(move |(_, resource)| template.is_wanted(resource, scope))
    };
    let api = |id: &str, resource: &Value, kind: ApiKind| {
        let (own, of_own) = match kind {
            ApiKind::Rest => (rest_routes(template, scope, id), METHOD),
            ApiKind::Http => (http_routes(template, scope, id), ROUTE),
        };
        let property = kind.api_property();
        let declared = template
            .resources_of(of_own)
            .filter(|(_, resource)| refers_to(resource, property, id) && template.is_wanted(resource, scope));
        Api {
            logical_id: id.to_owned(),
            kind,
            stage: stage_of(template, scope, id, kind),
            complete: declared.count() == own.len() && !is_made_elsewhere(template, resource),
            routes: sorted(own.into_iter().chain(body_routes(resource, kind))),
        }
    };
    let rest = wanted(REST_API).map(|(id, resource)| api(id, resource, ApiKind::Rest));
    let http = wanted(HTTP_API).map(|(id, resource)| api(id, resource, ApiKind::Http));
    rest.chain(http).collect()
}

impl ApiKind {
    /// The property by which stages, methods and routes say which API they are of.
    pub(crate) fn api_property(self) -> &'static str {
        match self {
            Self::Rest => "RestApiId",
            Self::Http => "ApiId",
        }
    }
}

/// The types of a REST API's and of an HTTP API's route.
const METHOD: &str = "AWS::ApiGateway::Method";
const ROUTE: &str = "AWS::ApiGatewayV2::Route";

/// Whether routes may come from where the template doesn't show them: a file at S3, a macro, a loop. An HTTP API may also
/// have a route of its own properties.
fn is_made_elsewhere(template: &Template, api: &Value) -> bool {
    let root = template.as_value();
    let property = |name: &str| api.get("Properties").and_then(|properties| properties.get(name));
    let has_loop = root["Resources"]
        .as_object()
        .is_some_and(|all| all.keys().any(|id| id.starts_with("Fn::")));
    root.get("Transform").is_some()
        || has_loop
        || property("BodyS3Location").is_some()
        || property("Target").is_some()
        || property("Body").is_some_and(|body| body.get("paths").and_then(Value::as_object).is_none())
}

fn sorted(routes: impl Iterator<Item = Route>) -> Vec<Route> {
    let mut routes: Vec<Route> = routes.collect();
    routes.sort();
    routes.dedup();
    routes
}

/// Whether a property refers to a resource of this stack.
fn refers_to(resource: &Value, property: &str, id: &str) -> bool {
    let value = resource
        .get("Properties")
        .and_then(|properties| properties.get(property));
    value.and_then(|value| value.get("Ref")).is_some_and(|name| name == id)
}

fn text(template: &Template, scope: &Scope, resource: &Value, property: &str) -> Option<String> {
    template.text_of(resource.get("Properties")?.get(property)?, scope)
}

fn stage_of(template: &Template, scope: &Scope, api: &str, kind: ApiKind) -> Option<String> {
    let stage = match kind {
        ApiKind::Rest => "AWS::ApiGateway::Stage",
        ApiKind::Http => "AWS::ApiGatewayV2::Stage",
    };
    let property = kind.api_property();
    let mut stages = template
        .resources_of(stage)
        .filter(|(_, resource)| refers_to(resource, property, api));
    let named = stages
        .next()
        .and_then(|(_, resource)| text(template, scope, resource, "StageName"));
    if named.is_some() || kind == ApiKind::Http {
        return named;
    }
    // The old way: a deployment that makes its stage.
    let mut deployments = template
        .resources_of("AWS::ApiGateway::Deployment")
        .filter(|(_, resource)| refers_to(resource, property, api));
    deployments.find_map(|(_, resource)| text(template, scope, resource, "StageName"))
}

fn rest_routes(template: &Template, scope: &Scope, api: &str) -> Vec<Route> {
    let methods = template
        .resources_of(METHOD)
        .filter(|(_, resource)| refers_to(resource, "RestApiId", api) && template.is_wanted(resource, scope));
    methods
        .filter_map(|(id, resource)| {
            let properties = resource.get("Properties")?;
            let is_on = |name: &str| text(template, scope, resource, name);
            let authorization = authorization_of(template, scope, resource);
            let key = is_on("ApiKeyRequired").as_deref() == Some("true");
            let wants = match authorization.as_deref() {
                Some("AWS_IAM") => Credential::Iam,
                Some("CUSTOM" | "COGNITO_USER_POOLS") => Credential::Authorizer,
                _ if key => Credential::Key,
                _ => Credential::Nothing,
            };
            Some(Route {
                path: path_of(template, scope, api, properties.get("ResourceId")?)?,
                method: is_on("HttpMethod")?.to_uppercase(),
                wants,
                said: Said {
                    logical_id: Some(id.to_owned()),
                    authorization,
                    key,
                },
            })
        })
        .collect()
}

/// A method's or a route's type of authorization, which is `NONE` where nothing is said; none if it can't be told.
fn authorization_of(template: &Template, scope: &Scope, resource: &Value) -> Option<String> {
    match resource.get("Properties")?.get("AuthorizationType") {
        None => Some("NONE".to_owned()),
        Some(value) => template.text_of(value, scope),
    }
}

/// The path of a REST API's resource, from its parents.
fn path_of(template: &Template, scope: &Scope, api: &str, resource: &Value) -> Option<String> {
    let mut parts = Vec::new();
    let mut value = resource;
    // A chain longer than the template has resources would be a circle.
    for _ in 0..=template.resources().count() {
        if let Some(attribute) = value.get("Fn::GetAtt") {
            let is_root = attribute.get(0)? == api && attribute.get(1)? == "RootResourceId";
            // A resource by its attribute is the same as by its name.
            if !is_root && attribute.get(1)? != "ResourceId" {
                return None;
            }
            if is_root {
                parts.reverse();
                return Some(format!("/{}", parts.join("/")));
            }
        }
        let id = value.get("Ref").or_else(|| value.get("Fn::GetAtt")?.get(0))?.as_str()?;
        let resource = template.resource(id)?;
        parts.push(text(template, scope, resource, "PathPart")?);
        value = resource.get("Properties")?.get("ParentId")?;
    }
    None
}

fn http_routes(template: &Template, scope: &Scope, api: &str) -> Vec<Route> {
    let routes = template
        .resources_of(ROUTE)
        .filter(|(_, resource)| refers_to(resource, "ApiId", api) && template.is_wanted(resource, scope));
    routes
        .filter_map(|(id, resource)| {
            let key = text(template, scope, resource, "RouteKey")?;
            let authorization = authorization_of(template, scope, resource);
            let wants = match authorization.as_deref() {
                Some("AWS_IAM") => Credential::Iam,
                Some("JWT" | "CUSTOM") => Credential::Authorizer,
                _ => Credential::Nothing,
            };
            let (method, path) = of_route_key(&key);
            Some(Route {
                path,
                method,
                wants,
                said: Said {
                    logical_id: Some(id.to_owned()),
                    authorization,
                    key: false,
                },
            })
        })
        .collect()
}

/// Method and path of an HTTP API's route key.
pub(crate) fn of_route_key(key: &str) -> (String, String) {
    let (method, path) = key.split_once(' ').unwrap_or(("ANY", "/{proxy+}"));
    (method.to_uppercase(), path.to_owned())
}

/// What OpenAPI calls methods.
const METHODS: &[&str] = &[
    "get",
    "put",
    "post",
    "delete",
    "options",
    "head",
    "patch",
    "trace",
    "x-amazon-apigateway-any-method",
];

/// The routes of an OpenAPI definition in the template itself.
fn body_routes(api: &Value, kind: ApiKind) -> Vec<Route> {
    let Some(body) = api.get("Properties").and_then(|properties| properties.get("Body")) else {
        return Vec::new();
    };
    let schemes = security_schemes(body);
    let everywhere = body.get("security");
    let mut routes = Vec::new();
    for (path, operations) in body.get("paths").and_then(Value::as_object).into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            if !METHODS.contains(&method.as_str()) {
                continue;
            }
            let own = operation.get("security").or(everywhere);
            let auth = operation
                .get("x-amazon-apigateway-auth")
                .and_then(|auth| auth.get("type")?.as_str());
            let wanted: Vec<Credential> = own
                .into_iter()
                .flat_map(|security| wanted_by(security, &schemes))
                .collect();
            let wants = match auth {
                Some(auth) if auth.eq_ignore_ascii_case("AWS_IAM") => Credential::Iam,
                _ => wanted.iter().copied().max().unwrap_or(Credential::Nothing),
            };
            routes.push(Route {
                path: if kind == ApiKind::Http && path == "$default" {
                    "/{proxy+}".to_owned()
                } else {
                    path.clone()
                },
                method: match method.as_str() {
                    "x-amazon-apigateway-any-method" => "ANY".to_owned(),
                    method => method.to_uppercase(),
                },
                wants,
                said: Said {
                    key: wanted.contains(&Credential::Key),
                    ..Said::default()
                },
            });
        }
    }
    routes
}

/// The security schemes of OpenAPI 3 and of Swagger 2, by name.
fn security_schemes(body: &Value) -> BTreeMap<String, Credential> {
    let three = body
        .get("components")
        .and_then(|components| components.get("securitySchemes"));
    let schemes = three
        .or_else(|| body.get("securityDefinitions"))
        .and_then(Value::as_object);
    let kinds = schemes.into_iter().flatten().map(|(name, scheme)| {
        let auth = scheme
            .get("x-amazon-apigateway-authtype")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let has_authorizer = scheme.get("x-amazon-apigateway-authorizer").is_some();
        let wants = if auth.eq_ignore_ascii_case("awsSigv4") {
            Credential::Iam
        } else if has_authorizer || scheme.get("type").is_none_or(|kind| kind != "apiKey") {
            Credential::Authorizer
        } else {
            Credential::Key
        };
        (name.clone(), wants)
    });
    kinds.collect()
}

fn wanted_by(security: &Value, schemes: &BTreeMap<String, Credential>) -> Vec<Credential> {
    let named = security
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flat_map(|one| one.keys());
    named.filter_map(|name| schemes.get(name)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_to_the_route_of_its_method_and_path() {
        let route = |method: &str, path: &str| Route {
            path: path.to_owned(),
            method: method.to_owned(),
            wants: Credential::Nothing,
            said: Said::default(),
        };
        assert!(route("GET", "/orders/{id}").is_for("GET", "/orders/o-1"));
        assert!(!route("GET", "/orders/{id}").is_for("GET", "/orders/o-1/lines"));
        assert!(!route("GET", "/orders/{id}").is_for("GET", "/orders"));
        assert!(!route("GET", "/orders").is_for("POST", "/orders"));
        assert!(route("ANY", "/{proxy+}").is_for("PATCH", "/a/b/c"));
        assert!(!route("ANY", "/{proxy+}").is_for("GET", "/"));
        assert!(route("GET", "/").is_for("get", ""));
    }

    fn routes(text: &str) -> Vec<String> {
        let template = Template::of_text(text);
        let scope = Scope::from([("Stage".to_owned(), "dev".to_owned())]);
        let apis = of_template(&template, &scope);
        let told = apis.iter().flat_map(|api| {
            let stage = api.stage.clone().unwrap_or_default();
            api.routes
                .iter()
                .map(move |route| format!("{stage} {} {} {:?}", route.method, route.path, route.wants))
        });
        told.collect()
    }

    #[test]
    fn a_rest_apis_routes_are_its_methods() {
        let text = r#"
Resources:
  Api: { Type: AWS::ApiGateway::RestApi }
  Orders: { Type: AWS::ApiGateway::Resource, Properties: { RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: orders } }
  Order: { Type: AWS::ApiGateway::Resource, Properties: { RestApiId: !Ref Api, ParentId: !Ref Orders, PathPart: "{id}" } }
  Get: { Type: AWS::ApiGateway::Method, Properties: { RestApiId: !Ref Api, ResourceId: !Ref Order, HttpMethod: GET, AuthorizationType: NONE } }
  Post: { Type: AWS::ApiGateway::Method, Properties: { RestApiId: !Ref Api, ResourceId: !GetAtt Orders.ResourceId, HttpMethod: POST, AuthorizationType: AWS_IAM } }
  Root: { Type: AWS::ApiGateway::Method, Properties: { RestApiId: !Ref Api, ResourceId: !GetAtt Api.RootResourceId, HttpMethod: ANY, AuthorizationType: NONE, ApiKeyRequired: true } }
  Stage: { Type: AWS::ApiGateway::Stage, Properties: { RestApiId: !Ref Api, StageName: !Ref Stage } }
"#;
        assert_eq!(
            routes(text),
            ["dev ANY / Key", "dev POST /orders Iam", "dev GET /orders/{id} Nothing"]
        );
    }

    #[test]
    fn an_http_apis_routes_are_its_route_keys() {
        let text = r#"
Resources:
  Api: { Type: AWS::ApiGatewayV2::Api }
  Get: { Type: AWS::ApiGatewayV2::Route, Properties: { ApiId: !Ref Api, RouteKey: "GET /items/{id}" } }
  Put: { Type: AWS::ApiGatewayV2::Route, Properties: { ApiId: !Ref Api, RouteKey: "PUT /items", AuthorizationType: JWT } }
  Rest: { Type: AWS::ApiGatewayV2::Route, Properties: { ApiId: !Ref Api, RouteKey: $default } }
  Stage: { Type: AWS::ApiGatewayV2::Stage, Properties: { ApiId: !Ref Api, StageName: $default } }
"#;
        assert_eq!(
            routes(text),
            [
                "$default PUT /items Authorizer",
                "$default GET /items/{id} Nothing",
                "$default ANY /{proxy+} Nothing"
            ]
        );
    }

    #[test]
    fn a_bodys_routes_are_its_paths() {
        let text = r#"
Resources:
  Api:
    Type: AWS::ApiGateway::RestApi
    Properties:
      Body:
        openapi: 3.0.1
        components: { securitySchemes: { key: { type: apiKey, in: header, name: x-api-key }, iam: { type: apiKey, x-amazon-apigateway-authtype: awsSigv4 } } }
        paths:
          /a: { get: { responses: {} }, post: { security: [{ key: [] }] }, parameters: [] }
          /b: { x-amazon-apigateway-any-method: { security: [{ iam: [] }] } }
"#;
        assert_eq!(routes(text), [" GET /a Nothing", " POST /a Key", " ANY /b Iam"]);
    }
}
