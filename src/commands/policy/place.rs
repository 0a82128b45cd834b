//! Where a stage is, as ARNs have it.

use serde_json::Value;

use crate::identity::texts;

/// What the account puts into policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub partition: String,
    pub region: String,
    pub account: String,
}

impl Place {
    /// That of an account in a region whose name tells the partition.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
    pub(super) fn of(account: String, region: String) -> Self {
        let partitions = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-iso-", "aws-iso"),
            ("us-isob-", "aws-iso-b"),
            ("eu-isoe-", "aws-iso-e"),
            ("us-isof-", "aws-iso-f"),
            ("eusc-", "aws-eusc"),
        ];
        let found = partitions.iter().find(|(beginning, _)| region.starts_with(beginning));
        Self {
            partition: found.map_or("aws", |(_, partition)| partition).to_owned(),
            region,
            account,
        }
    }

    /// A text with them in it.
    pub(super) fn put_into(&self, text: &str) -> String {
        text.replace("${AWS::Partition}", &self.partition)
            .replace("${AWS::Region}", &self.region)
            .replace("${AWS::AccountId}", &self.account)
    }

    /// A document with them in it.
    pub(super) fn fill(&self, document: &Value) -> Value {
        texts(document, &|text| self.put_into(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_of_its_partition() {
        for (region, partition) in [
            ("eu-central-1", "aws"),
            ("us-east-1", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("cn-north-1", "aws-cn"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            let place = Place::of("123456789012".to_owned(), region.to_owned());
            let text = place.put_into("arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:x");
            assert_eq!(text, format!("arn:{partition}:sns:{region}:123456789012:x"));
        }
    }
}
