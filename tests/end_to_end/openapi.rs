//! `deployer openapi`: the deployed contract, judged by a validator, by a generator of clients, and by the running API, which is
//! asked what the document says that it answers.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::answers::{Answer, Stack, cloudformation, identity, json_refusal, refusal};
use crate::support::project::repository;
use crate::support::{Deployer, Emulator, Project, Proxy, Ran, Seen, emulator, http, tools};

/// Runs a tool in a folder, with nobody's network settings; returns what it says.
fn tool(command: &mut Command, folder: &Path) -> (bool, String) {
    for name in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ] {
        command.env_remove(name);
    }
    let output = command
        .current_dir(folder)
        .env("HOME", folder)
        .env("NO_COLOR", "1")
        .output()
        .expect("it starts");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.success(), said.join("\n"))
}

/// What YAML readers make of a file.
fn of_yaml(file: &Path) -> Value {
    let script = "import json, sys, yaml\nprint(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let mut command = Command::new(tools::openapi().join("python"));
    command.args(["-I", "-c", script]).arg(file);
    let output = command.output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// All operations of a document.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let items = paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().expect("operations").iter();
        operations.map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    items.filter(|(_, operation)| operation.is_object()).collect()
}

fn all_is_described(document: &Value) {
    let mut names = Vec::new();
    for (what, operation) in operations(document) {
        names.push(operation["operationId"].as_str().expect("a name").to_owned());
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let responses = operation["responses"].as_object().expect("responses").values();
        for part in parameters.chain(responses) {
            let text = part["description"].as_str().unwrap_or_default();
            assert!(text.len() > 4, "{what}: {part}");
        }
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "{names:?}");
}

/// A stage `dev` of a project that is deployed, whose throttle is nobody's concern.
fn deployed(project: Project, emulator: &Emulator) -> Project {
    let stages = project.read("stacks/stages.yaml");
    let unhurried = stages.replacen("defaults:\n", "defaults:\n  # As many as come.\n", 1);
    let unhurried = if unhurried.contains("ThrottleRate: 50") {
        let faster = unhurried.replace("ThrottleRate: 50 ", "ThrottleRate: 9000 ");
        faster.replace("ThrottleBurst: 100", "ThrottleBurst: 4000")
    } else {
        unhurried.replacen(
            "  parameters:\n",
            "  parameters:\n    ThrottleRate: 9000\n    ThrottleBurst: 4000\n",
            1,
        )
    };
    project.write("stacks/stages.yaml", &unhurried);
    project
        .deployer(&emulator.endpoint(), &["up", "--stage", "dev", "--no-verify"])
        .success();
    project
}

/// Has the stage's only API written in each format and notation, and judges it. Returns the document.
fn judged(project: &Project, emulator: &Emulator) -> Value {
    let folder = project.path();
    let run = |args: &[&str]| {
        let args = [&["openapi", "--stage", "dev"], args].concat();
        project.deployer(&emulator.endpoint(), &args).success()
    };
    let document = run(&[]);
    let warned = document.stderr.lines().filter(|line| line.starts_with("warning: "));
    // Each test has a region of its own.
    let warned: Vec<&str> = warned.filter(|line| !line.contains("the region")).collect();
    assert_eq!(warned, Vec::<&str>::new());
    let document = document.json();
    run(&["--out", "three.json"]);
    run(&["--out", "three.yaml"]);
    run(&["--format", "swagger", "--out", "two.json"]);
    run(&["--format", "swagger", "--as", "yaml", "--out", "two.yml"]);
    let read = |file: &str| serde_json::from_str::<Value>(&project.read(file)).expect("JSON");
    assert_eq!(read("three.json"), document);
    assert_eq!(of_yaml(&folder.join("three.yaml")), document);
    assert_eq!(of_yaml(&folder.join("two.yml")), read("two.json"));
    assert_eq!(
        (&document["openapi"], &read("two.json")["swagger"]),
        (&json!("3.0.3"), &json!("2.0"))
    );
    all_is_described(&document);
    all_is_described(&read("two.json"));

    let mut validator = Command::new(tools::openapi().join("openapi-spec-validator"));
    validator
        .args(["--validation-errors", "all"])
        .args(["three.json", "three.yaml", "two.json", "two.yml"]);
    let (is_valid, said) = tool(&mut validator, folder);
    assert!(is_valid, "{said}");

    // It formats what it makes by ruff, which it looks for on the path.
    let mut generator = Command::new(tools::openapi().join("openapi-python-client"));
    generator
        .args([
            "generate",
            "--fail-on-warning",
            "--path",
            "three.json",
            "--output-path",
            "client",
        ])
        .env("PATH", tools::openapi());
    let (is_taken, said) = tool(&mut generator, folder);
    assert!(is_taken && !said.to_lowercase().contains("warning"), "{said}");
    document
}

