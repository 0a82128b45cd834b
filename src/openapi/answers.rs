//! What API Gateway answers by itself, before or after the integration is asked: part of the contract, since callers get it.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html>

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::words;
use crate::project::apis::ApiKind;

/// What decides what API Gateway answers to a caller of an operation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    /// A signature of IAM is wanted.
    pub iam: bool,
    /// A key is wanted.
    pub key: bool,
    /// An authorizer is asked.
    pub authorizer: bool,
    /// A validator looks at the parameters.
    pub validates_parameters: bool,
    /// A validator looks at the body.
    pub validates_body: bool,
    /// A body may be sent.
    pub has_body: bool,
    /// Nobody is asked: API Gateway makes the answer up.
    pub is_mock: bool,
}

/// An `AWS::ApiGateway::GatewayResponse`, as far as it can be told.
#[derive(Debug, Clone, Default)]
pub(super) struct Customized {
    /// Another status.
    pub status: Option<String>,
    /// Headers, with their values where those are constant.
    pub headers: BTreeMap<String, Option<String>>,
    /// Bodies by content type; none if only the headers are told.
    pub templates: BTreeMap<String, String>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// Its status.
    pub status: String,
    /// When it comes, as a part of a sentence.
    pub when: &'static str,
    /// Its headers, with their values where those are constant.
    pub headers: BTreeMap<String, Option<String>>,
    /// Schemas of its body, by content type.
    pub bodies: BTreeMap<String, Value>,
}

struct Kind {
    /// API Gateway's name for it.
    name: &'static str,
    status: &'static str,
    when: &'static str,
    comes: fn(&Facts) -> bool,
}

const REST: &[Kind] = &[
    Kind {
        name: "BAD_REQUEST_PARAMETERS",
        status: "400",
        when: "a parameter is missing that has to be there",
        comes: |facts| facts.validates_parameters,
    },
    Kind {
        name: "BAD_REQUEST_BODY",
        status: "400",
        when: "the body isn't what its model says",
        comes: |facts| facts.validates_body,
    },
    Kind {
        name: "UNAUTHORIZED",
        status: "401",
        when: "the caller says nothing of who it is, or nothing that the authorizer takes",
        comes: |facts| facts.authorizer,
    },
    Kind {
        name: "MISSING_AUTHENTICATION_TOKEN",
        status: "403",
        when: "the request isn't signed",
        comes: |facts| facts.iam,
    },
    Kind {
        name: "INVALID_SIGNATURE",
        status: "403",
        when: "its signature is wrong",
        comes: |facts| facts.iam,
    },
    Kind {
        name: "EXPIRED_TOKEN",
        status: "403",
        when: "what it is signed with has expired",
        comes: |facts| facts.iam,
    },
    Kind {
        name: "ACCESS_DENIED",
        status: "403",
        when: "the caller isn't allowed to",
        comes: |facts| facts.iam || facts.authorizer,
    },
    Kind {
        name: "INVALID_API_KEY",
        status: "403",
        when: "there is no API key, or one that isn't known",
        comes: |facts| facts.key,
    },
    Kind {
        name: "REQUEST_TOO_LARGE",
        status: "413",
        when: "the body is larger than 10 MB",
        comes: |facts| facts.has_body,
    },
    Kind {
        name: "QUOTA_EXCEEDED",
        status: "429",
        when: "the key has used up its quota",
        comes: |facts| facts.key,
    },
    Kind {
        name: "THROTTLED",
        status: "429",
        when: "there are more requests than the stage lets through",
        comes: |_| true,
    },
    Kind {
        name: "AUTHORIZER_FAILURE",
        status: "500",
        when: "the authorizer fails",
        comes: |facts| facts.authorizer,
    },
    Kind {
        name: "API_CONFIGURATION_ERROR",
        status: "500",
        when: "the integration isn't set up as it has to be",
        comes: |_| true,
    },
    Kind {
        name: "DEFAULT_5XX",
        status: "502",
        when: "the integration fails, or answers what can't be passed on",
        comes: |facts| !facts.is_mock,
    },
    Kind {
        name: "INTEGRATION_TIMEOUT",
        status: "504",
        when: "the integration doesn't answer in time",
        comes: |facts| !facts.is_mock,
    },
];

