//! What AWS answers and the emulator doesn't: a proxy answers in its place, shaped like AWS's own answers.

use crate::support::answers::{Stack, StackEvent, cloudformation, failed_change_set, refusal, stack_events};
use crate::support::{Clients, Emulator, Project, Proxy, Ran, Seen};

/// The stack that most of these tests are about.
const DATA: &str = "three-tier-dev-data";

fn is_about(seen: &Seen, operation: &str, stack: &str) -> bool {
    seen.operation == operation && seen.body.contains(stack)
}

/// One of this project's stacks.
fn stack_in(status: &str, name: &str) -> Stack {
    let stage = name.split('-').nth(2).expect("project, stage and id");
    Stack::new(name, status)
        .parameter("DeployerProject", "three-tier")
        .parameter("DeployerStage", stage)
        .parameter("DeployerDigest", "0123456789abcdef")
}

struct Scene {
    proxy: Proxy,
    project: Project,
    emulator: Emulator,
}

impl Scene {
    fn new() -> Self {
        let emulator = Emulator::shared();
        Self {
            proxy: Proxy::before(emulator.port()),
            project: Project::copy(),
            emulator,
        }
    }

    /// `up` of the data tier of `dev`, through the proxy.
    fn up(&self) -> Ran {
        self.project
            .deployer(&self.proxy.endpoint(), &["up", "--stage", "dev", "--only", "data"])
    }

    /// The ARN of a stack that is there.
    async fn arn(&self, name: &str) -> String {
        let cloudformation = Clients::root(&self.emulator.endpoint()).cloudformation;
        let found = cloudformation.describe_stacks().stack_name(name).send().await;
        let found = found.expect("the stack");
        found.stacks()[0].stack_id().expect("an ARN").to_owned()
    }

    fn operations(&self) -> Vec<String> {
        self.proxy.take().into_iter().map(|seen| seen.operation).collect()
    }
}

#[test]
fn throttling_is_waited_out() {
    let scene = Scene::new();
    let mut left = 3;
    scene.proxy.rule(move |seen| {
        (seen.operation == "DescribeStackEvents" && left > 0).then(|| {
            left -= 1;
            refusal(400, "Throttling", "Rate exceeded")
        })
    });
    scene.up().success();
}

#[test]
fn an_error_is_not_taken_for_absence() {
    let scene = Scene::new();
    scene.proxy.rule(|seen| {
        is_about(seen, "DescribeStacks", "three-tier-dev-data").then(|| {
            refusal(
                403,
                "AccessDenied",
                "User: arn:aws:iam::1:user/x is not authorized to perform: cloudformation:DescribeStacks",
            )
        })
    });
    scene.up().fails_with(1).says(&[
        "could not read the stack three-tier-dev-data",
        "not authorized to perform: cloudformation:DescribeStacks",
        "Give the deploying identity the action",
    ]);
    assert!(!scene.operations().contains(&"CreateChangeSet".to_owned()));

    // ValidationError is also the code of a missing stack: only together with its sentence does it mean that.
    let scene = Scene::new();
    scene.proxy.rule(|seen| {
        is_about(seen, "DescribeStacks", "three-tier-dev-data").then(|| {
            refusal(
                400,
                "ValidationError",
                "1 validation error detected: Value at 'stackName' is too long",
            )
        })
    });
    scene.up().fails_with(1).says(&["1 validation error detected"]);
}

#[test]
fn a_change_set_without_changes_is_success_and_is_removed() {
    let scene = Scene::new();
    scene.up().success();
    scene.proxy.take();
    // Another text, but nothing that CloudFormation would change.
    scene
        .project
        .edit("stacks/data.yaml", "Data tier: the users' table.", "Data tier.");
    scene.proxy.rule(|seen| {
        (seen.operation == "DescribeChangeSet").then(|| {
            failed_change_set(
                "The submitted information didn't contain changes. Submit different information to create a change set.",
            )
        })
    });
    let up = scene.up().success();
    assert!(
        up.stderr.contains("~ three-tier-dev-data outputs only"),
        "{}",
        up.stderr
    );
    let operations = scene.operations();
    // An emulator's change sets see resources alone, so the rest of the template goes there without one.
    for operation in ["DeleteChangeSet", "UpdateStack"] {
        assert!(operations.contains(&operation.to_owned()), "{operations:?}");
    }
    assert!(!operations.contains(&"ExecuteChangeSet".to_owned()) && !operations.contains(&"DeleteStack".to_owned()));
}

