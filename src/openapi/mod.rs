//! The deployed contract of an API as an OpenAPI document: what API Gateway exports of its stage, completed by what the deployed
//! template says. Which operations there are the export decides, which is of what is deployed; where there is none, the
//! template. Pure but for [`export`], which asks.

mod answers;
pub(crate) mod export;
mod own;
mod parts;
mod schema;
mod swagger;
mod words;
pub(crate) mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::project::apis::{Api, ApiKind};
use crate::project::template::{Scope, Template};
use answers::{Answer, Facts};
use own::{Operation, Own};
use parts::Place;

/// What is known of an API.
pub(crate) struct Asked<'a> {
    /// The template that its stack was made from.
    pub template: &'a Template,
    /// What names in it mean.
    pub scope: &'a Scope,
    /// The API.
    pub api: &'a Api,
    /// Where it is, its stage included.
    pub url: &'a str,
    /// What its version is if nobody says.
    pub version: &'a str,
    /// What API Gateway exports, as OpenAPI 3.
    pub export: Option<Value>,
    /// Whether API Gateway's own extensions stay.
    pub extensions: bool,
}

/// A document.
#[derive(Debug)]
pub(crate) struct Contract {
    /// OpenAPI 3.0.
    pub document: Value,
    /// What to know of it, a sentence each.
    pub warnings: Vec<String>,
}

impl Contract {
    /// The same as Swagger 2.0.
    #[must_use]
    pub(crate) fn into_swagger(self) -> Self {
        let (document, told) = swagger::down(&self.document);
        let mut warnings = self.warnings;
        warnings.extend(told);
        Self { document, warnings }
    }
}

/// The version of OpenAPI that documents are in: what API Gateway exports is of 3.0.1, which says the same.
const VERSION: &str = "3.0.3";

/// The methods of operations, in the order in which they are written.
const METHODS: &[&str] = &["get", "head", "post", "put", "patch", "delete", "options", "trace"];

/// What API Gateway serves by a route for any method.
const ANY: &[&str] = &["get", "head", "post", "put", "patch", "delete", "options"];

/// Such a route in an export.
const ANY_METHOD: &str = "x-amazon-apigateway-any-method";

/// What an export, or a body in a template, may have beside OpenAPI's own.
const EXTENSION: &str = "x-amazon-apigateway-";

/// Of a security scheme: how the signature is made, which OpenAPI itself has no word for.
const AUTHTYPE: &str = "x-amazon-apigateway-authtype";

/// The contract of an API.
pub(crate) fn contract(asked: &Asked<'_>) -> Contract {
    let scope = own::with_models(asked.template, asked.scope);
    let own = own::read(asked.template, &scope, asked.api);
    let mut writer = Writer {
        kind: asked.api.kind,
        extensions: asked.extensions,
        warnings: own.warnings.clone(),
        schemas: own.schemas.clone(),
        schemes: own.schemes.clone(),
        ids: BTreeSet::new(),
        own,
    };
    let info = writer.info(asked);
    let operations = writer.operations(asked.export.as_ref(), asked.api.complete);
    let mut paths: BTreeMap<String, BTreeMap<usize, (String, Value)>> = BTreeMap::new();
    let mut named: Vec<((String, String), Operation)> = operations.into_iter().collect();
    // Names that somebody chose come before those that are made up, so that none of these takes one of them.
    named.sort_by_key(|((path, method), found)| {
        (!found.value.contains_key("operationId"), path.clone(), method.clone())
    });
    for ((path, method), operation) in named {
        let place = METHODS
            .iter()
            .position(|known| *known == method)
            .unwrap_or(METHODS.len());
        let value = writer.finished(&path, &method, operation);
        paths.entry(path).or_default().insert(place, (method, value));
    }
    let paths: Map<String, Value> = paths
        .into_iter()
        .map(|(path, methods)| {
            let mut item = Map::new();
            let said = Place {
                kind: "RESOURCE",
                path: &path,
                ..Place::default()
            };
            if let Some(text) = writer.own.parts.description(said) {
                item.insert("description".to_owned(), json!(text));
            }
            item.extend(methods.into_values());
            (path, Value::Object(item))
        })
        .collect();
    let components = writer.components(&Value::Object(paths.clone()));
    let mut document = json!({
        "openapi": VERSION, "info": info, "servers": [{ "url": asked.url, "description": "The deployed stage." }],
        "paths": paths,
    });
    if !components.is_empty() {
        document["components"] = Value::Object(components);
    }
    if !asked.extensions {
        without_extensions(&mut document);
    }
    let mut warnings = writer.warnings;
    warnings.sort();
    warnings.dedup();
    Contract { document, warnings }
}