/// Where the running API may be otherwise than schemathesis thinks.
const SETTINGS: &str = r#"
[checks]
# API Gateway has no 405: a method that a path doesn't have is as unknown to it as a path that isn't there.
unsupported_method.enabled = false
# Who isn't signed gets a 403 of it, as the document says, and no 401.
missing_required_header.enabled = false

[generation]
# The emulator answers who isn't signed in words of its own, whatever the template's gateway responses say.
with-security-parameters = false

[[operations]]
include-name = "POST /orders"
# Which customers there are no schema can say: an order of another one is a 400.
checks.positive_data_acceptance.enabled = false
"#;

/// Lets schemathesis ask the running API.
fn is_as_its_document(project: &Project, emulator: &Emulator) {
    let access = emulator::access(&emulator.endpoint());
    let document: Value = serde_json::from_str(&project.read("three.json")).expect("JSON");
    let url = document["servers"][0]["url"].as_str().expect("an address");
    project.write("schemathesis.toml", SETTINGS);
    let mut schemathesis = Command::new(tools::openapi().join("schemathesis"));
    schemathesis
        .args(["run", "three.json", "--url", url])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "15",
            "--seed",
            "1",
        ])
        .args(["--warnings", "off", "--continue-on-failure"])
        .env(
            "SCHEMATHESIS_HOOKS",
            repository().join("tests/end_to_end/openapi/hooks.py"),
        )
        .env("KEY_ID", access.keys.id)
        .env("KEY", access.keys.secret)
        .env("REGION", access.region);
    let (is_kept, said) = tool(&mut schemathesis, project.path());
    assert!(is_kept, "{said}");
}

#[test]
fn the_contract_of_the_first_example_is_kept() {
    let emulator = Emulator::shared();
    let project = deployed(Project::copy(), &emulator);
    let document = judged(&project, &emulator);
    let get = &document["paths"]["/users"]["get"];
    assert_eq!(get["operationId"], "retrieveUserData");
    assert_eq!(get["summary"], "Reads one user by id.");
    assert_eq!(get["parameters"][0]["name"], "userId");
    assert_eq!(
        get["responses"]["404"]["description"],
        "Not Found, with the model Failure: What went wrong, in a sentence."
    );
    let client = project.read("client/three_tier_dev_client/api/default/retrieve_user_data.py");
    assert!(
        client.contains("user_id: str") && client.contains("Failure | User"),
        "{client}"
    );
    is_as_its_document(&project, &emulator);
}

