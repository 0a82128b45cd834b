//! What is asked of DynamoDB and SQS, and what is made of their answers, without a network.

use aws_sdk_dynamodb::config::{
    Credentials, Region,
    http::{HttpRequest, HttpResponse},
};
use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};
use orders::{
    create::{Customers as _, Intake as _},
    get::Orders as _,
    list::Orders as _,
    message::Message,
    order::{Line, Order},
    process::Orders as _,
    queue::Queue,
    shell::Aws,
    table::{CustomerIndex, CustomersTable, OrdersTable, StateIndex},
};
use serde_json::{Value, json};

/// A service that gives one answer after the other.
fn service(answers: &[(u16, Value)]) -> StaticReplayClient {
    let event = |(status, body): &(u16, Value)| {
        let status = (*status).try_into().expect("a status");
        let response = HttpResponse::new(status, body.to_string().into());
        ReplayEvent::new(HttpRequest::empty(), response)
    };
    StaticReplayClient::new(answers.iter().map(event).collect())
}

fn aws(service: &StaticReplayClient) -> Aws {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    Aws::new(Region::new("eu-central-1"), credentials, service.clone())
}

/// What was asked: operations and bodies.
fn asked(service: &StaticReplayClient) -> Vec<(String, Value)> {
    let requests = service.actual_requests().map(|request| {
        let target = request.headers().get("x-amz-target").expect("a target");
        let (_, operation) = target.split_once('.').expect("a version and an operation");
        let body = request.body().bytes().expect("a body in memory");
        (operation.to_owned(), serde_json::from_slice(body).expect("JSON"))
    });
    requests.collect()
}

fn orders(service: &StaticReplayClient) -> OrdersTable {
    OrdersTable {
        client: aws(service).dynamodb(),
        name: "orders-dev".into(),
    }
}

fn by_state(service: &StaticReplayClient) -> StateIndex {
    StateIndex {
        table: orders(service),
        name: "by-state".into(),
    }
}

fn order() -> Order {
    Order {
        order_id: "o-1".into(),
        customer_id: "c-1".into(),
        placed_at: "2026-11-26T09:30:00Z".into(),
        lines: vec![Line {
            sku: "tea".into(),
            quantity: 2,
        }],
    }
}

fn refused(kind: &str) -> (u16, Value) {
    (
        400,
        json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": "why" }),
    )
}

#[tokio::test]
async fn a_customer_is_looked_up_by_key_alone() {
    let service = service(&[(200, json!({"Item": {"customerId": {"S": "c-1"}}})), (200, json!({}))]);
    let customers = CustomersTable {
        client: aws(&service).dynamodb(),
        name: "customers-dev".into(),
    };
    assert_eq!(customers.has("c-1").await, Ok(true));
    assert_eq!(customers.has("c-1").await, Ok(false));
    let question = json!({
        "TableName": "customers-dev",
        "Key": {"customerId": {"S": "c-1"}},
        "ProjectionExpression": "customerId",
    });
    assert_eq!(asked(&service), vec![("GetItem".to_owned(), question); 2]);
}

