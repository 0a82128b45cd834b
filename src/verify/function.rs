//! The function, tested alone: what it is, what it was told, and what it answers without the API in front of it.

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{LastUpdateStatus, Runtime, State};
use serde_json::{Value, json};

use super::{Finding, Problem, Subject, asked};
use crate::project::Tier;
use crate::project::seed::KEY;
use crate::seeding;

/// What the environment's variables must be is decided here and read by the function.
const TABLE_NAME: &str = "TABLE_NAME";
const ALLOWED_ORIGIN: &str = "ALLOWED_ORIGIN";

/// An id that nobody has: a request for it must be a 404.
pub(super) const NOBODY: &str = "deployer-verify: nobody has this id";

pub(super) async fn configuration(subject: &Subject<'_>) -> Result<GetFunctionConfigurationOutput, Problem> {
    let name = &subject.function_name;
    subject
        .function
        .get(async || {
            let request = subject.cloud.lambda.get_function_configuration();
            let answer = request.function_name(name).send().await;
            asked(answer, &format!("could not look at the function {name}"))
        })
        .await
}

/// Active, with its newest code, on the runtime and the architecture that it was built for.
pub(super) async fn state(subject: &Subject<'_>) -> Finding {
    let name = &subject.function_name;
    let is = configuration(subject).await?;
    match (is.state(), is.last_update_status()) {
        (Some(State::Pending), _) => return Err(Problem::pending(format!("{name} is being made ready"))),
        (_, Some(LastUpdateStatus::InProgress)) => return Err(Problem::pending(format!("{name} is being updated"))),
        // Unused for weeks, it is made ready again by the next request.
        (Some(State::Active | State::Inactive) | None, Some(LastUpdateStatus::Successful) | None) => {}
        (state, update) => {
            let reason = is
                .state_reason()
                .or(is.last_update_status_reason())
                .unwrap_or("no reason given");
            return Err(Problem::failed(
                format!(
                    "{name} is {} and its last update {}: {reason}",
                    state.map_or("in no state", State::as_str),
                    update.map_or("unknown", LastUpdateStatus::as_str)
                ),
                "Correct what the reason says, then run `deployer up`.",
            ));
        }
    }
    let runtime = is.runtime().map_or("none", Runtime::as_str);
    let architecture = is.architectures().first().map_or("x86_64", |one| one.as_str());
    let wanted = subject.architecture.as_str();
    if runtime != "provided.al2023" || architecture != wanted {
        return Err(Problem::failed(
            format!("{name} runs on {runtime} for {architecture}, and was built for provided.al2023 and {wanted}"),
            subject.restore("Function's Runtime and Architectures", Tier::Logic),
        ));
    }
    Ok(format!("{name} is active, on {runtime} for {architecture}"))
}

/// The table and the origin are those of the other tiers.
pub(super) async fn environment(subject: &Subject<'_>) -> Finding {
    let is = configuration(subject).await?;
    let variables = is.environment().and_then(|environment| environment.variables());
    for (name, wanted) in [(TABLE_NAME, &subject.table_name), (ALLOWED_ORIGIN, &subject.origin)] {
        let value = variables.and_then(|all| all.get(name));
        if value != Some(wanted) {
            return Err(Problem::failed(
                match value {
                    Some(value) => format!("{name} is `{value}` and should be `{wanted}`"),
                    None => format!("{name} isn't set and should be `{wanted}`"),
                },
                subject.restore("Function's Environment", Tier::Logic),
            ));
        }
    }
    Ok(format!(
        "{TABLE_NAME}={} {ALLOWED_ORIGIN}={}",
        subject.table_name, subject.origin
    ))
}

/// 200, 400 and 404, as the contract has them.
pub(super) async fn answers(subject: &Subject<'_>) -> Finding {
    let is = configuration(subject).await?;
    // That it is the right one is another check.
    let allowed = is
        .environment()
        .and_then(|all| all.variables()?.get(ALLOWED_ORIGIN))
        .map(String::as_str);
    let known = known_item(subject).await;
    for request in requests(known.as_ref().ok().and_then(Option::as_ref)) {
        let query = request.id.map(|id| json!({ "userId": id }));
        let event = json!({"httpMethod": "GET", "path": "/users", "queryStringParameters": query});
        let answer = invoke(subject, &event).await?;
        if answer["statusCode"] != request.status {
            return Err(Problem::failed(
                format!(
                    "for {} it answers {} instead of {}: {}",
                    request.about, answer["statusCode"], request.status, answer["body"]
                ),
                format!(
                    "Its log, /aws/lambda/{}, has a line for the request with the cause.",
                    subject.function_name
                ),
            ));
        }
        let origin = answer["headers"]["Access-Control-Allow-Origin"].as_str();
        if origin != allowed {
            return Err(Problem::failed(
                format!(
                    "for {} it allows the origin {origin:?} and not its {ALLOWED_ORIGIN}",
                    request.about
                ),
                "Correct function/, then run `deployer up --only function`.",
            ));
        }
    }
    saw_all(subject, known)?;
    Ok("invoked directly it answers 200, 400 and 404 as the contract says".to_owned())
}

