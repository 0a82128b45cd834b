//! The API as browsers see it.

use reqwest::Method;
use serde_json::Value;

use super::function::expected;
use super::http::{Answer, send};
use super::{Finding, Problem, Subject, asked};

const STRANGER: &str = "https://stranger.example";
const ALLOW_ORIGIN: &str = "access-control-allow-origin";

const REDEPLOY: &str = "Run `deployer up --only logic`. If it says that nothing changed, the API was changed by hand: put it \
                        right in API Gateway's console, as stacks/logic.yaml has it, and deploy it to its stage.";

/// 200, 400 and 404 as JSON that the site's pages may read.
pub(super) async fn answers(subject: &Subject<'_>) -> Finding {
    for (id, status) in expected(subject).await? {
        let mut url = reqwest::Url::parse(&subject.api_url).map_err(|error| {
            Problem::failed(
                format!("the API's address {} is no URL: {error}", subject.api_url),
                REDEPLOY,
            )
        })?;
        if let Some(id) = id {
            url.query_pairs_mut().append_pair("userId", id);
        }
        let origin = [("origin", subject.origin.as_str())];
        let answer = send(&subject.http, Method::GET, url.as_str(), &origin).await?;
        if answer.status != status {
            return Err(Problem::failed(
                format!(
                    "{url} answers {} instead of {status}: {}",
                    answer.status,
                    answer.beginning()
                ),
                advice(answer.status),
            ));
        }
        is_json(&answer)?;
        allows(subject, &answer)?;
    }
    Ok(format!(
        "{} answers as the contract says, in JSON that the site may read",
        subject.api_url
    ))
}

fn advice(status: u16) -> &'static str {
    match status {
        403 => "The path or the method isn't deployed. `deployer up --only logic` deploys what stacks/logic.yaml has.",
        429 => "The API's throttle let nothing through: raise throttleRate in stacks/stages.yaml.",
        500 => "If the function's own checks pass, the API may not invoke it: run `deployer up --only logic`.",
        502 => {
            "The function answers with something that API Gateway can't read, or ends before it answers: see its checks."
        }
        _ => REDEPLOY,
    }
}

fn is_json(answer: &Answer) -> Result<(), Problem> {
    let parsed: Result<Value, _> = serde_json::from_slice(&answer.body);
    match parsed {
        Ok(_) if answer.header("content-type").starts_with("application/json") => Ok(()),
        Ok(_) => Err(Problem::failed(
            format!(
                "{} calls its answer `{}`, not JSON",
                answer.url,
                answer.header("content-type")
            ),
            REDEPLOY,
        )),
        Err(_) => Err(Problem::failed(
            format!(
                "{} answers with something that isn't JSON: {}",
                answer.url,
                answer.beginning()
            ),
            REDEPLOY,
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
            REDEPLOY,
        )),
        other => Err(Problem::failed(
            format!("{} allows the origin {other} instead of {}", answer.url, subject.origin),
            REDEPLOY,
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
            REDEPLOY,
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
                REDEPLOY,
            ));
        }
    }
    let stranger = ask(STRANGER).await?;
    match stranger.header(ALLOW_ORIGIN) {
        allowed @ ("*" | STRANGER) => Err(Problem::failed(
            format!(
                "the preflight from {STRANGER} is allowed ({allowed}): any site may use this API in its visitors' browsers"
            ),
            REDEPLOY,
        )),
        _ => Ok(format!("allowed for {}, not for others", subject.origin)),
    }
}

/// An answer that helps, instead of AWS's "Missing Authentication Token".
pub(super) async fn unknown_path(subject: &Subject<'_>) -> Finding {
    let root = subject.api_url.trim_end_matches("users");
    let origin = [("origin", subject.origin.as_str())];
    let answer = send(&subject.http, Method::GET, root, &origin).await?;
    let told = String::from_utf8_lossy(&answer.body).contains("/users?userId=");
    if answer.status != 404 || !told {
        return Err(Problem::failed(
            format!(
                "{root} answers {} with {}, instead of a 404 that names the right path",
                answer.status,
                answer.beginning()
            ),
            REDEPLOY,
        ));
    }
    is_json(&answer)?;
    allows(subject, &answer)?;
    Ok(format!("{root} answers 404 and names the right path"))
}

/// The API's stage serves the newest snapshot of its definition.
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
    let mut pages = subject
        .cloud
        .cloudformation
        .list_stack_resources()
        .stack_name(&subject.logic_stack)
        .into_paginator()
        .items()
        .send();
    let mut newest = None;
    while let Some(resource) = pages.next().await {
        let resource = asked(resource, "could not list the resources of the logic stack")?;
        // One that couldn't be deleted after its time is no longer the stack's choice.
        let leaves = resource
            .resource_status()
            .is_some_and(|status| status.as_str().starts_with("DELETE_"));
        if resource.resource_type() == Some("AWS::ApiGateway::Deployment") && !leaves {
            newest = resource.physical_resource_id;
        }
    }
    match newest {
        // The id may stand beside the API's.
        Some(newest) if newest.split(['|', '/']).any(|part| part == live) => {
            Ok(format!("the stage {stage} serves {live}, the stack's newest"))
        }
        Some(newest) => Err(Problem::failed(
            format!("the stage {stage} serves the deployment {live}, and the newest is {newest}"),
            format!(
                "`aws apigateway update-stage --rest-api-id {api} --stage-name {stage} --patch-operations \
                 op=replace,path=/deploymentId,value={newest}` serves it."
            ),
        )),
        None => Err(Problem::failed(
            "the logic stack has no deployment of the API",
            "Restore ApiDeployment in stacks/logic.yaml, then run `deployer up --only logic`.",
        )),
    }
}
