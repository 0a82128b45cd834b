//! A cloud in which resources take their time: a local cloud, behind a proxy that holds back what CloudFormation tells of a stack
//! until it would be so. What was submitted is worked on at once behind it; nobody who asks as one should can tell.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use benchmarks::error::{Context as _, Result};
use benchmarks::proxy::pass_on;
use benchmarks::server;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::CONTENT_LENGTH;
use hyper::{Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::path::{Operation, Operations};
use crate::template::{Schedule, Template, length};
use crate::times::{AROUND, Seconds, UNTIL_ID};

/// A running one; it ends with this value.
pub(crate) struct SlowCloud {
    address: SocketAddr,
    stacks: Arc<Mutex<Stacks>>,
    accepting: AbortHandle,
}

/// What it knows.
struct Stacks {
    /// How long a second of AWS's takes here.
    second: Duration,
    /// By name.
    known: BTreeMap<String, Stack>,
    /// What change sets would do, by their names.
    planned: BTreeMap<String, Template>,
    /// What was done to which stack since somebody asked.
    done: Operations,
}

#[derive(Default)]
struct Stack {
    arn: String,
    template: Option<Template>,
    /// When the last operation ends.
    ends: Option<Instant>,
    /// What it is in until then.
    status: &'static str,
    /// What was told or is to be told, in the order of time.
    events: Vec<Event>,
    /// What resources are called, as the local cloud tells.
    ids: BTreeMap<String, String>,
}

struct Event {
    at: Instant,
    id: String,
    logical: String,
    kind: String,
    status: String,
    token: String,
    has_id: bool,
}

impl SlowCloud {
    /// One in front of the local cloud at this port.
    ///
    /// # Errors
    /// It can't listen.
    pub(crate) async fn start(port: u16, second: Duration) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("could not listen on this machine")?;
        let address = listener.local_addr()?;
        let stacks = Arc::new(Mutex::new(Stacks {
            second,
            known: BTreeMap::new(),
            planned: BTreeMap::new(),
            done: Operations::new(),
        }));
        let answering = Arc::clone(&stacks);
        let serving = server::serve(listener, move |request| {
            let stacks = Arc::clone(&answering);
            async move {
                let answer = answer(request, (Ipv4Addr::LOCALHOST, port).into(), &stacks).await;
                answer.unwrap_or_else(|error| {
                    let mut response = Response::new(Full::from(error.to_string()));
                    *response.status_mut() = StatusCode::BAD_GATEWAY;
                    response
                })
            }
        });
        let accepting = tokio::spawn(serving).abort_handle();
        Ok(Self {
            address,
            stacks,
            accepting,
        })
    }

    /// What to call it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was done since this was asked last, by the stack's name.
    pub(crate) fn take(&self) -> Operations {
        std::mem::take(&mut locked(&self.stacks).done)
    }
}

impl Drop for SlowCloud {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn answer(request: Request<Incoming>, to: SocketAddr, stacks: &Mutex<Stacks>) -> Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let asked = Asked::read(&body);
    let (mut head, body) = pass_on(to, Request::from_parts(head, body)).await?.into_parts();
    let edit: Option<Edit> = match asked.field("Action") {
        Some("CreateStack" | "UpdateStack") => Some(Stacks::submitted),
        Some("CreateChangeSet") => Some(Stacks::planned),
        Some("ExecuteChangeSet") => Some(Stacks::executed),
        Some("DescribeStacks") => Some(Stacks::described),
        Some("DescribeStackEvents") => Some(Stacks::events),
        _ => None,
    };
    let Some(edit) = edit.filter(|_| head.status.is_success()) else {
        return Ok(Response::from_parts(head, Full::from(body)));
    };
    // What isn't understood would be quicker than it may be: who asks is told.
    let edited = edit(&mut locked(stacks), &asked, &String::from_utf8_lossy(&body))?;
    let body = edited.map_or(body, Bytes::from);
    head.headers.remove(CONTENT_LENGTH);
    Ok(Response::from_parts(head, Full::from(body)))
}