#[test]
fn the_contract_of_the_orders_is_kept() {
    let emulator = Emulator::shared();
    let project = deployed(Project::of("orders"), &emulator);
    let document = judged(&project, &emulator);
    let post = &document["paths"]["/orders"]["post"];
    assert_eq!(post["security"], json!([{ "sigv4": [] }]));
    assert_eq!(
        post["requestBody"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/NewOrder"
    );
    for status in ["202", "400", "403", "413", "429", "500"] {
        assert!(post["responses"].get(status).is_some(), "{status}");
    }
    is_as_its_document(&project, &emulator);
}

/// Two APIs that nobody's function answers for.
const SMALL: &str = r#"
Resources:
  Pets: { Type: AWS::ApiGateway::RestApi, Properties: { Name: pets, Description: Animals. } }
  Pet: { Type: AWS::ApiGateway::Resource, Properties: { RestApiId: !Ref Pets, ParentId: !GetAtt Pets.RootResourceId, PathPart: "{pet}" } }
  GetPet:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Pets
      ResourceId: !Ref Pet
      HttpMethod: GET
      AuthorizationType: NONE
      RequestParameters: { method.request.querystring.lang: false }
      Integration: { Type: MOCK, RequestTemplates: { application/json: '{"statusCode": 200}' }, IntegrationResponses: [{ StatusCode: "200" }] }
      MethodResponses: [{ StatusCode: "200", ResponseModels: { application/json: Empty } }]
  Language:
    Type: AWS::ApiGateway::DocumentationPart
    Properties:
      RestApiId: !Ref Pets
      Location: { Type: QUERY_PARAMETER, Path: "/{pet}", Method: GET, Name: lang }
      Properties: '{"description": "In which language."}'
  Snapshot: { Type: AWS::ApiGateway::Deployment, Properties: { RestApiId: !Ref Pets } }
  Live: { Type: AWS::ApiGateway::Stage, Properties: { RestApiId: !Ref Pets, DeploymentId: !Ref Snapshot, StageName: live } }
  Notes: { Type: AWS::ApiGatewayV2::Api, Properties: { Name: notes, ProtocolType: HTTP } }
  Answer: { Type: AWS::ApiGatewayV2::Integration, Properties: { ApiId: !Ref Notes, IntegrationType: HTTP_PROXY, IntegrationMethod: GET, IntegrationUri: "https://example.com/", PayloadFormatVersion: "1.0" } }
  GetNote: { Type: AWS::ApiGatewayV2::Route, Properties: { ApiId: !Ref Notes, RouteKey: "GET /notes/{id}", AuthorizationType: AWS_IAM, Target: !Sub "integrations/${Answer}" } }
  NotesLive: { Type: AWS::ApiGatewayV2::Stage, Properties: { ApiId: !Ref Notes, StageName: $default, AutoDeploy: true } }
"#;

#[test]
fn one_of_several_is_named_and_what_is_deployed_counts() {
    let emulator = Emulator::shared();
    let project = Project::bare("small", &[("stacks/both.yaml", SMALL)]);
    let endpoint = emulator.endpoint();
    let run = |args: &[&str]| project.deployer(&endpoint, &[&["openapi"], args].concat());
    run(&[])
        .fails_with(1)
        .says(&["the stage prod has no API yet", "deployer up"]);
    project.deployer(&endpoint, &["up", "--no-verify"]).success();
    run(&[])
        .fails_with(2)
        .says(&["the stage has 2 APIs", "both.Notes, both.Pets"]);
    run(&["Pet"])
        .fails_with(2)
        .says(&["the stage has no API `Pet`", "both.Notes, both.Pets"]);
    let both = run(&["Pets", "--as", "yaml", "--output", "json"]).fails_with(2);
    assert!(
        both.stderr.contains("stdout is JSON with --output json"),
        "{}",
        both.stderr
    );
    run(&["Pets", "--out", "nowhere/x.json"])
        .fails_with(1)
        .says(&["could not write nowhere/x.json"]);

    let pets = run(&["Pets"]).success().json();
    let get = &pets["paths"]["/{pet}"]["get"];
    assert_eq!(get["parameters"][1]["description"], "In which language.");
    assert_eq!(pets["components"]["schemas"]["Empty"]["type"], "object");
    let url = pets["servers"][0]["url"].as_str().expect("an address");
    assert_eq!(http::get(&format!("{url}/cat")).expect("an answer").status, 200);

    let notes = run(&["both.Notes", "--output", "json"]).success();
    assert!(
        notes.stderr.contains("this emulator doesn't export HTTP APIs"),
        "{}",
        notes.stderr
    );
    let notes = notes.json();
    assert_eq!(
        notes["paths"]["/notes/{id}"]["get"]["security"],
        json!([{ "sigv4": [] }])
    );
    project.write("notes.json", &notes.to_string());
    let mut validator = Command::new(tools::openapi().join("openapi-spec-validator"));
    let (is_valid, said) = tool(validator.arg("notes.json"), project.path());
    assert!(is_valid, "{said}");

    // What stands in the folder and isn't deployed is no contract.
    project.edit("stacks/both.yaml", "PathPart: \"{pet}\"", "PathPart: \"{animal}\"");
    project.edit("stacks/both.yaml", "In which language.", "In another one.");
    assert_eq!(run(&["Pets"]).success().json()["paths"], pets["paths"]);

    let written = run(&["Pets", "--out", "pets.yaml", "--output", "json"])
        .success()
        .json();
    let expected = json!({
        "schema": 1, "stack": "both", "api": "Pets", "id": written["id"], "url": url, "format": "oas30", "operations": 1,
        "file": "pets.yaml",
    });
    assert_eq!(written, expected);
    assert_eq!(of_yaml(&project.path().join("pets.yaml")), pets);
    let told = run(&["Pets", "--out", "pets.yaml"]).success();
    assert!(
        told.stdout
            .contains(&format!("pets.yaml has both.Pets at {url}: 1 operation")),
        "{}",
        told.stdout
    );
    let extended = run(&["Pets", "--extensions"]).success().json();
    assert_eq!(
        extended["paths"]["/{pet}"]["get"]["x-amazon-apigateway-integration"]["type"],
        "mock"
    );
}

/// An account in which the stage is deployed, whose API Gateway answers as `gateway` does.
fn account(gateway: impl FnMut(&Seen) -> Option<Answer> + Send + 'static) -> (Proxy, Project) {
    let proxy = Proxy::before_nobody();
    proxy.rule(|seen| {
        let resource = |id: &str, physical: &str, kind: &str| {
            format!(
                "<member><LogicalResourceId>{id}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
                 <ResourceType>{kind}</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus>\
                 <LastUpdatedTimestamp>2026-01-01T00:00:00Z</LastUpdatedTimestamp></member>"
            )
        };
        match seen.operation.as_str() {
            "GetCallerIdentity" => Some(identity()),
            "DescribeStacks" => {
                let stack = Stack::new("small-prod-both", "CREATE_COMPLETE");
                let stack = stack
                    .parameter("DeployerProject", "small")
                    .parameter("DeployerStage", "prod")
                    .parameter("DeployerDigest", "0123456789abcdef");
                Some(stack.answer())
            }
            "ListStackResources" => Some(cloudformation(
                "ListStackResources",
                &format!(
                    "<StackResourceSummaries>{}{}</StackResourceSummaries>",
                    resource("Pets", "pets123", "AWS::ApiGateway::RestApi"),
                    resource("Notes", "notes456", "AWS::ApiGatewayV2::Api"),
                ),
            )),
            "GetTemplate" => {
                let template = SMALL.replace('&', "&amp;").replace('<', "&lt;");
                Some(cloudformation(
                    "GetTemplate",
                    &format!("<TemplateBody>{template}</TemplateBody>"),
                ))
            }
            _ => None,
        }
    });
    proxy.rule(gateway);
    proxy.rule(|_| Some(refusal(404, "NotFoundException", "nothing")));
    (proxy, Project::bare("small", &[("stacks/both.yaml", SMALL)]))
}

fn at(proxy: &Proxy, project: &Project, args: &[&str]) -> Ran {
    Deployer::new(project.path(), &[&["openapi"], args].concat())
        .env("AWS_ENDPOINT_URL", proxy.endpoint())
        .env("AWS_ACCESS_KEY_ID", "AKIATEST")
        .env("AWS_SECRET_ACCESS_KEY", "s3cret")
        .env("AWS_REGION", "eu-central-1")
        .run()
}

/// As AWS exports a stage whose documentation is published: descriptions in their places, a server with a variable.
#[test]
fn an_export_with_documentation_keeps_its_words() {
    let export = json!({
        "openapi": "3.0.1",
        "info": { "title": "pets", "description": "As published.", "version": "2026-02-03T04:05:06Z" },
        "servers": [{ "url": "https://pets123.execute-api.eu-central-1.amazonaws.com/{basePath}", "variables": { "basePath": { "default": "/live" } } }],
        "paths": { "/{pet}": { "get": {
            "description": "Finds a pet.",
            "parameters": [
                { "name": "lang", "in": "query", "description": "A published word.", "schema": { "type": "string" } },
                { "name": "pet", "in": "path", "required": true, "schema": { "type": "string" } },
            ],
            "responses": { "200": { "description": "200 response", "headers": {}, "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Empty" } } } } },
        } } },
        "components": { "schemas": { "Empty": { "title": "Empty Schema", "type": "object" } } },
    });
    let (proxy, project) = account(move |seen| seen.path.contains("/exports/").then(|| (200, export.to_string())));
    let document = at(&proxy, &project, &["Pets"]).success().json();
    let asked: Vec<Seen> = proxy
        .take()
        .into_iter()
        .filter(|seen| seen.path.contains("/exports/"))
        .collect();
    let [asked] = asked.as_slice() else {
        panic!("{asked:#?}")
    };
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str(), asked.header("accept")),
        ("GET", "/restapis/pets123/stages/live/exports/oas30", "application/json")
    );
    assert_eq!(document["info"]["description"], "As published.");
    assert_eq!(document["info"]["version"], "2026-02-03T04:05:06Z");
    let url = document["servers"][0]["url"].as_str().expect("an address");
    assert!(
        url.starts_with("http://pets123.execute-api.localhost:") && url.ends_with("/live"),
        "{url}"
    );
    let get = &document["paths"]["/{pet}"]["get"];
    assert_eq!(get["description"], "Finds a pet.");
    let words: Vec<&str> = get["parameters"]
        .as_array()
        .expect("parameters")
        .iter()
        .map(|one| one["description"].as_str().expect("described"))
        .collect();
    assert_eq!(words, ["The part {pet} of the path /{pet}.", "A published word."]);
    assert_eq!(get["responses"]["200"]["description"], "OK, with the model Empty.");
    // Swagger is made of the same export.
    let swagger = at(&proxy, &project, &["Pets", "--format", "swagger", "--extensions"])
        .success()
        .json();
    assert_eq!(
        swagger["paths"]["/{pet}"]["get"]["parameters"][1]["description"],
        "A published word."
    );
    let asked = proxy
        .take()
        .into_iter()
        .find(|seen| seen.path.contains("/exports/"))
        .expect("asked");
    assert_eq!(
        asked.path,
        "/restapis/pets123/stages/live/exports/oas30?extensions=integrations%2Cauthorizers"
    );
    proxy.assert_nothing_was_written();
}

