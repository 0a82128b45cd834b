//! How long the policies are, what they are about, and what they never allow.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::{POLICIES, allowed, boundary_file, file_of, fits, statements, text_of};
use crate::support::Project;
use crate::support::project::repository;

/// The longest that a project, its stage and the names that its templates choose may have, and of regions and partitions.
const LONGEST: &[(&str, usize)] = &[
    ("PARTITION", "aws-us-gov".len()),
    ("REGION", "ap-southeast-1".len()),
    ("ACCOUNT", 12),
    ("PROJECT", 20),
    ("STAGE", 20),
    ("FUNCTION", 64),
    ("TABLE", 255),
];

/// IAM's is 6,144 characters without white space for a customer managed policy. There is to be room for a user's own.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const LONGEST_POLICY: usize = 5_500;

/// Resources that the stage's name isn't in, and why.
const NOT_THE_STAGES: &[(&str, &str, &str)] = &[
    (
        "stacks",
        "arn:PARTITION:cloudformation:REGION:ACCOUNT:changeSet/deployer-*/*",
        "on AWS a change set may be asked for by its own ARN, which has the deployer's name for it",
    ),
    ("stacks", "*", "neither lists of stacks nor templates have an ARN"),
    ("site", "*", "what is made has no id yet, and lists have no ARN"),
    (
        "site",
        "arn:PARTITION:cloudfront::ACCOUNT:distribution/*",
        "its ARN has an id, and CloudFormation doesn't tag distributions",
    ),
    (
        "site",
        "arn:PARTITION:cloudfront::ACCOUNT:origin-access-control/*",
        "its ARN has an id, and it can't be tagged",
    ),
    (
        "site",
        "arn:PARTITION:cloudfront::ACCOUNT:response-headers-policy/*",
        "its ARN has an id, and it can't be tagged",
    ),
    (
        "app",
        "arn:PARTITION:lambda:REGION:ACCOUNT:function:FUNCTION",
        "the template chooses it",
    ),
    (
        "app",
        "arn:PARTITION:logs:REGION:ACCOUNT:log-group:/aws/lambda/FUNCTION",
        "the template chooses it",
    ),
    (
        "app",
        "arn:PARTITION:logs:REGION:ACCOUNT:log-group:/aws/lambda/FUNCTION:*",
        "the template chooses it",
    ),
    (
        "app",
        "arn:PARTITION:iam::ACCOUNT:role/aws-service-role/ops.apigateway.amazonaws.com/*",
        "the service's own role, one for the account",
    ),
    (
        "app",
        "arn:PARTITION:apigateway:REGION::/restapis",
        "an API that is made has no id yet",
    ),
    (
        "app",
        "arn:PARTITION:apigateway:REGION::/restapis/*",
        "its ARN has an id; what changes it asks for the stack's tag",
    ),
    (
        "app",
        "arn:PARTITION:apigateway:REGION::/tags/*",
        "there nobody can set the stack's tag",
    ),
    ("app", "*", "lists of alarms and log groups have no ARN of their own"),
    (
        "data",
        "arn:PARTITION:dynamodb:REGION:ACCOUNT:table/TABLE",
        "the template chooses it",
    ),
    (
        "data",
        "arn:PARTITION:kms:REGION:ACCOUNT:key/*",
        "the account's key for tables, and only by way of DynamoDB",
    ),
    ("data", "*", "a list of names has no ARN"),
];

/// Of what changes roles, what gives nobody anything, and why.
const GIVES_NOTHING: &[(&str, &str)] = &[
    ("iam:DeleteRole", "takes away"),
    (
        "iam:DeleteRolePolicy",
        "takes away; a boundary is no such policy, and the policies hold no denials",
    ),
    ("iam:UpdateRole", "the description, and how long a session lasts"),
    ("iam:PassRole", "for Lambda alone, which has a condition of its own"),
    (
        "iam:CreateServiceLinkedRole",
        "API Gateway's own, whose policies are AWS's",
    ),
];

#[test]
fn each_policy_fits_with_the_longest_names() {
    let files = POLICIES.iter().map(|policy| file_of(policy));
    for file in files.chain([boundary_file()]) {
        let mut text = text_of(file.clone());
        for (placeholder, length) in LONGEST {
            text = text.replace(placeholder, &"x".repeat(*length));
        }
        let policy: Value = serde_json::from_str(&text).expect("JSON");
        let length = policy.to_string().len();
        assert!(length <= LONGEST_POLICY, "{}: {length}", file.display());
    }
}

