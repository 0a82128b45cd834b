//! OpenAPI 3.0 as Swagger 2.0, and the other way round: the same contract in another generation's words.
//! <https://spec.openapis.org/oas/v2.0>

use serde_json::{Map, Value, json};

use super::schema::SCHEMAS;
use super::{METHODS, words};

/// Where a document of Swagger 2 has its schemas.
const DEFINITIONS: &str = "#/definitions/";

/// A document of OpenAPI 3.0 as Swagger 2.0, and what of it Swagger has no word for, a sentence each.
pub(super) fn down(document: &Value) -> (Value, Vec<String>) {
    let mut writer = Writer { warnings: Vec::new() };
    let mut result = json!({ "swagger": "2.0", "info": document["info"] });
    let url = document["servers"][0]["url"].as_str().unwrap_or_default();
    if let Some((scheme, rest)) = url.split_once("://") {
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        result["host"] = json!(host);
        result["basePath"] = json!(format!("/{path}"));
        result["schemes"] = json!([scheme]);
    }
    let mut paths = Map::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        // What is said of the path itself, Swagger 2 has no place for.
        let operations = item
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, operation)| operation.is_object());
        let operations = operations.map(|(method, operation)| (method.clone(), writer.operation(operation)));
        paths.insert(path.clone(), Value::Object(operations.collect()));
    }
    result["paths"] = Value::Object(paths);
    let components = &document["components"];
    let schemas = components
        .get("schemas")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let schemas = schemas.map(|(name, schema)| (name.clone(), writer.schema(schema)));
    let schemas: Map<String, Value> = schemas.collect();
    if !schemas.is_empty() {
        result["definitions"] = Value::Object(schemas);
    }
    let schemes = components
        .get("securitySchemes")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let schemes = schemes.map(|(name, scheme)| (name.clone(), writer.scheme(name, scheme)));
    let schemes: Map<String, Value> = schemes.collect();
    if !schemes.is_empty() {
        result["securityDefinitions"] = Value::Object(schemes);
    }
    without_scopes(&mut result, components);
    writer.warnings.sort();
    writer.warnings.dedup();
    (result, writer.warnings)
}

/// Requirements name scopes of `oauth2` alone.
fn without_scopes(document: &mut Value, components: &Value) {
    let is_flow = |name: &str| components["securitySchemes"][name]["type"] == "oauth2";
    for item in document["paths"]
        .as_object_mut()
        .into_iter()
        .flatten()
        .map(|(_, item)| item)
    {
        for operation in item
            .as_object_mut()
            .into_iter()
            .flatten()
            .map(|(_, operation)| operation)
        {
            let security = operation.get_mut("security").and_then(Value::as_array_mut);
            for (name, scopes) in security
                .into_iter()
                .flatten()
                .filter_map(Value::as_object_mut)
                .flatten()
            {
                if !is_flow(name) {
                    *scopes = json!([]);
                }
            }
        }
    }
}

struct Writer {
    warnings: Vec<String>,
}

impl Writer {
    fn left_out(&mut self, what: &str) {
        self.warnings.push(format!("Swagger 2.0 has no {what}; it is left out"));
    }

    fn operation(&mut self, operation: &Value) -> Value {
        let mut result = Map::new();
        let mut parameters = Vec::new();
        for (key, value) in operation.as_object().into_iter().flatten() {
            match key.as_str() {
                "parameters" => {
                    let given = value.as_array().into_iter().flatten();
                    parameters.extend(given.map(|parameter| self.flat(parameter)));
                }
                "requestBody" => {
                    let content = value.get("content").and_then(Value::as_object);
                    let kinds: Vec<&String> = content.into_iter().flatten().map(|(kind, _)| kind).collect();
                    let schema = content.and_then(|content| preferred(content)?.get("schema"));
                    result.insert("consumes".to_owned(), json!(kinds));
                    let mut body = json!({ "name": "body", "in": "body" });
                    for key in ["description", "required"] {
                        if let Some(said) = value.get(key) {
                            body[key] = said.clone();
                        }
                    }
                    body["schema"] = schema.map_or_else(|| json!({}), |schema| self.schema(schema));
                    parameters.push(body);
                }
                "responses" => {
                    let mut kinds: Vec<String> = Vec::new();
                    let responses = value.as_object().into_iter().flatten();
                    let responses = responses.map(|(status, response)| {
                        let content = response.get("content").and_then(Value::as_object);
                        kinds.extend(content.into_iter().flatten().map(|(kind, _)| kind.clone()));
                        (status.clone(), self.response(response))
                    });
                    let responses: Map<String, Value> = responses.collect();
                    kinds.sort();
                    kinds.dedup();
                    if !kinds.is_empty() {
                        result.insert("produces".to_owned(), json!(kinds));
                    }
                    result.insert(key.clone(), Value::Object(responses));
                }
                "servers" | "callbacks" => self.left_out(&format!("`{key}` of an operation")),
                _ => {
                    result.insert(key.clone(), value.clone());
                }
            }
        }
        if !parameters.is_empty() {
            result.insert("parameters".to_owned(), Value::Array(parameters));
        }
        Value::Object(result)
    }