/// Why it was refused needn't be known for saying that it was, and that the why was refused as well.
#[test]
fn a_failed_validation_that_may_not_be_read_is_told_as_far_as_it_is_known() {
    let scene = Scene::new();
    scene.proxy.rule(|seen| match seen.operation.as_str() {
        "DescribeChangeSet" => Some(failed_change_set(
            "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]",
        )),
        "DescribeEvents" => Some(refusal(403, "AccessDenied", "no identity-based policy allows it")),
        _ => None,
    });
    scene.up().fails_with(1).says(&[
        "ResourceExistenceCheck",
        "cloudformation:DescribeEvents",
        "no identity-based policy",
    ]);
}

/// A name that is taken fails the change set with a reason that names nothing; the events do.
#[tokio::test]
async fn a_failed_validation_is_told_with_its_resource_and_leaves_no_shell() {
    let scene = Scene::new();
    scene.proxy.rule(|seen| match seen.operation.as_str() {
        "DescribeChangeSet" => Some(failed_change_set(
            "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]",
        )),
        "DescribeEvents" => Some(cloudformation(
            "DescribeEvents",
            "<OperationEvents><member><EventType>VALIDATION_ERROR</EventType><LogicalResourceId>Table</LogicalResourceId>\
             <ResourceType>AWS::DynamoDB::Table</ResourceType><ValidationPath>/Resources/Table/Properties/TableName</ValidationPath>\
             <ValidationStatusReason>Resource of type 'AWS::DynamoDB::Table' with identifier 'UserData-dev' already \
             exists.</ValidationStatusReason></member></OperationEvents>",
        )),
        _ => None,
    });
    scene.up().fails_with(1).says(&[
        "CloudFormation refuses the change to the stack three-tier-dev-data",
        "ResourceExistenceCheck",
        "Table (AWS::DynamoDB::Table)",
        "'UserData-dev' already exists",
    ]);
    let stacks = Clients::root(&scene.emulator.endpoint())
        .cloudformation
        .describe_stacks()
        .send()
        .await;
    assert!(
        stacks.expect("an answer").stacks().is_empty(),
        "the shell in REVIEW_IN_PROGRESS is removed"
    );
}

#[tokio::test]
async fn a_failed_creation_is_told_with_its_cause_and_made_anew() {
    let scene = Scene::new();
    let never = "Resources:\n  Gate: { Type: AWS::CloudFormation::WaitConditionHandle }\n  Never:\n    Type: AWS::CloudFormation::WaitCondition\n    Properties: { Handle: !Ref Gate, Timeout: \"1\" }\n";
    scene.project.edit("stacks/data.yaml", "Resources:\n", never);
    scene.up().fails_with(1).says(&[
        "the stack three-tier-dev-data could not be created (ROLLBACK_COMPLETE)",
        "Never (AWS::CloudFormation::WaitCondition)",
    ]);
    let clients = Clients::root(&scene.emulator.endpoint());
    let tables = clients.dynamodb.list_tables().send().await.expect("tables");
    assert!(
        tables.table_names().is_empty(),
        "the table of a failed creation doesn't stay in the way"
    );
    scene.project.edit("stacks/data.yaml", never, "Resources:\n");
    scene.proxy.take();
    scene.up().success();
    let operations = scene.operations();
    let deleted = operations
        .iter()
        .position(|o| o == "DeleteStack")
        .expect("the remains go");
    let created = operations
        .iter()
        .position(|o| o == "CreateChangeSet")
        .expect("then it is made");
    assert!(deleted < created, "{operations:?}");
}

#[test]
fn a_failed_update_is_told_with_its_cause_and_rolled_back() {
    let scene = Scene::new();
    scene.up().success();
    let never = "Resources:\n  Gate: { Type: AWS::CloudFormation::WaitConditionHandle }\n  Never:\n    Type: AWS::CloudFormation::WaitCondition\n    Properties: { Handle: !Ref Gate, Timeout: \"1\" }\n";
    scene.project.edit("stacks/data.yaml", "Resources:\n", never);
    scene.up().fails_with(1).says(&[
        "the stack three-tier-dev-data could not be updated (UPDATE_ROLLBACK_COMPLETE)",
        "Never (AWS::CloudFormation::WaitCondition)",
    ]);
    scene.project.edit("stacks/data.yaml", never, "Resources:\n");
    let up = scene.up().success();
    assert!(
        up.stderr.contains("data         unchanged"),
        "it is what it was: {}",
        up.stderr
    );
}

