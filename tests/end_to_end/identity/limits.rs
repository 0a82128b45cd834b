//! How long the policies are, what they are about, and what they never allow.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{NOWHERE, allowed, bounded, fits, folder, printed};
use crate::support::Project;

/// IAM's is 6,144 characters without white space for a customer managed policy.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const LONGEST_POLICY: usize = 6_144;

/// Resources that the stage's name isn't in, and why.
const NOT_THE_STAGES: &[(&str, &str)] = &[
    (
        "arn:aws:cloudformation:eu-central-1:123456789012:changeSet/deployer-*/*",
        "on AWS a change set may be asked for by its own ARN, which has the deployer's name for it",
    ),
    ("*", "see `what_is_granted_for_all_is_read_or_made_or_has_a_reason`"),
    (
        "arn:aws:cloudfront::123456789012:distribution/*",
        "its ARN has an id, and CloudFormation doesn't tag distributions",
    ),
    (
        "arn:aws:cloudfront::123456789012:origin-access-control/*",
        "its ARN has an id, and it can't be tagged",
    ),
    (
        "arn:aws:cloudfront::123456789012:response-headers-policy/*",
        "its ARN has an id, and it can't be tagged",
    ),
    (
        "arn:aws:lambda:eu-central-1:123456789012:function:retrieve-user-data",
        "the stage chooses it",
    ),
    (
        "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/retrieve-user-data",
        "the stage chooses it",
    ),
    (
        "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/retrieve-user-data:*",
        "the stage chooses it",
    ),
    (
        "arn:aws:iam::123456789012:role/aws-service-role/ops.apigateway.amazonaws.com/*",
        "the service's own role, one for the account",
    ),
    (
        "arn:aws:apigateway:eu-central-1::/restapis",
        "an API that is made has no id yet",
    ),
    (
        "arn:aws:apigateway:eu-central-1::/restapis/*",
        "its ARN has an id; what changes it asks for the stack's tag",
    ),
    (
        "arn:aws:apigateway:eu-central-1::/tags/*",
        "there nobody can set the stack's tag",
    ),
    (
        "arn:aws:dynamodb:eu-central-1:123456789012:table/UserData",
        "the stage chooses it",
    ),
    (
        "arn:aws:dynamodb:eu-central-1:123456789012:table/UserData/index/*",
        "the stage chooses it",
    ),
    (
        "arn:aws:dynamodb:eu-central-1:123456789012:table/UserData/stream/*",
        "the stage chooses it",
    ),
    (
        "arn:aws:kms:eu-central-1:123456789012:key/*",
        "the account's key for tables, and only by way of DynamoDB",
    ),
];

const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/three-tier-prod-function-boundary";

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

/// The policies that readers find here are what the command prints.
#[test]
fn the_policies_in_docs_are_what_is_printed() {
    let printed = printed(&Project::copy(), &[]);
    let mut names = BTreeSet::new();
    for policy in printed["policies"].as_array().expect("policies") {
        let name = format!("{}.json", policy["name"].as_str().expect("a name"));
        let text = std::fs::read_to_string(folder().join(&name)).expect("a policy");
        let kept: Value = serde_json::from_str(&text).expect("JSON");
        let how = "deployer policy deploy --account 123456789012 --region eu-central-1 --out docs/deploying-identity";
        assert_eq!(kept, policy["document"], "{name} is made anew by `{how}`");
        names.insert(name);
    }
    let files = std::fs::read_dir(folder()).expect("a folder");
    let files: BTreeSet<String> = files
        .map(|entry| entry.expect("readable").file_name().into_string().expect("text"))
        .filter(|name| name.ends_with(".json"))
        .collect();
    assert_eq!(files, names);
}

#[test]
fn each_policy_is_as_long_as_iam_takes_and_they_are_few() {
    for example in [None, Some("orders"), Some("site")] {
        let project = example.map_or_else(Project::copy, Project::of);
        let printed = printed(&project, &[]);
        let policies = printed["policies"].as_array().expect("policies");
        assert!(policies.len() <= 6, "{}", policies.len());
        for policy in policies {
            let length = policy["document"].to_string().len();
            assert!(length <= LONGEST_POLICY, "{}: {length}", policy["name"]);
        }
    }
}

