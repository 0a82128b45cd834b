//! The DynamoDB adapter at the HTTP level: what it sends, and what becomes of each kind of answer. Time is paused, so
//! that retries and timeouts run as in production, in no time.

use std::time::Duration;

use aws_sdk_dynamodb::config::{
    Credentials, HttpClient, Region,
    http::{HttpRequest, HttpResponse},
};
use aws_smithy_http_client::test_util::{NeverClient, ReplayEvent, StaticReplayClient};
use retrieve_user_data::{
    config::Aws,
    table::{DynamoTable, OPERATION_TIMEOUT},
};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;

use crate::support::{answer, answer_and_lines};

const EVENT: &str = r#"{"httpMethod":"GET","queryStringParameters":{"userId":"7"}}"#;

/// A table behind `client`.
fn table(client: impl HttpClient + 'static) -> DynamoTable {
    let aws = Aws {
        region: Region::new("eu-central-1"),
        credentials: Credentials::new("AKIDEXAMPLE", "secret", Some("session".into()), None, "test"),
        endpoint: None,
        fips: false,
        dual_stack: false,
    };
    DynamoTable::new(aws, client, "UserData")
}

fn replay<'a>(answers: impl IntoIterator<Item = (u16, &'a str)>) -> StaticReplayClient {
    let event = |(status, body): (u16, &str)| {
        let status = status.try_into().expect("a status");
        let mut response = HttpResponse::new(status, body.to_owned().into());
        response
            .headers_mut()
            .insert("content-type", "application/x-amz-json-1.0");
        response.headers_mut().insert("x-amzn-requestid", "REQ123");
        ReplayEvent::new(HttpRequest::empty(), response)
    };
    StaticReplayClient::new(answers.into_iter().map(event).collect())
}

fn service_error(kind: &str, message: &str) -> String {
    json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": message}).to_string()
}