#[test]
fn an_http_api_is_exported_of_its_stage() {
    let export = json!({
        "openapi": "3.0.1", "info": { "title": "notes", "version": "2026-02-03 04:05:06UTC" },
        "servers": [{ "url": "https://notes456.execute-api.eu-central-1.amazonaws.com/{basePath}", "variables": { "basePath": { "default": "" } } }],
        "paths": { "/notes/{id}": { "get": { "responses": { "default": { "description": "Default response for GET /notes/{id}" } } } } },
    });
    let (proxy, project) = account(move |seen| seen.path.contains("/exports/").then(|| (200, export.to_string())));
    let document = at(&proxy, &project, &["Notes"]).success().json();
    let asked = proxy
        .take()
        .into_iter()
        .find(|seen| seen.path.contains("/exports/"))
        .expect("asked");
    let (path, query) = asked.path.split_once('?').expect("a query");
    assert_eq!(path, "/v2/apis/notes456/exports/OAS30");
    let mut query: Vec<&str> = query.split('&').collect();
    query.sort_unstable();
    assert_eq!(
        query,
        ["includeExtensions=false", "outputType=JSON", "stageName=%24default"]
    );
    let get = &document["paths"]["/notes/{id}"]["get"];
    assert_eq!(get["parameters"][0]["name"], "id");
    assert_eq!(
        get["security"],
        json!([{ "sigv4": [] }]),
        "which is only the template's"
    );
    assert_eq!(
        get["responses"]["default"]["description"],
        "Default response for GET /notes/{id}"
    );
}

