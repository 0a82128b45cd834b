//! The role, the function and the API.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_iam::config::Credentials;
use serde_json::{Value, json};

use super::deployed_template;
use crate::support::{Clients, Emulator, Project, document, function, http};

const ROLE: &str = "three-tier-prod-function-us-east-1";
const FUNCTION: &str = "retrieve-user-data";

pub(super) async fn role(clients: &Clients) {
    let answer = clients.iam.get_role().role_name(ROLE).send().await.expect("the role");
    let trust = answer
        .role()
        .and_then(|r| r.assume_role_policy_document())
        .expect("a trust policy")
        .replace("%22", "\"");
    assert!(trust.contains("lambda.amazonaws.com"), "{trust}");
    let attached = clients
        .iam
        .list_attached_role_policies()
        .role_name(ROLE)
        .send()
        .await
        .expect("policies");
    assert!(attached.attached_policies().is_empty(), "no managed policy");
    let inline = clients
        .iam
        .list_role_policies()
        .role_name(ROLE)
        .send()
        .await
        .expect("policies");
    assert_eq!(inline.policy_names().len(), 1, "one inline policy");
    let policy = clients
        .iam
        .get_role_policy()
        .role_name(ROLE)
        .policy_name(&inline.policy_names()[0])
        .send()
        .await
        .expect("the policy");
    let statements = statements(policy.policy_document());
    assert_eq!(statements.len(), 2);
    assert_eq!(statements[0]["Action"], "dynamodb:GetItem");
    assert_eq!(
        statements[0]["Resource"],
        "arn:aws:dynamodb:us-east-1:000000000000:table/UserData"
    );
    assert_eq!(
        statements[1]["Action"],
        json!(["logs:CreateLogStream", "logs:PutLogEvents"])
    );
    assert_eq!(
        statements[1]["Resource"],
        format!("arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/{FUNCTION}:*")
    );
    assert!(
        statements
            .iter()
            .all(|s| s["Effect"] == "Allow" && s["Resource"] != "*")
    );
}

/// Acts with the role's own credentials, as Lambda hands them to a function: a second function with the same role
/// tells them.
pub(super) async fn role_in_action(clients: &Clients, emulator: &Emulator) {
    let told = function::environment(clients, ROLE).await;
    function::delete(clients).await;
    let key = &told["AWS_ACCESS_KEY_ID"];
    assert_ne!(*key, emulator.keys().id, "these must be the role's, not root's");
    let (secret, token) = (&told["AWS_SECRET_ACCESS_KEY"], told.get("AWS_SESSION_TOKEN"));
    let role = Clients::with(
        &emulator.endpoint(),
        Credentials::new(key, secret, token.cloned(), None, "the function's role"),
    );
    let id = || AttributeValue::S("1".into());
    let db = &role.dynamodb;
    db.get_item()
        .table_name("UserData")
        .key("userId", id())
        .send()
        .await
        .expect("GetItem is allowed");
    let denied = [
        db.put_item()
            .table_name("UserData")
            .item("userId", id())
            .send()
            .await
            .map(drop)
            .map_err(|e| e.code().map(str::to_owned)),
        db.delete_item()
            .table_name("UserData")
            .key("userId", id())
            .send()
            .await
            .map(drop)
            .map_err(|e| e.code().map(str::to_owned)),
        db.scan()
            .table_name("UserData")
            .send()
            .await
            .map(drop)
            .map_err(|e| e.code().map(str::to_owned)),
        db.delete_table()
            .table_name("UserData")
            .send()
            .await
            .map(drop)
            .map_err(|e| e.code().map(str::to_owned)),
        db.get_item()
            .table_name("Other")
            .key("userId", id())
            .send()
            .await
            .map(drop)
            .map_err(|e| e.code().map(str::to_owned)),
    ];
    for (index, outcome) in denied.into_iter().enumerate() {
        assert_eq!(outcome, Err(Some("AccessDeniedException".to_owned())), "call {index}");
    }
}

pub(super) async fn function(clients: &Clients, origin: &str) {
    let answer = clients
        .lambda
        .get_function_configuration()
        .function_name(FUNCTION)
        .send()
        .await
        .expect("the function");
    assert_eq!(answer.runtime().map(|r| r.as_str()), Some("provided.al2023"));
    assert_eq!(answer.handler(), Some("bootstrap"));
    assert_eq!(answer.timeout(), Some(10));
    assert_eq!(
        answer.role(),
        Some(format!("arn:aws:iam::000000000000:role/{ROLE}").as_str())
    );
    assert!(
        answer.vpc_config().is_none_or(|vpc| vpc.subnet_ids().is_empty()),
        "not in a VPC"
    );
    let variables = answer.environment().and_then(|e| e.variables()).expect("variables");
    assert_eq!(variables["TABLE_NAME"], "UserData");
    assert_eq!(variables["ALLOWED_ORIGIN"], origin);

    let policy = clients
        .lambda
        .get_policy()
        .function_name(FUNCTION)
        .send()
        .await
        .expect("a policy");
    let policy: Value = serde_json::from_str(policy.policy().expect("a policy")).expect("JSON");
    let statement = &policy["Statement"][0];
    assert_eq!(statement["Action"], "lambda:InvokeFunction");
    assert_eq!(statement["Principal"]["Service"], "apigateway.amazonaws.com");
    let source = statement["Condition"].to_string();
    assert!(source.contains("/*/GET/users\""), "{source}");
}

