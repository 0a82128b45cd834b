//! Whether who has a role may change something with it: what it is granted beyond reading and its own log.

use serde_json::Value;

use super::documents::several;
use super::live;
use crate::cloud::Cloud;

/// What the names of actions begin with that only read.
const READS: &[&str] = &[
    "BatchGet",
    "ConditionCheck",
    "Decrypt",
    "Describe",
    "Get",
    "Head",
    "List",
    "Lookup",
    "PartiQLSelect",
    "Query",
    "Scan",
    "Search",
    "Select",
    "Simulate",
    "Validate",
];

/// What every function does for its own log and its own place, and what changes nothing of the app's.
const OWN: &[&str] = &[
    "cloudwatch:PutMetricData",
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
];

/// Why a role may change something, in a sentence; none if its policies grant nothing of the kind. What can't be looked at may.
pub(crate) async fn may_write(cloud: &Cloud, role: &str) -> Option<String> {
    match live::documents_of(cloud, role).await {
        Ok(documents) => {
            let granted: Vec<String> = documents.iter().flat_map(writes).collect();
            let first = granted.first()?;
            let more = match granted.len() {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            Some(format!("its role {role} grants {first}{more}"))
        }
        Err(problem) => Some(format!(
            "what its role {role} grants can't be looked at: {}",
            problem.evidence
        )),
    }
}

/// What a policy grants that isn't reading. Denials count for nothing: they may be about something else.
fn writes(document: &Value) -> Vec<String> {
    let statements = document.get("Statement").map(several).unwrap_or_default();
    let allowing = statements
        .into_iter()
        .filter(|statement| statement["Effect"] == "Allow");
    let mut found = Vec::new();
    for statement in allowing {
        if statement.get("NotAction").is_some() {
            found.push("all but some actions".to_owned());
        }
        for action in statement.get("Action").map(several).unwrap_or_default() {
            let action = action.as_str().unwrap_or("*");
            if !only_reads(action) && !found.iter().any(|known| known == action) {
                found.push(action.to_owned());
            }
        }
    }
    found
}

/// Whether all that an action's name, or a pattern of names, means only reads.
fn only_reads(action: &str) -> bool {
    let (service, name) = action.split_once(':').unwrap_or(("", action));
    let begins = |name: &str, word: &str| {
        name.get(..word.len())
            .is_some_and(|beginning| beginning.eq_ignore_ascii_case(word))
    };
    let known = name.split(['*', '?']).next().unwrap_or_default();
    // What a secret's or a parameter's name begins with is a read, too; taking a message away is none.
    let is_read = READS.iter().any(|word| begins(known, word));
    is_read && !service.contains(['*', '?']) || OWN.iter().any(|own| own.eq_ignore_ascii_case(action))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_only_reads_is_no_write() {
        for action in [
            "dynamodb:GetItem",
            "dynamodb:get*",
            "dynamodb:Query",
            "s3:List*",
            "sqs:GetQueueAttributes",
            "logs:PutLogEvents",
            "kms:Decrypt",
            "ssm:GetParametersByPath",
        ] {
            assert!(only_reads(action), "{action}");
        }
        for action in [
            "*",
            "dynamodb:*",
            "*:Get*",
            "dynamodb:*Item",
            "dynamodb:G*",
            "dynamodb:PutItem",
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "lambda:InvokeFunction",
            "logs:*",
            "sts:AssumeRole",
        ] {
            assert!(!only_reads(action), "{action}");
        }
    }

    #[test]
    fn each_write_of_a_policy_is_found() {
        let document = json!({ "Statement": [
            { "Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:PutItem"], "Resource": "*" },
            { "Effect": "Deny", "Action": "s3:PutObject", "Resource": "*" },
            { "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" },
            { "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "q" },
        ] });
        assert_eq!(
            writes(&document),
            ["dynamodb:PutItem", "all but some actions", "sqs:SendMessage"]
        );
        let one = json!({ "Statement": { "Effect": "Allow", "Action": "dynamodb:Query", "Resource": "*" } });
        assert_eq!(writes(&one), [""; 0]);
    }
}
