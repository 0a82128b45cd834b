//! What a template's documentation parts say of an API's parts, by API Gateway's own rules.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-documenting-api-content-representation.html>

use serde_json::{Map, Value};

/// One thing that is described.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place<'a> {
    /// Such as `QUERY_PARAMETER`.
    pub kind: &'a str,
    /// The path; "" for what has none.
    pub path: &'a str,
    /// The method.
    pub method: &'a str,
    /// The parameter's, header's or model's name.
    pub name: &'a str,
    /// A response's status.
    pub status: &'a str,
}

/// A part: where it is about, and what it says.
#[derive(Debug, Clone)]
struct Part {
    kind: String,
    path: String,
    method: String,
    name: String,
    status: String,
    says: Map<String, Value>,
}

/// All of an API.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts(Vec<Part>);

impl Parts {
    /// Takes on a part whose `Location` and `Properties` these are, as far as they can be told.
    pub(super) fn add(&mut self, location: &Value, properties: &Value) {
        // A JSON text, or what YAML makes of it.
        let says = match properties {
            Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
            other => other.clone(),
        };
        let Value::Object(says) = says else { return };
        let at = |key: &str, otherwise: &str| {
            let said = location.get(key).and_then(Value::as_str);
            said.filter(|text| !text.is_empty()).unwrap_or(otherwise).to_owned()
        };
        self.0.push(Part {
            kind: at("Type", ""),
            path: at("Path", "/"),
            method: at("Method", "*").to_uppercase(),
            name: at("Name", ""),
            status: at("StatusCode", "*"),
            says,
        });
    }

    /// What is said of something: by the part that is nearest to it.
    pub(super) fn of(&self, place: Place<'_>) -> Option<&Map<String, Value>> {
        // These are about themselves alone; what others say holds for what lies below as well.
        let is_inherited = !matches!(place.kind, "API" | "AUTHORIZER" | "MODEL" | "RESOURCE");
        let is_of = |part: &&Part| {
            let fits = |said: &str, is: &str| said == "*" || said.eq_ignore_ascii_case(is);
            let is_above = part.path == "/" || place.path.starts_with(&format!("{}/", part.path.trim_end_matches('/')));
            part.kind == place.kind
                && part.name == place.name
                && (part.path == place.path || place.path.is_empty() || is_inherited && is_above)
                && fits(&part.method, place.method)
                && fits(&part.status, place.status)
        };
        let found = self.0.iter().filter(is_of);
        let found = found.max_by_key(|part| (part.path.len(), part.status != "*", part.method != "*"));
        found.map(|part| &part.says)
    }

    /// The description of something.
    pub(super) fn description(&self, place: Place<'_>) -> Option<String> {
        let text = self.of(place)?.get("description")?.as_str()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_nearest_part_speaks() {
        let mut parts = Parts::default();
        let mut add = |location: Value, text: &str| {
            parts.add(&location, &json!(json!({ "description": text }).to_string()));
        };
        add(json!({ "Type": "RESPONSE", "StatusCode": "400" }), "invalid");
        add(
            json!({ "Type": "RESPONSE", "Path": "/pets", "StatusCode": "400" }),
            "invalid pet",
        );
        add(json!({ "Type": "RESPONSE", "Path": "/pets" }), "any");
        add(json!({ "Type": "METHOD", "Path": "/pets", "Method": "GET" }), "lists");
        add(json!({ "Type": "RESOURCE", "Path": "/pets" }), "the pets");
        add(json!({ "Type": "MODEL", "Name": "Pet" }), "a pet");
        let told =
            |kind: &'static str, path: &'static str, method: &'static str, name: &'static str, status: &'static str| {
                let place = Place {
                    kind,
                    path,
                    method,
                    name,
                    status,
                };
                parts.description(place)
            };
        assert_eq!(told("RESPONSE", "/x", "GET", "", "400").as_deref(), Some("invalid"));
        assert_eq!(
            told("RESPONSE", "/pets/{id}", "GET", "", "400").as_deref(),
            Some("invalid pet")
        );
        assert_eq!(told("RESPONSE", "/pets", "GET", "", "404").as_deref(), Some("any"));
        assert_eq!(told("RESPONSE", "/petshop", "GET", "", "404"), None);
        assert_eq!(told("METHOD", "/pets/{id}", "GET", "", "").as_deref(), Some("lists"));
        assert_eq!(told("METHOD", "/pets", "POST", "", ""), None);
        assert_eq!(told("RESOURCE", "/pets/{id}", "", "", ""), None);
        assert_eq!(told("MODEL", "", "", "Pet", "").as_deref(), Some("a pet"));
        assert_eq!(told("MODEL", "", "", "Other", ""), None);
    }
}