#[test]
fn express_mode_is_for_unprotected_stages_and_keeps_rollback() {
    let scene = Scene::new();
    scene.up().success();
    let dev = scene.proxy.take();
    let made = dev
        .iter()
        .find(|seen| seen.operation == "CreateChangeSet")
        .expect("a change set");
    assert_eq!(made.parameter("DeploymentConfig.Mode").as_deref(), Some("EXPRESS"));
    assert_eq!(
        made.parameter("DeploymentConfig.DisableRollback").as_deref(),
        Some("false")
    );
    assert_eq!(
        made.parameter("Capabilities.member.1").as_deref(),
        Some("CAPABILITY_NAMED_IAM")
    );
    assert_eq!(
        made.parameter("Capabilities.member.2").as_deref(),
        Some("CAPABILITY_AUTO_EXPAND")
    );
    // Policies are about stacks: each request for a change set names its stack, too.
    for seen in dev.iter().filter(|seen| seen.operation.ends_with("ChangeSet")) {
        assert_eq!(seen.parameter("StackName").as_deref(), Some(DATA), "{}", seen.operation);
    }
    let executed = dev
        .iter()
        .find(|seen| seen.operation == "ExecuteChangeSet")
        .expect("is executed");
    assert_eq!(
        executed.parameter("DisableRollback"),
        None,
        "refused beside a deployment config"
    );
    assert!(executed.parameter("ClientRequestToken").is_some());

    scene
        .project
        .deployer(&scene.proxy.endpoint(), &["up", "--only", "data"])
        .success();
    let prod = scene.proxy.take();
    let made = prod
        .iter()
        .find(|seen| seen.operation == "CreateChangeSet")
        .expect("a change set");
    assert_eq!(made.parameter("DeploymentConfig.Mode"), None);
    let executed = prod
        .iter()
        .find(|seen| seen.operation == "ExecuteChangeSet")
        .expect("is executed");
    assert_eq!(executed.parameter("DisableRollback").as_deref(), Some("false"));
    assert_eq!(executed.parameter("RetainExceptOnCreate").as_deref(), Some("true"));
}

/// In express mode a table's new index has been seen to be made twice, which no later update recovers from.
#[test]
fn a_table_is_changed_in_standard_mode() {
    let scene = Scene::new();
    scene.up().success();
    scene.proxy.take();
    // The emulator says of every change that it may replace; AWS knows.
    let (perhaps, never) = (
        "<Replacement>Conditional</Replacement>",
        "<Replacement>False</Replacement>",
    );
    scene
        .proxy
        .edit("DescribeChangeSet", move |_, body| body.replace(perhaps, never));
    scene.project.edit(
        "stacks/data.yaml",
        "      AttributeDefinitions: [{ AttributeName: userId, AttributeType: S }]\n",
        "      AttributeDefinitions: [{ AttributeName: userId, AttributeType: S }, { AttributeName: mail, AttributeType: S }]\n      \
         GlobalSecondaryIndexes:\n        - IndexName: by-mail\n          KeySchema: [{ AttributeName: mail, KeyType: HASH }]\n          \
         Projection: { ProjectionType: ALL }\n",
    );
    scene.up().success();
    let seen = scene.proxy.take();
    let made = seen.iter().filter(|seen| seen.operation == "CreateChangeSet");
    let modes: Vec<Option<String>> = made.map(|seen| seen.parameter("DeploymentConfig.Mode")).collect();
    assert_eq!(modes, [Some("EXPRESS".to_owned()), None]);
}