struct Writer {
    kind: ApiKind,
    extensions: bool,
    own: Own,
    schemas: Map<String, Value>,
    schemes: Map<String, Value>,
    ids: BTreeSet<String>,
    warnings: Vec<String>,
}

type Operations = BTreeMap<(String, String), Operation>;

impl Writer {
    fn info(&self, asked: &Asked<'_>) -> Map<String, Value> {
        let exported = asked.export.as_ref().and_then(|export| export.get("info")?.as_object());
        let mut info = exported.cloned().unwrap_or_default();
        for (key, value) in &self.own.info {
            info.entry(key.clone()).or_insert_with(|| value.clone());
        }
        let said = self.own.parts.of(Place {
            kind: "API",
            ..Place::default()
        });
        let inner = said.and_then(|said| said.get("info")?.as_object());
        let described = inner.into_iter().chain(said).find_map(|said| said.get("description"));
        if let Some(text) = described.filter(|text| text.is_string()) {
            info.insert("description".to_owned(), text.clone());
        }
        let mut result = Map::new();
        let text = |key: &str| info.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        result.insert(
            "title".to_owned(),
            json!(text("title").unwrap_or(&asked.api.logical_id)),
        );
        result.insert("version".to_owned(), json!(text("version").unwrap_or(asked.version)));
        for key in ["description", "termsOfService", "contact", "license"] {
            if let Some(value) = info.get(key) {
                result.insert(key.to_owned(), value.clone());
            }
        }
        result
    }

    /// All operations, by path and method as OpenAPI has them. `complete` says that the template knows of all.
    fn operations(&mut self, export: Option<&Value>, complete: bool) -> Operations {
        let own = std::mem::take(&mut self.own.operations);
        let own = self.of_openapi(own);
        let Some(export) = export else {
            if !complete {
                self.warnings.push(
                    "API Gateway exports nothing here, and the template may make more routes than it shows: those that it \
                     shows are all that is written"
                        .to_owned(),
                );
            }
            return own;
        };
        let part = |name: &str| {
            let part = export
                .get("components")
                .and_then(|components| components.get(name)?.as_object());
            part.into_iter().flatten()
        };
        for (name, schema) in part("schemas") {
            let converted = schema::converted(name, schema);
            self.schemas.insert(name.clone(), converted.schema);
            self.schemas.extend(converted.definitions);
            self.warnings.extend(converted.warnings);
        }
        for (name, scheme) in part("securitySchemes") {
            let ours = self.schemes.get(name);
            let whole = whole_scheme(scheme, ours);
            self.schemes.insert(name.clone(), whole);
        }
        let mut exported = Operations::new();
        for (path, item) in export.get("paths").and_then(Value::as_object).into_iter().flatten() {
            for (name, operation) in item.as_object().into_iter().flatten() {
                let method = match name.as_str() {
                    ANY_METHOD => "ANY",
                    name if METHODS.contains(&name) => name,
                    _ => continue,
                };
                let path = if path == "/$default" { "/{proxy+}" } else { path };
                let value = operation.as_object().cloned().unwrap_or_default();
                let facts = Facts::default();
                exported.insert((path.to_owned(), method.to_uppercase()), Operation { value, facts });
            }
        }
        let exported = self.of_openapi(exported);
        for (path, method) in own.keys().filter(|key| !exported.contains_key(*key)) {
            self.warnings.push(format!(
                "{} {path} stands in the template, and isn't in what API Gateway has deployed: it is left out",
                method.to_uppercase()
            ));
        }
        let merged = exported.into_iter().map(|(key, exported)| {
            let merged = match own.get(&key) {
                Some(own) => merged(exported, own),
                None => exported,
            };
            (key, merged)
        });
        merged.collect()
    }

