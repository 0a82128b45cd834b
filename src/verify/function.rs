//! The function, tested alone: what it is, what it was told, and what it answers without the API in front of it.

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{LastUpdateStatus, Runtime, State};
use serde_json::{Value, json};

use super::{Finding, Problem, Subject, asked};
use crate::seeding;

/// What the environment's variables must be is decided here and read by the function.
const TABLE_NAME: &str = "TABLE_NAME";
const ALLOWED_ORIGIN: &str = "ALLOWED_ORIGIN";

/// An id that nobody has: a request for it must be a 404.
pub(super) const NOBODY: &str = "deployer-verify: nobody has this id";

pub(super) async fn configuration(subject: &Subject<'_>) -> Result<GetFunctionConfigurationOutput, Problem> {
    let name = &subject.function_name;
    let answer = subject
        .cloud
        .lambda
        .get_function_configuration()
        .function_name(name)
        .send()
        .await;
    asked(answer, &format!("could not look at the function {name}"))
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
            "Run `deployer up --only function`, which sets both with the code.",
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
                "Run `deployer up --only function`. If it says that nothing changed, the function was changed by hand: set \
                 the variable right in Lambda's console.",
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
    for (id, status) in expected(subject).await? {
        let query = id.map(|id| json!({ "userId": id }));
        let event = json!({"httpMethod": "GET", "path": "/users", "queryStringParameters": query});
        let answer = invoke(subject, &event).await?;
        let of = id.map_or("no userId".to_owned(), |id| format!("userId `{id}`"));
        if answer["statusCode"] != status {
            return Err(Problem::failed(
                format!(
                    "for {of} it answers {} instead of {status}: {}",
                    answer["statusCode"], answer["body"]
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
                format!("for {of} it allows the origin {origin:?} and not its {ALLOWED_ORIGIN}"),
                "Correct function/, then run `deployer up --only function`.",
            ));
        }
    }
    Ok("invoked directly it answers as the contract says".to_owned())
}

/// Ids to ask for (none: without `userId`), and the status that each must get. Whether the seed items are there is
/// another check.
pub(super) async fn expected<'a>(subject: &'a Subject<'_>) -> Result<Vec<(Option<&'a str>, u16)>, Problem> {
    let one = subject.items.get(..1).unwrap_or_default();
    let there = seeding::present(subject.cloud, &subject.table_name, one)
        .await
        .map_err(Problem::from)?;
    let known = one.iter().filter(|item| there.contains(&item.key));
    let known = known.map(|item| (Some(item.key.as_str()), 200));
    Ok(known.chain([(None, 400), (Some(NOBODY), 404)]).collect())
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
