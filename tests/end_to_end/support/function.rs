//! A function of the test's own that tells what it sees.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};

use super::{Clients, emulator};

const NAME: &str = "tell-environment";

/// The environment variables of a function with this role, as Lambda gives them to it. It goes on waiting for events until
/// it is deleted.
pub(crate) async fn environment(clients: &Clients, role: &str) -> BTreeMap<String, String> {
    let script = format!(
        r#"#!{}
import json, os, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    event = urllib.request.urlopen(base + "next")
    answer = json.dumps(dict(os.environ)).encode()
    request = event.headers["Lambda-Runtime-Aws-Request-Id"]
    urllib.request.urlopen(urllib.request.Request(base + request + "/response", data=answer))
"#,
        emulator::python().display()
    );
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let executable = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    archive.start_file("bootstrap", executable).expect("a file");
    archive.write_all(script.as_bytes()).expect("written");
    let package = archive.finish().expect("a zip").into_inner();
    let lambda = &clients.lambda;
    lambda
        .create_function()
        .function_name(NAME)
        .role(format!("arn:aws:iam::000000000000:role/{role}"))
        .runtime(Runtime::Providedal2023)
        .handler("bootstrap")
        .code(FunctionCode::builder().zip_file(Blob::new(package)).build())
        .send()
        .await
        .expect("the function");
    let told = lambda.invoke().function_name(NAME).send().await.expect("an answer");
    assert_eq!(told.function_error(), None);
    serde_json::from_slice(told.payload().expect("a payload").as_ref()).expect("an environment")
}

/// Deletes it.
pub(crate) async fn delete(clients: &Clients) {
    let delete = clients.lambda.delete_function().function_name(NAME);
    delete.send().await.expect("deleted");
}