    /// The same with OpenAPI's paths and methods: a parameter for the rest of a path, and an operation a method.
    fn of_openapi(&mut self, operations: Operations) -> Operations {
        let mut result = Operations::new();
        // An exact method counts before any.
        let (any, exact): (Vec<_>, Vec<_>) = operations.into_iter().partition(|((_, method), _)| method == "ANY");
        for ((path, method), operation) in exact.into_iter().chain(any) {
            let methods: Vec<String> = match method.as_str() {
                "ANY" if self.extensions => vec![ANY_METHOD.to_owned()],
                "ANY" => ANY.iter().map(|method| (*method).to_owned()).collect(),
                method => vec![method.to_lowercase()],
            };
            let is_one = methods.len() == 1;
            for method in methods {
                let mut operation = operation.clone();
                let id = operation.value.get("operationId").and_then(Value::as_str);
                if let Some(id) = id.filter(|_| !is_one) {
                    let own = format!("{id}{}", words::pascal(&method));
                    operation.value.insert("operationId".to_owned(), json!(own));
                }
                if !is_one && matches!(method.as_str(), "get" | "head" | "delete" | "options") {
                    operation.value.remove("requestBody");
                }
                result.entry((path.clone(), method)).or_insert(operation);
            }
        }
        if self.extensions {
            return result;
        }
        let mut renamed = Operations::new();
        let (greedy, plain): (Vec<_>, Vec<_>) = result.into_iter().partition(|((path, _), _)| path.contains("+}"));
        for ((path, method), operation) in plain.into_iter().chain(greedy) {
            let simple = path.replace("+}", "}");
            let same = |other: &str| same_paths(other, &simple) && other != simple;
            let is_there = renamed.keys().any(|(other, _): &(String, String)| same(other))
                || simple != path && renamed.contains_key(&(simple.clone(), method.clone()));
            if is_there {
                self.warnings.push(format!(
                    "{} {path} can't be told from another path in OpenAPI: it is left out",
                    method.to_uppercase()
                ));
                continue;
            }
            let mut operation = operation;
            if simple != path {
                operation.value.insert(REST_OF_PATH.to_owned(), json!(path));
            }
            renamed.insert((simple, method), operation);
        }
        renamed
    }

    /// An operation with all that OpenAPI asks for, and with what API Gateway answers by itself.
    fn finished(&mut self, path: &str, method: &str, operation: Operation) -> Value {
        let Operation { mut value, facts } = operation;
        let greedy = value.remove(REST_OF_PATH);
        let id = value.get("operationId").and_then(Value::as_str).map(str::to_owned);
        let id = self.unique(
            &id.unwrap_or_else(|| words::operation_id(method_name(method), path)),
            path,
        );
        self.parameters(path, method, greedy.as_ref().and_then(Value::as_str), &mut value);
        let needed = requirement(value.get("security"));
        let mut facts = self.facts(facts, &needed);
        facts.has_body = value.contains_key("requestBody");
        if let Some(body) = value.get_mut("requestBody") {
            self.described_body(body);
        }
        self.responses(path, method, &facts, &mut value);
        let mut result = Map::new();
        result.insert("operationId".to_owned(), json!(id));
        for key in [
            "summary",
            "description",
            "tags",
            "deprecated",
            "parameters",
            "requestBody",
            "responses",
        ] {
            if let Some(part) = value.remove(key) {
                result.insert(key.to_owned(), part);
            }
        }
        value.remove("operationId");
        value.remove("security");
        if !needed.is_empty() {
            result.insert("security".to_owned(), json!([needed]));
        }
        result.extend(value);
        Value::Object(result)
    }

    fn unique(&mut self, wanted: &str, path: &str) -> String {
        let mut id = wanted.to_owned();
        let mut more = 2;
        while !self.ids.insert(id.clone()) {
            id = format!("{wanted}{}", words::pascal(path));
            if self.ids.contains(&id) {
                id = format!("{id}{more}");
                more += 1;
            }
        }
        id
    }

