//! What a change set of AWS's tells, which no emulator does: values, what replaces a resource, and what changes only because
//! something else does. And what a look for changes by hand tells, page by page.

use super::{Account, STACK, stack_in};
use crate::support::answers::cloudformation;

const ARN: &str = "arn:aws:cloudformation:us-east-1:000000000000:changeSet/deployer-x/0";

/// A property's change as CloudFormation tells it.
fn detail(path: &str, values: &str, recreation: &str, source: &str, entity: &str) -> String {
    let name = path
        .trim_start_matches("/Properties/")
        .split('/')
        .next()
        .unwrap_or_default();
    format!(
        "<member><Target><Attribute>Properties</Attribute><Name>{name}</Name><Path>{path}</Path>{values}\
         <RequiresRecreation>{recreation}</RequiresRecreation></Target><Evaluation>Static</Evaluation>\
         <ChangeSource>{source}</ChangeSource>{entity}</member>"
    )
}

fn change(id: &str, kind: &str, replacement: &str, policy: &str, details: &str) -> String {
    format!(
        "<member><Type>Resource</Type><ResourceChange><Action>Modify</Action><LogicalResourceId>{id}</LogicalResourceId>\
         <PhysicalResourceId>small-{id}</PhysicalResourceId><ResourceType>{kind}</ResourceType>\
         <Replacement>{replacement}</Replacement>{policy}<Details>{details}</Details></ResourceChange></member>"
    )
}

#[test]
fn what_a_change_set_tells_of_values_is_told() {
    let values =
        |before: &str, after: &str| format!("<BeforeValue>{before}</BeforeValue><AfterValue>{after}</AfterValue>");
    let entity = "<CausingEntity>Items.Arn</CausingEntity>";
    let later = values("arn:aws:x", "{{changeSet:KNOWN_AFTER_APPLY}}");
    let pages = [
        change(
            "Items",
            "AWS::DynamoDB::Table",
            "True",
            "<PolicyAction>ReplaceAndDelete</PolicyAction>",
            &(detail("/Properties/TableName", &values("old", "new"), "Always", "DirectModification", "")
                + &detail("/Properties/Tags/0/Value", &values("a", "b"), "Never", "ParameterReference", "")
                // Of what AWS tells no values the templates tell.
                + &detail("/Properties/BillingMode", "", "Never", "DirectModification", "")),
        ),
        change(
            "Reader",
            "AWS::IAM::Role",
            "False",
            "",
            &detail("/Properties/Policies", &later, "Never", "ResourceAttribute", entity),
        ),
    ];
    let account = Account::after(
        |proxy| {
            proxy.rule(move |seen| match seen.operation.as_str() {
                "CreateChangeSet" => Some(cloudformation("CreateChangeSet", &format!("<Id>{ARN}</Id><StackId>{}</StackId>", arn()))),
                "DescribeChangeSet" => {
                    assert!(seen.body.contains("IncludePropertyValues=true"), "{}", seen.body);
                    let is_second = seen.body.contains("NextToken=second");
                    let next = if is_second { "" } else { "<NextToken>second</NextToken>" };
                    let changes = &pages[usize::from(is_second)];
                    Some(cloudformation(
                        "DescribeChangeSet",
                        &format!("<ChangeSetId>{ARN}</ChangeSetId><Status>CREATE_COMPLETE</Status><Changes>{changes}</Changes>{next}"),
                    ))
                }
                "DeleteChangeSet" => Some(cloudformation("DeleteChangeSet", "")),
                _ => None,
            });
        },
        |_| Some(stack_in("UPDATE_COMPLETE")),
    );
    let ran = account.run(&["diff", "--exit-code"]);
    assert_eq!(ran.code, 4, "{ran}");
    for told in [
        "± Items AWS::DynamoDB::Table AWS::DynamoDB::Table small-Items is replaced by an empty one and deleted",
        "    TableName old → new, which replaces it",
        "    Tags[0].Value a → b",
        "    BillingMode – → PAY_PER_REQUEST",
        "and with Items: Reader",
        "data or its protection would be lost",
    ] {
        assert!(ran.stdout.contains(told), "{told}\n{ran}");
    }
    // What replaces is planned once more in the mode that waits for it; nothing stays behind of either.
    let twice = [
        "CreateChangeSet",
        "DeleteChangeSet",
        "CreateChangeSet",
        "DeleteChangeSet",
    ];
    assert_eq!(account.writes(), twice);
}

