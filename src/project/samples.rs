//! Events that the templates imply for a function: one for each route and trigger that leads to it, in the shape that AWS
//! gives it. What the app's contract asks of a route is what its event asks, too.
//!
//! The shapes are those of <https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html> and of
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};

use super::apis::{self, Api, ApiKind, Credential, Route};
use super::stacks::StackId;
use super::tables::TABLES;
use super::template::{Scope, Template, references};

/// An event that a template implies.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// How it is asked for: `GET /users`, or a trigger's logical id.
    pub name: String,
    /// What sends such events.
    pub source: &'static str,
    /// The event.
    pub event: Value,
}

/// A stack whose template may have something that leads to the function.
#[derive(Debug)]
pub(crate) struct View<'a> {
    /// Which.
    pub id: &'a StackId,
    /// Its template.
    pub template: &'a Template,
    /// What names in it mean where it is deployed.
    pub scope: Scope,
}

/// The function that events are for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    /// The stack that it is in.
    pub stack: &'a StackId,
    /// Its key in the template.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// Where and when events are said to happen.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
    /// `aws` or another.
    pub partition: String,
    /// RFC 3339, with milliseconds.
    pub time: String,
    /// The same in milliseconds since 1970.
    pub time_ms: i64,
}

/// A request that the app's contract has, as far as a route's event needs it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// The API's id.
    pub api: String,
    /// Such as `GET`.
    pub method: String,
    /// Without the API's stage.
    pub path: String,
    /// What stands behind the `?`, not decoded.
    pub query: String,
    /// In the order of the file.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Option<String>,
}

/// What stands for what nobody knows: an id in a path, a parameter of a query.
const ANY_VALUE: &str = "1";

/// An id of an event, a message or a request.
const ANY_ID: &str = "00000000-0000-4000-8000-000000000000";

/// The samples for a function, each with a name of its own: routes first, then triggers.
pub(crate) fn of_function(views: &[View<'_>], target: Target<'_>, place: &Place, known: &[Known]) -> Vec<Sample> {
    let finder = Finder {
        views,
        target,
        place,
        known,
    };
    let mut named: Vec<(&StackId, Sample)> = Vec::new();
    for view in views {
        named.extend(finder.routes(view).into_iter().map(|sample| (view.id, sample)));
    }
    for view in views {
        named.extend(finder.triggers(view).into_iter().map(|sample| (view.id, sample)));
    }
    let names: Vec<String> = named.iter().map(|(_, sample)| sample.name.clone()).collect();
    let is_shared = |name: &str| names.iter().filter(|other| *other == name).count() > 1;
    named
        .into_iter()
        .map(|(stack, sample)| {
            if is_shared(&sample.name) {
                let name = format!("{stack}:{}", sample.name);
                Sample { name, ..sample }
            } else {
                sample
            }
        })
        .collect()
}

struct Finder<'a> {
    views: &'a [View<'a>],
    target: Target<'a>,
    place: &'a Place,
    known: &'a [Known],
}

impl View<'_> {
    fn text(&self, value: Option<&Value>) -> Option<String> {
        self.template.text_of(value?, &self.scope)
    }

    fn wanted<'t>(&'t self, kind: &'t str) -> impl Iterator<Item = (&'t str, &'t Value)> {
        self.template
            .resources_of(kind)
            .filter(|(_, resource)| self.template.is_wanted(resource, &self.scope))
            .filter_map(|(id, resource)| Some((id, resource.get("Properties")?)))
    }

    /// A list of a resource's property, as conditions choose it.
    fn list<'t>(&'t self, properties: &'t Value, path: &[&str]) -> &'t [Value] {
        let found = path.iter().try_fold(properties, |value, key| {
            self.template.chosen(value.get(*key)?, &self.scope)
        });
        found.and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

// ---- which function is meant ----

impl Finder<'_> {
    /// Whether a value names the function: by a reference, also to one of its versions or aliases, or by its name or ARN.
    fn leads_here(&self, view: &View<'_>, value: Option<&Value>) -> bool {
        self.leads_here_within(view, value, 3)
    }

    fn leads_here_within(&self, view: &View<'_>, value: Option<&Value>, steps: usize) -> bool {
        let Some(value) = value else { return false };
        if let Some(text) = view.template.text_of(value, &view.scope)
            && names_function(&text, self.target.name)
        {
            return true;
        }
        let names = references(value);
        if view.id == self.target.stack && names.contains(self.target.id) {
            return true;
        }
        steps > 0
            && names.iter().any(|name| {
                let Some(resource) = view.template.resource(name) else {
                    return false;
                };
                let is_part = ["AWS::Lambda::Alias", "AWS::Lambda::Version"].contains(&Template::type_of(resource));
                let function = resource
                    .get("Properties")
                    .and_then(|properties| properties.get("FunctionName"));
                is_part && self.leads_here_within(view, function, steps - 1)
            })
    }
}

