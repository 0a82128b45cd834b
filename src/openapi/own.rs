//! What the deployed template says of an API, as far as it can be told, in OpenAPI 3's words.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::answers::{Customized, Facts};
use super::parts::{Parts, Place};
use super::{schema, swagger, words};
use crate::project::apis::{Api, ApiKind};
use crate::project::template::{Scope, Template, references};

/// An API's definition.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// `info`, but for what nobody says.
    pub info: Map<String, Value>,
    /// The operations, by path and method as API Gateway has them: `/{proxy+}`, `ANY`.
    pub operations: BTreeMap<(String, String), Operation>,
    /// All schemas.
    pub schemas: Map<String, Value>,
    /// What models say of themselves.
    pub described: BTreeMap<String, String>,
    /// All security schemes.
    pub schemes: Map<String, Value>,
    /// Documentation parts.
    pub parts: Parts,
    /// What API Gateway answers by itself where it was told to.
    pub customized: BTreeMap<String, Customized>,
    /// What isn't taken, a sentence each.
    pub warnings: Vec<String>,
}

/// An operation.
#[derive(Debug, Default, Clone)]
pub(super) struct Operation {
    /// As OpenAPI has it.
    pub value: Map<String, Value>,
    /// What decides API Gateway's own answers, but for who may ask: that is in `security`.
    pub facts: Facts,
}

/// A template with what its names mean.
#[derive(Clone, Copy)]
struct Known<'a> {
    template: &'a Template,
    scope: &'a Scope,
}