#[test]
fn nothing_of_one_app_region_or_partition_is_built_in() {
    let files = POLICIES.iter().map(|policy| file_of(policy));
    for file in files.chain([boundary_file()]) {
        let text = text_of(file.clone());
        for wrong in [
            "arn:aws",
            "UserData",
            "retrieve-user-data",
            "three-tier",
            "us-east-1",
            "read-one-table",
        ] {
            assert!(!text.contains(wrong), "`{wrong}` in {}", file.display());
        }
    }
}

#[test]
fn each_resource_is_the_stages_or_has_a_reason() {
    let allowed = allowed();
    let mut unused: BTreeSet<_> = NOT_THE_STAGES
        .iter()
        .map(|(file, resource, _)| (*file, *resource))
        .collect();
    for statement in &allowed {
        for resource in &statement.resources {
            let is_known = unused.remove(&(statement.file, resource.as_str()))
                || NOT_THE_STAGES
                    .iter()
                    .any(|(file, known, _)| *file == statement.file && known == resource);
            assert!(
                is_known || resource.contains("PROJECT-STAGE-"),
                "{} in {}.json has {resource}, which is all stages'",
                statement.sid,
                statement.file
            );
        }
    }
    assert_eq!(unused, BTreeSet::new(), "no statement has these any more");
}

/// APIs have ids for names. The stack's tag is inherited by what is in them.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-supported-resources.html>
#[test]
fn apis_of_other_stacks_are_only_read() {
    let all = "arn:PARTITION:apigateway:REGION::/restapis/*";
    let about_apis = allowed()
        .into_iter()
        .filter(|statement| statement.resources.iter().any(|one| one == all));
    let mut changes = 0;
    for statement in about_apis {
        if statement.actions == ["apigateway:GET"] {
            continue;
        }
        changes += 1;
        assert_eq!(
            statement.condition["StringLike"]["aws:ResourceTag/aws:cloudformation:stack-name"], "PROJECT-STAGE-*",
            "{}",
            statement.sid
        );
    }
    assert_eq!(changes, 1);
}

#[test]
fn a_role_is_given_nothing_but_within_the_boundary() {
    let boundary = "arn:PARTITION:iam::ACCOUNT:policy/PROJECT-STAGE-function-boundary";
    let mut found = BTreeSet::new();
    for statement in allowed() {
        for action in statement.actions.iter().filter(|action| action.starts_with("iam:")) {
            assert!(!action.contains('*'), "{action} is more than anybody can look over");
            let reads = ["iam:Get", "iam:List", "iam:Simulate"];
            let gives_nothing = GIVES_NOTHING.iter().any(|(harmless, _)| harmless == action);
            if gives_nothing || reads.iter().any(|read| action.starts_with(read)) {
                continue;
            }
            assert_eq!(
                statement.condition["StringEquals"]["iam:PermissionsBoundary"], boundary,
                "{action} in {}",
                statement.sid
            );
            found.insert(action.clone());
        }
    }
    let written = [
        "iam:CreateRole",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
        "iam:UpdateAssumeRolePolicy",
    ];
    assert_eq!(found, BTreeSet::from(written.map(str::to_owned)), "what writes roles");
}

#[test]
fn roles_are_for_lambda_and_functions_for_api_gateway_alone() {
    for (action, operator, key, value) in [
        (
            "iam:PassRole",
            "StringEquals",
            "iam:PassedToService",
            "lambda.amazonaws.com",
        ),
        (
            "iam:CreateServiceLinkedRole",
            "StringEquals",
            "iam:AWSServiceName",
            "ops.apigateway.amazonaws.com",
        ),
        (
            "lambda:AddPermission",
            "StringEquals",
            "lambda:Principal",
            "apigateway.amazonaws.com",
        ),
        ("kms:CreateGrant", "Bool", "kms:GrantIsForAWSResource", "true"),
        (
            "kms:CreateGrant",
            "StringEquals",
            "kms:ViaService",
            "dynamodb.REGION.amazonaws.com",
        ),
        (
            "kms:DescribeKey",
            "StringEquals",
            "kms:ViaService",
            "dynamodb.REGION.amazonaws.com",
        ),
    ] {
        let allowing: Vec<_> = allowed()
            .into_iter()
            .filter(|statement| statement.allows(action))
            .collect();
        assert_eq!(allowing.len(), 1, "{action}");
        assert_eq!(allowing[0].condition[operator][key], value, "{action}");
    }
}