/// HEAD's answers have no body: what they mean is said all the same.
#[test]
fn a_refusal_without_a_word_is_told_as_one() {
    let scene = Scene::new();
    let up = ["up", "--stage", "dev", "--only", "function", "--no-verify"];
    scene.up().success();
    let bare = |seen: &Seen| (seen.method == "HEAD" && seen.path.contains("/function/")).then(|| (403, String::new()));
    scene.proxy.rule(bare);
    // The bucket has to be there for its objects to be asked for.
    scene
        .project
        .deployer(&scene.emulator.endpoint(), &["up", "--stage", "dev", "--no-verify"])
        .success();
    scene
        .project
        .deployer(&scene.proxy.endpoint(), &up)
        .fails_with(1)
        .says(&["could not look into the bucket", "the answer is 403", "s3:ListBucket"]);
}

/// Nothing is changed before it has ended; then what was wanted is done.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_operation_is_waited_for() {
    let scene = Scene::new();
    scene.up().success();
    let arn = scene.arn(DATA).await;
    scene.proxy.take();
    scene
        .project
        .edit("stacks/data.yaml", "Data tier: the users' table.", "Data tier.");
    let (mut left, busy) = (2, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS");
    scene.proxy.rule(move |seen| {
        (is_about(seen, "DescribeStacks", DATA) && left > 0).then(|| {
            left -= 1;
            stack_in(busy, DATA).arn(&arn).answer()
        })
    });
    let up = scene.up().success().says(&[&format!(
        "waiting for the operation that is under way ({busy} since 2026-01-01T00:00:00Z)"
    )]);
    assert!(up.stderr.contains("data         updated"), "{up}");
    let seen = scene.proxy.take();
    let reads = seen.iter().enumerate();
    let mut reads = reads.filter(|(_, seen)| is_about(seen, "DescribeStacks", DATA));
    let (ended, _) = reads.nth(2).expect("it is asked until it has ended");
    let begun = seen
        .iter()
        .position(|seen| seen.writes() && seen.body.contains(DATA))
        .expect("then it is changed");
    assert!(
        ended < begun,
        "{:#?}",
        seen.iter().map(|seen| &seen.operation).collect::<Vec<_>>()
    );
}

#[test]
fn states_that_only_people_can_end_are_explained() {
    for (status, parts) in [
        (
            "DELETE_FAILED",
            ["is in DELETE_FAILED", "Run `deployer down --stage dev`"],
        ),
        ("UPDATE_FAILED", ["is in UPDATE_FAILED", "rollback-stack"]),
    ] {
        let scene = Scene::new();
        scene
            .proxy
            .rule(move |seen| is_about(seen, "DescribeStacks", DATA).then(|| stack_in(status, DATA).answer()));
        scene.up().fails_with(1).says(&parts);
        assert!(!scene.operations().contains(&"CreateChangeSet".to_owned()));
    }
}

/// No change set is accepted in that state: the rollback is continued, followed to its end, and then the change is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_rollback_is_continued_first() {
    let scene = Scene::new();
    scene.up().success();
    let arn = scene.arn(DATA).await;
    let gate = "Resources:\n  Gate: { Type: AWS::CloudFormation::WaitConditionHandle }\n";
    scene.project.edit("stacks/data.yaml", "Resources:\n", gate);
    scene.proxy.take();
    // As it was deployed: a table that was protected would have something to lose.
    let unprotected = move |status: &str| {
        stack_in(status, DATA)
            .arn(&arn)
            .parameter("Protected", "false")
            .answer()
    };
    // Until the rollback is continued, while it runs, until a change set is made, and from then on as the emulator has it.
    let (mut token, mut looks, mut is_over) = (None, 0, false);
    scene.proxy.rule(move |seen| {
        is_over |= seen.operation == "CreateChangeSet";
        if is_over {
            return None;
        }
        match (seen.operation.as_str(), &token) {
            ("DescribeStacks", None) if seen.body.contains(DATA) => Some(unprotected("UPDATE_ROLLBACK_FAILED")),
            ("ContinueUpdateRollback", _) => {
                token = seen.parameter("ClientRequestToken");
                Some(cloudformation("ContinueUpdateRollback", ""))
            }
            ("DescribeStackEvents", Some(token)) => {
                looks += 1;
                let begun = StackEvent::of_stack("1", DATA, "UPDATE_ROLLBACK_IN_PROGRESS");
                let ended = StackEvent::of_stack("2", DATA, "UPDATE_ROLLBACK_COMPLETE");
                let newest_first = [ended, begun].map(|event| StackEvent { token, ..event });
                Some(stack_events(
                    if looks < 3 { &newest_first[1..] } else { &newest_first },
                    None,
                ))
            }
            ("DescribeStacks", Some(_)) if seen.body.contains(DATA) => {
                let status = if looks < 3 {
                    "UPDATE_ROLLBACK_IN_PROGRESS"
                } else {
                    "UPDATE_ROLLBACK_COMPLETE"
                };
                Some(unprotected(status))
            }
            _ => None,
        }
    });
    let up = scene
        .up()
        .success()
        .says(&["is in UPDATE_ROLLBACK_FAILED: finishing its rollback"]);
    assert!(up.stderr.contains("data         updated"), "{up}");
    let operations = scene.operations();
    let position = |wanted: &str| operations.iter().position(|o| o == wanted).expect(wanted);
    assert!(
        position("ContinueUpdateRollback") < position("CreateChangeSet")
            && position("CreateChangeSet") < position("ExecuteChangeSet"),
        "{operations:?}"
    );
    assert_eq!(
        operations.iter().filter(|o| *o == "ContinueUpdateRollback").count(),
        1,
        "{operations:?}"
    );
}

