//! What functions ask of AWS, read from their programs: found whole, held against their roles before anything is uploaded, and
//! again when the stage is verified.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::project::repository;
use crate::support::tools::real_cargo;
use crate::support::{Clients, Deployer, Emulator, Project, Ran};

/// The programs of `tests/asking`, built as functions are: optimized, linked as a whole and stripped.
pub(crate) fn asking(program: &str) -> String {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let mut cargo = Command::new(real_cargo());
        let cargo = cargo.args([
            "build",
            "--locked",
            "--package",
            "asking",
            "--bins",
            "--profile",
            "lambda",
            "--message-format",
            "json",
        ]);
        let built = cargo.current_dir(repository()).output().expect("cargo");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let messages = String::from_utf8(built.stdout).expect("UTF-8");
        let executable = messages.lines().find_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            Some(PathBuf::from(message["executable"].as_str()?))
        });
        executable.expect("a program").parent().expect("a folder").to_owned()
    });
    folder.join(program).to_string_lossy().into_owned()
}

/// `policy function` of a project, as a document.
fn policy(project: &Project, args: &[&str]) -> Value {
    let args = [&["policy", "function", "--output", "json"], args].concat();
    Deployer::new(project.path(), &args).run().success().json()
}

/// What a function surely asks for, but for the SDK's own.
fn called(function: &Value) -> Vec<String> {
    assert_eq!(function["perhaps"], Value::Array(Vec::new()), "{function}");
    assert_eq!(function["strange"], Value::Array(Vec::new()), "{function}");
    let operations = function["operations"].as_array().expect("operations").iter();
    operations
        .filter(|operation| operation["isOfCredentials"] == false)
        .map(|operation| format!("{} {}", operation["service"], operation["operation"]).replace('"', ""))
        .collect()
}

#[test]
fn each_operation_that_a_program_calls_is_found_and_no_other() {
    let project = Project::copy();
    let programs: &[(&str, &[&str])] = &[
        (
            "table",
            &[
                "dynamodb DescribeTable",
                "dynamodb PutItem",
                "dynamodb Query",
                "dynamodb UpdateItem",
            ],
        ),
        (
            "objects",
            &[
                "s3 AbortMultipartUpload",
                "s3 CompleteMultipartUpload",
                "s3 CreateMultipartUpload",
                "s3 GetObject",
                "s3 ListObjectsV2",
                "s3 PutObject",
                "s3 UploadPart",
            ],
        ),
        (
            "queue",
            &["sqs DeleteMessage", "sqs ReceiveMessage", "sqs SendMessageBatch"],
        ),
        ("mail", &["sesv2 SendEmail"]),
        ("secret", &["secretsmanager GetSecretValue"]),
    ];
    for (program, expected) in programs {
        let found = policy(&project, &["--function-package", &asking(program)]);
        assert_eq!(called(&found["functions"][0]), *expected, "{program}");
        // The SDK's own for credentials are named as such: these programs load their configuration as everybody does.
        let own = found["functions"][0]["operations"]
            .as_array()
            .expect("operations")
            .iter();
        let own = own.filter(|operation| operation["isOfCredentials"] == true);
        assert!(own.count() >= 4, "{program}: {found}");
    }
}

#[test]
fn a_statement_has_the_resources_that_the_function_names() {
    let found = policy(&Project::of("orders"), &[]);
    let of = |function: &str| {
        let functions = found["functions"].as_array().expect("functions").iter();
        functions
            .clone()
            .find(|one| one["function"] == function)
            .expect("there")
    };
    assert_eq!(called(of("create-order")), ["dynamodb GetItem", "sqs SendMessage"]);
    assert_eq!(called(of("get-order")), ["dynamodb Query"]);
    assert_eq!(
        called(of("process-order")),
        ["dynamodb PutItem", "dynamodb Query", "dynamodb UpdateItem"]
    );
    assert_eq!(
        of("create-order")["statements"],
        serde_json::json!([
            { "actions": ["dynamodb:GetItem"], "resources": [{ "Ref": "CustomersTableArn" }] },
            { "actions": ["sqs:SendMessage"], "resources": [{ "Ref": "IntakeQueueArn" }] },
        ])
    );
    assert_eq!(
        of("get-order")["statements"][0]["resources"],
        serde_json::json!([{ "Ref": "OrdersTableArn" }, { "Fn::Sub": "${OrdersTableArn}/index/*" }])
    );
    for function in found["functions"].as_array().expect("functions") {
        assert_eq!(function["isRoleKnown"], true, "{function}");
        assert_eq!(function["missing"], Value::Array(Vec::new()), "{function}");
        assert_eq!(function["unused"], Value::Array(Vec::new()), "{function}");
    }
}

#[test]
fn a_program_without_the_sdk_is_not_known() {
    let project = Project::copy();
    let found = policy(&project, &["--function-package", "/bin/true"]);
    assert_eq!(found["functions"][0]["isKnown"], false, "{found}");
    assert_eq!(found["functions"][0]["missing"], Value::Array(Vec::new()), "{found}");
}