const HTTP: &[Kind] = &[
    Kind {
        name: "",
        status: "401",
        when: "the caller says nothing of who it is, or nothing that the authorizer takes",
        comes: |facts| facts.authorizer,
    },
    Kind {
        name: "",
        status: "403",
        when: "the caller isn't allowed to",
        comes: |facts| facts.iam || facts.authorizer,
    },
    Kind {
        name: "",
        status: "413",
        when: "the body is larger than 10 MB",
        comes: |facts| facts.has_body,
    },
    Kind {
        name: "",
        status: "429",
        when: "there are more requests than the stage lets through",
        comes: |_| true,
    },
    Kind {
        name: "",
        status: "500",
        when: "the integration fails, or answers what can't be passed on",
        comes: |_| true,
    },
    Kind {
        name: "",
        status: "503",
        when: "the integration doesn't answer in time",
        comes: |_| true,
    },
];

/// What API Gateway may answer by itself.
pub(super) fn of(kind: ApiKind, facts: &Facts, customized: &BTreeMap<String, Customized>) -> Vec<Answer> {
    let kinds = match kind {
        ApiKind::Rest => REST,
        ApiKind::Http => HTTP,
    };
    let kinds = kinds.iter().filter(|kind| (kind.comes)(facts));
    kinds
        .map(|kind| {
            let all = customized.get(if kind.status.starts_with('4') {
                "DEFAULT_4XX"
            } else {
                "DEFAULT_5XX"
            });
            let own = customized.get(kind.name);
            // Its own words count alone, but for the status, which the one for all gives as well. It can't be changed for the
            // largest bodies.
            let said = own.or(all).filter(|_| kind.name != "REQUEST_TOO_LARGE");
            let status = [own, all].into_iter().flatten().find_map(|one| one.status.clone());
            let templates = said.map(|said| &said.templates).filter(|all| !all.is_empty());
            let bodies = match templates {
                Some(templates) => templates
                    .iter()
                    .map(|(content, template)| (content.clone(), body(template)))
                    .collect(),
                None => BTreeMap::from([("application/json".to_owned(), message())]),
            };
            Answer {
                status: status
                    .filter(|_| kind.name != "REQUEST_TOO_LARGE")
                    .unwrap_or_else(|| kind.status.to_owned()),
                when: kind.when,
                headers: said.map(|said| said.headers.clone()).unwrap_or_default(),
                bodies,
            }
        })
        .collect()
}

/// What nobody has changed.
fn message() -> Value {
    json!({ "type": "object", "required": ["message"], "properties": { "message": { "type": "string" } } })
}

/// What a mapping template's answers look like: one that is JSON once its variables have a value tells it.
fn body(template: &str) -> Value {
    let mut filled = String::new();
    let mut rest = template;
    let mut is_text = false;
    while let Some(c) = rest.chars().next() {
        match c {
            '\\' if is_text => {
                let length = rest.chars().take(2).map(char::len_utf8).sum();
                filled.push_str(&rest[..length]);
                rest = &rest[length..];
                continue;
            }
            '"' => is_text = !is_text,
            '$' if !is_text => {
                let is_name = |c: char| c.is_alphanumeric() || "._{}$!()".contains(c);
                let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
                // The brace that ends the object isn't part of it.
                let name = rest[..end].trim_end_matches('}');
                filled.push_str("\"\"");
                rest = &rest[name.len().max(1)..];
                continue;
            }
            _ => {}
        }
        filled.push(c);
        rest = &rest[c.len_utf8()..];
    }
    serde_json::from_str(&filled).map_or_else(|_| json!({}), |example: Value| shape(&example))
}

fn shape(example: &Value) -> Value {
    match example {
        Value::Null => json!({ "nullable": true }),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Number(_) => json!({ "type": "number" }),
        Value::String(_) => json!({ "type": "string" }),
        Value::Array(items) => json!({ "type": "array", "items": items.first().map_or_else(|| json!({}), shape) }),
        Value::Object(map) => {
            let properties: Map<String, Value> = map.iter().map(|(key, value)| (key.clone(), shape(value))).collect();
            let mut schema = json!({ "type": "object", "properties": properties });
            if !map.is_empty() {
                schema["required"] = json!(map.keys().collect::<Vec<_>>());
            }
            schema
        }
    }
}