impl<'a> Known<'a> {
    fn property(&self, resource: &'a Value, name: &str) -> Option<&'a Value> {
        resource.get("Properties")?.get(name)
    }

    fn text(&self, resource: &Value, name: &str) -> Option<String> {
        let text = self
            .template
            .text_of(resource.get("Properties")?.get(name)?, self.scope)?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A value with all that can be told put in its place; what can't be isn't there.
    fn value(&self, value: &Value) -> Option<Value> {
        let value = self.template.chosen(value, self.scope)?;
        match value {
            Value::Array(items) => Some(items.iter().filter_map(|item| self.value(item)).collect()),
            Value::Object(map) => {
                let function = map.keys().next().filter(|_| map.len() == 1);
                if function.is_some_and(|name| name == "Ref" || name.starts_with("Fn::")) {
                    return self.template.text_of(value, self.scope).map(Value::String);
                }
                let inner = map
                    .iter()
                    .filter_map(|(key, inner)| Some((key.clone(), self.value(inner)?)));
                Some(Value::Object(inner.collect()))
            }
            Value::String(_) => self.template.text_of(value, self.scope).map(Value::String),
            other => Some(other.clone()),
        }
    }

    fn resources_of(&self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let Self { template, scope } = *self;
        template
            .resources_of(kind)
            .filter(move |(_, resource)| template.is_wanted(resource, scope))
    }

    /// A resource that is referred to.
    fn referred(&self, value: &Value) -> Option<(&'a str, &'a Value)> {
        let value = self.template.chosen(value, self.scope)?;
        let id = value.get("Ref").or_else(|| value.get("Fn::GetAtt")?.get(0))?.as_str()?;
        self.template.resources().find(|(found, _)| *found == id)
    }
}

/// What names mean where models are known by their names, as methods and schemas name them.
pub(super) fn with_models(template: &Template, scope: &Scope) -> Scope {
    let known = Known { template, scope };
    let models = known.resources_of("AWS::ApiGateway::Model");
    let named = models.filter_map(|(id, model)| Some((id.to_owned(), known.text(model, "Name")?)));
    let mut scope = scope.clone();
    scope.extend(named.collect::<Vec<_>>());
    scope
}

/// Reads the definition of `api`; `scope` is as [`with_models`] makes it.
pub(super) fn read(template: &Template, scope: &Scope, api: &Api) -> Own {
    let known = Known { template, scope };
    let mut own = Own::default();
    let resource = template.resource(&api.logical_id).unwrap_or(&Value::Null);
    for (property, name) in [
        ("Name", "title"),
        ("Description", "description"),
        ("Version", "version"),
    ] {
        if let Some(text) = known.text(resource, property) {
            own.info.insert(name.to_owned(), json!(text));
        }
    }
    let is_own = |resource: &Value| {
        let of = known.property(resource, api.kind.api_property());
        of.and_then(|of| of.get("Ref"))
            .is_some_and(|id| *id == api.logical_id.as_str())
    };
    for (_, part) in known
        .resources_of("AWS::ApiGateway::DocumentationPart")
        .filter(|(_, part)| is_own(part))
    {
        let said = |name: &str| known.property(part, name).and_then(|value| known.value(value));
        if let (Some(location), Some(properties)) = (said("Location"), said("Properties")) {
            own.parts.add(&location, &properties);
        }
    }
    for (id, model) in known
        .resources_of("AWS::ApiGateway::Model")
        .filter(|(_, model)| is_own(model))
    {
        own.model(known, id, model);
    }
    for (_, response) in known
        .resources_of("AWS::ApiGateway::GatewayResponse")
        .filter(|(_, found)| is_own(found))
    {
        own.customization(known, response);
    }
    own.body(known, resource, api.kind);
    for route in &api.routes {
        let declared = route.said.logical_id.as_deref().and_then(|id| template.resource(id));
        if let Some(declared) = declared {
            let operation = match api.kind {
                ApiKind::Rest => own.method(known, declared, &route.path),
                ApiKind::Http => own.route(known, declared),
            };
            own.operations
                .insert((route.path.clone(), route.method.clone()), operation);
        }
    }
    own
}

impl Own {
    fn model(&mut self, known: Known<'_>, id: &str, model: &Value) {
        let name = known.text(model, "Name").unwrap_or_else(|| id.to_owned());
        let schema = known.property(model, "Schema").and_then(|schema| known.value(schema));
        let schema = match schema {
            Some(Value::String(text)) => serde_json::from_str(&text).ok(),
            other => other,
        };
        let Some(schema) = schema else {
            self.warnings.push(format!(
                "the schema of the model {name} can't be told from the template"
            ));
            return;
        };
        let described = self.parts.description(Place {
            kind: "MODEL",
            name: &name,
            ..Place::default()
        });
        if let Some(text) = described.or_else(|| known.text(model, "Description")) {
            self.described.insert(schema::component_name(&name), text);
        }
        self.schema(&name, &schema);
    }

    fn schema(&mut self, name: &str, schema: &Value) {
        let converted = schema::converted(name, schema);
        self.schemas.insert(schema::component_name(name), converted.schema);
        self.schemas.extend(converted.definitions);
        self.warnings.extend(converted.warnings);
    }

    fn customization(&mut self, known: Known<'_>, response: &Value) {
        let Some(kind) = known.text(response, "ResponseType") else {
            return;
        };
        let map = |name: &str| {
            let map = known.property(response, name);
            map.and_then(Value::as_object).into_iter().flatten()
        };
        let headers = map("ResponseParameters").filter_map(|(key, value)| {
            let name = key.strip_prefix("gatewayresponse.header.")?;
            let value = known.template.text_of(value, known.scope);
            Some((name.to_owned(), value.as_deref().and_then(constant)))
        });
        let templates = map("ResponseTemplates")
            .filter_map(|(content, template)| Some((content.clone(), known.template.text_of(template, known.scope)?)));
        let customized = Customized {
            status: known.text(response, "StatusCode"),
            headers: headers.collect(),
            templates: templates.collect(),
        };
        self.customized.insert(kind, customized);
    }

    /// What a method's responses are.
    fn responses(&self, known: Known<'_>, method: &Value, path: &str, name: &str) -> Map<String, Value> {
        let declared = known.property(method, "MethodResponses").and_then(Value::as_array);
        let integration = known.property(method, "Integration");
        let mut responses = Map::new();
        for response in declared.into_iter().flatten() {
            let Some(status) = response
                .get("StatusCode")
                .and_then(|status| known.template.text_of(status, known.scope))
            else {
                continue;
            };
            let constants = constants(known, integration, &status);
            let content = self.content(known, response.get("ResponseModels"));
            let at = Place {
                kind: "RESPONSE",
                path,
                method: name,
                name: "",
                status: &status,
            };
            let described = self.parts.description(at).or_else(|| {
                let kind = "RESPONSE_BODY";
                self.parts.description(Place { kind, ..at })
            });
            let mut value = Map::new();
            value.insert(
                "description".to_owned(),
                json!(described.unwrap_or_else(|| {
                    let model = content.values().find_map(model_of);
                    let said = model.as_ref().and_then(|model| self.described.get(model));
                    words::response(&status, model.as_deref(), said.map(String::as_str))
                })),
            );
            let headers = response.get("ResponseParameters").and_then(Value::as_object);
            let headers = headers.into_iter().flatten().filter_map(|(key, _)| {
                let header = key.strip_prefix("method.response.header.")?;
                let said = self.parts.description(Place {
                    kind: "RESPONSE_HEADER",
                    name: header,
                    ..at
                });
                let value = constants.get(header).map(String::as_str);
                let description = said.unwrap_or_else(|| words::header(header, value));
                Some((
                    header.to_owned(),
                    json!({ "description": description, "schema": { "type": "string" } }),
                ))
            });
            let headers: Map<String, Value> = headers.collect();
            if !headers.is_empty() {
                value.insert("headers".to_owned(), Value::Object(headers));
            }
            if !content.is_empty() {
                value.insert("content".to_owned(), Value::Object(content));
            }
            responses.insert(status, Value::Object(value));
        }
        responses
    }

    /// Models by content type, as OpenAPI has them.
    fn content(&self, known: Known<'_>, models: Option<&Value>) -> Map<String, Value> {
        let models = models.and_then(Value::as_object).into_iter().flatten();
        let content = models.filter_map(|(content, model)| {
            let name = schema::component_name(&known.template.text_of(model, known.scope)?);
            Some((
                content.clone(),
                json!({ "schema": { "$ref": format!("{}{name}", schema::SCHEMAS) } }),
            ))
        });
        content.collect()
    }

    /// A method of a REST API.
    fn method(&mut self, known: Known<'_>, method: &Value, path: &str) -> Operation {
        let name = known.text(method, "HttpMethod").unwrap_or_default().to_uppercase();
        let at = Place {
            path,
            method: &name,
            ..Place::default()
        };
        let mut value = Map::new();
        if let Some(id) = known.text(method, "OperationName") {
            value.insert("operationId".to_owned(), json!(id));
        }
        self.describe(known, method, at, &mut value);
        let mut parameters = Vec::new();
        let declared = known.property(method, "RequestParameters").and_then(Value::as_object);
        for (key, required) in declared.into_iter().flatten() {
            let Some((place, parameter)) = key
                .strip_prefix("method.request.")
                .and_then(|rest| rest.split_once('.'))
            else {
                continue;
            };
            let (place, kind) = match place {
                "path" => ("path", "PATH_PARAMETER"),
                "querystring" => ("query", "QUERY_PARAMETER"),
                "header" => ("header", "REQUEST_HEADER"),
                _ => continue,
            };
            let required = known.template.text_of(required, known.scope).as_deref() == Some("true");
            let documented = Place {
                kind,
                name: parameter,
                ..at
            };
            let mut one = json!({ "name": parameter, "in": place, "required": required || place == "path" });
            if let Some(said) = self.parts.description(documented) {
                one["description"] = json!(said);
            }
            // What has to be there may not be empty: API Gateway's own validators take that for missing.
            one["schema"] = match required || place == "path" {
                true => json!({ "type": "string", "minLength": 1 }),
                false => json!({ "type": "string" }),
            };
            // Of a parameter API Gateway itself knows only its name. What else there is to say stands in its documentation, in
            // OpenAPI's words.
            for (key, value) in self.parts.of(documented).into_iter().flatten() {
                if OF_PARAMETERS.contains(&key.as_str()) {
                    one["schema"][key.as_str()] = value.clone();
                }
            }
            parameters.push(one);
        }
        if !parameters.is_empty() {
            value.insert("parameters".to_owned(), Value::Array(parameters));
        }
        let content = self.content(known, known.property(method, "RequestModels"));
        let validates = |property: &str| {
            let validator = known
                .property(method, "RequestValidatorId")
                .and_then(|value| known.referred(value));
            let said = validator.and_then(|(_, validator)| known.text(validator, property));
            said.as_deref() == Some("true")
        };
        if !content.is_empty() {
            let model = content.values().find_map(model_of);
            let said = self.parts.description(Place {
                kind: "REQUEST_BODY",
                ..at
            });
            let own = model.as_ref().and_then(|model| self.described.get(model));
            let description = said.unwrap_or_else(|| words::body(model.as_deref(), own.map(String::as_str)));
            let body = json!({ "description": description, "required": true, "content": content });
            value.insert("requestBody".to_owned(), body);
        }
        let responses = self.responses(known, method, path, &name);
        value.insert("responses".to_owned(), Value::Object(responses));
        self.security(
            known,
            method,
            known.text(method, "ApiKeyRequired").as_deref() == Some("true"),
            &mut value,
        );
        let integration = known.property(method, "Integration");
        let kind = integration.and_then(|value| known.template.text_of(value.get("Type")?, known.scope));
        Operation {
            facts: Facts {
                validates_parameters: validates("ValidateRequestParameters"),
                validates_body: validates("ValidateRequestBody"),
                is_mock: kind.as_deref() == Some("MOCK"),
                ..Facts::default()
            },
            value,
        }
    }

    /// A route of an HTTP API.
    fn route(&mut self, known: Known<'_>, route: &Value) -> Operation {
        let mut value = Map::new();
        if let Some(id) = known.text(route, "OperationName") {
            value.insert("operationId".to_owned(), json!(id));
        }
        let function = known.property(route, "Target").and_then(|target| {
            let integrations = references(target).into_iter();
            integrations
                .filter_map(|id| known.template.resource(&id))
                .find_map(|it| function_of(known, it))
        });
        if let Some(text) = function {
            value.insert("summary".to_owned(), json!(text));
        }
        value.insert("responses".to_owned(), json!({}));
        self.security(
            known,
            route,
            known.text(route, "ApiKeyRequired").as_deref() == Some("true"),
            &mut value,
        );
        Operation {
            value,
            facts: Facts::default(),
        }
    }

    /// Summary, description and tags of a method.
    fn describe(&self, known: Known<'_>, method: &Value, at: Place<'_>, value: &mut Map<String, Value>) {
        let said = self.parts.of(Place { kind: "METHOD", ..at });
        for key in ["summary", "description", "tags", "deprecated"] {
            let fits = |found: &&Value| match key {
                "tags" => found.as_array().is_some_and(|all| all.iter().all(Value::is_string)),
                "deprecated" => found.is_boolean(),
                _ => found.as_str().is_some_and(|text| !text.trim().is_empty()),
            };
            if let Some(found) = said.and_then(|said| said.get(key)).filter(fits) {
                value.insert(key.to_owned(), found.clone());
            }
        }
        if !value.contains_key("summary")
            && let Some(text) = function_of(known, method)
        {
            value.insert("summary".to_owned(), json!(text));
        }
    }

    /// What a caller of a method or a route needs: all of it at once.
    fn security(&mut self, known: Known<'_>, method: &Value, key: bool, value: &mut Map<String, Value>) {
        let authorization = known.text(method, "AuthorizationType").unwrap_or_default();
        let mut needed = Map::new();
        let scopes = known
            .property(method, "AuthorizationScopes")
            .and_then(|scopes| known.value(scopes));
        let scopes: Vec<String> = scopes
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|scope| scope.as_str().map(str::to_owned))
            .collect();
        match authorization.as_str() {
            "AWS_IAM" => {
                self.schemes.insert(SIGV4.to_owned(), sigv4());
                needed.insert(SIGV4.to_owned(), json!([]));
            }
            "CUSTOM" | "COGNITO_USER_POOLS" | "JWT" => {
                let authorizer = known.property(method, "AuthorizerId").and_then(|id| known.referred(id));
                for (name, scheme) in self.authorizer(known, authorizer, &authorization) {
                    // Only OpenID Connect has scopes in OpenAPI 3.0 that needn't be listed before.
                    let asks = scheme.get("type").is_some_and(|kind| kind == "openIdConnect");
                    needed.insert(name.clone(), if asks { json!(scopes) } else { json!([]) });
                    self.schemes.insert(name, scheme);
                }
                if !scopes.is_empty() && !value.contains_key("description") {
                    let text = format!("The token has to have one of these scopes: {}.", scopes.join(", "));
                    value.insert("description".to_owned(), json!(text));
                }
            }
            _ => {}
        }
        if key {
            self.schemes.insert(API_KEY.to_owned(), api_key());
            needed.insert(API_KEY.to_owned(), json!([]));
        }
        if !needed.is_empty() {
            value.insert("security".to_owned(), json!([needed]));
        }
    }

    /// The schemes of an authorizer, by name: one for each place that it looks at.
    fn authorizer(&self, known: Known<'_>, found: Option<(&str, &Value)>, authorization: &str) -> Vec<(String, Value)> {
        let Some((id, authorizer)) = found else {
            let description = "What its authorizer asks for, which stands in no template of this stack.";
            let scheme =
                json!({ "type": "apiKey", "name": "Authorization", "in": "header", "description": description });
            return vec![("authorizer".to_owned(), scheme)];
        };
        let name = known.text(authorizer, "Name").unwrap_or_else(|| id.to_owned());
        let said = self.parts.description(Place {
            kind: "AUTHORIZER",
            name: &name,
            ..Place::default()
        });
        let name = schema::component_name(&name);
        // A text with commas, or a list.
        let sources = known
            .property(authorizer, "IdentitySource")
            .and_then(|sources| known.value(sources));
        let sources: Vec<String> = match sources {
            Some(Value::String(text)) => text.split(',').map(|part| part.trim().to_owned()).collect(),
            Some(Value::Array(items)) => items
                .iter()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        };
        let places: BTreeSet<(&str, &str)> = sources
            .iter()
            .filter_map(|source| {
                let source = source.trim_start_matches("method.").trim_start_matches('$');
                let (place, name) = source.strip_prefix("request.")?.split_once('.')?;
                match place {
                    "header" => Some(("header", name)),
                    "querystring" => Some(("query", name)),
                    _ => None,
                }
            })
            .collect();
        let is_jwt = known.text(authorizer, "AuthorizerType").as_deref() == Some("JWT");
        let is_bearer = |place: &(&str, &str)| place.0 == "header" && place.1.eq_ignore_ascii_case("Authorization");
        if is_jwt && places.iter().all(is_bearer) {
            let configuration = known
                .property(authorizer, "JwtConfiguration")
                .and_then(|value| known.value(value));
            let issuer = configuration.as_ref().and_then(|found| found.get("Issuer")?.as_str());
            let said = said.unwrap_or_else(|| "A token of the issuer, as `Bearer …`.".to_owned());
            let scheme = match issuer {
                Some(issuer) => {
                    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
                    json!({ "type": "openIdConnect", "openIdConnectUrl": url, "description": said })
                }
                None => json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": said }),
            };
            return vec![(name, scheme)];
        }
        let (what, kind) = match authorization {
            "COGNITO_USER_POOLS" => ("A token of the user pool.", "cognito_user_pools"),
            "JWT" => ("A token of the issuer.", "jwt"),
            _ => ("What the authorizer's function looks at.", "custom"),
        };
        let description = said.unwrap_or_else(|| what.to_owned());
        let scheme = |place: &str, name: &str| {
            json!({
                "type": "apiKey", "name": name, "in": place, "description": description,
                "x-amazon-apigateway-authtype": kind,
            })
        };
        match places.len() {
            0 => vec![(name, scheme("header", "Authorization"))],
            1 => places
                .iter()
                .map(|(place, source)| (name.clone(), scheme(place, source)))
                .collect(),
            _ => places
                .iter()
                .map(|(place, source)| {
                    (
                        schema::component_name(&format!("{name}-{source}")),
                        scheme(place, source),
                    )
                })
                .collect(),
        }
    }

    /// A definition that the template itself has as OpenAPI.
    fn body(&mut self, known: Known<'_>, api: &Value, kind: ApiKind) {
        let Some(body) = known.property(api, "Body").and_then(|body| known.value(body)) else {
            return;
        };
        let body = if body.get("swagger").is_some() {
            swagger::up(&body)
        } else {
            body
        };
        for (key, value) in body.get("info").and_then(Value::as_object).into_iter().flatten() {
            // The API's own name counts.
            self.info.entry(key.clone()).or_insert_with(|| value.clone());
        }
        let part = |name: &str| {
            let part = body
                .get("components")
                .and_then(|components| components.get(name)?.as_object());
            part.into_iter().flatten()
        };
        for (name, schema) in part("schemas") {
            self.schema(name, schema);
        }
        for (name, scheme) in part("securitySchemes") {
            self.schemes.insert(name.clone(), scheme.clone());
        }
        let everywhere = body.get("security");
        for (path, item) in body.get("paths").and_then(Value::as_object).into_iter().flatten() {
            let common = item.get("parameters").and_then(Value::as_array);
            for (name, operation) in item.as_object().into_iter().flatten() {
                let method = match name.as_str() {
                    super::ANY_METHOD => "ANY".to_owned(),
                    name if super::METHODS.contains(&name) => name.to_uppercase(),
                    _ => continue,
                };
                let Value::Object(mut value) = operation.clone() else {
                    continue;
                };
                if let Some(common) = common {
                    let own = value.entry("parameters").or_insert_with(|| json!([]));
                    if let Value::Array(own) = own {
                        own.extend(common.iter().cloned());
                    }
                }
                if let (Some(security), false) = (everywhere, value.contains_key("security")) {
                    value.insert("security".to_owned(), security.clone());
                }
                let integration = value.get("x-amazon-apigateway-integration");
                let integration = integration.and_then(|integration| integration.get("type")?.as_str());
                let facts = Facts {
                    is_mock: integration.is_some_and(|kind| kind.eq_ignore_ascii_case("mock")),
                    ..Facts::default()
                };
                let path = match (kind, path.as_str()) {
                    (ApiKind::Http, "$default" | "/$default") => "/{proxy+}",
                    (_, path) => path,
                };
                self.operations
                    .insert((path.to_owned(), method), Operation { value, facts });
            }
        }
    }
}

/// What a parameter's documentation may say of its values.
const OF_PARAMETERS: &[&str] = &[
    "type",
    "format",
    "pattern",
    "enum",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "default",
];

/// API Gateway's own name for signatures of IAM.
pub(super) const SIGV4: &str = "sigv4";
/// The same for the keys of usage plans.
pub(super) const API_KEY: &str = "api_key";

/// As API Gateway exports it: OpenAPI has no word for it, and who knows the extension signs.
pub(super) fn sigv4() -> Value {
    json!({
        "type": "apiKey", "name": "Authorization", "in": "header",
        "description": "A signature of IAM (Signature Version 4), for the service execute-api.",
        "x-amazon-apigateway-authtype": "awsSigv4",
    })
}

/// As API Gateway exports it.
pub(super) fn api_key() -> Value {
    json!({ "type": "apiKey", "name": "x-api-key", "in": "header", "description": "A key of one of the stage's usage plans." })
}

/// What the function says of itself that a method or an integration calls.
fn function_of(known: Known<'_>, resource: &Value) -> Option<String> {
    let uri = known.property(resource, "IntegrationUri");
    let uri = uri.or_else(|| known.property(resource, "Integration")?.get("Uri"))?;
    let called = references(uri).into_iter();
    let mut functions = called
        .filter_map(|id| known.template.resource(&id))
        .filter(|resource| Template::type_of(resource) == "AWS::Lambda::Function");
    functions.find_map(|function| known.text(function, "Description"))
}

/// The model that a content has.
pub(super) fn model_of(content: &Value) -> Option<String> {
    let name = content.get("schema")?.get("$ref")?.as_str()?;
    name.strip_prefix(schema::SCHEMAS).map(str::to_owned)
}

/// A value in the inner quotes of API Gateway's mappings.
fn constant(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    Some(inner.to_owned())
}

/// The headers that an integration gives the responses of a status, where they are always the same.
fn constants(known: Known<'_>, integration: Option<&Value>, status: &str) -> BTreeMap<String, String> {
    let responses = integration.and_then(|integration| integration.get("IntegrationResponses")?.as_array());
    let is_it = |response: &&Value| {
        let own = response.get("StatusCode");
        own.and_then(|own| known.template.text_of(own, known.scope)).as_deref() == Some(status)
    };
    let found: Vec<&Value> = responses.into_iter().flatten().filter(is_it).collect();
    let [response] = found.as_slice() else {
        return BTreeMap::new();
    };
    let parameters = response.get("ResponseParameters").and_then(Value::as_object);
    let parameters = parameters.into_iter().flatten().filter_map(|(key, value)| {
        let name = key.strip_prefix("method.response.header.")?;
        let value = known.template.text_of(value, known.scope)?;
        Some((name.to_owned(), constant(&value)?))
    });
    parameters.collect()
}
