//! From one event to one response and one log line.

use std::{borrow::Cow, time::Instant};

use crate::{
    event::{Decision, Event, Method},
    item,
    response::{Answer, ProxyResponse},
    table::{Table, TableError},
};

/// Answers requests from one table, for one origin.
#[derive(Debug, Clone)]
pub struct Handler<T> {
    table: T,
    allowed_origin: String,
}

impl<T: Table> Handler<T> {
    /// A handler that reads from `table` and lets scripts from `allowed_origin` see the answers.
    pub fn new(table: T, allowed_origin: impl Into<String>) -> Self {
        Self {
            table,
            allowed_origin: allowed_origin.into(),
        }
    }

    /// Answers the event given as JSON text. There is always an answer: a failure is a 500 whose cause is in the log line
    /// alone. `request_id` is Lambda's, by which the log line is found.
    pub async fn handle(&self, request_id: &str, event: &str) -> ProxyResponse {
        let started = Instant::now();
        let event = Event::parse(event);
        let method = event.method;
        let (user_id, answer, cause) = match event.decide() {
            Decision::LookUp(user_id) => {
                let (answer, cause) = match self.look_up(&user_id).await {
                    Ok(answer) => (answer, None),
                    Err(error) => (Answer::Failed, Some(error.to_string())),
                };
                (Some(user_id), answer, cause)
            }
            Decision::Preflight => (None, Answer::Preflight, None),
            Decision::MissingUserId => (None, Answer::MissingUserId, None),
            Decision::UserIdTooLong => (None, Answer::UserIdTooLong, None),
            Decision::MethodNotAllowed => (None, Answer::MethodNotAllowed, None),
        };
        log(&Line {
            request_id,
            user_id: user_id.as_deref(),
            answer: &answer,
            cause,
            started,
        });
        let response = ProxyResponse::new(&answer, &self.allowed_origin);
        if method == Method::Head {
            response.without_body()
        } else {
            response
        }
    }

    async fn look_up(&self, user_id: &str) -> Result<Answer, TableError> {
        match self.table.get(user_id).await? {
            Some(item) => item::to_json(item)
                .map(Answer::Found)
                .map_err(|unknown| TableError::new(unknown.to_string())),
            None => Ok(Answer::NotFound {
                user_id: user_id.to_owned(),
            }),
        }
    }
}

/// The longest id that is logged, in characters. A log costs by the gigabyte, and anybody may ask for ids of 2 KB.
const LOGGED_CHARS: usize = 64;

/// As much of an id as is logged.
fn beginning(user_id: &str) -> Cow<'_, str> {
    match user_id.char_indices().nth(LOGGED_CHARS) {
        Some((end, _)) => Cow::Owned(format!("{}…", &user_id[..end])),
        None => Cow::Borrowed(user_id),
    }
}

struct Line<'a> {
    request_id: &'a str,
    user_id: Option<&'a str>,
    answer: &'a Answer,
    cause: Option<String>,
    started: Instant,
}

/// The request's one line. `found` is there when the table was read, `error` when the request was refused or failed.
/// Only our own failures are errors: what a caller does wrong is no reason to wake anybody.
fn log(line: &Line<'_>) {
    let duration_ms = u64::try_from(line.started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let found = match line.answer {
        Answer::Found(_) => Some(true),
        Answer::NotFound { .. } => Some(false),
        _ => None,
    };
    let error = match line.answer {
        Answer::NotFound { .. } => None,
        Answer::Failed => line.cause.clone(),
        other => other.error(),
    };
    let (request_id, status) = (line.request_id, line.answer.status());
    let user_id = line.user_id.map(beginning);
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                requestId = request_id,
                userId = user_id.as_deref(),
                durationMs = duration_ms,
                status,
                found,
                error = error.as_deref(),
                "request"
            )
        };
    }
    if matches!(line.answer, Answer::Failed) {
        event!(error);
    } else {
        event!(info);
    }
}