/// What is said of answers of one status: all that they come of.
pub(super) fn description(status: &str, answers: &[&Answer]) -> String {
    let mut reasons: Vec<&str> = answers.iter().map(|answer| answer.when).collect();
    reasons.dedup();
    let said = match reasons.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{}, or {last}", before.join(", ")),
        None => String::new(),
    };
    format!("{}, by API Gateway itself: {said}.", words::reason(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customized(status: Option<&str>, template: Option<&str>) -> Customized {
        Customized {
            status: status.map(str::to_owned),
            headers: BTreeMap::from([("Cache-Control".to_owned(), Some("no-store".to_owned()))]),
            templates: template
                .map(|text| ("application/json".to_owned(), text.to_owned()))
                .into_iter()
                .collect(),
        }
    }

    fn statuses(answers: &[Answer]) -> Vec<&str> {
        answers.iter().map(|answer| answer.status.as_str()).collect()
    }

    #[test]
    fn what_comes_depends_on_what_is_wanted() {
        let none = BTreeMap::new();
        let open = of(ApiKind::Rest, &Facts::default(), &none);
        assert_eq!(statuses(&open), ["429", "500", "502", "504"]);
        let mock = Facts {
            is_mock: true,
            ..Facts::default()
        };
        assert_eq!(statuses(&of(ApiKind::Rest, &mock, &none)), ["429", "500"]);
        let strict = Facts {
            iam: true,
            key: true,
            validates_body: true,
            has_body: true,
            ..Facts::default()
        };
        let strict = of(ApiKind::Rest, &strict, &none);
        let expected = [
            "400", "403", "403", "403", "403", "403", "413", "429", "429", "500", "502", "504",
        ];
        assert_eq!(statuses(&strict), expected);
        let authorized = Facts {
            authorizer: true,
            ..Facts::default()
        };
        let http = of(ApiKind::Http, &authorized, &none);
        assert_eq!(statuses(&http), ["401", "403", "429", "500", "503"]);
        assert_eq!(http[0].bodies["application/json"], message());
        let both: Vec<&Answer> = strict.iter().filter(|answer| answer.status == "429").collect();
        assert_eq!(
            description("429", &both),
            "Too Many Requests, by API Gateway itself: the key has used up its quota, or there are more requests than the \
             stage lets through."
        );
    }

    #[test]
    fn what_is_customized_is_so_for_its_own_kind_before_all_of_its_class() {
        let all = BTreeMap::from([
            (
                "DEFAULT_4XX".to_owned(),
                customized(None, Some("{\"error\":$context.error.messageString}")),
            ),
            ("MISSING_AUTHENTICATION_TOKEN".to_owned(), customized(Some("404"), None)),
        ]);
        let facts = Facts {
            iam: true,
            has_body: true,
            ..Facts::default()
        };
        let answers = of(ApiKind::Rest, &facts, &all);
        let unsigned = &answers[0];
        assert_eq!(
            (unsigned.status.as_str(), &unsigned.bodies["application/json"]),
            ("404", &message())
        );
        let denied = answers
            .iter()
            .find(|answer| answer.when.contains("allowed"))
            .expect("there");
        let error = json!({ "type": "object", "properties": { "error": { "type": "string" } }, "required": ["error"] });
        assert_eq!(denied.bodies["application/json"], error);
        assert_eq!(denied.headers["Cache-Control"].as_deref(), Some("no-store"));
        let large = answers.iter().find(|answer| answer.status == "413").expect("there");
        assert_eq!(
            (&large.bodies["application/json"], large.headers.len()),
            (&message(), 0)
        );
    }

    #[test]
    fn a_template_tells_what_its_answers_look_like() {
        let text = body(
            "{\"a\": \"x $context.b\", \"c\": [$context.error.messageString], \"d\": {\"e\": true, \"f\": $context.x}}",
        );
        let expected = json!({
            "type": "object",
            "properties": {
                "a": { "type": "string" },
                "c": { "type": "array", "items": { "type": "string" } },
                "d": {
                    "type": "object",
                    "properties": { "e": { "type": "boolean" }, "f": { "type": "string" } },
                    "required": ["e", "f"],
                },
            },
            "required": ["a", "c", "d"],
        });
        assert_eq!(text, expected);
        assert_eq!(body("<error>$context.error.message</error>"), json!({}));
    }
}