/// A hundred functions, each of which all that is about functions names.
#[test]
fn what_no_policy_holds_is_an_error_before_anybody_is_asked() {
    let role = "arn:aws:iam::123456789012:role/runs";
    let functions = (0..100).map(|number| {
        format!(
            "  F{number}: {{ Type: AWS::Lambda::Function, Properties: {{ FunctionName: \"a-name-that-is-long-and-its-own-{number}\", Role: \"{role}\", Handler: bootstrap, Runtime: provided.al2023, Code: {{ ZipFile: x }} }} }}\n"
        )
    });
    let template = format!("Resources:\n{}", functions.collect::<String>());
    let project = Project::bare("many", &[("stacks/many.yaml", &template)]);
    let args = [&["policy", "deploy"], super::ACCOUNT].concat();
    project.deployer(NOWHERE, &args).fails_with(2).says(&[
        "would be longer than IAM takes",
        "6144 characters",
        "`${Project}-${Stage}-`",
    ]);
}

#[test]
fn each_resource_is_the_stages_or_has_a_reason() {
    let mut unused: BTreeSet<&str> = NOT_THE_STAGES.iter().map(|(resource, _)| *resource).collect();
    for statement in allowed(&Project::copy()) {
        for resource in &statement.resources {
            let is_known =
                unused.remove(resource.as_str()) || NOT_THE_STAGES.iter().any(|(known, _)| known == resource);
            assert!(
                is_known || resource.contains("three-tier-prod-"),
                "{} has {resource}, which is all stages'",
                statement.sid,
            );
        }
    }
    assert_eq!(unused, BTreeSet::new(), "no statement has these any more");
}

/// What is granted for all resources beside lists, and what is made and has no id yet; and why.
const GRANTED_FOR_ALL: &[(&str, &str)] = &[
    (
        "sns:SetSubscriptionAttributes",
        "an earlier Service Authorization Reference knows no kind of resource that it can be granted for",
    ),
    ("sns:Unsubscribe", "as sns:SetSubscriptionAttributes"),
];

#[test]
fn what_is_granted_for_all_is_read_or_made_or_has_a_reason() {
    let mut unused: BTreeSet<&str> = GRANTED_FOR_ALL.iter().map(|(action, _)| *action).collect();
    let granted = allowed(&Project::copy()).into_iter();
    let granted = granted.filter(|statement| statement.resources.iter().any(|resource| resource == "*"));
    for action in granted.flat_map(|statement| statement.actions) {
        let (_, name) = action.split_once(':').expect("a prefix");
        let harmless = ["List", "Describe", "Get", "Validate", "Create"];
        assert!(
            unused.remove(action.as_str()) || harmless.iter().any(|verb| name.starts_with(verb)),
            "{action}"
        );
    }
    assert_eq!(unused, BTreeSet::new(), "nothing is granted so any more");
}

/// APIs have ids for names. The stack's tag is inherited by what is in them.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-supported-resources.html>
#[test]
fn apis_of_other_stacks_are_only_read() {
    let all = "arn:aws:apigateway:eu-central-1::/restapis/*";
    let about_apis = allowed(&Project::copy())
        .into_iter()
        .filter(|statement| statement.resources.iter().any(|one| one == all));
    let mut changes = 0;
    for statement in about_apis {
        if statement.actions == ["apigateway:GET"] {
            continue;
        }
        changes += 1;
        assert_eq!(
            statement.condition["StringLike"]["aws:ResourceTag/aws:cloudformation:stack-name"], "three-tier-prod-*",
            "{}",
            statement.sid
        );
    }
    assert_eq!(changes, 1);
}