    fn response(&mut self, response: &Value) -> Value {
        let mut result = Map::new();
        for (key, value) in response.as_object().into_iter().flatten() {
            match key.as_str() {
                "content" => {
                    let schema = value.as_object().and_then(|content| preferred(content)?.get("schema"));
                    if let Some(schema) = schema {
                        result.insert("schema".to_owned(), self.schema(schema));
                    }
                }
                "headers" => {
                    let headers = value.as_object().into_iter().flatten();
                    let headers = headers.map(|(name, header)| (name.clone(), self.flat(header)));
                    result.insert(key.clone(), Value::Object(headers.collect()));
                }
                "links" => self.left_out("`links`"),
                _ => {
                    result.insert(key.clone(), value.clone());
                }
            }
        }
        Value::Object(result)
    }

    /// A parameter or a header, whose type stands in it itself.
    fn flat(&mut self, given: &Value) -> Value {
        let mut result = Map::new();
        for (key, value) in given.as_object().into_iter().flatten() {
            match key.as_str() {
                "schema" => {
                    let schema = self.schema(value);
                    let simple = schema.as_object().cloned().unwrap_or_default();
                    // Of anything else there is only text in a request's line and in headers.
                    let kind = simple
                        .get("type")
                        .and_then(Value::as_str)
                        .filter(|kind| *kind != "object");
                    result.insert("type".to_owned(), json!(kind.unwrap_or("string")));
                    for (key, value) in simple {
                        let counts = !matches!(
                            key.as_str(),
                            "type" | "title" | "description" | "example" | "$ref" | "allOf" | "properties"
                        );
                        if counts {
                            result.insert(key, value);
                        }
                    }
                }
                "style" | "explode" | "example" | "examples" | "allowReserved" | "deprecated" | "content" => {}
                _ => {
                    result.insert(key.clone(), value.clone());
                }
            }
        }
        result.entry("type").or_insert_with(|| json!("string"));
        Value::Object(result)
    }

    fn schema(&mut self, schema: &Value) -> Value {
        match schema {
            Value::Array(items) => items.iter().map(|item| self.schema(item)).collect(),
            Value::Object(map) => {
                let mut result = Map::new();
                for (key, value) in map {
                    match key.as_str() {
                        "$ref" => {
                            let name = value.as_str().and_then(|name| name.strip_prefix(SCHEMAS));
                            let target =
                                name.map_or_else(|| value.clone(), |name| json!(format!("{DEFINITIONS}{name}")));
                            result.insert(key.clone(), target);
                        }
                        "nullable" => {
                            result.insert("x-nullable".to_owned(), value.clone());
                        }
                        "anyOf" | "oneOf" | "not" => {
                            self.left_out(&format!("`{key}`, so what it says may be anything"));
                        }
                        "writeOnly" | "deprecated" => {}
                        "discriminator" => {
                            if let Some(name) = value.get("propertyName") {
                                result.insert(key.clone(), name.clone());
                            }
                        }
                        "enum" | "default" | "example" | "required" => {
                            result.insert(key.clone(), value.clone());
                        }
                        "properties" => {
                            let properties = value.as_object().into_iter().flatten();
                            let properties = properties.map(|(name, schema)| (name.clone(), self.schema(schema)));
                            result.insert(key.clone(), Value::Object(properties.collect()));
                        }
                        _ => {
                            result.insert(key.clone(), self.schema(value));
                        }
                    }
                }
                Value::Object(result)
            }
            other => other.clone(),
        }
    }

    fn scheme(&mut self, name: &str, scheme: &Value) -> Value {
        let kind = scheme.get("type").and_then(Value::as_str).unwrap_or_default();
        let basic = kind == "http" && scheme.get("scheme").is_some_and(|scheme| *scheme == "basic");
        let place = scheme.get("in").and_then(Value::as_str).unwrap_or_default();
        let mut result = match kind {
            "apiKey" if place != "cookie" => return scheme.clone(),
            "http" if basic => json!({ "type": "basic" }),
            // A token in its header is all that there is for it.
            "http" | "openIdConnect" => json!({ "type": "apiKey", "name": "Authorization", "in": "header" }),
            _ => {
                self.left_out(&format!(
                    "word for how `{name}` is asked for, so a header stands for it"
                ));
                json!({ "type": "apiKey", "name": "Authorization", "in": "header" })
            }
        };
        let issuer = scheme.get("openIdConnectUrl").and_then(Value::as_str);
        let said = scheme.get("description").and_then(Value::as_str).map(words::sentence);
        let issuer = issuer.map(|url| format!("See {url} ."));
        let text: Vec<String> = said.into_iter().chain(issuer).collect();
        if !text.is_empty() {
            result["description"] = json!(text.join(" "));
        }
        for (key, value) in scheme
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| key.starts_with("x-"))
        {
            result[key.as_str()] = value.clone();
        }
        result
    }
}

