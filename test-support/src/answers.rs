//! What AWS answers, as AWS shapes it: a status and a body, for a [`Proxy`](crate::Proxy)'s rule to give.

use std::fmt::Write as _;

/// A status and a body.
pub type Answer = (u16, String);

const CLOUDFORMATION: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

/// A refusal or a failure of a service that speaks XML: CloudFormation, IAM, STS, CloudFront.
pub fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
    let text = format!("<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>");
    (status, text)
}

/// The same of S3, whose errors stand alone.
pub fn s3_refusal(status: u16, code: &str, message: &str) -> Answer {
    (
        status,
        format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"),
    )
}

/// The same of a service that speaks JSON: DynamoDB, Lambda, CloudWatch Logs, API Gateway.
pub fn json_refusal(status: u16, code: &str, message: &str) -> Answer {
    let text = serde_json::json!({ "__type": code, "message": message });
    (status, text.to_string())
}

/// Who somebody is, as STS tells: the user `x` of the account 000000000000.
pub fn identity() -> Answer {
    let arn = "<Arn>arn:aws:iam::000000000000:user/x</Arn><UserId>x</UserId><Account>000000000000</Account>";
    let text = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>{arn}\
         </GetCallerIdentityResult></GetCallerIdentityResponse>"
    );
    (200, text)
}

/// The answer of CloudFormation to `operation`, with this in its result.
pub fn cloudformation(operation: &str, result: &str) -> Answer {
    let text = format!(
        "<{operation}Response xmlns=\"{CLOUDFORMATION}\"><{operation}Result>{result}</{operation}Result></{operation}Response>"
    );
    (200, text)
}

/// A stack as `DescribeStacks` tells of it.
#[derive(Debug, Clone)]
pub struct Stack {
    name: String,
    arn: String,
    status: String,
    reason: Option<String>,
    parameters: Vec<(String, String)>,
}

impl Stack {
    /// One in this status, with an ARN that is made up.
    pub fn new(name: &str, status: &str) -> Self {
        Self {
            name: name.to_owned(),
            arn: format!("arn:aws:cloudformation:us-east-1:000000000000:stack/{name}/1"),
            status: status.to_owned(),
            reason: None,
            parameters: Vec::new(),
        }
    }

    /// With this ARN: what the deployer asks for next, so it must be real where the emulator is to answer then.
    pub fn arn(mut self, arn: &str) -> Self {
        arn.clone_into(&mut self.arn);
        self
    }

    /// In its status for this reason.
    pub fn because(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }

    /// With a parameter.
    pub fn parameter(mut self, key: &str, value: &str) -> Self {
        self.parameters.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The answer to `DescribeStacks`.
    pub fn answer(&self) -> Answer {
        let reason = self.reason.as_ref().map_or_else(String::new, |reason| {
            format!("<StackStatusReason>{reason}</StackStatusReason>")
        });
        let parameters = self.parameters.iter().fold(String::new(), |mut text, (key, value)| {
            // Writing to a string doesn't fail.
            let _ = write!(
                text,
                "<member><ParameterKey>{key}</ParameterKey><ParameterValue>{value}</ParameterValue></member>"
            );
            text
        });
        let Self { name, arn, status, .. } = self;
        cloudformation(
            "DescribeStacks",
            &format!(
                "<Stacks><member><StackName>{name}</StackName><StackId>{arn}</StackId><StackStatus>{status}</StackStatus>\
                 {reason}<Parameters>{parameters}</Parameters><CreationTime>2026-01-01T00:00:00Z</CreationTime></member></Stacks>"
            ),
        )
    }
}

/// A change set that failed for this reason.
pub fn failed_change_set(reason: &str) -> Answer {
    cloudformation(
        "DescribeChangeSet",
        &format!(
            "<Status>FAILED</Status><ExecutionStatus>UNAVAILABLE</ExecutionStatus><StatusReason>{reason}</StatusReason>"
        ),
    )
}

/// An event of a stack.
#[derive(Debug, Clone)]
pub struct StackEvent<'a> {
    /// Tells it from the others.
    pub id: &'a str,
    /// The stack's name.
    pub stack: &'a str,
    /// What it is about: the resource's type and logical id; the stack's are [`StackEvent::STACK`] and its name.
    pub resource: (&'a str, &'a str),
    /// The resource's status.
    pub status: &'a str,
    /// Why.
    pub reason: &'a str,
    /// The token of the operation that it is part of.
    pub token: &'a str,
}

impl<'a> StackEvent<'a> {
    /// A stack's type.
    pub const STACK: &'static str = "AWS::CloudFormation::Stack";

    /// An event of the stack itself.
    pub fn of_stack(id: &'a str, stack: &'a str, status: &'a str) -> Self {
        Self {
            id,
            stack,
            resource: (Self::STACK, stack),
            status,
            reason: "",
            token: "",
        }
    }
}

/// A page of events, the newest first, and the token of the next page if there is one.
pub fn stack_events(events: &[StackEvent<'_>], next: Option<&str>) -> Answer {
    let mut text = "<StackEvents>".to_owned();
    for event in events {
        let StackEvent {
            id,
            stack,
            resource: (kind, logical),
            status,
            reason,
            token,
        } = event;
        let token = match *token {
            "" => String::new(),
            token => format!("<ClientRequestToken>{token}</ClientRequestToken>"),
        };
        // Writing to a string doesn't fail.
        let _ = write!(
            text,
            "<member><EventId>{id}</EventId><StackName>{stack}</StackName><LogicalResourceId>{logical}</LogicalResourceId>\
             <ResourceType>{kind}</ResourceType><ResourceStatus>{status}</ResourceStatus>\
             <ResourceStatusReason>{reason}</ResourceStatusReason>{token}<Timestamp>2026-01-01T00:00:00Z</Timestamp></member>"
        );
    }
    text.push_str("</StackEvents>");
    if let Some(next) = next {
        let _ = write!(text, "<NextToken>{next}</NextToken>");
    }
    cloudformation("DescribeStackEvents", &text)
}