    /// Who may ask, by what the schemes are.
    fn facts(&self, facts: Facts, needed: &Map<String, Value>) -> Facts {
        let mut facts = facts;
        for name in needed.keys() {
            let scheme = self.schemes.get(name);
            let is = |key: &str, value: &str| {
                let said = scheme.and_then(|scheme| scheme.get(key)?.as_str());
                said.is_some_and(|said| said.eq_ignore_ascii_case(value))
            };
            let is_custom = scheme.is_some_and(|scheme| scheme.get("x-amazon-apigateway-authorizer").is_some());
            match () {
                () if name == own::SIGV4 || is(AUTHTYPE, "awsSigv4") => facts.iam = true,
                () if name == own::API_KEY || is("name", "x-api-key") && !is_custom => facts.key = true,
                () => facts.authorizer = true,
            }
        }
        facts
    }

    fn parameters(&mut self, path: &str, method: &str, greedy: Option<&str>, operation: &mut Map<String, Value>) {
        let given = operation.remove("parameters");
        let given = given.as_ref().and_then(Value::as_array).into_iter().flatten();
        let in_path: Vec<&str> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| name.trim_end_matches('+'))
            .collect();
        let rest = greedy
            .and_then(|path| path.rsplit_once('{'))
            .map(|(_, name)| name.trim_end_matches("+}"));
        let mut found: BTreeMap<(usize, String), Value> = BTreeMap::new();
        for parameter in given {
            let text = |key: &str| parameter.get(key).and_then(Value::as_str);
            // A reference to a parameter elsewhere stays as it is.
            let (Some(name), Some(place)) = (text("name"), text("in")) else {
                found.insert((100 + found.len(), String::new()), parameter.clone());
                continue;
            };
            let order = match place {
                "path" => match in_path.iter().position(|found| *found == name.trim_end_matches('+')) {
                    Some(order) => order,
                    // API Gateway takes whatever is declared.
                    None => continue,
                },
                "query" => 50,
                "header" if is_said_otherwise(name) => continue,
                "header" => 51,
                _ => 52,
            };
            let mut parameter = parameter.clone();
            if place == "path" {
                parameter["name"] = json!(name.trim_end_matches('+'));
            }
            found.insert((order, name.to_owned()), parameter);
        }
        for (order, name) in in_path.iter().enumerate() {
            let is_there = found.keys().any(|(at, _)| *at == order);
            if !is_there {
                found.insert((order, (*name).to_owned()), json!({ "name": name, "in": "path" }));
            }
        }
        let finished = found.into_values().map(|parameter| {
            let text = |key: &str| parameter.get(key).and_then(Value::as_str).unwrap_or_default();
            let (name, place) = (text("name").to_owned(), text("in").to_owned());
            if name.is_empty() {
                return parameter;
            }
            let required = place == "path" || parameter.get("required").is_some_and(|on| *on == true);
            let kind = match place.as_str() {
                "path" => "PATH_PARAMETER",
                "query" => "QUERY_PARAMETER",
                _ => "REQUEST_HEADER",
            };
            let described = parameter
                .get("description")
                .and_then(Value::as_str)
                .filter(|text| !text.trim().is_empty());
            let described = described.map(str::to_owned).or_else(|| {
                self.own.parts.description(Place {
                    kind,
                    path: greedy.unwrap_or(path),
                    method,
                    name: &name,
                    status: "",
                })
            });
            let description = described.unwrap_or_else(|| match place.as_str() {
                "path" if rest == Some(name.as_str()) => words::rest_of_path(path, &name),
                "path" => words::path_parameter(path, &name),
                place => words::parameter(place, &name, required),
            });
            let schema = parameter
                .get("schema")
                .cloned()
                .unwrap_or_else(|| json!({ "type": "string" }));
            let schema = match schema.get("type") {
                // What has to be there may not be empty: API Gateway takes that for missing, and for another path.
                Some(kind) if required && kind == "string" && is_bare(&schema) => {
                    json!({ "type": "string", "minLength": 1 })
                }
                _ => schema,
            };
            let mut value = json!({ "name": name, "in": place, "required": required, "description": description });
            value["schema"] = schema;
            for (key, more) in parameter.as_object().into_iter().flatten() {
                if value.get(key).is_none() && key != "type" {
                    value[key.as_str()] = more.clone();
                }
            }
            value
        });
        let finished: Vec<Value> = finished.collect();
        if !finished.is_empty() {
            operation.insert("parameters".to_owned(), Value::Array(finished));
        }
    }

    fn described_body(&self, body: &mut Value) {
        if body.get("$ref").is_some() || body.get("description").is_some_and(|text| *text != "") {
            return;
        }
        let model = body
            .get("content")
            .and_then(|content| content.as_object()?.values().find_map(own::model_of));
        let said = model.as_ref().and_then(|model| self.own.described.get(model));
        let description = words::body(model.as_deref(), said.map(String::as_str));
        if let Some(body) = body.as_object_mut() {
            body.insert("description".to_owned(), json!(description));
        }
    }

    fn responses(&mut self, path: &str, method: &str, facts: &Facts, operation: &mut Map<String, Value>) {
        let given = match operation.remove("responses") {
            Some(Value::Object(given)) => given,
            _ => Map::new(),
        };
        let mut responses: BTreeMap<String, Value> = given.into_iter().collect();
        if responses.is_empty() {
            responses.insert("default".to_owned(), json!({}));
        }
        for (status, response) in &mut responses {
            if response.get("$ref").is_none() {
                self.described_response(path, method, status, response);
            }
        }
        let answers = answers::of(self.kind, facts, &self.own.customized);
        let mut by_status: BTreeMap<&str, Vec<&Answer>> = BTreeMap::new();
        for answer in &answers {
            by_status.entry(&answer.status).or_default().push(answer);
        }
        for (status, answers) in by_status {
            let is_alone = !responses.contains_key(status);
            let response = responses
                .entry(status.to_owned())
                .or_insert_with(|| json!({ "description": answers::description(status, &answers) }));
            if response.get("$ref").is_none() {
                self.also_by_itself(response, &answers, is_alone);
            }
        }
        operation.insert("responses".to_owned(), responses.into_iter().collect());
    }

    fn described_response(&self, path: &str, method: &str, status: &str, response: &mut Value) {
        let at = Place {
            kind: "RESPONSE",
            path,
            method,
            name: "",
            status,
        };
        let given = response.get("description").and_then(Value::as_str);
        let given = given
            .filter(|text| !words::says_nothing(text, status))
            .map(str::to_owned);
        let description = given.or_else(|| self.own.parts.description(at)).unwrap_or_else(|| {
            let content = response.get("content").and_then(Value::as_object);
            let model = content.and_then(|content| content.values().find_map(own::model_of));
            let said = model.as_ref().and_then(|model| self.own.described.get(model));
            words::response(status, model.as_deref(), said.map(String::as_str))
        });
        let mut whole = Map::new();
        whole.insert("description".to_owned(), json!(description));
        for (key, value) in response
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| *key != "description")
        {
            whole.insert(key.clone(), value.clone());
        }
        for (name, header) in whole
            .get_mut("headers")
            .and_then(Value::as_object_mut)
            .into_iter()
            .flatten()
        {
            if header.get("description").is_none() && header.get("$ref").is_none() {
                let said = self.own.parts.description(Place {
                    kind: "RESPONSE_HEADER",
                    name,
                    ..at
                });
                header["description"] = json!(said.unwrap_or_else(|| words::header(name, None)));
            }
        }
        *response = Value::Object(whole);
    }

    /// A response's bodies with those that API Gateway answers by itself: either, where they differ. Only where no
    /// others are (`is_alone`) their headers are always the same.
    fn also_by_itself(&mut self, response: &mut Value, answers: &[&Answer], is_alone: bool) {
        let mut bodies: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for answer in answers {
            for (content, schema) in &answer.bodies {
                let named = self.named(schema);
                let all = bodies.entry(content).or_default();
                if !all.contains(&named) {
                    all.push(named);
                }
            }
            for (name, value) in &answer.headers {
                let headers = response.get("headers").and_then(Value::as_object);
                let is_there = headers.is_some_and(|all| all.keys().any(|other| other.eq_ignore_ascii_case(name)));
                let value = value.as_deref().filter(|_| is_alone);
                if !is_there && !name.eq_ignore_ascii_case("Content-Type") {
                    let description = words::header(name, value);
                    response["headers"][name.as_str()] =
                        json!({ "description": description, "schema": { "type": "string" } });
                }
            }
        }
        for (content, own) in bodies {
            let given = response
                .get("content")
                .and_then(|all| all.get(content)?.get("schema"))
                .cloned();
            let mut all: Vec<Value> = given.into_iter().collect();
            for one in own {
                let known = |given: &Value| *given == one || self.covers(given, &one);
                if !all.iter().any(known) {
                    all.push(one);
                }
            }
            let schema = match all.as_slice() {
                [one] => one.clone(),
                _ => json!({ "anyOf": all }),
            };
            response["content"][content]["schema"] = schema;
        }
    }

    /// A schema by its name: that of a model that is the same, or one that is made for it.
    fn named(&mut self, schema: &Value) -> Value {
        if schema.as_object().is_none_or(Map::is_empty) {
            return schema.clone();
        }
        let bare = bare(schema);
        let known = self.schemas.iter().find(|(_, known)| self::bare(known) == bare);
        let name = known.map(|(name, _)| name.clone()).unwrap_or_else(|| {
            let mut name = "GatewayAnswer".to_owned();
            let mut more = 2;
            while self.schemas.contains_key(&name) {
                name = format!("GatewayAnswer{more}");
                more += 1;
            }
            let mut schema = schema.clone();
            schema["description"] = json!("What API Gateway answers by itself.");
            self.schemas.insert(name.clone(), schema);
            name
        });
        json!({ "$ref": format!("{}{name}", schema::SCHEMAS) })
    }

    /// Whether whatever is of the second schema is of the first one, too, as far as the names of properties tell.
    fn covers(&self, given: &Value, other: &Value) -> bool {
        let resolved = |schema: &Value| {
            let name = schema
                .get("$ref")
                .and_then(|name| name.as_str()?.strip_prefix(schema::SCHEMAS));
            name.and_then(|name| self.schemas.get(name)).unwrap_or(schema).clone()
        };
        let (given, other) = (resolved(given), resolved(other));
        if given.as_object().is_some_and(Map::is_empty) {
            return true;
        }
        let properties = |schema: &Value| {
            schema
                .get("properties")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default()
        };
        let required = given
            .get("required")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let (ours, theirs) = (properties(&given), properties(&other));
        let closed = given.get("additionalProperties").is_some_and(|more| *more == false);
        given.get("type").is_some_and(|kind| kind == "object")
            && ["allOf", "oneOf", "anyOf", "not", "enum"]
                .iter()
                .all(|key| given.get(key).is_none())
            && required
                .iter()
                .all(|name| name.as_str().is_some_and(|name| theirs.contains_key(name)))
            && theirs.iter().all(|(name, schema)| match ours.get(name) {
                Some(own) => bare(own) == bare(schema) || *own == json!({}),
                None => !closed,
            })
    }

    /// The schemas and the security schemes that are used.
    fn components(&mut self, paths: &Value) -> Map<String, Value> {
        let mut components = Map::new();
        let mut open = Vec::new();
        schema::references(paths, &mut open);
        let mut used: BTreeMap<String, Value> = BTreeMap::new();
        while let Some(name) = open.pop() {
            if used.contains_key(&name) {
                continue;
            }
            let found = self.schemas.get(&name).cloned().or_else(|| given_by_default(&name));
            let mut schema = found.unwrap_or_else(|| {
                self.warnings.push(format!(
                    "nothing tells what the model {name} is: it may be anything in the document"
                ));
                json!({ "description": "Nothing tells what it is." })
            });
            if let (Some(text), Value::Object(map)) = (self.own.described.get(&name), &mut schema) {
                map.entry("description").or_insert_with(|| json!(text));
            }
            schema::references(&schema, &mut open);
            used.insert(name, schema);
        }
        if !used.is_empty() {
            components.insert("schemas".to_owned(), used.into_iter().collect());
        }
        let mut names = BTreeSet::new();
        for operation in paths
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(_, item)| item.as_object())
            .flatten()
        {
            names.extend(requirement(operation.1.get("security")).keys().cloned());
        }
        let schemes = names.into_iter().map(|name| {
            let scheme = self.schemes.get(&name).map(|scheme| whole_scheme(scheme, None));
            let scheme = scheme.unwrap_or_else(|| match name.as_str() {
                own::SIGV4 => own::sigv4(),
                own::API_KEY => own::api_key(),
                _ => json!({ "type": "apiKey", "name": "Authorization", "in": "header" }),
            });
            (name, scheme)
        });
        let schemes: Map<String, Value> = schemes.collect();
        if !schemes.is_empty() {
            components.insert("securitySchemes".to_owned(), Value::Object(schemes));
        }
        components
    }
}

