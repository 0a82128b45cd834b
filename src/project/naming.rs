//! Names that templates choose: which property has them, and what AWS takes for one.

use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};

/// A resource with a name of the template's own choosing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedResource {
    /// Its key in the template.
    pub logical_id: String,
    /// Its type, e.g. `AWS::S3::Bucket`.
    pub resource_type: String,
    /// The name it will have.
    pub name: String,
    /// The parameters that it is made of.
    pub parameters: Vec<String>,
}

/// The property that names a resource of a type, and the longest name AWS takes: the `maxLength` in the CloudFormation
/// resource schemas.
const NAMING: &[(&str, &str, usize)] = &[
    ("AWS::CloudFront::Function", "Name", 64),
    (
        "AWS::CloudFront::OriginAccessControl",
        "OriginAccessControlConfig.Name",
        64,
    ),
    (
        "AWS::CloudFront::ResponseHeadersPolicy",
        "ResponseHeadersPolicyConfig.Name",
        128,
    ),
    ("AWS::CloudWatch::Alarm", "AlarmName", 255),
    ("AWS::DynamoDB::Table", "TableName", 255),
    ("AWS::IAM::Role", "RoleName", 64),
    ("AWS::Lambda::Function", "FunctionName", 64),
    ("AWS::Logs::LogGroup", "LogGroupName", 512),
    ("AWS::S3::Bucket", "BucketName", 63),
    ("AWS::SNS::Topic", "TopicName", 256),
];

/// The value that names a resource of a type, if the type has names and the template gives one.
pub(super) fn property_of<'a>(resource_type: &str, resource: &'a Value) -> Option<&'a Value> {
    let (_, path, _) = NAMING.iter().find(|(kind, ..)| *kind == resource_type)?;
    path.split('.')
        .try_fold(resource.get("Properties")?, |value, key| value.get(key))
}

/// The value that a template gives a resource for a name, whatever its type: `Name`, or the type's last word with `Name`,
/// `Identifier` or `Id` behind it, as the resource schemas call such properties. `FunctionName` is a function's own
/// name, and not a permission's.
pub(super) fn own_name<'a>(resource_type: &str, resource: &'a Value) -> Option<&'a Value> {
    if let Some(value) = property_of(resource_type, resource) {
        return Some(value);
    }
    let kind = resource_type.rsplit("::").next().unwrap_or_default();
    let is_name = |property: &str| {
        property == "Name"
            || ["Name", "Identifier", "Id"]
                .iter()
                .filter_map(|suffix| property.strip_suffix(suffix))
                .any(|stem| !stem.is_empty() && kind.ends_with(stem))
    };
    let properties = resource.get("Properties")?.as_object()?;
    properties
        .iter()
        .find(|(property, _)| is_name(property))
        .map(|(_, value)| value)
}

