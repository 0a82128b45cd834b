//! The API as browsers see it.

use aws_sdk_apigateway::types::GatewayResponseType;
use reqwest::Method;
use serde_json::Value;

use super::function::{known_item, requests, saw_all};
use super::http::{Answer, send};
use super::{Finding, Problem, Subject, asked};
use crate::project::Tier;

const STRANGER: &str = "https://stranger.example";
const ALLOW_ORIGIN: &str = "access-control-allow-origin";

/// 200, 400 and 404 as JSON that the site's pages may read.
pub(super) async fn answers(subject: &Subject<'_>) -> Finding {
    let known = known_item(subject).await;
    for request in requests(known.as_ref().ok().and_then(Option::as_ref)) {
        let mut url = reqwest::Url::parse(&subject.api_url).map_err(|error| {
            Problem::failed(
                format!("the API's address {} is no URL: {error}", subject.api_url),
                "Correct the output ApiUrl of stacks/logic.yaml, then run `deployer up --only logic`.",
            )
        })?;
        if let Some(id) = request.id {
            url.query_pairs_mut().append_pair("userId", id);
        }
        let origin = [("origin", subject.origin.as_str())];
        let mut answer = send(&subject.http, Method::GET, url.as_str(), &origin).await?;
        answer.url = format!("{}, asked for {},", subject.api_url, request.about);
        if answer.status != request.status {
            return Err(Problem::failed(
                format!(
                    "{} answers {} instead of {}: {}",
                    answer.url,
                    answer.status,
                    request.status,
                    answer.beginning()
                ),
                advice(subject, answer.status),
            ));
        }
        is_json(subject, &answer)?;
        allows(subject, &answer)?;
    }
    saw_all(subject, known)?;
    Ok(format!(
        "{} answers 200, 400 and 404 as the contract says, in JSON that the site may read",
        subject.api_url
    ))
}

fn restore(subject: &Subject<'_>) -> String {
    subject.restore("the API", Tier::Logic)
}

fn advice(subject: &Subject<'_>, status: u16) -> String {
    match status {
        429 => "The API's throttle let nothing through: raise throttleRate in stacks/stages.yaml.".to_owned(),
        500 => format!(
            "If the function's own checks pass, API Gateway may not invoke it. {}",
            subject.restore("ApiMayInvoke", Tier::Logic)
        ),
        502 => {
            "The function answers with something that API Gateway can't read, or ends before it answers: see its checks."
                .to_owned()
        }
        _ => restore(subject),
    }
}

fn is_json(subject: &Subject<'_>, answer: &Answer) -> Result<(), Problem> {
    let parsed: Result<Value, _> = serde_json::from_slice(&answer.body);
    match parsed {
        Ok(_) if answer.header("content-type").starts_with("application/json") => Ok(()),
        Ok(_) => Err(Problem::failed(
            format!(
                "{} calls its answer `{}`, not JSON",
                answer.url,
                answer.header("content-type")
            ),
            restore(subject),
        )),
        Err(_) => Err(Problem::failed(
            format!(
                "{} answers with something that isn't JSON: {}",
                answer.url,
                answer.beginning()
            ),
            restore(subject),
        )),
    }
}

fn allows(subject: &Subject<'_>, answer: &Answer) -> Result<(), Problem> {
    match answer.header(ALLOW_ORIGIN) {
        own if own == subject.origin => Ok(()),
        "" => Err(Problem::failed(
            format!(
                "{} names no allowed origin, so that browsers hide the answer",
                answer.url
            ),
            restore(subject),
        )),
        other => Err(Problem::failed(
            format!("{} allows the origin {other} instead of {}", answer.url, subject.origin),
            restore(subject),
        )),
    }
}

/// Allowed for the site's pages, and for nobody else's.
pub(super) async fn preflight(subject: &Subject<'_>) -> Finding {
    let ask = async |origin: &str| {
        let headers = [("origin", origin), ("access-control-request-method", "GET")];
        send(&subject.http, Method::OPTIONS, &subject.api_url, &headers).await
    };
    let answer = ask(&subject.origin).await?;
    if !(200..300).contains(&answer.status) {
        return Err(Problem::failed(
            format!(
                "the preflight (OPTIONS {}) is answered with {}",
                subject.api_url, answer.status
            ),
            restore(subject),
        ));
    }
    allows(subject, &answer)?;
    for (header, wanted) in [
        ("access-control-allow-methods", "GET"),
        ("access-control-allow-headers", "Content-Type"),
    ] {
        let listed = answer.header(header);
        if !listed.split(',').any(|one| one.trim().eq_ignore_ascii_case(wanted)) {
            return Err(Problem::failed(
                format!("the preflight's {header} is `{listed}`, without {wanted}"),
                restore(subject),
            ));
        }
    }
    let stranger = ask(STRANGER).await?;
    match stranger.header(ALLOW_ORIGIN) {
        allowed @ ("*" | STRANGER) => Err(Problem::failed(
            format!(
                "the preflight from {STRANGER} is allowed ({allowed}): any site may use this API in its visitors' browsers"
            ),
            restore(subject),
        )),
        _ => Ok(format!("allowed for {}, not for others", subject.origin)),
    }
}