/// Marks, until an operation is finished, that a parameter of its path takes all the rest; its value is the path as API
/// Gateway has it.
const REST_OF_PATH: &str = "x-amazon-apigateway-path";

/// The method as names have it.
fn method_name(method: &str) -> &str {
    if method == ANY_METHOD { "any" } else { method }
}

/// Headers that OpenAPI has other words for: a parameter for them counts for nothing.
/// <https://spec.openapis.org/oas/v3.0.3#parameter-object>
fn is_said_otherwise(header: &str) -> bool {
    let others = ["accept", "content-type", "authorization"];
    others.iter().any(|other| header.eq_ignore_ascii_case(other))
}

/// Whether two paths differ in their parameters' names alone.
fn same_paths(one: &str, other: &str) -> bool {
    let (one, other): (Vec<&str>, Vec<&str>) = (one.split('/').collect(), other.split('/').collect());
    let is_parameter = |part: &str| part.starts_with('{');
    one.len() == other.len()
        && one
            .iter()
            .zip(&other)
            .all(|(one, other)| one == other || is_parameter(one) && is_parameter(other))
}

/// Whether a schema says no more than a type.
fn is_bare(schema: &Value) -> bool {
    schema.as_object().is_some_and(|map| map.len() == 1)
}

/// A schema without what says nothing of what fits it.
fn bare(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(bare).collect(),
        Value::Object(map) => {
            let counts = |key: &str| !matches!(key, "title" | "description" | "example");
            let inner = map
                .iter()
                .filter(|(key, value)| value.is_object() || value.is_array() || counts(key));
            Value::Object(inner.map(|(key, value)| (key.clone(), bare(value))).collect())
        }
        other => other.clone(),
    }
}