/// One that fails again is told, and nothing is changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_fails_again_is_told() {
    let scene = Scene::new();
    scene.up().success();
    let arn = scene.arn(DATA).await;
    scene.proxy.take();
    let mut token = None;
    scene.proxy.rule(move |seen| match (seen.operation.as_str(), &token) {
        ("DescribeStacks", _) if seen.body.contains(DATA) => {
            Some(stack_in("UPDATE_ROLLBACK_FAILED", DATA).arn(&arn).answer())
        }
        ("ContinueUpdateRollback", _) => {
            token = seen.parameter("ClientRequestToken");
            Some(cloudformation("ContinueUpdateRollback", ""))
        }
        ("DescribeStackEvents", Some(token)) => {
            let table = StackEvent {
                resource: ("AWS::DynamoDB::Table", "Table"),
                reason: "the table is held",
                ..StackEvent::of_stack("1", DATA, "UPDATE_FAILED")
            };
            let ended = StackEvent::of_stack("2", DATA, "UPDATE_ROLLBACK_FAILED");
            Some(stack_events(
                &[ended, table].map(|event| StackEvent { token, ..event }),
                None,
            ))
        }
        _ => None,
    });
    scene.up().fails_with(1).says(&[
        "UPDATE_ROLLBACK_FAILED",
        "Table (AWS::DynamoDB::Table): the table is held",
        "aws cloudformation continue-update-rollback --stack-name three-tier-dev-data --resources-to-skip Table",
        "stacks/data.yaml:",
    ]);
    assert!(!scene.operations().contains(&"CreateChangeSet".to_owned()));
}

#[test]
fn a_rollback_that_may_not_be_continued_is_told() {
    let scene = Scene::new();
    scene.proxy.rule(|seen| match seen.operation.as_str() {
        "DescribeStacks" if seen.body.contains(DATA) => Some(stack_in("UPDATE_ROLLBACK_FAILED", DATA).answer()),
        "ContinueUpdateRollback" => Some(refusal(
            403,
            "AccessDenied",
            "not authorized to perform: cloudformation:ContinueUpdateRollback",
        )),
        "DescribeStackEvents" => Some(refusal(400, "ValidationError", "Stack [x] does not exist")),
        _ => None,
    });
    scene
        .up()
        .fails_with(1)
        .says(&["could not continue the rollback of three-tier-dev-data"]);
    assert!(
        !scene.operations().contains(&"CreateChangeSet".to_owned()),
        "no change set is accepted in that state"
    );
}

#[test]
fn a_session_that_expires_in_the_middle_says_how_to_go_on() {
    let scene = Scene::new();
    let mut executed = false;
    scene.proxy.rule(move |seen| {
        executed |= seen.operation == "ExecuteChangeSet";
        (executed && seen.operation == "DescribeStackEvents").then(|| {
            refusal(
                403,
                "ExpiredToken",
                "The security token included in the request is expired",
            )
        })
    });
    scene
        .up()
        .fails_with(1)
        .says(&["ExpiredToken", "log in again", "it goes on from here"]);
    // And it does.
    scene
        .project
        .deployer(&scene.emulator.endpoint(), &["up", "--stage", "dev", "--only", "data"])
        .success();
}

