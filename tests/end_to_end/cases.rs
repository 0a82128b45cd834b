//! What users of earlier versions ran into, each as it is to be.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Clients, Emulator, Project, Proxy, document, http};

/// An authorizer in front of `GET /users`, as the README asks for before anything private is stored.
const AUTHORIZER: &str = r#"
  GuardFn:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      Role: !GetAtt FunctionRole.Arn
      Code:
        ZipFile: |
          def handler(event, context):
              ok = event.get("authorizationToken") == "let me in"
              return {"principalId": "u", "policyDocument": {"Version": "2012-10-17", "Statement": [
                  {"Action": "execute-api:Invoke", "Effect": "Allow" if ok else "Deny", "Resource": event["methodArn"]}]}}
  Guard:
    Type: AWS::ApiGateway::Authorizer
    Properties:
      Name: guard
      RestApiId: !Ref Api
      Type: TOKEN
      IdentitySource: method.request.header.Authorization
      AuthorizerUri: !Sub "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${GuardFn.Arn}/invocations"
  GuardMayRun:
    Type: AWS::Lambda::Permission
    Properties: { FunctionName: !Ref GuardFn, Action: lambda:InvokeFunction, Principal: apigateway.amazonaws.com }
"#;

/// A refusal of whoever is unknown is what the owner wants: nothing fails, and nothing advises to take it back.
#[test]
fn an_authorizer_is_no_failure() {
    let (emulator, project) = (Emulator::shared(), Project::copy());
    project.edit(
        "stacks/logic.yaml",
        "\nOutputs:\n",
        &format!("{AUTHORIZER}\nOutputs:\n"),
    );
    let logic = project.read("stacks/logic.yaml");
    let named = logic.find("OperationName: retrieveUserData").expect("the method");
    let open = "AuthorizationType: NONE";
    let at = named + logic[named..].find(open).expect("it is open");
    let closed = "AuthorizationType: CUSTOM\n      AuthorizerId: !Ref Guard";
    project.write(
        "stacks/logic.yaml",
        &format!("{}{closed}{}", &logic[..at], &logic[at + open.len()..]),
    );
    let run = |args: &[&str]| project.deployer(&emulator.endpoint(), args);
    let document = run(&["up", "--output", "json"]).success().json();
    let checks = document["verification"]["checks"].as_array().expect("checks");
    let trouble: Vec<&Value> = checks.iter().filter(|check| check["result"] != "passed").collect();
    // What the contract promises behind the authorizer can't be seen from outside.
    assert!(!trouble.is_empty());
    for check in trouble {
        assert_eq!(
            (&check["check"], &check["result"]),
            (&json!("requests"), &json!("notProven"))
        );
        let next = check["nextStep"].as_str().expect("a next step");
        assert!(next.contains("`headers: { Authorization:"), "{next}");
        assert!(!check.to_string().contains("deployer down"), "{check}");
    }
    let url = format!("{}?userId=1", document::api_url(&document));
    let anonymous = http::get(&url).expect("an answer");
    assert!([401, 403].contains(&anonymous.status), "{}", anonymous.status);
    let known = http::request("GET", &url, &[("Authorization", "let me in")]).expect("an answer");
    assert_eq!(known.status, 200, "{}", known.body);

    // Once the contract shows what is asked for, it is proven; and what is wrong is then a failure.
    let contract = project.read("stacks/verify.yaml");
    let shown = contract.replace(
        "    request: GET ${ApiUrl}",
        "    headers: { Authorization: let me in }\n    request: GET ${ApiUrl}",
    );
    assert_ne!(shown, contract);
    project.write("stacks/verify.yaml", &shown);
    let verified = run(&["verify", "--output", "json"]).success().json();
    let is_open = |check: &&Value| check["result"] != "passed";
    let open: Vec<&Value> = verified["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .filter(is_open)
        .collect();
    assert_eq!(open, Vec::<&Value>::new());
    project.write("stacks/verify.yaml", &shown.replace("let me in", "open up"));
    assert_eq!(run(&["verify", "--timeout", "1"]).code, 3);
}

/// A second API beside the first, whose deployment's name begins like the first's.
const SECOND_API: &str = r#"
  AdminApi:
    Type: AWS::ApiGateway::RestApi
    Properties: { Name: !Sub "${Project}-${Stage}-admin" }
  AdminPing:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref AdminApi
      ResourceId: !GetAtt AdminApi.RootResourceId
      HttpMethod: GET
      AuthorizationType: NONE
      Integration: { Type: MOCK, RequestTemplates: { application/json: "{\"statusCode\": 200}" } }
  ApiDeploymentAdmin:
    Type: AWS::ApiGateway::Deployment
    DependsOn: AdminPing
    Properties: { RestApiId: !Ref AdminApi }
  AdminStage:
    Type: AWS::ApiGateway::Stage
    Properties: { RestApiId: !Ref AdminApi, DeploymentId: !Ref ApiDeploymentAdmin, StageName: !Ref Stage }
"#;

/// Whose API each deployment is of, and which deployment each API's stage has.
fn deployments(template: &Value) -> (BTreeMap<&str, Vec<&str>>, BTreeMap<&str, &str>) {
    let (mut of_api, mut live) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::new());
    for (id, resource) in template["Resources"].as_object().expect("resources") {
        let api = resource["Properties"]["RestApiId"]["Ref"].as_str();
        match (resource["Type"].as_str(), api) {
            (Some("AWS::ApiGateway::Deployment"), Some(api)) => of_api.entry(api).or_default().push(id.as_str()),
            (Some("AWS::ApiGateway::Stage"), Some(api)) => {
                let deployment = resource["Properties"]["DeploymentId"]["Ref"].as_str();
                live.insert(api, deployment.expect("a deployment"));
            }
            _ => {}
        }
    }
    (of_api, live)
}

