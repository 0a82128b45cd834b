//! The queue, through the AWS SDK.

use aws_sdk_sqs::Client;

use crate::{create::Intake, failure::Failure, message::Message};

/// An SQS queue.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Asks SQS.
    pub client: Client,
    /// Which queue.
    pub url: String,
}

impl Intake for Queue {
    async fn send(&self, message: &Message) -> Result<(), Failure> {
        let sent = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(message.to_json());
        sent.send()
            .await
            .map_err(|error| Failure::caused("sending to the queue", &error))?;
        Ok(())
    }
}