/// CloudFormation has one code for a template's faults and for a stack that another run is at work on.
#[test]
fn a_busy_stack_is_told_by_its_code_and_not_as_a_fault_of_the_template() {
    for (state, code) in [
        ("UPDATE_IN_PROGRESS", "stack-busy"),
        ("ROLLBACK_FAILED", "stack-blocked"),
    ] {
        let scene = Scene::new();
        scene.proxy.rule(move |seen| {
            let message = format!(
                "Stack:arn:aws:cloudformation:us-east-1:1:stack/x/y is in {state} state and can not be updated."
            );
            (seen.operation == "CreateChangeSet").then(|| refusal(400, "ValidationError", &message))
        });
        let ran = scene
            .project
            .deployer(&scene.proxy.endpoint(), &["up", "--stage", "dev", "--output", "json"])
            .fails_with(1);
        assert_eq!(code_of(&ran.stderr), code, "{ran}");
    }
}

/// The code of the error that a run with `--output json` ended with.
fn code_of(stderr: &str) -> String {
    let mut lines = stderr
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let error = lines.rfind(|line| line["event"] == "error").expect("an error");
    error["code"].as_str().expect("a code").to_owned()
}

/// S3 answers 200 to a deletion that it refused in part.
#[test]
fn a_partly_refused_deletion_is_a_failure() {
    let scene = Scene::new();
    let endpoint = scene.proxy.endpoint();
    scene.project.deployer(&endpoint, &["up", "--stage", "dev"]).success();
    scene.proxy.rule(|seen| {
        (seen.method == "POST" && seen.path.contains("delete")).then(|| {
            (
                200,
                "<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Error><Key>index.html</Key>\
                 <Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>"
                    .to_owned(),
            )
        })
    });
    scene
        .project
        .deployer(&endpoint, &["down", "--stage", "dev", "--yes"])
        .fails_with(1)
        .says(&[
            "S3 refuses to delete",
            "index.html: AccessDenied",
            "s3:DeleteObjectVersion",
        ]);
    let seen = scene.proxy.take();
    assert!(
        !seen
            .iter()
            .any(|s| s.operation == "DeleteStack" && s.body.contains("presentation")),
        "a bucket that isn't empty keeps its stack"
    );
}

/// What S3 doesn't delete for now, being busy, is asked for again, and that alone.
#[test]
fn what_s3_deletes_later_is_asked_for_again() {
    let scene = Scene::new();
    let endpoint = scene.proxy.endpoint();
    scene.project.deployer(&endpoint, &["up", "--stage", "dev"]).success();
    let mut refused = false;
    scene.proxy.rule(move |seen| {
        let is_of_site = seen.method == "POST" && seen.path.contains("-site-") && seen.path.contains("delete");
        if !is_of_site || refused {
            return None;
        }
        refused = true;
        // All of it is there, and just one is told.
        let key = "index.html";
        let from = seen.body.find(&format!("<Key>{key}</Key>"))?;
        let version = seen.body[from..].split_once("<VersionId>")?.1.split_once("</VersionId>")?.0;
        Some((
            200,
            format!(
                "<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Error><Key>{key}</Key>\
                 <VersionId>{version}</VersionId><Code>SlowDown</Code><Message>Please reduce your request rate.</Message>\
                 </Error></DeleteResult>"
            ),
        ))
    });
    scene.proxy.take();
    scene
        .project
        .deployer(&endpoint, &["down", "--stage", "dev", "--yes"])
        .success();
    let asked = scene.proxy.take();
    let of_site: Vec<usize> = asked
        .iter()
        .filter(|seen| seen.method == "POST" && seen.path.contains("-site-") && seen.path.contains("delete"))
        .map(|seen| seen.body.matches("<Key>").count())
        .collect();
    assert!(of_site[0] > 1 && of_site[1] == 1, "{of_site:?}");
}