/// The cause as it is logged, for a table that fails: the caller gets the 500, with the CORS headers, and no more.
async fn failure(client: impl HttpClient + 'static) -> String {
    let (response, lines) = answer_and_lines(LevelFilter::INFO, table(client), EVENT).await;
    assert_eq!(
        (response.status_code, response.body.as_str()),
        (500, r#"{"error":"Internal server error"}"#)
    );
    // The replaying client has no connection, of which the SDK complains in lines of its own.
    let ours: Vec<_> = lines.iter().filter(|line| line["message"] == "request").collect();
    let [line] = ours[..] else {
        panic!("one line: {lines:?}")
    };
    assert_eq!(
        (&line["level"], &line["status"], &line["userId"]),
        (&json!("ERROR"), &json!(500), &json!("7"))
    );
    line["error"].as_str().expect("a cause").to_owned()
}

/// The logged cause and the number of requests sent, for one answer given over and over.
async fn failure_of(status: u16, body: &str) -> (String, usize) {
    let client = replay([(status, body); 4]);
    let cause = failure(client.clone()).await;
    (cause, client.actual_requests().count())
}

#[tokio::test(start_paused = true)]
async fn one_get_item_is_sent_with_table_and_key_only() {
    let client = replay([(200, r#"{"Item":{"userId":{"S":"7"},"n":{"N":"1.50"}}}"#)]);
    let response = answer(table(client.clone()), EVENT).await;
    assert_eq!(
        (response.status_code, response.body.as_str()),
        (200, r#"{"n":1.50,"userId":"7"}"#)
    );

    let requests: Vec<&HttpRequest> = client.actual_requests().collect();
    let [request] = requests[..] else {
        panic!("{} requests", requests.len())
    };
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "https://dynamodb.eu-central-1.amazonaws.com/");
    assert_eq!(request.headers().get("x-amz-target"), Some("DynamoDB_20120810.GetItem"));
    assert_eq!(request.headers().get("x-amz-security-token"), Some("session"));
    let body: Value = serde_json::from_slice(request.body().bytes().expect("a body")).expect("JSON");
    assert_eq!(body, json!({"TableName": "UserData", "Key": {"userId": {"S": "7"}}}));
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_an_item_is_404() {
    let response = answer(table(replay([(200, "{}")])), EVENT).await;
    assert_eq!(
        (response.status_code, response.body.as_str()),
        (404, r#"{"error":"No user found with userId: 7"}"#)
    );
}

#[tokio::test(start_paused = true)]
async fn every_attribute_type_is_read() {
    let item = r#"{"Item":{"userId":{"S":"7"},"b":{"B":"/wA="},"t":{"BOOL":true},"x":{"NULL":true},
        "l":{"L":[{"N":"12345678901234567890123456789012345678"}]},"m":{"M":{"k":{"S":"v"}}},
        "ss":{"SS":["a"]},"ns":{"NS":["-1E-130"]},"bs":{"BS":["aGk="]}}}"#;
    let response = answer(table(replay([(200, item)])), EVENT).await;
    let expected = r#"{"b":"/wA=","bs":["aGk="],"l":[12345678901234567890123456789012345678],"m":{"k":"v"},"ns":[-1e-130],"ss":["a"],"t":true,"userId":"7","x":null}"#;
    assert_eq!((response.status_code, response.body.as_str()), (200, expected));
}

#[tokio::test(start_paused = true)]
async fn a_throttled_read_is_tried_again() {
    let throttled = service_error("ThrottlingException", "Rate exceeded");
    let client = replay([
        (400, throttled.as_str()),
        (500, "{}"),
        (200, r#"{"Item":{"userId":{"S":"7"}}}"#),
    ]);
    let response = answer(table(client.clone()), EVENT).await;
    assert_eq!((response.status_code, client.actual_requests().count()), (200, 3));
}

#[tokio::test(start_paused = true)]
async fn throttling_that_lasts_is_500() {
    for kind in [
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
    ] {
        let (cause, requests) = failure_of(400, &service_error(kind, "Rate exceeded")).await;
        assert_eq!(cause, format!("{kind}: Rate exceeded (DynamoDB request REQ123)"));
        assert_eq!(requests, 3, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_no_retry_can_help_is_500_at_once() {
    for kind in [
        "AccessDeniedException",
        "ResourceNotFoundException",
        "ValidationException",
        "ExpiredTokenException",
    ] {
        let (cause, requests) = failure_of(400, &service_error(kind, "no: arn:aws:x")).await;
        assert_eq!(cause, format!("{kind}: no: arn:aws:x (DynamoDB request REQ123)"));
        assert_eq!(requests, 1, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_that_says_nothing_is_500() {
    for (status, body) in [
        (500, ""),
        (503, "<html>Service Unavailable</html>"),
        (400, "null"),
        (403, "["),
    ] {
        let (cause, _) = failure_of(status, body).await;
        assert!(
            cause.ends_with(&format!("status {status} (DynamoDB request REQ123)")),
            "{cause}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_malformed_success_is_500_and_not_an_absence() {
    for (body, why) in [
        ("<html>captive portal</html>", "unexpected token '<'"),
        ("{\"Item\":", "unexpected end of stream"),
        ("[]", "expected StartObject"),
        (r#"{"Item":7}"#, "expected start object"),
        (r#"{"Item":{"userId":{"S":7}}}"#, "expected ValueString"),
        (r#"{"Item":{"userId":{"S":"7","N":"7"}}}"#, "mixed variants"),
        (r#"{"Item":{"userId":{"NEWTYPE":"7"}}}"#, "an attribute of a type that"),
    ] {
        let cause = failure(replay([(200, body)])).await;
        assert!(cause.contains(why), "{body}: {cause}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_fails_is_500() {
    let cause = failure(replay([])).await;
    assert!(
        cause.contains("no more test data"),
        "the innermost cause is told: {cause}"
    );
}

#[tokio::test(start_paused = true)]
async fn connecting_early_does_not_wait_for_a_table_that_is_silent() {
    let client = NeverClient::new();
    let started = Instant::now();
    table(client.clone()).connect().await;
    assert_eq!(client.num_calls(), 1);
    assert_eq!(started.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn connecting_early_asks_once_whatever_the_answer() {
    let throttled = service_error("ThrottlingException", "Rate exceeded");
    let client = replay([(400, throttled.as_str()); 4]);
    table(client.clone()).connect().await;
    assert_eq!(client.actual_requests().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn silence_is_500_well_before_the_functions_timeout() {
    let client = NeverClient::new();
    let started = Instant::now();
    let cause = failure(client.clone()).await;
    assert!(cause.contains("timeout"), "{cause}");
    assert_eq!(client.num_calls(), 3, "the limits leave room for every attempt");
    let elapsed = started.elapsed();
    assert!(
        elapsed > Duration::from_secs(7) && elapsed <= OPERATION_TIMEOUT,
        "{elapsed:?}"
    );
}