/// In every step of an update, each API has its own deployment live, whatever the hashes in their names begin with.
#[test]
fn deployments_with_one_prefix_stay_their_apis_own() {
    let (emulator, project) = (Emulator::shared(), Project::copy());
    let proxy = Proxy::before(emulator.port());
    project.edit(
        "stacks/logic.yaml",
        "\nOutputs:\n",
        &format!("{SECOND_API}\nOutputs:\n"),
    );
    let up = || {
        proxy.take();
        project
            .deployer(&proxy.endpoint(), &["up", "--stage", "dev", "--yes", "--no-verify"])
            .success();
        let sent = proxy.take();
        let templates: Vec<Value> = sent
            .iter()
            .filter(|seen| seen.operation == "CreateChangeSet" && seen.body.contains("dev-logic"))
            .map(|seen| seen.parameter("TemplateBody").expect("a template"))
            .map(|body| serde_json::from_str(&body).expect("JSON"))
            .collect();
        for template in &templates {
            let (of_api, live) = deployments(template);
            assert_eq!(of_api.len(), 2, "{of_api:?}");
            for (api, deployments) in &of_api {
                assert!(deployments.contains(&live[api]), "{of_api:?} {live:?}");
            }
        }
        templates
    };
    // Until the name of the first's goes on as the second's prefix does: a hash that begins with a letter.
    let hash = |templates: &[Value]| {
        let (of_api, live) = deployments(templates.last().expect("a change set"));
        assert_eq!(of_api["Api"].len(), 1);
        live["Api"].strip_prefix("ApiDeployment").expect("its name").to_owned()
    };
    let mut tried = 0;
    while !hash(&up()).starts_with(|first: char| first.is_ascii_alphabetic()) {
        tried += 1;
        assert!(tried < 20, "no such hash");
        let description = format!("      Description: Users by id. {tried}");
        let logic = project.read("stacks/logic.yaml");
        let line = logic
            .lines()
            .find(|line| line.starts_with("      Description: Users by id."))
            .expect("a description");
        project.edit("stacks/logic.yaml", line, &description);
    }
    // A model leaves: the definition changes first, then the snapshot is taken.
    let logic = project.read("stacks/logic.yaml");
    let (before, rest) = logic.split_once("  ErrorModel:\n").expect("a model");
    let (_, after) = rest.split_once("  UsersResource:\n").expect("what comes next");
    let without = format!("{before}  UsersResource:\n{after}").replace("!Ref ErrorModel", "Empty");
    project.write("stacks/logic.yaml", &without);
    assert!(up().len() > 2, "at least one to look at, and two steps");
}