pub(super) async fn logs_and_alarm(clients: &Clients) {
    let groups = clients
        .logs
        .describe_log_groups()
        .log_group_name_prefix(format!("/aws/lambda/{FUNCTION}"))
        .send()
        .await
        .expect("log groups");
    assert_eq!(groups.log_groups().len(), 1);
    assert_eq!(groups.log_groups()[0].retention_in_days(), Some(14));
    let template = clients
        .cloudformation
        .describe_stack_resources()
        .stack_name("three-tier-prod-logic")
        .send()
        .await
        .expect("resources");
    let alarms: Vec<&str> = template
        .stack_resources()
        .iter()
        .filter(|r| r.resource_type() == Some("AWS::CloudWatch::Alarm"))
        .filter_map(|r| r.physical_resource_id())
        .collect();
    assert!(alarms.contains(&"three-tier-prod-function-errors"), "{alarms:?}");
    // A function that answers 500 hasn't failed to Lambda; the API counts those.
    assert!(alarms.contains(&"three-tier-prod-api-5xx"), "{alarms:?}");
    assert!(
        template
            .stack_resources()
            .iter()
            .all(|r| r.resource_type() != Some("AWS::SNS::Topic")),
        "no topic without an address"
    );
}

pub(super) async fn api(clients: &Clients, document: &Value, origin: &str) {
    let id = document::api_id(document);
    // The emulator doesn't tell the endpoint's type, so the stack itself is asked.
    let api = deployed_template(clients, "three-tier-prod-logic").await;
    assert_eq!(
        api["Resources"]["Api"]["Properties"]["EndpointConfiguration"],
        json!({ "Types": ["REGIONAL"] })
    );
    let resources = clients
        .apigateway
        .get_resources()
        .rest_api_id(id)
        .send()
        .await
        .expect("resources");
    let paths: Vec<&str> = resources.items().iter().filter_map(|r| r.path()).collect();
    assert!(paths.contains(&"/users") && paths.len() == 2, "{paths:?}");
    let users = resources
        .items()
        .iter()
        .find(|r| r.path() == Some("/users"))
        .and_then(|r| r.id())
        .expect("an id");
    let get = clients
        .apigateway
        .get_method()
        .rest_api_id(id)
        .resource_id(users)
        .http_method("GET")
        .send()
        .await
        .expect("GET");
    let integration = get.method_integration().expect("an integration");
    assert_eq!(integration.r#type().map(|t| t.as_str()), Some("AWS_PROXY"));
    assert_eq!(integration.http_method(), Some("POST"));
    assert_eq!(
        get.request_parameters()
            .and_then(|p| p.get("method.request.querystring.userId"))
            .copied(),
        Some(true)
    );
    assert!(
        get.request_validator_id().is_none(),
        "the function answers the 400 itself"
    );
    let mut described: Vec<&String> = get.method_responses().expect("responses").keys().collect();
    described.sort();
    assert_eq!(described, ["200", "400", "404", "500"]);
    let options = clients
        .apigateway
        .get_method()
        .rest_api_id(id)
        .resource_id(users)
        .http_method("OPTIONS")
        .send()
        .await
        .expect("OPTIONS");
    assert_eq!(
        options
            .method_integration()
            .and_then(|i| i.r#type())
            .map(|t| t.as_str()),
        Some("MOCK")
    );
    let stage = clients
        .apigateway
        .get_stage()
        .rest_api_id(id)
        .stage_name("prod")
        .send()
        .await
        .expect("the stage");
    let settings = stage
        .method_settings()
        .and_then(|s| s.get("*/*"))
        .expect("settings of all methods");
    assert_eq!(
        (settings.throttling_rate_limit(), settings.throttling_burst_limit()),
        (50.0, 100)
    );
    for kind in ["DEFAULT_4XX", "DEFAULT_5XX"] {
        let answer = clients
            .apigateway
            .get_gateway_response()
            .rest_api_id(id)
            .response_type(kind.into())
            .send()
            .await
            .expect("a gateway response");
        assert_eq!(answer.status_code(), None, "{kind} keeps each error's own status");
        let headers = answer.response_parameters().expect("headers");
        assert_eq!(
            headers["gatewayresponse.header.Access-Control-Allow-Origin"],
            format!("'{origin}'"),
            "{kind}"
        );
    }
}

/// The contract as it is exported from the deployed stage.
pub(super) async fn contract(clients: &Clients, document: &Value) {
    let id = document::api_id(document);
    for kind in ["oas30", "swagger"] {
        let answer = clients
            .apigateway
            .get_export()
            .rest_api_id(id)
            .stage_name("prod")
            .export_type(kind)
            .accepts("application/json")
            .send()
            .await
            .expect("an export");
        let export: Value = serde_json::from_slice(answer.body().expect("a body").as_ref()).expect("JSON");
        let get = &export["paths"]["/users"]["get"];
        let parameter = &get["parameters"][0];
        assert_eq!(
            (&parameter["name"], &parameter["in"], &parameter["required"]),
            (&json!("userId"), &json!("query"), &json!(true)),
            "{kind}: {get}"
        );
        let mut described: Vec<&String> = get["responses"].as_object().expect("responses").keys().collect();
        described.sort();
        assert_eq!(described, ["200", "400", "404", "500"], "{kind}");
    }
}

/// What the running app answers, over HTTP.
pub(super) fn answers(document: &Value, origin: &str) {
    let url = document::api_url(document);
    assert!(url.ends_with("/prod/users"), "the path is in it: {url}");
    for (query, status, body) in [
        (
            "?userId=1",
            200,
            json!({ "userId": "1", "name": "Test User", "email": "test@example.com" }),
        ),
        (
            "?userId=nobody",
            404,
            json!({ "error": "No user found with userId: nobody" }),
        ),
        ("", 400, json!({ "error": "Missing required query parameter: userId" })),
        (
            "?userId=",
            400,
            json!({ "error": "Missing required query parameter: userId" }),
        ),
    ] {
        let answer = http::request("GET", &format!("{url}{query}"), &[("Origin", origin)]).expect("an answer");
        assert_eq!((answer.status, answer.json()), (status, body), "{query}");
        assert_eq!(answer.header("Content-Type"), Some("application/json"));
        cors(&answer, origin);
    }
    let preflight = http::request(
        "OPTIONS",
        url,
        &[("Origin", origin), ("Access-Control-Request-Method", "GET")],
    )
    .expect("an answer");
    assert_eq!(preflight.status, 200);
    cors(&preflight, origin);
    let root = http::get(url.strip_suffix("/users").expect("a path")).expect("an answer");
    assert_eq!(root.status, 404, "{}", root.body);
    assert!(
        root.json()["error"]
            .as_str()
            .expect("a message")
            .contains("GET /prod/users?userId=")
    );
    cors(&root, origin);
}

fn cors(answer: &http::Answer, origin: &str) {
    for (name, value) in [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Methods", "GET,OPTIONS"),
        ("Access-Control-Allow-Headers", "Content-Type,Authorization"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
}

/// IAM's API answers with URL-encoded JSON.
fn statements(document: &str) -> Vec<Value> {
    let mut decoded = Vec::new();
    let mut bytes = document.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let hex: String = bytes.by_ref().take(2).map(char::from).collect();
            decoded.push(u8::from_str_radix(&hex, 16).expect("an escape"));
        } else {
            decoded.push(byte);
        }
    }
    let policy: Value = serde_json::from_slice(&decoded).expect("JSON");
    policy["Statement"].as_array().expect("statements").clone()
}

/// A stage with an address tells it of failures.
#[tokio::test]
async fn an_alarm_address_gets_a_topic_with_its_subscription() {
    let emulator = Emulator::start();
    let project = Project::copy();
    project.edit(
        "stacks/stages.yaml",
        "      LogRetentionDays: 3\n",
        "      LogRetentionDays: 3\n      AlarmEmail: oncall@example.com\n",
    );
    project
        .deployer(&emulator.endpoint(), &["up", "--stage", "dev"])
        .success();
    let clients = Clients::root(&emulator.endpoint());
    let stack = clients
        .cloudformation
        .describe_stack_resources()
        .stack_name("three-tier-dev-logic")
        .send()
        .await;
    let stack = stack.expect("resources");
    let kinds: Vec<&str> = stack
        .stack_resources()
        .iter()
        .filter_map(|r| r.resource_type())
        .collect();
    assert!(
        kinds.contains(&"AWS::SNS::Topic") && kinds.contains(&"AWS::SNS::Subscription"),
        "{kinds:?}"
    );
    let groups = clients.logs.describe_log_groups().send().await.expect("log groups");
    assert_eq!(groups.log_groups()[0].retention_in_days(), Some(3), "dev's own setting");
}