#[test]
fn what_may_not_be_asked_is_told_with_what_it_takes() {
    let message = "User: arn:aws:iam::000000000000:user/x is not authorized to perform: apigateway:GET";
    for (api, path) in [
        ("Pets", "/restapis/pets123/stages/live/exports/oas30"),
        ("Notes", "/apis/notes456/exports/OAS30"),
    ] {
        let denied = json_refusal(403, "AccessDeniedException", message);
        let (proxy, project) = account(move |seen| seen.path.contains("/exports/").then(|| denied.clone()));
        at(&proxy, &project, &[api]).fails_with(1).says(&[
            "could not export the stage",
            message,
            &format!("apigateway:GET on arn:aws:apigateway:eu-central-1::{path}"),
        ]);
    }
}

#[test]
fn a_stage_that_is_not_there_is_not_deployed() {
    let missing = json_refusal(404, "NotFoundException", "Invalid Stage identifier specified");
    let (proxy, project) = account(move |seen| seen.path.contains("/exports/").then(|| missing.clone()));
    at(&proxy, &project, &["Pets"])
        .fails_with(1)
        .says(&["the API pets123 has no deployed stage live", "deployer up"]);
    let ran = at(&proxy, &project, &["Pets", "--output", "json"]).fails_with(1);
    assert!(ran.stderr.contains("\"code\":\"not-deployed\""), "{}", ran.stderr);
}

/// API Gateway refuses to export some APIs: those of which a body isn't JSON.
#[test]
fn what_the_service_cannot_export_is_made_from_the_template() {
    let refused = json_refusal(400, "BadRequestException", "Only found non-JSON body models for getPet");
    let (proxy, project) = account(move |seen| seen.path.contains("/exports/").then(|| refused.clone()));
    let ran = at(&proxy, &project, &["Pets"]).success();
    assert!(ran.stderr.contains("Only found non-JSON body models"), "{}", ran.stderr);
    let document = ran.json();
    assert_eq!(document["paths"]["/{pet}"]["get"]["operationId"], "getByPet");
}

/// A file that is there is replaced as a whole.
#[test]
fn a_file_that_is_there_is_replaced() {
    let refused = json_refusal(400, "BadRequestException", "no");
    let (proxy, project) = account(move |seen| seen.path.contains("/exports/").then(|| refused.clone()));
    project.write("api.json", "before");
    at(&proxy, &project, &["Pets", "--out", "api.json"]).success();
    let file: PathBuf = project.path().join("api.json");
    assert!(serde_json::from_str::<Value>(&std::fs::read_to_string(file).expect("readable")).is_ok());
}
