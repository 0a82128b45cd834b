//! What programs and CloudFormation ask of AWS, and what IAM has to allow for it. Pure: neither a template nor the account is known here.

mod binary;
mod catalog;
mod packed;
mod pattern;
mod resources;

pub(crate) use binary::{Operation, Operations, operations};
#[cfg(test)]
pub(crate) use catalog::service_with;
pub(crate) use catalog::{Asks, service};
pub(crate) use pattern::matches;
pub(crate) use resources::{ResourceType, arn, resource_type};

/// The kinds of resources that an action can be granted for, as the Service Authorization Reference calls them; none if it can only
/// be granted for all or was once, so that what names none of them is still asked for as before; or if it isn't known. The action has
/// its prefix.
pub(crate) fn kinds(action: &str) -> Vec<&'static str> {
    let found = catalog::kinds(action).or_else(|| resources::kinds(action));
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::kinds;

    #[test]
    fn an_action_has_the_kinds_of_resources_that_it_is_granted_for() {
        assert_eq!(kinds("dynamodb:Query"), ["index", "table"]);
        assert_eq!(kinds("s3:GetObject"), ["accesspointobject", "object"]);
        assert_eq!(kinds("s3:ListBucket"), ["accesspoint", "bucket"]);
        // What no operation is called by.
        assert_eq!(kinds("s3:GetObjectVersion"), ["accesspointobject", "object"]);
        assert_eq!(kinds("iam:PassRole"), ["role"]);
        assert!(kinds("s3:ListAllMyBuckets").is_empty());
        // A kind that came later needn't be there.
        assert!(kinds("cloudwatch:PutMetricData").is_empty());
        assert!(kinds("sns:Unsubscribe").is_empty());
        assert!(kinds("nothing").is_empty());
    }
}
