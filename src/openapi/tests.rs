use super::*;
use crate::project::apis;

/// An API of `template`, as it is where nothing is deployed yet.
fn asked(template: &Template, export: Option<Value>, extensions: bool) -> Contract {
    let scope: Scope = [
        ("AWS::Region", "eu-central-1"),
        ("Api", "abc123"),
        ("Pool", "eu-central-1_x"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let api = apis::of_template(template, &scope).into_iter().next().expect("an API");
    contract(&Asked {
        template,
        scope: &scope,
        api: &api,
        url: "https://x.execute-api.eu-central-1.amazonaws.com/prod",
        version: "2026-01-01T00:00:00Z",
        export,
        extensions,
    })
}

fn of(template: &str) -> Contract {
    asked(&Template::of_text(template), None, false)
}

fn statuses(operation: &Value) -> Vec<&str> {
    let responses = operation["responses"].as_object().expect("responses");
    responses.keys().map(String::as_str).collect()
}

const REST: &str = r#"
Resources:
  Pool: { Type: AWS::Cognito::UserPool }
  Read: { Type: AWS::Lambda::Function, Properties: { Description: Reads one order. } }
  Api: { Type: AWS::ApiGateway::RestApi, Properties: { Name: orders, Description: Orders. } }
  Order:
    Type: AWS::ApiGateway::Model
    Properties:
      RestApiId: !Ref Api
      Name: Order
      Description: An order
      ContentType: application/json
      Schema:
        type: object
        required: [id]
        properties:
          id: { type: string }
          buyer: { $ref: !Sub "https://apigateway.amazonaws.com/restapis/${Api}/models/Buyer" }
  Buyer:
    Type: AWS::ApiGateway::Model
    Properties: { RestApiId: !Ref Api, Name: Buyer, ContentType: application/json, Schema: '{"type": ["object", "null"]}' }
  Users: { Type: AWS::ApiGateway::Authorizer, Properties: { RestApiId: !Ref Api, Name: users, Type: COGNITO_USER_POOLS, IdentitySource: method.request.header.X-Token } }
  Both:
    Type: AWS::ApiGateway::Authorizer
    Properties: { RestApiId: !Ref Api, Name: both, Type: REQUEST, IdentitySource: "method.request.header.X-A, method.request.querystring.b" }
  Strict: { Type: AWS::ApiGateway::RequestValidator, Properties: { RestApiId: !Ref Api, ValidateRequestBody: true, ValidateRequestParameters: true } }
  Orders: { Type: AWS::ApiGateway::Resource, Properties: { RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: orders } }
  One: { Type: AWS::ApiGateway::Resource, Properties: { RestApiId: !Ref Api, ParentId: !Ref Orders, PathPart: "{id}" } }
  Rest: { Type: AWS::ApiGateway::Resource, Properties: { RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: "{proxy+}" } }
  GetOne:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Api
      ResourceId: !Ref One
      HttpMethod: GET
      AuthorizationType: COGNITO_USER_POOLS
      AuthorizationScopes: [orders/read]
      AuthorizerId: !Ref Users
      ApiKeyRequired: true
      RequestParameters:
        method.request.querystring.lang: false
        method.request.header.X-Trace: true
        method.request.header.Accept: true
        method.request.path.other: true
      Integration: { Type: AWS_PROXY, Uri: !Sub "arn:x/${Read.Arn}/invocations" }
      MethodResponses:
        - { StatusCode: "200", ResponseModels: { application/json: !Ref Order }, ResponseParameters: { method.response.header.ETag: true } }
        - { StatusCode: "404", ResponseModels: { application/json: Error } }
  PostOrder:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Api
      ResourceId: !Ref Orders
      HttpMethod: POST
      OperationName: createOrder
      AuthorizationType: AWS_IAM
      RequestValidatorId: !Ref Strict
      RequestModels: { application/json: !Ref Order }
      Integration: { Type: AWS_PROXY }
  Options:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Api
      ResourceId: !Ref Orders
      HttpMethod: OPTIONS
      AuthorizationType: NONE
      Integration:
        Type: MOCK
        IntegrationResponses: [{ StatusCode: "200", ResponseParameters: { method.response.header.Access-Control-Allow-Methods: "'POST'" } }]
      MethodResponses: [{ StatusCode: "200", ResponseParameters: { method.response.header.Access-Control-Allow-Methods: true } }]
  Any:
    Type: AWS::ApiGateway::Method
    Properties: { RestApiId: !Ref Api, ResourceId: !Ref Rest, HttpMethod: ANY, OperationName: rest, AuthorizationType: CUSTOM, AuthorizerId: !Ref Both, Integration: { Type: AWS_PROXY } }
  Errors:
    Type: AWS::ApiGateway::GatewayResponse
    Properties: { RestApiId: !Ref Api, ResponseType: DEFAULT_4XX, ResponseTemplates: { application/json: '{"error":$context.error.messageString}' } }
  Says:
    Type: AWS::ApiGateway::DocumentationPart
    Properties:
      RestApiId: !Ref Api
      Location: { Type: QUERY_PARAMETER, Path: /orders, Method: GET, Name: lang }
      Properties: '{"description": "In which language.", "enum": ["de", "en"], "mine": 1}'
  Live: { Type: AWS::ApiGateway::Stage, Properties: { RestApiId: !Ref Api, StageName: prod } }
"#;

#[test]
fn a_rest_api_is_written_from_its_template() {
    let Contract { document, warnings } = of(REST);
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(document["info"]["title"], "orders");
    assert_eq!(document["info"]["description"], "Orders.");
    assert_eq!(document["info"]["version"], "2026-01-01T00:00:00Z");
    assert_eq!(
        document["servers"][0]["url"],
        "https://x.execute-api.eu-central-1.amazonaws.com/prod"
    );
    let get = &document["paths"]["/orders/{id}"]["get"];
    assert_eq!(
        (&get["operationId"], &get["summary"]),
        (&json!("getOrdersById"), &json!("Reads one order."))
    );
    let parameters: Vec<(&str, &str, bool, &str)> = get["parameters"]
        .as_array()
        .expect("parameters")
        .iter()
        .map(|one| {
            let text = |key: &str| one[key].as_str().expect(key);
            (text("in"), text("name"), one["required"] == true, text("description"))
        })
        .collect();
    assert_eq!(
        parameters,
        [
            (
                "path",
                "id",
                true,
                "Which of orders: the part {id} of the path /orders/{id}."
            ),
            ("query", "lang", false, "In which language."),
            ("header", "X-Trace", true, "The header X-Trace; it has to be there."),
        ]
    );
    assert_eq!(
        get["parameters"][1]["schema"],
        json!({ "type": "string", "enum": ["de", "en"] })
    );
    // All at once.
    assert_eq!(get["security"], json!([{ "users": [], "api_key": [] }]));
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(
        (&schemes["users"]["name"], &schemes["users"]["in"]),
        (&json!("X-Token"), &json!("header"))
    );
    assert_eq!(schemes["sigv4"]["x-amazon-apigateway-authtype"], "awsSigv4");
    assert_eq!(
        (&schemes["both-b"]["in"], &schemes["both-X-A"]["in"]),
        (&json!("query"), &json!("header"))
    );
    assert_eq!(
        get["responses"]["200"]["description"],
        "OK, with the model Order: An order."
    );
    assert_eq!(
        get["responses"]["200"]["headers"]["ETag"]["description"],
        "The header ETag."
    );
    assert_eq!(statuses(get), ["200", "401", "403", "404", "429", "500", "502", "504"]);
    let schemas = &document["components"]["schemas"];
    assert_eq!(
        schemas["Order"]["properties"]["buyer"]["$ref"],
        "#/components/schemas/Buyer"
    );
    assert_eq!(schemas["Buyer"], json!({ "nullable": true, "type": "object" }));
    assert_eq!(
        schemas["Error"]["properties"]["message"]["type"], "string",
        "each API has it"
    );

    let post = &document["paths"]["/orders"]["post"];
    assert_eq!(post["operationId"], "createOrder");
    assert_eq!(post["security"], json!([{ "sigv4": [] }]));
    assert_eq!(post["requestBody"]["required"], true);
    assert_eq!(
        statuses(post),
        ["400", "403", "413", "429", "500", "502", "504", "default"]
    );
    let refusal = &post["responses"]["400"]["content"]["application/json"]["schema"]["$ref"];
    let name = refusal
        .as_str()
        .and_then(|name| name.rsplit('/').next())
        .expect("a name");
    assert_eq!(
        schemas[name]["required"],
        json!(["error"]),
        "as the gateway response has it"
    );

    let options = &document["paths"]["/orders"]["options"];
    assert_eq!(
        options["responses"]["200"]["headers"]["Access-Control-Allow-Methods"]["description"],
        "The header Access-Control-Allow-Methods: always `POST`."
    );
    let rest = document["paths"]["/{proxy}"].as_object().expect("a path");
    let methods: Vec<&str> = rest.keys().map(String::as_str).collect();
    assert_eq!(methods, ["get", "head", "post", "put", "patch", "delete", "options"]);
    assert_eq!(rest["get"]["operationId"], "restGet");
    assert_eq!(
        rest["get"]["parameters"][0]["description"],
        "All the rest of the path /{proxy}, slashes among it: {proxy}."
    );
    assert_eq!(rest["get"]["security"], json!([{ "both-X-A": [], "both-b": [] }]));
}

#[test]
fn everything_is_described_and_every_operation_has_a_name_of_its_own() {
    let doubled = REST.replace("OperationName: createOrder", "OperationName: restGet");
    for document in [of(REST).document, of(&doubled).document] {
        let mut ids = BTreeSet::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                assert!(ids.insert(operation["operationId"].to_string()), "{path} {method}");
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let responses = operation["responses"].as_object().expect("responses").values();
                for described in parameters.chain(responses) {
                    let text = described["description"].as_str().expect("a description");
                    assert!(text.ends_with('.') && text.len() > 4, "{path} {method}: {text}");
                }
            }
        }
    }
}