/// Whether a text is a function's name, its ARN, or holds that, as API Gateway's addresses do.
fn names_function(text: &str, name: &str) -> bool {
    let after = text
        .split(":function:")
        .skip(1)
        .any(|rest| rest.split([':', '/']).next() == Some(name));
    after || text.split(':').next() == Some(name)
}

// ---- routes ----

/// How a route hands requests to a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// A REST API's event, and an HTTP API's of version 1.0.
    One,
    /// An HTTP API's, and a function URL's.
    Two,
}

impl Finder<'_> {
    fn routes(&self, view: &View<'_>) -> Vec<Sample> {
        let mut samples = Vec::new();
        for api in apis::of_template(view.template, &view.scope) {
            for route in &api.routes {
                if let Some((format, declared)) = self.integration(view, &api, route) {
                    samples.push(self.route_sample(view, &api, route, format, &declared));
                }
            }
            // An HTTP API that is made for one function in a line.
            let properties = view
                .template
                .resource(&api.logical_id)
                .and_then(|api| api.get("Properties"));
            let quick = properties.and_then(|properties| properties.get("Target"));
            if api.kind == ApiKind::Http && self.leads_here(view, quick) {
                let key = properties.and_then(|properties| view.text(properties.get("RouteKey")));
                let (method, path) = apis::of_route_key(key.as_deref().unwrap_or("$default"));
                let route = Route {
                    path,
                    method,
                    wants: Credential::Nothing,
                    said: apis::Said::default(),
                };
                samples.push(self.route_sample(view, &api, &route, Format::Two, &[]));
            }
        }
        for (id, properties) in view.wanted("AWS::Lambda::Url") {
            if self.leads_here(view, properties.get("TargetFunctionArn")) {
                let request = Request::of("GET", "/", "", None);
                samples.push(Sample {
                    name: id.to_owned(),
                    source: "function URL",
                    event: request.version_2(self.place, "$default", "$default", ""),
                });
            }
        }
        samples
    }

    /// How a route hands requests to this function, if it does, and the parameters of the query that it declares.
    fn integration(&self, view: &View<'_>, api: &Api, route: &Route) -> Option<(Format, Vec<String>)> {
        let Some(id) = &route.said.logical_id else {
            let body = view
                .template
                .resource(&api.logical_id)?
                .get("Properties")?
                .get("Body")?;
            let operations = body.get("paths")?.get(&route.path)?;
            let method = if route.method == "ANY" {
                "x-amazon-apigateway-any-method".to_owned()
            } else {
                route.method.to_lowercase()
            };
            let integration = operations.get(&method)?.get("x-amazon-apigateway-integration")?;
            let kind = view.text(integration.get("type"))?;
            if !kind.eq_ignore_ascii_case("AWS_PROXY") || !self.leads_here(view, integration.get("uri")) {
                return None;
            }
            let version = view.text(integration.get("payloadFormatVersion"));
            return Some((format_of(api.kind, version.as_deref()), Vec::new()));
        };
        let properties = view.template.resource(id)?.get("Properties")?;
        match api.kind {
            ApiKind::Rest => {
                let integration = properties.get("Integration")?;
                let is_proxy = view.text(integration.get("Type"))? == "AWS_PROXY";
                let declared = properties.get("RequestParameters").and_then(Value::as_object);
                let declared = declared.into_iter().flatten().filter_map(|(name, required)| {
                    let name = name.strip_prefix("method.request.querystring.")?;
                    (required == true || required == "true").then(|| name.to_owned())
                });
                (is_proxy && self.leads_here(view, integration.get("Uri"))).then(|| (Format::One, declared.collect()))
            }
            ApiKind::Http => {
                let names = references(properties.get("Target")?);
                let integration = names.iter().find_map(|name| {
                    let resource = view.template.resource(name)?;
                    let is_one = Template::type_of(resource) == "AWS::ApiGatewayV2::Integration";
                    resource.get("Properties").filter(|_| is_one)
                })?;
                let is_proxy = view.text(integration.get("IntegrationType"))? == "AWS_PROXY";
                let version = view.text(integration.get("PayloadFormatVersion"));
                (is_proxy && self.leads_here(view, integration.get("IntegrationUri")))
                    .then(|| (format_of(api.kind, version.as_deref()), Vec::new()))
            }
        }
    }

    fn route_sample(&self, view: &View<'_>, api: &Api, route: &Route, format: Format, declared: &[String]) -> Sample {
        let api_id = view.scope.get(&api.logical_id).cloned().unwrap_or_default();
        let asked = self
            .known
            .iter()
            .find(|known| known.api == api_id && most_exact(&api.routes, &known.method, &known.path) == Some(route));
        let request = match asked {
            Some(known) => Request {
                headers: known.headers.iter().cloned().collect(),
                ..Request::of(&known.method, &known.path, &known.query, known.body.clone())
            },
            None => {
                let method = if route.method == "ANY" { "GET" } else { &route.method };
                let path: Vec<&str> = route
                    .path
                    .split('/')
                    .map(|part| if part.starts_with('{') { ANY_VALUE } else { part })
                    .collect();
                let query: Vec<String> = declared.iter().map(|name| format!("{name}={ANY_VALUE}")).collect();
                let body = ["POST", "PUT", "PATCH"].contains(&method).then(|| "{}".to_owned());
                Request::of(method, &path.join("/"), &query.join("&"), body)
            }
        };
        let stage = api.stage.clone().unwrap_or_else(|| "$default".to_owned());
        let (source, event) = match (format, api.kind) {
            (Format::One, kind) => (
                if kind == ApiKind::Rest {
                    "API Gateway, REST API"
                } else {
                    "API Gateway, HTTP API, format 1.0"
                },
                request.version_1(self.place, &route.path, &stage, &api_id),
            ),
            (Format::Two, _) => {
                let is_default = route.said.logical_id.is_none() && route.path == "/{proxy+}" && route.method == "ANY";
                let key = if is_default {
                    "$default".to_owned()
                } else {
                    format!("{} {}", route.method, route.path)
                };
                let event = request.version_2(self.place, &key, &stage, &api_id);
                (
                    "API Gateway, HTTP API",
                    with_path_parameters(event, &route.path, &request.path),
                )
            }
        };
        Sample {
            name: format!("{} {}", route.method, route.path),
            source,
            event,
        }
    }
}