#[tokio::test]
async fn an_order_is_sent_to_the_queue() {
    let service = service(&[(200, json!({"MessageId": "m-1"}))]);
    let queue = Queue {
        client: aws(&service).sqs(),
        url: "https://sqs.eu-central-1.amazonaws.com/1/orders".into(),
    };
    assert_eq!(queue.send(&Message::Sweep {}).await, Ok(()));
    let [(operation, body)] = &asked(&service)[..] else {
        panic!("one request")
    };
    assert_eq!(operation, "SendMessage");
    assert_eq!(body["QueueUrl"], "https://sqs.eu-central-1.amazonaws.com/1/orders");
    assert_eq!(body["MessageBody"], r#"{"sweep":{}}"#);
}

#[tokio::test]
async fn an_order_is_read_as_it_is_now() {
    let items = json!([
        {"orderId": {"S": "o-1"}, "line": {"N": "0"}, "customerId": {"S": "c-1"}, "placedAt": {"S": "2026-11-26T09:30:00Z"}, "state": {"S": "sent"}},
        {"orderId": {"S": "o-1"}, "line": {"N": "1"}, "sku": {"S": "tea"}, "quantity": {"N": "2"}},
    ]);
    let service = service(&[(200, json!({"Items": items})), (200, json!({"Items": []}))]);
    let shown = orders(&service).get("o-1").await.expect("an answer").expect("an order");
    assert_eq!((shown.customer_id.as_str(), shown.state.as_str()), ("c-1", "sent"));
    assert_eq!(shown.lines, order().lines);
    assert_eq!(orders(&service).get("o-1").await, Ok(None));
    let question = json!({
        "TableName": "orders-dev",
        "ConsistentRead": true,
        "KeyConditionExpression": "orderId = :id",
        "ExpressionAttributeValues": {":id": {"S": "o-1"}},
    });
    assert_eq!(asked(&service)[0], ("Query".to_owned(), question));
}

#[tokio::test]
async fn the_newest_orders_come_from_the_index() {
    let item = json!({"orderId": {"S": "o-1"}, "placedAt": {"S": "2026-11-26T09:30:00Z"}, "state": {"S": "open"}});
    let service = service(&[(200, json!({"Items": [item], "LastEvaluatedKey": item}))]);
    let index = CustomerIndex {
        table: orders(&service),
        name: "by-customer".into(),
    };
    let newest = index.newest("c-1").await.expect("an answer");
    assert_eq!((newest.orders.len(), newest.more), (1, true));
    let question = json!({
        "TableName": "orders-dev",
        "IndexName": "by-customer",
        "KeyConditionExpression": "customerId = :id",
        "ExpressionAttributeValues": {":id": {"S": "c-1"}},
        "ScanIndexForward": false,
        "Limit": 50,
    });
    assert_eq!(asked(&service), [("Query".to_owned(), question)]);
}

#[tokio::test]
async fn an_orders_own_item_is_written_last_and_once() {
    let done = (200, json!({}));
    let service = service(&[
        done.clone(),
        done.clone(),
        done,
        refused("ConditionalCheckFailedException"),
    ]);
    let orders = by_state(&service);
    assert_eq!(orders.place(&order()).await, Ok(()));
    assert_eq!(
        orders.place(&order()).await,
        Ok(()),
        "a second delivery changes nothing"
    );
    let asked = asked(&service);
    let line = json!({"TableName": "orders-dev", "Item": {
        "orderId": {"S": "o-1"}, "line": {"N": "1"}, "sku": {"S": "tea"}, "quantity": {"N": "2"},
    }});
    let head = json!({"TableName": "orders-dev", "ConditionExpression": "attribute_not_exists(orderId)", "Item": {
        "orderId": {"S": "o-1"}, "line": {"N": "0"}, "customerId": {"S": "c-1"},
        "placedAt": {"S": "2026-11-26T09:30:00Z"}, "state": {"S": "open"},
    }});
    let put = |body: &Value| ("PutItem".to_owned(), body.clone());
    assert_eq!(asked, [put(&line), put(&head), put(&line), put(&head)]);
}

#[tokio::test]
async fn old_orders_are_found_and_lapse_if_they_are_still_open() {
    let old = json!({"orderId": {"S": "o-1"}, "line": {"N": "0"}});
    let service = service(&[
        (200, json!({"Items": [old]})),
        (200, json!({})),
        refused("ConditionalCheckFailedException"),
    ]);
    let orders = by_state(&service);
    let found = orders.open_since_before("2026-10-27T09:30:00Z").await;
    assert_eq!(found, Ok(vec!["o-1".to_owned()]));
    assert_eq!(orders.lapse("o-1").await, Ok(()));
    assert_eq!(orders.lapse("o-1").await, Ok(()), "somebody was quicker");
    let asked = asked(&service);
    assert_eq!((asked[0].0.as_str(), asked[1].0.as_str()), ("Query", "UpdateItem"));
    assert_eq!(asked[0].1["IndexName"], "by-state");
    assert_eq!(
        asked[0].1["ExpressionAttributeValues"],
        json!({":open": {"S": "open"}, ":time": {"S": "2026-10-27T09:30:00Z"}})
    );
    assert_eq!(asked[1].1["Key"], json!({"orderId": {"S": "o-1"}, "line": {"N": "0"}}));
    assert_eq!(asked[1].1["ConditionExpression"], "#state = :open");
}

#[tokio::test]
async fn what_is_refused_is_a_failure_that_says_why() {
    let service = service(&[refused("AccessDeniedException"), refused("AccessDeniedException")]);
    let orders = by_state(&service);
    for failure in [orders.place(&order()).await, orders.lapse("o-1").await] {
        let said = failure.expect_err("refused").to_string();
        assert!(said.contains("AccessDeniedException") && said.contains("why"), "{said}");
    }
}