/// A function is pending for a while after its creation, and a distribution takes minutes.
#[test]
fn readiness_is_waited_for() {
    let scene = Scene::new();
    let mut pending = 2;
    scene.proxy.rule(move |seen| {
        (seen.method == "GET" && seen.path.ends_with("/functions/retrieve-user-data-dev/configuration") && pending > 0)
            .then(|| {
                pending -= 1;
                (200, r#"{"State":"Pending","LastUpdateStatus":"InProgress"}"#.to_owned())
            })
    });
    scene
        .project
        .deployer(&scene.proxy.endpoint(), &["up", "--stage", "dev", "--no-verify"])
        .success();
    let asked = |what: &str, seen: &[Seen]| seen.iter().filter(|s| s.path.contains(what)).count();
    let seen = scene.proxy.take();
    assert_eq!(asked("/functions/retrieve-user-data-dev/configuration", &seen), 3);
    assert!(
        asked("/distribution/", &seen) >= 1,
        "the distribution is looked at, too"
    );
}

/// A function that can't start is a failure of `up`, with Lambda's own reason.
#[test]
fn a_function_that_cannot_start_is_told() {
    let scene = Scene::new();
    scene.proxy.rule(|seen| {
        (seen.method == "GET" && seen.path.ends_with("/functions/retrieve-user-data-dev/configuration")).then(|| {
            (
                200,
                r#"{"State":"Failed","StateReason":"The image is broken","LastUpdateStatus":"Failed"}"#.to_owned(),
            )
        })
    });
    scene
        .project
        .deployer(&scene.proxy.endpoint(), &["up", "--stage", "dev"])
        .fails_with(1)
        .says(&["retrieve-user-data-dev doesn't start", "The image is broken"]);
}

/// A bucket name that another account has: HEAD says 403.
#[test]
fn another_accounts_bucket_is_a_taken_name() {
    let scene = Scene::new();
    scene.proxy.rule(|seen| {
        (seen.method == "HEAD" && seen.path.contains("three-tier-dev-site")).then(|| (403, String::new()))
    });
    scene
        .project
        .deployer(&scene.proxy.endpoint(), &["up", "--stage", "dev"])
        .fails_with(2)
        .says(&[&format!(
            "bucket three-tier-dev-site-000000000000-{} (SiteBucket) exists already",
            scene.emulator.region()
        )]);
}

/// What CI did is told as what one did oneself: by the events of the last operation, and no earlier one's.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_later() {
    let scene = Scene::new();
    scene.up().success();
    let arn = scene.arn(DATA).await;
    let diagnose = |args: &[&str]| {
        let args = [&["diagnose", "--stage", "dev"], args].concat();
        scene.project.deployer(&scene.proxy.endpoint(), &args).success()
    };
    assert!(!diagnose(&[]).stdout.contains("next:"), "nothing failed");
    scene.proxy.take();
    scene.proxy.rule(move |seen| match seen.operation.as_str() {
        "DescribeStacks" if seen.body.contains(DATA) => {
            Some(stack_in("UPDATE_ROLLBACK_COMPLETE", DATA).arn(&arn).answer())
        }
        "DescribeStackEvents" => {
            let table = |id: &'static str, reason: &'static str| StackEvent {
                resource: ("AWS::DynamoDB::Table", "Table"),
                reason,
                ..StackEvent::of_stack(id, DATA, "UPDATE_FAILED")
            };
            Some(stack_events(
                &[
                    StackEvent::of_stack("6", DATA, "UPDATE_ROLLBACK_COMPLETE"),
                    StackEvent::of_stack("5", DATA, "UPDATE_ROLLBACK_IN_PROGRESS"),
                    table("4", "Rate exceeded (Status Code: 429)"),
                    StackEvent::of_stack("3", DATA, "UPDATE_IN_PROGRESS"),
                    StackEvent::of_stack("2", DATA, "UPDATE_ROLLBACK_COMPLETE"),
                    table("1", "of an earlier one"),
                ],
                None,
            ))
        }
        _ => None,
    });
    let told = diagnose(&[]).stdout.clone();
    for words in [
        "UPDATE_ROLLBACK_COMPLETE",
        "Table AWS::DynamoDB::Table UPDATE_FAILED: Rate exceeded (Status Code: 429)",
        "stacks/data.yaml:",
        "next: AWS has slowed this account down.",
    ] {
        assert!(told.contains(words), "{words} in {told}");
    }
    assert!(!told.contains("earlier"), "{told}");
    let document = diagnose(&["--output", "json"]).json();
    let stacks = document["stacks"].as_array().expect("stacks");
    let data = stacks.iter().find(|stack| stack["id"] == "data").expect("the stack");
    assert_eq!(data["failure"]["logicalId"], "Table");
    scene.proxy.assert_nothing_was_written();
}