/// All that a caller needs: of API Gateway's requirements each has to be met, where OpenAPI's list means any of them.
fn requirement(security: Option<&Value>) -> Map<String, Value> {
    let all = security.and_then(Value::as_array).into_iter().flatten();
    let all = all.filter_map(Value::as_object).flatten();
    all.map(|(name, scopes)| (name.clone(), scopes.clone())).collect()
}

/// The models that each REST API has from its beginning.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-method-settings.html>
fn given_by_default(name: &str) -> Option<Value> {
    match name {
        "Empty" => Some(json!({ "title": "Empty Schema", "type": "object", "description": "Anything." })),
        "Error" => Some(json!({
            "title": "Error Schema", "type": "object", "description": "What went wrong.",
            "properties": { "message": { "type": "string" } },
        })),
        _ => None,
    }
}

/// A scheme that OpenAPI takes. API Gateway's exports have authorizers of tokens as `oauth2` without any flow.
fn whole_scheme(exported: &Value, ours: Option<&Value>) -> Value {
    let kind = exported.get("type").and_then(Value::as_str).unwrap_or_default();
    let has = |key: &str| exported.get(key).is_some_and(|value| !value.is_null());
    let is_whole = match kind {
        "apiKey" => has("name") && has("in") && exported["name"] != "Unused",
        "http" => has("scheme"),
        "oauth2" => exported
            .get("flows")
            .and_then(Value::as_object)
            .is_some_and(|flows| !flows.is_empty()),
        "openIdConnect" => has("openIdConnectUrl"),
        _ => false,
    };
    let mut whole = match (is_whole, ours) {
        (true, _) => exported.clone(),
        (false, Some(ours)) => ours.clone(),
        (false, None) if kind == "apiKey" => {
            json!({ "type": "apiKey", "name": "Authorization", "in": "header" })
        }
        (false, None) => json!({ "type": "http", "scheme": "bearer" }),
    };
    if let Value::Object(whole) = &mut whole {
        for (key, value) in exported.as_object().into_iter().flatten() {
            if key.starts_with("x-") {
                whole.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        let said = ours.and_then(|ours| ours.get("description")).cloned();
        whole
            .entry("description")
            .or_insert_with(|| said.unwrap_or_else(|| json!("What API Gateway asks a caller for.")));
    }
    whole
}

/// An operation as it is exported, with what only the template says.
fn merged(exported: Operation, own: &Operation) -> Operation {
    let mut value = exported.value;
    for (key, said) in &own.value {
        match key.as_str() {
            "parameters" => {
                let given = value.entry("parameters").or_insert_with(|| json!([]));
                merge_parameters(given, said);
            }
            "responses" => merge_responses(&mut value, said),
            "requestBody" => match value.get_mut("requestBody") {
                Some(Value::Object(given)) => add_missing(given, said),
                _ => {
                    value.insert(key.clone(), said.clone());
                }
            },
            // What is needed all at once stands in exports as if any of it would do.
            "security" => {
                value.insert(key.clone(), said.clone());
            }
            _ => {
                value.entry(key.clone()).or_insert_with(|| said.clone());
            }
        }
    }
    Operation {
        value,
        facts: own.facts,
    }
}

fn merge_parameters(given: &mut Value, said: &Value) {
    let Value::Array(given) = given else { return };
    let key = |parameter: &Value| (parameter.get("in").cloned(), parameter.get("name").cloned());
    for parameter in said.as_array().into_iter().flatten() {
        match given.iter_mut().find(|found| key(found) == key(parameter)) {
            Some(Value::Object(found)) => {
                add_missing(found, parameter);
                // An export knows no more of it than that it is a text.
                if found.get("schema").is_some_and(is_bare)
                    && let Some(schema) = parameter.get("schema")
                {
                    found.insert("schema".to_owned(), schema.clone());
                }
            }
            _ => given.push(parameter.clone()),
        }
    }
}

fn merge_responses(value: &mut Map<String, Value>, said: &Value) {
    let said = said.as_object().cloned().unwrap_or_default();
    let given = match value.remove("responses") {
        Some(Value::Object(given)) => given,
        _ => Map::new(),
    };
    // Where no response is declared, an exporter may have made one up.
    let is_made_up = |status: &str, response: &Value| {
        let text = response.get("description").and_then(Value::as_str).unwrap_or_default();
        words::says_nothing(text, status) && response.get("content").is_none() && response.get("headers").is_none()
    };
    let mut responses: Map<String, Value> = given
        .into_iter()
        .filter(|(status, response)| said.contains_key(status) || !is_made_up(status, response))
        .collect();
    for (status, response) in said {
        match responses.get_mut(&status) {
            Some(Value::Object(found)) => {
                let text = found.get("description").and_then(Value::as_str).unwrap_or_default();
                if words::says_nothing(text, &status) {
                    found.remove("description");
                }
                add_missing(found, &response);
            }
            _ => {
                responses.insert(status, response);
            }
        }
    }
    value.insert("responses".to_owned(), Value::Object(responses));
}

/// Adds what isn't there, within maps as well; what is there stays.
fn add_missing(given: &mut Map<String, Value>, said: &Value) {
    for (key, value) in said.as_object().into_iter().flatten() {
        match given.get_mut(key) {
            // A schema is one thing.
            Some(Value::Object(inner)) if key != "schema" => add_missing(inner, value),
            Some(_) => {}
            None => {
                given.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Takes out what is API Gateway's own, but for how signatures are made.
fn without_extensions(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_extensions),
        Value::Object(map) => {
            map.retain(|key, _| !key.starts_with(EXTENSION) || key == AUTHTYPE);
            map.values_mut().for_each(without_extensions);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
