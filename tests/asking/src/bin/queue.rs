//! Moves messages from a queue to itself.

use std::error::Error;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let queue = std::env::var("QUEUE_URL")?;
    let client = Client::new(&aws_config::load_from_env().await);
    let received = client.receive_message().queue_url(&queue).send().await?;
    for message in received.messages.unwrap_or_default() {
        let entry = SendMessageBatchRequestEntry::builder().id("1");
        let entry = entry.message_body(message.body().unwrap_or_default()).build()?;
        client
            .send_message_batch()
            .queue_url(&queue)
            .entries(entry)
            .send()
            .await?;
        let done = client.delete_message().queue_url(&queue);
        done.receipt_handle(message.receipt_handle().unwrap_or_default())
            .send()
            .await?;
    }
    Ok(())
}