/// More events than fit a page, and the page of another operation behind them.
#[test]
fn events_are_read_page_by_page() {
    let scene = Scene::new();
    let of_table = |id: &'static str, logical: &'static str, reason: &'static str| StackEvent {
        resource: ("AWS::DynamoDB::Table", logical),
        reason,
        ..StackEvent::of_stack(id, DATA, "CREATE_FAILED")
    };
    let pages = [
        stack_events(
            &[
                StackEvent::of_stack("4", DATA, "ROLLBACK_COMPLETE"),
                of_table("3", "Other", "Resource creation cancelled"),
            ],
            Some("more"),
        ),
        stack_events(
            &[
                of_table("2", "Table", "the cause is on page two"),
                StackEvent::of_stack("1", DATA, "CREATE_IN_PROGRESS"),
            ],
            None,
        ),
    ];
    let mut executed = false;
    scene.proxy.rule(move |seen| {
        executed |= seen.operation == "ExecuteChangeSet";
        (executed && seen.operation == "DescribeStackEvents").then(|| {
            let page = usize::from(seen.parameter("NextToken").is_some());
            pages[page].clone()
        })
    });
    scene.up().fails_with(1).says(&[
        "Table (AWS::DynamoDB::Table): the cause is on page two",
        "stacks/data.yaml:",
        "Table:",
        "CREATE_FAILED",
    ]);
}

/// A creation that failed after it made the protected table: neither its rollback nor its removal can delete that.
#[tokio::test]
async fn a_failed_creation_with_a_protected_table_is_made_anew_unless_it_has_items() {
    for has_items in [true, false] {
        let scene = Scene::new();
        let clients = Clients::root(&scene.emulator.endpoint());
        let up = || {
            scene
                .project
                .deployer(&scene.proxy.endpoint(), &["up", "--only", "data"])
        };
        up().success();
        if has_items {
            scene.project.deployer(&scene.emulator.endpoint(), &["seed"]).success();
        }
        let arn = scene.arn("three-tier-prod-data").await;
        // Which only a stack that was complete once has.
        let unprotect = clients.cloudformation.update_termination_protection();
        let unprotect = unprotect.stack_name(&arn).enable_termination_protection(false);
        unprotect.send().await.expect("switched off");
        let mut deleted = false;
        scene.proxy.rule(move |seen| {
            deleted |= seen.operation == "DeleteStack";
            (!deleted && is_about(seen, "DescribeStacks", "prod-data")).then(|| {
                let stack = stack_in("ROLLBACK_FAILED", "three-tier-prod-data");
                stack.arn(&arn).answer()
            })
        });
        scene.proxy.take();
        if has_items {
            up().fails_with(1)
                .says(&["UserData of a failed creation has items in it", "down --delete-data"]);
            assert!(
                clients
                    .dynamodb
                    .describe_table()
                    .table_name("UserData")
                    .send()
                    .await
                    .is_ok()
            );
            continue;
        }
        up().success();
        let operations = scene.operations();
        let position = |wanted: &str| operations.iter().position(|o| o == wanted).expect(wanted);
        assert!(position("UpdateTable") < position("DeleteTable"), "{operations:?}");
        assert!(
            position("DeleteTable") < position("DeleteStack") && position("DeleteStack") < position("CreateChangeSet")
        );
    }
}

/// A late event of the operation before isn't taken for the end of this one.
#[test]
fn an_event_of_another_operation_is_not_the_end() {
    let scene = Scene::new();
    let mut token = None;
    let mut looks = 0;
    scene.proxy.rule(move |seen| {
        if seen.operation == "ExecuteChangeSet" {
            token = seen.parameter("ClientRequestToken");
        }
        let own = token.clone()?;
        if seen.operation != "DescribeStackEvents" {
            return None;
        }
        looks += 1;
        let event = |id, token, status| StackEvent {
            token,
            ..StackEvent::of_stack(id, DATA, status)
        };
        let late = event("1", "somebody-elses", "ROLLBACK_COMPLETE");
        let newest_first = [event("2", &own, "CREATE_COMPLETE"), late];
        Some(stack_events(
            if looks < 3 { &newest_first[1..] } else { &newest_first },
            None,
        ))
    });
    scene.up().success();
}