fn format_of(kind: ApiKind, version: Option<&str>) -> Format {
    match (kind, version) {
        (ApiKind::Rest, _) | (ApiKind::Http, Some("1.0")) => Format::One,
        (ApiKind::Http, _) => Format::Two,
    }
}

/// The route that a request comes to: of several the one that leaves least open.
fn most_exact<'r>(routes: &'r [Route], method: &str, path: &str) -> Option<&'r Route> {
    let fitting = routes.iter().filter(|route| route.is_for(method, path));
    fitting.min_by_key(|route| {
        (
            route.path.matches("+}").count(),
            route.path.matches('{').count(),
            route.method == "ANY",
        )
    })
}

struct Request {
    method: String,
    path: String,
    raw_query: String,
    query: Vec<(String, String)>,
    headers: BTreeMap<String, String>,
    body: Option<String>,
}

impl Request {
    fn of(method: &str, path: &str, query: &str, body: Option<String>) -> Self {
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            percent_encoding::percent_decode_str(&text)
                .decode_utf8_lossy()
                .into_owned()
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        });
        let kind = body
            .as_ref()
            .map(|_| ("Content-Type".to_owned(), "application/json".to_owned()));
        Self {
            method: method.to_owned(),
            path: if path.is_empty() {
                "/".to_owned()
            } else {
                path.to_owned()
            },
            raw_query: query.to_owned(),
            query: pairs.collect(),
            headers: kind.into_iter().collect(),
            body,
        }
    }

    fn version_1(&self, place: &Place, resource: &str, stage: &str, api: &str) -> Value {
        let host = format!("{api}.execute-api.{}.amazonaws.com", place.region);
        let mut headers = self.headers.clone();
        headers.insert("Host".to_owned(), host.clone());
        let mut single = Map::new();
        let mut multi: Map<String, Value> = Map::new();
        for (name, value) in &self.query {
            single.insert(name.clone(), json!(value));
            let values = multi.entry(name.clone()).or_insert_with(|| json!([]));
            if let Some(values) = values.as_array_mut() {
                values.push(json!(value));
            }
        }
        let or_null = |map: Map<String, Value>| {
            if map.is_empty() {
                Value::Null
            } else {
                Value::Object(map)
            }
        };
        let multi_headers: Map<String, Value> = headers
            .iter()
            .map(|(name, value)| (name.clone(), json!([value])))
            .collect();
        json!({
            "resource": resource,
            "path": self.path,
            "httpMethod": self.method,
            "headers": headers,
            "multiValueHeaders": multi_headers,
            "queryStringParameters": or_null(single),
            "multiValueQueryStringParameters": or_null(multi),
            "pathParameters": or_null(path_parameters(resource, &self.path)),
            "stageVariables": null,
            "requestContext": {
                "accountId": place.account,
                "apiId": api,
                "domainName": host,
                "domainPrefix": api,
                "httpMethod": self.method,
                "identity": { "sourceIp": "127.0.0.1", "userAgent": "deployer" },
                "path": format!("/{stage}{}", self.path),
                "protocol": "HTTP/1.1",
                "requestId": ANY_ID,
                "requestTimeEpoch": place.time_ms,
                "resourcePath": resource,
                "stage": stage,
            },
            "body": self.body,
            "isBase64Encoded": false,
        })
    }

    fn version_2(&self, place: &Place, route_key: &str, stage: &str, api: &str) -> Value {
        let host = format!("{api}.execute-api.{}.amazonaws.com", place.region);
        let mut headers: Map<String, Value> = Map::new();
        for (name, value) in &self.headers {
            headers.insert(name.to_lowercase(), json!(value));
        }
        headers.insert("host".to_owned(), json!(host));
        // API Gateway leaves out what there is none of.
        let mut event = json!({
            "version": "2.0",
            "routeKey": route_key,
            "rawPath": self.path,
            "rawQueryString": self.raw_query,
            "headers": headers,
            "requestContext": {
                "accountId": place.account,
                "apiId": api,
                "domainName": host,
                "domainPrefix": api,
                "http": {
                    "method": self.method,
                    "path": self.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": "deployer",
                },
                "requestId": ANY_ID,
                "routeKey": route_key,
                "stage": stage,
                "time": place.time,
                "timeEpoch": place.time_ms,
            },
            "isBase64Encoded": false,
        });
        if !self.query.is_empty() {
            // Of several values of one name they are one text, parted by commas.
            let mut joined: Map<String, Value> = Map::new();
            for (name, value) in &self.query {
                let text = match joined.get(name).and_then(Value::as_str) {
                    Some(before) => format!("{before},{value}"),
                    None => value.clone(),
                };
                joined.insert(name.clone(), json!(text));
            }
            event["queryStringParameters"] = Value::Object(joined);
        }
        if let Some(body) = &self.body {
            event["body"] = json!(body);
        }
        event
    }
}

