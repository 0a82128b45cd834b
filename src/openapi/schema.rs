//! Models of API Gateway, which are JSON Schema of draft 4, as schemas of OpenAPI 3.0, which is another dialect of it.
//! <https://spec.openapis.org/oas/v3.0.3#schema-object>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html>

use serde_json::{Map, Value, json};

/// Where a document of OpenAPI 3 has its schemas.
pub(super) const SCHEMAS: &str = "#/components/schemas/";

/// A model as OpenAPI has it.
#[derive(Debug, Default)]
pub(super) struct Converted {
    /// The schema.
    pub schema: Value,
    /// What stood in its `definitions`, by names of their own: OpenAPI has no such place in a schema.
    pub definitions: Vec<(String, Value)>,
    /// What OpenAPI has no word for, a sentence each.
    pub warnings: Vec<String>,
}

/// The model `name` with this schema.
pub(super) fn converted(name: &str, schema: &Value) -> Converted {
    let mut reader = Reader {
        model: name,
        warnings: Vec::new(),
    };
    let definitions = schema.get("definitions").and_then(Value::as_object);
    let definitions = definitions.into_iter().flatten();
    let definitions = definitions.map(|(inner, schema)| (hoisted(name, inner), reader.schema(schema)));
    let definitions: Vec<(String, Value)> = definitions.collect();
    let schema = reader.schema(schema);
    reader.warnings.sort();
    reader.warnings.dedup();
    Converted {
        schema,
        definitions,
        warnings: reader.warnings,
    }
}

/// What a definition in a model is called beside the models.
fn hoisted(model: &str, definition: &str) -> String {
    component_name(&format!("{model}_{definition}"))
}

/// A name that OpenAPI takes for a component.
pub(super) fn component_name(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    name.chars().map(|c| if allowed(c) { c } else { '_' }).collect()
}

/// The names of the schemas that a value refers to.
pub(super) fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(map) => {
            if let Some(name) = map.get("$ref").and_then(|name| name.as_str()?.strip_prefix(SCHEMAS)) {
                found.push(name.split('/').next().unwrap_or_default().to_owned());
            }
            map.values().for_each(|inner| references(inner, found));
        }
        _ => {}
    }
}

/// What means the same in both.
const SAME: &[&str] = &[
    "title",
    "multipleOf",
    "maximum",
    "minimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxProperties",
    "minProperties",
    "description",
    "format",
    "default",
    "example",
    "nullable",
    "readOnly",
    "writeOnly",
    "deprecated",
    "discriminator",
    "xml",
    "externalDocs",
    "enum",
];

/// What says something of the schema itself, and nothing of what fits it.
const SILENT: &[&str] = &["$schema", "id", "$id", "$comment", "definitions"];

/// Keywords whose values are numbers, which CloudFormation's parameters give as text.
const NUMBERS: &[&str] = &[
    "multipleOf",
    "maximum",
    "minimum",
    "maxLength",
    "minLength",
    "maxItems",
    "minItems",
    "maxProperties",
    "minProperties",
];

struct Reader<'a> {
    model: &'a str,
    warnings: Vec<String>,
}

