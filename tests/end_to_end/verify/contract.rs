//! The checks of the APIs, and of what `stacks/verify.yaml` promises: each is shown to fail, and only when it should.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_apigateway::types::{GatewayResponseType, Op, PatchOperation};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Clients, Deployer, Emulator, Project, Ran};

const STAGE: &str = "dev";
const CONTRACT: &str = "stacks/verify.yaml";
const CHECKS: &str = "api-deployment,api-routes,api-preflight,api-error-answers,requests,invocations";

/// The checks of this file that ended so, each as "id resource".
fn ended(ran: &Ran, result: &str) -> BTreeSet<String> {
    let document = ran.json();
    let checks = document["checks"].as_array().expect("a list");
    let text = |check: &Value, name: &str| check[name].as_str().expect(name).to_owned();
    let found = checks.iter().filter(|check| check["result"] == result);
    found
        .map(|check| format!("{} {}", text(check, "check"), text(check, "resource")))
        .collect()
}

fn patch(path: &str, value: &str) -> PatchOperation {
    PatchOperation::builder()
        .op(Op::Replace)
        .path(path)
        .value(value)
        .build()
}

struct Example {
    emulator: Emulator,
    project: Project,
    clients: Clients,
    api: String,
}

impl Example {
    fn deployed() -> Self {
        let emulator = Emulator::shared();
        let project = Project::copy();
        let args = ["up", "--stage", STAGE, "--no-verify", "--output", "json"];
        let up = project.deployer(&emulator.endpoint(), &args).success();
        Self {
            clients: Clients::root(&emulator.endpoint()),
            api: up.json()["apis"][0]["id"].as_str().expect("an id").to_owned(),
            emulator,
            project,
        }
    }

    fn verify(&self, args: &[&str]) -> Ran {
        let all = [
            "verify",
            "--stage",
            STAGE,
            "--output",
            "json",
            "--timeout",
            "2",
            "--only",
            CHECKS,
        ];
        self.project
            .deployer(&self.emulator.endpoint(), &[&all[..], args].concat())
    }

    /// These fail and no others, and this is told.
    #[track_caller]
    fn fails(&self, expected: &[&str], words: &[&str]) {
        let ran = self.verify(&[]);
        let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(ended(&ran, "failed"), expected, "{}", ran.stdout);
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        for word in words {
            assert!(ran.stdout.contains(word), "`{word}` isn't in {}", ran.stdout);
        }
    }

    async fn resource(&self, path: &str) -> String {
        let all = self
            .clients
            .apigateway
            .get_resources()
            .rest_api_id(&self.api)
            .send()
            .await
            .expect("the paths");
        let found = all.items().iter().find(|one| one.path() == Some(path));
        found.and_then(|one| one.id()).expect(path).to_owned()
    }