/// Whoever may change the policy that is the boundary, or take it off, has none.
#[test]
fn nobody_lifts_or_changes_a_boundary() {
    let forbidden = [
        "iam:DeleteRolePermissionsBoundary",
        "iam:CreatePolicy",
        "iam:CreatePolicyVersion",
        "iam:SetDefaultPolicyVersion",
        "iam:DeletePolicyVersion",
        "iam:DeletePolicy",
        "iam:AttachRolePolicy",
        "iam:AttachUserPolicy",
        "iam:PutUserPolicy",
        "iam:CreateUser",
        "iam:CreateAccessKey",
        "sts:AssumeRole",
        "lambda:CreateFunctionUrlConfig",
        "dynamodb:PutResourcePolicy",
        "cloudfront:AssociateAlias",
    ];
    for statement in allowed() {
        for action in forbidden {
            assert!(!statement.allows(action), "{} allows {action}", statement.sid);
        }
        for resource in statement.resources.iter().filter(|resource| *resource != "*") {
            assert!(
                !fits(
                    resource,
                    "arn:PARTITION:iam::ACCOUNT:policy/PROJECT-STAGE-function-boundary"
                ),
                "{} is about the boundary",
                statement.sid
            );
        }
    }
}

/// A role may do what its policies and the boundary allow. What the app's role does is to be in both, and there is to be nothing
/// in the boundary that it doesn't do.
#[test]
fn the_boundary_is_what_the_apps_role_does() {
    let boundary = statements("function-boundary", &text_of(boundary_file()));
    let allowed: BTreeSet<(String, String)> = boundary
        .iter()
        .flat_map(|statement| {
            statement
                .actions
                .iter()
                .map(|action| (action.clone(), statement.resources.join(" ")))
        })
        .collect();
    let table = "arn:PARTITION:dynamodb:REGION:ACCOUNT:table/TABLE";
    let logs = "arn:PARTITION:logs:REGION:ACCOUNT:log-group:/aws/lambda/FUNCTION:*";
    let wanted = [
        ("dynamodb:GetItem", table),
        ("logs:CreateLogStream", logs),
        ("logs:PutLogEvents", logs),
    ];
    let expected = wanted.map(|(action, resource)| (action.to_owned(), resource.to_owned()));
    assert_eq!(allowed, BTreeSet::from(expected));
    let template = std::fs::read_to_string(repository().join("stacks/logic.yaml")).expect("a template");
    let (_, policies) = template.split_once("      Policies:").expect("the role's policies");
    let (policies, _) = policies.split_once("\n\n").expect("they end");
    for (action, _) in wanted {
        assert!(policies.contains(action), "{action} in {policies}");
    }
    assert_eq!(policies.matches("Action:").count(), 2, "{policies}");
}

/// What stands in the folder's README, as somebody copies it, with an `aws` that notes what it is asked.
#[test]
fn the_recipe_makes_each_policy_and_leaves_no_placeholder() {
    let readme = text_of(repository().join("docs/deploying-identity/README.md"));
    let (_, recipe) = readme.split_once("```sh\n").expect("a recipe");
    let (recipe, _) = recipe.split_once("```").expect("its end");
    let project = Project::bare("recipe", &[]);
    let aws = "import json, sys\nprint(json.dumps(sys.argv[1:]))\n";
    project.executable("bin/aws", aws);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = vec![project.path().join("bin")];
    folders.extend(std::env::split_paths(&path));
    let output = Command::new("sh")
        .args(["-ec", recipe])
        .current_dir(repository())
        .env("PATH", std::env::join_paths(folders).expect("a path"))
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut made = BTreeSet::new();
    for line in String::from_utf8(output.stdout).expect("UTF-8").lines() {
        let arguments: Vec<String> = serde_json::from_str(line).expect("JSON");
        let [iam, create, name_is, name, document_is, document] = arguments.as_slice() else {
            panic!("{arguments:?}");
        };
        let said = [iam, create, name_is, document_is].map(String::as_str);
        assert_eq!(said, ["iam", "create-policy", "--policy-name", "--policy-document"]);
        let policy: Value = serde_json::from_str(document).expect("JSON");
        assert!(
            policy["Statement"].as_array().is_some_and(|all| !all.is_empty()),
            "{document}"
        );
        for (placeholder, _) in LONGEST {
            assert!(!document.contains(placeholder), "{placeholder} in {document}");
        }
        made.insert(name.clone());
    }
    let names = POLICIES.iter().chain(["function-boundary"].iter());
    let names: BTreeSet<String> = names.map(|name| format!("three-tier-prod-{name}")).collect();
    assert_eq!(made, names);
}