/// What a stage says of a parameter beats what another template's output would give.
#[tokio::test]
async fn an_origin_of_ones_own_is_used() {
    let (emulator, project) = (Emulator::shared(), Project::copy());
    project.edit(
        "stacks/stages.yaml",
        "      LogRetentionDays: 3\n",
        "      LogRetentionDays: 3\n      SiteOrigin: https://www.example.com\n",
    );
    let run = |args: &[&str]| project.deployer(&emulator.endpoint(), &[args, &["--stage", "dev"]].concat());
    // The app's contract says otherwise, and that is said with what to do about it.
    let contradicted = run(&["up"]);
    assert_eq!(contradicted.code, 3, "{}", contradicted.stderr);
    for part in [
        "is `https://www.example.com` and should be",
        "say so in stacks/verify.yaml",
    ] {
        // What was found is the result; what to do about it is told at the end as well.
        assert!(contradicted.stdout.contains(part), "{contradicted}");
    }
    let contract = project.read("stacks/verify.yaml");
    assert!(contract.contains("${SiteOrigin}"), "{contract}");
    project.write(
        "stacks/verify.yaml",
        &contract.replace("${SiteOrigin}", "https://www.example.com"),
    );
    let document = run(&["up", "--output", "json"]).success().json();
    let clients = Clients::root(&emulator.endpoint());
    let stack = clients
        .cloudformation
        .describe_stacks()
        .stack_name("three-tier-dev-logic")
        .send()
        .await
        .expect("the stack");
    let given = stack.stacks()[0]
        .parameters()
        .iter()
        .find(|parameter| parameter.parameter_key() == Some("SiteOrigin"))
        .and_then(|parameter| parameter.parameter_value());
    assert_eq!(given, Some("https://www.example.com"));
    let answer = http::get(&format!("{}?userId=1", document::api_url(&document))).expect("an answer");
    assert_eq!(
        (answer.status, answer.header("Access-Control-Allow-Origin")),
        (200, Some("https://www.example.com")),
        "{}",
        answer.body
    );
    run(&["verify"]).success();
    let graph = run(&["graph"]).success();
    assert!(graph.stdout.contains("SiteOrigin"), "{}", graph.stdout);
    assert!(!graph.stdout.contains("← presentation.SiteOrigin"), "{}", graph.stdout);
}

/// The path is the app's own: all that names it is in the folder.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_of_another_name_is_deployed_and_used() {
    let (emulator, project) = (Emulator::shared(), Project::copy());
    for file in ["stacks/logic.yaml", "stacks/verify.yaml", "site/index.html"] {
        let renamed = project.read(file).replace("/users", "/people");
        project.write(file, &renamed.replace("PathPart: users", "PathPart: people"));
    }
    let run = |args: &[&str]| project.deployer(&emulator.endpoint(), &[args, &["--stage", "dev"]].concat());
    let document = run(&["up", "--output", "json"]).success().json();
    assert_eq!(document["verification"]["verified"], true, "{document:#}");
    let url = document::api_url(&document);
    assert!(url.ends_with("/dev/people"), "{url}");
    let answer = http::get(&format!("{url}?userId=1")).expect("an answer");
    assert_eq!((answer.status, answer.json()["userId"].as_str()), (200, Some("1")));
    let config = http::get(&format!("{}config.json", document::site_url(&document))).expect("an answer");
    assert_eq!(config.json()["apiUrl"], url, "the page finds it");
    let old = http::get(&format!("{}?userId=1", url.replace("/people", "/users"))).expect("an answer");
    assert!(old.status >= 400, "{}", old.status);
    let status = run(&["status"]).success();
    assert!(status.stdout.contains("/dev/people"), "{}", status.stdout);

    // Back again: one `up` moves the route, the output and what the page is told.
    for file in ["stacks/logic.yaml", "stacks/verify.yaml", "site/index.html"] {
        let back = project.read(file).replace("/people", "/users");
        project.write(file, &back.replace("PathPart: people", "PathPart: users"));
    }
    let document = run(&["up", "--yes", "--output", "json"]).success().json();
    assert_eq!(document["verification"]["verified"], true, "{document:#}");
    let moved = document::api_url(&document);
    assert!(moved.ends_with("/dev/users"), "{moved}");
    assert_eq!(http::get(&format!("{moved}?userId=1")).expect("an answer").status, 200);
    assert!(http::get(&format!("{url}?userId=1")).expect("an answer").status >= 400);
    let config = http::get(&format!("{}config.json", document::site_url(&document))).expect("an answer");
    assert_eq!(config.json()["apiUrl"], moved);
    run(&["down", "--yes"]).success();
    let clients = Clients::root(&emulator.endpoint());
    let left = clients.cloudformation.describe_stacks().send().await.expect("stacks");
    assert!(left.stacks().is_empty(), "{left:?}");
}