#[test]
fn the_export_decides_what_there_is_and_the_template_completes_it() {
    let export = json!({
        "openapi": "3.0.1",
        "info": { "title": "orders", "version": "2026-02-03T04:05:06Z" },
        "servers": [{ "url": "https://x.execute-api.eu-central-1.amazonaws.com/{basePath}", "variables": { "basePath": { "default": "/prod" } } }],
        "paths": {
            "/orders/{id}": { "get": {
                "parameters": [{ "name": "lang", "in": "query", "schema": { "type": "string" } }],
                "responses": {
                    "200": { "description": "200 response", "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Order" } } } },
                    "404": { "description": "Nobody's order." },
                },
                "security": [{ "api_key": [] }, { "users": [] }],
            } },
            "/orders": { "options": { "responses": { "200": { "description": "200 response" } } } },
            "/elsewhere/{x}": { "x-amazon-apigateway-any-method": {
                "responses": {}, "security": [{ "jwt": ["a"] }], "x-amazon-apigateway-integration": { "type": "aws_proxy" },
            } },
        },
        "components": {
            "schemas": { "Order": { "$schema": "x", "type": "object", "properties": { "old": { "type": ["string", "null"] } } } },
            "securitySchemes": {
                "jwt": { "type": "oauth2", "x-amazon-apigateway-authorizer": { "type": "jwt" } },
                "users": { "type": "apiKey", "name": "X-Token", "in": "header", "x-amazon-apigateway-authtype": "cognito_user_pools" },
            },
        },
    });
    let template = Template::of_text(REST);
    let Contract { document, warnings } = asked(&template, Some(export.clone()), false);
    assert_eq!(document["info"]["version"], "2026-02-03T04:05:06Z");
    let paths: Vec<&String> = document["paths"].as_object().expect("paths").keys().collect();
    assert_eq!(paths, ["/elsewhere/{x}", "/orders", "/orders/{id}"]);
    let get = &document["paths"]["/orders/{id}"]["get"];
    assert_eq!(get["parameters"].as_array().map(Vec::len), Some(3), "{get}");
    assert_eq!(get["parameters"][1]["description"], "In which language.");
    assert_eq!(
        get["responses"]["200"]["description"],
        "OK, with the model Order: An order."
    );
    assert_eq!(get["responses"]["404"]["description"], "Nobody's order.");
    assert_eq!(get["security"], json!([{ "users": [], "api_key": [] }]));
    assert_eq!(
        document["components"]["schemas"]["Order"]["properties"],
        json!({ "old": { "nullable": true, "type": "string" } }),
        "the deployed one"
    );
    let elsewhere = &document["paths"]["/elsewhere/{x}"];
    assert_eq!(elsewhere["put"]["operationId"], "putElsewhereByX");
    assert_eq!(
        elsewhere["put"]["responses"]["default"]["description"],
        "What the integration answers; the API's definition says no more of it."
    );
    assert_eq!(document["components"]["securitySchemes"]["jwt"]["scheme"], "bearer");
    assert!(!document.to_string().contains("x-amazon-apigateway-integration"));
    assert_eq!(
        warnings
            .iter()
            .filter(|warning| warning.starts_with("POST /orders stands in the template"))
            .count(),
        1,
        "{warnings:?}"
    );

    let Contract { document, .. } = asked(&template, Some(export), true);
    let any = &document["paths"]["/elsewhere/{x}"]["x-amazon-apigateway-any-method"];
    assert_eq!(any["x-amazon-apigateway-integration"]["type"], "aws_proxy");
    assert_eq!(any["operationId"], "anyElsewhereByX");
}