/// An answer that helps, instead of AWS's "Missing Authentication Token".
pub(super) async fn unknown_path(subject: &Subject<'_>) -> Finding {
    let root = subject.api_url.trim_end_matches("users");
    let origin = [("origin", subject.origin.as_str())];
    let answer = send(&subject.http, Method::GET, root, &origin).await?;
    let told = answer.text().contains("/users?userId=");
    if answer.status != 404 || !told {
        return Err(Problem::failed(
            format!(
                "{root} answers {} with {}, instead of a 404 that names the right path",
                answer.status,
                answer.beginning()
            ),
            restore(subject),
        ));
    }
    is_json(subject, &answer)?;
    allows(subject, &answer)?;
    Ok(format!("{root} answers 404 and names the right path"))
}

/// What API Gateway answers by itself can be read by the site's pages, too: a browser hides what has no such header.
pub(super) async fn error_answers(subject: &Subject<'_>) -> Finding {
    const HEADER: &str = "gatewayresponse.header.Access-Control-Allow-Origin";
    let wanted = format!("'{}'", subject.origin);
    for kind in [GatewayResponseType::Default4Xx, GatewayResponseType::Default5Xx] {
        let name = kind.as_str().to_owned();
        let request = subject.cloud.apigateway.get_gateway_response();
        let answer = request.rest_api_id(&subject.api_id).response_type(kind).send().await;
        let answer = asked(answer, &format!("could not look at the API's answer {name}"))?;
        let origin = answer.response_parameters().and_then(|all| all.get(HEADER));
        if origin != Some(&wanted) {
            let is = origin.map_or("names no allowed origin".to_owned(), |origin| {
                format!("allows the origin {origin} instead of {wanted}")
            });
            return Err(Problem::failed(
                format!("API Gateway's own answer {name} {is}, so that browsers hide it"),
                restore(subject),
            ));
        }
    }
    Ok(format!("those that API Gateway makes allow {} as well", subject.origin))
}

/// The API's stage serves the newest snapshot: that of the definition in the project's template.
pub(super) async fn deployment(subject: &Subject<'_>) -> Finding {
    let (api, stage) = (&subject.api_id, &subject.stage);
    let answer = subject
        .cloud
        .apigateway
        .get_stage()
        .rest_api_id(api)
        .stage_name(stage)
        .send()
        .await;
    let live = asked(answer, &format!("could not look at the stage {stage} of the API {api}"))?;
    let live = live.deployment_id().unwrap_or("none");
    if subject.deployments.is_empty() {
        return Err(Problem::failed(
            "stacks/logic.yaml has no deployment of the API",
            "Restore ApiDeployment there, then run `deployer up --only logic`.",
        ));
    }
    let mut pages = subject
        .cloud
        .cloudformation
        .list_stack_resources()
        .stack_name(&subject.logic_stack)
        .into_paginator()
        .items()
        .send();
    let mut newest = Vec::new();
    while let Some(resource) = pages.next().await {
        let resource = asked(resource, "could not list the resources of the logic stack")?;
        let id = resource.logical_resource_id().unwrap_or_default();
        if subject.deployments.iter().any(|wanted| wanted == id) {
            newest.extend(resource.physical_resource_id);
        }
    }
    // The id may stand beside the API's.
    let is_live = |id: &String| id.split(['|', '/']).any(|part| part == live);
    match newest.first() {
        Some(_) if newest.iter().any(is_live) => Ok(format!(
            "the stage {stage} serves {live}, the snapshot of what stacks/logic.yaml has"
        )),
        Some(newest) => Err(Problem::failed(
            format!("the stage {stage} serves the deployment {live}, and the newest is {newest}"),
            format!(
                "`aws apigateway update-stage --rest-api-id {api} --stage-name {stage} --patch-operations \
                 op=replace,path=/deploymentId,value={newest}` serves it."
            ),
        )),
        None => Err(Problem::failed(
            format!("the stage {stage} serves another definition of the API than stacks/logic.yaml has"),
            "`deployer up --only logic` deploys it.",
        )),
    }
}
