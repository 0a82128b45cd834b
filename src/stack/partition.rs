//! What CloudFormation can't make in some of AWS's partitions.

use crate::error::{Error, ErrorKind, Result};
use crate::project::Project;
use crate::project::template::Template;

/// Partitions, by how their names begin, with types that none of their regions has, by how those begin. From the resource
/// providers' schemas that AWS publishes by region.
/// <https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/using-services.html>
/// <https://docs.amazonaws.cn/en_us/aws/latest/userguide/cloudfront.html>
const ABSENT: &[(&str, &str, &str)] = &[
    ("aws-us-gov", "AWS GovCloud (US)", "AWS::CloudFront::"),
    ("aws-iso", "AWS's isolated regions", "AWS::CloudFront::"),
    ("aws-cn", "AWS China", "AWS::CloudFront::OriginAccessControl"),
];

/// Refuses a project some of whose resources the partition doesn't have, before anything is made of the others.
///
/// # Errors
/// Names the first such resource, with its file.
pub(crate) fn check(partition: &str, project: &Project) -> Result<()> {
    for stack in project.stacks() {
        for (id, resource) in stack.template.resources() {
            let kind = Template::type_of(resource);
            if let Some(place) = without(partition, kind) {
                return Err(Error::new(
                    ErrorKind::InvalidProject,
                    format!("{place} has no {kind}, which {id} in {} is", stack.file.display()),
                )
                .hint(
                    "Nothing was changed. Use a region of another partition, or take the site's stack out of stacks/: the \
                     others can be deployed without it.",
                ));
            }
        }
    }
    Ok(())
}

/// What the partition is called, if it has no resources of this type.
fn without(partition: &str, resource_type: &str) -> Option<&'static str> {
    let found = ABSENT
        .iter()
        .find(|(of, _, kind)| partition.starts_with(of) && resource_type.starts_with(kind));
    found.map(|(_, place, _)| *place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_partitions_lack_cloudfront() {
        let distribution = "AWS::CloudFront::Distribution";
        let control = "AWS::CloudFront::OriginAccessControl";
        for (partition, kind, is_absent) in [
            ("aws", distribution, false),
            ("aws-eusc", distribution, false),
            ("aws-us-gov", distribution, true),
            ("aws-iso-b", distribution, true),
            ("aws-cn", distribution, false),
            ("aws-cn", control, true),
            ("aws-us-gov", "AWS::DynamoDB::Table", false),
        ] {
            assert_eq!(without(partition, kind).is_some(), is_absent, "{partition} {kind}");
        }
    }
}
