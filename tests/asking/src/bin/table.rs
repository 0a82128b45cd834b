//! Reads and writes a table, page by page, and waits for it.

use std::error::Error;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters as _;
use aws_sdk_dynamodb::types::AttributeValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let table = std::env::var("TABLE_NAME")?;
    let client = Client::new(&aws_config::load_from_env().await);
    let wait = client.wait_until_table_exists().table_name(&table);
    wait.wait(Duration::from_secs(5)).await?;
    let query = client.query().table_name(&table).key_condition_expression("id = :id");
    let mut pages = query
        .expression_attribute_values(":id", AttributeValue::S("1".to_owned()))
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        for item in page?.items.unwrap_or_default() {
            client.put_item().table_name(&table).set_item(Some(item)).send().await?;
        }
    }
    let update = client.update_item().table_name(&table);
    update.key("id", AttributeValue::S("1".to_owned())).send().await?;
    Ok(())
}
