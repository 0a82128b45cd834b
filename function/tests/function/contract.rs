//! The function's contract, row by row.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use crate::support::{FakeTable, answer, item};

fn get(user_id: &str) -> String {
    json!({
        "resource": "/users",
        "path": "/users",
        "httpMethod": "GET",
        "headers": {"Host": "api.example", "origin": "https://d111111abcdef8.cloudfront.net"},
        "queryStringParameters": {"userId": user_id},
        "multiValueQueryStringParameters": {"userId": [user_id]},
        "pathParameters": null,
        "requestContext": {"stage": "prod", "requestId": "api-1"},
        "body": null,
        "isBase64Encoded": false,
    })
    .to_string()
}

/// What comes back, as (status, body), and how often the table was read.
async fn outcome(table: FakeTable, event: &str) -> (u16, String, usize) {
    let response = answer(table.clone(), event).await;
    (response.status_code, response.body, table.reads())
}

#[tokio::test]
async fn options_on_any_path_is_an_empty_200() {
    for path in ["/users", "/", "/elsewhere/deep"] {
        let event = json!({"httpMethod": "OPTIONS", "path": path, "queryStringParameters": {"userId": "1"}});
        let outcome = outcome(FakeTable::holding([]), &event.to_string()).await;
        assert_eq!(outcome, (200, String::new(), 0));
    }
}

#[tokio::test]
async fn get_without_a_user_id_is_400() {
    let expected = (
        400,
        r#"{"error":"Missing required query parameter: userId"}"#.to_owned(),
        0,
    );
    for event in [
        r#"{"httpMethod":"GET","queryStringParameters":null,"multiValueQueryStringParameters":null}"#,
        r#"{"httpMethod":"GET","queryStringParameters":{"other":"1"}}"#,
        r#"{"httpMethod":"GET"}"#,
        &get(""),
    ] {
        assert_eq!(outcome(FakeTable::holding([]), event).await, expected, "{event}");
    }
}

#[tokio::test]
async fn get_of_an_existing_item_is_the_item() {
    let body = r#"{"email":"test@example.com","name":"Test User","userId":"1"}"#;
    assert_eq!(
        outcome(FakeTable::holding([]), &get("1")).await,
        (200, body.to_owned(), 1)
    );
}

#[tokio::test]
async fn the_consoles_minimal_test_event_works() {
    let event = r#"{"httpMethod": "GET", "queryStringParameters": {"userId": "1"}}"#;
    let body = r#"{"email":"test@example.com","name":"Test User","userId":"1"}"#;
    assert_eq!(outcome(FakeTable::holding([]), event).await, (200, body.to_owned(), 1));
}

#[tokio::test]
async fn numbers_come_back_exact() {
    let digits = "12345678901234567890123456789012345678";
    let mut user = item([("userId", "2")]);
    user.insert("balance".into(), AttributeValue::N(digits.into()));
    user.insert(
        "tags".into(),
        AttributeValue::M(HashMap::from([("n".into(), AttributeValue::N("0.10".into()))])),
    );
    let body = format!(r#"{{"balance":{digits},"tags":{{"n":0.10}},"userId":"2"}}"#);
    assert_eq!(outcome(FakeTable::holding([user]), &get("2")).await, (200, body, 1));
}

#[tokio::test]
async fn get_of_no_item_is_404() {
    let body = r#"{"error":"No user found with userId: 999"}"#;
    assert_eq!(
        outcome(FakeTable::holding([]), &get("999")).await,
        (404, body.to_owned(), 1)
    );
}

#[tokio::test]
async fn a_404_escapes_what_was_asked_for() {
    let body = r#"{"error":"No user found with userId: \"},\u0000\\ <b>ß"}"#;
    assert_eq!(
        outcome(FakeTable::holding([]), &get("\"},\0\\ <b>ß")).await,
        (404, body.to_owned(), 1)
    );
}

#[tokio::test]
async fn a_failing_table_is_500_without_the_cause() {
    let table = FakeTable::failing("AccessDeniedException: arn:aws:iam::111122223333:role/secret may not");
    assert_eq!(
        outcome(table, &get("1")).await,
        (500, r#"{"error":"Internal server error"}"#.to_owned(), 1)
    );
}

#[tokio::test]
async fn a_user_id_that_no_key_can_equal_is_400_without_a_read() {
    let body = r#"{"error":"Query parameter userId is longer than 2048 bytes"}"#;
    assert_eq!(
        outcome(FakeTable::holding([]), &get(&"x".repeat(2049))).await,
        (400, body.to_owned(), 0)
    );
    assert_eq!(
        outcome(FakeTable::holding([]), &get(&"é".repeat(1025))).await,
        (400, body.to_owned(), 0)
    );
    assert_eq!(outcome(FakeTable::holding([]), &get(&"é".repeat(1024))).await.0, 404);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    for (user_id, status) in [("1", 200), ("999", 404), ("", 400)] {
        let event = get(user_id).replace(r#""GET""#, r#""HEAD""#);
        let (actual, body, _) = outcome(FakeTable::holding([]), &event).await;
        assert_eq!((actual, body), (status, String::new()));
    }
}

#[tokio::test]
async fn other_methods_are_405_and_say_what_is_allowed() {
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let table = FakeTable::holding([]);
        let event = get("1").replace(r#""GET""#, &format!("{method:?}"));
        let response = answer(table.clone(), &event).await;
        assert_eq!((response.status_code, table.reads()), (405, 0), "{method}");
        assert_eq!(response.body, r#"{"error":"Method not allowed"}"#);
        assert_eq!(response.headers["Allow"], "GET,OPTIONS");
    }
}