impl NamedResource {
    /// Refuses a name that AWS would refuse.
    ///
    /// # Errors
    /// Says which resource of `file` it is and what the limit is.
    pub(crate) fn check(&self, file: &str) -> Result<()> {
        let longest = NAMING
            .iter()
            .find(|(kind, ..)| *kind == self.resource_type)
            .map_or(usize::MAX, |(.., longest)| *longest);
        let problem = if self.name.len() > longest {
            Some(format!("has {} characters; {longest} is the most", self.name.len()))
        } else {
            match self.resource_type.as_str() {
                "AWS::S3::Bucket" => bucket_name_problem(&self.name),
                "AWS::DynamoDB::Table" => table_name_problem(&self.name),
                "AWS::CloudFront::Function" | "AWS::Lambda::Function" => function_name_problem(&self.name),
                _ => None,
            }
        };
        match problem {
            None => Ok(()),
            Some(problem) => Err(Error::new(
                ErrorKind::InvalidProject,
                format!(
                    "{file}: the name `{}` of {} ({}) {problem}",
                    self.name, self.logical_id, self.resource_type
                ),
            )
            .hint("Shorten or correct the project's or stage's name, or the setting, in stacks/stages.yaml.")),
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn bucket_name_problem(name: &str) -> Option<String> {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let legal = |c: char| edge(c) || c == '-' || c == '.';
    if name.len() < 3 {
        return Some("needs at least 3 characters".into());
    }
    if !name.chars().all(legal) || !name.starts_with(edge) || !name.ends_with(edge) {
        return Some(
            "may have lower-case letters, digits, dots and hyphens only, and begins and ends with a letter or a digit"
                .into(),
        );
    }
    if name.contains("..") {
        return Some("has two dots side by side".into());
    }
    if name.parse::<std::net::Ipv4Addr>().is_ok() {
        return Some("looks like an IP address".into());
    }
    let reserved = |what: &str, part: &str| format!("{what} {part}, which S3 reserves");
    let prefix = ["xn--", "sthree-", "amzn-s3-demo-"]
        .into_iter()
        .find(|prefix| name.starts_with(prefix));
    let suffix = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
        .into_iter()
        .find(|suffix| name.ends_with(suffix));
    prefix
        .map(|prefix| reserved("begins with", prefix))
        .or(suffix.map(|suffix| reserved("ends in", suffix)))
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>
fn table_name_problem(name: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    (name.len() < 3 || !name.chars().all(legal))
        .then(|| "needs at least 3 characters, of letters, digits, `_`, `.` and `-`".into())
}

fn function_name_problem(name: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    (name.is_empty() || !name.chars().all(legal)).then(|| "may have letters, digits, `_` and `-` only".into())
}

/// Where a resource is, for its ARN.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArnPlace<'a> {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: &'a str,
    /// The region.
    pub region: &'a str,
    /// The account's number.
    pub account: &'a str,
}

impl ArnPlace<'_> {
    /// The ARN (`Fn::GetAtt: [X, Arn]`) of a resource of a type whose ARN is made of its name, given its `Ref`; `path` is
    /// what IAM's resources may have in front of their names. As the Service Authorization Reference writes them:
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
    pub(crate) fn arn(&self, resource_type: &str, name: &str, path: Option<&str>) -> Option<String> {
        let Self {
            partition,
            region,
            account,
        } = self;
        let regional =
            |service: &str, resource: String| Some(format!("arn:{partition}:{service}:{region}:{account}:{resource}"));
        let path = path.unwrap_or("/");
        match resource_type {
            "AWS::DynamoDB::Table" | "AWS::DynamoDB::GlobalTable" => regional("dynamodb", format!("table/{name}")),
            "AWS::Lambda::Function" => regional("lambda", format!("function:{name}")),
            // Ends in the group's streams.
            "AWS::Logs::LogGroup" => regional("logs", format!("log-group:{name}:*")),
            // Its `Ref` is its URL.
            "AWS::SQS::Queue" => regional("sqs", name.rsplit('/').next()?.to_owned()),
            "AWS::Kinesis::Stream" => regional("kinesis", format!("stream/{name}")),
            "AWS::Events::EventBus" => regional("events", format!("event-bus/{name}")),
            "AWS::KMS::Key" => regional("kms", format!("key/{name}")),
            "AWS::SSM::Parameter" => regional("ssm", format!("parameter/{}", name.trim_start_matches('/'))),
            "AWS::S3::Bucket" => Some(format!("arn:{partition}:s3:::{name}")),
            "AWS::IAM::Role" => Some(format!("arn:{partition}:iam::{account}:role{path}{name}")),
            "AWS::IAM::User" => Some(format!("arn:{partition}:iam::{account}:user{path}{name}")),
            // Their `Ref` is their ARN.
            "AWS::SNS::Topic" | "AWS::StepFunctions::StateMachine" | "AWS::SecretsManager::Secret" => {
                Some(name.to_owned())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_limits_are_refused() {
        let check = |kind: &str, name: &str| {
            NamedResource {
                logical_id: "X".into(),
                resource_type: kind.into(),
                name: name.into(),
                parameters: Vec::new(),
            }
            .check("stacks/x.yaml")
        };
        assert!(check("AWS::S3::Bucket", &"a".repeat(63)).is_ok());
        assert!(check("AWS::S3::Bucket", &"a".repeat(64)).is_err());
        for legal in ["www.example.com", "a.b-c.d", "1a2", "192.168.1.a"] {
            assert!(check("AWS::S3::Bucket", legal).is_ok(), "{legal}");
        }
        let illegal = [
            "Upper",
            "a..b",
            ".ab",
            "ab.",
            "192.168.1.1",
            "xn--ab",
            "ab--x-s3",
            "a_b",
            "ab",
            "",
        ];
        for illegal in illegal {
            assert!(check("AWS::S3::Bucket", illegal).is_err(), "{illegal}");
        }
        assert!(check("AWS::IAM::Role", &"a".repeat(65)).is_err());
        assert!(check("AWS::DynamoDB::Table", "ab").is_err());
        assert!(check("AWS::DynamoDB::Table", "User Data").is_err());
        assert!(check("AWS::Lambda::Function", "a.b").is_err());
    }
}
