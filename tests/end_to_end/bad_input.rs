//! Bad input: one clear message, the place, the next command, the documented exit code, and nothing created.

use std::net::TcpListener;

use crate::support::{Deployer, Emulator, Port, Project, Proxy, Ran, answers, document};

/// Runs `up` where every request would be seen; none may be sent.
fn without_a_request(project: &Project, args: &[&str]) -> Ran {
    let proxy = Proxy::before_nobody();
    let ran = project.deployer(&proxy.endpoint(), args);
    assert!(proxy.take().is_empty(), "the folder alone tells: {}", ran.stderr);
    ran
}

#[test]
fn what_is_wrong_in_the_folder_is_told_by_file_line_and_key() {
    let project = Project::copy();
    let stages = project.read("stacks/stages.yaml");
    let data = project.read("stacks/data.yaml");
    let up = |parts: &[&str]| {
        without_a_request(&project, &["up"]).fails_with(2).says(parts);
    };

    project.write(
        "stacks/stages.yaml",
        &stages.replace("    protected: true", "    protcted: true"),
    );
    let line = 1 + stages
        .lines()
        .position(|line| line.contains("protected: true"))
        .expect("there");
    up(&[
        &format!("stages.yaml:{line}:5"),
        "there is no setting `protcted` here",
        // The line itself, and what is wrong in it.
        &format!("{line} |     protcted: true\n   |     ^^^^^^^^\n"),
        "Did you mean `protected`?",
    ]);
    project.write(
        "stacks/stages.yaml",
        &stages.replace("LogRetentionDays: 3\n", "LogLevel: ${env:DEPLOYER_TEST_UNSET}\n"),
    );
    without_a_request(&project, &["up", "--stage", "dev"])
        .fails_with(2)
        .says(&[
            "`DEPLOYER_TEST_UNSET`, which the stage `dev` wants for `LogLevel`, isn't set",
            "^^^^^",
        ]);
    project.write("stacks/stages.yaml", &stages.replace("  prod:\n", "  Prod:\n"));
    up(&["stages.yaml:", "`Prod` would be refused by AWS", "lower-case"]);
    project.write("stacks/stages.yaml", "project: shop\nstages: {\n  prod: ]\n");
    up(&["stages.yaml:3:9"]);
    project.write("stacks/stages.yaml", &stages);

    without_a_request(&project, &["up", "--stage", "prdo"])
        .fails_with(2)
        .says(&["has no stage `prdo`", "Did you mean `--stage prod`?"]);
    without_a_request(&project, &["status", "--stage", "My_Stage"])
        .fails_with(2)
        .says(&["`My_Stage` would be refused by AWS"]);

    project.write("stacks/data.yaml", &data.replace("Resources:\n", "Resources: {\n"));
    up(&["data.yaml:"]);
    project.write(
        "stacks/data.yaml",
        &data.replace(
            "  TableName: { Type: String, Default: UserData }",
            "  TableName: { Type: String }\n  Mystery: { Type: String }",
        ),
    );
    up(&[
        "data.yaml:6:3: the parameter `Mystery` has neither a default nor a value",
        "^^^^^^^",
        "stages.yaml",
    ]);
    project.write("stacks/data.yaml", &data);

    for (seed, parts) in [
        ("- userId: \"1\"\n- name: x\n", ["seed.yaml:2:", "no `userId`"]),
        (
            "- userId: \"1\"\n- name: x\n  userId: 7\n",
            ["seed.yaml:3:", "must be a string; quote it: \"7\""],
        ),
        (
            "- userId: a\n- userId: b\n- userId: a\n",
            ["seed.yaml:3:3:", "`userId \"a\"` is there twice"],
        ),
        ("- userId: a\n  name: \"x\n", ["seed.yaml:", "quoted scalar"]),
    ] {
        project.write("stacks/seed.yaml", seed);
        up(&parts);
        without_a_request(&project, &["seed"]).fails_with(2).says(&parts);
    }
}