/// The id of an item that is in the table.
#[derive(Debug, Clone)]
pub(super) struct Known {
    id: String,
    /// The item in words. Who isn't a seed item may be a person, and isn't named.
    about: String,
}

/// A request that the contract has an answer for.
pub(super) struct Request<'a> {
    /// The `userId`, if there is to be one.
    pub(super) id: Option<&'a str>,
    /// The status of the right answer.
    pub(super) status: u16,
    /// What is asked for, in words.
    pub(super) about: &'a str,
}

pub(super) fn requests(known: Option<&Known>) -> Vec<Request<'_>> {
    let known = known.map(|known| Request {
        id: Some(&known.id),
        status: 200,
        about: &known.about,
    });
    let others = [
        Request {
            id: None,
            status: 400,
            about: "a request without userId",
        },
        Request {
            id: Some(NOBODY),
            status: 404,
            about: "an id that nobody has",
        },
    ];
    known.into_iter().chain(others).collect()
}

/// An item to ask for: a seed item if one is there (whether all are is another check), else any.
pub(super) async fn known_item(subject: &Subject<'_>) -> Result<Option<Known>, Problem> {
    subject.known_item.get(async || find_item(subject).await).await
}

async fn find_item(subject: &Subject<'_>) -> Result<Option<Known>, Problem> {
    let (cloud, table) = (subject.cloud, &subject.table_name);
    let first = subject.items.get(..1).unwrap_or_default();
    if let Some(id) = seeding::present(cloud, table, first).await?.pop_first() {
        let about = format!("the seed item `{id}`");
        return Ok(Some(Known { id, about }));
    }
    let answer = cloud
        .dynamodb
        .scan()
        .table_name(table)
        .limit(1)
        .projection_expression("#key")
        .expression_attribute_names("#key", KEY)
        .send()
        .await;
    let answer = asked(answer, &format!("could not look for an item in the table {table}"))?;
    let id = answer.items().first().and_then(|item| item.get(KEY)?.as_s().ok());
    Ok(id.map(|id| Known {
        id: id.clone(),
        about: "an item of the table".to_owned(),
    }))
}

/// Refuses to call it proven when there was no item to see a 200 with.
pub(super) fn saw_all(subject: &Subject<'_>, known: Result<Option<Known>, Problem>) -> Result<(), Problem> {
    match known {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(Problem::not_proven(
            format!(
                "400 and 404 are right, but {} has no item for which it would answer 200",
                subject.table_name
            ),
            "`deployer seed` puts the seed items there.",
        )),
        Err(problem) => Err(Problem {
            evidence: format!(
                "400 and 404 are right, but no item was found to see a 200 with: {}",
                problem.evidence
            ),
            ..problem
        }),
    }
}

async fn invoke(subject: &Subject<'_>, event: &Value) -> Result<Value, Problem> {
    let name = &subject.function_name;
    let answer = subject
        .cloud
        .lambda
        .invoke()
        .function_name(name)
        .payload(Blob::new(event.to_string()))
        .send()
        .await;
    let answer = asked(answer, &format!("could not invoke the function {name}"))?;
    let payload = answer.payload().map(Blob::as_ref).unwrap_or_default();
    match answer.function_error() {
        None => serde_json::from_slice(payload).map_err(|error| {
            Problem::failed(
                format!("{name} answers with something that isn't JSON: {error}"),
                "Correct function/, then run `deployer up --only function`.",
            )
        }),
        Some(_) => Err(Problem::failed(
            format!("{name} fails: {}", String::from_utf8_lossy(payload)),
            format!("Its log, /aws/lambda/{name}, has what it wrote before it ended."),
        )),
    }
}