impl Reader<'_> {
    fn left_out(&mut self, what: &str) {
        self.warnings.push(format!(
            "the model {}: OpenAPI 3.0 has no {what}; it is left out",
            self.model
        ));
    }

    fn schema(&mut self, schema: &Value) -> Value {
        let Value::Object(map) = schema else {
            // Later drafts have schemas that all or nothing fits.
            return if *schema == false {
                json!({ "not": {} })
            } else {
                json!({})
            };
        };
        if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
            let target = self.reference(reference);
            // Nothing beside a reference counts in OpenAPI 3.0.
            let Some(description) = map.get("description") else {
                return target;
            };
            return json!({ "allOf": [target], "description": description });
        }
        let mut result = Map::new();
        for (key, value) in map {
            self.keyword(key, value, map, &mut result);
        }
        if result.get("type").is_some_and(|kind| kind == "array") && !result.contains_key("items") {
            result.insert("items".to_owned(), json!({}));
        }
        let allows_null = |values: &Value| values.as_array().is_some_and(|values| values.contains(&Value::Null));
        if result.get("enum").is_some_and(allows_null) {
            result.insert("nullable".to_owned(), json!(true));
        }
        Value::Object(result)
    }

    fn keyword(&mut self, key: &str, value: &Value, all: &Map<String, Value>, result: &mut Map<String, Value>) {
        let mut put = |key: &str, value: Value| {
            result.insert(key.to_owned(), value);
        };
        match key {
            "type" => self.kind(value, result),
            _ if NUMBERS.contains(&key) => put(key, number(value)),
            _ if SAME.contains(&key) || key.starts_with("x-") => put(key, value.clone()),
            _ if SILENT.contains(&key) => {}
            // A number, as later drafts have it, is the limit itself.
            "exclusiveMinimum" | "exclusiveMaximum" => match value {
                Value::Bool(_) => put(key, value.clone()),
                limit => {
                    put(
                        if key == "exclusiveMinimum" {
                            "minimum"
                        } else {
                            "maximum"
                        },
                        number(limit),
                    );
                    put(key, json!(true));
                }
            },
            "const" => put("enum", json!([value])),
            "examples" => {
                let first = value.as_array().and_then(|examples| examples.first());
                if let Some(first) = first.filter(|_| !all.contains_key("example")) {
                    put("example", first.clone());
                }
            }
            // An empty list is no list to either.
            "required" if value.as_array().is_none_or(Vec::is_empty) => {}
            "required" => put(key, value.clone()),
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                let properties = properties.map(|(name, schema)| (name.clone(), self.schema(schema)));
                let properties: Map<String, Value> = properties.collect();
                result.insert(key.to_owned(), Value::Object(properties));
            }
            "additionalProperties" => {
                let value = match value {
                    Value::Bool(_) => value.clone(),
                    schema => self.schema(schema),
                };
                result.insert(key.to_owned(), value);
            }
            "items" => {
                let value = match value {
                    Value::Array(each) => {
                        self.left_out("`items` that differ by their place");
                        let each: Vec<Value> = each.iter().map(|schema| self.schema(schema)).collect();
                        json!({ "anyOf": each })
                    }
                    schema => self.schema(schema),
                };
                result.insert(key.to_owned(), value);
            }
            "not" => {
                let schema = self.schema(value);
                result.insert(key.to_owned(), schema);
            }
            "allOf" | "anyOf" | "oneOf" => {
                let each = value.as_array().into_iter().flatten();
                let each: Vec<Value> = each.map(|schema| self.schema(schema)).collect();
                result.insert(key.to_owned(), Value::Array(each));
            }
            other => self.left_out(&format!("`{other}`")),
        }
    }

    /// A type, or one of several, of which `null` is a word of its own in OpenAPI 3.0.
    fn kind(&mut self, value: &Value, result: &mut Map<String, Value>) {
        let kinds: Vec<&str> = match value {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        let others: Vec<&str> = kinds.iter().copied().filter(|kind| *kind != "null").collect();
        if others.len() < kinds.len() {
            result.insert("nullable".to_owned(), json!(true));
        }
        match others.as_slice() {
            [] if kinds.is_empty() => {}
            [] => {
                result.insert("enum".to_owned(), json!([null]));
            }
            [one] => {
                result.insert("type".to_owned(), json!(one));
            }
            several => {
                let several: Vec<Value> = several
                    .iter()
                    .map(|kind| match *kind {
                        "array" => json!({ "type": "array", "items": {} }),
                        kind => json!({ "type": kind }),
                    })
                    .collect();
                result.insert("anyOf".to_owned(), Value::Array(several));
            }
        }
    }

    fn reference(&mut self, reference: &str) -> Value {
        let model = reference
            .split_once("/restapis/")
            .and_then(|(_, rest)| rest.split_once("/models/"))
            .map(|(_, name)| component_name(name));
        let own = || format!("{SCHEMAS}{}", component_name(self.model));
        let target = if let Some(name) = model {
            format!("{SCHEMAS}{name}")
        } else if reference.starts_with(SCHEMAS) {
            reference.to_owned()
        } else if let Some(inner) = reference.strip_prefix("#/definitions/") {
            format!("{SCHEMAS}{}", hoisted(self.model, inner))
        } else if reference == "#" {
            own()
        } else if let Some(inner) = reference.strip_prefix("#/") {
            format!("{}/{inner}", own())
        } else {
            self.left_out(&format!("way to `{reference}`"));
            return json!({});
        };
        json!({ "$ref": target })
    }
}