#[test]
fn a_folder_that_is_no_project_is_told_so() {
    let dir = tempfile::TempDir::new().expect("a folder");
    Deployer::new(dir.path(), &["up"])
        .run()
        .fails_with(2)
        .says(&["there is no folder stacks", "--project-dir"]);
    let ran = Deployer::new(dir.path(), &["up", "--stge", "x"]).run().fails_with(2);
    assert!(ran.stderr.contains("--stage"), "clap suggests: {ran}");
}

#[test]
fn names_that_become_too_long_are_refused_before_anything_is_created() {
    let emulator = Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    project.edit(
        "stacks/stages.yaml",
        "FunctionName: retrieve-user-data\n",
        &format!("FunctionName: {}\n", "f".repeat(65)),
    );
    project.deployer(&proxy.endpoint(), &["up"]).fails_with(2).says(&[
        "logic.yaml",
        "Function (AWS::Lambda::Function)",
        "65 characters; 64 is the most",
    ]);
    project.edit("stacks/stages.yaml", &format!("FunctionName: {}\n", "f".repeat(65)), "");
    project.edit("stacks/stages.yaml", "TableName: UserData\n", "TableName: User Data\n");
    project.deployer(&proxy.endpoint(), &["up"]).fails_with(2).says(&[
        "data.yaml",
        "`User Data`",
        "AWS::DynamoDB::Table",
    ]);
    proxy.assert_nothing_was_written();
}

#[test]
fn a_function_that_does_not_compile_shows_cargos_own_error() {
    let emulator = Emulator::shared();
    let project = Project::copy();
    std::fs::remove_file(project.path().join("function")).expect("the link");
    std::fs::create_dir_all(project.path().join("function/src")).expect("a folder");
    project.write(
        "function/Cargo.toml",
        "[package]\nname = \"broken\"\nedition = \"2024\"\n[[bin]]\nname = \"bootstrap\"\npath = \"src/main.rs\"\n[workspace]\n",
    );
    project.write(
        "function/src/main.rs",
        "fn main() {\n    let answer: u8 = \"forty-two\";\n}\n",
    );
    let target = project.path().join("target");
    let ran = Deployer::new(project.path(), &["up", "--stage", "dev"])
        .at(&emulator.endpoint())
        .env("CARGO_TARGET_DIR", &target)
        .run();
    let stacks = project
        .deployer(&emulator.endpoint(), &["status", "--stage", "dev"])
        .success();
    assert!(stacks.stdout.contains("Nothing is deployed"), "{}", stacks.stdout);
    ran.fails_with(2).says(&[
        "the function doesn't build",
        "error[E0308]",
        "src/main.rs:2:22",
        "Correct function/",
    ]);

    std::fs::remove_dir_all(project.path().join("function")).expect("removed");
    project
        .deployer(&emulator.endpoint(), &["up", "--stage", "dev"])
        .fails_with(2)
        .says(&["there is no", "function/Cargo.toml"]);
}

#[test]
fn without_credentials_region_or_an_answer_the_message_says_so() {
    let project = Project::copy();
    let here = project.path();
    let port = Port::reserve();
    let nobody = port.endpoint();

    Deployer::new(here, &["up"])
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", &nobody)
        .run()
        .fails_with(2)
        .says(&[
            "no usable AWS credentials were found",
            "aws sso login",
            "--profile",
            "--local",
        ]);
    Deployer::new(here, &["status"])
        .env("AWS_ENDPOINT_URL", &nobody)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .run()
        .fails_with(2)
        .says(&["no AWS region is set", "AWS_REGION", "stages.yaml"]);
    Deployer::new(here, &["status"]).at(&nobody).run().fails_with(2).says(&[
        &nobody,
        "no connection",
        "AWS_ENDPOINT_URL",
    ]);
    Deployer::new(here, &["status", "--profile", "nowhere"])
        .at(&nobody)
        .run()
        .fails_with(2)
        .says(&["nowhere"]);

    // One that takes the connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", silent.local_addr().expect("an address"));
    Deployer::new(here, &["status"])
        .at(&address)
        .run()
        .fails_with(2)
        .says(&[&address, "AWS_ENDPOINT_URL"]);
}

