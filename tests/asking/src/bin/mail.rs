//! Sends a mail.

use std::error::Error;

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{Destination, EmailContent, RawMessage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::new(&aws_config::load_from_env().await);
    let raw = RawMessage::builder().data(Blob::new("Subject: hello")).build()?;
    let to = Destination::builder().to_addresses("to@example.com").build();
    let mail = client
        .send_email()
        .from_email_address("from@example.com")
        .destination(to);
    mail.content(EmailContent::builder().raw(raw).build()).send().await?;
    Ok(())
}