fn number(value: &Value) -> Value {
    let text = value.as_str();
    text.and_then(|text| serde_json::from_str(text).ok())
        .filter(Value::is_number)
        .unwrap_or_else(|| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(value: &Value) -> Value {
        let converted = converted("Order", value);
        assert_eq!(converted.warnings, Vec::<String>::new());
        converted.schema
    }

    #[test]
    fn what_both_have_stays_and_null_is_a_word_of_its_own() {
        let model = json!({
            "$schema": "http://json-schema.org/draft-04/schema#", "title": "Order", "type": "object", "required": ["id"],
            "properties": {
                "id": { "type": "string", "minLength": "1" },
                "note": { "type": ["string", "null"], "maxLength": 5 },
                "any": { "type": ["string", "array", "null"] },
                "none": { "type": "null" },
                "state": { "enum": ["open", null] },
                "lines": { "type": "array" },
                "price": { "type": "number", "minimum": 0, "exclusiveMinimum": true },
                "later": { "exclusiveMaximum": 5 },
                "one": { "const": 1 },
                "free": { "type": "object", "required": [], "additionalProperties": { "type": ["integer", "null"] } },
            },
        });
        let properties = json!({
            "id": { "type": "string", "minLength": 1 },
            "note": { "nullable": true, "type": "string", "maxLength": 5 },
            "any": { "nullable": true, "anyOf": [{ "type": "string" }, { "type": "array", "items": {} }] },
            "none": { "nullable": true, "enum": [null] },
            "state": { "enum": ["open", null], "nullable": true },
            "lines": { "type": "array", "items": {} },
            "price": { "type": "number", "minimum": 0, "exclusiveMinimum": true },
            "later": { "maximum": 5, "exclusiveMaximum": true },
            "one": { "enum": [1] },
            "free": { "type": "object", "additionalProperties": { "nullable": true, "type": "integer" } },
        });
        let expected = json!({ "title": "Order", "type": "object", "required": ["id"], "properties": properties });
        assert_eq!(schema(&model), expected);
    }

    #[test]
    fn references_lead_to_components() {
        let model = json!({
            "definitions": { "Line item": { "type": "object", "properties": { "order": { "$ref": "#" } } } },
            "properties": {
                "customer": { "$ref": "https://apigateway.amazonaws.com/restapis/abc123/models/Customer" },
                "buyer": { "$ref": "https://apigateway.amazonaws.com/restapis/abc123/models/Customer", "description": "Who pays." },
                "lines": { "items": { "$ref": "#/definitions/Line item" } },
                "same": { "$ref": "#/properties/lines" },
                "known": { "$ref": "#/components/schemas/Known" },
            },
        });
        let found = converted("Order", &model);
        let properties = &found.schema["properties"];
        assert_eq!(
            properties["customer"],
            json!({ "$ref": "#/components/schemas/Customer" })
        );
        assert_eq!(
            properties["buyer"],
            json!({ "allOf": [{ "$ref": "#/components/schemas/Customer" }], "description": "Who pays." })
        );
        assert_eq!(
            properties["lines"]["items"]["$ref"],
            "#/components/schemas/Order_Line_item"
        );
        assert_eq!(
            properties["same"]["$ref"],
            "#/components/schemas/Order/properties/lines"
        );
        assert_eq!(properties["known"]["$ref"], "#/components/schemas/Known");
        assert!(found.schema.get("definitions").is_none());
        assert_eq!(found.definitions[0].0, "Order_Line_item");
        assert_eq!(
            found.definitions[0].1["properties"]["order"]["$ref"],
            "#/components/schemas/Order"
        );
        let mut names = Vec::new();
        references(&found.schema, &mut names);
        assert_eq!(names, ["Customer", "Customer", "Order_Line_item", "Order", "Known"]);
    }

    #[test]
    fn what_openapi_has_no_word_for_is_told() {
        let model = json!({
            "patternProperties": { "^x": {} }, "dependencies": {}, "items": [{ "type": "string" }, true],
            "not": { "patternProperties": {} }, "allOf": [{ "$ref": "https://example.com/x.json" }],
        });
        let found = converted("Order", &model);
        assert_eq!(
            found.schema,
            json!({ "items": { "anyOf": [{ "type": "string" }, {}] }, "not": {}, "allOf": [{}] })
        );
        let told = |what: &str| format!("the model Order: OpenAPI 3.0 has no {what}; it is left out");
        assert_eq!(
            found.warnings,
            [
                told("`dependencies`"),
                told("`items` that differ by their place"),
                told("`patternProperties`"),
                told("way to `https://example.com/x.json`"),
            ]
        );
    }
}
