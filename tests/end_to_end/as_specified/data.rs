//! The table.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use super::deployed_template;
use crate::support::Clients;

pub(super) async fn table(clients: &Clients) {
    let answer = clients
        .dynamodb
        .describe_table()
        .table_name("UserData")
        .send()
        .await
        .expect("the table");
    let table = answer.table().expect("a description");
    assert_eq!(table.table_status().map(|s| s.as_str()), Some("ACTIVE"));
    let keys: Vec<_> = table
        .key_schema()
        .iter()
        .map(|k| (k.attribute_name(), k.key_type().as_str()))
        .collect();
    assert_eq!(keys, [("userId", "HASH")]);
    let attributes: Vec<_> = table
        .attribute_definitions()
        .iter()
        .map(|a| (a.attribute_name(), a.attribute_type().as_str()))
        .collect();
    assert_eq!(attributes, [("userId", "S")]);
    assert_eq!(
        table
            .billing_mode_summary()
            .and_then(|b| b.billing_mode())
            .map(|m| m.as_str()),
        Some("PAY_PER_REQUEST")
    );
    assert_eq!(table.deletion_protection_enabled(), Some(true), "prod is protected");
    // Recovery is what the emulator's CloudFormation leaves out: so the stack itself is asked.
    let stack = clients
        .cloudformation
        .describe_stacks()
        .stack_name("three-tier-prod-data")
        .send()
        .await;
    let stack = stack.expect("the stack").stacks()[0].clone();
    let protected = stack
        .parameters()
        .iter()
        .find(|p| p.parameter_key() == Some("Protected"));
    assert_eq!(protected.and_then(|p| p.parameter_value()), Some("true"));
    let template = deployed_template(clients, "three-tier-prod-data").await;
    assert_eq!(
        template["Resources"]["Table"]["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"],
        json!({ "Fn::If": ["IsProtected", true, false] })
    );
    assert_eq!(
        template["Resources"]["Table"]["Properties"]["SSESpecification"],
        json!({ "SSEEnabled": true })
    );
    assert_eq!(template["Resources"]["Table"]["UpdateReplacePolicy"], "Retain");
    let item = clients.item("UserData", "1").await.expect("is seeded");
    assert_eq!(item["name"], AttributeValue::S("Test User".into()));
    assert_eq!(item["email"], AttributeValue::S("test@example.com".into()));
    assert_eq!(item.len(), 3);
}