#[test]
fn endpoints_in_two_places_are_refused() {
    let project = Project::copy();
    let proxy = Proxy::before_nobody();
    Deployer::new(project.path(), &["up"])
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL_S3", proxy.endpoint())
        .run()
        .fails_with(2)
        .says(&["not in one place", "S3: http://127.0.0.1", "DynamoDB: AWS"]);
    assert!(proxy.take().is_empty());
    // A service's own endpoint comes before the common one, so having both is a mix, too.
    Deployer::new(project.path(), &["up"])
        .at(&proxy.endpoint())
        .env("AWS_ENDPOINT_URL_CLOUDFORMATION", "http://127.0.0.1:9")
        .run()
        .fails_with(2)
        .says(&["not in one place", "CloudFormation: http://127.0.0.1:9"]);
    assert!(proxy.take().is_empty());
}

/// A profile that assumes a role asks STS for it, in the profile's region.
#[test]
fn a_profile_with_a_role_is_assumed_in_its_own_region() {
    let emulator = Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    project.write(
        "aws-config",
        "[profile base]\nregion = eu-west-1\n[profile role]\nrole_arn = arn:aws:iam::000000000000:role/deployers\n\
         source_profile = base\nregion = eu-central-1\n",
    );
    project.write(
        "aws-credentials",
        "[base]\naws_access_key_id = test\naws_secret_access_key = test\n",
    );
    let status = Deployer::new(project.path(), &["status", "--profile", "role"])
        .env("AWS_ENDPOINT_URL", proxy.endpoint())
        .env("AWS_CONFIG_FILE", project.path().join("aws-config"))
        .env("AWS_SHARED_CREDENTIALS_FILE", project.path().join("aws-credentials"))
        // Neither may win over what the command line says.
        .env("AWS_REGION", "us-west-2")
        .env("AWS_ACCESS_KEY_ID", "wrong")
        .env("AWS_SECRET_ACCESS_KEY", "wrong")
        .run();
    let assumed = proxy
        .take()
        .into_iter()
        .find(|seen| seen.operation == "AssumeRole")
        .expect("the role is assumed");
    assert_eq!(
        assumed.parameter("RoleArn").as_deref(),
        Some("arn:aws:iam::000000000000:role/deployers")
    );
    assert!(
        assumed.authorization.contains("/eu-central-1/sts/"),
        "{}",
        assumed.authorization
    );
    // The emulator has no such role; what counts is that it was asked for, and that the refusal is told.
    status.fails_with(2).says(&["the profile `role`"]);
}

/// The ways that AWS refuses credentials, as each service words them.
#[test]
fn refused_credentials_are_told_apart() {
    let project = Project::copy();
    for (code, message, code_of_exit, parts) in [
        (
            "ExpiredToken",
            "The security token included in the request is expired",
            2,
            ["have expired", "aws sso login"],
        ),
        (
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
            2,
            ["doesn't know", "AWS_ACCESS_KEY_ID"],
        ),
        (
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match",
            2,
            ["AWS_SECRET_ACCESS_KEY", "clock"],
        ),
    ] {
        let proxy = Proxy::before_nobody();
        proxy.rule(move |_| Some(answers::refusal(403, code, message)));
        project
            .deployer(&proxy.endpoint(), &["up"])
            .fails_with(code_of_exit)
            .says(&[code])
            .says(&parts);
        assert!(
            proxy.take().iter().all(|seen| seen.operation == "GetCallerIdentity"),
            "nothing else is asked"
        );
    }
}

