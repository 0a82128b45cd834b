//! Apps of any shape, by the same binary: those that the repository ships, and one whose every name is a random word.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};

use serde_json::{Value, json};

use crate::support::{Clients, Deployer, Emulator, Project, Ran, http};

/// The checks that didn't pass.
fn troubles(up: &Value) -> Vec<&Value> {
    let checks = up["verification"]["checks"].as_array().expect("checks");
    checks
        .iter()
        .filter(|check| check["result"] != "passed" && check["result"] != "skipped")
        .collect()
}

fn ids(document: &Value) -> Vec<&str> {
    let stacks = document["stacks"].as_array().expect("stacks");
    stacks
        .iter()
        .map(|stack| stack["id"].as_str().expect("an id"))
        .collect()
}

async fn stacks(clients: &Clients) -> Vec<String> {
    let found = clients
        .cloudformation
        .describe_stacks()
        .send()
        .await
        .expect("an answer");
    found
        .stacks()
        .iter()
        .filter_map(|stack| stack.stack_name().map(str::to_owned))
        .collect()
}

fn up(project: &Project, emulator: &Emulator, args: &[&str]) -> Ran {
    project.deployer(&emulator.endpoint(), &[&["up", "--output", "json"], args].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_goes_up_is_used_changes_and_goes() {
    let (emulator, project) = (Emulator::start(), Project::of("orders"));
    let clients = Clients::root(&emulator.endpoint());
    let dev = ["--stage", "dev"];
    let first = up(&project, &emulator, &dev).success().json();
    assert_eq!(troubles(&first), Vec::<&Value>::new());
    assert_eq!(first["deployed"], true);
    let order = ids(&first);
    let before = |one: &str, other: &str| {
        let at = |id: &str| order.iter().position(|found| *found == id).expect("deployed");
        assert!(at(one) < at(other), "{one} before {other}: {order:?}");
    };
    for (one, other) in [
        ("artifacts", "shop-api"),
        ("orders", "intake"),
        ("domain", "storefront"),
        ("intake", "housekeeping"),
        ("storefront", "shop-api"),
    ] {
        before(one, other);
    }
    // What CloudFront's certificates need is in CloudFront's region, and says whose it is by its name.
    let domain = first["stacks"]
        .as_array()
        .expect("stacks")
        .iter()
        .find(|stack| stack["id"] == "domain");
    assert_eq!(domain.expect("there")["region"], "us-east-1");

    // As a visitor of the page sees it.
    let route = |path: &str, id: &str| {
        let routes = first["apis"][0]["routes"].as_array().expect("routes");
        let route = routes
            .iter()
            .find(|route| route["path"] == path && route["method"] == "GET");
        route.expect("a route")["url"]
            .as_str()
            .expect("a URL")
            .replace("{id}", id)
    };
    let order = http::get(&route("/orders/{id}", "o-1")).expect("an answer");
    assert_eq!(order.status, 200, "{}", order.body);
    assert_eq!(order.json()["customerId"], "c-1");
    let listed = http::get(&route("/customers/{id}/orders", "c-1")).expect("an answer");
    assert!(listed.body.contains("o-1"), "{}", listed.body);

    // Nothing changed is nothing done.
    let again = project
        .deployer(&emulator.endpoint(), &["up", "--no-verify", "--stage", "dev"])
        .success();
    assert!(!again.stderr.contains("✓"), "{}", again.stderr);
    assert!(again.stderr.contains("· shop-api"), "{}", again.stderr);

    // One value that one template takes, and only its stack changes.
    project.edit("stacks/stages.yaml", "LapseAfterDays: 2", "LapseAfterDays: 5");
    let changed = project
        .deployer(&emulator.endpoint(), &["up", "--stage", "dev"])
        .success();
    assert!(changed.stderr.contains("✓ intake"), "{}", changed.stderr);
    assert_eq!(changed.stderr.matches("✓").count(), 1, "{}", changed.stderr);

    let down = project
        .deployer(&emulator.endpoint(), &["down", "--yes", "--stage", "dev"])
        .success();
    assert!(down.stdout.contains("removed"), "{}", down.stdout);
    assert_eq!(stacks(&clients).await, Vec::<String>::new());
    let tables = clients.dynamodb.list_tables().send().await.expect("an answer");
    assert_eq!(tables.table_names(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_without_a_function_lacks_that_part_alone() {
    let (emulator, project) = (Emulator::start(), Project::of("site"));
    let clients = Clients::root(&emulator.endpoint());
    let first = up(&project, &emulator, &[]).success().json();
    assert_eq!(troubles(&first), Vec::<&Value>::new());
    assert_eq!(ids(&first), ["artifacts", "web"]);
    for part in ["apis", "functions", "tables"] {
        assert_eq!(first[part], json!([]), "{part}");
    }
    let page = http::get(first["site"]["url"].as_str().expect("a URL")).expect("an answer");
    assert_eq!(page.status, 200);
    let config =
        http::get(&format!("{}config.json", first["site"]["url"].as_str().expect("a URL"))).expect("an answer");
    assert_eq!(config.status, 404, "there is no API to tell of");

    project.write("site/more.html", "<!doctype html><title>More</title>");
    let changed = up(&project, &emulator, &["--only", "site"]).success().json();
    assert_eq!(troubles(&changed), Vec::<&Value>::new());
    for (only, what) in [("function", "no such step"), ("data", "no such stack or step")] {
        up(&project, &emulator, &["--only", only]).fails_with(2);
        project
            .deployer(&emulator.endpoint(), &["up", "--only", only])
            .fails_with(2)
            .says(&[what]);
    }
    project
        .deployer(&emulator.endpoint(), &["down", "--yes", "--delete-data"])
        .success();
    assert_eq!(stacks(&clients).await, Vec::<String>::new());
}

/// Words that nobody's code knows: other ones in each run, told when a test fails.
struct Words(BTreeSet<String>);

impl Words {
    fn lower(&mut self) -> String {
        let one_of = |letters: &'static str| {
            let random = RandomState::new().build_hasher().finish();
            let index = usize::try_from(random % letters.len() as u64).expect("small");
            letters.chars().nth(index).expect("a letter")
        };
        loop {
            let word: String = (0..3)
                .flat_map(|_| [one_of("bcdfghklmnprstvz"), one_of("aeiou")])
                .collect();
            if self.0.insert(word.clone()) {
                return word;
            }
        }
    }

    fn camel(&mut self) -> String {
        let word = self.lower();
        word[..1].to_uppercase() + &word[1..]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_of_random_words_is_deployed_and_verified() {
    let (emulator, project) = (Emulator::start(), Project::of("site"));
    let mut words = Words(BTreeSet::new());
    let (store, door, pages) = (words.lower(), words.lower(), words.lower());
    let (table, arn, bucket, key, origin, path) = (
        words.camel(),
        words.camel(),
        words.camel(),
        words.camel(),
        words.camel(),
        words.lower(),
    );
    let (partition, sort, name) = (words.lower(), words.lower(), words.lower());
    project.write(
        &format!("stacks/{store}.yaml"),
        &format!(
            r#"
Parameters: {{ {name}: {{ Type: String }} }}
Resources:
  {table}:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties:
      TableName: !Sub "${{{name}}}-table"
      AttributeDefinitions: [{{ AttributeName: {partition}, AttributeType: S }}, {{ AttributeName: {sort}, AttributeType: N }}]
      KeySchema: [{{ AttributeName: {partition}, KeyType: HASH }}, {{ AttributeName: {sort}, KeyType: RANGE }}]
      BillingMode: PAY_PER_REQUEST
Outputs: {{ {arn}: {{ Value: !GetAtt {table}.Arn }} }}
"#
        ),
    );
    let (role, function, api, get, deployment, live) = (
        words.camel(),
        words.camel(),
        words.camel(),
        words.camel(),
        words.camel(),
        words.camel(),
    );
    let (resource, may) = (words.camel(), words.camel());
    project.write(
        &format!("stacks/{door}.yaml"),
        &format!(
            r#"
Parameters: {{ {arn}: {{ Type: String }}, {bucket}: {{ Type: String }}, {key}: {{ Type: String }}, {origin}: {{ Type: String }} }}
Resources:
  {role}:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{{ Effect: Allow, Principal: {{ Service: lambda.amazonaws.com }}, Action: sts:AssumeRole }}]
      Policies:
        - PolicyName: read
          PolicyDocument: {{ Statement: [{{ Effect: Allow, Action: dynamodb:Query, Resource: !Ref {arn} }}] }}
  {function}:
    Type: AWS::Lambda::Function
    Metadata: {{ Deployer: {{ Code: {name} }} }}
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      Role: !GetAtt {role}.Arn
      Code: {{ S3Bucket: !Ref {bucket}, S3Key: !Ref {key} }}
      Environment: {{ Variables: {{ ORIGIN: !Ref {origin} }} }}
  {api}: {{ Type: AWS::ApiGateway::RestApi, Properties: {{ Name: !Ref AWS::StackName }} }}
  {resource}:
    Type: AWS::ApiGateway::Resource
    Properties: {{ RestApiId: !Ref {api}, ParentId: !GetAtt {api}.RootResourceId, PathPart: {path} }}
  {get}:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref {api}
      ResourceId: !Ref {resource}
      HttpMethod: GET
      AuthorizationType: NONE
      Integration:
        Type: AWS_PROXY
        IntegrationHttpMethod: POST
        Uri: !Sub "arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/${{{function}.Arn}}/invocations"
  {may}:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !Ref {function}
      Action: lambda:InvokeFunction
      Principal: apigateway.amazonaws.com
      SourceArn: !Sub "arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{{api}}}/*/GET/{path}"
  {deployment}: {{ Type: AWS::ApiGateway::Deployment, Properties: {{ RestApiId: !Ref {api} }} }}
  {live}: {{ Type: AWS::ApiGateway::Stage, Properties: {{ RestApiId: !Ref {api}, DeploymentId: !Ref {deployment}, StageName: {name} }} }}
"#
        ),
    );
    let web = project.read("stacks/web.yaml");
    std::fs::rename(
        project.path().join("stacks/web.yaml"),
        project.path().join(format!("stacks/{pages}.yaml")),
    )
    .expect("renamed");
    project.write(
        &format!("stacks/{pages}.yaml"),
        &web.replace(
            "Outputs:\n",
            &format!("Outputs:\n  {origin}: {{ Value: !Ref AWS::StackName }}\n"),
        ),
    );
    let stages = format!("project: {name}\nstages:\n  {path}: {{ parameters: {{ {name}: {name} }} }}\n");
    project.write("stacks/stages.yaml", &stages);
    project.write(
        "stacks/seed.yaml",
        &format!("{table}:\n  - {{ {partition}: a, {sort}: 1.50 }}\n  - {{ {partition}: a, {sort}: 2 }}\n"),
    );
    project.executable(
        &format!("{name}/bootstrap"),
        "import json, os, urllib.request\n\
         base = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/'\n\
         while True:\n    \
             event = urllib.request.urlopen(base + 'next')\n    \
             answer = json.dumps({'statusCode': 200, 'body': os.environ['ORIGIN']}).encode()\n    \
             id = event.headers['Lambda-Runtime-Aws-Request-Id']\n    \
             urllib.request.urlopen(urllib.request.Request(base + id + '/response', data=answer))\n",
    );
    let stage = ["--stage", path.as_str()];
    let deployed = up(&project, &emulator, &stage).success().json();
    let told = format!("{stages}\n{deployed:#}");
    assert_eq!(troubles(&deployed), Vec::<&Value>::new(), "{told}");
    let found: BTreeSet<&str> = ids(&deployed).into_iter().collect();
    assert_eq!(found, BTreeSet::from(["artifacts", &store, &door, &pages]), "{told}");
    assert_eq!(deployed["tables"][0]["items"], 2, "{told}");
    let url = deployed["apis"][0]["routes"][0]["url"].as_str().expect("a URL");
    assert!(url.ends_with(&format!("/{name}/{path}")), "{told}");
    let answer = http::get(url).expect("an answer");
    assert_eq!(
        (answer.status, answer.body),
        (200, format!("{name}-{path}-{pages}")),
        "{told}"
    );
    let status = project
        .deployer(&emulator.endpoint(), &["status", "--stage", &path])
        .success();
    assert!(status.stdout.contains(&format!("GET {url}")), "{}", status.stdout);
    project
        .deployer(&emulator.endpoint(), &["down", "--yes", "--stage", &path])
        .success();
    assert_eq!(
        stacks(&Clients::root(&emulator.endpoint())).await,
        Vec::<String>::new(),
        "{told}"
    );
}

#[test]
fn a_graph_needs_neither_credentials_nor_a_cloud() {
    let project = Project::of("orders");
    let graph = |args: &[&str]| {
        Deployer::new(project.path(), &[&["graph"], args].concat())
            .run()
            .success()
            .stdout
            .clone()
    };
    let text = graph(&[]);
    for part in [
        "intake stacks/intake.yaml",
        "TableArn            ← orders.TableArn (the template's `Inputs` say so)",
        "IntakeQueueUrl     ← intake.IntakeQueueUrl (they have the same name)",
        "late, by an update of its own",
        "domain stacks/domain.yaml in us-east-1",
        "function CreateOrder: the binary create-order",
        "route POST /orders (wants a signature of IAM)",
        "table OrdersTable (orderId, line), 5 seed items",
    ] {
        assert!(text.contains(part), "`{part}` isn't in:\n{text}");
    }
    let document: Value = serde_json::from_str(&graph(&["--output", "json"])).expect("JSON");
    let late: Vec<&Value> = document["edges"]
        .as_array()
        .expect("edges")
        .iter()
        .filter(|edge| edge["late"] == true)
        .collect();
    assert_eq!(late.len(), 1);
    assert_eq!(late[0]["consumer"], "storefront");
    let dot = graph(&["--format", "dot"]);
    assert!(
        dot.starts_with("digraph \"orders\" {")
            && dot.contains("\"shop-api\" -> \"storefront\" [label=\"ApiOrigin\", style=dashed];"),
        "{dot}"
    );
    let mermaid = graph(&["--format", "mermaid"]);
    assert!(
        mermaid.starts_with("flowchart LR\n")
            && mermaid.contains("stack_shop_api -.->|\"ApiOrigin\"| stack_storefront"),
        "{mermaid}"
    );
}