/// What a request asks CloudFormation for, by the names of its fields.
#[derive(Debug, Default)]
struct Asked(BTreeMap<String, String>);

impl Asked {
    fn read(form: &[u8]) -> Self {
        Self(form_urlencoded::parse(form).into_owned().collect())
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

type Edit = fn(&mut Stacks, &Asked, &str) -> Result<Option<String>>;

fn locked(stacks: &Mutex<Stacks>) -> MutexGuard<'_, Stacks> {
    stacks.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A stack's name, of itself or its ARN.
fn name_of(stack: &str) -> &str {
    stack.split('/').nth(1).unwrap_or(stack)
}

impl Stacks {
    /// What a request is for, if there it says what a stack is to be.
    fn template(&self, asked: &Asked) -> Result<(String, Template)> {
        let name = name_of(asked.field("StackName").ok_or("no stack is named")?).to_owned();
        let text = asked.field("TemplateBody").ok_or("the template isn't in the request")?;
        let mut given = BTreeMap::new();
        for number in 1.. {
            let field = |field: &str| {
                let value = asked.field(&format!("Parameters.member.{number}.{field}"));
                value.map(str::to_owned)
            };
            let Some(key) = field("ParameterKey") else { break };
            given.insert(key, field("ParameterValue"));
        }
        let before = self.known.get(&name).and_then(|stack| stack.template.as_ref());
        Ok((name, Template::read(text, &given, before)?))
    }

    fn submitted(&mut self, asked: &Asked, answer: &str) -> Result<Option<String>> {
        if let Some(arn) = element(answer, "StackId") {
            let (name, template) = self.template(asked)?;
            self.begin(&name, arn, template, asked);
        }
        Ok(None)
    }

    fn planned(&mut self, asked: &Asked, answer: &str) -> Result<Option<String>> {
        if let Some(arn) = element(answer, "StackId") {
            let (name, template) = self.template(asked)?;
            arn.clone_into(&mut self.known.entry(name).or_default().arn);
            let set = asked.field("ChangeSetName").ok_or("no change set is named")?;
            self.planned.insert(set.to_owned(), template);
        }
        Ok(None)
    }

    fn executed(&mut self, asked: &Asked, _: &str) -> Result<Option<String>> {
        let stack = asked.field("StackName").ok_or("no stack is named")?;
        let set = asked.field("ChangeSetName").ok_or("no change set is named")?;
        let planned = self.planned.remove(name_of(set));
        let template = planned.ok_or_else(|| format!("the change set {set} was never made"))?;
        let name = name_of(stack).to_owned();
        let arn = self.known.get(&name).map(|stack| stack.arn.clone()).unwrap_or_default();
        self.begin(&name, &arn, template, asked);
        Ok(None)
    }

    fn begin(&mut self, name: &str, arn: &str, template: Template, asked: &Asked) {
        let (now, second) = (Instant::now(), self.second);
        let stack = self.known.entry(name.to_owned()).or_default();
        arn.clone_into(&mut stack.arn);
        let schedule = template.schedule(stack.template.as_ref());
        let is_new = stack.template.is_none();
        let token = asked.field("ClientRequestToken").unwrap_or_default().to_owned();
        stack.ends = Some(now + second * length(&schedule));
        stack.status = if is_new {
            "CREATE_IN_PROGRESS"
        } else {
            "UPDATE_IN_PROGRESS"
        };
        let told = told(name, &schedule, is_new);
        let first = stack.events.len();
        stack
            .events
            .extend(told.into_iter().enumerate().map(|(number, told)| Event {
                at: now + second * told.at,
                id: format!("{name}-{}", first + number),
                logical: told.logical,
                kind: told.kind,
                status: told.status,
                token: token.clone(),
                has_id: told.has_id,
            }));
        stack.template = Some(template.clone());
        let operation = Operation { template, schedule };
        self.done.entry(name.to_owned()).or_default().push(operation);
    }

    /// A stack that is worked on is so, whatever the local cloud says, and a new one has no outputs.
    fn described(&mut self, _: &Asked, answer: &str) -> Result<Option<String>> {
        let now = Instant::now();
        let mut edited = answer.to_owned();
        let busy = self
            .known
            .iter()
            .filter(|(_, stack)| stack.ends.is_some_and(|ends| now < ends));
        for (name, stack) in busy {
            let Some(at) = edited.find(&format!("<StackName>{name}</StackName>")) else {
                continue;
            };
            let Some(status) = between(&edited, at, "<StackStatus>", "</StackStatus>") else {
                continue;
            };
            // A failure is nothing to hold back.
            if is_failure(&edited[status.clone()]) {
                continue;
            }
            edited.replace_range(status, stack.status);
            if stack.status.starts_with("CREATE")
                && let Some(outputs) = between(&edited, at, "<Outputs>", "</Outputs>")
            {
                edited.replace_range(outputs, "");
            }
        }
        Ok(Some(edited))
    }

    /// The events that are due, the newest first.
    fn events(&mut self, asked: &Asked, answer: &str) -> Result<Option<String>> {
        let name = name_of(asked.field("StackName").ok_or("no stack is named")?);
        let Some(stack) = self.known.get_mut(name).filter(|stack| stack.template.is_some()) else {
            return Ok(None);
        };
        for member in answer.split("<member>").skip(1) {
            if element(member, "ResourceStatus").is_some_and(is_failure) {
                return Ok(None);
            }
            let ids = element(member, "LogicalResourceId").zip(element(member, "PhysicalResourceId"));
            if let Some((logical, physical)) = ids.filter(|(_, physical)| !physical.is_empty()) {
                // The newest comes first, and is what counts.
                stack.ids.insert(logical.to_owned(), physical.to_owned());
            }
        }
        let now = Instant::now();
        let mut members = String::new();
        for event in stack.events.iter().rev().filter(|event| event.at <= now) {
            let Event {
                id,
                logical,
                kind,
                status,
                token,
                ..
            } = event;
            let physical = stack.ids.get(logical).filter(|_| event.has_id);
            let physical = physical.map_or("", String::as_str);
            let arn = &stack.arn;
            // Writing to a text doesn't fail.
            let _ = write!(
                members,
                "<member><StackId>{arn}</StackId><StackName>{name}</StackName><EventId>{id}</EventId>\
                 <LogicalResourceId>{logical}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
                 <ResourceType>{kind}</ResourceType><ResourceStatus>{status}</ResourceStatus>\
                 <ClientRequestToken>{token}</ClientRequestToken><Timestamp>2026-01-01T00:00:00Z</Timestamp></member>"
            );
        }
        Ok(Some(format!(
            "<DescribeStackEventsResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">\
             <DescribeStackEventsResult><StackEvents>{members}</StackEvents></DescribeStackEventsResult>\
             </DescribeStackEventsResponse>"
        )))
    }
}

fn is_failure(status: &str) -> bool {
    status.contains("ROLLBACK") || status.contains("FAILED") || status.contains("DELETE")
}

/// What is in an element, the first of its name.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let range = between(text, 0, &format!("<{name}>"), &format!("</{name}>"))?;
    Some(&text[range])
}

/// Where what stands between these is, the first after `at`.
fn between(text: &str, at: usize, left: &str, right: &str) -> Option<std::ops::Range<usize>> {
    let from = at + text.get(at..)?.find(left)? + left.len();
    let to = from + text[from..].find(right)?;
    Some(from..to)
}

/// What is told of an operation, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    at: Seconds,
    logical: String,
    kind: String,
    status: String,
    /// Whether the resource's id is told with it.
    has_id: bool,
}