#[test]
fn a_private_key_in_the_site_is_refused_unless_it_is_meant() {
    let project = Project::copy();
    let at = "http://127.0.0.1:1";
    project.write("site/notes.txt", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA\n");
    project.deployer(at, &["up", "--stage", "dev"]).fails_with(2).says(&[
        "site/notes.txt has a private key in it",
        "`!NAME` in site/.deployerignore",
    ]);
    // Nothing is wrong with the site any more: next the endpoint is asked, which isn't there.
    project.write("site/.deployerignore", "!notes.txt\n");
    let ran = project.deployer(at, &["up", "--stage", "dev"]).fails_with(2);
    assert!(ran.stderr.contains("could not ask"), "{ran}");
    assert!(!ran.stderr.contains("private key"), "{ran}");
}

#[test]
fn a_site_that_cannot_be_published_is_refused() {
    let project = Project::copy();
    let stages = project.read("stacks/stages.yaml");
    let told = |config: &str| {
        let own = stages.replace(
            "  parameters:\n    # Stages",
            &format!("  siteConfig: {config}\n  parameters:\n    # Stages"),
        );
        assert_ne!(own, stages);
        project.write("stacks/stages.yaml", &own);
    };
    project.write("site/config.json", "{}");
    told("{ apiUrl: logic.ApiUrl }");
    without_a_request(&project, &["up"]).fails_with(2).says(&[
        "site/config.json is in the way",
        "`siteConfig`",
        "`siteConfigFile: ",
    ]);
    std::fs::remove_file(project.path().join("site/config.json")).expect("removed");
    told("{ apiUrl: logic.ApiUlr }");
    without_a_request(&project, &["up"])
        .fails_with(2)
        .says(&["`siteConfig` has `apiUrl: logic.ApiUlr`", "Did you mean `ApiUrl`?"]);
    project.write("stacks/stages.yaml", &stages);
    std::fs::remove_file(project.path().join("site/index.html")).expect("removed");
    without_a_request(&project, &["up"])
        .fails_with(2)
        .says(&["there is no site/index.html"]);
}

#[test]
fn what_would_have_no_effect_or_break_another_stack_is_refused() {
    let project = Project::copy();
    let stages = project.read("stacks/stages.yaml");
    project.write("stacks/stages.yaml", &format!("{stages}      ThrotleRate: 5\n"));
    without_a_request(&project, &["up", "--stage", "dev"])
        .fails_with(2)
        .says(&[
            "no template has a parameter `ThrotleRate`",
            "Did you mean `ThrottleRate`?",
            "      ThrotleRate: 5\n",
        ]);
    // What the deployer puts in itself isn't the user's to give.
    for given in ["Digest", "DeployerDigest", "DeployerStage"] {
        project.write("stacks/stages.yaml", &format!("{stages}      {given}: mine\n"));
        without_a_request(&project, &["up", "--stage", "dev"])
            .fails_with(2)
            .says(&[&format!("no template has a parameter `{given}`")]);
    }
    // Nor is what a template says that it gets from another stack.
    let logic = project.read("stacks/logic.yaml");
    for (given, output) in [("SiteOrigin", "presentation.SiteOrigin"), ("TableArn", "data.TableArn")] {
        project.write("stacks/stages.yaml", &format!("{stages}      {given}: mine\n"));
        let inputs = format!("Metadata: {{ Deployer: {{ Inputs: {{ {given}: {output} }} }} }}\n\nParameters:\n");
        project.write("stacks/logic.yaml", &logic.replacen("Parameters:\n", &inputs, 1));
        without_a_request(&project, &["up", "--stage", "dev"])
            .fails_with(2)
            .says(&[
                &format!("the parameter `{given}` is given by `Inputs` of the template"),
                "no effect",
                &format!("      {given}: mine\n"),
            ]);
    }
    project.write("stacks/stages.yaml", &stages);
    project.write("stacks/logic.yaml", &logic);
    let missing = [
        "logic.yaml:12:3: the parameter `TableArn` has neither a default nor a value",
        "  TableArn: { Type: String }\n",
        "stages.yaml",
    ];
    project.edit("stacks/data.yaml", "  TableArn: { Value: !GetAtt Table.Arn }\n", "");
    without_a_request(&project, &["up"]).fails_with(2).says(&missing);
    std::fs::remove_file(project.path().join("stacks/data.yaml")).expect("removed");
    without_a_request(&project, &["up"]).fails_with(2).says(&missing);
    // Nothing that is left has a table for the seed items.
    project.edit(
        "stacks/logic.yaml",
        "  TableArn: { Type: String }\n",
        "  TableArn: { Type: String, Default: x }\n",
    );
    without_a_request(&project, &["up"])
        .fails_with(2)
        .says(&["seed.yaml", "table"]);
}

/// As earlier versions had the settings.
#[test]
fn the_old_spelling_of_settings_is_taken_with_a_warning() {
    let emulator = Emulator::shared();
    let project = Project::copy();
    project.write(
        "stacks/stages.yaml",
        "project: three-tier\nstages:\n  prod:\n    tableName: People\n    logLevel: warn\n",
    );
    let ran = project
        .deployer(&emulator.endpoint(), &["up", "--only", "data"])
        .success();
    for (line, old, new) in [(4, "tableName", "TableName"), (5, "logLevel", "LogLevel")] {
        let told = format!("stages.yaml:{line}: write `{old}` as `{new}` under `parameters:`");
        assert!(ran.stderr.contains(&told), "{}", ran.stderr);
    }
    let status = project
        .deployer(&emulator.endpoint(), &["status", "--output", "json"])
        .success();
    assert_eq!(document::names(&status.json(), "tables"), ["People"]);
}

/// Programs are told the places that people are shown.
#[test]
fn json_has_the_places_of_an_error() {
    let project = Project::copy();
    project.write(
        "stacks/stages.yaml",
        "project: shop\nstages:\n  prod: { region: a, region: b }\n",
    );
    let ran = without_a_request(&project, &["up", "--output", "json"]);
    let error: serde_json::Value = serde_json::from_str(ran.stderr.trim()).expect("a JSON line");
    assert_eq!(
        error["places"],
        serde_json::json!([
            { "file": "stacks/stages.yaml", "line": 3, "column": 22, "label": "again" },
            { "file": "stacks/stages.yaml", "line": 3, "column": 11, "label": "the first" },
        ])
    );
}

/// CloudFormation is asked what it thinks of a template before anything is made.
#[test]
fn a_template_that_cloudformation_refuses_is_named() {
    let emulator = Emulator::shared();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    proxy.rule(|seen| {
        (seen.operation == "ValidateTemplate"
            && ["retrieveUserData", "Odd"].iter().any(|part| seen.body.contains(part)))
        .then(|| {
            answers::refusal(
                400,
                "ValidationError",
                "Template format error: Unresolved resource dependencies [Tabel] in the Resources block",
            )
        })
    });
    project.deployer(&proxy.endpoint(), &["up"]).fails_with(2).says(&[
        "CloudFormation refuses stacks/logic.yaml",
        "[Tabel]",
        "Correct stacks/logic.yaml",
    ]);
    proxy.assert_nothing_was_written();

    // The same of a stack alone, as it is made and as it is updated.
    let data = project.read("stacks/data.yaml");
    let odd = || {
        let odd = "Resources:\n  Odd: { Type: AWS::SNS::Topic }\n";
        project.write("stacks/data.yaml", &data.replacen("Resources:\n", odd, 1));
    };
    let up = || project.deployer(&proxy.endpoint(), &["up", "--only", "data"]);
    let refused = |ran: Ran| {
        ran.fails_with(2).says(&[
            "CloudFormation refuses stacks/data.yaml for the stack three-tier-prod-data\n",
            "[Tabel]",
            "an emulator's, which may not know a type",
        ]);
    };
    odd();
    refused(up());
    proxy.assert_nothing_was_written();
    project.write("stacks/data.yaml", &data);
    up().success();
    odd();
    refused(up());
}

#[test]
fn a_name_that_is_no_region_or_url_is_told_so() {
    let project = Project::copy();
    let proxy = Proxy::before_nobody();
    project
        .deployer(&proxy.endpoint(), &["status", "--region", "Frankfurt am Main"])
        .fails_with(2)
        .says(&["`Frankfurt am Main` is no region's name"]);
    project
        .deployer("nonsense", &["status"])
        .fails_with(2)
        .says(&["the endpoint `nonsense` is no URL"]);
    assert!(proxy.take().is_empty());
}

/// What nothing of the templates takes is refused as it is read, with the place and what there is.
#[test]
fn what_no_template_takes_is_refused_before_anything_is_begun() {
    let project = Project::copy();
    let seed = project.read("stacks/seed.yaml");
    project.write("stacks/seed.yaml", "Tabel:\n  - userId: a\n");
    for command in ["up", "seed"] {
        without_a_request(&project, &[command]).fails_with(2).says(&[
            "seed.yaml:1:1: there is no table `Tabel`",
            "1 | Tabel:\n  | ^^^^^",
            "Did you mean `Table`?",
        ]);
    }
    project.write("stacks/seed.yaml", &seed);

    let contract = project.read("stacks/verify.yaml");
    let lines = contract.lines().count();
    for (addition, line, parts) in [
        (
            "promises: []\n",
            1,
            &["the contract has no `promises`", "promises: []\n", "^^^^^^^^"][..],
        ),
        (
            "requests:\n  - { name: nothing, request: \"DELETE ${ApiUrl}\", expect: { status: 204, json: { a: 1 } } }\n",
            2,
            &[
                "an answer with status 204 has no body, so `json` can never match",
                "Leave `json` out.",
            ],
        ),
        (
            "requests:\n  - { name: both, request: \"GET ${ApiUrl}\", expect: { status: 200, body: x, json: { a: 1 } } }\n",
            2,
            &["has both", "`body`", "`json`"],
        ),
    ] {
        let (text, line) = if addition.starts_with("requests") {
            (addition.to_owned(), line)
        } else {
            (format!("{contract}{addition}"), lines + line)
        };
        project.write("stacks/verify.yaml", &text);
        for command in ["up", "verify"] {
            let ran = without_a_request(&project, &[command]).fails_with(2).says(parts);
            assert!(ran.stderr.contains(&format!("verify.yaml:{line}:")), "{}", ran.stderr);
            assert!(ran.stderr.contains('^'), "{}", ran.stderr);
        }
    }
    project.write("stacks/verify.yaml", &contract);

    project.write("prebuilt", "");
    without_a_request(&project, &["up", "--function-package", "bootstarp=prebuilt"])
        .fails_with(2)
        .says(&[
            "--function-package bootstarp=prebuilt: no template asks for a binary `bootstarp`",
            "Did you mean `bootstrap=…`?",
        ]);
}

/// A long file is read bit by bit; what is wrong at its end is told as of a short one.
#[test]
fn what_is_wrong_in_a_long_file_of_items_is_told_as_in_a_short_one() {
    let project = Project::copy();
    let padding = "x".repeat(300);
    let line = |n: usize| format!(r#"{{"userId":"u{n}","padding":"{padding}"}}"#);
    let lines: Vec<String> = (1..=4000).map(line).collect();
    let lines = lines.join("\n");
    for (last, words) in [
        (r#"{"userId":1}"#.to_owned(), "must be a string"),
        (line(7), "is there twice; line 7 has it, too"),
        ("{".to_owned(), "many.jsonl:4001"),
    ] {
        project.write("many.jsonl", &format!("{lines}\n{last}\n"));
        without_a_request(&project, &["seed", "--stage", "dev", "--file", "many.jsonl"])
            .fails_with(2)
            .says(&["many.jsonl:4001", words]);
    }
}
