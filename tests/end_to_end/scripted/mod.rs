//! What AWS answers only rarely and no emulator ever does, each kind of it once: a CloudFormation that has one stack and says
//! of it what it is told to. What is asked for is noted, and whatever would change something is refused unless a test lets it
//! be done.

mod causes;
mod changes;
mod errors;
mod stages;
mod states;

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::answers::{Answer, Stack, cloudformation, identity, json_refusal, refusal, stack_events};
use crate::support::{Deployer, Project, Proxy, Ran, Seen};

/// The stack, of the stage `prod`.
const STACK: &str = "small-prod-data";

/// Its template: a table, which holds data.
const TEMPLATE: &str = "\
Description: Data.
Resources:
  Items:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
";

/// The same as it was deployed: JSON, in XML.
const DEPLOYED: &str = "{\"Resources\":{\"Items\":{\"Type\":\"AWS::DynamoDB::Table\"}}}";

/// An account with that stack, and the project that it was made from.
struct Account {
    proxy: Proxy,
    project: Project,
}

impl Account {
    /// One whose stack is what `stack` says, if it is there. Rules that are added answer only what this doesn't.
    fn new(stack: impl FnMut(&Seen) -> Option<Stack> + Send + 'static) -> Self {
        Self::after(|_| {}, stack)
    }

    /// The same, after rules that answer before it does.
    fn after(rules: impl FnOnce(&Proxy), mut stack: impl FnMut(&Seen) -> Option<Stack> + Send + 'static) -> Self {
        let proxy = Proxy::before_nobody();
        rules(&proxy);
        proxy.rule(move |seen| match seen.operation.as_str() {
            "GetCallerIdentity" => Some(identity()),
            "DescribeStacks" => Some(match stack(seen) {
                Some(stack) if seen.body.contains(STACK) => stack.answer(),
                _ => refusal(400, "ValidationError", &format!("Stack with id {STACK} does not exist")),
            }),
            _ => None,
        });
        Self {
            proxy,
            project: Project::bare("small", &[("stacks/data.yaml", TEMPLATE)]),
        }
    }

    /// The command, at this account.
    fn run(&self, args: &[&str]) -> Ran {
        // What no rule has answered by now.
        self.proxy.rule(|seen| Some(otherwise(seen)));
        Deployer::new(self.project.path(), args)
            .env("AWS_ENDPOINT_URL", self.proxy.endpoint())
            .env("AWS_ACCESS_KEY_ID", "AKIATEST")
            .env("AWS_SECRET_ACCESS_KEY", "s3cret")
            .env("AWS_REGION", "us-east-1")
            .run()
    }

    /// What was asked for that would have changed something.
    fn writes(&self) -> Vec<String> {
        let seen = self.proxy.take();
        let writes = seen.into_iter().filter(Seen::writes);
        writes
            .map(|seen| {
                if seen.operation.is_empty() {
                    format!("{} {}", seen.method, seen.path)
                } else {
                    seen.operation
                }
            })
            .collect()
    }
}

/// One of this project's stacks in this status.
fn stack_in(status: &str) -> Stack {
    Stack::new(STACK, status)
        .parameter("DeployerProject", "small")
        .parameter("DeployerStage", "prod")
        .parameter("DeployerDigest", "0123456789abcdef")
}

/// A table with one item in it, and nothing else; whoever asks may change nothing.
fn otherwise(seen: &Seen) -> Answer {
    let is_json = !seen.header("x-amz-target").is_empty();
    match seen.operation.as_str() {
        "ListStackResources" => cloudformation(
            "ListStackResources",
            "<StackResourceSummaries><member><LogicalResourceId>Items</LogicalResourceId>\
             <PhysicalResourceId>small-items</PhysicalResourceId><ResourceType>AWS::DynamoDB::Table</ResourceType>\
             <ResourceStatus>CREATE_COMPLETE</ResourceStatus><LastUpdatedTimestamp>2026-01-01T00:00:00Z</LastUpdatedTimestamp>\
             </member></StackResourceSummaries>",
        ),
        "GetTemplate" => cloudformation("GetTemplate", &format!("<TemplateBody>{DEPLOYED}</TemplateBody>")),
        "DescribeStackEvents" => stack_events(&[], None),
        "ListStacks" => cloudformation("ListStacks", "<StackSummaries></StackSummaries>"),
        "ValidateTemplate" => cloudformation("ValidateTemplate", ""),
        "Scan" => (
            200,
            "{\"Count\":1,\"ScannedCount\":1,\"Items\":[{\"id\":{\"S\":\"1\"}}]}".to_owned(),
        ),
        "DescribeTable" => (
            200,
            "{\"Table\":{\"TableName\":\"small-items\",\"TableStatus\":\"ACTIVE\",\"DeletionProtectionEnabled\":false}}"
                .to_owned(),
        ),
        operation if seen.writes() => {
            let message = format!("User: arn:aws:iam::000000000000:user/x is not authorized to perform: {operation}");
            if is_json {
                json_refusal(400, "AccessDeniedException", &message)
            } else {
                refusal(403, "AccessDenied", &message)
            }
        }
        _ if is_json => json_refusal(400, "ResourceNotFoundException", "Requested resource not found"),
        _ => refusal(404, "NoSuchEntity", "There is nothing"),
    }
}

/// Does `work` for each, some at once: most of it is waiting for processes.
fn each<T: Sync>(rows: &[T], work: impl Fn(&T) + Sync) {
    const AT_ONCE: usize = 4;
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(row);
                }
            });
        }
    });
}