fn with_path_parameters(mut event: Value, route: &str, path: &str) -> Value {
    let parameters = path_parameters(route, path);
    if !parameters.is_empty() {
        event["pathParameters"] = Value::Object(parameters);
    }
    event
}

/// What the parts of a path are called in a route.
fn path_parameters(route: &str, path: &str) -> Map<String, Value> {
    let mut parameters = Map::new();
    let live: Vec<&str> = path.trim_matches('/').split('/').collect();
    for (index, part) in route.trim_matches('/').split('/').enumerate() {
        let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else {
            continue;
        };
        let (name, value) = match name.strip_suffix('+') {
            Some(name) => (name, live.get(index..).unwrap_or_default().join("/")),
            None => (name, live.get(index).copied().unwrap_or_default().to_owned()),
        };
        parameters.insert(name.to_owned(), json!(value));
    }
    parameters
}

// ---- triggers ----

impl Finder<'_> {
    fn triggers(&self, view: &View<'_>) -> Vec<Sample> {
        let mut samples = Vec::new();
        for (id, properties) in view.wanted("AWS::Lambda::EventSourceMapping") {
            if self.leads_here(view, properties.get("FunctionName")) {
                samples.extend(self.polled(view, id, properties));
            }
        }
        self.buckets(view, &mut samples);
        self.topics(view, &mut samples);
        for (id, properties) in view.wanted("AWS::Events::Rule") {
            for target in view.list(properties, &["Targets"]) {
                if self.leads_here(view, target.get("Arn")) {
                    samples.push(Sample {
                        name: id.to_owned(),
                        source: "EventBridge rule",
                        event: self.ruled(view, id, properties, target),
                    });
                }
            }
        }
        for (id, properties) in view.wanted("AWS::Scheduler::Schedule") {
            let Some(target) = properties.get("Target") else {
                continue;
            };
            if self.leads_here(view, target.get("Arn")) {
                samples.push(Sample {
                    name: id.to_owned(),
                    source: "EventBridge Scheduler",
                    event: said_input(view, target).unwrap_or_else(|| self.scheduled(id)),
                });
            } else if let Some(queue) = self.queue_behind(view, target.get("Arn")) {
                let body = said_input(view, target).unwrap_or_else(|| self.scheduled(id));
                samples.push(Sample {
                    name: id.to_owned(),
                    source: "EventBridge Scheduler, through SQS",
                    event: self.message(&queue, &body.to_string()),
                });
            }
        }
        samples
    }

    /// The ARN of the queue that a value names, if this function takes from it.
    fn queue_behind(&self, view: &View<'_>, value: Option<&Value>) -> Option<String> {
        let arn = view.text(value).filter(|arn| arn.contains(":sqs:"))?;
        let takes_it = self.views.iter().any(|other| {
            other.wanted("AWS::Lambda::EventSourceMapping").any(|(_, properties)| {
                self.leads_here(other, properties.get("FunctionName"))
                    && other.text(properties.get("EventSourceArn")).as_ref() == Some(&arn)
            })
        });
        takes_it.then_some(arn)
    }

    /// What Lambda takes out of a queue or a stream itself.
    fn polled(&self, view: &View<'_>, id: &str, properties: &Value) -> Option<Sample> {
        let source = properties.get("EventSourceArn")?;
        let said = view.text(Some(source));
        let names = references(source);
        let referred = names
            .iter()
            .find_map(|name| Some((name, view.template.resource(name)?)));
        let service = match (&said, referred) {
            (Some(arn), _) => arn.split(':').nth(2).unwrap_or_default(),
            (None, Some((_, resource))) => match Template::type_of(resource) {
                "AWS::SQS::Queue" => "sqs",
                kind if TABLES.contains(&kind) => "dynamodb",
                "AWS::Kinesis::Stream" => "kinesis",
                _ => return None,
            },
            (None, None) => return None,
        };
        let of_name = |service: &str, resource: &str| {
            let Place {
                partition,
                region,
                account,
                ..
            } = self.place;
            format!("arn:{partition}:{service}:{region}:{account}:{resource}")
        };
        let (source, event) = match service {
            "sqs" => {
                let arn = said.unwrap_or_else(|| of_name("sqs", "queue"));
                ("SQS", self.message(&arn, "{}"))
            }
            "kinesis" => {
                let arn = said.unwrap_or_else(|| of_name("kinesis", "stream/stream"));
                ("Kinesis", self.stream_record(&arn))
            }
            "dynamodb" => {
                let table = match referred.filter(|(_, resource)| TABLES.contains(&Template::type_of(resource))) {
                    Some((name, resource)) => Some((
                        view,
                        view.scope.get(name.as_str()).cloned().unwrap_or_default(),
                        resource,
                    )),
                    None => said.as_deref().and_then(|arn| self.table_of_stream(arn)),
                };
                let name = table.as_ref().map_or("table", |(_, name, _)| name.as_str());
                let arn = said
                    .clone()
                    .unwrap_or_else(|| of_name("dynamodb", &format!("table/{name}/stream/{}", self.place.time)));
                (
                    "DynamoDB stream",
                    self.item_change(&arn, table.as_ref().map(|(view, _, table)| (*view, *table))),
                )
            }
            _ => return None,
        };
        Some(Sample {
            name: id.to_owned(),
            source,
            event,
        })
    }

    fn message(&self, arn: &str, body: &str) -> Value {
        let time = self.place.time_ms.to_string();
        json!({ "Records": [{
            "messageId": ANY_ID,
            "receiptHandle": "sample",
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": time,
                "SenderId": self.place.account,
                "ApproximateFirstReceiveTimestamp": time,
            },
            "messageAttributes": {},
            "md5OfBody": hex::encode(Md5::digest(body)),
            "eventSource": "aws:sqs",
            "eventSourceARN": arn,
            "awsRegion": self.place.region,
        }] })
    }

    fn stream_record(&self, arn: &str) -> Value {
        json!({ "Records": [{
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": ANY_VALUE,
                "sequenceNumber": "1",
                "data": BASE64_STANDARD.encode("{}"),
                "approximateArrivalTimestamp": self.place.time_ms / 1000,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": "shardId-000000000000:1",
            "eventName": "aws:kinesis:record",
            "awsRegion": self.place.region,
            "eventSourceARN": arn,
        }] })
    }

    /// The table of a stream's ARN, by the name in it.
    fn table_of_stream(&self, arn: &str) -> Option<(&View<'_>, String, &Value)> {
        let name = arn.split_once(":table/")?.1.split('/').next()?;
        self.views.iter().find_map(|view| {
            let mut tables = TABLES.iter().flat_map(|kind| view.template.resources_of(kind));
            let (_, table) = tables.find(|(id, _)| view.scope.get(*id).is_some_and(|found| found == name))?;
            Some((view, name.to_owned(), table))
        })
    }

    fn item_change(&self, arn: &str, table: Option<(&View<'_>, &Value)>) -> Value {
        let mut keys = Map::new();
        let mut images = "NEW_AND_OLD_IMAGES".to_owned();
        if let Some((view, properties)) = table.and_then(|(view, table)| Some((view, table.get("Properties")?))) {
            let kinds: BTreeMap<String, String> = view
                .list(properties, &["AttributeDefinitions"])
                .iter()
                .filter_map(|one| {
                    Some((
                        view.text(one.get("AttributeName"))?,
                        view.text(one.get("AttributeType"))?,
                    ))
                })
                .collect();
            for key in view.list(properties, &["KeySchema"]) {
                if let Some(name) = view.text(key.get("AttributeName")) {
                    let kind = kinds.get(&name).cloned().unwrap_or_else(|| "S".to_owned());
                    let value = if kind == "B" { "AA==" } else { ANY_VALUE };
                    keys.insert(name, json!({ (kind): value }));
                }
            }
            let said = properties.get("StreamSpecification");
            if let Some(said) = said.and_then(|said| view.text(said.get("StreamViewType"))) {
                images = said;
            }
        }
        let mut change = json!({
            "ApproximateCreationDateTime": self.place.time_ms / 1000,
            "Keys": keys,
            "SequenceNumber": "1",
            "SizeBytes": 1,
            "StreamViewType": images,
        });
        if images.starts_with("NEW") {
            change["NewImage"] = Value::Object(keys);
        }
        json!({ "Records": [{
            "eventID": "1",
            "eventName": "INSERT",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": self.place.region,
            "dynamodb": change,
            "eventSourceARN": arn,
        }] })
    }

    fn buckets(&self, view: &View<'_>, samples: &mut Vec<Sample>) {
        for (id, properties) in view.wanted("AWS::S3::Bucket") {
            for configuration in view.list(properties, &["NotificationConfiguration", "LambdaConfigurations"]) {
                if !self.leads_here(view, configuration.get("Function")) {
                    continue;
                }
                let event = view.text(configuration.get("Event"));
                let event = event.unwrap_or_else(|| "s3:ObjectCreated:*".to_owned());
                let mut key = ("sample".to_owned(), String::new());
                for rule in view.list(configuration, &["Filter", "S3Key", "Rules"]) {
                    let value = view.text(rule.get("Value")).unwrap_or_default();
                    match view.text(rule.get("Name")).unwrap_or_default().to_lowercase().as_str() {
                        "prefix" => key.0 = format!("{value}sample"),
                        "suffix" => key.1 = value,
                        _ => {}
                    }
                }
                let bucket = view.scope.get(id).cloned().unwrap_or_else(|| "bucket".to_owned());
                samples.push(Sample {
                    name: id.to_owned(),
                    source: "S3",
                    event: self.object(&bucket, &format!("{}{}", key.0, key.1), &event),
                });
            }
        }
    }

    fn object(&self, bucket: &str, key: &str, event: &str) -> Value {
        let name = event.trim_start_matches("s3:");
        let name = match name.strip_suffix(":*") {
            Some("ObjectCreated") => "ObjectCreated:Put".to_owned(),
            Some("ObjectRemoved") => "ObjectRemoved:Delete".to_owned(),
            Some(other) => other.to_owned(),
            None => name.to_owned(),
        };
        json!({ "Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": self.place.region,
            "eventTime": self.place.time,
            "eventName": name,
            "userIdentity": { "principalId": self.place.account },
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": { "x-amz-request-id": "sample", "x-amz-id-2": "sample" },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "sample",
                "bucket": {
                    "name": bucket,
                    "ownerIdentity": { "principalId": self.place.account },
                    "arn": format!("arn:{}:s3:::{bucket}", self.place.partition),
                },
                "object": {
                    "key": percent_encoding::utf8_percent_encode(key, KEY).to_string(),
                    "size": 1,
                    "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                    "sequencer": "0",
                },
            },
        }] })
    }

    fn topics(&self, view: &View<'_>, samples: &mut Vec<Sample>) {
        let mut add = |id: &str, topic: Option<String>| {
            let Place {
                partition,
                region,
                account,
                ..
            } = self.place;
            let topic = topic.unwrap_or_else(|| format!("arn:{partition}:sns:{region}:{account}:topic"));
            samples.push(Sample {
                name: id.to_owned(),
                source: "SNS",
                event: self.notification(&topic),
            });
        };
        let is_lambda = |value: &Value| view.text(value.get("Protocol")).as_deref() == Some("lambda");
        for (id, properties) in view.wanted("AWS::SNS::Subscription") {
            if is_lambda(properties) && self.leads_here(view, properties.get("Endpoint")) {
                add(id, view.text(properties.get("TopicArn")));
            }
        }
        for (id, properties) in view.wanted("AWS::SNS::Topic") {
            let subscriptions = view.list(properties, &["Subscription"]).iter();
            let mut own = subscriptions.filter(|one| is_lambda(one) && self.leads_here(view, one.get("Endpoint")));
            if own.next().is_some() {
                add(id, view.scope.get(id).cloned());
            }
        }
    }

    fn notification(&self, topic: &str) -> Value {
        json!({ "Records": [{
            "EventVersion": "1.0",
            "EventSubscriptionArn": format!("{topic}:{ANY_ID}"),
            "EventSource": "aws:sns",
            "Sns": {
                "Type": "Notification",
                "MessageId": ANY_ID,
                "TopicArn": topic,
                "Subject": null,
                "Message": "{}",
                "Timestamp": self.place.time,
                "SignatureVersion": "1",
                "Signature": "sample",
                "SigningCertUrl": "https://sns.amazonaws.com/sample.pem",
                "UnsubscribeUrl": "https://sns.amazonaws.com/",
                "MessageAttributes": {},
            },
        }] })
    }

    fn ruled(&self, view: &View<'_>, id: &str, properties: &Value, target: &Value) -> Value {
        if let Some(input) = said_input(view, target) {
            return input;
        }
        let name = view
            .scope
            .get(id)
            .map_or(id, |name| name.rsplit('/').next().unwrap_or(name));
        let Place {
            partition,
            region,
            account,
            ..
        } = self.place;
        let rule = format!("arn:{partition}:events:{region}:{account}:rule/{name}");
        let pattern = properties.get("EventPattern");
        let first = |key: &str| pattern.and_then(|pattern| pattern.get(key)?.get(0)?.as_str().map(str::to_owned));
        let is_schedule = properties.get("ScheduleExpression").is_some();
        let detail = pattern.and_then(|pattern| pattern.get("detail"));
        json!({
            "version": "0",
            "id": ANY_ID,
            "detail-type": if is_schedule { "Scheduled Event".to_owned() } else { first("detail-type").unwrap_or_else(|| "Sample".to_owned()) },
            "source": if is_schedule { "aws.events".to_owned() } else { first("source").unwrap_or_else(|| "sample".to_owned()) },
            "account": account,
            "time": self.place.time,
            "region": region,
            "resources": if is_schedule { json!([rule]) } else { json!([]) },
            "detail": detail.map_or_else(|| json!({}), fitting),
        })
    }

    /// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html>
    fn scheduled(&self, id: &str) -> Value {
        let Place {
            partition,
            region,
            account,
            time,
            ..
        } = self.place;
        json!({
            "version": "0",
            "id": ANY_ID,
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": account,
            "time": time,
            "region": region,
            "resources": [format!("arn:{partition}:scheduler:{region}:{account}:schedule/default/{id}")],
            "detail": "{}",
        })
    }
}

