//! Names that templates choose: which property has them, and what AWS takes for one.

use serde_json::Value;

use crate::error::{Error, Result};

/// A resource with a name of the template's own choosing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedResource {
    /// Its key in the template.
    pub logical_id: String,
    /// Its type, e.g. `AWS::S3::Bucket`.
    pub resource_type: String,
    /// The name it will have.
    pub name: String,
}

/// The property that names a resource of a type, and the longest name AWS takes: the `maxLength` in the CloudFormation
/// resource schemas.
const NAMING: &[(&str, &str, usize)] = &[
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

impl NamedResource {
    /// Refuses a name that AWS would refuse.
    ///
    /// # Errors
    /// Says which resource of `file` it is and what the limit is.
    pub fn check(&self, file: &str) -> Result<()> {
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
                "AWS::Lambda::Function" => function_name_problem(&self.name),
                _ => None,
            }
        };
        match problem {
            None => Ok(()),
            Some(problem) => Err(Error::usage(format!(
                "{file}: the name `{}` of {} ({}) {problem}",
                self.name, self.logical_id, self.resource_type
            ))
            .hint("Shorten or correct the project's or stage's name, or the setting, in stacks/stages.yaml.")),
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>; a dot is legal there but breaks TLS.
fn bucket_name_problem(name: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.len() < 3 || !name.chars().all(legal) || !name.starts_with(edge) || !name.ends_with(edge) {
        return Some(
            "may have lower-case letters, digits and hyphens only, and begins and ends without a hyphen".into(),
        );
    }
    ["-s3alias", "--ol-s3", "--x-s3", "--table-s3"]
        .into_iter()
        .find(|suffix| name.ends_with(suffix))
        .map(|suffix| format!("ends in {suffix}, which S3 reserves"))
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
            }
            .check("stacks/x.yaml")
        };
        assert!(check("AWS::S3::Bucket", &"a".repeat(63)).is_ok());
        assert!(check("AWS::S3::Bucket", &"a".repeat(64)).is_err());
        assert!(check("AWS::S3::Bucket", "Upper").is_err());
        assert!(check("AWS::IAM::Role", &"a".repeat(65)).is_err());
        assert!(check("AWS::DynamoDB::Table", "ab").is_err());
        assert!(check("AWS::DynamoDB::Table", "User Data").is_err());
        assert!(check("AWS::Lambda::Function", "a.b").is_err());
    }
}