fn arn() -> String {
    format!("arn:aws:cloudformation:us-east-1:000000000000:stack/{STACK}/0")
}

#[test]
fn what_was_changed_by_hand_is_told_from_all_pages() {
    let mut looks = 0;
    let account = Account::after(
        |proxy| {
            proxy.rule(move |seen| match seen.operation.as_str() {
                "DetectStackDrift" => Some(cloudformation(
                    "DetectStackDrift",
                    "<StackDriftDetectionId>detection-1</StackDriftDetectionId>",
                )),
                "DescribeStackDriftDetectionStatus" => {
                    assert!(seen.body.contains("StackDriftDetectionId=detection-1"), "{}", seen.body);
                    looks += 1;
                    let status = if looks < 3 { "DETECTION_IN_PROGRESS" } else { "DETECTION_FAILED" };
                    Some(cloudformation(
                        "DescribeStackDriftDetectionStatus",
                        &format!(
                            "<StackId>{}</StackId><StackDriftDetectionId>detection-1</StackDriftDetectionId>\
                             <DetectionStatus>{status}</DetectionStatus>\
                             <DetectionStatusReason>Failed to detect drift on resource [Other]</DetectionStatusReason>\
                             <Timestamp>2026-01-01T00:00:00Z</Timestamp>",
                            arn()
                        ),
                    ))
                }
                "DescribeStackResourceDrifts" => {
                    let is_second = seen.body.contains("NextToken=second");
                    let drift = |id: &str, status: &str, differences: &str| {
                        format!(
                            "<member><StackId>{}</StackId><LogicalResourceId>{id}</LogicalResourceId>\
                             <PhysicalResourceId>small-{id}</PhysicalResourceId><ResourceType>AWS::DynamoDB::Table</ResourceType>\
                             <StackResourceDriftStatus>{status}</StackResourceDriftStatus>\
                             <PropertyDifferences>{differences}</PropertyDifferences><Timestamp>2026-01-01T00:00:00Z</Timestamp></member>",
                            arn()
                        )
                    };
                    let difference = |path: &str, expected: &str, actual: &str, kind: &str| {
                        format!(
                            "<member><PropertyPath>{path}</PropertyPath><ExpectedValue>{expected}</ExpectedValue>\
                             <ActualValue>{actual}</ActualValue><DifferenceType>{kind}</DifferenceType></member>"
                        )
                    };
                    let (found, next) = if is_second {
                        (drift("Gone", "DELETED", ""), "")
                    } else {
                        let differences = difference("/BillingMode", "PAY_PER_REQUEST", "PROVISIONED", "NOT_EQUAL")
                            + &difference("/Tags/1", "null", "{\"Key\":\"k\"}", "ADD");
                        (drift("Items", "MODIFIED", &differences), "<NextToken>second</NextToken>")
                    };
                    Some(cloudformation(
                        "DescribeStackResourceDrifts",
                        &format!("<StackResourceDrifts>{found}</StackResourceDrifts>{next}"),
                    ))
                }
                _ => None,
            });
        },
        |_| Some(stack_in("UPDATE_COMPLETE")),
    );
    let ran = account.run(&["status", "--drift"]);
    assert_eq!(ran.code, 0, "{ran}");
    for told in [
        "~ data.Items AWS::DynamoDB::Table small-Items\n",
        "      BillingMode PAY_PER_REQUEST → PROVISIONED\n",
        "      Tags[1] – → {\"Key\":\"k\"}\n",
        "− data.Gone AWS::DynamoDB::Table small-Gone is gone\n",
    ] {
        assert!(ran.stdout.contains(told), "{told}\n{ran}");
    }
    assert!(
        ran.stderr
            .contains("2 resources looked at; Failed to detect drift on resource [Other]"),
        "{ran}"
    );
}