/// The events of an operation in the order of time, as CloudFormation tells them: a resource that is made has an id only as
/// soon as its service has given it one.
fn told(stack: &str, schedule: &Schedule, is_new: bool) -> Vec<Told> {
    const STACK: &str = "AWS::CloudFormation::Stack";
    let verb = |is_new| if is_new { "CREATE" } else { "UPDATE" };
    let event = |at, logical: &str, kind: &str, status: String, has_id| Told {
        at,
        logical: logical.to_owned(),
        kind: kind.to_owned(),
        status,
        has_id,
    };
    let mut told = vec![event(0, stack, STACK, format!("{}_IN_PROGRESS", verb(is_new)), true)];
    for (id, span) in schedule {
        let verb = verb(span.is_new);
        told.push(event(
            span.from,
            id,
            &span.kind,
            format!("{verb}_IN_PROGRESS"),
            !span.is_new,
        ));
        if span.is_new {
            let at = span.to.min(span.from + UNTIL_ID);
            told.push(event(at, id, &span.kind, format!("{verb}_IN_PROGRESS"), true));
        }
        told.push(event(span.to, id, &span.kind, format!("{verb}_COMPLETE"), true));
    }
    told.push(event(
        length(schedule),
        stack,
        STACK,
        format!("{}_COMPLETE", verb(is_new)),
        true,
    ));
    debug_assert!(length(schedule) >= AROUND);
    // What comes at the same time stays in the order in which it happens.
    told.sort_by_key(|told| told.at);
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Span;

    #[test]
    fn a_stack_is_known_by_its_name_and_by_its_arn() {
        assert_eq!(name_of("app-dev-data"), "app-dev-data");
        assert_eq!(
            name_of("arn:aws:cloudformation:us-east-1:1:stack/app-dev-data/7f"),
            "app-dev-data"
        );
        assert_eq!(name_of("arn:aws:cloudformation:us-east-1:1:changeSet/made/7f"), "made");
    }

    #[test]
    fn events_come_in_the_order_of_time_and_ids_after_a_while() {
        let span = |is_new, from, to| Span {
            kind: "T".to_owned(),
            is_new,
            from,
            to,
        };
        let schedule = [
            ("New".to_owned(), span(true, 2, 9)),
            ("Old".to_owned(), span(false, 2, 5)),
        ]
        .into();
        let told = told("app", &schedule, false);
        let told: Vec<_> = told
            .iter()
            .map(|told| (told.at, &*told.logical, &*told.status, told.has_id))
            .collect();
        let expected = [
            (0, "app", "UPDATE_IN_PROGRESS", true),
            (2, "New", "CREATE_IN_PROGRESS", false),
            (2, "Old", "UPDATE_IN_PROGRESS", true),
            (4, "New", "CREATE_IN_PROGRESS", true),
            (5, "Old", "UPDATE_COMPLETE", true),
            (9, "New", "CREATE_COMPLETE", true),
            (11, "app", "UPDATE_COMPLETE", true),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_stack_that_is_worked_on_has_no_outputs_yet() {
        let stack = Stack {
            ends: Some(Instant::now() + Duration::from_secs(60)),
            status: "CREATE_IN_PROGRESS",
            ..Stack::default()
        };
        let mut stacks = Stacks {
            second: Duration::from_secs(1),
            known: [("b".to_owned(), stack)].into(),
            planned: BTreeMap::new(),
            done: Operations::new(),
        };
        let of = |name, status, outputs| {
            format!("<StackName>{name}</StackName><StackStatus>{status}</StackStatus><Outputs>{outputs}</Outputs>")
        };
        let answer = of("a", "CREATE_COMPLETE", "one") + &of("b", "CREATE_COMPLETE", "two");
        let asked = Asked::default();
        let edited = stacks.described(&asked, &answer).expect("edited").expect("edited");
        assert_eq!(
            edited,
            of("a", "CREATE_COMPLETE", "one") + &of("b", "CREATE_IN_PROGRESS", "")
        );
        let failed = of("b", "ROLLBACK_COMPLETE", "");
        assert_eq!(stacks.described(&asked, &failed).expect("read"), Some(failed));
    }
}