/// What S3 leaves of a key as it is, in events.
const KEY: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b'/');

/// The constant event of a rule's or a schedule's target.
fn said_input(view: &View<'_>, target: &Value) -> Option<Value> {
    let text = view.text(target.get("Input"))?;
    serde_json::from_str(&text).ok()
}

/// Something that fits the pattern of an event's detail, as far as it says which values it wants.
fn fitting(pattern: &Value) -> Value {
    match pattern {
        Value::Object(map) => {
            let known = map.iter().filter(|(name, _)| !name.starts_with('$'));
            Value::Object(known.map(|(name, value)| (name.clone(), fitting(value))).collect())
        }
        Value::Array(wanted) => match wanted.first() {
            Some(Value::Object(rule)) => {
                let one = |name: &str| rule.get(name).cloned();
                one("prefix")
                    .or_else(|| one("equals-ignore-case"))
                    .unwrap_or_else(|| json!(ANY_VALUE))
            }
            Some(value) => value.clone(),
            None => Value::Null,
        },
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = r#"
Resources:
  Fn: { Type: AWS::Lambda::Function, Properties: { FunctionName: app-fn, Code: { ZipFile: x } } }
  Other: { Type: AWS::Lambda::Function, Properties: { FunctionName: app-fn-2, Code: { ZipFile: x } } }
  Live: { Type: AWS::Lambda::Alias, Properties: { FunctionName: !Ref Fn, Name: live } }
  Web: { Type: AWS::ApiGatewayV2::Api, Properties: { Name: web, ProtocolType: HTTP } }
  WebFn:
    Type: AWS::ApiGatewayV2::Integration
    Properties: { ApiId: !Ref Web, IntegrationType: AWS_PROXY, IntegrationUri: !Ref Live, PayloadFormatVersion: "2.0" }
  GetOne:
    Type: AWS::ApiGatewayV2::Route
    Properties: { ApiId: !Ref Web, RouteKey: "GET /things/{id}", Target: !Sub "integrations/${WebFn}" }
  Elsewhere:
    Type: AWS::ApiGatewayV2::Integration
    Properties: { ApiId: !Ref Web, IntegrationType: AWS_PROXY, IntegrationUri: !GetAtt Other.Arn, PayloadFormatVersion: "2.0" }
  GetOther:
    Type: AWS::ApiGatewayV2::Route
    Properties: { ApiId: !Ref Web, RouteKey: "GET /others", Target: !Sub "integrations/${Elsewhere}" }
  Address: { Type: AWS::Lambda::Url, Properties: { TargetFunctionArn: !Ref Fn, AuthType: AWS_IAM } }
  Uploads:
    Type: AWS::S3::Bucket
    Properties:
      NotificationConfiguration:
        LambdaConfigurations:
          - Event: "s3:ObjectCreated:*"
            Function: !GetAtt Fn.Arn
            Filter: { S3Key: { Rules: [{ Name: prefix, Value: in/ }, { Name: suffix, Value: " a.png" }] } }
  Things:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{ AttributeName: id, AttributeType: N }, { AttributeName: at, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }, { AttributeName: at, KeyType: RANGE }]
      StreamSpecification: { StreamViewType: KEYS_ONLY }
  OnChange:
    Type: AWS::Lambda::EventSourceMapping
    Properties: { EventSourceArn: !GetAtt Things.StreamArn, FunctionName: !Ref Fn }
  News: { Type: AWS::SNS::Topic, Properties: { Subscription: [{ Protocol: lambda, Endpoint: !GetAtt Fn.Arn }] } }
  Nightly:
    Type: AWS::Events::Rule
    Properties: { ScheduleExpression: rate(1 day), Targets: [{ Id: a, Arn: !GetAtt Fn.Arn }] }
  OnOrder:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: { source: [shop], detail-type: [Order], detail: { state: [open], total: [{ numeric: [">", 1] }] } }
      Targets: [{ Id: a, Arn: !GetAtt Fn.Arn }]
  Said:
    Type: AWS::Scheduler::Schedule
    Properties: { ScheduleExpression: rate(1 day), Target: { Arn: !GetAtt Fn.Arn, RoleArn: x, Input: '{"sweep":1.0}' } }
  Queue: { Type: AWS::SQS::Queue }
  Taken:
    Type: AWS::Lambda::EventSourceMapping
    Properties: { EventSourceArn: !GetAtt Queue.Arn, FunctionName: !Ref Other }
"#;

    fn samples(known: &[Known]) -> BTreeMap<String, (&'static str, Value)> {
        let (template, stack) = (Template::of_text(TEMPLATE), StackId::new("app"));
        let scope = [
            ("Web", "web1"),
            ("Fn", "app-fn"),
            ("Uploads", "app-uploads"),
            ("Nightly", "app-nightly"),
        ];
        let view = View {
            id: &stack,
            template: &template,
            scope: scope.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        };
        let target = Target {
            stack: &stack,
            id: "Fn",
            name: "app-fn",
        };
        let place = Place {
            account: "1".to_owned(),
            region: "r".to_owned(),
            partition: "aws".to_owned(),
            time: "2026-01-01T00:00:00.000Z".to_owned(),
            time_ms: 1_767_225_600_000,
        };
        let found = of_function(&[view], target, &place, known);
        let found = found
            .into_iter()
            .map(|sample| (sample.name, (sample.source, sample.event)));
        found.collect()
    }

    #[test]
    fn each_route_and_trigger_of_a_function_implies_an_event() {
        let samples = samples(&[]);
        let names: Vec<&str> = samples.keys().map(String::as_str).collect();
        let expected = [
            "Address",
            "GET /things/{id}",
            "News",
            "Nightly",
            "OnChange",
            "OnOrder",
            "Said",
            "Uploads",
        ];
        assert_eq!(names, expected);
        let event = |name: &str| &samples[name].1;
        let route = event("GET /things/{id}");
        assert_eq!(
            (&route["version"], &route["routeKey"]),
            (&json!("2.0"), &json!("GET /things/{id}"))
        );
        assert_eq!(
            (&route["rawPath"], &route["pathParameters"]),
            (&json!("/things/1"), &json!({ "id": "1" }))
        );
        assert_eq!(event("Address")["routeKey"], "$default");
        let object = &event("Uploads")["Records"][0];
        assert_eq!(object["eventName"], "ObjectCreated:Put");
        assert_eq!(object["s3"]["object"]["key"], "in/sample%20a.png");
        assert_eq!(object["s3"]["bucket"]["name"], "app-uploads");
        let change = &event("OnChange")["Records"][0]["dynamodb"];
        assert_eq!(change["Keys"], json!({ "id": { "N": "1" }, "at": { "S": "1" } }));
        assert_eq!(
            (&change["StreamViewType"], change.get("NewImage")),
            (&json!("KEYS_ONLY"), None)
        );
        assert_eq!(event("News")["Records"][0]["Sns"]["Type"], "Notification");
        assert_eq!(
            event("Nightly")["resources"],
            json!(["arn:aws:events:r:1:rule/app-nightly"])
        );
        let order = event("OnOrder");
        assert_eq!(
            (&order["source"], &order["detail-type"]),
            (&json!("shop"), &json!("Order"))
        );
        assert_eq!(order["detail"]["state"], "open");
        assert_eq!(event("Said").to_string(), r#"{"sweep":1.0}"#);
    }

    #[test]
    fn a_known_request_is_what_a_routes_event_asks() {
        let known = Known {
            api: "web1".to_owned(),
            method: "GET".to_owned(),
            path: "/things/a-7".to_owned(),
            query: "x=1&x=b%20c&y".to_owned(),
            headers: vec![("X-Test".to_owned(), "1".to_owned())],
            body: None,
        };
        let other = Known {
            api: "another".to_owned(),
            ..known.clone()
        };
        let samples = samples(&[other, known]);
        let event = &samples["GET /things/{id}"].1;
        assert_eq!(event["pathParameters"], json!({ "id": "a-7" }));
        assert_eq!(event["queryStringParameters"], json!({ "x": "1,b c", "y": "" }));
        assert_eq!(event["headers"]["x-test"], "1");
    }

    #[test]
    fn another_functions_name_is_none_of_this_ones() {
        assert!(names_function("arn:aws:lambda:r:1:function:fn:live", "fn"));
        assert!(names_function(
            "arn:aws:apigateway:r:lambda:path/x/functions/arn:aws:lambda:r:1:function:fn/invocations",
            "fn"
        ));
        assert!(names_function("fn", "fn"));
        for other in ["arn:aws:lambda:r:1:function:fn-2", "fn-2", "arn:aws:sqs:r:1:fn"] {
            assert!(!names_function(other, "fn"), "{other}");
        }
    }
}