#[test]
fn a_response_that_an_exporter_has_made_up_goes() {
    let export = json!({
        "info": {}, "paths": { "/orders": { "post": { "responses": { "200": { "description": "200 response" } } } } },
    });
    let found = asked(&Template::of_text(REST), Some(export), false).document;
    let post = &found["paths"]["/orders"]["post"];
    assert_eq!(
        statuses(post),
        ["400", "403", "413", "429", "500", "502", "504", "default"]
    );
}

const HTTP: &str = r#"
Resources:
  Pool: { Type: AWS::Cognito::UserPool }
  Api: { Type: AWS::ApiGatewayV2::Api, Properties: { Name: notes, ProtocolType: HTTP, Version: "3" } }
  Tokens:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties:
      ApiId: !Ref Api
      Name: tokens
      AuthorizerType: JWT
      IdentitySource: ["$request.header.Authorization"]
      JwtConfiguration: { Issuer: !Sub "https://cognito-idp.${AWS::Region}.amazonaws.com/${Pool}", Audience: [x] }
  Get: { Type: AWS::ApiGatewayV2::Route, Properties: { ApiId: !Ref Api, RouteKey: "GET /notes/{id}", OperationName: getNote, AuthorizationType: JWT, AuthorizerId: !Ref Tokens, AuthorizationScopes: [read] } }
  All: { Type: AWS::ApiGatewayV2::Route, Properties: { ApiId: !Ref Api, RouteKey: $default, AuthorizationType: AWS_IAM } }
  Live: { Type: AWS::ApiGatewayV2::Stage, Properties: { ApiId: !Ref Api, StageName: $default } }