    async fn serve(&self, deployment: &str) {
        let update = self
            .clients
            .apigateway
            .update_stage()
            .rest_api_id(&self.api)
            .stage_name(STAGE);
        update
            .patch_operations(patch("/deploymentId", deployment))
            .send()
            .await
            .expect("moved");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_break_of_an_api_is_found_by_its_check() {
    let example = Example::deployed();
    let gateway = &example.clients.apigateway;
    let ran = example.verify(&[]).success();
    let passed = ended(&ran, "passed");
    for check in [
        "api-deployment logic.ApiStage",
        "api-routes logic.Api",
        "api-preflight logic.UsersPreflight",
        "api-error-answers logic.AnswersToFailures",
        "api-error-answers logic.AnswersToUnknownPaths",
        "requests the stage's root is a 404 that names the right path",
        "invocations the function answers OPTIONS with nothing",
    ] {
        assert!(passed.contains(check), "{check}: {}", ran.stdout);
    }
    assert_eq!(
        ended(&ran, "skipped").len() + ended(&ran, "notProven").len(),
        0,
        "{}",
        ran.stdout
    );

    // The preflight lets any page in.
    let path = example.resource("/users").await;
    let before = gateway
        .get_integration_response()
        .rest_api_id(&example.api)
        .resource_id(&path);
    let before = before
        .http_method("OPTIONS")
        .status_code("200")
        .send()
        .await
        .expect("it");
    let before = before.response_parameters().expect("headers").clone();
    let preflight = async |headers: &HashMap<String, String>| {
        let put = gateway
            .put_integration_response()
            .rest_api_id(&example.api)
            .resource_id(&path);
        let put = put
            .http_method("OPTIONS")
            .status_code("200")
            .set_response_parameters(Some(headers.clone()));
        put.send().await.expect("changed");
    };
    let mut open = before.clone();
    open.insert(
        "method.response.header.Access-Control-Allow-Origin".to_owned(),
        "'*'".to_owned(),
    );
    preflight(&open).await;
    example.fails(
        &["api-preflight logic.UsersPreflight", "requests a browser may ask"],
        &[
            "access-control-allow-origin is `*` and should be `http",
            "stacks/logic.yaml",
        ],
    );
    preflight(&before).await;

    // A route wants a signature that the template knows nothing of.
    let authorization = async |kind: &str| {
        let update = gateway
            .update_method()
            .rest_api_id(&example.api)
            .resource_id(&path)
            .http_method("GET");
        update
            .patch_operations(patch("/authorizationType", kind))
            .send()
            .await
            .expect("changed");
    };
    authorization("AWS_IAM").await;
    let ran = example.verify(&["--only", "api-routes"]);
    assert!(ended(&ran, "failed").contains("api-routes logic.Api"), "{}", ran.stdout);
    assert!(
        ran.stdout
            .contains("GET /users wants AWS_IAM, and the template says no credential (NONE)"),
        "{}",
        ran.stdout
    );
    authorization("NONE").await;

    // Another snapshot is served; then one that has a route more.
    let live = gateway
        .get_stage()
        .rest_api_id(&example.api)
        .stage_name(STAGE)
        .send()
        .await
        .expect("it");
    let live = live.deployment_id().expect("an id").to_owned();
    let made = gateway
        .create_deployment()
        .rest_api_id(&example.api)
        .send()
        .await
        .expect("made");
    let other = made.id().expect("an id").to_owned();
    example.serve(&other).await;
    example.fails(
        &["api-deployment logic.ApiStage"],
        &[&other, &live, "aws apigateway update-stage"],
    );
    let put = gateway
        .put_method()
        .rest_api_id(&example.api)
        .resource_id(&path)
        .http_method("DELETE");
    put.authorization_type("NONE").send().await.expect("made");
    let made = gateway
        .create_deployment()
        .rest_api_id(&example.api)
        .send()
        .await
        .expect("made");
    example.serve(made.id().expect("an id")).await;
    example.fails(
        &["api-deployment logic.ApiStage", "api-routes logic.Api"],
        &["DELETE /users is live and isn't in the template"],
    );
    example.serve(&live).await;

    // Browsers would hide a failure of the API's own.
    let put = gateway.put_gateway_response().rest_api_id(&example.api);
    put.response_type(GatewayResponseType::Default5Xx)
        .send()
        .await
        .expect("put");
    example.fails(
        &["api-error-answers logic.AnswersToFailures"],
        &["header.Access-Control-Allow-Origin isn't there and should be 'http"],
    );
}

#[test]
fn a_promise_that_isnt_kept_is_told_piece_by_piece() {
    let example = Example::deployed();
    example.project.edit(
        CONTRACT,
        "json: { userId: \"3\", born: 1815, active: true }",
        "json: { userId: \"3\", born: 1816, languages: [] }",
    );
    let kept = example.project.read(CONTRACT);
    example.fails(
        &["requests numbers, flags, lists and maps have no types of the table's"],
        &["`born` is 1815 and should be 1816; `languages` isn't there and should be []"],
    );

    // Skipped with a reason, it is told and no failure.
    let skip = "skip:\n  - check: requests\n    resource: numbers, flags, lists and maps have no types of the table's\n    \
                reason: Ada's birthday is disputed\n";
    example.project.write(CONTRACT, &format!("{kept}\n{skip}"));
    let ran = example.verify(&[]).success();
    assert_eq!(ended(&ran, "skipped").len(), 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("Ada's birthday is disputed"), "{}", ran.stdout);
    let people = ["verify", "--stage", STAGE, "--only", "requests"];
    let people = example
        .project
        .deployer(&example.emulator.endpoint(), &people)
        .success();
    assert!(
        people.stdout.contains("Ada's birthday is disputed"),
        "{}",
        people.stdout
    );
    assert!(people.stderr.contains("1 skipped"), "{}", people.stderr);

    // What may change something waits for the flag. The API has no such route, so nothing is.
    let change = "  - name: a user is made\n    request: POST ${ApiUrl}\n    body: { a: 1 }\n    expect: { status: 404 }\n\ninvocations:";
    example
        .project
        .write(CONTRACT, &format!("{}\n{skip}", kept.replace("invocations:", change)));
    let ran = example.verify(&[]).success();
    assert!(
        ended(&ran, "skipped").contains("requests a user is made"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("--with-changes"), "{}", ran.stdout);
    let ran = example.verify(&["--with-changes"]).success();
    assert!(
        ended(&ran, "passed").contains("requests a user is made"),
        "{}",
        ran.stdout
    );

    // What is protected is asked about first, and nobody is there to say yes.
    let text = example.project.read("stacks/stages.yaml");
    let protected = text.replace("\n  dev:\n", "\n  dev:\n    protected: true\n");
    assert_ne!(protected, text);
    example.project.write("stacks/stages.yaml", &protected);
    let refused = example.verify(&["--with-changes"]);
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("protected stage dev") && refused.stderr.contains("Say --yes"),
        "{}",
        refused.stderr
    );
    let ran = example.verify(&["--with-changes", "--yes"]).success();
    assert!(
        ended(&ran, "passed").contains("requests a user is made"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_contract_that_cant_be_so_is_refused_before_anything_begins() {
    let project = Project::copy();
    let kept = project.read(CONTRACT);
    for (from, to, words) in [
        (
            "    expect:\n      status: 400",
            "    expct:\n      status: 400",
            ["verify.yaml:33:5", "Did you mean `expect`?"],
        ),
        (
            "OPTIONS ${ApiUrl}",
            "OPTIONS ${ApiUrI}",
            ["no template has an output `ApiUrI`", "Did you mean `ApiUrl`?"],
        ),
        (
            "status: 200",
            "status: 20",
            ["a status is a number from 100 to 599", "^^"],
        ),
        (
            "function: Function",
            "function: Functoin",
            ["no template has a function `Functoin`", "Did you mean `Function`?"],
        ),
    ] {
        assert!(kept.contains(from), "{from}");
        project.write(CONTRACT, &kept.replacen(from, to, 1));
        for command in ["up", "verify"] {
            // Nobody listens there.
            let ran = Deployer::new(project.path(), &[command, "--stage", STAGE])
                .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
                .run();
            let ran = ran.fails_with(2).says(&words);
            assert!(ran.stderr.contains('^'), "{}", ran.stderr);
        }
    }
}

const GATE: &str = r#"
Resources:
  Gate: { Type: AWS::ApiGateway::RestApi, Properties: { Name: gate, EndpointConfiguration: { Types: [REGIONAL] } } }
  Item: { Type: AWS::ApiGateway::Resource, Properties: { RestApiId: !Ref Gate, ParentId: !GetAtt Gate.RootResourceId, PathPart: "{item}" } }
  ReadItem:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Gate
      ResourceId: !Ref Item
      HttpMethod: GET
      AuthorizationType: AWS_IAM
      Integration:
        Type: MOCK
        RequestTemplates: { application/json: '{"statusCode": 200}' }
        IntegrationResponses: [{ StatusCode: "200", ResponseTemplates: { application/json: '{"open":true}' } }]
      MethodResponses: [{ StatusCode: "200" }]
  Keyed:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Gate
      ResourceId: !GetAtt Gate.RootResourceId
      HttpMethod: GET
      AuthorizationType: NONE
      ApiKeyRequired: true
      Integration:
        Type: MOCK
        RequestTemplates: { application/json: '{"statusCode": 200}' }
        IntegrationResponses: [{ StatusCode: "200" }]
      MethodResponses: [{ StatusCode: "200" }]
  Key: { Type: AWS::ApiGateway::ApiKey, DependsOn: Live, Properties: { Enabled: true } }
  Plan: { Type: AWS::ApiGateway::UsagePlan, Properties: { ApiStages: [{ ApiId: !Ref Gate, Stage: !Ref Live }] } }
  PlansKey: { Type: AWS::ApiGateway::UsagePlanKey, Properties: { KeyId: !Ref Key, KeyType: API_KEY, UsagePlanId: !Ref Plan } }
  # Who has no key is not to know that there is something.
  NothingHere:
    Type: AWS::ApiGateway::GatewayResponse
    Properties: { RestApiId: !Ref Gate, ResponseType: INVALID_API_KEY, StatusCode: "404" }
  Snapshot: { Type: AWS::ApiGateway::Deployment, DependsOn: [ReadItem, Keyed, NothingHere], Properties: { RestApiId: !Ref Gate } }
  Live: { Type: AWS::ApiGateway::Stage, Properties: { RestApiId: !Ref Gate, DeploymentId: !Ref Snapshot, StageName: live } }
  Swift:
    Type: AWS::ApiGatewayV2::Api
    Properties: { Name: swift, ProtocolType: HTTP, CorsConfiguration: { AllowOrigins: [https://a.example] } }
  Elsewhere:
    Type: AWS::ApiGatewayV2::Integration
    Properties: { ApiId: !Ref Swift, IntegrationType: HTTP_PROXY, IntegrationMethod: GET, IntegrationUri: http://127.0.0.1:1, PayloadFormatVersion: "1.0" }
  Pass:
    Type: AWS::ApiGatewayV2::Route
    Properties: { ApiId: !Ref Swift, RouteKey: GET /pass, AuthorizationType: AWS_IAM, Target: !Sub "integrations/${Elsewhere}" }
  Always: { Type: AWS::ApiGatewayV2::Stage, Properties: { ApiId: !Ref Swift, StageName: $default, AutoDeploy: true } }
Outputs:
  KeyId: { Value: !Ref Key }
  GateUrl: { Value: !Sub "https://${Gate}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${Live}" }
"#;

const PROMISES: &str = r#"
requests:
  - { name: signed, request: "GET ${GateUrl}/a b", sign: iam, expect: { status: 200, json: { open: true } } }
  - { name: unsigned, request: "GET ${GateUrl}/a", expect: { status: 403 } }
  - { name: with a key, request: "GET ${GateUrl}/", apiKey: "${KeyId}", expect: { status: 200 } }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn apis_that_want_a_credential_pass_by_refusing() {
    let emulator = Emulator::shared();
    let dir = TempDir::new().expect("a folder");
    std::fs::create_dir(dir.path().join("stacks")).expect("made");
    for (file, text) in [
        ("stages.yaml", "project: odd\nstages: { dev: {} }\n"),
        ("gate.yaml", GATE),
        ("verify.yaml", PROMISES),
    ] {
        std::fs::write(dir.path().join("stacks").join(file), text).expect("written");
    }
    let run = |args: &[&str]| Deployer::new(dir.path(), args).at(&emulator.endpoint()).run();
    run(&["up", "--stage", STAGE, "--no-verify"]).success();
    let verify = || {
        run(&[
            "verify",
            "--stage",
            STAGE,
            "--only",
            CHECKS,
            "--output",
            "json",
            "--timeout",
            "2",
        ])
    };
    let ran = verify().success();
    let expected = [
        "api-deployment gate.Always",
        "api-deployment gate.Live",
        "api-error-answers gate.NothingHere",
        "api-routes gate.Gate",
        "api-routes gate.Swift",
        "requests signed",
        "requests unsigned",
        "requests with a key",
    ];
    assert_eq!(
        ended(&ran, "passed"),
        expected.map(str::to_owned).into(),
        "{}",
        ran.stdout
    );
    assert_eq!(
        ended(&ran, "notProven"),
        ["api-preflight gate.Swift".to_owned()].into(),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("without a credential: GET / 404, GET /{item} 403"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("without a credential: GET /pass 403"),
        "{}",
        ran.stdout
    );

    // Open to all.
    let gateway = &Clients::root(&emulator.endpoint()).apigateway;
    let apis = gateway.get_rest_apis().send().await.expect("APIs");
    let api = apis.items().iter().find_map(|api| api.id()).expect("one").to_owned();
    let paths = gateway.get_resources().rest_api_id(&api).send().await.expect("paths");
    let path = paths
        .items()
        .iter()
        .find(|one| one.path() == Some("/{item}"))
        .and_then(|one| one.id())
        .expect("it");
    let update = gateway
        .update_method()
        .rest_api_id(&api)
        .resource_id(path)
        .http_method("GET");
    update
        .patch_operations(patch("/authorizationType", "NONE"))
        .send()
        .await
        .expect("changed");
    let ran = verify();
    assert_eq!(
        ended(&ran, "failed"),
        ["api-routes gate.Gate", "requests unsigned"].map(str::to_owned).into(),
        "{}",
        ran.stdout
    );
}
