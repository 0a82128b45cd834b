//! The requests of `stacks/verify.yaml` are answered as it says.

use reqwest::{Method, Url};
use serde_json::Value;

use crate::project::apis::Credential;
use crate::project::contract::{self, Body, Expectation};
use crate::project::stacks::StackId;
use crate::project::template::Template;
use crate::verify::contract::{Filler, content_differences, header_difference, told};
use crate::verify::http::{Answer, Request, send_once, send_whole};
use crate::verify::layer::Layer;
use crate::verify::sign::signed;
use crate::verify::stage::{Stack, Stage};
use crate::verify::{Check, Finding, Look, Problem, Round, asked};

pub(super) struct Requests;

impl Check for Requests {
    fn id(&self) -> &'static str {
        "requests"
    }

    fn layer(&self) -> Layer {
        Layer::App
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let looks = stage.contract.requests.iter().map(|request| {
            let look = Look::new(request.name.clone(), Vec::new(), move |round| {
                answered(stage, request, round)
            });
            match (request.changes, stage.with_changes) {
                (false, _) => look,
                (true, true) => look.once(),
                (true, false) => look.skipped(
                    "it may change something",
                    "`deployer verify --with-changes` makes this request, too.",
                ),
            }
        });
        looks.collect()
    }
}

async fn answered(stage: &Stage<'_>, wanted: &contract::Request, round: Round) -> Finding {
    let filler = Filler::new(stage);
    let request = request(stage, &filler, wanted).await?;
    let expected = filler.expectation(&wanted.expect)?;
    let answer = if wanted.changes {
        send_once(&stage.http, &request).await?
    } else {
        send_whole(&stage.http, &request).await?
    };
    let mut differences = Vec::new();
    if let Some(status) = expected.status.filter(|status| *status != answer.status) {
        differences.push(format!("the status is {} and should be {status}", answer.status));
    }
    for (name, value) in &expected.headers {
        differences.extend(header_difference(name, value.as_deref(), &answer.values(name)));
    }
    differences.extend(content_differences(&expected, &answer.text()));
    let asked = format!("{} {}", request.method, request.url);
    if let Some(problem) = only_refused(stage, wanted, &request, &answer, &expected) {
        return Err(problem);
    }
    if differences.is_empty() {
        return Ok(format!("{asked} answers {} as the contract says", answer.status));
    }
    let body = if answer.body.is_empty() {
        String::new()
    } else {
        format!(" (it says: {})", answer.beginning())
    };
    let evidence = format!("{asked}: {}{body}", told(&differences));
    Err(stage
        .broken(evidence, advice(wanted, &answer, expected.status), round)
        .await)
}

/// A route that is closed in the template refuses who shows nothing, as it is to: what the contract says of its answers
/// can't be seen so.
fn only_refused(
    stage: &Stage<'_>,
    wanted: &contract::Request,
    request: &Request,
    answer: &Answer,
    expected: &Expectation,
) -> Option<Problem> {
    if !matches!(answer.status, 401 | 403) || expected.status.is_none_or(|status| status == answer.status) {
        return None;
    }
    let needs = stage.wanted_at(request.method.as_str(), &request.url);
    let shows = match needs {
        Credential::Nothing => true,
        Credential::Iam => wanted.signed,
        Credential::Key => wanted.api_key.is_some(),
        // It may look at any header but those that say nothing of the caller.
        Credential::Authorizer => wanted.headers.iter().any(|(name, _)| {
            let name = name.to_ascii_lowercase();
            !["accept", "access-control-", "content-", "origin"]
                .iter()
                .any(|plain| name.starts_with(plain))
        }),
    };
    (!shows).then(|| {
        Problem::not_proven(
            format!(
                "{} {}: the route refuses a caller without a credential with {}, as its template says{}",
                request.method,
                request.url,
                answer.status,
                needs.hint()
            ),
            "Say in stacks/verify.yaml what the request is to show: `headers: { Authorization: \"${env:TOKEN}\" }`, \
             `apiKey:` or `sign: iam`; or expect the refusal.",
        )
    })
}

async fn request(stage: &Stage<'_>, filler: &Filler<'_>, wanted: &contract::Request) -> Result<Request, Problem> {
    let text = filler.text(&wanted.url)?;
    let url = Url::parse(&text).map_err(|error| {
        Problem::failed(
            format!("the address {text} is no URL: {error}"),
            "Correct it in stacks/verify.yaml, or the output that it begins with in its template.",
        )
    })?;
    let mut headers = Vec::new();
    for (name, value) in &wanted.headers {
        headers.push((name.clone(), filler.text(value)?));
    }
    if let Some(key) = &wanted.api_key {
        headers.push(("x-api-key".to_owned(), api_key(stage, filler, key).await?));
    }
    let body = match &wanted.body {
        Body::Nothing => Vec::new(),
        Body::Text(text) => filler.text(text)?.into_bytes(),
        Body::Json(value) => filler.value(value)?.to_string().into_bytes(),
        Body::Bytes(bytes) => bytes.clone(),
    };
    let method = Method::from_bytes(wanted.method.as_bytes()).map_err(|_| {
        Problem::failed(
            format!("{} is no method", wanted.method),
            "Correct it in stacks/verify.yaml.",
        )
    })?;
    let request = Request {
        method,
        url: url.into(),
        headers,
        body,
    };
    if !wanted.signed {
        return Ok(request);
    }
    let named = stack_of(stage, &wanted.url).map(|(stack, _)| stack.cloud);
    signed(named.unwrap_or(stage.cloud), request).await
}

/// The stack whose output a text names first, and that output.
fn stack_of<'s>(stage: &'s Stage<'_>, text: &str) -> Option<(&'s Stack<'s>, String)> {
    let (stack, output): (StackId, String) = stage.project.output_called(contract::first_output(text)?).ok()?;
    Some((stage.stack(&stack)?, output))
}

/// A key. Templates can only tell its id: then API Gateway is asked for what it is.
async fn api_key(stage: &Stage<'_>, filler: &Filler<'_>, text: &str) -> Result<String, Problem> {
    let key = filler.text(text)?;
    let named = stack_of(stage, text).and_then(|(stack, output)| {
        let template = stack.template();
        let id = template.output(&output)?.get("Ref").and_then(Value::as_str)?;
        (Template::type_of(template.resource(id)?) == "AWS::ApiGateway::ApiKey").then_some(stack)
    });
    let Some(stack) = named else { return Ok(key) };
    let answer = stack
        .cloud
        .apigateway
        .get_api_key()
        .api_key(&key)
        .include_value(true)
        .send()
        .await;
    let answer = asked(answer, &format!("could not look up the API key {key}"))?;
    Ok(answer.value.unwrap_or_default())
}

fn advice(wanted: &contract::Request, answer: &Answer, expected: Option<u16>) -> String {
    let other_status = expected.is_some_and(|status| status != answer.status);
    match answer.status {
        429 if other_status => "The API's throttle let nothing through: raise it in the template or in its settings.".to_owned(),
        403 if other_status && wanted.signed => {
            "Whoever runs `deployer` needs `execute-api:Invoke` for this route (for a function's URL, \
             `lambda:InvokeFunctionUrl`)."
                .to_owned()
        }
        500 | 502 if other_status => {
            "The function failed, ended before it answered, or answers with something that API Gateway can't read; or API \
             Gateway may not invoke it. See the function's own checks, and its log: `deployer logs`."
                .to_owned()
        }
        _ => "If this answer is right, say so in stacks/verify.yaml; else correct the app and run `deployer up`.".to_owned(),
    }
}