"#;

#[test]
fn an_http_api_is_written_from_its_routes() {
    let Contract { document, warnings } = of(HTTP);
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(document["info"], json!({ "title": "notes", "version": "3" }));
    let get = &document["paths"]["/notes/{id}"]["get"];
    assert_eq!(get["security"], json!([{ "tokens": ["read"] }]));
    assert_eq!(statuses(get), ["401", "403", "429", "500", "503", "default"]);
    let scheme = &document["components"]["securitySchemes"]["tokens"];
    assert_eq!(
        scheme["openIdConnectUrl"],
        "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_x/.well-known/openid-configuration"
    );
    assert_eq!(
        document["paths"]["/{proxy}"]["get"]["security"],
        json!([{ "sigv4": [] }])
    );

    // As API Gateway exports it.
    let export = json!({
        "openapi": "3.0.1", "info": { "title": "notes", "version": "3" },
        "paths": {
            "/notes/{id}": { "get": {
                "responses": { "default": { "description": "Default response for GET /notes/{id}" } },
                "security": [{ "tokens": ["read"] }],
            } },
            "/$default": { "x-amazon-apigateway-any-method": { "responses": { "default": { "description": "Default" } }, "isDefaultRoute": true } },
        },
        "components": { "securitySchemes": { "tokens": { "type": "oauth2" } } },
    });
    let exported = asked(&Template::of_text(HTTP), Some(export), false);
    assert_eq!(exported.warnings, Vec::<String>::new());
    assert_eq!(
        exported.document["components"]["securitySchemes"]["tokens"]["type"],
        "openIdConnect"
    );
    assert_eq!(
        exported.document["paths"]["/{proxy}"]["post"]["security"],
        json!([{ "sigv4": [] }])
    );

    let swagger = exported.into_swagger().document;
    assert_eq!(
        swagger["paths"]["/notes/{id}"]["get"]["security"],
        json!([{ "tokens": [] }])
    );
    assert_eq!(swagger["securityDefinitions"]["tokens"]["type"], "apiKey");
}