#[test]
fn a_role_is_given_nothing_but_within_the_boundary() {
    let mut found = BTreeSet::new();
    for statement in allowed(&Project::copy()) {
        for action in statement.actions.iter().filter(|action| action.starts_with("iam:")) {
            assert!(!action.contains('*'), "{action} is more than anybody can look over");
            let reads = ["iam:Get", "iam:List", "iam:Simulate"];
            let gives_nothing = GIVES_NOTHING.iter().any(|(harmless, _)| harmless == action);
            if gives_nothing || reads.iter().any(|read| action.starts_with(read)) {
                continue;
            }
            assert_eq!(
                statement.condition["StringEquals"]["iam:PermissionsBoundary"], BOUNDARY,
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
            "dynamodb.eu-central-1.amazonaws.com",
        ),
        (
            "kms:DescribeKey",
            "StringEquals",
            "kms:ViaService",
            "dynamodb.eu-central-1.amazonaws.com",
        ),
    ] {
        let allowing: Vec<_> = allowed(&Project::copy())
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
    for statement in allowed(&Project::copy()) {
        for action in forbidden {
            assert!(!statement.allows(action), "{} allows {action}", statement.sid);
        }
        for resource in statement.resources.iter().filter(|resource| *resource != "*") {
            assert!(!fits(resource, BOUNDARY), "{} is about the boundary", statement.sid);
        }
    }
}

/// A role may do what its policies and the boundary allow. What the app's role does is to be in both, and there is to be nothing
/// in the boundary that it doesn't do.
#[test]
fn the_boundary_is_what_the_apps_role_does() {
    let project = Project::copy();
    let bounded = bounded(&project);
    let each = |statement: &super::Statement| {
        let resources = statement.resources.join(" ");
        let actions = statement.actions.iter();
        actions
            .map(|action| (action.clone(), resources.clone()))
            .collect::<Vec<_>>()
    };
    let allowed: BTreeSet<(String, String)> = bounded.iter().flat_map(each).collect();
    let table = "arn:aws:dynamodb:eu-central-1:123456789012:table/UserData";
    let logs = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/retrieve-user-data:*";
    let wanted = [
        ("dynamodb:GetItem", table),
        ("logs:CreateLogStream", logs),
        ("logs:PutLogEvents", logs),
    ];
    let expected = wanted.map(|(action, resource)| (action.to_owned(), resource.to_owned()));
    assert_eq!(allowed, BTreeSet::from(expected));
    let template = project.read("stacks/logic.yaml");
    let (_, policies) = template.split_once("      Policies:").expect("the role's policies");
    let (policies, _) = policies.split_once("\n\n").expect("they end");
    for (action, _) in wanted {
        assert!(policies.contains(action), "{action} in {policies}");
    }
    assert_eq!(policies.matches("Action:").count(), 2, "{policies}");
}

/// A stage whose templates have policies of their own may change those that are called after it; its boundary is called so, too.
#[test]
fn who_may_change_policies_never_changes_the_boundary() {
    let template = "
Resources:
  Reads:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument: { Version: \"2012-10-17\", Statement: [{ Effect: Allow, Action: s3:GetObject, Resource: !Sub \"arn:${AWS::Partition}:s3:::shared/*\" }] }
      Roles: [!Ref Role]
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: { Version: \"2012-10-17\", Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: sts:AssumeRole }] }
";
    let project = Project::bare("own", &[("stacks/own.yaml", template)]);
    let printed = printed(&project, &[]);
    let policies = printed["policies"].as_array().expect("policies");
    let all: Vec<&Value> = policies
        .iter()
        .filter(|policy| policy["isBoundary"] == false)
        .flat_map(|policy| policy["document"]["Statement"].as_array().expect("statements"))
        .collect();
    let boundary = "arn:aws:iam::123456789012:policy/own-prod-function-boundary";
    let changes = all
        .iter()
        .find(|one| super::texts(&one["Action"]).contains(&"iam:CreatePolicyVersion".to_owned()));
    let changes = changes.expect("it may change the stage's own");
    assert!(
        super::texts(&changes["Resource"]).iter().any(|one| fits(one, boundary)),
        "{changes}"
    );
    let denied = all.iter().find(|one| one["Effect"] == "Deny").expect("a denial");
    assert_eq!(denied["Resource"], boundary);
    for action in [
        "iam:CreatePolicyVersion",
        "iam:DeletePolicy",
        "iam:SetDefaultPolicyVersion",
    ] {
        assert!(super::texts(&denied["Action"]).contains(&action.to_owned()), "{denied}");
    }
    // What it attaches, it attaches within the boundary.
    let attaches = all
        .iter()
        .find(|one| super::texts(&one["Action"]).contains(&"iam:AttachRolePolicy".to_owned()));
    assert_eq!(
        attaches.expect("a statement")["Condition"]["StringEquals"]["iam:PermissionsBoundary"],
        boundary
    );
    let bound = policies
        .iter()
        .find(|policy| policy["isBoundary"] == true)
        .expect("a boundary");
    assert_eq!(bound["document"]["Statement"][0]["Action"], "s3:GetObject");
    assert_eq!(bound["document"]["Statement"][0]["Resource"], "arn:aws:s3:::shared/*");
}

/// What else a template may have: loops, macros, values that are looked up, custom resources, policies that aren't its own.
#[test]
fn whatever_a_template_has_is_granted_or_said() {
    let template = r#"
Transform: AWS::LanguageExtensions
Parameters:
  Image: { Type: "AWS::SSM::Parameter::Value<String>", Default: /shop/image }
  Elsewhere: { Type: String }
Resources:
  Fn::ForEach::Queues:
    - Name
    - [One, Two]
    - Queue${Name}:
        Type: AWS::SQS::Queue
        Properties: { QueueName: !Sub "shop-${Name}" }
  Topic:
    Type: AWS::SNS::Topic
    Properties: { DisplayName: "{{resolve:secretsmanager:shop/token:SecretString:name}}" }
  Own: { Type: Custom::Thing, Properties: { ServiceToken: !Ref Elsewhere } }
  New: { Type: AWS::Nobody::Knows, Properties: {} }
  Role:
    Type: AWS::IAM::Role
    Properties:
      ManagedPolicyArns:
        - !Sub "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
        - !Sub "arn:${AWS::Partition}:iam::aws:policy/ReadOnlyAccess"
      AssumeRolePolicyDocument: { Version: "2012-10-17", Statement: [{ Effect: Allow, Principal: { Service: ecs-tasks.amazonaws.com }, Action: sts:AssumeRole }] }
      Policies:
        - PolicyName: x
          PolicyDocument: { Version: "2012-10-17", Statement: [{ Effect: Allow, Action: sqs:SendMessage, Resource: !Ref Elsewhere }] }
"#;
    let project = Project::bare("shop", &[("stacks/all.yaml", template)]);
    project.edit(
        "stacks/stages.yaml",
        "prod: {}",
        "prod: { parameters: { Elsewhere: \"\" } }",
    );
    let printed = printed(&project, &[]);
    let policies = printed["policies"].as_array().expect("policies");
    let theirs = policies.iter().filter(|policy| policy["isBoundary"] == false);
    let statements: Vec<super::Statement> = theirs.flat_map(super::statements).collect();
    let here = "eu-central-1:123456789012";
    for (action, resource) in [
        ("sqs:CreateQueue", format!("arn:aws:sqs:{here}:shop-*")),
        ("ssm:GetParameters", format!("arn:aws:ssm:{here}:parameter/shop/image")),
        (
            "secretsmanager:GetSecretValue",
            format!("arn:aws:secretsmanager:{here}:secret:shop/token-??????"),
        ),
        (
            "cloudformation:CreateChangeSet",
            "arn:aws:cloudformation:eu-central-1:aws:transform/LanguageExtensions".to_owned(),
        ),
        (
            "iam:GetPolicyVersion",
            "arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned(),
        ),
        (
            "iam:AttachRolePolicy",
            "arn:aws:iam::123456789012:role/shop-prod-*".to_owned(),
        ),
        ("sns:CreateTopic", format!("arn:aws:sns:{here}:shop-prod-*")),
    ] {
        let mut granting = statements.iter().filter(|statement| statement.allows(action));
        assert!(
            granting.any(|statement| statement.resources.contains(&resource)),
            "{action} on {resource}"
        );
    }
    let passing = statements.iter().find(|statement| statement.allows("iam:PassRole"));
    assert!(passing.is_none(), "no type of the template is given a role");
    let notes: Vec<&str> = printed["notes"]
        .as_array()
        .expect("notes")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for part in [
        "Custom::Thing",
        "AWS::Nobody::Knows",
        "lacks what the policy ReadOnlyAccess allows, which the role Role names",
        "allows sqs:SendMessage on all resources",
    ] {
        assert!(notes.iter().any(|note| note.contains(part)), "{part} in {notes:#?}");
    }
}
