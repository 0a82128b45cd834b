//! What API Gateway answers by itself, to a request that no integration sees, is what the template says.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::verify::apis::WantedResponse;
use crate::verify::expected::Expected;
use crate::verify::layer::Layer;
use crate::verify::stage::{Stack, Stage};
use crate::verify::{Check, Finding, Look, Problem};

pub(super) struct ApiErrorAnswers;

impl Check for ApiErrorAnswers {
    fn id(&self) -> &'static str {
        "api-error-answers"
    }

    fn layer(&self) -> Layer {
        Layer::Api
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let mut looks = Vec::new();
        for api in stage.apis() {
            for wanted in api.wanted_responses() {
                let (stack, id) = (api.stack, api.id.clone());
                let resource = format!("{}.{}", stack.definition.id, wanted.logical_id);
                looks.push(Look::new(resource, vec![stack.definition.id.clone()], move |round| {
                    let (id, wanted) = (id.clone(), wanted.clone());
                    async move {
                        let all = stage.gateway_responses(stack.cloud, &id, round).await?;
                        let live = all.get(&wanted.kind);
                        let part = |part: Option<&HashMap<String, String>>| json!(part.cloned().unwrap_or_default());
                        let live = Live {
                            status: live.and_then(|live| live.status_code()).unwrap_or_default().to_owned(),
                            parameters: part(live.and_then(|live| live.response_parameters())),
                            templates: part(live.and_then(|live| live.response_templates())),
                        };
                        compare(stack, &wanted, &live)
                    }
                }));
            }
        }
        looks
    }
}

struct Live {
    status: String,
    parameters: Value,
    templates: Value,
}

fn compare(stack: &Stack<'_>, wanted: &WantedResponse, live: &Live) -> Finding {
    let differences = differences(wanted, live);
    let kind = &wanted.kind;
    if differences.is_empty() {
        return Ok(format!("API Gateway's own answer {kind} is that of the template"));
    }
    Err(Problem::failed(
        format!("API Gateway's own answer {kind}: {}", differences.join("; ")),
        stack.restore(&wanted.logical_id),
    ))
}

fn differences(wanted: &WantedResponse, live: &Live) -> Vec<String> {
    let mut differences = Vec::new();
    if wanted.status != Expected::Absent && !wanted.status.matches_text(&live.status) {
        differences.push(format!("the status is {} and should be {}", live.status, wanted.status));
    }
    // Where the template has no parameters there are none.
    entries("", &wanted.parameters, &live.parameters, &mut differences);
    // Where it has no templates AWS has its own.
    if wanted.templates != Expected::Absent {
        entries(
            "the template for ",
            &wanted.templates,
            &live.templates,
            &mut differences,
        );
    }
    differences
}

fn entries(what: &str, wanted: &Expected, live: &Value, differences: &mut Vec<String>) {
    let nothing = Expected::Map(std::collections::BTreeMap::new());
    let wanted = if *wanted == Expected::Absent { &nothing } else { wanted };
    let (Expected::Map(wanted), Value::Object(live)) = (wanted, live) else {
        return;
    };
    let name = |key: &str| format!("{what}{}", key.trim_start_matches("gatewayresponse."));
    for (key, said) in wanted {
        match live.get(key) {
            Some(live) if said.matches(live) => {}
            Some(live) => differences.push(format!(
                "{} is {} and should be {said}",
                name(key),
                live.as_str().unwrap_or_default()
            )),
            None => differences.push(format!("{} isn't there and should be {said}", name(key))),
        }
    }
    for key in live.keys().filter(|key| !wanted.contains_key(*key)) {
        differences.push(format!("{} isn't in the template", name(key)));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::verify::expected::Part;

    fn text(text: &str) -> Expected {
        Expected::Text(vec![Part::Known(text.to_owned())])
    }

    fn told(live_status: &str, parameters: Value, templates: Value) -> Vec<String> {
        let header = "gatewayresponse.header.Access-Control-Allow-Origin".to_owned();
        let wanted = WantedResponse {
            logical_id: "Answers".to_owned(),
            kind: "DEFAULT_4XX".to_owned(),
            status: text("404"),
            parameters: Expected::Map(BTreeMap::from([(header, text("'https://a'"))])),
            templates: Expected::Absent,
        };
        let live = Live {
            status: live_status.to_owned(),
            parameters,
            templates,
        };
        differences(&wanted, &live)
    }

    #[test]
    fn every_part_is_compared() {
        let right = json!({"gatewayresponse.header.Access-Control-Allow-Origin": "'https://a'"});
        assert_eq!(
            told("404", right.clone(), json!({"application/json": "AWS's own"})),
            [""; 0]
        );
        assert_eq!(told("403", right, json!({})), ["the status is 403 and should be 404"]);
        let wrong =
            json!({"gatewayresponse.header.Access-Control-Allow-Origin": "'*'", "gatewayresponse.header.X": "'x'"});
        assert_eq!(
            told("404", wrong, json!({})),
            [
                "header.Access-Control-Allow-Origin is '*' and should be 'https://a'",
                "header.X isn't in the template"
            ]
        );
        assert_eq!(
            told("404", json!({}), json!({})),
            ["header.Access-Control-Allow-Origin isn't there and should be 'https://a'"]
        );
    }
}
