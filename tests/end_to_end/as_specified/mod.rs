//! A deployed `prod`, resource by resource.

mod data;
mod logic;
mod presentation;

use serde_json::Value;

use crate::support::{Clients, Emulator, Project};

#[tokio::test]
async fn prod_is_what_the_readme_says() {
    let emulator = Emulator::start();
    let project = Project::copy();
    let up = project
        .deployer(&emulator.endpoint(), &["up", "--output", "json"])
        .success();
    let document = up.json();
    assert_eq!(document["deployed"], true, "{document}");
    let clients = Clients::root(&emulator.endpoint());

    data::table(&clients).await;
    presentation::buckets(&clients, &emulator).await;
    let origin = presentation::distribution(&clients, &document, &emulator).await;
    logic::role(&clients).await;
    logic::role_in_action(&clients, &emulator).await;
    logic::function(&clients, &origin).await;
    logic::logs_and_alarm(&clients).await;
    logic::api(&clients, &document, &origin).await;
    logic::contract(&clients, &document).await;
    logic::answers(&document, &origin);
    presentation::site(&document);
}

/// What CloudFormation says it made a stack from.
async fn deployed_template(clients: &Clients, stack: &str) -> Value {
    let answer = clients.cloudformation.get_template().stack_name(stack).send().await;
    let answer = answer.expect("a template");
    serde_json::from_str(answer.template_body().expect("a body")).expect("JSON")
}
