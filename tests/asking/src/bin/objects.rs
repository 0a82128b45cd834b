//! Presigns two requests, copies an object in parts, and lists what there is.

use std::error::Error;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let bucket = std::env::var("BUCKET")?;
    let client = Client::new(&aws_config::load_from_env().await);
    let presigning = PresigningConfig::expires_in(Duration::from_secs(60))?;
    let get = client.get_object().bucket(&bucket).key("a");
    let put = client.put_object().bucket(&bucket).key("b");
    let length = get.presigned(presigning.clone()).await?.uri().len() + put.presigned(presigning).await?.uri().len();
    let upload = client.create_multipart_upload().bucket(&bucket).key("c").send().await?;
    let id = upload.upload_id().unwrap_or_default();
    let part = client
        .upload_part()
        .bucket(&bucket)
        .key("c")
        .upload_id(id)
        .part_number(1);
    let sent = part.body(ByteStream::from(vec![0; length])).send().await;
    let of_upload = client
        .complete_multipart_upload()
        .bucket(&bucket)
        .key("c")
        .upload_id(id);
    match sent {
        Ok(_) => of_upload.send().await.map(|_| ())?,
        Err(_) => client
            .abort_multipart_upload()
            .bucket(&bucket)
            .key("c")
            .upload_id(id)
            .send()
            .await
            .map(|_| ())?,
    }
    let mut pages = client.list_objects_v2().bucket(&bucket).into_paginator().send();
    while let Some(page) = pages.next().await {
        page?;
    }
    Ok(())
}