const CHECK: &str = "function-permissions";

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_lacks_what_its_program_asks_for_is_refused_before_anything_is_uploaded() {
    let (emulator, project) = (Emulator::start(), Project::copy());
    let program = asking("table");
    let up = || -> Ran {
        let args = ["up", "--stage", "dev", "--no-verify", "--function-package", &program];
        project.deployer(&emulator.endpoint(), &args)
    };
    let refused = up();
    assert_eq!(refused.code, 2, "{refused}");
    for part in [
        "the function logic.Function asks for dynamodb:DescribeTable, dynamodb:PutItem, dynamodb:Query, dynamodb:UpdateItem",
        "stacks/logic.yaml:5",
        "aws-sdk-dynamodb's PutItem",
        "Action: [dynamodb:DescribeTable, dynamodb:PutItem, dynamodb:UpdateItem]",
        "Resource: !Ref TableArn",
        CHECK,
    ] {
        assert!(refused.stderr.contains(part), "{part}: {refused}");
    }
    let clients = Clients::root(&emulator.endpoint());
    let buckets = clients.s3.list_buckets().send().await.expect("listed");
    assert!(buckets.buckets().is_empty(), "{buckets:?}");

    // The statement that was told, and one thing more that nobody asks for.
    let (statement, action) = ("Action: dynamodb:GetItem\n", "dynamodb:DeleteItem");
    let all = "dynamodb:DescribeTable, dynamodb:PutItem, dynamodb:Query, dynamodb:UpdateItem";
    project.edit("stacks/logic.yaml", statement, &format!("Action: [{action}, {all}]\n"));
    // Where nothing is verified, `up` itself says so; else the check does.
    let warned = up().success().stderr.clone();
    let warnings: Vec<&str> = warned.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 1, "{warned}");
    assert!(
        warnings[0].contains("stacks/logic.yaml:58") && warnings[0].contains(action),
        "{warned}"
    );
    let verify = || {
        let args = ["verify", "--stage", "dev", "--only", CHECK, "--output", "json"];
        project.deployer(&emulator.endpoint(), &args)
    };
    let verified = verify().success();
    let told = verified.json();
    let check = &told["checks"][0];
    assert_eq!(check["check"], CHECK, "{told}");
    let warnings = check["warnings"].as_array().expect("warnings");
    assert_eq!(warnings.len(), 1, "{check}");
    let warning = warnings[0].as_str().expect("text");
    assert!(
        warning.contains("stacks/logic.yaml:58") && warning.contains(action),
        "{warning}"
    );

    // It goes as soon as the permission does; and a permission that goes from the template is missed.
    project.edit("stacks/logic.yaml", &format!("[{action}, "), "[");
    let verified = verify().success().json();
    assert_eq!(
        verified["checks"][0]
            .get("warnings")
            .unwrap_or(&Value::Array(Vec::new()))
            .clone(),
        Value::Array(Vec::new()),
        "{verified}"
    );
    project.edit("stacks/logic.yaml", "dynamodb:PutItem, ", "");
    let failed = verify();
    assert_eq!(failed.code, 3, "{failed}");
    assert!(
        failed
            .stdout
            .contains("asks for dynamodb:PutItem, which its role logic.FunctionRole doesn't allow"),
        "{failed}"
    );

    // Somebody says that something else allows it.
    let skip =
        "\nskip:\n  - { check: function-permissions, resource: logic.Function, reason: the table's own policy }\n";
    project.write("stacks/verify.yaml", &(project.read("stacks/verify.yaml") + skip));
    up().success();
}

/// The texts that tell are the same for each processor. There is no other to build for here, so the program says that it is for one.
#[test]
fn a_program_for_another_processor_is_read_alike() {
    let project = Project::copy();
    let here = policy(&project, &["--function-package", &asking("table")]);
    let mut program = std::fs::read(asking("table")).expect("a program");
    // `e_machine` of an ELF header; 183 is EM_AARCH64. <https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>
    program[18..20].copy_from_slice(&183_u16.to_le_bytes());
    let (from, to) = (&b"/lib64/ld-linux-x86-64.so.2\0"[..], b"/lib/ld-linux-aarch64.so.1\0\0");
    let loader = program.windows(from.len()).position(|bytes| bytes == from);
    let loader = loader.expect("what starts it");
    program[loader..loader + to.len()].copy_from_slice(to);
    std::fs::write(project.path().join("arm"), program).expect("written");
    project.edit("stacks/stages.yaml", "Architecture: x86_64", "Architecture: arm64");
    let there = policy(&project, &["--function-package", "arm"]);
    assert!(called(&there["functions"][0]).len() > 3, "{there}");
    assert_eq!(called(&here["functions"][0]), called(&there["functions"][0]));
}