#[test]
fn a_body_in_the_template_is_taken_in_either_generation() {
    let three = r##"
Resources:
  Api:
    Type: AWS::ApiGateway::RestApi
    Properties:
      Name: body
      Body:
        openapi: 3.0.1
        info: { title: inner, version: "7" }
        security: [{ key: [] }]
        paths:
          /a/{x}:
            parameters: [{ name: x, in: path, required: true, description: Which., schema: { type: integer } }]
            post:
              requestBody: { content: { application/json: { schema: { $ref: "#/components/schemas/A" } } } }
              responses: { "201": { description: Made., content: { application/json: { schema: { $ref: "#/components/schemas/A" } } } } }
              x-amazon-apigateway-integration: { type: mock }
        components:
          schemas: { A: { type: object } }
          securitySchemes: { key: { type: apiKey, name: x-api-key, in: header } }
  Live: { Type: AWS::ApiGateway::Stage, Properties: { RestApiId: !Ref Api, StageName: prod } }
"##;
    let two = r##"
Resources:
  Api:
    Type: AWS::ApiGateway::RestApi
    Properties:
      Name: body
      Body:
        swagger: "2.0"
        info: { title: inner, version: "7" }
        security: [{ key: [] }]
        paths:
          /a/{x}:
            parameters: [{ name: x, in: path, required: true, description: Which., type: integer }]
            post:
              parameters: [{ name: a, in: body, schema: { $ref: "#/definitions/A" } }]
              responses: { "201": { description: Made., schema: { $ref: "#/definitions/A" } } }
              x-amazon-apigateway-integration: { type: mock }
        definitions: { A: { type: object } }
        securityDefinitions: { key: { type: apiKey, name: x-api-key, in: header } }
  Live: { Type: AWS::ApiGateway::Stage, Properties: { RestApiId: !Ref Api, StageName: prod } }
"##;
    let three = of(three);
    assert_eq!(three.warnings, Vec::<String>::new());
    let post = &three.document["paths"]["/a/{x}"]["post"];
    assert_eq!(statuses(post), ["201", "403", "413", "429", "500"]);
    assert_eq!(post["parameters"][0]["description"], "Which.");
    assert_eq!(post["parameters"][0]["schema"]["type"], "integer");
    assert_eq!(post["security"], json!([{ "key": [] }]));
    assert_eq!(three.document["info"]["version"], "7");
    assert_eq!(of(two).document, three.document);
}

#[test]
fn swagger_says_the_same_in_its_own_words() {
    let swagger = of(REST).into_swagger();
    let document = swagger.document;
    assert_eq!(document["swagger"], "2.0");
    assert_eq!(
        (&document["host"], &document["basePath"], &document["schemes"]),
        (
            &json!("x.execute-api.eu-central-1.amazonaws.com"),
            &json!("/prod"),
            &json!(["https"])
        )
    );
    let post = &document["paths"]["/orders"]["post"];
    assert_eq!(post["consumes"], json!(["application/json"]));
    assert_eq!(
        post["parameters"][0],
        json!({
            "name": "body", "in": "body", "description": "The model Order: An order.", "required": true,
            "schema": { "$ref": "#/definitions/Order" },
        })
    );
    let get = &document["paths"]["/orders/{id}"]["get"];
    assert_eq!(get["parameters"][0]["type"], "string");
    assert_eq!(get["parameters"][0]["minLength"], 1);
    assert_eq!(get["responses"]["200"]["schema"]["$ref"], "#/definitions/Order");
    assert_eq!(get["responses"]["200"]["headers"]["ETag"]["type"], "string");
    assert_eq!(
        document["definitions"]["Buyer"],
        json!({ "x-nullable": true, "type": "object" })
    );
    assert!(!document.to_string().contains("#/components/"));
}

#[test]
fn a_model_that_nobody_knows_is_told() {
    let found = of(&REST.replace("application/json: Error }", "application/json: Unheard }"));
    assert_eq!(
        found.warnings,
        ["nothing tells what the model Unheard is: it may be anything in the document"]
    );
    assert!(found.document["components"]["schemas"]["Unheard"]["description"].is_string());
}