/// Of several contents the one that is JSON, as of several bodies only one can be described.
fn preferred(content: &Map<String, Value>) -> Option<&Value> {
    let json = content.iter().find(|(kind, _)| kind.contains("json"));
    json.or_else(|| content.iter().next()).map(|(_, value)| value)
}

/// A document of Swagger 2.0, as a template may have one, as OpenAPI 3.0.
pub(super) fn up(document: &Value) -> Value {
    let list = |value: Option<&Value>| -> Vec<String> {
        let items = value.and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let consumes = list(document.get("consumes"));
    let produces = list(document.get("produces"));
    let or_json = |kinds: Vec<String>, common: &[String]| {
        let kinds = if kinds.is_empty() { common.to_vec() } else { kinds };
        if kinds.is_empty() {
            vec!["application/json".to_owned()]
        } else {
            kinds
        }
    };
    let mut paths = Map::new();
    for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        let mut operations = Map::new();
        let common = item
            .get("parameters")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        for (method, operation) in item.as_object().into_iter().flatten() {
            if !METHODS.contains(&method.as_str()) && method != super::ANY_METHOD {
                continue;
            }
            let mut result = operation.as_object().cloned().unwrap_or_default();
            let taken = or_json(list(result.remove("consumes").as_ref()), &consumes);
            let given = or_json(list(result.remove("produces").as_ref()), &produces);
            let mut parameters = Vec::new();
            let own = result.remove("parameters");
            let own = own.as_ref().and_then(Value::as_array).into_iter().flatten();
            for parameter in common.iter().chain(own) {
                let Value::Object(mut parameter) = resolved(document, parameter) else {
                    continue;
                };
                if parameter.get("in").is_some_and(|place| place == "body") {
                    let schema = parameter.remove("schema").unwrap_or_else(|| json!({}));
                    let contents = taken.iter().map(|kind| (kind.clone(), json!({ "schema": schema })));
                    let contents: Map<String, Value> = contents.collect();
                    parameter.remove("name");
                    parameter.remove("in");
                    parameter.insert("content".to_owned(), Value::Object(contents));
                    result.insert("requestBody".to_owned(), Value::Object(parameter));
                } else {
                    parameters.push(raised(parameter));
                }
            }
            if !parameters.is_empty() {
                result.insert("parameters".to_owned(), Value::Array(parameters));
            }
            for (_, response) in result
                .get_mut("responses")
                .and_then(Value::as_object_mut)
                .into_iter()
                .flatten()
            {
                *response = resolved(document, response);
                let Value::Object(response) = response else { continue };
                if let Some(schema) = response.remove("schema") {
                    let contents = given.iter().map(|kind| (kind.clone(), json!({ "schema": schema })));
                    response.insert("content".to_owned(), Value::Object(contents.collect()));
                }
                for (_, header) in response
                    .get_mut("headers")
                    .and_then(Value::as_object_mut)
                    .into_iter()
                    .flatten()
                {
                    *header = raised(header.as_object().cloned().unwrap_or_default());
                }
            }
            operations.insert(method.clone(), Value::Object(result));
        }
        paths.insert(path.clone(), Value::Object(operations));
    }
    let part = |name: &str| document.get(name).cloned().unwrap_or_else(|| json!({}));
    let mut result = json!({
        "openapi": super::VERSION, "info": part("info"), "paths": paths,
        "components": { "schemas": part("definitions"), "securitySchemes": part("securityDefinitions") },
    });
    if let Some(security) = document.get("security") {
        result["security"] = security.clone();
    }
    renamed(&mut result);
    result
}

/// What a reference in the document leads to: parameters and responses that several operations share.
fn resolved(document: &Value, value: &Value) -> Value {
    let target = value.get("$ref").and_then(Value::as_str);
    let target = target.and_then(|target| document.pointer(target.strip_prefix('#')?));
    target.unwrap_or(value).clone()
}

/// A parameter or a header with its type in a schema.
fn raised(given: Map<String, Value>) -> Value {
    let mut result = Map::new();
    let mut schema = Map::new();
    for (key, value) in given {
        match key.as_str() {
            "name" | "in" | "required" | "description" => {
                result.insert(key, value);
            }
            "collectionFormat" | "allowEmptyValue" => {}
            _ if key.starts_with("x-") => {
                result.insert(key, value);
            }
            _ => {
                schema.insert(key, value);
            }
        }
    }
    result.insert("schema".to_owned(), Value::Object(schema));
    Value::Object(result)
}

fn renamed(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(renamed),
        Value::Object(map) => {
            let target = map
                .get("$ref")
                .and_then(|name| name.as_str()?.strip_prefix(DEFINITIONS));
            if let Some(name) = target {
                let name = format!("{SCHEMAS}{name}");
                map.insert("$ref".to_owned(), json!(name));
            }
            map.values_mut().for_each(renamed);
        }
        _ => {}
    }
}
