//! Reads a secret.

use std::error::Error;

use aws_sdk_secretsmanager::Client;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::new(&aws_config::load_from_env().await);
    let secret = client
        .get_secret_value()
        .secret_id(std::env::var("SECRET_ID")?)
        .send()
        .await?;
    std::process::exit(i32::from(secret.secret_string().is_none()))
}
