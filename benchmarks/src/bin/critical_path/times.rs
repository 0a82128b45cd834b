//! How long AWS takes for a resource: round numbers, of the size that stacks' events show. What matters is which of them is long.

/// A number of AWS's seconds.
pub(crate) type Seconds = u32;

/// From an operation's start to its first resource, and from its last resource to its end.
pub(crate) const AROUND: Seconds = 2;
/// From a resource's start until its id is told.
pub(crate) const UNTIL_ID: Seconds = 2;
/// Whatever isn't in the table.
const OTHERS: Seconds = 3;

/// By type: to make it, and to change it.
pub(crate) const TABLE: [(&str, Seconds, Seconds); 13] = [
    ("AWS::ApiGateway::RestApi", 3, 3),
    ("AWS::CloudFront::Distribution", 240, 240),
    ("AWS::CloudFront::Function", 30, 30),
    ("AWS::CloudFront::ResponseHeadersPolicy", 5, 5),
    ("AWS::CloudWatch::Alarm", 5, 5),
    ("AWS::DynamoDB::Table", 15, 15),
    ("AWS::IAM::Role", 18, 5),
    ("AWS::Lambda::EventSourceMapping", 30, 30),
    ("AWS::Lambda::Function", 10, 10),
    ("AWS::Logs::LogGroup", 5, 5),
    ("AWS::S3::Bucket", 20, 5),
    ("AWS::SNS::Topic", 10, 5),
    ("AWS::SQS::Queue", 65, 5),
];

/// To make a resource of this type, or to change it.
pub(crate) fn of(kind: &str, is_new: bool) -> Seconds {
    let found = TABLE.iter().find(|(listed, ..)| *listed == kind);
    found.map_or(OTHERS, |(_, make, change)| if is_new { *make } else { *change })
}

/// The table in a sentence.
pub(crate) fn told() -> String {
    let each: Vec<String> = TABLE
        .iter()
        .map(|(kind, make, change)| {
            let name = kind.trim_start_matches("AWS::");
            if make == change {
                format!("{name} {make}")
            } else {
                format!("{name} {make} ({change} to change it)")
            }
        })
        .collect();
    format!("{}; others {OTHERS}; a stack's own {}", each.join(", "), 2 * AROUND)
}
