//! The live API follows its definition: after one `up`, and only then.

use aws_sdk_apigateway::operation::get_stage::GetStageOutput;

use crate::support::{Clients, Emulator, Project, Proxy, document, http};

struct Deployed {
    project: Project,
    emulator: Emulator,
    clients: Clients,
    api: String,
    url: String,
}

impl Deployed {
    fn new() -> Self {
        let emulator = Emulator::shared();
        let project = Project::copy();
        // The app's contract has the very answers that are changed here.
        std::fs::remove_file(project.path().join("stacks/verify.yaml")).expect("removed");
        let up = project
            .deployer(&emulator.endpoint(), &["up", "--output", "json"])
            .success()
            .json();
        Self {
            clients: Clients::root(&emulator.endpoint()),
            api: document::api_id(&up).to_owned(),
            url: document::api_url(&up).to_owned(),
            project,
            emulator,
        }
    }

    /// The live deployment after an edit of the template and one `up`.
    async fn after(&self, from: &str, to: &str) -> String {
        self.project.edit("stacks/logic.yaml", from, to);
        self.project.deployer(&self.emulator.endpoint(), &["up"]).success();
        self.deployment().await
    }

    async fn stage(&self) -> GetStageOutput {
        let api = &self.clients.apigateway;
        let answer = api.get_stage().rest_api_id(&self.api).stage_name("prod").send().await;
        answer.expect("the stage")
    }

    async fn deployment(&self) -> String {
        self.stage().await.deployment_id().expect("a deployment").to_owned()
    }

    fn answer(&self, method: &str, path: &str) -> http::Answer {
        let root = self.url.strip_suffix("/users").expect("a path");
        let ask = || http::request(method, &format!("{root}{path}"), &[]).expect("an answer");
        let first = ask();
        // So the emulator says, under load, that the function's process ended as it started; a visitor asks once more.
        if first.status == 502 { ask() } else { first }
    }
}

#[tokio::test]
async fn what_changes_the_definition_is_live_after_one_up() {
    let deployed = Deployed::new();
    let mut live = deployed.deployment().await;

    // A gateway response.
    let next = deployed.after("No such path or method.", "Nothing here.").await;
    assert_ne!(next, live);
    live = next;
    assert!(deployed.answer("GET", "").body.contains("Nothing here."));

    // An integration: the preflight's.
    let next = deployed
        .after(
            "              method.response.header.Access-Control-Allow-Methods: \"'GET,OPTIONS'\"",
            "              method.response.header.Access-Control-Allow-Methods: \"'GET'\"",
        )
        .await;
    assert_ne!(next, live);
    live = next;
    let preflight = deployed.answer("OPTIONS", "/users");
    assert_eq!(preflight.header("Access-Control-Allow-Methods"), Some("GET"));

    // A model.
    let next = deployed
        .after("          email: { type: string }", "          mail: { type: string }")
        .await;
    assert_ne!(next, live);
    live = next;

    // A method and a resource that are new.
    let addition = "  AboutResource:
    Type: AWS::ApiGateway::Resource
    Properties: { RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: about }
  AboutGet:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Api
      ResourceId: !Ref AboutResource
      HttpMethod: GET
      AuthorizationType: NONE
      Integration:
        Type: MOCK
        RequestTemplates: { application/json: '{\"statusCode\": 200}' }
        IntegrationResponses: [{ StatusCode: \"200\", ResponseTemplates: { application/json: '{\"about\":1}' } }]
      MethodResponses: [{ StatusCode: \"200\" }]

";
    let marker = "  # Answers that API Gateway makes itself.";
    let next = deployed.after(marker, &format!("{addition}{marker}")).await;
    assert_ne!(next, live);
    live = next;
    assert_eq!(deployed.answer("GET", "/about").body, r#"{"about":1}"#);

    // And when they leave, they are gone: CloudFormation alone would leave the route in the live snapshot.
    let next = deployed.after(addition, "").await;
    assert_ne!(next, live);
    assert_eq!(deployed.answer("GET", "/about").status, 404);
    assert_eq!(
        deployed.answer("GET", "/users?userId=1").status,
        200,
        "all else still answers"
    );

    let settled = deployed
        .project
        .deployer(&deployed.emulator.endpoint(), &["up"])
        .success();
    assert!(settled.stderr.contains("logic        unchanged"), "{}", settled.stderr);
}

#[tokio::test]
async fn what_does_not_change_the_definition_makes_no_deployment() {
    let deployed = Deployed::new();
    let live = deployed.deployment().await;
    assert_eq!(
        deployed.after("MemorySize: 256", "MemorySize: 512").await,
        live,
        "the function"
    );
    assert_eq!(
        deployed
            .after(
                "AlarmName: !Sub \"${Project}-${Stage}-api-5xx\"
",
                "AlarmName: !Sub \"${Project}-${Stage}-api-failures\"
"
            )
            .await,
        live,
        "the alarm"
    );
    assert_eq!(
        deployed.after("# ---- the API ----", "# ---- our API ----").await,
        live,
        "a comment"
    );
    let variable = "      StageName: !Ref Stage\n      Variables: { flavour: vanilla }\n";
    assert_eq!(
        deployed.after("      StageName: !Ref Stage\n", variable).await,
        live,
        "a stage variable"
    );
    let stage = deployed.stage().await;
    assert_eq!(
        stage.variables().and_then(|v| v.get("flavour")).map(String::as_str),
        Some("vanilla"),
        "which is live all the same"
    );
    let deployments = deployed
        .clients
        .apigateway
        .get_deployments()
        .rest_api_id(&deployed.api)
        .send()
        .await;
    assert_eq!(deployments.expect("deployments").items().len(), 1);
}

/// A method's integration has the function's ARN in it; CloudFormation says in the change set that it will be another one.
/// The emulator replaces nothing, so that is put into its answer.
#[tokio::test]
async fn what_the_definition_refers_to_is_replaced() {
    let deployed = Deployed::new();
    let live = deployed.deployment().await;
    let proxy = Proxy::before(deployed.emulator.port());
    proxy.edit("DescribeChangeSet", |_, body| {
        let changes: Vec<String> = body
            .split("<ResourceChange>")
            .map(|change| {
                if change.contains("<LogicalResourceId>Function</LogicalResourceId>") {
                    change.replace("<Replacement>False</Replacement>", "<Replacement>True</Replacement>")
                } else {
                    change.to_owned()
                }
            })
            .collect();
        changes.join("<ResourceChange>")
    });
    deployed
        .project
        .edit("stacks/logic.yaml", "MemorySize: 256", "MemorySize: 512");
    let up = deployed.project.deployer(&proxy.endpoint(), &["up"]).success();
    assert!(up.stderr.contains("± Function AWS::Lambda::Function"), "{}", up.stderr);
    assert_ne!(deployed.deployment().await, live, "{}", up.stderr);
}
